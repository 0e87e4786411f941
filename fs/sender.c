/* SPDX-License-Identifier: MIT */
/*
 * sender: the thread that does with drafts what takes file operations. It makes commands of them, saves where they
 * were written, and closes and removes their files: each in the order in which it was asked for.
 *
 * A draft is in the queue at most once. What is to be done when its turn comes is told by to_save and step_due, which
 * are taken back before it is done: so what is asked for while it is being done is done again, and nothing twice.
 *
 * It does not wait for answers, but for two things. Files are open for what is under way, so there is a limit to that.
 * And what is for one mailbox goes together where the server takes it so: while a few commands for it are under way, more
 * gathers. Drafts of one mailbox go in the order in which they were queued.
 *
 * As it can wait for a moment, it also wakes write.c when what was refused for a while is to be asked for again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "send_internal.h"
#include "sendcheck.h"
#include "thread.h"
#include "write.h"

#define UNDER_WAY_MAX 100u /* no further command while so many are under way */
#define APPENDS_MAX 4u     /* for one mailbox, where what waits can go together */

struct chore {
    enum sender_chore what;
    uint32_t number;
    int fd;
    struct sendcheck *check;
};

struct sender {
    struct drafts *drafts;
    pthread_t thread;
    pthread_cond_t work;
    /* guarded by the account lock */
    bool stop;
    struct draft *queue, **queue_tail;
    struct chore *chores;
    size_t chore_count, chore_capacity;
    unsigned open; /* drafts whose files are read by commands under way */
};

bool sender_stopped_locked(const struct sender *sender)
{
    return sender->stop;
}

/* ---- the queue -------------------------------------------------------------------------------------- */

void sender_enqueue_locked(struct draft *draft)
{
    struct sender *sender = draft->drafts->sender;
    if (!draft->queued) {
        draft->queued = true;
        draft->send_next = NULL;
        *sender->queue_tail = draft;
        sender->queue_tail = &draft->send_next;
    }
    pthread_cond_signal(&sender->work);
}

/* Its turn has not come: it stays before those that came after it. */
static void put_back(struct sender *sender, struct draft *draft)
{
    if (draft->queued)
        return;
    draft->queued = true;
    draft->send_next = sender->queue;
    sender->queue = draft;
    if (!draft->send_next)
        sender->queue_tail = &draft->send_next;
}

static void unqueue(struct sender *sender, struct draft **link)
{
    struct draft *draft = *link;
    *link = draft->send_next;
    if (!*link)
        sender->queue_tail = link;
    draft->queued = false;
}

static void add_chore(struct sender *sender, const struct chore *chore)
{
    if (sender->chore_count == sender->chore_capacity) {
        sender->chore_capacity = sender->chore_capacity ? 2 * sender->chore_capacity : 16;
        sender->chores = imap_xreallocarray(sender->chores, sender->chore_capacity, sizeof *sender->chores);
    }
    sender->chores[sender->chore_count++] = *chore;
    pthread_cond_signal(&sender->work);
}

void sender_wake_locked(struct sender *sender)
{
    pthread_cond_signal(&sender->work);
}

void sender_chore_locked(struct sender *sender, enum sender_chore chore, uint32_t number, int fd)
{
    add_chore(sender, &(struct chore){.what = chore, .number = number, .fd = fd});
}

void sender_check_locked(struct draft *draft, uint32_t uidvalidity, uint32_t uid)
{
    struct sender *sender = draft->drafts->sender;
    if (!sender->stop)
        add_chore(sender, &(struct chore){.what = SENDER_CHECK,
                                          .fd = -1,
                                          .check = sendcheck_new_locked(draft, uidvalidity, uid)});
}

/* ---- the thread ------------------------------------------------------------------------------------- */

/* Whoever was to be promised it is told an error. One that was on disk before is there still. */
static void take_promise_back(struct draft *draft, const struct imap_error *err)
{
    if (!draft->promise || draft->state != DRAFT_LOCAL)
        return;
    draft->promise = 0;
    draft->state = DRAFT_FAILED;
    draft->err = *err;
}

