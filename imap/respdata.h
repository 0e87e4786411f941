/* SPDX-License-Identifier: MIT */
/*
 * respdata: the arguments of untagged data responses, each kind by its own reader.
 */
#ifndef IMAP_RESPDATA_H
#define IMAP_RESPDATA_H

#include "imap/response.h"

#include "lex.h"

struct imap_resp_context {
    struct imap_arena *arena;
    struct imap_bytes args; /* what follows the name, for those who must look at the text again */
    unsigned depth;
    const struct imap_lex *lex; /* as it stood after response->values were read */
    const struct imap_section **pending_out;
};

/* Reads response->values (a LIST) into the member of the union that belongs to the type. False when they
 * make no sense. */
typedef bool imap_resp_read_fn(const struct imap_resp_context *context, struct imap_response *response);

imap_resp_read_fn imap_respdata_caps, imap_respdata_flags, imap_respdata_list, imap_respdata_status,
    imap_respdata_search, imap_respdata_esearch, imap_respdata_vanished, imap_respdata_fetch,
    imap_respdata_namespace, imap_respdata_id, imap_respdata_quota, imap_respdata_quotaroot,
    imap_respdata_thread, imap_respdata_acl, imap_respdata_listrights, imap_respdata_myrights,
    imap_respdata_metadata, imap_respdata_annotation;

/* A set given as an atom, its ranges in the arena; NULL when it is none. */
const struct imap_seqset *imap_respdata_seqset(const struct imap_value *value, struct imap_arena *arena);
/* Capability words; NULL when there is none. */
struct imap_caps *imap_respdata_words(const struct imap_value *first, struct imap_arena *arena);

#endif
