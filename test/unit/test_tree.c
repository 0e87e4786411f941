/* SPDX-License-Identifier: MIT */
#include "model_world.h"

static struct imap_error err;

static void put(const char *name, char delimiter, unsigned attributes)
{
    ck_assert_uint_lt(world.list_count, sizeof world.lists / sizeof *world.lists);
    world.lists[world.list_count++] =
        (struct imap_list){.name = name, .delimiter = delimiter, .attributes = attributes};
}

static void open_tree(void)
{
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
}

static struct mailbox *top(void)
{
    return account_root(world.account);
}

/* Lists again (poll_ms is 0 and the clock has moved on, or not: wait until it has). */
static struct asked list_again(void)
{
    struct asked asked = {.wait = {.done = asked_done}};
    bool fresh = true;
    while (fresh) {
        account_lock(world.account);
        fresh = account_tree_fresh_locked(world.account, &asked.wait);
        account_unlock(world.account);
    }
    return asked;
}

START_TEST(makes_directories)
{
    put("INBOX", '/', 0);
    put("A/B/C", '/', IMAP_MBOX_SUBSCRIBED);
    put("A", '/', IMAP_MBOX_NOSELECT);
    put("Entw&APw-rfe", '/', 0);
    world.lists[3].special_use = "\\Drafts";
    open_tree();
    struct mailbox *c = below(below(below(top(), "A"), "B"), "C");
    ck_assert_str_eq(mailbox_wire_name(c), "A/B/C");
    ck_assert_str_eq(mailbox_file_name(c), "C");
    ck_assert(mailbox_selectable_locked(c) && mailbox_subscribed_locked(c));
    ck_assert(!mailbox_selectable_locked(mailbox_parent(c))); /* LIST did not name it */
    ck_assert_str_eq(mailbox_wire_name(mailbox_parent(c)), "A/B");
    ck_assert(!mailbox_selectable_locked(below(top(), "A")));
    ck_assert(!mailbox_selectable_locked(top()));
    struct mailbox *drafts = below(top(), "Entw\xC3\xBCrfe");
    ck_assert_str_eq(mailbox_special_use_locked(drafts), "\\Drafts");
    ck_assert_ptr_null(mailbox_special_use_locked(c));
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 3);
    told("");
}
END_TEST

START_TEST(children_come_in_the_order_of_their_numbers)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < 7; i++)
        put(names[i], '/', 0);
    open_tree();
    uint32_t after = 0;
    unsigned seen = 0;
    struct mailbox *child;
    while ((child = mailbox_next_child_locked(top(), after))) {
        ck_assert_uint_gt(mailbox_dir_id(child), after);
        after = mailbox_dir_id(child);
        ck_assert_ptr_eq(account_by_id_locked(world.account, after), child);
        seen++;
    }
    ck_assert_uint_eq(seen, 7);
    ck_assert_ptr_null(mailbox_next_child_locked(top(), UINT32_MAX));
}
END_TEST

START_TEST(inbox_whatever_its_case)
{
    put("Inbox", '.', 0);
    put("inbox.a", '.', 0);
    put("INBOX.b", '.', 0);
    put("INBOX", '.', IMAP_MBOX_SUBSCRIBED);
    open_tree();
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 1);
    struct mailbox *inbox = below(top(), "INBOX");
    ck_assert(mailbox_subscribed_locked(inbox));
    ck_assert_str_eq(mailbox_wire_name(below(inbox, "a")), "inbox.a");
    ck_assert_str_eq(mailbox_wire_name(below(inbox, "b")), "INBOX.b");
    ck_assert_ptr_eq(tree_find_locked(world.account, "iNbOx", 5), inbox);
}
END_TEST

