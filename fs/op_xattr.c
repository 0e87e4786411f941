/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes. Every name outside "user." is answered EOPNOTSUPP: then ls(1) stops asking for the
 * whole device, where ENODATA would have it ask twice a file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "../imap/mem.h"
#include "flagtext.h"
#include "node.h"
#include "op_draft.h"
#include "op_maildir.h"
#include "op_settle.h"
#include "op_status.h"
#include "ops.h"
#include "write.h"

#define FLAGS_NAME "user.imap.flags"
#define VALUE_MAX 32768 /* of the flags; the kernel takes at most 64 KiB */

struct value {
    char text[VALUE_MAX];
    size_t len;
};

/* What is asked about, under the account lock; message is NULL for a directory. */
struct subject {
    struct mailbox *mailbox;
    const struct message *message;
};

static bool set_text(struct value *value, const char *text)
{
    value->len = strlen(text);
    if (value->len > sizeof(value->text))
        value->len = sizeof(value->text);
    memcpy(value->text, text, value->len);
    return true;
}

static bool set_number(struct value *value, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return number && set_text(value, text);
}

static bool flags(const struct subject *subject, struct value *value)
{
    return set_text(value, mailbox_flags_text_locked(subject->mailbox, subject->message->flagset));
}

static bool internaldate(const struct subject *subject, struct value *value)
{
    char text[IMAP_DATE_TEXT_MAX];

    imap_date_format(&subject->message->date, text);
    return set_text(value, text);
}

static bool modseq(const struct subject *subject, struct value *value)
{
    return set_number(value, subject->message->modseq);
}

static bool uid(const struct subject *subject, struct value *value)
{
    return set_number(value, subject->message->uid);
}

static bool uidvalidity(const struct subject *subject, struct value *value)
{
    return set_number(value, mailbox_uidvalidity_locked(subject->mailbox));
}

static bool specialuse(const struct subject *subject, struct value *value)
{
    const char *use = mailbox_special_use_locked(subject->mailbox);

    return use && set_text(value, use);
}

static bool subscribed(const struct subject *subject, struct value *value)
{
    return set_text(value, mailbox_subscribed_locked(subject->mailbox) ? "1" : "0");
}

/* get: false when there is no such value here (under the account lock). */
struct attribute {
    const char *name;
    bool (*get)(const struct subject *subject, struct value *value);
};

static const struct attribute message_attributes[] = {
    {FLAGS_NAME, flags},    {"user.imap.internaldate", internaldate}, {"user.imap.modseq", modseq},
    {"user.imap.uid", uid}, {"user.imap.uidvalidity", uidvalidity},   {NULL, NULL},
};

static const struct attribute directory_attributes[] = {
    {"user.imap.specialuse", specialuse},
    {"user.imap.subscribed", subscribed},
    {"user.imap.uidvalidity", uidvalidity},
    {NULL, NULL},
};

static int value_of(const struct subject *subject, const char *name, struct value *value)
{
    const struct attribute *attribute = subject->message ? message_attributes : directory_attributes;

    for (; attribute->name; attribute++) {
        if (strcmp(attribute->name, name) == 0)
            return attribute->get(subject, value) ? 0 : ENODATA;
    }
    return ENODATA;
}

static int look_up(struct fs *fs, fuse_ino_t ino, const char *name, struct value *value)
{
    struct subject subject = {0};
    struct message message;
    int error;

    account_lock(fs->account);
    if (node_uid(ino)) {
        error = node_message_locked(fs->account, ino, &subject.mailbox, &message);
        subject.message = &message;
    } else {
        error = node_directory_locked(fs->account, ino, &subject.mailbox);
    }
    if (!error)
        error = value_of(&subject, name, value);
    account_unlock(fs->account);
    return error;
}

static int draft_value(struct fs *fs, fuse_ino_t ino, const char *name, struct value *value)
{
    int error = ENODATA;

    if (strcmp(name, FLAGS_NAME) == 0)
        error = op_draft_flags(fs, ino, value->text, sizeof(value->text));
    if (!error)
        value->len = strlen(value->text);
    return error;
}

