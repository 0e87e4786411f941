/* SPDX-License-Identifier: MIT */
/* imapfs status MOUNTPOINT: prints .imapfs/status of the mount. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "commands.h"
#include "daemon.h"
#include "status.h"
#include "thread.h"

#define FUSE_MAGIC 0x65735546
#define PATIENCE_S 10          /* it is answered from memory */
#define TEXT_MAX (1024 * 1024) /* far more than there ever is */

static const char usage[] = "usage: imapfs status MOUNTPOINT\n"
                            "\n"
                            "Prints what the imapfs that is mounted there is doing.\n"
                            "Exit code: 0 connected, 3 the account cannot be reached, 1 no such mount.\n";

/* On a thread of its own: the kernel makes who asks a mount wait for its imapfs, however long. */
struct reading {
    const char *mountpoint;
    sem_t over;
    int error;    /* an errno, or 0 */
    bool foreign; /* there is such a file, but it is no imapfs that has it */
    char *text;
    size_t len;
};

static int read_all(struct reading *reading, int fd)
{
    ssize_t n;

    reading->text = imap_xmalloc(TEXT_MAX);
    while (reading->len < TEXT_MAX &&
           (n = read(fd, reading->text + reading->len, TEXT_MAX - reading->len)) != 0) {
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            reading->len += (size_t)n;
    }
    return 0;
}

static int read_status(struct reading *reading)
{
    struct statfs filesystem;
    char *path = NULL;

    if (asprintf(&path, "%s/.imapfs/status", reading->mountpoint) < 0)
        abort();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int error = fd < 0 ? errno : 0;
    free(path);
    if (fd < 0)
        return error;
    reading->foreign = fstatfs(fd, &filesystem) != 0 || filesystem.f_type != FUSE_MAGIC;
    error = reading->foreign ? 0 : read_all(reading, fd);
    close(fd);
    return error;
}

static void *run(void *arg)
{
    struct reading *reading = arg;

    reading->error = read_status(reading);
    sem_post(&reading->over);
    return NULL;
}

/* False when nothing has come for so long; then the thread is still at it. */
static bool read_in_time(struct reading *reading)
{
    struct timespec until;
    pthread_t thread;

    sem_init(&reading->over, 0, 0);
    thread_start(&thread, "reader", run, reading);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(&reading->over, &until) != 0)
        if (errno != EINTR)
            return false;
    pthread_join(thread, NULL);
    sem_destroy(&reading->over);
    return true;
}

/* ENOENT: is it the mount point that is missing, or its status? */
static int explain(const char *mountpoint, int error)
{
    if (error == ENOTCONN)
        daemon_log(LOG_ERR, "the imapfs that was mounted on %s is dead: fusermount3 -u it, or mount anew",
                   mountpoint);
    else if (error == EACCES || error == EPERM)
        daemon_log(LOG_ERR, "%s is another user's: only who has mounted it may look", mountpoint);
    else if (error == ENOTDIR || (error == ENOENT && access(mountpoint, F_OK) == 0))
        daemon_log(LOG_ERR, "no imapfs is mounted on %s", mountpoint);
    else
        daemon_log(LOG_ERR, "%s: %s", mountpoint, strerror(error));
    return CMD_FAILED;
}

static int print(const struct reading *reading)
{
    const size_t len = strlen(STATUS_CONNECTED);

    if (fwrite(reading->text, 1, reading->len, stdout) != reading->len || fflush(stdout) != 0) {
        daemon_log(LOG_ERR, "cannot write: %s", strerror(errno));
        return CMD_FAILED;
    }
    return reading->len >= len && memcmp(reading->text, STATUS_CONNECTED, len) == 0 ? CMD_OK : CMD_NOT_NOW;
}

int cmd_status(int argc, char **argv)
{
    struct reading reading = {0};
    int rc;

    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        (void)fputs(usage, stdout);
        return CMD_OK;
    }
    if (argc != 2 || *argv[1] == '-' || !*argv[1]) {
        (void)fputs(usage, stderr);
        return CMD_USAGE;
    }
    reading.mountpoint = argv[1];
    if (!read_in_time(&reading)) {
        daemon_log(LOG_ERR, "the imapfs that is mounted on %s does not answer", argv[1]);
        _exit(CMD_FAILED); /* leaving by force is what ends the thread's wait */
    }
    if (reading.error || reading.foreign)
        rc = explain(argv[1], reading.foreign ? ENOTDIR : reading.error);
    else
        rc = print(&reading);
    free(reading.text);
    return rc;
}
