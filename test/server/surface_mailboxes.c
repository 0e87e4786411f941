/* SPDX-License-Identifier: MIT */
/* The surface: mailboxes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "surface.h"

static const struct imap_response *find_list(const struct imap_answer *answer, enum imap_response_type type,
                                             const char *name)
{
    const struct imap_response *said = NULL;
    while ((said = imap_answer_next(answer, type, said)))
        if (strcmp(said->list.name, name) == 0)
            return said;
    return NULL;
}

static void child_of(const struct surface *s, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", s->box, name);
}

SURFACE_TEST(select_tells)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];
    surface_make(s);
    surface_fill(s, 2);
    const struct imap_answer *answer = DID(s, select, s->box, 0);
    ck_assert_uint_eq(surface_first(answer, IMAP_RESP_EXISTS)->number, 2);
    ck_assert_uint_ne(surface_first(answer, IMAP_RESP_FLAGS)->flags.system & IMAP_FLAG_FLAGGED, 0);
    ck_assert_int_eq(imap_answer_text(answer)->code, IMAP_CODE_READ_WRITE);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert_uint_eq(selected.exists, 2);
    ck_assert_uint_eq(selected.uidnext, 3);
    ck_assert_uint_ne(selected.permanent_flags & IMAP_FLAG_NEW_KEYWORDS, 0);
    EXPECT(s, surface_is_cyrus ? IMAP_GONE : IMAP_NO, select, "no such mailbox", 0);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
}

SURFACE_TEST(examine)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];
    surface_make(s);
    const struct imap_answer *answer = DID(s, select, s->box, IMAP_SELECT_READ_ONLY);
    ck_assert_int_eq(imap_answer_text(answer)->code, IMAP_CODE_READ_ONLY);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert(selected.read_only);
    surface_row(s, "examine");
    DID(s, select, s->box, IMAP_SELECT_MUST_WRITE);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert(!selected.read_only);
}

SURFACE_TEST(select_condstore)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];
    surface_make(s);
    surface_fill(s, 1);
    DID(s, select, s->box, IMAP_SELECT_CONDSTORE);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert_uint_gt(selected.highestmodseq, 0);
    surface_row(s, "select condstore");
}

SURFACE_TEST(select_qresync)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];
    DID(s, enable, "QRESYNC");
    surface_make(s);
    surface_fill(s, 5);
    DID(s, select, s->box, 0);
    ck_assert(imap_client_selected(s->client, &selected, name));
    uint64_t modseq = selected.highestmodseq;
    DID(s, store, IMAP_BY_UID, "2", 0, "+FLAGS.SILENT", "\\Deleted");
    DID(s, expunge, "2");
    DID(s, store, IMAP_BY_UID, "4", 0, "+FLAGS.SILENT", "\\Flagged");
    DID(s, unselect);

    const struct imap_answer *answer = DID(s, select_qresync, s->box, 0, selected.uidvalidity, modseq, "1:5");
    ck_assert_uint_eq(imap_seqset_size(imap_answer_vanished(answer)), 1);
    ck_assert(imap_seqset_contains(imap_answer_vanished(answer), 2));
    ck_assert(surface_first(answer, IMAP_RESP_VANISHED)->vanished.earlier);
    const struct imap_fetch *changed = imap_answer_message(answer, 4);
    ck_assert_ptr_nonnull(changed);
    ck_assert_uint_ne(changed->flags.system & IMAP_FLAG_FLAGGED, 0);
    ck_assert_uint_gt(changed->modseq, modseq);
    ck_assert_ptr_null(imap_answer_message(answer, 3));
}

SURFACE_TEST(close_expunges_unselect_does_not)
{
    surface_make(s);
    surface_fill(s, 3);
    DID(s, store, IMAP_BY_UID, "1", 0, "+FLAGS.SILENT", "\\Deleted");
    DID(s, unselect);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    EXPECT(s, IMAP_USAGE, unselect);
    const struct imap_answer *answer = DID(s, status, s->box, "MESSAGES");
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, s->box)->messages, 3);
    DID(s, select, s->box, 0);
    DID(s, close);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    answer = DID(s, status, s->box, "MESSAGES");
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, s->box)->messages, 2);
}

SURFACE_TEST(create_rename_delete)
{
    char child[64], renamed[64];
    child_of(s, "a b\\c", child, sizeof child); /* has to be quoted */
    child_of(s, "later", renamed, sizeof renamed);
    if (surface_is_cyrus)
        child_of(s, "a b", child, sizeof child); /* it has no backslash in names */
    DID(s, create, s->box, NULL);
    DID(s, create, child, NULL);
    EXPECT(s, IMAP_NO, create, child, NULL);
    ck_assert_ptr_nonnull(find_list(DID(s, list, "", "*"), IMAP_RESP_LIST, child));
    DID(s, rename, child, renamed);
    const struct imap_answer *answer = DID(s, list, "", "*");
    ck_assert_ptr_null(find_list(answer, IMAP_RESP_LIST, child));
    ck_assert_ptr_nonnull(find_list(answer, IMAP_RESP_LIST, renamed));
    EXPECT(s, IMAP_GONE, rename, child, "box-to-nowhere");
    DID(s, delete, renamed);
    EXPECT(s, IMAP_GONE, delete, renamed);
    EXPECT(s, IMAP_USAGE, create, "with\nline", NULL);
}

