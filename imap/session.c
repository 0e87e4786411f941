/* SPDX-License-Identifier: MIT */
/*
 *                    new
 *                     |
 *                 GREETING --BYE------------------------------------------+
 *          OK |            | PREAUTH                                      |
 *             v            |                                              |
 *   NOT_AUTHENTICATED      |   LOGIN, AUTHENTICATE: OK                    |
 *             |            v                                              v
 *             +------> AUTHENTICATED --BYE, LOGOUT: OK---------------> LOGOUT
 *                       |        ^                                        ^
 *        SELECT,        |        | SELECT, EXAMINE sent (whatever its     |
 *        EXAMINE: OK    |        | answer); CLOSE, UNSELECT: OK           |
 *                       v        |                                        |
 *                       SELECTED --BYE, LOGOUT: OK------------------------+
 *
 *   any --breach (imap_session_die), imap_session_lost--> DEAD
 *
 * greeting() and imap_session_take_untagged go along the edges that untagged responses make,
 * take_effect those of tagged ones (session_recv.c); imap_session_write leaves SELECTED.
 *
 * Invariants
 * 1. A command is in `queue` (not begun), in `flight` (tag written, no tagged answer yet), or gone, and
 *    `done` is called when it goes: exactly once. Both lists are in the order of submission.
 * 2. Only may_send lets a command from `queue` to `flight`.
 * 3. A tagged answer is taken only for a command in flight whose tag has left the output; OK only when
 *    all of the command has. Anything else is a breach.
 * 4. `writing` is the last of `flight`, and nothing else is written while it waits for its "+", or while
 *    its source is asked for more, which happens only when the output is empty. A literal that was begun
 *    is always written to its end (`owed`, once its command was refused), or the session dies.
 * 5. The map's count and selected.exists are the same, but during the callbacks of an EXPUNGE.
 * 6. Between the OK of STARTTLS or COMPRESS and imap_session_tls_started or imap_session_compress_started
 *    nothing is parsed and nothing is written.
 * 7. When DEAD both lists are empty and stay so.
 */
#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* Longer trace lines are cut. */
#define TRACE_LINE_MAX ((size_t)1 << 20)

static const struct imap_limits default_limits = {
    .response_bytes = (size_t)16 << 20, .depth = 64, .pipeline = 64, .messages = 50000000};

static void list_init(struct imap_command_list *list)
{
    *list = (struct imap_command_list){.first = NULL, .last = &list->first};
}

static void list_append(struct imap_command_list *list, struct imap_command *command)
{
    command->next = NULL;
    *list->last = command;
    list->last = &command->next;
    list->count++;
}

static void list_remove(struct imap_command_list *list, struct imap_command *command)
{
    struct imap_command **link = &list->first;
    while (*link != command)
        link = &(*link)->next;
    *link = command->next;
    if (list->last == &command->next)
        list->last = link;
    list->count--;
}

struct imap_session *imap_session_new(const struct imap_session_events *events, void *arg,
                                      const struct imap_limits *limits)
{
    struct imap_session *session = imap_xcalloc(1, sizeof *session);
    session->events = *events;
    session->arg = arg;
    session->limits = limits ? *limits : default_limits;
    if (session->limits.pipeline == 0)
        session->limits.pipeline = 1;
    list_init(&session->queue);
    list_init(&session->flight);
    imap_frame_init(&session->frame, session->limits.response_bytes);
    imap_arena_init(&session->arena, IMAP_RESP_ARENA_CAP(session->limits.response_bytes));
    imap_buf_init(&session->line, TRACE_LINE_MAX);
    imap_buf_init(&session->behind, session->limits.response_bytes);
    return session;
}

void imap_session_free(struct imap_session **session_ptr)
{
    struct imap_session *session = *session_ptr;
    if (!session)
        return;
    struct imap_error why;
    imap_error_set(&why, IMAP_CANCEL, "cancelled");
    imap_session_die(session, IMAP_CANCEL, &why);
    imap_session_leave_mailbox(session);
    imap_frame_fini(&session->frame);
    imap_arena_fini(&session->arena);
    imap_buf_fini(&session->line);
    imap_buf_fini(&session->behind);
    imap_output_fini(&session->output);
    free(session->welcome);
    free(session->caps_hidden);
    free(session);
    *session_ptr = NULL;
}

void imap_session_leave_mailbox(struct imap_session *session)
{
    imap_msgmap_fini(&session->map);
    free(session->selected_name);
    session->selected_name = NULL;
    session->selected = (struct imap_selected){0};
}

/* ---- the end of commands ------------------------------------------------------------------------ */

static void tell_done(struct imap_command *command, const struct imap_response *response,
                      const struct imap_error *err)
{
    static const struct imap_error fine;
    struct imap_result result = {.status = err ? err->status : IMAP_OK,
                                 .bad = response && response->type == IMAP_RESP_BAD,
                                 .text = response ? &response->text : NULL,
                                 .error = err ? err : &fine};
    if (command->events.done)
        command->events.done(command->arg, &result);
    imap_command_destroy(command);
}

