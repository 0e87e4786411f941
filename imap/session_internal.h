/* SPDX-License-Identifier: MIT */
/*
 * session_internal: what the files of the session share. The invariants are on top of session.c.
 */
#ifndef IMAP_SESSION_INTERNAL_H
#define IMAP_SESSION_INTERNAL_H

#include "imap/session.h"

#include "arena.h"
#include "cmd.h"
#include "frame.h"
#include "msgmap.h"
#include "resp.h"

struct imap_command_list {
    struct imap_command *first, **last; /* last: where the next one is linked */
    size_t count;
};

/* What is to be sent. Positions count every byte that the session ever wrote. */
struct imap_output {
    char *data;
    size_t begin, end, room; /* data[begin..end) is not yet sent */
    uint64_t written;        /* position of data + end */
    bool secret;             /* to be wiped when it leaves */
};

/* Why nothing is parsed or written: the transport is to change first. */
enum imap_pause { IMAP_PAUSE_NONE, IMAP_PAUSE_TLS, IMAP_PAUSE_TLS_INTRUDED, IMAP_PAUSE_COMPRESS };

struct imap_session {
    struct imap_session_events events;
    void *arg;
    struct imap_limits limits;

    enum imap_state state;
    enum imap_pause pause;  /* after the OK of STARTTLS or COMPRESS */
    struct imap_buf behind; /* what came behind the OK of COMPRESS */
    struct imap_error bye;  /* status IMAP_OK: no BYE was received */
    struct imap_error fate; /* why the session is dead */
    char *welcome;          /* the greeting's text */

    struct imap_caps caps;
    char *caps_hidden; /* names, or NULL */
    bool caps_known;
    bool caps_renewed; /* told again since the last LOGIN or AUTHENTICATE was sent */
    struct imap_caps enabled;
    bool notified; /* NOTIFY was agreed upon: what nobody asked for may come at any time (RFC 5465) */

    struct imap_selected selected;
    char *selected_name;
    struct imap_msgmap map;

    struct imap_command_list queue, flight;
    uint32_t last_number;         /* of tags */
    uint32_t renumbered;          /* see struct imap_response */
    size_t holding;               /* commands in both lists that hold what comes after them */
    struct imap_command *writing; /* begun, but held up by a literal that awaits "+", or ... */
    bool streaming;               /* ... whose source is being read, piece by piece */
    uint64_t owed, owed_size;     /* of a literal promised by a command that is gone: octets left, and all */
    struct imap_command *idle;    /* in flight ... */
    bool idle_begun;              /* ... and "+" seen */
    bool idle_enough;             /* DONE is wanted */
    bool idle_ended;              /* DONE is written */
    bool challenged;              /* AUTHENTICATE owes an answer to a "+" */
    struct imap_output output;
    struct imap_buf line; /* of the trace, being written */

    struct imap_frame frame;
    struct imap_arena arena;
    struct imap_command *body;  /* who gets the literal being streamed */
    struct imap_command *owner; /* who took a literal of the FETCH being read */
};

/* ---- session.c --------------------------------------------------------------------------------- */
/* Unlinks from flight, tells `done` and frees. err NULL: all went well. */
void imap_session_finish(struct imap_session *session, struct imap_command *command,
                         const struct imap_response *response, const struct imap_error *err);
/* Makes the session dead and fails everything: what the server may have carried out with status, or
 * IMAP_UNSURE; the rest with IMAP_AGAIN. */
void imap_session_die(struct imap_session *session, enum imap_status status, const struct imap_error *why);
/* Fails the command, which is in flight, with why, and everything else as when the line is lost. */
void imap_session_break_off(struct imap_session *session, struct imap_command *command,
                            const struct imap_error *why);
/* Forgets the selected mailbox; its name, if any, is the new one. */
void imap_session_leave_mailbox(struct imap_session *session);
bool imap_session_allows(const struct imap_session *session, const struct imap_verb *verb);

/* ---- session_state.c --------------------------------------------------------------------------- */
bool imap_session_utf8(const struct imap_session *session); /* quoted strings may hold it */

/* ---- session_send.c ---------------------------------------------------------------------------- */
void imap_output_fini(struct imap_output *output);
/* Position of the first byte that was not taken yet. */
uint64_t imap_output_sent(const struct imap_output *output);
/* Gives the command its tag and writes as much of it as may be sent. */
void imap_session_write(struct imap_session *session, struct imap_command *command);
/* Goes on with session->writing after a "+". */
void imap_session_write_on(struct imap_session *session);
/* When the output has drained: adds a piece of what is being streamed. May end the session. */
void imap_session_refill(struct imap_session *session);
/* Before a command that is refused goes. */
void imap_session_note_refusal(struct imap_session *session, const struct imap_command *command);
void imap_session_write_done(struct imap_session *session); /* of IDLE */

/* ---- session_recv.c ---------------------------------------------------------------------------- */
/* What a status response (OK, PREAUTH) says about capabilities. */
void imap_session_take_caps(struct imap_session *session, const struct imap_caps *caps);

/* ---- session_data.c ---------------------------------------------------------------------------- */
/* Takes an untagged response in, tells `untagged` and the command it answers. IMAP_OK, or why the
 * stream cannot be trusted. */
enum imap_status imap_session_take_untagged(struct imap_session *session, struct imap_response *response,
                                            struct imap_error *err) IMAP_CHECK;
/* The command in flight that this FETCH answers: one that takes bodies by choice, if body. NULL: none. */
struct imap_command *imap_session_fetcher(struct imap_session *session, const struct imap_fetch *fetch,
                                          bool body);

/* ---- session_trace.c --------------------------------------------------------------------------- */
/* Collects a line until its end; control bytes are written as \x{0d}. Nothing without a tracer. */
void imap_session_trace_add(struct imap_session *session, const char *bytes, size_t len);
void imap_session_trace_end(struct imap_session *session, enum imap_trace_direction direction);
void imap_session_trace_response(struct imap_session *session, const struct imap_bytes *bytes);

#endif
