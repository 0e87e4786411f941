/* SPDX-License-Identifier: MIT */
/* transcript_text: the text of transcripts: escapes, arguments, expected lines. */
#ifndef TRANSCRIPT_TEXT_H
#define TRANSCRIPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "imap/command.h"

struct text {
    char *data;
    size_t len, room;
};

void text_add(struct text *text, const char *data, size_t len);
void text_take(struct text *text, size_t len); /* off its beginning */

bool text_is_fetch(const char *line);
/* Appends the line with its escapes undone; literals: {n} within the line becomes a literal. */
void text_unescape(struct text *text, const char *line, bool literals);
/* Up to the next space that is not in quotes, which are taken off unless they are to be kept. Returns what
 * follows. */
const char *text_next_token(const char *line, struct text *token, bool keep_quotes);
/* The verb with which the line begins. Returns what follows. */
const char *text_take_verb(const char *line, char *verb, size_t size);
void text_add_set(struct imap_command *command, const char *text); /* raw if it is none */
void text_add_argument(struct imap_command *command, const char *token);
/* Length of the wire's line if it matches, else 0. *** stands for any bytes, {n} at its start for n bytes
 * (of a literal; taken of them are gone already). */
size_t text_match_line(const char *line, size_t taken, const char *wire, size_t wire_len);

#endif
