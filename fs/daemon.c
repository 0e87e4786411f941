/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static bool to_syslog;
static bool debug;

void daemon_log_debug(bool on)
{
    debug = on;
}

/* ---- lines ------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    struct status_line lines[STATUS_LINES_MAX]; /* a ring */
    size_t total;                               /* the oldest one is at total - STATUS_LINES_MAX */
} recent = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void remember(int priority, const char *text)
{
    pthread_mutex_lock(&recent.lock);
    struct status_line *line = &recent.lines[recent.total++ % STATUS_LINES_MAX];
    line->when = time(NULL);
    line->priority = priority;
    (void)snprintf(line->text, sizeof(line->text), "%.*s", (int)sizeof(line->text) - 1, text);
    pthread_mutex_unlock(&recent.lock);
}

size_t daemon_recent(struct status_line lines_out[STATUS_LINES_MAX])
{
    pthread_mutex_lock(&recent.lock);
    size_t count = recent.total < STATUS_LINES_MAX ? recent.total : STATUS_LINES_MAX;
    for (size_t i = 0; i < count; i++)
        lines_out[i] = recent.lines[(recent.total - count + i) % STATUS_LINES_MAX];
    pthread_mutex_unlock(&recent.lock);
    return count;
}

void daemon_log(int priority, const char *fmt, ...)
{
    char line[512];
    va_list args;

    if (LOG_PRI(priority) == LOG_DEBUG && !debug)
        return;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (LOG_PRI(priority) <= LOG_WARNING)
        remember(priority, line);
    if (to_syslog)
        syslog(priority, "%s", line);
    else
        (void)fprintf(stderr, "imapfs: %s\n", line);
}

/* ---- the background ---------------------------------------------------------------------------- */

/* The child has said on standard error what went wrong, unless it died. */
static int outcome_of(pid_t child, int fd)
{
    unsigned char ready = 0;
    int status = 0;
    ssize_t n;

    do
        n = read(fd, &ready, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "imapfs: ended by signal %d (%s) before it was ready\n", WTERMSIG(status),
                      strsignal(WTERMSIG(status)));
        return 1;
    }
    return WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

enum imap_status daemon_fork(struct daemon *daemon_out, struct imap_error *err)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return imap_error_sys(err, errno, "a pipe");
    child = fork();
    if (child < 0) {
        int error = errno;
        close(fds[0]);
        close(fds[1]);
        return imap_error_sys(err, error, "going into the background");
    }
    if (child > 0) {
        close(fds[1]);
        _exit(outcome_of(child, fds[0]));
    }
    close(fds[0]);
    daemon_out->status_fd = fds[1];
    return IMAP_OK;
}

void daemon_ready(struct daemon *daemon)
{
    const unsigned char ready = 1;
    int null;

    if (daemon->status_fd < 0)
        return;
    openlog("imapfs", LOG_PID, LOG_DAEMON);
    to_syslog = true;
    setsid();
    if (chdir("/") != 0)
        daemon_log(LOG_WARNING, "cannot leave the directory it was started in: %s", strerror(errno));
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    if (write(daemon->status_fd, &ready, 1) != 1)
        daemon_log(LOG_WARNING, "whoever started it is gone");
    close(daemon->status_fd);
    daemon->status_fd = -1;
}
