/* SPDX-License-Identifier: MIT */
#include "copyuid.h"

#include <string.h>

struct range {
    uint32_t first, last;
};

static bool read_number(const char **at, uint32_t *number_out)
{
    uint64_t number = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (uint64_t)(**at - '0');
        if (number > UINT32_MAX)
            return false;
    }
    *number_out = (uint32_t)number;
    return *at != start && number;
}

/* The next range of a set; false at its end, and where it makes no sense. */
static bool read_range(const char **at, struct range *range_out)
{
    if (**at == ',')
        (*at)++;
    if (!read_number(at, &range_out->first))
        return false;
    range_out->last = range_out->first;
    if (**at != ':')
        return true;
    (*at)++;
    if (!read_number(at, &range_out->last))
        return false;
    if (range_out->last < range_out->first)
        *range_out = (struct range){range_out->last, range_out->first};
    return true;
}

static const char *word_after(const char *text)
{
    const char *space = strchr(text, ' ');
    return space ? space + 1 : "";
}

/* How many numbers there are; 0 for a set that is none. */
static uint64_t size_of(const char *set, char end)
{
    struct range range;
    uint64_t size = 0;
    while (read_range(&set, &range))
        size += (uint64_t)range.last - range.first + 1;
    return *set == end ? size : 0;
}

bool copyuid_sound(const char *args)
{
    const char *from = word_after(args), *to = word_after(from);
    const uint64_t size = size_of(from, ' ');
    return size && size == size_of(to, '\0');
}

static uint32_t at_index(const char *set, uint64_t index)
{
    struct range range;
    while (read_range(&set, &range)) {
        const uint64_t size = (uint64_t)range.last - range.first + 1;
        if (index < size)
            return range.first + (uint32_t)index;
        index -= size;
    }
    return 0;
}

uint32_t copyuid_find(const char *args, uint32_t uid)
{
    const char *from = word_after(args), *to = word_after(from);
    struct range range;
    uint64_t index = 0;
    while (read_range(&from, &range)) {
        if (uid >= range.first && uid <= range.last)
            return at_index(to, index + (uid - range.first));
        index += (uint64_t)range.last - range.first + 1;
    }
    return 0;
}

static bool is_among(const uint32_t *uids, size_t count, uint32_t uid)
{
    while (count && uids[count - 1] != uid)
        count--;
    return count != 0;
}

bool appenduid_read(const char *args, uint32_t *uids_out, size_t count)
{
    const char *set = word_after(args);
    if (size_of(set, '\0') != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        uids_out[i] = at_index(set, i);
        if (is_among(uids_out, i, uids_out[i]))
            return false;
    }
    return true;
}
