/* SPDX-License-Identifier: MIT */
/* A set that parses is sorted and disjoint, comes back when formatted in pieces, and is what adding its
 * ranges one by one (in the other direction) makes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imap/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct imap_seqset *a, const struct imap_seqset *b)
{
    if (a->count != b->count)
        abort();
    if (a->count > 0 && memcmp(a->ranges, b->ranges, a->count * sizeof *a->ranges) != 0)
        abort();
}

static void check_form(const struct imap_seqset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct imap_range *range = &set->ranges[i];
        if (range->first == 0 || range->first > range->last ||
            (i > 0 && range->first - 1 <= set->ranges[i - 1].last))
            abort();
        if (!imap_seqset_contains(set, range->first) || !imap_seqset_contains(set, range->last) ||
            imap_seqset_contains(set, range->first - 1) ||
            (range->last < UINT32_MAX && imap_seqset_contains(set, range->last + 1)))
            abort();
    }
}

static void check_text(const struct imap_seqset *set, size_t piece)
{
    struct imap_seqset again = {0};
    char text[256];
    uint32_t from = 1;
    while (from != 0) {
        struct imap_seqset part = {0};
        size_t len = imap_seqset_format(set, &from, text, piece);
        if (len == 0 || len >= piece || text[len] != '\0' ||
            imap_seqset_parse(&part, text, len, NULL) != IMAP_OK)
            abort();
        for (size_t i = 0; i < part.count; i++)
            imap_seqset_add(&again, part.ranges[i].first, part.ranges[i].last);
        imap_seqset_fini(&part);
    }
    same(set, &again);
    imap_seqset_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct imap_seqset set = {0}, added = {0};
    if (size > 4096)
        return 0;
    if (imap_seqset_parse(&set, (const char *)data, size, NULL) == IMAP_OK) {
        check_form(&set);
        check_text(&set, 24);
        check_text(&set, 256);
        for (size_t i = set.count; i > 0; i--)
            imap_seqset_add(&added, set.ranges[i - 1].last, set.ranges[i - 1].first);
        same(&set, &added);
    }
    imap_seqset_fini(&set);
    imap_seqset_fini(&added);
    for (size_t i = 0; i + 8 <= size && i < 800; i += 8) {
        uint32_t ends[2];
        memcpy(ends, data + i, sizeof ends);
        imap_seqset_add(&added, ends[0], ends[1]);
    }
    check_form(&added);
    imap_seqset_fini(&added);
    return 0;
}
