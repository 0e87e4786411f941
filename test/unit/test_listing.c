/* SPDX-License-Identifier: MIT */
#include "listing.h"
#include "unit_main.h"

START_TEST(unknown_until_set)
{
    struct listing listing = {0};
    uint64_t generation = 99;

    ck_assert(!listing_find(&listing, 1, &generation));
    listing_set(&listing, 1, 0);
    ck_assert(listing_find(&listing, 1, &generation));
    ck_assert_uint_eq(generation, 0);
    ck_assert(!listing_find(&listing, 2, &generation));
    listing_set(&listing, 1, 7);
    ck_assert(listing_find(&listing, 1, &generation));
    ck_assert_uint_eq(generation, 7);
    ck_assert_uint_eq(listing.count, 1);
    listing_fini(&listing);
}
END_TEST

START_TEST(many)
{
    struct listing listing = {0};
    uint64_t generation;

    for (uint32_t i = 1; i <= 5000; i++)
        listing_set(&listing, i * 429496U, i);
    ck_assert_uint_eq(listing.count, 5000);
    for (uint32_t i = 1; i <= 5000; i++) {
        ck_assert(listing_find(&listing, i * 429496U, &generation));
        ck_assert_uint_eq(generation, i);
        ck_assert(!listing_find(&listing, i * 429496U + 1, &generation));
    }
    listing_fini(&listing);
}
END_TEST

UNIT_MAIN("listing", unknown_until_set, many)
