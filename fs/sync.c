/* SPDX-License-Identifier: MIT */
/*
 * sync: one mailbox after the other is brought to the server's state on connection 0.
 *
 *  1. A listing is whole or an error: rows become columns only when their number is the number of
 *     messages that the server has announced (less what arrived since they were asked for).
 *  2. Rows are applied in one delta, under the lock, and never in part.
 *  3. `watch.exact` holds from a completed sync (or a SELECT that proves that nothing has changed) until
 *     the mailbox is left or news come that cannot be attributed.
 *  4. What is collected belongs to one selection: a SELECT in between voids it. A changed UIDVALIDITY
 *     empties the columns before the first row of the new one.
 *  5. Every wait is told once: by the end of the sync that its mailbox has, whichever way it ends.
 *  6. Only the first of watch.queue has commands outstanding, so that mailboxes are not selected in turns.
 *  7. No more than ATTEMPTS rounds without progress, so a server that never agrees with itself ends in
 *     an error. What is voided because the mailbox has changed meanwhile is no disagreement, and has its own
 *     limit (DISTURBANCES), as others may change it many times a second.
 *  8. mailbox->modseq is a state that the columns surely hold: HIGHESTMODSEQ as the SELECT told it that a
 *     completed sync began with. It is not raised by the MODSEQ of a FETCH, nor by what is told later
 *     (RFC 7162 3.1.2.1, 3.2.6): a change with a lower one may still be under way, and would never be
 *     asked for again. The price is to be told twice, after a while of watching, what is known already.
 *  9. What a server tells by mod-sequence counts as the whole difference only when the number of messages
 *     that come of it is exactly EXISTS. If it is not, or the server refuses, the messages are compared one
 *     by one, and it is not asked by mod-sequence again in this sync.
 */
#include "sync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "outage.h"

#define ATTEMPTS 3
#define DISTURBANCES 5
#define SEARCH_MAX 200000 /* numbers that a server without ESEARCH may have to write into one line */
#define SURPLUS 65536     /* rows beyond twice the announced number: more is no honest server */

static void start(struct sync *sync);
static void step(struct sync *sync);

/* ---- the queue ------------------------------------------------------------------------------------ */

void sync_begin_locked(struct mailbox *mailbox)
{
    struct watch *watch = &mailbox->account->watch;
    if (mailbox->sync || mailbox->account->closing || stored_load_locked(mailbox, true))
        return;
    struct sync *sync = imap_xcalloc(1, sizeof *sync);
    sync->mailbox = mailbox;
    sync->begun_ms = model_now_ms();
    mailbox->sync = sync;
    *watch->queue_tail = sync;
    watch->queue_tail = &sync->next;
    if (watch->queue == sync)
        start(sync);
}

static void unqueue(struct watch *watch, struct sync *sync)
{
    struct sync **link = &watch->queue;
    while (*link != sync)
        link = &(*link)->next;
    *link = sync->next;
    if (!sync->next)
        watch->queue_tail = link;
}

void sync_hasten_locked(struct mailbox *mailbox)
{
    struct watch *watch = &mailbox->account->watch;
    struct sync *sync = mailbox->sync;
    if (!sync || sync == watch->queue)
        return;
    unqueue(watch, sync);
    struct sync **link = &watch->queue->next;
    while (*link && (*link)->mailbox->waits.first)
        link = &(*link)->next;
    sync->next = *link;
    *link = sync;
    if (!sync->next)
        watch->queue_tail = &sync->next;
}

static void clear_rows(struct sync *sync)
{
    free(sync->rows);
    sync->rows = NULL;
    sync->row_count = sync->row_capacity = sync->row_sorted = 0;
}

static void clear_collected(struct sync *sync)
{
    clear_rows(sync);
    free(sync->gone);
    free(sync->found);
    sync->gone = NULL;
    sync->found = NULL;
    sync->gone_count = sync->gone_capacity = 0;
    sync->found_count = sync->found_capacity = 0;
    sync->arrived = 0;
    sync->disturbed = sync->flooded = sync->asked_missing = false;
    sync->resumed = sync->searched = sync->answered = sync->refused_bad = false;
    sync->err = (struct imap_error){0};
}

