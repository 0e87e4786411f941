/* SPDX-License-Identifier: MIT */
/* The steps of login.h one by one, as a client takes them; the caller's own mechanism. */
#include <stdio.h>

#include "auth_help.h"

struct session {
    struct fake_play play;
    struct fake_server *server;
    struct imap_endpoint endpoint;
    struct imap_line line;
    struct imap_error err;
    int64_t until;
};

/* Connects to a server that plays these steps, and takes its greeting. */
static void open_session(struct session *session, const struct fake_step *steps, const struct fake_imap *then)
{
    *session = (struct session){.play = {.steps = steps, .then = then}, .until = imap_net_now() + 5000};
    session->server = play_server(&session->play);
    session->endpoint = endpoint_of(session->server, IMAP_TLS_NONE);
    start_line(&session->line, &session->endpoint);
    ck_assert_int_eq(
        imap_tcp_open(&session->endpoint, session->until, -1, &session->line.transport, &session->err),
        IMAP_OK);
    enum imap_status status = imap_login_greet(&session->line, session->until, -1, &session->err);
    ck_assert_msg(status == IMAP_OK, "%s", session->err.text);
    ck_assert(imap_session_caps_known(session->line.session));
}

static void close_session(struct session *session)
{
    imap_line_fini(&session->line);
    fake_stop(&session->server);
}

static enum imap_state state_of(const struct session *session)
{
    return imap_session_state(session->line.session);
}

/* ---- the caller's own mechanism ----------------------------------------------------------------------- */

struct script {
    const char *expected[4]; /* the challenges; "" is the empty one, NULL that there is none */
    const char *responses[4];
    bool gives_up[4];
    unsigned at;
};

static bool follow(void *arg, const void *challenge, size_t len, const void **response_out, size_t *len_out)
{
    struct script *script = arg;
    unsigned at = script->at++;

    ck_assert_uint_lt(at, 4);
    if (script->expected[at]) {
        ck_assert_ptr_nonnull(challenge);
        ck_assert_msg(len == strlen(script->expected[at]) &&
                          memcmp(challenge, script->expected[at], len) == 0,
                      "challenge %u is %.*s", at, (int)len, (const char *)challenge);
    } else {
        ck_assert_ptr_null(challenge);
        ck_assert_uint_eq(len, 0);
    }
    *response_out = script->responses[at];
    *len_out = script->responses[at] ? strlen(script->responses[at]) : 0;
    return !script->gives_up[at];
}

