/* SPDX-License-Identifier: MIT */
/* synccmd: the commands of a synchronisation and their way back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "sync.h"

#define ROW_WEIGHT 120  /* octets of one FETCH response, about */
#define CHUNK_RANGES 40 /* of one command: under 1000 octets, which every server takes */
#define FETCH_ALL "UID FLAGS INTERNALDATE RFC822.SIZE"
#define FETCH_FLAGS "UID FLAGS"
#define SURPLUS 65536 /* ranges found beyond twice the announced number of messages */

/* Gmail's are numbers; a longer one becomes a number by its hash. */
static uint64_t objectid_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    const uint64_t number = *text >= '1' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (number && !*end && !errno)
        return number;
    const size_t len = strlen(text);
    const uint64_t hash = len ? change_hash(0, text, len) : 0;
    return hash || !len ? hash : 1;
}

/* A command may outlive the sync that it was to start. */
struct touch {
    struct account *account;
    struct sync *sync; /* NULL: not needed any more; guarded by the lock */
    bool leaves;       /* it is UNSELECT, and to be touched after it */
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
    if ((fetch->has & IMAP_FETCH_MODSEQ) && fetch->modseq) {
        row_out->has |= ROW_MODSEQ;
        row_out->modseq = fetch->modseq;
    }
    if ((fetch->has & IMAP_FETCH_EMAILID) && fetch->emailid)
        row_out->objectid = objectid_of(fetch->emailid);
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

/* A mailbox that said NOMODSEQ refuses a FETCH of it (RFC 7162 3.1.2.2). */
static bool wants_modseq(const struct sync *sync)
{
    const struct account *account = sync->mailbox->account;
    const struct watch *watch = &account->watch;
    return !sync->bare && account_offers(account, IMAP_CAP_CONDSTORE) &&
           (watch->selected != sync->mailbox || watch->modseq);
}

/* What all copies of a message have in common (RFC 8474, and Gmail's own). */
static const char *objectid_item(const struct sync *sync)
{
    const struct account *account = sync->mailbox->account;
    if (sync->bare)
        return "";
    return account_offers(account, IMAP_CAP_OBJECTID)     ? " EMAILID"
           : account_offers(account, IMAP_CAP_X_GM_EXT_1) ? " X-GM-MSGID"
                                                          : "";
}

static void add_items(const struct sync *sync, struct imap_command *command, enum sync_items items)
{
    char text[80];
    const bool all = items == SYNC_EVERYTHING;
    snprintf(text, sizeof text, "(%s%s%s)", all ? FETCH_ALL : FETCH_FLAGS, all ? objectid_item(sync) : "",
             wants_modseq(sync) ? " MODSEQ" : "");
    imap_command_raw(command, text);
    if (items != SYNC_FLAGS_SINCE)
        return;
    snprintf(text, sizeof text, "(CHANGEDSINCE %" PRIu64 ")", sync->mailbox->modseq);
    imap_command_raw(command, text);
}

static void submit(struct sync *sync, struct imap_command *command,
                   void (*response)(void *, const struct imap_response *), uint64_t weight)
{
    const struct imap_command_events events = {.response = response, .done = on_done};
    struct mailbox *mailbox = sync->mailbox;
    imap_command_on(command, &events, sync);
    sync->outstanding++;
    pending_submit_locked(mailbox->account, mailbox->wire, IMAP_POOL_WATCHER, weight, command);
}

static void fetch_chunk(struct sync *sync, const struct imap_seqset *uids, enum sync_items items)
{
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_seqset(command, uids);
    add_items(sync, command, items);
    submit(sync, command, on_fetch, (uint64_t)sync->mailbox->account->watch.exists * ROW_WEIGHT);
}

void sync_fetch_locked(struct sync *sync, const struct imap_seqset *uids, enum sync_items items)
{
    for (size_t at = 0; at < uids->count; at += CHUNK_RANGES) {
        const size_t left = uids->count - at;
        const struct imap_seqset chunk = {.ranges = uids->ranges + at,
                                          .count = left < CHUNK_RANGES ? left : CHUNK_RANGES};
        fetch_chunk(sync, &chunk, items);
    }
}

/* ---- what is still there ---------------------------------------------------------------------------- */

static void add_found(struct sync *sync, uint32_t first, uint32_t last)
{
    sync->flooded |= sync->found_count >= 2 * (size_t)sync->mailbox->account->watch.exists + SURPLUS;
    if (sync->flooded)
        return;
    if (sync->found_count == sync->found_capacity) {
        sync->found_capacity = sync->found_capacity ? 2 * sync->found_capacity : 64;
        sync->found = imap_xreallocarray(sync->found, sync->found_capacity, sizeof *sync->found);
    }
    sync->found[sync->found_count++] = (struct imap_range){first, last};
}

/* There are servers that answer SEARCH where ESEARCH was asked for. */
static void on_search(void *arg, const struct imap_response *response)
{
    struct sync *sync = arg;
    if (response->type == IMAP_RESP_SEARCH) {
        for (size_t i = 0; i < response->search.count; i++)
            add_found(sync, response->search.numbers[i], response->search.numbers[i]);
    } else if (response->type == IMAP_RESP_ESEARCH && response->esearch.uid) {
        const struct imap_seqset *all = response->esearch.all;
        for (size_t i = 0; all && i < all->count; i++)
            add_found(sync, all->ranges[i].first, all->ranges[i].last);
    } else {
        return;
    }
    sync->answered = true;
}

void sync_search_locked(struct sync *sync, uint32_t last)
{
    struct imap_command *command = imap_command_new("UID SEARCH");
    char text[32];
    if (account_offers(sync->mailbox->account, IMAP_CAP_ESEARCH))
        imap_command_raw(command, "RETURN (ALL)");
    snprintf(text, sizeof text, "UID 1:%" PRIu32, last);
    imap_command_raw(command, text);
    submit(sync, command, on_search, 0);
}

/* ---- making the server select the mailbox, or look at it ---------------------------------------------- */

static void on_touched(void *arg, const struct imap_result *result)
{
    struct touch *touch = arg;
    struct account *account = touch->account;
    account_lock(account);
    if (touch->sync) {
        touch->sync->touch = NULL;
        if (touch->leaves)
            sync_touch_locked(touch->sync);
        else
            sync_touched_locked(touch->sync, result);
    }
    account_unlock(account);
    free(touch);
}

static void touch_by(struct sync *sync, const char *verb, bool leaves)
{
    const struct imap_command_events events = {.done = on_touched};
    struct mailbox *mailbox = sync->mailbox;
    struct imap_command *command = imap_command_new(verb);
    sync->touch = imap_xcalloc(1, sizeof *sync->touch);
    *sync->touch = (struct touch){.account = mailbox->account, .sync = sync, .leaves = leaves};
    imap_command_on(command, &events, sync->touch);
    pending_submit_locked(mailbox->account, mailbox->wire, IMAP_POOL_WATCHER, 0, command);
}

void sync_touch_locked(struct sync *sync)
{
    touch_by(sync, "NOOP", false);
}

void sync_reselect_locked(struct sync *sync)
{
    sync->phase = SYNC_TOUCH;
    touch_by(sync, "UNSELECT", true);
}

void sync_forget_touch_locked(struct sync *sync)
{
    if (sync->touch)
        sync->touch->sync = NULL;
    sync->touch = NULL;
}
