/* SPDX-License-Identifier: MIT */
/*
 * respcode: the text of a status response with its code (RFC 3501 7.1 resp-text).
 */
#ifndef IMAP_RESPCODE_H
#define IMAP_RESPCODE_H

#include "imap/response.h"

#include "arena.h"

/* Reads "[CODE arguments] human text"; either part may be missing. Arguments that make no sense leave
 * their fields zero. */
void imap_respcode_parse(const char *text, size_t len, unsigned depth, struct imap_arena *arena,
                         struct imap_text *text_out);

#endif
