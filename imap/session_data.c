/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "session_internal.h"

static bool is_begun(const struct imap_session *session, const struct imap_command *command)
{
    return command->begin < imap_output_sent(&session->output);
}

/* ---- what the session itself learns ------------------------------------------------------------- */

static void take_code(struct imap_session *session, const struct imap_text *text)
{
    struct imap_selected *selected = &session->selected;
    bool fits = text->number <= UINT32_MAX;
    if (text->caps)
        imap_session_take_caps(session, text->caps);
    if (!session->selected_name)
        return;
    switch (text->code) {
    case IMAP_CODE_UIDVALIDITY:
        selected->uidvalidity = fits ? (uint32_t)text->number : 0;
        break;
    case IMAP_CODE_UIDNEXT:
        selected->uidnext = fits ? (uint32_t)text->number : 0;
        break;
    case IMAP_CODE_HIGHESTMODSEQ:
        selected->highestmodseq = text->number <= INT64_MAX ? text->number : 0;
        break;
    case IMAP_CODE_NOMODSEQ:
        selected->highestmodseq = 0;
        break;
    case IMAP_CODE_PERMANENTFLAGS:
        selected->permanent_flags = text->flags ? text->flags->system : 0;
        break;
    case IMAP_CODE_READ_ONLY:
        selected->read_only = true;
        break;
    case IMAP_CODE_READ_WRITE:
        selected->read_only = false;
        break;
    case IMAP_CODE_CLOSED:
        if (session->state == IMAP_STATE_SELECTED) {
            session->state = IMAP_STATE_AUTHENTICATED;
            imap_session_leave_mailbox(session);
        } else { /* what came before was still about the old mailbox (RFC 7162 3.2.11) */
            imap_msgmap_fini(&session->map);
            *selected = (struct imap_selected){.name = session->selected_name};
        }
        break;
    default:
        break;
    }
}

static enum imap_status take_exists(struct imap_session *session, uint32_t count, struct imap_error *err)
{
    if (!session->selected_name)
        return IMAP_OK;
    if (count > session->limits.messages)
        return imap_error_set(err, IMAP_LIMIT, "the server claims %u messages in a mailbox", (unsigned)count);
    imap_msgmap_resize(&session->map, count);
    session->selected.exists = count;
    return IMAP_OK;
}

static void take_fetch(struct imap_session *session, struct imap_fetch *fetch)
{
    if (fetch->uid != 0)
        imap_msgmap_learn(&session->map, fetch->seq, fetch->uid);
    else
        fetch->uid = imap_msgmap_uid(&session->map, fetch->seq);
}

static void take_bye(struct imap_session *session, const struct imap_text *text)
{
    session->state = IMAP_STATE_LOGOUT;
    if (session->bye.status != IMAP_OK)
        return; /* the first one says why; there are servers that repeat it for ever */
    imap_error_set(&session->bye, IMAP_AGAIN, "%s", *text->text ? text->text : "BYE without a reason");
    session->bye.code = text->code;
}

/* Words count only as an answer to ENABLE (RFC 5161 3.2): they change how everything after is read. */
static void take_enabled(struct imap_session *session, const struct imap_caps *caps)
{
    const struct imap_command *first = session->flight.first;
    if (!first || first->verb->effect != IMAP_EFFECT_ENABLE || !is_begun(session, first))
        return;
    for (const char *word = caps->text; *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        imap_caps_add(&session->enabled, word, len);
        word += len;
    }
}

static enum imap_status take_in(struct imap_session *session, struct imap_response *response,
                                struct imap_error *err)
{
    switch (response->type) {
    case IMAP_RESP_OK:
    case IMAP_RESP_PREAUTH:
        take_code(session, &response->text);
        break;
    case IMAP_RESP_BYE:
        take_bye(session, &response->text);
        break;
    case IMAP_RESP_CAPABILITY:
        imap_session_take_caps(session, response->caps);
        break;
    case IMAP_RESP_ENABLED:
        take_enabled(session, response->caps);
        break;
    case IMAP_RESP_EXISTS:
        return take_exists(session, response->number, err);
    case IMAP_RESP_EXPUNGE:
        session->renumbered++;
        if (response->number > 0 && response->number <= session->selected.exists)
            session->selected.exists--;
        break;
    case IMAP_RESP_VANISHED:
        if (!response->vanished.earlier) {
            session->renumbered++;
            imap_msgmap_vanish(&session->map, response->vanished.uids);
            session->selected.exists = session->map.count;
        }
        break;
    case IMAP_RESP_FETCH:
        take_fetch(session, &response->fetch);
        break;
    default:
        break;
    }
    return IMAP_OK;
}

/* ---- whose answer it is ------------------------------------------------------------------------- */

static bool has_star(const struct imap_seqset *set)
{
    return set->count > 0 && set->ranges[set->count - 1].last == IMAP_SEQSET_STAR;
}

struct wanted {
    uint32_t seq, uid;
    bool body; /* prefer who takes bodies */
    bool star; /* "*" stands for whatever is last, so it may stand for this one */
};

static bool asked_for(const struct imap_command *command, const struct wanted *wanted)
{
    if (!command->has_set) /* SELECT (QRESYNC), "$", a set of the caller's own spelling, an unknown verb */
        return true;
    if (wanted->star)
        return has_star(&command->set);
    if (!(command->verb->flags & IMAP_VERB_UIDS))
        return imap_seqset_contains(&command->set, wanted->seq);
    if (wanted->uid == 0) /* it will be told behind the body; servers answer in order */
        return wanted->body && command->events.body_begin;
    return imap_seqset_contains(&command->set, wanted->uid);
}

