/* SPDX-License-Identifier: MIT */
/* Changing messages: what is sent, what is merged, and that the caller is told what has become of it. */
#include <errno.h>

#include "write_world.h"

#define PLUS "UIDPLUS MOVE"
#define MARK(set) "UID STORE " set " +FLAGS.SILENT (\\Deleted)"

static struct asked one, two, three;
static struct write_place place;

static void open_with(const char *caps)
{
    write_world_init();
    write_world_open(caps);
}

static void close_world(void)
{
    asks_nothing();
    world_fini();
}

/* Of message 3. */
static void delete_ends(enum imap_status status)
{
    struct imap_command *store = alters("INBOX", MARK("3"));
    both_end(store, alters("INBOX", "UID EXPUNGE 3"), status);
}

/* ---- deleting --------------------------------------------------------------------------------------- */

START_TEST(deleting_is_one_flight)
{
    open_with(PLUS);
    deletes(3, &one);
    struct imap_command *store = alters("INBOX", MARK("3"));
    struct imap_command *expunge = alters("INBOX", "UID EXPUNGE 3");
    ends(store);
    ck_assert_uint_eq(one.told, 0);
    expunges(3, 3);
    ends(expunge);
    ended(&one, IMAP_OK);
    told("-3 L ");
    ck_assert(!has(inbox, 3) && has(inbox, 2) && has(inbox, 4));
    close_world();
}
END_TEST

START_TEST(what_waits_together_is_one_command)
{
    open_with(PLUS);
    deletes(1, &one);
    deletes(4, &two);
    deletes(5, &three);
    struct imap_command *store = alters("INBOX", MARK("1"));
    struct imap_command *expunge = alters("INBOX", "UID EXPUNGE 1");
    asks_nothing();
    ends(store);
    expunges(1, 1);
    ends(expunge);
    ended(&one, IMAP_OK);
    store = alters("INBOX", MARK("4:5"));
    expunge = alters("INBOX", "UID EXPUNGE 4:5");
    expunges(4, 5);
    expunges(3, 4);
    both_end(store, expunge, IMAP_OK);
    ended(&two, IMAP_OK);
    ended(&three, IMAP_OK);
    close_world();
}
END_TEST

START_TEST(each_gets_its_own_answer)
{
    open_with(PLUS);
    deletes(1, &one);
    deletes(4, &two);
    deletes(5, &three);
    struct imap_command *store = alters("INBOX", MARK("1")), *expunge = alters("INBOX", "UID EXPUNGE 1");
    ends_with(store, IMAP_NO);
    ends(expunge);
    ended(&one, IMAP_NO);
    store = alters("INBOX", MARK("4:5"));
    expunge = alters("INBOX", "UID EXPUNGE 4:5");
    ends_with(store, IMAP_NO); /* for one of them */
    ends(expunge);
    struct imap_command *store4 = alters("INBOX", MARK("4")), *expunge4 = alters("INBOX", "UID EXPUNGE 4");
    struct imap_command *store5 = alters("INBOX", MARK("5")), *expunge5 = alters("INBOX", "UID EXPUNGE 5");
    ends_saying(store4, IMAP_NO, IMAP_CODE_NOPERM, "", 0);
    ends(expunge4);
    ends(store5);
    expunges(5, 5);
    ends(expunge5);
    ended(&two, IMAP_NO);
    ck_assert_int_eq(two.err.code, IMAP_CODE_NOPERM);
    ended(&three, IMAP_OK);
    ck_assert(has(inbox, 4));
    close_world();
}
END_TEST

static void expunge_as_asked(const struct imap_command *command)
{
    struct imap_seqset set = {0};
    struct imap_error err = {0};
    const size_t verb = strlen("UID EXPUNGE ");
    ck_assert(!imap_seqset_parse(&set, command->bytes + verb, command->len - verb, &err));
    for (uint32_t seq = (uint32_t)inbox->columns.count; seq; seq--)
        if (imap_seqset_contains(&set, inbox->columns.uid[seq - 1]))
            expunges(seq, inbox->columns.uid[seq - 1]);
    imap_seqset_fini(&set);
}

