/* SPDX-License-Identifier: MIT */
/*
 * storenames: the names under which messages were written, in the store's file. Threads and results as in
 * storefile.h.
 */
#ifndef FS_STORENAMES_H
#define FS_STORENAMES_H

#include "storefile.h"

/* Makes the table; in the step that brought it, and for one that takes the place of a damaged one. */
#define STOREFILE_MAKE_NAMES                                                                                 \
    "CREATE TABLE names (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, uidvalidity INTEGER NOT NULL,"      \
    " file BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;"

int storefile_name_set(struct storefile *file, const struct stored_name *name); /* len 0: there is none */
int storefile_names_clear(struct storefile *file, uint32_t mailbox);
/* Each name. Lines that are not what was written are left out (damaged_out counts them), and the table is made
 * anew without them. */
int storefile_names(struct storefile *file, void (*each)(void *arg, const struct stored_name *name),
                    void *arg, unsigned *damaged_out);

#endif
