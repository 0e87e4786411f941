/* SPDX-License-Identifier: MIT */
/* The pool against a real server: each way to secure the line, bodies over several lanes, new mail during
 * IDLE, and the server's end. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dovecot.h"
#include "imap/pool.h"

#define USER "eve"
#define MESSAGES 120u
#define RECEIVED 1000000000L

static struct test_server server;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* guarded by lock */
static unsigned exists, ups, downs;
static unsigned connections_seen; /* a bit each */

#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        struct timespec until_;                                                                              \
        int rc_ = 0;                                                                                         \
        clock_gettime(CLOCK_REALTIME, &until_);                                                              \
        until_.tv_sec += 30;                                                                                 \
        pthread_mutex_lock(&lock);                                                                           \
        while (!(condition) && rc_ == 0)                                                                     \
            rc_ = pthread_cond_timedwait(&changed, &lock, &until_);                                          \
        bool held_ = (condition);                                                                            \
        pthread_mutex_unlock(&lock);                                                                         \
        ck_assert_msg(held_, "never: %s", #condition);                                                       \
    } while (0)

/* Message i: its size grows with its number, and no two are alike. */
static size_t make_message(unsigned i, char *text, size_t size)
{
    int len = snprintf(text, size, "Subject: number %u\r\n\r\n", i);
    for (unsigned line = 0; line < i * 8; line++)
        len += snprintf(text + len, size - (size_t)len, "line %u of message %u, %08x\r\n", line, i,
                        (line + i) * 2654435761u);
    return (size_t)len;
}

static void start_server(void)
{
    static char text[65536];

    setenv("TZ", "UTC0", 1);
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
    for (unsigned i = 1; i <= MESSAGES; i++) {
        size_t len = make_message(i, text, sizeof(text));
        ck_assert_msg(test_dovecot_deliver(&server, USER, "Lots", text, len, RECEIVED + (long)i), "%s",
                      server.why);
    }
}

static void stop_server(void)
{
    test_server_stop(&server);
}

static void on_untagged(void *arg, unsigned connection, const char *mailbox,
                        const struct imap_response *response, uint32_t uid)
{
    (void)arg, (void)mailbox, (void)uid;
    pthread_mutex_lock(&lock);
    connections_seen |= 1u << connection;
    if (response->type == IMAP_RESP_EXISTS)
        exists = response->number;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_reachable(void *arg, const struct imap_error *error)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    *(error ? &downs : &ups) += 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct imap_pool *open_pool(enum imap_tls tls, unsigned connections, unsigned timeout_ms)
{
    static const struct imap_pool_events events = {.untagged = on_untagged, .reachable = on_reachable};
    struct imap_pool_options options = {
        .endpoint = {.host = server.host,
                     .port = tls == IMAP_TLS_IMPLICIT ? server.tls_port : server.port,
                     .tls = tls,
                     .cafile = server.cafile,
                     .user = USER,
                     .password = server.password,
                     .timeout_ms = timeout_ms},
        .connections = connections};
    struct imap_pool *pool = NULL;
    struct imap_error err = {0};

    ck_assert_msg(imap_pool_new(&options, &events, NULL, &pool, &err) == IMAP_OK, "%s", err.text);
    ck_assert_msg(imap_pool_connect(pool, &err) == IMAP_OK, "%s", err.text);
    return pool;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

struct ask {
    unsigned first, last; /* UIDs */
    unsigned done;
    enum imap_status status;
    char why[240];
    uint32_t uid; /* of the body that is coming in */
    char *body;
    size_t len, room;
    unsigned right, wrong;
};

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct ask *ask = arg;
    ask->uid = so_far->uid;
    ask->len = 0;
    ask->room = section->size;
    ask->body = malloc(ask->room + 1);
    return true;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct ask *ask = arg;
    ck_assert_uint_le(ask->len + len, ask->room);
    memcpy(ask->body + ask->len, data, len);
    ask->len += len;
}

static void on_body_end(void *arg)
{
    struct ask *ask = arg;
    char *want = malloc(65536);
    size_t len = make_message(ask->uid, want, 65536);

    if (len == ask->len && memcmp(want, ask->body, len) == 0)
        ask->right++;
    else
        ask->wrong++;
    free(want);
    free(ask->body);
    ask->body = NULL;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct ask *ask = arg;
    pthread_mutex_lock(&lock);
    ask->done++;
    ask->status = result->status;
    snprintf(ask->why, sizeof(ask->why), "%s", result->error->text);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void submit(struct imap_pool *pool, const char *mailbox, unsigned flags, uint64_t weight,
                   const char *verb, const char *words, struct ask *ask)
{
    static const struct imap_command_events events = {
        .body_begin = on_body_begin, .body_data = on_body_data, .body_end = on_body_end, .done = on_done};
    struct imap_command *command = imap_command_new(verb);

    if (ask->first > 0) {
        struct imap_seqset set = {0};
        imap_seqset_add(&set, ask->first, ask->last);
        imap_command_seqset(command, &set);
        imap_seqset_fini(&set);
    }
    if (words)
        imap_command_raw(command, words);
    imap_command_on(command, &events, ask);
    imap_pool_submit(pool, mailbox, flags, weight, command);
}

static void assert_fetches_all(struct imap_pool *pool)
{
    struct ask asks[MESSAGES / 4] = {{0}};
    unsigned right = 0;

    for (unsigned i = 0; i < MESSAGES / 4; i++) {
        asks[i].first = i * 4 + 1;
        asks[i].last = i * 4 + 4;
        submit(pool, "Lots", 0, (uint64_t)1 << 20, "UID FETCH", "(UID BODY.PEEK[])", &asks[i]);
    }
    for (unsigned i = 0; i < MESSAGES / 4; i++) {
        AWAIT(asks[i].done > 0);
        ck_assert_int_eq(asks[i].status, IMAP_OK);
        ck_assert_uint_eq(asks[i].wrong, 0);
        right += asks[i].right;
    }
    ck_assert_uint_eq(right, MESSAGES);
}

/* ---- tests ------------------------------------------------------------------------------------------- */

START_TEST(bodies_over_every_kind_of_line)
{
    static const enum imap_tls kinds[] = {IMAP_TLS_NONE, IMAP_TLS_STARTTLS, IMAP_TLS_IMPLICIT};
    struct imap_pool *pool = open_pool(kinds[_i], 4, 10000);

    connections_seen = 0;
    assert_fetches_all(pool);
    ck_assert_uint_eq(connections_seen & 1, 0); /* bodies are no business of the watcher's */
    assert_fetches_all(pool);
    imap_pool_free(&pool);
}
END_TEST

START_TEST(one_connection_suffices)
{
    struct imap_pool *pool = open_pool(IMAP_TLS_IMPLICIT, 1, 10000);

    assert_fetches_all(pool);
    imap_pool_free(&pool);
}
END_TEST

START_TEST(a_stranger_is_not_trusted)
{
    struct imap_pool_options options = {.endpoint = {.host = server.host,
                                                     .port = server.tls_port,
                                                     .user = USER,
                                                     .password = server.password,
                                                     .timeout_ms = 10000},
                                        .connections = 1};
    struct imap_pool *pool = NULL;
    struct imap_error err = {0};

    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_OK);
    ck_assert_int_eq(imap_pool_connect(pool, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "fingerprint=") != NULL, "%s", err.text);
    imap_pool_free(&pool);

    options.endpoint.fingerprint = server.fingerprint;
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_OK);
    ck_assert_msg(imap_pool_connect(pool, &err) == IMAP_OK, "%s", err.text);
    imap_pool_free(&pool);

    options.endpoint.password = "wrong";
    ck_assert_int_eq(imap_pool_new(&options, NULL, NULL, &pool, &err), IMAP_OK);
    ck_assert_int_eq(imap_pool_connect(pool, &err), IMAP_AUTH);
    ck_assert_int_eq(err.code, IMAP_CODE_AUTHENTICATIONFAILED);
    imap_pool_free(&pool);
}
END_TEST

