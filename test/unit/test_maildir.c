/* SPDX-License-Identifier: MIT */
/* The names of the Maildir layout, both ways, from mount to mount and from layout to layout. */
#include "maildir.h"

#include <errno.h>

#include "mailbox_internal.h"
#include "unit_main.h"
#include "write_world.h"

#define VALIDITY 7u
#define DATE 1000000000
#define OWN(uid) "1000000000.V7U" uid ".imapfs,U=" uid ",S=10"

static struct imap_error err;

static void open_mailbox(void)
{
    ck_assert_msg(world_open(NULL, &err) == IMAP_OK, "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    archive = below(account_root(world.account), "Archive");
    account_lock(world.account);
}

static void begin(void)
{
    write_world_init();
    world.maildir = true;
    open_mailbox();
    mailbox_reset_locked(inbox, VALIDITY);
    inbox->known = true;
}

static void remount(bool maildir)
{
    account_unlock(world.account);
    account_close(&world.account);
    world.maildir = maildir;
    open_mailbox();
}

static void end(void)
{
    account_unlock(world.account);
    world_fini();
}

/* The message is there with these flags from now on. */
static void is(uint32_t uid, const char *flags)
{
    const struct row row = {.uid = uid,
                            .size = 10,
                            .date = DATE,
                            .has = ROW_ALL,
                            .flagset = flagset_intern_text(&world.account->flagsets, flags)};
    delta_apply_locked(inbox, &(struct delta){.rows = &row, .row_count = 1});
}

static const char *listed(uint32_t uid)
{
    static char flat[NAME_SIZE];
    naming_file_locked(inbox, uid, flat);
    return flat;
}

static uint32_t leads(const char *flat)
{
    return naming_uid_locked(inbox, flat);
}

static bool name(uint32_t uid, const char *flat)
{
    return naming_set_locked(inbox, VALIDITY, uid, flat);
}

/* ---- letters and names by themselves ---- */

START_TEST(letters_are_flags)
{
    char letters[MAILDIR_LETTERS_SIZE], flags[MAILDIR_FLAGS_SIZE];
    maildir_letters("\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded work", letters);
    ck_assert_str_eq(letters, "DFPRST");
    maildir_letters("\\seen $FORWARDED", letters);
    ck_assert_str_eq(letters, "PS");
    maildir_letters("work \\Seenx $Forward S", letters);
    ck_assert_str_eq(letters, "");
    maildir_letters("", letters);
    ck_assert_str_eq(letters, "");
    maildir_flags("SP", flags);
    ck_assert_str_eq(flags, "$Forwarded \\Seen");
    maildir_flags("DFPRST", flags);
    ck_assert_str_eq(flags, "\\Draft \\Flagged $Forwarded \\Answered \\Seen \\Deleted");
    maildir_letters_without("FST", "SD", letters);
    ck_assert_str_eq(letters, "FT");
}
END_TEST

START_TEST(names_are_taken_apart)
{
    struct maildir_name name;
    char flat[NAME_SIZE], longest[NAME_SIZE];
    ck_assert_int_eq(maildir_parse("cur/a:2,SF", &name), 0);
    ck_assert_int_eq(name.sub, MAILDIR_CUR);
    ck_assert(name.info && !name.local);
    ck_assert_str_eq(name.base, "a");
    ck_assert_str_eq(name.letters, "FS");
    ck_assert_int_eq(maildir_parse("cur/a:2,SabSx", &name), 0); /* other programs' letters */
    ck_assert_str_eq(name.letters, "S");
    ck_assert_int_eq(maildir_parse("new/a:1,x", &name), 0);
    ck_assert_str_eq(name.base, "a:1,x");
    ck_assert(!name.info);
    ck_assert_int_eq(maildir_parse("tmp/a", &name), 0);
    ck_assert(name.local);
    ck_assert_int_eq(maildir_parse("cur/.a:2,S.Xy", &name), 0); /* rsync's */
    ck_assert(name.local);
    static const char *const none[] = {"a.eml", "cur", "cur/", "old/a", "cur/a/b", "cur/:2,S", "/a", ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(maildir_parse(none[i], &name) == EINVAL, "%s", none[i]);
    memset(longest, 'x', sizeof longest);
    longest[MAILDIR_BASE_MAX + 1] = '\0';
    ck_assert(maildir_flat(MAILDIR_NEW, longest, flat));
    ck_assert_int_eq(maildir_parse(flat, &name), ENAMETOOLONG);
    longest[MAILDIR_BASE_MAX] = '\0';
    ck_assert(maildir_flat(MAILDIR_NEW, longest, flat));
    ck_assert_int_eq(maildir_parse(flat, &name), 0);
    memset(longest, 'x', sizeof longest);
    longest[252] = '\0';
    ck_assert(!maildir_flat(MAILDIR_NEW, longest, flat));
}
END_TEST

START_TEST(mailboxes_of_the_same_name_are_shown_otherwise)
{
    char file[NAME_SIZE] = "new";
    maildir_child_escape(file);
    ck_assert_str_eq(file, "%6Eew");
    ck_assert_str_eq(maildir_child_plain("%6Eew"), "new");
    ck_assert_str_eq(maildir_child_plain("news"), "news");
    ck_assert_ptr_null(maildir_child_plain("new"));
    world_init();
    world.maildir = true;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "INBOX/cur", .delimiter = '/'};
    world.lists[2] = (struct imap_list){.name = "INBOX/%63ur", .delimiter = '/'};
    world.lists[3] = (struct imap_list){.name = "Archive", .delimiter = '/'};
    world.list_count = 4;
    open_mailbox();
    ck_assert_str_eq(mailbox_wire_name(mailbox_child_locked(inbox, "%63ur")), "INBOX/cur");
    ck_assert_str_eq(mailbox_wire_name(mailbox_child_locked(inbox, "%2563ur")), "INBOX/%63ur");
    ck_assert_ptr_null(mailbox_child_locked(inbox, "cur"));
    end();
}
END_TEST

/* ---- messages ---- */

START_TEST(a_message_goes_by_its_flags)
{
    begin();
    is(3, "");
    ck_assert_str_eq(listed(3), "new/" OWN("3"));
    ck_assert_uint_eq(leads("new/" OWN("3")), 3);
    ck_assert_uint_eq(leads("cur/" OWN("3") ":2,"), 0);
    ck_assert_uint_eq(leads("3.eml"), 0);
    const uint64_t generation = mailbox_generation_locked(inbox);
    is(3, "work \\Seen");
    ck_assert_uint_gt(mailbox_generation_locked(inbox), generation); /* the listing is another one */
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,S");
    ck_assert_uint_eq(leads("cur/" OWN("3") ":2,S"), 3);
    static const char *const stale[] = {"new/" OWN("3"),        "cur/" OWN("3") ":2,", "cur/" OWN("3") ":2,F",
                                        "new/" OWN("3") ":2,S", "tmp/" OWN("3"),       "cur/" OWN("4") ":2,S",
                                        "cur/" OWN("3")};
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        ck_assert_msg(!leads(stale[i]), "%s", stale[i]);
    const uint64_t seen = mailbox_generation_locked(inbox);
    is(3, "work other \\Seen"); /* keywords are not in the name */
    ck_assert_uint_eq(mailbox_generation_locked(inbox), seen);
    is(3, "\\Deleted \\Draft \\Flagged $Forwarded \\Answered \\Seen");
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,DFPRST");
    end();
}
END_TEST

START_TEST(where_it_was_put_is_remembered)
{
    begin();
    is(3, "");
    is(4, "");
    ck_assert(name(3, "cur/" OWN("3") ":2,"));
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,");
    ck_assert_uint_eq(leads("cur/" OWN("3") ":2,"), 3);
    ck_assert_uint_eq(leads("new/" OWN("3")), 0);
    is(3, "\\Seen");
    is(3, "");
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,");
    stored_settled_locked(inbox);
    remount(true);
    is(3, "");
    is(4, "");
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,");
    ck_assert_str_eq(listed(4), "new/" OWN("4"));
    ck_assert(name(3, "new/" OWN("3")));
    ck_assert_str_eq(listed(3), "new/" OWN("3"));
    ck_assert_uint_eq(world.account->written_count, 0);
    end();
}
END_TEST

START_TEST(what_was_written_keeps_its_name)
{
    begin();
    ck_assert(name(5, "new/host.1.2"));
    ck_assert_uint_eq(leads("new/host.1.2"), 5); /* it will have to be looked for */
    is(5, "");
    is(6, "\\Seen");
    ck_assert(name(6, "cur/x.eml"));
    ck_assert_str_eq(listed(5), "new/host.1.2");
    ck_assert_str_eq(listed(6), "cur/x.eml:2,S");
    is(6, "");
    ck_assert_str_eq(listed(6), "cur/x.eml"); /* as it was written */
    is(5, "\\Flagged");
    ck_assert_str_eq(listed(5), "cur/host.1.2:2,F");
    ck_assert_uint_eq(leads("cur/host.1.2:2,F"), 5);
    ck_assert_uint_eq(maildir_base_uid_locked(inbox, "host.1.2"), 5);
    ck_assert_uint_eq(maildir_base_uid_locked(inbox, OWN("5")), 0);
    ck_assert(!name(6, "cur/host.1.2:2,")); /* one base is one message's */
    ck_assert(!name(6, "tmp/other"));
    ck_assert_str_eq(listed(6), "cur/x.eml");
    ck_assert(name(5, "cur/other:2,F"));
    ck_assert_str_eq(listed(5), "cur/other:2,F");
    ck_assert_uint_eq(leads("cur/host.1.2:2,F"), 0);
    ck_assert_uint_eq(world.account->written_count, 2);
    end();
}
END_TEST

/* rsync, and rename(2): what is there under that very name is about to go. */
START_TEST(a_name_is_taken_from_who_has_the_very_same)
{
    begin();
    is(3, "\\Seen");
    ck_assert(name(3, "new/x"));
    ck_assert_str_eq(listed(3), "cur/x:2,S");
    is(4, "\\Seen");
    ck_assert(!name(4, "cur/x:2,F"));
    ck_assert(name(4, "cur/x:2,S"));
    ck_assert_str_eq(listed(4), "cur/x:2,S");
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,S");
    ck_assert_uint_eq(leads("cur/x:2,S"), 4);
    ck_assert(name(4, listed(3)));
    ck_assert_str_eq(listed(4), "cur/" OWN("3") ":2,S");
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ",=:2,S");
    ck_assert_uint_eq(world.account->written_count, 1);
    end();
}
END_TEST

