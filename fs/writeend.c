/* SPDX-License-Identifier: MIT */
/* writeend: what the answers mean: the next step, or the end of each call. */
#include <stddef.h>
#include <stdlib.h>

#include "../imap/mem.h"
#include "retry.h"
#include "sync.h"
#include "write_internal.h"

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

/* Whether they are shown now. */
static bool target_gained(const struct write_batch *batch)
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
    return count != 0;
}

/* ---- settling -------------------------------------------------------------------------------------------- */

/* It is not done, and the server has not refused it: the line was lost, or an OK was given too soon. */
static bool worth_repeating(const struct write_batch *batch, const struct write_op *op)
{
    const bool harmless = op->kind == WRITE_KIND_DELETE || op->kind == WRITE_KIND_FLAGS || op->copied;
    return harmless && !batch->said && !op->attempts && !batch->account->closing;
}

static void repeat(struct write_op *op)
{
    op->attempts++;
    write_again(op, false);
}

static void finish_not_kept(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_NO, "the server does not keep the flags %s",
                   mailbox_flags_text_locked(op->from, op->flagset));
    err.code = IMAP_CODE_CANNOT;
    write_finish_op(op, &err);
}

static void finish_modified(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_NO, "somebody else has changed the flags meanwhile");
    err.code = IMAP_CODE_MODIFIED;
    write_finish_op(op, &err);
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
        write_finish_gone(op);
    } else if (flags_are(op, message.flagset)) {
        write_finish_op(op, NULL);
    } else if (op->how == WRITE_SET && op->modseq && message.flagset != op->seen) {
        finish_modified(op);
    } else if (worth_repeating(batch, op)) {
        op->modseq = op->modseq ? message.modseq : 0;
        repeat(op);
    } else {
        write_finish_op(op, &batch->err);
    }
}

/* So Dovecot answers, where the right to delete is missing. */
static void refuse_silent(struct imap_error *err)
{
    imap_error_set(
        err, IMAP_NO,
        "the server says that it is done, but the message is still there: is the right to delete missing?");
    err->code = IMAP_CODE_NOPERM;
}

/* It went before it could be moved. */
static bool passed_over(const struct write_batch *batch, const struct write_op *op)
{
    return batch->placed && batch->step == WRITE_STEP_MOVE && !op->told.uid;
}

static void settle_op(const struct write_batch *batch, struct write_op *op)
{
    struct imap_error err = batch->err;
    if (!err.status)
        refuse_silent(&err);
    if (op->from->message_id != op->message_id) {
        imap_error_set(&err, IMAP_GONE, "the mailbox %s is not what it was", op->from->wire);
        err.code = IMAP_CODE_UIDVALIDITY;
        write_finish_op(op, &err);
    } else if (op->kind == WRITE_KIND_FLAGS) {
        settle_flags(batch, op);
    } else if (write_is_gone(op) && !batch->err.status && passed_over(batch, op)) {
        write_finish_gone(op);
    } else if (write_is_gone(op)) {
        write_finish_op(op, NULL);
    } else if (worth_repeating(batch, op)) {
        repeat(op);
    } else {
        write_finish_op(op, &err);
    }
}

static void settled_locked(struct write_batch *batch)
{
    while (batch->ops)
        settle_op(batch, write_take_op(batch));
    write_end_batch(batch);
}

/* The listing failed: what has been told as gone before that is gone all the same, and of the others nobody knows. Where
 * something has been done already it must not look as if nothing had been sent. */
static void settled_in_part(struct write_batch *batch, const struct imap_error *err)
{
    struct write_op **link = &batch->ops;
    struct imap_error why = batch->err.status ? batch->err : *err;
    if (why.status == IMAP_AGAIN && (!batch->err.status || batch->ops->copied))
        why.status = IMAP_UNSURE;
    while (*link) {
        struct write_op *op = *link;
        const bool settled = op->kind != WRITE_KIND_FLAGS && op->kind != WRITE_KIND_COPY && write_is_gone(op);
        if (!settled) {
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        settle_op(batch, op);
    }
    write_fail_all(batch, &why);
}

static void settled(struct wait *wait, const struct imap_error *err)
{
    struct write_batch *batch = (struct write_batch *)((char *)wait - offsetof(struct write_batch, settling));
    struct account *account = batch->account;
    account_lock(account);
    if (err)
        settled_in_part(batch, err);
    else
        settled_locked(batch);
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
        if (!write_is_gone(op)) {
            link = &op->next;
            continue;
        }
        *link = op->next;
        op->next = NULL;
        if (passed_over(batch, op))
            write_finish_gone(op);
        else
            write_finish_op(op, NULL);
    }
    if (batch->ops)
        settle(batch);
    else
        write_end_batch(batch);
}

