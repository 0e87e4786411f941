/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include "parse_help.h"

static void run_lines(const char *wire, const char *body, void (*check)(const struct imap_response *, int),
                      int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), body, count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

static void check_metadata(const struct imap_response *response, int index)
{
    const struct imap_fetch *fetch = &response->fetch;

    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_str_eq(response->name, "FETCH");
    ck_assert_uint_eq(response->number, 5);
    ck_assert_uint_eq(fetch->seq, 5);
    ck_assert_uint_eq(fetch->uid, 105);
    ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE |
                                      IMAP_FETCH_SIZE | IMAP_FETCH_MODSEQ);
    ck_assert_uint_eq(fetch->flags.system, IMAP_FLAG_SEEN | IMAP_FLAG_ANSWERED);
    ck_assert_uint_eq(fetch->flags.keyword_count, 1);
    ck_assert_str_eq(fetch->flags.keywords[0], "$Label1");
    ck_assert_int_eq(fetch->internaldate.unix_seconds, 86400);
    ck_assert_int_eq(fetch->internaldate.zone_minutes, 60);
    ck_assert_uint_eq(fetch->size, 7000);
    ck_assert_uint_eq(fetch->modseq, 624140003);
    ck_assert_ptr_null(fetch->sections);
    ck_assert_ptr_null(fetch->envelope);
    ck_assert_ptr_null(fetch->structure);
}

START_TEST(metadata)
{
    run_one(
        "* 5 FETCH (UID 105 FLAGS (\\Seen \\Answered $Label1) INTERNALDATE \" 2-Jan-1970 01:00:00 +0100\" "
        "RFC822.SIZE 7000 MODSEQ (624140003))",
        check_metadata);
    run_one("* 5 fetch (modseq (624140003) rfc822.size 7000 internaldate \"02-jan-1970 01:00:00 +0100\" "
            "flags ($Label1 \\ANSWERED \\seen) uid 105)",
            check_metadata);
}
END_TEST

static void check_extensions(const struct imap_response *response, int index)
{
    const struct imap_fetch *fetch = &response->fetch;

    switch (index) {
    case 0: /* RFC 8474, 8514, 8970 */
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_EMAILID | IMAP_FETCH_THREADID | IMAP_FETCH_SAVEDATE |
                                          IMAP_FETCH_PREVIEW);
        ck_assert_str_eq(fetch->emailid, "M6d99ac3275bb4e");
        ck_assert_str_eq(fetch->threadid, "T64b478a75b7ea9");
        ck_assert_int_eq(fetch->savedate.unix_seconds, 0);
        ck_assert_str_eq(fetch->preview, "Hi \"you\"");
        break;
    case 1:
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_THREADID | IMAP_FETCH_PREVIEW);
        ck_assert_ptr_null(fetch->threadid);
        ck_assert_ptr_null(fetch->preview);
        break;
    case 2: /* Gmail */
        ck_assert_uint_eq(fetch->has,
                          IMAP_FETCH_EMAILID | IMAP_FETCH_THREADID | IMAP_FETCH_LABELS | IMAP_FETCH_UID);
        ck_assert_str_eq(fetch->emailid, "1278455344230334865");
        ck_assert_str_eq(fetch->threadid, "1266894439832287888");
        ck_assert_str_eq(fetch->labels->child->str, "\\Inbox");
        ck_assert_str_eq(fetch->labels->child->next->str, "Muy Importante");
        ck_assert_uint_eq(imap_value_count(fetch->labels), 2);
        break;
    case 3: /* RFC 9586 */
        ck_assert_str_eq(response->name, "UIDFETCH");
        ck_assert_uint_eq(response->number, 25996);
        ck_assert_uint_eq(fetch->seq, 0);
        ck_assert_uint_eq(fetch->uid, 25996);
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS);
        break;
    case 4: /* what nobody knows yet */
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_SIZE);
        ck_assert_uint_eq(fetch->uid, 7);
        ck_assert_uint_eq(fetch->size, 8);
        break;
    case 5: /* which it may not say, but all else holds */
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_EMAILID | IMAP_FETCH_UID);
        ck_assert_ptr_null(fetch->emailid);
        ck_assert_uint_eq(fetch->uid, 7);
        break;
    default:
        ck_abort();
    }
}

