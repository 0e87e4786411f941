/* SPDX-License-Identifier: MIT */
/*
 * conn_select: how the connection that watches learns what has changed (RFC 7162).
 *
 * QRESYNC has to be enabled before the first SELECT of a line, and counts as enabled only when the server
 * says so: some answer OK and nothing else. CONDSTORE needs no round trip of its own, as a SELECT can carry
 * it. A server that calls parameters of SELECT BAD gets none on this line any more.
 */
#include <inttypes.h>
#include <stdio.h>

#include "pool_impl.h"

static bool offers(const struct imap_conn *conn, enum imap_cap cap)
{
    return imap_caps_has(imap_session_caps(conn->line.session), cap);
}

static void on_enabled(void *arg, const struct imap_response *response)
{
    struct imap_conn *conn = arg;

    if (response->type == IMAP_RESP_ENABLED && imap_caps_has(response->caps, IMAP_CAP_QRESYNC))
        conn->qresync = true;
}

static void on_enable_done(void *arg, const struct imap_result *result)
{
    struct imap_conn *conn = arg;

    if (result->status != IMAP_OK)
        conn->qresync = false;
    conn->enabling = false;
    imap_conn_notify(conn);
}

void imap_conn_enable(struct imap_conn *conn)
{
    const struct imap_command_events events = {.response = on_enabled, .done = on_enable_done};

    conn->enabling = conn->qresync = conn->plain_select = conn->repeating = false;
    conn->notifying = conn->notified = false;
    conn->notify_at = 0;
    if (conn->index > 0 || !offers(conn, IMAP_CAP_QRESYNC) || !offers(conn, IMAP_CAP_ENABLE))
        return;
    struct imap_command *command = imap_command_new("ENABLE");
    imap_command_raw(command, "QRESYNC");
    imap_command_on(command, &events, conn);
    conn->enabling = true;
    imap_session_submit(conn->line.session, command, NULL);
}

static bool may_resume(const struct imap_conn *conn, const char *mailbox, struct imap_pool_since *since_out)
{
    const struct imap_pool *pool = conn->pool;

    return conn->qresync && pool->events.since && pool->events.changed &&
           pool->events.since(pool->arg, mailbox, since_out);
}

void imap_conn_select_with(struct imap_conn *conn, const char *mailbox, struct imap_command *command)
{
    struct imap_pool_since since;
    char text[96];

    conn->resuming = conn->with_parameters = false;
    if (conn->index > 0 || conn->plain_select)
        return;
    if (may_resume(conn, mailbox, &since)) {
        conn->resuming = true;
        snprintf(text, sizeof(text), "(QRESYNC (%" PRIu32 " %" PRIu64 " 1:%" PRIu32 "))", since.uidvalidity,
                 since.modseq, since.last_uid);
        imap_command_raw(command, text);
        conn->with_parameters = true;
    } else if (!conn->qresync && offers(conn, IMAP_CAP_CONDSTORE)) { /* which QRESYNC has enabled already */
        imap_command_raw(command, "(CONDSTORE)");
        conn->with_parameters = true;
    }
}

void imap_conn_select_says(struct imap_conn *conn, const struct imap_response *response)
{
    const struct imap_pool *pool = conn->pool;

    if (response->type == IMAP_RESP_OK && response->text.code == IMAP_CODE_CLOSED)
        conn->awaits_closed = false;
    if (conn->resuming && !conn->awaits_closed &&
        (response->type == IMAP_RESP_VANISHED || response->type == IMAP_RESP_FETCH))
        pool->events.changed(pool->arg, conn->heading->name, response);
}

bool imap_conn_select_refused(struct imap_conn *conn, const struct imap_result *result)
{
    const bool without = conn->repeating;

    conn->repeating = false;
    if (without && result->status != IMAP_OK) /* so it was not the parameters */
        conn->plain_select = false;
    if (!conn->with_parameters || !result->bad || result->status != IMAP_NO)
        return false;
    conn->plain_select = conn->repeating = true;
    return true;
}
