/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "outage.h"
#include "spool.h"
#include "storefile.h"
#include "sync.h"

#define DECIDE_MS 5000 /* the server is waited for where there is something to show without it */
#define FOREVER INT64_MAX

int64_t model_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void account_lock(struct account *account)
{
    pthread_mutex_lock(&account->lock);
}

void account_unlock(struct account *account)
{
    struct pending pending;
    struct spool_trash trash = {0};
    const bool freed = account->bodies && bodies_trash_locked(account->bodies, &trash);
    stored_flush_locked(account);
    const bool any = !pending_empty(&account->pending);
    if (any) {
        pending = account->pending;
        pending_init(&account->pending);
    }
    pthread_mutex_unlock(&account->lock);
    if (any)
        pending_run(account, &pending);
    if (freed)
        spool_dispose(&trash);
}

struct mailbox *account_root(struct account *account)
{
    return account->root;
}

struct mailbox *account_by_id_locked(struct account *account, uint32_t id)
{
    return ids_find(&account->ids, id);
}

bool account_tree_fresh_locked(struct account *account, struct wait *wait)
{
    const struct tree *tree = &account->tree;
    if (account->closing) {
        struct imap_error err = {0};
        imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
        pending_refuse_locked(account, wait, &err);
        return false;
    }
    if (account_is_out_locked(account) && tree_known_locked(account)) {
        imap_pool_hurry(account->pool);
        return true;
    }
    if (!tree->running && tree->listed_ms &&
        ((tree->told && !tree->foreign_count) || model_now_ms() - tree->listed_ms <= account->poll_ms))
        return true;
    wait_queue_add(&account->tree.waits, wait);
    tree_list_locked(account);
    return false;
}

/* ---- the pool's callbacks -------------------------------------------------------------------------- */

static void on_trace(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                     size_t len)
{
    const struct account *account = arg;
    account->events.trace(account->events_arg, connection, direction, line, len);
}

/* ---- opening --------------------------------------------------------------------------------------- */

struct blocking {
    struct wait wait;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    struct imap_error err;
};

static void blocking_done(struct wait *wait, const struct imap_error *err)
{
    struct blocking *blocking = (struct blocking *)wait; /* its first member */
    pthread_mutex_lock(&blocking->lock);
    if (err)
        blocking->err = *err;
    blocking->done = true;
    pthread_cond_signal(&blocking->told);
    pthread_mutex_unlock(&blocking->lock);
}

static void await_blocking(struct blocking *blocking, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&blocking->lock);
    while (!blocking->done && rc == 0)
        rc = until_ms == FOREVER
                 ? pthread_cond_wait(&blocking->told, &blocking->lock)
                 : pthread_cond_clockwait(&blocking->told, &blocking->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&blocking->lock);
}

