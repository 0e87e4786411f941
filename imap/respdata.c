/* SPDX-License-Identifier: MIT */
#include "respdata.h"

#include <string.h>

#include "bodystruct.h"
#include "fetch.h"
#include "flags.h"

/* ---- shared with the response codes ------------------------------------------------------------ */

const struct imap_seqset *imap_respdata_seqset(const struct imap_value *value, struct imap_arena *arena)
{
    struct imap_seqset parsed = {0}, *set = NULL;

    if (!value || value->kind != IMAP_VALUE_ATOM)
        return NULL;
    if (imap_seqset_parse(&parsed, value->str, value->len, NULL) == IMAP_OK) {
        set = imap_arena_zalloc(arena, sizeof(*set));
        if (parsed.count > 0) {
            set->ranges = imap_arena_array(arena, parsed.count, sizeof(*set->ranges));
            memcpy(set->ranges, parsed.ranges, parsed.count * sizeof(*set->ranges));
        }
        set->count = set->capacity = parsed.count;
    }
    imap_seqset_fini(&parsed);
    return set;
}

struct imap_caps *imap_respdata_words(const struct imap_value *first, struct imap_arena *arena)
{
    struct imap_caps *caps = imap_arena_alloc(arena, sizeof(*caps));

    imap_caps_clear(caps);
    for (; first; first = first->next)
        if (first->kind == IMAP_VALUE_ATOM)
            imap_caps_add(caps, first->str, first->len);
    return caps;
}

/* ---- the readers ------------------------------------------------------------------------------- */

bool imap_respdata_caps(const struct imap_resp_context *context, struct imap_response *response)
{
    response->caps = imap_respdata_words(response->values->child, context->arena);
    return true;
}

bool imap_respdata_flags(const struct imap_resp_context *context, struct imap_response *response)
{
    return imap_flags_read(response->values->child, context->arena, &response->flags);
}

bool imap_respdata_search(const struct imap_resp_context *context, struct imap_response *response)
{
    struct imap_search *search = &response->search;
    uint32_t *numbers =
        imap_arena_array(context->arena, imap_value_count(response->values), sizeof(*numbers));
    const struct imap_value *item;
    uint64_t number;

    for (item = response->values->child; item; item = item->next) {
        if (item->kind == IMAP_VALUE_LIST) {
            if (imap_value_is_atom(item->child, "MODSEQ"))
                (void)imap_value_number(item->child->next, INT64_MAX, &search->modseq);
            continue;
        }
        if (!imap_value_number(item, UINT32_MAX, &number))
            return false;
        if (number > 0)
            numbers[search->count++] = (uint32_t)number;
    }
    search->numbers = numbers;
    return true;
}

static bool small(const struct imap_value *value, uint32_t *number_out)
{
    uint64_t number;

    if (!imap_value_number(value, UINT32_MAX, &number))
        return false;
    *number_out = (uint32_t)number;
    return true;
}

/* "PARTIAL (1:10 2,4)" or "PARTIAL (1:10 NIL)" (RFC 9394) */
static bool read_partial(struct imap_esearch *esearch, const struct imap_value *value,
                         struct imap_arena *arena)
{
    const struct imap_value *set = value->kind == IMAP_VALUE_LIST && value->child ? value->child->next : NULL;

    if (!set)
        return false;
    esearch->has_partial = true;
    if (set->kind == IMAP_VALUE_NIL)
        return true;
    esearch->partial = imap_respdata_seqset(set, arena);
    return esearch->partial;
}

static bool read_esearch_item(struct imap_esearch *esearch, const struct imap_value *name,
                              const struct imap_value *value, struct imap_arena *arena)
{
    if (imap_value_is_atom(name, "MIN"))
        return esearch->has_min = small(value, &esearch->min);
    if (imap_value_is_atom(name, "MAX"))
        return esearch->has_max = small(value, &esearch->max);
    if (imap_value_is_atom(name, "COUNT"))
        return esearch->has_count = small(value, &esearch->count);
    if (imap_value_is_atom(name, "PARTIAL"))
        return read_partial(esearch, value, arena);
    if (imap_value_is_atom(name, "MODSEQ")) {
        (void)imap_value_number(value, INT64_MAX, &esearch->modseq);
        return true;
    }
    if (imap_value_is_atom(name, "ALL")) {
        esearch->all = imap_respdata_seqset(value, arena);
        return esearch->has_all = esearch->all;
    }
    return true; /* of an extension */
}

static const char *tag_of(const struct imap_value *correlator)
{
    const struct imap_value *item;
    const char *tag;

    for (item = correlator->child; item && item->next; item = item->next->next)
        if (imap_value_is_atom(item, "TAG") && imap_value_astring(item->next, &tag, NULL))
            return tag;
    return NULL;
}

bool imap_respdata_esearch(const struct imap_resp_context *context, struct imap_response *response)
{
    struct imap_esearch *esearch = &response->esearch;
    const struct imap_value *item = response->values->child;

    if (item && item->kind == IMAP_VALUE_LIST) {
        esearch->tag = tag_of(item);
        item = item->next;
    }
    if (item && imap_value_is_atom(item, "UID")) {
        esearch->uid = true;
        item = item->next;
    }
    for (; item; item = item->next->next)
        if (!item->next || !read_esearch_item(esearch, item, item->next, context->arena))
            return false;
    return true;
}

bool imap_respdata_vanished(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *item = response->values->child;

    if (item && item->kind == IMAP_VALUE_LIST) {
        response->vanished.earlier = imap_value_is_atom(item->child, "EARLIER");
        item = item->next;
    }
    response->vanished.uids = imap_respdata_seqset(item, context->arena);
    return response->vanished.uids;
}

bool imap_respdata_fetch(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *list = response->values->child;
    struct imap_fetch *fetch = &response->fetch;

    if (!list || list->kind != IMAP_VALUE_LIST)
        return false;
    if (strcmp(response->name, "UIDFETCH") == 0) {
        fetch->uid = response->number;
        fetch->has = fetch->uid ? IMAP_FETCH_UID : 0;
    } else {
        fetch->seq = response->number;
    }
    imap_fetch_parse(list, context->lex->pending, context->arena, fetch, context->pending_out);
    return true;
}

bool imap_respdata_id(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *item = response->values->child;

    if (!item || (item->kind != IMAP_VALUE_LIST && item->kind != IMAP_VALUE_NIL))
        return false;
    response->id.params = imap_params_parse(item, context->arena);
    return true;
}

static void read_resources(const struct imap_value *item, struct imap_quota *quota, struct imap_arena *arena)
{
    const struct imap_quota_resource **tail = &quota->resources;

    for (; item && item->next && item->next->next; item = item->next->next->next) {
        struct imap_quota_resource *resource;
        uint64_t usage, limit;
        const char *name;

        if (!imap_value_astring(item, &name, NULL) || !imap_value_number(item->next, INT64_MAX, &usage) ||
            !imap_value_number(item->next->next, INT64_MAX, &limit))
            continue;
        resource = imap_arena_zalloc(arena, sizeof(*resource));
        resource->name = name;
        resource->usage = usage;
        resource->limit = limit;
        *tail = resource;
        tail = &resource->next;
    }
}

bool imap_respdata_quota(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *root = response->values->child;
    const struct imap_value *list = root ? root->next : NULL;

    if (!root || !root->str || !list || list->kind != IMAP_VALUE_LIST)
        return false;
    response->quota.root = root->str;
    read_resources(list->child, &response->quota, context->arena);
    return true;
}
