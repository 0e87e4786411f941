/* SPDX-License-Identifier: MIT */
#include "op_settle.h"

#include "attr.h"
#include "naming.h"
#include "op_draft.h"

bool op_settled_locked(struct job *job, struct mailbox *mailbox)
{
    struct wait *wait = &job->body_wait.wait;

    if (!(job->proven & PROVEN_SETTLED) && !writeback_settled_locked(job->fs->account, wait)) {
        job_waits_locked(job, PROVEN_SETTLED);
        return false;
    }
    if (mailbox && !(job->proven & PROVEN_LISTED_AFTER) && !mailbox_fresh_locked(mailbox, wait)) {
        job_waits_locked(job, PROVEN_SETTLED | PROVEN_LISTED_AFTER);
        return false;
    }
    return true;
}

bool op_synced_locked(struct job *job)
{
    if (job->proven & PROVEN_SYNCED || writeback_synced_locked(job->fs->account, &job->body_wait.wait))
        return true;
    job_waits_locked(job, PROVEN_SYNCED);
    return false;
}

bool op_is_coming_locked(const struct mailbox *mailbox, const char *name)
{
    struct coming coming;

    return writeback_coming_locked(mailbox, name, &coming);
}

static bool is_being_sent_locked(const struct mailbox *mailbox, const char *name)
{
    const struct draft *draft = op_draft_named_locked(mailbox, name);

    return draft && draft_promise_locked(draft) && draft_state_locked(draft) == DRAFT_SENDING;
}

static bool is_early_locked(const struct mailbox *mailbox, const char *name)
{
    const uint32_t uid = name_message_uid(name) ? 0 : naming_uid_locked(mailbox, name);
    struct message message;

    return uid && !mailbox_find_locked(mailbox, uid, &message);
}

bool op_is_unsettled_locked(const struct mailbox *mailbox, const char *name)
{
    return op_is_coming_locked(mailbox, name) || is_being_sent_locked(mailbox, name) ||
           is_early_locked(mailbox, name);
}

void op_expect_locked(struct job *job, const struct mailbox *mailbox, const char *name)
{
    const struct draft *draft = op_draft_named_locked(mailbox, name);
    struct message message;
    struct coming coming;

    if (job->expects)
        return; /* it is the second time */
    if (draft) {
        job->expects = true;
        job->expected_date = draft_mtime_locked(draft).tv_sec;
    } else if (writeback_coming_locked(mailbox, name, &coming) &&
               mailbox_find_locked(coming.from, coming.uid, &message)) {
        job->expects = true;
        job->expected_date = message.date.unix_seconds;
    }
}

bool op_is_expected_locked(const struct job *job, const char *name, const struct message *message)
{
    return !job->expects || !name_message_uid(name) || message->date.unix_seconds == job->expected_date;
}

/* Nothing of it is kept: it is another inode at any moment. */
bool op_coming_entry_locked(const struct fs *fs, const struct coming *coming,
                            struct fuse_entry_param *entry_out)
{
    struct message message;
    struct stat attr;

    if (!mailbox_find_locked(coming->from, coming->uid, &message))
        return false;
    attr_message(fs, mailbox_message_id_locked(coming->from), &message, &attr);
    *entry_out = (struct fuse_entry_param){.ino = attr.st_ino, .attr = attr};
    return true;
}

static void sync_run(struct job *job)
{
    struct account *account = job->fs->account;

    account_lock(account);
    const bool done = op_synced_locked(job);
    account_unlock(account);
    if (done)
        fuse_reply_err(job_take(job), 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    (void)ino;
    (void)datasync;
    (void)fi;
    sync_run(job_new(fs, fs->jobs, req, sync_run, NULL));
}
