/* SPDX-License-Identifier: MIT */
/* The store by itself: names, changes, what is written is read; killed at any moment. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "store_help.h"

/* ---- names ------------------------------------------------------------------------------------------ */

START_TEST(the_name_tells_the_account)
{
    static const struct {
        struct imap_endpoint endpoint;
        const char *name; /* ends in '*': what it begins with */
    } names[] = {
        {{.user = "me@example.org", .host = "imap.example.org", .port = "993"},
         "me@example.org@imap.example.org_993"},
        {{.user = "me", .host = "IMAP.Example.org"}, "me@imap.example.org_993"},
        {{.user = "me", .host = "h", .tls = IMAP_TLS_STARTTLS}, "me@h_143"},
        {{.user = "Me", .host = "h", .port = "1143"}, "Me@h_1143"},
        {{.user = "me", .host = "::1", .port = "993"}, "me@__1_993-*"},
        {{.user = "../../etc/passwd", .host = "h"}, "_._.._etc_passwd@h_993-*"},
        {{.user = "m\xc3\xbcller", .host = "h"}, "m__ller@h_993-*"},
        {{.user = "me", .host = "h", .tunnel = "ssh mail imapd"}, "me@tunnel-*"},
        {{.host = "h"}, "@h_993"},
        {{0}, "@_993"},
    };
    char name[128], other[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *star = strchr(names[i].name, '*');
        storefile_name(&names[i].endpoint, name);
        if (!star)
            ck_assert_str_eq(name, names[i].name);
        else
            ck_assert_msg(!strncmp(name, names[i].name, (size_t)(star - names[i].name)) &&
                              strspn(name + (star - names[i].name), "0123456789abcdef") == 16,
                          "%s", name);
        ck_assert_ptr_null(strpbrk(name, "/ \n:"));
    }
    /* What differs only where it is replaced or cut has another name all the same. */
    storefile_name(&(struct imap_endpoint){.user = "a:b", .host = "h"}, name);
    storefile_name(&(struct imap_endpoint){.user = "a/b", .host = "h"}, other);
    ck_assert_str_ne(name, other);
    char long_one[300], long_other[300];
    memset(long_one, 'u', sizeof long_one);
    memset(long_other, 'u', sizeof long_other);
    long_one[299] = long_other[299] = '\0';
    long_other[298] = 'v';
    storefile_name(&(struct imap_endpoint){.user = long_one, .host = "h"}, name);
    storefile_name(&(struct imap_endpoint){.user = long_other, .host = "h"}, other);
    ck_assert_str_ne(name, other);
    ck_assert_uint_lt(strlen(name), 120);
    storefile_name(&(struct imap_endpoint){.user = "u", .tunnel = "a"}, name);
    storefile_name(&(struct imap_endpoint){.user = "u", .tunnel = "A"}, other);
    ck_assert_str_ne(name, other);
}
END_TEST

/* ---- changes ---------------------------------------------------------------------------------------- */

START_TEST(changes_say_what_was_put)
{
    enum { COUNT = 5000 };
    static struct row all[COUNT];
    static uint32_t ids[COUNT];
    struct changes changes = {0};
    struct change change;
    for (size_t i = 0; i < COUNT; i++) {
        const unsigned shift = draw() % 64;
        ids[i] = 1 + draw() % 3;
        all[i] = (struct row){.uid = (uint32_t)(draw() >> shift % 32),
                              .flagset = draw() % 70000,
                              .size = draw() >> shift,
                              .date = (int64_t)(draw() << shift),
                              .modseq = draw() >> shift,
                              .objectid = draw() % 3 ? draw() >> shift : 0,
                              .zone = (int16_t)draw(),
                              .has = (uint8_t)(draw() & 0x3f)};
        if (i % 3)
            changes_put(&changes, ids[i], &all[i]);
        else
            changes_gone(&changes, ids[i], all[i].uid);
    }
    changes_clear(&changes, UINT32_MAX);
    struct change_reader reader = changes_read(&changes);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert(change_next(&reader, &change));
        ck_assert_uint_eq(change.id, ids[i]);
        ck_assert_int_eq(change.kind, i % 3 ? CHANGE_PUT : CHANGE_GONE);
        if (i % 3)
            same_row(&change.row, &all[i]);
        else
            ck_assert_uint_eq(change.row.uid, all[i].uid);
    }
    ck_assert(change_next(&reader, &change));
    ck_assert_int_eq(change.kind, CHANGE_CLEAR);
    ck_assert_uint_eq(change.id, UINT32_MAX);
    ck_assert(!change_next(&reader, &change));
    changes_fini(&changes);
}
END_TEST

