/* SPDX-License-Identifier: MIT */
/* LIST, LSUB, STATUS and the other responses that name a mailbox. */
#include "respdata.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- mailbox names ----------------------------------------------------------------------------- */

struct name {
    const char *text;
    size_t len;
};

static bool plain_name(const struct imap_value *value, struct name *name_out)
{
    if (!value || !value->str || value->kind == IMAP_VALUE_LIST)
        return false;
    /* A mailbox may be called NIL. */
    name_out->text = value->str;
    name_out->len = value->len;
    return true;
}

/* A name that was sent as it is, spaces, brackets and all: the text from `from` to `to`. */
static struct name raw_name(const struct imap_resp_context *context, const char *from, const char *to)
{
    struct name name;
    char *copy, *out;
    size_t len;

    while (to > from && (to[-1] == ' ' || to[-1] == '\r'))
        to--;
    len = (size_t)(to - from);
    if (len >= 2 && from[0] == '"' && to[-1] == '"') {
        from++;
        len -= 2;
    }
    copy = out = imap_arena_alloc(context->arena, len + 1);
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '\\' && i + 1 < len && (from[i + 1] == '"' || from[i + 1] == '\\'))
            i++;
        *out++ = from[i];
    }
    *out = '\0';
    name.text = copy;
    name.len = (size_t)(out - copy);
    return name;
}

/* A name is bytes without NUL, CR and LF (RFC 3501 9 mailbox; RFC 6855 4). */
static bool is_sane_name(const struct name *name)
{
    return !memchr(name->text, '\0', name->len) && !memchr(name->text, '\n', name->len) &&
           !memchr(name->text, '\r', name->len);
}

static const struct imap_value *last_of(const struct imap_value *value)
{
    while (value && value->next)
        value = value->next;
    return value;
}

/* ---- LIST -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned bits;
} attributes[] = {
    {"\\Noselect", IMAP_MBOX_NOSELECT},
    {"\\Noinferiors", IMAP_MBOX_NOINFERIORS},
    {"\\Marked", IMAP_MBOX_MARKED},
    {"\\Unmarked", IMAP_MBOX_UNMARKED},
    {"\\NonExistent", IMAP_MBOX_NONEXISTENT | IMAP_MBOX_NOSELECT},
    {"\\HasChildren", IMAP_MBOX_HASCHILDREN},
    {"\\HasNoChildren", IMAP_MBOX_HASNOCHILDREN},
    {"\\Subscribed", IMAP_MBOX_SUBSCRIBED},
    {"\\Remote", IMAP_MBOX_REMOTE},
};

static bool is_special_use(const char *attribute)
{
    static const char *const uses[] = {"\\All",  "\\Archive", "\\Drafts", "\\Flagged",
                                       "\\Junk", "\\Sent",    "\\Trash",  "\\Important"};

    for (size_t i = 0; i < COUNT(uses); i++)
        if (strcasecmp(attribute, uses[i]) == 0)
            return true;
    return false;
}

static void read_attributes(const struct imap_value *list_value, struct imap_list *list)
{
    for (const struct imap_value *item = list_value->child; item; item = item->next) {
        const char *attribute;

        if (!imap_value_astring(item, &attribute, NULL))
            continue;
        for (size_t i = 0; i < COUNT(attributes); i++)
            if (strcasecmp(attribute, attributes[i].name) == 0)
                list->attributes |= attributes[i].bits;
        if (!list->special_use && is_special_use(attribute))
            list->special_use = attribute;
    }
}

static bool read_delimiter(const struct imap_value *value, char *delimiter_out)
{
    const char *text;
    size_t len;

    if (!imap_value_nstring(value, &text, &len) || len > 1)
        return false;
    *delimiter_out = '\0';
    if (len == 1)
        *delimiter_out = text[0];
    return true;
}

/* tagged-ext-val (RFC 4466): a list, a number or a set. Anything else is part of an odd name. */
static bool is_extension_value(const struct imap_value *value)
{
    if (value->kind == IMAP_VALUE_LIST)
        return true;
    return value->kind == IMAP_VALUE_ATOM && value->len > 0 &&
           strspn(value->str, "0123456789:,*") == value->len;
}

static bool is_extended(const struct imap_value *value)
{
    const struct imap_value *name;

    if (value->kind != IMAP_VALUE_LIST || !value->child || value->next)
        return false;
    for (name = value->child; name; name = name->next->next)
        if (!name->str || !isalpha((unsigned char)name->str[0]) || !name->next ||
            !is_extension_value(name->next))
            return false;
    return true;
}

static void read_extended(const struct imap_value *value, struct imap_list *list)
{
    list->extended = value->child;
    for (const struct imap_value *name = value->child; name; name = name->next->next) {
        const struct imap_value *item = name->next;

        if (strcasecmp(name->str, "OLDNAME") == 0 && item->kind == IMAP_VALUE_LIST)
            (void)imap_value_astring(item->child, &list->old_name, NULL);
    }
}

/* The text behind attributes and delimiter. */
static struct name rest_as_name(const struct imap_resp_context *context)
{
    struct imap_lex lex;

    imap_lex_init(&lex, &context->args, context->depth, context->arena);
    imap_lex_value(&lex);
    imap_lex_value(&lex);
    imap_lex_skip_space(&lex);
    return raw_name(context, lex.at, lex.end);
}

