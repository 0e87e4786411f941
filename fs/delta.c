/* SPDX-License-Identifier: MIT */
/*
 * delta: the one place that changes a mailbox's columns (but for a reset; see mailbox_reset_locked).
 *
 * 1. After it has returned, columns, generation, the bodies and the notes for the kernel agree, and the
 *    connections that carry bodies will look for new messages before they are asked for one.
 * 2. Before a mailbox was complete once, the kernel has been shown nothing: no notes a message.
 * 3. A size that a literal has proven is not replaced by a claim.
 * 4. The store is told of every row that is not what it was.
 * 5. The name of a message goes with it.
 */
#include <stdlib.h>

#include "../imap/mem.h"
#include "maildir.h"
#include "sync.h"

static void forget(struct mailbox *mailbox, size_t position)
{
    const uint32_t uid = mailbox->columns.uid[position];
    struct row row;
    columns_get(&mailbox->columns, position, &row);
    stored_row_locked(mailbox, &row, NULL);
    if (mailbox->message_id)
        bodies_message_gone_locked(mailbox->account->bodies, mailbox, uid);
    if (mailbox->written)
        naming_gone_locked(mailbox, uid);
    if (mailbox->known)
        pending_note_locked(mailbox->account, NOTE_GONE, mailbox, uid, NULL);
}

/* A sorted merge of the columns with the UIDs that stay (or, with stays false, go). */
static bool drop_by(struct mailbox *mailbox, const struct delta *delta, bool stays)
{
    struct columns *columns = &mailbox->columns;
    if (!columns->count)
        return false;
    const size_t count = stays ? delta->row_count : delta->gone_count;
    uint8_t *drop = imap_xcalloc(columns->count, 1);
    size_t dropped = 0;
    for (size_t at = 0, other = 0; at < columns->count; at++) {
        const uint32_t uid = columns->uid[at];
        while (other < count && (stays ? delta->rows[other].uid : delta->gone[other]) < uid)
            other++;
        const bool listed = other < count && (stays ? delta->rows[other].uid : delta->gone[other]) == uid;
        if (listed == stays)
            continue;
        drop[at] = 1;
        dropped++;
        forget(mailbox, at);
    }
    if (dropped)
        columns_compact(columns, drop);
    free(drop);
    return dropped != 0;
}

static bool drop_one(struct mailbox *mailbox, uint32_t uid)
{
    size_t at = 0;
    if (!columns_find(&mailbox->columns, uid, &at))
        return false;
    forget(mailbox, at);
    columns_remove(&mailbox->columns, at);
    return true;
}

/* Makes the message what row says; at its place, or without one when it is new. *renamed: it has another name. */
static bool change_row(struct mailbox *mailbox, const struct row *row, const size_t *place, bool *renamed)
{
    struct columns *columns = &mailbox->columns;
    const bool told = mailbox->stored.state == STORED_ROWS;
    struct row before, after;
    bool changed = true;
    const bool names = mailbox->account->maildir;
    if ((told || names) && place)
        columns_get(columns, *place, &before);
    if (place)
        changed = columns_update(columns, *place, row);
    else
        columns_insert(columns, row);
    if (told || names)
        columns_get(columns, place ? *place : columns_lower(columns, row->uid), &after);
    if (told)
        stored_row_locked(mailbox, place ? &before : NULL, &after);
    if (names && place)
        *renamed |= maildir_renames_locked(mailbox, &before, &after);
    return changed;
}

/* True when the message was not listed before. */
static bool put_row(struct mailbox *mailbox, const struct row *row, bool *renamed)
{
    size_t at = 0;
    const bool there = columns_find(&mailbox->columns, row->uid, &at);
    if (!change_row(mailbox, row, there ? &at : NULL, renamed))
        return false;
    if (!there && mailbox->written)
        naming_new_locked(mailbox, row->uid);
    if (mailbox->known)
        pending_note_locked(mailbox->account, there ? NOTE_CHANGED : NOTE_NEW, mailbox, row->uid, NULL);
    return !there;
}

/* New rows below existing ones: rare, and one by one each would move all that is above. */
static bool interleaved(const struct columns *columns, const struct delta *delta)
{
    size_t inserted = 0;
    for (size_t i = 0; i < delta->row_count; i++) {
        size_t at = columns_lower(columns, delta->rows[i].uid);
        if (at == columns->count)
            break; /* the rest is appended */
        inserted += columns->uid[at] != delta->rows[i].uid;
    }
    return inserted > 16;
}

static void merge_rows(struct mailbox *mailbox, const struct delta *delta, bool *renamed)
{
    const struct columns old = mailbox->columns;
    struct columns *merged = &mailbox->columns;
    *merged = (struct columns){0};
    columns_reserve(merged, old.count + delta->row_count);
    size_t at = 0;
    for (size_t i = 0; i <= delta->row_count; i++) {
        const uint64_t limit = i < delta->row_count ? delta->rows[i].uid : (uint64_t)UINT32_MAX + 1;
        for (; at < old.count && old.uid[at] <= limit; at++) {
            struct row row;
            columns_get(&old, at, &row);
            if (row.modseq)
                row.has |= ROW_MODSEQ;
            columns_insert(merged, &row);
        }
        if (i < delta->row_count)
            put_row(mailbox, &delta->rows[i], renamed);
    }
    struct columns gone = old;
    columns_fini(&gone);
}

void delta_apply_locked(struct mailbox *mailbox, const struct delta *delta)
{
    bool fewer = false, more = false, renamed = false;
    if (delta->whole)
        fewer |= drop_by(mailbox, delta, true);
    if (delta->gone_count == 1)
        fewer |= drop_one(mailbox, delta->gone[0]);
    else if (delta->gone_count)
        fewer |= drop_by(mailbox, delta, false);
    if (interleaved(&mailbox->columns, delta)) {
        merge_rows(mailbox, delta, &renamed);
        more = true;
    } else {
        columns_reserve(&mailbox->columns, delta->whole ? delta->row_count : 0);
        for (size_t i = 0; i < delta->row_count; i++)
            more |= put_row(mailbox, &delta->rows[i], &renamed);
    }
    if (more) /* the pool's lock is a leaf, so it may be taken under ours */
        imap_pool_mailbox_changed(mailbox->account->pool, mailbox->wire);
    /* Flags and sizes are in a listing only where they are in names. */
    if ((fewer || more || renamed) && mailbox->known)
        mailbox_touch_locked(mailbox);
}
