/* SPDX-License-Identifier: MIT */
/*
 * keptrow: where on disk the body of a message lies, as the store remembers it from mount to mount.
 *
 * The store writes and reads these; what the key, the digest and the file's number mean is the bodies'.
 */
#ifndef FS_KEPTROW_H
#define FS_KEPTROW_H

#include <stdint.h>

/* Of a message in a mailbox: a hash of the mailbox's name on the wire, and uidvalidity << 32 | uid. Of what
 * has an object id, wherever it is: a tag with a hash of it, and a hash. No two bodies have the same. */
struct kept_key {
    uint64_t high, low;
};

struct kept_row {
    struct kept_key key;
    uint32_t file;         /* the number of the file with the bodies */
    uint64_t offset, size; /* octets: where it is there */
    uint64_t digest;       /* of the bytes */
    uint32_t used;         /* when it was read last: minutes since 1970 */
};

#endif
