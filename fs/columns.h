/* SPDX-License-Identifier: MIT */
/*
 * columns: the messages of one mailbox as arrays sorted by UID, 27 bytes a message (8 more with modseq, 8 more
 * with object ids).
 *
 * All zeroes is the empty set. Not locked: the owner sees to that.
 */
#ifndef FS_COLUMNS_H
#define FS_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imap/types.h"

#define ROW_FLAGS 0x01u
#define ROW_SIZE 0x02u
#define ROW_DATE 0x04u
#define ROW_MODSEQ 0x08u
#define ROW_VERIFIED 0x10u  /* the size is the literal's, not the server's claim */
#define ROW_CORRECTED 0x20u /* the literal's is not what was listed before */
#define ROW_ALL (ROW_FLAGS | ROW_SIZE | ROW_DATE)

/* One message, or what a response told of it: `has` says which members count. */
struct row {
    uint32_t uid;
    uint32_t flagset;
    uint64_t size;
    int64_t date;
    uint64_t modseq;
    uint64_t objectid; /* 0: none, or not told */
    int16_t zone;
    uint8_t has;
};

struct columns {
    size_t count, capacity;
    uint32_t *uid;
    uint32_t *flagset;
    uint64_t *size;
    int64_t *date;
    uint64_t *modseq;   /* NULL until a row brings one, */
    uint64_t *objectid; /* as this */
    int16_t *zone;
    uint8_t *has;
};

void columns_fini(struct columns *columns); /* frees and zeroes */
/* The position of the first UID >= uid. */
size_t columns_lower(const struct columns *columns, uint32_t uid);
bool columns_find(const struct columns *columns, uint32_t uid, size_t *position_out);
/* The UIDs that the set names, in rising order; *uids_out is the caller's, NULL for none. O(ranges log n). */
size_t columns_in_set(const struct columns *columns, const struct imap_seqset *set, uint32_t **uids_out);
void columns_get(const struct columns *columns, size_t position, struct row *row_out);
void columns_reserve(struct columns *columns, size_t capacity);
/* Takes over what row->has names, and an object id; a verified size yields to no claim. True when that changed
 * anything visible (modseq and object id are not). */
bool columns_update(struct columns *columns, size_t position, const struct row *row);
/* O(1) when uid is above all others. The UID must not be present. */
void columns_insert(struct columns *columns, const struct row *row);
/* Drops every position whose bit in drop (count bytes, 0 or 1) is set: one pass. */
void columns_compact(struct columns *columns, const uint8_t *drop);
void columns_remove(struct columns *columns, size_t position);

/* Sorts by UID and folds several rows of one UID into one, the later ones winning. New count. */
size_t rows_normalise(struct row *rows, size_t count);

#endif
