/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

/* Longer quoted strings overrun the line buffers of old servers (Yahoo and UW: 1000 bytes). */
#define QUOTED_MAX 1000
#define SET_CHUNK 4096

struct imap_command *imap_command_new(const char *verb)
{
    struct imap_command *command = imap_xcalloc(1, sizeof *command);
    command->verb = imap_verb_find(verb);
    imap_command_raw(command, verb);
    return command;
}

void imap_command_destroy(struct imap_command *command)
{
    if (command->bytes)
        explicit_bzero(command->bytes, command->room);
    if (command->release)
        command->release(command->owned);
    free(command->bytes);
    free(command->segments);
    free(command->mailbox);
    imap_seqset_fini(&command->set);
    free(command);
}

void imap_command_free(struct imap_command **command)
{
    if (*command)
        imap_command_destroy(*command);
    *command = NULL;
}

void imap_command_on(struct imap_command *command, const struct imap_command_events *events, void *arg)
{
    command->events = *events;
    command->arg = arg;
}

/* ---- segments ----------------------------------------------------------------------------------- */

/* realloc would leave a copy of the secrets behind. */
static void grow(struct imap_command *command, size_t more)
{
    if (command->room - command->len >= more)
        return;
    size_t room = command->room ? command->room : 128;
    while (room - command->len < more) {
        if (room > SIZE_MAX / 2)
            abort();
        room *= 2;
    }
    char *bytes = imap_xmalloc(room);
    if (command->bytes) {
        memcpy(bytes, command->bytes, command->len);
        explicit_bzero(command->bytes, command->room);
        free(command->bytes);
    }
    command->bytes = bytes;
    command->room = room;
}

static struct imap_segment *add_segment(struct imap_command *command, enum imap_segment_kind kind,
                                        uint64_t len)
{
    if (command->segment_count == command->segment_room) {
        command->segment_room = command->segment_room ? command->segment_room * 2 : 4;
        command->segments =
            imap_xreallocarray(command->segments, command->segment_room, sizeof *command->segments);
    }
    struct imap_segment *segment = &command->segments[command->segment_count++];
    *segment = (struct imap_segment){.kind = kind, .len = len};
    return segment;
}

static void add(struct imap_command *command, enum imap_segment_kind kind, const char *bytes, size_t len)
{
    bool literal = kind == IMAP_SEGMENT_LITERAL || kind == IMAP_SEGMENT_SECRET_LITERAL;
    struct imap_segment *last =
        command->segment_count ? &command->segments[command->segment_count - 1] : NULL;
    grow(command, len);
    if (len > 0)
        memcpy(command->bytes + command->len, bytes, len);
    command->len += len;
    if (last && last->kind == kind && !literal)
        last->len += len;
    else
        add_segment(command, kind, len);
}

void imap_command_add_text(struct imap_command *command, const char *text, size_t len)
{
    add(command, IMAP_SEGMENT_TEXT, text, len);
}

void imap_command_add_space(struct imap_command *command)
{
    const struct imap_segment *last =
        command->segment_count ? &command->segments[command->segment_count - 1] : NULL;
    bool after_open =
        last && last->kind == IMAP_SEGMENT_TEXT && last->len > 0 && command->bytes[command->len - 1] == '(';
    if (last && !after_open)
        imap_command_add_text(command, " ", 1);
}

void imap_command_mark_broken(struct imap_command *command, const char *why)
{
    if (!command->broken)
        command->broken = why;
}

/* ---- strings ------------------------------------------------------------------------------------ */

enum string_form { FORM_ATOM, FORM_QUOTED, FORM_LITERAL, FORM_NONE };

/* ATOM-CHAR of RFC 3501 9 but for brackets, which some servers take for the start of a section. */
static bool is_atom_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && !strchr("(){%*\"\\[]", c);
}

static enum string_form choose_form(const char *str, size_t len)
{
    enum string_form form = len > QUOTED_MAX ? FORM_LITERAL : FORM_ATOM;
    if (len == 0 || (len == 3 && strncasecmp(str, "NIL", 3) == 0))
        form = FORM_QUOTED;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)str[i];
        if (c == '\0')
            return FORM_NONE;
        if (c >= 0x80 || c == '\r' || c == '\n')
            form = FORM_LITERAL;
        else if (form == FORM_ATOM && !is_atom_char(c))
            form = FORM_QUOTED;
    }
    return form;
}

static void add_quoted(struct imap_command *command, enum imap_segment_kind kind, const char *str, size_t len)
{
    add(command, kind, "\"", 1);
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < len; i++) {
        if (str[i] != '"' && str[i] != '\\')
            continue;
        add(command, kind, str + plain, i - plain);
        add(command, kind, "\\", 1);
        plain = i;
    }
    add(command, kind, str + plain, len - plain);
    add(command, kind, "\"", 1);
}

static bool is_quotable(const char *str, size_t len)
{
    return len <= QUOTED_MAX && !memchr(str, '\r', len) && !memchr(str, '\n', len) &&
           imap_utf8_is_valid(str, len);
}

static void add_string(struct imap_command *command, const char *str, size_t len, enum string_form form,
                       bool secret)
{
    enum imap_segment_kind text = secret ? IMAP_SEGMENT_SECRET : IMAP_SEGMENT_TEXT;
    switch (form) {
    case FORM_ATOM:
        add(command, text, str, len);
        break;
    case FORM_QUOTED:
        add_quoted(command, text, str, len);
        break;
    case FORM_LITERAL:
        add(command, secret ? IMAP_SEGMENT_SECRET_LITERAL : IMAP_SEGMENT_LITERAL, str, len);
        command->segments[command->segment_count - 1].quotable = !secret && is_quotable(str, len);
        break;
    case FORM_NONE:
        imap_command_mark_broken(command, "a NUL byte cannot be sent");
        break;
    }
}

