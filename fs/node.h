/* SPDX-License-Identifier: MIT */
/*
 * node: inode numbers that mean something, so that there are no inode objects and nothing to forget.
 *
 * Invariants
 * 1. A directory is (dir_id, 0), a message (message_id, UID): id << 32 | uid. The root is FUSE_ROOT_ID. The three
 *    directories of a mailbox shown as a Maildir (op_maildir.h) are (dir_id, 1) to (dir_id, 3), also of the root.
 * 2. Ids are 31 bits and never 0, so that numbers are positive and none but the root's is below 2^32; what
 *    else is there is not of the account (op_status.h).
 * 3. A message_id is retired with its UIDVALIDITY: an old number leads to ESTALE, never to other mail.
 * 4. Numbers are the same on every mount (as the ids are).
 *
 * Functions ending in _locked need the account lock.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <fuse_lowlevel.h>

#include "mailbox.h"

static inline fuse_ino_t node_number(uint32_t id, uint32_t uid)
{
    return (fuse_ino_t)id << 32 | uid;
}

static inline uint32_t node_id(fuse_ino_t ino)
{
    return (uint32_t)(ino >> 32);
}

static inline uint32_t node_uid(fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? 0 : (uint32_t)ino;
}

fuse_ino_t node_of_directory(struct account *account, const struct mailbox *mailbox);
/* 0 or ESTALE (ENOTDIR for a message's number); the outputs are set on 0. */
int node_directory_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out);
/* 0 or ESTALE (EISDIR for a directory's number). */
int node_message_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out,
                        struct message *message_out);

#endif
