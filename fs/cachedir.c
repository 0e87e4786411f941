/* SPDX-License-Identifier: MIT */
#include "cachedir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "cachelook.h"
#include "draft_internal.h"

#define DRAFTS ".drafts"
#define LOCK STOREFILE_SUFFIX ".lock"

/* All but the bodies. The lock goes last: while it is there nobody else begins. */
static const char *const suffixes[] = {
    STOREFILE_SUFFIX,
    STOREFILE_SUFFIX "-wal",
    STOREFILE_SUFFIX "-journal",
    STOREFILE_SUFFIX ".damaged",
    STOREFILE_SUFFIX ".damaged-wal",
    STOREFILE_SUFFIX ".damaged-journal",
    LOCK,
};
#define SUFFIXES (sizeof suffixes / sizeof *suffixes)

static bool is_ours(const struct stat *st, mode_t kind)
{
    return (st->st_mode & S_IFMT) == kind && st->st_uid == geteuid();
}

/* ---- names ------------------------------------------------------------------------------------------- */

/* As storefile_name makes them. */
static bool is_account_name(const char *name, size_t len)
{
    if (!len || len >= CACHEDIR_NAME || *name == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("@._+-", name[i]))
            return false;
    return true;
}

static bool ends_in(const char *file, const char *suffix, size_t *stem_out)
{
    const size_t len = strlen(file), tail = strlen(suffix);
    if (len <= tail || strcmp(file + len - tail, suffix) != 0)
        return false;
    *stem_out = len - tail;
    return true;
}

/* ".drafts", or ".drafts2" and so on. */
static bool ends_in_drafts(const char *file, size_t *stem_out)
{
    const char *last = NULL;
    for (const char *at = file; (at = strstr(at, DRAFTS)); at++)
        last = at;
    const char *number = last ? last + strlen(DRAFTS) : "";
    if (!last || strlen(number) > 2 || strspn(number, "0123456789") != strlen(number))
        return false;
    *stem_out = (size_t)(last - file);
    return true;
}

enum entry { ENTRY_STORE, ENTRY_BODIES, ENTRY_DRAFTS };

/* The length of the account's name at the file's beginning; 0: it is none of ours. */
static size_t account_of(const char *file, enum entry *entry_out)
{
    size_t stem = 0;
    bool found = true;
    if (ends_in(file, CACHEDIR_BODIES, &stem)) {
        *entry_out = ENTRY_BODIES;
    } else if (ends_in_drafts(file, &stem)) {
        *entry_out = ENTRY_DRAFTS;
    } else {
        *entry_out = ENTRY_STORE;
        found = false;
        for (size_t i = 0; i < SUFFIXES && !found; i++)
            found = ends_in(file, suffixes[i], &stem);
    }
    return found && is_account_name(file, stem) ? stem : 0;
}

/* "1", "2", ... with that behind it. */
static bool is_numbered(const char *file, const char *suffix)
{
    const size_t digits = strspn(file, "0123456789");
    return digits && digits <= 10 && *file != '0' && strcmp(file + digits, suffix) == 0;
}

/* ---- the directory ----------------------------------------------------------------------------------- */

/* A stream of its own; NULL with errno. */
static DIR *entries_of(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

static uint64_t disk_bytes(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512;
}

static uint64_t bodies_bytes(int parent, const char *name)
{
    DIR *dir = entries_of(parent, name);
    const struct dirent *entry;
    struct stat st;
    uint64_t bytes = 0;
    while (dir && (entry = readdir(dir)))
        if (is_numbered(entry->d_name, "") &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_ours(&st, S_IFREG))
            bytes += disk_bytes(&st);
    if (dir)
        closedir(dir);
    return bytes;
}

/* Only what has a place is one: of the others nobody was told that they were written. */
static size_t count_drafts(int parent, const char *name, uint64_t *bytes_out)
{
    DIR *dir = entries_of(parent, name);
    const struct dirent *entry;
    struct stat st;
    size_t count = 0;
    *bytes_out = 0;
    while (dir && (entry = readdir(dir))) {
        char bytes[16];
        if (!is_numbered(entry->d_name, DRAFTPLACE_SUFFIX))
            continue;
        snprintf(bytes, sizeof bytes, "%.*s", (int)strspn(entry->d_name, "0123456789"), entry->d_name);
        if (fstatat(dirfd(dir), bytes, &st, AT_SYMLINK_NOFOLLOW) != 0 || !is_ours(&st, S_IFREG))
            continue;
        count++;
        *bytes_out += (uint64_t)st.st_size;
    }
    if (dir)
        closedir(dir);
    return count;
}

static struct cachedir_account *account_named(struct cachedir *cachedir, const char *name, size_t len)
{
    for (size_t i = 0; i < cachedir->count; i++)
        if (strlen(cachedir->accounts[i].name) == len && memcmp(cachedir->accounts[i].name, name, len) == 0)
            return &cachedir->accounts[i];
    cachedir->accounts =
        imap_xreallocarray(cachedir->accounts, cachedir->count + 1, sizeof *cachedir->accounts);
    struct cachedir_account *account = &cachedir->accounts[cachedir->count++];
    *account = (struct cachedir_account){0};
    memcpy(account->name, name, len);
    return account;
}

static void take_entry(struct cachedir *cachedir, const char *file)
{
    struct stat st;
    enum entry entry;
    uint64_t bytes = 0;
    const size_t len = account_of(file, &entry);
    if (!len || fstatat(cachedir->fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_ours(&st, entry == ENTRY_STORE ? S_IFREG : S_IFDIR))
        return;
    const size_t drafts = entry == ENTRY_DRAFTS ? count_drafts(cachedir->fd, file, &bytes) : 0;
    if (entry == ENTRY_DRAFTS && !drafts)
        return; /* the directory stays when all was sent, and alone it is nothing that is kept */
    struct cachedir_account *account = account_named(cachedir, file, len);
    account->drafts += drafts;
    account->drafts_bytes += bytes;
    if (entry == ENTRY_BODIES)
        account->bodies_bytes += bodies_bytes(cachedir->fd, file);
    else if (entry == ENTRY_STORE)
        account->store_bytes += disk_bytes(&st);
    if (st.st_mtim.tv_sec > account->used)
        account->used = st.st_mtim.tv_sec;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const struct cachedir_account *)one)->name,
                  ((const struct cachedir_account *)other)->name);
}

