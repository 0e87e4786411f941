/* SPDX-License-Identifier: MIT */
#include "login.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "mem.h"

struct login {
    struct imap_line *line;
    const struct imap_endpoint *endpoint;
    int64_t deadline_ms;
    int cancel_fd;
    bool done; /* the command under way has ended, with ... */
    enum imap_status status;
    struct imap_error error;
    bool bad;
    bool continued;      /* "+" came where none may */
    const char *initial; /* base64 for the first "+" of AUTHENTICATE, once */
};

/* ---- one command at a time ---------------------------------------------------------------------- */

static enum imap_status pump(struct login *login, struct imap_error *err)
{
    struct imap_line *line = login->line;
    enum imap_status status = imap_line_flush(line, err);

    if (status != IMAP_OK)
        return status;
    if (imap_line_wait(line, -1, login->cancel_fd, login->deadline_ms) & IMAP_LINE_CANCELLED)
        return imap_error_set(err, IMAP_CANCEL, "cancelled");
    status = imap_line_check_silence(line, err);
    if (status == IMAP_OK && imap_net_now() >= login->deadline_ms) {
        char where[IMAP_ENDPOINT_TEXT_MAX];
        imap_endpoint_text(login->endpoint, where);
        status = imap_error_set(err, IMAP_AGAIN, "logging in to %s takes too long", where);
    }
    return status == IMAP_OK ? imap_line_receive(line, err) : status;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct login *login = arg;
    login->done = true;
    login->status = result->status;
    login->bad = result->bad;
    login->error = *result->error;
}

static void on_continuation(void *arg, const char *text, size_t len)
{
    struct login *login = arg;
    (void)text, (void)len;
    if (login->initial) {
        imap_session_continue(login->line->session, login->initial, strlen(login->initial));
        login->initial = NULL;
    } else {
        login->continued = true;
        imap_session_continue(login->line->session, "*", 1);
    }
}

/* Sends a command and waits for its end. Fails only when there was no answer; the answer itself is in
 * login->status. */
static enum imap_status run(struct login *login, struct imap_command *command, struct imap_error *err)
{
    static const struct imap_command_events events = {.continuation = on_continuation, .done = on_done};
    enum imap_status status = IMAP_OK;

    login->done = false;
    login->continued = false;
    login->error = (struct imap_error){0};
    imap_command_on(command, &events, login);
    imap_session_submit(login->line->session, command, NULL);
    while (status == IMAP_OK && !login->done)
        status = pump(login, err);
    if (!login->done) {
        /* The command points to us: let it end before we return. */
        imap_session_lost(login->line->session, err);
        return status;
    }
    /* An answer that came just before the line ended counts, but for a BYE that explains it better. */
    if (status != IMAP_OK && login->status == IMAP_OK)
        return status;
    if (login->status != IMAP_OK && login->status != IMAP_NO) {
        if (status == IMAP_OK)
            *err = login->error;
        return status == IMAP_OK ? login->status : status;
    }
    return IMAP_OK;
}

static enum imap_status ask_capabilities(struct login *login, struct imap_error *err)
{
    if (imap_session_caps_known(login->line->session))
        return IMAP_OK;
    enum imap_status status = run(login, imap_command_new("CAPABILITY"), err);
    if (status == IMAP_OK && login->status != IMAP_OK)
        return imap_error_set(err, IMAP_PROTO, "the server refuses to tell its capabilities: %.120s",
                              login->error.text);
    return status;
}

static bool offers(const struct login *login, enum imap_cap cap)
{
    return imap_caps_has(imap_session_caps(login->line->session), cap);
}

/* ---- greeting and encryption -------------------------------------------------------------------- */

static enum imap_status await_greeting(struct login *login, struct imap_error *err)
{
    enum imap_status status = IMAP_OK;

    while (status == IMAP_OK && imap_session_state(login->line->session) == IMAP_STATE_GREETING)
        status = pump(login, err);
    return status;
}

static enum imap_status refuse_plaintext(const struct login *login, const char *why, struct imap_error *err)
{
    return imap_error_set(err, IMAP_AUTH,
                          "%.60s: %s, so the connection cannot be encrypted; nothing was sent (try imaps://, "
                          "or tls=none if the network is safe)",
                          login->endpoint->host, why);
}

static enum imap_status start_tls(struct login *login, struct imap_error *err)
{
    struct imap_line *line = login->line;

    if (imap_session_state(line->session) != IMAP_STATE_NOT_AUTHENTICATED)
        return refuse_plaintext(login, "it greets as if logged in before STARTTLS", err);
    enum imap_status status = ask_capabilities(login, err);
    if (status != IMAP_OK)
        return status;
    if (!offers(login, IMAP_CAP_STARTTLS))
        return refuse_plaintext(login, "it does not offer STARTTLS", err);
    status = run(login, imap_command_new("STARTTLS"), err);
    if (status != IMAP_OK)
        return status;
    if (login->status != IMAP_OK || login->continued)
        return refuse_plaintext(login, "it refuses STARTTLS", err);
    status = imap_session_tls_started(line->session, err);
    if (status != IMAP_OK)
        return status;

