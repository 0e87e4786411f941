/* SPDX-License-Identifier: MIT */
/*
 * sendcheck: whether the server keeps what it was sent. Some replace the bytes of a header that are not ASCII (Cyrus,
 * unless it is told otherwise, by X) and say nothing: so a header with such bytes is asked for again when the message
 * has been stored, and the log says if it is another one.
 *
 * Nobody waits for that. Without an answer nothing is said.
 */
#ifndef FS_SENDCHECK_H
#define FS_SENDCHECK_H

#include "draft_internal.h"

struct sendcheck;

/* Of a draft that has arrived as this message, and whose file is still there; the caller's. */
struct sendcheck *sendcheck_new_locked(const struct draft *draft, uint32_t uidvalidity, uint32_t uid);
/* On the sender's thread, without the lock: looks into the file, asks if that is worth it and the pool is
 * still there. Takes the check. */
void sendcheck_run(struct sendcheck *check, bool may_ask);

#endif
