/* SPDX-License-Identifier: MIT */
/*
 * Invariants:
 * 1. A body is indexed until its message is gone, its mailbox reset or it has contradicted itself; from
 *    then on only those who hold it see it.
 * 2. A body is idle (in the list, evictable) when it is indexed, has bytes, and neither a pin, a
 *    download nor a waiter. One that is none of all these is freed.
 * 3. bodies->bytes is the sum of all bodies' charged bytes: whole blocks, of what has arrived.
 * 4. A body that is kept is charged to the index of kept ones; it stays a body only as long as it is in use, or
 *    was fetched ahead and is still to be opened.
 */
#include "body_internal.h"

#include <stdlib.h>

#include "../imap/mem.h"

#define BLOCK 4096u
#define BUCKETS_MIN 1024
#define TRIM_MAX 256 /* evicted while the lock is held: a mount with a smaller cache_size has many to go */
#define AHEAD_BEGIN (UINT64_C(8) << 20) /* download.c then measures what the line carries */

static size_t bucket_of(size_t bucket_count, uint32_t message_id, uint32_t uid)
{
    uint64_t key = (uint64_t)message_id << 32 | uid;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(key >> 32) & (bucket_count - 1);
}

static void grow_index(struct bodies *bodies)
{
    size_t bucket_count = bodies->bucket_count ? bodies->bucket_count * 2 : BUCKETS_MIN;
    struct body **buckets = imap_xcalloc(bucket_count, sizeof(void *));
    for (size_t i = 0; i < bodies->bucket_count; i++) {
        for (struct body *body = bodies->buckets[i], *next; body; body = next) {
            next = body->hash_next;
            struct body **bucket = &buckets[bucket_of(bucket_count, body->message_id, body->uid)];
            body->hash_next = *bucket;
            *bucket = body;
        }
    }
    free(bodies->buckets);
    bodies->buckets = buckets;
    bodies->bucket_count = bucket_count;
}

struct body *bodies_find_locked(const struct bodies *bodies, uint32_t message_id, uint32_t uid)
{
    if (!bodies->bucket_count)
        return NULL;
    struct body *body = bodies->buckets[bucket_of(bodies->bucket_count, message_id, uid)];
    while (body && (body->message_id != message_id || body->uid != uid))
        body = body->hash_next;
    return body;
}

struct body *bodies_get_locked(struct bodies *bodies, struct mailbox *mailbox, const struct message *message)
{
    uint32_t message_id = mailbox_message_id_locked(mailbox);
    struct body *body = bodies_find_locked(bodies, message_id, message->uid);
    if (body)
        return body;
    if (bodies->body_count >= bodies->bucket_count)
        grow_index(bodies);
    body = imap_xcalloc(1, sizeof *body);
    body->mailbox = mailbox;
    body->message_id = message_id;
    body->uid = message->uid;
    body->size = message->size;
    body->size_known = message->size_verified;
    wait_queue_init(&body->size_waits);
    wait_queue_init(&body->range_waits);
    struct body **bucket = &bodies->buckets[bucket_of(bodies->bucket_count, message_id, message->uid)];
    body->hash_next = *bucket;
    *bucket = body;
    body->indexed = true;
    bodies->body_count++;
    keeping_adopt_locked(bodies, body, message);
    return body;
}

void bodies_unindex_locked(struct bodies *bodies, struct body *body)
{
    if (!body->indexed)
        return;
    struct body **link = &bodies->buckets[bucket_of(bodies->bucket_count, body->message_id, body->uid)];
    while (*link != body)
        link = &(*link)->hash_next;
    *link = body->hash_next;
    body->indexed = false;
    bodies->body_count--;
}

static void idle_remove(struct bodies *bodies, struct body *body)
{
    if (!body->idle)
        return;
    *(body->older ? &body->older->newer : &bodies->oldest) = body->newer;
    *(body->newer ? &body->newer->older : &bodies->newest) = body->older;
    body->older = body->newer = NULL;
    body->idle = false;
}

