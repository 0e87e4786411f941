/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 30000

/* Ends *text at c; what followed it, or NULL when there is no c. */
static char *split(const char *text, char *c)
{
    if (!c || !text)
        return NULL;
    *c = '\0';
    return c + 1;
}

static char *take_scheme(char *url, enum imap_tls *tls_out)
{
    if (strncmp(url, "imaps://", 8) == 0) {
        *tls_out = IMAP_TLS_IMPLICIT;
        return url + 8;
    }
    if (strncmp(url, "imap://", 7) == 0) {
        *tls_out = IMAP_TLS_STARTTLS;
        return url + 7;
    }
    return NULL;
}

static const char *password(void)
{
    const char *given = getenv("IMAP_PASSWORD");
    return given ? given : getpass("Password: ");
}

bool account_from_url(char *url, struct imap_endpoint *endpoint, const char **mailbox_out)
{
    *endpoint = (struct imap_endpoint){.timeout_ms = TIMEOUT_MS};
    char *user = take_scheme(url, &endpoint->tls);
    const char *mailbox = user ? split(user, strchr(user, '/')) : NULL;
    char *host = user ? split(user, strrchr(user, '@')) : NULL; /* the user's name may hold an @ too */
    if (!host || !*host || !*user) {
        fprintf(stderr, "expected imaps://user@host[:port]/mailbox\n");
        return false;
    }
    endpoint->port = split(host, strrchr(host, ':'));
    endpoint->host = host;
    endpoint->user = user;
    endpoint->password = password();
    if (!endpoint->password) {
        fprintf(stderr, "no password: set IMAP_PASSWORD or run on a terminal\n");
        return false;
    }
    *mailbox_out = mailbox && *mailbox ? mailbox : "INBOX";
    return true;
}
