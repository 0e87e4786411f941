/* SPDX-License-Identifier: MIT */
#include "bodystruct.h"

#include <strings.h>

#include "envelope.h"

static const char *text_of(const struct imap_value *value)
{
    const char *text;

    return imap_value_nstring(value, &text, NULL) ? text : NULL;
}

static uint64_t number_of(const struct imap_value *value)
{
    uint64_t number = 0;

    return imap_value_number(value, UINT64_MAX, &number) ? number : 0;
}

/* Takes the item at *at, which may be the end already: extension data stops anywhere. */
static const struct imap_value *take(const struct imap_value **at)
{
    const struct imap_value *value = *at;

    if (value)
        *at = value->next;
    return value;
}

const struct imap_param *imap_params_parse(const struct imap_value *value, struct imap_arena *arena)
{
    const struct imap_param *first = NULL, **tail = &first;

    if (!value || value->kind != IMAP_VALUE_LIST)
        return NULL;
    for (const struct imap_value *name = value->child; name && name->next; name = name->next->next) {
        struct imap_param *param;

        if (!text_of(name))
            continue;
        param = imap_arena_zalloc(arena, sizeof(*param));
        param->name = text_of(name);
        param->value = text_of(name->next);
        *tail = param;
        tail = &param->next;
    }
    return first;
}

/* disposition, language, location: the same for both kinds of body */
static void parse_extension(struct imap_part *part, const struct imap_value *at, struct imap_arena *arena)
{
    const struct imap_value *disposition = take(&at), *language = take(&at);

    if (disposition && disposition->kind == IMAP_VALUE_LIST && disposition->child) {
        part->disposition = text_of(disposition->child);
        part->disposition_params = imap_params_parse(disposition->child->next, arena);
    } else {
        part->disposition = text_of(disposition);
    }
    if (language && language->kind != IMAP_VALUE_NIL)
        part->language = language;
    part->location = text_of(take(&at));
}

static bool parse_multipart(struct imap_part *part, const struct imap_value *at, struct imap_arena *arena)
{
    const struct imap_part **tail = &part->child;

    for (; at && at->kind == IMAP_VALUE_LIST; at = at->next) {
        const struct imap_part *child = imap_bodystruct_parse(at, arena);

        if (!child)
            return false;
        *tail = child;
        tail = &((struct imap_part *)child)->next;
    }
    part->type = "multipart";
    part->subtype = text_of(take(&at));
    if (!part->subtype)
        return false;
    part->params = imap_params_parse(take(&at), arena);
    parse_extension(part, at, arena);
    return true;
}

static bool is_message(const struct imap_part *part)
{
    return strcasecmp(part->type, "message") == 0 &&
           (strcasecmp(part->subtype, "rfc822") == 0 || strcasecmp(part->subtype, "global") == 0);
}

/* Some servers leave the envelope and the body of a message/rfc822 out. */
static bool parse_message(struct imap_part *part, const struct imap_value **at, struct imap_arena *arena)
{
    const struct imap_value *envelope = *at, *body = envelope ? envelope->next : NULL;

    if (!body || body->kind != IMAP_VALUE_LIST)
        return true;
    part->envelope = imap_envelope_parse(envelope, arena);
    part->child = imap_bodystruct_parse(body, arena);
    *at = body->next;
    part->lines = number_of(take(at));
    return part->child;
}

static bool parse_single(struct imap_part *part, const struct imap_value *at, struct imap_arena *arena)
{
    part->type = text_of(take(&at));
    part->subtype = text_of(take(&at));
    if (!part->type || !part->subtype)
        return false;
    part->params = imap_params_parse(take(&at), arena);
    part->id = text_of(take(&at));
    part->description = text_of(take(&at));
    part->encoding = text_of(take(&at));
    part->size = number_of(take(&at));
    if (is_message(part)) {
        if (!parse_message(part, &at, arena))
            return false;
    } else if (strcasecmp(part->type, "text") == 0) {
        part->lines = number_of(take(&at));
    }
    part->md5 = text_of(take(&at));
    parse_extension(part, at, arena);
    return true;
}

const struct imap_part *imap_bodystruct_parse(const struct imap_value *value, struct imap_arena *arena)
{
    struct imap_part *part;
    bool parsed;

    if (!value || value->kind != IMAP_VALUE_LIST || !value->child)
        return NULL;
    part = imap_arena_zalloc(arena, sizeof(*part));
    if (value->child->kind == IMAP_VALUE_LIST)
        parsed = parse_multipart(part, value->child, arena);
    else if (value->child->kind == IMAP_VALUE_NIL && value->child->str) /* a multipart without parts */
        parsed = parse_multipart(part, value->child->next, arena);
    else
        parsed = parse_single(part, value->child, arena);
    return parsed ? part : NULL;
}
