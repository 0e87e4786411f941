/* SPDX-License-Identifier: MIT */
/* Answers: what is kept of responses, and what is put together from several. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_build.h"
#include "imap/session.h"
#include "unit_main.h"

#define CAP ((size_t)64 << 20)

/* ---- a session whose responses are kept ---------------------------------------------------------- */

struct keeper {
    struct imap_session *session;
    struct imap_answer *answer;
    enum imap_status added; /* the first that was not IMAP_OK */
    int done;
    char streamed[256]; /* bodies, if they are taken */
    size_t streamed_len;
};

static void keep(void *arg, const struct imap_response *response)
{
    struct keeper *keeper = arg;
    enum imap_status status = imap_answer_add(keeper->answer, response);
    if (keeper->added == IMAP_OK)
        keeper->added = status;
}

static bool take_body(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    (void)arg;
    (void)so_far;
    return strcmp(section->spec, "drop") != 0;
}

static void take_data(void *arg, const void *data, size_t len)
{
    struct keeper *keeper = arg;
    ck_assert_uint_lt(keeper->streamed_len + len, sizeof keeper->streamed);
    memcpy(keeper->streamed + keeper->streamed_len, data, len);
    keeper->streamed_len += len;
}

static void keep_result(void *arg, const struct imap_result *result)
{
    struct keeper *keeper = arg;
    keeper->done++;
    imap_answer_finish(keeper->answer, result);
}

static void submit(struct keeper *keeper, const char *verb, const char *args, bool stream)
{
    struct imap_command_events events = {.response = keep, .done = keep_result};
    struct imap_command *command = imap_command_new(verb);
    size_t len;
    if (stream) {
        events.body_begin = take_body;
        events.body_data = take_data;
    }
    imap_command_raw(command, args);
    imap_command_on(command, &events, keeper);
    ck_assert_int_eq(imap_session_submit(keeper->session, command, NULL), IMAP_OK);
    while (imap_session_pull(keeper->session, &len))
        imap_session_sent(keeper->session, len);
}

static void feed(struct keeper *keeper, const char *wire, size_t len, size_t piece)
{
    struct imap_error err = {0};
    for (size_t at = 0; at < len; at += piece) {
        size_t size = len - at < piece ? len - at : piece;
        char *copy = malloc(size); /* dies at once, as a socket's buffer does */
        memcpy(copy, wire + at, size);
        ck_assert_msg(imap_session_feed(keeper->session, copy, size, &err) == IMAP_OK, "%s", err.text);
        memset(copy, '#', size);
        free(copy);
    }
}

/* What a command in a mailbox of 9 messages is answered with ("* ...\r\n" and the tagged "a2 ..."). */
static struct imap_answer *answer_of(const char *verb, const char *args, const char *wire, size_t piece,
                                     bool stream, struct keeper *keeper)
{
    static const struct imap_session_events none;
    static const char greeting[] = "* PREAUTH hi\r\n", selected[] = "* 9 EXISTS\r\na1 OK\r\n";
    *keeper = (struct keeper){.session = imap_session_new(&none, NULL, NULL), .answer = imap_answer_new(CAP)};
    feed(keeper, greeting, sizeof greeting - 1, 1000);
    submit(keeper, "SELECT", "INBOX", false);
    feed(keeper, selected, sizeof selected - 1, 1000);
    imap_answer_unref(&keeper->answer);
    keeper->answer = imap_answer_new(CAP);
    keeper->done = 0;
    submit(keeper, verb, args, stream);
    feed(keeper, wire, strlen(wire), piece);
    ck_assert_int_eq(keeper->done, 1);
    ck_assert_int_eq(keeper->added, IMAP_OK);
    imap_session_free(&keeper->session); /* the answer needs it no more */
    return keeper->answer;
}

static struct imap_answer *ask(const char *verb, const char *args, const char *wire)
{
    struct keeper keeper;
    return answer_of(verb, args, wire, 1000000, false, &keeper);
}

/* ---- what is kept -------------------------------------------------------------------------------- */

