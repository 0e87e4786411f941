/* SPDX-License-Identifier: MIT */
/*
 * Directories of the Maildir layout. Offsets as in op_dir.c, and in its order: "." is 1, ".." 2, the three 3 to 5, a
 * child 2^32 + dir_id, a draft 2^33 + its number, a message 2^60 + UID.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "naming.h"
#include "node.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_settle.h"

#define CHILDREN_BASE ((off_t)1 << 32)
#define DRAFTS_BASE ((off_t)1 << 33)
#define MESSAGES_BASE ((off_t)1 << 60)
#define SUBS_BASE 2

#define PROVEN_MAILBOX 1u

#define LISTING_PATIENCE 4 /* a first listing may have to fetch a line for each message */
#define AT_ONCE                                                                                              \
    10000u /* messages that are looked at under one hold of the lock; most may be of the other directory */
#define REPLY_MAX (256UL * 1024)

/* Which of the three job->ino is, when its mailbox's listing is whole and fresh, of which tmp shows nothing. Else the job has been replied to (0),
 * or waits (-1) and is not the caller's any more; in both cases the lock has been let go. */
static int proven_sub_locked(struct job *job, bool known_is_enough, struct mailbox **mailbox_out)
{
    struct account *account = job->fs->account;
    const enum maildir_sub sub = op_maildir_sub_locked(account, job->ino, mailbox_out);

    if (!sub) {
        account_unlock(account);
        job_reply_error(job, ESTALE);
        return 0;
    }
    if (sub == MAILDIR_TMP || job->proven & PROVEN_MAILBOX ||
        (known_is_enough && mailbox_known_locked(*mailbox_out)) ||
        mailbox_fresh_locked(*mailbox_out, &job->body_wait.wait))
        return (int)sub;
    job_waits_locked(job, PROVEN_MAILBOX);
    account_unlock(account);
    return -1;
}

/* ---- lookup ------------------------------------------------------------------------------------------- */

static struct fuse_entry_param entry_of_sub_locked(const struct fs *fs, struct mailbox *mailbox,
                                                   enum maildir_sub sub)
{
    struct fuse_entry_param entry = {.entry_timeout = OPS_CACHE_SECONDS};

    attr_sub_locked(fs, mailbox, sub, &entry.attr);
    entry.ino = entry.attr.st_ino;
    return entry;
}

static struct fuse_entry_param entry_of_message_locked(const struct fs *fs, const struct mailbox *mailbox,
                                                       const struct message *message)
{
    struct stat attr;

    attr_message(fs, mailbox_message_id_locked(mailbox), message, &attr);
    struct fuse_entry_param entry = op_entry_of(&attr);
    entry.entry_timeout = 0;
    return entry;
}

static void lookup_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct fuse_entry_param entry = {0};
    struct mailbox *mailbox;
    struct message message;
    char flat[NAME_SIZE];

    account_lock(fs->account);
    int sub = proven_sub_locked(job, true, &mailbox);
    if (sub <= 0)
        return;
    const bool fits = maildir_flat((enum maildir_sub)sub, job->name, flat);
    const struct draft *draft = fits ? op_draft_named_locked(mailbox, flat) : NULL;
    if (draft) {
        entry = op_draft_entry_locked(fs, draft);
    } else if (fits && op_message_named_locked(mailbox, flat, &message)) {
        entry = entry_of_message_locked(fs, mailbox, &message);
    } else if (fits && naming_uid_locked(mailbox, flat)) { /* it was written here, and is not listed yet */
        sub = proven_sub_locked(job, false, &mailbox);
        if (sub <= 0)
            return;
    }
    account_unlock(fs->account);
    if (fits)
        fuse_reply_entry(job_take(job), &entry);
    else
        job_reply_error(job, ENAMETOOLONG);
}

bool op_maildir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = ops_fs(req);
    struct fuse_entry_param entry = {0};
    struct mailbox *mailbox;

    if (!fs->maildir)
        return false;
    account_lock(fs->account);
    const bool within = op_maildir_sub_locked(fs->account, parent, &mailbox) != MAILDIR_NONE;
    const enum maildir_sub sub = within ? MAILDIR_NONE : maildir_sub(name);
    const bool shown = sub && node_directory_locked(fs->account, parent, &mailbox) == 0 &&
                       mailbox_selectable_locked(mailbox);
    if (shown)
        entry = entry_of_sub_locked(fs, mailbox, sub);
    account_unlock(fs->account);
    if (shown)
        fuse_reply_entry(req, &entry);
    if (!within)
        return shown;
    struct job *job = job_new(fs, fs->jobs, req, lookup_run, name);
    job->ino = parent;
    job_extend(job, LISTING_PATIENCE);
    lookup_run(job);
    return true;
}