/* The listing goes on when it is not waited for any longer, which is no failure. */
static enum imap_status list_now(struct account *account, int64_t until_ms, struct imap_error *err)
{
    struct blocking blocking = {
        .wait = {.done = blocking_done}, .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
    account_lock(account);
    wait_queue_add(&account->tree.waits, &blocking.wait);
    tree_list_locked(account);
    account_unlock(account);
    await_blocking(&blocking, until_ms);
    if (!wait_cancel(account, &blocking.wait))
        await_blocking(&blocking, FOREVER);
    if (blocking.err.status && err)
        *err = blocking.err;
    return blocking.err.status;
}

static enum imap_status find_root(struct account *account, const char *path, struct imap_error *err)
{
    if (!path || !*path)
        return IMAP_OK;
    account_lock(account);
    struct mailbox *root = tree_at_locked(account, path);
    if (root)
        account->root = root;
    account_unlock(account);
    return root ? IMAP_OK : imap_error_set(err, IMAP_GONE, "there is no mailbox \"%s\"", path);
}

static enum imap_status reach(struct account *account, const char *root, struct imap_error *err)
{
    enum imap_status status = imap_pool_connect(account->pool, err);
    if (!status)
        status = list_now(account, FOREVER, err);
    return status ? status : find_root(account, root, err);
}

static void do_without(struct account *account, const struct imap_error *why)
{
    account_lock(account);
    outage_begin_locked(account, why);
    pending_log_locked(account, LOG_WARNING,
                       "the server cannot be reached, so what is cached is shown until it can: %s",
                       why->text);
    account_unlock(account);
    if (imap_pool_keep_trying(account->pool))
        return;
    outage_reachable(account, NULL); /* in this very moment */
}

/* The stored tree has the root. */
static enum imap_status reach_or_do_without(struct account *account, const char *root, struct imap_error *err)
{
    const int64_t decide_ms = account->timeout_ms < DECIDE_MS ? account->timeout_ms : DECIDE_MS;
    const int64_t until_ms = model_now_ms() + decide_ms;
    struct imap_error why = {0};
    enum imap_status status = imap_pool_connect_within(account->pool, (unsigned)decide_ms, &why);
    if (!status)
        status = list_now(account, until_ms, &why);
    else if (outage_is(&why))
        do_without(account, &why);
    if (status && !outage_is(&why)) {
        if (err)
            *err = why;
        return status;
    }
    return find_root(account, root, err);
}

static bool root_is_stored(struct account *account, const char *root)
{
    account_lock(account);
    const bool known = tree_known_locked(account);
    account_unlock(account);
    return known && find_root(account, root, NULL) == IMAP_OK;
}

static enum imap_status find_root_or_reach(struct account *account, const struct account_options *options,
                                           struct imap_error *err)
{
    struct imap_error why = {0};
    const bool stored = root_is_stored(account, options->root_mailbox);
    if (!options->offline)
        return stored ? reach_or_do_without(account, options->root_mailbox, err)
                      : reach(account, options->root_mailbox, err);
    if (!stored)
        return imap_error_set(
            err, IMAP_GONE,
            "there is nothing of this account in the cache %s: mount it without \"offline\" first",
            options->cache_dir);
    imap_error_set(&why, IMAP_AGAIN, "mounted with -o offline");
    account_lock(account);
    outage_begin_locked(account, &why);
    account_unlock(account);
    return IMAP_OK;
}

static enum imap_status bring_up(struct account *account, const struct account_options *options,
                                 struct imap_error *err)
{
    const struct imap_pool_options pool_options = {.endpoint = options->endpoint,
                                                   .credentials = options->credentials,
                                                   .connections = options->connections,
                                                   .read_write = options->read_write,
                                                   .compress = options->compress,
                                                   .offline = options->offline};
    const struct imap_pool_events events = {.since = resume_since,
                                            .changed = resume_changed,
                                            .selected = watch_selected,
                                            .deselected = watch_deselected,
                                            .untagged = watch_untagged,
                                            .notify = announce_wanted,
                                            .notified = announce_scope,
                                            .elsewhere = announce_heard,
                                            .idling = inuse_idling,
                                            .reachable = outage_reachable,
                                            .trace = account->events.trace ? on_trace : NULL};
    enum imap_status status = imap_pool_new(&pool_options, &events, account, &account->pool, err);
    if (!status)
        status = bodies_new(account, account->pool, options->cache_dir, options->cache_size, &account->bodies,
                            err);
    if (!status) {
        char name[128];
        stored_open(account, options->cache_dir, &options->endpoint);
        storefile_name(&options->endpoint, name);
        bodies_begin(account->bodies, name);
        status = find_root_or_reach(account, options, err);
    }
    if (!status && options->read_write)
        status = drafts_open(account, options->cache_dir, &options->endpoint, err);
    if (!status && options->read_write)
        writeback_open(account, options->writeback);
    else if (!status)
        writeback_remind(account);
    return status;
}

enum imap_status account_open(const struct account_options *options, const struct account_events *events,
                              void *arg, struct account **account_out, struct imap_error *err)
{
    struct account *account = imap_xcalloc(1, sizeof *account);
    pthread_mutex_init(&account->lock, NULL);
    account->events = *events;
    account->events_arg = arg;
    account->poll_ms = options->poll_ms;
    account->timeout_ms = options->endpoint.timeout_ms;
    account->many_connections = options->connections > 1;
    account->read_write = options->read_write;
    account->maildir = options->maildir;
    account->trash = options->trash ? imap_xstrdup(options->trash) : NULL;
    write_init(&account->write);
    clock_gettime(CLOCK_REALTIME, &account->opened);
    account->watch.queue_tail = &account->watch.queue;
    pending_init(&account->pending);
    tree_init(account);
    account->unseen = true;
    const enum imap_status status = bring_up(account, options, err);
    account_lock(account);
    account->unseen = false;
    account_unlock(account);
    if (status)
        account_close(&account);
    *account_out = account;
    return status;
}

/* ---- closing --------------------------------------------------------------------------------------- */

static void end_waits(struct account *account)
{
    struct imap_error err = {0};
    imap_error_set(&err, IMAP_CANCEL, "the file system is being unmounted");
    account_lock(account);
    sync_cancel_all_locked(account);
    write_cancel_all_locked(account);
    for (struct mailbox *mailbox = account->tree.all; mailbox; mailbox = mailbox->all_next)
        pending_finish_locked(account, &mailbox->waits, &err); /* those for what is stored */
    pending_finish_locked(account, &account->tree.waits, &err);
    account_unlock(account);
}

void account_close(struct account **account_in)
{
    struct account *account = *account_in;
    *account_in = NULL;
    if (!account)
        return;
    writeback_finish(account);
    account_lock(account);
    account->closing = true;
    account_unlock(account);
    if (account->bodies)
        bodies_stop(account->bodies);
    stored_stop_loading(account);
    writeback_stop(account);
    if (account->drafts)
        drafts_stop(account->drafts);
    struct imap_pool *pool = account->pool; /* callbacks use account->pool until the last of them */
    imap_pool_free(&pool);
    account->pool = NULL;
    stored_keep_promises(account);
    end_waits(account);
    drafts_close(&account->drafts);
    stored_close(account);
    writeback_close(account);
    resume_drop(&account->watch.resume);
    bodies_free(&account->bodies);
    tree_fini(account);
    ids_fini(&account->ids);
    flagsets_fini(&account->flagsets);
    free(account->trash);
    pthread_mutex_destroy(&account->lock);
    free(account);
}
