/* SPDX-License-Identifier: MIT */
#include "body_world.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "unit_main.h"

static void stall_after(int64_t octets)
{
    pthread_mutex_lock(&world.lock);
    world.allowance = octets;
    pthread_mutex_unlock(&world.lock);
}

START_TEST(small_message_right_and_fetched_once)
{
    world_begin(10, CACHE);
    ck_assert_int_eq(read_all(5), IMAP_OK);
    ck_assert_int_eq(read_all(5), IMAP_OK);
    ck_assert_uint_eq(wire_asked(5), 1);
    ck_assert_uint_eq(wire_commands(), 1); /* nothing was fetched ahead */
    ck_assert_str_eq(world.log, "UID FETCH 5 (UID BODY.PEEK[])\r\n");
    ck_assert_uint_eq(mail_of(5)->learnt, mail_of(5)->size);
    world_end();
}
END_TEST

static void *reader_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(read_all(3), IMAP_OK);
    return NULL;
}

START_TEST(many_readers_one_download)
{
    pthread_t readers[16];
    world_begin(10, CACHE);
    make_large(3, 600 * KB, 600 * KB);
    stall_after(0);
    for (unsigned i = 0; i < 16; i++)
        pthread_create(&readers[i], NULL, reader_main, NULL);
    world_allow(100 * KB);
    world_allow(-1);
    for (unsigned i = 0; i < 16; i++)
        pthread_join(readers[i], NULL);
    ck_assert_uint_eq(wire_asked(3), 1);
    ck_assert_uint_eq(wire_octets(3), 600 * KB);
    world_end();
}
END_TEST

START_TEST(range_is_served_before_the_message_is_complete)
{
    world_begin(10, CACHE);
    make_large(3, 900 * KB, 900 * KB);
    stall_after(300 * KB);
    struct body *body = open_uid(3);
    ck_assert_int_eq(await_size(body), IMAP_OK); /* as soon as the literal is announced */
    ck_assert_int_eq(read_range(body, 3, 0, 128 * KB), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 128 * KB, 64 * KB), IMAP_OK);
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    ck_assert(!body_available_locked(body, 800 * KB, 128 * KB, &waiter.wait));
    account_unlock(&world.account);
    ck_assert(!waiter.done);
    world_allow(-1);
    ck_assert_int_eq(waiter_await(&waiter), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 800 * KB, 128 * KB), IMAP_OK);
    close_body(body);
    world_end();
}
END_TEST

START_TEST(cancelled_wait_is_never_told)
{
    world_begin(10, CACHE);
    stall_after(100);
    struct body *body = open_uid(3);
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    ck_assert(!body_available_locked(body, 0, 4096, &waiter.wait));
    account_unlock(&world.account);
    ck_assert(wait_cancel(&world.account, &waiter.wait.wait));
    world_allow(-1);
    ck_assert_int_eq(read_range(body, 3, 0, 4096), IMAP_OK);
    ck_assert(!waiter.done);
    close_body(body);
    world_end();
}
END_TEST

START_TEST(lost_line_is_made_good)
{
    static const int64_t at[] = {0, 1, 70000, 299999};
    for (unsigned i = 0; i < 4; i++) {
        world_begin(10, CACHE);
        make_large(3, 300000, 300000)->drop_after = at[i];
        ck_assert_int_eq(read_all(3), IMAP_OK);
        ck_assert_uint_eq(wire_asked(3), 2);
        world_end();
    }
}
END_TEST

START_TEST(lost_line_within_pieces_is_made_good)
{
    world_begin(10, CACHE);
    make_large(3, 20 * MB + 17, 20 * MB + 17)->drop_after = 5 * MB + 3;
    ck_assert_int_eq(read_all(3), IMAP_OK);
    ck_assert_uint_lt(wire_octets(3), 26 * MB); /* what had arrived was kept */
    world_end();
}
END_TEST

static char log_text[4096];
static unsigned log_lines;

static void keep_log(void *arg, int priority, const char *line)
{
    (void)arg, (void)priority;
    log_lines++;
    snprintf(log_text + strlen(log_text), sizeof log_text - strlen(log_text), "%s\n", line);
}

