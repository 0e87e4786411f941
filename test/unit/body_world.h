/* SPDX-License-Identifier: MIT */
/*
 * body_world: a mailbox of made-up mail behind fake connections, for the tests of bodies.
 *
 * Everything between imap_pool_submit and the server's bytes is real: commands, sessions, their
 * streaming. The server behind is a few functions that read UID FETCH and misbehave as told. The model
 * is replaced by one mailbox with fixed messages. To be included by one test program.
 */
#ifndef BODY_WORLD_H
#define BODY_WORLD_H

#include "body_model.h"

/* ---- the server --------------------------------------------------------------------------------------- */

struct line {
    struct imap_session *session;
    bool lost;
};

static void world_feed(struct line *line, const char *data, size_t len)
{
    struct imap_error err = {0};
    if (!line->lost && imap_session_feed(line->session, data, len, &err) != IMAP_OK)
        ck_abort_msg("the fake server broke the protocol: %s", err.text);
}

static void IMAP_PRINTF(2, 3) say(struct line *line, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    world_feed(line, text, (size_t)len);
}

/* Waits until the test lets at least one more octet go; how many may. */
static size_t allowed(size_t want)
{
    pthread_mutex_lock(&world.lock);
    while (world.allowance == 0 && !world.closing)
        pthread_cond_wait(&world.changed, &world.lock);
    if (world.allowance > 0) {
        if (want > (size_t)world.allowance)
            want = (size_t)world.allowance;
        world.allowance -= (int64_t)want;
    }
    pthread_mutex_unlock(&world.lock);
    return want;
}

static void send_octets(struct line *line, struct mail *mail, uint64_t from, uint64_t to)
{
    char chunk[WORLD_CHUNK];
    while (from < to && !line->lost) {
        size_t n = allowed(to - from < sizeof chunk ? (size_t)(to - from) : sizeof chunk);
        pthread_mutex_lock(&world.lock);
        if (mail->drop_after >= 0 && (uint64_t)mail->drop_after < n) {
            n = (size_t)mail->drop_after;
            line->lost = true;
            mail->drop_after = -1;
        } else if (mail->drop_after >= 0) {
            mail->drop_after -= (int64_t)n;
        }
        mail->sent += n;
        world.sent += n;
        pthread_mutex_unlock(&world.lock);
        for (size_t i = 0; i < n; i++)
            chunk[i] = mail_byte(mail->uid, from + i);
        bool lost = line->lost;
        line->lost = false;
        world_feed(line, chunk, n);
        line->lost = lost;
        from += n;
    }
}

static void send_section(struct line *line, struct mail *mail, bool partial, uint64_t origin, uint64_t count)
{
    uint64_t from = partial && origin < mail->size ? origin : partial ? mail->size : 0;
    uint64_t to = partial && count < mail->size - from ? from + count : mail->size;
    if (world.ignores_partial) {
        from = 0;
        to = mail->size;
        partial = world.keeps_origin && partial;
    }
    say(line, " BODY[]");
    if (partial)
        say(line, "<%" PRIu64 ">", origin);
    if (mail->nil) {
        say(line, " NIL");
    } else if (world.quotes && to - from < 3) {
        say(line, " \"");
        for (uint64_t at = from; at < to; at++)
            say(line, "%s", "x");
        say(line, "\"");
    } else {
        say(line, " {%" PRIu64 "}\r\n", to - from);
        send_octets(line, mail, from, to);
    }
}

static void answer_fetch(struct line *line, struct mail *mail, const char *items)
{
    uint64_t origin[2], count[2];
    unsigned parts = 0, seq = (unsigned)(mail - world.mails) + 1;
    for (const char *at = items; parts < 2 && (at = strchr(at, '<')); at++)
        if (sscanf(at, "<%" SCNu64 ".%" SCNu64 ">", &origin[parts], &count[parts]) == 2)
            parts++;
    pthread_mutex_lock(&world.lock);
    mail->asked++;
    bool expunged = mail->expunged;
    pthread_mutex_unlock(&world.lock);
    if (expunged)
        return;
    if (world.twice)
        say(line, "* %u FETCH (UID %" PRIu32 " FLAGS (\\Seen))\r\n", seq, mail->uid);
    for (unsigned round = 0; round < (world.twice ? 2 : 1); round++) {
        if (world.uid_last)
            say(line, "* %u FETCH (FLAGS ()", seq);
        else
            say(line, "* %u FETCH (UID %" PRIu32, seq, mail->uid);
        if (parts == 0)
            send_section(line, mail, false, 0, 0);
        for (unsigned i = 0; i < parts; i++) {
            unsigned part = world.probe_last ? parts - 1 - i : i;
            if (!(world.silent_probe && count[part] == 2))
                send_section(line, mail, true, origin[part], count[part]);
        }
        if (world.uid_last)
            say(line, " UID %" PRIu32, mail->uid);
        say(line, ")\r\n");
    }
}

