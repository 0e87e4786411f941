/* SPDX-License-Identifier: MIT */
/*
 * client_log: what a client keeps of what was said: the last lines of the trace, and responses as raw bytes.
 *
 * Threads: the log has a lock of its own, a leaf. A backlog is guarded by whoever has it.
 */
#ifndef IMAP_CLIENT_LOG_H
#define IMAP_CLIENT_LOG_H

#include <pthread.h>

#include "imap/answer.h"
#include "imap/session.h"

#define IMAP_LOG_LINES 256
#define IMAP_LOG_BYTES 65536
#define IMAP_LOG_LINE_MAX 4096 /* longer ones are cut, and end in "..." */

struct imap_log_line {
    enum imap_trace_direction direction;
    size_t begin, len; /* in bytes, which is a ring */
};

struct imap_log {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct imap_log_line lines[IMAP_LOG_LINES]; /* a ring */
    size_t first, count;
    size_t end, used; /* of bytes */
    char *bytes;
};

void imap_log_init(struct imap_log *log);
void imap_log_fini(struct imap_log *log);
void imap_log_add(struct imap_log *log, enum imap_trace_direction direction, const char *line, size_t len);
/* Without the lock held while line is called. */
void imap_log_each(struct imap_log *log,
                   void (*line)(void *arg, enum imap_trace_direction direction, const char *text), void *arg);

/* ---- responses, to be parsed again when somebody wants them ----------------------------------------- */

struct imap_saved;

struct imap_backlog {
    struct imap_saved *first, **last;
    size_t bytes, cap;
    bool lossy; /* the oldest make room for new ones */
};

void imap_backlog_init(struct imap_backlog *backlog, size_t cap, bool lossy);
void imap_backlog_fini(struct imap_backlog *backlog);
/* False: there is no room for it. */
bool imap_backlog_add(struct imap_backlog *backlog, const struct imap_response *response);
/* Moves the first (or all) to the end of another, whatever its cap. */
void imap_backlog_move(struct imap_backlog *from, struct imap_backlog *to, bool all);
/* As an answer with IMAP_OK, the caller's. */
struct imap_answer *imap_backlog_answer(const struct imap_backlog *backlog);

#endif
