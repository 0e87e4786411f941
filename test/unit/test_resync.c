/* SPDX-License-Identifier: MIT */
/* sync and watch, step by step, against a server that is not always right. */
#include "model_world.h"

#define WHOLE "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"
#define FLAGS "UID FETCH 1:* (UID FLAGS)"
#define WHOLE_MODSEQ "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"

static struct mailbox *inbox, *other;
static struct asked asked;

static void set_up(void)
{
    world_init();
    cap("IDLE");
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "other", .delimiter = '/'};
    world.list_count = 2;
    struct imap_error err = {0};
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    other = below(account_root(world.account), "other");
    asked = (struct asked){0};
    told("");
}

/* Three messages 1, 2, 3; UIDVALIDITY 7. */
static void first_listing(void)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 3, 7, 4, 100);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(fetch, uid, EVERYTHING, 0);
    ck_assert_uint_eq(asked.told, 0);
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

static const char *flags_of(uint32_t uid)
{
    struct message message;
    ck_assert(mailbox_find_locked(inbox, uid, &message));
    return mailbox_flags_text_locked(inbox, message.flagset);
}

START_TEST(first_listing_takes_one_fetch)
{
    const struct timespec before = mailbox_mtime_locked(inbox);
    first_listing();
    has("1:100 2:200 3:300 ");
    ck_assert_uint_eq(mailbox_uidvalidity_locked(inbox), 7);
    const struct timespec after =
        mailbox_mtime_locked(inbox); /* being listed is no change: tar would complain */
    ck_assert_int_eq(after.tv_sec, before.tv_sec);
    ck_assert_int_eq(after.tv_nsec, before.tv_nsec);
    asks_nothing();
    ck_assert(ask_fresh(inbox, &asked));
    asks_nothing();
}
END_TEST

START_TEST(all_who_wait_are_told_once)
{
    struct asked second;
    ck_assert(!ask_fresh(inbox, &asked));
    ck_assert(!ask_fresh(inbox, &second));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    asks_nothing();
    selects("INBOX", 0, 7, 1, 1);
    ends(fetch);
    ended(&asked, IMAP_OK);
    ended(&second, IMAP_OK);
    has("");
}
END_TEST

/* Where there are mod-sequences. */
static void first_listing_condstore(void)
{
    cap("CONDSTORE");
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE_MODSEQ);
    selects("INBOX", 3, 7, 4, 100);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers_modseq(fetch, uid, EVERYTHING, 0, 50 + uid);
    ends(fetch);
    ended(&asked, IMAP_OK);
    told("L ");
}

START_TEST(a_lost_line_is_watched_again)
{
    first_listing_condstore();
    leaves("INBOX"); /* and nobody made it leave */
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 7, 4, 100);
    ends(noop);
    asks_nothing();
    ck_assert(ask_fresh(inbox, &asked));
}
END_TEST

static void go_elsewhere(void)
{
    struct asked elsewhere;
    ck_assert(!ask_fresh(other, &elsewhere));
    const bool condstore = imap_caps_has(&world.caps, IMAP_CAP_CONDSTORE);
    struct imap_command *command = asks("other", mailbox_known_locked(other) ? "NOOP"
                                                 : condstore                 ? WHOLE_MODSEQ
                                                                             : WHOLE);
    leaves("INBOX");
    selects("other", 0, 1, 1, 1);
    ends(command);
    ended(&elsewhere, IMAP_OK);
    world.told[0] = '\0';
}

/* Back in the mailbox, as SELECT tells it now; what is asked next is the test's. */
static struct imap_command *come_back(uint32_t number, uint32_t uidnext, uint64_t modseq)
{
    go_elsewhere();
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    leaves("other");
    selects("INBOX", number, 7, uidnext, modseq);
    return noop;
}

START_TEST(coming_back_to_the_same_is_proven_by_select)
{
    first_listing_condstore();
    struct imap_command *noop = come_back(3, 4, 100);
    ended(&asked, IMAP_OK); /* not even NOOP's answer is waited for */
    asks_nothing();
    ends(noop);
    ended(&asked, IMAP_OK);
    told("");
    ck_assert(ask_fresh(inbox, &asked));
}
END_TEST

