/* SPDX-License-Identifier: MIT */
/*
 * flags: message flags (RFC 3501 2.3.2) between their text and struct imap_flags.
 */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include "imap/response.h"

#include "arena.h"
#include "buf.h"

/* Reads a flag list; a repeated system flag counts once. False when it is not a list. */
bool imap_flags_read(const struct imap_value *list, struct imap_arena *arena,
                     struct imap_flags *flags_out) IMAP_CHECK;
/* Appends "(\Seen $Junk)"; false at the cap of out. Keywords are written as they are. */
bool imap_flags_format(struct imap_buf *out, unsigned system, const char *const *keywords,
                       size_t count) IMAP_CHECK;

#endif
