/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "outage.h"
#include "sync.h"

struct mailbox *mailbox_new(struct account *account, struct mailbox *parent, const char *wire,
                            size_t wire_len, const char *file)
{
    struct mailbox *mailbox = imap_xcalloc(1, sizeof *mailbox);
    mailbox->account = account;
    mailbox->parent = parent;
    mailbox->wire = imap_xstrndup(wire, wire_len);
    mailbox->file = imap_xstrdup(file);
    mailbox->attributes = IMAP_MBOX_NOSELECT;
    mailbox->generation = 1;
    mailbox->changed = account->opened;
    wait_queue_init(&mailbox->waits);
    return mailbox;
}

void mailbox_free(struct mailbox **mailbox)
{
    struct mailbox *dead = *mailbox;
    *mailbox = NULL;
    if (!dead)
        return;
    columns_fini(&dead->columns);
    written_free(&dead->written);
    free(dead->children);
    free(dead->wire);
    free(dead->file);
    free(dead);
}

struct account *mailbox_account(const struct mailbox *mailbox)
{
    return mailbox->account;
}

const char *mailbox_wire_name(const struct mailbox *mailbox)
{
    return mailbox->wire;
}

const char *mailbox_file_name(const struct mailbox *mailbox)
{
    return mailbox == mailbox->account->root ? "" : mailbox->file;
}

struct mailbox *mailbox_parent(const struct mailbox *mailbox)
{
    return mailbox == mailbox->account->root ? NULL : mailbox->parent;
}

uint32_t mailbox_dir_id(const struct mailbox *mailbox)
{
    return mailbox->dir_id;
}

/* ---- the tree ---- */

