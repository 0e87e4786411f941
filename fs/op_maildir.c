/* SPDX-License-Identifier: MIT */
#include "op_maildir.h"

#include <errno.h>
#include <string.h>

#include "node.h"
#include "op_draft.h"
#include "writeback.h"

enum maildir_sub op_maildir_sub_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out)
{
    struct mailbox *mailbox;

    if (!node_uid(ino) || node_uid(ino) > MAILDIR_SUBS)
        return MAILDIR_NONE;
    mailbox = account_by_id_locked(account, node_id(ino));
    if (!mailbox || mailbox_dir_id(mailbox) != node_id(ino) || !mailbox_selectable_locked(mailbox))
        return MAILDIR_NONE;
    *mailbox_out = mailbox;
    return (enum maildir_sub)node_uid(ino);
}

bool op_maildir_is_sub(const struct fs *fs, fuse_ino_t ino)
{
    struct mailbox *mailbox;

    if (!fs->maildir)
        return false;
    account_lock(fs->account);
    const bool is_sub = op_maildir_sub_locked(fs->account, ino, &mailbox) != MAILDIR_NONE;
    account_unlock(fs->account);
    return is_sub;
}

/* One of the three, as its mailbox shows it; *mailbox_out: whose. */
static enum maildir_sub shown_locked(const struct fs *fs, fuse_ino_t parent, const char *name,
                                     struct mailbox **mailbox_out)
{
    if (node_directory_locked(fs->account, parent, mailbox_out) != 0 ||
        !mailbox_selectable_locked(*mailbox_out))
        return MAILDIR_NONE;
    return maildir_sub(name);
}

/* ---- files ------------------------------------------------------------------------------------------- */

int op_maildir_check_draft_locked(const struct mailbox *mailbox, const char *flat)
{
    struct maildir_name name;
    struct message message;
    int error = 0;

    if (!strchr(flat, '/'))
        return draft_name_is_local(flat) ? 0 : EPERM; /* files lie in one of the three */
    error = maildir_parse(flat, &name);
    if (error || name.local)
        return error;
    /* Beside the message there would be two of one base, which mail programs take for one message. */
    return maildir_base_uid_locked(mailbox, name.base) && !op_message_named_locked(mailbox, flat, &message)
               ? EEXIST
               : 0;
}

/* Puts flat and the mailbox in the place of a name in one of the three. */
static int place_locked(struct fs *fs, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE],
                        struct mailbox **mailbox_out)
{
    const enum maildir_sub sub = op_maildir_sub_locked(fs->account, *parent, mailbox_out);

    if (!sub)
        return node_directory_locked(fs->account, *parent, mailbox_out);
    if (!maildir_flat(sub, *name, flat))
        return ENAMETOOLONG;
    *parent = node_of_directory(fs->account, *mailbox_out);
    *name = flat;
    return 0;
}

bool op_maildir_unlink(fuse_req_t req, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE])
{
    struct fs *fs = ops_fs(req);
    struct mailbox *mailbox;

    if (!fs->maildir)
        return false;
    account_lock(fs->account);
    const int error = place_locked(fs, parent, name, flat, &mailbox);
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    return error != 0;
}

bool op_maildir_create(fuse_req_t req, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE])
{
    struct fs *fs = ops_fs(req);
    struct mailbox *mailbox;

    if (!fs->maildir)
        return false;
    account_lock(fs->account);
    int error = place_locked(fs, parent, name, flat, &mailbox);
    if (!error)
        error = op_maildir_check_draft_locked(mailbox, *name);
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    return error != 0;
}

/* ---- directories ------------------------------------------------------------------------------------- */

/* The three are made with their mailbox. */
bool op_maildir_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = ops_fs(req);
    struct mailbox *mailbox;
    int error = 0;

    if (!fs->maildir || !fs->read_write)
        return false;
    account_lock(fs->account);
    if (op_maildir_sub_locked(fs->account, parent, &mailbox))
        error = EPERM;
    else if (maildir_sub(name))
        error = shown_locked(fs, parent, name, &mailbox) ? EEXIST : EPERM;
    account_unlock(fs->account);
    if (error)
        fuse_reply_err(req, error);
    return error != 0;
}

static bool holds_messages_locked(const struct mailbox *mailbox, enum maildir_sub sub)
{
    struct message message;
    size_t hint = 0;

    for (uint32_t after = 0; mailbox_next_locked(mailbox, after, &hint, &message); after = message.uid)
        if (maildir_sub_of_locked(mailbox, &message) == sub && !writeback_hides_locked(mailbox, message.uid))
            return true;
    return false;
}

static bool holds_drafts_locked(const struct mailbox *mailbox, enum maildir_sub sub)
{
    const struct draft *draft;

    for (uint32_t after = 0; (draft = draft_next_locked(mailbox, after));
         after = draft_number_locked(draft)) {
        const char *file = draft_file_name_locked(draft);

        if (strchr(file, '/') && strncmp(file, maildir_sub_name(sub), 3) == 0)
            return true;
    }
    return false;
}

/* rm -r removes each of the three before the mailbox. An empty one may go as far as that one is told; it is there
 * again when it is looked for while the mailbox is. */
bool op_maildir_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = ops_fs(req);
    struct mailbox *mailbox;
    int error = 0;

    if (!fs->maildir || !fs->read_write)
        return false;
    account_lock(fs->account);
    const enum maildir_sub sub = shown_locked(fs, parent, name, &mailbox);
    if (sub && (holds_messages_locked(mailbox, sub) || holds_drafts_locked(mailbox, sub)))
        error = ENOTEMPTY;
    account_unlock(fs->account);
    if (sub)
        fuse_reply_err(req, error);
    return sub != MAILDIR_NONE;
}

/* ---- attributes -------------------------------------------------------------------------------------- */

bool op_maildir_getxattr(fuse_req_t req, fuse_ino_t ino)
{
    if (!op_maildir_is_sub(ops_fs(req), ino))
        return false;
    fuse_reply_err(req, ENODATA);
    return true;
}

bool op_maildir_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    if (!op_maildir_is_sub(ops_fs(req), ino))
        return false;
    if (size)
        fuse_reply_buf(req, NULL, 0);
    else
        fuse_reply_xattr(req, 0);
    return true;
}
