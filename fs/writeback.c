/* SPDX-License-Identifier: MIT */
/*
 * writeback: the queue: what comes in, who is told what, and how entries leave it.
 *
 *  1. An entry leaves the queue once, when the server has done or refused it. What is on disk of it (the intent, or the
 *     draft's promise) goes after that: killed in between, the next mount asks for the same once more, and finds it
 *     done.
 *  2. A message is in one entry at most, as it has no name any more by which it could get into another.
 *  3. A caller is told success when the change is on disk, or done; an error only when it is not done and will not be.
 */
#include "writeback.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "draftcopy.h"
#include "send.h"
#include "thread.h"
#include "writeback_internal.h"

/* ---- who waits for others' changes ------------------------------------------------------------------ */

static void tell_barrier(struct writeback *writeback, struct barrier *barrier, const struct imap_error *err)
{
    TAILQ_REMOVE(&writeback->barriers, barrier, link);
    const bool refusal = !err && barrier->tells && barrier->waits.first && writeback->untold.status;
    pending_finish_locked(writeback->account, &barrier->waits, refusal ? &writeback->untold : err);
    if (refusal)
        writeback->untold = (struct imap_error){0};
    free(barrier);
}

static void pass_barriers(struct writeback *writeback)
{
    const struct entry *first = TAILQ_FIRST(&writeback->entries);
    struct barrier *barrier, *next;
    for (barrier = TAILQ_FIRST(&writeback->barriers); barrier; barrier = next) {
        next = TAILQ_NEXT(barrier, link);
        if (!first || first->position > barrier->position)
            tell_barrier(writeback, barrier, NULL);
    }
}

void writeback_give_up_waiting_locked(struct writeback *writeback, const struct imap_error *why)
{
    struct barrier *barrier, *next;
    for (barrier = TAILQ_FIRST(&writeback->barriers); barrier; barrier = next) {
        next = TAILQ_NEXT(barrier, link);
        tell_barrier(writeback, barrier, why);
    }
}

static bool await(struct account *account, struct wait *wait, bool tells)
{
    struct writeback *writeback = account->writeback;
    if (!writeback || (!writeback->count && !(tells && writeback->untold.status)))
        return true;
    if (writeback->count && account->outage.status) {
        imap_pool_hurry(account->pool);
        pending_refuse_locked(account, wait, &account->outage);
        return false;
    }
    struct barrier *barrier = imap_xcalloc(1, sizeof *barrier);
    barrier->position = writeback->last_position;
    barrier->tells = tells;
    wait_queue_init(&barrier->waits);
    wait_queue_add(&barrier->waits, wait);
    TAILQ_INSERT_TAIL(&writeback->barriers, barrier, link);
    pthread_cond_signal(&writeback->work);
    pass_barriers(writeback);
    return false;
}

bool writeback_settled_locked(struct account *account, struct wait *wait)
{
    return await(account, wait, false);
}

/* One that was closed may not have been let go of yet. */
static void take_promised(struct account *account)
{
    struct draft **drafts = NULL;
    const size_t count = drafts_promised_locked(account, &drafts);
    for (size_t i = 0; i < count; i++)
        writeback_upload_locked(drafts[i]);
    free(drafts);
}

bool writeback_synced_locked(struct account *account, struct wait *wait)
{
    take_promised(account);
    return await(account, wait, true);
}

/* ---- the end of an entry ---------------------------------------------------------------------------- */

static void remember_refusal(const struct entry *entry, const struct imap_error *err)
{
    static const char *const what[] = {[ENTRY_DELETE] = "deleted",
                                       [ENTRY_MOVE] = "moved",
                                       [ENTRY_COPY] = "copied",
                                       [ENTRY_UPLOAD] = "stored"};
    struct writeback *writeback = entry->writeback;
    struct writeback_refusal *refusal = &writeback->refusals[writeback->refusal_next];
    const struct draft *draft =
        entry->kind == ENTRY_UPLOAD ? draft_by_number_locked(writeback->account, entry->draft) : NULL;
    writeback->refusal_next = (writeback->refusal_next + 1) % WRITEBACK_REFUSALS;
    writeback->refusal_count += writeback->refusal_count < WRITEBACK_REFUSALS;
    refusal->when = time(NULL);
    snprintf(refusal->text, sizeof refusal->text, "%s in %.100s is not %s: %s",
             draft         ? draft_file_name_locked(draft)
             : entry->from ? entry->name
                           : "",
             entry->from ? entry->from->wire
             : draft     ? draft_mailbox_locked(draft)->wire
                         : "",
             what[entry->kind], err->text);
    writeback->untold = *err;
    if (entry->from) /* what an upload has met sender has said */
        pending_log_locked(writeback->account, LOG_WARNING, "%s", refusal->text);
}

/* What was to be done with the message once the copy was there. */
static void refuse_dependents(const struct entry *copy, const struct imap_error *why)
{
    struct imap_error err = *why;
    struct entry *entry, *next;
    snprintf(err.text, sizeof err.text, "it was to be copied before, and is not: %.180s", why->text);
    for (entry = TAILQ_NEXT(copy, link); entry; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry->from == copy->from && entry->uid == copy->uid && entry->kind != ENTRY_COPY)
            writeback_over_locked(entry, &err);
    }
}

