/* SPDX-License-Identifier: MIT */
#include "dovecot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 30000

static bool fail(struct test_dovecot *dovecot, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct test_dovecot *dovecot, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(dovecot->why, sizeof dovecot->why, format, args);
    va_end(args);
    return false;
}

/* The script's output goes to a file: what Dovecot leaves running may keep it open as long as it likes. */
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

static bool await_success(pid_t pid)
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
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_script(struct test_dovecot *dovecot, const char *verb)
{
    char output[96];
    snprintf(output, sizeof output, "%s.out", dovecot->dir);
    char script[] = TEST_DIR "/support/dovecot.sh";
    char verb_copy[16];
    snprintf(verb_copy, sizeof verb_copy, "%s", verb);
    char *argv[] = {script, verb_copy, dovecot->dir, NULL};
    pid_t pid;
    if (!spawn_to_file(argv, -1, output, &pid))
        return fail(dovecot, "cannot run %s", script);
    bool done = await_success(pid);
    if (!done) {
        char text[256] = "";
        FILE *file = fopen(output, "re");
        if (file) {
            size_t got = fread(text, 1, sizeof text - 1, file);
            text[got] = '\0';
            fclose(file);
        }
        fail(dovecot, "dovecot.sh %s: %s", verb, text[0] ? text : "no answer in time");
    }
    unlink(output);
    return done;
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

static bool read_settings(struct test_dovecot *dovecot)
{
    const struct setting settings[] = {
        {"IMAP_HOST", dovecot->host, sizeof dovecot->host},
        {"IMAP_PORT", dovecot->port, sizeof dovecot->port},
        {"IMAPS_PORT", dovecot->tls_port, sizeof dovecot->tls_port},
        {"IMAP_PASSWORD", dovecot->password, sizeof dovecot->password},
        {"IMAP_CAFILE", dovecot->cafile, sizeof dovecot->cafile},
        {"IMAP_FINGERPRINT", dovecot->fingerprint, sizeof dovecot->fingerprint},
        {"IMAP_MAIL", dovecot->mail, sizeof dovecot->mail},
    };
    const size_t count = sizeof settings / sizeof settings[0];
    char path[96], line[256];
    snprintf(path, sizeof path, "%s/env", dovecot->dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(dovecot, "no %s", path);
    while (fgets(line, sizeof line, file))
        take_setting(line, settings, count);
    fclose(file);
    for (size_t i = 0; i < count; i++)
        if (settings[i].value[0] == '\0')
            return fail(dovecot, "%s says nothing about %s", path, settings[i].name);
    return true;
}

/* A process that waits for the end of this one, or of its interest, and then cleans up. */
static bool start_keeper(struct test_dovecot *dovecot)
{
    char shell[] = "/bin/sh", option[] = "-c", script[] = TEST_DIR "/support/dovecot.sh";
    char work[] = "cat; \"$0\" stop \"$1\"; rm -rf -- \"$1\"";
    char *argv[] = {shell, option, work, script, dovecot->dir, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(dovecot, "no pipe: %s", strerror(errno));
    bool started = spawn_to_file(argv, ends[0], "/dev/null", &dovecot->keeper);
    close(ends[0]);
    dovecot->life = ends[1];
    if (!started)
        close(ends[1]);
    return started || fail(dovecot, "cannot run %s", shell);
}

bool test_dovecot_start(struct test_dovecot *dovecot)
{
    memset(dovecot, 0, sizeof *dovecot);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dovecot->dir, sizeof dovecot->dir, "%s/imapfs-test.XXXXXX", base);
    if (!mkdtemp(dovecot->dir)) {
        dovecot->dir[0] = '\0';
        return fail(dovecot, "no directory under %s: %s", base, strerror(errno));
    }
    if (!start_keeper(dovecot)) {
        rmdir(dovecot->dir);
        dovecot->dir[0] = '\0';
        return false;
    }
    return test_dovecot_restart(dovecot);
}

bool test_dovecot_restart(struct test_dovecot *dovecot)
{
    return run_script(dovecot, "start") && read_settings(dovecot);
}

bool test_dovecot_halt(struct test_dovecot *dovecot)
{
    return run_script(dovecot, "stop");
}

void test_dovecot_stop(struct test_dovecot *dovecot)
{
    if (dovecot->dir[0] == '\0')
        return;
    close(dovecot->life);
    await_success(dovecot->keeper);
    dovecot->dir[0] = '\0';
}

/* As root: what is delivered belongs to whom the mail belongs to. */
static bool give_to_owner(struct test_dovecot *dovecot, const char *path)
{
    struct stat owner;
    if (stat(dovecot->mail, &owner) != 0 || (geteuid() == 0 && chown(path, owner.st_uid, owner.st_gid) != 0))
        return fail(dovecot, "%s: %s", path, strerror(errno));
    return true;
}

/* path ends in a slash. */
static bool make_directories(struct test_dovecot *dovecot, char *path)
{
    char *slash = path + strlen(dovecot->mail);
    while ((slash = strchr(slash + 1, '/'))) {
        *slash = '\0';
        if (mkdir(path, 0700) == 0) {
            if (!give_to_owner(dovecot, path))
                return false;
        } else if (errno != EEXIST) {
            return fail(dovecot, "%s: %s", path, strerror(errno));
        }
        *slash = '/';
    }
    return true;
}

bool test_dovecot_deliver(struct test_dovecot *dovecot, const char *user, const char *mailbox,
                          const void *data, unsigned long len, long received)
{
    static unsigned serial;
    static const char *const parts[] = {"tmp", "new", "cur"};
    char temporary[512], path[512], name[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s/%s/%s/", dovecot->mail, user, mailbox, parts[i]);
        if (!make_directories(dovecot, path))
            return false;
    }
    snprintf(name, sizeof name, "%ld.M%06uP%ld.test", received, ++serial, (long)getpid());
    snprintf(temporary, sizeof temporary, "%s/%s/%s/tmp/%s", dovecot->mail, user, mailbox, name);
    snprintf(path, sizeof path, "%s/%s/%s/new/%s", dovecot->mail, user, mailbox, name);
    FILE *file = fopen(temporary, "wbe");
    if (!file)
        return fail(dovecot, "%s: %s", temporary, strerror(errno));
    bool written = fwrite(data, 1, len, file) == len;
    struct timespec times[2] = {{.tv_sec = received}, {.tv_sec = received}};
    if (fclose(file) != 0 || !written || utimensat(AT_FDCWD, temporary, times, 0) != 0)
        return fail(dovecot, "%s: %s", temporary, strerror(errno));
    if (!give_to_owner(dovecot, temporary))
        return false;
    if (rename(temporary, path) != 0)
        return fail(dovecot, "%s: %s", path, strerror(errno));
    return true;
}
