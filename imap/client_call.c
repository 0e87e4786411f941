/* SPDX-License-Identifier: MIT */
/* The life of a verb: queued, told exactly once what became of it, cancelled, past its deadline. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer_build.h"
#include "client_impl.h"
#include "cmd.h"
#include "mem.h"

/* ---- lists; with the lock --------------------------------------------------------------------------- */

static void unlink_entry(struct imap_entry *entry)
{
    struct imap_entry_list *list = entry->list;

    if (!list)
        return;
    *(entry->prev ? &entry->prev->next : &list->first) = entry->next;
    *(entry->next ? &entry->next->prev : &list->last) = entry->prev;
    entry->next = entry->prev = NULL;
    entry->list = NULL;
}

static void append_entry(struct imap_entry_list *list, struct imap_entry *entry)
{
    entry->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = entry;
    list->last = entry;
    entry->list = list;
}

static struct imap_entry *find_entry(const struct imap_entry_list *list, uint64_t id)
{
    struct imap_entry *entry = list->first;

    while (entry && entry->id != id)
        entry = entry->next;
    return entry;
}

void imap_entry_move(struct imap_entry *entry, struct imap_entry_list *list)
{
    pthread_mutex_lock(&entry->client->lock);
    unlink_entry(entry);
    if (list)
        append_entry(list, entry);
    pthread_mutex_unlock(&entry->client->lock);
}

struct imap_entry *imap_client_take(struct imap_client *client, bool alone)
{
    pthread_mutex_lock(&client->lock);
    client->woken = false;
    struct imap_entry *entry = client->waiting.first;
    client->held = entry && entry->kind == IMAP_ENTRY_PROCEDURE && !alone;
    if (client->held)
        entry = NULL;
    if (entry) {
        unlink_entry(entry);
        append_entry(entry->kind == IMAP_ENTRY_IDLER ? &client->idling : &client->running, entry);
    }
    pthread_mutex_unlock(&client->lock);
    return entry;
}

/* ---- made and freed --------------------------------------------------------------------------------- */

struct imap_entry *imap_entry_new(struct imap_client *client, enum imap_entry_kind kind)
{
    struct imap_entry *entry = imap_xcalloc(1, sizeof(*entry));

    entry->client = client;
    entry->kind = kind;
    entry->deadline_ms = entry->end_at = IMAP_NET_FOREVER;
    return entry;
}

static void free_entry(struct imap_entry *entry)
{
    imap_answer_unref(&entry->answer);
    imap_command_free(&entry->command);
    if (entry->free_arg)
        entry->free_arg(entry->arg);
    free(entry);
}

void imap_entry_drop(struct imap_entry *entry)
{
    pthread_mutex_lock(&entry->client->lock);
    unlink_entry(entry);
    bool cancelled = entry->cancelled;
    pthread_mutex_unlock(&entry->client->lock);
    if (!cancelled)
        free_entry(entry);
}

/* ---- telling ---------------------------------------------------------------------------------------- */

/* True for the one who is to tell. */
static bool claim(struct imap_entry *entry)
{
    pthread_mutex_lock(&entry->client->lock);
    bool first = !atomic_load(&entry->over);
    atomic_store(&entry->over, true);
    pthread_mutex_unlock(&entry->client->lock);
    return first;
}

static struct imap_answer *answer_of(struct imap_entry *entry)
{
    if (!entry->answer)
        entry->answer = imap_answer_new(entry->client->answer_bytes);
    return entry->answer;
}

static void wake_waiter(struct imap_entry *entry, struct imap_answer *answer)
{
    struct imap_waiter *waiter = entry->waiter;

    waiter->answer = answer;
    waiter->over = true;
    pthread_cond_signal(&waiter->ended);
}

static void tell(struct imap_entry *entry, const struct imap_result *result)
{
    imap_answer_finish(answer_of(entry), result);
    if (entry->waiter) {
        pthread_mutex_lock(&entry->client->lock);
        wake_waiter(entry, entry->answer);
        pthread_mutex_unlock(&entry->client->lock);
        entry->answer = NULL;
    } else {
        entry->call.done(entry->call.arg, entry->answer);
    }
}

