/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "imap/types.h"
#include "unit_main.h"

static const char *format_all(const struct imap_seqset *set)
{
    static char text[4096];
    uint32_t from = 1;
    imap_seqset_format(set, &from, text, sizeof text);
    ck_assert_uint_eq(from, 0);
    return text;
}

static enum imap_status parse(struct imap_seqset *set, const char *text)
{
    return imap_seqset_parse(set, text, strlen(text), NULL);
}

static const struct {
    const char *text, *canonical;
    uint64_t size;
} good[] = {
    {"1", "1", 1},
    {"1:5", "1:5", 5},
    {"5:1", "1:5", 5},
    {"3,1,2", "1:3", 3},
    {"1,3,5", "1,3,5", 3},
    {"5,3,1", "1,3,5", 3},
    {"1:3,2:6", "1:6", 6},
    {"1:3,4:6", "1:6", 6},
    {"10:20,1:30", "1:30", 30},
    {"4294967294", "4294967294", 1},
    {"*", "*", 1},
    {"7,*", "7,*", 2},
    {"7:*", "7:*", 4294967289u},
    {"*:7", "7:*", 4294967289u},
    {"1:4294967294", "1:4294967294", 4294967294u},
    {"1:*", "1:*", 4294967295u},
    {"0000000000000007", "7", 1},
    {"2,4,6,8,7,5,3", "2:8", 7},
};

START_TEST(parses_into_one_form)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct imap_seqset set = {0};
        ck_assert_msg(parse(&set, good[i].text) == IMAP_OK, "%s", good[i].text);
        ck_assert_str_eq(format_all(&set), good[i].canonical);
        ck_assert_uint_eq(imap_seqset_size(&set), good[i].size);
        imap_seqset_fini(&set);
    }
}
END_TEST

START_TEST(refuses_what_is_malformed)
{
    static const char *const bad[] = {
        "",      "0",        "0:5", "1:", ":1",  "1,", ",1",  "1,,2", "4294967296",
        "1:2:3", "-1",       "+1",  " 1", "1 ",  "a",  "1:0", "**",   "99999999999999999999999",
        "1:$",   "9.37e+06", "1\n", "*:", "1;2", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct imap_seqset set = {0};
        imap_seqset_add(&set, 7, 7);
        ck_assert_msg(parse(&set, bad[i]) == IMAP_PROTO, "'%s'", bad[i]);
        ck_assert_str_eq(format_all(&set), "7"); /* untouched */
        imap_seqset_fini(&set);
    }
}
END_TEST

START_TEST(number_max_is_star)
{
    struct imap_seqset set = {0};
    ck_assert_int_eq(parse(&set, "4294967295"), IMAP_OK);
    ck_assert(imap_seqset_contains(&set, IMAP_SEQSET_STAR));
    ck_assert_str_eq(format_all(&set), "*");
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(adding_agrees_with_a_plain_array)
{
    enum { SPAN = 60 };
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        bool has[SPAN + 2] = {false};
        struct imap_seqset set = {0};
        for (int i = 0; i < 12; i++) {
            seed = seed * 1103515245u + 12345u;
            uint32_t first = 1 + (seed >> 8) % SPAN, last = first + (seed >> 20) % 5;
            if (last > SPAN)
                last = SPAN;
            if (seed & 0x40)
                imap_seqset_add(&set, first, last);
            else
                imap_seqset_add(&set, last, first);
            for (uint32_t n = first; n <= last; n++)
                has[n] = true;
        }
        uint64_t size = 0;
        size_t ranges = 0;
        for (uint32_t n = 1; n <= SPAN; n++) {
            ck_assert_int_eq(imap_seqset_contains(&set, n), has[n]);
            size += has[n];
            ranges += has[n] && !has[n - 1];
        }
        ck_assert(!imap_seqset_contains(&set, 0) && !imap_seqset_contains(&set, SPAN + 1));
        ck_assert_uint_eq(imap_seqset_size(&set), size);
        ck_assert_uint_eq(set.count, ranges);
        imap_seqset_fini(&set);
    }
}
END_TEST