static const struct own {
    const char *name;
    enum imap_status status;
    unsigned asked;
    struct script script;
    struct fake_step steps[5];
} owns[] = {
    {"an initial response",
     IMAP_OK,
     1,
     {.responses = {"hello"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN aGVsbG8=", "T OK [CAPABILITY IMAP4rev1] in\r\n"}}},
    {"an empty initial response",
     IMAP_OK,
     1,
     {.responses = {""}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN =", "T OK [CAPABILITY IMAP4rev1] in\r\n"}}},
    {"without SASL-IR",
     IMAP_OK,
     2,
     {.expected = {NULL, "more"}, .responses = {"hello", "yes"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"AUTHENTICATE X-OWN", "+ \r\n"},
      {"> aGVsbG8=", "+ bW9yZQ==\r\n"},
      {"> eWVz", "T OK [CAPABILITY IMAP4rev1] in\r\n"}}},
    {"the server first",
     IMAP_OK,
     2,
     {.expected = {NULL, "more"}, .responses = {NULL, "yes"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN", "+ bW9yZQ==\r\n"},
      {"> eWVz", "T OK in\r\n"},
      {"CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nT OK done\r\n"}}},
    {"the server first without SASL-IR",
     IMAP_OK,
     1,
     {.expected = {"more"}, .responses = {"yes"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
      {"AUTHENTICATE X-OWN", "+ bW9yZQ==\r\n"},
      {"> eWVz", "T OK [CAPABILITY IMAP4rev1] in\r\n"}}},
    {"an empty challenge after none",
     IMAP_OK,
     2,
     {.expected = {NULL, ""}, .responses = {NULL, "yes"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN", "+ \r\n"},
      {"> eWVz", "T OK [CAPABILITY IMAP4rev1] in\r\n"}}},
    {"given up midway",
     IMAP_AUTH,
     2,
     {.expected = {NULL, "more"}, .responses = {"hello", NULL}, .gives_up = {false, true}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN aGVsbG8=", "+ bW9yZQ==\r\n"},
      {"> *", "T BAD as you like\r\n"},
      {"NOOP", "T OK done\r\n"}}},
    {"refused",
     IMAP_AUTH,
     1,
     {.responses = {"hello"}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"},
      {"AUTHENTICATE X-OWN aGVsbG8=", "T NO [AUTHENTICATIONFAILED] no\r\n"},
      {"NOOP", "T OK done\r\n"}}},
    {"given up at once: nothing is sent",
     IMAP_AUTH,
     1,
     {.gives_up = {true}},
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n"}, {"NOOP", "T OK done\r\n"}}},
};

static void on_done(void *arg, const struct imap_result *result)
{
    *(int *)arg = (int)result->status;
}

/* The line is as it was before. */
static void assert_usable(struct session *session)
{
    const struct imap_command_events events = {.done = on_done};
    struct imap_command *command = imap_command_new("NOOP");
    int done = -1;

    imap_command_on(command, &events, &done);
    imap_session_submit(session->line.session, command, NULL);
    while (done < 0 && imap_net_now() < session->until) {
        ck_assert_int_eq(imap_line_flush(&session->line, &session->err), IMAP_OK);
        imap_line_wait(&session->line, -1, -1, session->until);
        ck_assert_int_eq(imap_line_receive(&session->line, &session->err), IMAP_OK);
    }
    ck_assert_int_eq(done, IMAP_OK);
}

START_TEST(a_mechanism_of_the_callers_own)
{
    const struct own *own = &owns[_i];
    struct script script = own->script;
    struct session session;

    open_session(&session, own->steps, NULL);
    enum imap_status status =
        imap_login_authenticate(&session.line, "X-OWN", follow, &script, session.until, -1, &session.err);
    ck_assert_msg(status == own->status, "%s: %s %s", own->name, imap_status_name(status), session.err.text);
    ck_assert_uint_eq(script.at, own->asked);
    if (status == IMAP_OK) {
        ck_assert_int_eq(state_of(&session), IMAP_STATE_AUTHENTICATED);
        ck_assert(imap_session_caps_known(session.line.session));
    } else {
        ck_assert_int_eq(state_of(&session), IMAP_STATE_NOT_AUTHENTICATED);
        assert_usable(&session);
    }
    close_session(&session);
}
END_TEST

/* Whoever says OK to "*" is not to be talked to any more. */
START_TEST(an_ok_after_giving_up)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
                                             {"AUTHENTICATE X-OWN", "+ bW9yZQ==\r\n"},
                                             {"> *", "T OK come in\r\n"},
                                             {NULL, NULL}};
    struct script script = {.expected = {"more"}, .gives_up = {true}};
    struct session session;

    open_session(&session, steps, NULL);
    ck_assert_int_eq(
        imap_login_authenticate(&session.line, "X-OWN", follow, &script, session.until, -1, &session.err),
        IMAP_AUTH);
    ck_assert_int_eq(state_of(&session), IMAP_STATE_DEAD);
    close_session(&session);
}
END_TEST

START_TEST(names_that_no_mechanism_can_have)
{
    static const char *const names[] = {"",   "A B",     "PLAIN\r\nT LOGOUT", "TWENTY-ONE-CHARACTERS",
                                        "X(", "\xc3\xa4"};
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"}, {NULL, NULL}};
    struct script script = {.at = 0};
    struct session session;

    open_session(&session, steps, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_int_eq(imap_login_authenticate(&session.line, names[i], follow, &script, session.until, -1,
                                                 &session.err),
                         IMAP_USAGE);
    const struct imap_credentials odd = {.user = USER, .password = PASSWORD, .mechanisms = "PLAIN NONSENSE"};
    ck_assert_int_eq(imap_login_with(&session.line, &odd, session.until, -1, &session.err), IMAP_USAGE);
    ck_assert(!fake_saw_plain(session.server, " "));
    close_session(&session);
}
END_TEST

/* ---- LOGIN -------------------------------------------------------------------------------------------- */

START_TEST(login_plainly)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi\r\n"},
                                             {"LOGIN joe wrong", "T NO [AUTHENTICATIONFAILED] no\r\n"},
                                             {"LOGIN joe \"with \\\"quotes\\\"\"", "T OK in\r\n"},
                                             {"CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nT OK done\r\n"},
                                             {NULL, NULL}};
    struct script script = {.at = 0};
    struct session session;
    struct imap_error *err = &session.err;

    open_session(&session, steps, NULL);
    ck_assert_int_eq(imap_login_plainly(&session.line, USER, "wrong", session.until, -1, err), IMAP_AUTH);
    ck_assert_int_eq(err->code, IMAP_CODE_AUTHENTICATIONFAILED);
    enum imap_status status =
        imap_login_plainly(&session.line, USER, "with \"quotes\"", session.until, -1, err);
    ck_assert_msg(status == IMAP_OK, "%s", err->text);
    ck_assert(imap_caps_has(imap_session_caps(session.line.session), IMAP_CAP_IDLE));
    ck_assert_int_eq(imap_login_plainly(&session.line, USER, PASSWORD, session.until, -1, err), IMAP_USAGE);
    ck_assert_int_eq(imap_login_with(&session.line, &joe, session.until, -1, err), IMAP_USAGE);
    ck_assert_int_eq(imap_login_authenticate(&session.line, "X", follow, &script, session.until, -1, err),
                     IMAP_USAGE);
    close_session(&session);
}
END_TEST

/* Line ends go as literals, so that they end no command. */
START_TEST(login_with_line_ends)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1] hi\r\n"},
                                             {"LOGIN joe {6}", "+ go on\r\n"},
                                             {"> a", NULL},
                                             {"> b\"c", "T OK [CAPABILITY IMAP4rev1] in\r\n"},
                                             {NULL, NULL}};
    struct session session;

    open_session(&session, steps, NULL);
    enum imap_status status =
        imap_login_plainly(&session.line, USER, "a\r\nb\"c", session.until, -1, &session.err);
    ck_assert_msg(status == IMAP_OK, "%s", session.err.text);
    close_session(&session);
}
END_TEST

START_TEST(login_disabled)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"},
                                             {NULL, NULL}};
    struct session session;

    open_session(&session, steps, NULL);
    ck_assert_int_eq(imap_login_plainly(&session.line, USER, PASSWORD, session.until, -1, &session.err),
                     IMAP_AUTH);
    ck_assert_int_eq(state_of(&session), IMAP_STATE_NOT_AUTHENTICATED);
    ck_assert(!fake_saw_plain(session.server, PASSWORD));
    close_session(&session);
}
END_TEST

/* ---- STARTTLS ----------------------------------------------------------------------------------------- */

START_TEST(starttls_when_the_client_wants_it)
{
    static const struct fake_imap after = {.greeting = "", .user = USER, .password = PASSWORD};
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"},
        {"STARTTLS", "T OK go\r\n"},
        {NULL, "TLS"},
        {NULL, NULL}};
    struct session session;

    open_session(&session, steps, &after);
    enum imap_status status = imap_login_starttls(&session.line, session.until, -1, &session.err);
    ck_assert_msg(status == IMAP_OK, "%s", session.err.text);
    ck_assert(session.line.encrypted);
    ck_assert(!imap_session_caps_known(session.line.session));
    ck_assert_int_eq(imap_login_starttls(&session.line, session.until, -1, &session.err), IMAP_USAGE);
    status = imap_login_with(&session.line, &joe, session.until, -1, &session.err);
    ck_assert_msg(status == IMAP_OK, "%s", session.err.text);
    ck_assert(!fake_saw_plain(session.server, PASSWORD) && !fake_saw_plain(session.server, PLAIN_BASE64));
    close_session(&session);
}
END_TEST

