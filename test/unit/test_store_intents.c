/* SPDX-License-Identifier: MIT */
/* The changes that the server has not made yet, as the store remembers them; and who waits until it does. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "store_help.h"

#define READ_MAX 16

static struct intent read_intents[READ_MAX];
static unsigned read_count;

static const struct intent removal = {.number = 7,
                                      .kind = INTENT_DELETE,
                                      .uidvalidity = UINT32_MAX,
                                      .uid = 1,
                                      .from = "INBOX",
                                      .to = "",
                                      .file = ""};
static const struct intent movement = {.number = INT64_MAX,
                                       .kind = INTENT_MOVE,
                                       .begun = true,
                                       .uidvalidity = 1,
                                       .uid = UINT32_MAX,
                                       .from = "Entw&APw-rfe/a \"b\" 'c'",
                                       .to = "\xff not UTF-8",
                                       .file = "Brief \xc3\xbc.eml"};

static struct intent numbered(uint64_t number)
{
    struct intent intent = removal;
    intent.number = number;
    return intent;
}

static bool same(const struct intent *one, const struct intent *other)
{
    return one->number == other->number && one->kind == other->kind && one->begun == other->begun &&
           one->uidvalidity == other->uidvalidity && one->uid == other->uid &&
           strcmp(one->from, other->from) == 0 && strcmp(one->to, other->to) == 0 &&
           strcmp(one->file, other->file) == 0;
}

static void on_intent(void *arg, const struct intent *intent)
{
    (void)arg;
    ck_assert_uint_lt(read_count, READ_MAX);
    ck_assert(!read_count || read_intents[read_count - 1].number < intent->number);
    read_intents[read_count++] = intent_copy(intent);
}

static void forget_read(void)
{
    for (; read_count; read_count--) {
        free((char *)read_intents[read_count - 1].from);
        free((char *)read_intents[read_count - 1].to);
        free((char *)read_intents[read_count - 1].file);
    }
}

/* What the file has, having told so many lines. */
static void read_here(unsigned lines)
{
    forget_read();
    struct store *store = open_read();
    ck_assert_ptr_nonnull(store);
    ck_assert(store_read_intents(store, on_intent, NULL));
    store_close(&store);
    ck_assert_msg(told.lines == lines, "%s", told.line);
}

static void post_and_close(struct changes *changes)
{
    struct store *store = open_here();
    store_post(store, changes);
    store_close(&store);
    ck_assert_msg(told.lines == 0, "%s", told.line);
}

static void write_three(void)
{
    struct changes changes = {0};
    const struct intent nine = numbered(9);
    changes_intend(&changes, &movement);
    changes_intend(&changes, &removal);
    changes_intend(&changes, &nine);
    post_and_close(&changes);
}

/* ---- what is remembered ------------------------------------------------------------------------------ */

START_TEST(changes_say_what_is_intended)
{
    struct changes changes = {0};
    struct change change;
    changes_intend(&changes, &movement);
    changes_unintend(&changes, UINT64_MAX);
    changes_gone(&changes, 4, 5);
    changes_intend(&changes, &removal);
    struct change_reader reader = changes_read(&changes);
    ck_assert(change_next(&reader, &change));
    ck_assert(change.kind == CHANGE_INTEND && same(&change.intent, &movement));
    ck_assert(change_next(&reader, &change));
    ck_assert(change.kind == CHANGE_UNINTEND && change.intent.number == UINT64_MAX);
    ck_assert(change_next(&reader, &change));
    ck_assert(change.kind == CHANGE_GONE && change.id == 4 && change.row.uid == 5);
    ck_assert(change_next(&reader, &change));
    ck_assert(change.kind == CHANGE_INTEND && same(&change.intent, &removal));
    ck_assert(!change_next(&reader, &change));
    changes_fini(&changes);
}
END_TEST

START_TEST(the_digest_tells_each_part)
{
    struct intent others[8];
    for (size_t i = 0; i < 8; i++)
        others[i] = movement;
    others[0].number--;
    others[1].kind = INTENT_DELETE;
    others[2].begun = false;
    others[3].uidvalidity++;
    others[4].uid--;
    others[5].from = "Entw&APw-rfe/a \"b\" 'd'";
    others[6].to = "";
    others[7].file = "Brief.eml";
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_ne(change_intent_digest(&others[i]), change_intent_digest(&movement));
    others[0] = others[1] = removal; /* where one string ends is a part, too */
    others[0].from = "ab", others[0].to = "c";
    others[1].from = "a", others[1].to = "bc";
    ck_assert_uint_ne(change_intent_digest(&others[0]), change_intent_digest(&others[1]));
}
END_TEST

