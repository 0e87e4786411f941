/* SPDX-License-Identifier: MIT */
/*
 * body_model: the made-up mail of body_world.h, and the model around the bodies, replaced by one mailbox with
 * fixed messages and a store that is an array.
 */
#ifndef BODY_MODEL_H
#define BODY_MODEL_H

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "body_internal.h"
#include "cmd.h"

#define WORLD_LANES 3
#define WORLD_DEADLINE_S 20
#define WORLD_CHUNK 16384

struct mail {
    uint32_t uid;
    uint64_t size, claimed, objectid;
    bool verified, corrected, expunged;
    uint64_t learnt;    /* what mailbox_learn_size_locked was told last; UINT64_MAX: nothing */
    uint64_t sent;      /* octets of it that went over the wire */
    unsigned asked;     /* commands that named it */
    int64_t drop_after; /* the line is lost after so many octets; -1: never; then reset to -1 */
    bool nil;           /* NIL instead of its body */
};

struct job {
    struct job *next;
    struct imap_command *command;
};

struct world {
    struct account account;
    struct mailbox mailbox;
    struct bodies *bodies;
    struct mail *mails;
    uint32_t *uids;
    size_t count;
    char dir[64];
    /* how the server misbehaves; set before anything is asked */
    bool uid_last, ignores_partial, quotes, twice, probe_last, refuses_sets, refuses_probe, keeps_origin;
    bool silent_probe;
    int64_t clock_ms; /* what model_now_ms says */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct job *jobs, **jobs_tail;
    bool closing, unreachable;
    unsigned commands, urgent;
    uint64_t sent; /* octets of all messages that went over the wire */
    size_t longest;
    int64_t allowance; /* octets that may still be sent; -1: no limit */
    char log[1 << 16]; /* command lines, for what they ask */
    pthread_t lanes[WORLD_LANES];
    struct kept_row *rows; /* the store: what the next mount is told; guarded by the account's lock */
    size_t row_count, row_capacity;
    unsigned rows_told; /* how often it was told of one */
    bool store_on;
};

static struct world world;

static char mail_byte(uint32_t uid, uint64_t at)
{
    uint64_t x = (at + 1) * UINT64_C(0x9E3779B97F4A7C15) + uid * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (char)(x >> 56 | 1); /* never NUL */
}

static struct mail *mail_of(uint32_t uid)
{
    for (size_t low = 0, high = world.count; low < high;) {
        size_t middle = (low + high) / 2;
        if (world.mails[middle].uid == uid)
            return &world.mails[middle];
        if (world.mails[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- the model, replaced ---------------------------------------------------------------------------- */

void account_lock(struct account *account)
{
    pthread_mutex_lock(&account->lock);
}

void account_unlock(struct account *account)
{
    struct pending pending;
    bool any = !pending_empty(&account->pending);
    if (any) {
        pending = account->pending;
        pending_init(&account->pending);
    }
    pthread_mutex_unlock(&account->lock);
    if (any)
        pending_run(account, &pending);
}

int64_t model_now_ms(void)
{
    return __atomic_load_n(&world.clock_ms, __ATOMIC_RELAXED);
}

struct account *mailbox_account(const struct mailbox *mailbox)
{
    return mailbox->account;
}

const char *mailbox_wire_name(const struct mailbox *mailbox)
{
    return mailbox->wire;
}

uint32_t mailbox_message_id_locked(const struct mailbox *mailbox)
{
    return mailbox->message_id;
}

const uint32_t *mailbox_uids_locked(const struct mailbox *mailbox, size_t *count_out)
{
    (void)mailbox;
    *count_out = world.count;
    return world.uids;
}

size_t mailbox_position_locked(const struct mailbox *mailbox, uint32_t uid)
{
    (void)mailbox;
    size_t low = 0, high = world.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (world.uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool mailbox_find_locked(const struct mailbox *mailbox, uint32_t uid, struct message *message_out)
{
    (void)mailbox;
    const struct mail *mail = mail_of(uid);
    if (!mail)
        return false;
    *message_out = (struct message){.uid = uid,
                                    .size = mail->claimed,
                                    .size_verified = mail->verified,
                                    .objectid = mail->objectid,
                                    .size_corrected = mail->corrected};
    return true;
}

void mailbox_learn_size_locked(struct mailbox *mailbox, uint32_t message_id, uint32_t uid, uint64_t size)
{
    struct mail *mail = mail_of(uid);
    ck_assert_uint_eq(message_id, mailbox->message_id);
    mail->corrected |= size != mail->claimed;
    mail->learnt = mail->claimed = size;
    mail->verified = true;
}

static struct kept_row *row_of(const struct kept_key *key)
{
    for (size_t i = 0; i < world.row_count; i++)
        if (world.rows[i].key.high == key->high && world.rows[i].key.low == key->low)
            return &world.rows[i];
    return NULL;
}

bool stored_on_locked(const struct account *account)
{
    (void)account;
    return world.store_on;
}

void stored_keep_locked(struct account *account, const struct kept_row *row)
{
    (void)account;
    struct kept_row *place = row_of(&row->key);
    world.rows_told++;
    if (!place && world.row_count == world.row_capacity) {
        world.row_capacity = world.row_capacity ? 2 * world.row_capacity : 64;
        world.rows = realloc(world.rows, world.row_capacity * sizeof *world.rows);
    }
    if (!place)
        place = &world.rows[world.row_count++];
    *place = *row;
}

void stored_unkeep_locked(struct account *account, const struct kept_key *key)
{
    (void)account;
    struct kept_row *row = row_of(key);
    if (row)
        *row = world.rows[--world.row_count];
}

#endif
