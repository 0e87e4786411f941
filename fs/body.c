/* SPDX-License-Identifier: MIT */
/*
 * Invariants:
 * 1. The size becomes known once, from a literal or a probe, and never changes after that. A server that
 *    then tells another one gets the body failed and unindexed; the next open begins anew.
 * 2. `present` holds only bytes that the spool holds. A byte that is present never changes, so readers
 *    need no lock; but for one that is in memory because the disk is full, which may be dropped (scarce.c).
 * 3. While the size is known and the body is pinned its extent stays the same. Before, there is at most
 *    a tentative one (of the claimed size), which no reader may see.
 * 4. Whoever is queued in range_waits lacks a byte of its range, or the size is not known yet.
 * 5. fate != IMAP_OK: nothing is accepted from the server, nobody is queued.
 */
#include "body_internal.h"
#include "outage.h"

#include <errno.h>
#include <stddef.h>

#define BLOCK 4096u
#define RUN_SLACK (256u << 10) /* the kernel reads ahead in several requests at once, in any order */
#define EAGER_MAX 4

static struct body_wait *range_of(struct wait *wait)
{
    return (struct body_wait *)((char *)wait - offsetof(struct body_wait, wait));
}

static uint64_t cut(const struct body *body, uint64_t offset, size_t len)
{
    if (offset >= body->size)
        return offset;
    return len < body->size - offset ? offset + len : body->size;
}

static bool has_range(const struct body *body, uint64_t offset, size_t len)
{
    return body->size_known && range_set_covers(&body->present, offset, cut(body, offset, len));
}

bool body_complete_locked(const struct body *body)
{
    return body->size_known && range_set_covers(&body->present, 0, body->size);
}

bool body_waited_for_locked(const struct body *body)
{
    return body->size_waits.first || body->range_waits.first;
}

void body_fail_locked(struct bodies *bodies, struct body *body, const struct imap_error *err)
{
    pending_finish_locked(bodies->account, &body->size_waits, err);
    pending_finish_locked(bodies->account, &body->range_waits, err);
}

static void wake_ranges(struct bodies *bodies, struct body *body)
{
    struct wait_queue ready;
    wait_queue_init(&ready);
    for (struct wait *wait = body->range_waits.first, *next; wait; wait = next) {
        next = wait->next;
        struct body_wait *range = range_of(wait);
        if (!has_range(body, range->offset, range->len))
            continue;
        wait_take(wait);
        wait_queue_add(&ready, wait);
    }
    if (ready.first)
        pending_finish_locked(bodies->account, &ready, NULL);
}

void body_end_locked(struct bodies *bodies, struct body *body, const struct imap_error *err)
{
    body->fate = err->status;
    if (body->kept)
        keeping_forget_locked(bodies, &body->key);
    body_fail_locked(bodies, body, err);
    bodies_unindex_locked(bodies, body);
}

static bool learn_anew(struct bodies *bodies, struct body *body, uint64_t size)
{
    if (body->size == size)
        return true;
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_PROTO, "message %u: the server tells two sizes, %llu and %llu", body->uid,
                   (unsigned long long)body->size, (unsigned long long)size);
    mailbox_learn_size_locked(body->mailbox, body->message_id, body->uid, size);
    body_end_locked(bodies, body, &err);
    return false;
}

/* An extent of `size` bytes, the present one if it is such. */
bool body_place_locked(struct bodies *bodies, struct body *body, uint64_t size)
{
    if (body->extent.file && body->extent.size == size)
        return true;
    struct imap_error err = {0};
    bodies_empty_locked(bodies, body);
    if (spool_alloc_locked(bodies->spool, size, &body->extent, &err) == IMAP_OK)
        return true;
    body_end_locked(bodies, body, &err);
    return false;
}

bool body_learn_size_locked(struct bodies *bodies, struct body *body, uint64_t size)
{
    if (body->size_known)
        return learn_anew(bodies, body, size) && body_place_locked(bodies, body, size);
    if (!body_place_locked(bodies, body, size))
        return false;
    body->size = size;
    body->size_known = true;
    mailbox_learn_size_locked(body->mailbox, body->message_id, body->uid, size);
    pending_finish_locked(bodies->account, &body->size_waits, NULL);
    wake_ranges(bodies, body);
    if (body->range_waits.first)
        fetcher_want_locked(bodies, body); /* beyond the piece that told the size */
    return true;
}

void body_proven_locked(struct bodies *bodies, struct body *body)
{
    range_set_add(&body->present, 0, body->size);
    if (!body->size_known) {
        body->size_known = true;
        mailbox_learn_size_locked(body->mailbox, body->message_id, body->uid, body->size);
    }
    pending_finish_locked(bodies->account, &body->size_waits, NULL);
    wake_ranges(bodies, body);
}

static void charge(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to)
{
    uint64_t charged = body->charged + ((to + BLOCK - 1) / BLOCK - from / BLOCK) * BLOCK;
    uint64_t most = (body->extent.size + BLOCK - 1) / BLOCK * BLOCK;
    if (charged > most)
        charged = most; /* blocks at the joints were counted twice */
    bodies->bytes += charged - body->charged;
    body->charged = charged;
}

