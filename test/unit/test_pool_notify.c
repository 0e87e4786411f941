/* SPDX-License-Identifier: MIT */
/* The pool and RFC 5465: when NOTIFY is said, what a refusal leads to, and who is told what. */
#include "pool_help.h"

#define CAPS "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN ENABLE QRESYNC NOTIFY"
#define FULL_SELECTED "NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (pers"

static struct notify_server {
    unsigned refuses; /* so many NOTIFYs */
    bool bad;
    const char *says;   /* in answer to NOTIFY */
    const char *idling; /* behind the "+" of IDLE */
    const char *within; /* EXAMINE */
} notify_server;

static struct heard {
    bool wanted, status;
    const char *subtrees[2];
    size_t subtree_count;
    unsigned asked, told;
    enum imap_pool_notified scope;
    char elsewhere[1024];
} heard;

static bool serve_notify(struct fake_client *client, const char *tag, const char *command, bool *stop,
                         void *arg)
{
    struct world *world = arg;
    char line[128];

    pthread_mutex_lock(&world->lock);
    const struct notify_server now = notify_server, *server = &now;
    if (strncmp(command, "NOTIFY ", 7) == 0 && notify_server.refuses > 0)
        notify_server.refuses--;
    pthread_mutex_unlock(&world->lock);
    if (strncmp(command, "ENABLE ", 7) == 0) {
        *stop = !fake_send(client, "* ENABLED QRESYNC\r\n") || !fake_ok(client, tag, "done");
        return true;
    }
    if (strncmp(command, "NOTIFY ", 7) == 0 && server->refuses > 0) {
        snprintf(line, sizeof(line), "%s %s no\r\n", tag, server->bad ? "BAD" : "NO");
        *stop = !fake_send(client, line);
        return true;
    }
    if (strncmp(command, "NOTIFY ", 7) == 0) {
        *stop = !fake_send(client, server->says) || !fake_ok(client, tag, "done");
        return true;
    }
    if (strncmp(command, "EXAMINE ", 8) == 0) {
        fake_send(client, server->within);
        fake_send(client, "* 9 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 50] x\r\n");
        *stop = !fake_ok(client, tag, "[READ-ONLY] done");
        return true;
    }
    if (strcmp(command, "IDLE") == 0 && server->idling) {
        char rest[16];
        snprintf(line, sizeof(line), "+ idling\r\n%s", server->idling);
        *stop = !fake_send(client, line) || !fake_line(client, rest, sizeof(rest)) ||
                !fake_ok(client, tag, "done");
        return true;
    }
    return false;
}

static bool on_notify(void *arg, struct imap_pool_notify *wanted_out)
{
    struct world *world = arg;
    pthread_mutex_lock(&world->lock);
    heard.asked++;
    const bool wanted = heard.wanted;
    *wanted_out = (struct imap_pool_notify){
        .status = heard.status, .subtrees = heard.subtrees, .subtree_count = heard.subtree_count};
    pthread_mutex_unlock(&world->lock);
    return wanted;
}

static void on_notified(void *arg, enum imap_pool_notified scope)
{
    struct world *world = arg;
    CHANGE(world, {
        heard.told++;
        heard.scope = scope;
    });
}

static void on_elsewhere(void *arg, const struct imap_response *response, bool initial)
{
    struct world *world = arg;
    const char *name = response->type == IMAP_RESP_STATUS ? response->status.name : response->list.name;
    char text[128];
    snprintf(text, sizeof(text), "%s%s %s;", initial ? "!" : "", response->name, name);
    CHANGE(world, strncat(heard.elsewhere, text, sizeof(heard.elsewhere) - strlen(heard.elsewhere) - 1));
}

static struct world *notify_world(const char *caps)
{
    struct world *world = world_new();

    notify_server = (struct notify_server){.says = "", .within = ""};
    heard = (struct heard){.wanted = true, .status = true};
    world->imap.caps = caps;
    world->hook = serve_notify;
    world_pool(world, 2, 10000);
    world->pool->events.notify = on_notify;
    world->pool->events.notified = on_notified;
    world->pool->events.elsewhere = on_elsewhere;
    return world;
}

static void expect_elsewhere(struct world *world, const char *expected)
{
    AWAIT(world, strcmp(heard.elsewhere, expected) == 0);
}

static bool comes_before(struct world *world, const char *one, const char *other)
{
    bool seen_one = false;

    pthread_mutex_lock(&world->lock);
    for (unsigned i = 0; i < world->logged; i++) {
        seen_one |= strncmp(world->log[i].command, one, strlen(one)) == 0;
        if (strncmp(world->log[i].command, other, strlen(other)) == 0)
            break;
    }
    pthread_mutex_unlock(&world->lock);
    return seen_one;
}

START_TEST(said_before_anything_else)
{
    struct world *world = notify_world(CAPS);

    notify_server.says = "* STATUS A (MESSAGES 1 HIGHESTMODSEQ 5)\r\n* STATUS B (MESSAGES 2)\r\n";
    world_connect(world);
    await_ask(ask_with(world, NULL, IMAP_POOL_WATCHER, 0, "LIST", "\"\" *"), IMAP_OK);
    AWAIT(world, heard.scope == IMAP_POOL_NOTIFIED_ALL);
    ck_assert(comes_before(world, FULL_SELECTED, "LIST"));
    expect_elsewhere(world, "!STATUS A;!STATUS B;");
    /* lanes are told nothing */
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "NOTIFY"), 1);
    world_free(world);
}
END_TEST

