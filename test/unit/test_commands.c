/* SPDX-License-Identifier: MIT */
/* Which words are commands, and what arguments they take. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "commands.h"
#include "daemon.h"
#include "unit_main.h"

#define NONE (-1)

/* The exit code of a command line whose words hold no blank; NONE when it is no command. */
static int code_of(const char *line)
{
    char copy[256];
    char *argv[16] = {0}, *rest = NULL;
    int argc = 0, code = NONE;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word && argc < 15; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    ck_assert_int_eq(commands_run(argc, argv, &code), code != NONE);
    return code;
}

START_TEST(mounts_are_no_commands)
{
    ck_assert_int_eq(code_of("imapfs"), NONE);
    ck_assert_int_eq(code_of("imapfs imaps://host/ status"), NONE);
    ck_assert_int_eq(code_of("imapfs -f imaps://host/ cache"), NONE);
    ck_assert_int_eq(code_of("imapfs -o ro status /mnt"), NONE);
    ck_assert_int_eq(code_of("imapfs statuses /mnt"), NONE);
    ck_assert_int_eq(code_of("imapfs --help"), NONE);
}
END_TEST

START_TEST(status_takes_a_mount_point)
{
    ck_assert_int_eq(code_of("imapfs status"), CMD_USAGE);
    ck_assert_int_eq(code_of("imapfs status a b"), CMD_USAGE);
    ck_assert_int_eq(code_of("imapfs status -x"), CMD_USAGE);
    ck_assert_int_eq(code_of("imapfs status -h"), CMD_OK);
    ck_assert_int_eq(code_of("imapfs status /nowhere/at/all"), CMD_FAILED);
    ck_assert_int_eq(code_of("imapfs status /"), CMD_FAILED);
    ck_assert_int_eq(code_of("imapfs status /etc/passwd"), CMD_FAILED);
}
END_TEST

START_TEST(cache_takes_a_verb)
{
    static const char *const good[] = {"", "list", "verify", "purge --all", "--help", "verify --", NULL};
    static const char *const wrong[] = {"purge",          "purge a --all", "list a",    "list --all",
                                        "verify a b",     "nonsense",      "-x",        "-o poll=3",
                                        "-o cache_dir",   "-o cache_dir=", "verify -f", "purge a b",
                                        "verify a --all", "-s list",       NULL};
    char line[128];
    for (size_t i = 0; good[i]; i++) {
        snprintf(line, sizeof line, "imapfs cache -o cache_dir=/nowhere/at/all %s", good[i]);
        ck_assert_msg(code_of(line) == CMD_OK, "%s", line);
    }
    for (size_t i = 0; wrong[i]; i++) {
        snprintf(line, sizeof line, "imapfs cache -ocache_dir=/nowhere/at/all %s", wrong[i]);
        ck_assert_msg(code_of(line) == CMD_USAGE, "%s", line);
    }
    ck_assert_int_eq(code_of("imapfs cache purge -all -o cache_dir=/nowhere/at/all"), CMD_USAGE);
    ck_assert_int_eq(code_of("imapfs cache purge me -o cache_dir=/nowhere/at/all"), CMD_FAILED);
    ck_assert_int_eq(code_of("imapfs cache -o cache_dir=/etc/passwd"), CMD_FAILED);
}
END_TEST

/* The last ten of what was at least a warning, oldest first. */
START_TEST(recent_lines)
{
    struct status_line lines[STATUS_LINES_MAX];
    char text[32];

    ck_assert_uint_eq(daemon_recent(lines), 0);
    daemon_log(LOG_NOTICE, "no warning");
    daemon_log(LOG_ERR, "error %d", 1);
    ck_assert_uint_eq(daemon_recent(lines), 1);
    ck_assert_str_eq(lines[0].text, "error 1");
    ck_assert_int_eq(lines[0].priority, LOG_ERR);
    ck_assert_int_le(time(NULL) - lines[0].when, 5);
    for (int i = 2; i <= STATUS_LINES_MAX + 3; i++)
        daemon_log(LOG_WARNING, "warning %d", i);
    ck_assert_uint_eq(daemon_recent(lines), STATUS_LINES_MAX);
    for (int i = 0; i < STATUS_LINES_MAX; i++) {
        snprintf(text, sizeof text, "warning %d", i + 4);
        ck_assert_str_eq(lines[i].text, text);
    }
}
END_TEST

UNIT_MAIN("commands", mounts_are_no_commands, status_takes_a_mount_point, cache_takes_a_verb, recent_lines)
