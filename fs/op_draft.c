/* SPDX-License-Identifier: MIT */
/*
 * The kernel keeps nothing of a draft's name and attributes: it may be a message at any moment, and have
 * another number then. What it keeps of the bytes is right, as all that changes them comes by it.
 */
#include "op_draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "errmap.h"
#include "name.h"
#include "node.h"
#include "send.h"

#define KEPT_SECONDS 0.0
#define PROVEN_SENT 1u
#define SLOWEST_LINE (UINT64_C(64) << 10) /* octets a second: who uploads more slowly runs out of time */

struct handle {
    struct draft *draft;
    bool wrote; /* what closing it has to send */
};

static struct handle *handle_of(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh;
}

bool node_is_draft(const struct account *account, fuse_ino_t ino)
{
    const uint32_t id = drafts_id(account);
    return id && node_uid(ino) && node_id(ino) == id;
}

static int find_locked(struct account *account, fuse_ino_t ino, struct draft **draft_out)
{
    *draft_out = draft_by_number_locked(account, node_uid(ino));
    return *draft_out ? 0 : ESTALE;
}

void attr_draft_locked(const struct fs *fs, const struct draft *draft, struct stat *stat_out)
{
    const struct timespec mtime = draft_mtime_locked(draft);
    const uint64_t size = draft_size_locked(draft);
    *stat_out = (struct stat){
        .st_ino = node_number(drafts_id(fs->account), draft_number_locked(draft)),
        .st_mode = S_IFREG | (0666 & ~fs->umask),
        .st_nlink = draft_mailbox_locked(draft) ? 1 : 0,
        .st_uid = fs->uid,
        .st_gid = fs->gid,
        .st_size = (off_t)size,
        .st_blksize = 4096,
        .st_blocks = (blkcnt_t)((size + 511) / 512),
        .st_atim = mtime,
        .st_mtim = mtime,
        .st_ctim = mtime,
    };
}

/* ---- create ------------------------------------------------------------------------------------ */

static int may_create_locked(struct account *account, fuse_ino_t parent, const char *name,
                             struct mailbox **mailbox_out)
{
    struct message message;
    const uint32_t uid = name_message_uid(name);
    const int error = node_directory_locked(account, parent, mailbox_out);

    if (error)
        return error;
    if (!mailbox_selectable_locked(*mailbox_out))
        return EPERM; /* only a directory: it holds no messages */
    if (draft_find_locked(*mailbox_out, name) || mailbox_child_locked(*mailbox_out, name) ||
        (uid && mailbox_find_locked(*mailbox_out, uid, &message)))
        return EEXIST;
    return 0;
}

static int create(struct fs *fs, fuse_ino_t parent, const char *name, struct handle *handle,
                  struct fuse_entry_param *entry_out)
{
    struct imap_error err = {0};
    struct mailbox *mailbox;
    struct draft *draft;

    if (draft_check_name(name, &err) != IMAP_OK || draft_new(fs->account, &draft, &err) != IMAP_OK)
        return errmap_errno(&err);
    account_lock(fs->account);
    const int error = may_create_locked(fs->account, parent, name, &mailbox);
    if (!error) {
        draft_name_locked(draft, mailbox, name);
        *entry_out = (struct fuse_entry_param){.attr_timeout = KEPT_SECONDS, .entry_timeout = KEPT_SECONDS};
        attr_draft_locked(fs, draft, &entry_out->attr);
        entry_out->ino = entry_out->attr.st_ino;
        handle->draft = draft;
    } else {
        draft_close_locked(draft);
    }
    account_unlock(fs->account);
    return error;
}

static void handle_free(struct fs *fs, struct handle *handle)
{
    account_lock(fs->account);
    draft_close_locked(handle->draft);
    account_unlock(fs->account);
    free(handle);
}

void op_draft_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct handle *handle = imap_xcalloc(1, sizeof(*handle));
    struct fuse_entry_param entry;

    (void)mode;
    const int error = create(fs, parent, name, handle, &entry);
    if (error) {
        free(handle);
        fuse_reply_err(req, error);
        return;
    }
    fi->fh = (uintptr_t)handle;
    if (fuse_reply_create(req, &entry, fi) != 0)
        handle_free(fs, handle);
}

/* ---- attributes -------------------------------------------------------------------------------- */

