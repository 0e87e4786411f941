/* SPDX-License-Identifier: MIT */
/* The surface: SEARCH, SORT and THREAD. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

static struct imap_found found(const struct imap_answer *answer)
{
    struct imap_found result;
    struct imap_error err = {0};
    ck_assert_msg(imap_answer_found(answer, &result, &err) == IMAP_OK, "%s", err.text);
    return result;
}

static void expect_numbers(const struct imap_answer *answer, size_t count, const uint32_t *numbers)
{
    struct imap_found got = found(answer);
    ck_assert_uint_eq(got.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(got.numbers[i], numbers[i]);
}
#define FOUND(answer, ...)                                                                                   \
    expect_numbers(answer, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

/* Three messages that answer one another, and one that does not; the last one named in Greek. */
static void fill(struct surface *s)
{
    surface_make(s);
    surface_append(s, NULL,
                   "From: c@example.org\r\nDate: Wed, 03 Jan 2024 10:00:00 +0000\r\nSubject: start\r\n"
                   "Message-ID: <1@x>\r\n\r\none\r\n");
    surface_append(s, NULL,
                   "From: b@example.org\r\nDate: Thu, 04 Jan 2024 10:00:00 +0000\r\nSubject: Re: start\r\n"
                   "Message-ID: <2@x>\r\nReferences: <1@x>\r\nIn-Reply-To: <1@x>\r\n\r\ntwo\r\n");
    surface_append(s, NULL,
                   "From: a@example.org\r\nDate: Fri, 05 Jan 2024 10:00:00 +0000\r\nSubject: Re: start\r\n"
                   "Message-ID: <3@x>\r\nReferences: <1@x>\r\nIn-Reply-To: <1@x>\r\n\r\nthree\r\n");
    surface_append(s, "\\Flagged",
                   "From: d@example.org\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
                   "Subject: =?utf-8?B?zrHOss6z?=\r\nMessage-ID: <4@x>\r\n\r\nfour\r\n");
    DID(s, noop);
    DID(s, store, IMAP_BY_UID, "1", 0, "+FLAGS.SILENT", "\\Deleted");
    DID(s, expunge, "1"); /* numbers and UIDs now differ */
    surface_append(s, NULL,
                   "From: c@example.org\r\nDate: Wed, 03 Jan 2024 10:00:00 +0000\r\nSubject: start\r\n"
                   "Message-ID: <1@x>\r\n\r\none\r\n");
    DID(s, noop);
}

SURFACE_TEST(search)
{
    fill(s);
    FOUND(DID(s, search, IMAP_BY_UID, NULL, NULL, "ALL"), 2, 3, 4, 5);
    FOUND(DID(s, search, IMAP_BY_NUMBER, NULL, NULL, "FLAGGED"), 3);
    FOUND(DID(s, search, IMAP_BY_UID, NULL, NULL, "OR FROM \"a@\" (FROM b@example.org UNFLAGGED)"), 2, 3);
    FOUND(DID(s, search, IMAP_BY_UID, NULL, "UTF-8", "SUBJECT \"start\" NOT BODY \"three\""), 2, 5);
    ck_assert_uint_eq(found(DID(s, search, IMAP_BY_UID, NULL, NULL, "SUBJECT \"no such thing\"")).count, 0);
    EXPECT(s, IMAP_USAGE, search, IMAP_BY_UID, NULL, NULL, "SUBJECT \"open");
    EXPECT(s, IMAP_USAGE, search, IMAP_BY_UID, NULL, NULL, "ALL\r\nX LOGOUT");
    EXPECT(s, IMAP_NO, search, IMAP_BY_UID, NULL, "X-NO-SUCH-CHARSET", "SUBJECT x");
}

SURFACE_TEST(search_in_greek)
{
    fill(s);
    FOUND(DID(s, search, IMAP_BY_UID, NULL, NULL, "SUBJECT \"βγ\""), 4);
    FOUND(DID(s, search, IMAP_BY_UID, NULL, "UTF-8", "UNDELETED SUBJECT \"αβ\" FLAGGED"), 4);
    surface_row(s, "search 8-bit");
}