START_TEST(attributes_of_extensions)
{
    run_lines(
        "* 3 FETCH (EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9) SAVEDATE \"01-Jan-1970 00:00:00 "
        "+0000\" "
        "PREVIEW \"Hi \\\"you\\\"\")\r\n"
        "* 3 FETCH (THREADID NIL SAVEDATE NIL PREVIEW NIL)\r\n"
        "* 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Inbox\" "
        "\"Muy Importante\") UID 9)\r\n"
        "* 25996 UIDFETCH (FLAGS (\\Seen))\r\n"
        "* 1 FETCH (NEW (1 2 (3)) UID 7 X-OTHER \"v\" RFC822.SIZE 8 ANNOTATION (/comment (value.priv "
        "\"x\")))\r\n"
        "* 1 FETCH (EMAILID NIL UID 7)\r\n",
        "", check_extensions, 6);
}
END_TEST

static void check_sections(const struct imap_response *response, int index)
{
    const struct imap_section *section = response->fetch.sections;

    (void)index;
    ck_assert_uint_eq(response->fetch.uid, 9);
    ck_assert_str_eq(section->spec, "HEADER.FIELDS (DATE FROM)");
    ck_assert_int_eq(section->kind, IMAP_SECTION_BODY);
    ck_assert(!section->has_origin && !section->nil && !section->streamed);
    ck_assert_uint_eq(section->size, 2);
    ck_assert_mem_eq(section->data, "ab", 2);
    section = section->next;
    ck_assert_str_eq(section->spec, "1.2.MIME");
    ck_assert(section->nil && !section->streamed);
    ck_assert_uint_eq(section->size, 0);
    ck_assert_ptr_null(section->data);
    section = section->next;
    ck_assert_str_eq(section->spec, "");
    ck_assert(section->has_origin);
    ck_assert_uint_eq(section->origin, 1048576);
    ck_assert_uint_eq(section->size, 0);
    ck_assert(!section->nil);
    section = section->next;
    ck_assert_int_eq(section->kind, IMAP_SECTION_BINARY_SIZE);
    ck_assert_str_eq(section->spec, "3");
    ck_assert_uint_eq(section->size, 51200);
    section = section->next;
    ck_assert_int_eq(section->kind, IMAP_SECTION_BINARY);
    ck_assert_uint_eq(section->size, 1);
    section = section->next;
    ck_assert_str_eq(section->spec, "HEADER");
    ck_assert_str_eq(section->data, "h");
    section = section->next;
    ck_assert_str_eq(section->spec, "TEXT");
    section = section->next;
    ck_assert_str_eq(section->spec, "");
    ck_assert_str_eq(section->data, "all");
    ck_assert(!section->has_origin);
    ck_assert_ptr_null(section->next);
    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_UID);
}

START_TEST(sections_in_quotes)
{
    run_one("* 1 FETCH (BODY[HEADER.FIELDS (DATE FROM)] \"ab\" BODY[1.2.MIME] NIL BODY[]<1048576> \"\" "
            "BINARY.SIZE[3] 51200 "
            "BINARY[3]<5.10> \"x\" RFC822.HEADER \"h\" RFC822.TEXT NIL RFC822 \"all\" UID 9)",
            check_sections);
}
END_TEST