START_TEST(they_come_back_in_their_order)
{
    const struct intent nine = numbered(9);
    write_sample();
    read_here(0);
    ck_assert_uint_eq(read_count, 0);
    write_three();
    read_here(0);
    ck_assert_uint_eq(read_count, 3);
    ck_assert(same(&read_intents[0], &removal) && same(&read_intents[1], &nine) &&
              same(&read_intents[2], &movement));
    expect_sample();
}
END_TEST

START_TEST(the_last_word_counts)
{
    struct changes changes = {0};
    struct intent begun = removal;
    const struct intent ten = numbered(10);
    write_three();
    begun.begun = true;
    changes_intend(&changes, &begun); /* in place of the one with its number */
    changes_unintend(&changes, movement.number);
    changes_unintend(&changes, 4711); /* never there */
    changes_intend(&changes, &ten);
    changes_unintend(&changes, 10);
    changes_unintend(&changes, 9);
    const struct intent nine = numbered(9);
    changes_intend(&changes, &nine);
    post_and_close(&changes);
    read_here(0);
    ck_assert_uint_eq(read_count, 2);
    ck_assert(same(&read_intents[0], &begun) && same(&read_intents[1], &nine));
}
END_TEST

START_TEST(a_damaged_line_is_dropped)
{
    static const char *const damages[] = {
        "UPDATE intents SET kind = 1 WHERE uid = 4294967295",
        "UPDATE intents SET kind = 3 WHERE uid = 4294967295",
        "UPDATE intents SET kind = kind + 4294967296 WHERE uid = 4294967295",
        "UPDATE intents SET begun = 0 WHERE uid = 4294967295",
        "UPDATE intents SET begun = 2 WHERE uid = 4294967295",
        "UPDATE intents SET uidvalidity = 2 WHERE uid = 4294967295",
        "UPDATE intents SET uidvalidity = uidvalidity + 4294967296 WHERE uid = 4294967295",
        "UPDATE intents SET source = CAST('INBOX' AS BLOB) WHERE uid = 4294967295",
        "UPDATE intents SET source = CAST(source || x'00' AS BLOB) WHERE uid = 4294967295",
        "UPDATE intents SET target = x'' WHERE uid = 4294967295",
        "UPDATE intents SET file = zeroblob(20) WHERE uid = 4294967295",
        "UPDATE intents SET sum = sum + 1 WHERE uid = 4294967295",
        "UPDATE intents SET number = 8 WHERE uid = 4294967295",
        "UPDATE intents SET number = -8 WHERE uid = 4294967295",
        "UPDATE intents SET uid = 4294967294 WHERE uid = 4294967295",
        "UPDATE intents SET uid = uid - 4294967296 WHERE uid = 4294967295",
    };
    const struct intent nine = numbered(9);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        write_three();
        ck_assert_int_eq(run_sql(damages[i]), SQLITE_OK);
        read_here(1);
        ck_assert_msg(read_count == 2, "%s", damages[i]);
        ck_assert_ptr_nonnull(strstr(told.line, ": 1 changes that were still to be made"));
        ck_assert(same(&read_intents[0], &removal) && same(&read_intents[1], &nine));
        read_here(0); /* told once */
        ck_assert_uint_eq(read_count, 2);
        ck_assert_int_eq(ask("SELECT count(*) FROM sqlite_schema WHERE name = 'damaged'"), 0);
    }
    write_three(); /* the new table takes more */
    read_here(0);
    ck_assert_uint_eq(read_count, 3);
}
END_TEST

/* ---- version 2 --------------------------------------------------------------------------------------- */

