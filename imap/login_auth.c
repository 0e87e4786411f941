/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "login.h"
#include "login_step.h"
#include "mem.h"
#include "sasl.h"

/* Longer ones are sent when the server asks: old servers cut lines at this length (RFC 4959 3). */
#define INITIAL_MAX 1000

/* ---- AUTHENTICATE, whoever makes the responses --------------------------------------------------- */

/* One command AUTHENTICATE. initial is borrowed. */
struct exchange {
    struct imap_login_step step;
    const char *initial; /* base64, to be sent; NULL: sent, or there is none */
    bool aborted;        /* by us, for why; the server's NO only follows from it */
    struct imap_error why;
    /* The response to a challenge, both in base64. */
    enum imap_status (*respond)(void *arg, const char *challenge, size_t len, const char **response_out,
                                struct imap_error *err);
    void *arg;
};

static void on_challenge(void *arg, const char *text, size_t len)
{
    struct exchange *exchange = arg;
    const char *response = "*";

    if (exchange->initial) {
        response = exchange->initial;
        exchange->initial = NULL;
    } else if (!exchange->aborted &&
               exchange->respond(exchange->arg, text, len, &response, &exchange->why) != IMAP_OK) {
        exchange->aborted = true;
        response = "*";
    } else if (exchange->aborted) {
        response = "*";
    }
    imap_session_continue(exchange->step.line->session, response, strlen(response));
}

/* The answer is in exchange->step. */
static enum imap_status run_exchange(struct exchange *exchange, const char *mechanism, struct imap_error *err)
{
    struct imap_command *command = imap_command_new("AUTHENTICATE");

    exchange->step.challenge = on_challenge;
    exchange->step.arg = exchange;
    imap_command_raw(command, mechanism);
    if (exchange->initial && imap_login_offers(&exchange->step, IMAP_CAP_SASL_IR) &&
        strlen(exchange->initial) <= INITIAL_MAX) {
        /* "=" is the empty one (RFC 4959 3) */
        const char *initial = *exchange->initial ? exchange->initial : "=";
        imap_command_secret(command, initial, strlen(initial));
        exchange->initial = NULL;
    }
    return imap_login_run(&exchange->step, command, err);
}

/* The server let in somebody who had not finished, or had given up: whoever it is, nothing that it says can
 * be trusted, and its session is not one to go on with. */
static enum imap_status distrust(struct exchange *exchange, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];

    imap_endpoint_text(exchange->step.line->endpoint, where);
    if (exchange->aborted)
        imap_error_set(err, IMAP_AUTH, "%s: %.150s", where, exchange->why.text);
    else
        imap_error_set(err, IMAP_AUTH, "%s says that we are logged in before it has proven who it is", where);
    imap_session_lost(exchange->step.line->session, err);
    return IMAP_AUTH;
}

/* Capabilities are not the same after login. */
static enum imap_status enter(struct imap_login_step *step, struct imap_error *err)
{
    enum imap_status status = imap_login_ask_caps(step, err);

    if (status == IMAP_OK && imap_session_state(step->line->session) != IMAP_STATE_AUTHENTICATED)
        status = imap_error_set(err, IMAP_PROTO, "the server's login leads nowhere");
    return status;
}

static enum imap_status check_state(const struct imap_line *line, struct imap_error *err)
{
    if (imap_session_state(line->session) == IMAP_STATE_NOT_AUTHENTICATED)
        return IMAP_OK;
    return imap_error_set(err, IMAP_USAGE, "logged in already");
}

static struct imap_login_step step_of(struct imap_line *line, int64_t deadline_ms, int cancel_fd)
{
    return (struct imap_login_step){.line = line, .deadline_ms = deadline_ms, .cancel_fd = cancel_fd};
}

/* ---- the LOGIN command --------------------------------------------------------------------------- */

static enum imap_status run_login(struct imap_login_step *step, const char *user, const char *password,
                                  struct imap_error *err)
{
    struct imap_command *command = imap_command_new("LOGIN");
    imap_command_astring(command, user, strlen(user));
    imap_command_secret(command, password, strlen(password));
    return imap_login_run(step, command, err);
}

static enum imap_status refuse_passwords(const struct imap_login_step *step, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];

    imap_endpoint_text(step->line->endpoint, where);
    return imap_error_set(err, IMAP_AUTH, "%s accepts no login by password%s", where,
                          step->line->encrypted ? "" : " on an unencrypted connection (tls=none)");
}

