/* SPDX-License-Identifier: MIT */
/*
 * digest: by which bytes on disk are known to be those that came: XXH3, 64 bits, seeded with the key of the
 * body and its size, so that no other body's bytes pass for it. Against accidents, not against people: who
 * may write to the cache directory is the user himself.
 *
 * Part of the format of the store: never to be changed. Threads: plain values.
 */
#ifndef FS_DIGEST_H
#define FS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "keptrow.h"

struct digest;

struct digest *digest_new(void);
void digest_free(struct digest **digest);
void digest_begin(struct digest *digest, const struct kept_key *key, uint64_t size);
void digest_add(struct digest *digest, const void *bytes, size_t len);
uint64_t digest_end(const struct digest *digest);
/* The same in one. */
uint64_t digest_of(const struct kept_key *key, const void *bytes, size_t size);

#endif
