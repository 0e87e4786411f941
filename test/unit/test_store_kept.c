/* SPDX-License-Identifier: MIT */
/* Which bodies lie on disk, as the store remembers it; and the file of version 1, which did not. */
#include "store_help.h"

static struct kept_row kept(uint64_t n)
{
    return (struct kept_row){.key = {.high = n * UINT64_C(0x9e3779b97f4a7c15), .low = ~n << 32 | n},
                             .file = (uint32_t)(n * 77),
                             .offset = n << 40,
                             .size = n * n,
                             .digest = ~(n << 17),
                             .used = UINT32_MAX - (uint32_t)n};
}

static bool same_kept(const struct kept_row *one, const struct kept_row *other)
{
    return one->key.high == other->key.high && one->key.low == other->key.low && one->file == other->file &&
           one->offset == other->offset && one->size == other->size && one->digest == other->digest &&
           one->used == other->used;
}

/* What was told of it, or NULL; never twice. */
static const struct kept_row *find(const struct kept_row *row)
{
    const struct kept_row *found = NULL;
    ck_assert_uint_le(told.kept_count, KEPT);
    for (unsigned i = 0; i < told.kept_count; i++) {
        if (told.kept[i].key.high != row->key.high || told.kept[i].key.low != row->key.low)
            continue;
        ck_assert_msg(!found, "told twice");
        found = &told.kept[i];
    }
    return found;
}

static bool is_kept(uint64_t n)
{
    const struct kept_row row = kept(n), *found = find(&row);
    return found && same_kept(found, &row);
}

static void post_and_close(struct store *store, struct changes *changes)
{
    store_post(store, changes);
    store_close(&store);
    ck_assert_msg(told.lines == 0, "%s", told.line);
}

static void write_kept(unsigned count)
{
    struct changes changes = {0};
    for (unsigned n = 0; n < count; n++) {
        const struct kept_row row = kept(n);
        changes_keep(&changes, &row);
    }
    post_and_close(open_here(), &changes);
}

/* Opens, reads, closes. */
static unsigned read_kept(void)
{
    struct store *store = open_read();
    ck_assert_ptr_nonnull(store);
    store_close(&store);
    ck_assert_msg(told.lines == 0, "%s", told.line);
    return told.kept_count;
}

START_TEST(changes_say_what_was_kept)
{
    static const struct kept_row extremes[] = {
        {.key = {0, 0}},
        {.key = {UINT64_MAX, UINT64_MAX}, UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX},
        {.key = {1, UINT64_C(1) << 63}, 1, 127, 128, UINT64_C(1) << 63, 0},
    };
    struct changes changes = {0};
    struct change change;
    for (size_t i = 0; i < 3; i++) {
        changes_keep(&changes, &extremes[i]);
        changes_unkeep(&changes, &extremes[i].key);
        changes_gone(&changes, 4, 5);
    }
    struct change_reader reader = changes_read(&changes);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(change_next(&reader, &change));
        ck_assert_int_eq(change.kind, CHANGE_KEEP);
        ck_assert(same_kept(&change.kept, &extremes[i]));
        ck_assert(change_next(&reader, &change));
        ck_assert_int_eq(change.kind, CHANGE_UNKEEP);
        ck_assert(same_kept(&change.kept, &(struct kept_row){.key = extremes[i].key}));
        ck_assert(change_next(&reader, &change));
        ck_assert_int_eq(change.kind, CHANGE_GONE);
        ck_assert(change.id == 4 && change.row.uid == 5);
    }
    ck_assert(!change_next(&reader, &change));
    changes_fini(&changes);
}
END_TEST

START_TEST(what_is_kept_is_told)
{
    write_sample();
    ck_assert_uint_eq(read_kept(), 0);
    write_kept(20);
    ck_assert_uint_eq(read_kept(), 20);
    for (uint64_t n = 0; n < 20; n++)
        ck_assert(is_kept(n));
    expect_sample();
}
END_TEST

START_TEST(the_last_word_counts)
{
    struct changes changes = {0};
    struct kept_row moved = kept(1), other = kept(2), third = kept(3);
    write_kept(5);
    moved.offset = 7;
    changes_keep(&changes, &moved);
    changes_keep(&changes, &other);
    changes_unkeep(&changes, &other.key);
    changes_unkeep(&changes, &third.key);
    changes_keep(&changes, &third);
    const struct kept_row never = kept(4711);
    changes_unkeep(&changes, &never.key);
    post_and_close(open_here(), &changes);
    ck_assert_uint_eq(read_kept(), 4);
    ck_assert(is_kept(0) && is_kept(3) && is_kept(4));
    ck_assert(!is_kept(1) && same_kept(find(&moved), &moved));
    ck_assert_ptr_null(find(&other));
}
END_TEST

