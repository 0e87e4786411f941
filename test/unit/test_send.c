/* SPDX-License-Identifier: MIT */
/* Sending a draft: what is asked of the server, and what whoever waits is told. */
#include "send_world.h"

/* ---- what is sent ----------------------------------------------------------------------------------- */

START_TEST(a_message_is_sent_with_its_date_and_flags)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    static const char *const keywords[] = {"work"};
    account_lock(world.account);
    draft_set_flags_locked(draft, WRITE_SET, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    draft_set_flags_locked(
        draft, WRITE_ADD,
        &(struct imap_flags){.system = IMAP_FLAG_FLAGGED, .keywords = keywords, .keyword_count = 1});
    draft_set_flags_locked(draft, WRITE_REMOVE, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    account_unlock(world.account);
    sends();
    struct imap_command *append =
        await_command("", 0, "APPEND Archive (\\Flagged work) \" 9-Sep-2001 01:46:40 +0000\" ");
    gives(append, TEXT, strlen(TEXT), false);
    ck_assert_int_eq(draft_write(draft, "more", 4, 0), -EBUSY);
    account_lock(world.account);
    ck_assert(!draft_unname_locked(draft));
    account_unlock(world.account);
    ends_appended(append, 42);
    await_ending(0);
    ck_assert_str_eq(sent, "Archive/x.eml 7/42");
    ck_assert(!is_at(archive, "x.eml"));
    lets_go();
    asks_nothing();
    world_fini();
}
END_TEST

START_TEST(bare_line_ends_are_made_whole)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", "a\nb\r\nc\n", 7);
    sends();
    struct imap_command *append = await_command("", 0, APPEND("Archive"));
    gives(append, "a\r\nb\r\nc\r\n", 9, false);
    ends_appended(append, 3);
    await_ending(0);
    char bytes[16];
    ck_assert_int_eq(draft_read(draft, bytes, sizeof bytes, 0), 7); /* here they stay as written */
    lets_go();
    world_fini();
}
END_TEST

START_TEST(nothing_is_sent_of_local_and_empty_ones)
{
    open_with("UIDPLUS");
    struct wait wait = {.done = on_end};
    struct draft *local = writes(archive, ".x.eml", TEXT, strlen(TEXT)),
                 *empty = writes(archive, "x.eml", "", 0);
    account_lock(world.account);
    ck_assert(draft_send_locked(local, &wait));
    ck_assert(draft_send_locked(empty, &wait));
    account_unlock(world.account);
    asks_nothing();
    world_fini();
}
END_TEST

/* ---- refusals ---------------------------------------------------------------------------------------- */

static const struct {
    enum imap_status status;
    enum imap_code code;
    int error;
} refusals[] = {{IMAP_NO, IMAP_CODE_OVERQUOTA, EDQUOT}, {IMAP_NO, IMAP_CODE_TOOBIG, EFBIG},
                {IMAP_NO, IMAP_CODE_LIMIT, EFBIG},      {IMAP_NO, IMAP_CODE_TRYCREATE, ENOENT},
                {IMAP_NO, IMAP_CODE_NOPERM, EACCES},    {IMAP_AGAIN, IMAP_CODE_LIMIT, EFBIG},
                {IMAP_NO, IMAP_CODE_NONE, EIO}};

START_TEST(a_refusal_is_told_and_the_draft_stays)
{
    char line[256];
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_saying(await_command("", 0, APPEND("Archive")), refusals[_i].status, refusals[_i].code, "", 0);
    await_ending(refusals[_i].error);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    ck_assert(is_at(archive, "x.eml"));
    snprintf(line, sizeof line, "cannot store x.eml in Archive: refused");
    ck_assert_str_eq(world.line, line);
    snprintf(line, sizeof line, "test -s %s/*.drafts/%u.place", world.dir, draft_number_locked(draft));
    ck_assert_int_eq(system(line), 0); /* before anybody was told */
    lets_go();
    world_fini();
}
END_TEST

/* _i: whether it is the date that the server does not understand. */
START_TEST(a_date_that_is_bad)
{
    struct imap_error err = {0};
    const struct imap_text text = {.text = "Invalid date"};
    const struct imap_result result = {.status = IMAP_NO, .bad = true, .text = &text, .error = &err};
    imap_error_set(&err, IMAP_NO, "APPEND: Invalid date");
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    account_lock(world.account);
    draft_set_mtime_locked(draft, (struct timespec){.tv_sec = _i ? -1 : 0});
    account_unlock(world.account);
    sends();
    struct imap_command *append = await_command("", 0,
                                                _i ? "APPEND Archive \"31-Dec-1969 23:59:59 +0000\" "
                                                   : "APPEND Archive \" 1-Jan-1970 00:00:00 +0000\" ");
    append->events.done(append->arg, &result);
    imap_command_free(&append);
    await_ending(_i ? EINVAL : EIO);
    ck_assert_int_eq(strstr(world.line, "no date before 1970") != NULL, _i);
    lets_go();
    world_fini();
}
END_TEST

