/* SPDX-License-Identifier: MIT */
/*
 * spool: space for bodies on disk, which nobody else sees and nothing outlives.
 *
 * Bodies lie in sparse files without a name in the cache directory, each in an extent of its own. An
 * extent is address space, not disk: what is announced costs nothing until it is written. Freed
 * extents are punched out later, so that no file operation happens under a lock.
 *
 * Threads: _locked functions want the owner's lock; extent_* and spool_dispose want none.
 */
#ifndef FS_SPOOL_H
#define FS_SPOOL_H

#include <sys/types.h>

#include "imap/error.h"
#include "range.h"

#define SPOOL_EXTENT_MAX (UINT64_C(8) << 30) /* a larger body is refused */
#define SPOOL_FILE_MAX (UINT64_C(1) << 40)   /* address space of one file; ext4 ends at 2^44 */
#define SPOOL_FILES_MAX 64

struct spool;
struct spool_file;

/* A place for one body; file NULL: none. */
struct extent {
    struct spool_file *file;
    uint64_t offset, size;
};

/* Extents that are given up, to be punched without a lock. All zeroes is empty. */
struct spool_trash {
    struct extent *extents;
    size_t count, capacity;
};

/* Makes dir (0700, its parents too) when missing. IMAP_SYS when it cannot be used, is another user's,
 * or is writable by others. */
enum imap_status spool_open(const char *dir, struct spool **spool_out, struct imap_error *err) IMAP_CHECK;
void spool_close(struct spool **spool);

/* IMAP_LIMIT when size is over SPOOL_EXTENT_MAX, IMAP_SYS when no file can be made. */
enum imap_status spool_alloc_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
                                    struct imap_error *err) IMAP_CHECK;
/* Gives it up and empties *extent; nobody may read or write it any more. */
void spool_release_locked(struct spool *spool, struct extent *extent);
/* Moves what was given up since the last time to *trash (an empty one); false when there was nothing. */
bool spool_trash_locked(struct spool *spool, struct spool_trash *trash);
/* Returns the disk space; empties *trash. */
void spool_dispose(struct spool_trash *trash);

/* All of data at `at` in the extent (which must hold it), or the errno. */
int extent_write(const struct extent *extent, uint64_t at, const void *data, size_t len) IMAP_CHECK;
/* Bytes read, short only at the extent's end; or -errno. */
ssize_t extent_read(const struct extent *extent, uint64_t at, void *buf, size_t size);

#endif
