/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "credentials.h"
#include "endpoint.h"
#include "mem.h"
#include "pool_impl.h"

#define IMAP_POOL_OFFLINE "offline, as asked for"
#define WEIGHT_MAX ((uint64_t)1 << 40) /* keeps sums of weights far from overflowing */

static const struct imap_pool_timing default_timing = {
    .backoff_first = 1000,
    .backoff_max = 60000,
    .stable = 10000,
    .no_more = 60000,
    .impatient = 5000,
    .idle_grace = 20,
    .idle_renew = (int64_t)5 * 60 * 1000,
    .proof = 5000,
    .noop = 60000,
    .notify_renew = (int64_t)10 * 60 * 1000,
    .notify_retry = 60000,
    .lane_unused = (int64_t)5 * 60 * 1000,
    .look_again = 1000,
    .starving = 2000,
    .crowded = 200,
    .settle = 1000,
    .watch_again = (int64_t)10 * 60 * 1000,
};

static void init_lock(struct imap_pool *pool)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static void destroy(struct imap_pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++)
        close(pool->conn[i].wake_fd);
    close(pool->cancel_fd);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->token_lock);
    if (pool->credentials)
        imap_credentials_fini(pool->credentials);
    free(pool->credentials);
    imap_endpoint_fini(&pool->endpoint);
    free(pool);
}

enum imap_status imap_pool_new(const struct imap_pool_options *options, const struct imap_pool_events *events,
                               void *arg, struct imap_pool **pool_out, struct imap_error *err)
{
    enum imap_status status = imap_endpoint_check(&options->endpoint, err);

    if (status != IMAP_OK)
        return status;
    if (options->connections < 1 || options->connections > IMAP_POOL_MAX)
        return imap_error_set(err, IMAP_USAGE, "the number of connections must be 1 to %d", IMAP_POOL_MAX);

    struct imap_pool *pool = imap_xcalloc(1, sizeof(*pool));
    imap_endpoint_copy(&options->endpoint, &pool->endpoint);
    pthread_mutex_init(&pool->token_lock, NULL);
    if (options->credentials) {
        pool->credentials = imap_xcalloc(1, sizeof(*pool->credentials));
        imap_credentials_copy(options->credentials, pool->credentials);
    }
    if (events)
        pool->events = *events;
    pool->arg = arg;
    pool->count = options->connections;
    pool->read_write = options->read_write;
    pool->compress = options->compress;
    pool->offline = options->offline;
    pool->timing = default_timing;
    pool->random = (uint64_t)imap_net_now() ^ (uint64_t)(uintptr_t)pool;
    pool->cancel_fd = imap_net_wake_new();
    init_lock(pool);
    for (unsigned i = 0; i < pool->count; i++) {
        pool->conn[i].pool = pool;
        pool->conn[i].index = i;
        pool->conn[i].wake_fd = imap_net_wake_new();
    }
    int rc = imap_net_thread(&pool->clock, imap_pool_clock, pool);
    if (rc != 0) {
        destroy(pool);
        return imap_error_sys(err, rc, "starting a thread");
    }
    *pool_out = pool;
    return IMAP_OK;
}

/* Connection 0 is dialled at once, whatever pause it was in. */
static void attempt_now(struct imap_pool *pool)
{
    struct imap_conn *conn = &pool->conn[0];
    bool persist = pool->persist;

    conn->dial_at = 0;
    imap_pool_want(pool, conn, imap_net_now());
    pool->persist = persist;
    imap_pool_wake(conn);
}

static void await_change(struct imap_pool *pool, int64_t until_ms)
{
    struct timespec when = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (until_ms == IMAP_NET_FOREVER)
        pthread_cond_wait(&pool->changed, &pool->lock);
    else
        pthread_cond_timedwait(&pool->changed, &pool->lock, &when);
}

/* With the lock: how the attempt ends, in *err. */
static enum imap_status attempt(struct imap_pool *pool, int64_t until_ms, struct imap_error *err)
{
    const unsigned attempts = pool->attempts;
    char where[IMAP_ENDPOINT_TEXT_MAX];

