/* SPDX-License-Identifier: MIT */
#include "change.h"

#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"

/* Beyond the kinds: the rows that follow are of another mailbox. */
#define MARK_MAILBOX 0x0fu
#define VARINT_MAX 10u
#define ROW_MAX (1 + 8 * VARINT_MAX)
#define HAS_OBJECTID                                                                                         \
    0x40u /* beyond the bits of `has`, of which there are six: spares a byte where there is none */

/* ---- writing --------------------------------------------------------------------------------------- */

static void reserve(struct changes *changes, size_t more)
{
    if (changes->capacity - changes->len >= more)
        return;
    changes->capacity = 2 * changes->capacity + more + 64;
    changes->bytes = imap_xrealloc(changes->bytes, changes->capacity);
}

/* The caller has reserved. */
static void put_number(struct changes *changes, uint64_t number)
{
    while (number >= 0x80) {
        changes->bytes[changes->len++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    changes->bytes[changes->len++] = (uint8_t)number;
}

/* Small whatever its sign. */
static void put_signed(struct changes *changes, int64_t number)
{
    put_number(changes, ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0));
}

static void put_text(struct changes *changes, const char *text, size_t len)
{
    reserve(changes, len + VARINT_MAX);
    put_number(changes, len);
    if (len)
        memcpy(changes->bytes + changes->len, text, len);
    changes->len += len;
}

static void put_kind(struct changes *changes, unsigned kind)
{
    changes->bytes[changes->len++] = (uint8_t)kind;
}

static void begin_row(struct changes *changes, uint32_t id, enum change_kind kind, uint32_t uid)
{
    reserve(changes, ROW_MAX + 1 + VARINT_MAX);
    if (changes->id != id) {
        put_kind(changes, MARK_MAILBOX);
        put_number(changes, id);
        changes->id = id;
    }
    put_kind(changes, kind);
    put_signed(changes, (int64_t)uid - changes->uid);
    changes->uid = uid;
}

void changes_put(struct changes *changes, uint32_t id, const struct row *row)
{
    begin_row(changes, id, CHANGE_PUT, row->uid);
    put_number(changes, row->flagset);
    put_number(changes, row->size);
    put_signed(changes, (int64_t)((uint64_t)row->date - (uint64_t)changes->date));
    changes->date = row->date;
    put_signed(changes, row->zone);
    put_number(changes, row->has | (row->objectid ? HAS_OBJECTID : 0));
    put_number(changes, row->modseq);
    if (row->objectid)
        put_number(changes, row->objectid);
}

void changes_gone(struct changes *changes, uint32_t id, uint32_t uid)
{
    begin_row(changes, id, CHANGE_GONE, uid);
}

static void put_whole(struct changes *changes, enum change_kind kind, uint32_t id)
{
    reserve(changes, 1 + VARINT_MAX);
    put_kind(changes, kind);
    put_number(changes, id);
}

void changes_clear(struct changes *changes, uint32_t id)
{
    put_whole(changes, CHANGE_CLEAR, id);
}

void changes_forget(struct changes *changes, uint32_t id)
{
    put_whole(changes, CHANGE_FORGET, id);
}

void changes_mailbox(struct changes *changes, const struct stored_mailbox *mailbox)
{
    put_whole(changes, CHANGE_MAILBOX, mailbox->id);
    put_text(changes, mailbox->name, mailbox->name_len);
    put_text(changes, mailbox->special_use, mailbox->special_use_len);
    reserve(changes, 12 * VARINT_MAX);
    put_number(changes, (uint8_t)mailbox->delimiter);
    put_number(changes, mailbox->attributes);
    put_number(changes, (mailbox->subscribed ? 1u : 0) | (mailbox->known ? 2u : 0));
    put_number(changes, mailbox->uidvalidity);
    put_number(changes, mailbox->uidnext);
    put_number(changes, mailbox->modseq);
    put_signed(changes, mailbox->proven_ms);
    put_signed(changes, mailbox->changed.tv_sec);
    put_number(changes, (uint64_t)mailbox->changed.tv_nsec);
    put_number(changes, mailbox->count);
    put_number(changes, mailbox->digest);
}

void changes_flagset(struct changes *changes, uint32_t flagset, const char *text)
{
    put_whole(changes, CHANGE_FLAGSET, flagset);
    put_text(changes, text, strlen(text));
}

static void put_key(struct changes *changes, enum change_kind kind, const struct kept_key *key)
{
    reserve(changes, 1 + sizeof *key + 5 * VARINT_MAX);
    put_kind(changes, kind);
    memcpy(changes->bytes + changes->len, key, sizeof *key); /* hashes: as numbers they would be longer */
    changes->len += sizeof *key;
}

void changes_keep(struct changes *changes, const struct kept_row *row)
{
    put_key(changes, CHANGE_KEEP, &row->key);
    put_number(changes, row->file);
    put_number(changes, row->offset);
    put_number(changes, row->size);
    put_number(changes, row->digest);
    put_number(changes, row->used);
}

void changes_unkeep(struct changes *changes, const struct kept_key *key)
{
    put_key(changes, CHANGE_UNKEEP, key);
}

void changes_name(struct changes *changes, const struct stored_name *name)
{
    put_whole(changes, name->len ? CHANGE_NAME : CHANGE_UNNAME, name->mailbox);
    reserve(changes, 2 * VARINT_MAX);
    put_number(changes, name->uidvalidity);
    put_number(changes, name->uid);
    put_text(changes, name->file, name->len);
}

static void put_intent(struct changes *changes, enum change_kind kind, uint64_t number)
{
    reserve(changes, 1 + 5 * VARINT_MAX);
    put_kind(changes, kind);
    put_number(changes, number);
}

/* With the NUL at its end, so that it can be read as it stands. */
static void put_string(struct changes *changes, const char *string)
{
    put_text(changes, string, strlen(string) + 1);
}

void changes_intend(struct changes *changes, const struct intent *intent)
{
    put_intent(changes, CHANGE_INTEND, intent->number);
    put_number(changes, intent->kind);
    put_number(changes, intent->begun);
    put_number(changes, intent->uidvalidity);
    put_number(changes, intent->uid);
    put_string(changes, intent->from);
    put_string(changes, intent->to);
    put_string(changes, intent->file);
}

void changes_unintend(struct changes *changes, uint64_t number)
{
    put_intent(changes, CHANGE_UNINTEND, number);
}

void changes_fini(struct changes *changes)
{
    free(changes->bytes);
    *changes = (struct changes){0};
}

/* ---- reading: only what was written above, so nothing is checked ------------------------------------ */

struct change_reader changes_read(const struct changes *changes)
{
    return (struct change_reader){.at = changes->bytes,
                                  .end = changes->len ? changes->bytes + changes->len : changes->bytes};
}

static uint64_t get_number(struct change_reader *reader)
{
    uint64_t number = 0;
    unsigned shift = 0;
    for (; *reader->at & 0x80; shift += 7)
        number |= (uint64_t)(*reader->at++ & 0x7f) << shift;
    return number | (uint64_t)*reader->at++ << shift;
}

static int64_t get_signed(struct change_reader *reader)
{
    const uint64_t number = get_number(reader);
    return (int64_t)((number >> 1) ^ (number & 1 ? UINT64_MAX : 0));
}

static const char *get_text(struct change_reader *reader, size_t *len_out)
{
    *len_out = get_number(reader);
    const char *text = (const char *)reader->at;
    reader->at += *len_out;
    return text;
}

static void get_row(struct change_reader *reader, struct change *change)
{
    struct row *row = &change->row;
    reader->uid = (uint32_t)(reader->uid + get_signed(reader));
    *row = (struct row){.uid = reader->uid};
    change->id = reader->id;
    if (change->kind == CHANGE_GONE)
        return;
    row->flagset = (uint32_t)get_number(reader);
    row->size = get_number(reader);
    reader->date = (int64_t)((uint64_t)reader->date + (uint64_t)get_signed(reader));
    row->date = reader->date;
    row->zone = (int16_t)get_signed(reader);
    const uint8_t has = (uint8_t)get_number(reader);
    row->has = (uint8_t)(has & ~HAS_OBJECTID);
    row->modseq = get_number(reader);
    if (has & HAS_OBJECTID)
        row->objectid = get_number(reader);
}

static void get_mailbox(struct change_reader *reader, struct stored_mailbox *mailbox)
{
    *mailbox = (struct stored_mailbox){0};
    mailbox->id = (uint32_t)get_number(reader);
    mailbox->name = get_text(reader, &mailbox->name_len);
    mailbox->special_use = get_text(reader, &mailbox->special_use_len);
    mailbox->delimiter = (char)get_number(reader);
    mailbox->attributes = (unsigned)get_number(reader);
    const uint64_t bits = get_number(reader);
    mailbox->subscribed = (bits & 1) != 0;
    mailbox->known = (bits & 2) != 0;
    mailbox->uidvalidity = (uint32_t)get_number(reader);
    mailbox->uidnext = (uint32_t)get_number(reader);
    mailbox->modseq = get_number(reader);
    mailbox->proven_ms = get_signed(reader);
    mailbox->changed.tv_sec = get_signed(reader);
    mailbox->changed.tv_nsec = (long)get_number(reader);
    mailbox->count = (uint32_t)get_number(reader);
    mailbox->digest = get_number(reader);
}

static void get_kept(struct change_reader *reader, struct change *change)
{
    struct kept_row *row = &change->kept;
    *row = (struct kept_row){0};
    memcpy(&row->key, reader->at, sizeof row->key);
    reader->at += sizeof row->key;
    if (change->kind == CHANGE_UNKEEP)
        return;
    row->file = (uint32_t)get_number(reader);
    row->offset = get_number(reader);
    row->size = get_number(reader);
    row->digest = get_number(reader);
    row->used = (uint32_t)get_number(reader);
}

static void get_name(struct change_reader *reader, struct stored_name *name)
{
    name->mailbox = (uint32_t)get_number(reader);
    name->uidvalidity = (uint32_t)get_number(reader);
    name->uid = (uint32_t)get_number(reader);
    name->file = get_text(reader, &name->len);
}

static void get_intent(struct change_reader *reader, struct change *change)
{
    struct intent *intent = &change->intent;
    size_t len;
    *intent = (struct intent){.number = get_number(reader)};
    if (change->kind == CHANGE_UNINTEND)
        return;
    intent->kind = (enum intent_kind)get_number(reader);
    intent->begun = get_number(reader) != 0;
    intent->uidvalidity = (uint32_t)get_number(reader);
    intent->uid = (uint32_t)get_number(reader);
    intent->from = get_text(reader, &len);
    intent->to = get_text(reader, &len);
    intent->file = get_text(reader, &len);
}

bool change_next(struct change_reader *reader, struct change *change_out)
{
    if (reader->at == reader->end)
        return false;
    if (*reader->at == MARK_MAILBOX) {
        reader->at++;
        reader->id = (uint32_t)get_number(reader);
    }
    change_out->kind = (enum change_kind) * reader->at++;
    switch (change_out->kind) {
    case CHANGE_PUT:
    case CHANGE_GONE:
        get_row(reader, change_out);
        break;
    case CHANGE_CLEAR:
    case CHANGE_FORGET:
        change_out->id = (uint32_t)get_number(reader);
        break;
    case CHANGE_MAILBOX:
        get_mailbox(reader, &change_out->mailbox);
        change_out->id = change_out->mailbox.id;
        break;
    case CHANGE_FLAGSET:
        change_out->flagset = (uint32_t)get_number(reader);
        change_out->text = get_text(reader, &change_out->text_len);
        break;
    case CHANGE_KEEP:
    case CHANGE_UNKEEP:
        get_kept(reader, change_out);
        break;
    case CHANGE_NAME:
    case CHANGE_UNNAME:
        get_name(reader, &change_out->name);
        change_out->id = change_out->name.mailbox;
        break;
    case CHANGE_INTEND:
    case CHANGE_UNINTEND:
        get_intent(reader, change_out);
        break;
    }
    return true;
}

/* ---- digests --------------------------------------------------------------------------------------- */

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t hash, uint64_t number)
{
    hash = (hash ^ number) * MULTIPLIER;
    return hash ^ hash >> 29;
}

