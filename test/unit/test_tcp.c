/* SPDX-License-Identifier: MIT */
/* Endpoints and the TCP transport: addresses, deadlines, cancelling, the end of a line. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "fakeserver.h"
#include "netutil.h"

static struct imap_endpoint local(const char *port)
{
    return (struct imap_endpoint){
        .host = "127.0.0.1", .port = port, .tls = IMAP_TLS_NONE, .timeout_ms = 5000};
}

/* A bound socket that does not listen: connecting is refused, and nobody else gets the port. */
static int reserve_port(char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
    return fd;
}

/* ---- endpoints --------------------------------------------------------------------------------------- */

START_TEST(endpoint_is_checked)
{
    struct imap_endpoint endpoint = local("143");
    struct imap_error err = {0};

    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_OK);
    endpoint.timeout_ms = 0;
    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_USAGE);
    endpoint.timeout_ms = 1;
    endpoint.fingerprint = "12:34";
    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_USAGE);
    endpoint.fingerprint = NULL;
    endpoint.clientkey = "key.pem";
    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_USAGE);
    endpoint.clientkey = NULL;
    endpoint.host = NULL;
    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_USAGE);
    endpoint.tunnel = "true";
    ck_assert_int_eq(imap_endpoint_check(&endpoint, &err), IMAP_OK);
}
END_TEST

