/* SPDX-License-Identifier: MIT */
/* Lanes that idle on mailboxes which connection 0 has not selected: when, for how long, and for whom they go. */
#include <limits.h>

#include "pool_help.h"

#define MIB ((uint64_t)1 << 20)
#define LONG 3600000u

/* Connection 0 idles on A. */
static struct world *begin(struct world *world, unsigned connections, unsigned timeout_ms)
{
    world_pool(world, connections, timeout_ms);
    world->pool->timing.settle = 0;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    return world;
}

static struct world *watched(unsigned connections)
{
    return begin(world_new(), connections, 10000);
}

/* names: "B C" */
static size_t watch_for(struct world *world, const char *names, unsigned ms)
{
    char text[64];
    const char *list[16];
    char *rest = text, *name;
    size_t count = 0;

    snprintf(text, sizeof(text), "%s", names);
    while ((name = strsep(&rest, " ")) != NULL)
        if (*name)
            list[count++] = name;
    return imap_pool_watch(world->pool, list, count, ms);
}

static size_t watch(struct world *world, const char *names)
{
    return watch_for(world, names, LONG);
}

/* The pool's number of the connection that idles there; 0: none does. With the lock. */
static unsigned idler_locked(struct world *world, const char *mailbox)
{
    for (unsigned i = 1; i < IMAP_POOL_MAX; i++)
        if (strcmp(world->idling[i], mailbox) == 0)
            return i;
    return 0;
}

/* The server's number of the connection that selected it last; -1: none has. With the lock. */
static int server_of_locked(struct world *world, const char *mailbox)
{
    char command[80];
    int found = -1;

    snprintf(command, sizeof(command), "EXAMINE %s", mailbox);
    for (unsigned i = 0; i < world->logged; i++)
        if (strcmp(world->log[i].command, command) == 0)
            found = (int)world->log[i].connection;
    return found;
}

static int server_of(struct world *world, const char *mailbox)
{
    pthread_mutex_lock(&world->lock);
    const int found = server_of_locked(world, mailbox);
    pthread_mutex_unlock(&world->lock);
    return found;
}

/* ---- who idles where ----------------------------------------------------------------------------------- */

START_TEST(as_many_as_leave_a_lane_for_bodies)
{
    struct world *world = watched(4);

    ck_assert_uint_eq(watch(world, "B C D"), 2);
    AWAIT(world, idler_locked(world, "B") && idler_locked(world, "C"));
    ck_assert_uint_eq(fake_connections(world->server), 3);
    await_ask(ask_with(world, "E", 0, 100, "CHECK", NULL), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 4);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE D"), 0);
    ck_assert_uint_eq(world->deselected, 0);
    ck_assert_uint_eq(world->idle_begun, 2);
    world_free(world);
}
END_TEST

START_TEST(none_where_there_are_few)
{
    const unsigned connections = (unsigned)_i;
    struct world *world = watched(connections);

    ck_assert_uint_eq(watch(world, "B C"), 0);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE B") + seen(world, -1, "EXAMINE C"), 0);
    ck_assert_uint_le(fake_connections(world->server), connections);
    ck_assert_uint_eq(world->idle_begun, 0);
    world_free(world);
}
END_TEST

START_TEST(none_without_idle)
{
    struct world *world = world_new();

    world->imap.caps = "IMAP4rev1 SASL-IR AUTH=PLAIN";
    begin(world, 4, 10000);
    ck_assert_uint_eq(watch(world, "B"), 0);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    world_free(world);
}
END_TEST

static bool news_for_b(struct fake_client *client, const char *tag, const char *command, bool *stop,
                       void *arg)
{
    struct world *world = arg;
    char line[64];

    if (strcmp(command, "IDLE") != 0 || server_of(world, "B") != (int)client->index)
        return false;
    *stop = !fake_send(client, "+ idling\r\n* 3 EXISTS\r\n") || !fake_line(client, line, sizeof(line)) ||
            strcmp(line, "DONE") != 0 || !fake_ok(client, tag, "idled");
    return true;
}

