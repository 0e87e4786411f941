/* SPDX-License-Identifier: MIT */
/*
 * writetree:
 *
 *   create                       CREATE > SUBSCRIBE, listing
 *   delete            listing > its messages > leave it > DELETE, UNSUBSCRIBE > listing
 *   rename onto another  (the same for that one) > leave both > DELETE > RENAME > SUBSCRIBE ..., listing
 *   rename                            leave it > RENAME > SUBSCRIBE ..., listing
 *
 * 1. The listing that ends a change was asked for after its last command; so it shows what became of it.
 * 2. Connection 0 has none of the mailboxes selected when they go: it could not be told so, and what it has
 *    selected afterwards would be another mailbox of that name.
 */
#include "writetree.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "follow.h"
#include "mailbox_internal.h"
#include "maildir.h"
#include "name.h"
#include "sync.h"

enum kind { CREATE, DELETE, RENAME };
enum step { CHECK_TREE, CHECK_MESSAGES, LEAVE, REMOVE, CHANGE, LIST_BEFORE_LAST, LAST_LISTING };

struct tree_change {
    struct account *account;
    struct wait_queue waits; /* the caller's, unless it was cancelled */
    enum kind kind;
    enum step step;
    struct mailbox *mailbox; /* DELETE, RENAME */
    struct mailbox *victim;  /* that is to be empty and goes: of DELETE itself, of RENAME what has the name */
    char *wire;              /* the new name */
    unsigned outstanding;
    bool said;             /* err is the server's answer */
    bool abandoned;        /* before the last command: err, whatever the listing shows */
    struct imap_error err; /* of the change */
    struct wait inner;     /* for a listing */
    struct follow *follow; /* RENAME, once it was said */
};

static void proceed(struct tree_change *change);

/* ---- the end ------------------------------------------------------------------------------------------ */

/* Connection 0 was made to leave what it watched. */
static void watch_again(struct account *account)
{
    struct watch *watch = &account->watch;
    if (!watch->selected && watch->last && !watch->last->gone && !watch->queue && !account->closing &&
        account->many_connections && !account->write.tree_changes)
        sync_begin_locked(watch->last);
}

static void log_refusal(const struct tree_change *change, const struct imap_error *err)
{
    static const char *const what[] = {
        [CREATE] = "make the mailbox", [DELETE] = "delete the mailbox", [RENAME] = "rename a mailbox to"};
    pending_log_locked(change->account, LOG_WARNING, "cannot %s %s: %s", what[change->kind],
                       change->wire ? change->wire : change->mailbox->wire, err->text);
}

static void finish(struct tree_change *change, const struct imap_error *err)
{
    struct account *account = change->account;
    account->write.tree_changes--;
    if (err && err->status && change->said)
        log_refusal(change, err);
    pending_finish_locked(account, &change->waits, err && err->status ? err : NULL);
    watch_again(account);
    follow_free(&change->follow);
    free(change->wire);
    free(change);
}

static enum imap_status set_errno(struct imap_error *err, int error, const char *what)
{
    return imap_error_sys(err, error, "%s", what);
}

