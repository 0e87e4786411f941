/* SPDX-License-Identifier: MIT */
/* NOTIFY and the model: what it makes of STATUS and LIST that nobody asked for, and what it need not ask then. */
#include "model_world.h"
#include "store.h"

#define WHOLE "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"
#define LEFT(name) "STATUS " name " (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
#define POLL_MS 3600000
#define ALL_ITEMS                                                                                            \
    (IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_HIGHESTMODSEQ)

static const char *const names[] = {"A", "B", "C"};
static struct mailbox *boxes[3];
static struct asked asked;

static void open_world(void)
{
    struct imap_error err = {0};
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    for (unsigned i = 0; i < 3; i++)
        boxes[i] = below(account_root(world.account), names[i]);
}

static void set_up(void)
{
    world_init();
    world.poll_ms = POLL_MS;
    world.tells_names = true;
    cap("IDLE");
    cap("QRESYNC");
    cap("NOTIFY");
    cap("LIST-EXTENDED");
    for (unsigned i = 0; i < 3; i++)
        world.lists[i] = (struct imap_list){.name = names[i], .delimiter = '/'};
    world.list_count = 3;
    open_world();
}

/* ---- what the server says ---- */

static struct imap_pool_notify wanted(void)
{
    struct imap_pool_notify wanted = {0};
    ck_assert(world.events.notify(world.account, &wanted));
    return wanted;
}

static void announces(enum imap_pool_notified scope)
{
    world.events.notified(world.account, scope);
}

static struct imap_response status_of(const char *name, unsigned has, uint32_t messages, uint64_t modseq)
{
    return (struct imap_response){.type = IMAP_RESP_STATUS,
                                  .status = {.name = name,
                                             .name_len = strlen(name),
                                             .has = has,
                                             .messages = messages,
                                             .uidnext = messages + 1,
                                             .uidvalidity = 7,
                                             .highestmodseq = modseq}};
}

static void tells(const char *name, unsigned has, uint32_t messages, uint64_t modseq, bool initial)
{
    const struct imap_response response = status_of(name, has, messages, modseq);
    world.events.elsewhere(world.account, &response, initial);
}

static void tells_list(const char *name, unsigned attributes, const char *old_name)
{
    const struct imap_response response = {.type = IMAP_RESP_LIST,
                                           .list = {.name = name,
                                                    .name_len = strlen(name),
                                                    .delimiter = '/',
                                                    .attributes = attributes,
                                                    .old_name = old_name}};
    world.events.elsewhere(world.account, &response, false);
}

/* Connection 0, asked about the one it has left, says this. */
static void answers_left(unsigned i, uint32_t messages, uint64_t modseq)
{
    char expected[80];
    snprintf(expected, sizeof expected, LEFT("%s"), names[i]);
    struct imap_command *command = asks("", expected);
    const struct imap_response response = status_of(names[i], ALL_ITEMS, messages, modseq);
    command->events.response(command->arg, &response);
    ends(command);
}

/* Two messages; UIDVALIDITY 7, HIGHESTMODSEQ 100. */
static void list_mailbox(unsigned i)
{
    ck_assert(!ask_fresh(boxes[i], &asked));
    struct imap_command *fetch = asks(names[i], WHOLE);
    if (world.account->watch.selected)
        leaves("");
    selects(names[i], 2, 7, 3, 100);
    answers_modseq(fetch, 1, EVERYTHING, 0, 50);
    answers_modseq(fetch, 2, EVERYTHING, 0, 50);
    ends(fetch);
    ended(&asked, IMAP_OK);
}

/* Known: A and B; B is selected, and A proven unchanged since it was left. */
static void two_known(void)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    list_mailbox(0);
    list_mailbox(1);
    answers_left(0, 2, 100);
    asks_nothing();
    world.told[0] = '\0';
}

static void age(void)
{
    world.account->tree.listed_ms -= 2 * POLL_MS;
    for (unsigned i = 0; i < 3; i++)
        boxes[i]->proven_ms -= 2 * POLL_MS;
}

/* Connection 0 goes there although nobody asked. It was known as of HIGHESTMODSEQ `since`, and nothing turns out to
 * have changed but that. */
