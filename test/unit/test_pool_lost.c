/* SPDX-License-Identifier: MIT */
/* The pool when lines are lost, stall or cannot be had: every command ends exactly once, in time. */
#include <errno.h>
#include <limits.h>

#include "pool_help.h"

#define MIB ((uint64_t)1 << 20)

static struct world *impatient(unsigned connections, unsigned timeout_ms)
{
    struct world *world = world_new();

    world_pool(world, connections, timeout_ms);
    world->pool->timing.backoff_first = 50;
    world->pool->timing.backoff_max = 200;
    world->pool->timing.no_more = 100;
    world_connect(world);
    return world;
}

static int64_t elapsed(int64_t begin)
{
    return imap_net_now() - begin;
}

/* ---- lines that end ----------------------------------------------------------------------------------- */

static bool hang_up_on_uid(struct fake_client *client, const char *tag, const char *command, bool *stop,
                           void *arg)
{
    (void)tag, (void)arg;
    if (strncmp(command, "UID ", 4) != 0 || client->index > 0)
        return false;
    if (strstr(command, "BYE"))
        fake_send(client, "* BYE [UNAVAILABLE] going down\r\n");
    *stop = true;
    return true;
}

/* Submits from a callback, on the connection's own thread: so all of it goes out in one piece. */
struct burst {
    struct world *world;
    const char *verb, *words;
    struct ask *ask, *noop[2];
    bool submitted;
};

static void submit_burst(void *arg, const struct imap_result *result)
{
    struct burst *burst = arg;
    struct world *world = burst->world;

    ck_assert_int_eq(result->status, IMAP_OK);
    burst->ask = ask_with(world, "A", 0, 100, burst->verb, burst->words);
    burst->noop[0] = ask_noop(world, "A", 0, 100);
    burst->noop[1] = ask_noop(world, "A", 0, 100);
    CHANGE(world, burst->submitted = true);
}

/* The only connection is lost when the server reads the first of three commands. */
static struct world *lose(struct burst *burst, const char *verb, const char *words)
{
    struct world *world = world_new();
    const struct imap_command_events events = {.done = submit_burst};
    struct imap_command *command = imap_command_new("NOOP");

    world->hook = hang_up_on_uid;
    world_pool(world, 1, 10000);
    world_connect(world);
    *burst = (struct burst){.world = world, .verb = verb, .words = words};
    imap_command_on(command, &events, burst);
    imap_pool_submit(world->pool, "A", 0, 0, command);
    AWAIT(world, burst->submitted);
    return world;
}

/* The second EXAMINE of the first line and all of "stuck" fail as those of Dovecot may. */
static bool deleted_under_us(struct fake_client *client, const char *tag, const char *command, bool *stop,
                             void *arg)
{
    struct world *world = arg;
    char line[100];

    *stop = false;
    if (strncmp(command, "EXAMINE", 7) != 0 ||
        (!strstr(command, "stuck") && (client->index > 0 || !seen(world, 0, "NOOP"))))
        return false;
    snprintf(line, sizeof(line), "%s NO Mailbox was deleted under us\r\n", tag);
    fake_send(client, line);
    return true;
}

START_TEST(a_session_that_cannot_select_any_more)
{
    struct world *world = world_new();

    world->hook = deleted_under_us;
    world_pool(world, 1, 10000);
    world_connect(world);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    imap_pool_mailbox_replaced(world->pool, "A", UINT_MAX);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    await_ask(ask_noop(world, "stuck", 0, 100), IMAP_NO); /* a new session did not help */
    ck_assert_uint_eq(fake_connections(world->server), 3);
    world_free(world);
}
END_TEST

START_TEST(commands_in_flight_end_once)
{
    struct burst burst;
    struct world *world = lose(&burst, "UID FETCH", "1 (FLAGS)");

    await_ask(burst.ask, IMAP_AGAIN);
    await_ask(burst.noop[0], IMAP_AGAIN);
    await_ask(burst.noop[1], IMAP_AGAIN);
    AWAIT(world, world->deselected == 1);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK); /* on a new line */
    AWAIT(world, world->selected == 2);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

START_TEST(what_must_not_be_repeated_is_unsure)
{
    struct burst burst;
    struct world *world = lose(&burst, "UID COPY", "1 B");

    await_ask(burst.ask, IMAP_UNSURE);
    world_free(world);
}
END_TEST

START_TEST(a_bye_tells_why)
{
    struct burst burst;
    struct world *world = lose(&burst, "UID FETCH", "1 (BYE)");

    await_ask(burst.ask, IMAP_AGAIN);
    ck_assert_msg(strstr(burst.ask->text, "going down") != NULL, "%s", burst.ask->text);
    world_free(world);
}
END_TEST