/* _i: how often; 5 times is for ever. */
START_TEST(what_is_refused_for_the_moment_is_sent_again)
{
    static const int least_ms[] = {0, 250, 750, 1750, 3750};
    const int times = _i ? 5 : 2;
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    const int64_t begin = model_now_ms();
    sends();
    for (int i = 0; i < times; i++) {
        struct imap_command *append = await_command("", 0, APPEND("Archive"));
        ck_assert_int_ge(model_now_ms() - begin, least_ms[i]);
        if (i % 2)
            ends_saying(append, IMAP_NO, IMAP_CODE_INUSE, "", 0);
        else
            ends_saying(append, IMAP_AGAIN, IMAP_CODE_UNAVAILABLE, "", 0);
    }
    if (!_i)
        ends_appended(await_command("", 0, APPEND("Archive")), 3);
    await_ending(_i ? EAGAIN : 0);
    ck_assert_str_eq(sent, _i ? "" : "Archive/x.eml 7/3");
    if (_i)
        ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    lets_go();
    world_fini();
}
END_TEST

/* Nobody waits any more. */
START_TEST(what_is_refused_for_the_moment_is_not_sent_for_nobody)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    sends();
    struct imap_command *append = await_command("", 0, APPEND("Archive"));
    ends_saying(append, IMAP_AGAIN, IMAP_CODE_UNAVAILABLE, "", 0);
    ck_assert(wait_cancel(world.account, &ending.wait));
    for (int i = 0; i < DEADLINE_S * 100 && state() == DRAFT_SENDING; i++)
        usleep(10000);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_cannot_be_taken_is_not_sent)
{
    open_with("UIDPLUS APPENDLIMIT=20");
    draft = writes(archive, "x.eml", "a\nb\nc\nd\ne\nf\ng\n", 14); /* 21 with CR */
    sends();
    await_ending(EFBIG);
    lets_go();
    draft = writes(archive, "nul.eml", "a\0b\n", 4);
    sends();
    await_ending(EINVAL);
    asks_nothing();
    cap("BINARY");
    sends();
    struct imap_command *append = await_command("", 0, APPEND("Archive"));
    gives(append, "a\0b\r\n", 5, true);
    ends_appended(append, 3);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------------- */

START_TEST(a_local_one_is_sent_when_it_is_renamed_and_comes_back_if_refused)
{
    open_with("UIDPLUS");
    draft = writes(archive, ".x", TEXT, strlen(TEXT));
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_rename_locked(draft, inbox, "x.eml", 0, &ending.wait));
    account_unlock(world.account);
    ck_assert(is_at(inbox, "x.eml"));
    ends_saying(await_command("", 0, APPEND("INBOX")), IMAP_NO, IMAP_CODE_OVERQUOTA, "", 0);
    await_ending(EDQUOT);
    ck_assert(is_at(archive, ".x"));
    ck_assert_int_eq(state(), DRAFT_LOCAL);
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_rename_locked(draft, archive, "x.eml", 0, &ending.wait));
    account_unlock(world.account);
    ends_appended(await_command("", 0, APPEND("Archive")), 3);
    await_ending(0);
    ck_assert_str_eq(sent, "Archive/x.eml 7/3");
    lets_go();
    world_fini();
}
END_TEST

START_TEST(one_that_is_still_written_is_not_sent_by_renaming_it)
{
    open_with("UIDPLUS");
    draft = writes(archive, ".x", TEXT, strlen(TEXT));
    struct wait wait = {.done = on_end};
    account_lock(world.account);
    draft_writer_locked(draft, 1);
    ck_assert(draft_rename_locked(draft, archive, "x.eml", 0, &wait));
    draft_writer_locked(draft, -1);
    account_unlock(world.account);
    asks_nothing();
    sends();
    ends_appended(await_command("", 0, APPEND("Archive")), 3);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_was_not_written_as_a_whole_is_not_sent)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    account_lock(world.account);
    draft_spoil_locked(draft);
    account_unlock(world.account);
    sends();
    await_ending(EIO);
    lets_go();
    ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    world_fini();
}
END_TEST

/* ---- an outcome that is not known --------------------------------------------------------------------- */

START_TEST(without_uidplus_it_is_found_by_its_bytes)
{
    open_with("");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_appended(await_command("", 0, APPEND("INBOX")), 0);
    lists_inbox(2, strlen(TEXT));
    shows(6, "Subject: y\r\n\r\nhello\r\n");
    shows(7, TEXT);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/7");
    lets_go();
    world_fini();
}
END_TEST

