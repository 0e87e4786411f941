/* SPDX-License-Identifier: MIT */
/*
 * lex: contiguous bytes of one response -> values (RFC 3501 9), in an arena.
 *
 * The lexer reads anything: what the grammar forbids is taken for what it most likely means (see
 * lex.c), and the flags below tell those who must know. Each byte is looked at a bounded number of times.
 */
#ifndef IMAP_LEX_H
#define IMAP_LEX_H

#include "imap/value.h"

#include "arena.h"
#include "frame.h"

struct imap_lex {
    const char *start, *at, *end;
    struct imap_arena *arena;
    unsigned depth;         /* lists that may still be opened within one another */
    const size_t *streamed; /* see struct imap_bytes */
    size_t streamed_count;
    const struct imap_value *pending; /* the value whose literal is announced by the very last bytes */
    bool too_deep;   /* a list nested deeper was read as NIL, with a NULL str unlike a true one */
    bool full;       /* gave up, the arena is full */
    bool unbalanced; /* a ")" too many (skipped) or too few (assumed at the end) */
    const char *no_quote, *no_bracket; /* private: known not to occur before these */
};

/* Borrows all three. */
void imap_lex_init(struct imap_lex *lex, const struct imap_bytes *bytes, unsigned depth,
                   struct imap_arena *arena);
/* The next value, or NULL at the end or when the arena is full. */
struct imap_value *imap_lex_value(struct imap_lex *lex);
/* All that is left, as one LIST; NULL when the arena is full. */
struct imap_value *imap_lex_rest(struct imap_lex *lex);
/* Moves over spaces and stray control bytes. */
void imap_lex_skip_space(struct imap_lex *lex);
/* Takes bytes up to the next space or parenthesis as a word; its length is 0 when there is none. */
const char *imap_lex_word(struct imap_lex *lex, size_t *len_out);

#endif
