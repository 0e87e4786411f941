/* SPDX-License-Identifier: MIT */
#include "inuse.h"

#include <limits.h>
#include <string.h>

#include "mailbox_internal.h"
#include "sync.h"

#define IN_USE_MS (10 * 60 * 1000)
#define LOOKED_AT_MS (60 * 1000) /* so long it keeps the lane that it has */
#define AGAIN_MS (60 * 1000) /* the pool is told again that they are in use; a failed return is repeated */

/* ---- what is to be watched ------------------------------------------------------------------------- */

static bool has_lane(const struct mailbox *mailbox)
{
    return mailbox->cover.by & COVER_IDLE;
}

static bool needs_lane(const struct mailbox *mailbox)
{
    const bool heard = mailbox == mailbox->account->watch.selected && !has_lane(mailbox);
    return mailbox->known && mailbox_selectable_locked(mailbox) && !heard &&
           !(mailbox->cover.by & COVER_NOTIFY);
}

static void drop_unused(struct inuse *inuse, int64_t now)
{
    size_t to = 0;
    for (size_t from = 0; from < inuse->count; from++)
        if (now - inuse->recent[from].used_ms < IN_USE_MS && !inuse->recent[from].mailbox->gone)
            inuse->recent[to++] = inuse->recent[from];
    inuse->count = to;
}

static size_t wanted(const struct inuse *inuse, int64_t now, struct mailbox *list[INUSE_MAX])
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < inuse->count; i++) {
            struct mailbox *mailbox = inuse->recent[i].mailbox;
            const bool keeps = has_lane(mailbox) && now - inuse->recent[i].used_ms < LOOKED_AT_MS;
            if (needs_lane(mailbox) && keeps == !pass)
                list[count++] = mailbox;
        }
    }
    return count;
}

static bool same_as_asked(const struct inuse *inuse, struct mailbox *const *list, size_t count)
{
    size_t same = 0;
    while (same < count && same < inuse->asked_count && list[same] == inuse->asked[same])
        same++;
    return same == count && same == inuse->asked_count;
}

static void ask(struct account *account, int64_t now)
{
    struct inuse *inuse = &account->inuse;
    struct mailbox *list[INUSE_MAX];
    const char *names[INUSE_MAX];
    const size_t count = wanted(inuse, now, list);
    if (same_as_asked(inuse, list, count) && (!count || now - inuse->asked_ms < AGAIN_MS))
        return;
    for (size_t i = 0; i < count; i++) {
        inuse->asked[i] = list[i];
        names[i] = list[i]->wire;
    }
    inuse->asked_count = count;
    inuse->asked_ms = now;
    inuse->granted = imap_pool_watch(account->pool, names, count, IN_USE_MS);
}

/* Connection 0 has nothing to do, and a lane hears what it would hear: it can be of more use elsewhere. */
static void send_back(struct account *account, int64_t now)
{
    struct inuse *inuse = &account->inuse;
    const struct watch *watch = &account->watch;
    if (watch->queue || !watch->selected || !has_lane(watch->selected))
        return;
    for (size_t i = inuse->granted; i < inuse->asked_count; i++) {
        struct mailbox *mailbox = inuse->asked[i];
        if (has_lane(mailbox) || !needs_lane(mailbox))
            continue;
        if (mailbox == inuse->returning && now - inuse->returning_ms < AGAIN_MS)
            return;
        inuse->returning = mailbox;
        inuse->returning_ms = now;
        sync_begin_locked(mailbox);
        return;
    }
}

void inuse_plan_locked(struct account *account)
{
    struct inuse *inuse = &account->inuse;
    const int64_t now = model_now_ms();
    if (account->closing || !account->pool || (!inuse->count && !inuse->asked_count))
        return;
    if (account->watch.selected == inuse->returning)
        inuse->returning = NULL;
    drop_unused(inuse, now);
    ask(account, now);
    send_back(account, now);
}

void inuse_note_locked(struct mailbox *mailbox)
{
    struct account *account = mailbox->account;
    struct inuse *inuse = &account->inuse;
    const int64_t now = model_now_ms();
    size_t at = 0;
    while (at < inuse->count && inuse->recent[at].mailbox != mailbox)
        at++;
    const bool added = at == inuse->count;
    if (added && inuse->count < INUSE_MAX)
        inuse->count++;
    else if (added)
        at--;
    memmove(&inuse->recent[1], &inuse->recent[0], at * sizeof inuse->recent[0]);
    inuse->recent[0].mailbox = mailbox;
    inuse->recent[0].used_ms = mailbox->used_ms = now;
    if (added || now - inuse->asked_ms >= AGAIN_MS)
        inuse_plan_locked(account);
}

