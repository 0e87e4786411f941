/* SPDX-License-Identifier: MIT */
/*
 * storeintents: the changes that the server has not made yet, in the store's file. Threads and results as in
 * storefile.h.
 */
#ifndef FS_STOREINTENTS_H
#define FS_STOREINTENTS_H

#include "storefile.h"

#define STOREINTENTS_MAKE                                                                                    \
    "CREATE TABLE intents (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, begun INTEGER NOT NULL,"       \
    " uidvalidity INTEGER NOT NULL, uid INTEGER NOT NULL, source BLOB NOT NULL, target BLOB NOT NULL,"       \
    " file BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;"

int storefile_intend(struct storefile *file,
                     const struct intent *intent); /* in place of one of that number */
int storefile_unintend(struct storefile *file, uint64_t number);
/* Each, rising by number, by storelines_read. Strings are borrowed. */
int storefile_intents(struct storefile *file, void (*each)(void *arg, const struct intent *intent), void *arg,
                      unsigned *damaged_out);

#endif
