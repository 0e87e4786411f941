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
#include "cachebodies.h"
#include "flagset.h"
#include "name.h"
#include "storefile.h"

#define BODIES ".bodies"
#define LOCK STOREFILE_SUFFIX ".lock"
#define SLICE 4096u /* rows read at a time */

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

/* The length of the account's name at the file's beginning; 0: it is none of ours. */
static size_t account_of(const char *file, bool *bodies_out)
{
    size_t stem = 0;
    bool found = *bodies_out = ends_in(file, BODIES, &stem);
    for (size_t i = 0; i < SUFFIXES && !found; i++)
        found = ends_in(file, suffixes[i], &stem);
    return found && is_account_name(file, stem) ? stem : 0;
}

static bool is_body_file(const char *file)
{
    const size_t digits = strspn(file, "0123456789");
    return digits && digits <= 10 && !file[digits] && *file != '0';
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
        if (is_body_file(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_ours(&st, S_IFREG))
            bytes += disk_bytes(&st);
    if (dir)
        closedir(dir);
    return bytes;
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
    bool bodies;
    const size_t len = account_of(file, &bodies);
    if (!len || fstatat(cachedir->fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_ours(&st, bodies ? S_IFDIR : S_IFREG))
        return;
    struct cachedir_account *account = account_named(cachedir, file, len);
    if (bodies)
        account->bodies_bytes += bodies_bytes(cachedir->fd, file);
    else
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

/* ---- looking into the store -------------------------------------------------------------------------- */

static enum imap_status look(struct storefile *file, const struct cachedir *cachedir, const char *name,
                             struct imap_error *err)
{
    enum imap_status status = storefile_take(file, cachedir->path, name, err);
    if (status)
        return status;
    status = storefile_look(file, err);
    if (status)
        storefile_close(file);
    return status;
}

/* What became of reading, as a status. */
static enum imap_status ended(struct storefile *file, int code, struct imap_error *err)
{
    enum imap_status status = IMAP_OK;
    if (code != SQLITE_OK)
        status = imap_error_set(err, storefile_damaged(code) ? IMAP_PROTO : IMAP_SYS, "%s: %s", file->path,
                                sqlite3_errstr(code));
    storefile_close(file);
    return status;
}

static void count_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    struct cachedir_content *content = arg;
    content->mailboxes++;
    if (mailbox->known)
        content->messages += mailbox->count;
}

enum imap_status cachedir_look(const struct cachedir *cachedir, const char *name,
                               struct cachedir_content *content_out, struct imap_error *err)
{
    struct storefile file;
    unsigned damaged = 0;
    *content_out = (struct cachedir_content){0};
    enum imap_status status = look(&file, cachedir, name, err);
    if (status)
        return status;
    const int code = storefile_mailboxes(&file, count_mailbox, content_out, &damaged);
    content_out->damaged = damaged;
    return ended(&file, code, err);
}

/* ---- verifying --------------------------------------------------------------------------------------- */

struct known {
    struct known *next;
    uint32_t id, count;
    uint64_t digest;
    char *path;
};

struct verifying {
    struct known *first, **tail;
    struct flagsets flagsets;
    struct cachedir_content *content;
    void (*damaged)(void *arg, const char *mailbox);
    void *arg;
};

/* As a file name for each component. */
static char *path_of(const struct stored_mailbox *mailbox)
{
    char *path = imap_xcalloc(1, 1);
    size_t used = 0, from = 0;
    while (from <= mailbox->name_len) {
        char part[NAME_SIZE];
        const char *at = mailbox->name + from;
        const size_t rest = mailbox->name_len - from;
        const char *end = mailbox->delimiter && rest ? memchr(at, mailbox->delimiter, rest) : NULL;
        const size_t len = end ? (size_t)(end - at) : rest;
        name_from_wire(at, len, part);
        path = imap_xreallocarray(path, used + strlen(part) + 2, 1);
        used += (size_t)sprintf(path + used, "%s%s", used ? "/" : "", part);
        from += len + 1;
    }
    return path;
}

static void note_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    struct verifying *verifying = arg;
    count_mailbox(verifying->content, mailbox);
    if (!mailbox->known || mailbox->name_len > NAME_WIRE_MAX)
        return;
    struct known *known = imap_xcalloc(1, sizeof *known);
    *known = (struct known){
        .id = mailbox->id, .count = mailbox->count, .digest = mailbox->digest, .path = path_of(mailbox)};
    *verifying->tail = known;
    verifying->tail = &known->next;
}

static uint32_t note_flagset(void *arg, const char *text)
{
    struct verifying *verifying = arg;
    return flagset_intern_text(&verifying->flagsets, text);
}

/* Each slice is dropped when it was read: a million messages are not to be held at once. */
static int is_whole(struct storefile *file, const struct known *known, bool *whole_out)
{
    struct storefile_load load = {.mailbox = known->id};
    size_t count = 0;
    int code = SQLITE_OK;
    while (!load.ended && code == SQLITE_OK) {
        code = storefile_load(file, &load, SLICE);
        count += load.columns.count;
        columns_fini(&load.columns);
    }
    *whole_out = !load.damaged && count == known->count && load.digest == known->digest;
    return code;
}

static void free_known(struct known *known)
{
    while (known) {
        struct known *next = known->next;
        free(known->path);
        free(known);
        known = next;
    }
}

static void tell_damaged(struct verifying *verifying, const char *path)
{
    verifying->content->damaged++;
    verifying->damaged(verifying->arg, path);
}

/* Of each mailbox its line, then its messages. SQLite's code. */
static int verify_listings(struct storefile *file, struct verifying *verifying)
{
    unsigned lines = 0;
    int code = storefile_flagsets(file, note_flagset, verifying);
    if (code == SQLITE_OK)
        code = storefile_mailboxes(file, note_mailbox, verifying, &lines);
    for (; lines; lines--)
        tell_damaged(verifying, "?");
    for (const struct known *at = verifying->first; at && code == SQLITE_OK; at = at->next) {
        bool whole = false;
        code = is_whole(file, at, &whole);
        if (code == SQLITE_OK && !whole)
            tell_damaged(verifying, at->path);
    }
    return code;
}

enum imap_status cachedir_verify(const struct cachedir *cachedir, const char *name,
                                 void (*damaged)(void *arg, const char *mailbox), void *arg,
                                 struct cachedir_content *content_out, struct imap_error *err)
{
    struct storefile file;
    struct verifying verifying = {.content = content_out, .damaged = damaged, .arg = arg};
    verifying.tail = &verifying.first;
    *content_out = (struct cachedir_content){0};
    enum imap_status status = look(&file, cachedir, name, err);
    if (status)
        return status;
    int code = verify_listings(&file, &verifying);
    struct cachebodies bodies = {0};
    char dir[CACHEDIR_NAME + sizeof BODIES];
    snprintf(dir, sizeof dir, "%s" BODIES, name);
    if (code == SQLITE_OK)
        code = cachebodies_verify(&file, cachedir->fd, dir, &bodies);
    content_out->bodies = bodies.count;
    content_out->bodies_damaged = bodies.damaged;
    free_known(verifying.first);
    flagsets_fini(&verifying.flagsets);
    return ended(&file, code, err);
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
        if (!is_body_file(entry->d_name))
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
    const enum imap_status status = storefile_take(&lock, cachedir->path, name, err);
    if (status)
        return status;
    snprintf(file, sizeof file, "%s" BODIES, name);
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