    attempt_now(pool);
    while (pool->attempts == attempts && !pool->closing && pool->conn[0].state != IMAP_CONN_OFF &&
           imap_net_now() < until_ms)
        await_change(pool, until_ms);
    if (pool->attempts != attempts) {
        *err = pool->attempt_error;
        return pool->attempt_status;
    }
    if (pool->closing)
        return imap_error_set(err, IMAP_CANCEL, "cancelled");
    if (pool->conn[0].state == IMAP_CONN_OFF)
        return imap_error_set(err, IMAP_SYS, "a thread cannot be started");
    imap_endpoint_text(&pool->endpoint, where);
    return imap_error_set(err, IMAP_AGAIN, "%s has not answered yet", where);
}

static enum imap_status connect_until(struct imap_pool *pool, int64_t until_ms, struct imap_error *err)
{
    struct imap_error why = {0};
    enum imap_status status = IMAP_OK;

    pthread_mutex_lock(&pool->lock);
    if (pool->offline)
        status = imap_error_set(&why, IMAP_AGAIN, IMAP_POOL_OFFLINE);
    else if (pool->conn[0].state != IMAP_CONN_READY)
        status = attempt(pool, until_ms, &why);
    pthread_mutex_unlock(&pool->lock);
    if (status != IMAP_OK && err)
        *err = why;
    return status;
}

enum imap_status imap_pool_connect(struct imap_pool *pool, struct imap_error *err)
{
    return connect_until(pool, IMAP_NET_FOREVER, err);
}

enum imap_status imap_pool_connect_within(struct imap_pool *pool, unsigned wait_ms, struct imap_error *err)
{
    return connect_until(pool, imap_net_now() + wait_ms, err);
}

bool imap_pool_keep_trying(struct imap_pool *pool)
{
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    bool out = !imap_pool_any_ready(pool);
    if (out && !pool->offline) {
        struct imap_conn *conn = &pool->conn[0];
        if (conn->state == IMAP_CONN_OFF)
            imap_pool_schedule(pool, conn, now);
        imap_pool_want(pool, conn, now);
        pool->refused = true;
        pool->told_why = IMAP_AGAIN;
    }
    pthread_mutex_unlock(&pool->lock);
    return out;
}

/* ---- reasons not to wait ---------------------------------------------------------------------------- */

