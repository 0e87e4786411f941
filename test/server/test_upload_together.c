/* SPDX-License-Identifier: MIT */
/* Uploading many at once to a real Dovecot and a real Cyrus: they go by few commands, each arrives as it was written,
 * and one that is refused, or a line that is cut amid them, costs none of the others. */
#include "cutproxy.h"
#include "cyrus.h"
#include "dovecot.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "errmap.h"
#include "mailbox_internal.h"
#include "send.h"

#define DEADLINE_S 60
#define MANY 50
#define SIZE_LIMIT 20000 /* of one message, on this Dovecot */

static struct test_server dovecot, cyrus;

struct upload {
    struct wait wait;
    struct world *world;
    struct draft *draft;
    char name[64], subject[48];
    char *text; /* as the server is to have it */
    size_t len;
    time_t mtime;
    bool done;
    struct imap_error err;
};

/* One account behind a proxy of its own. */
struct world {
    struct test_server *server;
    const char *user, *disable;
    struct cutproxy proxy;
    struct account *account;
    char cache_dir[128];
    struct upload uploads[MANY];
    size_t count;
    unsigned appends; /* commands; guarded by lock */
    size_t done;      /* likewise */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char failure[512]; /* of a thread, told by the main one */
};

/* ---- another client ------------------------------------------------------------------------------- */

static int log_in(const struct world *world, const char *mailbox)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(world->server->port, NULL, 10))};
    const struct timeval limit = {.tv_sec = DEADLINE_S};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    dprintf(fd, "a LOGIN %s %s\r\nb EXAMINE %s\r\n", world->user, world->server->password, mailbox);
    return fd;
}

/* What is said until the tagged answer to the last command; to be freed. */
static char *listen_until(int fd, const char *tagged, size_t *len_out)
{
    size_t len = 0, room = 1 << 16;
    char *text = malloc(room);
    for (;;) {
        const ssize_t got = recv(fd, text + len, room - 1 - len, 0);
        if (got <= 0)
            abort();
        len += (size_t)got;
        text[len] = '\0';
        if (memmem(text, len, tagged, strlen(tagged)))
            break;
        if (room - len < 4096)
            text = realloc(text, room *= 2);
    }
    *len_out = len;
    return text;
}

static size_t count_messages(const struct world *world, const char *subject)
{
    size_t len = 0, count = 0;
    const int fd = log_in(world, "INBOX");
    dprintf(fd, "c UID SEARCH SUBJECT \"%s\"\r\n", subject);
    char *text = listen_until(fd, "\r\nc OK", &len);
    const char *at = strstr(text, "* SEARCH");
    for (at = at ? at + strlen("* SEARCH") : ""; *at == ' '; count++)
        at += 1 + strspn(at + 1, "0123456789");
    free(text);
    close(fd);
    return count;
}

/* ---- the account ---------------------------------------------------------------------------------- */

static void on_log(void *arg, int priority, const char *line)
{
    const struct world *world = arg;
    (void)priority;
    printf("%s: %s\n", world->user, line);
}

static void on_trace(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                     size_t len)
{
    struct world *world = arg;
    const char *space = memchr(line, ' ', len);
    if (direction == IMAP_TRACE_CLIENT && space && *line == 'a' && !strncmp(space, " APPEND ", 8)) {
        pthread_mutex_lock(&world->lock);
        world->appends++;
        pthread_mutex_unlock(&world->lock);
    }
    if (getenv("TRACE"))
        printf("%s %u%c: %.*s\n", world->user, connection, direction == IMAP_TRACE_CLIENT ? 'C' : 'S',
               (int)len, line);
}

