/* SPDX-License-Identifier: MIT */
/*
 * bodystruct: BODY and BODYSTRUCTURE of FETCH (RFC 3501 7.4.2) from their values.
 */
#ifndef IMAP_BODYSTRUCT_H
#define IMAP_BODYSTRUCT_H

#include "imap/response.h"

#include "arena.h"

/* NULL when the value is not a body. Nesting is as deep as the values', which the lexer limits. */
const struct imap_part *imap_bodystruct_parse(const struct imap_value *value, struct imap_arena *arena);
/* A list of names and values in turn (body parameters, ID); NULL for anything else. */
const struct imap_param *imap_params_parse(const struct imap_value *value, struct imap_arena *arena);

#endif
