/* SPDX-License-Identifier: MIT */
/* cachebodies: whether the bodies of an account that is not mounted are what was written (cachedir.h). */
#ifndef FS_CACHEBODIES_H
#define FS_CACHEBODIES_H

#include <stddef.h>

#include "storefile.h"

struct cachebodies {
    size_t count, damaged; /* damaged: cannot be read in full, or has another digest */
};

/* Reads all that the store says lies in the directory `name` below dir_fd, which may be missing. The store is open,
 * and nobody writes to it. An SQLite code, as in storefile.h. */
int cachebodies_verify(struct storefile *file, int dir_fd, const char *name, struct cachebodies *bodies_out);

#endif
