/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. A waiting job is in the deadline list and its wait is queued; both were done under one hold of the
 *    account lock, so whoever ends it sees both or neither.
 * 2. The wait decides who goes on: its `done`, or the one whose wait_cancel succeeds. No other flag does,
 *    so there is exactly one reply.
 * 3. A job is taken off the list and its interrupt function is removed before its request is replied to.
 *    Removing waits for a running interrupt function (libfuse holds the request's lock around it), so
 *    that function never sees a freed job. It must therefore not reply itself, which would also free the
 *    request under libfuse's feet: it hands the job to the jobs thread.
 * 4. The jobs thread holds a reference while it looks at a job without the jobs lock.
 */
#include "job.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "../imap/mem.h"
#include "errmap.h"
#include "thread.h"

struct jobs {
    struct account *account;
    unsigned timeout_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* guarded by lock */
    struct job *first; /* by deadline */
    struct job *last;
    struct job *posted, **posted_tail; /* job_run_later */
    bool ending, stop;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the list, under the jobs lock ------------------------------------------------------------- */

static void unlist(struct jobs *jobs, struct job *job)
{
    if (!job->listed)
        return;
    if (job->previous)
        job->previous->next = job->next;
    else
        jobs->first = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        jobs->last = job->previous;
    job->next = NULL;
    job->previous = NULL;
    job->listed = false;
}

/* Interrupted ones first; deadlines mostly rise, so the place of others is looked for from the end. */
static void list(struct jobs *jobs, struct job *job)
{
    struct job *after = job->interrupted ? NULL : jobs->last;

    while (after && !after->interrupted && after->deadline_ms > job->deadline_ms)
        after = after->previous;
    job->previous = after;
    job->next = after ? after->next : jobs->first;
    if (job->next)
        job->next->previous = job;
    else
        jobs->last = job;
    if (after)
        after->next = job;
    else
        jobs->first = job;
    job->listed = true;
    if (jobs->first == job || jobs->ending)
        pthread_cond_signal(&jobs->wake);
}

static void discard(struct job *job)
{
    free(job->name);
    free(job->extra);
    free(job);
}

static void unref(struct job *job)
{
    struct jobs *jobs = job->jobs;

    pthread_mutex_lock(&jobs->lock);
    bool last = --job->references == 0;
    pthread_mutex_unlock(&jobs->lock);
    if (last)
        discard(job);
}

/* ---- how a job's wait ends --------------------------------------------------------------------- */

static void take_off(struct job *job)
{
    pthread_mutex_lock(&job->jobs->lock);
    unlist(job->jobs, job);
    pthread_mutex_unlock(&job->jobs->lock);
}

static void end(struct job *job, int error)
{
    if (job->abandon)
        job->abandon(job);
    job_reply_error(job, error);
}

static void done(struct wait *wait, const struct imap_error *err)
{
    struct job *job = (struct job *)((char *)wait - offsetof(struct job, body_wait.wait));

    take_off(job);
    if (err && err->status != IMAP_OK) {
        const int error = errmap_errno(err);
        end(job, error == ENOENT && job->by_inode ? ESTALE : error);
        return;
    }
    job->proven |= job->proves;
    job->run(job);
}

/* Called by libfuse with the request's lock held. */
static void interrupted(fuse_req_t req, void *data)
{
    struct job *job = data;
    struct jobs *jobs = job->jobs;

    (void)req;
    pthread_mutex_lock(&jobs->lock);
    job->interrupted = true;
    if (job->listed) {
        unlist(jobs, job);
        list(jobs, job);
    }
    pthread_mutex_unlock(&jobs->lock);
}

enum expiry { BY_DEADLINE, BY_SIGNAL, BY_END };

static int expiry_errno(struct job *job, enum expiry how)
{
    struct imap_error err = {0};

    if (how == BY_SIGNAL)
        return EINTR;
    if (how == BY_END)
        return ENOTCONN;
    account_reachability(job->jobs->account, &err);
    return err.status == IMAP_OK ? ETIMEDOUT : errmap_errno(&err);
}

/* ---- the jobs thread --------------------------------------------------------------------------- */

static void expire(struct jobs *jobs, struct job *job)
{
    enum expiry how = job->interrupted ? BY_SIGNAL : jobs->ending ? BY_END : BY_DEADLINE;

    unlist(jobs, job);
    job->references++;
    pthread_mutex_unlock(&jobs->lock);
    if (wait_cancel(jobs->account, &job->body_wait.wait))
        end(job, expiry_errno(job, how));
    unref(job); /* NOLINT(clang-analyzer-unix.Malloc): it is counted, having waited */
    pthread_mutex_lock(&jobs->lock);
}

static void run_posted(struct jobs *jobs)
{
    struct job *job = jobs->posted;

    jobs->posted = job->next;
    if (!jobs->posted)
        jobs->posted_tail = &jobs->posted;
    job->next = NULL;
    pthread_mutex_unlock(&jobs->lock);
    job->later(job);
    pthread_mutex_lock(&jobs->lock);
}

static void sleep_until_due(struct jobs *jobs)
{
    if (!jobs->first) {
        pthread_cond_wait(&jobs->wake, &jobs->lock);
        return;
    }
    int64_t due = jobs->first->deadline_ms;
    struct timespec until = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};
    pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until);
}

