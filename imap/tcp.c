/* SPDX-License-Identifier: MIT */
/*
 * tcp: connects to the first address that answers (RFC 8305 in spirit): the families alternate,
 * IPv6 first, and the next address is tried when the last one failed or is silent for 250 ms,
 * while the earlier ones stay in the race. A black hole costs a quarter of a second, no more.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "mem.h"
#include "netutil.h"
#include "resolve.h"

#define ADDRESSES_MAX 16
#define STAGGER_MS 250

struct race {
    const struct addrinfo *address[ADDRESSES_MAX];
    size_t count, started;
    struct pollfd fds[ADDRESSES_MAX + 1]; /* the attempts still open, behind them cancel_fd */
    size_t open;
    int last_errno;
};

static void tcp_close(struct imap_transport *transport)
{
    close(transport->read_fd);
    free(transport);
}

/*
 * A server that leaves Nagle's algorithm on (Cyrus) sends the second of two answers when the first is
 * acknowledged, which the kernel would put off for 40 ms: so it is, once all is read. The kernel forgets
 * that again whenever we send.
 */
static ssize_t tcp_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err)
{
    static const int on = 1;
    const ssize_t n = imap_net_read(transport, buf, size, err);

    if (n == -1)
        setsockopt(transport->read_fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    return n;
}

static const struct imap_transport_ops tcp_ops = {
    .read = tcp_read,
    .write = imap_net_write,
    .buffered = imap_net_buffered,
    .close = tcp_close,
};

/* Options that are hints to the kernel: a failure changes nothing for us. */
static void tune(int fd, unsigned timeout_ms)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 20}, {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static const struct addrinfo *next_of(const struct addrinfo *ai, bool v6)
{
    while (ai && (ai->ai_family == AF_INET6) != v6)
        ai = ai->ai_next;
    return ai;
}

static void line_up(struct race *race, const struct addrinfo *list)
{
    const struct addrinfo *next[2] = {next_of(list, false), next_of(list, true)};
    bool v6 = true;

    while (race->count < ADDRESSES_MAX && (next[0] || next[1])) {
        if (next[v6]) {
            race->address[race->count++] = next[v6];
            next[v6] = next_of(next[v6]->ai_next, v6);
        }
        v6 = !v6;
    }
}

/* A descriptor when it is connected at once, else -1. */
static int start_one(struct race *race)
{
    const struct addrinfo *ai = race->address[race->started++];
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);

    if (fd < 0) {
        race->last_errno = errno;
        return -1;
    }
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS || errno == EINTR) {
        race->fds[race->open++] = (struct pollfd){.fd = fd, .events = POLLOUT};
        return -1;
    }
    race->last_errno = errno;
    close(fd);
    return -1;
}

static void drop(struct race *race, size_t i)
{
    race->open--;
    race->fds[i] = race->fds[race->open];
}

/* The descriptor that won, taken out of the race; -1 when none has. */
static int collect(struct race *race)
{
    for (size_t i = race->open; i-- > 0;) {
        if (race->fds[i].revents == 0)
            continue;
        int fd = race->fds[i].fd;
        int error = 0;
        socklen_t len = sizeof(error);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        drop(race, i);
        if (error == 0)
            return fd;
        race->last_errno = error;
        close(fd);
    }
    return -1;
}

static enum imap_status run(struct race *race, int64_t deadline_ms, int cancel_fd, int *fd_out,
                            struct imap_error *err)
{
    int64_t next_start = 0;

    for (;;) {
        int64_t now = imap_net_now();
        if (now >= deadline_ms)
            return imap_error_set(err, IMAP_AGAIN, "no answer");
        if (race->started < race->count && (now >= next_start || race->open == 0)) {
            *fd_out = start_one(race);
            if (*fd_out >= 0)
                return IMAP_OK;
            next_start = now + STAGGER_MS;
            continue;
        }
        if (race->open == 0)
            return imap_error_sys(err, race->last_errno, "cannot connect");

        int64_t until = race->started < race->count && next_start < deadline_ms ? next_start : deadline_ms;
        race->fds[race->open] = (struct pollfd){.fd = cancel_fd, .events = POLLIN};
        int n = poll(race->fds, race->open + 1, imap_net_timeout(until));
        if (n < 0 && errno != EINTR)
            return imap_error_sys(err, errno, "connecting");
        if (n <= 0)
            continue;
        if (race->fds[race->open].revents != 0)
            return imap_error_set(err, IMAP_CANCEL, "cancelled");
        *fd_out = collect(race);
        if (*fd_out >= 0)
            return IMAP_OK;
        next_start = 0; /* one has failed: the next need not wait its turn */
    }
}

static enum imap_status explain(enum imap_status status, const struct imap_endpoint *endpoint,
                                const struct imap_error *why, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];

    imap_endpoint_text(endpoint, where);
    if (status == IMAP_AGAIN)
        return imap_error_set(err, status, "%s does not answer", where);
    if (status == IMAP_SYS && why->sys_errno == ECONNREFUSED) {
        imap_error_sys(err, why->sys_errno, "%s: no IMAP server listens there", where);
        return status;
    }
    if (status == IMAP_SYS)
        return imap_error_sys(err, why->sys_errno, "cannot connect to %s", where);
    return imap_error_set(err, status, "%s", why->text);
}

enum imap_status imap_tcp_open(const struct imap_endpoint *endpoint, int64_t deadline_ms, int cancel_fd,
                               struct imap_transport **transport_out, struct imap_error *err)
{
    struct addrinfo *list = NULL;
    enum imap_status status =
        imap_resolve(endpoint->host, imap_endpoint_port(endpoint), deadline_ms, cancel_fd, &list, err);
    if (status != IMAP_OK)
        return status;

    struct race race = {.last_errno = EADDRNOTAVAIL};
    struct imap_error why = {0};
    int fd = -1;
    line_up(&race, list);
    status = run(&race, deadline_ms, cancel_fd, &fd, &why);
    for (size_t i = 0; i < race.open; i++)
        close(race.fds[i].fd);
    freeaddrinfo(list);
    if (status != IMAP_OK)
        return explain(status, endpoint, &why, err);

    tune(fd, endpoint->timeout_ms);
    struct imap_transport *transport = imap_xmalloc(sizeof(*transport));
    *transport = (struct imap_transport){
        .ops = &tcp_ops, .read_fd = fd, .write_fd = fd, .read_events = POLLIN, .write_events = POLLOUT};
    *transport_out = transport;
    return IMAP_OK;
}
