/* SPDX-License-Identifier: MIT */
/* Bodies from mount to mount: what is kept, what is found again, and what no longer is what it was. */
#include "body_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "unit_main.h"

static void begin(size_t count, uint64_t cache_size)
{
    world_keeps = true;
    world_begin(count, cache_size);
}

static void remount(uint64_t cache_size)
{
    world_unmount();
    for (size_t i = 0; i < world.count; i++)
        world.mails[i].asked = 0;
    world.commands = 0;
    world_mount(cache_size);
}

static void read_everything(uint32_t last)
{
    for (uint32_t uid = 1; uid <= last; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
}

static bool body_kept_now(uint32_t uid)
{
    const struct kept_key key = keeping_key(&world.mailbox, uid);
    account_lock(&world.account);
    const bool kept = kept_find(world.bodies->kept, &key) != NULL;
    account_unlock(&world.account);
    return kept;
}

static size_t struct_bodies(void)
{
    account_lock(&world.account);
    const size_t count = world.bodies->body_count;
    account_unlock(&world.account);
    return count;
}

static uint64_t total(void)
{
    account_lock(&world.account);
    const uint64_t bytes = bodies_total_locked(world.bodies);
    account_unlock(&world.account);
    return bytes;
}

static const char *file_path(unsigned number)
{
    static char path[sizeof world.dir + 32];
    snprintf(path, sizeof path, "%s/box.bodies/%u", world.dir, number);
    return path;
}

/* Disk space of the files, in bytes. */
static uint64_t disk_usage(void)
{
    struct stat st;
    uint64_t sum = 0;
    for (unsigned number = 1; number < 20; number++)
        if (stat(file_path(number), &st) == 0)
            sum += (uint64_t)st.st_blocks * 512;
    return sum;
}

static const struct kept_row *row_of_uid(uint32_t uid)
{
    const struct kept_key key = keeping_key(&world.mailbox, uid);
    const struct kept_row *row = row_of(&key);
    ck_assert_ptr_nonnull(row);
    return row;
}

static void flip_byte(uint32_t uid, uint64_t at)
{
    const struct kept_row *row = row_of_uid(uid);
    char byte;
    int fd = open(file_path(row->file), O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(row->offset + at)), 1);
    ck_assert_int_eq(byte, mail_byte(uid, at)); /* they are where the row says */
    byte ^= 0x20;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)(row->offset + at)), 1);
    close(fd);
}

START_TEST(read_again_without_the_server)
{
    begin(300, CACHE);
    make_large(7, 3 * MB + 17, 3 * MB + 17); /* comes in pieces */
    make_large(8, BODY_WHOLE_MAX, BODY_WHOLE_MAX);
    make_large(9, 0, 0);
    make_large(10, 1, 1);
    make_large(11, 65536, 65536);
    read_everything(300);
    for (uint32_t uid = 1; uid <= 300; uid++)
        while (!body_kept_now(uid)) /* what came in pieces is read back first */
            usleep(1000);
    ck_assert_uint_eq(struct_bodies(), 0);
    for (unsigned round = 0; round < 2; round++) {
        const uint64_t before = total();
        remount(CACHE);
        ck_assert_uint_eq(total(), before);
        read_everything(300);
        ck_assert_uint_eq(wire_commands(), 0);
        ck_assert_uint_eq(struct_bodies(), 0);
    }
    world_end();
}
END_TEST

START_TEST(proven_by_whoever_opens_it)
{
    begin(10, CACHE);
    ck_assert_int_eq(read_all(3), IMAP_OK);
    remount(CACHE);
    struct body *body = open_uid(3), *second = open_uid(3);
    account_lock(&world.account);
    ck_assert(body_check_here_locked(body));
    ck_assert(!body_check_here_locked(second)); /* somebody does */
    account_unlock(&world.account);
    body_check(body);
    ck_assert_int_eq(read_range(second, 3, 0, mail_of(3)->size), IMAP_OK);
    account_lock(&world.account);
    ck_assert(!body_check_here_locked(body));
    account_unlock(&world.account);
    close_body(body);
    close_body(second);
    ck_assert_uint_eq(wire_commands(), 0);
    world_end();
}
END_TEST

static unsigned damage_lines;

static void on_log(void *arg, int priority, const char *line)
{
    (void)arg, (void)priority;
    damage_lines += strstr(line, "damaged in the cache") != NULL;
}

START_TEST(damage_is_never_served)
{
    static const uint32_t damaged[] = {3, 7};
    begin(20, CACHE);
    world.account.events.log = on_log;
    make_large(7, 3 * MB + 17, 3 * MB + 17);
    read_everything(20);
    while (!body_kept_now(7))
        usleep(1000);
    world_unmount();
    flip_byte(3, mail_of(3)->size - 1);
    flip_byte(7, 2 * MB);
    for (size_t i = 0; i < 20; i++)
        world.mails[i].asked = 0;
    world_mount(CACHE);
    read_everything(20);
    for (uint32_t uid = 1; uid <= 20; uid++)
        ck_assert_int_eq(wire_asked(uid) > 0, uid == damaged[0] || uid == damaged[1]);
    ck_assert_uint_eq(damage_lines, 1); /* and the other is counted in the next line */
    while (!body_kept_now(7))
        usleep(1000);
    remount(CACHE);
    read_everything(20);
    ck_assert_uint_eq(wire_commands(), 0);
    world_end();
}
END_TEST

