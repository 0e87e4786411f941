/* SPDX-License-Identifier: MIT */
/* OAuth 2.0: tokens that are taken, refused, expired, missing or long. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "auth_help.h"
#include "fakescram.h"
#include "imap/pool.h"
#include "token.h"

static void say_no(struct fake_client *client, const char *tag)
{
    fake_send(client, tag);
    fake_send(client, " NO SASL authentication failed\r\n");
}

static void send_base64(struct fake_client *client, const char *text)
{
    char base64[200];

    fake_base64(text, strlen(text), base64, sizeof(base64));
    fake_send(client, "+ ");
    fake_send(client, base64);
    fake_send(client, "\r\n");
}

struct tokens {
    const char *first, *second;
    unsigned asked, expired;
    char buffer[2000];
};

static const char *give_token(void *arg, bool expired)
{
    struct tokens *tokens = arg;
    const char *token = expired ? tokens->second : tokens->first;

    tokens->asked++;
    tokens->expired += expired;
    memset(tokens->buffer, 'x', sizeof(tokens->buffer)); /* the last one is no more */
    if (!token)
        return NULL;
    snprintf(tokens->buffer, sizeof(tokens->buffer), "%s", token);
    return tokens->buffer;
}

/* user=joe^Aauth=Bearer old^A^A, and new */
#define XOLD "dXNlcj1qb2UBYXV0aD1CZWFyZXIgb2xkAQE="
#define XNEW "dXNlcj1qb2UBYXV0aD1CZWFyZXIgbmV3AQE="

