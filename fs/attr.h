/* SPDX-License-Identifier: MIT */
/*
 * attr: what stat says of a mailbox and of a message.
 */
#ifndef FS_ATTR_H
#define FS_ATTR_H

#include <sys/stat.h>

#include "maildir.h"
#include "ops.h"

/* Under the account lock. */
void attr_directory_locked(const struct fs *fs, struct mailbox *mailbox, struct stat *stat_out);
/* Of one of the three of a Maildir. */
void attr_sub_locked(const struct fs *fs, struct mailbox *mailbox, enum maildir_sub sub,
                     struct stat *stat_out);
void attr_message(const struct fs *fs, uint32_t message_id, const struct message *message,
                  struct stat *stat_out);

/* Of whichever of the two it is; takes the account lock. 0 or an errno (node.h). */
int attr_of(const struct fs *fs, fuse_ino_t ino, struct stat *stat_out);

#endif
