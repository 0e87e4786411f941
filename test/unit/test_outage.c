/* SPDX-License-Identifier: MIT */
/* The model while the server cannot be reached: what it shows, what it refuses, and what it asks afterwards. */
#include <errno.h>

#include "mailbox_internal.h"
#include "model_world.h"
#include "outage.h"
#include "store.h"

#define ALL "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"

static struct imap_error err;

static void setup(void)
{
    world_init();
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "Never", .delimiter = '/'};
    world.list_count = 2;
    cap("IDLE");
    err = (struct imap_error){0};
}

static void teardown(void)
{
    ck_assert_msg(!world.lines, "%s", world.line);
    world_fini();
}

static void logged(const char *expected)
{
    ck_assert_uint_eq(world.lines, 1);
    ck_assert_msg(strstr(world.line, expected), "%s", world.line);
    world.lines = 0;
}

static void refuse_connections(void)
{
    imap_error_sys(&world.connect, ECONNREFUSED, "made up");
}

static struct mailbox *box(const char *name)
{
    return below(account_root(world.account), name);
}

static void open_world(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
}

static void list_inbox(void)
{
    struct asked asked;
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    struct imap_command *fetch = asks("INBOX", ALL);
    selects("INBOX", 2, 42, 10, 0);
    answers(fetch, 3, EVERYTHING, 0);
    answers(fetch, 9, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
}

static void first_mount(void)
{
    open_world();
    list_inbox();
    account_close(&world.account);
    world.told[0] = '\0';
}

static bool tree_is_fresh(void)
{
    struct asked asked = {.wait = {.done = asked_done}};
    account_lock(world.account);
    const bool fresh = account_tree_fresh_locked(world.account, &asked.wait);
    account_unlock(world.account);
    return fresh;
}

/* INBOX as it was; of the other one nothing was ever known. */
static void expect_what_is_stored(void)
{
    struct asked asked;
    ck_assert(tree_is_fresh());
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    store_settle(world.account->stored.store);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 2);
    ck_assert(ask_fresh(box("INBOX"), &asked)); /* at once now, at any age */
    ck_assert(!ask_fresh(box("Never"), &asked));
    ended(&asked, IMAP_AGAIN);
    ck_assert_int_eq(asked.err.sys_errno, 0); /* EHOSTUNREACH, whatever it was */
    asks_nothing();
}

START_TEST(a_mount_without_the_server)
{
    first_mount();
    const unsigned listed = world.listed;
    refuse_connections();
    open_world();
    logged("made up");
    expect_what_is_stored();
    ck_assert_uint_gt(world.hurried, 0);
    ck_assert_uint_eq(world.listed, listed);

    world.events.reachable(world.account, NULL);
    logged("reachable again");
    ck_assert_uint_eq(world.listed, listed + 1);
    /* what was looked at last */
    struct imap_command *fetch = asks("Never", ALL);
    ends_with(fetch, IMAP_NO);
    logged("cannot list");
    struct asked asked;
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    ends_with(noop, IMAP_NO);
    ended(&asked, IMAP_NO);
    logged("cannot list");
}
END_TEST

START_TEST(failures_that_waiting_does_not_mend)
{
    static const struct imap_error failures[] = {{.status = IMAP_AUTH},
                                                 {.status = IMAP_PROTO},
                                                 {.status = IMAP_LIMIT},
                                                 {.status = IMAP_SYS, .sys_errno = EMFILE},
                                                 {.status = IMAP_SYS}};
    first_mount();
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        world.connect = failures[i];
        ck_assert_int_eq(world_open(NULL, &err), failures[i].status);
    }
}
END_TEST

START_TEST(nothing_to_show)
{
    refuse_connections();
    ck_assert_int_eq(world_open(NULL, &err), IMAP_SYS);
    world.connect = (struct imap_error){0};
    first_mount();
    refuse_connections();
    ck_assert_int_eq(world_open("Elsewhere", &err), IMAP_SYS);
}
END_TEST

