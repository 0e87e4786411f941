/* SPDX-License-Identifier: MIT */
/*
 * answer: everything a server said to one command, typed, and kept for as long as the caller likes.
 *
 * Each untagged response that answers the command is kept as it was received (raw) and as parsed
 * (typed); what the parser does not know is there as values. imap_answer_next walks them by type. The
 * functions below put together what servers scatter over several responses. Bodies come straight from the line
 * into their section (and value): raw is without them, and no cap holds for them but the answer's own.
 *
 * Ownership: an answer is counted. A blocking verb leaves it in its call (client.h); a callback gets it
 * borrowed and takes imap_answer_ref to keep it. All that is reached from it lives as long as it does.
 * Threads: constant once handed out, so any number of threads may read it.
 */
#ifndef IMAP_ANSWER_H
#define IMAP_ANSWER_H

#include "imap/response.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_answer;

struct imap_answer *imap_answer_ref(const struct imap_answer *answer);
void imap_answer_unref(struct imap_answer **answer); /* NULL inside is fine */

/* What became of the command, as struct imap_result (command.h) says. The error is never NULL. */
enum imap_status imap_answer_status(const struct imap_answer *answer);
const struct imap_error *imap_answer_error(const struct imap_answer *answer);
/* The tagged response's text with its code (APPENDUID, COPYUID, MODIFIED, ...); NULL when the command
 * ended without one. */
const struct imap_text *imap_answer_text(const struct imap_answer *answer);

/* How many responses are kept; with their raw bytes, how much memory that takes. */
size_t imap_answer_count(const struct imap_answer *answer);
size_t imap_answer_bytes(const struct imap_answer *answer);
/* The first response of this type after `after` (NULL: from the start), in the order received; NULL when
 * there is none. */
const struct imap_response *imap_answer_next(const struct imap_answer *answer, enum imap_response_type type,
                                             const struct imap_response *after);
/* The same for any type. */
const struct imap_response *imap_answer_any(const struct imap_answer *answer,
                                            const struct imap_response *after);

/* ---- messages: FETCH, STORE (RFC 3501 7.4.2) ------------------------------------------------------- */

/* One entry a message, though the server may have sent several responses for it: a later attribute
 * replaces an earlier one, sections add up. Sorted by UID; those whose UID the server never told follow, by
 * sequence number. */
const struct imap_fetch *const *imap_answer_messages(const struct imap_answer *answer, size_t *count_out);
/* The message with this UID, or NULL. O(log n). */
const struct imap_fetch *imap_answer_message(const struct imap_answer *answer, uint32_t uid);
/* The section by kind and spec ("" for all of it, "HEADER"; case-insensitive), or NULL. */
const struct imap_section *imap_fetch_section(const struct imap_fetch *fetch, enum imap_section_kind kind,
                                              const char *spec);

/* ---- searches: SEARCH, ESEARCH, SORT (RFC 3501 7.2.5, RFC 4731, RFC 5256) -------------------------- */

struct imap_found {
    const uint32_t *numbers; /* SEARCH and ESEARCH ALL or PARTIAL: rising; SORT: in the order asked for */
    size_t count;            /* of numbers */
    bool has_min, has_max, has_total;
    uint32_t min, max, total; /* ESEARCH MIN MAX COUNT; total also from a SEARCH, as its count */
    uint64_t modseq;          /* RFC 7162; 0 when not told */
};
/* IMAP_LIMIT when a set holds over 50,000,000 numbers, IMAP_GONE when no search was answered. */
enum imap_status imap_answer_found(const struct imap_answer *answer, struct imap_found *found_out,
                                   struct imap_error *err) IMAP_CHECK;

/* ---- what went away: EXPUNGE, VANISHED (RFC 3501 7.4.1, RFC 7162 3.2.10) ---------------------------- */

/* The UIDs named by VANISHED, EARLIER ones too; EXPUNGE's sequence numbers are to be had by
 * imap_answer_next. An empty set when there were none. */
const struct imap_seqset *imap_answer_vanished(const struct imap_answer *answer);

/* ---- one of many ---------------------------------------------------------------------------------- */

/* The STATUS of a mailbox (wire name; INBOX in any case), or NULL. */
const struct imap_mailbox_status *imap_answer_mailbox_status(const struct imap_answer *answer,
                                                             const char *mailbox);
/* The value of an entry ("/private/comment"; with attribute NULL or "value.priv" ...), or NULL. */
const struct imap_metadata_entry *imap_answer_metadata(const struct imap_answer *answer, const char *mailbox,
                                                       const char *entry, const char *attribute);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
