/* SPDX-License-Identifier: MIT */
#include "transcript.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap/session.h"
#include "transcript_text.h"

enum { KIND_DONE, KIND_BODY, KIND_BREACH, KIND_RESPONSE, KIND_UNTAGGED, KIND_CONTINUATION, KIND_COUNT };
static const char *const kinds[KIND_COUNT] = {"done ",     "body ",     "breach ",
                                              "response ", "untagged ", "continuation "};
#define KIND_MUST 3 /* of those before, every event must be expected */

struct replay {
    const char *path;
    unsigned line;
    size_t cut, fed;
    struct imap_session *session;
    struct imap_limits limits;
    bool dead, held;
    size_t room;  /* bytes that the line takes while held */
    size_t taken; /* bytes of a literal that were expected before its end */
    enum { BODIES_STREAM, BODIES_REFUSE, BODIES_BUFFER } bodies;
    struct text pending; /* of the server, not yet fed */
    struct text wire;    /* of the client, not yet expected */
    struct text traced;  /* client lines of the trace, not yet expected */
    struct text log;
    struct text events[KIND_COUNT]; /* not yet expected, one a line */
    bool expected[KIND_COUNT];
    bool checks;         /* there is a line that checks something: this is not just somebody's trace */
    char connection[16]; /* of a trace: the first one's lines are replayed */
};

struct sender {
    struct replay *replay;
    char verb[64];
    uint32_t body_uid;
    uint64_t body_size;
};

