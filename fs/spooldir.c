/* SPDX-License-Identifier: MIT */
/* spooldir: the files of a spool: where they are, what they are called, how they come and go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "spool_internal.h"

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

int spooldir_nameless(const char *dir)
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

enum imap_status spooldir_make(const char *dir, struct imap_error *err)
{
    enum imap_status status = make_dir(dir, err);
    return status == IMAP_OK ? check_dir(dir, err) : status;
}

/* ---- files ------------------------------------------------------------------------------------------- */

struct spool_file *spool_file_add(struct spool *spool, int fd, uint32_t number)
{
    struct stat st;
    struct spool_file *file = NULL;
    pthread_mutex_lock(&spool->lock);
    if (spool->file_count < SPOOL_FILES_MAX && fstat(fd, &st) == 0) {
        file = imap_xcalloc(1, sizeof *file);
        file->spool = spool;
        file->fd = fd;
        file->number = number;
        file->size = (uint64_t)st.st_size;
        file->next = spool_space(file->size);
        atomic_init(&file->refs, 1);
        spool->files[spool->file_count++] = file;
    }
    pthread_mutex_unlock(&spool->lock);
    if (!file)
        close(fd);
    return file;
}

uint64_t spool_limit(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    const bool few = spool->file_count < SPOOL_FILES_MAX / 2;
    pthread_mutex_unlock(&spool->lock);
    return spool->names && few ? SPOOL_NAMED_MAX : SPOOL_FILE_MAX;
}

static void unlink_number(struct spool *spool, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "%u", number);
    (void)unlinkat(spool->names_fd, name, 0);
}

void spool_file_unref(struct spool_file *file)
{
    if (atomic_fetch_sub(&file->refs, 1) > 1)
        return;
    struct spool *spool = file->spool;
    pthread_mutex_lock(&spool->lock);
    unsigned at = 0;
    while (spool->files[at] != file)
        at++;
    spool->files[at] = spool->files[--spool->file_count];
    pthread_mutex_unlock(&spool->lock);
    if (file->number && !spool->closing)
        unlink_number(spool, file->number);
    close(file->fd);
    free(file);
}

