/* SPDX-License-Identifier: MIT */
/*
 * What is asked for, and when:
 * - A message of up to BODY_WHOLE_MAX (as claimed) is asked for whole; its literal tells the true size.
 * - A larger one comes by pieces, so that looking at its head or tail stays cheap: the first is small,
 *   the following ones are as long as what was read without a jump before them. With the first goes a
 *   probe of the last byte, which proves the claimed size in the same round trip.
 * - Whoever reads a large one on and on gets several pieces in flight, so that it costs round trips only
 *   while it is being recognised.
 * - Walks through a mailbox (scan.h) are fetched ahead in batches, as many bytes in flight as the line
 *   carries within AHEAD_SLOW_MS (download.c measures): more would only delay what is wanted now.
 * Nothing that is here or on its way is asked for again.
 */
#include "body_internal.h"

#include <stdlib.h>

#include "../imap/mem.h"
#include "outage.h"

#define PIECE_MIN (UINT64_C(64) << 10)
#define PIECE_MAX (UINT64_C(4) << 20)
#define READ_AHEAD_FROM (UINT64_C(256) << 10) /* read without a jump; `head` stays below it */
#define READ_AHEAD_MAX (UINT64_C(16) << 20)
#define READ_AHEAD_GROWTH 4
#define BATCH_BYTES (UINT64_C(512) << 10)
#define AHEAD_STEPS 256 /* messages looked at while the lock is held */
#define EXPIRE_MS 1000
#define SIZE_UNTOLD 8192u /* expected of a message whose size the server claims to be 0 */

bool fetcher_by_pieces(const struct body *body)
{
    return body->size > BODY_WHOLE_MAX && !body->whole_only;
}

static uint64_t weight_of(const struct body *body)
{
    return body->size ? body->size : SIZE_UNTOLD;
}

static void want_whole(struct bodies *bodies, struct body *body)
{
    if (body->whole_underway || body_complete_locked(body))
        return;
    struct download *download = download_new(bodies, body->mailbox, 1);
    download->whole = true;
    download_add_locked(download, body, weight_of(body));
    download_submit_locked(download, IMAP_POOL_URGENT);
}

static void ask_piece(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to, unsigned flags)
{
    struct download *download = download_new(bodies, body->mailbox, 1);
    download->from = from;
    download->to = to;
    download->probe = body->size_known ? 0 : body->size - 1;
    download_add_locked(download, body, to - from);
    download_submit_locked(download, flags);
}

static uint64_t first_piece(const struct bodies *bodies, const struct body *body)
{
    uint64_t length = bodies->eager ? PIECE_MAX : PIECE_MIN;
    return length < body->size ? length : body->size;
}

/* The first byte from `at` on that is neither here nor on its way. */
static uint64_t next_missing(const struct body *body, uint64_t at)
{
    for (bool moved = true; moved;) {
        at = range_set_end(&body->present, at);
        moved = false;
        for (const struct download *piece = body->pieces; piece; piece = piece->next_piece) {
            if (piece->from <= at && at < piece->to) {
                at = piece->to;
                moved = true;
            }
        }
    }
    return at;
}

/* Where the gap that begins at `at` ends, at the latest at `limit`. */
static uint64_t gap_end(const struct body *body, uint64_t at, uint64_t limit)
{
    uint64_t present = range_set_next(&body->present, at);
    if (present < limit)
        limit = present;
    for (const struct download *piece = body->pieces; piece; piece = piece->next_piece)
        if (piece->from > at && piece->from < limit)
            limit = piece->from;
    return limit;
}

static uint64_t piece_length(const struct body *body)
{
    uint64_t run = body->run_to - body->run_from;
    if (run <= PIECE_MIN)
        return PIECE_MIN;
    return run < PIECE_MAX ? (run + PIECE_MIN - 1) / PIECE_MIN * PIECE_MIN : PIECE_MAX;
}

static void ask_range(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to, unsigned flags)
{
    if (to > body->size)
        to = body->size;
    for (from = next_missing(body, from); from < to; from = next_missing(body, from)) {
        uint64_t length = piece_length(body), limit = body->size;
        if (length < limit - from)
            limit = from + length;
        ask_piece(bodies, body, from, gap_end(body, from, limit), flags);
    }
}

