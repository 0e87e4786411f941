/* SPDX-License-Identifier: MIT */
/* Synchronisation of what has changed behind our back, against a real server, with and without what it offers
 * for that: right in the end, and how many bytes it took. */
#include "dovecot.h"

#include <arpa/inet.h>
#include <check.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "mailbox_internal.h"

#define DEADLINE_S 30
#define MESSAGES 1000
#define MAILBOXES 50

static struct test_server server;
static struct account *account;
static char cache_dir[160];

/* ---- another client ------------------------------------------------------------------------------- */

struct client {
    int fd;
    char *answer; /* to the last command */
    size_t len, capacity;
};

static bool is_complete(const struct client *client)
{
    return strncmp(client->answer, "t ", 2) == 0 || strstr(client->answer, "\r\nt ");
}

static const char *says(struct client *client, const char *line)
{
    client->len = 0;
    client->answer[0] = '\0';
    ck_assert_int_gt(send(client->fd, line, strlen(line), MSG_NOSIGNAL), 0);
    while (!is_complete(client)) {
        ck_assert_uint_lt(client->len + 1, client->capacity);
        ssize_t got = recv(client->fd, client->answer + client->len, client->capacity - 1 - client->len, 0);
        ck_assert_int_gt(got, 0);
        client->len += (size_t)got;
        client->answer[client->len] = '\0';
    }
    ck_assert_msg(strstr(client->answer, "t OK"), "%s -> %s", line, client->answer);
    return client->answer;
}

static struct client client_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10))};
    struct timeval limit = {.tv_sec = DEADLINE_S};
    struct client client = {.capacity = 1 << 20};
    char login[128];
    client.answer = malloc(client.capacity);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(connect(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    snprintf(login, sizeof login, "t LOGIN eve %s\r\n", server.password);
    says(&client, login);
    return client;
}

static void client_close(struct client *client)
{
    close(client->fd);
    free(client->answer);
}

static void deliver(const char *mailbox, unsigned number)
{
    char text[128];
    snprintf(text, sizeof text, "Subject: %u\r\n\r\n%0*u\r\n", number, (int)(number % 50) + 1, number);
    ck_assert_msg(test_dovecot_deliver(&server, "eve", mailbox, text, strlen(text), 951827696 + number), "%s",
                  server.why);
}

/* ---- what goes over the wire ---------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    size_t bytes;
    unsigned commands;
    bool verbose;
    char said[65536]; /* by us, a line each */
} wire = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_trace(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                     size_t len)
{
    (void)arg, (void)connection;
    if (direction == IMAP_TRACE_NOTE)
        return;
    pthread_mutex_lock(&wire.lock);
    wire.bytes += len + 2;
    if (direction == IMAP_TRACE_CLIENT) {
        wire.commands++;
        const size_t used = strlen(wire.said);
        if (used + len + 2 < sizeof wire.said)
            snprintf(wire.said + used, sizeof wire.said - used, "%.*s\n", (int)len, line);
    }
    pthread_mutex_unlock(&wire.lock);
}

static void wire_reset(void)
{
    pthread_mutex_lock(&wire.lock);
    wire.bytes = 0;
    wire.commands = 0;
    wire.said[0] = '\0';
    pthread_mutex_unlock(&wire.lock);
}

static size_t wire_bytes(void)
{
    pthread_mutex_lock(&wire.lock);
    const size_t bytes = wire.bytes;
    pthread_mutex_unlock(&wire.lock);
    return bytes;
}

static unsigned wire_commands(void)
{
    pthread_mutex_lock(&wire.lock);
    const unsigned commands = wire.commands;
    pthread_mutex_unlock(&wire.lock);
    return commands;
}

static bool was_said(const char *text)
{
    pthread_mutex_lock(&wire.lock);
    const bool found = strstr(wire.said, text) != NULL;
    pthread_mutex_unlock(&wire.lock);
    return found;
}

