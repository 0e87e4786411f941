/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static bool given(const char *str)
{
    return str && *str;
}

enum imap_status imap_endpoint_check(const struct imap_endpoint *endpoint, struct imap_error *err)
{
    unsigned char digest[IMAP_FINGERPRINT_LEN];

    if (!given(endpoint->host) && !given(endpoint->tunnel))
        return imap_error_set(err, IMAP_USAGE, "no server was given");
    if (endpoint->timeout_ms == 0)
        return imap_error_set(err, IMAP_USAGE, "the timeout must not be zero");
    if (endpoint->fingerprint && !imap_fingerprint_parse(endpoint->fingerprint, digest))
        return imap_error_set(err, IMAP_USAGE,
                              "the fingerprint must be the 64 hex digits of a SHA-256 digest, as printed by "
                              "openssl x509 -noout -fingerprint -sha256");
    if (given(endpoint->clientkey) && !given(endpoint->clientcert))
        return imap_error_set(err, IMAP_USAGE, "a client key needs a client certificate");
    return IMAP_OK;
}

static const char *copy_string(const char *str)
{
    return str ? imap_xstrdup(str) : NULL;
}

void imap_endpoint_copy(const struct imap_endpoint *endpoint, struct imap_endpoint *copy_out)
{
    *copy_out = (struct imap_endpoint){
        .host = copy_string(endpoint->host),
        .port = copy_string(endpoint->port),
        .tls = endpoint->tls,
        .cafile = copy_string(endpoint->cafile),
        .fingerprint = copy_string(endpoint->fingerprint),
        .clientcert = copy_string(endpoint->clientcert),
        .clientkey = copy_string(endpoint->clientkey),
        .tunnel = copy_string(endpoint->tunnel),
        .user = copy_string(endpoint->user),
        .password = copy_string(endpoint->password),
        .disable = copy_string(endpoint->disable),
        .timeout_ms = endpoint->timeout_ms,
    };
}

static void free_string(const char *str)
{
    free((void *)str);
}

void imap_endpoint_fini(struct imap_endpoint *copy)
{
    if (copy->password)
        explicit_bzero((void *)copy->password, strlen(copy->password));
    free_string(copy->host);
    free_string(copy->port);
    free_string(copy->cafile);
    free_string(copy->fingerprint);
    free_string(copy->clientcert);
    free_string(copy->clientkey);
    free_string(copy->tunnel);
    free_string(copy->user);
    free_string(copy->password);
    free_string(copy->disable);
    *copy = (struct imap_endpoint){0};
}

const char *imap_endpoint_port(const struct imap_endpoint *endpoint)
{
    if (given(endpoint->port))
        return endpoint->port;
    return endpoint->tls == IMAP_TLS_IMPLICIT ? "993" : "143";
}

void imap_endpoint_text(const struct imap_endpoint *endpoint, char text[IMAP_ENDPOINT_TEXT_MAX])
{
    if (given(endpoint->tunnel)) {
        snprintf(text, IMAP_ENDPOINT_TEXT_MAX, "the tunnel");
        return;
    }
    bool v6 = strchr(endpoint->host, ':') != NULL;
    snprintf(text, IMAP_ENDPOINT_TEXT_MAX, "%s%.90s%s:%.10s", v6 ? "[" : "", endpoint->host, v6 ? "]" : "",
             imap_endpoint_port(endpoint));
}

bool imap_fingerprint_parse(const char *text, unsigned char digest[IMAP_FINGERPRINT_LEN])
{
    for (size_t i = 0; i < IMAP_FINGERPRINT_LEN; i++) {
        if (i > 0 && *text == ':')
            text++;
        int high = OPENSSL_hexchar2int((unsigned char)text[0]);
        int low = high < 0 ? -1 : OPENSSL_hexchar2int((unsigned char)text[1]);
        if (low < 0)
            return false;
        digest[i] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    return *text == '\0';
}

void imap_fingerprint_format(const unsigned char digest[IMAP_FINGERPRINT_LEN],
                             char text[IMAP_FINGERPRINT_TEXT_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = text;

    for (size_t i = 0; i < IMAP_FINGERPRINT_LEN; i++) {
        *out++ = hex[digest[i] >> 4];
        *out++ = hex[digest[i] & 15];
        *out++ = ':';
    }
    out[-1] = '\0';
}
