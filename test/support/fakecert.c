/* SPDX-License-Identifier: MIT */
#include "fakecert.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *dns, const char *ip, long from, long until)
{
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    char names[200];

    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 4711);
    X509_gmtime_adj(X509_getm_notBefore(x509), from);
    X509_gmtime_adj(X509_getm_notAfter(x509), until);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_set_pubkey(x509, key);
    add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
    snprintf(names, sizeof(names), "%s%s%s%s%s", dns ? "DNS:" : "", dns ? dns : "", dns && ip ? "," : "",
             ip ? "IP:" : "", ip ? ip : "");
    if (*names)
        add_extension(x509, NID_subject_alt_name, names);
    ck_assert_int_gt(X509_sign(x509, key, EVP_sha256()), 0);
    return x509;
}

static void write_pem(const char *path, X509 *x509, EVP_PKEY *key, const char *passphrase)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    if (x509)
        ck_assert_int_eq(PEM_write_X509(file, x509), 1);
    if (key)
        ck_assert_int_eq(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                              (const unsigned char *)passphrase,
                                              passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                         1);
    fclose(file);
}

void fake_cert_make(struct fake_cert *cert, const char *dns, const char *ip, long from, long until,
                    const char *passphrase)
{
    unsigned char digest[32];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    X509 *x509 = make_certificate(key, dns, ip, from, until);

    snprintf(cert->dir, sizeof(cert->dir), "/tmp/fakecert.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(cert->dir));
    snprintf(cert->certfile, sizeof(cert->certfile), "%s/cert.pem", cert->dir);
    snprintf(cert->keyfile, sizeof(cert->keyfile), "%s/key.pem", cert->dir);
    snprintf(cert->bothfile, sizeof(cert->bothfile), "%s/both.pem", cert->dir);
    write_pem(cert->certfile, x509, NULL, NULL);
    write_pem(cert->keyfile, NULL, key, passphrase);
    write_pem(cert->bothfile, x509, key, passphrase);
    ck_assert_int_eq(X509_digest(x509, EVP_sha256(), digest, NULL), 1);
    for (int i = 0; i < 32; i++)
        snprintf(cert->fingerprint + (ptrdiff_t)i * 3, 4, "%02X:", digest[i]);
    cert->fingerprint[95] = '\0';
    X509_free(x509);
    EVP_PKEY_free(key);
}

void fake_cert_remove(struct fake_cert *cert)
{
    unlink(cert->certfile);
    unlink(cert->keyfile);
    unlink(cert->bothfile);
    rmdir(cert->dir);
}
