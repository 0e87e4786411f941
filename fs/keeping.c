/* SPDX-License-Identifier: MIT */
/*
 * keeping: which bodies lie on disk from mount to mount.
 *
 * The index (kept.h) holds what this mount knows of that, the store what the next one will. A body that is
 * whole becomes an entry, and is a struct body only while somebody uses it.
 *
 * Invariants:
 * 1. The store is told of a body after its last byte was written, and that it is gone when its space is given
 *    up. So the store may know a body whose bytes are damaged or gone (a crash, a full disk), which the digest
 *    tells, and the files may hold bytes that nobody knows, which spool_reclaim gives back.
 * 2. An entry has its extent until it is dropped; a body that is kept borrows that, and counts as a user.
 * 3. What an earlier mount has written is served after it was read back and found right.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "body_internal.h"

#define TELL_AGAIN_MINUTES 60u /* that it was used; so reading writes next to nothing */
#define LOG_QUIET_MS 30000
#define FILE_NAME_SIZE 160
#define OBJECT_TAG UINT64_C(0x6f626a6563740000) /* where other keys have the hash of a name */

static uint32_t minute_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)(now.tv_sec / 60);
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static struct kept_key object_key(uint64_t objectid)
{
    return (struct kept_key){.high = OBJECT_TAG, .low = objectid};
}

struct kept_key keeping_key(const struct mailbox *mailbox, uint32_t uid)
{
    return (struct kept_key){.high = ids_key(mailbox->wire, strlen(mailbox->wire), 0),
                             .low = (uint64_t)mailbox->uidvalidity << 32 | uid};
}

/* ---- entries ---------------------------------------------------------------------------------------- */

static struct extent extent_of(const struct bodies *bodies, const struct kept_entry *entry)
{
    return spool_at(bodies->spool, entry->file, (uint64_t)entry->block * KEPT_BLOCK, entry->size);
}

static void drop(struct bodies *bodies, struct kept_entry *entry)
{
    struct extent extent = extent_of(bodies, entry);
    spool_release_locked(bodies->spool, &extent);
    kept_drop(bodies->kept, entry);
}

void keeping_forget_locked(struct bodies *bodies, const struct kept_key *key)
{
    struct kept_entry *entry = kept_find(bodies->kept, key);
    if (!entry)
        return;
    stored_unkeep_locked(bodies->account, key);
    if (entry->users)
        entry->doomed = true;
    else
        drop(bodies, entry);
}

static void use(struct bodies *bodies, struct kept_entry *entry)
{
    const uint32_t now = minute_now();
    kept_touch(bodies->kept, entry);
    if (now - entry->told < TELL_AGAIN_MINUTES)
        return;
    entry->told = now;
    const struct kept_row row = kept_row_of(entry);
    stored_keep_locked(bodies->account, &row);
}

/* ---- bodies and their entries ----------------------------------------------------------------------- */

/* The entry of a body to be, if it can be the body of this message. One of its own that cannot is forgotten; one
 * by object id may serve others, so the key will be its own. */
static struct kept_entry *find_entry(struct bodies *bodies, struct body *body, const struct message *message)
{
    const struct kept_key own = body->key;
    if (message->objectid) {
        body->key = object_key(message->objectid);
        struct kept_entry *entry = kept_find(bodies->kept, &body->key);
        if (entry && entry->size == message->size)
            return entry;
        if (entry)
            body->key = own;
    }
    struct kept_entry *entry = kept_find(bodies->kept, &own);
    if (entry && entry->size != message->size) {
        keeping_forget_locked(bodies, &own);
        entry = NULL;
    }
    if (entry)
        body->key = own; /* it lies there since before the object id was known */
    return entry;
}

void keeping_adopt_locked(struct bodies *bodies, struct body *body, const struct message *message)
{
    body->key = keeping_key(body->mailbox, message->uid);
    struct kept_entry *entry = find_entry(bodies, body, message);
    if (!entry)
        return;
    use(bodies, entry);
    entry->users++;
    body->kept = true;
    body->extent = extent_of(bodies, entry);
    body->unproven = !entry->proven;
    if (!body->unproven)
        body_proven_locked(bodies, body);
}

static bool may_be_kept(const struct bodies *bodies, const struct body *body)
{
    return bodies->keeps && !bodies->stopped && !body->kept && body->indexed && body->fate == IMAP_OK &&
           !atomic_load(&body->scarce) && body_complete_locked(body) && body->extent.file &&
           spool_number(&body->extent) && stored_on_locked(bodies->account);
}

bool keeping_wants_locked(const struct bodies *bodies, const struct body *body)
{
    return !body->downloads && may_be_kept(bodies, body) && !kept_any(bodies->kept, &body->key);
}

