/* SPDX-License-Identifier: MIT */
/* cachelook: what cachedir.c asks of an account's store. */
#ifndef FS_CACHELOOK_H
#define FS_CACHELOOK_H

#include "cachedir.h"
#include "storefile.h"

#define CACHEDIR_BODIES ".bodies"

/* IMAP_USAGE, saying so, when changes are there that the server has not made: whoever made them was told that they
 * are done, and they would come undone. A store that cannot be read keeps none. locked: by storefile_take, and it
 * stays so. */
enum imap_status cachelook_changes(struct storefile *locked, const char *name,
                                   struct imap_error *err) IMAP_CHECK;

#endif
