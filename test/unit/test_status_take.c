/* SPDX-License-Identifier: MIT */
/* What a snapshot takes from the model: which mailboxes, in which order, how fresh, watched by what. */
#include "draft_internal.h"
#include "imap/poolstatus.h"
#include "mailbox_internal.h"
#include "model_world.h"
#include "status.h"

static struct status status;
static char names[40][16];

/* The world's pool has this to tell. */
static struct imap_pool_status pool;

void imap_pool_status(struct imap_pool *pool_in, struct imap_pool_status *status_out)
{
    (void)pool_in;
    *status_out = pool;
}

static void setup(void)
{
    world_init();
    world.poll_ms = 60000;
    pool = (struct imap_pool_status){.now_ms = model_now_ms(), .connected = true, .count = 3};
    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "m%02u/below", i);
        world.lists[i] = (struct imap_list){.name = names[i], .delimiter = '/'};
    }
    world.list_count = 40;
}

static void begin(void)
{
    struct imap_error err = {0};
    cap("IDLE");
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
}

static void teardown(void)
{
    status_fini(&status);
    world_fini();
}

static void take(void)
{
    status_fini(&status);
    status = (struct status){0};
    status_take(world.account, &status);
}

static struct mailbox *parent_of(unsigned number)
{
    char name[8];
    snprintf(name, sizeof name, "m%02u", number);
    return below(world.account->root, name);
}

static struct mailbox *box(unsigned number)
{
    return below(parent_of(number), "below");
}

static void expect(size_t at, const char *name, enum status_freshness freshness, enum status_watch by)
{
    ck_assert_uint_gt(status.mailbox_count, at);
    ck_assert_str_eq(status.mailboxes[at].name, name);
    ck_assert_int_eq(status.mailboxes[at].freshness, freshness);
    ck_assert_int_eq(status.mailboxes[at].by, by);
}

START_TEST(nothing_was_looked_at)
{
    begin();
    take();
    ck_assert_uint_eq(status.mailbox_total, 40); /* their parents are made up, and no mailboxes */
    ck_assert_uint_eq(status.mailbox_known, 0);
    ck_assert_uint_eq(status.mailbox_count, 0);
    ck_assert_uint_eq(status.syncs, 0);
    ck_assert(!status.notify && !status.listing);
    ck_assert_int_gt(status.listed_ms, 0);
    ck_assert_uint_eq(status.bodies.limit, 1 << 20);
    ck_assert_uint_eq(status.poll_ms, 60000);
    ck_assert(status.has_store && !status.store.lost);
    ck_assert_int_eq(strncmp(status.store.path, world.dir, strlen(world.dir)), 0);
    ck_assert(status.caps_known && imap_caps_has(&status.caps, IMAP_CAP_IDLE));
}
END_TEST

START_TEST(those_used_last_come_first)
{
    begin();
    for (unsigned i = 0; i < 40; i++) {
        box(i)->known = parent_of(i)->known = true;
        box(i)->used_ms = 1000 + i * 7 % 40; /* each once */
        parent_of(i)->proven_ms = i + 1;     /* never used */
    }
    take();
    ck_assert_uint_eq(status.mailbox_count, STATUS_MAILBOXES_MAX);
    for (size_t i = 0; i < 40; i++) {
        char name[16];
        unsigned number = 0;
        while (number * 7 % 40 != 39 - i)
            number++;
        snprintf(name, sizeof name, "m%02u/below", number);
        ck_assert_str_eq(status.mailboxes[i].name, name);
    }
    for (size_t i = 40; i < STATUS_MAILBOXES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%02zu", 39 - (i - 40));
        ck_assert_str_eq(status.mailboxes[i].name, name);
    }
    box(5)->gone = true;
    take();
    ck_assert_uint_eq(status.mailbox_total, 39);
    for (size_t i = 0; i < STATUS_MAILBOXES_MAX; i++)
        ck_assert_str_ne(status.mailboxes[i].name, "m05/below");
}
END_TEST

