/* SPDX-License-Identifier: MIT */
/* Caches from outside: what is there, whether it is what was written, and that only what is ours is removed. */
#include <sys/stat.h>

#include "cachedir.h"
#include "store_help.h"

#define NAME "me@example.org@imap.example.org_993"

static struct cachedir cachedir;
static struct cachedir_content content;

/* What the callbacks told, one line each. */
static char heard[2048];

static void on_damaged(void *arg, const char *mailbox)
{
    const size_t used = strlen(heard);
    (void)arg;
    snprintf(heard + used, sizeof(heard) - used, "%s\n", mailbox);
}

static void on_removed(void *arg, const char *file, uint64_t bytes, int error)
{
    const size_t used = strlen(heard);
    (void)arg, (void)bytes;
    snprintf(heard + used, sizeof(heard) - used, "%s %s\n", file, error ? strerrorname_np(error) : "removed");
}

static const struct cachedir_account *account(const char *name)
{
    cachedir_fini(&cachedir);
    heard[0] = '\0';
    ck_assert_msg(cachedir_read(dir, &cachedir, &err) == IMAP_OK, "%s", err.text);
    return cachedir_find(&cachedir, name);
}

static void fresh(void)
{
    setup();
    cachedir = (struct cachedir){.fd = -1};
}

static void over(void)
{
    cachedir_fini(&cachedir);
    teardown();
}

