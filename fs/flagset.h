/* SPDX-License-Identifier: MIT */
/*
 * flagset: every distinct set of flags once per account, so that a message holds four bytes for them.
 *
 * Canonical text: system flags in the order of RFC 3501 2.3.2, then keywords sorted by bytes; \Recent is
 * left out, being the session's and not the message's. Sets without keywords are numbered by their
 * IMAP_FLAG_ bits (0 is the empty set), which needs no table. The rest is guarded by the account lock;
 * texts stay valid as long as the account.
 */
#ifndef FS_FLAGSET_H
#define FS_FLAGSET_H

#include "imap/response.h"

#define FLAGSET_SYSTEM 32u       /* sets below are numbered by their bits */
#define FLAGSET_MAX 65536u       /* a further set loses its keywords */
#define FLAGSET_TEXT_MAX 4096u   /* keywords beyond are left out */
#define FLAGSET_KEYWORD_MAX 256u /* a longer keyword is left out */

struct flagsets {
    char **texts; /* of set FLAGSET_SYSTEM + i */
    size_t count, capacity;
    uint32_t *slots; /* hash table of i + 1; 0 free */
    size_t slot_count;
};

void flagsets_fini(struct flagsets *sets);
/* True and *id_out when the set has no keywords: no lock is needed then. */
bool flagset_plain(const struct imap_flags *flags, uint32_t *id_out);
uint32_t flagset_intern(struct flagsets *sets, const struct imap_flags *flags);
/* The same from a text that flagset_text gave; whatever else it is, a canonical set comes of it. */
uint32_t flagset_intern_text(struct flagsets *sets, const char *text);
/* Never NULL; "" for an unknown number. */
const char *flagset_text(const struct flagsets *sets, uint32_t id);

#endif
