/* SPDX-License-Identifier: MIT */
#include "client_log.h"

#include <stdlib.h>
#include <string.h>

#include "answer_build.h"
#include "mem.h"

/* Far above what the responses of a full backlog become when parsed. */
#define ANSWER_BYTES ((size_t)1 << 30)

void imap_log_init(struct imap_log *log)
{
    *log = (struct imap_log){.bytes = imap_xmalloc(IMAP_LOG_BYTES)};
    pthread_mutex_init(&log->lock, NULL);
}

void imap_log_fini(struct imap_log *log)
{
    pthread_mutex_destroy(&log->lock);
    free(log->bytes);
    log->bytes = NULL;
}

static void append(struct imap_log *log, const char *bytes, size_t len)
{
    size_t straight = IMAP_LOG_BYTES - log->end;

    if (straight > len)
        straight = len;
    memcpy(log->bytes + log->end, bytes, straight);
    memcpy(log->bytes, bytes + straight, len - straight);
    log->end = (log->end + len) % IMAP_LOG_BYTES;
    log->used += len;
}

static void make_room(struct imap_log *log, size_t len)
{
    while (log->count == IMAP_LOG_LINES || log->used + len > IMAP_LOG_BYTES) {
        log->used -= log->lines[log->first].len;
        log->first = (log->first + 1) % IMAP_LOG_LINES;
        log->count--;
    }
}

void imap_log_add(struct imap_log *log, enum imap_trace_direction direction, const char *line, size_t len)
{
    bool cut = len > IMAP_LOG_LINE_MAX;
    size_t kept = cut ? IMAP_LOG_LINE_MAX - 3 : len;

    pthread_mutex_lock(&log->lock);
    make_room(log, cut ? IMAP_LOG_LINE_MAX : len);
    log->lines[(log->first + log->count++) % IMAP_LOG_LINES] = (struct imap_log_line){
        .direction = direction, .begin = log->end, .len = cut ? IMAP_LOG_LINE_MAX : len};
    append(log, line, kept);
    if (cut)
        append(log, "...", 3);
    pthread_mutex_unlock(&log->lock);
}

void imap_log_each(struct imap_log *log,
                   void (*line)(void *arg, enum imap_trace_direction direction, const char *text), void *arg)
{
    struct imap_log_line *lines = imap_xcalloc(IMAP_LOG_LINES, sizeof(*lines));
    char *bytes = imap_xmalloc(IMAP_LOG_BYTES);
    char text[IMAP_LOG_LINE_MAX + 1];

    pthread_mutex_lock(&log->lock);
    size_t count = log->count;
    for (size_t i = 0; i < count; i++)
        lines[i] = log->lines[(log->first + i) % IMAP_LOG_LINES];
    memcpy(bytes, log->bytes, IMAP_LOG_BYTES);
    pthread_mutex_unlock(&log->lock);

    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < lines[i].len; at++)
            text[at] = bytes[(lines[i].begin + at) % IMAP_LOG_BYTES];
        text[lines[i].len] = '\0';
        line(arg, lines[i].direction, text);
    }
    free(lines);
    free(bytes);
}

/* ---- responses -------------------------------------------------------------------------------------- */

struct imap_saved {
    struct imap_saved *next;
    enum imap_response_type type;
    uint32_t uid; /* of a FETCH, as the session knew it */
    size_t raw_len, streamed_count;
    size_t *streamed;
    char raw[];
};

void imap_backlog_init(struct imap_backlog *backlog, size_t cap, bool lossy)
{
    *backlog = (struct imap_backlog){.last = &backlog->first, .cap = cap, .lossy = lossy};
}

static size_t bytes_of(const struct imap_saved *saved)
{
    return sizeof(*saved) + saved->raw_len + saved->streamed_count * sizeof(*saved->streamed);
}

static struct imap_saved *pop(struct imap_backlog *backlog)
{
    struct imap_saved *saved = backlog->first;

    backlog->first = saved->next;
    if (!backlog->first)
        backlog->last = &backlog->first;
    backlog->bytes -= bytes_of(saved);
    return saved;
}

static void push(struct imap_backlog *backlog, struct imap_saved *saved)
{
    saved->next = NULL;
    *backlog->last = saved;
    backlog->last = &saved->next;
    backlog->bytes += bytes_of(saved);
}

static void free_saved(struct imap_saved *saved)
{
    free(saved->streamed);
    free(saved);
}

void imap_backlog_fini(struct imap_backlog *backlog)
{
    while (backlog->first)
        free_saved(pop(backlog));
}

bool imap_backlog_add(struct imap_backlog *backlog, const struct imap_response *response)
{
    struct imap_saved shape = {.raw_len = response->raw_len, .streamed_count = response->streamed_count};
    size_t more = bytes_of(&shape);

    if (more > backlog->cap)
        return false;
    while (backlog->lossy && backlog->bytes + more > backlog->cap)
        free_saved(pop(backlog));
    if (backlog->bytes + more > backlog->cap)
        return false;

    struct imap_saved *saved = imap_xmalloc(sizeof(*saved) + response->raw_len);
    *saved = shape;
    saved->type = response->type;
    if (response->type == IMAP_RESP_FETCH)
        saved->uid = response->fetch.uid;
    memcpy(saved->raw, response->raw, response->raw_len);
    if (response->streamed_count > 0) {
        saved->streamed = imap_xreallocarray(NULL, response->streamed_count, sizeof(*saved->streamed));
        memcpy(saved->streamed, response->streamed, response->streamed_count * sizeof(*saved->streamed));
    }
    push(backlog, saved);
    return true;
}

void imap_backlog_move(struct imap_backlog *from, struct imap_backlog *to, bool all)
{
    while (from->first) {
        push(to, pop(from));
        if (!all)
            break;
    }
}

struct imap_answer *imap_backlog_answer(const struct imap_backlog *backlog)
{
    static const struct imap_error fine;
    const struct imap_result result = {.status = IMAP_OK, .error = &fine};
    struct imap_answer *answer = imap_answer_new(ANSWER_BYTES);

    for (const struct imap_saved *saved = backlog->first; saved; saved = saved->next) {
        struct imap_response response = {.type = saved->type,
                                         .raw = saved->raw,
                                         .raw_len = saved->raw_len,
                                         .streamed = saved->streamed,
                                         .streamed_count = saved->streamed_count};
        if (saved->type == IMAP_RESP_FETCH)
            response.fetch.uid = saved->uid;
        imap_answer_add(answer, &response);
    }
    imap_answer_finish(answer, &result);
    return answer;
}