static void check_streamed(const struct imap_response *response, int index)
{
    const struct imap_fetch *fetch = &response->fetch;
    const struct imap_section *section = fetch->sections;

    switch (index) {
    case 0:
        ck_assert_uint_eq(fetch->uid, 7);
        ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS | IMAP_FETCH_SIZE);
        ck_assert(section->streamed);
        ck_assert_ptr_null(section->data);
        ck_assert_uint_eq(section->size, 6);
        ck_assert_str_eq(section->spec, "HEADER");
        section = section->next;
        ck_assert(section->streamed);
        ck_assert_uint_eq(section->size, 10);
        ck_assert_str_eq(section->spec, "");
        ck_assert_uint_eq(section->origin, 5);
        section = section->next;
        ck_assert(!section->streamed);
        ck_assert_str_eq(section->data, "q");
        ck_assert_ptr_null(section->next);
        break;
    case 1:
        ck_assert_int_eq(response->type, IMAP_RESP_OK);
        break;
    default:
        ck_abort();
    }
}

START_TEST(bodies_are_streamed)
{
    run_lines("* 2 FETCH (FLAGS () BODY[HEADER] {6}\r\na: b\r\n RFC822.SIZE 9 BODY[]<5> {10+}\r\n) "
              "{5}\r\n\"(\" BODY[9] "
              "\"q\" UID 7)\r\nt OK done\r\n",
              "a: b\r\n) {5}\r\n\"(\"", check_streamed, 2);
}
END_TEST

/* ---- at the announcement ----------------------------------------------------------------------- */

static const struct imap_section *pending_of(const char *text, struct imap_arena *arena,
                                             struct imap_response *response)
{
    size_t len = strlen(text);
    struct imap_bytes bytes = {text, len, &len, 1};
    const struct imap_section *pending;

    imap_arena_reset(arena);
    ck_assert_int_eq(imap_resp_parse_pending(&bytes, DEPTH, arena, response, &pending, NULL), IMAP_OK);
    return pending;
}

START_TEST(the_announcement_tells_what_came_before)
{
    const struct imap_section *pending;
    struct imap_response response;
    struct imap_arena arena;

    imap_arena_init(&arena, LIMIT);
    pending = pending_of("* 5 FETCH (UID 42 FLAGS (\\Seen) BODY[1]<64> {1000}\r\n", &arena, &response);
    ck_assert_ptr_nonnull(pending);
    ck_assert_int_eq(pending->kind, IMAP_SECTION_BODY);
    ck_assert_str_eq(pending->spec, "1");
    ck_assert(pending->has_origin && pending->streamed);
    ck_assert_uint_eq(pending->origin, 64);
    ck_assert_uint_eq(pending->size, 1000);
    ck_assert_uint_eq(response.fetch.seq, 5);
    ck_assert_uint_eq(response.fetch.uid, 42);
    ck_assert_uint_eq(response.fetch.has, IMAP_FETCH_UID | IMAP_FETCH_FLAGS);
    ck_assert_ptr_null(response.fetch.sections);

    pending = pending_of("* 5 FETCH (BODY[HEADER] \"x\" RFC822 {0}\r\n", &arena, &response);
    ck_assert_str_eq(pending->spec, "");
    ck_assert_uint_eq(pending->size, 0);
    ck_assert_str_eq(response.fetch.sections->spec, "HEADER");
    ck_assert_ptr_null(response.fetch.sections->next);
    ck_assert_uint_eq(response.fetch.uid, 0);

    pending = pending_of("* 5 FETCH (BINARY[2] ~{9223372036854775807}\r\n", &arena, &response);
    ck_assert_int_eq(pending->kind, IMAP_SECTION_BINARY);
    ck_assert_uint_eq(pending->size, INT64_MAX);
    imap_arena_fini(&arena);
}
END_TEST

