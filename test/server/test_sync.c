/* SPDX-License-Identifier: MIT */
/* The mailbox model against a real server: listing, new and expunged mail, flags, changed UIDVALIDITY. */
#include "dovecot.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdarg.h>
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

static int other_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10))};
    struct timeval limit = {.tv_sec = DEADLINE_S};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Runs the commands (each with tag "t") one after the other; every one must end in OK. */
static void by_other_client(const char *first, ...)
{
    char answer[65536], login[128];
    int fd = other_client();
    snprintf(login, sizeof login, "t LOGIN eve %s\r\n", server.password);
    va_list args;
    va_start(args, first);
    const char *line = login;
    for (const char *next = first; line; line = next, next = next ? va_arg(args, const char *) : NULL) {
        size_t have = 0;
        answer[0] = '\0';
        ck_assert_int_gt(send(fd, line, strlen(line), MSG_NOSIGNAL), 0);
        while (strncmp(answer, "t ", 2) != 0 && !strstr(answer, "\r\nt ")) {
            ssize_t got = recv(fd, answer + have, sizeof answer - 1 - have, 0);
            ck_assert_int_gt(got, 0);
            have += (size_t)got;
            answer[have] = '\0';
        }
        ck_assert_msg(strstr(answer, "t OK"), "%s -> %s", line, answer);
    }
    va_end(args);
    close(fd);
}

static void deliver(const char *mailbox, const char *text, long received)
{
    ck_assert_msg(test_dovecot_deliver(&server, "eve", mailbox, text, strlen(text), received), "%s",
                  server.why);
}

/* ---- what the model tells ------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned news, gone, altered, listings, children;
    uint32_t last_new, last_gone;
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count_up(unsigned *counter, uint32_t *last, uint32_t uid)
{
    pthread_mutex_lock(&told.lock);
    ++*counter;
    if (last)
        *last = uid;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

static void on_new(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    count_up(&told.news, &told.last_new, uid);
}

static void on_gone(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    count_up(&told.gone, &told.last_gone, uid);
}

static void on_changed(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    count_up(&told.altered, NULL, uid);
}

static void on_listing(void *arg, struct mailbox *mailbox)
{
    (void)arg, (void)mailbox;
    count_up(&told.listings, NULL, 0);
}

static void on_child_gone(void *arg, struct mailbox *parent, struct mailbox *child)
{
    (void)arg, (void)parent, (void)child;
    count_up(&told.children, NULL, 0);
}

static struct timespec deadline(void)
{
    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += DEADLINE_S;
    return when;
}

static void await(const unsigned *counter, unsigned at_least, const char *what)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&told.lock);
    int rc = 0;
    while (*counter < at_least && !rc)
        rc = pthread_cond_timedwait(&told.changed, &told.lock, &until);
    pthread_mutex_unlock(&told.lock);
    ck_assert_msg(!rc, "not told in time: %s", what);
}

/* ---- asking the model ----------------------------------------------------------------------------- */

struct asked {
    struct wait wait;
    bool done;
    struct imap_error err;
};

static void asked_done(struct wait *wait, const struct imap_error *err)
{
    struct asked *asked = (struct asked *)wait;
    pthread_mutex_lock(&told.lock);
    if (err)
        asked->err = *err;
    asked->done = true;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

static enum imap_status await_answer(struct asked *asked)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&told.lock);
    int rc = 0;
    while (!asked->done && !rc)
        rc = pthread_cond_timedwait(&told.changed, &told.lock, &until);
    pthread_mutex_unlock(&told.lock);
    ck_assert_msg(!rc, "a wait was not ended in time");
    return asked->err.status;
}

static enum imap_status refresh(struct mailbox *mailbox)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(account);
    const bool fresh = mailbox_fresh_locked(mailbox, &asked.wait);
    account_unlock(account);
    return fresh ? IMAP_OK : await_answer(&asked);
}

