/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "dial.h"
#include "login.h"
#include "mem.h"
#include "pool_impl.h"

static void wipe_token(struct imap_conn *conn)
{
    if (conn->token)
        explicit_bzero(conn->token, strlen(conn->token));
    free(conn->token);
    conn->token = NULL;
}

/* The caller's answer lives until it is asked again, which another connection may do at any moment. */
static const char *ask_token(void *arg, bool expired)
{
    struct imap_conn *conn = arg;
    struct imap_pool *pool = conn->pool;

    wipe_token(conn);
    pthread_mutex_lock(&pool->token_lock);
    const char *token = pool->credentials->token(pool->credentials->arg, expired);
    if (token)
        conn->token = imap_xstrdup(token);
    pthread_mutex_unlock(&pool->token_lock);
    return conn->token;
}

static enum imap_status log_in(struct imap_conn *conn, struct imap_error *err)
{
    struct imap_pool *pool = conn->pool;
    struct imap_credentials credentials;

    if (!pool->credentials)
        return imap_dial(&conn->line, NULL, pool->cancel_fd, err);
    credentials = *pool->credentials;
    if (credentials.token) {
        credentials.token = ask_token;
        credentials.arg = conn;
    }
    enum imap_status status = imap_dial(&conn->line, &credentials, pool->cancel_fd, err);
    wipe_token(conn);
    return status;
}

/* A server that offers it and refuses it is no worse than one that does not offer it: IMAP_NO leaves the line as it was,
 * and the status shows that it is not compressed. A BAD is taken likewise. */
static enum imap_status compress(struct imap_conn *conn, struct imap_error *err)
{
    struct imap_line *line = &conn->line;
    const int64_t deadline_ms = imap_net_now() + (int64_t)line->endpoint->timeout_ms;

    if (!imap_caps_has(imap_session_caps(line->session), IMAP_CAP_COMPRESS_DEFLATE))
        return IMAP_OK;
    enum imap_status status = imap_login_compress(line, deadline_ms, conn->pool->cancel_fd, err);
    const bool as_it_was = status == IMAP_NO || status == IMAP_USAGE;
    if (!as_it_was || imap_session_state(line->session) == IMAP_STATE_DEAD)
        return status;
    *err = (struct imap_error){0};
    return IMAP_OK;
}

enum imap_status imap_conn_dial(struct imap_conn *conn, struct imap_error *err)
{
    enum imap_status status = log_in(conn, err);

    if (status == IMAP_OK && conn->pool->compress)
        status = compress(conn, err);
    return status;
}
