/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct columns columns;

static void tear_down(void)
{
    columns_fini(&columns);
}

static struct row row_of(uint32_t uid)
{
    return (struct row){
        .uid = uid, .flagset = uid % 7, .size = uid * 10ull, .date = uid + 5, .zone = 60, .has = ROW_ALL};
}

static void insert(uint32_t uid)
{
    const struct row row = row_of(uid);
    columns_insert(&columns, &row);
}

static void check(size_t position, uint32_t uid)
{
    struct row row;
    const struct row expected = row_of(uid);
    columns_get(&columns, position, &row);
    ck_assert_uint_eq(row.uid, uid);
    ck_assert_uint_eq(row.flagset, expected.flagset);
    ck_assert_uint_eq(row.size, expected.size);
    ck_assert_int_eq(row.date, expected.date);
    ck_assert_int_eq(row.zone, 60);
    ck_assert_uint_eq(row.has, ROW_ALL);
}

START_TEST(stays_sorted_whatever_the_order)
{
    const uint32_t order[] = {50, 10, 4294967295u, 30, 1, 40};
    const uint32_t sorted[] = {1, 10, 30, 40, 50, 4294967295u};
    for (size_t i = 0; i < 6; i++)
        insert(order[i]);
    ck_assert_uint_eq(columns.count, 6);
    for (size_t i = 0; i < 6; i++)
        check(i, sorted[i]);
    ck_assert_uint_eq(columns_lower(&columns, 0), 0);
    ck_assert_uint_eq(columns_lower(&columns, 11), 2);
    ck_assert_uint_eq(columns_lower(&columns, 4294967295u), 5);
    size_t at = 99;
    ck_assert(columns_find(&columns, 40, &at));
    ck_assert_uint_eq(at, 3);
    ck_assert(!columns_find(&columns, 41, &at));
}
END_TEST

