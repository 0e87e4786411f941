/* SPDX-License-Identifier: MIT */
/* The TLS transport: whom it trusts, what it says when it does not, and what it survives. */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakeserver.h"
#include "netutil.h"

#define DAY 86400L

static struct fake_cert good, for_address, expired, own, locked;

static void make_certificates(void)
{
    fake_cert_make(&good, "localhost", NULL, -DAY, DAY, NULL);
    fake_cert_make(&for_address, NULL, "127.0.0.1", -DAY, DAY, NULL);
    fake_cert_make(&expired, "localhost", NULL, -2 * DAY, -DAY, NULL);
    fake_cert_make(&own, "client", NULL, -DAY, DAY, NULL);
    fake_cert_make(&locked, "client", NULL, -DAY, DAY, "sesame");
}

static void remove_certificates(void)
{
    fake_cert_remove(&good);
    fake_cert_remove(&for_address);
    fake_cert_remove(&expired);
    fake_cert_remove(&own);
    fake_cert_remove(&locked);
}

static void serve_echo(struct fake_client *client, void *arg)
{
    char line[256];

    (void)arg;
    while (fake_line(client, line, sizeof(line)) && strcmp(line, "quit") != 0) {
        fake_send(client, line);
        fake_send(client, "\n");
    }
}

static void serve_stall(struct fake_client *client, void *arg)
{
    (void)arg;
    fake_stall(client);
}

static void serve_plain_greeting(struct fake_client *client, void *arg)
{
    (void)arg;
    fake_send(client, "* OK this is not TLS\r\n");
    fake_stall(client);
}

static struct fake_server *start(const struct fake_cert *cert, const struct fake_cert *client_cert)
{
    struct fake_options options = {
        .serve = serve_echo, .cert = cert, .tls = true, .client_cert = client_cert};
    return fake_start(&options);
}

static enum imap_status open_tls(struct fake_server *server, struct imap_endpoint endpoint,
                                 struct imap_transport **transport_out, struct imap_error *err)
{
    struct imap_transport *tcp = NULL;

    *err = (struct imap_error){0};
    endpoint.port = fake_port(server);
    endpoint.timeout_ms = 5000;
    if (!endpoint.host)
        endpoint.host = "localhost";
    const char *host = endpoint.host;
    endpoint.host = "127.0.0.1"; /* the way there needs no resolver */
    ck_assert_int_eq(imap_tcp_open(&endpoint, imap_net_now() + 5000, -1, &tcp, err), IMAP_OK);
    endpoint.host = host;
    return imap_tls_open(&endpoint, tcp, imap_net_now() + 5000, -1, transport_out, err);
}

static ssize_t read_within(struct imap_transport *transport, char *buf, size_t size, struct imap_error *err)
{
    ssize_t n;

    while ((n = transport->ops->read(transport, buf, size, err)) == -1)
        ck_assert_int_eq(
            imap_net_wait(transport->read_fd, transport->read_events, imap_net_now() + 5000, -1, NULL),
            IMAP_OK);
    return n;
}

