/* SPDX-License-Identifier: MIT */
#include "push.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "account.h"
#include "body.h"
#include "node.h"
#include "thread.h"

#define BATCH 32 /* bodies held at once: so many share one turn of the account lock */

struct item {
    struct mailbox *mailbox;
    uint32_t uid;
};

struct push {
    struct account *account; /* constant from start on, as session */
    struct fuse_session *session;
    pthread_t thread;
    char *buffer; /* the thread's */
    size_t buffer_size;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* guarded by lock */
    bool running, stop;
    struct item *items; /* as many as windows of fetching ahead allow */
    size_t first, count, capacity;
};

/* A body in the thread's hands. */
struct held {
    struct body *body;
    fuse_ino_t ino;
    uint64_t size;
};

void push_add(struct push *push, struct mailbox *mailbox, uint32_t uid)
{
    pthread_mutex_lock(&push->lock);
    if (push->running) {
        if (push->first + push->count == push->capacity && push->first >= push->capacity / 2) {
            if (push->count)
                memmove(push->items, push->items + push->first, push->count * sizeof(*push->items));
            push->first = 0;
        }
        if (push->first + push->count == push->capacity) {
            push->capacity = push->capacity ? push->capacity * 2 : 256;
            push->items = imap_xreallocarray(push->items, push->capacity, sizeof(*push->items));
        }
        push->items[push->first + push->count++] = (struct item){mailbox, uid};
        if (push->count == 1)
            pthread_cond_signal(&push->wake);
    }
    pthread_mutex_unlock(&push->lock);
}

/* Waits for some; 0 when it is time to end. */
static size_t take(struct push *push, struct item items[BATCH])
{
    size_t count = 0;

    pthread_mutex_lock(&push->lock);
    while (!push->stop && push->count == 0)
        pthread_cond_wait(&push->wake, &push->lock);
    while (!push->stop && count < BATCH && push->count > 0) {
        items[count++] = push->items[push->first++];
        push->count--;
    }
    if (push->count == 0)
        push->first = 0;
    pthread_mutex_unlock(&push->lock);
    return count;
}

static size_t hold(struct push *push, const struct item *items, size_t count, struct held held[BATCH])
{
    size_t held_count = 0;

    account_lock(push->account);
    for (size_t i = 0; i < count; i++) {
        struct body *body = body_hold_ahead_locked(items[i].mailbox, items[i].uid);
        if (!body)
            continue;
        uint32_t message_id = mailbox_message_id_locked(items[i].mailbox);
        held[held_count++] = (struct held){
            .body = body, .ino = node_number(message_id, items[i].uid), .size = body_size_locked(body)};
    }
    account_unlock(push->account);
    return held_count;
}

static bool make_room(struct push *push, size_t size)
{
    if (push->buffer_size < size) {
        free(push->buffer);
        push->buffer = malloc(size);
        push->buffer_size = push->buffer ? size : 0;
    }
    return push->buffer != NULL;
}

/* That the kernel does not know the message, or has no memory, is no error. */
static void store(struct push *push, const struct held *held)
{
    struct fuse_bufvec bytes = FUSE_BUFVEC_INIT((size_t)held->size);

    if (!make_room(push, (size_t)held->size) ||
        body_read(held->body, push->buffer, (size_t)held->size, 0) != (ssize_t)held->size)
        return;
    bytes.buf[0].mem = push->buffer;
    (void)fuse_lowlevel_notify_store(push->session, held->ino, 0, &bytes, 0);
}

static void let_go(struct push *push, const struct held *held, size_t count)
{
    account_lock(push->account);
    for (size_t i = 0; i < count; i++)
        body_close_locked(held[i].body);
    account_unlock(push->account);
}

static void *run(void *arg)
{
    struct push *push = arg;
    struct item items[BATCH];
    struct held held[BATCH];
    size_t count;

    while ((count = take(push, items)) > 0) {
        size_t held_count = hold(push, items, count, held);
        for (size_t i = 0; i < held_count; i++)
            store(push, &held[i]);
        if (held_count)
            let_go(push, held, held_count);
    }
    return NULL;
}

struct push *push_new(void)
{
    struct push *push = imap_xcalloc(1, sizeof(*push));

    pthread_mutex_init(&push->lock, NULL);
    pthread_cond_init(&push->wake, NULL);
    return push;
}

void push_start(struct push *push, struct account *account, struct fuse_session *session)
{
    push->account = account;
    push->session = session;
    thread_start(&push->thread, "push", run, push);
    pthread_mutex_lock(&push->lock);
    push->running = true;
    pthread_mutex_unlock(&push->lock);
}

void push_stop(struct push *push)
{
    pthread_mutex_lock(&push->lock);
    bool joined = push->running;
    push->running = false;
    push->stop = true;
    pthread_cond_signal(&push->wake);
    pthread_mutex_unlock(&push->lock);
    if (joined)
        pthread_join(push->thread, NULL);
}

void push_free(struct push **push_in)
{
    struct push *push = *push_in;

    if (!push)
        return;
    push_stop(push);
    pthread_cond_destroy(&push->wake);
    pthread_mutex_destroy(&push->lock);
    free(push->items);
    free(push->buffer);
    free(push);
    *push_in = NULL;
}
