/* SPDX-License-Identifier: MIT */
/* storenames: the names under which messages were written, in the store's file. */
#include "storenames.h"
#include "name.h"

#define SELECT_FROM "SELECT mailbox, uid, uidvalidity, file, sum FROM "

int storefile_name_set(struct storefile *file, const struct stored_name *name)
{
    sqlite3_stmt *sql = file->sql[name->len ? SQL_NAME : SQL_UNNAME];
    sqlite3_bind_int64(sql, 1, name->mailbox);
    sqlite3_bind_int64(sql, 2, name->uid);
    if (name->len) {
        sqlite3_bind_int64(sql, 3, name->uidvalidity);
        sqlite3_bind_blob(sql, 4, name->file, (int)name->len, SQLITE_STATIC);
        sqlite3_bind_int64(sql, 5, (int64_t)change_name_digest(name));
    }
    return storefile_run(sql);
}

int storefile_names_clear(struct storefile *file, uint32_t mailbox)
{
    sqlite3_bind_int64(file->sql[SQL_UNNAME_ALL], 1, mailbox);
    return storefile_run(file->sql[SQL_UNNAME_ALL]);
}

static bool take(sqlite3_stmt *sql, struct stored_name *name)
{
    const int64_t mailbox = sqlite3_column_int64(sql, 0), uid = sqlite3_column_int64(sql, 1);
    const int64_t uidvalidity = sqlite3_column_int64(sql, 2);
    *name = (struct stored_name){.mailbox = (uint32_t)mailbox,
                                 .uidvalidity = (uint32_t)uidvalidity,
                                 .uid = (uint32_t)uid,
                                 .file = sqlite3_column_blob(sql, 3),
                                 .len = (size_t)sqlite3_column_bytes(sql, 3)};
    return mailbox == name->mailbox && uid == name->uid && uidvalidity == name->uidvalidity && name->file &&
           name->len && name->len < NAME_SIZE &&
           change_name_digest(name) == (uint64_t)sqlite3_column_int64(sql, 4);
}

/* What can be believed of the table goes to `each`. */
static int read_table(struct storefile *file, const char *select,
                      int (*each)(void *arg, const struct stored_name *name), void *arg,
                      unsigned *damaged_out)
{
    sqlite3_stmt *sql = NULL;
    uint64_t last = 0;
    int code = sqlite3_prepare_v2(file->db, select, -1, &sql, NULL);
    *damaged_out = 0;
    while (code == SQLITE_OK && (code = sqlite3_step(sql)) == SQLITE_ROW) {
        struct stored_name name;
        code = SQLITE_OK;
        const bool good = take(sql, &name);
        const uint64_t key = (uint64_t)name.mailbox << 32 | name.uid;
        if (!good || key <= last) {
            ++*damaged_out;
            continue;
        }
        code = each(arg, &name);
        last = key;
    }
    sqlite3_finalize(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int set_again(void *arg, const struct stored_name *name)
{
    return storefile_name_set(arg, name);
}

/* As with the bodies' (storekept.c): a damaged key is where no DELETE finds it. The statements are of the table by
 * its name, so they are the new one's. */
static int mend(struct storefile *file)
{
    unsigned damaged = 0;
    int code = storefile_begin(file);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "ALTER TABLE names RENAME TO damaged;" STOREFILE_MAKE_NAMES, NULL, NULL,
                            NULL);
    if (code == SQLITE_OK)
        code = read_table(file, SELECT_FROM "damaged", set_again, file, &damaged);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "DROP TABLE damaged", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = storefile_commit(file);
    if (code != SQLITE_OK)
        storefile_rollback(file);
    return code;
}

struct telling {
    void (*each)(void *arg, const struct stored_name *name);
    void *arg;
};

static int tell(void *arg, const struct stored_name *name)
{
    const struct telling *telling = arg;
    telling->each(telling->arg, name);
    return SQLITE_OK;
}

int storefile_names(struct storefile *file, void (*each)(void *arg, const struct stored_name *name),
                    void *arg, unsigned *damaged_out)
{
    struct telling telling = {each, arg};
    const int code = read_table(file, SELECT_FROM "names", tell, &telling, damaged_out);
    const int mended = code == SQLITE_OK && *damaged_out ? mend(file) : SQLITE_OK;
    return storefile_damaged(mended) ? mended : code; /* on a full disk they are not believed then either */
}