/* ---- getattr, opendir ----------------------------------------------------------------------------------- */

/* Who sees the time that he saw before does not look into it, so it must be the time of a fresh listing. */
static void getattr_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *mailbox;
    struct stat attr;

    account_lock(fs->account);
    const int sub = proven_sub_locked(job, false, &mailbox);
    if (sub <= 0)
        return;
    attr_sub_locked(fs, mailbox, (enum maildir_sub)sub, &attr);
    account_unlock(fs->account);
    fuse_reply_attr(job_take(job), &attr, 0);
}

bool op_maildir_getattr(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = ops_fs(req);

    if (!op_maildir_is_sub(fs, ino))
        return false;
    struct job *job = job_new(fs, fs->jobs, req, getattr_run, NULL);
    job->ino = ino;
    job_extend(job, LISTING_PATIENCE);
    getattr_run(job);
    return true;
}

static void opendir_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct fuse_file_info fi = job->fi;
    struct mailbox *mailbox;

    account_lock(fs->account);
    if (!(fi.flags & O_DIRECTORY) && !op_synced_locked(job)) { /* as in op_dir.c */
        account_unlock(fs->account);
        return;
    }
    if (proven_sub_locked(job, false, &mailbox) <= 0)
        return;
    fi.fh = mailbox_message_id_locked(mailbox);
    account_unlock(fs->account);
    fuse_reply_open(job_take(job), &fi);
}

bool op_maildir_opendir(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    if (!op_maildir_is_sub(fs, ino))
        return false;
    struct job *job = job_new(fs, fs->jobs, req, opendir_run, NULL);
    job->ino = ino;
    job->fi = *fi;
    job_extend(job, LISTING_PATIENCE);
    opendir_run(job);
    return true;
}

/* ---- readdir ---------------------------------------------------------------------------------------------- */

struct page {
    fuse_req_t req;
    struct fs *fs;
    struct mailbox *mailbox;
    enum maildir_sub sub; /* of the mailbox, or the mailbox itself */
    char *bytes;
    size_t size, used;
    bool plus;
    bool more; /* it goes on in the same page */
};

/* False when it does not fit any more. An entry without an inode is no node for the kernel, only a name. */
static bool add(struct page *page, const char *name, const struct fuse_entry_param *entry, off_t offset)
{
    const size_t room = page->size - page->used;
    char *at = page->bytes + page->used;
    const size_t need = page->plus ? fuse_add_direntry_plus(page->req, at, room, name, entry, offset)
                                   : fuse_add_direntry(page->req, at, room, name, &entry->attr, offset);

    if (need > room)
        return false;
    page->used += need;
    return true;
}

static bool add_dots(struct page *page, off_t offset)
{
    struct fs *fs = page->fs;
    struct mailbox *parent = mailbox_parent(page->mailbox);
    const fuse_ino_t own = node_of_directory(fs->account, page->mailbox);
    struct fuse_entry_param here = {.attr = {.st_ino = own, .st_mode = S_IFDIR}};
    struct fuse_entry_param above = here;

    if (page->sub)
        here.attr.st_ino = node_number(mailbox_dir_id(page->mailbox), page->sub);
    else if (parent && own != FUSE_ROOT_ID)
        above.attr.st_ino = node_of_directory(fs->account, parent);
    if (offset < 1 && !add(page, ".", &here, 1))
        return false;
    return offset >= 2 || add(page, "..", &above, 2);
}

static bool add_subs(struct page *page, off_t offset)
{
    if (!mailbox_selectable_locked(page->mailbox))
        return true;
    for (unsigned sub = MAILDIR_CUR; sub <= MAILDIR_SUBS; sub++) {
        const struct fuse_entry_param entry = entry_of_sub_locked(page->fs, page->mailbox, sub);

        if (offset < SUBS_BASE + (off_t)sub &&
            !add(page, maildir_sub_name(sub), &entry, SUBS_BASE + (off_t)sub))
            return false;
    }
    return true;
}

