/* SPDX-License-Identifier: MIT */
/* Synchronising by mod-sequence (RFC 7162), step by step, against servers that do it well and badly. */
#include "model_world.h"

#define ALL "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"
#define WHOLE "UID FETCH 1:* " ALL
#define NEW "UID FETCH 4:* " ALL
#define FLAGS "UID FETCH 1:* (UID FLAGS MODSEQ)"
#define SINCE "UID FETCH 1:3 (UID FLAGS MODSEQ) (CHANGEDSINCE 100)"
#define SEARCH "UID SEARCH RETURN (ALL) UID 1:3"

static struct mailbox *inbox, *other;
static struct asked asked;

/* Three messages 1, 2, 3 with mod-sequences 51, 52, 53; UIDVALIDITY 7, HIGHESTMODSEQ 100. */
static void set_up(void)
{
    world_init();
    cap("IDLE");
    cap("QRESYNC");
    cap("ESEARCH");
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "other", .delimiter = '/'};
    world.list_count = 2;
    struct imap_error err = {0};
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    other = below(account_root(world.account), "other");
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    resumes("INBOX", "");
    selects("INBOX", 3, 7, 4, 100);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers_modseq(fetch, uid, EVERYTHING, 0, 50 + uid);
    ends(fetch);
    ended(&asked, IMAP_OK);
    told("L ");
}

static void has(const char *expected)
{
    char text[256] = "";
    size_t hint = 0;
    struct message message = {0};
    while (mailbox_next_locked(inbox, message.uid, &hint, &message))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%u:%llu ", message.uid,
                 (unsigned long long)message.size);
    ck_assert_str_eq(text, expected);
}

static struct message message_of(uint32_t uid)
{
    struct message message;
    ck_assert(mailbox_find_locked(inbox, uid, &message));
    return message;
}

static const char *flags_of(uint32_t uid)
{
    return mailbox_flags_text_locked(inbox, message_of(uid).flagset);
}

static void go_elsewhere(void)
{
    struct asked elsewhere;
    ck_assert(!ask_fresh(other, &elsewhere));
    struct imap_command *command = asks("other", mailbox_known_locked(other) ? "NOOP" : WHOLE);
    leaves("INBOX");
    resumes("other", "");
    selects("other", 0, 1, 1, 1);
    ends(command);
    ended(&elsewhere, IMAP_OK);
    world.told[0] = '\0';
}

/* Up to where SELECT is under way and was asked what has changed since then. */
static struct imap_command *come_back(const char *since)
{
    go_elsewhere();
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    leaves("other");
    resumes("INBOX", since);
    return noop;
}

/* The same, and it tells nothing but the numbers: all is asked for. */
static void come_back_without(uint32_t number, uint32_t uidnext, uint64_t modseq)
{
    struct imap_command *noop = come_back("7 100 1:3");
    world.resumes = false;
    selects("INBOX", number, 7, uidnext, modseq);
    ends(noop);
}

static void compare_all(uint32_t first, uint32_t last)
{
    struct imap_command *flags = asks("INBOX", FLAGS);
    for (uint32_t uid = first; uid <= last; uid++)
        answers_modseq(flags, uid, IMAP_FETCH_FLAGS, 0, 110 + uid);
    ends(flags);
    ended(&asked, IMAP_OK);
    asks_nothing();
}

/* ---- QRESYNC --------------------------------------------------------------------------------------- */

START_TEST(one_round_trip_tells_what_changed)
{
    ck_assert_uint_eq(message_of(2).modseq, 52);
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(2, 2, true, true);
    changes(3, IMAP_FLAG_FLAGGED, 104);
    told("");
    selects("INBOX", 2, 7, 4, 105);
    ended(&asked, IMAP_OK); /* before NOOP is answered */
    asks_nothing();
    ends(noop);
    has("1:100 3:300 ");
    told("-2 ~3 L ");
    ck_assert_str_eq(flags_of(3), "\\Flagged");
    ck_assert_uint_eq(message_of(3).modseq, 104);
    /* and that is what the next SELECT begins with */
    noop = come_back("7 105 1:3");
    selects("INBOX", 2, 7, 4, 105);
    ended(&asked, IMAP_OK);
    ends(noop);
    asks_nothing();
    told("");
}
END_TEST

