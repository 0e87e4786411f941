/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "dial.h"
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

enum imap_status imap_conn_dial(struct imap_conn *conn, struct imap_error *err)
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
