/* SPDX-License-Identifier: MIT */
/*
 * One thread reads drafts and makes commands of them; their answers come on the connections' threads.
 *
 *      LOCAL, FAILED --draft_send_locked--> SENDING --OK and APPENDUID--> over: a message
 *                                              | NO, or certainly not sent: FAILED; but with others in one command:
 *                                              |   looked for (that is not unclear), and sent by itself
 *                                              | NO for the moment: a pause, and once more
 *                                              | lost, or OK without APPENDUID: its mailbox is listed anew
 *                                              v
 *                        each message that may be it is compared: one is the same: over
 *                        none is: sent again while somebody waits for it, else FAILED
 *
 * 1. A draft that may have arrived (unclear) is never sent again before it was looked for under a listing that
 *    began after the loss; a while after, as the server may still be storing it (LOOK_AFTER_MS). If it was not
 *    the line that ended but our patience (late), it is not sent again by itself at all.
 * 2. Whoever waits is told once, when it has arrived or cannot be sent, and in the latter case after it was
 *    saved. Nothing is sent for nobody.
 * 3. Before it is sent its place is saved as unclear, so that what is left of a killed mount is looked for.
 * 4. What is refused for the moment is sent again after a growing pause (retry.h), LIMIT excepted.
 * 5. The files' names are made and removed by the sender's thread only (but for draft_new), in the order in which
 *    that was asked for.
 */
#include "send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "naming.h"
#include "retry.h"
#include "send_internal.h"
#include "write.h"

#define ATTEMPTS 3
#define LOOK_AFTER_MS 1000

/* ---- how it ends ------------------------------------------------------------------------------------ */

static void go_back(struct draft *draft)
{
    struct mailbox *mailbox = draft->former_mailbox;
    char *name = draft->former_name;
    if (!mailbox)
        return;
    draft->former_mailbox = NULL;
    draft->former_name = NULL;
    draft_name_locked(draft, mailbox, name);
    free(name);
}

/* It was saved, if that was possible. */
static void failed(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    const struct imap_error err = draft->err;
    draft->state = draft_name_is_local(draft->name) ? DRAFT_LOCAL : DRAFT_FAILED;
    draft->attempts = 0;
    mailbox_touch_locked(draft->mailbox);
    pending_log_locked(account, LOG_WARNING, "cannot store %s in %s%s: %s", draft->name, draft->mailbox->wire,
                       draft->unclear ? " (or it is there, and that cannot be told)" : "", err.text);
    pending_finish_locked(account, &draft->waits, &err);
}

void send_fail_locked(struct draft *draft, const struct imap_error *err)
{
    draft->err = *err;
    draft->candidate = 0;
    draft->acknowledged = false;
    go_back(draft);
    send_step_locked(draft, SEND_FAIL);
}

void send_step_locked(struct draft *draft, enum send_step step)
{
    draft->step = step;
    draft->step_due = !sender_stopped_locked(draft->drafts->sender);
    if (draft->step_due) {
        sender_enqueue_locked(draft);
        return;
    }
    if (draft->acknowledged) {
        send_arrived_locked(draft, 0, 0);
        return;
    }
    if (step != SEND_FAIL) {
        imap_error_set(&draft->err, IMAP_CANCEL, "the file system is being unmounted");
        go_back(draft);
    }
    failed(draft); /* drafts_close saves it */
    draft_settle_locked(draft);
}

void send_over_locked(struct draft *draft, const struct imap_error *err)
{
    draft->state = DRAFT_LOCAL;
    pending_finish_locked(draft->drafts->account, &draft->waits, err);
    draft_settle_locked(draft);
}

/* What has had its name: it was to be replaced, or was hidden. */
static void discard_others(struct draft *draft)
{
    struct draft *other;
    while ((other = draft_find_locked(draft->mailbox, draft->name)))
        if (!draft_unname_locked(other))
            break;
}

