/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "parse_help.h"

/* The response that a check is to look at, by its number in one transcript. */
#define TEXT(response) (&(response)->text)

static void assert_range(const struct imap_seqset *set, size_t at, uint32_t first, uint32_t last)
{
    ck_assert_ptr_nonnull(set);
    ck_assert_uint_lt(at, set->count);
    ck_assert_uint_eq(set->ranges[at].first, first);
    ck_assert_uint_eq(set->ranges[at].last, last);
}

static void run_lines(const char *wire, void (*check)(const struct imap_response *, int), int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), "", count);
}

static void check_statuses(const struct imap_response *response, int index)
{
    static const struct {
        enum imap_response_type type;
        const char *tag, *name, *text;
    } expected[] = {
        {IMAP_RESP_OK, NULL, "OK", "IMAP4rev1 Service Ready"},
        {IMAP_RESP_NO, "A222", "NO", "COPY failed: disk is full"},
        {IMAP_RESP_BAD, NULL, "BAD", "Empty command line"},
        {IMAP_RESP_BAD, "a.1", "BAD", ""},
        {IMAP_RESP_BYE, NULL, "BYE", "Autologout; idle for too long"},
        {IMAP_RESP_PREAUTH, NULL, "PREAUTH", "logged in as Smith"},
        {IMAP_RESP_OK, "x", "OK", ""},
        {IMAP_RESP_OK, NULL, "OK", ""},
    };

    ck_assert_int_eq(response->type, expected[index].type);
    ck_assert_pstr_eq(response->tag, expected[index].tag);
    ck_assert_str_eq(response->name, expected[index].name);
    ck_assert_str_eq(TEXT(response)->text, expected[index].text);
    ck_assert_int_eq(TEXT(response)->code, IMAP_CODE_NONE);
    ck_assert_ptr_null(TEXT(response)->code_name);
    ck_assert_str_eq(TEXT(response)->code_args, "");
    ck_assert_ptr_null(response->values);
}

START_TEST(status_responses)
{
    run_lines(
        "* OK IMAP4rev1 Service Ready\r\nA222 NO COPY failed: disk is full\r\n* BAD Empty command line\r\n"
        "a.1 BAD\r\n* BYE Autologout; idle for too long\r\n* PREAUTH logged in as Smith\r\nx ok \r\n* ok\r\n",
        check_statuses, 8);
}
END_TEST

static void check_continue(const struct imap_response *response, int index)
{
    static const char *const expected[] = {"idling", "", "", "dGVzdA==", "go on"};

    ck_assert_int_eq(response->type, IMAP_RESP_CONTINUE);
    ck_assert_str_eq(response->name, "");
    ck_assert_str_eq(TEXT(response)->text, expected[index]);
}

START_TEST(continuations_with_and_without_a_space)
{
    run_lines("+ idling\r\n+ \r\n+\r\n+dGVzdA==\r\n+ [ALERT] go on\r\n", check_continue, 5);
}
END_TEST

static void check_numbers(const struct imap_response *response, int index)
{
    static const struct {
        enum imap_code code;
        uint64_t number;
        const char *args, *text;
    } expected[] = {
        {IMAP_CODE_UIDNEXT, 4392, "4392", "Predicted next UID"},
        {IMAP_CODE_UIDVALIDITY, 3857529045, "3857529045", "UIDs valid"},
        {IMAP_CODE_UNSEEN, 12, "12", "Message 12 is first unseen"},
        {IMAP_CODE_HIGHESTMODSEQ, 715194045007, "715194045007", ""},
        {IMAP_CODE_HIGHESTMODSEQ, 7, "7", ""},
        {IMAP_CODE_UIDVALIDITY, 0, "99999999999", "beyond 32 bits"},
        {IMAP_CODE_HIGHESTMODSEQ, 0, "-1", "negative"},
        {IMAP_CODE_METADATA, 2199, "LONGENTRIES 2199", "cut"},
        {IMAP_CODE_UNKNOWN, 257890, "257890", "limit"},
        {IMAP_CODE_NOMODSEQ, 0, "", "no"},
        {IMAP_CODE_HIGHESTMODSEQ, INT64_MAX, "9223372036854775807", "the largest"},
    };

    ck_assert_int_eq(TEXT(response)->code, expected[index].code);
    ck_assert_uint_eq(TEXT(response)->number, expected[index].number);
    ck_assert_str_eq(TEXT(response)->code_args, expected[index].args);
    ck_assert_str_eq(TEXT(response)->text, expected[index].text);
}

START_TEST(codes_with_a_number)
{
    run_lines("* OK [UIDNEXT 4392] Predicted next UID\r\n* OK [UIDVALIDITY 3857529045] UIDs valid\r\n"
              "* OK [UNSEEN 12] Message 12 is first unseen\r\n* OK [HIGHESTMODSEQ 715194045007]\r\n"
              "* OK [highestmodseq 7] \r\n* OK [UIDVALIDITY 99999999999] beyond 32 bits\r\n"
              "* OK [HIGHESTMODSEQ -1] negative\r\na OK [METADATA LONGENTRIES 2199] cut\r\n"
              "* OK [APPENDLIMIT 257890] limit\r\n* OK [NOMODSEQ] no\r\n"
              "* OK [HIGHESTMODSEQ 9223372036854775807] the largest\r\n",
              check_numbers, 11);
}
END_TEST

