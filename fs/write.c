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
 *  6. What is repeated (once, after a lost line or an OK that nothing came of) does no harm when it is done twice: deleting and flags. Copying and
 *     moving are not.
 *  7. What the server refuses for the moment (retry.h) waits in `first` and is asked for again, while somebody waits for
 *     it. It is the sender's thread that wakes us.
 */
#include "write_internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "retry.h"
#include "sync.h"

#define SET_RANGES 40 /* in one command: with all else under 1000 octets, which every server takes */

static void pump(struct account *account);

void write_init(struct write *write)
{
    *write = (struct write){.tail = &write->first, .due_ms = INT64_MAX};
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
void write_finish_op(struct write_op *op, const struct imap_error *err)
{
    struct account *account = op->from->account;
    if (err)
        log_failure(op, err);
    else if (op->waits.first && op->place)
        *op->place = op->told;
    pending_finish_locked(account, &op->waits, err);
    free(op);
}

void write_finish_gone(struct write_op *op)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_GONE, "there is no message %" PRIu32 " in the mailbox %s", op->uid,
                   op->from->wire);
    write_finish_op(op, &err);
}

/* Certainly: where the mailbox is another one now nothing is known. */
bool write_is_gone(const struct write_op *op)
{
    size_t at = 0;
    return op->from->message_id == op->message_id && op->from->known &&
           !columns_find(&op->from->columns, op->uid, &at);
}

struct write_op *write_take_op(struct write_batch *batch)
{
    struct write_op *op = batch->ops;
    batch->ops = op->next;
    op->next = NULL;
    return op;
}

/* The batch has nothing to do any more: its ops were all taken. */
void write_end_batch(struct write_batch *batch)
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

void write_fail_all(struct write_batch *batch, const struct imap_error *why)
{
    const struct imap_error err = *why;
    while (batch->ops)
        write_finish_op(write_take_op(batch), &err);
    write_end_batch(batch);
}

static void append(struct account *account, struct write_op *op)
{
    op->next = NULL;
    *account->write.tail = op;
    account->write.tail = &op->next;
}

void write_again(struct write_op *op, bool alone)
{
    op->alone |= alone;
    op->modified = op->flags_told = false;
    append(op->from->account, op);
}

bool write_later(struct write_op *op)
{
    struct account *account = op->from->account;
    if (op->refusals >= RETRY_MAX || account->closing)
        return false;
    op->not_before_ms = retry_at_ms(op->refusals++);
    write_again(op, false);
    if (op->not_before_ms < account->write.due_ms)
        account->write.due_ms = op->not_before_ms;
    sender_wake_locked(account->drafts->sender);
    return true;
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

enum imap_status write_check_locked(struct mailbox *from, uint32_t message_id, uint32_t uid,
                                    const struct mailbox *to, struct imap_error *err)
{
    size_t at = 0;
    if (write_allowed_locked(from->account, err))
        return err->status;
    if (from->gone)
        return imap_error_set(err, IMAP_GONE, "the mailbox %s is gone", from->wire);
    if (from->message_id != message_id) {
        imap_error_set(err, IMAP_GONE, "the mailbox %s is not what it was", from->wire);
        err->code = IMAP_CODE_UIDVALIDITY;
        return IMAP_GONE;
    }
    if (!columns_find(&from->columns, uid, &at))
        return imap_error_set(err, IMAP_GONE, "there is no message %" PRIu32 " in the mailbox %s", uid,
                              from->wire);
    if (to && to->gone)
        return imap_error_set(err, IMAP_GONE, "the mailbox %s is gone", to->wire);
    if (to && !mailbox_selectable_locked(to)) {
        imap_error_set(err, IMAP_NO, "%s cannot hold messages",
                       to->parent ? to->wire : "the top of the account");
        err->code = IMAP_CODE_CANNOT;
        return IMAP_NO;
    }
    return IMAP_OK;
}

/* Why the op can't be begun; IMAP_OK when it can. */
static enum imap_status check_op(struct write_op *op, struct imap_error *err)
{
    size_t at = 0;
    const enum imap_status status = write_check_locked(op->from, op->message_id, op->uid, op->to, err);
    if (!status && columns_find(&op->from->columns, op->uid, &at))
        columns_get(&op->from->columns, at, &op->row);
    return status;
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
            write_finish_op(op, NULL); /* somebody else has deleted what was left to be deleted */
        else
            write_finish_op(op, given_up ? NULL : &err);
    }
}

void write_begin_deleting(struct write_batch *batch)
{
    write_step_locked(batch, account_offers(batch->account, IMAP_CAP_UIDPLUS) ? WRITE_STEP_EXPUNGE
                                                                              : WRITE_STEP_MARK);
}

static void start(struct write_batch *batch)
{
    switch (batch->ops->kind) {
    case WRITE_KIND_DELETE:
        write_begin_deleting(batch);
        break;
    case WRITE_KIND_MOVE:
        if (batch->ops->copied)
            write_begin_deleting(batch);
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
    const int64_t now = model_now_ms();
    struct write_op **link = &account->write.first;
    while (*link && !account->write.held) {
        if ((*link)->not_before_ms > now || is_held_up(account, *link)) {
            link = &(*link)->next;
            continue;
        }
        make_batch(account, link);
        link = &account->write.first; /* others may have gone with it */
    }
}

void write_resume_locked(struct account *account)
{
    const int64_t now = model_now_ms();
    account->write.due_ms = INT64_MAX;
    for (const struct write_op *op = account->write.first; op; op = op->next)
        if (op->not_before_ms > now && op->not_before_ms < account->write.due_ms)
            account->write.due_ms = op->not_before_ms;
    pump(account);
}

void write_hold_locked(struct account *account)
{
    account->write.held++;
}

void write_release_locked(struct account *account)
{
    account->write.held--;
    pump(account);
}

/* ---- the calls ------------------------------------------------------------------------------------------------ */

static void begin(struct write_op *op, struct wait *wait)
{
    struct account *account = op->from->account;
    struct imap_error err = {0};
    wait_queue_init(&op->waits);
    wait_queue_add(&op->waits, wait);
    if (check_op(op, &err)) {
        write_finish_op(op, &err);
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
        write_finish_op(op, &err);
    }
}
