/* SPDX-License-Identifier: MIT */
/*
 * One thread reads drafts and makes commands of them; their answers come on the connections' threads.
 *
 *      LOCAL, FAILED --draft_send_locked--> SENDING --OK and APPENDUID--> SENT
 *                                              | NO, or certainly not sent: FAILED
 *                                              | lost, or OK without APPENDUID: its mailbox is listed anew
 *                                              v
 *                        each new message of its size and date is compared: one is the same: SENT
 *                        none is: sent again while somebody waits for it, else FAILED
 *
 * 1. A draft that may have arrived (unclear) is never sent again before it was looked for under a listing
 *    that is younger than the loss.
 * 2. Whoever waits is told once, when it has arrived or cannot be sent; nothing is sent for nobody.
 */
#include "send.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "sendcmd.h"
#include "sync.h"
#include "thread.h"

#define ATTEMPTS 3

/* Waits for the listing of a draft's mailbox. */
struct look {
    struct wait wait; /* first */
    struct draft *draft;
    int64_t begun_ms;
};

struct sender {
    struct drafts *drafts;
    pthread_t thread;
    pthread_cond_t work;
    /* guarded by the account lock */
    bool stop;
    struct draft *queue, **queue_tail;
    uint32_t *removals;
    size_t removal_count, removal_capacity;
};

static void enqueue(struct draft *draft)
{
    struct sender *sender = draft->drafts->sender;
    draft->send_next = NULL;
    *sender->queue_tail = draft;
    sender->queue_tail = &draft->send_next;
    pthread_cond_signal(&sender->work);
}

/* ---- how it ends ------------------------------------------------------------------------------------ */

static void fail(struct draft *draft, const struct imap_error *err)
{
    struct account *account = draft->drafts->account;
    draft->state = DRAFT_FAILED;
    draft->err = *err;
    draft->candidate = 0;
    pending_log_locked(account, LOG_WARNING, "cannot store %s in %s%s: %s", draft->name, draft->mailbox->wire,
                       draft->unclear ? " (or it is there and that cannot be told)" : "", err->text);
    pending_finish_locked(account, &draft->waits, err);
    draft_settle_locked(draft);
}

/* uid 0: nobody knows which one it is. */
static void arrived(struct draft *draft, uint32_t uid)
{
    struct mailbox *mailbox = draft->mailbox;
    struct account *account = mailbox->account;
    draft->state = DRAFT_SENT;
    draft->unsent = draft->unclear = draft->acknowledged = false;
    draft->candidate = 0;
    draft->attempts = 0;
    draft->message_id = uid ? mailbox->message_id : 0;
    draft->uid = uid;
    imap_pool_mailbox_changed(account->pool, mailbox->wire);
    if (mailbox->known)
        sync_begin_locked(mailbox); /* so that whoever lists it now sees it */
    mailbox_touch_locked(mailbox);
    pending_finish_locked(account, &draft->waits, NULL);
    draft_settle_locked(draft);
}

/* Again, if somebody still wants it and that is of any use. */
static void try_again(struct draft *draft, const struct imap_error *why)
{
    const struct account *account = draft->drafts->account;
    if (draft->waits.first && draft->attempts < ATTEMPTS && !account->closing && !account->outage.status)
        enqueue(draft);
    else
        fail(draft, why);
}

/* ---- looking for it --------------------------------------------------------------------------------- */

static bool may_be(const struct draft *draft, const struct message *message)
{
    return message->size == draft->wire_size && message->date.unix_seconds == draft->mtime.tv_sec;
}

/* The next message that may be it; false when there is none. */
static bool next_candidate(struct draft *draft)
{
    const struct mailbox *mailbox = draft->mailbox;
    const bool same_uids = draft->uidvalidity && draft->uidvalidity == mailbox->uidvalidity;
    const uint32_t first = same_uids && draft->uidnext ? draft->uidnext - 1 : 0;
    uint32_t after = draft->candidate > first ? draft->candidate : first;
    struct message message;
    size_t hint = 0;
    while (mailbox_next_locked(mailbox, after, &hint, &message)) {
        after = message.uid;
        if (!may_be(draft, &message))
            continue;
        draft->candidate = message.uid;
        return true;
    }
    draft->candidate = 0;
    return false;
}

