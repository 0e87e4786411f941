/* SPDX-License-Identifier: MIT */
/*
 * auth: who logs in and how; securing and ending a connection (RFC 3501 6.2, RFC 4422).
 *
 * Mechanisms are libgsasl's, strongest first: SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS (both with channel
 * binding, RFC 5802, RFC 9266), SCRAM-SHA-256, SCRAM-SHA-1, GSSAPI, CRAM-MD5, then those that show the
 * secret to the server: OAUTHBEARER, XOAUTH2, PLAIN, LOGIN, and the LOGIN command. EXTERNAL (where a client
 * certificate is given) and GSSAPI are tried when there is neither password nor token, or when named. A server
 * that offers SCRAM or CRAM-MD5 but has no password that serves it gets the weakest that is allowed, once; one
 * that does not prove itself gets nothing more. Secrets go only over an encrypted line, or where
 * IMAP_TLS_NONE was chosen; they are wiped after use.
 */
#ifndef IMAP_AUTH_H
#define IMAP_AUTH_H

#include "imap/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much a mechanism gives away to who listens or answers in the server's stead. */
enum imap_auth_strength {
    IMAP_AUTH_ANY,        /* also PLAIN, LOGIN and bearer tokens: the server sees the secret */
    IMAP_AUTH_CHALLENGED, /* CRAM-MD5 or better: the secret is not sent */
    IMAP_AUTH_MUTUAL,     /* SCRAM, GSSAPI: the server proves that it knows the secret too */
    IMAP_AUTH_BOUND       /* SCRAM-*-PLUS: nobody sits between */
};

struct imap_credentials {
    const char *user;       /* authentication identity */
    const char *authzid;    /* act as this user; NULL: as oneself */
    const char *password;   /* NULL: none */
    const char *mechanisms; /* only these, space-separated, in this order of preference; NULL: as above.
                             * "LOGIN" is the SASL mechanism, "login" the command */
    enum imap_auth_strength strength; /* nothing weaker; IMAP_AUTH when the server offers only that */
    /* An OAuth 2.0 access token (OAUTHBEARER RFC 7628, XOAUTH2). Called on the client's thread; again with
     * expired true when the server refused the token, once. Returns a string that lives until the next
     * call or the end of login, or NULL to give up (IMAP_AUTH). */
    const char *(*token)(void *arg, bool expired);
    void *arg;
};

/* One step of a mechanism of the caller's own: challenge as decoded from base64 (NULL: none, the server
 * wants the initial response); *response_out is the answer before base64, valid until the next step. False
 * gives up: "*" is sent (RFC 3501 6.2.2). */
typedef bool imap_auth_step(void *arg, const void *challenge, size_t len, const void **response_out,
                            size_t *len_out);

/* LOGIN (RFC 3501 6.2.3). IMAP_AUTH: refused, or the line is not encrypted. */
enum imap_status imap_client_login(struct imap_client *client, const char *user, const char *password,
                                   struct imap_call *call);
/* AUTHENTICATE with the strongest mechanism that credentials (NULL: the endpoint's) and server allow. */
enum imap_status imap_client_login_with(struct imap_client *client,
                                        const struct imap_credentials *credentials, struct imap_call *call);
/* AUTHENTICATE by a mechanism of the caller's own (imaplib's authenticate); SASL-IR is used where offered
 * (RFC 4959). step runs on the client's thread. */
enum imap_status imap_client_authenticate(struct imap_client *client, const char *mechanism,
                                          imap_auth_step *step, void *step_arg, struct imap_call *call);
/* PROXYAUTH (draft; Netscape, Sun, Cyrus): become another user. */
enum imap_status imap_client_proxyauth(struct imap_client *client, const char *user, struct imap_call *call);
/* STARTTLS (RFC 3501 6.2.1) with the endpoint's rules for certificates. IMAP_USAGE: the line is encrypted
 * already. IMAP_AUTH: not offered, refused, or the certificate does not do; the client is dead after a
 * failed handshake. */
enum imap_status imap_client_starttls(struct imap_client *client, struct imap_call *call);
/* COMPRESS DEFLATE (RFC 4978). IMAP_USAGE: compressed already; IMAP_NO: not offered or refused. */
enum imap_status imap_client_compress(struct imap_client *client, struct imap_call *call);
/* LOGOUT: a line that drops instead of the server's OK is success. The client is dead afterwards. */
enum imap_status imap_client_logout(struct imap_client *client, struct imap_call *call);

/* CAPABILITY, ENABLE (RFC 5161), ID (RFC 2971), NOOP, CHECK, NAMESPACE (RFC 2342). ENABLE asks only for what
 * is advertised: IMAP_USAGE else. params of ID: count strings, name, value, name, value ...; a value NULL is
 * NIL; params NULL sends NIL. */
enum imap_status imap_client_capability(struct imap_client *client, struct imap_call *call);
enum imap_status imap_client_enable(struct imap_client *client, const char *capabilities,
                                    struct imap_call *call);
enum imap_status imap_client_id(struct imap_client *client, const char *const *params, size_t count,
                                struct imap_call *call);
enum imap_status imap_client_noop(struct imap_client *client, struct imap_call *call);
enum imap_status imap_client_check(struct imap_client *client, struct imap_call *call);
enum imap_status imap_client_namespace(struct imap_client *client, struct imap_call *call);

#ifdef __cplusplus
}
#endif
#endif
