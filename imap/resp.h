/* SPDX-License-Identifier: MIT */
/*
 * resp: one framed response -> struct imap_response, by a table of shapes.
 *
 * Pure functions. All that the response points to lives in the arena, but for .raw and .streamed, which
 * point into the framed bytes; .raw is not NUL-terminated.
 */
#ifndef IMAP_RESP_H
#define IMAP_RESP_H

#include "imap/response.h"

#include "arena.h"
#include "frame.h"

#define IMAP_RESP_DEPTH_MAX 256 /* a larger depth asked for is lowered to this */

/* A good cap for the arena of responses of up to limit bytes. */
#define IMAP_RESP_ARENA_CAP(limit) ((limit)*8 + 65536)

/*
 * IMAP_OK: *response_out is filled. A response that is not known is IMAP_RESP_UNKNOWN; so is one whose
 * name is known but whose arguments are beyond understanding, with .malformed set.
 * IMAP_PROTO: this is no IMAP response at all (neither "* ", "+" nor a tag with OK, NO or BAD).
 * IMAP_LIMIT: the arena is full, or lists nest deeper than depth (in a FETCH, only the attribute
 * concerned is lost then; a THREAD may be as deep as it likes). *response_out is as for arguments beyond understanding.
 */
enum imap_status imap_resp_parse(const struct imap_bytes *bytes, unsigned depth, struct imap_arena *arena,
                                 struct imap_response *response_out, struct imap_error *err) IMAP_CHECK;

/* At an IMAP_FRAME_LITERAL: reads the unfinished FETCH. *pending_out is the section whose literal is
 * announced (streamed, with its size), or NULL when the literal belongs to something else and should be
 * buffered; response_out->fetch holds the attributes that preceded it. */
enum imap_status imap_resp_parse_pending(const struct imap_bytes *bytes, unsigned depth,
                                         struct imap_arena *arena, struct imap_response *response_out,
                                         const struct imap_section **pending_out,
                                         struct imap_error *err) IMAP_CHECK;

#endif
