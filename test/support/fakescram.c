/* SPDX-License-Identifier: MIT */
#include "fakescram.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_base64(const void *data, size_t len, char *text, size_t size)
{
    ck_assert_uint_gt(size, (len + 2) / 3 * 4);
    EVP_EncodeBlock((unsigned char *)text, data, (int)len);
}

bool fake_unbase64(const char *text, char *data, size_t size, size_t *len_out)
{
    size_t len = strlen(text);
    size_t padding = len >= 2 ? (size_t)(text[len - 1] == '=') + (size_t)(text[len - 2] == '=') : 0;

    if (len % 4 != 0 || len / 4 * 3 >= size)
        return false;
    int got = EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)text, (int)len);
    if (got < 0)
        return false;
    *len_out = (size_t)got - padding;
    data[*len_out] = '\0';
    return true;
}

/* The value of an attribute, up to the next comma. */
static bool attribute(const char *message, char name, char *value, size_t size)
{
    while (message) {
        if (message[0] == name && message[1] == '=') {
            size_t len = strcspn(message + 2, ",");
            if (len >= size)
                return false;
            memcpy(value, message + 2, len);
            value[len] = '\0';
            return true;
        }
        message = strchr(message, ',');
        message = message ? message + 1 : NULL;
    }
    return false;
}

bool fake_scram_first(struct fake_scram *scram, const char *client_first, char *answer, size_t size)
{
    char user[64], nonce[96], flag[40];
    const char *comma = strchr(client_first, ',');
    const char *bare = comma ? strchr(comma + 1, ',') : NULL;

    if (!bare)
        return false;
    bare++;
    snprintf(flag, sizeof(flag), scram->binding_type ? "p=%s,," : "n,,", scram->binding_type);
    if (strncmp(client_first, flag, strlen(flag)) != 0 || !attribute(bare, 'n', user, sizeof(user)) ||
        strcmp(user, scram->user) != 0 || !attribute(bare, 'r', nonce, sizeof(nonce)) || strlen(nonce) < 18)
        return false;
    snprintf(scram->gs2, sizeof(scram->gs2), "%s", flag);
    snprintf(scram->first_bare, sizeof(scram->first_bare), "%s", bare);
    snprintf(scram->full_nonce, sizeof(scram->full_nonce), "%s%s", nonce, scram->nonce);
    snprintf(scram->server_first, sizeof(scram->server_first), "r=%s,s=%s,i=%s", scram->full_nonce,
             scram->salt, scram->rounds);
    snprintf(answer, size, "%s", scram->server_first);
    return true;
}

static void hmac(const EVP_MD *md, const unsigned char *key, size_t key_len, const char *text,
                 unsigned char *out)
{
    ck_assert_ptr_nonnull(HMAC(md, key, (int)key_len, (const unsigned char *)text, strlen(text), out, NULL));
}

static bool is_bound_right(const struct fake_scram *scram, const char *c)
{
    char input[160], expected[256];
    size_t len = strlen(scram->gs2);

    memcpy(input, scram->gs2, len);
    memcpy(input + len, scram->binding, scram->binding_len);
    fake_base64(input, len + scram->binding_len, expected, sizeof(expected));
    return strcmp(c, expected) == 0;
}

bool fake_scram_final(struct fake_scram *scram, const char *client_final, char *answer, size_t size)
{
    const EVP_MD *md = scram->sha256 ? EVP_sha256() : EVP_sha1();
    size_t len = scram->sha256 ? 32 : 20, salt_len, proof_len;
    unsigned char salted[32], client_key[32], stored[32], signature[32], server_key[32];
    char c[256], r[160], p[64], salt[64], proof[64], message[1200], v[64];
    const char *end = strstr(client_final, ",p=");

    if (!end || !attribute(client_final, 'c', c, sizeof(c)) || !attribute(client_final, 'r', r, sizeof(r)) ||
        !attribute(client_final, 'p', p, sizeof(p)) || strcmp(r, scram->full_nonce) != 0 ||
        !is_bound_right(scram, c) || !fake_unbase64(p, proof, sizeof(proof), &proof_len) || proof_len != len)
        return false;
    ck_assert(fake_unbase64(scram->salt, salt, sizeof(salt), &salt_len));
    PKCS5_PBKDF2_HMAC(scram->password, -1, (unsigned char *)salt, (int)salt_len, atoi(scram->rounds), md,
                      (int)len, salted);
    hmac(md, salted, len, "Client Key", client_key);
    EVP_Digest(client_key, len, stored, NULL, md, NULL);
    snprintf(message, sizeof(message), "%s,%s,%.*s", scram->first_bare, scram->server_first,
             (int)(end - client_final), client_final);
    hmac(md, stored, len, message, signature);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)proof[i] != (client_key[i] ^ signature[i]))
            return false;
    hmac(md, salted, len, "Server Key", server_key);
    hmac(md, server_key, len, message, signature);
    fake_base64(signature, len, v, sizeof(v));
    snprintf(answer, size, "v=%s", v);
    return true;
}
