/* SPDX-License-Identifier: MIT */
/*
 * Invariants:
 * 1. Extents begin at multiples of 4096 and do not overlap: allocation only ever moves forward in the
 *    current file. A file that is used up is replaced by the next one, so address space never runs out.
 * 2. A file is open while it is the current one or any extent in it is live or waits in some trash.
 * 3. The files have no names: when the process ends, however it ends, their space is free.
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../imap/mem.h"

#define ALIGN 4096u

struct spool_file {
    int fd;
    atomic_uint refs; /* extents, and one for being the current file */
    uint64_t next;    /* guarded by the owner's lock, as everything in struct spool */
    atomic_uint *files;
};

struct spool {
    char *dir;
    struct spool_file *current;
    struct spool_trash trash;
    atomic_uint files; /* open ones */
};

static enum imap_status make_dir(const char *dir, struct imap_error *err)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path)
        return imap_error_sys(err, len ? ENAMETOOLONG : ENOENT, "cache directory %s", dir);
    memcpy(path, dir, len + 1);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return imap_error_sys(err, errno, "cannot make the cache directory %s", path);
        *slash = '/';
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return imap_error_sys(err, errno, "cannot make the cache directory %s", dir);
    return IMAP_OK;
}

static enum imap_status check_dir(const char *dir, struct imap_error *err)
{
    struct stat st;
    if (stat(dir, &st) < 0)
        return imap_error_sys(err, errno, "cache directory %s", dir);
    if (!S_ISDIR(st.st_mode))
        return imap_error_sys(err, ENOTDIR, "cache directory %s", dir);
    if (st.st_uid != geteuid())
        return imap_error_sys(err, EPERM, "cache directory %s belongs to another user", dir);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return imap_error_sys(err, EPERM, "cache directory %s is writable by others (chmod 700 it)", dir);
    return IMAP_OK;
}

static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/.spool.XXXXXX", dir);
    if (len < 0 || (size_t)len >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC); /* 0600 by itself */
    if (fd >= 0 && unlink(path) < 0) {
        int unlink_errno = errno;
        close(fd);
        errno = unlink_errno;
        return -1;
    }
    return fd;
}

static void file_unref(struct spool_file *file)
{
    if (atomic_fetch_sub(&file->refs, 1) > 1)
        return;
    close(file->fd);
    atomic_fetch_sub(file->files, 1);
    free(file);
}

static enum imap_status next_file(struct spool *spool, struct imap_error *err)
{
    if (atomic_load(&spool->files) >= SPOOL_FILES_MAX)
        return imap_error_sys(err, EMFILE, "the cache holds too many large messages");
    int fd = open_nameless(spool->dir);
    if (fd < 0)
        return imap_error_sys(err, errno, "cannot make a file in the cache directory %s", spool->dir);
    struct spool_file *file = imap_xcalloc(1, sizeof *file);
    file->fd = fd;
    atomic_init(&file->refs, 1);
    file->files = &spool->files;
    atomic_fetch_add(&spool->files, 1);
    if (spool->current)
        file_unref(spool->current);
    spool->current = file;
    return IMAP_OK;
}

enum imap_status spool_open(const char *dir, struct spool **spool_out, struct imap_error *err)
{
    enum imap_status status = make_dir(dir, err);
    if (status == IMAP_OK)
        status = check_dir(dir, err);
    if (status != IMAP_OK)
        return status;
    struct spool *spool = imap_xcalloc(1, sizeof *spool);
    spool->dir = imap_xstrdup(dir);
    status = next_file(spool, err);
    if (status == IMAP_OK)
        *spool_out = spool;
    else
        spool_close(&spool);
    return status;
}

void spool_close(struct spool **spool)
{
    if (!*spool)
        return;
    spool_dispose(&(*spool)->trash);
    if ((*spool)->current)
        file_unref((*spool)->current);
    free((*spool)->dir);
    free(*spool);
    *spool = NULL;
}

enum imap_status spool_alloc_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
                                    struct imap_error *err)
{
    if (size > SPOOL_EXTENT_MAX)
        return imap_error_set(err, IMAP_LIMIT, "a message of %llu bytes is too large for the cache",
                              (unsigned long long)size);
    uint64_t space = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (spool->current->next + space > SPOOL_FILE_MAX) {
        /* Once in a terabyte a file is made under the lock: simpler than keeping one in reserve. */
        enum imap_status status = next_file(spool, err);
        if (status != IMAP_OK)
            return status;
    }
    struct spool_file *file = spool->current;
    *extent_out = (struct extent){file, file->next, size};
    file->next += space;
    atomic_fetch_add(&file->refs, 1);
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
        /* Where holes cannot be punched the space comes back with the file; nothing else to be done. */
        if (extent->size > 0)
            (void)fallocate(extent->file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)extent->offset, (off_t)((extent->size + ALIGN - 1) / ALIGN * ALIGN));
        file_unref(extent->file);
    }
    free(trash->extents);
    *trash = (struct spool_trash){0};
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
