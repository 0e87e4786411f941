/* SPDX-License-Identifier: MIT */
/* Mechanisms: the RFCs' own exchanges, servers that cheat, and which one is chosen. */
#include <check.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakescram.h"
#include "sasl.h"

/* ---- a nonce that is known before -------------------------------------------------------------------- */

/* libgsasl makes its nonces by these two functions of its own, which ours take the place of. */
#define MAGIC 0xa7
static const char *fixed_nonce;

int gsasl_nonce(char *data, size_t len)
{
    static unsigned char serial;

    memset(data, fixed_nonce ? MAGIC : ++serial, len);
    return GSASL_OK;
}

int gsasl_base64_to(const char *in, size_t inlen, char **out, size_t *outlen)
{
    static const unsigned char magic[18] = {MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC,
                                            MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC, MAGIC};
    size_t size = (inlen + 2) / 3 * 4 + 1;

    if (fixed_nonce && inlen == sizeof(magic) && memcmp(in, magic, inlen) == 0) {
        *out = strdup(fixed_nonce);
    } else {
        *out = malloc(size);
        fake_base64(in, inlen, *out, size);
    }
    if (outlen)
        *outlen = strlen(*out);
    return GSASL_OK;
}

/* ---- help -------------------------------------------------------------------------------------------- */

static struct imap_caps caps;
static struct imap_sasl_terms terms;

static const char *no_token(void *arg, bool expired)
{
    (void)arg, (void)expired;
    return NULL;
}

static void offer(const char *words)
{
    imap_caps_clear(&caps);
    while (*words) {
        size_t len = strcspn(words, " ");
        imap_caps_add(&caps, words, len);
        words += len + (words[len] == ' ');
    }
    terms = (struct imap_sasl_terms){.caps = &caps, .host = "server.example.com", .port = "143"};
}

static const struct imap_mechanism *mechanism_named(const char *name)
{
    const struct imap_mechanism *candidates[IMAP_SASL_MECHANISMS];
    const struct imap_credentials all = {.user = "u", .password = "p", .mechanisms = name};
    const struct imap_credentials token = {.user = "u", .mechanisms = name, .token = no_token};
    char word[40];

    snprintf(word, sizeof(word), "AUTH=%s", name);
    offer(word);
    terms.binding = (struct imap_binding){.type = "tls-exporter", .data = "0123456789", .len = 10};
    if (imap_sasl_candidates(&terms, &all, candidates) == 1)
        return candidates[0];
    ck_assert_uint_eq(imap_sasl_candidates(&terms, &token, candidates), 1);
    return candidates[0];
}

static struct imap_sasl *start(const char *name, const struct imap_credentials *credentials,
                               const char *token)
{
    struct imap_sasl *sasl;
    struct imap_error err = {0};

    enum imap_status status = imap_sasl_new(mechanism_named(name), credentials, &terms, token, &sasl, &err);
    ck_assert_msg(status == IMAP_OK, "%s: %s", name, err.text);
    return sasl;
}

static void assert_base64(const char *base64, const char *expected, size_t len)
{
    char text[1024];

    fake_base64(expected, len, text, sizeof(text));
    ck_assert_str_eq(base64, text);
}

/* A step in clear text. */
static enum imap_status step(struct imap_sasl *sasl, const char *challenge, char *response, size_t size,
                             struct imap_error *err)
{
    char base64[4096];
    const char *answer;
    size_t len;

    fake_base64(challenge, strlen(challenge), base64, sizeof(base64));
    *err = (struct imap_error){0};
    enum imap_status status = imap_sasl_step(sasl, base64, strlen(base64), &answer, err);
    if (status == IMAP_OK)
        ck_assert(fake_unbase64(answer, response, size, &len));
    else
        ck_assert_str_ne(err->text, "");
    return status;
}

/* ---- the RFCs' exchanges ----------------------------------------------------------------------------- */