SURFACE_TEST(create_special_use)
{
    if (!surface_is_cyrus)
        return; /* it has no CREATE-SPECIAL-USE */
    const char *use =
        s->callback ? "\\Sent" : "\\Archive"; /* Cyrus has one of each, and never lets go of it */
    const struct imap_answer *answer = DID(s, create, s->box, use);
    ck_assert_int_eq(imap_answer_text(answer)->code, IMAP_CODE_MAILBOXID);
    const char *const patterns[] = {s->box};
    answer = DID(s, list_extended, NULL, "", patterns, 1, "SPECIAL-USE");
    ck_assert_str_eq(find_list(answer, IMAP_RESP_LIST, s->box)->list.special_use, use);
    surface_row(s, "create special-use");
    EXPECT(s, IMAP_NO, create, "another", use);
    ck_assert_int_eq(s->error.code, IMAP_CODE_USEATTR);
}

SURFACE_TEST(subscriptions)
{
    DID(s, create, s->box, NULL);
    ck_assert_ptr_null(find_list(DID(s, lsub, "", "*"), IMAP_RESP_LSUB, s->box));
    DID(s, subscribe, s->box);
    const struct imap_response *said = find_list(DID(s, lsub, "", "*"), IMAP_RESP_LSUB, s->box);
    ck_assert_ptr_nonnull(said);
    ck_assert_int_eq(said->list.delimiter, '/');
    DID(s, unsubscribe, s->box);
    ck_assert_ptr_null(find_list(DID(s, lsub, "", "*"), IMAP_RESP_LSUB, s->box));
}

SURFACE_TEST(list_with_patterns)
{
    char child[64];
    child_of(s, "child", child, sizeof child);
    DID(s, create, s->box, NULL);
    DID(s, create, child, NULL);
    const struct imap_answer *answer = DID(s, list, "", "%");
    const struct imap_response *said = find_list(answer, IMAP_RESP_LIST, s->box);
    ck_assert_ptr_nonnull(said);
    ck_assert_uint_ne(said->list.attributes & IMAP_MBOX_HASCHILDREN, 0);
    ck_assert_ptr_null(find_list(answer, IMAP_RESP_LIST, child));
    char reference[40];
    snprintf(reference, sizeof reference, "%s/", s->box);
    answer = DID(s, list, reference, "%");
    ck_assert_uint_eq(imap_answer_count(answer), 1);
    ck_assert_str_eq(surface_first(answer, IMAP_RESP_LIST)->list.name, child);
    /* for the delimiter alone */
    said = surface_first(DID(s, list, "", ""), IMAP_RESP_LIST);
    ck_assert_int_eq(said->list.delimiter, '/');
}

SURFACE_TEST(list_with_options)
{
    char child[64];
    child_of(s, "child", child, sizeof child);
    surface_make(s);
    surface_fill(s, 2);
    DID(s, create, child, NULL);
    DID(s, subscribe, child);
    const char *const patterns[] = {s->box, child};
    const struct imap_answer *answer =
        DID(s, list_extended, NULL, "", patterns, 2, "SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT SIZE)");
    ck_assert_uint_eq(find_list(answer, IMAP_RESP_LIST, s->box)->list.attributes & IMAP_MBOX_SUBSCRIBED, 0);
    ck_assert_uint_ne(find_list(answer, IMAP_RESP_LIST, child)->list.attributes & IMAP_MBOX_SUBSCRIBED, 0);
    const struct imap_mailbox_status *status = imap_answer_mailbox_status(answer, s->box);
    ck_assert_ptr_nonnull(status);
    ck_assert_uint_eq(status->messages, 2);
    ck_assert_uint_eq(status->uidnext, 3);
    ck_assert_uint_ne(status->has & IMAP_STATUS_SIZE, 0);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, child)->messages, 0);

    answer = DID(s, list_extended, "SUBSCRIBED", "", patterns, 2, NULL);
    ck_assert_uint_eq(imap_answer_count(answer), 1);
    ck_assert_ptr_nonnull(find_list(answer, IMAP_RESP_LIST, child));

    static const char *const all[] = {"*"};
    answer = DID(s, list_extended, "SPECIAL-USE", "", all, 1, "SPECIAL-USE");
    const struct imap_response *trash = find_list(answer, IMAP_RESP_LIST, "Trash");
    ck_assert_ptr_nonnull(trash);
    ck_assert_int_eq(strcasecmp(trash->list.special_use, "\\Trash"), 0);
}

