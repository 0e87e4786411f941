/* SPDX-License-Identifier: MIT */
/* What the client's tests share: a server that logs commands, holds answers back and speaks when told to; a
 * client connected to it; and verbs whose ends are counted. */
#ifndef TEST_CLIENT_HELP_H
#define TEST_CLIENT_HELP_H

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_impl.h"
#include "fakeserver.h"
#include "imap/idle.h"
#include "unit_main.h"

#define LOG_MAX 20000
#define ASKS_MAX 20000
#define WITHIN_S 20

struct ask {
    struct world *world;
    struct imap_call call;
    unsigned done, responses, number; /* number: in which order they ended */
    uint32_t uid;                     /* of the only message in the answer */
    enum imap_status status;
    struct imap_error error;
    char text[80]; /* of the tagged answer */
};

struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* the server */
    struct fake_server *server;
    struct fake_imap imap;
    struct fake_client *peer; /* the connection */
    bool (*hook)(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *world);
    char log[LOG_MAX][80];
    unsigned logged;
    const char *held; /* commands that begin so are not answered ... */

    /* the client */
    struct imap_client_options options;
    struct imap_client *client;
    unsigned lost, untagged, traced;
    unsigned answered_at_loss; /* how many had ended when `lost` came */
    struct imap_error why;

    struct ask *asks;
    unsigned asked, answered;
};

/* ---- waiting ---------------------------------------------------------------------------------------- */

/* Waits until the condition holds, which is looked at with the lock. Fails the test after a while. */
#define AWAIT(world, condition)                                                                              \
    do {                                                                                                     \
        struct timespec until_;                                                                              \
        int rc_ = 0;                                                                                         \
        clock_gettime(CLOCK_REALTIME, &until_);                                                              \
        until_.tv_sec += WITHIN_S;                                                                           \
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

static inline bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static inline bool world_hook(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                              void *arg)
{
    struct world *world = arg;

    pthread_mutex_lock(&world->lock);
    world->peer = peer;
    ck_assert_uint_lt(world->logged, LOG_MAX);
    snprintf(world->log[world->logged++], sizeof(world->log[0]), "%s", command);
    pthread_cond_broadcast(&world->changed);
    while (world->held && starts(command, world->held))
        pthread_cond_wait(&world->changed, &world->lock);
    bool (*hook)(struct fake_client *, const char *, const char *, bool *, void *) = world->hook;
    pthread_mutex_unlock(&world->lock);
    return hook && hook(peer, tag, command, stop, world);
}

static inline void world_serve(struct fake_client *peer, void *arg)
{
    struct world *world = arg;
    fake_imap_serve(peer, &world->imap);
    CHANGE(world, if (world->peer == peer) world->peer = NULL);
}

static inline void set_hook(struct world *world, bool (*hook)(struct fake_client *peer, const char *tag,
                                                              const char *command, bool *stop, void *world))
{
    CHANGE(world, world->hook = hook);
}

/* How many commands the server has got that begin so. With the lock. */
static inline unsigned seen_locked(struct world *world, const char *prefix)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->logged; i++)
        count += starts(world->log[i], prefix);
    return count;
}

static inline unsigned seen(struct world *world, const char *prefix)
{
    pthread_mutex_lock(&world->lock);
    unsigned count = seen_locked(world, prefix);
    pthread_mutex_unlock(&world->lock);
    return count;
}

/* The server speaks by itself. */
static inline void say(struct world *world, const char *text)
{
    pthread_mutex_lock(&world->lock);
    ck_assert_ptr_nonnull(world->peer);
    fake_send(world->peer, text);
    pthread_mutex_unlock(&world->lock);
}

/* ---- the client's events ---------------------------------------------------------------------------- */

static inline void on_untagged(void *arg, const struct imap_response *response)
{
    struct world *world = arg;
    (void)response;
    CHANGE(world, world->untagged++);
}

static inline void on_lost(void *arg, const struct imap_error *why)
{
    struct world *world = arg;
    CHANGE(world, {
        world->lost++;
        world->why = *why;
        world->answered_at_loss = world->answered;
    });
}

/* ---- setting up ------------------------------------------------------------------------------------- */