enum imap_status cachedir_read(const char *path, struct cachedir *cachedir_out, struct imap_error *err)
{
    const struct dirent *entry;
    *cachedir_out = (struct cachedir){.path = imap_xstrdup(path)};
    cachedir_out->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cachedir_out->fd < 0 && errno == ENOENT)
        return imap_error_set(err, IMAP_GONE, "there is no %s", path);
    DIR *dir = cachedir_out->fd < 0 ? NULL : entries_of(cachedir_out->fd, ".");
    if (!dir)
        return imap_error_sys(err, errno, "%s", path);
    while ((entry = readdir(dir)))
        take_entry(cachedir_out, entry->d_name);
    closedir(dir);
    if (cachedir_out->count)
        qsort(cachedir_out->accounts, cachedir_out->count, sizeof *cachedir_out->accounts, by_name);
    return IMAP_OK;
}

void cachedir_fini(struct cachedir *cachedir)
{
    if (cachedir->fd >= 0)
        close(cachedir->fd);
    free(cachedir->path);
    free(cachedir->accounts);
    *cachedir = (struct cachedir){.fd = -1};
}

const struct cachedir_account *cachedir_find(const struct cachedir *cachedir, const char *name)
{
    for (size_t i = 0; i < cachedir->count; i++)
        if (strcmp(cachedir->accounts[i].name, name) == 0)
            return &cachedir->accounts[i];
    return NULL;
}

/* ---- purging ----------------------------------------------------------------------------------------- */

struct purging {
    void (*removed)(void *arg, const char *file, uint64_t bytes, int error);
    void *arg;
};

/* 0, or the errno; *bytes_out is set on success. */
static int remove_file(int dir, const char *file, uint64_t *bytes_out)
{
    struct stat st;
    if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (!is_ours(&st, S_IFREG))
        return EPERM;
    *bytes_out = disk_bytes(&st);
    return unlinkat(dir, file, 0) == 0 ? 0 : errno;
}

static void purge_bodies(const struct cachedir *cachedir, const char *file, const struct purging *purging)
{
    struct stat st;
    const struct dirent *entry;
    uint64_t bytes = 0, more = 0;
    int error = 0;
    if (fstatat(cachedir->fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    DIR *dir = is_ours(&st, S_IFDIR) ? entries_of(cachedir->fd, file) : NULL;
    if (!dir) {
        purging->removed(purging->arg, file, 0, EPERM);
        return;
    }
    while ((entry = readdir(dir))) {
        if (!is_numbered(entry->d_name, ""))
            continue;
        const int failed = remove_file(dirfd(dir), entry->d_name, &more);
        bytes += failed ? 0 : more;
        error = failed ? failed : error;
    }
    closedir(dir);
    if (unlinkat(cachedir->fd, file, AT_REMOVEDIR) != 0 && !error)
        error = errno;
    purging->removed(purging->arg, file, bytes, error);
}

enum imap_status cachedir_purge(const struct cachedir *cachedir, const char *name,
                                void (*removed)(void *arg, const char *file, uint64_t bytes, int error),
                                void *arg, struct imap_error *err)
{
    const struct purging purging = {.removed = removed, .arg = arg};
    struct storefile lock;
    char file[CACHEDIR_NAME + 32];
    if (!is_account_name(name, strlen(name)))
        return imap_error_set(err, IMAP_SYS, "%.150s is not the name of an account", name);
    enum imap_status status = storefile_take(&lock, cachedir->path, name, err);
    if (status)
        return status;
    status = cachelook_changes(&lock, name, err);
    if (status) {
        storefile_close(&lock);
        return status;
    }
    snprintf(file, sizeof file, "%s" CACHEDIR_BODIES, name);
    purge_bodies(cachedir, file, &purging);
    for (size_t i = 0; i < SUFFIXES; i++) {
        uint64_t bytes = 0;
        snprintf(file, sizeof file, "%s%s", name, suffixes[i]);
        const int error = remove_file(cachedir->fd, file, &bytes);
        if (error != ENOENT)
            removed(arg, file, bytes, error);
    }
    storefile_close(&lock);
    return IMAP_OK;
}
