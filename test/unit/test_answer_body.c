/* SPDX-License-Identifier: MIT */
/* Bodies that go straight from the line into an answer: whole, in their place, under the cap. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_build.h"
#include "imap/session.h"
#include "parse_help.h"

struct world {
    struct imap_session *session;
    struct imap_answer *answer;
    bool ended;
};

static void on_response(void *arg, const struct imap_response *response)
{
    struct world *world = arg;
    imap_answer_add(world->answer, response);
}

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    (void)so_far;
    return imap_answer_body_begin(((struct world *)arg)->answer, section->size);
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    imap_answer_body_data(((struct world *)arg)->answer, data, len);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct world *world = arg;
    imap_answer_finish(world->answer, result);
    world->ended = true;
}

static void send_all(struct world *world)
{
    size_t len;
    while (imap_session_pull(world->session, &len) && len > 0)
        imap_session_sent(world->session, len);
}

static void feed(struct world *world, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1); /* of the exact size, for the sanitizer */
    memcpy(copy, data, len);
    ck_assert_int_eq(imap_session_feed(world->session, copy, len, NULL), IMAP_OK);
    free(copy);
    send_all(world);
}

static void say(struct world *world, const char *text)
{
    feed(world, text, strlen(text));
}

/* In a mailbox of 100, with a FETCH under way whose tag is *tag_out. */
static void start(struct world *world, size_t cap, char tag_out[16])
{
    static const struct imap_session_events events = {0};
    static const struct imap_command_events to_answer = {
        .response = on_response, .body_begin = on_body_begin, .body_data = on_body_data, .done = on_done};
    char line[64];
    size_t len;

    *world = (struct world){.session = imap_session_new(&events, NULL, NULL), .answer = imap_answer_new(cap)};
    say(world, "* PREAUTH hello\r\n");
    imap_session_submit(world->session, imap_command_new("EXAMINE"), NULL);
    const char *sent = imap_session_pull(world->session, &len);
    snprintf(line, sizeof line, "* 100 EXISTS\r\n%.*s OK done\r\n", (int)strcspn(sent, " "), sent);
    send_all(world);
    say(world, line);
    struct imap_command *fetch = imap_command_new("FETCH");
    imap_command_raw(fetch, "1:* BODY[]");
    imap_command_on(fetch, &to_answer, world);
    imap_session_submit(world->session, fetch, NULL);
    sent = imap_session_pull(world->session, &len);
    ck_assert_ptr_nonnull(sent);
    snprintf(tag_out, 16, "%.*s", (int)strcspn(sent, " "), sent);
    send_all(world);
}

static void finish(struct world *world, const char *tag, enum imap_status status)
{
    char line[64];
    snprintf(line, sizeof line, "%s OK done\r\n", tag);
    say(world, line);
    ck_assert(world->ended);
    ck_assert_int_eq(imap_answer_status(world->answer), status);
}

static void end(struct world *world)
{
    imap_session_free(&world->session);
    imap_answer_unref(&world->answer);
}

static const struct imap_section *section_of(const struct imap_answer *answer, uint32_t uid, const char *spec)
{
    const struct imap_fetch *message = imap_answer_message(answer, uid);
    ck_assert_ptr_nonnull(message);
    const struct imap_section *section = imap_fetch_section(message, IMAP_SECTION_BODY, spec);
    ck_assert_ptr_nonnull(section);
    return section;
}

static void expect(const struct imap_answer *answer, uint32_t uid, const char *spec, const char *data,
                   size_t len)
{
    const struct imap_section *section = section_of(answer, uid, spec);
    ck_assert(!section->streamed);
    ck_assert_uint_eq(section->size, len);
    ck_assert_mem_eq(section->data, data, len + 1); /* and the NUL behind */
}

START_TEST(every_section_gets_its_own)
{
    static const char wire[] =
        "* 1 FETCH (UID 7 BODY[HEADER] {3}\r\nA\0B BODY[TEXT] \"quoted\" BODY[1] {0}\r\n "
        "BODY[2] {5}\r\n){3}\r)\r\n"
        "* 2 FETCH (BODY[] {2}\r\nxy UID 9)\r\n";
    const size_t len = sizeof wire - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct world world;
        char tag[16];
        start(&world, 1 << 20, tag);
        feed(&world, wire, cut);
        feed(&world, wire + cut, len - cut);
        finish(&world, tag, IMAP_OK);
        expect(world.answer, 7, "HEADER", "A\0B", 3);
        expect(world.answer, 7, "TEXT", "quoted", 6);
        expect(world.answer, 7, "1", "", 0);
        expect(world.answer, 7, "2", "){3}\r", 5);
        expect(world.answer, 9, "", "xy", 2);
        end(&world);
    }
}
END_TEST

