/* SPDX-License-Identifier: MIT */
/* Idling: told of changes, renewed, interrupted, by verb and by iterator; and what nobody asked for. */
#include <errno.h>
#include <limits.h>

#include "client_help.h"

static struct world *in_a_mailbox(void)
{
    struct world *world = connected();
    do_ok(world, "SELECT", "INBOX");
    return world;
}

static struct ask *ask_idle(struct world *world, unsigned duration_ms)
{
    struct ask *idle = new_ask(world);
    ck_assert_int_eq(imap_client_idle(world->client, duration_ms, &idle->call), IMAP_OK);
    return idle;
}

static void await_idling(struct world *world, unsigned times)
{
    AWAIT(world, seen_locked(world, "IDLE") >= times);
}

/* ---- the verb --------------------------------------------------------------------------------------- */

START_TEST(told_of_a_burst)
{
    struct world *world = in_a_mailbox();
    struct ask *idle = ask_idle(world, 0);

    await_idling(world, 1);
    say(world, "* OK Still here\r\n"); /* no change */
    say(world, "* 3 EXISTS\r\n* 1 RECENT\r\n* 2 EXPUNGE\r\n");
    await_ask(idle, IMAP_OK);
    ck_assert_uint_eq(idle->responses, 4);
    ck_assert_ptr_null(imap_client_unsolicited(world->client));
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(seen(world, "IDLE"), 1); /* nobody idles any more */
    world_free(world);
}
END_TEST

