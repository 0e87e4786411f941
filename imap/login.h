/* SPDX-License-Identifier: MIT */
/*
 * login: the steps that need the line for themselves: greeting, STARTTLS, authentication, COMPRESS.
 *
 * Each runs on the calling thread, which owns the line, with nothing pending in its session, and ends
 * within deadline_ms of CLOCK_MONOTONIC. Secrets cross the line only when it is encrypted, is a tunnel, or
 * the user chose IMAP_TLS_NONE; nothing that a server says changes that. cancel_fd: becoming readable ends
 * the step with IMAP_CANCEL (-1: none). After IMAP_AGAIN, IMAP_PROTO, IMAP_CANCEL and IMAP_SYS the line is
 * lost; after IMAP_AUTH, IMAP_NO and IMAP_USAGE it is as it was, but for a server that says OK to a login that
 * was given up, or in which it has not proven itself: then its session is dead. err must not be NULL.
 */
#ifndef IMAP_LOGIN_H
#define IMAP_LOGIN_H

#include "imap/auth.h"

#include "line.h"

/* From a fresh transport to an authenticated session that knows its capabilities, by the endpoint alone:
 * what follows, in this order. credentials NULL: the endpoint's user and password. */
enum imap_status imap_login(struct imap_line *line, const struct imap_credentials *credentials,
                            int64_t deadline_ms, int cancel_fd, struct imap_error *err) IMAP_CHECK;

/* Awaits the greeting and does STARTTLS where the endpoint wants it; capabilities are then known. The
 * session is authenticated if the server greeted with PREAUTH. */
enum imap_status imap_login_greet(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                  struct imap_error *err) IMAP_CHECK;
/* IMAP_USAGE: encrypted already. IMAP_AUTH: not offered or refused, or the certificate does not do. Replaces
 * the line's transport. */
enum imap_status imap_login_starttls(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                     struct imap_error *err) IMAP_CHECK;
/* The strongest mechanism that the server offers and the credentials allow; capabilities are known after it. */
enum imap_status imap_login_with(struct imap_line *line, const struct imap_credentials *credentials,
                                 int64_t deadline_ms, int cancel_fd, struct imap_error *err) IMAP_CHECK;
/* By the caller's own steps. */
enum imap_status imap_login_authenticate(struct imap_line *line, const char *mechanism, imap_auth_step *step,
                                         void *arg, int64_t deadline_ms, int cancel_fd,
                                         struct imap_error *err) IMAP_CHECK;
/* The LOGIN command. */
enum imap_status imap_login_plainly(struct imap_line *line, const char *user, const char *password,
                                    int64_t deadline_ms, int cancel_fd, struct imap_error *err) IMAP_CHECK;
/* COMPRESS DEFLATE; replaces the line's transport. IMAP_USAGE: compressed already. IMAP_NO: not offered or
 * refused. */
enum imap_status imap_login_compress(struct imap_line *line, int64_t deadline_ms, int cancel_fd,
                                     struct imap_error *err) IMAP_CHECK;

#endif
