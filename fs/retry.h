/* SPDX-License-Identifier: MIT */
/*
 * retry: what the server refuses for the moment (UNAVAILABLE, INUSE, LIMIT; RFC 5530) is asked for again, after pauses of
 * 0.25, 0.5, 1 and 2 s. Whoever waits no longer is not asked for.
 */
#ifndef FS_RETRY_H
#define FS_RETRY_H

#include "model.h"

#define RETRY_MAX 4u
#define RETRY_FIRST_MS 250

/* An answer of the server's that time may change: the session gives those that it knows IMAP_AGAIN. */
static inline bool retry_is_of_use(const struct imap_error *why, bool said)
{
    return said && (why->status == IMAP_AGAIN || why->code == IMAP_CODE_INUSE);
}

/* When, after so many refusals before. */
static inline int64_t retry_at_ms(unsigned refusals)
{
    return model_now_ms() + ((int64_t)RETRY_FIRST_MS << refusals);
}

#endif
