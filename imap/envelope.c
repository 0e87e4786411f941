/* SPDX-License-Identifier: MIT */
#include "envelope.h"

#define ENVELOPE_FIELDS 10
#define ADDRESS_FIELDS 4

static const char *text_of(const struct imap_value *value)
{
    const char *text;

    return imap_value_nstring(value, &text, NULL) ? text : NULL;
}

static const struct imap_address *new_address(const struct imap_value *fields, struct imap_arena *arena)
{
    struct imap_address *address = imap_arena_zalloc(arena, sizeof(*address));

    address->name = text_of(fields);
    address->route = text_of(fields->next);
    address->mailbox = text_of(fields->next->next);
    address->host = text_of(fields->next->next->next);
    return address;
}

static const struct imap_address *parse_addresses(const struct imap_value *value, struct imap_arena *arena)
{
    const struct imap_address *first = NULL, **tail = &first;

    if (value->kind != IMAP_VALUE_LIST || !value->child)
        return NULL;
    /* One address without the list around it. */
    if (value->child->kind != IMAP_VALUE_LIST)
        return imap_value_count(value) == ADDRESS_FIELDS ? new_address(value->child, arena) : NULL;
    for (const struct imap_value *item = value->child; item; item = item->next) {
        struct imap_address *address;

        if (imap_value_count(item) != ADDRESS_FIELDS)
            continue;
        address = (struct imap_address *)new_address(item->child, arena);
        *tail = address;
        tail = &address->next;
    }
    return first;
}

/* Positions tell the fields apart, so a shifted one (a quote that was not escaped) must not be believed. */
static bool is_envelope(const struct imap_value *value)
{
    const struct imap_value *field;
    int position = 0;

    if (imap_value_count(value) < ENVELOPE_FIELDS)
        return false;
    for (field = value->child; position < ENVELOPE_FIELDS; field = field->next, position++) {
        bool addresses = position >= 2 && position <= 7;
        bool empty =
            field->kind == IMAP_VALUE_NIL ||
            ((field->kind == IMAP_VALUE_STRING || field->kind == IMAP_VALUE_ATOM) && field->len == 0);

        if (addresses ? !empty && field->kind != IMAP_VALUE_LIST : field->kind == IMAP_VALUE_LIST)
            return false;
    }
    return true;
}

const struct imap_envelope *imap_envelope_parse(const struct imap_value *value, struct imap_arena *arena)
{
    const struct imap_address **addresses[6];
    const struct imap_value *field;
    struct imap_envelope *envelope;

    /* Domino puts a second pair of parentheses around it. */
    if (imap_value_count(value) == 1)
        value = value->child;
    if (!is_envelope(value))
        return NULL;
    envelope = imap_arena_zalloc(arena, sizeof(*envelope));
    addresses[0] = &envelope->from;
    addresses[1] = &envelope->sender;
    addresses[2] = &envelope->reply_to;
    addresses[3] = &envelope->to;
    addresses[4] = &envelope->cc;
    addresses[5] = &envelope->bcc;
    field = value->child;
    envelope->date = text_of(field);
    field = field->next;
    envelope->subject = text_of(field);
    field = field->next;
    for (int i = 0; i < 6; i++, field = field->next)
        *addresses[i] = parse_addresses(field, arena);
    envelope->in_reply_to = text_of(field);
    envelope->message_id = text_of(field->next);
    return envelope;
}
