/* SPDX-License-Identifier: MIT */
/* storedload: from the store into the model: the tree when the account is opened, messages when wanted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "outage.h"
#include "sync.h"

#define LIKELY_MIN 1000u   /* messages: fewer are there at once when they are wanted */
#define LIKELY_MAX 250000u /* some 9 MB, should nobody look at them after all */

/* ---- messages --------------------------------------------------------------------------------------- */

/* When that was by our own clock; 0 when it cannot be told, or is too long ago to matter. */
static int64_t since_boot(int64_t wall_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t age = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - wall_ms;
    if (!wall_ms || age < 0)
        return 0; /* the clock was set back */
    const int64_t then = model_now_ms() - age;
    return then > 0 ? then : 0;
}

static void take_columns(struct mailbox *mailbox, struct columns *columns)
{
    mailbox->columns = *columns;
    *columns = (struct columns){0};
    mailbox->known = true;
    mailbox->generation++;
    mailbox->proven_ms = since_boot(mailbox->stored.proven_ms);
    mailbox->stored.state = STORED_ROWS;
}

static void take_answer(struct mailbox *mailbox, enum store_loaded result, struct columns *columns)
{
    struct stored *stored = &mailbox->stored;
    if (stored->state != STORED_UNLOADED)
        return; /* it was reset meanwhile */
    if (result == STORE_LOADED && !mailbox->columns.count) {
        take_columns(mailbox, columns);
        return;
    }
    if (result == STORE_DAMAGED)
        pending_log_locked(mailbox->account, LOG_WARNING,
                           "mailbox %s: its stored listing is damaged and not used", mailbox->wire);
    stored_reset_locked(mailbox);
    stored->state = STORED_NOT;
}

/* Whoever waits for the mailbox wants a fresh one. */
static void serve_waits(struct mailbox *mailbox, bool sync_wanted)
{
    struct account *account = mailbox->account;
    const bool fresh = mailbox_is_fresh_locked(mailbox);
    if (account_is_out_locked(account)) {
        if (mailbox->known)
            pending_finish_locked(account, &mailbox->waits, NULL);
        else
            outage_refuse_locked(account, &mailbox->waits);
        return;
    }
    const bool looked_at = mailbox->waits.first != NULL;
    if (fresh)
        pending_finish_locked(account, &mailbox->waits, NULL);
    if (sync_wanted || mailbox->waits.first)
        sync_begin_locked(mailbox);
    else if (looked_at)
        watch_looked_at_locked(mailbox);
}

static void on_loaded(void *arg, void *who, enum store_loaded result, struct columns *columns)
{
    struct account *account = arg;
    struct mailbox *mailbox = who;
    account_lock(account);
    const bool sync_wanted = mailbox->stored.sync_wanted;
    mailbox->stored.loading = false;
    mailbox->stored.sync_wanted = false;
    take_answer(mailbox, result, columns);
    serve_waits(mailbox, sync_wanted);
    account_unlock(account);
}

bool stored_load_locked(struct mailbox *mailbox, bool sync_wanted)
{
    struct stored *stored = &mailbox->stored;
    if (stored->state != STORED_UNLOADED)
        return false;
    stored->sync_wanted |= sync_wanted;
    if (!stored->loading)
        store_load(mailbox->account->stored.store, stored->id, stored->count, stored->digest, mailbox);
    stored->loading = true;
    return true;
}

/* ---- who waits until something is on disk ------------------------------------------------------------ */

/* What one hold of the lock has changed. */
struct promise {
    struct promise *next;
    uint64_t ticket;
    struct wait_queue waits;
};

static void make_promise(struct stored_account *stored)
{
    struct promise *promise = imap_xcalloc(1, sizeof *promise);
    promise->ticket = ++stored->last_ticket;
    wait_queue_init(&promise->waits);
    *(stored->promises ? &stored->last_promise->next : &stored->promises) = promise;
    stored->last_promise = promise;
    stored->promising = true;
}

bool stored_written_locked(struct account *account, struct wait *wait)
{
    struct stored_account *stored = &account->stored;
    if (!stored_on_locked(account))
        return true;
    if (!stored->promising)
        make_promise(stored);
    wait_queue_add(&stored->last_promise->waits, wait);
    return false;
}

static void on_written(void *arg, uint64_t ticket, bool kept)
{
    struct account *account = arg;
    struct stored_account *stored = &account->stored;
    struct imap_error err = {0};
    if (!kept)
        imap_error_sys(&err, EIO, "what is to be done later cannot be kept on disk");
    account_lock(account);
    while (stored->promises && stored->promises->ticket <= ticket) {
        struct promise *promise = stored->promises;
        stored->promises = promise->next;
        pending_finish_locked(account, &promise->waits, kept ? NULL : &err);
        free(promise);
    }
    account_unlock(account);
}