static void put_file(const char *name, const char *bytes)
{
    char at[200];
    snprintf(at, sizeof at, "%s/%s", dir, name);
    FILE *file = fopen(at, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(bytes, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void put_dir(const char *name)
{
    char at[200];
    snprintf(at, sizeof at, "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(at, 0700), 0);
}

static bool is_there(const char *name)
{
    char at[200];
    struct stat st;
    snprintf(at, sizeof at, "%s/%s", dir, name);
    return lstat(at, &st) == 0;
}

/* ---- what is there ------------------------------------------------------------------------------------ */

START_TEST(accounts_are_found_by_their_files)
{
    write_sample();
    put_dir("you@host_143.bodies");
    put_file("you@host_143.bodies/1", "body");
    put_file("you@host_143.bodies/notes", "not ours");
    put_file("old@host_993.db.damaged", "x");
    put_file("README", "not ours");
    put_file("a b.db", "no name of an account");
    put_file(".hidden.db", "neither");
    put_dir("dir@host_1.db");
    put_file("file@host_1.bodies", "x");
    const struct cachedir_account *found = account(NAME);
    ck_assert_uint_eq(cachedir.count, 3);
    ck_assert_str_eq(cachedir.accounts[0].name, NAME);
    ck_assert_str_eq(cachedir.accounts[1].name, "old@host_993");
    ck_assert_str_eq(cachedir.accounts[2].name, "you@host_143");
    ck_assert_uint_gt(found->store_bytes, 4096);
    ck_assert_uint_eq(found->bodies_bytes, 0);
    ck_assert_int_gt(found->used, time(NULL) - 1000);
    ck_assert_uint_eq(cachedir.accounts[2].store_bytes, 0);
    ck_assert_uint_gt(cachedir.accounts[2].bodies_bytes, 0);
}
END_TEST

START_TEST(a_symbolic_link_is_no_account)
{
    char link[200];
    write_sample();
    snprintf(link, sizeof link, "%s/other@host_993.db", dir);
    ck_assert_int_eq(symlink(path, link), 0);
    snprintf(link, sizeof link, "%s/more@host_993.bodies", dir);
    ck_assert_int_eq(symlink("/etc", link), 0);
    ck_assert_ptr_nonnull(account(NAME));
    ck_assert_uint_eq(cachedir.count, 1);
}
END_TEST

START_TEST(no_directory)
{
    ck_assert_int_eq(cachedir_read("/nowhere/at/all", &cachedir, &err), IMAP_GONE);
    ck_assert_uint_eq(cachedir.count, 0);
    cachedir_fini(&cachedir);
    write_sample();
    ck_assert_int_eq(cachedir_read(path, &cachedir, &err), IMAP_SYS);
}
END_TEST

START_TEST(the_content_is_counted)
{
    write_sample();
    ck_assert_ptr_nonnull(account(NAME));
    ck_assert_int_eq(cachedir_look(&cachedir, NAME, &content, &err), IMAP_OK);
    ck_assert_uint_eq(content.mailboxes, 2);
    ck_assert_uint_eq(content.messages, ROWS);
    ck_assert_uint_eq(content.damaged, 0);
    expect_sample(); /* it was only looked at */
}
END_TEST

START_TEST(one_in_use_is_left_alone)
{
    write_sample();
    struct store *store = open_here();
    const struct cachedir_account *found = account(NAME);
    ck_assert_int_eq(cachedir_look(&cachedir, NAME, &content, &err), IMAP_AGAIN);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_AGAIN);
    ck_assert_int_eq(cachedir_purge(&cachedir, found->name, on_removed, NULL, &err), IMAP_AGAIN);
    ck_assert_str_eq(heard, "");
    store_close(&store);
    expect_sample();
}
END_TEST

/* ---- verifying ---------------------------------------------------------------------------------------- */

START_TEST(what_was_written_is_well)
{
    write_sample();
    account(NAME);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_OK);
    ck_assert_uint_eq(content.messages, ROWS);
    ck_assert_uint_eq(content.damaged, 0);
    ck_assert_str_eq(heard, "");
    expect_sample();
}
END_TEST

static void expect_damaged(const char *sql, const char *names)
{
    write_sample();
    ck_assert_int_eq(run_sql(sql), SQLITE_OK);
    account(NAME);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_OK);
    ck_assert_str_eq(heard, names);
    ck_assert_uint_eq(content.damaged, 1);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(every_damage_is_found)
{
    expect_damaged("UPDATE messages SET size = size + 1 WHERE uid = 2", "INBOX\n");
    expect_damaged("DELETE FROM messages WHERE uid = 2", "INBOX\n");
    expect_damaged("INSERT INTO messages (mailbox, uid, flagset, size, date, zone, has, modseq)"
                   " VALUES (1, 3, 0, 0, 0, 0, 7, 0)",
                   "INBOX\n");
    expect_damaged("UPDATE flagsets SET flags = CAST('\\Answered' AS BLOB)", "INBOX\n");
    expect_damaged("UPDATE mailboxes SET uidnext = 7 WHERE id = 9", "?\n");
    expect_damaged("UPDATE messages SET zone = 100000 WHERE uid = 1", "INBOX\n");
}
END_TEST

START_TEST(a_mailbox_is_named_as_its_path)
{
    struct changes changes = {0};
    const struct row row = {.uid = 1, .has = ROW_ALL};
    struct stored_mailbox mailbox = {.id = 3, .name = "Arch.Caf&AOk-./x", .name_len = 16, .delimiter = '.'};
    mailbox.known = true;
    struct store *store = open_here();
    put(&changes, &mailbox, &row);
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_close(&store);
    ck_assert_int_eq(run_sql("DELETE FROM messages"), SQLITE_OK);
    account(NAME);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_OK);
    ck_assert_str_eq(heard, "Arch/Caf\xC3\xA9/%2Fx\n");
}
END_TEST

START_TEST(files_that_are_no_stores)
{
    static const struct {
        const char *sql;
        enum imap_status status;
    } cases[] = {{"PRAGMA user_version = 99", IMAP_LIMIT},
                 {"PRAGMA application_id = 7", IMAP_PROTO},
                 {"DROP TABLE messages", IMAP_PROTO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_sample();
        ck_assert_int_eq(run_sql(cases[i].sql), SQLITE_OK);
        account(NAME);
        ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), cases[i].status);
        ck_assert_int_eq(cachedir_look(&cachedir, NAME, &content, &err), cases[i].status);
        ck_assert(!is_there(NAME ".db.damaged")); /* it is for a mount to do that */
        ck_assert_int_eq(unlink(path), 0);
    }
    put_file(NAME ".db", "garbage that is no database at all, and longer than the head of one would be: "
                         "SQLite looks at its first hundred bytes before it says so");
    account(NAME);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_PROTO);
    put_file(NAME ".db", "");
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_GONE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_GONE);
}
END_TEST

/* ---- what the server does not have -------------------------------------------------------------------- */

