/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool.h"

static char dir[64];
static struct imap_error err;

static void setup(void)
{
    snprintf(dir, sizeof dir, "%s/spool.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    err = (struct imap_error){0};
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct spool *open_here(void)
{
    struct spool *spool = NULL;
    ck_assert_msg(spool_open(dir, &spool, &err) == IMAP_OK, "%s", err.text);
    return spool;
}

START_TEST(ranges_grow_and_merge)
{
    struct range_set set = {0};
    ck_assert(range_set_covers(&set, 5, 5));
    ck_assert(!range_set_covers(&set, 0, 1));
    ck_assert_uint_eq(range_set_next(&set, 0), UINT64_MAX);
    ck_assert_uint_eq(range_set_add(&set, 0, 10), 10);
    ck_assert_uint_eq(range_set_add(&set, 10, 20), 10);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_uint_eq(range_set_add(&set, 15, 18), 0);
    ck_assert_uint_eq(range_set_add(&set, 40, 50), 10);
    ck_assert_uint_eq(range_set_add(&set, 30, 35), 5);
    ck_assert_uint_eq(set.count, 3);
    ck_assert_uint_eq(range_set_end(&set, 0), 20);
    ck_assert_uint_eq(range_set_end(&set, 20), 20);
    ck_assert_uint_eq(range_set_next(&set, 20), 30);
    ck_assert_uint_eq(range_set_next(&set, 32), 32);
    ck_assert_uint_eq(range_set_next(&set, 35), 40);
    ck_assert_uint_eq(range_set_next(&set, 50), UINT64_MAX);
    ck_assert_uint_eq(range_set_add(&set, 18, 45), 10 + 5); /* 20..30 and 35..40 */
    ck_assert_uint_eq(set.count, 1);
    ck_assert(range_set_covers(&set, 0, 50));
    ck_assert(!range_set_covers(&set, 0, 51));
    ck_assert_uint_eq(range_set_add(&set, 60, 60), 0);
    range_set_fini(&set);
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* Against a plain array of bytes. */
START_TEST(ranges_random)
{
    struct range_set set = {0};
    bool there[300] = {0};
    uint32_t seed = 7;
    for (unsigned round = 0; round < 400; round++) {
        seed = seed * 1103515245u + 12345u;
        unsigned from = seed >> 16 & 0xff, to = from + (seed >> 8 & 7), fresh = 0;
        for (unsigned i = from; i < to; i++) {
            fresh += !there[i];
            there[i] = true;
        }
        ck_assert_uint_eq(range_set_add(&set, from, to), fresh);
        for (unsigned at = 0; at < 290; at++) {
            unsigned end = at, next = at;
            while (there[end])
                end++;
            while (next < 299 && !there[next])
                next++;
            ck_assert_uint_eq(range_set_end(&set, at), end);
            ck_assert_uint_eq(range_set_next(&set, at), there[next] ? next : UINT64_MAX);
        }
    }
    range_set_fini(&set);
}
END_TEST

START_TEST(what_is_written_is_read)
{
    struct spool *spool = open_here();
    struct extent first, second;
    char buf[16];
    ck_assert_int_eq(spool_alloc_locked(spool, 5000, &first, &err), IMAP_OK);
    ck_assert_int_eq(spool_alloc_locked(spool, 10, &second, &err), IMAP_OK);
    ck_assert_uint_eq(first.offset % 4096, 0);
    ck_assert_uint_eq(second.offset % 4096, 0);
    ck_assert_uint_ge(second.offset, first.offset + 5000);
    ck_assert_int_eq(extent_write(&first, 4990, "0123456789", 10), 0);
    ck_assert_int_eq(extent_write(&second, 0, "abcdefghij", 10), 0);
    ck_assert_int_eq(extent_read(&first, 4990, buf, sizeof buf), 10); /* ends with the extent */
    ck_assert_mem_eq(buf, "0123456789", 10);
    ck_assert_int_eq(extent_read(&second, 4, buf, 3), 3);
    ck_assert_mem_eq(buf, "efg", 3);
    ck_assert_int_eq(extent_read(&second, 10, buf, 3), 0);
    spool_release_locked(spool, &first);
    spool_release_locked(spool, &second);
    ck_assert_ptr_null(first.file);
    spool_close(&spool);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing was left there */
    ck_assert_int_eq(mkdir(dir, 0700), 0);
}
END_TEST

START_TEST(a_claim_costs_nothing_and_has_a_cap)
{
    struct spool *spool = open_here();
    struct extent extent;
    ck_assert_int_eq(spool_alloc_locked(spool, SPOOL_EXTENT_MAX + 1, &extent, &err), IMAP_LIMIT);
    ck_assert_int_eq(spool_alloc_locked(spool, UINT64_MAX, &extent, &err), IMAP_LIMIT);
    for (unsigned i = 0; i < 1000; i++) { /* 8 TB of address space, over several files */
        ck_assert_int_eq(spool_alloc_locked(spool, SPOOL_EXTENT_MAX, &extent, &err), IMAP_OK);
        ck_assert_int_eq(extent_write(&extent, SPOOL_EXTENT_MAX - 1, "x", 1), 0);
        spool_release_locked(spool, &extent);
        struct spool_trash trash;
        ck_assert(spool_trash_locked(spool, &trash));
        spool_dispose(&trash);
        ck_assert(!spool_trash_locked(spool, &trash));
    }
    spool_close(&spool);
}
END_TEST

static void expect_refused(const char *path, int sys_errno)
{
    struct spool *spool = NULL;
    ck_assert_int_eq(spool_open(path, &spool, &err), IMAP_SYS);
    ck_assert_int_eq(err.sys_errno, sys_errno);
    ck_assert_ptr_null(spool);
    ck_assert_ptr_nonnull(strstr(err.text, path));
}

START_TEST(directory_is_made_private)
{
    char path[128];
    struct stat st;
    struct spool *spool = NULL;
    snprintf(path, sizeof path, "%s/a/b", dir);
    umask(0);
    ck_assert_int_eq(spool_open(path, &spool, &err), IMAP_OK);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    spool_close(&spool);
    ck_assert_int_eq(chmod(path, 0770), 0);
    expect_refused(path, EPERM);
    ck_assert_int_eq(chmod(path, 0707), 0);
    expect_refused(path, EPERM);
    ck_assert_int_eq(chmod(path, 0755), 0); /* readable is no harm: the file is 0600 and nameless */
    ck_assert_int_eq(spool_open(path, &spool, &err), IMAP_OK);
    spool_close(&spool);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 12345, 12345), 0);
        expect_refused(path, EPERM);
    }
    snprintf(path, sizeof path, "%s/file", dir);
    fclose(fopen(path, "w"));
    expect_refused(path, ENOTDIR);
    expect_refused("", ENOENT);
}
END_TEST

