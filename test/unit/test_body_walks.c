/* SPDX-License-Identifier: MIT */
#include "body_world.h"

#include "unit_main.h"

static void walk(uint32_t uid_of(uint32_t index))
{
    for (uint32_t i = 0; i < world.count; i++)
        ck_assert_int_eq(read_all(uid_of(i)), IMAP_OK);
    for (size_t i = 0; i < world.count; i++)
        ck_assert_uint_eq(world.mails[i].asked, 1);
}

static uint32_t rising(uint32_t index)
{
    return index + 1;
}

static uint32_t falling(uint32_t index)
{
    return (uint32_t)world.count - index;
}

static uint32_t scattered(uint32_t index)
{
    return (uint32_t)((uint64_t)index * 1789 % world.count) + 1; /* 1789 is prime */
}

static uint32_t names[3000];

static int compare_names(const void *a, const void *b)
{
    char left[16], right[16];
    snprintf(left, sizeof left, "%u.eml", *(const uint32_t *)a);
    snprintf(right, sizeof right, "%u.eml", *(const uint32_t *)b);
    return strcmp(left, right);
}

static uint32_t by_name(uint32_t index)
{
    return names[index];
}

START_TEST(walks_are_fetched_ahead)
{
    uint32_t (*const orders[])(uint32_t) = {rising, falling, by_name};
    for (uint32_t i = 0; i < 3000; i++)
        names[i] = i + 1;
    qsort(names, 3000, sizeof *names, compare_names);
    for (unsigned i = 0; i < 3; i++) {
        world_begin(3000, CACHE);
        walk(orders[i]);
        ck_assert_uint_le(wire_commands(), 3000 / 35);
        ck_assert_uint_le(world.urgent, 4);
        ck_assert_uint_lt(world.longest, 950);
        ck_assert_uint_eq(world.bodies->unread, 0);
        ck_assert_uint_eq(world.bodies->ahead, 0);
        world_end();
    }
}
END_TEST

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static bool told_ahead[101];

static void tell_ahead(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg;
    ck_assert_ptr_eq(mailbox, &world.mailbox);
    pthread_mutex_lock(&told_lock);
    told_ahead[uid] = true;
    pthread_mutex_unlock(&told_lock);
}

static bool all_told(void)
{
    pthread_mutex_lock(&told_lock);
    bool all = true;
    for (unsigned uid = 10; uid <= 30; uid++)
        all = all && told_ahead[uid];
    pthread_mutex_unlock(&told_lock);
    return all;
}

static struct body *hold(uint32_t uid)
{
    account_lock(&world.account);
    struct body *body = body_hold_ahead_locked(&world.mailbox, uid);
    account_unlock(&world.account);
    return body;
}

START_TEST(what_was_fetched_ahead_may_be_held)
{
    world_begin(100, CACHE);
    world.account.events.body_ahead = tell_ahead;
    struct mail *lied_about = mail_of(25);
    lied_about->claimed = lied_about->size + 7;
    for (uint32_t uid = 1; uid <= 5; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    ck_assert(eventually(all_told));
    ck_assert(!told_ahead[1]); /* somebody waited for it */

    struct body *body = hold(20);
    ck_assert_ptr_nonnull(body);
    ck_assert_uint_eq(size_of(body), mail_of(20)->size);
    ck_assert_ptr_null(hold(20)); /* by one at a time */
    close_body(body);
    ck_assert_ptr_null(hold(3));  /* was opened */
    ck_assert_ptr_null(hold(25)); /* the kernel was told another size */
    ck_assert_ptr_null(hold(4711));

    close_body(hold(30)); /* that is no access */
    body = hold(30);
    ck_assert_ptr_nonnull(body);
    struct body *reader = open_uid(30);
    close_body(body);
    ck_assert_int_eq(read_range(reader, 30, 0, READ_STEP), IMAP_OK);
    close_body(reader);
    ck_assert_ptr_null(hold(30));
    for (uint32_t uid = 6; uid <= 100; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    ck_assert_uint_eq(world.bodies->unread, 0);
    world_end();
}
END_TEST

START_TEST(disorder_is_fetched_ahead)
{
    world_begin(3000, CACHE);
    walk(scattered);
    ck_assert_uint_le(world.urgent, 300);
    ck_assert_uint_eq(world.bodies->unread, 0);
    world_end();
}
END_TEST

START_TEST(lost_lines_in_a_walk)
{
    world_begin(3000, CACHE);
    for (uint32_t uid = 10; uid < 3000; uid += 500)
        mail_of(uid)->drop_after = 100;
    for (uint32_t uid = 1; uid <= 3000; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    ck_assert_uint_eq(world.bodies->unread, 0);
    world_end();
}
END_TEST

START_TEST(refused_sets_in_a_walk)
{
    world_begin(1000, CACHE);
    world.refuses_sets = true;
    for (uint32_t uid = 1; uid <= 1000; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    world_end();
}
END_TEST

START_TEST(expunged_ones_in_a_walk)
{
    world_begin(1000, CACHE);
    for (uint32_t uid = 1; uid <= 1000; uid += 3)
        mail_of(uid)->expunged = true;
    for (uint32_t uid = 1; uid <= 1000; uid++)
        ck_assert_int_eq(read_all(uid), uid % 3 == 1 ? IMAP_GONE : IMAP_OK);
    ck_assert_uint_eq(world.bodies->unread, 0);
    world_end();
}
END_TEST

START_TEST(large_ones_in_a_walk)
{
    world_begin(200, CACHE);
    for (uint32_t uid = 5; uid <= 200; uid += 20)
        make_large(uid, 2 * MB, 2 * MB);
    for (uint32_t uid = 1; uid <= 200; uid++) {
        if (uid % 20 != 5) {
            ck_assert_int_eq(read_all(uid), IMAP_OK);
            continue;
        }
        struct body *body = open_uid(uid); /* only its head, as `file` or `head` would */
        ck_assert_int_eq(read_range(body, uid, 0, 4096), IMAP_OK);
        close_body(body);
        ck_assert_uint_le(wire_octets(uid), 64 * KB + 2);
    }
    world_end();
}
END_TEST

static void *walker_main(void *arg)
{
    uint32_t first = *(const uint32_t *)arg;
    for (uint32_t uid = first; uid < first + 750; uid++)
        ck_assert_int_eq(read_all(uid), IMAP_OK);
    return NULL;
}

START_TEST(parallel_walks)
{
    pthread_t walkers[4];
    uint32_t firsts[4] = {1, 751, 1501, 2251};
    world_begin(3000, CACHE);
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&walkers[i], NULL, walker_main, &firsts[i]);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(walkers[i], NULL);
    for (size_t i = 0; i < world.count; i++)
        ck_assert_uint_eq(world.mails[i].asked, 1);
    ck_assert_uint_le(world.urgent, 40);
    world_end();
}
END_TEST

UNIT_MAIN("body_walks", walks_are_fetched_ahead, what_was_fetched_ahead_may_be_held,
          disorder_is_fetched_ahead, lost_lines_in_a_walk, refused_sets_in_a_walk, expunged_ones_in_a_walk,
          large_ones_in_a_walk, parallel_walks)
