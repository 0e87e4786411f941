/* SPDX-License-Identifier: MIT */
/*
 * netutil: clock, polling with a deadline, and the descriptor transport that tcp and process share.
 *
 * Deadlines are milliseconds of CLOCK_MONOTONIC. No function here blocks past its deadline, and all
 * that wait end at once when cancel_fd (-1: none) becomes readable.
 */
#ifndef IMAP_NETUTIL_H
#define IMAP_NETUTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

#define IMAP_NET_FOREVER INT64_MAX

int64_t imap_net_now(void);
/* What to give poll: 0 when passed, -1 for IMAP_NET_FOREVER, never more than an hour. */
int imap_net_timeout(int64_t deadline_ms);

/* Waits until fd has one of events (or is broken). IMAP_AGAIN when the deadline passed, IMAP_CANCEL,
 * IMAP_SYS. */
enum imap_status imap_net_wait(int fd, short events, int64_t deadline_ms, int cancel_fd,
                               struct imap_error *err) IMAP_CHECK;

/* Starts a thread that gets no signals: those are for the program's own. Returns as pthread_create. */
int imap_net_thread(pthread_t *thread_out, void *(*main)(void *arg), void *arg);

/* An eventfd as a wake-up: signalled any number of times, drained once. */
int imap_net_wake_new(void); /* aborts when there is none to be had */
void imap_net_wake(int wake_fd);
void imap_net_wake_drain(int wake_fd);

/* read and write on a socket; for the ops of a transport. Never raise SIGPIPE. */
ssize_t imap_net_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err);
ssize_t imap_net_write(struct imap_transport *transport, const void *data, size_t len,
                       struct imap_error *err);
bool imap_net_buffered(const struct imap_transport *transport); /* false */

#endif