/* ---- asking the model ----------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned news, gone, altered, listings;
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count_up(unsigned *counter)
{
    pthread_mutex_lock(&told.lock);
    ++*counter;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

static void on_new(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox, (void)uid;
    count_up(&told.news);
}

static void on_gone(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox, (void)uid;
    count_up(&told.gone);
}

static void on_altered(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox, (void)uid;
    count_up(&told.altered);
}

static void on_listing(void *arg, struct mailbox *mailbox)
{
    (void)arg, (void)mailbox;
    count_up(&told.listings);
}

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

static struct timespec deadline(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    return until;
}

static void await(const unsigned *counter, unsigned at_least)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&told.lock);
    int rc = 0;
    while (*counter < at_least && !rc)
        rc = pthread_cond_timedwait(&told.changed, &told.lock, &until);
    pthread_mutex_unlock(&told.lock);
    ck_assert_msg(!rc, "not told in time");
}

static void await_answer(struct asked *asked)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&told.lock);
    int rc = 0;
    while (!asked->done && !rc)
        rc = pthread_cond_timedwait(&told.changed, &told.lock, &until);
    pthread_mutex_unlock(&told.lock);
    ck_assert_msg(!rc, "a wait was not ended in time");
    ck_assert_msg(!asked->err.status, "%s", asked->err.text);
}

/* True: without asking anybody. */
static bool refresh(struct mailbox *mailbox)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(account);
    const bool fresh = mailbox_fresh_locked(mailbox, &asked.wait);
    account_unlock(account);
    if (!fresh)
        await_answer(&asked);
    return fresh;
}

static void refresh_tree(void)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(account);
    const bool fresh = account_tree_fresh_locked(account, &asked.wait);
    account_unlock(account);
    ck_assert(!fresh);
    await_answer(&asked);
}

static struct mailbox *child(struct mailbox *mailbox, const char *name)
{
    account_lock(account);
    struct mailbox *found = mailbox_child_locked(mailbox, name);
    account_unlock(account);
    ck_assert_msg(found, "there is no %s", name);
    return found;
}

static void open_account(unsigned poll_ms, const char *disable)
{
    const struct account_events events = {.message_new = on_new,
                                          .message_gone = on_gone,
                                          .message_changed = on_altered,
                                          .listing_changed = on_listing,
                                          .trace = on_trace};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = server.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = "eve",
                                                         .password = server.password,
                                                         .disable = disable,
                                                         .timeout_ms = 10000},
                                            .connections = 2,
                                            .poll_ms = poll_ms,
                                            .cache_dir = cache_dir,
                                            .cache_size = 1 << 20};
    struct imap_error err = {0};
    ck_assert_msg(account_open(&options, &events, NULL, &account, &err) == IMAP_OK, "%s", err.text);
}

/* ---- the columns and what the server says --------------------------------------------------------------- */

static uint64_t number_after(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    ck_assert_msg(at, "no %s in %.100s", name, line);
    at += strlen(name);
    return strtoull(at + strspn(at, " ("), NULL, 10);
}

static void compare_line(const struct mailbox *mailbox, const char *line, bool modseq)
{
    char flags[128] = "";
    const char *date = strstr(line, "INTERNALDATE \""), *list = strstr(line, "FLAGS (");
    const uint32_t uid = (uint32_t)number_after(line, "UID ");
    struct imap_date internaldate;
    struct message message;
    ck_assert_msg(mailbox_find_locked(mailbox, uid, &message), "%u is not listed", uid);
    ck_assert_uint_eq(message.size, number_after(line, "RFC822.SIZE "));
    ck_assert(date && list && imap_date_parse(date + 14, 26, &internaldate));
    ck_assert_int_eq(message.date.unix_seconds, internaldate.unix_seconds);
    snprintf(flags, sizeof flags, "%.*s", (int)strcspn(list + 7, ")"), list + 7);
    char *recent = strstr(flags, "\\Recent"); /* a matter of the session, and the last one */
    if (recent)
        *(recent > flags ? recent - 1 : recent) = '\0';
    ck_assert_str_eq(mailbox_flags_text_locked(mailbox, message.flagset), flags);
    if (modseq)
        ck_assert_uint_eq(message.modseq, number_after(line, "MODSEQ "));
    else
        ck_assert_uint_eq(message.modseq, 0);
}

