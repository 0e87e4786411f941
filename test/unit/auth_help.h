/* SPDX-License-Identifier: MIT */
/* auth_help: what the tests of authentication share: certificates, and logging in to a fake server. */
#ifndef AUTH_HELP_H
#define AUTH_HELP_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dial.h"
#include "fakeplay.h"
#include "login.h"

#define USER "joe"
#define PASSWORD "Tr0ub4dor"
#define PLAIN_BASE64 "AGpvZQBUcjB1YjRkb3I=" /* \0joe\0Tr0ub4dor */

static struct fake_cert cert, client_cert;

static inline void make_certificates(void)
{
    fake_cert_make(&cert, NULL, "127.0.0.1", -86400, 86400, NULL);
    fake_cert_make(&client_cert, "client.example", NULL, -86400, 86400, NULL);
}

static inline void remove_certificates(void)
{
    fake_cert_remove(&cert);
    fake_cert_remove(&client_cert);
}

static const struct imap_credentials joe = {.user = USER, .password = PASSWORD};

static inline struct imap_endpoint endpoint_of(struct fake_server *server, enum imap_tls tls)
{
    return (struct imap_endpoint){.host = "127.0.0.1",
                                  .port = fake_port(server),
                                  .tls = tls,
                                  .cafile = cert.certfile,
                                  .timeout_ms = 5000};
}

static inline void on_untagged(void *arg, const struct imap_response *response)
{
    imap_line_note(arg, response);
}

static inline void start_line(struct imap_line *line, const struct imap_endpoint *endpoint)
{
    static const struct imap_session_events events = {.untagged = on_untagged};
    imap_line_init(line, endpoint, &events, line);
}

/* Connects, logs in, hangs up. */
static inline enum imap_status log_in(const struct imap_endpoint *endpoint,
                                      const struct imap_credentials *credentials, struct imap_error *err)
{
    struct imap_line line;

    *err = (struct imap_error){0};
    start_line(&line, endpoint);
    enum imap_status status = imap_dial(&line, credentials, -1, err);
    if (status == IMAP_OK) {
        ck_assert_int_eq(imap_session_state(line.session), IMAP_STATE_AUTHENTICATED);
        ck_assert(imap_session_caps_known(line.session));
        imap_hang_up(&line, imap_net_now() + 1000);
    } else {
        ck_assert_int_eq(err->status, status);
        ck_assert_str_ne(err->text, "");
        ck_assert_int_ne(imap_session_state(line.session), IMAP_STATE_AUTHENTICATED);
    }
    imap_line_fini(&line);
    return status;
}

static inline struct fake_server *play_server(const struct fake_play *play)
{
    const struct fake_options options = {.serve = fake_play_serve, .arg = (void *)play, .cert = &cert};
    return fake_start(&options);
}

/* Logs in in the clear to a server that plays these steps. */
static inline enum imap_status log_in_to(const struct fake_step *steps,
                                         const struct imap_credentials *credentials, struct imap_error *err)
{
    const struct fake_play play = {.steps = steps};
    struct fake_server *server = play_server(&play);
    const struct imap_endpoint endpoint = endpoint_of(server, IMAP_TLS_NONE);
    enum imap_status status = log_in(&endpoint, credentials, err);
    fake_stop(&server);
    return status;
}

#endif
