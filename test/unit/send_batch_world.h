/* SPDX-License-Identifier: MIT */
/* send_batch_world: several drafts that wait for a server that offers MULTIAPPEND (RFC 3502). To be included by one
 * program. */
#ifndef SEND_BATCH_WORLD_H
#define SEND_BATCH_WORLD_H

#include "send_world.h"

#define DATE "\" 9-Sep-2001 01:46:40 +0000\" "
#define ALL_CAPS "UIDPLUS MULTIAPPEND"
#define MANY 130

static struct draft *drafts[MANY];
static struct ending endings[MANY];

static inline const char *text_of(unsigned i)
{
    static char text[64];
    snprintf(text, sizeof text, "Subject: %u\r\n\r\nbody\r\n", i);
    return text;
}

static inline void writes_one(unsigned i, struct mailbox *mailbox)
{
    char name[32];
    snprintf(name, sizeof name, "m%u.eml", i);
    drafts[i] = writes(mailbox, name, text_of(i), strlen(text_of(i)));
}

static inline void writes_some(unsigned count, struct mailbox *mailbox)
{
    for (unsigned i = 0; i < count; i++)
        writes_one(i, mailbox);
}

static inline void queue_locked(unsigned i)
{
    endings[i] = (struct ending){.wait = {.done = on_end}};
    ck_assert(!draft_send_locked(drafts[i], &endings[i].wait));
}

/* All are queued before the sender sees the first. */
static inline void queue(unsigned from, unsigned count)
{
    account_lock(world.account);
    for (unsigned i = from; i < from + count; i++)
        queue_locked(i);
    account_unlock(world.account);
}

static inline void await_told(unsigned i, int error)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&ends_lock.lock);
    while (!endings[i].told && !rc)
        rc = pthread_cond_timedwait(&ends_lock.changed, &ends_lock.lock, &until);
    pthread_mutex_unlock(&ends_lock.lock);
    ck_assert_msg(!rc, "nobody is told of %u", i);
    ck_assert_uint_eq(endings[i].told, 1);
    ck_assert_msg(endings[i].error == error, "%u: %s instead of %s", i, strerror(endings[i].error),
                  strerror(error));
}

static inline bool is_told(unsigned i)
{
    pthread_mutex_lock(&ends_lock.lock);
    const bool told = endings[i].told;
    pthread_mutex_unlock(&ends_lock.lock);
    return told;
}

static inline struct imap_command *await_append(const char *mailbox)
{
    const struct timespec until = deadline();
    char begins[64];
    int rc = 0;
    pthread_mutex_lock(&world_lock);
    while (!world.jobs && !rc)
        rc = pthread_cond_timedwait(&world_changed, &world_lock, &until);
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is sent to %s", mailbox);
    world.jobs = job->next;
    pthread_mutex_unlock(&world_lock);
    struct imap_command *command = job->command;
    free(job);
    snprintf(begins, sizeof begins, "APPEND %s ", mailbox);
    ck_assert_msg(command->len > strlen(begins) && !memcmp(command->bytes, begins, strlen(begins)),
                  "%.*s instead of %s", (int)command->len, command->bytes, begins);
    return command;
}

static inline unsigned messages_in(const struct imap_command *command)
{
    unsigned count = 0;
    for (size_t i = 0; i < command->segment_count; i++)
        count += command->segments[i].kind == IMAP_SEGMENT_SOURCE;
    return count;
}

/* Up to the end of so many messages, as it would go out with LITERAL+ but for the CRLF at the very end. */
static inline const char *goes_out(const struct imap_command *command, unsigned messages)
{
    static char wire[65536];
    const char *at = command->bytes;
    size_t len = 0;
    for (size_t i = 0; i < command->segment_count && messages; i++) {
        const struct imap_segment *segment = &command->segments[i];
        if (segment->kind != IMAP_SEGMENT_SOURCE) {
            memcpy(wire + len, at, segment->len);
            at += segment->len;
            len += segment->len;
            continue;
        }
        const size_t end =
            len + (size_t)sprintf(wire + len, "{%u+}\r\n", (unsigned)segment->len) + segment->len;
        for (len = end - segment->len; len < end;) {
            const ssize_t n = segment->next(segment->arg, wire + len, end - len);
            ck_assert_int_gt(n, 0);
            len += (size_t)n;
        }
        messages--;
    }
    wire[len] = '\0';
    return wire;
}

/* These, with no flags. */
static inline void sends_these(const struct imap_command *command, const char *mailbox, unsigned from,
                               unsigned count)
{
    static char expected[65536];
    int len = sprintf(expected, "APPEND %s", mailbox);
    for (unsigned i = from; i < from + count; i++)
        len += sprintf(expected + len, " " DATE "{%zu+}\r\n%s", strlen(text_of(i)), text_of(i));
    ck_assert_uint_eq(messages_in(command), count);
    ck_assert_str_eq(goes_out(command, count), expected);
}