START_TEST(sets_are_cut)
{
    struct asked asked[100] = {0};
    world_init();
    world.read_write = true;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.list_count = 1;
    cap("UIDPLUS");
    cap("IDLE");
    world.poll_ms = 3600000;
    ck_assert(!world_open(NULL, NULL));
    inbox = below(account_root(world.account), "INBOX");
    write_world_list(inbox, 200);
    for (uint32_t i = 0; i < 100; i++)
        deletes(2 * i + 1, &asked[i]); /* no two beside each other */
    unsigned commands = 0;
    for (; world.jobs; commands++) {
        struct job *job = world.jobs;
        world.jobs = job->next;
        ck_assert_uint_le(job->command->len, 900);
        if (strcmp(job->command->verb->name, "UID EXPUNGE") == 0)
            expunge_as_asked(job->command);
        ends(job->command);
        free(job);
    }
    ck_assert_uint_eq(commands, 2 * 4); /* one, then 99 in sets of 40 */
    for (uint32_t i = 0; i < 100; i++)
        ended(&asked[i], IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(inbox), 100);
    close_world();
}
END_TEST

START_TEST(what_is_gone_already)
{
    open_with(PLUS);
    deletes(9, &one);
    ended(&one, IMAP_GONE);
    deletes(3, &one);
    deletes(4, &two);
    struct imap_command *store = alters("INBOX", MARK("3")), *expunge = alters("INBOX", "UID EXPUNGE 3");
    expunges(4, 4); /* by another client, before it was asked for */
    ends(store);
    expunges(3, 3);
    ends(expunge);
    ended(&one, IMAP_OK);
    ended(&two, IMAP_GONE);
    close_world();
}
END_TEST

START_TEST(an_ok_that_did_nothing_is_looked_into)
{
    open_with(PLUS);
    deletes(3, &one);
    delete_ends(IMAP_OK);
    ck_assert_uint_eq(one.told, 0);
    ends(asks("INBOX", "NOOP")); /* nothing comes of it: once more */
    delete_ends(IMAP_OK);
    ends(asks("INBOX", "NOOP"));
    ended(&one, IMAP_NO);
    ck_assert_int_eq(one.err.code, IMAP_CODE_NOPERM);
    deletes(3, &one);
    delete_ends(IMAP_OK);
    struct imap_command *noop = asks("INBOX", "NOOP");
    expunges(3, 3); /* late */
    ends(noop);
    ended(&one, IMAP_OK);
    close_world();
}
END_TEST

/* _i: whether it has been told as gone before the listing that was to settle it failed. */
START_TEST(a_listing_that_fails_settles_what_is_known)
{
    open_with(PLUS);
    deletes(3, &one);
    delete_ends(IMAP_OK);
    for (int round = 0; round < 3; round++) {
        struct imap_command *noop = asks("INBOX", "NOOP");
        if (_i && !round)
            expunges(3, 3);
        ends_with(noop, IMAP_AGAIN);
    }
    ended(&one, _i ? IMAP_OK : IMAP_UNSURE); /* not IMAP_AGAIN: something was sent */
    close_world();
}
END_TEST

