/* SPDX-License-Identifier: MIT */
/* The other tests' server: whether it starts, serves what was delivered, and leaves nothing behind. */
#include "dovecot.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Sends a line, reads until the answer contains end. */
static bool ask(int fd, const char *line, const char *end, char *answer, size_t size)
{
    size_t have = 0;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return false;
    while (have + 1 < size) {
        ssize_t got = recv(fd, answer + have, size - 1 - have, 0);
        if (got <= 0)
            return false;
        have += (size_t)got;
        answer[have] = '\0';
        if (strstr(answer, end))
            return true;
    }
    return false;
}

START_TEST(serves_what_was_delivered)
{
    static const char mail[] = "Subject: x\r\n\r\nbody\r\n"; /* 20 bytes */
    struct test_server dovecot;
    char line[128], answer[8192];
    setenv("TZ", "UTC0", 1); /* Dovecot prints local times */
    ck_assert_msg(test_dovecot_start(&dovecot), "%s", dovecot.why);
    ck_assert_msg(test_dovecot_deliver(&dovecot, "eve", "A/B", mail, sizeof mail - 1, 951827696), "%s",
                  dovecot.why);
    int fd = connect_to(dovecot.port);
    ck_assert_int_ge(fd, 0);
    snprintf(line, sizeof line, "1 LOGIN eve %s\r\n", dovecot.password);
    ck_assert(ask(fd, line, "1 OK", answer, sizeof answer));
    ck_assert(ask(fd, "2 EXAMINE A/B\r\n", "2 OK", answer, sizeof answer));
    ck_assert(ask(fd, "3 FETCH 1 (RFC822.SIZE INTERNALDATE)\r\n", "3 OK", answer, sizeof answer));
    ck_assert_msg(strstr(answer, "RFC822.SIZE 20"), "%s", answer);
    ck_assert_msg(strstr(answer, "\"29-Feb-2000 12:34:56 +0000\""), "%s", answer);
    close(fd);
    test_server_stop(&dovecot);
}
END_TEST

START_TEST(halts_and_comes_back)
{
    struct test_server dovecot;
    char dir[sizeof dovecot.dir];
    ck_assert_msg(test_dovecot_start(&dovecot), "%s", dovecot.why);
    ck_assert_msg(test_server_halt(&dovecot), "%s", dovecot.why);
    ck_assert_int_lt(connect_to(dovecot.port), 0);
    ck_assert_msg(test_server_restart(&dovecot), "%s", dovecot.why);
    int fd = connect_to(dovecot.tls_port);
    ck_assert_int_ge(fd, 0);
    close(fd);
    memcpy(dir, dovecot.dir, sizeof dir);
    test_server_stop(&dovecot);
    ck_assert_int_lt(connect_to(dovecot.port), 0);
    ck_assert_int_ne(access(dir, F_OK), 0);
}
END_TEST

/* A failed check ends a test's process: the server must not stay. */
START_TEST(ends_with_the_program)
{
    struct test_server dovecot;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!test_dovecot_start(&dovecot))
            _exit(1);
        ssize_t sent = write(ends[1], &dovecot, sizeof dovecot);
        _exit(sent == sizeof dovecot ? 0 : 1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &dovecot, sizeof dovecot), sizeof dovecot);
    for (int tries = 0; access(dovecot.dir, F_OK) == 0; tries++) {
        ck_assert_int_lt(tries, 2000);
        usleep(10000);
    }
    ck_assert_int_lt(connect_to(dovecot.port), 0);
    close(ends[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dovecot");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, serves_what_was_delivered);
    tcase_add_test(tcase, halts_and_comes_back);
    tcase_add_test(tcase, ends_with_the_program);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
