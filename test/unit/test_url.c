/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "unit_main.h"
#include "url.h"

static struct url good(const char *text)
{
    struct url url;
    struct imap_error err = {0};
    enum imap_status status = url_parse(text, &url, &err);

    ck_assert_msg(status == IMAP_OK, "%s: %s", text, err.text);
    return url;
}

static const char *refused(const char *text)
{
    static struct imap_error err;
    struct url url;

    err = (struct imap_error){0};
    ck_assert_msg(url_parse(text, &url, &err) == IMAP_USAGE, "%s was accepted", text);
    ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "%s: '%s' is not one line", text, err.text);
    ck_assert_ptr_null(url.user);
    ck_assert_ptr_null(url.host);
    ck_assert_ptr_null(url.mailbox);
    return err.text;
}

START_TEST(whole)
{
    struct url url = good("imaps://joe@mail.example.org:10993/Archive/2024");

    ck_assert_int_eq(url.tls, IMAP_TLS_IMPLICIT);
    ck_assert_str_eq(url.user, "joe");
    ck_assert_str_eq(url.host, "mail.example.org");
    ck_assert_str_eq(url.port, "10993");
    ck_assert_str_eq(url.mailbox, "Archive/2024");
    url_fini(&url);
}
END_TEST

START_TEST(least)
{
    struct url url = good("imap://mail");

    ck_assert_int_eq(url.tls, IMAP_TLS_STARTTLS);
    ck_assert_ptr_null(url.user);
    ck_assert_str_eq(url.host, "mail");
    ck_assert_ptr_null(url.port);
    ck_assert_str_eq(url.mailbox, "");
    url_fini(&url);
    url = good("IMAPS://mail:/");
    ck_assert_int_eq(url.tls, IMAP_TLS_IMPLICIT);
    ck_assert_ptr_null(url.port);
    ck_assert_str_eq(url.mailbox, "");
    url_fini(&url);
    url = good("imap:///INBOX"); /* for a tunnel */
    ck_assert_str_eq(url.host, "");
    ck_assert_str_eq(url.mailbox, "INBOX");
    url_fini(&url);
}
END_TEST

START_TEST(users)
{
    static const struct {
        const char *text, *user;
    } cases[] = {
        {"imaps://me@example.org@imap.example.org/", "me@example.org"},
        {"imaps://me%40example.org@imap.example.org/", "me@example.org"},
        {"imaps://a%3Ab%25c@imap.example.org", "a:b%c"},
        {"imaps://j\xc3\xb6rg@imap.example.org", "j\xc3\xb6rg"},
        {"imaps://j%c3%B6rg@imap.example.org", "j\xc3\xb6rg"},
        {"imaps://a%2fb@imap.example.org", "a/b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url = good(cases[i].text);

        ck_assert_str_eq(url.user, cases[i].user);
        ck_assert_str_eq(url.host, "imap.example.org");
        url_fini(&url);
    }
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *text, *host, *port;
    } cases[] = {
        {"imaps://[::1]/", "::1", NULL},
        {"imaps://[::1]", "::1", NULL},
        {"imaps://u@[2001:db8::25]:1143/x", "2001:db8::25", "1143"},
        {"imaps://[fe80::1%eth0]:143", "fe80::1%eth0", "143"},
        {"imaps://[fe80::1%25eth0]:143", "fe80::1%eth0", "143"},
        {"imaps://127.0.0.1:1", "127.0.0.1", "1"},
        {"imaps://m\xc3\xbcnchen.example:65535", "m\xc3\xbcnchen.example", "65535"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url = good(cases[i].text);

        ck_assert_str_eq(url.host, cases[i].host);
        ck_assert_pstr_eq(url.port, cases[i].port);
        url_fini(&url);
    }
}
END_TEST

START_TEST(mailboxes)
{
    static const struct {
        const char *text, *mailbox;
    } cases[] = {
        {"imaps://h/INBOX/", "INBOX"},
        {"imaps://h/a@b:c", "a@b:c"},
        {"imaps://h/Entw%C3%BCrfe", "Entw\xc3\xbcrfe"},
        {"imaps://h/Entw\xc3\xbcrfe/x", "Entw\xc3\xbcrfe/x"},
        {"imaps://h/R%26D%20%25", "R&D %"},
        {"imaps://h/a?b#c", "a?b#c"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url = good(cases[i].text);

        ck_assert_str_eq(url.mailbox, cases[i].mailbox);
        url_fini(&url);
    }
}
END_TEST

START_TEST(password)
{
    const char *why = refused("imaps://joe:hunter2@host/");

    ck_assert_ptr_nonnull(strstr(why, "passcmd"));
    ck_assert_ptr_null(strstr(why, "hunter2"));
    refused("imaps://joe:@host/");
    refused("imaps://me@example.org:hunter2@host/");
}
END_TEST

START_TEST(malformed)
{
    static const char *const cases[] = {
        "",
        "host",
        "http://host/",
        "imap:/host",
        "imaps:host",
        "imaps://@host/",
        "imaps://joe%@host",
        "imaps://joe%4@host",
        "imaps://joe%4",
        "imaps://j%zz@host",
        "imaps://j%00@host",
        "imaps://j%0Ax@host",
        "imaps://j%ff@host", /* no UTF-8 */
        "imaps://::1/",
        "imaps://[::1",
        "imaps://[::1]x",
        "imaps://[]",
        "imaps://[host]",
        "imaps://[fe80::1%]",
        "imaps://ho st/",
        "imaps://ho%73t/",
        "imaps://host:0",
        "imaps://host:65536",
        "imaps://host:99999999999999999999",
        "imaps://host:imap",
        "imaps://host:-1",
        "imaps://host/%",
        "imaps://host/a%f",
        "imaps://host/a%00",
        "imaps://host/a%0d",
        "imaps://host/\x01",
        "imaps://host/%c0%af", /* overlong */
        "imaps://host/%ed%a0%80",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refused(cases[i]);
}
END_TEST

START_TEST(too_long)
{
    char *text = malloc(100001);

    memset(text, 'a', 100000);
    memcpy(text, "imaps://", 8);
    text[100000] = '\0';
    refused(text);
    free(text);
}
END_TEST

UNIT_MAIN("url", whole, least, users, addresses, mailboxes, password, malformed, too_long)
