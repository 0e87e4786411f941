/* SPDX-License-Identifier: MIT */
/*
 * Jobs against a libfuse and an account of our own making, which keep to the same locking: the request's
 * lock is held around its interrupt function, a request is freed by its reply.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"
#include "job.h"
#include "unit_main.h"

/* ---- the account ------------------------------------------------------------------------------- */

struct account {
    pthread_mutex_t lock;
    struct wait_queue waits;
    struct imap_error trouble;
};

static struct account the_account = {.lock = PTHREAD_MUTEX_INITIALIZER};

void account_lock(struct account *account)
{
    pthread_mutex_lock(&account->lock);
}

void account_unlock(struct account *account)
{
    pthread_mutex_unlock(&account->lock);
}

void account_reachability(struct account *account, struct imap_error *err_out)
{
    *err_out = account->trouble;
}

/* What was waited for has come, or failed. */
static void finish_waits(const struct imap_error *err)
{
    struct wait_queue ended;

    wait_queue_init(&ended);
    account_lock(&the_account);
    wait_queue_move(&the_account.waits, &ended);
    account_unlock(&the_account);
    wait_queue_run(&ended, err);
}

/* ---- libfuse ----------------------------------------------------------------------------------- */

/* What became of a request, which outlives it. */
struct record {
    pthread_mutex_t lock;
    pthread_cond_t replied;
    int replies, error;
};

struct fuse_req {
    pthread_mutex_t lock;
    struct record *record;
    fuse_interrupt_func_t func;
    void *data;
    bool interrupted;
    int references; /* guarded by lock of the record */
};

static struct record *record_new(void)
{
    struct record *record = imap_xcalloc(1, sizeof(*record));

    pthread_mutex_init(&record->lock, NULL);
    pthread_cond_init(&record->replied, NULL);
    record->error = -1;
    return record;
}

static fuse_req_t request_new(struct record *record)
{
    fuse_req_t req = imap_xcalloc(1, sizeof(*req));

    pthread_mutex_init(&req->lock, NULL);
    req->record = record;
    req->references = 1;
    return req;
}

static void request_unref(fuse_req_t req, bool replied, int error)
{
    struct record *record = req->record;

    pthread_mutex_lock(&record->lock);
    if (replied) {
        record->replies++;
        record->error = error;
        pthread_cond_signal(&record->replied);
        req->func = NULL;
    }
    bool last = --req->references == 0;
    pthread_mutex_unlock(&record->lock);
    if (last) {
        pthread_mutex_destroy(&req->lock);
        free(req);
    }
}

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
    pthread_mutex_lock(&req->lock);
    pthread_mutex_lock(&req->record->lock);
    req->func = func;
    req->data = data;
    pthread_mutex_unlock(&req->record->lock);
    if (req->interrupted && func)
        func(req, data);
    pthread_mutex_unlock(&req->lock);
}

int fuse_reply_err(fuse_req_t req, int err)
{
    request_unref(req, true, err);
    return 0;
}

/* As the kernel's INTERRUPT of a request that libfuse still has in its list (references > 0). */
static void interrupt(fuse_req_t req)
{
    fuse_interrupt_func_t func;
    void *data;

    pthread_mutex_lock(&req->lock);
    req->interrupted = true;
    pthread_mutex_lock(&req->record->lock);
    func = req->func;
    data = req->data;
    pthread_mutex_unlock(&req->record->lock);
    if (func)
        func(req, data);
    pthread_mutex_unlock(&req->lock);
}

static int error_of(struct record *record)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&record->lock);
    while (!record->replies)
        ck_assert_int_eq(pthread_cond_timedwait(&record->replied, &record->lock, &until), 0);
    int error = record->error;
    ck_assert_int_eq(record->replies, 1);
    pthread_mutex_unlock(&record->lock);
    return error;
}

/* ---- an operation ------------------------------------------------------------------------------ */

static int abandoned;
static unsigned wanted; /* bits that must be proven before it is done */

static void count_abandoned(struct job *job)
{
    (void)job;
    __atomic_add_fetch(&abandoned, 1, __ATOMIC_SEQ_CST);
}

/* Waits until all bits of `wanted` are proven, one by one, then succeeds. */
static void run(struct job *job)
{
    account_lock(&the_account);
    for (unsigned bit = 1; bit <= wanted; bit <<= 1) {
        if (wanted & bit && !(job->proven & bit)) {
            wait_queue_add(&the_account.waits, &job->body_wait.wait);
            job_waits_locked(job, bit);
            account_unlock(&the_account);
            return;
        }
    }
    account_unlock(&the_account);
    job_reply_error(job, 0);
}

