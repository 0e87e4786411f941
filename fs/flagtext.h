/* SPDX-License-Identifier: MIT */
/*
 * flagtext: what a user wrote of flags: "\Seen work" (all of them), "+\Seen" (these, too), "-\Seen work" (these
 * no more). Plain values, no state.
 */
#ifndef FS_FLAGTEXT_H
#define FS_FLAGTEXT_H

#include <stddef.h>

#include "write.h"

#define FLAGTEXT_MAX 4096

struct flagtext {
    enum write_how how;
    struct imap_flags flags; /* points into: */
    char *copy;
    const char **keywords;
};

/* 0, or EINVAL for what is no flag, or E2BIG; \Recent is passed over. flagtext_fini in either case. */
int flagtext_parse(const char *text, size_t len, struct flagtext *out);
void flagtext_fini(struct flagtext *flagtext);

#endif
