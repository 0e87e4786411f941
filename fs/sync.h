/* SPDX-License-Identifier: MIT */
/*
 * sync: brings the columns of a mailbox to the server's state, and applies what is learnt in between.
 *
 * See the invariants in sync.c. Guarded by the account lock but for the rows under collection, which
 * only the thread of connection 0 touches.
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

/* Queues a synchronisation of the mailbox unless one is queued or running; its waits are told. */
void sync_begin_locked(struct mailbox *mailbox);
/* The watcher selected the mailbox of a sync: what was collected by then is void; go on from there. */
void sync_selected_locked(struct mailbox *mailbox);
/* Untagged news on the selected mailbox while its sync runs. */
void sync_arrived_locked(struct mailbox *mailbox, uint32_t how_many);
void sync_expunged_locked(struct mailbox *mailbox, uint32_t uid); /* 0: unknown */
void sync_flags_locked(struct mailbox *mailbox, const struct row *row);
/* The account closes: forgets the syncs that never ran. */
void sync_cancel_all_locked(struct account *account);

#endif
