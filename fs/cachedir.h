/* SPDX-License-Identifier: MIT */
/*
 * cachedir: what lies in a cache directory, account by account, while it is not mounted.
 *
 * An account is a name NAME (storefile_name) with these: NAME.db and what SQLite puts beside it, NAME.db.lock,
 * NAME.db.damaged*, and the directory NAME.bodies with files 1, 2, ... Only regular files (and that directory)
 * of our own user with exactly such names are touched; a symbolic link is none. What was written and is not sent
 * (NAME.drafts, and one more for each mount at the same time: draftfile.c) is counted only: nobody else has it. Nothing is followed, and
 * nobody's password or server is needed. The store's lock keeps mounts away while it is looked at.
 */
#ifndef FS_CACHEDIR_H
#define FS_CACHEDIR_H

#include <stdint.h>
#include <time.h>

#include "imap/error.h"

#define CACHEDIR_NAME 192

struct cachedir_account {
    char name[CACHEDIR_NAME];
    uint64_t store_bytes, bodies_bytes; /* of disk */
    time_t used;                        /* mounted, or written to, last */
    size_t drafts;                      /* files that were written and are not sent, */
    uint64_t drafts_bytes;              /* and what is in them */
};

struct cachedir {
    char *path;
    int fd;
    struct cachedir_account *accounts; /* by name */
    size_t count;
};

/* What is there now. IMAP_SYS when it cannot be read; IMAP_GONE when there is no such directory. In any case
 * *cachedir_out is to be freed by cachedir_fini. */
enum imap_status cachedir_read(const char *path, struct cachedir *cachedir_out,
                               struct imap_error *err) IMAP_CHECK;
void cachedir_fini(struct cachedir *cachedir);
const struct cachedir_account *cachedir_find(const struct cachedir *cachedir, const char *name);

struct cachedir_content {
    size_t mailboxes, messages;
    size_t changes;                  /* that are not made on the server yet */
    size_t damaged, changes_damaged; /* mailboxes; changes: both are cachedir_verify's, as what follows */
    size_t bodies, bodies_damaged;
};
/* What the store tells that it has. IMAP_AGAIN: it is in use; IMAP_GONE: there is none; IMAP_LIMIT: another
 * version's; IMAP_PROTO: damaged; IMAP_SYS. */
enum imap_status cachedir_look(const struct cachedir *cachedir, const char *name,
                               struct cachedir_content *content_out, struct imap_error *err) IMAP_CHECK;
/* Reads all of it, bodies too, and compares the digests. damaged: for each mailbox that is not what was written; name is
 * its path, or "?". Results as above; IMAP_OK also with damaged mailboxes and bodies. */
enum imap_status cachedir_verify(const struct cachedir *cachedir, const char *name,
                                 void (*damaged)(void *arg, const char *mailbox), void *arg,
                                 struct cachedir_content *content_out, struct imap_error *err) IMAP_CHECK;
/* Removes all that belongs to the account. removed: for each file, relative to the directory (bodies as one,
 * with their directory's name), error 0; or an errno when it could not be removed, EPERM when it is not ours.
 * IMAP_AGAIN: in use, nothing was removed; IMAP_USAGE: neither, as changes are not made on the server yet;
 * IMAP_SYS. */
enum imap_status cachedir_purge(const struct cachedir *cachedir, const char *name,
                                void (*removed)(void *arg, const char *file, uint64_t bytes, int error),
                                void *arg, struct imap_error *err) IMAP_CHECK;

#endif
