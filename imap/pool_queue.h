/* SPDX-License-Identifier: MIT */
/*
 * pool_queue: the work that waits in a pool, sorted by the mailbox that it needs.
 *
 * A job is a caller's command on its way to a connection and back. What is marked as guarded is so by the
 * pool's lock.
 */
#ifndef IMAP_POOL_QUEUE_H
#define IMAP_POOL_QUEUE_H

#include "imap/pool.h"

struct imap_conn;

enum imap_job_kind { IMAP_JOB_WATCH, IMAP_JOB_WORK, IMAP_JOB_KINDS };

struct imap_job {
    struct imap_job *next;
    struct imap_command *command;
    struct imap_command_events events; /* the caller's ... */
    void *arg;                         /* ... to whom ours pass on */
    struct imap_place *place;          /* counted */
    struct imap_conn *conn;            /* who took it */
    enum imap_job_kind kind;
    bool urgent;
    bool changes;            /* the mailbox, which must be writable */
    uint32_t uidvalidity;    /* that the mailbox must have; 0: whatever */
    uint64_t weight, number; /* number: in order of submission */
    int64_t queued_ms;
};

struct imap_job_queue {
    struct imap_job *first, **tail;
};

/* A mailbox that jobs need or a connection has selected. Having none is a place too. */
struct imap_place {
    struct imap_place *next;                        /* guarded by lock */
    unsigned refs;                                  /* guarded by lock */
    char *name;                                     /* constant; wire bytes; NULL: no mailbox */
    struct imap_job_queue queue[IMAP_JOB_KINDS][2]; /* guarded by lock; [][urgent] */
    uint64_t weight;                                /* guarded by lock: of all that is queued */
    unsigned changes;                               /* guarded by lock: imap_pool_mailbox_changed */
    bool gone;         /* guarded by lock: imap_pool_mailbox_gone; not found by its name any more */
    unsigned replaced; /* guarded by lock: imap_pool_mailbox_replaced */
};

/* ---- pool_queue.c: jobs waiting; with the lock --------------------------------------------------- */
struct imap_place *imap_place_get(struct imap_pool *pool, const char *name);        /* counted */
struct imap_place *imap_place_find(const struct imap_pool *pool, const char *name); /* not counted, or NULL */
struct imap_place *imap_place_ref(struct imap_place *place);
void imap_place_put(struct imap_pool *pool, struct imap_place **place); /* NULL inside is fine */
void imap_job_queue_init(struct imap_job_queue *queue);
void imap_job_enqueue(struct imap_pool *pool, struct imap_job *job);
/* What is next at this place for one who does these kinds (bits 1 << kind); NULL: nothing. */
struct imap_job *imap_job_peek(const struct imap_place *place, unsigned kinds);
bool imap_job_before(const struct imap_job *a, const struct imap_job *b);
void imap_job_dequeue(struct imap_pool *pool, struct imap_job *job); /* the head of its queue */
/* Moves what waits of these kinds at place (NULL: anywhere), submitted up to queued_ms, to the end of out. */
void imap_job_dequeue_all(struct imap_pool *pool, struct imap_place *place, unsigned kinds, int64_t queued_ms,
                          struct imap_job_queue *out);

/* ---- conn_job.c: between the caller and the session; without the lock --------------------------- */
struct imap_job *imap_job_new(struct imap_command *command);
/* Frees a job that is queued nowhere, and its place reference. */
void imap_job_free(struct imap_pool *pool, struct imap_job *job);
void imap_job_run(struct imap_conn *conn, struct imap_job *job);
void imap_job_fail_all(struct imap_pool *pool, struct imap_job_queue *jobs, const struct imap_error *why);

#endif