static void idle_add(struct bodies *bodies, struct body *body)
{
    body->older = bodies->newest;
    *(bodies->newest ? &bodies->newest->newer : &bodies->oldest) = body;
    bodies->newest = body;
    body->idle = true;
    body->used = kept_clock(bodies->kept);
}

void bodies_empty_locked(struct bodies *bodies, struct body *body)
{
    scarce_drop_locked(bodies, body);
    if (body->kept)
        keeping_release_locked(bodies, body);
    else
        spool_release_locked(bodies->spool, &body->extent);
    range_set_fini(&body->present);
    bodies->bytes -= body->charged;
    body->charged = 0;
}

static void destroy(struct bodies *bodies, struct body *body)
{
    fetcher_ticket_drop_locked(bodies, body);
    idle_remove(bodies, body);
    bodies_unindex_locked(bodies, body);
    bodies_empty_locked(bodies, body);
    free(body);
}

bool bodies_hold_any(const struct body *body)
{
    return body->charged > 0 || body->kept || atomic_load(&body->scarce) || body_complete_locked(body);
}

/* Worth being held though nobody uses it. */
static bool lasts(const struct body *body)
{
    if (!body->indexed || !body->size_known || atomic_load(&body->scarce))
        return false;
    return body->kept ? body->ticket.cursor != 0 : body->charged > 0;
}

void bodies_settle_locked(struct bodies *bodies, struct body *body)
{
    idle_remove(bodies, body);
    if (!body->checking && keeping_wants_locked(bodies, body))
        check_locked(bodies, body);
    if (body->pins || body->downloads || body->checking || body_waited_for_locked(body))
        return;
    if (lasts(body))
        idle_add(bodies, body);
    else
        destroy(bodies, body);
}

uint64_t bodies_total_locked(const struct bodies *bodies)
{
    return bodies->bytes + kept_bytes(bodies->kept);
}

static bool evict_one(struct bodies *bodies)
{
    struct body *body = bodies->oldest;
    const struct kept_entry *entry = kept_oldest(bodies->kept);
    if (entry && (!body || entry->rank < body->used)) {
        const struct kept_key key = entry->key;
        keeping_forget_locked(bodies, &key);
        return true;
    }
    if (body)
        destroy(bodies, body); /* one that is kept can then go, when it is its turn */
    return body != NULL;
}

bool bodies_evict_locked(struct bodies *bodies, uint64_t bytes)
{
    const uint64_t before = bodies_total_locked(bodies), goal = before > bytes ? before - bytes : 0;
    while (bodies_total_locked(bodies) > goal && evict_one(bodies))
        ;
    return bodies_total_locked(bodies) < before;
}

void bodies_trim_locked(struct bodies *bodies)
{
    for (unsigned i = 0; i < TRIM_MAX; i++)
        if (bodies_total_locked(bodies) <= bodies->cache_size || !evict_one(bodies))
            return;
    check_wake_locked(bodies);
}

bool bodies_trash_locked(struct bodies *bodies, struct spool_trash *trash)
{
    return spool_trash_locked(bodies->spool, trash);
}

void bodies_unlock(struct bodies *bodies)
{
    struct spool_trash trash = {0};
    bool any = spool_trash_locked(bodies->spool, &trash);
    account_unlock(bodies->account);
    if (any)
        spool_dispose(&trash);
}

enum imap_status bodies_new(struct account *account, struct imap_pool *pool, const char *cache_dir,
                            uint64_t cache_size, struct bodies **bodies_out, struct imap_error *err)
{
    struct bodies *bodies = imap_xcalloc(1, sizeof *bodies);
    bodies->account = account;
    bodies->pool = pool;
    bodies->cache_size = cache_size;
    bodies->ahead_max = AHEAD_BEGIN;
    bodies->due_tail = &bodies->due;
    enum imap_status status = spool_open(cache_dir, &bodies->spool, err);
    if (status != IMAP_OK) {
        free(bodies);
        return status;
    }
    bodies->kept = kept_new();
    grow_index(bodies);
    *bodies_out = bodies;
    return IMAP_OK;
}

