/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "patience.h"

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int wait_for_more(struct fuse_session *session, struct patience *patience)
{
    struct pollfd ready = {.fd = fuse_session_fd(session), .events = POLLIN};

    if (patience_lasts(patience, now_ns())) {
        sched_yield();
        return 0;
    }
    if (poll(&ready, 1, -1) < 0)
        return -errno;
    patience_slept(patience, now_ns());
    return 0;
}

static int run_alone(struct fuse_session *session)
{
    struct fuse_buf request = {0};
    struct patience patience = {0};
    int fd = fuse_session_fd(session);
    int rc = 0;

    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return -errno;
    while (!fuse_session_exited(session) && (rc >= 0 || rc == -EINTR)) {
        rc = fuse_session_receive_buf(session, &request);
        if (rc == 0)
            break; /* unmounted */
        if (rc > 0) {
            fuse_session_process_buf(session, &request);
            patience_found(&patience);
        } else if (rc == -EAGAIN) {
            rc = wait_for_more(session, &patience);
        }
    }
    free(request.mem);
    return rc > 0 || rc == -EINTR ? 0 : rc;
}

int loop_run(struct fuse_session *session, unsigned threads)
{
    if (threads == 1)
        return run_alone(session);

    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        abort();
    fuse_loop_cfg_set_max_threads(config, threads);
    int rc = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    return rc;
}
