/* SPDX-License-Identifier: MIT */
/*
 * stored: what the model tells the store, and takes from it.
 *
 * All that one hold of the account lock changes becomes one group of changes, posted before the lock is let
 * go: so the store sees what everybody else could have seen, in the same order. A mailbox is told row by
 * row while the store has all the others of its rows (STORED_ROWS), else whole once its listing is. Its
 * own line (`stored_mailbox`) follows at the end of each group that touched it.
 *
 * At the next mount the mailboxes are there before the server was asked, their messages when first wanted
 * (STORED_UNLOADED until then, and `known` is false).
 *
 * Everything is guarded by the account lock.
 */
#ifndef FS_STORED_H
#define FS_STORED_H

#include "columns.h"
#include "keptrow.h"
#include "store.h"

struct account;
struct mailbox;
struct promise;
struct wait;

enum stored_state {
    STORED_NOT,      /* the store has no rows of it, or is told that it has none */
    STORED_UNLOADED, /* it has rows, which the columns are to be */
    STORED_ROWS      /* it has the rows of the columns */
};

/* In every mailbox. */
struct stored {
    uint32_t id; /* the store's number; 0: it does not know the mailbox */
    enum stored_state state;
    bool loading;         /* asked for; the answer is not here */
    bool sync_wanted;     /* when it is here, whatever it is */
    bool slow;            /* it was told that the disk is */
    bool touched;         /* in the account's list */
    struct mailbox *next; /* there */
    uint64_t place;       /* what it was told of the place in the tree, hashed */
    uint32_t count;       /* of the rows there, */
    uint64_t digest;      /* and their digest */
    int64_t proven_ms;    /* wall clock; 0: never */
};

/* In the account. */
struct stored_account {
    struct store *store; /* NULL: none; constant from open to close */
    struct changes changes;
    struct mailbox *touched;
    uint32_t last_id;
    size_t flagsets_told;
    uint64_t *flagset_digests;
    bool reading;                            /* the tree is being made from the store: nothing to be told */
    struct promise *promises, *last_promise; /* who waits until it is on disk, by rising tickets */
    uint64_t last_ticket;
    bool promising;         /* the last one is told to the store when the lock is let go */
    struct intent *intents; /* of earlier mounts, until they are taken */
    size_t intent_count;
};

/* Opens the store, makes the tree as it was, and hands what lies on disk to bodies_kept; without a store it is
 * logged and done without. Takes the lock itself, as the three after it. */
void stored_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint);
void stored_stop_loading(struct account *account);
void stored_keep_promises(struct account *account); /* who waits in stored_written_locked is told now */
void stored_close(struct account *account);
void stored_flush_locked(struct account *account);         /* account_unlock's */
void stored_tell_flagsets_locked(struct account *account); /* those that the store does not know yet */

/* ---- what happened to a mailbox -------------------------------------------------------------------- */
/* before NULL: a new one; after NULL: it is gone. Only when they differ it is told. */
void stored_row_locked(struct mailbox *mailbox, const struct row *before, const struct row *after);
/* The columns are the server's, just now. */
void stored_settled_locked(struct mailbox *mailbox);
void stored_reset_locked(struct mailbox *mailbox);  /* its messages are forgotten */
void stored_listed_locked(struct mailbox *mailbox); /* LIST named it, or told something else of it */
void stored_gone_locked(struct mailbox *mailbox);   /* LIST did not name it */

/* The name under which the message was written; NULL: it has none. */
void stored_name_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file);

/* ---- which bodies lie on disk ---------------------------------------------------------------------- */
/* There is a store, and it has not failed. */
bool stored_on_locked(const struct account *account);
/* Posted, as all else, when the lock is let go: the bytes have to be in the file by then. When too much waits the
 * body is forgotten instead, whatever was known of its key. */
void stored_keep_locked(struct account *account, const struct kept_row *row);
/* Never dropped; also from bodies_kept. But the last moments before a power cut are not on disk, so only the digest
 * tells for certain that bytes are what a row speaks of. */
void stored_unkeep_locked(struct account *account, const struct kept_key *key);

/* ---- changes that the server has not made yet ------------------------------------------------------- */
/* In place of the one of that number. Posted, as all else, when the lock is let go, and never dropped while there is
 * a store: the caller sees to it that they are not too many. */
void stored_intent_locked(struct account *account, const struct intent *intent);
void stored_unintent_locked(struct account *account, uint64_t number);
/* True when there is no store, or it is lost: nothing is promised then (stored_on_locked). Else wait is told when all
 * that was noted before, and under this hold of the lock, outlives the process; or that it does not (IMAP_SYS). The
 * lock has to be let go by account_unlock for that. */
bool stored_written_locked(struct account *account, struct wait *wait);
/* Those of earlier mounts, rising by number, the caller's from now on (intents_free); 0 and NULL the second time. */
size_t stored_intents_locked(struct account *account, struct intent **intents_out);

/* ---- before its columns are used ------------------------------------------------------------------- */
/* True when the messages are in the store and on their way from there: when they are here the mailbox's
 * waits are told, or a synchronisation is begun; in any case when sync is wanted. */
bool stored_load_locked(struct mailbox *mailbox, bool sync_wanted);

#endif
