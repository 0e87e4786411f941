/* SPDX-License-Identifier: MIT */
#include "dovecot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool fail(struct test_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct test_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(server->why, sizeof server->why, format, args);
    va_end(args);
    return false;
}

bool test_dovecot_start(struct test_server *server)
{
    return test_server_start(server, "dovecot.sh", NULL);
}

bool test_dovecot_start_full(struct test_server *server)
{
    return test_server_start(server, "dovecot.sh", "full");
}

/* As root: what is delivered belongs to whom the mail belongs to. */
static bool give_to_owner(struct test_server *server, const char *path)
{
    struct stat owner;
    if (stat(server->mail, &owner) != 0 || (geteuid() == 0 && chown(path, owner.st_uid, owner.st_gid) != 0))
        return fail(server, "%s: %s", path, strerror(errno));
    return true;
}

/* path ends in a slash. */
static bool make_directories(struct test_server *server, char *path)
{
    char *slash = path + strlen(server->mail);
    while ((slash = strchr(slash + 1, '/'))) {
        *slash = '\0';
        if (mkdir(path, 0700) == 0) {
            if (!give_to_owner(server, path))
                return false;
        } else if (errno != EEXIST) {
            return fail(server, "%s: %s", path, strerror(errno));
        }
        *slash = '/';
    }
    return true;
}

bool test_dovecot_deliver(struct test_server *server, const char *user, const char *mailbox, const void *data,
                          unsigned long len, long received)
{
    static unsigned serial;
    static const char *const parts[] = {"tmp", "new", "cur"};
    char temporary[512], path[512], name[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s/%s/%s/", server->mail, user, mailbox, parts[i]);
        if (!make_directories(server, path))
            return false;
    }
    snprintf(name, sizeof name, "%ld.M%06uP%ld.test", received, ++serial, (long)getpid());
    snprintf(temporary, sizeof temporary, "%s/%s/%s/tmp/%s", server->mail, user, mailbox, name);
    snprintf(path, sizeof path, "%s/%s/%s/new/%s", server->mail, user, mailbox, name);
    FILE *file = fopen(temporary, "wbe");
    if (!file)
        return fail(server, "%s: %s", temporary, strerror(errno));
    bool written = fwrite(data, 1, len, file) == len;
    struct timespec times[2] = {{.tv_sec = received}, {.tv_sec = received}};
    if (fclose(file) != 0 || !written || utimensat(AT_FDCWD, temporary, times, 0) != 0)
        return fail(server, "%s: %s", temporary, strerror(errno));
    if (!give_to_owner(server, temporary))
        return false;
    if (rename(temporary, path) != 0)
        return fail(server, "%s: %s", path, strerror(errno));
    return true;
}