START_TEST(new_mail_is_part_of_the_one_delta)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(1, 2, true, true);
    changes(3, IMAP_FLAG_SEEN, 104);
    selects("INBOX", 3, 7, 6, 107);
    ends(noop);
    struct imap_command *new = asks("INBOX", NEW);
    asks_nothing();
    has("1:100 2:200 3:300 ");
    flags_change(1, 3, IMAP_FLAG_DRAFT); /* later than what SELECT told */
    answers_modseq(new, 4, EVERYTHING, 0, 106);
    answers_modseq(new, 5, EVERYTHING, 0, 107);
    told("");
    ends(new);
    ended(&asked, IMAP_OK);
    asks_nothing();
    has("3:300 4:400 5:500 ");
    told("-1 -2 ~3 +4 +5 L ");
    ck_assert_str_eq(flags_of(3), "\\Draft");
    resumes("INBOX", "7 107 1:5");
}
END_TEST

START_TEST(a_lost_line_is_resumed)
{
    leaves("INBOX");
    struct imap_command *noop = asks("INBOX", "NOOP");
    resumes("INBOX", "7 100 1:3");
    vanishes(3, 3, true, true);
    selects("INBOX", 2, 7, 4, 101);
    ends(noop);
    asks_nothing();
    has("1:100 2:200 ");
}
END_TEST

START_TEST(a_difference_that_does_not_add_up_is_none)
{
    struct imap_command *noop = come_back("7 100 1:3");
    if (_i == 0) /* too few are gone */
        changes(3, IMAP_FLAG_FLAGGED, 104);
    else if (_i == 1) /* all are */
        vanishes(1, UINT32_MAX, true, true);
    else /* those that nobody knows are */
        vanishes(500, 4000000000u, true, true);
    selects("INBOX", 2, 7, 4, 105);
    ends(noop);
    told("");
    compare_all(2, 3);
    has("2:200 3:300 ");
    ck_assert_str_eq(flags_of(3), "");
    resumes("INBOX", "7 105 1:3");
}
END_TEST

START_TEST(vanished_without_earlier_is_gone_all_the_same)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(1, 1, false, true);
    selects("INBOX", 2, 7, 4, 105);
    ends(noop);
    asks_nothing();
    has("2:200 3:300 ");
}
END_TEST

START_TEST(changes_of_nobody_are_asked_for)
{
    struct imap_command *noop = come_back("7 100 1:3");
    changes(0, IMAP_FLAG_SEEN, 104);
    selects("INBOX", 3, 7, 4, 105);
    ends(noop);
    struct imap_command *since = asks("INBOX", SINCE);
    answers_modseq(since, 2, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN, 104);
    ends(since);
    ended(&asked, IMAP_OK);
    told("~2 ");
    asks_nothing();
}
END_TEST

/* Told more than there can be, and as often as it likes: no more memory than that. */
START_TEST(a_flood_is_no_difference)
{
    struct imap_command *noop = come_back("7 100 1:3");
    for (uint32_t i = 0; i < 200000; i++) {
        changes(1 + i % 3, IMAP_FLAG_SEEN, 104);
        vanishes(1, UINT32_MAX, true, true);
    }
    ck_assert_uint_le(world.account->watch.resume.row_capacity, 131072);
    ck_assert_uint_le(world.account->watch.resume.gone_capacity, 262144);
    selects("INBOX", 3, 7, 4, 105);
    ends(noop);
    ends(asks("INBOX", SINCE));
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 ");
}
END_TEST

