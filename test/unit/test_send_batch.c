/* SPDX-License-Identifier: MIT */
/* Several drafts in one APPEND (RFC 3502): who goes along, and what each is told. */
#include "send_batch_world.h"

/* ---- who goes along ---------------------------------------------------------------------------------- */

START_TEST(what_is_queued_goes_in_one_command)
{
    open_with(ALL_CAPS);
    writes_some(3, archive);
    account_lock(world.account);
    draft_set_flags_locked(drafts[1], WRITE_SET, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    draft_set_mtime_locked(drafts[2], (struct timespec){.tv_sec = 1000000001});
    account_unlock(world.account);
    queue(0, 3);
    struct imap_command *append = await_append("Archive");
    for (unsigned i = 0; i < 3; i++)
        saved_as_unclear(i);
    ck_assert_str_eq(goes_out(append, 3),
                     "APPEND Archive " DATE "{20+}\r\nSubject: 0\r\n\r\nbody\r\n "
                     "(\\Seen) " DATE "{20+}\r\nSubject: 1\r\n\r\nbody\r\n "
                     "\" 9-Sep-2001 01:46:41 +0000\" {20+}\r\nSubject: 2\r\n\r\nbody\r\n");
    ck_assert_int_eq(draft_write(drafts[2], "more", 4, 0), -EBUSY);
    ends_stored(append, "7 12,10:11"); /* in the order of the messages */
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(0), 12);
    ck_assert_uint_eq(uid_of(1), 10);
    ck_assert_uint_eq(uid_of(2), 11);
    asks_nothing();
    let_go_of(3);
}
END_TEST

START_TEST(without_multiappend_each_goes_by_itself_and_waits_for_none)
{
    struct imap_command *append[6];
    open_with("UIDPLUS");
    writes_some(6, archive);
    queue(0, 6);
    for (unsigned i = 0; i < 6; i++) {
        append[i] = await_append("Archive");
        sends_these(append[i], "Archive", i, 1);
    }
    for (unsigned i = 0; i < 6; i++)
        ends_appended(append[i], 10 + i);
    for (unsigned i = 0; i < 6; i++)
        await_told(i, 0);
    let_go_of(6);
}
END_TEST

START_TEST(mailboxes_do_not_mix_and_each_keeps_its_order)
{
    open_with(ALL_CAPS);
    writes_one(0, archive);
    writes_one(1, archive);
    writes_one(2, inbox);
    writes_one(3, archive);
    account_lock(world.account);
    queue_locked(0);
    queue_locked(2);
    queue_locked(3);
    queue_locked(1);
    account_unlock(world.account);
    struct imap_command *first = await_append("Archive"), *second = await_append("INBOX");
    char expected[512];
    int len = sprintf(expected, "APPEND Archive " DATE "{20+}\r\n%s", text_of(0));
    len += sprintf(expected + len, " " DATE "{20+}\r\n%s", text_of(3));
    sprintf(expected + len, " " DATE "{20+}\r\n%s", text_of(1));
    ck_assert_str_eq(goes_out(first, 3), expected);
    sends_these(second, "INBOX", 2, 1);
    ends_stored(first, "7 10:12");
    ends_stored(second, "7 6");
    for (unsigned i = 0; i < 4; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(3), 11);
    ck_assert_uint_eq(uid_of(1), 12);
    let_go_of(4);
}
END_TEST

START_TEST(at_most_a_hundred_and_the_files_of_no_more_are_open)
{
    open_with(ALL_CAPS);
    writes_some(MANY, archive);
    queue(0, MANY);
    struct imap_command *append = await_append("Archive");
    sends_these(append, "Archive", 0, 100);
    asks_nothing();
    ends_stored(append, "7 10:109");
    append = await_append("Archive");
    sends_these(append, "Archive", 100, MANY - 100);
    ends_stored(append, "7 110:139");
    for (unsigned i = 0; i < MANY; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(0), 10);
    ck_assert_uint_eq(uid_of(99), 109);
    ck_assert_uint_eq(uid_of(100), 110);
    ck_assert_uint_eq(uid_of(129), 139);
    let_go_of(MANY);
}
END_TEST

