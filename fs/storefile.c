/* SPDX-License-Identifier: MIT */
#include "storefile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "ids.h"
#include "storeintents.h"
#include "storekept.h"
#include "storenames.h"

#define APPLICATION_ID 0x494d4653 /* "IMFS" */
#define ASIDE ".damaged"
#define NAME_PLAIN_MAX 96
#define LINGER_MS 2000
#define LOOK_AGAIN_MS 20

/* Step n makes version n of version n - 1. Those that were released are never changed. */
static const char *const steps[] = {
    NULL,
    "CREATE TABLE account (identity TEXT NOT NULL);"
    "CREATE TABLE mailboxes (id INTEGER PRIMARY KEY, name BLOB NOT NULL, delimiter INTEGER NOT NULL,"
    " attributes INTEGER NOT NULL, special_use TEXT, subscribed INTEGER NOT NULL, known INTEGER NOT NULL,"
    " uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    " proven_ms INTEGER NOT NULL, changed_s INTEGER NOT NULL, changed_ns INTEGER NOT NULL,"
    " messages INTEGER NOT NULL, messages_digest INTEGER NOT NULL, digest INTEGER NOT NULL) STRICT;"
    "CREATE TABLE messages (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flagset INTEGER NOT NULL,"
    " size INTEGER NOT NULL, date INTEGER NOT NULL, zone INTEGER NOT NULL, has INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, emailid TEXT, PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE flagsets (id INTEGER PRIMARY KEY, flags BLOB NOT NULL) STRICT;",
    "ALTER TABLE messages DROP COLUMN emailid;"
    "ALTER TABLE messages ADD COLUMN objectid INTEGER NOT NULL DEFAULT 0;" STOREKEPT_MAKE STORENAMES_MAKE,
    STOREINTENTS_MAKE,
};
#define VERSION ((int)(sizeof steps / sizeof *steps) - 1)

/* ON CONFLICT rather than REPLACE: it refuses a table whose key is not what it was. */
static const char *const statements[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PUT] = "INSERT INTO messages (mailbox, uid, flagset, size, date, zone, has, modseq, objectid)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (mailbox, uid) DO UPDATE SET"
                " flagset = ?3, size = ?4, date = ?5, zone = ?6, has = ?7, modseq = ?8, objectid = ?9",
    [SQL_GONE] = "DELETE FROM messages WHERE mailbox = ?1 AND uid = ?2",
    [SQL_CLEAR] = "DELETE FROM messages WHERE mailbox = ?1",
    [SQL_FORGET] = "DELETE FROM mailboxes WHERE id = ?1",
    [SQL_MAILBOX] =
        "INSERT OR REPLACE INTO mailboxes (id, name, delimiter, attributes, special_use, subscribed,"
        " known, uidvalidity, uidnext, modseq, proven_ms, changed_s, changed_ns, messages,"
        " messages_digest, digest)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [SQL_FLAGSET] = "INSERT INTO flagsets (id, flags) VALUES (?1, ?2)",
    [SQL_KEEP] = "INSERT INTO kept (high, low, file, start, size, digest, used, sum)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (high, low) DO UPDATE SET"
                 " file = ?3, start = ?4, size = ?5, digest = ?6, used = ?7, sum = ?8",
    [SQL_UNKEEP] = "DELETE FROM kept WHERE high = ?1 AND low = ?2",
    [SQL_NAME] = "INSERT INTO names (mailbox, uid, uidvalidity, file, sum) VALUES (?1, ?2, ?3, ?4, ?5)"
                 " ON CONFLICT (mailbox, uid) DO UPDATE SET uidvalidity = ?3, file = ?4, sum = ?5",
    [SQL_UNNAME] = "DELETE FROM names WHERE mailbox = ?1 AND uid = ?2",
    [SQL_UNNAME_ALL] = "DELETE FROM names WHERE mailbox = ?1",
    [SQL_INTEND] =
        "INSERT INTO intents (number, kind, begun, uidvalidity, uid, source, target, file, sum)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (number) DO UPDATE SET kind = ?2,"
        " begun = ?3, uidvalidity = ?4, uid = ?5, source = ?6, target = ?7, file = ?8, sum = ?9",
    [SQL_UNINTEND] = "DELETE FROM intents WHERE number = ?1",
    [SQL_LOAD] = "SELECT uid, flagset, size, date, zone, has, modseq, objectid FROM messages"
                 " WHERE mailbox = ?1 AND uid > ?2 ORDER BY uid LIMIT ?3",
};

