/* SPDX-License-Identifier: MIT */
/* The pool and RFC 7162: what is enabled where, what SELECT asks, and who is told the answer. */
#include "pool_help.h"

#define QRESYNC_CAPS "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN ENABLE QRESYNC"

struct qresync_server {
    const char *enabled;       /* untagged answer to ENABLE */
    const char *refuses;       /* a SELECT whose arguments hold this is BAD */
    const char *before, *says; /* within SELECT, before and after CLOSED */
    bool closed;               /* CLOSED is said */
} qresync_server;

static bool serve_qresync(struct fake_client *client, const char *tag, const char *command, bool *stop,
                          void *arg)
{
    const struct qresync_server *server = &qresync_server;
    char line[128];

    (void)arg;
    if (strncmp(command, "ENABLE ", 7) == 0) {
        *stop = !fake_send(client, server->enabled) || !fake_ok(client, tag, "done");
        return true;
    }
    if (strncmp(command, "EXAMINE ", 8) != 0)
        return false;
    if (server->refuses && strstr(command, server->refuses)) {
        snprintf(line, sizeof(line), "%s BAD unknown parameter\r\n", tag);
        *stop = !fake_send(client, line);
        return true;
    }
    fake_send(client, server->before);
    if (server->closed)
        fake_send(client, "* OK [CLOSED] done with that\r\n");
    fake_send(client, "* 9 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 50] x\r\n");
    fake_send(client, server->says);
    fake_ok(client, tag, "[READ-ONLY] done");
    return true;
}

static struct world *qresync_world(const char *caps)
{
    struct world *world = world_new();

    qresync_server = (struct qresync_server){
        .enabled = "* ENABLED QRESYNC\r\n",
        .before = "",
        .says = "* VANISHED (EARLIER) 3:5\r\n* 2 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (44))\r\n",
        .closed = true};
    world->imap.caps = caps;
    world->hook = serve_qresync;
    world->since = (struct imap_pool_since){.uidvalidity = 7, .modseq = 40, .last_uid = 11};
    world->knows = true;
    world_pool(world, 2, 10000);
    return world;
}

static void expect_selected(struct world *world, unsigned times, bool resumed, const char *changes)
{
    AWAIT(world, world->selected == times);
    ck_assert_int_eq(world->resumed, resumed);
    ck_assert_str_eq(world->changes, changes);
    CHANGE(world, world->changes[0] = '\0');
}

START_TEST(the_watcher_asks_what_has_changed)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "ENABLE QRESYNC"), 1);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A (QRESYNC (7 40 1:11))"), 1);
    expect_selected(world, 1, true, "A VANISHED(EARLIER) 3;A FETCH 8;");
    ck_assert_uint_eq(world->untagged, 0);
    /* of a mailbox that nobody knows yet it asks nothing; what is enabled need not be again */
    CHANGE(world, world->knows = false);
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B"), 1);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B "), 0);
    expect_selected(world, 2, false, "");
    /* lanes carry bodies and nothing else */
    CHANGE(world, world->knows = true);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "ENABLE"), 0);
    ck_assert_uint_eq(seen(world, 1, "EXAMINE A"), 1);
    ck_assert_uint_eq(seen(world, 1, "EXAMINE A "), 0);
    expect_selected(world, 3, false, "");
    world_free(world);
}
END_TEST

/* Until CLOSED it may be the mailbox that was; without it nobody can tell. */
START_TEST(changes_of_the_mailbox_that_was)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    expect_selected(world, 1, true, "A VANISHED(EARLIER) 3;A FETCH 8;");
    CHANGE(world, qresync_server.before = "* 1 FETCH (UID 1 FLAGS ())\r\n* VANISHED 2\r\n");
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 0), IMAP_OK);
    expect_selected(world, 2, true, "B VANISHED(EARLIER) 3;B FETCH 8;");
    CHANGE(world, qresync_server.closed = false);
    await_ask(ask_noop(world, "C", IMAP_POOL_WATCHER, 0), IMAP_OK);
    expect_selected(world, 3, false, "");
    world_free(world);
}
END_TEST

START_TEST(enabled_is_what_the_server_says_is)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    CHANGE(world, qresync_server.enabled = "");
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "ENABLE QRESYNC"), 1);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A (CONDSTORE)"), 1);
    expect_selected(world, 1, false, "");
    world_free(world);
}
END_TEST

START_TEST(condstore_without_qresync)
{
    struct world *world = qresync_world("IMAP4rev1 AUTH=PLAIN SASL-IR ENABLE CONDSTORE");

    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "ENABLE"), 0);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A (CONDSTORE)"), 1);
    expect_selected(world, 1, false, "");
    world_free(world);
}
END_TEST

START_TEST(what_is_disabled_is_not_used)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    world->pool->endpoint.disable = strdup(_i == 0 ? "QRESYNC" : "CONDSTORE,IDLE");
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "ENABLE"), 0);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A (CONDSTORE)"), _i == 0);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 1);
    expect_selected(world, 1, false, "");
    struct imap_caps caps;
    ck_assert(imap_pool_caps(world->pool, &caps));
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_QRESYNC));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE) == (_i == 0));
    world_free(world);
}
END_TEST

/* BAD to the parameters is not BAD to the mailbox. */
START_TEST(refused_parameters_are_left_out)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    CHANGE(world, qresync_server.refuses = "(QRESYNC");
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 2);
    expect_selected(world, 1, false, "");
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B"), 1);
    expect_selected(world, 2, false, "");
    CHANGE(world, qresync_server.refuses = "EXAMINE C");
    await_ask(ask_noop(world, "C", IMAP_POOL_WATCHER, 0), IMAP_NO);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE C"), 1);
    world_free(world);
}
END_TEST

START_TEST(a_bad_mailbox_is_not_bad_parameters)
{
    struct world *world = qresync_world(QRESYNC_CAPS);

    CHANGE(world, qresync_server.refuses = "EXAMINE A");
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_NO);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 2); /* it might have been them */
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B (QRESYNC"), 1);
    expect_selected(world, 1, true, "B VANISHED(EARLIER) 3;B FETCH 8;");
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_resync");
    TCase *tcase = tcase_create("pool_resync");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_watcher_asks_what_has_changed);
    tcase_add_test(tcase, changes_of_the_mailbox_that_was);
    tcase_add_test(tcase, enabled_is_what_the_server_says_is);
    tcase_add_test(tcase, condstore_without_qresync);
    tcase_add_loop_test(tcase, what_is_disabled_is_not_used, 0, 2);
    tcase_add_test(tcase, refused_parameters_are_left_out);
    tcase_add_test(tcase, a_bad_mailbox_is_not_bad_parameters);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
