/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>

#include "msgmap.h"
#include "unit_main.h"

#define CHUNK IMAP_MSGMAP_CHUNK

START_TEST(tells_what_was_learnt)
{
    struct imap_msgmap map = {0};
    imap_msgmap_resize(&map, 3);
    imap_msgmap_learn(&map, 1, 10);
    imap_msgmap_learn(&map, 3, 30);
    imap_msgmap_learn(&map, 4, 40); /* beyond EXISTS, as Exchange does */
    imap_msgmap_learn(&map, 0, 50); /* Courier's "* 0 FETCH" */
    imap_msgmap_learn(&map, 2, 0);  /* UID 0 */
    ck_assert_uint_eq(imap_msgmap_uid(&map, 1), 10);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 2), 0);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 3), 30);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 4), 0);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 0), 0);
    ck_assert_uint_eq(imap_msgmap_uid(&map, UINT32_MAX), 0);
    imap_msgmap_fini(&map);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 1), 0);
}
END_TEST

START_TEST(expunge_moves_those_behind)
{
    struct imap_msgmap map = {0};
    imap_msgmap_resize(&map, 4);
    for (uint32_t seq = 1; seq <= 4; seq++)
        imap_msgmap_learn(&map, seq, seq * 10);
    imap_msgmap_expunge(&map, 2);
    imap_msgmap_expunge(&map, 9);
    imap_msgmap_expunge(&map, 0);
    ck_assert_uint_eq(map.count, 3);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 1), 10);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 2), 30);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 3), 40);
    imap_msgmap_resize(&map, 4); /* the new one is not known yet */
    ck_assert_uint_eq(imap_msgmap_uid(&map, 4), 0);
    imap_msgmap_fini(&map);
}
END_TEST

START_TEST(shrinking_forgets)
{
    struct imap_msgmap map = {0};
    imap_msgmap_resize(&map, 3 * CHUNK);
    for (uint32_t seq = 1; seq <= 3 * CHUNK; seq++)
        imap_msgmap_learn(&map, seq, seq + 5);
    imap_msgmap_resize(&map, CHUNK / 2);
    imap_msgmap_resize(&map, 2 * CHUNK);
    ck_assert_uint_eq(imap_msgmap_uid(&map, CHUNK / 2), CHUNK / 2 + 5);
    for (uint32_t seq = CHUNK / 2 + 1; seq <= 2 * CHUNK; seq++)
        ck_assert_uint_eq(imap_msgmap_uid(&map, seq), 0);
    imap_msgmap_resize(&map, 0);
    ck_assert_uint_eq(map.chunk_count, 0);
    imap_msgmap_fini(&map);
}
END_TEST

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

/* Against arrays: the truth, and which of it the map was told. */
#define SIZE_MAX_TEST (3 * CHUNK)
static uint32_t truth[SIZE_MAX_TEST + 64];
static bool told[SIZE_MAX_TEST + 64];

static void remove_at(uint32_t *count, uint32_t index)
{
    memmove(&truth[index], &truth[index + 1], (*count - index - 1) * sizeof *truth);
    memmove(&told[index], &told[index + 1], (*count - index - 1) * sizeof *told);
    --*count;
}

