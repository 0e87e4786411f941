/* SPDX-License-Identifier: MIT */
/*
 * errmap: which errno a failure in the mail world is to a program that reads files.
 *
 * The one table of it. (A file named errno.h here would hide the system's.)
 */
#ifndef FS_ERRMAP_H
#define FS_ERRMAP_H

#include "imap/error.h"

/* A positive errno; 0 for NULL and IMAP_OK. */
int errmap_errno(const struct imap_error *err);

#endif
