/* SPDX-License-Identifier: MIT */
/* The pool at work: who gets which job, what is selected when, what happens in quiet times. */
#include "pool_help.h"

#define MIB ((uint64_t)1 << 20)

static struct world *connected(unsigned connections)
{
    struct world *world = world_new();
    world_pool(world, connections, 10000);
    world_connect(world);
    return world;
}

/* ---- the first connection ---------------------------------------------------------------------------- */

START_TEST(connecting)
{
    struct world *world = world_new();
    struct imap_caps caps;

    world_pool(world, 3, 10000);
    ck_assert(!imap_pool_caps(world->pool, &caps));
    ck_assert_uint_eq(fake_connections(world->server), 0);
    world_connect(world);
    ck_assert(imap_pool_caps(world->pool, &caps));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE));
    ck_assert_uint_eq(imap_pool_lanes(world->pool), 2);
    AWAIT(world, world->up == 1);
    world_connect(world); /* again: nothing to do */
    ck_assert_uint_eq(fake_connections(world->server), 1);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

START_TEST(connecting_with_a_wrong_password)
{
    struct world *world = world_new();
    struct imap_error err = {0};

    world->imap.password = "another";
    world_pool(world, 3, 10000);
    ck_assert_int_eq(imap_pool_connect(world->pool, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "wrong password") != NULL, "%s", err.text);
    ck_assert_int_eq(imap_pool_connect(world->pool, &err), IMAP_AUTH);
    ck_assert_uint_eq(fake_connections(world->server), 2); /* one attempt each, no retries */
    ck_assert_uint_eq(world->up + world->down, 0);
    world_free(world);
}
END_TEST

START_TEST(connecting_to_nobody)
{
    struct world *world = world_new();
    struct imap_error err = {0};

    fake_refuse(world->server, true);
    world_pool(world, 2, 2000);
    ck_assert_int_ne(imap_pool_connect(world->pool, &err), IMAP_OK);
    ck_assert_str_ne(err.text, "");
    fake_refuse(world->server, false);
    world_connect(world);
    world_free(world);
}
END_TEST

START_TEST(bad_options)
{
    struct imap_pool_options options = {
        .endpoint = {.host = "127.0.0.1", .tls = IMAP_TLS_NONE, .timeout_ms = 1000}, .connections = 0};
    struct imap_pool *pool = NULL;
    struct imap_error err = {0};

    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_USAGE);
    options.connections = 17;
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_USAGE);
    options.connections = 16;
    options.endpoint.timeout_ms = 0;
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_USAGE);
    options.endpoint.timeout_ms = 1;
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_OK);
    imap_pool_free(&pool);
    ck_assert_ptr_null(pool);
    imap_pool_free(&pool);
}
END_TEST

/* Nobody called imap_pool_connect: the work itself brings the connections up. */
START_TEST(work_connects_by_itself)
{
    struct world *world = world_new();

    world_pool(world, 2, 10000);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    world_free(world);
}
END_TEST

/* ---- who does what ----------------------------------------------------------------------------------- */

START_TEST(watching_on_0_and_work_on_lanes)
{
    struct world *world = connected(3);

    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 0);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B"), 1);
    ck_assert_uint_eq(seen(world, 1, "EXAMINE A"), 1);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE"), 2);
    ck_assert_uint_eq(seen(world, -1, "SELECT"), 0);
    world_free(world);
}
END_TEST

START_TEST(the_only_connection_does_all)
{
    struct world *world = connected(1);

    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 100), IMAP_OK);
    ck_assert_uint_eq(imap_pool_lanes(world->pool), 1);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 1);
    world_free(world);
}
END_TEST

START_TEST(what_needs_no_mailbox_opens_nothing)
{
    struct world *world = connected(4);

    await_ask(ask_with(world, NULL, 0, 0, "LIST", "\"\" *"), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE"), 0);
    world_free(world);
}
END_TEST

START_TEST(read_write_selects)
{
    struct world *world = world_new();

    world_pool(world, 1, 10000);
    world->pool->read_write = true;
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "SELECT A"), 1);
    world_free(world);
}
END_TEST

START_TEST(responses_reach_who_asked)
{
    struct world *world = connected(2);
    static const struct imap_command_events events = {.response = on_response, .done = on_done};
    struct imap_command *command = imap_command_new("UID FETCH");
    struct imap_seqset set = {0};
    struct ask *ask = new_ask(world);

    imap_seqset_add(&set, 1, 2);
    imap_command_seqset(command, &set);
    imap_command_raw(command, "(FLAGS)");
    imap_command_on(command, &events, ask);
    imap_seqset_fini(&set);
    imap_pool_submit(world->pool, "A", 0, 0, command);
    await_ask(ask, IMAP_OK);
    ck_assert_uint_eq(ask->responses, 2);
    world_free(world);
}
END_TEST