static void assert_kept(const struct imap_answer *answer)
{
    const struct imap_response *response = imap_answer_any(answer, NULL);
    ck_assert_uint_eq(imap_answer_count(answer), 3);
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(response->fetch.uid, 7);
    ck_assert_str_eq(response->fetch.sections->data, "a\r\nb");
    ck_assert_uint_eq(response->fetch.sections->size, 4);
    ck_assert_str_eq(response->raw, "* 1 FETCH (UID 7 BODY[] {4}\r\na\r\nb FLAGS (\\Seen $x))");
    ck_assert_uint_eq(response->raw_len, strlen(response->raw));
    ck_assert_str_eq(response->fetch.flags.keywords[0], "$x");
    ck_assert_ptr_nonnull(response->values->child);

    response = imap_answer_any(answer, response);
    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert_str_eq(response->name, "XSTRANGE");
    ck_assert_str_eq(response->values->child->str, "thing");
    response = imap_answer_any(answer, response);
    ck_assert_int_eq(response->type, IMAP_RESP_EXISTS);
    ck_assert_uint_eq(response->number, 10);
    ck_assert_ptr_null(imap_answer_any(answer, response));

    ck_assert_ptr_null(imap_answer_next(answer, IMAP_RESP_LIST, NULL));
    ck_assert_ptr_eq(imap_answer_next(answer, IMAP_RESP_EXISTS, NULL), response);
    ck_assert_ptr_null(imap_answer_next(answer, IMAP_RESP_EXISTS, response));
    ck_assert_int_eq(imap_answer_status(answer), IMAP_OK);
    ck_assert_int_eq(imap_answer_error(answer)->status, IMAP_OK);
    ck_assert_str_eq(imap_answer_text(answer)->text, "fine");
    ck_assert_uint_gt(imap_answer_bytes(answer), 100);
}

/* Whole and cut anywhere: what was sent is there when all it came in is gone. */
START_TEST(responses)
{
    static const char wire[] =
        "* 1 FETCH (UID 7 BODY[] {4}\r\na\r\nb FLAGS (\\Seen $x))\r\n* XSTRANGE thing\r\n"
        "* 10 EXISTS\r\na2 OK fine\r\n";
    for (size_t piece = 1; piece < sizeof wire; piece++) {
        struct keeper keeper;
        struct imap_answer *answer = answer_of("XYZZY", "now", wire, piece, false, &keeper);
        assert_kept(answer);
        imap_answer_unref(&answer);
        ck_assert_ptr_null(answer);
    }
}
END_TEST

START_TEST(streamed_literals)
{
    static const char wire[] = "* 1 FETCH (UID 7 BODY[1] {5}\r\nhello BODY[drop] {3}\r\nbye BODY[2] \"here\" "
                               "BODY[3] {0}\r\n FLAGS ())\r\na2 OK\r\n";
    for (size_t piece = 1; piece < sizeof wire; piece++) {
        struct keeper keeper;
        struct imap_answer *answer = answer_of("UID FETCH", "7 (X)", wire, piece, true, &keeper);
        const struct imap_fetch *fetch = imap_answer_message(answer, 7);
        const struct imap_section *section = imap_fetch_section(fetch, IMAP_SECTION_BODY, "1");
        ck_assert_uint_eq(keeper.streamed_len, 5);
        ck_assert_mem_eq(keeper.streamed, "hello", 5);
        ck_assert(section->streamed);
        ck_assert_ptr_null(section->data);
        ck_assert_uint_eq(section->size, 5);
        section = imap_fetch_section(fetch, IMAP_SECTION_BODY, "DROP");
        ck_assert(section->streamed);
        ck_assert_uint_eq(section->size, 3);
        section = imap_fetch_section(fetch, IMAP_SECTION_BODY, "2");
        ck_assert(!section->streamed);
        ck_assert_str_eq(section->data, "here");
        ck_assert_uint_eq(imap_fetch_section(fetch, IMAP_SECTION_BODY, "3")->size, 0);
        ck_assert_ptr_null(imap_fetch_section(fetch, IMAP_SECTION_BINARY, "1"));
        ck_assert_ptr_null(imap_fetch_section(fetch, IMAP_SECTION_BODY, ""));
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS);
        imap_answer_unref(&answer);
    }
}
END_TEST

