/* SPDX-License-Identifier: MIT */
/*
 * Invariants:
 * 1. entries[0..count) have no gaps; slots is a hash table with linear probing of their positions plus one.
 * 2. bytes is the sum of all entries' blocks.
 * 3. victims[next_victim..victim_count) were the oldest when they were chosen, in the order of their use. A
 *    use raises the rank, so one whose rank is another now is none any more, and no other entry is older
 *    (but for those that somebody used then).
 */
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"

#define SLOTS_MIN 1024u
#define VICTIMS_MIN 64u
#define VICTIMS_SHARE 32u /* of all: chosen at a time, which costs a look at each */
#define BINS 1024u

_Static_assert(sizeof(struct kept_entry) == 48, "a million of them must be bearable");

struct victim {
    struct kept_key key;
    uint32_t rank;
};

struct kept {
    struct kept_entry *entries;
    size_t count, capacity;
    uint32_t *slots;
    size_t slot_count;
    uint64_t bytes;
    uint32_t clock; /* the last rank given out: begins as the minute, so above all earlier mounts' */
    struct victim *victims;
    size_t victim_count, next_victim;
};

uint64_t kept_space(uint64_t size)
{
    return (size + KEPT_BLOCK - 1) / KEPT_BLOCK * KEPT_BLOCK;
}

struct kept *kept_new(void)
{
    struct kept *kept = imap_xcalloc(1, sizeof *kept);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    kept->clock = (uint32_t)(now.tv_sec / 60);
    return kept;
}

void kept_free(struct kept **kept_in)
{
    struct kept *kept = *kept_in;
    *kept_in = NULL;
    if (!kept)
        return;
    free(kept->entries);
    free(kept->slots);
    free(kept->victims);
    free(kept);
}

size_t kept_count(const struct kept *kept)
{
    return kept->count;
}

uint64_t kept_bytes(const struct kept *kept)
{
    return kept->bytes;
}

size_t kept_memory(const struct kept *kept)
{
    return sizeof *kept + kept->capacity * sizeof *kept->entries + kept->slot_count * sizeof *kept->slots +
           kept->victim_count * sizeof *kept->victims;
}

struct kept_entry *kept_at(const struct kept *kept, size_t position)
{
    return &kept->entries[position];
}

/* ---- finding ---------------------------------------------------------------------------------------- */

static size_t home_of(const struct kept *kept, const struct kept_key *key)
{
    uint64_t hash = (key->high ^ key->low * UINT64_C(0xC2B2AE3D27D4EB4F)) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32 ^ hash >> 15) & (kept->slot_count - 1);
}

static bool same(const struct kept_key *one, const struct kept_key *other)
{
    return one->high == other->high && one->low == other->low;
}

/* The slot of the key, or the free one where it would be. */
static uint32_t *slot_of(const struct kept *kept, const struct kept_key *key)
{
    size_t slot = home_of(kept, key);
    while (kept->slots[slot] && !same(&kept->entries[kept->slots[slot] - 1].key, key))
        slot = (slot + 1) & (kept->slot_count - 1);
    return &kept->slots[slot];
}

static void grow_slots(struct kept *kept)
{
    free(kept->slots);
    kept->slot_count = kept->slot_count ? 2 * kept->slot_count : SLOTS_MIN;
    kept->slots = imap_xcalloc(kept->slot_count, sizeof *kept->slots);
    for (size_t i = 0; i < kept->count; i++)
        *slot_of(kept, &kept->entries[i].key) = (uint32_t)i + 1;
}

/* Frees the slot, and closes the gap so that what was probed past it is still found. */
static void free_slot(struct kept *kept, size_t gap)
{
    const size_t mask = kept->slot_count - 1;
    for (size_t at = (gap + 1) & mask; kept->slots[at]; at = (at + 1) & mask) {
        const size_t home = home_of(kept, &kept->entries[kept->slots[at] - 1].key);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* its home lies behind the gap */
        kept->slots[gap] = kept->slots[at];
        gap = at;
    }
    kept->slots[gap] = 0;
}

struct kept_entry *kept_any(const struct kept *kept, const struct kept_key *key)
{
    const uint32_t position = kept->count ? *slot_of(kept, key) : 0;
    return position ? &kept->entries[position - 1] : NULL;
}

struct kept_entry *kept_find(const struct kept *kept, const struct kept_key *key)
{
    struct kept_entry *entry = kept_any(kept, key);
    return entry && !entry->doomed ? entry : NULL;
}

/* ---- coming and going ------------------------------------------------------------------------------- */

static struct kept_entry *add(struct kept *kept, const struct kept_row *row, uint32_t rank)
{
    if (row->size > KEPT_SIZE_MAX || row->offset > KEPT_OFFSET_MAX || row->offset % KEPT_BLOCK ||
        kept->count >= UINT32_MAX / 2 || kept_any(kept, &row->key))
        return NULL;
    if (!kept->entries || kept->count == kept->capacity) {
        /* Large blocks are moved by the kernel, and what is not used yet costs nothing. */
        kept->capacity = kept->capacity ? kept->capacity + kept->capacity / 2 : 256;
        kept->entries = imap_xreallocarray(kept->entries, kept->capacity, sizeof *kept->entries);
    }
    if (4 * (kept->count + 1) > 3 * kept->slot_count)
        grow_slots(kept);
    struct kept_entry *entry = &kept->entries[kept->count];
    *entry = (struct kept_entry){.key = row->key,
                                 .digest = row->digest,
                                 .size = row->size,
                                 .block = row->offset / KEPT_BLOCK,
                                 .file = row->file,
                                 .rank = rank,
                                 .told = row->used};
    *slot_of(kept, &row->key) = (uint32_t)++kept->count;
    kept->bytes += kept_space(row->size);
    return entry;
}

