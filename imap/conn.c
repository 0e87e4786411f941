/* SPDX-License-Identifier: MIT */
/*
 * conn: the thread of one connection.
 *
 *      OFF --wanted--> DIALING --logged in--> READY --lost--> OFF (or DIALING again)
 *       ^                 |failed               |unused, or retired
 *       +-----------------+---------------------+
 *
 * 1. It alone touches its line. Others reach it by the pool's queues and wake_fd.
 * 2. It gives a command that needs a mailbox to the session only when that mailbox is selected, and
 *    changes the mailbox only when none of its commands is in flight.
 * 3. The state is told to the pool before the commands of a lost line are failed, so that what their
 *    callbacks submit finds its way around this connection.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "dial.h"
#include "pool_impl.h"

#define GOODBYE_MS 300

/* ---- what the session tells ------------------------------------------------------------------------ */

static uint32_t uid_of(const struct imap_session *session, const struct imap_response *response)
{
    if (response->type == IMAP_RESP_FETCH && response->fetch.uid != 0)
        return response->fetch.uid;
    if (response->type == IMAP_RESP_FETCH || response->type == IMAP_RESP_EXPUNGE)
        return imap_session_uid(session, response->number);
    return 0;
}

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct imap_conn *conn = arg;
    const struct imap_pool *pool = conn->pool;

    imap_line_note(&conn->line, response);
    if (conn->ready && conn->selecting)
        imap_conn_select_says(conn, response);
    if (conn->ready)
        imap_conn_notify_untagged(conn, response);
    if (!conn->ready || conn->enabling || conn->selecting || !pool->events.untagged)
        return;
    pool->events.untagged(pool->arg, conn->index, conn->selected ? conn->selected->name : NULL, response,
                          uid_of(conn->line.session, response));
}

static void on_unasked(void *arg, const struct imap_response *response)
{
    struct imap_conn *conn = arg;

    if (conn->ready)
        imap_conn_notify_unasked(conn, response);
}

static void on_trace(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    const struct imap_conn *conn = arg;
    conn->pool->events.trace(conn->pool->arg, conn->index, direction, line, len);
}

/* ---- selecting -------------------------------------------------------------------------------------- */

static void tell_left(struct imap_conn *conn)
{
    struct imap_pool *pool = conn->pool;

    conn->told_idling = false;
    if (!conn->left)
        return;
    if (pool->events.deselected)
        pool->events.deselected(pool->arg, conn->index, conn->left->name);
    pthread_mutex_lock(&pool->lock);
    imap_place_put(pool, &conn->left);
    pthread_mutex_unlock(&pool->lock);
}

static void leave_mailbox(struct imap_conn *conn)
{
    pthread_mutex_lock(&conn->pool->lock);
    conn->left = conn->selected;
    conn->selected = NULL;
    pthread_mutex_unlock(&conn->pool->lock);
    tell_left(conn);
}

static bool is_line_lost(enum imap_status status)
{
    return status == IMAP_AGAIN || status == IMAP_UNSURE || status == IMAP_CANCEL || status == IMAP_SYS;
}

/* Dovecot 2.3 and others say so without [NONEXISTENT]. */
static bool says_nonexistent(const struct imap_error *error)
{
    return error->status == IMAP_NO && error->code == IMAP_CODE_NONE &&
           (strcasestr(error->text, "doesn't exist") || strcasestr(error->text, "does not exist") ||
            strcasestr(error->text, "no such mailbox") || strcasestr(error->text, "nonexistent"));
}

/* What a session of Dovecot 2.3 that had a mailbox selected when it was deleted may say from then on, also when
 * there is another one of that name: only a new session can select that. */
static bool is_stuck(struct imap_conn *conn, const struct imap_result *result)
{
    return conn->selections > 0 && result->status == IMAP_NO &&
           strcasestr(result->error->text, "deleted under us");
}

/* A mailbox that cannot be selected is an error for all who need it. A line lost meanwhile is not: they
 * wait for the next one, but for those who have waited long already. */
static void select_failed(struct imap_conn *conn, const struct imap_error *why)
{
    struct imap_pool *pool = conn->pool;
    struct imap_job_queue jobs;
    struct imap_error error = *why;
    int64_t queued_ms = IMAP_NET_FOREVER;

    if (is_line_lost(why->status)) {
        error.status = IMAP_AGAIN;
        queued_ms = imap_net_now() - (int64_t)pool->endpoint.timeout_ms;
    }
    if (says_nonexistent(why))
        error.status = IMAP_GONE;
    imap_job_queue_init(&jobs);
    pthread_mutex_lock(&pool->lock);
    conn->selecting = false;
    if (conn->heading)
        imap_job_dequeue_all(pool, conn->heading, imap_pool_serves(pool, conn), queued_ms, &jobs);
    if (conn->heading && !is_line_lost(why->status))
        imap_pool_watch_drop(pool, conn->heading);
    conn->watching = false;
    imap_place_put(pool, &conn->heading);
    pthread_mutex_unlock(&pool->lock);
    imap_job_fail_all(pool, &jobs, &error);
}

