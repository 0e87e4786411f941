/* SPDX-License-Identifier: MIT */
/* What the pool's tests share: a server that logs commands and can hold its answers back, a pool with a
 * record of its events, and questions whose ends are counted. */
#ifndef TEST_POOL_HELP_H
#define TEST_POOL_HELP_H

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fakeserver.h"
#include "pool_impl.h"

#define LOG_MAX 4096
#define ASKS_MAX 4096
#define WITHIN_S 20

struct log_entry {
    unsigned connection; /* by the server's count */
    char command[80];
};

struct ask {
    struct world *world;
    enum imap_status status;
    int sys_errno;
    unsigned done, responses;
    char text[240];
};

struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* the server */
    struct fake_server *server;
    struct fake_imap imap;
    bool (*hook)(struct fake_client *client, const char *tag, const char *command, bool *stop, void *world);
    struct log_entry log[LOG_MAX];
    unsigned logged;
    bool gate_closed; /* NOOP is not answered */
    unsigned places;  /* logins beyond these are refused; 0: none are */
    bool inside[64];  /* the connections that have logged in */

    /* the pool */
    struct imap_pool *pool;
    bool compress; /* for world_pool */
    unsigned up, down, selected, deselected, untagged, overlaps;
    struct imap_error unreachable;
    char selected_name[64], deselected_name[64];
    char last_heard[80]; /* connection and mailbox of what was untagged */
    unsigned selected_connection;
    uint32_t selected_uidvalidity, selected_exists, last_exists;

    /* lanes that idle: on which mailbox each, "" for none */
    char idling[IMAP_POOL_MAX][64];
    unsigned idle_begun, idle_ended; /* as told */

    /* QRESYNC */
    bool knows; /* what `since` answers, and with what */
    struct imap_pool_since since;
    bool resumed;       /* as told last */
    char changes[1024]; /* "VANISHED(EARLIER) 3", "FETCH 5", one after the other */

    struct ask asks[ASKS_MAX];
    unsigned asked, answered;
};

/* ---- waiting ---------------------------------------------------------------------------------------- */

static inline struct timespec deadline_of(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WITHIN_S;
    return until;
}

/* Waits until the condition holds, which is looked at with the lock. Fails the test after a while. */
#define AWAIT(world, condition)                                                                              \
    do {                                                                                                     \
        struct timespec until_ = deadline_of();                                                              \
        int rc_ = 0;                                                                                         \
        pthread_mutex_lock(&(world)->lock);                                                                  \
        while (!(condition) && rc_ == 0)                                                                     \
            rc_ = pthread_cond_timedwait(&(world)->changed, &(world)->lock, &until_);                        \
        bool held_ = (condition);                                                                            \
        pthread_mutex_unlock(&(world)->lock);                                                                \
        ck_assert_msg(held_, "never: %s", #condition);                                                       \
    } while (0)

#define CHANGE(world, statement)                                                                             \
    do {                                                                                                     \
        pthread_mutex_lock(&(world)->lock);                                                                  \
        statement;                                                                                           \
        pthread_cond_broadcast(&(world)->changed);                                                           \
        pthread_mutex_unlock(&(world)->lock);                                                                \
    } while (0)

/* ---- the server ------------------------------------------------------------------------------------- */

static inline bool is_full_locked(struct world *world)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < 64; i++)
        taken += world->inside[i];
    return world->places > 0 && taken >= world->places;
}

/* False: there is no place left, which was said. */
static inline bool enter(struct world *world, struct fake_client *client, const char *tag)
{
    char line[128];

    pthread_mutex_lock(&world->lock);
    bool full = is_full_locked(world);
    if (!full)
        world->inside[client->index] = true;
    pthread_mutex_unlock(&world->lock);
    snprintf(line, sizeof(line), "%s NO [LIMIT] Too many connections\r\n", tag);
    if (full)
        fake_send(client, line);
    return !full;
}

