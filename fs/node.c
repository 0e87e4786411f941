/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <errno.h>

_Static_assert(sizeof(fuse_ino_t) == 8, "inode numbers pack two numbers of 32 bits");

fuse_ino_t node_of_directory(struct account *account, const struct mailbox *mailbox)
{
    if (mailbox == account_root(account))
        return FUSE_ROOT_ID;
    return node_number(mailbox_dir_id(mailbox), 0);
}

int node_directory_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out)
{
    struct mailbox *mailbox;

    if (ino == FUSE_ROOT_ID)
        mailbox = account_root(account);
    else if (node_uid(ino))
        return ENOTDIR;
    else
        mailbox = account_by_id_locked(account, node_id(ino));
    if (mailbox)
        mailbox = mailbox_now_locked(mailbox);
    if (!mailbox || mailbox_gone_locked(mailbox))
        return ESTALE;
    *mailbox_out = mailbox;
    return 0;
}

int node_message_locked(struct account *account, fuse_ino_t ino, struct mailbox **mailbox_out,
                        struct message *message_out)
{
    struct mailbox *mailbox;

    if (!node_uid(ino))
        return EISDIR;
    mailbox = account_by_id_locked(account, node_id(ino));
    if (!mailbox || mailbox_message_id_locked(mailbox) != node_id(ino) ||
        !mailbox_find_locked(mailbox, node_uid(ino), message_out))
        return ESTALE;
    *mailbox_out = mailbox;
    return 0;
}
