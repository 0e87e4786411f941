/* SPDX-License-Identifier: MIT */
/*
 * listing: which state of each directory the kernel's cached listing may show.
 *
 * The kernel keeps a directory's listing as long as opendir says so. It may, when nothing visible has
 * changed since the opendir after which the kernel read that listing. Guarded by the account lock.
 */
#ifndef FS_LISTING_H
#define FS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listing {
    struct listing_slot *slots; /* open addressing by dir_id, 0: free */
    size_t count, capacity;
};

/* False when the kernel cannot have a listing of this directory. */
bool listing_find(const struct listing *listing, uint32_t dir_id, uint64_t *generation_out);
void listing_set(struct listing *listing, uint32_t dir_id, uint64_t generation);
void listing_fini(struct listing *listing);

#endif