void imap_command_add_string(struct imap_command *command, const char *str, size_t len)
{
    enum string_form form = choose_form(str, len);
    add_string(command, str, len, form == FORM_ATOM ? FORM_QUOTED : form, false);
}

static void add_astring(struct imap_command *command, const char *str, size_t len, bool secret)
{
    imap_command_add_space(command);
    add_string(command, str, len, choose_form(str, len), secret);
}

void imap_command_astring(struct imap_command *command, const char *str, size_t len)
{
    add_astring(command, str, len, false);
}

void imap_command_secret(struct imap_command *command, const char *str, size_t len)
{
    add_astring(command, str, len, true);
}

void imap_command_mailbox(struct imap_command *command, const char *wire_name, size_t len)
{
    if (!command->mailbox) {
        command->mailbox = imap_xstrndup(wire_name, len);
        command->mailbox_len = len;
    }
    add_astring(command, wire_name, len, false);
}

void imap_command_source(struct imap_command *command, uint64_t size, bool literal8,
                         imap_command_source_next *next, void *arg)
{
    if (size > INT64_MAX)
        imap_command_mark_broken(command, "a literal of more than 2^63-1 octets cannot be sent");
    imap_command_add_space(command);
    struct imap_segment *segment = add_segment(command, IMAP_SEGMENT_SOURCE, size);
    segment->literal8 = literal8;
    segment->next = next;
    segment->arg = arg;
}

void imap_command_message(struct imap_command *command, uint64_t size, bool literal8,
                          imap_command_source_next *next, void *arg)
{
    imap_command_source(command, size, literal8, next, arg);
    command->segments[command->segment_count - 1].message = true;
}

void imap_command_nstring(struct imap_command *command, const char *str, size_t len)
{
    imap_command_add_space(command);
    if (!str) {
        imap_command_add_text(command, "NIL", 3);
    } else if (memchr(str, '\0', len)) {
        add(command, IMAP_SEGMENT_LITERAL, str, len);
        command->segments[command->segment_count - 1].literal8 = true;
    } else {
        imap_command_add_string(command, str, len);
    }
}

void imap_command_own(struct imap_command *command, void *mem, void (*release)(void *mem))
{
    command->owned = mem;
    command->release = release;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

void imap_command_raw(struct imap_command *command, const char *text)
{
    if (strpbrk(text, "\r\n"))
        imap_command_mark_broken(command, "a line end cannot be sent outside of a literal");
    if (*text == '\0')
        return;
    if (*text != ')')
        imap_command_add_space(command);
    imap_command_add_text(command, text, strlen(text));
}

void imap_command_number(struct imap_command *command, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    imap_command_raw(command, text);
}

static void remember_set(struct imap_command *command, const struct imap_seqset *set)
{
    if (command->has_set || !(command->verb->flags & IMAP_VERB_SET))
        return;
    command->has_set = true;
    command->set.ranges = imap_xreallocarray(NULL, set->count, sizeof *set->ranges);
    memcpy(command->set.ranges, set->ranges, set->count * sizeof *set->ranges);
    command->set.count = command->set.capacity = set->count;
}

void imap_command_seqset(struct imap_command *command, const struct imap_seqset *set)
{
    char text[SET_CHUNK];
    uint32_t from = 1;
    if (set->count == 0) {
        imap_command_mark_broken(command, "an empty sequence set cannot be sent");
        return;
    }
    remember_set(command, set);
    imap_command_add_space(command);
    for (bool first = true; from != 0; first = false) {
        size_t len = imap_seqset_format(set, &from, text, sizeof text);
        if (!first)
            imap_command_add_text(command, ",", 1);
        imap_command_add_text(command, text, len);
    }
}

static const struct {
    unsigned bit;
    const char *name;
} system_flags[] = {{IMAP_FLAG_ANSWERED, "\\Answered"},
                    {IMAP_FLAG_FLAGGED, "\\Flagged"},
                    {IMAP_FLAG_DELETED, "\\Deleted"},
                    {IMAP_FLAG_SEEN, "\\Seen"},
                    {IMAP_FLAG_DRAFT, "\\Draft"}}; /* \Recent is the server's alone (RFC 3501 2.3.2) */

static bool is_flag(const char *flag)
{
    if (*flag == '\\')
        flag++;
    const char *at = flag;
    while (*at && (is_atom_char((unsigned char)*at) || *at == '[' || *at == ']'))
        at++; /* brackets occur in the flags of real servers */
    return at > flag && *at == '\0';
}

void imap_command_flags(struct imap_command *command, unsigned system, const char *const *keywords,
                        size_t count)
{
    imap_command_open(command);
    for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
        if (system & system_flags[i].bit)
            imap_command_raw(command, system_flags[i].name);
    for (size_t i = 0; i < count; i++) {
        if (is_flag(keywords[i]))
            imap_command_raw(command, keywords[i]);
        else
            imap_command_mark_broken(command, "a flag must be an atom");
    }
    imap_command_close(command);
}

void imap_command_open(struct imap_command *command)
{
    imap_command_add_space(command);
    imap_command_add_text(command, "(", 1);
}

void imap_command_close(struct imap_command *command)
{
    imap_command_add_text(command, ")", 1);
}