START_TEST(how_fresh_and_by_what)
{
    struct watch *watch;
    begin();
    for (unsigned i = 1; i <= 5; i++) {
        box(i)->known = true;
        box(i)->used_ms = 100 - i;
    }
    watch = &world.account->watch;
    watch->selected = box(1);
    watch->exact = true;
    box(2)->cover = (struct cover){.by = COVER_NOTIFY | COVER_IDLE, .calm = true};
    box(3)->cover = (struct cover){.by = COVER_IDLE};
    box(4)->proven_ms = model_now_ms();
    box(5)->cover = (struct cover){.by = COVER_NOTIFY};
    take();
    expect(0, "m01/below", STATUS_CURRENT, STATUS_IDLE);
    expect(1, "m02/below", STATUS_CURRENT, STATUS_IDLE); /* which tells sooner */
    expect(2, "m03/below", STATUS_OLD, STATUS_IDLE);
    expect(3, "m04/below", STATUS_FRESH, STATUS_POLL);
    expect(4, "m05/below", STATUS_OLD, STATUS_NOTIFY);
    ck_assert_uint_eq(status.mailbox_watched, 4);
    ck_assert_uint_eq(status.mailbox_known, 5);
    ck_assert(status.notify);
    imap_caps_hide(&world.caps, "IDLE"); /* what is selected is asked then, with NOOP */
    take();
    expect(0, "m01/below", STATUS_OLD, STATUS_POLL);
}
END_TEST

START_TEST(a_wait_begins_a_synchronisation)
{
    static struct asked asked; /* until the account is closed */
    const int64_t before = model_now_ms();
    begin();
    ck_assert(!ask_fresh(box(7), &asked));
    box(7)->known = true;
    take();
    ck_assert_uint_eq(status.syncs, 1);
    expect(0, "m07/below", STATUS_SYNCING, STATUS_POLL);
    ck_assert_int_ge(box(7)->used_ms, before);
}
END_TEST

START_TEST(connections_have_paths)
{
    begin();
    snprintf(pool.connections[0].mailbox, sizeof pool.connections[0].mailbox, "m03/below");
    snprintf(pool.connections[1].mailbox, sizeof pool.connections[1].mailbox, "who/knows");
    take();
    ck_assert_str_eq(status.places[0], "m03/below");
    ck_assert_str_eq(status.places[1], "who/knows");
    ck_assert_ptr_null(status.places[2]);
}
END_TEST

/* ---- what is not on the server ------------------------------------------------------------------------ */

static void begin_writing(const char *root)
{
    struct imap_error err = {0};
    world.read_write = true;
    ck_assert_msg(world_open(root, &err) == IMAP_OK, "%s", err.text);
}

/* Held. */
static struct draft *writes(struct mailbox *mailbox, const char *name, const char *text)
{
    struct imap_error err = {0};
    struct draft *draft;
    ck_assert_msg(!draft_new(world.account, &draft, &err), "%s", err.text);
    account_lock(world.account);
    draft_name_locked(draft, mailbox, name);
    account_unlock(world.account);
    ck_assert_int_eq(draft_write(draft, text, strlen(text), 0), (ssize_t)strlen(text));
    account_lock(world.account);
    draft_set_mtime_locked(draft, (struct timespec){.tv_sec = 1000000000});
    account_unlock(world.account);
    return draft;
}

static void closes(struct draft *draft)
{
    account_lock(world.account);
    draft_close_locked(draft);
    account_unlock(world.account);
}

static void expect_file(size_t at, const char *path, uint64_t size, enum status_draft_state state,
                        const char *why)
{
    ck_assert_uint_gt(status.draft_shown, at);
    ck_assert_str_eq(status.drafts[at].path, path);
    ck_assert_uint_eq(status.drafts[at].size, size);
    ck_assert_int_eq(status.drafts[at].date, 1000000000);
    ck_assert_int_eq(status.drafts[at].state, state);
    ck_assert_msg(strncmp(status.drafts[at].why, why, strlen(why)) == 0 && !*why == !*status.drafts[at].why,
                  "%s", status.drafts[at].why);
}