static void *watch(void *arg)
{
    struct jobs *jobs = arg;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stop || jobs->first || jobs->posted) {
        struct job *first = jobs->first;

        if (jobs->posted)
            run_posted(jobs);
        else if (first && (first->interrupted || jobs->ending || first->deadline_ms <= now_ms()))
            expire(jobs, first);
        else
            sleep_until_due(jobs);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

struct jobs *jobs_new(struct account *account, unsigned timeout_ms)
{
    struct jobs *jobs = imap_xcalloc(1, sizeof(*jobs));
    pthread_condattr_t attr;

    jobs->account = account;
    jobs->timeout_ms = timeout_ms;
    jobs->posted_tail = &jobs->posted;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->wake, &attr);
    pthread_condattr_destroy(&attr);
    thread_start(&jobs->thread, "jobs", watch, jobs);
    return jobs;
}

size_t jobs_waiting(struct jobs *jobs)
{
    size_t count = 0;

    pthread_mutex_lock(&jobs->lock);
    for (const struct job *job = jobs->first; job; job = job->next)
        count++;
    pthread_mutex_unlock(&jobs->lock);
    return count;
}

void jobs_end(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->ending = true;
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_stop(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->ending = jobs->stop = true;
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->thread, NULL);
}

void jobs_free(struct jobs **jobs)
{
    if (!*jobs)
        return;
    while ((*jobs)->posted) {
        pthread_mutex_lock(&(*jobs)->lock);
        run_posted(*jobs);
        pthread_mutex_unlock(&(*jobs)->lock);
    }
    pthread_cond_destroy(&(*jobs)->wake);
    pthread_mutex_destroy(&(*jobs)->lock);
    free(*jobs);
    *jobs = NULL;
}

/* ---- a job's life ------------------------------------------------------------------------------ */

struct job *job_new(struct fs *fs, struct jobs *jobs, fuse_req_t req, job_function *run, const char *name)
{
    struct job *job = imap_xcalloc(1, sizeof(*job));

    job->fs = fs;
    job->jobs = jobs;
    job->req = req;
    job->run = run;
    job->body_wait.wait.done = done;
    job->references = 1;
    job->deadline_ms = now_ms() + jobs->timeout_ms;
    if (name)
        job->name = imap_xstrdup(name);
    return job;
}

void job_extend(struct job *job, unsigned factor)
{
    job->deadline_ms += (int64_t)job->jobs->timeout_ms * (factor - 1);
}

void job_waits_locked(struct job *job, unsigned proves)
{
    struct jobs *jobs = job->jobs;

    job->proves = proves;
    pthread_mutex_lock(&jobs->lock);
    list(jobs, job);
    pthread_mutex_unlock(&jobs->lock);
    if (!job->watched) {
        job->watched = true;
        fuse_req_interrupt_func(job->req, interrupted, job); /* calls it at once if there was a signal */
    }
}

fuse_req_t job_take(struct job *job)
{
    fuse_req_t req = job->req;

    if (!job->watched) {
        discard(job);
        return req;
    }
    take_off(job);
    fuse_req_interrupt_func(req, NULL, NULL);
    unref(job);
    return req;
}

void job_reply_error(struct job *job, int error)
{
    fuse_reply_err(job_take(job), error);
}

void job_run_later(struct job *job, job_function *later)
{
    struct jobs *jobs = job->jobs;

    job->later = later;
    pthread_mutex_lock(&jobs->lock);
    *jobs->posted_tail = job;
    jobs->posted_tail = &job->next;
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}
