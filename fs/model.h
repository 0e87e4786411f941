/* SPDX-License-Identifier: MIT */
/*
 * model: what the files of the model library share about the account, and nobody else sees.
 *
 * Everything that may call out of the model, or into the pool (whose `done` may come before
 * imap_pool_submit returns), is put off with the pending_ functions while the lock is held, and carried
 * out by account_unlock after it has let go, in this order: log lines, notes for the kernel, finished
 * waits, commands. So no callback runs under the lock and nothing is told before it can be seen.
 */
#ifndef FS_MODEL_H
#define FS_MODEL_H

#include <pthread.h>

#include "announce.h"
#include "bodies.h"
#include "draft.h"
#include "flagset.h"
#include "ids.h"
#include "inuse.h"
#include "mailbox.h"
#include "pending.h"
#include "stored.h"
#include "tree.h"
#include "watch.h"
#include "write.h"
#include "writeback.h"

struct account {
    pthread_mutex_t lock;
    struct account_events events; /* constant */
    void *events_arg;             /* constant */
    struct imap_pool *pool;       /* constant from open to close */
    struct bodies *bodies;        /* constant from open to close */
    struct drafts *drafts;        /* NULL: the mount is read-only; constant from open to close */
    struct writeback *writeback;  /* likewise */
    unsigned poll_ms;             /* constant */
    unsigned timeout_ms;          /* constant */
    bool many_connections;        /* constant; else bodies make connection 0 change mailboxes, too */
    struct timespec opened;       /* CLOCK_REALTIME, constant */
    bool read_write;              /* constant */
    bool maildir;                 /* constant: the layout of mailboxes (maildir.h) */
    char *trash;                  /* constant; UTF-8, NULL: none */
    struct mailbox *top;          /* of the whole account, constant */
    struct mailbox *root;         /* what is mounted: top or one below it, constant once open */
    /* all below: guarded by the lock */
    struct imap_error outage; /* IMAP_OK inside while reachable */
    bool closing;             /* nothing new is begun */
    bool unseen;              /* being opened: the kernel knows nothing, so it is told nothing */
    struct stored_account stored;
    size_t written_count; /* of names, in all mailboxes */
    struct tree tree;
    struct watch watch;
    struct write write;
    struct announce announce;
    struct inuse inuse;
    struct ids ids;
    struct flagsets flagsets;
    struct pending pending;
};

/* What the server offers and the user has not disabled. The pool's lock is a leaf: under ours or not. */
bool account_offers(const struct account *account, enum imap_cap cap);
int64_t model_now_ms(void); /* CLOCK_MONOTONIC */

#endif
