/* SPDX-License-Identifier: MIT */
/*
 * draftfile: what lies on disk of the drafts: ACCOUNT.drafts/N is the bytes of draft N, N.place says, in
 * lines of "key value", where it was written. Only what has a place file is anything to the next mount: it
 * is renamed into being when the bytes are all there.
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
#include "mailbox.h"
#include "storefile.h"

#define MOUNTS_MAX 16 /* of one account at once that write */
#define PLACE ".place"
#define LINE_SIZE 65536

/* ---- the directory ---------------------------------------------------------------------------------- */

static enum imap_status lock_dir(struct drafts *drafts, const char *path, bool *taken_out,
                                 struct imap_error *err)
{
    *taken_out = false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return imap_error_sys(err, errno, "cannot make the directory %s", path);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return imap_error_sys(err, errno, "cannot open the directory %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *taken_out = errno == EWOULDBLOCK;
        const int lock_errno = errno;
        close(fd);
        return *taken_out ? IMAP_OK : imap_error_sys(err, lock_errno, "cannot lock the directory %s", path);
    }
    drafts->dir_fd = fd;
    drafts->dir = imap_xstrdup(path);
    return IMAP_OK;
}

enum imap_status draftfile_dir(struct drafts *drafts, const char *dir, const struct imap_endpoint *endpoint,
                               struct imap_error *err)
{
    char name[128], path[STOREFILE_SIZE];
    bool taken = true;
    enum imap_status status = IMAP_OK;
    storefile_name(endpoint, name);
    for (unsigned i = 1; i <= MOUNTS_MAX && taken && !status; i++) {
        const int len = i == 1 ? snprintf(path, sizeof path, "%s/%s.drafts", dir, name)
                               : snprintf(path, sizeof path, "%s/%s.drafts%u", dir, name, i);
        if (len < 0 || (size_t)len >= sizeof path)
            return imap_error_sys(err, ENAMETOOLONG, "cache directory %s", dir);
        status = lock_dir(drafts, path, &taken, err);
    }
    if (!status && taken)
        return imap_error_sys(err, EBUSY, "more than %d mounts of the account write at once", MOUNTS_MAX);
    return status;
}

int draftfile_open(const struct drafts *drafts, uint32_t number, bool make)
{
    char name[16];
    snprintf(name, sizeof name, "%" PRIu32, number);
    return openat(drafts->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT | O_EXCL : 0),
                  0600);
}

void draftfile_remove(const struct drafts *drafts, uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, "%" PRIu32 PLACE, number);
    (void)unlinkat(drafts->dir_fd, name, 0); /* first: bytes without a place are nothing */
    snprintf(name, sizeof name, "%" PRIu32, number);
    (void)unlinkat(drafts->dir_fd, name, 0);
}

/* ---- saving ----------------------------------------------------------------------------------------- */

static void put_text(FILE *file, const char *key, const char *text)
{
    fprintf(file, "%s ", key);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c == '%' || c >= 0x7f)
            fprintf(file, "%%%02X", c);
        else
            putc(c, file);
    }
    putc('\n', file);
}

static void put_place(FILE *file, const struct draft *draft, const char *mailbox)
{
    put_text(file, "mailbox", mailbox);
    put_text(file, "name", draft->name);
    put_text(file, "flags", draft->flags ? draft->flags : "");
    fprintf(file, "size %" PRIu64 "\n", draft->size);
    fprintf(file, "mtime %" PRId64 ".%09ld\n", (int64_t)draft->mtime.tv_sec, draft->mtime.tv_nsec);
    fprintf(file, "unclear %d\nend\n", draft->unclear);
}

static int write_place(int fd, const struct draft *draft, const char *mailbox)
{
    FILE *file = fdopen(fd, "w");
    if (!file) {
        const int open_errno = errno;
        close(fd);
        return open_errno;
    }
    put_place(file, draft, mailbox);
    int error = ferror(file) || fflush(file) != 0 || fsync(fd) != 0 ? errno ? errno : EIO : 0;
    if (fclose(file) != 0 && !error)
        error = errno;
    return error;
}

