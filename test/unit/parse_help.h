/* SPDX-License-Identifier: MIT */
/*
 * parse_help: runs what a server sends through the framer and the parser, whole and cut at every byte.
 *
 * The same check must hold for every cut. Pieces are copied to memory of their exact size, so that
 * the sanitizer sees every byte read too far.
 */
#ifndef PARSE_HELP_H
#define PARSE_HELP_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "resp.h"

#define LIMIT (1024 * 1024)
#define DEPTH 64

struct transcript {
    void (*check)(const struct imap_response *response, int index);
    bool drop; /* streamed literals are not wanted */
    int responses;
    enum imap_status status; /* of the last response */
    char body[4096];         /* of all streamed literals, in a row */
    size_t body_len;
    int bodies, begins;
    struct imap_frame frame;
    struct imap_arena arena;
};

static inline void help_literal(struct transcript *t)
{
    const struct imap_section *pending;
    struct imap_response response;

    imap_arena_reset(&t->arena);
    ck_assert_int_eq(imap_resp_parse_pending(&t->frame.bytes, DEPTH, &t->arena, &response, &pending, NULL),
                     IMAP_OK);
    t->begins++;
    if (!pending) {
        ck_assert(imap_frame_buffer(&t->frame));
    } else {
        ck_assert_uint_eq(pending->size, t->frame.literal_size);
        ck_assert(pending->streamed);
        if (t->drop)
            imap_frame_drop(&t->frame);
        else
            imap_frame_stream(&t->frame);
    }
}

/* What a response keeps of its bytes suffices to read it again. */
static inline void help_again(const struct imap_response *response)
{
    struct imap_bytes bytes = {response->raw, response->raw_len, response->streamed,
                               response->streamed_count};
    struct imap_response again;
    struct imap_arena arena;

    imap_arena_init(&arena, IMAP_RESP_ARENA_CAP(LIMIT));
    ck_assert_int_eq(imap_resp_parse(&bytes, DEPTH, &arena, &again, NULL), IMAP_OK);
    ck_assert_int_eq(again.type, response->type);
    ck_assert_uint_eq(again.number, response->number);
    if (again.type == IMAP_RESP_FETCH) {
        ck_assert_uint_eq(again.fetch.has, response->fetch.has);
        ck_assert_uint_eq(again.fetch.uid, response->fetch.uid);
    }
    imap_arena_fini(&arena);
}

static inline void help_response(struct transcript *t)
{
    struct imap_response response;
    struct imap_error err = {0};

    imap_arena_reset(&t->arena);
    t->status = imap_resp_parse(&t->frame.bytes, DEPTH, &t->arena, &response, &err);
    ck_assert_int_eq(err.status, t->status);
    if (t->status == IMAP_OK)
        help_again(&response);
    if (t->status == IMAP_OK && t->check)
        t->check(&response, t->responses);
    t->responses++;
}

static inline void help_feed(struct transcript *t, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    size_t at = 0, used;
    enum imap_frame_event event;

    memcpy(copy, data, len);
    while ((event = imap_frame_feed(&t->frame, copy + at, len - at, &used)) != IMAP_FRAME_MORE) {
        at += used;
        switch (event) {
        case IMAP_FRAME_LITERAL:
            help_literal(t);
            break;
        case IMAP_FRAME_RESPONSE:
            help_response(t);
            break;
        case IMAP_FRAME_DATA:
            ck_assert_uint_le(t->frame.chunk_len, sizeof(t->body) - t->body_len);
            ck_assert_uint_gt(t->frame.chunk_len, 0);
            memcpy(t->body + t->body_len, t->frame.chunk, t->frame.chunk_len);
            t->body_len += t->frame.chunk_len;
            break;
        case IMAP_FRAME_DATA_END:
            t->bodies++;
            break;
        default:
            ck_abort_msg("the stream broke: %d", event);
        }
    }
    ck_assert_uint_eq(at + used, len);
    free(copy);
}

static inline void help_start(struct transcript *t)
{
    t->responses = t->bodies = t->begins = 0;
    t->body_len = 0;
    imap_frame_init(&t->frame, LIMIT);
    imap_arena_init(&t->arena, IMAP_RESP_ARENA_CAP(LIMIT));
}

static inline void help_end(struct transcript *t, const char *body, int responses)
{
    ck_assert(imap_frame_idle(&t->frame));
    ck_assert_int_eq(t->responses, responses);
    ck_assert_uint_eq(t->body_len, strlen(body));
    ck_assert_mem_eq(t->body, body, t->body_len);
    imap_frame_fini(&t->frame);
    imap_arena_fini(&t->arena);
}

/* body: what all streamed literals must amount to. */
static inline void run_transcript(struct transcript *t, const char *wire, size_t len, const char *body,
                                  int responses)
{
    for (size_t cut = 0; cut <= len; cut++) {
        help_start(t);
        help_feed(t, wire, cut);
        help_feed(t, wire + cut, len - cut);
        help_end(t, body, responses);
    }
    help_start(t);
    for (size_t i = 0; i < len; i++)
        help_feed(t, wire + i, 1);
    help_end(t, body, responses);
}

/* One response (without its CRLF) that must parse. */
static inline void run_one(const char *text, void (*check)(const struct imap_response *, int))
{
    struct transcript t = {.check = check};
    size_t len = strlen(text);
    char *wire = malloc(len + 3);

    memcpy(wire, text, len);
    memcpy(wire + len, "\r\n", 3);
    run_transcript(&t, wire, len + 2, "", 1);
    ck_assert_int_eq(t.status, IMAP_OK);
    free(wire);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* main of a program that has one list of tests, which NULL ends */
static inline int run_tests(const char *name, const TTest **tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);

    tcase_set_timeout(cases, 60); /* under TSan, on a busy machine */

    for (; *tests; tests++)
        tcase_add_test(cases, *tests);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

#define assert_text(text, expected)                                                                          \
    do {                                                                                                     \
        ck_assert_ptr_nonnull(text);                                                                         \
        ck_assert_str_eq(text, expected);                                                                    \
    } while (0)

#endif
