/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "imap/types.h"
#include "mem.h"

void imap_seqset_fini(struct imap_seqset *set)
{
    free(set->ranges);
    *set = (struct imap_seqset){0};
}

static void reserve_one(struct imap_seqset *set)
{
    if (set->ranges && set->count < set->capacity)
        return;
    set->capacity = set->capacity ? set->capacity * 2 : 4;
    set->ranges = imap_xreallocarray(set->ranges, set->capacity, sizeof *set->ranges);
}

/* The first range that ends at or after number - 1, that is: which number could join. */
static size_t find_joinable(const struct imap_seqset *set, uint32_t number)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < number - 1)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void imap_seqset_add(struct imap_seqset *set, uint32_t first, uint32_t last)
{
    if (first > last) {
        uint32_t swap = first;
        first = last;
        last = swap;
    }
    if (last == 0)
        return;
    if (first == 0)
        first = 1;

    struct imap_range *tail = set->count ? &set->ranges[set->count - 1] : NULL;
    if (tail && first >= tail->first && first - 1 <= tail->last) {
        if (last > tail->last)
            tail->last = last;
        return;
    }
    size_t begin = !tail || first > tail->last ? set->count : find_joinable(set, first);
    size_t end = begin; /* ranges[begin..end) are swallowed by the new one */
    while (end < set->count && set->ranges[end].first - 1 <= last) {
        if (set->ranges[end].first < first)
            first = set->ranges[end].first;
        if (set->ranges[end].last > last)
            last = set->ranges[end].last;
        end++;
    }
    if (begin == end)
        reserve_one(set);
    if (set->count > end)
        memmove(&set->ranges[begin + 1], &set->ranges[end], (set->count - end) * sizeof *set->ranges);
    set->count = set->count - (end - begin) + 1;
    set->ranges[begin] = (struct imap_range){first, last};
}

bool imap_seqset_contains(const struct imap_seqset *set, uint32_t number)
{
    if (number == 0)
        return false;
    size_t at = find_joinable(set, number);
    /* the one found may end right before number, then the next one decides */
    if (at < set->count && set->ranges[at].last < number)
        at++;
    return at < set->count && set->ranges[at].first <= number;
}

uint64_t imap_seqset_size(const struct imap_seqset *set)
{
    uint64_t size = 0;
    for (size_t i = 0; i < set->count; i++)
        size += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
    return size;
}

/* ---- parsing ------------------------------------------------------------------------------------ */

static bool parse_number(const char **at, const char *end, uint32_t *number_out)
{
    const char *p = *at;
    uint64_t number = 0;
    if (p < end && *p == '*') {
        *at = p + 1;
        *number_out = IMAP_SEQSET_STAR;
        return true;
    }
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (p == *at || number == 0)
        return false;
    *at = p;
    *number_out = (uint32_t)number;
    return true;
}

static bool parse_range(const char **at, const char *end, struct imap_range *range_out)
{
    uint32_t first, last;
    if (!parse_number(at, end, &first))
        return false;
    last = first;
    if (*at < end && **at == ':') {
        (*at)++;
        if (!parse_number(at, end, &last))
            return false;
    }
    *range_out = first <= last ? (struct imap_range){first, last} : (struct imap_range){last, first};
    return true;
}

static int compare_first(const void *left, const void *right)
{
    const struct imap_range *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

static void sort_and_merge(struct imap_seqset *set)
{
    qsort(set->ranges, set->count, sizeof *set->ranges, compare_first);
    size_t kept = 0;
    for (size_t i = 1; i < set->count; i++) {
        struct imap_range *before = &set->ranges[kept];
        if (set->ranges[i].first - 1 > before->last)
            set->ranges[++kept] = set->ranges[i];
        else if (set->ranges[i].last > before->last)
            before->last = set->ranges[i].last;
    }
    set->count = kept + 1;
}

enum imap_status imap_seqset_parse(struct imap_seqset *set, const char *text, size_t len,
                                   struct imap_error *err)
{
    const char *at = text, *end = text + len;
    struct imap_seqset parsed = {0};
    bool sorted = true;
    enum imap_status status = IMAP_OK;

    for (;;) {
        struct imap_range range;
        if (!parse_range(&at, end, &range)) {
            status = imap_error_set(err, IMAP_PROTO, "malformed sequence set");
            break;
        }
        struct imap_range *tail = parsed.count ? &parsed.ranges[parsed.count - 1] : NULL;
        if (tail && range.first >= tail->first && range.first - 1 <= tail->last) {
            if (range.last > tail->last)
                tail->last = range.last;
        } else if (parsed.count == IMAP_SEQSET_MAX_RANGES) {
            status = imap_error_set(err, IMAP_LIMIT, "sequence set of more than %d ranges",
                                    IMAP_SEQSET_MAX_RANGES);
            break;
        } else {
            /* inserting each in its place would be quadratic in what a server may send */
            sorted = sorted && (!tail || range.first > tail->last);
            reserve_one(&parsed);
            parsed.ranges[parsed.count++] = range;
        }
        if (at == end)
            break;
        if (*at++ != ',') {
            status = imap_error_set(err, IMAP_PROTO, "malformed sequence set");
            break;
        }
    }
    if (status != IMAP_OK) {
        imap_seqset_fini(&parsed);
        return status;
    }
    if (!sorted)
        sort_and_merge(&parsed);
    imap_seqset_fini(set);
    *set = parsed;
    return IMAP_OK;
}

/* ---- formatting --------------------------------------------------------------------------------- */

#define RANGE_TEXT_MAX 22 /* ",4294967294:4294967294" */

static size_t format_number(uint32_t number, char *text)
{
    char digits[10];
    size_t count = 0;
    if (number == IMAP_SEQSET_STAR) {
        text[0] = '*';
        return 1;
    }
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    return count;
}

static size_t format_range(uint32_t first, uint32_t last, bool comma, char text[RANGE_TEXT_MAX])
{
    size_t len = 0;
    if (comma)
        text[len++] = ',';
    len += format_number(first, text + len);
    if (last > first) {
        text[len++] = ':';
        len += format_number(last, text + len);
    }
    return len;
}

size_t imap_seqset_format(const struct imap_seqset *set, uint32_t *from, char *text, size_t size)
{
    size_t len = 0;
    if (size > 0)
        text[0] = '\0';
    if (*from == 0)
        return 0;
    size_t at = find_joinable(set, *from);
    if (at < set->count && set->ranges[at].last < *from)
        at++;
    for (; at < set->count; at++) {
        char range[RANGE_TEXT_MAX];
        uint32_t first = set->ranges[at].first > *from ? set->ranges[at].first : *from;
        size_t range_len = format_range(first, set->ranges[at].last, len > 0, range);
        if (len + range_len + 1 > size) {
            *from = first;
            return len;
        }
        memcpy(text + len, range, range_len);
        len += range_len;
        text[len] = '\0';
    }
    *from = 0;
    return len;
}

#define TEXT_MAX ((size_t)1 << 20)

char *imap_seqset_text(const struct imap_seqset *set)
{
    size_t room = set->count < TEXT_MAX / RANGE_TEXT_MAX ? set->count * RANGE_TEXT_MAX + 1 : TEXT_MAX + 1;
    char *text = imap_xmalloc(room);
    uint32_t from = 1;
    imap_seqset_format(set, &from, text, room);
    if (from == 0)
        return text;
    free(text);
    return NULL;
}
