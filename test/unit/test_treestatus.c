/* SPDX-License-Identifier: MIT */
/* LIST with STATUS: when it is asked, and what its answers prove. */
#include "model_world.h"

#define WHOLE "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"
#define ASKED "STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))"
#define POLL_MS 3600000

static const char *const names[] = {"A", "B", "C", "D"};
static struct mailbox *mailboxes[4];
static struct asked asked;

/* UIDVALIDITY 7; as many messages as the letter counts, so that UIDNEXT follows; HIGHESTMODSEQ 100. */
static void list_mailbox(unsigned i)
{
    ck_assert(!ask_fresh(mailboxes[i], &asked));
    struct imap_command *fetch = asks(names[i], WHOLE);
    if (world.account->watch.selected)
        leaves("");
    selects(names[i], i + 1, 7, i + 2, 100);
    for (uint32_t uid = 1; uid <= i + 1; uid++)
        answers_modseq(fetch, uid, EVERYTHING, 0, 50);
    ends(fetch);
    ended(&asked, IMAP_OK);
}

static void set_up(void)
{
    struct imap_error err = {0};
    world_init();
    world.poll_ms = POLL_MS;
    cap("IDLE");
    cap("LIST-EXTENDED");
    cap("LIST-STATUS");
    cap("QRESYNC");
    for (unsigned i = 0; i < 4; i++) {
        world.lists[i] = (struct imap_list){.name = names[i], .delimiter = '/'};
        world.statuses[i] =
            (struct imap_mailbox_status){.name = names[i],
                                         .has = IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT |
                                                IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_HIGHESTMODSEQ,
                                         .messages = i + 1,
                                         .uidnext = i + 2,
                                         .uidvalidity = 7,
                                         .highestmodseq = 100};
    }
    world.list_count = world.status_count = 4;
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    for (unsigned i = 0; i < 4; i++)
        mailboxes[i] = below(account_root(world.account), names[i]);
    ck_assert_ptr_null(strstr(world.last_list, "STATUS")); /* nothing is known that could be proven */
}

static void age(void)
{
    world.account->tree.listed_ms -= 2 * POLL_MS;
    for (unsigned i = 0; i < 4; i++)
        mailboxes[i]->proven_ms -= 2 * POLL_MS;
}

static enum imap_status list_again(void)
{
    struct asked tree = {.wait = {.done = asked_done}};
    account_lock(world.account);
    ck_assert(!account_tree_fresh_locked(world.account, &tree.wait));
    account_unlock(world.account);
    ck_assert_uint_eq(tree.told, 1);
    return tree.err.status;
}

static bool is_fresh(unsigned i)
{
    if (ask_fresh(mailboxes[i], &asked))
        return true;
    struct imap_command *noop = asks(names[i], "NOOP");
    leaves("");
    selects(names[i], i + 1, 7, i + 2, 100);
    ends(noop);
    ended(&asked, IMAP_OK);
    return false;
}

START_TEST(one_listing_proves_all)
{
    for (unsigned i = 0; i < 4; i++)
        list_mailbox(i);
    age();
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert_msg(strstr(world.last_list, ASKED), "%s", world.last_list);
    for (unsigned i = 0; i < 4; i++)
        ck_assert(is_fresh(i));
    asks_nothing();
}
END_TEST

START_TEST(one_that_changed_is_looked_at)
{
    struct imap_mailbox_status *status = &world.statuses[1];
    for (unsigned i = 0; i < 4; i++)
        list_mailbox(i);
    switch (_i) {
    case 0:
        status->messages++;
        break;
    case 1:
        status->uidnext++;
        break;
    case 2:
        status->uidvalidity++;
        break;
    case 3:
        status->highestmodseq++;
        break;
    case 4:
        status->has &= ~IMAP_STATUS_HIGHESTMODSEQ;
        break;
    case 5:
        status->highestmodseq = 0; /* NOMODSEQ */
        break;
    default:
        status->name = "elsewhere";
        break;
    }
    age();
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert(is_fresh(0));
    ck_assert(!is_fresh(1));
    ck_assert(is_fresh(2));
}
END_TEST

/* The server says that it is no longer so, although the poll time is not over. */
START_TEST(what_is_known_to_have_changed_is_not_fresh)
{
    for (unsigned i = 0; i < 4; i++)
        list_mailbox(i);
    world.account->tree.listed_ms -= 2 * POLL_MS;
    mailboxes[0]->proven_ms -= 2 * POLL_MS;
    mailboxes[1]->proven_ms -= POLL_MS / 2;
    world.statuses[1].highestmodseq++;
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert(!is_fresh(1));
    ck_assert(is_fresh(2));
}
END_TEST

START_TEST(asked_when_it_is_worth_it)
{
    list_mailbox(0);
    list_mailbox(1);
    ck_assert(world.account->watch.selected == mailboxes[1]);
    age();
    ck_assert_int_eq(list_again(), IMAP_OK); /* one of four */
    ck_assert_ptr_nonnull(strstr(world.last_list, ASKED));
    world.account->tree.listed_ms -= 2 * POLL_MS;
    ck_assert_int_eq(list_again(), IMAP_OK); /* it is fresh, and the other one is watched */
    ck_assert_ptr_null(strstr(world.last_list, "STATUS"));
    for (unsigned i = 4; i < 9; i++) {
        static const char *const more[] = {"E", "F", "G", "H", "I"};
        world.lists[i] = (struct imap_list){.name = more[i - 4], .delimiter = '/'};
    }
    world.list_count = 9;
    world.account->tree.listed_ms -= 2 * POLL_MS;
    ck_assert_int_eq(list_again(), IMAP_OK);
    age();
    ck_assert_int_eq(list_again(), IMAP_OK); /* one of nine */
    ck_assert_ptr_null(strstr(world.last_list, "STATUS"));
}
END_TEST

START_TEST(without_the_capability)
{
    static const char *const missing[] = {"LIST-STATUS", "CONDSTORE", "LIST-EXTENDED"};
    for (unsigned i = 0; i < 4; i++)
        list_mailbox(i);
    imap_caps_hide(&world.caps, missing[_i]);
    age();
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert_ptr_null(strstr(world.last_list, "STATUS"));
    ck_assert(!ask_fresh(mailboxes[0], &asked));
}
END_TEST

START_TEST(refused_it_is_left_out)
{
    for (unsigned i = 0; i < 4; i++)
        list_mailbox(i);
    world.refuses_status = true;
    age();
    const unsigned before = world.listed;
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert_uint_eq(world.listed, before + 2);
    ck_assert_ptr_null(strstr(world.last_list, "STATUS"));
    ck_assert_ptr_nonnull(strstr(world.last_list, "RETURN"));
    age();
    ck_assert_int_eq(list_again(), IMAP_OK);
    ck_assert_uint_eq(world.listed, before + 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("treestatus");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, set_up, world_fini);
    tcase_add_test(cases, one_listing_proves_all);
    tcase_add_loop_test(cases, one_that_changed_is_looked_at, 0, 7);
    tcase_add_test(cases, what_is_known_to_have_changed_is_not_fresh);
    tcase_add_test(cases, asked_when_it_is_worth_it);
    tcase_add_loop_test(cases, without_the_capability, 0, 3);
    tcase_add_test(cases, refused_it_is_left_out);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