bool imap_respdata_list(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *attrs = response->values->child;
    const struct imap_value *delimiter = attrs ? attrs->next : NULL;
    const struct imap_value *mailbox = delimiter ? delimiter->next : NULL;
    struct imap_list *list = &response->list;
    struct name name;
    bool odd;

    if (!mailbox || (attrs->kind != IMAP_VALUE_LIST && attrs->kind != IMAP_VALUE_NIL) ||
        !read_delimiter(delimiter, &list->delimiter))
        return false;
    odd = !plain_name(mailbox, &name) || (context->lex->unbalanced && mailbox->kind == IMAP_VALUE_ATOM) ||
          (mailbox->next && !is_extended(mailbox->next));
    if (odd)
        name = rest_as_name(context);
    else if (mailbox->next)
        read_extended(mailbox->next, list);
    if (!is_sane_name(&name))
        return false;
    read_attributes(attrs, list);
    list->name = name.text;
    list->name_len = name.len;
    return true;
}

/* ---- STATUS ------------------------------------------------------------------------------------ */

struct status_item {
    const char *name;
    size_t offset;
    unsigned bit;
    bool wide; /* 64 bits */
};

#define ITEM(item, field, is_wide)                                                                           \
    {                                                                                                        \
        .name = #item, .offset = offsetof(struct imap_mailbox_status, field), .bit = IMAP_STATUS_##item,     \
        .wide = (is_wide)                                                                                    \
    }
static const struct status_item items[] = {
    ITEM(MESSAGES, messages, false),
    ITEM(RECENT, recent, false),
    ITEM(UIDNEXT, uidnext, false),
    ITEM(UIDVALIDITY, uidvalidity, false),
    ITEM(UNSEEN, unseen, false),
    ITEM(DELETED, deleted, false),
    ITEM(SIZE, size, true),
    ITEM(HIGHESTMODSEQ, highestmodseq, true),
    ITEM(APPENDLIMIT, appendlimit, true),
};

static void read_status_number(struct imap_mailbox_status *status, const struct status_item *item,
                               const struct imap_value *value)
{
    char *field = (char *)status + item->offset;
    uint32_t narrow;
    uint64_t number;

    if (!imap_value_number(value, item->wide ? (uint64_t)INT64_MAX : UINT32_MAX, &number))
        return;
    narrow = (uint32_t)number;
    if (item->wide)
        memcpy(field, &number, sizeof(number));
    else
        memcpy(field, &narrow, sizeof(narrow));
    status->has |= item->bit;
}

static void read_status_item(struct imap_mailbox_status *status, const struct imap_value *name,
                             const struct imap_value *value)
{
    const struct imap_value *id = value->kind == IMAP_VALUE_LIST ? value->child : value;

    if (imap_value_is_atom(name, "MAILBOXID") && imap_value_astring(id, &status->mailboxid, NULL))
        status->has |= IMAP_STATUS_MAILBOXID;
    for (size_t i = 0; i < COUNT(items); i++)
        if (imap_value_is_atom(name, items[i].name))
            read_status_number(status, &items[i], value);
}

/* The text before the last list. */
static struct name text_before_last(const struct imap_resp_context *context)
{
    const char *start = context->args.data, *before = start;
    struct imap_lex lex;

    imap_lex_init(&lex, &context->args, context->depth, context->arena);
    imap_lex_skip_space(&lex);
    start = lex.at;
    do {
        imap_lex_skip_space(&lex);
        before = lex.at < lex.end ? lex.at : before;
    } while (imap_lex_value(&lex));
    return raw_name(context, start, before);
}

bool imap_respdata_status(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *mailbox = response->values->child, *list = last_of(mailbox);
    struct imap_mailbox_status *status = &response->status;
    struct name name;

    if (!list || list->kind != IMAP_VALUE_LIST || list == mailbox)
        return false;
    if (mailbox->next != list || !plain_name(mailbox, &name))
        name = text_before_last(context);
    if (!is_sane_name(&name))
        return false;
    status->name = name.text;
    status->name_len = name.len;
    for (const struct imap_value *item = list->child; item && item->next; item = item->next->next)
        read_status_item(status, item, item->next);
    return true;
}

/* ---- the others -------------------------------------------------------------------------------- */

static const struct imap_namespace_entry *read_entries(const struct imap_value *list,
                                                       struct imap_arena *arena)
{
    const struct imap_namespace_entry *first = NULL, **tail = &first;

    if (list->kind != IMAP_VALUE_LIST)
        return NULL;
    for (const struct imap_value *item = list->child; item; item = item->next) {
        struct imap_namespace_entry *entry;
        struct name prefix;
        char delimiter;

        if (item->kind != IMAP_VALUE_LIST || !plain_name(item->child, &prefix) || !is_sane_name(&prefix) ||
            !read_delimiter(item->child->next, &delimiter))
            continue;
        entry = imap_arena_zalloc(arena, sizeof(*entry));
        entry->prefix = prefix.text;
        entry->delimiter = delimiter;
        *tail = entry;
        tail = &entry->next;
    }
    return first;
}

bool imap_respdata_namespace(const struct imap_resp_context *context, struct imap_response *response)
{
    const struct imap_value *item = response->values->child;
    const struct imap_namespace_entry **kinds[] = {&response->ns.personal, &response->ns.other,
                                                   &response->ns.shared};

    for (size_t i = 0; i < COUNT(kinds); i++, item = item->next) {
        if (!item || (item->kind != IMAP_VALUE_LIST && item->kind != IMAP_VALUE_NIL))
            return false;
        *kinds[i] = read_entries(item, context->arena);
    }
    return true;
}

bool imap_respdata_quotaroot(const struct imap_resp_context *context, struct imap_response *response)
{
    struct name name;

    (void)context;
    if (!plain_name(response->values->child, &name) || !is_sane_name(&name))
        return false;
    response->quotaroot.name = name.text;
    response->quotaroot.roots = response->values->child->next;
    return true;
}
