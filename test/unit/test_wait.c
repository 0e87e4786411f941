/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "model.h"

static struct account account;
static struct wait_queue queue;

static void set_up(void)
{
    pthread_mutex_init(&account.lock, NULL);
    pending_init(&account.pending);
    wait_queue_init(&queue);
}

static void tear_down(void)
{
    pthread_mutex_destroy(&account.lock);
}

struct counted {
    struct wait wait;
    atomic_int told;
    enum imap_status status;
};

static void count(struct wait *wait, const struct imap_error *err)
{
    struct counted *counted = (struct counted *)wait;
    counted->status = err ? err->status : IMAP_OK;
    atomic_fetch_add(&counted->told, 1);
}

static void run_all(const struct imap_error *err)
{
    struct wait_queue mine;
    wait_queue_init(&mine);
    account_lock(&account);
    wait_queue_move(&queue, &mine);
    account_unlock(&account);
    wait_queue_run(&mine, err);
}

START_TEST(each_is_told_once_in_order)
{
    struct counted waits[3] = {{.wait.done = count}, {.wait.done = count}, {.wait.done = count}};
    const struct imap_error gone = {.status = IMAP_GONE};
    for (int i = 0; i < 3; i++)
        wait_queue_add(&queue, &waits[i].wait);
    wait_take(&waits[1].wait);
    run_all(&gone);
    run_all(NULL);
    ck_assert_int_eq(waits[0].told, 1);
    ck_assert_int_eq(waits[1].told, 0);
    ck_assert_int_eq(waits[2].told, 1);
    ck_assert_int_eq(waits[2].status, IMAP_GONE);
}
END_TEST

START_TEST(the_last_can_be_taken_and_another_added)
{
    struct counted waits[3] = {{.wait.done = count}, {.wait.done = count}, {.wait.done = count}};
    wait_queue_add(&queue, &waits[0].wait);
    wait_queue_add(&queue, &waits[1].wait);
    ck_assert(wait_cancel(&account, &waits[1].wait));
    ck_assert(!wait_cancel(&account, &waits[1].wait));
    wait_queue_add(&queue, &waits[2].wait);
    run_all(NULL);
    ck_assert_int_eq(waits[0].told, 1);
    ck_assert_int_eq(waits[1].told, 0);
    ck_assert_int_eq(waits[2].told, 1);
    ck_assert(!wait_cancel(&account, &waits[2].wait));
    ck_assert_ptr_null(queue.first);
}
END_TEST

START_TEST(a_refusal_comes_after_the_lock)
{
    struct counted waiting = {.wait.done = count};
    struct imap_error err = {.status = IMAP_CANCEL};
    account_lock(&account);
    pending_refuse_locked(&account, &waiting.wait, &err);
    ck_assert_int_eq(waiting.told, 0);
    account_unlock(&account);
    ck_assert_int_eq(waiting.told, 1);
    ck_assert_int_eq(waiting.status, IMAP_CANCEL);
}
END_TEST

/* ---- three threads: one queues, one runs, one cancels; every wait ends in exactly one way ---- */

enum { WAITS = 20000 };
static struct counted many[WAITS];
static atomic_int cancelled[WAITS];
static atomic_int queued;

static void *queue_them(void *arg)
{
    for (int i = 0; i < WAITS; i++) {
        account_lock(&account);
        wait_queue_add(&queue, &many[i].wait);
        account_unlock(&account);
        atomic_store(&queued, i + 1);
    }
    return arg;
}

static void *cancel_some(void *arg)
{
    for (int i = 0; i < WAITS; i++) {
        while (atomic_load(&queued) <= i)
            sched_yield();
        if (i % 3 && wait_cancel(&account, &many[i].wait))
            atomic_fetch_add(&cancelled[i], 1);
    }
    return arg;
}

static void *run_them(void *arg)
{
    const struct imap_error err = {.status = IMAP_AGAIN};
    while (atomic_load(&queued) < WAITS) {
        account_lock(&account);
        pending_finish_locked(&account, &queue, &err);
        account_unlock(&account);
    }
    run_all(NULL);
    return arg;
}

START_TEST(exactly_once_among_threads)
{
    pthread_t threads[3];
    for (int i = 0; i < WAITS; i++)
        many[i].wait.done = count;
    pthread_create(&threads[0], NULL, queue_them, NULL);
    pthread_create(&threads[1], NULL, cancel_some, NULL);
    pthread_create(&threads[2], NULL, run_them, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WAITS; i++)
        ck_assert_int_eq(many[i].told + cancelled[i], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_is_told_once_in_order);
    tcase_add_test(tcase, the_last_can_be_taken_and_another_added);
    tcase_add_test(tcase, a_refusal_comes_after_the_lock);
    tcase_add_test(tcase, exactly_once_among_threads);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
