/* SPDX-License-Identifier: MIT */
/*
 * pool: a few logged-in connections to one account, each owned by a thread of its own.
 *
 * Work goes in as commands with the mailbox that they need selected; the pool chooses the connection
 * (one that has the mailbox selected already, else the least busy, opening more up to the limit) and
 * selects as needed. Connection 0 is the watching one: work marked IMAP_POOL_WATCHER goes there, its
 * session learns UIDs by sequence number, and it idles (RFC 2177) on the mailbox selected last whenever it has
 * nothing to do. It alone enables QRESYNC, else CONDSTORE, where the server offers them: so it hears VANISHED
 * instead of EXPUNGE, and MODSEQ with each FETCH. Where the server offers it, NOTIFY (RFC 5465) tells it of all
 * other mailboxes, too. The others, the lanes, carry bodies and close when unused for some minutes; some of them
 * idle where imap_pool_watch says.
 *
 * A lost line is dialled again, at once and then with growing pauses (1 s to 60 s). Work waits for the first
 * attempt, at most the endpoint's timeout; if it fails, all work does at once, with IMAP_AGAIN, until a connection is
 * back. A command that was in flight when the line was lost fails with IMAP_AGAIN or IMAP_UNSURE: repeating it is the
 * caller's decision. sys_errno ETIMEDOUT: the line did not end, but the server had not answered for the endpoint's timeout.
 *
 * Threads: every function may be called from any thread, from within the callbacks too (but for
 * imap_pool_free). Callbacks run on the thread of their connection, without any lock of the pool; the
 * `done` of a command that never got to one runs on another thread of the pool's, or within
 * imap_pool_submit or imap_pool_free.
 */
#ifndef IMAP_POOL_H
#define IMAP_POOL_H

#include "imap/endpoint.h"
#include "imap/poolevents.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_pool;
struct imap_credentials; /* auth.h */

struct imap_pool_options {
    struct imap_endpoint endpoint;
    unsigned connections; /* 1 to 16 */
    bool read_write;      /* SELECT instead of EXAMINE */
    bool compress; /* COMPRESS=DEFLATE on each connection where offered (RFC 4978); a refusal is no failure */
    bool offline;  /* nothing is ever connected: all work fails with IMAP_AGAIN at once */
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
/* The same, but waits no longer than wait_ms: then IMAP_AGAIN, while the attempt goes on. */
enum imap_status imap_pool_connect_within(struct imap_pool *pool, unsigned wait_ms,
                                          struct imap_error *err) IMAP_CHECK;
/* After either has failed: the account is taken for unreachable, and dialled again as after a loss until it
 * stands; events.reachable tells. False: it stands already. */
bool imap_pool_keep_trying(struct imap_pool *pool);
/* Somebody wants the server: the next attempt is made now, if the last one is some seconds old and has not
 * shown that the password is wrong. */
void imap_pool_hurry(struct imap_pool *pool);
/* Lines may be dead unnoticed, as when the machine has slept: each has to answer a NOOP within seconds (an IDLE
 * is ended for it) or is lost, and the next attempt to connect is made now. */
void imap_pool_revalidate(struct imap_pool *pool);
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
/* This connection has selected a mailbox of that name that is not the one that was (another UIDVALIDITY, RFC
 * 3501 2.3.1.1). Others may still have the old one selected, and would answer from it: they select anew before the
 * next command that needs it. connection UINT_MAX: nobody is known to have the new one. */
void imap_pool_mailbox_replaced(struct imap_pool *pool, const char *mailbox, unsigned connection);

/* `notify` has something else to say: connection 0 asks it, and the server, again. */
void imap_pool_notify_again(struct imap_pool *pool);
/* The mailboxes (wire names) that lanes should idle on (RFC 2177), the most wanted first, for so many ms or until
 * the next call, whose list takes the place of this one. As many get a lane as can be had while one is left for
 * bodies, never more than connections - 2; lanes are opened for it when a mailbox was wanted for a second. Such
 * a lane does the work of its own mailbox, and leaves it only for what is urgent or has waited long and no other
 * lane can do; it comes back later. A mailbox that cannot be selected is dropped.
 * Returns how many of the first get a lane, as things are: 0 also when the server has no IDLE. */
size_t imap_pool_watch(struct imap_pool *pool, const char *const *mailboxes, size_t count, unsigned for_ms);

/* Capabilities after login; false while none is known. */
bool imap_pool_caps(struct imap_pool *pool, struct imap_caps *caps_out);
/* Up to this many connections carry bodies at once (connections - 1, at least 1). */
unsigned imap_pool_lanes(const struct imap_pool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
