/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../imap/mem.h"
#include "ids.h"
#include "imap/types.h"

#define EMPTY "%-"
#define RAW "%~"
#define HASHED_TAIL (2 + 16) /* %# and the hex digits */

static bool upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

static bool is_escape(const char *text)
{
    return text[0] == '%' && upper_hex(text[1]) && upper_hex(text[2]);
}

/* A '%' that a reader would take for one of ours. */
static bool percent_means_something(const char *text)
{
    return is_escape(text) || text[1] == '-' || text[1] == '~' || text[1] == '#';
}

static bool looks_like_message(const char *name)
{
    name += *name == '=';
    const size_t digits = strspn(name, "0123456789");
    return digits && strcmp(name + digits, ".eml") == 0;
}

static bool reserved(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".imapfs") == 0 ||
           looks_like_message(name);
}

/* The bytes of the UTF-8 character at text (1 to 4), 0 when there is none. */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t len = 0;
    if (text[0] >= 0xC2 && text[0] <= 0xDF)
        len = 2;
    else if (text[0] >= 0xE0 && text[0] <= 0xEF)
        len = 3;
    else if (text[0] >= 0xF0 && text[0] <= 0xF4)
        len = 4;
    else
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0; /* a NUL ends here, too */
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0; /* overlong, surrogate, above U+10FFFF */
    return len;
}

static char *put_escaped(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    *out++ = '%';
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
    return out;
}

/* Writes text with everything escaped that a file name cannot hold; out needs 3 * strlen + 1. */
static char *escape(const char *text, bool escape_first, char *out)
{
    while (*text) {
        const unsigned char byte = (unsigned char)*text;
        const size_t len = utf8_length((const unsigned char *)text);
        if (escape_first || !len || byte < 0x20 || byte == 0x7F || byte == '/' ||
            (byte == '%' && percent_means_something(text))) {
            out = put_escaped(out, byte);
            text++;
        } else {
            memcpy(out, text, len);
            out += len;
            text += len;
        }
        escape_first = false;
    }
    *out = '\0';
    return out;
}

/* The component as UTF-8, if it is canonical modified UTF-7 for text without NUL; else NULL. */
static char *decode(const char *wire, size_t len)
{
    char *utf8 = imap_xmalloc(3 * len + 1);
    char *back = imap_xmalloc(4 * 3 * len + 3);
    const bool canonical = imap_utf7_decode(wire, len, utf8, 3 * len + 1) &&
                           imap_utf7_encode(utf8, strlen(utf8), back, 4 * 3 * len + 3) &&
                           strlen(back) == len && memcmp(back, wire, len) == 0;
    free(back);
    if (canonical)
        return utf8;
    free(utf8);
    return NULL;
}

static char *full_name(const char *wire, size_t len)
{
    if (!len)
        return imap_xstrdup(EMPTY);
    char *utf8 = decode(wire, len);
    char *copy = utf8 ? NULL : imap_xstrndup(wire, len);
    const char *text = utf8 ? utf8 : copy;
    char *full = imap_xmalloc(sizeof RAW + 3 * strlen(text));
    char *out = full;
    if (!utf8)
        out += snprintf(out, sizeof RAW, "%s", RAW);
    escape(text, utf8 && reserved(utf8), out);
    free(utf8);
    free(copy);
    return full;
}

/* How much of full fits into room bytes without cutting an escape or a character. */
static size_t cut(const char *full, size_t room)
{
    size_t at = 0;
    while (full[at]) {
        const size_t step = is_escape(full + at) ? 3 : utf8_length((const unsigned char *)full + at);
        if (!step || at + step > room)
            break;
        at += step;
    }
    return at;
}

static void add_hash(const char *full, const char *wire, size_t len, char file[NAME_SIZE])
{
    const size_t keep = cut(full, NAME_SIZE - 1 - HASHED_TAIL);
    memcpy(file, full, keep);
    snprintf(file + keep, NAME_SIZE - keep, "%%#%016" PRIX64, ids_key(wire, len, 0));
}

void name_hashed(const char *wire, size_t len, char file[NAME_SIZE])
{
    char *full = full_name(wire, len);
    add_hash(full, wire, len, file);
    free(full);
}

void name_from_wire(const char *wire, size_t len, char file[NAME_SIZE])
{
    char *full = full_name(wire, len);
    if (strlen(full) < NAME_SIZE)
        memcpy(file, full, strlen(full) + 1);
    else
        add_hash(full, wire, len, file);
    free(full);
}

/* Undoes escape; false when NUL comes out. out needs strlen + 1. */
static bool unescape(const char *file, char *out)
{
    while (*file) {
        if (is_escape(file)) {
            *out = (char)(hex_value(file[1]) << 4 | hex_value(file[2]));
            if (!*out++)
                return false;
            file += 3;
        } else {
            *out++ = *file++;
        }
    }
    *out = '\0';
    return true;
}

static bool to_wire(const char *file, char *wire, size_t size, size_t *len_out)
{
    char plain[NAME_SIZE];
    if (strcmp(file, EMPTY) == 0) {
        wire[0] = '\0';
        *len_out = 0;
        return true;
    }
    const bool raw = strncmp(file, RAW, strlen(RAW)) == 0;
    if (!unescape(raw ? file + strlen(RAW) : file, plain))
        return false;
    if (raw)
        memcpy(wire, plain, strlen(plain) + 1);
    else if (!imap_utf7_encode(plain, strlen(plain), wire, size))
        return false;
    *len_out = strlen(wire);
    return true;
}

bool name_to_wire(const char *file, char *wire, size_t size, size_t *len_out)
{
    const size_t file_len = strlen(file);
    size_t len = 0;
    if (!file_len || file_len >= NAME_SIZE || size < 4 * file_len + 3 || !to_wire(file, wire, size, &len))
        return false;
    /* Only the one name that it is shown as: else one mailbox could be reached by several. */
    char *full = full_name(wire, len);
    const bool same = strcmp(full, file) == 0;
    free(full);
    if (same)
        *len_out = len;
    return same;
}

void name_of_message(uint32_t uid, char file[NAME_SIZE])
{
    snprintf(file, NAME_SIZE, "%" PRIu32 ".eml", uid);
}

uint32_t name_message_uid(const char *file)
{
    uint64_t uid = 0;
    const char *at = file;
    if (*at == '0')
        return 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uid = uid * 10 + (uint64_t)(*at - '0');
        if (uid > UINT32_MAX)
            return 0;
    }
    return at != file && strcmp(at, ".eml") == 0 ? (uint32_t)uid : 0;
}

void name_of_message_aside(uint32_t uid, char file[NAME_SIZE])
{
    file[0] = '=';
    snprintf(file + 1, NAME_SIZE - 1, "%" PRIu32 ".eml", uid);
}

uint32_t name_message_uid_aside(const char *file)
{
    return *file == '=' ? name_message_uid(file + 1) : 0;
}

bool name_is_writable(const char *file)
{
    const size_t len = strlen(file);
    return len > strlen(".eml") && len < NAME_SIZE && *file != '.' &&
           strcasecmp(file + len - strlen(".eml"), ".eml") == 0 &&
           !(*file == '=' && looks_like_message(file));
}
