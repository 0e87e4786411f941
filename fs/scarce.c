/* SPDX-License-Identifier: MIT */
/*
 * scarce: reading goes on while the disk is full, and what cannot be evicted is in use.
 *
 * What comes then lies in memory, within SCARCE_MAX for all bodies together, and is gone when the body is
 * closed. A message that is larger is read as through a window: what lies well behind its reader is dropped
 * where room is needed, and fetched again should somebody go back.
 *
 * Invariants:
 * 1. `present` of the part in memory is a subset of the body's; a byte is there or on disk, never both.
 * 2. Nothing is dropped where somebody is reading from the part, where a wait or a download may need it, or of
 *    a message that comes in one: so what is written is not punched before it is marked.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "../imap/mem.h"
#include "body_internal.h"

#define BEHIND (UINT64_C(1) << 20) /* left behind a reader: the kernel asks in any order */

static uint64_t blocks_down(uint64_t at)
{
    return at / KEPT_BLOCK * KEPT_BLOCK;
}

/* Somebody who reads from `from` on, without the lock. */
struct scarce_reader {
    struct scarce_reader *next;
    uint64_t from;
};

static uint64_t behind_readers(const struct body *body, const struct scarce *scarce)
{
    uint64_t limit = body->run_to > BEHIND ? body->run_to - BEHIND : 0;
    if (body->whole_underway)
        return 0;
    for (const struct wait *wait = body->range_waits.first; wait; wait = wait->next)
        if (((const struct body_wait *)wait)->offset < limit) /* its first member */
            limit = ((const struct body_wait *)wait)->offset;
    for (const struct scarce_reader *reader = scarce->readers; reader; reader = reader->next)
        if (reader->from < limit)
            limit = reader->from;
    for (const struct download *piece = body->pieces; piece; piece = piece->next_piece)
        if (piece->from < limit)
            limit = piece->from;
    return blocks_down(limit);
}

static void drop_behind(struct bodies *bodies, struct scarce *scarce)
{
    const uint64_t limit = behind_readers(scarce->body, scarce);
    for (uint64_t at = 0; (at = range_set_next(&scarce->present, at)) < limit;) {
        const uint64_t end = range_set_end(&scarce->present, at), to = end < limit ? end : limit;
        range_set_remove(&scarce->body->present, at, to);
        at = to;
    }
    range_set_remove(&scarce->present, 0, limit);
    bodies->scarce_bytes -= range_set_remove(&scarce->blocks, 0, limit);
    extent_punch(&scarce->extent, 0, limit);
}

static struct scarce *scarce_of(struct bodies *bodies, struct body *body)
{
    struct scarce *scarce = atomic_load(&body->scarce);
    if (scarce)
        return scarce;
    scarce = imap_xcalloc(1, sizeof *scarce);
    if (spool_alloc_memory_locked(bodies->spool, body->extent.size, &scarce->extent, NULL) != IMAP_OK) {
        free(scarce);
        return NULL;
    }
    scarce->body = body;
    scarce->next = bodies->scarce;
    bodies->scarce = scarce;
    atomic_store(&body->scarce, scarce);
    return scarce;
}

bool scarce_reserve_locked(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to)
{
    from = blocks_down(from);
    to = kept_space(to);
    struct scarce *other = bodies->scarce;
    for (; other && bodies->scarce_bytes + (to - from) > SCARCE_MAX; other = other->next)
        drop_behind(bodies, other);
    if (bodies->scarce_bytes + (to - from) > SCARCE_MAX)
        return false;
    struct scarce *scarce = scarce_of(bodies, body);
    if (scarce)
        bodies->scarce_bytes += range_set_add(&scarce->blocks, from, to);
    return scarce != NULL;
}

void scarce_arrived_locked(struct body *body, uint64_t from, uint64_t to)
{
    range_set_add(&atomic_load(&body->scarce)->present, from, to);
}

void scarce_drop_locked(struct bodies *bodies, struct body *body)
{
    struct scarce *scarce = atomic_load(&body->scarce), **link = &bodies->scarce;
    if (!scarce)
        return;
    atomic_store(&body->scarce, NULL);
    while (*link != scarce)
        link = &(*link)->next;
    *link = scarce->next;
    bodies->scarce_bytes -= range_set_remove(&scarce->blocks, 0, UINT64_MAX);
    spool_release_locked(bodies->spool, &scarce->extent);
    range_set_fini(&scarce->present);
    range_set_fini(&scarce->blocks);
    free(scarce);
}

/* ---- reading: a plan under the lock, then the reading, and nothing is dropped meanwhile -------------- */

#define PARTS 16 /* stretches of disk and memory in turn; a read of more is short of nothing but a retry */

struct part {
    const struct extent *extent;
    uint64_t from, to;
};

static unsigned plan(const struct body *body, struct scarce *scarce, uint64_t from, uint64_t to,
                     struct part parts[PARTS])
{
    unsigned count = 0;
    if (!range_set_covers(&body->present, from, to))
        return 0;
    while (from < to && count < PARTS) {
        uint64_t end = range_set_end(&scarce->present, from);
        const bool in_memory = end > from;
        if (!in_memory)
            end = range_set_next(&scarce->present, from);
        if (end > to)
            end = to;
        parts[count++] = (struct part){in_memory ? &scarce->extent : &body->extent, from, end};
        from = end;
    }
    return from < to ? 0 : count;
}

static ssize_t read_parts(const struct part *parts, unsigned count, char *buf)
{
    ssize_t done = 0;
    for (unsigned i = 0; i < count; i++) {
        const size_t size = (size_t)(parts[i].to - parts[i].from);
        const ssize_t n = extent_read(parts[i].extent, parts[i].from, buf + done, size);
        if (n != (ssize_t)size)
            return n < 0 ? n : -EIO;
        done += n;
    }
    return done;
}

ssize_t scarce_read(struct body *body, void *buf, size_t size, uint64_t offset)
{
    struct account *account = mailbox_account(body->mailbox);
    struct part parts[PARTS];
    const uint64_t to = size < body->size - offset ? offset + size : body->size;
    account_lock(account);
    struct scarce *scarce = atomic_load(&body->scarce);
    const unsigned count = plan(body, scarce, offset, to, parts);
    struct scarce_reader reader = {scarce->readers, offset}, **link = &scarce->readers;
    scarce->readers = &reader;
    account_unlock(account);
    const ssize_t n = count ? read_parts(parts, count, buf) : -EAGAIN;
    account_lock(account);
    while (*link != &reader)
        link = &(*link)->next;
    *link = reader.next;
    account_unlock(account);
    return n;
}
