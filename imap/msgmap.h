/* SPDX-License-Identifier: MIT */
/*
 * msgmap: sequence number -> UID, as far as FETCH responses have told.
 *
 * Costs 4 bytes a message for what is known and next to nothing for what is not. An expunge moves the
 * entries of one chunk only, so that neither a long mailbox nor a hostile server makes it slow.
 * Invariant: the chunks' counts add up to imap_msgmap_count.
 */
#ifndef IMAP_MSGMAP_H
#define IMAP_MSGMAP_H

#include "imap/types.h"

#define IMAP_MSGMAP_CHUNK 4096u

struct imap_msgmap_chunk {
    uint32_t *uids;   /* of `count` consecutive messages, 0 for unknown; NULL: none is known */
    uint32_t count;   /* 1 to IMAP_MSGMAP_CHUNK */
    uint32_t highest; /* no UID in it is above this */
};

struct imap_msgmap {
    struct imap_msgmap_chunk *chunks;
    size_t chunk_count, chunk_room;
    uint32_t count;      /* messages */
    size_t near_chunk;   /* the chunk looked into last, */
    uint32_t near_first; /* and the sequence number it begins with: makes walks O(1) a step */
};

void imap_msgmap_fini(struct imap_msgmap *map); /* leaves the empty map */
/* EXISTS: grows with unknown messages, or drops those beyond. The caller caps count. */
void imap_msgmap_resize(struct imap_msgmap *map, uint32_t count);
/* Nothing happens when there is no such message. */
void imap_msgmap_learn(struct imap_msgmap *map, uint32_t seq, uint32_t uid);
uint32_t imap_msgmap_uid(struct imap_msgmap *map, uint32_t seq); /* 0 when not known */
void imap_msgmap_expunge(struct imap_msgmap *map, uint32_t seq);
/* VANISHED: removes the messages with these UIDs, also those it only knows to lie between others.
 * UIDs that can belong to no message of the map are passed over. */
void imap_msgmap_vanish(struct imap_msgmap *map, const struct imap_seqset *uids);

#endif
