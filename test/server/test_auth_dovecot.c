/* SPDX-License-Identifier: MIT */
/* Each mechanism that Dovecot has, by a right and by a wrong password; compression. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dial.h"
#include "dovecot.h"
#include "login.h"

static struct test_server server;

static void start_server(void)
{
    setenv("DOVECOT_PLUGINS", "zlib", 1);
    /* else each wrong password makes it wait longer */
    setenv("DOVECOT_CONF", "service anvil {\n unix_listener anvil-auth-penalty {\n mode = 0\n }\n}\n", 1);
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
}

static void stop_server(void)
{
    test_server_stop(&server);
}

struct meeting {
    struct imap_line line;
    struct imap_endpoint endpoint;
    struct imap_error err;
    char mechanism[40]; /* as it went out; "LOGIN" for the command */
};

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct meeting *meeting = arg;
    imap_line_note(&meeting->line, response);
}

static void on_trace(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    struct meeting *meeting = arg;
    const char *verb = memchr(line, ' ', len);

    ck_assert(!memmem(line, len, server.password, strlen(server.password)));
    if (direction != IMAP_TRACE_CLIENT || !verb)
        return;
    verb++;
    if (strncmp(verb, "LOGIN ", 6) == 0)
        strcpy(meeting->mechanism, "login");
    else if (strncmp(verb, "AUTHENTICATE ", 13) == 0)
        snprintf(meeting->mechanism, sizeof(meeting->mechanism), "%.*s", (int)strcspn(verb + 13, " \r\n"),
                 verb + 13);
}

static enum imap_status meet(struct meeting *meeting, enum imap_tls tls,
                             const struct imap_credentials *credentials)
{
    static const struct imap_session_events events = {.untagged = on_untagged, .trace = on_trace};

    *meeting = (struct meeting){.endpoint = {.host = server.host,
                                             .port = tls == IMAP_TLS_IMPLICIT ? server.tls_port : server.port,
                                             .tls = tls,
                                             .cafile = server.cafile,
                                             .timeout_ms = 20000}};
    imap_line_init(&meeting->line, &meeting->endpoint, &events, meeting);
    return imap_dial(&meeting->line, credentials, -1, &meeting->err);
}

static void part(struct meeting *meeting)
{
    if (meeting->line.transport)
        imap_hang_up(&meeting->line, imap_net_now() + 5000);
    imap_line_fini(&meeting->line);
}

static const struct mechanism {
    const char *name;
    enum imap_tls tls;
} mechanisms[] = {
    {"SCRAM-SHA-256", IMAP_TLS_IMPLICIT}, {"SCRAM-SHA-256", IMAP_TLS_STARTTLS},
    {"SCRAM-SHA-256", IMAP_TLS_NONE},     {"SCRAM-SHA-1", IMAP_TLS_NONE},
    {"CRAM-MD5", IMAP_TLS_NONE},          {"PLAIN", IMAP_TLS_IMPLICIT},
    {"LOGIN", IMAP_TLS_IMPLICIT},         {"login", IMAP_TLS_STARTTLS},
};

START_TEST(each_mechanism)
{
    const struct mechanism *mechanism = &mechanisms[_i];
    struct imap_credentials credentials = {
        .user = "anna", .password = server.password, .mechanisms = mechanism->name};
    struct meeting meeting;

    enum imap_status status = meet(&meeting, mechanism->tls, &credentials);
    ck_assert_msg(status == IMAP_OK, "%s: %s", mechanism->name, meeting.err.text);
    ck_assert_str_eq(meeting.mechanism, mechanism->name);
    ck_assert(imap_caps_has(imap_session_caps(meeting.line.session), IMAP_CAP_UIDPLUS));
    part(&meeting);

    credentials.password = "wrong";
    status = meet(&meeting, mechanism->tls, &credentials);
    ck_assert_msg(status == IMAP_AUTH, "%s: %s", mechanism->name, imap_status_name(status));
    ck_assert_int_eq(meeting.err.code, IMAP_CODE_AUTHENTICATIONFAILED);
    part(&meeting);
}
END_TEST

START_TEST(the_strongest_by_itself)
{
    const struct imap_credentials credentials = {.user = "anna", .password = server.password};
    struct meeting meeting;

    enum imap_status status = meet(&meeting, IMAP_TLS_IMPLICIT, &credentials);
    ck_assert_msg(status == IMAP_OK, "%s", meeting.err.text);
    ck_assert_str_eq(meeting.mechanism, "SCRAM-SHA-256");
    part(&meeting);
}
END_TEST

/* Dovecot 2.3 binds to no channel. */
START_TEST(no_binding_no_login)
{
    const struct imap_credentials credentials = {
        .user = "anna", .password = server.password, .strength = IMAP_AUTH_BOUND};
    struct meeting meeting;

    ck_assert_int_eq(meet(&meeting, IMAP_TLS_IMPLICIT, &credentials), IMAP_AUTH);
    ck_assert_str_eq(meeting.mechanism, "");
    part(&meeting);
}
END_TEST

struct answer {
    bool done;
    enum imap_status status;
};

static void on_done(void *arg, const struct imap_result *result)
{
    *(struct answer *)arg = (struct answer){.done = true, .status = result->status};
}

static void run(struct meeting *meeting, struct imap_command *command)
{
    const struct imap_command_events events = {.done = on_done};
    struct imap_line *line = &meeting->line;
    struct answer answer = {.done = false};
    int64_t until = imap_net_now() + 20000;

    imap_command_on(command, &events, &answer);
    imap_session_submit(line->session, command, NULL);
    while (!answer.done && imap_net_now() < until) {
        ck_assert_int_eq(imap_line_flush(line, &meeting->err), IMAP_OK);
        imap_line_wait(line, -1, -1, until);
        ck_assert_msg(imap_line_receive(line, &meeting->err) == IMAP_OK, "%s", meeting->err.text);
    }
    ck_assert(answer.done);
    ck_assert_int_eq(answer.status, IMAP_OK);
}

START_TEST(compression)
{
    const struct imap_credentials credentials = {.user = "anna", .password = server.password};
    int64_t until = imap_net_now() + 20000;
    struct meeting meeting;

    ck_assert_int_eq(meet(&meeting, _i ? IMAP_TLS_IMPLICIT : IMAP_TLS_NONE, &credentials), IMAP_OK);
    ck_assert(imap_caps_has(imap_session_caps(meeting.line.session), IMAP_CAP_COMPRESS_DEFLATE));
    enum imap_status status = imap_login_compress(&meeting.line, until, -1, &meeting.err);
    ck_assert_msg(status == IMAP_OK, "%s", meeting.err.text);
    for (int i = 0; i < 3; i++) {
        struct imap_command *command = imap_command_new("LIST");
        imap_command_raw(command, "\"\" *");
        run(&meeting, command);
    }
    ck_assert_int_eq(imap_login_compress(&meeting.line, until, -1, &meeting.err), IMAP_USAGE);
    run(&meeting, imap_command_new("NOOP"));
    part(&meeting);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth_dovecot");
    TCase *tcase = tcase_create("auth_dovecot");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_loop_test(tcase, each_mechanism, 0, sizeof(mechanisms) / sizeof(mechanisms[0]));
    tcase_add_test(tcase, the_strongest_by_itself);
    tcase_add_test(tcase, no_binding_no_login);
    tcase_add_loop_test(tcase, compression, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
