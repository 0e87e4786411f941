/* SPDX-License-Identifier: MIT */
/* storekept: which bodies lie on disk, in the store's file. Threads and results as in storefile.h. */
#ifndef FS_STOREKEPT_H
#define FS_STOREKEPT_H

#include "storefile.h"

#define STOREKEPT_MAKE                                                                                       \
    "CREATE TABLE kept (high INTEGER NOT NULL, low INTEGER NOT NULL, file INTEGER NOT NULL,"                 \
    " start INTEGER NOT NULL, size INTEGER NOT NULL, digest INTEGER NOT NULL, used INTEGER NOT NULL,"        \
    " sum INTEGER NOT NULL, PRIMARY KEY (high, low)) STRICT, WITHOUT ROWID;"

int storefile_keep(struct storefile *file, const struct kept_row *row);
int storefile_unkeep(struct storefile *file, const struct kept_key *key);
/* Each body that is kept, by storelines_read. */
int storefile_kept(struct storefile *file, void (*each)(void *arg, const struct kept_row *row), void *arg);

#endif
