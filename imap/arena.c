/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FIRST_BLOCK 16384
#define LARGEST_BLOCK (1024 * 1024)

struct imap_arena_block {
    struct imap_arena_block *older;
    size_t size;
    alignas(max_align_t) char room[];
};

void imap_arena_init(struct imap_arena *arena, size_t cap)
{
    *arena = (struct imap_arena){.cap = cap};
}

static void free_newer_than(struct imap_arena *arena, const struct imap_arena_block *keep)
{
    while (arena->block != keep) {
        struct imap_arena_block *older = arena->block->older;

        free(arena->block);
        arena->block = older;
    }
}

void imap_arena_fini(struct imap_arena *arena)
{
    free_newer_than(arena, NULL);
    *arena = (struct imap_arena){.cap = arena->cap};
}

void imap_arena_reset(struct imap_arena *arena)
{
    struct imap_arena_block *first = arena->block;

    if (!first)
        return;
    while (first->older)
        first = first->older;
    free_newer_than(arena, first);
    arena->at = first->room;
    arena->end = first->room + first->size;
    arena->total = 0;
}

static void add_block(struct imap_arena *arena, size_t needed)
{
    size_t size = FIRST_BLOCK;
    struct imap_arena_block *block;

    if (arena->block) {
        size = arena->block->size * 2;
        if (size > LARGEST_BLOCK)
            size = LARGEST_BLOCK;
    }
    /* The first block is kept for ever, so it must not be a large one by chance. */
    if (!arena->block && needed > size)
        add_block(arena, 0);
    if (size < needed)
        size = needed;
    block = imap_xmalloc(sizeof(*block) + size);
    if (arena->block)
        arena->total += size;
    block->older = arena->block;
    block->size = size;
    arena->block = block;
    arena->at = block->room;
    arena->end = block->room + size;
}

static void *take(struct imap_arena *arena, size_t size)
{
    void *mem;

    if (size > (size_t)(arena->end - arena->at))
        add_block(arena, size);
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