static bool is_fresh_at_once(struct mailbox *mailbox)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(account);
    const bool fresh = mailbox_fresh_locked(mailbox, &asked.wait);
    account_unlock(account);
    if (!fresh)
        await_answer(&asked);
    return fresh;
}

static enum imap_status refresh_tree(void)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(account);
    const bool fresh = account_tree_fresh_locked(account, &asked.wait);
    account_unlock(account);
    return fresh ? IMAP_OK : await_answer(&asked);
}

static struct mailbox *child(struct mailbox *mailbox, const char *name)
{
    account_lock(account);
    struct mailbox *found = mailbox_child_locked(mailbox, name);
    account_unlock(account);
    ck_assert_msg(found, "there is no %s", name);
    return found;
}

static size_t count_of(struct mailbox *mailbox)
{
    account_lock(account);
    const size_t count = mailbox_count_locked(mailbox);
    account_unlock(account);
    return count;
}

static struct message message_of(struct mailbox *mailbox, uint32_t uid)
{
    struct message message = {0};
    account_lock(account);
    const bool found = mailbox_find_locked(mailbox, uid, &message);
    account_unlock(account);
    ck_assert_msg(found, "there is no message %u", uid);
    return message;
}

static const char *flags_of(struct mailbox *mailbox, uint32_t uid)
{
    const struct message message = message_of(mailbox, uid);
    account_lock(account);
    const char *text = mailbox_flags_text_locked(mailbox, message.flagset);
    account_unlock(account);
    return text;
}

/* ---- opening -------------------------------------------------------------------------------------- */

static enum imap_status try_open(const char *root, unsigned poll_ms, struct imap_error *err)
{
    const struct account_events events = {.message_new = on_new,
                                          .message_gone = on_gone,
                                          .message_changed = on_changed,
                                          .listing_changed = on_listing,
                                          .child_gone = on_child_gone};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = server.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = "eve",
                                                         .password = server.password,
                                                         .timeout_ms = 10000},
                                            .connections = 2,
                                            .poll_ms = poll_ms,
                                            .root_mailbox = root,
                                            .cache_dir = cache_dir,
                                            .cache_size = 1 << 20};
    return account_open(&options, &events, NULL, &account, err);
}

static void open_account(const char *root, unsigned poll_ms)
{
    struct imap_error err = {0};
    ck_assert_msg(try_open(root, poll_ms, &err) == IMAP_OK, "%s", err.text);
}

static void set_up(void)
{
    setenv("TZ", "UTC0", 1);
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
    snprintf(cache_dir, sizeof cache_dir, "%s/cache", server.dir);
    deliver("INBOX", "Subject: 1\r\n\r\none\r\n", 951827696);    /* 19 octets */
    deliver("INBOX", "Subject: 2\r\n\r\ntwo...\r\n", 951827697); /* 22 octets */
    deliver("A", "Subject: A\r\n\r\n", 951827698);
    deliver("A/B", "Subject: B\r\n\r\n", 951827699);
}

static void tear_down(void)
{
    account_close(&account);
    test_server_stop(&server);
}

START_TEST(lists_what_is_there)
{
    open_account(NULL, 60000);
    struct mailbox *inbox = child(account_root(account), "INBOX");
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_uint_eq(count_of(inbox), 2);
    const struct message first = message_of(inbox, 1), second = message_of(inbox, 2);
    ck_assert_uint_eq(first.size, 19);
    ck_assert_uint_eq(second.size, 22);
    ck_assert_int_eq(first.date.unix_seconds, 951827696);
    ck_assert_str_eq(flags_of(inbox, 1), "");
    struct mailbox *nested = child(child(account_root(account), "A"), "B");
    ck_assert_int_eq(refresh(nested), IMAP_OK);
    ck_assert_uint_eq(count_of(nested), 1);
    account_lock(account);
    ck_assert_ptr_eq(account_by_id_locked(account, mailbox_dir_id(nested)), nested);
    ck_assert_ptr_eq(account_by_id_locked(account, mailbox_message_id_locked(nested)), nested);
    account_unlock(account);
}
END_TEST

