/* SPDX-License-Identifier: MIT */
/*
 * writebackrun: the thread that has done what waits.
 *
 * A run is the longest stretch of the queue's beginning in which nothing depends on order: uploads, or copies, or deletes
 * and moves, which are of different messages each. Its calls are made at once, so that write.c and the sender put them into
 * as few commands as they can; the next run begins when all are answered. Before that
 *   - each mailbox has to be listed: gone from a listing is done, not known yet is not;
 *   - of a copy, and a move that is a copy and a deletion, the store has to know that it has begun: after a crash nobody
 *     could tell whether the copy was made, and it is not made twice.
 * A lost line puts what was not done back to wait, and a while is let pass.
 */
#include <stddef.h>

#include "send.h"
#include "writeback_internal.h"

#define GATHER_MS 50 /* a program that deletes one message deletes more */
#define RUN_MAX 1000u
#define PAUSE_MS 1000 /* doubled with each failure in a row, up to */
#define PAUSE_MAX_MS 60000
#define REFUSALS_MAX 5u /* of those that time may mend */

/* ---- what comes of it ------------------------------------------------------------------------------- */

static void pause_for_a_while(struct writeback *writeback)
{
    int64_t pause_ms = PAUSE_MS;
    for (unsigned i = 0; i < writeback->failures && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    writeback->failures++;
    writeback->not_before_ms = model_now_ms() + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
}

/* The server has answered, and may answer otherwise later; a line that is lost has no code. */
static bool is_temporary(const struct imap_error *err)
{
    return err->code == IMAP_CODE_UNAVAILABLE || err->code == IMAP_CODE_INUSE || err->code == IMAP_CODE_LIMIT;
}

/* Certainly not done, or harmless to ask for once more, and of use. */
static bool worth_repeating(const struct entry *entry, const struct imap_error *err)
{
    const bool is_copy = entry->kind == ENTRY_UPLOAD || entry->begun;
    if (entry->writeback->stop || err->status == IMAP_CANCEL)
        return true;
    if (is_temporary(err))
        return entry->attempts < REFUSALS_MAX;
    return err->status == IMAP_AGAIN || (err->status == IMAP_UNSURE && !is_copy);
}

/* Somebody else has deleted it; or an earlier mount was killed before it heard that it was done. */
static bool is_done_anyway(const struct entry *entry, const struct imap_error *err)
{
    return (entry->kind == ENTRY_DELETE || entry->inherited) && err->status == IMAP_GONE &&
           err->code != IMAP_CODE_UIDVALIDITY;
}

static void name_moved(const struct entry *entry)
{
    if (entry->kind != ENTRY_DELETE && entry->file && entry->place.uid)
        (void)naming_set_locked(entry->to, entry->place.uidvalidity, entry->place.uid, entry->file);
}

static void on_done(struct wait *wait, const struct imap_error *err)
{
    struct entry *entry = (struct entry *)((char *)wait - offsetof(struct entry, done));
    struct writeback *writeback = entry->writeback;
    struct account *account = writeback->account;
    account_lock(account);
    entry->running = false;
    writeback->running--;
    if (!err || is_done_anyway(entry, err)) {
        writeback->failures = 0;
        name_moved(entry);
        writeback_over_locked(entry, NULL);
    } else if (worth_repeating(entry, err)) {
        entry->attempts++;
        if (writeback->not_before_ms <= model_now_ms())
            pause_for_a_while(writeback);
        if (account->outage.status)
            writeback_give_up_waiting_locked(writeback, &account->outage);
    } else {
        writeback_over_locked(entry, err);
    }
    if (!writeback->running)
        pthread_cond_signal(&writeback->work);
    account_unlock(account);
}

/* ---- before a run ----------------------------------------------------------------------------------- */

static struct entry *first_of(const struct writeback *writeback, const struct mailbox *mailbox)
{
    struct entry *entry = TAILQ_FIRST(&writeback->entries);
    while (entry && entry->from != mailbox)
        entry = TAILQ_NEXT(entry, link);
    return entry;
}

/* It cannot be listed, and time will not mend that. */
static void refuse_all_of(struct writeback *writeback, const struct mailbox *mailbox,
                          const struct imap_error *err)
{
    struct entry *entry, *next = first_of(writeback, mailbox);
    while ((entry = next)) {
        writeback_over_locked(entry, err);
        next = first_of(writeback, mailbox); /* others may have gone with it */
    }
}

static bool is_for_good(const struct imap_error *err)
{
    return !is_temporary(err) && (err->status == IMAP_NO || err->status == IMAP_GONE);
}

static void on_prepared(struct wait *wait, const struct imap_error *err)
{
    struct writeback *writeback = (struct writeback *)((char *)wait - offsetof(struct writeback, prepared));
    struct account *account = writeback->account;
    account_lock(account);
    writeback->preparing = false;
    if (err && writeback->listing && is_for_good(err))
        refuse_all_of(writeback, writeback->listing, err);
    else if (err)
        pause_for_a_while(writeback);
    else
        writeback->failures = 0;
    pthread_cond_signal(&writeback->work);
    account_unlock(account);
}

/* listing: NULL: it is the store that is waited for. */
static void prepare(struct writeback *writeback, struct mailbox *listing)
{
    writeback->listing = listing;
    writeback->prepared = (struct wait){.done = on_prepared};
    writeback->preparing = true;
}

/* True when nothing has to be waited for. */
static bool is_listed(struct writeback *writeback, struct mailbox *mailbox)
{
    if (mailbox->known || mailbox->gone)
        return true;
    prepare(writeback, mailbox);
    writeback->preparing = !mailbox_fresh_locked(mailbox, &writeback->prepared);
    return !writeback->preparing;
}

/* What is deleted may go into the trash. */
static bool is_copied(const struct entry *entry)
{
    struct imap_error err = {0};
    struct mailbox *trash = NULL;
    if (entry->kind == ENTRY_COPY)
        return true;
    if (account_offers(entry->writeback->account, IMAP_CAP_MOVE))
        return false;
    return entry->kind == ENTRY_MOVE || (!write_trash_locked(entry->from, &trash, &err) && trash);
}

/* Marks it, if need be: true when the store has to be waited for. */
static bool has_to_be_marked(struct entry *entry)
{
    if (entry->begun || !is_copied(entry))
        return false;
    entry->begun = true;
    writeback_tell_intent_locked(entry);
    return true;
}

static bool may_run_together(const struct entry *one, const struct entry *other)
{
    const bool apart = one->kind == ENTRY_UPLOAD || one->kind == ENTRY_COPY || other->kind == ENTRY_UPLOAD ||
                       other->kind == ENTRY_COPY;
    return one->kind == other->kind || !apart;
}

/* The position of the run's last one. Not a pointer: what is refused takes others along. */
static uint64_t end_of_run(const struct writeback *writeback)
{
    const struct entry *first = TAILQ_FIRST(&writeback->entries), *entry = first;
    uint64_t last = first->position;
    for (unsigned i = 0; entry && i < RUN_MAX && may_run_together(first, entry); i++) {
        last = entry->position;
        entry = TAILQ_NEXT(entry, link);
    }
    return last;
}

static bool is_prepared(struct writeback *writeback, uint64_t last)
{
    struct entry *entry = TAILQ_FIRST(&writeback->entries);
    bool marked = false;
    for (; entry && entry->position <= last; entry = TAILQ_NEXT(entry, link)) {
        if (entry->kind == ENTRY_UPLOAD)
            continue;
        if (!is_listed(writeback, entry->from))
            return false;
        marked |= has_to_be_marked(entry);
    }
    if (!marked)
        return true;
    prepare(writeback, NULL);
    writeback->preparing = !stored_written_locked(writeback->account, &writeback->prepared);
    return !writeback->preparing;
}

/* ---- a run ------------------------------------------------------------------------------------------ */

static void refuse(struct entry *entry, enum imap_status status, enum imap_code code, const char *why)
{
    struct imap_error err = {0};
    imap_error_set(&err, status, "%s", why);
    err.code = code;
    writeback_over_locked(entry, &err);
}

static void begin_message(struct entry *entry)
{
    struct mailbox *from = entry->from;
    struct message message;
    if (from->uidvalidity != entry->uidvalidity) {
        refuse(entry, IMAP_GONE, IMAP_CODE_UIDVALIDITY, "the mailbox is not what it was");
        return;
    }
    if (entry->earlier && (entry->kind == ENTRY_COPY || mailbox_find_locked(from, entry->uid, &message))) {
        refuse(entry, IMAP_UNSURE, IMAP_CODE_NONE,
               "the mount ended while it was being copied: look whether the copy is there");
        return;
    }
    if (entry->earlier) { /* the copy comes first */
        writeback_over_locked(entry, NULL);
        return;
    }
    entry->done = (struct wait){.done = on_done};
    entry->running = true;
    entry->writeback->running++;
    if (entry->kind == ENTRY_DELETE)
        write_delete_locked(from, from->message_id, entry->uid, &entry->done);
    else if (entry->kind == ENTRY_COPY)
        write_copy_locked(from, from->message_id, entry->uid, entry->to, &entry->done, &entry->place);
    else
        write_move_locked(from, from->message_id, entry->uid, entry->to, &entry->done, &entry->place);
}

/* One that nobody wants sent any more was removed, or is being written anew. */
static void begin_upload(struct entry *entry)
{
    struct writeback *writeback = entry->writeback;
    struct draft *draft = draft_by_number_locked(writeback->account, entry->draft);
    if (!draft || draft_promise_locked(draft) != entry->number) {
        writeback_over_locked(entry, NULL);
        return;
    }
    entry->done = (struct wait){.done = on_done};
    if (draft_send_locked(draft, &entry->done)) {
        writeback_over_locked(entry, NULL);
        return;
    }
    entry->running = true;
    writeback->running++;
}

static void run(struct writeback *writeback)
{
    struct account *account = writeback->account;
    const uint64_t last = end_of_run(writeback);
    struct entry *entry = TAILQ_FIRST(&writeback->entries), *next;
    if (!is_prepared(writeback, last))
        return;
    write_hold_locked(account);
    for (; entry && entry->position <= last; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry->kind == ENTRY_UPLOAD)
            begin_upload(entry);
        else
            begin_message(entry);
    }
    write_release_locked(account);
}