/* size 0 asks for the length. */
static void reply(fuse_req_t req, const char *value, size_t len, size_t size)
{
    if (!size)
        fuse_reply_xattr(req, len);
    else if (len > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct value value;
    int error;

    if (strncmp(name, "user.", 5) != 0) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    if (op_status_getxattr(req, ino) || op_maildir_getxattr(req, ino))
        return;
    if (node_is_draft(ops_fs(req)->account, ino))
        error = draft_value(ops_fs(req), ino, name, &value);
    else
        error = look_up(ops_fs(req), ino, name, &value);
    if (error)
        fuse_reply_err(req, error);
    else
        reply(req, value.text, value.len, size);
}

/* Only what can be given back to a server is listed, so that rsync -X carries no more than that. */
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    if (op_status_listxattr(req, ino, size) || op_maildir_listxattr(req, ino, size))
        return;
    if (node_uid(ino))
        reply(req, FLAGS_NAME, sizeof(FLAGS_NAME), size);
    else
        reply(req, "", 0, size);
}

/* ---- setting the flags ---------------------------------------------------------------------------- */

#define PROVEN_DONE 1u

static void flags_run(struct job *job)
{
    struct fs *fs = job->fs;
    struct mailbox *mailbox;
    struct message message;
    struct flagtext wanted;

    if (job->proven & PROVEN_DONE) {
        fuse_reply_err(job_take(job), 0);
        return;
    }
    int error = flagtext_parse(job->name, strlen(job->name), &wanted);
    account_lock(fs->account);
    if (!error)
        error = node_message_locked(fs->account, job->ino, &mailbox, &message);
    if (!error && writeback_hides_locked(
                      mailbox, message.uid)) { /* on its way: where it is then it has another inode */
        if (!op_settled_locked(job, NULL)) {
            account_unlock(fs->account);
            flagtext_fini(&wanted);
            return;
        }
        error = ESTALE;
    }
    if (!error) {
        write_flags_locked(mailbox, node_id(job->ino), message.uid, wanted.how, &wanted.flags,
                           &job->body_wait.wait);
        job_waits_locked(job, PROVEN_DONE);
    }
    account_unlock(fs->account);
    flagtext_fini(&wanted);
    if (error)
        job_reply_error(job, error);
}

/* 0: the flags of a message. */
static int check_settable(const struct fs *fs, fuse_ino_t ino, const char *name)
{
    if (!fs->read_write)
        return EROFS;
    if (strncmp(name, "user.", 5) != 0)
        return EOPNOTSUPP;
    if (strncmp(name, "user.imap.", 10) != 0)
        return EOPNOTSUPP; /* a message has no others, and is not to lose them unnoticed */
    return node_uid(ino) && !op_maildir_is_sub(fs, ino) && strcmp(name, FLAGS_NAME) == 0 ? 0 : EPERM;
}

static void set_flags(fuse_req_t req, fuse_ino_t ino, const char *text)
{
    struct fs *fs = ops_fs(req);

    if (node_is_draft(fs->account, ino)) {
        fuse_reply_err(req, op_draft_set_flags(fs, ino, text));
        return;
    }
    struct job *job = job_new(fs, fs->jobs, req, flags_run, text);

    job->ino = ino;
    flags_run(job);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
    int error = check_settable(ops_fs(req), ino, name);

    if (!error && flags & XATTR_CREATE)
        error = EEXIST; /* every message has flags, were it none */
    if (!error && size > FLAGTEXT_MAX)
        error = E2BIG;
    if (!error && memchr(value, '\0', size))
        error = EINVAL;
    if (error) {
        fuse_reply_err(req, error);
        return;
    }
    char *text = imap_xstrndup(value, size);
    set_flags(req, ino, text);
    free(text);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    int error = check_settable(ops_fs(req), ino, name);

    if (error)
        fuse_reply_err(req, error == EOPNOTSUPP ? ENODATA : error);
    else
        set_flags(req, ino, "");
}
