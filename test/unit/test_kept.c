/* SPDX-License-Identifier: MIT */
/* The index of bodies on disk, and the digest by which they are known. */
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "unit_main.h"

static struct kept_row row_of(uint64_t number, uint64_t size)
{
    return (struct kept_row){.key = {.high = number % 7, .low = number},
                             .file = 1,
                             .offset = number * 65536,
                             .size = size,
                             .digest = number * 31,
                             .used = 1000};
}

static struct kept_key key_of(uint64_t number)
{
    return row_of(number, 0).key;
}

START_TEST(what_is_put_is_found)
{
    struct kept *kept = kept_new();
    const struct kept_key missing = key_of(1);
    ck_assert_ptr_null(kept_find(kept, &missing));
    ck_assert_ptr_null(kept_oldest(kept));
    const struct kept_row row = {.key = {UINT64_MAX, 1},
                                 .file = UINT32_MAX,
                                 .offset = KEPT_OFFSET_MAX,
                                 .size = KEPT_SIZE_MAX,
                                 .digest = UINT64_MAX - 5,
                                 .used = 7};
    ck_assert_ptr_nonnull(kept_put(kept, &row));
    const struct kept_row back = kept_row_of(kept_find(kept, &row.key));
    ck_assert_uint_eq(back.key.high, row.key.high);
    ck_assert_uint_eq(back.key.low, row.key.low);
    ck_assert_uint_eq(back.file, row.file);
    ck_assert_uint_eq(back.offset, row.offset);
    ck_assert_uint_eq(back.size, row.size);
    ck_assert_uint_eq(back.digest, row.digest);
    ck_assert_uint_eq(back.used, row.used);
    ck_assert_uint_eq(kept_bytes(kept), UINT64_C(1) << 34);
    ck_assert_ptr_null(kept_put(kept, &row)); /* one of a key */
    kept_free(&kept);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    struct kept *kept = kept_new();
    struct kept_row row = row_of(1, 10);
    row.offset = 1;
    ck_assert_ptr_null(kept_load(kept, &row));
    row.offset = KEPT_OFFSET_MAX + KEPT_BLOCK;
    ck_assert_ptr_null(kept_load(kept, &row));
    row.offset = 0;
    row.size = KEPT_SIZE_MAX + 1;
    ck_assert_ptr_null(kept_load(kept, &row));
    ck_assert_uint_eq(kept_count(kept), 0);
    kept_free(&kept);
}
END_TEST

/* Against a plain array: what is there, what is found, the sum, after each of many steps. */
START_TEST(random_coming_and_going)
{
    enum { KEYS = 3000 };
    static bool there[KEYS];
    uint64_t bytes = 0;
    size_t count = 0;
    struct kept *kept = kept_new();
    memset(there, 0, sizeof there);
    srand(5); /* NOLINT: the same steps each time */
    for (unsigned step = 0; step < 60000; step++) {
        const unsigned number = (unsigned)rand() % (step % 20000 < 10000 ? KEYS : 50);
        const struct kept_row row = row_of(number, number * 11);
        struct kept_entry *entry = kept_find(kept, &row.key);
        ck_assert_int_eq(entry != NULL, there[number]);
        if (entry) {
            ck_assert_uint_eq(entry->digest, row.digest);
            kept_drop(kept, entry);
            bytes -= kept_space(number * 11);
            count--;
        } else {
            ck_assert_ptr_nonnull(kept_put(kept, &row));
            bytes += kept_space(number * 11);
            count++;
        }
        there[number] = !there[number];
        ck_assert_uint_eq(kept_count(kept), count);
        ck_assert_uint_eq(kept_bytes(kept), bytes);
    }
    for (unsigned number = 0; number < KEYS; number++) {
        const struct kept_key key = key_of(number);
        ck_assert_int_eq(kept_find(kept, &key) != NULL, there[number]);
    }
    kept_free(&kept);
}
END_TEST

static uint64_t evict(struct kept *kept)
{
    struct kept_entry *entry = kept_oldest(kept);
    if (!entry)
        return UINT64_MAX;
    const uint64_t number = entry->key.low;
    kept_drop(kept, entry);
    return number;
}