/* What programs see of it is EIO at best: only the log can tell them why. */
START_TEST(unread_message_is_logged_but_no_storm)
{
    world_begin(1000, CACHE);
    world.account.events.log = keep_log;
    log_text[0] = '\0';
    log_lines = 0;
    world.unreachable = true;
    for (uint32_t uid = 3; uid < 300; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_AGAIN);
    ck_assert_uint_eq(log_lines, 1);
    ck_assert_ptr_nonnull(strstr(log_text, "cannot read message 3 of box: "));
    __atomic_add_fetch(&world.clock_ms, 60000, __ATOMIC_RELAXED);
    ck_assert_int_eq(read_all(500), IMAP_AGAIN);
    ck_assert_uint_eq(log_lines, 2);
    ck_assert_ptr_nonnull(strstr(log_text, "cannot read message 500 of box (and 296 others before): "));
    world_end();
}
END_TEST

START_TEST(unreachable_server_is_an_error_soon)
{
    world_begin(1000, CACHE);
    world.unreachable = true;
    ck_assert_int_eq(read_all(3), IMAP_AGAIN);
    for (uint32_t uid = 4; uid < 300; uid++) /* a walk is no reason to run against a wall */
        ck_assert_int_eq(read_all(uid), IMAP_AGAIN);
    pthread_mutex_lock(&world.lock);
    world.unreachable = false;
    pthread_mutex_unlock(&world.lock);
    ck_assert_int_eq(read_all(3), IMAP_OK);
    world_end();
}
END_TEST

START_TEST(expunged_message_is_gone)
{
    world_begin(10, CACHE);
    mail_of(3)->expunged = true;
    ck_assert_int_eq(read_all(3), IMAP_GONE);
    make_large(4, 5 * MB, 5 * MB)->expunged = true;
    ck_assert_int_eq(read_all(4), IMAP_GONE);
    ck_assert_uint_le(wire_asked(4), 2); /* when opened, and perhaps again when waited for */
    world_end();
}
END_TEST

START_TEST(expunged_while_open)
{
    world_begin(10, CACHE);
    make_large(4, 5 * MB, 5 * MB);
    struct body *body = open_uid(4), *small = open_uid(5);
    ck_assert_int_eq(read_range(body, 4, 0, 64 * KB), IMAP_OK);
    ck_assert_int_eq(read_range(small, 5, 0, 64 * KB), IMAP_OK);
    pthread_mutex_lock(&world.lock);
    mail_of(4)->expunged = mail_of(5)->expunged = true;
    pthread_mutex_unlock(&world.lock);
    account_lock(&world.account);
    bodies_message_gone_locked(world.bodies, &world.mailbox, 4);
    bodies_message_gone_locked(world.bodies, &world.mailbox, 5);
    account_unlock(&world.account);
    ck_assert_int_eq(read_range(body, 4, 0, 64 * KB), IMAP_OK); /* what is there stays readable */
    ck_assert_int_eq(read_range(small, 5, 0, 64 * KB), IMAP_OK);
    ck_assert_int_eq(read_range(body, 4, 3 * MB, 64 * KB), IMAP_GONE);
    struct body *again = open_uid(5);
    ck_assert_ptr_ne(again, small);
    ck_assert_int_eq(await_range(again, 0, 1), IMAP_GONE);
    close_body(again);
    close_body(body);
    close_body(small);
    world_end();
}
END_TEST

/* The mailbox is made anew while a body is on its way: not one byte may be taken for the new message. */
START_TEST(reset_refuses_what_is_on_its_way)
{
    world_begin(10, CACHE);
    make_large(3, 900 * KB, 900 * KB);
    stall_after(100 * KB);
    struct body *body = open_uid(3);
    ck_assert_int_eq(read_range(body, 3, 0, 1000), IMAP_OK);
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    ck_assert(!body_available_locked(body, 800 * KB, 1000, &waiter.wait));
    bodies_mailbox_reset_locked(world.bodies, &world.mailbox);
    world.mailbox.message_id = 78;
    account_unlock(&world.account);
    ck_assert_int_eq(waiter_await(&waiter), IMAP_GONE);
    world_allow(-1);
    ck_assert_int_eq(await_range(body, 800 * KB, 1000), IMAP_GONE);
    ck_assert_int_eq(read_all(3), IMAP_OK); /* the new one, fetched by itself */
    ck_assert_uint_eq(wire_asked(3), 2);
    close_body(body);
    world_end();
}
END_TEST

struct claim {
    uint64_t size, claimed;
};

