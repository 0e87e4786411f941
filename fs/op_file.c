/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "../imap/mem.h"
#include "attr.h"
#include "body.h"
#include "inuse.h"
#include "node.h"
#include "op_copy.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_status.h"
#include "ops.h"
#include "writeback.h"

/* An open message. Readable as long as it is open, also when it is expunged meanwhile. */
struct file {
    struct body *body;
    struct stat attr;             /* constant once open */
    bool unused;                  /* nothing of it was wanted yet; guarded by the account lock */
    struct file *previous, *next; /* fs->files, guarded by the account lock */
};

/* unused: it will hardly be read, and nothing is fetched before it is. */
static struct file *file_new_locked(struct fs *fs, struct mailbox *mailbox, const struct message *message,
                                    bool unused)
{
    struct file *file = imap_xcalloc(1, sizeof(*file));

    inuse_note_locked(mailbox);
    file->unused = unused;
    file->body = unused ? body_pin_locked(mailbox, message) : body_open_locked(mailbox, message);
    attr_message(fs, mailbox_message_id_locked(mailbox), message, &file->attr);
    file->next = fs->files;
    if (file->next)
        file->next->previous = file;
    fs->files = file;
    return file;
}

static void file_free(struct fs *fs, struct file *file)
{
    account_lock(fs->account);
    if (file->previous)
        file->previous->next = file->next;
    else
        fs->files = file->next;
    if (file->next)
        file->next->previous = file->previous;
    body_close_locked(file->body);
    account_unlock(fs->account);
    free(file);
}

static struct file *file_of(const struct fuse_file_info *fi)
{
    return (struct file *)(uintptr_t)fi->fh;
}

/* Its mailbox was made anew, so that its number means nothing any more. */
static bool is_retired_locked(struct fs *fs, const struct file *file)
{
    uint32_t id = node_id(file->attr.st_ino);
    const struct mailbox *mailbox = account_by_id_locked(fs->account, id);

    return !mailbox || mailbox_message_id_locked(mailbox) != id;
}

size_t op_file_retired_locked(struct fs *fs, fuse_ino_t **inos_out)
{
    size_t count = 0;

    *inos_out = NULL;
    for (const struct file *file = fs->files; file; file = file->next) {
        if (!is_retired_locked(fs, file))
            continue;
        *inos_out = imap_xreallocarray(*inos_out, count + 1, sizeof(fuse_ino_t));
        (*inos_out)[count++] = file->attr.st_ino;
    }
    return count;
}

void op_file_forget_all(struct fs *fs)
{
    while (fs->files) {
        struct file *file = fs->files;

        fs->files = file->next;
        free(file);
    }
}

/* ---- getattr ----------------------------------------------------------------------------------- */

/* fstat(2) comes without the file. It goes on to work when the message is expunged, as it does for a file that was
 * removed while open. */
static int attr_of_open(struct fs *fs, fuse_ino_t ino, struct stat *attr_out)
{
    account_lock(fs->account);
    const struct file *file = fs->files;
    while (file && file->attr.st_ino != ino)
        file = file->next;
    const bool there = file && !is_retired_locked(fs, file);
    if (there) {
        *attr_out = file->attr;
        attr_out->st_nlink = 0;
    }
    account_unlock(fs->account);
    return there ? 0 : ESTALE;
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat attr;
    int error = 0;

    if (op_status_getattr(req, ino, fi) || op_maildir_getattr(req, ino))
        return;
    if (node_is_draft(ops_fs(req)->account, ino)) {
        op_draft_getattr(req, ino);
        return;
    }
    if (fi && node_uid(ino) && fi->fh)
        attr = file_of(fi)->attr;
    else
        error = attr_of(ops_fs(req), ino, &attr);
    if (error == ESTALE)
        error = attr_of_open(ops_fs(req), ino, &attr);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &attr, OPS_CACHE_SECONDS);
}

/* ---- open -------------------------------------------------------------------------------------- */

static void open_reply(struct job *job)
{
    struct fs *fs = job->fs;
    struct file *file = job->file;
    struct fuse_file_info fi = job->fi;

    fi.fh = (uintptr_t)file;
    fi.keep_cache = 1;
    fi.noflush = 1;
    if (fuse_reply_open(job_take(job), &fi) != 0) /* the asker is gone, so there will be no release */
        file_free(fs, file);
}

/* The kernel must know the true size when it gets the reply. */
static void open_reply_corrected(struct job *job)
{
    notify_attributes_now(job->fs->notify, job->ino);
    open_reply(job);
}

static void open_abandon(struct job *job)
{
    if (job->file)
        file_free(job->fs, job->file);
    job->file = NULL;
}

