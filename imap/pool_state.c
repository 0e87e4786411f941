/* SPDX-License-Identifier: MIT */
/*
 * pool_state: connections coming and going, and what that means to the work that waits.
 *
 * Only connection 0 is dialled again by itself; a lane is opened again when there is work for it, and
 * not while the account is unreachable. A lane that cannot be opened while another connection stands
 * is taken for the server's limit: the pool goes on with what it has and tries again after a while.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pool_impl.h"

void imap_pool_wake(struct imap_conn *conn)
{
    if (conn->woken)
        return;
    conn->woken = true;
    imap_net_wake(conn->wake_fd);
}

void imap_pool_want(struct imap_pool *pool, struct imap_conn *conn, int64_t now)
{
    if (conn->index == 0)
        pool->persist = true;
    if (conn->state != IMAP_CONN_OFF || pool->closing)
        return;
    if (!conn->started && imap_net_thread(&conn->thread, imap_conn_main, conn) != 0) {
        pool->lane_failed = true;
        pool->no_more_until = now + pool->timing.no_more;
        imap_place_put(pool, &conn->heading);
        return;
    }
    conn->started = true;
    conn->state = IMAP_CONN_DIALING;
    if (conn->index == 0 && conn->down_since == 0)
        pool->refused = false; /* that was another time */
    if (conn->down_since == 0)
        conn->down_since = now;
    if (pool->down_since == 0 && !imap_pool_any_ready(pool))
        pool->down_since = now;
    pthread_cond_broadcast(&pool->changed);
    imap_pool_wake(conn);
}

void imap_pool_dial_now(struct imap_pool *pool, int64_t now)
{
    struct imap_conn *conn = &pool->conn[0];

    if (conn->state != IMAP_CONN_DIALING || conn->dial_at <= now)
        return;
    conn->dial_at = now;
    imap_pool_wake(conn);
}

/* ---- telling the caller ---------------------------------------------------------------------------- */

/* There are many ways not to get through, and only those that call for something else are news. */
static enum imap_status kind_of_failure(const struct imap_pool *pool)
{
    return pool->why.status == IMAP_SYS || pool->why.status == IMAP_OK ? IMAP_AGAIN : pool->why.status;
}

static bool is_news(const struct imap_pool *pool)
{
    if (pool->reachable || pool->told)
        return pool->reachable != pool->told;
    return pool->persist && pool->told_why != IMAP_OK && pool->told_why != kind_of_failure(pool);
}

/* One thread at a time, without the lock, until what was told is what is: so the last call is true. */
static void tell_reachable(struct imap_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->telling && is_news(pool)) {
        struct imap_error why = pool->why;
        bool reachable = pool->told = pool->reachable;
        pool->told_why = reachable ? IMAP_OK : kind_of_failure(pool);
        pool->telling = true;
        pthread_mutex_unlock(&pool->lock);
        if (pool->events.reachable)
            pool->events.reachable(pool->arg, reachable ? NULL : &why);
        pthread_mutex_lock(&pool->lock);
        pool->telling = false;
    }
    pthread_mutex_unlock(&pool->lock);
}

/* ---- coming ----------------------------------------------------------------------------------------- */

static void end_attempt(struct imap_pool *pool, enum imap_status status, const struct imap_error *error)
{
    pool->attempts++;
    pool->attempt_status = status;
    if (error)
        pool->attempt_error = *error;
    pthread_cond_broadcast(&pool->changed);
}

void imap_pool_conn_up(struct imap_conn *conn)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    conn->state = IMAP_CONN_READY;
    conn->retire = false;
    conn->down_since = 0;
    conn->doubted = false;
    pool->down_since = 0;
    pool->refused = false;
    pool->reachable = true;
    pool->caps = *imap_session_caps(conn->line.session);
    pool->caps_known = true;
    if (conn->index == 0) {
        pool->persist = true;
        end_attempt(pool, IMAP_OK, NULL);
    } else {
        pool->lane_failed = false;
        pool->no_watch_until = 0;
    }
    imap_pool_dispatch(pool, now);
    pthread_mutex_unlock(&pool->lock);
    tell_reachable(pool);
}