    struct imap_transport *lower = line->transport;
    line->transport = NULL;
    status =
        imap_tls_open(login->endpoint, lower, login->deadline_ms, login->cancel_fd, &line->transport, err);
    line->encrypted = status == IMAP_OK;
    return status;
}

/* ---- credentials -------------------------------------------------------------------------------- */

static void wipe_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* libgsasl keeps a copy of the password that it frees without wiping. */
static void finish_sasl(Gsasl_session *sasl)
{
    const char *copy = gsasl_property_fast(sasl, GSASL_PASSWORD);
    if (copy)
        explicit_bzero((char *)copy, strlen(copy));
    gsasl_finish(sasl);
}

/* The one message of PLAIN (RFC 4616) in base64; NULL when libgsasl cannot. */
static char *plain_message(const struct imap_endpoint *endpoint)
{
    Gsasl *context = NULL;
    Gsasl_session *sasl = NULL;
    char *message = NULL;

    if (gsasl_init(&context) != GSASL_OK)
        return NULL;
    if (gsasl_client_start(context, "PLAIN", &sasl) == GSASL_OK) {
        gsasl_property_set(sasl, GSASL_AUTHID, endpoint->user);
        gsasl_property_set(sasl, GSASL_PASSWORD, endpoint->password);
        int rc = gsasl_step64(sasl, "", &message);
        if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
            wipe_free(message);
            message = NULL;
        }
        finish_sasl(sasl);
    }
    gsasl_done(context);
    return message;
}

static enum imap_status authenticate_plain(struct login *login, struct imap_error *err)
{
    char *message = plain_message(login->endpoint);
    if (!message)
        return imap_error_set(err, IMAP_AUTH, "the password cannot be prepared for AUTHENTICATE PLAIN");

    struct imap_command *command = imap_command_new("AUTHENTICATE");
    imap_command_raw(command, "PLAIN");
    if (offers(login, IMAP_CAP_SASL_IR))
        imap_command_secret(command, message, strlen(message));
    else
        login->initial = message;
    enum imap_status status = run(login, command, err);
    login->initial = NULL;
    wipe_free(message);
    return status;
}

static enum imap_status log_in_plainly(struct login *login, struct imap_error *err)
{
    struct imap_command *command = imap_command_new("LOGIN");
    imap_command_astring(command, login->endpoint->user, strlen(login->endpoint->user));
    imap_command_secret(command, login->endpoint->password, strlen(login->endpoint->password));
    return run(login, command, err);
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

static enum imap_status explain_refusal(const struct login *login, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];
    enum imap_status status = is_overload(&login->error) ? IMAP_AGAIN : IMAP_AUTH;

    imap_endpoint_text(login->endpoint, where);
    imap_error_set(err, status, "%s refuses to log %.60s in: %.100s", where, login->endpoint->user,
                   login->error.text);
    err->code = login->error.code;
    return status;
}

static enum imap_status authenticate(struct login *login, struct imap_error *err)
{
    const struct imap_endpoint *endpoint = login->endpoint;

    if (!login->line->encrypted && endpoint->tls != IMAP_TLS_NONE)
        return refuse_plaintext(login, "the line is not encrypted", err);
    if (!endpoint->user || !endpoint->password)
        return imap_error_set(err, IMAP_AUTH, "the server wants a login, and no user or password was given");
    enum imap_status status = ask_capabilities(login, err);
    if (status != IMAP_OK)
        return status;
    if (offers(login, IMAP_CAP_AUTH_PLAIN))
        status = authenticate_plain(login, err);
    else if (!offers(login, IMAP_CAP_LOGINDISABLED))
        status = log_in_plainly(login, err);
    else
        return imap_error_set(err, IMAP_AUTH, "%.80s accepts no login by password%s", endpoint->host,
                              login->line->encrypted ? "" : " on an unencrypted connection (tls=none)");
    if (status != IMAP_OK)
        return status;
    return login->status == IMAP_OK ? IMAP_OK : explain_refusal(login, err);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

enum imap_status imap_login(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                            struct imap_error *err)
{
    struct login login = {
        .line = line, .endpoint = line->endpoint, .deadline_ms = deadline_ms, .cancel_fd = cancel_fd};

    enum imap_status status = await_greeting(&login, err);
    if (status == IMAP_OK && !line->encrypted && line->endpoint->tls == IMAP_TLS_STARTTLS)
        status = start_tls(&login, err);
    if (status == IMAP_OK && imap_session_state(line->session) == IMAP_STATE_NOT_AUTHENTICATED)
        status = authenticate(&login, err);
    if (status == IMAP_OK)
        status = ask_capabilities(&login, err);
    if (status == IMAP_OK && imap_session_state(line->session) != IMAP_STATE_AUTHENTICATED)
        status = imap_error_set(err, IMAP_PROTO, "the server's login leads nowhere");
    return status;
}
