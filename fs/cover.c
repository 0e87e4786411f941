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

/* Only what somebody has looked at is worth being synchronised before it is looked at again. */
static void stir(struct mailbox *mailbox)
{
    mailbox->cover.calm = false;
    mailbox->proven_ms = 0;
    if (mailbox->sync)
        mailbox->cover.stirred = true;
    else if (mailbox->known && mailbox->cover.by && !mailbox->gone)
        sync_begin_locked(mailbox);
}

static void take_state(struct mailbox *mailbox, const struct cover_state *state)
{
    if (!is_as_known(mailbox, state)) {
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

void cover_synced_locked(struct mailbox *mailbox, bool well)
{
    const bool again = well && mailbox->cover.stirred;
    mailbox->cover.stirred = false;
    mailbox->cover.calm = well && mailbox->cover.by && !again;
    if (again)
        sync_begin_locked(mailbox);
    inuse_plan_locked(mailbox->account);
}

bool cover_calm_locked(const struct mailbox *mailbox)
{
    return mailbox->cover.by && mailbox->cover.calm;
}