START_TEST(what_happens_there_is_told)
{
    struct world *world = world_new();
    char expected[16];

    world->hook = news_for_b;
    begin(world, 4, 10000);
    watch(world, "B C");
    AWAIT(world, world->last_exists == 3 && idler_locked(world, "B"));
    snprintf(expected, sizeof(expected), "%u B", idler_locked(world, "B"));
    ck_assert_str_eq(world->last_heard, expected);
    world_free(world);
}
END_TEST

/* Who walks through mailboxes takes no lane along: only what stays wanted is watched. */
START_TEST(things_have_to_settle)
{
    struct world *world = watched(4);

    world->pool->timing.settle = 300;
    watch(world, "B C");
    watch(world, "C D");
    watch(world, "E F");
    watch(world, "F G");
    AWAIT(world, idler_locked(world, "F") && idler_locked(world, "G"));
    ck_assert_int_eq(server_of(world, "B"), -1);
    ck_assert_int_eq(server_of(world, "C"), -1);
    ck_assert_int_eq(server_of(world, "D"), -1);
    ck_assert_int_eq(server_of(world, "E"), -1);
    world_free(world);
}
END_TEST

START_TEST(a_lane_stays_where_it_is_still_wanted)
{
    struct world *world = watched(4);

    watch(world, "B C");
    AWAIT(world, idler_locked(world, "B") && idler_locked(world, "C"));
    const unsigned of_c = idler_locked(world, "C");
    watch(world, "D C");
    AWAIT(world, idler_locked(world, "D"));
    ck_assert_uint_eq(idler_locked(world, "C"), of_c);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE C"), 1);
    world_free(world);
}
END_TEST

/* ---- how long ------------------------------------------------------------------------------------------ */

START_TEST(not_closed_while_wanted)
{
    struct world *world = world_new();

    world_pool(world, 3, 10000);
    world->pool->timing.settle = 0;
    world->pool->timing.lane_unused = 100;
    world->pool->timing.idle_renew = 150;
    world_connect(world);
    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    const int server = server_of(world, "B");
    AWAIT(world, seen_locked(world, server, "IDLE") >= 4);
    ck_assert_uint_eq(seen(world, server, "LOGOUT"), 0);
    ck_assert_uint_eq(world->idle_begun, 1); /* a renewal is nothing new */
    watch(world, "");
    AWAIT(world, world->idle_ended + world->deselected > 0);
    AWAIT(world, seen_locked(world, server, "LOGOUT") == 1);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

START_TEST(for_its_time_only)
{
    struct world *world = watched(3);

    watch_for(world, "B", 300);
    AWAIT(world, world->idle_begun == 1);
    AWAIT(world, world->idle_ended == 1);
    await_ask(ask_noop(world, "B", 0, 100), IMAP_OK);
    ck_assert_uint_eq(world->idle_begun, 1);
    world_free(world);
}
END_TEST

/* ---- beside work ----------------------------------------------------------------------------------------- */

START_TEST(work_of_its_own_mailbox)
{
    struct world *world = watched(4);

    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    const int server = server_of(world, "B");
    const unsigned before = seen(world, server, "IDLE");
    await_ask(ask_with(world, "B", 0, 100, "CHECK", NULL), IMAP_OK);
    ck_assert_uint_eq(seen(world, server, "CHECK"), 1);
    AWAIT(world, seen_locked(world, server, "IDLE") > before);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    ck_assert_uint_eq(world->idle_begun, 1);
    ck_assert_uint_eq(world->idle_ended, 0);
    world_free(world);
}
END_TEST

/* The lane for bodies works through much; so a user who waits gets the one that idles, which comes back. */
START_TEST(urgent_work_takes_it_away_for_a_while)
{
    struct world *world = watched(3);

    world->pool->timing.starving = LONG;
    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    const int server = server_of(world, "B");
    world->gate_closed = true;
    struct ask *slow = ask_noop(world, "W", 0, 100);
    AWAIT(world, seen_locked(world, -1, "NOOP") == 2);

    struct ask *patient = ask_with(world, "P", 0, 100, "CHECK", NULL);
    await_ask(ask_with(world, "B", 0, 100, "CHECK", NULL), IMAP_OK);
    ck_assert_int_eq(server_of(world, "P"), -1);
    ck_assert_uint_eq(world->deselected, 0);

    await_ask(ask_with(world, "U", IMAP_POOL_URGENT, 100, "CHECK", NULL), IMAP_OK);
    ck_assert_int_eq(server_of(world, "U"), server);
    await_ask(patient, IMAP_OK); /* now that it is there for work */
    world->pool->timing.look_again = 50;
    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    ck_assert_uint_eq(seen(world, server, "EXAMINE B"), 2);
    CHANGE(world, world->gate_closed = false);
    await_ask(slow, IMAP_OK);
    world_free(world);
}
END_TEST

/* Connection 0 helps with what is urgent although a lane is open: that one is there to idle. */
START_TEST(the_first_body_does_not_wait_for_a_lane)
{
    struct world *world = watched(4);

    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "CHECK", NULL), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "CHECK"), 1);
    world_free(world);
}
END_TEST

