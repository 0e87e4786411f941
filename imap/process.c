/* SPDX-License-Identifier: MIT */
/*
 * process: a command of the user's that talks IMAP on its standard input and output.
 *
 * On close it gets end of file, then SIGTERM, then SIGKILL, and is reaped, with all that it started
 * where there is no terminal that it may want to ask on (see has_terminal).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"
#include "netutil.h"

#define QUIT_MS 300 /* after end of file, and again after SIGTERM */

struct process {
    struct imap_transport transport;
    pid_t pid;
    bool group; /* it leads a process group, which ends with it */
};

static bool ended_within(int pidfd, int ms)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    int n;
    int64_t deadline = imap_net_now() + ms;

    while ((n = poll(&fd, 1, imap_net_timeout(deadline))) < 0 && errno == EINTR)
        ;
    return n > 0;
}

/* Before it is waited for, so that the number is still its own. */
static void reap(pid_t pid, bool group)
{
    int pidfd = pidfd_open(pid, 0);
    pid_t whom = group ? -pid : pid;

    if (pidfd < 0 || !ended_within(pidfd, QUIT_MS)) {
        kill(whom, SIGTERM);
        if (pidfd < 0 || !ended_within(pidfd, QUIT_MS))
            kill(whom, SIGKILL);
    }
    if (group)
        kill(whom, SIGTERM); /* what the command has left behind */
    if (pidfd >= 0)
        close(pidfd);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void process_close(struct imap_transport *transport)
{
    struct process *process = (struct process *)transport;

    close(transport->read_fd);
    close(transport->write_fd);
    reap(process->pid, process->group);
    free(process);
}

static const struct imap_transport_ops process_ops = {
    .read = imap_net_read,
    .write = imap_net_write,
    .buffered = imap_net_buffered,
    .close = process_close,
};

/* On a terminal the command stays in our process group: ssh may want to ask for a passphrase there, and
 * Ctrl-C reaches all of us. */
static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* Our threads block signals and ignore SIGPIPE; the command must start with neither. */
static int spawn(const char *command, int stdin_fd, int stdout_fd, bool group, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigset_t defaults;
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGHUP);
    sigaddset(&defaults, SIGCHLD);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(
        &attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (group ? POSIX_SPAWN_SETPGROUP : 0)));
    int rc = posix_spawn(pid_out, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* One pair for each direction: in a command like `server | filter`, a server that makes its standard
 * input non-blocking would do that to the filter's standard output if they were the same socket, and
 * few filters write again what could not be written. */
static bool two_pairs(int to[2], int from[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) != 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, from) == 0)
        return true;
    int error = errno;
    close(to[0]);
    close(to[1]);
    errno = error;
    return false;
}

enum imap_status imap_process_open(const struct imap_endpoint *endpoint,
                                   struct imap_transport **transport_out, struct imap_error *err)
{
    int to[2], from[2];
    pid_t pid;

    if (!two_pairs(to, from))
        return imap_error_sys(err, errno, "a socket pair for the tunnel");
    bool group = !has_terminal();
    int rc = spawn(endpoint->tunnel, to[1], from[1], group, &pid);
    close(to[1]);
    close(from[1]);
    if (rc != 0) {
        close(to[0]);
        close(from[0]);
        return imap_error_sys(err, rc, "running the tunnel command");
    }

    struct process *process = imap_xmalloc(sizeof(*process));
    *process = (struct process){
        .transport = {.ops = &process_ops,
                      .read_fd = from[0],
                      .write_fd = to[0],
                      .read_events = POLLIN,
                      .write_events = POLLOUT},
        .pid = pid,
        .group = group,
    };
    *transport_out = &process->transport;
    return IMAP_OK;
}