START_TEST(wrong_claims)
{
    static const struct claim claims[] = {{10442, 10297},
                                          {10297, 10442},
                                          {700, 0},
                                          {0, 700},
                                          {0, 0},
                                          {3 * MB, 10000},
                                          {3 * MB, 0},
                                          {3 * MB, 3 * MB - 1},
                                          {3 * MB, 3 * MB + 1},
                                          {10000, 3 * MB},
                                          {0, 3 * MB},
                                          {64 * KB, 3 * MB},
                                          {64 * KB - 1, 3 * MB},
                                          {2 * MB, 9 * MB},
                                          {9 * MB, 2 * MB},
                                          {MB, MB + 1},
                                          {MB + 1, MB},
                                          {3 * MB, UINT64_C(1) << 40},
                                          {3000, UINT64_C(1) << 62}};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        world_begin(10, CACHE);
        make_large(3, claims[i].size, claims[i].claimed);
        ck_assert_msg(read_all(3) == IMAP_OK, "%" PRIu64 " claimed as %" PRIu64, claims[i].size,
                      claims[i].claimed);
        ck_assert_uint_eq(mail_of(3)->learnt, claims[i].size);
        world_end();
    }
}
END_TEST

START_TEST(known_size_contradicted)
{
    world_begin(10, CACHE);
    make_large(3, 5000, 6000)->verified = true;
    struct body *body = open_uid(3);
    ck_assert_int_eq(await_size(body), IMAP_OK);
    ck_assert_uint_eq(size_of(body), 6000);
    ck_assert_int_eq(await_range(body, 0, 4096), IMAP_PROTO); /* never a mixture */
    ck_assert_int_eq(await_range(body, 0, 4096), IMAP_PROTO);
    ck_assert_uint_eq(mail_of(3)->learnt, 5000);
    ck_assert_int_eq(read_all(3), IMAP_OK); /* the next open has the truth */
    close_body(body);
    world_end();
}
END_TEST

START_TEST(known_size_of_a_large_one_contradicted)
{
    world_begin(10, CACHE);
    make_large(3, 4 * MB, 5 * MB)->verified = true;
    struct body *body = open_uid(3);
    ck_assert_int_eq(await_range(body, 4 * MB - 4096, 8192), IMAP_PROTO);
    ck_assert_uint_eq(mail_of(3)->learnt, 4 * MB);
    ck_assert_int_eq(read_all(3), IMAP_OK);
    close_body(body);
    world_end();
}
END_TEST

START_TEST(odd_servers)
{
    for (unsigned oddity = 0; oddity < 9; oddity++) {
        world_begin(10, CACHE);
        make_large(3, 5 * MB, 5 * MB);
        make_large(4, 2, 2);
        make_large(6, 5 * MB, 5 * MB - 1);
        world.uid_last = oddity == 1 || oddity == 8;
        world.twice = oddity == 2;
        world.ignores_partial = oddity == 3 || oddity == 4 || oddity == 8;
        world.keeps_origin = oddity == 4;
        world.probe_last = oddity == 5;
        world.refuses_probe = oddity == 6;
        world.silent_probe = oddity == 7;
        for (uint32_t uid = 1; uid <= 8; uid++) {
            enum imap_status status = read_all(uid);
            ck_assert_msg(status == IMAP_OK, "oddity %u, uid %u: status %d", oddity, uid, (int)status);
        }
        world_end();
    }
}
END_TEST

START_TEST(quoted_body)
{
    world_begin(10, CACHE);
    world.quotes = true;
    make_large(4, 2, 2);
    struct body *body = open_uid(4);
    char buf[8];
    ck_assert_int_eq(await_range(body, 0, 8), IMAP_OK);
    ck_assert_uint_eq(size_of(body), 2);
    ck_assert_int_eq(body_read(body, buf, 8, 0), 2);
    ck_assert_mem_eq(buf, "xx", 2);
    close_body(body);
    make_large(5, 3 * MB, 3 * MB);
    ck_assert_int_eq(read_all(5), IMAP_OK); /* the probe's octet comes quoted */
    ck_assert_uint_lt(wire_octets(5), 4 * MB);
    world_end();
}
END_TEST

START_TEST(nil_is_no_message)
{
    world_begin(10, CACHE);
    mail_of(4)->nil = true;
    ck_assert_int_eq(read_all(4), IMAP_GONE);
    world_end();
}
END_TEST