static void start(struct jobs *jobs, fuse_req_t req)
{
    struct job *job = job_new(NULL, jobs, req, run, "name");

    job->abandon = count_abandoned;
    run(job);
}

static struct jobs *set_up(unsigned timeout_ms, unsigned bits)
{
    wait_queue_init(&the_account.waits);
    the_account.trouble = (struct imap_error){0};
    wanted = bits;
    abandoned = 0;
    return jobs_new(&the_account, timeout_ms);
}

static void tear_down(struct jobs *jobs)
{
    jobs_stop(jobs);
    jobs_free(&jobs);
}

static void record_free(struct record *record)
{
    pthread_cond_destroy(&record->replied);
    pthread_mutex_destroy(&record->lock);
    free(record);
}

/* ---- tests ------------------------------------------------------------------------------------- */

START_TEST(answered_without_waiting)
{
    struct jobs *jobs = set_up(60000, 0);
    struct record *record = record_new();

    start(jobs, request_new(record));
    ck_assert_int_eq(error_of(record), 0);
    tear_down(jobs);
    record_free(record);
}
END_TEST

START_TEST(runs_again_after_each_wait)
{
    struct jobs *jobs = set_up(60000, 3);
    struct record *record = record_new();

    start(jobs, request_new(record));
    ck_assert_int_eq(record->replies, 0);
    finish_waits(NULL);
    ck_assert_int_eq(record->replies, 0);
    finish_waits(NULL);
    ck_assert_int_eq(error_of(record), 0);
    ck_assert_int_eq(abandoned, 0);
    tear_down(jobs);
    record_free(record);
}
END_TEST

START_TEST(failed_wait)
{
    struct jobs *jobs = set_up(60000, 1);
    struct record *record = record_new();
    struct imap_error gone = {.status = IMAP_GONE};

    start(jobs, request_new(record));
    finish_waits(&gone);
    ck_assert_int_eq(error_of(record), ENOENT);
    ck_assert_int_eq(abandoned, 1);
    tear_down(jobs);
    record_free(record);
}
END_TEST

START_TEST(deadline)
{
    struct jobs *jobs = set_up(30, 1);
    struct record *record = record_new();

    start(jobs, request_new(record));
    ck_assert_int_eq(error_of(record), ETIMEDOUT);
    ck_assert_int_eq(abandoned, 1);
    ck_assert_ptr_null(the_account.waits.first);
    tear_down(jobs);
    record_free(record);
}
END_TEST

START_TEST(deadline_while_unreachable)
{
    struct jobs *jobs = set_up(30, 1);
    struct record *record = record_new();

    the_account.trouble = (struct imap_error){.status = IMAP_AGAIN};
    start(jobs, request_new(record));
    ck_assert_int_eq(error_of(record), EHOSTUNREACH);
    tear_down(jobs);
    record_free(record);
}
END_TEST

START_TEST(earlier_deadline_of_a_later_job)
{
    struct jobs *jobs = set_up(40, 1);
    struct record *slow = record_new();
    struct record *quick = record_new();
    struct job *job = job_new(NULL, jobs, request_new(slow), run, NULL);

    job_extend(job, 1000);
    run(job);
    start(jobs, request_new(quick));
    ck_assert_int_eq(error_of(quick), ETIMEDOUT);
    ck_assert_int_eq(slow->replies, 0);
    finish_waits(NULL);
    ck_assert_int_eq(error_of(slow), 0);
    tear_down(jobs);
    record_free(slow);
    record_free(quick);
}
END_TEST

START_TEST(signal_while_waiting)
{
    struct jobs *jobs = set_up(60000, 1);
    struct record *record = record_new();
    struct record *other = record_new();
    fuse_req_t req = request_new(record);

    start(jobs, request_new(other));
    start(jobs, req);
    req->references++; /* libfuse's own while it interrupts */
    interrupt(req);
    request_unref(req, false, 0);
    ck_assert_int_eq(error_of(record), EINTR);
    ck_assert_int_eq(abandoned, 1);
    ck_assert_int_eq(other->replies, 0);
    finish_waits(NULL);
    ck_assert_int_eq(error_of(other), 0);
    tear_down(jobs);
    record_free(record);
    record_free(other);
}
END_TEST

START_TEST(signal_before_waiting)
{
    struct jobs *jobs = set_up(60000, 1);
    struct record *record = record_new();
    fuse_req_t req = request_new(record);

    interrupt(req); /* libfuse tells at registration */
    start(jobs, req);
    ck_assert_int_eq(error_of(record), EINTR);
    tear_down(jobs);
    record_free(record);
}
END_TEST