/* Others change it many times a second, and no EXPUNGE can be told to be that of the message. _i: for ever. */
START_TEST(settled_amid_the_changes_of_others)
{
    static const uint32_t left[] = {1, 2, 4, 5};
    const int disturbed = _i ? 5 : 4;
    open_with(PLUS);
    deletes(3, &one);
    delete_ends(IMAP_OK);
    struct imap_command *noop = asks("INBOX", "NOOP");
    exists(6);
    expunges(6, 0); /* came and went */
    expunges(3, 0); /* whichever that was */
    ends(noop);
    for (int round = 0; round < 5; round++) {
        ends(asks("INBOX", "UID FETCH 6:* (UID FLAGS INTERNALDATE RFC822.SIZE)"));
        struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
        for (size_t i = 0; i < sizeof left / sizeof *left; i++)
            answers(flags, left[i], IMAP_FETCH_FLAGS, 0);
        if (round < disturbed) {
            exists(5);
            expunges(5, 0);
        }
        ends(flags);
    }
    ended(&one, _i ? IMAP_UNSURE : IMAP_OK);
    ck_assert_int_eq(one.err.sys_errno, _i ? EAGAIN : 0);
    close_world();
}
END_TEST

static void lose_deleting(void)
{
    struct imap_command *store = alters("INBOX", MARK("3"));
    lose_line(store, alters("INBOX", "UID EXPUNGE 3"), IMAP_UNSURE);
}

/* _i: whether the server has carried it out before the line was lost. */
START_TEST(a_lost_line_is_settled)
{
    open_with(PLUS);
    deletes(3, &one);
    lose_deleting();
    ck_assert_uint_eq(one.told, 0);
    comes_back(_i ? 3 : 0);
    if (!_i) { /* once more does no harm */
        struct imap_command *store = alters("INBOX", MARK("3"));
        struct imap_command *expunge = alters("INBOX", "UID EXPUNGE 3");
        ends(store);
        expunges(3, 3);
        ends(expunge);
    }
    ended(&one, IMAP_OK);
    close_world();
}
END_TEST

START_TEST(lost_twice_is_an_error)
{
    open_with(PLUS);
    deletes(3, &one);
    lose_deleting();
    comes_back(0);
    lose_deleting();
    comes_back(0);
    ended(&one, IMAP_UNSURE);
    ck_assert(has(inbox, 3));
    close_world();
}
END_TEST

START_TEST(another_mailbox_of_that_name_is_not_touched)
{
    open_with(PLUS);
    deletes(3, &one);
    lose_deleting();
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 5, 8, 6, 0);
    ends(noop);
    struct imap_command *fetch = asks("INBOX", WHOLE);
    for (uint32_t uid = 1; uid <= 5; uid++)
        answers(fetch, uid, EVERYTHING, 0);
    ends(fetch);
    ended(&one, IMAP_GONE);
    ck_assert_int_eq(one.err.code, IMAP_CODE_UIDVALIDITY);
    close_world();
}
END_TEST

START_TEST(read_only_sends_nothing)
{
    write_world_init();
    world.read_write = false;
    write_world_open(PLUS);
    deletes(3, &one);
    ended(&one, IMAP_NO);
    ck_assert_int_eq(one.err.code, IMAP_CODE_READ_ONLY);
    moves(3, archive, &one, &place);
    ended(&one, IMAP_NO);
    sets_flags(3, WRITE_ADD, IMAP_FLAG_SEEN, &one);
    ended(&one, IMAP_NO);
    close_world();
}
END_TEST

START_TEST(taken_back_before_it_was_sent)
{
    open_with(PLUS);
    deletes(1, &one);
    deletes(4, &two);
    ck_assert(wait_cancel(world.account, &two.wait));
    struct imap_command *store = alters("INBOX", MARK("1")), *expunge = alters("INBOX", "UID EXPUNGE 1");
    ends(store);
    expunges(1, 1);
    ends(expunge);
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(two.told, 0);
    ck_assert(has(inbox, 4));
    close_world(); /* and nothing was asked */
}
END_TEST

START_TEST(the_end_tells_everybody_once)
{
    open_with(PLUS);
    deletes(1, &one);
    deletes(4, &two);
    moves(5, archive, &three, &place);
    world_fini();
    ended(&one, IMAP_CANCEL);
    ended(&two, IMAP_CANCEL);
    ended(&three, IMAP_CANCEL);
}
END_TEST

/* ---- without UIDPLUS, with a trash ---------------------------------------------------------------------- */

