/* SPDX-License-Identifier: MIT */
/*
 * Idling: one IDLE command serves all idlers. It is sent when nothing else is to be done, gives way to other
 * verbs, and is sent again after them. What comes meanwhile and answers no verb is told to the idlers.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "answer_build.h"
#include "client_impl.h"
#include "imap/idle.h"
#include "mem.h"

#define ITERATOR_BYTES ((size_t)64 << 20)

/* ---- idlers; on the thread -------------------------------------------------------------------------- */

/* The server talks about itself in status responses ("* OK Still here"). */
static bool is_change(const struct imap_response *response)
{
    switch (response->type) {
    case IMAP_RESP_OK:
    case IMAP_RESP_NO:
    case IMAP_RESP_BAD:
    case IMAP_RESP_BYE:
    case IMAP_RESP_PREAUTH:
    case IMAP_RESP_CAPABILITY:
        return false;
    default:
        return true;
    }
}

void imap_client_idle_tell(struct imap_client *client, const struct imap_response *response)
{
    bool change = is_change(response);

    for (struct imap_entry *entry = client->idling.first; entry; entry = entry->next) {
        imap_entry_add(entry, response);
        if (change && !entry->call.response)
            entry->told = true;
    }
}

static void tell_begun(const struct imap_client *client)
{
    for (struct imap_entry *entry = client->idling.first; entry; entry = entry->next)
        if (entry->begun && !atomic_load(&entry->over))
            entry->begun(entry->call.arg);
}

void imap_client_idle_join(struct imap_entry *entry)
{
    if (entry->client->idle_begun && entry->begun)
        entry->begun(entry->call.arg);
}

static bool is_due(const struct imap_entry *entry, int64_t now)
{
    return entry->told || atomic_load(&entry->stop) || now >= entry->end_at;
}

static void end_due(struct imap_client *client, int64_t now)
{
    static const struct imap_error fine;
    struct imap_entry *next;

    for (struct imap_entry *entry = client->idling.first; entry; entry = next) {
        next = entry->next;
        if (is_due(entry, now))
            imap_entry_end(entry, IMAP_OK, &fine);
    }
}

void imap_client_idle_fail(struct imap_client *client, const struct imap_error *why)
{
    struct imap_entry *entry;

    while ((entry = client->idling.first) != NULL)
        imap_entry_end(entry, why->status, why);
}

/* Whether anybody wants to be told on; *until_out: when that may change. */
static bool is_wanted(const struct imap_client *client, int64_t now, int64_t *until_out)
{
    bool wanted = false;

    for (const struct imap_entry *entry = client->idling.first; entry; entry = entry->next) {
        if (atomic_load(&entry->over) || is_due(entry, now))
            continue;
        wanted = true;
        if (entry->end_at < *until_out)
            *until_out = entry->end_at;
    }
    return wanted;
}

/* ---- the command ------------------------------------------------------------------------------------ */

static void on_begun(void *arg, const char *text, size_t len)
{
    struct imap_client *client = arg;

    (void)text, (void)len;
    client->idle_begun = true;
    tell_begun(client);
}

/* Its end by DONE is what was asked for, or what a verb that is queued made the session do. */
static void on_idle_done(void *arg, const struct imap_result *result)
{
    struct imap_client *client = arg;
    bool begun = client->idle_begun;
    bool by_itself = !client->idle_asked && imap_session_pending(client->line.session) == 0;
    int64_t now = imap_net_now();
    struct imap_error error = *result->error;

    client->idle_sent = client->idle_begun = false;
    imap_client_look(client);
    if (result->status == IMAP_OK && !begun)
        imap_error_set(&error, IMAP_NO, "the server ends IDLE before it has begun");
    if (error.status != IMAP_OK) {
        imap_client_idle_fail(client, &error);
        return;
    }
    end_due(client, now);
    if (by_itself)
        client->idle_not_before = now + client->timing.idle_pause;
    else
        client->idle_not_before = client->idle_asked ? now : now + client->timing.idle_grace;
}

static bool can_idle(struct imap_client *client, struct imap_error *err)
{
    const struct imap_session *session = client->line.session;

    if (imap_session_caps_known(session) && !imap_caps_has(imap_session_caps(session), IMAP_CAP_IDLE)) {
        imap_error_set(err, IMAP_NO, "the server has no IDLE");
        return false;
    }
    return true;
}

static void send_idle(struct imap_client *client, int64_t now)
{
    static const struct imap_command_events events = {.continuation = on_begun, .done = on_idle_done};
    struct imap_command *command;
    struct imap_error err;

    if (!can_idle(client, &err)) {
        imap_client_idle_fail(client, &err);
        return;
    }
    client->idle_sent = true;
    client->idle_begun = client->idle_asked = false;
    client->idle_renew_at = now + client->timing.idle_renew;
    command = imap_command_new("IDLE");
    imap_command_on(command, &events, client);
    imap_session_submit(client->line.session, command, NULL); /* refused: on_idle_done has told */
}

