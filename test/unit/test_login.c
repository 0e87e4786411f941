/* SPDX-License-Identifier: MIT */
/* Login: every way in, and every way in which a server may try to get at the password. */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"
#include "fakeplay.h"

#define USER "joe"
#define PASSWORD "Tr0ub4dor"
#define PLAIN_BASE64 "AGpvZQBUcjB1YjRkb3I=" /* \0joe\0Tr0ub4dor */

static struct fake_cert cert;

static void make_certificate(void)
{
    fake_cert_make(&cert, NULL, "127.0.0.1", -86400, 86400, NULL);
}

static void remove_certificate(void)
{
    fake_cert_remove(&cert);
}

static void on_untagged(void *arg, const struct imap_response *response)
{
    imap_line_note(arg, response);
}

/* Dials and hangs up. */
static enum imap_status dial(const struct imap_endpoint *endpoint, int cancel_fd, struct imap_error *err)
{
    static const struct imap_session_events events = {.untagged = on_untagged};
    struct imap_line line;

    *err = (struct imap_error){0};
    imap_line_init(&line, endpoint, &events, &line);
    enum imap_status status = imap_dial(&line, NULL, cancel_fd, err);
    if (status == IMAP_OK) {
        ck_assert(imap_session_caps_known(line.session));
        imap_hang_up(&line, imap_net_now() + 1000);
    } else {
        ck_assert_int_eq(err->status, status);
        ck_assert_str_ne(err->text, "");
    }
    imap_line_fini(&line);
    return status;
}

static struct imap_endpoint endpoint_of(struct fake_server *server, enum imap_tls tls)
{
    return (struct imap_endpoint){.host = "127.0.0.1",
                                  .port = fake_port(server),
                                  .tls = tls,
                                  .cafile = cert.certfile,
                                  .user = USER,
                                  .password = PASSWORD,
                                  .timeout_ms = 5000};
}

static void assert_no_password_in_the_clear(struct fake_server *server)
{
    ck_assert(!fake_saw_plain(server, PASSWORD));
    ck_assert(!fake_saw_plain(server, PLAIN_BASE64));
    ck_assert(!fake_saw_plain(server, "LOGIN"));
    ck_assert(!fake_saw_plain(server, "AUTHENTICATE"));
}

/* ---- a scripted server ------------------------------------------------------------------------------- */

static void serve_imap(struct fake_client *client, void *arg)
{
    fake_imap_serve(client, arg);
}

static struct fake_server *start_imap(const struct fake_imap *imap, bool tls)
{
    struct fake_options options = {.serve = serve_imap, .arg = (void *)imap, .cert = &cert, .tls = tls};
    return fake_start(&options);
}

static struct fake_server *start_play(const struct fake_play *play)
{
    struct fake_options options = {.serve = fake_play_serve, .arg = (void *)play, .cert = &cert};
    return fake_start(&options);
}

/* ---- the ways in ------------------------------------------------------------------------------------- */

static void assert_way_in(const char *caps, enum imap_tls tls)
{
    const struct fake_imap imap = {.caps = caps, .user = USER, .password = PASSWORD};
    struct fake_server *server = start_imap(&imap, tls == IMAP_TLS_IMPLICIT);
    struct imap_endpoint endpoint = endpoint_of(server, tls);
    struct imap_error err;
    enum imap_status status = dial(&endpoint, -1, &err);

    ck_assert_msg(status == IMAP_OK, "%s: %s", caps, err.text);
    endpoint.password = "wrong";
    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "wrong password") != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, IMAP_CODE_AUTHENTICATIONFAILED);
    fake_stop(&server);
}

START_TEST(plain_with_initial_response)
{
    assert_way_in("IMAP4rev1 SASL-IR AUTH=PLAIN", IMAP_TLS_IMPLICIT);
    assert_way_in("IMAP4rev1 SASL-IR AUTH=PLAIN LOGINDISABLED", IMAP_TLS_NONE);
}
END_TEST

START_TEST(plain_without_initial_response)
{
    assert_way_in("IMAP4rev1 AUTH=PLAIN", IMAP_TLS_IMPLICIT);
}
END_TEST

