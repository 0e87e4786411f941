/* SPDX-License-Identifier: MIT */
/*
 * testserver: a private IMAP server for one test program, by way of a script that starts and stops it
 * (dovecot.sh, cyrus.sh).
 *
 * It runs on 127.0.0.1 with ports of its own. Not thread safe. Should the program die without
 * test_server_stop, the server ends all the same. A program without the server on its machine gets false,
 * missing and the reason.
 */
#ifndef TEST_TESTSERVER_H
#define TEST_TESTSERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct test_server {
    const char *script, *kind;
    char dir[64];
    char host[16]; /* the name in the certificate */
    char port[8];  /* cleartext and STARTTLS */
    char tls_port[8];
    char user[16], other[16]; /* two users with mail, and one who may set quotas ("" where there is none) */
    char admin[16];
    char password[32]; /* of each of them */
    char cafile[96];
    char fingerprint[72]; /* SHA-256 of the server's certificate, hex */
    char mail[96];        /* where it lies */
    char why[512];        /* what went wrong, when a function returned false */
    bool missing;         /* the server is not installed */
    pid_t keeper;         /* cleans up once nobody holds life */
    int life;
};

/* Starts in a new directory under /dev/shm (else /tmp) by "script start DIR kind". Both are borrowed; kind may
 * be NULL. False with why set after at most 30 s. */
bool test_server_start(struct test_server *server, const char *script, const char *kind);
/* Starts again after test_server_halt: same directory and mail, other ports. */
bool test_server_restart(struct test_server *server);
/* Ends the processes, keeps the directory. */
bool test_server_halt(struct test_server *server);
/* Ends the processes and removes the directory; harmless when nothing was started. */
void test_server_stop(struct test_server *server);

#endif
