/* SPDX-License-Identifier: MIT */
/*
 * tls: OpenSSL over any other transport, through a BIO of our own, so that a lost line never raises
 * SIGPIPE and a process can lie beneath as well as a socket.
 */
#include "tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "netutil.h"

#define READ_AHEAD (128 * 1024) /* several records in one system call */

struct tls {
    struct imap_transport transport;
    struct imap_transport *lower;
    struct imap_error lower_error; /* why the BIO failed, for whom OpenSSL only says "syscall" */
    struct imap_tls_peer peer;
    BIO_METHOD *method;
    SSL_CTX *context;
    SSL *ssl;
    bool eof;     /* the line beneath has ended */
    bool drained; /* the last read found no whole record */
    bool broken;  /* no goodbye may be said any more */
};

/* ---- the BIO ------------------------------------------------------------------------------------ */

static int bio_result(BIO *bio, ssize_t n, void (*retry)(BIO *))
{
    BIO_clear_retry_flags(bio);
    if (n == -1)
        retry(bio);
    return n < 0 ? -1 : (int)n;
}

static void retry_read(BIO *bio)
{
    BIO_set_retry_read(bio);
}

static void retry_write(BIO *bio)
{
    BIO_set_retry_write(bio);
}

static int bio_read(BIO *bio, char *buf, int size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t n = tls->lower->ops->read(tls->lower, buf, (size_t)size, &tls->lower_error);
    tls->eof = n == 0;
    return bio_result(bio, n, retry_read);
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls *tls = BIO_get_data(bio);
    return bio_result(bio, tls->lower->ops->write(tls->lower, data, (size_t)len, &tls->lower_error),
                      retry_write);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct tls *tls = BIO_get_data(bio);
    (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && tls->eof);
}

static BIO *new_bio(struct tls *tls)
{
    tls->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "imap transport");
    if (!tls->method)
        return NULL;
    BIO_meth_set_read(tls->method, bio_read);
    BIO_meth_set_write(tls->method, bio_write);
    BIO_meth_set_ctrl(tls->method, bio_ctrl);
    BIO *bio = BIO_new(tls->method);
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- errors ------------------------------------------------------------------------------------- */

static bool is_alert(unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET;
}

static bool wants_client_certificate(unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    return is_alert(code) &&
           (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
            reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
}

/* The failure that SSL_get_error has called SSL_ERROR_SSL or SSL_ERROR_SYSCALL. */
static enum imap_status explain(struct tls *tls, const struct imap_endpoint *endpoint, struct imap_error *err)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    enum imap_status status;

    if (tls->lower_error.status != IMAP_OK) {
        status = tls->lower_error.status;
        if (err)
            *err = tls->lower_error;
    } else if (tls->eof || code == 0) {
        status = imap_error_set(err, IMAP_AGAIN, "the server closed the line during the TLS handshake");
    } else if (wants_client_certificate(code)) {
        status = imap_error_set(
            err, IMAP_AUTH, "the server ended the TLS connection: %.60s%s", reason,
            endpoint && endpoint->clientcert ? "" : "; it may want a certificate (clientcert=)");
    } else if (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER) {
        status = imap_error_set(err, IMAP_PROTO,
                                "the server does not speak TLS on this port: is it the right one "
                                "(993 for imaps, 143 for STARTTLS)?");
    } else {
        status = imap_error_set(err, IMAP_PROTO, "TLS failed: %.120s", reason ? reason : "unknown error");
    }
    ERR_clear_error();
    return status;
}

/* ---- the transport ------------------------------------------------------------------------------ */

static short events_for(const struct tls *tls, int ssl_error)
{
    return ssl_error == SSL_ERROR_WANT_WRITE ? tls->lower->write_events : tls->lower->read_events;
}

static bool wants(int ssl_error)
{
    return ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE;
}

static ssize_t tls_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err)
{
    struct tls *tls = (struct tls *)transport;
    size_t n = 0;

    ERR_clear_error();
    if (SSL_read_ex(tls->ssl, buf, size, &n) == 1) {
        tls->drained = false;
        return (ssize_t)n;
    }
    int error = SSL_get_error(tls->ssl, 0);
    tls->drained = true;
    if (wants(error)) {
        transport->read_events = events_for(tls, error);
        return -1;
    }
    tls->broken = error != SSL_ERROR_ZERO_RETURN;
    /* A line cut without TLS's own goodbye is an end of stream: IMAP itself knows what is complete. */
    if (!tls->broken || tls->eof) {
        ERR_clear_error();
        return 0;
    }
    explain(tls, NULL, err);
    return -2;
}

static ssize_t tls_write(struct imap_transport *transport, const void *data, size_t len,
                         struct imap_error *err)
{
    struct tls *tls = (struct tls *)transport;
    size_t n = 0;

