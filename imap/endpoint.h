/* SPDX-License-Identifier: MIT */
/*
 * endpoint: keeping, checking and naming a struct imap_endpoint.
 */
#ifndef IMAP_ENDPOINT_PRIVATE_H
#define IMAP_ENDPOINT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "imap/endpoint.h"

#define IMAP_FINGERPRINT_LEN 32
#define IMAP_ENDPOINT_TEXT_MAX 120

/* IMAP_USAGE with what is missing or contradicts itself. */
enum imap_status imap_endpoint_check(const struct imap_endpoint *endpoint, struct imap_error *err) IMAP_CHECK;
/* A copy with strings of its own; fini wipes the password and frees them. */
void imap_endpoint_copy(const struct imap_endpoint *endpoint, struct imap_endpoint *copy_out);
void imap_endpoint_fini(struct imap_endpoint *copy);

const char *imap_endpoint_port(const struct imap_endpoint *endpoint); /* the given one, or by tls */
/* For messages: "imap.example.org:993", "[::1]:143", "the tunnel". */
void imap_endpoint_text(const struct imap_endpoint *endpoint, char text[IMAP_ENDPOINT_TEXT_MAX]);
/* 64 hex digits, colons between bytes allowed; false when it is anything else. */
bool imap_fingerprint_parse(const char *text, unsigned char digest[IMAP_FINGERPRINT_LEN]) IMAP_CHECK;
/* "AB:CD:..." */
#define IMAP_FINGERPRINT_TEXT_MAX (IMAP_FINGERPRINT_LEN * 3)
void imap_fingerprint_format(const unsigned char digest[IMAP_FINGERPRINT_LEN],
                             char text[IMAP_FINGERPRINT_TEXT_MAX]);

#endif
