/* SPDX-License-Identifier: MIT */
/*
 * What the grammar forbids and servers do:
 * - Quotes that are not escaped: a quote ends a string when a space, a parenthesis, a bracket or the line's
 *   end follows. If none does, the first quote ends it; without any, the quote is part of an atom.
 * - Any byte but space, parentheses and controls goes into an atom, so odd names and flags pass.
 * - A backslash before anything but a quote or a backslash stands for itself.
 * - CR or another control byte between tokens is space; a CR in a quoted string is dropped.
 */
#include "lex.h"

#include <string.h>
#include <strings.h>

#define DIGITS_MAX 19

enum { ATOM, SPACE, PAREN, BRACKET };

static const unsigned char class_of[256] = {
    [0 ... ' '] = SPACE, [0x7F] = SPACE, ['('] = PAREN, [')'] = PAREN, ['['] = BRACKET,
};

/* What a search for the end of a quoted string must look at. */
static const unsigned char stops_quoted[256] = {['"'] = 1, ['\\'] = 1, ['\n'] = 1};

static unsigned char class_at(const char *at)
{
    return class_of[(unsigned char)*at];
}

void imap_lex_init(struct imap_lex *lex, const struct imap_bytes *bytes, unsigned depth,
                   struct imap_arena *arena)
{
    *lex = (struct imap_lex){.start = bytes->data,
                             .at = bytes->data,
                             .end = bytes->data + bytes->len,
                             .arena = arena,
                             .depth = depth,
                             .streamed = bytes->streamed,
                             .streamed_count = bytes->streamed_count,
                             .no_quote = bytes->data,
                             .no_bracket = bytes->data};
}

static inline void skip_space(struct imap_lex *lex)
{
    const char *at = lex->at;

    while (at < lex->end && class_at(at) == SPACE)
        at++;
    lex->at = at;
}

void imap_lex_skip_space(struct imap_lex *lex)
{
    skip_space(lex);
}

const char *imap_lex_word(struct imap_lex *lex, size_t *len_out)
{
    const char *word;

    skip_space(lex);
    word = lex->at;
    while (lex->at < lex->end && class_at(lex->at) != SPACE && class_at(lex->at) != PAREN)
        lex->at++;
    *len_out = (size_t)(lex->at - word);
    return word;
}

/* The value and room for its text and a NUL, in one piece. */
static struct imap_value *new_value(struct imap_lex *lex, enum imap_value_kind kind, size_t text_len)
{
    struct imap_value *value = imap_arena_alloc(lex->arena, sizeof(*value) + text_len + 1);

    *value = (struct imap_value){.kind = kind};
    return value;
}

static char *text_room(struct imap_value *value)
{
    return (char *)(value + 1);
}

static struct imap_value *new_text(struct imap_lex *lex, enum imap_value_kind kind, const char *text,
                                   size_t len)
{
    struct imap_value *value = new_value(lex, kind, len);
    char *copy = text_room(value);

    memcpy(copy, text, len);
    copy[len] = '\0';
    value->str = copy;
    value->len = (uint32_t)len;
    return value;
}

/* ---- literals ---------------------------------------------------------------------------------- */

/* At "{n}" or "~{n}" and a line end: moves behind them. */
static bool take_announcement(struct imap_lex *lex, uint64_t *size_out, bool *literal8_out)
{
    const char *at = lex->at, *digits;
    uint64_t size = 0;

    *literal8_out = *at == '~';
    if (*literal8_out)
        at++;
    if (at == lex->end || *at++ != '{')
        return false;
    while (at < lex->end && *at == '0')
        at++;
    for (digits = at; at < lex->end && *at >= '0' && *at <= '9'; at++) {
        if (at - digits == DIGITS_MAX)
            return false;
        size = size * 10 + (uint64_t)(*at - '0');
    }
    if (at[-1] == '{')
        return false;
    if (at < lex->end && *at == '+')
        at++;
    if (at == lex->end || *at++ != '}')
        return false;
    if (at < lex->end && *at == '\r')
        at++;
    if (at == lex->end || *at++ != '\n')
        return false;
    *size_out = size;
    lex->at = at;
    return true;
}

static bool take_streamed(struct imap_lex *lex)
{
    size_t offset = (size_t)(lex->at - lex->start);

    while (lex->streamed_count > 0 && *lex->streamed < offset) {
        lex->streamed++;
        lex->streamed_count--;
    }
    return lex->streamed_count > 0 && *lex->streamed == offset;
}