START_TEST(tagged_text)
{
    struct imap_answer *answer =
        ask("UID COPY", "1:3 x", "a2 OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n"); /* RFC 4315 3 */
    const struct imap_text *text = imap_answer_text(answer);
    ck_assert_int_eq(text->code, IMAP_CODE_COPYUID);
    ck_assert_str_eq(text->code_name, "COPYUID");
    ck_assert_str_eq(text->code_args, "38505 304,319:320 3956:3958");
    ck_assert_uint_eq(text->uidvalidity, 38505);
    ck_assert_uint_eq(imap_seqset_size(text->from), 3);
    ck_assert(imap_seqset_contains(text->to, 3957));
    ck_assert_ptr_null(text->caps);
    imap_answer_unref(&answer);

    answer = ask("XLOGIN", "x", "a2 OK [CAPABILITY IMAP4rev1 XFOO] in\r\n");
    ck_assert(imap_caps_has_name(imap_answer_text(answer)->caps, "XFOO"));
    imap_answer_unref(&answer);
    answer = ask("XSEL", "x", "a2 OK [PERMANENTFLAGS (\\Seen $a $b)] x\r\n");
    ck_assert_uint_eq(imap_answer_text(answer)->flags->keyword_count, 2);
    ck_assert_str_eq(imap_answer_text(answer)->flags->keywords[1], "$b");
    imap_answer_unref(&answer);

    answer = ask("UID COPY", "1 gone", "a2 NO [NONEXISTENT] no such mailbox\r\n");
    ck_assert_int_eq(imap_answer_status(answer), IMAP_GONE);
    ck_assert_int_eq(imap_answer_error(answer)->code, IMAP_CODE_NONEXISTENT);
    ck_assert_str_eq(imap_answer_text(answer)->text, "no such mailbox");
    imap_answer_unref(&answer);
}
END_TEST

/* Cyrus has words for it, and no code. */
START_TEST(refused_in_words)
{
    static const struct {
        const char *answer;
        enum imap_status status;
        enum imap_code code;
    } cases[] = {
        {"a2 NO Permission denied\r\n", IMAP_NO, IMAP_CODE_NOPERM},
        {"a2 NO Mailbox does not exist\r\n", IMAP_GONE, IMAP_CODE_NONEXISTENT},
        {"a2 NO [TRYCREATE] Mailbox does not exist\r\n", IMAP_NO, IMAP_CODE_TRYCREATE},
        {"a2 NO Mailbox already exists\r\n", IMAP_NO, IMAP_CODE_ALREADYEXISTS},
        {"a2 NO Invalid mailbox name\r\n", IMAP_NO, IMAP_CODE_CANNOT},
        {"a2 NO Over quota\r\n", IMAP_NO, IMAP_CODE_OVERQUOTA},
        {"a2 NO Message contains invalid header\r\n", IMAP_NO, IMAP_CODE_CANNOT},
        {"a2 NO Permission denied by the moon\r\n", IMAP_NO, IMAP_CODE_NONE},
        {"a2 NO\r\n", IMAP_NO, IMAP_CODE_NONE},
        {"a2 BAD Permission denied\r\n", IMAP_NO, IMAP_CODE_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct imap_answer *answer = ask("UID COPY", "1 x", cases[i].answer);
        ck_assert_int_eq(imap_answer_status(answer), cases[i].status);
        ck_assert_int_eq(imap_answer_error(answer)->code, cases[i].code);
        imap_answer_unref(&answer);
    }
}
END_TEST

START_TEST(counted)
{
    struct imap_answer *answer = ask("NOOP", "", "a2 OK\r\n"), *other = imap_answer_ref(answer);
    ck_assert_ptr_eq(answer, other);
    imap_answer_unref(&answer);
    ck_assert_int_eq(imap_answer_status(other), IMAP_OK);
    imap_answer_unref(&other);
    imap_answer_unref(&other); /* NULL */
}
END_TEST

/* ---- messages ------------------------------------------------------------------------------------ */

static const struct imap_fetch *message(const struct imap_answer *answer, size_t at, size_t count)
{
    size_t have;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &have);
    ck_assert_uint_eq(have, count);
    return messages[at];
}

START_TEST(messages_by_uid)
{
    struct imap_answer *answer = ask("XFETCH", "x",
                                     "* 3 FETCH (UID 30 FLAGS (\\Seen))\r\n* 1 FETCH (UID 10 FLAGS ())\r\n"
                                     "* 2 FETCH (UID 20)\r\n* 2 UIDFETCH (RFC822.SIZE 5)\r\na2 OK\r\n");
    ck_assert_uint_eq(message(answer, 0, 4)->uid, 2);
    ck_assert_uint_eq(message(answer, 1, 4)->uid, 10);
    ck_assert_uint_eq(message(answer, 3, 4)->seq, 3);
    ck_assert_ptr_eq(imap_answer_message(answer, 20), message(answer, 2, 4));
    ck_assert_uint_eq(imap_answer_message(answer, 2)->size, 5);
    ck_assert_ptr_null(imap_answer_message(answer, 11));
    ck_assert_ptr_null(imap_answer_message(answer, 0));
    ck_assert_ptr_null(imap_answer_message(answer, 31));
    imap_answer_unref(&answer);
}
END_TEST

