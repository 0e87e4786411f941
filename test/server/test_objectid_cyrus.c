/* SPDX-License-Identifier: MIT */
/* Object ids against a server that has them: a copy has its original's, in this mount and in the next. */
#include "cyrus.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "mailbox.h"

#define DEADLINE_S 20

static struct test_server server;
static struct account *account;
static char cache_dir[160];

/* ---- another client ------------------------------------------------------------------------------- */

/* Runs the command (with tag "t"), which must end in OK. */
static void says(int fd, const char *line)
{
    char answer[16384] = "";
    size_t have = 0;
    ck_assert_int_gt(send(fd, line, strlen(line), MSG_NOSIGNAL), 0);
    while (strncmp(answer, "t ", 2) != 0 && !strstr(answer, "\r\nt ")) {
        const ssize_t got = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        ck_assert_int_gt(got, 0);
        have += (size_t)got;
        answer[have] = '\0';
    }
    ck_assert_msg(strstr(answer, "t OK"), "%s -> %s", line, answer);
}

/* Two messages in INBOX, of which the second, the first, and the first again are in Copies. */
static void fill(void)
{
    char login[64];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10))};
    const struct timeval limit = {.tv_sec = DEADLINE_S};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    snprintf(login, sizeof login, "t LOGIN %s %s\r\n", server.user, server.password);
    says(fd, login);
    says(fd, "t CREATE Copies\r\n");
    says(fd, "t APPEND INBOX {32+}\r\nFrom: a@example.org\r\n\r\nthe one\r\n\r\n");
    says(fd, "t APPEND INBOX {34+}\r\nFrom: a@example.org\r\n\r\nthe other\r\n\r\n");
    says(fd, "t SELECT INBOX\r\n");
    says(fd, "t UID COPY 2 Copies\r\n");
    says(fd, "t UID COPY 1 Copies\r\n");
    says(fd, "t UID COPY 1 Copies\r\n");
    close(fd);
}

/* ---- the model ------------------------------------------------------------------------------------ */

struct asked {
    struct wait wait;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    struct imap_error err;
};

static void asked_done(struct wait *wait, const struct imap_error *err)
{
    struct asked *asked = (struct asked *)wait;
    pthread_mutex_lock(&asked->lock);
    if (err)
        asked->err = *err;
    asked->done = true;
    pthread_cond_signal(&asked->told);
    pthread_mutex_unlock(&asked->lock);
}

static struct mailbox *listed(const char *name)
{
    struct asked asked = {
        .wait = {.done = asked_done}, .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    account_lock(account);
    struct mailbox *mailbox = mailbox_child_locked(account_root(account), name);
    ck_assert_msg(mailbox, "there is no %s", name);
    const bool fresh = mailbox_fresh_locked(mailbox, &asked.wait);
    account_unlock(account);
    pthread_mutex_lock(&asked.lock);
    while (!fresh && !asked.done)
        ck_assert_int_eq(pthread_cond_timedwait(&asked.told, &asked.lock, &until), 0);
    pthread_mutex_unlock(&asked.lock);
    ck_assert_msg(!asked.err.status, "%s", asked.err.text);
    return mailbox;
}

static uint64_t objectid(struct mailbox *mailbox, uint32_t uid)
{
    struct message message = {0};
    account_lock(account);
    const bool found = mailbox_find_locked(mailbox, uid, &message);
    account_unlock(account);
    ck_assert_msg(found, "there is no message %u", uid);
    return message.objectid;
}

/* cache: a subdirectory of the server's. */
static void open_account(const char *cache, const char *disable)
{
    struct imap_error err = {0};
    const struct account_events events = {0};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = server.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = server.user,
                                                         .password = server.password,
                                                         .disable = disable,
                                                         .timeout_ms = 10000},
                                            .connections = 2,
                                            .poll_ms = 3600000,
                                            .cache_dir = cache_dir,
                                            .cache_size = 1 << 20};
    snprintf(cache_dir, sizeof cache_dir, "%s/%s", server.dir, cache);
    ck_assert_msg(account_open(&options, &events, NULL, &account, &err) == IMAP_OK, "%s", err.text);
}

START_TEST(a_copy_has_its_originals_id)
{
    open_account("cache", NULL);
    struct mailbox *inbox = listed("INBOX"), *copies = listed("Copies");
    const uint64_t one = objectid(inbox, 1), other = objectid(inbox, 2);
    ck_assert(one && other && one != other);
    ck_assert_uint_eq(objectid(copies, 1), other);
    ck_assert_uint_eq(objectid(copies, 2), one);
    ck_assert_uint_eq(objectid(copies, 3), one);
    account_close(&account);
    open_account("cache", NULL);
    ck_assert_uint_eq(objectid(listed("INBOX"), 2), other);
    ck_assert_uint_eq(objectid(listed("Copies"), 1), other);
    account_close(&account);
    open_account("cache", "OBJECTID,X-GM-EXT-1"); /* what is known stays */
    ck_assert_uint_eq(objectid(listed("Copies"), 3), one);
}
END_TEST

START_TEST(disabled_there_is_none)
{
    open_account("cache", "OBJECTID,X-GM-EXT-1");
    struct mailbox *inbox = listed("INBOX");
    ck_assert(!objectid(inbox, 1) && !objectid(inbox, 2));
}
END_TEST

static void set_up(void)
{
    ck_assert_msg(test_cyrus_start(&server), "%s", server.why);
    fill();
}

static void tear_down(void)
{
    account_close(&account);
    test_server_stop(&server);
}

/* Without the server on the machine nothing can be said of it. */
static int is_missing(void)
{
    if (test_cyrus_start(&server) || !server.missing) {
        test_server_stop(&server);
        return 0;
    }
    test_server_stop(&server);
    printf("SKIPPED: %s", server.why);
    const char *ci = getenv("CI");
    return ci && strcmp(ci, "true") == 0 ? EXIT_FAILURE : 77;
}

int main(void)
{
    const int missing = is_missing();
    if (missing)
        return missing;
    Suite *suite = suite_create("objectid_cyrus");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_copy_has_its_originals_id);
    tcase_add_test(tcase, disabled_there_is_none);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
