/* SPDX-License-Identifier: MIT */
/*
 * thread: starting the few threads of our own.
 */
#ifndef FS_THREAD_H
#define FS_THREAD_H

#include <pthread.h>

/* With a small stack and every signal blocked: signals are the main thread's. Aborts when the system
 * refuses. name: at most 15 characters. */
void thread_start(pthread_t *thread_out, const char *name, void *(*body)(void *arg), void *arg);

#endif
