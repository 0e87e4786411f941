/* SPDX-License-Identifier: MIT */
/* CREATE, DELETE, RENAME: what is asked before, between and after. */
#include <errno.h>

#include "write_world.h"

static struct asked asked;

static struct imap_list *find_listed(const char *name)
{
    for (size_t i = 0; i < world.list_count; i++)
        if (strcmp(world.lists[i].name, name) == 0)
            return &world.lists[i];
    return NULL;
}

/* The server's tree changes: by what it is called (NULL: comes), to what (NULL: goes). */
static void server_has(const char *name, const char *now)
{
    struct imap_list *entry = name ? find_listed(name) : &world.lists[world.list_count++];
    if (now)
        *entry = (struct imap_list){.name = now, .delimiter = '/'};
    else
        *entry = world.lists[--world.list_count];
}

static void open_tree(const char *caps)
{
    write_world_init();
    server_has(NULL, "Archive/2019");
    write_world_open(caps);
}

static void close_tree(void)
{
    asks_nothing();
    world_fini();
}

static struct mailbox *top(void)
{
    return account_root(world.account);
}

static void creates(struct mailbox *parent, const char *file)
{
    asked = new_wait();
    account_lock(world.account);
    writetree_create_locked(parent, file, &asked.wait);
    account_unlock(world.account);
}

static void removes(struct mailbox *mailbox)
{
    asked = new_wait();
    account_lock(world.account);
    writetree_delete_locked(mailbox, &asked.wait);
    account_unlock(world.account);
}

static void renames(struct mailbox *mailbox, struct mailbox *parent, const char *file)
{
    asked = new_wait();
    account_lock(world.account);
    writetree_rename_locked(mailbox, parent, file, &asked.wait);
    account_unlock(world.account);
}

static void ended_errno(int error)
{
    ended(&asked, IMAP_SYS);
    ck_assert_int_eq(asked.err.sys_errno, error);
}

/* ---- create ------------------------------------------------------------------------------------------- */

START_TEST(creating)
{
    open_tree("");
    const unsigned before = world.listed;
    creates(archive, "\xC3\x84rger");
    struct imap_command *create = asks("", "CREATE Archive/&AMQ-rger");
    ck_assert_uint_eq(asked.told, 0);
    server_has(NULL, "Archive/&AMQ-rger");
    ends(create);
    ended(&asked, IMAP_OK);
    ends_with(asks("", "SUBSCRIBE Archive/&AMQ-rger"), IMAP_NO); /* which is no matter */
    ck_assert_uint_eq(world.listed, before + 1);
    ck_assert(mailbox_selectable_locked(below(archive, "\xC3\x84rger")));
    close_tree();
}
END_TEST

START_TEST(names_that_no_mailbox_has)
{
    static const char *const names[] = {"5.eml", ".imapfs", "a%2Fb", "%41", "\xFF", "a\x01"};
    open_tree("");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        creates(top(), names[i]);
        ended_errno(EINVAL);
    }
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    creates(top(), name);
    ended_errno(ENAMETOOLONG);
    creates(top(), "Archive");
    ended_errno(EEXIST);
    creates(top(), "inbox");
    ended_errno(EEXIST);
    close_tree();
}
END_TEST

START_TEST(the_delimiter_in_a_name)
{
    write_world_init();
    for (size_t i = 0; i < world.list_count; i++)
        world.lists[i].delimiter = '.';
    write_world_open("");
    creates(top(), "a.b");
    ended_errno(EINVAL);
    creates(archive, "b");
    struct imap_command *create = asks("", "CREATE Archive.b");
    ends_saying(create, IMAP_NO, IMAP_CODE_NOPERM, "", 0);
    ended(&asked, IMAP_NO);
    ck_assert_int_eq(asked.err.code, IMAP_CODE_NOPERM);
    ck_assert_msg(strstr(world.line, "cannot make the mailbox ") && strstr(world.line, ": refused"), "%s",
                  world.line);
    close_tree();
}
END_TEST

/* _i: whether the server has carried it out. */
START_TEST(creating_on_a_lost_line)
{
    open_tree("");
    creates(top(), "New");
    struct imap_command *create = asks("", "CREATE New");
    if (_i)
        server_has(NULL, "New");
    ends_with(create, IMAP_UNSURE);
    ended(&asked, _i ? IMAP_OK : IMAP_UNSURE);
    close_tree();
}
END_TEST

/* ---- delete ---------------------------------------------------------------------------------------------- */

START_TEST(only_what_is_empty_is_deleted)
{
    open_tree("UNSELECT");
    removes(archive); /* it has a child, and messages */
    ended_errno(ENOTEMPTY);
    removes(inbox);
    ended_errno(EBUSY);
    removes(top());
    ended_errno(EBUSY);
    removes(trash); /* a message, as the server says just now */
    struct imap_command *noop = asks("Trash", "NOOP");
    leaves("INBOX");
    selects("Trash", 1, 7, 2, 100);
    ends(noop);
    struct imap_command *fetch = asks("Trash", "UID FETCH 1:* (UID FLAGS)");
    answers(fetch, 1, IMAP_FETCH_FLAGS, 0);
    ends(fetch);
    ended_errno(ENOTEMPTY);
    close_tree();
}
END_TEST

