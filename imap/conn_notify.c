/* SPDX-License-Identifier: MIT */
/*
 * conn_notify: the connection that watches is told of all mailboxes (RFC 5465).
 *
 * NOTIFY goes out as soon as ENABLE is answered, before any other work, so whatever is learnt afterwards was
 * learnt under it. Without QRESYNC the server would not tell HIGHESTMODSEQ, and flags in other mailboxes would
 * change unnoticed: then it is not asked for.
 *
 * It is said again now and then. Dovecot 2.3 loses track of its mailboxes when its list of them is rebuilt, and
 * says nothing of it; a new NOTIFY begins with the list that there is. And a server may not know what was
 * delivered behind its back before it is asked.
 */
#include <string.h>

#include "pool_impl.h"

#define MESSAGES "MessageNew MessageExpunge FlagChange"
#define NAMES "MailboxName"
#define SUBSCRIPTIONS "SubscriptionChange"

static void ask(struct imap_conn *conn);

static void tell(struct imap_conn *conn, enum imap_pool_notified scope)
{
    const struct imap_pool *pool = conn->pool;

    conn->notified = scope != IMAP_POOL_NOTIFIED_OFF;
    if (pool->events.notified)
        pool->events.notified(pool->arg, scope);
}

static void tell_elsewhere(const struct imap_conn *conn, const struct imap_response *response, bool initial)
{
    const struct imap_pool *pool = conn->pool;

    if (pool->events.elsewhere && (response->type == IMAP_RESP_STATUS || response->type == IMAP_RESP_LIST))
        pool->events.elsewhere(pool->arg, response, initial);
}

static void on_response(void *arg, const struct imap_response *response)
{
    tell_elsewhere(arg, response, true);
}

/* The server refused the form that was asked for last: is there a humbler one? */
static bool climb_down(struct imap_conn *conn)
{
    const bool with_subtrees = conn->notify_subtrees;

    conn->notify_form = with_subtrees                          ? IMAP_NOTIFY_PERSONAL
                        : conn->notify_form < IMAP_NOTIFY_LESS ? IMAP_NOTIFY_LESS
                                                               : IMAP_NOTIFY_NONE;
    return conn->notify_form != IMAP_NOTIFY_NONE;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct imap_conn *conn = arg;

    conn->notifying = false;
    if (result->status == IMAP_OK) {
        conn->notify_at = imap_net_now() + conn->pool->timing.notify_renew;
        tell(conn, conn->notify_less ? IMAP_POOL_NOTIFIED_PERSONAL : IMAP_POOL_NOTIFIED_ALL);
    } else if (result->text && climb_down(conn)) {
        ask(conn);
    } else {
        tell(conn, IMAP_POOL_NOTIFIED_OFF);
    }
}

static void add_subtrees(struct imap_command *command, const struct imap_pool_notify *wanted)
{
    imap_command_open(command);
    imap_command_raw(command, "subtree");
    imap_command_open(command);
    for (size_t i = 0; i < wanted->subtree_count; i++)
        imap_command_mailbox(command, wanted->subtrees[i], strlen(wanted->subtrees[i]));
    imap_command_close(command);
    imap_command_raw(command, "(" MESSAGES " " NAMES " " SUBSCRIPTIONS ")");
    imap_command_close(command);
}

static struct imap_command *command_for(const struct imap_conn *conn, const struct imap_pool_notify *wanted)
{
    struct imap_command *command = imap_command_new("NOTIFY");

    imap_command_raw(command, "SET");
    if (wanted->status)
        imap_command_raw(command, "STATUS");
    imap_command_raw(command, "(selected (" MESSAGES "))");
    if (conn->notify_form == IMAP_NOTIFY_LESS)
        imap_command_raw(command, "(personal (" MESSAGES " " NAMES "))");
    else
        imap_command_raw(command, "(personal (" MESSAGES " " NAMES " " SUBSCRIPTIONS "))");
    if (conn->notify_subtrees)
        add_subtrees(command, wanted);
    return command;
}

static bool is_possible(const struct imap_conn *conn)
{
    return conn->pool->events.notify && conn->qresync && conn->notify_form != IMAP_NOTIFY_NONE &&
           imap_caps_has(imap_session_caps(conn->line.session), IMAP_CAP_NOTIFY);
}

static void ask(struct imap_conn *conn)
{
    const struct imap_command_events events = {.response = on_response, .done = on_done};
    const struct imap_pool *pool = conn->pool;
    struct imap_pool_notify wanted = {0};

    conn->notify_at = 0;
    if (!is_possible(conn) || !pool->events.notify(pool->arg, &wanted))
        return;
    conn->notify_subtrees = conn->notify_form == IMAP_NOTIFY_FULL && wanted.subtree_count > 0;
    conn->notify_less = wanted.subtree_count > 0 && !conn->notify_subtrees;
    struct imap_command *command = command_for(conn, &wanted);
    imap_command_on(command, &events, conn);
    conn->notifying = true;
    imap_session_submit(conn->line.session, command, NULL);
}

void imap_conn_notify(struct imap_conn *conn)
{
    conn->notify_form = IMAP_NOTIFY_FULL;
    ask(conn);
}

int64_t imap_conn_notify_due(struct imap_conn *conn, int64_t now)
{
    struct imap_pool *pool = conn->pool;

    if (conn->index > 0 || conn->enabling || conn->notifying)
        return IMAP_NET_FOREVER;
    pthread_mutex_lock(&pool->lock);
    const bool again = pool->notify_again;
    pool->notify_again = false;
    pthread_mutex_unlock(&pool->lock);
    if (again || (conn->notify_at > 0 && now >= conn->notify_at))
        ask(conn);
    return conn->notify_at > 0 ? conn->notify_at : IMAP_NET_FOREVER;
}

void imap_conn_notify_unasked(struct imap_conn *conn, const struct imap_response *response)
{
    if (conn->notified)
        tell_elsewhere(conn, response, false);
}

/* "* NO NOTIFY error, some events may have got lost" is Dovecot's. */
static bool gives_up(const struct imap_response *response)
{
    if (response->type == IMAP_RESP_OK)
        return response->text.code == IMAP_CODE_NOTIFICATIONOVERFLOW;
    return response->type == IMAP_RESP_NO && strncasecmp(response->text.text, "NOTIFY", 6) == 0;
}

void imap_conn_notify_untagged(struct imap_conn *conn, const struct imap_response *response)
{
    if (!conn->notified || !gives_up(response))
        return;
    conn->notify_at = imap_net_now() + conn->pool->timing.notify_retry;
    tell(conn, IMAP_POOL_NOTIFIED_OFF);
}

void imap_conn_notify_over(struct imap_conn *conn)
{
    if (conn->index > 0)
        return;
    conn->notify_at = 0;
    tell(conn, IMAP_POOL_NOTIFIED_OFF);
}