/* ---- going ------------------------------------------------------------------------------------------ */

/* Servers count connections, and say it in many words. */
static bool is_limit(const struct imap_error *why)
{
    return why->code == IMAP_CODE_LIMIT || why->code == IMAP_CODE_UNAVAILABLE ||
           why->code == IMAP_CODE_INUSE || strcasestr(why->text, "too many") ||
           strcasestr(why->text, "maximum");
}

/* Connection 0 could not be had while lanes stand: one of them holds the last place that the server
 * grants. */
static void spare_a_lane(struct imap_pool *pool)
{
    struct imap_conn *victim = NULL;

    for (unsigned i = 1; i < pool->count; i++) {
        struct imap_conn *lane = &pool->conn[i];
        if (lane->state != IMAP_CONN_READY || lane->heading)
            continue;
        if (lane->retire)
            return;
        if (!victim || lane->jobs < victim->jobs)
            victim = lane;
    }
    if (victim) {
        victim->retire = true;
        imap_pool_wake(victim);
    }
}

/* Three quarters to five quarters of the pause, so that many clients don't come back as one. */
static int64_t jitter(struct imap_pool *pool, int64_t pause_ms)
{
    pool->random = pool->random * 6364136223846793005u + 1442695040888963407u;
    return pause_ms * 3 / 4 + (int64_t)((pool->random >> 33) % (uint64_t)(pause_ms / 2 + 1));
}

void imap_pool_schedule(struct imap_pool *pool, struct imap_conn *conn, int64_t now)
{
    conn->dial_at = now + (conn->pause_ms > 0 ? jitter(pool, conn->pause_ms) : 0);
    conn->pause_ms = conn->pause_ms > 0 ? conn->pause_ms * 2 : pool->timing.backoff_first;
    if (conn->pause_ms > pool->timing.backoff_max)
        conn->pause_ms = pool->timing.backoff_max;
}

static void leave(struct imap_pool *pool, struct imap_conn *conn)
{
    conn->state = IMAP_CONN_OFF;
    conn->retire = false;
    conn->doubted = false;
    conn->selecting = false;
    conn->watching = false;
    imap_place_put(pool, &conn->heading);
    conn->left = conn->selected;
    conn->selected = NULL;
}

/* Dial again, or let it be; in which case nobody waits for it either. */
static void dial_again(struct imap_pool *pool, struct imap_conn *conn, int64_t now)
{
    if (conn->index > 0 || !pool->persist) {
        conn->down_since = 0;
        if (conn->index == 0)
            pool->down_since = 0;
        return;
    }
    imap_pool_schedule(pool, conn, now);
    imap_pool_want(pool, conn, now);
}

/* No work waits any longer. Only now, so that whose work ends knows already that nobody is there. */
static void give_up(struct imap_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->refused = !imap_pool_any_ready(pool) && pool->conn[0].down_since > 0;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_conn_failed(struct imap_conn *conn, const struct imap_error *why)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    leave(pool, conn);
    if (pool->closing) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    pool->why = *why;
    bool any = imap_pool_any_ready(pool);
    if (!any)
        pool->reachable = false;
    if (conn->index > 0) {
        pool->lane_failed = true;
        pool->no_more_until = now + pool->timing.no_more;
        pool->no_watch_until = now + pool->timing.watch_again;
    } else {
        if (any && is_limit(why))
            spare_a_lane(pool);
        if (why->status == IMAP_AUTH) /* asking often with a wrong password gets accounts locked */
            conn->pause_ms = pool->timing.backoff_max;
        else if (conn->pause_ms == 0)
            conn->pause_ms = pool->timing.backoff_first;
        end_attempt(pool, why->status, why);
    }
    dial_again(pool, conn, now);
    imap_pool_dispatch(pool, now);
    pthread_mutex_unlock(&pool->lock);
    tell_reachable(pool);
    if (!any)
        give_up(pool);
}

