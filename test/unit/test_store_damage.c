/* SPDX-License-Identifier: MIT */
/* The store's file: private, of one process, damaged in every way, on a full disk. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store_help.h"

/* ---- the file --------------------------------------------------------------------------------------- */

static void expect_mode(const char *suffix, unsigned mode)
{
    char name[160];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    ck_assert_msg(stat(name, &st) == 0, "%s: %s", name, strerror(errno));
    ck_assert_uint_eq(st.st_mode & 07777, mode);
}

START_TEST(it_is_private)
{
    struct changes changes = {0};
    umask(0);
    struct store *store = open_here();
    changes_flagset(&changes, FLAGSET_SYSTEM, KEYWORDS);
    store_post(store, &changes);
    store_settle(store);
    expect_mode("", 0600);
    expect_mode("-wal", 0600);
    expect_mode(".lock", 0600);
    store_close(&store);
    ck_assert_int_eq(chmod(path, 0644), 0);
    store = open_here();
    expect_mode("", 0600);
    store_close(&store);
}
END_TEST

START_TEST(two_at_once)
{
    struct store *store = NULL, *other = NULL;
    write_sample();
    store = open_here();
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &other, &err), IMAP_AGAIN);
    ck_assert_ptr_null(other);
    ck_assert_ptr_nonnull(strstr(err.text, "another imapfs"));
    ck_assert_int_eq(run_sql("DELETE FROM messages"), SQLITE_BUSY); /* nor anybody else */
    ck_assert_int_eq(run_sql("SELECT * FROM mailboxes"), SQLITE_BUSY);
    const struct imap_endpoint another = {.host = "imap.example.org", .port = "993", .user = "you"};
    ck_assert_int_eq(store_open(dir, &another, &events, NULL, &other, &err), IMAP_OK);
    store_close(&other);
    store_close(&store);
    expect_sample();
}
END_TEST

/* The file was renamed, which was said in one line, and an empty store is there instead. */
static void expect_set_aside(const char *why)
{
    struct stat st;
    char aside[160];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    struct store *store = open_read();
    ck_assert_uint_eq(told.lines, 1);
    ck_assert_msg(strstr(told.line, why), "%s", told.line);
    ck_assert_ptr_nonnull(strstr(told.line, ".damaged"));
    ck_assert_int_eq(stat(aside, &st), 0);
    if (!store)
        store = open_read();
    ck_assert_uint_eq(told.mailbox_count, 0);
    store_close(&store);
    write_sample();
    expect_sample();
    ck_assert_int_eq(unlink(aside), 0);
}

static void write_file(const void *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(what_is_not_a_store_is_set_aside)
{
    char garbage[20000];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)draw();
    write_file(garbage, sizeof garbage);
    expect_set_aside("file is not a database");
    write_file("hello", 5);
    expect_set_aside("file is not a database");
    write_file("", 0);
    ck_assert_int_eq(run_sql("CREATE TABLE notes (x)"), SQLITE_OK);
    expect_set_aside("not a store of imapfs");
    ck_assert_int_eq(run_sql("PRAGMA application_id = 1"), SQLITE_OK);
    expect_set_aside("not a store of imapfs");
    ck_assert_int_eq(run_sql("UPDATE account SET identity = 'you'"), SQLITE_OK);
    expect_set_aside("belongs to another account");
    ck_assert_int_eq(run_sql("DELETE FROM account"), SQLITE_OK);
    expect_set_aside("belongs to another account");
}
END_TEST

START_TEST(tables_that_do_not_fit_are_set_aside)
{
    static const char *const damages[] = {
        "DROP TABLE account",
        "DROP TABLE mailboxes",
        "DROP TABLE messages",
        "DROP TABLE flagsets",
        "DROP TABLE kept",
        "ALTER TABLE kept DROP COLUMN sum",
        "ALTER TABLE kept RENAME TO other; CREATE TABLE kept AS SELECT * FROM other",
        "ALTER TABLE messages RENAME COLUMN zone TO area",
        "ALTER TABLE mailboxes DROP COLUMN digest",
        "ALTER TABLE messages RENAME TO other; CREATE TABLE messages AS SELECT * FROM other", /* no key */
        "PRAGMA user_version = -1",
    };
    write_sample();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        ck_assert_int_eq(run_sql(damages[i]), SQLITE_OK);
        expect_set_aside(path);
    }
}
END_TEST

