/* SPDX-License-Identifier: MIT */
/*
 * ending: from a signal to the end of the session's loop, without leaving anyone waiting for us; and what
 * else calls from outside, which is no end: SIGHUP, and the machine having slept, revalidate the account.
 *
 * Who waits is told first, and the notify thread ends while the loop still answers: it may need an
 * answer of ours to go on.
 */
#ifndef FS_ENDING_H
#define FS_ENDING_H

#include "ops.h"

/* From here on SIGTERM and SIGINT end the loop, which is to run on the calling thread; in the foreground SIGHUP
 * as well, when it says that the terminal that we had is gone. Once a process. */
void ending_begin(struct fs *fs, struct fuse_session *session, bool foreground);
/* After the loop, whatever has ended it; joins its thread. Further signals do nothing. */
void ending_over(void);

#endif
