/* SPDX-License-Identifier: MIT */
/* The surface: messages, what is fetched of them and done to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

static const char mime[] = "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
                           "From: \"Doe, John\" <john@example.org>\r\n"
                           "To: Mary <mary@example.net>, jane@example.net\r\n"
                           "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
                           "Message-ID: <1234@example.org>\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: multipart/mixed; boundary=\"xx\"\r\n"
                           "\r\n"
                           "--xx\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\n"
                           "\r\n"
                           "Hello, you there\r\n"
                           "--xx\r\n"
                           "Content-Type: application/octet-stream; name=\"nul\"\r\n"
                           "Content-Disposition: attachment; filename=\"nul\"\r\n"
                           "Content-Transfer-Encoding: base64\r\n"
                           "\r\n"
                           "YQBiAGM=\r\n"
                           "--xx--\r\n";

static const struct imap_fetch *only(const struct imap_answer *answer, uint32_t uid)
{
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(messages[0]->uid, uid);
    ck_assert_ptr_eq(imap_answer_message(answer, uid), messages[0]);
    return messages[0];
}

SURFACE_TEST(fetch_attributes)
{
    surface_make(s);
    surface_append(s, "\\Flagged keyword", mime);
    DID(s, noop);
    const struct imap_fetch *got =
        only(DID(s, fetch, IMAP_BY_UID, "1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", NULL), 1);
    ck_assert_uint_eq(got->size, sizeof mime - 1);
    ck_assert_uint_eq(got->flags.system & ~IMAP_FLAG_RECENT, IMAP_FLAG_FLAGGED);
    ck_assert_uint_eq(got->flags.keyword_count, 1);
    ck_assert_str_eq(got->flags.keywords[0], "keyword");
    ck_assert_int_gt(got->internaldate.unix_seconds, 1700000000);
    ck_assert_str_eq(got->envelope->subject, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=");
    ck_assert_str_eq(got->envelope->message_id, "<1234@example.org>");
    ck_assert_str_eq(got->envelope->from->name, "Doe, John");
    ck_assert_str_eq(got->envelope->to->next->mailbox, "jane");
    ck_assert_str_eq(got->envelope->to->next->host, "example.net");

    /* by number, a macro for the items */
    got = only(DID(s, fetch, IMAP_BY_NUMBER, "1", "ALL", NULL), imap_answer_message(s->answer, 1) ? 1 : 0);
    ck_assert_uint_eq(got->seq, 1);
    ck_assert_uint_ne(got->has & IMAP_FETCH_ENVELOPE, 0);
    EXPECT(s, IMAP_USAGE, fetch, IMAP_BY_UID, "1 2", "FLAGS", NULL);
    EXPECT(s, IMAP_USAGE, fetch, IMAP_BY_UID, "1:", "FLAGS", NULL);
}

SURFACE_TEST(fetch_structure)
{
    surface_make(s);
    surface_append(s, NULL, mime);
    DID(s, noop);
    const struct imap_fetch *got = only(DID(s, fetch, IMAP_BY_UID, "1", "(BODYSTRUCTURE)", NULL), 1);
    const struct imap_part *root = got->structure;
    ck_assert_int_eq(strcasecmp(root->type, "multipart"), 0);
    ck_assert_int_eq(strcasecmp(root->subtype, "mixed"), 0);
    ck_assert_str_eq(surface_param(root->params, "boundary"), "xx");
    ck_assert_int_eq(strcasecmp(root->child->subtype, "plain"), 0);
    ck_assert_str_eq(surface_param(root->child->params, "charset"), "utf-8");
    const struct imap_part *second = root->child->next;
    ck_assert_int_eq(strcasecmp(second->encoding, "base64"), 0);
    ck_assert_str_eq(surface_param(second->disposition_params, "filename"), "nul");
    ck_assert_ptr_null(second->next);
    surface_row(s, "fetch BODYSTRUCTURE");
}

