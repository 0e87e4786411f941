/* SPDX-License-Identifier: MIT */
/*
 * draft: a file that is being written in the directory of a mailbox and is no message of it yet.
 *
 * Its bytes lie in a file of their own in the cache directory, exactly as written. It becomes a message by
 * being sent (send.h); a name that begins with "." is local and never sent until it is renamed. One that
 * could not be sent stays where it was written, readable, also for the next mount.
 *
 * Everything is guarded by the account lock but for draft_read, draft_write and draft_truncate, which do
 * file operations and want none; the draft must be open then. A draft lives while it has a name, is open,
 * or is being sent.
 */
#ifndef FS_DRAFT_H
#define FS_DRAFT_H

#include <sys/types.h>
#include <time.h>

#include "account.h"

#define DRAFT_NAME_MAX 255u
#define DRAFTS_MAX 10000u /* with a name, in one mount */

struct draft;
struct drafts;

enum draft_state {
    DRAFT_LOCAL,   /* being written, or waiting to be renamed, or empty */
    DRAFT_SENDING, /* on its way, or nobody knows yet whether it has arrived */
    DRAFT_FAILED,  /* it is not on the server, or that cannot be told: draft_error_locked */
    DRAFT_SENT     /* it is a message now; which one is told by draft_message_locked, if that is known */
};

/* ---- all of an account ------------------------------------------------------------------------------ */

/* dir: the cache directory, which exists. Takes up what an earlier mount has left there. IMAP_SYS. */
enum imap_status drafts_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint,
                             struct imap_error *err) IMAP_CHECK;
/* Ends all waits with IMAP_CANCEL; nothing is sent any more. Before the pool goes. */
void drafts_stop(struct drafts *drafts);
/* Saves what has a name and was not sent, and logs it. After the pool has gone. */
void drafts_close(struct drafts **drafts);
/* The server can be reached again: what was left unclear is looked into. */
void drafts_resume_locked(struct drafts *drafts);

/* The number that stands for all drafts where a message has its mailbox's (ids.h); 0 when there are none. */
uint32_t drafts_id(const struct account *account);

/* ---- finding ---------------------------------------------------------------------------------------- */

struct draft *draft_find_locked(const struct mailbox *mailbox, const char *name);
struct draft *draft_by_number_locked(const struct account *account, uint32_t number);
/* Those of a directory that have a name and are no messages, by rising number; NULL at the end. */
struct draft *draft_next_locked(const struct mailbox *mailbox, uint32_t after);

/* ---- making, naming, removing ----------------------------------------------------------------------- */

/* The message that it has become; false when it is none, or nobody knows which. */
bool draft_message_locked(const struct draft *draft, uint32_t *message_id_out, uint32_t *uid_out);

/* Whether a file of that name may be written: IMAP_USAGE with why not. "x.eml", or local. */
enum imap_status draft_check_name(const char *name, struct imap_error *err) IMAP_CHECK;
bool draft_name_is_local(const char *name);
/* An empty one, open; without the lock. IMAP_SYS when there can be no file, IMAP_LIMIT. */
enum imap_status draft_new(struct account *account, struct draft **draft_out,
                           struct imap_error *err) IMAP_CHECK;
/* Gives it a place, which nobody else has. */
void draft_name_locked(struct draft *draft, struct mailbox *mailbox, const char *name);
/* Takes its place away: whoever has it open still reads and writes it; it is not sent any more. */
void draft_unname_locked(struct draft *draft);

/* ---- its bytes -------------------------------------------------------------------------------------- */

/* Opened, counted; draft_open follows it, without the lock, before its bytes are used: 0 or an errno. */
void draft_hold_locked(struct draft *draft);
int draft_open(struct draft *draft) IMAP_CHECK;
void draft_close_locked(struct draft *draft);
/* Bytes or -errno; EBUSY while it is being sent. */
ssize_t draft_read(struct draft *draft, void *buf, size_t size, uint64_t offset);
ssize_t draft_write(struct draft *draft, const void *data, size_t size, uint64_t offset);
int draft_truncate(struct draft *draft, uint64_t size); /* 0 or an errno */

/* ---- what it is ------------------------------------------------------------------------------------- */

uint32_t draft_number_locked(const struct draft *draft);
enum draft_state draft_state_locked(const struct draft *draft);
const struct imap_error *draft_error_locked(const struct draft *draft); /* of DRAFT_FAILED */
struct mailbox *draft_mailbox_locked(const struct draft *draft);        /* NULL when it has no place */
const char *draft_file_name_locked(const struct draft *draft);
uint64_t draft_size_locked(const struct draft *draft);
struct timespec draft_mtime_locked(const struct draft *draft); /* what INTERNALDATE will be */
void draft_set_mtime_locked(struct draft *draft, struct timespec mtime);
const char *draft_flags_locked(const struct draft *draft); /* "\\Seen work", "" for none */
void draft_set_flags_locked(struct draft *draft, const char *flags);

#endif
