/* SPDX-License-Identifier: MIT */
/*
 * status: what an account is doing, for people to read: a snapshot, and its text.
 *
 * The snapshot copies numbers and names under the account lock, and waits for nothing else: so it can be had
 * while the server is silent. The text is made of the snapshot alone. Its form is promised in imapfs(1).
 */
#ifndef FS_STATUS_H
#define FS_STATUS_H

#include "account.h"
#include "bodies.h"
#include "imap/poolstatus.h"
#include "store.h"

#define STATUS_MAILBOXES_MAX 50
#define STATUS_LINES_MAX 10
#define STATUS_LINE_SIZE 256

/* The text's first line, when all is well. */
#define STATUS_CONNECTED "state: connected\n"

enum status_freshness {
    STATUS_SYNCING, /* the server is being asked */
    STATUS_CURRENT, /* the server tells of changes by itself, and what it told has been taken in */
    STATUS_FRESH,   /* looked at within the poll time */
    STATUS_OLD      /* asked for when listed next */
};

enum status_watch { STATUS_POLL, STATUS_IDLE, STATUS_NOTIFY };

struct status_mailbox {
    char *name; /* its path; the snapshot's */
    size_t count;
    enum status_freshness freshness;
    enum status_watch by;
    int64_t proven_ms; /* CLOCK_MONOTONIC; 0: never */
};

struct status_line {
    time_t when;
    int priority; /* of syslog */
    char text[STATUS_LINE_SIZE];
};

struct status {
    /* who asks, fills in; borrowed; NULL: not told */
    const char *version, *source, *mountpoint;
    size_t requests; /* of the kernel's that wait */
    struct status_line lines[STATUS_LINES_MAX];
    size_t line_count;

    /* status_take's */
    time_t now;
    struct timespec opened;
    unsigned poll_ms;
    struct imap_pool_status pool;
    char *places
        [IMAP_POOL_CONNECTIONS_MAX]; /* the connections' mailboxes as paths, NULL: none; the snapshot's */
    struct imap_caps caps;
    bool caps_known;
    bool notify; /* the server tells of mailboxes by NOTIFY */
    struct bodies_stats bodies;
    bool has_store;
    struct store_status store;
    bool listing;      /* the tree is being asked for */
    int64_t listed_ms; /* CLOCK_MONOTONIC; 0: never */
    size_t syncs;      /* mailboxes being synchronised, or waiting for it */
    size_t mailbox_total, mailbox_known, mailbox_watched;
    struct status_mailbox mailboxes[STATUS_MAILBOXES_MAX]; /* those known, used last first */
    size_t mailbox_count;
};

/* Fills in its part of *status, which is to be freed by status_fini. */
void status_take(struct account *account, struct status *status);
void status_fini(struct status *status);
/* The caller's to free; *len_out without the final NUL. */
char *status_text(const struct status *status, size_t *len_out);

#endif
