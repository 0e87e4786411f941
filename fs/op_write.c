/* SPDX-License-Identifier: MIT */
/* What changes one thing on the server: deleting, making and removing directories; and what cannot be done. */
#include "write.h"

#include <errno.h>
#include <string.h>

#include "attr.h"
#include "name.h"
#include "node.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_settle.h"
#include "ops.h"
#include "writetree.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* the operations' shapes are libfuse's */

#define PROVEN_DONE 1u

#define LISTING_PATIENCE 4 /* a directory's messages may have to be listed before it is removed */

/* The kernel does not let through what changes a read-only mount, but for some races. */
static bool refuse_read_only(fuse_req_t req)
{
    if (ops_fs(req)->read_write)
        return false;
    fuse_reply_err(req, EROFS);
    return true;
}

/* Begins a job about a name in a directory. */
static void begin(fuse_req_t req, fuse_ino_t parent, const char *name, unsigned patience, job_function *run)
{
    struct fs *fs = ops_fs(req);

    if (refuse_read_only(req))
        return;
    if (strlen(name) >= NAME_SIZE) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, run, name);
    job->ino = parent;
    job_extend(job, patience);
    run(job);
}

/* ---- unlink ------------------------------------------------------------------------------------ */

static void unlink_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *mailbox;
    struct message message;
    struct draft *draft = NULL;

    if (job->proven & PROVEN_DONE) {
        fuse_reply_err(job_take(job), 0);
        return;
    }
    account_lock(fs->account);
    int error = node_directory_locked(fs->account, job->ino, &mailbox);
    if (!error && (op_is_unsettled_locked(mailbox, job->name) || writeback_is_full_locked(fs->account))) {
        op_expect_locked(job, mailbox, job->name);
        if (!op_settled_locked(job, mailbox)) {
            account_unlock(fs->account);
            return;
        }
    }
    if (!error && (draft = op_draft_named_locked(mailbox, job->name)))
        error = draft_unname_locked(draft) ? 0 : EBUSY;
    else if (!error && !op_message_named_locked(mailbox, job->name, &message))
        error = mailbox_child_locked(mailbox, job->name) ? EISDIR : ENOENT;
    else if (!error && !op_is_expected_locked(job, job->name, &message))
        error = ENOENT;
    if (!error && !draft) {
        writeback_delete_locked(mailbox, mailbox_message_id_locked(mailbox), message.uid,
                                &job->body_wait.wait);
        job_waits_locked(job, PROVEN_DONE);
    }
    account_unlock(fs->account);
    if (error || draft)
        job_reply_error(job, error);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    char flat[NAME_SIZE];

    if (!op_maildir_unlink(req, &parent, &name, flat))
        begin(req, parent, name, 1, unlink_run);
}

/* ---- mkdir, rmdir ------------------------------------------------------------------------------- */

static void mkdir_reply(struct job *job)
{
    struct fs *fs = job->fs;
    struct fuse_entry_param entry;
    struct mailbox *parent;
    struct mailbox *child = NULL;
    struct stat attr;

    account_lock(fs->account);
    int error = node_directory_locked(fs->account, job->ino, &parent);
    if (!error)
        child = mailbox_child_locked(parent, job->name);
    if (child)
        attr_directory_locked(fs, child, &attr);
    account_unlock(fs->account);
    if (child) {
        entry = op_entry_of(&attr);
        fuse_reply_entry(job_take(job), &entry);
    } else {
        job_reply_error(job, error ? error : EIO); /* deleted by another at once */
    }
}

static void mkdir_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *parent;

    if (job->proven & PROVEN_DONE) {
        mkdir_reply(job);
        return;
    }
    account_lock(fs->account);
    int error = node_directory_locked(fs->account, job->ino, &parent);
    if (!error) {
        writetree_create_locked(parent, job->name, &job->body_wait.wait);
        job_waits_locked(job, PROVEN_DONE);
    }
    account_unlock(fs->account);
    if (error)
        job_reply_error(job, error);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    if (!op_maildir_mkdir(req, parent, name))
        begin(req, parent, name, 1, mkdir_run);
}

static void rmdir_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *parent;
    struct mailbox *child = NULL;

    if (job->proven & PROVEN_DONE) {
        fuse_reply_err(job_take(job), 0);
        return;
    }
    account_lock(fs->account);
    if (!op_settled_locked(job, NULL)) {
        account_unlock(fs->account);
        return;
    }
    int error = node_directory_locked(fs->account, job->ino, &parent);
    if (!error)
        child = mailbox_child_locked(parent, job->name);
    if (!error && !child)
        error = ENOENT;
    if (!error && draft_next_locked(child, 0))
        error = ENOTEMPTY;
    if (!error) {
        writetree_delete_locked(child, &job->body_wait.wait);
        job_waits_locked(job, PROVEN_DONE);
    }
    account_unlock(fs->account);
    if (error)
        job_reply_error(job, error);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (!op_maildir_rmdir(req, parent, name))
        begin(req, parent, name, LISTING_PATIENCE, rmdir_run);
}

/* ---- setattr ------------------------------------------------------------------------------------ */

#define TO_SET_TIMES (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)

#define OTHERS 0077u

/* Whether what is to be set is what is there: cp -p, tar and rsync set all of it. Nobody keeps the time of the
 * last access; nor can a mailbox's time be set, which tar and rsync must not take for a failure. Nor do they have
 * to be told that a mode is not kept, as long as nothing stays open to others that was to be closed. */
static bool changes_nothing(const struct stat *is, const struct stat *wanted, int to_set)
{
    if (to_set & FUSE_SET_ATTR_MODE && is->st_mode & ~wanted->st_mode & OTHERS)
        return false;
    if (to_set & FUSE_SET_ATTR_UID && wanted->st_uid != is->st_uid)
        return false;
    if (to_set & FUSE_SET_ATTR_GID && wanted->st_gid != is->st_gid)
        return false;
    if (to_set & FUSE_SET_ATTR_SIZE && wanted->st_size != is->st_size)
        return false;
    if (S_ISDIR(is->st_mode) || !(to_set & TO_SET_TIMES))
        return true;
    return !(to_set & FUSE_SET_ATTR_MTIME_NOW) && wanted->st_mtim.tv_sec == is->st_mtim.tv_sec;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    struct stat is;

    if (refuse_read_only(req))
        return;
    if (node_is_draft(ops_fs(req)->account, ino)) {
        op_draft_setattr(req, ino, attr, to_set, fi);
        return;
    }
    int error = attr_of(ops_fs(req), ino, &is);
    if (ops_fs(req)->maildir)
        to_set &= ~TO_SET_TIMES; /* neomutt sets it after each delivery, and takes a refusal for a failure */
    if (!error && !changes_nothing(&is, attr, to_set))
        error = EPERM;
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &is, op_maildir_is_sub(ops_fs(req), ino) ? 0 : OPS_CACHE_SECONDS);
}

/* ---- what mail cannot be ------------------------------------------------------------------------------- */

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    if (!refuse_read_only(req))
        fuse_reply_err(req, EPERM); /* a regular file is made by op_create */
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    if (!refuse_read_only(req))
        fuse_reply_err(req, EPERM);
}
