/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include <string.h>
#include <strings.h>

#include "bodystruct.h"
#include "envelope.h"
#include "flags.h"

/* A mod-sequence is below 2^63 (RFC 7162 7). */
#define MODSEQ_MAX INT64_MAX

struct context {
    struct imap_arena *arena;
    struct imap_fetch *fetch;
    const struct imap_value *pending;
    const struct imap_section **pending_out;
    const struct imap_section **tail; /* where the next section goes */
};

/* Each reads the value (never NULL) and tells whether it made sense. */
typedef bool read_fn(struct context *context, const struct imap_value *value);

static bool read_uid(struct context *context, const struct imap_value *value)
{
    uint64_t uid;

    if (!imap_value_number(value, UINT32_MAX, &uid) || uid == 0)
        return false;
    context->fetch->uid = (uint32_t)uid;
    return true;
}

static bool read_flags(struct context *context, const struct imap_value *value)
{
    return imap_flags_read(value, context->arena, &context->fetch->flags);
}

static bool read_date(const struct imap_value *value, struct imap_date *date_out)
{
    return value->kind == IMAP_VALUE_STRING && imap_date_parse(value->str, value->len, date_out);
}

static bool read_internaldate(struct context *context, const struct imap_value *value)
{
    return read_date(value, &context->fetch->internaldate);
}

static bool read_savedate(struct context *context, const struct imap_value *value)
{
    return read_date(value, &context->fetch->savedate);
}

static bool read_size(struct context *context, const struct imap_value *value)
{
    return imap_value_number(value, INT64_MAX, &context->fetch->size);
}

/* The one item of a list (or the bare item, as some servers send it). */
static const struct imap_value *inside(const struct imap_value *value)
{
    return value->kind == IMAP_VALUE_LIST ? value->child : value;
}

static bool read_modseq(struct context *context, const struct imap_value *value)
{
    return imap_value_number(inside(value), MODSEQ_MAX, &context->fetch->modseq);
}

static bool read_envelope(struct context *context, const struct imap_value *value)
{
    const struct imap_envelope *envelope = imap_envelope_parse(value, context->arena);

    if (envelope)
        context->fetch->envelope = envelope;
    return envelope;
}

static bool read_structure(struct context *context, const struct imap_value *value)
{
    const struct imap_part *structure = imap_bodystruct_parse(value, context->arena);

    if (structure)
        context->fetch->structure = structure;
    return structure;
}

static bool read_emailid(struct context *context, const struct imap_value *value)
{
    return imap_value_nstring(inside(value), &context->fetch->emailid, NULL);
}

static bool read_threadid(struct context *context, const struct imap_value *value)
{
    return imap_value_nstring(inside(value), &context->fetch->threadid, NULL);
}

static bool read_preview(struct context *context, const struct imap_value *value)
{
    return imap_value_nstring(value, &context->fetch->preview, NULL);
}

static bool read_labels(struct context *context, const struct imap_value *value)
{
    if (value->kind != IMAP_VALUE_LIST)
        return false;
    context->fetch->labels = value;
    return true;
}

static bool add_section(struct context *context, struct imap_section *section, const struct imap_value *value)
{
    section->size = value->kind == IMAP_VALUE_STREAMED ? value->size : value->len;
    switch (value->kind) {
    case IMAP_VALUE_NIL:
        section->nil = true;
        section->size = 0;
        break;
    case IMAP_VALUE_STREAMED:
        section->streamed = true;
        break;
    case IMAP_VALUE_ATOM:
    case IMAP_VALUE_STRING:
        section->data = value->str;
        break;
    default:
        return false;
    }
    if (value == context->pending) {
        *context->pending_out = section;
        return true;
    }
    *context->tail = section;
    context->tail = &section->next;
    return true;
}

static bool read_rfc822(struct context *context, const struct imap_value *value, const char *spec)
{
    struct imap_section *section = imap_arena_zalloc(context->arena, sizeof(*section));

    section->spec = spec;
    return add_section(context, section, value);
}

static bool read_rfc822_all(struct context *context, const struct imap_value *value)
{
    return read_rfc822(context, value, "");
}

static bool read_rfc822_header(struct context *context, const struct imap_value *value)
{
    return read_rfc822(context, value, "HEADER");
}

static bool read_rfc822_text(struct context *context, const struct imap_value *value)
{
    return read_rfc822(context, value, "TEXT");
}

#define ATTRIBUTE(name, bit, read)                                                                           \
    {                                                                                                        \
        name, sizeof(name) - 1, bit, read                                                                    \
    }