/* ---- the thread ------------------------------------------------------------------------------------- */

/* When the next run is due; INT64_MAX: when something happens. */
static int64_t due_ms(const struct writeback *writeback)
{
    const struct entry *first = TAILQ_FIRST(&writeback->entries);
    const bool hurry =
        writeback->finishing || !TAILQ_EMPTY(&writeback->barriers) || writeback->count >= RUN_MAX;
    if (!first || writeback->running || writeback->preparing || writeback->account->outage.status)
        return INT64_MAX;
    const int64_t gathered_ms = hurry ? 0 : first->since_ms + GATHER_MS;
    return gathered_ms > writeback->not_before_ms ? gathered_ms : writeback->not_before_ms;
}

static void sleep_until(struct writeback *writeback, int64_t due)
{
    struct account *account = writeback->account;
    const struct timespec until = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};
    if (due == INT64_MAX)
        pthread_cond_wait(&writeback->work, &account->lock);
    else
        pthread_cond_timedwait(&writeback->work, &account->lock, &until);
}

void *writeback_thread(void *arg)
{
    struct writeback *writeback = arg;
    struct account *account = writeback->account;
    account_lock(account);
    while (!writeback->stop) {
        const int64_t due = due_ms(writeback);
        if (due > model_now_ms()) {
            sleep_until(writeback, due);
            continue;
        }
        run(writeback);
        account_unlock(account); /* carries out what is pending */
        account_lock(account);
    }
    account_unlock(account);
    return NULL;
}
