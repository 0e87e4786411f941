/* SPDX-License-Identifier: MIT */
/* Uploading over a line that is cut at every stage of APPEND, in both directions: the message is there exactly once,
 * or there was an error and the draft is still where it was. The account's cache directory outlives its mounts. */
#include "cutproxy.h"
#include "dovecot.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errmap.h"
#include "mailbox_internal.h"
#include "send.h"

#define DEADLINE_S 40

static struct test_server server;

/* One account behind a proxy of its own; several run at once. */
struct world {
    const char *user, *disable;
    struct cutproxy proxy;
    struct account *account;
    char cache_dir[128];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint32_t sent_uid;
    bool done;
    struct imap_error err;
    char failure[512]; /* of a thread, told by the main one */
};

/* ---- another client ------------------------------------------------------------------------------- */

static size_t count_messages(const struct world *world, const char *mailbox, const char *subject)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10))};
    struct timeval limit = {.tv_sec = DEADLINE_S};
    char text[8192];
    size_t len = 0, count = 0;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    const int n = snprintf(text, sizeof text,
                           "a LOGIN %s %s\r\nb EXAMINE %s\r\nc UID SEARCH SUBJECT \"%s\"\r\nd LOGOUT\r\n",
                           world->user, server.password, mailbox, subject);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        abort();
    for (ssize_t got; len < sizeof text - 1 && (got = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0;)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    const char *found = strstr(text, "* SEARCH");
    if (!found || !strstr(text, "c OK"))
        abort();
    for (const char *at = found + strlen("* SEARCH"); *at == ' '; count++)
        at += 1 + strspn(at + 1, "0123456789");
    return count;
}

/* ---- the account ---------------------------------------------------------------------------------- */

/* Of the names that change with it, that under which it was written. */
static void on_name(void *arg, struct mailbox *mailbox, const char *name)
{
    struct world *world = arg;
    account_lock(mailbox_account(mailbox));
    const uint32_t uid = written_uid(mailbox->written, name);
    account_unlock(mailbox_account(mailbox));
    pthread_mutex_lock(&world->lock);
    if (uid)
        world->sent_uid = uid;
    pthread_mutex_unlock(&world->lock);
}

static void on_log(void *arg, int priority, const char *line)
{
    const struct world *world = arg;
    (void)priority;
    printf("%s: %s\n", world->user, line);
}

static void on_trace(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                     size_t len)
{
    const struct world *world = arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%s %ld.%03ld %u%c: %.*s\n", world->user, now.tv_sec % 1000, now.tv_nsec / 1000000, connection,
           direction == IMAP_TRACE_CLIENT   ? 'C'
           : direction == IMAP_TRACE_SERVER ? 'S'
                                            : '*',
           (int)len, line);
}

