/* SPDX-License-Identifier: MIT */
/*
 * patience: how long to look for the next request before sleeping.
 *
 * Waking a sleeping processor takes longer than to serve what it is woken for, most of all in a virtual
 * machine, and a program that reads files sends its next request within microseconds. So whoever was
 * woken soon after he fell asleep looks longer the next time, and whoever slept long does not look at
 * all. Looking is done with the processor offered to others each time; if somebody took it, they need
 * it more.
 *
 * Times are nanoseconds of a monotonic clock. Threads: plain values, the owner's thread.
 */
#ifndef FS_PATIENCE_H
#define FS_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_MAX_NS 50000
#define PATIENCE_DISTURBED_NS 100000    /* offering the processor took so long: somebody took it ... */
#define PATIENCE_LEAVE_ALONE_NS 2000000 /* ... and has it for himself for a while */

/* All zeroes: sleep at once. */
struct patience {
    int64_t look_ns;
    int64_t leave_alone_until;
    int64_t since, last; /* looking since; looked last. 0: not looking */
};

/* There was nothing: true to look again, false to sleep. */
bool patience_lasts(struct patience *patience, int64_t now);
/* There was a request, or it slept until now. */
void patience_found(struct patience *patience);
void patience_slept(struct patience *patience, int64_t now);

#endif
