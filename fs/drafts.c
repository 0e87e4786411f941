/* SPDX-License-Identifier: MIT */
/* The drafts of an account, from mount to mount. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "flagtext.h"
#include "mailbox_internal.h"
#include "maildir.h"
#include "send_internal.h"

#define ID_KEY "\001drafts" /* no mailbox is called that */

uint32_t drafts_id(const struct account *account)
{
    return account->drafts ? account->drafts->id : 0;
}

/* ---- taking up -------------------------------------------------------------------------------------- */

static void take_flags(struct draft *draft, const char *text)
{
    struct flagtext flagtext;
    if (flagtext_parse(text, strlen(text), &flagtext) == 0)
        draft_set_flags_locked(draft, WRITE_SET, &flagtext.flags);
    flagtext_fini(&flagtext);
}

static void take_up(struct drafts *drafts, struct mailbox *mailbox, const struct draft_place *place)
{
    struct draft *draft = draft_add_locked(drafts, place->number);
    char name[NAME_SIZE];
    draft->size = place->size;
    draft->mtime = place->mtime;
    draft->unclear = place->unclear;
    draft->promise = place->promise;
    draft->uidvalidity = place->uidvalidity;
    draft->uidnext = place->uidnext;
    draft->unsent = true;
    take_flags(draft, place->flags);
    maildir_draft_name_locked(draft, mailbox, place->name, name);
    draft_name_locked(draft, mailbox, name);
    draft->saved = strcmp(name, place->name) == 0;
    if (draft_name_is_local(name) || draft->promise)
        return;
    draft->state = DRAFT_FAILED;
    imap_error_set(&draft->err, IMAP_AGAIN, "an earlier mount could not send it");
    pending_log_locked(drafts->account, LOG_NOTICE,
                       "%s in %s was written in an earlier mount and is not sent yet", name, mailbox->wire);
}

static void on_place(void *arg, const struct draft_place *place)
{
    struct drafts *drafts = arg;
    struct account *account = drafts->account;
    account_lock(account);
    if (!place->name) {
        pending_log_locked(account, LOG_WARNING,
                           "%s/%u was not sent, and where it was written cannot be told", drafts->dir,
                           place->number);
        account_unlock(account);
        return;
    }
    struct mailbox *mailbox = tree_find_locked(account, place->mailbox, strlen(place->mailbox));
    if (drafts->count >= DRAFTS_MAX)
        mailbox = NULL;
    if (mailbox && !mailbox->gone)
        take_up(drafts, mailbox, place);
    else
        pending_log_locked(account, LOG_WARNING,
                           "%s, written to %s and not sent, stays in %s/%u: there is no place to show it",
                           place->name, place->mailbox, drafts->dir, place->number);
    account_unlock(account);
}

enum imap_status drafts_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint,
                             struct imap_error *err)
{
    struct drafts *drafts = imap_xcalloc(1, sizeof *drafts);
    drafts->account = account;
    drafts->dir_fd = -1;
    const enum imap_status status = draftfile_dir(drafts, dir, endpoint, err);
    if (status) {
        free(drafts->dir);
        free(drafts);
        return status;
    }
    account_lock(account);
    drafts->id = ids_take(&account->ids, ids_key(ID_KEY, strlen(ID_KEY), 0), NULL);
    account_unlock(account);
    draftfile_each(drafts, on_place, drafts);
    drafts->sender = sender_new(drafts);
    account_lock(account);
    account->drafts = drafts;
    if (!account->outage.status)
        sender_resume_locked(drafts->sender);
    account_unlock(account);
    return IMAP_OK;
}

void drafts_follow_locked(const struct mailbox *from, struct mailbox *to)
{
    struct drafts *drafts = from->account->drafts;
    for (size_t i = 0; drafts && i < drafts->count; i++) {
        struct draft *draft = drafts->all[i];
        if (!draft->named || draft->mailbox != from || draft->state == DRAFT_SENDING)
            continue;
        draft_name_locked(draft, to, draft->name);
        draft->to_save = true;
        if (!sender_stopped_locked(drafts->sender))
            sender_enqueue_locked(draft);
    }
}

static int by_promise(const void *one, const void *other)
{
    const struct draft *a = *(struct draft *const *)one, *b = *(struct draft *const *)other;
    return (a->promise > b->promise) - (a->promise < b->promise);
}

size_t drafts_promised_locked(const struct account *account, struct draft ***drafts_out)
{
    const struct drafts *drafts = account->drafts;
    const size_t all = drafts ? drafts->count : 0;
    struct draft **promised = imap_xreallocarray(NULL, all + 1, sizeof(struct draft *));
    size_t count = 0;
    for (size_t i = 0; i < all; i++)
        if (draft_promise_locked(drafts->all[i]))
            promised[count++] = drafts->all[i];
    qsort(promised, count, sizeof(struct draft *), by_promise);
    *drafts_out = promised;
    return count;
}

void drafts_resume_locked(struct drafts *drafts)
{
    sender_resume_locked(drafts->sender);
}

/* ---- closing ---------------------------------------------------------------------------------------- */

void drafts_stop(struct drafts *drafts)
{
    sender_stop(drafts->sender);
}

static void leave(const struct draft *draft)
{
    const struct drafts *drafts = draft->drafts;
    struct draft_place place;
    draft_place_locked(draft, &place);
    const int error = draft->saved ? 0 : draftplace_write(drafts->dir_fd, &place, true);
    free(place.name);
    if (error)
        pending_log_locked(drafts->account, LOG_ERR,
                           "%s in %s was not sent, and cannot be saved (%s): its bytes are in %s/%u",
                           draft->name, draft->mailbox->wire, strerror(error), drafts->dir, draft->number);
    else if (!draft_name_is_local(draft->name) && !draft->promise)
        pending_log_locked(drafts->account, LOG_WARNING,
                           "%s in %s was not sent; the next mount will show it there", draft->name,
                           draft->mailbox->wire);
}

/* The lock is held only for form's sake: nobody else is left. */
void drafts_close(struct drafts **drafts_in)
{
    struct drafts *drafts = *drafts_in;
    *drafts_in = NULL;
    if (!drafts)
        return;
    sender_free(&drafts->sender);
    account_lock(drafts->account);
    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = drafts->all[i];
        if (draft->named && draft->unsent && !draftcopy_is_hollow_locked(draft))
            leave(draft);
        else
            draftfile_remove(drafts, draft->number);
        if (draft->fd >= 0)
            close(draft->fd);
        draft_free(draft);
    }
    account_unlock(drafts->account);
    free(drafts->all);
    close(drafts->dir_fd);
    free(drafts->dir);
    free(drafts);
}
