/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. While it is copying or filling the origin stays; and so does the draft, being DRAFT_SENDING or held.
 * 2. One fills at a time, so that nothing that is written afterwards is overwritten by another who is late.
 */
#include "draftcopy.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "copyfind.h"
#include "draft_internal.h"
#include "mailbox_internal.h"
#include "send_internal.h"
#include "write_internal.h"

#define CHUNK (UINT64_C(128) << 10)

struct draft_origin {
    struct draft *draft;
    struct mailbox *mailbox;
    uint32_t message_id;
    struct message message;
    bool hollow, copying, filling;
    struct body *body; /* once somebody wants the bytes */
    struct wait_queue fill_waits;
    struct wait wait; /* for the copy, or for a listing of the target */
    struct write_place place;
    uint32_t last_uid; /* of the target, before */
};

bool draftcopy_is_hollow_locked(const struct draft *draft)
{
    return draft->origin && draft->origin->hollow;
}

bool draftcopy_is_exact_locked(const struct draft *draft)
{
    if (!draftcopy_is_hollow_locked(draft))
        return false;
    const struct message *message = &draft->origin->message;
    const char *flags = mailbox_flags_text_locked(draft->origin->mailbox, message->flagset);
    const char *wanted = draft_flags_locked(draft);
    return draft->mtime.tv_sec == message->date.unix_seconds && write_flags_hold(flags, wanted, true) &&
           write_flags_hold(wanted, flags, true);
}

/* ---- from empty to hollow ---------------------------------------------------------------------------- */

static bool may_begin(const struct draft *draft)
{
    return draft->named && draft->state == DRAFT_LOCAL && !draft->size && !draft->writing && !draft->spoilt &&
           !draft->old_uid && !draft->origin && !draft_name_is_local(draft->name) && !draft->mailbox->gone;
}

bool draftcopy_begin_locked(struct draft *draft, struct mailbox *mailbox, const struct message *message)
{
    if (!message->size || !may_begin(draft))
        return false;
    struct draft_origin *origin = draft->origin = imap_xcalloc(1, sizeof *origin);
    origin->draft = draft;
    origin->mailbox = mailbox;
    origin->message_id = mailbox->message_id;
    origin->message = *message;
    origin->hollow = true;
    wait_queue_init(&origin->fill_waits);
    draft->size = message->size;
    draft->mtime = (struct timespec){.tv_sec = message->date.unix_seconds};
    draft->flagset = message->flagset;
    draft->flags_copied = true;
    draft->unsent = true;
    draft->saved = false;
    draft->wire_size = 0;
    return true;
}

void draftcopy_drop_locked(struct draft *draft)
{
    struct draft_origin *origin = draft->origin;
    if (!origin)
        return;
    draft_unpromise_locked(draft);
    origin->hollow = false;
    if (origin->copying || origin->filling)
        return;
    if (origin->body)
        body_close_locked(origin->body);
    free(origin);
    draft->origin = NULL;
}

void draftcopy_left_locked(struct draft *draft)
{
    if (draft->holds || draft->state == DRAFT_SENDING || !draft->unsent || !draftcopy_is_hollow_locked(draft))
        return;
    draft->unsent = false;
    if (draft->named) {
        draft_hide_locked(draft);
        pending_name_locked(draft->drafts->account, draft->mailbox, draft->name);
    }
}

bool draftcopy_source_locked(const struct draft *draft, struct draftcopy_source *source_out)
{
    const struct draft_origin *origin = draft->origin;
    if (!draftcopy_is_exact_locked(draft))
        return false;
    *source_out = (struct draftcopy_source){
        .mailbox = origin->mailbox, .message_id = origin->message_id, .uid = origin->message.uid};
    return true;
}

void draftcopy_hand_over_locked(struct draft *draft)
{
    draft->promise = 0;
    draft->unsent = false;
    draft->sent = true; /* and nobody knows which message it will be: whoever has it open can write no more */
    draft->sent_uid = 0;
    draft_hide_locked(draft);
    pending_name_locked(draft->drafts->account, draft->mailbox, draft->name);
}

/* ---- filling ------------------------------------------------------------------------------------------- */

static struct body *open_body(const struct draft_origin *origin)
{
    struct message message;
    const bool there = !origin->mailbox->gone && origin->mailbox->message_id == origin->message_id &&
                       mailbox_find_locked(origin->mailbox, origin->message.uid, &message);
    return there ? body_open_locked(origin->mailbox, &message) : NULL;
}

