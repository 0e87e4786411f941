/* SPDX-License-Identifier: MIT */
/* Authentication over a line: every step of login.h, and servers that refuse, cheat or do not understand. */
#include <openssl/ssl.h>
#include <stdio.h>

#include "auth_help.h"
#include "fakescram.h"

/* ---- a server that knows SCRAM --------------------------------------------------------------------- */

enum trick {
    HONEST,
    OTHER_CHANNEL,    /* sees another TLS channel, and says so */
    UNKNOWN_BINDING,  /* knows no binding of this type */
    MUTE_BINDING,     /* nor does this one, but it does not say so: Cyrus 3.6 with TLS 1.3 */
    WRONG_SIGNATURE,  /* cannot prove that it knows the password */
    NO_SIGNATURE,     /* says OK where its proof is due */
    EARLY_OK,         /* says OK at once */
    OK_AFTER_ABORT,   /* says OK when we have given up */
    BOMB,             /* asks for hours of hashing */
    NO_SCRAM_PASSWORD /* offers SCRAM, has no password for it */
};

struct world {
    struct fake_imap imap;
    const char *password;
    enum trick trick;
    char tried[200]; /* the mechanisms, in order */
};

static void note(struct world *world, const char *word, size_t len)
{
    size_t used = strlen(world->tried);
    snprintf(world->tried + used, sizeof(world->tried) - used, "%s%.*s", used ? " " : "", (int)len, word);
}

static void bind_to(struct fake_client *client, struct fake_scram *scram, enum trick trick)
{
    if (SSL_version(client->ssl) >= TLS1_3_VERSION) {
        scram->binding_type = "tls-exporter";
        scram->binding_len = 32;
        ck_assert_int_eq(SSL_export_keying_material(client->ssl, scram->binding, 32,
                                                    "EXPORTER-Channel-Binding", 24, (const unsigned char *)"",
                                                    0, 1),
                         1);
    } else {
        scram->binding_type = "tls-unique";
        scram->binding_len = SSL_get_peer_finished(client->ssl, scram->binding, sizeof(scram->binding));
    }
    if (trick == OTHER_CHANNEL)
        scram->binding[0] ^= 1;
}

static bool send_base64(struct fake_client *client, const char *text)
{
    char base64[1024];
    char line[1100];

    fake_base64(text, strlen(text), base64, sizeof(base64));
    snprintf(line, sizeof(line), "+ %s\r\n", base64);
    return fake_send(client, line);
}

static bool say_no(struct fake_client *client, const char *tag, const char *why)
{
    char line[200];

    snprintf(line, sizeof(line), "%s NO %s\r\n", tag, why);
    return fake_send(client, line);
}

/* Sends a challenge and takes the response to it; false: "*", or the line has ended. */
static bool exchange(struct fake_client *client, const char *challenge, char *response, size_t size)
{
    char line[1024];
    size_t len;

    return send_base64(client, challenge) && fake_line(client, line, sizeof(line)) &&
           strcmp(line, "*") != 0 && fake_unbase64(line, response, size, &len);
}

static const char *error_of(enum trick trick, bool plus)
{
    if (trick == OTHER_CHANNEL && plus)
        return "e=channel-bindings-dont-match";
    if (trick == UNKNOWN_BINDING && plus)
        return "e=unsupported-channel-binding-type";
    return NULL;
}

static void serve_scram(struct fake_client *client, const char *tag, const char *mechanism,
                        struct world *world)
{
    bool plus = strstr(mechanism, "-PLUS") != NULL;
    struct fake_scram scram = {.sha256 = strstr(mechanism, "256") != NULL,
                               .user = USER,
                               .password = world->password,
                               .nonce = "abcdefgh",
                               .salt = "QSXCR+Q6sek8bf92",
                               .rounds = world->trick == BOMB ? "4000000000" : "4096"};
    char first[600], answer[600], final[600], verdict[200];
    const char *initial = strrchr(mechanism, ' ');
    size_t len;