SURFACE_TEST(fetch_sections)
{
    surface_make(s);
    surface_append(s, NULL, mime);
    DID(s, noop);
    const struct imap_fetch *got =
        only(DID(s, fetch, IMAP_BY_UID, "1",
                 "(BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1] BODY.PEEK[2.MIME])", NULL),
             1);
    const struct imap_section *all = imap_fetch_section(got, IMAP_SECTION_BODY, "");
    ck_assert_uint_eq(all->size, sizeof mime - 1);
    ck_assert_mem_eq(all->data, mime, sizeof mime - 1);
    const struct imap_section *text = imap_fetch_section(got, IMAP_SECTION_BODY, "1");
    ck_assert_str_eq(text->data, "Hello, you there");
    ck_assert_ptr_nonnull(imap_fetch_section(got, IMAP_SECTION_BODY, "2.mime"));
    ck_assert_ptr_null(imap_fetch_section(got, IMAP_SECTION_BODY, "3"));
    surface_row(s, "fetch BODY[]");

    got = only(DID(s, fetch, IMAP_BY_UID, "1", "(BINARY.PEEK[2] BINARY.SIZE[2])", NULL), 1);
    const struct imap_section *binary = imap_fetch_section(got, IMAP_SECTION_BINARY, "2");
    ck_assert_uint_eq(binary->size, 5);
    ck_assert_mem_eq(binary->data, "a\0b\0c", 5);
    ck_assert_uint_eq(imap_fetch_section(got, IMAP_SECTION_BINARY_SIZE, "2")->size, 5);
    surface_row(s, "fetch BINARY");
    got = only(DID(s, fetch, IMAP_BY_UID, "1", "FLAGS", NULL), 1);
    ck_assert_uint_eq(got->flags.system & IMAP_FLAG_SEEN, 0);
}

SURFACE_TEST(fetch_extensions)
{
    surface_make(s);
    surface_append(s, NULL, mime);
    DID(s, noop);
    const struct imap_fetch *got =
        only(DID(s, fetch, IMAP_BY_UID, "1", "(MODSEQ SAVEDATE PREVIEW)", NULL), 1);
    ck_assert_uint_gt(got->modseq, 0);
    surface_row(s, "fetch MODSEQ");
    ck_assert_uint_ne(got->has & IMAP_FETCH_SAVEDATE, 0);
    ck_assert_int_gt(got->savedate.unix_seconds, 1700000000);
    surface_row(s, "fetch SAVEDATE");
    ck_assert_uint_ne(got->has & IMAP_FETCH_PREVIEW, 0);
    if (!surface_is_cyrus) /* it makes previews only where a search engine is set up: NIL */
        ck_assert_str_eq(got->preview, "Hello, you there");
    surface_row(s, "fetch PREVIEW");
    if (!surface_is_cyrus)
        return;
    got = only(DID(s, fetch, IMAP_BY_UID, "1", "(EMAILID THREADID)", NULL), 1);
    ck_assert_int_eq(got->emailid[0], 'M');
    ck_assert_int_eq(got->threadid[0], 'T');
    surface_row(s, "fetch EMAILID");
}

SURFACE_TEST(fetch_changed_since)
{
    DID(s, enable, "QRESYNC");
    surface_make(s);
    surface_fill(s, 4);
    uint64_t modseq = only(DID(s, fetch, IMAP_BY_UID, "4", "MODSEQ", NULL), 4)->modseq;
    DID(s, store, IMAP_BY_UID, "2", 0, "+FLAGS", "\\Seen");
    DID(s, store, IMAP_BY_UID, "3", 0, "+FLAGS.SILENT", "\\Deleted");
    DID(s, expunge, "3");
    char modifiers[64];
    snprintf(modifiers, sizeof modifiers, "CHANGEDSINCE %llu VANISHED", (unsigned long long)modseq);
    const struct imap_answer *answer = DID(s, fetch, IMAP_BY_UID, "1:*", "FLAGS", modifiers);
    ck_assert_uint_ne(only(answer, 2)->flags.system & IMAP_FLAG_SEEN, 0);
    ck_assert(imap_seqset_contains(imap_answer_vanished(answer), 3));
    surface_row(s, "fetch CHANGEDSINCE VANISHED");
}

struct streamed {
    char data[2048];
    size_t len, begun, ended;
    uint32_t uid;
};

static bool begin_body(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct streamed *got = arg;
    got->begun++;
    got->uid = so_far->uid;
    return strcmp(section->spec, "") == 0;
}

