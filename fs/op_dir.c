/* SPDX-License-Identifier: MIT */
/*
 * Directories. Offsets: "." is 1, ".." 2, a child 2^32 + dir_id, a draft 2^33 + its number, a message on its way
 * here 2^34 + its number, a message 2^60 + UID. They rise, and an entry's offset is where the listing goes on after it, so
 * it stays right while messages come and go. What may become a message is listed before messages are: should that happen
 * between two pages it is listed twice, and not at all the other way round.
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
#include "op_status.h"
#include "ops.h"

#define CHILDREN_BASE ((off_t)1 << 32)
#define DRAFTS_BASE ((off_t)1 << 33)
#define COMING_BASE ((off_t)1 << 34)
#define MESSAGES_BASE ((off_t)1 << 60)

#define PROVEN_TREE 1u
#define PROVEN_MAILBOX 2u

#define LISTING_PATIENCE 4 /* a first listing may have to fetch a line for each message */
#define REPLY_MAX (256UL * 1024)
#define RECENT_MS 2000

/* True when it is fresh or was waited for; else the job waits and is not the caller's any more once the
 * lock is let go. */
static bool tree_fresh_locked(struct job *job)
{
    if (job->proven & PROVEN_TREE || account_tree_fresh_locked(job->fs->account, &job->body_wait.wait))
        return true;
    job_waits_locked(job, PROVEN_TREE);
    return false;
}

static bool mailbox_proven_locked(struct job *job, struct mailbox *mailbox)
{
    if (job->proven & PROVEN_MAILBOX || mailbox_fresh_locked(mailbox, &job->body_wait.wait))
        return true;
    job_waits_locked(job, PROVEN_MAILBOX);
    return false;
}

/* ---- lookup ------------------------------------------------------------------------------------ */

struct fuse_entry_param op_entry_of(const struct stat *attr)
{
    return (struct fuse_entry_param){
        .ino = attr->st_ino,
        .attr = *attr,
        .attr_timeout = OPS_CACHE_SECONDS,
        .entry_timeout = OPS_CACHE_SECONDS,
    };
}

bool op_message_named_locked(const struct mailbox *mailbox, const char *name, struct message *message_out)
{
    const uint32_t uid = naming_uid_locked(mailbox, name);

    return uid && mailbox_find_locked(mailbox, uid, message_out) && !writeback_hides_locked(mailbox, uid);
}

/* A UID that was passed over never comes to be; one that is there, but goes by another name, is told of when that
 * changes. (The name of one aside may also come with a directory that takes another's name.) */
static bool is_certain(const struct mailbox *mailbox, const char *name)
{
    const uint32_t number = name_message_uid(name);
    const uint32_t uid = naming_uid_locked(mailbox, name);
    struct message later;
    size_t hint = 0;

    return !uid || (uid == number && mailbox_next_locked(mailbox, uid, &hint, &later));
}

/* A name that may yet come is absent for a while only. */
static struct fuse_entry_param absent_message_locked(struct fs *fs, struct mailbox *mailbox, const char *name)
{
    const uint32_t number = name_message_uid(name);
    struct fuse_entry_param entry = {.entry_timeout = fs->absent_seconds};

    if (name_message_uid_aside(name))
        entry.entry_timeout = 0.0; /* nor does anybody tell when it comes */
    else if (is_certain(mailbox, name))
        entry.entry_timeout = OPS_CACHE_SECONDS;
    if (number)
        notify_told_absent(fs->notify, mailbox, number);
    return entry;
}

/* What has changed since is our own doing: who writes a thousand messages asks for each name before, and each lot that
 * arrives makes the mailbox one to be listed anew. */
static bool is_recent_locked(const struct job *job, const struct mailbox *mailbox)
{
    return writeback_defers_locked(job->fs->account) && mailbox_was_fresh_locked(mailbox, RECENT_MS);
}

enum answer { ANSWER_ENTRY, ANSWER_ERROR, ANSWER_WAITS };

