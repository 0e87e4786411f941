/* SPDX-License-Identifier: MIT */
/*
 * storefile: the SQLite file of one account: its name, its lock, its tables, and what is written and read.
 *
 * One thread at a time. Nobody else has the file open: a lock file keeps other mounts away from it, from
 * repairs too, and SQLite's exclusive mode everybody else (so it needs no shared memory, which a full
 * disk turns into SIGBUS).
 */
#ifndef FS_STOREFILE_H
#define FS_STOREFILE_H

#include <sqlite3.h>

#include "change.h"
#include "imap/endpoint.h"

#define STOREFILE_SIZE 1024 /* of a path */
#define STOREFILE_SUFFIX ".db"

enum storefile_statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PUT,
    SQL_GONE,
    SQL_CLEAR,
    SQL_FORGET,
    SQL_MAILBOX,
    SQL_FLAGSET,
    SQL_KEEP,
    SQL_UNKEEP,
    SQL_NAME,
    SQL_UNNAME,
    SQL_UNNAME_ALL,
    SQL_INTEND,
    SQL_UNINTEND,
    SQL_LOAD,
    SQL_COUNT
};

/* The number of a set of flags in the file (the index), and what it is here. */
struct storefile_flagset {
    uint32_t id;
    uint64_t digest; /* of its text; 0: no such set */
};

struct storefile {
    char path[STOREFILE_SIZE];
    int lock_fd; /* -1: not locked */
    sqlite3 *db;
    sqlite3_stmt *sql[SQL_COUNT];
    struct storefile_flagset *flagsets; /* by their number in the file */
    size_t flagset_count;
    uint32_t free_number; /* none below is free */
    uint32_t *numbers;    /* by their number here, that in the file; 0: not stored */
    size_t number_count;
};

/* "me@host_993", or as much of it as is safe in a name and a hash of the rest. */
void storefile_name(const struct imap_endpoint *endpoint, char name_out[static 128]);
/* Opens, or makes, the file of the account in dir, which exists. What is damaged or not ours is renamed
 * and *note_out (size bytes, "" for none) says so. IMAP_AGAIN when another process has it, IMAP_LIMIT when
 * a later version has made it, IMAP_SYS. */
enum imap_status storefile_open(struct storefile *file, const char *dir, const struct imap_endpoint *endpoint,
                                char *note_out, size_t size, struct imap_error *err) IMAP_CHECK;
/* Only takes the lock of the account whose name that is (storefile_name), so that nobody mounts it with this
 * cache until storefile_close. IMAP_AGAIN when another process has it, IMAP_SYS. */
enum imap_status storefile_take(struct storefile *file, const char *dir, const char *name,
                                struct imap_error *err) IMAP_CHECK;
/* Then opens the file to read it by storefile_flagsets, _mailboxes, _kept, _intents and _load: nothing is made,
 * converted, mended or renamed. IMAP_GONE when there is none, IMAP_LIMIT when it is another version's, IMAP_PROTO when it is damaged
 * or not ours, IMAP_SYS. */
enum imap_status storefile_look(struct storefile *file, struct imap_error *err) IMAP_CHECK;
/* Undoes storefile_look: the lock stays. */
void storefile_look_away(struct storefile *file);
void storefile_close(struct storefile *file);
/* Closes, and renames the file so that nothing finds it. */
void storefile_set_aside(struct storefile *file);
/* The file is not what it was written as, as opposed to cannot be written. */
bool storefile_damaged(int sqlite_code);

/* ---- results are SQLite's codes, SQLITE_OK for success -------------------------------------------- */

/* Steps the statement, which gives no rows, and makes it ready for the next time. */
int storefile_run(sqlite3_stmt *sql);

/* ---- storerows.c ------------------------------------------------------------------------------------ */

#define STOREFILE_FLAGSET_PLAIN 32u /* sets below are the same everywhere: no table */

/* Each set of flags that some message has; intern gives it a number here. */
int storefile_flagsets(struct storefile *file, uint32_t (*intern)(void *arg, const char *text), void *arg);
/* Each mailbox. One whose digest is wrong is left out, and its rows will go with the next CHANGE_FORGET:
 * damaged_out counts them. */
int storefile_mailboxes(struct storefile *file, void (*each)(void *arg, const struct stored_mailbox *mailbox),
                        void *arg, unsigned *damaged_out);
int storefile_begin(struct storefile *file);
int storefile_commit(struct storefile *file);
void storefile_rollback(struct storefile *file);
int storefile_apply(struct storefile *file, const struct change *change);

struct storefile_load {
    uint32_t mailbox;
    uint32_t after; /* UIDs up to here were read */
    bool ended;
    bool damaged; /* what was read cannot have been written */
    uint64_t digest;
    struct columns columns;
};
/* Reads up to `rows` messages more. */
int storefile_load(struct storefile *file, struct storefile_load *load, unsigned rows);

#endif
