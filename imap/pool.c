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

#define WEIGHT_MAX ((uint64_t)1 << 40) /* keeps sums of weights far from overflowing */

static const struct imap_pool_timing default_timing = {
    .backoff_first = 1000,
    .backoff_max = 60000,
    .stable = 10000,
    .no_more = 60000,
    .impatient = 5000,
    .idle_grace = 20,
    .idle_renew = IMAP_LINE_IDLE_RENEW,
    .noop = 60000,
    .lane_unused = (int64_t)5 * 60 * 1000,
    .look_again = 1000,
    .starving = 2000,
    .crowded = 200,
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

enum imap_status imap_pool_connect(struct imap_pool *pool, struct imap_error *err)
{
    pthread_mutex_lock(&pool->lock);
    enum imap_status status = IMAP_OK;
    if (pool->conn[0].state != IMAP_CONN_READY) {
        unsigned attempts = pool->attempts;
        attempt_now(pool);
        while (pool->attempts == attempts && !pool->closing && pool->conn[0].state != IMAP_CONN_OFF)
            pthread_cond_wait(&pool->changed, &pool->lock);
        if (pool->attempts != attempts)
            status = pool->attempt_status;
        else
            status = imap_error_set(&pool->attempt_error, pool->closing ? IMAP_CANCEL : IMAP_SYS,
                                    pool->closing ? "cancelled" : "a thread cannot be started");
    }
    if (status != IMAP_OK && err)
        *err = pool->attempt_error;
    pthread_mutex_unlock(&pool->lock);
    return status;
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
    for (unsigned i = 0; i < pool->count; i++) {
        imap_place_put(pool, &pool->conn[i].heading);
        imap_place_put(pool, &pool->conn[i].selected);
    }
    pthread_mutex_unlock(&pool->lock);
    imap_job_fail_all(pool, &jobs, &why);
    destroy(pool);
}

/* A user who tries again after a while should not have to sit out a pause of a minute. */
static void hurry(struct imap_pool *pool, int64_t now)
{
    struct imap_conn *conn = &pool->conn[0];

    if (conn->state == IMAP_CONN_DIALING && conn->dial_at > now &&
        now - conn->last_dial >= pool->timing.impatient) {
        conn->dial_at = now;
        imap_pool_wake(conn);
    }
}

static void submit(struct imap_pool *pool, const char *mailbox, struct imap_job *job)
{
    int64_t now = imap_net_now();
    struct imap_error why = {0};

    job->queued_ms = now;
    pthread_mutex_lock(&pool->lock);
    job->place = imap_place_get(pool, mailbox);
    if (pool->closing) {
        imap_error_set(&why, IMAP_CANCEL, "the connection is being closed");
    } else if (imap_pool_given_up(pool, job->kind, now)) {
        hurry(pool, now);
        imap_error_set(&why, IMAP_AGAIN, "%s", pool->why.text);
    } else {
        imap_job_enqueue(pool, job);
        imap_pool_dispatch(pool, now);
        if (pool->down_since > 0 || pool->conn[0].down_since > 0)
            pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);

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
