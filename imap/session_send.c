/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "session_internal.h"

/* Literals up to this size are shown in the trace when they are text. */
#define SHOWN_LITERAL_MAX 1000
#define LITERAL_MINUS_MAX 4096 /* RFC 7888 5 */
#define SOURCE_PIECE ((size_t)65536)

/* ---- output ------------------------------------------------------------------------------------- */

void imap_output_fini(struct imap_output *output)
{
    if (output->data)
        explicit_bzero(output->data, output->room);
    free(output->data);
    *output = (struct imap_output){0};
}

uint64_t imap_output_sent(const struct imap_output *output)
{
    return output->written - (output->end - output->begin);
}

/* realloc would leave a copy of the secrets behind. */
static void make_room(struct imap_output *output, size_t more)
{
    if (output->room - output->end >= more)
        return;
    size_t used = output->end - output->begin, room = output->room ? output->room : 4096;
    while (room - used < more) {
        if (room > SIZE_MAX / 2)
            abort();
        room *= 2;
    }
    char *data = imap_xmalloc(room);
    if (output->data) {
        memcpy(data, output->data + output->begin, used);
        explicit_bzero(output->data, output->room);
        free(output->data);
    }
    output->data = data;
    output->room = room;
    output->begin = 0;
    output->end = used;
}

static void append(struct imap_output *output, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    make_room(output, len);
    memcpy(output->data + output->end, bytes, len);
    output->end += len;
    output->written += len;
}

void imap_session_sent(struct imap_session *session, size_t n)
{
    struct imap_output *output = &session->output;
    if (n > output->end - output->begin)
        n = output->end - output->begin;
    output->begin += n;
    if (output->begin < output->end)
        return;
    if (output->secret)
        explicit_bzero(output->data, output->end);
    output->secret = false;
    output->begin = output->end = 0;
}

/* ---- writing commands --------------------------------------------------------------------------- */

static void write_text(struct imap_session *session, const char *text, size_t len)
{
    append(&session->output, text, len);
    imap_session_trace_add(session, text, len);
}

static void write_secret(struct imap_session *session, const char *secret, size_t len)
{
    append(&session->output, secret, len);
    session->output.secret = true;
    imap_session_trace_add(session, "***", 3);
}

static void end_line(struct imap_session *session)
{
    append(&session->output, "\r\n", 2);
    imap_session_trace_end(session, IMAP_TRACE_CLIENT);
}

static bool is_literal_minus(const struct imap_session *session, uint64_t len)
{
    return imap_caps_has(&session->caps, IMAP_CAP_LITERAL_MINUS) && len <= LITERAL_MINUS_MAX;
}

/* A message goes as UTF8 (~{n} ...) (RFC 6855 4). */
static bool wraps(const struct imap_session *session, const struct imap_segment *segment)
{
    return segment->message && imap_caps_has(&session->enabled, IMAP_CAP_UTF8_ACCEPT);
}

/* True when the server must say "+" first. */
static bool announce_literal(struct imap_session *session, const struct imap_segment *segment)
{
    const struct imap_caps *caps = &session->caps;
    bool at_once = imap_caps_has(caps, IMAP_CAP_LITERAL_PLUS) || is_literal_minus(session, segment->len);
    bool literal8 = segment->literal8 || wraps(session, segment);
    if (literal8 && !imap_caps_has(caps, IMAP_CAP_BINARY))
        at_once = false; /* RFC 7888 6 */
    char text[40];
    int text_len = snprintf(text, sizeof text, "%s%s{%" PRIu64 "%s}", wraps(session, segment) ? "UTF8 (" : "",
                            literal8 ? "~" : "", segment->len, at_once ? "+" : "");
    write_text(session, text, (size_t)text_len);
    end_line(session);
    return !at_once;
}

