/* SPDX-License-Identifier: MIT */
/* unit_main: runs a list of libcheck tests as a program. */
#ifndef UNIT_MAIN_H
#define UNIT_MAIN_H

#include <check.h>
#include <stdlib.h>

static inline int unit_main(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    for (; *tests; tests++)
        tcase_add_test(cases, *tests);
    tcase_set_timeout(cases, 60);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...)                                                                                 \
    int main(void)                                                                                           \
    {                                                                                                        \
        const TTest *const tests[] = {__VA_ARGS__, NULL};                                                    \
        return unit_main(name, tests);                                                                       \
    }

#endif