/* ---- the tree --------------------------------------------------------------------------------------- */

struct record {
    struct stored_mailbox stored;
    char *name;
};

/* Until their mailboxes are there. */
struct names {
    struct stored_name *all;
    size_t count, capacity;
};

struct reading {
    struct account *account;
    struct tree_items items;
    struct record *records;
    size_t count, capacity;
    struct names names;
    struct intent *intents;
    size_t intent_count, intent_capacity;
    bool anew; /* the store is empty: it does not know the sets of flags that were read before */
};

static uint32_t intern(void *arg, const char *text)
{
    const struct reading *reading = arg;
    return flagset_intern_text(&reading->account->flagsets, text);
}

static void on_mailbox(void *arg, const struct stored_mailbox *stored)
{
    struct reading *reading = arg;
    char *use = stored->special_use_len ? imap_xstrndup(stored->special_use, stored->special_use_len) : NULL;
    const struct imap_list list = {.name = stored->name,
                                   .name_len = stored->name_len,
                                   .delimiter = stored->delimiter,
                                   .attributes =
                                       stored->attributes | (stored->subscribed ? IMAP_MBOX_SUBSCRIBED : 0),
                                   .special_use = use};
    tree_items_add(&reading->items, &list, false);
    free(use);
    if (reading->count == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 64;
        reading->records = imap_xreallocarray(reading->records, reading->capacity, sizeof *reading->records);
    }
    struct record *record = &reading->records[reading->count++];
    *record = (struct record){.stored = *stored, .name = imap_xstrndup(stored->name, stored->name_len)};
    record->stored.name = record->stored.special_use = NULL;
    if (stored->id > reading->account->stored.last_id)
        reading->account->stored.last_id = stored->id;
}

/* False when the mailbox has no place in the tree. */
static bool place_record(struct account *account, const struct stored_mailbox *record, const char *name)
{
    struct mailbox *mailbox = tree_find_locked(account, name, record->name_len);
    if (!mailbox || mailbox->stored.id)
        return false;
    mailbox->stored.id = record->id;
    mailbox->stored.proven_ms = record->proven_ms;
    mailbox->attributes = record->attributes;
    if (record->uidvalidity)
        mailbox_reset_locked(mailbox, record->uidvalidity);
    if (!record->known || !record->uidvalidity || !mailbox_selectable_locked(mailbox))
        return true;
    mailbox->stored.state = STORED_UNLOADED;
    mailbox->stored.count = record->count;
    mailbox->stored.digest = record->digest;
    mailbox->uidnext = record->uidnext;
    mailbox->modseq = record->modseq;
    if (record->changed.tv_sec <= account->opened.tv_sec)
        mailbox->changed = record->changed;
    return true;
}

static void on_kept(void *arg, const struct kept_row *row)
{
    const struct reading *reading = arg;
    bodies_kept(reading->account->bodies, row);
}

static void on_name(void *arg, const struct stored_name *name)
{
    struct names *names = &((struct reading *)arg)->names;
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 64;
        names->all = imap_xreallocarray(names->all, names->capacity, sizeof *names->all);
    }
    names->all[names->count] = *name;
    names->all[names->count++].file = imap_xstrndup(name->file, name->len);
}

static void on_intent(void *arg, const struct intent *intent)
{
    struct reading *reading = arg;
    if (reading->intent_count == reading->intent_capacity) {
        reading->intent_capacity = reading->intent_capacity ? 2 * reading->intent_capacity : 64;
        reading->intents =
            imap_xreallocarray(reading->intents, reading->intent_capacity, sizeof *reading->intents);
    }
    reading->intents[reading->intent_count++] = intent_copy(intent);
}

static int compare_mailboxes(const void *one, const void *other)
{
    const struct mailbox *a = *(struct mailbox *const *)one, *b = *(struct mailbox *const *)other;
    return (a->stored.id > b->stored.id) - (a->stored.id < b->stored.id);
}

/* Both are in the order of the store's numbers. */
static void give_names(struct account *account, const struct names *names)
{
    struct mailbox **mailboxes = NULL;
    size_t count = 0, capacity = 0, at = 0;
    if (!names->count)
        return;
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next) {
        if (!mailbox->stored.id)
            continue;
        if (count == capacity) {
            capacity = 2 * capacity + 64;
            mailboxes = imap_xreallocarray(mailboxes, capacity, sizeof(struct mailbox *));
        }
        mailboxes[count++] = mailbox;
    }
    if (count)
        qsort(mailboxes, count, sizeof(struct mailbox *), compare_mailboxes);
    for (size_t i = 0; i < names->count; i++) {
        const struct stored_name *name = &names->all[i];
        while (at < count && mailboxes[at]->stored.id < name->mailbox)
            at++;
        if (at < count && mailboxes[at]->stored.id == name->mailbox)
            naming_load_locked(mailboxes[at], name->uidvalidity, name->uid, name->file);
    }
    free(mailboxes);
}