static void answer(struct line *line, char *text)
{
    char *save, *tag = strtok_r(text, " ", &save);
    strtok_r(NULL, " ", &save);
    strtok_r(NULL, " ", &save);
    char *set = strtok_r(NULL, " ", &save), *items = strtok_r(NULL, "\r", &save), *rest = set;
    bool many = strpbrk(set, ",:") != NULL;
    ck_assert_ptr_nonnull(items);
    if ((world.refuses_sets && many) || (world.refuses_probe && strstr(items, ".2>"))) {
        say(line, "%s NO [SERVERBUG] not so\r\n", tag);
        return;
    }
    for (char *range; (range = strsep(&rest, ","));) {
        uint32_t first, last;
        if (sscanf(range, "%" SCNu32 ":%" SCNu32, &first, &last) != 2)
            first = last = (uint32_t)strtoul(range, NULL, 10);
        for (size_t i = 0; i < world.count; i++)
            if (world.mails[i].uid >= first && world.mails[i].uid <= last && !line->lost)
                answer_fetch(line, &world.mails[i], items);
    }
    if (!line->lost)
        say(line, "%s OK done\r\n", tag);
}

static size_t world_pull(struct line *line, char *text, size_t size)
{
    size_t len;
    const void *bytes = imap_session_pull(line->session, &len);
    if (!bytes)
        return 0;
    ck_assert_uint_lt(len, size);
    memcpy(text, bytes, len);
    text[len] = '\0';
    imap_session_sent(line->session, len);
    return len;
}

static void line_open(struct line *line)
{
    static const struct imap_session_events none = {0};
    char text[4096];
    line->lost = false;
    line->session = imap_session_new(&none, NULL, NULL);
    say(line, "* PREAUTH ready\r\n");
    struct imap_command *examine = imap_command_new("EXAMINE");
    imap_command_mailbox(examine, "box", 3);
    ck_assert_int_eq(imap_session_submit(line->session, examine, NULL), IMAP_OK);
    ck_assert_uint_gt(world_pull(line, text, sizeof text), 0);
    say(line, "* 1000 EXISTS\r\n%.*s OK [READ-ONLY] done\r\n", (int)strcspn(text, " "), text);
}

static void fail_command(struct imap_command *command, enum imap_status status)
{
    struct imap_error err = {0};
    imap_error_set(&err, status, "no line");
    command->events.done(command->arg, &(struct imap_result){.status = status, .error = &err});
    imap_command_free(&command);
}

static void line_run(struct line *line, struct imap_command *command)
{
    char text[8192];
    imap_session_submit(line->session, command, NULL);
    size_t len = world_pull(line, text, sizeof text);
    pthread_mutex_lock(&world.lock);
    world.commands++;
    if (len > world.longest)
        world.longest = len;
    if (strlen(world.log) + len + 1 < sizeof world.log)
        strcat(world.log, strchr(text, ' ') + 1);
    pthread_mutex_unlock(&world.lock);
    answer(line, text);
    if (line->lost) {
        struct imap_error err = {0};
        imap_error_set(&err, IMAP_AGAIN, "the line was lost");
        imap_session_lost(line->session, &err);
        imap_session_free(&line->session);
        line_open(line);
    }
}

static void *lane_main(void *arg)
{
    struct line line = {0};
    (void)arg;
    line_open(&line);
    pthread_mutex_lock(&world.lock);
    while (!world.closing || world.jobs) {
        struct job *job = world.jobs;
        if (!job) {
            pthread_cond_wait(&world.changed, &world.lock);
            continue;
        }
        world.jobs = job->next;
        if (!world.jobs)
            world.jobs_tail = &world.jobs;
        bool closing = world.closing;
        pthread_mutex_unlock(&world.lock);
        if (closing)
            fail_command(job->command, IMAP_CANCEL);
        else
            line_run(&line, job->command);
        free(job);
        pthread_mutex_lock(&world.lock);
    }
    pthread_mutex_unlock(&world.lock);
    imap_session_free(&line.session);
    return NULL;
}

void imap_pool_hurry(struct imap_pool *pool)
{
    (void)pool;
}

void imap_pool_mailbox_replaced(struct imap_pool *pool, const char *mailbox, unsigned connection)
{
    (void)pool;
    (void)mailbox;
    (void)connection;
}

void imap_pool_mailbox_changed(struct imap_pool *pool, const char *mailbox)
{
    (void)pool;
    ck_assert_str_eq(mailbox, "box");
}

/* Bodies change nothing. */
void imap_pool_change(struct imap_pool *pool, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                      struct imap_command *command)
{
    (void)pool, (void)mailbox, (void)uidvalidity, (void)flags, (void)command;
    ck_abort();
}