enum imap_status imap_login_plainly(struct imap_line *line, const char *user, const char *password,
                                    int64_t deadline_ms, int cancel_fd, struct imap_error *err)
{
    struct imap_login_step step = step_of(line, deadline_ms, cancel_fd);
    enum imap_status status = check_state(line, err);

    if (!user || !password)
        return imap_error_set(err, IMAP_USAGE, "LOGIN needs a user and a password");
    if (status == IMAP_OK)
        status = imap_login_check_line(&step, err);
    if (status == IMAP_OK)
        status = imap_login_ask_caps(&step, err);
    if (status != IMAP_OK)
        return status;
    if (imap_login_offers(&step, IMAP_CAP_LOGINDISABLED))
        return refuse_passwords(&step, err);
    status = run_login(&step, user, password, err);
    if (status != IMAP_OK)
        return status;
    return step.status == IMAP_OK ? enter(&step, err) : imap_login_explain(&step, user, NULL, err);
}

/* ---- the strongest mechanism --------------------------------------------------------------------- */

struct login {
    struct imap_login_step step;
    const struct imap_credentials *credentials;
    struct imap_sasl_terms terms;
    const struct imap_mechanism *candidates[IMAP_SASL_MECHANISMS];
    size_t count, at;
    bool judged;  /* it is the secret that was refused last, not the form of it */
    bool unbound; /* the server does not know our kind of channel binding */
};

enum outcome {
    OUTCOME_IN,      /* logged in */
    OUTCOME_UNFIT,   /* nothing was sent: the next one may serve */
    OUTCOME_REFUSED, /* by the server, for what it was given */
    OUTCOME_FAILED   /* to be told to the caller */
};

static enum imap_status respond(void *arg, const char *challenge, size_t len, const char **response_out,
                                struct imap_error *err)
{
    return imap_sasl_step(arg, challenge, len, response_out, err);
}

/* After a command that was answered. */
static enum outcome judge(const struct login *login, const struct imap_login_step *step, const char *reason,
                          struct imap_error *err)
{
    if (imap_login_explain(step, login->credentials->user, reason, err) == IMAP_AGAIN)
        return OUTCOME_FAILED;
    return OUTCOME_REFUSED;
}

/* Cyrus 3.6 takes every channel for a tls-unique one, and says NO without a reason to what TLS 1.3 needs. Nothing
 * is lost by asking again unbound: who sits between could just as well have said that he knows no binding.
 * Who would rather fail asks for IMAP_AUTH_BOUND. */
static bool is_mute_about_binding(const struct login *login, const struct exchange *exchange)
{
    return login->judged && login->candidates[login->at]->strength == IMAP_AUTH_BOUND && !exchange->aborted &&
           exchange->step.status == IMAP_NO && exchange->step.error.code == IMAP_CODE_NONE;
}

static enum outcome judge_exchange(struct login *login, struct exchange *exchange, struct imap_error *err)
{
    const struct imap_sasl *sasl = exchange->arg;
    const char *reason = exchange->aborted ? exchange->why.text : NULL;

    login->judged = imap_sasl_judged(sasl);
    login->unbound = imap_sasl_unbound(sasl);
    if (is_mute_about_binding(login, exchange)) {
        login->unbound = true;
        login->judged = false;
    }
    if (exchange->step.status == IMAP_OK) {
        if (!exchange->initial && !exchange->aborted && imap_sasl_complete(sasl))
            return OUTCOME_IN;
        distrust(exchange, err);
        return OUTCOME_FAILED;
    }
    enum outcome outcome = judge(login, &exchange->step, reason, err);
    /* A server that did not hold up its part of the exchange gets no second, weaker one. */
    return exchange->aborted && !imap_sasl_refused(sasl) ? OUTCOME_FAILED : outcome;
}

static enum outcome try_sasl(struct login *login, const struct imap_mechanism *mechanism, const char *token,
                             struct imap_error *err)
{
    struct exchange exchange = {.step = login->step, .respond = respond};
    struct imap_sasl *sasl = NULL;

    if (imap_sasl_new(mechanism, login->credentials, &login->terms, token, &sasl, err) != IMAP_OK)
        return OUTCOME_UNFIT;
    exchange.arg = sasl;
    exchange.initial = imap_sasl_initial(sasl);
    enum outcome outcome = OUTCOME_FAILED;
    if (run_exchange(&exchange, mechanism->name, err) == IMAP_OK)
        outcome = judge_exchange(login, &exchange, err);
    imap_sasl_free(&sasl);
    return outcome;
}

static enum outcome try_command(struct login *login, struct imap_error *err)
{
    login->judged = true;
    if (run_login(&login->step, login->credentials->user, login->credentials->password, err) != IMAP_OK)
        return OUTCOME_FAILED;
    return login->step.status == IMAP_OK ? OUTCOME_IN : judge(login, &login->step, NULL, err);
}

/* A token that is refused may only have expired: once, another one is asked for. */
static enum outcome try_tokens(struct login *login, const struct imap_mechanism *mechanism,
                               struct imap_error *err)
{
    const struct imap_credentials *credentials = login->credentials;
    const char *token = credentials->token(credentials->arg, false);

