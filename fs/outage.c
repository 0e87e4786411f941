/* SPDX-License-Identifier: MIT */
#include "outage.h"

#include <errno.h>
#include <syslog.h>

#include "mailbox_internal.h"
#include "sync.h"

bool outage_is(const struct imap_error *why)
{
    static const int errnos[] = {ECONNABORTED,  ECONNREFUSED, ECONNRESET,  EHOSTDOWN,
                                 EHOSTUNREACH,  ENETDOWN,     ENETUNREACH, ENONET,
                                 EADDRNOTAVAIL, EPERM,        EPIPE,       ETIMEDOUT};
    if (why->status != IMAP_SYS)
        return why->status == IMAP_AGAIN;
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
        if (why->sys_errno == errnos[i])
            return true;
    return false;
}

/* To those who read files every reason is the same: EHOSTUNREACH. */
void outage_begin_locked(struct account *account, const struct imap_error *why)
{
    imap_error_set(&account->outage, IMAP_AGAIN, "%s", why->text);
}

void outage_refuse_locked(struct account *account, struct wait_queue *waits)
{
    imap_pool_hurry(account->pool);
    pending_finish_locked(account, waits, &account->outage);
}

void outage_reachable(void *arg, const struct imap_error *error)
{
    struct account *account = arg;
    account_lock(account);
    const bool was_out = account_is_out_locked(account);
    if (error) {
        outage_begin_locked(account, error);
        pending_log_locked(account, LOG_WARNING, "the server cannot be reached: %s", error->text);
        writeback_outage_locked(account);
    } else if (was_out) {
        account->outage = (struct imap_error){0};
        pending_log_locked(account, LOG_NOTICE, "the server is reachable again");
        if (model_now_ms() - account->tree.listed_ms > account->poll_ms)
            tree_list_locked(account);
        watch_resume_locked(account);
        if (account->drafts)
            drafts_resume_locked(account->drafts);
        writeback_resume_locked(account);
    }
    account_unlock(account);
}

void account_reachability(struct account *account, struct imap_error *err_out)
{
    account_lock(account);
    *err_out = account->outage;
    account_unlock(account);
}

/* ---- doubt ------------------------------------------------------------------------------------------ */

/* What is watched is looked at now, everything else when it is wanted. */
static void doubt(struct mailbox *mailbox)
{
    struct watch *watch = &mailbox->account->watch;
    const bool selected = watch->selected == mailbox;
    mailbox->proven_ms = 0;
    mailbox->cover.calm = false;
    if (mailbox->sync) {
        mailbox->cover.stirred = true;
    } else if ((selected || mailbox->cover.by) && mailbox->known && !mailbox->gone) {
        if (selected)
            watch->exact = false; /* the server is asked for all that has changed, not only for news */
        sync_begin_locked(mailbox);
    }
}

void account_revalidate(struct account *account)
{
    imap_pool_revalidate(account->pool);
    account_lock(account);
    account->tree.listed_ms = 0;
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
        doubt(mailbox);
    if (!account_is_out_locked(account))
        tree_list_locked(account);
    account_unlock(account);
}
