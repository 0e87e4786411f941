/* SPDX-License-Identifier: MIT */
/*
 * answer_build: how an answer (imap/answer.h) comes about.
 *
 * Ownership: the answer belongs to whoever made it until it is finished; responses given to it are borrowed.
 * Threads: one at a time, and none but readers after imap_answer_finish. No I/O, no locks.
 */
#ifndef IMAP_ANSWER_BUILD_H
#define IMAP_ANSWER_BUILD_H

#include "imap/answer.h"
#include "imap/command.h"

/* One reference, the caller's. Keeps at most cap_bytes of raw bytes and what was parsed from them. */
struct imap_answer *imap_answer_new(size_t cap_bytes);
/* Copies: .raw with .streamed is copied and parsed again (imap_resp_parse) into the answer's own arena, for what
 * response points to lives only as long as the callback that got it. Of response nothing else is looked at,
 * but that a FETCH's UID which the raw bytes do not hold is taken over. IMAP_LIMIT when over the cap: the
 * final status becomes IMAP_LIMIT, and this response and all later ones are dropped. IMAP_PROTO: this is no
 * response; it is dropped. */
enum imap_status imap_answer_add(struct imap_answer *answer, const struct imap_response *response);
/* A body goes straight from the line into the answer instead of through the response: begin and data as body_begin
 * and body_data of command.h tell of it; the response it belongs to is the next one added. False: over the cap,
 * have it dropped. Memory is taken as the bytes come, not for what is announced. */
bool imap_answer_body_begin(struct imap_answer *answer, uint64_t size);
void imap_answer_body_data(struct imap_answer *answer, const void *data, size_t len);
/* Copies status, error and the tagged text; nothing may be added afterwards. */
void imap_answer_finish(struct imap_answer *answer, const struct imap_result *result);

#endif
