/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scan.h"
#include "unit_main.h"

#define SIZE 8192u

static uint32_t uids[200000];
static size_t count;

static bool next_of(void *arg, uint32_t after, struct scan_message *message_out)
{
    (void)arg;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uids[middle] <= after)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count)
        return false;
    *message_out = (struct scan_message){.uid = uids[low], .size = SIZE};
    return true;
}

static const struct scan_source source = {next_of, NULL};
static struct scan scan;
static struct scan_ticket tickets[2000001];
static const struct scan_ticket none;

static void mailbox_of(size_t messages)
{
    for (count = 0; count < messages; count++)
        uids[count] = (uint32_t)count + 1;
    memset(tickets, 0, sizeof tickets);
    scan_init(&scan, UINT64_C(512) << 20, 1);
}

/* Opens a message; true when it had been fetched ahead. */
static bool access_uid(uint32_t uid)
{
    struct scan_ticket ticket = tickets[uid];
    bool hit = ticket.cursor != 0;
    tickets[uid] = none;
    (void)scan_access(&scan, &source, uid, ticket, hit, 1000);
    struct scan_message message;
    unsigned cursor;
    while (scan_next(&scan, &source, &message, &cursor))
        if (!tickets[message.uid].cursor)
            tickets[message.uid] = scan_charge(&scan, cursor, SIZE);
    return hit;
}

static unsigned misses_of(const uint32_t *order, size_t n)
{
    unsigned misses = 0;
    for (size_t i = 0; i < n; i++)
        misses += !access_uid(order[i]);
    return misses;
}

static unsigned fetched(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < count; i++)
        n += tickets[uids[i]].cursor != 0;
    return n;
}

static int by_name(const void *a, const void *b)
{
    char left[32], right[32];
    snprintf(left, sizeof left, "%u.eml", *(const uint32_t *)a);
    snprintf(right, sizeof right, "%u.eml", *(const uint32_t *)b);
    return strcmp(left, right);
}

static int falling(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left > right ? -1 : left < right;
}

START_TEST(one_access_gives_nothing_out)
{
    mailbox_of(1000);
    ck_assert(!access_uid(5));
    ck_assert_uint_eq(fetched(), 0);
    access_uid(5); /* once more is not a walk */
    ck_assert_uint_eq(fetched(), 0);
    access_uid(500);
    ck_assert_uint_eq(fetched(), 0);
}
END_TEST

START_TEST(second_access_begins_modestly)
{
    mailbox_of(1000);
    access_uid(5);
    access_uid(6);
    ck_assert_uint_eq(fetched(), SCAN_WINDOW_MIN / SIZE);
    ck_assert(tickets[7].cursor && tickets[7 + SCAN_WINDOW_MIN / SIZE - 1].cursor);
    ck_assert(!tickets[5].cursor);
}
END_TEST

START_TEST(rising_order_misses_twice)
{
    mailbox_of(20000);
    ck_assert_uint_eq(misses_of(uids, count), 2);
    ck_assert_uint_eq(scan_unread(&scan), 0);
}
END_TEST

START_TEST(order_of_names_misses_twice)
{
    mailbox_of(20000);
    uint32_t *order = calloc(count + 1, sizeof *order);
    memcpy(order, uids, count * sizeof *order);
    qsort(order, count, sizeof *order, by_name);
    ck_assert_uint_eq(order[1], 10); /* the test itself: 1 10 100 */
    ck_assert_uint_eq(order[2], 100);
    ck_assert_uint_eq(misses_of(order, count), 2);
    ck_assert_uint_eq(scan_unread(&scan), 0);
    free(order);
}
END_TEST

/* UIDs with gaps, up to the largest there is; the order of names must be strcmp's. */
START_TEST(order_of_names_with_gaps)
{
    static const uint32_t some[] = {1,   2,    9,    10,    11,    19,         90,         99,
                                    100, 1000, 4294, 42949, 99999, 1000000000, 1999999999, 4294967295};
    count = sizeof some / sizeof *some;
    memcpy(uids, some, sizeof some);
    scan_init(&scan, UINT64_C(512) << 20, 1);
    uint32_t order[sizeof some / sizeof *some];
    memcpy(order, some, sizeof some);
    qsort(order, count, sizeof *order, by_name);
    (void)scan_access(&scan, &source, order[0], none, false, 1000);
    ck_assert(scan_access(&scan, &source, order[1], none, false, 1000));
    for (size_t i = 2; i < count; i++) {
        struct scan_message message;
        unsigned cursor;
        ck_assert(scan_next(&scan, &source, &message, &cursor));
        ck_assert_uint_eq(message.uid, order[i]);
    }
    struct scan_message message;
    unsigned cursor;
    ck_assert(!scan_next(&scan, &source, &message, &cursor));
}
END_TEST

START_TEST(falling_order_misses_twice)
{
    mailbox_of(20000);
    for (size_t i = 0; i < count; i++)
        uids[i] = (uint32_t)(i * 97 + 3); /* with gaps */
    uint32_t *order = calloc(count + 1, sizeof *order);
    memcpy(order, uids, count * sizeof *order);
    qsort(order, count, sizeof *order, falling);
    ck_assert_uint_eq(misses_of(order, count), 2);
    free(order);
}
END_TEST

