/* SPDX-License-Identifier: MIT */
/*
 * sasl: which mechanism to log in by, and one exchange by it (RFC 4422), without any I/O.
 *
 * The mechanisms are libgsasl's but for LOGIN, OAUTHBEARER and XOAUTH2 (sasl_forms.c), which are formats
 * more than mechanisms. Credentials, terms and the token are borrowed until the exchange is freed. What holds
 * a secret is wiped, libgsasl's copies too where they can be reached. Threads: one at a time.
 */
#ifndef IMAP_SASL_H
#define IMAP_SASL_H

#include "imap/auth.h"

#include "transport.h"

#define IMAP_SASL_MECHANISMS 12

/* More rounds of hashing than this are an attack on our processor, not a protection of the password: it is
 * three times what is advised for stored passwords, and a few seconds' work. */
#define IMAP_SASL_ROUNDS_MAX 2000000
/* Of one challenge, in base64; the tickets of GSSAPI are the large ones. */
#define IMAP_SASL_CHALLENGE_MAX 65536

enum imap_secret { IMAP_SECRET_PASSWORD, IMAP_SECRET_TOKEN, IMAP_SECRET_CERTIFICATE, IMAP_SECRET_TICKET };

struct imap_mechanism {
    const char *name;
    enum imap_auth_strength strength;
    enum imap_secret secret;
    bool server_first; /* has no initial response */
    bool command;      /* no mechanism: the LOGIN command */
};

/* What the server offers and the line can do. */
struct imap_sasl_terms {
    const struct imap_caps *caps;
    const char *host, *port;     /* for GSSAPI and OAUTHBEARER; may be NULL */
    bool certificate;            /* the client's was given, and the line has TLS */
    struct imap_binding binding; /* len 0: the line has none */
};

/* IMAP_USAGE with the name in mechanisms (as in struct imap_credentials) that is not known. */
enum imap_status imap_sasl_check_names(const char *mechanisms, struct imap_error *err) IMAP_CHECK;
/* All that can be tried, in order of preference; how many. Credentials were checked. EXTERNAL and GSSAPI are
 * among them when there is neither password nor token, or when they were asked for by name. */
size_t imap_sasl_candidates(const struct imap_sasl_terms *terms, const struct imap_credentials *credentials,
                            const struct imap_mechanism *candidates_out[IMAP_SASL_MECHANISMS]);

struct imap_sasl;

/* Fails, before anything was sent, when the mechanism cannot serve here: libgsasl lacks it, the password has
 * no form that it could take, there is no ticket. token: for the mechanisms of that secret. */
enum imap_status imap_sasl_new(const struct imap_mechanism *mechanism,
                               const struct imap_credentials *credentials,
                               const struct imap_sasl_terms *terms, const char *token,
                               struct imap_sasl **sasl_out, struct imap_error *err) IMAP_CHECK;
void imap_sasl_free(struct imap_sasl **sasl);
/* The initial response in base64, empty when it is empty; NULL for a mechanism that has none. */
const char *imap_sasl_initial(const struct imap_sasl *sasl);
/* The response to a challenge, both in base64; it is valid until the next step. IMAP_AUTH: the exchange is
 * to be aborted. */
enum imap_status imap_sasl_step(struct imap_sasl *sasl, const char *challenge, size_t len,
                                const char **response_out, struct imap_error *err) IMAP_CHECK;
/* True when nothing is missing: where the mechanism has the server prove itself, it did. */
bool imap_sasl_complete(const struct imap_sasl *sasl);
/* The server has had what it needs to compare the secret with its own, and knows how: no other form of the same
 * secret will fare better. A hash that a server keeps may not serve SCRAM (it then refuses at once) or CRAM-MD5
 * (of which nothing can be told). */
bool imap_sasl_judged(const struct imap_sasl *sasl);
/* The server itself said, within the exchange, that it refuses (its tagged NO only follows). */
bool imap_sasl_refused(const struct imap_sasl *sasl);
/* ... and that it is because it does not know this kind of channel binding. */
bool imap_sasl_unbound(const struct imap_sasl *sasl);

/* ---- sasl_forms.c: LOGIN, OAUTHBEARER (RFC 7628), XOAUTH2 ------------------------------------------- */

/* Whole messages, to be wiped and freed; NULL when the parts hold what the format cannot. */
char *imap_sasl_oauthbearer(const struct imap_credentials *credentials, const struct imap_sasl_terms *terms,
                            const char *token);
char *imap_sasl_xoauth2(const struct imap_credentials *credentials, const char *token);

/* Wipes and frees a string; NULL is nothing. */
void imap_sasl_wipe(char *secret);

#endif
