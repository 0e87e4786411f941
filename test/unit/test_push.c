/* SPDX-License-Identifier: MIT */
/*
 * What is put into the kernel's page cache, against a libfuse and a model of our own making.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "body.h"
#include "node.h"
#include "push.h"
#include "unit_main.h"

#define MESSAGES 3000
#define MESSAGE_ID 6u

/* ---- the model: the body of message n is n bytes of n, and only even ones were fetched ahead -------- */

struct account {
    pthread_mutex_t lock;
};

struct mailbox {
    int unused;
};

struct body {
    uint32_t uid;
    int held;
};

static struct account the_account = {PTHREAD_MUTEX_INITIALIZER};
static struct mailbox inbox;
static struct body bodies[MESSAGES + 1];
static uint32_t unreadable; /* a message whose spool fails */

void account_lock(struct account *account)
{
    pthread_mutex_lock(&account->lock);
}

void account_unlock(struct account *account)
{
    pthread_mutex_unlock(&account->lock);
}

uint32_t mailbox_message_id_locked(const struct mailbox *mailbox)
{
    (void)mailbox;
    return MESSAGE_ID;
}

struct body *body_hold_ahead_locked(struct mailbox *mailbox, uint32_t uid)
{
    ck_assert_ptr_eq(mailbox, &inbox);
    ck_assert_int_ne(pthread_mutex_trylock(&the_account.lock), 0);
    if (uid % 2)
        return NULL;
    bodies[uid].uid = uid;
    bodies[uid].held++;
    return &bodies[uid];
}

void body_close_locked(struct body *body)
{
    ck_assert_int_eq(body->held, 1);
    body->held--;
}

uint64_t body_size_locked(const struct body *body)
{
    return body->uid;
}

ssize_t body_read(struct body *body, void *buf, size_t size, uint64_t offset)
{
    ck_assert_int_eq(body->held, 1);
    ck_assert_uint_eq(offset, 0);
    ck_assert_uint_eq(size, body->uid);
    if (body->uid == unreadable)
        return -5;
    memset(buf, (int)(body->uid & 0xff), size);
    return (ssize_t)size;
}

/* ---- libfuse ---------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned stored[MESSAGES + 1], stored_count;
static bool held_up;

int fuse_lowlevel_notify_store(struct fuse_session *se, fuse_ino_t ino, off_t offset,
                               struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags)
{
    uint32_t uid = node_uid(ino);
    const unsigned char *bytes = bufv->buf[0].mem;

    (void)se, (void)flags;
    ck_assert_int_eq(pthread_mutex_trylock(&the_account.lock), 0); /* the kernel may make us wait here */
    pthread_mutex_unlock(&the_account.lock);
    ck_assert_uint_eq(node_id(ino), MESSAGE_ID);
    ck_assert_int_eq(offset, 0);
    ck_assert_uint_eq(bufv->count, 1);
    ck_assert_uint_eq(bufv->buf[0].size, uid);
    for (uint32_t i = 0; i < uid; i++)
        if (bytes[i] != (uid & 0xff))
            ck_abort_msg("message %u: wrong byte at %u", uid, i);
    pthread_mutex_lock(&lock);
    stored[uid]++;
    stored_count++;
    pthread_cond_broadcast(&changed);
    while (held_up)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return uid % 3 ? 0 : -2; /* the kernel does not know them all */
}

static void await_stored(unsigned count)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&lock);
    while (stored_count < count)
        ck_assert_int_eq(pthread_cond_timedwait(&changed, &lock, &until), 0);
    pthread_mutex_unlock(&lock);
}

static void hold_up(bool yes)
{
    pthread_mutex_lock(&lock);
    held_up = yes;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct push *set_up(void)
{
    struct push *push = push_new();

    memset(stored, 0, sizeof(stored));
    stored_count = 0;
    unreadable = 0;
    push_start(push, &the_account, NULL);
    return push;
}

/* ---- tests ------------------------------------------------------------------------------------------ */

START_TEST(all_that_was_fetched_ahead_once)
{
    struct push *push = set_up();

    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        push_add(push, &inbox, uid);
    await_stored(MESSAGES / 2);
    push_free(&push);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        ck_assert_uint_eq(stored[uid], uid % 2 ? 0 : 1);
        ck_assert_int_eq(bodies[uid].held, 0);
    }
}
END_TEST

START_TEST(queued_while_the_kernel_makes_it_wait)
{
    struct push *push = set_up();

    hold_up(true);
    for (int round = 0; round < 5; round++) {
        for (uint32_t uid = 2; uid <= MESSAGES; uid += 2)
            push_add(push, &inbox, uid);
        await_stored(1);
    }
    hold_up(false);
    await_stored(5 * MESSAGES / 2);
    push_free(&push);
    for (uint32_t uid = 2; uid <= MESSAGES; uid += 2)
        ck_assert_uint_eq(stored[uid], 5);
}
END_TEST

START_TEST(what_cannot_be_read_is_left_out)
{
    struct push *push = set_up();

    unreadable = 8;
    push_add(push, &inbox, 8);
    push_add(push, &inbox, 10);
    await_stored(1);
    push_free(&push);
    ck_assert_uint_eq(stored[8], 0);
    ck_assert_uint_eq(stored[10], 1);
    ck_assert_int_eq(bodies[8].held, 0);
}
END_TEST

START_TEST(ends_with_much_undone)
{
    struct push *push = set_up();

    hold_up(true);
    for (uint32_t uid = 2; uid <= MESSAGES; uid += 2)
        push_add(push, &inbox, uid);
    await_stored(1);
    hold_up(false);
    push_stop(push);
    unsigned done = stored_count;
    push_add(push, &inbox, 2);
    push_free(&push);
    ck_assert_uint_eq(stored_count, done);
    for (uint32_t uid = 2; uid <= MESSAGES; uid += 2)
        ck_assert_int_eq(bodies[uid].held, 0);
}
END_TEST

START_TEST(nothing_before_the_start)
{
    struct push *push = push_new();

    stored_count = 0;
    push_add(push, &inbox, 2);
    push_start(push, &the_account, NULL);
    push_add(push, &inbox, 4);
    await_stored(1);
    push_free(&push);
    ck_assert_uint_eq(stored_count, 1);
}
END_TEST

UNIT_MAIN("push", all_that_was_fetched_ahead_once, queued_while_the_kernel_makes_it_wait,
          what_cannot_be_read_is_left_out, ends_with_much_undone, nothing_before_the_start)
