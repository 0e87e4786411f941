/* SPDX-License-Identifier: MIT */
#include "treestatus.h"

#include <stdlib.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"

#define WORTH 4 /* one in so many mailboxes must want proof */
#define ITEMS                                                                                                \
    (IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_HIGHESTMODSEQ)

/* Of the one that is selected STATUS may be late (RFC 3501 6.3.10), and we hear of it anyway. */
static bool provable(const struct mailbox *mailbox)
{
    return mailbox->known && !mailbox->gone && !mailbox->sync && mailbox->modseq && mailbox->uidnext &&
           mailbox->account->watch.selected != mailbox;
}

bool tree_status_wanted_locked(const struct account *account)
{
    const int64_t now = model_now_ms();
    size_t selectable = 0, stale = 0;
    if (!account->poll_ms || account->tree.status_refused || !account_offers(account, IMAP_CAP_LIST_STATUS) ||
        !account_offers(account, IMAP_CAP_CONDSTORE))
        return false;
    for (const struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        selectable += mailbox_selectable_locked(mailbox);
        stale +=
            provable(mailbox) && !cover_calm_locked(mailbox) && now - mailbox->proven_ms >= account->poll_ms;
    }
    return stale && stale * WORTH >= selectable;
}

void tree_statuses_add(struct tree_statuses *statuses, const struct imap_mailbox_status *status)
{
    if ((status->has & ITEMS) != ITEMS || statuses->count == TREE_MAX_MAILBOXES)
        return;
    if (statuses->count == statuses->capacity) {
        statuses->capacity = statuses->capacity ? 2 * statuses->capacity : 64;
        statuses->items = imap_xreallocarray(statuses->items, statuses->capacity, sizeof *statuses->items);
    }
    statuses->items[statuses->count++] =
        (struct tree_status){.name = imap_xstrndup(status->name, status->name_len),
                             .len = status->name_len,
                             .messages = status->messages,
                             .uidnext = status->uidnext,
                             .uidvalidity = status->uidvalidity,
                             .modseq = status->highestmodseq};
}

static bool unchanged(const struct mailbox *mailbox, const struct tree_status *status)
{
    return status->uidvalidity == mailbox->uidvalidity && status->uidnext == mailbox->uidnext &&
           status->messages == mailbox->columns.count && status->modseq == mailbox->modseq;
}

void tree_statuses_apply_locked(struct account *account, const struct tree_statuses *statuses,
                                int64_t asked_ms)
{
    for (size_t i = 0; i < statuses->count; i++) {
        const struct tree_status *status = &statuses->items[i];
        struct mailbox *mailbox = tree_find_locked(account, status->name, status->len);
        if (!mailbox || !provable(mailbox) || mailbox->proven_ms >= asked_ms)
            continue;
        mailbox->proven_ms = unchanged(mailbox, status) ? asked_ms : 0;
    }
}

void tree_statuses_fini(struct tree_statuses *statuses)
{
    for (size_t i = 0; i < statuses->count; i++)
        free(statuses->items[i].name);
    free(statuses->items);
    *statuses = (struct tree_statuses){0};
}