static void goes(unsigned i, unsigned since, uint64_t modseq)
{
    char text[32];
    struct imap_command *noop = asks(names[i], "NOOP");
    leaves("");
    snprintf(text, sizeof text, "7 %u 1:2", since);
    resumes(names[i], text);
    selects(names[i], 2, 7, 3, modseq);
    ends(noop);
}

/* It does so, and then back to where somebody has looked last. */
static void goes_and_returns(unsigned i, unsigned home, uint64_t modseq)
{
    goes(i, 100, modseq);
    answers_left(home, 2, 100);
    goes(home, 100, 100);
    answers_left(i, 2, modseq);
    asks_nothing();
}

static bool tree_is_fresh(void)
{
    struct asked tree = {.wait = {.done = asked_done}};
    account_lock(world.account);
    const bool fresh = account_tree_fresh_locked(world.account, &tree.wait);
    account_unlock(world.account);
    ck_assert_uint_eq(tree.told, !fresh);
    return fresh;
}

/* ---- mailboxes ---- */

START_TEST(what_was_left_is_asked_about_and_then_needs_no_asking)
{
    two_known();
    age();
    ck_assert(ask_fresh(boxes[0], &asked));
    ck_assert(ask_fresh(boxes[1], &asked));
    asks_nothing();
    announces(IMAP_POOL_NOTIFIED_OFF);
    ck_assert(!ask_fresh(boxes[0], &asked));
    ends_with(asks("A", "NOOP"), IMAP_GONE);
    told("");
}
END_TEST

START_TEST(unless_something_happened_meanwhile)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    list_mailbox(0);
    list_mailbox(1);
    answers_left(0, 2, 101);
    goes_and_returns(0, 1, 101);
    age();
    ck_assert(ask_fresh(boxes[0], &asked));
}
END_TEST

START_TEST(not_left_without_notify)
{
    list_mailbox(0);
    list_mailbox(1);
    asks_nothing();
}
END_TEST

/* Dovecot tells flags so: nothing but HIGHESTMODSEQ. */
START_TEST(one_that_is_told_of_is_synchronised)
{
    two_known();
    tells("A", IMAP_STATUS_HIGHESTMODSEQ | IMAP_STATUS_UNSEEN, 0, 101, false);
    goes_and_returns(0, 1, 101);
    /* what is told late is known already */
    tells("A", IMAP_STATUS_HIGHESTMODSEQ, 0, 101, false);
    asks_nothing();
    tells("A", ALL_ITEMS & ~IMAP_STATUS_UIDVALIDITY, 3, 102, false);
    ends_with(asks("A", "NOOP"), IMAP_GONE);
}
END_TEST

START_TEST(neither_the_selected_one_nor_an_unknown_one)
{
    two_known();
    tells("B", IMAP_STATUS_HIGHESTMODSEQ, 0, 200, false);
    tells("C", ALL_ITEMS, 9, 200, false);
    asks_nothing();
    ck_assert(!ask_fresh(boxes[2], &asked));
    ends_with(asks("C", WHOLE), IMAP_GONE);
}
END_TEST

/* What is told while it is being synchronised makes it be looked at once more. */
START_TEST(told_during_the_synchronisation)
{
    two_known();
    tells("A", IMAP_STATUS_HIGHESTMODSEQ, 0, 101, false);
    struct imap_command *noop = asks("A", "NOOP");
    tells("A", IMAP_STATUS_HIGHESTMODSEQ, 0, 102, false);
    leaves("");
    resumes("A", "7 100 1:2");
    selects("A", 2, 7, 3, 101);
    ends(noop);
    answers_left(1, 2, 100);
    ends(asks("A", "NOOP"));
    goes(1, 100, 100);
    answers_left(0, 2, 101);
    asks_nothing();
}
END_TEST

START_TEST(who_waits_comes_first)
{
    two_known();
    ck_assert(ask_fresh(boxes[0], &asked)); /* so that this is what somebody looks at */
    tells("A", IMAP_STATUS_HIGHESTMODSEQ, 0, 101, false);
    struct imap_command *noop = asks("A", "NOOP");
    leaves("");
    answers_left(1, 2, 101);
    ck_assert_ptr_nonnull(boxes[1]->sync);
    ck_assert(!ask_fresh(boxes[2], &asked));
    asks_nothing();
    resumes("A", "7 100 1:2");
    selects("A", 2, 7, 3, 101);
    ends(noop);
    ends_with(asks("C", WHOLE), IMAP_NO);
    ended(&asked, IMAP_NO);
    ends_with(asks("B", "NOOP"), IMAP_GONE);
}
END_TEST