START_TEST(login)
{
    assert_way_in("IMAP4rev1", IMAP_TLS_IMPLICIT);
    assert_way_in("IMAP4rev1 AUTH=SCRAM-SHA-1", IMAP_TLS_NONE);
}
END_TEST

START_TEST(login_disabled)
{
    const struct fake_imap imap = {.caps = "IMAP4rev1 LOGINDISABLED"};
    struct fake_server *server = start_imap(&imap, false);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AUTH);
    assert_no_password_in_the_clear(server);
    fake_stop(&server);
}
END_TEST

/* No capabilities in the greeting nor with the login's OK: they are asked for both times. */
START_TEST(capabilities_are_asked_for)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK hello\r\n"},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nT OK done\r\n"},
        {"AUTHENTICATE PLAIN " PLAIN_BASE64, "T OK in\r\n"},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nT OK done\r\n"},
        {"LOGOUT", "* BYE bye\r\nT OK out\r\n"},
        {NULL, NULL}};
    const struct fake_play play = {.steps = steps};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(odd_characters_in_the_password)
{
    const struct fake_imap imap = {
        .caps = "IMAP4rev1 SASL-IR AUTH=PLAIN", .user = USER, .password = "p\"\\ \xc3\xa4{3}"};
    struct fake_server *server = start_imap(&imap, true);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_IMPLICIT);
    struct imap_error err;

    endpoint.password = imap.password;
    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(no_password_given)
{
    const struct fake_imap imap = {0};
    struct fake_server *server = start_imap(&imap, true);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_IMPLICIT);
    struct imap_error err;

    endpoint.password = NULL;
    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AUTH);
    fake_stop(&server);
}
END_TEST

START_TEST(preauth_where_it_is_safe)
{
    const struct fake_imap imap = {.greeting = "* PREAUTH welcome\r\n"};
    struct fake_server *server = start_imap(&imap, true);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_IMPLICIT);
    struct imap_error err;

    endpoint.user = endpoint.password = NULL;
    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);

    endpoint = (struct imap_endpoint){
        .tunnel = "printf '* PREAUTH [CAPABILITY IMAP4rev1] hi\\r\\n'; cat >/dev/null", .timeout_ms = 5000};
    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
}
END_TEST

/* A tunnel is secure by the user's word: a password may go through it. */
START_TEST(login_through_a_tunnel)
{
    struct imap_endpoint endpoint = {
        .tunnel = "printf '* OK [CAPABILITY IMAP4rev1] hi\\r\\n'; read -r tag verb user word;"
                  "[ \"$verb $user\" = 'LOGIN joe' ] && printf '%s OK [CAPABILITY IMAP4rev1] in\\r\\n' $tag;"
                  "cat >/dev/null",
        .user = USER,
        .password = PASSWORD,
        .timeout_ms = 5000};
    struct imap_error err;

    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
}
END_TEST

START_TEST(a_tunnel_that_fails)
{
    struct imap_endpoint endpoint = {
        .tunnel = "exit 1", .user = USER, .password = PASSWORD, .timeout_ms = 5000};
    struct imap_error err;

    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AGAIN);
    ck_assert_msg(strstr(err.text, "tunnel") != NULL, "%s", err.text);
}
END_TEST

/* ---- STARTTLS ---------------------------------------------------------------------------------------- */

static const struct fake_imap after_tls = {.greeting = "", .user = USER, .password = PASSWORD};

/* The capabilities from before the handshake are forgotten: the server that follows offers other ones. */
START_TEST(starttls_then_login)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"},
        {"STARTTLS", "T OK go\r\n"},
        {NULL, "TLS"},
        {NULL, NULL}};
    const struct fake_play play = {.steps = steps, .then = &after_tls};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_STARTTLS);
    struct imap_error err;

    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
    assert_no_password_in_the_clear(server);
    ck_assert(fake_saw_plain(server, "STARTTLS"));
    fake_stop(&server);
}
END_TEST

struct attack {
    const char *name;
    enum imap_status status;
    struct fake_step steps[5];
};

