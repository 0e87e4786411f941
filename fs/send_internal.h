/* SPDX-License-Identifier: MIT */
/*
 * send_internal: send.c (how a sending goes on and ends), sender.c (the thread), sendlook.c (looking for what may have
 * arrived), sendbatch.c (APPEND) and sendcmd.c (the draft's bytes, and comparing them). Functions ending in _locked want
 * the account lock.
 */
#ifndef FS_SEND_INTERNAL_H
#define FS_SEND_INTERNAL_H

#include "../imap/upload.h"
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
/* The end of an APPEND of the draft, as it would be told of it alone. On a connection's thread. */
void append_ended_locked(struct draft *draft, const struct imap_result *result);
/* It was refused together with others: each is sent by itself. maybe: the server, which should have kept none, is
 * asked first. */
void send_apart_locked(struct draft *draft, bool maybe);
/* Nothing is sent for nobody. */
static inline bool send_wanted_locked(const struct draft *draft)
{
    return draft->waits.first != NULL;
}

/* ---- sender.c ---- */

/* It has something to do for the draft. */
void sender_enqueue_locked(struct draft *draft);
bool sender_stopped_locked(const struct sender *sender);
/* The following are for its thread. The next draft of the queue that may be sent with this one: taken off the queue and
 * saved. NULL: there is none, or it has more bytes than room. sender_release_locked follows. */
struct draft *sender_companion_locked(const struct draft *draft, uint64_t room);
void sender_release_locked(struct draft *draft);
/* A command for so many drafts begins, or has ended (on any thread). together: what is for the mailbox waits while
 * there are some, to go together; else NULL. */
void sender_begun_locked(struct sender *sender, struct mailbox *together, unsigned drafts);
void sender_ended_locked(struct sender *sender, struct mailbox *together, unsigned drafts);
/* A chore, too: whether the message that it has become is what it was (sendcheck.h). */
void sender_check_locked(struct draft *draft, uint32_t uidvalidity, uint32_t uid);

/* ---- sendlook.c ---- */

/* Lists the mailbox anew, then compares what it may be. */
void sendlook_begin_locked(struct draft *draft);
/* The message is known as what was written under another name: it is not the draft, were it of the same bytes. */
bool sendlook_is_anothers_locked(const struct draft *draft, uint32_t uid);
/* The candidate is not it. */
void sendlook_on_locked(struct draft *draft);
/* It has arrived: the message that it replaces is deleted, then it is over. */
void sendlook_replace_locked(struct draft *draft);

/* ---- sendbatch.c; on the sender's thread ---- */

#define SEND_TOGETHER_MAX 100u                  /* drafts in one command */
#define SEND_TOGETHER_BYTES (UINT64_C(4) << 20) /* of them, as written; a larger one goes alone */

/* Submits APPEND of the draft and of those of the queue that may go with it. The end of each is append_ended_locked, or
 * send_fail_locked before anything was sent. Lets go of the lock meanwhile. */
void sendbatch_append_locked(struct draft *draft);

/* APPENDLIMIT (RFC 7889); UINT64_MAX when the server does not say. On any thread. */
uint64_t sendbatch_limit(const struct account *account);

/* ---- sendcmd.c; on the sender's thread, which reads the draft's file ---- */

/* A draft's bytes on their way. */
struct sendbytes {
    int fd; /* -1: closed */
    struct imap_upload_source source;
};

enum imap_status sendbytes_open(struct sendbytes *bytes, const struct draft *draft,
                                struct imap_error *err) IMAP_CHECK;
void sendbytes_close(struct sendbytes *bytes);
/* Octets that it will have on the server; 0 when it cannot be read. */
uint64_t sendcmd_measure(const struct draft *draft);
/* Submits the FETCH of draft->candidate, whose end is compare_ended. */
enum imap_status sendcmd_compare(struct draft *draft, struct imap_error *err) IMAP_CHECK;
/* On a connection's thread. same: every byte is; status IMAP_OK and not same: it is another message. */
void compare_ended_locked(struct draft *draft, const struct imap_result *result, bool same);

#endif
