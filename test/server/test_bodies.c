/* SPDX-License-Identifier: MIT */
/* Bodies from a real server: every byte, in every order, large ones by pieces, claims and the truth. */
#include "dovecot.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "body.h"

#define DEADLINE_S 30
#define SMALL_COUNT 400
#define LARGE_SIZE (6u << 20)
#define USER "eve"

static struct test_server server;
static struct account *account;
static struct mailbox *inbox;
static char cache_dir[160];
static char *texts[SMALL_COUNT + 2]; /* by UID */
static size_t lengths[SMALL_COUNT + 2];

/* A message with CRLF line ends of about `size` octets, no two alike. */
static char *make_text(unsigned seed, size_t size, size_t *len_out)
{
    char *text = malloc(size + 200);
    size_t len = (size_t)sprintf(text, "From: a@example.org\r\nSubject: number %u\r\n\r\n", seed);
    while (len < size)
        len += (size_t)sprintf(text + len, "line %zu of message %u, %u\r\n", len, seed, seed * 2654435761u);
    *len_out = len;
    return text;
}

struct teller {
    struct body_wait wait;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    struct imap_error err;
};

static void on_done(struct wait *wait, const struct imap_error *err)
{
    struct teller *teller = (struct teller *)wait;
    pthread_mutex_lock(&teller->lock);
    if (err)
        teller->err = *err;
    teller->done = true;
    pthread_cond_signal(&teller->told);
    pthread_mutex_unlock(&teller->lock);
}

static void teller_init(struct teller *teller)
{
    memset(teller, 0, sizeof *teller);
    teller->wait.wait.done = on_done;
    pthread_mutex_init(&teller->lock, NULL);
    pthread_cond_init(&teller->told, NULL);
}

static void teller_await(struct teller *teller)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&teller->lock);
    while (!teller->done)
        ck_assert_int_eq(pthread_cond_timedwait(&teller->told, &teller->lock, &until), 0);
    pthread_mutex_unlock(&teller->lock);
    ck_assert_msg(teller->err.status == IMAP_OK, "%s", teller->err.text);
}

static void await_listing(void)
{
    struct teller teller;
    teller_init(&teller);
    account_lock(account);
    bool fresh = mailbox_fresh_locked(inbox, &teller.wait.wait);
    account_unlock(account);
    if (!fresh)
        teller_await(&teller);
}

static struct body *open_uid(uint32_t uid)
{
    struct message message;
    struct teller teller;
    teller_init(&teller);
    account_lock(account);
    ck_assert(mailbox_find_locked(inbox, uid, &message));
    struct body *body = body_open_locked(inbox, &message);
    bool known = body_size_known_locked(body, &teller.wait.wait);
    account_unlock(account);
    if (!known)
        teller_await(&teller);
    account_lock(account);
    ck_assert_uint_eq(body_size_locked(body), lengths[uid]);
    account_unlock(account);
    return body;
}

static void close_body(struct body *body)
{
    account_lock(account);
    body_close_locked(body);
    account_unlock(account);
}

static void compare_range(struct body *body, uint32_t uid, size_t offset, size_t len)
{
    struct teller teller;
    teller_init(&teller);
    account_lock(account);
    bool available = body_available_locked(body, offset, len, &teller.wait);
    account_unlock(account);
    if (!available)
        teller_await(&teller);
    size_t left = offset < lengths[uid] ? lengths[uid] - offset : 0, expected = len < left ? len : left;
    char *buf = malloc(len);
    ck_assert_int_eq(body_read(body, buf, len, offset), (ssize_t)expected);
    ck_assert(memcmp(buf, texts[uid] + offset, expected) == 0);
    free(buf);
}

static void compare_all(uint32_t uid)
{
    struct body *body = open_uid(uid);
    for (size_t at = 0; at < lengths[uid]; at += 131072)
        compare_range(body, uid, at, 131072);
    close_body(body);
}

static void fill_mailbox(void)
{
    for (unsigned uid = 1; uid <= SMALL_COUNT + 1; uid++) {
        size_t size = uid == SMALL_COUNT + 1 ? LARGE_SIZE : 200 + uid * 7919u % 20000;
        texts[uid] = make_text(uid, size, &lengths[uid]);
        ck_assert_msg(
            test_dovecot_deliver(&server, USER, "INBOX", texts[uid], lengths[uid], 1700000000 + uid), "%s",
            server.why);
    }
}

static void connect_account(void)
{
    static const struct account_events none = {0};
    struct imap_error err = {0};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = server.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = USER,
                                                         .password = server.password,
                                                         .timeout_ms = DEADLINE_S * 1000},
                                            .connections = 4,
                                            .poll_ms = 60000,
                                            .root_mailbox = "INBOX",
                                            .cache_dir = cache_dir,
                                            .cache_size = UINT64_C(256) << 20};
    ck_assert_msg(account_open(&options, &none, NULL, &account, &err) == IMAP_OK, "%s", err.text);
    inbox = account_root(account);
    await_listing();
    account_lock(account);
    ck_assert_uint_eq(mailbox_count_locked(inbox), SMALL_COUNT + 1);
    account_unlock(account);
}

static void setup(void)
{
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
    snprintf(cache_dir, sizeof cache_dir, "%s/cache", server.dir);
    fill_mailbox();
    connect_account();
}

static void teardown(void)
{
    account_close(&account);
    test_server_stop(&server);
    for (unsigned uid = 1; uid <= SMALL_COUNT + 1; uid++)
        free(texts[uid]);
}

START_TEST(every_byte_in_rising_order)
{
    for (uint32_t uid = 1; uid <= SMALL_COUNT + 1; uid++)
        compare_all(uid);
    for (uint32_t uid = SMALL_COUNT + 1; uid >= 1; uid--) /* from the spool */
        compare_all(uid);
}
END_TEST

START_TEST(every_byte_in_no_order)
{
    for (uint32_t i = 0; i <= SMALL_COUNT; i++)
        compare_all(i * 173 % (SMALL_COUNT + 1) + 1);
}
END_TEST

static void *reader_main(void *arg)
{
    uint32_t step = *(const uint32_t *)arg;
    for (uint32_t i = 0; i <= SMALL_COUNT; i++)
        compare_all(i * step % (SMALL_COUNT + 1) + 1);
    return NULL;
}

START_TEST(many_readers)
{
    pthread_t readers[6];
    uint32_t steps[6] = {1, 1, 3, 173, 400, 399};
    for (unsigned i = 0; i < 6; i++)
        pthread_create(&readers[i], NULL, reader_main, &steps[i]);
    for (unsigned i = 0; i < 6; i++)
        pthread_join(readers[i], NULL);
}
END_TEST

START_TEST(parts_of_a_large_one)
{
    const uint32_t uid = SMALL_COUNT + 1;
    struct body *body = open_uid(uid);
    compare_range(body, uid, lengths[uid] - 1000, 4096);
    compare_range(body, uid, 3u << 20, 4096);
    compare_range(body, uid, 0, 4096);
    compare_range(body, uid, lengths[uid], 4096);
    close_body(body);
    compare_all(uid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bodies");
    TCase *tcase = tcase_create("bodies");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_byte_in_rising_order);
    tcase_add_test(tcase, every_byte_in_no_order);
    tcase_add_test(tcase, many_readers);
    tcase_add_test(tcase, parts_of_a_large_one);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