/* Dialling takes long: before there is any lane the watcher does what is urgent in its own mailbox. */
START_TEST(the_watcher_helps_while_there_is_no_lane)
{
    struct world *world = connected(2);

    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "UID FETCH"), 1);
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "UID FETCH"), 1);
    ck_assert_uint_eq(seen(world, 1, "UID FETCH"), 2);
    world_free(world);
}
END_TEST

/* A lane is told of new messages only when it asks: once for each change, before the next work there. */
START_TEST(lanes_look_for_what_others_have_seen)
{
    struct world *world = connected(2);

    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    imap_pool_mailbox_changed(world->pool, "B");
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "NOOP"), 0);
    imap_pool_mailbox_changed(world->pool, "A");
    for (int i = 0; i < 3; i++)
        await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "NOOP"), 1);
    unsigned fetches = 0;
    for (unsigned i = 0; i < world->logged && strcmp(world->log[i].command, "NOOP") != 0; i++)
        fetches += strncmp(world->log[i].command, "UID FETCH", 9) == 0;
    ck_assert_uint_eq(fetches, 2);
    world_free(world);
}
END_TEST

/* One connection finds another mailbox under the same name: nothing more is asked of the old one. */
START_TEST(who_has_the_old_mailbox_selects_anew)
{
    struct world *world = connected(2);

    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    imap_pool_mailbox_replaced(world->pool, "B", 0);
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "EXAMINE"), 1);
    imap_pool_mailbox_replaced(world->pool, "A", 0);
    for (int i = 0; i < 2; i++) {
        await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
        ck_assert_uint_eq(seen(world, 1, "EXAMINE"), 2);
    }
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE"), 1);
    imap_pool_mailbox_replaced(world->pool, "A", 1);
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "EXAMINE"), 2);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE"), 2);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

/* Two mailboxes, two lanes, each busy once at the same time: from then on each lane keeps its own. */
START_TEST(lanes_keep_their_mailbox)
{
    struct world *world = connected(3);

    CHANGE(world, world->gate_closed = true);
    struct ask *a = ask_noop(world, "A", 0, 100);
    AWAIT(world, seen_locked(world, -1, "NOOP") == 1);
    struct ask *b = ask_noop(world, "B", 0, 100);
    AWAIT(world, seen_locked(world, -1, "NOOP") == 2);
    CHANGE(world, world->gate_closed = false);
    await_ask(a, IMAP_OK);
    await_ask(b, IMAP_OK);
    for (int i = 0; i < 20; i++)
        await_ask(ask_noop(world, i % 2 ? "A" : "B", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE"), 2);
    ck_assert_uint_eq(fake_connections(world->server), 3);
    world_free(world);
}
END_TEST

/* Alternating jobs on one connection are done mailbox by mailbox. */
START_TEST(one_connection_changes_seldom)
{
    struct world *world = connected(1);
    struct ask *asks[40];

    CHANGE(world, world->gate_closed = true);
    asks[0] = ask_noop(world, "A", 0, 100);
    AWAIT(world, seen_locked(world, -1, "NOOP") == 1);
    for (int i = 1; i < 40; i++)
        asks[i] = ask_noop(world, i % 2 ? "B" : "A", 0, 100);
    CHANGE(world, world->gate_closed = false);
    for (int i = 0; i < 40; i++)
        await_ask(asks[i], IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "EXAMINE"), 2);
    world_free(world);
}
END_TEST

/* ---- fairness ---------------------------------------------------------------------------------------- */

struct stream {
    struct world *world;
    bool stop;
    unsigned left; /* in the pool */
};

static void stream_done(void *arg, const struct imap_result *result);

static void stream_more(struct stream *stream)
{
    const struct imap_command_events events = {.done = stream_done};
    struct imap_command *command = imap_command_new("NOOP");
    imap_command_on(command, &events, stream);
    imap_pool_submit(stream->world->pool, "A", 0, 100, command);
}

static void stream_done(void *arg, const struct imap_result *result)
{
    struct stream *stream = arg;

    (void)result;
    pthread_mutex_lock(&stream->world->lock);
    bool more = !stream->stop;
    if (!more)
        stream->left--;
    pthread_cond_broadcast(&stream->world->changed);
    pthread_mutex_unlock(&stream->world->lock);
    if (more)
        stream_more(stream);
}

/* Work that never ends on one mailbox does not keep another one waiting for ever; an urgent job hardly. */
START_TEST(nobody_starves)
{
    struct world *world = world_new();
    struct stream stream = {.world = world, .left = 8};

    world_pool(world, 1, 10000);
    world->pool->timing.starving = _i == 0 ? 200 : 3600 * 1000;
    world_connect(world);
    for (int i = 0; i < 8; i++)
        stream_more(&stream);
    AWAIT(world, seen_locked(world, -1, "NOOP") > 20);
    await_ask(ask_noop(world, "B", _i == 0 ? 0 : IMAP_POOL_URGENT, 100), IMAP_OK);
    CHANGE(world, stream.stop = true);
    AWAIT(world, stream.left == 0);
    world_free(world);
}
END_TEST

static unsigned overtaken_by;

static bool counts_what_came_before(struct fake_client *client, const char *tag, const char *command,
                                    bool *stop, void *arg)
{
    (void)client, (void)tag;
    *stop = false;
    if (strncmp(command, "UID FETCH", 9) == 0)
        overtaken_by = seen(arg, -1, "NOOP");
    return false;
}

START_TEST(urgent_overtakes_what_is_queued)
{
    struct world *world = connected(2);
    struct ask *asks[100];

    CHANGE(world, world->gate_closed = true);
    CHANGE(world, world->hook = counts_what_came_before);
    for (int i = 0; i < 100; i++)
        asks[i] = ask_noop(world, "A", 0, MIB);
    AWAIT(world, seen_locked(world, -1, "NOOP") == 1); /* those in the window are sent */
    struct ask *urgent = ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "1 (FLAGS)");
    CHANGE(world, world->gate_closed = false);
    await_ask(urgent, IMAP_OK);
    for (int i = 0; i < 100; i++)
        await_ask(asks[i], IMAP_OK);
    ck_assert_uint_ge(overtaken_by, 1);
    ck_assert_uint_lt(overtaken_by, 50);
    world_free(world);
}
END_TEST

