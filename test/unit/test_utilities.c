/* SPDX-License-Identifier: MIT */
/*
 * imaplib's utilities under their names here. The expected values are those of Python's own tests
 * (Lib/test/test_imaplib.py) and of its documentation.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imap/fetchdata.h"
#include "unit_main.h"

#define JAN_1_2000 946684800 /* calendar.timegm((2000, 1, 1, 0, 0, 0, -1, -1, -1)) */

static struct imap_date internaldate(const char *response)
{
    struct imap_date date = {0};
    ck_assert_msg(imap_internaldate_parse(response, strlen(response), &date), "%s", response);
    return date;
}

START_TEST(internaldate_to_tuple)
{
    ck_assert_int_eq(internaldate("25 (INTERNALDATE \"01-Jan-2000 00:00:00 +0000\")").unix_seconds,
                     JAN_1_2000);
    ck_assert_int_eq(internaldate("25 (INTERNALDATE \"01-Jan-2000 11:30:00 +1130\")").unix_seconds,
                     JAN_1_2000);
    ck_assert_int_eq(internaldate("25 (INTERNALDATE \"31-Dec-1999 12:30:00 -1130\")").unix_seconds,
                     JAN_1_2000);
    /* issue10941: an hour that a change of clocks skips in local time */
    ck_assert_int_eq(internaldate("25 (INTERNALDATE \"02-Apr-2000 03:30:00 +0000\")").unix_seconds -
                         internaldate("25 (INTERNALDATE \"02-Apr-2000 02:30:00 +0000\")").unix_seconds,
                     3600);
    ck_assert_int_eq(
        internaldate("* 1 FETCH (UID 2 INTERNALDATE \" 1-Jan-2000 01:00:00 +0100\" FLAGS ())").zone_minutes,
        60);
}
END_TEST

START_TEST(no_internaldate)
{
    static const char *const texts[] = {
        "",
        "INTERNALDATE",
        "INTERNALDATE \"",
        "INTERNALDATE \"01-Jan-2000 00:00:00 +0000",
        "INTERNALDATE 01-Jan-2000 00:00:00 +0000",
        "25 (INTERNALDATE \"00-Jan-2000 00:00:00 +0000\")",
        "25 (INTERNALDATE \"\")",
        "25 (INTERNALDATE NIL)",
        "25 (FLAGS ())",
    };
    struct imap_date date = {.unix_seconds = 7};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!imap_internaldate_parse(texts[i], strlen(texts[i]), &date), "%s", texts[i]);
    ck_assert_int_eq(date.unix_seconds, 7);
}
END_TEST

