/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <stdint.h>
#include <stdio.h>

#include "parse_help.h"

/* Responses as framed, one a line, "|" for the end of each. */
static char framed[4096];

static void note(const struct imap_response *response, int index)
{
    size_t len = strlen(framed);

    (void)index;
    ck_assert_uint_lt(len + response->raw_len + 2, sizeof(framed));
    memcpy(framed + len, response->raw, response->raw_len);
    memcpy(framed + len + response->raw_len, "|", 2);
}

/* Every cut must give the same responses and body. */
static void frames_as(const char *wire, const char *expected, const char *body)
{
    size_t len = strlen(wire);

    for (size_t cut = 0; cut <= len; cut++) {
        struct transcript t = {.check = note};

        framed[0] = '\0';
        help_start(&t);
        help_feed(&t, wire, cut);
        help_feed(&t, wire + cut, len - cut);
        ck_assert_str_eq(framed, expected);
        help_end(&t, body, t.responses);
    }
}

START_TEST(lines_are_responses)
{
    frames_as("* OK hi\r\nA1 OK done\r\n+ go\r\n", "* OK hi|A1 OK done|+ go|", "");
}
END_TEST

START_TEST(bare_lf_ends_a_line_and_bare_cr_does_not)
{
    frames_as("* OK hi\n* OK a\rb\r\n* OK c\r\r\n", "* OK hi|* OK a\rb|* OK c\r|", "");
}
END_TEST

START_TEST(blank_lines_are_nothing)
{
    frames_as("\r\n\n* OK hi\r\n\r\n\n\r\n* OK ho\r\n", "* OK hi|* OK ho|", "");
}
END_TEST

START_TEST(literals_are_gathered)
{
    frames_as("* LIST () \"/\" {5}\r\nhello\r\n* OK\r\n", "* LIST () \"/\" {5}\r\nhello|* OK|", "");
    frames_as("* LIST () \"/\" {3+}\r\n\r\n\n\r\n", "* LIST () \"/\" {3+}\r\n\r\n\n|", "");
    frames_as("* X ~{3}\r\nabc {0}\r\n {0002}\nxy z\r\n", "* X ~{3}\r\nabc {0}\r\n {0002}\nxy z|", "");
    frames_as("* 1 FETCH (ENVELOPE ({2}\r\nhi NIL) UID 5)\r\n", "* 1 FETCH (ENVELOPE ({2}\r\nhi NIL) UID 5)|",
              "");
}
END_TEST

START_TEST(what_a_literal_holds_is_not_looked_at)
{
    frames_as("* X {9}\r\n* 1 {5}\r\n y\r\n", "* X {9}\r\n* 1 {5}\r\n y|", "");
}
END_TEST

START_TEST(status_text_holds_no_literals)
{
    frames_as("* OK see {5}\r\n* NO {1}\r\n* BYE {2}\r\n* BAD {2}\r\n* PREAUTH {2}\r\n",
              "* OK see {5}|* NO {1}|* BYE {2}|* BAD {2}|* PREAUTH {2}|", "");
    frames_as("A1 OK {5}\r\nA2 NO (x {5}\r\n+ {5}\r\n* [ALERT] {5}\r\n",
              "A1 OK {5}|A2 NO (x {5}|+ {5}|* [ALERT] {5}|", "");
}
END_TEST

START_TEST(braces_within_a_word_are_text)
{
    frames_as("* LIST () \"/\" foo{5}\r\n* LIST () \"/\" \"{5}\"\r\n* X {}\r\n* X {a}\r\n* X 5}\r\n",
              "* LIST () \"/\" foo{5}|* LIST () \"/\" \"{5}\"|* X {}|* X {a}|* X 5}|", "");
}
END_TEST

START_TEST(body_sections_stream)
{
    frames_as("* 1 FETCH (UID 7 BODY[] {11}\r\nhello\r\nyou  FLAGS ())\r\n* OK\r\n",
              "* 1 FETCH (UID 7 BODY[] {11}\r\n FLAGS ())|* OK|", "hello\r\nyou ");
}
END_TEST

START_TEST(every_kind_of_section_streams)
{
    frames_as("* 1 FETCH (BODY[1.2.MIME] {1}\r\na BODY[]<0> {1}\r\nb BINARY[1] ~{1}\r\nc RFC822 {1}\r\nd "
              "RFC822.HEADER {1}\r\ne rfc822.text {1}\r\nf BODY[HEADER.FIELDS (\"A]\" B)]{1}\r\ng)\r\n",
              "* 1 FETCH (BODY[1.2.MIME] {1}\r\n BODY[]<0> {1}\r\n BINARY[1] ~{1}\r\n RFC822 {1}\r\n "
              "RFC822.HEADER {1}\r\n rfc822.text {1}\r\n BODY[HEADER.FIELDS (\"A]\" B)]{1}\r\n)|",
              "abcdefg");
    frames_as("* 9 UIDFETCH (BODY[] {1}\r\na)\r\n", "* 9 UIDFETCH (BODY[] {1}\r\n)|", "a");
}
END_TEST