START_TEST(odd_names)
{
    put("flat/name", 0, 0);
    put("x.a/b", '.', 0);
    put("7.eml", '/', 0);
    put("trailing/", '/', IMAP_MBOX_NOSELECT);
    put("/leading", '/', 0);
    put("double//slash", '/', 0);
    put("/", '/', 0);
    put("", '/', 0);
    put("missing", '/', IMAP_MBOX_NOSELECT | IMAP_MBOX_NONEXISTENT);
    put("missing2/child", '/', 0);
    put("missing2", '/', IMAP_MBOX_NOSELECT | IMAP_MBOX_NONEXISTENT);
    put("\xFF", '/', 0);
    open_tree();
    ck_assert_str_eq(mailbox_wire_name(below(top(), "flat%2Fname")), "flat/name");
    ck_assert_str_eq(mailbox_wire_name(below(below(top(), "x"), "a%2Fb")), "x.a/b");
    below(top(), "%37.eml");
    ck_assert_str_eq(mailbox_wire_name(below(top(), "trailing")), "trailing");
    ck_assert_str_eq(mailbox_wire_name(below(top(), "leading")), "/leading");
    ck_assert_str_eq(mailbox_wire_name(below(below(below(top(), "double"), "%-"), "slash")), "double//slash");
    ck_assert_ptr_null(mailbox_child_locked(top(), "missing"));
    ck_assert(!mailbox_selectable_locked(below(top(), "missing2")));
    below(below(top(), "missing2"), "child");
    below(top(), "%~%FF");
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 8);
}
END_TEST

/* Two that would have the same path: none may hide the other. */
START_TEST(the_same_path_by_two_delimiters)
{
    put("a.b", '.', 0);
    put("a/b", '/', 0);
    put("a", '/', 0);
    put("a", '/', 0);
    open_tree();
    struct mailbox *a = below(top(), "a");
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 1);
    ck_assert_uint_eq(mailbox_child_count_locked(a), 2);
    ck_assert_str_eq(mailbox_wire_name(below(a, "b")), "a.b");
    struct mailbox *first = mailbox_next_child_locked(a, 0);
    struct mailbox *second = mailbox_next_child_locked(a, mailbox_dir_id(first));
    struct mailbox *hashed = strcmp(mailbox_file_name(first), "b") ? first : second;
    ck_assert_str_eq(mailbox_wire_name(hashed), "a/b");
    ck_assert(!strncmp(mailbox_file_name(hashed), "a%2Fb%#", 7));
}
END_TEST

START_TEST(coming_and_going)
{
    put("keep", '/', 0);
    put("go/deep", '/', 0);
    open_tree();
    struct mailbox *go = below(top(), "go"), *deep = below(go, "deep");
    world.list_count = 1;
    put("new", '/', 0);
    struct asked asked = list_again();
    ended(&asked, IMAP_OK);
    ck_assert(mailbox_gone_locked(go) && mailbox_gone_locked(deep));
    ck_assert_ptr_null(mailbox_child_locked(top(), "go"));
    below(top(), "new");
    ck_assert_msg(strstr(world.told, "C:go ") && strstr(world.told, "C:deep ") && strstr(world.told, "L "),
                  "%s", world.told);
    world.told[0] = '\0';
    asked = list_again();
    told(""); /* nothing has changed */
    put("go/deep", '/', 0);
    asked = list_again();
    ended(&asked, IMAP_OK);
    ck_assert_ptr_eq(below(below(top(), "go"), "deep"), deep);
    ck_assert(!mailbox_gone_locked(go));
    ck_assert_uint_eq(mailbox_dir_id(deep),
                      account_by_id_locked(world.account, mailbox_dir_id(deep))->dir_id);
    told("L L "); /* of go and of the top */
}
END_TEST

START_TEST(a_failed_listing_changes_nothing)
{
    put("a", '/', 0);
    put("b", '/', 0);
    open_tree();
    world.list_count = 1; /* half of the answer, then: */
    world.list_status = IMAP_NO;
    struct asked asked = list_again();
    ended(&asked, IMAP_NO);
    below(top(), "b");
    told("");
    world.list_status = IMAP_AGAIN;
    const unsigned before = world.listed;
    asked = list_again();
    ended(&asked, IMAP_AGAIN);
    ck_assert_uint_eq(world.listed, before + 2); /* tried again once */
    below(top(), "b");
}
END_TEST

