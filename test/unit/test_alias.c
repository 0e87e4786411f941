/* SPDX-License-Identifier: MIT */
#include "alias.h"

#include <stdio.h>

#include "unit_main.h"

START_TEST(is_found_by_directory_name_and_validity)
{
    struct aliases aliases = {0};
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 7), 0);
    alias_set(&aliases, 1, "a", 7, 10);
    alias_set(&aliases, 2, "a", 7, 20);
    alias_set(&aliases, 1, "b", 7, 30);
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 7), 10);
    ck_assert_uint_eq(alias_find(&aliases, 2, "a", 7), 20);
    ck_assert_uint_eq(alias_find(&aliases, 1, "b", 7), 30);
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 8), 0);
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 0), 10);
    alias_set(&aliases, 1, "a", 8, 11);
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 8), 11);
    ck_assert_uint_eq(alias_find(&aliases, 1, "a", 7), 0);
    alias_fini(&aliases);
}
END_TEST

START_TEST(the_oldest_are_forgotten)
{
    struct aliases aliases = {0};
    char name[16];
    for (uint32_t i = 0; i < ALIAS_MAX + 1000; i++) {
        snprintf(name, sizeof name, "n%u", i);
        alias_set(&aliases, 1, name, 1, i + 1);
    }
    for (uint32_t i = 0; i < ALIAS_MAX + 1000; i++) {
        snprintf(name, sizeof name, "n%u", i);
        ck_assert_uint_eq(alias_find(&aliases, 1, name, 1), i < 1000 ? 0 : i + 1);
    }
    alias_fini(&aliases);
}
END_TEST

UNIT_MAIN("alias", is_found_by_directory_name_and_validity, the_oldest_are_forgotten)