static void forget_command(struct imap_session *session, const struct imap_command *command)
{
    if (command->verb->flags & IMAP_VERB_HOLDS)
        session->holding--;
    if (session->writing == command) {
        session->writing = NULL;
        session->streaming = false;
    }
    if (session->idle == command)
        session->idle = NULL;
    if (session->body == command)
        session->body = NULL;
    if (session->owner == command)
        session->owner = NULL;
    if (command->verb->effect == IMAP_EFFECT_AUTHENTICATE)
        session->challenged = false;
}

void imap_session_finish(struct imap_session *session, struct imap_command *command,
                         const struct imap_response *response, const struct imap_error *err)
{
    list_remove(&session->flight, command);
    forget_command(session, command);
    tell_done(command, response, err);
}

static void fail_list(struct imap_session *session, struct imap_command *command, enum imap_status status,
                      const struct imap_error *why)
{
    uint64_t sent = imap_output_sent(&session->output);
    while (command) {
        struct imap_command *next = command->next;
        struct imap_error err = *why;
        bool begun = command->number != 0 && command->begin < sent;
        bool carried_out = begun && command->complete && command->end <= sent;
        err.status = status;
        if (status != IMAP_CANCEL && !begun)
            err.status = IMAP_AGAIN;
        if (status != IMAP_CANCEL && carried_out && !(command->verb->flags & IMAP_VERB_REPEATABLE))
            err.status = IMAP_UNSURE;
        forget_command(session, command);
        /* LOGOUT wants the line to end, and it has */
        tell_done(command, NULL, begun && command->verb->effect == IMAP_EFFECT_LOGOUT ? NULL : &err);
        command = next;
    }
}

void imap_session_die(struct imap_session *session, enum imap_status status, const struct imap_error *why)
{
    if (session->state == IMAP_STATE_DEAD)
        return;
    session->state = IMAP_STATE_DEAD;
    session->fate = *why;
    struct imap_command *flight = session->flight.first, *queue = session->queue.first;
    list_init(&session->flight);
    list_init(&session->queue);
    fail_list(session, flight, status, why);
    fail_list(session, queue, status, why);
}

void imap_session_break_off(struct imap_session *session, struct imap_command *command,
                            const struct imap_error *why)
{
    struct imap_error others;
    list_remove(&session->flight, command);
    forget_command(session, command);
    imap_error_set(&others, IMAP_AGAIN, "the connection had to be given up: %s", why->text);
    others.sys_errno = why->sys_errno;
    imap_session_die(session, IMAP_AGAIN, &others);
    tell_done(command, NULL, why);
}

void imap_session_lost(struct imap_session *session, const struct imap_error *why)
{
    struct imap_error err;
    if (session->bye.status != IMAP_OK) {
        imap_error_set(&err, IMAP_AGAIN, "the server ended the connection: %s", session->bye.text);
        err.code = session->bye.code;
        err.sys_errno = why ? why->sys_errno : 0;
    } else if (why && why->status != IMAP_OK) {
        err = *why;
    } else {
        imap_error_set(&err, IMAP_AGAIN, "the connection was lost");
    }
    imap_session_die(session, IMAP_AGAIN, &err);
}

/* ---- submitting and sending --------------------------------------------------------------------- */

bool imap_session_allows(const struct imap_session *session, const struct imap_verb *verb)
{
    switch (session->state) {
    case IMAP_STATE_NOT_AUTHENTICATED:
        return verb->states & IMAP_IN_NOT_AUTHENTICATED;
    case IMAP_STATE_AUTHENTICATED:
        return verb->states & IMAP_IN_AUTHENTICATED;
    case IMAP_STATE_SELECTED:
        return verb->states & IMAP_IN_SELECTED;
    case IMAP_STATE_GREETING:
    case IMAP_STATE_LOGOUT:
    case IMAP_STATE_DEAD:
        break;
    }
    return false;
}

static enum imap_status set_wrong_state(const struct imap_command *command, struct imap_error *err)
{
    static const char *const where[] = {
        "", "before login", "after login", "before login and after it", "in a mailbox", "", "after login",
        ""};
    return imap_error_set(err, IMAP_USAGE, "%s is only possible %s", command->verb->name,
                          where[command->verb->states & 7]);
}

static enum imap_status refuse(const struct imap_session *session, const struct imap_command *command,
                               struct imap_error *err)
{
    if (command->broken)
        return imap_error_set(err, IMAP_USAGE, "%s: %s", command->verb->name, command->broken);
    if (session->state == IMAP_STATE_LOGOUT || session->state == IMAP_STATE_DEAD) {
        const struct imap_error *why = session->state == IMAP_STATE_DEAD ? &session->fate : &session->bye;
        imap_error_set(err, IMAP_AGAIN, "%s", *why->text ? why->text : "logged out");
        err->code = why->code;
        err->sys_errno = why->sys_errno;
        return IMAP_AGAIN;
    }
    /* what comes before it may yet change the state: then it is looked at again when its turn comes */
    bool settled = session->holding == 0 && session->state != IMAP_STATE_GREETING;
    if (settled && !imap_session_allows(session, command->verb))
        return set_wrong_state(command, err);
    return IMAP_OK;
}

