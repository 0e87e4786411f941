/* SPDX-License-Identifier: MIT */
#include "ids.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mailbox *const one = (struct mailbox *)0x10;
static struct mailbox *const two = (struct mailbox *)0x20;

/* FNV-1a's published test vectors. */
START_TEST(keys_are_fnv_1a)
{
    ck_assert_uint_eq(ids_key("", 0, 0), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(ids_key("a", 1, 0), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(ids_key("foobar", 6, 0), UINT64_C(0x85944171f73967e8));
}
END_TEST

/* murmur3's finalizer, computed independently (python) for the key of "INBOX" and of "a". A change here
 * would change every inode number in the world. */
START_TEST(numbers_never_change)
{
    ck_assert_uint_eq(ids_candidate(ids_key("INBOX", 5, 0), 0), 35071663u);
    ck_assert_uint_eq(ids_candidate(ids_key("INBOX", 5, 0), 1), 51684918u);
    ck_assert_uint_eq(ids_candidate(ids_key("INBOX", 5, 7), 0), 2102000811u);
}
END_TEST

START_TEST(numbers_are_31_bits_and_not_0)
{
    for (uint64_t key = 0; key < 100000; key++) {
        const uint32_t id = ids_candidate(key, 0);
        ck_assert(id >= 1 && id <= 0x7fffffffu);
    }
}
END_TEST

START_TEST(uidvalidity_makes_another_key)
{
    ck_assert_uint_ne(ids_key("a", 1, 1), ids_key("a", 1, 2));
    ck_assert_uint_ne(ids_key("a", 1, 1), ids_key("a", 1, 0));
    ck_assert_uint_ne(ids_key("a", 1, 1), ids_key("a", 1, 0x100));
}
END_TEST

START_TEST(retired_numbers_stay_their_keys)
{
    struct ids ids = {0};
    const uint64_t key = ids_key("a", 1, 1);
    const uint32_t id = ids_take(&ids, key, one);
    ck_assert_ptr_eq(ids_find(&ids, id), one);
    ck_assert_uint_eq(ids_take(&ids, key, one), id);
    ids_retire(&ids, id);
    ck_assert_ptr_null(ids_find(&ids, id));
    ck_assert_uint_eq(ids_take(&ids, key, two), id);
    ck_assert_ptr_eq(ids_find(&ids, id), two);
    ck_assert_ptr_null(ids_find(&ids, 0));
    ids_retire(&ids, 0);
    ids_fini(&ids);
}
END_TEST

/* Two keys with the same first number: found by search, since 31 bits collide within 10^5 keys. */
START_TEST(collisions_go_to_the_next_number)
{
    enum { KEYS = 200000 };
    struct ids ids = {0};
    unsigned moved = 0;
    for (uint64_t key = 1; key <= KEYS; key++) {
        const uint32_t id = ids_take(&ids, key, one);
        if (id != ids_candidate(key, 0)) {
            ck_assert_uint_eq(id, ids_candidate(key, 1));
            moved++;
        }
    }
    ck_assert_uint_gt(moved, 0);
    ck_assert_uint_lt(moved, 100); /* about n^2 / 2^32: 9 expected */
    ck_assert_uint_eq(ids.count, KEYS);
    ids_fini(&ids);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ids");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, keys_are_fnv_1a);
    tcase_add_test(tcase, numbers_never_change);
    tcase_add_test(tcase, numbers_are_31_bits_and_not_0);
    tcase_add_test(tcase, uidvalidity_makes_another_key);
    tcase_add_test(tcase, retired_numbers_stay_their_keys);
    tcase_add_test(tcase, collisions_go_to_the_next_number);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
