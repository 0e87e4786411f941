/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mountpoint.h"
#include "unit_main.h"

static char directory[] = "/tmp/test_mountpoint.XXXXXX";

static void in_scratch(void)
{
    strcpy(directory + sizeof(directory) - 7, "XXXXXX"); /* NOLINT: the same length */
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void refused(const char *path, const char *word)
{
    struct imap_error err = {0};
    char *resolved = NULL;

    ck_assert_int_eq(mountpoint_prepare(path, &resolved, &err), IMAP_USAGE);
    ck_assert_ptr_null(resolved);
    ck_assert_msg(strstr(err.text, word) && !strchr(err.text, '\n'), "%s: %s", path, err.text);
}

START_TEST(relative_becomes_absolute)
{
    struct imap_error err = {0};
    char *resolved = NULL;

    in_scratch();
    ck_assert_int_eq(mkdir("m", 0700), 0);
    ck_assert_int_eq(symlink("m", "link"), 0);
    ck_assert_int_eq(mountpoint_prepare("link/../m/", &resolved, &err), IMAP_OK);
    ck_assert_int_eq(strncmp(resolved, directory, strlen(directory)), 0);
    ck_assert_str_eq(resolved + strlen(directory), "/m");
    free(resolved);
    ck_assert_int_eq(mountpoint_prepare("link", &resolved, &err), IMAP_OK);
    ck_assert_str_eq(resolved + strlen(directory), "/m");
    free(resolved);
    unlink("link");
    rmdir("m");
    rmdir(directory);
}
END_TEST

START_TEST(what_cannot_be_mounted_on)
{
    in_scratch();
    close(open("file", O_CREAT | O_WRONLY, 0600));
    refused("missing", "mkdir");
    refused("file", "not a directory");
    refused("file/below", "file/below");
    unlink("file");
    rmdir(directory);
}
END_TEST

UNIT_MAIN("mountpoint", relative_becomes_absolute, what_cannot_be_mounted_on)