START_TEST(told_while_blocking)
{
    struct world *world = in_a_mailbox();
    struct imap_call call = {0};

    ck_assert_int_eq(imap_client_idle(world->client, 20, &call), IMAP_OK); /* nothing comes */
    ck_assert_uint_eq(imap_answer_count(call.answer), 0);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

START_TEST(a_duration_that_passes_while_others_are_busy)
{
    struct world *world = in_a_mailbox();
    struct ask *idle;

    CHANGE(world, world->held = "NOOP");
    ask(world, "NOOP", NULL);
    AWAIT(world, seen_locked(world, "NOOP") == 1);
    idle = ask_idle(world, 20);
    await_ask(idle, IMAP_OK);
    ck_assert_uint_eq(idle->responses, 0);
    ck_assert_uint_eq(seen(world, "IDLE"), 0);
    world_free(world);
}
END_TEST

static void count_change(void *arg, const struct imap_response *response)
{
    struct ask *idle = arg;
    (void)response;
    CHANGE(idle->world, idle->responses++);
}

START_TEST(handed_over_until_cancelled)
{
    struct world *world = in_a_mailbox();
    struct ask *idle = new_ask(world);

    idle->call.response = count_change;
    ck_assert_int_eq(imap_client_idle(world->client, 0, &idle->call), IMAP_OK);
    await_idling(world, 1);
    say(world, "* 3 EXISTS\r\n");
    AWAIT(world, idle->responses == 1);
    say(world, "* 4 EXISTS\r\n");
    AWAIT(world, idle->responses == 2);
    ck_assert_uint_eq(idle->done, 0);
    ck_assert(imap_client_cancel(world->client, idle->call.id));
    await_ask(idle, IMAP_CANCEL);
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(seen(world, "IDLE"), 1);
    world_free(world);
}
END_TEST

START_TEST(other_verbs_interrupt)
{
    struct world *world = in_a_mailbox();
    struct ask *idle = ask_idle(world, 0);

    for (unsigned i = 1; i <= 5; i++) {
        await_idling(world, i);
        do_ok(world, "NOOP", NULL);
        ck_assert_uint_eq(idle->done, 0);
    }
    await_idling(world, 6);
    say(world, "* 9 EXISTS\r\n");
    await_ask(idle, IMAP_OK);
    ck_assert_uint_eq(idle->responses, 1);
    world_free(world);
}
END_TEST

static bool tell_in_noop(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                         void *arg)
{
    (void)tag, (void)arg;
    *stop = false;
    if (starts(command, "NOOP"))
        fake_send(peer, "* 5 EXISTS\r\n");
    return false;
}

START_TEST(told_by_the_answer_to_another_verb)
{
    struct world *world = in_a_mailbox();
    struct ask *idle = ask_idle(world, 0);

    await_idling(world, 1);
    set_hook(world, tell_in_noop);
    do_ok(world, "NOOP", NULL);
    await_ask(idle, IMAP_OK);
    ck_assert_uint_eq(idle->responses, 1);
    ck_assert_ptr_null(imap_client_unsolicited(world->client));
    world_free(world);
}
END_TEST

START_TEST(renewed)
{
    struct world *world = in_a_mailbox();
    struct ask *idle;

    world->client->timing.idle_renew = 30;
    idle = ask_idle(world, 0);
    await_idling(world, 4);
    ck_assert_uint_eq(idle->done, 0);
    say(world, "* 3 EXISTS\r\n");
    await_ask(idle, IMAP_OK);
    world_free(world);
}
END_TEST

START_TEST(several_idlers_share)
{
    struct world *world = in_a_mailbox();
    struct ask *all = new_ask(world), *one, *brief;

    all->call.response = count_change;
    ck_assert_int_eq(imap_client_idle(world->client, 0, &all->call), IMAP_OK);
    one = ask_idle(world, 0);
    brief = ask_idle(world, 20);
    await_ask(brief, IMAP_OK); /* does not end the others' IDLE */
    say(world, "* 3 EXISTS\r\n");
    await_ask(one, IMAP_OK);
    AWAIT(world, all->responses == 1);
    ck_assert_uint_eq(seen(world, "IDLE"), 1);
    ck_assert_uint_eq(all->done, 0);
    world_free(world);
    /* world_free has looked: `all` was told of the end */
}
END_TEST

static bool refuse_idle(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    char line[64];
    (void)arg;
    *stop = false;
    if (!starts(command, "IDLE"))
        return false;
    snprintf(line, sizeof(line), "%s BAD what?\r\n", tag);
    return fake_send(peer, line);
}

static bool end_idle_at_once(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                             void *arg)
{
    (void)arg;
    *stop = false;
    return starts(command, "IDLE") && fake_ok(peer, tag, "idled enough");
}

START_TEST(refused)
{
    struct world *world = in_a_mailbox();
    struct imap_idle *idle;
    struct imap_error err = {0};

    set_hook(world, refuse_idle);
    await_ask(ask_idle(world, 0), IMAP_NO);
    ck_assert_int_eq(imap_idle_begin(world->client, 0, &idle, &err), IMAP_NO);
    ck_assert_int_eq(err.status, IMAP_NO);
    ck_assert_ptr_null(idle);
    set_hook(world, end_idle_at_once);
    await_ask(ask_idle(world, 0), IMAP_NO);
    world_free(world);
}
END_TEST

START_TEST(not_offered_or_not_possible)
{
    struct world *world = world_new();

    world->imap.caps = "IMAP4rev1 SASL-IR AUTH=PLAIN";
    world_connect(world);
    await_ask(ask_idle(world, 0), IMAP_NO);
    ck_assert_uint_eq(seen(world, "IDLE"), 0);
    imap_client_free(&world->client);
    world->imap.caps = NULL;
    world->options.no_login = true;
    world_connect(world);
    await_ask(ask_idle(world, 0), IMAP_USAGE);
    world_free(world);
}
END_TEST

START_TEST(lost)
{
    struct world *world = in_a_mailbox();
    struct ask *idle = ask_idle(world, 0);

    await_idling(world, 1);
    fake_drop_all(world->server, true);
    await_ask(idle, IMAP_AGAIN);
    AWAIT(world, world->lost == 1);
    await_ask(ask_idle(world, 0), IMAP_AGAIN);
    world_free(world);
}
END_TEST

START_TEST(notify)
{
    struct world *world = in_a_mailbox();
    struct imap_call call = {0};

    ck_assert_int_eq(imap_client_notify(world->client, true, "(selected (MessageNew))", &call), IMAP_OK);
    ck_assert_int_eq(imap_client_notify(world->client, false, "(personal (MailboxName))", &call), IMAP_OK);
    ck_assert_int_eq(imap_client_notify(world->client, true, NULL, &call), IMAP_OK);
    ck_assert_uint_eq(seen(world, "NOTIFY SET STATUS (selected (MessageNew))"), 1);
    ck_assert_uint_eq(seen(world, "NOTIFY SET (personal (MailboxName))"), 1);
    ck_assert_uint_eq(seen(world, "NOTIFY NONE"), 1);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

/* ---- the iterator ----------------------------------------------------------------------------------- */

static struct imap_idle *begin(struct world *world, unsigned duration_ms)
{
    struct imap_idle *idle;
    struct imap_error err = {0};
    enum imap_status status = imap_idle_begin(world->client, duration_ms, &idle, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    return idle;
}

static void expect_number(struct imap_idle *idle, unsigned wait_ms, enum imap_response_type type,
                          uint32_t number)
{
    const struct imap_response *response;

    ck_assert_int_eq(imap_idle_next(idle, wait_ms, &response, NULL), IMAP_OK);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->type, type);
    ck_assert_uint_eq(response->number, number);
}

static void expect_nothing(struct imap_idle *idle, unsigned wait_ms)
{
    const struct imap_response *response = (const void *)"x";
    struct imap_error err = {0};

    ck_assert_int_eq(imap_idle_next(idle, wait_ms, &response, &err), IMAP_AGAIN);
    ck_assert_int_eq(err.sys_errno, ETIMEDOUT);
    ck_assert_ptr_null(response);
}

START_TEST(iterating)
{
    struct world *world = in_a_mailbox();
    struct imap_idle *idle = begin(world, 0);

    ck_assert_uint_eq(seen(world, "IDLE"), 1); /* and the server has said "+" */
    expect_nothing(idle, 0);
    expect_nothing(idle, 10);
    say(world, "* 3 EXISTS\r\n* 1 EXPUNGE\r\n* 1 FETCH (UID 2 FLAGS (\\Seen))\r\n");
    expect_number(idle, UINT_MAX, IMAP_RESP_EXISTS, 3);
    expect_number(idle, 10000, IMAP_RESP_EXPUNGE, 1);
    expect_number(idle, 10000, IMAP_RESP_FETCH, 1);
    expect_nothing(idle, 0);
    do_ok(world, "NOOP", NULL); /* verbs as ever */
    await_idling(world, 2);
    say(world, "* 4 EXISTS\r\n");
    expect_number(idle, 10000, IMAP_RESP_EXISTS, 4);
    ck_assert_int_eq(imap_idle_end(&idle, NULL), IMAP_OK);
    ck_assert_ptr_null(idle);
    ck_assert_int_eq(imap_idle_end(&idle, NULL), IMAP_OK);
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(seen(world, "IDLE"), 2);
    idle = begin(world, 0); /* again, and ended without a look */
    say(world, "* 5 EXISTS\r\n");
    ck_assert_int_eq(imap_idle_end(&idle, NULL), IMAP_OK);
    world_free(world);
}
END_TEST

START_TEST(iterating_for_a_while)
{
    struct world *world = in_a_mailbox();
    struct imap_idle *idle = begin(world, 50);
    const struct imap_response *response;

    say(world, "* 3 EXISTS\r\n");
    expect_number(idle, UINT_MAX, IMAP_RESP_EXISTS, 3);
    ck_assert_int_eq(imap_idle_next(idle, UINT_MAX, &response, NULL), IMAP_OK);
    ck_assert_ptr_null(response);
    ck_assert_int_eq(imap_idle_next(idle, 0, &response, NULL), IMAP_OK);
    ck_assert_ptr_null(response);
    ck_assert_int_eq(imap_idle_end(&idle, NULL), IMAP_OK);
    world_free(world);
}
END_TEST

START_TEST(iterating_until_the_line_is_lost)
{
    struct world *world = in_a_mailbox();
    struct imap_idle *idle = begin(world, 0), *another = begin(world, 0);
    const struct imap_response *response;
    struct imap_error err = {0};

    say(world, "* 3 EXISTS\r\n");
    expect_number(idle, UINT_MAX, IMAP_RESP_EXISTS, 3);
    fake_drop_all(world->server, false);
    ck_assert_int_eq(imap_idle_next(idle, UINT_MAX, &response, &err), IMAP_AGAIN);
    ck_assert_int_ne(err.sys_errno, ETIMEDOUT);
    ck_assert_int_eq(imap_idle_end(&idle, &err), IMAP_AGAIN);
    expect_number(another, 0, IMAP_RESP_EXISTS, 3); /* what came before is not lost */
    imap_client_free(&world->client);
    ck_assert_int_eq(imap_idle_next(another, 0, &response, &err), IMAP_AGAIN);
    ck_assert_int_eq(imap_idle_end(&another, &err), IMAP_AGAIN);
    world_free(world);
}
END_TEST

/* ---- what nobody asked for -------------------------------------------------------------------------- */

START_TEST(unsolicited)
{
    struct world *world = in_a_mailbox();
    struct imap_answer *answer;
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];

    ck_assert_ptr_null(imap_client_unsolicited(world->client)); /* SELECT's own are not */
    set_hook(world, tell_in_noop);
    do_ok(world, "NOOP", NULL);
    do_ok(world, "NOOP", NULL);
    answer = imap_client_unsolicited(world->client);
    ck_assert_ptr_nonnull(answer);
    ck_assert_int_eq(imap_answer_status(answer), IMAP_OK);
    ck_assert_uint_eq(imap_answer_count(answer), 2);
    ck_assert_uint_eq(imap_answer_next(answer, IMAP_RESP_EXISTS, NULL)->number, 5);
    imap_answer_unref(&answer);
    ck_assert_ptr_null(imap_client_unsolicited(world->client));
    ck_assert(imap_client_selected(world->client, &selected, name));
    ck_assert_uint_eq(selected.exists, 5);
    world_free(world);
}
END_TEST

static bool flood(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    char line[64];
    (void)tag, (void)arg;
    *stop = false;
    for (unsigned i = 0; starts(command, "NOOP") && i < 30000; i++) {
        snprintf(line, sizeof(line), "* %u EXISTS\r\n", i);
        fake_send(peer, line);
    }
    return false;
}

START_TEST(unsolicited_is_capped)
{
    struct world *world = in_a_mailbox();
    const struct imap_response *response = NULL, *next;
    struct imap_answer *answer;

    set_hook(world, flood);
    do_ok(world, "NOOP", NULL);
    answer = imap_client_unsolicited(world->client);
    ck_assert_uint_lt(imap_answer_count(answer), 30000);
    ck_assert_uint_gt(imap_answer_count(answer), 1000);
    while ((next = imap_answer_any(answer, response)) != NULL)
        response = next;
    ck_assert_ptr_nonnull(response);
    ck_assert_uint_eq(response->number, 29999); /* it is the oldest that are forgotten */
    imap_answer_unref(&answer);
    world_free(world);
}
END_TEST

UNIT_MAIN("client_idle", told_of_a_burst, told_while_blocking, a_duration_that_passes_while_others_are_busy,
          handed_over_until_cancelled, other_verbs_interrupt, told_by_the_answer_to_another_verb, renewed,
          several_idlers_share, refused, not_offered_or_not_possible, lost, notify, iterating,
          iterating_for_a_while, iterating_until_the_line_is_lost, unsolicited, unsolicited_is_capped)
