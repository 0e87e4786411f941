/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "storeintents.h"
#include "storekept.h"
#include "storenames.h"
#include "thread.h"

#define SLICE 4096u       /* rows read at a time */
#define ROWS_PER_LOOK 512 /* written before who wants to read is looked for */
#define LINE_SIZE 1200
/* Changes come in bursts, one a message that is read: so long, or until so much waits, more are gathered. To
 * wake the thread for each would cost a program that walks a mailbox a third of its time. */
#define GATHER_MS 250
#define GATHER_BYTES (UINT64_C(1) << 20)

struct group {
    struct group *next;
    struct changes changes;
};

struct load {
    struct load *next;
    void *who;
    uint32_t count;
    uint64_t digest;
    struct storefile_load state;
};

struct store {
    struct store_events events;
    void *arg;
    struct storefile file; /* the thread's, once it runs */
    bool failed;           /* likewise */
    bool running;          /* the owner's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work; /* for the thread */
    pthread_cond_t rest; /* for who waits for it */
    /* guarded by the lock */
    struct group *groups, **groups_tail;
    uint64_t queue_max, queued; /* bytes in groups, those being written included */
    struct load *loads, **loads_tail;
    uint64_t ticket; /* who waits for what was posted till then; 0: nobody */
    bool telling;    /* the thread has taken one, and tells it */
    bool loading;    /* one is the thread's */
    bool gathering;  /* the thread will look at groups by itself */
    unsigned hurry;  /* so many wait for the groups to be written */
    bool no_loads;   /* no more are answered */
    bool lost;       /* nothing is kept any more */
    bool closing;
};

static void say(const struct store *store, int priority, const char *line)
{
    if (store->events.log)
        store->events.log(store->arg, priority, line);
}

/* ---- failing ---------------------------------------------------------------------------------------- */

static void fail(struct store *store, int code)
{
    char line[LINE_SIZE];
    if (store->failed)
        return;
    store->failed = true;
    const bool damaged = storefile_damaged(code);
    snprintf(line, sizeof line, "%s: %s; listings and messages are not kept any more%s", store->file.path,
             sqlite3_errstr(code), damaged ? ", and the file is renamed to *.damaged" : "");
    if (damaged)
        storefile_set_aside(&store->file);
    else
        storefile_close(&store->file);
    pthread_mutex_lock(&store->lock);
    store->lost = true;
    pthread_mutex_unlock(&store->lock);
    say(store, LOG_WARNING, line);
}

/* ---- opening ---------------------------------------------------------------------------------------- */

enum imap_status store_open(const char *dir, const struct imap_endpoint *endpoint,
                            const struct store_events *events, void *arg, struct store **store_out,
                            struct imap_error *err)
{
    char note[LINE_SIZE];
    struct store *store = imap_xcalloc(1, sizeof *store);
    *store = (struct store){.events = *events,
                            .arg = arg,
                            .queue_max = STORE_QUEUE_MAX,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .work = PTHREAD_COND_INITIALIZER,
                            .rest = PTHREAD_COND_INITIALIZER};
    store->groups_tail = &store->groups;
    store->loads_tail = &store->loads;
    const enum imap_status status = storefile_open(&store->file, dir, endpoint, note, sizeof note, err);
    if (*note)
        say(store, LOG_WARNING, note);
    if (status) {
        free(store);
        store = NULL;
    }
    *store_out = store;
    return status;
}

bool store_read(struct store *store, uint32_t (*intern)(void *arg, const char *text),
                void (*mailbox)(void *arg, const struct stored_mailbox *mailbox),
                void (*kept)(void *arg, const struct kept_row *row), void *arg)
{
    unsigned damaged = 0;
    int code = storefile_flagsets(&store->file, intern, arg);
    if (code == SQLITE_OK)
        code = storefile_mailboxes(&store->file, mailbox, arg, &damaged);
    if (code == SQLITE_OK && damaged)
        code = SQLITE_CORRUPT;
    if (code == SQLITE_OK && kept)
        code = storefile_kept(&store->file, kept, arg);
    if (code != SQLITE_OK)
        fail(store, code);
    return code == SQLITE_OK;
}

/* what: what is damaged, and what that means. */
static bool have_read(struct store *store, int code, unsigned damaged, const char *what)
{
    char line[LINE_SIZE];
    if (code != SQLITE_OK) {
        fail(store, code);
    } else if (damaged) {
        snprintf(line, sizeof line, "%s: %u %s", store->file.path, damaged, what);
        say(store, LOG_WARNING, line);
    }
    return code == SQLITE_OK;
}

bool store_read_names(struct store *store, void (*each)(void *arg, const struct stored_name *name), void *arg)
{
    unsigned damaged = 0;
    const int code = storefile_names(&store->file, each, arg, &damaged);
    return have_read(store, code, damaged, "names of messages are damaged; those go by their numbers");
}

bool store_read_intents(struct store *store, void (*each)(void *arg, const struct intent *intent), void *arg)
{
    unsigned damaged = 0;
    const int code = storefile_intents(&store->file, each, arg, &damaged);
    return have_read(store, code, damaged,
                     "changes that were still to be made on the server are damaged, and are not made; the "
                     "messages are where the server has them");
}

