/* SPDX-License-Identifier: MIT */
/* Changes that wait: what their callers are told, how the tree looks, what the server is asked and in which order, and
 * what becomes of what it refuses, of a lost line, and of the next mount. The server is the test. */
#include "write_world.h"

#include <time.h>

#include "draft_internal.h"
#include "draftcopy.h"
#include "outage.h"
#include "send.h"
#include "writeback_internal.h"

#define DEADLINE_S 20
#define CAPS "UIDPLUS MOVE"
#define UPLOADED "APPEND INBOX \" 9-Sep-2001 01:46:40 +0000\" "

struct caller {
    struct wait wait;
    unsigned told;
    struct imap_error err;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct caller one, two, three;

static void on_told(struct wait *wait, const struct imap_error *err)
{
    struct caller *caller = (struct caller *)wait;
    pthread_mutex_lock(&lock);
    caller->told++;
    if (err)
        caller->err = *err;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct timespec deadline(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    return until;
}

static void await_told(struct caller *caller, enum imap_status status)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&lock);
    while (!caller->told)
        ck_assert_msg(!pthread_cond_timedwait(&changed, &lock, &until), "nobody is told");
    pthread_mutex_unlock(&lock);
    ck_assert_uint_eq(caller->told, 1);
    ck_assert_msg(caller->err.status == status, "%d: %s", caller->err.status, caller->err.text);
}

static struct imap_command *next_command(const char *expected)
{
    const struct timespec until = deadline();
    pthread_mutex_lock(&world_lock);
    while (!world.jobs)
        ck_assert_msg(!pthread_cond_timedwait(&world_changed, &world_lock, &until),
                      "nothing is asked instead of %s", expected);
    struct job *job = world.jobs;
    world.jobs = job->next;
    pthread_mutex_unlock(&world_lock);
    struct imap_command *command = job->command;
    free(job);
    return command;
}

/* The next command, when the writeback's thread or the sender's has begun it. Whether the mailbox is looked at before
 * or after it is not told. */
static struct imap_command *await_command(const char *expected)
{
    char text[300] = "";
    for (;;) {
        struct imap_command *command = next_command(expected);
        snprintf(text, sizeof text, "%.*s", (int)command->len, command->bytes);
        if (strcmp(text, "NOOP") != 0) {
            ck_assert_str_eq(text, expected);
            return command;
        }
        ends(command);
    }
}

static void open_with(const char *caps)
{
    write_world_init();
    world.writeback = true;
    write_world_open(caps);
}

static void close_world(void)
{
    if (world.jobs) /* to see what was uploaded */
        ends(asks("INBOX", "NOOP"));
    asks_nothing();
    world_fini();
}

static void count_intent(void *arg, const struct intent *intent)
{
    (void)intent;
    ++*(unsigned *)arg;
}

/* What the next mount would find. */
static unsigned left_on_disk(void)
{
    const struct store_events events = {0};
    const struct imap_endpoint endpoint = {0};
    struct imap_error err = {0};
    struct store *store = NULL;
    unsigned count = 0;
    account_close(&world.account);
    ck_assert_msg(!store_open(world.dir, &endpoint, &events, NULL, &store, &err), "%s", err.text);
    ck_assert(store_read_intents(store, count_intent, &count));
    store_close(&store);
    return count;
}

static struct caller new_caller(void)
{
    return (struct caller){.wait = {.done = on_told}};
}

/* A caller is told without anything having been asked of the server. */
static void is_told_at_once(struct caller *caller)
{
    await_told(caller, IMAP_OK);
}

static void removes(uint32_t uid, struct caller *caller)
{
    *caller = new_caller();
    account_lock(world.account);
    writeback_delete_locked(inbox, mailbox_message_id_locked(inbox), uid, &caller->wait);
    account_unlock(world.account);
}

static void goes_to(uint32_t uid, struct mailbox *to, const char *file, struct caller *caller)
{
    *caller = new_caller();
    account_lock(world.account);
    writeback_move_locked(inbox, mailbox_message_id_locked(inbox), uid, to, file, &caller->wait);
    account_unlock(world.account);
}

