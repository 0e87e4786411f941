/* SPDX-License-Identifier: MIT */
/*
 * send_internal: send.c (how a sending goes on and ends), sender.c (the thread), sendlook.c (looking for what may have
 * arrived) and sendcmd.c (the commands). Functions ending in _locked want the account lock.
 */
#ifndef FS_SEND_INTERNAL_H
#define FS_SEND_INTERNAL_H

#include "draft_internal.h"
#include "mailbox_internal.h"
#include "send.h"

/* ---- send.c ---- */

/* The step is done next, by the sender's thread. */
void send_step_locked(struct draft *draft, enum send_step step);
/* It is not sent, and whoever waits is told, once it is saved. err is copied. */
void send_fail_locked(struct draft *draft, const struct imap_error *err);
/* It has not arrived: again, if somebody still wants it and that is of any use; else it has failed. */
void send_again_locked(struct draft *draft, const struct imap_error *why);
/* uid 0: nobody knows which one it is. */
void send_arrived_locked(struct draft *draft, uint32_t uidvalidity, uint32_t uid);
/* The last of it: the waits are told. err NULL: success. */
void send_over_locked(struct draft *draft, const struct imap_error *err);

/* step_due: on the sender's thread. */
void send_take_step_locked(struct draft *draft);

/* ---- sendcmd.c ---- */

/* APPENDLIMIT (RFC 7889); UINT64_MAX when the server does not say. */
uint64_t sendcmd_limit(const struct account *account);

/* ---- sender.c ---- */

/* It has something to do for the draft. */
void sender_enqueue_locked(struct draft *draft);
bool sender_stopped_locked(const struct sender *sender);

/* ---- sendlook.c ---- */

/* Lists the mailbox anew, then compares what it may be. */
void sendlook_begin_locked(struct draft *draft);
/* The candidate is not it. */
void sendlook_on_locked(struct draft *draft);
/* It has arrived: the message that it replaces is deleted, then it is over. */
void sendlook_replace_locked(struct draft *draft);

/* ---- sendcmd.c; on the sender's thread, which reads the draft's file ---- */

/* Octets that it will have on the server; 0 when it cannot be read. */
uint64_t sendcmd_measure(const struct draft *draft);
/* Submits APPEND, whose end is append_ended; or fails before anything was sent. */
enum imap_status sendcmd_append(struct draft *draft, struct imap_error *err) IMAP_CHECK;
/* Submits the FETCH of draft->candidate, whose end is compare_ended. */
enum imap_status sendcmd_compare(struct draft *draft, struct imap_error *err) IMAP_CHECK;
/* Both on a connection's thread. same: every byte is; status IMAP_OK and not same: it is another message. */
void append_ended_locked(struct draft *draft, const struct imap_result *result);
void compare_ended_locked(struct draft *draft, const struct imap_result *result, bool same);

#endif
