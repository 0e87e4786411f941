/* SPDX-License-Identifier: MIT */
#include "sasl.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define HASH_MAX 32 /* of SHA-256 */

struct imap_sasl {
    const struct imap_mechanism *mechanism;
    const struct imap_credentials *credentials;
    const struct imap_sasl_terms *terms;
    Gsasl *context;
    Gsasl_session *session; /* NULL when the mechanism is ours */
    char *prepared;         /* the password as SCRAM hashes it */
    char *initial;          /* base64 */
    char *response;         /* base64, of the last step */
    unsigned steps;
    bool complete, refused, unbound;
    char why[120]; /* the last thing found wrong by a callback; empty: nothing */
};

static bool is_named(const struct imap_sasl *sasl, const char *name)
{
    return strcmp(sasl->mechanism->name, name) == 0;
}

static bool is_scram(const struct imap_sasl *sasl)
{
    return strncmp(sasl->mechanism->name, "SCRAM-", 6) == 0;
}

static bool is_bound(const struct imap_sasl *sasl)
{
    return sasl->mechanism->strength == IMAP_AUTH_BOUND;
}

static void wipe_free(void *secret, size_t len)
{
    if (secret)
        explicit_bzero(secret, len);
    free(secret);
}

/* Of what libgsasl and we allocate; a wiped-out malloc is the only way in which it can fail. */
static char *encode(const void *data, size_t len)
{
    char *text = NULL;

    if (gsasl_base64_to(data, len, &text, NULL) != GSASL_OK)
        abort();
    return text;
}

/* ---- what libgsasl asks for ---------------------------------------------------------------------- */

static int set_binding(struct imap_sasl *sasl, Gsasl_property property)
{
    const struct imap_binding *binding = &sasl->terms->binding;
    const char *type = property == GSASL_CB_TLS_EXPORTER ? "tls-exporter" : "tls-unique";

    if (!is_bound(sasl) || strcmp(type, binding->type) != 0)
        return GSASL_NO_CALLBACK;
    char *text = encode(binding->data, binding->len);
    int rc = gsasl_property_set(sasl->session, property, text);
    free(text);
    return rc;
}

/* libgsasl says what it read of the server's challenge by two properties before it asks for this. */
static bool hash_password(struct imap_sasl *sasl, unsigned char *key, size_t size)
{
    const char *rounds = gsasl_property_fast(sasl->session, GSASL_SCRAM_ITER);
    const char *salt64 = gsasl_property_fast(sasl->session, GSASL_SCRAM_SALT);
    unsigned long count = rounds ? strtoul(rounds, NULL, 10) : 0;
    char *salt = NULL;
    size_t len = 0;

    if (count < 1 || count > IMAP_SASL_ROUNDS_MAX) {
        snprintf(sasl->why, sizeof(sasl->why), "%lu rounds of hashing are asked for, at most %d are done",
                 count, IMAP_SASL_ROUNDS_MAX);
        return false;
    }
    if (!salt64 || gsasl_base64_from(salt64, strlen(salt64), &salt, &len) != GSASL_OK)
        return false;
    bool done =
        PKCS5_PBKDF2_HMAC(sasl->prepared, (int)strlen(sasl->prepared), (unsigned char *)salt, (int)len,
                          (int)count, size == HASH_MAX ? EVP_sha256() : EVP_sha1(), (int)size, key) == 1;
    free(salt);
    return done;
}

/* The hashing is OpenSSL's: it is faster than libgsasl's, which never gets to see the password so. */
static int set_salted_password(struct imap_sasl *sasl)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char key[HASH_MAX];
    char hex[HASH_MAX * 2 + 1];
    size_t size = strncmp(sasl->mechanism->name, "SCRAM-SHA-256", 13) == 0 ? HASH_MAX : 20;
    int rc = GSASL_NO_CALLBACK;

    if (hash_password(sasl, key, size)) {
        for (size_t i = 0; i < size; i++) {
            hex[2 * i] = digits[key[i] >> 4];
            hex[2 * i + 1] = digits[key[i] & 15];
        }
        hex[2 * size] = '\0';
        rc = gsasl_property_set(sasl->session, GSASL_SCRAM_SALTED_PASSWORD, hex);
    }
    explicit_bzero(key, sizeof(key));
    explicit_bzero(hex, sizeof(hex));
    return rc;
}

static int set(struct imap_sasl *sasl, Gsasl_property property, const char *value)
{
    return value ? gsasl_property_set(sasl->session, property, value) : GSASL_NO_CALLBACK;
}

