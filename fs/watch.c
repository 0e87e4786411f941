/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "sync.h"

#define WATCHER 0

bool account_offers(const struct account *account, enum imap_cap cap)
{
    struct imap_caps caps;
    return imap_pool_caps(account->pool, &caps) && imap_caps_has(&caps, cap);
}

bool watch_current_locked(const struct account *account, const struct mailbox *mailbox)
{
    const struct watch *watch = &account->watch;
    if (watch->selected == mailbox)
        return watch->exact && watch->exists == mailbox->columns.count &&
               account_offers(account, IMAP_CAP_IDLE);
    return cover_calm_locked(mailbox);
}

/* What is heard last while nothing is amiss is as good as asking. */
static void heard(struct watch *watch)
{
    if (watch->selected && watch->exact && watch->exists == watch->selected->columns.count)
        watch->selected->proven_ms = model_now_ms();
}

/* ---- selections ------------------------------------------------------------------------------------ */

static uint32_t uidvalidity_of(struct account *account, const struct mailbox *mailbox,
                               const struct imap_selected *selected)
{
    if (selected->uidvalidity)
        return selected->uidvalidity;
    if (!mailbox->uidvalidity)
        pending_log_locked(account, LOG_WARNING,
                           "mailbox %s: the server tells no UIDVALIDITY, so that file numbers may be reused",
                           mailbox->wire);
    return 1;
}

/* On any connection, before a byte that was asked for under the old one can be taken for the new one's. */
static void check_uidvalidity(struct account *account, struct mailbox *mailbox,
                              const struct imap_selected *selected)
{
    const uint32_t uidvalidity = uidvalidity_of(account, mailbox, selected);
    if (uidvalidity == mailbox->uidvalidity)
        return;
    mailbox_reset_locked(mailbox, uidvalidity);
    /* Seen by a lane, the watcher still has the mailbox that was: nothing that it tells counts. */
    if (account->watch.selected == mailbox) {
        account->watch.selected = NULL;
        account->watch.exact = false;
    }
}

static bool proves_unchanged(const struct mailbox *mailbox, const struct watch *watch)
{
    return mailbox->known && mailbox->uidnext && watch->uidnext == mailbox->uidnext && mailbox->modseq &&
           watch->modseq == mailbox->modseq && watch->exists == mailbox->columns.count;
}

static void watch_select(struct account *account, struct mailbox *mailbox,
                         const struct imap_selected *selected, bool resumed)
{
    struct watch *watch = &account->watch;
    watch->selected = mailbox;
    watch->exists = selected->exists;
    watch->empty = !selected->exists;
    watch->uidnext = selected->uidnext;
    watch->modseq = account_offers(account, IMAP_CAP_CONDSTORE) ? selected->highestmodseq : 0;
    watch->exact = watch->numbered = proves_unchanged(mailbox, watch);
    watch->last = mailbox;
    watch->resume.holds = resumed && !watch->exact && resume_fits_locked(&watch->resume, mailbox);
    heard(watch);
    if (mailbox->sync)
        sync_selected_locked(mailbox);
    else if (!watch->exact)
        sync_begin_locked(mailbox); /* the line was lost, say: what has changed meanwhile? */
    /* Who has not taken them by now would put them over what is told from here on. */
    resume_drop(&watch->resume);
}

void watch_selected(void *arg, unsigned connection, const struct imap_selected *selected, bool resumed)
{
    struct account *account = arg;
    account_lock(account);
    struct mailbox *mailbox = tree_find_locked(account, selected->name, strlen(selected->name));
    if (connection == WATCHER)
        account->watch.selected = NULL;
    if (mailbox) {
        check_uidvalidity(account, mailbox, selected);
        if (connection == WATCHER)
            watch_select(account, mailbox, selected, resumed);
    }
    account_unlock(account);
}

void watch_deselected(void *arg, unsigned connection, const char *mailbox_name)
{
    struct account *account = arg;
    struct watch *watch = &account->watch;
    (void)mailbox_name;
    if (connection != WATCHER)
        return;
    account_lock(account);
    struct mailbox *mailbox = watch->selected;
    watch->selected = NULL;
    watch->exact = false;
    watch->exists = 0;
    /* Nobody made it go elsewhere, so the line was lost. When it is back, go on watching. */
    if (mailbox && !watch->queue && !mailbox->gone && account->many_connections &&
        !write_elsewhere_locked(account, mailbox))
        sync_begin_locked(mailbox);
    account_unlock(account);
}

void watch_resume_locked(struct account *account)
{
    struct watch *watch = &account->watch;
    if (!watch->selected && watch->last && !watch->last->gone && !watch->queue)
        sync_begin_locked(watch->last);
}

/* ---- news ------------------------------------------------------------------------------------------ */

static void lose_track(struct account *account)
{
    struct mailbox *mailbox = account->watch.selected;
    account->watch.exact = false;
    if (sync_collecting_locked(mailbox))
        mailbox->sync->disturbed = true;
    else
        sync_begin_locked(mailbox);
}

static void on_exists(struct account *account, uint32_t exists)
{
    struct watch *watch = &account->watch;
    struct mailbox *mailbox = watch->selected;
    const uint32_t before = watch->exists;
    watch->exists = exists;
    if (exists < before) {
        lose_track(account); /* RFC 3501 7.3.1 wants EXPUNGE for that */
    } else if (exists > before) {
        watch->uidnext = 0; /* what SELECT told is past */
        if (sync_collecting_locked(mailbox))
            mailbox->sync->arrived += exists - before;
        else
            sync_begin_locked(mailbox);
    }
}

static void forget_one(struct mailbox *mailbox, uint32_t uid)
{
    delta_apply_locked(mailbox, &(struct delta){.gone = &uid, .gone_count = 1});
}

