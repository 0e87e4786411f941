/* SPDX-License-Identifier: MIT */
/*
 * kept: which bodies lie on disk, found by key, and which of them were used longest ago.
 *
 * Nothing but numbers: 48 bytes a body and 5 to 11 for finding it. It owns no file and tells nobody; the
 * owner's lock guards it. An entry that is used by somebody (users) is never the oldest; one that is doomed
 * is found by kept_any only, until its last user drops it.
 */
#ifndef FS_KEPT_H
#define FS_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "keptrow.h"

#define KEPT_BLOCK 4096u
#define KEPT_SIZE_MAX ((UINT64_C(1) << 34) - 1)
#define KEPT_OFFSET_MAX (((UINT64_C(1) << 28) - 1) * KEPT_BLOCK)

struct kept_entry {
    struct kept_key key;
    uint64_t digest;
    uint64_t size : 34;
    uint64_t block : 28; /* where it begins, in blocks */
    uint64_t proven : 1; /* read and found right, or written, since the mount */
    uint64_t doomed : 1;
    uint32_t file;
    uint32_t rank; /* rises with every use of any entry */
    uint32_t told; /* the minute of its use that the store knows of */
    uint32_t users;
};

struct kept;

struct kept *kept_new(void);
void kept_free(struct kept **kept);
size_t kept_count(const struct kept *kept);
uint64_t kept_bytes(const struct kept *kept); /* of disk: whole blocks */
uint64_t kept_space(uint64_t size);           /* size in whole blocks */
size_t kept_memory(const struct kept *kept);  /* bytes that the index itself takes */

/* A new entry, used just now. NULL when there is one with this key, or the row cannot be. Entries move with
 * kept_put and kept_drop: pointers to them are good until then. */
struct kept_entry *kept_put(struct kept *kept, const struct kept_row *row);
/* The same, of an earlier mount: used when the row says, so before all that this one uses. */
struct kept_entry *kept_load(struct kept *kept, const struct kept_row *row);
struct kept_entry *kept_find(const struct kept *kept, const struct kept_key *key);
struct kept_entry *kept_any(const struct kept *kept, const struct kept_key *key); /* doomed ones, too */
void kept_drop(struct kept *kept, struct kept_entry *entry);
struct kept_row kept_row_of(const struct kept_entry *entry); /* used: as told */

void kept_touch(struct kept *kept, struct kept_entry *entry); /* it is used now */
uint32_t kept_clock(struct kept *kept);                       /* the rank of a use now */
/* That which was used longest ago, of those that nobody uses; NULL when there is none. */
struct kept_entry *kept_oldest(struct kept *kept);

/* By position, 0 to kept_count - 1. Dropping one moves the last one to its place. */
struct kept_entry *kept_at(const struct kept *kept, size_t position);

#endif
