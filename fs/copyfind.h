/* SPDX-License-Identifier: MIT */
/*
 * copyfind: which message of a mailbox is the copy that was just made, where the server does not tell (no COPYUID, RFC
 * 4315). No state.
 */
#ifndef FS_COPYFIND_H
#define FS_COPYFIND_H

#include "mailbox.h"

/* The highest UID that the columns show; 0: none. To be asked for before the copy is made. */
uint32_t copyfind_last_locked(const struct mailbox *mailbox);
/* When the mailbox was listed anew: the one message after `last` of the size and date of this one; 0 when there are
 * several, or none. */
uint32_t copyfind_uid_locked(const struct mailbox *mailbox, uint32_t last, const struct message *message);

#endif
