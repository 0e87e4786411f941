/* SPDX-License-Identifier: MIT */
/*
 * session: the IMAP protocol machine without I/O (RFC 3501 and 9051 section 3).
 *
 * Bytes from the server go in by imap_session_feed, events come out by callbacks, bytes for the
 * server are taken by imap_session_pull. It knows no socket, no thread, no clock and no file, so
 * a transcript drives it exactly as a server does, whichever way the bytes are cut.
 *
 * Ownership: the session owns submitted commands. Threads: one at a time; the owner sees to that.
 * Memory: at most what the limits below allow, whatever the server sends.
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include "imap/command.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_session;

enum imap_state {
    IMAP_STATE_GREETING, /* nothing received yet */
    IMAP_STATE_NOT_AUTHENTICATED,
    IMAP_STATE_AUTHENTICATED,
    IMAP_STATE_SELECTED,
    IMAP_STATE_LOGOUT, /* BYE received or LOGOUT done */
    IMAP_STATE_DEAD    /* protocol breach or line lost: every command has been failed */
};

struct imap_limits {
    size_t response_bytes; /* one response with its buffered literals; default 16 MiB */
    unsigned depth;        /* nested lists; default 64 */
    size_t pipeline;       /* commands in flight; default 64 */
    uint32_t messages;     /* EXISTS above this is a breach; default 50,000,000 */
};

enum imap_trace_direction { IMAP_TRACE_CLIENT, IMAP_TRACE_SERVER, IMAP_TRACE_NOTE };

struct imap_session_events {
    /* Every untagged response, the ones that a command asked for included, after the session's own
     * state has taken it in. For FETCH without UID and for EXPUNGE see imap_session_uid. */
    void (*untagged)(void *arg, const struct imap_response *response);
    /* One line for the trace, without CRLF, secrets already masked; bodies as {n} only. May be NULL. */
    void (*trace)(void *arg, enum imap_trace_direction direction, const char *line, size_t len);
    /* After `untagged`, an untagged response that answers no command. May be NULL. */
    void (*unasked)(void *arg, const struct imap_response *response);
};

/* limits NULL: the defaults. */
struct imap_session *imap_session_new(const struct imap_session_events *events, void *arg,
                                      const struct imap_limits *limits);
void imap_session_free(struct imap_session **session); /* fails what is pending with IMAP_CANCEL first */

/* Takes all of data. IMAP_OK; IMAP_PROTO or IMAP_LIMIT when the stream cannot be trusted any more: the session
 * is then dead, every command was failed, and err says what the server did. A dead one tells its fate. */
enum imap_status imap_session_feed(struct imap_session *session, const void *data, size_t len,
                                   struct imap_error *err) IMAP_CHECK;
/* The bytes that may be sent now; NULL with *len 0 when there are none. Valid until the next call on
 * the session; imap_session_sent then takes n <= len of them off. */
const void *imap_session_pull(struct imap_session *session, size_t *len);
void imap_session_sent(struct imap_session *session, size_t n);

/* The line was lost: fails every pending command once (IMAP_AGAIN, or IMAP_UNSURE for one that was
 * sent and must not be repeated), with why as its error. The session is then dead. */
void imap_session_lost(struct imap_session *session, const struct imap_error *why);

/* Queues a command; never blocks. It is sent when the pipelining rules allow. Takes ownership always:
 * also on IMAP_USAGE (wrong state, broken arguments) and IMAP_AGAIN (after BYE, dead session), where
 * `done` has been called. */
enum imap_status imap_session_submit(struct imap_session *session, struct imap_command *command,
                                     struct imap_error *err);
/* Takes back a command that was submitted and not done, if nothing of it was written yet: frees it without
 * calling `done`. Not to be called from a callback. */
bool imap_session_withdraw(struct imap_session *session, struct imap_command *command);
/* Answers a "+" of AUTHENTICATE with one line (base64, empty allowed, "*" aborts), traced as ***. */
void imap_session_continue(struct imap_session *session, const char *line, size_t len);
/* Ends a running IDLE by DONE; nothing when none runs. IDLE is also ended by itself before the next
 * submitted command is sent. */
void imap_session_idle_done(struct imap_session *session);

/* Capabilities that are to be treated as if they were not offered (imap_caps_hide), from now on; copied. */
void imap_session_hide_caps(struct imap_session *session, const char *names);

enum imap_state imap_session_state(const struct imap_session *session);
/* Why the session is dead, IMAP_OK inside while it is not: imap_session_pull tells only by this. */
const struct imap_error *imap_session_fate(const struct imap_session *session);
/* The human part of the greeting, at most 1000 bytes of it; "" before it came. */
const char *imap_session_welcome(const struct imap_session *session);
const struct imap_caps *imap_session_caps(const struct imap_session *session);
/* True from greeting, login or ENABLE on until they must be asked anew (after STARTTLS and login). */
bool imap_session_caps_known(const struct imap_session *session);
/* After the OK of STARTTLS and before the handshake: IMAP_PROTO if bytes followed it. Forgets all
 * capabilities (RFC 3501 6.2.1). */
enum imap_status imap_session_tls_started(struct imap_session *session, struct imap_error *err) IMAP_CHECK;

/* After the feed that brought the OK of COMPRESS: what followed it is compressed already, was not parsed, and
 * is handed back; valid until the next feed. Nothing is parsed or sent before. IMAP_USAGE: no such OK. */
enum imap_status imap_session_compress_started(struct imap_session *session, const void **rest_out,
                                               size_t *len_out, struct imap_error *err) IMAP_CHECK;
/* What ENABLE has switched on (RFC 5161), as capabilities. With UTF8=ACCEPT or IMAP4REV2 among them mailbox
 * names are UTF-8 on the wire and strings may hold it (RFC 6855, RFC 9051). */
const struct imap_caps *imap_session_enabled(const struct imap_session *session);

/* The selected mailbox, as told since SELECT; all zero when none is. */
struct imap_selected {
    const char *name; /* wire bytes */
    bool read_only;
    uint32_t exists, uidvalidity, uidnext;
    uint64_t highestmodseq; /* 0 when unknown or NOMODSEQ */
    unsigned permanent_flags;
};
const struct imap_selected *imap_session_selected(const struct imap_session *session);
/* The UID of a sequence number as learnt from FETCH responses since SELECT; 0 when not known. During
 * the callback of an EXPUNGE it still tells the expunged message's UID. */
uint32_t imap_session_uid(const struct imap_session *session, uint32_t seq);
/* How many commands are submitted and not done; how many of those await the server. */
size_t imap_session_pending(const struct imap_session *session);
size_t imap_session_in_flight(const struct imap_session *session);
bool imap_session_idling(const struct imap_session *session); /* "+" of IDLE seen, DONE not sent */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
