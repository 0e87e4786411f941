/* SPDX-License-Identifier: MIT */
#include "answer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "resp.h"

struct imap_answer *imap_answer_new(size_t cap_bytes)
{
    struct imap_answer *answer = imap_xcalloc(1, sizeof *answer);
    atomic_init(&answer->refs, 1);
    answer->cap = cap_bytes;
    answer->last = &answer->first;
    answer->coming_last = &answer->coming;
    imap_arena_init(&answer->arena, cap_bytes);
    return answer;
}

static void free_view(struct imap_view *view)
{
    if (!view)
        return;
    imap_arena_fini(&view->arena);
    imap_seqset_fini(&view->vanished);
    free(view);
}

struct imap_answer *imap_answer_ref(const struct imap_answer *answer)
{
    struct imap_answer *counted = (struct imap_answer *)answer;
    atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void imap_answer_unref(struct imap_answer **answer_ptr)
{
    struct imap_answer *answer = *answer_ptr;
    *answer_ptr = NULL;
    if (!answer || atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (int kind = 0; kind < IMAP_VIEWS; kind++)
        free_view(atomic_load_explicit(&answer->views[kind], memory_order_relaxed));
    imap_answer_free_bodies(answer);
    imap_arena_fini(&answer->arena);
    free(answer);
}

/* ---- building ----------------------------------------------------------------------------------- */

static enum imap_status set_over(struct imap_answer *answer)
{
    answer->over = true;
    return IMAP_LIMIT;
}

/* The framed bytes again, in the answer's memory. */
static struct imap_bytes copy_bytes(struct imap_arena *arena, const struct imap_response *response)
{
    struct imap_bytes bytes = {.len = response->raw_len, .streamed_count = response->streamed_count};
    bytes.data = imap_arena_strndup(arena, response->raw, response->raw_len);
    if (bytes.streamed_count > 0) {
        size_t *streamed = imap_arena_array(arena, bytes.streamed_count, sizeof *streamed);
        memcpy(streamed, response->streamed, bytes.streamed_count * sizeof *streamed);
        bytes.streamed = streamed;
    }
    return bytes;
}

static enum imap_status add(struct imap_answer *answer, const struct imap_response *response)
{
    struct imap_arena *arena = &answer->arena;
    size_t used = imap_answer_bytes(answer);
    if (answer->over || used > answer->cap || response->raw_len > answer->cap - used)
        return set_over(answer);
    struct imap_answer_node *node = imap_arena_alloc(arena, sizeof *node);
    struct imap_bytes bytes = copy_bytes(arena, response);
    enum imap_status status = imap_resp_parse(&bytes, IMAP_RESP_DEPTH_MAX, arena, &node->response, NULL);
    if (status == IMAP_LIMIT || imap_answer_bytes(answer) > answer->cap)
        return set_over(answer);
    if (status != IMAP_OK)
        return status;
    /* what the session added to what was said */
    node->response.renumbered = response->renumbered;
    if (node->response.type == IMAP_RESP_FETCH && response->type == IMAP_RESP_FETCH)
        node->response.fetch.uid = response->fetch.uid;
    imap_answer_take_bodies(answer, &node->response);
    node->next = NULL;
    *answer->last = node;
    answer->last = &node->next;
    answer->count++;
    return IMAP_OK;
}

enum imap_status imap_answer_add(struct imap_answer *answer, const struct imap_response *response)
{
    enum imap_status status = add(answer, response);
    imap_answer_forget_bodies(answer);
    return status;
}

static const char *copy_str(struct imap_arena *arena, const char *str)
{
    return str ? imap_arena_strndup(arena, str, strlen(str)) : NULL;
}

static const struct imap_seqset *copy_set(struct imap_arena *arena, const struct imap_seqset *set)
{
    if (!set)
        return NULL;
    struct imap_seqset *copy = imap_arena_zalloc(arena, sizeof *copy);
    if (set->count > 0) {
        copy->ranges = imap_arena_array(arena, set->count, sizeof *copy->ranges);
        memcpy(copy->ranges, set->ranges, set->count * sizeof *copy->ranges);
    }
    copy->count = copy->capacity = set->count;
    return copy;
}

static const struct imap_flags *copy_flags(struct imap_arena *arena, const struct imap_flags *flags)
{
    if (!flags)
        return NULL;
    struct imap_flags *copy = imap_arena_alloc(arena, sizeof *copy);
    const char **keywords = imap_arena_array(arena, flags->keyword_count, sizeof *keywords);
    *copy = *flags;
    for (size_t i = 0; i < flags->keyword_count; i++)
        keywords[i] = copy_str(arena, flags->keywords[i]);
    copy->keywords = flags->keywords ? keywords : NULL;
    return copy;
}

static const struct imap_caps *copy_caps(struct imap_arena *arena, const struct imap_caps *caps)
{
    if (!caps)
        return NULL;
    struct imap_caps *copy = imap_arena_alloc(arena, sizeof *copy);
    *copy = *caps;
    return copy;
}

static const struct imap_text *copy_text(struct imap_arena *arena, const struct imap_text *text)
{
    struct imap_text *copy = imap_arena_alloc(arena, sizeof *copy);
    *copy = *text;
    copy->code_name = copy_str(arena, text->code_name);
    copy->code_args = copy_str(arena, text->code_args);
    copy->text = copy_str(arena, text->text);
    copy->from = copy_set(arena, text->from);
    copy->to = copy_set(arena, text->to);
    copy->caps = copy_caps(arena, text->caps);
    copy->flags = copy_flags(arena, text->flags);
    return copy;
}

void imap_answer_finish(struct imap_answer *answer, const struct imap_result *result)
{
    answer->status = result->status;
    answer->error = *result->error;
    if (result->text)
        answer->text = copy_text(&answer->arena, result->text);
    /* a part of an answer must not be taken for all of it */
    if (answer->over && answer->status == IMAP_OK)
        answer->status =
            imap_error_set(&answer->error, IMAP_LIMIT,
                           "the server's answer takes more than the %zu bytes granted to it", answer->cap);
}

/* ---- reading ------------------------------------------------------------------------------------ */

enum imap_status imap_answer_status(const struct imap_answer *answer)
{
    return answer->status;
}

const struct imap_error *imap_answer_error(const struct imap_answer *answer)
{
    return &answer->error;
}

const struct imap_text *imap_answer_text(const struct imap_answer *answer)
{
    return answer->text;
}

size_t imap_answer_count(const struct imap_answer *answer)
{
    return answer->count;
}

size_t imap_answer_bytes(const struct imap_answer *answer)
{
    return imap_arena_used(&answer->arena) + answer->body_bytes;
}

const struct imap_response *imap_answer_any(const struct imap_answer *answer,
                                            const struct imap_response *after)
{
    const struct imap_answer_node *node = (const struct imap_answer_node *)(const void *)after;
    node = node ? node->next : answer->first;
    return node ? &node->response : NULL;
}

const struct imap_response *imap_answer_next(const struct imap_answer *answer, enum imap_response_type type,
                                             const struct imap_response *after)
{
    do
        after = imap_answer_any(answer, after);
    while (after && after->type != type);
    return after;
}

const struct imap_view *imap_answer_view(const struct imap_answer *answer, enum imap_view_kind kind,
                                         imap_view_make *make)
{
    _Atomic(struct imap_view *) *slot = &((struct imap_answer *)answer)->views[kind];
    struct imap_view *view = atomic_load_explicit(slot, memory_order_acquire), *made;
    if (view)
        return view;
    made = imap_xcalloc(1, sizeof *made);
    imap_arena_init(&made->arena, SIZE_MAX);
    make(answer, made);
    if (atomic_compare_exchange_strong_explicit(slot, &view, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    free_view(made);
    return view;
}
