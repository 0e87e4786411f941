/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. A draft is in drafts->all until it has no name, is not held and is not being sent; then its files go.
 * 2. While it is being sent neither its bytes nor its name change: both are refused, and sending does not begin while
 *    somebody writes (writing).
 * 3. What has a name has its bytes in the directory, under its number. Where it was written is saved before it is
 *    sent, when it was closed under a local name, and when it cannot be sent, before anybody is told so.
 */
#include "draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "mailbox_internal.h"
#include "maildir.h"
#include "name.h"
#include "write_internal.h"

/* ---- names ------------------------------------------------------------------------------------------ */

bool draft_name_is_local(const char *name)
{
    return maildir_is_local(name);
}

enum imap_status draft_check_name(const char *name, struct imap_error *err)
{
    const size_t len = strlen(name);
    if (len > DRAFT_NAME_MAX)
        return imap_error_sys(err, ENAMETOOLONG, "the name %s", name);
    if (draft_name_is_local(name) || name_is_writable(name) || strchr(name, '/'))
        return IMAP_OK;
    return imap_error_sys(err, EINVAL, "%s is not a name that a message can be given: it ends in .eml", name);
}

static struct draft **bucket_of(struct drafts *drafts, const struct mailbox *mailbox, const char *name)
{
    return &drafts->by_name[mailbox_name_hash(mailbox, name) % DRAFT_BUCKETS];
}

void draft_show_locked(struct draft *draft)
{
    struct draft **bucket = bucket_of(draft->drafts, draft->mailbox, draft->name);
    draft->name_next = *bucket;
    *bucket = draft;
    draft->named = true;
    draft->saved = false;
    mailbox_touch_locked(draft->mailbox);
}

void draft_hide_locked(struct draft *draft)
{
    if (!draft->named)
        return;
    struct draft **link = bucket_of(draft->drafts, draft->mailbox, draft->name);
    while (*link != draft)
        link = &(*link)->name_next;
    *link = draft->name_next;
    draft->name_next = NULL;
    draft->named = false;
    draft->saved = false;
    mailbox_touch_locked(draft->mailbox);
}

void draft_name_locked(struct draft *draft, struct mailbox *mailbox, const char *name)
{
    char *copy = imap_xstrdup(name); /* it may be draft->name */
    draft_hide_locked(draft);
    free(draft->name);
    draft->name = copy;
    draft->mailbox = mailbox;
    draft->sent = false;
    maildir_flag_draft_locked(draft);
    draft_show_locked(draft);
}

