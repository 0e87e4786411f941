/* SPDX-License-Identifier: MIT */
/*
 * announce: what the server tells of the whole account by itself (NOTIFY, RFC 5465), on connection 0.
 *
 * STATUS goes to the mailbox's cover (cover.h), LIST makes the tree be listed again. So while NOTIFY holds, a
 * mailbox that is calm and a tree that was listed since need no asking. Guarded by the account lock.
 */
#ifndef FS_ANNOUNCE_H
#define FS_ANNOUNCE_H

#include "account.h"

/* With more mailboxes than that the server is not asked how each of them is whenever NOTIFY is said. */
#define ANNOUNCE_MAX_STATUS 500u

struct announce {
    enum imap_pool_notified scope;
    unsigned epoch;   /* another one for each time from which on the server tells, or no longer does */
    bool with_status; /* the last NOTIFY asked how all mailboxes are */
    bool foreign_asked, foreign_too; /* it asked for the namespaces of others; and the server has agreed */
};

/* The pool's callbacks; arg is the account. */
bool announce_wanted(void *arg, struct imap_pool_notify *wanted_out);
void announce_scope(void *arg, enum imap_pool_notified scope);
void announce_heard(void *arg, const struct imap_response *response, bool initial);

/* Connection 0 has left the mailbox. What it did not hear in between is asked for. */
void announce_left_locked(struct mailbox *mailbox);
/* The tree is another: covers what is new in it. */
void announce_cover_locked(struct account *account);
/* True when this, told while the mailboxes were being listed, was no part of the listing but news. */
bool announce_is_news_locked(struct account *account, const struct imap_list *list);

#endif