START_TEST(a_later_version_is_left_alone)
{
    struct store *store = NULL;
    write_sample();
    ck_assert_int_eq(run_sql("PRAGMA user_version = 4"), SQLITE_OK);
    forget_told();
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_LIMIT);
    ck_assert_ptr_null(store);
    ck_assert_ptr_nonnull(strstr(err.text, "later version"));
    ck_assert_uint_eq(told.lines, 0);
    ck_assert_int_eq(run_sql("PRAGMA user_version = 3"), SQLITE_OK);
    expect_sample();
}
END_TEST

START_TEST(an_empty_file_is_a_new_store)
{
    write_sample();
    ck_assert_int_eq(truncate(path, 0), 0);
    struct store *store = open_here();
    ck_assert_uint_eq(told.mailbox_count, 0);
    ck_assert_uint_eq(told.lines, 0);
    store_close(&store);
}
END_TEST

/* The whole of a file, to be damaged again and again. */
static char *read_file(size_t *size_out)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    *size_out = (size_t)st.st_size;
    char *bytes = malloc(*size_out);
    FILE *file = fopen(path, "r");
    ck_assert_uint_eq(fread(bytes, 1, *size_out, file), *size_out);
    fclose(file);
    return bytes;
}

static void write_many(uint32_t count)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = inbox();
    struct store *store = open_here();
    changes_flagset(&changes, FLAGSET_SYSTEM, KEYWORDS);
    for (uint32_t uid = 1; uid <= count; uid++)
        put(&changes, &mailbox,
            &(struct row){.uid = uid, .flagset = uid % 33, .size = uid * 7, .date = uid, .has = ROW_ALL});
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_close(&store);
}

static bool is_many(const struct columns *columns, uint32_t count)
{
    bool same = columns->count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        const uint32_t uid = i + 1, flags = uid % 33;
        const char *text = flagset_text(&told.flagsets, columns->flagset[i]);
        const char *expected = flags < FLAGSET_SYSTEM ? flagset_text(&told.flagsets, flags) : KEYWORDS;
        same = columns->uid[i] == uid && columns->size[i] == (uint64_t)uid * 7 &&
               columns->date[i] == (int64_t)uid && columns->has[i] == ROW_ALL && strcmp(text, expected) == 0;
    }
    return same;
}

/* Opens a file that may be anything. Nothing, or what was written; true when it was that. */
static bool all_or_nothing(uint32_t count)
{
    struct store *store = NULL;
    struct columns columns = {0};
    bool whole = false;
    forget_told();
    if (store_open(dir, &endpoint, &events, NULL, &store, &err) != IMAP_OK)
        return false;
    if (store_read(store, on_flagset, on_mailbox, on_kept, NULL)) {
        store_start(store);
        for (unsigned i = 0; i < told.mailbox_count; i++) {
            ck_assert_str_eq(told.names[i], "INBOX");
            if (load(store, &told.mailboxes[i], &columns) == STORE_LOADED) {
                ck_assert_msg(is_many(&columns, count), "a wrong listing");
                whole = true;
            }
            columns_fini(&columns);
        }
    }
    store_close(&store);
    return whole;
}

START_TEST(a_truncated_file_shows_nothing_wrong)
{
    size_t size = 0;
    write_many(40);
    char *bytes = read_file(&size);
    ck_assert(all_or_nothing(40));
    for (size_t len = 0; len < size; len += 1 + size / 97) {
        write_file(bytes, len);
        if (all_or_nothing(40)) /* then only the last page is lost, the bodies': an empty one */
            ck_assert_uint_gt(len, size - 4096);
    }
    free(bytes);
}
END_TEST

START_TEST(flipped_bits_show_nothing_wrong)
{
    enum { COUNT = 1500, ROUNDS = 300 };
    size_t size = 0;
    unsigned whole = 0;
    write_many(COUNT);
    char *bytes = read_file(&size);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char *copy = malloc(size);
        memcpy(copy, bytes, size);
        for (unsigned flips = 1 + draw() % 3; flips; flips--)
            copy[draw() % size] ^= (char)(1u << draw() % 8);
        write_file(copy, size);
        free(copy);
        whole += all_or_nothing(COUNT);
    }
    free(bytes);
    ck_assert_uint_lt(whole, ROUNDS); /* else nothing was tried */
}
END_TEST

