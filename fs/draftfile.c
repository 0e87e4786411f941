/* SPDX-License-Identifier: MIT */
/*
 * draftfile: what lies on disk of the drafts. ACCOUNT.drafts/N is the bytes of draft N, N.place (draftplace.c)
 * says where it was written. Only what has a place is anything to the next mount: of bytes without one nobody was
 * told that they were written. Several mounts of the account have a directory each, locked; what one has left
 * that is not running any more, another one takes over when it starts.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "storefile.h"

#define MOUNTS_MAX 16u /* of one account at once that write */
#define NAME_ROOM 40

static void name_of(uint32_t number, const char *suffix, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%" PRIu32 "%s", number, suffix);
}

/* ---- the directory ---------------------------------------------------------------------------------- */

/* The descriptor; -1 with errno: EWOULDBLOCK when another mount has it. */
static int lock_dir(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    const int lock_errno = errno;
    close(fd);
    errno = lock_errno;
    return -1;
}

static void path_of(const char *base, unsigned i, char path[STOREFILE_SIZE])
{
    if (i == 1)
        snprintf(path, STOREFILE_SIZE, "%s", base);
    else
        snprintf(path, STOREFILE_SIZE, "%.*s%u", STOREFILE_SIZE - 12, base, i);
}

enum imap_status draftfile_dir(struct drafts *drafts, const char *dir, const struct imap_endpoint *endpoint,
                               struct imap_error *err)
{
    char name[128], path[STOREFILE_SIZE];
    storefile_name(endpoint, name);
    const size_t size = strlen(dir) + strlen(name) + sizeof "/.drafts";
    if (size > STOREFILE_SIZE - 12)
        return imap_error_sys(err, ENAMETOOLONG, "cache directory %s", dir);
    drafts->dir = imap_xmalloc(size + 12);
    snprintf(drafts->dir, size, "%s/%s.drafts", dir, name);
    for (unsigned i = 1; i <= MOUNTS_MAX; i++) {
        path_of(drafts->dir, i, path);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return imap_error_sys(err, errno, "cannot make the directory %s", path);
        drafts->dir_fd = lock_dir(path);
        if (drafts->dir_fd >= 0) {
            free(drafts->dir);
            drafts->dir = imap_xstrdup(path);
            return IMAP_OK;
        }
        if (errno != EWOULDBLOCK)
            return imap_error_sys(err, errno, "cannot open the directory %s", path);
    }
    return imap_error_sys(err, EBUSY, "more than %u mounts of the account write at once", MOUNTS_MAX);
}

int draftfile_open(const struct drafts *drafts, uint32_t number, bool make)
{
    char name[NAME_ROOM];
    name_of(number, "", name);
    return openat(drafts->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT | O_EXCL : 0),
                  0600);
}

static void remove_one(int dir_fd, uint32_t number, const char *suffix)
{
    char name[NAME_ROOM];
    name_of(number, suffix, name);
    (void)unlinkat(dir_fd, name, 0);
}

void draftfile_forget(const struct drafts *drafts, uint32_t number)
{
    remove_one(drafts->dir_fd, number, DRAFTPLACE_SUFFIX);
}

void draftfile_remove(const struct drafts *drafts, uint32_t number)
{
    draftfile_forget(drafts, number); /* first: bytes without a place are nothing */
    remove_one(drafts->dir_fd, number, "");
}

/* ---- what was left ---------------------------------------------------------------------------------- */

/* The number in "N", or in "N.place" and "N.place.new"; 0 when it is none of them. */
static uint32_t number_of(const char *name, const char **suffix_out)
{
    char *end = NULL;
    const unsigned long number = isdigit((unsigned char)*name) ? strtoul(name, &end, 10) : 0;
    if (!number || number >= UINT32_MAX)
        return 0;
    *suffix_out = end;
    return (uint32_t)number;
}