static void start_select(struct imap_conn *conn);

static void on_selected(void *arg, const struct imap_result *result)
{
    struct imap_conn *conn = arg;
    struct imap_pool *pool = conn->pool;

    if (imap_conn_select_refused(conn, result)) {
        start_select(conn);
        return;
    }
    if (is_stuck(conn, result)) {
        conn->stuck = true; /* and still selecting, for what waits for it goes on waiting */
        return;
    }
    if (result->status != IMAP_OK) {
        select_failed(conn, result->error);
        return;
    }
    conn->selections++;
    pthread_mutex_lock(&pool->lock);
    conn->selecting = false;
    conn->selected = conn->heading;
    conn->heading = NULL;
    pthread_mutex_unlock(&pool->lock);
    if (pool->events.selected)
        pool->events.selected(pool->arg, conn->index, imap_session_selected(conn->line.session),
                              conn->resuming && !conn->awaits_closed);
}

/* conn->heading is ours from here on: while selecting is set nobody else changes it. */
static void start_select(struct imap_conn *conn)
{
    const struct imap_command_events events = {.done = on_selected};
    const char *name = conn->heading->name;
    struct imap_command *command = imap_command_new(conn->pool->read_write ? "SELECT" : "EXAMINE");

    conn->awaits_closed = conn->selected != NULL;
    leave_mailbox(conn);
    imap_command_mailbox(command, name, strlen(name));
    imap_conn_select_with(conn, name, command);
    imap_command_on(command, &events, conn);
    imap_session_submit(conn->line.session, command, NULL);
}

/* ---- work ------------------------------------------------------------------------------------------- */

/* True, once, when the session may not know yet of messages that others have seen. */
static bool is_behind(struct imap_conn *conn, const struct imap_job *job)
{
    if (!job->place->name || conn->seen == job->place->changes)
        return false;
    conn->seen = job->place->changes;
    return conn->index > 0; /* the watcher is the one who saw them, or asks anyway */
}

static enum imap_pool_action next_action(struct imap_conn *conn, struct imap_job **job_out, bool *behind_out)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    conn->woken = false;
    enum imap_pool_action action = imap_pool_decide(pool, conn, now, job_out);
    if (action == IMAP_POOL_TAKE) {
        imap_job_dequeue(pool, *job_out);
        (*job_out)->conn = conn;
        *behind_out = is_behind(conn, *job_out);
        conn->jobs++;
        conn->weight += (*job_out)->weight;
    } else if (action == IMAP_POOL_SELECT) {
        conn->selecting = true;
        conn->seen = conn->heading->changes;
        conn->replaced = conn->heading->replaced;
    } else {
        imap_pool_dispatch(pool, now);
    }
    pthread_mutex_unlock(&pool->lock);
    return action;
}

static void take_work(struct imap_conn *conn)
{
    const struct imap_session *session = conn->line.session;
    struct imap_job *job;
    bool behind;

    /* What is enabled decides what SELECT asks for, and ENABLE lets nothing pass it anyway. */
    while (imap_session_state(session) <= IMAP_STATE_SELECTED && !conn->enabling) {
        switch (next_action(conn, &job, &behind)) {
        case IMAP_POOL_TAKE:
            if (behind)
                imap_session_submit(conn->line.session, imap_command_new("NOOP"), NULL);
            imap_job_run(conn, job);
            break;
        case IMAP_POOL_SELECT:
            start_select(conn);
            break;
        case IMAP_POOL_NOTHING:
            return;
        }
    }
}

static bool is_closing(struct imap_conn *conn)
{
    return imap_net_wait(conn->pool->cancel_fd, POLLIN, 0, -1, NULL) == IMAP_OK;
}

/* Unused for long, or asked to make room for another: hangs up unless work came up just now. */
static bool close_if_done(struct imap_conn *conn, int64_t now)
{
    struct imap_pool *pool = conn->pool;

    pthread_mutex_lock(&pool->lock);
    bool retire = conn->retire;
    pthread_mutex_unlock(&pool->lock);
    if (!(retire && imap_session_pending(conn->line.session) == 0) && !imap_conn_unused(conn, now))
        return false;
    if (!imap_pool_conn_close(conn))
        return false;
    conn->ready = false;
    tell_left(conn);
    imap_hang_up(&conn->line, now + GOODBYE_MS);
    return true;
}

