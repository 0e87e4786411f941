/* SPDX-License-Identifier: MIT */
/*
 * job: a request of the kernel's that cannot be answered from memory and waits for the model.
 *
 * It ends by what comes first: what it waits for (then its operation is run again, which looks up anew
 * whatever it needs), a signal to the asking process (EINTR at once), or its deadline (ETIMEDOUT; or
 * the account's trouble, as EHOSTUNREACH).
 *
 * An operation makes a job, and its `run` either takes the request (job_take) and replies to it, or
 * leaves the job waiting (job_waits_locked, then account_unlock); in both cases the job is not the
 * operation's any more.
 *
 * Threads: `run` is called without locks, on a thread of the kernel's or of the model's; it must not
 * block. Lock order: account, then a request's own lock (libfuse's), then jobs.
 */
#ifndef FS_JOB_H
#define FS_JOB_H

#include <fuse_lowlevel.h>

#include "body.h"

struct file;
struct fs;
struct job;
struct jobs;

typedef void job_function(struct job *job);

struct job {
    /* the operation's */
    struct fs *fs;
    job_function *run;
    job_function *abandon; /* before the job module replies with an error; NULL: nothing to undo */
    fuse_ino_t ino;
    struct fuse_file_info fi;
    struct file *file;
    size_t size;
    off_t offset;
    uint64_t told;   /* the size that the kernel believes, if that is known */
    unsigned proven; /* bits of what has been waited for with success, for run to set and to read */
    unsigned proves; /* what the present wait proves when it succeeds */
    char *name;
    void *extra; /* freed with the job */
    /* What has gone is not "no such file" but ESTALE, upon which open(2) looks its name up anew. */
    bool by_inode;
    bool expects;          /* op_settle.h: the message that is meant has this date */
    int64_t expected_date; /* Unix */

    struct body_wait body_wait; /* queue this one, or .wait of it */

    /* job.c's */
    fuse_req_t req;
    struct jobs *jobs;
    int64_t deadline_ms; /* CLOCK_MONOTONIC; guarded by jobs once it waits, as all below */
    bool watched;        /* has waited: the interrupt function is set */
    bool interrupted;    /* a signal came */
    bool listed;         /* in the list of deadlines */
    unsigned references; /* the owner's, and the jobs thread's while it looks at it */
    job_function *later;
    struct job *previous, *next;
};

/* timeout_ms: how long a request may take. */
struct jobs *jobs_new(struct account *account, unsigned timeout_ms);
/* From now on nothing is waited for: whatever waits, or wants to, ends with ENOTCONN at once. */
void jobs_end(struct jobs *jobs);
/* The same, and joins the thread. Jobs that the model is just about to end are ended by it, or by
 * account_close, which comes between this and jobs_free. */
void jobs_stop(struct jobs *jobs);
void jobs_free(struct jobs **jobs);

size_t jobs_waiting(struct jobs *jobs); /* so many requests do */

/* name may be NULL; it is copied. */
struct job *job_new(struct fs *fs, struct jobs *jobs, fuse_req_t req, job_function *run, const char *name);
/* Multiplies the time that the request may take: for what has to fetch much. Before the first wait. */
void job_extend(struct job *job, unsigned factor);
/* body_wait was queued under the account lock, which is still held: from here on done, signal and
 * deadline find the job. */
void job_waits_locked(struct job *job, unsigned proves);
/* Ends the job, which is freed, and gives its request to be replied to: exactly once. */
fuse_req_t job_take(struct job *job);
/* Ends it with a positive errno. */
void job_reply_error(struct job *job, int error);
/* Has later(job) called on the jobs thread; that is where the kernel may be notified before a reply. */
void job_run_later(struct job *job, job_function *later);

#endif