/* ---- the name -------------------------------------------------------------------------------------- */

/* Everything that makes two accounts different. The host's case does not. */
static char *identity_of(const struct imap_endpoint *endpoint)
{
    char *identity = NULL;
    const char *user = endpoint->user ? endpoint->user : "";
    const char *port = endpoint->port ? endpoint->port : endpoint->tls == IMAP_TLS_IMPLICIT ? "993" : "143";
    const int len = endpoint->tunnel ? asprintf(&identity, "%s\ntunnel\n%s", user, endpoint->tunnel)
                                     : asprintf(&identity, "%s\nhost\n%s\n%s", user,
                                                endpoint->host ? endpoint->host : "", port);
    if (len < 0)
        abort();
    if (!endpoint->tunnel)
        for (char *c = identity + strlen(user); *c; c++)
            *c = (char)tolower((unsigned char)*c);
    return identity;
}

static bool safe(char c)
{
    return isalnum((unsigned char)c) || strchr("@._+-", c);
}

void storefile_name(const struct imap_endpoint *endpoint, char name_out[static 128])
{
    char *identity = identity_of(endpoint);
    char *plain = NULL;
    const char *user = endpoint->user ? endpoint->user : "";
    const char *host = endpoint->tunnel ? "tunnel" : endpoint->host ? endpoint->host : "";
    const char *port = endpoint->tunnel ? "" : strrchr(identity, '\n') + 1;
    if (asprintf(&plain, "%s@%s%s%s", user, host, *port ? "_" : "", port) < 0)
        abort();
    bool whole = !endpoint->tunnel && *plain != '.' && strlen(plain) <= NAME_PLAIN_MAX;
    for (char *c = plain; *c; c++) {
        if (!safe(*c) || (c == plain && *c == '.')) {
            *c = '_';
            whole = false;
        }
    }
    for (char *c = plain + strlen(user); *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (whole)
        snprintf(name_out, 128, "%s", plain);
    else
        snprintf(name_out, 128, "%.*s-%016llx", NAME_PLAIN_MAX, plain,
                 (unsigned long long)ids_key(identity, strlen(identity), 0));
    free(plain);
    free(identity);
}

/* ---- files ----------------------------------------------------------------------------------------- */

/* Not so when who purges has removed it since it was opened: then it keeps nobody away. */
static bool is_named(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static enum imap_status lock(struct storefile *file, struct imap_error *err)
{
    char path[STOREFILE_SIZE + 8];
    snprintf(path, sizeof path, "%s.lock", file->path);
    do {
        if (file->lock_fd >= 0)
            close(file->lock_fd);
        file->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file->lock_fd < 0)
            return imap_error_sys(err, errno, "cannot open %s", path);
        if (flock(file->lock_fd, LOCK_EX | LOCK_NB) != 0)
            break;
        if (is_named(file->lock_fd, path))
            return IMAP_OK;
    } while (true);
    if (errno == EWOULDBLOCK)
        return imap_error_set(err, IMAP_AGAIN, "another imapfs has this account mounted and uses %s",
                              file->path);
    return imap_error_sys(err, errno, "cannot lock %s", path);
}

/* Makes it with the right mode before SQLite would with the wrong one; its -wal file takes that on. */
static enum imap_status make_private(const char *path, struct imap_error *err)
{
    struct stat st;
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST)
        return imap_error_sys(err, errno, "cannot make %s", path);
    if (lstat(path, &st) < 0)
        return imap_error_sys(err, errno, "cannot open %s", path);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return imap_error_sys(err, EPERM, "%s is not a file of ours", path);
    if ((st.st_mode & 077) && chmod(path, 0600) < 0)
        return imap_error_sys(err, errno, "cannot make %s private", path);
    return IMAP_OK;
}

/* The last one set aside makes room: more would only fill the disk. */
static void rename_all(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-journal"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char from[STOREFILE_SIZE + 16], to[STOREFILE_SIZE + 32];
        snprintf(from, sizeof from, "%s%s", path, parts[i]);
        snprintf(to, sizeof to, "%s" ASIDE "%s", path, parts[i]);
        if (rename(from, to) < 0)
            unlink(errno == ENOENT ? to : from);
    }
}

/* ---- the tables ------------------------------------------------------------------------------------ */

