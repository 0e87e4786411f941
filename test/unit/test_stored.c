/* SPDX-License-Identifier: MIT */
/* The model with its store: what a second account_open shows, and what it asks the server for. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "imap/types.h"
#include "mailbox_internal.h"
#include "model_world.h"
#include "store.h"

#define HOUR_MS 3600000u

static struct imap_error err;

static void setup(void)
{
    world_init();
    world.poll_ms = HOUR_MS;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){
        .name = "Box/Below", .delimiter = '/', .special_use = "\\Sent", .attributes = IMAP_MBOX_SUBSCRIBED};
    world.list_count = 2;
    err = (struct imap_error){0};
}

static void teardown(void)
{
    ck_assert_msg(!world.lines, "%s", world.line);
    world_fini();
}

static void open_world(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
}

static struct mailbox *box(const char *name)
{
    return below(world.account->root, name);
}

/* What the store's thread does for the model is done when this returns. */
static void settle(void)
{
    store_settle(world.account->stored.store);
}

static void close_world(void)
{
    account_close(&world.account);
    world.account = NULL;
    asks_nothing();
}

static void logged(const char *expected)
{
    ck_assert_uint_eq(world.lines, 1);
    ck_assert_msg(strstr(world.line, expected), "%s", world.line);
    world.lines = 0;
}

/* The first listing, with MODSEQ or without. */
static struct imap_command *asks_all(void)
{
    struct job *job = world.jobs;
    ck_assert_ptr_nonnull(job);
    const char *with = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)";
    const bool has_modseq =
        job->command->len == strlen(with) && memcmp(job->command->bytes, with, strlen(with)) == 0;
    return asks("INBOX", has_modseq ? with : "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
}

static void answers_with(struct imap_command *command, uint32_t uid, const char *keyword)
{
    const char *const keywords[] = {keyword};
    const struct imap_response response = {
        .type = IMAP_RESP_FETCH,
        .number = uid,
        .fetch = {.seq = uid,
                  .uid = uid,
                  .has = IMAP_FETCH_UID | EVERYTHING | IMAP_FETCH_MODSEQ,
                  .flags = {.system = IMAP_FLAG_SEEN, .keywords = keywords, .keyword_count = 1},
                  .size = 777,
                  .modseq = 12345,
                  .internaldate = {.unix_seconds = -5, .zone_minutes = -90}}};
    command->events.response(command->arg, &response);
}

/* The first mount: INBOX with 3, 4 and 9 is listed, of which 9 has all one can have. */
static void first_mount(void)
{
    struct asked asked;
    open_world();
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    struct imap_command *fetch = asks_all();
    selects("INBOX", 3, 42, 10, 100);
    answers(fetch, 3, EVERYTHING, IMAP_FLAG_SEEN);
    answers(fetch, 4, EVERYTHING, 0);
    answers_with(fetch, 9, "work");
    ends(fetch);
    ended(&asked, IMAP_OK);
    account_lock(world.account);
    struct mailbox *inbox = box("INBOX");
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox), 4, 401); /* the server said 400 */
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox), 3, 300);
    account_unlock(world.account);
    asks_nothing();
    told("L ~4 ");
}

static struct message message(const char *name, uint32_t uid)
{
    struct message found;
    ck_assert_msg(mailbox_find_locked(box(name), uid, &found), "no message %u", uid);
    return found;
}

static void expect_first_listing(void)
{
    struct mailbox *inbox = box("INBOX");
    ck_assert_uint_eq(mailbox_count_locked(inbox), 3);
    ck_assert_uint_eq(mailbox_uidvalidity_locked(inbox), 42);
    struct message found = message("INBOX", 3);
    ck_assert_uint_eq(found.size, 300);
    ck_assert(found.size_verified && !found.size_corrected);
    ck_assert_str_eq(mailbox_flags_text_locked(inbox, found.flagset), "\\Seen");
    ck_assert_int_eq(found.date.unix_seconds, 1003);
    found = message("INBOX", 4);
    ck_assert_uint_eq(found.size, 401);
    ck_assert(found.size_verified && found.size_corrected);
    found = message("INBOX", 9);
    ck_assert_uint_eq(found.size, 777);
    ck_assert(!found.size_verified && !found.size_corrected);
    ck_assert_str_eq(mailbox_flags_text_locked(inbox, found.flagset), "\\Seen work");
    ck_assert_int_eq(found.date.unix_seconds, -5);
    ck_assert_int_eq(found.date.zone_minutes, -90);
    ck_assert_uint_eq(found.modseq, 12345);
}

