/* SPDX-License-Identifier: MIT */
#include "patience.h"
#include "unit_main.h"

/* Requests that come `gap` after the one before was served; the clock goes in steps of 1 us. Returns for how
 * many of them it had to be woken. */
static unsigned sleeps(struct patience *patience, int64_t gap, unsigned requests, int64_t *now)
{
    unsigned woken = 0;

    for (unsigned i = 0; i < requests; i++) {
        int64_t ready = *now + gap;
        bool asleep = false;

        while (*now < ready && !asleep) {
            asleep = !patience_lasts(patience, *now);
            *now += 1000;
        }
        if (asleep) {
            woken++;
            *now = ready;
            patience_slept(patience, ready);
        }
        patience_found(patience);
    }
    return woken;
}

START_TEST(sleeps_at_once_in_the_beginning)
{
    struct patience patience = {0};

    ck_assert(!patience_lasts(&patience, 1000));
}
END_TEST

START_TEST(learns_to_look_when_requests_follow_closely)
{
    struct patience patience = {0};
    int64_t now = 1000;

    ck_assert_uint_le(sleeps(&patience, 8000, 20, &now), 2);
    ck_assert_uint_eq(sleeps(&patience, 8000, 1000, &now), 0);
}
END_TEST

START_TEST(gives_up_when_they_do_not)
{
    struct patience patience = {0};
    int64_t now = 1000;

    sleeps(&patience, 8000, 20, &now);
    sleeps(&patience, 10000000, 5, &now);
    ck_assert(!patience_lasts(&patience, now)); /* idle costs nothing */
    ck_assert_uint_eq(sleeps(&patience, 10000000, 100, &now), 100);
}
END_TEST

START_TEST(never_looks_longer_than_the_most)
{
    struct patience patience = {0};
    int64_t now = 1000;

    sleeps(&patience, 45000, 50, &now);
    int64_t since = now;
    while (patience_lasts(&patience, now))
        now += 1000;
    ck_assert_int_gt(now - since, 40000);
    ck_assert_int_le(now - since, PATIENCE_MAX_NS + 1000);
}
END_TEST

START_TEST(leaves_the_processor_to_those_who_need_it)
{
    struct patience patience = {0};
    int64_t now = 1000;

    sleeps(&patience, 8000, 20, &now);
    ck_assert(patience_lasts(&patience, now));
    now += PATIENCE_DISTURBED_NS + 1; /* that long somebody else ran */
    ck_assert(!patience_lasts(&patience, now));
    patience_slept(&patience, now + 1000);
    ck_assert(!patience_lasts(&patience, now + PATIENCE_LEAVE_ALONE_NS - 1));
    patience_slept(&patience, now + PATIENCE_LEAVE_ALONE_NS);
    ck_assert(patience_lasts(&patience, now + PATIENCE_LEAVE_ALONE_NS));
}
END_TEST

UNIT_MAIN("patience", sleeps_at_once_in_the_beginning, learns_to_look_when_requests_follow_closely,
          gives_up_when_they_do_not, never_looks_longer_than_the_most,
          leaves_the_processor_to_those_who_need_it)