static struct imap_value *lex_literal(struct imap_lex *lex)
{
    const char *back = lex->at;
    struct imap_value *value;
    uint64_t size;
    bool literal8;

    if (!take_announcement(lex, &size, &literal8))
        return NULL;
    if (take_streamed(lex)) {
        value = new_value(lex, IMAP_VALUE_STREAMED, 0);
        value->size = size;
        if (lex->at == lex->end)
            lex->pending = value;
    } else if (size <= (uint64_t)(lex->end - lex->at) && size < UINT32_MAX) {
        value = new_text(lex, IMAP_VALUE_STRING, lex->at, (size_t)size);
        lex->at += size;
    } else {
        lex->at = back;
        return NULL;
    }
    value->literal8 = literal8;
    return value;
}

/* ---- quoted strings ---------------------------------------------------------------------------- */

static bool ends_string(const struct imap_lex *lex, const char *quote)
{
    const char *next = quote + 1;

    return next == lex->end || class_at(next) == SPACE || class_at(next) == PAREN || *next == ']';
}

/* The quote that ends the string opened at lex->at, or NULL. */
static const char *find_closing_quote(struct imap_lex *lex)
{
    const char *at = lex->at + 1, *first = NULL;
    bool lenient = lex->at >= lex->no_quote;

    for (;; at++) {
        while (at < lex->end && !stops_quoted[(unsigned char)*at])
            at++;
        if (at >= lex->end || *at == '\n')
            break;
        if (*at == '\\' && at + 1 < lex->end && at[1] != '\n') {
            at++;
        } else if (*at == '"') {
            if (!lenient || ends_string(lex, at))
                return at;
            if (!first)
                first = at;
        }
    }
    lex->no_quote = at;
    return first;
}

static bool is_plain(const char *text, size_t len)
{
    return !memchr(text, '\\', len) && !memchr(text, '\r', len);
}

static struct imap_value *lex_quoted(struct imap_lex *lex)
{
    const char *closing = find_closing_quote(lex), *at = lex->at + 1;
    struct imap_value *value;
    char *out;

    if (!closing || closing - at >= UINT32_MAX)
        return NULL;
    if (is_plain(at, (size_t)(closing - at))) {
        lex->at = closing + 1;
        return new_text(lex, IMAP_VALUE_STRING, at, (size_t)(closing - at));
    }
    value = new_value(lex, IMAP_VALUE_STRING, (size_t)(closing - at));
    out = text_room(value);
    value->str = out;
    for (; at < closing; at++) {
        if (*at == '\\' && at + 1 < closing && (at[1] == '"' || at[1] == '\\'))
            at++;
        else if (*at == '\r')
            continue;
        *out++ = *at;
    }
    *out = '\0';
    value->len = (uint32_t)(out - value->str);
    lex->at = closing + 1;
    return value;
}

/* ---- atoms and section names ------------------------------------------------------------------- */

static bool takes_section(const char *name, size_t len)
{
    static const char *const names[] = {"BODY", "BODY.PEEK", "BINARY", "BINARY.SIZE", "BINARY.PEEK"};

    if (len < 4 || (name[0] | 0x20) != 'b')
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == len && strncasecmp(name, names[i], len) == 0)
            return true;
    return false;
}

/* In a section's brackets: header names may be quoted or literals, and hold brackets. */
static bool skip_section_string(struct imap_lex *lex, bool *broken_out)
{
    uint64_t size;
    bool literal8;

    *broken_out = false;
    if (*lex->at == '"') {
        const char *closing = find_closing_quote(lex);

        if (closing) {
            lex->at = closing + 1;
        } else {
            lex->at = lex->no_quote;
            *broken_out = true;
        }
        return true;
    }
    if (*lex->at != '{' || !take_announcement(lex, &size, &literal8))
        return false;
    if (take_streamed(lex) || size > (uint64_t)(lex->end - lex->at))
        *broken_out = true;
    else
        lex->at += size;
    return true;
}

static void skip_origin(struct imap_lex *lex)
{
    const char *at = lex->at;

    if (at == lex->end || *at != '<')
        return;
    while (++at < lex->end && class_at(at) == ATOM && *at != '>')
        ;
    if (at < lex->end && *at == '>')
        lex->at = at + 1;
}