#define FAIL(replay, ...) fail_at(replay, __VA_ARGS__)
static void fail_at(const struct replay *replay, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail_at(const struct replay *replay, const char *fmt, ...)
{
    char what[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    ck_abort_msg("%s:%u (cut %zd): %s", replay->path, replay->line, (ssize_t)replay->cut, what);
}

/* ---- events ------------------------------------------------------------------------------------- */

static void event(struct replay *replay, int kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void event(struct replay *replay, int kind, const char *fmt, ...)
{
    char text[512], line[sizeof text + 16];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int len = snprintf(line, sizeof line, "%s%s\n", kinds[kind], text);
    text_add(&replay->events[kind], line, (size_t)len);
    text_add(&replay->log, line, (size_t)len);
}

static void describe(const struct replay *replay, const struct imap_response *r, char *text, size_t size)
{
    switch (r->type) {
    case IMAP_RESP_EXISTS:
    case IMAP_RESP_RECENT:
        snprintf(text, size, "%s %u", r->name, r->number);
        break;
    case IMAP_RESP_EXPUNGE:
        snprintf(text, size, "EXPUNGE %u uid=%u", r->number, imap_session_uid(replay->session, r->number));
        break;
    case IMAP_RESP_FETCH:
        snprintf(text, size, "FETCH %u uid=%u flags=%x sections=%d", r->fetch.seq, r->fetch.uid,
                 r->fetch.flags.system, r->fetch.sections != NULL);
        break;
    case IMAP_RESP_STATUS:
        snprintf(text, size, "STATUS %s", r->status.name);
        break;
    case IMAP_RESP_LIST:
    case IMAP_RESP_LSUB:
        snprintf(text, size, "%s %s", r->name, r->list.name);
        break;
    case IMAP_RESP_SEARCH:
        snprintf(text, size, "SEARCH %zu", r->search.count);
        break;
    case IMAP_RESP_ESEARCH:
        snprintf(text, size, "ESEARCH %s", r->esearch.tag ? r->esearch.tag : "");
        break;
    case IMAP_RESP_OK:
    case IMAP_RESP_NO:
    case IMAP_RESP_BAD:
    case IMAP_RESP_BYE:
    case IMAP_RESP_PREAUTH:
        snprintf(text, size, "%s %s%s%s", r->name, r->text.code_name ? r->text.code_name : "",
                 r->text.code_name ? " " : "", r->text.text);
        break;
    default:
        snprintf(text, size, "%s%s", r->name, r->malformed ? " malformed" : "");
        break;
    }
}

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct replay *replay = arg;
    char text[256];
    describe(replay, response, text, sizeof text);
    event(replay, KIND_UNTAGGED, "%s", text);
}

static void on_trace(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    struct replay *replay = arg;
    ck_assert_ptr_null(memchr(line, '\r', len));
    ck_assert_ptr_null(memchr(line, '\n', len));
    if (direction == IMAP_TRACE_CLIENT) {
        text_add(&replay->traced, line, len);
        text_add(&replay->traced, "\n", 1);
    }
    text_add(&replay->log, direction == IMAP_TRACE_CLIENT ? "C: " : "S: ", 3);
    text_add(&replay->log, line, len);
    text_add(&replay->log, "\n", 1);
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct sender *sender = arg;
    char text[256];
    describe(sender->replay, response, text, sizeof text);
    event(sender->replay, KIND_RESPONSE, "%s %s", sender->verb, text);
}

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct sender *sender = arg;
    (void)section;
    sender->body_uid = so_far->uid;
    sender->body_size = 0;
    return sender->replay->bodies == BODIES_STREAM;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct sender *sender = arg;
    ck_assert_ptr_nonnull(data);
    sender->body_size += len;
}

static void on_body_end(void *arg)
{
    struct sender *sender = arg;
    event(sender->replay, KIND_BODY, "%u %" PRIu64, sender->body_uid, sender->body_size);
}

static void on_continuation(void *arg, const char *text, size_t len)
{
    struct sender *sender = arg;
    event(sender->replay, KIND_CONTINUATION, "%s %.*s", sender->verb, (int)len, text);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct sender *sender = arg;
    const char *code = imap_code_name(result->error->code);
    ck_assert_int_eq(result->status, result->error->status);
    event(sender->replay, KIND_DONE, "%s %s%s%s", sender->verb, imap_status_name(result->status),
          *code ? " " : "", code);
    free(sender);
}

/* ---- both directions ---------------------------------------------------------------------------- */

static void collect(struct replay *replay)
{
    size_t len;
    const void *bytes;
    while ((bytes = imap_session_pull(replay->session, &len))) {
        if (replay->held && len > replay->room)
            len = replay->room;
        if (len == 0)
            break;
        text_add(&replay->wire, bytes, len);
        imap_session_sent(replay->session, len);
        replay->room -= len;
    }
}

static void feed(struct replay *replay, const char *data, size_t len)
{
    struct imap_error err;
    char *exact = malloc(len); /* so that the sanitizer sees a byte read too far */
    memcpy(exact, data, len);
    replay->fed += len;
    enum imap_status status = imap_session_feed(replay->session, exact, len, &err);
    free(exact);
    if (status != IMAP_OK && !replay->dead) {
        ck_assert_int_eq(status, err.status);
        ck_assert_str_ne(err.text, "");
        ck_assert_int_eq(imap_session_state(replay->session), IMAP_STATE_DEAD);
        replay->dead = true;
        event(replay, KIND_BREACH, "%s", imap_status_name(status));
    }
    collect(replay);
}

static void flush(struct replay *replay)
{
    struct text pending = replay->pending;
    size_t at = 0;
    replay->pending = (struct text){0};
    if (pending.len == 0)
        return;
    if (replay->wire.len > 0)
        FAIL(replay, "sent too much: %.300s", replay->wire.data);
    while (at < pending.len) {
        size_t len = pending.len - at;
        if (replay->cut == TRANSCRIPT_BYTES)
            len = 1;
        else if (replay->cut > replay->fed && replay->cut < replay->fed + len)
            len = replay->cut - replay->fed;
        feed(replay, pending.data + at, len);
        at += len;
    }
    free(pending.data);
}

/* ---- commands ----------------------------------------------------------------------------------- */

static void submit(struct replay *replay, struct imap_command *command, struct sender *sender)
{
    struct imap_command_events events = {.response = on_response,
                                         .body_begin = on_body_begin,
                                         .body_data = on_body_data,
                                         .body_end = on_body_end,
                                         .continuation = on_continuation,
                                         .done = on_done};
    if (replay->bodies == BODIES_BUFFER)
        events.body_begin = NULL;
    imap_command_on(command, &events, sender);
    imap_session_submit(replay->session, command, NULL);
    collect(replay);
}

static struct sender *new_sender(struct replay *replay)
{
    struct sender *sender = calloc(1, sizeof *sender);
    sender->replay = replay;
    return sender;
}

static void run_submit(struct replay *replay, const char *line)
{
    struct sender *sender = new_sender(replay);
    struct text token = {0};
    line = text_take_verb(line, sender->verb, sizeof sender->verb);
    struct imap_command *command = imap_command_new(sender->verb);
    while (*line) {
        line = text_next_token(line, &token, false);
        text_add_argument(command, token.data);
    }
    free(token.data);
    submit(replay, command, sender);
}

/* Makes from "a7 UID FETCH 1:3 (UID)" the command that a trace does not tell of. */
static void submit_from_trace(struct replay *replay, const char *line)
{
    if (strcmp(line, "DONE") == 0) {
        imap_session_idle_done(replay->session);
        collect(replay);
        return;
    }
    if (strcmp(line, "***") == 0) {
        imap_session_continue(replay->session, "c2VjcmV0", 8);
        collect(replay);
        return;
    }
    struct sender *sender = new_sender(replay);
    struct text token = {0};
    line = text_take_verb(line + strcspn(line, " ") + 1, sender->verb, sizeof sender->verb);
    struct imap_command *command = imap_command_new(sender->verb);
    bool set = strstr(sender->verb, "FETCH") || strstr(sender->verb, "STORE");
    bool mailbox = strcmp(sender->verb, "SELECT") == 0 || strcmp(sender->verb, "EXAMINE") == 0 ||
                   strcmp(sender->verb, "STATUS") == 0;
    while (*line) {
        const char *rest = text_next_token(line, &token, !mailbox);
        if (strcmp(token.data, "***") == 0) {
            imap_command_secret(command, "secret", 6);
        } else if (set) {
            text_add_set(command, token.data);
        } else if (mailbox) {
            imap_command_mailbox(command, token.data, token.len);
        } else {
            imap_command_raw(command, token.data);
        }
        if (set || mailbox) { /* the rest as it stands */
            if (*rest)
                imap_command_raw(command, rest);
            rest += strlen(rest);
        }
        line = rest;
    }
    free(token.data);
    submit(replay, command, sender);
}

static void run_client(struct replay *replay, const char *line)
{
    collect(replay);
    if (replay->wire.len == 0 && !replay->held)
        submit_from_trace(replay, line);
    if (replay->wire.len == 0 && !replay->held && !replay->checks) { /* a trace does not tell of TLS */
        (void)!imap_session_tls_started(replay->session, NULL);
        collect(replay);
    }
    size_t len =
        replay->wire.len ? text_match_line(line, replay->taken, replay->wire.data, replay->wire.len) : 0;
    if (len == 0)
        FAIL(replay, "expected to be sent: %s\n   instead: %.300s", line,
             replay->wire.len ? replay->wire.data : "");
    text_take(&replay->wire, len);
    replay->taken = 0;
    size_t traced = strcspn(replay->traced.data, "\n");
    if (strlen(line) != traced || memcmp(line, replay->traced.data, traced) != 0)
        FAIL(replay, "traced as: %.*s", (int)traced, replay->traced.data);
    text_take(&replay->traced, traced + 1);
}

/* ---- checks ------------------------------------------------------------------------------------- */

static void run_expect(struct replay *replay, const char *line)
{
    int kind = 0;
    while (kind < KIND_COUNT && strncmp(line, kinds[kind], strlen(kinds[kind])) != 0)
        kind++;
    if (kind == KIND_COUNT)
        FAIL(replay, "unknown kind of event: %s", line);
    struct text *events = &replay->events[kind];
    replay->expected[kind] = true;
    size_t len = events->len ? strcspn(events->data, "\n") : 0, wanted = strlen(line);
    /* whole words: "done NOOP NO" is not "done NOOP NOT..." */
    if (len < wanted || strncmp(line, events->data, wanted) != 0 ||
        (events->data[wanted] != ' ' && events->data[wanted] != '\n'))
        FAIL(replay, "expected: %s\n   instead: %.*s", line, (int)len, len ? events->data : "");
    if (kind == KIND_DONE && len != wanted) /* a code is no detail */
        FAIL(replay, "expected: %s\n   instead: %.*s", line, (int)len, events->data);
    text_take(events, len + 1);
}

static const char *ask(const struct replay *replay, const char *what, const char *argument, char text[64])
{
    static const char *const states[] = {
        "GREETING", "NOT_AUTHENTICATED", "AUTHENTICATED", "SELECTED", "LOGOUT", "DEAD"};
    const struct imap_session *session = replay->session;
    const struct imap_selected *selected = imap_session_selected(session);
    uint64_t number;
    if (strcmp(what, "state") == 0)
        return states[imap_session_state(session)];
    if (strcmp(what, "mailbox") == 0)
        return selected->name ? selected->name : "none";
    if (strcmp(what, "readonly") == 0)
        return selected->read_only ? "yes" : "no";
    if (strcmp(what, "caps") == 0)
        return imap_session_caps_known(session) ? "known" : "unknown";
    if (strcmp(what, "has") == 0)
        return imap_caps_has_name(imap_session_caps(session), argument) ? "yes" : "no";
    if (strcmp(what, "enabled") == 0)
        return imap_caps_has_name(imap_session_enabled(session), argument) ? "yes" : "no";
    if (strcmp(what, "welcome") == 0)
        return imap_session_welcome(session);
    if (strcmp(what, "idling") == 0)
        return imap_session_idling(session) ? "yes" : "no";
    if (strcmp(what, "exists") == 0)
        number = selected->exists;
    else if (strcmp(what, "uidvalidity") == 0)
        number = selected->uidvalidity;
    else if (strcmp(what, "uidnext") == 0)
        number = selected->uidnext;
    else if (strcmp(what, "modseq") == 0)
        number = selected->highestmodseq;
    else if (strcmp(what, "permanent") == 0)
        number = selected->permanent_flags;
    else if (strcmp(what, "uid") == 0)
        number = imap_session_uid(session, (uint32_t)strtoul(argument, NULL, 10));
    else if (strcmp(what, "pending") == 0)
        number = imap_session_pending(session);
    else if (strcmp(what, "flight") == 0)
        number = imap_session_in_flight(session);
    else
        return "(no such question)";
    snprintf(text, 64, "%" PRIu64, number);
    return text;
}

static void run_question(struct replay *replay, const char *line)
{
    char text[64], what[32], argument[64] = "", value[256];
    bool has_argument =
        strncmp(line, "uid ", 4) == 0 || strncmp(line, "has ", 4) == 0 || strncmp(line, "enabled ", 8) == 0;
    if (has_argument)
        ck_assert_int_eq(sscanf(line, "%31s %63s %255[^\n]", what, argument, value), 3);
    else
        ck_assert_int_eq(sscanf(line, "%31s %255[^\n]", what, value), 2);
    const char *answer = ask(replay, what, argument, text);
    if (strcmp(answer, value) != 0)
        FAIL(replay, "%s is %s", line, answer);
}

/* ---- actions ------------------------------------------------------------------------------------ */

static void start(struct replay *replay)
{
    static const struct imap_session_events events = {.untagged = on_untagged, .trace = on_trace};
    imap_session_free(&replay->session);
    replay->session = imap_session_new(&events, replay, &replay->limits);
}

static void set_limits(struct replay *replay, const char *line)
{
    char name[32];
    unsigned long number;
    int used;
    while (sscanf(line, " %31[a-z_]=%lu%n", name, &number, &used) == 2) {
        if (strcmp(name, "response_bytes") == 0)
            replay->limits.response_bytes = number;
        else if (strcmp(name, "depth") == 0)
            replay->limits.depth = (unsigned)number;
        else if (strcmp(name, "pipeline") == 0)
            replay->limits.pipeline = number;
        else if (strcmp(name, "messages") == 0)
            replay->limits.messages = (uint32_t)number;
        else
            FAIL(replay, "no such limit: %s", name);
        line += used;
    }
    start(replay);
}

static void run_compress(struct replay *replay, const char *line)
{
    struct text rest = {0}, token = {0};
    const void *behind;
    size_t len;
    struct imap_error err = {IMAP_OK};
    line = text_next_token(line, &token, false);
    text_add(&rest, "", 0);
    text_unescape(&rest, line, false);
    enum imap_status status = imap_session_compress_started(replay->session, &behind, &len, &err);
    ck_assert_int_eq(status, err.status);
    if (strcmp(token.data, imap_status_name(status)) != 0)
        FAIL(replay, "compress_started: %s", imap_status_name(status));
    if (len != rest.len || (len > 0 && memcmp(behind, rest.data, len) != 0))
        FAIL(replay, "behind the OK: %.*s", (int)len, len ? (const char *)behind : "");
    free(rest.data);
    free(token.data);
}

static void run_action(struct replay *replay, const char *line)
{
    collect(replay);
    if (strcmp(line, "quiet") == 0) {
        if (replay->wire.len > 0)
            FAIL(replay, "not quiet: %.300s", replay->wire.data);
    } else if (strcmp(line, "lost") == 0) {
        struct imap_error why;
        imap_error_set(&why, IMAP_AGAIN, "connection reset");
        imap_session_lost(replay->session, &why);
    } else if (strcmp(line, "idle_done") == 0) {
        imap_session_idle_done(replay->session);
        collect(replay);
    } else if (strncmp(line, "tls ", 4) == 0) {
        struct imap_error err = {IMAP_OK};
        enum imap_status status = imap_session_tls_started(replay->session, &err);
        ck_assert_int_eq(status, err.status);
        if (strcmp(line + 4, imap_status_name(status)) != 0)
            FAIL(replay, "tls_started: %s", imap_status_name(status));
    } else if (strncmp(line, "compress ", 9) == 0) {
        run_compress(replay, line + 9);
    } else if (strncmp(line, "continue", 8) == 0) {
        const char *answer = line + 8 + (line[8] == ' ');
        imap_session_continue(replay->session, answer, strlen(answer));
        collect(replay);
    } else if (strcmp(line, "hold") == 0) {
        replay->held = true;
        replay->room = 0;
    } else if (strncmp(line, "room ", 5) == 0) {
        replay->held = true;
        replay->room = strtoul(line + 5, NULL, 10);
    } else if (strncmp(line, "taken ", 6) == 0) {
        size_t taken = strtoul(line + 6, NULL, 10);
        if (taken != replay->wire.len)
            FAIL(replay, "taken: %zu", replay->wire.len);
        text_take(&replay->wire, taken);
        replay->taken += taken;
    } else if (strcmp(line, "release") == 0) {
        replay->held = false;
        collect(replay);
    } else if (strcmp(line, "bodies stream") == 0) {
        replay->bodies = BODIES_STREAM;
    } else if (strcmp(line, "bodies refuse") == 0) {
        replay->bodies = BODIES_REFUSE;
    } else if (strcmp(line, "bodies buffer") == 0) {
        replay->bodies = BODIES_BUFFER;
    } else if (strncmp(line, "limits ", 7) == 0) {
        set_limits(replay, line + 7);
    } else {
        FAIL(replay, "unknown action: %s", line);
    }
}

/* Lines of a trace begin with the number of the connection. */
static const char *strip_connection(struct replay *replay, const char *line)
{
    size_t digits = strspn(line, "0123456789");
    if (digits == 0 || digits >= sizeof replay->connection || line[digits] != ' ')
        return strncmp(line, "imapfs: ", 8) == 0 ? "" : line;
    if (!*replay->connection)
        memcpy(replay->connection, line, digits);
    bool ours = strlen(replay->connection) == digits && strncmp(line, replay->connection, digits) == 0;
    return ours ? line + digits + 1 : "";
}

static void run_line(struct replay *replay, const char *line)
{
    line = strip_connection(replay, line);
    bool server = strncmp(line, "S: ", 3) == 0 || strncmp(line, "S~ ", 3) == 0;
    if (*line == '\0' || *line == '#')
        return;
    if (server) {
        text_unescape(&replay->pending, line + 3, line[1] == ':' && text_is_fetch(line + 3));
        if (line[1] == ':')
            text_add(&replay->pending, "\r\n", 2);
        return;
    }
    flush(replay);
    replay->checks |= strchr("=?!>", *line) != NULL;
    if (strncmp(line, "C: ", 3) == 0)
        run_client(replay, line + 3);
    else if (strncmp(line, "> ", 2) == 0)
        run_submit(replay, line + 2);
    else if (strncmp(line, "= ", 2) == 0)
        run_expect(replay, line + 2);
    else if (strncmp(line, "? ", 2) == 0)
        run_question(replay, line + 2);
    else if (strncmp(line, "! ", 2) == 0)
        run_action(replay, line + 2);
    else
        FAIL(replay, "cannot read: %s", line);
}

static void finish(struct replay *replay)
{
    flush(replay);
    if (replay->wire.len > 0)
        FAIL(replay, "sent too much: %.300s", replay->wire.data);
    if (replay->events[KIND_BREACH].len > 0)
        FAIL(replay, "not expected: %.300s", replay->events[KIND_BREACH].data);
    if (!replay->checks)
        return; /* a trace may end anywhere */
    if (imap_session_pending(replay->session) > 0)
        FAIL(replay, "%zu commands are not done", imap_session_pending(replay->session));
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if ((kind < KIND_MUST || replay->expected[kind]) && replay->events[kind].len > 0)
            FAIL(replay, "not expected: %.300s", replay->events[kind].data);
}

char *transcript_replay(const char *path, size_t cut, size_t *fed_out)
{
    struct replay replay = {
        .path = path,
        .cut = cut,
        .limits = {.response_bytes = 1 << 20, .depth = 64, .pipeline = 64, .messages = 1000000}};
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    start(&replay);
    while (getline(&line, &room, file) >= 0) {
        replay.line++;
        line[strcspn(line, "\n")] = '\0';
        run_line(&replay, line);
    }
    finish(&replay);
    imap_session_free(&replay.session);
    fclose(file);
    free(line);
    free(replay.wire.data);
    free(replay.traced.data);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        free(replay.events[kind].data);
    *fed_out = replay.fed;
    return replay.log.data ? replay.log.data : calloc(1, 1);
}
