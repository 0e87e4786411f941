/* SPDX-License-Identifier: MIT */
#include "parse_help.h"

static void run_lines(const char *wire, void (*check)(const struct imap_response *, int), int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), "", count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

static void assert_address(const struct imap_address *address, const char *name, const char *mailbox,
                           const char *host)
{
    ck_assert_ptr_nonnull(address);
    ck_assert_pstr_eq(address->name, name);
    ck_assert_ptr_null(address->route);
    ck_assert_pstr_eq(address->mailbox, mailbox);
    ck_assert_pstr_eq(address->host, host);
}

static void assert_gray(const struct imap_address *address)
{
    assert_address(address, "Terry Gray", "gray", "cac.washington.edu");
    ck_assert_ptr_null(address->next);
}

static void check_rfc3501(const struct imap_response *response, int index)
{
    const struct imap_fetch *fetch = &response->fetch;
    const struct imap_envelope *envelope = fetch->envelope;

    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(fetch->seq, 12);
    ck_assert_uint_eq(fetch->uid, 0);
    ck_assert_uint_eq(fetch->has, IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE |
                                      IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY);
    ck_assert_uint_eq(fetch->flags.system, IMAP_FLAG_SEEN);
    ck_assert_int_eq(fetch->internaldate.unix_seconds, 837596665); /* 09:44:25 UTC */
    ck_assert_int_eq(fetch->internaldate.zone_minutes, -420);
    ck_assert_uint_eq(fetch->size, 4286);
    assert_text(envelope->date, "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)");
    assert_text(envelope->subject, "IMAP4rev1 WG mtg summary and minutes");
    assert_gray(envelope->from);
    assert_gray(envelope->sender);
    assert_gray(envelope->reply_to);
    assert_address(envelope->to, NULL, "imap", "cac.washington.edu");
    ck_assert_ptr_null(envelope->to->next);
    assert_address(envelope->cc, NULL, "minutes", "CNRI.Reston.VA.US");
    assert_address(envelope->cc->next, "John Klensin", "KLENSIN", "MIT.EDU");
    ck_assert_ptr_null(envelope->cc->next->next);
    ck_assert_ptr_null(envelope->bcc);
    ck_assert_ptr_null(envelope->in_reply_to);
    assert_text(envelope->message_id, "<B27397-0100000@cac.washington.edu>");
    assert_text(fetch->structure->type, "TEXT");
    ck_assert_uint_eq(fetch->structure->size, 3028);
    ck_assert_uint_eq(fetch->structure->lines, 92);
}

/* RFC 3501 8 */
START_TEST(the_sample_of_the_rfc)
{
    run_one(
        "* 12 FETCH (FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 "
        "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
        "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
        "\"<B27397-0100000@cac.washington.edu>\") "
        "BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92))",
        check_rfc3501);
}
END_TEST

static void check_forms(const struct imap_response *response, int index)
{
    const struct imap_envelope *envelope = response->fetch.envelope;

    ck_assert_uint_eq(response->fetch.uid, 5);
    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_UID | IMAP_FETCH_ENVELOPE);
    ck_assert_ptr_nonnull(envelope);
    switch (index) {
    case 0: /* literals, a route, a group */
        assert_text(envelope->subject, "say \"hi\"");
        assert_text(envelope->from->route, "@relay");
        assert_address(envelope->to, NULL, "friends", NULL);
        assert_address(envelope->to->next, "A", "a", "x");
        assert_address(envelope->to->next->next, NULL, NULL, NULL);
        ck_assert_ptr_null(envelope->to->next->next->next);
        break;
    case 1: /* all NIL */
        ck_assert_ptr_null(envelope->date);
        ck_assert_ptr_null(envelope->from);
        ck_assert_ptr_null(envelope->message_id);
        break;
    case 2: /* empty strings where address lists belong */
        ck_assert_ptr_null(envelope->from);
        ck_assert_ptr_null(envelope->bcc);
        assert_text(envelope->subject, "");
        break;
    case 3: /* a second pair of parentheses */
        assert_text(envelope->subject, "s");
        assert_text(envelope->message_id, "<id>");
        assert_address(envelope->from, NULL, "a", "x");
        break;
    case 4: /* an address without its list; another with too few fields */
        assert_address(envelope->from, "A", "a", "x");
        ck_assert_ptr_null(envelope->from->next);
        assert_address(envelope->to, NULL, "c", "z");
        ck_assert_ptr_null(envelope->to->next);
        break;
    case 5: /* quotes that nobody escaped */
        assert_text(envelope->subject, "Re: \"urgent\", please");
        assert_text(envelope->message_id, "<id>");
        break;
    case 6: /* something more at the end */
        assert_text(envelope->message_id, "<id>");
        break;
    default:
        ck_abort();
    }
}

START_TEST(every_form_of_envelope)
{
    run_lines(
        "* 1 FETCH (ENVELOPE (NIL {8}\r\nsay \"hi\" ((\"A\" \"@relay\" \"a\" \"x\")) NIL NIL ((NIL NIL "
        "\"friends\" NIL)"
        "(\"A\" NIL \"a\" \"x\")(NIL NIL NIL NIL)) NIL NIL NIL NIL) UID 5)\r\n"
        "* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) UID 5)\r\n"
        "* 1 FETCH (ENVELOPE (\"\" \"\" \"\" () NIL \"\" NIL \"\" NIL NIL) UID 5)\r\n"
        "* 1 FETCH (ENVELOPE ((NIL \"s\" ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL \"<id>\")) UID "
        "5)\r\n"
        "* 1 FETCH (ENVELOPE (NIL NIL (\"A\" NIL \"a\" \"x\") NIL NIL ((\"b\")(NIL NIL \"c\" \"z\")) NIL NIL "
        "NIL NIL) "
        "UID 5)\r\n"
        "* 1 FETCH (ENVELOPE (NIL \"Re: \"urgent\", please\" NIL NIL NIL NIL NIL NIL NIL \"<id>\") UID 5)\r\n"
        "* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL \"<id>\" \"more\" ()) UID 5)\r\n",
        check_forms, 7);
}
END_TEST

static void check_lost(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_UID | IMAP_FETCH_SIZE);
    ck_assert_uint_eq(response->fetch.uid, 5);
    ck_assert_uint_eq(response->fetch.size, 7);
    ck_assert_ptr_null(response->fetch.envelope);
}

/* What is not surely an envelope is none, and takes nothing else along. */
START_TEST(a_broken_envelope_is_left_out)
{
    run_lines(
        "* 1 FETCH (UID 5 ENVELOPE NIL RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 ENVELOPE () RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 ENVELOPE (NIL NIL NIL) RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 ENVELOPE (NIL NIL \"x\" NIL NIL NIL NIL NIL NIL NIL) RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 ENVELOPE (NIL ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL NIL NIL) RFC822.SIZE "
        "7)\r\n"
        "* 1 FETCH (UID 5 ENVELOPE RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 ENVELOPE (NIL \"say \"hi\" now\" NIL NIL NIL NIL NIL NIL NIL NIL NIL) RFC822.SIZE "
        "7)\r\n",
        check_lost, 7);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {the_sample_of_the_rfc, every_form_of_envelope, a_broken_envelope_is_left_out,
                            NULL};

    return run_tests("envelope", tests);
}
