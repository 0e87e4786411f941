/* SPDX-License-Identifier: MIT */
/* THREAD, and what servers say of rights and annotations. */
#include "respdata.h"

#include <string.h>

/* ---- THREAD ------------------------------------------------------------------------------------- */

/*
 * Read from the text, not from the values: a discussion may branch deeper than lists may nest elsewhere, and
 * here nothing is recursive. What hostile lists can make it hold is one frame a parenthesis, which the arena's
 * cap bounds.
 */
struct frame {
    struct frame *outer;
    struct imap_thread *last; /* the message that what comes next answers; NULL: none in this list yet */
    const struct imap_thread *
        *tail;   /* where the next list goes: the last of the siblings' next, or a child */
    bool nested; /* a list was in this one: no message may follow */
};

struct threads {
    struct imap_arena *arena;
    struct frame *top, *spare;
};

static bool push(struct threads *threads, const struct imap_thread **tail)
{
    struct frame *frame = threads->spare;

    if (frame)
        threads->spare = frame->outer;
    else if (imap_arena_full(threads->arena))
        return false;
    else
        frame = imap_arena_alloc(threads->arena, sizeof(*frame));
    *frame = (struct frame){.outer = threads->top, .tail = tail};
    threads->top = frame;
    return true;
}

static struct imap_thread *add_message(struct threads *threads, uint32_t number)
{
    struct imap_thread *thread = imap_arena_alloc(threads->arena, sizeof(*thread));
    struct frame *frame = threads->top;

    *thread = (struct imap_thread){.number = number};
    *frame->tail = thread;
    /* The first of a list is one of several siblings; those after it answer one another. */
    if (!frame->last)
        frame->outer->tail = &thread->next;
    frame->last = thread;
    frame->tail = &thread->child;
    return thread;
}

static bool open_list(struct threads *threads)
{
    struct frame *frame = threads->top;

    if (frame->outer) {
        /* Answers to a message that is not there. */
        if (!frame->last)
            add_message(threads, 0);
        frame->nested = true;
    }
    return push(threads, frame->tail);
}

static bool close_list(struct threads *threads)
{
    struct frame *frame = threads->top;

    if (!frame->outer || !frame->last)
        return false;
    threads->top = frame->outer;
    frame->outer = threads->spare;
    threads->spare = frame;
    return true;
}

static bool take_number(struct threads *threads, const char **at, const char *end)
{
    struct imap_value value = {.kind = IMAP_VALUE_ATOM, .str = *at};
    uint64_t number;

    while (*at < end && !strchr(" ()\r\n", **at))
        (*at)++;
    value.len = (uint32_t)(*at - value.str);
    if (!threads->top->outer || threads->top->nested || !imap_value_number(&value, UINT32_MAX, &number) ||
        number == 0)
        return false;
    add_message(threads, (uint32_t)number);
    return true;
}

bool imap_respdata_thread(const struct imap_resp_context *context, struct imap_response *response)
{
    const char *at = context->args.data, *end = at + context->args.len;
    struct threads threads = {.arena = context->arena};
    const struct imap_thread *roots = NULL;
    bool fine = push(&threads, &roots);

    while (fine && at < end) {
        if (*at == ' ')
            at++;
        else if (*at == '(')
            fine = open_list(&threads), at++;
        else if (*at == ')')
            fine = close_list(&threads), at++;
        else
            fine = take_number(&threads, &at, end);
    }
    if (!fine || threads.top->outer)
        return false;
    response->threads = roots;
    return true;
}

/* ---- rights (RFC 4314) -------------------------------------------------------------------------- */

/* A string that can be told by its NUL: neither list nor NIL, unless NIL is a name here. */
static bool read_text(const struct imap_value *value, const char **text_out)
{
    if (!value || value->kind == IMAP_VALUE_LIST || !value->str || strlen(value->str) != value->len)
        return false;
    *text_out = value->str;
    return true;
}

static bool read_name(const struct imap_value *value, const char **name_out)
{
    return read_text(value, name_out) && !strpbrk(*name_out, "\r\n");
}