/* ---- reading: the thread's -------------------------------------------------------------------------- */

static void free_load(struct load *load)
{
    columns_fini(&load->state.columns);
    free(load);
}

static void answer(struct store *store, struct load *load)
{
    enum store_loaded result = STORE_LOADED;
    if (store->failed)
        result = STORE_FAILED;
    else if (load->state.damaged || load->state.columns.count != load->count ||
             load->state.digest != load->digest)
        result = STORE_DAMAGED;
    store->events.loaded(store->arg, load->who, result, &load->state.columns);
}

static void queue_load(struct store *store, struct load *load)
{
    load->next = NULL;
    *store->loads_tail = load;
    store->loads_tail = &load->next;
}

/* A slice of the load that waits longest. False when none waits. */
static bool load_some(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct load *load = store->no_loads ? NULL : store->loads;
    if (load) {
        store->loads = load->next;
        if (!store->loads)
            store->loads_tail = &store->loads;
        store->loading = true;
    }
    pthread_mutex_unlock(&store->lock);
    if (!load)
        return false;
    if (!store->failed) {
        const int code = storefile_load(&store->file, &load->state, SLICE);
        if (code != SQLITE_OK)
            fail(store, code);
    }
    const bool over = store->failed || load->state.ended;
    if (over)
        answer(store, load);
    pthread_mutex_lock(&store->lock);
    if (!over)
        queue_load(store, load);
    store->loading = false;
    pthread_cond_broadcast(&store->rest);
    pthread_mutex_unlock(&store->lock);
    if (over)
        free_load(load);
    return true;
}

/* ---- writing: the thread's -------------------------------------------------------------------------- */

/* What a transaction says of mailboxes themselves. Each group that touched one ends in its line, and only the
 * last one stays: a program that walks a mailbox would write one a message. */
struct line {
    uint32_t id;
    unsigned order;
    struct change_reader at; /* its CHANGE_MAILBOX; the end: it was forgotten */
};

struct lines {
    struct line *all;
    size_t count, capacity;
};

static void add_line(struct lines *lines, uint32_t id, struct change_reader at)
{
    struct line *last = lines->count ? &lines->all[lines->count - 1] : NULL;
    if (last && last->id == id) {
        last->at = at;
        return;
    }
    if (lines->count == lines->capacity) {
        lines->capacity = 2 * lines->capacity + 16;
        lines->all = imap_xreallocarray(lines->all, lines->capacity, sizeof *lines->all);
    }
    lines->all[lines->count] = (struct line){.id = id, .order = (unsigned)lines->count, .at = at};
    lines->count++;
}

static int compare_lines(const void *one, const void *other)
{
    const struct line *a = one, *b = other;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static int write_lines(struct store *store, struct lines *lines)
{
    struct change change;
    int code = SQLITE_OK;
    if (lines->count)
        qsort(lines->all, lines->count, sizeof *lines->all, compare_lines);
    for (size_t i = 0; i < lines->count && code == SQLITE_OK; i++) {
        struct line *line = &lines->all[i];
        const bool last = i + 1 == lines->count || line[1].id != line->id;
        if (last && change_next(&line->at, &change))
            code = storefile_apply(&store->file, &change);
    }
    return code;
}

static int apply(struct store *store, const struct change *change, const struct change_reader *at,
                 struct lines *lines)
{
    if (change->kind == CHANGE_MAILBOX || change->kind == CHANGE_FORGET)
        add_line(lines, change->id,
                 change->kind == CHANGE_MAILBOX ? *at
                                                : (struct change_reader){.at = at->end, .end = at->end});
    return change->kind == CHANGE_MAILBOX ? SQLITE_OK : storefile_apply(&store->file, change);
}

static int write_changes(struct store *store, const struct group *group, struct lines *lines)
{
    unsigned rows = 0;
    struct change change;
    int code = storefile_begin(&store->file);
    for (; group && code == SQLITE_OK; group = group->next) {
        struct change_reader reader = changes_read(&group->changes), at = reader;
        for (; code == SQLITE_OK && change_next(&reader, &change); at = reader) {
            code = apply(store, &change, &at, lines);
            if (++rows % ROWS_PER_LOOK)
                continue;
            while (code == SQLITE_OK && !store->failed && load_some(store))
                ;
            if (store->failed)
                return SQLITE_ABORT;
        }
    }
    if (code == SQLITE_OK)
        code = write_lines(store, lines);
    if (code == SQLITE_OK)
        code = storefile_commit(&store->file);
    if (code != SQLITE_OK)
        storefile_rollback(&store->file);
    return code;
}

static int write_groups(struct store *store, const struct group *groups)
{
    struct lines lines = {0};
    const int code = write_changes(store, groups, &lines);
    free(lines.all);
    return code;
}

static void free_groups(struct group *group)
{
    while (group) {
        struct group *next = group->next;
        changes_fini(&group->changes);
        free(group);
        group = next;
    }
}

/* All that waits, as one transaction; then it is told to who waits for it. */
static void write_some(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct group *groups = store->groups;
    const uint64_t bytes = store->queued, ticket = store->ticket;
    store->ticket = 0;
    store->telling = ticket != 0;
    store->groups = NULL;
    store->groups_tail = &store->groups;
    pthread_mutex_unlock(&store->lock);
    if (groups && !store->failed) {
        const int code = write_groups(store, groups);
        if (code != SQLITE_OK)
            fail(store, code);
    }
    free_groups(groups);
    if (ticket && store->events.written)
        store->events.written(store->arg, ticket, !store->failed);
    pthread_mutex_lock(&store->lock);
    store->telling = false;
    store->queued -= bytes;
    pthread_cond_broadcast(&store->rest);
    pthread_mutex_unlock(&store->lock);
}

/* With the lock. */
static void gather(struct store *store)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int rc = 0;
    store->gathering = true;
    while (rc == 0 && !store->closing && !store->hurry && !store->ticket && !store->loads &&
           store->queued < GATHER_BYTES)
        rc = pthread_cond_clockwait(&store->work, &store->lock, CLOCK_MONOTONIC, &until);
    store->gathering = false;
}

