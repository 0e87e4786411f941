/* SPDX-License-Identifier: MIT */
/*
 * writetree: changes of mailboxes on the server: CREATE, DELETE, RENAME.
 *
 * Each call ends by its wait, exactly once, when the server has answered and the mailboxes were listed anew; so
 * the tree shows it. A line that is lost in the middle is settled by that listing. Errors are for errmap; those of
 * ours are IMAP_SYS with an errno: EINVAL and ENAMETOOLONG for names that a mailbox cannot have, EEXIST, ENOTEMPTY,
 * EBUSY for INBOX and the root. Everything is guarded by the account lock, which the caller holds.
 */
#ifndef FS_WRITETREE_H
#define FS_WRITETREE_H

#include "mailbox.h"

/* A mailbox shown as file in the directory of parent; subscribed to, if the server lets. */
void writetree_create_locked(struct mailbox *parent, const char *file, struct wait *wait);
/* Only if it has neither messages nor children, as the server says just before. */
void writetree_delete_locked(struct mailbox *mailbox, struct wait *wait);
/* With all below it. What is there already must be an empty mailbox, which is deleted first. */
void writetree_rename_locked(struct mailbox *mailbox, struct mailbox *parent, const char *file,
                             struct wait *wait);

#endif
