/* SPDX-License-Identifier: MIT */
/* The pool and what changes mailboxes: nothing is sent to another mailbox than the one that was meant. */
#include "pool_help.h"
#include "unit_main.h"

static struct ask *ask_change(struct world *world, const char *mailbox, uint32_t uidvalidity, unsigned flags)
{
    static const struct imap_command_events events = {.response = on_response, .done = on_done};
    struct imap_command *command = imap_command_new("UID EXPUNGE");
    struct ask *ask = new_ask(world);

    imap_command_raw(command, "7");
    imap_command_on(command, &events, ask);
    imap_pool_change(world->pool, mailbox, uidvalidity, flags, command);
    return ask;
}

START_TEST(a_change_wants_the_uidvalidity_that_it_was_meant_for)
{
    struct world *world = world_new();

    world_pool(world, 1, 10000);
    world->pool->read_write = true;
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_change(world, "A", world->selected_uidvalidity + 1, 0), IMAP_GONE);
    ck_assert_uint_eq(seen(world, 0, "UID EXPUNGE"), 0);
    await_ask(ask_change(world, "A", world->selected_uidvalidity, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "UID EXPUNGE 7"), 1);
    world_free(world);
}
END_TEST

START_TEST(a_change_is_not_sent_to_a_mailbox_that_is_read_only)
{
    struct world *world = world_new();

    world_pool(world, 1, 10000); /* EXAMINE makes it so */
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_change(world, "A", world->selected_uidvalidity, 0), IMAP_NO);
    ck_assert_uint_eq(seen(world, 0, "UID EXPUNGE"), 0);
    await_ask(ask_change(world, "A", world->selected_uidvalidity, IMAP_POOL_READS), IMAP_OK);
    await_ask(ask_change(world, "A", world->selected_uidvalidity + 1, IMAP_POOL_READS), IMAP_GONE);
    world_free(world);
}
END_TEST

START_TEST(one_that_is_gone_is_selected_again)
{
    struct world *world = world_new();

    world_pool(world, 1, 10000);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 1);
    imap_pool_mailbox_gone(world->pool, "A");
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 2);
    await_ask(ask_noop(world, "A", 0, 100), IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "EXAMINE A"), 2);
    world_free(world);
}
END_TEST

UNIT_MAIN("pool_change", a_change_wants_the_uidvalidity_that_it_was_meant_for,
          a_change_is_not_sent_to_a_mailbox_that_is_read_only, one_that_is_gone_is_selected_again)
