/* SPDX-License-Identifier: MIT */
/* What transcripts cannot show: callbacks that act, partial writes, memory and time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "imap/session.h"
#include "unit_main.h"

struct client {
    struct imap_session *session;
    int done, bodies;
    enum imap_status last;
    struct imap_error last_error;
    const char *next;  /* verb to submit from within done */
    bool die_in_body;  /* end the session from within body_data */
    uint64_t bytes;    /* of bodies */
    const char *input; /* what is being fed */
    size_t input_len;
    bool copied; /* a body byte came from elsewhere */
};

static void on_done(void *arg, const struct imap_result *result);

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct client *client = arg;
    (void)so_far, (void)section;
    client->bodies++;
    return true;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct client *client = arg;
    const char *bytes = data;
    client->bytes += len;
    client->copied |= bytes < client->input || bytes + len > client->input + client->input_len;
    if (client->die_in_body)
        imap_session_lost(client->session, NULL);
}

static void submit(struct client *client, const char *verb, const char *arguments)
{
    static const struct imap_command_events events = {
        .body_begin = on_body_begin, .body_data = on_body_data, .done = on_done};
    struct imap_command *command = imap_command_new(verb);
    size_t set_len = arguments && strcmp(verb, "UID FETCH") == 0 ? strcspn(arguments, " ") : 0;
    char set[32];
    snprintf(set, sizeof set, "%.*s", (int)set_len, arguments ? arguments : "");
    if (set_len > 0)
        imap_command_set(command, set);
    if (arguments && arguments[set_len])
        imap_command_raw(command, arguments + set_len + (set_len > 0));
    imap_command_on(command, &events, client);
    (void)imap_session_submit(client->session, command, NULL);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct client *client = arg;
    const char *next = client->next;
    client->done++;
    client->last = result->status;
    client->last_error = *result->error;
    client->next = NULL;
    if (next)
        submit(client, next, NULL);
}

static void start(struct client *client)
{
    static const struct imap_session_events events;
    *client = (struct client){.last = IMAP_SYS};
    client->session = imap_session_new(&events, client, NULL);
}

static enum imap_status feed(struct client *client, const char *text)
{
    client->input = text;
    client->input_len = strlen(text);
    enum imap_status status = imap_session_feed(client->session, text, strlen(text), NULL);
    client->input = NULL;
    return status;
}

static void expect_sent(struct client *client, const char *text)
{
    size_t len;
    const char *bytes = imap_session_pull(client->session, &len);
    ck_assert_uint_eq(len, strlen(text));
    if (len > 0)
        ck_assert_mem_eq(bytes, text, len);
    else
        ck_assert_ptr_null(bytes);
    imap_session_sent(client->session, len);
}