/* Gmail: a change of flags comes apart from what was asked for. */
START_TEST(messages_in_pieces)
{
    struct imap_answer *answer = ask(
        "UID FETCH", "5:6 (X)",
        "* 1 FETCH (UID 5 FLAGS (\\Seen) RFC822.SIZE 10 BODY[HEADER] \"h\" BODY[] \"old\")\r\n"
        "* 2 FETCH (UID 6 FLAGS ())\r\n"
        "* 1 FETCH (UID 5 FLAGS (\\Seen \\Deleted) MODSEQ (9) BODY[TEXT] \"t\" BODY[] \"new\")\r\na2 OK\r\n");
    const struct imap_fetch *fetch = message(answer, 0, 2);
    ck_assert_uint_eq(fetch->uid, 5);
    ck_assert_uint_eq(fetch->flags.system, IMAP_FLAG_SEEN | IMAP_FLAG_DELETED);
    ck_assert_uint_eq(fetch->size, 10);
    ck_assert_uint_eq(fetch->modseq, 9);
    ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS | IMAP_FETCH_SIZE | IMAP_FETCH_MODSEQ);
    ck_assert_str_eq(imap_fetch_section(fetch, IMAP_SECTION_BODY, "header")->data, "h");
    ck_assert_str_eq(imap_fetch_section(fetch, IMAP_SECTION_BODY, "TEXT")->data, "t");
    ck_assert_str_eq(imap_fetch_section(fetch, IMAP_SECTION_BODY, "")->data, "new");
    ck_assert_uint_eq(message(answer, 1, 2)->uid, 6);
    /* the responses themselves are as they were sent */
    ck_assert_uint_eq(imap_answer_next(answer, IMAP_RESP_FETCH, NULL)->fetch.modseq, 0);
    imap_answer_unref(&answer);
}
END_TEST

START_TEST(messages_by_number)
{
    /* the UID is told before or after, or never */
    struct imap_answer *answer = ask("FETCH", "1:4 (X)",
                                     "* 2 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 20 RFC822.SIZE 7)\r\n"
                                     "* 1 FETCH (UID 10)\r\n* 1 FETCH (FLAGS (\\Draft))\r\n"
                                     "* 4 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n"
                                     "* 4 FETCH (FLAGS (\\Flagged) RFC822.SIZE 3)\r\na2 OK\r\n");
    ck_assert_uint_eq(message(answer, 0, 4)->uid, 10);
    ck_assert_uint_eq(message(answer, 0, 4)->flags.system, IMAP_FLAG_DRAFT);
    ck_assert_uint_eq(message(answer, 1, 4)->uid, 20);
    ck_assert_uint_eq(message(answer, 1, 4)->flags.system, IMAP_FLAG_SEEN);
    ck_assert_uint_eq(message(answer, 1, 4)->size, 7);
    ck_assert_uint_eq(message(answer, 2, 4)->uid, 0);
    ck_assert_uint_eq(message(answer, 2, 4)->seq, 3);
    ck_assert_uint_eq(message(answer, 3, 4)->seq, 4);
    ck_assert_uint_eq(message(answer, 3, 4)->flags.system, IMAP_FLAG_FLAGGED);
    ck_assert_uint_eq(message(answer, 3, 4)->size, 3);
    imap_answer_unref(&answer);
}
END_TEST

