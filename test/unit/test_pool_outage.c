/* SPDX-License-Identifier: MIT */
/* The pool while the server cannot be reached, and lines that may be dead. */
#include "pool_help.h"

#define LONG_MS 3600000
#define SOON_MS 3000 /* far below any timeout used here */

static struct world *world_of(unsigned connections, unsigned timeout_ms)
{
    struct world *world = world_new();

    world_pool(world, connections, timeout_ms);
    world->pool->timing.backoff_first = 50;
    world->pool->timing.backoff_max = 200;
    return world;
}

static unsigned outages(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    unsigned down = world->down;
    pthread_mutex_unlock(&world->lock);
    return down;
}

/* ---- outages ------------------------------------------------------------------------------------------ */

START_TEST(an_outage_and_its_end)
{
    struct world *world = world_of(2, 10000);

    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    fake_refuse(world->server, true);
    int64_t begin = imap_net_now();
    fake_drop_all(world->server, false);
    AWAIT(world, world->deselected == 1);
    struct ask *waiting = ask_noop(world, "A", 0, 0);
    struct ask *watching = ask_noop(world, "A", IMAP_POOL_WATCHER, 0);
    await_ask(waiting, IMAP_AGAIN);
    ck_assert_uint_eq(outages(world), 1); /* whose work ends knows already */
    await_ask(watching, IMAP_AGAIN);
    ck_assert_str_ne(waiting->text, "");
    ck_assert_str_ne(world->unreachable.text, "");
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_AGAIN);
    ck_assert_int_lt(imap_net_now() - begin, SOON_MS);

    fake_refuse(world->server, false);
    AWAIT(world, world->up == 2);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(outages(world), 1);
    world_free(world);
}
END_TEST

/* A server that was only restarted: nobody notices. */
START_TEST(the_first_attempt_is_waited_for)
{
    struct world *world = world_of(2, 10000);

    world_connect(world);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    fake_drop_all(world->server, false);
    AWAIT(world, world->deselected == 1);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    ck_assert_uint_eq(outages(world), 0);
    world_free(world);
}
END_TEST

/* ---- without a server at the beginning ------------------------------------------------------------------ */

static bool slow_login(struct fake_client *client, const char *tag, const char *command, bool *stop,
                       void *arg)
{
    struct world *world = arg;
    (void)client, (void)tag;
    *stop = false;
    pthread_mutex_lock(&world->lock);
    while (world->gate_closed && strncmp(command, "AUTHENTICATE", 12) == 0)
        pthread_cond_wait(&world->changed, &world->lock);
    pthread_mutex_unlock(&world->lock);
    return false;
}

START_TEST(an_answer_that_takes_long)
{
    struct world *world = world_of(2, 30000);
    struct imap_error err = {0};
    int64_t begin = imap_net_now();

    world->hook = slow_login;
    CHANGE(world, world->gate_closed = true);
    ck_assert_int_eq(imap_pool_connect_within(world->pool, 100, &err), IMAP_AGAIN);
    ck_assert_str_ne(err.text, "");
    ck_assert(imap_pool_keep_trying(world->pool));
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN);
    ck_assert_int_lt(imap_net_now() - begin, SOON_MS);
    CHANGE(world, world->gate_closed = false);
    AWAIT(world, world->up == 1);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 2); /* the watcher's was the first */
    ck_assert_uint_eq(outages(world), 0);
    world_free(world);
}
END_TEST

START_TEST(kept_on_trying)
{
    struct world *world = world_of(2, 10000);

    fake_refuse(world->server, true);
    ck_assert_int_eq(imap_pool_connect_within(world->pool, 10000, NULL), IMAP_AGAIN);
    ck_assert(imap_pool_keep_trying(world->pool));
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN);
    ck_assert(fake_await_refused(world->server, 3));
    ck_assert_uint_eq(outages(world), 0); /* that was the answer to connect */
    fake_refuse(world->server, false);
    AWAIT(world, world->up == 1);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    world_free(world);
}
END_TEST

/* When the network is back the password turns out wrong: that is told, and not tried at every wish. */
START_TEST(another_reason_is_told)
{
    struct world *world = world_of(1, 10000);
    struct imap_pool *pool = world->pool;

    fake_refuse(world->server, true);
    ck_assert_int_eq(imap_pool_connect_within(pool, 10000, NULL), IMAP_AGAIN);
    world->imap.password = "changed";
    pthread_mutex_lock(&pool->lock);
    pool->timing.backoff_max = LONG_MS;
    pool->timing.impatient = 0;
    pthread_mutex_unlock(&pool->lock);
    fake_refuse(world->server, false);
    ck_assert(imap_pool_keep_trying(pool));
    AWAIT(world, world->down == 1);
    ck_assert_int_eq(world->unreachable.status, IMAP_AUTH);
    imap_pool_hurry(pool);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN);
    pthread_mutex_lock(&pool->lock);
    ck_assert_int_gt(pool->conn[0].dial_at, imap_net_now() + LONG_MS / 2);
    pthread_mutex_unlock(&pool->lock);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    imap_pool_revalidate(pool); /* but when somebody asks for it */
    ck_assert(fake_await_connections(world->server, 2));
    world_free(world);
}
END_TEST

