/* SPDX-License-Identifier: MIT */
#include "cachebodies.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "digest.h"
#include "storekept.h"

#define BLOCK ((size_t)256 << 10)

struct reading {
    int dir_fd;      /* -1: there is no directory */
    int fd;          /* of the file that was read last; -1: none */
    uint32_t number; /* its number */
    struct digest *digest;
    char *block;
    struct cachebodies *bodies;
};

static int file_of(struct reading *reading, uint32_t number)
{
    char name[16];
    if (reading->fd >= 0 && reading->number == number)
        return reading->fd;
    if (reading->fd >= 0)
        close(reading->fd);
    snprintf(name, sizeof name, "%" PRIu32, number);
    reading->number = number;
    reading->fd = reading->dir_fd < 0 ? -1 : openat(reading->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return reading->fd;
}

static bool is_whole(struct reading *reading, const struct kept_row *row)
{
    const int fd = file_of(reading, row->file);
    if (fd < 0)
        return false;
    digest_begin(reading->digest, &row->key, row->size);
    for (uint64_t at = 0; at < row->size;) {
        const size_t want = row->size - at < BLOCK ? (size_t)(row->size - at) : BLOCK;
        const ssize_t got = pread(fd, reading->block, want, (off_t)(row->offset + at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        digest_add(reading->digest, reading->block, (size_t)got);
        at += (uint64_t)got;
    }
    return digest_end(reading->digest) == row->digest;
}

static void verify(void *arg, const struct kept_row *row)
{
    struct reading *reading = arg;
    reading->bodies->count++;
    reading->bodies->damaged += !is_whole(reading, row);
}

int cachebodies_verify(struct storefile *file, int dir_fd, const char *name, struct cachebodies *bodies_out)
{
    struct reading reading = {.dir_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                              .fd = -1,
                              .digest = digest_new(),
                              .block = imap_xmalloc(BLOCK),
                              .bodies = bodies_out};
    *bodies_out = (struct cachebodies){0};
    const int code = storefile_kept(file, verify, &reading);
    digest_free(&reading.digest);
    free(reading.block);
    if (reading.fd >= 0)
        close(reading.fd);
    if (reading.dir_fd >= 0)
        close(reading.dir_fd);
    return code;
}
