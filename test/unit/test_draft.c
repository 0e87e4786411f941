/* SPDX-License-Identifier: MIT */
/* Drafts and their files: names, places that outlive a mount, what is half there, what another mount has left. */
#include "write_world.h"

#include <errno.h>

#include "draft_internal.h"
#include "unit_main.h"

#define ODD "\xc3\xa4 %41\n\x01.eml"

static void open_world(void)
{
    write_world_init();
    write_world_open("UIDPLUS");
}

static void reopen(void)
{
    struct imap_error err = {0};
    account_close(&world.account);
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    archive = below(account_root(world.account), "Archive");
}

static struct draft *writes(struct mailbox *mailbox, const char *name, const char *text)
{
    struct imap_error err = {0};
    struct draft *made;
    ck_assert_msg(!draft_new(world.account, &made, &err), "%s", err.text);
    account_lock(world.account);
    draft_name_locked(made, mailbox, name);
    account_unlock(world.account);
    ck_assert_int_eq(draft_write(made, text, strlen(text), 0), (ssize_t)strlen(text));
    account_lock(world.account);
    draft_close_locked(made);
    account_unlock(world.account);
    return made;
}

static struct draft *finds(struct mailbox *mailbox, const char *name)
{
    account_lock(world.account);
    struct draft *draft = draft_find_locked(mailbox, name);
    account_unlock(world.account);
    return draft;
}