enum imap_status imap_session_submit(struct imap_session *session, struct imap_command *command,
                                     struct imap_error *err)
{
    struct imap_error why;
    enum imap_status status = refuse(session, command, &why);
    if (status != IMAP_OK) {
        if (err)
            *err = why;
        tell_done(command, NULL, &why);
        return status;
    }
    if (command->verb->flags & IMAP_VERB_HOLDS)
        session->holding++;
    list_append(&session->queue, command);
    return IMAP_OK;
}

bool imap_session_withdraw(struct imap_session *session, struct imap_command *command)
{
    if (command->number != 0)
        return false;
    list_remove(&session->queue, command);
    forget_command(session, command);
    imap_command_destroy(command);
    return true;
}

/* False: its messages are known to the server alone ("$" of RFC 5182), or to who wrote the set as raw text. */
static bool knows_messages(const struct imap_command *command)
{
    return command->has_set || !(command->verb->flags & IMAP_VERB_SET);
}

/* Whether the command may be sent while `first` is still being answered. */
static bool may_follow(const struct imap_command *first, const struct imap_command *command)
{
    const struct imap_verb *before = first->verb, *verb = command->verb;
    /* What `before` changes (login, mailbox, encryption, encoding) decides what `verb` means ... */
    if (before->flags & IMAP_VERB_HOLDS)
        return false;
    /* ... and the other way round: answers of `before` that come after it could be misread. */
    if (verb->flags & IMAP_VERB_DRAINS)
        return false;
    /* Dovecot 2.3 panics over a MOVE or COPY that it comes to within its output for an earlier command, once NOTIFY
     * is set. Behind DONE it begins anew. */
    if (verb->flags & IMAP_VERB_COPIES && before->effect != IMAP_EFFECT_IDLE)
        return false;
    /* Nothing in two untagged SEARCH responses tells which command each is for. */
    if (imap_verb_ambiguous(before, verb))
        return false;
    /* Nor does a FETCH response when it is not known which messages one of them is about. */
    if ((before->answers & verb->answers) && !(knows_messages(first) && knows_messages(command)))
        return false;
    /* An EXPUNGE on its way changes what sequence numbers stand for, and one may come during any command
     * but FETCH, STORE and SEARCH; their UID forms are not excepted (RFC 3501 5.5, 7.4.1). */
    if ((verb->flags & IMAP_VERB_NUMBERS) && !(before->flags & IMAP_VERB_NO_EXPUNGE))
        return false;
    /* The server may take them up at the same time, so this holds in both directions. */
    return !(before->flags & IMAP_VERB_NUMBERS) || (verb->flags & IMAP_VERB_NO_EXPUNGE);
}

/* All rules of pipelining: whether the first of the queue may be written now. */
static bool may_send(const struct imap_session *session, const struct imap_command *command)
{
    /* The greeting tells whether there is anybody to talk to, and whether login is needed. */
    if (session->state == IMAP_STATE_GREETING)
        return false;
    /* After BYE nothing is answered; sent, it could only become an IMAP_UNSURE. */
    if (session->state == IMAP_STATE_LOGOUT || session->state == IMAP_STATE_DEAD)
        return false;
    /* What follows the OK of STARTTLS must be encrypted, that of COMPRESS compressed. */
    if (session->pause != IMAP_PAUSE_NONE)
        return false;
    /* The server would take it for the literal it was promised. */
    if (session->writing || session->owed > 0)
        return false;
    /* The server waits for DONE and nothing else (RFC 2177). */
    if (session->idle && !session->idle_ended)
        return false;
    /* Enough to keep a server busy; more could fill both socket buffers, and servers have limits too. */
    if (session->flight.count >= session->limits.pipeline)
        return false;
    for (const struct imap_command *before = session->flight.first; before; before = before->next)
        if (!may_follow(before, command))
            return false;
    return true;
}

static void end_idle(struct imap_session *session)
{
    bool wanted = session->idle_enough || session->queue.first;
    bool alive = session->state != IMAP_STATE_LOGOUT && session->state != IMAP_STATE_DEAD;
    if (session->idle && session->idle_begun && !session->idle_ended && wanted && alive)
        imap_session_write_done(session);
}

const void *imap_session_pull(struct imap_session *session, size_t *len)
{
    struct imap_command *command;
    end_idle(session);
    imap_session_refill(session);
    while ((command = session->queue.first) && may_send(session, command)) {
        list_remove(&session->queue, command);
        if (imap_session_allows(session, command->verb)) {
            list_append(&session->flight, command);
            imap_session_write(session, command);
        } else {
            struct imap_error err;
            set_wrong_state(command, &err);
            forget_command(session, command);
            tell_done(command, NULL, &err);
        }
    }
    const struct imap_output *output = &session->output;
    *len = session->state == IMAP_STATE_DEAD ? 0 : output->end - output->begin;
    return *len ? output->data + output->begin : NULL;
}

void imap_session_idle_done(struct imap_session *session)
{
    if (session->idle)
        session->idle_enough = true;
}