static bool lost_in_outage(const struct account *account, const struct imap_error *err)
{
    return account_is_out_locked(account) && (err->status == IMAP_AGAIN || err->status == IMAP_UNSURE);
}

/* Ends the sync; err NULL: the columns are the server's. */
static void finish(struct sync *sync, const struct imap_error *err)
{
    struct mailbox *mailbox = sync->mailbox;
    struct account *account = mailbox->account;
    if (err && lost_in_outage(account, err)) {
        if (mailbox->known)
            pending_finish_locked(account, &mailbox->waits, NULL); /* it is listed as it was */
        else
            pending_finish_locked(account, &mailbox->waits, &account->outage);
    } else if (err) {
        struct imap_error told = *err;
        imap_error_set(&told, err->status, "%s: %s", mailbox->wire, err->text);
        told.code = err->code;
        told.sys_errno = err->sys_errno;
        const bool matters = err->status != IMAP_GONE || mailbox->waits.first; /* else it was to be watched */
        if (err->status != IMAP_CANCEL && matters)
            pending_log_locked(account, LOG_WARNING, "cannot list mailbox %s", told.text);
        pending_finish_locked(account, &mailbox->waits, &told);
    } else {
        mailbox->proven_ms = model_now_ms();
        stored_settled_locked(mailbox);
        naming_settled_locked(mailbox, mailbox->uidnext);
        pending_finish_locked(account, &mailbox->waits, NULL);
    }
    sync_forget_touch_locked(sync);
    clear_collected(sync);
    mailbox->sync = NULL;
    unqueue(&account->watch, sync);
    free(sync);
    cover_synced_locked(mailbox, !err);
}

static void start_next(struct account *account)
{
    if (account->watch.queue && account->watch.queue->phase == SYNC_QUEUED)
        start(account->watch.queue);
}

static void fail(struct sync *sync, const struct imap_error *err)
{
    struct account *account = sync->mailbox->account;
    if (err->status == IMAP_GONE)
        tree_list_locked(account); /* not only its messages are gone */
    finish(sync, err);
    start_next(account);
}

static void succeed(struct sync *sync)
{
    struct account *account = sync->mailbox->account;
    finish(sync, NULL);
    start_next(account);
}

/* Those behind it would only wait for the same: not one deadline after the other. */
static void end_all(struct account *account, const struct imap_error *err)
{
    for (struct sync *sync = account->watch.queue, *next; sync; sync = next) {
        next = sync->next;
        finish(sync, err);
    }
}

void sync_cancel_all_locked(struct account *account)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    end_all(account, &err);
}

/* ---- what to do next ------------------------------------------------------------------------------ */

static void collect(struct sync *sync, enum sync_mode mode);

/* One more round, if there may be one. */
static bool try_again(struct sync *sync, const struct imap_error *why)
{
    if (sync->disturbed ? ++sync->disturbances < DISTURBANCES : ++sync->attempts < ATTEMPTS)
        return true;
    fail(sync, why);
    return false;
}

static bool asks_extras(const struct sync *sync)
{
    const struct account *account = sync->mailbox->account;
    return !sync->bare &&
           (account_offers(account, IMAP_CAP_CONDSTORE) || account_offers(account, IMAP_CAP_OBJECTID) ||
            account_offers(account, IMAP_CAP_X_GM_EXT_1));
}

/* There is a weaker way to ask: mod-sequences, or object ids, may be what the server refuses. */
static bool ask_plainly(struct sync *sync)
{
    const bool changed = sync->phase >= SYNC_COLLECT && sync->mode == SYNC_CHANGED && !sync->plain;
    const bool bad = sync->refused_bad && asks_extras(sync);
    sync->plain |= changed || bad;
    sync->bare |= bad;
    return changed || bad;
}

/* A command came to nothing. True: worth another round. */
static bool try_after_failure(struct sync *sync, const struct imap_error *why, bool server_said)
{
    struct account *account = sync->mailbox->account;
    if (server_said && why->status != IMAP_AGAIN && why->status != IMAP_GONE && ask_plainly(sync))
        return true;
    const bool lost = why->status == IMAP_AGAIN || why->status == IMAP_UNSURE;
    const bool in_time = model_now_ms() - sync->begun_ms < account->timeout_ms;
    if (lost && in_time && !account->closing && !account->outage.status)
        return try_again(sync, why);
    if (!server_said && (lost || why->status == IMAP_CANCEL || why->status == IMAP_AUTH))
        end_all(account, why);
    else
        fail(sync, why);
    return false;
}

