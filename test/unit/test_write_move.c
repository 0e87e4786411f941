/* SPDX-License-Identifier: MIT */
/* Moving, copying, flags: nothing is lost, whatever fails where. */
#include "write_world.h"

static struct asked one, two;
static struct write_place place, place2;

#define MARK "UID STORE 3 +FLAGS.SILENT (\\Deleted)"

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

/* ---- moving ------------------------------------------------------------------------------------------ */

START_TEST(moving_shows_at_both_ends)
{
    struct message message;
    open_with("UIDPLUS MOVE");
    moves(3, archive, &one, &place);
    struct imap_command *move = alters("INBOX", "UID MOVE 3 Archive");
    const struct imap_range range = {3, 3};
    const struct imap_seqset set = {.ranges = (struct imap_range *)&range, .count = 1};
    const struct imap_response response = {.type = IMAP_RESP_OK,
                                           .text = {.code = IMAP_CODE_COPYUID,
                                                    .code_args = "7 3 3",
                                                    .uidvalidity = 7,
                                                    .from = &set,
                                                    .to = &set,
                                                    .text = ""}};
    move->events.response(move->arg, &response);
    expunges(3, 3);
    ends(move);
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(place.uid, 3);
    ck_assert_uint_eq(place.uidvalidity, 7);
    ck_assert(!has(inbox, 3));
    ck_assert(mailbox_find_locked(archive, 3, &message));
    ck_assert_uint_eq(message.size, 300);
    ck_assert_int_eq(message.date.unix_seconds, 1003);
    ck_assert(mailbox_is_fresh_locked(archive)); /* so the next one is not looked up on the server */
    close_world();
}
END_TEST

START_TEST(a_gap_may_hide_something)
{
    open_with("UIDPLUS MOVE");
    moves(3, archive, &one, &place);
    struct imap_command *move = alters("INBOX", "UID MOVE 3 Archive");
    expunges(3, 3);
    copied(move, "7 3 4"); /* what is 3? */
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(place.uid, 4);
    ck_assert(!has(archive, 4));
    ck_assert(!mailbox_is_fresh_locked(archive));
    close_world();
}
END_TEST

START_TEST(one_of_two_was_gone)
{
    open_with("UIDPLUS MOVE");
    struct asked first;
    struct write_place elsewhere;
    moves(1, archive, &first, &elsewhere);
    moves(4, archive, &one, &place);
    moves(5, archive, &two, &place2);
    struct imap_command *move = alters("INBOX", "UID MOVE 1 Archive");
    expunges(1, 1);
    copied(move, "7 1 3");
    ended(&first, IMAP_OK);
    move = alters("INBOX", "UID MOVE 4:5 Archive");
    expunges(3, 4); /* somebody else's doing */
    expunges(3, 5);
    copied(move, "7 5 4");
    ended(&one, IMAP_GONE);
    ended(&two, IMAP_OK);
    ck_assert_uint_eq(place2.uid, 4);
    close_world();
}
END_TEST

/* "OK No messages found", says Dovecot. */
START_TEST(what_was_gone_was_not_moved)
{
    open_with("UIDPLUS MOVE");
    moves(3, archive, &one, &place);
    expunges(3, 3); /* somebody else's doing */
    ends(alters("INBOX", "UID MOVE 3 Archive"));
    ended(&one, IMAP_GONE);
    moves(5, archive, &one, &place);
    ends(alters("INBOX", "UID MOVE 5 Archive"));
    ck_assert_uint_eq(one.told, 0);
    struct imap_command *noop = asks("INBOX", "NOOP");
    expunges(4, 5); /* late */
    ends(noop);
    ended(&one, IMAP_GONE);
    copies(4, archive, &one, &place);
    ends(reads("INBOX", "UID COPY 4 Archive"));
    ended(&one, IMAP_GONE);
    close_world();
}
END_TEST

/* Where somebody may put messages and not read them, nobody is told their UIDs. */
START_TEST(a_target_of_which_nothing_is_known)
{
    open_with("UIDPLUS MOVE");
    archive->known = false;
    moves(3, archive, &one, &place);
    struct imap_command *move = alters("INBOX", "UID MOVE 3 Archive");
    expunges(3, 3);
    ends(move);
    ended(&one, IMAP_OK);
    close_world();
}
END_TEST