/* 100 101 ... is rising as well as by name; where they part the right one is found at once. */
START_TEST(ambiguous_beginning)
{
    mailbox_of(20000);
    uint32_t *order = calloc(count + 1, sizeof *order);
    memcpy(order, uids, count * sizeof *order);
    qsort(order, count, sizeof *order, by_name);
    size_t from = 0;
    while (order[from] != 10001)
        from++;
    ck_assert_uint_le(misses_of(order + from, count - from), 4);
    free(order);
}
END_TEST

START_TEST(several_walks_at_once)
{
    mailbox_of(20000);
    unsigned misses = 0;
    for (uint32_t i = 0; i < 5000; i++)
        for (uint32_t reader = 0; reader < 4; reader++)
            misses += !access_uid(reader * 5000 + i + 1);
    ck_assert_uint_le(misses, 8);
}
END_TEST

/* One list dealt out to several processes: the accesses come a little out of order. At the latest the
 * cursor for no order takes them up, after 32 misses. */
START_TEST(jittered_walk)
{
    mailbox_of(20000);
    unsigned misses = 0;
    for (uint32_t i = 0; i + 4 <= 20000; i += 4) {
        static const uint32_t dealt[] = {2, 1, 4, 3};
        for (unsigned k = 0; k < 4; k++)
            misses += !access_uid(i + dealt[k]);
    }
    ck_assert_uint_le(misses, 80);
}
END_TEST

START_TEST(random_order_fetches_the_rest)
{
    mailbox_of(20000);
    uint32_t *order = calloc(count + 1, sizeof *order);
    memcpy(order, uids, count * sizeof *order);
    uint64_t seed = 42;
    for (size_t i = count - 1; i > 0; i--) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t other = (size_t)((seed >> 33) % (i + 1));
        uint32_t swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
    ck_assert_uint_le(misses_of(order, count), 200);
    free(order);
}
END_TEST

START_TEST(few_random_accesses_fetch_nothing)
{
    mailbox_of(20000);
    for (uint32_t i = 0; i < 31; i++)
        access_uid(100 + i * 601);
    ck_assert_uint_eq(fetched(), 0);
}
END_TEST

START_TEST(slow_random_accesses_fetch_nothing)
{
    mailbox_of(20000);
    for (uint32_t i = 0; i < 200; i++)
        ck_assert(!scan_access(&scan, &source, 1 + i * 37 % 20000, none, false, 1000 + i * 3100));
}
END_TEST

START_TEST(unread_stays_below_the_limit)
{
    mailbox_of(20000);
    scan_init(&scan, 1u << 20, 1);
    access_uid(1);
    for (uint32_t uid = 2; uid < 5000; uid++) {
        access_uid(uid);
        ck_assert_uint_le(scan_unread(&scan), (1u << 20) + SIZE);
    }
    ck_assert(tickets[5000].cursor);
}
END_TEST

START_TEST(quiet_walks_end)
{
    mailbox_of(20000);
    access_uid(1);
    access_uid(2);
    ck_assert_uint_gt(scan_unread(&scan), 0);
    ck_assert(!scan_expire(&scan, 1000 + SCAN_QUIET_MS + 1));
    ck_assert_uint_eq(scan_unread(&scan), 0);
    scan_forget(&scan, tickets[3]); /* worth nothing now, and harmless */
    ck_assert_uint_eq(scan_unread(&scan), 0);
}
END_TEST

START_TEST(ticket_of_another_scan_is_worth_nothing)
{
    mailbox_of(100);
    access_uid(1);
    access_uid(2);
    struct scan_ticket old = tickets[3];
    scan_init(&scan, UINT64_C(512) << 20, 2);
    memset(tickets, 0, sizeof tickets);
    access_uid(1);
    access_uid(2);
    uint64_t unread = scan_unread(&scan);
    scan_forget(&scan, old);
    ck_assert_uint_eq(scan_unread(&scan), unread);
}
END_TEST

START_TEST(long_walk_is_cheap)
{
    mailbox_of(200000);
    uint32_t *order = calloc(count + 1, sizeof *order);
    memcpy(order, uids, count * sizeof *order);
    qsort(order, count, sizeof *order, by_name);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    misses_of(order, count);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    ck_assert_msg(seconds < 5, "%.2f s for 200,000 messages", seconds); /* 0.2 s without sanitizers */
    free(order);
}
END_TEST

UNIT_MAIN("scan", one_access_gives_nothing_out, second_access_begins_modestly, rising_order_misses_twice,
          order_of_names_misses_twice, order_of_names_with_gaps, falling_order_misses_twice,
          ambiguous_beginning, several_walks_at_once, jittered_walk, random_order_fetches_the_rest,
          few_random_accesses_fetch_nothing, slow_random_accesses_fetch_nothing, unread_stays_below_the_limit,
          quiet_walks_end, ticket_of_another_scan_is_worth_nothing, long_walk_is_cheap)
