/* SPDX-License-Identifier: MIT */
/*
 * writeback: changes whose callers are told as soon as they are on disk (intent.h; what is uploaded: its draft), and
 * that the server is told of a moment later, in the order in which they were made, many together.
 *
 * Until then the tree looks as it will: what is deleted or moved has no name in its directory any more, and what is
 * moved has its new one where it goes (`coming`). What the server refuses is in view again where it was, is logged,
 * and stands in the status. What a lost line has left undone is tried again, by the next mount if need be.
 *
 * Without -o writeback, and where there is no store, the callers wait for the server as in write.h and send.h. What an
 * earlier mount has left is done nevertheless.
 *
 * A thread of its own begins what is due. Everything is guarded by the account lock, which is held by the caller where
 * a name ends in _locked.
 */
#ifndef FS_WRITEBACK_H
#define FS_WRITEBACK_H

#include "draft.h"

struct writeback;

#define WRITEBACK_REFUSALS 20u /* remembered, for the status to show */

/* ---- for account ---------------------------------------------------------------------------------- */

/* Once the tree and the drafts are known; on: -o writeback. Takes up what earlier mounts have left. */
void writeback_open(struct account *account, bool on);
/* Instead, where the mount may not write: says so if an earlier one has left something. */
void writeback_remind(struct account *account);
/* The server cannot be reached; it can again. */
void writeback_outage_locked(struct account *account);
void writeback_resume_locked(struct account *account);
/* Has everything done, as long as the server answers, for timeout= at most. Before the account is closing. */
void writeback_finish(struct account *account);
void writeback_stop(struct account *account);  /* nothing more is begun; before the pool goes */
void writeback_close(struct account *account); /* after it has gone */

/* ---- changes --------------------------------------------------------------------------------------- */

/* Whether callers need not wait for the server. */
bool writeback_defers_locked(const struct account *account);
/* So much waits that who wants more waits for writeback_settled_locked first. */
bool writeback_is_full_locked(const struct account *account);
/* As write_delete_locked, and where it defers the wait is told when the intent is on disk. Refused at once is what can be
 * told to be impossible without asking the server. */
void writeback_delete_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, struct wait *wait);
/* Only where it defers. file: its name in `to`, which nothing else has there; NULL: it goes by its number. */
void writeback_move_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                           const char *file, struct wait *wait);
/* A name for a draft's promise (send.h), in the order of all that is to be done. */
uint64_t writeback_number_locked(struct account *account);
/* Of a draft that is to be a copy of a message (draftcopy.h): a promise, too. True when there is nothing to wait for; else
 * the wait is told when the intent is on disk. Deleting or moving the message then depends on the copy. */
bool writeback_copy_locked(struct draft *draft, struct wait *wait);
/* A draft that was promised is to be sent, or copied, now. Nothing happens when it is in the queue. */
void writeback_upload_locked(struct draft *draft);

/* ---- waiting ---------------------------------------------------------------------------------------- */

/* True when nothing waits; else wait is told when all that waits now is done, refused or not. An error: the server cannot
 * be reached. */
bool writeback_settled_locked(struct account *account, struct wait *wait);
/* The same for fsync and syncfs: the error may also be why the server has refused something since it was told last.
 * True also when there is nothing to be told. */
bool writeback_synced_locked(struct account *account, struct wait *wait);

/* ---- how the tree looks ----------------------------------------------------------------------------- */

/* It has no name in its directory, being deleted or on its way to another one. */
bool writeback_hides_locked(const struct mailbox *mailbox, uint32_t uid);

/* A message on its way, which is read where it comes from. */
struct coming {
    uint64_t number;  /* rising */
    const char *file; /* its name where it goes; borrowed until the lock is let go */
    struct mailbox *from;
    uint32_t uid;
    bool leaves; /* at any moment: it may not be there any more */
};
bool writeback_coming_locked(const struct mailbox *to, const char *file, struct coming *coming_out);
/* The first one with a number > after. */
bool writeback_next_coming_locked(const struct mailbox *to, uint64_t after, struct coming *coming_out);
/* Some are on their way that will go by numbers nobody knows yet. */
bool writeback_nameless_locked(const struct mailbox *to);
/* This message, of the mailbox that it leaves, is one of them. */
bool writeback_is_nameless_locked(const struct mailbox *from, uint32_t uid);

/* ---- for the status ---------------------------------------------------------------------------------- */

struct writeback_refusal {
    time_t when;
    char text[680];
};
struct writeback_state {
    size_t deletes, moves, copies, uploads; /* that wait or are being done */
    size_t refusal_count;
    struct writeback_refusal refusals[WRITEBACK_REFUSALS]; /* the latest, oldest first */
};
void writeback_state_locked(const struct account *account, struct writeback_state *state_out);

#endif
