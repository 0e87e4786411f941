/* SPDX-License-Identifier: MIT */
/* The surface: connecting, securing the line, logging in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

static void connect_again(struct surface *s, struct imap_client_options options)
{
    imap_client_free(&s->client);
    s->client = surface_connect(&options);
}

static void connect_unknown(struct surface *s)
{
    connect_again(s, (struct imap_client_options){.no_login = true});
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_NOT_AUTHENTICATED);
}

static void expect_connect(struct imap_endpoint endpoint, enum imap_status expected)
{
    struct imap_client *client = NULL;
    struct imap_error err = {0};
    endpoint.host = endpoint.host ? endpoint.host : surface_server.host;
    endpoint.user = surface_server.user;
    endpoint.password = endpoint.password ? endpoint.password : surface_server.password;
    struct imap_client_options options = {.endpoint = endpoint};
    enum imap_status status = imap_client_connect(&options, &client, &err);
    ck_assert_msg(status == expected, "%s instead of %s: %s", imap_status_name(status),
                  imap_status_name(expected), err.text);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(err.status, expected);
}

SURFACE_TEST(connect_in_the_clear)
{
    DID(s, noop);
    surface_direct("connect");
    struct imap_endpoint endpoint = {
        .port = surface_server.port, .tls = IMAP_TLS_NONE, .timeout_ms = 20000, .password = "wrong"};
    expect_connect(endpoint, IMAP_AUTH);
    endpoint.timeout_ms = 0;
    expect_connect(endpoint, IMAP_USAGE);
    surface_direct("timeout");
}

SURFACE_TEST(connect_by_tls)
{
    struct imap_endpoint endpoint = {.host = surface_server.host, .tls = IMAP_TLS_IMPLICIT};
    connect_again(s, (struct imap_client_options){.endpoint = endpoint});
    ck_assert(imap_client_encrypted(s->client));
    DID(s, noop);
    surface_direct("connect-tls");

    endpoint.port = surface_server.tls_port;
    endpoint.timeout_ms = 20000;
    expect_connect(endpoint, IMAP_AUTH); /* nobody knows this CA */
    endpoint.cafile = surface_server.cafile;
    endpoint.host = "127.1"; /* gets there, but is not what the certificate calls it */
    expect_connect(endpoint, IMAP_AUTH);
    surface_direct("ssl_context");
}

/* The server's certificate, which speaks for nobody. */
static const char *not_a_ca(char *path, size_t size)
{
    snprintf(path, size, "%s/server.pem", surface_server.dir);
    return path;
}

SURFACE_TEST(connect_pinned)
{
    char distrusted[96];
    struct imap_endpoint endpoint = {.host = "127.1", /* not its name */
                                     .tls = IMAP_TLS_IMPLICIT,
                                     .cafile = not_a_ca(distrusted, sizeof distrusted),
                                     .fingerprint = surface_server.fingerprint};
    connect_again(s, (struct imap_client_options){.endpoint = endpoint});
    ck_assert(imap_client_encrypted(s->client));
    DID(s, noop);
    char wrong[72];
    snprintf(wrong, sizeof wrong, "%s", surface_server.fingerprint);
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    endpoint.fingerprint = wrong;
    endpoint.port = surface_server.tls_port;
    endpoint.timeout_ms = 20000;
    expect_connect(endpoint, IMAP_AUTH);
    surface_direct("fingerprint");
}

SURFACE_TEST(connect_by_starttls)
{
    struct imap_endpoint endpoint = {.host = surface_server.host, .tls = IMAP_TLS_STARTTLS};
    connect_again(s, (struct imap_client_options){.endpoint = endpoint});
    ck_assert(imap_client_encrypted(s->client));
    ck_assert(!imap_client_has(s->client, "STARTTLS"));
    DID(s, noop);
    surface_direct("connect-starttls");
}

SURFACE_TEST(connect_by_command)
{
    char command[512];
    if (surface_is_cyrus) /* only Dovecot's server talks on a pipe */
        return;
    snprintf(command, sizeof command, "%s/support/dovecot.sh tunnel %s %s", TEST_DIR, surface_server.dir,
             surface_server.user);
    connect_again(s, (struct imap_client_options){.endpoint = {.tunnel = command}});
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    surface_make(s);
    surface_fill(s, 1);
    surface_direct("connect-stream");
}

SURFACE_TEST(login_command)
{
    connect_unknown(s);
    EXPECT(s, IMAP_USAGE, select, "INBOX", 0);
    EXPECT(s, IMAP_AUTH, login, surface_server.user, "wrong \"password\"");
    DID(s, login, surface_server.user, surface_server.password);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    ck_assert(imap_client_has(s->client, "UIDPLUS"));
    EXPECT(s, IMAP_USAGE, login, surface_server.user, surface_server.password);
}