static void holds(struct draft *draft, const char *text)
{
    char bytes[64];
    ck_assert_ptr_nonnull(draft);
    account_lock(world.account);
    draft_hold_locked(draft);
    account_unlock(world.account);
    ck_assert_int_eq(draft_open(draft), 0);
    ck_assert_int_eq(draft_read(draft, bytes, sizeof bytes, 0), (ssize_t)strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
    account_lock(world.account);
    ck_assert_uint_eq(draft_size_locked(draft), strlen(text));
    draft_close_locked(draft);
    account_unlock(world.account);
}

static void shell(const char *what)
{
    char command[256];
    snprintf(command, sizeof command, "cd %s && %s", world.dir, what);
    ck_assert_msg(system(command) == 0, "%s", command);
}

START_TEST(names_of_messages)
{
    struct imap_error err = {0};
    char long_name[300];
    ck_assert(!draft_check_name("a.eml", &err));
    ck_assert(!draft_check_name("A.EML", &err));
    ck_assert(!draft_check_name(".anything", &err));
    ck_assert(draft_check_name("a.txt", &err) == IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, EINVAL);
    ck_assert(draft_check_name("eml", &err) == IMAP_SYS);
    memset(long_name, 'x', sizeof long_name);
    snprintf(long_name + sizeof long_name - 5, 5, ".eml");
    ck_assert(draft_check_name(long_name, &err) == IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, ENAMETOOLONG);
}
END_TEST

START_TEST(what_has_a_name_is_there_at_the_next_mount)
{
    static const char *const keywords[] = {"work"};
    open_world();
    struct draft *odd = writes(inbox, ODD, "odd");
    account_lock(world.account);
    draft_set_mtime_locked(odd, (struct timespec){.tv_sec = 1000000000, .tv_nsec = 5000});
    draft_set_flags_locked(
        odd, WRITE_SET,
        &(struct imap_flags){.system = IMAP_FLAG_SEEN, .keywords = keywords, .keyword_count = 1});
    account_unlock(world.account);
    writes(archive, ".local", "local");
    struct draft *removed = writes(archive, ".removed", "removed");
    account_lock(world.account);
    ck_assert(draft_unname_locked(removed));
    account_unlock(world.account);
    reopen();
    odd = finds(inbox, ODD);
    holds(odd, "odd");
    holds(finds(archive, ".local"), "local");
    ck_assert_ptr_null(finds(archive, ".removed"));
    ck_assert_ptr_null(finds(inbox, ".local"));
    account_lock(world.account);
    ck_assert_int_eq(draft_mtime_locked(odd).tv_sec, 1000000000);
    ck_assert_int_eq(draft_mtime_locked(odd).tv_nsec, 5000);
    ck_assert_str_eq(draft_flags_locked(odd), "\\Seen work");
    ck_assert_int_eq(draft_state_locked(odd), DRAFT_FAILED);
    ck_assert_ptr_eq(draft_next_locked(inbox, 0), odd);
    ck_assert_ptr_null(draft_next_locked(inbox, draft_number_locked(odd)));
    account_unlock(world.account);
    struct draft *next = writes(archive, ".next", "next"); /* no number is given twice */
    ck_assert_uint_gt(draft_number_locked(next), draft_number_locked(odd));
    world_fini();
}
END_TEST

START_TEST(damaged_places_do_no_harm)
{
    struct imap_error err = {0};
    open_world();
    writes(inbox, "good.eml", "good");
    writes(inbox, "torn.eml", "torn");
    account_close(&world.account);
    shell("cd *.drafts && : >7 && : >8.place && : >1.place.new && head -c 20 2.place >x && mv x 2.place");
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    holds(finds(inbox, "good.eml"), "good");
    ck_assert_ptr_null(finds(inbox, "torn.eml"));
    ck_assert_msg(strstr(world.line, ".drafts/2"), "%s", world.line);
    shell("cd *.drafts && test ! -e 7 -a ! -e 8.place -a ! -e 1.place.new -a -e 2"); /* its bytes are kept */
    struct draft *next = writes(inbox, "next.eml", "next");
    ck_assert_uint_gt(draft_number_locked(next), 2);
    world_fini();
}
END_TEST

/* Two mounts of an account have a directory each; what the second one has left is not lost. */
START_TEST(what_another_mount_has_left_comes_over)
{
    struct imap_error err = {0};
    open_world();
    writes(inbox, "one.eml", "one");
    account_close(&world.account);
    shell("d=$(echo *.drafts) && mv $d ${d}2");
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    holds(finds(inbox, "one.eml"), "one");
    shell("test -z \"$(ls *.drafts2)\"");
    world_fini();
}
END_TEST

/* One that another process has is left alone. */
START_TEST(what_a_running_mount_has_stays_its_own)
{
    struct imap_error err = {0};
    open_world();
    writes(inbox, "one.eml", "one");
    account_close(&world.account);
    char command[256];
    snprintf(command, sizeof command, "cd %s && exec flock *.drafts sleep 30", world.dir);
    FILE *holder = popen(command, "r");
    ck_assert_ptr_nonnull(holder);
    snprintf(command, sizeof command, "cd %s && flock -n *.drafts true", world.dir);
    for (int i = 0; i < 1000 && system(command) == 0; i++)
        usleep(10000);
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    ck_assert_ptr_null(finds(inbox, "one.eml"));
    holds(writes(inbox, "two.eml", "two"), "two");
    shell("test -e *.drafts/1.place");
    world_fini();
}
END_TEST

START_TEST(thousands_are_found)
{
    char name[32];
    open_world();
    for (unsigned i = 0; i < 3000; i++) {
        struct imap_error err = {0};
        struct draft *made;
        snprintf(name, sizeof name, "%u.eml", 100 + i);
        ck_assert(!draft_new(world.account, &made, &err));
        account_lock(world.account);
        draft_name_locked(made, i % 2 ? inbox : archive, name);
        account_unlock(world.account);
        ck_assert_int_eq(draft_write(made, name, strlen(name), 0), (ssize_t)strlen(name));
        account_lock(world.account);
        draft_close_locked(made);
        if (i % 3 == 0)
            ck_assert(draft_unname_locked(made));
        account_unlock(world.account);
    }
    unsigned listed = 0;
    account_lock(world.account);
    for (uint32_t after = 0; draft_next_locked(inbox, after); listed++)
        after = draft_number_locked(draft_next_locked(inbox, after));
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%u.eml", 100 + i);
        ck_assert((draft_find_locked(i % 2 ? inbox : archive, name) != NULL) == (i % 3 != 0));
    }
    account_unlock(world.account);
    ck_assert_uint_eq(listed, 1000);
    world_fini();
}
END_TEST

UNIT_MAIN("draft", names_of_messages, what_has_a_name_is_there_at_the_next_mount, damaged_places_do_no_harm,
          what_another_mount_has_left_comes_over, what_a_running_mount_has_stays_its_own, thousands_are_found)
