/* SPDX-License-Identifier: MIT */
/* op_settle: what the operations know of changes that wait (writeback.h). */
#ifndef FS_OP_SETTLE_H
#define FS_OP_SETTLE_H

#include "ops.h"
#include "writeback.h"

/* Bits of job->proven, besides an operation's own. */
#define PROVEN_SETTLED (1u << 28)
#define PROVEN_SYNCED (1u << 29)
#define PROVEN_LISTED_AFTER (1u << 30)

/* For what is too uncommon to be shown before it is done: true when nothing waits any more, and the mailbox (NULL: none)
 * is listed; else the job waits and runs again then. */
bool op_settled_locked(struct job *job, struct mailbox *mailbox);
/* For fsync and syncfs: the same, and the job's error may be that something was refused. */
bool op_synced_locked(struct job *job);
/* Whether the name is a message's on its way there. */
bool op_is_coming_locked(const struct mailbox *mailbox, const char *name);
/* What has that name is neither here nor there: on its way, being sent, or arrived and not listed yet. */
bool op_is_unsettled_locked(const struct mailbox *mailbox, const char *name);
/* Before op_settled_locked, and after it: whether the message that has the name now is the one that had it. The one that
 * was on its way may be gone, and its name be the number of another. */
void op_expect_locked(struct job *job, const struct mailbox *mailbox, const char *name);
bool op_is_expected_locked(const struct job *job, const char *name, const struct message *message);
/* False when it is not there any more. */
bool op_coming_entry_locked(const struct fs *fs, const struct coming *coming,
                            struct fuse_entry_param *entry_out);

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

#endif
