/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <stdlib.h>

#include "../imap/mem.h"

struct listing_slot {
    uint32_t dir_id;
    uint64_t generation;
};

/* The slot of dir_id, or the free one where it would go; capacity is a power of two, never full. */
static struct listing_slot *slot_of(const struct listing *listing, uint32_t dir_id)
{
    size_t mask = listing->capacity - 1;
    size_t at = (dir_id * 2654435761U) & mask;

    while (listing->slots[at].dir_id && listing->slots[at].dir_id != dir_id)
        at = (at + 1) & mask;
    return &listing->slots[at];
}

static void grow(struct listing *listing)
{
    struct listing old = *listing;

    listing->capacity = old.capacity ? old.capacity * 2 : 64;
    listing->slots = imap_xcalloc(listing->capacity, sizeof(*listing->slots));
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].dir_id)
            *slot_of(listing, old.slots[i].dir_id) = old.slots[i];
    }
    free(old.slots);
}

bool listing_find(const struct listing *listing, uint32_t dir_id, uint64_t *generation_out)
{
    if (!listing->capacity)
        return false;
    const struct listing_slot *slot = slot_of(listing, dir_id);
    if (!slot->dir_id)
        return false;
    *generation_out = slot->generation;
    return true;
}

void listing_set(struct listing *listing, uint32_t dir_id, uint64_t generation)
{
    if (listing->count * 2 >= listing->capacity)
        grow(listing);
    struct listing_slot *slot = slot_of(listing, dir_id);
    if (!slot->dir_id)
        listing->count++;
    *slot = (struct listing_slot){.dir_id = dir_id, .generation = generation};
}

void listing_fini(struct listing *listing)
{
    free(listing->slots);
    *listing = (struct listing){0};
}
