/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tls.h"

/* ---- our own certificate ------------------------------------------------------------------------ */

/* A daemon has no terminal to ask on: note that it was asked, and give up. */
static int refuse_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)writing;
    if (size > 0)
        buf[0] = '\0';
    *(bool *)arg = true;
    return -1;
}

static enum imap_status bad_file(const char *what, const char *file, struct imap_error *err)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (ERR_SYSTEM_ERROR(code))
        reason = strerror(ERR_GET_REASON(code));
    enum imap_status status = imap_error_set(err, IMAP_USAGE, "the %s %.100s cannot be used: %.80s", what,
                                             file, reason ? reason : "not a PEM file");
    ERR_clear_error();
    return status;
}

static enum imap_status use_client_certificate(SSL_CTX *context, const struct imap_endpoint *endpoint,
                                               struct imap_error *err)
{
    const char *cert = endpoint->clientcert;
    const char *key = endpoint->clientkey ? endpoint->clientkey : cert;
    bool asked = false;

    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return bad_file("client certificate", cert, err);
    int used = SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (asked) {
        ERR_clear_error();
        return imap_error_set(err, IMAP_USAGE,
                              "the client key in %.80s is locked by a passphrase; give a copy without one "
                              "(openssl pkey -in FILE -out COPY), readable by you alone",
                              key);
    }
    if (used != 1)
        return bad_file("client key", key, err);
    if (SSL_CTX_check_private_key(context) != 1)
        return bad_file("client key (which must belong to the certificate)", key, err);
    return IMAP_OK;
}

/* ---- the server's certificate ------------------------------------------------------------------- */

enum imap_status imap_tls_context(const struct imap_endpoint *endpoint, SSL_CTX **context_out,
                                  struct imap_error *err)
{
    enum imap_status status = IMAP_OK;

    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        status = imap_error_set(err, IMAP_SYS, "OpenSSL cannot be set up");
    else if (endpoint->cafile && SSL_CTX_load_verify_file(context, endpoint->cafile) != 1)
        status = bad_file("CA file", endpoint->cafile, err);
    else if (!endpoint->cafile && SSL_CTX_set_default_verify_paths(context) != 1)
        status = imap_error_set(err, IMAP_SYS, "the system's CA certificates cannot be used");
    else if (endpoint->clientcert)
        status = use_client_certificate(context, endpoint, err);
    if (status != IMAP_OK) {
        SSL_CTX_free(context);
        return status;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    *context_out = context;
    return IMAP_OK;
}

static int look_at_certificate(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct imap_tls_peer *peer = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);

    if (leaf && X509_digest(leaf, EVP_sha256(), peer->digest, NULL) == 1)
        peer->seen = true;
    if (!ok && peer->verify_result == X509_V_OK)
        peer->verify_result = X509_STORE_CTX_get_error(store);
    return ok;
}

/* A pinned certificate stands for itself, whoever signed it, whatever its names and dates. */
static int look_at_pinned(int ok, X509_STORE_CTX *store)
{
    look_at_certificate(ok, store);
    return 1;
}

/* An address without brackets; a zone ("fe80::1%eth0") is no part of what a certificate names. */
static bool is_address(const char *host, char *address, size_t size)
{
    unsigned char binary[16];
    size_t len = strcspn(host, "%");

    if (len >= size)
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    return inet_pton(AF_INET, address, binary) == 1 || inet_pton(AF_INET6, address, binary) == 1;
}

static bool expect_name(SSL *ssl, const char *host)
{
    char name[256];
    size_t len = strlen(host);

    if (len > 0 && host[len - 1] == '.') /* a fully qualified name; certificates leave the dot out */
        len--;
    if (len == 0 || len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

enum imap_status imap_tls_expect(SSL *ssl, const struct imap_endpoint *endpoint, struct imap_tls_peer *peer,
                                 struct imap_error *err)
{
    char address[64];
    bool ok;

    if (is_address(endpoint->host, address, sizeof(address)))
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1;
    else
        ok = expect_name(ssl, endpoint->host);
    if (!ok) {
        ERR_clear_error();
        return imap_error_set(err, IMAP_USAGE, "%.100s is no valid host name", endpoint->host);
    }
    peer->verify_result = X509_V_OK;
    SSL_set_app_data(ssl, peer);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, endpoint->fingerprint ? look_at_pinned : look_at_certificate);
    return IMAP_OK;
}

enum imap_status imap_tls_check_pin(const struct imap_endpoint *endpoint, const struct imap_tls_peer *peer,
                                    struct imap_error *err)
{
    unsigned char pinned[IMAP_FINGERPRINT_LEN];
    char seen[IMAP_FINGERPRINT_TEXT_MAX];

    if (!endpoint->fingerprint)
        return IMAP_OK;
    if (!peer->seen || !imap_fingerprint_parse(endpoint->fingerprint, pinned))
        return imap_error_set(err, IMAP_AUTH, "%.60s: no certificate to compare with the fingerprint",
                              endpoint->host);
    if (memcmp(pinned, peer->digest, sizeof(pinned)) == 0)
        return IMAP_OK;
    imap_fingerprint_format(peer->digest, seen);
    return imap_error_set(err, IMAP_AUTH, "%.60s has another certificate than the pinned one: fingerprint=%s",
                          endpoint->host, seen);
}

enum imap_status imap_tls_distrust(const struct imap_endpoint *endpoint, const struct imap_tls_peer *peer,
                                   struct imap_error *err)
{
    char seen[IMAP_FINGERPRINT_TEXT_MAX] = "?";

    if (peer->seen)
        imap_fingerprint_format(peer->digest, seen);
    return imap_error_set(err, IMAP_AUTH,
                          "the certificate of %.36s is not valid: %.44s; give cafile= or fingerprint=%s",
                          endpoint->host, X509_verify_cert_error_string(peer->verify_result), seen);
}
