/* SPDX-License-Identifier: MIT */
/*
 * body_internal: what body.c, bodies.c, fetcher.c and download.c share. Guarded by the account lock
 * unless it says otherwise.
 *
 *   body.c      one body: its size, its ranges, its waiters
 *   bodies.c    all of them: index, eviction, what the model calls
 *   fetcher.c   what to ask the server for
 *   download.c  one UID FETCH and what comes back
 *   keeping.c   which bodies lie on disk from mount to mount
 *   check.c     whether they are what they were, on a thread of its own
 *   scarce.c    what is read while the disk is full
 */
#ifndef FS_BODY_INTERNAL_H
#define FS_BODY_INTERNAL_H

#include <semaphore.h>
#include <stdatomic.h>

#include "body.h"
#include "digest.h"
#include "kept.h"
#include "mailbox_internal.h"
#include "model.h"
#include "range.h"
#include "scan.h"
#include "spool.h"

#define BODY_WHOLE_MAX (UINT64_C(1) << 20) /* up to here a message is fetched in one */
#define BODY_TRIES 3

struct download;

struct body {
    struct body *hash_next;
    struct body *older, *newer; /* among the idle ones; both NULL when not idle */
    struct mailbox *mailbox;    /* constant, as message_id and uid */
    uint32_t message_id, uid;
    uint64_t size; /* the server's claim until size_known; then constant */
    bool size_known;
    bool whole_only;     /* pieces have contradicted the size: only one literal tells the truth */
    bool alone;          /* has failed in company: asked for by itself */
    bool whole_underway; /* a download that brings all of it is in flight */
    bool indexed, idle;
    bool kept;       /* whole, and the extent is that of the entry of `key`, which counts it as a user */
    bool unproven;   /* kept by an earlier mount and not read back yet: until then nothing is present */
    bool checking;   /* somebody reads it back, or is going to */
    uint8_t tries;   /* downloads that failed in a row */
    unsigned heard;  /* how often the server has begun to send some of it */
    int write_errno; /* why the cache did not take what came last, or 0 */
    uint32_t pins;
    uint32_t downloads;    /* in flight that name it */
    enum imap_status fate; /* IMAP_OK, or why no byte is accepted any more */
    struct extent extent;  /* constant while pinned and size_known */
    struct range_set present;
    struct kept_key key;             /* constant */
    uint32_t used;                   /* kept_clock when it became idle */
    struct body *check_next;         /* in bodies.checks */
    _Atomic(struct scarce *) scarce; /* the part of it that is in memory, as the disk is full; else NULL */
    uint64_t charged;                /* bytes it counts in bodies.bytes: none when kept */
    struct download *pieces;         /* in flight */
    struct wait_queue size_waits, range_waits;
    struct scan_ticket ticket; /* fetched ahead and not opened since */
    /* large ones: the sequential reading that is going on */
    uint64_t run_from, run_to;
};

/* Per mailbox (mailbox->bodies): how it is walked. */
struct walk {
    struct mailbox *mailbox;
    uint32_t message_id;
    struct scan scan;
    struct walk *next; /* in bodies.walks */
    struct walk *due_next;
    bool due; /* in bodies.due: has something to fetch ahead */
};

/* The thread that reads back. */
struct checker {
    bool running; /* the owner's */
    pthread_t thread;
    sem_t work;
    atomic_bool stop;
    struct body *first, **tail; /* to be read, linked by check_next */
    struct lost_name *lost;     /* of mailboxes that are no more: what is kept of them is dropped */
};

