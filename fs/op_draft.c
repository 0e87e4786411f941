/* SPDX-License-Identifier: MIT */
/*
 * The kernel keeps nothing of a draft's name and attributes, unless it is local: it may be a message at any moment, and
 * have another number then. What it keeps of the bytes is right, as all that changes them comes by it.
 */
#include "op_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "draftcopy.h"
#include "errmap.h"
#include "flagtext.h"
#include "naming.h"
#include "node.h"
#include "op_maildir.h"
#include "op_settle.h"
#include "send.h"

#define PROVEN_SENT 1u
#define LOCAL_SECONDS 10.0
#define SLOWEST_LINE (UINT64_C(64) << 10) /* octets a second: who uploads more slowly runs out of time */
#define PF_EXITING 4u                     /* linux/sched.h */

struct handle {
    struct draft *draft;
    bool wrote; /* since it was closed last, by whoever shares it; guarded by the account lock */
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

/* Under its own name; a number that merely leads to it as well is free to be written. */
static bool is_message_locked(const struct mailbox *mailbox, const char *name)
{
    struct message message;

    return op_message_named_locked(mailbox, name, &message) &&
           naming_lists_locked(mailbox, message.uid, name);
}

struct draft *op_draft_named_locked(const struct mailbox *mailbox, const char *name)
{
    return is_message_locked(mailbox, name) ? NULL : draft_find_locked(mailbox, name);
}

/* ---- attributes -------------------------------------------------------------------------------- */

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

/* One with a local name becomes a message by no other way than a rename of the kernel's own. */
static double seconds_kept_locked(const struct draft *draft)
{
    return draft_name_is_local(draft_file_name_locked(draft)) ? LOCAL_SECONDS : 0.0;
}

struct fuse_entry_param op_draft_entry_locked(const struct fs *fs, const struct draft *draft)
{
    const double seconds = seconds_kept_locked(draft);
    struct fuse_entry_param entry = {.attr_timeout = seconds, .entry_timeout = seconds};

    attr_draft_locked(fs, draft, &entry.attr);
    entry.ino = entry.attr.st_ino;
    return entry;
}

void op_draft_getattr(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = ops_fs(req);
    struct draft *draft;
    struct stat attr;
    double seconds = 0.0;

    account_lock(fs->account);
    const int error = find_locked(fs->account, ino, &draft);
    if (!error) {
        attr_draft_locked(fs, draft, &attr);
        seconds = seconds_kept_locked(draft);
    }
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &attr, seconds);
}

static void wrote_locked(struct handle *handle)
{
    if (!handle->wrote)
        draft_writer_locked(handle->draft, 1);
    handle->wrote = true;
}

bool op_draft_copy_locked(const struct fuse_file_info *fi, struct mailbox *mailbox,
                          const struct message *message)
{
    if (!draftcopy_begin_locked(handle_of(fi)->draft, mailbox, message))
        return false;
    wrote_locked(handle_of(fi));
    return true;
}

/* By the handle, whose closing sends what is left, or by name, of what could not be sent before. */
static int set_size(struct fs *fs, struct draft *draft, uint64_t size, const struct fuse_file_info *fi)
{
    int error = draft_open(draft);

    if (!error)
        error = draft_truncate(draft, size);
    account_lock(fs->account);
    if (!error && fi && fi->fh)
        wrote_locked(handle_of(fi));
    draft_close_locked(draft);
    account_unlock(fs->account);
    return error;
}

static void setattr_again(fuse_req_t req, struct op_again *again)
{
    op_draft_setattr(req, again->ino, &again->attr, again->to_set, again->has_fi ? &again->fi : NULL);
}

/* It was closed, and will be what it is a copy of: for everybody that is a message already. */
static bool is_settled_copy_locked(const struct draft *draft)
{
    return draft_promise_locked(draft) && draftcopy_is_hollow_locked(draft);
}

/* Mode and owner are what they are; to say otherwise does no harm, so cp -p and rsync go on. */
void op_draft_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set,
                      struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct draft *draft;
    struct op_again again = {.begin = setattr_again, .ino = ino, .attr = *attr, .to_set = to_set};

    again.has_fi = fi != NULL;
    if (fi)
        again.fi = *fi;
    if (to_set & FUSE_SET_ATTR_SIZE && op_copy_waits(req, &again))
        return;
    account_lock(fs->account);
    int error = find_locked(fs->account, ino, &draft);
    if (!error && to_set & FUSE_SET_ATTR_SIZE)
        draft_hold_locked(draft);
    account_unlock(fs->account);
    if (!error && to_set & FUSE_SET_ATTR_SIZE)
        error = set_size(fs, draft, (uint64_t)attr->st_size, fi);
    if (error) {
        fuse_reply_err(req, error);
        return;
    }
    account_lock(fs->account);
    error = find_locked(fs->account, ino, &draft);
    if (!error && to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
        struct timespec mtime = attr->st_mtim;

        if (to_set & FUSE_SET_ATTR_MTIME_NOW)
            clock_gettime(CLOCK_REALTIME, &mtime);
        if (!is_settled_copy_locked(draft))
            draft_set_mtime_locked(draft, mtime);
        else if (mtime.tv_sec != draft_mtime_locked(draft).tv_sec)
            error = EPERM;
    }
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    else
        op_draft_getattr(req, ino);
}

