/* SPDX-License-Identifier: MIT */
/* storerows: what is written into the tables of the store and read from them. */
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "flagset.h"
#include "imap/response.h"
#include "storeintents.h"
#include "storekept.h"
#include "storenames.h"

/* Numbers of these are in the file: when one changes, a new version of the tables has to convert it. */
_Static_assert(IMAP_MBOX_NOSELECT == 1 && IMAP_MBOX_NOINFERIORS == 2 && IMAP_MBOX_MARKED == 4 &&
                   IMAP_MBOX_UNMARKED == 8 && IMAP_MBOX_NONEXISTENT == 16 && IMAP_MBOX_HASCHILDREN == 32 &&
                   IMAP_MBOX_HASNOCHILDREN == 64 && IMAP_MBOX_SUBSCRIBED == 128 && IMAP_MBOX_REMOTE == 256,
               "stored");
_Static_assert(IMAP_FLAG_ANSWERED == 1 && IMAP_FLAG_FLAGGED == 2 && IMAP_FLAG_DELETED == 4 &&
                   IMAP_FLAG_SEEN == 8 && IMAP_FLAG_DRAFT == 16 && FLAGSET_SYSTEM == STOREFILE_FLAGSET_PLAIN,
               "stored");
_Static_assert(ROW_FLAGS == 1 && ROW_SIZE == 2 && ROW_DATE == 4 && ROW_MODSEQ == 8 && ROW_VERIFIED == 16 &&
                   ROW_CORRECTED == 32,
               "stored");
#define ROW_KNOWN_BITS 0x3fu

#define NUMBERS_MAX (1u << 20) /* of sets of flags */
#define FLAGSETS_TIDY 1024u    /* beyond so many, those that no message has are dropped */

/* ---- sets of flags ---------------------------------------------------------------------------------- */

static void learn_flagset(struct storefile *file, uint32_t number, uint32_t id, const char *text)
{
    if (number >= file->flagset_count) {
        const size_t count = number + number / 2 + 64;
        file->flagsets = imap_xreallocarray(file->flagsets, count, sizeof *file->flagsets);
        memset(file->flagsets + file->flagset_count, 0,
               (count - file->flagset_count) * sizeof *file->flagsets);
        file->flagset_count = count;
    }
    file->flagsets[number] =
        (struct storefile_flagset){.id = id, .digest = change_hash(0, text, strlen(text))};
    if (id < STOREFILE_FLAGSET_PLAIN)
        return; /* its keywords found no room: the digests will tell */
    id -= STOREFILE_FLAGSET_PLAIN;
    if (id >= file->number_count) {
        const size_t count = id + id / 2 + 64;
        file->numbers = imap_xreallocarray(file->numbers, count, sizeof *file->numbers);
        memset(file->numbers + file->number_count, 0, (count - file->number_count) * sizeof *file->numbers);
        file->number_count = count;
    }
    file->numbers[id] = number;
}

static int tidy_flagsets(struct storefile *file)
{
    return sqlite3_exec(file->db,
                        "DELETE FROM flagsets WHERE id NOT IN (SELECT DISTINCT flagset FROM messages)", NULL,
                        NULL, NULL);
}