    if (plus)
        bind_to(client, &scram, world->trick);
    if (!initial || !fake_unbase64(initial + 1, first, sizeof(first), &len))
        return;
    if (error_of(world->trick, plus)) {
        exchange(client, error_of(world->trick, plus), answer, sizeof(answer));
        say_no(client, tag, "[AUTHENTICATIONFAILED] no");
        return;
    }
    ck_assert_msg(fake_scram_first(&scram, first, answer, sizeof(answer)), "%s", first);
    if (!exchange(client, answer, final, sizeof(final))) {
        if (world->trick == OK_AFTER_ABORT || world->trick == BOMB)
            fake_ok(client, tag, "[CAPABILITY IMAP4rev1] in");
        return;
    }
    if (world->trick == MUTE_BINDING && plus) {
        say_no(client, tag, "bad protocol / cancel");
        return;
    }
    if (!fake_scram_final(&scram, final, verdict, sizeof(verdict))) {
        say_no(client, tag, "[AUTHENTICATIONFAILED] wrong password");
        return;
    }
    if (world->trick == WRONG_SIGNATURE || world->trick == OK_AFTER_ABORT)
        verdict[7] = verdict[7] == 'x' ? 'y' : 'x';
    if (world->trick != NO_SIGNATURE && !exchange(client, verdict, answer, sizeof(answer)) &&
        world->trick != OK_AFTER_ABORT)
        say_no(client, tag, "aborted");
    else
        fake_ok(client, tag, "[CAPABILITY IMAP4rev1 IDLE] in");
}

static bool hook(struct fake_client *client, const char *tag, const char *command, bool *stop, void *arg)
{
    struct world *world = arg;

    *stop = false;
    if (strncmp(command, "LOGIN ", 6) == 0)
        note(world, "login", 5);
    if (strncmp(command, "AUTHENTICATE ", 13) != 0)
        return false;
    note(world, command + 13, strcspn(command + 13, " "));
    if (world->trick == EARLY_OK) {
        fake_ok(client, tag, "[CAPABILITY IMAP4rev1] come in");
        return true;
    }
    if (strncmp(command + 13, "SCRAM-", 6) != 0 && strncmp(command + 13, "CRAM-", 5) != 0)
        return false;
    if (world->trick == NO_SCRAM_PASSWORD)
        say_no(client, tag, "[AUTHENTICATIONFAILED] no such password");
    else
        serve_scram(client, tag, command + 13, world);
    return true;
}

static void serve_world(struct fake_client *client, void *arg)
{
    fake_imap_serve(client, &((struct world *)arg)->imap);
}

static void make_world(struct world *world, const char *caps, enum trick trick)
{
    *world =
        (struct world){.imap = {.caps = caps, .user = USER, .password = PASSWORD, .hook = hook, .arg = world},
                       .password = PASSWORD,
                       .trick = trick};
}

static enum imap_status visit(struct world *world, enum imap_tls tls, bool tls12,
                              const struct imap_credentials *credentials, struct imap_error *err)
{
    const struct fake_options options = {
        .serve = serve_world, .arg = world, .cert = &cert, .tls = tls == IMAP_TLS_IMPLICIT, .tls12 = tls12};
    struct fake_server *server = fake_start(&options);
    const struct imap_endpoint endpoint = endpoint_of(server, tls);
    enum imap_status status = log_in(&endpoint, credentials, err);

    ck_assert(!fake_saw_plain(server, PASSWORD));
    fake_stop(&server);
    return status;
}

#define SCRAMS "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256"
#define PLUSES SCRAMS " AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256-PLUS"

