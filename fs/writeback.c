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
void writeback_take_promised_locked(struct account *account)
{
    struct draft **drafts = NULL;
    const size_t count = drafts_promised_locked(account, &drafts);
    for (size_t i = 0; i < count; i++)
        writeback_upload_locked(drafts[i]);
    free(drafts);
}

bool writeback_synced_locked(struct account *account, struct wait *wait)
{
    writeback_take_promised_locked(account);
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
    const bool copy = entry->kind == ENTRY_COPY; /* it is the copy that is missed */
    const struct mailbox *mailbox = draft ? draft_mailbox_locked(draft) : copy ? entry->to : entry->from;
    const char *name = draft ? draft_file_name_locked(draft) : copy ? entry->file : entry->name;
    snprintf(refusal->text, sizeof refusal->text, "%s in %.100s is not %s: %s", name ? name : "",
             mailbox ? mailbox->wire : "", what[entry->kind], err->text);
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

void writeback_free_entry(struct entry *entry)
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
    writeback_free_entry(entry);
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

struct entry *writeback_new_entry_locked(struct writeback *writeback, enum entry_kind kind, uint64_t number)
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

void writeback_enqueue_locked(struct entry *entry)
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
    struct entry *entry =
        writeback_new_entry_locked(from->account->writeback, kind, writeback_number_locked(from->account));
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
    writeback_enqueue_locked(entry);
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
    struct entry *entry =
        writeback_new_entry_locked(to->account->writeback, ENTRY_COPY, draft_promise_locked(draft));
    entry->from = source->mailbox;
    entry->to = to;
    entry->uidvalidity = source->mailbox->uidvalidity;
    entry->uid = source->uid;
    entry->file = imap_xstrdup(draft_file_name_locked(draft));
    entry->durable = true;
    draftcopy_hand_over_locked(draft);
    writeback_enqueue_locked(entry);
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
    entry = writeback_new_entry_locked(writeback, ENTRY_UPLOAD, number);
    entry->draft = draft_number;
    entry->durable = true;
    writeback_enqueue_locked(entry);
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
