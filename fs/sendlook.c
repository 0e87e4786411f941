/* SPDX-License-Identifier: MIT */
/*
 * sendlook: which message of its mailbox a draft has become, if any.
 *
 * Only a synchronisation that began after the question counts: one that was under way may have asked before the
 * message arrived. With the mailbox's UIDNEXT of before, each new message of the draft's size or date is compared
 * byte by byte; without it, each of both.
 */
#include <stddef.h>
#include <string.h>
#include <syslog.h>

#include "send_internal.h"
#include "sync.h"
#include "write.h"

#define LOOK_AGAIN_MS 500

static struct draft *draft_of(struct wait *wait)
{
    return (struct draft *)((char *)wait - offsetof(struct draft, look));
}

/* ---- candidates ------------------------------------------------------------------------------------- */

static bool may_be(const struct draft *draft, const struct message *message, bool is_new)
{
    const bool size = message->size == draft->wire_size;
    const bool date = message->date.unix_seconds == draft->mtime.tv_sec;
    return is_new ? size || date : size && date;
}

bool sendlook_is_anothers_locked(const struct draft *draft, uint32_t uid)
{
    const struct mailbox *mailbox = draft->mailbox;
    const char *name =
        mailbox->written_uidvalidity == mailbox->uidvalidity ? written_name(mailbox->written, uid) : NULL;
    return name && strcmp(name, draft->name) != 0;
}

/* The next message that may be it; false when there is none. */
static bool next_candidate(struct draft *draft)
{
    const struct mailbox *mailbox = draft->mailbox;
    const bool bounded = draft->uidnext && draft->uidvalidity && draft->uidvalidity == mailbox->uidvalidity;
    uint32_t after = bounded ? draft->uidnext - 1 : 0;
    struct message message;
    size_t hint = 0;
    if (draft->candidate > after)
        after = draft->candidate;
    while (mailbox_next_locked(mailbox, after, &hint, &message)) {
        after = message.uid;
        if (!may_be(draft, &message, bounded) || sendlook_is_anothers_locked(draft, message.uid))
            continue;
        draft->candidate = message.uid;
        return true;
    }
    draft->candidate = 0;
    return false;
}

void sendlook_on_locked(struct draft *draft)
{
    struct imap_error why = {0};
    if (next_candidate(draft)) {
        send_step_locked(draft, SEND_COMPARE);
    } else if (draft->acknowledged) {
        send_arrived_locked(draft, 0, 0);
    } else if (draft->late) { /* it would not be the first server that stores it after all */
        imap_error_set(&why, IMAP_UNSURE, "the server did not answer in time, and does not have it so far");
        why.sys_errno = draft->err.sys_errno;
        send_fail_locked(draft, &why);
    } else {
        draft->unclear = false;
        imap_error_set(&why, IMAP_AGAIN, "the line was lost, and it has not arrived");
        send_again_locked(draft, &why);
    }
}

/* ---- the listing ------------------------------------------------------------------------------------ */

static void list(struct draft *draft)
{
    struct mailbox *mailbox = draft->mailbox;
    const bool was_running = mailbox->sync != NULL;
    wait_queue_add(&mailbox->waits, &draft->look);
    sync_begin_locked(mailbox);
    draft->look_counts = mailbox->sync && (!was_running || mailbox->sync->begun_ms > draft->look_ms);
}

static void begin(struct draft *draft, void (*done)(struct wait *wait, const struct imap_error *err))
{
    draft->look = (struct wait){.done = done};
    draft->look_ms = model_now_ms();
    list(draft);
}

/* True when it is listed once more: it was the store that was waited for, or a listing that began before. */
static bool listed_too_early(struct draft *draft, const struct imap_error *err)
{
    if (err || draft->look_counts || draft->drafts->account->closing)
        return false;
    list(draft);
    return true;
}

/* The line is still lost. */
static bool may_come_back(struct draft *draft, const struct imap_error *err)
{
    const struct account *account = draft->drafts->account;
    const int64_t now = model_now_ms();
    draft->not_before_ms = now + LOOK_AGAIN_MS;
    return (err->status == IMAP_AGAIN || err->status == IMAP_UNSURE) && draft->waits.first &&
           !account->closing && now - draft->lost_ms < account->timeout_ms;
}

static void on_listed(struct wait *wait, const struct imap_error *err)
{
    struct draft *draft = draft_of(wait);
    struct account *account = draft->drafts->account;
    struct imap_error why = {0};
    account_lock(account);
    imap_error_set(&why, IMAP_CANCEL, "the file system is being unmounted");
    if (listed_too_early(draft, err)) {
        account_unlock(account);
        return;
    }
    if (!err && !draft->look_counts)
        err = &why;
    if (!err)
        sendlook_on_locked(draft);
    else if (draft->acknowledged)
        send_arrived_locked(draft, 0, 0);
    else if (
        !draft->unclear) /* it was refused with others, and the mailbox may be one that is only written to */
        send_again_locked(draft, err);
    else if (may_come_back(draft, err))
        send_step_locked(draft, SEND_LOOK);
    else
        send_fail_locked(draft, err);
    account_unlock(account);
}

void sendlook_begin_locked(struct draft *draft)
{
    draft->candidate = 0;
    begin(draft, on_listed);
}

/* ---- what it replaces ------------------------------------------------------------------------------- */

static void on_deleted(struct wait *wait, const struct imap_error *err)
{
    struct draft *draft = draft_of(wait);
    struct account *account = draft->drafts->account;
    account_lock(account);
    send_over_locked(draft, err && err->status != IMAP_GONE ? err : NULL);
    account_unlock(account);
}

static void on_listed_to_replace(struct wait *wait, const struct imap_error *err)
{
    struct draft *draft = draft_of(wait);
    struct mailbox *mailbox = draft->mailbox;
    struct account *account = mailbox->account;
    struct message message;
    account_lock(account);
    if (listed_too_early(draft, err)) {
        account_unlock(account);
        return;
    }
    const uint32_t uid = draft->old_uid;
    draft->old_uid = 0;
    if (err) {
        pending_log_locked(
            account, LOG_WARNING,
            "%s in %s was sent anew, and the message %u, which was its beginning, is still there",
            draft->name, mailbox->wire, uid);
        send_over_locked(draft, err);
    } else if (mailbox->uidvalidity == draft->old_uidvalidity &&
               mailbox_find_locked(mailbox, uid, &message)) {
        draft->look = (struct wait){.done = on_deleted};
        write_delete_locked(mailbox, mailbox->message_id, uid, &draft->look);
    } else {
        send_over_locked(draft, NULL); /* somebody has deleted it */
    }
    account_unlock(account);
}

void sendlook_replace_locked(struct draft *draft)
{
    struct imap_error err = {0};
    if (draft->drafts->account->closing) {
        imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
        send_over_locked(draft, &err);
        return;
    }
    begin(draft, on_listed_to_replace);
}
