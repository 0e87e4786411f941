/* SPDX-License-Identifier: MIT */
#include "flagtext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../imap/mem.h"
#include "flagset.h"

static const struct {
    const char *name;
    unsigned bit;
} system_flags[] = {{"\\Seen", IMAP_FLAG_SEEN},       {"\\Answered", IMAP_FLAG_ANSWERED},
                    {"\\Flagged", IMAP_FLAG_FLAGGED}, {"\\Deleted", IMAP_FLAG_DELETED},
                    {"\\Draft", IMAP_FLAG_DRAFT},     {"\\Recent", 0}};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* RFC 3501 9: an atom; servers use "]" in their keywords all the same. */
static bool is_keyword(const char *word)
{
    for (const char *at = word; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F || strchr("(){%*\"\\", *at))
            return false;
    return *word && strlen(word) <= FLAGSET_KEYWORD_MAX;
}

static int add_word(struct flagtext *out, const char *word)
{
    if (*word != '\\') {
        if (!is_keyword(word))
            return EINVAL;
        out->keywords[out->flags.keyword_count++] = word;
        return 0;
    }
    for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
        if (strcasecmp(word, system_flags[i].name) == 0) {
            out->flags.system |= system_flags[i].bit;
            return 0;
        }
    return EINVAL;
}

int flagtext_parse(const char *text, size_t len, struct flagtext *out)
{
    int error = 0;
    *out = (struct flagtext){.how = WRITE_SET};
    if (len > FLAGTEXT_MAX)
        return E2BIG;
    out->copy = imap_xstrndup(text, len);
    out->keywords = imap_xcalloc(len / 2 + 1, sizeof *out->keywords);
    out->flags.keywords = out->keywords;
    char *at = out->copy;
    while (is_blank(*at))
        at++;
    if (*at == '+' || *at == '-')
        out->how = *at++ == '+' ? WRITE_ADD : WRITE_REMOVE;
    while (*at && !error) {
        char *word = at;
        while (*at && !is_blank(*at))
            at++;
        while (is_blank(*at))
            *at++ = '\0';
        if (*word)
            error = add_word(out, word);
    }
    return error;
}

void flagtext_fini(struct flagtext *flagtext)
{
    free(flagtext->copy);
    free(flagtext->keywords);
    *flagtext = (struct flagtext){0};
}
