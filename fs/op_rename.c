/* SPDX-License-Identifier: MIT */
/*
 * rename and link.
 *
 * A message that is moved gets a new number from its new mailbox, and the name that was asked for as its written
 * name (naming.h). What is listed there under that name is replaced, unless it may have it by accident: mv
 * INBOX/5.eml Archive/ must not delete Archive's 5.eml, which has nothing to do with it. Within a mailbox nothing
 * but the name changes, of which the server knows nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../imap/mem.h"
#include "attr.h"
#include "copyfind.h"
#include "errmap.h"
#include "naming.h"
#include "node.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_settle.h"
#include "ops.h"
#include "send.h"
#include "write.h"
#include "writetree.h"

#define PROVEN_DONE 1u
#define PROVEN_LISTED 2u
#define PROVEN_REPLACED 4u
#define PROVEN_DEFERRED 8u

#define TREE_PATIENCE 4

/* What of the request is not in struct job. The mailboxes live as long as the account. */
struct request {
    fuse_ino_t parent; /* the new one */
    char name[NAME_SIZE];
    unsigned flags;
    struct mailbox *from, *to;
    struct write_place place;
    struct message message; /* as it was before */
    uint32_t last_uid;      /* of the target, before */
    uint32_t replaced, replaced_id;
    bool nameless;  /* the name stays another one's */
    uint32_t draft; /* that had the name before a message got it */
};

static bool begin(fuse_req_t req, fuse_ino_t ino, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags, job_function *run)
{
    struct fs *fs = ops_fs(req);
    int error = 0;

    if (!fs->read_write)
        error = EROFS;
    else if (strlen(new_name) >= NAME_SIZE || (name && strlen(name) >= NAME_SIZE))
        error = ENAMETOOLONG;
    if (error) {
        fuse_reply_err(req, error);
        return false;
    }
    struct job *job = job_new(fs, fs->jobs, req, run, name);
    struct request *request = imap_xcalloc(1, sizeof(*request));
    request->parent = new_parent;
    request->flags = flags;
    (void)snprintf(request->name, sizeof(request->name), "%s", new_name);
    job->ino = ino;
    job->extra = request;
    job_extend(job, TREE_PATIENCE);
    run(job);
    return true;
}

/* The name now means the message at its new place, which has an inode of its own. False: it goes by its number. */
static bool name_it_locked(struct fs *fs, const struct request *request)
{
    const bool named =
        !request->nameless && request->place.uid &&
        naming_set_locked(request->to, request->place.uidvalidity, request->place.uid, request->name);

    notify_name(fs->notify, request->to, request->name, true);
    return named;
}

/* ---- rename of a message ------------------------------------------------------------------------- */

/* Numbers that agree, or that keep what they were called: neither was chosen to replace the other. */
static bool is_accident(const struct job *job, const struct request *request)
{
    const uint32_t number = name_message_uid(request->name);

    return request->from != request->to && number &&
           (number == request->message.uid || strcmp(job->name, request->name) == 0);
}

static int check_target_locked(const struct job *job, struct request *request)
{
    struct message there;
    const struct draft *draft = op_draft_named_locked(request->to, request->name);

    if (mailbox_child_locked(request->to, request->name))
        return request->flags & RENAME_NOREPLACE ? EEXIST : EISDIR;
    if (!name_is_writable(request->name))
        return EPERM; /* mv takes EINVAL for a directory moved into itself */
    if (draft && (request->flags & RENAME_NOREPLACE || draft_state_locked(draft) == DRAFT_SENDING))
        return request->flags & RENAME_NOREPLACE ? EEXIST : EBUSY;
    if (draft)
        request->draft = draft_number_locked(draft);
    if (!op_message_named_locked(request->to, request->name, &there) ||
        (request->from == request->to && there.uid == request->message.uid))
        return 0;
    if (request->flags & RENAME_NOREPLACE)
        return EEXIST;
    if (!naming_lists_locked(request->to, there.uid, request->name))
        return 0; /* a number that is not its name: it is free */
    if (is_accident(job, request)) {
        request->nameless = true;
        return 0;
    }
    request->replaced = there.uid;
    request->replaced_id = mailbox_message_id_locked(request->to);
    return 0;
}

/* -1: done. What is replaced is deleted before: if that fails, nothing was changed. */
static int name_within_locked(struct job *job, struct request *request)
{
    request->place = (struct write_place){.uidvalidity = mailbox_uidvalidity_locked(request->to),
                                          .uid = request->message.uid};
    if (!request->replaced)
        return name_it_locked(job->fs, request) ? -1 : ENOSPC;
    write_delete_locked(request->to, request->replaced_id, request->replaced, &job->body_wait.wait);
    job_waits_locked(job, PROVEN_DONE | PROVEN_REPLACED);
    return 0;
}

