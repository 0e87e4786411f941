/* SPDX-License-Identifier: MIT */
#include "login.h"

#include "login_step.h"

static struct imap_login_step step_of(struct imap_line *line, int64_t deadline_ms, int cancel_fd)
{
    return (struct imap_login_step){.line = line, .deadline_ms = deadline_ms, .cancel_fd = cancel_fd};
}

/* ---- encryption --------------------------------------------------------------------------------- */

static enum imap_status start_tls(struct imap_login_step *step, struct imap_error *err)
{
    struct imap_line *line = step->line;

    if (imap_session_state(line->session) != IMAP_STATE_NOT_AUTHENTICATED)
        return imap_login_refuse_plaintext(step, "it greets as if logged in before STARTTLS", err);
    enum imap_status status = imap_login_ask_caps(step, err);
    if (status != IMAP_OK)
        return status;
    if (!imap_login_offers(step, IMAP_CAP_STARTTLS))
        return imap_login_refuse_plaintext(step, "it does not offer STARTTLS", err);
    status = imap_login_run(step, imap_command_new("STARTTLS"), err);
    if (status != IMAP_OK)
        return status;
    if (step->status != IMAP_OK)
        return imap_login_refuse_plaintext(step, "it refuses STARTTLS", err);
    status = imap_session_tls_started(line->session, err);
    if (status != IMAP_OK)
        return status;

    struct imap_transport *lower = line->transport;
    line->transport = NULL;
    status = imap_tls_open(line->endpoint, lower, step->deadline_ms, step->cancel_fd, &line->transport, err);
    line->encrypted = status == IMAP_OK;
    return status;
}

enum imap_status imap_login_starttls(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                     struct imap_error *err)
{
    struct imap_login_step step = step_of(line, deadline_ms, cancel_fd);

    if (line->encrypted)
        return imap_error_set(err, IMAP_USAGE, "the line is encrypted already");
    return start_tls(&step, err);
}

/* ---- compression -------------------------------------------------------------------------------- */

enum imap_status imap_login_compress(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                     struct imap_error *err)
{
    struct imap_login_step step = step_of(line, deadline_ms, cancel_fd);
    struct imap_command *command;
    const void *rest;
    size_t len;

    if (line->compressed)
        return imap_error_set(err, IMAP_USAGE, "the line is compressed already");
    enum imap_status status = imap_login_ask_caps(&step, err);
    if (status != IMAP_OK)
        return status;
    if (!imap_login_offers(&step, IMAP_CAP_COMPRESS_DEFLATE))
        return imap_error_set(err, IMAP_NO, "the server does not offer compression");
    command = imap_command_new("COMPRESS");
    imap_command_raw(command, "DEFLATE");
    status = imap_login_run(&step, command, err);
    if (status != IMAP_OK)
        return status;
    if (step.status != IMAP_OK) {
        *err = step.error;
        return step.status;
    }
    status = imap_session_compress_started(line->session, &rest, &len, err);
    if (status != IMAP_OK)
        return status;

    struct imap_transport *lower = line->transport;
    line->transport = NULL;
    status = imap_deflate_open(lower, rest, len, &line->transport, err);
    line->compressed = status == IMAP_OK;
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

enum imap_status imap_login_greet(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                  struct imap_error *err)
{
    struct imap_login_step step = step_of(line, deadline_ms, cancel_fd);

    enum imap_status status = imap_login_await_greeting(&step, err);
    if (status == IMAP_OK && !line->encrypted && line->endpoint->tls == IMAP_TLS_STARTTLS)
        status = start_tls(&step, err);
    return status == IMAP_OK ? imap_login_ask_caps(&step, err) : status;
}

enum imap_status imap_login(struct imap_line *line, const struct imap_credentials *credentials,
                            int64_t deadline_ms, int cancel_fd, struct imap_error *err)
{
    const struct imap_credentials own = {.user = line->endpoint->user, .password = line->endpoint->password};

    enum imap_status status = imap_login_greet(line, deadline_ms, cancel_fd, err);
    if (status == IMAP_OK && imap_session_state(line->session) == IMAP_STATE_NOT_AUTHENTICATED)
        status = imap_login_with(line, credentials ? credentials : &own, deadline_ms, cancel_fd, err);
    return status;
}
