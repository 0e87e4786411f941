/* SPDX-License-Identifier: MIT */
/*
 * pool_impl: the pool's inside, shared by pool*.c and conn*.c.
 *
 * Jobs wait in the pool, sorted by the mailbox that they need, until a connection has room for them
 * (late binding): a lane that is slow or lost holds nothing back but what it has in flight.
 *
 * Threads: one lock guards what is marked so. It is a leaf: nothing is called under it that could
 * block or come back, and it is never held across I/O or a callback. What is not marked belongs to the
 * connection's thread, or is constant.
 */
#ifndef IMAP_POOL_IMPL_H
#define IMAP_POOL_IMPL_H

#include <pthread.h>

#include "imap/auth.h"
#include "imap/pool.h"

#include "line.h"
#include "octets.h"
#include "pool_queue.h"

#define IMAP_POOL_MAX 16

enum imap_conn_state {
    IMAP_CONN_OFF,
    IMAP_CONN_DIALING, /* or about to, at dial_at */
    IMAP_CONN_READY
};

struct imap_conn {
    struct imap_pool *pool;
    unsigned index;
    int wake_fd;

    /* guarded by lock */
    pthread_t thread;
    bool started;
    bool woken; /* wake_fd was signalled since the thread last looked */
    enum imap_conn_state state;
    bool retire;  /* to be closed when nothing is in flight */
    bool doubted; /* is to show that it is alive */
    size_t jobs;  /* taken and not done */
    uint64_t weight;
    struct imap_place *heading; /* counted; to be selected when nothing is in flight any more */
    bool watching;              /* a lane: idles on its mailbox, or is to idle on heading */
    int64_t worked_at;          /* the last of its jobs was done */
    bool selecting;             /* being selected now */
    unsigned seen;              /* of its mailbox's changes: those that its session shows */
    unsigned replaced;          /* as its mailbox's was when it began to select it */
    int64_t down_since;         /* wanted in vain since; 0 while READY and while nobody wants it */
    int64_t dial_at, last_dial; /* the next attempt; when the last one began */
    int64_t pause_ms;           /* before the next attempt but one */
    /* changed by the thread alone, with the lock; so it may read it without */
    struct imap_place *selected; /* counted; NULL: none */

    /* the thread's own */
    struct imap_line line;
    struct imap_place *left; /* counted; to be told as deselected */
    bool ready;              /* logged in: responses are the caller's business */
    bool idle_broken;        /* the server offers IDLE and refuses it */
    bool told_idling;        /* for this selection */
    bool enabling;           /* ENABLE is not answered yet */
    bool qresync;            /* enabled on this line */
    bool plain_select;       /* the server refuses parameters of SELECT */
    bool with_parameters;    /* the SELECT under way has some */
    bool repeating;          /* it is the one before, without them */
    bool resuming;           /* the SELECT under way asks what has changed */
    bool stuck;              /* the line is to be given up for a new one */
    unsigned selections;     /* on this line */
    bool awaits_closed;      /* what comes is still about the mailbox that was (RFC 7162 3.2.11) */
    bool notifying;          /* NOTIFY is not answered yet */
    bool notified;           /* the server has agreed to it, and the caller knows */
    enum imap_notify_form {
        IMAP_NOTIFY_FULL,
        IMAP_NOTIFY_PERSONAL,
        IMAP_NOTIFY_LESS,
        IMAP_NOTIFY_NONE
    } notify_form;        /* what the server has not refused yet on this line */
    bool notify_subtrees; /* asked for with the NOTIFY that was said last ... */
    bool notify_less;     /* ... or wanted and not asked for */
    int64_t notify_at;    /* to be said again; 0: never */
    int64_t ready_at;     /* logged in since; while READY anybody may read it with the lock */
    int64_t quiet_at;     /* nothing pending since; 0: something is */
    int64_t idle_at;      /* when IDLE was sent */
    char *token;          /* while logging in */

    /* for anybody to read (pool_status.c) */
    struct imap_octets octets; /* of all its lines */
    struct {
        _Atomic unsigned flags;
        _Atomic uint64_t enabled;
        _Atomic int64_t due_ms;
    } shown;
};

