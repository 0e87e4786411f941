/* SPDX-License-Identifier: MIT */
/*
 * pending: what was decided under the account lock and is carried out right after it is let go.
 *
 * See model.h for why. account_unlock takes the lot off and runs it on its own thread: so `done` of a
 * wait, and the account's events, may run inside account_unlock of any thread that uses the model.
 */
#ifndef FS_PENDING_H
#define FS_PENDING_H

#include "mailbox.h"

enum note_kind { NOTE_NEW, NOTE_GONE, NOTE_CHANGED, NOTE_BODY, NOTE_LISTING, NOTE_CHILD_GONE, NOTE_SENT };

struct note {
    enum note_kind kind;
    uint32_t uid;
    struct mailbox *mailbox, *child;
    char *name;           /* NOTE_SENT */
    uint32_t uidvalidity; /* likewise */
};

struct finished;
struct submission;
struct line;

struct pending {
    struct note *notes;
    size_t note_count, note_capacity;
    struct finished *finished, **finished_tail;
    struct submission *submissions, **submissions_tail;
    struct line *lines, **lines_tail;
};

void pending_init(struct pending *pending);
bool pending_empty(const struct pending *pending);
/* Carries out and empties it; a private copy, without the lock. */
void pending_run(struct account *account, struct pending *pending);

/* mailbox: a wire name that lives as long as the account (mailbox_wire_name), or NULL. The command's
 * `done` comes exactly once, without the lock. */
void pending_submit_locked(struct account *account, const char *mailbox, unsigned flags, uint64_t weight,
                           struct imap_command *command);
/* The same by imap_pool_change; uidvalidity is not 0. */
void pending_change_locked(struct account *account, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                           struct imap_command *command);
/* Ends all waits of the queue, which is empty afterwards; err NULL: success. err is copied. */
void pending_finish_locked(struct account *account, struct wait_queue *waits, const struct imap_error *err);
/* The same for one wait that is not queued yet: an answer that is known at once. */
void pending_refuse_locked(struct account *account, struct wait *wait, const struct imap_error *err);
/* child is for NOTE_CHILD_GONE. Repeated NOTE_LISTING of one mailbox in a row are one. */
void pending_note_locked(struct account *account, enum note_kind kind, struct mailbox *mailbox, uint32_t uid,
                         struct mailbox *child);
/* A draft has become a message. */
void pending_sent_locked(struct account *account, struct mailbox *mailbox, const char *name,
                         uint32_t uidvalidity, uint32_t uid);
void pending_log_locked(struct account *account, int priority, const char *fmt, ...) IMAP_PRINTF(3, 4);

#endif