START_TEST(the_edges_of_32_bits)
{
    struct imap_seqset set = {0};
    imap_seqset_add(&set, 0, 0); /* no number */
    ck_assert_uint_eq(set.count, 0);
    imap_seqset_add(&set, UINT32_MAX - 1, UINT32_MAX - 1);
    imap_seqset_add(&set, UINT32_MAX, UINT32_MAX);
    imap_seqset_add(&set, 1, 1);
    imap_seqset_add(&set, 0, 2); /* 0 does not exist */
    ck_assert_str_eq(format_all(&set), "1:2,4294967294:*");
    imap_seqset_add(&set, 1, UINT32_MAX);
    ck_assert_str_eq(format_all(&set), "1:*");
    ck_assert_uint_eq(imap_seqset_size(&set), UINT32_MAX);
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(formats_in_pieces_of_whole_ranges)
{
    struct imap_seqset set = {0};
    char text[8];
    uint32_t from = 1;
    ck_assert_int_eq(parse(&set, "1,3:5,100,200:300"), IMAP_OK);
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, sizeof text), 5);
    ck_assert_str_eq(text, "1,3:5");
    ck_assert_uint_eq(from, 100);
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, sizeof text), 3);
    ck_assert_str_eq(text, "100");
    ck_assert_uint_eq(from, 200);
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, sizeof text), 7);
    ck_assert_str_eq(text, "200:300");
    ck_assert_uint_eq(from, 0);
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, sizeof text), 0);
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(formats_nothing_when_nothing_fits)
{
    struct imap_seqset set = {0};
    char text[8] = "old";
    uint32_t from = 1;
    imap_seqset_add(&set, 200, 300);
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, 7), 0); /* no room for the NUL */
    ck_assert_str_eq(text, "");
    ck_assert_uint_eq(from, 200);
    from = 250; /* from within a range */
    ck_assert_uint_eq(imap_seqset_format(&set, &from, text, 8), 7);
    ck_assert_str_eq(text, "250:300");
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(the_whole_as_text)
{
    struct imap_seqset set = {0};
    char *text = imap_seqset_text(&set);
    ck_assert_str_eq(text, "");
    free(text);
    imap_seqset_add(&set, 1, 3);
    imap_seqset_add(&set, 4294967294, 4294967294);
    text = imap_seqset_text(&set);
    ck_assert_str_eq(text, "1:3,4294967294");
    free(text);
    imap_seqset_fini(&set);

    /* "1000000001," and so on: 95325 of 11 bytes, but for the last comma, are 1 MiB less 2 */
    for (uint32_t i = 0; i < 95325; i++)
        imap_seqset_add(&set, 1000000001 + 2 * i, 1000000001 + 2 * i);
    text = imap_seqset_text(&set);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), (1u << 20) - 2);
    free(text);
    imap_seqset_add(&set, 1, 1);
    text = imap_seqset_text(&set);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), 1u << 20);
    free(text);
    imap_seqset_add(&set, 1, 2);
    ck_assert_ptr_null(imap_seqset_text(&set));
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(caps_the_ranges)
{
    size_t room = (size_t)(IMAP_SEQSET_MAX_RANGES + 1) * 8, len = 0;
    char *text = malloc(room);
    struct imap_seqset set = {0};
    for (int i = 0; i < IMAP_SEQSET_MAX_RANGES; i++)
        len += (size_t)snprintf(text + len, room - len, "%s%d", i ? "," : "", 2 * i + 2);
    ck_assert_int_eq(imap_seqset_parse(&set, text, len, NULL), IMAP_OK);
    ck_assert_uint_eq(set.count, IMAP_SEQSET_MAX_RANGES);
    len += (size_t)snprintf(text + len, room - len, ",%d", 2 * IMAP_SEQSET_MAX_RANGES + 2);
    ck_assert_int_eq(imap_seqset_parse(&set, text, len, NULL), IMAP_LIMIT);
    imap_seqset_fini(&set);
    free(text);
}
END_TEST

START_TEST(falling_numbers_are_not_quadratic)
{
    size_t room = (size_t)IMAP_SEQSET_MAX_RANGES * 9, len = 0;
    char *text = malloc(room);
    struct imap_seqset set = {0};
    for (int i = IMAP_SEQSET_MAX_RANGES; i > 0; i--)
        len += (size_t)snprintf(text + len, room - len, "%s%d", len ? "," : "", 3 * i);
    clock_t before = clock();
    ck_assert_int_eq(imap_seqset_parse(&set, text, len, NULL), IMAP_OK);
    /* inserting each in its place would move 500 GB */
    ck_assert_msg(clock() - before < 10 * CLOCKS_PER_SEC, "took too long");
    ck_assert_uint_eq(set.count, IMAP_SEQSET_MAX_RANGES);
    ck_assert_uint_eq(set.ranges[0].first, 3);
    imap_seqset_fini(&set);
    free(text);
}
END_TEST

UNIT_MAIN("seqset", parses_into_one_form, refuses_what_is_malformed, number_max_is_star,
          adding_agrees_with_a_plain_array, the_edges_of_32_bits, formats_in_pieces_of_whole_ranges,
          formats_nothing_when_nothing_fits, the_whole_as_text, caps_the_ranges,
          falling_numbers_are_not_quadratic)
