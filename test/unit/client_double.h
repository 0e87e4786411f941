/* SPDX-License-Identifier: MIT */
/*
 * client_double: a client without a thread or a line, so that a test sees what verbs put on the wire.
 *
 * It drives a real session: what a verb builds is submitted and sent, literals included; a "+" is given to
 * whoever waits for one. It stands in for the functions that the verbs use of the client.
 */
#ifndef CLIENT_DOUBLE_H
#define CLIENT_DOUBLE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client_verb.h"
#include "imap/session.h"

struct imap_client {
    struct imap_session *session;
    imap_client_judge *judge;
    int done;
    struct imap_error error; /* of the last verb */
    char *wire;              /* what was sent since double_open, without tags, in a row */
    size_t wire_len;
};

static inline void double_done(void *arg, const struct imap_result *result)
{
    struct imap_client *client = arg;
    client->done++;
    client->error = *result->error;
    if (result->status == IMAP_OK && client->judge)
        (void)client->judge(client, result, &client->error);
}

static inline void double_feed(struct imap_client *client, const char *text)
{
    struct imap_error err = {0};
    ck_assert_msg(imap_session_feed(client->session, text, strlen(text), &err) == IMAP_OK, "%s", err.text);
}

static inline void double_keep(struct imap_client *client, const char *data, size_t len)
{
    client->wire = realloc(client->wire, client->wire_len + len + 1);
    memcpy(client->wire + client->wire_len, data, len);
    client->wire_len += len;
    client->wire[client->wire_len] = '\0';
}

static inline bool double_waits(const struct imap_client *client)
{
    const char *end = client->wire + client->wire_len;
    return client->wire_len > 4 && strcmp(end - 3, "}\r\n") == 0 && end[-4] != '+';
}

/* Sends all that can be sent. */
static inline void double_run(struct imap_client *client)
{
    const char *data;
    size_t len;
    bool start = true;
    for (;;) {
        while ((data = imap_session_pull(client->session, &len))) {
            size_t tag = 0;
            if (start)
                tag = strcspn(data, " ") + 1;
            start = false;
            double_keep(client, data + tag, len - tag);
            imap_session_sent(client->session, len);
        }
        if (!client->wire || !double_waits(client) || imap_session_pending(client->session) == 0)
            return;
        double_feed(client, "+ go\r\n");
        data = imap_session_pull(client->session, &len);
        if (!data)
            return;
    }
}

enum imap_status imap_client_command_judged(struct imap_client *client, struct imap_command **command,
                                            imap_client_judge *judge, struct imap_call *call)
{
    static const struct imap_command_events events = {.done = double_done};
    struct imap_command *own = *command;
    (void)call;
    *command = NULL;
    client->judge = judge;
    client->error = (struct imap_error){.status = IMAP_OK};
    imap_command_on(own, &events, client);
    enum imap_status status = imap_session_submit(client->session, own, NULL);
    if (status == IMAP_OK)
        double_run(client);
    return status;
}

enum imap_status imap_client_command(struct imap_client *client, struct imap_command **command,
                                     struct imap_call *call)
{
    return imap_client_command_judged(client, command, NULL, call);
}

enum imap_status imap_client_refuse(struct imap_client *client, struct imap_call *call,
                                    const struct imap_error *why)
{
    (void)call;
    client->done++;
    client->error = *why;
    return why->status;
}

bool imap_client_caps(struct imap_client *client, struct imap_caps *caps_out)
{
    *caps_out = *imap_session_caps(client->session);
    return imap_session_caps_known(client->session);
}

bool imap_client_has(struct imap_client *client, const char *capability)
{
    return imap_caps_has_name(imap_session_caps(client->session), capability);
}

bool imap_client_selected(struct imap_client *client, struct imap_selected *selected_out,
                          char name_out[IMAP_MAILBOX_NAME_MAX])
{
    *selected_out = *imap_session_selected(client->session);
    name_out[0] = '\0';
    return imap_session_state(client->session) == IMAP_STATE_SELECTED;
}

bool imap_client_name_encode(struct imap_client *client, const char *utf8, char *wire_out, size_t size)
{
    const struct imap_caps *enabled = imap_session_enabled(client->session);
    if (!imap_caps_has(enabled, IMAP_CAP_UTF8_ACCEPT))
        return imap_utf7_encode(utf8, strlen(utf8), wire_out, size);
    ck_assert_uint_lt(strlen(utf8), size);
    strcpy(wire_out, utf8);
    return true;
}

/* ---- for tests --------------------------------------------------------------------------------- */

/* Logged in at a server with these capabilities. */
static inline struct imap_client *double_open(const char *caps)
{
    static const struct imap_session_events none;
    struct imap_client *client = calloc(1, sizeof *client);
    client->session = imap_session_new(&none, NULL, NULL);
    double_feed(client, "* PREAUTH [CAPABILITY IMAP4rev1 ");
    double_feed(client, caps);
    double_feed(client, "] hello\r\n");
    return client;
}

static inline void double_forget(struct imap_client *client)
{
    client->wire_len = 0;
    if (client->wire)
        client->wire[0] = '\0';
}

/* Answers the last command; its tag is a and how many there were. */
static inline void double_answer(struct imap_client *client, const char *untagged, const char *tagged)
{
    double_feed(client, untagged);
    double_feed(client, tagged);
    double_forget(client);
}

static inline void double_submit(struct imap_client *client, const char *verb, const char *args)
{
    struct imap_command *command = imap_command_new(verb);
    imap_command_raw(command, args);
    ck_assert_int_eq(imap_client_command(client, &command, NULL), IMAP_OK);
}

/* In a mailbox. */
static inline struct imap_client *double_selected(const char *caps)
{
    struct imap_client *client = double_open(caps);
    double_submit(client, "SELECT", "INBOX");
    double_answer(client, "* 3 EXISTS\r\n", "a1 OK\r\n");
    return client;
}

/* With UTF8=ACCEPT switched on. */
static inline struct imap_client *double_utf8(const char *caps)
{
    struct imap_client *client = double_open(caps);
    double_submit(client, "ENABLE", "UTF8=ACCEPT");
    double_answer(client, "* ENABLED UTF8=ACCEPT\r\n", "a1 OK\r\n");
    double_submit(client, "SELECT", "INBOX");
    double_answer(client, "", "a2 OK\r\n");
    return client;
}

static inline void double_close(struct imap_client *client)
{
    imap_session_free(&client->session);
    free(client->wire);
    free(client);
}

#endif
