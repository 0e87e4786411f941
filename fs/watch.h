/* SPDX-License-Identifier: MIT */
/*
 * watch: what connection 0 sees of the mailbox it has selected, turned into deltas.
 *
 * The columns are `exact` when they hold the messages that the server has announced on this selection, but
 * for those announced last, which are being asked for. Guarded by the account lock; `exists` is changed
 * only on the thread of connection 0.
 */
#ifndef FS_WATCH_H
#define FS_WATCH_H

#include "resume.h"

struct sync;

struct watch {
    struct mailbox *selected; /* NULL: none, or one that is not in the tree */
    struct mailbox *last;     /* the one selected last: watched again after an outage */
    uint32_t exists;          /* as announced, less what was expunged since */
    bool empty;               /* when it was selected; not if it became so by what was expunged since */
    uint32_t uidnext;         /* of the SELECT; 0: not told */
    uint64_t modseq;          /* likewise: HIGHESTMODSEQ; 0 without CONDSTORE */
    int64_t doubted_ms;       /* when it was selected anew because of a doubt; 0: never */
    bool exact;
    bool numbered;        /* they were as many as announced, so that sequence number n is the n-th row */
    struct resume resume; /* what the SELECT under way tells */
    struct sync *queue, **queue_tail; /* syncs in the order asked for; the first one runs */
};

/* The pool's callbacks; arg is the account. */
void watch_selected(void *arg, unsigned connection, const struct imap_selected *selected, bool resumed);
void watch_deselected(void *arg, unsigned connection, const char *mailbox_name);
void watch_untagged(void *arg, unsigned connection, const char *mailbox, const struct imap_response *response,
                    uint32_t uid);

/* Exact, and the server tells changes by itself: selected on connection 0, or covered (cover.h). */
bool watch_current_locked(const struct account *account, const struct mailbox *mailbox);
/* Somebody looks at a mailbox that is fresh: it is watched from now on, if none is. */
void watch_looked_at_locked(struct mailbox *mailbox);
/* The account is reachable again: goes on watching what was watched. */
void watch_resume_locked(struct account *account);

/* An untagged response after which the selected mailbox is as good as not selected. */
bool watch_casts_doubt(const struct imap_response *response);

#endif