/* A server whose STATUS and SELECT never agree must not send connection 0 to and fro for ever. */
START_TEST(no_ping_pong)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    list_mailbox(0);
    list_mailbox(1);
    answers_left(0, 2, 99);
    goes(0, 100, 100);
    answers_left(1, 2, 99);
    goes(1, 100, 100);
    answers_left(0, 2, 99);  /* as it was before A was synchronised: nothing has happened since */
    ends(asks("B", "NOOP")); /* what was told of B came while connection 0 was on its way there */
    asks_nothing();
    age();
    ck_assert(ask_fresh(boxes[0], &asked));
}
END_TEST

/* NOMODSEQ: of other flags there it would say nothing. */
START_TEST(without_modseq_nothing_is_calm)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    ck_assert(!ask_fresh(boxes[0], &asked));
    struct imap_command *fetch = asks("A", WHOLE);
    selects("A", 0, 7, 1, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    list_mailbox(1);
    asks_nothing();
    tells("A", IMAP_STATUS_MESSAGES, 0, 0, true);
    asks_nothing();
    age();
    ck_assert(!ask_fresh(boxes[0], &asked));
    ends_with(asks("A", "NOOP"), IMAP_GONE);
}
END_TEST

START_TEST(said_again_without_status_all_is_in_doubt)
{
    two_known();
    world.account->announce.with_status = _i;
    announces(IMAP_POOL_NOTIFIED_ALL);
    age();
    ck_assert(ask_fresh(boxes[0], &asked) == _i);
    if (!_i)
        ends_with(asks("A", "NOOP"), IMAP_GONE);
}
END_TEST

/* ---- after a remount ---- */

START_TEST(initial_status_proves_what_is_stored)
{
    static const struct {
        unsigned has;
        uint32_t messages;
        uint64_t modseq;
    } says[] = {{ALL_ITEMS, 2, 100},
                {ALL_ITEMS, 2, 101},
                {ALL_ITEMS, 3, 100},
                {ALL_ITEMS & ~IMAP_STATUS_HIGHESTMODSEQ, 2, 0}};
    list_mailbox(0);
    account_close(&world.account);
    open_world();
    ck_assert_uint_eq(boxes[0]->stored.state, STORED_UNLOADED);
    ck_assert(wanted().status);
    tells("A", says[_i].has, says[_i].messages, says[_i].modseq, true);
    announces(IMAP_POOL_NOTIFIED_ALL);
    asks_nothing();
    boxes[0]->stored.proven_ms -= 2 * POLL_MS;
    ck_assert(!ask_fresh(boxes[0], &asked));
    store_settle(world.account->stored.store);
    if (_i == 0) {
        ended(&asked, IMAP_OK); /* and only then it is selected, to be watched */
    } else {
        ck_assert_uint_eq(asked.told, 0);
    }
    ends_with(asks("A", "NOOP"), IMAP_GONE);
}
END_TEST

/* Although it was proven only just now. */
START_TEST(what_is_stored_and_no_longer_so_is_not_fresh)
{
    list_mailbox(0);
    account_close(&world.account);
    open_world();
    tells("A", ALL_ITEMS, 2, 101, true);
    announces(IMAP_POOL_NOTIFIED_ALL);
    ck_assert(!ask_fresh(boxes[0], &asked));
    store_settle(world.account->stored.store);
    ck_assert_uint_eq(asked.told, 0);
    ends_with(asks("A", "NOOP"), IMAP_GONE);
}
END_TEST

/* ---- what is asked ---- */

START_TEST(status_of_all_only_where_it_is_worth_it)
{
    ck_assert(!wanted().status); /* nothing is known that it could prove */
    list_mailbox(0);
    ck_assert(wanted().status);
    static char more[ANNOUNCE_MAX_STATUS][8];
    for (unsigned i = 3; i < 9; i++) {
        snprintf(more[i], sizeof more[i], "N%u", i);
        world.lists[i] = (struct imap_list){.name = more[i], .delimiter = '/'};
    }
    world.list_count = 8;
    age();
    ck_assert(!tree_is_fresh());
    ck_assert(wanted().status); /* one of eight */
    world.list_count = 9;
    age();
    ck_assert(!tree_is_fresh());
    ck_assert(!wanted().status);
}
END_TEST

