/* SPDX-License-Identifier: MIT */
/*
 * maildir: the names of messages where a mailbox is shown as a Maildir (-o layout=maildir).
 *
 * What lies in one of the three directories has a flat name in the model, with a slash that no other name has:
 *   cur/BASE:2,FLAGS   a message with one of six flags, or one that was written or renamed to cur
 *   new/BASE           any other message
 *   tmp/NAME           a draft; and new/ and cur/ with a NAME that begins with ".": local ones (draft.h)
 * FLAGS are those of D F P R S T that the message has (\Draft, \Flagged, $Forwarded, \Answered, \Seen, \Deleted); other
 * keywords are not in the name. BASE is what it was written or renamed as; else SECONDS.VvalidityUuid.imapfs,U=uid,S=size.
 *
 * A message leads to one name, and only that leads to it. What must be remembered of it is its written name
 * (naming.h), as "new/BASE", "cur/BASE", "cur/BASE:2," or, with a BASE of its own, "cur//UID". A written name of the
 * other layout means cur here: its writer knows that message.
 *
 * Functions ending in _locked want the account lock; the others are plain.
 */
#ifndef FS_MAILDIR_H
#define FS_MAILDIR_H

#include "draft.h"
#include "mailbox.h"
#include "name.h"

#define MAILDIR_BASE_MAX 240u  /* bytes of what is before ":2,", so that all forms of it are names */
#define MAILDIR_LETTERS_SIZE 7 /* all six and a NUL */
#define MAILDIR_FLAGS_SIZE 64  /* of their names */

enum maildir_sub { MAILDIR_NONE, MAILDIR_CUR, MAILDIR_NEW, MAILDIR_TMP };
#define MAILDIR_SUBS 3

struct row;

struct maildir_name {
    enum maildir_sub sub;
    bool local;
    bool info; /* it has a ":2," */
    char base[NAME_SIZE];
    char letters[MAILDIR_LETTERS_SIZE]; /* in order, each once; letters that are none are left out */
};

enum maildir_sub maildir_sub(const char *name); /* of "cur", "new", "tmp" */
const char *maildir_sub_name(enum maildir_sub sub);
/* "cur/NAME"; false when that is too long for a name. */
bool maildir_flat(enum maildir_sub sub, const char *name, char flat[NAME_SIZE]);
/* 0, EINVAL for what is no flat name, ENAMETOOLONG. */
int maildir_parse(const char *flat, struct maildir_name *out);
bool maildir_is_local(const char *name); /* also of names of the other layout */

/* "\Seen work $Forwarded" -> "PS", and "PS" -> "$Forwarded \Seen". */
void maildir_letters(const char *flags, char letters[MAILDIR_LETTERS_SIZE]);
void maildir_flags(const char *letters, char flags[MAILDIR_FLAGS_SIZE]);
/* Those of one that are not in the other. */
void maildir_letters_without(const char *one, const char *other, char letters[MAILDIR_LETTERS_SIZE]);

/* A mailbox's own name in its directory is not to be one of the three: "cur" <-> "%63ur". maildir_child_plain: NULL
 * when no mailbox is shown so. */
void maildir_child_escape(char file[NAME_SIZE]);
const char *maildir_child_plain(const char *file);

/* ---- messages --------------------------------------------------------------------------------------- */

void maildir_file_locked(const struct mailbox *mailbox, const struct message *message, char flat[NAME_SIZE]);
/* The same of a message that is perhaps not listed: "" then. */
void maildir_name_locked(const struct mailbox *mailbox, uint32_t uid, char flat[NAME_SIZE]);
/* The message that has this name; one that has been written so, and is not listed yet, whatever its flags. 0: none. */
uint32_t maildir_uid_locked(const struct mailbox *mailbox, const char *flat);
/* The message that has this base. */
uint32_t maildir_base_uid_locked(const struct mailbox *mailbox, const char *base);
/* What to remember so that the message has that name; "" for nothing. *holder_out: another message that has that
 * very name, and is to lose it; or 0. False when it cannot have it: its base is another message's. */
bool maildir_record_locked(const struct mailbox *mailbox, uint32_t uid, const char *flat,
                           char record[NAME_SIZE], uint32_t *holder_out);
/* Which directory it is in. */
enum maildir_sub maildir_sub_of_locked(const struct mailbox *mailbox, const struct message *message);
/* Whether its name is not what it was. */
bool maildir_renames_locked(const struct mailbox *mailbox, const struct row *before, const struct row *after);

/* ---- drafts ----------------------------------------------------------------------------------------- */

/* A visible name says which of the six flags it has. */
void maildir_flag_draft_locked(struct draft *draft);
/* Its name in the present layout, when it was written in the other one, perhaps. */
void maildir_draft_name_locked(const struct draft *draft, const struct mailbox *mailbox, const char *name,
                               char out[NAME_SIZE]);

#endif