static const struct attribute {
    const char *name;
    size_t len;
    unsigned bit;
    read_fn *read;
} attributes[] = {
    ATTRIBUTE("UID", IMAP_FETCH_UID, read_uid),
    ATTRIBUTE("FLAGS", IMAP_FETCH_FLAGS, read_flags),
    ATTRIBUTE("INTERNALDATE", IMAP_FETCH_INTERNALDATE, read_internaldate),
    ATTRIBUTE("RFC822.SIZE", IMAP_FETCH_SIZE, read_size),
    ATTRIBUTE("MODSEQ", IMAP_FETCH_MODSEQ, read_modseq),
    ATTRIBUTE("ENVELOPE", IMAP_FETCH_ENVELOPE, read_envelope),
    ATTRIBUTE("BODY", IMAP_FETCH_BODY, read_structure),
    ATTRIBUTE("BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE, read_structure),
    ATTRIBUTE("EMAILID", IMAP_FETCH_EMAILID, read_emailid),
    ATTRIBUTE("THREADID", IMAP_FETCH_THREADID, read_threadid),
    ATTRIBUTE("SAVEDATE", IMAP_FETCH_SAVEDATE, read_savedate),
    ATTRIBUTE("PREVIEW", IMAP_FETCH_PREVIEW, read_preview),
    ATTRIBUTE("X-GM-MSGID", IMAP_FETCH_EMAILID, read_emailid),
    ATTRIBUTE("X-GM-THRID", IMAP_FETCH_THREADID, read_threadid),
    ATTRIBUTE("X-GM-LABELS", IMAP_FETCH_LABELS, read_labels),
    ATTRIBUTE("RFC822", 0, read_rfc822_all),
    ATTRIBUTE("RFC822.HEADER", 0, read_rfc822_header),
    ATTRIBUTE("RFC822.TEXT", 0, read_rfc822_text),
};
#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(*attributes))

static const struct attribute *find_attribute(const struct imap_value *name)
{
    if (name->str[0] < 'A') /* a number, mostly */
        return NULL;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        const struct attribute *attribute = &attributes[i];

        if (attribute->len == name->len && (name->str[0] & 0x5F) == attribute->name[0] &&
            (memcmp(name->str, attribute->name, name->len) == 0 ||
             strcasecmp(name->str, attribute->name) == 0))
            return attribute;
    }
    return NULL;
}

/* ---- BODY[...]<n>, BINARY[...], BINARY.SIZE[...] ----------------------------------------------- */

static bool starts_with(const char *str, const char *prefix)
{
    return strncasecmp(str, prefix, strlen(prefix)) == 0;
}

static bool is_section_name(const struct imap_value *name)
{
    static const char *const prefixes[] = {"BODY[", "BODY.PEEK[", "BINARY[", "BINARY.PEEK[", "BINARY.SIZE["};

    if ((name->str[0] & 0x5F) != 'B' || !memchr(name->str, ']', name->len))
        return false;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (starts_with(name->str, prefixes[i]))
            return true;
    return false;
}

static void read_origin(struct imap_section *section, const char *at)
{
    uint64_t origin = 0;

    if (*at++ != '<')
        return;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(origin, 10, &origin) ||
            __builtin_add_overflow(origin, (uint64_t)(*at - '0'), &origin))
            return;
    /* "<n.m>", the request's form, comes back from some servers. */
    section->has_origin = *at == '>' || *at == '.';
    section->origin = section->has_origin ? origin : 0;
}

static bool read_section(struct context *context, const struct imap_value *name,
                         const struct imap_value *value)
{
    struct imap_section *section = imap_arena_zalloc(context->arena, sizeof(*section));
    const char *open = memchr(name->str, '[', name->len);
    const char *close = memrchr(name->str, ']', name->len);

    if (starts_with(name->str, "BINARY.SIZE["))
        section->kind = IMAP_SECTION_BINARY_SIZE;
    else if (starts_with(name->str, "BINARY"))
        section->kind = IMAP_SECTION_BINARY;
    section->spec = imap_arena_strndup(context->arena, open + 1, (size_t)(close - open - 1));
    read_origin(section, close + 1);
    if (section->kind != IMAP_SECTION_BINARY_SIZE)
        return add_section(context, section, value);
    if (!imap_value_number(value, INT64_MAX, &section->size))
        return false;
    *context->tail = section;
    context->tail = &section->next;
    return true;
}

/* ---- the list ---------------------------------------------------------------------------------- */

static bool is_name(const struct imap_value *value)
{
    return value->kind == IMAP_VALUE_ATOM && (find_attribute(value) || is_section_name(value));
}

void imap_fetch_parse(const struct imap_value *list, const struct imap_value *pending,
                      struct imap_arena *arena, struct imap_fetch *fetch,
                      const struct imap_section **pending_out)
{
    struct context context = {arena, fetch, pending, pending_out, &fetch->sections};
    const struct imap_value *name = list->child;

    while (name && name->next) {
        const struct imap_value *value = name->next;
        const struct attribute *attribute = NULL;
        bool is_section = false;

        /* No value looks like a name: here one is missing, or there is one too many. */
        if (name->kind != IMAP_VALUE_ATOM || is_name(value)) {
            name = value;
            continue;
        }
        attribute = find_attribute(name);
        is_section = !attribute && is_section_name(name);
        if (is_section)
            read_section(&context, name, value);
        else if (attribute && attribute->read(&context, value))
            fetch->has |= attribute->bit;
        name = value->next;
    }
}
