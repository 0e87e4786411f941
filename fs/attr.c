/* SPDX-License-Identifier: MIT */
#include "attr.h"

#include "node.h"
#include "op_maildir.h"

#define DIRECTORY_BLOCK 131072 /* glibc reads directories in pieces of this size */
#define DIRECTORY_SIZE 4096    /* constant: tar takes one that grows by the first listing for a change */

void attr_directory_locked(const struct fs *fs, struct mailbox *mailbox, struct stat *stat_out)
{
    const bool subs = fs->maildir && mailbox_selectable_locked(mailbox);
    unsigned children = mailbox_child_count_locked(mailbox) + (subs ? MAILDIR_SUBS : 0);
    struct timespec changed = mailbox_mtime_locked(mailbox);

    *stat_out = (struct stat){
        .st_ino = node_of_directory(fs->account, mailbox),
        .st_mode = S_IFDIR | (0777 & ~fs->umask),
        .st_nlink = 2 + (nlink_t)children,
        .st_uid = fs->uid,
        .st_gid = fs->gid,
        .st_size = DIRECTORY_SIZE,
        .st_blksize = DIRECTORY_BLOCK,
        .st_blocks = DIRECTORY_SIZE / 512,
        .st_atim = changed,
        .st_mtim = changed,
        .st_ctim = changed,
    };
}

void attr_sub_locked(const struct fs *fs, struct mailbox *mailbox, enum maildir_sub sub,
                     struct stat *stat_out)
{
    attr_directory_locked(fs, mailbox, stat_out);
    stat_out->st_ino = node_number(mailbox_dir_id(mailbox), sub);
    stat_out->st_nlink = 2;
}

void attr_message(const struct fs *fs, uint32_t message_id, const struct message *message,
                  struct stat *stat_out)
{
    struct timespec date = {.tv_sec = message->date.unix_seconds};

    *stat_out = (struct stat){
        .st_ino = node_number(message_id, message->uid),
        /* Where it may be removed, or its flags be set, it must not look as if it could not be (rm asks then). */
        .st_mode = S_IFREG | ((fs->read_write ? 0666 : 0444) & ~fs->umask),
        .st_nlink = 1,
        .st_uid = fs->uid,
        .st_gid = fs->gid,
        .st_size = (off_t)message->size,
        .st_blksize = 4096,
        .st_blocks = (blkcnt_t)((message->size + 511) / 512),
        .st_atim = date,
        .st_mtim = date,
        .st_ctim = date,
    };
}

int attr_of(const struct fs *fs, fuse_ino_t ino, struct stat *stat_out)
{
    struct mailbox *mailbox;
    struct message message;
    int error = 0;

    account_lock(fs->account);
    const enum maildir_sub sub =
        fs->maildir ? op_maildir_sub_locked(fs->account, ino, &mailbox) : MAILDIR_NONE;
    if (sub) {
        attr_sub_locked(fs, mailbox, sub, stat_out);
    } else if (node_uid(ino)) {
        error = node_message_locked(fs->account, ino, &mailbox, &message);
        if (!error)
            attr_message(fs, node_id(ino), &message, stat_out);
    } else {
        error = node_directory_locked(fs->account, ino, &mailbox);
        if (!error)
            attr_directory_locked(fs, mailbox, stat_out);
    }
    account_unlock(fs->account);
    return error;
}