/* ---- the lanes --------------------------------------------------------------------------------------- */

void inuse_selected_locked(struct account *account, unsigned connection, struct mailbox *mailbox,
                           const struct imap_selected *selected)
{
    if (connection >= INUSE_LANES)
        return;
    account->inuse.lanes[connection].covers = false;
    account->inuse.lanes[connection].mailbox = mailbox;
    account->inuse.lanes[connection].state = (struct cover_state){.uidvalidity = selected->uidvalidity,
                                                                  .uidnext = selected->uidnext,
                                                                  .messages = selected->exists,
                                                                  .modseq = selected->highestmodseq};
}

static void uncover(struct account *account, unsigned connection)
{
    struct inuse *inuse = &account->inuse;
    struct mailbox *mailbox = inuse->lanes[connection].mailbox;
    if (!mailbox || !inuse->lanes[connection].covers)
        return;
    inuse->lanes[connection].covers = false;
    bool other = false;
    for (unsigned i = 0; i < INUSE_LANES; i++)
        other |= inuse->lanes[i].covers && inuse->lanes[i].mailbox == mailbox;
    if (!other)
        cover_end_locked(mailbox, COVER_IDLE);
}

void inuse_left_locked(struct account *account, unsigned connection)
{
    if (connection >= INUSE_LANES)
        return;
    uncover(account, connection);
    account->inuse.lanes[connection].mailbox = NULL;
    inuse_plan_locked(account);
}

void inuse_idling(void *arg, unsigned connection, const char *mailbox_name, bool on)
{
    struct account *account = arg;
    (void)mailbox_name;
    if (connection >= INUSE_LANES)
        return;
    account_lock(account);
    struct mailbox *mailbox = account->inuse.lanes[connection].mailbox;
    if (!on) {
        uncover(account, connection);
    } else if (mailbox) {
        account->inuse.lanes[connection].covers = true;
        cover_begin_locked(mailbox, COVER_IDLE, &account->inuse.lanes[connection].state);
    }
    inuse_plan_locked(account);
    account_unlock(account);
}

/* Some servers repeat the number of messages now and then. */
static bool is_news(struct cover_state *state, const struct imap_response *response)
{
    const uint32_t before = state->messages;
    if (response->type == IMAP_RESP_EXISTS) {
        state->messages = response->number;
        return before != response->number;
    }
    if (response->type == IMAP_RESP_EXPUNGE && before)
        state->messages--;
    else if (response->type == IMAP_RESP_VANISHED)
        state->messages = 0; /* so that any EXISTS is news */
    return true;
}

static bool is_of_messages(const struct imap_response *response)
{
    return response->type == IMAP_RESP_EXISTS || response->type == IMAP_RESP_EXPUNGE ||
           response->type == IMAP_RESP_VANISHED ||
           (response->type == IMAP_RESP_FETCH && response->fetch.has & IMAP_FETCH_FLAGS);
}

/* One who says so all the time is not made to select again and again: the mailbox is polled instead. */
static void doubt(struct account *account, unsigned connection)
{
    struct inuse *inuse = &account->inuse;
    struct mailbox *mailbox = inuse->lanes[connection].mailbox;
    const int64_t now = model_now_ms();
    const int64_t before = inuse->lanes[connection].doubted_ms;
    uncover(account, connection);
    if (before && now - before < AGAIN_MS)
        return;
    inuse->lanes[connection].doubted_ms = now;
    imap_pool_mailbox_replaced(account->pool, mailbox->wire, UINT_MAX);
}

void inuse_heard(struct account *account, unsigned connection, const struct imap_response *response)
{
    const bool doubtful = watch_casts_doubt(response);
    if (connection >= INUSE_LANES ||
        !(doubtful || is_of_messages(response))) /* no lock for masses of bodies */
        return;
    account_lock(account);
    struct mailbox *mailbox = account->inuse.lanes[connection].mailbox;
    if (mailbox && doubtful) {
        doubt(account, connection);
        mailbox = NULL;
    }
    struct cover_state *state = &account->inuse.lanes[connection].state;
    if (mailbox && is_news(state, response)) {
        state->modseq = 0; /* what SELECT told is past, and proves nothing any more */
        if (account->inuse.lanes[connection].covers)
            cover_stirred_locked(mailbox, NULL);
    }
    account_unlock(account);
}
