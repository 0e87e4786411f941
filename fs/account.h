/* SPDX-License-Identifier: MIT */
/*
 * account: one IMAP account as a tree of mailboxes; owns the pool, the mailboxes, the spool.
 *
 * One lock guards the whole model (tree, columns, bodies): holding times are short, no I/O happens
 * under it, and one lock cannot deadlock with itself. Functions whose name ends in _locked want it
 * held; callbacks out of the model are made without it: on a thread of the model, or inside the
 * account_unlock that follows the call which made them due. So call account_unlock with no lock held
 * that a callback takes.
 *
 * A mailbox object lives as long as its account (one that is deleted on the server is only marked
 * gone), so a pointer to it stays valid across waits; what it says must be read again.
 */
#ifndef FS_ACCOUNT_H
#define FS_ACCOUNT_H

#include "imap/pool.h"
#include "wait.h"

struct account;
struct mailbox;

/* What changed, for the kernel's caches. Called without the lock (see above); must not block. */
struct account_events {
    void (*message_new)(void *arg, struct mailbox *mailbox, uint32_t uid);
    void (*message_gone)(void *arg, struct mailbox *mailbox, uint32_t uid);
    void (*body_ahead)(void *arg, struct mailbox *mailbox, uint32_t uid); /* is here, and nobody asked yet */
    void (*message_changed)(void *arg, struct mailbox *mailbox, uint32_t uid); /* size or flags */
    void (*listing_changed)(void *arg, struct mailbox *mailbox); /* after any number of the above */
    void (*child_new)(void *arg, struct mailbox *parent, struct mailbox *child);
    void (*child_gone)(void *arg, struct mailbox *parent, struct mailbox *child);
    /* The name means another message now, or none, or one where there was none. */
    void (*name_changed)(void *arg, struct mailbox *mailbox, const char *name);
    void (*log)(void *arg, int priority, const char *line); /* syslog priorities */
    void (*trace)(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                  size_t len); /* NULL: no trace */
};

struct account_options {
    struct imap_endpoint endpoint;
    const struct imap_credentials *credentials; /* NULL: the endpoint's; token is called as in imap/pool.h */
    unsigned connections;
    unsigned poll_ms;         /* how old a mailbox's listing may be when it is not watched */
    const char *root_mailbox; /* UTF-8, server's delimiter or "/"; NULL or "": the whole account */
    const char *cache_dir;    /* made 0700 when missing */
    uint64_t cache_size;      /* bytes of bodies kept */
    bool compress;            /* the connections, where the server offers it */
    bool read_write;          /* write.h and writetree.h may be used */
    bool writeback;           /* and calls need not wait for the server: writeback.h */
    bool maildir;             /* names as in maildir.h */
    const char *trash; /* deleted messages are moved there (as root_mailbox is written); NULL: expunged */
    bool offline;      /* only what is cached, never a connection; IMAP_GONE when nothing is */
};

/* Connects, logs in, lists. IMAP_GONE when the root mailbox does not exist. Where the root is in the store, a
 * server that cannot be reached is no failure: see outage.h. events is copied. */
enum imap_status account_open(const struct account_options *options, const struct account_events *events,
                              void *arg, struct account **account_out, struct imap_error *err) IMAP_CHECK;
/* Ends every wait with IMAP_CANCEL, then frees. No other thread may use the account any more. */
void account_close(struct account **account);

void account_lock(struct account *account);
void account_unlock(struct account *account);

struct mailbox *account_root(struct account *account); /* never NULL */
/* Makes sure the tree is not older than poll_ms: true when it is (or nothing can be done now) and wait
 * is not queued; false when wait was queued. A failed refresh is reported to the wait. */
bool account_tree_fresh_locked(struct account *account, struct wait *wait);
/* The mailbox whose dir_id or message_id this is (see mailbox.h); NULL when there is none. */
struct mailbox *account_by_id_locked(struct account *account, uint32_t id);
/* Takes nothing for fresh any more, nor any connection for alive: what is watched is synchronised again now,
 * everything else when it is wanted. */
void account_revalidate(struct account *account);
/* The account's last connection error, IMAP_OK inside while it is reachable. */
void account_reachability(struct account *account, struct imap_error *err_out);

#endif
