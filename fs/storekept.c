/* SPDX-License-Identifier: MIT */
#include "storekept.h"

#include "storelines.h"

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

static bool take(sqlite3_stmt *sql, union storeline *line)
{
    struct kept_row *row = &line->kept;
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

static bool rises(const union storeline *last, const union storeline *line)
{
    const int64_t last_high = (int64_t)last->kept.key.high, high = (int64_t)line->kept.key.high;
    return last_high < high ||
           (last_high == high && (int64_t)last->kept.key.low < (int64_t)line->kept.key.low);
}

static int put(struct storefile *file, const union storeline *line)
{
    return storefile_keep(file, &line->kept);
}

static const struct storelines table = {
    .table = "kept",
    .make = STOREKEPT_MAKE,
    .select = "SELECT high, low, file, start, size, digest, used, sum FROM ",
    .take = take,
    .rises = rises,
    .put = put,
};

struct telling {
    void (*each)(void *arg, const struct kept_row *row);
    void *arg;
};

static void tell(void *arg, const union storeline *line)
{
    const struct telling *telling = arg;
    telling->each(telling->arg, &line->kept);
}

int storefile_kept(struct storefile *file, void (*each)(void *arg, const struct kept_row *row), void *arg)
{
    struct telling telling = {each, arg};
    unsigned damaged = 0;
    return storelines_read(file, &table, tell, &telling, &damaged);
}