static enum answer find_message_locked(struct job *job, struct mailbox *mailbox,
                                       struct fuse_entry_param *entry_out)
{
    struct message message;
    struct stat attr;

    if (!mailbox_known_locked(mailbox) && !mailbox_proven_locked(job, mailbox))
        return ANSWER_WAITS;
    if (!op_message_named_locked(mailbox, job->name, &message)) {
        if (!is_certain(mailbox, job->name) && !is_recent_locked(job, mailbox) &&
            !mailbox_proven_locked(job, mailbox))
            return ANSWER_WAITS;
        *entry_out = absent_message_locked(job->fs, mailbox, job->name);
        return ANSWER_ENTRY;
    }
    attr_message(job->fs, mailbox_message_id_locked(mailbox), &message, &attr);
    *entry_out = op_entry_of(&attr);
    if (name_message_uid_aside(job->name) && !naming_lists_locked(mailbox, message.uid, job->name))
        entry_out->entry_timeout = 0.0; /* nobody tells when it goes */
    return ANSWER_ENTRY;
}

static enum answer find_child_locked(struct job *job, struct mailbox *mailbox,
                                     struct fuse_entry_param *entry_out)
{
    struct mailbox *child = mailbox_child_locked(mailbox, job->name);
    struct stat attr;

    if (!child || mailbox_gone_locked(child)) {
        if (!tree_fresh_locked(job))
            return ANSWER_WAITS;
        *entry_out = (struct fuse_entry_param){.entry_timeout = job->fs->absent_seconds};
        return ANSWER_ENTRY;
    }
    attr_directory_locked(job->fs, child, &attr);
    *entry_out = op_entry_of(&attr);
    return ANSWER_ENTRY;
}

static void lookup_run(struct job *job)
{
    struct account *account = job->fs->account;
    struct fuse_entry_param entry;
    struct mailbox *mailbox;
    struct coming coming;
    enum answer answer = ANSWER_ERROR;

    account_lock(account);
    int error = node_directory_locked(account, job->ino, &mailbox);
    const struct draft *draft = error ? NULL : op_draft_named_locked(mailbox, job->name);
    if (draft) {
        entry = op_draft_entry_locked(job->fs, draft);
        answer = ANSWER_ENTRY;
    } else if (!error && writeback_coming_locked(mailbox, job->name, &coming) && coming.leaves &&
               !op_settled_locked(job, mailbox)) {
        answer = ANSWER_WAITS;
    } else if (!error && writeback_coming_locked(mailbox, job->name, &coming) &&
               op_coming_entry_locked(job->fs, &coming, &entry)) {
        answer = ANSWER_ENTRY;
    } else if (!error) {
        const bool form = name_message_uid(job->name) || name_message_uid_aside(job->name);

        answer = form || naming_uid_locked(mailbox, job->name) ? find_message_locked(job, mailbox, &entry)
                                                               : find_child_locked(job, mailbox, &entry);
    }
    account_unlock(account);
    if (answer == ANSWER_ENTRY)
        fuse_reply_entry(job_take(job), &entry);
    else if (answer == ANSWER_ERROR)
        job_reply_error(job, error);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = ops_fs(req);

    if (op_status_lookup(req, parent, name) || op_maildir_lookup(req, parent, name))
        return;
    if (strlen(name) >= NAME_SIZE) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, lookup_run, name);
    job->ino = parent;
    job_extend(job, LISTING_PATIENCE);
    lookup_run(job);
}

/* ---- opendir ----------------------------------------------------------------------------------- */

/* The kernel drops its listing unless told to keep it, and reads a new one after this reply. Only when
 * it has got the reply is the listing known to be no older than `generation`. */
static void reply_opendir(struct job *job, uint32_t dir_id, uint64_t generation)
{
    struct fs *fs = job->fs;
    struct fuse_file_info fi = job->fi;
    bool kept = fi.keep_cache;

    if (fuse_reply_open(job_take(job), &fi) != 0 || kept)
        return;
    account_lock(fs->account);
    listing_set(&fs->listing, dir_id, generation);
    account_unlock(fs->account);
}

