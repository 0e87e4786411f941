/* SPDX-License-Identifier: MIT */
/*
 * op_status: .imapfs/status in the root of the mount: what imapfs is doing, as a file.
 *
 * The directory is found by its name but not listed, so that nobody who walks the mount comes by it. The text
 * is made at each open and is that one's until it is closed, read past the kernel's cache; a stat shows the
 * size of the one made last. Everything is answered from memory.
 *
 * Each function is to be asked first: true when the node is one of these, and the request was replied to.
 */
#ifndef FS_OP_STATUS_H
#define FS_OP_STATUS_H

#include "ops.h"

bool op_status_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
bool op_status_getattr(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
bool op_status_open(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
bool op_status_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    const struct fuse_file_info *fi);
bool op_status_release(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
bool op_status_opendir(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
bool op_status_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus);
/* There are none. */
bool op_status_getxattr(fuse_req_t req, fuse_ino_t ino);
bool op_status_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
/* Frees what the kernel never released. */
void op_status_forget_all(struct fs *fs);

#endif