bool imap_entry_tell(struct imap_entry *entry, const struct imap_result *result)
{
    if (!claim(entry))
        return false;
    tell(entry, result);
    return true;
}

void imap_entry_end(struct imap_entry *entry, enum imap_status status, const struct imap_error *error)
{
    struct imap_error own = *error;

    own.status = status;
    const struct imap_result result = {.status = status, .error = &own};
    imap_entry_tell(entry, &result);
    imap_entry_drop(entry);
}

void imap_entry_add(struct imap_entry *entry, const struct imap_response *response)
{
    if (atomic_load(&entry->over))
        return;
    if (entry->call.response)
        entry->call.response(entry->call.arg, response);
    else
        imap_answer_add(answer_of(entry), response); /* its failure is the answer's own */
}

/* ---- commands in the session ------------------------------------------------------------------------ */

static void on_response(void *arg, const struct imap_response *response)
{
    imap_entry_add(arg, response);
}

/* Who keeps the answer and gave no function for bodies finds them there. */
static bool keeps_bodies(const struct imap_entry *entry)
{
    return !entry->call.body_begin && !entry->call.response;
}

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct imap_entry *entry = arg;
    if (atomic_load(&entry->over))
        return false;
    if (keeps_bodies(entry))
        return imap_answer_body_begin(answer_of(entry), section->size);
    return entry->call.body_begin(entry->call.arg, so_far, section);
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct imap_entry *entry = arg;
    if (atomic_load(&entry->over))
        return;
    if (keeps_bodies(entry))
        imap_answer_body_data(answer_of(entry), data, len);
    else if (entry->call.body_data)
        entry->call.body_data(entry->call.arg, data, len);
}

static void on_body_end(void *arg)
{
    struct imap_entry *entry = arg;
    if (!atomic_load(&entry->over) && entry->call.body_end)
        entry->call.body_end(entry->call.arg);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct imap_entry *entry = arg;
    struct imap_client *client = entry->client;
    struct imap_result judged = *result;
    struct imap_error error = *result->error;

    entry->command = NULL; /* the session frees it */
    if (client->logout == entry)
        client->logout = NULL;
    if (entry->logout && result->status == IMAP_OK)
        client->logged_out = true;
    imap_client_look(client);
    if (entry->judge && result->status == IMAP_OK && !atomic_load(&entry->over)) {
        judged.status = entry->judge(client, result, &error);
        judged.error = &error;
    }
    imap_entry_move(entry, NULL);
    imap_entry_tell(entry, &judged);
    imap_entry_drop(entry);
}

void imap_entry_submit(struct imap_entry *entry)
{
    const struct imap_command_events events = {
        .response = on_response,
        .body_begin = entry->call.body_begin || keeps_bodies(entry) ? on_body_begin : NULL,
        .body_data = on_body_data,
        .body_end = on_body_end,
        .done = on_done,
    };
    struct imap_command *command = entry->command;

    entry->repeatable = command->verb->flags & IMAP_VERB_REPEATABLE;
    entry->logout = command->verb->effect == IMAP_EFFECT_LOGOUT;
    if (entry->logout)
        entry->client->logout = entry;
    imap_command_on(command, &events, entry);
    imap_session_submit(entry->client->line.session, command, NULL);
}

/* ---- the end before the answer ---------------------------------------------------------------------- */

static ssize_t no_more(void *arg, void *buf, size_t size)
{
    (void)arg, (void)buf, (void)size;
    return -ECANCELED;
}

/* Who gave it a source may free that now. If more of it is to be sent, the line cannot be kept. */
static void void_sources(struct imap_command *command)
{
    for (size_t i = 0; i < command->segment_count; i++)
        if (command->segments[i].kind == IMAP_SEGMENT_SOURCE)
            command->segments[i].next = no_more;
}

