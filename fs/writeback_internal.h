/* SPDX-License-Identifier: MIT */
/* writeback_internal: the queue, for writeback.c (what is asked for), writebackview.c (how the tree looks) and
 * writebackrun.c (doing it). Guarded by the account lock. */
#ifndef FS_WRITEBACK_INTERNAL_H
#define FS_WRITEBACK_INTERNAL_H

#include <sys/queue.h>

#include "intent.h"
#include "mailbox_internal.h"
#include "writeback.h"

#define WRITEBACK_MAX 4096u /* that wait; then callers do */
#define WRITEBACK_BUCKETS 1024u

enum entry_kind {
    ENTRY_DELETE = INTENT_DELETE,
    ENTRY_MOVE = INTENT_MOVE,
    ENTRY_COPY = INTENT_COPY,
    ENTRY_UPLOAD
};

/* One change. */
struct entry {
    TAILQ_ENTRY(entry) link;
    struct writeback *writeback;
    enum entry_kind kind;
    uint64_t number;   /* on disk; the order of mounts to come */
    uint64_t position; /* in the queue; rising */
    int64_t since_ms;
    bool durable; /* its caller was told so */
    bool running;
    bool begun;     /* as in intent.h */
    bool earlier;   /* begun, and by an earlier mount */
    bool inherited; /* from an earlier mount, begun or not */
    unsigned attempts;
    struct wait_queue waits; /* the caller's, until it is durable or over */
    struct wait done;        /* the server's answer */
    struct write_place place;
    /* a message */
    struct mailbox *from, *to;
    uint32_t uidvalidity, uid;
    char *name;                         /* in from: a message that has gone has none any more */
    char *file;                         /* NULL: none */
    struct entry *uid_next, *file_next; /* in buckets */
    /* or a draft */
    uint32_t draft;
};

struct barrier {
    TAILQ_ENTRY(barrier) link;
    uint64_t position; /* of the last one that it waits for */
    bool tells;        /* what was refused */
    struct wait_queue waits;
};

struct writeback {
    struct account *account;
    bool on;
    pthread_t thread;
    pthread_cond_t work, idle;
    bool stop;
    TAILQ_HEAD(entry_queue, entry) entries;
    TAILQ_HEAD(barrier_queue, barrier) barriers;
    size_t count, running;
    uint64_t last_number, last_position;
    bool finishing; /* nothing is gathered any more */
    bool preparing; /* a mailbox is being listed, or `begun` being written */
    struct wait prepared;
    struct mailbox *listing; /* if it is that */
    int64_t not_before_ms;
    unsigned failures; /* of the line, in a row */
    bool asking;       /* the store, what is on disk: up to asked */
    uint64_t asked;
    struct wait written;
    struct imap_error untold; /* what was refused since a barrier told it last */
    struct entry *by_uid[WRITEBACK_BUCKETS], *by_file[WRITEBACK_BUCKETS];
    size_t refusal_count, refusal_next;
    struct writeback_refusal refusals[WRITEBACK_REFUSALS];
};

/* ---- writebackview.c ---- */
void writeback_show_locked(
    struct entry *entry); /* in the buckets; the kernel is told what looks different now */
void writeback_unshow_locked(struct entry *entry);
struct entry *writeback_find_locked(const struct mailbox *mailbox, uint32_t uid);

/* ---- writeback.c ---- */
struct entry *writeback_new_entry_locked(struct writeback *writeback, enum entry_kind kind, uint64_t number);
void writeback_enqueue_locked(struct entry *entry);
void writeback_free_entry(struct entry *entry);
/* What was promised and is not in the queue yet. */
void writeback_take_promised_locked(struct account *account);
void writeback_tell_intent_locked(const struct entry *entry); /* the store */
/* It is over: err NULL, or why it was refused. Frees it. */
void writeback_over_locked(struct entry *entry, const struct imap_error *err);
/* The server cannot be reached: who waits for it is told. */
void writeback_give_up_waiting_locked(struct writeback *writeback, const struct imap_error *why);

/* ---- writebackrun.c ---- */
void *writeback_thread(void *arg);

#endif