/* 40 jobs, of which the window lets 32 onto the line: the rest survives its loss. */
START_TEST(what_was_not_sent_waits_for_the_next_line)
{
    struct world *world = impatient(1, 10000);
    struct ask *asks[40];
    unsigned again = 0;
    unsigned ok = 0;

    CHANGE(world, world->gate_closed = true);
    for (int i = 0; i < 40; i++)
        asks[i] = ask_noop(world, "A", 0, 0);
    AWAIT(world, seen_locked(world, 0, "NOOP") == 1);
    fake_drop_all(world->server, false);
    CHANGE(world, world->gate_closed = false);
    AWAIT(world, world->answered == 40);
    for (int i = 0; i < 40; i++) {
        again += asks[i]->status == IMAP_AGAIN;
        ok += asks[i]->status == IMAP_OK;
    }
    ck_assert_uint_eq(again + ok, 40);
    ck_assert_uint_ge(ok, 8);
    ck_assert_uint_ge(again, 1);
    world_free(world);
}
END_TEST

/* A lane is lost: its own commands end, the watcher never notices. */
START_TEST(a_lost_lane_is_no_outage)
{
    struct world *world = impatient(2, 10000);

    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    CHANGE(world, world->gate_closed = true);
    struct ask *lost = ask_noop(world, "B", 0, 0);
    AWAIT(world, seen_locked(world, 1, "NOOP") == 1);
    fake_drop(world->server, 1);
    CHANGE(world, world->gate_closed = false);
    await_ask(lost, IMAP_AGAIN);
    AWAIT(world, world->deselected == 1);
    ck_assert_str_eq(world->deselected_name, "B");
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_noop(world, "B", 0, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 1);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

/* The watcher is lost: the lane goes on, and what only the watcher may do waits for it. */
START_TEST(a_lost_watcher_is_no_outage)
{
    struct world *world = impatient(2, 10000);

    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_noop(world, "B", 0, 0), IMAP_OK);
    fake_refuse(world->server, true);
    fake_drop(world->server, 0);
    AWAIT(world, world->deselected == 1);
    struct ask *watch = ask_noop(world, "A", IMAP_POOL_WATCHER, 0);
    await_ask(ask_noop(world, "B", 0, 0), IMAP_OK);
    ck_assert_uint_eq(watch->done, 0);
    fake_refuse(world->server, false);
    await_ask(watch, IMAP_OK);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

/* ---- lines that stall --------------------------------------------------------------------------------- */

static bool stall_in_literal(struct fake_client *client, const char *tag, const char *command, bool *stop,
                             void *arg)
{
    (void)tag, (void)arg;
    if (strncmp(command, "UID FETCH 9", 11) != 0)
        return false;
    fake_send(client, "* 1 FETCH (UID 9 BODY[] {1000}\r\nonly so much");
    fake_stall(client);
    *stop = true;
    return true;
}

struct body {
    struct world *world;
    size_t got;
    uint64_t announced;
    unsigned done;
    enum imap_status status;
};

static bool body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct body *body = arg;
    ck_assert_uint_eq(so_far->uid, 9);
    body->announced = section->size;
    return true;
}

static void body_data(void *arg, const void *data, size_t len)
{
    struct body *body = arg;
    (void)data;
    body->got += len;
}

static void body_done(void *arg, const struct imap_result *result)
{
    struct body *body = arg;
    CHANGE(body->world, {
        body->done++;
        body->status = result->status;
    });
}

START_TEST(a_stall_within_a_literal)
{
    static const struct imap_command_events events = {
        .body_begin = body_begin, .body_data = body_data, .done = body_done};
    struct world *world = world_new();
    struct body body = {.world = world};
    struct imap_command *command = imap_command_new("UID FETCH");
    struct imap_seqset set = {0};

    world->hook = stall_in_literal;
    world_pool(world, 2, 400);
    world_connect(world);
    imap_seqset_add(&set, 9, 9);
    imap_command_seqset(command, &set);
    imap_command_raw(command, "(UID BODY.PEEK[])");
    imap_command_on(command, &events, &body);
    imap_seqset_fini(&set);
    int64_t begin = imap_net_now();
    imap_pool_submit(world->pool, "A", 0, 1000, command);
    AWAIT(world, body.done == 1);
    ck_assert_int_eq(body.status, IMAP_AGAIN);
    ck_assert_uint_eq(body.announced, 1000);
    ck_assert_uint_eq(body.got, 12);
    ck_assert_int_ge(elapsed(begin), 400);
    ck_assert_int_lt(elapsed(begin), 5000);
    world_free(world);
    ck_assert_uint_eq(body.done, 1);
}
END_TEST

