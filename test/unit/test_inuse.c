/* SPDX-License-Identifier: MIT */
/* The mailboxes in use and the lanes that idle on them: what is asked of the pool, and what its telling makes of
 * freshness. Nothing is ever fresh by age here: the poll time is 0. */
#include "model_world.h"

#define ALL "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"

static struct mailbox *a, *b, *c;
static struct asked asked;

/* Never listed before: n messages, HIGHESTMODSEQ 100. Connection 0 was at `from`, unless NULL. */
static void list_first(struct mailbox *mailbox, const char *from, uint32_t n)
{
    const char *name = mailbox_wire_name(mailbox);
    ck_assert(!ask_fresh(mailbox, &asked));
    struct imap_command *fetch = asks(name, "UID FETCH 1:* " ALL);
    if (from)
        leaves(from);
    resumes(name, "");
    selects(name, n, 7, n + 1, 100);
    for (uint32_t uid = 1; uid <= n; uid++)
        answers_modseq(fetch, uid, EVERYTHING, 0, 50 + uid);
    ends(fetch);
    ended(&asked, IMAP_OK);
}

/* Connection 0 sees what is new, which is nothing. */
static void finds_nothing(struct mailbox *mailbox, const char *from, uint32_t n)
{
    char since[32];
    const char *name = mailbox_wire_name(mailbox);
    struct imap_command *touch = asks(name, "NOOP");
    if (from) {
        leaves(from);
        snprintf(since, sizeof since, "7 100 1:%u", n);
        resumes(name, since);
        selects(name, n, 7, n + 1, 100);
    }
    ends(touch);
}

static void watches(const char *expected)
{
    ck_assert_str_eq(world.watched, expected);
}

static void lane_selects(unsigned lane, struct mailbox *mailbox, uint32_t n, uint64_t modseq)
{
    world.resumes = false;
    selects_on(lane, mailbox_wire_name(mailbox), n, 7, n + 1, modseq);
}

static void lane_idles(unsigned lane, struct mailbox *mailbox, bool on)
{
    world.events.idling(world.account, lane, mailbox_wire_name(mailbox), on);
}

static void lane_hears(unsigned lane, struct mailbox *mailbox, enum imap_response_type type, uint32_t number)
{
    const struct imap_response response = {
        .type = type, .number = number, .fetch = {.seq = number, .has = IMAP_FETCH_FLAGS}};
    world.events.untagged(world.account, lane, mailbox_wire_name(mailbox), &response, 0);
}

static bool is_fresh(const struct mailbox *mailbox)
{
    account_lock(world.account);
    const bool fresh = mailbox_is_fresh_locked(mailbox);
    account_unlock(world.account);
    return fresh;
}

/* A and B were listed, connection 0 is at B, lanes are to be had. */
static void set_up(void)
{
    world_init();
    cap("IDLE");
    cap("QRESYNC");
    world.grants = 2;
    world.lists[0] = (struct imap_list){.name = "A", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "B", .delimiter = '/'};
    world.lists[2] = (struct imap_list){.name = "C", .delimiter = '/'};
    world.list_count = 3 + INUSE_MAX + 4;
    for (size_t i = 3; i < world.list_count; i++) {
        static char names[INUSE_MAX + 8][24];
        snprintf(names[i], sizeof names[i], "m%zu", i);
        world.lists[i] = (struct imap_list){.name = names[i], .delimiter = '/'};
    }
    struct imap_error err = {0};
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    a = below(account_root(world.account), "A");
    b = below(account_root(world.account), "B");
    c = below(account_root(world.account), "C");
    list_first(a, NULL, 3);
    watches("");
    list_first(b, "A", 2);
}

/* Lane 1 idles at A, which is as it was. */
static void covered(void)
{
    lane_selects(1, a, 3, 100);
    lane_idles(1, a, true);
    asks_nothing();
}

static void tear_down(void)
{
    world_fini();
}