static void make_tree(struct account *account, struct reading *reading)
{
    struct imap_error err = {0};
    if (tree_apply_locked(account, &reading->items, &err) != IMAP_OK)
        pending_log_locked(account, LOG_WARNING, "the stored mailboxes are not used: %s", err.text);
    for (size_t i = 0; i < reading->count; i++) {
        const struct stored_mailbox *record = &reading->records[i].stored;
        if (!place_record(account, record, reading->records[i].name))
            changes_forget(&account->stored.changes, record->id);
    }
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
        if (mailbox->stored.id)
            stored_listed_locked(mailbox);
    give_names(account, &reading->names);
}

static void free_reading(struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++)
        free(reading->records[i].name);
    free(reading->records);
    for (size_t i = 0; i < reading->names.count; i++)
        free((char *)reading->names.all[i].file);
    free(reading->names.all);
    intents_free(reading->intents, reading->intent_count);
    tree_items_fini(&reading->items);
}

static void on_log(void *arg, int priority, const char *line)
{
    const struct account *account = arg;
    if (account->events.log)
        account->events.log(account->events_arg, priority, line);
}

static bool read_all(struct store *store, struct reading *reading)
{
    return store_read(store, intern, on_mailbox, reading->account->bodies ? on_kept : NULL, reading) &&
           store_read_names(store, on_name, reading) && store_read_intents(store, on_intent, reading);
}

/* NULL when there can be none. */
static struct store *open_and_read(struct account *account, const char *dir,
                                   const struct imap_endpoint *endpoint, struct reading *reading)
{
    const struct store_events events = {.loaded = on_loaded, .log = on_log, .written = on_written};
    struct imap_error err = {0};
    struct store *store = NULL;
    if (store_open(dir, endpoint, &events, account, &store, &err) != IMAP_OK) {
        char line[sizeof err.text + 80];
        snprintf(line, sizeof line, "neither listings nor messages are kept for the next mount: %s",
                 err.text);
        on_log(account, LOG_WARNING, line);
        return NULL;
    }
    if (!read_all(store, reading)) { /* and told that */
        store_close(&store);
        free_reading(reading);
        *reading = (struct reading){.account = account, .anew = true};
        if (store_open(dir, endpoint, &events, account, &store, &err) != IMAP_OK)
            store = NULL;
    }
    return store;
}

static void hand_over_intents(struct account *account, struct reading *reading)
{
    account->stored.intents = reading->intents;
    account->stored.intent_count = reading->intent_count;
    reading->intents = NULL;
    reading->intent_count = 0;
}

/* What was up to date last is what will be looked at first: it is loaded while the server is being called. */
static void load_likely(struct account *account)
{
    struct mailbox *likely = NULL;
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
        if (mailbox->stored.state == STORED_UNLOADED &&
            (!likely || mailbox->stored.proven_ms > likely->stored.proven_ms))
            likely = mailbox;
    if (likely && likely->stored.count >= LIKELY_MIN && likely->stored.count <= LIKELY_MAX)
        (void)stored_load_locked(likely, false);
}

void stored_open(struct account *account, const char *dir, const struct imap_endpoint *endpoint)
{
    struct reading reading = {.account = account};
    account_lock(account);
    account->stored.reading = true;
    account_unlock(account);
    struct store *store = open_and_read(account, dir, endpoint, &reading);
    if (store)
        store_start(store);
    account_lock(account);
    account->stored.store = store;
    if (store)
        make_tree(account, &reading);
    if (store && !reading.anew)
        stored_tell_flagsets_locked(account);
    if (store)
        hand_over_intents(account, &reading);
    account->stored.reading = false;
    load_likely(account);
    account_unlock(account);
    free_reading(&reading);
}

void stored_stop_loading(struct account *account)
{
    if (account->stored.store)
        store_stop_loading(account->stored.store);
}

/* Not an error: it is on disk, and the next mount finds it. */
void stored_keep_promises(struct account *account)
{
    if (account->stored.store)
        store_settle(account->stored.store);
}

void stored_close(struct account *account)
{
    struct store *store = account->stored.store; /* the last that is told still uses the account's */
    store_close(&store);
    account->stored.store = NULL;
    changes_fini(&account->stored.changes);
    intents_free(account->stored.intents, account->stored.intent_count);
    free(account->stored.flagset_digests);
}