/* ---- when it cannot be had ---------------------------------------------------------------------------------- */

/* Two places on the server: the one lane is there for bodies. */
START_TEST(the_only_lane_carries_bodies)
{
    struct world *world = world_new();

    world->places = 2;
    begin(world, 4, 10000);
    ck_assert_uint_eq(watch(world, "B C"), 2);
    AWAIT(world, seen_locked(world, 2, "AUTHENTICATE") == 1);
    await_ask(ask_with(world, "D", 0, 100, "CHECK", NULL), IMAP_OK);
    AWAIT(world, !idler_locked(world, "B") && !idler_locked(world, "C"));
    ck_assert_uint_eq(watch(world, "B C"), 0);
    ck_assert_uint_le(fake_connections(world->server), 4); /* those that were dialled before it was known */
    world_free(world);
}
END_TEST

/* One place is left on the server when connection 0 must come back, and a lane idles in it. */
START_TEST(the_watcher_goes_first)
{
    struct world *world = world_new();

    world_pool(world, 3, 10000);
    world->pool->timing.settle = 0;
    world->pool->timing.backoff_first = 50;
    world->pool->timing.backoff_max = 200;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    CHANGE(world, world->places = 1);
    fake_drop(world->server, 0);
    AWAIT(world, world->deselected == 1);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "LOGOUT"), 1);
    world_free(world);
}
END_TEST

static bool know_no_b(struct fake_client *client, const char *tag, const char *command, bool *stop, void *arg)
{
    char line[64];

    (void)arg;
    if (strcmp(command, "EXAMINE B") != 0)
        return false;
    snprintf(line, sizeof(line), "%s NO not for you\r\n", tag);
    *stop = !fake_send(client, line);
    return true;
}

