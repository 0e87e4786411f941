/* SPDX-License-Identifier: MIT */
/*
 * pool_sched: which connection does which job.
 *
 * - Work is done by the lanes (1 and up), watching by connection 0, what needs no mailbox by either.
 *   Only where no lane can be had does connection 0 work as well. And while none is open yet it does the
 *   first few urgent jobs of the mailbox that it has selected anyway: dialling takes five round trips.
 * - A job goes to the least loaded of those that have its mailbox selected and room in their window.
 *   The window keeps an urgent job from waiting behind megabytes that were asked for before it.
 * - A lane with nothing to do changes to a mailbox that nobody serves, or helps where the others have
 *   enough to do; one that is busy changes only for a job that is urgent or starving.
 * - A further connection is opened when a job is left that none of the above takes.
 * - A lane that idles on a mailbox (pool_watch.c) leaves it for a job that is urgent or starving, and only
 *   where no further one can be opened and none is without work.
 */
#include "pool_impl.h"

#define WINDOW_BYTES ((uint64_t)16 << 20) /* in flight on one connection; at 40 ms it is 400 MB/s */
#define BUSY_BYTES ((uint64_t)1 << 20)    /* another lane is worth its SELECT when this much is ahead */
#define WINDOW_JOBS 32
#define WINDOW_JOBS_URGENT 48 /* under the session's limit of what may be in flight */
#define HELP_JOBS 4

#define WATCH (1u << IMAP_JOB_WATCH)
#define WORK (1u << IMAP_JOB_WORK)

bool imap_pool_any_ready(const struct imap_pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++)
        if (pool->conn[i].state == IMAP_CONN_READY)
            return true;
    return false;
}

static bool any_lane_ready(const struct imap_pool *pool)
{
    for (unsigned i = 1; i < pool->count; i++)
        if (pool->conn[i].state == IMAP_CONN_READY && !pool->conn[i].retire)
            return true;
    return false;
}

static bool any_worker_ready(const struct imap_pool *pool)
{
    for (unsigned i = 1; i < pool->count; i++) {
        const struct imap_conn *lane = &pool->conn[i];
        if (lane->state == IMAP_CONN_READY && !lane->retire && !lane->watching)
            return true;
    }
    return false;
}

unsigned imap_pool_serves(const struct imap_pool *pool, const struct imap_conn *conn)
{
    if (conn->index > 0)
        return WORK;
    if (pool->count == 1 || (pool->lane_failed && !any_lane_ready(pool)))
        return WATCH | WORK;
    return WATCH;
}

/* What needs no mailbox never is a body, so connection 0 may always do it. */
static unsigned serves_at(const struct imap_pool *pool, const struct imap_conn *conn,
                          const struct imap_place *place)
{
    return imap_pool_serves(pool, conn) | (place->name ? 0 : WORK);
}

/* As it is, not as it was before one of the same name took its place. */
static bool has_selected(const struct imap_conn *conn, const struct imap_place *place)
{
    return conn->selected == place && conn->replaced == place->replaced;
}

static bool is_free(const struct imap_conn *conn)
{
    return conn->state == IMAP_CONN_READY && !conn->retire && !conn->heading;
}

static bool has_room(const struct imap_conn *conn, const struct imap_job *job)
{
    if (job->urgent)
        return conn->jobs < WINDOW_JOBS_URGENT;
    return conn->jobs < 2 || (conn->jobs < WINDOW_JOBS && conn->weight < WINDOW_BYTES);
}

static bool can_take(const struct imap_pool *pool, const struct imap_conn *conn, const struct imap_job *job)
{
    return is_free(conn) && serves_at(pool, conn, job->place) & 1u << job->kind &&
           (!job->place->name || has_selected(conn, job->place)) && has_room(conn, job);
}

static bool less_loaded(const struct imap_conn *a, const struct imap_conn *b)
{
    if (a->weight != b->weight)
        return a->weight < b->weight;
    return a->jobs != b->jobs ? a->jobs < b->jobs : a->index < b->index;
}

static bool is_best_for(const struct imap_pool *pool, const struct imap_conn *conn,
                        const struct imap_job *job)
{
    if (!can_take(pool, conn, job))
        return false;
    for (unsigned i = 0; i < pool->count; i++) {
        const struct imap_conn *other = &pool->conn[i];
        if (other != conn && can_take(pool, other, job) && less_loaded(other, conn))
            return false;
    }
    return true;
}

/* ---- changing mailboxes --------------------------------------------------------------------------- */

/* The ones that have or will have place selected. */
struct servers {
    unsigned all, coming;
    bool all_busy; /* true when there is none */
};