static inline bool world_hook(struct fake_client *client, const char *tag, const char *command, bool *stop,
                              void *arg)
{
    struct world *world = arg;

    pthread_mutex_lock(&world->lock);
    if (world->logged < LOG_MAX) {
        struct log_entry *entry = &world->log[world->logged++];
        entry->connection = client->index;
        snprintf(entry->command, sizeof(entry->command), "%s", command);
        pthread_cond_broadcast(&world->changed);
    }
    while (world->gate_closed && strcmp(command, "NOOP") == 0)
        pthread_cond_wait(&world->changed, &world->lock);
    pthread_mutex_unlock(&world->lock);
    if (strncmp(command, "AUTHENTICATE", 12) == 0 && !enter(world, client, tag)) {
        *stop = true;
        return true;
    }
    return world->hook && world->hook(client, tag, command, stop, world);
}

static inline void world_serve(struct fake_client *client, void *arg)
{
    struct world *world = arg;
    fake_imap_serve(client, &world->imap);
    CHANGE(world, world->inside[client->index] = false);
}

/* How many commands the server has got that begin so; connection -1: any. With the lock. */
static inline unsigned seen_locked(struct world *world, int connection, const char *prefix)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->logged; i++)
        if ((connection < 0 || world->log[i].connection == (unsigned)connection) &&
            strncmp(world->log[i].command, prefix, strlen(prefix)) == 0)
            count++;
    return count;
}

static inline unsigned seen(struct world *world, int connection, const char *prefix)
{
    pthread_mutex_lock(&world->lock);
    unsigned count = seen_locked(world, connection, prefix);
    pthread_mutex_unlock(&world->lock);
    return count;
}

/* ---- the pool's events ------------------------------------------------------------------------------ */

static inline void on_selected(void *arg, unsigned connection, const struct imap_selected *selected,
                               bool resumed)
{
    struct world *world = arg;
    CHANGE(world, {
        world->selected++;
        world->resumed = resumed;
        world->selected_connection = connection;
        world->selected_uidvalidity = selected->uidvalidity;
        world->selected_exists = selected->exists;
        snprintf(world->selected_name, sizeof(world->selected_name), "%s", selected->name);
    });
}

static inline void on_deselected(void *arg, unsigned connection, const char *mailbox)
{
    struct world *world = arg;
    CHANGE(world, {
        world->deselected++;
        world->idling[connection][0] = '\0';
        snprintf(world->deselected_name, sizeof(world->deselected_name), "%s", mailbox);
    });
}

static inline void on_idling(void *arg, unsigned connection, const char *mailbox, bool on)
{
    struct world *world = arg;
    CHANGE(world, {
        world->idle_begun += on;
        world->idle_ended += !on;
        snprintf(world->idling[connection], sizeof(world->idling[connection]), "%s", on ? mailbox : "");
    });
}

static inline void on_untagged(void *arg, unsigned connection, const char *mailbox,
                               const struct imap_response *response, uint32_t uid)
{
    struct world *world = arg;
    (void)uid;
    CHANGE(world, {
        world->untagged++;
        snprintf(world->last_heard, sizeof(world->last_heard), "%u %s", connection, mailbox ? mailbox : "");
        if (response->type == IMAP_RESP_EXISTS)
            world->last_exists = response->number;
    });
}

static inline bool on_since(void *arg, const char *mailbox, struct imap_pool_since *since_out)
{
    struct world *world = arg;
    (void)mailbox;
    pthread_mutex_lock(&world->lock);
    bool knows = world->knows;
    *since_out = world->since;
    pthread_mutex_unlock(&world->lock);
    return knows;
}

static inline void on_changed(void *arg, const char *mailbox, const struct imap_response *response)
{
    struct world *world = arg;
    char text[128];
    if (response->type == IMAP_RESP_VANISHED)
        snprintf(text, sizeof(text), "%s VANISHED%s %u;", mailbox,
                 response->vanished.earlier ? "(EARLIER)" : "", response->vanished.uids->ranges[0].first);
    else
        snprintf(text, sizeof(text), "%s %s %u;", mailbox, response->name, response->fetch.uid);
    CHANGE(world, strncat(world->changes, text, sizeof(world->changes) - strlen(world->changes) - 1));
}

