/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <signal.h>
#include <stdlib.h>

#define STACK_SIZE (256UL * 1024)

void thread_start(pthread_t *thread_out, const char *name, void *(*body)(void *arg), void *arg)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(thread_out, &attr, body, arg) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(*thread_out, name);
    pthread_attr_destroy(&attr);
}
