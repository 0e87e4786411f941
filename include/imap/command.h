/* SPDX-License-Identifier: MIT */
/*
 * command: one IMAP command under construction, and what its answers are to be told to.
 *
 * Builders append arguments; the form of each string (atom, quoted, literal) is chosen by content,
 * and whether a literal must wait for "+" is decided when the command is sent (RFC 7888). A builder
 * that is given what IMAP cannot carry (NUL; CR or LF where no literal may stand) marks the command
 * broken: it is then refused with IMAP_USAGE when submitted, never sent.
 *
 * Ownership: the builder owns the command until it is submitted; from then on the session (or the
 * connection) owns it and frees it after `done`, which is called exactly once, whatever happens.
 * Threads: callbacks run on the thread that feeds the session. A callback may submit further
 * commands; it must not free the session.
 */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include <sys/types.h>

#include "imap/response.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_command;

/* How a command ended. Pointers are borrowed for the duration of the call. */
struct imap_result {
    enum imap_status status;        /* OK; NO for NO and BAD (GONE for NONEXISTENT, AGAIN for UNAVAILABLE,
                                     * LIMIT and throttling); AGAIN, UNSURE, CANCEL, PROTO ... when there
                                     * was no tagged response */
    bool bad;                       /* the server said BAD */
    const struct imap_text *text;   /* of the tagged response, NULL when there was none */
    const struct imap_error *error; /* never NULL; IMAP_OK inside when all went well */
};

struct imap_command_events {
    /* An untagged response that this command asked for: by type for LIST, SEARCH ...; a FETCH whose
     * UID (or number) is in the set asked for. May be NULL. After NOTIFY (RFC 5465) a LIST may be about a
     * change instead, which nothing tells: it is the newer truth about that mailbox. */
    void (*response)(void *arg, const struct imap_response *response);
    /* A literal of a FETCH body section begins: size in section->size; so_far holds the attributes
     * that preceded it (uid 0 when the server has not told it yet). Return true to get the bytes by
     * body_data, false to have the literal read and dropped. NULL: it is buffered into the response
     * while under the session's buffering cap, else dropped with IMAP_LIMIT. */
    bool (*body_begin)(void *arg, const struct imap_fetch *so_far, const struct imap_section *section);
    void (*body_data)(void *arg, const void *data, size_t len);
    void (*body_end)(void *arg);
    /* AUTHENTICATE and IDLE: a "+" came, with its text. AUTHENTICATE answers by
     * imap_session_continue; IDLE needs not to answer. */
    void (*continuation)(void *arg, const char *text, size_t len);
    void (*done)(void *arg, const struct imap_result *result);
};

/* verb in upper case as in the RFCs: "SELECT", "UID FETCH", "STARTTLS". What the session must know of
 * it (states it is allowed in, whether it may be pipelined, which responses answer it, whether it may
 * be repeated after a lost line) comes from a table by verb; an unknown verb is let run alone. */
struct imap_command *imap_command_new(const char *verb);
void imap_command_free(struct imap_command **command); /* only when never submitted */
void imap_command_on(struct imap_command *command, const struct imap_command_events *events, void *arg);

/* A space is put before each argument where the grammar wants one. */
void imap_command_raw(struct imap_command *command, const char *text); /* trusted text, as it is */
void imap_command_number(struct imap_command *command, uint64_t number);
void imap_command_astring(struct imap_command *command, const char *str, size_t len);
void imap_command_mailbox(struct imap_command *command, const char *wire_name, size_t len);
void imap_command_secret(struct imap_command *command, const char *str, size_t len); /* traced as *** */
void imap_command_seqset(struct imap_command *command, const struct imap_seqset *set);
void imap_command_flags(struct imap_command *command, unsigned system, const char *const *keywords,
                        size_t count);
/* A set as the user wrote it: RFC 3501's sequence-set, or "$" (RFC 5182); else the command is broken. */
void imap_command_set(struct imap_command *command, const char *set);
/* Search criteria as IMAP text. Quoted strings in it go out in whatever form carries them (8-bit text as a
 * literal); CR, LF or NUL outside of them, and quotes that do not close, break the command. */
void imap_command_criteria(struct imap_command *command, const char *criteria);
/* Flags or other items as IMAP text; parentheses are put round it where they are missing. */
void imap_command_list(struct imap_command *command, const char *items);
/* A literal of exactly size octets that are asked for while they are sent: next returns 1 to size of them,
 * 0 or -errno when there are no more, which costs the connection (the command fails with IMAP_SYS, and
 * EIO for 0). It is called from imap_session_pull, must not block for long, must not call the session, and
 * is never called again once `done` was. With literal8 as ~{n} (RFC 3516, RFC 6855). */
typedef ssize_t imap_command_source_next(void *arg, void *buf, size_t size);
void imap_command_source(struct imap_command *command, uint64_t size, bool literal8,
                         imap_command_source_next *next, void *arg);
void imap_command_open(struct imap_command *command);  /* "(" */
void imap_command_close(struct imap_command *command); /* ")" */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