static void compare(struct mailbox *mailbox, bool modseq)
{
    struct client client = client_open();
    char line[128];
    size_t count = 0;
    snprintf(line, sizeof line, "t EXAMINE %s\r\n", mailbox_wire_name(mailbox));
    says(&client, line);
    says(&client, "t UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)\r\n");
    account_lock(account);
    for (char *at = strtok(client.answer, "\n"); at; at = strtok(NULL, "\n"))
        if (strstr(at, " FETCH (")) {
            compare_line(mailbox, at, modseq);
            count++;
        }
    ck_assert_uint_eq(mailbox_count_locked(mailbox), count);
    account_unlock(account);
    client_close(&client);
}

/* ---- the tests ------------------------------------------------------------------------------------------ */

static void set_up(void)
{
    setenv("TZ", "UTC0", 1);
    ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
    snprintf(cache_dir, sizeof cache_dir, "%s/cache", server.dir);
}

static void tear_down(void)
{
    account_close(&account);
    test_server_stop(&server);
}

static const struct mode {
    const char *disable, *said, *not_said;
    bool modseq;
} modes[] = {{NULL, "(QRESYNC (", "CHANGEDSINCE", true},
             {"QRESYNC", "(CHANGEDSINCE ", "(QRESYNC", true},
             {"QRESYNC,ESEARCH", "UID SEARCH UID 1:1000", "RETURN", true},
             {"CONDSTORE", "UID FETCH 1:* (UID FLAGS)", "MODSEQ", false}};

static void change_behind_our_back(void)
{
    struct client client = client_open();
    for (unsigned i = 1; i <= 100; i++)
        deliver("INBOX", MESSAGES + i);
    says(&client, "t SELECT INBOX\r\n");
    says(&client, "t UID STORE 301:350,601:650 +FLAGS.SILENT (\\Flagged)\r\n");
    says(&client, "t UID STORE 1:50,351:400 +FLAGS.SILENT (\\Deleted)\r\n");
    says(&client, "t EXPUNGE\r\n");
    client_close(&client);
}

START_TEST(changes_behind_our_back)
{
    const struct mode *mode = &modes[_i];
    for (unsigned i = 1; i <= MESSAGES; i++)
        deliver("INBOX", i);
    deliver("A", 1);
    open_account(0, mode->disable);
    struct mailbox *inbox = child(account_root(account), "INBOX"), *other = child(account_root(account), "A");
    refresh(inbox);
    compare(inbox, mode->modseq);
    refresh(other); /* so that INBOX is not watched */
    change_behind_our_back();
    wire_reset();
    refresh(inbox);
    const size_t bytes = wire_bytes();
    printf("%s disabled: %zu bytes, %u commands for 100 new, 100 flagged, 100 gone of %d\n",
           mode->disable ? mode->disable : "nothing", bytes, wire_commands(), MESSAGES);
    ck_assert_msg(was_said(mode->said), "%s", wire.said);
    ck_assert_msg(!was_said(mode->not_said), "%s", wire.said);
    compare(inbox, mode->modseq);
    ck_assert_uint_eq(told.news, 100);
    ck_assert_uint_eq(told.gone, 100);
    ck_assert_uint_eq(told.altered, 100);
    if (_i == 0) {
        ck_assert_uint_lt(bytes, 32 * 1024);
        ck_assert(!was_said("UID FETCH 1:"));
    }
    /* and again, when nothing has changed */
    refresh(other);
    const unsigned listings = told.listings;
    wire_reset();
    refresh(inbox);
    ck_assert_uint_eq(told.listings, listings);
    ck_assert_uint_eq(told.altered, 100);
    if (mode->modseq)
        ck_assert_msg(!was_said("FETCH"), "%s", wire.said);
    compare(inbox, mode->modseq);
}
END_TEST