static void compare(struct imap_msgmap *map, uint32_t count)
{
    ck_assert_uint_eq(map->count, count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_msg(imap_msgmap_uid(map, i + 1) == (told[i] ? truth[i] : 0), "seq %u of %u", i + 1, count);
}

START_TEST(agrees_with_plain_arrays)
{
    unsigned seed = 7;
    for (int round = 0; round < 12; round++) {
        struct imap_msgmap map = {0};
        uint32_t count = SIZE_MAX_TEST - 40, next_uid = 1;
        imap_msgmap_resize(&map, count);
        for (uint32_t i = 0; i < count; i++) {
            next_uid += 1 + next_random(&seed) % 3;
            truth[i] = next_uid;
            told[i] = round < 4 || next_random(&seed) % 10 < (unsigned)round - 3;
            if (told[i])
                imap_msgmap_learn(&map, i + 1, truth[i]);
        }
        compare(&map, count);
        for (int step = 0; step < 30; step++) {
            uint32_t index = next_random(&seed) % count;
            if (step % 3 == 0) {
                imap_msgmap_expunge(&map, index + 1);
                remove_at(&count, index);
            } else if (step % 3 == 1) { /* VANISHED names existing messages, known here or not */
                struct imap_seqset set = {0};
                for (int i = 0; i < 5 && index < count; i++, index += next_random(&seed) % 1500) {
                    imap_seqset_add(&set, truth[index], truth[index]);
                    remove_at(&count, index);
                }
                imap_msgmap_vanish(&map, &set);
                imap_seqset_fini(&set);
            } else {
                imap_msgmap_resize(&map, count + 1);
                next_uid += 2;
                truth[count] = next_uid;
                told[count++] = false;
            }
        }
        compare(&map, count);
        imap_msgmap_fini(&map);
    }
}
END_TEST

START_TEST(vanished_passes_over_what_cannot_be)
{
    struct imap_msgmap map = {0};
    struct imap_seqset set = {0};
    imap_msgmap_resize(&map, 3);
    for (uint32_t seq = 1; seq <= 3; seq++)
        imap_msgmap_learn(&map, seq, seq * 10);
    imap_seqset_add(&set, 1, 9);
    imap_seqset_add(&set, 11, 19);
    imap_seqset_add(&set, 31, UINT32_MAX);
    imap_msgmap_vanish(&map, &set);
    ck_assert_uint_eq(map.count, 3);
    imap_seqset_add(&set, 20, 20);
    imap_msgmap_vanish(&map, &set);
    ck_assert_uint_eq(map.count, 2);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 2), 30);
    imap_seqset_add(&set, 1, UINT32_MAX);
    imap_msgmap_vanish(&map, &set);
    ck_assert_uint_eq(map.count, 0);
    imap_msgmap_vanish(&map, &set);
    imap_seqset_fini(&set);
    imap_msgmap_fini(&map);
}
END_TEST

START_TEST(vanished_takes_unknown_ones_from_their_gap)
{
    struct imap_msgmap map = {0};
    struct imap_seqset set = {0};
    imap_msgmap_resize(&map, 6); /* 10 ? ? 40 ? ? */
    imap_msgmap_learn(&map, 1, 10);
    imap_msgmap_learn(&map, 4, 40);
    imap_seqset_add(&set, 25, 25);
    imap_msgmap_vanish(&map, &set); /* 10 ? 40 ? ? */
    ck_assert_uint_eq(map.count, 5);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 3), 40);
    imap_seqset_fini(&set);
    imap_seqset_add(&set, 100, 1000000);
    imap_msgmap_vanish(&map, &set); /* 10 ? 40 */
    ck_assert_uint_eq(map.count, 3);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 3), 40);
    imap_seqset_fini(&set);
    imap_msgmap_fini(&map);
}
END_TEST

START_TEST(unordered_uids_do_no_harm)
{
    unsigned seed = 3;
    struct imap_msgmap map = {0};
    imap_msgmap_resize(&map, 2 * CHUNK);
    for (int i = 0; i < 20000; i++)
        imap_msgmap_learn(&map, next_random(&seed) % (2 * CHUNK + 9), next_random(&seed));
    for (int i = 0; i < 300; i++) {
        struct imap_seqset set = {0};
        uint32_t first = next_random(&seed);
        imap_seqset_add(&set, first, first + next_random(&seed) % 100000);
        imap_msgmap_vanish(&map, &set);
        imap_seqset_fini(&set);
        imap_msgmap_resize(&map, map.count + next_random(&seed) % 40);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < map.chunk_count; i++) {
        ck_assert_uint_ge(map.chunks[i].count, 1);
        ck_assert_uint_le(map.chunks[i].count, CHUNK);
        sum += map.chunks[i].count;
    }
    ck_assert_uint_eq(sum, map.count);
    imap_msgmap_fini(&map);
}
END_TEST

START_TEST(fifty_million_messages_cost_little)
{
    struct imap_msgmap map = {0};
    clock_t before = clock();
    imap_msgmap_resize(&map, 50000000);
    imap_msgmap_learn(&map, 50000000, 7);
    for (int i = 0; i < 10000; i++)
        imap_msgmap_expunge(&map, 1);
    ck_assert_uint_eq(imap_msgmap_uid(&map, 50000000 - 10000), 7);
    for (int i = 0; i < 1000; i++) {
        imap_msgmap_uid(&map, 1);
        imap_msgmap_uid(&map, map.count);
    }
    ck_assert_msg(clock() - before < 10 * CLOCKS_PER_SEC, "took too long");
    imap_msgmap_fini(&map);
}
END_TEST

UNIT_MAIN("msgmap", tells_what_was_learnt, expunge_moves_those_behind, shrinking_forgets,
          agrees_with_plain_arrays, vanished_passes_over_what_cannot_be,
          vanished_takes_unknown_ones_from_their_gap, unordered_uids_do_no_harm,
          fifty_million_messages_cost_little)
