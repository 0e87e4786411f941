/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By hand from the contract and RFC 3501 5.1.3. */
static const struct {
    const char *wire, *file;
} both_ways[] = {
    {"INBOX", "INBOX"},
    {"with space", "with space"},
    {"Entw&APw-rfe", "Entw\xC3\xBCrfe"},
    {"&ZeVnLIqe-", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"}, /* the RFC's own example */
    {"&-", "&"},
    {"a/b", "a%2Fb"}, /* below a delimiter other than "/" */
    {".", "%2E"},
    {"..", "%2E."},
    {"...", "..."},
    {".hidden", ".hidden"},
    {".imapfs", "%2Eimapfs"},
    {"5.eml", "%35.eml"},
    {"0005.eml", "%30005.eml"},
    {"99999999999999999999.eml", "%399999999999999999999.eml"},
    {"x5.eml", "x5.eml"},
    {"5.eml.bak", "5.eml.bak"},
    {"5.EML", "5.EML"},
    {".eml", ".eml"},
    {"100%", "100%"},
    {"%", "%"},
    {"%41", "%2541"}, /* would read as "A" */
    {"%4a", "%4a"},   /* would not: lower case */
    {"%%41", "%%2541"},
    {"%4", "%4"},
    {"%2/", "%2%2F"},
    {"%-", "%25-"},
    {"%~a", "%25~a"},
    {"%#a", "%25#a"},
    {"", "%-"},
    {"&AAE-", "%01"},
    {"&AH8-", "%7F"},
    /* not canonical modified UTF-7: the bytes themselves */
    {"&", "%~&"},
    {"&AC8-", "%~&AC8-"}, /* "/" needs no encoding */
    {"&AAA-", "%~&AAA-"}, /* NUL */
    {"caf\xC3\xA9", "%~caf\xC3\xA9"},
    {"\xFF%41", "%~%FF%2541"},
    {"a\x01/", "%~a%01%2F"},
    {"\xED\xA0\x80", "%~%ED%A0%80"}, /* a surrogate is no UTF-8 */
    {"\xC3", "%~%C3"},
};

START_TEST(names_lead_there_and_back)
{
    char file[NAME_SIZE], wire[4 * NAME_SIZE + 3];
    size_t len = 99;
    name_from_wire(both_ways[_i].wire, strlen(both_ways[_i].wire), file);
    ck_assert_str_eq(file, both_ways[_i].file);
    ck_assert(name_to_wire(file, wire, sizeof wire, &len));
    ck_assert_uint_eq(len, strlen(both_ways[_i].wire));
    ck_assert_str_eq(wire, both_ways[_i].wire);
}
END_TEST

static const char *const nobodys[] = {
    "",        /* no name at all */
    "%41",     /* "A" is shown as A */
    "%61",     /* likewise */
    "%25",     /* "%" is shown as it is */
    "%00",     /* NUL */
    "%~plain", /* canonical as it is */
    "%~",      /* the empty component is %- */
    ".",       /* escaped */
    "..",
    "7.eml",   /* a message */
    ".imapfs", /* ours */
    "\xFF",    /* no UTF-8 */
    "x%#0123456789ABCDEF",
};

START_TEST(names_that_nobody_has)
{
    char wire[4 * NAME_SIZE + 3];
    size_t len = 0;
    ck_assert(!name_to_wire(nobodys[_i], wire, sizeof wire, &len));
}
END_TEST

START_TEST(long_names_are_cut_and_hashed)
{
    char wire[600], file[NAME_SIZE], other[NAME_SIZE], back[4 * NAME_SIZE + 3];
    size_t len = 0;
    memset(wire, 'x', sizeof wire);
    name_from_wire(wire, 255, file);
    ck_assert_uint_eq(strlen(file), 255);
    ck_assert(name_to_wire(file, back, sizeof back, &len));
    name_from_wire(wire, 256, file);
    ck_assert_uint_eq(strlen(file), 255);
    ck_assert(!strncmp(file + 237, "%#", 2));
    ck_assert(!name_to_wire(file, back, sizeof back, &len));
    wire[255] = 'y';
    name_from_wire(wire, 256, other);
    ck_assert_str_ne(file, other);
    /* no character and no escape is cut: 79 * 3 = 237 bytes fit, then 78 * 3 and the one before */
    memset(wire, 1, 300);
    name_from_wire(wire, 300, file);
    ck_assert_uint_eq(strlen(file), 2 + 78 * 3 + 18);
    ck_assert(!strncmp(file + 2 + 78 * 3 - 3, "%01%#", 5));
}
END_TEST

START_TEST(a_hashed_name_on_demand)
{
    char file[NAME_SIZE];
    name_hashed("a.b", 3, file);
    ck_assert_uint_eq(strlen(file), 3 + 18);
    ck_assert(!strncmp(file, "a.b%#", 5));
}
END_TEST

static bool is_utf8(const char *text)
{
    /* iconv-free: RFC 3629's table */
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        const size_t more = *at < 0x80 ? 0 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
        if ((*at >= 0x80 && *at < 0xC2) || *at > 0xF4)
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((at[i] & 0xC0) != 0x80)
                return false;
        at += 1 + more;
    }
    return true;
}