/* sync(1) -f opens what it is given, and the kernel keeps syncfs(2) to itself: who opens a directory, and not to list
 * it, is taken at that word. A listing waits for messages whose names are not known yet. */
static bool changes_awaited_locked(struct job *job, const struct mailbox *mailbox)
{
    if (!(job->fi.flags & O_DIRECTORY))
        return op_synced_locked(job);
    return !writeback_nameless_locked(mailbox) || op_settled_locked(job, NULL);
}

static void opendir_run(struct job *job)
{
    struct account *account = job->fs->account;
    struct mailbox *mailbox = NULL;
    uint64_t generation = 0;
    uint64_t cached;
    uint32_t dir_id = 0;

    account_lock(account);
    int error = node_directory_locked(account, job->ino, &mailbox);
    if (!error && (!changes_awaited_locked(job, mailbox) || !tree_fresh_locked(job) ||
                   !mailbox_proven_locked(job, mailbox))) {
        account_unlock(account);
        return;
    }
    if (!error) {
        /* the wait may have told that it is gone */
        error = mailbox_gone_locked(mailbox) ? ESTALE : 0;
        dir_id = mailbox_dir_id(mailbox);
        generation = mailbox_generation_locked(mailbox);
        job->fi.fh = mailbox_message_id_locked(mailbox);
        job->fi.cache_readdir = 1;
        job->fi.keep_cache = listing_find(&job->fs->listing, dir_id, &cached) && cached == generation;
    }
    account_unlock(account);
    if (error)
        job_reply_error(job, error);
    else
        reply_opendir(job, dir_id, generation);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);

    if (op_status_opendir(req, ino, fi) || op_maildir_opendir(req, ino, fi))
        return;
    struct job *job = job_new(fs, fs->jobs, req, opendir_run, NULL);

    job->ino = ino;
    job->fi = *fi;
    job_extend(job, LISTING_PATIENCE);
    opendir_run(job);
}

/* fh is the message_id at opendir, a number: there is nothing to release. */
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    (void)fi;
    fuse_reply_err(req, 0);
}

/* ---- readdir ----------------------------------------------------------------------------------- */

struct page {
    fuse_req_t req;
    struct fs *fs;
    char *bytes;
    size_t size, used;
    bool plus;
};

/* False when it does not fit any more. */
static bool add_entry(struct page *page, const char *name, const struct fuse_entry_param *entry, off_t offset)
{
    size_t room = page->size - page->used;
    char *at = page->bytes + page->used;
    size_t need;

    if (page->plus)
        need = fuse_add_direntry_plus(page->req, at, room, name, entry, offset);
    else
        need = fuse_add_direntry(page->req, at, room, name, &entry->attr, offset);
    if (need > room)
        return false;
    page->used += need;
    return true;
}

static bool add(struct page *page, const char *name, const struct stat *attr, off_t offset, bool node)
{
    struct fuse_entry_param entry = op_entry_of(attr);

    if (!node)
        entry.ino = 0; /* the kernel has it already */
    return add_entry(page, name, &entry, offset);
}

static bool add_dots(struct page *page, struct mailbox *mailbox, off_t offset)
{
    struct mailbox *parent = mailbox_parent(mailbox);
    struct stat here = {.st_ino = node_of_directory(page->fs->account, mailbox), .st_mode = S_IFDIR};
    struct stat above = here;

    if (parent && here.st_ino != FUSE_ROOT_ID)
        above.st_ino = node_of_directory(page->fs->account, parent);
    if (offset < 1 && !add(page, ".", &here, 1, false))
        return false;
    return offset >= 2 || add(page, "..", &above, 2, false);
}

