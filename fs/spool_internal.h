/* SPDX-License-Identifier: MIT */
/* spool_internal: what spool.c (extents) and spooldir.c (files and their names) share. */
#ifndef FS_SPOOL_INTERNAL_H
#define FS_SPOOL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "spool.h"

#define ALIGN 4096u

struct spool_file {
    struct spool *spool; /* constant, as fd, number and memory */
    int fd;
    uint32_t number;  /* its name; 0: it has none */
    bool memory;      /* it is no file at all */
    atomic_uint refs; /* extents, one for being the current file, one while it may yet be claimed in */
    uint64_t next;    /* guarded by the owner's lock; all below is taken */
    uint64_t size;    /* when it was opened; constant */
};

struct spool {
    char *dir;
    char *names;   /* directory of the files with names; NULL: they have none */
    int names_fd;  /* of it, or -1 */
    bool closing;  /* files with names stay */
    uint32_t last; /* the highest number ever given to a file */
    struct spool_file *current, *memory;
    struct spool_trash trash;
    pthread_mutex_t lock; /* a leaf; guards files and file_count */
    struct spool_file *files[SPOOL_FILES_MAX];
    unsigned file_count;
    struct reclaim *reclaim; /* NULL: none was begun */
};

static inline uint64_t spool_space(uint64_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

void spool_reclaim_stop(struct spool *spool);
/* Where the current file ends. One that stays had better not look too large to who copies the directory. */
uint64_t spool_limit(struct spool *spool);
/* Makes dir, each part that is missing, 0700; and checks that it is ours alone to write to. */
enum imap_status spooldir_make(const char *dir, struct imap_error *err) IMAP_CHECK;
/* fd without a name, or -1 with errno. */
int spooldir_nameless(const char *dir);
/* A file is opened (fd is its own from now on, closed on failure): NULL when there are too many. */
struct spool_file *spool_file_add(struct spool *spool, int fd, uint32_t number);
void spool_file_unref(struct spool_file *file); /* the last one closes it, and takes its name away */
/* Another file, with a name if they have such, becomes the current one. */
enum imap_status spool_next_file(struct spool *spool, struct imap_error *err) IMAP_CHECK;

#endif