START_TEST(what_is_used_and_not_selected_is_watched)
{
    watches("A ");
    list_first(c, "B", 1);
    watches("B A ");
    asks_nothing();
}
END_TEST

START_TEST(fresh_from_when_the_lane_idles)
{
    lane_selects(1, a, 3, 100);
    ck_assert(!is_fresh(a));
    lane_idles(1, a, true);
    ck_assert(is_fresh(a));
    ck_assert(ask_fresh(a, &asked));
    ck_assert(ask_fresh(b, &asked)); /* connection 0 hears of it */
    asks_nothing();
    lane_idles(1, a, false);
    ck_assert(!is_fresh(a));
}
END_TEST

START_TEST(not_when_the_line_is_lost)
{
    covered();
    world.events.deselected(world.account, 1, "A");
    ck_assert(!is_fresh(a));
    watches("A ");
    asks_nothing();
}
END_TEST

/* Without HIGHESTMODSEQ, with another one, with news before the lane idles: connection 0 has a look. */
START_TEST(what_is_not_as_known_is_looked_at)
{
    lane_selects(1, a, 3, _i == 0 ? 0 : _i == 1 ? 101 : 100);
    if (_i == 2)
        lane_hears(1, a, IMAP_RESP_FETCH, 1);
    lane_idles(1, a, true);
    ck_assert(!is_fresh(a));
    finds_nothing(a, "B", 3);
    ck_assert(is_fresh(a));
    asks_nothing();
    watches("A B "); /* a lane is to be had for B, so connection 0 stays */
}
END_TEST

START_TEST(what_the_lane_hears_is_looked_at)
{
    static const enum imap_response_type types[] = {IMAP_RESP_EXISTS, IMAP_RESP_EXPUNGE, IMAP_RESP_FETCH};
    covered();
    lane_hears(1, a, types[_i], types[_i] == IMAP_RESP_EXISTS ? 4 : 1);
    ck_assert(!is_fresh(a));
    finds_nothing(a, "B", 3);
    ck_assert(is_fresh(a));
    asks_nothing();
}
END_TEST

START_TEST(what_is_no_news_is_not)
{
    covered();
    lane_hears(1, a, IMAP_RESP_EXISTS, 3);
    asks_nothing();
    ck_assert(is_fresh(a));
}
END_TEST

/* What a lane without this task hears. */
START_TEST(a_lane_that_does_not_idle_stirs_nothing)
{
    lane_selects(2, a, 3, 100);
    lane_hears(2, a, IMAP_RESP_EXISTS, 4);
    asks_nothing();
}
END_TEST

/* No lane is to be had for B: connection 0 goes back there. */
START_TEST(connection_0_returns)
{
    world.grants = 1;
    covered();
    for (int round = 0; round < 3; round++) {
        lane_hears(1, a, IMAP_RESP_FETCH, 1);
        finds_nothing(a, "B", 3);
        watches("A B ");
        finds_nothing(b, "A", 2);
        ck_assert(is_fresh(a) && is_fresh(b));
        asks_nothing();
    }
}
END_TEST

START_TEST(a_return_that_fails_is_not_repeated)
{
    world.grants = 1;
    covered();
    lane_hears(1, a, IMAP_RESP_FETCH, 1);
    finds_nothing(a, "B", 3);
    ends_with(asks("B", "NOOP"), IMAP_NO);
    asks_nothing();
    lane_hears(1, a, IMAP_RESP_FETCH, 1);
    finds_nothing(a, NULL, 3);
    asks_nothing();
}
END_TEST

/* Servers without HIGHESTMODSEQ must not make connection 0 and the lanes change places for ever. */
START_TEST(nobody_goes_round_without_modseq)
{
    world.grants = 1;
    lane_selects(1, a, 3, 0);
    lane_idles(1, a, true);
    finds_nothing(a, "B", 3);
    finds_nothing(b, "A", 2);
    asks_nothing();
    ck_assert(is_fresh(a) && is_fresh(b));
}
END_TEST