uint32_t kept_clock(struct kept *kept)
{
    return kept->clock == UINT32_MAX ? UINT32_MAX : ++kept->clock;
}

struct kept_entry *kept_put(struct kept *kept, const struct kept_row *row)
{
    return add(kept, row, kept_clock(kept));
}

struct kept_entry *kept_load(struct kept *kept, const struct kept_row *row)
{
    struct kept_row past = *row;
    if (past.used > kept->clock)
        past.used = kept->clock; /* the wall clock was set back */
    return add(kept, &past, past.used);
}

void kept_drop(struct kept *kept, struct kept_entry *entry)
{
    kept->bytes -= kept_space(entry->size);
    free_slot(kept, (size_t)(slot_of(kept, &entry->key) - kept->slots));
    struct kept_entry *last = &kept->entries[kept->count - 1];
    if (entry != last) {
        *slot_of(kept, &last->key) = (uint32_t)(entry - kept->entries) + 1;
        *entry = *last;
    }
    kept->count--;
}

struct kept_row kept_row_of(const struct kept_entry *entry)
{
    return (struct kept_row){.key = entry->key,
                             .file = entry->file,
                             .offset = (uint64_t)entry->block * KEPT_BLOCK,
                             .size = entry->size,
                             .digest = entry->digest,
                             .used = entry->told};
}

/* ---- the order of use ------------------------------------------------------------------------------- */

void kept_touch(struct kept *kept, struct kept_entry *entry)
{
    entry->rank = kept_clock(kept);
}

struct range {
    uint32_t low, width; /* of ranks: of the first bin, of each */
};

static bool idle(const struct kept_entry *entry)
{
    return !entry->users && !entry->doomed;
}

static struct range range_of_ranks(const struct kept *kept)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < kept->count; i++) {
        if (!idle(&kept->entries[i]))
            continue;
        if (kept->entries[i].rank < low)
            low = kept->entries[i].rank;
        if (kept->entries[i].rank > high)
            high = kept->entries[i].rank;
    }
    return (struct range){low, low < high ? (high - low) / BINS + 1 : 1};
}

/* How many of the oldest bins have `want` entries together; those of all but the last go to *before_out. */
static uint32_t bins_for(const struct kept *kept, struct range range, size_t want, size_t *before_out)
{
    size_t bins[BINS] = {0}, sum = 0;
    for (size_t i = 0; i < kept->count; i++)
        if (idle(&kept->entries[i]))
            bins[(kept->entries[i].rank - range.low) / range.width]++;
    uint32_t last = 0;
    for (; last < BINS - 1 && sum + bins[last] < want; last++)
        sum += bins[last];
    *before_out = sum;
    return last;
}

static int by_rank(const void *one, const void *other)
{
    const struct victim *a = one, *b = other;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static void choose_victims(struct kept *kept)
{
    const size_t want = kept->count / VICTIMS_SHARE > VICTIMS_MIN ? kept->count / VICTIMS_SHARE : VICTIMS_MIN;
    const struct range range = range_of_ranks(kept);
    size_t before = 0, capacity = want;
    const uint32_t last = bins_for(kept, range, want, &before);
    /* All of the last bin; but where it is a single minute, whose uses are all the same, no more than wanted. */
    size_t of_last = range.width > 1 ? SIZE_MAX : want - before;
    free(kept->victims);
    kept->victims = imap_xreallocarray(NULL, capacity, sizeof *kept->victims);
    kept->victim_count = kept->next_victim = 0;
    for (size_t i = 0; i < kept->count; i++) {
        const struct kept_entry *entry = &kept->entries[i];
        if (!idle(entry))
            continue;
        const uint32_t bin = (entry->rank - range.low) / range.width;
        if (bin > last || (bin == last && !of_last))
            continue;
        of_last -= bin == last;
        if (kept->victim_count == capacity) {
            capacity *= 2;
            kept->victims = imap_xreallocarray(kept->victims, capacity, sizeof *kept->victims);
        }
        kept->victims[kept->victim_count++] = (struct victim){entry->key, entry->rank};
    }
    qsort(kept->victims, kept->victim_count, sizeof *kept->victims, by_rank);
}

static struct kept_entry *next_victim(struct kept *kept)
{
    for (; kept->next_victim < kept->victim_count; kept->next_victim++) {
        const struct victim *victim = &kept->victims[kept->next_victim];
        struct kept_entry *entry = kept_find(kept, &victim->key);
        if (entry && !entry->users && entry->rank == victim->rank)
            return entry;
    }
    return NULL;
}

struct kept_entry *kept_oldest(struct kept *kept)
{
    struct kept_entry *entry = next_victim(kept);
    if (entry || !kept->count)
        return entry;
    choose_victims(kept);
    return next_victim(kept);
}
