/* SPDX-License-Identifier: MIT */
/* writebackmount: from mount to mount: what is taken up, and what is left. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "thread.h"
#include "writeback_internal.h"

/* What cannot be shown any more cannot be done either. */
static void take_intent(struct writeback *writeback, const struct intent *intent)
{
    struct account *account = writeback->account;
    static const char *const what[] = {
        [INTENT_DELETE] = "deleted", [INTENT_MOVE] = "moved to ", [INTENT_COPY] = "copied to "};
    const bool goes = intent->kind != INTENT_DELETE;
    struct mailbox *from = tree_find_locked(account, intent->from, strlen(intent->from));
    struct mailbox *to = goes ? tree_find_locked(account, intent->to, strlen(intent->to)) : NULL;
    if (!from || from->gone || (goes && (!to || to->gone))) {
        pending_log_locked(account, LOG_WARNING,
                           "message %u of mailbox %s was to be %s%s by an earlier mount, and is not: the "
                           "mailbox is not there any more",
                           intent->uid, intent->from, what[intent->kind], intent->to);
        stored_unintent_locked(account, intent->number);
        if (intent->number > writeback->last_number)
            writeback->last_number = intent->number;
        return;
    }
    struct entry *entry =
        writeback_new_entry_locked(writeback, (enum entry_kind)intent->kind, intent->number);
    entry->from = from;
    entry->to = to;
    entry->uidvalidity = intent->uidvalidity;
    entry->uid = intent->uid;
    entry->file = *intent->file ? imap_xstrdup(intent->file) : NULL;
    entry->begun = entry->earlier = intent->begun;
    entry->durable = entry->inherited = true;
    writeback_enqueue_locked(entry);
    writeback_show_locked(entry);
}

/* Both are in the order in which they were made. */
static void take_up(struct writeback *writeback)
{
    struct account *account = writeback->account;
    struct intent *intents = NULL;
    struct draft **drafts = NULL;
    const size_t intent_count = stored_intents_locked(account, &intents);
    const size_t draft_count = drafts_promised_locked(account, &drafts);
    for (size_t i = 0, j = 0; i < intent_count || j < draft_count;) {
        if (i == intent_count || (j < draft_count && draft_promise_locked(drafts[j]) < intents[i].number))
            writeback_upload_locked(drafts[j++]);
        else
            take_intent(writeback, &intents[i++]);
    }
    intents_free(intents, intent_count);
    free(drafts);
    if (writeback->count)
        pending_log_locked(account, LOG_NOTICE, "%zu changes of an earlier mount are still to be done",
                           writeback->count);
}

void writeback_open(struct account *account, bool on)
{
    struct writeback *writeback = imap_xcalloc(1, sizeof *writeback);
    pthread_condattr_t attr;
    writeback->account = account;
    writeback->on = on;
    TAILQ_INIT(&writeback->entries);
    TAILQ_INIT(&writeback->barriers);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&writeback->work, &attr);
    pthread_cond_init(&writeback->idle, &attr);
    pthread_condattr_destroy(&attr);
    account_lock(account);
    account->writeback = writeback;
    take_up(writeback);
    if (on && !stored_on_locked(account))
        pending_log_locked(account, LOG_WARNING,
                           "writeback: there is no store in the cache directory that this mount could keep "
                           "changes in, so every change waits for the server");
    account_unlock(account);
    thread_start(&writeback->thread, "writeback", writeback_thread, writeback);
}

void writeback_remind(struct account *account)
{
    account_lock(account);
    if (account->stored.intent_count)
        pending_log_locked(account, LOG_NOTICE,
                           "%zu changes of an earlier mount are still to be done: mount with rw for that",
                           account->stored.intent_count);
    account_unlock(account);
}

void writeback_outage_locked(struct account *account)
{
    if (!account->writeback)
        return;
    writeback_give_up_waiting_locked(account->writeback, &account->outage);
    pthread_cond_broadcast(&account->writeback->idle);
}

void writeback_resume_locked(struct account *account)
{
    struct writeback *writeback = account->writeback;
    if (!writeback)
        return;
    writeback->not_before_ms = 0;
    writeback->failures = 0;
    pthread_cond_signal(&writeback->work);
}

void writeback_finish(struct account *account)
{
    struct writeback *writeback = account->writeback;
    const int64_t until_ms = model_now_ms() + account->timeout_ms;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (!writeback)
        return;
    account_lock(account);
    writeback_take_promised_locked(account);
    writeback->finishing = true;
    pthread_cond_signal(&writeback->work);
    while (writeback->count && !account->outage.status && model_now_ms() < until_ms)
        pthread_cond_timedwait(&writeback->idle, &account->lock, &until);
    if (writeback->count)
        pending_log_locked(account, LOG_WARNING,
                           "%zu changes are not done yet: the next mount of the account will see to them",
                           writeback->count);
    account_unlock(account);
}

void writeback_stop(struct account *account)
{
    struct writeback *writeback = account->writeback;
    if (!writeback)
        return;
    account_lock(account);
    writeback->stop = true;
    pthread_cond_signal(&writeback->work);
    account_unlock(account);
    pthread_join(writeback->thread, NULL);
}

/* Nobody else is left: what waits is on disk. */
void writeback_close(struct account *account)
{
    struct writeback *writeback = account->writeback;
    struct imap_error err = {0};
    struct entry *entry;
    if (!writeback)
        return;
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    account_lock(account);
    writeback_give_up_waiting_locked(writeback, &err);
    while ((entry = TAILQ_FIRST(&writeback->entries))) {
        TAILQ_REMOVE(&writeback->entries, entry, link);
        pending_finish_locked(account, &entry->waits, &err);
        writeback_free_entry(entry);
    }
    account->writeback = NULL;
    account_unlock(account);
    pthread_cond_destroy(&writeback->work);
    pthread_cond_destroy(&writeback->idle);
    free(writeback);
}
