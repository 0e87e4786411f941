/* SPDX-License-Identifier: MIT */
/* writestep: the commands of a change and what comes back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "copyuid.h"
#include "sync.h"
#include "write_internal.h"

#define DELETED "(\\Deleted)"

/* ---- what the server tells ------------------------------------------------------------------------ */

static struct write_op *op_of(const struct write_batch *batch, uint32_t uid)
{
    struct write_op *op = batch->ops;
    while (op && op->uid != uid)
        op = op->next;
    return op;
}

static void take_copyuid(struct write_batch *batch, const struct imap_text *text)
{
    if (text->code != IMAP_CODE_COPYUID || !text->uidvalidity || !copyuid_sound(text->code_args))
        return;
    batch->placed = true;
    for (struct write_op *op = batch->ops; op; op = op->next) {
        const uint32_t uid = copyuid_find(text->code_args, op->uid);
        if (uid)
            op->told = (struct write_place){.uidvalidity = text->uidvalidity, .uid = uid};
    }
}

static void take_modified(struct write_batch *batch, const struct imap_text *text)
{
    for (struct write_op *op = batch->ops; op && text->from; op = op->next)
        op->modified |= imap_seqset_contains(text->from, op->uid);
}

static void take_flags(struct write_batch *batch, const struct row *row)
{
    struct write_op *op = op_of(batch, row->uid);
    if (!op)
        return;
    if (row->has & ROW_MODSEQ)
        op->modseq_now = row->modseq;
    if (row->has & ROW_FLAGS) {
        op->flags_told = true;
        op->flags_now = row->flagset;
    }
}

static void take_marked(struct write_batch *batch, uint32_t first, uint32_t last)
{
    for (uint64_t uid = first; uid <= last && !batch->others_marked; uid++)
        batch->others_marked = !imap_seqset_contains(&batch->uids, (uint32_t)uid);
}

static void take_search(struct write_batch *batch, const struct imap_response *response)
{
    if (response->type == IMAP_RESP_SEARCH) {
        for (size_t i = 0; i < response->search.count; i++)
            take_marked(batch, response->search.numbers[i], response->search.numbers[i]);
        batch->searched = true;
    } else if (response->type == IMAP_RESP_ESEARCH && response->esearch.uid) {
        const struct imap_seqset *all = response->esearch.all;
        for (size_t i = 0; all && i < all->count; i++)
            take_marked(batch, all->ranges[i].first, all->ranges[i].last);
        batch->searched = true;
    }
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct write_batch *batch = arg;
    struct row row = {0};
    if (response->type == IMAP_RESP_FETCH)
        sync_row_of(batch->account, &response->fetch, &row);
    account_lock(batch->account);
    if (response->type == IMAP_RESP_FETCH)
        take_flags(batch, &row);
    else if (response->type == IMAP_RESP_OK)
        take_copyuid(batch, &response->text);
    else
        take_search(batch, response);
    account_unlock(batch->account);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct write_batch *batch = arg;
    struct account *account = batch->account;
    const struct imap_text *text = result->text;
    account_lock(account);
    const bool modified = text && text->code == IMAP_CODE_MODIFIED;
    if (modified) /* whether as OK or as NO: of the others it was done */
        take_modified(batch, text);
    else if (text && !result->status)
        take_copyuid(batch, text);
    if (result->status && !modified && !batch->err.status) {
        batch->err = *result->error;
        batch->err.status = result->status;
        batch->said = text != NULL;
    }
    if (--batch->outstanding == 0)
        write_stepped_locked(batch);
    account_unlock(account);
}

/* ---- what it is asked ----------------------------------------------------------------------------- */

static void submit(struct write_batch *batch, struct imap_command *command)
{
    const struct imap_command_events events = {.response = on_response, .done = on_done};
    const struct mailbox *mailbox = batch->ops->from;
    imap_command_on(command, &events, batch);
    batch->outstanding++;
    /* A copy that is half a move is not made where the other half could not be. */
    const bool reads = batch->ops->kind == WRITE_KIND_COPY;
    pending_change_locked(batch->account, mailbox->wire, mailbox->uidvalidity, reads ? IMAP_POOL_READS : 0,
                          command);
}

