/* SPDX-License-Identifier: MIT */
/*
 * send_world: drafts that are sent, with all that the server says; what is asked of it, and what whoever waits is told.
 * The sender has a thread of its own; the server is the test. To be included by one program.
 */
#ifndef SEND_WORLD_H
#define SEND_WORLD_H

#include "write_world.h"

#include <errno.h>
#include <time.h>

#include "draft_internal.h"
#include "errmap.h"
#include "send.h"

#define DEADLINE_S 20
#define TEXT "Subject: x\r\n\r\nhello\r\n"
#define APPEND(mailbox) "APPEND " mailbox " \" 9-Sep-2001 01:46:40 +0000\" "

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
} ends_lock = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

struct ending {
    struct wait wait;
    unsigned told;
    int error;
};

static struct draft *draft;
static struct ending ending;
static char sent[64]; /* as "name UIDVALIDITY/UID" */

static inline void on_end(struct wait *wait, const struct imap_error *err)
{
    struct ending *one = (struct ending *)wait;
    pthread_mutex_lock(&ends_lock.lock);
    one->told++;
    one->error = err ? errmap_errno(err) : 0;
    pthread_cond_signal(&ends_lock.changed);
    pthread_mutex_unlock(&ends_lock.lock);
}

/* Of the names that change with it, that under which it was written. */
static inline void on_name(void *arg, struct mailbox *mailbox, const char *name)
{
    (void)arg;
    account_lock(world.account);
    const uint32_t uid = written_uid(mailbox->written, name);
    if (uid)
        snprintf(sent, sizeof sent, "%s/%s %u/%u", mailbox_file_name(mailbox), name,
                 mailbox->written_uidvalidity, uid);
    account_unlock(world.account);
}

static inline struct timespec deadline(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    return until;
}

static inline void await_ending(int error)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&ends_lock.lock);
    while (!ending.told && !rc)
        rc = pthread_cond_timedwait(&ends_lock.changed, &ends_lock.lock, &until);
    pthread_mutex_unlock(&ends_lock.lock);
    ck_assert_msg(!rc, "nobody is told");
    ck_assert_uint_eq(ending.told, 1);
    ck_assert_msg(ending.error == error, "%s instead of %s", strerror(ending.error), strerror(error));
}

/* The next command, were it the sender's. */
static inline struct imap_command *await_command(const char *mailbox, unsigned flags, const char *expected)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&world_lock);
    while (!world.jobs && !rc)
        rc = pthread_cond_timedwait(&world_changed, &world_lock, &until);
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is asked instead of %s", expected);
    world.jobs = job->next;
    pthread_mutex_unlock(&world_lock);
    struct imap_command *command = job->command;
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)command->len, command->bytes);
    ck_assert_str_eq(text, expected);
    ck_assert_str_eq(job->mailbox, mailbox);
    ck_assert_uint_eq(job->flags, flags);
    free(job);
    return command;
}

/* What the literal of an APPEND will be. */
static inline void gives(const struct imap_command *command, const char *expected, size_t len, bool literal8)
{
    char bytes[256];
    size_t got = 0;
    for (size_t i = 0; i < command->segment_count; i++) {
        const struct imap_segment *segment = &command->segments[i];
        if (segment->kind != IMAP_SEGMENT_SOURCE)
            continue;
        ck_assert_uint_eq(segment->len, len);
        ck_assert_int_eq(segment->literal8, literal8);
        for (ssize_t n; got < len && (n = segment->next(segment->arg, bytes + got, len - got)) > 0;)
            got += (size_t)n;
    }
    ck_assert_uint_eq(got, len);
    ck_assert_mem_eq(bytes, expected, len);
}

static inline void ends_appended(struct imap_command *command, uint32_t uid)
{
    struct imap_error err = {0};
    struct imap_range range = {uid, uid};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    char args[32];
    snprintf(args, sizeof args, "7 %u", uid);
    const struct imap_text text = {.text = "",
                                   .code_args = args,
                                   .code = uid ? IMAP_CODE_APPENDUID : IMAP_CODE_NONE,
                                   .uidvalidity = uid ? 7 : 0,
                                   .to = &set};
    const struct imap_result result = {.status = IMAP_OK, .text = &text, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

/* Without an answer. */
static inline void ends_lost(struct imap_command *command, enum imap_status status, int sys_errno)
{
    struct imap_error err = {0};
    imap_error_set(&err, status, "lost");
    err.sys_errno = sys_errno;
    const struct imap_result result = {.status = status, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

static inline struct draft *writes(struct mailbox *mailbox, const char *name, const char *text, size_t len)
{
    struct imap_error err = {0};
    struct draft *made;
    ck_assert_msg(!draft_new(world.account, &made, &err), "%s", err.text);
    account_lock(world.account);
    draft_name_locked(made, mailbox, name);
    account_unlock(world.account);
    if (len)
        ck_assert_int_eq(draft_write(made, text, len, 0), (ssize_t)len);
    account_lock(world.account);
    draft_set_mtime_locked(made, (struct timespec){.tv_sec = 1000000000});
    account_unlock(world.account);
    return made;
}

static inline void sends(void)
{
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_send_locked(draft, &ending.wait));
    account_unlock(world.account);
}

static inline void lets_go(void)
{
    account_lock(world.account);
    draft_close_locked(draft);
    account_unlock(world.account);
}

static inline void open_with(const char *caps)
{
    write_world_init();
    write_world_open(caps);
    world.account->events.name_changed = on_name;
    sent[0] = '\0';
}

/* Lists INBOX anew, of which UIDs 1 to 5 are known; new mail from UID 6 on is of this size. */
static inline void lists_inbox(uint32_t news, uint64_t size)
{
    struct imap_command *noop = await_command("INBOX", IMAP_POOL_WATCHER, "NOOP");
    if (news)
        exists(5 + news);
    ends(noop);
    if (!news)
        return;
    struct imap_command *fetch =
        await_command("INBOX", IMAP_POOL_WATCHER, "UID FETCH 6:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    for (uint32_t uid = 6; uid < 6 + news; uid++) {
        const struct imap_response response = {
            .type = IMAP_RESP_FETCH,
            .number = uid,
            .fetch = {.seq = uid, .uid = uid, .has = IMAP_FETCH_UID | EVERYTHING, .size = size}};
        fetch->events.response(fetch->arg, &response);
    }
    ends(fetch);
}

/* The message has these bytes. */
static inline void shows(uint32_t uid, const char *text)
{
    char expected[64];
    snprintf(expected, sizeof expected, "UID FETCH %u (UID BODY.PEEK[])", uid);
    struct imap_command *command = await_command("INBOX", 0, expected);
    const struct imap_fetch so_far = {.uid = uid};
    const struct imap_section section = {.kind = IMAP_SECTION_BODY, .size = strlen(text)};
    if (command->events.body_begin(command->arg, &so_far, &section)) {
        command->events.body_data(command->arg, text, strlen(text));
        command->events.body_end(command->arg);
    }
    ends(command);
}

static inline enum draft_state state(void)
{
    account_lock(world.account);
    const enum draft_state now = draft_state_locked(draft);
    account_unlock(world.account);
    return now;
}

static inline bool is_at(struct mailbox *mailbox, const char *name)
{
    account_lock(world.account);
    const bool there = draft_find_locked(mailbox, name) == draft;
    account_unlock(world.account);
    return there;
}

#endif