static bool hidden(uint32_t uid)
{
    account_lock(world.account);
    const bool hides = writeback_hides_locked(inbox, uid);
    account_unlock(world.account);
    return hides;
}

static uint32_t coming(struct mailbox *to, const char *file)
{
    struct coming found;
    account_lock(world.account);
    const uint32_t uid = writeback_coming_locked(to, file, &found) ? found.uid : 0;
    account_unlock(world.account);
    return uid;
}

static bool nameless(const struct mailbox *to)
{
    account_lock(world.account);
    const bool some = writeback_nameless_locked(to);
    account_unlock(world.account);
    return some;
}

static bool barrier(struct caller *caller, bool tells)
{
    *caller = new_caller();
    account_lock(world.account);
    const bool passed = tells ? writeback_synced_locked(world.account, &caller->wait)
                              : writeback_settled_locked(world.account, &caller->wait);
    account_unlock(world.account);
    return passed;
}

static struct writeback_state state(void)
{
    struct writeback_state state;
    account_lock(world.account);
    writeback_state_locked(world.account, &state);
    account_unlock(world.account);
    return state;
}

/* STORE and UID EXPUNGE of these, and the server does it. */
static void is_deleted(const char *set, uint32_t first, uint32_t last)
{
    char text[80];
    snprintf(text, sizeof text, "UID STORE %s +FLAGS.SILENT (\\Deleted)", set);
    struct imap_command *store = await_command(text);
    snprintf(text, sizeof text, "UID EXPUNGE %s", set);
    struct imap_command *expunge = await_command(text);
    for (uint32_t uid = last; uid >= first && uid; uid--)
        expunges((uint32_t)mailbox_position_locked(inbox, uid) + 1, uid);
    both_end(store, expunge, IMAP_OK);
}

static void is_refused(const char *set, enum imap_code code)
{
    char text[80];
    snprintf(text, sizeof text, "UID STORE %s +FLAGS.SILENT (\\Deleted)", set);
    struct imap_command *store = await_command(text);
    snprintf(text, sizeof text, "UID EXPUNGE %s", set);
    struct imap_command *expunge = await_command(text);
    ends_saying(store, IMAP_NO, code, NULL, 0);
    ends_with(expunge, IMAP_OK);
}

/* ---- deletes --------------------------------------------------------------------------------------- */

START_TEST(callers_do_not_wait_for_the_server)
{
    open_with(CAPS);
    removes(2, &one);
    is_told_at_once(&one);
    removes(3, &two);
    is_told_at_once(&two);
    ck_assert(hidden(2) && hidden(3) && !hidden(4));
    ck_assert_uint_eq(state().deletes, 2);
    ck_assert(!barrier(&three, true));
    is_deleted("2:3", 2, 3);
    await_told(&three, IMAP_OK);
    ck_assert_uint_eq(state().deletes, 0);
    ck_assert(!hidden(2) && !has(inbox, 2));
    close_world();
}
END_TEST

START_TEST(what_is_refused_is_in_view_again)
{
    open_with(CAPS);
    removes(2, &one);
    removes(3, &two);
    is_told_at_once(&two);
    ck_assert(!barrier(&three, true));
    is_refused("2:3", IMAP_CODE_NOPERM); /* so each by itself */
    is_deleted("2", 2, 2);
    is_refused("3", IMAP_CODE_NOPERM);
    await_told(&three, IMAP_NO);
    ck_assert_int_eq(three.err.code, IMAP_CODE_NOPERM);
    ck_assert(!hidden(3) && has(inbox, 3) && !has(inbox, 2));
    ck_assert_uint_eq(state().refusal_count, 1);
    ck_assert_ptr_nonnull(strstr(state().refusals[0].text, "3.eml in INBOX is not deleted: refused"));
    ck_assert(barrier(&three, true)); /* it is told once */
    asks_nothing();
    ck_assert_uint_eq(left_on_disk(), 0);
    world_fini();
}
END_TEST

