/* SPDX-License-Identifier: MIT */
/*
 * secret: where the password comes from. It never stays anywhere but in the memory returned.
 */
#ifndef FS_SECRET_H
#define FS_SECRET_H

#include "config.h"

/* From passcmd, standard input, $IMAPFS_PASSWORD (which is removed from the environment in any case) or
 * a prompt on the terminal, in this order. NULL where there is a tokencmd or auth= names what needs none, and
 * for a tunnel when none was given: its server may need none. Blocks while the user types. IMAP_USAGE or IMAP_SYS with one line. */
enum imap_status secret_get(const struct config *config, char **password_out,
                            struct imap_error *err) IMAP_CHECK;
void secret_free(char **password); /* wipes */

/* The first line that a shell command prints; option names it in messages. After timeout_ms the command and
 * what it has started are killed; 0: it may take as long as the user does. */
enum imap_status secret_from_command(const char *command, const char *option, unsigned timeout_ms,
                                     char **password_out, struct imap_error *err) IMAP_CHECK;
/* The first line of a descriptor, which is read no further than needed. */
enum imap_status secret_from_fd(int fd, const char *what, char **password_out,
                                struct imap_error *err) IMAP_CHECK;

#endif
