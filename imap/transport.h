/* SPDX-License-Identifier: MIT */
/*
 * transport: a byte stream to a server, non-blocking, behind four functions.
 *
 * Owned by one connection thread. A TLS transport owns the transport beneath it. read and write never
 * block and never raise SIGPIPE; `events` says what to poll the descriptor for before trying again.
 */
#ifndef IMAP_TRANSPORT_H
#define IMAP_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "imap/endpoint.h"

struct imap_transport;

/* What ties a login to one TLS channel, so that nobody can sit between (RFC 5056). */
struct imap_binding {
    const char *type; /* "tls-exporter" (RFC 9266) or "tls-unique" (RFC 5929) */
    unsigned char data[64];
    size_t len; /* 0: there is none */
};

struct imap_transport_ops {
    /* > 0 bytes; 0 end of stream; -1 nothing now (poll); -2 failed, *err filled. */
    ssize_t (*read)(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err);
    ssize_t (*write)(struct imap_transport *transport, const void *data, size_t len, struct imap_error *err);
    /* True when read would deliver without the descriptor becoming readable (bytes held inside). */
    bool (*buffered)(const struct imap_transport *transport);
    void (*close)(struct imap_transport *transport); /* and frees */
    /* NULL where there is none, as on any line without TLS. */
    void (*binding)(struct imap_transport *transport, struct imap_binding *binding_out);
};

struct imap_transport {
    const struct imap_transport_ops *ops;
    int read_fd, write_fd;           /* the same but for a process */
    short read_events, write_events; /* what to poll for after a -1 of read or write */
    struct imap_octets *octets;      /* of one on a descriptor of its own; NULL: not counted */
};

/* Each returns IMAP_OK and *transport_out, or fails within deadline_ms of CLOCK_MONOTONIC with an error
 * that a user understands. cancel_fd: becoming readable ends the attempt with IMAP_CANCEL (-1: none). */
enum imap_status imap_tcp_open(const struct imap_endpoint *endpoint, int64_t deadline_ms, int cancel_fd,
                               struct imap_transport **transport_out, struct imap_error *err) IMAP_CHECK;
enum imap_status imap_process_open(const struct imap_endpoint *endpoint,
                                   struct imap_transport **transport_out, struct imap_error *err) IMAP_CHECK;
/* Wraps lower, which it owns from then on, also on failure. Handshake and verification included. */
enum imap_status imap_tls_open(const struct imap_endpoint *endpoint, struct imap_transport *lower,
                               int64_t deadline_ms, int cancel_fd, struct imap_transport **transport_out,
                               struct imap_error *err) IMAP_CHECK;
/* Raw deflate both ways (RFC 4978) over lower, which it owns from then on, also on failure. initial: what was
 * read from lower already. A write that says -1 must be followed by one of the same bytes (and more, maybe);
 * each write is flushed through. Damaged data is IMAP_PROTO, a stream that breaks off IMAP_AGAIN. */
enum imap_status imap_deflate_open(struct imap_transport *lower, const void *initial, size_t initial_len,
                                   struct imap_transport **transport_out, struct imap_error *err) IMAP_CHECK;

#endif
