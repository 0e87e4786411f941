/* SPDX-License-Identifier: MIT */
#include "stored.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "sync.h"

#define SOME_ROWS 64u /* bytes that the next row or two may take */

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct stored_account *told_of(const struct mailbox *mailbox)
{
    struct stored_account *stored = &mailbox->account->stored;
    return stored->store && !stored->reading ? stored : NULL;
}

/* ---- a group of changes ----------------------------------------------------------------------------- */

static void tell_names(struct mailbox *mailbox);

static void touch(struct mailbox *mailbox)
{
    struct stored_account *account = &mailbox->account->stored;
    if (mailbox->gone || !mailbox->listed)
        return;
    if (!mailbox->stored.id) {
        mailbox->stored.id = ++account->last_id;
        tell_names(mailbox);
    }
    if (mailbox->stored.touched)
        return;
    mailbox->stored.touched = true;
    mailbox->stored.next = account->touched;
    account->touched = mailbox;
}

static void tell_mailbox(struct stored_account *account, const struct mailbox *mailbox)
{
    const struct stored *stored = &mailbox->stored;
    changes_mailbox(&account->changes,
                    &(struct stored_mailbox){
                        .id = stored->id,
                        .name = mailbox->wire,
                        .name_len = strlen(mailbox->wire),
                        .delimiter = mailbox->delimiter,
                        .attributes = mailbox->attributes,
                        .special_use = mailbox->special_use,
                        .special_use_len = mailbox->special_use ? strlen(mailbox->special_use) : 0,
                        .subscribed = mailbox->subscribed,
                        .known = stored->state != STORED_NOT,
                        .uidvalidity = mailbox->uidvalidity,
                        .uidnext = mailbox->uidnext,
                        .modseq = mailbox->modseq,
                        .proven_ms = stored->proven_ms,
                        .changed = mailbox->changed,
                        .count = stored->count,
                        .digest = stored->digest,
                    });
}

void stored_flush_locked(struct account *account)
{
    struct stored_account *stored = &account->stored;
    if (!stored->store || stored->reading)
        return;
    while (stored->touched) {
        struct mailbox *mailbox = stored->touched;
        stored->touched = mailbox->stored.next;
        mailbox->stored.touched = false;
        if (mailbox->stored.id) /* else it has gone since */
            tell_mailbox(stored, mailbox);
    }
    if (stored->changes.len)
        store_post(stored->store, &stored->changes);
    if (stored->promising)
        store_tell_written(stored->store, stored->last_ticket);
    stored->promising = false;
}

/* ---- rows ------------------------------------------------------------------------------------------- */

void stored_tell_flagsets_locked(struct account *account)
{
    struct stored_account *stored = &account->stored;
    const struct flagsets *sets = &account->flagsets;
    stored->flagset_digests =
        imap_xreallocarray(stored->flagset_digests, sets->count, sizeof *stored->flagset_digests);
    for (; stored->flagsets_told < sets->count; stored->flagsets_told++) {
        const char *text = sets->texts[stored->flagsets_told];
        stored->flagset_digests[stored->flagsets_told] = change_hash(0, text, strlen(text));
        if (!stored->reading)
            changes_flagset(&stored->changes, FLAGSET_SYSTEM + (uint32_t)stored->flagsets_told, text);
    }
}

static uint64_t digest_of(struct account *account, const struct row *row)
{
    struct stored_account *stored = &account->stored;
    if (row->flagset < FLAGSET_SYSTEM)
        return change_digest(row, row->flagset);
    if (stored->flagsets_told < account->flagsets.count)
        stored_tell_flagsets_locked(account);
    return change_digest(row, stored->flagset_digests[row->flagset - FLAGSET_SYSTEM]);
}

static bool same(const struct row *one, const struct row *other)
{
    return one->flagset == other->flagset && one->size == other->size && one->date == other->date &&
           one->modseq == other->modseq && one->objectid == other->objectid && one->zone == other->zone &&
           one->has == other->has;
}

static void clear(struct mailbox *mailbox)
{
    struct stored *stored = &mailbox->stored;
    if (stored->state == STORED_NOT)
        return;
    changes_clear(&mailbox->account->stored.changes, stored->id);
    stored->state = STORED_NOT;
    stored->count = 0;
    stored->digest = 0;
    stored->proven_ms = 0;
    touch(mailbox);
}

/* True while the store can take rows; else it loses those that it has. */
static bool keeps_up(struct mailbox *mailbox)
{
    struct stored_account *account = &mailbox->account->stored;
    if (store_has_room(account->store, account->changes.len + SOME_ROWS))
        return true;
    if (!mailbox->stored.slow)
        pending_log_locked(mailbox->account, LOG_NOTICE,
                           "mailbox %s: the disk is too slow to keep its listing for the next mount",
                           mailbox->wire);
    mailbox->stored.slow = true;
    clear(mailbox);
    return false;
}