static void open_account(struct world *world, unsigned timeout_ms)
{
    const struct account_events events = {
        .name_changed = on_name, .log = on_log, .trace = getenv("TRACE") ? on_trace : NULL};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = world->proxy.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = world->user,
                                                         .password = server.password,
                                                         .disable = world->disable,
                                                         .timeout_ms = timeout_ms},
                                            .connections = 2,
                                            .poll_ms = 60000,
                                            .read_write = true,
                                            .cache_dir = world->cache_dir,
                                            .cache_size = 1 << 20};
    struct imap_error err = {0};
    if (account_open(&options, &events, world, &world->account, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static void world_init(struct world *world, const char *user, const char *disable, const char *port)
{
    *world = (struct world){.user = user, .disable = disable};
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    snprintf(world->cache_dir, sizeof world->cache_dir, "%s/cache-%s", server.dir, user);
    if (!cutproxy_start(&world->proxy, port, server.port))
        abort();
}

static void world_fini(struct world *world)
{
    if (world->account)
        account_close(&world->account);
    cutproxy_stop(&world->proxy);
}

struct waiter {
    struct wait wait;
    struct world *world;
};

static void on_done(struct wait *wait, const struct imap_error *err)
{
    struct world *world = ((struct waiter *)wait)->world;
    pthread_mutex_lock(&world->lock);
    world->err = err ? *err : (struct imap_error){0};
    world->done = true;
    pthread_cond_signal(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static struct mailbox *inbox(struct world *world)
{
    account_lock(world->account);
    struct mailbox *mailbox = mailbox_child_locked(account_root(world->account), "INBOX");
    account_unlock(world->account);
    return mailbox;
}

/* The errno that close(2) would tell. */
static int outcome(struct world *world)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&world->lock);
    int rc = 0;
    while (!world->done && !rc)
        rc = pthread_cond_timedwait(&world->changed, &world->lock, &until);
    const int error = world->err.status ? errmap_errno(&world->err) : 0;
    pthread_mutex_unlock(&world->lock);
    if (rc)
        abort();
    return error;
}

static struct draft *write_draft(struct world *world, const char *name, const char *text, size_t len)
{
    struct imap_error err = {0};
    struct draft *draft;
    if (draft_new(world->account, &draft, &err))
        abort();
    account_lock(world->account);
    draft_name_locked(draft, mailbox_child_locked(account_root(world->account), "INBOX"), name);
    account_unlock(world->account);
    if (draft_write(draft, text, len, 0) != (ssize_t)len)
        abort();
    return draft;
}

static int send_draft(struct world *world, struct draft *draft)
{
    struct waiter waiter = {.wait = {.done = on_done}, .world = world};
    world->done = false;
    account_lock(world->account);
    const bool nothing = draft_send_locked(draft, &waiter.wait);
    account_unlock(world->account);
    return nothing ? -1 : outcome(world);
}

static void let_go(struct world *world, struct draft *draft)
{
    account_lock(world->account);
    draft_close_locked(draft);
    account_unlock(world->account);
}

static bool is_there(struct world *world, const char *name)
{
    account_lock(world->account);
    const bool there = draft_find_locked(mailbox_child_locked(account_root(world->account), "INBOX"), name);
    account_unlock(world->account);
    return there;
}

/* A message and its size on the wire. */
static size_t compose(char *text, size_t size, const char *subject)
{
    return (size_t)snprintf(text, size, "Subject: %s\r\n\r\nline one\r\nline two, a little longer\r\n",
                            subject);
}

/* ---- cutting -------------------------------------------------------------------------------------- */

/* One upload over a line that is cut there. It must be done in spite of that. */
static void cut_once(struct world *world, const char *which, size_t up, size_t down)
{
    char subject[80], name[96], text[256];
    snprintf(subject, sizeof subject, "%s-%zd-%zd", which, (ssize_t)up, (ssize_t)down);
    snprintf(name, sizeof name, "%s.eml", subject);
    const size_t len = compose(text, sizeof text, subject);
    const unsigned cuts = cutproxy_cuts(&world->proxy);
    open_account(world, 20000); /* a pool that loses line after line dials them more and more slowly */
    cutproxy_arm(&world->proxy, up, down);
    struct draft *draft = write_draft(world, name, text, len);
    const int error = send_draft(world, draft);
    let_go(world, draft);
    const size_t count = count_messages(world, "INBOX", subject);
    const bool stays = is_there(world, name);
    account_close(&world->account);
    if (cutproxy_cuts(&world->proxy) != cuts + 1)
        snprintf(world->failure, sizeof world->failure, "%s: the line was not cut", subject);
    else if (error || count != 1 || stays || !world->sent_uid)
        snprintf(world->failure, sizeof world->failure, "%s: error %d (%s), %zu messages%s, UID %u", subject,
                 error, world->err.text, count, stays ? " and a draft" : "", world->sent_uid);
}

/* From "APPEND " on: the command, the literal and the line end after it. */
static void cut_everywhere(struct world *world, const char *which)
{
    char text[256], command[160];
    const size_t literal = compose(text, sizeof text, "up-000-0") - 2;
    const int line =
        snprintf(command, sizeof command, "APPEND INBOX \"21-Nov-2026 14:00:00 +0000\" {%zu+}\r\n", literal);
    const size_t end = (size_t)line;
    const size_t up[] = {0, 5, end / 2, end - 3, end + literal / 2, end + literal - 20};
    const size_t down[] = {0, 1, 9, 30};
    for (size_t i = 0; i < sizeof up / sizeof *up && !*world->failure; i++)
        cut_once(world, which, up[i], CUTPROXY_NEVER);
    for (size_t i = 0; i < sizeof down / sizeof *down && !*world->failure; i++)
        cut_once(world, which, CUTPROXY_NEVER, down[i]);
}

static void *cut_thread(void *arg)
{
    struct world *world = arg;
    cut_everywhere(world, world->user);
    return NULL;
}

START_TEST(a_line_cut_anywhere)
{
    static struct world worlds[4];
    static const char *const disable[] = {NULL, "UIDPLUS", "LITERAL+", "UIDPLUS,LITERAL+,QRESYNC,CONDSTORE"};
    static const char *const users[] = {"anna", "bert", "carl", "dora"};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        world_init(&worlds[i], users[i], disable[i], "0");
        ck_assert_int_eq(pthread_create(&threads[i], NULL, cut_thread, &worlds[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 4; i++) {
        world_fini(&worlds[i]);
        ck_assert_msg(!*worlds[i].failure, "%s: %s", disable[i] ? disable[i] : "with all", worlds[i].failure);
    }
}
END_TEST

static struct world one;

static void setup(void)
{
    world_init(&one, "fred", NULL, "0");
    open_account(&one, 20000);
}

static void teardown(void)
{
    world_fini(&one);
}

/* Nobody waits any more when the line is lost: it is not sent again, and the next mount shows it. */
START_TEST(nothing_is_sent_for_nobody)
{
    char text[256];
    const size_t len = compose(text, sizeof text, "for nobody");
    cutproxy_arm(&one.proxy, 60, CUTPROXY_NEVER); /* amid the literal */
    struct draft *draft = write_draft(&one, "nobody.eml", text, len);
    struct waiter waiter = {.wait = {.done = on_done}, .world = &one};
    account_lock(one.account);
    ck_assert(!draft_send_locked(draft, &waiter.wait));
    account_unlock(one.account);
    ck_assert(wait_cancel(one.account, &waiter.wait));
    let_go(&one, draft);
    account_close(&one.account);
    const size_t before = count_messages(&one, "INBOX", "for nobody");
    open_account(&one, 20000);
    ck_assert_uint_eq(before + is_there(&one, "nobody.eml"), 1);
    ck_assert_uint_eq(count_messages(&one, "INBOX", "for nobody"), before);
}
END_TEST

static struct draft *await_draft_gone(struct world *world, const char *name)
{
    struct mailbox *mailbox = inbox(world);
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < DEADLINE_S * 50; i++) {
        account_lock(world->account);
        struct draft *draft = draft_find_locked(mailbox, name);
        const bool looking = draft && draft_state_locked(draft) == DRAFT_SENDING;
        account_unlock(world->account);
        if (!draft || !looking)
            return draft;
        nanosleep(&pause, NULL);
    }
    abort();
}

/* The mount is killed when the server has the message and has not said so yet: the next one finds it there. */
START_TEST(what_a_killed_mount_has_sent_is_found)
{
    char text[256], command[512];
    const size_t len = compose(text, sizeof text, "of a killed mount");
    char port[sizeof one.proxy.port]; /* the account's directory is named by it */
    account_close(&one.account);
    cutproxy_stop(&one.proxy);
    snprintf(port, sizeof port, "%s", one.proxy.port);
    const pid_t child = fork();
    if (child == 0) {
        struct world of_child;
        world_init(&of_child, "fred", NULL, port);
        open_account(&of_child, 20000);
        write_draft(&of_child, "killed.eml", text, len);
        struct draft *local = write_draft(&of_child, ".local", text, len);
        struct waiter waiter = {.wait = {.done = on_done}, .world = &of_child};
        account_lock(of_child.account);
        if (draft_save_locked(local, false, &waiter.wait))
            abort();
        account_unlock(of_child.account);
        if (outcome(&of_child))
            abort();
        account_lock(of_child.account);
        struct draft *draft =
            draft_find_locked(mailbox_child_locked(account_root(of_child.account), "INBOX"), "killed.eml");
        draft_send_locked(draft, &waiter.wait);
        account_unlock(of_child.account);
        cutproxy_arm(&of_child.proxy, CUTPROXY_NEVER, 0);
        for (int i = 0; i < 2000 && count_messages(&of_child, "INBOX", "of a killed mount") == 0; i++)
            usleep(5000);
        raise(SIGKILL);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    /* what it had when it was killed was the place as it was saved before it was sent */
    snprintf(command, sizeof command, "ls %s/*.drafts/*.place >/dev/null", one.cache_dir);
    ck_assert_int_eq(system(command), 0);
    world_init(&one, "fred", NULL, port);
    open_account(&one, 20000);
    ck_assert(is_there(&one, ".local"));
    ck_assert_ptr_null(await_draft_gone(&one, "killed.eml"));
    ck_assert_uint_eq(count_messages(&one, "INBOX", "of a killed mount"), 1);
}
END_TEST

/* What the server refuses is an error, stays, and is there at the next mount. */
START_TEST(a_refusal_stays)
{
    char text[256];
    const size_t len = compose(text, sizeof text, "refused");
    struct draft *draft = write_draft(&one, "refused.eml", text, len);
    account_lock(one.account);
    static const char *const keywords[] = {"%bad"}; /* Dovecot: BAD Invalid characters in keyword */
    draft_set_flags_locked(draft, WRITE_SET, &(struct imap_flags){.keywords = keywords, .keyword_count = 1});
    account_unlock(one.account);
    ck_assert_int_ne(send_draft(&one, draft), 0);
    let_go(&one, draft);
    ck_assert(is_there(&one, "refused.eml"));
    account_close(&one.account);
    open_account(&one, 20000);
    ck_assert(is_there(&one, "refused.eml"));
    ck_assert_uint_eq(count_messages(&one, "INBOX", "refused"), 0);
    account_lock(one.account);
    draft = draft_find_locked(mailbox_child_locked(account_root(one.account), "INBOX"), "refused.eml");
    draft_hold_locked(draft);
    draft_set_flags_locked(draft, WRITE_SET, &(struct imap_flags){0});
    account_unlock(one.account);
    ck_assert_int_eq(send_draft(&one, draft), 0);
    let_go(&one, draft);
    ck_assert_uint_eq(count_messages(&one, "INBOX", "refused"), 1);
    ck_assert(!is_there(&one, "refused.eml"));
}
END_TEST

int main(void)
{
    if (!test_dovecot_start(&server)) {
        printf("%s: %s\n", server.missing ? "SKIPPED" : "cannot start Dovecot", server.why);
        return server.missing ? 77 : 1;
    }
    Suite *suite = suite_create("upload");
    TCase *cuts = tcase_create("cuts"), *one_case = tcase_create("one");
    tcase_set_timeout(cuts, 100);
    tcase_add_test(cuts, a_line_cut_anywhere);
    suite_add_tcase(suite, cuts);
    tcase_set_timeout(one_case, 60);
    tcase_add_checked_fixture(one_case, setup, teardown);
    tcase_add_test(one_case, nothing_is_sent_for_nobody);
    tcase_add_test(one_case, what_a_killed_mount_has_sent_is_found);
    tcase_add_test(one_case, a_refusal_stays);
    suite_add_tcase(suite, one_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_server_stop(&server);
    return failed != 0;
}
