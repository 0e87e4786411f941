/* SPDX-License-Identifier: MIT */
/*
 * inuse: the mailboxes that somebody looks at, and the lanes of the pool that idle on them (COVER_IDLE).
 *
 * In use is what was listed, looked up in or read from within IN_USE_MS. Of these connection 0 hears of the
 * one that it has selected; the pool is asked to watch the others, those that a lane watches already and that
 * are still looked at before those used more recently: so who goes round among more mailboxes than can be
 * watched does not make the lanes go round. When connection 0 had to go to a mailbox that a lane watches, to
 * see what has changed there, it returns to the one that no lane can watch. What is left is polled. Mailboxes
 * that NOTIFY covers need none of this. Guarded by the account lock.
 */
#ifndef FS_INUSE_H
#define FS_INUSE_H

#include "cover.h"

#define INUSE_MAX 16u
#define INUSE_LANES 16u

struct inuse {
    struct {
        struct mailbox *mailbox;
        int64_t used_ms;
    } recent[INUSE_MAX]; /* the most recent first */
    size_t count;
    struct mailbox *asked[INUSE_MAX]; /* of the pool, in this order ... */
    size_t asked_count;
    size_t granted;            /* ... which has lanes for so many of them */
    int64_t asked_ms;          /* when */
    struct mailbox *returning; /* connection 0 was sent back to it ... */
    int64_t returning_ms;      /* ... then, and has not arrived */
    struct {
        struct mailbox *mailbox;  /* selected; NULL: none, or one that is not in the tree */
        struct cover_state state; /* as SELECT told it */
        bool covers;              /* it idles there */
        int64_t doubted_ms; /* when it was made to select anew because of what the server said; 0: never */
    } lanes[INUSE_LANES];   /* by the number of their connection */
};

/* Somebody looks at it. */
void inuse_note_locked(struct mailbox *mailbox);
/* Something has changed of who watches what. */
void inuse_plan_locked(struct account *account);

/* ---- the lanes (connections 1 and up); for watch.c ---- */
void inuse_selected_locked(struct account *account, unsigned connection, struct mailbox *mailbox,
                           const struct imap_selected *selected);
void inuse_left_locked(struct account *account, unsigned connection);
/* An untagged response while it had a mailbox selected. */
void inuse_heard(struct account *account, unsigned connection, const struct imap_response *response);
/* The pool's callback; arg is the account. */
void inuse_idling(void *arg, unsigned connection, const char *mailbox_name, bool on);

#endif
