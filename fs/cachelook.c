/* SPDX-License-Identifier: MIT */
/* cachelook: what the store of an account in a cache directory has, read without changing it. */
#include "cachelook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "cachebodies.h"
#include "flagset.h"
#include "name.h"
#include "storeintents.h"

#define SLICE 4096u /* rows read at a time */

static enum imap_status look(struct storefile *file, const struct cachedir *cachedir, const char *name,
                             struct imap_error *err)
{
    enum imap_status status = storefile_take(file, cachedir->path, name, err);
    if (status)
        return status;
    status = storefile_look(file, err);
    if (status)
        storefile_close(file);
    return status;
}

/* What became of reading, as a status. */
static enum imap_status ended(struct storefile *file, int code, struct imap_error *err)
{
    enum imap_status status = IMAP_OK;
    if (code != SQLITE_OK)
        status = imap_error_set(err, storefile_damaged(code) ? IMAP_PROTO : IMAP_SYS, "%s: %s", file->path,
                                sqlite3_errstr(code));
    storefile_close(file);
    return status;
}

static void count_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    struct cachedir_content *content = arg;
    content->mailboxes++;
    if (mailbox->known)
        content->messages += mailbox->count;
}

static void count_change(void *arg, const struct intent *intent)
{
    (void)intent;
    ++*(size_t *)arg;
}

static int count_changes(struct storefile *file, struct cachedir_content *content)
{
    unsigned damaged = 0;
    const int code = storefile_intents(file, count_change, &content->changes, &damaged);
    content->changes_damaged = damaged;
    return code;
}

enum imap_status cachedir_look(const struct cachedir *cachedir, const char *name,
                               struct cachedir_content *content_out, struct imap_error *err)
{
    struct storefile file;
    unsigned damaged = 0;
    *content_out = (struct cachedir_content){0};
    enum imap_status status = look(&file, cachedir, name, err);
    if (status)
        return status;
    int code = storefile_mailboxes(&file, count_mailbox, content_out, &damaged);
    content_out->damaged = damaged;
    if (code == SQLITE_OK)
        code = count_changes(&file, content_out);
    return ended(&file, code, err);
}

/* ---- verifying --------------------------------------------------------------------------------------- */

struct known {
    struct known *next;
    uint32_t id, count;
    uint64_t digest;
    char *path;
};

struct verifying {
    struct known *first, **tail;
    struct flagsets flagsets;
    struct cachedir_content *content;
    void (*damaged)(void *arg, const char *mailbox);
    void *arg;
};

/* As a file name for each component. */
static char *path_of(const struct stored_mailbox *mailbox)
{
    char *path = imap_xcalloc(1, 1);
    size_t used = 0, from = 0;
    while (from <= mailbox->name_len) {
        char part[NAME_SIZE];
        const char *at = mailbox->name + from;
        const size_t rest = mailbox->name_len - from;
        const char *end = mailbox->delimiter && rest ? memchr(at, mailbox->delimiter, rest) : NULL;
        const size_t len = end ? (size_t)(end - at) : rest;
        name_from_wire(at, len, part);
        path = imap_xreallocarray(path, used + strlen(part) + 2, 1);
        used += (size_t)sprintf(path + used, "%s%s", used ? "/" : "", part);
        from += len + 1;
    }
    return path;
}

static void note_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    struct verifying *verifying = arg;
    count_mailbox(verifying->content, mailbox);
    if (!mailbox->known || mailbox->name_len > NAME_WIRE_MAX)
        return;
    struct known *known = imap_xcalloc(1, sizeof *known);
    *known = (struct known){
        .id = mailbox->id, .count = mailbox->count, .digest = mailbox->digest, .path = path_of(mailbox)};
    *verifying->tail = known;
    verifying->tail = &known->next;
}

static uint32_t note_flagset(void *arg, const char *text)
{
    struct verifying *verifying = arg;
    return flagset_intern_text(&verifying->flagsets, text);
}

/* Each slice is dropped when it was read: a million messages are not to be held at once. */
static int is_whole(struct storefile *file, const struct known *known, bool *whole_out)
{
    struct storefile_load load = {.mailbox = known->id};
    size_t count = 0;
    int code = SQLITE_OK;
    while (!load.ended && code == SQLITE_OK) {
        code = storefile_load(file, &load, SLICE);
        count += load.columns.count;
        columns_fini(&load.columns);
    }
    *whole_out = !load.damaged && count == known->count && load.digest == known->digest;
    return code;
}

static void free_known(struct known *known)
{
    while (known) {
        struct known *next = known->next;
        free(known->path);
        free(known);
        known = next;
    }
}

static void tell_damaged(struct verifying *verifying, const char *path)
{
    verifying->content->damaged++;
    verifying->damaged(verifying->arg, path);
}

/* Of each mailbox its line, then its messages. SQLite's code. */
static int verify_listings(struct storefile *file, struct verifying *verifying)
{
    unsigned lines = 0;
    int code = storefile_flagsets(file, note_flagset, verifying);
    if (code == SQLITE_OK)
        code = storefile_mailboxes(file, note_mailbox, verifying, &lines);
    for (; lines; lines--)
        tell_damaged(verifying, "?");
    for (const struct known *at = verifying->first; at && code == SQLITE_OK; at = at->next) {
        bool whole = false;
        code = is_whole(file, at, &whole);
        if (code == SQLITE_OK && !whole)
            tell_damaged(verifying, at->path);
    }
    return code;
}

enum imap_status cachedir_verify(const struct cachedir *cachedir, const char *name,
                                 void (*damaged)(void *arg, const char *mailbox), void *arg,
                                 struct cachedir_content *content_out, struct imap_error *err)
{
    struct storefile file;
    struct verifying verifying = {.content = content_out, .damaged = damaged, .arg = arg};
    verifying.tail = &verifying.first;
    *content_out = (struct cachedir_content){0};
    enum imap_status status = look(&file, cachedir, name, err);
    if (status)
        return status;
    int code = verify_listings(&file, &verifying);
    if (code == SQLITE_OK)
        code = count_changes(&file, content_out);
    struct cachebodies bodies = {0};
    char dir[CACHEDIR_NAME + sizeof CACHEDIR_BODIES];
    snprintf(dir, sizeof dir, "%s" CACHEDIR_BODIES, name);
    if (code == SQLITE_OK)
        code = cachebodies_verify(&file, cachedir->fd, dir, &bodies);
    content_out->bodies = bodies.count;
    content_out->bodies_damaged = bodies.damaged;
    free_known(verifying.first);
    flagsets_fini(&verifying.flagsets);
    return ended(&file, code, err);
}

enum imap_status cachelook_changes(struct storefile *locked, const char *name, struct imap_error *err)
{
    struct cachedir_content content = {0};
    struct imap_error unread = {0};
    if (storefile_look(locked, &unread) != IMAP_OK)
        return IMAP_OK;
    const int code = count_changes(locked, &content);
    storefile_look_away(locked);
    if (code != SQLITE_OK || !content.changes)
        return IMAP_OK;
    return imap_error_set(
        err, IMAP_USAGE,
        "%s stays: changes not made on the server yet: %zu; mount it read-write to have them made", name,
        content.changes);
}