START_TEST(fingerprints_are_read_with_and_without_colons)
{
    static const char colons[] = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:"
                                 "18:19:1A:1B:1C:1D:1E:fF";
    static const char plain[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFf";
    unsigned char a[IMAP_FINGERPRINT_LEN];
    unsigned char b[IMAP_FINGERPRINT_LEN];
    char text[IMAP_FINGERPRINT_TEXT_MAX];

    ck_assert(imap_fingerprint_parse(colons, a));
    ck_assert(imap_fingerprint_parse(plain, b));
    ck_assert_mem_eq(a, b, sizeof(a));
    ck_assert_uint_eq(a[10], 10);
    ck_assert_uint_eq(a[31], 255);
    imap_fingerprint_format(a, text);
    ck_assert_str_eq(text, "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:"
                           "18:19:1A:1B:1C:1D:1E:FF");
    ck_assert(!imap_fingerprint_parse("", a));
    ck_assert(!imap_fingerprint_parse("0", a));
    ck_assert(!imap_fingerprint_parse(plain + 1, a));
    ck_assert(!imap_fingerprint_parse(plain + 2, a));
    ck_assert(
        !imap_fingerprint_parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff0", a));
    ck_assert(!imap_fingerprint_parse("g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff", a));
    ck_assert(
        !imap_fingerprint_parse(":000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff", a));
}
END_TEST

START_TEST(endpoint_names_itself)
{
    struct imap_endpoint endpoint = local(NULL);
    char text[IMAP_ENDPOINT_TEXT_MAX];

    endpoint.host = "::1";
    imap_endpoint_text(&endpoint, text);
    ck_assert_str_eq(text, "[::1]:143");
    endpoint.host = "imap.example.org";
    endpoint.tls = IMAP_TLS_IMPLICIT;
    imap_endpoint_text(&endpoint, text);
    ck_assert_str_eq(text, "imap.example.org:993");
}
END_TEST

/* ---- connecting -------------------------------------------------------------------------------------- */

static void serve_echo(struct fake_client *client, void *arg)
{
    char line[256];

    (void)arg;
    while (fake_line(client, line, sizeof(line))) {
        if (strcmp(line, "quit") == 0)
            return;
        if (strcmp(line, "reset") == 0) {
            fake_reset(client);
            return;
        }
        fake_send(client, line);
        fake_send(client, "\n");
    }
}

static struct imap_transport *open_to(struct fake_server *server)
{
    struct imap_endpoint endpoint = local(fake_port(server));
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};
    enum imap_status status = imap_tcp_open(&endpoint, imap_net_now() + 5000, -1, &transport, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    return transport;
}

static ssize_t read_within(struct imap_transport *transport, char *buf, size_t size, int64_t deadline)
{
    struct imap_error err = {0};
    ssize_t n;

    while ((n = transport->ops->read(transport, buf, size, &err)) == -1)
        ck_assert_int_eq(imap_net_wait(transport->read_fd, POLLIN, deadline, -1, &err), IMAP_OK);
    return n;
}

START_TEST(bytes_go_both_ways)
{
    struct fake_options options = {.serve = serve_echo};
    struct fake_server *server = fake_start(&options);
    struct imap_transport *transport = open_to(server);
    char buf[64];

    ck_assert_int_eq(transport->ops->read(transport, buf, sizeof(buf), NULL), -1);
    ck_assert_int_eq(transport->ops->write(transport, "hello\n", 6, NULL), 6);
    size_t have = 0;
    while (have < 6) {
        ssize_t n = read_within(transport, buf + have, sizeof(buf) - have, imap_net_now() + 5000);
        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
    ck_assert_mem_eq(buf, "hello\n", 6);
    transport->ops->write(transport, "quit\n", 5, NULL);
    ck_assert_int_eq(read_within(transport, buf, sizeof(buf), imap_net_now() + 5000), 0);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

START_TEST(a_reset_is_an_error_and_no_signal)
{
    struct fake_options options = {.serve = serve_echo};
    struct fake_server *server = fake_start(&options);
    struct imap_transport *transport = open_to(server);
    struct imap_error err = {0};
    char buf[64];

    signal(SIGPIPE, SIG_DFL); /* would end this program */
    ck_assert_int_eq(transport->ops->write(transport, "reset\n", 6, &err), 6);
    ssize_t n = read_within(transport, buf, sizeof(buf), imap_net_now() + 5000);
    ck_assert_int_eq(n, -2);
    ck_assert_int_eq(transport->ops->write(transport, "more\n", 5, &err), -2);
    ck_assert_int_eq(err.status, IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    transport->ops->close(transport);
    signal(SIGPIPE, SIG_IGN);
    fake_stop(&server);
}
END_TEST

START_TEST(socket_is_tuned)
{
    struct fake_options options = {.serve = serve_echo};
    struct fake_server *server = fake_start(&options);
    struct imap_transport *transport = open_to(server);
    int value = 0;
    socklen_t len = sizeof(value);

    getsockopt(transport->read_fd, IPPROTO_TCP, TCP_NODELAY, &value, &len);
    ck_assert_int_eq(value, 1);
    getsockopt(transport->read_fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len);
    ck_assert_int_eq(value, 1);
    getsockopt(transport->read_fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len);
    ck_assert_int_eq(value, 60);
    getsockopt(transport->read_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len);
    ck_assert_int_eq(value, 5000);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

/* Cyrus sends small pieces with Nagle's delay: each waits until the one before is acknowledged. */
static void serve_pieces(struct fake_client *client, void *arg)
{
    char line[256];
    const int off = 0;

    (void)arg;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off));
    while (fake_line(client, line, sizeof(line))) {
        fake_send(client, "half ");
        fake_send(client, "half\n");
    }
}

START_TEST(the_server_does_not_wait_for_acknowledgements)
{
    struct fake_options options = {.serve = serve_pieces};
    struct fake_server *server = fake_start(&options);
    struct imap_transport *transport = open_to(server);
    int64_t begin = imap_net_now();
    char buf[64];

    for (int i = 0; i < 60; i++) { /* delayed, each costs 40 ms, but for the first */
        ck_assert_int_eq(transport->ops->write(transport, "go\n", 3, NULL), 3);
        for (size_t have = 0; have < 10;) {
            ssize_t n = read_within(transport, buf, sizeof(buf), imap_net_now() + 5000);
            ck_assert_int_gt(n, 0);
            have += (size_t)n;
        }
    }
    ck_assert_int_lt(imap_net_now() - begin, 1200);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

START_TEST(refused_is_told_at_once)
{
    char port[8];
    int reserved = reserve_port(port);
    struct imap_endpoint endpoint = local(port);
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};

    ck_assert_int_eq(imap_tcp_open(&endpoint, imap_net_now() + 60000, -1, &transport, &err), IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, port));
    close(reserved);
}
END_TEST

/* Without a network there are no names: the resolver says one or the other. */
START_TEST(no_such_host_name)
{
    struct imap_endpoint endpoint = local("993");
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};

    endpoint.host = "no-such-host.invalid";
    enum imap_status status = imap_tcp_open(&endpoint, imap_net_now() + 30000, -1, &transport, &err);
    ck_assert_int_ne(status, IMAP_OK);
    ck_assert_msg(status == IMAP_AGAIN || err.sys_errno == EHOSTUNREACH, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "no-such-host.invalid"));
}
END_TEST

START_TEST(no_such_port_name)
{
    struct imap_endpoint endpoint = local("no-such-service");
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};

    ck_assert_int_eq(imap_tcp_open(&endpoint, imap_net_now() + 5000, -1, &transport, &err), IMAP_SYS);
    ck_assert_ptr_nonnull(strstr(err.text, "no-such-service"));
}
END_TEST

