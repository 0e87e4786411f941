/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap/types.h"
#include "unit_main.h"

static const struct {
    const char *wire, *utf8;
} both_ways[] = {
    {"", ""},
    {"INBOX", "INBOX"},
    {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"}, /* RFC 3501 5.1.3 */
    {"&-", "&"},
    {"a&-b", "a&b"},
    {"&-&-", "&&"},
    {"Entw&APw-rfe", "Entwürfe"},
    {"&AOQA9gD8-", "äöü"},
    {"&AOQ-&-", "ä&"},
    {"&-&AOQ-", "&ä"},
    {"&AOQ-x&APY-", "äxö"},
    {"&2D3eAA-", "\xf0\x9f\x98\x80"},
    {"&2D3eAADk-", "\xf0\x9f\x98\x80ä"},
    {"&AAE-", "\x01"},
    {"&AH8-", "\x7f"},
    {"&AAoADQ-", "\n\r"},
    {"\\\"%*(){]", "\\\"%*(){]"},
    {"+ABC-", "+ABC-"},
    {"&23,f,w-", "\xf3\xaf\xbf\xbf"}, /* U+EFFFF: DB7F DFFF */
};

START_TEST(converts_both_ways)
{
    for (size_t i = 0; i < sizeof both_ways / sizeof *both_ways; i++) {
        char text[256];
        ck_assert_msg(imap_utf7_decode(both_ways[i].wire, strlen(both_ways[i].wire), text, sizeof text), "%s",
                      both_ways[i].wire);
        ck_assert_str_eq(text, both_ways[i].utf8);
        ck_assert(imap_utf7_encode(both_ways[i].utf8, strlen(both_ways[i].utf8), text, sizeof text));
        ck_assert_str_eq(text, both_ways[i].wire);
    }
}
END_TEST

START_TEST(refuses_what_would_not_come_back)
{
    static const char *const bad[] = {
        "&",          /* not ended */
        "&AOQ",       /* not ended */
        "&AOQ-&APY-", /* two runs that would be one */
        "&AGE-",      /* a, which stands for itself */
        "&ACY-",      /* &, which is "&-" */
        "&AOR-",      /* padding bits not zero */
        "&AOQA-",     /* half a character */
        "&AOQAA-",    /* a digit too many */
        "&A-",        /* not even one */
        "&AAA-",      /* NUL */
        "&2D0-",      /* half of a surrogate pair */
        "&3gA-",      /* the other half alone */
        "&3gDYPQ-",   /* in the wrong order */
        "&2D0AYQ-",   /* high surrogate, then a */
        "&AOQ=-",     /* base64 of another kind */
        "&AO/-",      /* "/" is "," here */
        "& -",        "\xc3\xa4", "a\x7f", "a\tb", "a\nb",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char out[64] = "untouched";
        ck_assert_msg(!imap_utf7_decode(bad[i], strlen(bad[i]), out, sizeof out), "%s", bad[i]);
        ck_assert_str_eq(out, "untouched");
    }
    char out[64];
    ck_assert(!imap_utf7_decode("a\0b", 3, out, sizeof out));
}
END_TEST

START_TEST(refuses_bad_utf8)
{
    static const char *const bad[] = {
        "\x80",
        "\xc3",
        "\xc3(",
        "\xc0\xaf", /* overlong */
        "\xe0\x80\xaf",
        "\xf0\x80\x80\xaf",
        "\xc1\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "\xfe",
        "\xe2\x82",
        "\xf0\x9f\x98",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char out[64] = "untouched";
        ck_assert_msg(!imap_utf7_encode(bad[i], strlen(bad[i]), out, sizeof out), "%zu", i);
        ck_assert_str_eq(out, "untouched");
    }
    char out[64];
    ck_assert(!imap_utf7_encode("a\0b", 3, out, sizeof out));
}
END_TEST

/* Every character alone and between letters: also proves the sizes promised in the contract. */
START_TEST(every_character_comes_back)
{
    for (uint32_t c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 37) {
        char utf8[8], wire[64], again[64];
        size_t len = 0;
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        if (c < 0x80) {
            utf8[len++] = (char)c;
        } else if (c < 0x800) {
            utf8[len++] = (char)(0xc0 | c >> 6);
            utf8[len++] = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
            utf8[len++] = (char)(0xe0 | c >> 12);
            utf8[len++] = (char)(0x80 | (c >> 6 & 0x3f));
            utf8[len++] = (char)(0x80 | (c & 0x3f));
        } else {
            utf8[len++] = (char)(0xf0 | c >> 18);
            utf8[len++] = (char)(0x80 | (c >> 12 & 0x3f));
            utf8[len++] = (char)(0x80 | (c >> 6 & 0x3f));
            utf8[len++] = (char)(0x80 | (c & 0x3f));
        }
        ck_assert(imap_utf7_encode(utf8, len, wire, 4 * len + 3));
        ck_assert(imap_utf7_decode(wire, strlen(wire), again, 3 * strlen(wire) + 1));
        ck_assert_uint_eq(strlen(again), len);
        ck_assert_mem_eq(again, utf8, len);
    }
}
END_TEST

START_TEST(highest_of_a_plane)
{
    char out[16];
    ck_assert(imap_utf7_encode("\xf4\x8f\xbf\xbf", 4, out, sizeof out)); /* U+10FFFF: DBFF DFFF */
    ck_assert_str_eq(out, "&2,,f,w-");
    ck_assert(imap_utf7_decode("&2,,f,w-", 8, out, sizeof out));
    ck_assert_str_eq(out, "\xf4\x8f\xbf\xbf");
}
END_TEST

START_TEST(too_little_room_is_refused)
{
    char out[8] = "old";
    ck_assert(!imap_utf7_encode("\xc3\xa4", 2, out, 5));
    ck_assert_str_eq(out, "old");
    ck_assert(imap_utf7_encode("\xc3\xa4", 2, out, 6));
    ck_assert(!imap_utf7_decode("abc", 3, out, 3));
    ck_assert(imap_utf7_decode("abc", 3, out, 4));
}
END_TEST

UNIT_MAIN("utf7", converts_both_ways, refuses_what_would_not_come_back, refuses_bad_utf8,
          every_character_comes_back, highest_of_a_plane, too_little_room_is_refused)