/* What was number 2 is 1 after an EXPUNGE, also where the answer does not hold that. */
START_TEST(numbers_shift)
{
    struct imap_answer *answer = ask("FETCH", "1:4 (X)",
                                     "* 2 FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n"
                                     "* 2 FETCH (FLAGS (\\Draft))\r\n* 2 FETCH (UID 30)\r\n"
                                     "* VANISHED 1000\r\n* 2 FETCH (RFC822.SIZE 5)\r\na2 OK\r\n");
    /* the first 2 is another message; the last is the one with UID 30, which the session knew */
    ck_assert_uint_eq(message(answer, 0, 2)->uid, 30);
    ck_assert_uint_eq(message(answer, 0, 2)->flags.system, IMAP_FLAG_DRAFT);
    ck_assert_uint_eq(message(answer, 0, 2)->size, 5);
    ck_assert_uint_eq(message(answer, 1, 2)->uid, 0);
    ck_assert_uint_eq(message(answer, 1, 2)->flags.system, IMAP_FLAG_SEEN);
    imap_answer_unref(&answer);

    answer = ask("FETCH", "1:4 (X)",
                 "* 2 FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n* 2 FETCH (RFC822.SIZE 5)\r\na2 OK\r\n");
    ck_assert_uint_eq(message(answer, 0, 2)->size, 0);
    ck_assert_uint_eq(message(answer, 1, 2)->has, IMAP_FETCH_SIZE);
    imap_answer_unref(&answer);

    /* Courier's number 0 says nothing */
    answer = ask("FETCH", "1:4 (X)", "* 0 FETCH (FLAGS ())\r\n* 0 FETCH (RFC822.SIZE 5)\r\na2 OK\r\n");
    ck_assert_uint_eq(message(answer, 0, 2)->seq, 0);
    imap_answer_unref(&answer);
}
END_TEST

START_TEST(no_messages)
{
    size_t count = 1;
    struct imap_answer *answer = ask("NOOP", "", "a2 OK\r\n");
    imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(imap_answer_message(answer, 1));
    ck_assert_uint_eq(imap_answer_vanished(answer)->count, 0);
    ck_assert_ptr_null(imap_answer_mailbox_status(answer, "x"));
    ck_assert_ptr_null(imap_answer_metadata(answer, "x", "/a", NULL));
    imap_answer_unref(&answer);
}
END_TEST

/* ---- searches ------------------------------------------------------------------------------------ */

