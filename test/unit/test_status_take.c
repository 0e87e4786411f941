/* SPDX-License-Identifier: MIT */
/* What a snapshot takes from the model: which mailboxes, in which order, how fresh, watched by what. */
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
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
