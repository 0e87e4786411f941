/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <stdlib.h>
#include <xxhash.h>

struct digest {
    XXH3_state_t *state;
};

static uint64_t seed_of(const struct kept_key *key, uint64_t size)
{
    const uint64_t parts[] = {key->high, key->low, size};
    return XXH3_64bits(parts, sizeof parts);
}

struct digest *digest_new(void)
{
    struct digest *digest = malloc(sizeof *digest);
    if (!digest || !(digest->state = XXH3_createState()))
        abort();
    return digest;
}

void digest_free(struct digest **digest)
{
    if (*digest)
        XXH3_freeState((*digest)->state);
    free(*digest);
    *digest = NULL;
}

void digest_begin(struct digest *digest, const struct kept_key *key, uint64_t size)
{
    XXH3_64bits_reset_withSeed(digest->state, seed_of(key, size));
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
    XXH3_64bits_update(digest->state, bytes, len);
}

uint64_t digest_end(const struct digest *digest)
{
    return XXH3_64bits_digest(digest->state);
}

uint64_t digest_of(const struct kept_key *key, const void *bytes, size_t size)
{
    return XXH3_64bits_withSeed(bytes, size, seed_of(key, size));
}