/* args NULL: without APPENDUID. */
static inline void ends_stored(struct imap_command *command, const char *args)
{
    struct imap_error err = {0};
    struct imap_range range = {0};
    struct imap_seqset set = {.ranges = &range, .count = 1};
    if (args)
        sscanf(args, "7 %u:%u", &range.first, &range.last);
    const struct imap_text text = {.text = "",
                                   .code = args ? IMAP_CODE_APPENDUID : IMAP_CODE_NONE,
                                   .code_args = args ? args : "",
                                   .uidvalidity = args ? 7 : 0,
                                   .to = args ? &set : NULL};
    const struct imap_result result = {.status = IMAP_OK, .text = &text, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

static inline uint32_t uid_of(unsigned i)
{
    char name[32];
    snprintf(name, sizeof name, "m%u.eml", i);
    account_lock(world.account);
    const uint32_t uid =
        written_uid(draft_mailbox_locked(drafts[i]) ? NULL : drafts[i]->mailbox->written, name);
    account_unlock(world.account);
    return uid;
}

static inline enum draft_state state_of(unsigned i)
{
    account_lock(world.account);
    const enum draft_state now = draft_state_locked(drafts[i]);
    account_unlock(world.account);
    return now;
}

static inline void saved_as_unclear(unsigned i)
{
    char line[256];
    snprintf(line, sizeof line, "grep -qx 'unclear 1' %s/*.drafts/%u.place", world.dir,
             draft_number_locked(drafts[i]));
    ck_assert_int_eq(system(line), 0);
}

static inline void let_go_of(unsigned count)
{
    account_lock(world.account);
    for (unsigned i = 0; i < count; i++)
        draft_close_locked(drafts[i]);
    account_unlock(world.account);
    world_fini();
}

/* ---- the server ---------------------------------------------------------------------------------------- */

/* INBOX as the server has it from UID 6 on. */
static struct {
    char texts[16][64];
    unsigned count, told; /* told: EXISTS was said of so many */
} stored;

static inline void stores(unsigned i)
{
    snprintf(stored.texts[stored.count++], sizeof stored.texts[0], "%s", text_of(i));
}

static inline void answer_listing(struct imap_command *fetch, uint32_t from)
{
    for (uint32_t uid = from; uid < 6 + stored.count; uid++) {
        const struct imap_response response = {.type = IMAP_RESP_FETCH,
                                               .number = uid,
                                               .fetch = {.seq = uid,
                                                         .uid = uid,
                                                         .has = IMAP_FETCH_UID | EVERYTHING,
                                                         .size = strlen(stored.texts[uid - 6])}};
        fetch->events.response(fetch->arg, &response);
    }
    ends(fetch);
}

static inline void answer_body(struct imap_command *fetch, uint32_t uid)
{
    const char *text = stored.texts[uid - 6];
    const struct imap_fetch so_far = {.uid = uid};
    const struct imap_section section = {.kind = IMAP_SECTION_BODY, .size = strlen(text)};
    if (fetch->events.body_begin(fetch->arg, &so_far, &section)) {
        fetch->events.body_data(fetch->arg, text, strlen(text));
        fetch->events.body_end(fetch->arg);
    }
    ends(fetch);
}

/* False: it is an APPEND. */
static inline bool answer(struct imap_command *command)
{
    char text[128], *at = NULL;
    snprintf(text, sizeof text, "%.*s", (int)command->len, command->bytes);
    if (!strncmp(text, "APPEND ", 7))
        return false;
    if (!strcmp(text, "NOOP")) {
        if (stored.told < stored.count)
            exists(5 + (stored.told = stored.count));
        ends(command);
        return true;
    }
    ck_assert_msg(!strncmp(text, "UID FETCH ", 10), "%s", text);
    const uint32_t uid = (uint32_t)strtoul(text + 10, &at, 10);
    if (*at == ':')
        answer_listing(command, uid);
    else
        answer_body(command, uid);
    return true;
}

static inline bool are_told(unsigned from, unsigned count)
{
    while (count && is_told(from))
        from++, count--;
    return !count;
}

/* Answers what is asked about INBOX, until an APPEND comes: that; or until all these are told: NULL. */
static inline struct imap_command *serves(unsigned from, unsigned count)
{
    const struct timespec until = deadline();
    struct timespec now = {0};
    while (!are_told(from, count) && now.tv_sec < until.tv_sec) {
        clock_gettime(CLOCK_REALTIME, &now);
        const struct timespec soon = {.tv_sec = now.tv_sec + (now.tv_nsec >= 990000000),
                                      .tv_nsec = (now.tv_nsec + 10000000) % 1000000000};
        pthread_mutex_lock(&world_lock);
        if (!world.jobs)
            (void)pthread_cond_timedwait(&world_changed, &world_lock, &soon);
        struct job *job = world.jobs;
        world.jobs = job ? job->next : NULL;
        pthread_mutex_unlock(&world_lock);
        struct imap_command *command = job ? job->command : NULL;
        free(job);
        if (command && !answer(command))
            return command;
    }
    ck_assert_msg(are_told(from, count), "nobody is told");
    return NULL;
}

#endif
