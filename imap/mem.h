/* SPDX-License-Identifier: MIT */
/*
 * mem: allocation of small things, which does not fail.
 *
 * Running out of memory for something small aborts; whatever a peer can size has a cap of its own
 * before it comes here. A size that overflows aborts as well. Free with free().
 */
#ifndef IMAP_MEM_H
#define IMAP_MEM_H

#include <stddef.h>

void *imap_xmalloc(size_t size);
void *imap_xcalloc(size_t count, size_t size);
void *imap_xrealloc(void *mem, size_t size);
void *imap_xreallocarray(void *mem, size_t count, size_t size);
char *imap_xstrdup(const char *str);
char *imap_xstrndup(const char *str, size_t len); /* copies len bytes, NULs too, and adds a NUL */

#endif
