/* SPDX-License-Identifier: MIT */
/*
 * config: the command line, checked and made independent of the working directory and the terminal.
 *
 * Everything a user can get wrong in it is found here, before anything is done. Values own their strings.
 */
#ifndef FS_CONFIG_H
#define FS_CONFIG_H

#include <stdio.h>
#include <sys/types.h>

#include "account.h"

enum config_action { CONFIG_MOUNT, CONFIG_HELP, CONFIG_VERSION };

struct config {
    enum config_action action;
    struct imap_endpoint endpoint; /* without the password */
    char *mailbox;                 /* the root, UTF-8; "" for the whole account */
    char *source;                  /* the URL, shown by mount and df */
    char *mountpoint;              /* as given; main resolves it */
    char *passcmd, *tokencmd;      /* NULL: none */
    char *auth;                    /* mechanisms, space-separated; NULL: the strongest offered */
    bool password_stdin;
    unsigned connections;
    bool compress;
    unsigned timeout_s, poll_s;
    char *cache_dir; /* absolute */
    uint64_t cache_size;
    uid_t uid;
    gid_t gid;
    mode_t umask;
    bool allow_other;
    bool read_write;
    bool writeback; /* changes are told of when they are on disk */
    bool maildir;   /* the layout of mailboxes */
    char *trash;    /* mailbox for what is deleted, UTF-8; NULL: none */
    bool offline;
    bool foreground, debug;
    unsigned max_threads; /* that take requests of the kernel; 1 to 64 */
    char *mount_flags;    /* "nosuid,noatime", "" for none: for the kernel */
};

/* IMAP_OK, or IMAP_USAGE with one line; *config_out is to be freed by config_fini in both cases. */
enum imap_status config_parse(int argc, char *const *argv, struct config *config_out,
                              struct imap_error *err) IMAP_CHECK;
void config_fini(struct config *config);
void config_print_help(FILE *out);
char *config_cache_dir(void); /* where caches are unless cache_dir= says otherwise; the caller's */

#endif
