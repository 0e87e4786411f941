/* SPDX-License-Identifier: MIT */
#include "written.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "ids.h"

#define FIRST_CAPACITY 8u

/* In two hash tables, whose chains go from position + 1 to position + 1; 0 ends them. */
struct entry {
    char *name;
    uint32_t uid;
    uint32_t next_name, next_uid;
};

struct written {
    struct entry *entries;
    uint32_t *by_name, *by_uid; /* as many as capacity, a power of two */
    uint32_t count, capacity;
};

static uint32_t *name_slot(const struct written *written, const char *name)
{
    const uint64_t key = ids_key(name, strlen(name), 0);
    return &written->by_name[(key ^ key >> 32) & (written->capacity - 1)];
}

static uint32_t *uid_slot(const struct written *written, uint32_t uid)
{
    return &written->by_uid[uid & (written->capacity - 1)]; /* they come in runs */
}

static struct entry *find_uid(const struct written *written, uint32_t uid)
{
    for (uint32_t at = written ? *uid_slot(written, uid) : 0; at; at = written->entries[at - 1].next_uid)
        if (written->entries[at - 1].uid == uid)
            return &written->entries[at - 1];
    return NULL;
}

static struct entry *find_name(const struct written *written, const char *name)
{
    for (uint32_t at = written ? *name_slot(written, name) : 0; at; at = written->entries[at - 1].next_name)
        if (strcmp(written->entries[at - 1].name, name) == 0)
            return &written->entries[at - 1];
    return NULL;
}

static void link_in(struct written *written, uint32_t position)
{
    struct entry *entry = &written->entries[position];
    uint32_t *slot = name_slot(written, entry->name);
    entry->next_name = *slot;
    *slot = position + 1;
    slot = uid_slot(written, entry->uid);
    entry->next_uid = *slot;
    *slot = position + 1;
}

static void link_out(struct written *written, uint32_t position)
{
    const struct entry *entry = &written->entries[position];
    uint32_t *link = name_slot(written, entry->name);
    while (*link != position + 1)
        link = &written->entries[*link - 1].next_name;
    *link = entry->next_name;
    link = uid_slot(written, entry->uid);
    while (*link != position + 1)
        link = &written->entries[*link - 1].next_uid;
    *link = entry->next_uid;
}

static void grow(struct written *written)
{
    free(written->by_name);
    free(written->by_uid);
    written->capacity = written->capacity ? 2 * written->capacity : FIRST_CAPACITY;
    written->entries = imap_xreallocarray(written->entries, written->capacity, sizeof *written->entries);
    written->by_name = imap_xcalloc(written->capacity, sizeof *written->by_name);
    written->by_uid = imap_xcalloc(written->capacity, sizeof *written->by_uid);
    for (uint32_t i = 0; i < written->count; i++)
        link_in(written, i);
}

static void remove_at(struct written *written, uint32_t position)
{
    const uint32_t last = written->count - 1;
    link_out(written, position);
    free(written->entries[position].name);
    if (position != last) {
        link_out(written, last);
        written->entries[position] = written->entries[last];
        link_in(written, position);
    }
    written->count = last;
}

void written_set(struct written **written_in, uint32_t uid, const char *name)
{
    char *copy = imap_xstrdup(name); /* it may be the entry's own */
    if (!*written_in)
        *written_in = imap_xcalloc(1, sizeof **written_in);
    struct written *written = *written_in;
    const struct entry *entry;
    while ((entry = find_name(written->count ? written : NULL, copy)) ||
           (entry = find_uid(written->count ? written : NULL, uid)))
        remove_at(written, (uint32_t)(entry - written->entries));
    if (written->count == written->capacity)
        grow(written);
    written->entries[written->count] = (struct entry){.name = copy, .uid = uid};
    link_in(written, written->count++);
}

void written_drop(struct written **written, uint32_t uid)
{
    const struct entry *entry = find_uid(*written, uid);
    if (!entry)
        return;
    remove_at(*written, (uint32_t)(entry - (*written)->entries));
    if (!(*written)->count)
        written_free(written);
}

void written_free(struct written **written_in)
{
    struct written *written = *written_in;
    *written_in = NULL;
    if (!written)
        return;
    for (uint32_t i = 0; i < written->count; i++)
        free(written->entries[i].name);
    free(written->entries);
    free(written->by_name);
    free(written->by_uid);
    free(written);
}

const char *written_name(const struct written *written, uint32_t uid)
{
    const struct entry *entry = find_uid(written, uid);
    return entry ? entry->name : NULL;
}

uint32_t written_uid(const struct written *written, const char *name)
{
    const struct entry *entry = find_name(written, name);
    return entry ? entry->uid : 0;
}

size_t written_count(const struct written *written)
{
    return written ? written->count : 0;
}

uint32_t written_at(const struct written *written, size_t position)
{
    return written->entries[position].uid;
}