/* _i: whether the server has carried it out before the line was lost. */
START_TEST(moving_is_not_repeated_blindly)
{
    open_with("UIDPLUS MOVE");
    moves(3, archive, &one, &place);
    lose_line(alters("INBOX", "UID MOVE 3 Archive"), NULL, IMAP_UNSURE);
    ck_assert_uint_eq(one.told, 0);
    comes_back(_i ? 3 : 0);
    ended(&one, _i ? IMAP_OK : IMAP_UNSURE);
    ck_assert_uint_eq(place.uid, 0);
    ck_assert(!mailbox_is_fresh_locked(archive));
    ck_assert(has(inbox, 3) == !_i);
    close_world();
}
END_TEST

START_TEST(a_target_that_is_not_there)
{
    open_with("UIDPLUS MOVE");
    moves(3, archive, &one, &place);
    ends_saying(alters("INBOX", "UID MOVE 3 Archive"), IMAP_NO, IMAP_CODE_TRYCREATE, "", 0);
    ended(&one, IMAP_NO);
    ck_assert_int_eq(one.err.code, IMAP_CODE_TRYCREATE);
    moves(3, account_root(world.account), &one, &place);
    ended(&one, IMAP_NO);
    ck_assert_int_eq(one.err.code, IMAP_CODE_CANNOT);
    close_world();
}
END_TEST

START_TEST(without_move_the_copy_comes_first)
{
    open_with("UIDPLUS");
    moves(3, archive, &one, &place);
    struct imap_command *copy = alters("INBOX", "UID COPY 3 Archive");
    asks_nothing();
    copied(copy, "7 3 3");
    ck_assert_uint_eq(one.told, 0);
    ck_assert(has(inbox, 3) && has(archive, 3));
    struct imap_command *store = alters("INBOX", MARK), *expunge = alters("INBOX", "UID EXPUNGE 3");
    ends(store);
    expunges(3, 3);
    ends(expunge);
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(place.uid, 3);
    close_world();
}
END_TEST

START_TEST(a_failed_copy_deletes_nothing)
{
    open_with("UIDPLUS");
    moves(3, archive, &one, &place);
    ends_saying(alters("INBOX", "UID COPY 3 Archive"), IMAP_NO, IMAP_CODE_OVERQUOTA, "", 0);
    ended(&one, IMAP_NO);
    moves(3, archive, &one, &place);
    lose_line(alters("INBOX", "UID COPY 3 Archive"), NULL, IMAP_UNSURE);
    ended(&one, IMAP_UNSURE);
    ck_assert(!mailbox_is_fresh_locked(archive));
    ck_assert(has(inbox, 3));
    comes_back(0);
    close_world();
}
END_TEST

/* The copy is not made again, however often the deleting is interrupted or refused. _i: which. */
START_TEST(only_the_deleting_is_repeated)
{
    open_with("UIDPLUS");
    moves(3, archive, &one, &place);
    copied(alters("INBOX", "UID COPY 3 Archive"), "7 3 3");
    struct imap_command *store = alters("INBOX", MARK), *expunge = alters("INBOX", "UID EXPUNGE 3");
    if (_i) {
        ends_saying(store, IMAP_NO, IMAP_CODE_NOPERM, "", 0);
        ends(expunge);
        ended(&one, IMAP_NO); /* it is in both places, and the caller knows */
        close_world();
        return;
    }
    lose_line(store, expunge, IMAP_UNSURE);
    comes_back(0);
    store = alters("INBOX", MARK), expunge = alters("INBOX", "UID EXPUNGE 3");
    ends(store);
    expunges(3, 3);
    ends(expunge);
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(place.uid, 3);
    close_world();
}
END_TEST

