/* SPDX-License-Identifier: MIT */
/*
 * client: one connection to an IMAP server, for any number of threads.
 *
 * A thread of its own drives the connection. Verbs (mailbox.h, message.h, admin.h, auth.h, idle.h) are
 * queued in the order of the calls and sent as early as the protocol allows: many are in flight at
 * once, while those that change the state (SELECT, login, STARTTLS, ENABLE ...) wait for what is before
 * them and hold what comes after (HACKING, "which commands may run together"). A verb that is not
 * possible in the state it would be sent in fails with IMAP_USAGE, unsent.
 *
 * Every verb takes a struct imap_call: without `done` it blocks until the server has answered and returns
 * what became of it; with it the verb returns IMAP_OK at once and `done` is called exactly once, whatever
 * happens. When the line is lost every pending verb fails (IMAP_AGAIN, or IMAP_UNSURE where the server may have
 * done it), then `lost` is called; the client stays dead and is to be freed. There is no reconnecting
 * here; pool.h does that.
 *
 * Mailbox names are the bytes as LIST gave them ("wire names"); imap_client_name_encode makes one from
 * UTF-8, whatever the connection's mode (modified UTF-7, or UTF-8 after ENABLE UTF8=ACCEPT).
 *
 * Threads: any function from any thread, but for imap_client_free, which must be the last. Callbacks run
 * on the client's thread without locks; from there verbs can be queued, but not blocked on (IMAP_USAGE).
 */
#ifndef IMAP_CLIENT_H
#define IMAP_CLIENT_H

#include "imap/answer.h"
#include "imap/endpoint.h"
#include "imap/session.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_client;
struct imap_credentials; /* auth.h */

/* How much `trace` is told (imaplib's debug levels); the log of imap_client_log has everything. */
enum imap_trace_level {
    IMAP_TRACE_ALL,     /* every line in both directions */
    IMAP_TRACE_COMMANDS /* no untagged responses: commands, "+" and what became of each */
};

struct imap_client_events { /* any may be NULL */
    /* Every untagged response, those that answer a verb too (imaplib's untagged_responses). */
    void (*untagged)(void *arg, const struct imap_response *response);
    /* Once, when the line is gone, after every pending verb has failed; not after LOGOUT or imap_client_free. */
    void (*lost)(void *arg, const struct imap_error *why);
    /* The protocol, line by line, secrets masked (session.h). */
    void (*trace)(void *arg, enum imap_trace_direction direction, const char *line, size_t len);
    enum imap_trace_level trace_level;
    void *arg;
};

struct imap_client_options {
    struct imap_endpoint endpoint;
    /* How to log in; NULL: by endpoint.user and .password, the strongest way offered. */
    const struct imap_credentials *credentials;
    bool no_login; /* stop after the greeting (and STARTTLS, if endpoint.tls asks for it) */
    bool compress; /* COMPRESS=DEFLATE after login where offered (RFC 4978) */
    struct imap_client_events events;
    const struct imap_limits *limits; /* NULL: the defaults of session.h */
    size_t answer_bytes;              /* kept for one answer at most, IMAP_LIMIT beyond; 0: 256 MiB */
};

/* Connects, secures the line, logs in. Copies what it needs of options. IMAP_AUTH, IMAP_AGAIN, IMAP_PROTO,
 * IMAP_SYS, IMAP_USAGE; no retries. */
enum imap_status imap_client_connect(const struct imap_client_options *options,
                                     struct imap_client **client_out, struct imap_error *err) IMAP_CHECK;
/* Fails what is pending with IMAP_CANCEL (who blocks returns first), closes the line (without LOGOUT: see
 * imap_client_logout), joins the thread. Aborts when called from a callback. */
void imap_client_free(struct imap_client **client);

/* ---- how a verb is called -------------------------------------------------------------------------- */

struct imap_call {
    /* set by the caller; all zeroes: blocking, no deadline but the endpoint's timeout for silence */
    void (*done)(void *arg, const struct imap_answer *answer); /* answer is borrowed */
    void *arg;                                                 /* of all functions here */
    unsigned timeout_ms; /* from the call on; 0: none. Then IMAP_AGAIN (not sent, or harmless to repeat) or
                          * IMAP_UNSURE; an answer that comes later is dropped */
    /* What comes before `done`, on the client's thread. With `response` the untagged responses are handed
     * over and not kept in the answer; with body_begin literals of BODY[] are streamed (command.h). */
    void (*response)(void *arg, const struct imap_response *response);
    bool (*body_begin)(void *arg, const struct imap_fetch *so_far, const struct imap_section *section);
    void (*body_data)(void *arg, const void *data, size_t len);
    void (*body_end)(void *arg);

    /* set by the verb */
    uint64_t id;                /* for imap_client_cancel; set before anything can be called back */
    struct imap_error error;    /* of a verb that did not return IMAP_OK */
    struct imap_answer *answer; /* blocking: what was answered, also when the server refused; replaced by
                                 * the next verb given this call, freed by imap_call_fini */
};

void imap_call_fini(struct imap_call *call);

/* imaplib's xatom, uid and all that has no verb here: any command, built by command.h (whose events are not
 * used). Takes ownership, always. call NULL: blocking, the answer is dropped (as with every verb).
 * IMAP_USAGE: broken arguments, wrong state, blocking on the client's own thread. */
enum imap_status imap_client_command(struct imap_client *client, struct imap_command **command,
                                     struct imap_call *call);
/* The verb ends with IMAP_CANCEL at once, if it had not ended yet (false: it had, or is unknown). One that
 * was sent already may still be carried out; a running IDLE is ended. The line is lost where there is no way
 * back: within a step of login, or when a part of a source (imap_command_source) was sent; that goes for
 * timeout_ms, too. */
bool imap_client_cancel(struct imap_client *client, uint64_t id);

/* ---- what is known --------------------------------------------------------------------------------- */

enum imap_state imap_client_state(struct imap_client *client);
/* As last told by the server; they change after STARTTLS and login. False: none were told. */
bool imap_client_caps(struct imap_client *client, struct imap_caps *caps_out);
bool imap_client_has(struct imap_client *client, const char *capability); /* "MOVE", case-insensitive */
bool imap_client_encrypted(struct imap_client *client);                   /* TLS, or a tunnel */
/* The greeting's text (imaplib's welcome). Constant. */
const char *imap_client_welcome(const struct imap_client *client);

#define IMAP_MAILBOX_NAME_MAX 4096
/* The mailbox that is selected; false when none is. name: as in struct imap_selected; "" if it is longer. */
bool imap_client_selected(struct imap_client *client, struct imap_selected *selected_out,
                          char name_out[IMAP_MAILBOX_NAME_MAX]);
/* UTF-8 to wire name and back, for this connection's mode. False as imap_utf7_encode and _decode. */
bool imap_client_name_encode(struct imap_client *client, const char *utf8, char *wire_out, size_t size);
bool imap_client_name_decode(struct imap_client *client, const char *wire, char *utf8_out, size_t size);

/* Takes what the server has said by itself since the last time (EXISTS, EXPUNGE, FETCH, ... that answered
 * no verb), as an answer with status IMAP_OK; at most the last 1 MiB of it (imaplib's response and recent).
 * NULL when there was nothing. */
struct imap_answer *imap_client_unsolicited(struct imap_client *client);
/* The last lines of the protocol, secrets masked, at most 256 lines and 64 KiB, long ones cut: line is called
 * for each, oldest first, on this thread (imaplib's print_log). */
void imap_client_log(struct imap_client *client,
                     void (*line)(void *arg, enum imap_trace_direction direction, const char *text),
                     void *arg);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
