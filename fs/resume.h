/* SPDX-License-Identifier: MIT */
/*
 * resume: what QRESYNC tells within a SELECT (RFC 7162 3.2.5): the UIDs that have vanished and the flags that
 * have changed since the mailbox was up to date last.
 *
 * It is collected between the pool's `since` and `selected`, on the thread of connection 0; then the
 * mailbox's sync takes it at once, or it is dropped, as what the server tells afterwards is newer. Whether it
 * is the whole difference is for the sync to prove by counting. What only that thread touches needs no lock.
 */
#ifndef FS_RESUME_H
#define FS_RESUME_H

#include "account.h"
#include "columns.h"

struct resume {
    struct mailbox *mailbox; /* NULL: none */
    uint32_t uidvalidity;    /* of the mailbox when `since` was asked ... */
    uint64_t modseq;         /* ... likewise */
    size_t cap;              /* more rows or UIDs than that are no honest answer */
    struct row *rows;        /* in the order told */
    size_t row_count, row_capacity;
    uint32_t *gone; /* of those that the columns hold; unsorted, an UID may be there twice */
    size_t gone_count, gone_capacity;
    bool broken; /* something came that cannot be attributed */
    bool holds;  /* the sync may take it */
};

/* The pool's callbacks; arg is the account. */
bool resume_since(void *arg, const char *mailbox_name, struct imap_pool_since *since_out);
void resume_changed(void *arg, const char *mailbox_name, const struct imap_response *response);

/* After SELECT: whether it is about the mailbox as it is known now. */
bool resume_fits_locked(const struct resume *resume, const struct mailbox *mailbox);
void resume_drop(struct resume *resume);

#endif