static struct servers servers_of(const struct imap_pool *pool, const struct imap_place *place, unsigned kind)
{
    struct servers servers = {.all_busy = true};

    for (unsigned i = 0; i < pool->count; i++) {
        const struct imap_conn *conn = &pool->conn[i];
        if (conn->state == IMAP_CONN_OFF || conn->retire || !(imap_pool_serves(pool, conn) & kind))
            continue;
        if (conn->heading != place && (conn->heading || !has_selected(conn, place)))
            continue;
        servers.all++;
        if (conn->heading == place)
            servers.coming++;
        else if (conn->weight < BUSY_BYTES)
            servers.all_busy = false;
    }
    return servers;
}

/* One lane can carry what a server on a good line sends, and a second one only makes the server do the
 * work of a SELECT again; so others come in where waiting shows that it does not keep up. */
static bool is_crowded(const struct imap_pool *pool, const struct servers *servers,
                       const struct imap_job *job, int64_t now)
{
    return servers->all_busy && job->place->weight > servers->coming * BUSY_BYTES &&
           (job->urgent || now - job->queued_ms >= pool->timing.crowded);
}

static bool lane_can_be_opened(const struct imap_pool *pool, int64_t now)
{
    if (now < pool->no_more_until)
        return false;
    for (unsigned i = 1; i < pool->count; i++)
        if (pool->conn[i].state == IMAP_CONN_OFF)
            return true;
    return false;
}

static bool is_least_loaded(const struct imap_pool *pool, const struct imap_conn *conn, unsigned kind)
{
    for (unsigned i = 0; i < pool->count; i++) {
        const struct imap_conn *other = &pool->conn[i];
        if (other != conn && is_free(other) && imap_pool_serves(pool, other) & kind &&
            less_loaded(other, conn))
            return false;
    }
    return true;
}

static bool any_worker_without_work(const struct imap_pool *pool)
{
    for (unsigned i = 1; i < pool->count; i++)
        if (is_free(&pool->conn[i]) && !pool->conn[i].watching && pool->conn[i].jobs == 0)
            return true;
    return false;
}

/* Should conn, which watches its mailbox, go and do this job? */
static bool worth_looking_away(const struct imap_pool *pool, const struct imap_conn *conn,
                               const struct servers *servers, const struct imap_job *job, int64_t now)
{
    if (!job->urgent && now - job->queued_ms < pool->timing.starving)
        return false;
    if (lane_can_be_opened(pool, now) || any_worker_without_work(pool))
        return false;
    if (servers->all > 0 && !is_crowded(pool, servers, job, now))
        return false;
    return is_least_loaded(pool, conn, 1u << job->kind);
}

/* Should conn, which has another mailbox selected, go and do this job? */
static bool worth_changing(const struct imap_pool *pool, const struct imap_conn *conn, bool idle,
                           const struct imap_job *job, int64_t now)
{
    unsigned kind = 1u << job->kind;
    struct servers servers = servers_of(pool, job->place, kind);

    if (conn->watching)
        return worth_looking_away(pool, conn, &servers, job, now);
    if (servers.all > 0)
        return idle && is_crowded(pool, &servers, job, now);
    if (idle)
        return true;
    if (!job->urgent && now - job->queued_ms < pool->timing.starving)
        return false;
    return is_least_loaded(pool, conn, kind) &&
           !(job->kind == IMAP_JOB_WORK && lane_can_be_opened(pool, now));
}

static struct imap_place *better_place(const struct imap_pool *pool, const struct imap_conn *conn, bool idle,
                                       int64_t now)
{
    const struct imap_job *best = NULL;

    for (const struct imap_place *place = pool->places; place; place = place->next) {
        if (!place->name || has_selected(conn, place))
            continue;
        const struct imap_job *job = imap_job_peek(place, imap_pool_serves(pool, conn));
        if (job && worth_changing(pool, conn, idle, job, now) && imap_job_before(job, best))
            best = job;
    }
    return best ? best->place : NULL;
}

/* ---- decisions ------------------------------------------------------------------------------------ */

static struct imap_job *next_here(const struct imap_pool *pool, const struct imap_conn *conn)
{
    struct imap_job *best = NULL;

    for (const struct imap_place *place = pool->places; place; place = place->next) {
        if (place->name && !has_selected(conn, place))
            continue;
        struct imap_job *job = imap_job_peek(place, serves_at(pool, conn, place));
        if (imap_job_before(job, best))
            best = job;
    }
    return best;
}

static struct imap_job *to_help_with(const struct imap_pool *pool, const struct imap_conn *conn)
{
    if (conn->index > 0 || !conn->selected || !has_selected(conn, conn->selected) || conn->heading ||
        conn->jobs >= HELP_JOBS || any_worker_ready(pool))
        return NULL;
    return conn->selected->queue[IMAP_JOB_WORK][true].first;
}