void imap_pool_mailbox_gone(struct imap_pool *pool, const char *mailbox)
{
    (void)pool, (void)mailbox;
}

void imap_pool_submit(struct imap_pool *pool, const char *mailbox, unsigned flags, uint64_t weight,
                      struct imap_command *command)
{
    (void)pool;
    (void)weight;
    ck_assert_str_eq(mailbox, "box");
    struct job *job = calloc(1, sizeof *job);
    job->command = command;
    pthread_mutex_lock(&world.lock);
    bool unreachable = world.unreachable;
    if (flags & IMAP_POOL_URGENT) {
        world.urgent++;
        job->next = world.jobs;
        if (!world.jobs)
            world.jobs_tail = &job->next;
        world.jobs = unreachable ? world.jobs : job;
    } else if (!unreachable) {
        *world.jobs_tail = job;
        world.jobs_tail = &job->next;
    }
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    if (unreachable) {
        free(job);
        fail_command(command, IMAP_AGAIN);
    }
}

/* ---- its life ------------------------------------------------------------------------------------------- */

static bool world_keeps;       /* there is a store */
static const char *world_disk; /* mount options of a tmpfs under the spool, or NULL */

/* A mount begins, or, what was kept being told, begins again. */
static void world_mount(uint64_t cache_size)
{
    struct imap_error err = {0};
    enum imap_status status = bodies_new(&world.account, NULL, world.dir, cache_size, &world.bodies, &err);
    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    world.account.bodies = world.bodies;
    world.mailbox.bodies = NULL;
    world.closing = false;
    struct kept_row *rows = world.rows;
    size_t count = world.row_count;
    world.rows = malloc((count + 1) * sizeof *rows);
    world.row_capacity = count + 1;
    if (count)
        memcpy(world.rows, rows, count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        bodies_kept(world.bodies, &rows[i]);
    free(rows);
    bodies_begin(world.bodies, "box");
    for (unsigned i = 0; i < WORLD_LANES; i++)
        ck_assert_int_eq(pthread_create(&world.lanes[i], NULL, lane_main, NULL), 0);
}

static void world_begin(size_t count, uint64_t cache_size)
{
    memset(&world, 0, sizeof world);
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.changed, NULL);
    pthread_mutex_init(&world.account.lock, NULL);
    pending_init(&world.account.pending);
    world.jobs_tail = &world.jobs;
    world.allowance = -1;
    world.clock_ms = 1000000;
    world.mailbox.account = &world.account;
    static char wire[] = "box";
    world.mailbox.wire = wire;
    world.mailbox.message_id = 77;
    world.mails = calloc(count, sizeof *world.mails);
    world.uids = calloc(count, sizeof *world.uids);
    world.count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t size = 500 + (i * 7919) % 14000;
        world.uids[i] = (uint32_t)i + 1;
        world.mails[i] = (struct mail){
            .uid = (uint32_t)i + 1, .size = size, .claimed = size, .learnt = UINT64_MAX, .drop_after = -1};
    }
    snprintf(world.dir, sizeof world.dir, "%s/bodies.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(world.dir));
    if (world_disk)
        ck_assert_int_eq(mount("tmpfs", world.dir, "tmpfs", 0, world_disk), 0);
    world.store_on = world_keeps;
    world_mount(cache_size);
}

static void world_unmount(void)
{
    bodies_stop(world.bodies);
    pthread_mutex_lock(&world.lock);
    world.closing = true;
    world.allowance = -1;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    for (unsigned i = 0; i < WORLD_LANES; i++)
        pthread_join(world.lanes[i], NULL);
    bodies_free(&world.bodies);
}

static void world_end(void)
{
    world_unmount();
    if (world_keeps) {
        char command[sizeof world.dir + 32];
        snprintf(command, sizeof command, "rm -rf '%s'/*", world.dir);
        ck_assert_int_eq(system(command), 0);
    }
    if (world_disk)
        ck_assert_int_eq(umount(world.dir), 0);
    ck_assert_int_eq(rmdir(world.dir), 0); /* the spool has left nothing */
    free(world.rows);
    free(world.mails);
    free(world.uids);
}

static inline void world_allow(int64_t octets)
{
    pthread_mutex_lock(&world.lock);
    world.allowance = octets < 0 ? -1 : world.allowance + octets;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

/* ---- a reader -------------------------------------------------------------------------------------------- */

struct waiter {
    struct body_wait wait;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    enum imap_status status;
    int sys_errno;
};

static void waiter_done(struct wait *wait, const struct imap_error *err)
{
    struct waiter *waiter = (struct waiter *)wait;
    pthread_mutex_lock(&waiter->lock);
    waiter->status = err ? err->status : IMAP_OK;
    waiter->sys_errno = err ? err->sys_errno : 0;
    waiter->done = true;
    pthread_cond_signal(&waiter->told);
    pthread_mutex_unlock(&waiter->lock);
}

static void waiter_init(struct waiter *waiter)
{
    memset(waiter, 0, sizeof *waiter);
    waiter->wait.wait.done = waiter_done;
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->told, NULL);
}