START_TEST(removes)
{
    for (uint32_t uid = 1; uid <= 5; uid++)
        insert(uid);
    columns_remove(&columns, 4);
    columns_remove(&columns, 0);
    ck_assert_uint_eq(columns.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        check(i, i + 2);
    columns_compact(&columns, (const uint8_t[]){1, 0, 1});
    ck_assert_uint_eq(columns.count, 1);
    check(0, 3);
}
END_TEST

START_TEST(a_proven_size_yields_to_no_claim)
{
    insert(1);
    const struct row same = {.uid = 1, .size = 10, .has = ROW_SIZE};
    ck_assert(!columns_update(&columns, 0, &same));
    const struct row as_claimed = {.uid = 1, .size = 10, .has = ROW_SIZE | ROW_VERIFIED};
    ck_assert(!columns_update(&columns, 0, &as_claimed));
    ck_assert(!(columns.has[0] & ROW_CORRECTED));
    const struct row proven = {.uid = 1, .size = 12, .has = ROW_SIZE | ROW_VERIFIED};
    ck_assert(columns_update(&columns, 0, &proven));
    ck_assert(columns.has[0] & ROW_CORRECTED);
    const struct row claim = {.uid = 1, .size = 10, .has = ROW_SIZE};
    ck_assert(!columns_update(&columns, 0, &claim));
    ck_assert_uint_eq(columns.size[0], 12);
    const struct row flags = {.uid = 1, .flagset = 3, .size = 99, .has = ROW_FLAGS};
    ck_assert(columns_update(&columns, 0, &flags));
    ck_assert_uint_eq(columns.size[0], 12);
    ck_assert_uint_eq(columns.flagset[0], 3);
}
END_TEST

START_TEST(modseq_only_when_used)
{
    insert(1);
    insert(2);
    ck_assert_ptr_null(columns.modseq);
    const struct row modseq = {.uid = 2, .modseq = 77, .has = ROW_MODSEQ};
    ck_assert(!columns_update(&columns, 1, &modseq));
    ck_assert_uint_eq(columns.modseq[0], 0);
    insert(3);
    insert(0x7fffffff);
    for (uint32_t uid = 4; uid < 100; uid++)
        insert(uid);
    columns_remove(&columns, 0);
    ck_assert_uint_eq(columns.modseq[0], 77);
    ck_assert_uint_eq(columns.modseq[1], 0);
}
END_TEST

START_TEST(object_ids_only_when_used)
{
    insert(1);
    insert(2);
    ck_assert_ptr_null(columns.objectid);
    const struct row named = {.uid = 2, .objectid = 77};
    ck_assert(!columns_update(&columns, 1, &named));
    ck_assert_uint_eq(columns.objectid[0], 0);
    const struct row unnamed = {.uid = 2, .flagset = 5, .has = ROW_FLAGS};
    ck_assert(columns_update(&columns, 1, &unnamed)); /* tells nothing of it */
    for (uint32_t uid = 200; uid > 2; uid--) {
        const struct row row = {.uid = uid, .objectid = uid % 3 ? uid : 0, .has = ROW_FLAGS};
        columns_insert(&columns, &row);
    }
    columns_remove(&columns, 0);
    uint8_t drop[199] = {0};
    for (size_t at = 0; at < columns.count; at++)
        drop[at] = columns.uid[at] % 5 == 0;
    columns_compact(&columns, drop);
    size_t at = 0;
    for (uint32_t uid = 2; uid <= 200; uid++) {
        struct row row;
        if (uid % 5 == 0)
            continue;
        columns_get(&columns, at++, &row);
        ck_assert_uint_eq(row.uid, uid);
        ck_assert_uint_eq(row.objectid, uid == 2 ? 77 : uid % 3 ? uid : 0);
    }
    ck_assert_uint_eq(at, columns.count);
}
END_TEST

START_TEST(rows_are_sorted_and_folded)
{
    struct row rows[] = {
        {.uid = 9, .flagset = 1, .has = ROW_FLAGS},
        {.uid = 3, .flagset = 1, .size = 30, .date = 300, .zone = -60, .has = ROW_ALL},
        {.uid = 9, .size = 90, .objectid = 5, .has = ROW_SIZE},
        {.uid = 3, .flagset = 2, .size = 99, .has = ROW_FLAGS},
        {.uid = 9, .flagset = 4, .has = ROW_FLAGS},
        {.uid = 1, .has = ROW_DATE, .date = 100},
    };
    ck_assert_uint_eq(rows_normalise(rows, 6), 3);
    ck_assert_uint_eq(rows[0].uid, 1);
    ck_assert_uint_eq(rows[1].uid, 3);
    ck_assert_uint_eq(rows[1].flagset, 2);
    ck_assert_uint_eq(rows[1].size, 30);
    ck_assert_int_eq(rows[1].date, 300);
    ck_assert_int_eq(rows[1].zone, -60);
    ck_assert_uint_eq(rows[1].has, ROW_ALL);
    ck_assert_uint_eq(rows[2].uid, 9);
    ck_assert_uint_eq(rows[2].flagset, 4);
    ck_assert_uint_eq(rows[2].objectid, 5);
    ck_assert_uint_eq(rows[2].size, 90);
    ck_assert_uint_eq(rows[2].has, ROW_FLAGS | ROW_SIZE);
}
END_TEST

/* Against a straightforward sort, with every length up to one that takes several merges. */
START_TEST(any_order_is_sorted)
{
    uint32_t seed = 11;
    for (size_t count = 1; count < 70; count++) {
        struct row rows[70];
        bool there[200] = {false};
        size_t distinct = 0;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1664525u + 1013904223u;
            rows[i] = (struct row){.uid = 1 + (seed >> 8) % 199};
            distinct += !there[rows[i].uid];
            there[rows[i].uid] = true;
        }
        ck_assert_uint_eq(rows_normalise(rows, count), distinct);
        for (size_t i = 1; i < distinct; i++)
            ck_assert_uint_lt(rows[i - 1].uid, rows[i].uid);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("columns");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, stays_sorted_whatever_the_order);
    tcase_add_test(tcase, removes);
    tcase_add_test(tcase, a_proven_size_yields_to_no_claim);
    tcase_add_test(tcase, modseq_only_when_used);
    tcase_add_test(tcase, object_ids_only_when_used);
    tcase_add_test(tcase, rows_are_sorted_and_folded);
    tcase_add_test(tcase, any_order_is_sorted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
