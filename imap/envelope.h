/* SPDX-License-Identifier: MIT */
/*
 * envelope: ENVELOPE of FETCH (RFC 3501 7.4.2) from its values.
 */
#ifndef IMAP_ENVELOPE_H
#define IMAP_ENVELOPE_H

#include "imap/response.h"

#include "arena.h"

/* NULL when the value is not an envelope. */
const struct imap_envelope *imap_envelope_parse(const struct imap_value *value, struct imap_arena *arena);

#endif
