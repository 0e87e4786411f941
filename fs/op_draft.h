/* SPDX-License-Identifier: MIT */
/*
 * op_draft: the operations on files that are being written (draft.h), for those on all files: each is called
 * when the inode is a draft's. An open draft's fh is a handle of ours.
 */
#ifndef FS_OP_DRAFT_H
#define FS_OP_DRAFT_H

#include "draft.h"
#include "ops.h"

bool node_is_draft(const struct account *account, fuse_ino_t ino);

/* These need the account lock. */
void attr_draft_locked(const struct fs *fs, const struct draft *draft, struct stat *stat_out);
struct fuse_entry_param op_draft_entry_locked(const struct fs *fs, const struct draft *draft);
/* The draft of that name; NULL also when a message has it as its number: that goes before. */
struct draft *op_draft_named_locked(const struct mailbox *mailbox, const char *name);

void op_draft_getattr(fuse_req_t req, fuse_ino_t ino);
void op_draft_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set,
                      struct fuse_file_info *fi);
void op_draft_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_draft_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_draft_release(fuse_req_t req, struct fuse_file_info *fi);

/* The empty draft that is open there becomes a copy of the message (draftcopy.h). False: it cannot. */
bool op_draft_copy_locked(const struct fuse_file_info *fi, struct mailbox *mailbox,
                          const struct message *message);

/* user.imap.flags; 0 or an errno. */
int op_draft_flags(struct fs *fs, fuse_ino_t ino, char *text_out, size_t size);
int op_draft_set_flags(struct fs *fs, fuse_ino_t ino, const char *text);

#endif
