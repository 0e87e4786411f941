/* SPDX-License-Identifier: MIT */
#include "suspend.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FAR_AWAY ((time_t)INT64_C(0xffffffffff)) /* no date that this will run at */

/* Cancelled as soon as the clock jumps, which it does on waking up (timerfd_create(2)). */
static bool arm(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = FAR_AWAY}};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

int suspend_open(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0 && !arm(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool suspend_over(int fd)
{
    uint64_t times;
    bool over = read(fd, &times, sizeof(times)) < 0 && errno == ECANCELED;

    (void)arm(fd);
    return over;
}
