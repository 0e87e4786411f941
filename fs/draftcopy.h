/* SPDX-License-Identifier: MIT */
/*
 * draftcopy: a draft that is to be a copy of a message of the account, as copy_file_range(2) asks for it.
 *
 * It is hollow: its bytes are the message's, and are not here. Sent like that the server copies the message (RFC 3501
 * 6.4.7). Whoever wants to read its bytes, to write on, or to have another date or other flags has it filled before;
 * then it is a draft like any other. A hollow one is never saved, and goes with its last handle: where the server
 * refuses the copy nothing but a name is lost.
 */
#ifndef FS_DRAFTCOPY_H
#define FS_DRAFTCOPY_H

#include "body.h"
#include "draft.h"

/* From now on it has the bytes, the date and the flags of this message. False, and nothing has changed: it is not
 * empty, or would not be sent (a local name, or none), or replaces a message. */
bool draftcopy_begin_locked(struct draft *draft, struct mailbox *mailbox, const struct message *message);
bool draftcopy_is_hollow_locked(const struct draft *draft);
/* Hollow, and its date and flags are the message's: the server can make it. */
bool draftcopy_is_exact_locked(const struct draft *draft);

/* Of a hollow one. True: draftcopy_fill must be called, without the lock. Else wait is queued, and when it is told
 * success this is to be asked again, if the draft is hollow still. IMAP_GONE: the message is not there any more. */
bool draftcopy_can_fill_locked(struct draft *draft, struct body_wait *wait);
/* 0 or an errno; EAGAIN: to be begun again. */
int draftcopy_fill(struct draft *draft);

struct draftcopy_source {
    struct mailbox *mailbox;
    uint32_t message_id, uid;
};
/* What an exact one is a copy of; false: it is none. */
bool draftcopy_source_locked(const struct draft *draft, struct draftcopy_source *source_out);
/* Somebody else sees to it that the copy is made (writeback.h): the draft has no name any more and is not sent. */
void draftcopy_hand_over_locked(struct draft *draft);

/* ---- for draft*.c and send*.c ------------------------------------------------------------------------- */

/* A hollow one that is DRAFT_SENDING: its waits are told. */
void draftcopy_send_locked(struct draft *draft);
/* Nobody holds it any more. */
void draftcopy_left_locked(struct draft *draft);
/* Its bytes are its own, or it goes. */
void draftcopy_drop_locked(struct draft *draft);

#endif