START_TEST(a_select_that_did_not_resume)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(1, 3, true, true);
    world.resumes = false;
    selects("INBOX", 3, 7, 4, 105);
    ends(noop);
    ends(asks("INBOX", SINCE));
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 ");
    told("");
}
END_TEST

START_TEST(highestmodseq_that_is_not_right)
{
    static const uint64_t modseqs[] = {0, 99}; /* missing or NOMODSEQ; it fell */
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(2, 2, true, true);
    selects("INBOX", 3, 7, 4, modseqs[_i]);
    ends(noop);
    struct imap_command *flags = asks("INBOX", _i ? FLAGS : "UID FETCH 1:* (UID FLAGS)");
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 ");
    resumes("INBOX", _i ? "7 99 1:3" : "");
}
END_TEST

START_TEST(another_uidvalidity_voids_what_was_told)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(2, 2, true, true);
    selects("INBOX", 1, 8, 4, 105);
    ends(noop);
    struct imap_command *fetch = asks("INBOX", WHOLE);
    answers_modseq(fetch, 2, EVERYTHING, 0, 104);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("2:200 ");
}
END_TEST

START_TEST(a_lane_sees_another_uidvalidity_first)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(2, 2, true, true);
    world.resumes = false;
    selects_on(1, "INBOX", 1, 8, 4, 105);
    world.resumes = true;
    vanishes(1, 1, true, true);
    selects("INBOX", 1, 8, 4, 105);
    ends(noop);
    struct imap_command *fetch = asks("INBOX", WHOLE);
    answers_modseq(fetch, 2, EVERYTHING, 0, 104);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("2:200 ");
}
END_TEST

START_TEST(an_emptied_mailbox)
{
    struct imap_command *noop = come_back("7 100 1:3");
    vanishes(1, 3, true, true);
    selects("INBOX", 0, 7, 4, 105);
    ended(&asked, IMAP_OK);
    ends(noop);
    has("");
    resumes("INBOX", "");
}
END_TEST

/* ---- what is heard does not raise the state that is asked from ----------------------------------------- */

START_TEST(news_do_not_raise_the_mod_sequence)
{
    says(&(struct imap_response){.type = IMAP_RESP_FETCH,
                                 .number = 2,
                                 .fetch = {.seq = 2,
                                           .uid = 2,
                                           .has = IMAP_FETCH_UID | IMAP_FETCH_FLAGS | IMAP_FETCH_MODSEQ,
                                           .flags = {.system = IMAP_FLAG_SEEN},
                                           .modseq = 900}},
         2);
    told("~2 ");
    ck_assert_uint_eq(message_of(2).modseq, 900);
    says(
        &(struct imap_response){
            .type = IMAP_RESP_FETCH,
            .number = 2,
            .fetch = {.seq = 2, .uid = 2, .has = IMAP_FETCH_UID | IMAP_FETCH_MODSEQ, .modseq = 901}},
        2);
    told("");
    ck_assert_uint_eq(message_of(2).modseq, 901);
    exists(4);
    struct imap_command *new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 902);
    ends(new);
    vanishes(3, 3, false, false);
    told("+4 L -3 L ");
    struct imap_command *noop = come_back("7 100 1:4");
    /* so some is told twice */
    vanishes(3, 3, true, true);
    changes(2, IMAP_FLAG_SEEN, 901);
    changes(4, 0, 902);
    selects("INBOX", 3, 7, 5, 903);
    ends(noop);
    asks_nothing();
    ended(&asked, IMAP_OK);
    told("");
    has("1:100 2:200 4:400 ");
}
END_TEST

/* ---- CONDSTORE ------------------------------------------------------------------------------------- */