static void check_uidplus(const struct imap_response *response, int index)
{
    const struct imap_text *text = TEXT(response);

    switch (index) {
    case 0: /* RFC 4315 4 */
        ck_assert_int_eq(text->code, IMAP_CODE_APPENDUID);
        ck_assert_uint_eq(text->uidvalidity, 38505);
        ck_assert_ptr_null(text->from);
        ck_assert_uint_eq(text->to->count, 1);
        assert_range(text->to, 0, 3955, 3955);
        ck_assert_str_eq(text->text, "APPEND completed");
        break;
    case 1:
        ck_assert_int_eq(text->code, IMAP_CODE_COPYUID);
        ck_assert_uint_eq(text->uidvalidity, 38505);
        ck_assert_uint_eq(text->from->count, 2);
        assert_range(text->from, 0, 304, 304);
        assert_range(text->from, 1, 319, 320);
        ck_assert_uint_eq(text->to->count, 1);
        assert_range(text->to, 0, 3956, 3958);
        break;
    case 2: /* four billion, as a range */
        ck_assert_uint_eq(text->from->count, 1);
        assert_range(text->from, 0, 1, 4294967294);
        ck_assert_uint_eq(imap_seqset_size(text->from), 4294967294);
        break;
    case 3: /* RFC 7162 3.1.3 */
        ck_assert_int_eq(text->code, IMAP_CODE_MODIFIED);
        ck_assert_uint_eq(text->from->count, 2);
        assert_range(text->from, 0, 7, 7);
        assert_range(text->from, 1, 9, 9);
        break;
    case 4: /* nothing was copied */
        ck_assert_int_eq(text->code, IMAP_CODE_COPYUID);
        ck_assert_uint_eq(text->uidvalidity, 5);
        ck_assert_ptr_null(text->from);
        ck_assert_ptr_null(text->to);
        break;
    case 5:
        ck_assert_int_eq(text->code, IMAP_CODE_APPENDUID);
        ck_assert_uint_eq(text->uidvalidity, 0);
        ck_assert_ptr_null(text->to);
        break;
    default:
        ck_abort();
    }
}

START_TEST(codes_with_uid_sets)
{
    run_lines("A003 OK [APPENDUID 38505 3955] APPEND completed\r\n"
              "A004 OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n"
              "A005 OK [COPYUID 1 1:4294967294 1:4294967294] Done\r\n"
              "d105 OK [MODIFIED 7,9] Conditional STORE failed\r\n"
              "A006 OK [COPYUID 5  ] none\r\nA007 OK [APPENDUID x y] what\r\n",
              check_uidplus, 6);
}
END_TEST

static void check_bare(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_OK);
    ck_assert_ptr_null(response->tag);
    ck_assert_int_eq(TEXT(response)->code, IMAP_CODE_COPYUID);
    ck_assert_uint_eq(TEXT(response)->uidvalidity, 1416434);
    assert_range(TEXT(response)->from, 0, 2, 2);
    assert_range(TEXT(response)->to, 0, 7, 7);
}

START_TEST(a_code_without_its_status)
{
    run_one("* [COPYUID 1416434 2 7]", check_bare);
    run_one("* [COPYUID 1416434 2 7", check_bare);
}
END_TEST

static void check_flags_code(const struct imap_response *response, int index)
{
    const struct imap_flags *flags = TEXT(response)->flags;

    ck_assert_int_eq(TEXT(response)->code, IMAP_CODE_PERMANENTFLAGS);
    ck_assert_ptr_nonnull(flags);
    if (index == 0) {
        ck_assert_uint_eq(flags->system, IMAP_FLAG_DELETED | IMAP_FLAG_SEEN | IMAP_FLAG_NEW_KEYWORDS);
        ck_assert_str_eq(TEXT(response)->text, "Limited");
    } else if (index == 1) {
        ck_assert_uint_eq(flags->system, IMAP_FLAG_SEEN);
        ck_assert_uint_eq(flags->keyword_count, 2);
        ck_assert_str_eq(flags->keywords[0], "[a]");
        ck_assert_str_eq(flags->keywords[1], "b]");
        ck_assert_str_eq(TEXT(response)->text, "odd [but] true");
    } else {
        ck_assert_uint_eq(flags->system | flags->keyword_count, 0);
    }
}

START_TEST(permanent_flags_with_brackets)
{
    run_lines("* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited\r\n"
              "* OK [PERMANENTFLAGS (\\Seen [a] b])] odd [but] true\r\n* OK [PERMANENTFLAGS ()] none\r\n",
              check_flags_code, 3);
}
END_TEST