static bool said_by_server(const struct imap_result *result)
{
    return result->text || result->error->code != IMAP_CODE_NONE;
}

static void start(struct sync *sync)
{
    struct mailbox *mailbox = sync->mailbox;
    const struct watch *watch = &mailbox->account->watch;
    sync->phase = SYNC_TOUCH;
    if (!mailbox->known)
        collect(sync, SYNC_WHOLE); /* with SELECT before it: two round trips in all */
    else if (watch->selected == mailbox && (!watch->exact || watch->exists != mailbox->columns.count))
        step(sync);
    else
        sync_touch_locked(sync);
}

/* Whether the server can tell what has changed since the columns were right. */
static bool has_changes(const struct sync *sync)
{
    const struct mailbox *mailbox = sync->mailbox;
    const struct watch *watch = &mailbox->account->watch;
    return !sync->plain && mailbox->modseq && watch->modseq >= mailbox->modseq && mailbox->columns.count &&
           watch->exists;
}

/* The mailbox is selected on the watcher and nothing is outstanding. */
static void step(struct sync *sync)
{
    const struct mailbox *mailbox = sync->mailbox;
    const struct watch *watch = &mailbox->account->watch;
    if (!mailbox->known)
        collect(sync, SYNC_WHOLE);
    else if (!watch->exact)
        collect(sync, has_changes(sync) ? SYNC_CHANGED : SYNC_COMPARE);
    else if (mailbox->columns.count < watch->exists)
        collect(sync, SYNC_NEW);
    else
        succeed(sync);
}

void sync_touched_locked(struct sync *sync, const struct imap_result *result)
{
    if (sync->phase != SYNC_TOUCH)
        return;
    if (!result->status && sync->mailbox->account->watch.selected == sync->mailbox) {
        step(sync);
        return;
    }
    struct imap_error why = *result->error;
    if (!result->status)
        imap_error_set(&why, IMAP_AGAIN, "the mailbox was left again");
    if (try_after_failure(sync, &why, !result->status || said_by_server(result)))
        sync_touch_locked(sync);
}

void sync_selected_locked(struct mailbox *mailbox)
{
    struct sync *sync = mailbox->sync;
    if (!sync || sync->phase == SYNC_QUEUED)
        return;
    if (sync->phase == SYNC_TOUCH) {
        sync_forget_touch_locked(sync);
        step(sync);
    } else if (sync->row_count || sync->gone_count || sync->mode != SYNC_WHOLE) {
        sync->disturbed = true;
    } else {
        sync->arrived = 0;
    }
}

static uint32_t last_known(const struct mailbox *mailbox)
{
    const struct columns *columns = &mailbox->columns;
    return columns->count ? columns->uid[columns->count - 1] : 0;
}

static uint32_t next_uid(const struct mailbox *mailbox)
{
    const uint32_t last = last_known(mailbox);
    const uint32_t after = last == UINT32_MAX ? UINT32_MAX : last + 1;
    return after > mailbox->uidnext ? after : mailbox->uidnext;
}

static void fetch_range(struct sync *sync, uint32_t first, uint32_t last, enum sync_items items)
{
    struct imap_range range = {.first = first, .last = last};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    sync_fetch_locked(sync, &set, items);
}

static void apply_collected(struct sync *sync);

/* What SELECT has told already. */
static void take_resumed(struct sync *sync)
{
    struct resume *resume = &sync->mailbox->account->watch.resume;
    sync->resumed = true;
    sync->rows = resume->rows;
    sync->row_count = resume->row_count;
    sync->row_capacity = resume->row_capacity;
    sync->gone = resume->gone;
    sync->gone_count = resume->gone_count;
    sync->gone_capacity = resume->gone_capacity;
    *resume = (struct resume){0};
}