static void free_entry(struct entry *entry)
{
    free(entry->name);
    free(entry->file);
    free(entry);
}

void writeback_over_locked(struct entry *entry, const struct imap_error *err)
{
    struct writeback *writeback = entry->writeback;
    struct draft *draft;
    if (err && entry->kind == ENTRY_COPY && err->status != IMAP_GONE)
        refuse_dependents(entry, err);
    TAILQ_REMOVE(&writeback->entries, entry, link);
    writeback->count--;
    if (err)
        remember_refusal(entry, err);
    if (entry->kind != ENTRY_UPLOAD) {
        writeback_unshow_locked(entry);
        stored_unintent_locked(writeback->account, entry->number);
    } else if (err && (draft = draft_by_number_locked(writeback->account, entry->draft))) {
        draft_release_locked(draft);
    }
    pending_finish_locked(writeback->account, &entry->waits, err);
    pass_barriers(writeback);
    if (!writeback->count)
        pthread_cond_broadcast(&writeback->idle);
    free_entry(entry);
}

/* ---- what is on disk -------------------------------------------------------------------------------- */

static void ask_store(struct writeback *writeback);

static void on_written(struct wait *wait, const struct imap_error *err)
{
    struct writeback *writeback = (struct writeback *)((char *)wait - offsetof(struct writeback, written));
    struct account *account = writeback->account;
    struct entry *entry;
    account_lock(account);
    writeback->asking = false;
    for (entry = TAILQ_LAST(&writeback->entries, entry_queue); entry && !err;
         entry = TAILQ_PREV(entry, entry_queue, link)) {
        if (entry->position > writeback->asked || entry->kind == ENTRY_UPLOAD)
            continue;
        if (entry->durable)
            break;
        entry->durable = true;
        pending_finish_locked(account, &entry->waits, NULL);
    }
    if (!err && !account->closing && writeback->asked < writeback->last_position)
        ask_store(writeback);
    account_unlock(account);
}

/* Without a store the callers wait for the server. */
static void ask_store(struct writeback *writeback)
{
    if (writeback->asking)
        return;
    writeback->written = (struct wait){.done = on_written};
    writeback->asked = writeback->last_position;
    writeback->asking = !stored_written_locked(writeback->account, &writeback->written);
}

void writeback_tell_intent_locked(const struct entry *entry)
{
    const struct intent intent = {.number = entry->number,
                                  .kind = (enum intent_kind)entry->kind,
                                  .begun = entry->begun,
                                  .uidvalidity = entry->uidvalidity,
                                  .uid = entry->uid,
                                  .from = entry->from->wire,
                                  .to = entry->to ? entry->to->wire : "",
                                  .file = entry->file ? entry->file : ""};
    stored_intent_locked(entry->writeback->account, &intent);
}

/* ---- what comes in ---------------------------------------------------------------------------------- */

static struct entry *new_entry(struct writeback *writeback, enum entry_kind kind, uint64_t number)
{
    struct entry *entry = imap_xcalloc(1, sizeof *entry);
    entry->writeback = writeback;
    entry->kind = kind;
    entry->number = number;
    entry->since_ms = model_now_ms();
    wait_queue_init(&entry->waits);
    if (number > writeback->last_number)
        writeback->last_number = number;
    return entry;
}

static void enqueue(struct entry *entry)
{
    struct writeback *writeback = entry->writeback;
    entry->position = ++writeback->last_position;
    TAILQ_INSERT_TAIL(&writeback->entries, entry, link);
    writeback->count++;
    pthread_cond_signal(&writeback->work);
}

bool writeback_defers_locked(const struct account *account)
{
    const struct writeback *writeback = account->writeback;
    return writeback && writeback->on && !account->closing && stored_on_locked(account);
}

bool writeback_is_full_locked(const struct account *account)
{
    return account->writeback && account->writeback->count >= WRITEBACK_MAX;
}

uint64_t writeback_number_locked(struct account *account)
{
    return ++account->writeback->last_number;
}

static struct entry *new_message_entry(enum entry_kind kind, struct mailbox *from, uint32_t uid,
                                       struct mailbox *to, const char *file)
{
    struct entry *entry = new_entry(from->account->writeback, kind, writeback_number_locked(from->account));
    entry->from = from;
    entry->to = to;
    entry->uidvalidity = from->uidvalidity;
    entry->uid = uid;
    entry->file = file ? imap_xstrdup(file) : NULL;
    return entry;
}

static void defer(struct entry *entry, struct wait *wait)
{
    wait_queue_add(&entry->waits, wait);
    enqueue(entry);
    writeback_show_locked(entry);
    writeback_tell_intent_locked(entry);
    ask_store(entry->writeback);
}

void writeback_delete_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, struct wait *wait)
{
    struct account *account = mailbox->account;
    struct mailbox *trash = NULL;
    struct imap_error err = {0};
    if (!writeback_defers_locked(account))
        write_delete_locked(mailbox, message_id, uid, wait);
    else if (write_trash_locked(mailbox, &trash, &err) ||
             write_check_locked(mailbox, message_id, uid, trash, &err))
        pending_refuse_locked(account, wait, &err);
    else
        defer(new_message_entry(ENTRY_DELETE, mailbox, uid, NULL, NULL), wait);
}

