/* SPDX-License-Identifier: MIT */
/*
 * The client's thread: connects, then turns the line over until it is lost or closed. What comes after is
 * told that, until imap_client_free.
 */
#include <poll.h>
#include <stdio.h>

#include "answer_build.h"
#include "client_impl.h"
#include "cmd.h"
#include "dial.h"
#include "login.h"

static _Thread_local const struct imap_client *driven;

bool imap_client_is_own_thread(const struct imap_client *client)
{
    return driven == client;
}

/* ---- what the session tells ------------------------------------------------------------------------- */

/* Then BYE is no reason to end before LOGOUT is answered. */
static bool is_logging_out(const struct imap_client *client)
{
    return client->logout && client->logout->command->number != 0;
}

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct imap_client *client = arg;

    if (!is_logging_out(client))
        imap_line_note(&client->line, response);
    if (response->type != IMAP_RESP_FETCH)
        imap_client_look(client);
    if (client->procedure)
        imap_entry_add(client->procedure, response);
    if (client->events.untagged)
        client->events.untagged(client->events.arg, response);
}

static void on_unasked(void *arg, const struct imap_response *response)
{
    struct imap_client *client = arg;

    if (!client->ready || client->procedure)
        return;
    if (client->idling.first) {
        imap_client_idle_tell(client, response);
        return;
    }
    pthread_mutex_lock(&client->lock);
    imap_backlog_add(&client->unsolicited, response);
    pthread_mutex_unlock(&client->lock);
}

static void on_trace(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    struct imap_client *client = arg;
    bool untagged = direction == IMAP_TRACE_SERVER && len > 0 && line[0] == '*';

    imap_log_add(&client->log, direction, line, len);
    if (client->events.trace && !(untagged && client->events.trace_level == IMAP_TRACE_COMMANDS))
        client->events.trace(client->events.arg, direction, line, len);
}

/* ---- connecting ------------------------------------------------------------------------------------- */

static int64_t within_timeout(const struct imap_client *client)
{
    return imap_net_now() + (int64_t)client->endpoint.timeout_ms;
}

static enum imap_status dial(struct imap_client *client, struct imap_error *err)
{
    struct imap_line *line = &client->line;

    if (!client->options->no_login)
        return imap_dial(line, client->options->credentials, client->cancel_fd, err);
    enum imap_status status = imap_dial_open(line, client->cancel_fd, err);
    if (status != IMAP_OK)
        return status;
    return imap_login_greet(line, within_timeout(client), client->cancel_fd, err);
}

static bool is_line_gone(const struct imap_client *client, enum imap_status status)
{
    bool as_it_was = status == IMAP_OK || status == IMAP_AUTH || status == IMAP_NO || status == IMAP_USAGE;
    return !as_it_was || !client->line.transport ||
           imap_session_state(client->line.session) == IMAP_STATE_DEAD;
}

/* A server that has it and refuses it is no worse than one that has it not. */
static enum imap_status compress(struct imap_client *client, struct imap_error *err)
{
    struct imap_line *line = &client->line;

    if (!client->options->compress || client->options->no_login ||
        !imap_caps_has(imap_session_caps(line->session), IMAP_CAP_COMPRESS_DEFLATE))
        return IMAP_OK;
    enum imap_status status = imap_login_compress(line, within_timeout(client), client->cancel_fd, err);
    return is_line_gone(client, status) ? status : IMAP_OK;
}

static enum imap_status connect_line(struct imap_client *client, struct imap_error *err)
{
    const struct imap_session_events events = {
        .untagged = on_untagged, .trace = on_trace, .unasked = on_unasked};

    imap_line_init_limited(&client->line, &client->endpoint, &events, client,
                           client->limited ? &client->limits : NULL);
    enum imap_status status = dial(client, err);
    if (status == IMAP_OK)
        status = compress(client, err);
    if (status != IMAP_OK) {
        imap_line_fini(&client->line);
        return status;
    }
    snprintf(client->welcome, sizeof(client->welcome), "%s", imap_session_welcome(client->line.session));
    imap_client_look(client);
    client->ready = true;
    return IMAP_OK;
}

static bool connect_client(struct imap_client *client)
{
    struct imap_error err = {0};
    enum imap_status status = connect_line(client, &err);

    client->options = NULL;
    pthread_mutex_lock(&client->lock);
    client->attempt_over = true;
    client->attempt = status;
    client->attempt_error = err;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    return status == IMAP_OK;
}

/* ---- procedures ------------------------------------------------------------------------------------- */

static bool is_possible(const struct imap_client *client, const struct imap_entry *entry)
{
    switch (imap_session_state(client->line.session)) {
    case IMAP_STATE_NOT_AUTHENTICATED:
        return entry->states & IMAP_IN_NOT_AUTHENTICATED;
    case IMAP_STATE_AUTHENTICATED:
        return entry->states & IMAP_IN_AUTHENTICATED;
    case IMAP_STATE_SELECTED:
        return entry->states & IMAP_IN_SELECTED;
    default:
        return false;
    }
}

static enum imap_status run_procedure(struct imap_client *client, struct imap_entry *entry,
                                      struct imap_error *err)
{
    int64_t deadline_ms = within_timeout(client);