static void collect(struct sync *sync, enum sync_mode mode)
{
    struct mailbox *mailbox = sync->mailbox;
    const struct watch *watch = &mailbox->account->watch;
    const bool selected = watch->selected == mailbox;
    clear_collected(sync);
    sync->phase = SYNC_COLLECT;
    sync->mode = mode == SYNC_COMPARE && !mailbox->columns.count ? SYNC_WHOLE : mode;
    sync->first_new = sync->mode == SYNC_WHOLE ? 1 : next_uid(mailbox);
    if (selected && watch->empty && !watch->exists) {
        apply_collected(sync); /* nothing there to ask for, and some servers refuse 1:* then */
        return;
    }
    if (sync->mode == SYNC_CHANGED && watch->resume.holds)
        take_resumed(sync);
    const bool some_known = sync->mode == SYNC_COMPARE || sync->mode == SYNC_CHANGED;
    const bool none_new = some_known && watch->uidnext && watch->uidnext <= sync->first_new;
    /* The last of them asks for the new ones, or for all: so flags that change meanwhile answer it, too. */
    if (sync->mode == SYNC_CHANGED && !sync->resumed)
        fetch_range(sync, 1, last_known(mailbox), SYNC_FLAGS_SINCE);
    sync->asked_new = !none_new;
    if (!none_new)
        fetch_range(sync, sync->first_new, IMAP_SEQSET_STAR, SYNC_EVERYTHING);
    if (sync->mode == SYNC_COMPARE)
        fetch_range(sync, 1, IMAP_SEQSET_STAR, SYNC_FLAGS);
    if (!sync->outstanding)
        apply_collected(sync);
}

/* ---- what comes in -------------------------------------------------------------------------------- */

bool sync_collecting_locked(const struct mailbox *mailbox)
{
    return mailbox->sync && mailbox->sync->phase >= SYNC_COLLECT;
}

void sync_add_row(struct sync *sync, const struct row *row)
{
    /* Only this thread changes watch.exists, so it may read it without the lock. */
    const size_t cap = 2 * (size_t)sync->mailbox->account->watch.exists + SURPLUS;
    if (sync->row_count >= cap && !sync->flooded) {
        sync->row_count = rows_normalise(sync->rows, sync->row_count);
        sync->flooded = sync->row_count >= cap / 2; /* else every further row could cost a sort */
    }
    if (sync->flooded)
        return;
    if (sync->row_count == sync->row_capacity) {
        sync->row_capacity = sync->row_capacity ? 2 * sync->row_capacity : 64;
        sync->rows = imap_xreallocarray(sync->rows, sync->row_capacity, sizeof *sync->rows);
    }
    sync->rows[sync->row_count++] = *row;
}

