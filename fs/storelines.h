/* SPDX-License-Identifier: MIT */
/*
 * storelines: the tables of the store's file of which each line has a sum of its own, so that damage costs no more
 * than the lines that it has hit. Threads and results as in storefile.h.
 */
#ifndef FS_STORELINES_H
#define FS_STORELINES_H

#include "storefile.h"

union storeline {
    struct kept_row kept;
    struct stored_name name;
    struct intent intent;
};

struct storelines {
    const char *table;
    const char
        *make; /* the statement that makes it; in the step that brought it, and in place of a damaged one */
    const char *select; /* its lines, rising by their key; ends in "FROM " */
    /* False when that is not what was written. Strings are borrowed from the statement. */
    bool (*take)(sqlite3_stmt *sql, union storeline *line_out);
    /* The keys of the two, the strings of `last` being gone. */
    bool (*rises)(const union storeline *last, const union storeline *line);
    int (*put)(struct storefile *file, const union storeline *line);
};

/* Tells each line that can be believed. The others are left out (damaged_out counts them), and the table is made
 * anew without them, unless the file is only looked at (storefile_look). */
int storelines_read(struct storefile *file, const struct storelines *lines,
                    void (*each)(void *arg, const union storeline *line), void *arg, unsigned *damaged_out);

#endif