static void assert_tokens(const struct fake_step *steps, struct tokens tokens, enum imap_status status,
                          unsigned asked, const char *says)
{
    const struct imap_credentials credentials = {.user = USER, .token = give_token, .arg = &tokens};
    struct imap_error err;
    enum imap_status got = log_in_to(steps, &credentials, &err);

    ck_assert_msg(got == status, "%s %s", imap_status_name(got), err.text);
    ck_assert_uint_eq(tokens.asked, asked);
    ck_assert_uint_eq(tokens.expired, asked - 1);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

START_TEST(xoauth2_asks_again_once)
{
    static const struct fake_step works[] = {
        {NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n"},
        {"AUTHENTICATE XOAUTH2 " XOLD, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"},
        {"> ", "T NO [AUTHENTICATIONFAILED] expired\r\n"},
        {"AUTHENTICATE XOAUTH2 " XNEW, "T OK [CAPABILITY IMAP4rev1] in\r\n"},
        {"LOGOUT", "* BYE bye\r\nT OK out\r\n"},
        {NULL, NULL}};
    static const struct fake_step refuses[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi\r\n"},
                                               {"AUTHENTICATE XOAUTH2", "+ \r\n"},
                                               {"> " XOLD, "T NO expired\r\n"},
                                               {"AUTHENTICATE XOAUTH2", "+\r\n"},
                                               {"> " XNEW, "T NO still not\r\n"},
                                               {NULL, NULL}};
    static const struct fake_step busy[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n"},
                                            {"AUTHENTICATE XOAUTH2 " XOLD, "T NO [UNAVAILABLE] later\r\n"},
                                            {NULL, NULL}};
    static const struct fake_step lies[] = {{NULL, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n"},
                                            {"AUTHENTICATE XOAUTH2 " XOLD, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"},
                                            {"> ", "T OK [CAPABILITY IMAP4rev1] in all the same\r\n"},
                                            {NULL, NULL}};

    assert_tokens(works, (struct tokens){.first = "old", .second = "new"}, IMAP_OK, 2, "");
    assert_tokens(refuses, (struct tokens){.first = "old", .second = "new"}, IMAP_AUTH, 2, "still not");
    assert_tokens(works, (struct tokens){.first = "old", .second = NULL}, IMAP_AUTH, 2, "expired");
    assert_tokens(works, (struct tokens){.first = NULL}, IMAP_AUTH, 1, "no access token");
    assert_tokens(busy, (struct tokens){.first = "old", .second = "new"}, IMAP_AGAIN, 1, "later");
    assert_tokens(lies, (struct tokens){.first = "old", .second = "new"}, IMAP_AUTH, 1, "proven");
}
END_TEST

/* n,a=joe,^Ahost=127.0.0.1^Aport=P^Aauth=Bearer T^A^A, the port being what it happens to be */
static void serve_oauthbearer(struct fake_client *client, void *arg)
{
    char expected[200], base64[300], line[600], tag[40];

    fake_send(client, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER] hi\r\n");
    for (int turn = 0; turn < 2; turn++) {
        int len =
            snprintf(expected, sizeof(expected), "n,a=joe,\1host=127.0.0.1\1port=%s\1auth=Bearer %s\1\1",
                     fake_port(client->server), turn ? "new" : "old");
        fake_base64(expected, (size_t)len, base64, sizeof(base64));
        snprintf(expected, sizeof(expected), "AUTHENTICATE OAUTHBEARER %.170s", base64);
        if (!fake_line(client, line, sizeof(line)) || !strchr(line, ' ') ||
            strcmp(strchr(line, ' ') + 1, expected) != 0)
            return;
        snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(line, " "), line);
        if (turn == 1) {
            fake_ok(client, tag, "[CAPABILITY IMAP4rev1] in");
        } else { /* RFC 7628 4.3 */
            send_base64(client, "{\"status\":\"invalid_token\"}");
            if (!fake_line(client, line, sizeof(line)) || strcmp(line, "AQ==") != 0)
                return;
            say_no(client, tag);
        }
    }
    *(bool *)arg = true;
    fake_stall(client);
}

START_TEST(oauthbearer_asks_again_once)
{
    bool done = false;
    struct tokens tokens = {.first = "old", .second = "new"};
    const struct imap_credentials credentials = {.user = USER, .token = give_token, .arg = &tokens};
    const struct fake_options options = {.serve = serve_oauthbearer, .arg = &done};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_msg(log_in(&endpoint, &credentials, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
    ck_assert(done);
    ck_assert_uint_eq(tokens.asked, 2);
}
END_TEST

/* A token of more than a line's length goes out when the server has asked for it, SASL-IR or not. */
static void serve_long_token(struct fake_client *client, void *arg)
{
    char line[4000], tag[40];

    fake_send(client, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n");
    if (!fake_line(client, line, sizeof(line)) || !strstr(line, " AUTHENTICATE XOAUTH2") || strlen(line) > 60)
        return;
    snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(line, " "), line);
    fake_send(client, "+ \r\n");
    if (!fake_line(client, line, sizeof(line)))
        return;
    *(size_t *)arg = strlen(line);
    fake_ok(client, tag, "[CAPABILITY IMAP4rev1] in");
    fake_stall(client);
}

START_TEST(a_long_token)
{
    char token[1501];
    size_t length = 0;
    struct tokens tokens = {.first = token};
    const struct imap_credentials credentials = {.user = USER, .token = give_token, .arg = &tokens};
    const struct fake_options options = {.serve = serve_long_token, .arg = &length};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    memset(token, 't', 1500);
    token[1500] = '\0';
    ck_assert_msg(log_in(&endpoint, &credentials, &err) == IMAP_OK, "%s", err.text);
    fake_stop(&server);
    ck_assert_uint_eq(length, (1500 + 24 + 2) / 3 * 4);
}
END_TEST

/* ---- a pool ---------------------------------------------------------------------------------------- */

/* Every connection logs in by a token of its own; the giver is told one at a time. */
struct giver {
    pthread_mutex_t lock;
    unsigned inside, asked;
    bool together;
    char token[32];
};

static const char *give_next(void *arg, bool expired)
{
    struct giver *giver = arg;

    (void)expired;
    pthread_mutex_lock(&giver->lock);
    giver->together |= giver->inside++ > 0;
    snprintf(giver->token, sizeof(giver->token), "token%u", ++giver->asked);
    pthread_mutex_unlock(&giver->lock);
    (void)poll(NULL, 0, 20); /* as a command that fetches one would take */
    pthread_mutex_lock(&giver->lock);
    giver->inside--;
    pthread_mutex_unlock(&giver->lock);
    return giver->token;
}

static bool take_token(struct fake_client *client, const char *tag, const char *command, bool *stop,
                       void *arg)
{
    char decoded[200];
    size_t len;
    const char *base64 = strncmp(command, "AUTHENTICATE XOAUTH2 ", 21) == 0 ? command + 21 : NULL;

    *stop = false;
    (void)arg;
    if (!base64)
        return false;
    if (fake_unbase64(base64, decoded, sizeof(decoded), &len) &&
        strncmp(decoded, "user=joe\1auth=Bearer token", 26) == 0)
        fake_ok(client, tag, "[CAPABILITY IMAP4rev1 IDLE] in");
    else
        say_no(client, tag);
    return true;
}

static void serve_imap(struct fake_client *client, void *arg)
{
    fake_imap_serve(client, arg);
}

static void on_done(void *arg, const struct imap_result *result)
{
    ck_assert_int_eq(result->status, IMAP_OK);
    sem_post(arg);
}

START_TEST(a_pool_logs_in_by_tokens)
{
    const struct fake_imap imap = {.caps = "IMAP4rev1 IDLE SASL-IR AUTH=XOAUTH2 LOGINDISABLED",
                                   .hook = take_token};
    const struct fake_options fake = {.serve = serve_imap, .arg = (void *)&imap};
    const struct imap_command_events events = {.done = on_done};
    struct fake_server *server = fake_start(&fake);
    struct giver giver = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char user[] = USER;
    struct imap_credentials credentials = {.user = user, .token = give_next, .arg = &giver};
    const struct imap_pool_options options = {
        .endpoint = endpoint_of(server, IMAP_TLS_NONE), .connections = 3, .credentials = &credentials};
    struct imap_pool *pool;
    struct imap_error err = {0};
    sem_t done;

    sem_init(&done, 0, 0);
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_OK);
    memset(user, 'x', 3); /* the pool has its own copy */
    credentials = (struct imap_credentials){0};
    ck_assert_msg(imap_pool_connect(pool, &err) == IMAP_OK, "%s", err.text);
    for (int i = 0; i < 20; i++) {
        struct imap_command *command = imap_command_new("NOOP");
        imap_command_on(command, &events, &done);
        imap_pool_submit(pool, i % 2 ? "A" : "B", 0, 1000, command);
    }
    for (int i = 0; i < 20; i++)
        sem_wait(&done);
    ck_assert_uint_ge(fake_connections(server), 2);
    imap_pool_free(&pool);
    fake_stop(&server);
    ck_assert_uint_ge(giver.asked, 2);
    ck_assert(!giver.together);
    sem_destroy(&done);
}
END_TEST

/* The mount's way: a command, run again when the server refuses what it printed first. */
static bool take_second_token(struct fake_client *client, const char *tag, const char *command, bool *stop,
                              void *arg)
{
    const char *base64 = strncmp(command, "AUTHENTICATE XOAUTH2 ", 21) == 0 ? command + 21 : NULL;
    char decoded[200];
    size_t len;

    *stop = false;
    (void)arg;
    if (!base64)
        return false;
    if (fake_unbase64(base64, decoded, sizeof(decoded), &len) && strstr(decoded, "Bearer second\1"))
        fake_ok(client, tag, "[CAPABILITY IMAP4rev1 IDLE] in");
    else
        say_no(client, tag);
    return true;
}

START_TEST(a_command_is_run_again)
{
    const struct fake_imap imap = {.caps = "IMAP4rev1 IDLE SASL-IR AUTH=XOAUTH2", .hook = take_second_token};
    const struct fake_options fake = {.serve = serve_imap, .arg = (void *)&imap};
    struct fake_server *server = fake_start(&fake);
    char flag[] = "/tmp/test_token.XXXXXX";
    char command[200];
    struct token_source source = {.command = command, .timeout_ms = 10000};
    const struct imap_credentials credentials = {.user = USER, .token = token_get, .arg = &source};
    const struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    struct imap_error err;

    ck_assert_ptr_nonnull(mkdtemp(flag));
    snprintf(command, sizeof(command), "rmdir %s 2>/dev/null && echo first || echo second", flag);
    ck_assert_msg(log_in(&endpoint, &credentials, &err) == IMAP_OK, "%s", err.text);
    ck_assert_str_eq(source.token, "second");
    snprintf(command, sizeof(command), "exit 1"); /* is not run: there is a token that does */
    ck_assert_msg(log_in(&endpoint, &credentials, &err) == IMAP_OK, "%s", err.text);
    token_fini(&source);
    ck_assert_int_eq(log_in(&endpoint, &credentials, &err), IMAP_AUTH);
    fake_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("token");
    TCase *tcase = tcase_create("token");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_certificates, remove_certificates);
    tcase_add_test(tcase, xoauth2_asks_again_once);
    tcase_add_test(tcase, oauthbearer_asks_again_once);
    tcase_add_test(tcase, a_long_token);
    tcase_add_test(tcase, a_pool_logs_in_by_tokens);
    tcase_add_test(tcase, a_command_is_run_again);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
