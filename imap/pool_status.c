/* SPDX-License-Identifier: MIT */
/*
 * pool_status: the pool as others may look at it. What a connection's thread keeps to itself it shows after
 * each turn (imap_conn_show); the rest is guarded by the lock.
 */
#include <stdio.h>
#include <string.h>

#include "imap/poolstatus.h"

#include "pool_impl.h"

_Static_assert(IMAP_POOL_CONNECTIONS_MAX == IMAP_POOL_MAX, "each has its place");

#define IDLING 1u
#define ENCRYPTED 2u
#define COMPRESSED 4u

void imap_conn_show(struct imap_conn *conn)
{
    const struct imap_line *line = &conn->line;
    const unsigned flags = (imap_session_idling(line->session) ? IDLING : 0) |
                           (line->encrypted ? ENCRYPTED : 0) | (line->compressed ? COMPRESSED : 0);

    atomic_store_explicit(&conn->shown.flags, flags, memory_order_relaxed);
    atomic_store_explicit(&conn->shown.enabled, imap_session_enabled(line->session)->bits,
                          memory_order_relaxed);
    atomic_store_explicit(&conn->shown.due_ms, line->due ? line->due_since : 0, memory_order_relaxed);
}

static enum imap_pool_doing doing(const struct imap_conn *conn, unsigned flags, int64_t now)
{
    if (conn->state == IMAP_CONN_OFF)
        return IMAP_POOL_CLOSED;
    if (conn->state == IMAP_CONN_DIALING)
        return conn->dial_at > now ? IMAP_POOL_PAUSING : IMAP_POOL_DIALING;
    if (conn->selecting)
        return IMAP_POOL_SELECTING;
    if (conn->jobs > 0)
        return IMAP_POOL_WORKING;
    return flags & IDLING ? IMAP_POOL_IDLING : IMAP_POOL_QUIET;
}

static void take_octets(const struct imap_octets *octets, struct imap_pool_connection *out)
{
    out->received = atomic_load_explicit(&octets->received, memory_order_relaxed);
    out->sent = atomic_load_explicit(&octets->sent, memory_order_relaxed);
    out->heard_ms = atomic_load_explicit(&octets->heard_ms, memory_order_relaxed);
}

static void take_connection(const struct imap_conn *conn, int64_t now, struct imap_pool_connection *out)
{
    const struct imap_place *place = conn->selecting ? conn->heading : conn->selected;
    const unsigned flags = atomic_load_explicit(&conn->shown.flags, memory_order_relaxed);

    *out = (struct imap_pool_connection){.doing = doing(conn, flags, now), .jobs = conn->jobs};
    take_octets(&conn->octets, out);
    if (out->doing == IMAP_POOL_PAUSING)
        out->dial_ms = conn->dial_at;
    if (out->doing == IMAP_POOL_DIALING)
        out->since_ms = conn->last_dial;
    if (conn->state != IMAP_CONN_READY)
        return;
    out->since_ms = conn->ready_at; /* constant while READY */
    out->encrypted = flags & ENCRYPTED;
    out->compressed = flags & COMPRESSED;
    out->enabled = atomic_load_explicit(&conn->shown.enabled, memory_order_relaxed);
    out->due_ms = atomic_load_explicit(&conn->shown.due_ms, memory_order_relaxed);
    if (place && place->name)
        snprintf(out->mailbox, sizeof(out->mailbox), "%s", place->name);
}

void imap_pool_status(struct imap_pool *pool, struct imap_pool_status *status_out)
{
    int64_t now = imap_net_now();

    *status_out = (struct imap_pool_status){.now_ms = now, .count = pool->count};
    pthread_mutex_lock(&pool->lock);
    status_out->connected = imap_pool_any_ready(pool);
    status_out->reachable = pool->reachable;
    status_out->down_ms = pool->down_since;
    status_out->why = pool->why;
    for (unsigned i = 0; i < IMAP_JOB_KINDS; i++)
        status_out->queued += pool->queued[i];
    for (unsigned i = 0; i < pool->count; i++)
        take_connection(&pool->conn[i], now, &status_out->connections[i]);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++) {
        status_out->received += status_out->connections[i].received;
        status_out->sent += status_out->connections[i].sent;
    }
}