START_TEST(a_name_that_is_taken_is_stepped_aside_for)
{
    begin();
    is(3, "\\Seen");
    ck_assert(name(3, "cur/" OWN("9") ":2,S"));
    is(9, "\\Seen");
    ck_assert_str_eq(listed(3), "cur/" OWN("9") ":2,S");
    ck_assert_str_eq(listed(9), "cur/" OWN("9") ",=:2,S");
    ck_assert_uint_eq(leads("cur/" OWN("9") ":2,S"), 3);
    ck_assert_uint_eq(leads("cur/" OWN("9") ",=:2,S"), 9);
    const uint32_t gone = 3;
    delta_apply_locked(inbox, &(struct delta){.gone = &gone, .gone_count = 1});
    ck_assert_str_eq(listed(9), "cur/" OWN("9") ":2,S");
    ck_assert_uint_eq(leads("cur/" OWN("9") ":2,S"), 9);
    end();
}
END_TEST

static uint32_t any(uint32_t *state) /* xorshift */
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Whatever becomes of messages and of what they were called. */
START_TEST(in_any_order_names_are_unique_and_found)
{
    enum { UIDS = 6 };
    static const char *const names[] = {"new/a",
                                        "cur/a:2,",
                                        "cur/a",
                                        "cur/a:2,S",
                                        "new/" OWN("2"),
                                        "cur/" OWN("2") ":2,",
                                        "cur/" OWN("5") ":2,S",
                                        "new/b"};
    static const char *const flags[] = {"", "\\Seen", "work"};
    uint32_t state = 1; /* the same on each run */
    begin();
    for (unsigned step = 0; step < 3000; step++) {
        const uint32_t uid = 1 + any(&state) % UIDS;
        char seen[UIDS + 1][NAME_SIZE] = {""};
        struct message message;
        switch (any(&state) % 4) {
        case 0:
            delta_apply_locked(inbox, &(struct delta){.gone = &uid, .gone_count = 1});
            break;
        case 1:
            (void)name(uid, names[any(&state) % 8]);
            break;
        default:
            is(uid, flags[any(&state) % 3]);
        }
        for (uint32_t other = 1; other <= UIDS; other++) {
            if (!mailbox_find_locked(inbox, other, &message))
                continue;
            snprintf(seen[other], NAME_SIZE, "%s", listed(other));
            ck_assert_msg(leads(seen[other]) == other, "%u: %s", step, seen[other]);
            ck_assert_int_eq(maildir_sub_of_locked(inbox, &message),
                             strncmp(seen[other], "cur", 3) == 0 ? MAILDIR_CUR : MAILDIR_NEW);
            for (uint32_t before = 1; before < other; before++)
                ck_assert_msg(strcmp(seen[before], seen[other]) != 0, "%u: %s", step, seen[other]);
        }
    }
    end();
}
END_TEST

