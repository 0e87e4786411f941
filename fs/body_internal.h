/* SPDX-License-Identifier: MIT */
/*
 * body_internal: what body.c, bodies.c, fetcher.c and download.c share. Guarded by the account lock
 * unless it says otherwise.
 *
 *   body.c      one body: its size, its ranges, its waiters
 *   bodies.c    all of them: index, eviction, what the model calls
 *   fetcher.c   what to ask the server for
 *   download.c  one UID FETCH and what comes back
 */
#ifndef FS_BODY_INTERNAL_H
#define FS_BODY_INTERNAL_H

#include "body.h"
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
    uint8_t tries;   /* downloads that failed in a row */
    unsigned heard;  /* how often the server has begun to send some of it */
    int write_errno; /* why the cache did not take what came last, or 0 */
    uint32_t pins;
    uint32_t downloads;    /* in flight that name it */
    enum imap_status fate; /* IMAP_OK, or why no byte is accepted any more */
    struct extent extent;  /* constant while pinned and size_known */
    struct range_set present;
    uint64_t charged;        /* bytes it counts in bodies.bytes */
    struct download *pieces; /* in flight */
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

struct bodies {
    struct account *account; /* constant */
    struct imap_pool *pool;  /* constant; what is asked for goes there by pending_submit_locked */
    struct spool *spool;     /* constant */
    uint64_t cache_size;     /* constant */
    bool stopped;            /* nothing is submitted any more */
    struct body **buckets;   /* by message_id and uid */
    size_t bucket_count, body_count;
    struct body *oldest, *newest; /* idle ones, in the order in which they were used */
    uint64_t bytes;               /* of disk */
    uint64_t unread;              /* fetched ahead and not opened since, all walks together */
    uint64_t ahead, ahead_max;    /* bytes asked for ahead and not here yet; how many at once */
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
void bodies_unlock(struct bodies *bodies); /* account_unlock, then returns disk space */

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
void body_arrived_locked(struct bodies *bodies, struct body *body, uint64_t from, uint64_t to);
bool body_waited_for_locked(const struct body *body);

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