static int on_question(Gsasl *context, Gsasl_session *session, Gsasl_property property)
{
    struct imap_sasl *sasl = gsasl_session_hook_get(session);
    const struct imap_credentials *credentials = sasl->credentials;

    (void)context;
    switch (property) {
    case GSASL_AUTHID:
        return set(sasl, property, credentials->user);
    case GSASL_AUTHZID: /* a ticket names who it is of, which need not be the user */
        if (!credentials->authzid && is_named(sasl, "GSSAPI"))
            return set(sasl, property, credentials->user);
        return set(sasl, property, credentials->authzid);
    case GSASL_PASSWORD:
        return set(sasl, property, is_scram(sasl) ? NULL : credentials->password);
    case GSASL_SERVICE:
        return set(sasl, property, "imap");
    case GSASL_HOSTNAME:
        return set(sasl, property, sasl->terms->host);
    case GSASL_CB_TLS_EXPORTER:
    case GSASL_CB_TLS_UNIQUE:
        return set_binding(sasl, property);
    case GSASL_SCRAM_SALTED_PASSWORD:
        return set_salted_password(sasl);
    default:
        return GSASL_NO_CALLBACK;
    }
}

/* ---- steps ---------------------------------------------------------------------------------------- */

/* What a mechanism of ours answers to the server's challenge; NULL when it has no more to say. */
static const char *answer_ourselves(struct imap_sasl *sasl)
{
    const struct imap_credentials *credentials = sasl->credentials;

    if (is_named(sasl, "LOGIN")) { /* whatever it asks: the words differ, the order does not */
        sasl->complete = sasl->steps == 1;
        return sasl->steps == 0 ? credentials->user : sasl->steps == 1 ? credentials->password : NULL;
    }
    /* A bearer token is challenged only to say what is wrong with it (RFC 7628 3.2.3). */
    sasl->refused = true;
    sasl->complete = false;
    return sasl->steps > 0 ? NULL : is_named(sasl, "XOAUTH2") ? "" : "\1";
}

static void keep_response(struct imap_sasl *sasl, const char *data, size_t len)
{
    imap_sasl_wipe(sasl->response);
    sasl->response = encode(data, len);
}

static enum imap_status step_ours(struct imap_sasl *sasl, struct imap_error *err)
{
    const char *answer = answer_ourselves(sasl);

    if (!answer)
        return imap_error_set(err, IMAP_AUTH, "the server asks for more than %s has", sasl->mechanism->name);
    keep_response(sasl, answer, strlen(answer));
    sasl->steps++;
    return IMAP_OK;
}

/* "e=" of RFC 5802 7: libgsasl takes it for a malformed message. */
static enum imap_status check_scram_error(struct imap_sasl *sasl, const char *challenge, size_t len,
                                          struct imap_error *err)
{
    if (!is_scram(sasl) || len < 2 || strncmp(challenge, "e=", 2) != 0)
        return IMAP_OK;
    const char *comma = memchr(challenge, ',', len);
    int words = (int)((comma ? (size_t)(comma - challenge) : len) - 2);
    imap_error_set(err, IMAP_AUTH, "%.*s", words < 80 ? words : 80, challenge + 2);
    if (strcmp(err->text, "channel-bindings-dont-match") == 0)
        return imap_error_set(err, IMAP_AUTH,
                              "the server sees another TLS connection than we do: somebody sits between");
    sasl->refused = true;
    sasl->unbound = strcmp(err->text, "unsupported-channel-binding-type") == 0 ||
                    strcmp(err->text, "channel-binding-not-supported") == 0;
    return IMAP_AUTH;
}

static enum imap_status explain(const struct imap_sasl *sasl, int rc, struct imap_error *err)
{
    const char *name = sasl->mechanism->name;

    if (*sasl->why)
        return imap_error_set(err, IMAP_AUTH, "%s: %s", name, sasl->why);
    if (rc == GSASL_AUTHENTICATION_ERROR && sasl->steps > 1)
        return imap_error_set(err, IMAP_AUTH,
                              "%s: the server does not prove that it knows the password: it is an impostor",
                              name);
    if (rc == GSASL_MECHANISM_PARSE_ERROR)
        return imap_error_set(err, IMAP_AUTH, "%s: the server's challenge makes no sense", name);
    return imap_error_set(err, IMAP_AUTH, "%s: %s", name, gsasl_strerror(rc));
}

static enum imap_status step_theirs(struct imap_sasl *sasl, const char *challenge, size_t len,
                                    struct imap_error *err)
{
    char *output = NULL;
    size_t output_len = 0;
    enum imap_status status = check_scram_error(sasl, challenge, len, err);

    if (status != IMAP_OK)
        return status;
    if (sasl->complete)
        return imap_error_set(err, IMAP_AUTH, "the server asks for more than %s has", sasl->mechanism->name);
    int rc = gsasl_step(sasl->session, challenge, len, &output, &output_len);
    if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE) {
        keep_response(sasl, output ? output : "", output_len);
        sasl->complete = rc == GSASL_OK;
        sasl->steps++;
    } else {
        status = explain(sasl, rc, err);
    }
    wipe_free(output, output_len);
    return status;
}

enum imap_status imap_sasl_step(struct imap_sasl *sasl, const char *challenge, size_t len,
                                const char **response_out, struct imap_error *err)
{
    char *decoded = NULL;
    size_t decoded_len = 0;
    enum imap_status status;

    *response_out = "";
    if (len > IMAP_SASL_CHALLENGE_MAX)
        return imap_error_set(err, IMAP_AUTH, "the server's challenge is too large");
    if (len > 0 && gsasl_base64_from(challenge, len, &decoded, &decoded_len) != GSASL_OK && sasl->session)
        return imap_error_set(err, IMAP_AUTH, "the server's challenge is not base64");
    if (sasl->session)
        status = step_theirs(sasl, decoded ? decoded : "", decoded_len, err);
    else
        status = step_ours(sasl, err); /* LOGIN's is for people, and not base64 everywhere */
    wipe_free(decoded, decoded_len);
    if (status == IMAP_OK)
        *response_out = sasl->response;
    return status;
}

