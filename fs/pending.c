/* SPDX-License-Identifier: MIT */
#include "pending.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../imap/mem.h"
#include "model.h"

#define LINE_SIZE 512

struct finished {
    struct finished *next;
    struct wait_queue waits;
    bool failed;
    struct imap_error err;
};

struct submission {
    struct submission *next;
    const char *mailbox;
    uint32_t uidvalidity; /* 0: imap_pool_submit, else imap_pool_change */
    unsigned flags;
    uint64_t weight;
    struct imap_command *command;
};

struct line {
    struct line *next;
    int priority;
    char text[LINE_SIZE];
};

/* The tails point into the struct itself: a copy of a list that is not empty stays right, since only
 * the original appends. */
void pending_init(struct pending *pending)
{
    *pending = (struct pending){0};
    pending->finished_tail = &pending->finished;
    pending->submissions_tail = &pending->submissions;
    pending->lines_tail = &pending->lines;
}

bool pending_empty(const struct pending *pending)
{
    return !pending->note_count && !pending->finished && !pending->submissions && !pending->lines;
}

static void add_submission(struct account *account, const struct submission *what)
{
    struct submission *submission = imap_xcalloc(1, sizeof *submission);
    *submission = *what;
    *account->pending.submissions_tail = submission;
    account->pending.submissions_tail = &submission->next;
}

void pending_submit_locked(struct account *account, const char *mailbox, unsigned flags, uint64_t weight,
                           struct imap_command *command)
{
    add_submission(account, &(struct submission){
                                .mailbox = mailbox, .flags = flags, .weight = weight, .command = command});
}

void pending_change_locked(struct account *account, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                           struct imap_command *command)
{
    const struct submission change = {
        .mailbox = mailbox, .uidvalidity = uidvalidity, .flags = flags, .command = command};
    add_submission(account, &change);
}

static struct finished *finished_new(struct account *account, const struct imap_error *err)
{
    struct finished *finished = imap_xcalloc(1, sizeof *finished);
    wait_queue_init(&finished->waits);
    if (err) {
        finished->failed = true;
        finished->err = *err;
    }
    *account->pending.finished_tail = finished;
    account->pending.finished_tail = &finished->next;
    return finished;
}

void pending_finish_locked(struct account *account, struct wait_queue *waits, const struct imap_error *err)
{
    if (waits->first)
        wait_queue_move(waits, &finished_new(account, err)->waits);
}

void pending_refuse_locked(struct account *account, struct wait *wait, const struct imap_error *err)
{
    struct wait_queue one;
    wait_queue_init(&one);
    wait_queue_add(&one, wait);
    pending_finish_locked(account, &one, err);
}

static void add_note(struct pending *pending, const struct note *note)
{
    if (pending->note_count == pending->note_capacity) {
        pending->note_capacity = pending->note_capacity ? 2 * pending->note_capacity : 16;
        pending->notes = imap_xreallocarray(pending->notes, pending->note_capacity, sizeof *pending->notes);
    }
    pending->notes[pending->note_count++] = *note;
}

void pending_note_locked(struct account *account, enum note_kind kind, struct mailbox *mailbox, uint32_t uid,
                         struct mailbox *child)
{
    struct pending *pending = &account->pending;
    if (account->unseen)
        return;
    if (kind == NOTE_LISTING && pending->note_count) {
        const struct note *last = &pending->notes[pending->note_count - 1];
        if (last->kind == NOTE_LISTING && last->mailbox == mailbox)
            return;
    }
    add_note(pending, &(struct note){.kind = kind, .uid = uid, .mailbox = mailbox, .child = child});
}

void pending_sent_locked(struct account *account, struct mailbox *mailbox, const char *name,
                         uint32_t uidvalidity, uint32_t uid)
{
    if (!account->unseen)
        add_note(&account->pending, &(struct note){.kind = NOTE_SENT,
                                                   .uid = uid,
                                                   .mailbox = mailbox,
                                                   .name = imap_xstrdup(name),
                                                   .uidvalidity = uidvalidity});
}

void pending_log_locked(struct account *account, int priority, const char *fmt, ...)
{
    struct line *line = imap_xcalloc(1, sizeof *line);
    line->priority = priority;
    va_list args;
    va_start(args, fmt);
    vsnprintf(line->text, sizeof line->text, fmt, args);
    va_end(args);
    *account->pending.lines_tail = line;
    account->pending.lines_tail = &line->next;
}

static void run_note(const struct account *account, const struct note *note)
{
    const struct account_events *events = &account->events;
    void *arg = account->events_arg;
    switch (note->kind) {
    case NOTE_NEW:
        if (events->message_new)
            events->message_new(arg, note->mailbox, note->uid);
        break;
    case NOTE_GONE:
        if (events->message_gone)
            events->message_gone(arg, note->mailbox, note->uid);
        break;
    case NOTE_CHANGED:
        if (events->message_changed)
            events->message_changed(arg, note->mailbox, note->uid);
        break;
    case NOTE_BODY:
        if (events->body_ahead)
            events->body_ahead(arg, note->mailbox, note->uid);
        break;
    case NOTE_LISTING:
        if (events->listing_changed)
            events->listing_changed(arg, note->mailbox);
        break;
    case NOTE_CHILD_GONE:
        if (events->child_gone)
            events->child_gone(arg, note->mailbox, note->child);
        break;
    case NOTE_SENT:
        if (events->draft_sent)
            events->draft_sent(arg, note->mailbox, note->name, note->uidvalidity, note->uid);
        free(note->name);
        break;
    }
}

void pending_run(struct account *account, struct pending *pending)
{
    for (struct line *line = pending->lines, *next; line; line = next) {
        next = line->next;
        if (account->events.log)
            account->events.log(account->events_arg, line->priority, line->text);
        free(line);
    }
    for (size_t i = 0; i < pending->note_count; i++)
        run_note(account, &pending->notes[i]);
    free(pending->notes);
    for (struct finished *finished = pending->finished, *next; finished; finished = next) {
        next = finished->next;
        wait_queue_run(&finished->waits, finished->failed ? &finished->err : NULL);
        free(finished);
    }
    for (struct submission *submission = pending->submissions, *next; submission; submission = next) {
        next = submission->next;
        if (submission->uidvalidity)
            imap_pool_change(account->pool, submission->mailbox, submission->uidvalidity, submission->flags,
                             submission->command);
        else
            imap_pool_submit(account->pool, submission->mailbox, submission->flags, submission->weight,
                             submission->command);
        free(submission);
    }
}