static const struct scram_vector {
    const char *mechanism, *nonce, *first, *challenge, *final, *verdict;
} scram_vectors[] = {
    /* RFC 5802 5 */
    {"SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    /* RFC 7677 3 */
    {"SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static const struct imap_credentials pencil = {.user = "user", .password = "pencil"};

START_TEST(scram_as_in_the_rfcs)
{
    const struct scram_vector *vector = &scram_vectors[_i];
    struct imap_error err;
    char response[512];

    fixed_nonce = vector->nonce;
    struct imap_sasl *sasl = start(vector->mechanism, &pencil, NULL);
    assert_base64(imap_sasl_initial(sasl), vector->first, strlen(vector->first));
    ck_assert(!imap_sasl_complete(sasl));
    ck_assert_msg(step(sasl, vector->challenge, response, sizeof(response), &err) == IMAP_OK, "%s", err.text);
    ck_assert_str_eq(response, vector->final);
    ck_assert(!imap_sasl_complete(sasl));
    ck_assert_msg(step(sasl, vector->verdict, response, sizeof(response), &err) == IMAP_OK, "%s", err.text);
    ck_assert_str_eq(response, "");
    ck_assert(imap_sasl_complete(sasl));
    ck_assert_int_eq(step(sasl, "more", response, sizeof(response), &err), IMAP_AUTH);
    imap_sasl_free(&sasl);
    fixed_nonce = NULL;
}
END_TEST

START_TEST(cram_md5_as_in_the_rfc)
{
    const struct imap_credentials tim = {.user = "tim", .password = "tanstaaftanstaaf"};
    struct imap_sasl *sasl = start("CRAM-MD5", &tim, NULL);
    const char *response;
    struct imap_error err;

    ck_assert_ptr_null(imap_sasl_initial(sasl));
    ck_assert(!imap_sasl_complete(sasl));
    const char *challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"; /* RFC 2195 2 */
    ck_assert_int_eq(imap_sasl_step(sasl, challenge, strlen(challenge), &response, &err), IMAP_OK);
    ck_assert_str_eq(response, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    ck_assert(imap_sasl_complete(sasl));
    imap_sasl_free(&sasl);
}
END_TEST

START_TEST(plain_as_in_the_rfc)
{
    const struct imap_credentials tim = {.user = "tim", .password = "tanstaaftanstaaf"};
    const struct imap_credentials kurt = {.user = "Kurt", .authzid = "Ursel", .password = "xipj3plmq"};
    struct imap_sasl *sasl = start("PLAIN", &tim, NULL);

    assert_base64(imap_sasl_initial(sasl), "\0tim\0tanstaaftanstaaf", 21); /* RFC 4616 4 */
    ck_assert(imap_sasl_complete(sasl));
    imap_sasl_free(&sasl);
    sasl = start("PLAIN", &kurt, NULL);
    assert_base64(imap_sasl_initial(sasl), "Ursel\0Kurt\0xipj3plmq", 20);
    imap_sasl_free(&sasl);
}
END_TEST

/* RFC 7628 4.1 and 4.3 */
START_TEST(oauthbearer_as_in_the_rfc)
{
    const struct imap_credentials user = {.user = "user@example.com"};
    struct imap_sasl *sasl = start("OAUTHBEARER", &user, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    struct imap_error err;
    char response[64];

    ck_assert_str_eq(
        imap_sasl_initial(sasl),
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
        "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
    ck_assert(imap_sasl_complete(sasl) && !imap_sasl_refused(sasl));
    ck_assert_int_eq(step(sasl, "{\"status\":\"invalid_token\"}", response, sizeof(response), &err), IMAP_OK);
    ck_assert_str_eq(response, "\1");
    ck_assert(!imap_sasl_complete(sasl) && imap_sasl_refused(sasl));
    ck_assert_int_eq(step(sasl, "{}", response, sizeof(response), &err), IMAP_AUTH);
    imap_sasl_free(&sasl);
}
END_TEST

/* Google's description has this example. */
START_TEST(xoauth2_as_described)
{
    const struct imap_credentials user = {.user = "someuser@example.com"};
    struct imap_sasl *sasl = start("XOAUTH2", &user, "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
    struct imap_error err;
    char response[64];

    ck_assert_str_eq(
        imap_sasl_initial(sasl),
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
        "SFJoZG1semRHRXVZMjl0Q2cBAQ==");
    ck_assert_int_eq(step(sasl, "{\"status\":\"401\"}", response, sizeof(response), &err), IMAP_OK);
    ck_assert_str_eq(response, "");
    ck_assert(!imap_sasl_complete(sasl) && imap_sasl_refused(sasl));
    imap_sasl_free(&sasl);
}
END_TEST

/* What would end a field of the format must not be let through. */
START_TEST(tokens_and_names_are_checked)
{
    static const char *const bad_tokens[] = {"", "a b", "a\1b", "a\r\nb", "\xc3\xa4"};
    const struct imap_credentials comma = {.user = "a,b=c"};
    const struct imap_credentials control = {.user = "a\1b"};
    static const char *const names[] = {"OAUTHBEARER", "XOAUTH2"};
    struct imap_sasl *sasl;
    struct imap_error err;

    for (size_t n = 0; n < 2; n++) {
        const struct imap_mechanism *mechanism = mechanism_named(names[n]);
        for (size_t i = 0; i < sizeof(bad_tokens) / sizeof(bad_tokens[0]); i++)
            ck_assert_int_eq(imap_sasl_new(mechanism, &pencil, &terms, bad_tokens[i], &sasl, &err),
                             IMAP_AUTH);
        ck_assert_int_eq(imap_sasl_new(mechanism, &control, &terms, "t", &sasl, &err), IMAP_AUTH);
    }
    const struct imap_mechanism *mechanism = mechanism_named("OAUTHBEARER");
    terms.port = "imap"; /* the format knows numbers only */
    ck_assert_int_eq(imap_sasl_new(mechanism, &comma, &terms, "t", &sasl, &err), IMAP_OK);
    static const char expected[] = "n,a=a=2Cb=3Dc,\1host=server.example.com\1auth=Bearer t\1\1";
    assert_base64(imap_sasl_initial(sasl), expected, sizeof(expected) - 1);
    imap_sasl_free(&sasl);
}
END_TEST

START_TEST(login_answers_by_order)
{
    struct imap_sasl *sasl = start("LOGIN", &pencil, NULL);
    struct imap_error err;
    char response[64];
    const char *answer;

    ck_assert_ptr_null(imap_sasl_initial(sasl));
    ck_assert_int_eq(imap_sasl_step(sasl, "what?!", 6, &answer, &err), IMAP_OK); /* not even base64 */
    assert_base64(answer, "user", 4);
    ck_assert(!imap_sasl_complete(sasl));
    ck_assert_int_eq(step(sasl, "Password:", response, sizeof(response), &err), IMAP_OK);
    ck_assert_str_eq(response, "pencil");
    ck_assert(imap_sasl_complete(sasl));
    ck_assert_int_eq(step(sasl, "And?", response, sizeof(response), &err), IMAP_AUTH);
    ck_assert(!imap_sasl_complete(sasl));
    imap_sasl_free(&sasl);
}
END_TEST

START_TEST(external_names_nobody_or_whom_to_act_as)
{
    const struct imap_credentials nobody = {.user = "u"};
    const struct imap_credentials boss = {.authzid = "boss"};
    struct imap_sasl *sasl = start("EXTERNAL", &nobody, NULL);

    ck_assert_str_eq(imap_sasl_initial(sasl), "");
    ck_assert(imap_sasl_complete(sasl));
    imap_sasl_free(&sasl);
    sasl = start("EXTERNAL", &boss, NULL);
    assert_base64(imap_sasl_initial(sasl), "boss", 4);
    imap_sasl_free(&sasl);
}
END_TEST

/* ---- SCRAM against a server of our own --------------------------------------------------------------- */

static struct fake_scram scram_server(bool sha256)
{
    return (struct fake_scram){.sha256 = sha256,
                               .user = "user",
                               .password = "pencil",
                               .nonce = "3rfcNHYJY1ZV",
                               .salt = "QSXCR+Q6sek8bf92",
                               .rounds = "4096"};
}

/* Up to the server's verdict, which is then in verdict. */
static struct imap_sasl *converse(const char *mechanism, struct fake_scram *server, char *verdict,
                                  size_t size)
{
    struct imap_sasl *sasl = start(mechanism, &pencil, NULL);
    struct imap_error err;
    char first[512], challenge[600], final[600];
    size_t len;

    ck_assert(fake_unbase64(imap_sasl_initial(sasl), first, sizeof(first), &len));
    ck_assert_msg(fake_scram_first(server, first, challenge, sizeof(challenge)), "%s", first);
    ck_assert_msg(step(sasl, challenge, final, sizeof(final), &err) == IMAP_OK, "%s", err.text);
    ck_assert_msg(fake_scram_final(server, final, verdict, size), "%s", final);
    return sasl;
}

START_TEST(scram_by_every_variant)
{
    static const char *const names[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                        "SCRAM-SHA-256-PLUS"};
    struct fake_scram server = scram_server(_i % 2 == 1);
    struct imap_error err;
    char verdict[128], response[8];

    if (_i >= 2) { /* as in mechanism_named */
        server.binding_type = "tls-exporter";
        memcpy(server.binding, "0123456789", 10);
        server.binding_len = 10;
    }
    struct imap_sasl *sasl = converse(names[_i], &server, verdict, sizeof(verdict));
    ck_assert_msg(step(sasl, verdict, response, sizeof(response), &err) == IMAP_OK, "%s", err.text);
    ck_assert(imap_sasl_complete(sasl));
    imap_sasl_free(&sasl);
}
END_TEST

START_TEST(a_wrong_server_signature_is_refused)
{
    struct fake_scram server = scram_server(true);
    struct imap_error err;
    char verdict[128], response[8];
    struct imap_sasl *sasl = converse("SCRAM-SHA-256", &server, verdict, sizeof(verdict));

    verdict[5] = verdict[5] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(step(sasl, verdict, response, sizeof(response), &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "impostor") != NULL, "%s", err.text);
    ck_assert(!imap_sasl_complete(sasl) && !imap_sasl_refused(sasl));
    imap_sasl_free(&sasl);
}
END_TEST

/* ---- servers that cheat ------------------------------------------------------------------------------ */

static const struct cheat {
    const char *challenge;
    const char *says; /* in the error */
    bool refused, unbound;
} cheats[] = {
    {"r=%sX,s=QSXCR+Q6sek8bf92,i=2000001", "2000001 rounds", false, false},
    {"r=%sX,s=QSXCR+Q6sek8bf92,i=4294967295", "rounds", false, false},
    {"r=%sX,s=QSXCR+Q6sek8bf92,i=18446744073709551617", "SCRAM", false, false},
    {"r=%sX,s=QSXCR+Q6sek8bf92,i=0", "SCRAM", false, false},
    {"r=%sX,s=QSXCR+Q6sek8bf92,i=-1", "SCRAM", false, false},
    {"r=%sX,s=!!!!,i=4096", "SCRAM", false, false},
    {"r=%sX,i=4096", "SCRAM", false, false},
    {"r=other,s=QSXCR+Q6sek8bf92,i=4096,x=%s", "SCRAM", false, false},
    {"m=ext,r=%sX,s=QSXCR+Q6sek8bf92,i=4096", "SCRAM", false, false},
    {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,x=%s", "SCRAM", false, false},
    {"e=unknown-user,x=%s", "unknown-user", true, false},
    {"e=channel-bindings-dont-match,x=%s", "between", false, false},
    {"e=unsupported-channel-binding-type,x=%s", "unsupported", true, true},
    {"e=channel-binding-not-supported,x=%s", "not-supported", true, true},
};

START_TEST(cheats_are_refused_at_once)
{
    const struct cheat *cheat = &cheats[_i];
    struct imap_sasl *sasl = start("SCRAM-SHA-256", &pencil, NULL);
    struct imap_error err;
    char first[256], challenge[512], response[512];
    size_t len;

    ck_assert(fake_unbase64(imap_sasl_initial(sasl), first, sizeof(first), &len));
    const char *nonce = strstr(first, "r=") + 2;
    const char *hole = strchr(cheat->challenge, '%');
    snprintf(challenge, sizeof(challenge), "%.*s%s%s", (int)(hole - cheat->challenge), cheat->challenge,
             nonce, hole + 2);
    ck_assert_int_eq(step(sasl, challenge, response, sizeof(response), &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, cheat->says) != NULL, "%s: %s", cheat->challenge, err.text);
    ck_assert(!imap_sasl_complete(sasl));
    ck_assert(imap_sasl_refused(sasl) == cheat->refused && imap_sasl_unbound(sasl) == cheat->unbound);
    imap_sasl_free(&sasl);
}
END_TEST

START_TEST(challenges_have_a_size)
{
    static const char *const names[] = {"SCRAM-SHA-256", "CRAM-MD5", "LOGIN", "PLAIN"};
    char *huge = malloc(IMAP_SASL_CHALLENGE_MAX + 4);
    const char *response;
    struct imap_error err;

    memset(huge, 'A', IMAP_SASL_CHALLENGE_MAX + 4);
    for (size_t i = 0; i < 4; i++) {
        struct imap_sasl *sasl = start(names[i], &pencil, NULL);
        ck_assert_int_eq(imap_sasl_step(sasl, huge, IMAP_SASL_CHALLENGE_MAX + 4, &response, &err), IMAP_AUTH);
        ck_assert_str_eq(response, "");
        imap_sasl_free(&sasl);
    }
    struct imap_sasl *sasl = start("CRAM-MD5", &pencil, NULL);
    ck_assert_int_eq(imap_sasl_step(sasl, "?", 1, &response, &err), IMAP_AUTH);
    imap_sasl_free(&sasl);
    free(huge);
}
END_TEST

/* RFC 4013 has no form for control characters; PLAIN carries them. */
START_TEST(passwords_that_a_mechanism_cannot_carry)
{
    const struct imap_credentials odd = {.user = "u", .password = "a\r\nb\x7f"};
    const struct imap_credentials invalid = {.user = "u", .password = "\xff\xfe"};
    struct imap_sasl *sasl;
    struct imap_error err = {0};

    ck_assert_int_eq(imap_sasl_new(mechanism_named("SCRAM-SHA-256"), &odd, &terms, NULL, &sasl, &err),
                     IMAP_AUTH);
    ck_assert_ptr_null(sasl);
    ck_assert_str_ne(err.text, "");
    ck_assert_int_eq(imap_sasl_new(mechanism_named("SCRAM-SHA-1"), &invalid, &terms, NULL, &sasl, &err),
                     IMAP_AUTH);
    sasl = start("PLAIN", &odd, NULL);
    assert_base64(imap_sasl_initial(sasl), "\0u\0a\r\nb\x7f", 8);
    imap_sasl_free(&sasl);
}
END_TEST

/* Kerberos leaks 16 bytes for each ticket that it does not find. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libgssapi_krb5";
}

START_TEST(no_ticket_no_gssapi)
{
    const struct imap_credentials credentials = {.user = "u", .mechanisms = "GSSAPI"};
    const struct imap_mechanism *candidates[IMAP_SASL_MECHANISMS];
    struct imap_sasl *sasl;
    struct imap_error err = {0};

    setenv("KRB5CCNAME", "FILE:/nonexistent/tickets", 1);
    setenv("KRB5_CONFIG", "/dev/null", 1);
    offer("AUTH=GSSAPI");
    ck_assert_uint_eq(imap_sasl_candidates(&terms, &credentials, candidates), 1);
    ck_assert_int_eq(imap_sasl_new(candidates[0], &credentials, &terms, NULL, &sasl, &err), IMAP_AUTH);
    ck_assert_msg(strstr(err.text, "GSSAPI") != NULL, "%s", err.text);
}
END_TEST

/* ---- the choice -------------------------------------------------------------------------------------- */

#define ALL                                                                                                  \
    "AUTH=LOGIN AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=CRAM-MD5 AUTH=GSSAPI AUTH=SCRAM-SHA-1 "        \
    "AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256-PLUS AUTH=EXTERNAL AUTH=DIGEST-MD5"
#define PASSWORD 1u
#define TOKEN 2u
#define CERTIFICATE 4u
#define BINDING 8u
#define NO_USER 16u
#define NO_HOST 32u

static const struct choice {
    const char *caps;
    unsigned given;
    enum imap_auth_strength strength;
    const char *mechanisms;
    const char *expected;
} choices[] = {
    {ALL, PASSWORD | BINDING, IMAP_AUTH_ANY, NULL,
     "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN login"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, NULL, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN login"},
    {ALL, PASSWORD | TOKEN, IMAP_AUTH_ANY, NULL,
     "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 OAUTHBEARER XOAUTH2 PLAIN LOGIN login"},
    {ALL, TOKEN | BINDING, IMAP_AUTH_ANY, NULL, "OAUTHBEARER XOAUTH2"},
    {ALL, CERTIFICATE | BINDING, IMAP_AUTH_ANY, NULL, "EXTERNAL GSSAPI"},
    {ALL, CERTIFICATE | PASSWORD, IMAP_AUTH_MUTUAL, NULL, "SCRAM-SHA-256 SCRAM-SHA-1"},
    {ALL, 0, IMAP_AUTH_ANY, NULL, "GSSAPI"},
    {ALL, NO_HOST, IMAP_AUTH_ANY, NULL, ""},
    {ALL, PASSWORD | NO_USER, IMAP_AUTH_ANY, NULL, ""},
    {ALL, PASSWORD | BINDING, IMAP_AUTH_CHALLENGED, NULL,
     "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5"},
    {ALL, PASSWORD | BINDING, IMAP_AUTH_MUTUAL, NULL,
     "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1"},
    {ALL, PASSWORD | BINDING, IMAP_AUTH_BOUND, NULL, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS"},
    {ALL, PASSWORD | TOKEN | CERTIFICATE, IMAP_AUTH_BOUND, NULL, ""},
    {ALL, TOKEN, IMAP_AUTH_CHALLENGED, NULL, ""},
    {ALL, CERTIFICATE, IMAP_AUTH_CHALLENGED, NULL, "EXTERNAL GSSAPI"},
    {ALL, CERTIFICATE, IMAP_AUTH_MUTUAL, NULL, "GSSAPI"},
    {ALL, PASSWORD | BINDING, IMAP_AUTH_ANY, "PLAIN SCRAM-SHA-1", "PLAIN SCRAM-SHA-1"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, "login", "login"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, "LOGIN", "LOGIN"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, "scram-sha-256  plain", "SCRAM-SHA-256 PLAIN"},
    {ALL, PASSWORD, IMAP_AUTH_MUTUAL, "PLAIN SCRAM-SHA-1", "SCRAM-SHA-1"},
    {ALL, PASSWORD | CERTIFICATE, IMAP_AUTH_ANY, "EXTERNAL", "EXTERNAL"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, "GSSAPI PLAIN", "GSSAPI PLAIN"},
    {ALL, PASSWORD, IMAP_AUTH_ANY, "SCRAM-SHA-256-PLUS", ""},
    {"AUTH=PLAIN LOGINDISABLED", PASSWORD, IMAP_AUTH_ANY, NULL, "PLAIN"},
    {"LOGINDISABLED", PASSWORD, IMAP_AUTH_ANY, NULL, ""},
    {"LOGINDISABLED", PASSWORD, IMAP_AUTH_ANY, "login", ""},
    {"IMAP4REV1", PASSWORD, IMAP_AUTH_ANY, NULL, "login"},
    {"IMAP4REV1", PASSWORD, IMAP_AUTH_CHALLENGED, NULL, ""},
    {"AUTH=SCRAM-SHA-256X AUTH=XPLAIN", PASSWORD, IMAP_AUTH_CHALLENGED, NULL, ""},
};

START_TEST(the_strongest_that_is_possible)
{
    const struct choice *choice = &choices[_i];
    const struct imap_credentials credentials = {.user = choice->given & NO_USER ? NULL : "user",
                                                 .password = choice->given & PASSWORD ? "pw" : NULL,
                                                 .token = choice->given & TOKEN ? no_token : NULL,
                                                 .strength = choice->strength,
                                                 .mechanisms = choice->mechanisms};
    const struct imap_mechanism *candidates[IMAP_SASL_MECHANISMS];
    char names[400] = "";

    offer(choice->caps);
    terms.certificate = (choice->given & CERTIFICATE) != 0;
    terms.binding.type = "tls-exporter";
    terms.binding.len = choice->given & BINDING ? 32 : 0;
    if (choice->given & NO_HOST)
        terms.host = NULL;
    size_t count = imap_sasl_candidates(&terms, &credentials, candidates);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", i ? " " : "", candidates[i]->name);
    }
    ck_assert_msg(strcmp(names, choice->expected) == 0, "choice %d: %s", _i, names);
}
END_TEST

START_TEST(names_are_checked)
{
    struct imap_error err = {0};

    ck_assert_int_eq(imap_sasl_check_names("SCRAM-SHA-256 plain login LOGIN", &err), IMAP_OK);
    ck_assert_int_eq(imap_sasl_check_names("PLAIN NTLM", &err), IMAP_USAGE);
    ck_assert_msg(strstr(err.text, "NTLM") != NULL, "%s", err.text);
    ck_assert_int_eq(imap_sasl_check_names("PLAI", &err), IMAP_USAGE);
    ck_assert_int_eq(imap_sasl_check_names("PLAIN,LOGIN", &err), IMAP_USAGE);
    ck_assert_int_eq(imap_sasl_check_names("  ", &err), IMAP_USAGE);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(*(array)))

int main(void)
{
    Suite *suite = suite_create("sasl");
    TCase *tcase = tcase_create("sasl");
    tcase_set_timeout(tcase, 60);

    tcase_add_loop_test(tcase, scram_as_in_the_rfcs, 0, COUNT(scram_vectors));
    tcase_add_test(tcase, cram_md5_as_in_the_rfc);
    tcase_add_test(tcase, plain_as_in_the_rfc);
    tcase_add_test(tcase, oauthbearer_as_in_the_rfc);
    tcase_add_test(tcase, xoauth2_as_described);
    tcase_add_test(tcase, tokens_and_names_are_checked);
    tcase_add_test(tcase, login_answers_by_order);
    tcase_add_test(tcase, external_names_nobody_or_whom_to_act_as);
    tcase_add_loop_test(tcase, scram_by_every_variant, 0, 4);
    tcase_add_test(tcase, a_wrong_server_signature_is_refused);
    tcase_add_loop_test(tcase, cheats_are_refused_at_once, 0, COUNT(cheats));
    tcase_add_test(tcase, challenges_have_a_size);
    tcase_add_test(tcase, passwords_that_a_mechanism_cannot_carry);
    tcase_add_test(tcase, no_ticket_no_gssapi);
    tcase_add_loop_test(tcase, the_strongest_that_is_possible, 0, COUNT(choices));
    tcase_add_test(tcase, names_are_checked);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
