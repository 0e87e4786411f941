/* SPDX-License-Identifier: MIT */
#include "flags.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    unsigned bit;
} system_flags[] = {
    {"\\Seen", IMAP_FLAG_SEEN},       {"\\Answered", IMAP_FLAG_ANSWERED}, {"\\Flagged", IMAP_FLAG_FLAGGED},
    {"\\Deleted", IMAP_FLAG_DELETED}, {"\\Draft", IMAP_FLAG_DRAFT},       {"\\Recent", IMAP_FLAG_RECENT},
    {"\\*", IMAP_FLAG_NEW_KEYWORDS},
};
#define SYSTEM_COUNT (sizeof(system_flags) / sizeof(*system_flags))

static unsigned system_bit(const struct imap_value *flag)
{
    if (flag->len == 0 || flag->str[0] != '\\')
        return 0;
    for (size_t i = 0; i < SYSTEM_COUNT; i++)
        if (strcasecmp(flag->str, system_flags[i].name) == 0)
            return system_flags[i].bit;
    return 0;
}

static bool is_keyword(const struct imap_value *flag)
{
    return (flag->kind == IMAP_VALUE_ATOM || flag->kind == IMAP_VALUE_STRING) && flag->len > 0 &&
           strlen(flag->str) == flag->len;
}

bool imap_flags_read(const struct imap_value *list, struct imap_arena *arena, struct imap_flags *flags_out)
{
    const char **keywords = NULL;

    if (!list || list->kind != IMAP_VALUE_LIST)
        return false;
    *flags_out = (struct imap_flags){0};
    for (const struct imap_value *flag = list->child; flag; flag = flag->next) {
        /* A keyword may be called NIL: an atom where only flags stand. */
        bool nil = flag->kind == IMAP_VALUE_NIL && flag->str;
        unsigned bit;

        if (!nil && !is_keyword(flag))
            continue;
        bit = system_bit(flag);
        flags_out->system |= bit;
        if (bit)
            continue;
        if (!keywords)
            keywords = imap_arena_array(arena, imap_value_count(list), sizeof(*keywords));
        keywords[flags_out->keyword_count++] = flag->str;
    }
    flags_out->keywords = keywords;
    return true;
}

static bool put(struct imap_buf *out, const char *flag, bool *first)
{
    bool fits = (*first || imap_buf_append_str(out, " ")) && imap_buf_append_str(out, flag);

    *first = false;
    return fits;
}

bool imap_flags_format(struct imap_buf *out, unsigned system, const char *const *keywords, size_t count)
{
    bool first = true;

    if (!imap_buf_append_str(out, "("))
        return false;
    for (size_t i = 0; i < SYSTEM_COUNT; i++)
        if ((system & system_flags[i].bit) && !put(out, system_flags[i].name, &first))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!put(out, keywords[i], &first))
            return false;
    return imap_buf_append_str(out, ")");
}