START_TEST(not_with_so_many_mailboxes)
{
    static char name[ANNOUNCE_MAX_STATUS + 1][8];
    struct tree_items items = {0};
    struct imap_error err = {0};
    list_mailbox(0);
    list_mailbox(1);
    for (unsigned i = 0; i < ANNOUNCE_MAX_STATUS + (unsigned)_i; i++) {
        snprintf(name[i], sizeof name[i], i < 2 ? "%c" : "N%u", i < 2 ? 'A' + i : i);
        tree_items_add(&items,
                       &(struct imap_list){.name = name[i], .name_len = strlen(name[i]), .delimiter = '/'},
                       false);
    }
    account_lock(world.account);
    ck_assert_int_eq(tree_apply_locked(world.account, &items, &err), IMAP_OK);
    for (struct mailbox *mailbox = world.account->tree.all; mailbox; mailbox = mailbox->all_next) {
        mailbox->known = true; /* what matters is how many there are */
        mailbox->modseq = 1;
    }
    account_unlock(world.account);
    tree_items_fini(&items);
    ck_assert(wanted().status == !_i);
}
END_TEST

START_TEST(poll_0_wants_all_asked)
{
    struct imap_pool_notify wanted = {0};
    account_close(&world.account);
    world.poll_ms = 0;
    open_world();
    ck_assert(!world.events.notify(world.account, &wanted));
}
END_TEST

/* ---- the tree ---- */

START_TEST(a_tree_that_is_told_of_needs_no_asking)
{
    const unsigned before = world.listed;
    announces(IMAP_POOL_NOTIFIED_ALL);
    ck_assert_uint_eq(world.listed, before + 1); /* the one of the beginning was before NOTIFY */
    age();
    ck_assert(tree_is_fresh());
    announces(IMAP_POOL_NOTIFIED_ALL); /* said again */
    ck_assert_uint_eq(world.listed, before + 1);
    ck_assert(!tree_is_fresh());
    ck_assert_uint_eq(world.listed, before + 2);
    age();
    ck_assert(tree_is_fresh());
    announces(IMAP_POOL_NOTIFIED_OFF);
    ck_assert(!tree_is_fresh());
}
END_TEST

START_TEST(names_that_come_and_go)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    unsigned before = world.listed;
    world.lists[3] = (struct imap_list){.name = "D", .delimiter = '/'};
    world.list_count = 4;
    tells_list("D", 0, NULL);
    ck_assert_uint_eq(world.listed, ++before);
    told("N:D L ");
    tells_list("D", 0, NULL);
    tells_list("gone before", IMAP_MBOX_NONEXISTENT | IMAP_MBOX_NOSELECT, NULL);
    ck_assert_uint_eq(world.listed, before);
    world.lists[3].name = "E";
    tells_list("E", 0, "D");
    ck_assert_uint_eq(world.listed, ++before);
    told("N:E C:D L ");
    world.lists[3].attributes = IMAP_MBOX_SUBSCRIBED;
    tells_list("E", IMAP_MBOX_SUBSCRIBED, NULL);
    ck_assert_uint_eq(world.listed, ++before);
    ck_assert(mailbox_subscribed_locked(below(account_root(world.account), "E")));
    world.list_count = 3;
    tells_list("E", IMAP_MBOX_NONEXISTENT | IMAP_MBOX_NOSELECT, NULL);
    ck_assert_uint_eq(world.listed, ++before);
    told("C:E L ");
    tells("F", ALL_ITEMS, 1, 1, false); /* of which LIST knows nothing */
    ck_assert_uint_eq(world.listed, ++before);
    age();
    ck_assert(tree_is_fresh());
    ck_assert_uint_eq(world.listed, before);
}
END_TEST