START_TEST(absurd_rows_show_nothing_wrong)
{
    static const char *const damages[] = {
        "INSERT INTO messages VALUES (1, 4294967296, 0, 0, 0, 0, 0, 0, 0)",
        "UPDATE messages SET uid = 0 WHERE uid = 7",
        "UPDATE messages SET zone = 40000 WHERE uid = 7",
        "UPDATE messages SET has = 64 WHERE uid = 7",
        "UPDATE messages SET flagset = -1 WHERE uid = 7",
        "UPDATE messages SET flagset = 31 WHERE uid = 7",
        "UPDATE messages SET flagset = 9999999 WHERE uid = 7",
        "UPDATE messages SET size = size + 1 WHERE uid = 7",
        "UPDATE messages SET date = date + 1 WHERE uid = 7",
        "UPDATE messages SET modseq = 1 WHERE uid = 7",
        "UPDATE messages SET objectid = 1 WHERE uid = 7",
        "DELETE FROM messages WHERE uid = 50",
        "DELETE FROM messages",
        "UPDATE flagsets SET flags = x'6f'",
        "DELETE FROM flagsets",
        "UPDATE mailboxes SET messages = messages - 1",
        "UPDATE mailboxes SET messages = 4294967295",
        "UPDATE mailboxes SET messages_digest = 0",
        "UPDATE mailboxes SET uidvalidity = 5",
        "UPDATE mailboxes SET name = x'00'",
        "UPDATE mailboxes SET id = 2",
        "UPDATE mailboxes SET id = -1",
        "UPDATE mailboxes SET proven_ms = 1863721600123",
    };
    size_t size = 0;
    write_many(50);
    char *bytes = read_file(&size);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        write_file(bytes, size);
        ck_assert(all_or_nothing(50));
        ck_assert_int_eq(run_sql(damages[i]), SQLITE_OK);
        ck_assert_msg(!all_or_nothing(50), "%s", damages[i]);
    }
    /* nobody asks for these */
    write_file(bytes, size);
    ck_assert_int_eq(run_sql("INSERT INTO messages VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);"
                             "INSERT INTO messages VALUES (1, -5, 0, 0, 0, 0, 0, 0, 0)"),
                     SQLITE_OK);
    ck_assert(all_or_nothing(50));
    free(bytes);
}
END_TEST

/* One line of log, and it goes on taking changes that it does not keep. */
static void expect_lost(struct store *store)
{
    struct changes changes = {0};
    struct columns columns;
    const struct stored_mailbox mailbox = inbox();
    pthread_mutex_lock(&told.lock);
    ck_assert_uint_eq(told.lines, 1);
    ck_assert_msg(strstr(told.line, "not kept any more"), "%s", told.line);
    pthread_mutex_unlock(&told.lock);
    ck_assert_int_eq(load(store, &mailbox, &columns), STORE_FAILED);
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    ck_assert_uint_eq(changes.len, 0);
    store_settle(store);
    ck_assert_uint_eq(told.lines, 1);
}

START_TEST(a_full_disk_keeps_what_was)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = write_sample();
    struct store *store = open_here();
    const struct rlimit limit = {200000, 200000};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint32_t uid = 10; uid < 60000; uid++)
        put(&changes, &mailbox, &(struct row){.uid = uid, .size = uid, .has = ROW_SIZE});
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_settle(store);
    expect_lost(store);
    store_close(&store);
    expect_sample();
}
END_TEST

START_TEST(a_directory_that_cannot_be_written)
{
    struct store *store = NULL;
    char file[128];
    snprintf(file, sizeof file, "%s/none", dir);
    ck_assert_int_eq(store_open(file, &endpoint, &events, NULL, &store, &err), IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, ENOENT);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_SYS);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_SYS);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(chmod(dir, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, EACCES);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_ptr_null(store);
    ck_assert_uint_eq(told.lines, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_is_private,
        two_at_once,
        what_is_not_a_store_is_set_aside,
        tables_that_do_not_fit_are_set_aside,
        a_later_version_is_left_alone,
        an_empty_file_is_a_new_store,
        a_truncated_file_shows_nothing_wrong,
        flipped_bits_show_nothing_wrong,
        absurd_rows_show_nothing_wrong,
        a_full_disk_keeps_what_was,
        a_directory_that_cannot_be_written,
        NULL,
    };
    return run_tests("store_damage", tests);
}
