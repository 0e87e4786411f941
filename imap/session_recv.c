/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "session_internal.h"

#define WELCOME_MAX 1000

void imap_session_take_caps(struct imap_session *session, const struct imap_caps *caps)
{
    session->caps = *caps;
    if (session->caps_hidden)
        imap_caps_hide(&session->caps, session->caps_hidden);
    session->caps_known = true;
    session->caps_renewed = true;
}

void imap_session_hide_caps(struct imap_session *session, const char *names)
{
    free(session->caps_hidden);
    session->caps_hidden = imap_xstrdup(names);
    imap_caps_hide(&session->caps, names);
}

/* ---- tagged answers ----------------------------------------------------------------------------- */

static bool tag_number(const char *tag, uint32_t *number_out)
{
    uint64_t number = 0;
    if (tag[0] != 'a' || tag[1] < '1' || tag[1] > '9')
        return false;
    for (tag++; *tag >= '0' && *tag <= '9' && number <= UINT32_MAX; tag++)
        number = number * 10 + (uint64_t)(*tag - '0');
    *number_out = (uint32_t)number;
    return *tag == '\0' && number <= UINT32_MAX;
}

static struct imap_command *find_tagged(const struct imap_session *session, const char *tag)
{
    uint32_t number;
    uint64_t sent = imap_output_sent(&session->output);
    if (!tag_number(tag, &number))
        return NULL;
    for (struct imap_command *command = session->flight.first; command; command = command->next)
        if (command->number == number && command->begin < sent)
            return command;
    return NULL;
}

/* Servers that are overloaded say so in many ways; the reaction is the same. */
static bool is_overload(const struct imap_response *response)
{
    const struct imap_text *text = &response->text;
    if (text->code == IMAP_CODE_UNAVAILABLE || text->code == IMAP_CODE_LIMIT)
        return true;
    if (text->code_name && strcasecmp(text->code_name, "THROTTLED") == 0)
        return true;
    return response->type == IMAP_RESP_BAD && strcasestr(text->text, "throttled");
}

/* Cyrus up to 3.6 says why in words that are always the same, but not by a code. */
static enum imap_code code_in_words(const char *text)
{
    static const struct {
        const char *words;
        enum imap_code code;
    } known[] = {
        {"Permission denied", IMAP_CODE_NOPERM},
        {"Mailbox does not exist", IMAP_CODE_NONEXISTENT},
        {"Mailbox already exists", IMAP_CODE_ALREADYEXISTS},
        {"Invalid mailbox name", IMAP_CODE_CANNOT},
        {"Operation is not supported on mailbox", IMAP_CODE_CANNOT},
        {"SPECIAL-USE flag conflict", IMAP_CODE_CANNOT}, /* to DELETE, which keeps such mailboxes */
        {"Mailbox is locked", IMAP_CODE_INUSE},
        {"Mailbox is currently reserved", IMAP_CODE_INUSE},
        {"Over quota", IMAP_CODE_OVERQUOTA},
        {"Message size exceeds fixed limit", IMAP_CODE_TOOBIG},
        {"Too many user flags in mailbox", IMAP_CODE_CANNOT},
        {"Message contains NUL characters", IMAP_CODE_CANNOT},
        {"Message contains invalid header", IMAP_CODE_CANNOT},
        {"Message contains non-ASCII characters in headers", IMAP_CODE_CANNOT},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].words) == 0)
            return known[i].code;
    return IMAP_CODE_NONE;
}

static enum imap_status set_refusal(const struct imap_command *command, const struct imap_response *response,
                                    struct imap_error *err)
{
    enum imap_status status = IMAP_NO;
    enum imap_code code = response->text.code;
    if (code == IMAP_CODE_NONE && response->type == IMAP_RESP_NO)
        code = code_in_words(response->text.text);
    if (code == IMAP_CODE_NONEXISTENT)
        status = IMAP_GONE;
    else if (is_overload(response))
        status = IMAP_AGAIN;
    const char *reason = *response->text.text ? response->text.text : "refused without a reason";
    imap_error_set(err, status, "%s: %s", *command->verb->name ? command->verb->name : "command", reason);
    err->code = code;
    return status;
}

static void end_login(struct imap_session *session, const struct imap_response *response)
{
    session->state = IMAP_STATE_AUTHENTICATED;
    if (response->text.caps || session->caps_renewed)
        return;
    /* what is offered before login may differ from what is after it */
    imap_caps_clear(&session->caps);
    session->caps_known = false;
}