struct bodies {
    struct account *account; /* constant */
    struct imap_pool *pool;  /* constant; what is asked for goes there by pending_submit_locked */
    struct spool *spool;     /* constant */
    uint64_t cache_size;     /* constant */
    bool stopped;            /* nothing is submitted any more */
    struct body **buckets;   /* by message_id and uid */
    size_t bucket_count, body_count;
    struct body *oldest, *newest; /* idle ones, in the order in which they were used */
    uint64_t bytes;               /* of disk, but for what the index of kept ones counts */
    struct kept *kept;            /* constant; what lies on disk for good */
    bool keeps;                   /* bodies outlive the mount; constant once begun */
    struct checker checker;
    struct scarce *scarce;      /* of all bodies */
    uint64_t scarce_bytes;      /* of memory */
    int64_t damage_quiet_until; /* damaged ones are only counted until then, not logged */
    unsigned damage_unlogged;   /* so many were */
    uint64_t unread;            /* fetched ahead and not opened since, all walks together */
    uint64_t ahead, ahead_max;  /* bytes asked for ahead and not here yet; how many at once */
    struct walk *walks;
    struct walk *due, **due_tail;
    int64_t expired_ms;        /* when quiet walks were looked for last */
    int64_t full_until;        /* the disk was full: until then nothing is fetched ahead */
    int64_t quiet_until;       /* failures are only counted until then, not logged */
    unsigned unlogged;         /* so many were */
    uint32_t epoch;            /* of the last walk */
    unsigned eager;            /* large messages read to their end in a row, up to a cap */
    struct bodies_stats stats; /* those that are counted; bodies_stats_locked knows the others */
};

/* ---- bodies.c ------------------------------------------------------------------------------------- */
struct body *bodies_get_locked(struct bodies *bodies, struct mailbox *mailbox, const struct message *message);
struct body *bodies_find_locked(const struct bodies *bodies, uint32_t message_id, uint32_t uid);
void bodies_unindex_locked(struct bodies *bodies, struct body *body); /* nobody finds it any more */
/* After pins, downloads or fate changed: becomes idle, is freed, or is in use. May free it. */
void bodies_settle_locked(struct bodies *bodies, struct body *body);
/* Frees idle ones until `bytes` are; false when there were none. The space comes back with
 * bodies_unlock. */
bool bodies_evict_locked(struct bodies *bodies, uint64_t bytes);
/* Drops all bytes; the body itself stays. */
void bodies_empty_locked(struct bodies *bodies, struct body *body);
void bodies_unlock(struct bodies *bodies);                 /* account_unlock, then returns disk space */
uint64_t bodies_total_locked(const struct bodies *bodies); /* bytes on disk */
bool bodies_hold_any(const struct body *body);             /* some of it is here */
/* Brings the total down to cache_size, the check thread helping where that takes long. */
void bodies_trim_locked(struct bodies *bodies);

/* ---- body.c --------------------------------------------------------------------------------------- */
bool body_complete_locked(const struct body *body);
void body_fail_locked(struct bodies *bodies, struct body *body, const struct imap_error *err); /* its waits */
/* The same for good: nothing more is accepted, nobody finds it any more. */
void body_end_locked(struct bodies *bodies, struct body *body, const struct imap_error *err);
/* The true size, from the server's own mouth. False when there is no room for it or it contradicts what
 * was known: the body has then failed. */
bool body_learn_size_locked(struct bodies *bodies, struct body *body, uint64_t size);
/* Room in the spool for `size` bytes; what lies in a place of another size is dropped. */
bool body_place_locked(struct bodies *bodies, struct body *body, uint64_t size);
/* Bytes are in the spool: wakes those who wait for them. */
void body_arrived_locked(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to,
                         bool in_memory);
bool body_waited_for_locked(const struct body *body);
/* All of an unproven one is right: tells those who wait. */
void body_proven_locked(struct bodies *bodies, struct body *body);

/* ---- keeping.c ------------------------------------------------------------------------------------ */
/* Of what has no object id, or whose own the body is all the same. */
struct kept_key keeping_key(const struct mailbox *mailbox, uint32_t uid);
/* A new body gets its key; and if it lies on disk what is there, unproven if this mount has not read it yet. */
void keeping_adopt_locked(struct bodies *bodies, struct body *body, const struct message *message);
/* Whole and on disk, but not kept: it could be. */
bool keeping_wants_locked(const struct bodies *bodies, const struct body *body);
void keeping_keep_locked(struct bodies *bodies, struct body *body, uint64_t digest);
/* It does not use its entry any more; empties the extent. */
void keeping_release_locked(struct bodies *bodies, struct body *body);
/* Nobody finds it any more; the space comes back when nobody uses it. */
void keeping_forget_locked(struct bodies *bodies, const struct kept_key *key);
/* What was read back is what was written, or is not. */
void keeping_proven_locked(struct bodies *bodies, struct body *body);
void keeping_disproved_locked(struct bodies *bodies, struct body *body);