static void assert_echo(struct imap_transport *transport)
{
    char buf[64];
    size_t have = 0;

    ck_assert_int_eq(transport->ops->write(transport, "hello\n", 6, NULL), 6);
    while (have < 6) {
        ssize_t n = read_within(transport, buf + have, sizeof(buf) - have, NULL);
        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
    ck_assert_mem_eq(buf, "hello\n", 6);
}

static void assert_trusted(const struct fake_cert *cert, struct imap_endpoint endpoint)
{
    struct fake_server *server = start(cert, NULL);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    enum imap_status status = open_tls(server, endpoint, &transport, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    assert_echo(transport);
    transport->ops->close(transport);
    fake_stop(&server);
}

static void assert_refused(const struct fake_cert *cert, struct imap_endpoint endpoint, const char *word)
{
    struct fake_server *server = start(cert, NULL);
    struct imap_transport *transport = NULL;
    struct imap_error err;

    ck_assert_int_eq(open_tls(server, endpoint, &transport, &err), IMAP_AUTH);
    ck_assert_ptr_null(transport);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
    /* what a user needs to pin it */
    ck_assert_msg(strstr(err.text, cert->fingerprint) != NULL, "%s", err.text);
    fake_stop(&server);
}

START_TEST(known_ca_and_right_name)
{
    assert_trusted(&good, (struct imap_endpoint){.cafile = good.certfile});
    assert_trusted(&good, (struct imap_endpoint){.cafile = good.certfile, .host = "localhost."});
    assert_trusted(&for_address, (struct imap_endpoint){.cafile = for_address.certfile, .host = "127.0.0.1"});
}
END_TEST

START_TEST(unknown_ca)
{
    assert_refused(&good, (struct imap_endpoint){0}, "self-signed");
    assert_refused(&good, (struct imap_endpoint){.cafile = for_address.certfile}, "self-signed");
}
END_TEST

START_TEST(wrong_name)
{
    assert_refused(&good, (struct imap_endpoint){.cafile = good.certfile, .host = "imap.example.org"},
                   "hostname mismatch");
    assert_refused(&good, (struct imap_endpoint){.cafile = good.certfile, .host = "127.0.0.1"},
                   "IP address mismatch");
}
END_TEST

START_TEST(expired_certificate)
{
    assert_refused(&expired, (struct imap_endpoint){.cafile = expired.certfile}, "expired");
}
END_TEST

START_TEST(pinned_certificate_needs_nothing_else)
{
    assert_trusted(&good, (struct imap_endpoint){.fingerprint = good.fingerprint});
    assert_trusted(&expired, (struct imap_endpoint){.fingerprint = expired.fingerprint, .host = "elsewhere"});
}
END_TEST

/* The pin counts though a CA that is trusted has signed the certificate. */
START_TEST(pinned_wrong)
{
    assert_refused(&good, (struct imap_endpoint){.fingerprint = expired.fingerprint, .cafile = good.certfile},
                   "another certificate");
}
END_TEST

START_TEST(missing_files_are_named)
{
    struct fake_server *server = start(&good, NULL);
    struct imap_transport *transport = NULL;
    struct imap_error err;

    ck_assert_int_eq(
        open_tls(server, (struct imap_endpoint){.cafile = "/nonexistent/ca.pem"}, &transport, &err),
        IMAP_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/ca.pem"));
    ck_assert_int_eq(
        open_tls(server, (struct imap_endpoint){.clientcert = "/nonexistent/me.pem"}, &transport, &err),
        IMAP_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/me.pem"));
    fake_stop(&server);
}
END_TEST

START_TEST(client_certificate_is_given)
{
    struct fake_server *server = start(&good, &own);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    struct imap_endpoint endpoint = {
        .cafile = good.certfile, .clientcert = own.certfile, .clientkey = own.keyfile};

    ck_assert_msg(open_tls(server, endpoint, &transport, &err) == IMAP_OK, "%s", err.text);
    assert_echo(transport);
    transport->ops->close(transport);

    endpoint.clientcert = own.bothfile; /* the key in the same file */
    endpoint.clientkey = NULL;
    ck_assert_msg(open_tls(server, endpoint, &transport, &err) == IMAP_OK, "%s", err.text);
    assert_echo(transport);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

/* In TLS 1.3 the refusal comes after our side of the handshake: reading tells. */
START_TEST(client_certificate_is_missing)
{
    struct fake_server *server = start(&good, &own);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    char buf[8];

    if (open_tls(server, (struct imap_endpoint){.cafile = good.certfile}, &transport, &err) == IMAP_OK) {
        ck_assert_int_eq(read_within(transport, buf, sizeof(buf), &err), -2);
        transport->ops->close(transport);
    }
    ck_assert_int_eq(err.status, IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "clientcert=") != NULL, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(locked_key_is_an_error_and_no_prompt)
{
    struct fake_server *server = start(&good, &own);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    struct imap_endpoint endpoint = {.cafile = good.certfile, .clientcert = locked.bothfile};

    ck_assert_int_eq(open_tls(server, endpoint, &transport, &err), IMAP_USAGE);
    ck_assert_msg(strstr(err.text, "passphrase") != NULL, "%s", err.text);
    fake_stop(&server);
}
END_TEST

START_TEST(key_of_another_certificate)
{
    struct fake_server *server = start(&good, &own);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    struct imap_endpoint endpoint = {
        .cafile = good.certfile, .clientcert = own.certfile, .clientkey = good.keyfile};

    ck_assert_int_eq(open_tls(server, endpoint, &transport, &err), IMAP_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, good.keyfile));
    fake_stop(&server);
}
END_TEST

/* ---- a bad line -------------------------------------------------------------------------------------- */

static enum imap_status shake_hands_with(void (*serve)(struct fake_client *, void *), int64_t ms,
                                         int cancel_fd, struct imap_error *err)
{
    struct fake_options options = {.serve = serve};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = {.host = "127.0.0.1", .port = fake_port(server), .timeout_ms = 5000};
    struct imap_transport *tcp = NULL;
    struct imap_transport *transport = NULL;

    ck_assert_int_eq(imap_tcp_open(&endpoint, imap_net_now() + 5000, -1, &tcp, err), IMAP_OK);
    enum imap_status status = imap_tls_open(&endpoint, tcp, imap_net_now() + ms, cancel_fd, &transport, err);
    ck_assert_ptr_null(transport);
    fake_stop(&server);
    return status;
}

START_TEST(stalled_handshake_ends_by_the_deadline)
{
    struct imap_error err = {0};
    int64_t begin = imap_net_now();

    ck_assert_int_eq(shake_hands_with(serve_stall, 300, -1, &err), IMAP_AGAIN);
    ck_assert_int_ge(imap_net_now() - begin, 300);
    ck_assert_int_lt(imap_net_now() - begin, 4000);
}
END_TEST

START_TEST(cancelling_ends_the_handshake)
{
    struct imap_error err = {0};
    int cancel_fd = imap_net_wake_new();

    imap_net_wake(cancel_fd);
    ck_assert_int_eq(shake_hands_with(serve_stall, 60000, cancel_fd, &err), IMAP_CANCEL);
    close(cancel_fd);
}
END_TEST

START_TEST(a_server_without_tls_is_told_as_such)
{
    struct imap_error err = {0};

    ck_assert_int_eq(shake_hands_with(serve_plain_greeting, 5000, -1, &err), IMAP_PROTO);
    ck_assert_msg(strstr(err.text, "does not speak TLS") != NULL, "%s", err.text);
}
END_TEST

static void serve_nothing(struct fake_client *client, void *arg)
{
    (void)client, (void)arg;
}

START_TEST(a_line_cut_in_the_handshake)
{
    struct imap_error err = {0};
    enum imap_status status = shake_hands_with(serve_nothing, 5000, -1, &err);

    ck_assert_msg(status == IMAP_AGAIN || status == IMAP_SYS, "%s", err.text); /* end of file, or a reset */
}
END_TEST

START_TEST(the_end_of_the_line_is_no_signal)
{
    struct fake_server *server = start(&good, NULL);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    char buf[64];

    ck_assert_int_eq(open_tls(server, (struct imap_endpoint){.cafile = good.certfile}, &transport, &err),
                     IMAP_OK);
    signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(transport->ops->write(transport, "quit\n", 5, &err), 5);
    ck_assert_int_eq(read_within(transport, buf, sizeof(buf), &err), 0);
    ck_assert_int_eq(read_within(transport, buf, sizeof(buf), &err), 0);
    int64_t deadline = imap_net_now() + 10000;
    while (transport->ops->write(transport, "more\n", 5, &err) != -2) {
        ck_assert_int_lt(imap_net_now(), deadline);
        poll(NULL, 0, 5); /* the peer's reset is on its way */
    }
    transport->ops->close(transport);
    signal(SIGPIPE, SIG_IGN);
    fake_stop(&server);
}
END_TEST

/* ---- much data --------------------------------------------------------------------------------------- */

#define BIG ((size_t)5 * 1024 * 1024)

static void serve_big(struct fake_client *client, void *arg)
{
    char *data = malloc(BIG);

    (void)arg;
    for (size_t i = 0; i < BIG; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    fake_send_bytes(client, data, BIG);
    free(data);
    fake_stall(client);
}

/* Polled only when nothing is buffered: bytes held inside must not be waited for. */
START_TEST(much_data_arrives_whole)
{
    struct fake_options options = {.serve = serve_big, .cert = &good, .tls = true};
    struct fake_server *server = fake_start(&options);
    struct imap_transport *transport = NULL;
    struct imap_error err;
    char *buf = malloc(BIG);
    size_t have = 0;
    unsigned polls = 0;

    ck_assert_int_eq(open_tls(server, (struct imap_endpoint){.cafile = good.certfile}, &transport, &err),
                     IMAP_OK);
    while (have < BIG) {
        if (!transport->ops->buffered(transport)) {
            ck_assert_int_eq(imap_net_wait(transport->read_fd, POLLIN, imap_net_now() + 10000, -1, NULL),
                             IMAP_OK);
            polls++;
        }
        ssize_t n = transport->ops->read(transport, buf + have, BIG - have, &err);
        ck_assert_int_ge(n, -1);
        ck_assert_int_ne(n, 0);
        if (n > 0)
            have += (size_t)n;
        else
            ck_assert(!transport->ops->buffered(transport)); /* else the caller would spin */
    }
    for (size_t i = 0; i < BIG; i++)
        if (buf[i] != (char)(i * 2654435761u >> 13))
            ck_abort_msg("byte %zu is wrong", i);
    ck_assert_uint_lt(polls, BIG / 16384); /* several records at a time */
    free(buf);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls");
    TCase *tcase = tcase_create("tls");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_certificates, remove_certificates);
    tcase_add_test(tcase, known_ca_and_right_name);
    tcase_add_test(tcase, unknown_ca);
    tcase_add_test(tcase, wrong_name);
    tcase_add_test(tcase, expired_certificate);
    tcase_add_test(tcase, pinned_certificate_needs_nothing_else);
    tcase_add_test(tcase, pinned_wrong);
    tcase_add_test(tcase, missing_files_are_named);
    tcase_add_test(tcase, client_certificate_is_given);
    tcase_add_test(tcase, client_certificate_is_missing);
    tcase_add_test(tcase, locked_key_is_an_error_and_no_prompt);
    tcase_add_test(tcase, key_of_another_certificate);
    tcase_add_test(tcase, stalled_handshake_ends_by_the_deadline);
    tcase_add_test(tcase, cancelling_ends_the_handshake);
    tcase_add_test(tcase, a_server_without_tls_is_told_as_such);
    tcase_add_test(tcase, a_line_cut_in_the_handshake);
    tcase_add_test(tcase, the_end_of_the_line_is_no_signal);
    tcase_add_test(tcase, much_data_arrives_whole);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
