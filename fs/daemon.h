/* SPDX-License-Identifier: MIT */
/*
 * daemon: going into the background only when all is well, and where messages go.
 *
 * The fork comes first, as threads do not survive it; the parent waits until the child says that it is
 * ready, so that whoever called sees the outcome, and errors on its own standard error.
 */
#ifndef FS_DAEMON_H
#define FS_DAEMON_H

#include <stdbool.h>

#include "imap/error.h"
#include "status.h"

struct daemon {
    int status_fd; /* to the waiting parent; -1 in the foreground */
};

/* In the child *daemon_out is set. The parent does not return: it exits with the child's outcome. */
enum imap_status daemon_fork(struct daemon *daemon_out, struct imap_error *err) IMAP_CHECK;
/* Lets the parent exit with 0 and leaves terminal, session and directory. Nothing in the foreground. */
void daemon_ready(struct daemon *daemon);

/* One line, to standard error, or to syslog once daemon_ready has been called in the background. */
void daemon_log(int priority, const char *fmt, ...) IMAP_PRINTF(2, 3);
void daemon_log_debug(bool on); /* LOG_DEBUG lines too */
/* The last of those that were at least warnings, oldest first; returns how many. Any thread. */
size_t daemon_recent(struct status_line lines_out[STATUS_LINES_MAX]);

#endif
