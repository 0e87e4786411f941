/* SPDX-License-Identifier: MIT */
/* The client with a real Dovecot: TLS, compression, idling, many threads at once. */
#include <check.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dovecot.h"
#include "imap/auth.h"
#include "imap/idle.h"

static struct test_server server;

static void start_server(void)
{
    setenv("DOVECOT_PLUGINS", "zlib", 1);
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
}

static void stop_server(void)
{
    test_server_stop(&server);
}

static struct imap_client_options options_for(const char *user, enum imap_tls tls)
{
    return (struct imap_client_options){
        .endpoint = {.host = server.host,
                     .port = tls == IMAP_TLS_IMPLICIT ? server.tls_port : server.port,
                     .tls = tls,
                     .cafile = server.cafile,
                     .user = user,
                     .password = server.password,
                     .timeout_ms = 20000}};
}

static struct imap_client *open_client(const struct imap_client_options *options)
{
    struct imap_client *client;
    struct imap_error err = {0};
    enum imap_status status = imap_client_connect(options, &client, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    return client;
}

static struct imap_client *open_for(const char *user)
{
    const struct imap_client_options options = options_for(user, IMAP_TLS_IMPLICIT);
    return open_client(&options);
}

static enum imap_status run(struct imap_client *client, const char *verb, const char *mailbox,
                            const char *words, struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);

    if (mailbox)
        imap_command_mailbox(command, mailbox, strlen(mailbox));
    if (words)
        imap_command_raw(command, words);
    return imap_client_command(client, &command, call);
}

static void run_ok(struct imap_client *client, const char *verb, const char *mailbox, const char *words,
                   struct imap_call *call)
{
    ck_assert_msg(run(client, verb, mailbox, words, call) == IMAP_OK, "%s: %s", verb, call->error.text);
}

static void append(struct imap_client *client, const char *mailbox, const char *message,
                   struct imap_call *call)
{
    struct imap_command *command = imap_command_new("APPEND");

    imap_command_mailbox(command, mailbox, strlen(mailbox));
    imap_command_astring(command, message, strlen(message));
    ck_assert_msg(imap_client_command(client, &command, call) == IMAP_OK, "%s", call->error.text);
}

/* ---- ways to connect -------------------------------------------------------------------------------- */

START_TEST(a_day_in_the_life)
{
    struct imap_client *client = open_for("life");
    struct imap_call call = {0};
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX], wire[64];

    ck_assert(imap_client_encrypted(client));
    ck_assert_str_ne(imap_client_welcome(client), "");
    ck_assert(imap_client_name_encode(client, "Entw\xc3\xbcrfe", wire, sizeof(wire)));
    run_ok(client, "CREATE", wire, NULL, &call);
    append(client, wire, "Subject: hello there\r\n\r\nfirst\r\n", &call);
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_APPENDUID);
    run_ok(client, "SELECT", wire, NULL, &call);
    ck_assert(imap_client_selected(client, &selected, name));
    ck_assert_str_eq(name, wire);
    ck_assert_uint_eq(selected.exists, 1);
    ck_assert_uint_eq(selected.uidnext, 2);
    run_ok(client, "UID FETCH", NULL, "1 (BODY.PEEK[] FLAGS)", &call);
    const struct imap_fetch *fetch = imap_answer_message(call.answer, 1);
    ck_assert_ptr_nonnull(fetch);
    const struct imap_section *body = imap_fetch_section(fetch, fetch->sections->kind, "");
    ck_assert_uint_eq(body->size, strlen("Subject: hello there\r\n\r\nfirst\r\n"));
    ck_assert_int_ne(run(client, "SELECT", "no such mailbox", NULL, &call), IMAP_OK);
    ck_assert(!imap_client_selected(client, &selected, name));
    ck_assert_int_eq(imap_client_logout(client, &call), IMAP_OK);
    ck_assert_int_eq(imap_client_state(client), IMAP_STATE_LOGOUT);
    imap_call_fini(&call);
    imap_client_free(&client);
}
END_TEST

START_TEST(step_by_step)
{
    struct imap_client_options options = options_for("steps", IMAP_TLS_NONE);
    struct imap_call call = {0};

    options.no_login = true;
    struct imap_client *client = open_client(&options);
    ck_assert(!imap_client_encrypted(client));
    ck_assert_int_eq(imap_client_starttls(client, &call), IMAP_OK);
    ck_assert(imap_client_encrypted(client));
    ck_assert_int_eq(imap_client_login(client, "steps", "wrong", &call), IMAP_AUTH);
    ck_assert_int_eq(imap_client_login(client, "steps", server.password, &call), IMAP_OK);
    ck_assert_int_eq(imap_client_compress(client, &call), IMAP_OK);
    ck_assert_int_eq(imap_client_compress(client, &call), IMAP_USAGE);
    run_ok(client, "SELECT", "INBOX", NULL, &call);
    ck_assert_int_eq(imap_client_logout(client, &call), IMAP_OK);
    imap_call_fini(&call);
    imap_client_free(&client);
}
END_TEST

START_TEST(compressed_from_the_start)
{
    struct imap_client_options options = options_for("small", IMAP_TLS_STARTTLS);
    struct imap_call call = {0};

    options.compress = true;
    struct imap_client *client = open_client(&options);
    ck_assert_int_eq(imap_client_compress(client, &call), IMAP_USAGE);
    ck_assert(imap_client_encrypted(client));
    for (int i = 0; i < 20; i++)
        append(client, "INBOX", "Subject: again and again\r\n\r\nand again\r\n", &call);
    run_ok(client, "SELECT", "INBOX", NULL, &call);
    run_ok(client, "UID FETCH", NULL, "1:* (ENVELOPE FLAGS)", &call);
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(call.answer, &count);
    ck_assert_uint_eq(count, 20);
    ck_assert_str_eq(messages[19]->envelope->subject, "again and again");
    imap_call_fini(&call);
    imap_client_free(&client);
}
END_TEST

