/* SPDX-License-Identifier: MIT */
/*
 * Drives two sessions through the same conversation, one fed line by line, the other byte by byte. Both must
 * tell the same, each command must be done exactly once, and nothing may be kept beyond the limits.
 *
 * Input: a line that begins with ">" submits a command (words that begin with #, @, $, % as in the
 * transcripts), "!" takes an action, anything else is what the server sends, with CRLF.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imap/session.h"

#define LINE_MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct party {
    struct imap_session *session;
    bool bytewise;
    uint64_t hash;
    size_t submitted, done;
};

struct sender {
    struct party *party;
    uint64_t body;
    bool in_body, refuses;
};

static void mix(struct party *party, const void *data, size_t len)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < len; i++)
        party->hash = (party->hash ^ at[i]) * 1099511628211u;
}

static void mix_number(struct party *party, uint64_t number)
{
    mix(party, &number, sizeof number);
}

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct party *party = arg;
    mix_number(party, response->type);
    mix_number(party, response->number);
    mix(party, response->raw, response->raw_len);
    mix_number(party, imap_session_uid(party->session, response->number));
}

static void on_trace(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    if (memchr(line, '\r', len) || memchr(line, '\n', len) || memchr(line, '\0', len))
        abort();
    mix_number(arg, direction);
    mix(arg, line, len);
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct sender *sender = arg;
    if (sender->in_body)
        abort();
    mix_number(sender->party, response->type + 1000u);
}

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct sender *sender = arg;
    if (sender->in_body || !section)
        abort();
    mix_number(sender->party, so_far->uid);
    mix_number(sender->party, section->size);
    sender->in_body = !sender->refuses;
    sender->body = section->size;
    return sender->in_body;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct sender *sender = arg;
    if (!sender->in_body || len == 0 || len > sender->body)
        abort();
    sender->body -= len;
    mix(sender->party, data, len);
}

static void on_body_end(void *arg)
{
    struct sender *sender = arg;
    if (!sender->in_body || sender->body != 0)
        abort();
    sender->in_body = false;
}

static void on_continuation(void *arg, const char *text, size_t len)
{
    struct sender *sender = arg;
    mix(sender->party, text, len);
    if (len % 2)
        imap_session_continue(sender->party->session, text, len);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct sender *sender = arg;
    if ((result->status == IMAP_OK) != (result->error->status == IMAP_OK))
        abort();
    mix_number(sender->party, result->status);
    mix(sender->party, result->error->text, strlen(result->error->text));
    sender->party->done++;
    free(sender);
}

/* Of a message of which arg is the size: by pieces, or not at all. */
static ssize_t next_of_source(void *arg, void *buf, size_t size)
{
    size_t all = (size_t)(uintptr_t)arg, piece = size < 1000 ? size : 1000;
    if (size == 0 || size > all)
        abort();
    memset(buf, 'x', piece);
    return all % 11 == 3 ? -5 : (ssize_t)piece;
}

static void add_text(struct imap_command *command, const char *word, size_t len,
                     void (*add)(struct imap_command *command, const char *text))
{
    char *text = strndup(word, len);
    add(command, text);
    free(text);
}

static void add_argument(struct imap_command *command, const char *word, size_t len)
{
    struct imap_seqset set = {0};
    switch (*word) {
    case '#':
        if (imap_seqset_parse(&set, word + 1, len - 1, NULL) == IMAP_OK)
            imap_command_seqset(command, &set);
        imap_seqset_fini(&set);
        break;
    case '@':
        imap_command_astring(command, word + 1, len - 1);
        break;
    case '%':
        imap_command_mailbox(command, word + 1, len - 1);
        break;
    case '$':
        imap_command_secret(command, word + 1, len - 1);
        break;
    case '&':
        add_text(command, word + 1, len - 1, imap_command_set);
        break;
    case '=':
        add_text(command, word + 1, len - 1, imap_command_criteria);
        break;
    case '~':
        add_text(command, word + 1, len - 1, imap_command_list);
        break;
    case '^':
        imap_command_source(command, len * len, len % 3 == 0, next_of_source, (void *)(uintptr_t)(len * len));
        break;
    default:
        add_text(command, word, len, imap_command_raw);
    }
}

