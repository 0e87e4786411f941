/* SPDX-License-Identifier: MIT */
/*
 * tree: the account's mailboxes as LIST tells them.
 *
 * A listing is collected whole and then applied in one go; when any part of it fails, the tree stays as
 * it is. Parents that LIST left out are made up as \Noselect. INBOX is one mailbox whatever its case.
 * Guarded by the account lock.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "account.h"

#define TREE_MAX_MAILBOXES 100000u /* in one listing */
#define TREE_MAX_DEPTH 100u        /* components of a name */
#define TREE_MAX_PREFIXES 16u      /* namespaces listed on their own */

struct listing;

struct tree {
    struct mailbox **buckets; /* by wire name */
    size_t bucket_count, count;
    struct mailbox *all;
    char **uses; /* special-use names, interned */
    size_t use_count;
    char **prefixes; /* namespaces that LIST "" "*" does not cover */
    size_t prefix_count;
    bool namespaces_known;
    bool extended_refused; /* the server said BAD to LIST ... RETURN */
    unsigned round;
    int64_t listed_ms; /* when the last complete listing was asked for; 0: never */
    struct listing *running;
    struct wait_queue waits;
};

void tree_init(struct account *account);
void tree_fini(struct account *account);
struct mailbox *tree_find_locked(struct account *account, const char *wire, size_t len);
/* Begins a listing unless one runs. `waits` of the tree are told its end. */
void tree_list_locked(struct account *account);
/* The mailbox at a UTF-8 path with the server's delimiter or "/"; NULL when there is none. */
struct mailbox *tree_at_locked(struct account *account, const char *path);

/* ---- a collected listing; tested on its own ---- */
struct listing *listing_new(void);
void listing_free(struct listing **listing);
/* From LIST (or LSUB: only the subscription counts). False when a cap was hit: the listing is void. */
bool listing_add(struct listing *listing, const struct imap_list *entry, bool lsub);
/* Makes the tree what the listing says and notes the differences. */
enum imap_status tree_apply_locked(struct account *account, const struct listing *listing,
                                   struct imap_error *err) IMAP_CHECK;

#endif
