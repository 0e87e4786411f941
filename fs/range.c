/* SPDX-License-Identifier: MIT */
#include "range.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"

static const struct byte_range *items(const struct range_set *set)
{
    return set->many ? set->many : &set->one;
}

/* The first range that ends at or after `at` (so it holds `at`, touches it, or lies behind it). */
static uint32_t locate(const struct range_set *set, uint64_t at)
{
    const struct byte_range *ranges = items(set);
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges[middle].to < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct byte_range *make_room(struct range_set *set)
{
    if (set->count == 0 && !set->many)
        return &set->one;
    if (set->count >= set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 4;
        struct byte_range *many = imap_xreallocarray(set->many, capacity, sizeof *many);
        if (!set->many)
            many[0] = set->one;
        set->many = many;
        set->capacity = capacity;
    }
    return set->many;
}

void range_set_fini(struct range_set *set)
{
    free(set->many);
    *set = (struct range_set){0};
}

uint64_t range_set_add(struct range_set *set, uint64_t from, uint64_t to)
{
    if (from >= to)
        return 0;
    uint32_t at = locate(set, from), end = at;
    struct byte_range *ranges = set->many ? set->many : &set->one;
    struct byte_range merged = {from, to};
    uint64_t before = 0;
    while (end < set->count && ranges[end].from <= to) {
        before += ranges[end].to - ranges[end].from;
        if (ranges[end].from < merged.from)
            merged.from = ranges[end].from;
        if (ranges[end].to > merged.to)
            merged.to = ranges[end].to;
        end++;
    }
    if (end == at) {
        ranges = make_room(set);
        memmove(ranges + at + 1, ranges + at, (set->count - at) * sizeof *ranges);
        set->count++;
    } else if (end > at + 1) {
        memmove(ranges + at + 1, ranges + end, (set->count - end) * sizeof *ranges);
        set->count -= end - at - 1;
    }
    ranges[at] = merged;
    return merged.to - merged.from - before;
}

uint64_t range_set_remove(struct range_set *set, uint64_t from, uint64_t to)
{
    struct range_set rest = {0};
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct byte_range *range = &items(set)[i];
        before += range->to - range->from;
        after += range_set_add(&rest, range->from, range->to < from ? range->to : from);
        after += range_set_add(&rest, range->from > to ? range->from : to, range->to);
    }
    range_set_fini(set);
    *set = rest;
    return before - after;
}

bool range_set_covers(const struct range_set *set, uint64_t from, uint64_t to)
{
    return from >= to || range_set_end(set, from) >= to;
}

uint64_t range_set_end(const struct range_set *set, uint64_t at)
{
    const struct byte_range *ranges = items(set);
    uint32_t i = locate(set, at);
    return i < set->count && ranges[i].from <= at ? ranges[i].to : at;
}

uint64_t range_set_next(const struct range_set *set, uint64_t at)
{
    const struct byte_range *ranges = items(set);
    uint32_t i = locate(set, at);
    if (i < set->count && ranges[i].to == at)
        i++; /* ends just there: `at` is not in it */
    if (i >= set->count)
        return UINT64_MAX;
    return ranges[i].from > at ? ranges[i].from : at;
}