START_TEST(nobody_need_be_told)
{
    struct store *store = NULL;
    write_kept(3);
    forget_told();
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_OK);
    ck_assert(store_read(store, on_flagset, on_mailbox, NULL, NULL));
    store_close(&store);
    ck_assert_uint_eq(told.kept_count, 0);
    ck_assert_uint_eq(read_kept(), 3);
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------------------ */

START_TEST(a_damaged_line_is_dropped)
{
    static const char *const damages[] = {
        "UPDATE kept SET file = 78 WHERE file = 77",
        "UPDATE kept SET file = file + 4294967296 WHERE file = 77",
        "UPDATE kept SET start = start + 1 WHERE file = 77",
        "UPDATE kept SET start = -1 WHERE file = 77",
        "UPDATE kept SET size = 5 WHERE file = 77",
        "UPDATE kept SET digest = 5 WHERE file = 77",
        "UPDATE kept SET used = used - 1 WHERE file = 77",
        "UPDATE kept SET used = -2 WHERE file = 77",
        "UPDATE kept SET sum = sum + 1 WHERE file = 77",
        "UPDATE kept SET high = high + 1 WHERE file = 77",
        "UPDATE kept SET low = low + 1 WHERE file = 77",
    };
    write_sample();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        write_kept(6);
        ck_assert_int_eq(run_sql(damages[i]), SQLITE_OK);
        ck_assert_msg(read_kept() == 5, "%s", damages[i]);
        ck_assert(!is_kept(1));
        ck_assert_int_eq(ask("SELECT count(*) FROM kept"), 5);
        ck_assert_int_eq(ask("SELECT count(*) FROM sqlite_schema WHERE name = 'damaged'"), 0);
    }
    write_kept(6); /* and the table takes more */
    ck_assert_uint_eq(read_kept(), 6);
    expect_sample();
}
END_TEST

/* Finds the number in the file, as SQLite writes it, and flips its highest bit: so it stands out of order. */
static void flip_number(uint64_t number)
{
    uint8_t pattern[8], bytes[65536];
    for (unsigned i = 0; i < 8; i++)
        pattern[i] = (uint8_t)(number >> (56 - 8 * i));
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    const uint8_t *found = memmem(bytes, len, pattern, sizeof pattern);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(fseek(file, found - bytes, SEEK_SET), 0);
    ck_assert_int_ne(fputc(*found ^ 0x80, file), EOF);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_damaged_key_is_dropped_where_no_search_finds_it)
{
    enum { COUNT = 40 };
    for (unsigned n = 1; n < COUNT; n += 7) {
        struct changes changes = {0};
        write_kept(COUNT);
        flip_number(kept(n).key.high);
        ck_assert_uint_eq(read_kept(), COUNT - 1);
        ck_assert(!is_kept(n));
        ck_assert_int_eq(ask("SELECT count(*) FROM kept"), COUNT - 1);
        for (uint64_t gone = 0; gone < COUNT; gone++) { /* each is found again */
            const struct kept_row row = kept(gone);
            changes_unkeep(&changes, &row.key);
        }
        post_and_close(open_here(), &changes);
        ck_assert_uint_eq(read_kept(), 0);
    }
}
END_TEST

/* Whatever is damaged: nothing that was not written is told. */
START_TEST(flipped_bits_tell_nothing_wrong)
{
    enum { COUNT = 60, ROUNDS = 300, SIZE = 1 << 17 };
    static char bytes[SIZE], copy[SIZE];
    unsigned fewer = 0;
    write_kept(COUNT);
    FILE *file = fopen(path, "r");
    const size_t size = fread(bytes, 1, SIZE, file);
    ck_assert(size > 4096 && size < SIZE);
    fclose(file);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct store *store = NULL;
        memcpy(copy, bytes, size);
        for (unsigned flips = 1 + draw() % 3; flips; flips--)
            copy[draw() % size] ^= (char)(1u << draw() % 8);
        file = fopen(path, "w");
        ck_assert_uint_eq(fwrite(copy, 1, size, file), size);
        ck_assert_int_eq(fclose(file), 0);
        forget_told();
        if (store_open(dir, &endpoint, &events, NULL, &store, &err) == IMAP_OK)
            (void)store_read(store, on_flagset, on_mailbox, on_kept, NULL);
        store_close(&store);
        unsigned true_ones = 0;
        for (uint64_t n = 0; n < COUNT; n++)
            true_ones += is_kept(n);
        ck_assert_uint_eq(true_ones, told.kept_count);
        fewer += told.kept_count < COUNT;
    }
    ck_assert_uint_gt(fewer, 10); /* else nothing was tried */
}
END_TEST

/* ---- version 1 --------------------------------------------------------------------------------------- */