START_TEST(an_ordinary_row_is_small)
{
    struct changes changes = {0};
    for (uint32_t uid = 1; uid <= 1000; uid++)
        changes_put(&changes, 1,
                    &(struct row){.uid = uid,
                                  .flagset = 8,
                                  .size = 20000 + uid,
                                  .date = 1700000000 + 600 * (int64_t)uid,
                                  .modseq = 10000 + uid,
                                  .zone = 60,
                                  .has = ROW_ALL | ROW_MODSEQ});
    ck_assert_uint_le(changes.len, 16 * 1000);
    changes_fini(&changes);
}
END_TEST

/* ---- round trips ------------------------------------------------------------------------------------ */

START_TEST(what_is_written_is_read)
{
    const struct stored_mailbox written = write_sample();
    struct store *store = open_here();
    ck_assert_uint_eq(told.mailbox_count, 2);
    const struct stored_mailbox *read = &told.mailboxes[0];
    ck_assert_uint_eq(read->id, written.id);
    ck_assert_str_eq(told.names[0], "INBOX");
    ck_assert_str_eq(told.uses[0], "\\Sent");
    ck_assert_int_eq(read->delimiter, '/');
    ck_assert_uint_eq(read->attributes, 0x64);
    ck_assert(read->subscribed && read->known);
    ck_assert_uint_eq(read->uidvalidity, 4000000000);
    ck_assert_uint_eq(read->uidnext, UINT32_MAX);
    ck_assert_uint_eq(read->modseq, UINT64_C(1) << 62);
    ck_assert_int_eq(read->proven_ms, 1763721600123);
    ck_assert_int_eq(read->changed.tv_sec, 1763721600);
    ck_assert_int_eq(read->changed.tv_nsec, 999999999);
    ck_assert_uint_eq(read->count, ROWS);
    ck_assert_uint_eq(read->digest, written.digest);
    read = &told.mailboxes[1];
    ck_assert_uint_eq(read->id, 9);
    ck_assert_mem_eq(told.names[1], "\xff a/b'\"", 8);
    ck_assert_str_eq(told.uses[1], "");
    ck_assert(!read->subscribed && !read->known && !read->delimiter && !read->count);
    store_close(&store);
    expect_sample();
}
END_TEST

START_TEST(later_changes_replace_earlier_ones)
{
    struct changes changes = {0};
    struct columns columns;
    struct stored_mailbox mailbox = write_sample();
    struct store *store = open_here();
    struct row changed = rows[1];
    changed.flagset = 0;
    changed.size = 124;
    drop(&changes, &mailbox, &rows[1]);
    put(&changes, &mailbox, &changed);
    drop(&changes, &mailbox, &rows[4]);
    changes_gone(&changes, 1, 4711); /* never was */
    mailbox.modseq = 5;
    mailbox.special_use_len = 0;
    changes_mailbox(&changes, &mailbox);
    changes_forget(&changes, 9);
    store_post(store, &changes);
    store_close(&store);
    store = open_here();
    ck_assert_uint_eq(told.mailbox_count, 1);
    ck_assert_uint_eq(told.mailboxes[0].modseq, 5);
    ck_assert_str_eq(told.uses[0], "");
    ck_assert_int_eq(load(store, &told.mailboxes[0], &columns), STORE_LOADED);
    ck_assert_uint_eq(columns.count, 4);
    ck_assert_uint_eq(columns.size[1], 124);
    ck_assert_uint_eq(columns.flagset[1], 0);
    ck_assert_uint_eq(columns.uid[3], UINT32_MAX - 1);
    columns_fini(&columns);
    mailbox.count = 0;
    mailbox.digest = 0;
    changes_clear(&changes, 1);
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_settle(store);
    ck_assert_int_eq(load(store, &mailbox, &columns), STORE_LOADED);
    ck_assert_uint_eq(columns.count, 0);
    columns_fini(&columns);
    store_close(&store);
}
END_TEST

