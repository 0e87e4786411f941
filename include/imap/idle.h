/* SPDX-License-Identifier: MIT */
/*
 * idle: being told of changes instead of asking (RFC 2177 IDLE, RFC 5465 NOTIFY).
 *
 * IDLE is renewed by the client before the server's 29 minutes are over, and ended by itself for any
 * other verb that is queued; the caller sees neither: idling goes on afterwards. Several may idle at once, and
 * each is told everything. While somebody idles nothing is kept for imap_client_unsolicited.
 */
#ifndef IMAP_IDLE_H
#define IMAP_IDLE_H

#include "imap/client.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* imaplib2's idle: ends with IMAP_OK when the server has told of a change (EXISTS, EXPUNGE, FETCH ...), which
 * the answer holds, or after duration_ms without one (empty answer). With call->done it is told so; with
 * call->response each response is handed over as it comes and only the time, imap_client_cancel or
 * the loss of the line ends it. duration_ms 0: for ever. IMAP_NO: the server has no IDLE. */
enum imap_status imap_client_idle(struct imap_client *client, unsigned duration_ms, struct imap_call *call);

/* imaplib 3.14's iterator: between begin and end, next returns what the server says as it comes, its signs of
 * life ("* OK Still here"), too. An iterator is for one thread at a time, and not for callbacks (IMAP_USAGE).
 * begin returns when the server idles. */
struct imap_idle;
enum imap_status imap_idle_begin(struct imap_client *client, unsigned duration_ms,
                                 struct imap_idle **idle_out, struct imap_error *err) IMAP_CHECK;
/* Waits for at most wait_ms (UINT_MAX: as long as the whole may take) for the next response. IMAP_OK:
 * *response_out, valid until the next call; NULL when the duration is over. IMAP_AGAIN with sys_errno
 * ETIMEDOUT: nothing within wait_ms, go on; any other: the line is lost. wait_ms 0 after a first response
 * gathers a burst. IMAP_LIMIT: 64 MiB were not asked for in time; what followed is lost. */
enum imap_status imap_idle_next(struct imap_idle *idle, unsigned wait_ms,
                                const struct imap_response **response_out, struct imap_error *err) IMAP_CHECK;
/* Sends DONE, waits for the server's answer and frees. IMAP_OK, or what became of IDLE. */
enum imap_status imap_idle_end(struct imap_idle **idle, struct imap_error *err);

/* NOTIFY SET (RFC 5465 3): events as IMAP text after "SET ", for instance "(selected (MessageNew MessageExpunge
 * FlagChange)) (personal (MessageNew MailboxName))"; with status: "NOTIFY SET STATUS". events NULL: NOTIFY
 * NONE. What is then told comes by the client's untagged event and imap_client_unsolicited. */
enum imap_status imap_client_notify(struct imap_client *client, bool status, const char *events,
                                    struct imap_call *call);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
