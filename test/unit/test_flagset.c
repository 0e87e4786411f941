/* SPDX-License-Identifier: MIT */
#include "flagset.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct flagsets sets;

static void tear_down(void)
{
    flagsets_fini(&sets);
}

static uint32_t intern(unsigned system, const char *const *keywords, size_t count)
{
    const struct imap_flags flags = {.system = system, .keywords = keywords, .keyword_count = count};
    return flagset_intern(&sets, &flags);
}

START_TEST(canonical_text)
{
    const char *const some[] = {"work", "$Forwarded", "work", "Abc"};
    const uint32_t id =
        intern(IMAP_FLAG_SEEN | IMAP_FLAG_RECENT | IMAP_FLAG_DRAFT | IMAP_FLAG_ANSWERED, some, 4);
    ck_assert_str_eq(flagset_text(&sets, id), "\\Seen \\Answered \\Draft $Forwarded Abc work");
    const char *const others[] = {"Abc", "$Forwarded", "work"};
    ck_assert_uint_eq(intern(IMAP_FLAG_DRAFT | IMAP_FLAG_ANSWERED | IMAP_FLAG_SEEN, others, 3), id);
    ck_assert_uint_ne(intern(IMAP_FLAG_SEEN, others, 3), id);
    ck_assert_uint_ne(intern(IMAP_FLAG_SEEN, others, 2), intern(IMAP_FLAG_SEEN, others, 3));
}
END_TEST

/* RFC 3501 2.3.2's order. */
START_TEST(system_flags_need_no_table)
{
    uint32_t id = 99;
    const struct imap_flags none = {0}, recent = {.system = IMAP_FLAG_RECENT}, all = {.system = 0x1f};
    ck_assert(flagset_plain(&none, &id));
    ck_assert_uint_eq(id, 0);
    ck_assert_str_eq(flagset_text(&sets, id), "");
    ck_assert(flagset_plain(&recent, &id));
    ck_assert_uint_eq(id, 0);
    ck_assert(flagset_plain(&all, &id));
    ck_assert_str_eq(flagset_text(&sets, id), "\\Seen \\Answered \\Flagged \\Deleted \\Draft");
    ck_assert_uint_eq(intern(0x1f, NULL, 0), id);
    static const struct {
        unsigned bit;
        const char *text;
    } single[] = {{IMAP_FLAG_SEEN, "\\Seen"},
                  {IMAP_FLAG_ANSWERED, "\\Answered"},
                  {IMAP_FLAG_FLAGGED, "\\Flagged"},
                  {IMAP_FLAG_DELETED, "\\Deleted"},
                  {IMAP_FLAG_DRAFT, "\\Draft"}};
    for (unsigned bits = 0; bits < FLAGSET_SYSTEM; bits++) {
        char text[80] = "";
        for (int i = 0; i < 5; i++)
            if (bits & single[i].bit) {
                const size_t have = strlen(text);
                snprintf(text + have, sizeof text - have, "%s%s", have ? " " : "", single[i].text);
            }
        ck_assert_str_eq(flagset_text(&sets, intern(bits, NULL, 0)), text);
    }
    ck_assert_uint_eq(sets.count, 0);
}
END_TEST

START_TEST(texts_stay_where_they_are)
{
    char name[32];
    const char *keyword = name;
    strcpy(name, "first");
    const uint32_t first = intern(0, &keyword, 1);
    const char *text = flagset_text(&sets, first);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "k%d", i);
        intern(0, &keyword, 1);
    }
    ck_assert_ptr_eq(flagset_text(&sets, first), text);
    ck_assert_str_eq(text, "first");
    ck_assert_str_eq(flagset_text(&sets, intern(0, &keyword, 1)), "k4999");
}
END_TEST

START_TEST(caps)
{
    char name[32], giant[FLAGSET_KEYWORD_MAX + 2];
    const char *keyword = name, *too_long = giant;
    memset(giant, 'x', sizeof giant - 1);
    giant[sizeof giant - 1] = '\0';
    ck_assert_uint_eq(intern(IMAP_FLAG_SEEN, &too_long, 1), IMAP_FLAG_SEEN);
    for (unsigned i = 0; i < FLAGSET_MAX + 10; i++) {
        snprintf(name, sizeof name, "k%u", i);
        intern(IMAP_FLAG_FLAGGED, &keyword, 1);
    }
    ck_assert_uint_eq(sets.count, FLAGSET_MAX - FLAGSET_SYSTEM);
    /* one too many keeps at least the system flags */
    ck_assert_str_eq(flagset_text(&sets, intern(IMAP_FLAG_FLAGGED, &keyword, 1)), "\\Flagged");
    ck_assert_str_eq(flagset_text(&sets, UINT32_MAX), "");
    /* very many keywords: as many as fit */
    static char names[1000][8];
    const char *many[1000];
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "%06d", i);
        many[i] = names[i];
    }
    flagsets_fini(&sets);
    ck_assert_uint_eq(strlen(flagset_text(&sets, intern(0, many, 1000))), 585 * 7 - 1);
}
END_TEST

START_TEST(a_text_gives_the_set_it_came_from)
{
    static const char *const texts[] = {
        "",
        "\\Seen",
        "\\Seen \\Answered \\Flagged \\Deleted \\Draft",
        "\\Draft $Forwarded work",
        "\\Later a b",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_str_eq(flagset_text(&sets, flagset_intern_text(&sets, texts[i])), texts[i]);
    ck_assert_uint_eq(flagset_intern_text(&sets, "\\Seen"), IMAP_FLAG_SEEN);
    /* of any other text comes some canonical one */
    ck_assert_str_eq(flagset_text(&sets, flagset_intern_text(&sets, " b  a \\Seen b ")), "\\Seen a b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flagset");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, canonical_text);
    tcase_add_test(tcase, system_flags_need_no_table);
    tcase_add_test(tcase, texts_stay_where_they_are);
    tcase_add_test(tcase, caps);
    tcase_add_test(tcase, a_text_gives_the_set_it_came_from);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