static bool await_work(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    while (!store->groups && !store->ticket && !store->closing && (!store->loads || store->no_loads))
        pthread_cond_wait(&store->work, &store->lock);
    gather(store);
    const bool any = store->groups || store->ticket || !store->closing;
    pthread_mutex_unlock(&store->lock);
    return any;
}

static void *thread_main(void *arg)
{
    struct store *store = arg;
    while (await_work(store)) {
        while (load_some(store))
            ;
        write_some(store);
    }
    return NULL;
}

void store_start(struct store *store)
{
    store->running = true;
    thread_start(&store->thread, "store", thread_main, store);
}

/* ---- from outside ----------------------------------------------------------------------------------- */

bool store_keeps(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    const bool keeps = !store->lost;
    pthread_mutex_unlock(&store->lock);
    return keeps;
}

bool store_has_room(struct store *store, size_t more)
{
    pthread_mutex_lock(&store->lock);
    const bool room = store->queued + more <= store->queue_max;
    pthread_mutex_unlock(&store->lock);
    return room;
}

/* The path is constant from store_open on. */
void store_status(struct store *store, struct store_status *status_out)
{
    snprintf(status_out->path, sizeof status_out->path, "%s", store->file.path);
    pthread_mutex_lock(&store->lock);
    status_out->waiting = store->queued;
    status_out->lost = store->lost;
    pthread_mutex_unlock(&store->lock);
}

void store_post(struct store *store, struct changes *changes)
{
    struct group *group = NULL;
    if (changes->len) {
        group = imap_xcalloc(1, sizeof *group);
        group->changes = *changes;
        *changes = (struct changes){0};
    }
    pthread_mutex_lock(&store->lock);
    if (group && !store->lost) {
        *store->groups_tail = group;
        store->groups_tail = &group->next;
        store->queued += group->changes.len;
        group = NULL;
        if (!store->gathering || store->queued >= GATHER_BYTES)
            pthread_cond_signal(&store->work);
    }
    pthread_mutex_unlock(&store->lock);
    free_groups(group);
}

void store_tell_written(struct store *store, uint64_t ticket)
{
    pthread_mutex_lock(&store->lock);
    store->ticket = ticket;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
}

void store_load(struct store *store, uint32_t mailbox, uint32_t count, uint64_t digest, void *who)
{
    struct load *load = imap_xcalloc(1, sizeof *load);
    *load = (struct load){.who = who, .count = count, .digest = digest, .state = {.mailbox = mailbox}};
    columns_reserve(&load->state.columns, count);
    pthread_mutex_lock(&store->lock);
    queue_load(store, load);
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
}

void store_stop_loading(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->no_loads = true;
    while (store->loading)
        pthread_cond_wait(&store->rest, &store->lock);
    pthread_mutex_unlock(&store->lock);
}

void store_settle(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->hurry++;
    pthread_cond_signal(&store->work);
    while (store->queued || (store->loads && !store->no_loads) || store->loading || store->ticket ||
           store->telling)
        pthread_cond_wait(&store->rest, &store->lock);
    store->hurry--;
    pthread_mutex_unlock(&store->lock);
}

void store_limit_queue(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->lock);
    store->queue_max = bytes;
    pthread_mutex_unlock(&store->lock);
}

void store_close(struct store **store_in)
{
    struct store *store = *store_in;
    *store_in = NULL;
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    store->no_loads = true;
    store->closing = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
    if (store->running)
        pthread_join(store->thread, NULL);
    for (struct load *load = store->loads, *next; load; load = next) {
        next = load->next;
        free_load(load);
    }
    free_groups(store->groups);
    if (store->ticket && store->events.written) /* it never ran */
        store->events.written(store->arg, store->ticket, false);
    if (!store->failed)
        storefile_close(&store->file);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->rest);
    free(store);
}
