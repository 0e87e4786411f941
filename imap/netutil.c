/* SPDX-License-Identifier: MIT */
#include "netutil.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "octets.h"

int64_t imap_net_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int imap_net_timeout(int64_t deadline_ms)
{
    if (deadline_ms == IMAP_NET_FOREVER)
        return -1;
    int64_t left = deadline_ms - imap_net_now();
    if (left <= 0)
        return 0;
    return left > 3600000 ? 3600000 : (int)left;
}

enum imap_status imap_net_wait(int fd, short events, int64_t deadline_ms, int cancel_fd,
                               struct imap_error *err)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};
        int n = poll(fds, 2, imap_net_timeout(deadline_ms));
        if (n < 0 && errno != EINTR)
            return imap_error_sys(err, errno, "waiting for the server");
        if (n > 0 && fds[1].revents != 0)
            return imap_error_set(err, IMAP_CANCEL, "cancelled");
        if (n > 0)
            return IMAP_OK;
        if (n == 0 && imap_net_timeout(deadline_ms) == 0)
            return imap_error_set(err, IMAP_AGAIN, "no answer in time");
    }
}

int imap_net_thread(pthread_t *thread_out, void *(*main)(void *arg), void *arg)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread_out, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int imap_net_wake_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        perror("eventfd");
        abort();
    }
    return fd;
}

void imap_net_wake(int wake_fd)
{
    uint64_t one = 1;
    /* A full counter is readable already, which is all that is wanted. */
    ssize_t n = write(wake_fd, &one, sizeof(one));
    (void)n;
}

void imap_net_wake_drain(int wake_fd)
{
    uint64_t count;
    ssize_t n = read(wake_fd, &count, sizeof(count));
    (void)n;
}

static void count_received(struct imap_octets *octets, size_t n)
{
    if (!octets || n == 0)
        return;
    atomic_fetch_add_explicit(&octets->received, n, memory_order_relaxed);
    atomic_store_explicit(&octets->heard_ms, imap_net_now(), memory_order_relaxed);
}

static void count_sent(struct imap_octets *octets, size_t n)
{
    if (octets)
        atomic_fetch_add_explicit(&octets->sent, n, memory_order_relaxed);
}

ssize_t imap_net_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err)
{
    for (;;) {
        ssize_t n = recv(transport->read_fd, buf, size, MSG_DONTWAIT);
        if (n >= 0) {
            count_received(transport->octets, (size_t)n);
            return n;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return -1;
        if (errno != EINTR) {
            imap_error_sys(err, errno, "reading from the server");
            return -2;
        }
    }
}

ssize_t imap_net_write(struct imap_transport *transport, const void *data, size_t len, struct imap_error *err)
{
    for (;;) {
        ssize_t n = send(transport->write_fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            count_sent(transport->octets, (size_t)n);
            return n;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return -1;
        if (errno != EINTR) {
            imap_error_sys(err, errno, "writing to the server");
            return -2;
        }
    }
}

bool imap_net_buffered(const struct imap_transport *transport)
{
    (void)transport;
    return false;
}
