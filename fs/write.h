/* SPDX-License-Identifier: MIT */
/*
 * write: changes of messages on the server: deleting, moving, copying, flags.
 *
 * Each call ends by its wait, exactly once, when the server has answered: with success when it is done and the
 * columns show it, else with an error, and the message is where it was. A line that is lost in the middle is
 * settled: the mailbox is synchronised on the next one, and what is found is what the caller is told. A wait that
 * is cancelled before its command was sent takes the change back; later the change goes on without anybody
 * being told.
 *
 * Calls for the same in the same mailbox that wait together become one command; if the server refuses that, each
 * message is asked for by itself, so that each call gets its own answer.
 *
 * Errors are for errmap: IMAP_GONE (no such message; with the code UIDVALIDITY: other mail has its number),
 * IMAP_NO with the server's code, IMAP_UNSURE and IMAP_AGAIN for a line that was lost, IMAP_CANCEL. Everything is
 * guarded by the account lock, which the caller holds.
 */
#ifndef FS_WRITE_H
#define FS_WRITE_H

#include "mailbox.h"

/* In the account. */
struct write {
    struct write_op *first, **tail; /* that are to be sent, in order */
    struct write_batch *batches;    /* that are being done */
    unsigned tree_changes;          /* of writetree.h, under way */
    unsigned held;                  /* nothing is begun meanwhile */
    int64_t due_ms; /* when what was refused for a while is to be asked for again; INT64_MAX: never */
};

/* Where a message is now; uid 0: the server did not tell. */
struct write_place {
    uint32_t uidvalidity, uid;
};

enum write_how { WRITE_SET, WRITE_ADD, WRITE_REMOVE };

void write_init(struct write *write);
/* write.due_ms has come: on the sender's thread. */
void write_resume_locked(struct account *account);
/* The account is closed and its pool is gone. */
void write_cancel_all_locked(struct account *account);

/* Deletes one message for good (or moves it into the trash; see write_trash_locked), and no other. message_id: of
 * the mailbox when the caller saw the message. */
void write_delete_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, struct wait *wait);
/* place_out is filled in before the wait is told, and is not touched when it was cancelled. The target may be the
 * mailbox itself for copying only. */
void write_move_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                       struct wait *wait, struct write_place *place_out);
void write_copy_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                       struct wait *wait, struct write_place *place_out);
/* flags: their names must be atoms, \Recent is not among them. WRITE_SET replaces what the caller could know; if
 * others have changed it meanwhile the error's code is MODIFIED, where the server can tell (RFC 7162). */
void write_flags_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, enum write_how how,
                        const struct imap_flags *flags, struct wait *wait);

/* Where what is deleted from the mailbox goes instead; NULL: nowhere. IMAP_NO: a trash that is not there. */
enum imap_status write_trash_locked(const struct mailbox *mailbox, struct mailbox **trash_out,
                                    struct imap_error *err) IMAP_CHECK;
/* What is under way will make connection 0 leave this mailbox. */
bool write_elsewhere_locked(const struct account *account, const struct mailbox *mailbox);
/* Messages have come in that the columns do not show: it is synchronised when it is looked at. */
void write_unprove_locked(struct mailbox *mailbox);
/* Calls made in between are begun together, by as few commands as can be. */
void write_hold_locked(struct account *account);
void write_release_locked(struct account *account);
/* Why a message cannot be deleted or (to not NULL) moved or copied there, as far as that can be told without asking the
 * server: IMAP_NO, IMAP_GONE, IMAP_CANCEL. */
enum imap_status write_check_locked(struct mailbox *from, uint32_t message_id, uint32_t uid,
                                    const struct mailbox *to, struct imap_error *err) IMAP_CHECK;
/* Every write asks it first: IMAP_NO with READ_ONLY on a mount that may only read. */
enum imap_status write_allowed_locked(const struct account *account, struct imap_error *err) IMAP_CHECK;

#endif
