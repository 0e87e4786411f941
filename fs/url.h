/* SPDX-License-Identifier: MIT */
/*
 * url: the address that a user gives: imaps://[user@]host[:port]/[mailbox], or imap://.
 *
 * The user part ends at the last '@' before the path, so it may hold a raw '@'; user and mailbox may be
 * percent-encoded. A password is refused: arguments can be read by everyone on the machine.
 */
#ifndef FS_URL_H
#define FS_URL_H

#include "imap/endpoint.h"

struct url {
    enum imap_tls tls; /* IMPLICIT for imaps, STARTTLS for imap */
    char *user;        /* decoded; NULL when absent */
    char *host;        /* without brackets; "" when absent (a tunnel needs none) */
    char *port;        /* NULL when absent */
    char *mailbox;     /* decoded UTF-8 without a trailing '/'; "" when absent */
};

/* IMAP_USAGE with one line that says what is wrong; *url_out is then empty. */
enum imap_status url_parse(const char *text, struct url *url_out, struct imap_error *err) IMAP_CHECK;
void url_fini(struct url *url);

#endif