SURFACE_TEST(search_extended)
{
    fill(s);
    struct imap_found got = found(DID(s, search, IMAP_BY_UID, "MIN MAX COUNT ALL", NULL, "ALL"));
    ck_assert(got.has_min && got.has_max && got.has_total);
    ck_assert_uint_eq(got.min, 2);
    ck_assert_uint_eq(got.max, 5);
    ck_assert_uint_eq(got.total, 4);
    ck_assert_uint_eq(got.count, 4);
    ck_assert_uint_eq(got.numbers[3], 5);
    const struct imap_response *said = surface_first(s->answer, IMAP_RESP_ESEARCH);
    ck_assert(said->esearch.uid);
    got = found(DID(s, search, IMAP_BY_NUMBER, "COUNT", NULL, "FLAGGED"));
    ck_assert_uint_eq(got.total, 1);
    ck_assert(!got.has_min);
    got = found(DID(s, search, IMAP_BY_UID, "ALL", NULL, "MODSEQ 1"));
    ck_assert_uint_gt(got.modseq, 0);
    surface_row(s, "search RETURN");
}

SURFACE_TEST(search_saved)
{
    fill(s);
    if (!imap_client_has(s->client, "SEARCHRES")) {
        ck_assert(surface_is_cyrus);
        return;
    }
    DID(s, search, IMAP_BY_UID, "SAVE", NULL, "SUBJECT start");
    FOUND(DID(s, search, IMAP_BY_UID, NULL, NULL, "UID $ FROM c@"), 5);
    const struct imap_answer *answer = DID(s, fetch, IMAP_BY_UID, "$", "FLAGS", NULL);
    size_t count;
    imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 3);
    DID(s, store, IMAP_BY_UID, "$", 0, "+FLAGS", "\\Seen");
    FOUND(DID(s, search, IMAP_BY_UID, NULL, NULL, "SEEN"), 2, 3, 5);
    surface_row(s, "search SAVE");
}

SURFACE_TEST(sort)
{
    fill(s);
    FOUND(DID(s, sort, IMAP_BY_UID, "DATE", NULL, "ALL"), 4, 5, 2, 3);
    FOUND(DID(s, sort, IMAP_BY_UID, "REVERSE FROM", "US-ASCII", "SUBJECT start"), 5, 2, 3);
    FOUND(DID(s, sort, IMAP_BY_NUMBER, "SUBJECT REVERSE DATE", "UTF-8", "NOT SUBJECT \"βγ\""), 2, 1, 4);
}

SURFACE_TEST(thread_references)
{
    fill(s);
    const struct imap_thread *root =
        surface_first(DID(s, thread, IMAP_BY_UID, "REFERENCES", NULL, "ALL"), IMAP_RESP_THREAD)->threads;
    /* by date: 4 alone, then 5 with its answers 2 and 3 */
    ck_assert_uint_eq(root->number, 4);
    ck_assert_ptr_null(root->child);
    ck_assert_uint_eq(root->next->number, 5);
    ck_assert_ptr_null(root->next->next);
    ck_assert_uint_eq(root->next->child->number, 2);
    ck_assert_uint_eq(root->next->child->next->number, 3);
    ck_assert_ptr_null(root->next->child->next->next);

    root = surface_first(DID(s, thread, IMAP_BY_NUMBER, "ORDEREDSUBJECT", "UTF-8", "SUBJECT start"),
                         IMAP_RESP_THREAD)
               ->threads;
    ck_assert_uint_eq(root->number, 4);
    ck_assert_uint_eq(root->child->number, 1);
    ck_assert_uint_eq(root->child->next->number, 2);
    ck_assert_ptr_null(root->next);
    root = surface_first(DID(s, thread, IMAP_BY_UID, "REFERENCES", NULL, "SUBJECT nothing"), IMAP_RESP_THREAD)
               ->threads;
    ck_assert_ptr_null(root);
}

void surface_search(TCase *cases)
{
    surface_add(cases, search);
    surface_add(cases, search_in_greek);
    surface_add(cases, search_extended);
    surface_add(cases, search_saved);
    surface_add(cases, sort);
    surface_add(cases, thread_references);
}
