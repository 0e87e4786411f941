/* SPDX-License-Identifier: MIT */
/*
 * draft: a file that is being written in the directory of a mailbox and is no message of it yet.
 *
 * Its bytes lie in a file of their own in the cache directory, exactly as written. It becomes a message by being
 * sent (send.h) and has no name any more then; a name that begins with "." is local, and never sent until it is
 * renamed. One that could not be sent stays where it was written, readable, also for the next mount. Who goes
 * on writing what was sent already makes a draft of it again, which replaces the message when it is sent.
 *
 * Everything is guarded by the account lock but for draft_new, draft_open, draft_read, draft_write and
 * draft_truncate, which do file operations and want none; the draft must be held then. A draft lives while it has
 * a name, is held, or is being sent.
 */
#ifndef FS_DRAFT_H
#define FS_DRAFT_H

#include <sys/types.h>
#include <time.h>

#include "write.h"

#define DRAFT_NAME_MAX 255u
#define DRAFTS_MAX 10000u /* of an account, in one mount */

struct draft;
struct drafts;

enum draft_state {
    DRAFT_LOCAL,   /* being written, or waiting to be renamed, or empty, or sent and still open */
    DRAFT_SENDING, /* on its way, or being looked for on the server; its bytes and its name stay as they are */
    DRAFT_FAILED   /* it is not on the server, or nobody can tell: draft_error_locked */
};

/* ---- all of an account (drafts.c) ------------------------------------------------------------------- */

/* dir: the cache directory, which exists. Takes up what earlier mounts have left there. IMAP_SYS. Once the tree is
 * known. */
enum imap_status drafts_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint,
                             struct imap_error *err) IMAP_CHECK;
/* Nothing is sent any more. Before the pool goes. */
void drafts_stop(struct drafts *drafts);
/* Saves what has a name and was not sent, and logs it. After the pool has gone. */
void drafts_close(struct drafts **drafts);
/* The server can be reached again: what was left unclear is looked for. */
void drafts_resume_locked(struct drafts *drafts);
/* The number that stands for all drafts where a message has its mailbox's (ids.h); 0: there can be none, as the
 * mount is read-only. Constant. */
uint32_t drafts_id(const struct account *account);

/* ---- finding ---------------------------------------------------------------------------------------- */

struct draft *draft_find_locked(const struct mailbox *mailbox, const char *name);
struct draft *draft_by_number_locked(const struct account *account, uint32_t number);
/* Those of a directory, by rising number; NULL at the end. */
struct draft *draft_next_locked(const struct mailbox *mailbox, uint32_t after);
/* The same, of all directories. */
struct draft *draft_next_of_all_locked(const struct account *account, uint32_t after);

/* Those that were promised to be sent, in the order in which they were; the array is the caller's to free. */
size_t drafts_promised_locked(const struct account *account, struct draft ***drafts_out);

/* ---- making, naming, removing ----------------------------------------------------------------------- */

/* Whether a file of that name may be written: IMAP_SYS with EINVAL or ENAMETOOLONG. "x.eml", or local, or of the layout of maildir.h. */
enum imap_status draft_check_name(const char *name, struct imap_error *err) IMAP_CHECK;
bool draft_name_is_local(const char *name);
/* An empty one, held. IMAP_SYS: there can be no file, ENOSPC for too many. */
enum imap_status draft_new(struct account *account, struct draft **draft_out,
                           struct imap_error *err) IMAP_CHECK;
/* Gives it a place; what else has that name is hidden by it. */
void draft_name_locked(struct draft *draft, struct mailbox *mailbox, const char *name);
/* Takes its name away: whoever holds it still reads and writes it; it is not sent any more. False: it is being
 * sent. */
bool draft_unname_locked(struct draft *draft) IMAP_CHECK;

/* ---- its bytes (draftio.c) -------------------------------------------------------------------------- */

/* draft_open follows it, before its bytes are used: 0 or an errno. */
void draft_hold_locked(struct draft *draft);
int draft_open(struct draft *draft) IMAP_CHECK;
void draft_close_locked(struct draft *draft);
/* Bytes or -errno. Writing: EBUSY while it is being sent, or when it was sent and nobody knows which message it is. */
ssize_t draft_read(struct draft *draft, void *buf, size_t size, uint64_t offset);
ssize_t draft_write(struct draft *draft, const void *data, size_t size, uint64_t offset);
int draft_truncate(struct draft *draft, uint64_t size); /* 0 or an errno */
/* A handle has written, and its closing will send that; or has been closed: until then a new name sends nothing. */
void draft_writer_locked(struct draft *draft, int more);
/* What was written is not all of it, as its writer was killed: it is not sent. */
void draft_spoil_locked(struct draft *draft);

/* ---- what it is ------------------------------------------------------------------------------------- */

struct account *draft_account(const struct draft *draft);
uint32_t draft_number_locked(const struct draft *draft);
unsigned draft_holds_locked(const struct draft *draft);
uint64_t
draft_promise_locked(const struct draft *draft); /* 0: none; see send.h, and writeback.h for copies */
void draft_promised_locked(struct draft *draft, uint64_t number); /* by writeback.h, of a copy */
enum draft_state draft_state_locked(const struct draft *draft);
bool draft_is_open_locked(const struct draft *draft);                   /* somebody has, and may write on */
const struct imap_error *draft_error_locked(const struct draft *draft); /* of DRAFT_FAILED */
struct mailbox *draft_mailbox_locked(const struct draft *draft);        /* NULL when it has no name */
const char *draft_file_name_locked(const struct draft *draft);
uint64_t draft_size_locked(const struct draft *draft);
struct timespec draft_mtime_locked(const struct draft *draft); /* what INTERNALDATE will be */
void draft_set_mtime_locked(struct draft *draft, struct timespec mtime);
const char *draft_flags_locked(const struct draft *draft); /* "\\Seen work", "" for none */
void draft_set_flags_locked(struct draft *draft, enum write_how how, const struct imap_flags *flags);

#endif
