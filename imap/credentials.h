/* SPDX-License-Identifier: MIT */
/*
 * credentials: keeping a struct imap_credentials.
 */
#ifndef IMAP_CREDENTIALS_H
#define IMAP_CREDENTIALS_H

#include "imap/auth.h"

/* A copy with strings of its own; fini wipes the password and frees them. token and arg are the caller's. */
void imap_credentials_copy(const struct imap_credentials *credentials, struct imap_credentials *copy_out);
void imap_credentials_fini(struct imap_credentials *copy);

#endif
