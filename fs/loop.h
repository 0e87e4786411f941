/* SPDX-License-Identifier: MIT */
/*
 * loop: takes the kernel's requests until the session ends, on one thread or on several.
 *
 * One thread is the default: everything is answered from memory or handed over, and waking a second one
 * for every other request costs more than it does. It looks a little for the next request before it
 * sleeps, as patience.h says.
 */
#ifndef FS_LOOP_H
#define FS_LOOP_H

#include <fuse_lowlevel.h>

/* Returns 0 when the session was ended or unmounted, else -errno. threads: 1 or more. */
int loop_run(struct fuse_session *session, unsigned threads);

#endif