/* ---- further connections ------------------------------------------------------------------------------ */

START_TEST(backlog_opens_all_lanes_and_no_more)
{
    struct world *world = connected(4);
    struct ask *asks[200];

    CHANGE(world, world->gate_closed = true);
    for (int i = 0; i < 200; i++)
        asks[i] = ask_noop(world, "A", 0, MIB);
    AWAIT(world,
          seen_locked(world, 1, "NOOP") && seen_locked(world, 2, "NOOP") && seen_locked(world, 3, "NOOP"));
    CHANGE(world, world->gate_closed = false);
    for (int i = 0; i < 200; i++)
        await_ask(asks[i], IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 4);
    ck_assert_uint_eq(seen(world, 0, "NOOP"), 0);
    for (int i = 1; i < 4; i++)
        ck_assert_uint_gt(seen(world, i, "NOOP"), 10);
    world_free(world);
}
END_TEST

/* A fresh backlog is one lane's, which may well keep up with it. */
START_TEST(a_backlog_is_given_time)
{
    struct world *world = connected(4);
    struct ask *asks[100];

    world->pool->timing.crowded = 3600 * 1000;
    for (int i = 0; i < 100; i++)
        asks[i] = ask_noop(world, "A", 0, MIB);
    for (int i = 0; i < 100; i++)
        await_ask(asks[i], IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

START_TEST(little_work_opens_one_lane)
{
    struct world *world = connected(4);

    for (int i = 0; i < 30; i++)
        await_ask(ask_noop(world, "A", 0, 1000), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    world_free(world);
}
END_TEST

static bool refuse_second_login(struct fake_client *client, const char *tag, const char *command, bool *stop,
                                void *arg)
{
    char line[128];

    (void)arg;
    if (client->index == 0 || strncmp(command, "AUTHENTICATE", 12) != 0)
        return false;
    snprintf(line, sizeof(line), "%s NO [LIMIT] Too many connections\r\n", tag);
    fake_send(client, line);
    *stop = true;
    return true;
}

/* The server grants one connection: all is done on that, and it is not asked for more all the time. */
START_TEST(a_limit_is_lived_with)
{
    struct world *world = world_new();
    struct ask *asks[60];

    world->hook = refuse_second_login;
    world_pool(world, 4, 10000);
    world_connect(world);
    for (int i = 0; i < 60; i++)
        asks[i] = ask_noop(world, i % 3 ? "A" : "B", 0, MIB);
    for (int i = 0; i < 60; i++)
        await_ask(asks[i], IMAP_OK);
    for (int i = 0; i < 5; i++)
        await_ask(ask_noop(world, "C", 0, MIB), IMAP_OK);
    ck_assert_uint_ge(fake_connections(world->server), 2);
    ck_assert_uint_le(fake_connections(world->server), 4); /* lanes that were dialled at the same time */
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

START_TEST(unused_lanes_are_closed)
{
    struct world *world = world_new();

    world_pool(world, 2, 10000);
    world->pool->timing.lane_unused = 100;
    world_connect(world);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    AWAIT(world, seen_locked(world, 1, "LOGOUT") == 1);
    AWAIT(world, world->deselected == 1);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 2, "EXAMINE A"), 1);
    ck_assert_uint_eq(seen(world, 0, "LOGOUT"), 0);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

/* ---- selecting ---------------------------------------------------------------------------------------- */

static bool know_only_a(struct fake_client *client, const char *tag, const char *command, bool *stop,
                        void *arg)
{
    char line[128];

    (void)arg;
    if (strncmp(command, "EXAMINE ", 8) != 0 || strcmp(command, "EXAMINE A") == 0)
        return false;
    snprintf(line, sizeof(line), "%s NO %s\r\n", tag,
             strcmp(command, "EXAMINE Gone") == 0 ? "[NONEXISTENT] no such mailbox" : "not for you");
    *stop = !fake_send(client, line);
    return true;
}

START_TEST(a_mailbox_that_cannot_be_selected)
{
    struct world *world = world_new();

    world->hook = know_only_a;
    world_pool(world, 2, 10000);
    world_connect(world);
    struct ask *gone = ask_noop(world, "Gone", 0, 100);
    struct ask *gone_too = ask_noop(world, "Gone", 0, 100);
    struct ask *secret = ask_noop(world, "Secret", 0, 100);
    struct ask *fine = ask_noop(world, "A", 0, 100);
    await_ask(gone, IMAP_GONE);
    await_ask(gone_too, IMAP_GONE);
    await_ask(secret, IMAP_NO);
    ck_assert_msg(strstr(secret->text, "not for you") != NULL, "%s", secret->text);
    await_ask(fine, IMAP_OK);
    await_ask(ask_noop(world, "Gone", IMAP_POOL_WATCHER, 0), IMAP_GONE);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

START_TEST(selections_are_told)
{
    struct world *world = connected(1);

    await_ask(ask_noop(world, "A", 0, 0), IMAP_OK);
    ck_assert_uint_eq(world->selected, 1);
    ck_assert_str_eq(world->selected_name, "A");
    ck_assert_uint_eq(world->selected_uidvalidity, 7);
    ck_assert_uint_eq(world->selected_exists, 2);
    ck_assert_uint_eq(world->untagged, 0); /* EXISTS and the like were SELECT's own */
    ck_assert_uint_eq(world->deselected, 0);
    await_ask(ask_noop(world, "B", 0, 0), IMAP_OK);
    ck_assert_uint_eq(world->selected, 2);
    ck_assert_str_eq(world->selected_name, "B");
    ck_assert_uint_eq(world->deselected, 1);
    ck_assert_str_eq(world->deselected_name, "A");
    world_free(world);
}
END_TEST

/* ---- quiet times -------------------------------------------------------------------------------------- */

static bool news_in_idle(struct fake_client *client, const char *tag, const char *command, bool *stop,
                         void *arg)
{
    char line[64];

    (void)arg;
    if (strcmp(command, "IDLE") != 0)
        return false;
    *stop = !fake_send(client, "+ idling\r\n* 3 EXISTS\r\n") || !fake_line(client, line, sizeof(line)) ||
            strcmp(line, "DONE") != 0 || !fake_ok(client, tag, "idled");
    return true;
}

START_TEST(the_watcher_idles)
{
    struct world *world = world_new();

    world->hook = news_in_idle;
    world_pool(world, 2, 10000);
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, world->last_exists == 3);
    /* IDLE is ended by the next command and begun again after it, also for a command without mailbox */
    await_ask(ask_with(world, NULL, IMAP_POOL_WATCHER, 0, "LIST", "\"\" *"), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "IDLE") >= 2);
    await_ask(ask_noop(world, "B", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "IDLE") >= 3);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "IDLE"), 0);
    world_free(world);
}
END_TEST

