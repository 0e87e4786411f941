/* SPDX-License-Identifier: MIT */
/*
 * fakeserver: a server on 127.0.0.1 inside the test program that does what a test wants.
 *
 * Each connection gets a thread that runs the test's `serve`; when that returns the connection is
 * closed. Everything received before TLS is recorded. fake_stop ends whatever a serve function is
 * waiting for. Failing to set up fails the test.
 */
#ifndef TEST_FAKESERVER_H
#define TEST_FAKESERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "fakecert.h"

struct fake_server;

struct fake_client {
    struct fake_server *server;
    int fd;
    void *ssl;      /* SSL *, NULL on a plain line */
    unsigned index; /* 0 for the first connection of the server */
    char buffer[4096];
    size_t begin, end;
};

struct fake_options {
    void (*serve)(struct fake_client *client, void *arg);
    void *arg;
    const struct fake_cert *cert;        /* for TLS; NULL: there is none */
    bool tls;                            /* from the first byte */
    const struct fake_cert *client_cert; /* demanded from the client */
    bool tls12;                          /* nothing newer */
};

struct fake_server *fake_start(const struct fake_options *options);
void fake_stop(struct fake_server **server);
const char *fake_port(const struct fake_server *server);
unsigned fake_connections(struct fake_server *server); /* accepted so far */
/* False when there were not so many within 10 s. */
bool fake_await_connections(struct fake_server *server, unsigned count);
/* Whether these bytes came over the line unencrypted. */
bool fake_saw_plain(struct fake_server *server, const char *text);
/* Closes every connection that is open now, by a reset when abrupt. */
void fake_drop_all(struct fake_server *server, bool abrupt);
void fake_drop(struct fake_server *server, unsigned index); /* one of them, if it is open */
/* Connections are closed without a word (true), or served again. */
void fake_refuse(struct fake_server *server, bool refuse);
unsigned fake_refused(struct fake_server *server); /* so many so far */
bool fake_await_refused(struct fake_server *server, unsigned count);

/* ---- for serve functions; false: the line has ended ---------------------------------------------- */
bool fake_send(struct fake_client *client, const char *text);
bool fake_send_bytes(struct fake_client *client, const void *data, size_t len);
bool fake_drip(struct fake_client *client, const char *text); /* each byte in a packet of its own */
/* The next line, without its CRLF. */
bool fake_line(struct fake_client *client, char *line, size_t size);
bool fake_start_tls(struct fake_client *client); /* the handshake */
void fake_stall(struct fake_client *client);     /* until the client or fake_stop ends it */
void fake_reset(struct fake_client *client);     /* the close to come will be a reset */

/* ---- a small IMAP server ---------------------------------------------------------------------------
 * Knows CAPABILITY, LOGIN, AUTHENTICATE PLAIN, SELECT, EXAMINE, UID FETCH (one line a number of 1 or
 * 1:2), IDLE, LOGOUT; says OK to the rest. */
struct fake_imap {
    const char *greeting;        /* NULL: "* OK ready" */
    const char *caps;            /* NULL: "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN" */
    const char *user, *password; /* NULL: any; a wrong one gets [AUTHENTICATIONFAILED] */
    /* May answer a command itself (true); *stop ends the connection. May be NULL. */
    bool (*hook)(struct fake_client *client, const char *tag, const char *command, bool *stop, void *arg);
    void *arg;
};
void fake_imap_serve(struct fake_client *client, const struct fake_imap *imap);
/* "TAG OK text" */
bool fake_ok(struct fake_client *client, const char *tag, const char *text);

#endif