void writeback_move_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                           const char *file, struct wait *wait)
{
    struct imap_error err = {0};
    if (write_check_locked(from, message_id, uid, to, &err))
        pending_refuse_locked(from->account, wait, &err);
    else
        defer(new_message_entry(ENTRY_MOVE, from, uid, to, file), wait);
}

bool writeback_copy_locked(struct draft *draft, struct wait *wait)
{
    struct account *account = draft_account(draft);
    struct mailbox *to = draft_mailbox_locked(draft);
    struct draftcopy_source source;
    struct imap_error err = {0};
    if (!to || draft_promise_locked(draft) || !draftcopy_source_locked(draft, &source))
        return true;
    if (write_check_locked(source.mailbox, source.message_id, source.uid, to, &err)) {
        pending_refuse_locked(account, wait, &err);
        return false;
    }
    const struct intent intent = {.number = writeback_number_locked(account),
                                  .kind = INTENT_COPY,
                                  .uidvalidity = source.mailbox->uidvalidity,
                                  .uid = source.uid,
                                  .from = source.mailbox->wire,
                                  .to = to->wire,
                                  .file = draft_file_name_locked(draft)};
    draft_promised_locked(draft, intent.number);
    stored_intent_locked(account, &intent);
    return stored_written_locked(account, wait);
}

static void enqueue_copy(struct draft *draft, const struct draftcopy_source *source)
{
    struct mailbox *to = draft_mailbox_locked(draft);
    struct entry *entry = new_entry(to->account->writeback, ENTRY_COPY, draft_promise_locked(draft));
    entry->from = source->mailbox;
    entry->to = to;
    entry->uidvalidity = source->mailbox->uidvalidity;
    entry->uid = source->uid;
    entry->file = imap_xstrdup(draft_file_name_locked(draft));
    entry->durable = true;
    draftcopy_hand_over_locked(draft);
    enqueue(entry);
    writeback_show_locked(entry);
}

void writeback_upload_locked(struct draft *draft)
{
    struct draftcopy_source source;
    struct writeback *writeback = draft_account(draft)->writeback;
    const uint64_t number = draft_promise_locked(draft);
    const uint32_t draft_number = draft_number_locked(draft);
    struct entry *entry;
    if (!writeback || !number)
        return;
    if (draftcopy_source_locked(draft, &source)) {
        enqueue_copy(draft, &source);
        return;
    }
    TAILQ_FOREACH_REVERSE(entry, &writeback->entries, entry_queue, link)
    {
        if (entry->kind == ENTRY_UPLOAD && entry->draft == draft_number && !entry->running)
            return;
    }
    entry = new_entry(writeback, ENTRY_UPLOAD, number);
    entry->draft = draft_number;
    entry->durable = true;
    enqueue(entry);
}

/* ---- the status ------------------------------------------------------------------------------------- */

void writeback_state_locked(const struct account *account, struct writeback_state *state_out)
{
    const struct writeback *writeback = account->writeback;
    const struct entry *entry;
    *state_out = (struct writeback_state){0};
    if (!writeback)
        return;
    TAILQ_FOREACH(entry, &writeback->entries, link)
    {
        state_out->deletes += entry->kind == ENTRY_DELETE;
        state_out->moves += entry->kind == ENTRY_MOVE;
        state_out->copies += entry->kind == ENTRY_COPY;
        state_out->uploads += entry->kind == ENTRY_UPLOAD;
    }
    state_out->refusal_count = writeback->refusal_count;
    const size_t first =
        (writeback->refusal_next + WRITEBACK_REFUSALS - writeback->refusal_count) % WRITEBACK_REFUSALS;
    for (size_t i = 0; i < writeback->refusal_count; i++)
        state_out->refusals[i] = writeback->refusals[(first + i) % WRITEBACK_REFUSALS];
}

/* ---- from mount to mount ---------------------------------------------------------------------------- */

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
    struct entry *entry = new_entry(writeback, (enum entry_kind)intent->kind, intent->number);
    entry->from = from;
    entry->to = to;
    entry->uidvalidity = intent->uidvalidity;
    entry->uid = intent->uid;
    entry->file = *intent->file ? imap_xstrdup(intent->file) : NULL;
    entry->begun = entry->earlier = intent->begun;
    entry->durable = entry->inherited = true;
    enqueue(entry);
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
    struct intent *intents = NULL;
    account_lock(account);
    const size_t count = stored_intents_locked(account, &intents);
    if (count)
        pending_log_locked(account, LOG_NOTICE,
                           "%zu changes of an earlier mount are still to be done: mount with rw for that",
                           count);
    account_unlock(account);
    intents_free(intents, count);
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
    take_promised(account);
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
        free_entry(entry);
    }
    account->writeback = NULL;
    account_unlock(account);
    pthread_cond_destroy(&writeback->work);
    pthread_cond_destroy(&writeback->idle);
    free(writeback);
}
