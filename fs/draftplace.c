/* SPDX-License-Identifier: MIT */
/*
 * draftplace: N.place, lines of "key value" that say where draft N was written and what is known of it. It is
 * renamed into being when it is whole, so there is the old one or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "maildir.h"

#define FILE_MAX (256L << 10) /* a name and flags, every byte as %XX, and room to spare */
#define NAME_ROOM 40

static void name_of(uint32_t number, const char *suffix, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%" PRIu32 DRAFTPLACE_SUFFIX "%s", number, suffix);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

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

static void put_place(FILE *file, const struct draft_place *place)
{
    put_text(file, "mailbox", place->mailbox);
    put_text(file, "name", place->name);
    put_text(file, "flags", place->flags);
    fprintf(file, "mtime %" PRId64 ".%09ld\n", (int64_t)place->mtime.tv_sec, place->mtime.tv_nsec);
    fprintf(file, "unclear %d\n", place->unclear);
    fprintf(file, "promise %" PRIu64 "\n", place->promise);
    fprintf(file, "uidvalidity %" PRIu32 "\nuidnext %" PRIu32 "\nend\n", place->uidvalidity, place->uidnext);
}

static int write_file(int dir_fd, const char *name, const struct draft_place *place, bool sync)
{
    const int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        const int open_errno = errno;
        if (fd >= 0)
            close(fd);
        return open_errno;
    }
    put_place(file, place);
    errno = 0;
    int error = fflush(file) != 0 || ferror(file) || (sync && fsync(fd) != 0) ? (errno ? errno : EIO) : 0;
    if (fclose(file) != 0 && !error)
        error = errno;
    return error;
}

static int sync_bytes(int dir_fd, uint32_t number)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%" PRIu32, number);
    const int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno;
    const int error = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return error;
}

int draftplace_write(int dir_fd, const struct draft_place *place, bool sync)
{
    char name[NAME_ROOM], being_made[NAME_ROOM];
    name_of(place->number, "", name);
    name_of(place->number, ".new", being_made);
    int error = sync ? sync_bytes(dir_fd, place->number) : 0;
    if (error)
        return error;
    error = write_file(dir_fd, being_made, place, sync);
    if (!error && renameat(dir_fd, being_made, dir_fd, name) != 0)
        error = errno;
    if (error)
        (void)unlinkat(dir_fd, being_made, 0);
    if (!error && sync && fsync(dir_fd) != 0)
        error = errno;
    return error;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

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
        const int high = *text == '%' ? hex_digit(text[1]) : 0;
        const int low = *text == '%' && high >= 0 ? hex_digit(text[2]) : 0;
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

static void take_text(const char **to, const char *text)
{
    free((char *)*to);
    *to = get_text(text);
}

/* True for the last one. */
static bool take_line(struct draft_place *place, const char *line)
{
    const char *space = strchr(line, ' ');
    const char *value = space ? space + 1 : "";
    char *end = NULL;
    if (!strncmp(line, "mailbox ", 8)) {
        take_text(&place->mailbox, value);
    } else if (!strncmp(line, "name ", 5)) {
        free(place->name);
        place->name = get_text(value);
    } else if (!strncmp(line, "flags ", 6)) {
        take_text(&place->flags, value);
    } else if (!strncmp(line, "mtime ", 6)) {
        place->mtime.tv_sec = (time_t)strtoll(value, &end, 10);
        place->mtime.tv_nsec = *end == '.' ? strtol(end + 1, NULL, 10) % 1000000000 : 0;
    } else if (!strncmp(line, "unclear ", 8)) {
        place->unclear = *value != '0';
    } else if (!strncmp(line, "promise ", 8)) {
        place->promise = strtoull(value, NULL, 10);
    } else if (!strncmp(line, "uidvalidity ", 12)) {
        place->uidvalidity = (uint32_t)strtoul(value, NULL, 10);
    } else if (!strncmp(line, "uidnext ", 8)) {
        place->uidnext = (uint32_t)strtoul(value, NULL, 10);
    }
    return !strcmp(line, "end");
}

static FILE *open_place(int dir_fd, uint32_t number)
{
    char name[NAME_ROOM];
    name_of(number, "", name);
    const int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

static bool is_name(const char *name)
{
    struct maildir_name parsed;
    return *name && strlen(name) <= DRAFT_NAME_MAX && (!strchr(name, '/') || !maildir_parse(name, &parsed));
}

bool draftplace_read(int dir_fd, uint32_t number, struct draft_place *place_out)
{
    FILE *file = open_place(dir_fd, number);
    struct draft_place place = {.number = number};
    char *line = NULL;
    size_t room = 0;
    long total = 0;
    ssize_t len;
    bool ended = false;
    if (!file)
        return false;
    while (!ended && (len = getline(&line, &room, file)) > 0 && (total += len) < FILE_MAX) {
        line[strcspn(line, "\n")] = '\0';
        ended = take_line(&place, line);
    }
    free(line);
    fclose(file);
    if (ended && place.mailbox && place.name && place.flags && is_name(place.name)) {
        *place_out = place;
        return true;
    }
    draftplace_fini(&place);
    return false;
}

void draftplace_fini(struct draft_place *place)
{
    free((char *)place->mailbox);
    free((char *)place->flags);
    free(place->name);
    *place = (struct draft_place){0};
}