    if (!token) {
        imap_error_set(err, IMAP_AUTH, "there is no access token for %.80s", credentials->user);
        return OUTCOME_REFUSED;
    }
    enum outcome outcome = try_sasl(login, mechanism, token, err);
    if (outcome != OUTCOME_REFUSED)
        return outcome;
    token = credentials->token(credentials->arg, true);
    return token ? try_sasl(login, mechanism, token, err) : OUTCOME_REFUSED;
}

static enum outcome try(struct login *login, const struct imap_mechanism *mechanism, struct imap_error *err)
{
    if (mechanism->command)
        return try_command(login, err);
    if (mechanism->secret == IMAP_SECRET_TOKEN)
        return try_tokens(login, mechanism, err);
    return try_sasl(login, mechanism, NULL, err);
}

/* Which of those that follow may succeed where one was refused. Another secret may. The same one may, unless it
 * was judged, in the form that serves every way in which a server keeps it, so the weakest that is allowed; or
 * in one that needs no channel binding, if that was the trouble. Else one attempt more would only bring the
 * account nearer to being locked. */
static size_t after_refusal(const struct login *login)
{
    const struct imap_mechanism *refused = login->candidates[login->at];
    enum imap_auth_strength below = refused->strength;
    size_t best = login->count;

    for (size_t i = login->at + 1; i < login->count; i++) {
        const struct imap_mechanism *next = login->candidates[i];
        if (next->secret != refused->secret) {
            if (best == login->count)
                best = i;
        } else if (!login->judged && next->strength < below) {
            if (login->unbound)
                return i;
            below = next->strength;
            best = i;
        }
    }
    return best;
}

static enum imap_status log_in(struct login *login, struct imap_error *err)
{
    while (login->at < login->count) {
        switch (try(login, login->candidates[login->at], err)) {
        case OUTCOME_IN:
            return enter(&login->step, err);
        case OUTCOME_FAILED:
            return err->status;
        case OUTCOME_UNFIT:
            login->at++;
            break;
        case OUTCOME_REFUSED:
            login->at = after_refusal(login);
            break;
        }
    }
    return err->status;
}

/* ---- what can be tried --------------------------------------------------------------------------- */

static void find_terms(struct login *login)
{
    struct imap_line *line = login->step.line;
    const struct imap_endpoint *endpoint = line->endpoint;
    bool tunnel = endpoint->tunnel && *endpoint->tunnel;

    login->terms.caps = imap_session_caps(line->session);
    login->terms.host = tunnel ? NULL : endpoint->host;
    login->terms.port = tunnel ? NULL : imap_endpoint_port(endpoint);
    login->terms.certificate = line->encrypted && !tunnel && endpoint->clientcert;
    if (line->transport->ops->binding)
        line->transport->ops->binding(line->transport, &login->terms.binding);
}

/* The words of the capabilities that name mechanisms. */
static void list_offers(const struct imap_caps *caps, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (const char *word = caps->text; *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        if (len > 5 && strncmp(word, "AUTH=", 5) == 0 && used + len < size) {
            if (used)
                text[used++] = ' ';
            memcpy(text + used, word + 5, len - 5);
            used += len - 5;
            text[used] = '\0';
        }
        word += len;
    }
}

static enum imap_status explain_none(const struct login *login, struct imap_error *err)
{
    const struct imap_credentials *credentials = login->credentials;
    char where[IMAP_ENDPOINT_TEXT_MAX];
    char offers[100];

    bool nothing = !credentials->user || (!credentials->password && !credentials->token);

    if (nothing && !credentials->mechanisms)
        return imap_error_set(err, IMAP_AUTH, "the server wants a login, and no user or password was given");
    if (!credentials->token && !credentials->mechanisms && credentials->strength == IMAP_AUTH_ANY)
        return refuse_passwords(&login->step, err);
    imap_endpoint_text(login->step.line->endpoint, where);
    list_offers(login->terms.caps, offers, sizeof(offers));
    return imap_error_set(err, IMAP_AUTH, "%s offers no way to log in that is allowed and possible here (%s)",
                          where, *offers ? offers : "it offers no mechanism");
}

static enum imap_status check_credentials(const struct imap_credentials *credentials, struct imap_error *err)
{
    if (credentials->mechanisms)
        return imap_sasl_check_names(credentials->mechanisms, err);
    return IMAP_OK;
}