bool draftcopy_can_fill_locked(struct draft *draft, struct body_wait *wait)
{
    struct draft_origin *origin = draft->origin;
    struct imap_error err = {0};
    if (origin->filling) {
        wait_queue_add(&origin->fill_waits, &wait->wait);
        return false;
    }
    if (!origin->body)
        origin->body = open_body(origin);
    if (!origin->body) {
        imap_error_set(&err, IMAP_GONE, "message %" PRIu32 " of %s, which was copied, is gone",
                       origin->message.uid, origin->mailbox->wire);
        pending_refuse_locked(draft->drafts->account, &wait->wait, &err);
        return false;
    }
    if (!body_size_known_locked(origin->body, &wait->wait) ||
        !body_available_locked(origin->body, 0, (size_t)body_size_locked(origin->body), wait))
        return false;
    origin->filling = true;
    draft->holds++;
    return true;
}

static int put(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len) {
        const ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int transfer(const struct draft *draft, uint64_t size)
{
    char *chunk = malloc(CHUNK);
    int error = chunk ? 0 : ENOMEM;
    for (uint64_t at = 0; at < size && !error; at += CHUNK) {
        const size_t len = (size_t)(size - at < CHUNK ? size - at : CHUNK);
        const ssize_t n = body_read(draft->origin->body, chunk, len, at);
        if (n == (ssize_t)len)
            error = put(draft->fd, chunk, len, at);
        else
            error = n < 0 ? (int)-n : EIO;
    }
    free(chunk);
    return error;
}

int draftcopy_fill(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    struct draft_origin *origin = draft->origin;
    account_lock(account);
    const uint64_t size = body_size_locked(origin->body);
    account_unlock(account);
    int error = draft_open(draft);
    if (!error)
        error = transfer(draft, size);
    account_lock(account);
    origin->filling = false;
    pending_finish_locked(account, &origin->fill_waits, NULL); /* to look again */
    if (!error) {
        draft->size = size;
        draftcopy_drop_locked(draft);
    }
    draft_close_locked(draft);
    account_unlock(account);
    return error;
}

/* ---- sending ------------------------------------------------------------------------------------------- */

static void failed(struct draft *draft, const struct imap_error *err)
{
    draft->origin->copying = false;
    if (!draft->origin->hollow) {
        draftcopy_drop_locked(draft); /* it was filled meanwhile, and its bytes are to be kept */
        send_fail_locked(draft, err);
        return;
    }
    draft->err = *err;
    draft->state = DRAFT_FAILED;
    pending_finish_locked(draft->drafts->account, &draft->waits, err);
    draftcopy_left_locked(draft);
    draft_settle_locked(draft);
}

static void arrived(struct draft *draft)
{
    struct draft_origin *origin = draft->origin;
    const struct mailbox *mailbox = draft->mailbox;
    struct write_place place = origin->place;
    if (!place.uid)
        place = (struct write_place){
            .uidvalidity = mailbox->uidvalidity,
            .uid = copyfind_uid_locked(mailbox, origin->last_uid, &origin->message),
        };
    origin->copying = false;
    if (!origin->hollow)
        draftcopy_drop_locked(draft); /* it was filled meanwhile */
    send_arrived_locked(draft, place.uid ? place.uidvalidity : 0, place.uid);
}

static struct draft_origin *origin_of(struct wait *wait)
{
    return (struct draft_origin *)((char *)wait - offsetof(struct draft_origin, wait));
}

/* Where it cannot be listed nobody knows which message it is. */
static void listed(struct wait *wait, const struct imap_error *err)
{
    struct draft *draft = origin_of(wait)->draft;
    struct account *account = draft->drafts->account;
    (void)err;
    account_lock(account);
    arrived(draft);
    account_unlock(account);
}

static void copied(struct wait *wait, const struct imap_error *err)
{
    struct draft_origin *origin = origin_of(wait);
    struct draft *draft = origin->draft;
    struct account *account = draft->drafts->account;
    account_lock(account);
    origin->wait = (struct wait){.done = listed};
    if (err)
        failed(draft, err);
    else if (origin->place.uid || mailbox_fresh_locked(draft->mailbox, &origin->wait))
        arrived(draft);
    account_unlock(account);
}

void draftcopy_send_locked(struct draft *draft)
{
    struct draft_origin *origin = draft->origin;
    origin->copying = true;
    origin->wait = (struct wait){.done = copied};
    origin->place = (struct write_place){0};
    origin->last_uid = copyfind_last_locked(draft->mailbox);
    write_copy_locked(origin->mailbox, origin->message_id, origin->message.uid, draft->mailbox, &origin->wait,
                      &origin->place);
}