static unsigned child_position(const struct mailbox *mailbox, uint32_t dir_id)
{
    unsigned low = 0, high = mailbox->child_count;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (mailbox->children[middle]->dir_id < dir_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mailbox_add_child_locked(struct mailbox *mailbox, struct mailbox *child)
{
    if (mailbox->child_count == mailbox->child_capacity) {
        mailbox->child_capacity = mailbox->child_capacity ? 2 * mailbox->child_capacity : 8;
        mailbox->children =
            imap_xreallocarray(mailbox->children, mailbox->child_capacity, sizeof(struct mailbox *));
    }
    mailbox->children[mailbox->child_count++] = child;
    mailbox->children_changed = true;
}

static int compare_ids(const void *one, const void *other)
{
    const struct mailbox *const *a = one, *const *b = other;
    return ((*a)->dir_id > (*b)->dir_id) - ((*a)->dir_id < (*b)->dir_id);
}

void mailbox_order_children_locked(struct mailbox *mailbox)
{
    if (!mailbox->children_changed)
        return;
    mailbox->children_changed = false;
    unsigned to = 0;
    for (unsigned from = 0; from < mailbox->child_count; from++)
        if (!mailbox->children[from]->gone)
            mailbox->children[to++] = mailbox->children[from];
    mailbox->child_count = to;
    if (to)
        qsort(mailbox->children, to, sizeof(struct mailbox *), compare_ids);
}

struct mailbox *mailbox_next_child_locked(struct mailbox *mailbox, uint32_t after)
{
    if (after == UINT32_MAX)
        return NULL;
    const unsigned at = child_position(mailbox, after + 1);
    return at < mailbox->child_count ? mailbox->children[at] : NULL;
}

struct mailbox *mailbox_child_locked(struct mailbox *mailbox, const char *file_name)
{
    struct mailbox *child = tree_child_locked(mailbox, file_name);
    return child && !child->gone ? child : NULL;
}

unsigned mailbox_child_count_locked(const struct mailbox *mailbox)
{
    return mailbox->child_count;
}

uint32_t mailbox_name_hash(const struct mailbox *mailbox, const char *name)
{
    uint32_t hash = 2166136261u ^ mailbox->dir_id; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash ^ hash >> 16;
}

bool mailbox_is_below(const struct mailbox *mailbox, const struct mailbox *top)
{
    while (mailbox && mailbox != top)
        mailbox = mailbox->parent;
    return mailbox != NULL;
}

struct mailbox *mailbox_now_locked(struct mailbox *mailbox)
{
    while (mailbox->gone && mailbox->renamed_to)
        mailbox = mailbox->renamed_to;
    return mailbox;
}

bool mailbox_gone_locked(const struct mailbox *mailbox)
{
    return mailbox->gone;
}

bool mailbox_selectable_locked(const struct mailbox *mailbox)
{
    return !mailbox->gone && !(mailbox->attributes & (IMAP_MBOX_NOSELECT | IMAP_MBOX_NONEXISTENT));
}

const char *mailbox_special_use_locked(const struct mailbox *mailbox)
{
    return mailbox->special_use;
}

bool mailbox_subscribed_locked(const struct mailbox *mailbox)
{
    return mailbox->subscribed;
}

/* ---- its messages ---- */

bool mailbox_is_fresh_locked(const struct mailbox *mailbox)
{
    const struct account *account = mailbox->account;
    return mailbox->known && !mailbox->sync &&
           (watch_current_locked(account, mailbox) ||
            (mailbox->proven_ms && model_now_ms() - mailbox->proven_ms < account->poll_ms));
}

/* Nobody can be asked: what is known is as good as it gets, and what is not cannot be had. */
static bool known_while_out(struct mailbox *mailbox, struct wait *wait)
{
    struct account *account = mailbox->account;
    account->watch.last = mailbox; /* to be watched when the server is back */
    imap_pool_hurry(account->pool);
    if (mailbox->known)
        return true;
    wait_queue_add(&mailbox->waits, wait);
    if (!stored_load_locked(mailbox, false))
        outage_refuse_locked(account, &mailbox->waits);
    return false;
}

bool mailbox_fresh_locked(struct mailbox *mailbox, struct wait *wait)
{
    struct account *account = mailbox->account;
    struct imap_error err = {0};
    if (account->closing) {
        imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    } else if (mailbox->gone) {
        imap_error_set(&err, IMAP_GONE, "the mailbox %s is gone", mailbox->wire);
    } else {
        if (!mailbox_selectable_locked(mailbox))
            return true;
        inuse_note_locked(mailbox);
        if (mailbox_is_fresh_locked(mailbox)) {
            mailbox->fresh_ms = model_now_ms();
            watch_looked_at_locked(mailbox);
            return true;
        }
        if (account_is_out_locked(account))
            return known_while_out(mailbox, wait);
        wait_queue_add(&mailbox->waits, wait);
        if (!stored_load_locked(mailbox, false))
            sync_begin_locked(mailbox);
        sync_hasten_locked(mailbox);
        return false;
    }
    pending_refuse_locked(account, wait, &err);
    return false;
}

bool mailbox_was_fresh_locked(const struct mailbox *mailbox, unsigned within_ms)
{
    return mailbox->known && mailbox->fresh_ms && model_now_ms() - mailbox->fresh_ms < within_ms;
}

bool mailbox_known_locked(const struct mailbox *mailbox)
{
    return mailbox->known;
}

uint32_t mailbox_message_id_locked(const struct mailbox *mailbox)
{
    return mailbox->message_id;
}

uint32_t mailbox_uidvalidity_locked(const struct mailbox *mailbox)
{
    return mailbox->uidvalidity;
}

size_t mailbox_count_locked(const struct mailbox *mailbox)
{
    return mailbox->columns.count;
}

uint64_t mailbox_generation_locked(const struct mailbox *mailbox)
{
    return mailbox->generation;
}

struct timespec mailbox_mtime_locked(const struct mailbox *mailbox)
{
    return mailbox->changed;
}

const uint32_t *mailbox_uids_locked(const struct mailbox *mailbox, size_t *count_out)
{
    *count_out = mailbox->columns.count;
    return mailbox->columns.uid;
}

size_t mailbox_position_locked(const struct mailbox *mailbox, uint32_t uid)
{
    return columns_lower(&mailbox->columns, uid);
}

void mailbox_at_locked(const struct mailbox *mailbox, size_t position, struct message *message_out)
{
    struct row row;
    columns_get(&mailbox->columns, position, &row);
    *message_out = (struct message){.uid = row.uid,
                                    .flagset = row.flagset,
                                    .size = row.size,
                                    .size_verified = (row.has & ROW_VERIFIED) != 0,
                                    .size_corrected = (row.has & ROW_CORRECTED) != 0,
                                    .date = {.unix_seconds = row.date, .zone_minutes = row.zone},
                                    .modseq = row.modseq,
                                    .objectid = row.objectid};
}

bool mailbox_find_locked(const struct mailbox *mailbox, uint32_t uid, struct message *message_out)
{
    size_t at = 0;
    if (!columns_find(&mailbox->columns, uid, &at))
        return false;
    mailbox_at_locked(mailbox, at, message_out);
    return true;
}

bool mailbox_next_locked(const struct mailbox *mailbox, uint32_t after, size_t *hint,
                         struct message *message_out)
{
    const struct columns *columns = &mailbox->columns;
    size_t at = *hint;
    const bool hint_holds =
        at < columns->count && columns->uid[at] > after && (!at || columns->uid[at - 1] <= after);
    if (!hint_holds)
        at = after == UINT32_MAX ? columns->count : columns_lower(columns, after + 1);
    if (at >= columns->count)
        return false;
    *hint = at + 1;
    mailbox_at_locked(mailbox, at, message_out);
    return true;
}

const char *mailbox_flags_text_locked(const struct mailbox *mailbox, uint32_t flagset)
{
    return flagset_text(&mailbox->account->flagsets, flagset);
}

void mailbox_learn_size_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, uint64_t size)
{
    if (!message_id || message_id != mailbox->message_id)
        return;
    const struct row row = {.uid = uid, .size = size, .has = ROW_SIZE | ROW_VERIFIED};
    size_t at = 0;
    if (!columns_find(&mailbox->columns, uid, &at))
        return;
    /* A mere proof is no visible change. */
    delta_apply_locked(mailbox, &(struct delta){.rows = &row, .row_count = 1});
}

void mailbox_touch_locked(struct mailbox *mailbox)
{
    mailbox->generation++;
    clock_gettime(CLOCK_REALTIME, &mailbox->changed);
    pending_note_locked(mailbox->account, NOTE_LISTING, mailbox, 0, NULL);
}

void mailbox_reset_locked(struct mailbox *mailbox, uint32_t uidvalidity)
{
    struct account *account = mailbox->account;
    const bool was_known = mailbox->known;
    if (mailbox->message_id) {
        bodies_mailbox_reset_locked(account->bodies, mailbox);
        ids_retire(&account->ids, mailbox->message_id);
    }
    if (was_known)
        for (size_t i = 0; i < mailbox->columns.count; i++)
            pending_note_locked(account, NOTE_GONE, mailbox, mailbox->columns.uid[i], NULL);
    naming_reset_locked(mailbox, uidvalidity);
    stored_reset_locked(mailbox);
    columns_fini(&mailbox->columns);
    mailbox->known = false;
    mailbox->proven_ms = 0;
    mailbox->cover.calm = false;
    mailbox->uidnext = 0;
    mailbox->modseq = 0;
    mailbox->uidvalidity = uidvalidity;
    mailbox->message_id = 0;
    if (uidvalidity) {
        const uint64_t key = ids_key(mailbox->wire, strlen(mailbox->wire), uidvalidity);
        mailbox->message_id = ids_take(&account->ids, key, mailbox);
    }
    if (was_known)
        mailbox_touch_locked(mailbox);
}
