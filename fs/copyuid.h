/* SPDX-License-Identifier: MIT */
/*
 * copyuid: which new UID each message got, as COPYUID and APPENDUID tell it (RFC 4315 3, RFC 6851 4.3).
 *
 * The two sets of COPYUID correspond by the order in which they are written, and the one of APPENDUID to
 * what was sent; a sorted set has lost that, so they are read from the code's own text. Nothing is allocated, however
 * large the ranges are. No state.
 */
#ifndef FS_COPYUID_H
#define FS_COPYUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* args: "38505 304,319:320 3956:3958". Whether both sets are well-formed and of one size. */
bool copyuid_sound(const char *args);
/* The UID that a message has at its new place; 0: it is not among those copied. Of sound args. */
uint32_t copyuid_find(const char *args, uint32_t uid);
/* args: "38505 3955,3960:3962". Whether that is well-formed and has exactly so many UIDs, none twice. */
bool appenduid_read(const char *args, uint32_t *uids_out, size_t count);

#endif
