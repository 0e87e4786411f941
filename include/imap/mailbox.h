/* SPDX-License-Identifier: MIT */
/*
 * mailbox: the verbs on mailboxes (RFC 3501 6.3, 6.4.2 and the extensions named).
 *
 * Names are wire names (client.h). Every function returns as client.h says; the answers are to be read
 * by answer.h: the responses' types stand beside each verb.
 */
#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include "imap/client.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* SELECT and EXAMINE (RFC 3501 6.3.1). What the server told is had by imap_client_selected and from the
 * answer (FLAGS, EXISTS, OK codes ...). */
#define IMAP_SELECT_READ_ONLY 1u /* EXAMINE */
/* A mailbox that turns out READ-ONLY though it was not asked for is IMAP_NO with IMAP_CODE_READ_ONLY (imaplib's
 * readonly error); it stays selected. */
#define IMAP_SELECT_MUST_WRITE 2u
#define IMAP_SELECT_CONDSTORE 4u /* (CONDSTORE), RFC 7162 3.1.8 */
enum imap_status imap_client_select(struct imap_client *client, const char *mailbox, unsigned flags,
                                    struct imap_call *call);
/* SELECT or EXAMINE with (QRESYNC (...)), RFC 7162 3.2.5; ENABLE QRESYNC first. known: the UIDs that the
 * caller has, or NULL. FETCH and VANISHED. */
enum imap_status imap_client_select_qresync(struct imap_client *client, const char *mailbox, unsigned flags,
                                            uint32_t uidvalidity, uint64_t modseq, const char *known,
                                            struct imap_call *call);
/* CLOSE (6.4.2) expunges; UNSELECT (RFC 3691) does not. */
enum imap_status imap_client_close(struct imap_client *client, struct imap_call *call);
enum imap_status imap_client_unselect(struct imap_client *client, struct imap_call *call);

/* special_use: "\\Archive" (RFC 6154 3), or NULL. MAILBOXID in the text (RFC 8474). */
enum imap_status imap_client_create(struct imap_client *client, const char *mailbox, const char *special_use,
                                    struct imap_call *call);
enum imap_status imap_client_delete(struct imap_client *client, const char *mailbox, struct imap_call *call);
enum imap_status imap_client_rename(struct imap_client *client, const char *from, const char *to,
                                    struct imap_call *call);
enum imap_status imap_client_subscribe(struct imap_client *client, const char *mailbox,
                                       struct imap_call *call);
enum imap_status imap_client_unsubscribe(struct imap_client *client, const char *mailbox,
                                         struct imap_call *call);

/* LIST and LSUB (6.3.8, 6.3.9): LIST or LSUB. */
enum imap_status imap_client_list(struct imap_client *client, const char *reference, const char *pattern,
                                  struct imap_call *call);
enum imap_status imap_client_lsub(struct imap_client *client, const char *reference, const char *pattern,
                                  struct imap_call *call);
/* LIST (selection) reference (patterns) RETURN (options), RFC 5258, 5819, 6154: selection and options are
 * IMAP text without the parentheses ("SUBSCRIBED", "STATUS (MESSAGES UIDNEXT) SPECIAL-USE"), or NULL. LIST,
 * and STATUS where that was asked for. */
enum imap_status imap_client_list_extended(struct imap_client *client, const char *selection,
                                           const char *reference, const char *const *patterns, size_t count,
                                           const char *options, struct imap_call *call);
/* STATUS (6.3.10): items as "MESSAGES UIDNEXT SIZE". STATUS. */
enum imap_status imap_client_status(struct imap_client *client, const char *mailbox, const char *items,
                                    struct imap_call *call);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
