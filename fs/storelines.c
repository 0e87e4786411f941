/* SPDX-License-Identifier: MIT */
#include "storelines.h"

#include <stdio.h>

#define STATEMENT_SIZE 512

struct reading {
    const struct storelines *lines;
    void (*each)(void *arg, const union storeline *line); /* NULL: they are put into the table */
    void *arg;
    unsigned damaged;
};

static int give(struct storefile *file, const struct reading *reading, const union storeline *line)
{
    if (!reading->each)
        return reading->lines->put(file, line);
    reading->each(reading->arg, line);
    return SQLITE_OK;
}

static int read_table(struct storefile *file, const char *table, struct reading *reading)
{
    const struct storelines *lines = reading->lines;
    char select[STATEMENT_SIZE];
    sqlite3_stmt *sql = NULL;
    union storeline last = {0}, line;
    bool first = true;
    snprintf(select, sizeof select, "%s%s", lines->select, table);
    int code = sqlite3_prepare_v2(file->db, select, -1, &sql, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(sql)) == SQLITE_ROW) {
        code = SQLITE_OK;
        if (!lines->take(sql, &line) || !(first || lines->rises(&last, &line))) {
            reading->damaged++;
            continue;
        }
        code = give(file, reading, &line);
        last = line;
        first = false;
    }
    sqlite3_finalize(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int make_anew(struct storefile *file, const struct storelines *lines)
{
    char sql[2 * STATEMENT_SIZE];
    snprintf(sql, sizeof sql, "ALTER TABLE %s RENAME TO damaged; %s", lines->table, lines->make);
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL);
}

/* A damaged key stands at a wrong place, where no DELETE finds it: so all the others go to a new table. The prepared
 * statements are of the table by its name, so they are the new one's. */
static int mend(struct storefile *file, const struct storelines *lines)
{
    struct reading again = {.lines = lines};
    int code = storefile_begin(file);
    if (code == SQLITE_OK)
        code = make_anew(file, lines);
    if (code == SQLITE_OK)
        code = read_table(file, "damaged", &again);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, "DROP TABLE damaged", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = storefile_commit(file);
    if (code != SQLITE_OK)
        storefile_rollback(file);
    return code;
}

int storelines_read(struct storefile *file, const struct storelines *lines,
                    void (*each)(void *arg, const union storeline *line), void *arg, unsigned *damaged_out)
{
    struct reading reading = {.lines = lines, .each = each, .arg = arg};
    const int code = read_table(file, lines->table, &reading);
    const bool writable = file->sql[SQL_BEGIN] != NULL;
    const int mended = code == SQLITE_OK && reading.damaged && writable ? mend(file, lines) : SQLITE_OK;
    *damaged_out = reading.damaged;
    return storefile_damaged(mended) ? mended
                                     : code; /* on a full disk they stay, and are not believed then either */
}
