/* SPDX-License-Identifier: MIT */
/*
 * store: what is known of an account's mailboxes, and which bodies lie on disk, kept from mount to mount.
 *
 * A thread of its own does all that touches the disk. What it is told (`changes`, one indivisible group at
 * a time) is written in the order told; groups that wait together make one transaction. It reads one
 * mailbox beside the other, in slices, between the rows that it writes: so nobody who wants a mailbox
 * waits for another one.
 *
 * Nothing here fails the mount. When the disk is full, or the file turns out damaged, the store says so
 * once by `log`, is closed, and takes changes without keeping them. What the file then holds is what was
 * true at some moment: the next mount begins from there.
 *
 * Threads: store_open to store_start on one; then everything but store_close from any, under the owner's
 * lock too: the store's own lock is a leaf, and held for no I/O.
 */
#ifndef FS_STORE_H
#define FS_STORE_H

#include "change.h"
#include "imap/endpoint.h"

#define STORE_QUEUE_MAX (UINT64_C(64) << 20) /* bytes of changes that may wait */

struct store;

enum store_loaded {
    STORE_LOADED,
    STORE_DAMAGED, /* what is stored of this mailbox is not what was written */
    STORE_FAILED   /* there is no store any more */
};

/* On the store's thread, or that of store_close; without locks. */
struct store_events {
    /* Answers store_load once. *columns is the receiver's to take (left empty) or to leave. */
    void (*loaded)(void *arg, void *who, enum store_loaded result, struct columns *columns);
    void (*log)(void *arg, int priority, const char *line);
    /* Answers store_tell_written, for that ticket and all below it; or NULL. kept false: the store is lost. */
    void (*written)(void *arg, uint64_t ticket, bool kept);
};

/* Opens the file of the account in dir. It fails with one line where there can be no store: IMAP_AGAIN when
 * another mount has it, IMAP_LIMIT when it is a later version's, IMAP_SYS. */
enum imap_status store_open(const char *dir, const struct imap_endpoint *endpoint,
                            const struct store_events *events, void *arg, struct store **store_out,
                            struct imap_error *err) IMAP_CHECK;
/* What is there, before store_start: the sets of flags (intern numbers them; also to be remembered as
 * known to the store), then each mailbox, then each body that lies on disk (kept; NULL: not wanted), each
 * key once. False when the file is damaged: it was told by `log`, and the store can only be closed; bodies
 * told of till then do lie where they were said to, but no store knows of them. */
bool store_read(struct store *store, uint32_t (*intern)(void *arg, const char *text),
                void (*mailbox)(void *arg, const struct stored_mailbox *mailbox),
                void (*kept)(void *arg, const struct kept_row *row), void *arg);
/* Then the names under which messages were written; the same result. Some that are damaged are only told by `log`. */
bool store_read_names(struct store *store, void (*each)(void *arg, const struct stored_name *name),
                      void *arg);
/* Likewise, the changes that the server has not made yet, rising by number. */
bool store_read_intents(struct store *store, void (*each)(void *arg, const struct intent *intent), void *arg);
void store_start(struct store *store);

/* False once it has failed: what it takes is lost. */
bool store_keeps(struct store *store);
/* False when so much waits that no more rows should be added. */
bool store_has_room(struct store *store, size_t more);
/* Takes over the changes, which are empty afterwards. */
void store_post(struct store *store, struct changes *changes);
/* `written` is called once all that was posted before has been committed, or the store is lost: at the next
 * moment, as nothing more is gathered; what is posted meanwhile makes one transaction again. Tickets rise, and are
 * never 0. Committed: it outlives the process; the last moments before a power cut may not. */
void store_tell_written(struct store *store, uint64_t ticket);
/* The messages of the mailbox, of which there have to be `count` with that digest: `loaded` tells. */
void store_load(struct store *store, uint32_t mailbox, uint32_t count, uint64_t digest, void *who);
/* Loads that were not answered are not any more; when this returns no `loaded` is running. */
void store_stop_loading(struct store *store);
struct store_status {
    char path[1024];
    uint64_t waiting; /* bytes of changes to be written */
    bool lost;        /* nothing is kept any more */
};
void store_status(struct store *store, struct store_status *status_out);
/* Waits until all that was posted is on disk (or lost), and every load and every ticket answered; without locks. */
void store_settle(struct store *store);
/* For tests: lets less than STORE_QUEUE_MAX wait. */
void store_limit_queue(struct store *store, uint64_t bytes);
/* Writes what waits, and tells who waits for it, then ends the thread and frees. What `written` posts is written,
 * too. */
void store_close(struct store **store);

#endif
