/* SPDX-License-Identifier: MIT */
/*
 * rename in the Maildir layout: of a message it changes flags by the letters, moves to another mailbox, remembers what
 * else of the name is not the message's own. Nothing is replaced by it, as no mail program means that.
 *
 * A message is found by the very name that it has: who comes with flags that it does not have any more comes late, and
 * is told that there is none of that name, as in any Maildir. In between it is known by its UID.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../imap/mem.h"
#include "flagtext.h"
#include "naming.h"
#include "node.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_settle.h"
#include "write.h"

#define PROVEN_ADDED 1u
#define PROVEN_REMOVED 2u
#define PROVEN_MOVED 4u

#define PATIENCE 4

/* What of the request is not in struct job. The mailboxes live as long as the account. */
struct request {
    struct mailbox *from, *to;
    uint32_t message_id, uid;
    char name[NAME_SIZE]; /* the new one, flat */
    struct maildir_name wanted;
    struct write_place place;
};

/* ---- a message ------------------------------------------------------------------------------------------ */

static int check_locked(const struct request *request)
{
    const uint32_t other = maildir_base_uid_locked(request->to, request->wanted.base);

    if (request->wanted.local)
        return EPERM; /* a message does not become a draft */
    if (op_draft_named_locked(request->to, request->name))
        return EEXIST;
    return other && (request->from != request->to || other != request->uid) ? EEXIST : 0;
}

static bool write_letters_locked(struct job *job, const struct request *request, enum write_how how,
                                 const char *letters, unsigned proves)
{
    char flags[MAILDIR_FLAGS_SIZE];
    struct flagtext flagtext;

    if (!*letters || job->proven & proves)
        return false;
    maildir_flags(letters, flags);
    const int error = flagtext_parse(flags, strlen(flags), &flagtext);
    if (!error) {
        write_flags_locked(request->from, request->message_id, request->uid, how, &flagtext.flags,
                           &job->body_wait.wait);
        job_waits_locked(job, proves);
    }
    flagtext_fini(&flagtext);
    return !error;
}

/* True when the job waits. */
static bool change_flags_locked(struct job *job, const struct request *request, const struct message *message)
{
    char is[MAILDIR_LETTERS_SIZE];
    char letters[MAILDIR_LETTERS_SIZE];

    maildir_letters(mailbox_flags_text_locked(request->from, message->flagset), is);
    maildir_letters_without(request->wanted.letters, is, letters);
    if (write_letters_locked(job, request, WRITE_ADD, letters, PROVEN_ADDED))
        return true;
    maildir_letters_without(is, request->wanted.letters, letters);
    return write_letters_locked(job, request, WRITE_REMOVE, letters, PROVEN_REMOVED);
}

/* What the name says beyond the flags. */
static int name_within_locked(const struct request *request, const struct message *message)
{
    char is[NAME_SIZE];

    maildir_file_locked(request->to, message, is);
    if (strcmp(is, request->name) == 0)
        return 0;
    return naming_set_locked(request->to, mailbox_uidvalidity_locked(request->to), request->uid,
                             request->name)
               ? 0
               : ENOSPC;
}

/* 0: it is done; -1: the job waits; else an errno. */
static int go_on_locked(struct job *job, struct request *request)
{
    struct message message;

    if (job->proven & PROVEN_MOVED) {
        if (request->place.uid)
            (void)naming_set_locked(request->to, request->place.uidvalidity, request->place.uid,
                                    request->name);
        return 0;
    }
    if (!op_settled_locked(job, NULL)) /* what waits comes before */
        return -1;
    if (mailbox_message_id_locked(request->from) != request->message_id ||
        !mailbox_find_locked(request->from, request->uid, &message))
        return ENOENT; /* somebody else has moved it */
    if (change_flags_locked(job, request, &message))
        return -1;
    if (request->from == request->to)
        return name_within_locked(request, &message);
    write_move_locked(request->from, request->message_id, request->uid, request->to, &job->body_wait.wait,
                      &request->place);
    job_waits_locked(job, PROVEN_MOVED);
    return -1;
}

static void rename_run(struct job *job)
{
    struct fs *fs = job->fs;

    account_lock(fs->account);
    const int error = go_on_locked(job, job->extra);
    account_unlock(fs->account);
    if (error > 0)
        job_reply_error(job, error);
    else if (!error)
        fuse_reply_err(job_take(job), 0);
}

static void begin(fuse_req_t req, const struct request *request)
{
    struct fs *fs = ops_fs(req);
    struct job *job = job_new(fs, fs->jobs, req, rename_run, NULL);

    job->extra = imap_xmalloc(sizeof(*request));
    memcpy(job->extra, request, sizeof(*request));
    job_extend(job, PATIENCE);
    rename_run(job);
}

/* ---- which of all it is --------------------------------------------------------------------------------- */

enum kind { KIND_OTHER, KIND_MESSAGE };

/* One side of it: its mailbox, and a flat name in the place of one in one of the three. EPERM for the three. */
static int side_locked(struct fs *fs, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE],
                       struct mailbox **mailbox_out)
{
    const enum maildir_sub sub = op_maildir_sub_locked(fs->account, *parent, mailbox_out);

    if (!sub) {
        const int error = node_directory_locked(fs->account, *parent, mailbox_out);
        return error ? error : maildir_sub(*name) ? EPERM : 0;
    }
    if (!maildir_flat(sub, *name, flat))
        return ENAMETOOLONG;
    *parent = node_of_directory(fs->account, *mailbox_out);
    *name = flat;
    return 0;
}

static int look_locked(struct fs *fs, struct op_maildir_names *names, struct request *request,
                       enum kind *kind_out)
{
    struct message message;
    int error = side_locked(fs, &names->parent, &names->name, names->flat, &request->from);

    if (!error)
        error = side_locked(fs, &names->new_parent, &names->new_name, names->new_flat, &request->to);
    if (error)
        return error;
    const bool file = names->name == names->flat || op_draft_named_locked(request->from, names->name);
    if (!file)
        return names->new_name == names->new_flat ? EPERM : 0; /* a mailbox */
    if (op_draft_named_locked(request->from, names->name))
        return op_maildir_check_draft_locked(request->to, names->new_name);
    if (!op_message_named_locked(request->from, names->name, &message))
        return ENOENT;
    if (names->new_name != names->new_flat)
        return EPERM; /* messages lie in cur and new */
    *kind_out = KIND_MESSAGE;
    request->message_id = mailbox_message_id_locked(request->from);
    request->uid = message.uid;
    (void)snprintf(request->name, sizeof(request->name), "%s", names->new_name);
    error = maildir_parse(request->name, &request->wanted);
    return error ? error : check_locked(request);
}

bool op_maildir_rename(fuse_req_t req, struct op_maildir_names *names)
{
    struct fs *fs = ops_fs(req);
    struct request request = {0};
    enum kind kind = KIND_OTHER;

    if (!fs->maildir || !fs->read_write)
        return false;
    account_lock(fs->account);
    const int error = look_locked(fs, names, &request, &kind);
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    else if (kind == KIND_MESSAGE)
        begin(req, &request);
    return error || kind == KIND_MESSAGE;
}