static int read_flagsets(struct storefile *file, uint32_t (*intern)(void *arg, const char *text), void *arg)
{
    sqlite3_stmt *sql = NULL;
    int code = sqlite3_prepare_v2(file->db, "SELECT id, flags FROM flagsets ORDER BY id", -1, &sql, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(sql);
        if (code != SQLITE_ROW)
            break;
        const int64_t number = sqlite3_column_int64(sql, 0);
        const int len = sqlite3_column_bytes(sql, 1);
        const void *bytes = sqlite3_column_blob(sql, 1);
        if (number < STOREFILE_FLAGSET_PLAIN || number >= NUMBERS_MAX || len < 1 || !bytes ||
            len > (int)FLAGSET_TEXT_MAX)
            continue; /* whichever message has it will be found out */
        char text[FLAGSET_TEXT_MAX + 1];
        memcpy(text, bytes, (size_t)len);
        text[len] = '\0';
        learn_flagset(file, (uint32_t)number, intern(arg, text), text);
    }
    sqlite3_finalize(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int storefile_flagsets(struct storefile *file, uint32_t (*intern)(void *arg, const char *text), void *arg)
{
    sqlite3_stmt *sql = NULL;
    int64_t count = 0;
    int code = sqlite3_prepare_v2(file->db, "SELECT count(*) FROM flagsets", -1, &sql, NULL);
    if (code == SQLITE_OK && sqlite3_step(sql) == SQLITE_ROW)
        count = sqlite3_column_int64(sql, 0);
    sqlite3_finalize(sql);
    if (code == SQLITE_OK && count > FLAGSETS_TIDY)
        code = tidy_flagsets(file);
    return code == SQLITE_OK ? read_flagsets(file, intern, arg) : code;
}

/* ---- mailboxes -------------------------------------------------------------------------------------- */

static bool take_mailbox(sqlite3_stmt *sql, struct stored_mailbox *mailbox)
{
    const int64_t id = sqlite3_column_int64(sql, 0);
    *mailbox = (struct stored_mailbox){
        .id = (uint32_t)id,
        .name = sqlite3_column_blob(sql, 1),
        .name_len = (size_t)sqlite3_column_bytes(sql, 1),
        .delimiter = (char)sqlite3_column_int(sql, 2),
        .attributes = (unsigned)sqlite3_column_int(sql, 3),
        .special_use = (const char *)sqlite3_column_text(sql, 4),
        .special_use_len = (size_t)sqlite3_column_bytes(sql, 4),
        .subscribed = sqlite3_column_int(sql, 5) != 0,
        .known = sqlite3_column_int(sql, 6) != 0,
        .uidvalidity = (uint32_t)sqlite3_column_int64(sql, 7),
        .uidnext = (uint32_t)sqlite3_column_int64(sql, 8),
        .modseq = (uint64_t)sqlite3_column_int64(sql, 9),
        .proven_ms = sqlite3_column_int64(sql, 10),
        .changed = {.tv_sec = sqlite3_column_int64(sql, 11), .tv_nsec = (long)sqlite3_column_int64(sql, 12)},
        .count = (uint32_t)sqlite3_column_int64(sql, 13),
        .digest = (uint64_t)sqlite3_column_int64(sql, 14)};
    return id > 0 && id <= UINT32_MAX && mailbox->name && mailbox->name_len &&
           change_mailbox_digest(mailbox) == (uint64_t)sqlite3_column_int64(sql, 15);
}

int storefile_mailboxes(struct storefile *file, void (*each)(void *arg, const struct stored_mailbox *mailbox),
                        void *arg, unsigned *damaged_out)
{
    sqlite3_stmt *sql = NULL;
    *damaged_out = 0;
    int code = sqlite3_prepare_v2(file->db,
                                  "SELECT id, name, delimiter, attributes, special_use, subscribed, known,"
                                  " uidvalidity, uidnext, modseq, proven_ms, changed_s, changed_ns, messages,"
                                  " messages_digest, digest FROM mailboxes ORDER BY id",
                                  -1, &sql, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        struct stored_mailbox mailbox;
        code = sqlite3_step(sql);
        if (code != SQLITE_ROW)
            break;
        if (take_mailbox(sql, &mailbox))
            each(arg, &mailbox);
        else
            ++*damaged_out;
    }
    sqlite3_finalize(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

int storefile_run(sqlite3_stmt *sql)
{
    const int code = sqlite3_step(sql);
    sqlite3_reset(sql);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int storefile_begin(struct storefile *file)
{
    return storefile_run(file->sql[SQL_BEGIN]);
}

int storefile_commit(struct storefile *file)
{
    return storefile_run(file->sql[SQL_COMMIT]);
}

void storefile_rollback(struct storefile *file)
{
    if (!sqlite3_get_autocommit(file->db)) /* some failures have rolled back already */
        (void)storefile_run(file->sql[SQL_ROLLBACK]);
}

static int put(struct storefile *file, uint32_t id, const struct row *row)
{
    sqlite3_stmt *sql = file->sql[SQL_PUT];
    const uint32_t keyed = row->flagset - STOREFILE_FLAGSET_PLAIN;
    const uint32_t number = row->flagset < STOREFILE_FLAGSET_PLAIN ? row->flagset
                            : keyed < file->number_count           ? file->numbers[keyed]
                                                                   : 0;
    sqlite3_bind_int64(sql, 1, id);
    sqlite3_bind_int64(sql, 2, row->uid);
    sqlite3_bind_int64(sql, 3, number);
    sqlite3_bind_int64(sql, 4, (int64_t)row->size);
    sqlite3_bind_int64(sql, 5, row->date);
    sqlite3_bind_int(sql, 6, row->zone);
    sqlite3_bind_int(sql, 7, row->has);
    sqlite3_bind_int64(sql, 8, (int64_t)row->modseq);
    sqlite3_bind_int64(sql, 9, (int64_t)row->objectid);
    return storefile_run(sql);
}

static int clear(struct storefile *file, uint32_t id)
{
    sqlite3_bind_int64(file->sql[SQL_CLEAR], 1, id);
    return storefile_run(file->sql[SQL_CLEAR]);
}

static int put_mailbox(struct storefile *file, const struct stored_mailbox *mailbox)
{
    sqlite3_stmt *sql = file->sql[SQL_MAILBOX];
    sqlite3_bind_int64(sql, 1, mailbox->id);
    sqlite3_bind_blob(sql, 2, mailbox->name, (int)mailbox->name_len, SQLITE_STATIC);
    sqlite3_bind_int(sql, 3, (uint8_t)mailbox->delimiter);
    sqlite3_bind_int64(sql, 4, mailbox->attributes);
    if (mailbox->special_use_len)
        sqlite3_bind_text(sql, 5, mailbox->special_use, (int)mailbox->special_use_len, SQLITE_STATIC);
    else
        sqlite3_bind_null(sql, 5);
    sqlite3_bind_int(sql, 6, mailbox->subscribed);
    sqlite3_bind_int(sql, 7, mailbox->known);
    sqlite3_bind_int64(sql, 8, mailbox->uidvalidity);
    sqlite3_bind_int64(sql, 9, mailbox->uidnext);
    sqlite3_bind_int64(sql, 10, (int64_t)mailbox->modseq);
    sqlite3_bind_int64(sql, 11, mailbox->proven_ms);
    sqlite3_bind_int64(sql, 12, mailbox->changed.tv_sec);
    sqlite3_bind_int64(sql, 13, mailbox->changed.tv_nsec);
    sqlite3_bind_int64(sql, 14, mailbox->count);
    sqlite3_bind_int64(sql, 15, (int64_t)mailbox->digest);
    sqlite3_bind_int64(sql, 16, (int64_t)change_mailbox_digest(mailbox));
    return storefile_run(sql);
}

static uint32_t free_number(struct storefile *file)
{
    uint32_t *number = &file->free_number;
    if (*number < STOREFILE_FLAGSET_PLAIN)
        *number = STOREFILE_FLAGSET_PLAIN;
    while (*number < file->flagset_count && file->flagsets[*number].digest)
        ++*number;
    return *number;
}

static int put_flagset(struct storefile *file, const struct change *change)
{
    sqlite3_stmt *sql = file->sql[SQL_FLAGSET];
    const uint32_t keyed = change->flagset - STOREFILE_FLAGSET_PLAIN;
    if (keyed < file->number_count && file->numbers[keyed])
        return SQLITE_OK;
    const uint32_t number = free_number(file);
    if (number >= NUMBERS_MAX)
        return SQLITE_FULL;
    sqlite3_bind_int64(sql, 1, number);
    sqlite3_bind_blob(sql, 2, change->text, (int)change->text_len, SQLITE_STATIC);
    const int code = storefile_run(sql);
    if (code != SQLITE_OK)
        return code;
    char *text = imap_xstrndup(change->text, change->text_len);
    learn_flagset(file, number, change->flagset, text);
    free(text);
    return SQLITE_OK;
}

int storefile_apply(struct storefile *file, const struct change *change)
{
    int code = SQLITE_OK;
    switch (change->kind) {
    case CHANGE_PUT:
        return put(file, change->id, &change->row);
    case CHANGE_GONE:
        sqlite3_bind_int64(file->sql[SQL_GONE], 1, change->id);
        sqlite3_bind_int64(file->sql[SQL_GONE], 2, change->row.uid);
        return storefile_run(file->sql[SQL_GONE]);
    case CHANGE_CLEAR:
        return clear(file, change->id);
    case CHANGE_FORGET:
        code = clear(file, change->id);
        if (code == SQLITE_OK)
            code = storefile_names_clear(file, change->id);
        sqlite3_bind_int64(file->sql[SQL_FORGET], 1, change->id);
        return code == SQLITE_OK ? storefile_run(file->sql[SQL_FORGET]) : code;
    case CHANGE_MAILBOX:
        return put_mailbox(file, &change->mailbox);
    case CHANGE_FLAGSET:
        return put_flagset(file, change);
    case CHANGE_KEEP:
        return storefile_keep(file, &change->kept);
    case CHANGE_UNKEEP:
        return storefile_unkeep(file, &change->kept.key);
    case CHANGE_NAME:
    case CHANGE_UNNAME:
        return storefile_name_set(file, &change->name);
    case CHANGE_INTEND:
        return storefile_intend(file, &change->intent);
    case CHANGE_UNINTEND:
        return storefile_unintend(file, change->intent.number);
    }
    return code;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static bool take_row(const struct storefile *file, sqlite3_stmt *sql, struct storefile_load *load)
{
    const int64_t uid = sqlite3_column_int64(sql, 0), flagset = sqlite3_column_int64(sql, 1);
    const int64_t zone = sqlite3_column_int64(sql, 4), has = sqlite3_column_int64(sql, 5);
    if (uid <= load->after || uid > UINT32_MAX || zone < INT16_MIN || zone > INT16_MAX ||
        (has & ~(int64_t)ROW_KNOWN_BITS) || flagset < 0)
        return false;
    const bool plain = flagset < (int64_t)STOREFILE_FLAGSET_PLAIN;
    if (!plain && ((uint64_t)flagset >= file->flagset_count || !file->flagsets[flagset].digest))
        return false;
    const struct row row = {.uid = (uint32_t)uid,
                            .flagset = plain ? (uint32_t)flagset : file->flagsets[flagset].id,
                            .size = (uint64_t)sqlite3_column_int64(sql, 2),
                            .date = sqlite3_column_int64(sql, 3),
                            .modseq = (uint64_t)sqlite3_column_int64(sql, 6),
                            .objectid = (uint64_t)sqlite3_column_int64(sql, 7),
                            .zone = (int16_t)zone,
                            .has = (uint8_t)has};
    load->digest += change_digest(&row, plain ? (uint64_t)flagset : file->flagsets[flagset].digest);
    load->after = row.uid;
    columns_insert(&load->columns, &row);
    return true;
}

int storefile_load(struct storefile *file, struct storefile_load *load, unsigned rows)
{
    sqlite3_stmt *sql = file->sql[SQL_LOAD];
    unsigned got = 0;
    int code = SQLITE_ROW;
    sqlite3_bind_int64(sql, 1, load->mailbox);
    sqlite3_bind_int64(sql, 2, load->after);
    sqlite3_bind_int64(sql, 3, rows);
    while (!load->damaged && (code = sqlite3_step(sql)) == SQLITE_ROW) {
        load->damaged = !take_row(file, sql, load);
        got++;
    }
    sqlite3_reset(sql);
    load->ended = load->damaged || got < rows;
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}