static bool is_showable(const char *bytes, size_t len)
{
    if (len > SHOWN_LITERAL_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
            return false;
    return true;
}

static void trace_size(struct imap_session *session, uint64_t len)
{
    char text[32];
    int text_len = snprintf(text, sizeof text, "{%" PRIu64 "}", len);
    imap_session_trace_add(session, text, (size_t)text_len);
}

static void write_literal(struct imap_session *session, const char *bytes, size_t len)
{
    append(&session->output, bytes, len);
    if (is_showable(bytes, len))
        imap_session_trace_add(session, bytes, len);
    else
        trace_size(session, len);
}

static void write_quoted(struct imap_session *session, const char *str, size_t len)
{
    write_text(session, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (str[i] == '"' || str[i] == '\\')
            write_text(session, "\\", 1);
        write_text(session, str + i, 1);
    }
    write_text(session, "\"", 1);
}

/* Those that follow a literal's announcement. True when they are all written. */
static bool write_literal_bytes(struct imap_session *session, const struct imap_command *command,
                                const struct imap_segment *segment)
{
    const char *bytes = command->bytes + command->bytes_next;
    if (segment->kind == IMAP_SEGMENT_SECRET_LITERAL) {
        write_secret(session, bytes, segment->len);
    } else if (segment->kind == IMAP_SEGMENT_LITERAL) {
        write_literal(session, bytes, segment->len);
    } else if (command->source_left > 0) {
        session->streaming = true;
        return false;
    } else {
        trace_size(session, segment->len);
        if (wraps(session, segment))
            write_text(session, ")", 1);
    }
    return true;
}

/* True when the whole segment is written, false when it waits for "+" or for its source. */
static bool write_segment(struct imap_session *session, struct imap_command *command,
                          const struct imap_segment *segment)
{
    const char *bytes = command->bytes + command->bytes_next;
    if (segment->kind == IMAP_SEGMENT_TEXT) {
        write_text(session, bytes, segment->len);
    } else if (segment->kind == IMAP_SEGMENT_SECRET) {
        write_secret(session, bytes, segment->len);
    } else if (segment->quotable && imap_session_utf8(session)) {
        write_quoted(session, bytes, segment->len);
    } else {
        bool announced = command->announced;
        command->announced = true;
        if (!announced)
            command->source_left = segment->kind == IMAP_SEGMENT_SOURCE ? segment->len : 0;
        if (!announced && announce_literal(session, segment))
            return false;
        return write_literal_bytes(session, command, segment);
    }
    return true;
}

static void write_segments(struct imap_session *session, struct imap_command *command)
{
    while (command->segment_next < command->segment_count) {
        const struct imap_segment *segment = &command->segments[command->segment_next];
        bool whole = write_segment(session, command, segment);
        command->end = session->output.written;
        if (!whole) {
            session->writing = command;
            return;
        }
        command->announced = false;
        if (segment->kind != IMAP_SEGMENT_SOURCE)
            command->bytes_next += segment->len;
        command->segment_next++;
    }
    end_line(session);
    command->complete = true;
    command->end = session->output.written;
    session->writing = NULL;
}

/* ---- sources ------------------------------------------------------------------------------------ */

static size_t piece(uint64_t left)
{
    return left < SOURCE_PIECE ? (size_t)left : SOURCE_PIECE;
}

/* Half a message must never be taken for a whole one, so the line has to go. */
static void fail_source(struct imap_session *session, ssize_t result)
{
    struct imap_error why;
    if (result == -ESTALE)
        imap_error_sys(&why, ESTALE, "what is to be sent has changed since it was measured");
    else if (result < 0 && result >= -4095)
        imap_error_sys(&why, (int)-result, "cannot read what is to be sent");
    else
        imap_error_sys(&why, EIO, "what is to be sent has not the size announced");
    imap_session_break_off(session, session->writing, &why);
}

static void write_source(struct imap_session *session)
{
    struct imap_command *command = session->writing;
    const struct imap_segment *segment = &command->segments[command->segment_next];
    struct imap_output *output = &session->output;
    size_t want = piece(command->source_left);
    make_room(output, want);
    ssize_t got = segment->next(segment->arg, output->data + output->end, want);
    if (got <= 0 || (size_t)got > want) {
        fail_source(session, got);
        return;
    }
    output->end += (size_t)got;
    output->written += (uint64_t)got;
    command->end = output->written;
    command->source_left -= (uint64_t)got;
    if (command->source_left > 0)
        return;
    session->streaming = false;
    write_segments(session, command);
}

/* The command was refused, but the server still waits for what it was promised, and for the line's end. */
static void write_owed(struct imap_session *session)
{
    struct imap_output *output = &session->output;
    size_t len = piece(session->owed);
    make_room(output, len);
    memset(output->data + output->end, ' ', len);
    output->end += len;
    output->written += len;
    session->owed -= len;
    if (session->owed > 0)
        return;
    trace_size(session, session->owed_size);
    end_line(session);
}

void imap_session_refill(struct imap_session *session)
{
    bool alive = session->state != IMAP_STATE_DEAD && session->state != IMAP_STATE_LOGOUT;
    if (!alive || session->output.begin < session->output.end)
        return;
    if (session->streaming)
        write_source(session);
    else if (session->owed > 0)
        write_owed(session);
}

void imap_session_note_refusal(struct imap_session *session, const struct imap_command *command)
{
    if (!session->streaming || session->writing != command)
        return;
    session->owed = command->source_left;
    session->owed_size = command->segments[command->segment_next].len;
}

/* ---- whole commands ----------------------------------------------------------------------------- */

static void prepare(struct imap_session *session, struct imap_command *command)
{
    switch (command->verb->effect) {
    case IMAP_EFFECT_SELECT:
        /* whatever the answer, the old mailbox is no longer selected (RFC 3501 6.3.1) */
        imap_session_leave_mailbox(session);
        session->state = IMAP_STATE_AUTHENTICATED;
        if (command->mailbox)
            session->selected_name = imap_xstrndup(command->mailbox, command->mailbox_len);
        else
            session->selected_name = imap_xstrdup("");
        session->selected.name = session->selected_name;
        break;
    case IMAP_EFFECT_AUTHENTICATE:
        session->caps_renewed = false;
        break;
    case IMAP_EFFECT_IDLE:
        session->idle = command;
        session->idle_begun = session->idle_enough = session->idle_ended = false;
        break;
    case IMAP_EFFECT_NONE:
    case IMAP_EFFECT_UNAUTHENTICATE:
    case IMAP_EFFECT_STARTTLS:
    case IMAP_EFFECT_COMPRESS:
    case IMAP_EFFECT_ENABLE:
    case IMAP_EFFECT_NOTIFY:
    case IMAP_EFFECT_DESELECT:
    case IMAP_EFFECT_LOGOUT:
        break;
    }
}

void imap_session_write(struct imap_session *session, struct imap_command *command)
{
    char tag[16];
    prepare(session, command);
    if (++session->last_number == 0)
        session->last_number = 1;
    command->number = session->last_number;
    command->begin = session->output.written;
    /* a letter first: there are servers that refuse tags that begin with a digit */
    int len = snprintf(tag, sizeof tag, "a%u ", (unsigned)command->number);
    write_text(session, tag, (size_t)len);
    write_segments(session, command);
}

void imap_session_write_on(struct imap_session *session)
{
    write_segments(session, session->writing);
}

void imap_session_write_done(struct imap_session *session)
{
    session->idle_ended = true;
    write_text(session, "DONE", 4);
    end_line(session);
}

void imap_session_continue(struct imap_session *session, const char *line, size_t len)
{
    struct imap_command *command = session->flight.first;
    if (!session->challenged || !command)
        return;
    session->challenged = false;
    if (memchr(line, '\r', len) || memchr(line, '\n', len) || memchr(line, '\0', len)) {
        line = "*"; /* such an answer would be two */
        len = 1;
    }
    write_secret(session, line, len);
    end_line(session);
    command->end = session->output.written;
}
