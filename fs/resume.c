/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "sync.h"

#define SURPLUS 65536

void resume_drop(struct resume *resume)
{
    free(resume->rows);
    free(resume->gone);
    *resume = (struct resume){0};
}

static bool resumable(const struct mailbox *mailbox)
{
    return mailbox && mailbox->known && mailbox->uidvalidity && mailbox->modseq && mailbox->columns.count &&
           !(mailbox->sync && mailbox->sync->plain);
}

bool resume_since(void *arg, const char *mailbox_name, struct imap_pool_since *since_out)
{
    struct account *account = arg;
    struct resume *resume = &account->watch.resume;
    account_lock(account);
    struct mailbox *mailbox = tree_find_locked(account, mailbox_name, strlen(mailbox_name));
    resume_drop(resume);
    if (resumable(mailbox)) {
        const struct columns *columns = &mailbox->columns;
        resume->mailbox = mailbox;
        resume->uidvalidity = mailbox->uidvalidity;
        resume->modseq = mailbox->modseq;
        resume->cap = 2 * columns->count + SURPLUS;
        *since_out = (struct imap_pool_since){.uidvalidity = mailbox->uidvalidity,
                                              .modseq = mailbox->modseq,
                                              .last_uid = columns->uid[columns->count - 1]};
    }
    account_unlock(account);
    return resume->mailbox != NULL;
}

static void add_row(struct resume *resume, const struct row *row)
{
    resume->broken |= !row->uid || resume->row_count == resume->cap;
    if (resume->broken)
        return;
    if (resume->row_count == resume->row_capacity) {
        resume->row_capacity = resume->row_capacity ? 2 * resume->row_capacity : 64;
        resume->rows = imap_xreallocarray(resume->rows, resume->row_capacity, sizeof *resume->rows);
    }
    resume->rows[resume->row_count++] = *row;
}

/* The set may name all that ever was: only what is known takes room. */
static void add_gone(struct account *account, struct resume *resume, const struct imap_seqset *uids)
{
    uint32_t *gone = NULL;
    account_lock(account);
    const size_t count = columns_in_set(&resume->mailbox->columns, uids, &gone);
    account_unlock(account);
    resume->broken |= count > resume->cap - resume->gone_count;
    if (count && !resume->broken) {
        if (resume->gone_count + count > resume->gone_capacity) {
            resume->gone_capacity = 2 * resume->gone_capacity + count;
            resume->gone = imap_xreallocarray(resume->gone, resume->gone_capacity, sizeof *resume->gone);
        }
        memcpy(resume->gone + resume->gone_count, gone, count * sizeof *gone);
        resume->gone_count += count;
    }
    free(gone);
}

void resume_changed(void *arg, const char *mailbox_name, const struct imap_response *response)
{
    struct account *account = arg;
    struct resume *resume = &account->watch.resume;
    struct row row;
    (void)mailbox_name;
    if (!resume->mailbox || resume->broken)
        return;
    if (response->type == IMAP_RESP_VANISHED) {
        add_gone(account, resume, response->vanished.uids);
    } else if (response->type == IMAP_RESP_FETCH) {
        sync_row_of(account, &response->fetch, &row);
        add_row(resume, &row);
    }
}

/* HIGHESTMODSEQ never falls (RFC 7162 3.1.2.1); where it does, or is not told, the server has lost count. */
bool resume_fits_locked(const struct resume *resume, const struct mailbox *mailbox)
{
    return resume->mailbox == mailbox && !resume->broken && mailbox->known &&
           resume->uidvalidity == mailbox->uidvalidity && resume->modseq == mailbox->modseq &&
           mailbox->account->watch.modseq >= resume->modseq;
}
