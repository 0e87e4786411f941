/* SPDX-License-Identifier: MIT */
/*
 * commands: what imapfs does besides mounting: imapfs status, imapfs cache.
 *
 * Each is called with its own name as argv[0], prints its results on standard output and errors by
 * daemon_log, and returns the exit code.
 */
#ifndef FS_COMMANDS_H
#define FS_COMMANDS_H

#include <stdbool.h>

#define CMD_OK 0
#define CMD_FAILED 1
#define CMD_USAGE 2
#define CMD_NOT_NOW 3 /* the account cannot be reached; a cache is in use */

/* True when the arguments (main's own) name a command, which is done: *code_out. A mount is asked for by an
 * URL, so no word of its can be taken for one. */
bool commands_run(int argc, char **argv, int *code_out);

int cmd_status(int argc, char **argv);
int cmd_cache(int argc, char **argv);

#endif