/* Also when the message has gone, and its name with it. */
START_TEST(what_is_refused_has_the_name_that_it_had)
{
    open_with(CAPS);
    account_lock(world.account);
    ck_assert(naming_set_locked(inbox, 7, 3, "letter.eml"));
    account_unlock(world.account);
    goes_to(3, archive, "x.eml", &one);
    is_told_at_once(&one);
    struct imap_command *move = await_command("UID MOVE 3 Archive");
    expunges(3, 3); /* by somebody else */
    copied(move, "7 2 9");
    ck_assert_ptr_nonnull(strstr(state().refusals[0].text, "letter.eml in INBOX is not moved"));
    close_world();
}
END_TEST

START_TEST(a_temporary_refusal_is_asked_again)
{
    open_with(CAPS);
    removes(2, &one);
    is_told_at_once(&one);
    is_refused("2", IMAP_CODE_UNAVAILABLE);
    ck_assert(hidden(2));
    is_deleted("2", 2, 2);
    ck_assert(!hidden(2));
    close_world();
}
END_TEST

START_TEST(what_is_impossible_is_refused_at_once)
{
    open_with(CAPS);
    removes(9, &one);
    await_told(&one, IMAP_GONE);
    ck_assert_uint_eq(state().deletes, 0);
    close_world();
}
END_TEST

/* ---- moves ----------------------------------------------------------------------------------------- */

START_TEST(a_message_on_its_way_is_found_where_it_goes)
{
    struct coming next;
    open_with(CAPS);
    goes_to(3, archive, "x.eml", &one);
    is_told_at_once(&one);
    ck_assert(hidden(3));
    ck_assert_uint_eq(coming(archive, "x.eml"), 3);
    ck_assert_uint_eq(coming(archive, "3.eml"), 0);
    ck_assert_uint_eq(coming(trash, "x.eml"), 0);
    account_lock(world.account);
    ck_assert(writeback_next_coming_locked(archive, 0, &next));
    ck_assert_str_eq(next.file, "x.eml");
    ck_assert(!writeback_next_coming_locked(archive, next.number, &next));
    account_unlock(world.account);
    struct imap_command *move = await_command("UID MOVE 3 Archive");
    expunges(3, 3);
    copied(move, "7 3 3");
    ck_assert_uint_eq(coming(archive, "x.eml"), 0);
    ck_assert_uint_eq(naming_uid_locked(archive, "x.eml"), 3);
    close_world();
}
END_TEST

START_TEST(one_without_a_name_is_waited_for)
{
    open_with(CAPS);
    goes_to(3, archive, NULL, &one);
    is_told_at_once(&one);
    ck_assert(nameless(archive) && !nameless(trash));
    ck_assert(!barrier(&two, false));
    struct imap_command *move = await_command("UID MOVE 3 Archive");
    expunges(3, 3);
    copied(move, "7 3 3");
    await_told(&two, IMAP_OK);
    ck_assert(!nameless(archive));
    close_world();
}
END_TEST

START_TEST(a_move_that_is_refused_goes_back)
{
    open_with(CAPS);
    goes_to(3, archive, "x.eml", &one);
    is_told_at_once(&one);
    ends_saying(await_command("UID MOVE 3 Archive"), IMAP_NO, IMAP_CODE_OVERQUOTA, NULL, 0);
    ck_assert(!hidden(3));
    ck_assert_uint_eq(coming(archive, "x.eml"), 0);
    ck_assert_uint_eq(state().refusal_count, 1);
    close_world();
}
END_TEST

/* ---- order ----------------------------------------------------------------------------------------- */

static void uploads(const char *name)
{
    struct imap_error err = {0};
    struct draft *draft = NULL;
    one = new_caller();
    ck_assert_msg(draft_new(world.account, &draft, &err) == IMAP_OK, "%s", err.text);
    account_lock(world.account);
    draft_name_locked(draft, inbox, name);
    account_unlock(world.account);
    ck_assert_int_eq(draft_write(draft, "X: x\r\n\r\n", 8, 0), 8);
    account_lock(world.account);
    draft_set_mtime_locked(draft, (struct timespec){.tv_sec = 1000000000});
    ck_assert(!draft_post_locked(draft, writeback_number_locked(world.account), &one.wait));
    account_unlock(world.account);
    is_told_at_once(&one);
    account_lock(world.account);
    writeback_upload_locked(draft);
    draft_close_locked(draft);
    account_unlock(world.account);
}