/* What is heard while watching is not asked again wrongly, nor forgotten. */
START_TEST(changes_while_watched_and_after)
{
    struct mode mode = modes[_i];
    for (unsigned i = 1; i <= 20; i++)
        deliver("INBOX", i);
    deliver("A", 1);
    open_account(0, mode.disable);
    struct mailbox *inbox = child(account_root(account), "INBOX"), *other = child(account_root(account), "A");
    refresh(inbox);
    struct client client = client_open();
    says(&client, "t SELECT INBOX\r\n");
    for (unsigned round = 0; round < 5; round++) {
        char line[96];
        if (round % 2)
            refresh(other);
        deliver("INBOX", 100 + round);
        snprintf(line, sizeof line, "t UID STORE %u +FLAGS.SILENT (\\Deleted)\r\n", 1 + 4 * round);
        says(&client, line);
        snprintf(line, sizeof line, "t UID STORE %u +FLAGS.SILENT (\\Seen)\r\n", 2 + 4 * round);
        says(&client, line);
        says(&client, "t EXPUNGE\r\n");
        if (round % 2 == 0) {
            await(&told.gone, round + 1);
            refresh(other);
        }
        refresh(inbox);
        compare(inbox, mode.modseq);
        ck_assert_uint_eq(told.gone, round + 1);
        ck_assert_uint_eq(told.news, round + 1);
    }
    client_close(&client);
}
END_TEST

static void age(struct mailbox *const *mailboxes, size_t count)
{
    account_lock(account);
    account->tree.listed_ms -= 3600000;
    for (size_t i = 0; i < count; i++)
        mailboxes[i]->proven_ms -= 3600000;
    account_unlock(account);
}

START_TEST(a_tree_is_revalidated_by_one_listing)
{
    struct mailbox *mailboxes[MAILBOXES];
    char name[16];
    for (unsigned i = 0; i < MAILBOXES; i++) {
        snprintf(name, sizeof name, "m%02u", i);
        deliver(name, i);
    }
    open_account(3600000, "NOTIFY");
    for (unsigned i = 0; i < MAILBOXES; i++) {
        snprintf(name, sizeof name, "m%02u", i);
        mailboxes[i] = child(account_root(account), name);
        ck_assert(!refresh(mailboxes[i]));
    }
    age(mailboxes, MAILBOXES);
    wire_reset();
    refresh_tree();
    for (unsigned i = 0; i < MAILBOXES; i++)
        ck_assert_msg(refresh(mailboxes[i]), "m%02u was asked for", i);
    printf("%d mailboxes revalidated by %u commands, %zu bytes\n", MAILBOXES, wire_commands(), wire_bytes());
    ck_assert_msg(wire_commands() <= 4, "%s", wire.said); /* DONE, LIST, perhaps IDLE */
    ck_assert(!was_said("EXAMINE"));
    /* but not what has changed */
    struct client client = client_open();
    deliver("m07", 1);
    says(&client, "t SELECT m11\r\n");
    says(&client, "t UID STORE 1 +FLAGS.SILENT (\\Seen)\r\n");
    client_close(&client);
    age(mailboxes, MAILBOXES);
    wire_reset();
    refresh_tree();
    for (unsigned i = 0; i < MAILBOXES; i++)
        ck_assert_msg(refresh(mailboxes[i]) == (i != 7 && i != 11), "m%02u", i);
    compare(mailboxes[7], true);
    compare(mailboxes[11], true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resync_dovecot");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, changes_behind_our_back, 0, sizeof modes / sizeof *modes);
    tcase_add_loop_test(tcase, changes_while_watched_and_after, 0, sizeof modes / sizeof *modes);
    tcase_add_test(tcase, a_tree_is_revalidated_by_one_listing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