START_TEST(what_changed_is_compared)
{
    first_listing();
    struct imap_command *noop = come_back(3, 5, 101); /* 2 gone, 4 new */
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    struct imap_command *flags = asks("INBOX", FLAGS);
    ends(noop);
    answers(new, 4, EVERYTHING, IMAP_FLAG_SEEN);
    ends(new);
    answers(flags, 1, IMAP_FETCH_FLAGS, IMAP_FLAG_FLAGGED);
    answers(flags, 3, IMAP_FETCH_FLAGS, 0);
    answers(flags, 4, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    told("");
    ends(flags);
    ended(&asked, IMAP_OK);
    has("1:100 3:300 4:400 ");
    told("-2 ~1 +4 L ");
    ck_assert_str_eq(flags_of(1), "\\Flagged");
}
END_TEST

START_TEST(without_uidnext_new_ones_are_asked_for_all_the_same)
{
    first_listing();
    struct imap_command *noop = come_back(3, 0, 0);
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    struct imap_command *flags = asks("INBOX", FLAGS);
    ends(noop);
    answers(new, 3, EVERYTHING, 0); /* n:* brings the last one, whatever its UID */
    ends(new);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    told("");
    has("1:100 2:200 3:300 ");
}
END_TEST

START_TEST(flags_alone_are_asked_when_nothing_is_new)
{
    first_listing();
    struct imap_command *noop = come_back(3, 4, 101);
    struct imap_command *flags = asks("INBOX", FLAGS);
    asks_nothing();
    ends(noop);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, uid == 2 ? IMAP_FLAG_SEEN : 0);
    ends(flags);
    ended(&asked, IMAP_OK);
    told("~2 ");
}
END_TEST

/* A message that neither part of the comparison has told in full. */
START_TEST(one_that_was_missed_is_asked_for)
{
    first_listing();
    struct imap_command *noop = come_back(4, 4, 101); /* UIDNEXT does not fit EXISTS */
    struct imap_command *flags = asks("INBOX", FLAGS);
    ends(noop);
    for (uint32_t uid = 1; uid <= 4; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    struct imap_command *missing = asks("INBOX", "UID FETCH 4 (UID FLAGS INTERNALDATE RFC822.SIZE)");
    ck_assert_uint_eq(asked.told, 0);
    has("1:100 2:200 3:300 ");
    answers(missing, 4, EVERYTHING, 0);
    ends(missing);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 4:400 ");
}
END_TEST

START_TEST(a_size_that_is_never_told_is_0)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 2, 7, 3, 0);
    answers(fetch, 1, EVERYTHING, 0);
    answers(fetch, 2, IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE, 0);
    ends(fetch);
    struct imap_command *missing = asks("INBOX", "UID FETCH 2 (UID FLAGS INTERNALDATE RFC822.SIZE)");
    ends(missing);
    ended(&asked, IMAP_OK);
    has("1:100 2:0 ");
    struct message message;
    ck_assert(mailbox_find_locked(inbox, 2, &message));
    ck_assert(!message.size_verified);
    /* until somebody learns it */
    account_lock(world.account);
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox), 2, 222);
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox) ^ 1, 1, 5); /* another time's */
    account_unlock(world.account);
    has("1:100 2:222 ");
    told("L ~2 ");
}
END_TEST

START_TEST(a_listing_that_is_not_whole_is_an_error)
{
    first_listing();
    struct imap_command *noop = come_back(3, 4, 101);
    ends(noop);
    for (int attempt = 0; attempt < 3; attempt++) {
        struct imap_command *flags = asks("INBOX", FLAGS);
        answers(flags, 1, IMAP_FETCH_FLAGS, 0);
        answers(flags, 2, IMAP_FETCH_FLAGS, 0);
        answers(flags, 2, IMAP_FETCH_FLAGS, 0); /* a second answer for one is not a third message */
        ends(flags);
    }
    asks_nothing();
    ended(&asked, IMAP_PROTO);
    has("1:100 2:200 3:300 ");
    told("");
    ck_assert(!ask_fresh(inbox, &asked)); /* and not fresh */
    world_done(asks("INBOX", FLAGS), IMAP_NO, false);
    ended(&asked, IMAP_NO);
}
END_TEST

START_TEST(a_flood_is_no_listing)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 1, 7, 4, 100);
    for (uint32_t uid = 1; uid <= 200000; uid++)
        answers(fetch, uid, EVERYTHING, 0);
    ck_assert_uint_lt(inbox->sync->row_capacity, 200000);
    ends(fetch);
    ends(asks("INBOX", WHOLE));
    ends(asks("INBOX", WHOLE));
    ended(&asked, IMAP_PROTO);
    has("");
}
END_TEST