START_TEST(only_the_section_itself_streams)
{
    /* names that only look like sections: the parser has them buffered */
    frames_as("* 1 FETCH (ENVELOPE (x] {1}\r\na) UID 3)\r\n", "* 1 FETCH (ENVELOPE (x] {1}\r\na) UID 3)|",
              "");
    frames_as("* LIST () \"/\" BODY[] {1}\r\na\r\n", "* LIST () \"/\" BODY[] {1}\r\na|", "");
    frames_as("* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\nA)] {1}\r\nx)\r\n",
              "* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\nA)] {1}\r\n)|", "x");
}
END_TEST

START_TEST(an_empty_body_begins_and_ends)
{
    struct transcript t = {0};
    const char *wire = "* 1 FETCH (BODY[] {0}\r\n UID 4)\r\n";

    help_start(&t);
    help_feed(&t, wire, strlen(wire));
    ck_assert_int_eq(t.begins, 1);
    ck_assert_int_eq(t.bodies, 1);
    help_end(&t, "", 1);
}
END_TEST

START_TEST(a_dropped_body_leaves_no_trace)
{
    struct transcript t = {.drop = true};
    const char *wire = "* 1 FETCH (BODY[] {5}\r\nhello UID 4)\r\n* OK\r\n";

    run_transcript(&t, wire, strlen(wire), "", 2);
    ck_assert_int_eq(t.bodies, 0);
}
END_TEST

START_TEST(a_whole_response_is_handed_out_in_place)
{
    const char wire[] = "* 1 FETCH (ENVELOPE ({5}\r\nhello))\r\n* OK\r\n";
    struct imap_frame frame;
    size_t used;

    imap_frame_init(&frame, LIMIT);
    ck_assert_int_eq(imap_frame_feed(&frame, wire, strlen(wire), &used), IMAP_FRAME_RESPONSE);
    ck_assert_ptr_eq(frame.bytes.data, wire);
    ck_assert_uint_eq(frame.bytes.len, 33);
    ck_assert_uint_eq(used, 35);
    ck_assert_ptr_null(frame.partial.data);
    imap_frame_fini(&frame);
}
END_TEST

static enum imap_frame_event feed_one(struct imap_frame *frame, const char *wire)
{
    size_t used;

    return imap_frame_feed(frame, wire, strlen(wire), &used);
}