/* ---- told of changes -------------------------------------------------------------------------------- */

START_TEST(idling_and_working)
{
    struct imap_client *watcher = open_for("watched"), *writer = open_for("watched");
    struct imap_call call = {0};
    struct imap_idle *idle;
    const struct imap_response *response;
    struct imap_error err = {0};
    uint32_t exists = 0;

    run_ok(watcher, "SELECT", "INBOX", NULL, &call);
    ck_assert_int_eq(imap_idle_begin(watcher, 0, &idle, &err), IMAP_OK);
    append(writer, "INBOX", "Subject: one\r\n\r\n", &call);
    while (exists != 1) {
        ck_assert_msg(imap_idle_next(idle, 10000, &response, &err) == IMAP_OK, "%s", err.text);
        if (response->type == IMAP_RESP_EXISTS)
            exists = response->number;
    }
    /* the same connection goes on working meanwhile */
    run_ok(watcher, "UID FETCH", NULL, "1 (FLAGS)", &call);
    ck_assert_uint_eq(imap_answer_count(call.answer), 1);
    append(writer, "INBOX", "Subject: two\r\n\r\n", &call);
    while (exists != 2) {
        ck_assert_msg(imap_idle_next(idle, 10000, &response, &err) == IMAP_OK, "%s", err.text);
        if (response->type == IMAP_RESP_EXISTS)
            exists = response->number;
    }
    ck_assert_int_eq(imap_idle_end(&idle, &err), IMAP_OK);
    imap_call_fini(&call);
    imap_client_free(&watcher);
    imap_client_free(&writer);
}
END_TEST

static void *append_later(void *arg)
{
    struct imap_client *writer = arg;
    struct imap_call call = {0};

    append(writer, "INBOX", "Subject: here\r\n\r\n", &call);
    imap_call_fini(&call);
    return NULL;
}

START_TEST(idling_until_something_happens)
{
    struct imap_client *watcher = open_for("patient"), *writer = open_for("patient");
    struct imap_call call = {0};
    pthread_t thread;

    run_ok(watcher, "SELECT", "INBOX", NULL, &call);
    pthread_create(&thread, NULL, append_later, writer);
    ck_assert_int_eq(imap_client_idle(watcher, 20000, &call), IMAP_OK);
    ck_assert_ptr_nonnull(imap_answer_next(call.answer, IMAP_RESP_EXISTS, NULL));
    pthread_join(thread, NULL);
    imap_call_fini(&call);
    imap_client_free(&watcher);
    imap_client_free(&writer);
}
END_TEST

/* ---- many threads ----------------------------------------------------------------------------------- */

#define THREADS 6
#define MESSAGES 60

struct reader {
    struct imap_client *client;
    unsigned first;
};

static void *read_messages(void *arg)
{
    const struct reader *reader = arg;
    struct imap_call call = {0};
    char words[64], subject[32];

    for (unsigned i = 0; i < MESSAGES; i++) {
        uint32_t uid = (reader->first + i) % MESSAGES + 1;
        snprintf(words, sizeof(words), "%u (ENVELOPE)", uid);
        snprintf(subject, sizeof(subject), "number %u", uid);
        run_ok(reader->client, "UID FETCH", NULL, words, &call);
        const struct imap_fetch *fetch = imap_answer_message(call.answer, uid);
        ck_assert_ptr_nonnull(fetch);
        ck_assert_str_eq(fetch->envelope->subject, subject);
        ck_assert_uint_eq(imap_answer_count(call.answer), 1);
    }
    imap_call_fini(&call);
    return NULL;
}

START_TEST(many_readers)
{
    struct imap_client *client = open_for("many");
    struct reader readers[THREADS];
    pthread_t threads[THREADS];
    struct imap_call call = {0};
    char message[64];

    for (unsigned i = 1; i <= MESSAGES; i++) {
        snprintf(message, sizeof(message), "Subject: number %u\r\n\r\n", i);
        append(client, "INBOX", message, &call);
    }
    run_ok(client, "SELECT", "INBOX", NULL, &call);
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.client = client, .first = i * 7};
        pthread_create(&threads[i], NULL, read_messages, &readers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    imap_call_fini(&call);
    imap_client_free(&client);
}
END_TEST

START_TEST(the_server_goes_away)
{
    struct imap_client_options options = options_for("gone", IMAP_TLS_IMPLICIT);
    struct imap_call call = {0};
    struct imap_client *client = open_client(&options);

    run_ok(client, "SELECT", "INBOX", NULL, &call);
    ck_assert(test_server_halt(&server));
    ck_assert_int_eq(imap_client_idle(client, 0, &call), IMAP_AGAIN);
    ck_assert_int_eq(imap_client_state(client), IMAP_STATE_DEAD);
    imap_call_fini(&call);
    imap_client_free(&client);
    ck_assert_msg(test_server_restart(&server), "%s", server.why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_dovecot");
    TCase *cases = tcase_create("client_dovecot");

    tcase_add_unchecked_fixture(cases, start_server, stop_server);
    tcase_add_test(cases, a_day_in_the_life);
    tcase_add_test(cases, step_by_step);
    tcase_add_test(cases, compressed_from_the_start);
    tcase_add_test(cases, idling_and_working);
    tcase_add_test(cases, idling_until_something_happens);
    tcase_add_test(cases, many_readers);
    tcase_add_test(cases, the_server_goes_away);
    tcase_set_timeout(cases, 60);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
