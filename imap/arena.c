/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FIRST_BLOCK 16384
#define LARGEST_BLOCK (1024 * 1024)
#define LARGE 65536 /* gets a block of its own, so that the room left in the newest is not lost */

struct imap_arena_block {
    struct imap_arena_block *older;
    size_t size;
    alignas(max_align_t) char room[];
};

void imap_arena_init(struct imap_arena *arena, size_t cap)
{
    *arena = (struct imap_arena){.cap = cap};
}

static void free_newer_than(struct imap_arena_block **newest, const struct imap_arena_block *keep)
{
    while (*newest != keep) {
        struct imap_arena_block *older = (*newest)->older;

        free(*newest);
        *newest = older;
    }
}

void imap_arena_fini(struct imap_arena *arena)
{
    free_newer_than(&arena->large, NULL);
    free_newer_than(&arena->block, NULL);
    *arena = (struct imap_arena){.cap = arena->cap};
}

void imap_arena_reset(struct imap_arena *arena)
{
    struct imap_arena_block *first = arena->block;

    free_newer_than(&arena->large, NULL);
    arena->total = 0;
    if (!first)
        return;
    while (first->older)
        first = first->older;
    free_newer_than(&arena->block, first);
    arena->at = first->room;
    arena->end = first->room + first->size;
}

static struct imap_arena_block *new_block(size_t size, struct imap_arena_block *older)
{
    struct imap_arena_block *block = imap_xmalloc(sizeof(*block) + size);

    block->older = older;
    block->size = size;
    return block;
}

static void add_block(struct imap_arena *arena)
{
    size_t size = FIRST_BLOCK;

    if (arena->block) {
        size = arena->block->size * 2;
        if (size > LARGEST_BLOCK)
            size = LARGEST_BLOCK;
        arena->total += size;
    }
    arena->block = new_block(size, arena->block);
    arena->at = arena->block->room;
    arena->end = arena->at + size;
}

static void *take_large(struct imap_arena *arena, size_t size)
{
    arena->large = new_block(size, arena->large);
    arena->total += size;
    return arena->large->room;
}

static void *take(struct imap_arena *arena, size_t size)
{
    void *mem;

    if (size >= LARGE)
        return take_large(arena, size);
    while (size > (size_t)(arena->end - arena->at))
        add_block(arena);
    mem = arena->at;
    arena->at += size;
    return mem;
}

static size_t aligned(size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    return (size + IMAP_ARENA_ALIGN - 1) & ~(IMAP_ARENA_ALIGN - 1);
}

void *imap_arena_alloc_slowly(struct imap_arena *arena, size_t size)
{
    return take(arena, aligned(size ? size : 1));
}

void *imap_arena_zalloc(struct imap_arena *arena, size_t size)
{
    return memset(imap_arena_alloc(arena, size), 0, size);
}

void *imap_arena_array(struct imap_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        abort();
    return imap_arena_alloc(arena, bytes);
}

char *imap_arena_strndup(struct imap_arena *arena, const char *str, size_t len)
{
    char *copy = imap_arena_alloc(arena, len + 1);

    if (len)
        memcpy(copy, str, len);
    copy[len] = '\0';
    return copy;
}

size_t imap_arena_used(const struct imap_arena *arena)
{
    if (!arena->block)
        return arena->total;
    return arena->total + FIRST_BLOCK - (size_t)(arena->end - arena->at);
}
