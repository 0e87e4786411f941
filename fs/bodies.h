/* SPDX-License-Identifier: MIT */
/*
 * bodies: all bodies of one account, inside the model: what account, mailbox and sync call.
 *
 * Owns the spool, and turns what is wanted into UID FETCH commands. The account's lock guards it all;
 * what is to be told or sent goes by pending.h, so nothing blocks and nothing calls back under it.
 *
 * Order of an account's life: imap_pool_new, bodies_new, stored_open, bodies_begin, imap_pool_connect; ...
 * bodies_stop, imap_pool_free (whose last callbacks still come here), stored_close, bodies_free.
 */
#ifndef FS_BODIES_H
#define FS_BODIES_H

#include "account.h"
#include "keptrow.h"

struct bodies;
struct spool_trash;

/* Makes cache_dir (0700, its parents too) when missing. IMAP_SYS when it cannot be used, is another
 * user's, or is writable by others. account and pool are borrowed. */
enum imap_status bodies_new(struct account *account, struct imap_pool *pool, const char *cache_dir,
                            uint64_t cache_size, struct bodies **bodies_out,
                            struct imap_error *err) IMAP_CHECK;
/* A body that an earlier mount has left on disk, as the store tells when it is opened: once a key, before the
 * pool connects, so without the lock. May answer with stored_unkeep_locked. */
void bodies_kept(struct bodies *bodies, const struct kept_row *row);
/* After stored_open, before the pool connects: where the store is this mount's, bodies will be there at the
 * next one, in DIR/NAME.bodies. name: storefile_name's. */
void bodies_begin(struct bodies *bodies, const char *name);
/* account_unlock's: disk space that was given up, to be disposed of without the lock. */
bool bodies_trash_locked(struct bodies *bodies, struct spool_trash *trash);
/* Ends every wait with IMAP_CANCEL and submits nothing any more; without the lock. */
void bodies_stop(struct bodies *bodies);
void bodies_free(struct bodies **bodies); /* after bodies_stop and imap_pool_free; spool and all */

struct bodies_stats {
    uint64_t bytes, limit;        /* on disk */
    size_t count;                 /* of bodies that have some */
    uint64_t found, ahead, asked; /* messages opened: all there, fetched ahead (or being so), or neither */
    size_t downloads;             /* under way, */
    uint64_t expected;            /* and so many bytes of them */
};
void bodies_stats_locked(const struct bodies *bodies, struct bodies_stats *stats_out);

/* The message was expunged: nobody finds its body any more; who has it open keeps it. */
void bodies_message_gone_locked(struct bodies *bodies, const struct mailbox *mailbox, uint32_t uid);
/* The mailbox's UIDVALIDITY changed or it is gone: no byte that arrives from now on is taken for a
 * message of its present message_id. To be called before the `selected` callback that brought the news
 * returns, as answers to commands queued for the old one may follow it. */
void bodies_mailbox_reset_locked(struct bodies *bodies, const struct mailbox *mailbox);

#endif