/* The server may take the mailbox away (CLOSED, or one deleted under us). */
static void notice_deselection(struct imap_conn *conn)
{
    if (conn->selected && imap_session_state(conn->line.session) != IMAP_STATE_SELECTED)
        leave_mailbox(conn);
}

/* One turn. False: closed on purpose, or for *why when that is set. */
static bool turn(struct imap_conn *conn, struct imap_error *why)
{
    struct imap_pool *pool = conn->pool;
    struct imap_line *line = &conn->line;

    int64_t notify_at = imap_conn_notify_due(conn, imap_net_now());
    imap_conn_prove(conn);
    take_work(conn);
    int64_t now = imap_net_now();
    int64_t until = imap_conn_idle(conn, now);
    if (notify_at < until)
        until = notify_at;
    if (imap_line_flush(line, why) != IMAP_OK)
        return false;
    imap_conn_show(conn);
    unsigned told = imap_line_wait(line, conn->wake_fd, pool->cancel_fd, until);
    if (told & IMAP_LINE_CANCELLED)
        return false;
    if (told & IMAP_LINE_WOKEN)
        imap_net_wake_drain(conn->wake_fd);
    if (imap_line_receive(line, why) != IMAP_OK)
        return false;
    if (imap_line_check_silence(line, why) != IMAP_OK) {
        why->sys_errno = ETIMEDOUT; /* it may yet do what it was asked for */
        return false;
    }
    notice_deselection(conn);
    imap_conn_idle_tell(conn);
    if (conn->stuck) {
        imap_error_set(why, IMAP_AGAIN, "the server needs a new session to select the mailbox");
        return false;
    }
    return !close_if_done(conn, imap_net_now());
}

/* ---- the life of a line ----------------------------------------------------------------------------- */

/* IDLE, or the NOOP that stands for it, is no obstacle; work under way is, as its answers may be long. */
static void say_goodbye(struct imap_conn *conn)
{
    conn->ready = false;
    if (conn->jobs == 0 && !conn->selecting)
        imap_hang_up(&conn->line, imap_net_now() + GOODBYE_MS);
}

static void work(struct imap_conn *conn)
{
    struct imap_error why = {0};

    conn->ready = true;
    conn->stuck = false;
    conn->selections = 0;
    conn->ready_at = imap_net_now();
    conn->quiet_at = 0;
    imap_conn_enable(conn);
    imap_pool_conn_up(conn);
    while (turn(conn, &why))
        ;
    if (why.status == IMAP_OK) {
        if (is_closing(conn))
            say_goodbye(conn);
        return;
    }
    if (conn->selecting)
        select_failed(conn, &why);
    imap_pool_conn_lost(conn, &why);
    imap_conn_notify_over(conn);
    tell_left(conn);
    imap_session_lost(conn->line.session, &why);
}

static void dial(struct imap_conn *conn)
{
    struct imap_pool *pool = conn->pool;
    const struct imap_session_events events = {
        .untagged = on_untagged, .unasked = on_unasked, .trace = pool->events.trace ? on_trace : NULL};
    struct imap_error why = {0};

    imap_line_init(&conn->line, &pool->endpoint, &events, conn);
    conn->line.octets = &conn->octets;
    if (imap_conn_dial(conn, &why) == IMAP_OK)
        work(conn);
    else
        imap_pool_conn_failed(conn, &why);
    conn->ready = false;
    imap_line_fini(&conn->line);
}

/* True when it is time to dial; else how long to wait for it. */
static bool is_due(struct imap_conn *conn, int64_t *until_out)
{
    struct imap_pool *pool = conn->pool;
    int64_t now = imap_net_now();

    pthread_mutex_lock(&pool->lock);
    conn->woken = false;
    bool wanted = conn->state == IMAP_CONN_DIALING;
    bool due = wanted && now >= conn->dial_at;
    *until_out = wanted ? conn->dial_at : IMAP_NET_FOREVER;
    if (due)
        conn->last_dial = now;
    pthread_mutex_unlock(&pool->lock);
    return due;
}

void *imap_conn_main(void *arg)
{
    struct imap_conn *conn = arg;
    int64_t until;

    while (!is_closing(conn)) {
        if (is_due(conn, &until)) {
            dial(conn);
            continue;
        }
        if (imap_net_wait(conn->wake_fd, POLLIN, until, conn->pool->cancel_fd, NULL) == IMAP_CANCEL)
            break;
        imap_net_wake_drain(conn->wake_fd);
    }
    return NULL;
}
