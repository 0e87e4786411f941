/* SPDX-License-Identifier: MIT */
/* The client's verbs: blocking and not, many at once, in order, from callbacks and many threads. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "client_help.h"

/* ---- coming and going ------------------------------------------------------------------------------- */

START_TEST(connecting)
{
    struct world *world = world_new();
    struct imap_caps caps;
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];

    world->imap.greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] fake ready\r\n";
    world_connect(world);
    ck_assert_str_eq(imap_client_welcome(world->client), "fake ready");
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_AUTHENTICATED);
    ck_assert(imap_client_caps(world->client, &caps));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE)); /* told after login */
    ck_assert(imap_client_has(world->client, "idle"));
    ck_assert(!imap_client_has(world->client, "MOVE"));
    ck_assert(!imap_client_encrypted(world->client));
    ck_assert(!imap_client_selected(world->client, &selected, name));
    ck_assert_ptr_null(imap_client_unsolicited(world->client)); /* the greeting is none */
    world_free(world);
}
END_TEST

static void expect_failure(struct world *world, enum imap_status status)
{
    struct imap_error err = {0};

    ck_assert_int_eq(imap_client_connect(&world->options, &world->client, &err), status);
    ck_assert_int_eq(err.status, status);
    ck_assert_str_ne(err.text, "");
    ck_assert_ptr_null(world->client);
    ck_assert_uint_eq(world->lost, 0);
}

START_TEST(connecting_in_vain)
{
    struct world *world = world_new();

    world->imap.password = "another";
    expect_failure(world, IMAP_AUTH);
    ck_assert_uint_eq(fake_connections(world->server), 1); /* no second attempt */
    world->options.endpoint.timeout_ms = 0;
    expect_failure(world, IMAP_USAGE);
    world->options.endpoint.timeout_ms = 5000;
    fake_refuse(world->server, true);
    expect_failure(world, IMAP_AGAIN);
    ck_assert_int_eq(imap_client_connect(&world->options, &world->client, NULL), IMAP_AGAIN);
    imap_client_free(&world->client); /* of nothing */
    world_free(world);
}
END_TEST

START_TEST(a_silent_server_is_given_up)
{
    struct world *world = world_new();

    world->held = "AUTHENTICATE";
    world->options.endpoint.timeout_ms = 50;
    expect_failure(world, IMAP_AGAIN);
    world_free(world);
}
END_TEST

/* ---- one verb --------------------------------------------------------------------------------------- */

START_TEST(blocking)
{
    struct world *world = connected();
    struct imap_call call = {0};

    do_ok(world, "SELECT", "INBOX");
    ck_assert_int_eq(do_command(world, "UID FETCH", "1:2 (FLAGS)", &call), IMAP_OK);
    ck_assert_uint_gt(call.id, 0);
    ck_assert_int_eq(call.error.status, IMAP_OK);
    ck_assert_uint_eq(imap_answer_count(call.answer), 2);
    ck_assert_str_eq(imap_answer_text(call.answer)->text, "fetched");
    /* the next verb takes the answer's place */
    struct imap_answer *kept = imap_answer_ref(call.answer);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_OK);
    ck_assert_uint_eq(imap_answer_count(call.answer), 0);
    ck_assert_uint_eq(imap_answer_count(kept), 2);
    imap_answer_unref(&kept);
    imap_call_fini(&call);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, NULL), IMAP_OK);
    world_free(world);
}
END_TEST

static bool refuse_create(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                          void *arg)
{
    char line[128];
    (void)arg;
    *stop = false;
    if (!starts(command, "CREATE"))
        return false;
    snprintf(line, sizeof(line), "%s NO [ALREADYEXISTS] it is there\r\n", tag);
    return fake_send(peer, line);
}

START_TEST(refused_by_the_server)
{
    struct world *world = connected();
    struct imap_call call = {0};

    set_hook(world, refuse_create);
    ck_assert_int_eq(do_command(world, "CREATE", "x", &call), IMAP_NO);
    ck_assert_int_eq(call.error.status, IMAP_NO);
    ck_assert_int_eq(call.error.code, IMAP_CODE_ALREADYEXISTS);
    ck_assert_int_eq(imap_answer_status(call.answer), IMAP_NO);
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_ALREADYEXISTS);
    ck_assert_int_eq(do_command(world, "CREATE", "x", NULL), IMAP_NO);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_OK); /* no error is left behind */
    ck_assert_int_eq(call.error.status, IMAP_OK);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

