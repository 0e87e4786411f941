/* SPDX-License-Identifier: MIT */
/*
 * cp asks for all of a file at once and closes it, so whatever the call is asked for beyond a whole message into an
 * empty file is answered with EOPNOTSUPP: then the kernel reads and writes (fuse_copy_file_range in the kernel's
 * fs/fuse/file.c). Never with ENOSYS: the kernel would not ask again. What the server says is told by close(2), as
 * of anything that is written: no program takes that for a reason to copy by itself.
 */
#include "op_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "draftcopy.h"
#include "node.h"
#include "writeback.h"

#define EXPECTED_MS 10000
#define SLOWEST_LINE (UINT64_C(64) << 10) /* octets a second, as for sending */

/* ---- who copies -------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "" when it cannot be told. */
static void program_of(pid_t pid, char program[OPS_PROGRAM_SIZE])
{
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    const int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const ssize_t n = fd >= 0 ? read(fd, program, OPS_PROGRAM_SIZE - 1) : 0;
    program[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static void note_copier(struct fs *fs, pid_t pid)
{
    char program[OPS_PROGRAM_SIZE];

    program_of(pid, program);
    account_lock(fs->account);
    fs->copier.until_ms = now_ms() + EXPECTED_MS;
    memcpy(fs->copier.program, program, sizeof(program));
    account_unlock(fs->account);
}

bool op_copy_is_expected(struct fs *fs, pid_t pid)
{
    char program[OPS_PROGRAM_SIZE];
    char copier[OPS_PROGRAM_SIZE];
    struct imap_error outage = {0};

    account_lock(fs->account);
    const bool recently = fs->copier.until_ms > now_ms();
    memcpy(copier, fs->copier.program, sizeof(copier));
    account_unlock(fs->account);
    if (!recently)
        return false;
    program_of(pid, program);
    account_reachability(fs->account, &outage); /* what cannot be reached is refused when it is opened */
    return *program && strcmp(program, copier) == 0 && !outage.status;
}

void op_copy_disappointed_locked(struct fs *fs)
{
    fs->copier.until_ms = 0;
}

/* ---- copying ----------------------------------------------------------------------------------------- */

static bool begin_locked(struct fs *fs, fuse_ino_t ino_in, const struct fuse_file_info *fi_out, size_t len,
                         uint64_t *size_out)
{
    struct mailbox *mailbox;
    struct message message;

    if (!node_uid(ino_in) || node_message_locked(fs->account, ino_in, &mailbox, &message) ||
        message.size > len || writeback_hides_locked(mailbox, message.uid) ||
        /* it may be gone by then */ !op_draft_copy_locked(fi_out, mailbox, &message))
        return false;
    *size_out = message.size;
    return true;
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                        fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t len,
                        int flags)
{
    struct fs *fs = ops_fs(req);
    uint64_t size = 0;
    bool begun = false;

    (void)fi_in;
    if (!offset_in && !offset_out && !flags && node_is_draft(fs->account, ino_out) &&
        !node_is_draft(fs->account, ino_in)) {
        account_lock(fs->account);
        begun = begin_locked(fs, ino_in, fi_out, len, &size);
        account_unlock(fs->account);
    }
    if (!begun) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    note_copier(fs, fuse_req_ctx(req)->pid);
    fuse_reply_write(req, (size_t)size);
}

/* ---- where the bytes are wanted ------------------------------------------------------------------------ */

static struct draft *hollow_locked(struct fs *fs, fuse_ino_t ino)
{
    struct draft *draft = draft_by_number_locked(fs->account, node_uid(ino));

    return draft && draftcopy_is_hollow_locked(draft) ? draft : NULL;
}

static void begin_again(struct job *job)
{
    struct op_again *again = job->extra;

    job->extra = NULL;
    again->begin(job_take(job), again);
    free(again);
}

static void fill_run(struct job *job)
{
    struct fs *fs = job->fs;
    int error = EAGAIN;

    while (error == EAGAIN) {
        account_lock(fs->account);
        struct draft *draft = hollow_locked(fs, job->ino);
        const bool fills = draft && draftcopy_can_fill_locked(draft, &job->body_wait);
        if (draft && !fills)
            job_waits_locked(job, 0);
        account_unlock(fs->account);
        if (draft && !fills)
            return;
        error = draft ? draftcopy_fill(draft) : 0;
    }
    if (error)
        job_reply_error(job, error);
    else
        begin_again(job);
}

bool op_copy_waits(fuse_req_t req, const struct op_again *again)
{
    struct fs *fs = ops_fs(req);
    uint64_t size = 0;

    account_lock(fs->account);
    const struct draft *draft = hollow_locked(fs, again->ino);
    if (draft)
        size = draft_size_locked(draft);
    account_unlock(fs->account);
    if (!draft)
        return false;
    const size_t data_size = again->data ? again->size : 0;
    struct op_again *copy = imap_xmalloc(sizeof(*copy) + data_size);
    *copy = *again;
    if (data_size)
        copy->data = memcpy(copy + 1, again->data, data_size);
    struct job *job = job_new(fs, fs->jobs, req, fill_run, NULL);
    job->ino = again->ino;
    job->extra = copy;
    job_extend(job, 1 + (unsigned)(size / SLOWEST_LINE / 60));
    fill_run(job);
    return true;
}