static void is_uploaded(uint32_t uid)
{
    struct imap_range range = {uid, uid};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    char args[32];
    snprintf(args, sizeof args, "7 %u", uid);
    const struct imap_text text = {
        .text = "", .code = IMAP_CODE_APPENDUID, .code_args = args, .uidvalidity = 7, .to = &set};
    const struct imap_result result = {.status = IMAP_OK, .text = &text};
    struct imap_command *append = await_command(UPLOADED);
    append->events.done(append->arg, &result);
    imap_command_free(&append);
}

START_TEST(everything_is_done_in_order)
{
    open_with(CAPS);
    removes(1, &two);
    uploads("x.eml");
    is_told_at_once(&two);
    removes(2, &three);
    is_told_at_once(&three);
    ck_assert_uint_eq(state().uploads, 1);
    is_deleted("1", 1, 1);
    is_uploaded(6);
    is_deleted("2", 2, 2);
    ck_assert_uint_eq(naming_uid_locked(inbox, "x.eml"), 6);
    close_world();
}
END_TEST

/* ---- copies ---------------------------------------------------------------------------------------- */

/* As cp does it. */
static void is_copied_to(uint32_t uid, struct mailbox *to, const char *name)
{
    struct imap_error err = {0};
    struct message message;
    struct draft *draft = NULL;
    one = new_caller();
    ck_assert_msg(draft_new(world.account, &draft, &err) == IMAP_OK, "%s", err.text);
    account_lock(world.account);
    draft_name_locked(draft, to, name);
    ck_assert(mailbox_find_locked(inbox, uid, &message));
    ck_assert(draftcopy_begin_locked(draft, inbox, &message));
    ck_assert(!writeback_copy_locked(draft, &one.wait));
    account_unlock(world.account);
    is_told_at_once(&one);
    account_lock(world.account);
    writeback_upload_locked(draft);
    draft_close_locked(draft);
    ck_assert_ptr_null(draft_find_locked(to, name));
    account_unlock(world.account);
    ck_assert_uint_eq(coming(to, name), uid);
}

START_TEST(copies_are_made_together)
{
    open_with(CAPS);
    is_copied_to(2, archive, "x.eml");
    is_copied_to(3, archive, "y.eml");
    ck_assert(!hidden(2));
    ck_assert_uint_eq(state().copies, 2);
    copied(await_command("UID COPY 2:3 Archive"), "7 2:3 3:4");
    ck_assert_uint_eq(coming(archive, "x.eml"), 0);
    ck_assert_uint_eq(naming_uid_locked(archive, "x.eml"), 3);
    ck_assert_uint_eq(naming_uid_locked(archive, "y.eml"), 4);
    asks_nothing();
    ck_assert_uint_eq(left_on_disk(), 0);
    world_fini();
}
END_TEST

START_TEST(what_was_not_copied_is_not_deleted)
{
    open_with(CAPS);
    is_copied_to(2, archive, "x.eml");
    removes(2, &two);
    removes(3, &three);
    is_told_at_once(&two);
    is_told_at_once(&three);
    ends_saying(await_command("UID COPY 2 Archive"), IMAP_NO, IMAP_CODE_OVERQUOTA, NULL, 0);
    is_deleted("3", 3, 3);
    ck_assert(!hidden(2) && has(inbox, 2) && !has(inbox, 3));
    ck_assert_uint_eq(state().refusal_count, 2);
    asks_nothing();
    ck_assert_uint_eq(left_on_disk(), 0);
    world_fini();
}
END_TEST