/* The same numbers on every run: a failure can be looked into. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Any bytes give a legal name that leads back to the very same bytes: so no two share one. */
START_TEST(any_bytes_come_back)
{
    static const char spice[] = "%%%&&-/.~#0123456789ABCDEFabcdef.eml\xC3\xA9\xFF\x01 +,";
    char wire[48], file[NAME_SIZE], back[4 * NAME_SIZE + 3];
    uint32_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        const size_t len = next_random(&seed) % 40;
        size_t back_len = 0;
        for (size_t i = 0; i < len; i++)
            wire[i] = next_random(&seed) % 4 ? spice[next_random(&seed) % (sizeof spice - 1)]
                                             : (char)(1 + next_random(&seed) % 255);
        name_from_wire(wire, len, file);
        ck_assert(*file && !strchr(file, '/') && strcmp(file, ".") != 0 && strcmp(file, "..") != 0);
        ck_assert(!name_message_uid(file) && is_utf8(file));
        ck_assert_msg(name_to_wire(file, back, sizeof back, &back_len), "%s", file);
        ck_assert(back_len == len && !memcmp(back, wire, len));
    }
}
END_TEST

static const struct {
    const char *file;
    uint32_t uid;
} messages[] = {
    {"1.eml", 1},
    {"1042.eml", 1042},
    {"4294967295.eml", 4294967295u},
    {"4294967296.eml", 0},
    {"0.eml", 0},
    {"01.eml", 0},
    {"-1.eml", 0},
    {"+1.eml", 0},
    {" 1.eml", 0},
    {"1.eml ", 0},
    {"1.EML", 0},
    {"1", 0},
    {".eml", 0},
    {"", 0},
    {"18446744073709551617.eml", 0},
    {"1.eml.eml", 0},
    {"1x.eml", 0},
};

START_TEST(message_names_are_strict)
{
    char file[NAME_SIZE];
    ck_assert_uint_eq(name_message_uid(messages[_i].file), messages[_i].uid);
    if (messages[_i].uid) {
        name_of_message(messages[_i].uid, file);
        ck_assert_str_eq(file, messages[_i].file);
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("name");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, names_lead_there_and_back, 0, COUNT(both_ways));
    tcase_add_loop_test(tcase, names_that_nobody_has, 0, COUNT(nobodys));
    tcase_add_test(tcase, long_names_are_cut_and_hashed);
    tcase_add_test(tcase, a_hashed_name_on_demand);
    tcase_add_test(tcase, any_bytes_come_back);
    tcase_add_loop_test(tcase, message_names_are_strict, 0, COUNT(messages));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
