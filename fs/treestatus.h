/* SPDX-License-Identifier: MIT */
/*
 * treestatus: LIST-STATUS (RFC 5819): one LIST that also says of each mailbox whether it is as it was.
 *
 * A mailbox whose UIDVALIDITY, UIDNEXT, number of messages and HIGHESTMODSEQ are those of its columns has not
 * changed, so it is as fresh as if it had been selected. That takes HIGHESTMODSEQ: without, other flags would
 * go unnoticed. Collected on the thread of connection 0, without the lock.
 */
#ifndef FS_TREESTATUS_H
#define FS_TREESTATUS_H

#include "account.h"

struct tree_status {
    char *name;
    size_t len;
    uint32_t messages, uidnext, uidvalidity;
    uint64_t modseq;
};

struct tree_statuses {
    struct tree_status *items;
    size_t count, capacity;
};

/* Whether to ask: it makes the server look into every mailbox, so enough of them must want proof. */
bool tree_status_wanted_locked(const struct account *account);
/* One that lacks an item proves nothing and is passed over. */
void tree_statuses_add(struct tree_statuses *statuses, const struct imap_mailbox_status *status);
/* asked_ms: when the server was asked. What changed is to be looked at when it is listed next. */
void tree_statuses_apply_locked(struct account *account, const struct tree_statuses *statuses,
                                int64_t asked_ms);
void tree_statuses_fini(struct tree_statuses *statuses);

#endif
