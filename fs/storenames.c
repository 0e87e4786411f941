/* SPDX-License-Identifier: MIT */
#include "storenames.h"

#include "name.h"
#include "storelines.h"

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

static bool take(sqlite3_stmt *sql, union storeline *line)
{
    struct stored_name *name = &line->name;
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

static bool rises(const union storeline *last, const union storeline *line)
{
    return last->name.mailbox < line->name.mailbox ||
           (last->name.mailbox == line->name.mailbox && last->name.uid < line->name.uid);
}

static int put(struct storefile *file, const union storeline *line)
{
    return storefile_name_set(file, &line->name);
}

static const struct storelines table = {
    .table = "names",
    .make = STORENAMES_MAKE,
    .select = "SELECT mailbox, uid, uidvalidity, file, sum FROM ",
    .take = take,
    .rises = rises,
    .put = put,
};

struct telling {
    void (*each)(void *arg, const struct stored_name *name);
    void *arg;
};

static void tell(void *arg, const union storeline *line)
{
    const struct telling *telling = arg;
    telling->each(telling->arg, &line->name);
}

int storefile_names(struct storefile *file, void (*each)(void *arg, const struct stored_name *name),
                    void *arg, unsigned *damaged_out)
{
    struct telling telling = {each, arg};
    return storelines_read(file, &table, tell, &telling, damaged_out);
}