/* At the bracket: moves behind the section and its origin. False, without moving, when there is no end. */
static bool skip_section(struct imap_lex *lex)
{
    const char *back = lex->at;
    bool broken = false;

    if (lex->at < lex->no_bracket)
        return false;
    lex->at++;
    while (!broken && lex->at < lex->end && *lex->at != ']' && *lex->at != '\n')
        if (!skip_section_string(lex, &broken))
            lex->at++;
    if (broken || lex->at >= lex->end || *lex->at != ']') {
        lex->no_bracket = lex->at;
        lex->at = back;
        return false;
    }
    lex->at++;
    skip_origin(lex);
    return true;
}

/* Moves to the end of the atom at lex->at. */
static void skip_atom(struct imap_lex *lex)
{
    const char *start = lex->at, *at = start, *end = lex->end;

    for (;; at++) {
        while (at < end && class_at(at) == ATOM)
            at++;
        lex->at = at;
        if (at == end || class_at(at) != BRACKET)
            return;
        if (takes_section(start, (size_t)(at - start)) && skip_section(lex))
            return;
    }
}

static struct imap_value *lex_atom(struct imap_lex *lex)
{
    const char *start = lex->at;
    struct imap_value *value;
    size_t len;

    skip_atom(lex);
    len = (size_t)(lex->at - start);
    value = new_text(lex, IMAP_VALUE_ATOM, start, len);
    /* A mailbox or a keyword may be called NIL, so its text stays readable. */
    if (len == 3 && (start[0] | 0x20) == 'n' && strcasecmp(value->str, "NIL") == 0)
        value->kind = IMAP_VALUE_NIL;
    return value;
}

static struct imap_value *lex_scalar(struct imap_lex *lex)
{
    struct imap_value *value = NULL;

    if (*lex->at == '"')
        value = lex_quoted(lex);
    else if (*lex->at == '{' || *lex->at == '~')
        value = lex_literal(lex);
    return value ? value : lex_atom(lex);
}

/* ---- lists ------------------------------------------------------------------------------------- */

static struct imap_value *skip_deep_list(struct imap_lex *lex)
{
    size_t open = 1;

    lex->too_deep = true;
    lex->at++;
    for (;;) {
        skip_space(lex);
        if (imap_arena_full(lex->arena)) {
            lex->full = true;
            return NULL;
        }
        if (lex->at == lex->end) {
            lex->unbalanced = true;
            break;
        }
        if (*lex->at == '(') {
            open++;
            lex->at++;
        } else if (*lex->at == ')') {
            lex->at++;
            if (--open == 0)
                break;
        } else {
            lex_scalar(lex);
        }
    }
    return new_value(lex, IMAP_VALUE_NIL, 0);
}

static struct imap_value *lex_list(struct imap_lex *lex);

/* Neither at the end nor at a space or ")". NULL when the arena is full. */
static struct imap_value *lex_here(struct imap_lex *lex)
{
    if (imap_arena_full(lex->arena)) {
        lex->full = true;
        return NULL;
    }
    return *lex->at == '(' ? lex_list(lex) : lex_scalar(lex);
}

static struct imap_value *lex_list(struct imap_lex *lex)
{
    struct imap_value *list, **tail;

    if (lex->depth == 0)
        return skip_deep_list(lex);
    lex->depth--;
    lex->at++;
    list = new_value(lex, IMAP_VALUE_LIST, 0);
    tail = &list->child;
    for (;;) {
        skip_space(lex);
        if (lex->at == lex->end) {
            lex->unbalanced = true;
            break;
        }
        if (*lex->at == ')') {
            lex->at++;
            break;
        }
        *tail = lex_here(lex);
        if (!*tail)
            return NULL;
        tail = &(*tail)->next;
    }
    lex->depth++;
    return list;
}

struct imap_value *imap_lex_value(struct imap_lex *lex)
{
    skip_space(lex);
    while (lex->at < lex->end && *lex->at == ')') {
        lex->unbalanced = true;
        lex->at++;
        skip_space(lex);
    }
    if (lex->at == lex->end)
        return NULL;
    return lex_here(lex);
}

struct imap_value *imap_lex_rest(struct imap_lex *lex)
{
    struct imap_value *list = new_value(lex, IMAP_VALUE_LIST, 0), **tail = &list->child;

    while ((*tail = imap_lex_value(lex)))
        tail = &(*tail)->next;
    return lex->full ? NULL : list;
}