/* ---- flags ------------------------------------------------------------------------------------- */

int op_draft_flags(struct fs *fs, fuse_ino_t ino, char *text_out, size_t size)
{
    struct draft *draft;

    account_lock(fs->account);
    const int error = find_locked(fs->account, ino, &draft);
    if (!error)
        (void)snprintf(text_out, size, "%s", draft_flags_locked(draft));
    account_unlock(fs->account);
    return error;
}

int op_draft_set_flags(struct fs *fs, fuse_ino_t ino, const char *text)
{
    struct flagtext wanted;
    struct draft *draft;
    int error = flagtext_parse(text, strlen(text), &wanted);

    account_lock(fs->account);
    if (!error)
        error = find_locked(fs->account, ino, &draft);
    if (!error && (draft_state_locked(draft) == DRAFT_SENDING || is_settled_copy_locked(draft)))
        error = EBUSY;
    if (!error)
        draft_set_flags_locked(draft, wanted.how, &wanted.flags);
    account_unlock(fs->account);
    flagtext_fini(&wanted);
    return error;
}

/* ---- create ------------------------------------------------------------------------------------ */

static int may_create_locked(struct account *account, fuse_ino_t parent, const char *name,
                             struct mailbox **mailbox_out)
{
    const int error = node_directory_locked(account, parent, mailbox_out);

    if (error)
        return error;
    if (!mailbox_selectable_locked(*mailbox_out))
        return EPERM; /* only a directory: it holds no messages */
    if (draft_find_locked(*mailbox_out, name) || mailbox_child_locked(*mailbox_out, name) ||
        is_message_locked(*mailbox_out, name) || op_is_coming_locked(*mailbox_out, name))
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
        *entry_out = op_draft_entry_locked(fs, draft);
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
    if (handle->wrote)
        draft_writer_locked(handle->draft, -1);
    if (draft_holds_locked(handle->draft) == 1) /* nobody can write on */
        writeback_upload_locked(handle->draft);
    draft_close_locked(handle->draft);
    account_unlock(fs->account);
    free(handle);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct handle *handle;
    struct fuse_entry_param entry;
    char flat[NAME_SIZE];

    (void)mode;
    if (op_maildir_create(req, &parent, &name, flat))
        return;
    if (!drafts_id(fs->account)) {
        fuse_reply_err(req, EROFS);
        return;
    }
    handle = imap_xcalloc(1, sizeof(*handle));
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

/* ---- open, read, write ------------------------------------------------------------------------- */

static void open_again(fuse_req_t req, struct op_again *again)
{
    op_draft_open(req, again->ino, &again->fi);
}

void op_draft_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    const struct op_again again = {.begin = open_again, .ino = ino, .fi = *fi};

    if (fi->flags & O_TRUNC && op_copy_waits(req, &again))
        return;
    struct handle *handle = imap_xcalloc(1, sizeof(*handle));
    account_lock(fs->account);
    int error = find_locked(fs->account, ino, &handle->draft);
    if (!error)
        draft_hold_locked(handle->draft);
    account_unlock(fs->account);
    if (error) {
        free(handle);
        fuse_reply_err(req, error);
        return;
    }
    error = draft_open(handle->draft);
    if (!error && fi->flags & O_TRUNC)
        error = draft_truncate(handle->draft, 0);
    fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY; /* closing it sends nothing */
    if (!error && fi->flags & O_TRUNC) {
        account_lock(fs->account);
        wrote_locked(handle);
        account_unlock(fs->account);
    }
    fi->fh = (uintptr_t)handle;
    if (error) {
        handle_free(fs, handle);
        fuse_reply_err(req, error);
    } else if (fuse_reply_open(req, fi) != 0) {
        handle_free(fs, handle);
    }
}

static void read_again(fuse_req_t req, struct op_again *again)
{
    op_draft_read(req, again->ino, again->size, again->offset, &again->fi);
}

void op_draft_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    const struct op_again again = {
        .begin = read_again, .ino = ino, .size = size, .offset = offset, .fi = *fi};

    if (op_copy_waits(req, &again))
        return;
    char *buffer = ops_buffer(size);
    const ssize_t n =
        buffer ? draft_read(handle_of(fi)->draft, buffer, size, (uint64_t)offset) : -(ssize_t)ENOMEM;

    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, buffer, (size_t)n);
}

static void write_again(fuse_req_t req, struct op_again *again)
{
    op_write(req, again->ino, again->data, again->size, again->offset, &again->fi);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    const struct op_again again = {
        .begin = write_again, .ino = ino, .data = (char *)data, .size = size, .offset = offset, .fi = *fi};

    if (!node_is_draft(fs->account, ino)) {
        fuse_reply_err(req, EBADF); /* a message is not opened for writing */
        return;
    }
    if (op_copy_waits(req, &again))
        return;
    const ssize_t n = draft_write(handle_of(fi)->draft, data, size, (uint64_t)offset);
    if (n < 0) {
        fuse_reply_err(req, (int)-n);
        return;
    }
    account_lock(fs->account);
    wrote_locked(handle_of(fi));
    account_unlock(fs->account);
    fuse_reply_write(req, (size_t)n);
}

