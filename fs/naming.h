/* SPDX-License-Identifier: MIT */
/*
 * naming: which name a message of a mailbox has, and which message a name means.
 *
 * A message has one name in listings:
 *   the name under which it was written, unless a mailbox of that name is there;
 *   else UID.eml, unless that is another message's written name;
 *   else =UID.eml, a form that nothing can be written under.
 * So no two have the same, and none has none. Each of these names leads to its message; besides, UID.eml leads
 * to one that is listed under a written name which is not itself a number. 2.eml never leads to what was
 * written as 10.eml: a restore would take it for what it is about to write. =UID.eml always leads to its message, as
 * rm of all that a listing shows may remove what it had to step aside for first.
 *
 * With -o layout=maildir names are as in maildir.h instead, "cur/NAME" and "new/NAME" here; each layout remembers
 * written names of its own form, of which a message has one.
 *
 * Written names are the model's: they go with the message and with UIDVALIDITY, and are in the store. That what
 * a name means has changed is told by account_events.name_changed. They may be given before the message is
 * listed; what is not listed when a listing that should have it is complete loses them. Guarded by the account
 * lock.
 */
#ifndef FS_NAMING_H
#define FS_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define NAMING_MAX (1u << 20) /* of an account; what is written beyond goes by its number */

struct mailbox;

/* No message of it has a written name: UID.eml it is, for all. */
bool naming_is_plain_locked(const struct mailbox *mailbox);
/* The name in listings. */
void naming_file_locked(const struct mailbox *mailbox, uint32_t uid, char file[NAME_SIZE]);
/* Whether that is its name in listings. */
bool naming_lists_locked(const struct mailbox *mailbox, uint32_t uid, const char *file);
/* The UID that the name leads to, if there is such a message; 0: certainly no message's name. */
uint32_t naming_uid_locked(const struct mailbox *mailbox, const char *file);
/* Gives the message, listed or not yet, this name (name_is_writable), whoever had it before, or takes its name
 * away where that is UID.eml. False when the mailbox is known to have another UIDVALIDITY, or there are too
 * many names. */
bool naming_set_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file);

/* ---- for the model ------------------------------------------------------------------------------- */
void naming_new_locked(struct mailbox *mailbox, uint32_t uid);
void naming_gone_locked(struct mailbox *mailbox, uint32_t uid);
/* The columns are the server's, as it was when it said that its next UID would be uidnext. */
void naming_settled_locked(struct mailbox *mailbox, uint32_t uidnext);
void naming_reset_locked(struct mailbox *mailbox, uint32_t uidvalidity); /* the new one */
/* As the store has it: told to nobody. */
void naming_load_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file);

#endif