static enum imap_pool_action follow_heading(struct imap_pool *pool, struct imap_conn *conn)
{
    if (conn->jobs > 0 || conn->selecting)
        return IMAP_POOL_NOTHING;
    if (!has_selected(conn, conn->heading) &&
        (conn->watching || imap_job_peek(conn->heading, imap_pool_serves(pool, conn))))
        return IMAP_POOL_SELECT;
    imap_place_put(pool, &conn->heading); /* somebody else was faster */
    return IMAP_POOL_TAKE;
}

enum imap_pool_action imap_pool_decide(struct imap_pool *pool, struct imap_conn *conn, int64_t now,
                                       struct imap_job **job_out)
{
    if (conn->state != IMAP_CONN_READY || conn->retire || pool->closing)
        return IMAP_POOL_NOTHING;
    if (conn->heading) {
        enum imap_pool_action action = follow_heading(pool, conn);
        if (action != IMAP_POOL_TAKE)
            return action;
    }

    struct imap_job *job = next_here(pool, conn);
    struct imap_place *place = better_place(pool, conn, !job && conn->jobs == 0, now);
    if (place) {
        conn->heading = imap_place_ref(place);
        conn->watching = false;
        return conn->jobs == 0 ? IMAP_POOL_SELECT : IMAP_POOL_NOTHING;
    }
    if (job && !is_best_for(pool, conn, job))
        job = NULL;
    *job_out = job ? job : to_help_with(pool, conn);
    return *job_out ? IMAP_POOL_TAKE : IMAP_POOL_NOTHING;
}

/* ---- opening further connections ------------------------------------------------------------------ */

static struct imap_conn *closed_lane(struct imap_pool *pool)
{
    for (unsigned i = 1; i < pool->count; i++)
        if (pool->conn[i].state == IMAP_CONN_OFF)
            return &pool->conn[i];
    return NULL;
}

static bool wants_lane(const struct imap_pool *pool, const struct imap_place *place, int64_t now)
{
    const struct imap_job *job = imap_job_peek(place, WORK);
    if (!place->name || !job)
        return false;
    struct servers servers = servers_of(pool, place, WORK);
    return servers.all == 0 || is_crowded(pool, &servers, job, now);
}

static void open_lanes(struct imap_pool *pool, int64_t now)
{
    if (now < pool->no_more_until)
        return;
    for (struct imap_place *place = pool->places; place; place = place->next) {
        while (wants_lane(pool, place, now)) {
            struct imap_conn *lane = closed_lane(pool);
            if (!lane)
                return;
            lane->heading = imap_place_ref(place);
            imap_pool_want(pool, lane, now);
            if (lane->state == IMAP_CONN_OFF)
                return;
        }
    }
}

/* While connection 0 stands in for lanes that the server refused, they are tried again now and then. */
static void retry_lane(struct imap_pool *pool, int64_t now)
{
    bool overdue = pool->lane_failed && now >= pool->no_more_until && pool->queued[IMAP_JOB_WORK] > 0;
    struct imap_conn *lane = overdue ? closed_lane(pool) : NULL;

    if (lane)
        imap_pool_want(pool, lane, now);
}

static bool is_lane_coming(const struct imap_pool *pool)
{
    for (unsigned i = 1; i < pool->count; i++)
        if (pool->conn[i].state != IMAP_CONN_OFF)
            return true;
    return false;
}

static void dispatch_jobs(struct imap_pool *pool, int64_t now)
{
    bool acted = false;

    if (now < pool->no_more_until && !is_lane_coming(pool))
        pool->lane_failed = true;
    if (!imap_pool_any_ready(pool) || pool->queued[IMAP_JOB_WATCH] > 0)
        imap_pool_want(pool, &pool->conn[0], now);
    if (!imap_pool_any_ready(pool))
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        struct imap_job *job;
        if (imap_pool_decide(pool, &pool->conn[i], now, &job) == IMAP_POOL_NOTHING)
            continue;
        imap_pool_wake(&pool->conn[i]);
        acted = true;
    }
    retry_lane(pool, now);
    if (acted)
        return;
    open_lanes(pool, now);
    if (pool->clock_idle)
        pthread_cond_broadcast(&pool->changed);
}

void imap_pool_dispatch(struct imap_pool *pool, int64_t now)
{
    if (pool->closing)
        return;
    if (pool->queued[IMAP_JOB_WATCH] + pool->queued[IMAP_JOB_WORK] > 0)
        dispatch_jobs(pool, now);
    imap_pool_watch_assign(pool, now);
}
