/* SPDX-License-Identifier: MIT */
/* The bytes of a draft: file operations, without the account lock. */
#include <errno.h>
#include <unistd.h>

#include "draft_internal.h"
#include "mailbox_internal.h"

int draft_open(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    account_lock(account);
    const bool is_open = draft->fd >= 0;
    account_unlock(account);
    if (is_open)
        return 0;
    int fd = draftfile_open(draft->drafts, draft->number, false);
    const int error = fd < 0 ? errno : 0;
    account_lock(account);
    if (draft->fd < 0) {
        draft->fd = fd;
        fd = -1;
    }
    account_unlock(account);
    if (fd >= 0)
        close(fd); /* somebody else was faster */
    return error;
}

ssize_t draft_read(struct draft *draft, void *buf, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t n = pread(draft->fd, (char *)buf + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

/* What was sent becomes a draft of the same name once more, if nobody else has that now. */
static bool may_write(const struct draft *draft)
{
    if (draft->state == DRAFT_SENDING)
        return false;
    return !draft->sent || (draft->sent_uid && !draft_find_locked(draft->mailbox, draft->name));
}

static bool begin_writing(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    account_lock(account);
    const bool may = may_write(draft);
    draft->writing += may;
    account_unlock(account);
    return may;
}

static void take_back(struct draft *draft)
{
    draft->sent = false;
    draft->old_uidvalidity = draft->sent_uidvalidity;
    draft->old_uid = draft->sent_uid;
    draft_show_locked(draft);
}

static void written(struct draft *draft, uint64_t size)
{
    draft->size = size;
    draft->unsent = true;
    draft->saved = false;
    draft->state = DRAFT_LOCAL;
    draft_unpromise_locked(draft);        /* closing it makes a new promise */
    draft->unclear = draft->late = false; /* whatever has arrived was something else */
    draft->wire_size = 0;
    if (draft->flags_copied)
        draft->flagset = 0; /* it is another message now */
    draft->flags_copied = false;
    clock_gettime(CLOCK_REALTIME, &draft->mtime);
    if (draft->sent)
        take_back(draft);
}

ssize_t draft_write(struct draft *draft, const void *data, size_t size, uint64_t offset)
{
    struct account *account = draft->drafts->account;
    size_t done = 0;
    int error = 0;
    if (!begin_writing(draft))
        return -EBUSY;
    while (done < size && !error) {
        const ssize_t n = pwrite(draft->fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            error = n < 0 ? errno : EIO;
    }
    account_lock(account);
    draft->writing--;
    if (done)
        written(draft, offset + done > draft->size ? offset + done : draft->size);
    draft->spoilt |= error != 0;
    account_unlock(account);
    return done > 0 ? (ssize_t)done : -error;
}

int draft_truncate(struct draft *draft, uint64_t size)
{
    struct account *account = draft->drafts->account;
    int error = 0;
    if (!begin_writing(draft))
        return EBUSY;
    while (ftruncate(draft->fd, (off_t)size) != 0 && (error = errno) == EINTR)
        error = 0;
    account_lock(account);
    draft->writing--;
    if (!error)
        written(draft, size);
    if (!error && !size)
        draft->spoilt = false;
    account_unlock(account);
    return error;
}

void draft_writer_locked(struct draft *draft, int more)
{
    draft->writers = (unsigned)((int)draft->writers + more);
}

void draft_spoil_locked(struct draft *draft)
{
    draft->spoilt = true;
}
