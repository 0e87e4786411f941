/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "../imap/netutil.h"

#define SECRET_MAX 16384 /* tokens are long */

static void wipe(void *mem, size_t len)
{
    explicit_bzero(mem, len);
}

void secret_free(char **password)
{
    if (*password)
        wipe(*password, strlen(*password));
    free(*password);
    *password = NULL;
}

/* ---- the first line of something -------------------------------------------------------------- */

struct line {
    char text[SECRET_MAX];
    size_t len;
    bool whole; /* its end was seen */
};

/* text[0..len) without the line's end; what names the source in a message. */
static enum imap_status take_line(struct line *line, const char *what, char **password_out,
                                  struct imap_error *err)
{
    char *end = memchr(line->text, '\n', line->len);
    size_t len = end ? (size_t)(end - line->text) : line->len;

    if (len && line->text[len - 1] == '\r')
        len--;
    if (!end && line->len == sizeof(line->text))
        return imap_error_set(err, IMAP_USAGE, "the first line of %s is too long for a password", what);
    if (!len)
        return imap_error_set(err, IMAP_USAGE, "no password: %s gave an empty first line", what);
    if (memchr(line->text, '\0', len))
        return imap_error_set(err, IMAP_USAGE, "no password: the first line of %s holds a NUL byte", what);
    *password_out = imap_xstrndup(line->text, len);
    return IMAP_OK;
}

/* Byte by byte would be the only way to leave the rest to others; a pipe's rest is nobody's. */
static bool read_some(int fd, struct line *line)
{
    ssize_t n;

    do
        n = read(fd, line->text + line->len, sizeof(line->text) - line->len);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    line->whole = memchr(line->text + line->len, '\n', (size_t)n) != NULL;
    line->len += (size_t)n;
    return !line->whole && line->len < sizeof(line->text);
}

enum imap_status secret_from_fd(int fd, const char *what, char **password_out, struct imap_error *err)
{
    struct line line = {.len = 0};

    while (read_some(fd, &line))
        ;
    enum imap_status status = take_line(&line, what, password_out, err);
    wipe(&line, sizeof(line));
    return status;
}

/* ---- a command --------------------------------------------------------------------------------- */

/* In a group of its own, to be killed as a whole; with the signals as a command expects them, whatever thread
 * it is that starts it. */
static void set_attributes(posix_spawnattr_t *attributes, bool own_group)
{
    sigset_t none, usual;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &usual);
    posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                 (own_group ? POSIX_SPAWN_SETPGROUP : 0)));
}

static int start(const char *command, int out, bool own_group, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    set_attributes(&attributes, own_group);
    int rc = posix_spawn(pid_out, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static void discard(int fd)
{
    char rest[SECRET_MAX];

    if (read(fd, rest, sizeof(rest)) < 0 && errno != EINTR)
        return;
    wipe(rest, sizeof(rest));
}

/* Reads until the command has ended: its output may be held open by an agent that it has started, and a
 * pipe closed early would make it fail. False: the deadline has passed. */
static bool read_while_alive(int fd, pid_t pid, int64_t deadline_ms, struct line *line)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd_open(pid, 0), .events = POLLIN}};
    bool open = true;
    bool in_time = true;

    while (open && in_time) {
        int ready = poll(fds, 2, imap_net_timeout(deadline_ms));
        if (ready < 0 && errno == EINTR)
            continue;
        in_time = ready != 0;
        if (ready > 0 && (fds[0].revents & POLLIN)) {
            if (line->whole || line->len == sizeof(line->text))
                discard(fd);
            else
                read_some(fd, line);
        } else if (ready > 0 && fds[1].fd >= 0 && !fds[1].revents) {
            fds[0].fd = -1; /* it has closed its output, and not ended yet */
        } else {
            open = false;
        }
    }
    if (fds[1].fd >= 0)
        close(fds[1].fd);
    return in_time;
}

static enum imap_status check_exit(const char *option, int status, struct imap_error *err)
{
    if (WIFSIGNALED(status))
        return imap_error_set(err, IMAP_USAGE, "%s was killed by signal %d (%s)", option, WTERMSIG(status),
                              strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) == 127)
        return imap_error_set(err, IMAP_USAGE, "%s ended with status 127: is its command there?", option);
    if (WEXITSTATUS(status) != 0)
        return imap_error_set(err, IMAP_USAGE, "%s ended with status %d: run it by hand to see why", option,
                              WEXITSTATUS(status));
    return IMAP_OK;
}

