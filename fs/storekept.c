/* SPDX-License-Identifier: MIT */
/* storekept: which bodies lie on disk, in the store's file. */
#include "storefile.h"

#define SELECT_FROM "SELECT high, low, file, start, size, digest, used, sum FROM "

int storefile_keep(struct storefile *file, const struct kept_row *row)
{
    sqlite3_stmt *sql = file->sql[SQL_KEEP];
    sqlite3_bind_int64(sql, 1, (int64_t)row->key.high);
    sqlite3_bind_int64(sql, 2, (int64_t)row->key.low);
    sqlite3_bind_int64(sql, 3, row->file);
    sqlite3_bind_int64(sql, 4, (int64_t)row->offset);
    sqlite3_bind_int64(sql, 5, (int64_t)row->size);
    sqlite3_bind_int64(sql, 6, (int64_t)row->digest);
    sqlite3_bind_int64(sql, 7, row->used);
    sqlite3_bind_int64(sql, 8, (int64_t)change_kept_digest(row));
    return storefile_run(sql);
}

int storefile_unkeep(struct storefile *file, const struct kept_key *key)
{
    sqlite3_bind_int64(file->sql[SQL_UNKEEP], 1, (int64_t)key->high);
    sqlite3_bind_int64(file->sql[SQL_UNKEEP], 2, (int64_t)key->low);
    return storefile_run(file->sql[SQL_UNKEEP]);
}

static bool take(sqlite3_stmt *sql, struct kept_row *row)
{
    const int64_t file = sqlite3_column_int64(sql, 2), used = sqlite3_column_int64(sql, 6);
    *row = (struct kept_row){.key = {.high = (uint64_t)sqlite3_column_int64(sql, 0),
                                     .low = (uint64_t)sqlite3_column_int64(sql, 1)},
                             .file = (uint32_t)file,
                             .offset = (uint64_t)sqlite3_column_int64(sql, 3),
                             .size = (uint64_t)sqlite3_column_int64(sql, 4),
                             .digest = (uint64_t)sqlite3_column_int64(sql, 5),
                             .used = (uint32_t)used};
    return file == row->file && used == row->used &&
           change_kept_digest(row) == (uint64_t)sqlite3_column_int64(sql, 7);
}

/* In the order of the table. */
static bool rises(const struct kept_key *last, const struct kept_key *key)
{
    const int64_t last_high = (int64_t)last->high, high = (int64_t)key->high;
    return last_high < high || (last_high == high && (int64_t)last->low < (int64_t)key->low);
}

/* What can be believed of the table goes to `each`. */
static int read_table(struct storefile *file, const char *select,
                      int (*each)(void *arg, const struct kept_row *row), void *arg, bool *damaged_out)
{
    sqlite3_stmt *sql = NULL;
    struct kept_key last = {(uint64_t)INT64_MIN, (uint64_t)INT64_MIN};
    struct kept_row row;
    bool first = true;
    int code = sqlite3_prepare_v2(file->db, select, -1, &sql, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(sql)) == SQLITE_ROW) {
        code = SQLITE_OK;
        if (!take(sql, &row) || !(first || rises(&last, &row.key))) {
            *damaged_out = true;
            continue;
        }
        code = each(arg, &row);
        last = row.key;
        first = false;
    }
    sqlite3_finalize(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int keep_again(void *arg, const struct kept_row *row)
{
    return storefile_keep(arg, row);
}

/* A damaged key stands at a wrong place, where no DELETE finds it: so all the others go to a new table. */
static int mend(struct storefile *file)
{
    bool damaged = false;
    int code = storefile_begin(file);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "ALTER TABLE kept RENAME TO damaged;" STOREFILE_MAKE_KEPT, NULL, NULL,
                            NULL);
    if (code == SQLITE_OK)
        code = read_table(file, SELECT_FROM "damaged", keep_again, file, &damaged);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "DROP TABLE damaged", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = storefile_commit(file);
    if (code != SQLITE_OK)
        storefile_rollback(file);
    return code;
}

struct telling {
    void (*each)(void *arg, const struct kept_row *row);
    void *arg;
};

static int tell(void *arg, const struct kept_row *row)
{
    const struct telling *telling = arg;
    telling->each(telling->arg, row);
    return SQLITE_OK;
}

int storefile_kept(struct storefile *file, void (*each)(void *arg, const struct kept_row *row), void *arg)
{
    struct telling telling = {each, arg};
    bool damaged = false;
    const int code = read_table(file, SELECT_FROM "kept", tell, &telling, &damaged);
    const int mended = code == SQLITE_OK && damaged ? mend(file) : SQLITE_OK;
    return storefile_damaged(mended) ? mended
                                     : code; /* on a full disk it stays, and is not believed then either */
}