/* In a long pause somebody tries again: his work ends at once, but a new attempt is made for the next. */
START_TEST(new_work_cuts_a_pause_short)
{
    struct world *world = world_of(1, 10000);

    world_connect(world);
    fake_refuse(world->server, true);
    pthread_mutex_lock(&world->pool->lock);
    world->pool->timing.backoff_first = world->pool->timing.backoff_max = LONG_MS;
    world->pool->timing.impatient = 0;
    pthread_mutex_unlock(&world->pool->lock);
    fake_drop_all(world->server, false);
    AWAIT(world, world->down == 1);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN); /* whatever it has caused, the server refuses */
    unsigned refused = fake_refused(world->server);
    struct ask *asked = ask_noop(world, "A", 0, 0);
    await_ask(asked, IMAP_AGAIN);
    ck_assert(fake_await_refused(world->server, refused + 1));
    world_free(world);
}
END_TEST

START_TEST(a_wish_cuts_a_pause_short)
{
    struct world *world = world_of(1, 10000);

    world_connect(world);
    fake_refuse(world->server, true);
    pthread_mutex_lock(&world->pool->lock);
    world->pool->timing.backoff_first = world->pool->timing.backoff_max = LONG_MS;
    world->pool->timing.impatient = 0;
    pthread_mutex_unlock(&world->pool->lock);
    fake_drop_all(world->server, false);
    AWAIT(world, world->down == 1);
    fake_refuse(world->server, false);
    imap_pool_hurry(world->pool);
    AWAIT(world, world->up == 2);
    world_free(world);
}
END_TEST

START_TEST(offline_connects_to_nobody)
{
    struct world *world = world_new();
    const struct imap_pool_options options = {.endpoint = {.host = "127.0.0.1",
                                                           .port = fake_port(world->server),
                                                           .tls = IMAP_TLS_NONE,
                                                           .user = "joe",
                                                           .timeout_ms = 10000},
                                              .connections = 2,
                                              .offline = true};
    struct imap_error err = {0};

    ck_assert_int_eq(imap_pool_new(&options, NULL, world, &world->pool, &err), IMAP_OK);
    ck_assert_int_eq(imap_pool_connect(world->pool, &err), IMAP_AGAIN);
    ck_assert(imap_pool_keep_trying(world->pool));
    imap_pool_hurry(world->pool);
    imap_pool_revalidate(world->pool);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_AGAIN);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_AGAIN);
    ck_assert(!world->pool->conn[0].started && !world->pool->conn[1].started);
    world_free(world);
}
END_TEST

/* ---- doubt ------------------------------------------------------------------------------------------- */

/* The watcher idles and a lane stands. */
static struct world *idling_world(void)
{
    struct world *world = world_of(2, 30000);

    world->pool->timing.proof = 200;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_noop(world, "B", 0, 0), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "IDLE") == 1);
    return world;
}

START_TEST(what_stands_shows_that_it_does)
{
    struct world *world = idling_world();

    imap_pool_revalidate(world->pool);
    AWAIT(world, seen_locked(world, 0, "NOOP") == 2 && seen_locked(world, 1, "NOOP") == 2);
    AWAIT(world, seen_locked(world, 0, "IDLE") == 2);
    ck_assert_uint_eq(fake_connections(world->server), 2);

    /* having shown it, it may take its time again */
    CHANGE(world, world->gate_closed = true);
    struct ask *slow = ask_noop(world, "B", 0, 0);
    struct timespec nap = {.tv_nsec = 500 * 1000 * 1000};
    nanosleep(&nap, NULL);
    CHANGE(world, world->gate_closed = false);
    await_ask(slow, IMAP_OK);
    ck_assert_uint_eq(world->deselected, 0);
    world_free(world);
}
END_TEST

START_TEST(what_is_dead_is_given_up)
{
    struct world *world = idling_world();
    int64_t begin = imap_net_now();

    CHANGE(world, world->gate_closed = true);
    imap_pool_revalidate(world->pool);
    AWAIT(world, world->deselected == 2);
    ck_assert_int_lt(imap_net_now() - begin, SOON_MS);
    CHANGE(world, world->gate_closed = false);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(outages(world), 0);
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool outage");
    TCase *tcase = tcase_create("pool outage");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_outage_and_its_end);
    tcase_add_test(tcase, the_first_attempt_is_waited_for);
    tcase_add_test(tcase, an_answer_that_takes_long);
    tcase_add_test(tcase, kept_on_trying);
    tcase_add_test(tcase, another_reason_is_told);
    tcase_add_test(tcase, new_work_cuts_a_pause_short);
    tcase_add_test(tcase, a_wish_cuts_a_pause_short);
    tcase_add_test(tcase, offline_connects_to_nobody);
    tcase_add_test(tcase, what_stands_shows_that_it_does);
    tcase_add_test(tcase, what_is_dead_is_given_up);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