START_TEST(other_literals_are_no_sections)
{
    static const char *const texts[] = {
        "* 5 FETCH (UID 1 ENVELOPE (\"BODY[]\" {5}\r\n",
        "* 5 FETCH (UID 1 ENVELOPE (BODY[] {5}\r\n",
        "* 5 FETCH (UID 1 BODY[HEADER.FIELDS ({5}\r\n",
        "* 5 FETCH (UID 1 X-NEW[] {5}\r\n",
        "* 5 FETCH (UID 1 BODY (\"TEXT\" \"PLAIN\" ({5}\r\n",
        "* 5 FETCH (UID 1 {5}\r\n",
        "* LIST () \"/\" BODY[] {5}\r\n",
        "* 5 FETCH {5}\r\n",
    };
    struct imap_response response;
    struct imap_arena arena;

    imap_arena_init(&arena, LIMIT);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        ck_assert_msg(!pending_of(texts[i], &arena, &response), "%s", texts[i]);
    imap_arena_fini(&arena);
}
END_TEST

/* ---- recovery ---------------------------------------------------------------------------------- */

static void check_recovered(const struct imap_response *response, int index)
{
    const struct imap_fetch *fetch = &response->fetch;

    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(fetch->uid, 5);
    ck_assert_uint_eq(fetch->size, 7);
    ck_assert_uint_eq(fetch->has, IMAP_FETCH_UID | IMAP_FETCH_SIZE);
}

START_TEST(one_broken_attribute_does_not_lose_the_rest)
{
    run_lines(
        "* 1 FETCH (INTERNALDATE \"00-Jan-2024 00:00:00 +0000\" UID 5 RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 MODSEQ (-1) RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 MODSEQ -1 RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 FLAGS NIL RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 FLAGS RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 FLAGS \\Seen RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 RFC822.SIZE 7 FLAGS)\r\n"
        "* 1 FETCH (UID 5 INTERNALDATE NIL RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 MODSEQ () RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 () \"stray\" RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 RFC822.SIZE 7\r\n"
        "* 1 FETCH (UID 5 RFC822.SIZE 7)) \r\n* 1 FETCH  ( UID  5  RFC822.SIZE  7 ) \r\n"
        "* 1 FETCH (UID 3 UID 5 RFC822.SIZE 8 RFC822.SIZE 7)\r\n* 1 FETCH(UID 5 RFC822.SIZE 7)\r\n"
        "* 1 FETCH (UID 5 BODY[] (x) RFC822.SIZE 7)\r\n* 1 FETCH (UID 5 BINARY.SIZE[1] NIL RFC822.SIZE "
        "7)\r\n",
        "", check_recovered, 17);
}
END_TEST

static void check_zero(const struct imap_response *response, int index)
{
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(response->fetch.seq, index == 0 ? 0 : 1);
    ck_assert_uint_eq(response->fetch.uid, 0);
    ck_assert_uint_eq(response->fetch.has, index == 0 ? 0 : IMAP_FETCH_FLAGS);
}

START_TEST(zeroes_mean_unknown)
{
    run_lines("* 0 FETCH ()\r\n* 1 FETCH (UID 0 FLAGS ())\r\n* 1 FETCH (UID 4294967296 FLAGS ())\r\n", "",
              check_zero, 3);
}
END_TEST

static void check_size(const struct imap_response *response, int index)
{
    static const uint64_t sizes[] = {9370000, 5000000000, INT64_MAX, 123};

    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_SIZE);
    ck_assert_uint_eq(response->fetch.size, sizes[index]);
}

START_TEST(sizes_of_every_kind)
{
    run_lines("* 1 FETCH (RFC822.SIZE 9.37e+06)\r\n* 1 FETCH (RFC822.SIZE 5000000000)\r\n"
              "* 1 FETCH (RFC822.SIZE 9223372036854775807)\r\n* 1 FETCH (RFC822.SIZE \"123\")\r\n",
              "", check_size, 4);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {metadata,
                            attributes_of_extensions,
                            sections_in_quotes,
                            bodies_are_streamed,
                            the_announcement_tells_what_came_before,
                            other_literals_are_no_sections,
                            one_broken_attribute_does_not_lose_the_rest,
                            zeroes_mean_unknown,
                            sizes_of_every_kind,
                            NULL};

    return run_tests("fetch", tests);
}
