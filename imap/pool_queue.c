/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "pool_impl.h"

static bool same_name(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void imap_job_queue_init(struct imap_job_queue *queue)
{
    queue->first = NULL;
    queue->tail = &queue->first;
}

struct imap_place *imap_place_find(const struct imap_pool *pool, const char *name)
{
    struct imap_place *place = pool->places;

    while (place && (place->gone || !same_name(place->name, name)))
        place = place->next;
    return place;
}

struct imap_place *imap_place_get(struct imap_pool *pool, const char *name)
{
    struct imap_place *place = imap_place_find(pool, name);

    if (!place) {
        place = imap_xcalloc(1, sizeof(*place));
        place->name = name ? imap_xstrdup(name) : NULL;
        for (int kind = 0; kind < IMAP_JOB_KINDS; kind++)
            for (int urgent = 0; urgent < 2; urgent++)
                imap_job_queue_init(&place->queue[kind][urgent]);
        place->next = pool->places;
        pool->places = place;
    }
    return imap_place_ref(place);
}

struct imap_place *imap_place_ref(struct imap_place *place)
{
    place->refs++;
    return place;
}

void imap_place_put(struct imap_pool *pool, struct imap_place **place)
{
    struct imap_place *gone = *place;

    *place = NULL;
    if (!gone || --gone->refs > 0)
        return;
    struct imap_place **link = &pool->places;
    while (*link != gone)
        link = &(*link)->next;
    *link = gone->next;
    free(gone->name);
    free(gone);
}

static void append(struct imap_job_queue *queue, struct imap_job *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
}

void imap_job_enqueue(struct imap_pool *pool, struct imap_job *job)
{
    job->number = pool->next_number++;
    append(&job->place->queue[job->kind][job->urgent], job);
    job->place->weight += job->weight;
    pool->queued[job->kind]++;
}

bool imap_job_before(const struct imap_job *a, const struct imap_job *b)
{
    if (!a || !b)
        return a != NULL;
    return a->urgent != b->urgent ? a->urgent : a->number < b->number;
}

struct imap_job *imap_job_peek(const struct imap_place *place, unsigned kinds)
{
    struct imap_job *best = NULL;

    for (int kind = 0; kind < IMAP_JOB_KINDS; kind++) {
        if (!(kinds & 1u << kind))
            continue;
        for (int urgent = 0; urgent < 2; urgent++)
            if (imap_job_before(place->queue[kind][urgent].first, best))
                best = place->queue[kind][urgent].first;
    }
    return best;
}

void imap_job_dequeue(struct imap_pool *pool, struct imap_job *job)
{
    struct imap_job_queue *queue = &job->place->queue[job->kind][job->urgent];

    queue->first = job->next;
    if (!queue->first)
        queue->tail = &queue->first;
    job->next = NULL;
    job->place->weight -= job->weight;
    pool->queued[job->kind]--;
}

void imap_job_dequeue_all(struct imap_pool *pool, struct imap_place *place, unsigned kinds, int64_t queued_ms,
                          struct imap_job_queue *out)
{
    for (struct imap_place *at = place ? place : pool->places; at; at = place ? NULL : at->next) {
        struct imap_job *job;
        for (int kind = 0; kind < IMAP_JOB_KINDS; kind++) {
            for (int urgent = 0; urgent < 2 && kinds & 1u << kind; urgent++) {
                while ((job = at->queue[kind][urgent].first) != NULL && job->queued_ms <= queued_ms) {
                    imap_job_dequeue(pool, job);
                    append(out, job);
                }
            }
        }
    }
}