static void take_body(void *arg, const void *data, size_t len)
{
    struct streamed *got = arg;
    if (len <= sizeof got->data - got->len) {
        memcpy(got->data + got->len, data, len);
        got->len += len;
    }
}

static void end_body(void *arg)
{
    struct streamed *got = arg;
    got->ended++;
}

SURFACE_TEST(fetch_streamed)
{
    struct streamed got = {0};
    surface_make(s);
    surface_append(s, NULL, mime);
    DID(s, noop);
    s->arg = &got;
    s->hooks = (struct imap_call){.body_begin = begin_body, .body_data = take_body, .body_end = end_body};
    const struct imap_fetch *said = only(DID(s, fetch, IMAP_BY_UID, "1", "(UID BODY.PEEK[])", NULL), 1);
    ck_assert_uint_eq(got.begun, 1);
    ck_assert_uint_eq(got.ended, 1);
    ck_assert_uint_eq(got.uid, 1);
    ck_assert_uint_eq(got.len, sizeof mime - 1);
    ck_assert_mem_eq(got.data, mime, sizeof mime - 1);
    ck_assert(imap_fetch_section(said, IMAP_SECTION_BODY, "")->streamed);
    surface_row(s, "fetch streamed");
}

SURFACE_TEST(partial)
{
    surface_make(s);
    surface_append(s, NULL, mime);
    DID(s, noop);
    const struct imap_fetch *got = only(DID(s, partial, IMAP_BY_UID, "1", "", 6, 10), 1);
    const struct imap_section *part = imap_fetch_section(got, IMAP_SECTION_BODY, "");
    ck_assert(part->has_origin);
    ck_assert_uint_eq(part->origin, 6);
    ck_assert_str_eq(part->data, "Fri, 21 No");
    got = only(DID(s, partial, IMAP_BY_UID, "1", "1", 7, 1000), 1);
    ck_assert_str_eq(imap_fetch_section(got, IMAP_SECTION_BODY, "1")->data, "you there");
}

SURFACE_TEST(store)
{
    surface_make(s);
    surface_fill(s, 3);
    const struct imap_answer *answer = DID(s, store, IMAP_BY_UID, "1:2", 0, "+FLAGS", "\\Flagged $Label");
    size_t count;
    imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_ne(imap_answer_message(answer, 2)->flags.system & IMAP_FLAG_FLAGGED, 0);
    ck_assert_str_eq(imap_answer_message(answer, 2)->flags.keywords[0], "$Label");
    DID(s, store, IMAP_BY_UID, "2", 0, "-FLAGS.SILENT", "(\\Flagged)");
    answer = DID(s, store, IMAP_BY_NUMBER, "2", 0, "FLAGS", "(\\Seen)");
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(messages[0]->seq, 2);
    ck_assert_uint_eq(messages[0]->flags.system & ~IMAP_FLAG_RECENT, IMAP_FLAG_SEEN);
    ck_assert_uint_eq(messages[0]->flags.keyword_count, 0);
    EXPECT(s, IMAP_USAGE, store, IMAP_BY_UID, "1", 0, "FLAGS", "\\Seen\r\nX");
}

SURFACE_TEST(store_unchangedsince)
{
    DID(s, enable, "CONDSTORE");
    surface_make(s);
    surface_fill(s, 2);
    uint64_t modseq = only(DID(s, fetch, IMAP_BY_UID, "2", "MODSEQ", NULL), 2)->modseq;
    DID(s, store, IMAP_BY_UID, "1", 0, "+FLAGS", "\\Seen");
    const struct imap_answer *answer =
        DID(s, store, IMAP_BY_UID, "1:2", modseq, "+FLAGS.SILENT", "\\Flagged");
    const struct imap_text *text = imap_answer_text(answer);
    ck_assert_int_eq(text->code, IMAP_CODE_MODIFIED);
    ck_assert_uint_eq(imap_seqset_size(text->from), 1);
    ck_assert(imap_seqset_contains(text->from, 1));
    answer = DID(s, fetch, IMAP_BY_UID, "1:2", "FLAGS", NULL);
    ck_assert_uint_eq(imap_answer_message(answer, 1)->flags.system & IMAP_FLAG_FLAGGED, 0);
    ck_assert_uint_ne(imap_answer_message(answer, 2)->flags.system & IMAP_FLAG_FLAGGED, 0);
    surface_row(s, "store UNCHANGEDSINCE");
}

