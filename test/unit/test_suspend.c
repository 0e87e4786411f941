/* SPDX-License-Identifier: MIT */
/* That a set clock is told cannot be tried here: it would be everybody's clock. */
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "suspend.h"
#include "unit_main.h"

START_TEST(a_steady_clock_tells_nothing)
{
    struct itimerspec left;
    int fd = suspend_open();
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(timerfd_gettime(fd, &left), 0);
    ck_assert_int_gt(left.it_value.tv_sec, (time_t)100 * 365 * 86400); /* armed, for long */
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
    ck_assert(!suspend_over(fd));
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
    close(fd);
}
END_TEST

UNIT_MAIN("suspend", a_steady_clock_tells_nothing)