START_TEST(object_ids_are_kept)
{
    static const uint64_t ids[] = {1, UINT64_MAX, 0, UINT64_C(1278455344230334865)};
    struct changes changes = {0};
    struct columns columns;
    struct stored_mailbox mailbox = inbox();
    struct store *store = open_here();
    for (uint32_t i = 0; i < 4; i++)
        put(&changes, &mailbox, &(struct row){.uid = i + 1, .objectid = ids[i], .has = ROW_FLAGS});
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_close(&store);
    store = open_here();
    ck_assert_int_eq(load(store, &told.mailboxes[0], &columns), STORE_LOADED);
    ck_assert_uint_eq(columns.count, 4);
    ck_assert_mem_eq(columns.objectid, ids, sizeof ids);
    columns_fini(&columns);
    store_close(&store);
}
END_TEST

START_TEST(sets_of_flags_get_numbers_of_their_own)
{
    struct changes changes = {0};
    struct columns columns;
    struct stored_mailbox mailbox = inbox();
    struct store *store = open_here();
    for (unsigned i = 0; i < 3000; i++) { /* of which one is used */
        char text[32];
        snprintf(text, sizeof text, "keyword%u", i);
        changes_flagset(&changes, FLAGSET_SYSTEM + i, text);
    }
    changes_put(&changes, 1, &(struct row){.uid = 1, .flagset = FLAGSET_SYSTEM + 2000, .has = ROW_FLAGS});
    mailbox.count = 1;
    mailbox.digest =
        change_digest(&(struct row){.uid = 1, .has = ROW_FLAGS}, change_hash(0, "keyword2000", 11));
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_close(&store);
    store = open_here();
    ck_assert_uint_eq(told.flagsets.count, 1); /* the others were tidied away */
    changes_flagset(&changes, FLAGSET_SYSTEM + 1, "another");
    const struct row another = {.uid = 2, .flagset = FLAGSET_SYSTEM + 1, .has = ROW_FLAGS};
    changes_put(&changes, 1, &another);
    mailbox.count++;
    mailbox.digest += change_digest(&another, change_hash(0, "another", 7));
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
    store_close(&store);
    store = open_here();
    ck_assert_uint_eq(told.flagsets.count, 2);
    ck_assert_int_eq(load(store, &told.mailboxes[0], &columns), STORE_LOADED);
    ck_assert_str_eq(flagset_text(&told.flagsets, columns.flagset[0]), "keyword2000");
    ck_assert_str_eq(flagset_text(&told.flagsets, columns.flagset[1]), "another");
    columns_fini(&columns);
    store_close(&store);
}
END_TEST

static void post_line(struct store *store, uint32_t id, uint64_t modseq)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = inbox();
    mailbox.id = id;
    mailbox.modseq = modseq;
    changes_put(&changes, id, &(struct row){.uid = (uint32_t)modseq, .has = ROW_FLAGS});
    changes_mailbox(&changes, &mailbox);
    store_post(store, &changes);
}

static void post_forget(struct store *store, uint32_t id)
{
    struct changes changes = {0};
    changes_forget(&changes, id);
    store_post(store, &changes);
}

