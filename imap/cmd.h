/* SPDX-License-Identifier: MIT */
/*
 * cmd: the inside of a command, shared by the builder (cmd.c) and the session.
 *
 * The arguments are kept as segments of one run of bytes, without tag and final CRLF. A segment says
 * how its bytes go out (as they are, or as a literal in whichever form the server takes) and whether
 * the trace may show them. Bytes are wiped when freed, as any command may hold a secret. The bytes of a
 * source are not kept here: they are asked for while the literal is sent.
 */
#ifndef IMAP_CMD_H
#define IMAP_CMD_H

#include "imap/command.h"

#include "verbs.h"

enum imap_segment_kind {
    IMAP_SEGMENT_TEXT,
    IMAP_SEGMENT_SECRET, /* text that is traced as *** */
    IMAP_SEGMENT_LITERAL,
    IMAP_SEGMENT_SECRET_LITERAL,
    IMAP_SEGMENT_SOURCE
};

struct imap_segment {
    enum imap_segment_kind kind;
    bool literal8;
    bool quotable; /* a LITERAL that can be quoted where strings may hold UTF-8 */
    uint64_t len;  /* octets; they follow those of the segment before, unless this is a source */
    bool message;  /* of a source: goes as UTF8 (~{n} ...) once that is enabled (RFC 6855 4) */
    imap_command_source_next *next; /* of a source */
    void *arg;
};

struct imap_command {
    const struct imap_verb *verb;
    struct imap_command_events events;
    void *arg;

    char *bytes; /* of all segments */
    size_t len, room;
    struct imap_segment *segments;
    size_t segment_count, segment_room;
    const char *broken; /* why it cannot be sent, or NULL */
    void *owned;        /* by the command, given back by release */
    void (*release)(void *owned);

    bool has_set;           /* for the verbs with IMAP_VERB_SET; not for "$", which the server alone knows */
    struct imap_seqset set; /* if has_set */
    char *mailbox;          /* the first one given, or NULL */
    size_t mailbox_len;

    /* The session's, from submission on. */
    struct imap_command *next;
    uint32_t number;                 /* of the tag */
    bool announced;                  /* of the literal segment_next: its {n} was written */
    bool complete;                   /* everything was written */
    size_t segment_next, bytes_next; /* what is to be written next */
    uint64_t source_left;            /* of the source segment_next: octets that are not yet written */
    uint64_t begin, end;             /* where it lies in all that the session ever wrote */
    enum imap_status spoilt;         /* IMAP_OK, or what became of a part of its answer */
};

/* Unlinks nothing; the events are not called. */
void imap_command_destroy(struct imap_command *command);

/* ---- cmd.c, for cmd_text.c and the verbs ---------------------------------------------------------------------- */
void imap_command_add_space(struct imap_command *command); /* where the grammar wants one */
void imap_command_add_text(struct imap_command *command, const char *text, size_t len);
/* Quoted or as a literal, without a space before it. */
void imap_command_add_string(struct imap_command *command, const char *str, size_t len);
/* A string or NIL for NULL (RFC 3501 nstring): never an atom; as a literal8 when it holds NUL (RFC 3516). */
void imap_command_nstring(struct imap_command *command, const char *str, size_t len);
/* imap_command_source for a message to be stored. */
void imap_command_message(struct imap_command *command, uint64_t size, bool literal8,
                          imap_command_source_next *next, void *arg);
/* release(mem) is called when the command is gone. One a command. */
void imap_command_own(struct imap_command *command, void *mem, void (*release)(void *mem));
void imap_command_mark_broken(struct imap_command *command, const char *why);

/* ---- cmd_text.c --------------------------------------------------------------------------------- */
bool imap_utf8_is_valid(const char *text, size_t len);

#endif
