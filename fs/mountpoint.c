/* SPDX-License-Identifier: MIT */
#include "mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACKED_MAX 8 /* stale mounts on top of one another */

/* Asks the kernel's table, which does not ask the mount itself. */
static bool ours_is_mounted(const char *path)
{
    FILE *table = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;
    bool found = false;

    if (!table)
        return false;
    while ((entry = getmntent(table))) {
        if (strcmp(entry->mnt_dir, path) == 0)
            found = strcmp(entry->mnt_type, "fuse.imapfs") == 0; /* the last one is on top */
    }
    endmntent(table);
    return found;
}

static void unmount(const char *path)
{
    char *const argv[] = {(char *)"fusermount3", (char *)"-u", (char *)"-z", (char *)"-q",
                          (char *)"--",          (char *)path, NULL};
    pid_t pid;

    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        return;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* stat may be answered from the kernel's memory of a mount whose imapfs is dead; statfs never is. */
static bool is_stale(const char *path)
{
    struct statfs status;

    return statfs(path, &status) != 0 && errno == ENOTCONN;
}

static enum imap_status check(const char *path, struct imap_error *err)
{
    struct stat status;

    for (int i = 0; i < STACKED_MAX && ours_is_mounted(path); i++) {
        if (!is_stale(path))
            return imap_error_set(err, IMAP_USAGE,
                                  "an imapfs is mounted on %.120s already: end it first by fusermount3 -u",
                                  path);
        unmount(path);
    }
    if (stat(path, &status) != 0)
        return imap_error_set(err, IMAP_USAGE, "the mount point %.120s cannot be used: %s", path,
                              strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return imap_error_set(err, IMAP_USAGE, "the mount point %.150s is not a directory", path);
    if (geteuid() != 0 && access(path, W_OK) != 0)
        return imap_error_set(
            err, IMAP_USAGE,
            "the mount point %.120s is not yours to mount on: take a directory that you can "
            "write to",
            path);
    return IMAP_OK;
}

enum imap_status mountpoint_prepare(const char *path, char **resolved_out, struct imap_error *err)
{
    char *resolved = realpath(path, NULL);

    if (!resolved && errno == ENOENT)
        return imap_error_set(err, IMAP_USAGE, "the mount point %.150s does not exist: mkdir it first", path);
    if (!resolved)
        return imap_error_set(err, IMAP_USAGE, "the mount point %.120s cannot be used: %s", path,
                              strerror(errno));
    enum imap_status status = check(resolved, err);
    if (status == IMAP_OK)
        *resolved_out = resolved;
    else
        free(resolved);
    return status;
}

/* ---- mounting ---------------------------------------------------------------------------------- */

struct capture {
    int file, saved; /* -1: none */
};

static struct capture capture_begin(bool wanted)
{
    struct capture capture = {.file = -1, .saved = -1};

    if (wanted)
        capture.file = memfd_create("stderr", MFD_CLOEXEC);
    if (capture.file >= 0)
        capture.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (capture.saved >= 0) {
        (void)fflush(stderr);
        dup2(capture.file, STDERR_FILENO);
    }
    return capture;
}

/* The last line that was captured, without the name of who said it; "" for none. */
static void capture_end(struct capture *capture, char *text, size_t size)
{
    char all[1024];
    ssize_t n;

    *text = '\0';
    if (capture->saved >= 0) {
        (void)fflush(stderr);
        dup2(capture->saved, STDERR_FILENO);
        close(capture->saved);
        n = pread(capture->file, all, sizeof(all) - 1, 0);
        while (n > 0 && all[n - 1] == '\n')
            n--;
        all[n > 0 ? n : 0] = '\0';
        char *line = strrchr(all, '\n');
        line = line ? line + 1 : all;
        if (strncmp(line, "imapfs: ", 8) == 0)
            line += 8;
        (void)snprintf(text, size, "%.150s", line);
    }
    if (capture->file >= 0)
        close(capture->file);
}

enum imap_status mountpoint_mount(struct fuse_session *session, const char *path, bool quiet,
                                  struct imap_error *err)
{
    char why[160];
    struct capture capture = capture_begin(quiet);
    int rc = fuse_session_mount(session, path);

    capture_end(&capture, why, sizeof(why));
    if (rc == 0)
        return IMAP_OK;
    return imap_error_set(err, IMAP_SYS, "cannot mount on %.60s: %s", path,
                          *why ? why : "is FUSE there (/dev/fuse, fusermount3)?");
}
