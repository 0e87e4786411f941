/* SPDX-License-Identifier: MIT */
#include "announce.h"

#include <stdlib.h>
#include <string.h>

#include "mailbox_internal.h"

#define WORTH 8 /* one in so many mailboxes must be known for STATUS of all to be asked */

/* ---- what is asked ---------------------------------------------------------------------------------- */

/* Has something that the server's HIGHESTMODSEQ could prove. */
static bool provable(const struct mailbox *mailbox)
{
    return mailbox->modseq && (mailbox->known || mailbox->stored.state == STORED_UNLOADED);
}

static bool status_wanted(const struct account *account)
{
    size_t selectable = 0, worth = 0;
    for (const struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        const bool counts = mailbox_selectable_locked(mailbox);
        selectable += counts;
        worth += counts && provable(mailbox);
    }
    return worth && selectable <= ANNOUNCE_MAX_STATUS && worth * WORTH >= selectable;
}

/* poll=0 wants every listing asked for, so nothing that is told would be made use of. */
bool announce_wanted(void *arg, struct imap_pool_notify *wanted_out)
{
    struct account *account = arg;
    account_lock(account);
    const bool wanted = account->poll_ms && !account->closing;
    account->announce.with_status = status_wanted(account);
    account->announce.foreign_asked = account->tree.foreign_count > 0;
    *wanted_out = (struct imap_pool_notify){.status = account->announce.with_status,
                                            .subtrees = (const char *const *)account->tree.foreign,
                                            .subtree_count = account->tree.foreign_count};
    account_unlock(account);
    return wanted;
}

/* ---- what is covered --------------------------------------------------------------------------------- */

static bool is_foreign(const struct tree *tree, const struct mailbox *mailbox)
{
    for (size_t i = 0; i < tree->foreign_count; i++) {
        const size_t len = strlen(tree->foreign[i]);
        if (strncmp(mailbox->wire, tree->foreign[i], len) == 0 &&
            (!mailbox->wire[len] || mailbox->wire[len] == mailbox->delimiter))
            return true;
    }
    return false;
}

/* Dovecot agrees if it can tell of one namespace, whether or not it can of others': there only what it has told of
 * counts. Which they are is known once the tree has been listed. */
static bool in_scope(const struct account *account, const struct mailbox *mailbox)
{
    if (mailbox->gone)
        return false;
    if (!is_foreign(&account->tree, mailbox))
        return true;
    return account->announce.foreign_too && (mailbox->cover.by & COVER_NOTIFY);
}

void announce_cover_locked(struct account *account)
{
    if (account->announce.scope == IMAP_POOL_NOTIFIED_OFF)
        return;
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        if (in_scope(account, mailbox))
            mailbox->cover.by |= COVER_NOTIFY;
        else
            cover_end_locked(mailbox, COVER_NOTIFY);
    }
}

/* It may have lost what it was about to tell while it was told to tell it anew. */
static void doubt_all(struct account *account)
{
    account->tree.told = false;
    if (!account->announce.with_status)
        for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
            cover_doubt_locked(mailbox, COVER_NOTIFY);
}

void announce_scope(void *arg, enum imap_pool_notified scope)
{
    struct account *account = arg;
    struct announce *announce = &account->announce;
    account_lock(account);
    const enum imap_pool_notified before = announce->scope;
    announce->scope = scope;
    announce->foreign_too = announce->foreign_asked && scope == IMAP_POOL_NOTIFIED_ALL;
    if (scope == IMAP_POOL_NOTIFIED_OFF) {
        announce->epoch++;
        account->tree.told = false;
        cover_end_all_locked(account, COVER_NOTIFY);
    } else if (before == IMAP_POOL_NOTIFIED_OFF) {
        announce->epoch++;
        announce_cover_locked(account);
        tree_announced_locked(account);
    } else {
        doubt_all(account);
        announce_cover_locked(account);
    }
    account_unlock(account);
}

/* ---- what is told ------------------------------------------------------------------------------------ */

#define STATUS_ITEMS "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"

