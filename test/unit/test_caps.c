/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "imap/types.h"
#include "unit_main.h"

static void add_all(struct imap_caps *caps, const char *words)
{
    imap_caps_clear(caps);
    while (*words) {
        size_t len = strcspn(words, " ");
        imap_caps_add(caps, words, len);
        words += len + (words[len] == ' ');
    }
}

START_TEST(knows_words_in_any_case)
{
    struct imap_caps caps;
    add_all(&caps, "IMAP4rev1 idle Literal+ AUTH=plain STATUS=SIZE X-GM-EXT-1 XFoo COMPRESS=DEFLATE");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IMAP4REV1));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_LITERAL_PLUS));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_AUTH_PLAIN));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_STATUS_SIZE));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_X_GM_EXT_1));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_COMPRESS_DEFLATE));
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_LITERAL_MINUS));
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_IMAP4REV2));
    ck_assert(imap_caps_has_name(&caps, "xfoo"));
    ck_assert(imap_caps_has_name(&caps, "IDLE"));
    ck_assert(!imap_caps_has_name(&caps, "XFO"));
    ck_assert(!imap_caps_has_name(&caps, "FOO"));
    ck_assert(!imap_caps_has_name(&caps, "AUTH"));
    ck_assert(!imap_caps_has_name(&caps, ""));
    ck_assert_str_eq(caps.text,
                     "IMAP4REV1 IDLE LITERAL+ AUTH=PLAIN STATUS=SIZE X-GM-EXT-1 XFOO COMPRESS=DEFLATE");
}
END_TEST

START_TEST(every_bit_has_a_name_of_its_own)
{
    static const char *const words[IMAP_CAP_COUNT] = {"IMAP4rev1",
                                                      "IMAP4rev2",
                                                      "ACL",
                                                      "APPENDLIMIT",
                                                      "AUTH=PLAIN",
                                                      "BINARY",
                                                      "COMPRESS=DEFLATE",
                                                      "CONDSTORE",
                                                      "CREATE-SPECIAL-USE",
                                                      "ENABLE",
                                                      "ESEARCH",
                                                      "ID",
                                                      "IDLE",
                                                      "LIST-EXTENDED",
                                                      "LIST-STATUS",
                                                      "LITERAL-",
                                                      "LITERAL+",
                                                      "LOGINDISABLED",
                                                      "METADATA",
                                                      "MOVE",
                                                      "MULTIAPPEND",
                                                      "NAMESPACE",
                                                      "NOTIFY",
                                                      "OBJECTID",
                                                      "PARTIAL",
                                                      "PREVIEW",
                                                      "QRESYNC",
                                                      "QUOTA",
                                                      "REPLACE",
                                                      "SASL-IR",
                                                      "SAVEDATE",
                                                      "SEARCHRES",
                                                      "SORT",
                                                      "SPECIAL-USE",
                                                      "STARTTLS",
                                                      "STATUS=SIZE",
                                                      "UIDONLY",
                                                      "UIDPLUS",
                                                      "UNSELECT",
                                                      "UTF8=ACCEPT",
                                                      "WITHIN",
                                                      "X-GM-EXT-1"};
    for (unsigned cap = 0; cap < IMAP_CAP_COUNT; cap++) {
        struct imap_caps caps;
        add_all(&caps, words[cap]);
        uint64_t expected = (uint64_t)1 << cap;
        if (cap == IMAP_CAP_QRESYNC)
            expected |= (uint64_t)1 << IMAP_CAP_CONDSTORE; /* RFC 7162 3.2.3 */
        ck_assert_msg(caps.bits == expected, "%s", words[cap]);
    }
}
END_TEST

START_TEST(values)
{
    struct imap_caps caps;
    add_all(&caps, "APPENDLIMIT=35651584 AUTH=PLAIN XAPPENDLIMIT=1");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_APPENDLIMIT));
    ck_assert_int_eq(strncmp(imap_caps_value(&caps, "appendlimit"), "35651584 ", 9), 0);
    ck_assert_ptr_null(imap_caps_value(&caps, "IDLE"));
    ck_assert_ptr_null(imap_caps_value(&caps, "LIMIT"));
    add_all(&caps, "APPENDLIMIT");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_APPENDLIMIT));
    ck_assert_ptr_null(imap_caps_value(&caps, "APPENDLIMIT"));
    add_all(&caps, "UTF8=ONLY");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_UTF8_ACCEPT));
}
END_TEST

