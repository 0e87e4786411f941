/* SPDX-License-Identifier: MIT */
/*
 * pool: a few logged-in connections to one account, each owned by a thread of its own.
 *
 * Work goes in as commands with the mailbox that they need selected; the pool chooses the connection
 * (one that has the mailbox selected already, else the least busy, opening more up to the limit) and
 * selects as needed. Connection 0 is the watching one: work marked IMAP_POOL_WATCHER goes there, its
 * session learns UIDs by sequence number, and it idles (RFC 2177) on the mailbox selected last
 * whenever it has nothing to do. It alone enables QRESYNC, else CONDSTORE, where the server offers them: so
 * it hears VANISHED instead of EXPUNGE, and MODSEQ with each FETCH. The others carry bodies and close when unused for some minutes.
 *
 * A lost line is dialled again with growing pauses (1 s to 60 s). Work waits for that while the
 * outage is younger than the grace time (endpoint timeout); then it fails with IMAP_AGAIN, and new work fails at once
 * until a connection is back. A command that was in flight when the line was lost fails with
 * IMAP_AGAIN or IMAP_UNSURE: repeating it is the caller's decision.
 *
 * Threads: every function may be called from any thread, from within the callbacks too (but for
 * imap_pool_free). Callbacks run on the thread of their connection, without any lock of the pool; the
 * `done` of a command that never got to one runs on another thread of the pool's, or within
 * imap_pool_submit or imap_pool_free.
 */
#ifndef IMAP_POOL_H
#define IMAP_POOL_H

#include <stdarg.h>

#include "imap/endpoint.h"
#include "imap/session.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_pool;
struct imap_credentials; /* auth.h */

/* What was known of a mailbox when it was up to date last. */
struct imap_pool_since {
    uint32_t uidvalidity;
    uint64_t modseq;   /* HIGHESTMODSEQ of then */
    uint32_t last_uid; /* the highest UID known; messages above it are not told as changed */
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
    /* The account became reachable (error NULL) or unreachable (why). */
    void (*reachable)(void *arg, const struct imap_error *error);
    /* Protocol trace, see session.h; connection tells the lines of several apart. NULL: no trace. */
    void (*trace)(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                  size_t len);
};

struct imap_pool_options {
    struct imap_endpoint endpoint;
    unsigned connections; /* 1 to 16 */
    bool read_write;      /* SELECT instead of EXAMINE */
    /* How to log in; NULL: by endpoint.user and .password, the strongest way offered (auth.h). token is called
     * on the threads of the connections, one at a time. */
    const struct imap_credentials *credentials;
};

/* Copies what it needs (the password is wiped by free). Opens no connection yet. */
enum imap_status imap_pool_new(const struct imap_pool_options *options, const struct imap_pool_events *events,
                               void *arg, struct imap_pool **pool_out, struct imap_error *err) IMAP_CHECK;
/* Connects and logs in the watching connection and waits for it, so that a wrong host, certificate or
 * password is known at once: IMAP_AUTH, IMAP_AGAIN, IMAP_PROTO, IMAP_SYS; no retries. */
enum imap_status imap_pool_connect(struct imap_pool *pool, struct imap_error *err) IMAP_CHECK;
/* Fails all work with IMAP_CANCEL, says LOGOUT where that is quick, joins the threads. */
void imap_pool_free(struct imap_pool **pool);

#define IMAP_POOL_WATCHER 1u /* on connection 0 */
#define IMAP_POOL_URGENT 2u  /* before all that is queued and not urgent */
/* Queues a command. mailbox: wire name to be selected, or NULL. weight: bytes expected in answer, for
 * balancing. Takes ownership; `done` is called exactly once, possibly before this returns. */
void imap_pool_submit(struct imap_pool *pool, const char *mailbox, unsigned flags, uint64_t weight,
                      struct imap_command *command);

#define IMAP_POOL_READS 4u /* imap_pool_change: it changes nothing in the mailbox, which may be read-only */
/* The same for a command to connection 0 of a read_write pool whose UIDs must mean what they did: it is sent only
 * where the mailbox, when its turn comes, has this UIDVALIDITY (a server that tells none has 1) and, unless flags
 * say IMAP_POOL_READS, may be changed. Else `done` tells IMAP_GONE with the code UIDVALIDITY, or IMAP_NO with
 * READ-ONLY: the mailbox might have been selected anew meanwhile, and its UIDs may name other messages. */
void imap_pool_change(struct imap_pool *pool, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                      struct imap_command *command);
/* The mailbox was deleted or renamed. Whoever has it selected selects again before the next command for one of
 * that name, which is another one. */
void imap_pool_mailbox_gone(struct imap_pool *pool, const char *mailbox);

/* Somebody heard of messages that were not in the mailbox before. A session is told of those only when
 * it asks (RFC 3501 5.2), so each connection that has the mailbox selected sends a NOOP before the next
 * command that needs it: else it might answer that there is no such message. */
void imap_pool_mailbox_changed(struct imap_pool *pool, const char *mailbox);

/* Capabilities after login; false while none is known. */
bool imap_pool_caps(struct imap_pool *pool, struct imap_caps *caps_out);
/* Up to this many connections carry bodies at once (connections - 1, at least 1). */
unsigned imap_pool_lanes(const struct imap_pool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