static void cut_file(uint32_t uid)
{
    const struct kept_row *row = row_of_uid(uid);
    ck_assert_int_eq(truncate(file_path(row->file), (off_t)row->offset + 1), 0);
}

START_TEST(what_files_lack_is_fetched_anew)
{
    begin(20, CACHE);
    read_everything(20);
    world_unmount();
    cut_file(11);
    world.commands = 0;
    world_mount(CACHE);
    ck_assert_uint_eq(world.row_count, 10);
    read_everything(20);
    for (uint32_t uid = 1; uid <= 20; uid++)
        ck_assert_uint_eq(wire_asked(uid), uid <= 10 ? 1 : 2);
    world_unmount();
    ck_assert_int_eq(unlink(file_path(1)), 0);
    world_mount(CACHE);
    ck_assert_uint_eq(world.row_count, 0);
    ck_assert_int_eq(access(file_path(2), F_OK), 0); /* a number is used once */
    read_everything(20);
    ck_assert_uint_eq(world.row_count, 20);
    world_end();
}
END_TEST

/* What was written where a row was lost, as a crash leaves it. */
START_TEST(what_nobody_knows_is_given_back)
{
    begin(40, CACHE);
    for (uint32_t uid = 1; uid <= 40; uid++)
        make_large(uid, 100 * KB, 100 * KB);
    read_everything(40);
    world_unmount();
    const uint64_t before = disk_usage();
    ck_assert_uint_ge(before, 4000 * KB);
    for (uint32_t uid = 2; uid <= 40; uid += 2) {
        const struct kept_key key = keeping_key(&world.mailbox, uid);
        stored_unkeep_locked(NULL, &key);
    }
    world.commands = 0;
    world_mount(CACHE);
    for (uint32_t uid = 2; uid <= 40; uid += 2) /* while it is being given back */
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    ck_assert_uint_eq(wire_commands() > 0, 1);
    for (unsigned i = 0; disk_usage() > before && i < 10000; i++)
        usleep(1000);
    ck_assert_uint_le(disk_usage(), before);
    world.commands = 0;
    read_everything(40);
    ck_assert_uint_eq(wire_commands(), 0);
    remount(CACHE);
    read_everything(40);
    ck_assert_uint_eq(wire_commands(), 0);
    world_unmount();
    world.row_count = 0; /* the store was removed */
    world_mount(CACHE);
    ck_assert_int_eq(access(file_path(1), F_OK), -1);
    ck_assert_uint_eq(disk_usage(), 0);
    world_end();
}
END_TEST

START_TEST(the_limit_holds_from_mount_to_mount)
{
    begin(200, 200 * 20 * KB);
    for (uint32_t uid = 1; uid <= 200; uid++)
        make_large(uid, 20 * KB, 20 * KB);
    read_everything(200);
    ck_assert_uint_eq(total(), 200 * 20 * KB);
    read_everything(100); /* so these are the last used */
    remount(100 * 20 * KB);
    ck_assert_uint_le(total(), 100 * 20 * KB);
    world_unmount(); /* the first 100 were told as used in the same minute: which stay is not said */
    ck_assert_uint_eq(world.row_count, 100);
    ck_assert_uint_le(disk_usage(), 100 * 20 * KB);
    world_mount(50 * 20 * KB);
    read_everything(200);
    ck_assert_uint_le(total(), 50 * 20 * KB);
    unsigned there = 0; /* the last ones, but for what fetching ahead has guessed wrongly */
    for (uint32_t uid = 151; uid <= 200; uid++)
        there += body_kept_now(uid);
    ck_assert_uint_ge(there, 45);
    world_end();
}
END_TEST

START_TEST(open_ones_are_spared)
{
    begin(100, 10 * 20 * KB);
    for (uint32_t uid = 1; uid <= 100; uid++)
        make_large(uid, 20 * KB, 20 * KB);
    ck_assert_int_eq(read_all(1), IMAP_OK);
    remount(10 * 20 * KB);
    struct body *body = open_uid(1);
    read_everything(100);
    ck_assert_int_eq(read_range(body, 1, 0, 20 * KB), IMAP_OK);
    ck_assert_uint_eq(wire_asked(1), 0);
    close_body(body);
    world_end();
}
END_TEST

static bool nothing_kept(void)
{
    account_lock(&world.account);
    const bool nothing = kept_count(world.bodies->kept) == 0;
    account_unlock(&world.account);
    return nothing;
}