static void ask_for_end(struct imap_client *client)
{
    client->idle_asked = true;
    imap_session_idle_done(client->line.session);
}

/* Since when there has been nothing else to do decides when idling goes on. */
static int64_t start_when_quiet(struct imap_client *client, int64_t now)
{
    if (imap_session_pending(client->line.session) > 0 || client->held) {
        client->idle_not_before = now + client->timing.idle_grace;
        return IMAP_NET_FOREVER;
    }
    if (now < client->idle_not_before)
        return client->idle_not_before;
    send_idle(client, now);
    return client->idle_sent ? client->idle_renew_at : IMAP_NET_FOREVER;
}

int64_t imap_client_idle_turn(struct imap_client *client, int64_t now)
{
    int64_t until = IMAP_NET_FOREVER;
    bool wanted = is_wanted(client, now, &until);
    int64_t next;

    if (wanted || !client->idle_sent)
        end_due(client, now); /* else they get what still comes before the end of IDLE */
    if (client->idle_sent) {
        if (!wanted || client->held || now >= client->idle_renew_at)
            ask_for_end(client);
        next = client->idle_asked ? IMAP_NET_FOREVER : client->idle_renew_at;
    } else {
        next = wanted ? start_when_quiet(client, now) : IMAP_NET_FOREVER;
    }
    return next < until ? next : until;
}

/* ---- the verbs -------------------------------------------------------------------------------------- */

static struct imap_entry *new_idler(struct imap_client *client, unsigned duration_ms)
{
    struct imap_entry *entry = imap_entry_new(client, IMAP_ENTRY_IDLER);

    if (duration_ms > 0)
        entry->end_at = imap_net_now() + (int64_t)duration_ms;
    return entry;
}

enum imap_status imap_client_idle(struct imap_client *client, unsigned duration_ms, struct imap_call *call)
{
    return imap_client_call(client, new_idler(client, duration_ms), call);
}

enum imap_status imap_client_notify(struct imap_client *client, bool status, const char *events,
                                    struct imap_call *call)
{
    struct imap_command *command = imap_command_new("NOTIFY");

    imap_command_raw(command, events ? "SET" : "NONE");
    if (events && status)
        imap_command_raw(command, "STATUS");
    if (events)
        imap_command_raw(command, events);
    return imap_client_command(client, &command, call);
}

/* ---- the iterator ----------------------------------------------------------------------------------- */

struct imap_idle {
    struct imap_client *client;
    uint64_t id;
    struct imap_answer *shown; /* what next returned last */

    pthread_mutex_t lock; /* a leaf, like the client's */
    pthread_cond_t changed;
    /* guarded by lock */
    struct imap_backlog backlog;
    bool begun, over, overrun;
    enum imap_status status; /* when over */
    struct imap_error error;
};

static void on_iterator_begun(void *arg)
{
    struct imap_idle *idle = arg;

    pthread_mutex_lock(&idle->lock);
    idle->begun = true;
    pthread_cond_broadcast(&idle->changed);
    pthread_mutex_unlock(&idle->lock);
}

static void on_iterator_response(void *arg, const struct imap_response *response)
{
    struct imap_idle *idle = arg;

    pthread_mutex_lock(&idle->lock);
    if (!idle->overrun)
        idle->overrun = !imap_backlog_add(&idle->backlog, response);
    pthread_cond_broadcast(&idle->changed);
    pthread_mutex_unlock(&idle->lock);
}

static void on_iterator_done(void *arg, const struct imap_answer *answer)
{
    struct imap_idle *idle = arg;

    pthread_mutex_lock(&idle->lock);
    idle->over = true;
    idle->status = imap_answer_status(answer);
    idle->error = *imap_answer_error(answer);
    pthread_cond_broadcast(&idle->changed);
    pthread_mutex_unlock(&idle->lock);
}

static struct imap_idle *new_iterator(struct imap_client *client)
{
    struct imap_idle *idle = imap_xcalloc(1, sizeof(*idle));
    pthread_condattr_t monotonic;

