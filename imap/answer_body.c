/* SPDX-License-Identifier: MIT */
/*
 * Bodies that come straight from the line into an answer. Through the response they would be copied three times
 * and take twice the memory: once in its raw bytes and once as the section's data.
 */
#include "answer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mem.h"

#define SMALL ((size_t)32 << 10) /* up to this they lie in the arena */
#define AHEAD ((size_t)1 << 20)  /* more is not allocated before it comes */

/* An answer that is large already gets memory in slabs, and from the system many pages at once: else half of the
 * time of reading into it goes into page faults, one each 4 KiB. A slab is a quarter of what is held, so that little
 * is taken in vain. Large pages would do too, but a virtual machine may first have to get them from its host. */
#define SLABS_FROM ((size_t)8 << 20)
#define SLAB_UNIT ((size_t)2 << 20)
#define POPULATE ((size_t)512 << 10) /* pages made present at once */
#define SLAB_MAX ((size_t)32 << 20)

struct imap_answer_slab {
    struct imap_answer_slab *older;
    size_t used, present, size;
};

static struct imap_answer_body *new_body(struct imap_answer *answer, uint64_t size)
{
    struct imap_answer_body *body = imap_arena_zalloc(&answer->arena, sizeof *body);
    body->size = size;
    *answer->coming_last = body;
    answer->coming_last = &body->next;
    answer->coming_count++;
    return body;
}

static struct imap_answer_slab *new_slab(struct imap_answer *answer, size_t held)
{
    size_t size = held / 4 / SLAB_UNIT * SLAB_UNIT;
    if (size > SLAB_MAX)
        size = SLAB_MAX;
    struct imap_answer_slab *slab = aligned_alloc(SLAB_UNIT, size);
    if (!slab)
        return NULL;
    *slab = (struct imap_answer_slab){.older = answer->slab, .used = sizeof *slab, .size = size};
    answer->slab = slab;
    return slab;
}

static void make_present(struct imap_answer_slab *slab)
{
#ifdef MADV_POPULATE_WRITE
    size_t until = (slab->used + POPULATE - 1) / POPULATE * POPULATE;
    if (until <= slab->present)
        return;
    madvise((char *)slab + slab->present, until - slab->present,
            MADV_POPULATE_WRITE); /* right without, too */
    slab->present = until;
#else
    (void)slab;
#endif
}

/* NULL: not from there. */
static char *take_from_slab(struct imap_answer *answer, size_t room, size_t held)
{
    struct imap_answer_slab *slab = answer->slab;
    if (held < SLABS_FROM || room > SLAB_UNIT - sizeof *slab)
        return NULL;
    if ((!slab || room > slab->size - slab->used) && !(slab = new_slab(answer, held)))
        return NULL;
    char *mem = (char *)slab + slab->used;
    slab->used += room;
    make_present(slab);
    return mem;
}

bool imap_answer_body_begin(struct imap_answer *answer, uint64_t size)
{
    size_t used = imap_answer_bytes(answer);
    struct imap_answer_body *body = new_body(answer, size);

    if (answer->over || used >= answer->cap || size >= answer->cap - used) {
        answer->over = true;
        return false;
    }
    body->room = (size_t)size + 1;
    body->data = take_from_slab(answer, body->room, used);
    if (body->data) {
        answer->body_bytes += body->room;
    } else if (size <= SMALL) {
        body->data = imap_arena_alloc(&answer->arena, body->room);
    } else {
        answer->body_bytes += body->room;
        body->room = size < AHEAD ? body->room : AHEAD;
        body->data = imap_xmalloc(body->room);
        body->own = true;
    }
    body->data[0] = '\0';
    return true;
}

static void make_room(struct imap_answer_body *body, size_t len)
{
    size_t needed = (size_t)body->have + len + 1;
    if (needed <= body->room)
        return;
    body->room *= 2;
    if (body->room < needed)
        body->room = needed;
    if (body->room > body->size + 1)
        body->room = (size_t)body->size + 1;
    body->data = imap_xrealloc(body->data, body->room);
}

static struct imap_answer_body *newest(struct imap_answer *answer)
{
    struct imap_answer_body *body = answer->coming;
    while (body && body->next)
        body = body->next;
    return body;
}

void imap_answer_body_data(struct imap_answer *answer, const void *data, size_t len)
{
    struct imap_answer_body *body = newest(answer);
    if (!body || !body->data || len > body->size - body->have)
        return;
    make_room(body, len);
    memcpy(body->data + body->have, data, len);
    body->have += len;
    body->data[body->have] = '\0';
}

/* ---- where they belong -------------------------------------------------------------------------- */

/* The next one of those that came, if it is what was announced there. */
static const struct imap_answer_body *next_body(const struct imap_answer_body **at, uint64_t size)
{
    const struct imap_answer_body *body = *at;
    if (!body)
        return NULL;
    *at = body->next;
    return body->data && body->size == size && body->have == size ? body : NULL;
}

static void fill_values(struct imap_value *value, const struct imap_answer_body **at)
{
    for (; value; value = value->next) {
        if (value->kind == IMAP_VALUE_LIST)
            fill_values(value->child, at);
        if (value->kind != IMAP_VALUE_STREAMED)
            continue;
        const struct imap_answer_body *body = next_body(at, value->size);
        if (body && body->size < UINT32_MAX) {
            value->kind = IMAP_VALUE_STRING;
            value->str = body->data;
            value->len = (uint32_t)body->size;
        }
    }
}

static void fill_sections(const struct imap_section *sections, const struct imap_answer_body **at)
{
    for (; sections; sections = sections->next) {
        struct imap_section *section = (struct imap_section *)sections; /* it is in our arena */
        const struct imap_answer_body *body = section->streamed ? next_body(at, section->size) : NULL;
        if (body) {
            section->streamed = false;
            section->data = body->data;
        }
    }
}

/* A response that could not be read at all may have left some of its own: they come first. */
static const struct imap_answer_body *last_bodies(const struct imap_answer *answer, size_t count)
{
    const struct imap_answer_body *body = answer->coming;
    for (size_t skip = answer->coming_count - count; skip > 0; skip--)
        body = body->next;
    return body;
}

void imap_answer_take_bodies(struct imap_answer *answer, struct imap_response *response)
{
    size_t count = response->streamed_count;
    if (count == 0 || count > answer->coming_count || response->type != IMAP_RESP_FETCH)
        return;
    const struct imap_answer_body *at = last_bodies(answer, count);
    fill_sections(response->fetch.sections, &at);
    at = last_bodies(answer, count);
    fill_values((struct imap_value *)response->values, &at);
}

void imap_answer_forget_bodies(struct imap_answer *answer)
{
    while (answer->coming) {
        struct imap_answer_body *body = answer->coming;
        answer->coming = body->next;
        if (body->own) {
            body->next = answer->bodies;
            answer->bodies = body;
        }
    }
    answer->coming_last = &answer->coming;
    answer->coming_count = 0;
}

void imap_answer_free_bodies(struct imap_answer *answer)
{
    imap_answer_forget_bodies(answer);
    for (struct imap_answer_body *body = answer->bodies; body; body = body->next)
        free(body->data);
    while (answer->slab) {
        struct imap_answer_slab *older = answer->slab->older;
        free(answer->slab);
        answer->slab = older;
    }
}