static void search_finds(struct imap_command *search, const struct imap_range *ranges, size_t count,
                         bool esearch)
{
    uint32_t numbers[16];
    size_t number_count = 0;
    const struct imap_seqset set = {.ranges = (struct imap_range *)ranges, .count = count};
    for (size_t i = 0; i < count; i++)
        for (uint32_t uid = ranges[i].first; uid <= ranges[i].last && number_count < 16; uid++)
            numbers[number_count++] = uid;
    struct imap_response response = {.type = esearch ? IMAP_RESP_ESEARCH : IMAP_RESP_SEARCH};
    if (esearch)
        response.esearch =
            (struct imap_esearch){.uid = true, .has_all = count > 0, .all = count ? &set : NULL};
    else
        response.search = (struct imap_search){.numbers = numbers, .count = number_count};
    search->events.response(search->arg, &response);
}

START_TEST(what_changed_is_asked_for)
{
    come_back_without(4, 5, 105);
    struct imap_command *since = asks("INBOX", SINCE), *new = asks("INBOX", NEW);
    asks_nothing();
    answers_modseq(new, 4, EVERYTHING, 0, 105);
    ends(new);
    answers_modseq(since, 2, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN, 104);
    ends(since);
    const struct imap_range left[] = {{1, 3}};
    struct imap_command *search = asks("INBOX", SEARCH);
    search_finds(search, left, 1, true);
    ends(search);
    ended(&asked, IMAP_OK);
    asks_nothing();
    told("~2 +4 L ");
    has("1:100 2:200 3:300 4:400 ");
    resumes("INBOX", "7 105 1:4");
}
END_TEST

START_TEST(what_is_gone_is_searched_for)
{
    const struct imap_range left[] = {{3, 3}, {1, 1}};
    come_back_without(3, 5, 105); /* one gone, one new: the number is the same */
    struct imap_command *since = asks("INBOX", SINCE), *new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 105);
    ends(new);
    ends(since);
    struct imap_command *search = asks("INBOX", SEARCH);
    told("");
    search_finds(search, left, 2, _i == 0); /* some answer as if RETURN had not been there */
    ends(search);
    ended(&asked, IMAP_OK);
    asks_nothing();
    told("-2 +4 L ");
    has("1:100 3:300 4:400 ");
}
END_TEST

START_TEST(without_esearch_too)
{
    const struct imap_range left[] = {{1, 1}, {3, 3}};
    imap_caps_hide(&world.caps, "ESEARCH");
    come_back_without(2, 4, 105);
    ends(asks("INBOX", SINCE));
    struct imap_command *search = asks("INBOX", "UID SEARCH UID 1:3");
    search_finds(search, left, 2, false);
    ends(search);
    ended(&asked, IMAP_OK);
    told("-2 L ");
}
END_TEST

START_TEST(all_that_were_known_are_gone)
{
    come_back_without(1, 5, 105);
    struct imap_command *since = asks("INBOX", SINCE), *new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 105);
    ends(new);
    ends(since);
    struct imap_command *search = asks("INBOX", SEARCH);
    search_finds(search, NULL, 0, true); /* without ALL when nothing is found (RFC 4731 3.1) */
    ends(search);
    ended(&asked, IMAP_OK);
    told("-1 -2 -3 +4 L ");
}
END_TEST

START_TEST(a_search_that_is_no_help)
{
    const struct imap_range ranges[] = {{1, 4000000000u}};
    come_back_without(2, 4, 105);
    ends(asks("INBOX", SINCE));
    struct imap_command *search = asks("INBOX", SEARCH);
    if (_i == 0) {
        ends_with(search, IMAP_NO);
    } else if (_i == 1) {
        ends(search); /* no word of it */
    } else {
        search_finds(search, ranges, 1, true); /* nothing is gone, it says */
        ends(search);
    }
    told("");
    compare_all(1, 2);
    has("1:100 2:200 ");
}
END_TEST

START_TEST(a_refusal_is_answered_by_comparing)
{
    come_back_without(3, 4, 105);
    world_done(asks("INBOX", SINCE), IMAP_NO, _i);
    struct imap_command *flags = asks("INBOX", _i ? "UID FETCH 1:* (UID FLAGS)" : FLAGS);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, uid == 3 ? IMAP_FLAG_SEEN : 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    asks_nothing();
    told("~3 ");
}
END_TEST