static void save(struct draft *draft)
{
    struct drafts *drafts = draft->drafts;
    struct account *account = drafts->account;
    struct imap_error err = {0};
    struct draft_place place;
    const bool sync = draft->to_sync;
    draft->to_save = draft->to_sync = false;
    if (draft->named) {
        draft_place_locked(draft, &place);
        place.unclear |= draft->state == DRAFT_SENDING && draft->step != SEND_FAIL;
        draft->saved = true; /* unless it changes meanwhile */
        account_unlock(account);
        const int error = draftplace_write(drafts->dir_fd, &place, sync);
        free(place.name);
        account_lock(account);
        if (error) {
            imap_error_sys(&err, error, "%s in %s cannot be saved for the next mount", draft->name,
                           draft->mailbox->wire);
            draft->saved = false;
            take_promise_back(draft, &err);
            pending_log_locked(account, LOG_ERR, "%s", err.text);
        }
    }
    if (!draft->to_save) /* else somebody has asked meanwhile, and wants it as it is now */
        pending_finish_locked(account, &draft->save_waits, err.status ? &err : NULL);
}

static bool is_early(const struct draft *draft, int64_t now)
{
    const bool waits = (draft->step == SEND_LOOK && !draft->acknowledged) ||
                       (draft->step == SEND_APPEND && send_wanted_locked(draft));
    return draft->step_due && waits && draft->not_before_ms > now;
}

static bool is_to_be_sent(const struct draft *draft)
{
    return draft->step_due && draft->step == SEND_APPEND && !draft->unclear && send_wanted_locked(draft);
}

/* What is under way is to be answered first. */
static bool is_held(const struct draft *draft)
{
    const bool appends = is_to_be_sent(draft);
    if (draft->drafts->sender->open >= UNDER_WAY_MAX)
        return appends || (draft->step_due && draft->step == SEND_COMPARE);
    return appends && !draft->alone && draft->mailbox->appends >= APPENDS_MAX;
}

static void serve(struct draft *draft)
{
    draft->served = true;
    if (draft->step_due && draft->step == SEND_FAIL)
        draft->to_save = draft->to_sync = true;
    else if (draft->step_due && draft->step == SEND_APPEND && !draft->attempts)
        draft->to_save = true;
    if (draft->to_save)
        save(draft);
    if (draft->step_due && !is_early(draft, model_now_ms()) && !is_held(draft))
        send_take_step_locked(draft);
    else if (draft->step_due)
        put_back(draft->drafts->sender, draft);
    sender_release_locked(draft);
}

void sender_release_locked(struct draft *draft)
{
    draft->served = false;
    draft_settle_locked(draft);
}

/* The first of those that are to be sent to the same mailbox. */
static struct draft **next_for(struct sender *sender, const struct mailbox *mailbox)
{
    const int64_t now = model_now_ms();
    struct draft **link = &sender->queue;
    while (*link && !(is_to_be_sent(*link) && (*link)->mailbox == mailbox && !is_early(*link, now)))
        link = &(*link)->send_next;
    return link;
}

struct draft *sender_companion_locked(const struct draft *draft, uint64_t room)
{
    struct sender *sender = draft->drafts->sender;
    struct draft **link = next_for(sender, draft->mailbox), *companion = *link;
    if (!companion || companion->alone || companion->size > room || sender->stop)
        return NULL;
    unqueue(sender, link);
    companion->served = true;
    companion->to_save |= !companion->attempts;
    if (companion->to_save)
        save(companion);
    companion->step_due = false;
    return companion;
}

void sender_begun_locked(struct sender *sender, struct mailbox *together, unsigned drafts)
{
    sender->open += drafts;
    if (together)
        together->appends++;
}

void sender_ended_locked(struct sender *sender, struct mailbox *together, unsigned drafts)
{
    sender->open -= drafts;
    if (together)
        together->appends--;
    pthread_cond_signal(&sender->work);
}

static void do_chores(struct sender *sender)
{
    struct account *account = sender->drafts->account;
    struct chore *chores = sender->chores;
    const size_t count = sender->chore_count;
    const bool stopped = sender->stop;
    sender->chores = NULL;
    sender->chore_count = sender->chore_capacity = 0;
    account_unlock(account);
    for (size_t i = 0; i < count; i++) {
        if (chores[i].what == SENDER_CHECK)
            sendcheck_run(chores[i].check, !stopped);
        else if (chores[i].what == SENDER_CLOSE)
            close(chores[i].fd);
        else if (chores[i].what == SENDER_FORGET)
            draftfile_forget(sender->drafts, chores[i].number);
        else
            draftfile_remove(sender->drafts, chores[i].number);
    }
    free(chores);
    account_lock(account);
}

