/* SPDX-License-Identifier: MIT */
/* Names of messages, both ways: each has one, no two have the same, and whoever was told another is told. */
#include "mailbox_internal.h"
#include "model_world.h"

#define UIDS 12u
#define VALIDITY 7u

static struct mailbox *inbox;
static struct imap_error err;
static char told_names[1 << 20];

static void on_name(void *arg, struct mailbox *mailbox, const char *name)
{
    (void)arg;
    ck_assert_ptr_eq(mailbox, inbox);
    const size_t len = strlen(told_names);
    ck_assert_uint_lt(len + strlen(name) + 3, sizeof told_names);
    snprintf(told_names + len, sizeof told_names - len, "/%s/", name);
}

static void open_world(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
    world.account->events.name_changed = on_name;
    account_lock(world.account);
    inbox = below(account_root(world.account), "INBOX");
}

static void setup(void)
{
    world_init();
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "INBOX/box.eml", .delimiter = '/'};
    world.list_count = 2;
    open_world();
    mailbox_reset_locked(inbox, VALIDITY);
    inbox->known = true;
    told_names[0] = '\0';
}

static void teardown(void)
{
    account_unlock(world.account);
    world_fini();
}

static void arrive(uint32_t uid)
{
    const struct row row = {.uid = uid, .size = 1, .date = 1, .has = ROW_ALL};
    delta_apply_locked(inbox, &(struct delta){.rows = &row, .row_count = 1});
}

static void go(uint32_t uid)
{
    delta_apply_locked(inbox, &(struct delta){.gone = &uid, .gone_count = 1});
}

static bool is_there(uint32_t uid)
{
    struct message message;
    return mailbox_find_locked(inbox, uid, &message);
}

/* What a name leads to. */
static uint32_t leads(const char *file)
{
    const uint32_t uid = naming_uid_locked(inbox, file);
    return uid && is_there(uid) ? uid : 0;
}

static const char *listed(uint32_t uid)
{
    static char file[NAME_SIZE];
    naming_file_locked(inbox, uid, file);
    return file;
}

static bool name(uint32_t uid, const char *file)
{
    return naming_set_locked(inbox, VALIDITY, uid, file);
}

/* ---- the rules ---- */

START_TEST(a_written_name_is_listed_and_its_number_leads_there_too)
{
    arrive(1);
    ck_assert(naming_is_plain_locked(inbox));
    ck_assert_str_eq(listed(1), "1.eml");
    ck_assert(name(1, "letter.eml"));
    ck_assert_str_eq(listed(1), "letter.eml");
    ck_assert(naming_lists_locked(inbox, 1, "letter.eml") && !naming_lists_locked(inbox, 1, "1.eml"));
    ck_assert_uint_eq(leads("letter.eml"), 1);
    ck_assert_uint_eq(leads("1.eml"), 1);
    ck_assert(name(1, "1.eml"));
    ck_assert_str_eq(listed(1), "1.eml");
    ck_assert_uint_eq(leads("letter.eml"), 0);
    ck_assert(naming_is_plain_locked(inbox));
}
END_TEST

/* rsync writes 10.eml, then asks for 2.eml: it must not be given 10.eml. */
START_TEST(what_was_written_under_a_number_is_not_found_under_its_own)
{
    arrive(1);
    arrive(2);
    ck_assert(name(2, "10.eml"));
    ck_assert_uint_eq(leads("2.eml"), 0);
    ck_assert_uint_eq(leads("10.eml"), 2);
    arrive(10);
    ck_assert_str_eq(listed(10), "=10.eml");
    ck_assert_uint_eq(leads("=10.eml"), 10);
    ck_assert_uint_eq(leads("10.eml"), 2);
    go(2);
    ck_assert_str_eq(listed(10), "10.eml");
    ck_assert_uint_eq(leads("10.eml"), 10);
    ck_assert_uint_eq(leads("=10.eml"), 10); /* rm *.eml has been told of it so */
}
END_TEST

START_TEST(a_restore_with_gaps)
{
    for (uint32_t uid = 1; uid <= 5; uid++) {
        char file[NAME_SIZE];
        name_of_message(uid + 1, file);
        arrive(uid);
        ck_assert_uint_eq(leads(file), 0); /* what was written before is not in its way */
        ck_assert(name(uid, file));
        ck_assert_uint_eq(leads(file), uid);
    }
    ck_assert_str_eq(listed(2), "3.eml");
    ck_assert_uint_eq(leads("1.eml"), 0);
}
END_TEST

START_TEST(a_name_is_one_messages_only)
{
    arrive(1);
    arrive(2);
    ck_assert(name(1, "a.eml"));
    ck_assert(name(2, "a.eml"));
    ck_assert_str_eq(listed(1), "1.eml");
    ck_assert_str_eq(listed(2), "a.eml");
    ck_assert_uint_eq(leads("a.eml"), 2);
}
END_TEST

