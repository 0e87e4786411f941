/* SPDX-License-Identifier: MIT */
/*
 * intent: a change of mail that its caller was told is done, and that the server has not done yet. Kept in the store
 * until the server has done or refused it, so the next mount takes it up where this one has left it.
 */
#ifndef FS_INTENT_H
#define FS_INTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers on disk. */
enum intent_kind {
    INTENT_DELETE = 1, /* for good, or into the trash */
    INTENT_MOVE = 2,
    INTENT_COPY = 3
};

struct intent {
    uint64_t number; /* rising in the order in which they are to be done; never 0 */
    enum intent_kind kind;
    bool
        begun; /* a command that must not be given twice may have been sent: whether it was done nobody knows */
    uint32_t uidvalidity, uid; /* of the message, in from */
    const char *from, *to;     /* as the server calls them; to: "" when it is deleted */
    const char *file;          /* its name there; "": its number */
};

/* With strings of its own, for intents_free. */
struct intent intent_copy(const struct intent *intent);
/* The array, and the strings of each. */
void intents_free(struct intent *intents, size_t count);

#endif
