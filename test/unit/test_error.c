/* SPDX-License-Identifier: MIT */
#include "imap/error.h"

#include <errno.h>

#include "parse_help.h"

START_TEST(set_fills_and_returns_the_status)
{
    struct imap_error err = {.sys_errno = 5, .code = IMAP_CODE_ALERT};

    ck_assert_int_eq(imap_error_set(&err, IMAP_AGAIN, "try %s in %d s", "again", 3), IMAP_AGAIN);
    ck_assert_int_eq(err.status, IMAP_AGAIN);
    ck_assert_str_eq(err.text, "try again in 3 s");
    ck_assert_int_eq(err.sys_errno, 0);
    ck_assert_int_eq(err.code, IMAP_CODE_NONE);
}
END_TEST

START_TEST(nobody_needs_to_listen)
{
    ck_assert_int_eq(imap_error_set(NULL, IMAP_PROTO, "%s", "x"), IMAP_PROTO);
    ck_assert_int_eq(imap_error_sys(NULL, ENOENT, "%s", "x"), IMAP_SYS);
}
END_TEST

START_TEST(sys_appends_the_reason)
{
    struct imap_error err;

    ck_assert_int_eq(imap_error_sys(&err, ENOENT, "open %s", "/x"), IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, ENOENT);
    ck_assert_str_eq(err.text, "open /x: No such file or directory");
}
END_TEST

START_TEST(control_bytes_do_not_reach_the_terminal)
{
    struct imap_error err;

    imap_error_set(&err, IMAP_NO,
                   "a\033[31mb\tc\x7f"
                   "d\r\ne");
    ck_assert_str_eq(err.text, "a?[31mb?c?d??e");
    imap_error_set(&err, IMAP_NO,
                   "\xC2\x9B"
                   "31m gr\xC3\xBC\xC3\x9F");
    ck_assert_str_eq(err.text, "??31m gr\xC3\xBC\xC3\x9F");
    imap_error_set(&err, IMAP_NO, "one line\r\n");
    ck_assert_str_eq(err.text, "one line");
}
END_TEST

START_TEST(long_text_is_cut_at_a_character)
{
    struct imap_error err;
    char text[601];

    for (int i = 0; i < 200; i++) /* euro signs: 239 bytes would end within one */
        memcpy(text + 3 * i, "\xE2\x82\xAC", 4);
    imap_error_set(&err, IMAP_NO, "%s", text);
    ck_assert_uint_eq(strlen(err.text), 237);
    ck_assert_mem_eq(err.text, text, 237);
}
END_TEST

START_TEST(an_error_may_quote_itself)
{
    struct imap_error err;

    imap_error_set(&err, IMAP_NO, "inner");
    imap_error_set(&err, IMAP_PROTO, "outer: %s", err.text);
    ck_assert_str_eq(err.text, "outer: inner");
}
END_TEST

START_TEST(everything_has_a_name)
{
    ck_assert_str_eq(imap_status_name(IMAP_OK), "OK");
    ck_assert_str_eq(imap_status_name(IMAP_GONE), "GONE");
    ck_assert_str_eq(imap_status_name(IMAP_USAGE), "USAGE");
    ck_assert_ptr_nonnull(imap_status_name((enum imap_status)99));
    ck_assert_str_eq(imap_code_name(IMAP_CODE_OVERQUOTA), "OVERQUOTA");
    ck_assert_str_eq(imap_code_name(IMAP_CODE_READ_ONLY), "READ-ONLY");
    ck_assert_str_eq(imap_code_name(IMAP_CODE_UNKNOWN_CTE), "UNKNOWN-CTE");
    ck_assert_ptr_nonnull(imap_code_name((enum imap_code)999));
    for (int code = IMAP_CODE_ALERT; code <= IMAP_CODE_USEATTR; code++)
        ck_assert_uint_gt(strlen(imap_code_name((enum imap_code)code)), 1);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {set_fills_and_returns_the_status,
                            nobody_needs_to_listen,
                            sys_appends_the_reason,
                            control_bytes_do_not_reach_the_terminal,
                            long_text_is_cut_at_a_character,
                            an_error_may_quote_itself,
                            everything_has_a_name,
                            NULL};

    return run_tests("error", tests);
}