START_TEST(after_a_lost_line_it_is_looked_for_and_then_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, 0);
    lists_inbox(1, strlen(TEXT));
    shows(6, "Subject: y\r\n\r\nhello\r\n");
    ends_appended(await_command("", 0, APPEND("INBOX")), 7);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_has_arrived_is_not_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, 0);
    lists_inbox(1, strlen(TEXT));
    shows(6, TEXT);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/6");
    lets_go();
    world_fini();
}
END_TEST

/* It may be stored yet, so it is an error; and when the server is back it is looked for. */
START_TEST(after_a_timeout_it_is_not_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, ETIMEDOUT);
    lists_inbox(0, 0);
    await_ending(ETIMEDOUT);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    lets_go();
    account_lock(world.account);
    drafts_resume_locked(world.account->drafts);
    account_unlock(world.account);
    lists_inbox(1, strlen(TEXT));
    shows(6, TEXT);
    for (int i = 0; i < DEADLINE_S * 100 && is_at(inbox, "x.eml"); i++)
        usleep(10000);
    ck_assert(!is_at(inbox, "x.eml"));
    ends(await_command("INBOX", IMAP_POOL_WATCHER, "NOOP")); /* what else is new there */
    asks_nothing();
    world_fini();
}
END_TEST

START_TEST(nothing_is_sent_for_nobody)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    struct imap_command *append = await_command("", 0, APPEND("INBOX"));
    ck_assert(wait_cancel(world.account, &ending.wait));
    ends_lost(append, IMAP_AGAIN, 0);
    for (int i = 0; i < DEADLINE_S * 100 && state() == DRAFT_SENDING; i++)
        usleep(10000);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    lets_go();
    world_fini();
}
END_TEST

/* ---- writing on -------------------------------------------------------------------------------------- */

START_TEST(what_is_written_on_replaces_what_was_sent)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_appended(await_command("", 0, APPEND("INBOX")), 6);
    await_ending(0);
    lists_inbox(1, strlen(TEXT));
    ck_assert_int_eq(draft_write(draft, "more\r\n", 6, strlen(TEXT)), 6);
    ck_assert(is_at(inbox, "x.eml"));
    account_lock(world.account);
    draft_set_mtime_locked(draft, (struct timespec){.tv_sec = 1000000000});
    account_unlock(world.account);
    sends();
    struct imap_command *append = await_command("", 0, APPEND("INBOX"));
    gives(append, TEXT "more\r\n", strlen(TEXT) + 6, false);
    ends_appended(append, 7);
    struct imap_command *noop = await_command("INBOX", IMAP_POOL_WATCHER, "NOOP");
    exists(7);
    ends(noop);
    struct imap_command *fetch =
        await_command("INBOX", IMAP_POOL_WATCHER, "UID FETCH 7:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(fetch, 7, EVERYTHING, 0);
    ends(fetch);
    ck_assert_uint_eq(ending.told, 0);
    struct imap_command *store = await_command("INBOX", 7 << 8, "UID STORE 6 +FLAGS.SILENT (\\Deleted)");
    struct imap_command *expunge = await_command("INBOX", 7 << 8, "UID EXPUNGE 6");
    ends(store);
    expunges(6, 6);
    ends(expunge);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/7");
    lets_go();
    world_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send");
    TCase *cases = tcase_create("send");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_message_is_sent_with_its_date_and_flags);
    tcase_add_test(cases, bare_line_ends_are_made_whole);
    tcase_add_test(cases, nothing_is_sent_of_local_and_empty_ones);
    tcase_add_loop_test(cases, a_refusal_is_told_and_the_draft_stays, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(cases, a_date_that_is_bad, 0, 2);
    tcase_add_loop_test(cases, what_is_refused_for_the_moment_is_sent_again, 0, 2);
    tcase_add_test(cases, what_is_refused_for_the_moment_is_not_sent_for_nobody);
    tcase_add_test(cases, what_cannot_be_taken_is_not_sent);
    tcase_add_test(cases, a_local_one_is_sent_when_it_is_renamed_and_comes_back_if_refused);
    tcase_add_test(cases, one_that_is_still_written_is_not_sent_by_renaming_it);
    tcase_add_test(cases, what_was_not_written_as_a_whole_is_not_sent);
    tcase_add_test(cases, without_uidplus_it_is_found_by_its_bytes);
    tcase_add_test(cases, after_a_lost_line_it_is_looked_for_and_then_sent_again);
    tcase_add_test(cases, what_has_arrived_is_not_sent_again);
    tcase_add_test(cases, after_a_timeout_it_is_not_sent_again);
    tcase_add_test(cases, nothing_is_sent_for_nobody);
    tcase_add_test(cases, what_is_written_on_replaces_what_was_sent);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
