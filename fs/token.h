/* SPDX-License-Identifier: MIT */
/*
 * token: OAuth 2.0 access tokens, from a command of the user's.
 *
 * Threads: one at a time, as imap/pool.h promises of whom it asks for tokens.
 */
#ifndef FS_TOKEN_H
#define FS_TOKEN_H

#include <stdbool.h>

struct token_source {
    const char *command; /* borrowed */
    unsigned timeout_ms; /* for the command; then it is killed */
    char *token;         /* the last one; NULL: none yet */
};

/* arg is a struct token_source. The token that is at hand, or, if there is none or it has expired, the first
 * line that the command prints. NULL when there is none to be had, which is logged. */
const char *token_get(void *arg, bool expired);
void token_fini(struct token_source *source); /* wipes */

#endif