START_TEST(mail_that_arrives_meanwhile)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 2, 7, 3, 100);
    answers(fetch, 1, EVERYTHING, 0);
    exists(3);
    answers(fetch, 2, EVERYTHING, 0);
    ends(fetch);
    struct imap_command *new = asks("INBOX", "UID FETCH 3:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(new, 3, EVERYTHING, 0);
    ends(new);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 ");
    told("L +3 L ");
}
END_TEST

START_TEST(mail_that_is_expunged_meanwhile)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 3, 7, 4, 100);
    answers(fetch, 1, EVERYTHING, 0);
    answers(fetch, 2, EVERYTHING, 0);
    expunges(1, 1);
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("2:200 3:300 ");
    told("L ");
}
END_TEST

START_TEST(an_expunge_of_nobody_knows_whom_starts_over)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 3, 7, 4, 100);
    answers(fetch, 1, EVERYTHING, 0);
    expunges(3, 0);
    answers(fetch, 2, EVERYTHING, 0);
    ends(fetch);
    fetch = asks("INBOX", WHOLE);
    answers(fetch, 1, EVERYTHING, 0);
    answers(fetch, 2, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 ");
}
END_TEST

START_TEST(news_while_watching)
{
    first_listing();
    flags_change(2, 2, IMAP_FLAG_SEEN);
    told("~2 ");
    flags_change(2, 2, IMAP_FLAG_SEEN);
    told("");
    flags_change(3, 0, IMAP_FLAG_DRAFT); /* no UID: by its number */
    told("~3 ");
    expunges(2, 0);
    told("-2 L ");
    expunges(2, 3);
    told("-3 L ");
    has("1:100 ");
    asks_nothing();
    exists(2);
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    ck_assert(!ask_fresh(inbox, &asked));
    exists(3);
    asks_nothing();
    answers(new, 5, EVERYTHING, 0);
    flags_change(1, 1, IMAP_FLAG_FLAGGED);
    ends(new);
    new = asks("INBOX", "UID FETCH 6:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(new, 6, EVERYTHING, 0);
    ends(new);
    ended(&asked, IMAP_OK);
    has("1:100 5:500 6:600 ");
    told("~1 +5 L +6 L ");
    ck_assert_str_eq(flags_of(1), "\\Flagged");
    ck_assert(ask_fresh(inbox, &asked));
}
END_TEST

START_TEST(an_expunge_while_new_ones_are_fetched)
{
    first_listing();
    exists(5);
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    expunges(1, 1);
    told("-1 L ");
    answers(new, 4, EVERYTHING, 0);
    answers(new, 5, EVERYTHING, 0);
    expunges(3, 4); /* 2 3 4 5: a new one */
    ends(new);
    has("2:200 3:300 5:500 ");
    told("+5 L ");
    asks_nothing();
}
END_TEST

START_TEST(new_mail_that_never_comes)
{
    first_listing();
    exists(4);
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(new, 3, EVERYTHING, 0);
    ends(new); /* three, and four were announced */
    for (int attempt = 0; attempt < 2; attempt++) {
        ends(asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)"));
        struct imap_command *flags = asks("INBOX", FLAGS);
        for (uint32_t uid = 1; uid <= 3; uid++)
            answers(flags, uid, IMAP_FETCH_FLAGS, 0);
        ends(flags);
    }
    asks_nothing();
    has("1:100 2:200 3:300 ");
}
END_TEST

START_TEST(vanished_while_watching)
{
    first_listing();
    struct imap_range ranges[] = {{1, 2}};
    const struct imap_seqset set = {.ranges = ranges, .count = 1};
    says(&(struct imap_response){.type = IMAP_RESP_VANISHED, .vanished = {.uids = &set}}, 0);
    told("-1 -2 L ");
    has("3:300 ");
    asks_nothing();
    ranges[0] = (struct imap_range){1, 4000000000u};
    says(&(struct imap_response){.type = IMAP_RESP_VANISHED, .vanished = {.uids = &set}}, 0);
    has("");
    asks_nothing(); /* nothing is left to ask for */
}
END_TEST

START_TEST(another_uidvalidity)
{
    first_listing();
    const uint32_t before = mailbox_message_id_locked(inbox);
    go_elsewhere();
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    leaves("other");
    selects("INBOX", 1, 8, 4, 100);
    told("-1 -2 -3 L ");
    ck_assert_ptr_null(account_by_id_locked(world.account, before));
    ck_assert_uint_ne(mailbox_message_id_locked(inbox), before);
    ck_assert(!mailbox_known_locked(inbox));
    ends(noop);
    struct imap_command *fetch = asks("INBOX", WHOLE);
    answers(fetch, 1, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("1:100 ");
    ck_assert_ptr_eq(account_by_id_locked(world.account, mailbox_message_id_locked(inbox)), inbox);
}
END_TEST

/* A mailbox deleted under a session that goes on idling. */
START_TEST(an_error_without_a_command)
{
    struct imap_response response = {.type = IMAP_RESP_NO, .text = {.code = IMAP_CODE_ALERT}};
    first_listing();
    says(&response, 0);
    ck_assert(ask_fresh(inbox, &asked)); /* a warning for people */
    response.text.code = IMAP_CODE_NONE;
    says(&response, 0);
    struct imap_command *noop = asks("INBOX", "NOOP"); /* before which the pool selects it anew */
    ck_assert(!ask_fresh(inbox, &asked));
    selects("INBOX", 1, 8, 4, 100);
    told("-1 -2 -3 L ");
    ends(noop);
    struct imap_command *fetch = asks("INBOX", WHOLE);
    answers(fetch, 1, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("1:100 ");
    says(&response, 0); /* again, so soon: it is looked at when the poll time is over */
    asks_nothing();
    world.account->poll_ms = 0;
    ck_assert(!ask_fresh(inbox, &asked));
    for (int attempt = 0; attempt < 3; attempt++)
        ends(asks("INBOX", "NOOP")); /* and it is not selected */
    ended(&asked, IMAP_AGAIN);
}
END_TEST

START_TEST(another_uidvalidity_seen_by_a_lane)
{
    first_listing();
    selects_on(1, "INBOX", 1, 8, 2, 100);
    told("-1 -2 -3 L ");
    has("");
    ck_assert_uint_eq(mailbox_uidvalidity_locked(inbox), 8);
    ck_assert(!ask_fresh(inbox, &asked));
    /* Connection 0 still has the old one open: its answers are nobody's. */
    for (int attempt = 0; attempt < 3; attempt++) {
        struct imap_command *fetch = asks("INBOX", WHOLE);
        for (uint32_t uid = 1; uid <= 3; uid++)
            answers(fetch, uid, EVERYTHING, 0);
        ends(fetch);
    }
    ended(&asked, IMAP_AGAIN);
    has("");
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    leaves("INBOX");
    selects("INBOX", 1, 8, 2, 100);
    answers(fetch, 1, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("1:100 ");
}
END_TEST

START_TEST(no_uidvalidity_counts_as_1)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 0, 0, 0, 0);
    ends_with(fetch, IMAP_NO); /* nothing matches, some say */
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_uidvalidity_locked(inbox), 1);
    ck_assert_uint_ne(mailbox_message_id_locked(inbox), 0);
}
END_TEST

START_TEST(a_lost_line_is_tried_again_but_not_for_ever)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 2, 7, 3, 100);
    answers(fetch, 1, EVERYTHING, 0);
    leaves("INBOX");
    ends_with(fetch, IMAP_AGAIN);
    fetch = asks("INBOX", WHOLE);
    selects("INBOX", 2, 7, 3, 100);
    answers(fetch, 1, EVERYTHING, 0);
    answers(fetch, 2, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 ");
    /* now for good */
    leaves("INBOX");
    ends_with(asks("INBOX", "NOOP"), IMAP_AGAIN);
    ck_assert(!ask_fresh(inbox, &asked));
    ends_with(asks("INBOX", "NOOP"), IMAP_AGAIN);
    ck_assert_uint_eq(asked.told, 0);
    ends_with(asks("INBOX", "NOOP"), IMAP_AGAIN);
    ended(&asked, IMAP_AGAIN);
    asks_nothing();
    /* until the server is back */
    const struct imap_error why = {.status = IMAP_AGAIN};
    world.events.reachable(world.account, &why);
    asks_nothing();
    world.events.reachable(world.account, NULL);
    ends_with(asks("INBOX", "NOOP"), IMAP_CANCEL);
    asks_nothing();
}
END_TEST

