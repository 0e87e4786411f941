/* SPDX-License-Identifier: MIT */
/*
 * cover: mailboxes that connection 0 has not selected, of whose changes the server tells all the same: by
 * NOTIFY (RFC 5465), or because another connection idles there (RFC 2177).
 *
 * A covered mailbox is calm, and then as fresh as a selected one, from the moment when what the server said
 * of it under the cover is what its columns are, until it is stirred. Whoever is stirred and known is
 * synchronised at once: so its changes show without anybody asking. Guarded by the account lock.
 */
#ifndef FS_COVER_H
#define FS_COVER_H

#include "account.h"

/* Bits: a mailbox may be covered twice. */
#define COVER_NOTIFY 1u
#define COVER_IDLE 2u

/* A mailbox as the server told it: by STATUS, or by SELECT on the connection that is going to idle. 0: not
 * told, but for messages. */
struct cover_state {
    uint32_t uidvalidity, uidnext, messages;
    uint64_t modseq; /* HIGHESTMODSEQ */
};

/* In every mailbox. */
struct cover {
    unsigned by;  /* COVER_; 0: nobody would tell */
    bool calm;    /* the columns (or the store's rows) are the server's */
    bool stirred; /* while it was being synchronised: once more */
    /* What made it be synchronised last. If that is told again afterwards, it is what the columns are, even
     * where SELECT has another HIGHESTMODSEQ than STATUS. */
    struct cover_state told;
    bool told_holds;
    unsigned gaining;         /* commands under way that put messages into it */
    bool held;                /* what the server said of it meanwhile: */
    struct cover_state state; /* to be looked at when they have ended */
    int64_t gained_ms;        /* when the columns have got what one of them has put into it; 0: never */
};

/* From now on the server tells when the mailbox is no longer as `state`. */
void cover_begin_locked(struct mailbox *mailbox, unsigned by, const struct cover_state *state);
/* It does so no longer. */
void cover_end_locked(struct mailbox *mailbox, unsigned by);
/* Something may have been missed: not calm by this alone. */
void cover_doubt_locked(struct mailbox *mailbox, unsigned by);
void cover_end_all_locked(struct account *account, unsigned by);
/* The server said that something has changed; state NULL: not what. */
void cover_stirred_locked(struct mailbox *mailbox, const struct cover_state *state);
/* A command of ours puts messages into it: what the server tells of that is no news. It may tell before the command
 * has ended. */
void cover_gain_locked(struct mailbox *mailbox);
/* It has ended, somehow; shown: the columns show what it has put there. */
void cover_gained_locked(struct mailbox *mailbox, bool shown);
/* A synchronisation of it has ended, well or not. */
void cover_synced_locked(struct mailbox *mailbox, bool well);
/* As fresh as if it were selected. */
bool cover_calm_locked(const struct mailbox *mailbox);

#endif
