/* SPDX-License-Identifier: MIT */
#include "cover.h"

#include "mailbox_internal.h"
#include "sync.h"

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

static void take_state(struct mailbox *mailbox, const struct cover_state *state)
{
    if (!is_as_known(mailbox, state) && !is_as_told(mailbox, state)) {
        mailbox->cover.told = *state;
        mailbox->cover.told_holds = false;
        stir(mailbox);
        return;
    }
    mailbox->cover.calm = true;
    mailbox->proven_ms = model_now_ms();
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