static void check_caps(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(TEXT(response)->code, IMAP_CODE_CAPABILITY);
    ck_assert_ptr_nonnull(TEXT(response)->caps);
    ck_assert(imap_caps_has(TEXT(response)->caps, IMAP_CAP_IMAP4REV1));
    ck_assert(imap_caps_has(TEXT(response)->caps, IMAP_CAP_IDLE));
    ck_assert(!imap_caps_has(TEXT(response)->caps, IMAP_CAP_MOVE));
    ck_assert_str_eq(TEXT(response)->text, "ready");
}

START_TEST(capabilities_in_the_greeting)
{
    run_one("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN ] ready", check_caps);
}
END_TEST

static void check_words(const struct imap_response *response, int index)
{
    static const struct {
        enum imap_code code;
        const char *name, *args, *text;
    } expected[] = {
        {IMAP_CODE_ALERT, "ALERT", "", "System shutdown in 10 minutes"},
        {IMAP_CODE_READ_ONLY, "READ-ONLY", "", "EXAMINE completed"},
        {IMAP_CODE_READ_WRITE, "read-write", "", "SELECT completed"},
        {IMAP_CODE_BADCHARSET, "BADCHARSET", "(\"UTF-8\" \"x]y\")", "no"},
        {IMAP_CODE_UNKNOWN, "THROTTLED", "", "slow down"},
        {IMAP_CODE_UNKNOWN, "REFERRAL", "IMAP://mike@SERVER2/", "try there"},
        {IMAP_CODE_MAILBOXID, "MAILBOXID", "(F2212ea87)", "Ok"},
        {IMAP_CODE_ALERT, "ALERT", "", ""},
        {IMAP_CODE_NONE, NULL, "", "no [code] here"},
        {IMAP_CODE_UNKNOWN, "", "", "empty"},
        {IMAP_CODE_NONEXISTENT, "NONEXISTENT", "", "gone"},
        {IMAP_CODE_UNKNOWN, "X", "(never", "closed"},
    };

    ck_assert_int_eq(TEXT(response)->code, expected[index].code);
    ck_assert_pstr_eq(TEXT(response)->code_name, expected[index].name);
    ck_assert_str_eq(TEXT(response)->code_args, expected[index].args);
    ck_assert_str_eq(TEXT(response)->text, expected[index].text);
}

START_TEST(codes_of_every_shape)
{
    run_lines("* OK [ALERT] System shutdown in 10 minutes\r\nA OK [READ-ONLY] EXAMINE completed\r\n"
              "A OK [read-write] SELECT completed\r\nA NO [BADCHARSET (\"UTF-8\" \"x]y\")] no\r\n"
              "A NO [THROTTLED] slow down\r\nA NO [REFERRAL IMAP://mike@SERVER2/] try there\r\n"
              "A OK [MAILBOXID (F2212ea87)] Ok\r\nA NO [ALERT]\r\nA NO no [code] here\r\n* OK [] empty\r\n"
              "A NO [NONEXISTENT]gone\r\nA NO [X (never] closed\r\n",
              check_words, 12);
}
END_TEST

static void check_every_code(const struct imap_response *response, int index)
{
    ck_assert_int_eq(TEXT(response)->code, IMAP_CODE_ALERT + index);
}

START_TEST(every_code_is_known_by_its_name)
{
    char wire[4096] = "";
    int count = 0;

    for (int code = IMAP_CODE_ALERT; code <= IMAP_CODE_USEATTR; code++, count++)
        snprintf(wire + strlen(wire), sizeof(wire) - strlen(wire), "* OK [%s] x\r\n",
                 imap_code_name((enum imap_code)code));
    run_lines(wire, check_every_code, count);
}
END_TEST

static void check_text(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_str_eq(TEXT(response)->text, "ab");
}

START_TEST(nul_and_cr_do_not_cut_the_text)
{
    struct transcript t = {.check = check_text};

    run_transcript(&t, "* OK a\0\rb\r\n", 11, "", 1);
}
END_TEST

START_TEST(what_is_not_imap_is_refused)
{
    static const char *const wires[] = {"HTTP/1.1 400 Bad Request\r\n",
                                        "A1\r\n",
                                        "A1 FETCH\r\n",
                                        "A1 BYE x\r\n",
                                        "A1 PREAUTH x\r\n",
                                        " OK\r\n",
                                        "(A1) OK\r\n"};

    for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
        struct transcript t = {0};

        run_transcript(&t, wires[i], strlen(wires[i]), "", 1);
        ck_assert_msg(t.status == IMAP_PROTO, "%s", wires[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *tests[] = {status_responses,
                            continuations_with_and_without_a_space,
                            codes_with_a_number,
                            codes_with_uid_sets,
                            a_code_without_its_status,
                            permanent_flags_with_brackets,
                            capabilities_in_the_greeting,
                            codes_of_every_shape,
                            every_code_is_known_by_its_name,
                            nul_and_cr_do_not_cut_the_text,
                            what_is_not_imap_is_refused,
                            NULL};

    return run_tests("respcode", tests);
}