static void submit(struct party *party, const char *line, size_t len)
{
    static const struct imap_command_events events = {on_response, on_body_begin,   on_body_data,
                                                      on_body_end, on_continuation, on_done};
    const char *end = line + len, *word_end = memchr(line, ' ', len);
    if (word_end && word_end - line == 3 && memcmp(line, "UID", 3) == 0)
        word_end = memchr(word_end + 1, ' ', (size_t)(end - word_end - 1));
    char *verb = strndup(line, word_end ? (size_t)(word_end - line) : len);
    struct imap_command *command = imap_command_new(verb);
    free(verb);
    for (const char *at = word_end; at && at < end; at = word_end) {
        at++;
        word_end = memchr(at, ' ', (size_t)(end - at));
        size_t word_len = (size_t)((word_end ? word_end : end) - at);
        if (word_len > 0)
            add_argument(command, at, word_len);
    }
    struct sender *sender = calloc(1, sizeof *sender);
    sender->party = party;
    sender->refuses = len % 7 == 0;
    struct imap_command_events mine = events;
    if (len % 5 == 0)
        mine.body_begin = NULL;
    imap_command_on(command, &mine, sender);
    party->submitted++;
    (void)imap_session_submit(party->session, command, NULL);
}

static void start_compression(struct party *party)
{
    struct imap_error err;
    const void *rest;
    size_t len;
    mix_number(party, imap_session_compress_started(party->session, &rest, &len, &err));
    if (len > 0)
        mix(party, rest, len);
}

static void act(struct party *party, char action)
{
    struct imap_error err;
    switch (action) {
    case 'l':
        imap_session_lost(party->session, NULL);
        break;
    case 't':
        mix_number(party, imap_session_tls_started(party->session, &err));
        break;
    case 'c':
        start_compression(party);
        break;
    case 'i':
        imap_session_idle_done(party->session);
        break;
    default:
        imap_session_continue(party->session, "*", 1);
    }
}

static void pull(struct party *party)
{
    size_t len;
    const void *bytes = imap_session_pull(party->session, &len);
    if (len > 0)
        mix(party, bytes, len);
    imap_session_sent(party->session, len);
}

static void feed(struct party *party, const char *line, size_t len)
{
    struct imap_error err;
    size_t step = party->bytewise ? 1 : len;
    for (size_t at = 0; at < len; at += step) {
        char *exact = malloc(step);
        memcpy(exact, line + at, step);
        enum imap_status status = imap_session_feed(party->session, exact, step, &err);
        free(exact);
        if (status != IMAP_OK && imap_session_state(party->session) != IMAP_STATE_DEAD)
            abort();
    }
}

static void take_line(struct party *party, const char *line, size_t len)
{
    char text[LINE_MAX_BYTES + 2];
    if (len > LINE_MAX_BYTES)
        len = LINE_MAX_BYTES;
    if (len > 1 && *line == '>') {
        size_t skip = line[1] == ' ' ? 2 : 1;
        submit(party, line + skip, len - skip);
    } else if (len > 1 && *line == '!') {
        act(party, line[1]);
    } else {
        memcpy(text, line, len);
        text[len] = '\r';
        text[len + 1] = '\n';
        feed(party, text, len + 2);
    }
    pull(party);
}

static void run(struct party *party, const uint8_t *data, size_t size)
{
    static const struct imap_session_events events = {on_untagged, on_trace};
    static const struct imap_limits limits = {
        .response_bytes = 16384, .depth = 16, .pipeline = 8, .messages = 100000};
    const char *at = (const char *)data, *end = at + size;
    party->session = imap_session_new(&events, party, &limits);
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        take_line(party, at, (size_t)((line_end ? line_end : end) - at));
        at = line_end ? line_end + 1 : end;
    }
    mix_number(party, imap_session_state(party->session));
    mix_number(party, imap_session_selected(party->session)->exists);
    mix_number(party, imap_session_pending(party->session));
    imap_session_free(&party->session);
    if (party->submitted != party->done)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct party whole = {0}, bytewise = {.bytewise = true};
    run(&whole, data, size);
    run(&bytewise, data, size);
    if (whole.hash != bytewise.hash)
        abort();
    return 0;
}
