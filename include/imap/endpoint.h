/* SPDX-License-Identifier: MIT */
/*
 * endpoint: where a server is, how its line is secured, and who logs in.
 *
 * A plain description; strings are borrowed and must outlive whatever was opened with it. Nothing is
 * sent in the clear unless the caller said so: IMAP_TLS_NONE is the only way to a password on an
 * unencrypted line (a tunnel counts as secure, being a process of the caller's own choosing).
 */
#ifndef IMAP_ENDPOINT_H
#define IMAP_ENDPOINT_H

#include "imap/error.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum imap_tls {
    IMAP_TLS_IMPLICIT, /* TLS from the first byte, port 993 (RFC 8314) */
    IMAP_TLS_STARTTLS, /* STARTTLS required, port 143 (RFC 3501 6.2.1); never downgraded */
    IMAP_TLS_NONE      /* cleartext, chosen by the user */
};

struct imap_endpoint {
    const char *host; /* name or address, without brackets */
    const char *port; /* number or service name; NULL: by tls */
    enum imap_tls tls;
    const char *cafile;      /* PEM; NULL: the system's */
    const char *fingerprint; /* SHA-256 of the certificate in hex, colons allowed; replaces the CA and
                              * host name checks; NULL: none */
    const char *clientcert, *clientkey; /* PEM; NULL: none; the key may be in the certificate's file */
    const char *tunnel; /* a command for /bin/sh that talks IMAP on stdin and stdout; replaces host */
    const char *user;
    const char *password; /* copied by whoever keeps it and wiped when freed */
    const char *disable;  /* capabilities treated as if not offered, separated by commas; NULL: none */
    unsigned timeout_ms;  /* for connecting, and for silence while an answer is due; 0 is IMAP_USAGE */
};

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
