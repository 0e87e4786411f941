/* SPDX-License-Identifier: MIT */
/*
 * login: from a fresh transport to an authenticated session that knows its capabilities.
 *
 * Greeting, STARTTLS, AUTHENTICATE PLAIN or LOGIN, CAPABILITY; on the calling thread, within the
 * deadline. The credentials cross the line only when it is encrypted, is a tunnel, or the user chose
 * IMAP_TLS_NONE; nothing that a server says changes that.
 */
#ifndef IMAP_LOGIN_H
#define IMAP_LOGIN_H

#include "line.h"

/* line has its transport and a session that nothing was fed to; STARTTLS replaces the transport.
 * Fails with IMAP_AUTH (refused, or no safe way to log in), IMAP_AGAIN (not now: overload, lost line,
 * deadline), IMAP_PROTO, IMAP_CANCEL, IMAP_SYS. err must not be NULL. */
enum imap_status imap_login(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                            struct imap_error *err) IMAP_CHECK;

#endif