void bodies_stats_locked(const struct bodies *bodies, struct bodies_stats *stats_out)
{
    *stats_out = bodies->stats;
    stats_out->bytes = bodies_total_locked(bodies);
    stats_out->limit = bodies->cache_size;
    stats_out->count = bodies->keeps ? kept_count(bodies->kept) : bodies->body_count;
}

static void fail_all_locked(struct bodies *bodies)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the account is being closed");
    for (size_t i = 0; i < bodies->bucket_count; i++)
        for (struct body *body = bodies->buckets[i]; body; body = body->hash_next)
            body_fail_locked(bodies, body, &err);
}

void bodies_stop(struct bodies *bodies)
{
    account_lock(bodies->account);
    bodies->stopped = true;
    fail_all_locked(bodies);
    bodies_unlock(bodies);
    check_stop(bodies);
}

static void forget_walk(struct bodies *bodies, struct walk *walk)
{
    bodies->unread -= scan_unread(&walk->scan);
    struct walk **link = &bodies->walks;
    while (*link != walk)
        link = &(*link)->next;
    *link = walk->next;
    if (walk->due) {
        for (link = &bodies->due; *link != walk;)
            link = &(*link)->due_next;
        *link = walk->due_next;
        if (!walk->due_next)
            bodies->due_tail = link;
    }
    walk->mailbox->bodies = NULL;
    free(walk);
}

void bodies_free(struct bodies **bodies_ptr)
{
    struct bodies *bodies = *bodies_ptr;
    if (!bodies)
        return;
    account_lock(bodies->account);
    while (bodies->walks)
        forget_walk(bodies, bodies->walks);
    fail_all_locked(bodies);
    for (size_t i = 0; i < bodies->bucket_count; i++)
        while (bodies->buckets[i])
            destroy(bodies, bodies->buckets[i]);
    bodies_unlock(bodies);
    *bodies_ptr = NULL;
    spool_close(&bodies->spool);
    kept_free(&bodies->kept);
    free(bodies->buckets);
    free(bodies);
}

void bodies_message_gone_locked(struct bodies *bodies, const struct mailbox *mailbox, uint32_t uid)
{
    if (!bodies)
        return;
    /* Only the key of its own: what has an object id may lie elsewhere, too. */
    const struct kept_key key = keeping_key(mailbox, uid);
    keeping_forget_locked(bodies, &key);
    struct body *body = bodies_find_locked(bodies, mailbox->message_id, uid);
    if (!body)
        return;
    bodies_unindex_locked(bodies, body); /* what is on its way may still arrive; if not, its download tells */
    bodies_settle_locked(bodies, body);
}

/* UIDs mean other messages now: what is on its way must not be taken in. */
static void disown(struct bodies *bodies, struct body *body)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_GONE, "message %u: the mailbox was made anew", body->uid);
    err.code = IMAP_CODE_UIDVALIDITY;
    body_end_locked(bodies, body, &err);
    bodies_settle_locked(bodies, body);
}

void bodies_mailbox_reset_locked(struct bodies *bodies, const struct mailbox *mailbox)
{
    const uint32_t message_id = mailbox->message_id;
    if (!bodies || message_id == 0)
        return;
    check_mailbox_lost_locked(bodies, mailbox);
    for (size_t i = 0; i < bodies->bucket_count; i++) {
        for (struct body *body = bodies->buckets[i], *next; body; body = next) {
            next = body->hash_next;
            if (body->message_id == message_id)
                disown(bodies, body);
        }
    }
    for (struct walk *walk = bodies->walks, *next; walk; walk = next) {
        next = walk->next;
        if (walk->message_id == message_id)
            forget_walk(bodies, walk);
    }
}