/* A man in the middle of a plain line, trying to keep it plain (or to slip commands into what follows). */
static const struct attack attacks[] = {
    {"not offered", IMAP_AUTH, {{NULL, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n"}}},
    {"not offered when asked",
     IMAP_AUTH,
     {{NULL, "* OK hi\r\n"}, {"CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nT OK done\r\n"}}},
    {"refused by NO",
     IMAP_AUTH,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n"}, {"STARTTLS", "T NO not today\r\n"}}},
    {"refused by BAD",
     IMAP_AUTH,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n"}, {"STARTTLS", "T BAD what?\r\n"}}},
    {"a continuation",
     IMAP_PROTO,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n"}, {"STARTTLS", "+ go on\r\n"}}},
    {"PREAUTH", IMAP_AUTH, {{NULL, "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] you are in\r\n"}}},
    {"a response injected behind the OK",
     IMAP_PROTO,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"},
      {"STARTTLS", "T OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"}}},
    {"half a response behind the OK",
     IMAP_PROTO,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"}, {"STARTTLS", "T OK go\r\n* OK half a li\n"}}},
    {"BYE",
     IMAP_AGAIN,
     {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"}, {"STARTTLS", "* BYE no\r\n"}}},
};

START_TEST(starttls_is_never_downgraded)
{
    const struct attack *attack = &attacks[_i];
    const struct fake_play play = {.steps = attack->steps};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_STARTTLS);
    struct imap_error err;

    endpoint.timeout_ms = 2000;
    enum imap_status status = dial(&endpoint, -1, &err);
    ck_assert_msg(status == attack->status, "%s: %s %s", attack->name, imap_status_name(status), err.text);
    assert_no_password_in_the_clear(server);
    fake_stop(&server);
}
END_TEST

/* An OK that comes before the command was sent counts for nothing: no tag was outstanding. */
START_TEST(an_answer_ahead_of_the_command)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\nA1 OK go\r\n"}, {NULL, NULL}};
    const struct fake_play play = {.steps = steps};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_STARTTLS);
    struct imap_error err;

    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_PROTO);
    assert_no_password_in_the_clear(server);
    fake_stop(&server);
}
END_TEST

START_TEST(starttls_to_the_wrong_certificate)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"},
                                             {"STARTTLS", "T OK go\r\n"},
                                             {NULL, "TLS"},
                                             {NULL, NULL}};
    const struct fake_play play = {.steps = steps, .then = &after_tls};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_STARTTLS);
    struct imap_error err;

    endpoint.cafile = NULL;
    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, cert.fingerprint) != NULL, "%s", err.text);
    assert_no_password_in_the_clear(server);
    fake_stop(&server);
}
END_TEST

/* ---- servers that refuse, stall or die --------------------------------------------------------------- */

static const struct attack refusals[] = {
    {"BYE as greeting", IMAP_AGAIN, {{NULL, "* BYE Too many connections from your address\r\n"}}},
    {"unavailable",
     IMAP_AGAIN,
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"LOGIN " USER " " PASSWORD, "T NO [UNAVAILABLE] backend is down\r\n"}}},
    {"limit",
     IMAP_AGAIN,
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"LOGIN " USER " " PASSWORD, "T NO [LIMIT] slow down\r\n"}}},
    {"too many",
     IMAP_AGAIN,
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"LOGIN " USER " " PASSWORD, "T NO Too many simultaneous connections.\r\n"}}},
    {"throttled",
     IMAP_AGAIN,
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"LOGIN " USER " " PASSWORD,
       "T BAD Request is throttled. Suggested Backoff Time: 100 milliseconds\r\n* BYE\r\n"}}},
    {"refused without a code",
     IMAP_AUTH,
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"}, {"LOGIN " USER " " PASSWORD, "T NO go away\r\n"}}},
    {"not IMAP", IMAP_PROTO, {{NULL, "220 mail.example.org ESMTP\r\n"}}},
};

START_TEST(refusals_are_told_apart)
{
    const struct attack *refusal = &refusals[_i];
    const struct fake_play play = {.steps = refusal->steps};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    endpoint.timeout_ms = 2000;
    enum imap_status status = dial(&endpoint, -1, &err);
    ck_assert_msg(status == refusal->status, "%s: %s %s", refusal->name, imap_status_name(status), err.text);
    fake_stop(&server);
}
END_TEST

