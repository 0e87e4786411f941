/* SPDX-License-Identifier: MIT */
/*
 * conn_idle: what a connection does with nothing to do. The watching one sends IDLE (RFC 2177) when it
 * has been quiet for a moment, so that a string of short jobs is not cut up by IDLE and DONE; without
 * IDLE, or without a mailbox, NOOP now and then. Lanes do so while they watch a mailbox; else they are left
 * alone and closed after a while.
 */
#include "pool_impl.h"

static void on_idle_done(void *arg, const struct imap_result *result)
{
    struct imap_conn *conn = arg;
    if (result->status != IMAP_NO)
        return;
    conn->idle_broken = true;
    if (conn->index > 0) {
        pthread_mutex_lock(&conn->pool->lock);
        conn->pool->idle_refused = true;
        pthread_mutex_unlock(&conn->pool->lock);
    }
}

static void on_noop_done(void *arg, const struct imap_result *result)
{
    (void)arg, (void)result;
}

static void send_alone(struct imap_conn *conn, const char *verb,
                       void (*done)(void *arg, const struct imap_result *result))
{
    const struct imap_command_events events = {.done = done};
    struct imap_command *command = imap_command_new(verb);

    imap_command_on(command, &events, conn);
    imap_session_submit(conn->line.session, command, NULL);
}

static bool can_idle(const struct imap_conn *conn)
{
    return conn->selected && !conn->idle_broken &&
           imap_caps_has(imap_session_caps(conn->line.session), IMAP_CAP_IDLE);
}

/* Since when nothing has been pending; false while something is. */
static bool is_quiet(struct imap_conn *conn, int64_t now)
{
    if (imap_session_pending(conn->line.session) > 0) {
        conn->quiet_at = 0;
        return false;
    }
    if (conn->quiet_at == 0)
        conn->quiet_at = now;
    return true;
}

/* Who is told so just before it looks for work is not woken for it. */
static bool is_to_retire(struct imap_conn *conn)
{
    pthread_mutex_lock(&conn->pool->lock);
    const bool retire = conn->retire;
    pthread_mutex_unlock(&conn->pool->lock);
    return retire;
}

static void tell_idling(struct imap_conn *conn, bool on)
{
    const struct imap_pool *pool = conn->pool;

    conn->told_idling = on;
    if (pool->events.idling)
        pool->events.idling(pool->arg, conn->index, conn->selected->name, on);
}

void imap_conn_idle_tell(struct imap_conn *conn)
{
    if (conn->index > 0 && conn->selected && !conn->told_idling && imap_session_idling(conn->line.session))
        tell_idling(conn, true);
}

int64_t imap_conn_idle(struct imap_conn *conn, int64_t now)
{
    const struct imap_pool_timing *timing = &conn->pool->timing;
    struct imap_session *session = conn->line.session;
    bool watches = conn->index == 0 || (imap_pool_watches(conn) && can_idle(conn));

    if (!watches && conn->told_idling)
        tell_idling(conn, false);
    if (imap_session_idling(session)) {
        int64_t renew_at = conn->idle_at + timing->idle_renew;
        if (watches && now < renew_at)
            return renew_at;
        imap_session_idle_done(session);
    }
    if (!is_quiet(conn, now))
        return IMAP_NET_FOREVER;
    if (!watches)
        return is_to_retire(conn) ? now : conn->quiet_at + timing->lane_unused;

    bool idle = can_idle(conn);
    int64_t due = conn->quiet_at + (idle ? timing->idle_grace : timing->noop);
    if (now < due)
        return due;
    conn->quiet_at = 0;
    if (idle) {
        conn->idle_at = now;
        send_alone(conn, "IDLE", on_idle_done);
    } else {
        send_alone(conn, "NOOP", on_noop_done);
    }
    return IMAP_NET_FOREVER;
}

bool imap_conn_unused(struct imap_conn *conn, int64_t now)
{
    return conn->index > 0 && is_quiet(conn, now) && now - conn->quiet_at >= conn->pool->timing.lane_unused &&
           !(imap_pool_watches(conn) && can_idle(conn));
}
