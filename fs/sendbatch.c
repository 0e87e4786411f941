/* SPDX-License-Identifier: MIT */
/*
 * sendbatch: APPEND, of one draft or of several (MULTIAPPEND, RFC 3502).
 *
 * The server keeps all of them or none, and says one thing for all; each is told what it would have been told alone
 * (append_ended_locked). Where that cannot be known, because they were refused together, each is sent by itself.
 *
 * There are servers that keep what came before the one that they refuse (Stalwart does). So what was refused together
 * is looked for before it is sent again, and so is what was on a line that was lost once the first was out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "copyuid.h"
#include "send_internal.h"

/* One of those in a command. */
struct letter {
    struct draft *draft;
    struct sendbytes bytes;
    ssize_t trouble; /* why its bytes could not be had; the connection's thread's until the command ends */
    bool whole;      /* at the end: all of it was given */
};

struct batch {
    struct sender *sender;
    struct mailbox *mailbox;
    struct mailbox *together; /* NULL: what is queued does not wait for it */
    size_t count;
    struct letter letters[];
};

/* ---- what the server takes -------------------------------------------------------------------------- */

/* RFC 7889; UINT64_MAX when it does not say. */
static uint64_t append_limit(const struct imap_caps *caps)
{
    const char *value = imap_caps_value(caps, "APPENDLIMIT");
    char *end = NULL;
    if (!value || *value < '0' || *value > '9')
        return UINT64_MAX;
    errno = 0;
    const unsigned long long limit = strtoull(value, &end, 10);
    return errno || (*end && *end != ' ') ? UINT64_MAX : limit;
}

uint64_t sendbatch_limit(const struct account *account)
{
    struct imap_caps caps;
    return imap_pool_caps(account->pool, &caps) ? append_limit(&caps) : UINT64_MAX;
}

static enum imap_status check(const struct imap_caps *caps, const struct imap_upload_source *source,
                              struct imap_error *err)
{
    if (source->size > append_limit(caps)) {
        imap_error_set(err, IMAP_LIMIT, "it has %" PRIu64 " bytes, and the server takes %" PRIu64,
                       source->size, append_limit(caps));
        err->code = IMAP_CODE_TOOBIG;
        return IMAP_LIMIT;
    }
    if (source->has_nul && !imap_caps_has(caps, IMAP_CAP_BINARY))
        return imap_error_sys(err, EINVAL, "it holds NUL bytes, which this server does not take");
    return IMAP_OK;
}

/* ---- the answer -------------------------------------------------------------------------------------- */

static void end_with(const struct letter *letter, const struct imap_result *all, enum imap_status status)
{
    struct imap_error err = *all->error;
    const struct imap_result result = {.status = status, .error = &err};
    err.status = status;
    if (status == IMAP_UNSURE)
        err.sys_errno = 0; /* it was out in part only: if it was not kept by now it will not be */
    append_ended_locked(letter->draft, &result);
}

/* uid 0: not known. */
static void end_stored(const struct letter *letter, const struct imap_text *said, uint32_t uid)
{
    struct imap_error err = {0};
    struct imap_range range = {uid, uid};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    struct imap_text text = {.text = "", .code_args = ""};
    if (uid) {
        text.code = IMAP_CODE_APPENDUID;
        text.uidvalidity = said->uidvalidity;
        text.to = &set;
    }
    const struct imap_result result = {.status = IMAP_OK, .text = &text, .error = &err};
    append_ended_locked(letter->draft, &result);
}

/* RFC 4315 3: the set is in the order of the messages. */
static void all_stored(const struct batch *batch, const struct imap_text *text)
{
    uint32_t uids[SEND_TOGETHER_MAX];
    const bool told = text && text->code == IMAP_CODE_APPENDUID && text->uidvalidity &&
                      appenduid_read(text->code_args, uids, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        end_stored(&batch->letters[i], text, told ? uids[i] : 0);
}

/* The line had to be given up for the sake of one whose bytes could not be had: that one fails. */
static bool was_our_trouble(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->letters[i].trouble)
            return true;
    return false;
}

static void all_ended(const struct batch *batch, const struct imap_result *result)
{
    const bool refused = result->text || result->status == IMAP_USAGE;
    const bool unsent = result->status == IMAP_AGAIN || was_our_trouble(batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct letter *letter = &batch->letters[i];
        if (letter->trouble || (!refused && !unsent))
            append_ended_locked(letter->draft, result);
        else if (refused)
            send_apart_locked(letter->draft, result->text != NULL);
        else
            end_with(letter, result, batch->letters[0].whole ? IMAP_UNSURE : IMAP_AGAIN);
    }
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct batch *batch = arg;
    struct account *account = batch->mailbox->account;
    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        letter->whole = letter->bytes.source.sent == letter->bytes.source.size;
        sendbytes_close(&letter->bytes);
    }
    account_lock(account);
    sender_ended_locked(batch->sender, batch->together, (unsigned)batch->count);
    if (result->status == IMAP_OK)
        all_stored(batch, result->text);
    else if (batch->count == 1)
        append_ended_locked(batch->letters[0].draft, result);
    else
        all_ended(batch, result);
    account_unlock(account);
    free(batch);
}