static void finish_errno(struct tree_change *change, int error, const char *what)
{
    struct imap_error err = {0};
    set_errno(&err, error, what);
    finish(change, &err);
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* What separates the levels below parent; 0: there can be none. */
static char delimiter_below(const struct mailbox *parent)
{
    if (parent->delimiter)
        return parent->delimiter;
    for (unsigned i = 0; i < parent->child_count; i++)
        if (parent->children[i]->delimiter)
            return parent->children[i]->delimiter;
    const struct mailbox *other = parent->account->tree.all;
    while (other && !other->delimiter)
        other = other->all_next;
    return other ? other->delimiter : 0;
}

/* The server's name for file below parent, the caller's; NULL with an error. */
static char *wire_name(const struct mailbox *parent, const char *file, struct imap_error *err)
{
    const char delimiter = delimiter_below(parent);
    const size_t above = strlen(parent->wire);
    const size_t room = 4 * NAME_SIZE + 3;
    size_t len = 0;
    if (strlen(file) >= NAME_SIZE) {
        set_errno(err, ENAMETOOLONG, "a mailbox");
        return NULL;
    }
    if ((parent->attributes & IMAP_MBOX_NOINFERIORS) || (parent->parent && !delimiter)) {
        imap_error_set(err, IMAP_NO, "%s cannot hold mailboxes", parent->wire);
        err->code = IMAP_CODE_CANNOT;
        return NULL;
    }
    char *wire = imap_xcalloc(above + 1 + room, 1);
    char *own = wire;
    if (parent->parent) {
        memcpy(wire, parent->wire, above);
        wire[above] = delimiter;
        own += above + 1;
    }
    if (parent->account->maildir)
        file = maildir_child_plain(file);
    if (file && name_to_wire(file, own, room, &len) && len && !(delimiter && memchr(own, delimiter, len)))
        return wire;
    set_errno(err, EINVAL, "the name of a mailbox cannot be this");
    free(wire);
    return NULL;
}

/* ---- commands ------------------------------------------------------------------------------------------ */

static void on_done(void *arg, const struct imap_result *result)
{
    struct tree_change *change = arg;
    struct account *account = change->account;
    account_lock(account);
    if (change->step != LEAVE && result->status && !change->err.status) {
        change->err = *result->error;
        change->err.status = result->status;
        change->said = result->text != NULL;
    }
    if (--change->outstanding == 0)
        proceed(change);
    account_unlock(account);
}

static void submit(struct tree_change *change, const char *place, struct imap_command *command)
{
    const struct imap_command_events events = {.done = on_done};
    imap_command_on(command, &events, change);
    change->outstanding++;
    pending_submit_locked(change->account, place, IMAP_POOL_WATCHER, 0, command);
}

static struct imap_command *about(const char *verb, const char *wire)
{
    struct imap_command *command = imap_command_new(verb);
    imap_command_mailbox(command, wire, strlen(wire));
    return command;
}

static void ignore_result(void *arg, const struct imap_result *result)
{
    (void)arg, (void)result;
}

/* What becomes of it is no matter: the listing after it shows it. */
static void submit_aside(struct account *account, const char *verb, const char *wire)
{
    const struct imap_command_events events = {.done = ignore_result};
    struct imap_command *command = about(verb, wire);
    imap_command_on(command, &events, account);
    pending_submit_locked(account, NULL, IMAP_POOL_WATCHER, 0, command);
}

/* Never CLOSE, which expunges. */
static void leave(struct tree_change *change)
{
    struct account *account = change->account;
    const struct mailbox *selected = account->watch.selected;
    change->step = LEAVE;
    if (!selected || !(mailbox_is_below(selected, change->mailbox) || selected == change->victim))
        proceed(change);
    else if (account_offers(account, IMAP_CAP_UNSELECT))
        submit(change, selected->wire, imap_command_new("UNSELECT"));
    else
        submit(change, "INBOX", imap_command_new("NOOP"));
}

static void remove_victim(struct tree_change *change)
{
    change->step = change->kind == DELETE ? CHANGE : REMOVE;
    submit(change, NULL, about("DELETE", change->victim->wire));
}

static void rename_it(struct tree_change *change)
{
    struct imap_command *command = about("RENAME", change->mailbox->wire);
    change->step = CHANGE;
    imap_command_mailbox(command, change->wire, strlen(change->wire));
    submit(change, NULL, command);
}

/* ---- listings ------------------------------------------------------------------------------------------- */

static void listed(struct wait *wait, const struct imap_error *err)
{
    struct tree_change *change = (struct tree_change *)((char *)wait - offsetof(struct tree_change, inner));
    struct account *account = change->account;
    account_lock(account);
    if ((!err || change->step == LIST_BEFORE_LAST) && !account->closing)
        proceed(change);
    else
        finish(change, change->err.status || !err ? &change->err : err);
    account_unlock(account);
}

/* One that runs may have been asked for too early: then another one is to follow. */
static void list(struct tree_change *change, enum step step)
{
    struct tree *tree = &change->account->tree;
    change->inner = (struct wait){.done = listed};
    change->step = tree->running && step == LAST_LISTING ? LIST_BEFORE_LAST : step;
    wait_queue_add(&tree->waits, &change->inner);
    if (!tree->running)
        tree_list_locked(change->account);
}

/* ---- from step to step ------------------------------------------------------------------------------------ */

static void check_tree(struct tree_change *change)
{
    const struct mailbox *victim = change->victim;
    if (victim->gone && change->kind == DELETE) {
        struct imap_error err = {0};
        imap_error_set(&err, IMAP_GONE, "the mailbox %s is gone", victim->wire);
        finish(change, &err);
    } else if (!victim->gone && victim->child_count) {
        finish_errno(change, ENOTEMPTY, "there are mailboxes below it");
    } else {
        change->step = CHECK_MESSAGES;
        change->inner = (struct wait){.done = listed};
        write_unprove_locked(change->victim);
        if (victim->gone || mailbox_fresh_locked(change->victim, &change->inner))
            proceed(change);
    }
}

static void check_messages(struct tree_change *change)
{
    if (!change->victim->gone && change->victim->columns.count)
        finish_errno(change, ENOTEMPTY, "there are messages in it");
    else
        leave(change);
}

static void left(struct tree_change *change)
{
    if (change->victim && !change->victim->gone)
        remove_victim(change);
    else
        rename_it(change);
}

/* The server does not take subscriptions along (RFC 3501 6.3.5). */
static void move_subscriptions(struct tree_change *change)
{
    const struct mailbox *old = change->mailbox;
    const size_t len = strlen(old->wire);
    for (struct mailbox *at = change->account->tree.all; at; at = at->all_next) {
        char *wire = NULL;
        if (at->gone || !at->subscribed || !mailbox_is_below(at, old) ||
            strncmp(at->wire, old->wire, len) != 0)
            continue;
        if (asprintf(&wire, "%s%s", change->wire, at->wire + len) < 0)
            abort();
        submit_aside(change->account, "SUBSCRIBE", wire);
        submit_aside(change->account, "UNSUBSCRIBE", at->wire);
        free(wire);
    }
}

/* A mailbox may keep its UIDVALIDITY under another name, and two may have the same one: so nothing that is known
 * of one that had the name before is known of this one. */
static void forget_name(struct account *account, const char *wire)
{
    struct mailbox *before = tree_find_locked(account, wire, strlen(wire));
    if (before && before->parent)
        mailbox_reset_locked(before, 0);
    imap_pool_mailbox_gone(account->pool, wire);
}

static void changed(struct tree_change *change)
{
    struct account *account = change->account;
    if (change->err.status && change->said && change->victim && change->kind == RENAME)
        submit_aside(account, "CREATE", change->wire); /* what had to make way, and had no need to */
    if (!change->err.status && change->kind == CREATE)
        submit_aside(account, "SUBSCRIBE", change->wire);
    if (!change->err.status && change->kind == DELETE && change->victim->subscribed)
        submit_aside(account, "UNSUBSCRIBE", change->victim->wire);
    if (!change->err.status && change->kind == RENAME)
        move_subscriptions(change);
    if (change->kind == RENAME && !(change->err.status && change->said)) {
        forget_name(account, change->wire);
        change->follow = follow_take_locked(change->mailbox);
    }
    list(change, LAST_LISTING);
}

static bool exists(const struct account *account, const char *wire)
{
    const struct mailbox *mailbox = tree_find_locked((struct account *)account, wire, strlen(wire));
    return mailbox && !mailbox->gone;
}

/* What the listing shows is what has happened, unless the server said that it was not us. */
static void conclude(struct tree_change *change)
{
    const struct account *account = change->account;
    struct imap_error *err = &change->err;
    bool done = false;
    switch (change->kind) {
    case CREATE:
        done = exists(account, change->wire);
        break;
    case DELETE:
        done = change->victim->gone || !err->status;
        break;
    case RENAME:
        done = exists(account, change->wire) && change->mailbox->gone;
        break;
    }
    if (change->abandoned || (change->said && err->status && !(change->kind == DELETE && done)))
        done = false;
    if (!done && !err->status)
        imap_error_set(err, IMAP_PROTO, "the server says that it is done, and lists it otherwise");
    if (done && change->follow)
        follow_give_locked(change->follow, change->wire);
    finish(change, done ? NULL : err);
}

static void removed(struct tree_change *change)
{
    if (change->err.status) {
        change->abandoned = true;
        list(change, LAST_LISTING);
    } else {
        rename_it(change);
    }
}

static void proceed(struct tree_change *change)
{
    switch (change->step) {
    case CHECK_TREE:
        check_tree(change);
        break;
    case CHECK_MESSAGES:
        check_messages(change);
        break;
    case LEAVE:
        left(change);
        break;
    case REMOVE:
        removed(change);
        break;
    case CHANGE:
        changed(change);
        break;
    case LIST_BEFORE_LAST:
        list(change, LAST_LISTING);
        break;
    case LAST_LISTING:
        conclude(change);
        break;
    }
}

/* ---- the calls ---------------------------------------------------------------------------------------------- */

static struct tree_change *new_change(enum kind kind, struct account *account, struct wait *wait)
{
    struct tree_change *change = imap_xcalloc(1, sizeof *change);
    change->account = account;
    change->kind = kind;
    wait_queue_init(&change->waits);
    wait_queue_add(&change->waits, wait);
    account->write.tree_changes++;
    return change;
}

static bool is_inbox(const struct mailbox *mailbox)
{
    return strcasecmp(mailbox->wire, "INBOX") == 0;
}

static enum imap_status check(const struct mailbox *mailbox, struct imap_error *err)
{
    if (write_allowed_locked(mailbox->account, err))
        return err->status;
    if (mailbox->gone)
        return imap_error_set(err, IMAP_GONE, "the mailbox %s is gone", mailbox->wire);
    return IMAP_OK;
}

static enum imap_status check_removable(const struct mailbox *mailbox, struct imap_error *err)
{
    if (check(mailbox, err))
        return err->status;
    if (is_inbox(mailbox) || mailbox_is_below(mailbox->account->root, mailbox))
        return set_errno(err, EBUSY, "it is there for good");
    return IMAP_OK;
}

void writetree_create_locked(struct mailbox *parent, const char *file, struct wait *wait)
{
    struct tree_change *change = new_change(CREATE, parent->account, wait);
    struct imap_error err = {0};
    if (!check(parent, &err))
        change->wire = wire_name(parent, file, &err);
    if (!err.status && exists(parent->account, change->wire))
        set_errno(&err, EEXIST, change->wire);
    if (err.status) {
        finish(change, &err);
        return;
    }
    change->step = CHANGE;
    submit(change, NULL, about("CREATE", change->wire));
}

void writetree_delete_locked(struct mailbox *mailbox, struct wait *wait)
{
    struct tree_change *change = new_change(DELETE, mailbox->account, wait);
    struct imap_error err = {0};
    if (check_removable(mailbox, &err)) {
        finish(change, &err);
        return;
    }
    change->mailbox = change->victim = mailbox;
    list(change, CHECK_TREE);
}

static enum imap_status check_rename(struct tree_change *change, const struct mailbox *parent,
                                     struct imap_error *err)
{
    const struct mailbox *mailbox = change->mailbox, *victim = change->victim;
    if (check_removable(mailbox, err) || check(parent, err))
        return err->status;
    if (mailbox_is_below(parent, mailbox))
        return set_errno(err, EINVAL, "a mailbox cannot be below itself");
    if (victim && victim != mailbox && (is_inbox(victim) || mailbox_is_below(mailbox, victim)))
        return set_errno(err, is_inbox(victim) ? EBUSY : ENOTEMPTY, "it cannot make way");
    return IMAP_OK;
}

void writetree_rename_locked(struct mailbox *mailbox, struct mailbox *parent, const char *file,
                             struct wait *wait)
{
    struct tree_change *change = new_change(RENAME, mailbox->account, wait);
    struct imap_error err = {0};
    change->mailbox = mailbox;
    change->wire = wire_name(parent, file, &err);
    if (change->wire && exists(mailbox->account, change->wire))
        change->victim = tree_find_locked(mailbox->account, change->wire, strlen(change->wire));
    if (!change->wire || check_rename(change, parent, &err))
        finish(change, &err);
    else if (change->victim == mailbox)
        finish(change, NULL);
    else if (change->victim)
        list(change, CHECK_TREE);
    else
        leave(change);
}
