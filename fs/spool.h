/* SPDX-License-Identifier: MIT */
/*
 * spool: space for bodies on disk.
 *
 * Bodies lie in large sparse files in the cache directory, each in an extent of its own. An extent is address
 * space, not disk: what is announced costs nothing until it is written. Freed extents are punched out later,
 * so that no file operation happens under a lock. The files have no names, and nothing outlives the process;
 * unless spool_name gave them a directory: then they are DIR/1, DIR/2, ..., and what is in them survives,
 * however the process ends. Which bytes of them mean something is for the owner to remember.
 *
 * Where the disk is full there is a little space in memory.
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
#define SPOOL_NAMED_MAX (UINT64_C(16) << 30) /* the same, of a file with a name, while there are few */

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

/* ---- files that stay; before the first extent is allocated, or after all are released ---------------- */
/* From now on they are in DIR/NAME, a directory that nobody else uses. What is there already can be claimed
 * until spool_settle. On failure (IMAP_SYS) they have no names, as before. */
enum imap_status spool_name(struct spool *spool, const char *name, struct imap_error *err) IMAP_CHECK;
/* What an earlier process has written there is an extent again. False: the file does not have it. */
bool spool_claim(struct spool *spool, uint32_t number, uint64_t offset, uint64_t size,
                 struct extent *extent_out);
/* Files that nothing was claimed in are gone, and others can be allocated in. IMAP_SYS also when the file system
 * cannot free a part of a file. On failure there are no names, as before, and no claims; the files stay. */
enum imap_status spool_settle(struct spool *spool, struct imap_error *err) IMAP_CHECK;
/* A place that is somebody's: an extent, in blocks of 4096. */
struct spool_place {
    uint32_t file, block, blocks;
};
/* Gives back all that lies in the files since before spool_name and is in none of these places (malloc'd, its own
 * from now on), in the background. Once. */
void spool_reclaim(struct spool *spool, struct spool_place *places, size_t count);
/* The extent that was claimed, or allocated, there and is not released; without a claim of its own. */
struct extent spool_at(struct spool *spool, uint32_t number, uint64_t offset, uint64_t size);
uint32_t spool_number(const struct extent *extent); /* of its file; 0: that has no name, or is in memory */

/* ---- extents ----------------------------------------------------------------------------------------- */
/* IMAP_LIMIT when size is over SPOOL_EXTENT_MAX, IMAP_SYS when no file can be made. */
enum imap_status spool_alloc_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
                                    struct imap_error *err) IMAP_CHECK;
/* The same in memory. How much of it is used is for the caller to count. */
enum imap_status spool_alloc_memory_locked(struct spool *spool, uint64_t size, struct extent *extent_out,
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
/* Gives back the space of [from, to), which nobody reads or writes; the extent stays. */
void extent_punch(const struct extent *extent, uint64_t from, uint64_t to);

#endif
