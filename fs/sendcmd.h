/* SPDX-License-Identifier: MIT */
/*
 * sendcmd: the two commands that sending a draft takes. On the sender's thread, which reads the draft's file;
 * what comes of them is told to send.c on a connection's thread, without the lock.
 */
#ifndef FS_SENDCMD_H
#define FS_SENDCMD_H

#include "draft_internal.h"

/* Submits APPEND, whose end is append_ended; or fails before anything was sent. */
enum imap_status sendcmd_append(struct draft *draft, struct imap_error *err) IMAP_CHECK;
/* Submits the FETCH of draft->candidate, whose end is compare_ended. */
enum imap_status sendcmd_compare(struct draft *draft, struct imap_error *err) IMAP_CHECK;

/* ---- send.c; with the lock ---- */
void append_ended_locked(struct draft *draft, const struct imap_result *result);
/* same: every byte is. status IMAP_OK and not the same: it is another message. */
void compare_ended_locked(struct draft *draft, const struct imap_result *result, bool same);

#endif
