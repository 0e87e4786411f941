/* SPDX-License-Identifier: MIT */
/*
 * mailbox: a directory of the tree, and the messages in it as columns sorted by UID.
 *
 * Every directory is a mailbox: \Noselect ones and parents that LIST did not name have no messages.
 * Everything here is guarded by the account lock unless it says "constant".
 *
 * Ids: a mailbox has two numbers of 31 bits (never 0, unique in the account). dir_id is made from its
 * name; message_id from its name and UIDVALIDITY, so it is retired when that changes and is 0 while
 * UIDVALIDITY is unknown. Both are the same on every mount unless two names collide.
 */
#ifndef FS_MAILBOX_H
#define FS_MAILBOX_H

#include <time.h>

#include "account.h"
#include "imap/types.h"

struct body;

struct message {
    uint32_t uid;
    uint32_t flagset; /* mailbox_flags_text_locked */
    uint64_t size;    /* octets: the server's claim until verified */
    bool size_verified;
    bool size_corrected;   /* another one was listed before, which somebody may still believe */
    struct imap_date date; /* INTERNALDATE */
    uint64_t modseq;       /* 0 when unknown */
    uint64_t objectid;     /* the same for all copies in the account, and for nothing else; 0 when unknown */
};

/* ---- what it is (constant once published) ------------------------------------------------------ */
struct account *mailbox_account(const struct mailbox *mailbox);
const char *mailbox_wire_name(const struct mailbox *mailbox); /* to give to the server */
const char *mailbox_file_name(const struct mailbox *mailbox); /* its name in its directory; "" for the root */
struct mailbox *mailbox_parent(const struct mailbox *mailbox); /* NULL for the root */
uint32_t mailbox_dir_id(const struct mailbox *mailbox);

/* ---- the tree ---------------------------------------------------------------------------------- */
/* Children in a stable order by dir_id: the first one with dir_id > after; NULL at the end. */
struct mailbox *mailbox_next_child_locked(struct mailbox *mailbox, uint32_t after);
struct mailbox *mailbox_child_locked(struct mailbox *mailbox, const char *file_name);
unsigned mailbox_child_count_locked(const struct mailbox *mailbox);
/* It is top, or below it. */
bool mailbox_is_below(const struct mailbox *mailbox, const struct mailbox *top);
bool mailbox_gone_locked(const struct mailbox *mailbox);
/* What it is called now, if it was renamed by us; itself. */
struct mailbox *mailbox_now_locked(struct mailbox *mailbox);
bool mailbox_selectable_locked(const struct mailbox *mailbox);
const char *mailbox_special_use_locked(const struct mailbox *mailbox); /* "\\Sent" or NULL */
bool mailbox_subscribed_locked(const struct mailbox *mailbox);

/* ---- its messages ------------------------------------------------------------------------------ */
/* Makes sure that the listing is whole and fresh: watched, or not older than poll_ms. True when it is
 * and wait is untouched. Else wait is queued, a synchronisation is begun if none runs, and `done` tells.
 * A mailbox without messages of its own (\Noselect) is always fresh. A failed synchronisation is an
 * error for its waiters even when an old listing exists (a listing is never passed off as fresh). Only while
 * the account is known to be unreachable a listing that was once whole is good enough, at any age; and where
 * there is none, wait is refused at once. */
bool mailbox_fresh_locked(struct mailbox *mailbox, struct wait *wait);
/* What mailbox_fresh_locked would find without asking anybody: whole, and fresh. */
bool mailbox_is_fresh_locked(const struct mailbox *mailbox);
/* The last time that it was found to be fresh is no longer ago than that. */
bool mailbox_was_fresh_locked(const struct mailbox *mailbox, unsigned within_ms);
/* True once a listing was ever completed (for the present UIDVALIDITY): what is known may be served for
 * single names without asking. */
bool mailbox_known_locked(const struct mailbox *mailbox);
uint32_t mailbox_message_id_locked(const struct mailbox *mailbox); /* 0 while not known */
uint32_t mailbox_uidvalidity_locked(const struct mailbox *mailbox);
size_t mailbox_count_locked(const struct mailbox *mailbox);
uint64_t mailbox_generation_locked(const struct mailbox *mailbox); /* grows with every visible change */
struct timespec mailbox_mtime_locked(const struct mailbox *mailbox);
bool mailbox_find_locked(const struct mailbox *mailbox, uint32_t uid, struct message *message_out);
/* The first message with a UID above `after`; false at the end. O(log n); *hint (start with 0) makes
 * a walk O(1) a step. */
bool mailbox_next_locked(const struct mailbox *mailbox, uint32_t after, size_t *hint,
                         struct message *message_out);
/* "\Seen $Forwarded work", "" for none. Valid as long as the account. */
const char *mailbox_flags_text_locked(const struct mailbox *mailbox, uint32_t flagset);
/* The true size, learnt from a literal; tells message_changed (after unlock) when it differs. */
void mailbox_learn_size_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, uint64_t size);

#endif
