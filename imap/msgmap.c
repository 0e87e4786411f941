/* SPDX-License-Identifier: MIT */
#include "msgmap.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define CHUNK IMAP_MSGMAP_CHUNK

void imap_msgmap_fini(struct imap_msgmap *map)
{
    for (size_t i = 0; i < map->chunk_count; i++)
        free(map->chunks[i].uids);
    free(map->chunks);
    *map = (struct imap_msgmap){0};
}

static void forget_near(struct imap_msgmap *map)
{
    map->near_chunk = 0;
    map->near_first = 1;
}

static void remove_chunk(struct imap_msgmap *map, size_t at)
{
    free(map->chunks[at].uids);
    map->chunk_count--;
    memmove(&map->chunks[at], &map->chunks[at + 1], (map->chunk_count - at) * sizeof *map->chunks);
    forget_near(map);
}

static void append_chunk(struct imap_msgmap *map, uint32_t count)
{
    if (map->chunk_count == map->chunk_room) {
        map->chunk_room = map->chunk_room ? map->chunk_room * 2 : 16;
        map->chunks = imap_xreallocarray(map->chunks, map->chunk_room, sizeof *map->chunks);
    }
    map->chunks[map->chunk_count++] = (struct imap_msgmap_chunk){NULL, count, 0};
}

/* Cuts `count` messages at index at out of one chunk, which goes when it becomes empty. */
static void cut(struct imap_msgmap *map, size_t index, uint32_t at, uint32_t count)
{
    struct imap_msgmap_chunk *chunk = &map->chunks[index];
    if (chunk->uids) {
        uint32_t tail = chunk->count - at - count;
        memmove(chunk->uids + at, chunk->uids + at + count, tail * sizeof *chunk->uids);
        memset(chunk->uids + at + tail, 0, count * sizeof *chunk->uids); /* room for later ones */
    }
    chunk->count -= count;
    map->count -= count;
    if (index < map->near_chunk)
        forget_near(map);
    if (chunk->count == 0)
        remove_chunk(map, index);
}

void imap_msgmap_resize(struct imap_msgmap *map, uint32_t count)
{
    while (map->count > count) {
        struct imap_msgmap_chunk *last = &map->chunks[map->chunk_count - 1];
        uint32_t excess = map->count - count;
        if (excess > last->count)
            excess = last->count;
        cut(map, map->chunk_count - 1, last->count - excess, excess);
    }
    if (map->count < count && map->chunk_count > 0) {
        struct imap_msgmap_chunk *last = &map->chunks[map->chunk_count - 1];
        uint32_t more = count - map->count < CHUNK - last->count ? count - map->count : CHUNK - last->count;
        last->count += more;
        map->count += more;
    }
    while (map->count < count) {
        uint32_t more = count - map->count < CHUNK ? count - map->count : CHUNK;
        append_chunk(map, more);
        map->count += more;
    }
    if (map->near_first == 0)
        forget_near(map);
}

/* The chunk that holds seq, and its index in there; NULL when there is no such message. */
static struct imap_msgmap_chunk *find(struct imap_msgmap *map, uint32_t seq, uint32_t *at_out)
{
    if (seq == 0 || seq > map->count)
        return NULL;
    if (seq < map->near_first)
        forget_near(map);
    while (seq - map->near_first >= map->chunks[map->near_chunk].count)
        map->near_first += map->chunks[map->near_chunk++].count;
    *at_out = seq - map->near_first;
    return &map->chunks[map->near_chunk];
}

void imap_msgmap_learn(struct imap_msgmap *map, uint32_t seq, uint32_t uid)
{
    uint32_t at;
    struct imap_msgmap_chunk *chunk = find(map, seq, &at);
    if (!chunk || uid == 0)
        return;
    if (!chunk->uids)
        chunk->uids = imap_xcalloc(CHUNK, sizeof *chunk->uids);
    chunk->uids[at] = uid;
    if (uid > chunk->highest)
        chunk->highest = uid;
}

uint32_t imap_msgmap_uid(struct imap_msgmap *map, uint32_t seq)
{
    uint32_t at;
    const struct imap_msgmap_chunk *chunk = find(map, seq, &at);
    return chunk && chunk->uids ? chunk->uids[at] : 0;
}