    idle->client = client;
    imap_backlog_init(&idle->backlog, ITERATOR_BYTES, false);
    pthread_mutex_init(&idle->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&idle->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return idle;
}

static void free_iterator(struct imap_idle *idle)
{
    imap_answer_unref(&idle->shown);
    imap_backlog_fini(&idle->backlog);
    pthread_cond_destroy(&idle->changed);
    pthread_mutex_destroy(&idle->lock);
    free(idle);
}

static enum imap_status refuse_to_block(struct imap_error *err)
{
    return imap_error_set(err, IMAP_USAGE, "a callback cannot wait for what the server says");
}

enum imap_status imap_idle_begin(struct imap_client *client, unsigned duration_ms,
                                 struct imap_idle **idle_out, struct imap_error *err)
{
    *idle_out = NULL;
    if (imap_client_is_own_thread(client))
        return refuse_to_block(err);

    struct imap_idle *idle = new_iterator(client);
    struct imap_call call = {.done = on_iterator_done, .response = on_iterator_response, .arg = idle};
    struct imap_entry *entry = new_idler(client, duration_ms);
    entry->begun = on_iterator_begun;
    enum imap_status status = imap_client_call(client, entry, &call);

    idle->id = call.id;
    pthread_mutex_lock(&idle->lock);
    while (!idle->begun && !idle->over)
        pthread_cond_wait(&idle->changed, &idle->lock);
    if (!idle->begun)
        status = idle->status;
    if (status != IMAP_OK && err)
        *err = idle->error;
    pthread_mutex_unlock(&idle->lock);
    if (status == IMAP_OK)
        *idle_out = idle;
    else
        free_iterator(idle);
    return status;
}

/* With the lock. True when next need not wait: something is there, or nothing will be any more. */
static bool has_next(const struct imap_idle *idle)
{
    return idle->backlog.first || idle->over || idle->overrun;
}

static void await_next(struct imap_idle *idle, unsigned wait_ms)
{
    int64_t deadline_ms = imap_net_now() + (int64_t)wait_ms;
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    int rc = 0;

    while (!has_next(idle) && rc == 0)
        rc = wait_ms == UINT_MAX ? pthread_cond_wait(&idle->changed, &idle->lock)
                                 : pthread_cond_timedwait(&idle->changed, &idle->lock, &until);
}

/* With the lock: what to say when nothing has come. */
static enum imap_status set_nothing(const struct imap_idle *idle, struct imap_error *err)
{
    if (idle->overrun)
        return imap_error_set(err, IMAP_LIMIT, "the server says more than is kept for who asks too seldom");
    if (idle->over) {
        if (idle->status != IMAP_OK && err)
            *err = idle->error;
        return idle->status;
    }
    imap_error_set(err, IMAP_AGAIN, "the server has said nothing");
    if (err)
        err->sys_errno = ETIMEDOUT;
    return IMAP_AGAIN;
}

enum imap_status imap_idle_next(struct imap_idle *idle, unsigned wait_ms,
                                const struct imap_response **response_out, struct imap_error *err)
{
    struct imap_backlog one;
    enum imap_status status = IMAP_OK;

    *response_out = NULL;
    imap_answer_unref(&idle->shown);
    if (wait_ms > 0 && imap_client_is_own_thread(idle->client))
        return refuse_to_block(err);
    imap_backlog_init(&one, ITERATOR_BYTES, false);
    pthread_mutex_lock(&idle->lock);
    await_next(idle, wait_ms);
    imap_backlog_move(&idle->backlog, &one, false);
    if (!one.first)
        status = set_nothing(idle, err);
    pthread_mutex_unlock(&idle->lock);
    if (one.first) {
        idle->shown = imap_backlog_answer(&one);
        *response_out = imap_answer_any(idle->shown, NULL);
    }
    imap_backlog_fini(&one);
    return status;
}

static void stop(struct imap_client *client, uint64_t id)
{
    pthread_mutex_lock(&client->lock);
    for (struct imap_entry *entry = client->idling.first; entry; entry = entry->next)
        if (entry->id == id)
            atomic_store(&entry->stop, true);
    pthread_mutex_unlock(&client->lock);
    imap_net_wake(client->wake_fd);
}

enum imap_status imap_idle_end(struct imap_idle **idle_ptr, struct imap_error *err)
{
    struct imap_idle *idle = *idle_ptr;

    if (!idle)
        return IMAP_OK;
    pthread_mutex_lock(&idle->lock);
    bool over = idle->over;
    pthread_mutex_unlock(&idle->lock);
    if (!over && imap_client_is_own_thread(idle->client))
        return refuse_to_block(err);
    if (!over)
        stop(idle->client, idle->id);
    pthread_mutex_lock(&idle->lock);
    while (!idle->over)
        pthread_cond_wait(&idle->changed, &idle->lock);
    enum imap_status status = idle->status;
    if (status != IMAP_OK && err)
        *err = idle->error;
    pthread_mutex_unlock(&idle->lock);
    free_iterator(idle);
    *idle_ptr = NULL;
    return status;
}
