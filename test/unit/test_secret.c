/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "secret.h"
#include "unit_main.h"

static enum imap_status from_command(const char *command, char **password, struct imap_error *err)
{
    *password = NULL;
    *err = (struct imap_error){0};
    return secret_from_command(command, "passcmd", 0, password, err);
}

static void command_gives(const char *command, const char *want)
{
    struct imap_error err;
    char *password;

    enum imap_status status = from_command(command, &password, &err);
    ck_assert_msg(status == IMAP_OK, "%s: %s", command, err.text);
    ck_assert_str_eq(password, want);
    secret_free(&password);
    ck_assert_ptr_null(password);
}

static void command_fails(const char *command, const char *word)
{
    struct imap_error err;
    char *password;

    ck_assert_int_ne(from_command(command, &password, &err), IMAP_OK);
    ck_assert_ptr_null(password);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s: '%s' lacks '%s'", command, err.text, word);
}

START_TEST(first_line_of_a_command)
{
    command_gives("echo hunter2", "hunter2");
    command_gives("printf hunter2", "hunter2");
    command_gives("printf 'hunter2\\r\\nmore\\n'", "hunter2");
    command_gives("printf ' a b \\n'", " a b ");
    command_gives("printf hun; printf ter2; echo; echo user: joe", "hunter2");
}
END_TEST

START_TEST(much_output_is_read_to_its_end)
{
    /* closing the pipe early would end it by SIGPIPE, which is a failure */
    command_gives("echo hunter2; head -c 1000000 /dev/zero", "hunter2");
}
END_TEST

/* What it has started dies with it. */
START_TEST(a_command_that_takes_too_long)
{
    static const char *const commands[] = {"sleep 300; echo late", "exec >&-; sleep 300", "sleep 300 & wait"};
    struct imap_error err;
    char *password = NULL;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        ck_assert_int_eq(secret_from_command(commands[i], "tokencmd", 200, &password, &err), IMAP_AGAIN);
        ck_assert_msg(strstr(err.text, "tokencmd") != NULL, "%s", err.text);
        ck_assert_ptr_null(password);
    }
    ck_assert_int_eq(secret_from_command("echo quick", "tokencmd", 10000, &password, &err), IMAP_OK);
    ck_assert_str_eq(password, "quick");
    secret_free(&password);
}
END_TEST

START_TEST(no_password_where_none_is_needed)
{
    static const char *const without[] = {"EXTERNAL", "xoauth2 OAUTHBEARER", "GSSAPI"};
    struct config config = {.tokencmd = (char *)"echo token", .endpoint = {.user = "u", .host = "h"}};
    struct imap_error err;
    char *password = (char *)"";

    unsetenv("IMAPFS_PASSWORD");
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_ptr_null(password);
    config.tokencmd = NULL;
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        config.auth = (char *)without[i];
        ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
        ck_assert_ptr_null(password);
    }
    config.auth = (char *)"EXTERNAL PLAIN";
    config.passcmd = (char *)"echo asked";
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_str_eq(password, "asked");
    secret_free(&password);
}
END_TEST

START_TEST(an_agent_left_behind_is_not_waited_for)
{
    command_gives("echo hunter2; sleep 300 & exit 0", "hunter2");
}
END_TEST

START_TEST(failing_commands)
{
    command_fails("echo hunter2; exit 3", "status 3");
    command_fails("exec kill -TERM $$", "signal 15");
    command_fails("no-such-command-here 2>/dev/null", "127");
    command_fails("true", "empty");
    command_fails("echo; echo hunter2", "empty");
    command_fails("printf 'a\\0b\\n'", "NUL");
    command_fails("head -c 100000 /dev/zero | tr '\\0' x", "too long");
}
END_TEST

START_TEST(first_line_of_a_descriptor)
{
    struct imap_error err = {0};
    char *password = NULL;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "hunter2\nrest\n", 13), 13);
    close(fds[1]);
    ck_assert_int_eq(secret_from_fd(fds[0], "it", &password, &err), IMAP_OK);
    ck_assert_str_eq(password, "hunter2");
    close(fds[0]);
    secret_free(&password);
}
END_TEST

START_TEST(environment_is_emptied)
{
    struct config config = {.endpoint = {.user = "u", .host = "h"}};
    struct imap_error err = {0};
    char *password = NULL;
    char variable[] = "IMAPFS_PASSWORD=hunter2";

    putenv(variable);
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_str_eq(password, "hunter2");
    ck_assert_ptr_null(getenv("IMAPFS_PASSWORD"));
    ck_assert_ptr_null(strstr(variable, "hunter2"));
    secret_free(&password);
}
END_TEST

START_TEST(order_of_the_sources)
{
    struct config config = {.passcmd = (char *)"echo fromcommand", .endpoint = {.user = "u", .host = "h"}};
    struct imap_error err = {0};
    char *password = NULL;

    setenv("IMAPFS_PASSWORD", "fromenvironment", 1);
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_str_eq(password, "fromcommand");
    ck_assert_ptr_null(getenv("IMAPFS_PASSWORD"));
    secret_free(&password);

    setenv("IMAPFS_PASSWORD", "", 1);
    config.passcmd = NULL;
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_USAGE);
    ck_assert_ptr_null(password);
}
END_TEST

START_TEST(offline_needs_none)
{
    struct config config = {
        .passcmd = (char *)"echo fromcommand", .offline = true, .endpoint = {.user = "u", .host = "h"}};
    struct imap_error err = {0};
    char *password = NULL;

    setenv("IMAPFS_PASSWORD", "fromenvironment", 1);
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_ptr_null(password);
    ck_assert_ptr_null(getenv("IMAPFS_PASSWORD"));
}
END_TEST

START_TEST(a_tunnel_may_need_none)
{
    struct config config = {.endpoint = {.user = "u", .host = "h", .tunnel = "imapd"}};
    struct imap_error err = {0};
    char *password = NULL;

    unsetenv("IMAPFS_PASSWORD");
    ck_assert_int_eq(secret_get(&config, &password, &err), IMAP_OK);
    ck_assert_ptr_null(password);
}
END_TEST

UNIT_MAIN("secret", first_line_of_a_command, much_output_is_read_to_its_end,
          an_agent_left_behind_is_not_waited_for, a_command_that_takes_too_long,
          no_password_where_none_is_needed, failing_commands, first_line_of_a_descriptor,
          environment_is_emptied, order_of_the_sources, offline_needs_none, a_tunnel_may_need_none)
