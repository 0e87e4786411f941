/* SPDX-License-Identifier: MIT */
/*
 * conn_prove: a line that may be dead without anybody having noticed, as after the machine has slept, is
 * asked for a sign of life: NOOP, for which an IDLE is ended. Whatever comes is one; when nothing does for
 * a short while, the line is lost.
 */
#include "pool_impl.h"

static void on_proven(void *arg, const struct imap_result *result)
{
    struct imap_conn *conn = arg;

    (void)result;
    imap_line_be_patient(&conn->line, 0);
}

void imap_conn_prove(struct imap_conn *conn)
{
    static const struct imap_command_events events = {.done = on_proven};
    struct imap_pool *pool = conn->pool;

    pthread_mutex_lock(&pool->lock);
    bool doubted = conn->doubted;
    conn->doubted = false;
    pthread_mutex_unlock(&pool->lock);
    if (!doubted)
        return;
    struct imap_command *command = imap_command_new("NOOP");
    imap_command_on(command, &events, conn);
    imap_session_submit(conn->line.session, command, NULL);
    if (pool->timing.proof < (int64_t)pool->endpoint.timeout_ms)
        imap_line_be_patient(&conn->line, (unsigned)pool->timing.proof);
}