static bool has_row(const struct sync *sync, uint32_t uid)
{
    size_t low = 0, high = sync->row_sorted;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sync->rows[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sync->row_sorted && sync->rows[low].uid == uid;
}

/* One that is not known at all yet is not listed for the sake of its flags: they come with the rest. */
void sync_flags_locked(struct sync *sync, const struct row *row)
{
    size_t at = 0;
    const bool known = sync->mode == SYNC_CHANGED && columns_find(&sync->mailbox->columns, row->uid, &at);
    if (known || (sync->phase > SYNC_COLLECT && has_row(sync, row->uid)))
        sync_add_row(sync, row);
}

void sync_expunged_locked(struct sync *sync, uint32_t uid)
{
    if (!uid) {
        sync->disturbed = true;
        return;
    }
    if (sync->gone_count == sync->gone_capacity) {
        sync->gone_capacity = sync->gone_capacity ? 2 * sync->gone_capacity : 16;
        sync->gone = imap_xreallocarray(sync->gone, sync->gone_capacity, sizeof *sync->gone);
    }
    sync->gone[sync->gone_count++] = uid;
}

static bool refusal_of_nothing(const struct sync *sync, const struct imap_result *result)
{
    const struct watch *watch = &sync->mailbox->account->watch;
    return result->status == IMAP_NO && watch->selected == sync->mailbox && !watch->exists;
}

static bool gather_ended(struct sync *sync, const struct imap_result *result)
{
    if (result->status && !sync->err.status && !refusal_of_nothing(sync, result)) {
        sync->err = *result->error;
        sync->server_said = said_by_server(result);
        sync->refused_bad = result->bad;
    }
    return --sync->outstanding == 0;
}

/* EAGAIN: nothing is wrong with the line. */
static void changed_meanwhile(struct imap_error *why)
{
    imap_error_set(why, IMAP_AGAIN, "the mailbox changed while it was being listed");
    why->sys_errno = EAGAIN;
}

void sync_ended_locked(struct sync *sync, const struct imap_result *result)
{
    if (!gather_ended(sync, result))
        return;
    struct imap_error why = sync->err;
    const bool ours = !why.status;
    if (ours && sync->mailbox->account->watch.selected != sync->mailbox)
        imap_error_set(&why, IMAP_AGAIN, "the mailbox was left while it was being listed");
    else if (ours && sync->disturbed)
        changed_meanwhile(&why);
    if (!why.status)
        apply_collected(sync);
    else if (try_after_failure(sync, &why, ours || sync->server_said))
        start(sync);
}

/* ---- from rows to columns -------------------------------------------------------------------------- */

static int compare_uids(const void *one, const void *other)
{
    const uint32_t *a = one, *b = other;
    return (*a > *b) - (*a < *b);
}

static void sort_gone(struct sync *sync)
{
    size_t to = 0;
    qsort(sync->gone, sync->gone_count, sizeof *sync->gone, compare_uids);
    for (size_t from = 1; from < sync->gone_count; from++)
        if (sync->gone[from] != sync->gone[to])
            sync->gone[++to] = sync->gone[from];
    sync->gone_count = to + 1;
}

static void drop_gone_rows(struct sync *sync)
{
    if (!sync->gone_count)
        return;
    sort_gone(sync);
    size_t to = 0;
    for (size_t from = 0; from < sync->row_count; from++)
        if (!bsearch(&sync->rows[from].uid, sync->gone, sync->gone_count, sizeof *sync->gone, compare_uids))
            sync->rows[to++] = sync->rows[from];
    sync->row_count = to;
}

/* How many messages there are when the rows are applied. */
static size_t count_after(const struct sync *sync)
{
    const struct columns *columns = &sync->mailbox->columns;
    if (sync->mode == SYNC_WHOLE || sync->mode == SYNC_COMPARE)
        return sync->row_count;
    size_t count = columns->count, at = 0;
    for (size_t i = 0; i < sync->row_count; i++)
        count += !columns_find(columns, sync->rows[i].uid, &at);
    for (size_t i = 0; sync->mode == SYNC_CHANGED && i < sync->gone_count; i++)
        count -= columns_find(columns, sync->gone[i], &at);
    return count;
}

static bool complete(const struct sync *sync, size_t count)
{
    const uint32_t exists = sync->mailbox->account->watch.exists;
    return count <= exists && count + sync->arrived >= exists;
}

static void incomplete(struct sync *sync, size_t count)
{
    struct imap_error why = {0};
    struct account *account = sync->mailbox->account;
    imap_error_set(&why, IMAP_PROTO, "the server listed %zu of %" PRIu32 " messages", count,
                   account->watch.exists);
    account->watch.exact = false;
    if (sync->mode == SYNC_CHANGED) {
        pending_log_locked(account, LOG_NOTICE,
                           "mailbox %s: what the server tells of changes is not all (%zu of %" PRIu32
                           " messages), so all are compared",
                           sync->mailbox->wire, count, account->watch.exists);
        sync->plain = true;
        step(sync);
    } else if (try_again(sync, &why)) {
        const bool in_full = sync->mode != SYNC_NEW;
        sync->plain |= in_full;
        /* Perhaps it is EXISTS that is not right. */
        if (in_full && account_offers(account, IMAP_CAP_UNSELECT))
            sync_reselect_locked(sync);
        else
            step(sync);
    }
}

/* ---- which of the known ones have gone, where the server tells only what has changed ------------------- */

/* Where there are new ones the number of messages proves nothing: one that has arrived may have gone again
 * unannounced, or is announced and was not told yet, and makes up for a known one that is gone. */
static bool must_search(const struct sync *sync, size_t count)
{
    const struct account *account = sync->mailbox->account;
    if (sync->mode != SYNC_CHANGED || sync->searched || sync->flooded ||
        !(sync->arrived || (!sync->resumed && (sync->asked_new || count > account->watch.exists))))
        return false;
    return account_offers(account, IMAP_CAP_ESEARCH) || account->watch.exists <= SEARCH_MAX;
}

static void search(struct sync *sync)
{
    sync->searched = true;
    sync->phase = SYNC_SEARCH;
    sync_search_locked(sync, last_known(sync->mailbox));
}

static int compare_ranges(const void *one, const void *other)
{
    const struct imap_range *a = one, *b = other;
    return (a->first > b->first) - (a->first < b->first);
}

/* A sweep over both: what the search did not find is gone. */
static void take_found(struct sync *sync)
{
    const struct columns *columns = &sync->mailbox->columns;
    size_t next = 0;
    uint32_t covered = 0;
    if (sync->found_count)
        qsort(sync->found, sync->found_count, sizeof *sync->found, compare_ranges);
    for (size_t at = 0; at < columns->count; at++) {
        for (; next < sync->found_count && sync->found[next].first <= columns->uid[at]; next++)
            if (sync->found[next].last > covered)
                covered = sync->found[next].last;
        if (covered < columns->uid[at])
            sync_expunged_locked(sync, columns->uid[at]);
    }
}

/* Asks once more for what the server has left out; false when nothing is to be asked. */
static bool ask_missing(struct sync *sync)
{
    const struct columns *columns = &sync->mailbox->columns;
    struct imap_seqset uids = {0};
    size_t at = 0, missing = 0;
    for (size_t i = 0; i < sync->row_count; i++) {
        const struct row *row = &sync->rows[i];
        if ((row->has & ROW_ALL) == ROW_ALL || columns_find(columns, row->uid, &at))
            continue;
        imap_seqset_add(&uids, row->uid, row->uid);
        missing++;
    }
    const bool ask = missing && !sync->asked_missing;
    if (missing && sync->asked_missing)
        pending_log_locked(sync->mailbox->account, LOG_WARNING,
                           "mailbox %s: the server does not tell size or date of %zu messages",
                           sync->mailbox->wire, missing);
    if (ask) {
        sync->asked_missing = true;
        sync->phase = SYNC_MISSING;
        sync_fetch_locked(sync, &uids, SYNC_EVERYTHING);
    }
    imap_seqset_fini(&uids);
    return ask;
}

/* The columns are the server's: what later SELECTs are compared with. */
static void settle(struct sync *sync)
{
    struct mailbox *mailbox = sync->mailbox;
    struct watch *watch = &mailbox->account->watch;
    if (!mailbox->known) {
        mailbox->known = true;
        mailbox->generation++;
        pending_note_locked(mailbox->account, NOTE_LISTING, mailbox, 0, NULL);
    }
    watch->exact = true;
    /* Fewer, because some have arrived? Or one has gone and its EXPUNGE is still to come: then it counts. */
    watch->numbered = mailbox->columns.count == watch->exists;
    if (sync->mode != SYNC_NEW) {
        mailbox->uidnext = watch->uidnext;
        mailbox->modseq = watch->modseq;
    }
    mailbox->uidnext = next_uid(mailbox);
}

static void apply_collected(struct sync *sync)
{
    if (sync->phase == SYNC_SEARCH)
        take_found(sync);
    if (sync->row_count)
        sync->row_count = rows_normalise(sync->rows, sync->row_count);
    drop_gone_rows(sync);
    sync->row_sorted = sync->row_count;
    const size_t count = count_after(sync);
    if (must_search(sync, count)) {
        search(sync);
        return;
    }
    const bool proven = sync->mode != SYNC_CHANGED || (sync->searched ? sync->answered : !sync->arrived);
    if (sync->flooded || !proven || !complete(sync, count)) {
        incomplete(sync, count);
        return;
    }
    if (ask_missing(sync))
        return;
    const bool progress = count > sync->mailbox->columns.count || sync->mode != SYNC_NEW;
    struct delta delta = {.rows = sync->rows, .row_count = sync->row_count};
    if (sync->mode == SYNC_CHANGED) {
        delta.gone = sync->gone;
        delta.gone_count = sync->gone_count;
    }
    delta.whole = sync->mode == SYNC_WHOLE || sync->mode == SYNC_COMPARE;
    delta_apply_locked(sync->mailbox, &delta);
    clear_rows(sync); /* before the store is told of them all: of a million they are 40 MB */
    settle(sync);
    if (progress)
        sync->attempts = 0;
    else if (sync->mode == SYNC_NEW && sync->mailbox->columns.count < sync->mailbox->account->watch.exists) {
        incomplete(sync, count);
        return;
    }
    step(sync);
}