START_TEST(tells_new_mail_and_expunged_mail)
{
    open_account(NULL, 60000);
    struct mailbox *inbox = child(account_root(account), "INBOX");
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert(is_fresh_at_once(inbox));
    deliver("INBOX", "Subject: 3\r\n\r\nthree\r\n", 951827700);
    await(&told.news, 1, "new mail");
    ck_assert_uint_eq(told.last_new, 3);
    ck_assert_uint_eq(message_of(inbox, 3).size, 21);
    by_other_client("t SELECT INBOX\r\n", "t UID STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "t EXPUNGE\r\n",
                    NULL);
    await(&told.gone, 1, "expunged mail");
    ck_assert_uint_eq(told.last_gone, 2);
    ck_assert_uint_eq(count_of(inbox), 2);
    ck_assert(is_fresh_at_once(inbox));
    const unsigned before = told.altered;
    by_other_client("t SELECT INBOX\r\n", "t UID STORE 3 FLAGS (work \\Seen $Forwarded)\r\n", NULL);
    await(&told.altered, before + 1, "changed flags");
    ck_assert_str_eq(flags_of(inbox, 3), "\\Seen $Forwarded work");
}
END_TEST

/* What changes while another mailbox is selected: told at the next look. */
START_TEST(notices_what_happened_elsewhere)
{
    open_account(NULL, 0);
    struct mailbox *inbox = child(account_root(account), "INBOX"), *other = child(account_root(account), "A");
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_int_eq(refresh(other), IMAP_OK);
    by_other_client("t SELECT INBOX\r\n", "t UID STORE 1 FLAGS (\\Flagged)\r\n", NULL);
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_str_eq(flags_of(inbox, 1), "\\Flagged");
    ck_assert_int_eq(refresh(other), IMAP_OK);
    deliver("INBOX", "Subject: 3\r\n\r\nthree\r\n", 951827700);
    by_other_client("t SELECT INBOX\r\n", "t UID STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "t EXPUNGE\r\n",
                    NULL);
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_uint_eq(count_of(inbox), 2);
    ck_assert_uint_eq(message_of(inbox, 3).size, 21);
    ck_assert_uint_eq(told.news, 1);
    ck_assert_uint_eq(told.gone, 1);
    /* and again when nothing has happened */
    const unsigned altered = told.altered, listings = told.listings;
    ck_assert_int_eq(refresh(other), IMAP_OK);
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_uint_eq(told.altered, altered);
    ck_assert_uint_eq(told.listings, listings);
}
END_TEST

START_TEST(retires_numbers_when_uidvalidity_changes)
{
    open_account(NULL, 0);
    struct mailbox *mailbox = child(account_root(account), "A"),
                   *inbox = child(account_root(account), "INBOX");
    ck_assert_int_eq(refresh(mailbox), IMAP_OK);
    account_lock(account);
    const uint32_t before = mailbox_message_id_locked(mailbox);
    const uint32_t uidvalidity = mailbox_uidvalidity_locked(mailbox);
    account_unlock(account);
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    by_other_client("t RENAME A/B keep\r\n", "t DELETE A\r\n", "t CREATE A\r\n", NULL);
    ck_assert_int_eq(refresh(mailbox), IMAP_OK);
    account_lock(account);
    ck_assert_uint_ne(mailbox_uidvalidity_locked(mailbox), uidvalidity);
    ck_assert_uint_ne(mailbox_message_id_locked(mailbox), before);
    ck_assert_ptr_null(account_by_id_locked(account, before));
    ck_assert_uint_eq(mailbox_count_locked(mailbox), 0);
    account_unlock(account);
    ck_assert_uint_eq(told.gone, 1);
}
END_TEST

