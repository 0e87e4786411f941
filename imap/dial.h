/* SPDX-License-Identifier: MIT */
/*
 * dial: an endpoint into a line that is ready for work.
 */
#ifndef IMAP_DIAL_H
#define IMAP_DIAL_H

#include "imap/auth.h"

#include "line.h"

/* Opens the transport within the endpoint's timeout; nothing is read. As imap_dial else. */
enum imap_status imap_dial_open(struct imap_line *line, int cancel_fd, struct imap_error *err) IMAP_CHECK;
/* Opens the transport (within the endpoint's timeout) and logs in (within another), by the endpoint's user
 * and password where credentials is NULL. line was inited; on failure it must still be finished. err must not be NULL. */
enum imap_status imap_dial(struct imap_line *line, const struct imap_credentials *credentials, int cancel_fd,
                           struct imap_error *err) IMAP_CHECK;
/* Says LOGOUT and waits a little for the answer; for a line with nothing under way. */
void imap_hang_up(struct imap_line *line, int64_t deadline_ms);

#endif
