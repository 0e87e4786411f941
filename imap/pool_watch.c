/* SPDX-License-Identifier: MIT */
/*
 * pool_watch: lanes that idle on mailboxes which connection 0 has not selected.
 *
 * 1. The first so many of what is wanted have a lane each, its watcher; who watches stays, so that no lane
 *    changes its mailbox because another one is wanted more.
 * 2. There is always one lane more than may watch: open, or to be had.
 * 3. A lane that is new to a mailbox, or would have to leave another one, goes there only when things have
 *    settled. One that has it selected anyway watches it from then on, too.
 */
#include "pool_impl.h"

static struct imap_place *place_of(const struct imap_conn *conn)
{
    return conn->heading ? conn->heading : conn->selected;
}

static bool is_there(const struct imap_conn *lane)
{
    return lane->state != IMAP_CONN_OFF && !lane->retire;
}

static bool can_open(const struct imap_pool *pool, int64_t now)
{
    return now >= pool->no_more_until && now >= pool->no_watch_until;
}

/* How many of what is wanted get a lane. */
static size_t allowed(const struct imap_pool *pool, int64_t now)
{
    size_t lanes = 0;

    if (pool->closing || now >= pool->wanted_until || pool->idle_refused ||
        !imap_caps_has(&pool->caps, IMAP_CAP_IDLE))
        return 0;
    for (unsigned i = 1; i < pool->count; i++)
        lanes += can_open(pool, now) || is_there(&pool->conn[i]);
    if (lanes < 2)
        return 0;
    return lanes - 1 < pool->wanted_count ? lanes - 1 : pool->wanted_count;
}

static size_t rank_of(const struct imap_pool *pool, const struct imap_place *place)
{
    size_t rank = 0;

    while (rank < pool->wanted_count && pool->wanted[rank].place != place)
        rank++;
    return rank;
}

static struct imap_conn *lane_at(struct imap_pool *pool, const struct imap_place *place, bool watching)
{
    for (unsigned i = 1; i < pool->count; i++) {
        struct imap_conn *lane = &pool->conn[i];
        if (is_there(lane) && place_of(lane) == place && lane->watching == watching)
            return lane;
    }
    return NULL;
}

static struct imap_conn *lane_without_work(struct imap_pool *pool, int64_t now)
{
    for (unsigned i = 1; i < pool->count; i++) {
        struct imap_conn *lane = &pool->conn[i];
        if (lane->state == IMAP_CONN_READY && !lane->retire && !lane->watching && !lane->heading &&
            lane->jobs == 0 && now - lane->worked_at >= pool->timing.settle)
            return lane;
    }
    return NULL;
}

/* Connection 0 may be waiting for the place that the server has left. */
static struct imap_conn *closed_lane(struct imap_pool *pool, int64_t now)
{
    if (pool->conn[0].state != IMAP_CONN_READY || !can_open(pool, now))
        return NULL;
    for (unsigned i = 1; i < pool->count; i++)
        if (pool->conn[i].state == IMAP_CONN_OFF)
            return &pool->conn[i];
    return NULL;
}

/* The mailbox that it idles on is not the one of that name any more. */
static void select_anew(struct imap_conn *lane)
{
    if (!lane->watching || lane->heading || !lane->selected || lane->replaced == lane->selected->replaced)
        return;
    lane->heading = imap_place_ref(lane->selected);
    imap_pool_wake(lane);
}

/* False: nobody can come now. */
static bool send_a_lane(struct imap_pool *pool, struct imap_place *place, int64_t now)
{
    struct imap_conn *lane = lane_at(pool, place, false);

    if (lane) {
        lane->watching = true;
        imap_pool_wake(lane);
        return true;
    }
    lane = closed_lane(pool, now);
    const bool opening = lane != NULL;
    if (!lane)
        lane = lane_without_work(pool, now);
    if (!lane)
        return false;
    lane->heading = imap_place_ref(place);
    lane->watching = true;
    if (opening)
        imap_pool_want(pool, lane, now);
    else
        imap_pool_wake(lane);
    lane->watching = lane->state != IMAP_CONN_OFF;
    return lane->watching;
}