START_TEST(size_over_the_cap_is_refused)
{
    world_begin(10, CACHE);
    make_large(3, UINT64_C(9) << 30, 1000)->drop_after = 1000; /* or the server would send it all */
    ck_assert_int_eq(read_all(3), IMAP_LIMIT);
    make_large(4, UINT64_C(9) << 30, UINT64_C(9) << 30)->drop_after = 1000;
    struct body *body = open_uid(4);
    ck_assert_int_eq(await_size(body), IMAP_LIMIT);
    close_body(body);
    world_end();
}
END_TEST

START_TEST(head_of_a_large_one_is_cheap)
{
    world_begin(10, CACHE);
    make_large(3, 50 * MB, 50 * MB);
    struct body *body = open_uid(3);
    ck_assert_int_eq(read_range(body, 3, 0, 128 * KB), IMAP_OK);
    close_body(body);
    uint64_t octets = wire_octets(3);
    ck_assert_msg(octets <= 256 * KB, "%" PRIu64, octets);
    ck_assert_uint_eq(wire_commands(), 2);
    world_end();
}
END_TEST

START_TEST(tail_and_jumps_of_a_large_one)
{
    world_begin(10, CACHE);
    make_large(3, 50 * MB + 5, 50 * MB + 5);
    struct body *body = open_uid(3);
    ck_assert_int_eq(await_size(body), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 50 * MB - 4096, 8192), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 25 * MB, 4096), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 3 * MB, 4096), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 60 * MB, 4096), IMAP_OK); /* behind the end: nothing */
    ck_assert_uint_le(wire_octets(3), 5 * 64 * KB);
    close_body(body);
    world_end();
}
END_TEST

static uint32_t streamed_uid;

static bool read_ahead_done(void)
{
    return wire_octets(streamed_uid) >= 4 * MB;
}

START_TEST(large_one_streams)
{
    world_begin(10, CACHE);
    make_large(3, 50 * MB, 50 * MB);
    struct body *body = open_uid(3);
    for (uint64_t at = 0; at < MB; at += READ_STEP)
        ck_assert_int_eq(read_range(body, 3, at, READ_STEP), IMAP_OK);
    streamed_uid = 3;
    ck_assert(eventually(read_ahead_done)); /* ahead of the reader, without being asked */
    for (uint64_t at = MB; at < 50 * MB; at += READ_STEP)
        ck_assert_int_eq(read_range(body, 3, at, READ_STEP), IMAP_OK);
    close_body(body);
    ck_assert_uint_le(wire_octets(3), 50 * MB + 2); /* nothing twice */
    ck_assert_uint_le(wire_commands(), 40);
    world_end();
}
END_TEST

START_TEST(eviction_spares_what_is_open)
{
    world_begin(2000, 2 * MB);
    struct body *kept = open_uid(1);
    ck_assert_int_eq(read_range(kept, 1, 0, 100000), IMAP_OK);
    for (uint32_t uid = 2; uid <= 2000; uid++) /* some 17 MB */
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    account_lock(&world.account);
    ck_assert_uint_le(world.bodies->bytes, 2 * MB + MB);
    ck_assert_uint_lt(world.bodies->body_count, 1000);
    account_unlock(&world.account);
    ck_assert_int_eq(read_range(kept, 1, 0, 100000), IMAP_OK);
    ck_assert_uint_eq(wire_asked(1), 1);
    close_body(kept);
    ck_assert_int_eq(read_all(2), IMAP_OK); /* evicted long ago */
    ck_assert_uint_eq(wire_asked(2), 2);
    world_end();
}
END_TEST

START_TEST(larger_than_the_cache)
{
    world_begin(10, 1 * MB);
    make_large(3, 6 * MB, 6 * MB);
    struct body *body = open_uid(3);
    for (uint64_t at = 0; at < 6 * MB; at += READ_STEP)
        ck_assert_int_eq(read_range(body, 3, at, READ_STEP), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 0, READ_STEP), IMAP_OK);
    close_body(body);
    account_lock(&world.account);
    ck_assert_uint_eq(world.bodies->bytes, 0);
    account_unlock(&world.account);
    world_end();
}
END_TEST

static bool no_memory_in_use(void)
{
    account_lock(&world.account);
    const bool none = world.bodies->scarce_bytes == 0 && !world.bodies->scarce;
    account_unlock(&world.account);
    return none;
}

