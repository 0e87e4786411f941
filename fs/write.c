/* SPDX-License-Identifier: MIT */
/*
 * write: who is merged with whom, and what each caller is told.
 *
 *  1. An op is in `first` or in exactly one batch, and ends once: by finish_op.
 *  2. Of ops that are for the same (same_purpose) only one batch is under way; what comes meanwhile is the next.
 *  3. Nothing is sent for a message whose UID could mean another one: the message_id that the caller saw is
 *     compared when the batch begins, and the pool compares the UIDVALIDITY when the command's turn comes.
 *  4. A message is deleted at its old place only after the server has said that the copy is there.
 *  5. Gone from the columns is done, whatever else was said: connection 0 has told it, or a synchronisation.
 *     Still in the columns after an OK, or after a lost line, is settled by a synchronisation first.
 *  6. What is repeated after a lost line does no harm when it is done twice: deleting and flags. Copying and
 *     moving are not.
 */
#include "write_internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "sync.h"

#define SET_RANGES 40 /* in one command: with all else under 1000 octets, which every server takes */

static void pump(struct account *account);

void write_init(struct write *write)
{
    *write = (struct write){.tail = &write->first};
}

/* ---- the ends of calls ------------------------------------------------------------------------------ */

static void log_failure(const struct write_op *op, const struct imap_error *err)
{
    static const char *const what[] = {"delete", "move", "copy", "change the flags of"};
    if (err->status != IMAP_CANCEL && err->status != IMAP_GONE)
        pending_log_locked(op->from->account, LOG_WARNING, "cannot %s message %" PRIu32 " of mailbox %s: %s",
                           what[op->kind], op->uid, op->from->wire, err->text);
}

/* err NULL: done. */
static void finish_op(struct write_op *op, const struct imap_error *err)
{
    struct account *account = op->from->account;
    if (err)
        log_failure(op, err);
    else if (op->waits.first && op->place)
        *op->place = op->told;
    pending_finish_locked(account, &op->waits, err);
    free(op);
}

static void finish_gone(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_GONE, "there is no message %" PRIu32 " in the mailbox %s", op->uid,
                   op->from->wire);
    finish_op(op, &err);
}

static void finish_not_kept(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_NO, "the server does not keep the flags %s",
                   mailbox_flags_text_locked(op->from, op->flagset));
    err.code = IMAP_CODE_CANNOT;
    finish_op(op, &err);
}

static void finish_modified(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_NO, "somebody else has changed the flags meanwhile");
    err.code = IMAP_CODE_MODIFIED;
    finish_op(op, &err);
}

/* Certainly: where the mailbox is another one now nothing is known. */
static bool is_gone(const struct write_op *op)
{
    size_t at = 0;
    return op->from->message_id == op->message_id && op->from->known &&
           !columns_find(&op->from->columns, op->uid, &at);
}

static struct write_op *take_op(struct write_batch *batch)
{
    struct write_op *op = batch->ops;
    batch->ops = op->next;
    op->next = NULL;
    return op;
}

/* The batch has nothing to do any more: its ops were all taken. */
static void end_batch(struct write_batch *batch)
{
    struct account *account = batch->account;
    struct write_batch **link = &account->write.batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    imap_seqset_fini(&batch->uids);
    free(batch);
    pump(account);
}

static void fail_all(struct write_batch *batch, const struct imap_error *why)
{
    const struct imap_error err = *why;
    while (batch->ops)
        finish_op(take_op(batch), &err);
    end_batch(batch);
}

static void append(struct account *account, struct write_op *op)
{
    op->next = NULL;
    *account->write.tail = op;
    account->write.tail = &op->next;
}

/* By itself this time. */
static void again(struct write_op *op)
{
    op->alone = true;
    op->modified = op->flags_told = false;
    append(op->from->account, op);
}

/* ---- what may be written where ----------------------------------------------------------------------- */

enum imap_status write_allowed_locked(const struct account *account, struct imap_error *err)
{
    if (account->closing)
        return imap_error_set(err, IMAP_CANCEL, "the file system is being unmounted");
    if (account->read_write)
        return IMAP_OK;
    imap_error_set(err, IMAP_NO, "the account is mounted read-only");
    err->code = IMAP_CODE_READ_ONLY;
    return IMAP_NO;
}