/* Asked for and answered from the store; what is left to ask the server for is queued. */
static void ask_stored(const char *name, struct asked *asked)
{
    ck_assert(!ask_fresh(box(name), asked));
    settle();
}

START_TEST(a_second_mount_asks_for_nothing)
{
    struct asked asked;
    cap("CONDSTORE");
    first_mount();
    const uint32_t id = mailbox_message_id_locked(box("INBOX")), dir = mailbox_dir_id(box("INBOX"));
    close_world();
    open_world();
    ck_assert_uint_eq(world.listed, 2);
    asks_nothing();
    ck_assert_uint_eq(mailbox_message_id_locked(box("INBOX")), id);
    ck_assert_uint_eq(mailbox_dir_id(box("INBOX")), dir);
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK); /* before the server was asked */
    expect_first_listing();
    /* It is looked at, so it is watched: that also proves it. */
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 42, 10, 100);
    ends(noop);
    asks_nothing();
    ck_assert(ask_fresh(box("INBOX"), &asked));
    told("");
}
END_TEST

START_TEST(an_old_listing_is_proven_by_one_command)
{
    struct asked asked;
    cap("CONDSTORE");
    first_mount();
    close_world();
    world.poll_ms = 0;
    open_world();
    ask_stored("INBOX", &asked);
    ck_assert_uint_eq(asked.told, 0);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 42, 10, 100);
    ends(noop);
    ended(&asked, IMAP_OK);
    asks_nothing();
    expect_first_listing();
    told("");
}
END_TEST

START_TEST(what_changed_meanwhile_is_asked_for)
{
    struct asked asked;
    first_mount();
    close_world();
    world.poll_ms = 0;
    open_world();
    ask_stored("INBOX", &asked);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 42, 11, 105); /* 3 went, 10 came, 4 was read */
    struct imap_command *new = asks("INBOX", "UID FETCH 10:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    struct imap_command *flags = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    answers(new, 10, EVERYTHING, 0);
    ends(new);
    answers(flags, 4, IMAP_FETCH_FLAGS, IMAP_FLAG_SEEN);
    answers(flags, 9, IMAP_FETCH_FLAGS, 0);
    answers(flags, 10, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ends(noop);
    ended(&asked, IMAP_OK);
    told("-3 ~4 ~9 +10 L ");
    close_world();
    world.poll_ms = HOUR_MS;
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 3);
    ck_assert_uint_eq(message("INBOX", 10).size, 1000);
    ck_assert_uint_eq(message("INBOX", 4).flagset, IMAP_FLAG_SEEN);
    ck_assert_uint_eq(message("INBOX", 9).flagset, 0);
    ck_assert(message("INBOX", 4).size_corrected);
    told("");
    ends(asks("INBOX", "NOOP"));
    ends(asks("INBOX", "NOOP")); /* "the mailbox was left again", as nothing was selected */
    ends(asks("INBOX", "NOOP"));
    logged("left again");
}
END_TEST

/* What is heard of a watched mailbox is kept, too. */
START_TEST(news_are_kept)
{
    struct asked asked;
    first_mount();
    expunges(1, 3);
    flags_change(1, 4, IMAP_FLAG_DELETED);
    told("-3 L ~4 ");
    close_world();
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 2);
    ck_assert_uint_eq(message("INBOX", 4).flagset, IMAP_FLAG_DELETED);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 2, 42, 10, 102);
    struct imap_command *flags =
        asks("INBOX", "UID FETCH 1:* (UID FLAGS)"); /* which the old modseq cannot spare us */
    answers(flags, 4, IMAP_FETCH_FLAGS, IMAP_FLAG_DELETED);
    answers(flags, 9, IMAP_FETCH_FLAGS, 0);
    ends(flags);
    ends(noop);
    asks_nothing();
}
END_TEST

START_TEST(another_uidvalidity_empties_it)
{
    struct asked asked;
    first_mount();
    const uint32_t id = mailbox_message_id_locked(box("INBOX"));
    close_world();
    world.poll_ms = 0;
    open_world();
    ask_stored("INBOX", &asked);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 1, 43, 4, 100);
    logged("UIDVALIDITY");
    struct imap_command *fetch = asks_all();
    ck_assert_uint_ne(mailbox_message_id_locked(box("INBOX")), id);
    ck_assert(!mailbox_known_locked(box("INBOX")));
    account_lock(world.account);
    account_unlock(world.account);
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ends(noop);
    ended(&asked, IMAP_OK);
    told("-3 -4 -9 L L ");
    close_world();
    world.poll_ms = HOUR_MS;
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 1);
    ck_assert_uint_eq(mailbox_uidvalidity_locked(box("INBOX")), 43);
    ck_assert(!message("INBOX", 3).size_verified); /* that was another message */
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    logged("cannot list");
}
END_TEST