/* Only what SELECT says later tells that this one has none (NOMODSEQ), and then MODSEQ is BAD. */
START_TEST(a_mailbox_without_mod_sequences)
{
    struct asked elsewhere;
    ck_assert(!ask_fresh(other, &elsewhere));
    struct imap_command *fetch = asks("other", WHOLE);
    leaves("INBOX");
    selects("other", 1, 9, 5, 0);
    world_done(fetch, IMAP_NO, true);
    fetch = asks("other", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(fetch, 4, EVERYTHING, 0);
    ends(fetch);
    ended(&elsewhere, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(other), 1);
    resumes("other", "");
}
END_TEST

START_TEST(no_condstore_no_mod_sequences)
{
    go_elsewhere();
    imap_caps_hide(&world.caps, "CONDSTORE");
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    leaves("other");
    selects("INBOX", 3, 7, 4, 100); /* what it says without being asked is worth nothing */
    ends(noop);
    struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    asks_nothing();
}
END_TEST

/* ---- mail that comes and goes meanwhile ---------------------------------------------------------------- */

/* With new mail on top the number of messages alone would hide the one that is gone. */
START_TEST(new_mail_does_not_hide_what_is_gone)
{
    const struct imap_range left[] = {{2, 3}};
    come_back_without(3, 5, 105); /* 1 gone, 4 new */
    struct imap_command *since = asks("INBOX", SINCE), *new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 105);
    ends(new);
    exists(4); /* 5 */
    ends(since);
    struct imap_command *search = asks("INBOX", SEARCH);
    search_finds(search, left, 1, true);
    ends(search);
    told("-1 +4 L ");
    struct imap_command *newer = asks("INBOX", "UID FETCH 5:* " ALL);
    answers_modseq(newer, 5, EVERYTHING, 0, 106);
    ends(newer);
    ended(&asked, IMAP_OK);
    has("2:200 3:300 4:400 5:500 ");
    asks_nothing();
}
END_TEST

START_TEST(vanished_meanwhile)
{
    come_back_without(4, 5, 105);
    struct imap_command *since = asks("INBOX", SINCE), *new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 105);
    vanishes(3, 4, false, false); /* a known one and a new one */
    ends(new);
    ends(since);
    const struct imap_range left[] = {{1, 2}};
    struct imap_command *search = asks("INBOX", SEARCH);
    search_finds(search, left, 1, true);
    ends(search);
    ended(&asked, IMAP_OK);
    asks_nothing();
    told("-3 L ");
    has("1:100 2:200 ");
}
END_TEST