void imap_msgmap_expunge(struct imap_msgmap *map, uint32_t seq)
{
    uint32_t at;
    if (find(map, seq, &at))
        cut(map, map->near_chunk, at, 1);
}

/* ---- VANISHED ----------------------------------------------------------------------------------- */

struct place {
    size_t chunk;
    uint32_t at;
};

static bool find_last_below(const struct imap_msgmap *map, size_t index, uint32_t uid,
                            struct place *behind_out)
{
    const struct imap_msgmap_chunk *chunk = &map->chunks[index];
    for (uint32_t at = chunk->uids ? chunk->count : 0; at > 0; at--)
        if (chunk->uids[at - 1] != 0 && chunk->uids[at - 1] < uid) {
            *behind_out = (struct place){index, at};
            return true;
        }
    return false;
}

/* UIDs rise with sequence numbers (RFC 3501 2.3.1.1), so a message with this UID or a higher one lies
 * behind the last known lower one. Only two chunks are looked into, as a response may name many. */
static struct place find_behind(const struct imap_msgmap *map, uint32_t uid)
{
    struct place behind = {0, 0};
    size_t below = 0, index = 0;
    for (; index < map->chunk_count && map->chunks[index].highest < uid; index++)
        if (map->chunks[index].highest != 0)
            below = index;
    if (index == map->chunk_count || !find_last_below(map, index, uid, &behind))
        if (map->chunk_count > 0)
            find_last_below(map, below, uid, &behind);
    return behind;
}

/* Drops the range's UIDs from the chunk. True when a higher UID shows that the range is over. *gap is
 * how many unknown messages there are since *gap_from, which moves behind each UID below the range. */
static bool sift(struct imap_msgmap *map, struct place place, const struct imap_range *range,
                 uint64_t *removed, struct place *gap_from, uint64_t *gap)
{
    struct imap_msgmap_chunk *chunk = &map->chunks[place.chunk];
    uint32_t kept = place.at;
    bool over = false;
    if (!chunk->uids) {
        *gap += chunk->count - place.at;
        return false;
    }
    for (uint32_t at = place.at; at < chunk->count; at++) {
        uint32_t uid = chunk->uids[at];
        over = over || uid > range->last;
        if (!over && uid >= range->first)
            continue;
        chunk->uids[kept++] = uid;
        if (!over && uid == 0) {
            ++*gap;
        } else if (!over) {
            *gap = 0;
            *gap_from = (struct place){place.chunk, kept};
        }
    }
    uint32_t lost = chunk->count - kept;
    *removed += lost;
    if (lost > 0)
        cut(map, place.chunk, kept, lost);
    return over;
}

static void remove_unknown(struct imap_msgmap *map, struct place place, uint64_t count)
{
    while (count > 0 && place.chunk < map->chunk_count) {
        struct imap_msgmap_chunk *chunk = &map->chunks[place.chunk];
        uint32_t until = place.at;
        while (until < chunk->count && until - place.at < count && (!chunk->uids || chunk->uids[until] == 0))
            until++;
        if (until == place.at) {
            place = (struct place){place.chunk + 1, 0};
            continue;
        }
        count -= until - place.at;
        cut(map, place.chunk, place.at, until - place.at);
    }
}

static void vanish_range(struct imap_msgmap *map, const struct imap_range *range)
{
    struct place place = find_behind(map, range->first), gap_from = place;
    uint64_t removed = 0, gap = 0;
    bool over = false;
    while (!over && place.chunk < map->chunk_count) {
        size_t chunks = map->chunk_count;
        over = sift(map, place, range, &removed, &gap_from, &gap);
        if (map->chunk_count == chunks) /* else the next one has taken its place */
            place.chunk++;
        place.at = 0;
    }
    uint64_t named = (uint64_t)range->last - range->first + 1;
    uint64_t unknown = named > removed ? named - removed : 0;
    remove_unknown(map, gap_from, unknown < gap ? unknown : gap);
}

void imap_msgmap_vanish(struct imap_msgmap *map, const struct imap_seqset *uids)
{
    for (size_t i = 0; i < uids->count; i++)
        vanish_range(map, &uids->ranges[i]);
}