START_TEST(files_that_are_not_sent_are_counted)
{
    write_sample();
    put_dir(NAME ".drafts");
    put_file(NAME ".drafts/1", "12345");
    put_file(NAME ".drafts/1.place", "x");
    put_file(NAME ".drafts/2", "never closed");
    put_file(NAME ".drafts/3.place", "no bytes");
    put_file(NAME ".drafts/4.place.new", "x");
    put_file(NAME ".drafts/4", "x");
    put_file(NAME ".drafts/notes", "not ours");
    put_dir(NAME ".drafts2");
    put_file(NAME ".drafts2/17", "123");
    put_file(NAME ".drafts2/17.place", "x");
    put_dir("sent@host_143.drafts"); /* all was sent */
    put_file("sent@host_143.drafts/1", "1");
    put_dir("only@host_143.drafts16");
    put_file("only@host_143.drafts16/9", "1");
    put_file("only@host_143.drafts16/9.place", "x");
    put_dir("odd@host_143.drafts2x");
    put_dir("odd@host_143.drafts100");
    put_file("odd@host_143.drafts", "no directory");
    const struct cachedir_account *found = account(NAME);
    ck_assert_uint_eq(cachedir.count, 2);
    ck_assert(found->drafts == 2 && found->drafts_bytes == 8);
    found = cachedir_find(&cachedir, "only@host_143");
    ck_assert(found->drafts == 1 && found->drafts_bytes == 1 && !found->store_bytes);
}
END_TEST

START_TEST(purging_leaves_what_is_not_sent)
{
    write_sample();
    put_dir(NAME ".drafts");
    put_file(NAME ".drafts/1", "12345");
    put_file(NAME ".drafts/1.place", "x");
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert_str_eq(heard, NAME ".db removed\n" NAME ".db.lock removed\n");
    ck_assert(is_there(NAME ".drafts/1") && is_there(NAME ".drafts/1.place"));
    ck_assert_uint_eq(account(NAME)->drafts, 1);
}
END_TEST

static void write_changes(void)
{
    struct changes changes = {0};
    struct intent intent = {.number = 1, .kind = INTENT_DELETE, .from = "INBOX", .to = "", .file = ""};
    struct store *store = open_here();
    changes_intend(&changes, &intent);
    intent.number = 2;
    changes_intend(&changes, &intent);
    store_post(store, &changes);
    store_close(&store);
}

START_TEST(changes_that_are_not_made_keep_their_account)
{
    struct changes changes = {0};
    write_sample();
    put_dir(NAME ".bodies");
    put_file(NAME ".bodies/1", "body");
    write_changes();
    account(NAME);
    ck_assert_int_eq(cachedir_look(&cachedir, NAME, &content, &err), IMAP_OK);
    ck_assert(content.changes == 2 && !content.changes_damaged && content.messages == ROWS);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_OK);
    ck_assert(content.changes == 2 && !content.changes_damaged);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "yet: 2;"));
    ck_assert_str_eq(heard, "");
    ck_assert(is_there(NAME ".bodies/1"));
    expect_sample(); /* nobody has its lock */
    struct store *store = open_here();
    changes_unintend(&changes, 1);
    changes_unintend(&changes, 2);
    store_post(store, &changes);
    store_close(&store);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert(!is_there(NAME ".db"));
}
END_TEST

START_TEST(damaged_changes_are_found)
{
    write_sample();
    write_changes();
    ck_assert_int_eq(run_sql("UPDATE intents SET uid = 7 WHERE number = 2"), SQLITE_OK);
    account(NAME);
    ck_assert_int_eq(cachedir_verify(&cachedir, NAME, on_damaged, NULL, &content, &err), IMAP_OK);
    ck_assert(content.changes == 1 && content.changes_damaged == 1 && !content.damaged);
    ck_assert_int_eq(ask("SELECT count(*) FROM intents"), 2); /* it was only looked at */
}
END_TEST

START_TEST(a_store_that_cannot_be_read_is_removed)
{
    write_sample();
    write_changes();
    ck_assert_int_eq(run_sql("PRAGMA user_version = 2"), SQLITE_OK); /* that knew of no changes */
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    put_file(NAME ".db", "garbage that is no database at all, and longer than the head of one would be: "
                         "SQLite looks at its first hundred bytes before it says so");
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert(!is_there(NAME ".db"));
}
END_TEST

/* ---- purging ------------------------------------------------------------------------------------------ */

START_TEST(all_of_one_account_and_nothing_else)
{
    write_sample();
    put_file(NAME ".db.damaged", "x");
    put_dir(NAME ".bodies");
    put_file(NAME ".bodies/1", "body");
    put_file(NAME ".bodies/23", "body");
    put_file("x" NAME ".db", "another's");
    put_file(NAME ".txt", "not ours");
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert_str_eq(heard, NAME ".bodies removed\n" NAME ".db removed\n" NAME ".db.damaged removed\n" NAME
                                 ".db.lock removed\n");
    ck_assert(!is_there(NAME ".db") && !is_there(NAME ".bodies") && !is_there(NAME ".db.lock"));
    ck_assert(is_there("x" NAME ".db") && is_there(NAME ".txt"));
    ck_assert_ptr_null(account(NAME));
}
END_TEST

