/* SPDX-License-Identifier: MIT */
/* The other tests' Cyrus: whether it starts, knows its users, and leaves nothing behind. */
#include "cyrus.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
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

/* Sends a line, reads until the answer contains yes or no. */
static bool ask(int fd, const char *line, const char *yes, const char *no)
{
    char answer[16384];
    size_t have = 0;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return false;
    while (have + 1 < sizeof answer) {
        ssize_t got = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (got <= 0)
            return false;
        have += (size_t)got;
        answer[have] = '\0';
        if (strstr(answer, yes) || strstr(answer, no))
            return strstr(answer, yes) != NULL;
    }
    return false;
}

static bool can_login(const struct test_server *server, const char *user)
{
    char line[128];
    int fd = connect_to(server->port);
    snprintf(line, sizeof line, "1 LOGIN %s %s\r\n", user, server->password);
    bool did = fd >= 0 && ask(fd, line, "\n1 OK", "\n1 NO") && ask(fd, "2 NOOP\r\n", "2 OK", "2 BAD");
    if (fd >= 0)
        close(fd);
    return did;
}

/* How many processes still have the directory's name among their arguments. */
static unsigned processes_with(const char *dir)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        char path[300], text[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        size_t len = fread(text, 1, sizeof text, file);
        fclose(file);
        count += memmem(text, len, dir, strlen(dir)) ? 1 : 0;
    }
    if (proc)
        closedir(proc);
    return count;
}

static void start(struct test_server *server)
{
    ck_assert_msg(test_cyrus_start(server), "%s", server->why);
}

START_TEST(knows_its_users)
{
    struct test_server server;
    start(&server);
    ck_assert(can_login(&server, server.user));
    ck_assert(can_login(&server, server.other));
    ck_assert(can_login(&server, server.admin));
    ck_assert(!can_login(&server, "nobody"));
    test_server_stop(&server);
}
END_TEST

START_TEST(halts_and_comes_back)
{
    struct test_server server;
    char dir[sizeof server.dir];
    start(&server);
    ck_assert(can_login(&server, server.user));
    ck_assert_uint_gt(processes_with(server.dir), 1);
    ck_assert_msg(test_server_halt(&server), "%s", server.why);
    ck_assert_int_lt(connect_to(server.port), 0);
    ck_assert_msg(test_server_restart(&server), "%s", server.why);
    ck_assert(can_login(&server, server.user));
    int fd = connect_to(server.tls_port);
    ck_assert_int_ge(fd, 0);
    close(fd);
    memcpy(dir, server.dir, sizeof dir);
    test_server_stop(&server);
    ck_assert_int_lt(connect_to(server.port), 0);
    ck_assert_int_ne(access(dir, F_OK), 0);
    ck_assert_uint_eq(processes_with(dir), 0);
}
END_TEST

/* A failed check ends a test's process: the server must not stay, nor a session of it. */
START_TEST(ends_with_the_program)
{
    struct test_server server;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!test_cyrus_start(&server) || !can_login(&server, server.user))
            _exit(1);
        ssize_t sent = write(ends[1], &server, sizeof server);
        _exit(sent == sizeof server ? 0 : 1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &server, sizeof server), sizeof server);
    for (int tries = 0; access(server.dir, F_OK) == 0 || processes_with(server.dir) > 0; tries++) {
        ck_assert_int_lt(tries, 2000);
        usleep(10000);
    }
    ck_assert_int_lt(connect_to(server.port), 0);
    close(ends[0]);
}
END_TEST

/* Without the server on the machine nothing can be said of it. */
static int is_missing(void)
{
    struct test_server server;
    if (test_cyrus_start(&server) || !server.missing) {
        test_server_stop(&server);
        return 0;
    }
    test_server_stop(&server);
    printf("SKIPPED: %s", server.why);
    const char *ci = getenv("CI");
    return ci && strcmp(ci, "true") == 0 ? EXIT_FAILURE : 77;
}

int main(void)
{
    int missing = is_missing();
    if (missing)
        return missing;
    Suite *suite = suite_create("cyrus");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, knows_its_users);
    tcase_add_test(tcase, halts_and_comes_back);
    tcase_add_test(tcase, ends_with_the_program);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