struct imap_pool_timing {
    int64_t backoff_first, backoff_max; /* pauses between attempts to connect */
    int64_t stable;                     /* a line that lasted this long resets the pause */
    int64_t no_more;                    /* after a further connection failed */
    int64_t impatient;                  /* new work may cut a pause short that has lasted this long */
    int64_t idle_grace, idle_renew, noop;
    int64_t proof;        /* a line that is doubted has to answer within */
    int64_t notify_renew; /* NOTIFY is said again so often ... */
    int64_t notify_retry; /* ... and so soon after the server had to give it up */
    int64_t lane_unused;  /* then it is closed */
    int64_t look_again;   /* the clock dispatches so often while jobs wait */
    int64_t starving;     /* a job that waited this long makes a lane change its mailbox */
    int64_t crowded;      /* one that waited this long shows that the lanes cannot keep up */
    int64_t
        settle; /* a mailbox is wanted, or a lane without work, so long before the one idles on the other */
    int64_t watch_again; /* after a lane could not be opened: before one is opened only to idle */
};

/* A mailbox to be watched. */
struct imap_pool_wanted {
    struct imap_place *place; /* counted */
    int64_t since;
};

struct imap_pool {
    struct imap_endpoint endpoint;        /* a copy of our own */
    struct imap_credentials *credentials; /* likewise, or NULL */
    pthread_mutex_t
        token_lock; /* for one at a time in the caller's token, which may take its time; nothing else
                                 * is guarded by it, or taken under it */
    struct imap_pool_events events;
    void *arg;
    unsigned count;
    bool read_write;
    bool compress;
    bool offline;
    struct imap_pool_timing timing; /* ms; tests shorten it before the first use */
    int cancel_fd;                  /* readable from imap_pool_free on */
    pthread_t clock;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the clock and imap_pool_connect */
    /* guarded by lock */
    bool closing;
    struct imap_place *places;
    uint64_t next_number;
    size_t queued[IMAP_JOB_KINDS];
    uint64_t random;       /* for the jitter */
    bool notify_again;     /* connection 0 is to say NOTIFY */
    bool clock_idle;       /* the clock sleeps until it is told that jobs wait */
    bool persist;          /* connection 0 is dialled again and again */
    bool refused;          /* it could not be had, and nothing else stands: no work waits for it */
    int64_t down_since;    /* wanted and none is ready since; else 0 */
    bool idle_refused;     /* to a lane */
    bool lane_failed;      /* no lane can be had: connection 0 stands in */
    int64_t no_more_until; /* so none is opened before */
    struct imap_pool_wanted wanted[IMAP_POOL_MAX]; /* the most wanted first */
    size_t wanted_count;
    int64_t wanted_until;
    int64_t no_watch_until; /* lanes are hard to get: none is opened only to idle */
    struct imap_error why;  /* the last failure or loss */
    unsigned attempts;      /* of connection 0 that have ended, for imap_pool_connect ... */
    enum imap_status attempt_status;
    struct imap_error attempt_error; /* ... and how the last one did */
    struct imap_caps caps;
    bool caps_known;
    bool reachable, told, telling; /* told: what the caller knows, ... */
    enum imap_status told_why;     /* ... and why it is not */

    struct imap_conn conn[IMAP_POOL_MAX];
};

/* ---- pool_sched.c: who does what; with the lock --------------------------------------------------- */
enum imap_pool_action { IMAP_POOL_NOTHING, IMAP_POOL_TAKE, IMAP_POOL_SELECT };
/* What conn should do next. TAKE: *job_out, still queued. SELECT: conn->heading, for which nothing
 * stands in the way any more. NOTHING: it may have got a heading, to come when it has drained. */
enum imap_pool_action imap_pool_decide(struct imap_pool *pool, struct imap_conn *conn, int64_t now,
                                       struct imap_job **job_out);
/* To be called after any change: wakes whoever can act; opens a connection where nobody can. */
void imap_pool_dispatch(struct imap_pool *pool, int64_t now);
/* The kinds that conn does, as bits. */
unsigned imap_pool_serves(const struct imap_pool *pool, const struct imap_conn *conn);
bool imap_pool_any_ready(const struct imap_pool *pool);

