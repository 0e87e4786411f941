/* SPDX-License-Identifier: MIT */
/*
 * resolve: a host name into addresses, without waiting for a stalled resolver.
 *
 * getaddrinfo cannot be interrupted, so it runs on a thread of its own that is left behind (and cleans
 * up after itself) when the deadline passes or the caller cancels.
 */
#ifndef IMAP_RESOLVE_H
#define IMAP_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

#include "imap/error.h"

/* *list_out is the caller's, freed by freeaddrinfo. IMAP_SYS: no such host; IMAP_AGAIN: not now. */
enum imap_status imap_resolve(const char *host, const char *port, int64_t deadline_ms, int cancel_fd,
                              struct addrinfo **list_out, struct imap_error *err) IMAP_CHECK;

#endif
