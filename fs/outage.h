/* SPDX-License-Identifier: MIT */
/*
 * outage: the account while its server cannot be reached, or is not to be (-o offline).
 *
 * As long as account->outage says so, what is known is what there is: a mailbox whose listing was complete
 * once is listed as it was then, bytes that are here are read, and everything else fails at once. The pool
 * goes on trying by itself. Guarded by the account lock.
 */
#ifndef FS_OUTAGE_H
#define FS_OUTAGE_H

#include "model.h"

static inline bool account_is_out_locked(const struct account *account)
{
    return account->outage.status != IMAP_OK;
}

/* Whether a failure to connect says that the server cannot be reached; not that it, or we, did something
 * wrong, which another attempt would not mend. */
bool outage_is(const struct imap_error *why);
/* The server cannot be reached, for that reason. */
void outage_begin_locked(struct account *account, const struct imap_error *why);
/* Ends the waits of a queue for what cannot be had; makes the pool try again if it has not for a while. */
void outage_refuse_locked(struct account *account, struct wait_queue *waits);
/* The pool's event; arg is the account. */
void outage_reachable(void *arg, const struct imap_error *error);

#endif