/* It ends before the new one is listed: then nothing of the old one may be there. */
START_TEST(another_uidvalidity_empties_it_at_once)
{
    struct asked asked;
    first_mount();
    selects_on(1, "INBOX", 1, 43, 4, 100);
    logged("UIDVALIDITY");
    told("-3 -4 -9 L ");
    close_world();
    open_world();
    ck_assert_uint_eq(mailbox_uidvalidity_locked(box("INBOX")), 43);
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    ends_with(asks_all(), IMAP_NO);
    ended(&asked, IMAP_NO);
    logged("cannot list");
}
END_TEST

START_TEST(the_tree_is_what_the_server_says)
{
    struct asked asked;
    first_mount();
    close_world();
    world.lists[0] = (struct imap_list){.name = "New", .delimiter = '/'};
    open_world();
    ck_assert_ptr_null(mailbox_child_locked(world.account->root, "INBOX"));
    ck_assert_ptr_nonnull(below(box("Box"), "Below"));
    told("");
    close_world();
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    open_world();
    ck_assert(!ask_fresh(box("INBOX"), &asked)); /* nothing is known of it any more */
    ends_with(asks_all(), IMAP_NO);
    logged("cannot list");
}
END_TEST

/* Where the server is not asked, the tree is as it was. */
START_TEST(the_tree_is_stored)
{
    first_mount();
    close_world();
    world.list_status = IMAP_PROTO;
    ck_assert_int_eq(world_open(NULL, &err), IMAP_PROTO);
    logged("cannot list the mailboxes");
    world.list_status = IMAP_OK;
    struct account account = {.events = {.log = tell_log}};
    pthread_mutex_init(&account.lock, NULL);
    pending_init(&account.pending);
    tree_init(&account);
    stored_open(&account, world.dir, &(struct imap_endpoint){.timeout_ms = 1});
    struct mailbox *sent = below(below(account.top, "Box"), "Below");
    ck_assert_str_eq(mailbox_wire_name(sent), "Box/Below");
    ck_assert_str_eq(mailbox_special_use_locked(sent), "\\Sent");
    ck_assert(mailbox_subscribed_locked(sent) && mailbox_selectable_locked(sent));
    ck_assert(!mailbox_selectable_locked(below(account.top, "Box")));
    ck_assert(!mailbox_subscribed_locked(below(account.top, "INBOX")));
    ck_assert_uint_eq(mailbox_uidvalidity_locked(below(account.top, "INBOX")), 42);
    ck_assert(!mailbox_known_locked(below(account.top, "INBOX")));
    stored_close(&account);
    tree_fini(&account);
    ids_fini(&account.ids);
    flagsets_fini(&account.flagsets);
}
END_TEST

static char *store_path(const char *suffix)
{
    char *path = NULL;
    ck_assert_int_gt(asprintf(&path, "%s/@_993.db%s", world.dir, suffix), 0);
    return path;
}

static void change_file(const char *sql)
{
    sqlite3 *db = NULL;
    char *path = store_path("");
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
}

static void expect_whole_listing(struct asked *asked)
{
    struct imap_command *fetch = asks_all();
    selects("INBOX", 1, 42, 10, 100);
    answers(fetch, 3, EVERYTHING, 0);
    ends(fetch);
    ended(asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 1);
}

START_TEST(a_damaged_listing_is_not_shown)
{
    struct asked asked;
    first_mount();
    close_world();
    change_file("UPDATE messages SET flagset = 0 WHERE uid = 3");
    open_world();
    ask_stored("INBOX", &asked);
    ck_assert_uint_eq(asked.told, 0);
    logged("is damaged");
    expect_whole_listing(&asked);
    close_world();
    open_world(); /* and it was mended */
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 1);
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    logged("cannot list");
}
END_TEST