static inline void on_reachable(void *arg, const struct imap_error *error)
{
    struct world *world = arg;
    CHANGE(world, {
        if (error) {
            world->down++;
            world->unreachable = *error;
        } else {
            world->up++;
        }
    });
}

/* ---- setting up ------------------------------------------------------------------------------------- */

static inline struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fake_options options = {.serve = world_serve, .arg = world};

    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->imap = (struct fake_imap){.user = "joe", .password = "secret", .hook = world_hook, .arg = world};
    world->server = fake_start(&options);
    return world;
}

static inline void world_pool(struct world *world, unsigned connections, unsigned timeout_ms)
{
    static const struct imap_pool_events events = {.since = on_since,
                                                   .changed = on_changed,
                                                   .selected = on_selected,
                                                   .deselected = on_deselected,
                                                   .untagged = on_untagged,
                                                   .idling = on_idling,
                                                   .reachable = on_reachable};
    struct imap_pool_options options = {.endpoint = {.host = "127.0.0.1",
                                                     .port = fake_port(world->server),
                                                     .tls = IMAP_TLS_NONE,
                                                     .user = "joe",
                                                     .password = "secret",
                                                     .timeout_ms = timeout_ms},
                                        .connections = connections,
                                        .compress = world->compress};
    struct imap_error err = {0};

    ck_assert_msg(imap_pool_new(&options, &events, world, &world->pool, &err) == IMAP_OK, "%s", err.text);
    world->pool->timing.look_again = 3600 * 1000; /* it must not hide a missed wake-up */
    world->pool->timing.crowded = 0;              /* nor need every backlog wait for it */
}

static inline void world_connect(struct world *world)
{
    struct imap_error err = {0};
    ck_assert_msg(imap_pool_connect(world->pool, &err) == IMAP_OK, "%s", err.text);
}

/* Every question must have been answered exactly once by the time that the pool is gone. */
static inline void world_free(struct world *world)
{
    CHANGE(world, world->gate_closed = false);
    imap_pool_free(&world->pool);
    for (unsigned i = 0; i < world->asked; i++)
        ck_assert_uint_eq(world->asks[i].done, 1);
    fake_stop(&world->server);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
    free(world);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static inline void on_response(void *arg, const struct imap_response *response)
{
    struct ask *ask = arg;
    (void)response;
    CHANGE(ask->world, ask->responses++);
}

static inline void on_done(void *arg, const struct imap_result *result)
{
    struct ask *ask = arg;
    struct world *world = ask->world;
    CHANGE(world, {
        ask->done++;
        ask->status = result->status;
        ask->sys_errno = result->error->sys_errno;
        snprintf(ask->text, sizeof(ask->text), "%s", result->error->text);
        world->answered++;
    });
}

static inline struct ask *new_ask(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    ck_assert_uint_lt(world->asked, ASKS_MAX);
    struct ask *ask = &world->asks[world->asked++];
    ask->world = world;
    pthread_mutex_unlock(&world->lock);
    return ask;
}

/* words: the command's arguments as they are, or NULL. */
static inline struct ask *ask_with(struct world *world, const char *mailbox, unsigned flags, uint64_t weight,
                                   const char *verb, const char *words)
{
    static const struct imap_command_events events = {.response = on_response, .done = on_done};
    struct imap_command *command = imap_command_new(verb);
    struct ask *ask = new_ask(world);

    if (words)
        imap_command_raw(command, words);
    imap_command_on(command, &events, ask);
    imap_pool_submit(world->pool, mailbox, flags, weight, command);
    return ask;
}

static inline struct ask *ask_noop(struct world *world, const char *mailbox, unsigned flags, uint64_t weight)
{
    return ask_with(world, mailbox, flags, weight, "NOOP", NULL);
}

static inline void await_ask(struct ask *ask, enum imap_status status)
{
    AWAIT(ask->world, ask->done > 0);
    ck_assert_msg(ask->status == status, "%s instead of %s: %s", imap_status_name(ask->status),
                  imap_status_name(status), ask->text);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