static void look_on(struct draft *draft)
{
    struct imap_error why = {0};
    if (next_candidate(draft)) {
        enqueue(draft);
    } else if (draft->acknowledged) {
        arrived(draft, 0);
    } else {
        draft->unclear = false;
        imap_error_set(&why, IMAP_AGAIN, "the line was lost, and it has not arrived");
        try_again(draft, &why);
    }
}

static void list(struct look *look);

static void on_listed(struct wait *wait, const struct imap_error *err)
{
    struct look *look = (struct look *)wait;
    struct draft *draft = look->draft;
    struct mailbox *mailbox = draft->mailbox;
    struct account *account = mailbox->account;
    account_lock(account);
    if (!err && mailbox->proven_ms < look->begun_ms && !account->closing) {
        list(look); /* from the store, or by a listing that began before */
        account_unlock(account);
        return;
    }
    if (err && draft->acknowledged)
        arrived(draft, 0);
    else if (err)
        fail(draft, err);
    else
        look_on(draft);
    account_unlock(account);
    free(look);
}

static void list(struct look *look)
{
    struct mailbox *mailbox = look->draft->mailbox;
    wait_queue_add(&mailbox->waits, &look->wait);
    sync_begin_locked(mailbox);
}

static void look_for(struct draft *draft)
{
    struct look *look = imap_xcalloc(1, sizeof *look);
    *look = (struct look){.wait = {.done = on_listed}, .draft = draft, .begun_ms = model_now_ms()};
    draft->candidate = 0;
    list(look);
}

/* ---- what comes of the commands ---------------------------------------------------------------------- */

static bool is_lost(enum imap_status status)
{
    return status == IMAP_AGAIN || status == IMAP_UNSURE;
}

static uint32_t appended_uid(const struct draft *draft, const struct imap_text *text)
{
    const uint32_t uidvalidity = draft->mailbox->uidvalidity;
    if (!text || text->code != IMAP_CODE_APPENDUID || !text->to || text->to->count != 1 || !uidvalidity ||
        text->uidvalidity != uidvalidity)
        return 0;
    return text->to->ranges[0].first;
}

void append_ended_locked(struct draft *draft, const struct imap_result *result)
{
    const struct imap_text *text = result->text;
    draft->attempts++;
    if (result->status == IMAP_OK) {
        const uint32_t uid = appended_uid(draft, text);
        draft->acknowledged = true;
        if (uid || (text && text->code == IMAP_CODE_APPENDUID))
            arrived(draft, uid);
        else
            look_for(draft);
    } else if (is_lost(result->status) && !text) {
        draft->unclear |= result->status == IMAP_UNSURE;
        try_again(draft, result->error);
    } else {
        fail(draft, result->error);
    }
}

void compare_ended_locked(struct draft *draft, const struct imap_result *result, bool same)
{
    if (result->status == IMAP_OK && same)
        arrived(draft, draft->candidate);
    else if (result->status == IMAP_OK || result->status == IMAP_GONE)
        look_on(draft);
    else if (draft->acknowledged)
        arrived(draft, 0);
    else
        try_again(draft, result->error);
}

/* ---- the thread ------------------------------------------------------------------------------------- */

static void send_one(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    struct imap_error err = {0};
    if (draft->unclear && !draft->candidate) {
        look_for(draft);
        return;
    }
    const bool compare = draft->candidate != 0;
    account_unlock(account);
    const enum imap_status status = compare ? sendcmd_compare(draft, &err) : sendcmd_append(draft, &err);
    account_lock(account);
    if (status)
        fail(draft, &err);
}