static void assert_numbers(const struct imap_found *found, const uint32_t *expected, size_t count)
{
    ck_assert_uint_eq(found->count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(found->numbers[i], expected[i]);
}
#define FOUND(found, ...)                                                                                    \
    assert_numbers(found, (const uint32_t[]){__VA_ARGS__},                                                   \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

START_TEST(searches)
{
    struct imap_found found;
    struct imap_answer *answer =
        ask("SEARCH", "ALL", "* SEARCH 9 2 84\r\n* SEARCH\r\n* SEARCH 882 9 (MODSEQ 917162500)\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    FOUND(&found, 2, 9, 84, 882);
    ck_assert(found.has_total && !found.has_min && !found.has_max);
    ck_assert_uint_eq(found.total, 4);
    ck_assert_uint_eq(found.modseq, 917162500);
    imap_answer_unref(&answer);

    answer = ask("SEARCH", "ALL", "* SEARCH\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    ck_assert_uint_eq(found.count, 0);
    ck_assert(found.has_total);
    imap_answer_unref(&answer);

    /* RFC 4731 3.1 */
    answer = ask("UID SEARCH", "RETURN (MIN MAX COUNT ALL) ALL",
                 "* ESEARCH (TAG \"a2\") UID MIN 7 MAX 3800 COUNT 5 ALL 7:9,21,3800 MODSEQ 12\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    FOUND(&found, 7, 8, 9, 21, 3800);
    ck_assert(found.has_min && found.has_max && found.has_total);
    ck_assert_uint_eq(found.min, 7);
    ck_assert_uint_eq(found.max, 3800);
    ck_assert_uint_eq(found.total, 5);
    ck_assert_uint_eq(found.modseq, 12);
    imap_answer_unref(&answer);

    answer =
        ask("UID SEARCH", "RETURN (COUNT) ALL", "* ESEARCH (TAG \"a2\") UID COUNT 50000001\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_uint_eq(found.total, 50000001);
    imap_answer_unref(&answer);

    /* RFC 9394 3.1 */
    answer = ask("UID SEARCH", "RETURN (PARTIAL 1:3) ALL",
                 "* ESEARCH (TAG \"a2\") UID PARTIAL (1:3 200:201,333)\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    FOUND(&found, 200, 201, 333);
    imap_answer_unref(&answer);

    /* the order asked for, in several responses */
    answer = ask("SORT", "(DATE) UTF-8 ALL", "* SORT 5 3 4\r\n* SORT 1 2\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    FOUND(&found, 5, 3, 4, 1, 2);
    ck_assert_uint_eq(found.total, 5);
    imap_answer_unref(&answer);
}
END_TEST

START_TEST(not_found)
{
    struct imap_found found = {.count = 7};
    struct imap_error err;
    struct imap_answer *answer = ask("SEARCH", "ALL", "a2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, &err), IMAP_GONE);
    ck_assert_uint_eq(found.count, 7);
    imap_answer_unref(&answer);

    answer = ask("UID SEARCH", "RETURN (ALL) ALL", "* ESEARCH UID ALL 1:4294967295\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, &err), IMAP_LIMIT);
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_LIMIT);
    imap_answer_unref(&answer);

    /* the cap is for all of them */
    answer = ask("UID SEARCH", "RETURN (ALL) ALL",
                 "* ESEARCH UID ALL 1:30000000\r\n* ESEARCH UID ALL 1:30000000\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, &err), IMAP_LIMIT);
    imap_answer_unref(&answer);

    /* the last number there is */
    answer = ask("UID SEARCH", "RETURN (ALL) ALL", "* ESEARCH UID ALL 4294967294:4294967295\r\na2 OK\r\n");
    ck_assert_int_eq(imap_answer_found(answer, &found, &err), IMAP_OK);
    FOUND(&found, 4294967294, 4294967295);
    imap_answer_unref(&answer);
}
END_TEST

/* ---- the others ---------------------------------------------------------------------------------- */

START_TEST(vanished)
{
    struct imap_answer *answer =
        ask("XALL", "x",
            "* VANISHED (EARLIER) 300:310,41\r\n* VANISHED 5:6\r\n* VANISHED 4,305:312\r\na2 OK\r\n");
    const struct imap_seqset *set = imap_answer_vanished(answer);
    ck_assert_uint_eq(set->count, 3);
    ck_assert_uint_eq(set->ranges[0].first, 4);
    ck_assert_uint_eq(set->ranges[0].last, 6);
    ck_assert_uint_eq(set->ranges[1].first, 41);
    ck_assert_uint_eq(set->ranges[2].last, 312);
    ck_assert_ptr_eq(imap_answer_vanished(answer), set);
    imap_answer_unref(&answer);
}
END_TEST

START_TEST(statuses)
{
    struct imap_answer *answer =
        ask("LIST", "\"\" * RETURN (STATUS (MESSAGES))",
            "* LIST () \"/\" b\r\n* STATUS b (MESSAGES 1)\r\n* STATUS inbox (MESSAGES 2)\r\n"
            "* STATUS A (MESSAGES 3)\r\n* STATUS a (MESSAGES 4)\r\n"
            "* STATUS b (MESSAGES 5)\r\na2 OK\r\n");
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "b")->messages, 5);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "INBOX")->messages, 2);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "Inbox")->messages, 2);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "A")->messages, 3);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "a")->messages, 4);
    ck_assert_ptr_null(imap_answer_mailbox_status(answer, "B"));
    imap_answer_unref(&answer);
}
END_TEST

START_TEST(metadata)
{
    struct imap_answer *answer = ask(
        "XMETA", "x",
        "* METADATA \"\" (/shared/comment \"server\")\r\n* METADATA INBOX (/shared/comment \"old\")\r\n"
        "* METADATA inbox (/shared/comment \"new\" /private/none NIL)\r\n* METADATA INBOX /shared/comment\r\n"
        "* ANNOTATION INBOX /comment (value.priv \"mine\" value.shared \"ours\")\r\n"
        "* ANNOTATION INBOX (/comment)\r\na2 OK\r\n");
    ck_assert_str_eq(imap_answer_metadata(answer, "", "/shared/comment", NULL)->value, "server");
    /* that it has changed is not what it is */
    ck_assert_str_eq(imap_answer_metadata(answer, "INBOX", "/Shared/Comment", NULL)->value, "new");
    ck_assert_ptr_null(imap_answer_metadata(answer, "INBOX", "/private/none", NULL)->value);
    ck_assert_ptr_null(imap_answer_metadata(answer, "INBOX", "/private/other", NULL));
    ck_assert_ptr_null(imap_answer_metadata(answer, "Sent", "/shared/comment", NULL));
    ck_assert_str_eq(imap_answer_metadata(answer, "INBOX", "/comment", "value.priv")->value, "mine");
    ck_assert_str_eq(imap_answer_metadata(answer, "INBOX", "/comment", "VALUE.shared")->value, "ours");
    ck_assert_ptr_null(imap_answer_metadata(answer, "INBOX", "/comment", NULL));
    imap_answer_unref(&answer);
}
END_TEST