START_TEST(deleting_leaves_it_first)
{
    open_tree("UNSELECT");
    struct mailbox *old = below(archive, "2019");
    write_world_list(old, 0);
    find_listed("Archive/2019")->attributes = IMAP_MBOX_SUBSCRIBED;
    removes(old);
    ends(asks("Archive/2019", "NOOP")); /* still empty? */
    struct imap_command *unselect = asks("Archive/2019", "UNSELECT");
    leaves("Archive/2019");
    asks_nothing(); /* it is not selected again */
    ends(unselect);
    struct imap_command *delete = asks("", "DELETE Archive/2019");
    server_has("Archive/2019", NULL);
    ends(delete);
    ended(&asked, IMAP_OK);
    ends(asks("", "UNSUBSCRIBE Archive/2019"));
    ck_assert(mailbox_gone_locked(old));
    ck_assert_str_eq(world.gone, "Archive/2019");
    close_tree();
}
END_TEST

/* _i: whether the server has carried it out. */
START_TEST(deleting_that_fails)
{
    open_tree("");
    struct mailbox *old = below(archive, "2019");
    write_world_list(old, 0);
    removes(old);
    ends(asks("Archive/2019", "NOOP"));
    struct imap_command *noop = asks("INBOX", "NOOP"); /* no UNSELECT; CLOSE would expunge */
    leaves("Archive/2019");
    selects("INBOX", 5, 7, 6, 100);
    ends(noop);
    ends_with(asks("INBOX", "UID FETCH 1:* (UID FLAGS)"), IMAP_NO); /* it is watched now: not our business */
    struct imap_command *delete = asks("", "DELETE Archive/2019");
    if (_i)
        server_has("Archive/2019", NULL);
    ends_with(delete, IMAP_UNSURE);
    ended(&asked, _i ? IMAP_OK : IMAP_UNSURE);
    world_fini();
}
END_TEST

/* ---- rename ------------------------------------------------------------------------------------------------ */

START_TEST(renaming_takes_all_along)
{
    open_tree("UNSELECT");
    struct mailbox *child = below(archive, "2019");
    child->subscribed = true;
    renames(archive, trash, "Old");
    struct imap_command *rename = asks("", "RENAME Archive Trash/Old");
    server_has("Archive", "Trash/Old");
    server_has("Archive/2019", "Trash/Old/2019");
    ends(rename);
    ended(&asked, IMAP_OK);
    ends(asks("", "SUBSCRIBE Trash/Old/2019"));
    ends(asks("", "UNSUBSCRIBE Archive/2019"));
    ck_assert(mailbox_gone_locked(archive) && mailbox_gone_locked(child));
    below(below(trash, "Old"), "2019");
    close_tree();
}
END_TEST

START_TEST(renaming_refused)
{
    open_tree("UNSELECT");
    renames(inbox, trash, "x");
    ended_errno(EBUSY);
    renames(archive, below(archive, "2019"), "x");
    ended_errno(EINVAL);
    renames(archive, top(), "INBOX");
    ended_errno(EBUSY);
    renames(trash, top(), "5.eml");
    ended_errno(EINVAL);
    renames(trash, top(), "Archive"); /* not empty */
    ended_errno(ENOTEMPTY);
    renames(trash, top(), "Trash");
    ended(&asked, IMAP_OK);
    close_tree();
}
END_TEST

START_TEST(renaming_onto_an_empty_one)
{
    open_tree("UNSELECT");
    struct mailbox *victim = below(archive, "2019");
    write_world_list(victim, 0);
    renames(trash, archive, "2019");
    ends(asks("Archive/2019", "NOOP"));
    struct imap_command *unselect = asks("Archive/2019", "UNSELECT");
    leaves("Archive/2019");
    ends(unselect);
    ends(asks("", "DELETE Archive/2019"));
    struct imap_command *rename = asks("", "RENAME Trash Archive/2019");
    server_has("Trash", NULL);
    ends(rename);
    ended(&asked, IMAP_OK);
    ck_assert(mailbox_gone_locked(trash) && !mailbox_gone_locked(victim));
    ck_assert(!mailbox_known_locked(victim)); /* what was known of its name is not known of it */
    ck_assert_uint_eq(mailbox_uidvalidity_locked(victim), 0);
    ends_with(asks("Archive/2019", WHOLE), IMAP_NO); /* it was watched, and is again */
    close_tree();
}
END_TEST

START_TEST(renaming_on_a_lost_line)
{
    open_tree("UNSELECT");
    renames(trash, top(), "Rubbish");
    struct imap_command *rename = asks("", "RENAME Trash Rubbish");
    if (_i)
        server_has("Trash", "Rubbish");
    ends_with(rename, IMAP_UNSURE);
    ended(&asked, _i ? IMAP_OK : IMAP_UNSURE);
    close_tree();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writetree");
    TCase *cases = tcase_create("writetree");
    tcase_add_test(cases, creating);
    tcase_add_test(cases, names_that_no_mailbox_has);
    tcase_add_test(cases, the_delimiter_in_a_name);
    tcase_add_loop_test(cases, creating_on_a_lost_line, 0, 2);
    tcase_add_test(cases, only_what_is_empty_is_deleted);
    tcase_add_test(cases, deleting_leaves_it_first);
    tcase_add_loop_test(cases, deleting_that_fails, 0, 2);
    tcase_add_test(cases, renaming_takes_all_along);
    tcase_add_test(cases, renaming_refused);
    tcase_add_test(cases, renaming_onto_an_empty_one);
    tcase_add_loop_test(cases, renaming_on_a_lost_line, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