START_TEST(told_while_idling_and_within_select)
{
    struct world *world = notify_world(CAPS);

    notify_server.within = "* STATUS C (MESSAGES 3)\r\n";
    notify_server.idling = "* STATUS D (UIDNEXT 4)\r\n* LIST () \"/\" E\r\n";
    heard.status = false;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "NOTIFY SET (selected"), 1);
    expect_elsewhere(world, "STATUS C;STATUS D;LIST E;");
    world_free(world);
}
END_TEST

START_TEST(not_without_qresync_nor_when_unwanted)
{
    static const char *const caps[] = {"IMAP4rev1 SASL-IR AUTH=PLAIN NOTIFY",
                                       "IMAP4rev1 SASL-IR AUTH=PLAIN ENABLE QRESYNC", CAPS, CAPS};
    struct world *world = notify_world(caps[_i]);

    heard.wanted = _i != 2;
    if (_i == 3)
        world->pool->endpoint.disable = strdup("NOTIFY");
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "NOTIFY"), 0);
    ck_assert_uint_eq(heard.scope, IMAP_POOL_NOTIFIED_OFF);
    world_free(world);
}
END_TEST

/* Each refusal makes it ask for less; the third one of them is final for this line. */
START_TEST(refused_it_asks_for_less)
{
    static const enum imap_pool_notified scopes[] = {IMAP_POOL_NOTIFIED_ALL, IMAP_POOL_NOTIFIED_PERSONAL,
                                                     IMAP_POOL_NOTIFIED_PERSONAL, IMAP_POOL_NOTIFIED_OFF};
    struct world *world = notify_world(CAPS);
    const unsigned refusals = (unsigned)_i % 4;

    notify_server.refuses = refusals;
    notify_server.bad = _i >= 4;
    heard.subtrees[0] = "shared";
    heard.subtree_count = 1;
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, heard.told == 1);
    ck_assert_uint_eq(heard.scope, scopes[refusals]);
    ck_assert_uint_eq(seen(world, 0, "NOTIFY"), refusals < 3 ? refusals + 1 : 3);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK); /* the line goes on */
    world_free(world);
}
END_TEST

START_TEST(without_subtrees_there_is_nothing_to_leave_out)
{
    struct world *world = notify_world(CAPS);

    notify_server.refuses = 2;
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, heard.told == 1);
    ck_assert_uint_eq(heard.scope, IMAP_POOL_NOTIFIED_OFF);
    ck_assert_uint_eq(seen(world, 0, "NOTIFY"), 2);
    world_free(world);
}
END_TEST

START_TEST(given_up_by_the_server_and_said_again)
{
    static const char *const ways[] = {"* OK [NOTIFICATIONOVERFLOW] too much\r\n",
                                       "* NO NOTIFY error, some events may have got lost\r\n"};
    struct world *world = notify_world(CAPS);

    notify_server.idling = ways[_i];
    world->pool->timing.notify_retry = 50;
    world_connect(world);
    AWAIT(world, heard.scope == IMAP_POOL_NOTIFIED_ALL);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, heard.told >= 2);
    CHANGE(world, notify_server.idling = NULL);
    AWAIT(world, heard.told >= 3 && heard.scope == IMAP_POOL_NOTIFIED_ALL);
    world_free(world);
}
END_TEST

START_TEST(renewed_and_asked_for_again)
{
    struct world *world = notify_world(CAPS);

    if (_i == 0)
        world->pool->timing.notify_renew = 50;
    world_connect(world);
    AWAIT(world, heard.told >= 1);
    if (_i == 1)
        imap_pool_notify_again(world->pool);
    AWAIT(world, heard.told >= 2 && heard.asked >= 2 && heard.scope == IMAP_POOL_NOTIFIED_ALL);
    world_free(world);
}
END_TEST

START_TEST(over_when_the_line_is_lost)
{
    struct world *world = notify_world(CAPS);

    world_connect(world);
    AWAIT(world, heard.scope == IMAP_POOL_NOTIFIED_ALL);
    CHANGE(world, heard.wanted = false);
    fake_drop(world->server, 0);
    AWAIT(world, heard.scope == IMAP_POOL_NOTIFIED_OFF);
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_notify");
    TCase *tcase = tcase_create("pool_notify");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, said_before_anything_else);
    tcase_add_test(tcase, told_while_idling_and_within_select);
    tcase_add_loop_test(tcase, not_without_qresync_nor_when_unwanted, 0, 4);
    tcase_add_loop_test(tcase, refused_it_asks_for_less, 0, 8);
    tcase_add_test(tcase, without_subtrees_there_is_nothing_to_leave_out);
    tcase_add_loop_test(tcase, given_up_by_the_server_and_said_again, 0, 2);
    tcase_add_loop_test(tcase, renewed_and_asked_for_again, 0, 2);
    tcase_add_test(tcase, over_when_the_line_is_lost);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