START_TEST(not_possible_or_broken)
{
    struct world *world = connected();
    struct imap_call call = {0};

    ck_assert_int_eq(do_command(world, "UID FETCH", "1 (FLAGS)", &call), IMAP_USAGE);
    ck_assert_str_ne(call.error.text, "");
    ck_assert_int_eq(do_command(world, "CREATE", "a\r\nb", &call), IMAP_USAGE);
    await_ask(ask(world, "UID FETCH", "1 (FLAGS)"), IMAP_USAGE);
    ck_assert_uint_eq(seen(world, "UID FETCH") + seen(world, "CREATE"), 0);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

struct kept {
    struct ask *ask;
    struct imap_answer *answer;
};

static void keep(void *arg, const struct imap_answer *answer)
{
    struct kept *kept = arg;
    kept->answer = imap_answer_ref(answer);
    on_done(kept->ask, answer);
}

START_TEST(an_answer_outlives_the_client)
{
    struct world *world = connected();
    struct kept kept = {.ask = new_ask(world)};
    struct imap_command *command = make("UID FETCH", "1:2 (FLAGS)");

    do_ok(world, "SELECT", "INBOX");
    kept.ask->call.done = keep;
    kept.ask->call.arg = &kept;
    ck_assert_int_eq(imap_client_command(world->client, &command, &kept.ask->call), IMAP_OK);
    ck_assert_uint_gt(kept.ask->call.id, 0);
    await_ask(kept.ask, IMAP_OK);
    ck_assert_ptr_null(kept.ask->call.answer);
    world_free(world);
    ck_assert_uint_eq(imap_answer_message(kept.answer, 2)->uid, 2);
    imap_answer_unref(&kept.answer);
}
END_TEST

static bool send_many(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    char line[128];
    (void)arg;
    *stop = false;
    if (!starts(command, "LIST"))
        return false;
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof(line), "* LIST () \"/\" \"a mailbox with a long name, number %d\"\r\n", i);
        fake_send(peer, line);
    }
    return fake_ok(peer, tag, "listed");
}

START_TEST(answers_are_capped)
{
    struct world *world = world_new();
    struct imap_call call = {0};

    world->options.answer_bytes = 4096;
    set_hook(world, send_many);
    world_connect(world);
    ck_assert_int_eq(do_command(world, "LIST", "\"\" *", &call), IMAP_LIMIT);
    ck_assert_int_eq(call.error.status, IMAP_LIMIT);
    ck_assert_uint_lt(imap_answer_count(call.answer), 200);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_OK);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

static void count_response(void *arg, const struct imap_response *response)
{
    struct ask *ask = arg;
    ck_assert_int_eq(response->type, IMAP_RESP_LIST);
    CHANGE(ask->world, ask->responses++);
}

START_TEST(responses_handed_over_are_not_kept)
{
    struct world *world = world_new();
    struct ask *list;
    struct imap_command *command = make("LIST", "\"\" *");

    world->options.answer_bytes = 4096;
    set_hook(world, send_many);
    world_connect(world);
    list = new_ask(world);
    list->call.response = count_response;
    ck_assert_int_eq(imap_client_command(world->client, &command, &list->call), IMAP_OK);
    await_ask(list, IMAP_OK);
    ck_assert_uint_eq(list->responses, 200); /* on_done would have added what was kept */
    ck_assert_uint_ge(world->untagged, 200);
    world_free(world);
}
END_TEST

START_TEST(cancelling_what_was_sent)
{
    struct world *world = connected();
    struct ask *list;

    CHANGE(world, world->held = "LIST");
    set_hook(world, send_many);
    struct imap_command *command = make("LIST", "\"\" *");
    list = new_ask(world);
    list->call.response = count_response;
    ck_assert_int_eq(imap_client_command(world->client, &command, &list->call), IMAP_OK);
    AWAIT(world, seen_locked(world, "LIST") == 1);
    ck_assert(imap_client_cancel(world->client, list->call.id));
    await_ask(list, IMAP_CANCEL);
    release(world);
    do_ok(world, "NOOP", NULL); /* the 200 responses before it are dropped */
    ck_assert_uint_eq(list->responses, 0);
    ck_assert_ptr_null(imap_client_unsolicited(world->client));
    world_free(world);
}
END_TEST

/* ---- many ------------------------------------------------------------------------------------------- */

#define MANY 60

/* Reads MANY commands before it answers the last one first. */
static bool answer_backwards(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                             void *arg)
{
    char tags[MANY][16], line[256];
    unsigned uids[MANY];
    (void)arg;

    if (!starts(command, "UID FETCH "))
        return false;
    snprintf(tags[0], sizeof(tags[0]), "%s", tag);
    uids[0] = (unsigned)strtoul(command + 10, NULL, 10);
    for (int i = 1; i < MANY; i++) {
        if (!fake_line(peer, line, sizeof(line)) ||
            sscanf(line, "%15s UID FETCH %u", tags[i], &uids[i]) != 2) {
            *stop = true;
            return true;
        }
    }
    for (int i = MANY - 1; i >= 0; i--) {
        snprintf(line, sizeof(line), "* %u FETCH (UID %u FLAGS ())\r\n%s OK fetched %u\r\n", uids[i], uids[i],
                 tags[i], uids[i]);
        fake_send(peer, line);
    }
    return true;
}

