/* SPDX-License-Identifier: MIT */
/* What the model tells the store of changes to be made later, who waits for it, and what the next mount gets. */
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "mailbox_internal.h"
#include "model_world.h"

static struct imap_error err;
static const struct intent removal = {
    .number = 1, .kind = INTENT_DELETE, .uidvalidity = 42, .uid = 5, .from = "INBOX", .to = "", .file = ""};

struct asker {
    struct wait wait;
    unsigned told;
    struct imap_error err;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_done(struct wait *wait, const struct imap_error *why)
{
    struct asker *asker = (struct asker *)((char *)wait - offsetof(struct asker, wait));
    pthread_mutex_lock(&lock);
    asker->told++;
    if (why)
        asker->err = *why;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void await(struct asker *asker)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&lock);
    while (!asker->told)
        ck_assert_int_eq(pthread_cond_timedwait(&changed, &lock, &until), 0);
    pthread_mutex_unlock(&lock);
}

static void open_world(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
}

/* A mount that may not write says what is left. */
static void open_world_again(void)
{
    open_world();
    ck_assert_msg(strstr(world.line, "to be done: mount with rw"), "%s", world.line);
    world.lines = 0;
}

static void setup(void)
{
    world_init();
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.list_count = 1;
    err = (struct imap_error){0};
    open_world();
}

static void teardown(void)
{
    ck_assert_msg(!world.lines, "%s", world.line);
    world_fini();
}

/* Notes an intent of that number and waits for it; the same hold of the lock. */
static bool intend(uint64_t number, struct asker *asker)
{
    struct intent intent = removal;
    *asker = (struct asker){.wait = {.done = on_done}};
    intent.number = number;
    account_lock(world.account);
    stored_intent_locked(world.account, &intent);
    const bool nothing = stored_written_locked(world.account, &asker->wait);
    ck_assert(!asker->told); /* never under the lock */
    account_unlock(world.account);
    return nothing;
}

static size_t take(struct intent **intents_out)
{
    account_lock(world.account);
    const size_t count = stored_intents_locked(world.account, intents_out);
    account_unlock(world.account);
    return count;
}

START_TEST(the_next_mount_gets_them)
{
    struct asker asker;
    struct intent *intents = NULL;
    ck_assert_uint_eq(take(&intents), 0);
    ck_assert_ptr_null(intents);
    for (uint64_t number = 3; number; number--) {
        ck_assert(!intend(number, &asker));
        await(&asker);
        ck_assert(!asker.err.status);
    }
    account_lock(world.account);
    stored_unintent_locked(world.account, 2);
    account_unlock(world.account);
    account_close(&world.account);
    open_world_again();
    ck_assert_uint_eq(take(&intents), 2);
    ck_assert(intents[0].number == 1 && intents[1].number == 3);
    ck_assert(intents[1].kind == INTENT_DELETE && intents[1].uid == 5 && intents[1].uidvalidity == 42);
    ck_assert_str_eq(intents[1].from, "INBOX");
    intents_free(intents, 2);
    ck_assert_uint_eq(take(&intents), 0);
    ck_assert_ptr_null(intents);
    account_close(&world.account);
    open_world_again(); /* and they stay until they are done, taken or not */
    account_close(&world.account);
    open_world_again();
    ck_assert_uint_eq(take(&intents), 2);
    intents_free(intents, 2);
}
END_TEST

START_TEST(all_who_wait_are_told)
{
    struct asker first = {.wait = {.done = on_done}}, second = first, third;
    account_lock(world.account);
    stored_intent_locked(world.account, &removal);
    ck_assert(!stored_written_locked(world.account, &first.wait));
    ck_assert(!stored_written_locked(world.account, &second.wait));
    account_unlock(world.account);
    ck_assert(!intend(2, &third));
    await(&first);
    await(&second);
    await(&third);
    ck_assert(!first.err.status && !second.err.status && !third.err.status);
    ck_assert(first.told == 1 && second.told == 1 && third.told == 1);
}
END_TEST

START_TEST(who_cancels_is_not_told)
{
    struct asker first = {.wait = {.done = on_done}}, second = first, later;
    account_lock(world.account);
    ck_assert(!stored_written_locked(world.account, &first.wait));
    ck_assert(!stored_written_locked(world.account, &second.wait));
    wait_take(&first.wait);
    wait_take(&second.wait); /* nobody is left */
    account_unlock(world.account);
    ck_assert(!intend(1, &later));
    await(&later);
    ck_assert(!first.told && !second.told && !wait_cancel(world.account, &first.wait));
}
END_TEST

/* It is on disk, so that is what who waits is told, though the account goes. */
START_TEST(closing_tells_the_truth)
{
    struct asker asker;
    struct intent *intents = NULL;
    ck_assert(!intend(1, &asker));
    account_close(&world.account);
    ck_assert(asker.told == 1 && !asker.err.status);
    open_world_again();
    ck_assert_uint_eq(take(&intents), 1);
    intents_free(intents, 1);
}
END_TEST

START_TEST(without_a_store_nothing_is_promised)
{
    struct account *first = world.account;
    struct asker asker;
    open_world();
    ck_assert_uint_eq(world.lines, 1); /* another one has it */
    world.lines = 0;
    ck_assert(intend(1, &asker));
    ck_assert(!asker.told && !world.account->stored.changes.len);
    account_close(&world.account);
    world.account = first;
}
END_TEST

START_TEST(a_store_that_fails_is_told)
{
    const struct rlimit limit = {100000, 100000};
    struct asker asker = {.wait = {.done = on_done}};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    account_lock(world.account);
    for (uint64_t number = 1; number < 20000; number++) {
        struct intent intent = removal;
        intent.number = number * UINT64_C(0x9e3779b97f4a7c15) >> 1;
        stored_intent_locked(world.account, &intent);
    }
    ck_assert(!stored_written_locked(world.account, &asker.wait));
    account_unlock(world.account);
    await(&asker);
    ck_assert(asker.told == 1 && asker.err.status == IMAP_SYS);
    ck_assert_uint_eq(world.lines, 1);
    ck_assert_msg(strstr(world.line, "not kept any more"), "%s", world.line);
    world.lines = 0;
    ck_assert(intend(1, &asker));
    ck_assert(!asker.told);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_next_mount_gets_them,
        all_who_wait_are_told,
        who_cancels_is_not_told,
        closing_tells_the_truth,
        without_a_store_nothing_is_promised,
        a_store_that_fails_is_told,
        NULL,
    };
    Suite *suite = suite_create("stored_intents");
    TCase *tcase = tcase_create("stored_intents");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (const TTest *const *test = tests; *test; test++)
        tcase_add_test(tcase, *test);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
