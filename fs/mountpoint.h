/* SPDX-License-Identifier: MIT */
/*
 * mountpoint: is there a directory to mount on, and nothing of ours on it already?
 */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "imap/error.h"

/* Removes what an imapfs that was killed has left there. *resolved_out (the caller's) is the absolute
 * path. IMAP_USAGE with one line that says what to do. */
enum imap_status mountpoint_prepare(const char *path, char **resolved_out, struct imap_error *err) IMAP_CHECK;
/* Mounts. quiet: what libfuse and fusermount3 print meanwhile on standard error becomes the reason in
 * *err; else it is left where it goes. */
enum imap_status mountpoint_mount(struct fuse_session *session, const char *path, bool quiet,
                                  struct imap_error *err) IMAP_CHECK;

#endif
