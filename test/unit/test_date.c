/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap/types.h"
#include "unit_main.h"

/* The numbers are from `date -u -d ... +%s`. */
static const struct {
    const char *text; /* in the one form that is written */
    int64_t seconds;
    int zone;
} both_ways[] = {
    {" 1-Jan-1970 00:00:00 +0000", 0, 0},
    {"31-Dec-1969 23:59:59 +0000", -1, 0},
    {" 5-Jan-2024 10:00:00 +0100", 1704445200, 60},
    {"17-Jul-1996 02:44:25 -0700", 837596665, -420},
    {"29-Feb-2024 12:34:56 +0000", 1709210096, 0},
    {"29-Feb-2000 00:00:00 +0000", 951782400, 0},
    {"28-Feb-1900 00:00:00 +0000", -2203977600, 0},
    {" 1-Mar-1900 00:00:00 +0000", -2203891200, 0},
    {"31-Dec-9999 00:00:00 +0000", 253402214400, 0},
    {" 1-Jan-0001 12:00:00 +0000", -62135553600, 0},
    {"19-Jan-2038 03:14:08 +0000", 2147483648, 0},
    {" 1-Jan-2024 00:00:00 +1400", 1704016800, 840},
    {"31-Dec-2023 23:30:00 -0930", 1704099600, -570},
    {" 9-Sep-2001 01:46:40 +0000", 1000000000, 0},
    {" 1-Jan-2024 00:00:00 +2359", 1703980860, 1439},
    {" 1-Jan-2024 00:00:00 -2359", 1704153540, -1439},
};

START_TEST(reads_and_writes_the_same)
{
    for (size_t i = 0; i < sizeof both_ways / sizeof *both_ways; i++) {
        struct imap_date date;
        char text[IMAP_DATE_TEXT_MAX];
        ck_assert_msg(imap_date_parse(both_ways[i].text, 26, &date), "%s", both_ways[i].text);
        ck_assert_msg(date.unix_seconds == both_ways[i].seconds, "%s is %lld", both_ways[i].text,
                      (long long)date.unix_seconds);
        ck_assert_int_eq(date.zone_minutes, both_ways[i].zone);
        imap_date_format(&date, text);
        ck_assert_str_eq(text, both_ways[i].text);
    }
}
END_TEST

START_TEST(reads_other_spellings)
{
    static const char *const same[] = {" 5-Jan-2024 10:00:00 +0100", "05-Jan-2024 10:00:00 +0100",
                                       "5-Jan-2024 10:00:00 +0100",  "5-JAN-2024 10:00:00 +0100",
                                       "5-jan-2024 10:00:00 +0100",  "05-Jan-2024 09:00:00 +0000",
                                       "05-Jan-2024 09:00:00 -0000", " 4-Jan-2024 22:30:00 -1030"};
    struct imap_date date;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ck_assert_msg(imap_date_parse(same[i], strlen(same[i]), &date), "%s", same[i]);
        ck_assert_int_eq(date.unix_seconds, 1704445200);
    }
    ck_assert(imap_date_parse("31-Dec-2016 23:59:60 +0000", 26, &date)); /* a leap second there was */
    ck_assert_int_eq(date.unix_seconds, 1483228800);
}
END_TEST

START_TEST(refuses_to_guess)
{
    static const char *const bad[] = {
        "",
        "00-Jan-2024 00:00:00 +0000", /* Domino */
        "32-Jan-2024 00:00:00 +0000",
        "30-Feb-2024 00:00:00 +0000",
        "29-Feb-2023 00:00:00 +0000",
        "29-Feb-1900 00:00:00 +0000",
        "31-Apr-2024 00:00:00 +0000",
        " 5-Jan-24 10:00:00 +0100",
        " 5-Jan-02024 10:00:00 +0100",
        " 5-Mai-2024 10:00:00 +0100",
        " 5-01-2024 10:00:00 +0100",
        " 5-Jan-2024 24:00:00 +0100",
        " 5-Jan-2024 10:60:00 +0100",
        " 5-Jan-2024 10:00:61 +0100",
        " 5-Jan-2024 10:00 +0100",
        " 5-Jan-2024 10:00:00",
        " 5-Jan-2024 10:00:00 0100",
        " 5-Jan-2024 10:00:00 GMT",
        " 5-Jan-2024 10:00:00 +2400",
        " 5-Jan-2024 10:00:00 +0160",
        " 5-Jan-2024 10:00:00 +010",
        " 5-Jan-2024 10:00:00 +01000",
        " 5-Jan-2024 10:00:00 +0100 ",
        "  5-Jan-2024 10:00:00 +0100",
        " 15-Jan-2024 10:00:00 +0100",
        "-5-Jan-2024 10:00:00 +0100",
        " -Jan-2024 10:00:00 +0100",
        " 5-Jan-2024 1a:00:00 +0100",
        " 5-Jan--024 10:00:00 +0100",
        " 5 Jan 2024 10:00:00 +0100",
        "\"5-Jan-2024 10:00:00 +0100\"",
        "Fri, 5 Jan 2024 10:00:00 +0100",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct imap_date date = {42, 42};
        ck_assert_msg(!imap_date_parse(bad[i], strlen(bad[i]), &date), "'%s'", bad[i]);
        ck_assert_int_eq(date.unix_seconds, 42);
        ck_assert_int_eq(date.zone_minutes, 42);
    }
}
END_TEST

START_TEST(never_reads_beyond_len)
{
    const char text[] = " 5-Jan-2024 10:00:00 +0100";
    for (size_t len = 0; len < 26; len++) {
        struct imap_date date;
        char *exact = malloc(len ? len : 1);
        memcpy(exact, text, len);
        ck_assert(!imap_date_parse(exact, len, &date));
        free(exact);
    }
}
END_TEST

START_TEST(each_day_of_800_years_comes_back)
{
    struct imap_date date = {.unix_seconds = -11676096000}, again; /* 1-Jan-1600 */
    char text[IMAP_DATE_TEXT_MAX];
    unsigned days = 0;
    for (; days < 2 * 146097; days++, date.unix_seconds += 86400) {
        imap_date_format(&date, text);
        ck_assert_msg(imap_date_parse(text, strlen(text), &again), "%s", text);
        ck_assert_int_eq(again.unix_seconds, date.unix_seconds);
    }
    ck_assert_str_eq(text, "31-Dec-2399 00:00:00 +0000");
}
END_TEST

START_TEST(formats_the_impossible_within_26_characters)
{
    static const struct imap_date dates[] = {{INT64_MAX, 0},     {INT64_MIN, 0}, {INT64_MAX, 1439},
                                             {INT64_MIN, -1439}, {0, INT32_MAX}, {0, INT32_MIN}};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        char text[IMAP_DATE_TEXT_MAX];
        struct imap_date date;
        imap_date_format(&dates[i], text);
        ck_assert_uint_eq(strlen(text), 26);
        ck_assert_msg(imap_date_parse(text, 26, &date), "%s", text);
    }
}
END_TEST

UNIT_MAIN("date", reads_and_writes_the_same, reads_other_spellings, refuses_to_guess, never_reads_beyond_len,
          each_day_of_800_years_comes_back, formats_the_impossible_within_26_characters)