/* As the first version made it; a copy, as that must never change. */
static const char version_1[] =
    "CREATE TABLE account (identity TEXT NOT NULL);"
    "CREATE TABLE mailboxes (id INTEGER PRIMARY KEY, name BLOB NOT NULL, delimiter INTEGER NOT NULL,"
    " attributes INTEGER NOT NULL, special_use TEXT, subscribed INTEGER NOT NULL, known INTEGER NOT NULL,"
    " uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    " proven_ms INTEGER NOT NULL, changed_s INTEGER NOT NULL, changed_ns INTEGER NOT NULL,"
    " messages INTEGER NOT NULL, messages_digest INTEGER NOT NULL, digest INTEGER NOT NULL) STRICT;"
    "CREATE TABLE messages (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flagset INTEGER NOT NULL,"
    " size INTEGER NOT NULL, date INTEGER NOT NULL, zone INTEGER NOT NULL, has INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, emailid TEXT, PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE flagsets (id INTEGER PRIMARY KEY, flags BLOB NOT NULL) STRICT;"
    "PRAGMA application_id = 1229801043; PRAGMA user_version = 1;"
    "INSERT INTO account VALUES ('me@example.org' || char(10) || 'host' || char(10) || 'imap.example.org'"
    " || char(10) || '993');";

/* The sample, with the digests that version 1 reckoned. */
static const char version_1_sample[] =
    "INSERT INTO flagsets VALUES (32, x'5c5365656e2024466f7277617264656420776f726b');"
    "INSERT INTO messages VALUES (1, 1, 8, 0, 0, 0, 7, 0, NULL);"
    "INSERT INTO messages VALUES (1, 2, 32, 123, -1, -720, 23, 0, NULL);"
    "INSERT INTO messages VALUES (1, 700000, 0, 1099511627776, 1099511627776, 840, 63,"
    " 9223372036854775807, NULL);"
    "INSERT INTO messages VALUES (1, 4294967294, 31, 77, -9223372036854775808, 0, 9, 1, 'M6d99ac3275bb4e');"
    "INSERT INTO messages VALUES (1, 4294967295, 0, -1, 9223372036854775807, -32768, 2, 0, NULL);"
    "INSERT INTO mailboxes VALUES (1, x'494e424f58', 47, 100, '\\Sent', 1, 1, 4000000000, 4294967295,"
    " 4611686018427387904, 1763721600123, 1763721600, 999999999, 5, 2331656998654286683,"
    " -3030285144225852282);"
    "INSERT INTO mailboxes VALUES (9, x'ff20612f622722', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 7149239655066743344);";

static void make_version_1(void)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(run_sql(version_1), SQLITE_OK);
    ck_assert_int_eq(run_sql(version_1_sample), SQLITE_OK);
}

START_TEST(version_1_is_taken_over)
{
    make_version_1();
    expect_sample();
    ck_assert_uint_eq(told.lines, 0);
    ck_assert_int_eq(ask("PRAGMA user_version"), 3);
    ck_assert_str_eq(told.names[0], "INBOX");
    ck_assert_str_eq(told.uses[0], "\\Sent");
    ck_assert_mem_eq(told.names[1], "\xff a/b'\"", 8);
    const struct stored_mailbox *read = &told.mailboxes[0];
    ck_assert(read->known && read->subscribed && read->uidvalidity == 4000000000 && read->count == ROWS);
    ck_assert_int_eq(read->proven_ms, 1763721600123);
    ck_assert_uint_eq(told.kept_count, 0);
    write_kept(4);
    ck_assert_uint_eq(read_kept(), 4);
    expect_sample();
}
END_TEST

/* Nothing of it is done when it cannot be done to its end; and it can still be done then. */
START_TEST(half_a_migration_is_none)
{
    struct store *store = NULL;
    make_version_1();
    ck_assert_int_eq(run_sql("CREATE TABLE kept (x)"), SQLITE_OK); /* in the way of the last step */
    forget_told();
    ck_assert_int_eq(store_open(dir, &endpoint, &events, NULL, &store, &err), IMAP_OK);
    ck_assert_uint_eq(told.lines, 1); /* set aside: it is no file of ours */
    store_close(&store);
    char aside[160];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    ck_assert_int_eq(rename(aside, path), 0);
    ck_assert_int_eq(ask("PRAGMA user_version"), 1);
    ck_assert_int_eq(ask("SELECT count(*) FROM messages WHERE emailid = 'M6d99ac3275bb4e'"), 1);
    ck_assert_int_eq(run_sql("DROP TABLE kept"), SQLITE_OK);
    expect_sample();
    ck_assert_int_eq(ask("PRAGMA user_version"), 3);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        changes_say_what_was_kept,
        what_is_kept_is_told,
        the_last_word_counts,
        nobody_need_be_told,
        a_damaged_line_is_dropped,
        a_damaged_key_is_dropped_where_no_search_finds_it,
        flipped_bits_tell_nothing_wrong,
        version_1_is_taken_over,
        half_a_migration_is_none,
        NULL,
    };
    return run_tests("store_kept", tests);
}
