/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "thread.h"

#define KICK_NS 20000000 /* between two attempts to wake the loop */

static struct {
    struct fs *fs;
    struct fuse_session *session;
    pthread_t thread, loop_thread;
    sem_t told; /* a signal came, or the loop is over */
    sem_t over; /* the loop is over */
} ending;

/* Whichever thread gets it. */
static void on_signal(int number)
{
    int saved = errno;

    (void)number;
    sem_post(&ending.told);
    errno = saved;
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

/* The loop may be just about to fall asleep when it is kicked, so once is not enough. */
static void *run(void *arg)
{
    (void)arg;
    while (sem_wait(&ending.told) != 0)
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

void ending_begin(struct fs *fs, struct fuse_session *session)
{
    ending.fs = fs;
    ending.session = session;
    ending.loop_thread = pthread_self();
    sem_init(&ending.told, 0, 0);
    sem_init(&ending.over, 0, 0);
    thread_start(&ending.thread, "ending", run, NULL);
    handle(SIGUSR1, on_kick);
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    handle(SIGHUP, on_signal);
}

void ending_over(void)
{
    sem_post(&ending.over);
    sem_post(&ending.told);
    pthread_join(ending.thread, NULL);
}