static void read_ahead(struct bodies *bodies, struct body *body)
{
    uint64_t run = body->run_to - body->run_from;
    if (run < READ_AHEAD_FROM || body->run_to >= body->size)
        return;
    uint64_t window = run < READ_AHEAD_MAX / READ_AHEAD_GROWTH ? run * READ_AHEAD_GROWTH : READ_AHEAD_MAX;
    uint64_t asked = next_missing(body, body->run_to);
    if (asked < body->size && asked - body->run_to < window / 2)
        ask_range(bodies, body, body->run_to, body->run_to + window, 0);
}

static void want_pieces(struct bodies *bodies, struct body *body)
{
    if (body->whole_underway)
        return;
    if (!body->size_known) {
        if (!body->pieces)
            ask_piece(bodies, body, 0, first_piece(bodies, body), IMAP_POOL_URGENT);
        return;
    }
    for (struct wait *wait = body->range_waits.first; wait; wait = wait->next) {
        const struct body_wait *range = (const struct body_wait *)wait; /* its first member */
        if (range->offset >= body->size)
            continue;
        uint64_t left = body->size - range->offset;
        ask_range(bodies, body, range->offset, range->offset + (range->len < left ? range->len : left),
                  IMAP_POOL_URGENT);
    }
    read_ahead(bodies, body);
}

void fetcher_want_locked(struct bodies *bodies, struct body *body)
{
    if (bodies->stopped || body->fate != IMAP_OK)
        return;
    if (body->unproven) {
        check_locked(bodies, body);
        return;
    }
    if (account_is_out_locked(bodies->account)) {
        imap_pool_hurry(bodies->pool);
        body_fail_locked(bodies, body, &bodies->account->outage);
        return;
    }
    if (fetcher_by_pieces(body))
        want_pieces(bodies, body);
    else
        want_whole(bodies, body);
}

/* ---- walks ---------------------------------------------------------------------------------------- */

static bool next_message(void *arg, uint32_t after, struct scan_message *message_out)
{
    const struct mailbox *mailbox = arg;
    size_t count, position = after == UINT32_MAX ? SIZE_MAX : mailbox_position_locked(mailbox, after + 1);
    const uint32_t *uids = mailbox_uids_locked(mailbox, &count);
    if (position >= count)
        return false;
    *message_out = (struct scan_message){.uid = uids[position]};
    return true;
}

static struct walk *walk_of(struct bodies *bodies, struct mailbox *mailbox)
{
    struct walk *walk = mailbox->bodies;
    if (!walk) {
        walk = mailbox->bodies = imap_xcalloc(1, sizeof *walk);
        walk->mailbox = mailbox;
        walk->message_id = mailbox_message_id_locked(mailbox);
        scan_init(&walk->scan, bodies->cache_size / 2, ++bodies->epoch);
        walk->next = bodies->walks;
        bodies->walks = walk;
    }
    return walk;
}

/* What a scan function has changed in the sum over all walks. */
static void recount(struct bodies *bodies, const struct walk *walk, uint64_t before)
{
    bodies->unread += scan_unread(&walk->scan) - before;
}

static void make_due(struct bodies *bodies, struct walk *walk)
{
    if (walk->due)
        return;
    walk->due = true;
    walk->due_next = NULL;
    *bodies->due_tail = walk;
    bodies->due_tail = &walk->due_next;
}

static void drop_due(struct bodies *bodies)
{
    struct walk *walk = bodies->due;
    walk->due = false;
    bodies->due = walk->due_next;
    if (!bodies->due)
        bodies->due_tail = &bodies->due;
}

void fetcher_ticket_drop_locked(struct bodies *bodies, struct body *body)
{
    struct walk *walk = body->ticket.cursor ? body->mailbox->bodies : NULL;
    if (walk) {
        uint64_t before = scan_unread(&walk->scan);
        scan_forget(&walk->scan, body->ticket);
        recount(bodies, walk, before);
    }
    body->ticket = (struct scan_ticket){0};
}

