/* SPDX-License-Identifier: MIT */
/*
 * alias: names under which messages were written, besides UID.eml.
 *
 * Who moves a message to Archive/letter.eml, or to a number that it does not get, finds it there as long as the
 * mount lasts; listings show only UID.eml. A message that really has the name goes before an alias. What an alias
 * names may be gone: who finds one looks the UID up. Guarded by the account lock.
 */
#ifndef FS_ALIAS_H
#define FS_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#define ALIAS_MAX 65536u /* the oldest are forgotten then */

struct aliases {
    struct alias *entries; /* a ring of ALIAS_MAX at most, in the order made */
    uint32_t count, capacity, oldest;
    uint32_t *slots; /* hash table of positions + 1; chained by the entries */
    uint32_t slot_count;
};

/* The directory is told by its dir_id. One of that name is replaced. */
void alias_set(struct aliases *aliases, uint32_t dir_id, const char *name, uint32_t uidvalidity,
               uint32_t uid);
/* The UID; 0: there is none of that name for this UIDVALIDITY (0: whichever it has). */
uint32_t alias_find(const struct aliases *aliases, uint32_t dir_id, const char *name, uint32_t uidvalidity);
/* Whether the message was written under any other name. Looks at all there are. */
bool alias_names(const struct aliases *aliases, uint32_t dir_id, uint32_t uidvalidity, uint32_t uid);
void alias_fini(struct aliases *aliases); /* frees and zeroes */

#endif
