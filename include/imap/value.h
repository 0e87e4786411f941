/* SPDX-License-Identifier: MIT */
/*
 * value: a response as a tree of values, before anything is known of its meaning.
 *
 * Every response can be read this way, those of extensions unknown to us included. Strings are
 * NUL-terminated for convenience, but len counts (a literal8 may hold NUL bytes). Values are
 * borrowed: they live in the arena of the response and die when its callback returns.
 */
#ifndef IMAP_VALUE_H
#define IMAP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum imap_value_kind {
    IMAP_VALUE_NIL,
    IMAP_VALUE_ATOM,     /* numbers are atoms too; \Flags and BODY[...]<n> are single atoms */
    IMAP_VALUE_STRING,   /* quoted, or a literal that was buffered */
    IMAP_VALUE_STREAMED, /* a literal that went to the body sink: len is 0, size is its length */
    IMAP_VALUE_LIST
};

struct imap_value {
    enum imap_value_kind kind;
    bool literal8;            /* RFC 3516 ~{n} */
    uint32_t len;             /* bytes in str */
    uint64_t size;            /* IMAP_VALUE_STREAMED: bytes announced */
    const char *str;          /* ATOM and STRING */
    struct imap_value *child; /* LIST: the first item, NULL when empty */
    struct imap_value *next;  /* the next item of the same list, or NULL */
};

/* Typed getters: false (out untouched) when value is NULL or of another kind. */
bool imap_value_number(const struct imap_value *value, uint64_t max, uint64_t *number_out);
/* ATOM or STRING (RFC 3501 astring). */
bool imap_value_astring(const struct imap_value *value, const char **str_out, size_t *len_out);
/* STRING or NIL (RFC 3501 nstring); NIL gives NULL. Atoms are let pass, as some servers send them. */
bool imap_value_nstring(const struct imap_value *value, const char **str_out, size_t *len_out);
bool imap_value_is_atom(const struct imap_value *value, const char *word); /* case-insensitive */
size_t imap_value_count(const struct imap_value *list);                    /* items; 0 for a non-list */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
