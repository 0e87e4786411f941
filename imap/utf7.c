/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap/types.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int base64_value(char c)
{
    const char *digit = c ? strchr(base64_digits, c) : NULL;
    return digit ? (int)(digit - base64_digits) : -1;
}

/* Counts always, writes only where there is room: so one walk serves measuring and writing. */
struct sink {
    char *out;
    size_t size, len;
};

static void put(struct sink *sink, unsigned byte)
{
    if (sink->len < sink->size)
        sink->out[sink->len] = (char)byte;
    sink->len++;
}

static bool is_direct(uint32_t c)
{
    return c >= 0x20 && c <= 0x7e;
}

static void put_utf8(struct sink *sink, uint32_t c)
{
    if (c < 0x80) {
        put(sink, c);
    } else if (c < 0x800) {
        put(sink, 0xc0 | c >> 6);
        put(sink, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(sink, 0xe0 | c >> 12);
        put(sink, 0x80 | (c >> 6 & 0x3f));
        put(sink, 0x80 | (c & 0x3f));
    } else {
        put(sink, 0xf0 | c >> 18);
        put(sink, 0x80 | (c >> 12 & 0x3f));
        put(sink, 0x80 | (c >> 6 & 0x3f));
        put(sink, 0x80 | (c & 0x3f));
    }
}

/* UTF-16 code units in, characters out; refuses what the encoder would not have put into a run. */
static bool take_unit(struct sink *sink, uint32_t unit, uint32_t *high)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    if (*high != 0) {
        if (!is_low)
            return false;
        put_utf8(sink, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
        *high = 0;
        return true;
    }
    if (is_low || unit == 0 || is_direct(unit))
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff)
        *high = unit;
    else
        put_utf8(sink, unit);
    return true;
}

/* Decodes the base64 run at name[*pos] up to and including its "-". */
static bool decode_run(const char *name, size_t len, size_t *pos, struct sink *sink)
{
    uint32_t bits = 0, high = 0;
    unsigned bit_count = 0;
    for (; *pos < len && name[*pos] != '-'; (*pos)++) {
        int value = base64_value(name[*pos]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0x3fffff;
        bit_count += 6;
        if (bit_count >= 16) {
            bit_count -= 16;
            if (!take_unit(sink, bits >> bit_count & 0xffff, &high))
                return false;
        }
    }
    if (*pos == len || high != 0)
        return false;
    (*pos)++;
    /* the padding is what the encoder makes: less than a digit, and zero */
    return bit_count < 6 && (bits & ((1u << bit_count) - 1)) == 0;
}

static bool decode(const char *name, size_t len, struct sink *sink)
{
    bool after_run = false; /* two runs in a row would be one when encoded again */
    for (size_t pos = 0; pos < len;) {
        char c = name[pos++];
        if (!is_direct((unsigned char)c))
            return false;
        if (c != '&') {
            put(sink, (unsigned char)c);
            after_run = false;
        } else if (pos < len && name[pos] == '-') {
            put(sink, '&');
            pos++;
            after_run = false;
        } else if (after_run || !decode_run(name, len, &pos, sink)) {
            return false;
        } else {
            after_run = true;
        }
    }
    return true;
}

bool imap_utf7_decode(const char *name, size_t len, char *out, size_t size)
{
    struct sink measure = {NULL, 0, 0}, sink = {out, size, 0};
    if (!decode(name, len, &measure) || measure.len >= size || !decode(name, len, &sink))
        return false;
    out[sink.len] = '\0';
    return true;
}

/* One character of strict UTF-8 (RFC 3629), never NUL. Returns false when malformed. */
static bool next_char(const unsigned char **at, const unsigned char *end, uint32_t *c_out)
{
    static const uint32_t smallest[4] = {1, 0x80, 0x800, 0x10000};
    const unsigned char *p = *at;
    unsigned extra = *p < 0x80 ? 0 : *p >> 5 == 0x6 ? 1 : *p >> 4 == 0xe ? 2 : *p >> 3 == 0x1e ? 3 : 4;
    if (extra > 3 || (size_t)(end - p) <= extra)
        return false;
    uint32_t c = extra == 0 ? *p : *p & (0x3fu >> extra);
    for (unsigned i = 1; i <= extra; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < smallest[extra] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return false;
    *at = p + extra + 1;
    *c_out = c;
    return true;
}

struct run {
    uint32_t bits;
    unsigned bit_count;
    bool open;
};

static void put_unit(struct sink *sink, struct run *run, uint32_t unit)
{
    if (!run->open)
        put(sink, '&');
    run->open = true;
    run->bits = run->bits << 16 | unit; /* at most 4 bits are left over before */
    run->bit_count += 16;
    while (run->bit_count >= 6) {
        run->bit_count -= 6;
        put(sink, (unsigned char)base64_digits[run->bits >> run->bit_count & 0x3f]);
    }
    run->bits &= 0x3f;
}

static void close_run(struct sink *sink, struct run *run)
{
    if (!run->open)
        return;
    if (run->bit_count > 0)
        put(sink, (unsigned char)base64_digits[run->bits << (6 - run->bit_count) & 0x3f]);
    put(sink, '-');
    *run = (struct run){0};
}

static bool encode(const char *utf8, size_t len, struct sink *sink)
{
    const unsigned char *at = (const unsigned char *)utf8, *end = at + len;
    struct run run = {0};
    uint32_t c;
    while (at < end) {
        if (!next_char(&at, end, &c))
            return false;
        if (is_direct(c)) {
            close_run(sink, &run);
            put(sink, c);
            if (c == '&')
                put(sink, '-');
        } else if (c < 0x10000) {
            put_unit(sink, &run, c);
        } else {
            put_unit(sink, &run, 0xd800 + ((c - 0x10000) >> 10));
            put_unit(sink, &run, 0xdc00 + ((c - 0x10000) & 0x3ff));
        }
    }
    close_run(sink, &run);
    return true;
}

bool imap_utf7_encode(const char *utf8, size_t len, char *out, size_t size)
{
    struct sink measure = {NULL, 0, 0}, sink = {out, size, 0};
    if (!encode(utf8, len, &measure) || measure.len >= size || !encode(utf8, len, &sink))
        return false;
    out[sink.len] = '\0';
    return true;
}