START_TEST(a_mailbox_goes_before_a_message)
{
    struct mailbox *child = below(inbox, "box.eml");
    arrive(1);
    child->gone = true;
    ck_assert(name(1, "box.eml"));
    ck_assert_str_eq(listed(1), "box.eml");
    child->gone = false;
    ck_assert_str_eq(listed(1), "1.eml");
    ck_assert_uint_eq(leads("box.eml"), 0);
    ck_assert_uint_eq(leads("1.eml"), 1);
}
END_TEST

START_TEST(a_name_may_come_before_the_message)
{
    inbox->uidnext = 5;
    ck_assert(name(5, "late.eml"));
    ck_assert_uint_eq(leads("late.eml"), 0);
    ck_assert_uint_eq(naming_uid_locked(inbox, "late.eml"), 5);
    naming_settled_locked(inbox, 5); /* that listing was asked for before */
    ck_assert_uint_eq(naming_uid_locked(inbox, "late.eml"), 5);
    arrive(5);
    ck_assert_str_eq(listed(5), "late.eml");
    ck_assert(name(6, "never.eml"));
    naming_settled_locked(inbox, 7);
    ck_assert_uint_eq(naming_uid_locked(inbox, "never.eml"), 0);
    ck_assert_uint_eq(leads("late.eml"), 5);
}
END_TEST

START_TEST(names_go_with_uidvalidity)
{
    arrive(1);
    ck_assert(name(1, "1000.eml"));
    ck_assert(!naming_set_locked(inbox, VALIDITY + 1, 1, "b.eml"));
    told_names[0] = '\0';
    mailbox_reset_locked(inbox, VALIDITY + 1);
    ck_assert(naming_is_plain_locked(inbox));
    ck_assert_uint_eq(world.account->written_count, 0);
    account_unlock(world.account);
    account_lock(world.account);
    ck_assert_ptr_nonnull(strstr(told_names, "/1000.eml/"));
    ck_assert_ptr_nonnull(strstr(told_names, "/=1000.eml/"));
    /* A name for what is only going to be known. */
    mailbox_reset_locked(inbox, 0);
    ck_assert(naming_set_locked(inbox, 9, 3, "c.eml"));
    mailbox_reset_locked(inbox, 9);
    arrive(3);
    ck_assert_str_eq(listed(3), "c.eml");
}
END_TEST

/* ---- any order of anything ---- */

static const char *const words[] = {"a.eml", "b.eml", "c.eml", "box.eml"};
enum { WORDS = 4, ALL = 2 * UIDS + WORDS };

static const char *any_name(unsigned at)
{
    static char file[NAME_SIZE];
    if (at < WORDS)
        return words[at];
    at -= WORDS;
    if (at < UIDS)
        name_of_message(at + 1, file);
    else
        name_of_message_aside(at - UIDS + 1, file);
    return file;
}

/* What the rules say, from nothing but which name each message got. */
struct expectation {
    bool there[UIDS + 1];
    char name[UIDS + 1][16];
    bool box;
};

static const char *own(const struct expectation *expected, uint32_t uid)
{
    const char *file = expected->name[uid];
    return *file && !(expected->box && strcmp(file, "box.eml") == 0) ? file : NULL;
}

static uint32_t holder(const struct expectation *expected, const char *file)
{
    for (uint32_t uid = 1; uid <= UIDS; uid++)
        if (strcmp(expected->name[uid], file) == 0)
            return uid;
    return 0;
}

static void check(const struct expectation *expected)
{
    char files[UIDS + 1][16];
    for (uint32_t uid = 1; uid <= UIDS; uid++) {
        char number[16];
        snprintf(number, sizeof number, "%u.eml", uid);
        snprintf(files[uid], 16, "%s%.14s", !own(expected, uid) && holder(expected, number) ? "=" : "",
                 own(expected, uid) ? own(expected, uid) : number);
        ck_assert_int_eq(expected->there[uid], is_there(uid));
        ck_assert_str_eq(listed(uid), files[uid]);
        if (!is_there(uid))
            continue;
        ck_assert_msg(leads(files[uid]) == uid, "%s", files[uid]);
        for (uint32_t other = 1; other < uid; other++)
            ck_assert_msg(!is_there(other) || strcmp(files[other], files[uid]) != 0, "%s", files[uid]);
    }
    for (unsigned i = 0; i < ALL; i++) {
        const char *file = any_name(i);
        const uint32_t uid = leads(file);
        if (!uid || strcmp(files[uid], file) == 0)
            continue;
        /* The only other ways to a message. */
        if (name_message_uid_aside(file) == uid)
            continue;
        ck_assert_uint_eq(name_message_uid(file), uid);
        ck_assert_uint_eq(holder(expected, file), 0);
        ck_assert_uint_eq(name_message_uid(files[uid]), 0);
    }
}

