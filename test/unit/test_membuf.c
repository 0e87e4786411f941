/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "mem.h"
#include "parse_help.h"

START_TEST(copies_end_in_nul)
{
    char *copy = imap_xstrndup("hello", 3), *all = imap_xstrdup("hello"), *none = imap_xstrndup(NULL, 0);

    ck_assert_str_eq(copy, "hel");
    ck_assert_str_eq(all, "hello");
    ck_assert_str_eq(none, "");
    free(copy);
    free(all);
    free(none);
}
END_TEST

START_TEST(calloc_zeroes_and_realloc_keeps)
{
    char *mem = imap_xcalloc(4, 2);

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(mem[i], 0);
    mem[7] = 'x';
    mem = imap_xreallocarray(mem, 100, 10);
    ck_assert_int_eq(mem[7], 'x');
    free(mem);
}
END_TEST

START_TEST(an_overflowing_size_aborts)
{
    free(imap_xreallocarray(NULL, SIZE_MAX / 2, 3));
}
END_TEST

START_TEST(buf_grows_up_to_its_cap)
{
    struct imap_buf buf;

    imap_buf_init(&buf, 1000);
    ck_assert_ptr_null(buf.data);
    for (int i = 0; i < 100; i++)
        ck_assert(imap_buf_append(&buf, "0123456789", 10));
    ck_assert_uint_eq(buf.len, 1000);
    ck_assert(!imap_buf_append(&buf, "x", 1));
    ck_assert(imap_buf_append(&buf, "", 0));
    ck_assert_uint_eq(buf.len, 1000);
    ck_assert_int_eq(buf.data[999], '9');
    ck_assert_int_eq(buf.data[1000], '\0');
    imap_buf_fini(&buf);
}
END_TEST

START_TEST(a_refused_append_changes_nothing)
{
    struct imap_buf buf;

    imap_buf_init(&buf, 4);
    ck_assert(imap_buf_append_str(&buf, "abc"));
    ck_assert(!imap_buf_append_str(&buf, "de"));
    ck_assert(!imap_buf_append(&buf, "d", SIZE_MAX));
    ck_assert_str_eq(buf.data, "abc");
    ck_assert(imap_buf_append_str(&buf, "d"));
    ck_assert_str_eq(buf.data, "abcd");
    imap_buf_fini(&buf);
}
END_TEST

START_TEST(clear_gives_back_what_is_too_much)
{
    struct imap_buf buf;
    char large[5000] = {0};

    imap_buf_init(&buf, 10000);
    ck_assert(imap_buf_append_str(&buf, "abc"));
    imap_buf_clear(&buf, 4096);
    ck_assert_ptr_nonnull(buf.data);
    ck_assert_str_eq(buf.data, "");
    ck_assert(imap_buf_append(&buf, large, sizeof(large)));
    imap_buf_clear(&buf, 4096);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert(imap_buf_append_str(&buf, "again"));
    ck_assert_str_eq(buf.data, "again");
    imap_buf_fini(&buf);
}
END_TEST

START_TEST(arena_memory_is_aligned_and_apart)
{
    struct imap_arena arena;
    char *before = NULL;

    imap_arena_init(&arena, SIZE_MAX);
    for (size_t size = 0; size < 5000; size += 7) {
        char *mem = imap_arena_alloc(&arena, size);

        ck_assert_uint_eq((uintptr_t)mem % IMAP_ARENA_ALIGN, 0);
        memset(mem, 'x', size);
        ck_assert_ptr_ne(mem, before);
        before = mem;
    }
    ck_assert_str_eq(imap_arena_strndup(&arena, "hello", 4), "hell");
    ck_assert_int_eq(((char *)imap_arena_zalloc(&arena, 100))[99], 0);
    imap_arena_fini(&arena);
}
END_TEST

START_TEST(arena_reset_reuses_its_first_block)
{
    struct imap_arena arena;
    void *first;

    imap_arena_init(&arena, SIZE_MAX);
    first = imap_arena_alloc(&arena, 10);
    for (int i = 0; i < 1000; i++)
        imap_arena_alloc(&arena, 1000);
    imap_arena_reset(&arena);
    ck_assert_ptr_eq(imap_arena_alloc(&arena, 10), first);
    imap_arena_fini(&arena);
}
END_TEST

START_TEST(arena_keeps_no_large_block)
{
    struct imap_arena arena;

    imap_arena_init(&arena, SIZE_MAX);
    memset(imap_arena_alloc(&arena, 10000000), 'x', 10000000);
    imap_arena_reset(&arena);
    ck_assert_uint_lt((size_t)(arena.end - arena.at), 1000000);
    imap_arena_fini(&arena);
}
END_TEST

START_TEST(arena_tells_when_it_is_full)
{
    struct imap_arena arena;

    imap_arena_init(&arena, 100000);
    imap_arena_alloc(&arena, 100);
    ck_assert(!imap_arena_full(&arena));
    for (int i = 0; i < 200; i++)
        imap_arena_alloc(&arena, 1000);
    ck_assert(imap_arena_full(&arena));
    imap_arena_reset(&arena);
    ck_assert(!imap_arena_full(&arena));
    imap_arena_fini(&arena);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {copies_end_in_nul,
                            calloc_zeroes_and_realloc_keeps,
                            buf_grows_up_to_its_cap,
                            a_refused_append_changes_nothing,
                            clear_gives_back_what_is_too_much,
                            arena_memory_is_aligned_and_apart,
                            arena_reset_reuses_its_first_block,
                            arena_keeps_no_large_block,
                            arena_tells_when_it_is_full,
                            NULL};
    Suite *suite = suite_create("membuf");
    TCase *cases = tcase_create("membuf");
    tcase_set_timeout(cases, 60);

    for (size_t i = 0; tests[i]; i++)
        tcase_add_test(cases, tests[i]);
    tcase_add_test_raise_signal(cases, an_overflowing_size_aborts, SIGABRT);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
