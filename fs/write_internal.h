/* SPDX-License-Identifier: MIT */
/*
 * write_internal: what write.c (who is merged with whom), writestep.c (the commands) and writeend.c (what their
 * answers mean) share.
 *
 * A batch is done in steps, each of one or two commands that are pipelined. What is guarded is so by the account
 * lock.
 */
#ifndef FS_WRITE_INTERNAL_H
#define FS_WRITE_INTERNAL_H

#include "mailbox_internal.h"
#include "write.h"

enum write_kind { WRITE_KIND_DELETE, WRITE_KIND_MOVE, WRITE_KIND_COPY, WRITE_KIND_FLAGS };

/* One call. */
struct write_op {
    struct write_op *next;     /* waiting, or in the batch */
    struct wait_queue waits;   /* the caller's, unless it was cancelled */
    struct write_place *place; /* the caller's, as long as the wait is there */
    enum write_kind kind;
    struct mailbox *from, *to;
    uint32_t message_id, uid;
    enum write_how how;
    uint32_t flagset; /* WRITE_KIND_FLAGS: what is wanted */
    uint32_t seen;    /* the flags that the caller could know */
    uint64_t modseq;  /* WRITE_SET: and their mod-sequence; 0: unknown */
    bool alone;       /* not to be merged any more */
    bool copied;      /* a move of which only the deleting is left */
    unsigned attempts;
    unsigned refusals;     /* that time may mend (retry.h) */
    int64_t not_before_ms; /* and until then it waits */
    struct row row;        /* as it was when the batch began */
    /* what the server told of it */
    struct write_place told;
    bool flags_told, modified;
    uint32_t flags_now;
    uint64_t modseq_now;
};

enum write_step {
    WRITE_STEP_MOVE,
    WRITE_STEP_COPY,
    WRITE_STEP_EXPUNGE, /* STORE and UID EXPUNGE */
    WRITE_STEP_MARK,    /* STORE alone ... */
    WRITE_STEP_SEARCH,  /* ... then who else is marked ... */
    WRITE_STEP_SWEEP,   /* ... and EXPUNGE, if nobody is */
    WRITE_STEP_FLAGS,
    WRITE_STEP_LOOK /* at flags that others have changed */
};

struct write_batch {
    struct write_batch *next;
    struct account *account;
    struct write_op *ops;    /* all of one kind, for the same; sorted by nothing */
    struct imap_seqset uids; /* of the step */
    enum write_step step;
    unsigned outstanding;
    struct imap_error err; /* of the step's first command that failed */
    bool said;             /* err is the server's answer, not the line's end */
    bool placed;           /* COPYUID was told */
    bool others_marked;    /* by the search */
    bool searched;
    struct wait settling;
};

/* ---- writestep.c ---- */
/* Sends the step's commands for the ops of the batch; the last answer ends in write_stepped_locked. */
void write_step_locked(struct write_batch *batch, enum write_step step);
/* The flags of text, one after the other: whether each is (or, with there false, none is) among those of now. */
bool write_flags_hold(const char *wanted, const char *now, bool there);

/* ---- writeend.c ---- */
/* The step's last command has been answered, or was lost. */
void write_stepped_locked(struct write_batch *batch);

/* ---- write.c ---- */
void write_finish_op(struct write_op *op, const struct imap_error *err); /* err NULL: done; frees it */
void write_finish_gone(struct write_op *op);
/* Not in the columns. Certainly: where the mailbox is another one now nothing is known. */
bool write_is_gone(const struct write_op *op);
struct write_op *write_take_op(struct write_batch *batch);
/* Its ops were all taken: frees it and begins what has waited for it. */
void write_end_batch(struct write_batch *batch);
void write_fail_all(struct write_batch *batch, const struct imap_error *why);
/* Queues the op once more; alone: to be done by itself. */
void write_again(struct write_op *op, bool alone);
/* The same after a pause, with those that it was refused with. False: it has been refused too often. */
bool write_later(struct write_op *op);
void write_begin_deleting(struct write_batch *batch);

#endif