/* Nobody waits for the entry any more. True: nothing of it was sent, or ever will be. */
static bool abandon(struct imap_entry *entry)
{
    struct imap_client *client = entry->client;

    if (entry->kind != IMAP_ENTRY_COMMAND || entry->list != &client->running)
        return true;
    if (!imap_session_withdraw(client->line.session, entry->command)) {
        void_sources(entry->command);
        return false; /* an orphan: on_done drops it */
    }
    entry->command = NULL;
    if (client->logout == entry)
        client->logout = NULL;
    return true;
}

static struct imap_entry *next_cancelled(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct imap_entry *entry = client->cancelled;
    if (entry) {
        client->cancelled = entry->next_cancelled;
        if (!client->cancelled)
            client->cancelled_last = &client->cancelled;
        entry->cancelled = false;
    }
    pthread_mutex_unlock(&client->lock);
    return entry;
}

void imap_client_end_cancelled(struct imap_client *client)
{
    struct imap_error error;
    struct imap_entry *entry;

    imap_error_set(&error, IMAP_CANCEL, "cancelled");
    const struct imap_result result = {.status = IMAP_CANCEL, .error = &error};
    while ((entry = next_cancelled(client)) != NULL) {
        bool drop = abandon(entry);
        tell(entry, &result);
        if (drop)
            imap_entry_drop(entry);
    }
}

static void end_late(struct imap_entry *entry)
{
    bool unsent = abandon(entry);
    struct imap_error error;

    if (unsent || entry->repeatable)
        imap_error_set(&error, IMAP_AGAIN, "no answer in the time given for it");
    else
        imap_error_set(&error, IMAP_UNSURE, "no answer in the time given for it; it may yet be carried out");
    error.sys_errno = ETIMEDOUT;
    const struct imap_result result = {.status = error.status, .error = &error};
    imap_entry_tell(entry, &result);
    if (unsent)
        imap_entry_drop(entry);
}

/* One that is past its deadline; NULL: none, and *soonest_out is the next one. */
static struct imap_entry *find_late(const struct imap_entry_list *list, int64_t now, int64_t *soonest_out)
{
    for (struct imap_entry *entry = list->first; entry; entry = entry->next) {
        if (atomic_load(&entry->over))
            continue;
        if (entry->deadline_ms <= now)
            return entry;
        if (entry->deadline_ms < *soonest_out)
            *soonest_out = entry->deadline_ms;
    }
    return NULL;
}

int64_t imap_client_expire(struct imap_client *client, int64_t now)
{
    for (;;) {
        int64_t soonest = IMAP_NET_FOREVER;

        pthread_mutex_lock(&client->lock);
        if (now < client->soonest) {
            soonest = client->soonest;
            pthread_mutex_unlock(&client->lock);
            return soonest;
        }
        struct imap_entry *late = find_late(&client->running, now, &soonest);
        if (!late)
            late = find_late(&client->idling, now, &soonest);
        if (!late)
            late = find_late(&client->waiting, now, &soonest);
        if (!late)
            client->soonest = soonest;
        else if (late->list == &client->waiting)
            unlink_entry(late); /* nobody else is to find it */
        pthread_mutex_unlock(&client->lock);
        if (late)
            end_late(late);
    }
}

static void cancel_waiting(struct imap_entry *entry)
{
    unlink_entry(entry);
    if (entry->waiter) /* there can have been no callback yet, so it need not wait for the thread */
        wake_waiter(entry, NULL);
}

bool imap_client_cancel(struct imap_client *client, uint64_t id)
{
    struct imap_entry *freed = NULL;

    pthread_mutex_lock(&client->lock);
    struct imap_entry *entry = find_entry(&client->waiting, id);
    if (!entry)
        entry = find_entry(&client->running, id);
    if (!entry)
        entry = find_entry(&client->idling, id);
    bool found = entry && !atomic_load(&entry->over);
    if (found) {
        atomic_store(&entry->over, true);
        bool was_waiting = entry->list == &client->waiting;
        if (was_waiting)
            cancel_waiting(entry);
        else if (entry->kind == IMAP_ENTRY_PROCEDURE)
            imap_net_wake(client->cancel_fd);
        if (was_waiting && entry->waiter) {
            freed = entry;
        } else {
            entry->cancelled = true;
            *client->cancelled_last = entry;
            client->cancelled_last = &entry->next_cancelled;
        }
    }
    pthread_mutex_unlock(&client->lock);
    if (freed)
        free_entry(freed);
    else if (found)
        imap_net_wake(client->wake_fd);
    return found;
}