/* What is not told has not changed. But for HIGHESTMODSEQ: without it nothing is proven. */
static struct cover_state state_of(const struct mailbox *mailbox, const struct imap_mailbox_status *status)
{
    const bool unloaded = mailbox->stored.state == STORED_UNLOADED;
    struct cover_state state = {
        .uidvalidity = mailbox->uidvalidity,
        .uidnext = mailbox->uidnext,
        .messages = (uint32_t)(unloaded ? mailbox->stored.count : mailbox->columns.count),
    };
    if (status->has & IMAP_STATUS_UIDVALIDITY)
        state.uidvalidity = status->uidvalidity;
    if (status->has & IMAP_STATUS_UIDNEXT)
        state.uidnext = status->uidnext;
    if (status->has & IMAP_STATUS_MESSAGES)
        state.messages = status->messages;
    if (status->has & IMAP_STATUS_HIGHESTMODSEQ)
        state.modseq = status->highestmodseq;
    return state;
}

static void hear_status(struct account *account, const struct imap_mailbox_status *status, bool initial)
{
    struct mailbox *mailbox = tree_find_locked(account, status->name, status->name_len);
    if (!mailbox || mailbox->gone) {
        if (account->tree.told)
            tree_stirred_locked(account);
        return;
    }
    mailbox->cover.by |= COVER_NOTIFY;
    /* Of the selected one the connection hears itself, and a mailbox without HIGHESTMODSEQ never is calm. */
    if (mailbox == account->watch.selected || (initial && !(status->has & IMAP_STATUS_HIGHESTMODSEQ)))
        return;
    const struct cover_state state = state_of(mailbox, status);
    cover_stirred_locked(mailbox, &state);
}

bool announce_is_news_locked(struct account *account, const struct imap_list *list)
{
    const struct mailbox *old =
        list->old_name ? tree_find_locked(account, list->old_name, strlen(list->old_name)) : NULL;
    const struct mailbox *mailbox = tree_find_locked(account, list->name, list->name_len);
    if (account->announce.scope == IMAP_POOL_NOTIFIED_OFF)
        return false;
    if (list->attributes & IMAP_MBOX_NONEXISTENT) /* some list those that merely have children */
        return mailbox && mailbox_selectable_locked(mailbox);
    return old && !old->gone;
}

static bool differs(struct account *account, const struct imap_list *list)
{
    const struct mailbox *mailbox = tree_find_locked(account, list->name, list->name_len);
    const bool there = mailbox && !mailbox->gone;
    if (announce_is_news_locked(account, list))
        return true;
    if (list->attributes & IMAP_MBOX_NONEXISTENT)
        return there;
    return !there || mailbox->subscribed != ((list->attributes & IMAP_MBOX_SUBSCRIBED) != 0) ||
           mailbox_selectable_locked(mailbox) != !(list->attributes & IMAP_MBOX_NOSELECT);
}

void announce_heard(void *arg, const struct imap_response *response, bool initial)
{
    struct account *account = arg;
    account_lock(account);
    if (response->type == IMAP_RESP_STATUS)
        hear_status(account, &response->status, initial);
    else if (response->type == IMAP_RESP_LIST && differs(account, &response->list))
        tree_stirred_locked(account);
    account_unlock(account);
}

/* ---- the mailbox that was left ------------------------------------------------------------------------ */

static void on_left_status(void *arg, const struct imap_response *response)
{
    struct mailbox *mailbox = arg;
    struct account *account = mailbox->account;
    if (response->type != IMAP_RESP_STATUS)
        return;
    account_lock(account);
    if (account->watch.selected != mailbox && (mailbox->cover.by & COVER_NOTIFY)) {
        const struct cover_state state = state_of(mailbox, &response->status);
        cover_stirred_locked(mailbox, &state);
    }
    account_unlock(account);
}

/* Without an answer it is not calm, and will be looked at when it is listed next. */
static void on_left_done(void *arg, const struct imap_result *result)
{
    (void)arg, (void)result;
}

void announce_left_locked(struct mailbox *mailbox)
{
    const struct imap_command_events events = {.response = on_left_status, .done = on_left_done};
    if (!(mailbox->cover.by & COVER_NOTIFY))
        return;
    cover_doubt_locked(mailbox, COVER_NOTIFY);
    if (!mailbox->known || !mailbox->modseq || mailbox->gone || mailbox->account->closing)
        return;
    struct imap_command *command = imap_command_new("STATUS");
    imap_command_mailbox(command, mailbox->wire, strlen(mailbox->wire));
    imap_command_raw(command, STATUS_ITEMS);
    imap_command_on(command, &events, mailbox);
    pending_submit_locked(mailbox->account, NULL, IMAP_POOL_WATCHER, 0, command);
}
