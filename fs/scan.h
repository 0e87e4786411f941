/* SPDX-License-Identifier: MIT */
/*
 * scan: recognises a program that reads a mailbox message by message, and says what it reads next.
 *
 * Pure logic: told of accesses and asked for messages to fetch ahead; it neither fetches nor knows
 * what is there already. Up to SCAN_CURSORS readers may walk one mailbox at once, each in an order of
 * its own: rising UID (readdir), falling UID (ls -r), or that of the file names as strings (shell
 * globs, rsync), told apart by which of them makes an access the successor of the one before. One
 * more cursor serves whoever opens many messages in no order.
 *
 * Invariants: a cursor's `unread` is the bytes given out by scan_next and not returned by scan_access
 * or scan_forget. More than `window` of them are never given out. The first access of a reader gives
 * nothing out. Every step costs O(log n) at most, and no memory a message.
 *
 * Threads: plain values, the owner's lock.
 */
#ifndef FS_SCAN_H
#define FS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_CURSORS 4
#define SCAN_ALL_CURSORS (SCAN_CURSORS + 1) /* the last one is for no order */
#define SCAN_WINDOW_MIN (UINT64_C(256) << 10)
#define SCAN_WINDOW_MAX (UINT64_C(32) << 20)
#define SCAN_QUIET_MS 10000 /* a cursor that is not used for so long ends */

enum scan_order { SCAN_RISING, SCAN_NAMES, SCAN_FALLING, SCAN_ORDERS };

struct scan_message {
    uint32_t uid;
    uint64_t size;
};

/* The mailbox: the first message with a UID above `after`; false when there is none. */
struct scan_source {
    bool (*next)(void *arg, uint32_t after, struct scan_message *message_out);
    void *arg;
};

/* What was given out belongs to a cursor's present life; all zeroes is no ticket. */
struct scan_ticket {
    uint8_t cursor; /* index + 1 */
    uint16_t life;
    uint32_t epoch;
    uint32_t bytes;
};

struct scan_cursor {
    bool active, started, fetching; /* started: an order is recognised */
    enum scan_order order;
    unsigned orders;   /* those that explain all accesses so far, 1 << enum scan_order */
    uint32_t last;     /* the UID accessed last, or farthest in the order */
    uint32_t frontier; /* the UID given out last */
    uint16_t life;
    unsigned steps; /* accesses that followed the order */
    int64_t touched_ms;
    uint64_t window, unread;
    uint32_t heads[11]; /* SCAN_NAMES: the next UID by its number of digits, see scan.c */
};

struct scan {
    struct scan_cursor cursors[SCAN_ALL_CURSORS];
    uint64_t limit;  /* all cursors' unread together; the random cursor's window */
    unsigned misses; /* in no order, none of them long after the one before */
    int64_t missed_ms;
    unsigned recent; /* the cursor accessed last */
    uint32_t epoch;
    bool walking;
};

/* epoch: different for every scan that tickets might be mistaken between. */
void scan_init(struct scan *scan, uint64_t limit, uint32_t epoch);
/* A message was opened; ticket is the one it was fetched ahead with (taken back) or none; hit: it was
 * on its way or there. True when scan_next may have something to give out. */
bool scan_access(struct scan *scan, const struct scan_source *source, uint32_t uid, struct scan_ticket ticket,
                 bool hit, int64_t now_ms);
/* Given out, but will not be accessed from memory any more: failed or evicted. */
void scan_forget(struct scan *scan, struct scan_ticket ticket);
/* The next message to fetch ahead, or false when the windows are full or the orders at their end. The
 * caller skips what is there already and calls scan_charge for what it fetches. */
bool scan_next(struct scan *scan, const struct scan_source *source, struct scan_message *message_out,
               unsigned *cursor_out);
struct scan_ticket scan_charge(struct scan *scan, unsigned cursor, uint64_t bytes);
/* Ends the cursors that went quiet; false when none is left. */
bool scan_expire(struct scan *scan, int64_t now_ms);
/* Whether the access just told of continued a walk (at least its third message). */
bool scan_walking(const struct scan *scan);
uint64_t scan_unread(const struct scan *scan);

#endif