START_TEST(rev2_alone_contains_what_it_contains)
{
    struct imap_caps caps;
    add_all(&caps, "IMAP4rev2");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_UIDPLUS));
    ck_assert(imap_caps_has_name(&caps, "MOVE"));
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_CONDSTORE));
    add_all(&caps, "IMAP4rev1 IMAP4rev2"); /* not enabled: rev1 is spoken */
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_IDLE));
}
END_TEST

START_TEST(a_long_list_is_cut_at_a_word)
{
    struct imap_caps caps;
    char word[16];
    imap_caps_clear(&caps);
    for (int i = 0; i < 100000; i++) {
        int len = snprintf(word, sizeof word, "XWORD%05d", i);
        imap_caps_add(&caps, word, (size_t)len);
    }
    imap_caps_add(&caps, "QRESYNC", 7);
    ck_assert(imap_caps_has(&caps, IMAP_CAP_QRESYNC));
    ck_assert(imap_caps_has_name(&caps, "QRESYNC"));
    ck_assert_uint_lt(strlen(caps.text), IMAP_CAPS_TEXT_MAX);
    ck_assert(imap_caps_has_name(&caps, "XWORD00000"));
    ck_assert(!imap_caps_has_name(&caps, "XWORD99999"));
    const char *last = strrchr(caps.text, ' ') + 1;
    ck_assert(strlen(last) == 10 || strcmp(last, "QRESYNC") == 0);
}
END_TEST

START_TEST(what_is_hidden_is_not_offered)
{
    struct imap_caps caps;
    imap_caps_clear(&caps);
    const char *const words[] = {"IMAP4rev1", "AUTH=PLAIN", "AUTH=X", "QRESYNC", "IDLE", "APPENDLIMIT=5"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        imap_caps_add(&caps, words[i], strlen(words[i]));
    imap_caps_hide(&caps, "idle,,AUTH QRESYNCING");
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_IDLE));
    ck_assert(!imap_caps_has_name(&caps, "IDLE"));
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_AUTH_PLAIN));
    ck_assert_str_eq(caps.text, "IMAP4REV1 QRESYNC APPENDLIMIT=5");
    ck_assert(imap_caps_has(&caps, IMAP_CAP_QRESYNC));
    /* without QRESYNC there is still what it implied; without that nothing that builds upon it */
    imap_caps_hide(&caps, "QRESYNC");
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_QRESYNC));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_CONDSTORE));
    imap_caps_clear(&caps);
    imap_caps_add(&caps, "QRESYNC", 7);
    ck_assert(imap_caps_has(&caps, IMAP_CAP_QRESYNC)); /* clearing forgets what was hidden */
    imap_caps_hide(&caps, "CONDSTORE");
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_QRESYNC));
    ck_assert(!imap_caps_has_name(&caps, "QRESYNC"));
    /* nor does what another one contains come in by that */
    imap_caps_clear(&caps);
    imap_caps_add(&caps, "IMAP4rev2", 9);
    imap_caps_hide(&caps, "LIST-STATUS");
    ck_assert(!imap_caps_has(&caps, IMAP_CAP_LIST_STATUS));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_IDLE));
}
END_TEST

START_TEST(odd_words_are_passed_over)
{
    struct imap_caps caps;
    char giant[IMAP_CAPS_TEXT_MAX + 10];
    memset(giant, 'X', sizeof giant);
    imap_caps_clear(&caps);
    imap_caps_add(&caps, giant, sizeof giant);
    imap_caps_add(&caps, "", 0);
    imap_caps_add(&caps, "ID LE", 5);
    imap_caps_add(&caps, "ID\0LE", 5);
    imap_caps_add(&caps, "\xff", 1);
    ck_assert_str_eq(caps.text, "");
    ck_assert_uint_eq(caps.bits, 0);
    imap_caps_add(&caps, giant, IMAP_CAPS_TEXT_MAX - 1);
    ck_assert_uint_eq(strlen(caps.text), IMAP_CAPS_TEXT_MAX - 1);
}
END_TEST

UNIT_MAIN("caps", knows_words_in_any_case, every_bit_has_a_name_of_its_own, values,
          rev2_alone_contains_what_it_contains, a_long_list_is_cut_at_a_word, what_is_hidden_is_not_offered,
          odd_words_are_passed_over)
