/* SPDX-License-Identifier: MIT */
/*
 * storenames: the names under which messages were written, in the store's file. Threads and results as in
 * storefile.h.
 */
#ifndef FS_STORENAMES_H
#define FS_STORENAMES_H

#include "storefile.h"

#define STORENAMES_MAKE                                                                                      \
    "CREATE TABLE names (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, uidvalidity INTEGER NOT NULL,"      \
    " file BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;"

int storefile_name_set(struct storefile *file, const struct stored_name *name); /* len 0: there is none */
int storefile_names_clear(struct storefile *file, uint32_t mailbox);
/* Each name, by storelines_read. */
int storefile_names(struct storefile *file, void (*each)(void *arg, const struct stored_name *name),
                    void *arg, unsigned *damaged_out);

#endif
