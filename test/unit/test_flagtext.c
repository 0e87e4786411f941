/* SPDX-License-Identifier: MIT */
#include "flagtext.h"

#include <errno.h>
#include <string.h>

#include "unit_main.h"

static struct flagtext parsed;

static int parse(const char *text)
{
    return flagtext_parse(text, strlen(text), &parsed);
}

START_TEST(all_of_them)
{
    ck_assert_int_eq(parse("\\Seen \\fLAGGED  $Forwarded work\n"), 0);
    ck_assert_int_eq(parsed.how, WRITE_SET);
    ck_assert_uint_eq(parsed.flags.system, IMAP_FLAG_SEEN | IMAP_FLAG_FLAGGED);
    ck_assert_uint_eq(parsed.flags.keyword_count, 2);
    ck_assert_str_eq(parsed.flags.keywords[0], "$Forwarded");
    ck_assert_str_eq(parsed.flags.keywords[1], "work");
    flagtext_fini(&parsed);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(parsed.how, WRITE_SET);
    ck_assert_uint_eq(parsed.flags.system + parsed.flags.keyword_count, 0);
    flagtext_fini(&parsed);
}
END_TEST

START_TEST(more_and_less)
{
    ck_assert_int_eq(parse("+\\Answered a"), 0);
    ck_assert_int_eq(parsed.how, WRITE_ADD);
    ck_assert_uint_eq(parsed.flags.system, IMAP_FLAG_ANSWERED);
    ck_assert_uint_eq(parsed.flags.keyword_count, 1);
    flagtext_fini(&parsed);
    ck_assert_int_eq(parse("- \\Deleted \\Draft \\Recent"), 0);
    ck_assert_int_eq(parsed.how, WRITE_REMOVE);
    ck_assert_uint_eq(parsed.flags.system, IMAP_FLAG_DELETED | IMAP_FLAG_DRAFT);
    flagtext_fini(&parsed);
}
END_TEST

START_TEST(what_is_no_flag)
{
    static const char *const wrong[] = {"\\Unheard", "a(b", "a)",       "{1}",  "\"a\"",
                                        "a*",        "a%",  "\xC3\xA4", "a\\b", "\x01"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(parse(wrong[i]) == EINVAL, "%s", wrong[i]);
        flagtext_fini(&parsed);
    }
    char text[FLAGTEXT_MAX + 2];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(parse(text), E2BIG);
    flagtext_fini(&parsed);
    text[300] = '\0';
    ck_assert_int_eq(parse(text), EINVAL);
    flagtext_fini(&parsed);
}
END_TEST

UNIT_MAIN("flagtext", all_of_them, more_and_less, what_is_no_flag)