/* ---- pool_watch.c: lanes that idle; with the lock -------------------------------------------------- */
/* After any change: lanes go to what is to be watched, or need not be there any more. */
void imap_pool_watch_assign(struct imap_pool *pool, int64_t now);
/* When to look again; IMAP_NET_FOREVER: not by time alone. */
int64_t imap_pool_watch_due(const struct imap_pool *pool, int64_t now);
/* It cannot be selected. */
void imap_pool_watch_drop(struct imap_pool *pool, const struct imap_place *place);
void imap_pool_watch_forget(struct imap_pool *pool);
/* Without the lock, on conn's thread: it should idle. */
bool imap_pool_watches(struct imap_conn *conn);

/* ---- pool_state.c: connections coming and going --------------------------------------------------- */
/* With the lock: makes it dial, at once or at its dial_at. */
void imap_pool_want(struct imap_pool *pool, struct imap_conn *conn, int64_t now);
void imap_pool_wake(struct imap_conn *conn);
/* With the lock: sets its dial_at, and makes the next pause longer. */
void imap_pool_schedule(struct imap_pool *pool, struct imap_conn *conn, int64_t now);
/* With the lock: dials connection 0 now, if it is waiting to be dialled. */
void imap_pool_dial_now(struct imap_pool *pool, int64_t now);
/* Without the lock, on conn's thread. */
void imap_pool_conn_up(struct imap_conn *conn);
void imap_pool_conn_failed(struct imap_conn *conn, const struct imap_error *why);
void imap_pool_conn_lost(struct imap_conn *conn, const struct imap_error *why);
bool imap_pool_conn_close(struct imap_conn *conn); /* false: it has something to do after all */
/* With the lock: there is no connection for work of this kind, and it is not worth waiting for one. */
bool imap_pool_given_up(const struct imap_pool *pool, enum imap_job_kind kind, int64_t now);
/* The thread that ends the jobs whose grace is over. */
void *imap_pool_clock(void *arg);

/* ---- pool_status.c ------------------------------------------------------------------------------- */
void imap_conn_show(struct imap_conn *conn); /* on its thread, with a session: what others may know of it */

/* ---- conn_select.c: QRESYNC and CONDSTORE on the connection that watches --------------------------- */
void imap_conn_enable(struct imap_conn *conn); /* after login, before anything else is sent */
/* Appends the parameters to a SELECT or EXAMINE. */
void imap_conn_select_with(struct imap_conn *conn, const char *mailbox, struct imap_command *command);
/* An untagged response of SELECT's own. */
void imap_conn_select_says(struct imap_conn *conn, const struct imap_response *response);
/* True when it was the parameters that the server did not like: to be repeated without. */
bool imap_conn_select_refused(struct imap_conn *conn, const struct imap_result *result);

/* ---- conn_notify.c: NOTIFY on the connection that watches ------------------------------------------- */
void imap_conn_notify(struct imap_conn *conn); /* once ENABLE is answered: says it, if it is wanted */
/* When it is to be said again, to be called then at the latest. */
int64_t imap_conn_notify_due(struct imap_conn *conn, int64_t now);
void imap_conn_notify_unasked(struct imap_conn *conn, const struct imap_response *response);
void imap_conn_notify_untagged(struct imap_conn *conn, const struct imap_response *response);
void imap_conn_notify_over(struct imap_conn *conn); /* the line is gone */

/* ---- conn.c, conn_dial.c, conn_idle.c: the connection's thread -------------------------------------- */
void *imap_conn_main(void *arg);
/* Connects and logs in. */
enum imap_status imap_conn_dial(struct imap_conn *conn, struct imap_error *err) IMAP_CHECK;
/* Sends IDLE, its renewal, or NOOP when it is time. Returns when to call again. */
int64_t imap_conn_idle(struct imap_conn *conn, int64_t now);
/* The server may just have begun to idle: tells the caller. */
void imap_conn_idle_tell(struct imap_conn *conn);
/* Makes one that is doubted show that it is alive. */
void imap_conn_prove(struct imap_conn *conn);
/* A lane that has been without work for long. */
bool imap_conn_unused(struct imap_conn *conn, int64_t now);

#endif