START_TEST(a_damaged_tree_is_set_aside)
{
    struct asked asked;
    struct stat st;
    first_mount();
    close_world();
    change_file("UPDATE mailboxes SET uidvalidity = 7");
    open_world();
    logged(".damaged");
    char *path = store_path(".damaged");
    ck_assert_int_eq(stat(path, &st), 0);
    free(path);
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    struct imap_command *fetch = asks_all();
    selects("INBOX", 1, 42, 10, 100);
    answers_with(fetch, 9, "work"); /* flags that the old file had */
    ends(fetch);
    ended(&asked, IMAP_OK);
    close_world();
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    ck_assert_str_eq(mailbox_flags_text_locked(box("INBOX"), message("INBOX", 9).flagset), "\\Seen work");
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    logged("cannot list");
}
END_TEST

/* "Proven" an hour from now: the clock was wrong then or is now, so how old it is is not known. */
START_TEST(a_clock_set_back_makes_it_old)
{
    struct asked asked;
    cap("CONDSTORE");
    first_mount();
    account_lock(world.account);
    struct mailbox *inbox = box("INBOX");
    inbox->stored.proven_ms += HOUR_MS / 2;
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox), 9, 778);
    account_unlock(world.account);
    told("~9 ");
    close_world();
    open_world();
    ask_stored("INBOX", &asked);
    ck_assert_uint_eq(asked.told, 0);
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", 3, 42, 10, 100);
    ends(noop);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(message("INBOX", 9).size, 778);
}
END_TEST

START_TEST(a_second_mount_at_once_does_without)
{
    struct asked asked;
    first_mount();
    struct account *first = world.account;
    open_world();
    struct account *second = world.account;
    logged("another imapfs");
    ck_assert_ptr_null(second->stored.store);
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    expect_whole_listing(&asked);
    told("L ");
    close_world();
    account_close(&first);
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    expect_first_listing(); /* the first one's, not the second one's */
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    logged("cannot list");
}
END_TEST

START_TEST(unmounting_ends_who_waits_for_the_store)
{
    struct asked asked;
    first_mount();
    close_world();
    open_world();
    stored_stop_loading(world.account);
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    ck_assert_uint_eq(asked.told, 0);
    close_world();
    ended(&asked, IMAP_CANCEL);
}
END_TEST

/* A lane sees another UIDVALIDITY while the old messages are still on their way. */
START_TEST(what_is_loaded_too_late_is_dropped)
{
    struct asked asked;
    first_mount();
    close_world();
    open_world();
    account_lock(world.account); /* nothing can be delivered */
    struct mailbox *inbox = box("INBOX");
    asked = (struct asked){.wait = {.done = asked_done}};
    ck_assert(!mailbox_fresh_locked(inbox, &asked.wait));
    mailbox_reset_locked(inbox, 43);
    account_unlock(world.account);
    settle();
    ck_assert(!mailbox_known_locked(inbox));
    ck_assert_uint_eq(mailbox_count_locked(inbox), 0);
    struct imap_command *fetch = asks_all();
    selects("INBOX", 1, 43, 10, 100);
    answers(fetch, 5, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(mailbox_count_locked(inbox), 1);
}
END_TEST

START_TEST(a_slow_disk_loses_the_listing_and_says_so)
{
    struct asked asked;
    open_world();
    store_limit_queue(world.account->stored.store, 0);
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    expect_whole_listing(&asked);
    settle();
    logged("too slow");
    selects("INBOX", 1, 42, 10, 100);
    flags_change(1, 3, IMAP_FLAG_SEEN);
    close_world();
    open_world();
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    expect_whole_listing(&asked); /* nothing was kept; now all is */
    close_world();
    open_world();
    ask_stored("INBOX", &asked);
    ended(&asked, IMAP_OK);
    store_limit_queue(world.account->stored.store, 0);
    account_lock(world.account);
    mailbox_learn_size_locked(box("INBOX"), mailbox_message_id_locked(box("INBOX")), 3, 5);
    account_unlock(world.account);
    logged("too slow");
    ends_with(asks("INBOX", "NOOP"), IMAP_NO);
    logged("cannot list");
    close_world();
    open_world();
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    expect_whole_listing(&asked);
}
END_TEST

/* ---- whatever happens to the columns ------------------------------------------------------------------ */

#define UIDS 300u

static uint64_t seed = 1;

static uint32_t draw(uint32_t below_this)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below_this;
}

static uint32_t draw_flags(void)
{
    const char *const keywords[] = {"one", "two", "three"};
    const struct imap_flags flags = {
        .system = draw(32), .keywords = keywords + draw(3), .keyword_count = draw(4) == 0};
    return flagset_intern(&world.account->flagsets, &flags);
}

