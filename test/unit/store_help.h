/* SPDX-License-Identifier: MIT */
/*
 * store_help: a store in a directory of its own, what it told, and a sample to write and to expect.
 */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flagset.h"
#include "store.h"
#include "storefile.h"

#define MAILBOXES 8
#define WRITTEN 16 /* names likewise */
#define KEPT 64    /* remembered of those told */
#define KEYWORDS "\\Seen $Forwarded work"

static char dir[64], path[128];
static struct imap_error err;
static const struct imap_endpoint endpoint = {
    .host = "imap.example.org", .port = "993", .user = "me@example.org"};

/* What the store told. */
static struct {
    pthread_mutex_t lock;
    unsigned lines, loads;
    char line[1300];
    struct stored_mailbox mailboxes[MAILBOXES];
    char names[MAILBOXES][64], uses[MAILBOXES][16];
    unsigned mailbox_count;
    struct flagsets flagsets;
    struct kept_row kept[KEPT];
    unsigned kept_count;
    uint64_t kept_sum; /* of their digests */
    struct stored_name written[WRITTEN];
    char files[WRITTEN][256];
    unsigned written_count;
    void *order[8];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct loaded {
    bool told;
    enum store_loaded result;
    struct columns columns;
};

static inline void on_loaded(void *arg, void *who, enum store_loaded result, struct columns *columns)
{
    struct loaded *loaded = who;
    (void)arg;
    pthread_mutex_lock(&told.lock);
    ck_assert(!loaded->told);
    *loaded = (struct loaded){.told = true, .result = result, .columns = *columns};
    *columns = (struct columns){0};
    told.order[told.loads++ % 8] = who;
    pthread_mutex_unlock(&told.lock);
}

static inline void on_log(void *arg, int priority, const char *line)
{
    (void)arg, (void)priority;
    pthread_mutex_lock(&told.lock);
    told.lines++;
    snprintf(told.line, sizeof told.line, "%s", line);
    pthread_mutex_unlock(&told.lock);
}

static uint32_t on_flagset(void *arg, const char *text)
{
    (void)arg;
    return flagset_intern_text(&told.flagsets, text);
}

static inline void on_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    (void)arg;
    const unsigned at = told.mailbox_count++;
    ck_assert_uint_lt(at, MAILBOXES);
    told.mailboxes[at] = *mailbox;
    snprintf(told.names[at], sizeof told.names[at], "%.*s", (int)mailbox->name_len, mailbox->name);
    snprintf(told.uses[at], sizeof told.uses[at], "%.*s", (int)mailbox->special_use_len,
             mailbox->special_use);
}

static inline void on_kept(void *arg, const struct kept_row *row)
{
    (void)arg;
    told.kept[told.kept_count++ % KEPT] = *row;
    told.kept_sum += change_kept_digest(row);
}

static inline void on_name(void *arg, const struct stored_name *name)
{
    (void)arg;
    const unsigned at = told.written_count++ % WRITTEN;
    told.written[at] = *name;
    snprintf(told.files[at], sizeof told.files[at], "%.*s", (int)name->len, name->file);
}

static const struct store_events events = {.loaded = on_loaded, .log = on_log};

static inline void setup(void)
{
    snprintf(dir, sizeof dir, "%s/store.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/me@example.org@imap.example.org_993.db", dir);
    err = (struct imap_error){0};
}

static inline void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
    flagsets_fini(&told.flagsets);
}

static inline void forget_told(void)
{
    flagsets_fini(&told.flagsets);
    told.mailbox_count = told.lines = told.loads = told.kept_count = told.written_count = 0;
    told.kept_sum = 0;
    told.line[0] = '\0';
}

/* Opened and read, not yet started; NULL when the file turned out damaged in reading. */
static inline struct store *open_read(void)
{
    struct store *store = NULL;
    forget_told();
    ck_assert_msg(store_open(dir, &endpoint, &events, NULL, &store, &err) == IMAP_OK, "%s", err.text);
    if (!store_read(store, on_flagset, on_mailbox, on_kept, NULL) || !store_read_names(store, on_name, NULL))
        store_close(&store);
    return store;
}

static inline struct store *open_here(void)
{
    struct store *store = open_read();
    ck_assert_ptr_nonnull(store);
    store_start(store);
    return store;
}

static inline enum store_loaded load(struct store *store, const struct stored_mailbox *mailbox,
                                     struct columns *columns)
{
    struct loaded loaded = {0};
    store_load(store, mailbox->id, mailbox->count, mailbox->digest, &loaded);
    store_settle(store);
    pthread_mutex_lock(&told.lock);
    ck_assert(loaded.told);
    pthread_mutex_unlock(&told.lock);
    *columns = loaded.columns;
    return loaded.result;
}

