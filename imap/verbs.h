/* SPDX-License-Identifier: MIT */
/*
 * verbs: what the session must know of each command, as one table.
 *
 * Constant data, no state. A verb that is not in the table gets the careful treatment: it runs alone,
 * every untagged response meanwhile is its answer, and it is not repeated after a lost line.
 */
#ifndef IMAP_VERBS_H
#define IMAP_VERBS_H

#include "imap/response.h"

#define IMAP_IN_NOT_AUTHENTICATED 1u
#define IMAP_IN_AUTHENTICATED 2u
#define IMAP_IN_SELECTED 4u

#define IMAP_VERB_DRAINS 0x01u     /* sent only when nothing is in flight */
#define IMAP_VERB_HOLDS 0x02u      /* nothing is sent while it is in flight */
#define IMAP_VERB_REPEATABLE 0x04u /* doing it twice does no harm, so a lost line is IMAP_AGAIN */
#define IMAP_VERB_NUMBERS 0x08u    /* has sequence numbers in its arguments or answers */
#define IMAP_VERB_NO_EXPUNGE 0x10u /* no EXPUNGE may come while it is in progress (RFC 3501 7.4.1) */
#define IMAP_VERB_DISTINCT 0x20u   /* its answers say whom they are for: FETCH by UID, STATUS by name */
#define IMAP_VERB_SET 0x40u        /* its first sequence set says which FETCH responses answer it */
#define IMAP_VERB_UIDS 0x80u       /* ... and holds UIDs */
#define IMAP_VERB_COPIES 0x100u    /* sent when nothing is in flight, unless that is an IDLE that was ended */
#define IMAP_VERB_ALONE (IMAP_VERB_DRAINS | IMAP_VERB_HOLDS)

/* What its tagged OK means to the session itself. */
enum imap_effect {
    IMAP_EFFECT_NONE,
    IMAP_EFFECT_AUTHENTICATE, /* LOGIN, too */
    IMAP_EFFECT_UNAUTHENTICATE,
    IMAP_EFFECT_STARTTLS,
    IMAP_EFFECT_COMPRESS,
    IMAP_EFFECT_ENABLE, /* of its untagged answer */
    IMAP_EFFECT_NOTIFY,
    IMAP_EFFECT_SELECT,
    IMAP_EFFECT_DESELECT,
    IMAP_EFFECT_LOGOUT,
    IMAP_EFFECT_IDLE
};

struct imap_verb {
    const char *name;
    unsigned states; /* IMAP_IN_ */
    unsigned flags;  /* IMAP_VERB_ */
    enum imap_effect effect;
    uint64_t answers; /* IMAP_ANSWER of the response types that are data for it */
};

#define IMAP_ANSWER(type) ((uint64_t)1 << (type))

/* Never NULL; the same constant object, whose name is "", for every verb that is not known. */
const struct imap_verb *imap_verb_find(const char *name);
/* True when the untagged answers of two commands in flight could not be told apart. */
bool imap_verb_ambiguous(const struct imap_verb *one, const struct imap_verb *other);

#endif