START_TEST(a_large_one_goes_alone_and_is_not_overtaken)
{
    struct imap_command *append[3];
    const size_t size = (4 << 20) + 1;
    char *large = malloc(size);
    open_with(ALL_CAPS);
    writes_some(3, archive);
    memset(large, 'x', size);
    ck_assert_int_eq(draft_write(drafts[1], large, size, 0), (ssize_t)size);
    queue(0, 3);
    for (unsigned i = 0; i < 3; i++) {
        append[i] = await_append("Archive");
        ck_assert_uint_eq(messages_in(append[i]), 1);
    }
    sends_these(append[0], "Archive", 0, 1);
    sends_these(append[2], "Archive", 2, 1);
    for (unsigned i = 0; i < 3; i++) {
        ends_appended(append[i], 20 + i);
        await_told(i, 0);
    }
    free(large);
    let_go_of(3);
}
END_TEST

START_TEST(what_comes_while_some_are_under_way_gathers)
{
    struct imap_command *append[4];
    open_with(ALL_CAPS);
    writes_some(7, archive);
    for (unsigned i = 0; i < 4; i++) {
        queue(i, 1);
        append[i] = await_append("Archive");
        sends_these(append[i], "Archive", i, 1);
    }
    for (unsigned i = 4; i < 7; i++)
        queue(i, 1);
    asks_nothing();
    ends_appended(append[2], 12);
    await_told(2, 0);
    struct imap_command *gathered = await_append("Archive");
    sends_these(gathered, "Archive", 4, 3);
    ends_stored(gathered, "7 20:22");
    for (unsigned i = 4; i < 7; i++)
        await_told(i, 0);
    ends_appended(append[0], 10);
    ends_appended(append[1], 11);
    ends_appended(append[3], 13);
    let_go_of(7);
}
END_TEST

START_TEST(nobodys_draft_is_not_taken_along)
{
    open_with(ALL_CAPS);
    writes_some(4, archive);
    account_lock(world.account);
    for (unsigned i = 0; i < 4; i++)
        queue_locked(i);
    wait_take(&endings[1].wait); /* as wait_cancel does it */
    account_unlock(world.account);
    struct imap_command *append = await_append("Archive");
    ck_assert_uint_eq(messages_in(append), 3);
    ck_assert_ptr_null(strstr(goes_out(append, 3), "Subject: 1"));
    ck_assert(wait_cancel(world.account, &endings[2].wait)); /* too late: it is on its way */
    ends_stored(append, "7 10:12");
    await_told(0, 0);
    await_told(3, 0);
    for (int i = 0; i < DEADLINE_S * 100 && state_of(1) == DRAFT_SENDING; i++)
        usleep(10000);
    ck_assert_int_eq(state_of(1), DRAFT_FAILED);
    ck_assert_uint_eq(uid_of(2), 11);
    ck_assert(!is_told(1) && !is_told(2));
    asks_nothing();
    let_go_of(4);
}
END_TEST

START_TEST(what_cannot_be_taken_fails_alone)
{
    open_with(ALL_CAPS " APPENDLIMIT=30");
    writes_some(4, archive);
    ck_assert_int_eq(draft_write(drafts[1], "a line that makes it too long\r\n", 31, 0), 31);
    ck_assert_int_eq(draft_write(drafts[2], "\0", 1, 3), 1);
    queue(0, 4);
    struct imap_command *append = await_append("Archive");
    ck_assert_uint_eq(messages_in(append), 2);
    await_told(1, EFBIG);
    await_told(2, EINVAL);
    ends_stored(append, "7 10:11");
    await_told(0, 0);
    await_told(3, 0);
    ck_assert_uint_eq(uid_of(3), 11);
    let_go_of(4);
}
END_TEST

/* ---- what becomes of them ------------------------------------------------------------------------------ */

static const char *const wrong_sets[] = {"7 6:7", "7 6:9", "7 6,6,7", "7 6", "7 x", NULL};

/* Each is found by its bytes; also those of which there are two alike. */
START_TEST(without_a_uid_for_each_they_are_looked_for)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    ck_assert_int_eq(draft_write(drafts[2], text_of(0), strlen(text_of(0)), 0), (ssize_t)strlen(text_of(0)));
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(0);
    stores(1);
    stores(0);
    ends_stored(append, wrong_sets[_i]);
    ck_assert_ptr_null(serves(0, 3));
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(1), 7);
    ck_assert_uint_eq(uid_of(0) * uid_of(2), 6 * 8);
    let_go_of(3);
}
END_TEST