void send_arrived_locked(struct draft *draft, uint32_t uidvalidity, uint32_t uid)
{
    struct mailbox *mailbox = draft->mailbox;
    struct account *account = mailbox->account;
    const bool replaces = draft->old_uid != 0;
    struct message message;
    const bool shown = draft->origin && mailbox_find_locked(mailbox, uid, &message);
    draft->unsent = draft->unclear = draft->late = draft->acknowledged = false;
    draft->promise = 0;
    draft->candidate = 0;
    draft->attempts = 0;
    draft->former_mailbox = NULL;
    free(draft->former_name);
    draft->former_name = NULL;
    draft_hide_locked(draft);
    discard_others(draft);
    draft->sent = true;
    draft->sent_uidvalidity = uidvalidity;
    draft->sent_uid = uid;
    if (uid)
        sender_check_locked(draft, uidvalidity, uid);
    sender_chore_locked(draft->drafts->sender, SENDER_FORGET, draft->number, -1);
    /* Where it was written stays its name; the kernel is told that this is another file now. */
    if (uid)
        (void)naming_set_locked(mailbox, uidvalidity, uid, draft->name);
    pending_name_locked(account, mailbox, draft->name);
    if (account->pool)
        imap_pool_mailbox_changed(account->pool, mailbox->wire);
    if (replaces)
        sendlook_replace_locked(draft); /* first: the listing that this begins counts */
    else
        send_over_locked(draft, NULL);
    if (!shown)
        write_unprove_locked(mailbox); /* so that whoever lists it now sees it */
}

void send_again_locked(struct draft *draft, const struct imap_error *why)
{
    const struct account *account = draft->drafts->account;
    if (draft->waits.first && draft->attempts < ATTEMPTS && !account->closing)
        send_step_locked(draft, SEND_APPEND);
    else
        send_fail_locked(draft, why);
}

/* ---- what comes of the commands ---------------------------------------------------------------------- */

static void lost(struct draft *draft, const struct imap_error *why)
{
    draft->unclear = true;
    draft->late = why->sys_errno == ETIMEDOUT;
    draft->err = *why;
    draft->lost_ms = model_now_ms();
    draft->not_before_ms = draft->lost_ms + LOOK_AFTER_MS;
    send_step_locked(draft, SEND_LOOK);
}

static bool appended_uid(const struct imap_text *text, uint32_t *uidvalidity_out, uint32_t *uid_out)
{
    if (!text || text->code != IMAP_CODE_APPENDUID || !text->to || text->to->count != 1 || !text->uidvalidity)
        return false;
    *uidvalidity_out = text->uidvalidity;
    *uid_out = text->to->ranges[0].first;
    return true;
}

/* LIMIT is not to be tried again (RFC 5530), and what a message exceeds is its size: so Dovecot says of
 * quota_max_mail_size. */
static void refused_by_server(struct draft *draft, const struct imap_result *result)
{
    struct imap_error err = *result->error;
    if (err.code == IMAP_CODE_LIMIT)
        err.code = IMAP_CODE_TOOBIG;
    if (result->bad && draft->mtime.tv_sec < 0) /* so Cyrus answers; Dovecot takes it */
        imap_error_sys(&err, EINVAL, "the server takes no date before 1970: %s", result->error->text);
    send_fail_locked(draft, &err);
}

/* LIMIT: see there. */
static bool sent_later(struct draft *draft, const struct imap_result *result)
{
    struct imap_error err = *result->error;
    err.status = result->status;
    if (!retry_is_of_use(&err, result->text != NULL) || err.code == IMAP_CODE_LIMIT || !draft->waits.first ||
        draft->refusals >= RETRY_MAX || draft->drafts->account->closing)
        return false;
    draft->attempts = 1; /* none of those that a lost line costs; but its place is saved */
    draft->not_before_ms = retry_at_ms(draft->refusals++);
    send_step_locked(draft, SEND_APPEND);
    return true;
}