START_TEST(too_deep_is_an_error_not_a_part)
{
    char name[2 * (TREE_MAX_DEPTH + 1)];
    for (unsigned i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '/' : 'x';
    name[2 * TREE_MAX_DEPTH - 1] = '\0'; /* TREE_MAX_DEPTH components: allowed */
    put("a", '/', 0);
    put(name, '/', 0);
    open_tree();
    below(top(), "x");
    char deeper[sizeof name];
    memcpy(deeper, name, sizeof name);
    deeper[2 * TREE_MAX_DEPTH - 1] = '/';
    deeper[2 * TREE_MAX_DEPTH + 1] = '\0';
    world.list_count = 0;
    put("b", '/', 0);
    put(deeper, '/', 0);
    struct asked asked = list_again();
    ended(&asked, IMAP_LIMIT);
    below(top(), "a");
    ck_assert_ptr_null(mailbox_child_locked(top(), "b"));
    told("");
}
END_TEST

START_TEST(too_many_are_an_error)
{
    struct tree_items items = {0};
    char name[16];
    for (unsigned i = 0; i <= 2 * TREE_MAX_MAILBOXES; i++) {
        snprintf(name, sizeof name, "m%u", i);
        tree_items_add(&items, &(struct imap_list){.name = name, .name_len = strlen(name), .delimiter = '/'},
                       false);
    }
    ck_assert(items.overflow);
    put("a", '/', 0);
    open_tree();
    account_lock(world.account);
    ck_assert_int_eq(tree_apply_locked(world.account, &items, &err), IMAP_LIMIT);
    account_unlock(world.account);
    tree_items_fini(&items);
    below(top(), "a");
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 1);
}
END_TEST

/* 50,000 in one directory: the time limit of the test finds what is quadratic. */
START_TEST(a_wide_directory)
{
    struct tree_items items = {0};
    char name[16];
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "m%05u", i);
        tree_items_add(&items, &(struct imap_list){.name = name, .name_len = strlen(name), .delimiter = '/'},
                       false);
    }
    open_tree();
    account_lock(world.account);
    ck_assert_int_eq(tree_apply_locked(world.account, &items, &err), IMAP_OK);
    account_unlock(world.account);
    tree_items_fini(&items);
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 50000);
    ck_assert_str_eq(mailbox_wire_name(below(top(), "m49999")), "m49999");
    world.told[0] = '\0';
}
END_TEST

START_TEST(how_list_is_asked)
{
    put("a", '/', 0);
    open_tree();
    ck_assert_str_eq(world.last_list, "LIST \"\" \"*\"");
    account_close(&world.account);
    cap("LIST-EXTENDED");
    open_tree();
    ck_assert_str_eq(world.last_list, "LIST \"\" \"*\" RETURN (SUBSCRIBED CHILDREN)");
    account_close(&world.account);
    cap("SPECIAL-USE");
    open_tree();
    ck_assert_str_eq(world.last_list, "LIST \"\" \"*\" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)");
    account_close(&world.account);
    world.refuses_extended = true;
    open_tree();
    ck_assert_str_eq(world.last_list, "LIST \"\" \"*\"");
    below(top(), "a");
}
END_TEST

START_TEST(subscriptions_by_lsub)
{
    put("a", '/', 0);
    put("b", '/', 0);
    world.lsubs[0] = (struct imap_list){.name = "b", .delimiter = '/'};
    world.lsubs[1] = (struct imap_list){.name = "deleted", .delimiter = '/'};
    world.lsub_count = 2;
    open_tree();
    ck_assert(!mailbox_subscribed_locked(below(top(), "a")));
    ck_assert(mailbox_subscribed_locked(below(top(), "b")));
    ck_assert_uint_eq(mailbox_child_count_locked(top()), 2);
    world.lsub_count = 0;
    struct asked asked = list_again();
    ended(&asked, IMAP_OK);
    ck_assert(!mailbox_subscribed_locked(below(top(), "b")));
}
END_TEST

