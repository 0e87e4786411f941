/* SPDX-License-Identifier: MIT */
#include "flags.h"

#include <string.h>
#include <strings.h>

#define FLAG(name, bit)                                                                                      \
    {                                                                                                        \
        name, sizeof(name) - 1, bit                                                                          \
    }
static const struct {
    const char *name;
    size_t len;
    unsigned bit;
} system_flags[] = {
    FLAG("\\Seen", IMAP_FLAG_SEEN),       FLAG("\\Answered", IMAP_FLAG_ANSWERED),
    FLAG("\\Flagged", IMAP_FLAG_FLAGGED), FLAG("\\Deleted", IMAP_FLAG_DELETED),
    FLAG("\\Draft", IMAP_FLAG_DRAFT),     FLAG("\\Recent", IMAP_FLAG_RECENT),
    FLAG("\\*", IMAP_FLAG_NEW_KEYWORDS),
};
#define SYSTEM_COUNT (sizeof(system_flags) / sizeof(*system_flags))

static unsigned system_bit(const char *flag, size_t len)
{
    if (len == 0 || flag[0] != '\\')
        return 0;
    for (size_t i = 0; i < SYSTEM_COUNT; i++)
        if (len == system_flags[i].len && (memcmp(flag, system_flags[i].name, len) == 0 ||
                                           strncasecmp(flag, system_flags[i].name, len) == 0))
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
        bit = system_bit(flag->str, flag->len);
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

/* ---- from text ---------------------------------------------------------------------------------- */

struct span {
    const char *at, *end;
};

/* Between the parentheses behind "FLAGS ", or of a list that is all there is. */
static bool find_list(const char *text, size_t len, struct span *list_out)
{
    static const char name[] = "FLAGS (";
    const size_t name_len = sizeof(name) - 1;
    const char *open = NULL, *end = text + len;

    while (text < end && *text == ' ')
        text++;
    if (text < end && *text == '(')
        open = text + 1;
    for (; (size_t)(end - text) >= name_len; text++) {
        if (strncasecmp(text, name, name_len) == 0) {
            open = text + name_len;
            break;
        }
    }
    if (!open)
        return false;
    list_out->at = open;
    list_out->end = memchr(open, ')', (size_t)(end - open));
    return list_out->end;
}

static bool next_flag(struct span *list, struct span *flag_out)
{
    while (list->at < list->end && *list->at == ' ')
        list->at++;
    flag_out->at = list->at;
    while (list->at < list->end && *list->at != ' ')
        list->at++;
    flag_out->end = list->at;
    return flag_out->at < flag_out->end;
}

/* How many keywords there are, and how many bytes they take with their NULs. */
static size_t measure(struct span list, size_t *bytes_out)
{
    struct span flag;
    size_t count = 0;

    *bytes_out = 0;
    while (next_flag(&list, &flag)) {
        size_t len = (size_t)(flag.end - flag.at);

        if (system_bit(flag.at, len) == 0) {
            *bytes_out += len + 1;
            count++;
        }
    }
    return count;
}

bool imap_flags_parse(const char *text, size_t len, struct imap_flags *flags_out, void *room, size_t size)
{
    size_t bytes, count, shift = -(uintptr_t)room % sizeof(char *);
    struct span list, flag;
    const char **keywords;
    char *out;

    if (!find_list(text, len, &list))
        return false;
    count = measure(list, &bytes);
    if (count > 0 && size < shift + count * sizeof(*keywords) + bytes)
        return false;
    *flags_out = (struct imap_flags){0};
    keywords = (const char **)(void *)((char *)room + shift);
    out = (char *)(keywords + count);
    while (next_flag(&list, &flag)) {
        size_t flag_len = (size_t)(flag.end - flag.at);
        unsigned bit = system_bit(flag.at, flag_len);

        flags_out->system |= bit;
        if (bit)
            continue;
        memcpy(out, flag.at, flag_len);
        out[flag_len] = '\0';
        keywords[flags_out->keyword_count++] = out;
        out += flag_len + 1;
    }
    flags_out->keywords = count ? keywords : NULL;
    return true;
}