static bool exists(int dir_fd, uint32_t number, const char *suffix, struct stat *attr_out)
{
    char name[NAME_ROOM];
    name_of(number, suffix, name);
    return fstatat(dir_fd, name, attr_out, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(attr_out->st_mode);
}

struct numbers {
    uint32_t *all;
    size_t count, capacity;
};

static int compare(const void *one, const void *other)
{
    const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static void add_number(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->capacity) {
        numbers->capacity = numbers->capacity ? 2 * numbers->capacity : 64;
        numbers->all = imap_xreallocarray(numbers->all, numbers->capacity, sizeof(uint32_t));
    }
    numbers->all[numbers->count++] = number;
}

/* Those that have a place and bytes, in order; the others go. */
static struct numbers tidy(int dir_fd)
{
    struct numbers numbers = {0};
    struct stat attr;
    const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *suffix = NULL;
        const uint32_t number = number_of(entry->d_name, &suffix);
        if (!number)
            continue;
        if (*suffix && strcmp(suffix, DRAFTPLACE_SUFFIX) != 0)
            remove_one(dir_fd, number, suffix); /* being made when the mount ended */
        else if (*suffix && !exists(dir_fd, number, "", &attr))
            remove_one(dir_fd, number, DRAFTPLACE_SUFFIX);
        else if (!*suffix && !exists(dir_fd, number, DRAFTPLACE_SUFFIX, &attr))
            remove_one(dir_fd, number, "");
        else if (!*suffix)
            add_number(&numbers, number);
    }
    if (dir)
        closedir(dir);
    if (numbers.count)
        qsort(numbers.all, numbers.count, sizeof(uint32_t), compare);
    return numbers;
}

static bool move_one(int from_fd, uint32_t from, int to_fd, uint32_t to, const char *suffix)
{
    char old_name[NAME_ROOM], new_name[NAME_ROOM];
    name_of(from, suffix, old_name);
    name_of(to, suffix, new_name);
    return renameat(from_fd, old_name, to_fd, new_name) == 0;
}

/* The bytes last: until they have come the place is nothing here, and stays something there. */
static bool move_draft(int from_fd, uint32_t from, int to_fd, uint32_t to)
{
    struct draft_place place = {0};
    if (!draftplace_read(from_fd, from, &place))
        return false;
    place.number = to;
    const bool moved = draftplace_write(to_fd, &place, false) == 0 && move_one(from_fd, from, to_fd, to, "");
    draftplace_fini(&place);
    remove_one(moved ? from_fd : to_fd, moved ? from : to, DRAFTPLACE_SUFFIX);
    return moved;
}

static void take_over(struct drafts *drafts)
{
    const size_t len = strlen(drafts->dir);
    const char *base_end = strstr(drafts->dir + (len > 24 ? len - 24 : 0), ".drafts");
    char base[STOREFILE_SIZE], path[STOREFILE_SIZE];
    if (!base_end)
        return;
    snprintf(base, sizeof base, "%.*s", (int)(base_end - drafts->dir) + 7, drafts->dir);
    for (unsigned i = 1; i <= MOUNTS_MAX; i++) {
        path_of(base, i, path);
        const int fd = strcmp(path, drafts->dir) != 0 ? lock_dir(path) : -1;
        if (fd < 0)
            continue;
        struct numbers left = tidy(fd);
        for (size_t n = 0; n < left.count && drafts->last_number < UINT32_MAX - 1; n++)
            if (move_draft(fd, left.all[n], drafts->dir_fd, drafts->last_number + 1))
                drafts->last_number++;
        free(left.all);
        close(fd);
    }
}

void draftfile_each(struct drafts *drafts, void (*each)(void *arg, const struct draft_place *place),
                    void *arg)
{
    struct numbers own = tidy(drafts->dir_fd);
    if (own.count)
        drafts->last_number = own.all[own.count - 1];
    take_over(drafts);
    free(own.all);
    own = tidy(drafts->dir_fd);
    for (size_t i = 0; i < own.count; i++) {
        struct draft_place place = {0};
        struct stat attr;
        if (!exists(drafts->dir_fd, own.all[i], "", &attr))
            continue;
        (void)!draftplace_read(drafts->dir_fd, own.all[i], &place);
        place.number = own.all[i];
        place.size = (uint64_t)attr.st_size;
        each(arg, &place);
        draftplace_fini(&place);
    }
    free(own.all);
}
