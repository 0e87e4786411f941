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

struct treelist;

struct tree {
    struct mailbox **by_wire, **by_file; /* hash tables of as many buckets; chained */
    size_t buckets, count;
    struct mailbox *all;
    char **uses; /* special-use names, interned */
    size_t use_count;
    char **prefixes; /* namespaces that LIST "" "*" does not cover */
    size_t prefix_count;
    char **foreign; /* namespaces of others and shared ones, without the delimiter at the end */
    size_t foreign_count;
    bool namespaces_known;
    bool extended_refused; /* the server said BAD to LIST ... RETURN */
    bool status_refused;   /* it cannot be asked for STATUS within LIST */
    unsigned round;
    unsigned repeats; /* listings in a row that contradicted themselves */
    /* Of the namespaces of others it may not (announce.c). */
    bool told;         /* the server tells of changes since it was listed, and told none */
    int64_t listed_ms; /* when the last complete listing was asked for; 0: never */
    struct treelist *running;
    struct wait_queue waits;
};

void tree_init(struct account *account);
void tree_fini(struct account *account);
struct mailbox *tree_find_locked(struct account *account, const char *wire, size_t len);
/* The child by its file name, one that is gone included. */
struct mailbox *tree_child_locked(const struct mailbox *parent, const char *file);
/* Listed once, in this mount or an earlier one. */
bool tree_known_locked(const struct account *account);
/* Begins a listing unless one runs. `waits` of the tree are told its end. */
void tree_list_locked(struct account *account);
/* The server says that it is another now: lists it, and once more if it is being listed. */
void tree_stirred_locked(struct account *account);
/* The server has begun to tell of changes, and answers what is asked from now on after that. */
void tree_announced_locked(struct account *account);
/* The mailbox at a UTF-8 path with the server's delimiter or "/"; NULL when there is none. */
struct mailbox *tree_at_locked(struct account *account, const char *path);

/* ---- a collected listing; treelist.c runs the commands, tree.c applies ---- */
struct tree_item {
    char *name;
    size_t len;
    char delimiter;
    bool subscribed; /* LSUB named it */
    unsigned attributes;
    char *special_use;
    struct mailbox *mailbox; /* tree.c's */
};
struct tree_items {
    struct tree_item *items;
    size_t count, capacity;
    bool overflow; /* a cap was hit: void */
};
void tree_items_fini(struct tree_items *items);
/* From LIST; or LSUB, of which only the subscription counts. Trailing delimiters are cut off. */
void tree_items_add(struct tree_items *items, const struct imap_list *entry, bool lsub);
/* Makes the tree what the items say and notes the differences; sorts the items. On failure the tree is
 * what it was. */
enum imap_status tree_apply_locked(struct account *account, struct tree_items *items,
                                   struct imap_error *err) IMAP_CHECK;

#endif