static void copied(struct write_batch *batch)
{
    const bool moving = batch->ops->kind == WRITE_KIND_MOVE;
    struct write_op **link = &batch->ops;
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
            write_finish_op(op, NULL);
        else
            write_finish_gone(op);
    }
    if (batch->ops)
        write_begin_deleting(batch);
    else
        write_end_batch(batch);
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
    write_fail_all(batch, &err);
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
            write_finish_op(op, NULL);
        else
            finish_not_kept(op);
    }
    if (batch->ops)
        write_step_locked(batch, WRITE_STEP_LOOK);
    else
        write_end_batch(batch);
}

static void flags_looked_at(struct write_batch *batch)
{
    while (batch->ops) {
        struct write_op *op = write_take_op(batch);
        if (!op->flags_told) {
            write_finish_gone(op);
        } else if (flags_are(op, op->flags_now)) {
            write_finish_op(op, NULL);
        } else if (!op->modified) {
            finish_not_kept(op);
        } else if (op->flags_now == op->seen && op->modseq_now && !op->attempts) {
            op->modseq = op->modseq_now; /* not the flags, something else about it has changed */
            repeat(op);
        } else {
            finish_modified(op);
        }
    }
    write_end_batch(batch);
}

static void advance(struct write_batch *batch)
{
    switch (batch->step) {
    case WRITE_STEP_MOVE:
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

/* One refusal of many tells nothing of each: they are asked for one by one; but for the moment it is of all. */
static void refused(struct write_batch *batch)
{
    const bool many = batch->ops->next && batch->err.status != IMAP_AGAIN;
    const struct imap_error err = batch->err;
    const bool for_now = retry_is_of_use(&err, batch->said);
    while (batch->ops) {
        struct write_op *op = write_take_op(batch);
        const bool done = op->kind != WRITE_KIND_FLAGS && op->kind != WRITE_KIND_COPY && write_is_gone(op) &&
                          err.code != IMAP_CODE_EXPUNGEISSUED;
        if (done)
            write_finish_op(op, NULL);
        else if (for_now && write_later(op))
            continue;
        else if (many)
            write_again(op, true);
        else
            write_finish_op(op, &err);
    }
    write_end_batch(batch);
}

static void interrupted(struct write_batch *batch)
{
    const struct imap_error err = batch->err;
    const bool never_sent = err.code == IMAP_CODE_UIDVALIDITY || err.code == IMAP_CODE_READ_ONLY;
    const bool copying = batch->step == WRITE_STEP_COPY;
    if (!never_sent && (copying || batch->step == WRITE_STEP_MOVE))
        write_unprove_locked(batch->ops->to);
    if (never_sent || copying || err.status == IMAP_CANCEL || batch->account->closing)
        write_fail_all(batch, &err);
    else
        settle(batch);
}

/* An OK without COPYUID is the answer when there was nothing to be copied or moved (RFC 4315 section 3), or where we
 * may put something and not look at it. */
static void mind_absent(struct write_batch *batch)
{
    if (batch->ops->to->known && account_offers(batch->account, IMAP_CAP_UIDPLUS))
        batch->placed = true;
}

void write_stepped_locked(struct write_batch *batch)
{
    const bool copying = batch->step == WRITE_STEP_MOVE || batch->step == WRITE_STEP_COPY;
    const bool well = !batch->err.status;
    if (copying && well)
        mind_absent(batch);
    if (copying)
        cover_gained_locked(batch->ops->to, well && target_gained(batch));
    if (well)
        advance(batch);
    else if (batch->said)
        refused(batch);
    else
        interrupted(batch);
}