void keeping_keep_locked(struct bodies *bodies, struct body *body, uint64_t digest)
{
    if (!may_be_kept(bodies, body))
        return;
    const struct kept_row row = {.key = body->key,
                                 .file = spool_number(&body->extent),
                                 .offset = body->extent.offset,
                                 .size = body->size,
                                 .digest = digest,
                                 .used = minute_now()};
    struct kept_entry *entry = kept_put(bodies->kept, &row);
    if (!entry)
        return; /* a copy of it is */
    entry->proven = true;
    entry->users = 1;
    body->kept = true;
    bodies->bytes -= body->charged;
    body->charged = 0;
    stored_keep_locked(bodies->account, &row);
    bodies_trim_locked(bodies);
}

void keeping_release_locked(struct bodies *bodies, struct body *body)
{
    struct kept_entry *entry = kept_any(bodies->kept, &body->key);
    body->kept = body->unproven = false;
    body->extent = (struct extent){0};
    if (--entry->users == 0 && entry->doomed)
        drop(bodies, entry);
}

void keeping_proven_locked(struct bodies *bodies, struct body *body)
{
    kept_any(bodies->kept, &body->key)->proven = true;
    body->unproven = false;
    body_proven_locked(bodies, body);
}

static void log_damage(struct bodies *bodies, const struct body *body)
{
    const int64_t now_ms = model_now_ms();
    char others[48] = "";
    if (now_ms < bodies->damage_quiet_until) {
        bodies->damage_unlogged++;
        return;
    }
    if (bodies->damage_unlogged)
        snprintf(others, sizeof others, " (and %u others before)", bodies->damage_unlogged);
    pending_log_locked(bodies->account, LOG_WARNING,
                       "message %" PRIu32 " of %s%s is damaged in the cache and fetched anew", body->uid,
                       mailbox_wire_name(body->mailbox), others);
    bodies->damage_quiet_until = now_ms + LOG_QUIET_MS;
    bodies->damage_unlogged = 0;
}

void keeping_disproved_locked(struct bodies *bodies, struct body *body)
{
    log_damage(bodies, body);
    keeping_forget_locked(bodies, &body->key);
    bodies_empty_locked(bodies, body);
    if (body_waited_for_locked(body))
        fetcher_want_locked(bodies, body);
}

/* ---- from mount to mount ---------------------------------------------------------------------------- */

void bodies_kept(struct bodies *bodies, const struct kept_row *row)
{
    if (!kept_load(bodies->kept, row))
        stored_unkeep_locked(bodies->account, &row->key);
}

static void forget_all(struct bodies *bodies)
{
    kept_free(&bodies->kept);
    bodies->kept = kept_new();
}

/* Rows of which the files know nothing: they were removed, or a power cut was faster than the disk. */
static void claim_all(struct bodies *bodies)
{
    for (size_t at = kept_count(bodies->kept); at-- > 0;) {
        struct kept_entry *entry = kept_at(bodies->kept, at);
        struct extent extent;
        if (spool_claim(bodies->spool, entry->file, (uint64_t)entry->block * KEPT_BLOCK, entry->size,
                        &extent))
            continue;
        stored_unkeep_locked(bodies->account, &entry->key);
        kept_drop(bodies->kept, entry);
    }
}

static struct spool_place *places_of(const struct kept *kept)
{
    struct spool_place *places = imap_xcalloc(kept_count(kept) + 1, sizeof *places);
    for (size_t at = 0; at < kept_count(kept); at++) {
        const struct kept_entry *entry = kept_at(kept, at);
        places[at] = (struct spool_place){.file = entry->file,
                                          .block = (uint32_t)entry->block,
                                          .blocks = (uint32_t)(kept_space(entry->size) / KEPT_BLOCK)};
    }
    return places;
}

static bool begin_keeping(struct bodies *bodies, const char *name)
{
    char dir[FILE_NAME_SIZE];
    struct imap_error err = {0};
    if (!stored_on_locked(bodies->account))
        return false; /* and why was told */
    snprintf(dir, sizeof dir, "%s.bodies", name);
    enum imap_status status = spool_name(bodies->spool, dir, &err);
    if (status == IMAP_OK) {
        claim_all(bodies);
        status = spool_settle(bodies->spool, &err);
    }
    if (status == IMAP_OK)
        return true;
    pending_log_locked(bodies->account, LOG_WARNING, "messages are not kept for the next mount: %s",
                       err.text);
    return false;
}

void bodies_begin(struct bodies *bodies, const char *name)
{
    account_lock(bodies->account);
    bodies->keeps = begin_keeping(bodies, name);
    if (bodies->keeps) {
        check_begin(bodies);
        bodies_trim_locked(bodies);
        spool_reclaim(bodies->spool, places_of(bodies->kept), kept_count(bodies->kept));
    } else {
        forget_all(bodies);
    }
    bodies_unlock(bodies);
}
