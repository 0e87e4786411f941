/* SPDX-License-Identifier: MIT */
/*
 * types: the plain data that IMAP talks about: UID sets, dates, capabilities.
 *
 * UIDs, sequence numbers and UIDVALIDITY are uint32_t and 0 means "unknown" (RFC 3501 9 forbids 0);
 * mod-sequences are uint64_t, below 2^63 (RFC 7162 7). Threads: plain values, no shared state.
 */
#ifndef IMAP_TYPES_H
#define IMAP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imap/error.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- sequence sets (RFC 3501 9 sequence-set) -------------------------------------------------- */

#define IMAP_SEQSET_STAR UINT32_MAX   /* "*", the largest number in use */
#define IMAP_SEQSET_MAX_RANGES 500000 /* a set that parses into more is refused with IMAP_LIMIT */

struct imap_range {
    uint32_t first, last; /* inclusive, first <= last */
};

/* Ranges sorted, disjoint and not adjacent. All zeroes is the empty set; imap_seqset_fini frees. */
struct imap_seqset {
    struct imap_range *ranges;
    size_t count, capacity;
};

void imap_seqset_fini(struct imap_seqset *set);
/* Adds first..last (in either order). Appending in rising order is O(1), anything else O(ranges). */
void imap_seqset_add(struct imap_seqset *set, uint32_t first, uint32_t last);
bool imap_seqset_contains(const struct imap_seqset *set, uint32_t number);
/* How many numbers the set holds; "*" counts as one. Never overflows. */
uint64_t imap_seqset_size(const struct imap_seqset *set);
/* Replaces *set by what text[0..len) says. IMAP_PROTO when malformed, IMAP_LIMIT when over the cap. */
enum imap_status imap_seqset_parse(struct imap_seqset *set, const char *text, size_t len,
                                   struct imap_error *err) IMAP_CHECK;
/* Writes ranges from number *from (1 to begin with) on into text (NUL-terminated, at most size bytes),
 * as many whole ranges as fit, and sets *from to the number to go on with, or 0 when all was written.
 * Returns the length written; 0 when not even one range fits or none is left. */
size_t imap_seqset_format(const struct imap_seqset *set, uint32_t *from, char *text, size_t size);

/* The whole set as text, "" when empty; NULL when that is over 1 MiB. The caller's, to be freed. */
char *imap_seqset_text(const struct imap_seqset *set);

/* ---- dates (RFC 3501 9 date-time, date) -------------------------------------------------------- */

struct imap_date {
    int64_t unix_seconds; /* UTC */
    int zone_minutes;     /* east of UTC, -1439..1439 */
};
#define IMAP_DATE_TEXT_MAX 32

/* Parses ` 5-Jan-2024 10:00:00 +0100` (without quotes; the day space- or zero-padded or single).
 * Returns false when malformed or out of range: never a guess. Locale plays no part. */
bool imap_date_parse(const char *text, size_t len, struct imap_date *date_out) IMAP_CHECK;
/* Writes the 26 characters of a date-time and a NUL. */
void imap_date_format(const struct imap_date *date, char text[IMAP_DATE_TEXT_MAX]);

/* imaplib's Internaldate2tuple: the date of `INTERNALDATE "..."`, wherever that stands in a FETCH response.
 * False when there is none or it is malformed. */
bool imap_internaldate_parse(const char *response, size_t len, struct imap_date *date_out) IMAP_CHECK;
/* The date with the zone that local time (TZ) has or had then, for imap_date_format: imaplib's Time2Internaldate.
 * False when there is no such local time. */
bool imap_date_local(int64_t unix_seconds, struct imap_date *date_out) IMAP_CHECK;

/* imaplib's Int2AP: base 16 with the digits A to P, without sign; "" for 0. */
#define IMAP_AP_TEXT_MAX 17
void imap_int_to_ap(int64_t number, char text[IMAP_AP_TEXT_MAX]);

/* ---- modified UTF-7 (RFC 3501 5.1.3) ------------------------------------------------------------ */

