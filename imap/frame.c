/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. Between two calls every byte of the response begun is in `partial`, scanned; what of it belongs to a
 *    literal that was streamed or dropped is not there, but its place is in `streamed`.
 * 2. While IN_LINE, all of `partial` behind its last line end or literal has no line end in it.
 * 3. `partial` never exceeds `limit`; nothing is allocated for what is only announced.
 */
#include "frame.h"

#include <string.h>
#include <strings.h>

#define KEEP_BYTES 65536
#define STREAMED_MAX 4096 /* sections of one response; a client asks for a handful */
#define DIGITS_MAX 19     /* of 2^63-1 */
#define HEAD_MAX 64       /* the words that tell a response's kind are found in here, at every line end */

void imap_frame_init(struct imap_frame *frame, size_t limit)
{
    if (limit > UINT32_MAX)
        limit = UINT32_MAX; /* values count their bytes in 32 bits */
    *frame = (struct imap_frame){.limit = limit};
    imap_buf_init(&frame->partial, limit);
    imap_buf_init(&frame->streamed, STREAMED_MAX * sizeof(size_t));
}

void imap_frame_fini(struct imap_frame *frame)
{
    imap_buf_fini(&frame->partial);
    imap_buf_fini(&frame->streamed);
}

bool imap_frame_idle(const struct imap_frame *frame)
{
    return frame->state == IMAP_FRAME_ENDED ||
           (frame->state == IMAP_FRAME_IN_LINE && frame->partial.len == 0);
}

static enum imap_frame_event fail(struct imap_frame *frame, enum imap_frame_event event)
{
    frame->state = IMAP_FRAME_BROKEN;
    frame->broken = event;
    return event;
}

/* ---- what a line end means --------------------------------------------------------------------- */

static bool is_word(const char *at, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(at, word, len) == 0;
}

static size_t word_length(const char *at, const char *end)
{
    const char *start = at;

    while (at < end && (unsigned char)*at > ' ' && *at != '(' && *at != ')')
        at++;
    return (size_t)(at - start);
}