static uint64_t all_sent(void)
{
    pthread_mutex_lock(&world.lock);
    const uint64_t sent = world.sent;
    pthread_mutex_unlock(&world.lock);
    return sent;
}

/* However large it is and slow the machine: as long as octets come there is hope. */
static enum imap_status waiter_await(struct waiter *waiter)
{
    struct timespec deadline;
    uint64_t before = 0;
    int late = 0;
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->done) {
        const uint64_t sent = all_sent();
        ck_assert_msg(!late || sent > before, "nobody told the waiter");
        before = sent;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += WORLD_DEADLINE_S;
        late = 0;
        while (!waiter->done && !late)
            late = pthread_cond_timedwait(&waiter->told, &waiter->lock, &deadline);
    }
    pthread_mutex_unlock(&waiter->lock);
    return waiter->status;
}

static struct body *open_uid(uint32_t uid)
{
    struct message message;
    account_lock(&world.account);
    ck_assert(mailbox_find_locked(&world.mailbox, uid, &message));
    struct body *body = body_open_locked(&world.mailbox, &message);
    account_unlock(&world.account);
    return body;
}

static void close_body(struct body *body)
{
    account_lock(&world.account);
    body_close_locked(body);
    account_unlock(&world.account);
}

static enum imap_status await_size(struct body *body)
{
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    bool known = body_size_known_locked(body, &waiter.wait.wait);
    account_unlock(&world.account);
    return known ? IMAP_OK : waiter_await(&waiter);
}

static enum imap_status await_range(struct body *body, uint64_t offset, size_t len)
{
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    bool available = body_available_locked(body, offset, len, &waiter.wait);
    account_unlock(&world.account);
    return available ? IMAP_OK : waiter_await(&waiter);
}

static uint64_t size_of(struct body *body)
{
    account_lock(&world.account);
    uint64_t size = body_size_locked(body);
    account_unlock(&world.account);
    return size;
}

/* Reads a range as the file system would and compares every byte. */
static enum imap_status read_range(struct body *body, uint32_t uid, uint64_t offset, size_t len)
{
    enum imap_status status = await_range(body, offset, len);
    if (status != IMAP_OK)
        return status;
    uint64_t size = size_of(body), left = offset < size ? size - offset : 0;
    if (len > left)
        len = (size_t)left;
    char *buf = malloc(len + 1);
    ck_assert_int_eq(body_read(body, buf, len, offset), (ssize_t)len);
    for (size_t i = 0; i < len; i++)
        if (buf[i] != mail_byte(uid, offset + i))
            ck_abort_msg("uid %u: wrong byte at %" PRIu64, uid, offset + i);
    free(buf);
    return IMAP_OK;
}

#define READ_STEP 131072u /* as the kernel asks */

static enum imap_status read_all(uint32_t uid)
{
    struct body *body = open_uid(uid);
    enum imap_status status = await_size(body);
    if (status == IMAP_OK) {
        uint64_t size = size_of(body);
        ck_assert_uint_eq(size, mail_of(uid)->size);
        for (uint64_t at = 0; at < size && status == IMAP_OK; at += READ_STEP)
            status = read_range(body, uid, at, READ_STEP);
    }
    close_body(body);
    return status;
}

static uint64_t wire_octets(uint32_t uid)
{
    pthread_mutex_lock(&world.lock);
    uint64_t sent = mail_of(uid)->sent;
    pthread_mutex_unlock(&world.lock);
    return sent;
}

static inline unsigned wire_asked(uint32_t uid)
{
    pthread_mutex_lock(&world.lock);
    unsigned asked = mail_of(uid)->asked;
    pthread_mutex_unlock(&world.lock);
    return asked;
}

static unsigned wire_commands(void)
{
    pthread_mutex_lock(&world.lock);
    unsigned commands = world.commands;
    pthread_mutex_unlock(&world.lock);
    return commands;
}

#define MB (UINT64_C(1) << 20)
#define KB (UINT64_C(1) << 10)
#define CACHE (UINT64_C(256) * MB)

static inline struct mail *make_large(uint32_t uid, uint64_t size, uint64_t claimed)
{
    struct mail *mail = mail_of(uid);
    mail->size = size;
    mail->claimed = claimed;
    return mail;
}

static inline bool eventually(bool (*true_now)(void))
{
    for (unsigned i = 0; i < WORLD_DEADLINE_S * 1000; i++) {
        if (true_now())
            return true;
        usleep(1000);
    }
    return false;
}

#endif