START_TEST(many_in_flight)
{
    struct world *world = connected();
    struct ask *asks[MANY];
    char words[32];

    do_ok(world, "SELECT", "INBOX");
    set_hook(world, answer_backwards);
    for (unsigned i = 0; i < MANY; i++) {
        struct imap_command *command = imap_command_new("UID FETCH");
        struct imap_seqset set = {0};
        imap_seqset_add(&set, i + 1, i + 1);
        imap_command_seqset(command, &set);
        imap_command_raw(command, "(FLAGS)");
        imap_seqset_fini(&set);
        asks[i] = new_ask(world);
        ck_assert_int_eq(imap_client_command(world->client, &command, &asks[i]->call), IMAP_OK);
    }
    for (unsigned i = 0; i < MANY; i++) {
        await_ask(asks[i], IMAP_OK);
        ck_assert_uint_eq(asks[i]->uid, i + 1);
        snprintf(words, sizeof(words), "fetched %u", i + 1);
        ck_assert_str_eq(asks[i]->text, words);
        ck_assert_uint_eq(asks[i]->number, MANY - 1 - i);
    }
    world_free(world);
}
END_TEST

/* SELECT must have come alone: nothing may follow before it is answered. */
static bool select_alone(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                         void *arg)
{
    struct pollfd more = {.fd = peer->fd, .events = POLLIN};
    (void)arg;
    *stop = false;
    if (!starts(command, "SELECT"))
        return false;
    fake_send(peer, "* 7 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 70] x\r\n");
    if (peer->begin < peer->end || poll(&more, 1, 30) != 0)
        return fake_send(peer, "* BYE something came before its time\r\n");
    return fake_ok(peer, tag, "[READ-WRITE] selected");
}

START_TEST(what_changes_the_state_waits_and_holds)
{
    struct world *world = connected();
    struct ask *fetch;

    CHANGE(world, world->held = "NOOP");
    ask(world, "NOOP", NULL);
    AWAIT(world, seen_locked(world, "NOOP") == 1);
    set_hook(world, select_alone);
    ask(world, "NOOP", NULL);
    ask(world, "SELECT", "A");
    fetch = ask(world, "UID FETCH", "1 (FLAGS)"); /* impossible but for the SELECT */
    ask(world, "SELECT", "B");
    release(world);
    await_ask(ask(world, "NOOP", NULL), IMAP_OK);
    await_ask(fetch, IMAP_OK);
    for (unsigned i = 0; i < world->asked; i++) {
        ck_assert_int_eq(world->asks[i].status, IMAP_OK);
        ck_assert_uint_eq(world->asks[i].number, i);
    }
    world_free(world);
}
END_TEST

START_TEST(what_is_known_is_known_when_the_verb_returns)
{
    struct world *world = connected();
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];

    set_hook(world, select_alone);
    for (int i = 0; i < 50; i++) {
        do_ok(world, "EXAMINE", "Other");
        ck_assert(imap_client_selected(world->client, &selected, name));
        ck_assert_str_eq(name, "Other");
        ck_assert_ptr_eq(selected.name, name);
        ck_assert(selected.read_only);
        ck_assert_uint_eq(selected.exists, 2);
        do_ok(world, "UNSELECT", NULL);
        ck_assert(!imap_client_selected(world->client, &selected, name));
        ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_AUTHENTICATED);
    }
    do_ok(world, "SELECT", "INBOX");
    ck_assert(imap_client_selected(world->client, &selected, name));
    ck_assert_str_eq(name, "INBOX");
    ck_assert(!selected.read_only);
    ck_assert_uint_eq(selected.exists, 7);
    ck_assert_uint_eq(selected.uidvalidity, 9);
    ck_assert_uint_eq(selected.uidnext, 70);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_SELECTED);
    world_free(world);
}
END_TEST

/* ---- from within callbacks -------------------------------------------------------------------------- */

struct chain {
    struct world *world;
    unsigned left;
    enum imap_status blocked; /* what a blocking verb said */
    struct imap_call call;
};

