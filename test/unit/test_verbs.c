/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "unit_main.h"
#include "verbs.h"

#define N IMAP_IN_NOT_AUTHENTICATED
#define A IMAP_IN_AUTHENTICATED
#define S IMAP_IN_SELECTED

/* The states are those of RFC 3501 6 and of the extensions. */
static const struct {
    const char *name;
    unsigned states;
    bool alone, repeatable;
} verbs[] = {
    {"CAPABILITY", N | A | S, false, true},
    {"NOOP", N | A | S, false, true},
    {"LOGOUT", N | A | S, true, true},
    {"STARTTLS", N, true, true},
    {"AUTHENTICATE", N, true, true},
    {"LOGIN", N, true, true},
    {"SELECT", A | S, true, true},
    {"EXAMINE", A | S, true, true},
    {"CREATE", A | S, false, false},
    {"DELETE", A | S, false, false},
    {"RENAME", A | S, false, false},
    {"SUBSCRIBE", A | S, false, true},
    {"UNSUBSCRIBE", A | S, false, true},
    {"LIST", A | S, false, true},
    {"LSUB", A | S, false, true},
    {"STATUS", A | S, false, true},
    {"APPEND", A | S, false, false},
    {"CHECK", S, false, true},
    {"CLOSE", S, true, false},
    {"UNSELECT", S, true, true},
    {"EXPUNGE", S, false, false},
    {"SEARCH", S, false, true},
    {"FETCH", S, false, true},
    {"STORE", S, false, false},
    {"COPY", S, false, false},
    {"MOVE", S, false, false},
    {"UID FETCH", S, false, true},
    {"UID STORE", S, false, false},
    {"UID COPY", S, false, false},
    {"UID MOVE", S, false, false},
    {"UID EXPUNGE", S, false, false},
    {"UID SEARCH", S, false, true},
    {"ENABLE", A, true, true}, /* RFC 5161 3.1: before any mailbox is selected */
    {"PROXYAUTH", A | S, true, true},
    {"XLIST", A | S, false, true},
    {"SORT", S, false, true},
    {"THREAD", S, false, true},
    {"UID SORT", S, false, true},
    {"UID THREAD", S, false, true},
    {"NOTIFY", A | S, true, true},
    {"GETACL", A | S, false, true},
    {"SETACL", A | S, false, true},
    {"DELETEACL", A | S, false, true},
    {"LISTRIGHTS", A | S, false, true},
    {"MYRIGHTS", A | S, false, true},
    {"GETQUOTA", A | S, false, true},
    {"GETQUOTAROOT", A | S, false, true},
    {"SETQUOTA", A | S, false, true},
    {"GETMETADATA", A | S, false, true},
    {"GETANNOTATION", A | S, false, true},
    {"SETANNOTATION", A | S, false, true},
    {"NAMESPACE", A | S, false, true},
    {"ID", N | A | S, false, true},
    {"REPLACE", S, false, false},
    {"UID REPLACE", S, false, false},
    {"SETMETADATA", A | S, false, true},
    {"UNAUTHENTICATE", A | S, true, true},
    {"COMPRESS", A | S, true, true},
};

START_TEST(table)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct imap_verb *verb = imap_verb_find(verbs[i].name);
        ck_assert_str_eq(verb->name, verbs[i].name);
        ck_assert_msg(verb->states == verbs[i].states, "%s", verb->name);
        ck_assert_msg((verb->flags & IMAP_VERB_ALONE) == (verbs[i].alone ? IMAP_VERB_ALONE : 0), "%s",
                      verb->name);
        ck_assert_msg(!!(verb->flags & IMAP_VERB_REPEATABLE) == verbs[i].repeatable, "%s", verb->name);
    }
}
END_TEST

START_TEST(unknown_verbs_run_alone)
{
    static const char *const names[] = {"XYZZY", "", "fetch", "UID", "UID XYZZY", "ZZZ", "A"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct imap_verb *verb = imap_verb_find(names[i]);
        ck_assert_str_eq(verb->name, "");
        ck_assert_uint_eq(verb->flags, IMAP_VERB_ALONE);
        ck_assert_uint_eq(verb->states, N | A | S);
        ck_assert(verb->answers & IMAP_ANSWER(IMAP_RESP_UNKNOWN));
    }
}
END_TEST

static bool ambiguous(const char *one, const char *other)
{
    bool result = imap_verb_ambiguous(imap_verb_find(one), imap_verb_find(other));
    ck_assert_int_eq(result, imap_verb_ambiguous(imap_verb_find(other), imap_verb_find(one)));
    return result;
}

START_TEST(answers_that_cannot_be_told_apart)
{
    ck_assert(ambiguous("SEARCH", "SEARCH"));
    ck_assert(ambiguous("UID SEARCH", "SEARCH"));
    ck_assert(ambiguous("LIST", "LIST"));
    ck_assert(ambiguous("LIST", "STATUS")); /* LIST-STATUS */
    ck_assert(ambiguous("EXPUNGE", "UID MOVE"));
    ck_assert(ambiguous("GETQUOTA", "GETQUOTAROOT"));
    ck_assert(!ambiguous("STATUS", "STATUS"));
    ck_assert(!ambiguous("UID FETCH", "UID FETCH"));
    ck_assert(!ambiguous("UID FETCH", "UID STORE"));
    ck_assert(!ambiguous("UID FETCH", "UID SEARCH"));
    ck_assert(!ambiguous("NOOP", "NOOP"));
    ck_assert(!ambiguous("LIST", "UID FETCH"));
}
END_TEST

UNIT_MAIN("verbs", table, unknown_verbs_run_alone, answers_that_cannot_be_told_apart)
