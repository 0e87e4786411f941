/* SPDX-License-Identifier: MIT */
/*
 * write_world: an account that may be written to, with INBOX (UIDs 1 to 5, selected on connection 0), Archive (1
 * and 2, listed) and Trash. To be included by one program.
 */
#ifndef WRITE_WORLD_H
#define WRITE_WORLD_H

#include "model_world.h"
#include "writetree.h"

#define WHOLE "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"
#define WHOLE_MODSEQ "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"

static struct mailbox *inbox, *archive, *trash;

/* UIDVALIDITY 7, UIDs from 1 on. */
static inline void write_world_list(struct mailbox *mailbox, uint32_t count)
{
    struct asked asked;
    ck_assert(!ask_fresh(mailbox, &asked));
    struct imap_command *fetch =
        asks(mailbox->wire, account_offers(world.account, IMAP_CAP_CONDSTORE) ? WHOLE_MODSEQ : WHOLE);
    if (world.account->watch.selected)
        leaves("");
    selects(mailbox->wire, count, 7, count + 1, 100);
    for (uint32_t uid = 1; uid <= count; uid++)
        answers_modseq(fetch, uid, EVERYTHING, 0, 50);
    ends(fetch);
    ended(&asked, IMAP_OK);
}

/* caps: separated by spaces. */
static inline void write_world_open(const char *caps)
{
    struct imap_error err = {0};
    char *words = strdup(caps), *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        cap(word);
    free(words);
    cap("IDLE");
    world.poll_ms = 3600000;
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    archive = below(account_root(world.account), "Archive");
    trash = below(account_root(world.account), "Trash");
    write_world_list(trash, 1);
    write_world_list(archive, 2);
    write_world_list(inbox, 5);
    world.told[0] = '\0';
    asks_nothing();
}

static inline void write_world_init(void)
{
    world_init();
    world.read_write = true;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "Archive", .delimiter = '/'};
    world.lists[2] = (struct imap_list){.name = "Trash", .delimiter = '/', .special_use = "\\Trash"};
    world.list_count = 3;
}

/* The next command, which must be this one, about a mailbox with UIDVALIDITY 7. flags: IMAP_POOL_. */
static inline struct imap_command *asks_of(const char *mailbox, unsigned flags, const char *expected)
{
    char text[1200];
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is asked instead of %s", expected);
    world.jobs = job->next;
    snprintf(text, sizeof text, "%.*s", (int)job->command->len, job->command->bytes);
    ck_assert_str_eq(text, expected);
    ck_assert_str_eq(job->mailbox, mailbox);
    ck_assert_uint_eq(job->flags, 7 << 8 | flags);
    struct imap_command *command = job->command;
    free(job);
    return command;
}

static inline struct imap_command *alters(const char *mailbox, const char *expected)
{
    return asks_of(mailbox, 0, expected);
}

/* Of a mailbox that may be read-only. */
static inline struct imap_command *reads(const char *mailbox, const char *expected)
{
    return asks_of(mailbox, IMAP_POOL_READS, expected);
}

/* The server's answer with a code. */
static inline void ends_saying(struct imap_command *command, enum imap_status status, enum imap_code code,
                               const char *args, uint32_t number)
{
    struct imap_error err = {0};
    struct imap_range range = {number, number};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    if (status) {
        imap_error_set(&err, status, "refused");
        err.code = code;
    }
    const struct imap_text text = {.text = "",
                                   .code = code,
                                   .code_args = args,
                                   .uidvalidity = code == IMAP_CODE_COPYUID ? number : 0,
                                   .from = code == IMAP_CODE_MODIFIED ? &set : NULL};
    const struct imap_result result = {.status = status, .text = &text, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

/* Two commands that were pipelined end alike. */
static inline void both_end(struct imap_command *one, struct imap_command *other, enum imap_status status)
{
    ends_with(one, status);
    ends_with(other, status);
}

static inline void copied(struct imap_command *command, const char *args)
{
    ends_saying(command, IMAP_OK, IMAP_CODE_COPYUID, args, 7);
}

static inline struct asked new_wait(void)
{
    return (struct asked){.wait = {.done = asked_done}};
}

static inline void deletes(uint32_t uid, struct asked *asked)
{
    *asked = new_wait();
    account_lock(world.account);
    write_delete_locked(inbox, mailbox_message_id_locked(inbox), uid, &asked->wait);
    account_unlock(world.account);
}

static inline void moves(uint32_t uid, struct mailbox *to, struct asked *asked, struct write_place *place)
{
    *asked = new_wait();
    *place = (struct write_place){0};
    account_lock(world.account);
    write_move_locked(inbox, mailbox_message_id_locked(inbox), uid, to, &asked->wait, place);
    account_unlock(world.account);
}

static inline void copies(uint32_t uid, struct mailbox *to, struct asked *asked, struct write_place *place)
{
    *asked = new_wait();
    *place = (struct write_place){0};
    account_lock(world.account);
    write_copy_locked(inbox, mailbox_message_id_locked(inbox), uid, to, &asked->wait, place);
    account_unlock(world.account);
}

static inline void sets_flags(uint32_t uid, enum write_how how, unsigned system, struct asked *asked)
{
    const struct imap_flags flags = {.system = system};
    *asked = new_wait();
    account_lock(world.account);
    write_flags_locked(inbox, mailbox_message_id_locked(inbox), uid, how, &flags, &asked->wait);
    account_unlock(world.account);
}

static inline bool has(struct mailbox *mailbox, uint32_t uid)
{
    struct message message;
    return mailbox_find_locked(mailbox, uid, &message);
}

/* The line goes; the mailbox is selected again, and is found with these. */
static inline void lose_line(struct imap_command *command, struct imap_command *other,
                             enum imap_status status)
{
    leaves("INBOX");
    struct imap_command *noop = asks("INBOX", "NOOP"); /* as it was watched */
    ends_with(command, status);
    if (other)
        ends_with(other, status);
    world.jobs = calloc(1, sizeof *world.jobs); /* it still waits for the next line */
    world.jobs->command = noop;
    snprintf(world.jobs->mailbox, sizeof world.jobs->mailbox, "INBOX");
    world.jobs->flags = IMAP_POOL_WATCHER;
}

static inline void comes_back(uint32_t without)
{
    struct imap_command *noop = asks("INBOX", "NOOP");
    selects("INBOX", without ? 4 : 5, 7, 6, 0);
    ends(noop);
    struct imap_command *fetch = asks("INBOX", "UID FETCH 1:* (UID FLAGS)");
    for (uint32_t uid = 1; uid <= 5; uid++)
        if (uid != without)
            answers(fetch, uid, IMAP_FETCH_FLAGS, 0);
    ends(fetch);
}

#endif
