/* SPDX-License-Identifier: MIT */
#include "flags.h"

#include "parse_help.h"

static void check_flags(const struct imap_response *response, int index)
{
    const struct imap_flags *flags = &response->flags;

    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FLAGS);
    ck_assert_uint_eq(flags->system, IMAP_FLAG_ANSWERED | IMAP_FLAG_FLAGGED | IMAP_FLAG_DELETED |
                                         IMAP_FLAG_SEEN | IMAP_FLAG_DRAFT);
    ck_assert_uint_eq(flags->keyword_count, 0);
}

START_TEST(system_flags)
{
    run_one("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)", check_flags);
    run_one("* flags (\\SEEN \\answered \\FLAGged \\Deleted \\draft \\Seen)", check_flags);
}
END_TEST

static void check_keywords(const struct imap_response *response, int index)
{
    const struct imap_flags *flags = &response->flags;

    (void)index;
    ck_assert_uint_eq(flags->system, IMAP_FLAG_RECENT | IMAP_FLAG_NEW_KEYWORDS);
    ck_assert_uint_eq(flags->keyword_count, 5);
    ck_assert_str_eq(flags->keywords[0], "$Junk");
    ck_assert_str_eq(flags->keywords[1], "\\Own");
    ck_assert_str_eq(flags->keywords[2], "[odd]");
    ck_assert_str_eq(flags->keywords[3], "NIL");
    ck_assert_str_eq(flags->keywords[4], "a b");
}

START_TEST(keywords_keep_their_names)
{
    run_one("* FLAGS ($Junk \\Recent \\Own [odd] NIL \"a b\" \"\" (x) \\*)", check_keywords);
}
END_TEST

static void check_empty(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FLAGS);
    ck_assert_uint_eq(response->flags.system, 0);
    ck_assert_uint_eq(response->flags.keyword_count, 0);
}

START_TEST(no_flags)
{
    run_one("* FLAGS ()", check_empty);
}
END_TEST

static void check_malformed(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert(response->malformed);
    ck_assert_str_eq(response->name, "FLAGS");
}

START_TEST(no_list_is_malformed)
{
    run_one("* FLAGS \\Seen", check_malformed);
    run_one("* FLAGS", check_malformed);
}
END_TEST

START_TEST(format)
{
    const char *keywords[] = {"$Junk", "work"};
    struct imap_buf buf;

    imap_buf_init(&buf, 100);
    ck_assert(imap_flags_format(&buf, 0, NULL, 0));
    ck_assert_str_eq(buf.data, "()");
    imap_buf_clear(&buf, 100);
    ck_assert(imap_flags_format(&buf, IMAP_FLAG_SEEN | IMAP_FLAG_FLAGGED, keywords, 2));
    ck_assert_str_eq(buf.data, "(\\Seen \\Flagged $Junk work)");
    imap_buf_clear(&buf, 100);
    ck_assert(imap_flags_format(&buf, 0, keywords, 1));
    ck_assert_str_eq(buf.data, "($Junk)");
    imap_buf_fini(&buf);
    imap_buf_init(&buf, 6);
    ck_assert(!imap_flags_format(&buf, IMAP_FLAG_SEEN, NULL, 0));
    imap_buf_fini(&buf);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {system_flags, keywords_keep_their_names, no_flags, no_list_is_malformed, format,
                            NULL};

    return run_tests("flags", tests);
}
