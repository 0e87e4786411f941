/* SPDX-License-Identifier: MIT */
/*
 * sync: brings the columns of a mailbox to the server's state, and applies what is learnt in between.
 *
 * See the invariants in sync.c. Guarded by the account lock but for the rows under collection, which
 * belong to the thread of connection 0 while commands are outstanding.
 */
#ifndef FS_SYNC_H
#define FS_SYNC_H

#include "mailbox_internal.h"

/* Everything that can happen to a mailbox's messages, wherever it was learnt. */
struct delta {
    const struct row *rows; /* sorted, one per UID; unknown UIDs are added, known ones updated */
    size_t row_count;
    bool whole;           /* what is not in rows is gone */
    const uint32_t *gone; /* UIDs, sorted; unknown ones are ignored */
    size_t gone_count;
};

/* The one place that changes columns: applies, notes for the kernel, tells the bodies. */
void delta_apply_locked(struct mailbox *mailbox, const struct delta *delta);

enum sync_phase {
    SYNC_QUEUED,  /* another mailbox's turn */
    SYNC_TOUCH,   /* making the server select the mailbox, or say that nothing is new */
    SYNC_COLLECT, /* the answers that make the delta are coming in */
    SYNC_SEARCH,  /* asking which of those that were known are still there */
    SYNC_MISSING  /* asking again for what they left out of a message */
};
enum sync_mode {
    SYNC_WHOLE,   /* everything of every message */
    SYNC_COMPARE, /* the flags of all, everything of the new ones */
    SYNC_CHANGED, /* by mod-sequence: what has changed, what has gone, everything of the new ones */
    SYNC_NEW      /* the new ones only; the columns are exact */
};

struct touch;

struct sync {
    struct mailbox *mailbox;
    struct sync *next; /* watch.queue */
    enum sync_phase phase;
    enum sync_mode mode;
    struct touch *touch; /* of SYNC_TOUCH */
    unsigned outstanding, attempts,
        disturbances;   /* of the rounds, those without progress, and disturbed ones */
    bool disturbed;     /* what is collected fits no single state of the mailbox */
    bool flooded;       /* more rows than any honest server sends */
    bool asked_missing; /* not again */
    bool asked_new;     /* of first_new and above there may be some */
    bool resumed;       /* SYNC_CHANGED as SELECT told it, not asked for */
    bool searched;      /* .gone has all that had gone before the search */
    bool answered;      /* the search was, by at least one response */
    bool plain;         /* the server's account of changes was not right: SYNC_CHANGED no more */
    bool bare;          /* the server refuses an item that only an extension has */
    bool refused_bad;   /* err is a BAD */
    bool server_said;   /* err is the server's answer, not the line's end */
    int64_t begun_ms;
    uint32_t first_new; /* UIDs from here on are asked with everything */
    uint32_t arrived;   /* messages announced since the attempt began */
    struct imap_error err;
    struct row *rows; /* in the order told */
    size_t row_count, row_capacity;
    size_t row_sorted; /* so many from the first on are in order, one per UID */
    uint32_t *gone;    /* expunged since the attempt began; SYNC_CHANGED: since the columns were right */
    size_t gone_count, gone_capacity;
    struct imap_range *found; /* by the search, in the order told */
    size_t found_count, found_capacity;
};

/* Queues a synchronisation of the mailbox unless one is queued or running; its waits are told. */
void sync_begin_locked(struct mailbox *mailbox);
/* Somebody waits for it: it comes before those that nobody waits for. */
void sync_hasten_locked(struct mailbox *mailbox);
bool sync_collecting_locked(const struct mailbox *mailbox);
/* The watcher has selected the mailbox of a sync (again). */
void sync_selected_locked(struct mailbox *mailbox);
/* While it collects: uid was expunged (0: nobody knows which); the flags of one changed. */
void sync_expunged_locked(struct sync *sync, uint32_t uid);
void sync_add_row(struct sync *sync, const struct row *row);
/* The flags of a message changed. (While all are asked for, they come with the answers as well.) */
void sync_flags_locked(struct sync *sync, const struct row *row);
/* What a FETCH response says of a message; interns its flags. Takes the lock when it must. */
void sync_row_of(struct account *account, const struct imap_fetch *fetch, struct row *row_out);
/* The account was closed and its pool is gone: ends the syncs that never ran. */
void sync_cancel_all_locked(struct account *account);

/* ---- synccmd.c: the commands. Each ends in sync_ended_locked. ---- */
enum sync_items { SYNC_EVERYTHING, SYNC_FLAGS, SYNC_FLAGS_SINCE };
/* All of the set in chunks that servers take. SYNC_FLAGS_SINCE: of those that changed after mailbox->modseq. */
void sync_fetch_locked(struct sync *sync, const struct imap_seqset *uids, enum sync_items items);
/* Which of 1..last there are, into sync->found. */
void sync_search_locked(struct sync *sync, uint32_t last);
/* Leaves the mailbox by UNSELECT and touches it, so that a SELECT tells EXISTS anew. */
void sync_reselect_locked(struct sync *sync);
void sync_touch_locked(struct sync *sync);
void sync_forget_touch_locked(struct sync *sync);
void sync_ended_locked(struct sync *sync, const struct imap_result *result);
void sync_touched_locked(struct sync *sync, const struct imap_result *result);

#endif
