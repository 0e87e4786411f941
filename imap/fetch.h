/* SPDX-License-Identifier: MIT */
/*
 * fetch: the attributes of a FETCH response (RFC 3501 7.4.2) from their values.
 *
 * An attribute that makes no sense is left unset and the next one is found again; where one is repeated,
 * the last counts.
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "imap/response.h"

#include "arena.h"

/* Adds to *fetch. pending: a streamed value that ends what was read so far, or NULL; the section it is
 * the content of goes to *pending_out instead of fetch->sections (untouched if there is none). */
void imap_fetch_parse(const struct imap_value *list, const struct imap_value *pending,
                      struct imap_arena *arena, struct imap_fetch *fetch,
                      const struct imap_section **pending_out);

#endif