#define UNKNOWN_SIZE UINT64_MAX
#define EXPECTS_COPY 1u /* in job->proven from the start */

static void open_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *mailbox;
    struct message message;
    uint64_t size = 0;
    int error = 0;
    const bool unused = !job->file && job->proven & EXPECTS_COPY;

    account_lock(fs->account);
    if (!job->file) {
        error = node_message_locked(fs->account, job->ino, &mailbox, &message);
        /* The kernel has it under the name that it was moved to, which is another's, until it is told. */
        if (!error && writeback_is_nameless_locked(mailbox, message.uid))
            error = ESTALE;
        if (!error) {
            /* Not only message_changed tells the kernel: that comes after the lock, where this could overtake. */
            job->told = message.size_corrected ? UNKNOWN_SIZE : message.size;
            job->file = file_new_locked(fs, mailbox, &message, unused);
        }
    }
    if (!error && !unused && body_check_here_locked(job->file->body)) {
        account_unlock(fs->account);
        body_check(job->file->body);
        account_lock(fs->account);
    }
    if (!error && !unused && !body_size_known_locked(job->file->body, &job->body_wait.wait)) {
        job_waits_locked(job, 0);
        account_unlock(fs->account);
        return;
    }
    if (!error) {
        size = body_size_locked(job->file->body);
        job->file->attr.st_size = (off_t)size;
        job->file->attr.st_blocks = (blkcnt_t)((size + 511) / 512);
    }
    account_unlock(fs->account);

    if (error)
        job_reply_error(job, error);
    else if (size != job->told || notify_changes_pending(fs->notify))
        job_run_later(job, open_reply_corrected);
    else
        open_reply(job);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    if (op_status_open(req, ino, fi))
        return;
    if (node_is_draft(fs->account, ino)) {
        op_draft_open(req, ino, fi);
        return;
    }
    if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC) {
        fuse_reply_err(req, fs->read_write ? EPERM : EROFS); /* a message never changes */
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, open_run, NULL);
    job->ino = ino;
    job->fi = *fi;
    job->abandon = open_abandon;
    job->by_inode = true;
    if (fs->read_write && op_copy_is_expected(fs, fuse_req_ctx(req)->pid))
        job->proven = EXPECTS_COPY;
    open_run(job);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    if (op_status_release(req, ino, fi))
        return;
    if (node_is_draft(ops_fs(req)->account, ino)) {
        op_draft_release(req, fi);
        return;
    }
    file_free(ops_fs(req), file_of(fi));
    fuse_reply_err(req, 0);
}

/* ---- read -------------------------------------------------------------------------------------- */

static void read_run(struct job *job);

static void read_reply(struct job *job, size_t len)
{
    char *buffer = ops_buffer(len);
    ssize_t n = buffer ? body_read(job->file->body, buffer, len, (uint64_t)job->offset) : -ENOMEM;

    if (n == -EAGAIN) {
        read_run(job);
        return;
    }
    if (n == (ssize_t)len)
        fuse_reply_buf(job_take(job), buffer, len);
    else
        job_reply_error(job, n < 0 ? (int)-n : EIO); /* a short answer would be taken for the end */
}

static void read_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct body *body = job->file->body;
    uint64_t offset = (uint64_t)job->offset;
    size_t len = job->size;

    account_lock(fs->account);
    if (is_retired_locked(fs, job->file)) {
        account_unlock(fs->account);
        job_reply_error(job, ESTALE);
        return;
    }
    if (job->file->unused) {
        job->file->unused = false;
        op_copy_disappointed_locked(fs);
        body_use_locked(body);
    }
    uint64_t size = body_size_locked(body);
    if (size != (uint64_t)job->file->attr.st_size) { /* it was opened before that could be told */
        account_unlock(fs->account);
        job_reply_error(job, EIO);
        return;
    }
    if (offset >= size)
        len = 0;
    else if (len > size - offset)
        len = (size_t)(size - offset);
    if (len && !body_available_locked(body, offset, len, &job->body_wait)) {
        job_waits_locked(job, 0);
        account_unlock(fs->account);
        return;
    }
    account_unlock(fs->account);
    if (len)
        read_reply(job, len);
    else
        fuse_reply_buf(job_take(job), NULL, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    if (op_status_read(req, ino, size, offset, fi))
        return;
    if (node_is_draft(fs->account, ino)) {
        op_draft_read(req, ino, size, offset, fi);
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, read_run, NULL);

    job->ino = ino;
    job->file = file_of(fi);
    job->size = size;
    job->offset = offset;
    job->by_inode = true;
    read_run(job);
}
