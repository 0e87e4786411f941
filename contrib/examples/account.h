/* SPDX-License-Identifier: MIT */
/*
 * account: what the examples are told on the command line, and the password that they are not told there.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <imap/endpoint.h>
#include <stdbool.h>

/* imaps://user@host[:port]/mailbox, or imap:// for STARTTLS; no mailbox: INBOX. Cuts url into pieces, which
 * *endpoint and *mailbox_out then point to. The password comes from $IMAP_PASSWORD, or the terminal is asked
 * for it. False, with a line on stderr, when something is missing. */
bool account_from_url(char *url, struct imap_endpoint *endpoint, const char **mailbox_out);

#endif
