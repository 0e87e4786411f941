/* SPDX-License-Identifier: MIT */
/* The surface: what is said of the session itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

SURFACE_TEST(capability_and_noop)
{
    struct imap_caps caps;
    const struct imap_answer *answer = DID(s, capability);
    const struct imap_response *said = surface_first(answer, IMAP_RESP_CAPABILITY);
    ck_assert(imap_caps_has(said->caps, IMAP_CAP_IMAP4REV1));
    ck_assert(imap_caps_has(said->caps, IMAP_CAP_UIDPLUS));
    ck_assert(imap_client_caps(s->client, &caps));
    ck_assert(imap_caps_has(&caps, IMAP_CAP_MOVE));
    ck_assert(imap_client_has(s->client, "thread=references"));
    ck_assert(!imap_client_has(s->client, "X-NO-SUCH-THING"));

    answer = DID(s, noop);
    ck_assert_uint_eq(imap_answer_count(answer), 0);
    ck_assert_ptr_nonnull(imap_answer_text(answer));
}

SURFACE_TEST(check_needs_a_mailbox)
{
    EXPECT(s, IMAP_USAGE, check);
    surface_make(s);
    DID(s, check);
    surface_row(s, "refused in the wrong state");
}

SURFACE_TEST(id_both_ways)
{
    static const char *const us[] = {"name", "imapfs \"test\"", "version", NULL};
    const struct imap_response *said = surface_first(DID(s, id, us, 4), IMAP_RESP_ID);
    const char *name = surface_param(said->id.params, "name");
    ck_assert_str_eq(name, surface_is_cyrus ? "Cyrus IMAPD" : "Dovecot");
    surface_first(DID(s, id, NULL, 0), IMAP_RESP_ID);
}

SURFACE_TEST(namespaces)
{
    const struct imap_response *said = surface_first(DID(s, namespace), IMAP_RESP_NAMESPACE);
    ck_assert_str_eq(said->ns.personal->prefix, "");
    ck_assert_int_eq(said->ns.personal->delimiter, '/');
    ck_assert_ptr_null(said->ns.personal->next);
    ck_assert_str_eq(said->ns.other->prefix, surface_is_cyrus ? "Other Users/" : "other/");
}

SURFACE_TEST(enable_what_is_offered)
{
    const struct imap_response *said = surface_first(DID(s, enable, "CONDSTORE"), IMAP_RESP_ENABLED);
    ck_assert(imap_caps_has(said->caps, IMAP_CAP_CONDSTORE));
    EXPECT(s, IMAP_USAGE, enable, "X-NO-SUCH-THING");
}

/* imaplib's xatom and uid: any command, its responses typed, as values and raw. */
SURFACE_TEST(any_command)
{
    surface_make(s);
    surface_fill(s, 3);
    struct imap_command *command = imap_command_new("UID SEARCH");
    imap_command_raw(command, "2:*");
    const struct imap_answer *answer = DID(s, command, &command);
    ck_assert_ptr_null(command);
    const struct imap_response *said = surface_first(answer, IMAP_RESP_SEARCH);
    ck_assert_uint_eq(said->search.count, 2);
    ck_assert_str_eq(said->name, "SEARCH");
    ck_assert_uint_eq(imap_value_count(said->values), 2);
    ck_assert(imap_value_is_atom(said->values->child, "2"));
    ck_assert_uint_eq(said->raw_len, strlen("* SEARCH 2 3"));
    ck_assert_mem_eq(said->raw, "* SEARCH 2 3", said->raw_len);
    surface_row(s, "uid");

    /* one that this library has no idea of, and neither has one of the servers */
    command = imap_command_new(surface_is_cyrus ? "XLIST" : "X-NONSENSE");
    imap_command_astring(command, "", 0);
    imap_command_astring(command, s->box, strlen(s->box));
    if (surface_is_cyrus) {
        answer = DID(s, command, &command);
        said = imap_answer_any(answer, NULL);
        ck_assert_str_eq(said->name, "XLIST");
        ck_assert_uint_eq(imap_value_count(said->values), 3);
    } else {
        answer = EXPECT(s, IMAP_NO, command, &command);
        ck_assert_ptr_nonnull(imap_answer_text(answer));
    }
    surface_row(s, "xatom");

    command = imap_command_new("NOOP");
    imap_command_astring(command, "a\0b", 3);
    EXPECT(s, IMAP_USAGE, command, &command);
}

SURFACE_TEST(what_is_known)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX];
    ck_assert_ptr_nonnull(
        strstr(imap_client_welcome(s->client), surface_is_cyrus ? "Cyrus IMAP" : "Dovecot"));
    surface_direct("welcome");
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_AUTHENTICATED);
    ck_assert(!imap_client_selected(s->client, &selected, name));
    ck_assert(!imap_client_encrypted(s->client));
    surface_make(s);
    ck_assert_int_eq(imap_client_state(s->client), IMAP_STATE_SELECTED);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert_str_eq(name, s->box);
    ck_assert_uint_eq(selected.exists, 0);
    ck_assert_uint_gt(selected.uidvalidity, 0);
    ck_assert(!selected.read_only);
    surface_direct("state");
}

