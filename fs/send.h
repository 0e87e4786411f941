/* SPDX-License-Identifier: MIT */
/*
 * send: a draft becomes a message of its mailbox, by APPEND.
 *
 * The message is there exactly once, or the wait got an error and the draft is still where it was written.
 * When the line is lost after the server may have had all of it, the mailbox is looked through (by size and
 * date, and then by the bytes) before it is sent again.
 */
#ifndef FS_SEND_H
#define FS_SEND_H

#include "draft.h"

/* True when there is nothing to be sent: the name is local, or it is empty, or was sent and not written since.
 * Else wait is queued and told. IMAP_LIMIT with IMAP_CODE_TOOBIG: over APPENDLIMIT, and was not sent. */
bool draft_send_locked(struct draft *draft, struct wait *wait);

#endif
