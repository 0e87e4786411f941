/* SPDX-License-Identifier: MIT */
/* What the pool tells of itself: states, mailboxes, octets, failures. */
#include "imap/poolstatus.h"

#include "pool_help.h"

static struct imap_pool_status look(struct world *world)
{
    struct imap_pool_status status;
    imap_pool_status(world->pool, &status);
    return status;
}

/* Its states change on threads that tell nobody. */
static struct imap_pool_status await_doing(struct world *world, unsigned connection,
                                           enum imap_pool_doing doing)
{
    const int64_t end = imap_net_now() + WITHIN_S * 1000;
    struct imap_pool_status status = look(world);
    while (status.connections[connection].doing != doing && imap_net_now() < end) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        status = look(world);
    }
    ck_assert_int_eq(status.connections[connection].doing, doing);
    return status;
}

static size_t tag_len; /* under the world's lock */

static bool answer_noop(struct fake_client *client, const char *tag, const char *command, bool *stop,
                        void *arg)
{
    char line[80];
    struct world *world = arg;
    *stop = false;
    if (strcmp(command, "NOOP") != 0)
        return false;
    CHANGE(world, tag_len = strlen(tag));
    snprintf(line, sizeof(line), "%s OK done\r\n", tag);
    return fake_send(client, line);
}

START_TEST(before_anything)
{
    struct world *world = world_new();
    world_pool(world, 3, 10000);
    struct imap_pool_status status = look(world);
    ck_assert_uint_eq(status.count, 3);
    ck_assert(!status.connected && !status.reachable && status.down_ms == 0);
    ck_assert_int_eq(status.why.status, IMAP_OK);
    ck_assert_uint_eq(status.received + status.sent + status.queued, 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(status.connections[i].doing, IMAP_POOL_CLOSED);
        ck_assert_int_eq(status.connections[i].heard_ms, 0);
        ck_assert_str_eq(status.connections[i].mailbox, "");
    }
    world_free(world);
}
END_TEST

START_TEST(octets_are_those_of_the_wire)
{
    const int64_t begin = imap_net_now();
    struct world *world = world_new();
    world->hook = answer_noop;
    world_pool(world, 2, 10000);
    world_connect(world);
    struct imap_pool_status before = look(world);
    ck_assert(before.connected && before.reachable);
    ck_assert_uint_gt(before.sent, 0);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    struct imap_pool_status after = look(world);
    pthread_mutex_lock(&world->lock);
    const size_t tag = tag_len;
    pthread_mutex_unlock(&world->lock);
    ck_assert_uint_eq(after.sent - before.sent, tag + strlen(" NOOP\r\n"));
    ck_assert_uint_eq(after.received - before.received, tag + strlen(" OK done\r\n"));
    ck_assert_uint_eq(after.sent, after.connections[0].sent);
    ck_assert_uint_eq(after.connections[1].sent, 0);
    const struct imap_pool_connection *connection = &after.connections[0];
    ck_assert_int_ge(connection->since_ms, begin);
    ck_assert_int_ge(connection->heard_ms, connection->since_ms);
    ck_assert_int_le(connection->heard_ms, after.now_ms);
    ck_assert(!connection->encrypted && !connection->compressed);
    world_free(world);
}
END_TEST

START_TEST(what_each_connection_does)
{
    struct world *world = world_new();
    world_pool(world, 2, 10000);
    world_connect(world);
    ck_assert_int_eq(await_doing(world, 0, IMAP_POOL_QUIET).connections[0].due_ms, 0);
    await_ask(ask_with(world, "INBOX", IMAP_POOL_WATCHER, 0, "CHECK", NULL), IMAP_OK);
    struct imap_pool_status status = await_doing(world, 0, IMAP_POOL_IDLING);
    ck_assert_str_eq(status.connections[0].mailbox, "INBOX");
    ck_assert_int_eq(status.connections[0].due_ms, 0);
    ck_assert_int_eq(status.connections[1].doing, IMAP_POOL_CLOSED);

    CHANGE(world, world->gate_closed = true);
    struct ask *first = ask_noop(world, "Archive", 0, 5);
    struct ask *second = ask_noop(world, "Archive", 0, 5);
    AWAIT(world, seen_locked(world, 1, "NOOP") == 1);
    status = await_doing(world, 1, IMAP_POOL_WORKING);
    ck_assert_str_eq(status.connections[1].mailbox, "Archive");
    ck_assert_uint_eq(status.connections[1].jobs + status.queued, 2);
    const int64_t end = imap_net_now() + WITHIN_S * 1000;
    while (look(world).connections[1].due_ms == 0 && imap_net_now() < end)
        sched_yield();
    ck_assert_int_gt(look(world).connections[1].due_ms, 0);
    CHANGE(world, world->gate_closed = false);
    await_ask(first, IMAP_OK);
    await_ask(second, IMAP_OK);
    status = await_doing(world, 1, IMAP_POOL_QUIET);
    ck_assert_uint_eq(status.connections[1].jobs, 0);
    world_free(world);
}
END_TEST

START_TEST(a_long_name_is_cut)
{
    char name[400];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct world *world = world_new();
    world_pool(world, 1, 10000);
    world_connect(world);
    await_ask(ask_with(world, name, 0, 0, "CHECK", NULL), IMAP_OK);
    struct imap_pool_status status = look(world);
    ck_assert_uint_eq(strlen(status.connections[0].mailbox), IMAP_POOL_MAILBOX_MAX - 1);
    world_free(world);
}
END_TEST

START_TEST(an_outage)
{
    struct world *world = world_new();
    world_pool(world, 1, 10000);
    world->pool->timing.backoff_first = 3600 * 1000; /* so that it is seen pausing */
    world->pool->timing.backoff_max = 3600 * 1000;
    world_connect(world);
    fake_refuse(world->server, true);
    fake_drop_all(world->server, false);
    AWAIT(world, world->down == 1);
    struct imap_pool_status status = await_doing(world, 0, IMAP_POOL_PAUSING);
    ck_assert(!status.connected && !status.reachable);
    ck_assert_int_gt(status.down_ms, 0);
    ck_assert_int_le(status.down_ms, status.now_ms);
    ck_assert_int_gt(status.connections[0].dial_ms, status.now_ms + 1800 * 1000);
    ck_assert_int_eq(status.connections[0].since_ms, 0);
    ck_assert_int_eq(status.why.status, IMAP_AGAIN);
    ck_assert_str_eq(status.connections[0].mailbox, "");
    ck_assert_uint_gt(status.received, 0); /* what was before still counts */
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_status");
    TCase *tcase = tcase_create("pool_status");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, before_anything);
    tcase_add_test(tcase, octets_are_those_of_the_wire);
    tcase_add_test(tcase, what_each_connection_does);
    tcase_add_test(tcase, a_long_name_is_cut);
    tcase_add_test(tcase, an_outage);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
