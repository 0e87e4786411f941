/* SPDX-License-Identifier: MIT */
/*
 * body: the immutable bytes of one message, on their way from the server or already in the spool.
 *
 * One body per (message_id, UID), however many readers; one download. It streams into the spool, and
 * whoever waits for a range is told as soon as that range is there. A body that is open is pinned: it
 * is not evicted and stays readable though its message is expunged. Guarded by the account lock;
 * body_read takes none.
 */
#ifndef FS_BODY_H
#define FS_BODY_H

#include <sys/types.h>

#include "mailbox.h"

struct body;

/* A wait for a range: the wait that a reader embeds, with what it is for. */
struct body_wait {
    struct wait wait;
    uint64_t offset; /* guarded by the account lock, set when queued */
    size_t len;
};

/* The body of a message that mailbox_find_locked has found. Pinned until body_close_locked. Counts as
 * an access for the recognition of scans (grep -r, rsync): it may start prefetching. */
struct body *body_open_locked(struct mailbox *mailbox, const struct message *message);
/* The two parts of it, for who may never read it: until body_use_locked, once, nothing is fetched. */
struct body *body_pin_locked(struct mailbox *mailbox, const struct message *message);
void body_use_locked(struct body *body);
void body_close_locked(struct body *body);

/* Makes sure the true size is known (the FETCH literal, or a probe at the claimed end, has told it).
 * True when it is; false when wait was queued. IMAP_GONE: expunged meanwhile.
 * IMAP_AGAIN, also when it is known: nothing of the body is here and the server cannot be reached. */
bool body_size_known_locked(struct body *body, struct wait *wait);
uint64_t body_size_locked(const struct body *body);
/* Makes sure that [offset, offset + len) cut at the size is in the spool; otherwise as above, told by
 * wait->wait. Also tells how far readers have come, from which read-ahead is judged. */
bool body_available_locked(struct body *body, uint64_t offset, size_t len, struct body_wait *wait);
/* The body of this message if all of it was fetched ahead, nobody has opened it since, and its size is the
 * one that was listed; else NULL. Pinned until body_close_locked, but not an access. */
struct body *body_hold_ahead_locked(struct mailbox *mailbox, uint32_t uid);
/* What an earlier mount has left of a message has to be read once before anything of it is served. True when the
 * caller should do that by body_check, which is soonest where it is small; else, and if nobody does, it is done
 * by another thread, and the waits above tell. Only when this is true may, and must, body_check be called: without
 * the lock, once. */
bool body_check_here_locked(struct body *body);
void body_check(struct body *body);
/* Reads what body_available_locked has promised; the body must be open. Bytes read, or -errno; -EAGAIN where
 * that has been dropped since, as happens while the disk is full: to be asked for again. */
ssize_t body_read(struct body *body, void *buf, size_t size, uint64_t offset);

#endif