/* ---- the command ------------------------------------------------------------------------------------- */

static ssize_t next_bytes(void *arg, void *buf, size_t size)
{
    struct letter *letter = arg;
    const ssize_t got = imap_upload_next(&letter->bytes.source, buf, size);
    if (got < 0)
        letter->trouble = got;
    return got;
}

static void add_message(struct imap_command *command, struct letter *letter)
{
    const struct draft *draft = letter->draft;
    const struct imap_date mtime = {.unix_seconds = draft->mtime.tv_sec};
    const struct imap_upload_source *source = &letter->bytes.source;
    const char *flags = draft_flags_locked(draft);
    char date[IMAP_DATE_TEXT_MAX], quoted[IMAP_DATE_TEXT_MAX + 2];
    if (*flags)
        imap_command_list(command, flags);
    imap_date_format(&mtime, date);
    snprintf(quoted, sizeof quoted, "\"%s\"", date);
    imap_command_raw(command, quoted);
    imap_command_source(command, source->size, source->has_nul, next_bytes, letter);
}

/* Takes the batch. */
static void submit_locked(struct batch *batch)
{
    static const struct imap_command_events events = {.done = on_done};
    const char *wire = batch->mailbox->wire;
    struct imap_command *command = imap_command_new("APPEND");
    imap_command_mailbox(command, wire, strlen(wire));
    for (size_t i = 0; i < batch->count; i++) {
        batch->letters[i].draft->wire_size = batch->letters[i].bytes.source.size;
        add_message(command, &batch->letters[i]);
    }
    imap_command_on(command, &events, batch);
    sender_begun_locked(batch->sender, batch->together, (unsigned)batch->count);
    pending_submit_locked(batch->mailbox->account, NULL, 0, 0, command);
}

/* ---- who goes along ---------------------------------------------------------------------------------- */

/* What can't be sent fails here, by itself. */
static void take_in(struct batch *batch, const struct imap_caps *caps, struct draft *draft)
{
    struct account *account = batch->mailbox->account;
    struct letter *letter = &batch->letters[batch->count];
    struct imap_error err = {0};
    account_unlock(account);
    *letter = (struct letter){.draft = draft};
    enum imap_status status = sendbytes_open(&letter->bytes, draft, &err);
    if (!status && (status = check(caps, &letter->bytes.source, &err)))
        sendbytes_close(&letter->bytes);
    account_lock(account);
    if (status)
        send_fail_locked(draft, &err);
    else
        batch->count++;
}

/* Those whose callers have gone while files were read. */
static void leave_out_unwanted(struct batch *batch)
{
    struct imap_error err = {0};
    size_t kept = 0;
    imap_error_set(&err, IMAP_CANCEL, "nobody waits for it any more");
    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        if (send_wanted_locked(letter->draft)) {
            batch->letters[kept++] = *letter;
            continue;
        }
        sendbytes_close(&letter->bytes);
        send_fail_locked(letter->draft, &err);
    }
    batch->count = kept;
}

static void gather(struct batch *batch, const struct imap_caps *caps, const struct draft *first,
                   struct draft **along, size_t *along_count)
{
    uint64_t bytes = first->size;
    while (batch->count < SEND_TOGETHER_MAX && *along_count < SEND_TOGETHER_MAX - 1 &&
           bytes < SEND_TOGETHER_BYTES) {
        struct draft *draft = sender_companion_locked(first, SEND_TOGETHER_BYTES - bytes);
        if (!draft)
            return;
        along[(*along_count)++] = draft;
        bytes += draft->size;
        take_in(batch, caps, draft);
    }
}

void sendbatch_append_locked(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    struct batch *batch = imap_xcalloc(1, sizeof *batch + SEND_TOGETHER_MAX * sizeof *batch->letters);
    struct draft *along[SEND_TOGETHER_MAX];
    struct imap_caps caps;
    size_t along_count = 0;
    batch->sender = draft->drafts->sender;
    batch->mailbox = draft->mailbox;
    if (!imap_pool_caps(account->pool, &caps))
        imap_caps_clear(&caps);
    if (!draft->alone && imap_caps_has(&caps, IMAP_CAP_MULTIAPPEND))
        batch->together = batch->mailbox;
    take_in(batch, &caps, draft);
    if (batch->together)
        gather(batch, &caps, draft, along, &along_count);
    leave_out_unwanted(batch);
    if (batch->count)
        submit_locked(imap_xreallocarray(batch, 1, sizeof *batch + batch->count * sizeof *batch->letters));
    else
        free(batch);
    for (size_t i = 0; i < along_count; i++)
        sender_release_locked(along[i]);
}
