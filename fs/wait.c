/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <stddef.h>

#include "account.h"

void wait_queue_init(struct wait_queue *queue)
{
    queue->first = NULL;
    queue->tail = &queue->first;
}

void wait_queue_add(struct wait_queue *queue, struct wait *wait)
{
    wait->next = NULL;
    wait->link = queue->tail;
    wait->queue = queue;
    *queue->tail = wait;
    queue->tail = &wait->next;
}

void wait_take(struct wait *wait)
{
    if (!wait->link)
        return;
    *wait->link = wait->next;
    if (wait->next)
        wait->next->link = wait->link;
    else
        wait->queue->tail = wait->link;
    wait->next = NULL;
    wait->link = NULL;
    wait->queue = NULL;
}

void wait_queue_move(struct wait_queue *from, struct wait_queue *to)
{
    if (!from->first)
        return;
    for (struct wait *wait = from->first; wait; wait = wait->next) {
        wait->link = NULL; /* whoever cancels from now on must let done come */
        wait->queue = NULL;
    }
    *to->tail = from->first;
    to->tail = from->tail;
    wait_queue_init(from);
}

void wait_queue_run(struct wait_queue *queue, const struct imap_error *err)
{
    struct wait *wait = queue->first;
    wait_queue_init(queue);
    while (wait) {
        struct wait *next = wait->next; /* done may free it */
        wait->next = NULL;
        wait->done(wait, err);
        wait = next;
    }
}

bool wait_cancel(struct account *account, struct wait *wait)
{
    account_lock(account);
    const bool queued = wait->link != NULL;
    wait_take(wait);
    account_unlock(account);
    return queued;
}