START_TEST(a_missing_mailbox_is_gone)
{
    struct imap_pool *pool = open_pool(IMAP_TLS_NONE, 2, 10000);
    struct ask ask = {.first = 1, .last = 1};

    submit(pool, "No/Such", 0, 0, "UID FETCH", "(FLAGS)", &ask);
    AWAIT(ask.done == 1);
    ck_assert_msg(ask.status == IMAP_GONE, "%s", ask.why);
    imap_pool_free(&pool);
}
END_TEST

START_TEST(new_mail_is_told_during_idle)
{
    static const char mail[] = "Subject: new\r\n\r\n";
    struct imap_pool *pool = open_pool(IMAP_TLS_IMPLICIT, 2, 10000);
    struct ask ask = {0};

    exists = 0;
    submit(pool, "INBOX", IMAP_POOL_WATCHER, 0, "NOOP", NULL, &ask);
    AWAIT(ask.done == 1);
    ck_assert_int_eq(ask.status, IMAP_OK);
    ck_assert_msg(test_dovecot_deliver(&server, USER, "INBOX", mail, sizeof(mail) - 1, RECEIVED), "%s",
                  server.why);
    AWAIT(exists == 1); /* nobody asks: IDLE brings it */
    imap_pool_free(&pool);
}
END_TEST

/* Last: the server does not come back under its port. */
START_TEST(the_server_goes_away)
{
    struct imap_pool *pool = open_pool(IMAP_TLS_IMPLICIT, 3, 1500);
    struct ask ask = {.first = 1, .last = 1};

    assert_fetches_all(pool);
    ck_assert_msg(test_server_halt(&server), "%s", server.why);
    AWAIT(downs == 1);
    submit(pool, "Lots", 0, 0, "UID FETCH", "(FLAGS)", &ask);
    AWAIT(ask.done == 1);
    ck_assert_int_eq(ask.status, IMAP_AGAIN);
    imap_pool_free(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool dovecot");
    TCase *tcase = tcase_create("pool dovecot");

    tcase_set_timeout(tcase, 100);
    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_loop_test(tcase, bodies_over_every_kind_of_line, 0, 3);
    tcase_add_test(tcase, one_connection_suffices);
    tcase_add_test(tcase, a_stranger_is_not_trusted);
    tcase_add_test(tcase, a_missing_mailbox_is_gone);
    tcase_add_test(tcase, new_mail_is_told_during_idle);
    tcase_add_test(tcase, the_server_goes_away);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
