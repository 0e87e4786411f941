/* SPDX-License-Identifier: MIT */
/* The pool when connections see a mailbox at different times, and before the first lane is open. */
#include "pool_help.h"

static struct world *connected(unsigned connections)
{
    struct world *world = world_new();
    world_pool(world, connections, 10000);
    world_connect(world);
    return world;
}

START_TEST(a_lane_looks_before_it_answers_for_new_mail)
{
    struct world *world = connected(2);

    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "NOOP"), 0);
    imap_pool_mailbox_changed(world->pool, "A");
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "2 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "NOOP"), 1);
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "2 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "NOOP"), 1);
    world_free(world);
}
END_TEST

START_TEST(what_was_selected_after_the_news_need_not_look)
{
    struct world *world = connected(2);

    imap_pool_mailbox_changed(world->pool, "A");
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    imap_pool_mailbox_changed(world->pool, "B");
    await_ask(ask_with(world, "A", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    await_ask(ask_with(world, "B", 0, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "NOOP"), 0);
    world_free(world);
}
END_TEST

START_TEST(the_watcher_helps_out_where_it_is)
{
    struct world *world = connected(3);

    await_ask(ask_noop(world, "A", IMAP_POOL_WATCHER, 0), IMAP_OK);
    await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "1 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(fake_connections(world->server), 1);
    /* It does not leave its mailbox for that, ... */
    await_ask(ask_with(world, "B", IMAP_POOL_URGENT, 100, "UID FETCH", "2 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE B"), 0);
    ck_assert_uint_eq(fake_connections(world->server), 2);
    /* ... and once there is a lane, work is the lane's. */
    await_ask(ask_with(world, "A", IMAP_POOL_URGENT, 100, "UID FETCH", "3 (FLAGS)"), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "UID FETCH 3"), 0);
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_view");
    TCase *tcase = tcase_create("pool_view");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_lane_looks_before_it_answers_for_new_mail);
    tcase_add_test(tcase, what_was_selected_after_the_news_need_not_look);
    tcase_add_test(tcase, the_watcher_helps_out_where_it_is);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
