/* SPDX-License-Identifier: MIT */
/*
 * check: reads bodies back from disk and makes their digest, on a thread of its own.
 *
 * Either a body that an earlier mount has written is proven before it is served; or one that came in pieces,
 * of which nobody saw all bytes in their order, gets its digest. While it is being checked a body and its
 * extent stay. The thread also drops what is kept of mailboxes that are no more, and what is too much, in slices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "body_internal.h"
#include "thread.h"

#define CHUNK (256u << 10)
#define SLICE 65536u /* entries looked at while the lock is held */

/* Of a mailbox whose UIDs mean nothing any more. */
struct lost_name {
    struct lost_name *next;
    uint64_t high;
    uint32_t uidvalidity;
};

/* Where the thread is with dropping entries: at..0 are still to be looked at. */
struct sweep {
    struct lost_name *lost;
    size_t at;
};

/* ---- whoever reads back ----------------------------------------------------------------------------- */

/* False when it cannot be read, or when there is no time any more. */
static bool read_back(struct bodies *bodies, const struct body *body, struct digest *digest, char *buf)
{
    ssize_t n;
    for (uint64_t at = 0; at < body->size; at += (uint64_t)n) {
        n = extent_read(&body->extent, at, buf, CHUNK);
        if (n <= 0 || atomic_load(&bodies->checker.stop))
            return false;
        digest_add(digest, buf, (size_t)n);
    }
    return true;
}

static void checked_locked(struct bodies *bodies, struct body *body, bool read, uint64_t digest)
{
    body->checking = false;
    if (body->unproven && !bodies->stopped) {
        if (read && digest == kept_any(bodies->kept, &body->key)->digest)
            keeping_proven_locked(bodies, body);
        else
            keeping_disproved_locked(bodies, body);
    } else if (read && !body->kept) {
        keeping_keep_locked(bodies, body, digest);
    } else if (!body->kept) {
        bodies_unindex_locked(bodies,
                              body); /* it cannot be read, so the next one who wants it gets it anew */
    }
    bodies_settle_locked(bodies, body);
}

bool body_check_here_locked(struct body *body)
{
    if (!body->unproven || body->checking || body->size > BODY_WHOLE_MAX)
        return false;
    body->checking = true;
    return true;
}

void body_check(struct body *body)
{
    struct bodies *bodies = mailbox_account(body->mailbox)->bodies;
    char *buf = imap_xmalloc((size_t)body->size + 1);
    const bool read = extent_read(&body->extent, 0, buf, (size_t)body->size) == (ssize_t)body->size;
    const uint64_t digest = read ? digest_of(&body->key, buf, (size_t)body->size) : 0;
    free(buf);
    account_lock(bodies->account);
    checked_locked(bodies, body, read, digest);
    bodies_unlock(bodies);
}

void check_locked(struct bodies *bodies, struct body *body)
{
    struct checker *checker = &bodies->checker;
    if (body->checking || !checker->running || bodies->stopped)
        return;
    body->checking = true;
    body->check_next = NULL;
    *checker->tail = body;
    checker->tail = &body->check_next;
    sem_post(&checker->work);
}

void check_wake_locked(struct bodies *bodies)
{
    int waiting = 0;
    if (bodies->checker.running && sem_getvalue(&bodies->checker.work, &waiting) == 0 && waiting == 0)
        sem_post(&bodies->checker.work);
}

static struct body *take_locked(struct checker *checker)
{
    struct body *body = checker->first;
    if (body) {
        checker->first = body->check_next;
        if (!checker->first)
            checker->tail = &checker->first;
    }
    return body;
}

/* ---- mailboxes that are no more --------------------------------------------------------------------- */

void check_mailbox_lost_locked(struct bodies *bodies, const struct mailbox *mailbox)
{
    if (!bodies->checker.running)
        return;
    struct lost_name *lost = imap_xcalloc(1, sizeof *lost);
    *lost = (struct lost_name){.next = bodies->checker.lost,
                               .high = keeping_key(mailbox, 0).high,
                               .uidvalidity = mailbox->uidvalidity};
    bodies->checker.lost = lost;
    sem_post(&bodies->checker.work);
}

static bool is_lost(const struct lost_name *lost, const struct kept_key *key)
{
    while (lost && (lost->high != key->high || lost->uidvalidity != key->low >> 32))
        lost = lost->next;
    return lost != NULL;
}

static void free_lost(struct lost_name **lost)
{
    for (struct lost_name *next; *lost; *lost = next) {
        next = (*lost)->next;
        free(*lost);
    }
}

/* Downwards, so that what is moved to the place of a dropped one has been looked at. True: there is more. */
static bool sweep_locked(struct bodies *bodies, struct sweep *sweep)
{
    if (!sweep->lost && bodies->checker.lost) {
        *sweep = (struct sweep){bodies->checker.lost, kept_count(bodies->kept)};
        bodies->checker.lost = NULL;
    }
    if (sweep->at > kept_count(bodies->kept))
        sweep->at = kept_count(bodies->kept);
    for (unsigned i = 0; sweep->at > 0 && i < SLICE; i++) {
        const struct kept_key key = kept_at(bodies->kept, --sweep->at)->key;
        if (is_lost(sweep->lost, &key))
            keeping_forget_locked(bodies, &key);
    }
    if (!sweep->at)
        free_lost(&sweep->lost);
    return sweep->lost || bodies->checker.lost;
}

/* ---- the thread ------------------------------------------------------------------------------------- */

static void check_one(struct bodies *bodies, struct body *body, struct digest *digest, char *buf)
{
    digest_begin(digest, &body->key, body->size);
    const bool read = read_back(bodies, body, digest, buf);
    const uint64_t result = read ? digest_end(digest) : 0;
    account_lock(bodies->account);
    checked_locked(bodies, body, read, result);
    bodies_unlock(bodies);
}

static void *run(void *arg)
{
    struct bodies *bodies = arg;
    struct checker *checker = &bodies->checker;
    struct digest *digest = digest_new();
    char *buf = imap_xmalloc(CHUNK);
    struct sweep sweep = {0};
    bool more = false;
    for (;;) {
        if (!more)
            while (sem_wait(&checker->work) < 0 && errno == EINTR)
                ;
        if (atomic_load(&checker->stop))
            break;
        account_lock(bodies->account);
        struct body *body = take_locked(checker);
        more = sweep_locked(bodies, &sweep) || checker->first;
        bodies_trim_locked(bodies);
        bodies_unlock(bodies);
        if (body)
            check_one(bodies, body, digest, buf);
    }
    free_lost(&sweep.lost);
    free(buf);
    digest_free(&digest);
    return NULL;
}

void check_begin(struct bodies *bodies)
{
    struct checker *checker = &bodies->checker;
    checker->tail = &checker->first;
    atomic_init(&checker->stop, false);
    sem_init(&checker->work, 0, 0);
    checker->running = true;
    thread_start(&checker->thread, "check", run, bodies);
}

void check_stop(struct bodies *bodies)
{
    struct checker *checker = &bodies->checker;
    if (!checker->running)
        return;
    atomic_store(&checker->stop, true);
    sem_post(&checker->work);
    pthread_join(checker->thread, NULL);
    account_lock(bodies->account);
    checker->running = false;
    for (struct body *body; (body = take_locked(checker));) {
        body->checking = false;
        bodies_settle_locked(bodies, body);
    }
    free_lost(&checker->lost);
    bodies_unlock(bodies);
    sem_destroy(&checker->work);
}
