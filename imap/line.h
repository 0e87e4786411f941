/* SPDX-License-Identifier: MIT */
/*
 * line: a transport and the session that talks over it, pumped by one thread.
 *
 * One step writes what the session wants to say, waits, reads what has come and feeds it. Login and
 * the connection's main loop differ in what they do between steps. The owner sets transport; the
 * session makes no call into the line. Error pointers must not be NULL here.
 */
#ifndef IMAP_LINE_H
#define IMAP_LINE_H

#include "imap/session.h"

#include "netutil.h"

/* IDLE is begun anew after so many ms: servers may hang up after 30 minutes (RFC 2177). */
#define IMAP_LINE_IDLE_RENEW ((int64_t)25 * 60 * 1000)

struct imap_line {
    struct imap_transport *transport;
    struct imap_session *session;
    const struct imap_endpoint *endpoint;
    bool encrypted;             /* TLS is up, or a tunnel of the user's own choosing */
    bool compressed;            /* by COMPRESS DEFLATE */
    struct imap_octets *octets; /* where they are counted, the owner's; NULL: nowhere */
    bool bye;                   /* a BYE was received: bye_text */
    char bye_text[160];
    unsigned patience_ms; /* with a silent server that owes an answer; 0: the endpoint's timeout */

    /* private */
    char *buffer;
    bool unsent;       /* the transport would not take all */
    bool due;          /* the server owes an answer ... */
    int64_t due_since; /* ... and nothing has moved since then */
};

/* events, arg: for the session that is made. */
void imap_line_init(struct imap_line *line, const struct imap_endpoint *endpoint,
                    const struct imap_session_events *events, void *arg);
/* The same with limits for the session (NULL: its own). */
void imap_line_init_limited(struct imap_line *line, const struct imap_endpoint *endpoint,
                            const struct imap_session_events *events, void *arg,
                            const struct imap_limits *limits);
/* Closes the transport and frees the session, which fails what is left in it with IMAP_CANCEL. */
void imap_line_fini(struct imap_line *line);

/* To be called by the session's untagged event: keeps a BYE's words. */
void imap_line_note(struct imap_line *line, const struct imap_response *response);

/* Writes what can be written now, up to a megabyte of it. Failing means that the line is lost. */
enum imap_status imap_line_flush(struct imap_line *line, struct imap_error *err) IMAP_CHECK;
/* Waits until the transport can be read (or written, if something is unsent), wake_fd or cancel_fd
 * (either may be -1) is readable, or the deadline passes; sooner when the server has been silent for
 * too long. Tells which of the two descriptors is readable; of the line the next calls tell. */
#define IMAP_LINE_WOKEN 1u
#define IMAP_LINE_CANCELLED 2u
unsigned imap_line_wait(struct imap_line *line, int wake_fd, int cancel_fd, int64_t deadline_ms);
/* Reads at most one buffer of what is there and feeds it. Failing (the end of the stream included)
 * means that the line is lost: IMAP_AGAIN, IMAP_SYS, IMAP_PROTO or IMAP_LIMIT. */
enum imap_status imap_line_receive(struct imap_line *line, struct imap_error *err) IMAP_CHECK;
/* From now on, and from what was silent before nothing counts: so long may the server be silent (0: the
 * endpoint's timeout). */
void imap_line_be_patient(struct imap_line *line, unsigned patience_ms);
/* IMAP_AGAIN when an answer is due and nothing has come for so long. */
enum imap_status imap_line_check_silence(struct imap_line *line, struct imap_error *err) IMAP_CHECK;

#endif