/* Decodes a mailbox name into UTF-8. False when it is not valid modified UTF-7 or would not encode
 * back to the very same bytes; out is then untouched. out is NUL-terminated; size must be at least
 * 3 * len + 1. The name must not hold NUL. */
bool imap_utf7_decode(const char *name, size_t len, char *out, size_t size) IMAP_CHECK;
/* Encodes UTF-8. False on invalid UTF-8 (overlong, surrogate, over U+10FFFF) or when size is under
 * 4 * len + 3, which always suffices. */
bool imap_utf7_encode(const char *utf8, size_t len, char *out, size_t size) IMAP_CHECK;

/* ---- capabilities (RFC 3501 7.2.1) -------------------------------------------------------------- */

enum imap_cap {
    IMAP_CAP_IMAP4REV1,
    IMAP_CAP_IMAP4REV2,
    IMAP_CAP_ACL,
    IMAP_CAP_APPENDLIMIT, /* the value, if any, by imap_caps_value */
    IMAP_CAP_AUTH_PLAIN,
    IMAP_CAP_BINARY,
    IMAP_CAP_COMPRESS_DEFLATE,
    IMAP_CAP_CONDSTORE, /* also set by QRESYNC, which implies it */
    IMAP_CAP_CREATE_SPECIAL_USE,
    IMAP_CAP_ENABLE,
    IMAP_CAP_ESEARCH,
    IMAP_CAP_ID,
    IMAP_CAP_IDLE,
    IMAP_CAP_LIST_EXTENDED,
    IMAP_CAP_LIST_STATUS,
    IMAP_CAP_LITERAL_MINUS,
    IMAP_CAP_LITERAL_PLUS,
    IMAP_CAP_LOGINDISABLED,
    IMAP_CAP_METADATA,
    IMAP_CAP_MOVE,
    IMAP_CAP_MULTIAPPEND,
    IMAP_CAP_NAMESPACE,
    IMAP_CAP_NOTIFY,
    IMAP_CAP_OBJECTID,
    IMAP_CAP_PARTIAL,
    IMAP_CAP_PREVIEW,
    IMAP_CAP_QRESYNC,
    IMAP_CAP_QUOTA,
    IMAP_CAP_REPLACE,
    IMAP_CAP_SASL_IR,
    IMAP_CAP_SAVEDATE,
    IMAP_CAP_SEARCHRES,
    IMAP_CAP_SORT,
    IMAP_CAP_SPECIAL_USE,
    IMAP_CAP_STARTTLS,
    IMAP_CAP_STATUS_SIZE,
    IMAP_CAP_UIDONLY,
    IMAP_CAP_UIDPLUS,
    IMAP_CAP_UNSELECT,
    IMAP_CAP_UTF8_ACCEPT,
    IMAP_CAP_WITHIN,
    IMAP_CAP_X_GM_EXT_1,
    IMAP_CAP_COUNT
};

#define IMAP_CAPS_TEXT_MAX 4096 /* a longer list is cut at a word, with the known bits all kept */

struct imap_caps {
    uint64_t bits;                 /* 1 << enum imap_cap */
    uint64_t hidden;               /* likewise: imap_caps_hide */
    char text[IMAP_CAPS_TEXT_MAX]; /* every word as received, upper-cased, single spaces */
};

void imap_caps_clear(struct imap_caps *caps);
void imap_caps_add(struct imap_caps *caps, const char *word, size_t len);
bool imap_caps_has(const struct imap_caps *caps, enum imap_cap cap);
/* Any capability by name, known here or not, case-insensitively ("XFOO", "AUTH=SCRAM-SHA-256"). */
bool imap_caps_has_name(const struct imap_caps *caps, const char *name);
/* Takes out what the names (separated by commas or spaces) say, as if it had not been offered: NAME also takes
 * out NAME=value, and CONDSTORE what builds upon it, QRESYNC. */
void imap_caps_hide(struct imap_caps *caps, const char *names);
/* For NAME=value returns the value's start (ends at a space or NUL), else NULL. */
const char *imap_caps_value(const struct imap_caps *caps, const char *name);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