enum imap_status imap_login_with(struct imap_line *line, const struct imap_credentials *credentials,
                                 int64_t deadline_ms, int cancel_fd, struct imap_error *err)
{
    struct login login = {.step = step_of(line, deadline_ms, cancel_fd), .credentials = credentials};

    enum imap_status status = check_credentials(credentials, err);
    if (status == IMAP_OK)
        status = check_state(line, err);
    if (status == IMAP_OK)
        status = imap_login_check_line(&login.step, err);
    if (status == IMAP_OK)
        status = imap_login_ask_caps(&login.step, err);
    if (status != IMAP_OK)
        return status;
    find_terms(&login);
    login.count = imap_sasl_candidates(&login.terms, credentials, login.candidates);
    return login.count > 0 ? log_in(&login, err) : explain_none(&login, err);
}

/* ---- the caller's own mechanism ------------------------------------------------------------------ */

struct own {
    struct exchange exchange;
    imap_auth_step *step;
    void *arg;
    bool begun;     /* asked for the initial response */
    char *response; /* base64 */
};

static enum imap_status give_up(struct imap_error *err)
{
    return imap_error_set(err, IMAP_AUTH, "given up by the caller");
}

/* The caller's response in base64 in own->response, NULL if there is none. */
static bool ask(struct own *own, const void *challenge, size_t len)
{
    const void *response = NULL;
    size_t response_len = 0;

    imap_sasl_wipe(own->response);
    own->response = NULL;
    if (!own->step(own->arg, challenge, len, &response, &response_len))
        return false;
    if (response && gsasl_base64_to(response, response_len, &own->response, NULL) != GSASL_OK)
        abort();
    return true;
}

static enum imap_status respond_own(void *arg, const char *challenge, size_t len, const char **response_out,
                                    struct imap_error *err)
{
    struct own *own = arg;
    char *decoded = NULL;
    size_t decoded_len = 0;

    if (len > IMAP_SASL_CHALLENGE_MAX)
        return imap_error_set(err, IMAP_AUTH, "the server's challenge is too large");
    if (len > 0 && gsasl_base64_from(challenge, len, &decoded, &decoded_len) != GSASL_OK)
        return imap_error_set(err, IMAP_AUTH, "the server's challenge is not base64");
    bool wants_initial = len == 0 && !own->begun;
    own->begun = true;
    bool goes_on = ask(own, wants_initial ? NULL : decoded ? decoded : "", decoded_len);
    if (decoded)
        explicit_bzero(decoded, decoded_len);
    free(decoded);
    *response_out = own->response ? own->response : "";
    return goes_on ? IMAP_OK : give_up(err);
}

static bool is_mechanism(const char *name)
{
    size_t len = strlen(name);

    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return false;
    return len >= 1 && len <= 20; /* RFC 4422 3.1 */
}

/* Where the server takes an initial response it is asked for; so that a mechanism in which the server
 * speaks first has none to give. */
static enum imap_status begin_own(struct own *own, char **initial_out, struct imap_error *err)
{
    *initial_out = NULL;
    if (!imap_login_offers(&own->exchange.step, IMAP_CAP_SASL_IR))
        return IMAP_OK;
    own->begun = true;
    if (!ask(own, NULL, 0))
        return give_up(err);
    *initial_out = own->response;
    own->response = NULL;
    own->exchange.initial = *initial_out;
    return IMAP_OK;
}

static enum imap_status run_own(struct own *own, const char *mechanism, struct imap_error *err)
{
    struct exchange *exchange = &own->exchange;
    enum imap_status status = run_exchange(exchange, mechanism, err);

    if (status != IMAP_OK)
        return status;
    if (exchange->step.status != IMAP_OK && exchange->aborted)
        return imap_error_set(err, IMAP_AUTH, "%.20s: %.150s", mechanism, exchange->why.text);
    if (exchange->step.status != IMAP_OK)
        return imap_login_explain(&exchange->step, NULL, NULL, err);
    if (exchange->aborted || exchange->initial)
        return distrust(exchange, err);
    return enter(&exchange->step, err);
}

enum imap_status imap_login_authenticate(struct imap_line *line, const char *mechanism, imap_auth_step *step,
                                         void *arg, int64_t deadline_ms, int cancel_fd,
                                         struct imap_error *err)
{
    struct own own = {.step = step, .arg = arg};
    char *initial = NULL;

    own.exchange =
        (struct exchange){.step = step_of(line, deadline_ms, cancel_fd), .respond = respond_own, .arg = &own};
    if (!is_mechanism(mechanism))
        return imap_error_set(err, IMAP_USAGE, "no mechanism can be called %.40s", mechanism);
    enum imap_status status = check_state(line, err);
    if (status == IMAP_OK)
        status = imap_login_check_line(&own.exchange.step, err);
    if (status == IMAP_OK)
        status = imap_login_ask_caps(&own.exchange.step, err);
    if (status == IMAP_OK)
        status = begin_own(&own, &initial, err);
    if (status == IMAP_OK)
        status = run_own(&own, mechanism, err);
    imap_sasl_wipe(initial);
    imap_sasl_wipe(own.response);
    return status;
}