static const struct meeting {
    const char *caps;
    enum imap_tls tls;
    enum trick trick;
    const char *mechanisms; /* that are allowed */
    const char *password;   /* NULL: the right one */
    const char *tried, *says;
    enum imap_status status;
    bool tls12;
} meetings[] = {
    {SCRAMS, IMAP_TLS_NONE, HONEST, NULL, NULL, "SCRAM-SHA-256", "", IMAP_OK, false},
    {SCRAMS, IMAP_TLS_IMPLICIT, HONEST, NULL, NULL, "SCRAM-SHA-256", "", IMAP_OK, false},
    {SCRAMS, IMAP_TLS_NONE, HONEST, "SCRAM-SHA-1", NULL, "SCRAM-SHA-1", "", IMAP_OK, false},
    {PLUSES, IMAP_TLS_NONE, HONEST, NULL, NULL, "SCRAM-SHA-256", "", IMAP_OK, false},
    {PLUSES, IMAP_TLS_IMPLICIT, HONEST, NULL, NULL, "SCRAM-SHA-256-PLUS", "", IMAP_OK, false},
    {PLUSES, IMAP_TLS_IMPLICIT, HONEST, NULL, NULL, "SCRAM-SHA-256-PLUS", "", IMAP_OK, true},
    {PLUSES, IMAP_TLS_IMPLICIT, HONEST, "SCRAM-SHA-1-PLUS", NULL, "SCRAM-SHA-1-PLUS", "", IMAP_OK, false},
    /* a wrong password is tried once; where the server has none for SCRAM, in the form that serves any */
    {PLUSES, IMAP_TLS_IMPLICIT, HONEST, NULL, "wrong", "SCRAM-SHA-256-PLUS", "wrong password", IMAP_AUTH,
     false},
    {SCRAMS, IMAP_TLS_IMPLICIT, HONEST, "SCRAM-SHA-256 SCRAM-SHA-1", "wrong", "SCRAM-SHA-256",
     "wrong password", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_IMPLICIT, NO_SCRAM_PASSWORD, NULL, NULL, "SCRAM-SHA-256 PLAIN", "", IMAP_OK, false},
    {"IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5", IMAP_TLS_IMPLICIT, NO_SCRAM_PASSWORD, NULL, NULL,
     "CRAM-MD5 PLAIN", "", IMAP_OK, false},
    {SCRAMS, IMAP_TLS_IMPLICIT, HONEST, NULL, "wrong", "SCRAM-SHA-256", "wrong password", IMAP_AUTH, false},
    {"IMAP4rev1 AUTH=SCRAM-SHA-1 AUTH=CRAM-MD5", IMAP_TLS_IMPLICIT, NO_SCRAM_PASSWORD, NULL, NULL,
     "SCRAM-SHA-1 login", "", IMAP_OK, false},
    {PLUSES, IMAP_TLS_IMPLICIT, UNKNOWN_BINDING, NULL, NULL, "SCRAM-SHA-256-PLUS SCRAM-SHA-256", "", IMAP_OK,
     false},
    {PLUSES, IMAP_TLS_IMPLICIT, MUTE_BINDING, NULL, NULL, "SCRAM-SHA-256-PLUS SCRAM-SHA-256", "", IMAP_OK,
     false},
    /* who sits between gets nothing more */
    {PLUSES, IMAP_TLS_IMPLICIT, OTHER_CHANNEL, NULL, NULL, "SCRAM-SHA-256-PLUS", "between", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_NONE, WRONG_SIGNATURE, NULL, NULL, "SCRAM-SHA-256", "impostor", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_NONE, NO_SIGNATURE, NULL, NULL, "SCRAM-SHA-256", "proven", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_NONE, EARLY_OK, NULL, NULL, "SCRAM-SHA-256", "proven", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_NONE, OK_AFTER_ABORT, NULL, NULL, "SCRAM-SHA-256", "impostor", IMAP_AUTH, false},
    {SCRAMS, IMAP_TLS_NONE, BOMB, NULL, NULL, "SCRAM-SHA-256", "rounds", IMAP_AUTH, false},
    {"IMAP4rev1 AUTH=PLAIN", IMAP_TLS_IMPLICIT, EARLY_OK, NULL, NULL, "PLAIN", "proven", IMAP_AUTH, false},
    {"IMAP4rev1 SASL-IR AUTH=CRAM-MD5", IMAP_TLS_IMPLICIT, EARLY_OK, NULL, NULL, "CRAM-MD5", "proven",
     IMAP_AUTH, false},
};

START_TEST(servers_that_know_scram)
{
    const struct meeting *meeting = &meetings[_i];
    struct imap_credentials credentials = joe;
    struct world world;
    struct imap_error err;
    int64_t begin = imap_net_now();

    make_world(&world, meeting->caps, meeting->trick);
    credentials.mechanisms = meeting->mechanisms;
    if (meeting->password)
        credentials.password = meeting->password;
    enum imap_status status = visit(&world, meeting->tls, meeting->tls12, &credentials, &err);
    ck_assert_msg(status == meeting->status, "%d: %s %s", _i, imap_status_name(status), err.text);
    ck_assert_msg(strcmp(world.tried, meeting->tried) == 0, "%d: tried %s", _i, world.tried);
    ck_assert_msg(strstr(err.text, meeting->says) != NULL, "%d: %s", _i, err.text);
    ck_assert_int_lt(imap_net_now() - begin, 3000);
}
END_TEST

/* ---- never weaker than allowed --------------------------------------------------------------------- */