/* Only what replaces nothing is shown before it is done. */
static bool may_defer_locked(const struct job *job, const struct request *request)
{
    return writeback_defers_locked(job->fs->account) && !request->replaced && !request->draft;
}

static int move_locked(struct job *job, struct request *request)
{
    int error = check_target_locked(job, request);
    const bool within = request->from == request->to;

    if (error)
        return error;
    if (!within && may_defer_locked(job, request)) {
        writeback_move_locked(request->from, mailbox_message_id_locked(request->from), request->message.uid,
                              request->to, request->nameless ? NULL : request->name, &job->body_wait.wait);
        job_waits_locked(job, PROVEN_DONE | PROVEN_REPLACED | PROVEN_DEFERRED);
        return 0;
    }
    if ((!within || request->replaced) && !op_settled_locked(job, NULL))
        return 0;
    if (within)
        return name_within_locked(job, request);
    write_move_locked(request->from, mailbox_message_id_locked(request->from), request->message.uid,
                      request->to, &job->body_wait.wait, &request->place);
    job_waits_locked(job, PROVEN_DONE);
    return 0;
}

/* ---- rename of a draft ----------------------------------------------------------------------------- */

static int check_draft_target_locked(const struct draft *draft, struct request *request)
{
    struct imap_error err = {0};
    struct message there;
    const struct draft *other = op_draft_named_locked(request->to, request->name);

    if (draft_check_name(request->name, &err))
        return errmap_errno(&err);
    if (!mailbox_selectable_locked(request->to))
        return EPERM;
    if (mailbox_child_locked(request->to, request->name))
        return request->flags & RENAME_NOREPLACE ? EEXIST : EISDIR;
    if (other)
        return request->flags & RENAME_NOREPLACE ? EEXIST : 0;
    if (!op_message_named_locked(request->to, request->name, &there))
        return 0;
    if (request->flags & RENAME_NOREPLACE)
        return EEXIST;
    if (!naming_lists_locked(request->to, there.uid, request->name))
        return 0; /* a number that is not its name: it is free */
    if (!draft_sends_locked(draft, request->name))
        return EBUSY; /* nothing would take the message's place */
    request->replaced = there.uid;
    request->replaced_id = mailbox_message_id_locked(request->to);
    return 0;
}

/* 0 when it waits; -1 when it is done. */
static int rename_draft_locked(struct job *job, struct request *request, struct draft *draft)
{
    struct account *account = job->fs->account;
    const int error = check_draft_target_locked(draft, request);
    const bool defers = !error && may_defer_locked(job, request);

    if (error)
        return error;
    if (!defers && draft_sends_locked(draft, request->name) && !op_settled_locked(job, NULL))
        return 0;
    const bool done =
        draft_rename_locked(draft, request->to, request->name, defers ? writeback_number_locked(account) : 0,
                            &job->body_wait.wait);
    if (!draft_holds_locked(draft))
        writeback_upload_locked(draft);
    if (done)
        return -1;
    job_waits_locked(job, PROVEN_DONE);
    return 0;
}

/* ---- rename ---------------------------------------------------------------------------------------- */

static int rename_mailbox_locked(struct job *job, struct request *request, struct mailbox *mailbox)
{
    struct message there;

    if (!op_settled_locked(job, NULL))
        return 0;
    if (op_message_named_locked(request->to, request->name, &there))
        return request->flags & RENAME_NOREPLACE ? EEXIST : ENOTDIR;
    if (request->flags & RENAME_NOREPLACE && mailbox_child_locked(request->to, request->name))
        return EEXIST;
    writetree_rename_locked(mailbox, request->to, request->name, &job->body_wait.wait);
    job_waits_locked(job, PROVEN_DONE | PROVEN_REPLACED);
    return 0;
}

static int begin_rename_locked(struct job *job, struct request *request)
{
    struct fs *fs = job->fs;
    struct mailbox *child;
    int error = node_directory_locked(fs->account, job->ino, &request->from);

    if (!error)
        error = node_directory_locked(fs->account, request->parent, &request->to);
    if (error)
        return error;
    request->nameless = false; /* it may be the second time, after a wait */
    request->replaced = request->draft = 0;
    if (op_is_unsettled_locked(request->from, job->name) ||
        op_is_unsettled_locked(request->to, request->name) || writeback_is_full_locked(fs->account)) {
        op_expect_locked(job, request->from, job->name);
        if (!op_settled_locked(job, request->from))
            return 0;
    }
    struct draft *draft = op_draft_named_locked(request->from, job->name);
    if (draft)
        return rename_draft_locked(job, request, draft);
    if (op_message_named_locked(request->from, job->name, &request->message))
        return op_is_expected_locked(job, job->name, &request->message) ? move_locked(job, request) : ENOENT;
    child = mailbox_child_locked(request->from, job->name);
    return child ? rename_mailbox_locked(job, request, child) : ENOENT;
}

