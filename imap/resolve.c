/* SPDX-License-Identifier: MIT */
#include "resolve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem.h"
#include "netutil.h"

/* Shared by the asker and the resolving thread; the last of the two to leave frees it. */
struct lookup {
    atomic_int users;
    atomic_bool done; /* the results are there */
    int done_fd;
    char *host, *port;
    struct addrinfo *list;
    int result, sys_errno;
};

static void lookup_unref(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->users, 1) != 1)
        return;
    if (lookup->list)
        freeaddrinfo(lookup->list);
    close(lookup->done_fd);
    free(lookup->host);
    free(lookup->port);
    free(lookup);
}

static int look_up(const char *host, const char *port, int flags, struct addrinfo **list_out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    return getaddrinfo(host, port, &hints, list_out);
}

static void *lookup_thread(void *arg)
{
    struct lookup *lookup = arg;

    lookup->result = look_up(lookup->host, lookup->port, AI_ADDRCONFIG, &lookup->list);
    lookup->sys_errno = errno;
    atomic_store(&lookup->done, true);
    imap_net_wake(lookup->done_fd);
    lookup_unref(lookup);
    return NULL;
}

static enum imap_status start_thread(struct lookup *lookup, struct imap_error *err)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, &attr, lookup_thread, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc == 0 ? IMAP_OK : imap_error_sys(err, rc, "starting the resolver");
}

/* Whoever has no network has no names either. */
static enum imap_status unreachable(struct imap_error *err, enum imap_status status)
{
    if (err)
        err->sys_errno = EHOSTUNREACH;
    return status;
}

static enum imap_status describe(int result, int sys_errno, const char *host, const char *port,
                                 struct imap_error *err)
{
    switch (result) {
    case 0:
        return IMAP_OK;
    case EAI_NONAME:
    case EAI_NODATA:
        return unreachable(err, imap_error_set(err, IMAP_SYS, "there is no host named %.100s", host));
    case EAI_SERVICE:
        return imap_error_set(err, IMAP_SYS, "there is no port named %.40s", port);
    case EAI_AGAIN:
        return imap_error_set(err, IMAP_AGAIN, "the name %.100s cannot be looked up now: is the network up?",
                              host);
    case EAI_SYSTEM:
        return imap_error_sys(err, sys_errno, "looking up %.100s", host);
    default:
        return unreachable(
            err, imap_error_set(err, IMAP_SYS, "looking up %.100s: %.80s", host, gai_strerror(result)));
    }
}

enum imap_status imap_resolve(const char *host, const char *port, int64_t deadline_ms, int cancel_fd,
                              struct addrinfo **list_out, struct imap_error *err)
{
    /* An address needs no resolver, nor a configured interface of its family. */
    if (look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV, list_out) == 0)
        return IMAP_OK;

    struct lookup *lookup = imap_xcalloc(1, sizeof(*lookup));
    atomic_init(&lookup->users, 1);
    lookup->done_fd = imap_net_wake_new();
    lookup->host = imap_xstrdup(host);
    lookup->port = imap_xstrdup(port);

    atomic_fetch_add(&lookup->users, 1);
    enum imap_status status = start_thread(lookup, err);
    if (status != IMAP_OK) {
        atomic_fetch_sub(&lookup->users, 1);
    } else {
        status = imap_net_wait(lookup->done_fd, POLLIN, deadline_ms, cancel_fd, err);
        if (status == IMAP_AGAIN)
            imap_error_set(err, status, "the name %.100s was not resolved in time", host);
    }
    if (status == IMAP_OK && atomic_load(&lookup->done))
        status = describe(lookup->result, lookup->sys_errno, host, port, err);
    if (status == IMAP_OK) {
        *list_out = lookup->list;
        lookup->list = NULL;
    }
    lookup_unref(lookup);
    return status;
}
