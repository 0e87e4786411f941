/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cmd.h"
#include "mem.h"
#include "pool_impl.h"

static void pass_response(void *arg, const struct imap_response *response)
{
    const struct imap_job *job = arg;
    job->events.response(job->arg, response);
}

static bool pass_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    const struct imap_job *job = arg;
    return job->events.body_begin(job->arg, so_far, section);
}

static void pass_body_data(void *arg, const void *data, size_t len)
{
    const struct imap_job *job = arg;
    job->events.body_data(job->arg, data, len);
}

static void pass_body_end(void *arg)
{
    const struct imap_job *job = arg;
    job->events.body_end(job->arg);
}

static void pass_continuation(void *arg, const char *text, size_t len)
{
    const struct imap_job *job = arg;
    job->events.continuation(job->arg, text, len);
}

/* The room that the job took is free before the caller hears of it: what he submits now may use it. */
static void pass_done(void *arg, const struct imap_result *result)
{
    struct imap_job *job = arg;
    struct imap_conn *conn = job->conn;
    struct imap_pool *pool = conn->pool;

    pthread_mutex_lock(&pool->lock);
    conn->jobs--;
    conn->weight -= job->weight;
    pthread_mutex_unlock(&pool->lock);
    if (job->events.done)
        job->events.done(job->arg, result);
    job->command = NULL; /* the session's, to be freed by it */
    imap_job_free(pool, job);
}

struct imap_job *imap_job_new(struct imap_command *command)
{
    struct imap_job *job = imap_xcalloc(1, sizeof(*job));
    job->command = command;
    job->events = command->events;
    job->arg = command->arg;
    return job;
}

void imap_job_free(struct imap_pool *pool, struct imap_job *job)
{
    pthread_mutex_lock(&pool->lock);
    imap_place_put(pool, &job->place);
    pthread_mutex_unlock(&pool->lock);
    if (job->command)
        imap_command_free(&job->command);
    free(job);
}

/* Whether the mailbox that is selected now is the one that the job is about, and may be changed. */
static bool fits(const struct imap_conn *conn, const struct imap_job *job, struct imap_error *why)
{
    const struct imap_selected *selected = imap_session_selected(conn->line.session);
    const uint32_t uidvalidity = selected->uidvalidity != 0 ? selected->uidvalidity : 1;

    if (uidvalidity != job->uidvalidity) {
        imap_error_set(why, IMAP_GONE, "the mailbox was replaced by another one of its name");
        why->code = IMAP_CODE_UIDVALIDITY;
        return false;
    }
    if (job->changes && selected->read_only) {
        imap_error_set(why, IMAP_NO, "the server lets the mailbox be read only");
        why->code = IMAP_CODE_READ_ONLY;
        return false;
    }
    return true;
}

static void refuse(struct imap_job *job, const struct imap_error *why)
{
    const struct imap_result result = {.status = why->status, .error = why};
    struct imap_command *command = job->command;

    pass_done(job, &result);
    imap_command_free(&command);
}

void imap_job_run(struct imap_conn *conn, struct imap_job *job)
{
    struct imap_error why = {0};

    const struct imap_command_events ours = {
        .response = job->events.response ? pass_response : NULL,
        .body_begin = job->events.body_begin ? pass_body_begin : NULL,
        .body_data = job->events.body_data ? pass_body_data : NULL,
        .body_end = job->events.body_end ? pass_body_end : NULL,
        .continuation = job->events.continuation ? pass_continuation : NULL,
        .done = pass_done,
    };

    if (job->uidvalidity != 0 && !fits(conn, job, &why)) {
        refuse(job, &why);
        return;
    }
    imap_command_on(job->command, &ours, job);
    imap_session_submit(conn->line.session, job->command, NULL);
}

void imap_job_fail_all(struct imap_pool *pool, struct imap_job_queue *jobs, const struct imap_error *why)
{
    const struct imap_result result = {.status = why->status, .error = why};
    struct imap_job *job;

    while ((job = jobs->first) != NULL) {
        jobs->first = job->next;
        if (job->events.done)
            job->events.done(job->arg, &result);
        imap_job_free(pool, job);
    }
    imap_job_queue_init(jobs);
}