START_TEST(starttls_that_is_refused)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"},
                                             {"STARTTLS", "T NO not today\r\n"},
                                             {"NOOP", "T OK done\r\n"},
                                             {NULL, NULL}};
    struct session session;

    open_session(&session, steps, NULL);
    ck_assert_int_eq(imap_login_starttls(&session.line, session.until, -1, &session.err), IMAP_AUTH);
    ck_assert(!session.line.encrypted);
    assert_usable(&session);
    close_session(&session);
}
END_TEST

/* ---- COMPRESS: what goes well is in server/test_auth_dovecot.c ------------------------------------------ */

START_TEST(compress_that_cannot_be_had)
{
    static const struct fake_step not_offered[] = {
        {NULL, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"}, {"NOOP", "T OK done\r\n"}, {NULL, NULL}};
    static const struct fake_step refused[] = {
        {NULL, "* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n"},
        {"COMPRESS DEFLATE", "T NO [COMPRESSIONACTIVE] TLS does it\r\n"},
        {"NOOP", "T OK done\r\n"},
        {NULL, NULL}};
    struct session session;

    open_session(&session, _i ? refused : not_offered, NULL);
    ck_assert_int_eq(imap_login_compress(&session.line, session.until, -1, &session.err), IMAP_NO);
    ck_assert_str_ne(session.err.text, "");
    ck_assert(!session.line.compressed);
    assert_usable(&session);
    close_session(&session);
}
END_TEST

/* What comes with the OK in one packet is compressed already: it must reach zlib, not the parser. */
START_TEST(compress_with_rubbish_behind)
{
    static const struct fake_step steps[] = {
        {NULL, "* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n"},
        {"COMPRESS DEFLATE", "T OK go\r\n* BYE in the clear\r\n"},
        {NULL, NULL}};
    struct session session;

    open_session(&session, steps, NULL);
    ck_assert_int_eq(imap_login_compress(&session.line, session.until, -1, &session.err), IMAP_OK);
    ck_assert(session.line.compressed && !session.line.bye);
    ck_assert_int_eq(imap_login_compress(&session.line, session.until, -1, &session.err), IMAP_USAGE);
    imap_line_wait(&session.line, -1, -1, session.until);
    ck_assert_int_eq(imap_line_receive(&session.line, &session.err), IMAP_PROTO);
    close_session(&session);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(*(array)))

int main(void)
{
    Suite *suite = suite_create("login_steps");
    TCase *tcase = tcase_create("login_steps");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_certificates, remove_certificates);
    tcase_add_loop_test(tcase, a_mechanism_of_the_callers_own, 0, COUNT(owns));
    tcase_add_test(tcase, an_ok_after_giving_up);
    tcase_add_test(tcase, names_that_no_mechanism_can_have);
    tcase_add_test(tcase, login_plainly);
    tcase_add_test(tcase, login_with_line_ends);
    tcase_add_test(tcase, login_disabled);
    tcase_add_test(tcase, starttls_when_the_client_wants_it);
    tcase_add_test(tcase, starttls_that_is_refused);
    tcase_add_loop_test(tcase, compress_that_cannot_be_had, 0, 2);
    tcase_add_test(tcase, compress_with_rubbish_behind);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