static int open_number(struct spool *spool, uint32_t number, int flags)
{
    char name[16];
    snprintf(name, sizeof name, "%u", number);
    return openat(spool->names_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

enum imap_status spool_next_file(struct spool *spool, struct imap_error *err)
{
    const uint32_t number = spool->names ? spool->last + 1 : 0;
    int fd = number ? open_number(spool, number, O_CREAT | O_EXCL) : spooldir_nameless(spool->dir);
    if (fd < 0)
        return imap_error_sys(err, errno, "cannot make a file in the cache directory %s",
                              number ? spool->names : spool->dir);
    struct spool_file *file = spool_file_add(spool, fd, number);
    if (number)
        spool->last = number;
    if (!file && number)
        unlink_number(spool, number);
    if (!file)
        return imap_error_sys(err, EMFILE, "the cache holds too many large messages");
    if (spool->current)
        spool_file_unref(spool->current);
    spool->current = file;
    return IMAP_OK;
}

/* ---- files with names -------------------------------------------------------------------------------- */

/* 0: no number of ours. */
static uint32_t number_of(const char *name)
{
    char again[16];
    const unsigned long number = strtoul(name, NULL, 10);
    if (number == 0 || number >= UINT32_MAX)
        return 0;
    snprintf(again, sizeof again, "%lu", number);
    return strcmp(name, again) == 0 ? (uint32_t)number : 0;
}

/* Whatever is no file of ours is left alone. */
static void find_file(struct spool *spool, uint32_t number)
{
    struct stat st;
    int fd = open_number(spool, number, O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())) {
        close(fd);
    } else if (fd >= 0) {
        if (st.st_mode & 077)
            (void)fchmod(fd, 0600);
        if (!spool_file_add(spool, fd, number))
            unlink_number(spool, number);
    }
    if (number > spool->last)
        spool->last = number;
}

static enum imap_status find_files(struct spool *spool, struct imap_error *err)
{
    int fd = openat(spool->names_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int open_errno = errno;
        if (fd >= 0)
            close(fd);
        return imap_error_sys(err, open_errno, "cannot read the directory %s", spool->names);
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (number_of(entry->d_name))
            find_file(spool, number_of(entry->d_name));
    closedir(dir);
    return IMAP_OK;
}

static void forget_names(struct spool *spool)
{
    spool->closing = true; /* not ours to remove: we do not know what is in them */
    for (unsigned at = spool->file_count; at-- > 0;) {
        struct spool_file *file = spool->files[at];
        if (!file->number)
            continue;
        atomic_store(&file->refs, 1);
        spool_file_unref(file);
    }
    spool->closing = false;
    if (spool->names_fd >= 0)
        close(spool->names_fd);
    spool->names_fd = -1;
    free(spool->names);
    spool->names = NULL;
}

enum imap_status spool_name(struct spool *spool, const char *name, struct imap_error *err)
{
    const size_t len = strlen(spool->dir) + strlen(name) + 2;
    spool->names = imap_xmalloc(len);
    snprintf(spool->names, len, "%s/%s", spool->dir, name);
    enum imap_status status = spooldir_make(spool->names, err);
    if (status == IMAP_OK) {
        spool->names_fd = open(spool->names, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (spool->names_fd < 0)
            status = imap_error_sys(err, errno, "cannot open the directory %s", spool->names);
    }
    if (status == IMAP_OK)
        status = find_files(spool, err);
    if (status != IMAP_OK)
        forget_names(spool);
    return status;
}

static struct spool_file *numbered(struct spool *spool, uint32_t number)
{
    struct spool_file *file = NULL;
    pthread_mutex_lock(&spool->lock);
    for (unsigned i = 0; i < spool->file_count && number; i++)
        if (spool->files[i]->number == number)
            file = spool->files[i];
    pthread_mutex_unlock(&spool->lock);
    return file;
}

bool spool_claim(struct spool *spool, uint32_t number, uint64_t offset, uint64_t size,
                 struct extent *extent_out)
{
    struct spool_file *file = numbered(spool, number);
    if (number > spool->last)
        spool->last = number;
    if (!file || offset % ALIGN || size > SPOOL_EXTENT_MAX || offset > SPOOL_FILE_MAX - spool_space(size))
        return false;
    /* Also what a power cut has taken: nothing else may come to lie where somebody believes it is. */
    if (file->next < offset + spool_space(size))
        file->next = offset + spool_space(size);
    if (offset + size > file->size)
        return false;
    atomic_fetch_add(&file->refs, 1);
    *extent_out = (struct extent){file, offset, size};
    return true;
}

/* Space that is never given back would be lost for ever. */
static enum imap_status check_punching(struct spool *spool, struct imap_error *err)
{
    const int fd = spool->current->fd;
    const off_t end = (off_t)spool->current->next;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, ALIGN) == 0)
        return IMAP_OK;
    return imap_error_sys(err, errno, "the file system of %s cannot free a part of a file", spool->names);
}

/* The last one that has room and something in it is gone on with. */
static struct spool_file *newest_in_use(struct spool *spool)
{
    struct spool_file *newest = NULL;
    const uint64_t limit = spool_limit(spool);
    for (unsigned at = 0; at < spool->file_count; at++) {
        struct spool_file *file = spool->files[at];
        if (file->number && atomic_load(&file->refs) > 1 && file->next < limit &&
            (!newest || file->number > newest->number))
            newest = file;
    }
    return newest;
}

enum imap_status spool_settle(struct spool *spool, struct imap_error *err)
{
    struct spool_file *nameless = spool->current, *newest = newest_in_use(spool);
    enum imap_status status = IMAP_OK;
    spool->current = newest;
    if (newest)
        atomic_fetch_add(&newest->refs, 1);
    else
        status = spool_next_file(spool, err);
    if (status == IMAP_OK)
        status = check_punching(spool, err);
    if (status != IMAP_OK) {
        if (spool->current)
            spool_file_unref(spool->current);
        spool->current = nameless;
        forget_names(spool);
        return status;
    }
    spool_file_unref(nameless);
    for (unsigned at = spool->file_count; at-- > 0;)
        if (spool->files[at]->number && (spool->files[at] != spool->current || newest))
            spool_file_unref(spool->files[at]);
    return IMAP_OK;
}

struct extent spool_at(struct spool *spool, uint32_t number, uint64_t offset, uint64_t size)
{
    return (struct extent){numbered(spool, number), offset, size};
}

uint32_t spool_number(const struct extent *extent)
{
    return extent->file->number;
}