static bool add_children(struct page *page, off_t offset)
{
    uint32_t after = offset > CHILDREN_BASE ? (uint32_t)(offset - CHILDREN_BASE) : 0;
    struct mailbox *child;
    struct stat attr;

    while ((child = mailbox_next_child_locked(page->mailbox, after))) {
        after = mailbox_dir_id(child);
        attr_directory_locked(page->fs, child, &attr);
        const struct fuse_entry_param entry = op_entry_of(&attr);
        if (!add(page, mailbox_file_name(child), &entry, CHILDREN_BASE + after))
            return false;
    }
    return true;
}

/* *offset goes on to where it stopped: the page is full, or the lock was held long enough. */
static bool add_messages(struct page *page, off_t *offset)
{
    uint32_t after = *offset > MESSAGES_BASE ? (uint32_t)(*offset - MESSAGES_BASE) : 0;
    struct message message;
    char flat[NAME_SIZE];
    size_t hint = 0;

    for (unsigned looked_at = 0; mailbox_next_locked(page->mailbox, after, &hint, &message); looked_at++) {
        if (looked_at == AT_ONCE) {
            page->more = true;
            return false;
        }
        if (maildir_sub_of_locked(page->mailbox, &message) == page->sub &&
            !writeback_hides_locked(page->mailbox, message.uid)) {
            maildir_file_locked(page->mailbox, &message, flat);
            struct fuse_entry_param entry = entry_of_message_locked(page->fs, page->mailbox, &message);
            entry.ino = 0; /* it would have to be looked up again all the same */
            if (!add(page, flat + 4, &entry, MESSAGES_BASE + message.uid))
                return false;
        }
        after = message.uid;
        *offset = MESSAGES_BASE + after;
    }
    return true;
}

static bool add_drafts(struct page *page, off_t offset)
{
    uint32_t after = offset > DRAFTS_BASE ? (uint32_t)(offset - DRAFTS_BASE) : 0;
    const struct draft *draft;

    while ((draft = draft_next_locked(page->mailbox, after))) {
        const char *name = draft_file_name_locked(draft);
        const bool within = strchr(name, '/') != NULL;
        struct fuse_entry_param entry = op_draft_entry_locked(page->fs, draft);

        after = draft_number_locked(draft);
        if (within != (page->sub != MAILDIR_NONE) ||
            (within && strncmp(name, maildir_sub_name(page->sub), 3) != 0))
            continue;
        if (op_draft_named_locked(page->mailbox, name) &&
            !add(page, within ? name + 4 : name, &entry, DRAFTS_BASE + after))
            return false;
    }
    return true;
}

static void fill(struct page *page, off_t *offset)
{
    if (*offset < DRAFTS_BASE && !add_dots(page, *offset))
        return;
    if (*offset < DRAFTS_BASE && !page->sub && (!add_subs(page, *offset) || !add_children(page, *offset)))
        return;
    if (*offset < MESSAGES_BASE && !add_drafts(page, *offset))
        return;
    if (page->sub == MAILDIR_CUR || page->sub == MAILDIR_NEW)
        (void)add_messages(page, offset);
}

/* 0 or an errno. */
static int fill_at(struct page *page, fuse_ino_t ino, off_t *offset, uint64_t message_id)
{
    struct account *account = page->fs->account;
    int error = 0;

    account_lock(account);
    page->more = false;
    page->sub = op_maildir_sub_locked(account, ino, &page->mailbox);
    if (!page->sub)
        error = node_uid(ino) ? ESTALE : node_directory_locked(account, ino, &page->mailbox);
    if (!error && page->sub != MAILDIR_TMP && mailbox_message_id_locked(page->mailbox) != message_id)
        error = ESTALE; /* half of one mailbox and half of its successor is no listing */
    if (!error)
        fill(page, offset);
    account_unlock(account);
    return error;
}

bool op_maildir_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, uint64_t message_id,
                        bool plus)
{
    struct fs *fs = ops_fs(req);
    struct page page = {.req = req, .fs = fs, .size = size < REPLY_MAX ? size : REPLY_MAX, .plus = plus};
    int error;

    if (!fs->maildir)
        return false;
    page.bytes = malloc(page.size);
    if (!page.bytes) {
        fuse_reply_err(req, ENOMEM);
        return true;
    }
    do
        error = fill_at(&page, ino, &offset, message_id);
    while (!error && page.more);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, page.bytes, page.used);
    free(page.bytes);
    return true;
}
