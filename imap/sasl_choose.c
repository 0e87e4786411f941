/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sasl.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Strongest first, as imap/auth.h promises. */
static const struct imap_mechanism table[] = {
    {"EXTERNAL", IMAP_AUTH_CHALLENGED, IMAP_SECRET_CERTIFICATE, false, false},
    {"SCRAM-SHA-256-PLUS", IMAP_AUTH_BOUND, IMAP_SECRET_PASSWORD, false, false},
    {"SCRAM-SHA-1-PLUS", IMAP_AUTH_BOUND, IMAP_SECRET_PASSWORD, false, false},
    {"SCRAM-SHA-256", IMAP_AUTH_MUTUAL, IMAP_SECRET_PASSWORD, false, false},
    {"SCRAM-SHA-1", IMAP_AUTH_MUTUAL, IMAP_SECRET_PASSWORD, false, false},
    {"GSSAPI", IMAP_AUTH_MUTUAL, IMAP_SECRET_TICKET, false, false},
    {"CRAM-MD5", IMAP_AUTH_CHALLENGED, IMAP_SECRET_PASSWORD, true, false},
    {"OAUTHBEARER", IMAP_AUTH_ANY, IMAP_SECRET_TOKEN, false, false},
    {"XOAUTH2", IMAP_AUTH_ANY, IMAP_SECRET_TOKEN, false, false},
    {"PLAIN", IMAP_AUTH_ANY, IMAP_SECRET_PASSWORD, false, false},
    {"LOGIN", IMAP_AUTH_ANY, IMAP_SECRET_PASSWORD, true, false},
    {"login", IMAP_AUTH_ANY, IMAP_SECRET_PASSWORD, false, true},
};
_Static_assert(COUNT(table) == IMAP_SASL_MECHANISMS, "the header tells how many");

/* Only "login" in lower case is the command. */
static const struct imap_mechanism *find(const char *name, size_t len)
{
    for (size_t i = COUNT(table); i-- > 0;) {
        bool same = table[i].command ? strncmp(table[i].name, name, len) == 0
                                     : strncasecmp(table[i].name, name, len) == 0;
        if (same && strlen(table[i].name) == len)
            return &table[i];
    }
    return NULL;
}

/* Takes the next word off *list; NULL at its end. */
static const char *next_word(const char **list, size_t *len_out)
{
    const char *word = *list + strspn(*list, " ");

    *len_out = strcspn(word, " ");
    *list = word + *len_out;
    return *len_out > 0 ? word : NULL;
}

enum imap_status imap_sasl_check_names(const char *mechanisms, struct imap_error *err)
{
    const char *word;
    size_t len;
    bool any = false;

    while ((word = next_word(&mechanisms, &len))) {
        if (!find(word, len))
            return imap_error_set(err, IMAP_USAGE, "no mechanism is called %.*s", len > 40 ? 40 : (int)len,
                                  word);
        any = true;
    }
    return any ? IMAP_OK : imap_error_set(err, IMAP_USAGE, "no mechanism is named");
}

static bool is_offered(const struct imap_mechanism *mechanism, const struct imap_caps *caps)
{
    char word[40];

    if (mechanism->command)
        return !imap_caps_has(caps, IMAP_CAP_LOGINDISABLED);
    snprintf(word, sizeof(word), "AUTH=%s", mechanism->name);
    return imap_caps_has_name(caps, word);
}

static bool has_secret(const struct imap_mechanism *mechanism, const struct imap_sasl_terms *terms,
                       const struct imap_credentials *credentials, bool named)
{
    bool other = credentials->password || credentials->token;

    switch (mechanism->secret) {
    case IMAP_SECRET_PASSWORD:
        return credentials->user && credentials->password;
    case IMAP_SECRET_TOKEN:
        return credentials->token && credentials->user;
    case IMAP_SECRET_CERTIFICATE:
        return named || (terms->certificate && !other);
    case IMAP_SECRET_TICKET:
        /* Asking for one can take long, and it may be of somebody else. */
        return terms->host && (named || !other);
    }
    return false;
}

static bool is_possible(const struct imap_mechanism *mechanism, const struct imap_sasl_terms *terms,
                        const struct imap_credentials *credentials, bool named)
{
    return mechanism->strength >= credentials->strength && is_offered(mechanism, terms->caps) &&
           has_secret(mechanism, terms, credentials, named) &&
           (mechanism->strength != IMAP_AUTH_BOUND || terms->binding.len > 0);
}

size_t imap_sasl_candidates(const struct imap_sasl_terms *terms, const struct imap_credentials *credentials,
                            const struct imap_mechanism *candidates_out[IMAP_SASL_MECHANISMS])
{
    const char *list = credentials->mechanisms;
    const char *word;
    size_t count = 0, len;

    if (!list) {
        for (size_t i = 0; i < COUNT(table); i++)
            if (is_possible(&table[i], terms, credentials, false))
                candidates_out[count++] = &table[i];
        return count;
    }
    while (count < IMAP_SASL_MECHANISMS && (word = next_word(&list, &len))) {
        const struct imap_mechanism *mechanism = find(word, len);
        if (mechanism && is_possible(mechanism, terms, credentials, true))
            candidates_out[count++] = mechanism;
    }
    return count;
}
