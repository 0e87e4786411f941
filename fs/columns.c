/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"

void columns_fini(struct columns *columns)
{
    free(columns->uid);
    free(columns->flagset);
    free(columns->size);
    free(columns->date);
    free(columns->modseq);
    free(columns->objectid);
    free(columns->zone);
    free(columns->has);
    *columns = (struct columns){0};
}

size_t columns_lower(const struct columns *columns, uint32_t uid)
{
    size_t low = 0, high = columns->count;
    if (!high || columns->uid[high - 1] < uid)
        return high; /* appending, the usual case */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (columns->uid[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool columns_find(const struct columns *columns, uint32_t uid, size_t *position_out)
{
    const size_t at = columns_lower(columns, uid);
    if (at == columns->count || columns->uid[at] != uid)
        return false;
    *position_out = at;
    return true;
}

size_t columns_in_set(const struct columns *columns, const struct imap_seqset *set, uint32_t **uids_out)
{
    size_t count = 0, capacity = 0;
    *uids_out = NULL;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t at = columns_lower(columns, set->ranges[i].first);
             at < columns->count && columns->uid[at] <= set->ranges[i].last; at++) {
            if (count == capacity) {
                capacity = capacity ? 2 * capacity : 16;
                *uids_out = imap_xreallocarray(*uids_out, capacity, sizeof **uids_out);
            }
            (*uids_out)[count++] = columns->uid[at];
        }
    }
    return count;
}

void columns_get(const struct columns *columns, size_t position, struct row *row_out)
{
    *row_out = (struct row){.uid = columns->uid[position],
                            .flagset = columns->flagset[position],
                            .size = columns->size[position],
                            .date = columns->date[position],
                            .modseq = columns->modseq ? columns->modseq[position] : 0,
                            .objectid = columns->objectid ? columns->objectid[position] : 0,
                            .zone = columns->zone[position],
                            .has = columns->has[position]};
}

#define RESIZE(columns, column, capacity)                                                                    \
    ((columns)->column = imap_xreallocarray((columns)->column, (capacity), sizeof *(columns)->column))

void columns_reserve(struct columns *columns, size_t capacity)
{
    if (capacity <= columns->capacity)
        return;
    RESIZE(columns, uid, capacity);
    RESIZE(columns, flagset, capacity);
    RESIZE(columns, size, capacity);
    RESIZE(columns, date, capacity);
    RESIZE(columns, zone, capacity);
    RESIZE(columns, has, capacity);
    if (columns->modseq)
        RESIZE(columns, modseq, capacity);
    if (columns->objectid)
        RESIZE(columns, objectid, capacity);
    columns->capacity = capacity;
}

/* In a column that few mailboxes have. */
static void set_rare(const struct columns *columns, uint64_t **column, size_t position, uint64_t number)
{
    if (!*column)
        *column = imap_xcalloc(columns->capacity, sizeof **column);
    (*column)[position] = number;
}

bool columns_update(struct columns *columns, size_t position, const struct row *row)
{
    bool changed = false;
    uint8_t *has = &columns->has[position];
    if (row->has & ROW_FLAGS) {
        changed |= !(*has & ROW_FLAGS) || columns->flagset[position] != row->flagset;
        columns->flagset[position] = row->flagset;
    }
    if ((row->has & ROW_SIZE) && (!(*has & ROW_VERIFIED) || (row->has & ROW_VERIFIED))) {
        const bool other = columns->size[position] != row->size;
        changed |= other;
        if (other && (*has & ROW_SIZE) && (row->has & ROW_VERIFIED))
            *has |= ROW_CORRECTED;
        columns->size[position] = row->size;
    }
    if (row->has & ROW_DATE) {
        changed |= columns->date[position] != row->date || columns->zone[position] != row->zone;
        columns->date[position] = row->date;
        columns->zone[position] = row->zone;
    }
    if (row->has & ROW_MODSEQ)
        set_rare(columns, &columns->modseq, position, row->modseq);
    if (row->objectid)
        set_rare(columns, &columns->objectid, position, row->objectid);
    *has |= row->has;
    return changed;
}

#define OPEN_GAP(columns, column, position)                                                                  \
    memmove((columns)->column + (position) + 1, (columns)->column + (position),                              \
            ((columns)->count - (position)) * sizeof *(columns)->column)

void columns_insert(struct columns *columns, const struct row *row)
{
    const size_t at = columns_lower(columns, row->uid);
    if (columns->count == columns->capacity)
        columns_reserve(columns, columns->capacity + columns->capacity / 2 + 16);
    OPEN_GAP(columns, uid, at);
    OPEN_GAP(columns, flagset, at);
    OPEN_GAP(columns, size, at);
    OPEN_GAP(columns, date, at);
    OPEN_GAP(columns, zone, at);
    OPEN_GAP(columns, has, at);
    if (columns->modseq)
        OPEN_GAP(columns, modseq, at);
    if (columns->objectid)
        OPEN_GAP(columns, objectid, at);
    columns->count++;
    columns->uid[at] = row->uid;
    columns->flagset[at] = row->flagset;
    columns->size[at] = row->size;
    columns->date[at] = row->date;
    columns->zone[at] = row->zone;
    columns->has[at] = row->has;
    if (row->has & ROW_MODSEQ)
        set_rare(columns, &columns->modseq, at, row->modseq);
    else if (columns->modseq)
        columns->modseq[at] = 0;
    if (row->objectid || columns->objectid)
        set_rare(columns, &columns->objectid, at, row->objectid);
}

void columns_compact(struct columns *columns, const uint8_t *drop)
{
    size_t to = 0;
    for (size_t from = 0; from < columns->count; from++) {
        if (drop[from])
            continue;
        if (to != from) {
            columns->uid[to] = columns->uid[from];
            columns->flagset[to] = columns->flagset[from];
            columns->size[to] = columns->size[from];
            columns->date[to] = columns->date[from];
            columns->zone[to] = columns->zone[from];
            columns->has[to] = columns->has[from];
            if (columns->modseq)
                columns->modseq[to] = columns->modseq[from];
            if (columns->objectid)
                columns->objectid[to] = columns->objectid[from];
        }
        to++;
    }
    columns->count = to;
}

#define CLOSE_GAP(columns, column, position)                                                                 \
    memmove((columns)->column + (position), (columns)->column + (position) + 1,                              \
            ((columns)->count - (position)-1) * sizeof *(columns)->column)

void columns_remove(struct columns *columns, size_t position)
{
    CLOSE_GAP(columns, uid, position);
    CLOSE_GAP(columns, flagset, position);
    CLOSE_GAP(columns, size, position);
    CLOSE_GAP(columns, date, position);
    CLOSE_GAP(columns, zone, position);
    CLOSE_GAP(columns, has, position);
    if (columns->modseq)
        CLOSE_GAP(columns, modseq, position);
    if (columns->objectid)
        CLOSE_GAP(columns, objectid, position);
    columns->count--;
}

static int compare_rows(const void *one, const void *other)
{
    const struct row *a = one, *b = other;
    return (a->uid > b->uid) - (a->uid < b->uid);
}

static void fold(struct row *into, const struct row *later)
{
    const uint32_t flagset = later->has & ROW_FLAGS ? later->flagset : into->flagset;
    const uint64_t size = later->has & ROW_SIZE ? later->size : into->size;
    const uint64_t modseq = later->has & ROW_MODSEQ ? later->modseq : into->modseq;
    const uint64_t objectid = later->objectid ? later->objectid : into->objectid;
    const struct row *date = later->has & ROW_DATE ? later : into;
    *into = (struct row){.uid = into->uid,
                         .flagset = flagset,
                         .size = size,
                         .date = date->date,
                         .modseq = modseq,
                         .objectid = objectid,
                         .zone = date->zone,
                         .has = into->has | later->has};
}

static bool rising(const struct row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (rows[i - 1].uid >= rows[i].uid)
            return false;
    return true;
}

/* Merge sort: which of two rows came later must survive the sorting, and qsort need not be stable. */
static void merge_sort(struct row *rows, size_t count)
{
    struct row *other = imap_xreallocarray(NULL, count, sizeof *other);
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            const size_t middle = start + width < count ? start + width : count;
            const size_t end = start + 2 * width < count ? start + 2 * width : count;
            size_t left = start, right = middle;
            for (size_t to = start; to < end; to++) {
                const bool take_left =
                    left < middle && (right == end || compare_rows(&rows[left], &rows[right]) <= 0);
                other[to] = take_left ? rows[left++] : rows[right++];
            }
        }
        memcpy(rows, other, count * sizeof *rows);
    }
    free(other);
}

size_t rows_normalise(struct row *rows, size_t count)
{
    if (rising(rows, count))
        return count;
    merge_sort(rows, count);
    size_t to = 0;
    for (size_t from = 1; from < count; from++) {
        if (rows[from].uid == rows[to].uid)
            fold(&rows[to], &rows[from]);
        else
            rows[++to] = rows[from];
    }
    return to + 1;
}