START_TEST(a_mailbox_that_cannot_be_selected)
{
    struct world *world = world_new();

    world->hook = know_no_b;
    begin(world, 4, 10000);
    watch(world, "B C");
    AWAIT(world, idler_locked(world, "C"));
    AWAIT(world, seen_locked(world, -1, "EXAMINE B") == 1);
    await_ask(ask_noop(world, "D", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "C", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE B"), 1);
    world_free(world);
}
END_TEST

static bool no_idle_for_lanes(struct fake_client *client, const char *tag, const char *command, bool *stop,
                              void *arg)
{
    char line[64];

    (void)arg;
    if (strcmp(command, "IDLE") != 0 || client->index == 0)
        return false;
    snprintf(line, sizeof(line), "%s NO not now\r\n", tag);
    *stop = !fake_send(client, line);
    return true;
}

START_TEST(refused_idle_is_not_repeated)
{
    struct world *world = world_new();

    world->hook = no_idle_for_lanes;
    begin(world, 3, 10000);
    watch(world, "B");
    AWAIT(world, seen_locked(world, 1, "IDLE") == 1);
    await_ask(ask_noop(world, "B", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "C", 0, 100), IMAP_OK);
    ck_assert_uint_eq(watch(world, "B"), 0);
    ck_assert_uint_eq(seen(world, 1, "IDLE"), 1);
    ck_assert_uint_eq(world->idle_begun, 0);
    world_free(world);
}
END_TEST

/* ---- lines that end ----------------------------------------------------------------------------------------- */

START_TEST(a_lost_line_is_replaced)
{
    struct world *world = watched(3);

    world->pool->timing.stable = 0;
    watch(world, "B");
    AWAIT(world, idler_locked(world, "B"));
    fake_drop(world->server, 1);
    AWAIT(world, world->deselected == 1);
    AWAIT(world, idler_locked(world, "B") && world->idle_begun == 2);
    ck_assert_uint_eq(seen(world, 2, "EXAMINE B"), 1);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

static bool vanish_in_idle(struct fake_client *client, const char *tag, const char *command, bool *stop,
                           void *arg)
{
    (void)arg, (void)tag, (void)stop;
    if (strcmp(command, "IDLE") != 0 || client->index != 1)
        return false;
    fake_send(client, "+ idling\r\n");
    fake_stall(client);
    *stop = true;
    return true;
}

/* The peer's kernel acknowledges what it gets, and nobody is behind it: the renewal is not answered. */
START_TEST(a_dead_line_is_noticed)
{
    struct world *world = world_new();

    world->hook = vanish_in_idle;
    world_pool(world, 3, 300);
    world->pool->timing.settle = 0;
    world->pool->timing.stable = 0;
    world->pool->timing.idle_renew = 300;
    world_connect(world);
    watch(world, "B");
    AWAIT(world, world->idle_begun == 1);
    AWAIT(world, world->deselected == 1);
    AWAIT(world, idler_locked(world, "B") && world->idle_begun == 2);
    ck_assert_uint_eq(seen(world, 2, "EXAMINE B"), 1);
    world_free(world);
}
END_TEST

START_TEST(a_mailbox_that_was_replaced_is_selected_anew)
{
    struct world *world = watched(4);

    watch(world, "B");
    AWAIT(world, idler_locked(world, "B") && world->idle_begun == 1);
    imap_pool_mailbox_replaced(world->pool, "B", UINT_MAX);
    AWAIT(world, idler_locked(world, "B") && world->idle_begun == 2);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE B"), 2);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_watch");
    TCase *tcase = tcase_create("pool_watch");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, as_many_as_leave_a_lane_for_bodies);
    tcase_add_loop_test(tcase, none_where_there_are_few, 1, 3);
    tcase_add_test(tcase, none_without_idle);
    tcase_add_test(tcase, what_happens_there_is_told);
    tcase_add_test(tcase, things_have_to_settle);
    tcase_add_test(tcase, a_lane_stays_where_it_is_still_wanted);
    tcase_add_test(tcase, not_closed_while_wanted);
    tcase_add_test(tcase, for_its_time_only);
    tcase_add_test(tcase, work_of_its_own_mailbox);
    tcase_add_test(tcase, urgent_work_takes_it_away_for_a_while);
    tcase_add_test(tcase, the_first_body_does_not_wait_for_a_lane);
    tcase_add_test(tcase, the_only_lane_carries_bodies);
    tcase_add_test(tcase, the_watcher_goes_first);
    tcase_add_test(tcase, a_mailbox_that_cannot_be_selected);
    tcase_add_test(tcase, refused_idle_is_not_repeated);
    tcase_add_test(tcase, a_lost_line_is_replaced);
    tcase_add_test(tcase, a_dead_line_is_noticed);
    tcase_add_test(tcase, a_mailbox_that_was_replaced_is_selected_anew);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