START_TEST(vanished_while_all_are_compared)
{
    struct imap_command *noop = come_back("7 100 1:3");
    selects("INBOX", 3, 7, 4, 0);
    ends(noop);
    struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    answers(flags, 1, IMAP_FETCH_FLAGS, 0);
    vanishes(1, 2, false, false);
    answers(flags, 3, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    asks_nothing();
    has("3:300 ");
}
END_TEST

START_TEST(vanished_while_new_ones_are_fetched)
{
    exists(5);
    struct imap_command *new = asks("INBOX", NEW);
    vanishes(3, 4, false, false);
    told("-3 L ");
    answers_modseq(new, 5, EVERYTHING, 0, 106);
    ends(new);
    asks_nothing();
    has("1:100 2:200 5:500 ");
}
END_TEST

/* It names what never was while something is new: nobody can tell how many there are now but SELECT. */
START_TEST(a_number_that_is_lost_is_asked_for_anew)
{
    cap("UNSELECT");
    exists(4);
    struct imap_command *new = asks("INBOX", NEW);
    vanishes(3, _i ? 4000000000u : 5, false, false); /* 3 and, say, 4; and 5 never was */
    told("-3 L ");
    has("1:100 2:200 ");
    ck_assert(!ask_fresh(inbox, &asked));
    answers_modseq(new, 4, EVERYTHING, 0, 106); /* which is there, in fact */
    ends(new);
    struct imap_command *since = asks("INBOX", "UID FETCH 1:2 (UID FLAGS MODSEQ) (CHANGEDSINCE 100)");
    new = asks("INBOX", NEW);
    answers_modseq(new, 4, EVERYTHING, 0, 106);
    ends(new);
    ends(since);
    const struct imap_range left[] = {{1, 2}};
    struct imap_command *search = asks("INBOX", "UID SEARCH RETURN (ALL) UID 1:2");
    search_finds(search, left, 1, true);
    ends(search);
    new = asks("INBOX", NEW);
    struct imap_command *all = asks("INBOX", FLAGS);
    answers_modseq(new, 4, EVERYTHING, 0, 106);
    ends(new);
    answers_modseq(all, 1, IMAP_FETCH_FLAGS, 0, 60);
    answers_modseq(all, 2, IMAP_FETCH_FLAGS, 0, 60);
    ends(all);
    ck_assert_uint_eq(asked.told, 0);
    told("");
    struct imap_command *unselect = asks("INBOX", "UNSELECT");
    leaves("INBOX");
    ends(unselect);
    struct imap_command *noop = asks("INBOX", "NOOP");
    resumes("INBOX", ""); /* not by that way again */
    selects("INBOX", 3, 7, 5, 110);
    ends(noop);
    new = asks("INBOX", NEW);
    all = asks("INBOX", FLAGS);
    answers_modseq(new, 4, EVERYTHING, 0, 106);
    ends(new);
    for (uint32_t uid = 1; uid <= 4; uid++)
        if (uid != 3)
            answers_modseq(all, uid, IMAP_FETCH_FLAGS, 0, 60);
    ends(all);
    ended(&asked, IMAP_OK);
    asks_nothing();
    has("1:100 2:200 4:400 ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("changes");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, set_up, world_fini);
    tcase_add_test(cases, one_round_trip_tells_what_changed);
    tcase_add_test(cases, new_mail_is_part_of_the_one_delta);
    tcase_add_test(cases, a_lost_line_is_resumed);
    tcase_add_loop_test(cases, a_difference_that_does_not_add_up_is_none, 0, 3);
    tcase_add_test(cases, vanished_without_earlier_is_gone_all_the_same);
    tcase_add_test(cases, changes_of_nobody_are_asked_for);
    tcase_add_test(cases, a_flood_is_no_difference);
    tcase_add_test(cases, a_select_that_did_not_resume);
    tcase_add_loop_test(cases, highestmodseq_that_is_not_right, 0, 2);
    tcase_add_test(cases, another_uidvalidity_voids_what_was_told);
    tcase_add_test(cases, a_lane_sees_another_uidvalidity_first);
    tcase_add_test(cases, an_emptied_mailbox);
    tcase_add_test(cases, news_do_not_raise_the_mod_sequence);
    tcase_add_test(cases, what_changed_is_asked_for);
    tcase_add_loop_test(cases, what_is_gone_is_searched_for, 0, 2);
    tcase_add_test(cases, without_esearch_too);
    tcase_add_test(cases, all_that_were_known_are_gone);
    tcase_add_loop_test(cases, a_search_that_is_no_help, 0, 3);
    tcase_add_loop_test(cases, a_refusal_is_answered_by_comparing, 0, 2);
    tcase_add_test(cases, a_mailbox_without_mod_sequences);
    tcase_add_test(cases, no_condstore_no_mod_sequences);
    tcase_add_test(cases, new_mail_does_not_hide_what_is_gone);
    tcase_add_test(cases, vanished_meanwhile);
    tcase_add_test(cases, vanished_while_all_are_compared);
    tcase_add_test(cases, vanished_while_new_ones_are_fetched);
    tcase_add_loop_test(cases, a_number_that_is_lost_is_asked_for_anew, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