void stored_row_locked(struct mailbox *mailbox, const struct row *before, const struct row *after)
{
    struct stored_account *account = told_of(mailbox);
    struct stored *stored = &mailbox->stored;
    if (!account || stored->state != STORED_ROWS || (before && after && same(before, after)) ||
        !keeps_up(mailbox))
        return;
    if (before) {
        stored->digest -= digest_of(mailbox->account, before);
        stored->count--;
    }
    if (after) {
        stored->digest += digest_of(mailbox->account, after);
        stored->count++;
        changes_put(&account->changes, stored->id, after);
    } else if (before) {
        changes_gone(&account->changes, stored->id, before->uid);
    }
    touch(mailbox);
}

static void tell_all_rows(struct mailbox *mailbox)
{
    struct stored_account *account = &mailbox->account->stored;
    struct stored *stored = &mailbox->stored;
    stored->state = STORED_ROWS;
    for (size_t i = 0; i < mailbox->columns.count; i++) {
        struct row row;
        columns_get(&mailbox->columns, i, &row);
        const uint64_t digest = digest_of(mailbox->account, &row);
        if (!(i % 1024) && !keeps_up(mailbox))
            return;
        changes_put(&account->changes, stored->id, &row);
        stored->digest += digest;
        stored->count++;
    }
}

void stored_settled_locked(struct mailbox *mailbox)
{
    if (!told_of(mailbox) || mailbox->gone || !mailbox->listed || !mailbox->known)
        return;
    mailbox->stored.proven_ms = wall_ms();
    touch(mailbox);
    if (mailbox->stored.state == STORED_NOT)
        tell_all_rows(mailbox);
}

void stored_reset_locked(struct mailbox *mailbox)
{
    if (told_of(mailbox))
        clear(mailbox);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static void tell_name(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file)
{
    struct stored_account *account = &mailbox->account->stored;
    const size_t len = file ? strlen(file) : 0;
    const bool room = !len || store_has_room(account->store, account->changes.len + len + SOME_ROWS);
    changes_name(&account->changes, &(struct stored_name){.mailbox = mailbox->stored.id,
                                                          .uidvalidity = uidvalidity,
                                                          .uid = uid,
                                                          .file = room && len ? file : "",
                                                          .len = room ? len : 0});
}

static void tell_names(struct mailbox *mailbox)
{
    for (size_t i = 0; i < written_count(mailbox->written); i++) {
        const uint32_t uid = written_at(mailbox->written, i);
        tell_name(mailbox, mailbox->written_uidvalidity, uid, written_name(mailbox->written, uid));
    }
}

void stored_name_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file)
{
    if ((told_of(mailbox) || mailbox->account->stored.reading) && mailbox->stored.id)
        tell_name(mailbox, uidvalidity, uid, file); /* else touch does it when the mailbox gets its number */
}

/* ---- bodies ----------------------------------------------------------------------------------------- */

bool stored_on_locked(const struct account *account)
{
    return account->stored.store && store_keeps(account->stored.store);
}

void stored_unkeep_locked(struct account *account, const struct kept_key *key)
{
    if (account->stored.store || account->stored.reading)
        changes_unkeep(&account->stored.changes, key);
}

void stored_keep_locked(struct account *account, const struct kept_row *row)
{
    struct stored_account *stored = &account->stored;
    if (!stored_on_locked(account))
        return;
    if (store_has_room(stored->store, stored->changes.len + SOME_ROWS))
        changes_keep(&stored->changes, row);
    else
        changes_unkeep(&stored->changes, &row->key); /* of an earlier row, which is true no more */
}

/* ---- changes that the server has not made yet --------------------------------------------------------- */

void stored_intent_locked(struct account *account, const struct intent *intent)
{
    if (account->stored.store)
        changes_intend(&account->stored.changes, intent);
}

void stored_unintent_locked(struct account *account, uint64_t number)
{
    if (account->stored.store)
        changes_unintend(&account->stored.changes, number);
}

size_t stored_intents_locked(struct account *account, struct intent **intents_out)
{
    struct stored_account *stored = &account->stored;
    const size_t count = stored->intent_count;
    *intents_out = stored->intents;
    stored->intents = NULL;
    stored->intent_count = 0;
    return count;
}

/* ---- the tree --------------------------------------------------------------------------------------- */

static uint64_t place_of(const struct mailbox *mailbox)
{
    const char *use = mailbox->special_use ? mailbox->special_use : "";
    const unsigned numbers[] = {mailbox->attributes, mailbox->subscribed, (unsigned char)mailbox->delimiter};
    return change_hash(change_hash(1, numbers, sizeof numbers), use, strlen(use)) | 1;
}

void stored_listed_locked(struct mailbox *mailbox)
{
    const uint64_t place = place_of(mailbox);
    if (!mailbox->listed || mailbox->stored.place == place)
        return;
    mailbox->stored.place = place;
    if (told_of(mailbox))
        touch(mailbox);
}

void stored_gone_locked(struct mailbox *mailbox)
{
    struct stored_account *account = told_of(mailbox);
    if (!account || !mailbox->stored.id)
        return;
    changes_forget(&account->changes, mailbox->stored.id);
    mailbox->stored.id = 0;
    mailbox->stored.place = 0;
    mailbox->stored.state = STORED_NOT;
    mailbox->stored.count = 0;
    mailbox->stored.digest = 0;
}