static void ends_refused(struct imap_command *command, enum imap_code code)
{
    ends_saying(command, IMAP_NO, code, "", 0);
}

START_TEST(refused_together_each_is_sent_by_itself)
{
    struct imap_command *append[4];
    open_with(ALL_CAPS);
    writes_some(4, inbox);
    queue(0, 4);
    ends_refused(await_append("INBOX"), IMAP_CODE_OVERQUOTA);
    for (unsigned i = 0; i < 4; i++) {
        append[i] = serves(0, 4);
        ck_assert_ptr_nonnull(append[i]);
        sends_these(append[i], "INBOX", i, 1);
    }
    ends_refused(append[1], IMAP_CODE_TOOBIG);
    ends_appended(append[0], 10);
    ends_appended(append[2], 11);
    ends_refused(append[3], IMAP_CODE_OVERQUOTA);
    await_told(0, 0);
    await_told(1, EFBIG);
    await_told(2, 0);
    await_told(3, EDQUOT);
    ck_assert_uint_eq(uid_of(2), 11);
    ck_assert_int_eq(state_of(1), DRAFT_FAILED);
    queue(3, 1); /* one that is sent anew may go with others again */
    append[3] = serves(3, 1);
    sends_these(append[3], "INBOX", 3, 1);
    ends_appended(append[3], 12);
    await_told(3, 0);
    let_go_of(4);
}
END_TEST

/* As Stalwart does. */
START_TEST(what_was_kept_of_those_refused_is_not_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(0);
    ends_refused(append, IMAP_CODE_OVERQUOTA);
    unsigned seen = 0;
    while ((append = serves(0, 3))) {
        ck_assert_uint_eq(messages_in(append), 1);
        const char *subject = strstr(goes_out(append, 1), "Subject: ");
        ck_assert_ptr_nonnull(subject);
        seen = seen * 10 + (unsigned)strtoul(subject + 9, NULL, 10);
        ends_refused(append, IMAP_CODE_OVERQUOTA);
    }
    ck_assert(seen == 12 || seen == 21);
    await_told(0, 0);
    await_told(1, EDQUOT);
    await_told(2, EDQUOT);
    ck_assert_uint_eq(uid_of(0), 6);
    let_go_of(3);
}
END_TEST

START_TEST(a_mailbox_that_cannot_be_listed_is_taken_at_its_word)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_refused(await_append("INBOX"), IMAP_CODE_OVERQUOTA);
    for (unsigned i = 0, appended = 0; appended < 2; i++) {
        struct imap_command *command = NULL;
        pthread_mutex_lock(&world_lock);
        struct timespec until = deadline();
        while (!world.jobs && !pthread_cond_timedwait(&world_changed, &world_lock, &until))
            continue;
        struct job *job = world.jobs;
        ck_assert_ptr_nonnull(job);
        world.jobs = job->next;
        pthread_mutex_unlock(&world_lock);
        command = job->command;
        free(job);
        if (!strncmp(command->bytes, "APPEND ", 7)) {
            ck_assert_uint_eq(messages_in(command), 1);
            ends_appended(command, 20 + appended++);
        } else {
            ends_refused(command, IMAP_CODE_NOPERM);
        }
    }
    await_told(0, 0);
    await_told(1, 0);
    let_go_of(2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send_batch");
    TCase *cases = tcase_create("send_batch");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_is_queued_goes_in_one_command);
    tcase_add_test(cases, without_multiappend_each_goes_by_itself_and_waits_for_none);
    tcase_add_test(cases, mailboxes_do_not_mix_and_each_keeps_its_order);
    tcase_add_test(cases, at_most_a_hundred_and_the_files_of_no_more_are_open);
    tcase_add_test(cases, a_large_one_goes_alone_and_is_not_overtaken);
    tcase_add_test(cases, what_comes_while_some_are_under_way_gathers);
    tcase_add_test(cases, nobodys_draft_is_not_taken_along);
    tcase_add_test(cases, what_cannot_be_taken_fails_alone);
    tcase_add_loop_test(cases, without_a_uid_for_each_they_are_looked_for, 0,
                        sizeof wrong_sets / sizeof *wrong_sets);
    tcase_add_test(cases, refused_together_each_is_sent_by_itself);
    tcase_add_test(cases, what_was_kept_of_those_refused_is_not_sent_again);
    tcase_add_test(cases, a_mailbox_that_cannot_be_listed_is_taken_at_its_word);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