static void assert_local(const char *zone, int64_t seconds, const char *expected)
{
    char text[IMAP_DATE_TEXT_MAX];
    struct imap_date date;
    setenv("TZ", zone, 1);
    tzset();
    ck_assert(imap_date_local(seconds, &date));
    imap_date_format(&date, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(time_to_internaldate)
{
    assert_local("STD-1DST", 2000000000, "18-May-2033 05:33:20 +0200"); /* test_Time2Internaldate */
    assert_local("UTC0", JAN_1_2000, " 1-Jan-2000 00:00:00 +0000");
    assert_local("MST+07MDT,M4.1.0,M10.5.0", JAN_1_2000, "31-Dec-1999 17:00:00 -0700");
    assert_local("NST+03:30", JAN_1_2000, "31-Dec-1999 20:30:00 -0330");
}
END_TEST

START_TEST(int_to_ap)
{
    static const struct {
        int64_t number;
        const char *text;
    } known[] = {{0, ""},
                 {1, "B"},
                 {15, "P"},
                 {16, "BA"},
                 {256, "BAA"},
                 {-16, "BA"},
                 {4660, "BCDE"},
                 {INT64_MAX, "HPPPPPPPPPPPPPPP"},
                 {INT64_MIN, "IAAAAAAAAAAAAAAA"}};
    char text[IMAP_AP_TEXT_MAX];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        imap_int_to_ap(known[i].number, text);
        ck_assert_str_eq(text, known[i].text);
    }
}
END_TEST

/* In room of exactly the size that always suffices, and in odd places. */
static struct imap_flags flags_of(const char *text, void **room_out)
{
    size_t len = strlen(text), size = IMAP_FLAGS_ROOM(len);
    struct imap_flags flags = {0}, same;
    char *room = malloc(size + 1);
    ck_assert_msg(imap_flags_parse(text, len, &same, room + 1, size), "%s", text);
    ck_assert_msg(imap_flags_parse(text, len, &flags, room, size), "%s", text);
    ck_assert_uint_eq(flags.keyword_count, same.keyword_count);
    *room_out = room;
    return flags;
}

START_TEST(parse_flags)
{
    void *room;
    struct imap_flags flags = flags_of("FLAGS (\\Seen \\Recent)", &room);
    ck_assert_uint_eq(flags.system, IMAP_FLAG_SEEN | IMAP_FLAG_RECENT);
    ck_assert_uint_eq(flags.keyword_count, 0);
    ck_assert_ptr_null(flags.keywords);
    free(room);

    flags = flags_of("* 1 FETCH (UID 5 flags (\\sEEN $Junk \\X NIL a]b) MODSEQ (3))", &room);
    ck_assert_uint_eq(flags.system, IMAP_FLAG_SEEN);
    ck_assert_uint_eq(flags.keyword_count, 4);
    ck_assert_str_eq(flags.keywords[0], "$Junk");
    ck_assert_str_eq(flags.keywords[1], "\\X");
    ck_assert_str_eq(flags.keywords[2], "NIL");
    ck_assert_str_eq(flags.keywords[3], "a]b");
    free(room);

    flags = flags_of("(a b c d e f g h i j)", &room);
    ck_assert_uint_eq(flags.keyword_count, 10);
    ck_assert_str_eq(flags.keywords[9], "j");
    free(room);

    flags = flags_of("PERMANENTFLAGS (\\Deleted \\*)", &room);
    ck_assert_uint_eq(flags.system, IMAP_FLAG_DELETED | IMAP_FLAG_NEW_KEYWORDS);
    free(room);

    flags = flags_of("FLAGS ()", &room);
    ck_assert_uint_eq(flags.system, 0);
    free(room);
}
END_TEST

START_TEST(no_flags)
{
    static const char *const texts[] = {"",  "nothing here", "FLAGS", "FLAGS (", "FLAGS (\\Seen",
                                        "(", "\\Seen"};
    struct imap_flags flags;
    char room[64];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!imap_flags_parse(texts[i], strlen(texts[i]), &flags, room, sizeof room), "%s",
                      texts[i]);
    ck_assert(!imap_flags_parse("(abc)", 5, &flags, room, 8));
}
END_TEST

START_TEST(set_as_text)
{
    struct imap_seqset set = {0};
    char *text = imap_seqset_text(&set);
    ck_assert_str_eq(text, "");
    free(text);
    imap_seqset_add(&set, 1, 5);
    imap_seqset_add(&set, 9, 9);
    imap_seqset_add(&set, 4294967290, IMAP_SEQSET_STAR);
    text = imap_seqset_text(&set);
    ck_assert_str_eq(text, "1:5,9,4294967290:*");
    free(text);
    imap_seqset_fini(&set);
    /* 100,000 numbers of 10 digits: 1,100,000 bytes */
    for (uint32_t i = 0; i < 100000; i++)
        imap_seqset_add(&set, 4000000000 + 2 * i, 4000000000 + 2 * i);
    ck_assert_ptr_null(imap_seqset_text(&set));
    set.count = 90000;
    text = imap_seqset_text(&set);
    ck_assert_uint_eq(strlen(text), 90000 * 11 - 1);
    free(text);
    imap_seqset_fini(&set);
}
END_TEST

UNIT_MAIN("utilities", internaldate_to_tuple, no_internaldate, time_to_internaldate, int_to_ap, parse_flags,
          no_flags, set_as_text)