/* imaplib's recent and response: what another session did is told, and can be asked for. */
SURFACE_TEST(unasked)
{
    surface_make(s);
    struct imap_answer *before = imap_client_unsolicited(s->client);
    imap_answer_unref(&before);
    ck_assert_ptr_null(imap_client_unsolicited(s->client));

    struct imap_client *other = surface_connect_as(surface_server.user);
    struct imap_upload upload = {.data = "a: b\r\n\r\n", .size = 8, .fd = -1};
    ck_assert_int_eq(imap_client_append(other, s->box, &upload, 1, NULL), IMAP_OK);
    imap_client_free(&other);

    DID(s, noop);
    struct imap_answer *told = imap_client_unsolicited(s->client);
    ck_assert_ptr_nonnull(told);
    ck_assert_int_eq(imap_answer_status(told), IMAP_OK);
    ck_assert_uint_eq(surface_first(told, IMAP_RESP_EXISTS)->number, 1);
    surface_direct("response");
    ck_assert_uint_eq(surface_first(told, IMAP_RESP_RECENT)->number, 1);
    surface_direct("recent");
    imap_answer_unref(&told);
    ck_assert_ptr_null(imap_client_unsolicited(s->client));
}

struct lines {
    unsigned sent, received, secrets, selects;
};

static void count_line(void *arg, enum imap_trace_direction direction, const char *text)
{
    struct lines *lines = arg;
    lines->sent += direction == IMAP_TRACE_CLIENT;
    lines->received += direction == IMAP_TRACE_SERVER;
    lines->secrets += strstr(text, surface_server.password) != NULL;
    lines->selects += strstr(text, "SELECT box") != NULL;
}

static void trace_line(void *arg, enum imap_trace_direction direction, const char *text, size_t len)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%.*s", (int)len, text);
    count_line(arg, direction, copy);
}

SURFACE_TEST(log_and_trace)
{
    struct lines log = {0}, trace = {0};
    static const struct imap_credentials by_command = {.mechanisms = "login"};
    struct imap_credentials credentials = by_command;
    credentials.user = surface_server.user;
    credentials.password = surface_server.password;
    struct imap_client_options options = {.events = {.trace = trace_line, .arg = &trace},
                                          .credentials = &credentials};
    imap_client_free(&s->client);
    s->client = surface_connect(&options);
    surface_make(s);
    imap_client_log(s->client, count_line, &log);
    ck_assert_uint_ge(log.sent, 3);
    ck_assert_uint_ge(log.received, 6);
    ck_assert_uint_eq(log.secrets, 0);
    ck_assert_uint_eq(log.selects, 1);
    surface_direct("log");
    DID(s, noop);
    imap_client_free(&s->client);
    ck_assert_uint_gt(trace.sent, log.sent);
    ck_assert_uint_gt(trace.received, log.received);
    ck_assert_uint_eq(trace.secrets, 0);
    surface_direct("debug");
    s->client = surface_connect_as(surface_server.user);
}

SURFACE_TEST(compress)
{
    if (!imap_client_has(s->client, "COMPRESS=DEFLATE"))
        ck_abort_msg("the server is not set up for COMPRESS");
    DID(s, compress);
    surface_make(s);
    surface_fill(s, 20);
    size_t count;
    imap_answer_messages(DID(s, fetch, IMAP_BY_UID, "1:*", "(FLAGS BODY.PEEK[])", NULL), &count);
    ck_assert_uint_eq(count, 20);
    EXPECT(s, IMAP_USAGE, compress);
}

SURFACE_TEST(logout)
{
    DID(s, logout);
    enum imap_state state = imap_client_state(s->client);
    ck_assert(state == IMAP_STATE_LOGOUT || state == IMAP_STATE_DEAD);
    surface_begin(s);
    enum imap_status after = imap_client_noop(s->client, NULL);
    ck_assert_msg(after == IMAP_USAGE || after == IMAP_AGAIN, "%s", imap_status_name(after));
}

void surface_session(TCase *cases)
{
    surface_add(cases, capability_and_noop);
    surface_add(cases, check_needs_a_mailbox);
    surface_add(cases, id_both_ways);
    surface_add(cases, namespaces);
    surface_add(cases, enable_what_is_offered);
    surface_add(cases, any_command);
    surface_add(cases, what_is_known);
    surface_add(cases, unasked);
    surface_add(cases, log_and_trace);
    surface_add(cases, compress);
    surface_add(cases, logout);
}
