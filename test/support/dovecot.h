/* SPDX-License-Identifier: MIT */
/*
 * dovecot: a private Dovecot for one test program, by way of dovecot.sh.
 *
 * It runs on 127.0.0.1 with ports of its own. Every user name exists, with the one password; the mail of a
 * user lies under mail as Maildirs named in UTF-8 (INBOX, A, A/B). Not thread safe. A program without
 * Dovecot on its machine gets false and the reason: let the test fail with it. Should the program die
 * without test_dovecot_stop, the server ends all the same.
 */
#ifndef TEST_DOVECOT_H
#define TEST_DOVECOT_H

#include <stdbool.h>
#include <sys/types.h>

struct test_dovecot {
    char dir[64];
    char host[16]; /* the name in the certificate */
    char port[8];  /* cleartext and STARTTLS */
    char tls_port[8];
    char password[32];
    char cafile[96];
    char fingerprint[72]; /* SHA-256 of the server's certificate, hex */
    char mail[96];        /* mail/USER/MAILBOX are Maildirs */
    char why[512];        /* what went wrong, when a function returned false */
    pid_t keeper;         /* cleans up once nobody holds life */
    int life;
};

/* Starts in a new directory under /dev/shm (else /tmp). False with why set after at most 30 s. */
bool test_dovecot_start(struct test_dovecot *dovecot);
/* Starts again after test_dovecot_halt: same directory and mail, other ports. */
bool test_dovecot_restart(struct test_dovecot *dovecot);
/* Ends the processes, keeps the directory. */
bool test_dovecot_halt(struct test_dovecot *dovecot);
/* Ends the processes and removes the directory; harmless when nothing was started. */
void test_dovecot_stop(struct test_dovecot *dovecot);

/* Puts a message into the mailbox as a delivery agent would: the Maildir is made when missing, data is
 * stored as it is (use CRLF line ends), received is the INTERNALDATE in seconds since 1970. */
bool test_dovecot_deliver(struct test_dovecot *dovecot, const char *user, const char *mailbox,
                          const void *data, unsigned long len, long received);

#endif