/* The UID of a sequence number, by its place in the columns; 0: not known. */
static uint32_t uid_at(const struct watch *watch, uint32_t seq)
{
    const struct columns *columns = &watch->selected->columns;
    return watch->exact && watch->numbered && seq && seq <= columns->count ? columns->uid[seq - 1] : 0;
}

/* The UID of the row that an EXPUNGE takes away; 0: it has none, or nobody knows which. */
static uint32_t expunged_row(const struct watch *watch, uint32_t seq, uint32_t uid)
{
    const struct mailbox *mailbox = watch->selected;
    const uint32_t listed = uid_at(watch, seq);
    size_t at = 0;
    if (listed)
        return !uid || uid == listed ? listed : 0;
    if (watch->exact)
        return uid && columns_find(&mailbox->columns, uid, &at) ? uid : 0;
    return mailbox->known && !sync_collecting_locked(mailbox) ? uid : 0;
}

static void on_expunge(struct account *account, uint32_t seq, uint32_t uid)
{
    struct watch *watch = &account->watch;
    struct mailbox *mailbox = watch->selected;
    const uint32_t row = expunged_row(watch, seq, uid);
    if (!seq || seq > watch->exists)
        return;
    watch->exists--;
    /* One of those being collected; unless it has no UID and may be any. */
    const bool collected =
        !uid_at(watch, seq) && sync_collecting_locked(mailbox) && (uid || !watch->exact || watch->numbered);
    if (row)
        forget_one(mailbox, row);
    else if (collected)
        sync_expunged_locked(mailbox->sync, uid);
    else
        lose_track(account);
}

/* Those that the columns don't hold may be among what is being collected. */
static void vanish_collected(struct sync *sync, const struct imap_seqset *uids)
{
    for (size_t i = 0; i < uids->count; i++)
        for (uint64_t uid = uids->ranges[i].first; uid <= uids->ranges[i].last; uid++)
            sync_expunged_locked(sync, (uint32_t)uid);
}

static void on_vanished(struct account *account, const struct imap_seqset *uids)
{
    struct watch *watch = &account->watch;
    struct mailbox *mailbox = watch->selected;
    const bool all_known = watch->exact && watch->exists == mailbox->columns.count;
    const uint64_t told = imap_seqset_size(uids);
    uint32_t *gone = NULL;
    size_t known = columns_in_set(&mailbox->columns, uids, &gone);
    /* While they are being compared the columns are what they were, and what has gone is put to it later. */
    if (known && (watch->exact || !sync_collecting_locked(mailbox)))
        delta_apply_locked(mailbox, &(struct delta){.gone = gone, .gone_count = known});
    else
        known = 0;
    free(gone);
    if (all_known) { /* what else is named never was */
        watch->exists = (uint32_t)mailbox->columns.count;
        return;
    }
    const uint64_t before = watch->exists;
    const uint64_t at_least = watch->exact ? mailbox->columns.count : 0;
    const bool possible = told <= before && before - told >= at_least;
    if (possible)
        watch->exists = (uint32_t)(before - told);
    else if (watch->exact)
        watch->exists = (uint32_t)at_least; /* what the columns still hold was not named */
    if (possible && sync_collecting_locked(mailbox))
        vanish_collected(mailbox->sync, uids);
    else if (!possible || told > known)
        lose_track(account);
}

static void on_flags(struct account *account, const struct row *row)
{
    const struct watch *watch = &account->watch;
    struct mailbox *mailbox = watch->selected;
    const bool collecting = sync_collecting_locked(mailbox);
    size_t at = 0;
    if (collecting)
        sync_flags_locked(mailbox->sync, row);
    /* A message that is not known yet comes with EXISTS and is asked for in full. */
    if ((!collecting || watch->exact) && columns_find(&mailbox->columns, row->uid, &at))
        delta_apply_locked(mailbox, &(struct delta){.rows = row, .row_count = 1});
}

static void on_fetch(struct account *account, const struct imap_fetch *fetch, uint32_t uid)
{
    struct row row;
    struct imap_fetch flags_only = *fetch;
    flags_only.uid = uid;
    flags_only.has &= IMAP_FETCH_FLAGS | IMAP_FETCH_MODSEQ;
    sync_row_of(account, &flags_only, &row);
    account_lock(account);
    struct mailbox *mailbox = account->watch.selected;
    if (mailbox && !row.uid)
        row.uid = uid_at(&account->watch, fetch->seq);
    if (mailbox && row.uid)
        on_flags(account, &row);
    else if (mailbox && fetch->seq <= account->watch.exists)
        lose_track(account);
    account_unlock(account);
}

static void on_news(struct account *account, const struct imap_response *response, uint32_t uid)
{
    account_lock(account);
    if (account->watch.selected) {
        if (response->type == IMAP_RESP_EXISTS)
            on_exists(account, response->number);
        else if (response->type == IMAP_RESP_EXPUNGE)
            on_expunge(account, response->number, uid);
        else if (response->type == IMAP_RESP_VANISHED && !response->vanished.earlier)
            on_vanished(account, response->vanished.uids);
        heard(&account->watch);
    }
    account_unlock(account);
}

void watch_untagged(void *arg, unsigned connection, const char *mailbox, const struct imap_response *response,
                    uint32_t uid)
{
    if (connection != WATCHER || !mailbox)
        return;
    if (response->type != IMAP_RESP_FETCH)
        on_news(arg, response, uid);
    else if (response->fetch.has & (IMAP_FETCH_FLAGS | IMAP_FETCH_MODSEQ))
        on_fetch(arg, &response->fetch, uid ? uid : response->fetch.uid);
}