/* Work that keeps coming does not make a silent server look alive. */
START_TEST(submitting_is_no_sign_of_life)
{
    struct world *world = impatient(1, 400);
    struct ask *first;

    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    CHANGE(world, world->gate_closed = true);
    first = ask_noop(world, "A", 0, 0);
    int64_t begin = imap_net_now();
    bool done = false;
    while (!done && elapsed(begin) < 10000) {
        ask_noop(world, "A", 0, 0);
        struct timespec nap = {.tv_nsec = 50 * 1000 * 1000};
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&world->lock);
        done = first->done > 0;
        pthread_mutex_unlock(&world->lock);
    }
    ck_assert(done);
    ck_assert_int_eq(first->status, IMAP_AGAIN);
    ck_assert_int_lt(elapsed(begin), 5000);
    world_free(world);
}
END_TEST

/* It may yet do what it was asked for, so whoever asked is to know that the line did not end. */
START_TEST(a_silent_server_is_told_from_a_line_that_ended)
{
    struct world *world = impatient(1, 400);

    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    CHANGE(world, world->gate_closed = true);
    struct ask *ask = ask_noop(world, "A", 0, 0);
    await_ask(ask, IMAP_AGAIN);
    ck_assert_int_eq(ask->sys_errno, ETIMEDOUT);
    world_free(world);
}
END_TEST

/* ---- outages ------------------------------------------------------------------------------------------ */

/* Refused connections, counted: pauses of 50, 100, 200, 200 ... ms, each three quarters to five. */
START_TEST(attempts_become_rare)
{
    struct world *world = impatient(1, 10000);

    fake_refuse(world->server, true);
    fake_drop_all(world->server, false);
    AWAIT(world, world->down == 1);
    unsigned first = fake_refused(world->server);
    int64_t begin = imap_net_now();
    ck_assert(fake_await_refused(world->server, first + 6));
    /* of six pauses at most two are shorter than 150 */
    ck_assert_int_ge(elapsed(begin), 4 * 150);
    world_free(world);
}
END_TEST

/* A server that logs us in and dies at once is not dialled in a tight loop. */
static bool die_after_login(struct fake_client *client, const char *tag, const char *command, bool *stop,
                            void *arg)
{
    (void)arg;
    if (client->index == 0 || strncmp(command, "AUTHENTICATE", 12) != 0)
        return false;
    fake_ok(client, tag, "[CAPABILITY IMAP4rev1] in, and out");
    *stop = true;
    return true;
}

START_TEST(a_flapping_server_is_not_hammered)
{
    struct world *world = world_new();

    world->hook = die_after_login;
    world_pool(world, 1, 10000);
    world->pool->timing.backoff_first = 100;
    world->pool->timing.backoff_max = 400;
    world_connect(world);
    fake_drop_all(world->server, false);
    int64_t begin = imap_net_now();
    ck_assert(fake_await_connections(world->server, 6));
    /* pauses: none, 100, 200, 400, 400 */
    ck_assert_int_ge(elapsed(begin), (100 + 200 + 400 + 400) * 3 / 4);
    world_free(world);
}
END_TEST

