/* SPDX-License-Identifier: MIT */
/* writebackview: what names mean while changes wait: found by the message that has lost its name, and by the name that it
 * gets. */
#include <string.h>

#include "../imap/mem.h"
#include "writeback_internal.h"

static struct writeback *of(const struct mailbox *mailbox)
{
    return mailbox->account->writeback;
}

static size_t uid_bucket(const struct mailbox *mailbox, uint32_t uid)
{
    return (mailbox->dir_id * UINT32_C(0x9e3779b1) ^ uid) % WRITEBACK_BUCKETS;
}

static size_t file_bucket(const struct mailbox *mailbox, const char *file)
{
    return mailbox_name_hash(mailbox, file) % WRITEBACK_BUCKETS;
}

/* ---- what is looked at ------------------------------------------------------------------------------ */

struct entry *writeback_find_locked(const struct mailbox *mailbox, uint32_t uid)
{
    const struct writeback *writeback = of(mailbox);
    struct entry *entry = writeback ? writeback->by_uid[uid_bucket(mailbox, uid)] : NULL;
    while (entry && (entry->from != mailbox || entry->uid != uid))
        entry = entry->uid_next;
    return entry && mailbox->uidvalidity && entry->uidvalidity != mailbox->uidvalidity ? NULL : entry;
}

bool writeback_hides_locked(const struct mailbox *mailbox, uint32_t uid)
{
    const struct writeback *writeback = of(mailbox);
    return writeback && writeback->count && writeback_find_locked(mailbox, uid);
}

static struct coming coming_of(const struct entry *entry)
{
    return (struct coming){
        .number = entry->position,
        .file = entry->file,
        .from = entry->from,
        .uid = entry->uid,
        .leaves = entry->running && entry->kind == ENTRY_MOVE,
    };
}

bool writeback_coming_locked(const struct mailbox *to, const char *file, struct coming *coming_out)
{
    const struct writeback *writeback = of(to);
    const struct entry *entry =
        writeback && writeback->count ? writeback->by_file[file_bucket(to, file)] : NULL;
    while (entry && (entry->to != to || strcmp(entry->file, file) != 0))
        entry = entry->file_next;
    if (entry)
        *coming_out = coming_of(entry);
    return entry != NULL;
}

bool writeback_next_coming_locked(const struct mailbox *to, uint64_t after, struct coming *coming_out)
{
    const struct writeback *writeback = of(to);
    const struct entry *entry = writeback ? TAILQ_FIRST(&writeback->entries) : NULL;
    while (entry && (entry->position <= after || entry->to != to || !entry->file))
        entry = TAILQ_NEXT(entry, link);
    if (entry)
        *coming_out = coming_of(entry);
    return entry != NULL;
}

bool writeback_nameless_locked(const struct mailbox *to)
{
    const struct writeback *writeback = of(to);
    const struct entry *entry = writeback ? TAILQ_FIRST(&writeback->entries) : NULL;
    while (entry && (entry->to != to || entry->file))
        entry = TAILQ_NEXT(entry, link);
    return entry != NULL;
}

bool writeback_is_nameless_locked(const struct mailbox *from, uint32_t uid)
{
    const struct writeback *writeback = of(from);
    const struct entry *entry = writeback && writeback->count ? writeback_find_locked(from, uid) : NULL;
    return entry && entry->kind == ENTRY_MOVE && !entry->file;
}

/* ---- what changes it -------------------------------------------------------------------------------- */

static void tell_names(const struct entry *entry)
{
    struct account *account = entry->writeback->account;
    char file[NAME_SIZE];
    if (entry->kind != ENTRY_COPY) {
        naming_file_locked(entry->from, entry->uid, file);
        pending_name_locked(account, entry->from, file);
        name_of_message(entry->uid, file); /* which may lead to it as well */
        pending_name_locked(account, entry->from, file);
        mailbox_touch_locked(entry->from);
    }
    if (entry->file)
        pending_name_locked(account, entry->to, entry->file);
    if (entry->to)
        mailbox_touch_locked(entry->to);
}

void writeback_show_locked(struct entry *entry)
{
    struct writeback *writeback = entry->writeback;
    struct entry **bucket;
    char name[NAME_SIZE];
    naming_file_locked(entry->from, entry->uid, name);
    entry->name = imap_xstrdup(name);
    if (entry->kind != ENTRY_COPY) {
        bucket = &writeback->by_uid[uid_bucket(entry->from, entry->uid)];
        entry->uid_next = *bucket;
        *bucket = entry;
    }
    if (entry->file) {
        bucket = &writeback->by_file[file_bucket(entry->to, entry->file)];
        entry->file_next = *bucket;
        *bucket = entry;
    }
    /* The kernel knows of the names what it has just asked for itself: only listings are to be read anew. */
    mailbox_touch_locked(entry->from);
    if (entry->to)
        mailbox_touch_locked(entry->to);
}

void writeback_unshow_locked(struct entry *entry)
{
    struct writeback *writeback = entry->writeback;
    struct entry **link = &writeback->by_uid[uid_bucket(entry->from, entry->uid)];
    while (*link && *link != entry)
        link = &(*link)->uid_next;
    if (*link) /* what is copied is not there */
        *link = entry->uid_next;
    if (entry->file) {
        link = &writeback->by_file[file_bucket(entry->to, entry->file)];
        while (*link != entry)
            link = &(*link)->file_next;
        *link = entry->file_next;
    }
    tell_names(entry);
}