/* RFC 3501 6.3.11, RFC 4315. */
void append_ended_locked(struct draft *draft, const struct imap_result *result)
{
    uint32_t uidvalidity = 0, uid = 0;
    draft->attempts++;
    if (result->status == IMAP_OK && appended_uid(result->text, &uidvalidity, &uid)) {
        send_arrived_locked(draft, uidvalidity, uid);
    } else if (result->status == IMAP_OK) {
        draft->acknowledged = true;
        send_step_locked(draft, SEND_LOOK);
    } else if (sent_later(draft, result)) {
        return;
    } else if (result->text || result->status == IMAP_USAGE || result->status == IMAP_SYS ||
               result->status == IMAP_AUTH) {
        refused_by_server(draft, result);
    } else if (result->status == IMAP_AGAIN) {
        send_again_locked(draft, result->error);
    } else if (result->status == IMAP_CANCEL) {
        draft->unclear = true; /* it may have been sent, and nobody listens to the answer any more */
        send_fail_locked(draft, result->error);
    } else {
        lost(draft, result->error);
    }
}

void send_apart_locked(struct draft *draft, bool maybe)
{
    draft->attempts = 1; /* its place is saved; and for an answer of its own it has not been tried */
    draft->alone = true;
    draft->not_before_ms = 0;
    send_step_locked(draft, maybe ? SEND_LOOK : SEND_APPEND);
}

void compare_ended_locked(struct draft *draft, const struct imap_result *result, bool same)
{
    if (result->status == IMAP_OK && same && !sendlook_is_anothers_locked(draft, draft->candidate))
        send_arrived_locked(draft, draft->mailbox->uidvalidity, draft->candidate);
    else if (result->status == IMAP_OK || result->status == IMAP_GONE)
        sendlook_on_locked(draft);
    else if (draft->acknowledged)
        send_arrived_locked(draft, 0, 0);
    else if (++draft->attempts < ATTEMPTS && draft->waits.first)
        send_step_locked(draft, SEND_LOOK);
    else
        send_fail_locked(draft, result->error);
}

/* ---- steps -------------------------------------------------------------------------------------------- */

/* What an earlier mount has left is not known by its size on the server. */
static void measure(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    if (draft->wire_size)
        return;
    account_unlock(account);
    const uint64_t size = sendcmd_measure(draft);
    account_lock(account);
    draft->wire_size = size;
}

void send_take_step_locked(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    struct imap_error err = {0};
    enum imap_status status;
    draft->step_due = false;
    if (draft->step == SEND_APPEND && !draft->waits.first) {
        imap_error_set(&err, IMAP_CANCEL, "nobody waits for it any more");
        send_fail_locked(draft, &err);
        return;
    }
    if (draft->step == SEND_LOOK || (draft->step == SEND_APPEND && draft->unclear)) {
        measure(draft);
        sendlook_begin_locked(draft);
        return;
    }
    if (draft->step == SEND_FAIL) {
        failed(draft);
        return;
    }
    if (draft->step == SEND_APPEND) {
        sendbatch_append_locked(draft);
        return;
    }
    account_unlock(account);
    status = sendcmd_compare(draft, &err);
    account_lock(account);
    if (status)
        send_fail_locked(draft, &err);
}

/* ---- what is asked for ------------------------------------------------------------------------------- */

static bool refuse(struct draft *draft, struct wait *wait, int error, const char *why)
{
    struct imap_error err = {0};
    imap_error_sys(&err, error, "%s: %s", draft->name, why);
    pending_refuse_locked(draft->drafts->account, wait, &err);
    return false;
}

static bool has_to_be_sent(const struct draft *draft, const char *name)
{
    return draft->unsent && draft->size && !draft_name_is_local(name);
}

/* True when it can't be sent now, and wait is told. */
static bool refused(struct draft *draft, struct wait *wait)
{
    if (sender_stopped_locked(draft->drafts->sender))
        return !refuse(draft, wait, ENOTCONN, "the file system is being unmounted");
    if (draft->writing)
        return !refuse(draft, wait, EBUSY, "somebody writes to it");
    if (draft->spoilt)
        return !refuse(draft, wait, EIO, "it was not written as a whole, and is not sent");
    return false;
}

