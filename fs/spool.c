/* SPDX-License-Identifier: MIT */
/*
 * Invariants:
 * 1. Extents begin at multiples of 4096 and do not overlap: allocation only ever moves forward in the
 *    current file, and begins behind all that was ever written to it or claimed in it. A file that is used up
 *    is replaced by the next one, so address space never runs out.
 * 2. A file is open while it is the current one or any extent in it is live or waits in some trash. Then its
 *    name goes, too; a number is never given to a second file.
 * 3. Files without names take no space once the process ends, however it ends.
 */
#include "spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../imap/mem.h"

enum imap_status spool_open(const char *dir, struct spool **spool_out, struct imap_error *err)
{
    enum imap_status status = spooldir_make(dir, err);
    if (status != IMAP_OK)
        return status;
    struct spool *spool = imap_xcalloc(1, sizeof *spool);
    pthread_mutex_init(&spool->lock, NULL);
    spool->dir = imap_xstrdup(dir);
    spool->names_fd = -1;
    status = spool_next_file(spool, err);
    if (status == IMAP_OK)
        *spool_out = spool;
    else
        spool_close(&spool);
    return status;
}

void spool_close(struct spool **spool_in)
{
    struct spool *spool = *spool_in;
    *spool_in = NULL;
    if (!spool)
        return;
    spool_reclaim_stop(spool);
    spool_dispose(&spool->trash);
    if (spool->memory)
        spool_file_unref(spool->memory);
    /* A current file of which nothing is in use goes; all others that have names stay. */
    if (spool->current)
        spool_file_unref(spool->current);
    spool->closing = true;
    while (spool->file_count) {
        atomic_store(&spool->files[0]->refs, 1);
        spool_file_unref(spool->files[0]);
    }
    if (spool->names_fd >= 0)
        close(spool->names_fd);
    pthread_mutex_destroy(&spool->lock);
    free(spool->names);
    free(spool->dir);
    free(spool);
}

static void take_space(struct spool_file *file, uint64_t size, struct extent *extent_out)
{
    *extent_out = (struct extent){file, file->next, size};
    file->next += spool_space(size);
    atomic_fetch_add(&file->refs, 1);
}

static enum imap_status too_large(uint64_t size, struct imap_error *err)
{
    return imap_error_set(err, IMAP_LIMIT, "a message of %llu bytes is too large for the cache",
                          (unsigned long long)size);
}

enum imap_status spool_alloc_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
                                    struct imap_error *err)
{
    if (size > SPOOL_EXTENT_MAX)
        return too_large(size, err);
    if (spool->current->next + spool_space(size) > spool_limit(spool)) {
        /* Once in that many bytes a file is made under the lock: simpler than keeping one in reserve. */
        enum imap_status status = spool_next_file(spool, err);
        if (status != IMAP_OK)
            return status;
    }
    take_space(spool->current, size, extent_out);
    return IMAP_OK;
}

enum imap_status spool_alloc_memory_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
                                           struct imap_error *err)
{
    if (size > SPOOL_EXTENT_MAX)
        return too_large(size, err);
    if (spool->memory && spool->memory->next + spool_space(size) > SPOOL_FILE_MAX) {
        spool_file_unref(spool->memory);
        spool->memory = NULL;
    }
    if (!spool->memory) {
        int fd = memfd_create("imapfs bodies", MFD_CLOEXEC);
        if (fd < 0)
            return imap_error_sys(err, errno, "cannot get memory for a message");
        spool->memory = spool_file_add(spool, fd, 0);
        if (!spool->memory)
            return imap_error_sys(err, EMFILE, "the cache holds too many large messages");
        spool->memory->memory = true;
    }
    take_space(spool->memory, size, extent_out);
    return IMAP_OK;
}

void spool_release_locked(struct spool *spool, struct extent *extent)
{
    if (!extent->file)
        return;
    struct spool_trash *trash = &spool->trash;
    if (trash->count == trash->capacity) {
        trash->capacity = trash->capacity ? trash->capacity * 2 : 64;
        trash->extents = imap_xreallocarray(trash->extents, trash->capacity, sizeof *trash->extents);
    }
    trash->extents[trash->count++] = *extent;
    *extent = (struct extent){0};
}

bool spool_trash_locked(struct spool *spool, struct spool_trash *trash)
{
    if (spool->trash.count == 0)
        return false;
    *trash = spool->trash;
    spool->trash = (struct spool_trash){0};
    return true;
}

void spool_dispose(struct spool_trash *trash)
{
    for (size_t i = 0; i < trash->count; i++) {
        struct extent *extent = &trash->extents[i];
        extent_punch(extent, 0, extent->size);
        spool_file_unref(extent->file);
    }
    free(trash->extents);
    *trash = (struct spool_trash){0};
}

void extent_punch(const struct extent *extent, uint64_t from, uint64_t to)
{
    /* Where holes cannot be punched the space comes back with the file; nothing else to be done. */
    if (from < to)
        (void)fallocate(extent->file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)(extent->offset + from), (off_t)(spool_space(to) - from));
}

int extent_write(const struct extent *extent, uint64_t at, const void *data, size_t len)
{
    const char *bytes = data;
    while (len > 0) {
        ssize_t n = pwrite(extent->file->fd, bytes, len, (off_t)(extent->offset + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t extent_read(const struct extent *extent, uint64_t at, void *buf, size_t size)
{
    if (at >= extent->size)
        return 0;
    if (size > extent->size - at)
        size = (size_t)(extent->size - at);
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pread(extent->file->fd, (char *)buf + done, size - done, (off_t)(extent->offset + at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO; /* a hole at the end of the file: it was never written */
        done += (size_t)n;
    }
    return (ssize_t)done;
}