void imap_pool_conn_lost(struct imap_conn *conn, const struct imap_error *why)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();
    bool stable = now - conn->ready_at >= pool->timing.stable;

    pthread_mutex_lock(&pool->lock);
    leave(pool, conn);
    pool->why = *why;
    if (stable)
        conn->pause_ms = 0;
    if (!imap_pool_any_ready(pool))
        pool->down_since = now;
    if (conn->index > 0 && !stable) {
        pool->lane_failed = true;
        imap_pool_schedule(pool, conn, now);
        pool->no_more_until = now + conn->pause_ms;
    }
    /* The account is called unreachable when it could not be dialled again, not for a short gap. */
    dial_again(pool, conn, now);
    imap_pool_dispatch(pool, now);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

bool imap_pool_conn_close(struct imap_conn *conn)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();
    struct imap_job *job;

    pthread_mutex_lock(&pool->lock);
    bool idle = conn->jobs == 0 && !conn->selecting &&
                imap_pool_decide(pool, conn, now, &job) == IMAP_POOL_NOTHING && !conn->heading;
    if (idle) {
        leave(pool, conn);
        conn->pause_ms = 0;
        conn->down_since = 0;
        if (!imap_pool_any_ready(pool) && pool->conn[0].down_since > 0)
            pool->down_since = now;
        imap_pool_dispatch(pool, now);
        pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return idle;
}

/* ---- the end of patience ---------------------------------------------------------------------------- */

static int64_t down_since(const struct imap_pool *pool, enum imap_job_kind kind)
{
    return kind == IMAP_JOB_WATCH ? pool->conn[0].down_since : pool->down_since;
}

bool imap_pool_given_up(const struct imap_pool *pool, enum imap_job_kind kind, int64_t now)
{
    int64_t since = down_since(pool, kind);
    return since > 0 && (pool->refused || now - since >= (int64_t)pool->endpoint.timeout_ms);
}

static void wait_until(struct imap_pool *pool, int64_t ms)
{
    struct timespec when = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    if (ms == IMAP_NET_FOREVER)
        pthread_cond_wait(&pool->changed, &pool->lock);
    else
        pthread_cond_timedwait(&pool->changed, &pool->lock, &when);
}

static void end_waiting(struct imap_pool *pool, unsigned kinds)
{
    struct imap_job_queue jobs;
    struct imap_error why = {0};

    imap_error_set(&why, IMAP_AGAIN, "%s",
                   pool->why.status != IMAP_OK ? pool->why.text : "the server cannot be reached");
    imap_job_queue_init(&jobs);
    imap_job_dequeue_all(pool, NULL, kinds, IMAP_NET_FOREVER, &jobs);
    pthread_mutex_unlock(&pool->lock);
    imap_job_fail_all(pool, &jobs, &why);
    pthread_mutex_lock(&pool->lock);
}

void *imap_pool_clock(void *arg)
{
    struct imap_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->closing) {
        int64_t now = imap_net_now();
        bool waiting = pool->queued[IMAP_JOB_WATCH] + pool->queued[IMAP_JOB_WORK] > 0;
        int64_t look_again = waiting ? now + pool->timing.look_again : IMAP_NET_FOREVER;
        int64_t next = IMAP_NET_FOREVER;
        unsigned over = 0;
        for (int kind = 0; kind < IMAP_JOB_KINDS; kind++) {
            int64_t since = down_since(pool, (enum imap_job_kind)kind);
            int64_t end = since + (int64_t)pool->endpoint.timeout_ms;
            if (since == 0 || pool->queued[kind] == 0)
                continue;
            if (imap_pool_given_up(pool, (enum imap_job_kind)kind, now))
                over |= 1u << kind;
            else if (end < next)
                next = end;
        }
        if (over) {
            end_waiting(pool, over);
            continue;
        }
        /* Some reasons to act come by time alone: a job starves, a lane may be tried again. */
        imap_pool_dispatch(pool, now);
        int64_t watch_due = imap_pool_watch_due(pool, now);
        if (watch_due < next)
            next = watch_due;
        if (look_again < next)
            next = look_again;
        pool->clock_idle = next == IMAP_NET_FOREVER;
        wait_until(pool, next);
        pool->clock_idle = false;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}