static void login_by(struct surface *s, const char *mechanism, enum imap_auth_strength strength,
                     const char *row)
{
    struct imap_credentials credentials = {
        .user = surface_server.user, .password = "wrong", .mechanisms = mechanism, .strength = strength};
    connect_unknown(s);
    EXPECT(s, IMAP_AUTH, login_with, &credentials);
    credentials.password = surface_server.password;
    DID(s, login_with, &credentials);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    surface_row(s, row);
}

SURFACE_TEST(login_cram_md5)
{
    login_by(s, "CRAM-MD5", IMAP_AUTH_CHALLENGED, "login_cram_md5");
}

SURFACE_TEST(login_by_mechanisms)
{
    login_by(s, "PLAIN", IMAP_AUTH_ANY, "mechanism PLAIN");
    login_by(s, "LOGIN", IMAP_AUTH_ANY, "mechanism LOGIN");
    login_by(s, "SCRAM-SHA-1", IMAP_AUTH_MUTUAL, "mechanism SCRAM-SHA-1");
    login_by(s, "SCRAM-SHA-256", IMAP_AUTH_MUTUAL, "mechanism SCRAM-SHA-256");
    login_by(s, NULL, IMAP_AUTH_MUTUAL, "mechanism chosen");
}

/* imaplib's authenticate: a mechanism of the caller's own, here LOGIN, which asks twice. */
struct own_mechanism {
    unsigned steps, give_up_at;
    char challenges[3][64];
};

static bool own_step(void *arg, const void *challenge, size_t len, const void **response_out, size_t *len_out)
{
    struct own_mechanism *own = arg;
    if (own->steps >= 3)
        return false;
    snprintf(own->challenges[own->steps], sizeof own->challenges[0], "%.*s", (int)len,
             challenge ? (const char *)challenge : "");
    if (++own->steps == own->give_up_at)
        return false;
    bool wants_name = !challenge || strncasecmp(challenge, "User", 4) == 0;
    *response_out = wants_name ? surface_server.user : surface_server.password;
    *len_out = strlen(*response_out);
    return true;
}

SURFACE_TEST(authenticate)
{
    struct own_mechanism own = {.give_up_at = 2};
    connect_unknown(s);
    surface_begin(s);
    EXPECT(s, IMAP_AUTH, authenticate, "LOGIN", own_step, &own);
    surface_row(s, "authenticate, given up");
    ck_assert_uint_eq(own.steps, 2);
    own = (struct own_mechanism){0};
    DID(s, authenticate, "LOGIN", own_step, &own);
    ck_assert_uint_ge(own.steps, 2);
    ck_assert_ptr_nonnull(strcasestr(own.challenges[own.steps - 1], "password"));
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
}

SURFACE_TEST(starttls)
{
    EXPECT(s, IMAP_USAGE, starttls); /* too late: logged in */
    connect_unknown(s);
    ck_assert(!imap_client_encrypted(s->client));
    DID(s, starttls);
    ck_assert(imap_client_encrypted(s->client));
    EXPECT(s, IMAP_USAGE, starttls);
    DID(s, login, surface_server.user, surface_server.password);
    ck_assert(!imap_client_has(s->client, "STARTTLS"));
}

SURFACE_TEST(starttls_distrusts)
{
    char distrusted[96];
    struct imap_endpoint endpoint = {.cafile = not_a_ca(distrusted, sizeof distrusted)};
    connect_again(s, (struct imap_client_options){.endpoint = endpoint, .no_login = true});
    EXPECT(s, IMAP_AUTH, starttls);
    enum imap_status after = imap_client_login(s->client, surface_server.user, surface_server.password, NULL);
    ck_assert_int_ne(after, IMAP_OK);
}

/* Neither server knows it, and so says. */
SURFACE_TEST(proxyauth_refused)
{
    EXPECT(s, IMAP_NO, proxyauth, surface_server.other);
    DID(s, noop);
}

void surface_login(TCase *cases)
{
    surface_add(cases, connect_in_the_clear);
    surface_add(cases, connect_by_tls);
    surface_add(cases, connect_pinned);
    surface_add(cases, connect_by_starttls);
    surface_add(cases, connect_by_command);
    surface_add(cases, login_command);
    surface_add(cases, login_cram_md5);
    surface_add(cases, login_by_mechanisms);
    surface_add(cases, authenticate);
    surface_add(cases, starttls);
    surface_add(cases, starttls_distrusts);
    surface_add(cases, proxyauth_refused);
}