START_TEST(a_root_that_is_stored)
{
    first_mount();
    refuse_connections();
    ck_assert_int_eq(world_open("INBOX", &err), IMAP_OK);
    logged("made up");
    ck_assert_str_eq(mailbox_wire_name(account_root(world.account)), "INBOX");
}
END_TEST

START_TEST(offline_by_request)
{
    world.offline = true;
    ck_assert_int_eq(world_open(NULL, &err), IMAP_GONE);
    ck_assert_msg(strstr(err.text, world.dir), "%s", err.text);
    world.offline = false;
    first_mount();
    const unsigned listed = world.listed;
    world.offline = true;
    open_world();
    expect_what_is_stored();
    account_revalidate(world.account);
    ck_assert(tree_is_fresh());
    asks_nothing();
    ck_assert_uint_eq(world.listed, listed);
}
END_TEST

static void go_out(void)
{
    const struct imap_error why = {.status = IMAP_SYS, .sys_errno = ECONNREFUSED, .text = "no network"};
    world.events.reachable(world.account, &why);
    logged("no network");
}

/* Who waited when the line was lost is served with what is known as well, and is refused the rest. */
START_TEST(an_outage_that_is_waited_in)
{
    struct asked inbox, never;
    world.caps = (struct imap_caps){0}; /* so INBOX is not watched */
    open_world();
    list_inbox();
    ck_assert(!ask_fresh(box("Never"), &never));
    struct imap_command *fetch = asks("Never", ALL);
    ck_assert(!ask_fresh(box("INBOX"), &inbox));
    go_out();
    ends_with(fetch, IMAP_AGAIN);
    ended(&never, IMAP_AGAIN);
    ended(&inbox, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 2);
    asks_nothing();
}
END_TEST

/* The outage is known while the messages come from the disk. */
START_TEST(an_outage_while_loading)
{
    struct asked asked = {.wait = {.done = asked_done}};
    const struct imap_error why = {.status = IMAP_AGAIN, .text = "no network"};
    first_mount();
    open_world();
    account_lock(world.account); /* so what is loaded cannot come in between */
    ck_assert(!mailbox_fresh_locked(box("INBOX"), &asked.wait));
    outage_begin_locked(world.account, &why);
    account_unlock(world.account);
    store_settle(world.account->stored.store);
    ended(&asked, IMAP_OK);
    asks_nothing();
}
END_TEST

START_TEST(everything_is_doubted)
{
    struct asked asked;
    world.poll_ms = 3600000;
    open_world();
    list_inbox();
    ck_assert(ask_fresh(box("INBOX"), &asked));
    ck_assert(tree_is_fresh());
    const unsigned listed = world.listed;
    account_revalidate(world.account);
    ck_assert_uint_eq(world.revalidated, 1);
    ck_assert_uint_eq(world.listed, listed + 1);
    struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    answers(flags, 9, IMAP_FETCH_FLAGS, 0);
    expunges(1, 3);
    ends(flags);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 1);
    asks_nothing();
}
END_TEST

/* One that is not watched is asked for when it is wanted, though the poll time is not over. */
START_TEST(what_is_not_watched_is_asked_for_later)
{
    struct asked asked;
    world.poll_ms = 3600000;
    open_world();
    list_inbox();
    leaves("INBOX");
    struct imap_command *noop = asks("INBOX", "NOOP"); /* the line was lost: watched again */
    selects("Never", 0, 7, 1, 0);
    ends_with(noop, IMAP_NO);
    world.lines = 0;
    account_revalidate(world.account);
    asks_nothing();
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    ended(&asked, IMAP_NO);
    logged("cannot list");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outage");
    TCase *tcase = tcase_create("outage");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_mount_without_the_server);
    tcase_add_test(tcase, failures_that_waiting_does_not_mend);
    tcase_add_test(tcase, nothing_to_show);
    tcase_add_test(tcase, a_root_that_is_stored);
    tcase_add_test(tcase, offline_by_request);
    tcase_add_test(tcase, an_outage_that_is_waited_in);
    tcase_add_test(tcase, an_outage_while_loading);
    tcase_add_test(tcase, everything_is_doubted);
    tcase_add_test(tcase, what_is_not_watched_is_asked_for_later);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
