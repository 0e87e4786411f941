/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. A draft is in the list until it has no name, is not open and is not being sent; then its files go.
 * 2. While it is being sent its bytes do not change: writing is refused, and sending does not begin while
 *    somebody writes (writers).
 * 3. What has a name and is not a message has its bytes in the directory, under its number; what the next
 *    mount needs besides is written when it cannot be sent, and when the account is closed.
 */
#include "draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "mailbox_internal.h"
#include "name.h"

#define SUFFIX ".eml"
#define ID_KEY "\001drafts" /* no mailbox is called that */

/* ---- names ------------------------------------------------------------------------------------------ */

bool draft_name_is_local(const char *name)
{
    return *name == '.';
}

enum imap_status draft_check_name(const char *name, struct imap_error *err)
{
    const size_t len = strlen(name);
    if (len > DRAFT_NAME_MAX)
        return imap_error_sys(err, ENAMETOOLONG, "the name %s", name);
    if (draft_name_is_local(name) ||
        (len > strlen(SUFFIX) && !strcasecmp(name + len - strlen(SUFFIX), SUFFIX)))
        return IMAP_OK;
    return imap_error_sys(err, EINVAL, "%s is not the name of a message, which ends in " SUFFIX, name);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static struct draft *add(struct drafts *drafts, uint32_t number)
{
    struct draft *draft = imap_xcalloc(1, sizeof *draft);
    draft->drafts = drafts;
    draft->number = number;
    draft->fd = -1;
    wait_queue_init(&draft->waits);
    struct draft **link = drafts->tail;
    if (number < drafts->last_number) /* of those that were left, in any order */
        for (link = &drafts->first; *link && (*link)->number < number;)
            link = &(*link)->next;
    draft->next = *link;
    *link = draft;
    if (!draft->next)
        drafts->tail = &draft->next;
    if (number > drafts->last_number)
        drafts->last_number = number;
    drafts->count++;
    return draft;
}

static void destroy(struct draft *draft)
{
    struct drafts *drafts = draft->drafts;
    struct draft **link = &drafts->first;
    while (*link != draft)
        link = &(*link)->next;
    *link = draft->next;
    if (!draft->next)
        drafts->tail = link;
    drafts->count--;
    if (draft->fd >= 0)
        close(draft->fd);
    sender_remove_locked(drafts->sender, draft->number);
    free(draft->name);
    free(draft->flags);
    free(draft);
}

void draft_settle_locked(struct draft *draft)
{
    if (!draft->opens && draft->fd >= 0 && draft->state != DRAFT_SENDING) {
        close(draft->fd);
        draft->fd = -1;
    }
    if (!draft->mailbox && !draft->opens && draft->state != DRAFT_SENDING)
        destroy(draft);
}

enum imap_status draft_new(struct account *account, struct draft **draft_out, struct imap_error *err)
{
    struct drafts *drafts = account->drafts;
    account_lock(account);
    if (drafts->count >= DRAFTS_MAX) {
        account_unlock(account);
        return imap_error_sys(err, ENOSPC, "there are %u drafts", DRAFTS_MAX);
    }
    struct draft *draft = add(drafts, drafts->last_number + 1);
    draft->opens = 1; /* before anybody can find it */
    account_unlock(account);
    const int fd = draftfile_open(drafts, draft->number, true);
    const int open_errno = errno;
    account_lock(account);
    draft->fd = fd;
    clock_gettime(CLOCK_REALTIME, &draft->mtime);
    if (fd < 0) {
        draft->opens = 0;
        draft_settle_locked(draft);
    }
    account_unlock(account);
    if (fd < 0)
        return imap_error_sys(err, open_errno, "cannot make a file in %s", drafts->dir);
    *draft_out = draft;
    return IMAP_OK;
}

void draft_hold_locked(struct draft *draft)
{
    draft->opens++;
}

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

void draft_close_locked(struct draft *draft)
{
    draft->opens--;
    draft_settle_locked(draft);
}

/* ---- places ----------------------------------------------------------------------------------------- */

static void moved(struct draft *draft)
{
    draft->saved = false;
    if (draft->mailbox)
        mailbox_touch_locked(draft->mailbox);
}

void draft_name_locked(struct draft *draft, struct mailbox *mailbox, const char *name)
{
    moved(draft);
    free(draft->name);
    draft->name = imap_xstrdup(name);
    draft->mailbox = mailbox;
    moved(draft);
}

void draft_unname_locked(struct draft *draft)
{
    moved(draft);
    draft->mailbox = NULL;
    draft_settle_locked(draft);
}

/* ---- finding ---------------------------------------------------------------------------------------- */

struct draft *draft_find_locked(const struct mailbox *mailbox, const char *name)
{
    struct draft *draft = mailbox->account->drafts ? mailbox->account->drafts->first : NULL;
    while (draft && (draft->mailbox != mailbox || strcmp(draft->name, name) != 0))
        draft = draft->next;
    return draft;
}

struct draft *draft_by_number_locked(const struct account *account, uint32_t number)
{
    struct draft *draft = account->drafts ? account->drafts->first : NULL;
    while (draft && draft->number != number)
        draft = draft->next;
    return draft;
}

struct draft *draft_next_locked(const struct mailbox *mailbox, uint32_t after)
{
    struct draft *draft = mailbox->account->drafts ? mailbox->account->drafts->first : NULL;
    while (draft && (draft->number <= after || draft->mailbox != mailbox || draft->state == DRAFT_SENT))
        draft = draft->next;
    return draft;
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

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

/* False while it is being sent. */
static bool begin_writing(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    account_lock(account);
    const bool may = draft->state != DRAFT_SENDING;
    draft->writers += may;
    account_unlock(account);
    return may;
}

static void end_writing(struct draft *draft, bool any, uint64_t size, bool cut)
{
    struct account *account = draft->drafts->account;
    account_lock(account);
    draft->writers--;
    if (any) {
        draft->size = cut || size > draft->size ? size : draft->size;
        draft->unsent = true;
        draft->saved = false;
        if (draft->state != DRAFT_LOCAL) /* it is another one now */
            draft->state = DRAFT_LOCAL;
        clock_gettime(CLOCK_REALTIME, &draft->mtime);
    }
    account_unlock(account);
}

ssize_t draft_write(struct draft *draft, const void *data, size_t size, uint64_t offset)
{
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
    end_writing(draft, done > 0, offset + done, false);
    return done > 0 ? (ssize_t)done : -error;
}

int draft_truncate(struct draft *draft, uint64_t size)
{
    if (!begin_writing(draft))
        return EBUSY;
    int error = 0;
    while (ftruncate(draft->fd, (off_t)size) != 0 && (error = errno) == EINTR)
        error = 0;
    end_writing(draft, !error, size, true);
    return error;
}

/* ---- what it is ------------------------------------------------------------------------------------- */

uint32_t draft_number_locked(const struct draft *draft)
{
    return draft->number;
}

enum draft_state draft_state_locked(const struct draft *draft)
{
    return draft->state;
}

const struct imap_error *draft_error_locked(const struct draft *draft)
{
    return &draft->err;
}

struct mailbox *draft_mailbox_locked(const struct draft *draft)
{
    return draft->mailbox;
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
    return draft->flags ? draft->flags : "";
}

void draft_set_flags_locked(struct draft *draft, const char *flags)
{
    free(draft->flags);
    draft->flags = imap_xstrdup(flags);
    draft->saved = false;
}

bool draft_message_locked(const struct draft *draft, uint32_t *message_id_out, uint32_t *uid_out)
{
    *message_id_out = draft->message_id;
    *uid_out = draft->uid;
    return draft->state == DRAFT_SENT && draft->uid;
}

/* ---- from mount to mount ---------------------------------------------------------------------------- */

static void take_up(void *arg, uint32_t number, const char *mailbox_name, const char *name, const char *flags,
                    struct timespec mtime, bool unclear, uint64_t size)
{
    struct drafts *drafts = arg;
    struct account *account = drafts->account;
    account_lock(account);
    struct mailbox *mailbox = tree_find_locked(account, mailbox_name, strlen(mailbox_name));
    if (!mailbox || mailbox->gone) {
        pending_log_locked(account, LOG_WARNING,
                           "%s, written to %s and not sent, stays in %s/%u: the mailbox is gone", name,
                           mailbox_name, drafts->dir, number);
        account_unlock(account);
        return;
    }
    struct draft *draft = add(drafts, number);
    draft->mtime = mtime;
    draft->size = size;
    draft->flags = imap_xstrdup(flags);
    draft->unclear = unclear;
    draft->unsent = true;
    draft_name_locked(draft, mailbox, name);
    draft->saved = true;
    if (!draft_name_is_local(name)) {
        draft->state = DRAFT_FAILED;
        imap_error_set(&draft->err, IMAP_AGAIN, "an earlier mount could not send it");
        pending_log_locked(account, LOG_NOTICE,
                           "%s in %s was written by an earlier mount and is not sent yet", name,
                           mailbox->wire);
    }
    account_unlock(account);
}

enum imap_status drafts_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint,
                             struct imap_error *err)
{
    struct drafts *drafts = imap_xcalloc(1, sizeof *drafts);
    drafts->account = account;
    drafts->dir_fd = -1;
    drafts->tail = &drafts->first;
    account_lock(account);
    drafts->id = ids_take(&account->ids, ids_key(ID_KEY, strlen(ID_KEY), 0), NULL);
    account_unlock(account);
    const enum imap_status status = draftfile_dir(drafts, dir, endpoint, err);
    if (status) {
        free(drafts->dir);
        free(drafts);
        return status;
    }
    drafts->sender = sender_new(drafts);
    draftfile_each(drafts, take_up, drafts);
    account_lock(account);
    account->drafts = drafts;
    account_unlock(account);
    return IMAP_OK;
}

uint32_t drafts_id(const struct account *account)
{
    return account->drafts ? account->drafts->id : 0;
}

void drafts_stop(struct drafts *drafts)
{
    sender_stop(drafts->sender);
}

void drafts_resume_locked(struct drafts *drafts)
{
    sender_resume_locked(drafts->sender);
}

static void leave(struct draft *draft)
{
    struct account *account = draft->drafts->account;
    const int error = draft->saved ? 0 : draftfile_save(draft->drafts, draft);
    if (error)
        pending_log_locked(
            account, LOG_ERR, "%s in %s was not sent, and cannot be saved (%s): its bytes are in %s/%u",
            draft->name, draft->mailbox->wire, strerror(error), draft->drafts->dir, draft->number);
    else if (!draft_name_is_local(draft->name))
        pending_log_locked(account, LOG_WARNING, "%s in %s was not sent; the next mount will show it there",
                           draft->name, draft->mailbox->wire);
}

void drafts_close(struct drafts **drafts_in)
{
    struct drafts *drafts = *drafts_in;
    *drafts_in = NULL;
    if (!drafts)
        return;
    account_lock(drafts->account);
    while (drafts->first) {
        struct draft *draft = drafts->first;
        drafts->first = draft->next;
        const bool stays = draft->mailbox && draft->state != DRAFT_SENT && (draft->unsent || draft->saved);
        if (stays)
            leave(draft);
        else
            draftfile_remove(drafts, draft->number);
        if (draft->fd >= 0)
            close(draft->fd);
        free(draft->name);
        free(draft->flags);
        free(draft);
    }
    account_unlock(drafts->account);
    sender_free(&drafts->sender);
    close(drafts->dir_fd);
    free(drafts->dir);
    free(drafts);
}
