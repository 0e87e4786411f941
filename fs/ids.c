/* SPDX-License-Identifier: MIT */
#include "ids.h"

#include <stdlib.h>

#include "../imap/mem.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void ids_fini(struct ids *ids)
{
    free(ids->slots);
    *ids = (struct ids){0};
}

static uint64_t fnv_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * FNV_PRIME;
}

uint64_t ids_key(const char *name, size_t len, uint32_t uidvalidity)
{
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < len; i++)
        hash = fnv_byte(hash, (unsigned char)name[i]);
    if (!uidvalidity)
        return hash;
    hash = fnv_byte(hash, 0); /* no name has a NUL: so no name's key can be made this way */
    for (unsigned shift = 0; shift < 32; shift += 8)
        hash = fnv_byte(hash, (unsigned char)(uidvalidity >> shift));
    return hash;
}

uint32_t ids_candidate(uint64_t key, unsigned attempt)
{
    /* murmur's finalizer: FNV's high bits alone are poor for short names */
    uint64_t mixed = key + attempt * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 33;
    mixed *= UINT64_C(0xff51afd7ed558ccd);
    mixed ^= mixed >> 33;
    mixed *= UINT64_C(0xc4ceb9fe1a85ec53);
    mixed ^= mixed >> 33;
    const uint32_t id = (uint32_t)(mixed & 0x7fffffffu);
    return id ? id : 1;
}

static struct ids_entry *slot_of(const struct ids *ids, uint32_t id)
{
    if (!ids->capacity)
        return NULL;
    const size_t mask = ids->capacity - 1;
    size_t at = id & mask; /* the id is a hash already */
    while (ids->slots[at].id && ids->slots[at].id != id)
        at = (at + 1) & mask;
    return &ids->slots[at];
}

static void grow(struct ids *ids)
{
    const struct ids old = *ids;
    ids->capacity = old.capacity ? 2 * old.capacity : 64;
    ids->slots = imap_xcalloc(ids->capacity, sizeof *ids->slots);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].id)
            *slot_of(ids, old.slots[i].id) = old.slots[i];
    free(old.slots);
}

uint32_t ids_take(struct ids *ids, uint64_t key, struct mailbox *mailbox)
{
    if (ids->count * 4 >= ids->capacity * 3)
        grow(ids);
    for (unsigned attempt = 0;; attempt++) {
        const uint32_t id = ids_candidate(key, attempt);
        struct ids_entry *entry = slot_of(ids, id);
        if (entry->id && entry->key != key)
            continue;
        if (!entry->id) {
            if (ids->count >= IDS_MAX)
                return 0;
            ids->count++;
        }
        *entry = (struct ids_entry){.id = id, .key = key, .mailbox = mailbox};
        return id;
    }
}

void ids_retire(struct ids *ids, uint32_t id)
{
    struct ids_entry *entry = id ? slot_of(ids, id) : NULL;
    if (entry && entry->id)
        entry->mailbox = NULL;
}

struct mailbox *ids_find(const struct ids *ids, uint32_t id)
{
    const struct ids_entry *entry = id ? slot_of(ids, id) : NULL;
    return entry ? entry->mailbox : NULL;
}