    ERR_clear_error();
    if (SSL_write_ex(tls->ssl, data, len, &n) == 1)
        return (ssize_t)n;
    int error = SSL_get_error(tls->ssl, 0);
    if (wants(error)) {
        transport->write_events = events_for(tls, error);
        return -1;
    }
    tls->broken = true;
    explain(tls, NULL, err);
    return -2;
}

/* What is held may be less than a record: after a read that found none, only the line can tell. */
static bool tls_buffered(const struct imap_transport *transport)
{
    const struct tls *tls = (const struct tls *)transport;
    return !tls->drained && SSL_has_pending(tls->ssl);
}

static void tls_close(struct imap_transport *transport)
{
    struct tls *tls = (struct tls *)transport;

    if (tls->ssl && !tls->broken && SSL_is_init_finished(tls->ssl)) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl); /* our goodbye; the server's is not waited for */
    }
    ERR_clear_error();
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    tls->lower->ops->close(tls->lower);
    free(tls);
}

/* The client's Finished is the first one, unless a session was resumed (RFC 5929 3.1). Without the extended
 * master secret two channels can be made to have the same (RFC 7627 1). */
static size_t first_finished(SSL *ssl, unsigned char *data, size_t size)
{
    if (SSL_get_extms_support(ssl) != 1)
        return 0;
    size_t len =
        SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, data, size) : SSL_get_finished(ssl, data, size);
    return len <= size ? len : 0;
}

static void tls_binding(struct imap_transport *transport, struct imap_binding *binding_out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    SSL *ssl = ((struct tls *)transport)->ssl;

    *binding_out = (struct imap_binding){.type = "tls-exporter"};
    if (SSL_version(ssl) < TLS1_3_VERSION) {
        binding_out->type = "tls-unique";
        binding_out->len = first_finished(ssl, binding_out->data, sizeof(binding_out->data));
    } else if (SSL_export_keying_material(ssl, binding_out->data, 32, label, sizeof(label) - 1,
                                          (const unsigned char *)"", 0, 1) == 1) {
        binding_out->len = 32;
    }
    ERR_clear_error();
}

static const struct imap_transport_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .buffered = tls_buffered,
    .close = tls_close,
    .binding = tls_binding,
};

/* ---- opening ------------------------------------------------------------------------------------ */

static enum imap_status set_up(struct tls *tls, const struct imap_endpoint *endpoint, struct imap_error *err)
{
    enum imap_status status = imap_tls_context(endpoint, &tls->context, err);
    if (status != IMAP_OK)
        return status;
    BIO *bio = new_bio(tls);
    tls->ssl = bio ? SSL_new(tls->context) : NULL;
    if (!tls->ssl) {
        BIO_free(bio);
        return imap_error_set(err, IMAP_SYS, "OpenSSL cannot be set up");
    }
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_read_ahead(tls->ssl, 1);
    SSL_set_default_read_buffer_len(tls->ssl, READ_AHEAD);
    return imap_tls_expect(tls->ssl, endpoint, &tls->peer, err);
}

static enum imap_status shake_hands(struct tls *tls, const struct imap_endpoint *endpoint,
                                    int64_t deadline_ms, int cancel_fd, struct imap_error *err)
{
    for (;;) {
        ERR_clear_error();
        int rc = SSL_connect(tls->ssl);
        if (rc == 1)
            return IMAP_OK;
        int error = SSL_get_error(tls->ssl, rc);
        if (!wants(error)) {
            tls->broken = true;
            if (tls->peer.verify_result != X509_V_OK && !endpoint->fingerprint)
                return imap_tls_distrust(endpoint, &tls->peer, err);
            return explain(tls, endpoint, err);
        }
        int fd = error == SSL_ERROR_WANT_WRITE ? tls->lower->write_fd : tls->lower->read_fd;
        enum imap_status status = imap_net_wait(fd, events_for(tls, error), deadline_ms, cancel_fd, err);
        if (status == IMAP_AGAIN)
            imap_error_set(err, status, "%.100s did not complete the TLS handshake in time", endpoint->host);
        if (status != IMAP_OK)
            return status;
    }
}

enum imap_status imap_tls_open(const struct imap_endpoint *endpoint, struct imap_transport *lower,
                               int64_t deadline_ms, int cancel_fd, struct imap_transport **transport_out,
                               struct imap_error *err)
{
    struct tls *tls = imap_xcalloc(1, sizeof(*tls));

    tls->lower = lower;
    tls->transport = (struct imap_transport){.ops = &tls_ops,
                                             .read_fd = lower->read_fd,
                                             .write_fd = lower->write_fd,
                                             .read_events = lower->read_events,
                                             .write_events = lower->write_events};
    enum imap_status status = set_up(tls, endpoint, err);
    if (status == IMAP_OK)
        status = shake_hands(tls, endpoint, deadline_ms, cancel_fd, err);
    if (status == IMAP_OK)
        status = imap_tls_check_pin(endpoint, &tls->peer, err);
    if (status != IMAP_OK) {
        tls_close(&tls->transport);
        return status;
    }
    *transport_out = &tls->transport;
    return IMAP_OK;
}