bool draft_unname_locked(struct draft *draft)
{
    if (draft->state == DRAFT_SENDING)
        return false;
    draft_unpromise_locked(draft);
    draft_hide_locked(draft);
    draft->sent = false;
    draft_settle_locked(draft);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------------- */

/* Where that number is, or would be. */
static size_t position(const struct drafts *drafts, uint32_t number)
{
    size_t low = 0, high = drafts->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (drafts->all[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct draft *draft_add_locked(struct drafts *drafts, uint32_t number)
{
    struct draft *draft = imap_xcalloc(1, sizeof *draft);
    draft->drafts = drafts;
    draft->number = number;
    draft->fd = -1;
    wait_queue_init(&draft->waits);
    wait_queue_init(&draft->save_waits);
    if (drafts->count == drafts->capacity) {
        drafts->capacity = drafts->capacity ? 2 * drafts->capacity : 16;
        drafts->all = imap_xreallocarray(drafts->all, drafts->capacity, sizeof(struct draft *));
    }
    const size_t at = position(drafts, number);
    memmove(drafts->all + at + 1, drafts->all + at, (drafts->count - at) * sizeof(struct draft *));
    drafts->all[at] = draft;
    drafts->count++;
    if (number > drafts->last_number)
        drafts->last_number = number;
    return draft;
}

void draft_free(struct draft *draft)
{
    draftcopy_drop_locked(draft);
    free(draft->name);
    free(draft->former_name);
    free(draft);
}

static void destroy(struct draft *draft)
{
    struct drafts *drafts = draft->drafts;
    const size_t at = position(drafts, draft->number);
    drafts->count--;
    memmove(drafts->all + at, drafts->all + at + 1, (drafts->count - at) * sizeof(struct draft *));
    sender_chore_locked(drafts->sender, SENDER_REMOVE, draft->number, -1);
    draft_free(draft);
}

void draft_settle_locked(struct draft *draft)
{
    if (draft->holds || draft->state == DRAFT_SENDING || draft->queued || draft->served)
        return;
    if (draft->fd >= 0) {
        sender_chore_locked(draft->drafts->sender, SENDER_CLOSE, draft->number, draft->fd);
        draft->fd = -1;
    }
    if (!draft->named)
        destroy(draft);
}

enum imap_status draft_new(struct account *account, struct draft **draft_out, struct imap_error *err)
{
    struct drafts *drafts = account->drafts;
    account_lock(account);
    if (drafts->count >= DRAFTS_MAX || drafts->last_number == UINT32_MAX) {
        account_unlock(account);
        return imap_error_sys(err, ENOSPC, "there are %zu files that were not sent", drafts->count);
    }
    struct draft *draft = draft_add_locked(drafts, drafts->last_number + 1);
    draft->holds = 1; /* before anybody can find it */
    clock_gettime(CLOCK_REALTIME, &draft->mtime);
    account_unlock(account);
    const int fd = draftfile_open(drafts, draft->number, true);
    const int open_errno = errno;
    account_lock(account);
    draft->fd = fd;
    if (fd < 0)
        draft_close_locked(draft);
    account_unlock(account);
    if (fd < 0)
        return imap_error_sys(err, open_errno, "cannot make a file in %s", drafts->dir);
    *draft_out = draft;
    return IMAP_OK;
}

void draft_hold_locked(struct draft *draft)
{
    draft->holds++;
}

void draft_close_locked(struct draft *draft)
{
    if (!--draft->holds)
        sender_left_locked(draft);
    draft_settle_locked(draft);
}

/* ---- finding ---------------------------------------------------------------------------------------- */

struct draft *draft_find_locked(const struct mailbox *mailbox, const char *name)
{
    struct drafts *drafts = mailbox->account->drafts;
    return drafts ? draft_find_in_locked(drafts, mailbox, name) : NULL;
}

struct draft *draft_find_in_locked(struct drafts *drafts, const struct mailbox *mailbox, const char *name)
{
    struct draft *draft = *bucket_of(drafts, mailbox, name);
    while (draft && (draft->mailbox != mailbox || strcmp(draft->name, name) != 0))
        draft = draft->name_next;
    return draft;
}

struct draft *draft_by_number_locked(const struct account *account, uint32_t number)
{
    const struct drafts *drafts = account->drafts;
    const size_t at = drafts ? position(drafts, number) : 0;
    return drafts && at < drafts->count && drafts->all[at]->number == number ? drafts->all[at] : NULL;
}

struct draft *draft_next_locked(const struct mailbox *mailbox, uint32_t after)
{
    const struct drafts *drafts = mailbox->account->drafts;
    if (!drafts || after == UINT32_MAX)
        return NULL;
    for (size_t at = position(drafts, after + 1); at < drafts->count; at++)
        if (drafts->all[at]->named && drafts->all[at]->mailbox == mailbox &&
            draft_find_locked(mailbox, drafts->all[at]->name) == drafts->all[at])
            return drafts->all[at]; /* and not hidden by one that is to replace it */
    return NULL;
}

struct draft *draft_next_of_all_locked(const struct account *account, uint32_t after)
{
    const struct drafts *drafts = account->drafts;
    if (!drafts || after == UINT32_MAX)
        return NULL;
    for (size_t at = position(drafts, after + 1); at < drafts->count; at++) {
        struct draft *draft = drafts->all[at];
        if (draft->named && draft_find_locked(draft->mailbox, draft->name) == draft)
            return draft;
    }
    return NULL;
}

/* ---- what it is ------------------------------------------------------------------------------------- */

struct account *draft_account(const struct draft *draft)
{
    return draft->drafts->account;
}

unsigned draft_holds_locked(const struct draft *draft)
{
    return draft->holds;
}

void draft_promised_locked(struct draft *draft, uint64_t number)
{
    draft->promise = number;
}

/* What was promised of a hollow one is an intent. */
void draft_unpromise_locked(struct draft *draft)
{
    if (draft->promise && draftcopy_is_hollow_locked(draft))
        stored_unintent_locked(draft->drafts->account, draft->promise);
    draft->promise = 0;
}

uint64_t draft_promise_locked(const struct draft *draft)
{
    return draft->named ? draft->promise : 0;
}

uint32_t draft_number_locked(const struct draft *draft)
{
    return draft->number;
}

enum draft_state draft_state_locked(const struct draft *draft)
{
    return draft->state;
}

bool draft_is_open_locked(const struct draft *draft)
{
    return draft->holds != 0;
}

const struct imap_error *draft_error_locked(const struct draft *draft)
{
    return &draft->err;
}

struct mailbox *draft_mailbox_locked(const struct draft *draft)
{
    return draft->named ? draft->mailbox : NULL;
}

const char *draft_file_name_locked(const struct draft *draft)
{
    return draft->name ? draft->name : "";
}

uint64_t draft_size_locked(const struct draft *draft)
{
    return draft->size;
}

struct timespec draft_mtime_locked(const struct draft *draft)
{
    return draft->mtime;
}

void draft_set_mtime_locked(struct draft *draft, struct timespec mtime)
{
    draft->mtime = mtime;
    draft->saved = false;
}

const char *draft_flags_locked(const struct draft *draft)
{
    return flagset_text(&draft->drafts->account->flagsets, draft->flagset);
}

/* text without the words of `without`. */
static void take_out(const char *text, const char *without, char out[FLAGSET_TEXT_MAX])
{
    size_t used = 0;
    while (*text) {
        const size_t len = strcspn(text, " ");
        char word[FLAGSET_TEXT_MAX];
        snprintf(word, sizeof word, "%.*s", (int)len, text);
        if (!write_flags_hold(word, without, true))
            used += (size_t)snprintf(out + used, FLAGSET_TEXT_MAX - used, "%s%s", used ? " " : "", word);
        text += len + (text[len] == ' ');
    }
    out[used] = '\0';
}

void draft_set_flags_locked(struct draft *draft, enum write_how how, const struct imap_flags *flags)
{
    struct flagsets *sets = &draft->drafts->account->flagsets;
    const uint32_t named = flagset_intern(sets, flags);
    char text[2 * FLAGSET_TEXT_MAX];
    draft->flags_copied = false;
    if (how == WRITE_ADD) {
        snprintf(text, sizeof text, "%s %s", draft_flags_locked(draft), flagset_text(sets, named));
        draft->flagset = flagset_intern_text(sets, text);
    } else if (how == WRITE_REMOVE) {
        take_out(draft_flags_locked(draft), flagset_text(sets, named), text);
        draft->flagset = flagset_intern_text(sets, text);
    } else {
        draft->flagset = named;
    }
    draft->saved = false;
}

void draft_place_locked(const struct draft *draft, struct draft_place *place_out)
{
    *place_out = (struct draft_place){.number = draft->number,
                                      .mailbox = draft->mailbox->wire,
                                      .name = imap_xstrdup(draft->name),
                                      .flags = draft_flags_locked(draft),
                                      .size = draft->size,
                                      .mtime = draft->mtime,
                                      .unclear = draft->unclear,
                                      .promise = draft->promise,
                                      .uidvalidity = draft->uidvalidity,
                                      .uidnext = draft->uidnext};
}