START_TEST(layouts_do_not_mix_their_names)
{
    begin();
    is(1, "");
    is(2, "");
    is(3, "");
    stored_settled_locked(inbox);
    ck_assert(name(1, "new/a.eml") && name(2, "cur/b.eml:2,") && name(3, "cur/" OWN("3") ":2,"));
    remount(false);
    is(1, "");
    is(2, "");
    is(3, "");
    ck_assert_str_eq(listed(1), "1.eml");
    ck_assert_str_eq(listed(2), "2.eml");
    ck_assert_str_eq(listed(3), "3.eml");
    ck_assert_uint_eq(leads("1.eml"), 1);
    ck_assert_uint_eq(leads("a.eml"), 0);
    ck_assert_uint_eq(leads("b.eml"), 0);
    ck_assert(name(2, "letter.eml"));
    remount(true);
    is(1, "");
    is(2, "");
    is(3, "");
    ck_assert_str_eq(listed(1), "new/a.eml");
    ck_assert_str_eq(listed(2), "cur/" OWN("2") ":2,"); /* whoever named it knows it */
    ck_assert_uint_eq(leads("letter.eml"), 0);
    ck_assert_str_eq(listed(3), "cur/" OWN("3") ":2,");
    remount(false);
    ck_assert_str_eq(listed(2), "letter.eml");
    end();
}
END_TEST

