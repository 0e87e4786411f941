/* SPDX-License-Identifier: MIT */
/*
 * poolevents: what a pool (pool.h) tells its owner, and asks. Callbacks run on the thread of their connection, without
 * any lock of the pool; those that may be NULL say so.
 */
#ifndef IMAP_POOLEVENTS_H
#define IMAP_POOLEVENTS_H

#include "imap/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was known of a mailbox when it was up to date last. */
struct imap_pool_since {
    uint32_t uidvalidity;
    uint64_t modseq;   /* HIGHESTMODSEQ of then */
    uint32_t last_uid; /* the highest UID known; messages above it are not told as changed */
};

/* What NOTIFY asks besides all that happens in the selected mailbox and in the personal namespace. */
struct imap_pool_notify {
    bool status;                 /* STATUS of each mailbox at once */
    const char *const *subtrees; /* wire names; constant until the pool is freed ... */
    size_t subtree_count;        /* ... as are the first so many of them */
};

enum imap_pool_notified {
    IMAP_POOL_NOTIFIED_OFF,
    IMAP_POOL_NOTIFIED_PERSONAL, /* of the personal namespace: the server refuses the subtrees */
    IMAP_POOL_NOTIFIED_ALL       /* of all that `notify` wanted */
};

struct imap_pool_events {
    /* Connection 0 is about to select the mailbox, and the server offers QRESYNC (RFC 7162 3.2.5): it can
     * tell in the same round trip what has changed. True: since what is in *since_out. May be NULL. */
    bool (*since)(void *arg, const char *mailbox, struct imap_pool_since *since_out);
    /* After `since` said true: VANISHED and FETCH as SELECT tells them, before its `selected`. */
    void (*changed)(void *arg, const char *mailbox, const struct imap_response *response);
    /* A mailbox was selected (again) on this connection; all that was known by sequence number is
     * void. Comes before any `untagged` of that selection that follows the SELECT's tagged OK.
     * resumed: `since` was asked, and `changed` has told all that the server said to it. Else what
     * `changed` may have told since then is void. */
    void (*selected)(void *arg, unsigned connection, const struct imap_selected *selected, bool resumed);
    /* The connection left its mailbox: another one is selected next, or the line was lost. */
    void (*deselected)(void *arg, unsigned connection, const char *mailbox);
    /* An untagged response outside SELECT's own; mailbox is the selected one or NULL. uid is the UID
     * of an EXPUNGE's or FETCH's message where known, else 0. */
    void (*untagged)(void *arg, unsigned connection, const char *mailbox,
                     const struct imap_response *response, uint32_t uid);
    /* Connection 0 is about to say NOTIFY (RFC 5465), which the server offers along with QRESYNC: after login,
     * and again now and then. False: it shall not. May be NULL. */
    bool (*notify)(void *arg, struct imap_pool_notify *wanted_out);
    /* From now on `elsewhere` tells what happens in mailboxes that connection 0 has not selected, or no longer:
     * the server refused, had too much to tell (NOTIFICATIONOVERFLOW), or the line is lost. Nothing that is
     * submitted afterwards reaches the server before NOTIFY has. */
    void (*notified)(void *arg, enum imap_pool_notified scope);
    /* A STATUS or LIST that nobody asked for; it may lack what has not changed. initial: in answer to
     * NOTIFY, before its `notified`. While a LIST is under way, LISTs of NOTIFY's answer that instead. */
    void (*elsewhere)(void *arg, const struct imap_response *response, bool initial);
    /* The account became reachable (error NULL) or unreachable (why), or is so for another kind of reason. */
    void (*reachable)(void *arg, const struct imap_error *error);
    /* on: the lane has begun to idle there (imap_pool_watch): changes since it selected the mailbox were or will
     * be told as `untagged`. So it stays, also while the lane works there, until `deselected` or this with
     * on false: it does not idle any more. Not for connection 0. May be NULL. */
    void (*idling)(void *arg, unsigned connection, const char *mailbox, bool on);
    /* Protocol trace, see session.h; connection tells the lines of several apart. NULL: no trace. */
    void (*trace)(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                  size_t len);
};

#ifdef __cplusplus
}
#endif
#endif
