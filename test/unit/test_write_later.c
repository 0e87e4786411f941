/* SPDX-License-Identifier: MIT */
/* What the server refuses for the moment is asked for again, by the sender's thread, with those that it was asked with. */
#include "send_world.h"

#define PLUS "UIDPLUS MOVE"
#define MARK(set) "UID STORE " set " +FLAGS.SILENT (\\Deleted)"
#define CHANGE (7 << 8)

static struct ending second;

static void deletes_both(uint32_t uid, uint32_t other_uid)
{
    const uint32_t id = mailbox_message_id_locked(inbox);
    ending = second = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    write_hold_locked(world.account);
    write_delete_locked(inbox, id, uid, &ending.wait);
    write_delete_locked(inbox, id, other_uid, &second.wait);
    write_release_locked(world.account);
    account_unlock(world.account);
}

static void refuses(enum imap_status status, enum imap_code code)
{
    struct imap_command *mark = await_command("INBOX", CHANGE, MARK("2,4"));
    struct imap_command *expunge = await_command("INBOX", CHANGE, "UID EXPUNGE 2,4");
    ends_saying(mark, status, code, "", 0);
    ends_saying(expunge, status, code, "", 0);
}

START_TEST(asked_for_again_together)
{
    open_with(PLUS);
    const int64_t begin = model_now_ms();
    deletes_both(2, 4);
    refuses(IMAP_AGAIN, IMAP_CODE_LIMIT);
    refuses(IMAP_NO, IMAP_CODE_INUSE);
    struct imap_command *mark = await_command("INBOX", CHANGE, MARK("2,4"));
    ck_assert_int_ge(model_now_ms() - begin, 750);
    ends(mark);
    struct imap_command *expunge = await_command("INBOX", CHANGE, "UID EXPUNGE 2,4");
    expunges(4, 4);
    expunges(2, 2);
    ends(expunge);
    await_ending(0);
    ck_assert_uint_eq(second.told, 1);
    ck_assert_int_eq(second.error, 0);
    asks_nothing();
    world_fini();
}
END_TEST

/* The fifth time it is an answer. */
START_TEST(not_for_ever)
{
    open_with(PLUS);
    const int64_t begin = model_now_ms();
    deletes_both(2, 4);
    for (int i = 0; i < 5; i++)
        refuses(IMAP_AGAIN, IMAP_CODE_UNAVAILABLE);
    await_ending(EAGAIN);
    ck_assert_int_ge(model_now_ms() - begin, 3750);
    ck_assert_uint_eq(second.told, 1);
    ck_assert_int_eq(second.error, EAGAIN);
    asks_nothing();
    world_fini();
}
END_TEST

START_TEST(not_for_nobody)
{
    open_with(PLUS);
    deletes_both(2, 4);
    refuses(IMAP_AGAIN, IMAP_CODE_UNAVAILABLE);
    ck_assert(wait_cancel(world.account, &ending.wait));
    struct imap_command *mark = await_command("INBOX", CHANGE, MARK("4"));
    struct imap_command *expunge = await_command("INBOX", CHANGE, "UID EXPUNGE 4");
    ends(mark);
    expunges(4, 4);
    ends(expunge);
    ck_assert_uint_eq(second.told, 1);
    ck_assert_int_eq(second.error, 0);
    asks_nothing();
    world_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("write_later");
    TCase *cases = tcase_create("write_later");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, asked_for_again_together);
    tcase_add_test(cases, not_for_ever);
    tcase_add_test(cases, not_for_nobody);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
