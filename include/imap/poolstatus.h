/* SPDX-License-Identifier: MIT */
/*
 * poolstatus: what a pool is doing, for people to read.
 *
 * A snapshot: it waits for nothing but the pool's lock, and nothing in it lives on. Times are milliseconds of
 * CLOCK_MONOTONIC. Each connection is told as it was at one moment, but for its octets, which go on.
 */
#ifndef IMAP_POOLSTATUS_H
#define IMAP_POOLSTATUS_H

#include "imap/pool.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define IMAP_POOL_CONNECTIONS_MAX 16
#define IMAP_POOL_MAILBOX_MAX 256

enum imap_pool_doing {
    IMAP_POOL_CLOSED,    /* nobody needs it */
    IMAP_POOL_PAUSING,   /* could not be had or was lost; dials at dial_ms */
    IMAP_POOL_DIALING,   /* connecting and logging in */
    IMAP_POOL_SELECTING, /* `mailbox` */
    IMAP_POOL_WORKING,   /* jobs are not done, with `mailbox` selected */
    IMAP_POOL_IDLING,    /* IDLE on `mailbox` (RFC 2177) */
    IMAP_POOL_QUIET      /* logged in and nothing to do */
};

struct imap_pool_connection {
    enum imap_pool_doing doing;
    char mailbox[IMAP_POOL_MAILBOX_MAX]; /* wire name, cut where it is longer; "" for none */
    size_t jobs;                         /* commands taken and not done */
    uint64_t received,
        sent;         /* octets on the wire since imap_pool_new, those of TLS and compression as such */
    int64_t since_ms; /* logged in, or dialling, since; 0: neither */
    int64_t heard_ms; /* when something came from the server last; 0: never */
    int64_t due_ms;   /* the server has owed an answer since; 0: it does not */
    int64_t dial_ms;  /* IMAP_POOL_PAUSING only */
    bool encrypted;   /* by TLS, or a tunnel; of a logged in one, as the two below */
    bool compressed;  /* RFC 4978 */
    uint64_t enabled; /* RFC 5161: bits as in struct imap_caps */
};

struct imap_pool_status {
    int64_t now_ms;
    bool connected;          /* some connection is logged in */
    bool reachable;          /* as the event of that name tells */
    int64_t down_ms;         /* wanted, and none logged in, since; 0: not so */
    struct imap_error why;   /* how a connection failed or was lost last; IMAP_OK inside: none was */
    size_t queued;           /* commands that wait for a connection */
    uint64_t received, sent; /* of all connections */
    unsigned count;
    struct imap_pool_connection connections[IMAP_POOL_CONNECTIONS_MAX];
};

/* Always succeeds. */
void imap_pool_status(struct imap_pool *pool, struct imap_pool_status *status_out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
