/* SPDX-License-Identifier: MIT */
/*
 * range: which parts of something are there, as a small sorted array of byte ranges.
 *
 * The usual case, one range growing at its end, needs no allocation. All zeroes is the empty set.
 * Ranges are half open, disjoint and not adjacent. Threads: plain values, the owner's lock.
 */
#ifndef FS_RANGE_H
#define FS_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_range {
    uint64_t from, to;
};

struct range_set {
    struct byte_range *many; /* NULL: only `one` is in use */
    struct byte_range one;
    uint32_t count, capacity;
};

void range_set_fini(struct range_set *set);
/* Returns how many bytes of [from, to) were not there before. */
uint64_t range_set_add(struct range_set *set, uint64_t from, uint64_t to);
/* Returns how many bytes of it were there. */
uint64_t range_set_remove(struct range_set *set, uint64_t from, uint64_t to);
bool range_set_covers(const struct range_set *set, uint64_t from, uint64_t to);
/* How far the bytes from `at` on are there without a gap: `at` itself when not even the first is. */
uint64_t range_set_end(const struct range_set *set, uint64_t at);
/* The first byte at or after `at` that is there; UINT64_MAX when none is. */
uint64_t range_set_next(const struct range_set *set, uint64_t at);

#endif
