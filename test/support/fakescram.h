/* SPDX-License-Identifier: MIT */
/*
 * fakescram: the server's side of SCRAM (RFC 5802, RFC 7677), over OpenSSL alone, so that it shares nothing
 * with the library under test.
 */
#ifndef TEST_FAKESCRAM_H
#define TEST_FAKESCRAM_H

#include <stdbool.h>
#include <stddef.h>

struct fake_scram {
    /* set by the test */
    bool sha256;
    const char *user, *password;
    const char *nonce; /* the server's part */
    const char *salt;  /* base64 */
    const char *rounds;
    const char *binding_type; /* "tls-exporter"; NULL: only "n" is taken */
    unsigned char binding[64];
    size_t binding_len;

    /* private */
    char gs2[64], first_bare[256], server_first[512], full_nonce[160];
};

/* Messages are without base64. False: the client's is not right; why says what. */
bool fake_scram_first(struct fake_scram *scram, const char *client_first, char *answer, size_t size);
bool fake_scram_final(struct fake_scram *scram, const char *client_final, char *answer, size_t size);

/* Base64 with padding; decoding yields a string with a NUL behind it. False: it is none, or too long. */
void fake_base64(const void *data, size_t len, char *text, size_t size);
bool fake_unbase64(const char *text, char *data, size_t size, size_t *len_out);

#endif