void imap_pool_watch_assign(struct imap_pool *pool, int64_t now)
{
    const size_t most = allowed(pool, now);
    bool lacking = false;

    for (unsigned i = 1; i < pool->count; i++) {
        struct imap_conn *lane = &pool->conn[i];
        if (!lane->watching || (is_there(lane) && rank_of(pool, place_of(lane)) < most)) {
            select_anew(lane);
            continue;
        }
        lane->watching = false;
        imap_pool_wake(lane);
    }
    if (!imap_pool_any_ready(pool))
        return;
    for (size_t i = 0; i < most; i++) {
        struct imap_pool_wanted *wanted = &pool->wanted[i];
        if (lane_at(pool, wanted->place, true))
            continue;
        if (now < wanted->since + pool->timing.settle || !send_a_lane(pool, wanted->place, now))
            lacking = true;
    }
    if (lacking && pool->clock_idle)
        pthread_cond_broadcast(&pool->changed);
}

int64_t imap_pool_watch_due(const struct imap_pool *pool, int64_t now)
{
    const size_t most = allowed(pool, now);
    int64_t next = IMAP_NET_FOREVER;
    size_t watched = 0;

    for (unsigned i = 1; i < pool->count; i++)
        watched += pool->conn[i].watching;
    if (watched > 0)
        next = pool->wanted_until;
    for (size_t i = 0; i < most && watched < most; i++) {
        const int64_t settled = pool->wanted[i].since + pool->timing.settle;
        const int64_t at = settled > now ? settled : now + pool->timing.look_again;
        if (at < next)
            next = at;
    }
    return next;
}

void imap_pool_watch_drop(struct imap_pool *pool, const struct imap_place *place)
{
    const size_t rank = rank_of(pool, place);

    if (rank == pool->wanted_count)
        return;
    imap_place_put(pool, &pool->wanted[rank].place);
    pool->wanted_count--;
    for (size_t i = rank; i < pool->wanted_count; i++)
        pool->wanted[i] = pool->wanted[i + 1];
}

void imap_pool_watch_forget(struct imap_pool *pool)
{
    for (size_t i = 0; i < pool->wanted_count; i++)
        imap_place_put(pool, &pool->wanted[i].place);
    pool->wanted_count = 0;
}

bool imap_pool_watches(struct imap_conn *conn)
{
    pthread_mutex_lock(&conn->pool->lock);
    const bool watches = conn->watching && !conn->heading && !conn->retire;
    pthread_mutex_unlock(&conn->pool->lock);
    return watches;
}

static void want(struct imap_pool *pool, const char *const *mailboxes, size_t count, int64_t now)
{
    struct imap_pool_wanted wanted[IMAP_POOL_MAX];

    if (count > IMAP_POOL_MAX)
        count = IMAP_POOL_MAX;
    for (size_t i = 0; i < count; i++) {
        wanted[i].place = imap_place_get(pool, mailboxes[i]);
        const size_t before = rank_of(pool, wanted[i].place);
        wanted[i].since = before < pool->wanted_count ? pool->wanted[before].since : now;
    }
    imap_pool_watch_forget(pool);
    for (size_t i = 0; i < count; i++)
        pool->wanted[pool->wanted_count++] = wanted[i];
}

size_t imap_pool_watch(struct imap_pool *pool, const char *const *mailboxes, size_t count, unsigned for_ms)
{
    const int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    want(pool, mailboxes, count, now);
    pool->wanted_until = now + for_ms;
    imap_pool_dispatch(pool, now);
    pthread_cond_broadcast(&pool->changed);
    const size_t most = allowed(pool, now);
    pthread_mutex_unlock(&pool->lock);
    return most;
}
