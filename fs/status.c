/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "sync.h"

static char *put_before(const char *path, char *end, const char *part)
{
    for (size_t i = strlen(part); i;)
        *--end = part[--i];
    if (end > path)
        *--end = '/';
    return end;
}

/* "2024/5.eml" where it is in Archive/2024, from Archive; what is not below that is named as from the top. */
static char *path_from(const struct mailbox *from, const struct mailbox *mailbox, const char *file)
{
    size_t len = *file ? strlen(file) + 1 : 0;
    for (const struct mailbox *at = mailbox; at->parent && at != from; at = at->parent)
        len += strlen(at->file) + 1;
    char *path = imap_xcalloc(len + 1, 1);
    char *end = path + (len ? len - 1 : 0);
    if (*file)
        end = put_before(path, end, file);
    for (const struct mailbox *at = mailbox; at->parent && at != from; at = at->parent)
        end = put_before(path, end, at->file);
    return path;
}

/* "Archive/2024"; "" for the top. */
static char *path_of(const struct mailbox *mailbox)
{
    return path_from(NULL, mailbox, "");
}

/* ---- mailboxes -------------------------------------------------------------------------------------- */

static bool used_before(const struct mailbox *one, const struct mailbox *other)
{
    return one->used_ms != other->used_ms ? one->used_ms > other->used_ms : one->proven_ms > other->proven_ms;
}

/* Those used last, in order. */
static size_t choose(const struct account *account, const struct mailbox *chosen[STATUS_MAILBOXES_MAX])
{
    size_t count = 0;
    for (const struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        if (mailbox->gone || !mailbox->known)
            continue;
        size_t at = count;
        while (at && used_before(mailbox, chosen[at - 1]))
            at--;
        if (at == STATUS_MAILBOXES_MAX)
            continue;
        if (count < STATUS_MAILBOXES_MAX)
            count++;
        for (size_t i = count - 1; i > at; i--)
            chosen[i] = chosen[i - 1];
        chosen[at] = mailbox;
    }
    return count;
}

static enum status_watch watched_by(const struct account *account, const struct mailbox *mailbox, bool idle)
{
    if (mailbox->cover.by & COVER_IDLE || (account->watch.selected == mailbox && idle))
        return STATUS_IDLE;
    if (mailbox->cover.by & COVER_NOTIFY)
        return STATUS_NOTIFY;
    return STATUS_POLL;
}

static enum status_freshness freshness_of(const struct account *account, const struct mailbox *mailbox)
{
    if (mailbox->sync)
        return STATUS_SYNCING;
    if (watch_current_locked(account, mailbox))
        return STATUS_CURRENT;
    return mailbox_is_fresh_locked(mailbox) ? STATUS_FRESH : STATUS_OLD;
}

static void take_mailboxes(struct account *account, struct status *status)
{
    const struct mailbox *chosen[STATUS_MAILBOXES_MAX];
    const bool idle = imap_caps_has(&status->caps, IMAP_CAP_IDLE);
    for (const struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        if (mailbox->gone || !mailbox_selectable_locked(mailbox))
            continue;
        const enum status_watch by = watched_by(account, mailbox, idle);
        status->mailbox_total++;
        status->mailbox_known += mailbox->known;
        status->mailbox_watched += by != STATUS_POLL;
        status->notify |= by == STATUS_NOTIFY;
        status->syncs += mailbox->sync != NULL;
    }
    status->mailbox_count = choose(account, chosen);
    for (size_t i = 0; i < status->mailbox_count; i++)
        status->mailboxes[i] = (struct status_mailbox){.name = path_of(chosen[i]),
                                                       .count = chosen[i]->columns.count,
                                                       .freshness = freshness_of(account, chosen[i]),
                                                       .by = watched_by(account, chosen[i], idle),
                                                       .proven_ms = chosen[i]->proven_ms};
}

static void take_places(struct account *account, struct status *status)
{
    for (unsigned i = 0; i < status->pool.count; i++) {
        const char *wire = status->pool.connections[i].mailbox;
        const struct mailbox *mailbox = *wire ? tree_find_locked(account, wire, strlen(wire)) : NULL;
        if (*wire)
            status->places[i] = mailbox ? path_of(mailbox) : imap_xstrdup(wire);
    }
}

