/* SPDX-License-Identifier: MIT */
/*
 * name: one component of a mailbox name as the server spells it <-> one file name; and message names.
 *
 * A component is shown as UTF-8. What a file name cannot hold, or what would mean something else, is
 * written %XX (two upper-case hex digits): '/', control bytes, '%' where it would read as an escape,
 * and the first byte of ".", "..", ".imapfs", "123.eml" and "=123.eml". Forms of their own:
 *   %-                 the empty component
 *   %~ and the bytes   a component that is not canonical modified UTF-7 (bytes that are no UTF-8 as %XX)
 *   text%#16 hex       a name over 255 bytes, cut, with a hash; also the second of two that would be
 *                      the same. It does not lead back by itself: the tree knows it.
 * Every file name made here but the last kind leads back to the very same bytes.
 */
#ifndef FS_NAME_H
#define FS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE 256       /* NAME_MAX and a NUL */
#define NAME_WIRE_MAX 16384 /* longer components are refused by the tree */

/* wire[0..len) without NUL; len <= NAME_WIRE_MAX. */
void name_from_wire(const char *wire, size_t len, char file[NAME_SIZE]);
/* The form with a hash, made from as much of name_from_wire's as fits. */
void name_hashed(const char *wire, size_t len, char file[NAME_SIZE]);
/* The component that name_from_wire shows as file. False when there is none (a hashed name, an escape that
 * nothing needs, bytes that are no UTF-8). wire needs 4 * strlen(file) + 3 bytes; NUL-terminated. */
bool name_to_wire(const char *file, char *wire, size_t size, size_t *len_out);

/* "1042.eml" */
void name_of_message(uint32_t uid, char file[NAME_SIZE]);
/* Strictly that form, 1..4294967295, no leading zeros; 0 when it is none. */
uint32_t name_message_uid(const char *file);
/* "=1042.eml", for a message whose number is another one's name (naming.h); the two as above. */
void name_of_message_aside(uint32_t uid, char file[NAME_SIZE]);
uint32_t name_message_uid_aside(const char *file);
/* A message may be written under it: it ends in .eml, is not hidden, and is not of the form above. */
bool name_is_writable(const char *file);

#endif
