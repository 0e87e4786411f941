/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "session_internal.h"

/* A line over the cap of the buffer is shown cut: the trace is for people. */
static void add_raw(struct imap_session *session, const char *bytes, size_t len)
{
    size_t room = session->line.cap - session->line.len;
    if (!imap_buf_append(&session->line, bytes, len < room ? len : room))
        return;
}

void imap_session_trace_add(struct imap_session *session, const char *bytes, size_t len)
{
    if (!session->events.trace)
        return;
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= ' ' && c != 0x7f)
            continue;
        char escaped[8];
        int escaped_len = snprintf(escaped, sizeof escaped, "\\x{%02x}", c);
        add_raw(session, bytes + plain, i - plain);
        add_raw(session, escaped, (size_t)escaped_len);
        plain = i + 1;
    }
    add_raw(session, bytes + plain, len - plain);
}

void imap_session_trace_end(struct imap_session *session, enum imap_trace_direction direction)
{
    if (!session->events.trace)
        return;
    session->events.trace(session->arg, direction, session->line.data ? session->line.data : "",
                          session->line.len);
    imap_buf_clear(&session->line, 4096);
}

/* ---- responses ---------------------------------------------------------------------------------- */

/* The size in "...{123}" (len bytes, without line end). */
static void announced_size(const char *line, size_t len, size_t *size_out)
{
    size_t size = 0, at = len;
    if (len < 3 || line[len - 1] != '}')
        return;
    while (at > 0 && line[at - 1] != '{')
        at--;
    for (size_t i = at; i < len - 1 && line[i] >= '0' && line[i] <= '9' && size < SIZE_MAX / 16; i++)
        size = size * 10 + (size_t)(line[i] - '0');
    *size_out = size;
}

static bool is_fetch(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && strchr("* 0123456789", data[at]) && data[at])
        at++;
    return len - at >= 5 &&
           (strncasecmp(data + at, "FETCH", 5) == 0 || strncasecmp(data + at, "UIDFE", 5) == 0);
}

static void add_literal(struct imap_session *session, const char *data, size_t len)
{
    const char *end = data + len, *line_end;
    while ((line_end = memmem(data, (size_t)(end - data), "\r\n", 2))) {
        imap_session_trace_add(session, data, (size_t)(line_end - data));
        imap_session_trace_end(session, IMAP_TRACE_SERVER);
        data = line_end + 2;
    }
    imap_session_trace_add(session, data, (size_t)(end - data));
}

/* What FETCH brings is people's mail: its literals are shown as {n} only, whether they were streamed or
 * not. Others (mailbox names) are shown on lines of their own, as they are on the wire. */
void imap_session_trace_response(struct imap_session *session, const struct imap_bytes *bytes)
{
    if (!session->events.trace)
        return;
    const char *at = bytes->data, *end = at + bytes->len, *line_end;
    bool elide = is_fetch(at, bytes->len);
    size_t streamed = 0;
    while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
        const char *line = at;
        size_t line_len = (size_t)(line_end - line), size = 0;
        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        imap_session_trace_add(session, line, line_len);
        at = line_end + 1;
        if (streamed < bytes->streamed_count && bytes->streamed[streamed] == (size_t)(at - bytes->data)) {
            streamed++;
            continue;
        }
        announced_size(line, line_len, &size);
        if (size > (size_t)(end - at))
            size = (size_t)(end - at);
        if (!elide) {
            imap_session_trace_end(session, IMAP_TRACE_SERVER);
            add_literal(session, at, size);
        }
        at += size;
    }
    imap_session_trace_add(session, at, (size_t)(end - at));
    imap_session_trace_end(session, IMAP_TRACE_SERVER);
}