bool imap_respdata_acl(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *item = response->values->child;
    const struct imap_acl_entry **tail = &response->acl.entries;

    if (!read_name(item, &response->acl.name))
        return false;
    for (item = item->next; item; item = item->next->next) {
        struct imap_acl_entry *entry = imap_arena_zalloc(context->arena, sizeof(*entry));

        if (!read_text(item, &entry->identifier) || !read_text(item->next, &entry->rights))
            return false;
        *tail = entry;
        tail = &entry->next;
    }
    return true;
}

bool imap_respdata_myrights(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *name = response->values->child;
    struct imap_acl_entry *entry = imap_arena_zalloc(context->arena, sizeof(*entry));

    if (!read_name(name, &response->acl.name) || !read_text(name->next, &entry->rights) || name->next->next)
        return false;
    response->acl.entries = entry;
    return true;
}

bool imap_respdata_listrights(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *name = response->values->child, *identifier = name ? name->next : NULL;
    struct imap_listrights *rights = &response->listrights;
    const char *text;

    (void)context;
    if (!identifier || !identifier->next || !read_name(name, &rights->name) ||
        !read_text(identifier, &rights->identifier) || !read_text(identifier->next, &rights->required))
        return false;
    rights->optional = identifier->next->next;
    for (const struct imap_value *item = rights->optional; item; item = item->next)
        if (item->kind == IMAP_VALUE_NIL || !read_text(item, &text))
            return false;
    return true;
}

/* ---- METADATA (RFC 5464) and ANNOTATION (draft-daboo-imap-annotatemore) -------------------------- */

struct entries {
    struct imap_arena *arena;
    const struct imap_metadata_entry **tail;
};

static struct imap_metadata_entry *add_entry(struct entries *entries, const struct imap_value *name)
{
    struct imap_metadata_entry *entry = imap_arena_zalloc(entries->arena, sizeof(*entry));

    if (!read_text(name, &entry->entry) || *entry->entry != '/')
        return NULL;
    *entries->tail = entry;
    entries->tail = &entry->next;
    return entry;
}

static bool add_names(struct entries *entries, const struct imap_value *name)
{
    for (; name; name = name->next)
        if (!add_entry(entries, name))
            return false;
    return true;
}

static bool add_values(struct entries *entries, const struct imap_value *name)
{
    for (; name; name = name->next->next) {
        struct imap_metadata_entry *entry = add_entry(entries, name);

        if (!entry || !name->next || !imap_value_nstring(name->next, &entry->value, &entry->value_len))
            return false;
    }
    return true;
}

static const struct imap_value *start_metadata(const struct imap_resp_context *context,
                                               struct imap_response *response, struct entries *entries)
{
    struct imap_metadata *metadata = &response->metadata;
    const struct imap_value *name = response->values->child;

    *entries = (struct entries){context->arena, &metadata->entries};
    return read_name(name, &metadata->name) ? name->next : NULL;
}

bool imap_respdata_metadata(const struct imap_resp_context *context, struct imap_response *response)
{
    struct entries entries;
    const struct imap_value *item = start_metadata(context, response, &entries);

    if (!item)
        return false;
    if (item->kind != IMAP_VALUE_LIST)
        return add_names(&entries, item);
    return !item->next && add_values(&entries, item->child);
}

/* entry (attribute value attribute value ...) */
static bool add_attributes(struct entries *entries, const struct imap_value *name)
{
    const struct imap_value *attribute;

    if (!name->next || name->next->kind != IMAP_VALUE_LIST)
        return false;
    for (attribute = name->next->child; attribute; attribute = attribute->next->next) {
        struct imap_metadata_entry *entry = add_entry(entries, name);

        if (!entry || !read_text(attribute, &entry->attribute) || !attribute->next ||
            !imap_value_nstring(attribute->next, &entry->value, &entry->value_len))
            return false;
    }
    return true;
}

bool imap_respdata_annotation(const struct imap_resp_context *context, struct imap_response *response)
{
    struct entries entries;
    const struct imap_value *item = start_metadata(context, response, &entries);

    if (!item)
        return false;
    if (item->kind == IMAP_VALUE_LIST) /* only says what has changed */
        return !item->next && add_names(&entries, item->child);
    for (; item; item = item->next->next)
        if (!add_attributes(&entries, item))
            return false;
    return true;
}
