/* SPDX-License-Identifier: MIT */
/*
 * mailbox_internal: the mailbox object itself, for the files of the model library.
 *
 * Constant fields need no lock; all others are guarded by the account lock.
 */
#ifndef FS_MAILBOX_INTERNAL_H
#define FS_MAILBOX_INTERNAL_H

#include "columns.h"
#include "cover.h"
#include "model.h"
#include "naming.h"
#include "written.h"

struct sync;

struct mailbox {
    /* ---- constant once published ---- */
    struct account *account;
    struct mailbox *parent; /* NULL for the top of the account */
    char *wire;             /* as the server spells it */
    char *file;             /* name in the parent's directory */
    uint32_t dir_id;
    struct mailbox *wire_next, *file_next, *all_next; /* tree.c: chains */

    /* ---- the tree ---- */
    struct mailbox **children;  /* sorted by dir_id, the gone ones left out */
    struct mailbox *renamed_to; /* gone, as we have called it that; else NULL */
    unsigned child_count, child_capacity;
    char delimiter;      /* of its name; 0: none */
    unsigned attributes; /* IMAP_MBOX_ */
    char *special_use;   /* interned for the life of the account, or NULL */
    bool gone;           /* not in the last LIST, nor implied by a child that is */
    bool subscribed;
    bool children_changed;  /* tree.c: to be put in order */
    unsigned round, listed; /* tree.c: the listing that implied it last, that named it last */

    /* ---- its messages ---- */
    uint32_t uidvalidity; /* 0: not known */
    uint32_t message_id;  /* 0: not known */
    struct columns columns;
    bool known;        /* columns were complete once for this UIDVALIDITY */
    int64_t proven_ms; /* when the columns were last proven to be the server's; 0: never */
    int64_t used_ms;   /* when somebody looked at it last; 0: never */
    int64_t fresh_ms;  /* when somebody found it fresh last; 0: never */
    uint32_t uidnext;  /* as SELECT told when the columns were last complete; 0: unknown */
    uint64_t modseq;   /* HIGHESTMODSEQ likewise */
    uint64_t generation;
    struct timespec changed;

    struct written *written; /* names of messages; NULL: none */
    uint32_t written_uidvalidity;
    bool written_early; /* some of those messages are not in the columns */

    struct stored stored;
    struct cover cover;

    struct wait_queue waits; /* for a fresh listing */
    struct sync *sync;       /* running or queued, else NULL */
    unsigned appends;        /* commands under way that drafts wait for, so as to go together: sender.c */

    void *bodies; /* fetcher's and scan's; made by them when first needed */
};

/* ---- for bodies ---------------------------------------------------------------------------------- */

/* The UIDs in rising order, borrowed until the lock is let go. */
const uint32_t *mailbox_uids_locked(const struct mailbox *mailbox, size_t *count_out);
/* The position of the first UID >= uid in that array (count when there is none). */
size_t mailbox_position_locked(const struct mailbox *mailbox, uint32_t uid);
void mailbox_at_locked(const struct mailbox *mailbox, size_t position, struct message *message_out);

/* For tables of names in directories. */
uint32_t mailbox_name_hash(const struct mailbox *mailbox, const char *name);

/* ---- for tree and sync --------------------------------------------------------------------------- */

struct mailbox *mailbox_new(struct account *account, struct mailbox *parent, const char *wire,
                            size_t wire_len, const char *file);
void mailbox_free(struct mailbox **mailbox);
void mailbox_touch_locked(struct mailbox *mailbox); /* something visible changed: generation, mtime */
/* Forgets all messages and takes on the new UIDVALIDITY (0: unknown). */
void mailbox_reset_locked(struct mailbox *mailbox, uint32_t uidvalidity);
/* Adds a child, out of order until the children are put in order, which also drops the gone ones. */
void mailbox_add_child_locked(struct mailbox *mailbox, struct mailbox *child);
void mailbox_order_children_locked(struct mailbox *mailbox);

#endif