START_TEST(full_disk)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        puts("full_disk: cannot mount here, left out");
        return;
    }
    world_disk = "size=8m,mode=0700";
    world_begin(2000, CACHE);
    for (uint32_t uid = 1; uid <= 2000; uid++) /* some 15 MB: room is made by evicting */
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    make_large(3, 5 * MB, 5 * MB);
    make_large(4, 5 * MB, 5 * MB);
    struct body *held = open_uid(3), *body = open_uid(4);
    ck_assert_int_eq(read_range(held, 3, 0, 5 * MB), IMAP_OK);
    ck_assert_int_eq(read_range(body, 4, 0, 5 * MB), IMAP_OK); /* half of it in memory */
    ck_assert_uint_gt(world.bodies->scarce_bytes, 0);
    make_large(5, 100 * MB + 5, 100 * MB + 5); /* more than memory is used for */
    ck_assert_int_eq(read_all(5), IMAP_OK);
    ck_assert_uint_lt(wire_octets(5), 101 * MB);
    ck_assert_int_eq(read_all(6), IMAP_OK);
    ck_assert_int_eq(read_range(body, 4, 0, 5 * MB), IMAP_OK);
    close_body(body);
    ck_assert_int_eq(read_range(held, 3, 0, 5 * MB), IMAP_OK);
    close_body(held);
    ck_assert(eventually(no_memory_in_use)); /* when the last command has ended, too */
    ck_assert_int_eq(read_all(4), IMAP_OK);
    world_end();
}
END_TEST

/* All of it has to be held at once: an error that says so, and only for that one. */
START_TEST(full_disk_and_no_memory)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        puts("full_disk_and_no_memory: cannot mount here, left out");
        return;
    }
    world_disk = "size=4m,mode=0700";
    world_begin(10, CACHE);
    world.ignores_partial = true;
    make_large(3, 80 * MB, 80 * MB);
    struct body *body = open_uid(3);
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    ck_assert(!body_available_locked(body, 79 * MB, 5, &waiter.wait));
    account_unlock(&world.account);
    ck_assert_int_eq(waiter_await(&waiter), IMAP_SYS);
    ck_assert_int_eq(waiter.sys_errno, ENOSPC);
    ck_assert_int_eq(read_all(4), IMAP_OK);
    ck_assert_int_eq(read_range(body, 3, 0, 1 * MB), IMAP_OK); /* what is here stays right */
    close_body(body);
    ck_assert(eventually(no_memory_in_use)); /* when the last command has ended, too */
    world_end();
}
END_TEST

/* A file that may not grow: an error, and no other once it may. */
START_TEST(unwritable_spool)
{
    world_begin(10, CACHE);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 256 * KB, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    make_large(3, 900 * KB, 900 * KB);
    struct body *body = open_uid(3);
    ck_assert_int_eq(read_range(body, 3, 0, 100 * KB), IMAP_OK);
    struct waiter waiter;
    waiter_init(&waiter);
    account_lock(&world.account);
    bool available = body_available_locked(body, 800 * KB, 1000, &waiter.wait);
    account_unlock(&world.account);
    ck_assert(!available);
    ck_assert_int_eq(waiter_await(&waiter), IMAP_SYS);
    close_body(body);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(read_all(3), IMAP_OK); /* another attempt */
    world_end();
}
END_TEST

static struct body *stalled;
static struct waiter stalled_waiter;

START_TEST(stop_ends_every_wait)
{
    world_begin(10, CACHE);
    stall_after(10);
    stalled = open_uid(3);
    waiter_init(&stalled_waiter);
    account_lock(&world.account);
    ck_assert(!body_available_locked(stalled, 0, 4096, &stalled_waiter.wait));
    account_unlock(&world.account);
    world_end();
    ck_assert(stalled_waiter.done);
    ck_assert_int_eq(stalled_waiter.status, IMAP_CANCEL);
}
END_TEST

UNIT_MAIN("body", small_message_right_and_fetched_once, many_readers_one_download,
          range_is_served_before_the_message_is_complete, cancelled_wait_is_never_told,
          lost_line_is_made_good, lost_line_within_pieces_is_made_good, unread_message_is_logged_but_no_storm,
          unreachable_server_is_an_error_soon, expunged_message_is_gone, expunged_while_open,
          reset_refuses_what_is_on_its_way, wrong_claims, known_size_contradicted,
          known_size_of_a_large_one_contradicted, odd_servers, quoted_body, nil_is_no_message,
          size_over_the_cap_is_refused, head_of_a_large_one_is_cheap, tail_and_jumps_of_a_large_one,
          large_one_streams, eviction_spares_what_is_open, larger_than_the_cache, full_disk,
          full_disk_and_no_memory, unwritable_spool, stop_ends_every_wait)