void body_arrived_locked(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to, bool in_memory)
{
    if (in_memory)
        scarce_arrived_locked(body, from, to);
    if (range_set_add(&body->present, from, to) == 0)
        return;
    if (!in_memory)
        charge(bodies, body, from, to);
    if (body->range_waits.first)
        wake_ranges(bodies, body);
    bodies_trim_locked(bodies);
}

static void count_open(struct bodies *bodies, const struct body *body)
{
    if (body->ticket.cursor)
        bodies->stats.ahead++;
    else if (body_complete_locked(body))
        bodies->stats.found++;
    else
        bodies->stats.asked++;
}

struct body *body_pin_locked(struct mailbox *mailbox, const struct message *message)
{
    struct bodies *bodies = mailbox_account(mailbox)->bodies;
    struct body *body = bodies_get_locked(bodies, mailbox, message);
    body->pins++;
    bodies_settle_locked(bodies, body);
    return body;
}

void body_use_locked(struct body *body)
{
    struct bodies *bodies = mailbox_account(body->mailbox)->bodies;
    bool hit = body->whole_underway || body->pieces || bodies_hold_any(body);
    count_open(bodies, body);
    if (!hit && !(body->size_known && fetcher_by_pieces(body)))
        fetcher_want_locked(bodies, body); /* ahead of what is fetched ahead because of it */
    if (body->unproven && body->size > BODY_WHOLE_MAX)
        check_locked(bodies, body);
    fetcher_access_locked(bodies, body, hit);
}

struct body *body_open_locked(struct mailbox *mailbox, const struct message *message)
{
    struct body *body = body_pin_locked(mailbox, message);
    body_use_locked(body);
    return body;
}

struct body *body_hold_ahead_locked(struct mailbox *mailbox, uint32_t uid)
{
    struct bodies *bodies = mailbox_account(mailbox)->bodies;
    struct message message;
    if (!mailbox_find_locked(mailbox, uid, &message) || message.size_corrected)
        return NULL;
    struct body *body = bodies_find_locked(bodies, mailbox_message_id_locked(mailbox), uid);
    if (!body || !body->ticket.cursor || body->pins || !body_complete_locked(body))
        return NULL;
    body->pins++;
    bodies_settle_locked(bodies, body);
    return body;
}

void body_close_locked(struct body *body)
{
    struct bodies *bodies = mailbox_account(body->mailbox)->bodies;
    if (body->size > BODY_WHOLE_MAX && body->run_to > 0) {
        bool to_the_end = body->run_from == 0 && body->size_known && body->run_to >= body->size;
        bodies->eager = !to_the_end ? 0 : bodies->eager < EAGER_MAX ? bodies->eager + 1 : EAGER_MAX;
    }
    body->pins--;
    bodies_settle_locked(bodies, body);
    bodies_trim_locked(bodies);
}

/* True when it can be waited for; otherwise the wait has been refused. */
static bool may_wait(struct bodies *bodies, struct body *body, struct wait *wait)
{
    if (body->fate == IMAP_OK)
        return true;
    struct imap_error err = {0};
    imap_error_set(&err, body->fate, "message %u is not to be had any more", body->uid);
    pending_refuse_locked(bodies->account, wait, &err);
    return false;
}

/* Better refused when it is opened than when it is read, of which the kernel makes EIO. */
static bool out_of_reach(const struct bodies *bodies, const struct body *body)
{
    return account_is_out_locked(bodies->account) && !bodies_hold_any(body);
}

bool body_size_known_locked(struct body *body, struct wait *wait)
{
    struct bodies *bodies = mailbox_account(body->mailbox)->bodies;
    if (body->size_known && !out_of_reach(bodies, body))
        return true;
    if (may_wait(bodies, body, wait)) {
        wait_queue_add(&body->size_waits, wait);
        fetcher_want_locked(bodies, body);
    }
    return false;
}

uint64_t body_size_locked(const struct body *body)
{
    return body->size;
}

static void follow_reader(struct body *body, uint64_t from, uint64_t to)
{
    if (from > body->run_to + RUN_SLACK || to + RUN_SLACK < body->run_to) {
        body->run_from = from;
        body->run_to = to;
    } else if (to > body->run_to) {
        body->run_to = to;
    }
}

bool body_available_locked(struct body *body, uint64_t offset, size_t len, struct body_wait *wait)
{
    struct bodies *bodies = mailbox_account(body->mailbox)->bodies;
    bool large = body->size > BODY_WHOLE_MAX;
    if (large && offset < body->size)
        follow_reader(body, offset, cut(body, offset, len));
    bool available = has_range(body, offset, len);
    if (!available && may_wait(bodies, body, &wait->wait)) {
        wait->offset = offset;
        wait->len = len;
        wait_queue_add(&body->range_waits, &wait->wait);
    }
    if ((large || !available) && body->fate == IMAP_OK)
        fetcher_want_locked(bodies, body);
    return available;
}

ssize_t body_read(struct body *body, void *buf, size_t size, uint64_t offset)
{
    if (size == 0 || offset >= body->size)
        return 0;
    if (atomic_load(&body->scarce))
        return scarce_read(body, buf, size, offset);
    return body->extent.file ? extent_read(&body->extent, offset, buf, size) : -EIO;
}