static inline struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fake_options options = {.serve = world_serve, .arg = world};

    world->asks = calloc(ASKS_MAX, sizeof(*world->asks));
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->imap = (struct fake_imap){.user = "joe", .password = "secret", .hook = world_hook, .arg = world};
    world->server = fake_start(&options);
    world->options =
        (struct imap_client_options){.endpoint = {.host = "127.0.0.1",
                                                  .port = fake_port(world->server),
                                                  .tls = IMAP_TLS_NONE,
                                                  .user = "joe",
                                                  .password = "secret",
                                                  .timeout_ms = 15000},
                                     .events = {.untagged = on_untagged, .lost = on_lost, .arg = world}};
    return world;
}

static inline void world_connect(struct world *world)
{
    struct imap_error err = {0};
    enum imap_status status = imap_client_connect(&world->options, &world->client, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    world->client->timing.idle_grace = 1;
}

static inline struct world *connected(void)
{
    struct world *world = world_new();
    world_connect(world);
    return world;
}

/* Lets the server go on. */
static inline void release(struct world *world)
{
    CHANGE(world, world->held = NULL);
}

/* Every verb must have ended exactly once by the time that the client is gone. */
static inline void world_free(struct world *world)
{
    release(world);
    imap_client_free(&world->client);
    for (unsigned i = 0; i < world->asked; i++) {
        ck_assert_uint_eq(world->asks[i].done, 1);
        imap_call_fini(&world->asks[i].call);
    }
    fake_stop(&world->server);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
    free(world->asks);
    free(world);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static inline uint32_t only_uid(const struct imap_answer *answer)
{
    const struct imap_response *first = imap_answer_next(answer, IMAP_RESP_FETCH, NULL);

    return first && !imap_answer_next(answer, IMAP_RESP_FETCH, first) ? first->fetch.uid : 0;
}

static inline void on_done(void *arg, const struct imap_answer *answer)
{
    struct ask *ask = arg;
    struct world *world = ask->world;
    const struct imap_text *text = imap_answer_text(answer);

    CHANGE(world, {
        ask->done++;
        ask->number = world->answered++;
        ask->status = imap_answer_status(answer);
        ask->error = *imap_answer_error(answer);
        ask->responses += (unsigned)imap_answer_count(answer);
        ask->uid = only_uid(answer);
        snprintf(ask->text, sizeof(ask->text), "%s", text ? text->text : "");
    });
}

static inline struct ask *new_ask(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    ck_assert_uint_lt(world->asked, ASKS_MAX);
    struct ask *ask = &world->asks[world->asked++];
    pthread_mutex_unlock(&world->lock);
    ask->world = world;
    ask->call.done = on_done;
    ask->call.arg = ask;
    return ask;
}

static inline struct imap_command *make(const char *verb, const char *words)
{
    struct imap_command *command = imap_command_new(verb);
    if (words && (strcmp(verb, "SELECT") == 0 || strcmp(verb, "EXAMINE") == 0))
        imap_command_mailbox(command, words, strlen(words));
    else if (words)
        imap_command_raw(command, words);
    return command;
}

/* words: the command's arguments as they are, or NULL. */
static inline struct ask *ask_within(struct world *world, unsigned timeout_ms, const char *verb,
                                     const char *words)
{
    struct ask *ask = new_ask(world);
    struct imap_command *command = make(verb, words);

    ask->call.timeout_ms = timeout_ms;
    ck_assert_int_eq(imap_client_command(world->client, &command, &ask->call), IMAP_OK);
    ck_assert_ptr_null(command);
    return ask;
}

static inline struct ask *ask(struct world *world, const char *verb, const char *words)
{
    return ask_within(world, 0, verb, words);
}

static inline void await_ask(struct ask *ask, enum imap_status status)
{
    AWAIT(ask->world, ask->done > 0);
    ck_assert_msg(ask->status == status, "%s instead of %s: %s", imap_status_name(ask->status),
                  imap_status_name(status), ask->error.text);
    ck_assert_int_eq(ask->error.status, status);
}

/* Blocks; returns the status. */
static inline enum imap_status do_command(struct world *world, const char *verb, const char *words,
                                          struct imap_call *call)
{
    struct imap_command *command = make(verb, words);
    return imap_client_command(world->client, &command, call);
}

static inline void do_ok(struct world *world, const char *verb, const char *words)
{
    struct imap_call call = {0};
    enum imap_status status = do_command(world, verb, words, &call);

    ck_assert_msg(status == IMAP_OK, "%s: %s", verb, call.error.text);
    imap_call_fini(&call);
}

#endif