START_TEST(idle_is_renewed)
{
    struct world *world = world_new();

    world_pool(world, 2, 300); /* IDLE is no silence, though it lasts longer than the timeout */
    world->pool->timing.idle_renew = 500;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "IDLE") >= 3);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    world_free(world);
}
END_TEST

START_TEST(without_idle_there_is_noop)
{
    struct world *world = world_new();

    world->imap.caps = "IMAP4rev1";
    world_pool(world, 2, 10000);
    world->pool->timing.noop = 50;
    world_connect(world);
    AWAIT(world, seen_locked(world, 0, "NOOP") >= 3);
    ck_assert_uint_eq(seen(world, 0, "IDLE"), 0);
    world_free(world);
}
END_TEST

static bool refuse_idle(struct fake_client *client, const char *tag, const char *command, bool *stop,
                        void *arg)
{
    char line[64];

    (void)arg;
    if (strcmp(command, "IDLE") != 0)
        return false;
    snprintf(line, sizeof(line), "%s NO not now\r\n", tag);
    *stop = !fake_send(client, line);
    return true;
}

START_TEST(refused_idle_is_not_repeated)
{
    struct world *world = world_new();

    world->hook = refuse_idle;
    world_pool(world, 2, 10000);
    world->pool->timing.noop = 50;
    world_connect(world);
    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    AWAIT(world, seen_locked(world, 0, "NOOP") >= 4);
    ck_assert_uint_eq(seen(world, 0, "IDLE"), 1);
    world_free(world);
}
END_TEST

