/* SPDX-License-Identifier: MIT */
#include "testserver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 30000
#define SKIP_STATUS 77 /* of a script whose server is not installed */

static bool fail(struct test_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct test_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(server->why, sizeof server->why, format, args);
    va_end(args);
    return false;
}

/* The script's output goes to a file: what the server leaves running may keep it open as long as it likes. */
static bool spawn_to_file(char *const argv[], int input, const char *output, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* A test that runs out of time is killed with its process group: not so those that clean up. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (input < 0)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    else
        posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int status = posix_spawn(pid_out, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return status == 0;
}

/* Its exit status, -1 when it did not end by itself in time. */
static int await_end(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int ready = pidfd < 0 ? 1 : poll(&ended, 1, DEADLINE_MS);
    if (ready <= 0)
        kill(pid, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void say_why(struct test_server *server, const char *verb, const char *output)
{
    char text[256] = "";
    FILE *file = fopen(output, "re");
    if (file) {
        size_t got = fread(text, 1, sizeof text - 1, file);
        text[got] = '\0';
        fclose(file);
    }
    fail(server, "%s %s: %s", server->script, verb, text[0] ? text : "no answer in time");
}

static bool run_script(struct test_server *server, const char *verb)
{
    char output[96], script[256], verb_copy[16], kind[16];
    snprintf(output, sizeof output, "%s.out", server->dir);
    snprintf(script, sizeof script, "%s/support/%s", TEST_DIR, server->script);
    snprintf(verb_copy, sizeof verb_copy, "%s", verb);
    snprintf(kind, sizeof kind, "%s", server->kind ? server->kind : "");
    bool has_kind = server->kind && strcmp(verb, "start") == 0;
    char *argv[] = {script, verb_copy, server->dir, has_kind ? kind : NULL, NULL};
    pid_t pid;
    if (!spawn_to_file(argv, -1, output, &pid))
        return fail(server, "cannot run %s", script);
    int status = await_end(pid);
    if (status != 0)
        say_why(server, verb, output);
    server->missing = status == SKIP_STATUS;
    unlink(output);
    return status == 0;
}

struct setting {
    const char *name;
    char *value;
    size_t size;
};

static void take_setting(char *line, const struct setting *settings, size_t count)
{
    line[strcspn(line, "\n")] = '\0';
    char *equals = strchr(line, '=');
    if (!equals)
        return;
    *equals = '\0';
    for (size_t i = 0; i < count; i++)
        if (strcmp(line, settings[i].name) == 0)
            snprintf(settings[i].value, settings[i].size, "%s", equals + 1);
}

static bool read_settings(struct test_server *server)
{
    const struct setting settings[] = {
        {"IMAP_HOST", server->host, sizeof server->host},
        {"IMAP_PORT", server->port, sizeof server->port},
        {"IMAPS_PORT", server->tls_port, sizeof server->tls_port},
        {"IMAP_PASSWORD", server->password, sizeof server->password},
        {"IMAP_CAFILE", server->cafile, sizeof server->cafile},
        {"IMAP_FINGERPRINT", server->fingerprint, sizeof server->fingerprint},
        {"IMAP_MAIL", server->mail, sizeof server->mail},
        {"IMAP_USER", server->user, sizeof server->user},
        {"IMAP_OTHER", server->other, sizeof server->other},
        {"IMAP_ADMIN", server->admin, sizeof server->admin},
    };
    const size_t count = sizeof settings / sizeof settings[0];
    char path[96], line[256];
    snprintf(path, sizeof path, "%s/env", server->dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(server, "no %s", path);
    while (fgets(line, sizeof line, file))
        take_setting(line, settings, count);
    fclose(file);
    for (size_t i = 0; i < count; i++)
        if (settings[i].value[0] == '\0' && settings[i].value != server->admin)
            return fail(server, "%s says nothing about %s", path, settings[i].name);
    return true;
}

/* A process that waits for the end of this one, or of its interest, and then cleans up. */
static bool start_keeper(struct test_server *server)
{
    char shell[] = "/bin/sh", option[] = "-c", script[256];
    char work[] = "cat; \"$0\" stop \"$1\"; rm -rf -- \"$1\"";
    char *argv[] = {shell, option, work, script, server->dir, NULL};
    snprintf(script, sizeof script, "%s/support/%s", TEST_DIR, server->script);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(server, "no pipe: %s", strerror(errno));
    bool started = spawn_to_file(argv, ends[0], "/dev/null", &server->keeper);
    close(ends[0]);
    server->life = ends[1];
    if (!started)
        close(ends[1]);
    return started || fail(server, "cannot run %s", shell);
}

bool test_server_start(struct test_server *server, const char *script, const char *kind)
{
    memset(server, 0, sizeof *server);
    server->script = script;
    server->kind = kind;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(server->dir, sizeof server->dir, "%s/imapfs-test.XXXXXX", base);
    if (!mkdtemp(server->dir)) {
        server->dir[0] = '\0';
        return fail(server, "no directory under %s: %s", base, strerror(errno));
    }
    if (!start_keeper(server)) {
        rmdir(server->dir);
        server->dir[0] = '\0';
        return false;
    }
    return test_server_restart(server);
}

bool test_server_restart(struct test_server *server)
{
    return run_script(server, "start") && read_settings(server);
}

bool test_server_halt(struct test_server *server)
{
    return run_script(server, "stop");
}

void test_server_stop(struct test_server *server)
{
    if (server->dir[0] == '\0')
        return;
    close(server->life);
    await_end(server->keeper);
    server->dir[0] = '\0';
}
