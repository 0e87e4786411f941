/* SPDX-License-Identifier: MIT */
/*
 * op_maildir: the layout that shows each mailbox as a Maildir (maildir.h): cur, new and tmp beside its child mailboxes.
 *
 * What lies in them is found and changed by the same operations as in the other layout, under its flat name in the
 * mailbox: each function here is asked first. True: the request was replied to. Else it goes on as usual, with parent
 * and name, which may have become the mailbox and the flat name (in `flat`). Where messages have the other layout all
 * of them say false.
 *
 * The kernel keeps no name in cur, new or tmp, and neither their listings nor their attributes: names change with every
 * flag, and mail programs go by the time of the directory. What is kept is what does not change: a message's attributes
 * and its bytes.
 */
#ifndef FS_OP_MAILDIR_H
#define FS_OP_MAILDIR_H

#include "maildir.h"
#include "ops.h"

/* Which of the three it is, and whose; else MAILDIR_NONE. */
enum maildir_sub op_maildir_sub_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out);
bool op_maildir_is_sub(const struct fs *fs, fuse_ino_t ino); /* takes the account lock */

/* op_maildir_dir.c */
bool op_maildir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
bool op_maildir_getattr(fuse_req_t req, fuse_ino_t ino);
bool op_maildir_opendir(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
bool op_maildir_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, uint64_t message_id,
                        bool plus);

/* op_maildir.c */
bool op_maildir_create(fuse_req_t req, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE]);
bool op_maildir_unlink(fuse_req_t req, fuse_ino_t *parent, const char **name, char flat[NAME_SIZE]);
bool op_maildir_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name);
bool op_maildir_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
bool op_maildir_getxattr(fuse_req_t req, fuse_ino_t ino);
bool op_maildir_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

/* op_maildir_rename.c */
struct op_maildir_names {
    fuse_ino_t parent, new_parent;
    const char *name, *new_name;
    char flat[NAME_SIZE], new_flat[NAME_SIZE];
};

/* Changes flags, moves messages; what is a draft or a mailbox is left to rename. */
bool op_maildir_rename(fuse_req_t req, struct op_maildir_names *names);

/* 0 or an errno: whether a draft may be called so. */
int op_maildir_check_draft_locked(const struct mailbox *mailbox, const char *flat);

#endif
