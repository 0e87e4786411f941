/* SPDX-License-Identifier: MIT */
#include "copyuid.h"

#include "unit_main.h"

START_TEST(the_example_of_the_rfc)
{
    static const char args[] = "38505 304,319:320 3956:3958";
    ck_assert(copyuid_sound(args));
    ck_assert_uint_eq(copyuid_find(args, 304), 3956);
    ck_assert_uint_eq(copyuid_find(args, 319), 3957);
    ck_assert_uint_eq(copyuid_find(args, 320), 3958);
    ck_assert_uint_eq(copyuid_find(args, 305), 0);
}
END_TEST

START_TEST(the_order_is_the_one_written)
{
    static const char args[] = "1 9,3:4 20,10:11";
    ck_assert(copyuid_sound(args));
    ck_assert_uint_eq(copyuid_find(args, 9), 20);
    ck_assert_uint_eq(copyuid_find(args, 3), 10);
    ck_assert_uint_eq(copyuid_find(args, 4), 11);
    ck_assert_uint_eq(copyuid_find("1 8:7 30:31", 7), 30);
}
END_TEST

START_TEST(billions_cost_nothing)
{
    static const char args[] = "1 1:4294967295 1:4294967295";
    ck_assert(copyuid_sound(args));
    ck_assert_uint_eq(copyuid_find(args, 4000000000u), 4000000000u);
}
END_TEST

START_TEST(what_makes_no_sense_is_not_believed)
{
    static const char *const wrong[] = {"",      "1",         "1 2",     "1 2:3 4", "1 2 3:4",        "1 x 3",
                                        "1 2 y", "1 2,0 3,4", "1 2 3 4", "1 2: 3",  "1 4294967296 3", "1  2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!copyuid_sound(wrong[i]), "%s", wrong[i]);
}
END_TEST

START_TEST(appenduid_is_in_the_order_of_the_messages)
{
    uint32_t uids[3] = {0};
    ck_assert(appenduid_read("38505 3955", uids, 1));
    ck_assert_uint_eq(uids[0], 3955);
    ck_assert(appenduid_read("38505 3961:3962,3955", uids, 3));
    ck_assert_uint_eq(uids[0], 3961);
    ck_assert_uint_eq(uids[1], 3962);
    ck_assert_uint_eq(uids[2], 3955);
}
END_TEST

START_TEST(appenduid_must_have_as_many_as_messages_were_sent)
{
    static const char *const wrong[] = {"",
                                        "1",
                                        "1 ",
                                        "1 2",
                                        "1 2:3",
                                        "1 2:5",
                                        "1 2,3,x",
                                        "1 2,3,0",
                                        "1 2,2,3",
                                        "1 4:5,5",
                                        "1 2:4 7",
                                        "1 2,3,4294967296",
                                        "1 1:4294967295"};
    uint32_t uids[3];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!appenduid_read(wrong[i], uids, 3), "%s", wrong[i]);
}
END_TEST

UNIT_MAIN("copyuid", the_example_of_the_rfc, the_order_is_the_one_written, billions_cost_nothing,
          what_makes_no_sense_is_not_believed, appenduid_is_in_the_order_of_the_messages,
          appenduid_must_have_as_many_as_messages_were_sent)
