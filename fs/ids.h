/* SPDX-License-Identifier: MIT */
/*
 * ids: 31-bit numbers made from names, so that inode numbers survive a remount.
 *
 * The number is a hash of the key; on a collision the next one of a fixed sequence is tried, so it only
 * depends on which keys came before. A retired number stays taken by its key: it is never given to
 * another one, and the same key gets it back. Guarded by the account lock.
 */
#ifndef FS_IDS_H
#define FS_IDS_H

#include <stddef.h>
#include <stdint.h>

struct mailbox;

struct ids_entry {
    uint32_t id;  /* 0: free slot */
    uint64_t key; /* ids_key */
    struct mailbox *mailbox;
};

struct ids {
    struct ids_entry *slots;
    size_t count, capacity; /* capacity 0 or a power of two */
};

#define IDS_MAX (1u << 24) /* far above any cap on mailboxes; leaves probing short */

void ids_fini(struct ids *ids);
/* A directory's key is made with uidvalidity 0. FNV-1a, 64 bits: never to be changed. */
uint64_t ids_key(const char *name, size_t len, uint32_t uidvalidity);
/* The number that key has or now gets; 0 only when IDS_MAX numbers are taken. */
uint32_t ids_take(struct ids *ids, uint64_t key, struct mailbox *mailbox);
void ids_retire(struct ids *ids, uint32_t id);
struct mailbox *ids_find(const struct ids *ids, uint32_t id);

/* The number that a key gets at the given attempt (0, 1, ...): 1..0x7fffffff. */
uint32_t ids_candidate(uint64_t key, unsigned attempt);

#endif