START_TEST(the_tree_of_values_has_them_too)
{
    struct world world;
    char tag[16];
    start(&world, 1 << 20, tag);
    say(&world, "* 1 FETCH (BODY[] {2}\r\nxy UID 9)\r\n");
    finish(&world, tag, IMAP_OK);
    const struct imap_response *response = imap_answer_next(world.answer, IMAP_RESP_FETCH, NULL);
    const struct imap_value *value = response->values->child->child->next;
    ck_assert_int_eq(value->kind, IMAP_VALUE_STRING);
    ck_assert_uint_eq(value->len, 2);
    ck_assert_str_eq(value->str, "xy");
    end(&world);
}
END_TEST

/* Enough for slabs, and of sizes around all borders. */
START_TEST(many_and_large_ones_are_whole)
{
    static const size_t sizes[] = {100,     32767,   32768,   32769,   1048575, 1048576, 1048577,
                                   3000000, 5000000, 2097152, 2097000, 2097128, 2097127, 20000000};
    const size_t count = sizeof sizes / sizeof *sizes;
    char *text = malloc(20000001);
    struct world world;
    char tag[16], line[64];

    for (size_t i = 0; i < 20000000; i++)
        text[i] = (char)(i * 31 + (i >> 8));
    text[20000000] = '\0';
    start(&world, (size_t)1 << 30, tag);
    for (size_t i = 0; i < 4 * count; i++) {
        size_t size = sizes[i % count];
        snprintf(line, sizeof line, "* %zu FETCH (UID %zu BODY[] {%zu}\r\n", i + 1, i + 1, size);
        say(&world, line);
        for (size_t at = 0; at < size; at += 131072)
            feed(&world, text + 20000000 - size + at, size - at < 131072 ? size - at : 131072);
        say(&world, ")\r\n");
    }
    finish(&world, tag, IMAP_OK);
    ck_assert_uint_gt(imap_answer_bytes(world.answer), (size_t)4 * 20000000);
    for (size_t i = 0; i < 4 * count; i++)
        expect(world.answer, (uint32_t)i + 1, "", text + 20000000 - sizes[i % count], sizes[i % count]);
    end(&world);
    free(text);
}
END_TEST

START_TEST(what_is_over_the_cap_is_dropped_and_told)
{
    struct world world;
    char tag[16];
    start(&world, 50000, tag);
    say(&world, "* 1 FETCH (UID 1 BODY[] {2}\r\nxy)\r\n* 2 FETCH (UID 2 BODY[] {60000}\r\n");
    for (int i = 0; i < 60; i++) {
        char text[1000];
        memset(text, 'x', sizeof text);
        feed(&world, text, sizeof text);
    }
    say(&world, ")\r\n* 3 FETCH (UID 3 BODY[] {2}\r\nxy)\r\n");
    finish(&world, tag, IMAP_LIMIT);
    expect(world.answer, 1, "", "xy", 2);
    ck_assert_ptr_null(imap_answer_message(world.answer, 2));
    ck_assert_ptr_null(imap_answer_message(world.answer, 3));
    ck_assert_uint_lt(imap_answer_bytes(world.answer), 50000);
    end(&world);
}
END_TEST

/* Nothing is shown of a body of which not all has come. */
START_TEST(a_body_that_breaks_off_is_no_body)
{
    struct world world;
    char tag[16];
    start(&world, (size_t)1 << 30, tag);
    say(&world, "* 1 FETCH (UID 1 BODY[] {900000000}\r\nabc");
    imap_session_lost(world.session, &(struct imap_error){.status = IMAP_AGAIN, .text = "lost"});
    ck_assert(world.ended);
    ck_assert_int_eq(imap_answer_status(world.answer), IMAP_AGAIN);
    ck_assert_uint_eq(imap_answer_count(world.answer), 0);
    end(&world);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {every_section_gets_its_own,        the_tree_of_values_has_them_too,
                            many_and_large_ones_are_whole,     what_is_over_the_cap_is_dropped_and_told,
                            a_body_that_breaks_off_is_no_body, NULL};
    return run_tests("answer_body", tests);
}