static void chain_on(void *arg, const struct imap_answer *answer)
{
    struct chain *chain = arg;
    struct imap_command *command = imap_command_new("NOOP"), *second = imap_command_new("NOOP");
    struct imap_call call = {0};
    struct imap_idle *idle;

    ck_assert_int_eq(imap_answer_status(answer), IMAP_OK);
    chain->blocked = imap_client_command(chain->world->client, &second, &call);
    ck_assert_int_eq(call.error.status, IMAP_USAGE);
    ck_assert_int_eq(imap_idle_begin(chain->world->client, 0, &idle, NULL), IMAP_USAGE);
    imap_call_fini(&call);
    if (chain->left > 1)
        ck_assert_int_eq(imap_client_command(chain->world->client, &command, &chain->call), IMAP_OK);
    else
        imap_command_free(&command);
    CHANGE(chain->world, chain->left--);
}

START_TEST(verbs_from_callbacks)
{
    struct world *world = connected();
    struct chain chain = {.world = world, .left = 100, .call = {.done = chain_on, .arg = &chain}};
    struct imap_command *command = imap_command_new("NOOP");

    ck_assert_int_eq(imap_client_command(world->client, &command, &chain.call), IMAP_OK);
    AWAIT(world, chain.left == 0);
    ck_assert_int_eq(chain.blocked, IMAP_USAGE);
    ck_assert_uint_eq(seen(world, "NOOP"), 100);
    world_free(world);
}
END_TEST

/* ---- verbs that the client judges ------------------------------------------------------------------- */

static enum imap_status judge_read_only(struct imap_client *client, const struct imap_result *result,
                                        struct imap_error *err)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];

    ck_assert_int_eq(result->status, IMAP_OK);
    ck_assert(imap_client_selected(client, &selected, name));
    return selected.read_only ? imap_error_set(err, IMAP_NO, "it can only be read") : IMAP_OK;
}

START_TEST(an_ok_can_be_judged)
{
    struct world *world = connected();
    struct imap_call call = {0};
    struct imap_command *command = make("EXAMINE", "INBOX");
    struct imap_error why = {.status = IMAP_USAGE, .text = "nonsense"};
    struct ask *refused = new_ask(world);

    ck_assert_int_eq(imap_client_command_judged(world->client, &command, judge_read_only, &call), IMAP_NO);
    ck_assert_str_eq(call.error.text, "it can only be read");
    ck_assert_int_eq(imap_answer_status(call.answer), IMAP_NO);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_SELECTED);
    command = make("SELECT", "INBOX");
    ck_assert_int_eq(imap_client_command_judged(world->client, &command, judge_read_only, &call), IMAP_OK);
    ck_assert_int_eq(imap_client_refuse(world->client, &call, &why), IMAP_USAGE);
    ck_assert_str_eq(call.error.text, "nonsense");
    ck_assert_int_eq(imap_client_refuse(world->client, &refused->call, &why), IMAP_OK);
    await_ask(refused, IMAP_USAGE);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

/* ---- from many threads ------------------------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS 150

static void *hammer(void *arg)
{
    struct world *world = arg;
    struct imap_call call = {0};
    struct imap_selected selected;
    struct imap_caps caps;
    char name[IMAP_MAILBOX_NAME_MAX];

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ask *other = ask(world, "NOOP", NULL);
        if (i % 7 == 0)
            imap_client_cancel(world->client, other->call.id);
        if (i % 11 == 0)
            ask_within(world, 1, "LIST", "\"\" *");
        if (i % 13 == 0)
            ck_assert_int_eq(do_command(world, "SELECT", "INBOX", NULL), IMAP_OK);
        ck_assert_int_eq(do_command(world, "UID FETCH", "1:2 (FLAGS)", &call), IMAP_OK);
        ck_assert_uint_ge(imap_answer_count(call.answer), 1);
        imap_client_selected(world->client, &selected, name);
        imap_client_caps(world->client, &caps);
        struct imap_answer *answer = imap_client_unsolicited(world->client);
        imap_answer_unref(&answer);
    }
    imap_call_fini(&call);
    return NULL;
}

START_TEST(hammered)
{
    struct world *world = connected();
    pthread_t threads[THREADS];

    do_ok(world, "SELECT", "INBOX");
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hammer, world);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    AWAIT(world, world->answered == world->asked);
    for (unsigned i = 0; i < world->asked; i++)
        ck_assert(world->asks[i].status == IMAP_OK || world->asks[i].status == IMAP_CANCEL ||
                  world->asks[i].status == IMAP_AGAIN);
    ck_assert_uint_eq(world->lost, 0);
    world_free(world);
}
END_TEST

UNIT_MAIN("client", connecting, connecting_in_vain, a_silent_server_is_given_up, blocking,
          refused_by_the_server, not_possible_or_broken, an_answer_outlives_the_client, answers_are_capped,
          responses_handed_over_are_not_kept, cancelling_what_was_sent, many_in_flight,
          what_changes_the_state_waits_and_holds, what_is_known_is_known_when_the_verb_returns,
          verbs_from_callbacks, an_ok_can_be_judged, hammered)
