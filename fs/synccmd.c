/* SPDX-License-Identifier: MIT */
/* synccmd: the commands of a synchronisation and their way back. */
#include <stdlib.h>

#include "../imap/mem.h"
#include "sync.h"

#define ROW_WEIGHT 120  /* octets of one FETCH response, about */
#define CHUNK_RANGES 40 /* of one command: under 1000 octets, which every server takes */
#define FETCH_ALL "(UID FLAGS INTERNALDATE RFC822.SIZE)"
#define FETCH_FLAGS "(UID FLAGS)"

/* A command may outlive the sync that it was to start. */
struct touch {
    struct account *account;
    struct sync *sync; /* NULL: not needed any more; guarded by the lock */
};

void sync_row_of(struct account *account, const struct imap_fetch *fetch, struct row *row_out)
{
    *row_out = (struct row){.uid = fetch->uid};
    if (fetch->has & IMAP_FETCH_FLAGS) {
        row_out->has |= ROW_FLAGS;
        if (!flagset_plain(&fetch->flags, &row_out->flagset)) {
            account_lock(account);
            row_out->flagset = flagset_intern(&account->flagsets, &fetch->flags);
            account_unlock(account);
        }
    }
    if (fetch->has & IMAP_FETCH_SIZE) {
        row_out->has |= ROW_SIZE;
        row_out->size = fetch->size;
    }
    if (fetch->has & IMAP_FETCH_INTERNALDATE) {
        row_out->has |= ROW_DATE;
        row_out->date = fetch->internaldate.unix_seconds;
        row_out->zone = (int16_t)fetch->internaldate.zone_minutes;
    }
    if (fetch->has & IMAP_FETCH_MODSEQ) {
        row_out->has |= ROW_MODSEQ;
        row_out->modseq = fetch->modseq;
    }
}

static void on_fetch(void *arg, const struct imap_response *response)
{
    struct sync *sync = arg;
    struct row row;
    if (response->type != IMAP_RESP_FETCH || !response->fetch.uid)
        return;
    sync_row_of(sync->mailbox->account, &response->fetch, &row);
    sync_add_row(sync, &row);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct sync *sync = arg;
    struct account *account = sync->mailbox->account;
    account_lock(account);
    sync_ended_locked(sync, result);
    account_unlock(account);
}

static void fetch_chunk(struct sync *sync, const struct imap_seqset *uids, bool everything)
{
    const struct imap_command_events events = {.response = on_fetch, .done = on_done};
    struct mailbox *mailbox = sync->mailbox;
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_seqset(command, uids);
    imap_command_raw(command, everything ? FETCH_ALL : FETCH_FLAGS);
    imap_command_on(command, &events, sync);
    sync->outstanding++;
    pending_submit_locked(mailbox->account, mailbox->wire, IMAP_POOL_WATCHER,
                          (uint64_t)mailbox->account->watch.exists * ROW_WEIGHT, command);
}

void sync_fetch_locked(struct sync *sync, const struct imap_seqset *uids, bool everything)
{
    for (size_t at = 0; at < uids->count; at += CHUNK_RANGES) {
        const size_t left = uids->count - at;
        const struct imap_seqset chunk = {.ranges = uids->ranges + at,
                                          .count = left < CHUNK_RANGES ? left : CHUNK_RANGES};
        fetch_chunk(sync, &chunk, everything);
    }
}

static void on_touched(void *arg, const struct imap_result *result)
{
    struct touch *touch = arg;
    struct account *account = touch->account;
    account_lock(account);
    if (touch->sync) {
        touch->sync->touch = NULL;
        sync_touched_locked(touch->sync, result);
    }
    account_unlock(account);
    free(touch);
}

void sync_touch_locked(struct sync *sync)
{
    const struct imap_command_events events = {.done = on_touched};
    struct mailbox *mailbox = sync->mailbox;
    struct imap_command *command = imap_command_new("NOOP");
    sync->touch = imap_xcalloc(1, sizeof *sync->touch);
    *sync->touch = (struct touch){.account = mailbox->account, .sync = sync};
    imap_command_on(command, &events, sync->touch);
    pending_submit_locked(mailbox->account, mailbox->wire, IMAP_POOL_WATCHER, 0, command);
}

void sync_forget_touch_locked(struct sync *sync)
{
    if (sync->touch)
        sync->touch->sync = NULL;
    sync->touch = NULL;
}
