/* SPDX-License-Identifier: MIT */
/*
 * dovecot: a private Dovecot for one test program (testserver.h), by way of dovecot.sh.
 *
 * Every user name exists, with the one password; the mail of a user lies under mail as Maildirs named in
 * UTF-8 (INBOX, A, A/B).
 */
#ifndef TEST_DOVECOT_H
#define TEST_DOVECOT_H

#include "testserver.h"

bool test_dovecot_start(struct test_server *server);
/* With quotas, ACLs, metadata and compression; other users' mailboxes lie below other/. */
bool test_dovecot_start_full(struct test_server *server);

/* Puts a message into the mailbox as a delivery agent would: the Maildir is made when missing, data is
 * stored as it is (use CRLF line ends), received is the INTERNALDATE in seconds since 1970. */
bool test_dovecot_deliver(struct test_server *server, const char *user, const char *mailbox, const void *data,
                          unsigned long len, long received);

#endif