static struct mailbox *special_trash(const struct account *account)
{
    struct mailbox *mailbox = account->tree.all;
    while (mailbox &&
           (mailbox->gone || !mailbox->special_use || strcasecmp(mailbox->special_use, "\\Trash") != 0))
        mailbox = mailbox->all_next;
    return mailbox;
}

/* Without UIDPLUS a message can't be expunged alone, but it can be moved. */
enum imap_status write_trash_locked(const struct mailbox *mailbox, struct mailbox **trash_out,
                                    struct imap_error *err)
{
    struct account *account = mailbox->account;
    struct mailbox *trash = NULL;
    if (account->trash) {
        trash = tree_at_locked(account, account->trash);
        if (!trash) {
            imap_error_set(err, IMAP_NO, "there is no mailbox \"%s\" (the option trash)", account->trash);
            err->code = IMAP_CODE_CANNOT;
            return IMAP_NO;
        }
    } else if (!account_offers(account, IMAP_CAP_UIDPLUS) && account_offers(account, IMAP_CAP_MOVE)) {
        trash = special_trash(account);
    }
    *trash_out = trash != mailbox ? trash : NULL;
    return IMAP_OK;
}

/* Why the op can't be begun; IMAP_OK when it can. */
static enum imap_status check_op(struct write_op *op, struct imap_error *err)
{
    const struct mailbox *from = op->from, *to = op->to;
    size_t at = 0;
    if (write_allowed_locked(from->account, err))
        return err->status;
    if (from->gone)
        return imap_error_set(err, IMAP_GONE, "the mailbox %s is gone", from->wire);
    if (from->message_id != op->message_id) {
        imap_error_set(err, IMAP_GONE, "the mailbox %s is not what it was", from->wire);
        err->code = IMAP_CODE_UIDVALIDITY;
        return IMAP_GONE;
    }
    if (!columns_find(&from->columns, op->uid, &at))
        return imap_error_set(err, IMAP_GONE, "there is no message %" PRIu32 " in the mailbox %s", op->uid,
                              from->wire);
    if (to && to->gone)
        return imap_error_set(err, IMAP_GONE, "the mailbox %s is gone", to->wire);
    if (to && !mailbox_selectable_locked(to)) {
        imap_error_set(err, IMAP_NO, "%s cannot hold messages",
                       to->parent ? to->wire : "the top of the account");
        err->code = IMAP_CODE_CANNOT;
        return IMAP_NO;
    }
    columns_get(&from->columns, at, &op->row);
    return IMAP_OK;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static bool same_purpose(const struct write_op *a, const struct write_op *b)
{
    return !a->alone && !b->alone && a->kind == b->kind && a->from == b->from && a->to == b->to &&
           a->message_id == b->message_id && a->copied == b->copied && a->how == b->how &&
           a->flagset == b->flagset && a->modseq == b->modseq;
}

static bool is_held_up(const struct account *account, const struct write_op *op)
{
    const struct write_batch *batch = account->write.batches;
    while (batch && !(batch->ops && same_purpose(batch->ops, op)))
        batch = batch->next;
    return batch != NULL;
}

static void unqueue(struct account *account, struct write_op **link)
{
    struct write_op *op = *link;
    *link = op->next;
    if (!*link)
        account->write.tail = link;
    op->next = NULL;
}

/* Takes what can go with the first one, which is the batch's already, off the queue. */
static void fill_batch(struct account *account, struct write_batch *batch)
{
    struct write_op **tail = &batch->ops->next;
    imap_seqset_add(&batch->uids, batch->ops->uid, batch->ops->uid);
    for (struct write_op **link = &account->write.first; *link && batch->uids.count < SET_RANGES;) {
        struct write_op *op = *link;
        /* twice the same one: the second is to find that it is gone */
        if (!same_purpose(batch->ops, op) || imap_seqset_contains(&batch->uids, op->uid)) {
            link = &op->next;
            continue;
        }
        unqueue(account, link);
        imap_seqset_add(&batch->uids, op->uid, op->uid);
        *tail = op;
        tail = &op->next;
    }
}

/* Those that cannot be done, or that nobody wants any more, end here. */
static void sort_out(struct write_batch *batch)
{
    for (struct write_op **link = &batch->ops; *link;) {
        struct write_op *op = *link;
        struct imap_error err = {0};
        const bool given_up = !op->waits.first && !op->copied;
        if (!given_up && check_op(op, &err) == IMAP_OK) {
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        if (!given_up && op->copied && err.status == IMAP_GONE && !op->from->gone)
            finish_op(op, NULL); /* somebody else has deleted what was left to be deleted */
        else
            finish_op(op, given_up ? NULL : &err);
    }
}

static void begin_deleting(struct write_batch *batch)
{
    write_step_locked(batch, account_offers(batch->account, IMAP_CAP_UIDPLUS) ? WRITE_STEP_EXPUNGE
                                                                              : WRITE_STEP_MARK);
}

static void start(struct write_batch *batch)
{
    switch (batch->ops->kind) {
    case WRITE_KIND_DELETE:
        begin_deleting(batch);
        break;
    case WRITE_KIND_MOVE:
        if (batch->ops->copied)
            begin_deleting(batch);
        else
            write_step_locked(batch, account_offers(batch->account, IMAP_CAP_MOVE) ? WRITE_STEP_MOVE
                                                                                   : WRITE_STEP_COPY);
        break;
    case WRITE_KIND_COPY:
        write_step_locked(batch, WRITE_STEP_COPY);
        break;
    case WRITE_KIND_FLAGS:
        write_step_locked(batch, WRITE_STEP_FLAGS);
        break;
    }
}

/* Makes a batch of the op at link and its like. */
static void make_batch(struct account *account, struct write_op **link)
{
    struct write_batch *batch = imap_xcalloc(1, sizeof *batch);
    batch->account = account;
    batch->ops = *link;
    unqueue(account, link);
    if (!batch->ops->alone)
        fill_batch(account, batch);
    sort_out(batch);
    if (!batch->ops) {
        imap_seqset_fini(&batch->uids);
        free(batch);
        return;
    }
    batch->next = account->write.batches;
    account->write.batches = batch;
    start(batch);
}

static void pump(struct account *account)
{
    struct write_op **link = &account->write.first;
    while (*link) {
        if (is_held_up(account, *link)) {
            link = &(*link)->next;
            continue;
        }
        make_batch(account, link);
        link = &account->write.first; /* others may have gone with it */
    }
}

/* ---- what a target has got ------------------------------------------------------------------------------ */

void write_unprove_locked(struct mailbox *mailbox)
{
    mailbox->proven_ms = 0;
    mailbox->stored.proven_ms = 0;
    mailbox->cover.calm = false;
    if (mailbox->account->watch.selected == mailbox)
        sync_begin_locked(mailbox); /* the server tells what is new when it is asked something */
}

static int compare_rows(const void *one, const void *other)
{
    const struct row *a = one, *b = other;
    return (a->uid > b->uid) - (a->uid < b->uid);
}

static uint64_t next_uid(const struct mailbox *mailbox)
{
    const struct columns *columns = &mailbox->columns;
    const uint64_t after = columns->count ? (uint64_t)columns->uid[columns->count - 1] + 1 : 1;
    return after > mailbox->uidnext ? after : mailbox->uidnext;
}

/* The new rows, if it is certain that there is no other new one before them. Count; *rows_out is the caller's. */
static size_t new_rows(const struct write_batch *batch, const struct mailbox *to, struct row **rows_out)
{
    size_t count = 0;
    struct row *rows = imap_xreallocarray(NULL, imap_seqset_size(&batch->uids), sizeof *rows);
    for (const struct write_op *op = batch->ops; op; op = op->next) {
        if (!op->told.uid || op->told.uidvalidity != to->uidvalidity)
            continue;
        rows[count] = op->row;
        rows[count].uid = op->told.uid;
        rows[count++].has &= ROW_ALL | ROW_VERIFIED;
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    bool in_line = to->known && to->message_id && to->uidnext;
    for (size_t i = 0; i < count && in_line; i++)
        in_line = rows[i].uid == next_uid(to) + i && (rows[i].has & ROW_ALL) == ROW_ALL;
    *rows_out = rows;
    return in_line ? count : 0;
}

static void target_gained(const struct write_batch *batch)
{
    struct mailbox *to = batch->ops->to;
    struct row *rows = NULL;
    const bool watched = to->account->watch.selected == to;
    const size_t count = watched || to->sync ? 0 : new_rows(batch, to, &rows);
    if (count)
        delta_apply_locked(to, &(struct delta){.rows = rows, .row_count = count});
    else if (!to->sync)
        write_unprove_locked(to);
    free(rows);
}

/* ---- settling -------------------------------------------------------------------------------------------- */

/* The line was lost and it is not done. */
static bool worth_repeating(const struct write_batch *batch, const struct write_op *op)
{
    const bool harmless = op->kind == WRITE_KIND_DELETE || op->kind == WRITE_KIND_FLAGS || op->copied;
    return harmless && batch->err.status && !batch->said && !op->attempts && !batch->account->closing;
}

static void repeat(struct write_op *op)
{
    op->attempts++;
    again(op);
}

static bool flags_are(const struct write_op *op, uint32_t flagset)
{
    const char *now = mailbox_flags_text_locked(op->from, flagset);
    const char *wanted = mailbox_flags_text_locked(op->from, op->flagset);
    return write_flags_hold(wanted, now, op->how != WRITE_REMOVE) &&
           (op->how != WRITE_SET || write_flags_hold(now, wanted, true));
}

static void settle_flags(const struct write_batch *batch, struct write_op *op)
{
    struct message message;
    if (!mailbox_find_locked(op->from, op->uid, &message)) {
        finish_gone(op);
    } else if (flags_are(op, message.flagset)) {
        finish_op(op, NULL);
    } else if (op->how == WRITE_SET && op->modseq && message.flagset != op->seen) {
        finish_modified(op);
    } else if (worth_repeating(batch, op)) {
        op->modseq = op->modseq ? message.modseq : 0;
        repeat(op);
    } else {
        finish_op(op, &batch->err);
    }
}

static void settle_op(const struct write_batch *batch, struct write_op *op)
{
    struct imap_error err = batch->err;
    if (!err.status)
        imap_error_set(&err, IMAP_NO, "the server says that it is done, and the message is still there");
    if (op->from->message_id != op->message_id) {
        imap_error_set(&err, IMAP_GONE, "the mailbox %s is not what it was", op->from->wire);
        err.code = IMAP_CODE_UIDVALIDITY;
        finish_op(op, &err);
    } else if (op->kind == WRITE_KIND_FLAGS) {
        settle_flags(batch, op);
    } else if (is_gone(op)) {
        finish_op(op, NULL);
    } else if (worth_repeating(batch, op)) {
        repeat(op);
    } else {
        finish_op(op, &err);
    }
}

static void settled_locked(struct write_batch *batch)
{
    while (batch->ops)
        settle_op(batch, take_op(batch));
    end_batch(batch);
}

static void settled(struct wait *wait, const struct imap_error *err)
{
    struct write_batch *batch = (struct write_batch *)((char *)wait - offsetof(struct write_batch, settling));
    struct account *account = batch->account;
    account_lock(account);
    if (err && !batch->err.status)
        batch->err = *err;
    if (!err)
        settled_locked(batch);
    else
        fail_all(batch, &batch->err); /* nobody knows */
    account_unlock(account);
}

static void settle(struct write_batch *batch)
{
    struct mailbox *from = batch->ops->from;
    batch->settling = (struct wait){.done = settled};
    write_unprove_locked(from);
    if (mailbox_fresh_locked(from, &batch->settling))
        settled_locked(batch);
}

/* ---- from step to step -------------------------------------------------------------------------------------- */

/* Everything has been sent: those that the columns show as done are, the others are looked at. */
static void conclude(struct write_batch *batch)
{
    for (struct write_op **link = &batch->ops; *link;) {
        struct write_op *op = *link;
        const bool passed_over = batch->placed && batch->step == WRITE_STEP_MOVE && !op->told.uid;
        if (!is_gone(op)) {
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        if (passed_over)
            finish_gone(op); /* before it could be moved */
        else
            finish_op(op, NULL);
    }
    if (batch->ops)
        settle(batch);
    else
        end_batch(batch);
}

static void copied(struct write_batch *batch)
{
    const bool moving = batch->ops->kind == WRITE_KIND_MOVE;
    struct write_op **link = &batch->ops;
    target_gained(batch);
    while (*link) {
        struct write_op *op = *link;
        const bool there = !batch->placed || op->told.uid;
        op->copied = there && moving;
        if (op->copied) {
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        if (there)
            finish_op(op, NULL);
        else
            finish_gone(op);
    }
    if (batch->ops)
        begin_deleting(batch);
    else
        end_batch(batch);
}

static void searched(struct write_batch *batch)
{
    struct imap_error err = {0};
    if (batch->searched && !batch->others_marked) {
        write_step_locked(batch, WRITE_STEP_SWEEP);
        return;
    }
    imap_error_set(
        &err, IMAP_NO,
        "it is marked as deleted, but the server cannot expunge one message alone (no UIDPLUS), and "
        "others are marked, too");
    err.code = IMAP_CODE_CANNOT;
    fail_all(batch, &err);
}

/* Those that the server has told nothing about, or has not changed for others' sake, are looked at. */
static void flags_stored(struct write_batch *batch)
{
    for (struct write_op **link = &batch->ops; *link;) {
        struct write_op *op = *link;
        if (op->modified || !op->flags_told) {
            op->flags_told = false;
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        if (write_flags_hold(mailbox_flags_text_locked(op->from, op->flagset),
                             mailbox_flags_text_locked(op->from, op->flags_now), op->how != WRITE_REMOVE))
            finish_op(op, NULL);
        else
            finish_not_kept(op);
    }
    if (batch->ops)
        write_step_locked(batch, WRITE_STEP_LOOK);
    else
        end_batch(batch);
}

static void flags_looked_at(struct write_batch *batch)
{
    while (batch->ops) {
        struct write_op *op = take_op(batch);
        if (!op->flags_told) {
            finish_gone(op);
        } else if (flags_are(op, op->flags_now)) {
            finish_op(op, NULL);
        } else if (!op->modified) {
            finish_not_kept(op);
        } else if (op->flags_now == op->seen && op->modseq_now && !op->attempts) {
            op->modseq = op->modseq_now; /* not the flags, something else about it has changed */
            repeat(op);
        } else {
            finish_modified(op);
        }
    }
    end_batch(batch);
}

static void advance(struct write_batch *batch)
{
    switch (batch->step) {
    case WRITE_STEP_MOVE:
        target_gained(batch);
        conclude(batch);
        break;
    case WRITE_STEP_COPY:
        copied(batch);
        break;
    case WRITE_STEP_MARK:
        write_step_locked(batch, WRITE_STEP_SEARCH);
        break;
    case WRITE_STEP_SEARCH:
        searched(batch);
        break;
    case WRITE_STEP_EXPUNGE:
    case WRITE_STEP_SWEEP:
        conclude(batch);
        break;
    case WRITE_STEP_FLAGS:
        flags_stored(batch);
        break;
    case WRITE_STEP_LOOK:
        flags_looked_at(batch);
        break;
    }
}

/* One refusal of many tells nothing of each: they are asked for one by one. */
static void refused(struct write_batch *batch)
{
    const bool many = batch->ops->next && batch->err.status != IMAP_AGAIN;
    const struct imap_error err = batch->err;
    while (batch->ops) {
        struct write_op *op = take_op(batch);
        const bool done = op->kind != WRITE_KIND_FLAGS && op->kind != WRITE_KIND_COPY && is_gone(op) &&
                          err.code != IMAP_CODE_EXPUNGEISSUED;
        if (done)
            finish_op(op, NULL);
        else if (many)
            again(op);
        else
            finish_op(op, &err);
    }
    end_batch(batch);
}

static void interrupted(struct write_batch *batch)
{
    const struct imap_error err = batch->err;
    const bool never_sent = err.code == IMAP_CODE_UIDVALIDITY || err.code == IMAP_CODE_READ_ONLY;
    const bool copying = batch->step == WRITE_STEP_COPY;
    if (!never_sent && (copying || batch->step == WRITE_STEP_MOVE))
        write_unprove_locked(batch->ops->to);
    if (never_sent || copying || err.status == IMAP_CANCEL || batch->account->closing)
        fail_all(batch, &err);
    else
        settle(batch);
}

void write_stepped_locked(struct write_batch *batch)
{
    if (!batch->err.status)
        advance(batch);
    else if (batch->said)
        refused(batch);
    else
        interrupted(batch);
}

/* ---- the calls ------------------------------------------------------------------------------------------------ */

static void begin(struct write_op *op, struct wait *wait)
{
    struct account *account = op->from->account;
    struct imap_error err = {0};
    wait_queue_init(&op->waits);
    wait_queue_add(&op->waits, wait);
    if (check_op(op, &err)) {
        finish_op(op, &err);
        return;
    }
    append(account, op);
    pump(account);
}

static struct write_op *new_op(enum write_kind kind, struct mailbox *from, uint32_t message_id, uint32_t uid)
{
    struct write_op *op = imap_xcalloc(1, sizeof *op);
    op->kind = kind;
    op->from = from;
    op->message_id = message_id;
    op->uid = uid;
    return op;
}

void write_delete_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, struct wait *wait)
{
    struct imap_error err = {0};
    struct mailbox *trash = NULL;
    if (write_trash_locked(mailbox, &trash, &err)) {
        pending_log_locked(mailbox->account, LOG_WARNING, "cannot delete: %s", err.text);
        pending_refuse_locked(mailbox->account, wait, &err);
        return;
    }
    struct write_op *op = new_op(trash ? WRITE_KIND_MOVE : WRITE_KIND_DELETE, mailbox, message_id, uid);
    op->to = trash;
    begin(op, wait);
}

static void transfer(enum write_kind kind, struct mailbox *from, uint32_t message_id, uint32_t uid,
                     struct mailbox *to, struct wait *wait, struct write_place *place_out)
{
    struct write_op *op = new_op(kind, from, message_id, uid);
    op->to = to;
    op->place = place_out;
    begin(op, wait);
}

void write_move_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                       struct wait *wait, struct write_place *place_out)
{
    transfer(WRITE_KIND_MOVE, from, message_id, uid, to, wait, place_out);
}

void write_copy_locked(struct mailbox *from, uint32_t message_id, uint32_t uid, struct mailbox *to,
                       struct wait *wait, struct write_place *place_out)
{
    transfer(WRITE_KIND_COPY, from, message_id, uid, to, wait, place_out);
}

void write_flags_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, enum write_how how,
                        const struct imap_flags *flags, struct wait *wait)
{
    struct write_op *op = new_op(WRITE_KIND_FLAGS, mailbox, message_id, uid);
    struct message message = {0};
    if (mailbox_find_locked(mailbox, uid, &message)) {
        op->seen = message.flagset;
        if (how == WRITE_SET && account_offers(mailbox->account, IMAP_CAP_CONDSTORE))
            op->modseq = message.modseq;
    }
    op->how = how;
    op->flagset = flagset_intern(&mailbox->account->flagsets, flags);
    begin(op, wait);
}

bool write_elsewhere_locked(const struct account *account, const struct mailbox *mailbox)
{
    const struct write_batch *batch = account->write.batches;
    while (batch && !(batch->ops && batch->ops->from != mailbox))
        batch = batch->next;
    return batch || account->write.tree_changes;
}

void write_cancel_all_locked(struct account *account)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    while (account->write.first) {
        struct write_op *op = account->write.first;
        unqueue(account, &account->write.first);
        finish_op(op, &err);
    }
}
