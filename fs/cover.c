/* SPDX-License-Identifier: MIT */
#include "cover.h"

#include "mailbox_internal.h"
#include "sync.h"

#define OUR_NEWS_MS 3000 /* within which the server tells us of what we have done ourselves */

/* Other flags have no witness but HIGHESTMODSEQ: a server that does not tell it proves nothing. */
static bool is_as_known(const struct mailbox *mailbox, const struct cover_state *state)
{
    const bool unloaded = mailbox->stored.state == STORED_UNLOADED;
    const size_t count = unloaded ? mailbox->stored.count : mailbox->columns.count;
    return (mailbox->known || unloaded) && state->uidvalidity == mailbox->uidvalidity && state->uidnext &&
           state->uidnext == mailbox->uidnext && state->modseq && state->modseq == mailbox->modseq &&
           state->messages == count;
}

static bool is_as_told(const struct mailbox *mailbox, const struct cover_state *state)
{
    const struct cover_state *told = &mailbox->cover.told;
    return mailbox->known && mailbox->cover.told_holds && state->uidvalidity == mailbox->uidvalidity &&
           state->uidvalidity == told->uidvalidity && state->uidnext == told->uidnext &&
           state->messages == told->messages && state->modseq == told->modseq;
}

/* Only what somebody has looked at is worth being synchronised before it is looked at again. */
static void stir(struct mailbox *mailbox)
{
    mailbox->cover.calm = false;
    mailbox->proven_ms = 0;
    if (mailbox->stored.state == STORED_UNLOADED)
        mailbox->stored.proven_ms = 0; /* what is loaded is not as fresh as it was */
    if (mailbox->sync)
        mailbox->cover.stirred = true;
    else if (mailbox->known && mailbox->cover.by && !mailbox->gone)
        sync_begin_locked(mailbox);
}

/* The messages are those that the columns show. Whether somebody has changed flags in the same moment is not proven. */
static bool is_our_doing(const struct mailbox *mailbox, const struct cover_state *state)
{
    const struct columns *columns = &mailbox->columns;
    return mailbox->known && !mailbox->sync && columns->count && mailbox->cover.gained_ms &&
           model_now_ms() - mailbox->cover.gained_ms < OUR_NEWS_MS &&
           state->uidvalidity == mailbox->uidvalidity && state->messages == columns->count &&
           state->uidnext == columns->uid[columns->count - 1] + 1;
}

/* What is told while a command is under way may be what that has done, or still what the one before it has. */
static void take_state(struct mailbox *mailbox, const struct cover_state *state)
{
    const bool news = !is_as_known(mailbox, state) && !is_as_told(mailbox, state);
    const bool ours = news && is_our_doing(mailbox, state);
    if (ours || (news && mailbox->cover.gaining)) {
        mailbox->cover.calm = false;
        mailbox->proven_ms = ours ? model_now_ms() : 0;
        mailbox->cover.held = !ours;
        mailbox->cover.state = *state;
        return;
    }
    if (news) {
        mailbox->cover.told = *state;
        mailbox->cover.told_holds = false;
        stir(mailbox);
        return;
    }
    mailbox->cover.calm = true;
    mailbox->proven_ms = model_now_ms();
}

void cover_gain_locked(struct mailbox *mailbox)
{
    mailbox->cover.gaining++;
}

void cover_gained_locked(struct mailbox *mailbox, bool shown)
{
    const struct cover_state state = mailbox->cover.state;
    mailbox->cover.gaining--;
    if (shown)
        mailbox->cover.gained_ms = model_now_ms();
    if (!mailbox->cover.held || mailbox->cover.gaining)
        return;
    mailbox->cover.held = false;
    if (mailbox->cover.by)
        take_state(mailbox, &state);
}

void cover_begin_locked(struct mailbox *mailbox, unsigned by, const struct cover_state *state)
{
    mailbox->cover.by |= by;
    if (!mailbox->cover.calm)
        take_state(mailbox, state);
}

void cover_end_locked(struct mailbox *mailbox, unsigned by)
{
    mailbox->cover.by &= ~by;
    if (!mailbox->cover.by)
        mailbox->cover.calm = false;
}

void cover_doubt_locked(struct mailbox *mailbox, unsigned by)
{
    if (!(mailbox->cover.by & ~by))
        mailbox->cover.calm = false;
}

void cover_end_all_locked(struct account *account, unsigned by)
{
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
        cover_end_locked(mailbox, by);
}

void cover_stirred_locked(struct mailbox *mailbox, const struct cover_state *state)
{
    if (!mailbox->cover.by)
        return;
    if (state)
        take_state(mailbox, state);
    else
        stir(mailbox);
}

/* NOTIFY tells of other flags in a mailbox by its HIGHESTMODSEQ alone. */
static bool hears_all(const struct mailbox *mailbox)
{
    return (mailbox->cover.by & COVER_IDLE) || ((mailbox->cover.by & COVER_NOTIFY) && mailbox->modseq);
}

/* It was for the sake of others that connection 0 left the mailbox that somebody looks at, of which it would
 * hear soonest, and also what the server itself learns only where the mailbox is selected. */
static void go_back(struct account *account)
{
    const struct watch *watch = &account->watch;
    struct mailbox *looked = account->inuse.count ? account->inuse.recent[0].mailbox : NULL;
    if (account->many_connections && looked && looked != watch->selected && !watch->queue &&
        (looked->cover.by & COVER_NOTIFY) && looked->known && !looked->gone)
        sync_begin_locked(looked);
}

void cover_synced_locked(struct mailbox *mailbox, bool well)
{
    const bool again = well && mailbox->cover.stirred;
    mailbox->cover.stirred = false;
    mailbox->cover.calm = well && hears_all(mailbox) && !again;
    mailbox->cover.told_holds = well && !again && mailbox->cover.told.modseq;
    if (again)
        sync_begin_locked(mailbox);
    else if (well)
        go_back(mailbox->account);
    inuse_plan_locked(mailbox->account);
}

bool cover_calm_locked(const struct mailbox *mailbox)
{
    return mailbox->cover.by && mailbox->cover.calm;
}
