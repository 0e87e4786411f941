/* SPDX-License-Identifier: MIT */
/*
 * arena: the memory of one response, given back all at once.
 *
 * Allocation does not fail. What a server can size is held back by the cap: the lexer asks
 * imap_arena_full before each token and gives up with IMAP_LIMIT; what is built upon the values is
 * a small constant a value, so that an arena stays within a few times its cap.
 */
#ifndef IMAP_ARENA_H
#define IMAP_ARENA_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAP_ARENA_ALIGN ((size_t)8) /* nobody here has a long double, and most values are short */
_Static_assert(IMAP_ARENA_ALIGN >= alignof(void *) && IMAP_ARENA_ALIGN >= alignof(uint64_t),
               "what responses are made of");

struct imap_arena_block;

struct imap_arena {
    char *at, *end;                 /* free room in the newest block */
    struct imap_arena_block *block; /* the newest, linked to the older ones */
    struct imap_arena_block *large; /* those of one large allocation each */
    size_t total;                   /* bytes in all blocks but the first */
    size_t cap;
};

void imap_arena_init(struct imap_arena *arena, size_t cap);
void imap_arena_fini(struct imap_arena *arena);
/* Everything allocated is void; the first block is kept, so that most responses need no malloc. */
void imap_arena_reset(struct imap_arena *arena);
void *imap_arena_alloc_slowly(struct imap_arena *arena, size_t size); /* whether or not there is room */
/* Aligned to 8, for pointers and integers; not zeroed. */
static inline void *imap_arena_alloc(struct imap_arena *arena, size_t size)
{
    size_t aligned = (size + IMAP_ARENA_ALIGN - 1) & ~(IMAP_ARENA_ALIGN - 1);
    void *mem = arena->at;

    /* of 0, and of what overflows, aligned is 0 */
    if (aligned == 0 || aligned > (size_t)(arena->end - arena->at))
        return imap_arena_alloc_slowly(arena, size);
    arena->at += aligned;
    return mem;
}
void *imap_arena_zalloc(struct imap_arena *arena, size_t size);
/* count * size, for as many as values allow. */
void *imap_arena_array(struct imap_arena *arena, size_t count, size_t size);
/* Copies len bytes and adds a NUL. */
char *imap_arena_strndup(struct imap_arena *arena, const char *str, size_t len);
/* Bytes handed out, with what alignment costs. */
size_t imap_arena_used(const struct imap_arena *arena);
static inline bool imap_arena_full(const struct imap_arena *arena)
{
    return arena->total > arena->cap;
}

#endif
