/* SPDX-License-Identifier: MIT */
#include "fakeserver.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define RECORD_MAX 262144

struct session {
    pthread_t thread;
    struct fake_client client;
    bool open;
};

struct fake_server {
    struct fake_options options;
    SSL_CTX *context;
    int listen_fd;
    char port[8];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    bool stopping, refusing;
    struct session *sessions[CONNECTIONS_MAX];
    unsigned count, refused;
    char record[RECORD_MAX]; /* what came in the clear, of all connections */
    size_t recorded;
};

/* ---- setting up ------------------------------------------------------------------------------------ */

static SSL_CTX *make_context(const struct fake_options *options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(context);
    ck_assert_int_eq(SSL_CTX_use_certificate_file(context, options->cert->certfile, SSL_FILETYPE_PEM), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(context, options->cert->keyfile, SSL_FILETYPE_PEM), 1);
    if (options->tls12)
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    if (options->client_cert) {
        ck_assert_int_eq(SSL_CTX_load_verify_file(context, options->client_cert->certfile), 1);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static void close_session(struct fake_server *server, struct session *session)
{
    pthread_mutex_lock(&server->lock);
    session->open = false;
    SSL *ssl = session->client.ssl;
    if (ssl) {
        SSL_shutdown(ssl);
        SSL_free(ssl);
    }
    close(session->client.fd);
    pthread_mutex_unlock(&server->lock);
    ERR_clear_error();
}

static void *session_thread(void *arg)
{
    struct session *session = arg;
    struct fake_server *server = session->client.server;

    if (!server->options.tls || fake_start_tls(&session->client))
        server->options.serve(&session->client, server->options.arg);
    close_session(server, session);
    return NULL;
}

static void accept_one(struct fake_server *server)
{
    int one = 1;
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pthread_mutex_lock(&server->lock);
    if (server->stopping || server->refusing || server->count == CONNECTIONS_MAX) {
        close(fd);
        server->refused++;
        pthread_cond_broadcast(&server->changed);
    } else {
        struct session *session = calloc(1, sizeof(*session));
        session->client = (struct fake_client){.server = server, .fd = fd, .index = server->count};
        session->open = true;
        server->sessions[server->count++] = session;
        pthread_create(&session->thread, NULL, session_thread, session);
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
}

static bool is_stopping(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
}

static void *accept_thread(void *arg)
{
    struct fake_server *server = arg;

    while (!is_stopping(server))
        accept_one(server);
    return NULL;
}

struct fake_server *fake_start(const struct fake_options *options)
{
    struct fake_server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    signal(SIGPIPE, SIG_IGN); /* of the server's side; clients must not need it */
    server->options = *options;
    if (options->cert)
        server->context = make_context(options);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->listen_fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(server->listen_fd, 32), 0);
    getsockname(server->listen_fd, (struct sockaddr *)&address, &len);
    snprintf(server->port, sizeof(server->port), "%u", ntohs(address.sin_port));
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, accept_thread, server), 0);
    return server;
}

void fake_stop(struct fake_server **server_in)
{
    struct fake_server *server = *server_in;

    *server_in = NULL;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listen_fd, SHUT_RDWR); /* wakes accept */
    pthread_join(server->thread, NULL);
    fake_drop_all(server, false);
    for (unsigned i = 0; i < server->count; i++) {
        pthread_join(server->sessions[i]->thread, NULL);
        free(server->sessions[i]);
    }
    close(server->listen_fd);
    SSL_CTX_free(server->context);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* ---- for the test ---------------------------------------------------------------------------------- */

const char *fake_port(const struct fake_server *server)
{
    return server->port;
}

unsigned fake_connections(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static bool await_count(struct fake_server *server, const unsigned *what, unsigned count)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&server->lock);
    while (*what < count && rc == 0)
        rc = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    bool there = *what >= count;
    pthread_mutex_unlock(&server->lock);
    return there;
}

bool fake_await_connections(struct fake_server *server, unsigned count)
{
    return await_count(server, &server->count, count);
}