/* ---- check.c -------------------------------------------------------------------------------------- */
void check_begin(struct bodies *bodies);
void check_stop(struct bodies *bodies); /* without the lock; joins */
/* Reads it back: an unproven one to prove it, another one for its digest, and to keep it. */
void check_locked(struct bodies *bodies, struct body *body);
void check_wake_locked(struct bodies *bodies); /* there is something to be evicted */
void check_mailbox_lost_locked(struct bodies *bodies, const struct mailbox *mailbox);

/* ---- scarce.c ------------------------------------------------------------------------------------- */
#define SCARCE_MAX (UINT64_C(64) << 20) /* of memory for all that the disk has no room for */

/* A part of a body that is in memory. */
struct scarce {
    struct body *body;
    struct scarce *next; /* in bodies.scarce */
    struct extent extent;
    struct range_set present, blocks; /* octets that are there; octets that are paid for, whole blocks */
    struct scarce_reader *readers;
};
/* Room in memory for [from, to) of a body, at the cost of what has been read already. False: there is none. */
bool scarce_reserve_locked(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to);
void scarce_arrived_locked(struct body *body, uint64_t from, uint64_t to);
void scarce_drop_locked(struct bodies *bodies, struct body *body);
ssize_t scarce_read(struct body *body, void *buf, size_t size, uint64_t offset);

/* ---- fetcher.c ------------------------------------------------------------------------------------ */
bool fetcher_by_pieces(const struct body *body);
/* Asks for what the body's waiters lack and is not on its way, and reads ahead. */
void fetcher_want_locked(struct bodies *bodies, struct body *body);
/* An access to an opened message, for the recognition of walks. */
void fetcher_access_locked(struct bodies *bodies, struct body *body, bool hit);
void fetcher_ahead_locked(struct bodies *bodies); /* fetches ahead as far as the windows allow */
void fetcher_ticket_drop_locked(struct bodies *bodies, struct body *body);

/* ---- download.c ----------------------------------------------------------------------------------- */
#define DOWNLOAD_BODIES_MAX 80 /* 80 * "4294967295," is under the 900 bytes that every server takes */

struct download_item {
    struct body *body;
    bool answered;  /* connection thread only: the server has sent something of it */
    unsigned heard; /* body->heard when it was asked for */
};

/* What is being received; connection thread only. */
struct literal {
    struct body *body;    /* NULL: nobody's yet */
    struct extent extent; /* file NULL: the bytes are dropped */
    uint64_t at, end;     /* in the extent */
    uint64_t marked;      /* told to the body up to here */
    uint64_t known;       /* here already up to here */
    bool unasked;         /* it answers no piece that is in flight */
    bool scarce;          /* the disk is full: the extent is the body's in memory */
    bool digesting;       /* all came in order so far */
};

/* Received before the response told whose it is. */
struct stray {
    struct extent extent;
    struct imap_section section;
};
#define DOWNLOAD_STRAYS 2

struct download {
    struct bodies *bodies;
    struct mailbox *mailbox;
    bool whole;
    bool ahead;        /* counted in bodies.ahead */
    uint64_t from, to; /* a piece: what was asked for */
    uint64_t probe;    /* a piece: offset of the probe beside it, 0 for none */
    uint64_t weight;   /* bytes expected */
    int64_t submitted_ms;
    struct download *next_piece; /* of the same body */
    struct literal literal;
    struct digest *digest; /* of the literal; NULL until it is needed */
    struct stray strays[DOWNLOAD_STRAYS];
    unsigned stray_count;
    size_t count;
    struct download_item items[]; /* by rising UID once submitted */
};

/* For up to `capacity` bodies; the fields up to `weight` are the caller's to set. */
struct download *download_new(struct bodies *bodies, struct mailbox *mailbox, size_t capacity);
void download_add_locked(struct download *download, struct body *body, uint64_t weight);
/* flags: IMAP_POOL_. Ends by itself. */
void download_submit_locked(struct download *download, unsigned flags);

#endif