static struct imap_command *find_fetcher(const struct imap_session *session, const struct wanted *wanted)
{
    struct imap_command *second_best = NULL;
    for (struct imap_command *command = session->flight.first; command; command = command->next) {
        if (!(command->verb->answers & IMAP_ANSWER(IMAP_RESP_FETCH)) || !is_begun(session, command) ||
            !asked_for(command, wanted))
            continue;
        if (!wanted->body || command->events.body_begin)
            return command;
        if (!second_best)
            second_best = command;
    }
    return second_best;
}

struct imap_command *imap_session_fetcher(struct imap_session *session, const struct imap_fetch *fetch,
                                          bool body)
{
    struct wanted wanted = {.seq = fetch->seq, .uid = fetch->uid, .body = body};
    if (wanted.uid == 0)
        wanted.uid = imap_msgmap_uid(&session->map, fetch->seq);
    struct imap_command *command = find_fetcher(session, &wanted);
    if (command)
        return command;
    wanted.star = true;
    return find_fetcher(session, &wanted);
}

static bool is_inbox(const char *name, size_t len)
{
    return len == 5 && strncasecmp(name, "INBOX", 5) == 0;
}

static bool is_about(const struct imap_command *command, const struct imap_mailbox_status *status)
{
    if (!command->mailbox)
        return false;
    if (is_inbox(command->mailbox, command->mailbox_len) && is_inbox(status->name, status->name_len))
        return true;
    return command->mailbox_len == status->name_len &&
           memcmp(command->mailbox, status->name, status->name_len) == 0;
}

/* Several STATUS may be in flight: the name tells them apart. A lone one gets what there is, for a
 * server may spell the name in its own way; not after NOTIFY, where it may be of any mailbox. */
static struct imap_command *find_status(const struct imap_session *session,
                                        const struct imap_mailbox_status *status)
{
    struct imap_command *some = NULL;
    unsigned count = 0;
    for (struct imap_command *command = session->flight.first; command; command = command->next) {
        if (!(command->verb->answers & IMAP_ANSWER(IMAP_RESP_STATUS)) || !is_begun(session, command))
            continue;
        if (!(command->verb->flags & IMAP_VERB_DISTINCT) || is_about(command, status))
            return command;
        some = command;
        count++;
    }
    return count == 1 && !session->notified ? some : NULL;
}

static struct imap_command *find_answered(const struct imap_session *session, uint64_t answer)
{
    for (struct imap_command *command = session->flight.first; command; command = command->next)
        if ((command->verb->answers & answer) && is_begun(session, command))
            return command;
    return NULL;
}

/* VANISHED (EARLIER) is asked for by SELECT and UID FETCH, the other one by what expunges. */
static struct imap_command *find_vanished(const struct imap_session *session, bool earlier)
{
    struct imap_command *command = find_answered(session, IMAP_ANSWER(IMAP_RESP_VANISHED));
    bool fetches = command && (command->verb->answers & IMAP_ANSWER(IMAP_RESP_FETCH));
    bool expunges = command && (command->verb->answers & IMAP_ANSWER(IMAP_RESP_EXPUNGE));
    return (earlier ? fetches : expunges) ? command : NULL;
}

static struct imap_command *find_command(struct imap_session *session, const struct imap_response *response)
{
    switch (response->type) {
    case IMAP_RESP_FETCH:
        if (session->owner)
            return session->owner;
        return imap_session_fetcher(session, &response->fetch, response->fetch.sections != NULL);
    case IMAP_RESP_STATUS:
        return find_status(session, &response->status);
    case IMAP_RESP_VANISHED:
        return find_vanished(session, response->vanished.earlier);
    default:
        return find_answered(session, IMAP_ANSWER(response->type));
    }
}

/* An answer with a part that cannot be read must not be taken for a shorter one. (Who fetches messages
 * counts them, and FLAGS decide nothing.) */
static void spoil(struct imap_session *session, enum imap_response_type malformed)
{
    if (malformed == IMAP_RESP_FETCH || malformed == IMAP_RESP_FLAGS)
        return;
    struct imap_command *command = find_answered(session, IMAP_ANSWER(malformed));
    if (command)
        command->spoilt = IMAP_PROTO;
}

enum imap_status imap_session_take_untagged(struct imap_session *session, struct imap_response *response,
                                            struct imap_error *err)
{
    response->renumbered = session->renumbered;
    enum imap_status status = take_in(session, response, err);
    if (status != IMAP_OK)
        return status;
    if (session->events.untagged)
        session->events.untagged(session->arg, response);
    if (session->state == IMAP_STATE_DEAD)
        return IMAP_OK;
    if (response->malformed)
        spoil(session, response->malformed);
    struct imap_command *command = find_command(session, response);
    if (command && command->events.response)
        command->events.response(command->arg, response);
    else if (!command && session->events.unasked)
        session->events.unasked(session->arg, response);
    /* only now: the callbacks may have asked whose number it was */
    if (response->type == IMAP_RESP_EXPUNGE && session->map.count > session->selected.exists)
        imap_msgmap_expunge(&session->map, response->number);
    return IMAP_OK;
}
