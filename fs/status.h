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
#define STATUS_DRAFTS_MAX 50
#define STATUS_REFUSED_MAX 20
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

enum status_draft_state {
    STATUS_UNSENT,  /* it could not be sent */
    STATUS_SENDING, /* or being looked for on the server */
    STATUS_WRITING, /* open */
    STATUS_EMPTY    /* closed, but there is nothing to send */
};

struct status_draft {
    char *path; /* in the mount; the snapshot's */
    uint64_t size;
    time_t date; /* the message's, so not always when it was written */
    enum status_draft_state state;
    char why[STATUS_LINE_SIZE]; /* of STATUS_UNSENT */
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
    bool read_write;
    size_t draft_count,
        local_count;      /* all files that are not on the server; those that are not meant to be */
    uint64_t draft_bytes; /* of the former */
    size_t draft_states[STATUS_EMPTY + 1]; /* of those so many are so */
    struct status_draft
        drafts[STATUS_DRAFTS_MAX]; /* the first of them, those that could not be sent before all */
    size_t draft_shown;

    /* what callers were told is done, and the server has not done yet */
    size_t waiting_deletes, waiting_moves, waiting_copies, waiting_uploads;
    struct status_line refused[STATUS_REFUSED_MAX]; /* the last ones, in the order of time */
    size_t refused_count;
};

/* Fills in its part of *status, which is to be freed by status_fini. */
void status_take(struct account *account, struct status *status);
void status_fini(struct status *status);
/* The caller's to free; *len_out without the final NUL. */
char *status_text(const struct status *status, size_t *len_out);

#endif