/* ---- limits and threads -------------------------------------------------------------------------- */

static enum imap_status add(struct imap_answer *answer, const char *raw)
{
    struct imap_response response = {.raw = raw, .raw_len = strlen(raw)};
    return imap_answer_add(answer, &response);
}

START_TEST(cap)
{
    static const struct imap_error fine;
    const struct imap_result result = {.status = IMAP_OK, .error = &fine};
    struct imap_answer *answer = imap_answer_new(4096);
    char *large = malloc(5000);
    size_t kept = 0;
    memset(large, 'x', 4999);
    memcpy(large, "* LIST ", 7);
    large[4999] = '\0';
    ck_assert_int_eq(add(answer, "* LIST () \"/\" a"), IMAP_OK);
    ck_assert_int_eq(add(answer, "neither"), IMAP_PROTO);
    ck_assert_uint_eq(imap_answer_count(answer), 1);
    ck_assert_int_eq(add(answer, large), IMAP_LIMIT);
    ck_assert_int_eq(add(answer, "* LIST () \"/\" b"), IMAP_LIMIT); /* and all later ones */
    ck_assert_uint_eq(imap_answer_count(answer), 1);
    imap_answer_finish(answer, &result);
    ck_assert_int_eq(imap_answer_status(answer), IMAP_LIMIT);
    ck_assert_int_eq(imap_answer_error(answer)->status, IMAP_LIMIT);
    imap_answer_unref(&answer);
    free(large);

    answer = imap_answer_new(1 << 20);
    while (add(answer, "* LIST () \"/\" some/mailbox") == IMAP_OK)
        kept++;
    ck_assert_uint_gt(kept, 500);
    ck_assert_uint_eq(imap_answer_count(answer), kept);
    ck_assert_uint_lt(imap_answer_bytes(answer), (1 << 20) + 8192);
    imap_answer_finish(answer, &result);
    ck_assert_int_eq(imap_answer_status(answer), IMAP_LIMIT);
    imap_answer_unref(&answer);
}
END_TEST

static void *read_all(void *arg)
{
    struct imap_answer *answer = imap_answer_ref(arg);
    struct imap_found found;
    size_t count;
    for (uint32_t uid = 1; uid <= 9; uid++)
        ck_assert_uint_eq(imap_answer_message(answer, uid)->uid, uid);
    imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 9);
    ck_assert_int_eq(imap_answer_found(answer, &found, NULL), IMAP_OK);
    FOUND(&found, 1, 2, 3);
    ck_assert_uint_eq(imap_seqset_size(imap_answer_vanished(answer)), 10);
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, "x")->messages, 1);
    imap_answer_unref(&answer);
    return NULL;
}

START_TEST(many_readers)
{
    enum { THREADS = 8, ROUNDS = 50 };
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        struct imap_answer *answer = imap_answer_new(CAP);
        static const struct imap_error fine;
        const struct imap_result result = {.status = IMAP_OK, .error = &fine};
        char text[64];
        for (int uid = 9; uid > 0; uid--)
            for (int piece = 0; piece < 2; piece++) {
                snprintf(text, sizeof text, "* %d FETCH (UID %d FLAGS ())", uid, uid);
                ck_assert_int_eq(add(answer, text), IMAP_OK);
            }
        ck_assert_int_eq(add(answer, "* SEARCH 3 2 1"), IMAP_OK);
        ck_assert_int_eq(add(answer, "* VANISHED 11:20"), IMAP_OK);
        ck_assert_int_eq(add(answer, "* STATUS x (MESSAGES 1)"), IMAP_OK);
        imap_answer_finish(answer, &result);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, answer), 0);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        imap_answer_unref(&answer);
    }
}
END_TEST

UNIT_MAIN("answer", responses, streamed_literals, tagged_text, refused_in_words, counted, messages_by_uid,
          messages_in_pieces, messages_by_number, numbers_shift, no_messages, searches, not_found, vanished,
          statuses, metadata, cap, many_readers)