/* LIST's own answers take in what NOTIFY tells meanwhile: the mailbox is in them, and gone again. */
START_TEST(gone_while_being_listed)
{
    announces(IMAP_POOL_NOTIFIED_ALL);
    const unsigned before = world.listed;
    world.lists[3] = (struct imap_list){
        .name = "C", .delimiter = '/', .attributes = IMAP_MBOX_NONEXISTENT | IMAP_MBOX_NOSELECT};
    world.list_count = 4;
    tells_list("D", 0, NULL);
    ck_assert_uint_ge(world.listed, before + 2);
    ck_assert_uint_le(world.listed, before + 3);
    (void)below(account_root(world.account), "C");
}
END_TEST

START_TEST(namespaces_of_others)
{
    static const struct imap_namespace_entry shared = {.prefix = "Pub/", .delimiter = '/'};
    account_close(&world.account);
    cap("NAMESPACE");
    world.namespaces.shared = &shared;
    world.lists[3] = (struct imap_list){.name = "Pub/x", .delimiter = '/'};
    world.lists[4] = (struct imap_list){.name = "Public", .delimiter = '/'};
    world.list_count = 5;
    open_world();
    struct mailbox *x = below(below(account_root(world.account), "Pub"), "x");
    struct mailbox *public = below(account_root(world.account), "Public");
    announces(IMAP_POOL_NOTIFIED_ALL); /* of a NOTIFY that did not name it yet */
    ck_assert(!x->cover.by && public->cover.by);
    const struct imap_pool_notify now = wanted();
    ck_assert_uint_eq(now.subtree_count, 1);
    ck_assert_str_eq(now.subtrees[0], "Pub");
    announces(IMAP_POOL_NOTIFIED_PERSONAL);
    ck_assert(!x->cover.by && public->cover.by);
    announces(IMAP_POOL_NOTIFIED_ALL);
    ck_assert(!x->cover.by && public->cover.by); /* so it says */
    tells("Pub/x", ALL_ITEMS, 1, 1, true);
    announces(IMAP_POOL_NOTIFIED_ALL);
    ck_assert(x->cover.by && public->cover.by);
    announces(IMAP_POOL_NOTIFIED_PERSONAL);
    ck_assert(!x->cover.by && public->cover.by);
    age();
    ck_assert(!tree_is_fresh()); /* it may not have told of what others share */
}
END_TEST

START_TEST(namespaces_learnt_under_notify)
{
    static const struct imap_namespace_entry shared = {.prefix = "Pub/", .delimiter = '/'};
    account_close(&world.account);
    world.notified = true;
    open_world();
    ck_assert_uint_eq(world.notify_again, 0);
    account_close(&world.account);
    cap("NAMESPACE");
    world.namespaces.shared = &shared;
    open_world();
    ck_assert_uint_eq(world.notify_again, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("announce");
    TCase *tcase = tcase_create("announce");
    tcase_add_checked_fixture(tcase, set_up, world_fini);
    tcase_add_test(tcase, what_was_left_is_asked_about_and_then_needs_no_asking);
    tcase_add_test(tcase, unless_something_happened_meanwhile);
    tcase_add_test(tcase, not_left_without_notify);
    tcase_add_test(tcase, one_that_is_told_of_is_synchronised);
    tcase_add_test(tcase, neither_the_selected_one_nor_an_unknown_one);
    tcase_add_test(tcase, told_during_the_synchronisation);
    tcase_add_test(tcase, who_waits_comes_first);
    tcase_add_test(tcase, no_ping_pong);
    tcase_add_test(tcase, without_modseq_nothing_is_calm);
    tcase_add_loop_test(tcase, said_again_without_status_all_is_in_doubt, 0, 2);
    tcase_add_loop_test(tcase, initial_status_proves_what_is_stored, 0, 4);
    tcase_add_test(tcase, what_is_stored_and_no_longer_so_is_not_fresh);
    tcase_add_test(tcase, status_of_all_only_where_it_is_worth_it);
    tcase_add_loop_test(tcase, not_with_so_many_mailboxes, 0, 2);
    tcase_add_test(tcase, poll_0_wants_all_asked);
    tcase_add_test(tcase, a_tree_that_is_told_of_needs_no_asking);
    tcase_add_test(tcase, names_that_come_and_go);
    tcase_add_test(tcase, gone_while_being_listed);
    tcase_add_test(tcase, namespaces_of_others);
    tcase_add_test(tcase, namespaces_learnt_under_notify);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
