/* SPDX-License-Identifier: MIT */
/* What the bodies tell the store of themselves: written with the rest, never in the way. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "mailbox_internal.h"
#include "model_world.h"

static struct imap_error err;
static const struct kept_row body = {
    .key = {1, UINT64_MAX}, .file = 2, .offset = 3, .size = 4, .digest = 5, .used = 6};

static void setup(void)
{
    world_init();
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.list_count = 1;
    err = (struct imap_error){0};
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
}

static void teardown(void)
{
    ck_assert_msg(!world.lines, "%s", world.line);
    world_fini();
}

static void keep(const struct kept_row *row)
{
    account_lock(world.account);
    stored_keep_locked(world.account, row);
    account_unlock(world.account);
}

static void unkeep(const struct kept_key *key)
{
    account_lock(world.account);
    stored_unkeep_locked(world.account, key);
    account_unlock(world.account);
}

static bool is_on(void)
{
    account_lock(world.account);
    const bool on = stored_on_locked(world.account);
    account_unlock(world.account);
    return on;
}

/* What the file says when nobody has it any more. */
static int64_t ask(const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    account_close(&world.account);
    snprintf(path, sizeof path, "%s/@_993.db", world.dir);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

START_TEST(what_is_kept_is_written)
{
    struct kept_row other = body;
    other.key.low = 9;
    ck_assert(is_on());
    keep(&body);
    keep(&other);
    unkeep(&other.key);
    ck_assert_int_eq(ask("SELECT count(*) = 1 AND max(high = 1 AND low = -1 AND file = 2 AND start = 3"
                         " AND size = 4 AND digest = 5 AND used = 6) FROM kept"),
                     1);
}
END_TEST

/* Nothing is said: a body that is not remembered is fetched again. An old line would be wrong, though. */
START_TEST(a_slow_disk_remembers_nothing)
{
    struct kept_row moved = body, other = body;
    moved.offset = 77;
    other.key.high = 8;
    keep(&body);
    store_settle(world.account->stored.store);
    store_limit_queue(world.account->stored.store, 0);
    keep(&moved);
    keep(&other);
    ck_assert_int_eq(ask("SELECT count(*) FROM kept"), 0);
}
END_TEST

START_TEST(unkeeping_is_never_dropped)
{
    keep(&body);
    store_settle(world.account->stored.store);
    store_limit_queue(world.account->stored.store, 0);
    unkeep(&body.key);
    ck_assert_int_eq(ask("SELECT count(*) FROM kept"), 0);
}
END_TEST

START_TEST(without_a_store_nothing_is_kept)
{
    struct account *first = world.account;
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
    ck_assert_uint_eq(world.lines, 1); /* another one has it */
    world.lines = 0;
    ck_assert(!is_on());
    keep(&body);
    unkeep(&body.key);
    ck_assert_uint_eq(world.account->stored.changes.len, 0);
    account_close(&world.account);
    world.account = first;
    ck_assert(is_on());
}
END_TEST

START_TEST(a_failed_store_is_off)
{
    const struct rlimit limit = {100000, 100000};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t n = 0; n < 20000; n++) {
        struct kept_row row = body;
        row.key.high = n * UINT64_C(0x9e3779b97f4a7c15);
        keep(&row);
    }
    store_settle(world.account->stored.store);
    ck_assert_uint_eq(world.lines, 1);
    ck_assert_msg(strstr(world.line, "not kept any more"), "%s", world.line);
    world.lines = 0;
    ck_assert(!is_on());
    keep(&body);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_kept_is_written,         a_slow_disk_remembers_nothing, unkeeping_is_never_dropped,
        without_a_store_nothing_is_kept, a_failed_store_is_off,         NULL,
    };
    Suite *suite = suite_create("stored_kept");
    TCase *tcase = tcase_create("stored_kept");
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