static bool was_told(const char *file, bool box)
{
    char pattern[NAME_SIZE + 2], event[32];
    snprintf(pattern, sizeof pattern, "/%s/", file);
    if (strstr(told_names, pattern) || (box && (*file == '=' || strcmp(file, "box.eml") == 0)))
        return true; /* directories are told by another event */
    for (int i = 0; i < 2; i++) {
        snprintf(event, sizeof event, "%c%u ", "+-"[i], name_message_uid(file));
        const char *at = strstr(world.told, event);
        if (name_message_uid(file) && at && (at == world.told || at[-1] == ' '))
            return true;
    }
    return false;
}

static void change(struct expectation *expected)
{
    const uint32_t uid = 1 + (uint32_t)rand() % UIDS;
    const char *file = any_name((unsigned)rand() % (WORDS + UIDS));
    switch (rand() % 5) {
    case 0:
        if (!expected->there[uid])
            arrive(uid);
        expected->there[uid] = true;
        break;
    case 1:
        if (expected->there[uid]) {
            go(uid);
            expected->name[uid][0] = '\0';
        }
        expected->there[uid] = false;
        break;
    case 2:
        expected->box = !expected->box;
        below(account_root(world.account), "INBOX");
        tree_child_locked(inbox, "box.eml")->gone = !expected->box;
        break;
    default:
        ck_assert(name(uid, file));
        if (holder(expected, file))
            expected->name[holder(expected, file)][0] = '\0';
        snprintf(expected->name[uid], 16, "%.15s", name_message_uid(file) == uid ? "" : file);
        break;
    }
}

/* Where the name leads, if the kernel may keep that: it keeps no =UID.eml that is not listed. */
static uint32_t kept(const char *file)
{
    const uint32_t uid = leads(file);
    return uid && name_message_uid_aside(file) && strcmp(listed(uid), file) != 0 ? 0 : uid;
}

START_TEST(in_any_order_names_are_unique_and_found_and_told)
{
    struct expectation expected = {.box = true};
    srand((unsigned)_i);
    for (unsigned step = 0; step < 400; step++) {
        uint32_t before[ALL];
        const bool box = expected.box;
        for (unsigned i = 0; i < ALL; i++)
            before[i] = kept(any_name(i));
        told_names[0] = world.told[0] = '\0';
        change(&expected);
        account_unlock(world.account);
        account_lock(world.account);
        check(&expected);
        for (unsigned i = 0; i < ALL; i++) {
            const char *file = any_name(i);
            ck_assert_msg(before[i] == kept(file) || was_told(file, box != expected.box),
                          "%s was %u and is %u", file, before[i], kept(file));
        }
    }
}
END_TEST

/* ---- from mount to mount ---- */

static void remount(void)
{
    account_unlock(world.account);
    account_close(&world.account);
    open_world();
}

START_TEST(names_last)
{
    for (uint32_t uid = 1; uid <= 4; uid++)
        arrive(uid);
    stored_settled_locked(inbox);
    ck_assert(name(1, "a.eml") && name(2, "7.eml") && name(3, "b.eml") && name(4, "d.eml"));
    go(3);
    ck_assert(name(4, "4.eml"));
    remount();
    ck_assert_uint_eq(world.account->written_count, 2);
    ck_assert_uint_eq(inbox->uidvalidity, VALIDITY);
    ck_assert_str_eq(listed(1), "a.eml");
    ck_assert_str_eq(listed(2), "7.eml");
    ck_assert_str_eq(listed(4), "4.eml");
    ck_assert_uint_eq(naming_uid_locked(inbox, "b.eml"), 0);
    mailbox_reset_locked(inbox, VALIDITY + 1);
    remount();
    ck_assert(naming_is_plain_locked(inbox));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("naming");
    TCase *c = tcase_create("naming");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_written_name_is_listed_and_its_number_leads_there_too);
    tcase_add_test(c, what_was_written_under_a_number_is_not_found_under_its_own);
    tcase_add_test(c, a_restore_with_gaps);
    tcase_add_test(c, a_name_is_one_messages_only);
    tcase_add_test(c, a_mailbox_goes_before_a_message);
    tcase_add_test(c, a_name_may_come_before_the_message);
    tcase_add_test(c, names_go_with_uidvalidity);
    tcase_add_loop_test(c, in_any_order_names_are_unique_and_found_and_told, 0, 6);
    tcase_add_test(c, names_last);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
