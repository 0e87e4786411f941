/* SPDX-License-Identifier: MIT */
#include "alias.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "ids.h"

struct alias {
    char *name;
    uint32_t dir_id, uidvalidity, uid;
    uint32_t next; /* position + 1 in its slot's chain; 0: the last */
};

static uint32_t *slot_of(const struct aliases *aliases, uint32_t dir_id, const char *name)
{
    return &aliases->slots[ids_key(name, strlen(name), dir_id) & (aliases->slot_count - 1)];
}

static struct alias *find(const struct aliases *aliases, uint32_t dir_id, const char *name)
{
    if (!aliases->slot_count)
        return NULL;
    for (uint32_t at = *slot_of(aliases, dir_id, name); at; at = aliases->entries[at - 1].next) {
        struct alias *alias = &aliases->entries[at - 1];
        if (alias->dir_id == dir_id && strcmp(alias->name, name) == 0)
            return alias;
    }
    return NULL;
}

static void link_in(struct aliases *aliases, uint32_t position)
{
    struct alias *alias = &aliases->entries[position];
    uint32_t *slot = slot_of(aliases, alias->dir_id, alias->name);
    alias->next = *slot;
    *slot = position + 1;
}

static void grow(struct aliases *aliases)
{
    aliases->capacity = aliases->capacity ? 2 * aliases->capacity : 64;
    aliases->entries = imap_xreallocarray(aliases->entries, aliases->capacity, sizeof *aliases->entries);
    free(aliases->slots);
    aliases->slot_count = aliases->capacity;
    aliases->slots = imap_xcalloc(aliases->slot_count, sizeof *aliases->slots);
    for (uint32_t i = 0; i < aliases->count; i++)
        link_in(aliases, i);
}

static void forget(struct aliases *aliases, uint32_t position)
{
    struct alias *alias = &aliases->entries[position];
    uint32_t *link = slot_of(aliases, alias->dir_id, alias->name);
    while (*link != position + 1)
        link = &aliases->entries[*link - 1].next;
    *link = alias->next;
    free(alias->name);
}

/* Where a new one goes. */
static uint32_t make_room(struct aliases *aliases)
{
    if (aliases->count == ALIAS_MAX) {
        const uint32_t position = aliases->oldest;
        forget(aliases, position);
        aliases->oldest = (position + 1) % ALIAS_MAX;
        return position;
    }
    if (aliases->count == aliases->capacity)
        grow(aliases);
    return aliases->count++;
}

void alias_set(struct aliases *aliases, uint32_t dir_id, const char *name, uint32_t uidvalidity, uint32_t uid)
{
    struct alias *known = find(aliases, dir_id, name);
    if (known) {
        known->uidvalidity = uidvalidity;
        known->uid = uid;
        return;
    }
    const uint32_t position = make_room(aliases);
    aliases->entries[position] =
        (struct alias){.name = imap_xstrdup(name), .dir_id = dir_id, .uidvalidity = uidvalidity, .uid = uid};
    link_in(aliases, position);
}

uint32_t alias_find(const struct aliases *aliases, uint32_t dir_id, const char *name, uint32_t uidvalidity)
{
    const struct alias *alias = find(aliases, dir_id, name);
    return alias && (!uidvalidity || alias->uidvalidity == uidvalidity) ? alias->uid : 0;
}

bool alias_names(const struct aliases *aliases, uint32_t dir_id, uint32_t uidvalidity, uint32_t uid)
{
    for (uint32_t i = 0; i < aliases->count; i++) {
        const struct alias *alias = &aliases->entries[i];
        if (alias->dir_id == dir_id && alias->uidvalidity == uidvalidity && alias->uid == uid)
            return true;
    }
    return false;
}

void alias_fini(struct aliases *aliases)
{
    for (uint32_t i = 0; i < aliases->count; i++)
        free(aliases->entries[i].name);
    free(aliases->entries);
    free(aliases->slots);
    *aliases = (struct aliases){0};
}