enum imap_status secret_from_command(const char *command, const char *option, unsigned timeout_ms,
                                     char **password_out, struct imap_error *err)
{
    struct line line = {.len = 0};
    int64_t deadline_ms = timeout_ms ? imap_net_now() + timeout_ms : IMAP_NET_FOREVER;
    int fds[2];
    int exit_status = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return imap_error_sys(err, errno, "a pipe for %s", option);
    int rc = start(command, fds[1], timeout_ms > 0, &pid);
    close(fds[1]);
    if (rc != 0) {
        close(fds[0]);
        return imap_error_sys(err, rc, "running %s", option);
    }
    bool in_time = read_while_alive(fds[0], pid, deadline_ms, &line);
    if (!in_time)
        kill(-pid, SIGKILL);
    close(fds[0]);
    while (waitpid(pid, &exit_status, 0) < 0 && errno == EINTR)
        ;
    enum imap_status status = in_time ? check_exit(option, exit_status, err)
                                      : imap_error_set(err, IMAP_AGAIN, "%s has not ended within %u seconds",
                                                       option, (timeout_ms + 999) / 1000);
    if (status == IMAP_OK)
        status = take_line(&line, option, password_out, err);
    wipe(&line, sizeof(line));
    return status;
}

/* ---- the terminal ------------------------------------------------------------------------------ */

static volatile sig_atomic_t prompt_signal;

static void note_signal(int signal)
{
    prompt_signal = signal;
}

static const int prompt_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define PROMPT_SIGNALS (sizeof(prompt_signals) / sizeof(prompt_signals[0]))

/* Without echo, which is restored whatever happens; a signal then does what it does otherwise. */
static enum imap_status ask(int tty, const char *prompt, char **password_out, struct imap_error *err)
{
    struct sigaction before[PROMPT_SIGNALS];
    struct sigaction catching = {.sa_handler = note_signal}; /* no SA_RESTART: read must end */
    struct line line = {.len = 0};
    struct termios normal;
    ssize_t n = 0;

    if (tcgetattr(tty, &normal) != 0)
        return imap_error_sys(err, errno, "the terminal");
    prompt_signal = 0;
    for (size_t i = 0; i < PROMPT_SIGNALS; i++)
        sigaction(prompt_signals[i], &catching, &before[i]);
    struct termios silent = normal;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &silent);
    if (write(tty, prompt, strlen(prompt)) >= 0)
        n = read(tty, line.text, sizeof(line.text)); /* a line at a time, as terminals do */
    tcsetattr(tty, TCSAFLUSH, &normal);
    if (write(tty, "\n", 1) < 0)
        n = -1;
    for (size_t i = 0; i < PROMPT_SIGNALS; i++)
        sigaction(prompt_signals[i], &before[i], NULL);
    if (prompt_signal)
        raise(prompt_signal);
    line.len = n > 0 ? (size_t)n : 0;
    enum imap_status status = take_line(&line, "the terminal", password_out, err);
    wipe(&line, sizeof(line));
    return status;
}

static enum imap_status secret_from_terminal(const struct config *config, char **password_out,
                                             struct imap_error *err)
{
    char prompt[600];
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (tty < 0)
        return imap_error_set(err, IMAP_USAGE,
                              "no password, and no terminal to ask on: give passcmd=, password_stdin or "
                              "IMAPFS_PASSWORD");
    (void)snprintf(prompt, sizeof(prompt), "Password for %.250s on %.250s: ", config->endpoint.user,
                   config->endpoint.host);
    enum imap_status status = ask(tty, prompt, password_out, err);
    close(tty);
    return status;
}

/* ---- the choice -------------------------------------------------------------------------------- */

/* The bytes are overwritten as well: /proc/PID/environ shows them otherwise. */
static char *take_from_environment(void)
{
    char *value = getenv("IMAPFS_PASSWORD");
    char *copy;

    if (!value)
        return NULL;
    copy = imap_xstrdup(value);
    wipe(value, strlen(value));
    unsetenv("IMAPFS_PASSWORD");
    return copy;
}

/* EXTERNAL and GSSAPI take none, and those of tokens have a tokencmd. */
static bool needs_password(const struct config *config)
{
    static const char *const without[] = {"EXTERNAL", "GSSAPI", "OAUTHBEARER", "XOAUTH2"};
    const char *word = config->auth ? config->auth : "";
    bool needed = *word == '\0';

    for (; *word && !needed; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        needed = true;
        for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
            if (strlen(without[i]) == len && strncasecmp(without[i], word, len) == 0)
                needed = false;
        word += len;
    }
    return needed && !config->tokencmd;
}

enum imap_status secret_get(const struct config *config, char **password_out, struct imap_error *err)
{
    char *environment = take_from_environment();

    *password_out = NULL;
    if (config->offline) { /* nobody would be shown it */
        secret_free(&environment);
        return IMAP_OK;
    }
    if (environment && !config->passcmd && !config->password_stdin && !config->tokencmd) {
        if (!*environment) {
            secret_free(&environment);
            return imap_error_set(err, IMAP_USAGE, "no password: IMAPFS_PASSWORD is empty");
        }
        *password_out = environment;
        return IMAP_OK;
    }
    secret_free(&environment);
    if (config->passcmd)
        return secret_from_command(config->passcmd, "passcmd", 0, password_out, err);
    if (config->password_stdin)
        return secret_from_fd(STDIN_FILENO, "standard input", password_out, err);
    if (config->endpoint.tunnel || !needs_password(config))
        return IMAP_OK;
    return secret_from_terminal(config, password_out, err);
}