/* The first whose time has come; *due_out: when the next one's does. */
static struct draft **first_due(struct sender *sender, int64_t *due_out)
{
    const int64_t now = model_now_ms();
    *due_out = INT64_MAX;
    for (struct draft **link = &sender->queue; *link; link = &(*link)->send_next) {
        const struct draft *draft = *link;
        const bool early = is_early(draft, now);
        if ((!early && !is_held(draft)) || draft->to_save)
            return link;
        if (early && draft->not_before_ms < *due_out)
            *due_out = draft->not_before_ms;
    }
    return NULL;
}

static void sleep_until(struct sender *sender, int64_t due_ms)
{
    struct account *account = sender->drafts->account;
    const struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
    if (due_ms == INT64_MAX)
        pthread_cond_wait(&sender->work, &account->lock);
    else
        pthread_cond_timedwait(&sender->work, &account->lock, &due);
}

static void *thread_main(void *arg)
{
    struct sender *sender = arg;
    struct account *account = sender->drafts->account;
    account_lock(account);
    while (!sender->stop) {
        int64_t due_ms = 0;
        struct draft **link;
        if (sender->chore_count) {
            do_chores(sender);
        } else if (account->write.due_ms <= model_now_ms()) {
            write_resume_locked(account);
        } else if ((link = first_due(sender, &due_ms))) {
            struct draft *draft = *link;
            unqueue(sender, link);
            serve(draft);
        } else {
            sleep_until(sender, due_ms < account->write.due_ms ? due_ms : account->write.due_ms);
            continue;
        }
        account_unlock(account); /* carries out what is pending */
        account_lock(account);
    }
    account_unlock(account);
    return NULL;
}

struct sender *sender_new(struct drafts *drafts)
{
    struct sender *sender = imap_xcalloc(1, sizeof *sender);
    pthread_condattr_t attr;
    sender->drafts = drafts;
    sender->queue_tail = &sender->queue;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->work, &attr);
    pthread_condattr_destroy(&attr);
    thread_start(&sender->thread, "sender", thread_main, sender);
    return sender;
}

void sender_stop(struct sender *sender)
{
    struct account *account = sender->drafts->account;
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    account_lock(account);
    sender->stop = true;
    pthread_cond_signal(&sender->work);
    account_unlock(account);
    pthread_join(sender->thread, NULL);
    account_lock(account);
    while (sender->queue) {
        struct draft *draft = sender->queue;
        unqueue(sender, &sender->queue);
        pending_finish_locked(account, &draft->save_waits, &err);
        if (draft->step_due && draft->step != SEND_FAIL)
            send_fail_locked(draft, &err);
        else if (draft->step_due)
            send_step_locked(draft, SEND_FAIL);
        else
            draft_settle_locked(draft);
    }
    account_unlock(account);
}

void sender_free(struct sender **sender_in)
{
    struct sender *sender = *sender_in;
    *sender_in = NULL;
    if (!sender)
        return;
    account_lock(sender->drafts->account);
    do_chores(sender);
    account_unlock(sender->drafts->account);
    pthread_cond_destroy(&sender->work);
    free(sender);
}

/* ---- what is asked for ------------------------------------------------------------------------------- */

/* Only to know: nothing is sent for nobody. */
void sender_resume_locked(struct sender *sender)
{
    struct drafts *drafts = sender->drafts;
    for (size_t i = 0; i < drafts->count && !sender->stop; i++) {
        struct draft *draft = drafts->all[i];
        if (!draft->unclear || !draft->named || draft->state == DRAFT_SENDING || draft->writing)
            continue;
        draft->state = DRAFT_SENDING;
        send_step_locked(draft, SEND_LOOK);
    }
}

/* Its writer has gone without an error being told, by mmap(2) say, or with one and it was never tried. */
void sender_left_locked(struct draft *draft)
{
    draftcopy_left_locked(draft);
    if (!draft->unsent || !draft->size || !draft->named || draft->state != DRAFT_LOCAL || draft->promise ||
        draft->drafts->sender->stop)
        return;
    if (!draft_name_is_local(draft->name)) {
        draft->state = DRAFT_FAILED;
        imap_error_sys(&draft->err, EIO, "%s",
                       draft->spoilt ? "it was not written as a whole" : "nobody has sent it");
        pending_log_locked(draft->drafts->account, LOG_WARNING, "%s in %s is not sent: %s", draft->name,
                           draft->mailbox->wire, draft->err.text);
    }
    if (!draft->saved) {
        draft->to_save = true;
        sender_enqueue_locked(draft);
    }
}