static void take_effect(struct imap_session *session, const struct imap_command *command,
                        const struct imap_response *response)
{
    if (response->text.caps)
        imap_session_take_caps(session, response->text.caps);
    if (session->state == IMAP_STATE_LOGOUT)
        return; /* BYE is final */
    switch (command->verb->effect) {
    case IMAP_EFFECT_AUTHENTICATE:
        end_login(session, response);
        break;
    case IMAP_EFFECT_SELECT:
        session->state = IMAP_STATE_SELECTED;
        session->selected.read_only =
            response->text.code == IMAP_CODE_READ_ONLY || strcmp(command->verb->name, "EXAMINE") == 0;
        break;
    case IMAP_EFFECT_DESELECT:
        session->state = IMAP_STATE_AUTHENTICATED;
        imap_session_leave_mailbox(session);
        break;
    case IMAP_EFFECT_UNAUTHENTICATE: /* RFC 8437 2: back to what the greeting was, but for TLS and COMPRESS */
        session->state = IMAP_STATE_NOT_AUTHENTICATED;
        imap_caps_clear(&session->enabled);
        session->notified = false;
        imap_session_leave_mailbox(session);
        break;
    case IMAP_EFFECT_STARTTLS:
        session->pause = IMAP_PAUSE_TLS;
        break;
    case IMAP_EFFECT_COMPRESS:
        session->pause = IMAP_PAUSE_COMPRESS;
        break;
    case IMAP_EFFECT_LOGOUT:
        session->state = IMAP_STATE_LOGOUT;
        break;
    case IMAP_EFFECT_NOTIFY:
        session->notified = true;
        break;
    case IMAP_EFFECT_ENABLE:
    case IMAP_EFFECT_IDLE:
    case IMAP_EFFECT_NONE:
        break;
    }
}

static enum imap_status take_tagged(struct imap_session *session, const struct imap_response *response,
                                    struct imap_error *err)
{
    struct imap_command *command = find_tagged(session, response->tag);
    struct imap_error why;
    if (!command)
        return imap_error_set(err, IMAP_PROTO, "the server answered %.40s, which was not asked",
                              response->tag);
    bool sent = command->complete && command->end <= imap_output_sent(&session->output);
    if (response->type == IMAP_RESP_OK && !sent)
        return imap_error_set(err, IMAP_PROTO, "the server said OK to a command it had not got in full");
    if (response->type != IMAP_RESP_OK) {
        if (command->verb->effect == IMAP_EFFECT_SELECT)
            imap_session_leave_mailbox(session);
        set_refusal(command, response, &why);
        imap_session_note_refusal(session, command);
        imap_session_finish(session, command, response, &why);
        return IMAP_OK;
    }
    take_effect(session, command, response);
    if (command->spoilt != IMAP_OK) {
        imap_error_set(&why, command->spoilt,
                       command->spoilt == IMAP_LIMIT ? "a body is larger than what is kept in memory"
                                                     : "the server's answer to %s makes no sense",
                       command->verb->name);
        imap_session_finish(session, command, response, &why);
    } else {
        imap_session_finish(session, command, response, NULL);
    }
    return IMAP_OK;
}

/* ---- "+" ---------------------------------------------------------------------------------------- */

static void challenge(struct imap_session *session, struct imap_command *command,
                      const struct imap_response *response)
{
    session->challenged = true;
    if (command->events.continuation)
        command->events.continuation(command->arg, response->text.text, strlen(response->text.text));
    else
        imap_session_continue(session, "*", 1);
}

static enum imap_status take_continue(struct imap_session *session, const struct imap_response *response,
                                      struct imap_error *err)
{
    uint64_t sent = imap_output_sent(&session->output);
    struct imap_command *first = session->flight.first;
    if (session->writing && !session->streaming && session->writing->end <= sent) {
        imap_session_write_on(session);
        return IMAP_OK;
    }
    bool asked = first && first->complete && first->end <= sent;
    if (asked && first->verb->effect == IMAP_EFFECT_AUTHENTICATE) {
        challenge(session, first, response);
        return IMAP_OK;
    }
    if (asked && first == session->idle) {
        bool again = session->idle_begun; /* some servers repeat it as a sign of life */
        session->idle_begun = true;
        if (!again && first->events.continuation)
            first->events.continuation(first->arg, response->text.text, strlen(response->text.text));
        return IMAP_OK;
    }
    return imap_error_set(err, IMAP_PROTO, "the server asked for more (+) when nothing was left to say");
}

/* ---- the greeting ------------------------------------------------------------------------------- */

static enum imap_status take_greeting(struct imap_session *session, const struct imap_response *response,
                                      struct imap_error *err)
{
    if (response->type == IMAP_RESP_OK || response->type == IMAP_RESP_PREAUTH ||
        response->type == IMAP_RESP_BYE)
        session->welcome = imap_xstrndup(response->text.text, strnlen(response->text.text, WELCOME_MAX));
    switch (response->type) {
    case IMAP_RESP_OK:
        session->state = IMAP_STATE_NOT_AUTHENTICATED;
        return IMAP_OK;
    case IMAP_RESP_PREAUTH:
        session->state = IMAP_STATE_AUTHENTICATED;
        return IMAP_OK;
    case IMAP_RESP_BYE:
        return IMAP_OK; /* it means the same here as at any time */
    default:
        return imap_error_set(err, IMAP_PROTO, "this is not an IMAP server: it did not greet");
    }
}

/* ---- frames ------------------------------------------------------------------------------------- */

