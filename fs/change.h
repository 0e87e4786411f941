/* SPDX-License-Identifier: MIT */
/*
 * change: what the store is told, as compact bytes: a few a message, so that a large mailbox can be handed
 * over under the account lock and wait its turn without weighing much.
 *
 * A `struct changes` is one indivisible group: the store has all of it or nothing. Not locked: the owner
 * sees to that. All zeroes is empty.
 */
#ifndef FS_CHANGE_H
#define FS_CHANGE_H

#include <time.h>

#include "columns.h"
#include "intent.h"
#include "keptrow.h"

enum change_kind {
    CHANGE_PUT,     /* this message is now as `row` says, whatever it was */
    CHANGE_GONE,    /* this message (row.uid) is no more */
    CHANGE_CLEAR,   /* all messages of the mailbox are no more */
    CHANGE_FORGET,  /* the mailbox and all its messages are no more */
    CHANGE_MAILBOX, /* the mailbox is now as `mailbox` says, but for its messages */
    CHANGE_FLAGSET, /* from now on the number `flagset` means `text` */
    CHANGE_KEEP,    /* the body with kept.key lies where `kept` says, and nowhere else */
    CHANGE_UNKEEP,  /* the body with kept.key lies nowhere */
    CHANGE_NAME,    /* the message `name` has that written name, whatever it had */
    CHANGE_UNNAME,  /* the message `name` has none */
    CHANGE_INTEND,  /* the intent of that number is as `intent` says, whatever it was */
    CHANGE_UNINTEND /* the one with intent.number is done */
};

/* A mailbox but for its messages. Strings are borrowed. */
struct stored_mailbox {
    uint32_t id; /* the store's number for it, never 0 */
    const char *name;
    size_t name_len;
    char delimiter;
    unsigned attributes;     /* IMAP_MBOX_ */
    const char *special_use; /* length 0: none */
    size_t special_use_len;
    bool subscribed;
    bool known; /* its messages are stored, all of them */
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    int64_t proven_ms; /* wall clock, since 1970; 0: never */
    struct timespec changed;
    uint32_t count;  /* of the messages stored */
    uint64_t digest; /* the sum of change_digest over them */
};

/* The name under which a message was written. */
struct stored_name {
    uint32_t mailbox; /* the store's number for it */
    uint32_t uidvalidity, uid;
    const char *file; /* borrowed */
    size_t len;       /* 0: none */
};

struct change {
    enum change_kind kind;
    uint32_t id; /* of the mailbox */
    struct row row;
    struct stored_mailbox mailbox;
    struct kept_row kept;
    struct stored_name name;
    struct intent intent; /* strings are borrowed */
    uint32_t flagset;
    const char *text; /* borrowed */
    size_t text_len;
};

struct changes {
    uint8_t *bytes;
    size_t len, capacity;
    uint32_t id, uid; /* of the last row; a row tells the difference to it */
    int64_t date;
};

void changes_put(struct changes *changes, uint32_t id, const struct row *row);
void changes_gone(struct changes *changes, uint32_t id, uint32_t uid);
void changes_clear(struct changes *changes, uint32_t id);
void changes_forget(struct changes *changes, uint32_t id);
void changes_mailbox(struct changes *changes, const struct stored_mailbox *mailbox);
void changes_flagset(struct changes *changes, uint32_t flagset, const char *text);
void changes_keep(struct changes *changes, const struct kept_row *row);
void changes_unkeep(struct changes *changes, const struct kept_key *key);
void changes_name(struct changes *changes, const struct stored_name *name); /* len 0: CHANGE_UNNAME */
void changes_intend(struct changes *changes, const struct intent *intent);
void changes_unintend(struct changes *changes, uint64_t number);
void changes_fini(struct changes *changes); /* frees and zeroes */

struct change_reader {
    const uint8_t *at, *end;
    uint32_t id, uid;
    int64_t date;
};
struct change_reader changes_read(const struct changes *changes);
/* The next one; it borrows from the changes. False at the end. */
bool change_next(struct change_reader *reader, struct change *change_out);

/* What tells a message from another one, or from itself in another state; flags: change_hash of the text of
 * its flags. Stored, so never to be changed. */
uint64_t change_digest(const struct row *row, uint64_t flags);
uint64_t change_hash(uint64_t seed, const void *bytes, size_t len);
uint64_t change_mailbox_digest(const struct stored_mailbox *mailbox);
uint64_t change_kept_digest(const struct kept_row *row);
uint64_t change_name_digest(const struct stored_name *name);
uint64_t change_intent_digest(const struct intent *intent);

#endif