SURFACE_TEST(status_items)
{
    surface_make(s);
    surface_fill(s, 3);
    DID(s, store, IMAP_BY_UID, "1", 0, "+FLAGS.SILENT", "\\Seen");
    const struct imap_answer *answer =
        DID(s, status, s->box, "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ");
    const struct imap_mailbox_status *status = imap_answer_mailbox_status(answer, s->box);
    ck_assert_ptr_nonnull(status);
    ck_assert_uint_eq(status->messages, 3);
    ck_assert_uint_eq(status->uidnext, 4);
    ck_assert_uint_gt(status->uidvalidity, 0);
    ck_assert_uint_eq(status->unseen, 2);
    ck_assert_uint_eq(status->size, 3 * strlen("From: a@example.org\r\nSubject: number 1\r\n\r\nbody 1\r\n"));
    ck_assert_uint_gt(status->highestmodseq, 0);
    ck_assert_ptr_null(imap_answer_mailbox_status(answer, "INBOX"));
    if (surface_is_cyrus) {
        answer = DID(s, status, s->box, "MAILBOXID");
        status = imap_answer_mailbox_status(answer, s->box);
        ck_assert_ptr_nonnull(status->mailboxid);
        surface_row(s, "status MAILBOXID");
    }
    EXPECT(s, surface_is_cyrus ? IMAP_GONE : IMAP_NO, status, "no such mailbox", "MESSAGES");
    answer = DID(s, status, "inbox", "MESSAGES");
    ck_assert_ptr_nonnull(imap_answer_mailbox_status(answer, "INBOX"));
}

/* Names that a naive client breaks on: 8-bit, ampersand, quotes, what looks like a literal. */
SURFACE_TEST(odd_names)
{
    static const char *const utf8[] = {"Entwürfe & Ähnliches",    "日本語",    "with (parens)", "per%cent",
                                       "quote\" and \\backslash", "lit{3}eral"};
    DID(s, create, s->box, NULL);
    for (size_t i = 0; i < sizeof utf8 / sizeof utf8[0]; i++) {
        char full[128], wire[512], back[1024];
        snprintf(full, sizeof full, "%s/%s", s->box, utf8[i]);
        ck_assert(imap_client_name_encode(s->client, full, wire, sizeof wire));
        ck_assert(imap_client_name_decode(s->client, wire, back, sizeof back));
        ck_assert_str_eq(back, full);
        surface_begin(s);
        enum imap_status created = imap_client_create(s->client, wire, NULL, NULL);
        if (created == IMAP_NO && surface_is_cyrus && i >= 3)
            continue; /* it does not hold with such characters */
        ck_assert_msg(created == IMAP_OK, "%s", full);
        DID(s, select, wire, 0);
        const struct imap_answer *answer = DID(s, status, wire, "MESSAGES");
        ck_assert_ptr_nonnull(imap_answer_mailbox_status(answer, wire));
        ck_assert_ptr_nonnull(find_list(DID(s, list, "", "*"), IMAP_RESP_LIST, wire));
        DID(s, unselect);
        DID(s, delete, wire);
    }
    surface_row(s, "quoting");
}

void surface_mailboxes(TCase *cases)
{
    surface_add(cases, select_tells);
    surface_add(cases, examine);
    surface_add(cases, select_condstore);
    surface_add(cases, select_qresync);
    surface_add(cases, close_expunges_unselect_does_not);
    surface_add(cases, create_rename_delete);
    surface_add(cases, create_special_use);
    surface_add(cases, subscriptions);
    surface_add(cases, list_with_patterns);
    surface_add(cases, list_with_options);
    surface_add(cases, status_items);
    surface_add(cases, odd_names);
}
