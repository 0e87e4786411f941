/* SPDX-License-Identifier: MIT */
/*
 * tls: what the two halves of the TLS transport share: tls.c moves bytes, tls_verify.c decides whom
 * to trust.
 */
#ifndef IMAP_TLS_H
#define IMAP_TLS_H

#include <openssl/ssl.h>

#include "endpoint.h"

/* What the handshake has shown of the peer; kept until the transport is closed. */
struct imap_tls_peer {
    unsigned char digest[IMAP_FINGERPRINT_LEN]; /* SHA-256 of the server's certificate */
    bool seen;
    long verify_result; /* X509_V_ of the first thing wrong with it */
};

/* Trust, own certificate and host name, from the endpoint. peer must outlive the SSL. */
enum imap_status imap_tls_context(const struct imap_endpoint *endpoint, SSL_CTX **context_out,
                                  struct imap_error *err) IMAP_CHECK;
enum imap_status imap_tls_expect(SSL *ssl, const struct imap_endpoint *endpoint, struct imap_tls_peer *peer,
                                 struct imap_error *err) IMAP_CHECK;
/* After a complete handshake: the pinned fingerprint. */
enum imap_status imap_tls_check_pin(const struct imap_endpoint *endpoint, const struct imap_tls_peer *peer,
                                    struct imap_error *err) IMAP_CHECK;
/* After a failed one, when peer->verify_result says that the certificate is to blame. */
enum imap_status imap_tls_distrust(const struct imap_endpoint *endpoint, const struct imap_tls_peer *peer,
                                   struct imap_error *err);

#endif
