/* SPDX-License-Identifier: MIT */
#include "flagset.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"

#define SYSTEM_MASK (FLAGSET_SYSTEM - 1)

static const struct {
    unsigned bit;
    const char *name;
} system_order[] = {{IMAP_FLAG_SEEN, "\\Seen"},
                    {IMAP_FLAG_ANSWERED, "\\Answered"},
                    {IMAP_FLAG_FLAGGED, "\\Flagged"},
                    {IMAP_FLAG_DELETED, "\\Deleted"},
                    {IMAP_FLAG_DRAFT, "\\Draft"}};

struct text {
    char *str; /* FLAGSET_TEXT_MAX and a NUL */
    size_t len;
};

static void add_word(struct text *text, const char *word)
{
    const size_t len = strlen(word);
    const size_t space = text->len ? 1 : 0;
    if (!len || len > FLAGSET_KEYWORD_MAX || text->len + space + len > FLAGSET_TEXT_MAX)
        return;
    if (space)
        text->str[text->len++] = ' ';
    memcpy(text->str + text->len, word, len + 1);
    text->len += len;
}

static void add_system(struct text *text, unsigned bits)
{
    for (size_t i = 0; i < sizeof system_order / sizeof *system_order; i++)
        if (bits & system_order[i].bit)
            add_word(text, system_order[i].name);
}

static int compare_words(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void add_keywords(struct text *text, const struct imap_flags *flags)
{
    const char **sorted = imap_xreallocarray(NULL, flags->keyword_count, sizeof *sorted);
    memcpy(sorted, flags->keywords, flags->keyword_count * sizeof *sorted);
    qsort(sorted, flags->keyword_count, sizeof *sorted, compare_words);
    for (size_t i = 0; i < flags->keyword_count; i++)
        if (!i || strcmp(sorted[i - 1], sorted[i]) != 0)
            add_word(text, sorted[i]);
    free(sorted);
}

void flagsets_fini(struct flagsets *sets)
{
    for (size_t i = 0; i < sets->count; i++)
        free(sets->texts[i]);
    free(sets->texts);
    free(sets->slots);
    *sets = (struct flagsets){0};
}

bool flagset_plain(const struct imap_flags *flags, uint32_t *id_out)
{
    if (flags->keyword_count)
        return false;
    *id_out = flags->system & SYSTEM_MASK;
    return true;
}

static size_t hash_text(const char *text)
{
    size_t hash = 5381;
    for (; *text; text++)
        hash = hash * 33 ^ (unsigned char)*text;
    return hash;
}

/* The slot that holds text, or the free one where it belongs. */
static uint32_t *slot_of(const struct flagsets *sets, const char *text)
{
    const size_t mask = sets->slot_count - 1;
    size_t at = hash_text(text) & mask;
    while (sets->slots[at] && strcmp(sets->texts[sets->slots[at] - 1], text) != 0)
        at = (at + 1) & mask;
    return &sets->slots[at];
}

static void grow(struct flagsets *sets)
{
    sets->capacity = sets->capacity ? 2 * sets->capacity : 32;
    sets->texts = imap_xreallocarray(sets->texts, sets->capacity, sizeof *sets->texts);
    free(sets->slots);
    sets->slot_count = 2 * sets->capacity;
    sets->slots = imap_xcalloc(sets->slot_count, sizeof *sets->slots);
    for (size_t i = 0; i < sets->count; i++)
        *slot_of(sets, sets->texts[i]) = (uint32_t)i + 1;
}

uint32_t flagset_intern(struct flagsets *sets, const struct imap_flags *flags)
{
    uint32_t plain = 0;
    if (flagset_plain(flags, &plain))
        return plain;
    char str[FLAGSET_TEXT_MAX + 1] = "";
    struct text text = {.str = str};
    add_system(&text, flags->system);
    const size_t system_len = text.len;
    add_keywords(&text, flags);
    if (text.len == system_len)
        return flags->system & SYSTEM_MASK; /* every keyword was left out */
    if (sets->count == sets->capacity)
        grow(sets);
    uint32_t *slot = slot_of(sets, str);
    if (!*slot) {
        if (sets->count >= FLAGSET_MAX - FLAGSET_SYSTEM)
            return flags->system & SYSTEM_MASK;
        sets->texts[sets->count++] = imap_xstrndup(str, text.len);
        *slot = (uint32_t)sets->count;
    }
    return FLAGSET_SYSTEM + *slot - 1;
}

static unsigned system_bit(const char *word)
{
    for (size_t i = 0; i < sizeof system_order / sizeof *system_order; i++)
        if (strcmp(word, system_order[i].name) == 0)
            return system_order[i].bit;
    return 0;
}

uint32_t flagset_intern_text(struct flagsets *sets, const char *text)
{
    char *copy = imap_xstrdup(text), *rest = NULL;
    const char **keywords = imap_xreallocarray(NULL, strlen(text) / 2 + 1, sizeof *keywords);
    struct imap_flags flags = {.keywords = keywords};
    for (const char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const unsigned bit = system_bit(word);
        flags.system |= bit;
        if (!bit)
            keywords[flags.keyword_count++] = word;
    }
    const uint32_t id = flagset_intern(sets, &flags);
    free(keywords);
    free(copy);
    return id;
}

/* The texts of the sets without keywords, made by hand once: index is the IMAP_FLAG_ bits. */
static const char *const plain_texts[FLAGSET_SYSTEM] = {
    "",
    "\\Answered",
    "\\Flagged",
    "\\Answered \\Flagged",
    "\\Deleted",
    "\\Answered \\Deleted",
    "\\Flagged \\Deleted",
    "\\Answered \\Flagged \\Deleted",
    "\\Seen",
    "\\Seen \\Answered",
    "\\Seen \\Flagged",
    "\\Seen \\Answered \\Flagged",
    "\\Seen \\Deleted",
    "\\Seen \\Answered \\Deleted",
    "\\Seen \\Flagged \\Deleted",
    "\\Seen \\Answered \\Flagged \\Deleted",
    "\\Draft",
    "\\Answered \\Draft",
    "\\Flagged \\Draft",
    "\\Answered \\Flagged \\Draft",
    "\\Deleted \\Draft",
    "\\Answered \\Deleted \\Draft",
    "\\Flagged \\Deleted \\Draft",
    "\\Answered \\Flagged \\Deleted \\Draft",
    "\\Seen \\Draft",
    "\\Seen \\Answered \\Draft",
    "\\Seen \\Flagged \\Draft",
    "\\Seen \\Answered \\Flagged \\Draft",
    "\\Seen \\Deleted \\Draft",
    "\\Seen \\Answered \\Deleted \\Draft",
    "\\Seen \\Flagged \\Deleted \\Draft",
    "\\Seen \\Answered \\Flagged \\Deleted \\Draft",
};

const char *flagset_text(const struct flagsets *sets, uint32_t id)
{
    if (id < FLAGSET_SYSTEM)
        return plain_texts[id];
    id -= FLAGSET_SYSTEM;
    return id < sets->count ? sets->texts[id] : "";
}
