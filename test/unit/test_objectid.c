/* SPDX-License-Identifier: MIT */
/* What a server calls a message wherever its copies are: asked for when it is new, known and kept. */
#include "mailbox_internal.h"
#include "model_world.h"

#define ALL "UID FLAGS INTERNALDATE RFC822.SIZE"

static struct imap_error err;
static struct asked asked;

static void setup(void)
{
    world_init();
    world.poll_ms = 3600000;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.list_count = 1;
    err = (struct imap_error){0};
}

static void teardown(void)
{
    ck_assert_msg(!world.lines, "%s", world.line);
    world_fini();
}

static struct mailbox *box(void)
{
    return below(world.account->root, "INBOX");
}

/* Mounted, and INBOX asked for. */
static void begin(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
    ck_assert(!ask_fresh(box(), &asked));
}

static void answers_named(struct imap_command *command, uint32_t uid, const char *emailid)
{
    const struct imap_response response = {.type = IMAP_RESP_FETCH,
                                           .number = uid,
                                           .fetch = {.seq = uid,
                                                     .uid = uid,
                                                     .has = IMAP_FETCH_UID | EVERYTHING | IMAP_FETCH_EMAILID,
                                                     .emailid = emailid}};
    command->events.response(command->arg, &response);
}

static uint64_t objectid(uint32_t uid)
{
    struct message found;
    ck_assert_msg(mailbox_find_locked(box(), uid, &found), "no message %u", uid);
    return found.objectid;
}

static void remount(void)
{
    account_close(&world.account);
    begin();
    store_settle(world.account->stored.store);
    ended(&asked, IMAP_OK);
}

START_TEST(copies_have_one_id)
{
    static const char *const names[] = {
        "M6d99ac3275bb4e", "M6d99ac3275bb4f", "M6d99ac3275bb4e", "18446744073709551616", "0123", "123", "-5",
    };
    enum { COUNT = sizeof names / sizeof *names };
    uint64_t ids[COUNT];
    cap("OBJECTID");
    cap("X-GM-EXT-1");
    begin();
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (" ALL " EMAILID)");
    selects("INBOX", COUNT, 42, COUNT + 1, 0);
    for (uint32_t i = 0; i < COUNT; i++)
        answers_named(fetch, i + 1, names[i]);
    ends(fetch);
    ended(&asked, IMAP_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        ids[i] = objectid(i + 1);
        ck_assert_uint_ne(ids[i], 0);
        for (uint32_t k = 0; k < i; k++)
            ck_assert_msg((ids[i] == ids[k]) == (strcmp(names[i], names[k]) == 0), "%s %s", names[i],
                          names[k]);
    }
    remount();
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(objectid(i + 1), ids[i]);
    ends(asks("INBOX", "NOOP"));
    ends(asks("INBOX", "NOOP"));
    ends(asks("INBOX", "NOOP"));
    world.lines = 0; /* nothing was selected */
}
END_TEST

START_TEST(gmail_s_are_numbers)
{
    cap("X-GM-EXT-1");
    begin();
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (" ALL " X-GM-MSGID)");
    selects("INBOX", 3, 42, 4, 0);
    answers_named(fetch, 1, "1278455344230334865");
    answers_named(fetch, 2, "18446744073709551615");
    answers_named(fetch, 3, "1");
    ends(fetch);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(objectid(1), UINT64_C(1278455344230334865));
    ck_assert_uint_eq(objectid(2), UINT64_MAX);
    ck_assert_uint_eq(objectid(3), 1);
}
END_TEST

/* What has none, or is not told of, is none; nobody asks for it without the extension. */
START_TEST(none_is_none)
{
    cap("OBJECTID");
    begin();
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (" ALL " EMAILID)");
    selects("INBOX", 3, 42, 4, 0);
    answers_named(fetch, 1, NULL);
    answers_named(fetch, 2, "");
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    ck_assert(!objectid(1) && !objectid(2) && !objectid(3));
    ck_assert_ptr_null(box()->columns.objectid);
}
END_TEST

START_TEST(only_new_messages_are_asked)
{
    cap("OBJECTID");
    begin();
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (" ALL " EMAILID)");
    selects("INBOX", 2, 42, 3, 0);
    answers_named(fetch, 1, "one");
    answers_named(fetch, 2, "two");
    ends(fetch);
    ended(&asked, IMAP_OK);
    const uint64_t one = objectid(1);
    leaves("INBOX");
    world.account->poll_ms = 0;
    ck_assert(!ask_fresh(box(), &asked));
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 42, 4, 0);
    struct imap_command *new = asks("INBOX", "UID FETCH 3:* (" ALL " EMAILID)");
    struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    answers_named(new, 3, "one");
    ends(new);
    for (uint32_t uid = 1; uid <= 3; uid++)
        answers(flags, uid, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    ends(flags);
    ends(noop);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(objectid(1), one);
    ck_assert_uint_eq(objectid(3), one);
    ck_assert_uint_ne(objectid(2), one);
}
END_TEST

/* A server that names the extension and does not know it: the listing must not suffer. */
START_TEST(a_refusal_costs_the_ids_only)
{
    cap("OBJECTID");
    begin();
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (" ALL " EMAILID)");
    selects("INBOX", 1, 42, 2, 0);
    world_done(fetch, IMAP_NO, true);
    fetch = asks("INBOX", "UID FETCH 1:* (" ALL ")");
    answers(fetch, 1, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(objectid(1), 0);
}
END_TEST

START_TEST(disabled_nobody_asks)
{
    cap("OBJECTID");
    cap("X-GM-EXT-1");
    imap_caps_hide(&world.caps, "OBJECTID");
    begin();
    ends_with(asks("INBOX", "UID FETCH 1:* (" ALL " X-GM-MSGID)"), IMAP_NO);
    imap_caps_hide(&world.caps, "OBJECTID,X-GM-EXT-1");
    ck_assert(!ask_fresh(box(), &asked));
    ends_with(asks("INBOX", "UID FETCH 1:* (" ALL ")"), IMAP_NO);
    world.lines = 0;
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        copies_have_one_id,           gmail_s_are_numbers,  none_is_none, only_new_messages_are_asked,
        a_refusal_costs_the_ids_only, disabled_nobody_asks, NULL,
    };
    Suite *suite = suite_create("objectid");
    TCase *tcase = tcase_create("objectid");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (const TTest *const *test = tests; *test; test++)
        tcase_add_test(tcase, *test);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