static const struct floor {
    enum imap_auth_strength strength;
    const char *caps, *mechanisms;
} floors[] = {
    {IMAP_AUTH_CHALLENGED, "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN", NULL},
    {IMAP_AUTH_MUTUAL, "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5", NULL},
    {IMAP_AUTH_BOUND, PLUSES, NULL}, /* without TLS there is nothing to bind to */
    {IMAP_AUTH_ANY, "IMAP4rev1 SASL-IR AUTH=PLAIN", "SCRAM-SHA-256"},
    {IMAP_AUTH_ANY, "IMAP4rev1 LOGINDISABLED AUTH=CRAM-MD5", "login PLAIN"},
};

START_TEST(nothing_weaker_is_tried)
{
    struct imap_credentials credentials = joe;
    struct world world;
    struct imap_error err;

    make_world(&world, floors[_i].caps, HONEST);
    credentials.strength = floors[_i].strength;
    credentials.mechanisms = floors[_i].mechanisms;
    ck_assert_int_eq(visit(&world, IMAP_TLS_NONE, false, &credentials, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "allowed") != NULL, "%s", err.text);
    ck_assert_str_eq(world.tried, "");
}
END_TEST

START_TEST(a_floor_stops_the_second_attempt)
{
    struct imap_credentials credentials = joe;
    struct world world;
    struct imap_error err;

    make_world(&world, SCRAMS, NO_SCRAM_PASSWORD);
    credentials.strength = IMAP_AUTH_MUTUAL;
    ck_assert_int_eq(visit(&world, IMAP_TLS_IMPLICIT, false, &credentials, &err), IMAP_AUTH);
    ck_assert_str_eq(world.tried, "SCRAM-SHA-256");
}
END_TEST

static const char own_secret[] = "c2VjcmV0"; /* base64 of "secret" */

static bool give_secret(void *arg, const void *challenge, size_t len, const void **response_out,
                        size_t *len_out)
{
    (void)arg, (void)challenge, (void)len;
    *response_out = "secret";
    *len_out = 6;
    return true;
}

/* On a line that waits for STARTTLS each of the three refuses to send anything. */
START_TEST(nothing_before_encryption)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5 AUTH=X] hi\r\n"}, {NULL, NULL}};
    const struct fake_play play = {.steps = steps};
    struct fake_server *server = play_server(&play);
    const struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_STARTTLS);
    int64_t until = imap_net_now() + 5000;
    struct imap_line line;
    struct imap_error err = {0};

    start_line(&line, &endpoint);
    ck_assert_int_eq(imap_tcp_open(&endpoint, until, -1, &line.transport, &err), IMAP_OK);
    ck_assert_int_eq(imap_login_greet(&line, until, -1, &err), IMAP_AUTH);
    ck_assert_int_eq(imap_login_with(&line, &joe, until, -1, &err), IMAP_AUTH);
    ck_assert_int_eq(imap_login_plainly(&line, USER, PASSWORD, until, -1, &err), IMAP_AUTH);
    ck_assert_int_eq(imap_login_authenticate(&line, "X", give_secret, NULL, until, -1, &err), IMAP_AUTH);
    imap_line_fini(&line);
    ck_assert(!fake_saw_plain(server, PASSWORD) && !fake_saw_plain(server, "AUTHENTICATE"));
    ck_assert(!fake_saw_plain(server, own_secret) && !fake_saw_plain(server, "LOGIN"));
    fake_stop(&server);
}
END_TEST

/* ---- EXTERNAL -------------------------------------------------------------------------------------- */

START_TEST(external_by_client_certificate)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=EXTERNAL] hi\r\n"},
        {"AUTHENTICATE EXTERNAL =", "T OK [CAPABILITY IMAP4rev1] in\r\n"},
        {"LOGOUT", "* BYE bye\r\nT OK out\r\n"},
        {NULL, NULL}};
    const struct fake_play play = {.steps = steps};
    const struct fake_options options = {.serve = fake_play_serve,
                                         .arg = (void *)&play,
                                         .cert = &cert,
                                         .tls = true,
                                         .client_cert = &client_cert};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_IMPLICIT);
    const struct imap_credentials nobody = {.user = USER};
    struct imap_error err;

    endpoint.clientcert = client_cert.bothfile;
    ck_assert_msg(log_in(&endpoint, &nobody, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(external_without_initial_response)
{
    static const struct fake_step steps[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 AUTH=EXTERNAL] hi\r\n"},
                                             {"AUTHENTICATE EXTERNAL", "+ \r\n"},
                                             {"> ", "T OK [CAPABILITY IMAP4rev1] in\r\n"},
                                             {NULL, NULL}};
    const struct imap_credentials named = {.user = USER, .mechanisms = "EXTERNAL"};
    struct imap_error err;

    ck_assert_msg(log_in_to(steps, &named, &err) == IMAP_OK, "%s", err.text);
}
END_TEST

/* ---- CRAM-MD5, LOGIN, and challenges that are none --------------------------------------------------- */

START_TEST(cram_md5_then_capabilities)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=CRAM-MD5] hi\r\n"}, /* RFC 2195 2 */
        {"AUTHENTICATE CRAM-MD5", "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"},
        {"> dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", "T OK in\r\n"},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nT OK done\r\n"},
        {NULL, NULL}};
    const struct imap_credentials tim = {.user = "tim", .password = "tanstaaftanstaaf"};
    struct imap_error err;

    ck_assert_msg(log_in_to(steps, &tim, &err) == IMAP_OK, "%s", err.text);
}
END_TEST