/* Two places on the server, both taken up by lanes when the watcher must come back: one gives way. */
START_TEST(a_lane_makes_room_for_the_watcher)
{
    struct world *world = world_new();

    world_pool(world, 3, 10000);
    world->pool->timing.backoff_first = 50;
    world->pool->timing.backoff_max = 200;
    world_connect(world);
    CHANGE(world, world->gate_closed = true);
    struct ask *a = ask_noop(world, "A", 0, 0);
    struct ask *b = ask_noop(world, "B", 0, 0);
    AWAIT(world, seen_locked(world, 1, "NOOP") && seen_locked(world, 2, "NOOP"));
    CHANGE(world, {
        world->gate_closed = false;
        world->places = 2;
    });
    await_ask(a, IMAP_OK);
    await_ask(b, IMAP_OK);
    fake_drop(world->server, 0);
    await_ask(ask_noop(world, "C", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------------------ */

START_TEST(free_ends_what_a_stalled_server_holds)
{
    struct world *world = world_new();
    struct ask *asks[50];

    world_pool(world, 3, 60000);
    world_connect(world);
    CHANGE(world, world->gate_closed = true);
    for (int i = 0; i < 50; i++)
        asks[i] = ask_noop(world, i % 2 ? "A" : "B", i % 3 ? 0 : IMAP_POOL_WATCHER, MIB);
    AWAIT(world, seen_locked(world, 0, "NOOP") && seen_locked(world, 1, "NOOP"));
    int64_t begin = imap_net_now();
    imap_pool_free(&world->pool);
    ck_assert_int_lt(elapsed(begin), 3000);
    for (int i = 0; i < 50; i++) {
        ck_assert_uint_eq(asks[i]->done, 1);
        ck_assert_int_eq(asks[i]->status, IMAP_CANCEL);
    }
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

static void serve_silence(struct fake_client *client, void *arg)
{
    (void)arg;
    fake_stall(client);
}

START_TEST(free_ends_dialling)
{
    struct fake_options options = {.serve = serve_silence};
    struct world *world = world_new();

    fake_stop(&world->server);
    world->server = fake_start(&options);
    world_pool(world, 2, 60000);
    struct ask *ask = ask_noop(world, "A", 0, 0);
    ck_assert(fake_await_connections(world->server, 1));
    int64_t begin = imap_net_now();
    imap_pool_free(&world->pool);
    ck_assert_int_lt(elapsed(begin), 2000);
    ck_assert_int_eq(ask->status, IMAP_CANCEL);
    world_free(world);
}
END_TEST

START_TEST(free_says_logout)
{
    struct world *world = impatient(2, 10000);

    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "IDLE") > 0);
    imap_pool_free(&world->pool);
    ck_assert_uint_eq(seen(world, 0, "LOGOUT"), 1);
    ck_assert_uint_eq(seen(world, 1, "LOGOUT"), 1);
    world_free(world);
}
END_TEST

/* ---- all at once -------------------------------------------------------------------------------------- */

static void *submit_many(void *arg)
{
    static const char *const mailboxes[] = {"A", "B", "C", NULL};

    for (unsigned i = 0; i < 100; i++) {
        ask_noop(arg, mailboxes[i % 4], i % 7 == 0 ? IMAP_POOL_WATCHER : 0, (i % 3) * MIB);
        struct timespec nap = {.tv_nsec = 1000 * 1000};
        nanosleep(&nap, NULL);
    }
    return NULL;
}

/* Threads submit while lines are cut again and again: each command ends once, as OK or AGAIN. */
START_TEST(many_threads_and_an_unsteady_line)
{
    struct world *world = impatient(4, 5000);
    pthread_t threads[6];

    world->pool->timing.stable = 0; /* every line counts as steady: dialled again at once */
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, submit_many, world);
    for (unsigned i = 1; i <= 10; i++) {
        AWAIT(world, world->answered >= i * 40);
        fake_drop_all(world->server, i % 2);
    }
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    AWAIT(world, world->answered == 600);
    for (unsigned i = 0; i < 600; i++) {
        ck_assert_uint_eq(world->asks[i].done, 1);
        ck_assert_msg(world->asks[i].status == IMAP_OK || world->asks[i].status == IMAP_AGAIN, "%s",
                      imap_status_name(world->asks[i].status));
    }
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool lost");
    TCase *tcase = tcase_create("pool lost");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, commands_in_flight_end_once);
    tcase_add_test(tcase, a_session_that_cannot_select_any_more);
    tcase_add_test(tcase, what_must_not_be_repeated_is_unsure);
    tcase_add_test(tcase, a_bye_tells_why);
    tcase_add_test(tcase, what_was_not_sent_waits_for_the_next_line);
    tcase_add_test(tcase, a_lost_lane_is_no_outage);
    tcase_add_test(tcase, a_lost_watcher_is_no_outage);
    tcase_add_test(tcase, a_stall_within_a_literal);
    tcase_add_test(tcase, submitting_is_no_sign_of_life);
    tcase_add_test(tcase, a_silent_server_is_told_from_a_line_that_ended);
    tcase_add_test(tcase, attempts_become_rare);
    tcase_add_test(tcase, a_flapping_server_is_not_hammered);
    tcase_add_test(tcase, a_lane_makes_room_for_the_watcher);
    tcase_add_test(tcase, free_ends_what_a_stalled_server_holds);
    tcase_add_test(tcase, free_ends_dialling);
    tcase_add_test(tcase, free_says_logout);
    suite_add_tcase(suite, tcase);

    TCase *unsteady = tcase_create("unsteady");
    tcase_set_timeout(unsteady, 60);
    tcase_add_test(unsteady, many_threads_and_an_unsteady_line);
    suite_add_tcase(suite, unsteady);
    return run_suite(suite);
}
