/* SPDX-License-Identifier: MIT */
/*
 * cutproxy: a line to a server that is cut at a given octet of the next APPEND: of what the client sends from that
 * command's beginning on, or of what the server says from then on. Once; the lines after it are whole again.
 *
 * What the client had sent before the cut reaches the server, and its answer is lost. Threads: all functions may be
 * called while it runs.
 */
#ifndef TEST_CUTPROXY_H
#define TEST_CUTPROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define CUTPROXY_NEVER ((size_t)-1)
#define CUTPROXY_LINES 16

struct cutproxy_line {
    int client, server; /* -1: free */
    unsigned round;
    bool appending;
    char tail[8]; /* of what the client has said last */
    size_t up, down;
};

struct cutproxy {
    char port[8];
    char server_port[8];
    int listener, wake[2];
    pthread_t thread;
    struct cutproxy_line lines[CUTPROXY_LINES]; /* the thread's */
    pthread_mutex_t lock;
    size_t cut_up, cut_down; /* guarded by lock, as all below */
    unsigned round;          /* of arming */
    unsigned appends, cuts;
};

/* port: where it is to listen, "0" for anywhere. */
bool cutproxy_start(struct cutproxy *proxy, const char *port, const char *server_port);
void cutproxy_stop(struct cutproxy *proxy);
/* After so many octets; CUTPROXY_NEVER: not there. */
void cutproxy_arm(struct cutproxy *proxy, size_t up, size_t down);
unsigned cutproxy_cuts(struct cutproxy *proxy);
unsigned cutproxy_appends(struct cutproxy *proxy);

#endif
