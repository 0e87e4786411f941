/* SPDX-License-Identifier: MIT */
#include "url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../imap/mem.h"
#include "imap/types.h"

#define URL_MAX 4096

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool valid_utf8(const char *text)
{
    size_t len = strlen(text);
    size_t size = 4 * len + 3;
    char *encoded = imap_xmalloc(size);
    bool valid = imap_utf7_encode(text, len, encoded, size);

    free(encoded);
    return valid;
}

/* Percent-decodes text[0..len); NULL when malformed, not UTF-8 or with control characters in it. */
static char *decode(const char *text, size_t len)
{
    char *out = imap_xmalloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0) {
                free(out);
                return NULL;
            }
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f) {
            free(out);
            return NULL;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    if (!valid_utf8(out)) {
        free(out);
        return NULL;
    }
    return out;
}

static enum imap_status parse_user(const char *text, size_t len, struct url *url, struct imap_error *err)
{
    if (memchr(text, ':', len))
        return imap_error_set(
            err, IMAP_USAGE,
            "a password in the URL is refused, others could see it: use passcmd=, "
            "password_stdin, IMAPFS_PASSWORD or the prompt (a ':' in the user name is %%3A)");
    if (!len)
        return imap_error_set(err, IMAP_USAGE, "the user name in the URL is empty: leave out the '@'");
    url->user = decode(text, len);
    if (!url->user)
        return imap_error_set(
            err, IMAP_USAGE,
            "the user name in the URL is not valid: '%%' begins two hex digits (itself %%25)");
    return IMAP_OK;
}

static enum imap_status parse_port(const char *text, size_t len, struct url *url, struct imap_error *err)
{
    unsigned long port = 0;

    if (!len)
        return IMAP_OK;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || port > 65535)
            port = 65536;
        else
            port = port * 10 + (unsigned long)(text[i] - '0');
    }
    if (port < 1 || port > 65535)
        return imap_error_set(err, IMAP_USAGE, "the port '%.*s' in the URL is not a number from 1 to 65535",
                              (int)(len > 40 ? 40 : len), text);
    url->port = imap_xstrndup(text, len);
    return IMAP_OK;
}

/* An address, perhaps with a zone ("fe80::1%eth0", RFC 6874 writes the '%' as "%25"). */
static char *parse_ipv6(const char *text, size_t len)
{
    struct in6_addr address;
    char *host = imap_xstrndup(text, len);
    char *zone = strchr(host, '%');

    if (zone && strncmp(zone, "%25", 3) == 0 && zone[3])
        memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
    if (zone)
        *zone = '\0';
    if (inet_pton(AF_INET6, host, &address) != 1 || (zone && !zone[1])) {
        free(host);
        return NULL;
    }
    if (zone)
        *zone = '%';
    return host;
}

static bool host_character(unsigned char c)
{
    return c > 0x7f || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '.' || c == '_';
}

static enum imap_status parse_host(const char *text, size_t len, struct url *url, struct imap_error *err)
{
    const char *end = text + len;
    const char *host_end;

    if (len && *text == '[') {
        host_end = memchr(text, ']', len);
        url->host = host_end ? parse_ipv6(text + 1, (size_t)(host_end - text) - 1) : NULL;
        if (!url->host || (host_end + 1 < end && host_end[1] != ':'))
            return imap_error_set(
                err, IMAP_USAGE, "the brackets in the URL do not hold an IPv6 address, as in imaps://[::1]/");
        host_end++;
    } else {
        host_end = memchr(text, ':', len);
        if (!host_end)
            host_end = end;
        else if (memchr(host_end + 1, ':', (size_t)(end - host_end) - 1))
            return imap_error_set(err, IMAP_USAGE,
                                  "an IPv6 address in the URL is put in brackets, as in imaps://[::1]/");
        for (const char *p = text; p < host_end; p++) {
            if (!host_character((unsigned char)*p))
                return imap_error_set(err, IMAP_USAGE, "the host name in the URL is not valid");
        }
        url->host = imap_xstrndup(text, (size_t)(host_end - text));
    }
    if (host_end < end)
        return parse_port(host_end + 1, (size_t)(end - host_end) - 1, url, err);
    return IMAP_OK;
}

static enum imap_status parse_mailbox(const char *text, struct url *url, struct imap_error *err)
{
    size_t len = strlen(text);

    while (len && text[len - 1] == '/')
        len--;
    url->mailbox = decode(text, len);
    if (!url->mailbox)
        return imap_error_set(
            err, IMAP_USAGE,
            "the mailbox in the URL is not valid UTF-8 or percent-encoding ('%%' itself is %%25)");
    return IMAP_OK;
}

static enum imap_status parse_authority(const char *text, size_t len, struct url *url, struct imap_error *err)
{
    const char *at = memrchr(text, '@', len);
    const char *host = at ? at + 1 : text;

    if (at) {
        enum imap_status status = parse_user(text, (size_t)(at - text), url, err);
        if (status != IMAP_OK)
            return status;
    }
    return parse_host(host, len - (size_t)(host - text), url, err);
}

static enum imap_status parse(const char *text, struct url *url, struct imap_error *err)
{
    if (strlen(text) > URL_MAX)
        return imap_error_set(err, IMAP_USAGE, "the URL is longer than %d bytes", URL_MAX);
    if (strncasecmp(text, "imaps://", 8) == 0) {
        url->tls = IMAP_TLS_IMPLICIT;
        text += 8;
    } else if (strncasecmp(text, "imap://", 7) == 0) {
        url->tls = IMAP_TLS_STARTTLS;
        text += 7;
    } else {
        return imap_error_set(err, IMAP_USAGE,
                              "the URL must begin with imaps:// or imap://, as in imaps://user@host/");
    }

    size_t authority = strcspn(text, "/");
    enum imap_status status = parse_authority(text, authority, url, err);
    if (status != IMAP_OK)
        return status;
    return parse_mailbox(text[authority] ? text + authority + 1 : "", url, err);
}

enum imap_status url_parse(const char *text, struct url *url_out, struct imap_error *err)
{
    *url_out = (struct url){0};
    enum imap_status status = parse(text, url_out, err);
    if (status != IMAP_OK)
        url_fini(url_out);
    return status;
}

void url_fini(struct url *url)
{
    free(url->user);
    free(url->host);
    free(url->port);
    free(url->mailbox);
    *url = (struct url){0};
}