static bool add_children(struct page *page, struct mailbox *mailbox, off_t offset)
{
    uint32_t after = offset > CHILDREN_BASE ? (uint32_t)(offset - CHILDREN_BASE) : 0;
    struct mailbox *child;
    struct stat attr;

    while ((child = mailbox_next_child_locked(mailbox, after))) {
        after = mailbox_dir_id(child);
        attr_directory_locked(page->fs, child, &attr);
        if (!add(page, mailbox_file_name(child), &attr, CHILDREN_BASE + after, true))
            return false;
    }
    return true;
}

static bool add_messages(struct page *page, struct mailbox *mailbox, off_t offset)
{
    uint32_t after = offset > MESSAGES_BASE ? (uint32_t)(offset - MESSAGES_BASE) : 0;
    uint32_t message_id = mailbox_message_id_locked(mailbox);
    struct message message;
    char name[NAME_SIZE];
    struct stat attr;
    size_t hint = 0;
    const bool plain = naming_is_plain_locked(mailbox);

    while (mailbox_next_locked(mailbox, after, &hint, &message)) {
        after = message.uid;
        if (writeback_hides_locked(mailbox, after))
            continue;
        attr_message(page->fs, message_id, &message, &attr);
        if (plain)
            name_of_message(after, name);
        else
            naming_file_locked(mailbox, after, name);
        if (!add(page, name, &attr, MESSAGES_BASE + after, true))
            return false;
    }
    return true;
}

static bool add_drafts(struct page *page, struct mailbox *mailbox, off_t offset)
{
    uint32_t after = offset > DRAFTS_BASE ? (uint32_t)(offset - DRAFTS_BASE) : 0;
    const struct draft *draft;

    while ((draft = draft_next_locked(mailbox, after))) {
        const char *name = draft_file_name_locked(draft);
        struct fuse_entry_param entry = op_draft_entry_locked(page->fs, draft);

        after = draft_number_locked(draft);
        if (op_draft_named_locked(mailbox, name) && !add_entry(page, name, &entry, DRAFTS_BASE + after))
            return false;
    }
    return true;
}

static bool add_coming(struct page *page, struct mailbox *mailbox, off_t offset)
{
    uint64_t after = offset > COMING_BASE ? (uint64_t)(offset - COMING_BASE) : 0;
    struct fuse_entry_param entry;
    struct coming coming;

    while (writeback_next_coming_locked(mailbox, after, &coming)) {
        after = coming.number;
        if (op_coming_entry_locked(page->fs, &coming, &entry) &&
            !add_entry(page, coming.file, &entry, COMING_BASE + (off_t)after))
            return false;
    }
    return true;
}

/* Each from where the last page has ended; one that is full ends it. */
static void fill(struct page *page, struct mailbox *mailbox, off_t offset)
{
    if (offset < DRAFTS_BASE && (!add_dots(page, mailbox, offset) || !add_children(page, mailbox, offset)))
        return;
    if (offset < COMING_BASE && !add_drafts(page, mailbox, offset))
        return;
    if (offset < MESSAGES_BASE && !add_coming(page, mailbox, offset))
        return;
    (void)add_messages(page, mailbox, offset);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, uint64_t message_id, bool plus)
{
    struct fs *fs = ops_fs(req);
    struct mailbox *mailbox;
    struct page page = {.req = req, .fs = fs, .size = size < REPLY_MAX ? size : REPLY_MAX, .plus = plus};

    if (op_status_readdir(req, ino, size, offset, plus) ||
        op_maildir_readdir(req, ino, size, offset, message_id, plus))
        return;
    page.bytes = malloc(page.size);
    if (!page.bytes) {
        fuse_reply_err(req, ENOMEM);
        return;
    }

    account_lock(fs->account);
    int error = node_directory_locked(fs->account, ino, &mailbox);
    if (!error && mailbox_message_id_locked(mailbox) != message_id)
        error = ESTALE; /* half of one mailbox and half of its successor is no listing */
    if (!error)
        fill(&page, mailbox, offset);
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, page.bytes, page.used);
    free(page.bytes);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list(req, ino, size, offset, fi->fh, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list(req, ino, size, offset, fi->fh, true);
}