START_TEST(what_is_not_ours_stays)
{
    char link[200];
    write_sample();
    put_dir(NAME ".bodies");
    put_file(NAME ".bodies/1", "body");
    put_file(NAME ".bodies/diary.txt", "mine");
    put_dir("elsewhere");
    put_file("elsewhere/1", "precious");
    snprintf(link, sizeof link, "%s/%s.bodies/2", dir, NAME);
    ck_assert_int_eq(symlink("../elsewhere/1", link), 0);
    snprintf(link, sizeof link, "%s/%s.db.damaged", dir, NAME);
    ck_assert_int_eq(symlink("elsewhere/1", link), 0);
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert_str_eq(heard, NAME ".bodies EPERM\n" NAME ".db removed\n" NAME ".db.damaged EPERM\n" NAME
                                 ".db.lock removed\n");
    ck_assert(!is_there(NAME ".bodies/1") && is_there(NAME ".bodies/2"));
    ck_assert(is_there(NAME ".bodies/diary.txt") && is_there("elsewhere/1") && is_there(NAME ".db.damaged"));
}
END_TEST

START_TEST(a_directory_elsewhere_is_not_entered)
{
    char link[200];
    write_sample();
    put_dir("elsewhere");
    put_file("elsewhere/1", "precious");
    snprintf(link, sizeof link, "%s/%s.bodies", dir, NAME);
    ck_assert_int_eq(symlink("elsewhere", link), 0);
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    ck_assert_int_eq(strncmp(heard, NAME ".bodies EPERM\n", strlen(NAME ".bodies EPERM\n")), 0);
    ck_assert(is_there("elsewhere/1") && is_there(NAME ".bodies"));
}
END_TEST

START_TEST(names_lead_nowhere_else)
{
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, "../x", on_removed, NULL, &err), IMAP_SYS);
    ck_assert_int_eq(cachedir_purge(&cachedir, "", on_removed, NULL, &err), IMAP_SYS);
    ck_assert_int_eq(cachedir_purge(&cachedir, ".x", on_removed, NULL, &err), IMAP_SYS);
    ck_assert_str_eq(heard, "");
}
END_TEST

/* A mount that has opened the lock's file just before it is removed must not be alone in believing in it. */
START_TEST(a_store_after_a_purge_is_locked_again)
{
    write_sample();
    account(NAME);
    ck_assert_int_eq(cachedir_purge(&cachedir, NAME, on_removed, NULL, &err), IMAP_OK);
    struct store *store = open_here(), *other = NULL;
    ck_assert(is_there(NAME ".db.lock"));
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &other, &err), IMAP_AGAIN);
    store_close(&store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cachedir");
    TCase *tcase = tcase_create("cachedir");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, fresh, over);
    tcase_add_test(tcase, accounts_are_found_by_their_files);
    tcase_add_test(tcase, a_symbolic_link_is_no_account);
    tcase_add_test(tcase, no_directory);
    tcase_add_test(tcase, the_content_is_counted);
    tcase_add_test(tcase, one_in_use_is_left_alone);
    tcase_add_test(tcase, what_was_written_is_well);
    tcase_add_test(tcase, every_damage_is_found);
    tcase_add_test(tcase, a_mailbox_is_named_as_its_path);
    tcase_add_test(tcase, files_that_are_no_stores);
    tcase_add_test(tcase, files_that_are_not_sent_are_counted);
    tcase_add_test(tcase, purging_leaves_what_is_not_sent);
    tcase_add_test(tcase, changes_that_are_not_made_keep_their_account);
    tcase_add_test(tcase, damaged_changes_are_found);
    tcase_add_test(tcase, a_store_that_cannot_be_read_is_removed);
    tcase_add_test(tcase, all_of_one_account_and_nothing_else);
    tcase_add_test(tcase, what_is_not_ours_stays);
    tcase_add_test(tcase, a_directory_elsewhere_is_not_entered);
    tcase_add_test(tcase, names_lead_nowhere_else);
    tcase_add_test(tcase, a_store_after_a_purge_is_locked_again);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