START_TEST(the_limit_holds_for_lines_and_literals)
{
    const char *too_long[] = {
        "* X 345678901234567\n",         "* X 34567890123456",       "* X {6}\r\n", "* X {4}\r\n1234567",
        "* X {9223372036854775807}\r\n", "* 1 FETCH (BODY[] {1}\r\n"};
    struct imap_frame frame;

    for (size_t i = 0; i < sizeof(too_long) / sizeof(*too_long); i++) {
        imap_frame_init(&frame, 14);
        ck_assert_msg(feed_one(&frame, too_long[i]) == IMAP_FRAME_LIMIT, "%s", too_long[i]);
        ck_assert_int_eq(feed_one(&frame, "\r\n* OK\r\n"), IMAP_FRAME_LIMIT);
        imap_frame_fini(&frame);
    }
    imap_frame_init(&frame, 14);
    ck_assert_int_eq(feed_one(&frame, "* X 345678901\n"), IMAP_FRAME_RESPONSE);
    ck_assert_int_eq(feed_one(&frame, "* X {3}\r\n123\r\n"), IMAP_FRAME_RESPONSE);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(the_limit_holds_however_the_input_is_cut)
{
    struct imap_frame frame;
    enum imap_frame_event event = IMAP_FRAME_MORE;
    int fed = 0;

    imap_frame_init(&frame, 100);
    for (; fed < 1000 && event == IMAP_FRAME_MORE; fed++)
        event = feed_one(&frame, "x");
    ck_assert_int_eq(event, IMAP_FRAME_LIMIT);
    ck_assert_int_eq(fed, 101);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(a_huge_literal_streams_without_memory)
{
    struct imap_frame frame;

    imap_frame_init(&frame, 1000);
    ck_assert_int_eq(feed_one(&frame, "* 1 FETCH (BODY[] {9223372036854775807}\r\n"), IMAP_FRAME_LITERAL);
    ck_assert_uint_eq(frame.literal_size, INT64_MAX);
    ck_assert(!imap_frame_buffer(&frame));
    imap_frame_stream(&frame);
    ck_assert_int_eq(feed_one(&frame, "abc"), IMAP_FRAME_DATA);
    ck_assert_uint_eq(frame.chunk_len, 3);
    ck_assert_uint_le(frame.partial.room, 1000);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(an_impossible_size_is_a_breach)
{
    const char *wires[] = {"* X {9223372036854775808}\r\n", "* X {99999999999999999999}\r\n",
                           "* 1 FETCH (BODY[] {18446744073709551616}\r\n"};
    struct imap_frame frame;

    for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
        imap_frame_init(&frame, LIMIT);
        ck_assert_int_eq(feed_one(&frame, wires[i]), IMAP_FRAME_BAD);
        ck_assert_int_eq(feed_one(&frame, "* OK\r\n"), IMAP_FRAME_BAD);
        imap_frame_fini(&frame);
    }
}
END_TEST

START_TEST(a_body_may_be_buffered)
{
    struct imap_frame frame;
    const char *wire = "* 1 FETCH (BODY[] {3}\r\nabc)\r\n";
    size_t used;

    imap_frame_init(&frame, LIMIT);
    ck_assert_int_eq(imap_frame_feed(&frame, wire, strlen(wire), &used), IMAP_FRAME_LITERAL);
    ck_assert_uint_eq(frame.bytes.streamed_count, 1);
    ck_assert_uint_eq(frame.bytes.streamed[0], frame.bytes.len);
    ck_assert(imap_frame_buffer(&frame));
    ck_assert_int_eq(feed_one(&frame, wire + used), IMAP_FRAME_RESPONSE);
    ck_assert_uint_eq(frame.bytes.streamed_count, 0);
    ck_assert_uint_eq(frame.bytes.len, strlen(wire) - 2);
    ck_assert_mem_eq(frame.bytes.data, wire, frame.bytes.len);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(endless_sections_are_not_quadratic)
{
    struct imap_frame frame;
    enum imap_frame_event event;
    int sections = 0;

    imap_frame_init(&frame, LIMIT);
    event = feed_one(&frame, "* 1 FETCH (BODY[] {1}\r\n");
    while (event == IMAP_FRAME_LITERAL) {
        sections++;
        imap_frame_drop(&frame);
        event = feed_one(&frame, "x BODY[] {1}\r\n");
    }
    ck_assert_int_eq(event, IMAP_FRAME_LIMIT);
    ck_assert_int_gt(sections, 100);
    ck_assert_int_lt(sections, 5000);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(memory_of_a_large_response_is_given_back)
{
    struct imap_frame frame;
    static char large[500000];

    memset(large, 'x', sizeof(large) - 1);
    imap_frame_init(&frame, LIMIT);
    ck_assert_int_eq(feed_one(&frame, "* X "), IMAP_FRAME_MORE);
    ck_assert_int_eq(feed_one(&frame, large), IMAP_FRAME_MORE);
    ck_assert_int_eq(feed_one(&frame, "\r\n"), IMAP_FRAME_RESPONSE);
    ck_assert_uint_gt(frame.partial.room, 400000);
    ck_assert_int_eq(feed_one(&frame, ""), IMAP_FRAME_MORE);
    ck_assert_uint_lt(frame.partial.room, 100000);
    imap_frame_fini(&frame);
}
END_TEST

START_TEST(idle_only_between_responses)
{
    struct imap_frame frame;

    imap_frame_init(&frame, LIMIT);
    ck_assert(imap_frame_idle(&frame));
    ck_assert_int_eq(feed_one(&frame, "* O"), IMAP_FRAME_MORE);
    ck_assert(!imap_frame_idle(&frame));
    ck_assert_int_eq(feed_one(&frame, "K\r\n"), IMAP_FRAME_RESPONSE);
    ck_assert(imap_frame_idle(&frame));
    ck_assert_int_eq(feed_one(&frame, "* 1 FETCH (BODY[] {3}\r\n"), IMAP_FRAME_LITERAL);
    imap_frame_stream(&frame);
    ck_assert(!imap_frame_idle(&frame));
    imap_frame_fini(&frame);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {lines_are_responses,
                            bare_lf_ends_a_line_and_bare_cr_does_not,
                            blank_lines_are_nothing,
                            literals_are_gathered,
                            what_a_literal_holds_is_not_looked_at,
                            status_text_holds_no_literals,
                            braces_within_a_word_are_text,
                            body_sections_stream,
                            every_kind_of_section_streams,
                            only_the_section_itself_streams,
                            an_empty_body_begins_and_ends,
                            a_dropped_body_leaves_no_trace,
                            a_whole_response_is_handed_out_in_place,
                            the_limit_holds_for_lines_and_literals,
                            the_limit_holds_however_the_input_is_cut,
                            a_huge_literal_streams_without_memory,
                            an_impossible_size_is_a_breach,
                            a_body_may_be_buffered,
                            endless_sections_are_not_quadratic,
                            memory_of_a_large_response_is_given_back,
                            idle_only_between_responses,
                            NULL};

    return run_tests("frame", tests);
}