static void open_account(struct world *world)
{
    const struct account_events events = {.log = on_log, .trace = on_trace};
    const struct account_options options = {.endpoint = {.host = "127.0.0.1",
                                                         .port = world->proxy.port,
                                                         .tls = IMAP_TLS_NONE,
                                                         .user = world->user,
                                                         .password = world->server->password,
                                                         .disable = world->disable,
                                                         .timeout_ms = 20000},
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

static void world_init(struct world *world, struct test_server *server, const char *user, const char *disable)
{
    *world = (struct world){.server = server, .user = user, .disable = disable};
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    snprintf(world->cache_dir, sizeof world->cache_dir, "%s/cache-%s", dovecot.dir, user);
    if (!cutproxy_start(&world->proxy, "0", server->port))
        abort();
}

static struct mailbox *inbox_locked(struct world *world)
{
    return mailbox_child_locked(account_root(world->account), "INBOX");
}

static void forget_uploads(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        free(world->uploads[i].text);
    world->count = world->done = 0;
    world->appends = 0;
}

static void world_fini(struct world *world)
{
    if (world->account)
        account_close(&world->account);
    cutproxy_stop(&world->proxy);
    forget_uploads(world);
}

/* ---- uploading ------------------------------------------------------------------------------------ */

static void on_done(struct wait *wait, const struct imap_error *err)
{
    struct upload *upload = (struct upload *)wait;
    struct world *world = upload->world;
    pthread_mutex_lock(&world->lock);
    upload->err = err ? *err : (struct imap_error){0};
    upload->done = true;
    world->done++;
    pthread_cond_signal(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

/* Every third is written with bare line ends. */
static void write_upload(struct world *world, const char *which, size_t filler)
{
    struct upload *upload = &world->uploads[world->count];
    struct imap_error err = {0};
    *upload = (struct upload){.wait = {.done = on_done}, .world = world};
    snprintf(upload->subject, sizeof upload->subject, "%s-%02zu-end", which, world->count);
    snprintf(upload->name, sizeof upload->name, "%s-%02zu-end.eml", which, world->count);
    upload->text = malloc(256 + filler * 82);
    upload->len =
        (size_t)sprintf(upload->text, "From: me@example.org\r\nSubject: %s\r\n\r\n", upload->subject);
    for (size_t i = 0; i <= filler; i++)
        upload->len += (size_t)sprintf(upload->text + upload->len, "line %075zu\r\n", i * 17 + world->count);
    char *written = malloc(upload->len);
    size_t len = 0;
    for (size_t i = 0; i < upload->len; i++)
        if (world->count % 3 || upload->text[i] != '\r')
            written[len++] = upload->text[i];
    if (draft_new(world->account, &upload->draft, &err))
        abort();
    account_lock(world->account);
    draft_name_locked(upload->draft, inbox_locked(world), upload->name);
    account_unlock(world->account);
    if (draft_write(upload->draft, written, len, 0) != (ssize_t)len)
        abort();
    free(written);
    upload->mtime = 1500000000 + (time_t)world->count * 86461;
    account_lock(world->account);
    draft_set_mtime_locked(upload->draft, (struct timespec){.tv_sec = upload->mtime});
    draft_set_flags_locked(upload->draft, WRITE_SET,
                           &(struct imap_flags){.system = (world->count & 1 ? IMAP_FLAG_SEEN : 0) |
                                                          (world->count & 2 ? IMAP_FLAG_FLAGGED : 0)});
    account_unlock(world->account);
    world->count++;
}

/* All at once. False: somebody was not told in time. */
static bool send_all(struct world *world)
{
    struct timespec until;
    int rc = 0;
    account_lock(world->account);
    for (size_t i = 0; i < world->count; i++)
        if (draft_send_locked(world->uploads[i].draft, &world->uploads[i].wait))
            abort();
    account_unlock(world->account);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&world->lock);
    while (world->done < world->count && !rc)
        rc = pthread_cond_timedwait(&world->changed, &world->lock, &until);
    pthread_mutex_unlock(&world->lock);
    account_lock(world->account);
    for (size_t i = 0; i < world->count; i++)
        draft_close_locked(world->uploads[i].draft);
    account_unlock(world->account);
    return !rc;
}

static int error_of(const struct upload *upload)
{
    return upload->err.status ? errmap_errno(&upload->err) : 0;
}

static uint32_t uid_of(struct world *world, const struct upload *upload)
{
    account_lock(world->account);
    const uint32_t uid = written_uid(inbox_locked(world)->written, upload->name);
    account_unlock(world->account);
    return uid;
}

static bool is_draft(struct world *world, const struct upload *upload)
{
    account_lock(world->account);
    const bool there = draft_find_locked(inbox_locked(world), upload->name);
    account_unlock(world->account);
    return there;
}

/* ---- many ----------------------------------------------------------------------------------------- */

static bool has_bytes(const char *text, size_t len, const char *what, size_t what_len)
{
    return memmem(text, len, what, what_len) != NULL;
}

/* What the server has is what was written, with its flags and date. */
static void compare(int fd, const struct upload *upload, size_t i, uint32_t uid)
{
    char head[64], date[IMAP_DATE_TEXT_MAX];
    const struct imap_date mtime = {.unix_seconds = upload->mtime};
    size_t len = 0;
    dprintf(fd, "c%zu UID FETCH %" PRIu32 " (FLAGS INTERNALDATE BODY.PEEK[])\r\n", i, uid);
    snprintf(head, sizeof head, "\r\nc%zu OK", i);
    char *text = listen_until(fd, head, &len);
    const size_t head_len = (size_t)snprintf(head, sizeof head, "BODY[] {%zu}\r\n", upload->len);
    const char *body = memmem(text, len, head, head_len);
    ck_assert_msg(body && !memcmp(body + head_len, upload->text, upload->len), "%s is not as written: %.200s",
                  upload->name, text);
    imap_date_format(&mtime, date);
    date[20] = '\0'; /* without the zone, which is the servers' business; and Dovecot says 01-Aug */
    const char *day = date + (*date == ' ');
    ck_assert_msg(has_bytes(text, len, day, strlen(day)), "%.200s instead of %s", text, day);
    ck_assert_int_eq(has_bytes(text, len, "\\Seen", 5), (i & 1) != 0);
    ck_assert_int_eq(has_bytes(text, len, "\\Flagged", 8), (i & 2) != 0);
    free(text);
}

static void many_arrive(struct test_server *server, const char *user)
{
    static struct world world;
    if (server->missing) {
        printf("SKIPPED: %s\n", server->why);
        return;
    }
    world_init(&world, server, user, NULL);
    open_account(&world);
    for (size_t i = 0; i < MANY; i++)
        write_upload(&world, "many", i * 3);
    ck_assert(send_all(&world));
    ck_assert_uint_eq(world.appends, 1);
    size_t len = 0;
    const int fd = log_in(&world, "INBOX");
    free(listen_until(fd, "\r\nb OK", &len));
    uint32_t last = 0;
    for (size_t i = 0; i < MANY; i++) {
        const struct upload *upload = &world.uploads[i];
        const uint32_t uid = uid_of(&world, upload);
        ck_assert_msg(!error_of(upload), "%s: %s", upload->name, upload->err.text);
        ck_assert_uint_gt(uid, last);
        compare(fd, upload, i, uid);
        last = uid;
    }
    close(fd);
    ck_assert_uint_eq(count_messages(&world, "many-"), MANY);
    world_fini(&world);
}

START_TEST(many_arrive_at_dovecot)
{
    many_arrive(&dovecot, "anna");
}
END_TEST

START_TEST(many_arrive_at_cyrus)
{
    many_arrive(&cyrus, cyrus.user);
}
END_TEST

START_TEST(the_one_that_is_refused_fails_and_no_other)
{
    static struct world world;
    world_init(&world, &dovecot, "bert", NULL);
    open_account(&world);
    for (size_t i = 0; i < 20; i++)
        write_upload(&world, "refused", i == 7 ? SIZE_LIMIT / 80 + 1 : 2);
    ck_assert(send_all(&world));
    for (size_t i = 0; i < 20; i++) {
        const struct upload *upload = &world.uploads[i];
        ck_assert_msg((error_of(upload) != 0) == (i == 7), "%s: %s", upload->name, upload->err.text);
        ck_assert_int_eq(is_draft(&world, upload), i == 7);
        ck_assert_uint_eq(count_messages(&world, upload->subject), i != 7);
    }
    ck_assert_uint_eq(world.appends, 21);
    world_fini(&world);
}
END_TEST

/* ---- cutting -------------------------------------------------------------------------------------- */

/* Five uploads by one command, over a line that is cut there. They must be done in spite of that. */
static void cut_once(struct world *world, const char *which, size_t up, size_t down)
{
    const unsigned cuts = cutproxy_cuts(&world->proxy);
    forget_uploads(world);
    open_account(world);
    cutproxy_arm(&world->proxy, up, down);
    for (size_t i = 0; i < 5; i++)
        write_upload(world, which, 3);
    const bool told = send_all(world);
    for (size_t i = 0; i < 5 && told && !*world->failure; i++) {
        const struct upload *upload = &world->uploads[i];
        const size_t count = count_messages(world, upload->subject);
        const bool stays = is_draft(world, upload);
        if (error_of(upload) || count != 1 || stays || !uid_of(world, upload))
            snprintf(world->failure, sizeof world->failure, "%s: error %d (%s), %zu messages%s", upload->name,
                     error_of(upload), upload->err.text, count, stays ? " and a draft" : "");
    }
    account_close(&world->account);
    if (!told)
        snprintf(world->failure, sizeof world->failure, "%s: somebody is not told", which);
    else if (!*world->failure && cutproxy_cuts(&world->proxy) != cuts + 1)
        snprintf(world->failure, sizeof world->failure, "%s: the line was not cut", which);
}

static void *cut_thread(void *arg)
{
    /* The command is "APPEND INBOX" and five times some 45 octets and a message of 376. Up: before it, in its line, amid
     * the first message, right behind it, amid the second and the last, and before the very end. */
    static const size_t up[] = {0, 5, 200, 460, 700, 1900, 2080};
    static const size_t down[] = {0, 1, 9, 30};
    struct world *world = arg;
    char which[24];
    for (size_t i = 0; i < sizeof up / sizeof *up && !*world->failure; i++) {
        snprintf(which, sizeof which, "up%zu", up[i]);
        cut_once(world, which, up[i], CUTPROXY_NEVER);
    }
    for (size_t i = 0; i < sizeof down / sizeof *down && !*world->failure; i++) {
        snprintf(which, sizeof which, "down%zu", down[i]);
        cut_once(world, which, CUTPROXY_NEVER, down[i]);
    }
    return NULL;
}

START_TEST(a_line_cut_amid_many)
{
    static struct world worlds[4];
    static const char *const disable[] = {NULL, "UIDPLUS", "LITERAL+", "UIDPLUS,LITERAL+,QRESYNC,CONDSTORE"};
    static const char *const users[] = {"carl", "dora", "emil", "fred"};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        world_init(&worlds[i], &dovecot, users[i], disable[i]);
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

int main(void)
{
    char config[64];
    snprintf(config, sizeof config, "plugin {\n  quota_max_mail_size = %d\n}", SIZE_LIMIT);
    setenv("DOVECOT_PLUGINS", "quota", 1);
    setenv("DOVECOT_CONF", config, 1);
    setenv("TZ", "UTC", 1);
    if (!test_dovecot_start(&dovecot)) {
        printf("%s: %s\n", dovecot.missing ? "SKIPPED" : "cannot start Dovecot", dovecot.why);
        return dovecot.missing ? 77 : 1;
    }
    if (!test_cyrus_start(&cyrus) && !cyrus.missing) {
        printf("cannot start Cyrus: %s\n", cyrus.why);
        return 1;
    }
    Suite *suite = suite_create("upload_together");
    TCase *cases = tcase_create("together");
    tcase_set_timeout(cases, 170);
    tcase_add_test(cases, many_arrive_at_dovecot);
    tcase_add_test(cases, many_arrive_at_cyrus);
    tcase_add_test(cases, the_one_that_is_refused_fails_and_no_other);
    tcase_add_test(cases, a_line_cut_amid_many);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_server_stop(&dovecot);
    test_server_stop(&cyrus);
    return failed != 0;
}
