/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "sasl.h"

void imap_sasl_wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* What the formats use as separators must not be in what they separate. */
static bool is_clean(const char *str)
{
    for (; *str; str++)
        if ((unsigned char)*str < ' ' || *str == 0x7f)
            return false;
    return true;
}

/* b64token of RFC 6750 2.1, but for the order of its characters. */
static bool is_token(const char *token)
{
    for (const char *at = token; *at; at++)
        if (*at <= ' ' || *at > '~')
            return false;
    return *token != '\0';
}

/* "saslname" of RFC 5801 4: a comma would end it. */
static char *saslname(const char *name)
{
    char *escaped = imap_xmalloc(strlen(name) * 3 + 1);
    char *out = escaped;

    for (; *name; name++) {
        if (*name == ',' || *name == '=')
            out += sprintf(out, "=%02X", (unsigned)*name);
        else
            *out++ = *name;
    }
    *out = '\0';
    return escaped;
}

/* The format knows numbers only. */
static bool is_port(const char *port)
{
    return port && *port && strspn(port, "0123456789") == strlen(port);
}

/* asprintf would leave copies of the token behind as its buffer grows. */
static char *room_for(size_t *size_out, const char *a, const char *b, const char *c, const char *d)
{
    *size_out = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 64;
    return imap_xmalloc(*size_out);
}

char *imap_sasl_oauthbearer(const struct imap_credentials *credentials, const struct imap_sasl_terms *terms,
                            const char *token)
{
    const char *user = credentials->authzid ? credentials->authzid : credentials->user;
    const char *host = terms->host && is_clean(terms->host) ? terms->host : "";
    const char *port = is_port(terms->port) ? terms->port : "";
    size_t size;

    if (!is_clean(user) || !is_token(token))
        return NULL;
    char *name = saslname(user);
    char *message = room_for(&size, name, host, port, token);
    snprintf(message, size, "n,a=%s,\1%s%s%s%s%s%sauth=Bearer %s\1\1", name, *host ? "host=" : "", host,
             *host ? "\1" : "", *port ? "port=" : "", port, *port ? "\1" : "", token);
    free(name);
    return message;
}

char *imap_sasl_xoauth2(const struct imap_credentials *credentials, const char *token)
{
    const char *user = credentials->authzid ? credentials->authzid : credentials->user;
    size_t size;

    if (!is_clean(user) || !is_token(token))
        return NULL;
    char *message = room_for(&size, user, token, "", "");
    snprintf(message, size, "user=%s\1auth=Bearer %s\1\1", user, token);
    return message;
}
