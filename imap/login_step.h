/* SPDX-License-Identifier: MIT */
/*
 * login_step: one command at a time over a line, waiting for its end; what the steps of login share.
 *
 * Threads: the caller's, which owns the line. err must not be NULL.
 */
#ifndef IMAP_LOGIN_STEP_H
#define IMAP_LOGIN_STEP_H

#include "line.h"

struct imap_login_step {
    struct imap_line *line;
    int64_t deadline_ms;
    int cancel_fd;
    /* A "+" for AUTHENTICATE, with its text: to be answered by imap_session_continue. */
    void (*challenge)(void *arg, const char *text, size_t len);
    void *arg;

    /* Of the command run last. */
    bool done;
    enum imap_status status; /* IMAP_OK or IMAP_NO */
    struct imap_error error; /* why it is not IMAP_OK */
};

/* Sends a command, which it owns, and waits for its end. Fails only when there was no answer, or one that is
 * neither yes nor no (overload); the answer itself is in step->status. */
enum imap_status imap_login_run(struct imap_login_step *step, struct imap_command *command,
                                struct imap_error *err) IMAP_CHECK;
enum imap_status imap_login_await_greeting(struct imap_login_step *step, struct imap_error *err) IMAP_CHECK;
/* Asks for the capabilities if they are not known. */
enum imap_status imap_login_ask_caps(struct imap_login_step *step, struct imap_error *err) IMAP_CHECK;
bool imap_login_offers(const struct imap_login_step *step, enum imap_cap cap);
/* IMAP_AUTH, if the line is not one that a secret may cross. */
enum imap_status imap_login_check_line(const struct imap_login_step *step, struct imap_error *err) IMAP_CHECK;
/* IMAP_AUTH: why the line is not encrypted. */
enum imap_status imap_login_refuse_plaintext(const struct imap_login_step *step, const char *why,
                                             struct imap_error *err);
/* What a refused login means, in words for the user: IMAP_AUTH, or IMAP_AGAIN when the server has too much to
 * do. reason NULL: the tagged answer's. */
enum imap_status imap_login_explain(const struct imap_login_step *step, const char *user, const char *reason,
                                    struct imap_error *err);

#endif
