/* SPDX-License-Identifier: MIT */
/* The tunnel: a command on our descriptor, closed on exec, reaped when closed. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netutil.h"

static struct imap_transport *run(const char *command)
{
    struct imap_endpoint endpoint = {.tunnel = command, .timeout_ms = 5000};
    struct imap_transport *transport = NULL;
    struct imap_error err = {0};
    enum imap_status status = imap_process_open(&endpoint, &transport, &err);

    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    return transport;
}

/* Everything up to the end of the stream. */
static size_t read_all(struct imap_transport *transport, char *buf, size_t size)
{
    int64_t deadline = imap_net_now() + 10000;
    size_t have = 0;
    ssize_t n;

    while (have + 1 < size && (n = transport->ops->read(transport, buf + have, size - 1 - have, NULL)) != 0) {
        ck_assert_int_ne(n, -2);
        if (n == -1)
            ck_assert_int_eq(imap_net_wait(transport->read_fd, POLLIN, deadline, -1, NULL), IMAP_OK);
        else
            have += (size_t)n;
    }
    buf[have] = '\0';
    return have;
}

static void assert_no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(stdin_and_stdout_are_ours)
{
    struct imap_transport *transport = run("read line; echo \"got $line\"");
    char buf[64];

    ck_assert_int_eq(transport->ops->write(transport, "this\n", 5, NULL), 5);
    read_all(transport, buf, sizeof(buf));
    ck_assert_str_eq(buf, "got this\n");
    transport->ops->close(transport);
    assert_no_children();
}
END_TEST

START_TEST(no_descriptor_of_ours_is_inherited)
{
    int cancel_fd = imap_net_wake_new();
    struct imap_transport *other = run("cat");
    struct imap_transport *transport =
        run("ls /proc/self/fd | wc -l; read -r x < /dev/null; ls -l /proc/self/fd");
    char buf[2048];
    int sockets = 0;

    read_all(transport, buf, sizeof(buf));
    ck_assert_ptr_null(strstr(buf, "eventfd"));
    for (const char *at = buf; (at = strstr(at, "socket:")) != NULL; at++)
        sockets++;
    ck_assert_int_eq(sockets, 2); /* its standard input and output */
    transport->ops->close(transport);
    other->ops->close(other);
    close(cancel_fd);
    assert_no_children();
}
END_TEST

START_TEST(end_of_file_ends_it)
{
    struct imap_transport *transport = run("cat");
    int64_t begin = imap_net_now();

    transport->ops->close(transport);
    ck_assert_int_lt(imap_net_now() - begin, 250);
    assert_no_children();
}
END_TEST

START_TEST(sigterm_ends_one_that_ignores_end_of_file)
{
    struct imap_transport *transport = run("exec sleep 600");
    int64_t begin = imap_net_now();

    transport->ops->close(transport);
    ck_assert_int_lt(imap_net_now() - begin, 5000);
    assert_no_children();
}
END_TEST

START_TEST(sigkill_ends_one_that_ignores_sigterm)
{
    struct imap_transport *transport = run("trap '' TERM; echo up; exec sleep 600");
    char buf[8];

    ck_assert_int_eq(imap_net_wait(transport->read_fd, POLLIN, imap_net_now() + 10000, -1, NULL), IMAP_OK);
    ck_assert_int_eq(transport->ops->read(transport, buf, sizeof(buf), NULL), 3);
    int64_t begin = imap_net_now();
    transport->ops->close(transport);
    ck_assert_int_lt(imap_net_now() - begin, 5000);
    assert_no_children();
}
END_TEST

/* What the command's shell has started holds the write end of a pipe for as long as it lives. */
START_TEST(what_it_started_ends_with_it)
{
    int fds[2];
    char command[64], buf[1];

    ck_assert_int_eq(setsid() >= 0 || errno == EPERM, true); /* no terminal: as a daemon */
    ck_assert_int_eq(pipe(fds), 0);
    snprintf(command, sizeof(command), "sleep 600 <&%d >&%d & sleep 600 | cat; true", fds[0], fds[1]);
    struct imap_transport *transport = run(command);
    close(fds[1]);
    transport->ops->close(transport);
    ck_assert_int_eq(imap_net_wait(fds[0], POLLIN | POLLHUP, imap_net_now() + 10000, -1, NULL), IMAP_OK);
    ck_assert_int_eq(read(fds[0], buf, 1), 0);
    close(fds[0]);
}
END_TEST

START_TEST(signals_are_as_usual_in_it)
{
    sigset_t all;
    struct imap_transport *transport;
    char buf[64];

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    transport = run("sed -n 's/^SigBlk:[[:space:]]*//p; s/^SigIgn:[[:space:]]*//p' /proc/self/status");
    read_all(transport, buf, sizeof(buf));
    char *ignored = strchr(buf, '\n');
    ck_assert_ptr_nonnull(ignored);
    ck_assert_uint_eq(strtoull(buf, NULL, 16), 0);
    ck_assert_uint_eq(strtoull(ignored, NULL, 16) & 0x7fffffff, 0); /* 32 and 33 are the C library's */
    transport->ops->close(transport);
}
END_TEST

START_TEST(writing_to_a_dead_one_is_no_signal)
{
    struct imap_transport *transport = run("exit 3");
    struct imap_error err = {0};
    char buf[8];

    signal(SIGPIPE, SIG_DFL);
    read_all(transport, buf, sizeof(buf));
    /* Its standard input is another socket, which ends a moment later: POLLHUP needs not to be asked for. */
    ck_assert_int_eq(imap_net_wait(transport->write_fd, 0, imap_net_now() + 10000, -1, NULL), IMAP_OK);
    ck_assert_int_eq(transport->ops->write(transport, "x\n", 2, &err), -2);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    transport->ops->close(transport);
    assert_no_children();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("process");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, stdin_and_stdout_are_ours);
    tcase_add_test(tcase, no_descriptor_of_ours_is_inherited);
    tcase_add_test(tcase, end_of_file_ends_it);
    tcase_add_test(tcase, sigterm_ends_one_that_ignores_end_of_file);
    tcase_add_test(tcase, sigkill_ends_one_that_ignores_sigterm);
    tcase_add_test(tcase, what_it_started_ends_with_it);
    tcase_add_test(tcase, signals_are_as_usual_in_it);
    tcase_add_test(tcase, writing_to_a_dead_one_is_no_signal);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