static enum imap_status take_response(struct imap_session *session, struct imap_error *err)
{
    struct imap_response response;
    const struct imap_bytes *bytes = &session->frame.bytes;
    imap_session_trace_response(session, bytes);
    imap_arena_reset(&session->arena);
    enum imap_status status = imap_resp_parse(bytes, session->limits.depth, &session->arena, &response, err);
    if (status == IMAP_OK && response.tag)
        status = take_tagged(session, &response, err);
    else if (status == IMAP_OK && response.type == IMAP_RESP_CONTINUE)
        status = take_continue(session, &response, err);
    else if (status == IMAP_OK) {
        if (session->state == IMAP_STATE_GREETING)
            status = take_greeting(session, &response, err);
        if (status == IMAP_OK)
            status = imap_session_take_untagged(session, &response, err);
    }
    session->owner = NULL;
    return status;
}

/* Asks the command that the body is for whether it wants the bytes. */
static void offer_body(struct imap_session *session, struct imap_fetch *fetch,
                       const struct imap_section *section)
{
    struct imap_command *command = imap_session_fetcher(session, fetch, true);
    if (command && !command->events.body_begin) {
        session->owner = command;
        if (!imap_frame_buffer(&session->frame)) {
            command->spoilt = IMAP_LIMIT;
            imap_frame_drop(&session->frame);
        }
        return;
    }
    if (fetch->uid == 0)
        fetch->uid = imap_session_uid(session, fetch->seq);
    /* set before: the callback may end the session */
    session->owner = session->body = command;
    if (command && command->events.body_begin(command->arg, fetch, section)) {
        imap_frame_stream(&session->frame);
        return;
    }
    session->body = NULL;
    imap_frame_drop(&session->frame);
}

static enum imap_status take_literal(struct imap_session *session, struct imap_error *err)
{
    struct imap_response response;
    const struct imap_section *section = NULL;
    imap_arena_reset(&session->arena);
    enum imap_status status = imap_resp_parse_pending(&session->frame.bytes, session->limits.depth,
                                                      &session->arena, &response, &section, err);
    if (status != IMAP_OK)
        return status;
    if (section)
        offer_body(session, &response.fetch, section);
    else if (!imap_frame_buffer(&session->frame))
        return imap_error_set(err, IMAP_LIMIT, "the server sent a response of more than %zu bytes",
                              session->limits.response_bytes);
    return IMAP_OK;
}

static enum imap_status take_event(struct imap_session *session, enum imap_frame_event event,
                                   struct imap_error *err)
{
    struct imap_command *body = session->body;
    switch (event) {
    case IMAP_FRAME_RESPONSE:
        return take_response(session, err);
    case IMAP_FRAME_LITERAL:
        return take_literal(session, err);
    case IMAP_FRAME_DATA:
        if (body && body->events.body_data)
            body->events.body_data(body->arg, session->frame.chunk, session->frame.chunk_len);
        return IMAP_OK;
    case IMAP_FRAME_DATA_END:
        session->body = NULL;
        if (body && body->events.body_end)
            body->events.body_end(body->arg);
        return IMAP_OK;
    case IMAP_FRAME_BAD:
        return imap_error_set(err, IMAP_PROTO, "the server sent what is not IMAP");
    case IMAP_FRAME_LIMIT:
        return imap_error_set(err, IMAP_LIMIT, "the server sent a response of more than %zu bytes",
                              session->limits.response_bytes);
    case IMAP_FRAME_MORE:
        break;
    }
    return IMAP_OK;
}

static enum imap_status die(struct imap_session *session, const struct imap_error *why,
                            struct imap_error *err)
{
    imap_session_die(session, why->status, why);
    if (err)
        *err = *why;
    return why->status;
}

/* What follows the OK of COMPRESS is for imap_session_compress_started. */
static enum imap_status put_aside(struct imap_session *session, const char *data, size_t len,
                                  struct imap_error *err)
{
    struct imap_error why;
    if (imap_buf_append(&session->behind, data, len))
        return IMAP_OK;
    imap_error_set(&why, IMAP_LIMIT, "the server sent too much at once after its OK to COMPRESS");
    return die(session, &why, err);
}

enum imap_status imap_session_feed(struct imap_session *session, const void *data, size_t len,
                                   struct imap_error *err)
{
    const char *at = data;
    if (session->pause == IMAP_PAUSE_NONE && session->behind.data)
        imap_buf_fini(&session->behind);
    while (len > 0) {
        struct imap_error why;
        size_t used;
        if (session->state == IMAP_STATE_DEAD) {
            if (err)
                *err = session->fate;
            return session->fate.status;
        }
        if (session->pause == IMAP_PAUSE_COMPRESS)
            return put_aside(session, at, len, err);
        if (session->pause != IMAP_PAUSE_NONE) {
            session->pause = IMAP_PAUSE_TLS_INTRUDED;
            return IMAP_OK; /* imap_session_tls_started tells */
        }
        enum imap_frame_event event = imap_frame_feed(&session->frame, at, len, &used);
        at += used;
        len -= used;
        if (event == IMAP_FRAME_MORE)
            return IMAP_OK;
        enum imap_status status = take_event(session, event, &why);
        if (status != IMAP_OK)
            return die(session, &why, err);
    }
    return IMAP_OK;
}