bool fake_await_refused(struct fake_server *server, unsigned count)
{
    return await_count(server, &server->refused, count);
}

unsigned fake_refused(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned refused = server->refused;
    pthread_mutex_unlock(&server->lock);
    return refused;
}

bool fake_saw_plain(struct fake_server *server, const char *text)
{
    pthread_mutex_lock(&server->lock);
    bool saw = memmem(server->record, server->recorded, text, strlen(text)) != NULL;
    pthread_mutex_unlock(&server->lock);
    return saw;
}

static void make_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void fake_drop_all(struct fake_server *server, bool abrupt)
{
    pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->count; i++) {
        if (!server->sessions[i]->open)
            continue;
        if (abrupt)
            make_reset(server->sessions[i]->client.fd);
        shutdown(server->sessions[i]->client.fd, abrupt ? SHUT_RD : SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
}

void fake_drop(struct fake_server *server, unsigned index)
{
    pthread_mutex_lock(&server->lock);
    if (index < server->count && server->sessions[index]->open)
        shutdown(server->sessions[index]->client.fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
}

void fake_refuse(struct fake_server *server, bool refuse)
{
    pthread_mutex_lock(&server->lock);
    server->refusing = refuse;
    pthread_mutex_unlock(&server->lock);
}

/* ---- for serve functions ---------------------------------------------------------------------------- */

bool fake_send_bytes(struct fake_client *client, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n =
            client->ssl ? SSL_write(client->ssl, at, (int)len) : send(client->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool fake_send(struct fake_client *client, const char *text)
{
    return fake_send_bytes(client, text, strlen(text));
}

bool fake_drip(struct fake_client *client, const char *text)
{
    for (; *text; text++)
        if (!fake_send_bytes(client, text, 1))
            return false;
    return true;
}

static void record(struct fake_server *server, const char *data, size_t len)
{
    pthread_mutex_lock(&server->lock);
    if (len > RECORD_MAX - server->recorded)
        len = RECORD_MAX - server->recorded;
    memcpy(server->record + server->recorded, data, len);
    server->recorded += len;
    pthread_mutex_unlock(&server->lock);
}

static bool fill(struct fake_client *client)
{
    if (client->begin > 0)
        memmove(client->buffer, client->buffer + client->begin, client->end - client->begin);
    client->end -= client->begin;
    client->begin = 0;
    char *to = client->buffer + client->end;
    size_t room = sizeof(client->buffer) - client->end;
    if (room == 0)
        return false;
    ssize_t n = client->ssl ? SSL_read(client->ssl, to, (int)room) : recv(client->fd, to, room, 0);
    if (n <= 0)
        return false;
    if (!client->ssl)
        record(client->server, to, (size_t)n);
    client->end += (size_t)n;
    return true;
}

bool fake_line(struct fake_client *client, char *line, size_t size)
{
    char *newline;

    while (!(newline = memchr(client->buffer + client->begin, '\n', client->end - client->begin)))
        if (!fill(client))
            return false;
    size_t len = (size_t)(newline - (client->buffer + client->begin));
    size_t used = len + 1;
    if (len > 0 && newline[-1] == '\r')
        len--;
    if (len >= size)
        len = size - 1;
    memcpy(line, client->buffer + client->begin, len);
    line[len] = '\0';
    client->begin += used;
    return true;
}

bool fake_start_tls(struct fake_client *client)
{
    SSL *ssl = SSL_new(client->server->context);
    SSL_set_fd(ssl, client->fd);
    bool ok = SSL_accept(ssl) == 1;

    ERR_clear_error();
    if (!ok) {
        SSL_free(ssl);
        return false;
    }
    client->ssl = ssl;
    client->begin = client->end = 0;
    return true;
}

void fake_stall(struct fake_client *client)
{
    do
        client->begin = client->end = 0;
    while (fill(client));
}

void fake_reset(struct fake_client *client)
{
    make_reset(client->fd);
}