START_TEST(files_that_are_not_on_the_server)
{
    begin();
    take();
    ck_assert(!status.read_write && !status.draft_count);
    account_close(&world.account);
    begin_writing(NULL);
    take();
    ck_assert(status.read_write && !status.draft_count && !status.draft_shown);
    struct draft *sending = writes(box(5), "sending.eml", "123");
    struct draft *open = writes(below(world.account->root, "m03"), "open.eml", "12345");
    closes(writes(box(4), "empty.eml", ""));
    struct draft *half = writes(box(4), "half.eml", "1234567");
    closes(writes(box(3), ".local", "12"));
    struct draft *failed = writes(box(3), "failed.eml", "1");
    struct draft *nameless = writes(box(3), "nameless.eml", "1");
    account_lock(world.account);
    sending->state = DRAFT_SENDING;
    failed->state = DRAFT_FAILED;
    imap_error_set(&failed->err, IMAP_NO, "quota exceeded");
    draft_spoil_locked(half);
    ck_assert(draft_unname_locked(nameless));
    account_unlock(world.account);
    closes(half);
    take();
    ck_assert(status.draft_count == 5 && status.draft_shown == 5 && status.local_count == 1);
    ck_assert_uint_eq(status.draft_bytes, 16);
    expect_file(0, "m04/below/half.eml", 7, STATUS_UNSENT,
                "it was not written as a whole"); /* before all others */
    expect_file(1, "m03/below/failed.eml", 1, STATUS_UNSENT, "quota exceeded");
    expect_file(2, "m05/below/sending.eml", 3, STATUS_SENDING, "");
    expect_file(3, "m03/open.eml", 5, STATUS_WRITING, "");
    expect_file(4, "m04/below/empty.eml", 0, STATUS_EMPTY, "");
    ck_assert(status.draft_states[STATUS_UNSENT] == 2 && status.draft_states[STATUS_SENDING] == 1 &&
              status.draft_states[STATUS_WRITING] == 1 && status.draft_states[STATUS_EMPTY] == 1);
    account_lock(world.account);
    sending->state = DRAFT_LOCAL;
    account_unlock(world.account);
    closes(sending);
    closes(open);
    closes(failed);
    closes(nameless);
}
END_TEST

/* Named as in the mount, which need not be of the whole account. */
START_TEST(a_mount_of_one_mailbox)
{
    begin_writing("m03");
    struct draft *inside = writes(below(world.account->root, "below"), "inside.eml", "1");
    struct draft *root = writes(world.account->root, "root.eml", "1");
    take();
    expect_file(0, "below/inside.eml", 1, STATUS_WRITING, "");
    expect_file(1, "root.eml", 1, STATUS_WRITING, "");
    closes(inside);
    closes(root);
}
END_TEST

START_TEST(many_files_are_counted)
{
    enum { MANY = STATUS_DRAFTS_MAX + 5 };
    struct draft *drafts[MANY];
    begin_writing(NULL);
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.eml", i);
        drafts[i] = writes(box(1), name, "1");
    }
    closes(drafts[MANY - 2]); /* nobody has sent it */
    closes(drafts[MANY - 1]);
    take();
    ck_assert(status.draft_count == MANY && status.draft_shown == STATUS_DRAFTS_MAX);
    ck_assert_str_eq(status.drafts[0].path, "m01/below/53.eml");
    ck_assert_str_eq(status.drafts[1].path, "m01/below/54.eml");
    ck_assert_str_eq(status.drafts[2].path, "m01/below/0.eml");
    ck_assert_uint_eq(status.draft_states[STATUS_UNSENT], 2);
    for (unsigned i = 0; i < MANY - 2; i++)
        closes(drafts[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status_take");
    TCase *tcase = tcase_create("status_take");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_was_looked_at);
    tcase_add_test(tcase, those_used_last_come_first);
    tcase_add_test(tcase, how_fresh_and_by_what);
    tcase_add_test(tcase, a_wait_begins_a_synchronisation);
    tcase_add_test(tcase, connections_have_paths);
    tcase_add_test(tcase, files_that_are_not_on_the_server);
    tcase_add_test(tcase, a_mount_of_one_mailbox);
    tcase_add_test(tcase, many_files_are_counted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