START_TEST(the_least_recently_used_goes_first)
{
    enum { COUNT = 5000 };
    struct kept *kept = kept_new();
    for (unsigned number = 0; number < COUNT; number++) {
        const struct kept_row row = row_of(number, 100);
        kept_put(kept, &row);
    }
    for (unsigned number = 0; number < COUNT; number += 2) { /* the even ones again */
        const struct kept_key key = key_of(number);
        kept_touch(kept, kept_find(kept, &key));
    }
    for (unsigned number = 1; number < COUNT; number += 2)
        ck_assert_uint_eq(evict(kept), number);
    ck_assert_uint_eq(evict(kept), 0);
    const struct kept_key next = key_of(2);
    kept_touch(kept, kept_find(kept, &next)); /* it had been chosen already */
    ck_assert_uint_eq(evict(kept), 4);
    for (unsigned number = 6; number < COUNT; number += 2)
        ck_assert_uint_eq(evict(kept), number);
    ck_assert_uint_eq(evict(kept), 2);
    ck_assert_uint_eq(evict(kept), UINT64_MAX);
    kept_free(&kept);
}
END_TEST

START_TEST(what_is_in_use_or_doomed_is_spared)
{
    struct kept *kept = kept_new();
    for (unsigned number = 0; number < 4; number++) {
        const struct kept_row row = row_of(number, 100);
        kept_put(kept, &row);
    }
    const struct kept_key used = key_of(0), doomed = key_of(1);
    kept_find(kept, &used)->users = 1;
    kept_find(kept, &doomed)->users = 1;
    kept_find(kept, &doomed)->doomed = true;
    ck_assert_ptr_null(kept_find(kept, &doomed));
    ck_assert_ptr_nonnull(kept_any(kept, &doomed));
    const struct kept_row again = row_of(1, 100);
    ck_assert_ptr_null(kept_put(kept, &again)); /* until its last user is done */
    ck_assert_uint_eq(evict(kept), 2);
    ck_assert_uint_eq(evict(kept), 3);
    ck_assert_uint_eq(evict(kept), UINT64_MAX);
    kept_free(&kept);
}
END_TEST

/* In the order in which earlier mounts used them, and all of them before what this one uses. */
START_TEST(earlier_mounts_go_first)
{
    const uint32_t now = (uint32_t)(time(NULL) / 60);
    const uint32_t used[] = {now - 5, now - 500000, now + 9999, 0, now - 6};
    struct kept *kept = kept_new();
    for (unsigned number = 0; number < 5; number++) {
        struct kept_row row = row_of(number, 100);
        row.used = used[number];
        ck_assert_ptr_nonnull(kept_load(kept, &row));
    }
    const struct kept_row row = row_of(5, 100);
    kept_put(kept, &row);
    static const uint64_t order[] = {3, 1, 4, 0, 2, 5};
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(evict(kept), order[i]);
    kept_free(&kept);
}
END_TEST

START_TEST(a_million_is_bearable)
{
    struct kept *kept = kept_new();
    for (unsigned number = 0; number < 1000000; number++) {
        struct kept_row row = row_of(number, 7000);
        row.used = 20000000 + number % 1000;
        ck_assert_ptr_nonnull(kept_load(kept, &row));
    }
    ck_assert_uint_le(kept_memory(kept), 1000000 * 88); /* address space; what is used is up to 60 each */
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_uint_eq(evict(kept) % 1000, 0);
    ck_assert_uint_eq(evict(kept) % 1000, 1);
    kept_free(&kept);
}
END_TEST

START_TEST(a_digest_is_of_key_size_and_bytes)
{
    static const char bytes[] = "From: somebody\r\n\r\nHello, this is more than nothing.\r\n";
    const struct kept_key key = {1, 2}, other = {2, 1};
    const size_t size = sizeof bytes - 1;
    const uint64_t whole = digest_of(&key, bytes, size);
    struct digest *digest = digest_new();
    for (size_t cut = 0; cut <= size; cut++) {
        digest_begin(digest, &key, size);
        digest_add(digest, bytes, cut);
        digest_add(digest, bytes + cut, size - cut);
        ck_assert_uint_eq(digest_end(digest), whole);
    }
    digest_begin(digest, &key, size + 1);
    digest_add(digest, bytes, size);
    ck_assert_uint_ne(digest_end(digest), whole);
    ck_assert_uint_ne(digest_of(&other, bytes, size), whole);
    char flipped[sizeof bytes];
    memcpy(flipped, bytes, sizeof bytes);
    flipped[size - 1] ^= 1;
    ck_assert_uint_ne(digest_of(&key, flipped, size), whole);
    digest_free(&digest);
}
END_TEST

UNIT_MAIN("kept", what_is_put_is_found, what_cannot_be_is_refused, random_coming_and_going,
          the_least_recently_used_goes_first, what_is_in_use_or_doomed_is_spared, earlier_mounts_go_first,
          a_million_is_bearable, a_digest_is_of_key_size_and_bytes)