/* A line for each message that somebody reads is told, and one a transaction is written: the last. */
START_TEST(a_transaction_writes_each_mailbox_once)
{
    write_sample();
    ck_assert_int_eq(run_sql("CREATE TABLE writes (id, modseq); CREATE TRIGGER t AFTER INSERT ON mailboxes"
                             " BEGIN INSERT INTO writes VALUES (new.id, new.modseq); END"),
                     SQLITE_OK);
    struct store *store = open_read();
    for (uint64_t n = 1; n <= 500; n++) {
        post_line(store, 1, n);
        post_line(store, 2, 1000 + n);
        if (n % 100 == 0)
            post_forget(store, 2);
        post_line(store, 3, n);
        post_line(store, 3, n + 1);
        if (n > 250 && n < 260) {
            post_forget(store, 3);
            post_line(store, 3, 7);
        }
    }
    post_forget(store, 9);
    store_start(store); /* so all of it is one transaction */
    store_close(&store);
    ck_assert_int_eq(ask("SELECT count(*) FROM writes"), 2);
    ck_assert_int_eq(ask("SELECT modseq FROM writes WHERE id = 1"), 500);
    ck_assert_int_eq(ask("SELECT modseq FROM writes WHERE id = 3"), 501);
    ck_assert_int_eq(ask("SELECT count(*) FROM mailboxes"), 2);
    ck_assert_int_eq(ask("SELECT count(*) FROM messages WHERE mailbox = 2"), 0);
    ck_assert_int_eq(ask("SELECT count(*) FROM messages WHERE mailbox = 3"), 501 - 259 + 1);
    store = open_read();
    post_forget(store, 1);
    post_line(store, 1, 5); /* and again it is there */
    store_start(store);
    store_close(&store);
    ck_assert_int_eq(ask("SELECT modseq FROM mailboxes WHERE id = 1"), 5);
}
END_TEST

START_TEST(nobody_waits_for_another_mailbox)
{
    enum { MANY = 60000 };
    struct changes changes = {0};
    struct stored_mailbox large = inbox(), small = inbox();
    struct loaded first = {0}, second = {0};
    struct store *store = open_read();
    small.id = 2;
    for (uint32_t uid = 1; uid <= MANY; uid++)
        put(&changes, &large, &(struct row){.uid = uid, .size = uid, .has = ROW_SIZE});
    put(&changes, &small, &rows[0]);
    store_post(store, &changes);
    store_start(store);
    store_settle(store);
    store_close(&store);
    store = open_read();
    store_load(store, 1, large.count, large.digest, &first); /* begun before the small one */
    store_load(store, 2, small.count, small.digest, &second);
    store_start(store);
    store_settle(store);
    pthread_mutex_lock(&told.lock);
    ck_assert(first.result == STORE_LOADED && second.result == STORE_LOADED);
    ck_assert_uint_eq(first.columns.count, MANY);
    ck_assert_uint_eq(first.columns.uid[MANY - 1], MANY);
    ck_assert_ptr_eq(told.order[0], &second);
    ck_assert_ptr_eq(told.order[1], &first);
    pthread_mutex_unlock(&told.lock);
    columns_fini(&first.columns);
    columns_fini(&second.columns);
    store_close(&store);
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    struct changes changes = {0};
    struct store *store = open_read();
    ck_assert(store_has_room(store, STORE_QUEUE_MAX));
    store_limit_queue(store, 100);
    changes_flagset(&changes, FLAGSET_SYSTEM, "12345678901234567890123456789012345678901234567890");
    ck_assert(store_has_room(store, changes.len));
    store_post(store, &changes);
    ck_assert(!store_has_room(store, 60));
    store_start(store);
    store_settle(store);
    ck_assert(store_has_room(store, 60));
    store_close(&store);
}
END_TEST

/* Whoever waits for a load is not told after the store was told to stop. */
START_TEST(loads_are_given_up)
{
    struct loaded loaded = {0};
    struct stored_mailbox mailbox = write_sample();
    struct store *store = open_read();
    store_load(store, 1, mailbox.count, mailbox.digest, &loaded);
    store_stop_loading(store);
    store_start(store);
    store_close(&store);
    ck_assert(!loaded.told);
}
END_TEST

/* ---- kill -9 ---------------------------------------------------------------------------------------- */

/* What group n does: two messages come, one changes, one goes, and their bodies likewise. So the state after n groups is known. */
static bool model_has(uint32_t groups, uint32_t uid)
{
    return uid <= 2 * groups && !(uid % 4 == 1 && uid + 8 <= 2 * groups);
}

static struct row model_row(uint32_t groups, uint32_t uid)
{
    const bool changed = uid % 4 == 2 && uid + 4 <= 2 * groups;
    return (struct row){.uid = uid, .size = uid * 10ull + changed, .date = uid, .has = ROW_SIZE | ROW_DATE};
}