static void assert_stalls(const struct fake_step *steps)
{
    const struct fake_play play = {.steps = steps};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;
    int64_t begin = imap_net_now();

    endpoint.timeout_ms = 300;
    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AGAIN);
    ck_assert_int_ge(imap_net_now() - begin, 300);
    ck_assert_int_lt(imap_net_now() - begin, 4000);
    fake_stop(&server);
}

START_TEST(stalls_end_by_the_deadline)
{
    static const struct fake_step nothing[] = {{NULL, NULL}};
    static const struct fake_step in_login[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"}, {"LOGIN " USER " " PASSWORD, NULL}, {NULL, NULL}};

    assert_stalls(nothing);
    assert_stalls(in_login);
}
END_TEST

/* A byte now and then is no silence, but login as a whole has a deadline too. */
static void serve_endless_greeting(struct fake_client *client, void *arg)
{
    (void)arg;
    fake_send(client, "* OK ");
    while (fake_send(client, "x"))
        if (imap_net_wait(client->fd, POLLIN, imap_net_now() + 20, -1, NULL) == IMAP_OK)
            return; /* the client has closed */
}

START_TEST(a_dripping_server_does_not_hold_us)
{
    struct fake_options options = {.serve = serve_endless_greeting};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;
    int64_t begin = imap_net_now();

    endpoint.timeout_ms = 400;
    ck_assert_int_eq(dial(&endpoint, -1, &err), IMAP_AGAIN);
    ck_assert_int_lt(imap_net_now() - begin, 4000);
    fake_stop(&server);
}
END_TEST

static void serve_dripping(struct fake_client *client, void *arg)
{
    char line[256];
    char *tag;

    (void)arg;
    fake_drip(client, "* OK [CAPABILITY IMAP4rev1] dripping\r\n");
    if (!fake_line(client, line, sizeof(line)))
        return;
    tag = strtok(line, " ");
    fake_drip(client, tag);
    fake_drip(client, " OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
    fake_stall(client);
}

START_TEST(bytes_may_come_one_by_one)
{
    struct fake_options options = {.serve = serve_dripping};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_msg(dial(&endpoint, -1, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(cancelling_ends_login)
{
    static const struct fake_step nothing[] = {{NULL, NULL}};
    const struct fake_play play = {.steps = nothing};
    struct fake_server *server = start_play(&play);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;
    int cancel_fd = imap_net_wake_new();

    endpoint.timeout_ms = 60000;
    imap_net_wake(cancel_fd);
    ck_assert_int_eq(dial(&endpoint, cancel_fd, &err), IMAP_CANCEL);
    close(cancel_fd);
    fake_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login");
    TCase *tcase = tcase_create("login");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_certificate, remove_certificate);
    tcase_add_test(tcase, plain_with_initial_response);
    tcase_add_test(tcase, plain_without_initial_response);
    tcase_add_test(tcase, login);
    tcase_add_test(tcase, login_disabled);
    tcase_add_test(tcase, capabilities_are_asked_for);
    tcase_add_test(tcase, odd_characters_in_the_password);
    tcase_add_test(tcase, no_password_given);
    tcase_add_test(tcase, preauth_where_it_is_safe);
    tcase_add_test(tcase, login_through_a_tunnel);
    tcase_add_test(tcase, a_tunnel_that_fails);
    tcase_add_test(tcase, starttls_then_login);
    tcase_add_loop_test(tcase, starttls_is_never_downgraded, 0, sizeof(attacks) / sizeof(attacks[0]));
    tcase_add_test(tcase, an_answer_ahead_of_the_command);
    tcase_add_test(tcase, starttls_to_the_wrong_certificate);
    tcase_add_loop_test(tcase, refusals_are_told_apart, 0, sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(tcase, stalls_end_by_the_deadline);
    tcase_add_test(tcase, a_dripping_server_does_not_hold_us);
    tcase_add_test(tcase, bytes_may_come_one_by_one);
    tcase_add_test(tcase, cancelling_ends_login);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
