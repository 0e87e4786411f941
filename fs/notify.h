/* SPDX-License-Identifier: MIT */
/*
 * notify: tells the kernel that what it keeps of our directories is not true any more.
 *
 * Everything is noted down and done by a thread of its own: a notification may wait for the directory's
 * lock, which the kernel holds while it awaits an answer of ours. Notes coalesce: names as sets of
 * UIDs per mailbox, listings as one mark per mailbox, so that the queue is bounded by what there is.
 *
 * Threads: all functions but new and free may be called from any thread, also under the account lock.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include <fuse_lowlevel.h>

#include "mailbox.h"

struct fs;
struct notify;

/* Notes made before start are dropped: nothing is mounted, so the kernel keeps nothing. */
struct notify *notify_new(struct fs *fs);
void notify_start(struct notify *notify, struct fuse_session *session);
/* No note is taken any more, and the kernel is told nothing. While the session's loop still runs, or after
 * the kernel has ended it: the thread may wait for a lock that is held until we answer a request. */
void notify_stop(struct notify *notify);
void notify_free(struct notify **notify_in);

/* The kernel is being told that UID.eml does not exist: notify_appeared must take that back. */
void notify_told_absent(struct notify *notify, struct mailbox *mailbox, uint32_t uid);
void notify_appeared(struct notify *notify, struct mailbox *mailbox, uint32_t uid);
void notify_gone(struct notify *notify, struct mailbox *mailbox, uint32_t uid);
void notify_changed(struct notify *notify, struct mailbox *mailbox, uint32_t message_id, uint32_t uid);
void notify_listing(struct notify *notify, struct mailbox *mailbox);
/* The kernel may have another inode under this name than it has now. urgent: that of another message, which somebody may
 * take for this one. */
void notify_name(struct notify *notify, struct mailbox *mailbox, const char *name, bool urgent);
/* The name of a directory came or went. */
void notify_child(struct notify *notify, struct mailbox *parent, struct mailbox *child);
/* True while some notify_changed has not reached the kernel yet. */
bool notify_changes_pending(struct notify *notify);
/* At once, on the calling thread, which must be neither in an operation nor hold a lock. */
void notify_attributes_now(struct notify *notify, fuse_ino_t ino);

#endif
