/* SPDX-License-Identifier: MIT */
#include "dial.h"

#include "login.h"
#include "transport.h"

enum imap_status imap_dial_open(struct imap_line *line, int cancel_fd, struct imap_error *err)
{
    const struct imap_endpoint *endpoint = line->endpoint;
    int64_t deadline_ms = imap_net_now() + (int64_t)endpoint->timeout_ms;

    if (endpoint->tunnel && *endpoint->tunnel) {
        line->encrypted = true;
        enum imap_status opened = imap_process_open(endpoint, &line->transport, err);
        if (opened == IMAP_OK)
            line->transport->octets = line->octets;
        return opened;
    }

    struct imap_transport *tcp = NULL;
    enum imap_status status = imap_tcp_open(endpoint, deadline_ms, cancel_fd, &tcp, err);
    if (status == IMAP_OK)
        tcp->octets = line->octets;
    if (status != IMAP_OK || endpoint->tls != IMAP_TLS_IMPLICIT) {
        line->transport = tcp;
        return status;
    }
    status = imap_tls_open(endpoint, tcp, deadline_ms, cancel_fd, &line->transport, err);
    line->encrypted = status == IMAP_OK;
    return status;
}

enum imap_status imap_dial(struct imap_line *line, const struct imap_credentials *credentials, int cancel_fd,
                           struct imap_error *err)
{
    enum imap_status status = imap_dial_open(line, cancel_fd, err);

    if (status != IMAP_OK)
        return status;
    int64_t deadline_ms = imap_net_now() + (int64_t)line->endpoint->timeout_ms;
    return imap_login(line, credentials, deadline_ms, cancel_fd, err);
}

static void on_logout(void *arg, const struct imap_result *result)
{
    (void)result;
    *(bool *)arg = true;
}

void imap_hang_up(struct imap_line *line, int64_t deadline_ms)
{
    static const struct imap_command_events events = {.done = on_logout};
    struct imap_command *command = imap_command_new("LOGOUT");
    struct imap_error err = {0};
    bool done = false;

    imap_command_on(command, &events, &done);
    imap_session_submit(line->session, command, NULL);
    while (!done && imap_net_now() < deadline_ms) {
        if (imap_line_flush(line, &err) != IMAP_OK)
            break;
        imap_line_wait(line, -1, -1, deadline_ms);
        if (imap_line_check_silence(line, &err) != IMAP_OK || imap_line_receive(line, &err) != IMAP_OK)
            break;
    }
    if (!done) {
        imap_error_set(&err, IMAP_CANCEL, "closing");
        imap_session_lost(line->session, &err);
    }
}