static struct imap_command *by_uid(const struct write_batch *batch, const char *verb)
{
    struct imap_command *command = imap_command_new(verb);
    imap_command_seqset(command, &batch->uids);
    return command;
}

static void submit_to(struct write_batch *batch, const char *verb)
{
    struct mailbox *to = batch->ops->to;
    struct imap_command *command = by_uid(batch, verb);
    cover_gain_locked(to);
    imap_command_mailbox(command, to->wire, strlen(to->wire));
    submit(batch, command);
}

static void submit_mark(struct write_batch *batch)
{
    struct imap_command *command = by_uid(batch, "UID STORE");
    imap_command_raw(command, "+FLAGS.SILENT");
    imap_command_raw(command, DELETED);
    submit(batch, command);
}

static void submit_flags(struct write_batch *batch)
{
    static const char *const items[] = {
        [WRITE_SET] = "FLAGS", [WRITE_ADD] = "+FLAGS", [WRITE_REMOVE] = "-FLAGS"};
    const struct write_op *op = batch->ops;
    struct imap_command *command = by_uid(batch, "UID STORE");
    char text[48];
    if (op->how == WRITE_SET && op->modseq) {
        snprintf(text, sizeof text, "(UNCHANGEDSINCE %" PRIu64 ")", op->modseq);
        imap_command_raw(command, text);
    }
    imap_command_raw(command, items[op->how]);
    imap_command_list(command, flagset_text(&batch->account->flagsets, op->flagset));
    submit(batch, command);
}

static void submit_text(struct write_batch *batch, struct imap_command *command, const char *text)
{
    if (text)
        imap_command_raw(command, text);
    submit(batch, command);
}

static void begin_step(struct write_batch *batch, enum write_step step)
{
    batch->step = step;
    batch->err = (struct imap_error){0};
    batch->said = batch->searched = batch->others_marked = false;
    imap_seqset_fini(&batch->uids);
    for (const struct write_op *op = batch->ops; op; op = op->next)
        imap_seqset_add(&batch->uids, op->uid, op->uid);
}

void write_step_locked(struct write_batch *batch, enum write_step step)
{
    const bool modseq = account_offers(batch->account, IMAP_CAP_CONDSTORE) && batch->ops->modseq;
    begin_step(batch, step);
    switch (step) {
    case WRITE_STEP_MOVE:
        submit_to(batch, "UID MOVE");
        break;
    case WRITE_STEP_COPY:
        submit_to(batch, "UID COPY");
        break;
    case WRITE_STEP_EXPUNGE:
        submit_mark(batch);
        submit(batch, by_uid(batch, "UID EXPUNGE"));
        break;
    case WRITE_STEP_MARK:
        submit_mark(batch);
        break;
    case WRITE_STEP_SEARCH:
        submit_text(batch, imap_command_new("UID SEARCH"), "DELETED");
        break;
    case WRITE_STEP_SWEEP:
        submit_text(batch, imap_command_new("EXPUNGE"), NULL);
        break;
    case WRITE_STEP_FLAGS:
        submit_flags(batch);
        break;
    case WRITE_STEP_LOOK:
        submit_text(batch, by_uid(batch, "UID FETCH"), modseq ? "(UID FLAGS MODSEQ)" : "(UID FLAGS)");
        break;
    }
}

/* ---- sets of flags as text ------------------------------------------------------------------------- */

static bool is_word_of(const char *text, const char *word, size_t len)
{
    while (*text) {
        const size_t other = strcspn(text, " ");
        if (other == len && strncasecmp(text, word, len) == 0)
            return true;
        text += other + (text[other] == ' ');
    }
    return false;
}

bool write_flags_hold(const char *wanted, const char *now, bool there)
{
    while (*wanted) {
        const size_t len = strcspn(wanted, " ");
        if (is_word_of(now, wanted, len) != there)
            return false;
        wanted += len + (wanted[len] == ' ');
    }
    return true;
}