START_TEST(expunged_and_reset_ones_are_forgotten)
{
    begin(10, CACHE);
    world.mailbox.uidvalidity = 5;
    read_everything(10);
    struct body *body = open_uid(4);
    account_lock(&world.account);
    bodies_message_gone_locked(world.bodies, &world.mailbox, 4);
    bodies_message_gone_locked(world.bodies, &world.mailbox, 6);
    account_unlock(&world.account);
    ck_assert_uint_eq(world.row_count, 8);
    ck_assert_int_eq(read_range(body, 4, 0, mail_of(4)->size), IMAP_OK); /* who has it open keeps it */
    close_body(body);
    ck_assert(!body_kept_now(4) && !body_kept_now(6) && body_kept_now(5));
    account_lock(&world.account);
    bodies_mailbox_reset_locked(world.bodies, &world.mailbox);
    account_unlock(&world.account);
    ck_assert(eventually(nothing_kept));
    ck_assert_uint_eq(world.row_count, 0);
    ck_assert_uint_eq(total(), 0);
    world_end();
}
END_TEST

START_TEST(other_uidvalidity_is_another_message)
{
    begin(10, CACHE);
    world.mailbox.uidvalidity = 5;
    read_everything(10);
    world_unmount();
    world.mailbox.uidvalidity = 6;
    world.commands = 0;
    world_mount(CACHE);
    ck_assert_int_eq(read_all(3), IMAP_OK);
    ck_assert_uint_eq(wire_commands(), 1);
    world_end();
}
END_TEST

START_TEST(copies_are_one_body)
{
    begin(10, CACHE);
    for (uint32_t uid = 5; uid <= 7; uid++) {
        make_large(uid, 9000, 9000);
        mail_of(uid)->objectid = 4711;
    }
    make_large(7, 9001, 9001); /* a server that errs */
    ck_assert_int_eq(read_all(5), IMAP_OK);
    remount(CACHE);
    struct body *body = open_uid(6); /* the test's server would send other bytes: these are those of 5 */
    ck_assert_int_eq(await_size(body), IMAP_OK);
    ck_assert_int_eq(read_range(body, 5, 0, 9000), IMAP_OK);
    struct body *original = open_uid(5);
    account_lock(&world.account);
    bodies_message_gone_locked(world.bodies, &world.mailbox, 6);
    account_unlock(&world.account);
    close_body(body);
    ck_assert_int_eq(read_range(original, 5, 0, 9000), IMAP_OK);
    close_body(original);
    ck_assert_int_eq(read_all(5), IMAP_OK);
    ck_assert_uint_eq(wire_asked(5) + wire_asked(6), 0);
    ck_assert_int_eq(read_all(7), IMAP_OK);
    ck_assert(!body_kept_now(5) && !body_kept_now(6) && body_kept_now(7));
    remount(CACHE);
    ck_assert_int_eq(read_all(7), IMAP_OK);
    ck_assert_int_eq(read_all(5), IMAP_OK);
    ck_assert_uint_eq(wire_asked(5) + wire_asked(6) + wire_asked(7), 0);
    world_end();
}
END_TEST

START_TEST(without_a_store_nothing_stays)
{
    begin(20, CACHE);
    read_everything(20);
    world_unmount();
    const uint64_t before = disk_usage();
    world.store_on = false; /* another mount has it */
    struct kept_row *rows = world.rows;
    const size_t count = world.row_count;
    world.rows = NULL;
    world.row_count = 0;
    world.commands = 0;
    world_mount(CACHE);
    read_everything(20);
    read_everything(20);
    ck_assert_uint_gt(wire_commands(), 0);
    ck_assert_uint_eq(disk_usage(), before);
    world_unmount();
    world.store_on = true;
    free(world.rows);
    world.rows = rows;
    world.row_count = count;
    world.commands = 0;
    world_mount(CACHE);
    read_everything(20);
    ck_assert_uint_eq(wire_commands(), 0);
    world_end();
}
END_TEST

START_TEST(reading_tells_the_store_nothing_new)
{
    begin(50, CACHE);
    read_everything(50);
    ck_assert_uint_eq(world.rows_told, 50);
    remount(CACHE);
    read_everything(50);
    read_everything(50);
    ck_assert_uint_eq(world.rows_told, 50);
    world_unmount();
    for (size_t i = 0; i < world.row_count; i++)
        world.rows[i].used -= 61;
    world_mount(CACHE);
    read_everything(50);
    read_everything(50);
    ck_assert_uint_eq(world.rows_told, 100);
    world_end();
}
END_TEST

/* A proven size is no reason to lose the pieces of a large message that is fetched again. */
START_TEST(large_one_of_known_size_comes_once)
{
    world_keeps = false;
    world_begin(10, 4 * MB);
    make_large(3, 3 * MB, 3 * MB)->verified = true;
    ck_assert_int_eq(read_all(3), IMAP_OK);
    ck_assert_uint_eq(wire_octets(3), 3 * MB);
    world_end();
}
END_TEST

UNIT_MAIN("keeping", read_again_without_the_server, proven_by_whoever_opens_it, damage_is_never_served,
          what_files_lack_is_fetched_anew, what_nobody_knows_is_given_back,
          the_limit_holds_from_mount_to_mount, open_ones_are_spared, expunged_and_reset_ones_are_forgotten,
          other_uidvalidity_is_another_message, copies_are_one_body, without_a_store_nothing_stays,
          reading_tells_the_store_nothing_new, large_one_of_known_size_comes_once)