/* As that version made it, with a body and a name and the sums that it reckoned; a copy, as that must never change. */
static const char version_2[] =
    "CREATE TABLE account (identity TEXT NOT NULL);"
    "CREATE TABLE mailboxes (id INTEGER PRIMARY KEY, name BLOB NOT NULL, delimiter INTEGER NOT NULL,"
    " attributes INTEGER NOT NULL, special_use TEXT, subscribed INTEGER NOT NULL, known INTEGER NOT NULL,"
    " uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    " proven_ms INTEGER NOT NULL, changed_s INTEGER NOT NULL, changed_ns INTEGER NOT NULL,"
    " messages INTEGER NOT NULL, messages_digest INTEGER NOT NULL, digest INTEGER NOT NULL) STRICT;"
    "CREATE TABLE messages (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flagset INTEGER NOT NULL,"
    " size INTEGER NOT NULL, date INTEGER NOT NULL, zone INTEGER NOT NULL, has INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, objectid INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (mailbox, uid)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE flagsets (id INTEGER PRIMARY KEY, flags BLOB NOT NULL) STRICT;"
    "CREATE TABLE kept (high INTEGER NOT NULL, low INTEGER NOT NULL, file INTEGER NOT NULL,"
    " start INTEGER NOT NULL, size INTEGER NOT NULL, digest INTEGER NOT NULL, used INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, PRIMARY KEY (high, low)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE names (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, uidvalidity INTEGER NOT NULL,"
    " file BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1229801043; PRAGMA user_version = 2;"
    "INSERT INTO account VALUES ('me@example.org' || char(10) || 'host' || char(10) || 'imap.example.org'"
    " || char(10) || '993');"
    "INSERT INTO flagsets VALUES (32, x'5c5365656e2024466f7277617264656420776f726b');"
    "INSERT INTO messages VALUES (1, 1, 8, 0, 0, 0, 7, 0, 0);"
    "INSERT INTO messages VALUES (1, 2, 32, 123, -1, -720, 23, 0, 0);"
    "INSERT INTO messages VALUES (1, 700000, 0, 1099511627776, 1099511627776, 840, 63,"
    " 9223372036854775807, 0);"
    "INSERT INTO messages VALUES (1, 4294967294, 31, 77, -9223372036854775808, 0, 9, 1, 0);"
    "INSERT INTO messages VALUES (1, 4294967295, 0, -1, 9223372036854775807, -32768, 2, 0, 0);"
    "INSERT INTO mailboxes VALUES (1, x'494e424f58', 47, 100, '\\Sent', 1, 1, 4000000000,"
    " 4294967295, 4611686018427387904, 1763721600123, 1763721600, 999999999, 5, 2331656998654286683,"
    " -3030285144225852282);"
    "INSERT INTO mailboxes VALUES (9, x'ff20612f622722', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 7149239655066743344);"
    "INSERT INTO kept VALUES (1, -1, 2, 3, 4, 5, 6, 4458174482328297707);"
    "INSERT INTO names VALUES (1, 2, 4000000000, x'6c65747465722e656d6c', 5672634307067125001);";

START_TEST(version_2_is_taken_over)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(run_sql(version_2), SQLITE_OK);
    read_here(0);
    ck_assert_uint_eq(read_count, 0);
    ck_assert_int_eq(ask("PRAGMA user_version"), 3);
    expect_sample();
    ck_assert_uint_eq(told.kept_count, 1);
    ck_assert(told.kept[0].key.high == 1 && told.kept[0].size == 4);
    ck_assert_uint_eq(told.written_count, 1);
    ck_assert_str_eq(told.files[0], "letter.eml");
    write_three();
    read_here(0);
    ck_assert_uint_eq(read_count, 3);
    expect_sample();
}
END_TEST

/* ---- who waits until it is on disk ------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store *store;
    uint64_t ticket; /* the last one told */
    unsigned told, lost;
    unsigned more; /* so many are posted from the callback itself, each with a ticket */
    bool ends;     /* the process, right there */
} promise = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void post_and_ask(struct store *store, uint64_t number)
{
    struct changes changes = {0};
    const struct intent intent = numbered(number);
    changes_intend(&changes, &intent);
    store_post(store, &changes);
    store_tell_written(store, number);
}

static void on_written(void *arg, uint64_t ticket, bool kept)
{
    (void)arg;
    if (promise.ends)
        _exit(kept ? 0 : 9);
    pthread_mutex_lock(&promise.lock);
    ck_assert_uint_gt(ticket, promise.ticket);
    promise.ticket = ticket;
    promise.told++;
    promise.lost += !kept;
    const bool more = promise.more != 0;
    promise.more -= more;
    pthread_cond_broadcast(&promise.changed);
    pthread_mutex_unlock(&promise.lock);
    if (more)
        post_and_ask(promise.store, ticket + 1);
}

static const struct store_events promising = {.loaded = on_loaded, .log = on_log, .written = on_written};

static void open_promising(void)
{
    forget_told();
    promise.ticket = promise.told = promise.lost = promise.more = 0;
    ck_assert_msg(store_open(dir, &endpoint, &promising, NULL, &promise.store, &err) == IMAP_OK, "%s",
                  err.text);
    ck_assert(store_read(promise.store, on_flagset, on_mailbox, on_kept, NULL));
}