START_TEST(a_size_that_was_wrong_makes_another_name)
{
    begin();
    is(3, "");
    const uint64_t generation = mailbox_generation_locked(inbox);
    mailbox_learn_size_locked(inbox, mailbox_message_id_locked(inbox), 3, 12);
    ck_assert_str_eq(listed(3), "new/1000000000.V7U3.imapfs,U=3,S=12");
    ck_assert_uint_gt(mailbox_generation_locked(inbox), generation);
    end();
}
END_TEST

/* ---- drafts ---- */

static struct draft *writes(const char *flat)
{
    struct draft *draft;
    account_unlock(world.account);
    ck_assert_msg(!draft_new(world.account, &draft, &err), "%s", err.text);
    ck_assert_int_eq(draft_write(draft, "x", 1, 0), 1);
    account_lock(world.account);
    draft_name_locked(draft, inbox, flat);
    draft_close_locked(draft);
    return draft;
}

START_TEST(a_drafts_name_says_its_flags)
{
    static const char *const keywords[] = {"work"};
    begin();
    struct draft *draft = writes("tmp/a:2,S");
    ck_assert_str_eq(draft_flags_locked(draft), "");
    draft_set_flags_locked(
        draft, WRITE_SET,
        &(struct imap_flags){.system = IMAP_FLAG_DRAFT, .keywords = keywords, .keyword_count = 1});
    draft_name_locked(draft, inbox, "cur/a:2,FS");
    ck_assert_str_eq(draft_flags_locked(draft), "\\Seen \\Flagged work");
    draft_name_locked(draft, inbox, "tmp/a");
    ck_assert_str_eq(draft_flags_locked(draft), "\\Seen \\Flagged work");
    draft_name_locked(draft, inbox, "new/a");
    ck_assert_str_eq(draft_flags_locked(draft), "work");
    end();
}
END_TEST

START_TEST(drafts_are_found_in_either_layout)
{
    begin();
    (void)writes("tmp/local");
    (void)writes("cur/letter:2,S");
    (void)writes("new/mail.eml");
    (void)writes("cur/mail.eml:2,");
    remount(false);
    ck_assert_ptr_nonnull(draft_find_locked(inbox, ".local"));
    const struct draft *letter = draft_find_locked(inbox, "letter.eml");
    ck_assert_ptr_nonnull(letter);
    ck_assert_str_eq(draft_flags_locked(letter), "\\Seen");
    ck_assert_int_eq(draft_state_locked(letter), DRAFT_FAILED);
    ck_assert_ptr_nonnull(draft_find_locked(inbox, "mail.eml"));
    ck_assert((draft_find_locked(inbox, "unsent-3.eml") != NULL) !=
              (draft_find_locked(inbox, "unsent-4.eml") != NULL)); /* whoever came second */
    remount(true);
    ck_assert_ptr_nonnull(draft_find_locked(inbox, ".local"));
    letter = draft_find_locked(inbox, "cur/letter.eml:2,S");
    ck_assert_ptr_nonnull(letter);
    ck_assert_str_eq(draft_flags_locked(letter), "\\Seen");
    ck_assert_ptr_nonnull(draft_find_locked(inbox, "cur/mail.eml:2,"));
    end();
}
END_TEST

UNIT_MAIN("maildir", letters_are_flags, names_are_taken_apart, mailboxes_of_the_same_name_are_shown_otherwise,
          a_message_goes_by_its_flags, where_it_was_put_is_remembered, what_was_written_keeps_its_name,
          a_name_is_taken_from_who_has_the_very_same, a_name_that_is_taken_is_stepped_aside_for,
          layouts_do_not_mix_their_names, in_any_order_names_are_unique_and_found,
          a_size_that_was_wrong_makes_another_name, a_drafts_name_says_its_flags,
          drafts_are_found_in_either_layout)