START_TEST(copying)
{
    open_with("UIDPLUS MOVE");
    copies(3, archive, &one, &place);
    copied(reads("INBOX", "UID COPY 3 Archive"), "7 3 3");
    ended(&one, IMAP_OK);
    ck_assert(has(inbox, 3) && has(archive, 3));
    copies(4, inbox, &one, &place); /* within the mailbox that is watched */
    struct imap_command *copy = reads("INBOX", "UID COPY 4 INBOX");
    exists(6);
    struct imap_command *fetch = asks("INBOX", "UID FETCH 6:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    copied(copy, "7 4 6");
    ended(&one, IMAP_OK);
    ck_assert_uint_eq(place.uid, 6);
    answers(fetch, 6, EVERYTHING, 0);
    ends(fetch);
    ck_assert(has(inbox, 6));
    copies(4, inbox, &one, &place);
    copied(reads("INBOX", "UID COPY 4 INBOX"), "7 4 7");
    ended(&one, IMAP_OK);
    ends(asks("INBOX", "NOOP")); /* EXISTS did not come by itself */
    close_world();
}
END_TEST

/* NOTIFY tells of one copy when the next one is under way: that is no news. _i: but this is another's. */
START_TEST(told_of_a_copy_while_the_next_is_under_way)
{
    const struct cover_state before = {.uidvalidity = 7, .uidnext = 3, .messages = 2, .modseq = 100},
                             after = {.uidvalidity = 7, .uidnext = 4, .messages = _i ? 4 : 3, .modseq = 101};
    open_with("UIDPLUS MOVE QRESYNC");
    account_lock(world.account);
    cover_begin_locked(archive, COVER_NOTIFY, &before);
    account_unlock(world.account);
    asks_nothing();
    copies(3, archive, &one, &place);
    copied(reads("INBOX", "UID COPY 3 Archive"), "7 3 3");
    ended(&one, IMAP_OK);
    copies(4, archive, &two, &place2);
    struct imap_command *copy = reads("INBOX", "UID COPY 4 Archive");
    account_lock(world.account);
    cover_stirred_locked(archive, &after);
    account_unlock(world.account);
    ck_assert_int_eq(mailbox_is_fresh_locked(archive), !_i);
    copied(copy, "7 4 4");
    ended(&two, IMAP_OK);
    ck_assert(has(archive, 3) && has(archive, 4));
    if (_i)
        ends_with(asks("Archive", "NOOP"), IMAP_NO);
    close_world();
}
END_TEST

/* ---- flags ---------------------------------------------------------------------------------------------- */

static const char *flags_of(uint32_t uid)
{
    struct message message;
    ck_assert(mailbox_find_locked(inbox, uid, &message));
    return mailbox_flags_text_locked(inbox, message.flagset);
}

START_TEST(flags_are_what_the_server_says)
{
    open_with("");
    sets_flags(3, WRITE_ADD, IMAP_FLAG_SEEN, &one);
    struct imap_command *store = alters("INBOX", "UID STORE 3 +FLAGS (\\Seen)");
    answers(store, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN | IMAP_FLAG_ANSWERED);
    ends(store);
    ended(&one, IMAP_OK);
    ck_assert_str_eq(flags_of(3), "\\Seen \\Answered");
    sets_flags(3, WRITE_REMOVE, IMAP_FLAG_SEEN, &one);
    store = alters("INBOX", "UID STORE 3 -FLAGS (\\Seen)");
    answers(store, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_ANSWERED);
    ends(store);
    ended(&one, IMAP_OK);
    sets_flags(3, WRITE_SET, 0, &one);
    store = alters("INBOX", "UID STORE 3 FLAGS ()");
    answers(store, 3, IMAP_FETCH_FLAGS, 0);
    ends(store);
    ended(&one, IMAP_OK);
    ck_assert_str_eq(flags_of(3), "");
    close_world();
}
END_TEST

START_TEST(flags_that_are_not_kept)
{
    open_with("");
    sets_flags(3, WRITE_ADD, IMAP_FLAG_DRAFT, &one);
    struct imap_command *store = alters("INBOX", "UID STORE 3 +FLAGS (\\Draft)");
    answers(store, 3, IMAP_FETCH_FLAGS, 0);
    ends(store);
    ended(&one, IMAP_NO);
    ck_assert_int_eq(one.err.code, IMAP_CODE_CANNOT);
    close_world();
}
END_TEST

START_TEST(flags_of_which_nothing_was_told)
{
    open_with("");
    sets_flags(3, WRITE_ADD, IMAP_FLAG_SEEN, &one);
    ends(alters("INBOX", "UID STORE 3 +FLAGS (\\Seen)"));
    struct imap_command *look = alters("INBOX", "UID FETCH 3 (UID FLAGS)");
    answers(look, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    ends(look);
    ended(&one, IMAP_OK);
    sets_flags(3, WRITE_ADD, IMAP_FLAG_FLAGGED, &one);
    ends(alters("INBOX", "UID STORE 3 +FLAGS (\\Flagged)"));
    ends(alters("INBOX", "UID FETCH 3 (UID FLAGS)"));
    ended(&one, IMAP_GONE);
    close_world();
}
END_TEST

/* _i: whether it was the flags that somebody else has changed, or something else about the message. */
START_TEST(others_changes_are_not_undone)
{
    open_with("CONDSTORE");
    sets_flags(3, WRITE_SET, IMAP_FLAG_SEEN, &one);
    struct imap_command *store = alters("INBOX", "UID STORE 3 (UNCHANGEDSINCE 50) FLAGS (\\Seen)");
    ends_saying(store, IMAP_OK, IMAP_CODE_MODIFIED, "3", 3);
    struct imap_command *look = alters("INBOX", "UID FETCH 3 (UID FLAGS MODSEQ)");
    answers_modseq(look, 3, IMAP_FETCH_FLAGS, _i ? IMAP_FLAG_ANSWERED : 0, 60);
    ends(look);
    if (!_i) {
        store = alters("INBOX", "UID STORE 3 (UNCHANGEDSINCE 60) FLAGS (\\Seen)");
        answers_modseq(store, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN, 61);
        ends(store);
        ended(&one, IMAP_OK);
    } else {
        ended(&one, IMAP_NO);
        ck_assert_int_eq(one.err.code, IMAP_CODE_MODIFIED);
        ck_assert_str_eq(flags_of(3), "\\Answered");
    }
    close_world();
}
END_TEST

START_TEST(like_flags_are_one_command)
{
    open_with("");
    struct asked first, other;
    sets_flags(1, WRITE_ADD, IMAP_FLAG_SEEN, &first);
    sets_flags(3, WRITE_ADD, IMAP_FLAG_SEEN, &one);
    sets_flags(4, WRITE_ADD, IMAP_FLAG_SEEN, &two);
    sets_flags(5, WRITE_ADD, IMAP_FLAG_FLAGGED, &other);
    struct imap_command *store = alters("INBOX", "UID STORE 1 +FLAGS (\\Seen)");
    struct imap_command *flagged = alters("INBOX", "UID STORE 5 +FLAGS (\\Flagged)");
    answers(store, 1, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    ends(store);
    answers(flagged, 5, IMAP_FETCH_FLAGS, IMAP_FLAG_FLAGGED);
    ends(flagged);
    store = alters("INBOX", "UID STORE 3:4 +FLAGS (\\Seen)");
    answers(store, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    answers(store, 4, IMAP_FETCH_FLAGS, 0); /* not this one */
    ends(store);
    ended(&first, IMAP_OK);
    ended(&other, IMAP_OK);
    ended(&one, IMAP_OK);
    ended(&two, IMAP_NO);
    close_world();
}
END_TEST

/* _i: whether the server has carried it out before the line was lost. */
START_TEST(flags_and_a_lost_line)
{
    open_with("");
    sets_flags(3, WRITE_ADD, IMAP_FLAG_SEEN, &one);
    lose_line(alters("INBOX", "UID STORE 3 +FLAGS (\\Seen)"), NULL, IMAP_UNSURE);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 5, 7, 6, 0);
    ends(noop);
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    for (uint32_t uid = 1; uid <= 5; uid++)
        answers(fetch, uid, IMAP_FETCH_FLAGS, uid == 3 && _i ? IMAP_FLAG_SEEN : 0);
    ends(fetch);
    if (!_i) {
        struct imap_command *store = alters("INBOX", "UID STORE 3 +FLAGS (\\Seen)");
        answers(store, 3, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
        ends(store);
    }
    ended(&one, IMAP_OK);
    ck_assert_str_eq(flags_of(3), "\\Seen");
    close_world();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("write_move");
    TCase *cases = tcase_create("write_move");
    tcase_add_test(cases, moving_shows_at_both_ends);
    tcase_add_test(cases, a_gap_may_hide_something);
    tcase_add_test(cases, one_of_two_was_gone);
    tcase_add_test(cases, what_was_gone_was_not_moved);
    tcase_add_test(cases, a_target_of_which_nothing_is_known);
    tcase_add_loop_test(cases, moving_is_not_repeated_blindly, 0, 2);
    tcase_add_test(cases, a_target_that_is_not_there);
    tcase_add_test(cases, without_move_the_copy_comes_first);
    tcase_add_test(cases, a_failed_copy_deletes_nothing);
    tcase_add_loop_test(cases, only_the_deleting_is_repeated, 0, 2);
    tcase_add_test(cases, copying);
    tcase_add_loop_test(cases, told_of_a_copy_while_the_next_is_under_way, 0, 2);
    tcase_add_test(cases, flags_are_what_the_server_says);
    tcase_add_test(cases, flags_that_are_not_kept);
    tcase_add_test(cases, flags_of_which_nothing_was_told);
    tcase_add_loop_test(cases, others_changes_are_not_undone, 0, 2);
    tcase_add_test(cases, like_flags_are_one_command);
    tcase_add_loop_test(cases, flags_and_a_lost_line, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