/* ---- threads ------------------------------------------------------------------------------------------ */

static void *submit_many(void *arg)
{
    struct world *world = arg;
    static const char *const mailboxes[] = {"A", "B", "C", NULL};

    for (unsigned i = 0; i < 100; i++)
        ask_noop(world, mailboxes[i % 4],
                 i % 7 == 0   ? IMAP_POOL_WATCHER
                 : i % 5 == 0 ? IMAP_POOL_URGENT
                              : 0,
                 (i % 3) * MIB);
    return NULL;
}

START_TEST(many_threads_submit)
{
    struct world *world = connected(4);
    pthread_t threads[8];

    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, submit_many, world);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    AWAIT(world, world->answered == 800);
    for (unsigned i = 0; i < 800; i++) {
        ck_assert_uint_eq(world->asks[i].done, 1);
        ck_assert_int_eq(world->asks[i].status, IMAP_OK);
    }
    ck_assert_uint_eq(seen(world, -1, "NOOP"), 800);
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, connecting);
    tcase_add_test(tcase, connecting_with_a_wrong_password);
    tcase_add_test(tcase, connecting_to_nobody);
    tcase_add_test(tcase, bad_options);
    tcase_add_test(tcase, work_connects_by_itself);
    tcase_add_test(tcase, watching_on_0_and_work_on_lanes);
    tcase_add_test(tcase, the_only_connection_does_all);
    tcase_add_test(tcase, what_needs_no_mailbox_opens_nothing);
    tcase_add_test(tcase, read_write_selects);
    tcase_add_test(tcase, responses_reach_who_asked);
    tcase_add_test(tcase, the_watcher_helps_while_there_is_no_lane);
    tcase_add_test(tcase, lanes_look_for_what_others_have_seen);
    tcase_add_test(tcase, who_has_the_old_mailbox_selects_anew);
    tcase_add_test(tcase, lanes_keep_their_mailbox);
    tcase_add_test(tcase, one_connection_changes_seldom);
    tcase_add_loop_test(tcase, nobody_starves, 0, 2);
    tcase_add_test(tcase, urgent_overtakes_what_is_queued);
    tcase_add_test(tcase, backlog_opens_all_lanes_and_no_more);
    tcase_add_test(tcase, a_backlog_is_given_time);
    tcase_add_test(tcase, little_work_opens_one_lane);
    tcase_add_test(tcase, a_limit_is_lived_with);
    tcase_add_test(tcase, unused_lanes_are_closed);
    tcase_add_test(tcase, a_mailbox_that_cannot_be_selected);
    tcase_add_test(tcase, selections_are_told);
    tcase_add_test(tcase, the_watcher_idles);
    tcase_add_test(tcase, idle_is_renewed);
    tcase_add_test(tcase, without_idle_there_is_noop);
    tcase_add_test(tcase, refused_idle_is_not_repeated);
    tcase_add_test(tcase, many_threads_submit);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