/* ---- beginning and end ---------------------------------------------------------------------------- */

static enum imap_status unfit(const struct imap_sasl *sasl, const char *why, struct imap_error *err)
{
    return imap_error_set(err, IMAP_AUTH, "%s cannot be used: %s", sasl->mechanism->name, why);
}

/* True for the mechanisms of ours; their message then is in initial, if it could be made. */
static bool start_ours(struct imap_sasl *sasl, const char *token)
{
    char *message = NULL;

    if (is_named(sasl, "OAUTHBEARER"))
        message = imap_sasl_oauthbearer(sasl->credentials, sasl->terms, token);
    else if (is_named(sasl, "XOAUTH2"))
        message = imap_sasl_xoauth2(sasl->credentials, token);
    else
        return is_named(sasl, "LOGIN");
    if (message)
        sasl->initial = encode(message, strlen(message));
    imap_sasl_wipe(message);
    sasl->complete = true;
    return true;
}

/* RFC 5802 2.2: as a "stored string", so without code points that Unicode 3.2 does not know. */
static bool prepare_password(struct imap_sasl *sasl)
{
    return gsasl_saslprep(sasl->credentials->password, 0, &sasl->prepared, NULL) == GSASL_OK;
}

static enum imap_status start_theirs(struct imap_sasl *sasl, struct imap_error *err)
{
    if (gsasl_init(&sasl->context) != GSASL_OK)
        return unfit(sasl, "libgsasl cannot be set up", err);
    gsasl_callback_set(sasl->context, on_question);
    int rc = gsasl_client_start(sasl->context, sasl->mechanism->name, &sasl->session);
    if (rc != GSASL_OK)
        return unfit(sasl, gsasl_strerror(rc), err);
    gsasl_session_hook_set(sasl->session, sasl);
    if (is_scram(sasl) && !prepare_password(sasl))
        return unfit(sasl, "the password holds what it has no form for (RFC 4013)", err);
    if (sasl->mechanism->server_first)
        return IMAP_OK;
    enum imap_status status = step_theirs(sasl, "", 0, err);
    if (status == IMAP_OK) {
        sasl->initial = sasl->response;
        sasl->response = NULL;
    }
    return status;
}

enum imap_status imap_sasl_new(const struct imap_mechanism *mechanism,
                               const struct imap_credentials *credentials,
                               const struct imap_sasl_terms *terms, const char *token,
                               struct imap_sasl **sasl_out, struct imap_error *err)
{
    struct imap_sasl *sasl = imap_xcalloc(1, sizeof(*sasl));
    enum imap_status status;

    sasl->mechanism = mechanism;
    sasl->credentials = credentials;
    sasl->terms = terms;
    if (!start_ours(sasl, token))
        status = start_theirs(sasl, err);
    else if (!sasl->initial && !mechanism->server_first)
        status = unfit(sasl, "the user's name or the token holds what it has no form for", err);
    else
        status = IMAP_OK;
    if (status != IMAP_OK)
        imap_sasl_free(&sasl);
    *sasl_out = sasl;
    return status;
}

/* libgsasl frees its copies without wiping them. */
static void finish(Gsasl_session *session)
{
    static const Gsasl_property secrets[] = {GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD,
                                             GSASL_SCRAM_SERVERKEY, GSASL_SCRAM_STOREDKEY};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        const char *copy = gsasl_property_fast(session, secrets[i]);
        if (copy)
            explicit_bzero((char *)copy, strlen(copy));
    }
    gsasl_finish(session);
}

void imap_sasl_free(struct imap_sasl **sasl_in)
{
    struct imap_sasl *sasl = *sasl_in;

    *sasl_in = NULL;
    if (!sasl)
        return;
    if (sasl->session)
        finish(sasl->session);
    if (sasl->context)
        gsasl_done(sasl->context);
    imap_sasl_wipe(sasl->prepared);
    imap_sasl_wipe(sasl->initial);
    imap_sasl_wipe(sasl->response);
    free(sasl);
}

const char *imap_sasl_initial(const struct imap_sasl *sasl)
{
    return sasl->initial;
}

bool imap_sasl_complete(const struct imap_sasl *sasl)
{
    return sasl->complete;
}

bool imap_sasl_judged(const struct imap_sasl *sasl)
{
    return is_scram(sasl) ? sasl->steps >= 2 : sasl->mechanism->strength == IMAP_AUTH_ANY;
}

bool imap_sasl_refused(const struct imap_sasl *sasl)
{
    return sasl->refused;
}

bool imap_sasl_unbound(const struct imap_sasl *sasl)
{
    return sasl->unbound;
}