    if (!is_possible(client, entry))
        return imap_error_set(err, IMAP_USAGE, "%s is not possible now: the state does not allow it",
                              entry->name);
    if (entry->deadline_ms < deadline_ms)
        deadline_ms = entry->deadline_ms;
    client->procedure = entry;
    enum imap_status status = entry->procedure(client, entry->arg, deadline_ms, err);
    client->procedure = NULL;
    return status;
}

/* Whoever cancels it wakes cancel_fd under the lock while it is found on the list. */
static void end_procedure(struct imap_client *client, struct imap_entry *entry)
{
    imap_entry_move(entry, NULL);
    pthread_mutex_lock(&client->lock);
    if (!client->closing)
        imap_net_wake_drain(client->cancel_fd);
    pthread_mutex_unlock(&client->lock);
}

/* False: the line is lost, for *why. */
static bool do_procedure(struct imap_client *client, struct imap_entry *entry, struct imap_error *why)
{
    struct imap_error err = {0};
    enum imap_status status = run_procedure(client, entry, &err);
    bool gone = is_line_gone(client, status);

    end_procedure(client, entry);
    imap_client_look(client);
    imap_entry_end(entry, status, &err);
    if (gone)
        *why = err;
    return !gone;
}

/* ---- turning the line ------------------------------------------------------------------------------- */

/* False: the line is lost, for *why. */
static bool take_entries(struct imap_client *client, struct imap_error *why)
{
    struct imap_entry *entry;

    while ((entry = imap_client_take(client, imap_session_pending(client->line.session) == 0)) != NULL) {
        switch (entry->kind) {
        case IMAP_ENTRY_COMMAND:
            imap_entry_submit(entry);
            break;
        case IMAP_ENTRY_PROCEDURE:
            if (!do_procedure(client, entry, why))
                return false;
            break;
        case IMAP_ENTRY_IDLER:
            imap_client_idle_join(entry);
            break;
        case IMAP_ENTRY_REFUSED:
            imap_entry_end(entry, entry->refusal.status, &entry->refusal);
            break;
        }
    }
    return true;
}

static bool is_closing(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool closing = client->closing;
    pthread_mutex_unlock(&client->lock);
    return closing;
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* False: the line is lost, for *why, or closed. */
static bool turn(struct imap_client *client, struct imap_error *why)
{
    struct imap_line *line = &client->line;
    int64_t now = imap_net_now();
    int64_t until = imap_client_expire(client, now); /* before more is taken that has no time left */

    if (!take_entries(client, why))
        return false;
    imap_client_end_cancelled(client);
    until = earlier(until, imap_client_idle_turn(client, now));
    if (is_closing(client) || imap_line_flush(line, why) != IMAP_OK)
        return false;
    if (imap_line_wait(line, client->wake_fd, -1, until) & IMAP_LINE_WOKEN)
        imap_net_wake_drain(client->wake_fd);
    if (imap_line_receive(line, why) != IMAP_OK || imap_line_check_silence(line, why) != IMAP_OK)
        return false;
    if (client->logged_out) {
        imap_error_set(why, IMAP_AGAIN, "logged out");
        return false;
    }
    return true;
}

/* ---- the end ---------------------------------------------------------------------------------------- */

/* Everything that waits now; what callbacks add meanwhile comes later. */
static void fail_waiting(struct imap_client *client, const struct imap_error *why)
{
    pthread_mutex_lock(&client->lock);
    uint64_t last = client->last_id;
    pthread_mutex_unlock(&client->lock);
    for (uint64_t id = 0; id < last;) {
        struct imap_entry *entry = imap_client_take(client, true);
        if (!entry)
            break;
        id = entry->id;
        bool refused = entry->kind == IMAP_ENTRY_REFUSED;
        imap_entry_end(entry, refused ? entry->refusal.status : why->status, refused ? &entry->refusal : why);
    }
    imap_client_end_cancelled(client);
}

static void lose(struct imap_client *client, const struct imap_error *why)
{
    client->dead = true;
    client->fate = *why;
    client->fate.status = IMAP_AGAIN;
    imap_session_lost(client->line.session, why);
    imap_client_look(client);
    imap_client_idle_fail(client, &client->fate);
    fail_waiting(client, &client->fate);
    imap_line_fini(&client->line);
    if (!client->logged_out && client->events.lost)
        client->events.lost(client->events.arg, why);
}

/* Verbs still come, and are to be told. */
static void be_dead(struct imap_client *client)
{
    while (!is_closing(client)) {
        fail_waiting(client, &client->fate);
        if (imap_net_wait(client->wake_fd, POLLIN, IMAP_NET_FOREVER, -1, NULL) == IMAP_OK)
            imap_net_wake_drain(client->wake_fd);
    }
}

static bool has_waiting(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool waiting = client->waiting.first || client->cancelled;
    pthread_mutex_unlock(&client->lock);
    return waiting;
}

static void close_client(struct imap_client *client)
{
    struct imap_error why;

    imap_error_set(&why, IMAP_CANCEL, "the client was closed");
    if (!client->dead) {
        imap_client_idle_fail(client, &why);
        imap_line_fini(&client->line);
    }
    while (has_waiting(client))
        fail_waiting(client, &why);
}

void *imap_client_main(void *arg)
{
    struct imap_client *client = arg;
    struct imap_error why = {0};

    driven = client;
    if (!connect_client(client))
        return NULL;
    while (turn(client, &why))
        ;
    if (!is_closing(client)) {
        lose(client, &why);
        be_dead(client);
    }
    close_client(client);
    return NULL;
}
