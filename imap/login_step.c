/* SPDX-License-Identifier: MIT */
#include "login_step.h"

#include <string.h>

#include "endpoint.h"

static enum imap_status pump(struct imap_login_step *step, struct imap_error *err)
{
    struct imap_line *line = step->line;
    enum imap_status status = imap_line_flush(line, err);

    if (status != IMAP_OK)
        return status;
    if (imap_line_wait(line, -1, step->cancel_fd, step->deadline_ms) & IMAP_LINE_CANCELLED)
        return imap_error_set(err, IMAP_CANCEL, "cancelled");
    status = imap_line_check_silence(line, err);
    if (status == IMAP_OK && imap_net_now() >= step->deadline_ms) {
        char where[IMAP_ENDPOINT_TEXT_MAX];
        imap_endpoint_text(line->endpoint, where);
        status = imap_error_set(err, IMAP_AGAIN, "logging in to %s takes too long", where);
    }
    return status == IMAP_OK ? imap_line_receive(line, err) : status;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct imap_login_step *step = arg;
    step->done = true;
    step->status = result->status;
    step->error = *result->error;
}

static void on_continuation(void *arg, const char *text, size_t len)
{
    const struct imap_login_step *step = arg;
    if (step->challenge)
        step->challenge(step->arg, text, len);
    else
        imap_session_continue(step->line->session, "*", 1);
}

enum imap_status imap_login_run(struct imap_login_step *step, struct imap_command *command,
                                struct imap_error *err)
{
    static const struct imap_command_events events = {.continuation = on_continuation, .done = on_done};
    enum imap_status status = IMAP_OK;

    step->done = false;
    step->error = (struct imap_error){0};
    imap_command_on(command, &events, step);
    imap_session_submit(step->line->session, command, NULL);
    while (status == IMAP_OK && !step->done)
        status = pump(step, err);
    if (!step->done) {
        /* The command points to us: let it end before we return. */
        imap_session_lost(step->line->session, err);
        return status;
    }
    /* An answer that came just before the line ended counts, but for a BYE that explains it better. */
    if (status != IMAP_OK && step->status == IMAP_OK)
        return status;
    if (step->status != IMAP_OK && step->status != IMAP_NO) {
        /* [LIMIT], say, calls for something else than a line that ended. */
        bool told_why = status == IMAP_OK || step->error.code != IMAP_CODE_NONE;
        if (told_why)
            *err = step->error;
        return told_why ? step->status : status;
    }
    return IMAP_OK;
}

enum imap_status imap_login_await_greeting(struct imap_login_step *step, struct imap_error *err)
{
    enum imap_status status = IMAP_OK;

    while (status == IMAP_OK && imap_session_state(step->line->session) == IMAP_STATE_GREETING)
        status = pump(step, err);
    return status;
}

enum imap_status imap_login_ask_caps(struct imap_login_step *step, struct imap_error *err)
{
    if (imap_session_caps_known(step->line->session))
        return IMAP_OK;
    enum imap_status status = imap_login_run(step, imap_command_new("CAPABILITY"), err);
    if (status == IMAP_OK && step->status != IMAP_OK)
        return imap_error_set(err, IMAP_PROTO, "the server refuses to tell its capabilities: %.120s",
                              step->error.text);
    return status;
}

bool imap_login_offers(const struct imap_login_step *step, enum imap_cap cap)
{
    return imap_caps_has(imap_session_caps(step->line->session), cap);
}

/* ---- words for the user ------------------------------------------------------------------------------ */

enum imap_status imap_login_refuse_plaintext(const struct imap_login_step *step, const char *why,
                                             struct imap_error *err)
{
    return imap_error_set(err, IMAP_AUTH,
                          "%.60s: %s, so the connection cannot be encrypted; nothing was sent (try imaps://, "
                          "or tls=none if the network is safe)",
                          step->line->endpoint->host, why);
}

enum imap_status imap_login_check_line(const struct imap_login_step *step, struct imap_error *err)
{
    if (step->line->encrypted || step->line->endpoint->tls == IMAP_TLS_NONE)
        return IMAP_OK;
    return imap_login_refuse_plaintext(step, "the line is not encrypted", err);
}

/* Servers under load, or with too many connections, refuse a login that is right. */
static bool is_overload(const struct imap_error *error)
{
    static const char *const words[] = {"too many", "maximum number of connections", "throttl",
                                        "try again later", "temporar"};

    if (error->code == IMAP_CODE_UNAVAILABLE || error->code == IMAP_CODE_LIMIT ||
        error->code == IMAP_CODE_INUSE || error->code == IMAP_CODE_SERVERBUG)
        return true;
    if (error->code == IMAP_CODE_AUTHENTICATIONFAILED)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasestr(error->text, words[i]))
            return true;
    return false;
}

enum imap_status imap_login_explain(const struct imap_login_step *step, const char *user, const char *reason,
                                    struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];
    enum imap_status status = is_overload(&step->error) ? IMAP_AGAIN : IMAP_AUTH;

    imap_endpoint_text(step->line->endpoint, where);
    imap_error_set(err, status, "%s refuses to log %.60s in: %.100s", where, user ? user : "us",
                   reason ? reason : step->error.text);
    err->code = step->error.code;
    return status;
}