void imap_pool_hurry(struct imap_pool *pool)
{
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    /* Asking often with a wrong password gets accounts locked. */
    if (now - pool->conn[0].last_dial >= pool->timing.impatient && pool->attempt_status != IMAP_AUTH)
        imap_pool_dial_now(pool, now);
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_revalidate(struct imap_pool *pool)
{
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++) {
        struct imap_conn *conn = &pool->conn[i];
        conn->pause_ms = 0;
        if (conn->state != IMAP_CONN_READY)
            continue;
        conn->doubted = true;
        imap_pool_wake(conn);
    }
    pool->no_more_until = 0;
    imap_pool_dial_now(pool, now);
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_free(struct imap_pool **pool_in)
{
    struct imap_pool *pool = *pool_in;
    struct imap_job_queue jobs;
    struct imap_error why;

    if (!pool)
        return;
    *pool_in = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    imap_net_wake(pool->cancel_fd);
    pthread_join(pool->clock, NULL);
    for (unsigned i = 0; i < pool->count; i++) /* none is started any more */
        if (pool->conn[i].started)
            pthread_join(pool->conn[i].thread, NULL);

    imap_error_set(&why, IMAP_CANCEL, "the connection is being closed");
    imap_job_queue_init(&jobs);
    pthread_mutex_lock(&pool->lock);
    imap_job_dequeue_all(pool, NULL, 1u << IMAP_JOB_WATCH | 1u << IMAP_JOB_WORK, IMAP_NET_FOREVER, &jobs);
    imap_pool_watch_forget(pool);
    for (unsigned i = 0; i < pool->count; i++) {
        imap_place_put(pool, &pool->conn[i].heading);
        imap_place_put(pool, &pool->conn[i].selected);
    }
    pthread_mutex_unlock(&pool->lock);
    imap_job_fail_all(pool, &jobs, &why);
    destroy(pool);
}

static void submit(struct imap_pool *pool, const char *mailbox, struct imap_job *job)
{
    int64_t now = imap_net_now();
    struct imap_error why = {0};
    bool hurry = false;

    job->queued_ms = now;
    pthread_mutex_lock(&pool->lock);
    job->place = imap_place_get(pool, mailbox);
    if (pool->closing) {
        imap_error_set(&why, IMAP_CANCEL, "the connection is being closed");
    } else if (pool->offline) {
        imap_error_set(&why, IMAP_AGAIN, IMAP_POOL_OFFLINE);
    } else if (imap_pool_given_up(pool, job->kind, now)) {
        hurry = true;
        imap_error_set(&why, IMAP_AGAIN, "%s", pool->why.text);
    } else {
        imap_job_enqueue(pool, job);
        imap_pool_dispatch(pool, now);
        if (pool->down_since > 0 || pool->conn[0].down_since > 0)
            pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);

    if (hurry) /* who tries again after a while should not have to sit out a pause of a minute */
        imap_pool_hurry(pool);
    if (why.status != IMAP_OK) {
        struct imap_job_queue jobs = {.first = job, .tail = &job->next};
        imap_job_fail_all(pool, &jobs, &why);
    }
}

void imap_pool_submit(struct imap_pool *pool, const char *mailbox, unsigned flags, uint64_t weight,
                      struct imap_command *command)
{
    struct imap_job *job = imap_job_new(command);

    job->kind = flags & IMAP_POOL_WATCHER ? IMAP_JOB_WATCH : IMAP_JOB_WORK;
    job->urgent = (flags & IMAP_POOL_URGENT) != 0;
    job->weight = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
    submit(pool, mailbox, job);
}

void imap_pool_change(struct imap_pool *pool, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                      struct imap_command *command)
{
    struct imap_job *job = imap_job_new(command);

    job->kind = IMAP_JOB_WATCH;
    job->uidvalidity = uidvalidity;
    job->changes = !(flags & IMAP_POOL_READS);
    submit(pool, mailbox, job);
}

void imap_pool_mailbox_gone(struct imap_pool *pool, const char *mailbox)
{
    pthread_mutex_lock(&pool->lock);
    struct imap_place *place = imap_place_find(pool, mailbox);
    if (place)
        place->gone = true;
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_mailbox_changed(struct imap_pool *pool, const char *mailbox)
{
    pthread_mutex_lock(&pool->lock);
    struct imap_place *place = imap_place_find(pool, mailbox);
    if (place) /* else nobody has it selected */
        place->changes++;
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_notify_again(struct imap_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->notify_again = true;
    imap_pool_wake(&pool->conn[0]);
    pthread_mutex_unlock(&pool->lock);
}

void imap_pool_mailbox_replaced(struct imap_pool *pool, const char *mailbox, unsigned connection)
{
    pthread_mutex_lock(&pool->lock);
    struct imap_place *place = imap_place_find(pool, mailbox);
    if (place) {
        place->replaced++;
        if (connection < pool->count && pool->conn[connection].selected == place)
            pool->conn[connection].replaced = place->replaced;
        imap_pool_dispatch(pool, imap_net_now());
    }
    pthread_mutex_unlock(&pool->lock);
}

bool imap_pool_caps(struct imap_pool *pool, struct imap_caps *caps_out)
{
    pthread_mutex_lock(&pool->lock);
    bool known = pool->caps_known;
    if (known)
        *caps_out = pool->caps;
    pthread_mutex_unlock(&pool->lock);
    return known;
}

unsigned imap_pool_lanes(const struct imap_pool *pool)
{
    return pool->count > 1 ? pool->count - 1 : 1;
}