void fetcher_access_locked(struct bodies *bodies, struct body *body, bool hit)
{
    if (!body->indexed || bodies->stopped)
        return;
    struct walk *walk = walk_of(bodies, body->mailbox);
    const struct scan_source source = {next_message, body->mailbox};
    uint64_t before = scan_unread(&walk->scan);
    bool more = scan_access(&walk->scan, &source, body->uid, body->ticket, hit, model_now_ms());
    recount(bodies, walk, before);
    body->ticket = (struct scan_ticket){0};
    if (more)
        make_due(bodies, walk);
    fetcher_ahead_locked(bodies);
}

/* What was fetched ahead for walks that ended early must not count for ever. */
static void expire_walks(struct bodies *bodies)
{
    int64_t now_ms = model_now_ms();
    if (now_ms - bodies->expired_ms < EXPIRE_MS)
        return;
    bodies->expired_ms = now_ms;
    for (struct walk *walk = bodies->walks; walk; walk = walk->next) {
        uint64_t before = scan_unread(&walk->scan);
        (void)scan_expire(&walk->scan, now_ms);
        recount(bodies, walk, before);
    }
}

/* Where the next batch of a walk is put together. */
struct batch {
    struct bodies *bodies;
    struct download *download;
};

static void batch_send(struct batch *batch)
{
    if (batch->download)
        download_submit_locked(batch->download, 0);
    batch->download = NULL;
}

static struct download *ahead_download(struct bodies *bodies, struct mailbox *mailbox, size_t capacity)
{
    struct download *download = download_new(bodies, mailbox, capacity);
    download->ahead = true;
    return download;
}

static uint64_t batch_add(struct batch *batch, struct body *body)
{
    if (fetcher_by_pieces(body)) {
        struct download *piece = ahead_download(batch->bodies, body->mailbox, 1);
        piece->to = first_piece(batch->bodies, body);
        piece->probe = body->size_known ? 0 : body->size - 1;
        uint64_t length = piece->to;
        download_add_locked(piece, body, length);
        download_submit_locked(piece, 0);
        return length;
    }
    if (!batch->download) {
        batch->download = ahead_download(batch->bodies, body->mailbox, DOWNLOAD_BODIES_MAX);
        batch->download->whole = true;
    }
    download_add_locked(batch->download, body, weight_of(body));
    if (batch->download->count == DOWNLOAD_BODIES_MAX || batch->download->weight >= BATCH_BYTES)
        batch_send(batch);
    return weight_of(body);
}

static bool on_its_way_or_here(const struct body *body)
{
    return body->whole_underway || body->pieces || bodies_hold_any(body);
}

static void fetch_ahead(struct batch *batch, struct walk *walk, uint32_t uid, unsigned cursor)
{
    struct bodies *bodies = batch->bodies;
    struct message message;
    if (!mailbox_find_locked(walk->mailbox, uid, &message))
        return;
    struct body *body = bodies_get_locked(bodies, walk->mailbox, &message);
    if (on_its_way_or_here(body) || body->alone || body_waited_for_locked(body)) {
        bodies_settle_locked(bodies, body);
        return;
    }
    fetcher_ticket_drop_locked(bodies, body);
    uint64_t before = scan_unread(&walk->scan);
    body->ticket = scan_charge(&walk->scan, cursor, batch_add(batch, body));
    recount(bodies, walk, before);
}

void fetcher_ahead_locked(struct bodies *bodies)
{
    if (bodies->stopped || bodies->full_until > model_now_ms() || account_is_out_locked(bodies->account))
        return;
    if (bodies->unread >= bodies->cache_size / 2)
        expire_walks(bodies);
    struct batch batch = {.bodies = bodies};
    for (unsigned steps = 0; bodies->due && steps < AHEAD_STEPS; steps++) {
        uint64_t planned = batch.download ? batch.download->weight : 0;
        if (bodies->ahead + planned >= bodies->ahead_max || bodies->unread >= bodies->cache_size / 2)
            break;
        struct walk *walk = bodies->due;
        const struct scan_source source = {next_message, walk->mailbox};
        struct scan_message message;
        unsigned cursor;
        if (scan_next(&walk->scan, &source, &message, &cursor)) {
            fetch_ahead(&batch, walk, message.uid, cursor);
        } else {
            batch_send(&batch);
            drop_due(bodies);
        }
    }
    batch_send(&batch);
}
