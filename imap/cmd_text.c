/* SPDX-License-Identifier: MIT */
/*
 * Arguments that a user wrote as IMAP text. What could end the line early, or have the server wait for a
 * literal that never comes, breaks the command: text never becomes a second command.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"
#include "mem.h"

/* The length of the UTF-8 sequence that begins with c, 0 when none does. */
static size_t sequence_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c < 0xe0)
        return 2;
    if (c >= 0xe0 && c < 0xf0)
        return 3;
    return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

bool imap_utf8_is_valid(const char *text, size_t len)
{
    static const unsigned lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t at = 0; at < len;) {
        unsigned char lead = (unsigned char)text[at];
        size_t length = sequence_length(lead);
        unsigned code = length > 1 ? lead & (0xffu >> (length + 1)) : lead;
        if (length == 0 || length > len - at)
            return false;
        for (size_t i = 1; i < length; i++) {
            unsigned char c = (unsigned char)text[at + i];
            if ((c & 0xc0) != 0x80)
                return false;
            code = code << 6 | (c & 0x3f);
        }
        if (code < lowest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        at += length;
    }
    return true;
}

void imap_command_set(struct imap_command *command, const char *set)
{
    struct imap_seqset parsed = {0};
    if (strcmp(set, "$") == 0) {
        imap_command_add_space(command);
        imap_command_add_text(command, set, 1);
        return;
    }
    if (imap_seqset_parse(&parsed, set, strlen(set), NULL) == IMAP_OK)
        imap_command_seqset(command, &parsed);
    else
        imap_command_mark_broken(command, "this is not a set of messages");
    imap_seqset_fini(&parsed);
}

/* At a quote: the end of the string (behind its closing quote), or NULL. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : NULL;
}

/* at[0..len) without its quotes and escapes. */
static void add_unquoted(struct imap_command *command, const char *at, size_t len)
{
    char *str = imap_xmalloc(len);
    const char *end = at + len - 1;
    size_t out = 0;
    for (at++; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        str[out++] = *at;
    }
    imap_command_add_string(command, str, out);
    free(str);
}

/* What is wrong with a byte outside of quotes, or NULL. */
static const char *find_fault(char c)
{
    if ((unsigned char)c >= 0x80)
        return "text beyond ASCII must be in quotes";
    if (c < ' ' || c == 0x7f)
        return "a line end or control character cannot be sent outside of quotes";
    return c == '{' ? "a literal cannot be written out: put the text in quotes" : NULL;
}

static void add_user_text(struct imap_command *command, const char *at, size_t len)
{
    const char *end = at + len, *plain = at;
    size_t open = 0;
    while (at < end) {
        if (*at == '"') {
            const char *behind = skip_quoted(at, end);
            imap_command_add_text(command, plain, (size_t)(at - plain));
            if (!behind) {
                imap_command_mark_broken(command, "a quote is not closed");
                return;
            }
            add_unquoted(command, at, (size_t)(behind - at));
            plain = at = behind;
            continue;
        }
        if (find_fault(*at))
            imap_command_mark_broken(command, find_fault(*at));
        if (*at == '(')
            open++;
        else if (*at == ')' && open-- == 0)
            break;
        at++;
    }
    if (open != 0)
        imap_command_mark_broken(command, "the parentheses do not match");
    imap_command_add_text(command, plain, (size_t)(end - plain));
}

static size_t trim(const char **text)
{
    *text += strspn(*text, " ");
    size_t len = strlen(*text);
    while (len > 0 && (*text)[len - 1] == ' ')
        len--;
    return len;
}

void imap_command_criteria(struct imap_command *command, const char *criteria)
{
    size_t len = trim(&criteria);
    if (len == 0)
        imap_command_mark_broken(command, "there is nothing to search for");
    imap_command_add_space(command);
    add_user_text(command, criteria, len);
}

/* Whether the parenthesis that opens the text is closed by the one that ends it. */
static bool is_one_list(const char *at, size_t len)
{
    const char *end = at + len;
    size_t open = 0;
    if (len < 2 || *at != '(')
        return false;
    while (at < end) {
        const char *behind = *at == '"' ? skip_quoted(at, end) : at + 1;
        if (!behind)
            return false;
        if (*at == '(')
            open++;
        else if (*at == ')' && --open == 0)
            return behind == end;
        at = behind;
    }
    return false;
}

/* ALL, FAST and FULL stand for a list and must not be in one (RFC 3501 6.4.5). */
static bool is_macro(const struct imap_command *command, const char *text, size_t len)
{
    static const char *const macros[] = {"ALL", "FAST", "FULL"};
    if (strcmp(command->verb->name, "FETCH") != 0 && strcmp(command->verb->name, "UID FETCH") != 0)
        return false;
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        if (strlen(macros[i]) == len && strncasecmp(text, macros[i], len) == 0)
            return true;
    return false;
}

void imap_command_list(struct imap_command *command, const char *items)
{
    size_t len = trim(&items);
    bool bare = !is_one_list(items, len) && !is_macro(command, items, len);
    if (bare)
        imap_command_open(command);
    else
        imap_command_add_space(command);
    add_user_text(command, items, len);
    if (bare)
        imap_command_close(command);
}