/* True when the job waits once more. */
static bool end_rename_locked(struct job *job, struct request *request)
{
    struct draft *draft = draft_by_number_locked(job->fs->account, request->draft);

    if (job->proven & PROVEN_DEFERRED && !request->nameless)
        return false; /* the kernel has the name as it is */
    if (draft)
        (void)!draft_unname_locked(draft);
    request->draft = 0;
    (void)name_it_locked(job->fs, request);
    if (!request->replaced || job->proven & PROVEN_REPLACED)
        return false;
    write_delete_locked(request->to, request->replaced_id, request->replaced, &job->body_wait.wait);
    job_waits_locked(job, PROVEN_REPLACED);
    return true;
}

static void rename_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct request *request = job->extra;
    bool done = false;
    int error = 0;

    account_lock(fs->account);
    if (job->proven & PROVEN_DONE)
        done = !end_rename_locked(job, request);
    else
        error = begin_rename_locked(job, request);
    account_unlock(fs->account);
    if (error > 0)
        job_reply_error(job, error);
    else if (error || done)
        fuse_reply_err(job_take(job), 0);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags)
{
    struct op_maildir_names at = {parent, new_parent, name, new_name, "", ""};

    if (flags & ~(unsigned)RENAME_NOREPLACE)
        fuse_reply_err(req, EINVAL);
    else if (!op_maildir_rename(req, &at))
        (void)begin(req, at.parent, at.name, at.new_parent, at.new_name, flags, rename_run);
}

/* ---- link ----------------------------------------------------------------------------------------------- */

static int begin_link_locked(struct job *job, struct request *request)
{
    struct fs *fs = job->fs;
    struct message there;
    int error = node_message_locked(fs->account, job->ino, &request->from, &request->message);

    if (!error)
        error = node_directory_locked(fs->account, request->parent, &request->to);
    if (error)
        return error;
    if (!name_is_writable(request->name))
        return EPERM; /* mv takes EINVAL for a directory moved into itself */
    if (writeback_hides_locked(request->from,
                               request->message.uid)) /* where it is then it has another inode */
        return op_settled_locked(job, NULL) ? ESTALE : 0;
    if (op_is_coming_locked(request->to, request->name) || mailbox_child_locked(request->to, request->name) ||
        op_draft_named_locked(request->to, request->name) ||
        op_message_named_locked(request->to, request->name, &there))
        return EEXIST;
    request->last_uid = copyfind_last_locked(request->to);
    write_copy_locked(request->from, node_id(job->ino), request->message.uid, request->to,
                      &job->body_wait.wait, &request->place);
    job_waits_locked(job, PROVEN_DONE);
    return 0;
}

/* 0 with *attr_out; EIO: it is there, but nobody knows which it is; -1: the job waits once more. */
static int end_link_locked(struct job *job, struct request *request, struct stat *attr_out)
{
    struct message message;

    if ((!request->place.uid || !mailbox_find_locked(request->to, request->place.uid, &message)) &&
        !(job->proven & PROVEN_LISTED) && !mailbox_fresh_locked(request->to, &job->body_wait.wait)) {
        job_waits_locked(job, PROVEN_LISTED);
        return -1;
    }
    if (!request->place.uid)
        request->place = (struct write_place){
            .uidvalidity = mailbox_uidvalidity_locked(request->to),
            .uid = copyfind_uid_locked(request->to, request->last_uid, &request->message)};
    if (!request->place.uid || !mailbox_find_locked(request->to, request->place.uid, &message))
        return EIO;
    (void)name_it_locked(job->fs, request);
    attr_message(job->fs, mailbox_message_id_locked(request->to), &message, attr_out);
    return 0;
}

static void link_run(struct job *job)
{
    struct fs *fs = job->fs;
    bool done = (job->proven & PROVEN_DONE) != 0;
    struct fuse_entry_param entry;
    struct stat attr;
    int error;

    account_lock(fs->account);
    if (done)
        error = end_link_locked(job, job->extra, &attr);
    else
        error = begin_link_locked(job, job->extra);
    account_unlock(fs->account);
    if (error > 0) {
        job_reply_error(job, error);
    } else if (done && !error) {
        entry = op_entry_of(&attr);
        entry.entry_timeout = fs->absent_seconds;
        fuse_reply_entry(job_take(job), &entry);
    }
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
    if (ops_fs(req)->read_write &&
        (!node_uid(ino) || node_is_draft(ops_fs(req)->account, ino) || ops_fs(req)->maildir))
        fuse_reply_err(req, EPERM);
    else
        (void)begin(req, ino, NULL, new_parent, new_name, 0, link_run);
}