/* The number, or -1. */
static int64_t ask_number(sqlite3 *db, const char *sql, int *code_out)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    *code_out = code == SQLITE_ROW ? SQLITE_OK : code;
    return number;
}

static int set_identity(struct storefile *file, const char *identity)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(file->db, "INSERT INTO account VALUES (?1)", -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, identity, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool has_identity(struct storefile *file, const char *identity)
{
    sqlite3_stmt *statement = NULL;
    bool same = false;
    if (sqlite3_prepare_v2(file->db, "SELECT identity FROM account", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        same = text && strcmp(text, identity) == 0;
    }
    sqlite3_finalize(statement);
    return same;
}

/* All steps or none of them. */
static int migrate(struct storefile *file, int version, const char *identity)
{
    char pragmas[128];
    int code = version < VERSION ? sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) : SQLITE_OK;
    if (version == VERSION || code != SQLITE_OK)
        return code;
    for (int step = version + 1; step <= VERSION && code == SQLITE_OK; step++)
        code = sqlite3_exec(file->db, steps[step], NULL, NULL, NULL);
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
             VERSION);
    if (code == SQLITE_OK && !version)
        code = set_identity(file, identity);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL);
    else
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static int prepare_all(struct storefile *file)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < SQL_COUNT && code == SQLITE_OK; i++)
        code =
            sqlite3_prepare_v3(file->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &file->sql[i], NULL);
    return code;
}

enum verdict { GOOD, USELESS, UNUSABLE }; /* useless: to be set aside */

static enum verdict judge(const struct storefile *file, int code, struct imap_error *err)
{
    imap_error_set(err, IMAP_SYS, "%s: %s", file->path, sqlite3_errstr(code));
    /* SQLITE_ERROR: a table or a column is missing. */
    return storefile_damaged(code) || code == SQLITE_ERROR ? USELESS : UNUSABLE;
}

static enum verdict check_kind(struct storefile *file, int *version_out, struct imap_error *err)
{
    int code = SQLITE_OK;
    const int64_t application = ask_number(file->db, "PRAGMA application_id", &code);
    if (code != SQLITE_OK)
        return judge(file, code, err);
    const int64_t version = ask_number(file->db, "PRAGMA user_version", &code);
    const int64_t tables = ask_number(file->db, "SELECT count(*) FROM sqlite_schema", &code);
    if (code != SQLITE_OK)
        return judge(file, code, err);
    *version_out = (int)version;
    if (application == 0 && version == 0 && tables == 0)
        return GOOD; /* nothing yet */
    if (application != APPLICATION_ID || version < 1) {
        imap_error_set(err, IMAP_SYS, "%s is not a store of imapfs", file->path);
        return USELESS;
    }
    if (version > VERSION) {
        imap_error_set(err, IMAP_LIMIT, "%s is of a later version of imapfs (%d; this one knows %d)",
                       file->path, (int)version, VERSION);
        return UNUSABLE;
    }
    return GOOD;
}

static enum verdict open_database(struct storefile *file, int *version_out, struct imap_error *err)
{
    int code = sqlite3_open_v2(file->path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
                            "PRAGMA cell_size_check = ON; PRAGMA cache_size = -4096;"
                            "PRAGMA temp_store = MEMORY",
                            NULL, NULL, NULL);
    return code == SQLITE_OK ? check_kind(file, version_out, err) : judge(file, code, err);
}

static enum verdict open_tables(struct storefile *file, const char *identity, struct imap_error *err)
{
    int version = 0;
    const enum verdict kind = open_database(file, &version, err);
    if (kind != GOOD)
        return kind;
    int code = sqlite3_exec(file->db,
                            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                            "PRAGMA journal_size_limit = 4194304",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = migrate(file, version, identity);
    if (code == SQLITE_OK)
        code = prepare_all(file);
    if (code != SQLITE_OK)
        return judge(file, code, err);
    if (!has_identity(file, identity)) {
        imap_error_set(err, IMAP_SYS, "%s belongs to another account", file->path);
        return USELESS;
    }
    return GOOD;
}

static void close_tables(struct storefile *file)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(file->sql[i]);
        file->sql[i] = NULL;
    }
    sqlite3_close(file->db);
    file->db = NULL;
}