bool draft_send_locked(struct draft *draft, struct wait *wait)
{
    if (!draft->named || !has_to_be_sent(draft, draft->name))
        return true;
    if (refused(draft, wait))
        return false;
    wait_queue_add(&draft->waits, wait);
    if (draft->state == DRAFT_SENDING)
        return false;
    if (!draft->unclear) {
        draft->uidvalidity = draft->mailbox->uidvalidity;
        draft->uidnext = draft->mailbox->uidnext;
    }
    draft->state = DRAFT_SENDING;
    draft->late = draft->alone = false;
    draft->attempts = draft->refusals = 0;
    draft->not_before_ms = 0;
    draft->lost_ms = model_now_ms(); /* by an earlier attempt, if it is unclear */
    if (draftcopy_is_hollow_locked(draft))
        draftcopy_send_locked(draft);
    else
        send_step_locked(draft, SEND_APPEND);
    return false;
}

/* What can be told without having counted what it is on the wire, which is no less. */
static bool is_too_big(const struct draft *draft)
{
    return draft->size > sendbatch_limit(draft->drafts->account);
}

bool draft_post_locked(struct draft *draft, uint64_t number, struct wait *wait)
{
    if (!draft->named || !has_to_be_sent(draft, draft->name))
        return true;
    if (refused(draft, wait))
        return false;
    if (is_too_big(draft))
        return refuse(draft, wait, EFBIG, "it is larger than the server takes");
    if (draft->state == DRAFT_SENDING)
        return true;
    if (draft->promise) /* on disk, unless it has another name since */
        return draft_save_locked(draft, false, wait);
    draft->promise = number;
    draft->state = DRAFT_LOCAL;
    draft->saved = false;
    return draft_save_locked(draft, false, wait);
}

void draft_release_locked(struct draft *draft)
{
    if (!draft->promise)
        return;
    draft->promise = 0;
    draft->saved = false;
    draft->to_save = true;
    if (!sender_stopped_locked(draft->drafts->sender))
        sender_enqueue_locked(draft);
}

bool draft_sends_locked(const struct draft *draft, const char *name)
{
    return has_to_be_sent(draft, name) && !draft->writers;
}

bool draft_rename_locked(struct draft *draft, struct mailbox *mailbox, const char *name, uint64_t promise,
                         struct wait *wait)
{
    const struct draft *there = draft_find_locked(mailbox, name);
    if (draft->state == DRAFT_SENDING || (there && there->state == DRAFT_SENDING))
        return refuse(draft, wait, EBUSY, "it is being sent");
    if (there == draft)
        return true;
    if (draftcopy_is_hollow_locked(draft))
        return refuse(draft, wait, EBUSY, "it is being copied");
    const bool sends = draft_sends_locked(draft, name);
    if (sends && refused(draft, wait))
        return false;
    if (sends && promise && is_too_big(draft))
        return refuse(draft, wait, EFBIG, "it is larger than the server takes");
    struct mailbox *former_mailbox = draft->mailbox;
    char *former_name = imap_xstrdup(draft->name);
    draft_name_locked(draft, mailbox, name);
    if (sends && !promise) {
        draft->former_mailbox = former_mailbox;
        draft->former_name = former_name;
        return draft_send_locked(draft, wait);
    }
    free(former_name);
    draft->state = DRAFT_LOCAL;
    draft_hide_locked(draft);
    discard_others(draft);
    draft_show_locked(draft);
    if (sends)
        return draft_post_locked(draft, promise, wait);
    return draft->writers || draft_save_locked(draft, false, wait);
}

bool draft_save_locked(struct draft *draft, bool sync, struct wait *wait)
{
    if (!draft->named || (draft->saved && !sync) || sender_stopped_locked(draft->drafts->sender))
        return true;
    wait_queue_add(&draft->save_waits, wait);
    draft->to_save = true;
    draft->to_sync |= sync;
    sender_enqueue_locked(draft);
    return false;
}