START_TEST(a_copy_that_may_have_been_made_is_not_made_again)
{
    open_with(CAPS);
    is_copied_to(2, archive, "x.eml");
    ends_with(await_command("UID COPY 2 Archive"), IMAP_UNSURE);
    ck_assert_uint_eq(state().copies, 0);
    ck_assert_uint_eq(state().refusal_count, 1);
    close_world();
}
END_TEST

/* ---- the line -------------------------------------------------------------------------------------- */

START_TEST(a_lost_line_loses_nothing)
{
    open_with(CAPS);
    goes_to(3, archive, "x.eml", &one);
    is_told_at_once(&one);
    struct imap_command *move = await_command("UID MOVE 3 Archive");
    lose_line(move, NULL, IMAP_UNSURE);
    comes_back(0); /* it was not done */
    ck_assert(hidden(3));
    ck_assert_uint_eq(coming(archive, "x.eml"), 3);
    move = await_command("UID MOVE 3 Archive");
    expunges(3, 3);
    copied(move, "7 3 3");
    ck_assert_uint_eq(naming_uid_locked(archive, "x.eml"), 3);
    close_world();
}
END_TEST

/* Nobody knows whether the copy is there, so it is not made twice. */
START_TEST(what_the_trash_takes_by_a_copy_is_not_copied_twice)
{
    write_world_init();
    world.writeback = true;
    world.trash = "Archive";
    write_world_open("UIDPLUS");
    removes(3, &one);
    is_told_at_once(&one);
    ck_assert(!barrier(&two, true));
    struct imap_command *copy = await_command("UID COPY 3 Archive");
    lose_line(copy, NULL, IMAP_UNSURE);
    comes_back(0);
    await_told(&two, IMAP_UNSURE);
    ck_assert(!hidden(3));
    ck_assert_ptr_nonnull(strstr(state().refusals[0].text, "3.eml in INBOX is not deleted"));
    close_world();
}
END_TEST

START_TEST(who_waits_is_told_that_the_server_is_away)
{
    struct imap_error err = {0};
    open_with(CAPS);
    removes(2, &one);
    is_told_at_once(&one);
    struct imap_command *store = await_command("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    struct imap_command *expunge = await_command("UID EXPUNGE 2");
    ck_assert(!barrier(&two, true));
    imap_error_set(&err, IMAP_AGAIN, "the line is lost");
    outage_reachable(world.account, &err);
    await_told(&two, IMAP_AGAIN);
    ck_assert(!barrier(&two, true));
    await_told(&two, IMAP_AGAIN);
    both_end(store, expunge, IMAP_AGAIN);
    store = await_command("UID STORE 2 +FLAGS.SILENT (\\Deleted)"); /* once more, as that does no harm */
    expunge = await_command("UID EXPUNGE 2");
    both_end(store, expunge, IMAP_AGAIN);
    ck_assert(hidden(2));
    if (world.jobs)
        ends(asks("INBOX", "NOOP"));
    ck_assert_uint_eq(left_on_disk(), 1);
    world_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writeback");
    TCase *tcase = tcase_create("writeback");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, callers_do_not_wait_for_the_server);
    tcase_add_test(tcase, what_is_refused_is_in_view_again);
    tcase_add_test(tcase, what_is_refused_has_the_name_that_it_had);
    tcase_add_test(tcase, a_temporary_refusal_is_asked_again);
    tcase_add_test(tcase, what_is_impossible_is_refused_at_once);
    tcase_add_test(tcase, a_message_on_its_way_is_found_where_it_goes);
    tcase_add_test(tcase, one_without_a_name_is_waited_for);
    tcase_add_test(tcase, a_move_that_is_refused_goes_back);
    tcase_add_test(tcase, everything_is_done_in_order);
    tcase_add_test(tcase, copies_are_made_together);
    tcase_add_test(tcase, what_was_not_copied_is_not_deleted);
    tcase_add_test(tcase, a_copy_that_may_have_been_made_is_not_made_again);
    tcase_add_test(tcase, a_lost_line_loses_nothing);
    tcase_add_test(tcase, what_the_trash_takes_by_a_copy_is_not_copied_twice);
    tcase_add_test(tcase, who_waits_is_told_that_the_server_is_away);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
