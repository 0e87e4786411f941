/* SPDX-License-Identifier: MIT */
/*
 * op_draft: the operations on files that are being written (draft.h), for those on all files: each is called
 * when the inode is a draft's. An open draft's fh is a handle of ours.
 */
#ifndef FS_OP_DRAFT_H
#define FS_OP_DRAFT_H

#include "draft.h"
#include "ops.h"

/* Both need the account lock. */
bool node_is_draft(const struct account *account, fuse_ino_t ino);
void attr_draft_locked(const struct fs *fs, const struct draft *draft, struct stat *stat_out);

void op_draft_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     struct fuse_file_info *fi);
void op_draft_getattr(fuse_req_t req, fuse_ino_t ino);
void op_draft_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set);
void op_draft_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_draft_read(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi);
void op_draft_write(fuse_req_t req, const char *data, size_t size, off_t offset, struct fuse_file_info *fi);
/* close(2) and fsync(2): the message is on the server, or they fail. */
void op_draft_flush(fuse_req_t req, struct fuse_file_info *fi);
void op_draft_release(fuse_req_t req, struct fuse_file_info *fi);

#endif
