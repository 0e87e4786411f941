/* SPDX-License-Identifier: MIT */
/*
 * send: a draft becomes a message of its mailbox, by APPEND.
 *
 * The message is there exactly once and the wait is told success, or the wait gets an error and the draft is
 * still where it was written. When the line is lost after the server may have had all of it, the mailbox is
 * listed anew and looked through, by size and date and then by the bytes, before it is sent again. Nothing
 * is sent for nobody: if all waits were cancelled before its turn came, or the line is lost, it stays. What is
 * found to have arrived after all becomes the message then.
 *
 * The account's event draft_sent tells which message it has become, before the wait is told.
 */
#ifndef FS_SEND_H
#define FS_SEND_H

#include "draft.h"

/* True when there is nothing to be sent: it has no name or a local one, is empty, or was sent and not written
 * since. Else wait is queued and told. The errors are for errmap: IMAP_NO with the server's code; IMAP_LIMIT with
 * TOOBIG for what is over APPENDLIMIT, which is not sent; IMAP_SYS: EINVAL for NUL bytes that the server does not
 * take, EIO for what was not written as a whole, EBUSY while somebody writes. */
bool draft_send_locked(struct draft *draft, struct wait *wait);

/* The same, but the wait is told as soon as it is on disk that it is to be sent (writeback.h), also by the next mount:
 * number is this promise's, not 0. It is taken back by who writes on, or removes it. Errors: as far as they can be told
 * without asking the server. */
bool draft_post_locked(struct draft *draft, uint64_t number, struct wait *wait);
/* It is not going to be sent: the promise is taken back, on disk, too. */
void draft_release_locked(struct draft *draft);

/* Whether draft_rename_locked would have to send it. */
bool draft_sends_locked(const struct draft *draft, const char *name);
/* Gives it the name, which another draft may have: that goes when this succeeds. If it has to be sent for that it
 * is, and gets its former name back when it cannot be. True when it is done, else wait is told. A local name that
 * becomes visible while somebody still writes is sent when he closes it. EBUSY: one of the two is being sent.
 * promise: not 0: it is not sent but posted under that number. */
bool draft_rename_locked(struct draft *draft, struct mailbox *mailbox, const char *name, uint64_t promise,
                         struct wait *wait);

/* Has it saved where it is, so that the next mount finds it. True when it is, or has no name. Else wait is told.
 * sync: as fsync(2) wants it. */
bool draft_save_locked(struct draft *draft, bool sync, struct wait *wait);

#endif