static uint32_t messages_in(struct surface *s, const char *mailbox)
{
    const struct imap_mailbox_status *status =
        imap_answer_mailbox_status(DID(s, status, mailbox, "MESSAGES"), mailbox);
    ck_assert_ptr_nonnull(status);
    return status->messages;
}

static const struct imap_text *find_copyuid(const struct imap_answer *answer)
{
    if (imap_answer_text(answer)->code == IMAP_CODE_COPYUID)
        return imap_answer_text(answer);
    const struct imap_response *said = NULL;
    while ((said = imap_answer_next(answer, IMAP_RESP_OK, said)))
        if (said->text.code == IMAP_CODE_COPYUID)
            return &said->text;
    ck_abort_msg("no COPYUID");
}

SURFACE_TEST(copy_and_move)
{
    char to[64];
    snprintf(to, sizeof to, "%s/to", s->box);
    surface_make(s);
    surface_fill(s, 4);
    EXPECT(s, IMAP_NO, copy, IMAP_BY_UID, "1", to);
    ck_assert_int_eq(s->error.code, IMAP_CODE_TRYCREATE);
    DID(s, create, to, NULL);
    const struct imap_text *text = find_copyuid(DID(s, copy, IMAP_BY_UID, "1,3", to));
    char *from = imap_seqset_text(text->from), *copied = imap_seqset_text(text->to);
    ck_assert_str_eq(from, "1,3");
    ck_assert_str_eq(copied, "1:2");
    free(from), free(copied);
    ck_assert_uint_eq(messages_in(s, to), 2);
    ck_assert_uint_eq(messages_in(s, s->box), 4);

    text = find_copyuid(DID(s, move, IMAP_BY_UID, "2", to));
    ck_assert(imap_seqset_contains(text->from, 2));
    ck_assert(imap_seqset_contains(text->to, 3));
    ck_assert_uint_eq(messages_in(s, to), 3);
    ck_assert_uint_eq(messages_in(s, s->box), 3);
    DID(s, move, IMAP_BY_NUMBER, "1", to);
    DID(s, copy, IMAP_BY_NUMBER, "1", to);
    ck_assert_uint_eq(messages_in(s, to), 5);
    ck_assert_uint_eq(messages_in(s, s->box), 2);
}

SURFACE_TEST(expunge)
{
    surface_make(s);
    surface_fill(s, 4);
    DID(s, store, IMAP_BY_UID, "1:3", 0, "+FLAGS.SILENT", "\\Deleted");
    const struct imap_answer *answer = DID(s, expunge, "2");
    ck_assert_uint_eq(surface_first(answer, IMAP_RESP_EXPUNGE)->number, 2);
    ck_assert_uint_eq(imap_answer_count(answer), 1);
    surface_row(s, "uid expunge");
    answer = DID(s, expunge, NULL);
    const struct imap_response *first = surface_first(answer, IMAP_RESP_EXPUNGE);
    ck_assert_ptr_nonnull(imap_answer_next(answer, IMAP_RESP_EXPUNGE, first));
    ck_assert_uint_eq(messages_in(s, s->box), 1);

    DID(s, unselect);
    DID(s, enable, "QRESYNC");
    DID(s, select, s->box, 0);
    DID(s, store, IMAP_BY_UID, "4", 0, "+FLAGS.SILENT", "\\Deleted");
    answer = DID(s, expunge, "4");
    ck_assert(imap_seqset_contains(imap_answer_vanished(answer), 4));
}

void surface_messages(TCase *cases)
{
    surface_add(cases, fetch_attributes);
    surface_add(cases, fetch_structure);
    surface_add(cases, fetch_sections);
    surface_add(cases, fetch_extensions);
    surface_add(cases, fetch_changed_since);
    surface_add(cases, fetch_streamed);
    surface_add(cases, partial);
    surface_add(cases, store);
    surface_add(cases, store_unchangedsince);
    surface_add(cases, copy_and_move);
    surface_add(cases, expunge);
}