static enum imap_status open_locked(struct storefile *file, const char *identity, char *note_out, size_t size,
                                    struct imap_error *err)
{
    struct imap_error why = {0};
    for (unsigned attempt = 0;; attempt++) {
        enum imap_status status = make_private(file->path, err);
        if (status)
            return status;
        const enum verdict verdict = open_tables(file, identity, &why);
        if (verdict == GOOD)
            return IMAP_OK;
        close_tables(file);
        if (verdict == UNUSABLE || attempt)
            return imap_error_set(err, why.status, "%s", why.text);
        rename_all(file->path);
        snprintf(note_out, size, "%s; it was renamed to %s" ASIDE, why.text, strrchr(file->path, '/') + 1);
    }
}

static enum imap_status look_locked(struct storefile *file, struct imap_error *err)
{
    int version = 0;
    switch (open_database(file, &version, err)) {
    case USELESS:
        err->status = IMAP_PROTO;
        return IMAP_PROTO;
    case UNUSABLE:
        return err->status;
    case GOOD:
        break;
    }
    if (version == 0)
        return imap_error_set(err, IMAP_GONE, "%s is empty", file->path);
    if (version < VERSION)
        return imap_error_set(
            err, IMAP_LIMIT,
            "%s is of an earlier version of imapfs, and is converted when it is mounted next", file->path);
    const int code = sqlite3_prepare_v2(file->db, statements[SQL_LOAD], -1, &file->sql[SQL_LOAD], NULL);
    return code == SQLITE_OK ? IMAP_OK
                             : imap_error_set(err, IMAP_PROTO, "%s: %s", file->path, sqlite3_errstr(code));
}

static enum imap_status set_path(struct storefile *file, const char *dir, const char *name,
                                 struct imap_error *err)
{
    *file = (struct storefile){.lock_fd = -1};
    const int len = snprintf(file->path, sizeof file->path, "%s/%s" STOREFILE_SUFFIX, dir, name);
    return len < 0 || (size_t)len >= sizeof file->path ? imap_error_sys(err, ENAMETOOLONG, "%s", dir)
                                                       : IMAP_OK;
}

enum imap_status storefile_take(struct storefile *file, const char *dir, const char *name,
                                struct imap_error *err)
{
    enum imap_status status = set_path(file, dir, name, err);
    if (!status)
        status = lock(file, err);
    if (status)
        storefile_close(file);
    return status;
}

enum imap_status storefile_look(struct storefile *file, struct imap_error *err)
{
    struct stat st;
    if (lstat(file->path, &st) < 0)
        return errno == ENOENT ? imap_error_set(err, IMAP_GONE, "there is no %s", file->path)
                               : imap_error_sys(err, errno, "%s", file->path);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return imap_error_sys(err, EPERM, "%s is not a file of ours", file->path);
    return look_locked(file, err);
}

/* A mount that was ended a moment ago may still be saying goodbye to the server. */
static enum imap_status take_patiently(struct storefile *file, const char *dir, const char *name,
                                       struct imap_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000};
    enum imap_status status = storefile_take(file, dir, name, err);
    for (int waited = 0; status == IMAP_AGAIN && waited < LINGER_MS; waited += LOOK_AGAIN_MS) {
        (void)nanosleep(&pause, NULL);
        status = storefile_take(file, dir, name, err);
    }
    return status;
}

enum imap_status storefile_open(struct storefile *file, const char *dir, const struct imap_endpoint *endpoint,
                                char *note_out, size_t size, struct imap_error *err)
{
    char name[128];
    *note_out = '\0';
    storefile_name(endpoint, name);
    char *identity = identity_of(endpoint);
    enum imap_status status = take_patiently(file, dir, name, err);
    if (!status)
        (void)futimens(file->lock_fd, NULL); /* when the account was mounted last */
    if (!status)
        status = open_locked(file, identity, note_out, size, err);
    free(identity);
    if (status)
        storefile_close(file);
    return status;
}

void storefile_look_away(struct storefile *file)
{
    close_tables(file);
    free(file->flagsets);
    free(file->numbers);
    file->flagsets = NULL;
    file->numbers = NULL;
    file->flagset_count = file->number_count = 0;
}

void storefile_close(struct storefile *file)
{
    storefile_look_away(file);
    if (file->lock_fd >= 0)
        close(file->lock_fd);
    file->lock_fd = -1;
}

void storefile_set_aside(struct storefile *file)
{
    close_tables(file);
    rename_all(file->path);
    storefile_close(file);
}

bool storefile_damaged(int sqlite_code)
{
    const int code = sqlite_code & 0xff;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_SCHEMA ||
           code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH;
}