/* Rows of two selections never make one listing. */
START_TEST(selected_again_in_the_midst)
{
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    selects("INBOX", 2, 7, 3, 100);
    answers(fetch, 1, EVERYTHING, 0);
    leaves("INBOX");
    selects("INBOX", 2, 7, 4, 100);
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ck_assert_uint_eq(asked.told, 0);
    fetch = asks("INBOX", WHOLE);
    answers(fetch, 2, EVERYTHING, 0);
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    has("2:200 3:300 ");
}
END_TEST

START_TEST(a_mailbox_that_is_gone)
{
    const unsigned before = world.listed;
    world.list_count = 1; /* INBOX alone */
    ck_assert(!ask_fresh(other, &asked));
    ends_with(asks("other", WHOLE), IMAP_GONE);
    ended(&asked, IMAP_GONE);
    ck_assert_uint_eq(world.listed, before + 1);
    told("C:other L ");
    ck_assert(mailbox_gone_locked(other));
    ck_assert(!ask_fresh(other, &asked));
    ended(&asked, IMAP_GONE);
    asks_nothing();
}
END_TEST

START_TEST(one_mailbox_after_the_other)
{
    struct asked second;
    ck_assert(!ask_fresh(inbox, &asked));
    ck_assert(!ask_fresh(other, &second));
    struct imap_command *fetch = asks("INBOX", WHOLE);
    asks_nothing();
    ends_with(fetch, IMAP_NO);
    ended(&asked, IMAP_NO);
    ck_assert_uint_eq(second.told, 0);
    fetch = asks("other", WHOLE);
    selects("other", 0, 1, 1, 1);
    ends(fetch);
    ended(&second, IMAP_OK);
}
END_TEST