static void remove_files(struct sender *sender)
{
    struct account *account = sender->drafts->account;
    uint32_t *removals = sender->removals;
    const size_t count = sender->removal_count;
    sender->removals = NULL;
    sender->removal_count = sender->removal_capacity = 0;
    account_unlock(account);
    for (size_t i = 0; i < count; i++)
        draftfile_remove(sender->drafts, removals[i]);
    free(removals);
    account_lock(account);
}

static void *thread_main(void *arg)
{
    struct sender *sender = arg;
    struct account *account = sender->drafts->account;
    account_lock(account);
    while (!sender->stop) {
        struct draft *draft = sender->queue;
        if (draft) {
            sender->queue = draft->send_next;
            if (!sender->queue)
                sender->queue_tail = &sender->queue;
            send_one(draft);
        } else if (sender->removal_count) {
            remove_files(sender);
        } else {
            pthread_cond_wait(&sender->work, &account->lock);
            continue;
        }
        account_unlock(account); /* carries out what is pending */
        account_lock(account);
    }
    account_unlock(account);
    return NULL;
}

struct sender *sender_new(struct drafts *drafts)
{
    struct sender *sender = imap_xcalloc(1, sizeof *sender);
    sender->drafts = drafts;
    sender->queue_tail = &sender->queue;
    pthread_cond_init(&sender->work, NULL);
    thread_start(&sender->thread, "sender", thread_main, sender);
    return sender;
}

void sender_stop(struct sender *sender)
{
    struct account *account = sender->drafts->account;
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    account_lock(account);
    sender->stop = true;
    pthread_cond_signal(&sender->work);
    account_unlock(account);
    pthread_join(sender->thread, NULL);
    account_lock(account);
    while (sender->queue) {
        struct draft *draft = sender->queue;
        sender->queue = draft->send_next;
        fail(draft, &err);
    }
    account_unlock(account);
}

void sender_free(struct sender **sender_in)
{
    struct sender *sender = *sender_in;
    *sender_in = NULL;
    if (!sender)
        return;
    for (size_t i = 0; i < sender->removal_count; i++)
        draftfile_remove(sender->drafts, sender->removals[i]);
    free(sender->removals);
    pthread_cond_destroy(&sender->work);
    free(sender);
}

void sender_remove_locked(struct sender *sender, uint32_t number)
{
    if (sender->removal_count == sender->removal_capacity) {
        sender->removal_capacity = sender->removal_capacity ? 2 * sender->removal_capacity : 16;
        sender->removals =
            imap_xreallocarray(sender->removals, sender->removal_capacity, sizeof *sender->removals);
    }
    sender->removals[sender->removal_count++] = number;
    pthread_cond_signal(&sender->work);
}

/* Only to know: nothing is sent for nobody. */
void sender_resume_locked(struct sender *sender)
{
    for (struct draft *draft = sender->drafts->first; draft; draft = draft->next) {
        if (draft->state != DRAFT_FAILED || !draft->unclear || !draft->mailbox || sender->stop)
            continue;
        draft->state = DRAFT_SENDING;
        enqueue(draft);
    }
}

bool draft_send_locked(struct draft *draft, struct wait *wait)
{
    const bool nothing = !draft->unsent || !draft->size || draft_name_is_local(draft->name);
    struct imap_error err = {0};
    if (nothing || !draft->mailbox)
        return true;
    if (draft->writers || draft->drafts->sender->stop) {
        imap_error_sys(&err, draft->writers ? EBUSY : ENOTCONN, "%s cannot be sent now", draft->name);
        pending_refuse_locked(draft->drafts->account, wait, &err);
        return false;
    }
    wait_queue_add(&draft->waits, wait);
    if (draft->state == DRAFT_SENDING)
        return false;
    draft->state = DRAFT_SENDING;
    draft->attempts = 0;
    enqueue(draft);
    return false;
}