START_TEST(namespaces_that_list_leaves_out)
{
    const struct imap_namespace_entry evil = {.prefix = "a%/", .delimiter = '/'};
    const struct imap_namespace_entry personal = {.prefix = "", .delimiter = '/'};
    const struct imap_namespace_entry listed = {.prefix = "listed/", .delimiter = '/', .next = &evil};
    const struct imap_namespace_entry shared = {.prefix = "#shared/", .delimiter = '/'};
    cap("NAMESPACE");
    world.namespaces = (struct imap_namespaces){.personal = &personal, .other = &listed, .shared = &shared};
    put("a", '/', 0);
    put("listed/x", '/', 0);
    open_tree();
    ck_assert_uint_eq(world.listed, 2);
    ck_assert_str_eq(world.last_list, "LIST \"\" \"#shared/*\"");
    struct asked asked = list_again(); /* NAMESPACE is not asked again, its prefix is */
    ended(&asked, IMAP_OK);
    ck_assert_uint_eq(world.listed, 4);
}
END_TEST

/* As many letters as INBOX has, which stands for itself alone. */
START_TEST(a_namespace_is_not_covered_by_inbox)
{
    const struct imap_namespace_entry other = {.prefix = "other/", .delimiter = '/'};
    const struct imap_namespace_entry inbox = {.prefix = "inbox/", .delimiter = '/'};
    cap("NAMESPACE");
    world.namespaces = (struct imap_namespaces){.personal = &inbox, .other = &other};
    put("INBOX", '/', 0);
    open_tree();
    ck_assert_uint_eq(world.listed, 2);
    ck_assert_str_eq(world.last_list, "LIST \"\" \"other/*\"");
}
END_TEST

START_TEST(one_mailbox_as_root)
{
    static const struct {
        const char *path, *wire; /* NULL: there is none */
    } roots[] = {{"", ""},
                 {"a", "a"},
                 {"a/Entw\xC3\xBCrfe", "a.Entw&APw-rfe"},
                 {"a.Entw\xC3\xBCrfe", "a.Entw&APw-rfe"},
                 {"/a/", "a"},
                 {"inbox", "INBOX"},
                 {"a/b%2Fc", "a.b/c"},
                 {"a/Entw&APw-rfe", NULL},
                 {"A", NULL},
                 {"a/x", NULL}};
    put("INBOX", '.', 0);
    put("a.Entw&APw-rfe", '.', 0);
    put("a.b/c", '.', 0);
    const enum imap_status status = world_open(roots[_i].path, &err);
    ck_assert_int_eq(status, roots[_i].wire ? IMAP_OK : IMAP_GONE);
    if (!roots[_i].wire)
        return;
    ck_assert_str_eq(mailbox_wire_name(top()), roots[_i].wire);
    ck_assert_str_eq(mailbox_file_name(top()), "");
    ck_assert_ptr_null(mailbox_parent(top()));
}
END_TEST

START_TEST(a_mailbox_that_cannot_be_selected_any_more)
{
    put("a", '/', 0);
    open_tree();
    struct asked asked;
    ck_assert(!ask_fresh(below(top(), "a"), &asked));
    struct imap_command *fetch = asks("a", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    selects("a", 1, 7, 2, 1);
    answers(fetch, 1, EVERYTHING, 0);
    ends(fetch);
    ended(&asked, IMAP_OK);
    world.told[0] = '\0';
    world.lists[0].attributes = IMAP_MBOX_NOSELECT;
    asked = list_again();
    told("-1 L ");
    ck_assert_uint_eq(mailbox_count_locked(below(top(), "a")), 0);
    ck_assert(ask_fresh(below(top(), "a"), &asked));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {makes_directories,
                                  children_come_in_the_order_of_their_numbers,
                                  inbox_whatever_its_case,
                                  odd_names,
                                  the_same_path_by_two_delimiters,
                                  coming_and_going,
                                  a_failed_listing_changes_nothing,
                                  too_deep_is_an_error_not_a_part,
                                  too_many_are_an_error,
                                  a_wide_directory,
                                  how_list_is_asked,
                                  subscriptions_by_lsub,
                                  namespaces_that_list_leaves_out,
                                  a_namespace_is_not_covered_by_inbox,
                                  a_mailbox_that_cannot_be_selected_any_more,
                                  NULL};
    Suite *suite = suite_create("tree");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, world_init, world_fini);
    tcase_set_timeout(cases, 20);
    for (const TTest *const *test = tests; *test; test++)
        tcase_add_test(cases, *test);
    tcase_add_loop_test(cases, one_mailbox_as_root, 0, 10);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
