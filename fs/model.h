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

#include "flagset.h"
#include "ids.h"
#include "mailbox.h"
#include "pending.h"
#include "tree.h"
#include "watch.h"

struct bodies; /* fetcher's */

struct account {
    pthread_mutex_t lock;
    struct account_events events; /* constant */
    void *events_arg;             /* constant */
    struct imap_pool *pool;       /* constant from open to close */
    struct bodies *bodies;        /* constant from open to close */
    unsigned poll_ms;             /* constant */
    struct timespec opened;       /* CLOCK_REALTIME, constant */
    struct mailbox *top;          /* of the whole account, constant */
    struct mailbox *root;         /* what is mounted: top or one below it, constant once open */
    /* all below: guarded by the lock */
    struct imap_error outage; /* IMAP_OK inside while reachable */
    bool closing;             /* nothing new is begun */
    struct tree tree;
    struct watch watch;
    struct ids ids;
    struct flagsets flagsets;
    struct pending pending;
};

int64_t model_now_ms(void); /* CLOCK_MONOTONIC */

/* ---- what the bodies side (fetcher) offers to the model ------------------------------------------ */

/* Opens the spool in cache_dir. The account's lock and pool exist; no command may be submitted yet. */
enum imap_status bodies_new(struct account *account, const char *cache_dir, uint64_t cache_size,
                            struct bodies **bodies_out, struct imap_error *err) IMAP_CHECK;
/* After the pool is gone (every command has been told its end): frees spool, bodies, everything. Waits
 * still queued on bodies are ended with IMAP_CANCEL by pending_finish_locked. */
void bodies_free(struct bodies **bodies);
/* The message was expunged: waiters get IMAP_GONE; an open body stays readable as far as it is there. */
void bodies_message_gone_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid);
/* UIDVALIDITY changed: mailbox->message_id is still the old one, and is retired after this call. What is
 * in flight under it must not be taken for the new one's. */
void bodies_mailbox_reset_locked(struct mailbox *mailbox);
/* Frees mailbox->bodies (NULL allowed); the account is being closed. */
void bodies_mailbox_free(struct mailbox *mailbox);

#endif
