/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "suspend.h"
#include "thread.h"

#define KICK_NS 20000000 /* between two attempts to wake the loop */

static struct {
    struct fs *fs;
    struct fuse_session *session;
    pthread_t thread, loop_thread;
    sem_t over;     /* the loop is over */
    int told_fd;    /* a signal came, or the loop is over */
    int suspend_fd; /* -1: nobody tells */
    bool terminal;  /* there is one, and it may go away */
    atomic_bool end, revalidate;
} ending;

static void tell(atomic_bool *what)
{
    const uint64_t one = 1;
    int saved = errno;

    atomic_store(what, true);
    if (write(ending.told_fd, &one, sizeof(one)) < 0)
        errno = saved; /* it counts that high only when nobody looks any more */
    errno = saved;
}

/* Whichever thread gets it. */
static void on_signal(int number)
{
    tell(number == SIGHUP ? &ending.revalidate : &ending.end);
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void on_kick(int number)
{
    (void)number;
}

static bool loop_is_over(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += KICK_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return sem_timedwait(&ending.over, &until) == 0;
}

static void revalidate(const char *why)
{
    daemon_log(LOG_NOTICE, "%s: everything is revalidated", why);
    account_revalidate(ending.fs->account);
}

/* False when it is time to end. */
static bool await(void)
{
    struct pollfd fds[] = {{.fd = ending.told_fd, .events = POLLIN},
                           {.fd = ending.suspend_fd, .events = POLLIN}};
    uint64_t times;

    if (poll(fds, 2, -1) <= 0)
        return true;
    if (fds[0].revents && read(ending.told_fd, &times, sizeof(times)) < 0)
        return true;
    if (atomic_load(&ending.end))
        return false;
    if (fds[1].revents && suspend_over(ending.suspend_fd))
        revalidate("the machine has slept, or its clock was set");
    if (!atomic_exchange(&ending.revalidate, false))
        return true;
    if (ending.terminal && !has_terminal())
        return false;
    revalidate("SIGHUP");
    return true;
}

/* The loop may be just about to fall asleep when it is kicked, so once is not enough. */
static void *run(void *arg)
{
    (void)arg;
    while (await())
        ;
    jobs_end(ending.fs->jobs);
    notify_stop(ending.fs->notify);
    fuse_session_exit(ending.session);
    do
        pthread_kill(ending.loop_thread, SIGUSR1);
    while (!loop_is_over());
    return NULL;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: a kick must end the loop's sleep */

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void ending_begin(struct fs *fs, struct fuse_session *session, bool foreground)
{
    ending.fs = fs;
    ending.session = session;
    ending.loop_thread = pthread_self();
    sem_init(&ending.over, 0, 0);
    ending.told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ending.suspend_fd = suspend_open();
    ending.terminal = foreground && has_terminal();
    if (ending.told_fd < 0)
        abort();
    thread_start(&ending.thread, "ending", run, NULL);
    handle(SIGUSR1, on_kick);
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    handle(SIGHUP, on_signal);
}

void ending_over(void)
{
    sem_post(&ending.over);
    tell(&ending.end);
    pthread_join(ending.thread, NULL);
    if (ending.suspend_fd >= 0)
        close(ending.suspend_fd);
}