static bool is_status(const char *at, const char *end)
{
    static const char *const words[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    size_t len = word_length(at, end);

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (is_word(at, len, words[i]))
            return true;
    return false;
}

static const char *head_end(const char *data, size_t len)
{
    return data + (len < HEAD_MAX ? len : HEAD_MAX);
}

static const char *after_star(const char *data, const char *end)
{
    const char *at = data + 1;

    while (at < end && *at == ' ')
        at++;
    return at;
}

/* Tagged responses are status responses, and human text may end in "{5}". */
static bool may_hold_literals(const char *data, size_t len)
{
    const char *end = head_end(data, len), *at;

    if (len == 0 || data[0] != '*')
        return false;
    at = after_star(data, end);
    return at < end && *at != '[' && !is_status(at, end);
}

static bool is_fetch(const char *data, size_t len)
{
    const char *end = head_end(data, len), *at = after_star(data, end);
    size_t word = word_length(at, end);

    at += word;
    while (at < end && *at == ' ')
        at++;
    word = word_length(at, end);
    return is_word(at, word, "FETCH") || is_word(at, word, "UIDFETCH");
}

static bool ends_with(const char *data, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    return len >= word_len && strncasecmp(data + len - word_len, word, word_len) == 0;
}

/* Whether what precedes a literal can be the name of a body section. The parser has the last word. */
static bool names_section(const char *data, size_t len)
{
    while (len > 0 && data[len - 1] == ' ')
        len--;
    if (len == 0)
        return false;
    return data[len - 1] == ']' || data[len - 1] == '>' || ends_with(data, len, "RFC822") ||
           ends_with(data, len, "RFC822.TEXT") || ends_with(data, len, "RFC822.HEADER");
}

enum announcement { NOTHING, LITERAL, TOO_BIG };

/* data[0..len) ends in a line end. *before_out: how much of it precedes the announcement. */
static enum announcement find_announcement(struct imap_frame *frame, const char *data, size_t len,
                                           size_t *before_out)
{
    size_t at = len - 1, digits_end;
    uint64_t size = 0;

    if (at > 0 && data[at - 1] == '\r')
        at--;
    if (at < 3 || data[--at] != '}')
        return NOTHING;
    if (data[at - 1] == '+')
        at--;
    digits_end = at;
    while (at > 0 && data[at - 1] >= '0' && data[at - 1] <= '9')
        at--;
    if (at == digits_end || at < 2 || data[at - 1] != '{')
        return NOTHING;
    *before_out = at - 1;
    frame->literal8 = data[at - 2] == '~';
    if (frame->literal8)
        (*before_out)--;
    if (*before_out == 0 || !strchr(" (]>", data[*before_out - 1]))
        return NOTHING;
    while (at < digits_end && data[at] == '0')
        at++;
    if (digits_end - at > DIGITS_MAX)
        return TOO_BIG;
    for (; at < digits_end; at++)
        size = size * 10 + (uint64_t)(data[at] - '0');
    frame->literal_size = size;
    return size > INT64_MAX ? TOO_BIG : LITERAL;
}

/* ---- the events -------------------------------------------------------------------------------- */

static void show(struct imap_frame *frame, const char *data, size_t len)
{
    /* Realloc's alignment suits size_t. */
    frame->bytes = (struct imap_bytes){.data = data,
                                       .len = len,
                                       .streamed = (const size_t *)(const void *)frame->streamed.data,
                                       .streamed_count = frame->streamed.len / sizeof(size_t)};
}

static void start_response(struct imap_frame *frame)
{
    imap_buf_clear(&frame->partial, KEEP_BYTES);
    imap_buf_clear(&frame->streamed, KEEP_BYTES);
    frame->asked = 0;
    frame->state = IMAP_FRAME_IN_LINE;
}

static enum imap_frame_event ask(struct imap_frame *frame)
{
    size_t len = frame->partial.len;

    /* Every announcement has its caller parse all that came before: bounded, not quadratic. */
    frame->asked += len;
    if (frame->asked > frame->limit || !imap_buf_append(&frame->streamed, &len, sizeof(len)))
        return fail(frame, IMAP_FRAME_LIMIT);
    show(frame, frame->partial.data, len);
    frame->state = IMAP_FRAME_ASKING;
    return IMAP_FRAME_LITERAL;
}

static enum imap_frame_event gather(struct imap_frame *frame, size_t have)
{
    if (frame->literal_size > frame->limit - have)
        return fail(frame, IMAP_FRAME_LIMIT);
    frame->remaining = frame->literal_size;
    frame->state = frame->remaining ? IMAP_FRAME_IN_BUFFERED : IMAP_FRAME_IN_LINE;
    return IMAP_FRAME_MORE;
}

static enum imap_frame_event end_response(struct imap_frame *frame, const char *data, size_t len)
{
    len--;
    if (len > 0 && data[len - 1] == '\r')
        len--;
    show(frame, data, len);
    frame->state = IMAP_FRAME_ENDED;
    return IMAP_FRAME_RESPONSE;
}

static bool is_blank(const char *data, size_t len)
{
    return len == 1 || (len == 2 && data[0] == '\r');
}

/* data[0..len) is the response so far and a line end is its last byte. MORE: the response goes on. */
static enum imap_frame_event end_line(struct imap_frame *frame, const char *data, size_t len)
{
    enum announcement announcement = NOTHING;
    size_t before;

    if (len >= 4 && (data[len - 2] == '}' || data[len - 3] == '}') && may_hold_literals(data, len))
        announcement = find_announcement(frame, data, len, &before);
    if (announcement == TOO_BIG)
        return fail(frame, IMAP_FRAME_BAD);
    if (announcement == NOTHING)
        return end_response(frame, data, len);
    if (!names_section(data, before) || !is_fetch(data, len))
        return gather(frame, len);
    if (data != frame->partial.data && !imap_buf_append(&frame->partial, data, len))
        return fail(frame, IMAP_FRAME_LIMIT);
    return ask(frame);
}

static enum imap_frame_event feed_literal(struct imap_frame *frame, const char *data, size_t len,
                                          size_t *used_out)
{
    size_t take = frame->remaining < len ? (size_t)frame->remaining : len;
    bool streamed = frame->state == IMAP_FRAME_IN_STREAMED;

    *used_out = take;
    frame->remaining -= take;
    if (streamed && take > 0) {
        frame->chunk = data;
        frame->chunk_len = take;
        return IMAP_FRAME_DATA;
    }
    if (frame->remaining > 0)
        return IMAP_FRAME_MORE;
    frame->state = IMAP_FRAME_IN_LINE;
    return streamed ? IMAP_FRAME_DATA_END : IMAP_FRAME_MORE;
}

/* Reads on where no literal passes by. A response begun earlier is continued in `partial`. */
static enum imap_frame_event feed_response(struct imap_frame *frame, const char *data, size_t len,
                                           size_t *used_out)
{
    size_t start = 0, at = 0; /* data[start..at) is scanned and not in partial */
    enum imap_frame_event event;

    while (at < len) {
        const char *line_end;

        if (frame->state == IMAP_FRAME_IN_BUFFERED) {
            size_t take = frame->remaining < len - at ? (size_t)frame->remaining : len - at;

            at += take;
            frame->remaining -= take;
            if (frame->remaining == 0)
                frame->state = IMAP_FRAME_IN_LINE;
            continue;
        }
        line_end = memchr(data + at, '\n', len - at);
        if (!line_end) {
            at = len;
            break;
        }
        at = (size_t)(line_end - data) + 1;
        if (frame->partial.len == 0 && is_blank(data + start, at - start)) {
            start = at;
            continue;
        }
        if (at - start > frame->limit - frame->partial.len)
            return fail(frame, IMAP_FRAME_LIMIT);
        if (frame->partial.len > 0) {
            if (!imap_buf_append(&frame->partial, data + start, at - start))
                return fail(frame, IMAP_FRAME_LIMIT);
            start = at;
            /* A CR at the end of one input and the LF at the start of the next. */
            if (is_blank(frame->partial.data, frame->partial.len)) {
                imap_buf_clear(&frame->partial, KEEP_BYTES);
                continue;
            }
            event = end_line(frame, frame->partial.data, frame->partial.len);
        } else {
            event = end_line(frame, data + start, at - start);
        }
        if (event != IMAP_FRAME_MORE) {
            *used_out = at;
            return event;
        }
    }
    *used_out = len;
    if (at > start && !imap_buf_append(&frame->partial, data + start, at - start))
        return fail(frame, IMAP_FRAME_LIMIT);
    return IMAP_FRAME_MORE;
}

enum imap_frame_event imap_frame_feed(struct imap_frame *frame, const char *data, size_t len,
                                      size_t *used_out)
{
    enum imap_frame_event event;
    size_t used = 0;

    *used_out = 0;
    if (frame->state == IMAP_FRAME_BROKEN)
        return frame->broken;
    if (frame->state == IMAP_FRAME_ASKING)
        imap_frame_drop(frame);
    if (frame->state == IMAP_FRAME_ENDED)
        start_response(frame);
    if (frame->state == IMAP_FRAME_IN_STREAMED || frame->state == IMAP_FRAME_IN_DROPPED) {
        event = feed_literal(frame, data, len, &used);
        *used_out = used;
        if (event != IMAP_FRAME_MORE || used == len)
            return event;
    }
    event = feed_response(frame, data + *used_out, len - *used_out, &used);
    *used_out += used;
    return event;
}

void imap_frame_stream(struct imap_frame *frame)
{
    frame->remaining = frame->literal_size;
    frame->state = IMAP_FRAME_IN_STREAMED;
}

void imap_frame_drop(struct imap_frame *frame)
{
    frame->remaining = frame->literal_size;
    frame->state = IMAP_FRAME_IN_DROPPED;
}

bool imap_frame_buffer(struct imap_frame *frame)
{
    if (frame->literal_size > frame->limit - frame->partial.len)
        return false;
    frame->streamed.len -= sizeof(size_t);
    frame->remaining = frame->literal_size;
    frame->state = frame->remaining ? IMAP_FRAME_IN_BUFFERED : IMAP_FRAME_IN_LINE;
    return true;
}