int draftfile_save(const struct drafts *drafts, const struct draft *draft)
{
    char name[32], being_made[40];
    snprintf(name, sizeof name, "%" PRIu32 PLACE, draft->number);
    snprintf(being_made, sizeof being_made, "%s.new", name);
    const int bytes = draftfile_open(drafts, draft->number, false);
    if (bytes < 0)
        return errno;
    int error = fsync(bytes) != 0 ? errno : 0;
    close(bytes);
    if (error)
        return error;
    const int fd = openat(drafts->dir_fd, being_made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    error = write_place(fd, draft, mailbox_wire_name(draft->mailbox));
    if (!error && renameat(drafts->dir_fd, being_made, drafts->dir_fd, name) != 0)
        error = errno;
    if (!error && fsync(drafts->dir_fd) != 0)
        error = errno;
    return error;
}

/* ---- taking up what was left ------------------------------------------------------------------------ */

struct place {
    char *mailbox, *name, *flags;
    uint64_t size;
    struct timespec mtime;
    bool unclear, ended;
};

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* NULL when it is not what put_text writes. */
static char *get_text(const char *text)
{
    char *out = imap_xmalloc(strlen(text) + 1);
    size_t len = 0;
    for (; *text; text++, len++) {
        const int high = *text == '%' ? hex_digit(text[1]) : 0,
                  low = *text == '%' && high >= 0 ? hex_digit(text[2]) : 0;
        out[len] = *text == '%' ? (char)(16 * high + low) : *text;
        if (high < 0 || low < 0 || !out[len]) {
            free(out);
            return NULL;
        }
        text += *text == '%' ? 2 : 0;
    }
    out[len] = '\0';
    return out;
}

static void take_line(struct place *place, const char *line)
{
    int64_t seconds = 0;
    long nanoseconds = 0;
    unsigned unclear = 0;
    char **text = !strncmp(line, "mailbox ", 8) ? &place->mailbox
                  : !strncmp(line, "name ", 5)  ? &place->name
                  : !strncmp(line, "flags ", 6) ? &place->flags
                                                : NULL;
    if (text) {
        free(*text);
        *text = get_text(strchr(line, ' ') + 1);
    } else if (sscanf(line, "mtime %" SCNd64 ".%9ld", &seconds, &nanoseconds) == 2) {
        place->mtime = (struct timespec){.tv_sec = seconds, .tv_nsec = nanoseconds};
    } else if (sscanf(line, "unclear %u", &unclear) == 1) {
        place->unclear = unclear != 0;
    } else if (sscanf(line, "size %" SCNu64, &place->size) != 1) {
        place->ended |= !strcmp(line, "end");
    }
}

static bool read_place(const struct drafts *drafts, const char *name, struct place *place)
{
    const int fd = openat(drafts->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((len = getline(&line, &room, file)) > 0 && len < LINE_SIZE) {
        line[strcspn(line, "\n")] = '\0';
        take_line(place, line);
    }
    free(line);
    fclose(file);
    return place->ended && place->mailbox && place->name && *place->name && !strchr(place->name, '/');
}

/* The number in "N" or "N.place"; 0 when it is neither. */
static uint32_t number_of(const char *name, bool *place_out)
{
    char *end = NULL;
    const unsigned long number = isdigit((unsigned char)*name) ? strtoul(name, &end, 10) : 0;
    if (!number || number > UINT32_MAX || (*end && strcmp(end, PLACE) != 0))
        return 0;
    *place_out = *end != '\0';
    return (uint32_t)number;
}

static bool bytes_are_there(const struct drafts *drafts, uint32_t number, uint64_t size)
{
    char name[16];
    struct stat attr;
    snprintf(name, sizeof name, "%" PRIu32, number);
    return fstatat(drafts->dir_fd, name, &attr, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(attr.st_mode) &&
           (uint64_t)attr.st_size == size;
}

static bool has_place(const struct drafts *drafts, uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, "%" PRIu32 PLACE, number);
    return faccessat(drafts->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void draftfile_each(const struct drafts *drafts,
                    void (*each)(void *arg, uint32_t number, const char *mailbox, const char *name,
                                 const char *flags, struct timespec mtime, bool unclear, uint64_t size),
                    void *arg)
{
    const int fd = openat(drafts->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        bool is_place = false;
        const uint32_t number = number_of(entry->d_name, &is_place);
        struct place place = {0};
        if (number && !is_place && !has_place(drafts, number))
            draftfile_remove(drafts, number); /* its close never returned */
        if (number && is_place && read_place(drafts, entry->d_name, &place) &&
            bytes_are_there(drafts, number, place.size))
            each(arg, number, place.mailbox, place.name, place.flags ? place.flags : "", place.mtime,
                 place.unclear, place.size);
        free(place.mailbox);
        free(place.name);
        free(place.flags);
    }
    closedir(dir);
}