START_TEST(follows_the_tree)
{
    open_account(NULL, 0);
    struct mailbox *root = account_root(account), *a = child(root, "A"), *b = child(a, "B");
    by_other_client("t DELETE A/B\r\n", "t CREATE \"Entw&APw-rfe/x\"\r\n", NULL);
    ck_assert_int_eq(refresh_tree(), IMAP_OK);
    account_lock(account);
    ck_assert(mailbox_gone_locked(b));
    ck_assert_ptr_null(mailbox_child_locked(a, "B"));
    account_unlock(account);
    ck_assert_uint_eq(told.children, 1);
    ck_assert_int_eq(refresh(b), IMAP_GONE);
    struct mailbox *umlaut = child(root, "Entw\xC3\xBCrfe");
    ck_assert_str_eq(mailbox_wire_name(child(umlaut, "x")), "Entw&APw-rfe/x");
    by_other_client("t CREATE A/B\r\n", NULL);
    ck_assert_int_eq(refresh_tree(), IMAP_OK);
    ck_assert_ptr_eq(child(a, "B"), b);
    ck_assert_int_eq(refresh(b), IMAP_OK);
    ck_assert_uint_eq(count_of(b), 0);
}
END_TEST

START_TEST(mounts_one_mailbox)
{
    struct imap_error err = {0};
    ck_assert_int_eq(try_open("A/missing", 60000, &err), IMAP_GONE);
    ck_assert_ptr_null(account);
    ck_assert_msg(strstr(err.text, "A/missing"), "%s", err.text);
    open_account("A", 60000);
    ck_assert_str_eq(mailbox_wire_name(account_root(account)), "A");
    ck_assert_str_eq(mailbox_file_name(account_root(account)), "");
    ck_assert_ptr_null(mailbox_parent(account_root(account)));
    ck_assert_int_eq(refresh(account_root(account)), IMAP_OK);
    ck_assert_uint_eq(count_of(account_root(account)), 1);
    ck_assert_ptr_eq(mailbox_parent(child(account_root(account), "B")), account_root(account));
}
END_TEST

/* A server that is gone is an error in time; what was listed before is listed as it was. */
START_TEST(fails_when_the_server_is_gone)
{
    open_account(NULL, 0);
    struct mailbox *inbox = child(account_root(account), "INBOX");
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_msg(test_server_halt(&server), "%s", server.why);
    ck_assert_int_eq(refresh(child(account_root(account), "A")), IMAP_AGAIN);
    ck_assert_int_eq(refresh(inbox), IMAP_OK);
    ck_assert_uint_eq(count_of(inbox), 2);
}
END_TEST

START_TEST(closing_ends_what_waits)
{
    open_account(NULL, 0);
    struct asked asked[3] = {
        {.wait = {.done = asked_done}}, {.wait = {.done = asked_done}}, {.wait = {.done = asked_done}}};
    struct mailbox *inbox = child(account_root(account), "INBOX"), *other = child(account_root(account), "A");
    account_lock(account);
    bool fresh = mailbox_fresh_locked(inbox, &asked[0].wait);
    fresh |= mailbox_fresh_locked(other, &asked[1].wait);
    fresh |= mailbox_fresh_locked(other, &asked[2].wait);
    account_unlock(account);
    ck_assert(!fresh);
    ck_assert(wait_cancel(account, &asked[2].wait) || asked[2].done);
    account_close(&account);
    for (int i = 0; i < 2; i++) {
        ck_assert(asked[i].done);
        ck_assert(asked[i].err.status == IMAP_CANCEL || asked[i].err.status == IMAP_OK);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sync");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, lists_what_is_there);
    tcase_add_test(tcase, tells_new_mail_and_expunged_mail);
    tcase_add_test(tcase, notices_what_happened_elsewhere);
    tcase_add_test(tcase, retires_numbers_when_uidvalidity_changes);
    tcase_add_test(tcase, follows_the_tree);
    tcase_add_test(tcase, mounts_one_mailbox);
    tcase_add_test(tcase, fails_when_the_server_is_gone);
    tcase_add_test(tcase, closing_ends_what_waits);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
