/* SPDX-License-Identifier: MIT */
/* Several drafts in one APPEND (RFC 3502) whose end is not known, or that cannot be given to the server. */
#include "send_batch_world.h"

/* ---- lost lines ---------------------------------------------------------------------------------------- */

START_TEST(lost_before_the_first_was_out_they_go_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    ends_lost(await_append("INBOX"), IMAP_AGAIN, 0);
    struct imap_command *append = await_append("INBOX"); /* nothing is looked for */
    sends_these(append, "INBOX", 0, 3);
    ends_stored(append, "7 10:12");
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    let_go_of(3);
}
END_TEST

static const enum imap_status losses[] = {IMAP_AGAIN, IMAP_UNSURE, IMAP_PROTO};

/* Stores all that are in it. */
static void keeps(struct imap_command *append)
{
    char args[32];
    const unsigned first = 6 + stored.count;
    const char *at = goes_out(append, messages_in(append));
    while ((at = strstr(at, "Subject: ")))
        stores((unsigned)strtoul(at += 9, NULL, 10));
    snprintf(args, sizeof args, "7 %u:%u", first, 5 + stored.count);
    ends_stored(append, args);
}

/* Amid the second one, and at the end; the server has kept the first one nevertheless. */
START_TEST(lost_later_they_are_looked_for)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    goes_out(append, losses[_i] == IMAP_AGAIN ? 1 : 3);
    stores(0);
    ends_lost(append, losses[_i], 0);
    while ((append = serves(0, 3)))
        keeps(append);
    ck_assert_uint_eq(stored.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        await_told(i, 0);
        const uint32_t uid = uid_of(i);
        ck_assert_uint_ge(uid, 6);
        ck_assert_str_eq(stored.texts[uid - 6], text_of(i));
    }
    let_go_of(3);
}
END_TEST

START_TEST(lost_with_all_of_them_kept_nothing_is_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    for (unsigned i = 0; i < 3; i++)
        stores(i);
    ends_lost(append, IMAP_UNSURE, 0);
    ck_assert_ptr_null(serves(0, 3));
    for (unsigned i = 0; i < 3; i++) {
        await_told(i, 0);
        ck_assert_uint_eq(uid_of(i), 6 + i);
    }
    let_go_of(3);
}
END_TEST

START_TEST(after_a_timeout_none_is_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(1);
    ends_lost(append, IMAP_UNSURE, ETIMEDOUT);
    ck_assert_ptr_null(serves(0, 3));
    await_told(0, ETIMEDOUT);
    await_told(1, 0);
    await_told(2, ETIMEDOUT);
    let_go_of(3);
}
END_TEST

START_TEST(one_whose_bytes_have_changed_fails_and_the_others_go_again)
{
    char line[256];
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    snprintf(line, sizeof line, "truncate -s 3 %s/*.drafts/%u", world.dir, draft_number_locked(drafts[1]));
    ck_assert_int_eq(system(line), 0);
    goes_out(append, 1);
    const struct imap_segment *segment = &append->segments[3];
    char bytes[64];
    ck_assert_int_eq(segment->kind, IMAP_SEGMENT_SOURCE);
    ssize_t n;
    while ((n = segment->next(segment->arg, bytes, sizeof bytes)) > 0)
        continue;
    ck_assert_int_eq(n, -ESTALE);
    ends_lost(append, IMAP_SYS, ESTALE);
    while ((append = serves(0, 3)))
        keeps(append);
    await_told(0, 0);
    await_told(1, ESTALE);
    await_told(2, 0);
    ck_assert_uint_eq(stored.count, 2);
    ck_assert_str_eq(stored.texts[uid_of(2) - 6], text_of(2));
    let_go_of(3);
}
END_TEST

/* What cannot be said at all was not sent. */
START_TEST(one_that_breaks_the_command_is_found_by_sending_each)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_lost(await_append("INBOX"), IMAP_USAGE, 0);
    struct imap_command *one = await_append("INBOX"), *other = await_append("INBOX");
    sends_these(one, "INBOX", 0, 1);
    sends_these(other, "INBOX", 1, 1);
    ends_lost(one, IMAP_USAGE, 0);
    ends_appended(other, 10);
    await_told(0, EIO);
    await_told(1, 0);
    let_go_of(2);
}
END_TEST

START_TEST(cancelled_they_are_unclear_and_stay)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_lost(await_append("INBOX"), IMAP_CANCEL, 0);
    for (unsigned i = 0; i < 2; i++) {
        while (!is_told(i))
            usleep(1000);
        ck_assert_int_eq(state_of(i), DRAFT_FAILED);
        saved_as_unclear(i);
    }
    asks_nothing();
    let_go_of(2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send_batch_lost");
    TCase *cases = tcase_create("send_batch_lost");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, lost_before_the_first_was_out_they_go_again);
    tcase_add_loop_test(cases, lost_later_they_are_looked_for, 0, sizeof losses / sizeof *losses);
    tcase_add_test(cases, lost_with_all_of_them_kept_nothing_is_sent_again);
    tcase_add_test(cases, after_a_timeout_none_is_sent_again);
    tcase_add_test(cases, one_whose_bytes_have_changed_fails_and_the_others_go_again);
    tcase_add_test(cases, one_that_breaks_the_command_is_found_by_sending_each);
    tcase_add_test(cases, cancelled_they_are_unclear_and_stay);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
