/* SPDX-License-Identifier: MIT */
#include "transcript_text.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct text *text, const char *data, size_t len)
{
    if (text->room <= text->len + len) {
        text->room = 2 * (text->len + len) + 64;
        text->data = realloc(text->data, text->room);
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_take(struct text *text, size_t len)
{
    text->len -= len;
    memmove(text->data, text->data + len, text->len + 1);
}

bool text_is_fetch(const char *line)
{
    const char *word = strstr(line, "FETCH (");
    return line[0] == '*' && word && strspn(line, "* 0123456789UID") >= (size_t)(word - line);
}

static void add_filler(struct text *text, size_t len)
{
    static const char lure[] = "a1 OK fake\r\n* 1 EXPUNGE\r\n* BYE fake\r\n)\r\n+ go\r\n";
    for (size_t i = 0; i < len; i++)
        text_add(text, &lure[i % (sizeof lure - 1)], 1);
}

void text_unescape(struct text *text, const char *line, bool literals)
{
    while (*line) {
        unsigned byte;
        unsigned long count;
        int used = 0;
        if (sscanf(line, "\\x{%2x}%n", &byte, &used) == 1 && used) {
            char c = (char)byte;
            text_add(text, &c, 1);
        } else if (sscanf(line, "\\*{%lu}{%n", &count, &used) == 1 && used) {
            const char *end = strchr(line + used, '}');
            ck_assert_ptr_nonnull(end);
            while (count-- > 0)
                text_add(text, line + used, (size_t)(end - line) - (size_t)used);
            used = (int)(end + 1 - line);
        } else if (literals && sscanf(line, "{%lu}%n", &count, &used) == 1 && used && line[used]) {
            text_add(text, line, (size_t)used);
            text_add(text, "\r\n", 2);
            add_filler(text, count);
        } else {
            used = 1;
            text_add(text, line, 1);
        }
        line += used;
    }
}

const char *text_next_token(const char *line, struct text *token, bool keep_quotes)
{
    bool quoted = false;
    token->len = 0;
    text_add(token, "", 0);
    for (; *line && (quoted || *line != ' '); line++) {
        if (*line == '"')
            quoted = !quoted;
        if (*line != '"' || keep_quotes)
            text_add(token, line, 1);
    }
    return line + strspn(line, " ");
}

void text_add_set(struct imap_command *command, const char *text)
{
    struct imap_seqset set = {0};
    if (imap_seqset_parse(&set, text, strlen(text), NULL) == IMAP_OK)
        imap_command_seqset(command, &set);
    else
        imap_command_raw(command, text);
    imap_seqset_fini(&set);
}

/* Octets of "^200!50": the bytes are "s", at most 1000 at a time, and after 50 comes EIO ("?": the end). */
struct source {
    uint64_t left, good;
    int result;
};

static ssize_t next_of_source(void *arg, void *buf, size_t size)
{
    struct source *source = arg;
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_le(size, source->left);
    if (source->good == 0)
        return source->result;
    if (size > 1000)
        size = 1000;
    if (size > source->good)
        size = (size_t)source->good;
    memset(buf, 's', size);
    source->good -= size;
    source->left -= size;
    return (ssize_t)size;
}

static void add_source(struct imap_command *command, const char *text)
{
    static struct source sources[16]; /* more than one transcript has at a time */
    static unsigned next;
    struct source *source = &sources[next++ % 16];
    char *end;
    bool literal8 = *text == '~';
    uint64_t size = strtoull(text + literal8, &end, 10);
    *source = (struct source){.left = size, .good = *end ? strtoull(end + 1, NULL, 10) : size};
    source->result = *end == '!' ? -EIO : 0;
    imap_command_source(command, size, literal8, next_of_source, source);
}

void text_add_argument(struct imap_command *command, const char *token)
{
    struct text text = {0};
    text_unescape(&text, token + (*token && strchr("@%$#^&=", *token)), false);
    const char *value = text.data ? text.data : "";
    switch (*token) {
    case '@':
        imap_command_astring(command, value, text.len);
        break;
    case '%':
        imap_command_mailbox(command, value, text.len);
        break;
    case '$':
        imap_command_secret(command, value, text.len);
        break;
    case '#':
        text_add_set(command, value);
        break;
    case '^':
        add_source(command, value);
        break;
    case '&':
        imap_command_set(command, value);
        break;
    case '=':
        imap_command_criteria(command, value);
        break;
    default:
        imap_command_raw(command, value);
    }
    free(text.data);
}

const char *text_take_verb(const char *line, char *verb, size_t size)
{
    size_t len = strcspn(line, " ");
    if (len == 3 && strncmp(line, "UID", 3) == 0)
        len += 1 + strcspn(line + 4, " ");
    ck_assert_uint_lt(len, size);
    memcpy(verb, line, len);
    verb[len] = '\0';
    line += len;
    return line + strspn(line, " ");
}

size_t text_match_line(const char *line, size_t taken, const char *wire, size_t wire_len)
{
    size_t at = 0, size;
    int used = 0;
    if (sscanf(line, "{%zu}%n", &size, &used) == 1 && used) {
        at = size - taken;
        line += used;
    }
    while (*line) {
        if (strncmp(line, "***", 3) == 0) {
            line += 3;
            while (at < wire_len && wire[at] != '\r' && wire[at] != *line)
                at++;
            continue;
        }
        if (at >= wire_len || wire[at] != *line)
            return 0;
        at++;
        line++;
    }
    return at + 2 <= wire_len && memcmp(wire + at, "\r\n", 2) == 0 ? at + 2 : 0;
}