START_TEST(disk_space_comes_back)
{
    struct spool *spool = open_here();
    struct extent extent;
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    ck_assert_int_eq(spool_alloc_locked(spool, sizeof block, &extent, &err), IMAP_OK);
    ck_assert_int_eq(extent_write(&extent, 0, block, sizeof block), 0);
    struct extent kept;
    ck_assert_int_eq(spool_alloc_locked(spool, 100, &kept, &err), IMAP_OK);
    ck_assert_int_eq(extent_write(&kept, 0, block, 100), 0);
    struct extent freed = extent;
    spool_release_locked(spool, &extent);
    struct spool_trash trash;
    ck_assert(spool_trash_locked(spool, &trash));
    spool_dispose(&trash);
    char byte = 'y';
    ck_assert_int_eq(extent_read(&freed, 5, &byte, 1), 1); /* the file lives on, its bytes are a hole */
    ck_assert_int_eq(byte, 0);
    ck_assert_int_eq(extent_read(&kept, 99, &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    spool_release_locked(spool, &kept);
    spool_close(&spool);
}
END_TEST

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/me.bodies/%s", dir, name);
    return path;
}

static struct spool *open_named(void)
{
    struct spool *spool = open_here();
    ck_assert_msg(spool_name(spool, "me.bodies", &err) == IMAP_OK, "%s", err.text);
    return spool;
}

static void settle(struct spool *spool)
{
    ck_assert_msg(spool_settle(spool, &err) == IMAP_OK, "%s", err.text);
}

START_TEST(named_files_stay)
{
    struct spool *spool = open_named();
    struct extent extent, other;
    struct stat st;
    char buf[16];
    settle(spool);
    ck_assert_int_eq(spool_alloc_locked(spool, 5000, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 1);
    ck_assert_int_eq(extent_write(&extent, 0, "0123456789", 10), 0);
    ck_assert_int_eq(extent_write(&extent, 4999, "x", 1), 0);
    const uint64_t offset = extent.offset;
    spool_close(&spool);
    ck_assert_int_eq(stat(in_dir(""), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(stat(in_dir("1"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);

    spool = open_named();
    ck_assert(!spool_claim(spool, 1, offset, 9000, &other)); /* it is not that long */
    ck_assert(!spool_claim(spool, 2, offset, 10, &other));
    ck_assert(!spool_claim(spool, 1, offset + 1, 10, &other));
    ck_assert(!spool_claim(spool, 0, 0, 0, &other));
    ck_assert(spool_claim(spool, 1, offset, 5000, &other));
    settle(spool);
    ck_assert_int_eq(extent_read(&other, 0, buf, 10), 10);
    ck_assert_mem_eq(buf, "0123456789", 10);
    ck_assert_int_eq(spool_alloc_locked(spool, 10, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 1);
    ck_assert_uint_ge(extent.offset, offset + 9000); /* nor where somebody believed something to be */
    spool_release_locked(spool, &extent);
    spool_release_locked(spool, &other);
    spool_close(&spool);
    ck_assert_int_lt(access(in_dir("1"), F_OK), 0); /* nothing was in it any more */
}
END_TEST

START_TEST(a_number_is_used_once)
{
    struct spool *spool = open_named();
    struct extent extent, ignored;
    ck_assert(!spool_claim(spool, 41, 0, 10, &ignored)); /* somebody remembers a file that was removed */
    settle(spool);
    ck_assert_int_eq(spool_alloc_locked(spool, 10, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 42);
    ck_assert_int_eq(extent_write(&extent, 0, "0123456789", 10), 0);
    ck_assert_int_eq(spool_alloc_locked(spool, SPOOL_EXTENT_MAX, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 42);
    ck_assert_int_eq(spool_alloc_locked(spool, SPOOL_EXTENT_MAX, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 43);
    spool_close(&spool);
}
END_TEST

START_TEST(what_is_not_ours_is_left_alone)
{
    static const char *const names[] = {"README", "1.txt", "01", "99999999999", "+3", "5"};
    struct spool *spool = open_named();
    spool_close(&spool);
    for (unsigned i = 0; i < 5; i++)
        fclose(fopen(in_dir(names[i]), "w"));
    ck_assert_int_eq(mkdir(in_dir("4"), 0700), 0);
    fclose(fopen(in_dir("5"), "w"));
    spool = open_named();
    settle(spool);
    struct extent extent;
    ck_assert_int_eq(spool_alloc_locked(spool, 10, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 6);
    spool_close(&spool);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(access(in_dir(names[i]), F_OK), 0);
    ck_assert_int_eq(access(in_dir("4"), F_OK), 0);
    ck_assert_int_lt(access(in_dir("5"), F_OK), 0); /* that was ours */
}
END_TEST

START_TEST(without_names_after_all)
{
    struct spool *spool = open_named();
    settle(spool);
    spool_close(&spool);
    ck_assert_int_eq(chmod(in_dir(""), 0777), 0);
    spool = open_here();
    ck_assert_int_eq(spool_name(spool, "me.bodies", &err), IMAP_SYS);
    struct extent extent;
    ck_assert_int_eq(spool_alloc_locked(spool, 10, &extent, &err), IMAP_OK);
    ck_assert_uint_eq(spool_number(&extent), 0);
    spool_close(&spool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = tcase_create("spool");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, ranges_grow_and_merge);
    tcase_add_test(tcase, ranges_random);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, a_claim_costs_nothing_and_has_a_cap);
    tcase_add_test(tcase, directory_is_made_private);
    tcase_add_test(tcase, disk_space_comes_back);
    tcase_add_test(tcase, named_files_stay);
    tcase_add_test(tcase, a_number_is_used_once);
    tcase_add_test(tcase, what_is_not_ours_is_left_alone);
    tcase_add_test(tcase, without_names_after_all);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
