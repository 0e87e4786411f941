/* SPDX-License-Identifier: MIT */
/*
 * follow: what goes along with a mailbox, and those below it, that we have renamed: the names under which its messages
 * were written, the drafts in it, and, for who has it open, the directory itself. Guarded by the account lock.
 */
#ifndef FS_FOLLOW_H
#define FS_FOLLOW_H

#include "mailbox.h"

struct follow;

/* Once the server has renamed it, and before a listing shows that: remembers what the old names lose then. */
struct follow *follow_take_locked(struct mailbox *mailbox);
/* The listing shows it as wire: there it is given back. Where the server has given it another UIDVALIDITY the names go
 * when that is known. */
void follow_give_locked(struct follow *follow, const char *wire);
void follow_free(struct follow **follow);

#endif
