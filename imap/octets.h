/* SPDX-License-Identifier: MIT */
/*
 * octets: what has gone over a wire, counted where it does: on the socket, or the pipes of a tunnel.
 *
 * Written by the one thread that owns the transport, read by any.
 */
#ifndef IMAP_OCTETS_H
#define IMAP_OCTETS_H

#include <stdatomic.h>
#include <stdint.h>

struct imap_octets {
    _Atomic uint64_t received, sent;
    _Atomic int64_t heard_ms; /* CLOCK_MONOTONIC when some came last; 0: never */
};

#endif
