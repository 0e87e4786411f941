/* SPDX-License-Identifier: MIT */
/* Every transcript beside this file, whole and cut at every byte: the outcome must be the same. */
#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "transcript.h"

/* A long transcript is not cut at each byte, but so often that this many bytes are replayed in all. */
#define BYTES_MAX 4000000

static glob_t files;

static void compare(const char *path, size_t cut, const char *whole)
{
    size_t fed;
    char *log = transcript_replay(path, cut, &fed);
    size_t same = 0;
    while (log[same] && log[same] == whole[same])
        same++;
    while (same > 0 && log[same - 1] != '\n')
        same--;
    ck_assert_msg(strcmp(log, whole) == 0, "%s: cut behind byte %zd:\n%.200s\ninstead of\n%.200s", path,
                  (ssize_t)cut, log + same, whole + same);
    free(log);
}

START_TEST(replay)
{
    const char *path = files.gl_pathv[_i];
    size_t fed;
    char *whole = transcript_replay(path, TRANSCRIPT_WHOLE, &fed);
    ck_assert_uint_gt(fed, 0);
    compare(path, TRANSCRIPT_BYTES, whole);
    size_t step = fed * fed / BYTES_MAX + 1;
    for (size_t cut = 1; cut < fed; cut += step)
        compare(path, cut, whole);
    free(whole);
}
END_TEST

int main(void)
{
    if (glob(TEST_DIR "/script/*.txt", 0, NULL, &files) != 0 || files.gl_pathc < 20)
        return EXIT_FAILURE;
    Suite *suite = suite_create("transcripts");
    TCase *cases = tcase_create("transcripts");
    tcase_add_loop_test(cases, replay, 0, (int)files.gl_pathc);
    tcase_set_timeout(cases, 60);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    globfree(&files);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