/* A has its lane and was looked at just now: others used more recently come behind it. */
START_TEST(lanes_stay)
{
    covered();
    list_first(c, "B", 1);
    watches("A B ");
    ck_assert(ask_fresh(a, &asked));
    watches("A B ");
    lane_selects(2, b, 2, 100);
    lane_idles(2, b, true);
    watches("A B ");
    ck_assert(ask_fresh(a, &asked) && ask_fresh(b, &asked) && ask_fresh(c, &asked));
    asks_nothing();
}
END_TEST

/* As of a mailbox that was deleted and made anew. The lane has to select it again, but not for ever. */
START_TEST(what_is_in_doubt_is_selected_anew)
{
    covered();
    world.replaced = 0;
    lane_hears(1, a, IMAP_RESP_NO, 0);
    ck_assert(!is_fresh(a));
    ck_assert_uint_eq(world.replaced, 1);
    lane_idles(1, a, true);
    lane_hears(1, a, IMAP_RESP_NO, 0);
    ck_assert(!is_fresh(a));
    ck_assert_uint_eq(world.replaced, 1);
    lane_hears(2, a, IMAP_RESP_NO, 0); /* which has nothing selected that is in the tree */
    ck_assert_uint_eq(world.replaced, 1);
    asks_nothing();
}
END_TEST

START_TEST(what_notify_covers_needs_no_lane)
{
    account_lock(world.account);
    cover_begin_locked(a, COVER_NOTIFY,
                       &(struct cover_state){.uidvalidity = 7, .uidnext = 4, .messages = 3, .modseq = 100});
    account_unlock(world.account);
    list_first(c, "B", 1);
    watches("B ");
}
END_TEST

START_TEST(another_uidvalidity_on_a_lane)
{
    const struct imap_selected selected = {
        .name = "A", .exists = 3, .uidvalidity = 8, .uidnext = 4, .highestmodseq = 100};
    world.events.selected(world.account, 1, &selected, false);
    lane_idles(1, a, true);
    ck_assert(!is_fresh(a));
    ck_assert_uint_eq(mailbox_uidvalidity_locked(a), 8);
    asks_nothing(); /* it is listed when somebody wants it */
}
END_TEST

START_TEST(only_so_many_are_remembered)
{
    struct mailbox *root = account_root(world.account);
    covered();
    account_lock(world.account);
    for (uint32_t after = 0, i = 0; i < INUSE_MAX + 4; i++) {
        struct mailbox *child = mailbox_next_child_locked(root, after);
        inuse_note_locked(child);
        after = mailbox_dir_id(child);
    }
    ck_assert_uint_eq(world.account->inuse.count, INUSE_MAX);
    inuse_note_locked(a);
    inuse_note_locked(b);
    ck_assert_uint_eq(world.account->inuse.count, INUSE_MAX);
    account_unlock(world.account);
    watches("A ");
    asks_nothing();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inuse");
    TCase *tcase = tcase_create("inuse");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_used_and_not_selected_is_watched);
    tcase_add_test(tcase, fresh_from_when_the_lane_idles);
    tcase_add_test(tcase, not_when_the_line_is_lost);
    tcase_add_loop_test(tcase, what_is_not_as_known_is_looked_at, 0, 3);
    tcase_add_loop_test(tcase, what_the_lane_hears_is_looked_at, 0, 3);
    tcase_add_test(tcase, what_is_no_news_is_not);
    tcase_add_test(tcase, a_lane_that_does_not_idle_stirs_nothing);
    tcase_add_test(tcase, connection_0_returns);
    tcase_add_test(tcase, a_return_that_fails_is_not_repeated);
    tcase_add_test(tcase, nobody_goes_round_without_modseq);
    tcase_add_test(tcase, lanes_stay);
    tcase_add_test(tcase, what_is_in_doubt_is_selected_anew);
    tcase_add_test(tcase, what_notify_covers_needs_no_lane);
    tcase_add_test(tcase, another_uidvalidity_on_a_lane);
    tcase_add_test(tcase, only_so_many_are_remembered);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