/* ---- calling ---------------------------------------------------------------------------------------- */

static enum imap_status take_result(struct imap_answer **answer, struct imap_call *call)
{
    struct imap_error error;

    if (*answer)
        error = *imap_answer_error(*answer);
    else
        imap_error_set(&error, IMAP_CANCEL, "cancelled");
    enum imap_status status = *answer ? imap_answer_status(*answer) : IMAP_CANCEL;
    if (call) {
        call->error = error;
        call->error.status = status;
        call->answer = *answer;
    } else {
        imap_answer_unref(answer);
    }
    return status;
}

/* With the lock, which it gives up. */
static enum imap_status wait_for(struct imap_client *client, struct imap_waiter *waiter,
                                 struct imap_call *call)
{
    client->blocked++;
    while (!waiter->over)
        pthread_cond_wait(&waiter->ended, &client->lock);
    client->blocked--;
    if (client->closing)
        pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    pthread_cond_destroy(&waiter->ended);
    return take_result(&waiter->answer, call);
}

static enum imap_status refuse_to_block(struct imap_entry *entry, struct imap_call *call)
{
    free_entry(entry);
    return imap_error_set(call ? &call->error : NULL, IMAP_USAGE,
                          "a callback cannot wait for a verb: it must be given a `done`");
}

static void prepare(struct imap_entry *entry, struct imap_call *call)
{
    if (!call)
        return;
    imap_answer_unref(&call->answer);
    call->error = (struct imap_error){0};
    call->id = 0;
    entry->call = *call;
    if (call->timeout_ms > 0)
        entry->deadline_ms = imap_net_now() + (int64_t)call->timeout_ms;
}

enum imap_status imap_client_call(struct imap_client *client, struct imap_entry *entry,
                                  struct imap_call *call)
{
    struct imap_waiter waiter = {.over = false};
    bool blocking = !call || !call->done;

    prepare(entry, call);
    if (blocking && imap_client_is_own_thread(client))
        return refuse_to_block(entry, call);
    if (blocking) {
        pthread_cond_init(&waiter.ended, NULL);
        entry->waiter = &waiter;
    }
    pthread_mutex_lock(&client->lock);
    entry->id = ++client->last_id;
    if (call)
        call->id = entry->id;
    append_entry(&client->waiting, entry);
    if (entry->deadline_ms < client->soonest)
        client->soonest = entry->deadline_ms;
    bool wake = !client->woken;
    client->woken = true;
    if (wake) /* before anybody can free the client; it never blocks */
        imap_net_wake(client->wake_fd);
    if (blocking)
        return wait_for(client, &waiter, call);
    pthread_mutex_unlock(&client->lock);
    return IMAP_OK;
}

void imap_call_fini(struct imap_call *call)
{
    imap_answer_unref(&call->answer);
}

enum imap_status imap_client_command_judged(struct imap_client *client, struct imap_command **command,
                                            imap_client_judge *judge, struct imap_call *call)
{
    struct imap_entry *entry = imap_entry_new(client, IMAP_ENTRY_COMMAND);

    entry->command = *command;
    entry->judge = judge;
    *command = NULL;
    return imap_client_call(client, entry, call);
}

enum imap_status imap_client_command(struct imap_client *client, struct imap_command **command,
                                     struct imap_call *call)
{
    return imap_client_command_judged(client, command, NULL, call);
}

enum imap_status imap_client_refuse(struct imap_client *client, struct imap_call *call,
                                    const struct imap_error *why)
{
    struct imap_entry *entry = imap_entry_new(client, IMAP_ENTRY_REFUSED);

    entry->refusal = *why;
    return imap_client_call(client, entry, call);
}