/* ---- what is not on the server ------------------------------------------------------------------------ */

static enum status_draft_state state_of(const struct draft *draft)
{
    switch (draft_state_locked(draft)) {
    case DRAFT_SENDING:
        return STATUS_SENDING;
    case DRAFT_FAILED:
        return STATUS_UNSENT;
    case DRAFT_LOCAL:
        break;
    }
    if (draft_promise_locked(draft))
        return STATUS_SENDING;
    return draft_size_locked(draft) || draft_is_open_locked(draft) ? STATUS_WRITING : STATUS_EMPTY;
}

static void take_draft(const struct account *account, const struct draft *draft,
                       enum status_draft_state state, struct status_draft *draft_out)
{
    *draft_out = (struct status_draft){
        .path = path_from(account->root, draft_mailbox_locked(draft), draft_file_name_locked(draft)),
        .size = draft_size_locked(draft),
        .date = draft_mtime_locked(draft).tv_sec,
        .state = state};
    if (state == STATUS_UNSENT)
        snprintf(draft_out->why, sizeof draft_out->why, "%s", draft_error_locked(draft)->text);
}

/* Those in that state, while there is room. */
static void show_drafts(const struct account *account, struct status *status, bool unsent)
{
    const struct draft *draft;
    for (uint32_t after = 0;
         status->draft_shown < STATUS_DRAFTS_MAX && (draft = draft_next_of_all_locked(account, after));
         after = draft_number_locked(draft)) {
        const enum status_draft_state state = state_of(draft);
        if (!draft_name_is_local(draft_file_name_locked(draft)) && unsent == (state == STATUS_UNSENT))
            take_draft(account, draft, state, &status->drafts[status->draft_shown++]);
    }
}

static void take_drafts(const struct account *account, struct status *status)
{
    const struct draft *draft;
    status->read_write = account->drafts != NULL;
    for (uint32_t after = 0; (draft = draft_next_of_all_locked(account, after));
         after = draft_number_locked(draft)) {
        if (draft_name_is_local(draft_file_name_locked(draft))) {
            status->local_count++;
            continue;
        }
        status->draft_count++;
        status->draft_bytes += draft_size_locked(draft);
        status->draft_states[state_of(draft)]++;
    }
    show_drafts(account, status, true);
    show_drafts(account, status, false);
}

/* ---- what waits --------------------------------------------------------------------------------------- */

static void take_changes(const struct account *account, struct status *status)
{
    struct writeback_state state;
    writeback_state_locked(account, &state);
    status->waiting_deletes = state.deletes;
    status->waiting_moves = state.moves;
    status->waiting_copies = state.copies;
    status->waiting_uploads = state.uploads;
    for (size_t i = 0; i < state.refusal_count && i < STATUS_REFUSED_MAX; i++) {
        struct status_line *line = &status->refused[status->refused_count++];
        line->when = state.refusals[i].when;
        snprintf(line->text, sizeof line->text, "%.*s", STATUS_LINE_SIZE - 1, state.refusals[i].text);
    }
}

/* ---- the whole -------------------------------------------------------------------------------------- */

void status_take(struct account *account, struct status *status)
{
    imap_pool_status(account->pool, &status->pool);
    status->caps_known = imap_pool_caps(account->pool, &status->caps);
    if (!status->caps_known)
        imap_caps_clear(&status->caps);
    status->now = time(NULL);
    status->opened = account->opened;
    status->poll_ms = account->poll_ms;
    account_lock(account);
    status->listing = account->tree.running != NULL;
    status->listed_ms = account->tree.listed_ms;
    bodies_stats_locked(account->bodies, &status->bodies);
    status->has_store = account->stored.store != NULL;
    if (status->has_store)
        store_status(account->stored.store, &status->store);
    take_mailboxes(account, status);
    take_places(account, status);
    take_drafts(account, status);
    take_changes(account, status);
    account_unlock(account);
}

void status_fini(struct status *status)
{
    for (size_t i = 0; i < status->mailbox_count; i++)
        free(status->mailboxes[i].name);
    for (unsigned i = 0; i < status->pool.count; i++)
        free(status->places[i]);
    for (size_t i = 0; i < status->draft_shown; i++)
        free(status->drafts[i].path);
    status->mailbox_count = status->pool.count = status->draft_shown = 0;
}