static uint64_t digest_of(const struct row *row)
{
    return change_digest(row, row->flagset < FLAGSET_SYSTEM ? row->flagset
                                                            : change_hash(0, KEYWORDS, strlen(KEYWORDS)));
}

static inline void put(struct changes *changes, struct stored_mailbox *mailbox, const struct row *row)
{
    changes_put(changes, mailbox->id, row);
    mailbox->count++;
    mailbox->digest += digest_of(row);
}

static inline void drop(struct changes *changes, struct stored_mailbox *mailbox, const struct row *row)
{
    changes_gone(changes, mailbox->id, row->uid);
    mailbox->count--;
    mailbox->digest -= digest_of(row);
}

static inline void same_row(const struct row *one, const struct row *other)
{
    ck_assert_uint_eq(one->uid, other->uid);
    ck_assert_uint_eq(one->flagset, other->flagset);
    ck_assert_uint_eq(one->size, other->size);
    ck_assert_int_eq(one->date, other->date);
    ck_assert_uint_eq(one->modseq, other->modseq);
    ck_assert_uint_eq(one->objectid, other->objectid);
    ck_assert_int_eq(one->zone, other->zone);
    ck_assert_uint_eq(one->has, other->has);
}

#define ROWS 5
static const struct row rows[ROWS] = {
    {.uid = 1, .flagset = IMAP_FLAG_SEEN, .size = 0, .date = 0, .has = ROW_ALL},
    {.uid = 2,
     .flagset = FLAGSET_SYSTEM,
     .size = 123,
     .date = -1,
     .zone = -720,
     .has = ROW_ALL | ROW_VERIFIED},
    {.uid = 700000,
     .size = UINT64_C(1) << 40,
     .date = INT64_C(1) << 40,
     .modseq = INT64_MAX,
     .zone = 840,
     .has = ROW_ALL | ROW_VERIFIED | ROW_CORRECTED | ROW_MODSEQ},
    {.uid = UINT32_MAX - 1,
     .flagset = 0x1f,
     .size = 77,
     .date = INT64_MIN,
     .modseq = 1,
     .has = ROW_FLAGS | ROW_MODSEQ},
    {.uid = UINT32_MAX, .size = UINT64_MAX, .date = INT64_MAX, .zone = INT16_MIN, .has = ROW_SIZE},
};

static inline struct stored_mailbox inbox(void)
{
    return (struct stored_mailbox){.id = 1,
                                   .name = "INBOX",
                                   .name_len = 5,
                                   .delimiter = '/',
                                   .attributes = 0x64,
                                   .special_use = "\\Sent",
                                   .special_use_len = 5,
                                   .subscribed = true,
                                   .known = true,
                                   .uidvalidity = 4000000000,
                                   .uidnext = UINT32_MAX,
                                   .modseq = UINT64_C(1) << 62,
                                   .proven_ms = 1763721600123,
                                   .changed = {1763721600, 999999999}};
}

/* A file with INBOX, which has the rows above, and an empty one. */
static inline struct stored_mailbox write_sample(void)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = inbox();
    struct store *store = open_here();
    changes_flagset(&changes, FLAGSET_SYSTEM, KEYWORDS);
    for (size_t i = 0; i < ROWS; i++)
        put(&changes, &mailbox, &rows[i]);
    changes_mailbox(&changes, &mailbox);
    changes_mailbox(&changes, &(struct stored_mailbox){.id = 9, .name = "\xff a/b'\"", .name_len = 7});
    store_post(store, &changes);
    ck_assert_uint_eq(changes.len, 0);
    store_close(&store);
    ck_assert_uint_eq(told.lines, 0);
    return mailbox;
}

static inline void expect_sample(void)
{
    struct columns columns;
    struct store *store = open_here();
    ck_assert_uint_eq(told.mailbox_count, 2);
    ck_assert_int_eq(load(store, &told.mailboxes[0], &columns), STORE_LOADED);
    ck_assert_uint_eq(columns.count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct row row;
        columns_get(&columns, i, &row);
        same_row(&row, &rows[i]);
    }
    ck_assert_str_eq(flagset_text(&told.flagsets, columns.flagset[1]), KEYWORDS);
    columns_fini(&columns);
    store_close(&store);
}

static inline int run_sql(const char *sql)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return code;
}

/* The number that the file answers, while no store has it. */
static inline int64_t ask(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static uint64_t seed = 1;

static inline uint64_t draw(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return seed >> 33 ^ seed << 20;
}

static inline int run_tests(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 100);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