static void answers_search(struct imap_command *command, const uint32_t *uids, size_t count)
{
    const struct imap_response response = {.type = IMAP_RESP_SEARCH,
                                           .search = {.numbers = uids, .count = count}};
    command->events.response(command->arg, &response);
}

/* _i: whether somebody else's message is marked as deleted. */
START_TEST(without_uidplus_nobody_elses_message_goes)
{
    static const uint32_t marked[] = {3, 5};
    open_with("");
    deletes(3, &one);
    ends(alters("INBOX", MARK("3")));
    struct imap_command *search = alters("INBOX", "UID SEARCH DELETED");
    answers_search(search, marked, _i ? 2 : 1);
    ends(search);
    if (_i) {
        ended(&one, IMAP_NO);
        ck_assert_int_eq(one.err.code, IMAP_CODE_CANNOT);
        ck_assert(has(inbox, 3) && has(inbox, 5));
    } else {
        struct imap_command *expunge = alters("INBOX", "EXPUNGE");
        expunges(3, 3);
        ends(expunge);
        ended(&one, IMAP_OK);
    }
    close_world();
}
END_TEST

START_TEST(without_uidplus_the_trash_takes_it)
{
    open_with("MOVE");
    deletes(3, &one);
    struct imap_command *move = alters("INBOX", "UID MOVE 3 Trash");
    expunges(3, 3);
    ends(move);
    ended(&one, IMAP_OK);
    close_world();
}
END_TEST

START_TEST(the_trash_that_was_asked_for)
{
    write_world_init();
    world.trash = "Archive";
    write_world_open(PLUS);
    deletes(3, &one);
    struct imap_command *move = alters("INBOX", "UID MOVE 3 Archive");
    expunges(3, 3);
    copied(move, "7 3 3");
    ended(&one, IMAP_OK);
    one = new_wait();
    account_lock(world.account);
    write_delete_locked(archive, mailbox_message_id_locked(archive), 1, &one.wait);
    account_unlock(world.account);
    struct imap_command *store = alters("Archive", MARK("1"));
    both_end(store, alters("Archive", "UID EXPUNGE 1"), IMAP_NO);
    ended(&one, IMAP_NO);
    close_world();
}
END_TEST

START_TEST(a_trash_that_is_not_there)
{
    write_world_init();
    world.trash = "Rubbish";
    write_world_open(PLUS);
    deletes(3, &one);
    ended(&one, IMAP_NO);
    ck_assert(strstr(one.err.text, "Rubbish"));
    close_world();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("write");
    TCase *cases = tcase_create("write");
    tcase_add_test(cases, deleting_is_one_flight);
    tcase_add_test(cases, what_waits_together_is_one_command);
    tcase_add_test(cases, each_gets_its_own_answer);
    tcase_add_test(cases, sets_are_cut);
    tcase_add_test(cases, what_is_gone_already);
    tcase_add_test(cases, an_ok_that_did_nothing_is_looked_into);
    tcase_add_loop_test(cases, a_listing_that_fails_settles_what_is_known, 0, 2);
    tcase_add_loop_test(cases, settled_amid_the_changes_of_others, 0, 2);
    tcase_add_loop_test(cases, a_lost_line_is_settled, 0, 2);
    tcase_add_test(cases, lost_twice_is_an_error);
    tcase_add_test(cases, another_mailbox_of_that_name_is_not_touched);
    tcase_add_test(cases, read_only_sends_nothing);
    tcase_add_test(cases, taken_back_before_it_was_sent);
    tcase_add_test(cases, the_end_tells_everybody_once);
    tcase_add_loop_test(cases, without_uidplus_nobody_elses_message_goes, 0, 2);
    tcase_add_test(cases, without_uidplus_the_trash_takes_it);
    tcase_add_test(cases, the_trash_that_was_asked_for);
    tcase_add_test(cases, a_trash_that_is_not_there);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