static struct kept_row model_body(const struct row *row)
{
    return (struct kept_row){.key = {.high = row->uid * UINT64_C(0x9e3779b97f4a7c15), .low = row->uid},
                             .file = row->uid / 64,
                             .size = row->size};
}

static void group(struct changes *changes, struct stored_mailbox *mailbox, uint32_t n)
{
    for (uint32_t uid = n > 6 ? 2 * n - 12 : 1; uid <= 2 * n; uid++) {
        const bool before = model_has(n - 1, uid), after = model_has(n, uid);
        const struct row old = model_row(n - 1, uid), new = model_row(n, uid);
        const struct kept_row old_body = model_body(&old), new_body = model_body(&new);
        if (before && (!after || old.size != new.size)) {
            drop(changes, mailbox, &old);
            changes_unkeep(changes, &old_body.key);
        }
        if (after && (!before || old.size != new.size)) {
            put(changes, mailbox, &new);
            changes_keep(changes, &new_body);
        }
    }
    mailbox->modseq = n;
    changes_mailbox(changes, mailbox);
}

/* Writes for ever; every now and then tells which group is on disk for certain. */
static void write_for_ever(int out)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = inbox();
    struct store *store = open_here();
    uint32_t n = 0;
    if (told.mailbox_count) {
        n = (uint32_t)told.mailboxes[0].modseq;
        mailbox.count = told.mailboxes[0].count;
        mailbox.digest = told.mailboxes[0].digest;
    }
    for (;;) {
        group(&changes, &mailbox, ++n);
        store_post(store, &changes);
        if (n % 64 == 0) {
            store_settle(store);
            if (write(out, &n, sizeof n) != sizeof n)
                _exit(1);
        }
    }
}

static void check_prefix(uint32_t certain)
{
    struct columns columns;
    struct store *store = open_here();
    ck_assert_msg(told.lines == 0, "%s", told.line);
    if (!told.mailbox_count) {
        ck_assert_uint_eq(certain, 0);
        store_close(&store);
        return;
    }
    const uint32_t groups = (uint32_t)told.mailboxes[0].modseq;
    ck_assert_uint_ge(groups, certain);
    ck_assert_int_eq(load(store, &told.mailboxes[0], &columns), STORE_LOADED);
    size_t at = 0;
    uint64_t kept_sum = 0;
    for (uint32_t uid = 1; uid <= 2 * groups + 2; uid++) {
        if (!model_has(groups, uid))
            continue;
        const struct row expected = model_row(groups, uid);
        const struct kept_row body = model_body(&expected);
        kept_sum += change_kept_digest(&body);
        struct row row;
        ck_assert_uint_lt(at, columns.count);
        columns_get(&columns, at++, &row);
        same_row(&row, &expected);
    }
    ck_assert_uint_eq(at, columns.count);
    ck_assert_uint_eq(told.kept_count, at);
    ck_assert_uint_eq(told.kept_sum, kept_sum);
    columns_fini(&columns);
    store_close(&store);
}

START_TEST(killed_at_any_moment_it_holds_a_prefix)
{
    uint32_t certain = 0, said = 0;
    for (unsigned round = 0; round < 50; round++) {
        int pipes[2];
        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
            write_for_ever(pipes[1]);
        close(pipes[1]);
        if (round % 5) /* else while it is still opening */
            ck_assert_int_eq(read(pipes[0], &said, sizeof said), sizeof said);
        usleep((useconds_t)(draw() % 6000));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        while (read(pipes[0], &said, sizeof said) == sizeof said)
            ;
        certain = said;
        close(pipes[0]);
        check_prefix(certain);
    }
    ck_assert_uint_gt(certain, 1000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_name_tells_the_account,
        changes_say_what_was_put,
        an_ordinary_row_is_small,
        what_is_written_is_read,
        later_changes_replace_earlier_ones,
        object_ids_are_kept,
        sets_of_flags_get_numbers_of_their_own,
        a_transaction_writes_each_mailbox_once,
        nobody_waits_for_another_mailbox,
        the_queue_is_bounded,
        loads_are_given_up,
        killed_at_any_moment_it_holds_a_prefix,
        NULL,
    };
    return run_tests("store", tests);
}