static int later_calls;

static void later(struct job *job)
{
    later_calls++;
    job_reply_error(job, 0);
}

START_TEST(later_on_the_jobs_thread)
{
    struct jobs *jobs = set_up(60000, 0);
    struct record *record = record_new();

    later_calls = 0;
    job_run_later(job_new(NULL, jobs, request_new(record), run, NULL), later);
    ck_assert_int_eq(error_of(record), 0);
    tear_down(jobs);
    ck_assert_int_eq(later_calls, 1);
    record_free(record);
}
END_TEST

START_TEST(later_is_not_lost_at_the_end)
{
    struct jobs *jobs = set_up(60000, 0);
    struct record *record = record_new();

    jobs_stop(jobs);
    job_run_later(job_new(NULL, jobs, request_new(record), run, NULL), later);
    jobs_free(&jobs);
    ck_assert_int_eq(error_of(record), 0);
    record_free(record);
}
END_TEST

START_TEST(the_end_waits_for_nothing)
{
    struct jobs *jobs = set_up(60000, 1);
    struct record *before = record_new();
    struct record *after = record_new();

    start(jobs, request_new(before));
    jobs_end(jobs);
    ck_assert_int_eq(error_of(before), ENOTCONN);
    start(jobs, request_new(after));
    ck_assert_int_eq(error_of(after), ENOTCONN);
    ck_assert_int_eq(abandoned, 2);
    tear_down(jobs);
    record_free(before);
    record_free(after);
}
END_TEST

START_TEST(stopping_ends_what_waits)
{
    struct jobs *jobs = set_up(60000, 1);
    struct record *record = record_new();

    start(jobs, request_new(record));
    jobs_stop(jobs);
    ck_assert_int_eq(record->replies, 1);
    ck_assert_int_eq(error_of(record), ENOTCONN);
    jobs_free(&jobs);
    record_free(record);
}
END_TEST

/* ---- all at once -------------------------------------------------------------------------------- */

#define RACERS 3000

static struct {
    fuse_req_t requests[RACERS];
    struct record *records[RACERS];
    int started; /* atomic */
    bool over;   /* atomic */
} race;

static void *interrupt_some(void *arg)
{
    (void)arg;
    for (int next = 0; next < RACERS;) {
        if (next >= __atomic_load_n(&race.started, __ATOMIC_ACQUIRE)) {
            sched_yield();
            continue;
        }
        fuse_req_t req = race.requests[next];
        if (next % 3 != 0)
            interrupt(req);
        request_unref(req, false, 0);
        next++;
    }
    return NULL;
}

static void *finish_all(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&race.over, __ATOMIC_ACQUIRE)) {
        finish_waits(NULL);
        sched_yield();
    }
    return NULL;
}

START_TEST(one_reply_whatever_races)
{
    struct jobs *jobs = set_up(1, 7); /* deadlines pass all the time */
    pthread_t threads[2];

    race.started = 0;
    race.over = false;
    pthread_create(&threads[0], NULL, interrupt_some, NULL);
    pthread_create(&threads[1], NULL, finish_all, NULL);
    for (int i = 0; i < RACERS; i++) {
        race.records[i] = record_new();
        race.requests[i] = request_new(race.records[i]);
        race.requests[i]->references = 2; /* the interrupter's */
        start(jobs, race.requests[i]);
        __atomic_store_n(&race.started, i + 1, __ATOMIC_RELEASE);
    }
    for (int i = 0; i < RACERS; i++) {
        int error = error_of(race.records[i]);
        ck_assert_msg(error == 0 || error == EINTR || error == ETIMEDOUT, "%d", error);
    }
    __atomic_store_n(&race.over, true, __ATOMIC_RELEASE);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    ck_assert_ptr_null(the_account.waits.first);
    tear_down(jobs);
    for (int i = 0; i < RACERS; i++) {
        ck_assert_int_eq(race.records[i]->replies, 1);
        record_free(race.records[i]);
    }
}
END_TEST

UNIT_MAIN("job", answered_without_waiting, runs_again_after_each_wait, failed_wait, deadline,
          deadline_while_unreachable, earlier_deadline_of_a_later_job, signal_while_waiting,
          signal_before_waiting, later_on_the_jobs_thread, later_is_not_lost_at_the_end,
          the_end_waits_for_nothing, stopping_ends_what_waits, one_reply_whatever_races)