/* A listener whose queue is full drops every further SYN: connecting to it hangs. */
struct black_hole {
    int listen_fd, fill[4];
    char port[8];
};

static void dig(struct black_hole *hole)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    hole->listen_fd = reserve_port(hole->port);
    ck_assert_int_eq(listen(hole->listen_fd, 0), 0);
    getsockname(hole->listen_fd, (struct sockaddr *)&address, &len);
    for (int i = 0; i < 4; i++) {
        hole->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(hole->fill[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct pollfd first = {.fd = hole->fill[0], .events = POLLOUT};
    ck_assert_int_eq(poll(&first, 1, 5000), 1);
}

static void fill_in(struct black_hole *hole)
{
    for (int i = 0; i < 4; i++)
        close(hole->fill[i]);
    close(hole->listen_fd);
}

START_TEST(black_hole_ends_by_the_deadline)
{
    struct black_hole hole;
    dig(&hole);
    struct imap_endpoint endpoint = local(hole.port);
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};
    int64_t begin = imap_net_now();

    ck_assert_int_eq(imap_tcp_open(&endpoint, begin + 300, -1, &transport, &err), IMAP_AGAIN);
    ck_assert_int_ge(imap_net_now() - begin, 300);
    ck_assert_int_lt(imap_net_now() - begin, 3000);
    fill_in(&hole);
}
END_TEST

START_TEST(cancelling_ends_connecting)
{
    struct black_hole hole;
    dig(&hole);
    struct imap_endpoint endpoint = local(hole.port);
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};
    int cancel_fd = imap_net_wake_new();

    imap_net_wake(cancel_fd);
    ck_assert_int_eq(imap_tcp_open(&endpoint, imap_net_now() + 60000, cancel_fd, &transport, &err),
                     IMAP_CANCEL);
    close(cancel_fd);
    fill_in(&hole);
}
END_TEST

/* "localhost" is looked up by the resolver, whatever the network; IPv6 may have no listener there. */
START_TEST(names_are_resolved_and_all_addresses_tried)
{
    struct fake_options options = {.serve = serve_echo};
    struct fake_server *server = fake_start(&options);
    struct imap_endpoint endpoint = local(fake_port(server));
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};

    endpoint.host = "localhost";
    enum imap_status status = imap_tcp_open(&endpoint, imap_net_now() + 10000, -1, &transport, &err);
    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    transport->ops->close(transport);
    fake_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tcp");
    TCase *tcase = tcase_create("tcp");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, endpoint_is_checked);
    tcase_add_test(tcase, fingerprints_are_read_with_and_without_colons);
    tcase_add_test(tcase, endpoint_names_itself);
    tcase_add_test(tcase, bytes_go_both_ways);
    tcase_add_test(tcase, a_reset_is_an_error_and_no_signal);
    tcase_add_test(tcase, socket_is_tuned);
    tcase_add_test(tcase, the_server_does_not_wait_for_acknowledgements);
    tcase_add_test(tcase, refused_is_told_at_once);
    tcase_add_test(tcase, no_such_host_name);
    tcase_add_test(tcase, no_such_port_name);
    tcase_add_test(tcase, black_hole_ends_by_the_deadline);
    tcase_add_test(tcase, cancelling_ends_connecting);
    tcase_add_test(tcase, names_are_resolved_and_all_addresses_tried);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