/* ---- close ------------------------------------------------------------------------------------- */

/* True when there is nothing to wait for. */
static bool send_locked(struct job *job, struct draft *draft, bool sync)
{
    struct account *account = job->fs->account;
    struct wait *wait = &job->body_wait.wait;

    /* It is saved in a moment, when it is let go of: rsync renames it right away, and waits for that. */
    if (!sync && writeback_defers_locked(account) && draft_name_is_local(draft_file_name_locked(draft)))
        return true;
    if (draft_name_is_local(draft_file_name_locked(draft)))
        return draft_save_locked(draft, sync, wait);
    if (!sync && writeback_defers_locked(account) && draftcopy_is_exact_locked(draft))
        return job->fs->maildir ? draft_send_locked(draft, wait) : writeback_copy_locked(draft, wait);
    if (!sync && writeback_defers_locked(account))
        return draft_post_locked(draft, writeback_number_locked(account), wait);
    return draft_send_locked(draft, wait);
}

static void send_run(struct job *job)
{
    struct fs *fs = job->fs;
    const bool sync = job->size != 0;
    bool done = (job->proven & PROVEN_SENT) != 0;
    struct draft *draft;

    account_lock(fs->account);
    if (!done && ((sync && !op_synced_locked(job)) ||
                  (writeback_is_full_locked(fs->account) && !op_settled_locked(job, NULL)))) {
        account_unlock(fs->account);
        return;
    }
    if (!done) {
        done = find_locked(fs->account, job->ino, &draft) != 0 || send_locked(job, draft, sync);
        if (!done)
            job_waits_locked(job, PROVEN_SENT);
    }
    account_unlock(fs->account);
    if (done)
        fuse_reply_err(job_take(job), 0);
}

static void send_draft(fuse_req_t req, fuse_ino_t ino, uint64_t size, bool sync);

static void send_again(fuse_req_t req, struct op_again *again)
{
    send_draft(req, again->ino, again->size, again->to_set);
}

/* sync: a local one is to outlive a power cut. */
static void send_draft(fuse_req_t req, fuse_ino_t ino, uint64_t size, bool sync)
{
    struct fs *fs = ops_fs(req);
    const struct op_again again = {.begin = send_again, .ino = ino, .size = size, .to_set = sync};
    struct draft *draft;

    account_lock(fs->account);
    const bool exact = !find_locked(fs->account, ino, &draft) && draftcopy_is_exact_locked(draft);
    account_unlock(fs->account);
    if (!exact && op_copy_waits(req, &again))
        return;
    struct job *job = job_new(fs, fs->jobs, req, send_run, NULL);

    job->ino = ino;
    job->size = sync;
    job_extend(job, 1 + (unsigned)(size / SLOWEST_LINE / 60));
    send_run(job);
}

/* Whoever is killed amid his writing closes his files as well, and half a message is not to be sent. */
static bool is_being_killed(pid_t pid)
{
    char path[40];
    char line[1024];
    unsigned flags = 0;
    unsigned exit_code = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (!file)
        return false;
    line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
    (void)fclose(file);
    /* proc(5): the command is the 2nd field and may hold anything; flags the 9th, exit_code the last one */
    const char *rest = strrchr(line, ')');
    const char *last = strrchr(line, ' ');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || !last)
        return false;
    exit_code = (unsigned)strtoul(last, NULL, 10);
    return flags & PF_EXITING && exit_code & 0x7f;
}

void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct handle *handle = handle_of(fi);
    bool wrote = false;
    bool killed = false;
    uint64_t size = 0;

    if (node_is_draft(fs->account, ino)) {
        killed = is_being_killed(fuse_req_ctx(req)->pid);
        account_lock(fs->account);
        wrote = handle->wrote;
        size = draft_size_locked(handle->draft);
        if (wrote)
            draft_writer_locked(handle->draft, -1);
        if (wrote && killed)
            draft_spoil_locked(handle->draft);
        handle->wrote = false;
        account_unlock(fs->account);
    }
    if (wrote && !killed)
        send_draft(req, ino, size, false);
    else
        fuse_reply_err(req, 0);
}

/* The handle may have been opened for reading, or the bytes be another one's: all of them are meant. */
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    if (!node_is_draft(fs->account, ino)) {
        op_fsyncdir(req, ino, datasync, fi);
        return;
    }
    account_lock(fs->account);
    writeback_upload_locked(handle_of(fi)->draft);
    const uint64_t size = draft_size_locked(handle_of(fi)->draft);
    account_unlock(fs->account);
    send_draft(req, ino, size, true);
}

void op_draft_release(fuse_req_t req, struct fuse_file_info *fi)
{
    handle_free(ops_fs(req), handle_of(fi));
    fuse_reply_err(req, 0);
}
