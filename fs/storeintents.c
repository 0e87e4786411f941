/* SPDX-License-Identifier: MIT */
#include "storeintents.h"

#include <string.h>

#include "storelines.h"

/* Numbers of these are in the file: when one changes, a new version of the tables has to convert it. */
_Static_assert(INTENT_DELETE == 1 && INTENT_MOVE == 2 && INTENT_COPY == 3, "stored");

static void bind_text(sqlite3_stmt *sql, int at, const char *text)
{
    sqlite3_bind_blob(sql, at, text, (int)strlen(text), SQLITE_STATIC); /* a name need not be UTF-8 */
}

int storefile_intend(struct storefile *file, const struct intent *intent)
{
    sqlite3_stmt *sql = file->sql[SQL_INTEND];
    sqlite3_bind_int64(sql, 1, (int64_t)intent->number);
    sqlite3_bind_int(sql, 2, (int)intent->kind);
    sqlite3_bind_int(sql, 3, intent->begun);
    sqlite3_bind_int64(sql, 4, intent->uidvalidity);
    sqlite3_bind_int64(sql, 5, intent->uid);
    bind_text(sql, 6, intent->from);
    bind_text(sql, 7, intent->to);
    bind_text(sql, 8, intent->file);
    sqlite3_bind_int64(sql, 9, (int64_t)change_intent_digest(intent));
    return storefile_run(sql);
}

int storefile_unintend(struct storefile *file, uint64_t number)
{
    sqlite3_bind_int64(file->sql[SQL_UNINTEND], 1, (int64_t)number);
    return storefile_run(file->sql[SQL_UNINTEND]);
}

/* NULL when it is none of ours. As text, for the NUL at its end. */
static const char *take_text(sqlite3_stmt *sql, int column)
{
    const char *text = (const char *)sqlite3_column_text(sql, column);
    return text && strlen(text) == (size_t)sqlite3_column_bytes(sql, column) ? text : NULL;
}

static bool take(sqlite3_stmt *sql, union storeline *line)
{
    struct intent *intent = &line->intent;
    const int64_t number = sqlite3_column_int64(sql, 0), kind = sqlite3_column_int64(sql, 1);
    const int64_t begun = sqlite3_column_int64(sql, 2);
    const int64_t uidvalidity = sqlite3_column_int64(sql, 3), uid = sqlite3_column_int64(sql, 4);
    if (kind < INTENT_DELETE || kind > INTENT_COPY)
        return false;
    *intent = (struct intent){.number = (uint64_t)number,
                              .kind = (enum intent_kind)kind,
                              .begun = begun != 0,
                              .uidvalidity = (uint32_t)uidvalidity,
                              .uid = (uint32_t)uid,
                              .from = take_text(sql, 5),
                              .to = take_text(sql, 6),
                              .file = take_text(sql, 7)};
    return number > 0 && begun == intent->begun && uidvalidity == intent->uidvalidity && uid == intent->uid &&
           intent->from && intent->to && intent->file &&
           change_intent_digest(intent) == (uint64_t)sqlite3_column_int64(sql, 8);
}

static bool rises(const union storeline *last, const union storeline *line)
{
    return last->intent.number < line->intent.number;
}

static int put(struct storefile *file, const union storeline *line)
{
    return storefile_intend(file, &line->intent);
}

static const struct storelines table = {
    .table = "intents",
    .make = STOREINTENTS_MAKE,
    .select = "SELECT number, kind, begun, uidvalidity, uid, source, target, file, sum FROM ",
    .take = take,
    .rises = rises,
    .put = put,
};

struct telling {
    void (*each)(void *arg, const struct intent *intent);
    void *arg;
};

static void tell(void *arg, const union storeline *line)
{
    const struct telling *telling = arg;
    telling->each(telling->arg, &line->intent);
}

int storefile_intents(struct storefile *file, void (*each)(void *arg, const struct intent *intent), void *arg,
                      unsigned *damaged_out)
{
    struct telling telling = {each, arg};
    return storelines_read(file, &table, tell, &telling, damaged_out);
}