START_TEST(login_the_mechanism)
{
    static const struct fake_step steps[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=LOGIN] hi\r\n"},
        {"AUTHENTICATE LOGIN", "+ VXNlcm5hbWU6\r\n"},
        {"> am9l", "+ UGFzc3dvcmQ6\r\n"},
        {"> VHIwdWI0ZG9y", "T OK [CAPABILITY IMAP4rev1] in\r\n"},
        {NULL, NULL}};
    struct imap_error err;

    ck_assert_msg(log_in_to(steps, &joe, &err) == IMAP_OK, "%s", err.text);
}
END_TEST

static const struct odd {
    const char *says;
    struct fake_step steps[5];
} odd_servers[] = {
    {"base64",
     {{NULL, "* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] hi\r\n"},
      {"AUTHENTICATE CRAM-MD5", "+ what?\r\n"},
      {"> *", "T BAD aborted\r\n"}}},
    {"more than PLAIN",
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"},
      {"AUTHENTICATE PLAIN " PLAIN_BASE64, "+ bW9yZQ==\r\n"},
      {"> *", "T BAD aborted\r\n"}}},
    {"more than PLAIN",
     {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"},
      {"AUTHENTICATE PLAIN " PLAIN_BASE64, "+ bW9yZQ==\r\n"},
      {"> *", "+ bW9yZQ==\r\n"},
      {"> *", "T OK in\r\n"}}},
};

START_TEST(odd_challenges_are_aborted)
{
    struct imap_error err;

    ck_assert_int_eq(log_in_to(odd_servers[_i].steps, &joe, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, odd_servers[_i].says) != NULL, "%s", err.text);
}
END_TEST

static void serve_huge_challenge(struct fake_client *client, void *arg)
{
    char line[1000], tag[40];
    char *huge = malloc(200001);

    memset(huge, 'A', 200000);
    huge[200000] = '\0';
    fake_send(client, "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi\r\n");
    fake_line(client, line, sizeof(line));
    snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(line, " "), line);
    fake_send(client, "+ \r\n");
    fake_line(client, line, sizeof(line));
    fake_send(client, "+ ");
    fake_send(client, huge);
    fake_send(client, "\r\n");
    free(huge);
    if (fake_line(client, line, sizeof(line)))
        *(bool *)arg = strcmp(line, "*") == 0;
    say_no(client, tag, "as you like");
    fake_stall(client);
}

START_TEST(a_huge_challenge)
{
    bool aborted = false;
    const struct fake_options options = {.serve = serve_huge_challenge, .arg = &aborted};
    struct fake_server *server = fake_start(&options);
    const struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_int_eq(log_in(&endpoint, &joe, &err), IMAP_AUTH);
    fake_stop(&server);
    ck_assert(aborted);
    ck_assert_msg(strstr(err.text, "too large") != NULL, "%s", err.text);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(*(array)))

int main(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("auth");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_certificates, remove_certificates);
    tcase_add_loop_test(tcase, servers_that_know_scram, 0, COUNT(meetings));
    tcase_add_loop_test(tcase, nothing_weaker_is_tried, 0, COUNT(floors));
    tcase_add_test(tcase, a_floor_stops_the_second_attempt);
    tcase_add_test(tcase, nothing_before_encryption);
    tcase_add_test(tcase, external_by_client_certificate);
    tcase_add_test(tcase, external_without_initial_response);
    tcase_add_test(tcase, cram_md5_then_capabilities);
    tcase_add_test(tcase, login_the_mechanism);
    tcase_add_loop_test(tcase, odd_challenges_are_aborted, 0, COUNT(odd_servers));
    tcase_add_test(tcase, a_huge_challenge);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