/* Rising UIDs of which each is there with a chance of 1 in `sparse`. */
static void random_delta(struct mailbox *inbox)
{
    struct row rows[UIDS];
    uint32_t gone[UIDS];
    struct delta delta = {.rows = rows, .gone = gone, .whole = draw(8) == 0};
    const uint32_t sparse = 1 + draw(40), gone_sparse = 2 + draw(100);
    for (uint32_t uid = 1; uid < UIDS; uid++) {
        const uint8_t has[] = {ROW_ALL, ROW_FLAGS, ROW_ALL | ROW_MODSEQ, ROW_SIZE | ROW_VERIFIED};
        if (draw(sparse) == 0)
            rows[delta.row_count++] = (struct row){.uid = uid,
                                                   .flagset = draw_flags(),
                                                   .size = draw(5),
                                                   .date = draw(3),
                                                   .zone = (int16_t)draw(2),
                                                   .modseq = draw(3),
                                                   .objectid = draw(4),
                                                   .has = has[draw(4)]};
        else if (draw(gone_sparse) == 0)
            gone[delta.gone_count++] = uid;
    }
    account_lock(world.account);
    delta_apply_locked(inbox, &delta);
    account_unlock(world.account);
    world.told[0] = '\0';
}

struct copy {
    struct row row;
    char flags[64];
};

static size_t copy_columns(const struct mailbox *mailbox, struct copy *copies)
{
    for (size_t i = 0; i < mailbox->columns.count; i++) {
        columns_get(&mailbox->columns, i, &copies[i].row);
        snprintf(copies[i].flags, sizeof copies[i].flags, "%s",
                 mailbox_flags_text_locked(mailbox, copies[i].row.flagset));
    }
    return mailbox->columns.count;
}

static void quiet(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox, (void)uid;
}

START_TEST(every_delta_is_kept)
{
    struct copy before[UIDS], after[UIDS];
    first_mount();
    for (unsigned round = 0; round < 40; round++) {
        struct asked asked;
        world.account->events.message_new = world.account->events.message_gone =
            world.account->events.message_changed = quiet;
        for (unsigned i = draw(12); i; i--)
            random_delta(box("INBOX"));
        const size_t count = copy_columns(box("INBOX"), before);
        close_world();
        open_world();
        ask_stored("INBOX", &asked);
        ended(&asked, IMAP_OK);
        ck_assert_uint_eq(copy_columns(box("INBOX"), after), count);
        for (size_t i = 0; i < count; i++) {
            const struct row *one = &before[i].row, *other = &after[i].row;
            ck_assert(one->uid == other->uid && one->size == other->size && one->date == other->date &&
                      one->zone == other->zone && one->modseq == other->modseq &&
                      one->objectid == other->objectid && one->has == other->has);
            ck_assert_str_eq(before[i].flags, after[i].flags);
        }
        ends_with(asks("INBOX", "NOOP"), IMAP_NO);
        logged("cannot list");
    }
}
END_TEST

START_TEST(a_large_one_is_there_before_it_is_wanted)
{
    struct asked asked;
    open_world();
    ck_assert(!ask_fresh(box("INBOX"), &asked));
    struct imap_command *fetch = asks_all();
    selects("INBOX", 1000, 42, 1001, 100);
    for (uint32_t uid = 1; uid <= 1000; uid++)
        answers(fetch, uid, EVERYTHING, 0);
    ends(fetch);
    close_world();
    open_world();
    settle();
    ck_assert_uint_eq(mailbox_count_locked(box("INBOX")), 1000);
    asks_nothing();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_second_mount_asks_for_nothing,
        an_old_listing_is_proven_by_one_command,
        what_changed_meanwhile_is_asked_for,
        news_are_kept,
        another_uidvalidity_empties_it,
        another_uidvalidity_empties_it_at_once,
        the_tree_is_what_the_server_says,
        the_tree_is_stored,
        a_damaged_listing_is_not_shown,
        a_damaged_tree_is_set_aside,
        a_clock_set_back_makes_it_old,
        a_second_mount_at_once_does_without,
        unmounting_ends_who_waits_for_the_store,
        what_is_loaded_too_late_is_dropped,
        a_slow_disk_loses_the_listing_and_says_so,
        every_delta_is_kept,
        a_large_one_is_there_before_it_is_wanted,
        NULL,
    };
    Suite *suite = suite_create("stored");
    TCase *tcase = tcase_create("stored");
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
