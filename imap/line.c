/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "mem.h"

#define BUFFER_SIZE ((size_t)256 * 1024)
#define FLUSH_MAX ((size_t)1024 * 1024) /* in one go, before the server is listened to again */

void imap_line_init(struct imap_line *line, const struct imap_endpoint *endpoint,
                    const struct imap_session_events *events, void *arg)
{
    imap_line_init_limited(line, endpoint, events, arg, NULL);
}

void imap_line_init_limited(struct imap_line *line, const struct imap_endpoint *endpoint,
                            const struct imap_session_events *events, void *arg,
                            const struct imap_limits *limits)
{
    *line = (struct imap_line){
        .session = imap_session_new(events, arg, limits),
        .endpoint = endpoint,
        .buffer = imap_xmalloc(BUFFER_SIZE),
    };
    if (endpoint->disable)
        imap_session_hide_caps(line->session, endpoint->disable);
}

void imap_line_fini(struct imap_line *line)
{
    if (line->session)
        imap_session_free(&line->session);
    if (line->transport)
        line->transport->ops->close(line->transport);
    line->transport = NULL;
    free(line->buffer);
    line->buffer = NULL;
}

void imap_line_note(struct imap_line *line, const struct imap_response *response)
{
    if (response->type != IMAP_RESP_BYE)
        return;
    line->bye = true;
    snprintf(line->bye_text, sizeof(line->bye_text), "%s", response->text.text);
}

/* The server's silence is only counted while it owes something, and from the moment that it does. */
static void update_due(struct imap_line *line, bool moved)
{
    const struct imap_session *session = line->session;
    bool due = imap_session_state(session) == IMAP_STATE_GREETING || line->unsent ||
               (imap_session_in_flight(session) > 0 && !imap_session_idling(session));

    if (due && (moved || !line->due))
        line->due_since = imap_net_now();
    line->due = due;
}

enum imap_status imap_line_flush(struct imap_line *line, struct imap_error *err)
{
    const void *data;
    size_t len, sent = 0;
    bool was_blocked = line->unsent;

    line->unsent = false;
    while ((data = imap_session_pull(line->session, &len)) != NULL && len > 0) {
        ssize_t n = line->transport->ops->write(line->transport, data, len, err);
        if (n == -2)
            return err->status;
        if (n < 0) {
            line->unsent = true;
            break;
        }
        imap_session_sent(line->session, (size_t)n);
        sent += (size_t)n;
        if (sent >= FLUSH_MAX) { /* a large message: the server may have refused it already */
            line->unsent = true;
            break;
        }
    }
    if (imap_session_state(line->session) == IMAP_STATE_DEAD) { /* the data of a command could not be had */
        *err = *imap_session_fate(line->session);
        return err->status;
    }
    /* Sending one more command to a dead server is no sign of life; draining a full buffer is. */
    update_due(line, sent > 0 && was_blocked);
    return IMAP_OK;
}

static unsigned patience(const struct imap_line *line)
{
    return line->patience_ms ? line->patience_ms : line->endpoint->timeout_ms;
}

void imap_line_be_patient(struct imap_line *line, unsigned patience_ms)
{
    line->patience_ms = patience_ms;
    line->due_since = imap_net_now();
}

static int64_t silence_deadline(const struct imap_line *line)
{
    return line->due ? line->due_since + (int64_t)patience(line) : IMAP_NET_FOREVER;
}

unsigned imap_line_wait(struct imap_line *line, int wake_fd, int cancel_fd, int64_t deadline_ms)
{
    const struct imap_transport *transport = line->transport;
    struct pollfd fds[4] = {
        {.fd = transport->read_fd, .events = transport->read_events},
        {.fd = line->unsent ? transport->write_fd : -1, .events = transport->write_events},
        {.fd = wake_fd, .events = POLLIN},
        {.fd = cancel_fd, .events = POLLIN},
    };
    int64_t silence = silence_deadline(line);

    if (transport->ops->buffered(transport))
        deadline_ms = 0;
    if (silence < deadline_ms)
        deadline_ms = silence;
    if (poll(fds, 4, imap_net_timeout(deadline_ms)) <= 0)
        return 0;
    return (fds[2].revents ? IMAP_LINE_WOKEN : 0) | (fds[3].revents ? IMAP_LINE_CANCELLED : 0);
}

static enum imap_status ended(const struct imap_line *line, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];

    imap_endpoint_text(line->endpoint, where);
    if (line->bye)
        return imap_error_set(err, IMAP_AGAIN, "%s closed the connection: %.100s", where, line->bye_text);
    return imap_error_set(err, IMAP_AGAIN, "%s closed the connection", where);
}

enum imap_status imap_line_receive(struct imap_line *line, struct imap_error *err)
{
    struct imap_transport *transport = line->transport;
    enum imap_status status = IMAP_OK;
    size_t len = 0;
    ssize_t n = 0;

    while (len < BUFFER_SIZE) {
        n = transport->ops->read(transport, line->buffer + len, BUFFER_SIZE - len, err);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (len > 0) {
        status = imap_session_feed(line->session, line->buffer, len, err);
        update_due(line, true);
        if (status != IMAP_OK)
            return status;
    }
    if (n == -2)
        return err->status;
    if (n == 0 || line->bye)
        return ended(line, err);
    return IMAP_OK;
}

enum imap_status imap_line_check_silence(struct imap_line *line, struct imap_error *err)
{
    char where[IMAP_ENDPOINT_TEXT_MAX];

    if (imap_net_now() < silence_deadline(line))
        return IMAP_OK;
    imap_endpoint_text(line->endpoint, where);
    return imap_error_set(err, IMAP_AGAIN, "%s has not answered for %u seconds", where,
                          (patience(line) + 999) / 1000);
}
