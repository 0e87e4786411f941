/* SPDX-License-Identifier: MIT */
/*
 * wait: someone who wants to be told when something has become true.
 *
 * Embedded in the waiter's own object, queued on a mailbox or a body under the account lock. `done` is
 * called at most once, without any lock, on a model thread or inside somebody's account_unlock; err is
 * NULL on success. Cancelling from any thread either prevents `done` for good (true) or finds it called
 * or being called (false): then the object must stay alive until `done` has returned.
 */
#ifndef FS_WAIT_H
#define FS_WAIT_H

#include <stdbool.h>

#include "imap/error.h"

struct account;

struct wait {
    void (*done)(struct wait *wait, const struct imap_error *err);
    /* guarded by the account lock; all zero before it is queued, link NULL when not queued */
    struct wait *next, **link;
    struct wait_queue *queue;
};

struct wait_queue {
    struct wait *first, **tail;
};

void wait_queue_init(struct wait_queue *queue);
/* The following need the account lock. */
void wait_queue_add(struct wait_queue *queue, struct wait *wait);
/* Takes all off, in their order, to the end of the caller's own queue `to`, to be run: from now on they
 * can't be cancelled any more. */
void wait_queue_move(struct wait_queue *from, struct wait_queue *to);
void wait_take(struct wait *wait); /* unlinks; nothing when it is not queued */
/* Without the lock: calls done of each. The queue must be the caller's own (moved to). */
void wait_queue_run(struct wait_queue *queue, const struct imap_error *err);

/* Takes the account lock itself. */
bool wait_cancel(struct account *account, struct wait *wait);

#endif
