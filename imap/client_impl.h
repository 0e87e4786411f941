/* SPDX-License-Identifier: MIT */
/*
 * client_impl: the client's inside, shared by client*.c.
 *
 * A verb becomes an entry: a command, a procedure (a step of login.h, which needs the line for itself) or an
 * idler (who is to be told of changes). Entries wait in the order of the calls until the thread takes them.
 *
 *      waiting --taken--> running (idling) --answered--> gone
 *         |cancelled, deadline   |cancelled, deadline: the caller is told, a command that was written lives
 *         +------> gone          +------> on as an orphan, whose answers are dropped, until it is answered
 *
 * 1. `over` is set exactly once, under the lock; whoever sets it tells the caller, or has the thread do it.
 * 2. Callbacks are made by the thread alone, without the lock, and none after `done`.
 * 3. Only the thread takes entries off running and idling; so it may walk them without the lock.
 *
 * Threads: one lock guards what is marked so. It is a leaf and never held across a callback or I/O (a signal
 * to an eventfd is none). What is not marked belongs to the thread, or is constant once connected.
 */
#ifndef IMAP_CLIENT_IMPL_H
#define IMAP_CLIENT_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "imap/auth.h"
#include "imap/client.h"

#include "client_log.h"
#include "client_verb.h"
#include "line.h"

enum imap_entry_kind { IMAP_ENTRY_COMMAND, IMAP_ENTRY_PROCEDURE, IMAP_ENTRY_IDLER, IMAP_ENTRY_REFUSED };

/* Runs on the thread, with nothing pending in the session. */
typedef enum imap_status imap_procedure(struct imap_client *client, void *arg, int64_t deadline_ms,
                                        struct imap_error *err);

struct imap_entry_list {
    struct imap_entry *first, *last;
};

struct imap_waiter { /* guarded by lock; on the stack of who blocks */
    pthread_cond_t ended;
    bool over;
    struct imap_answer *answer; /* NULL: cancelled before it was taken */
};

struct imap_entry {
    struct imap_entry *next, *prev;    /* guarded by lock */
    struct imap_entry_list *list;      /* guarded by lock; the one it is in, or NULL */
    struct imap_entry *next_cancelled; /* guarded by lock */
    bool cancelled;                    /* guarded by lock: in that list */
    atomic_bool over;                  /* set under the lock */
    atomic_bool stop;                  /* of an idler: to end well */
    struct imap_waiter *waiter;        /* NULL: who called does not block */

    /* constant */
    struct imap_client *client;
    enum imap_entry_kind kind;
    uint64_t id;
    struct imap_call call; /* the caller's part */
    int64_t deadline_ms;

    /* the thread's */
    struct imap_answer *answer;   /* NULL: nothing yet */
    struct imap_command *command; /* not submitted, or not done */
    imap_client_judge *judge;
    bool repeatable, logout;

    imap_procedure *procedure;
    unsigned states; /* IMAP_IN_, where it is possible */
    const char *name;
    void *arg;
    void (*free_arg)(void *arg);

    int64_t end_at;           /* of an idler */
    bool told;                /* it has what it waits for */
    void (*begun)(void *arg); /* the server idles; call.arg; NULL: nobody wants to know */

    struct imap_error refusal;
};

struct imap_known { /* what the session said last */
    enum imap_state state;
    bool caps_known, encrypted, utf8;
    struct imap_caps caps;
    struct imap_selected selected; /* .name NULL: none */
    char *name;
};

struct imap_client_timing { /* ms */
    int64_t idle_renew;
    int64_t idle_grace; /* quiet for so long after other verbs before idling goes on */
    int64_t idle_pause; /* the same after the server ended IDLE by itself */
};

struct imap_client {
    struct imap_endpoint endpoint; /* a copy of our own */
    struct imap_client_events events;
    struct imap_limits limits;
    bool limited;
    size_t answer_bytes;
    struct imap_client_timing timing; /* tests shorten it before the first use */
    char welcome[1000];
    int wake_fd, cancel_fd; /* cancel_fd: ends a running procedure */
    pthread_t thread;
    struct imap_log log; /* has a lock of its own */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for imap_client_connect and _free */
    /* guarded by lock */
    bool closing;
    bool woken;       /* wake_fd was signalled since the thread last looked */
    unsigned blocked; /* callers that wait */
    uint64_t last_id;
    struct imap_entry_list waiting, running, idling;
    struct imap_entry *cancelled, **cancelled_last; /* the thread is to tell and drop them */
    int64_t soonest;                                /* no deadline is before */
    struct imap_backlog unsolicited;
    bool attempt_over; /* of connecting, with ... */
    enum imap_status attempt;
    struct imap_error attempt_error;
    /* changed by the thread alone, with the lock; so it may read it without */
    struct imap_known known;

    /* the thread's own */
    const struct imap_client_options *options; /* while connecting */
    struct imap_line line;
    bool ready;                /* connected: what comes is the caller's business */
    bool dead;                 /* the line is gone, for ... */
    struct imap_error fate;    /* ... this reason */
    struct imap_entry *logout; /* in the session */
    bool logged_out;
    struct imap_entry *procedure; /* running now */
    bool held;                    /* one waits for its turn */
    bool idle_sent, idle_begun;   /* IDLE is in the session; the server has said "+" */
    bool idle_asked;              /* we have asked for its end */
    int64_t idle_renew_at, idle_not_before;
};

/* ---- client.c ------------------------------------------------------------------------------------- */
/* Thread only: takes over what the session knows now. */
void imap_client_look(struct imap_client *client);
bool imap_client_is_own_thread(const struct imap_client *client);

/* ---- client_thread.c ------------------------------------------------------------------------------ */
void *imap_client_main(void *arg);

/* ---- client_call.c -------------------------------------------------------------------------------- */
struct imap_entry *imap_entry_new(struct imap_client *client, enum imap_entry_kind kind);
/* Queues the entry, blocks if that is wanted. Takes ownership. */
enum imap_status imap_client_call(struct imap_client *client, struct imap_entry *entry,
                                  struct imap_call *call);
/* Thread only, all that follow. */
/* The next one that waits, on its list now; NULL: none, or a procedure that needs the session alone. */
struct imap_entry *imap_client_take(struct imap_client *client, bool alone);
void imap_entry_move(struct imap_entry *entry, struct imap_entry_list *list); /* NULL: to none */
/* Tells the caller, unless he was told: then false. */
bool imap_entry_tell(struct imap_entry *entry, const struct imap_result *result);
void imap_entry_add(struct imap_entry *entry, const struct imap_response *response); /* to what he is told */
/* Off its list and freed, or left to imap_client_end_cancelled. */
void imap_entry_drop(struct imap_entry *entry);
/* Both: tells, drops. error: what became of it. */
void imap_entry_end(struct imap_entry *entry, enum imap_status status, const struct imap_error *error);
void imap_entry_submit(struct imap_entry *entry); /* to the session */
void imap_client_end_cancelled(struct imap_client *client);
/* Ends what is past its deadline; returns when to look again. */
int64_t imap_client_expire(struct imap_client *client, int64_t now);

/* ---- client_idle.c; thread only ------------------------------------------------------------------- */
/* Sends IDLE, DONE, and ends idlers when it is time. Returns when to call again. */
int64_t imap_client_idle_turn(struct imap_client *client, int64_t now);
void imap_client_idle_join(struct imap_entry *entry); /* was just taken */
void imap_client_idle_tell(struct imap_client *client, const struct imap_response *response);
void imap_client_idle_fail(struct imap_client *client, const struct imap_error *why);

#endif
