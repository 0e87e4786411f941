/* SPDX-License-Identifier: MIT */
/*
 * ops: the file system that the kernel talks to; what all of its operations share.
 *
 * Threads: the kernel's requests come on several threads at once. An operation answers from memory
 * under the account lock or becomes a job (job.h); it never waits. Struct fs is made by main before the
 * session's loop and outlives it.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#include <fuse_lowlevel.h>

#include "job.h"
#include "listing.h"
#include "mailbox.h"
#include "notify.h"
#include "push.h"

#define OPS_PROGRAM_SIZE 32u
#define OPS_CACHE_SECONDS 86400.0 /* what changes is invalidated, so the kernel may keep things */

struct file;
struct status_file;

struct fs {
    struct account *account;
    struct jobs *jobs;
    struct notify *notify;
    struct push *push;
    uid_t uid; /* shown as the owner of everything */
    gid_t gid;
    mode_t umask;
    bool read_write;
    bool maildir;          /* the layout: op_maildir.h */
    double absent_seconds; /* how long a name that may yet come to be is taken for absent */
    time_t started;
    const char *version, *source, *mountpoint; /* for the status */

    /* guarded by the account lock */
    struct listing listing;
    struct file *files; /* open ones */
    struct {
        char program[OPS_PROGRAM_SIZE];
        int64_t until_ms; /* CLOCK_MONOTONIC */
    } copier;             /* who has just had a message copied by the server (op_copy.h) */
    struct {
        struct status_file *files; /* likewise */
        size_t size;               /* of the text made last, */
        struct timespec made;      /* and when */
    } status;
};

extern const struct fuse_lowlevel_ops ops_table;
/* All but log and trace; their arg is the struct fs, whose notify and push must be set. */
void ops_events(struct account_events *events_out);
/* A buffer of the calling thread's, until its next call, which account_unlock may bring about; NULL when
 * there is no memory. */
char *ops_buffer(size_t size);

/* op_dir.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
struct fuse_entry_param op_entry_of(const struct stat *attr);
/* The message that the name leads to (naming.h). */
bool op_message_named_locked(const struct mailbox *mailbox, const char *name, struct message *message_out);

/* op_file.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* The open files of mailboxes that were made anew meanwhile; *inos_out is the caller's. */
size_t op_file_retired_locked(struct fs *fs, fuse_ino_t **inos_out);
/* Frees what the kernel never released, when the account and all bodies are gone. */
void op_file_forget_all(struct fs *fs);

/* op_write.c */
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);

/* op_draft.c */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi);

/* op_rename.c */
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);

/* op_xattr.c */
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

static inline struct fs *ops_fs(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

#endif