/* Many who wait for a server that is not there don't wait in turns, nor on each other's stack. */
START_TEST(a_server_that_is_not_there_ends_all)
{
    struct asked second;
    ck_assert(!ask_fresh(inbox, &asked));
    ck_assert(!ask_fresh(other, &second));
    const struct imap_error why = {.status = IMAP_AGAIN};
    world.events.reachable(world.account, &why);
    ends_with(asks("INBOX", WHOLE), IMAP_AGAIN);
    ended(&asked, IMAP_AGAIN);
    ended(&second, IMAP_AGAIN);
    asks_nothing();
}
END_TEST

START_TEST(without_idle_it_is_asked)
{
    first_listing();
    imap_caps_clear(&world.caps);
    ck_assert(!ask_fresh(inbox, &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    exists(4);
    asks_nothing();
    ends(noop);
    struct imap_command *new = asks("INBOX", "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(new, 4, EVERYTHING, 0);
    ends(new);
    ended(&asked, IMAP_OK);
    has("1:100 2:200 3:300 4:400 ");
}
END_TEST

START_TEST(closing_cancels)
{
    struct asked second, third;
    ck_assert(!ask_fresh(inbox, &asked));
    ck_assert(!ask_fresh(other, &second));
    ck_assert(!ask_fresh(other, &third));
    ck_assert(wait_cancel(world.account, &third.wait));
    account_close(&world.account);
    ended(&asked, IMAP_CANCEL);
    ended(&second, IMAP_CANCEL);
    ck_assert_uint_eq(third.told, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {first_listing_takes_one_fetch,
                                  all_who_wait_are_told_once,
                                  a_lost_line_is_watched_again,
                                  coming_back_to_the_same_is_proven_by_select,
                                  what_changed_is_compared,
                                  without_uidnext_new_ones_are_asked_for_all_the_same,
                                  flags_alone_are_asked_when_nothing_is_new,
                                  one_that_was_missed_is_asked_for,
                                  a_size_that_is_never_told_is_0,
                                  a_listing_that_is_not_whole_is_an_error,
                                  a_flood_is_no_listing,
                                  mail_that_arrives_meanwhile,
                                  mail_that_is_expunged_meanwhile,
                                  an_expunge_of_nobody_knows_whom_starts_over,
                                  news_while_watching,
                                  an_expunge_while_new_ones_are_fetched,
                                  new_mail_that_never_comes,
                                  vanished_while_watching,
                                  another_uidvalidity,
                                  an_error_without_a_command,
                                  another_uidvalidity_seen_by_a_lane,
                                  no_uidvalidity_counts_as_1,
                                  a_lost_line_is_tried_again_but_not_for_ever,
                                  selected_again_in_the_midst,
                                  a_mailbox_that_is_gone,
                                  one_mailbox_after_the_other,
                                  a_server_that_is_not_there_ends_all,
                                  without_idle_it_is_asked,
                                  closing_cancels,
                                  NULL};
    Suite *suite = suite_create("resync");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, world_fini);
    for (const TTest *const *test = tests; *test; test++)
        tcase_add_test(cases, *test);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