void op_draft_getattr(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = ops_fs(req);
    struct draft *draft;
    struct stat attr;

    account_lock(fs->account);
    const int error = find_locked(fs->account, ino, &draft);
    if (!error)
        attr_draft_locked(fs, draft, &attr);
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &attr, KEPT_SECONDS);
}

static int set_size(struct fs *fs, struct draft *draft, uint64_t size)
{
    int error = draft_open(draft);

    if (!error)
        error = draft_truncate(draft, size);
    account_lock(fs->account);
    draft_close_locked(draft);
    account_unlock(fs->account);
    return error;
}

/* Mode and owner are what they are; to say otherwise does no harm, so cp -p and rsync go on. */
void op_draft_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set)
{
    struct fs *fs = ops_fs(req);
    struct draft *draft;
    int error;

    account_lock(fs->account);
    error = find_locked(fs->account, ino, &draft);
    if (!error && to_set & FUSE_SET_ATTR_SIZE)
        draft_hold_locked(draft);
    account_unlock(fs->account);
    if (!error && to_set & FUSE_SET_ATTR_SIZE)
        error = set_size(fs, draft, (uint64_t)attr->st_size);
    if (error) {
        fuse_reply_err(req, error);
        return;
    }
    account_lock(fs->account);
    error = find_locked(fs->account, ino, &draft);
    if (!error && to_set & FUSE_SET_ATTR_MTIME) {
        struct timespec mtime = attr->st_mtim;

        if (to_set & FUSE_SET_ATTR_MTIME_NOW)
            clock_gettime(CLOCK_REALTIME, &mtime);
        draft_set_mtime_locked(draft, mtime);
    }
    account_unlock(fs->account);
    op_draft_getattr(req, ino);
}

/* ---- open, read, write ------------------------------------------------------------------------- */

void op_draft_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct handle *handle = imap_xcalloc(1, sizeof(*handle));
    int error;

    account_lock(fs->account);
    error = find_locked(fs->account, ino, &handle->draft);
    if (!error)
        draft_hold_locked(handle->draft);
    account_unlock(fs->account);
    if (error) {
        free(handle);
        fuse_reply_err(req, error);
        return;
    }
    error = draft_open(handle->draft);
    if (!error && fi->flags & O_TRUNC) {
        error = draft_truncate(handle->draft, 0);
        handle->wrote = !error;
    }
    fi->fh = (uintptr_t)handle;
    if (error) {
        handle_free(fs, handle);
        fuse_reply_err(req, error);
    } else if (fuse_reply_open(req, fi) != 0) {
        handle_free(fs, handle);
    }
}

void op_draft_read(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi)
{
    char *buffer = ops_buffer(size);
    const ssize_t n =
        buffer ? draft_read(handle_of(fi)->draft, buffer, size, (uint64_t)offset) : -(ssize_t)ENOMEM;

    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, buffer, (size_t)n);
}

void op_draft_write(fuse_req_t req, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct handle *handle = handle_of(fi);
    const ssize_t n = draft_write(handle->draft, data, size, (uint64_t)offset);

    if (n < 0) {
        fuse_reply_err(req, (int)-n);
        return;
    }
    handle->wrote = true;
    fuse_reply_write(req, (size_t)n);
}

/* ---- close ------------------------------------------------------------------------------------- */

static void flush_run(struct job *job)
{
    struct fs *fs = job->fs;

    account_lock(fs->account);
    if (!(job->proven & PROVEN_SENT) && !draft_send_locked(job->draft, &job->body_wait.wait)) {
        job_waits_locked(job, PROVEN_SENT);
        account_unlock(fs->account);
        return;
    }
    account_unlock(fs->account);
    fuse_reply_err(job_take(job), 0);
}

void op_draft_flush(fuse_req_t req, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    const struct handle *handle = handle_of(fi);

    if (!handle->wrote) {
        fuse_reply_err(req, 0);
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, flush_run, NULL);
    job->draft = handle->draft;
    account_lock(fs->account);
    const uint64_t size = draft_size_locked(handle->draft);
    account_unlock(fs->account);
    job_extend(job, 1 + (unsigned)(size / SLOWEST_LINE / 60));
    flush_run(job);
}

void op_draft_release(fuse_req_t req, struct fuse_file_info *fi)
{
    handle_free(ops_fs(req), handle_of(fi));
    fuse_reply_err(req, 0);
}