uint64_t change_hash(uint64_t seed, const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;
    seed = mix(seed, len);
    for (size_t i = 0; i < len; i++)
        seed = mix(seed, byte[i]);
    return seed;
}

uint64_t change_digest(const struct row *row, uint64_t flags)
{
    uint64_t hash = mix(MULTIPLIER, row->uid);
    hash = mix(hash, flags);
    hash = mix(hash, row->size);
    hash = mix(hash, (uint64_t)row->date);
    hash = mix(hash, (uint64_t)(uint16_t)row->zone << 8 | row->has);
    hash = mix(hash, row->modseq);
    if (row->objectid) /* there were none at first, and what was reckoned then still counts */
        hash = mix(hash, row->objectid);
    return mix(hash, 0); /* the last number in would move only a few bits of the sum */
}

uint64_t change_mailbox_digest(const struct stored_mailbox *mailbox)
{
    uint64_t hash = change_hash(mailbox->id, mailbox->name, mailbox->name_len);
    hash = change_hash(hash, mailbox->special_use, mailbox->special_use_len);
    hash = mix(hash, (uint8_t)mailbox->delimiter);
    hash = mix(hash, mailbox->attributes);
    hash = mix(hash, (mailbox->subscribed ? 1u : 0) | (mailbox->known ? 2u : 0));
    hash = mix(hash, (uint64_t)mailbox->uidvalidity << 32 | mailbox->uidnext);
    hash = mix(hash, mailbox->modseq);
    hash = mix(hash, (uint64_t)mailbox->proven_ms);
    hash = mix(hash, (uint64_t)mailbox->changed.tv_sec);
    hash = mix(hash, (uint64_t)mailbox->changed.tv_nsec);
    hash = mix(hash, mailbox->count);
    return mix(hash, mailbox->digest);
}

uint64_t change_kept_digest(const struct kept_row *row)
{
    uint64_t hash = mix(MULTIPLIER, row->key.high);
    hash = mix(hash, row->key.low);
    hash = mix(hash, (uint64_t)row->file << 32 | row->used);
    hash = mix(hash, row->offset);
    hash = mix(hash, row->size);
    hash = mix(hash, row->digest);
    return mix(hash, 0);
}

uint64_t change_name_digest(const struct stored_name *name)
{
    uint64_t hash = mix(MULTIPLIER, name->mailbox);
    hash = mix(hash, (uint64_t)name->uidvalidity << 32 | name->uid);
    hash = change_hash(hash, name->file, name->len);
    return mix(hash, 0);
}

uint64_t change_intent_digest(const struct intent *intent)
{
    uint64_t hash = mix(MULTIPLIER, intent->number);
    hash = mix(hash, (uint64_t)intent->kind << 1 | intent->begun);
    hash = mix(hash, (uint64_t)intent->uidvalidity << 32 | intent->uid);
    hash = change_hash(hash, intent->from, strlen(intent->from));
    hash = change_hash(hash, intent->to, strlen(intent->to));
    hash = change_hash(hash, intent->file, strlen(intent->file));
    return mix(hash, 0);
}