static void await_ticket(uint64_t ticket)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&promise.lock);
    while (promise.ticket < ticket)
        ck_assert_msg(pthread_cond_timedwait(&promise.changed, &promise.lock, &until) == 0,
                      "ticket %llu was not told", (unsigned long long)ticket);
    pthread_mutex_unlock(&promise.lock);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Gathering takes 250 ms each time: fifty of those would be 12 s. */
START_TEST(each_is_told_at_once)
{
    const double begun = now_s();
    open_promising();
    store_start(promise.store);
    store_tell_written(promise.store, 1); /* nothing waits */
    await_ticket(1);
    for (uint64_t n = 2; n <= 51; n++) {
        post_and_ask(promise.store, n);
        await_ticket(n);
    }
    ck_assert(now_s() - begun < 6);
    store_close(&promise.store);
    ck_assert(promise.told == 51 && !promise.lost && !told.lines);
}
END_TEST

START_TEST(a_burst_is_told_by_its_highest)
{
    open_promising();
    for (uint64_t n = 1; n <= 10; n++)
        post_and_ask(promise.store, n);
    store_start(promise.store);
    await_ticket(10);
    ck_assert_uint_eq(promise.told, 1);
    store_close(&promise.store);
    read_here(0);
    ck_assert_uint_eq(read_count, 10);
}
END_TEST

/* Killed in the moment in which it was promised: then it is there. */
START_TEST(what_was_told_outlives_the_process)
{
    int status = 0;
    open_promising();
    store_close(&promise.store);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct imap_error child_err = {0};
        promise.ends = true;
        if (store_open(dir, &endpoint, &promising, NULL, &promise.store, &child_err) != IMAP_OK)
            _exit(1);
        store_start(promise.store);
        post_and_ask(promise.store, 3);
        (void)sleep(20);
        _exit(2);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    const struct intent three = numbered(3);
    read_here(0);
    ck_assert_uint_eq(read_count, 1);
    ck_assert(same(&read_intents[0], &three));
}
END_TEST

START_TEST(closing_tells)
{
    open_promising();
    store_start(promise.store);
    promise.more = 2; /* the callback goes on while it is being closed */
    post_and_ask(promise.store, 1);
    struct store *store = promise.store;
    store_close(&store);
    ck_assert(promise.ticket == 3 && promise.told == 3 && !promise.lost);
    read_here(0);
    ck_assert_uint_eq(read_count, 3);
}
END_TEST

START_TEST(a_store_that_never_ran_keeps_nothing)
{
    open_promising();
    post_and_ask(promise.store, 5);
    store_close(&promise.store);
    ck_assert(promise.ticket == 5 && promise.told == 1 && promise.lost == 1);
    read_here(0);
    ck_assert_uint_eq(read_count, 0);
}
END_TEST

/* In a process of its own, for its limit stays. */
START_TEST(a_lost_store_says_so)
{
    const struct rlimit limit = {100000, 100000};
    struct changes changes = {0};
    open_promising();
    store_start(promise.store);
    post_and_ask(promise.store, 1);
    await_ticket(1);
    ck_assert(!promise.lost);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t n = 2; n < 20000; n++) {
        struct intent intent = numbered(n * UINT64_C(0x9e3779b97f4a7c15) >> 1);
        changes_intend(&changes, &intent);
    }
    store_post(promise.store, &changes);
    store_tell_written(promise.store, 2);
    await_ticket(2);
    ck_assert_uint_eq(promise.lost, 1);
    ck_assert(!store_keeps(promise.store));
    ck_assert_msg(strstr(told.line, "not kept any more"), "%s", told.line);
    post_and_ask(promise.store, 3); /* and from then on, at once */
    await_ticket(3);
    ck_assert_uint_eq(promise.lost, 2);
    store_close(&promise.store);
    ck_assert_uint_eq(told.lines, 1);
    read_here(0);
    ck_assert(read_count == 1 && read_intents[0].number == 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        changes_say_what_is_intended,
        the_digest_tells_each_part,
        they_come_back_in_their_order,
        the_last_word_counts,
        a_damaged_line_is_dropped,
        version_2_is_taken_over,
        each_is_told_at_once,
        a_burst_is_told_by_its_highest,
        what_was_told_outlives_the_process,
        closing_tells,
        a_store_that_never_ran_keeps_nothing,
        a_lost_store_says_so,
        NULL,
    };
    return run_tests("store_intents", tests);
}