static void select_mailbox(struct client *client, unsigned messages)
{
    char text[80];
    ck_assert_int_eq(feed(client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(client, "SELECT", "INBOX");
    expect_sent(client, "a1 SELECT INBOX\r\n");
    snprintf(text, sizeof text, "* %u EXISTS\r\na1 OK\r\n", messages);
    ck_assert_int_eq(feed(client, text), IMAP_OK);
}

START_TEST(done_may_submit)
{
    struct client client;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    client.next = "CAPABILITY";
    submit(&client, "NOOP", NULL);
    expect_sent(&client, "a1 NOOP\r\n");
    ck_assert_int_eq(feed(&client, "a1 OK\r\n"), IMAP_OK);
    ck_assert_int_eq(client.done, 1);
    expect_sent(&client, "a2 CAPABILITY\r\n");
    ck_assert_int_eq(feed(&client, "a2 OK\r\n"), IMAP_OK);
    ck_assert_int_eq(client.done, 2);
    imap_session_free(&client.session);
    ck_assert_ptr_null(client.session);
}
END_TEST

START_TEST(done_may_submit_while_the_session_dies)
{
    struct client client;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(&client, "NOOP", NULL);
    submit(&client, "CREATE", "x");
    client.next = "NOOP";
    imap_session_free(&client.session);
    ck_assert_int_eq(client.done, 3); /* two cancelled, one refused */
    ck_assert_int_eq(client.last, IMAP_CANCEL);
}
END_TEST

START_TEST(a_callback_may_end_the_session)
{
    struct client client;
    start(&client);
    select_mailbox(&client, 1);
    submit(&client, "UID FETCH", "1 BODY.PEEK[]");
    submit(&client, "UID FETCH", "2 BODY.PEEK[]");
    expect_sent(&client, "a2 UID FETCH 1 BODY.PEEK[]\r\na3 UID FETCH 2 BODY.PEEK[]\r\n");
    client.die_in_body = true;
    ck_assert_int_ne(feed(&client, "* 1 FETCH (UID 1 BODY[] {5}\r\nhello)\r\na2 OK\r\n"), IMAP_OK);
    ck_assert_int_eq(client.done, 3);
    ck_assert_int_eq(client.last, IMAP_AGAIN);
    ck_assert_int_eq(imap_session_state(client.session), IMAP_STATE_DEAD);
    expect_sent(&client, "");
    imap_session_free(&client.session);
    ck_assert_int_eq(client.done, 3);
}
END_TEST

START_TEST(what_was_not_written_can_be_withdrawn)
{
    struct client client;
    struct imap_command *held = imap_command_new("NOOP"), *login = imap_command_new("LOGIN");
    start(&client);
    imap_command_raw(login, "joe secret");
    ck_assert_int_eq(imap_session_submit(client.session, login, NULL), IMAP_OK);
    ck_assert_int_eq(imap_session_submit(client.session, held, NULL), IMAP_OK);
    submit(&client, "CAPABILITY", NULL);
    ck_assert(imap_session_withdraw(client.session, held));
    ck_assert_uint_eq(imap_session_pending(client.session), 2);
    ck_assert_int_eq(feed(&client, "* OK hi\r\n"), IMAP_OK);
    ck_assert(imap_session_withdraw(client.session, login));
    /* LOGIN held it back no longer */
    expect_sent(&client, "a1 CAPABILITY\r\n");
    ck_assert_int_eq(feed(&client, "a1 OK\r\n"), IMAP_OK);
    ck_assert_int_eq(client.done, 1);
    imap_session_free(&client.session);
}
END_TEST

START_TEST(what_was_written_cannot_be_withdrawn)
{
    struct client client;
    struct imap_command *command = imap_command_new("NOOP");
    size_t len;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    ck_assert_int_eq(imap_session_submit(client.session, command, NULL), IMAP_OK);
    ck_assert_ptr_nonnull(imap_session_pull(client.session, &len));
    ck_assert(!imap_session_withdraw(client.session, command));
    expect_sent(&client, "a1 NOOP\r\n");
    ck_assert(!imap_session_withdraw(client.session, command));
    ck_assert_int_eq(feed(&client, "a1 OK\r\n"), IMAP_OK);
    imap_session_free(&client.session);
}
END_TEST

static void on_unasked(void *arg, const struct imap_response *response)
{
    struct client *client = arg;
    (void)response;
    client->bodies++;
}

START_TEST(what_nobody_asked_for_is_told_apart)
{
    static const struct imap_session_events events = {.unasked = on_unasked};
    struct client client = {.last = IMAP_SYS};
    client.session = imap_session_new(&events, &client, NULL);
    select_mailbox(&client, 2); /* the greeting is nobody's, EXISTS is SELECT's */
    ck_assert_int_eq(client.bodies, 1);
    submit(&client, "UID FETCH", "7 (FLAGS)");
    expect_sent(&client, "a2 UID FETCH 7 (FLAGS)\r\n");
    ck_assert_int_eq(feed(&client, "* 1 FETCH (UID 7 FLAGS ())\r\n"), IMAP_OK);
    ck_assert_int_eq(client.bodies, 1);
    ck_assert_int_eq(feed(&client, "* 3 EXISTS\r\na2 OK\r\n* 1 FETCH (FLAGS ())\r\n"), IMAP_OK);
    ck_assert_int_eq(client.bodies, 3);
    imap_session_free(&client.session);
}
END_TEST

/* Whose answer a FETCH is, only the sets can tell. */
START_TEST(commands_with_sets_in_raw_text_go_one_by_one)
{
    struct client client;
    start(&client);
    select_mailbox(&client, 5);
    for (int i = 3; i <= 4; i++) {
        struct imap_command *command = imap_command_new("UID FETCH");
        imap_command_raw(command, i == 3 ? "3 (FLAGS)" : "4 (FLAGS)");
        ck_assert_int_eq(imap_session_submit(client.session, command, NULL), IMAP_OK);
    }
    expect_sent(&client, "a2 UID FETCH 3 (FLAGS)\r\n");
    ck_assert_int_eq(feed(&client, "* 3 FETCH (UID 3 FLAGS ())\r\na2 OK\r\n"), IMAP_OK);
    expect_sent(&client, "a3 UID FETCH 4 (FLAGS)\r\n");
    imap_session_free(&client.session);
}
END_TEST

START_TEST(lost_tells_why)
{
    struct client client;
    struct imap_error why;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(&client, "NOOP", NULL);
    expect_sent(&client, "a1 NOOP\r\n");
    imap_error_sys(&why, 104, "reading from the server");
    imap_session_lost(client.session, &why);
    ck_assert_int_eq(client.last, IMAP_AGAIN);
    ck_assert_int_eq(client.last_error.status, IMAP_AGAIN);
    ck_assert_int_eq(client.last_error.sys_errno, 104);
    ck_assert_ptr_nonnull(strstr(client.last_error.text, "reading from the server"));
    imap_session_lost(client.session, NULL);
    ck_assert_int_eq(client.done, 1);
    ck_assert_int_ne(feed(&client, "* OK\r\n"), IMAP_OK);
    imap_session_free(&client.session);
}
END_TEST

START_TEST(the_words_of_bye_are_the_error)
{
    struct client client;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(&client, "NOOP", NULL);
    expect_sent(&client, "a1 NOOP\r\n");
    ck_assert_int_eq(feed(&client, "* BYE [UNAVAILABLE] kitchen on fire\r\n"), IMAP_OK);
    imap_session_lost(client.session, NULL);
    ck_assert_ptr_nonnull(strstr(client.last_error.text, "kitchen on fire"));
    ck_assert_int_eq(client.last_error.code, IMAP_CODE_UNAVAILABLE);
    imap_session_free(&client.session);
}
END_TEST

START_TEST(written_a_byte_at_a_time)
{
    static const char wanted[] = "a1 LOGIN joe \"pass word\"\r\n";
    struct client client;
    char sent[64];
    size_t count = 0, len;
    const char *bytes;
    start(&client);
    ck_assert_int_eq(feed(&client, "* OK hi\r\n"), IMAP_OK);
    struct imap_command *login = imap_command_new("LOGIN");
    imap_command_astring(login, "joe", 3);
    imap_command_secret(login, "pass word", 9);
    ck_assert_int_eq(imap_session_submit(client.session, login, NULL), IMAP_OK);
    while ((bytes = imap_session_pull(client.session, &len))) {
        ck_assert_uint_eq(len, strlen(wanted) - count);
        sent[count++] = *bytes;
        imap_session_sent(client.session, 1);
    }
    ck_assert_uint_eq(count, strlen(wanted));
    ck_assert_mem_eq(sent, wanted, count);
    imap_session_free(&client.session);
}
END_TEST

START_TEST(secrets_are_wiped_once_sent)
{
    struct client client;
    size_t len;
    start(&client);
    ck_assert_int_eq(feed(&client, "* OK hi\r\n"), IMAP_OK);
    struct imap_command *login = imap_command_new("LOGIN");
    imap_command_astring(login, "joe", 3);
    imap_command_secret(login, "hunter2", 7);
    ck_assert_int_eq(imap_session_submit(client.session, login, NULL), IMAP_OK);
    const char *bytes = imap_session_pull(client.session, &len);
    ck_assert_ptr_nonnull(memmem(bytes, len, "hunter2", 7));
    imap_session_sent(client.session, len);
    ck_assert_ptr_null(memmem(bytes, len, "hunter2", 7)); /* the buffer is still the session's */
    imap_session_free(&client.session);
}
END_TEST

START_TEST(an_answer_counts_once_the_command_is_sent)
{
    struct client client;
    size_t len;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(&client, "NOOP", NULL);
    imap_session_pull(client.session, &len);
    imap_session_sent(client.session, len - 1);
    ck_assert_int_eq(feed(&client, "a1 OK\r\n"), IMAP_PROTO);
    imap_session_free(&client.session);

    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    submit(&client, "NOOP", NULL);
    imap_session_pull(client.session, &len);
    imap_session_sent(client.session, len - 1);
    ck_assert_int_eq(feed(&client, "a1 BAD I have seen enough\r\n"), IMAP_OK);
    ck_assert_int_eq(client.last, IMAP_NO);
    imap_session_free(&client.session);
}
END_TEST

/* 20,000 bodies of 7 KB in one UID FETCH, as a full grep has them: no copy, and time that is linear. */
START_TEST(bodies_are_not_copied)
{
    enum { MESSAGES = 20000, BODY = 7000 };
    struct client client;
    char *body = malloc(BODY + 200);
    start(&client);
    select_mailbox(&client, MESSAGES);
    for (int i = 0; i < 63; i++)
        submit(&client, "UID FETCH", "30000 BODY.PEEK[]");
    submit(&client, "UID FETCH", "1:* BODY.PEEK[]");
    size_t len;
    imap_session_pull(client.session, &len);
    imap_session_sent(client.session, len);
    ck_assert_uint_eq(imap_session_in_flight(client.session), 64);
    clock_t before = clock();
    for (int i = 1; i <= MESSAGES; i++) {
        int head = snprintf(body, 200, "* %d FETCH (UID %d BODY[] {%d}\r\n", i, i, BODY);
        memset(body + head, 'x', BODY);
        memcpy(body + head + BODY, ")\r\n", 4);
        client.input = body;
        client.input_len = (size_t)head + BODY + 3;
        ck_assert_int_eq(imap_session_feed(client.session, body, client.input_len, NULL), IMAP_OK);
    }
    ck_assert_msg(clock() - before < 20 * CLOCKS_PER_SEC, "took too long");
    ck_assert_int_eq(client.bodies, MESSAGES);
    ck_assert_uint_eq(client.bytes, (uint64_t)MESSAGES * BODY);
    ck_assert(!client.copied);
    ck_assert_uint_eq(imap_session_uid(client.session, MESSAGES), MESSAGES);
    imap_session_free(&client.session);
    free(body);
}
END_TEST

START_TEST(a_long_queue_is_linear)
{
    enum { COMMANDS = 100000 };
    struct client client;
    char tagged[32];
    size_t len;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH hi\r\n"), IMAP_OK);
    clock_t before = clock();
    for (int i = 0; i < COMMANDS; i++)
        submit(&client, "NOOP", NULL);
    ck_assert_uint_eq(imap_session_pending(client.session), COMMANDS);
    for (int i = 1; i <= COMMANDS; i++) {
        imap_session_pull(client.session, &len);
        imap_session_sent(client.session, len);
        snprintf(tagged, sizeof tagged, "a%d OK\r\n", i);
        ck_assert_int_eq(feed(&client, tagged), IMAP_OK);
    }
    ck_assert_msg(clock() - before < 30 * CLOCKS_PER_SEC, "took too long");
    ck_assert_int_eq(client.done, COMMANDS);
    ck_assert_uint_eq(imap_session_pending(client.session), 0);
    imap_session_free(&client.session);
}
END_TEST

START_TEST(refused_commands_are_done_at_once)
{
    struct client client;
    struct imap_error err;
    start(&client);
    ck_assert_int_eq(feed(&client, "* OK hi\r\n"), IMAP_OK);
    static const struct imap_command_events events = {.done = on_done};
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_on(command, &events, &client);
    ck_assert_int_eq(imap_session_submit(client.session, command, &err), IMAP_USAGE);
    ck_assert_int_eq(client.done, 1);
    ck_assert_int_eq(client.last, IMAP_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "UID FETCH"));
    expect_sent(&client, "");
    /* nobody to tell is fine, too */
    ck_assert_int_eq(imap_session_submit(client.session, imap_command_new("CLOSE"), NULL), IMAP_USAGE);
    imap_session_free(&client.session);
    imap_session_free(&client.session);
}
END_TEST

struct source {
    uint64_t given;
    int calls;
};

static ssize_t next_of_source(void *arg, void *buf, size_t size)
{
    struct source *source = arg;
    memset(buf, 'x', size);
    source->given += size;
    source->calls++;
    return (ssize_t)size;
}

START_TEST(a_large_source_needs_little_memory)
{
    const uint64_t size = (uint64_t)200 << 20;
    struct client client;
    struct source source = {0};
    struct imap_command_events events = {.done = on_done};
    size_t len, largest = 0;
    uint64_t sent = 0;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n"), IMAP_OK);
    struct imap_command *command = imap_command_new("APPEND");
    imap_command_mailbox(command, "Sent", 4);
    imap_command_source(command, size, false, next_of_source, &source);
    imap_command_on(command, &events, &client);
    ck_assert_int_eq(imap_session_submit(client.session, command, NULL), IMAP_OK);
    /* nothing is asked for before the announcement has left, nor while anything is unsent */
    expect_sent(&client, "a1 APPEND Sent {209715200+}\r\n");
    ck_assert_int_eq(source.calls, 0);
    while (imap_session_pull(client.session, &len)) {
        size_t some = len > 40000 ? 40000 : len;
        ck_assert_uint_le(source.given - sent, len);
        largest = len > largest ? len : largest;
        imap_session_sent(client.session, some);
        sent += some;
    }
    ck_assert_uint_eq(source.given, size);
    ck_assert_uint_eq(sent, size + 2);
    ck_assert_uint_le(largest, 65536 + 2);
    ck_assert_int_eq(client.done, 0);
    ck_assert_int_eq(feed(&client, "a1 OK stored\r\n"), IMAP_OK);
    ck_assert_int_eq(client.done, 1);
    ck_assert_int_eq(client.last, IMAP_OK);
    imap_session_free(&client.session);
}
END_TEST

static ssize_t fail_source(void *arg, void *buf, size_t size)
{
    (void)arg, (void)buf, (void)size;
    return -ENOSPC;
}

START_TEST(a_source_tells_its_errno)
{
    struct client client;
    struct imap_command_events events = {.done = on_done};
    size_t len;
    start(&client);
    ck_assert_int_eq(feed(&client, "* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n"), IMAP_OK);
    struct imap_command *command = imap_command_new("APPEND");
    imap_command_source(command, 5, false, fail_source, NULL);
    imap_command_on(command, &events, &client);
    ck_assert_int_eq(imap_session_submit(client.session, command, NULL), IMAP_OK);
    expect_sent(&client, "a1 APPEND {5+}\r\n");
    client.next = "NOOP"; /* what is asked for from `done` is refused */
    ck_assert_ptr_null(imap_session_pull(client.session, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(client.done, 2);
    ck_assert_int_eq(imap_session_state(client.session), IMAP_STATE_DEAD);
    ck_assert_int_eq(imap_session_fate(client.session)->status, IMAP_AGAIN);
    ck_assert_int_eq(imap_session_fate(client.session)->sys_errno, ENOSPC);
    ck_assert_int_eq(imap_session_pending(client.session), 0);
    imap_session_free(&client.session);
}
END_TEST

UNIT_MAIN("session", what_was_not_written_can_be_withdrawn, what_was_written_cannot_be_withdrawn,
          what_nobody_asked_for_is_told_apart, a_large_source_needs_little_memory, a_source_tells_its_errno,
          done_may_submit, done_may_submit_while_the_session_dies, a_callback_may_end_the_session,
          commands_with_sets_in_raw_text_go_one_by_one, lost_tells_why, the_words_of_bye_are_the_error,
          written_a_byte_at_a_time, secrets_are_wiped_once_sent, an_answer_counts_once_the_command_is_sent,
          bodies_are_not_copied, a_long_queue_is_linear, refused_commands_are_done_at_once)
