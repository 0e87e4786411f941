/* SPDX-License-Identifier: MIT */
/*
 * storeload: how long one large mailbox takes to and from the store, and what it weighs in memory; how long as
 * many bodies take that lie on disk; and how long somebody waits until a change to be made later is on disk.
 *
 *   storeload DIRECTORY [MESSAGES]      (1000000)
 */
#include <malloc.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store.h"

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static struct columns columns;
static enum store_loaded result = STORE_FAILED;

static void on_loaded(void *arg, void *who, enum store_loaded loaded, struct columns *taken)
{
    (void)arg, (void)who;
    result = loaded;
    columns = *taken;
    *taken = (struct columns){0};
}

static void on_log(void *arg, int priority, const char *line)
{
    (void)arg, (void)priority;
    (void)fprintf(stderr, "%s\n", line);
}

static uint32_t on_flagset(void *arg, const char *text)
{
    (void)arg, (void)text;
    return 0;
}

static struct stored_mailbox found;

static void on_mailbox(void *arg, const struct stored_mailbox *mailbox)
{
    (void)arg;
    found = *mailbox;
}

static uint32_t kept_count;

static void on_kept(void *arg, const struct kept_row *row)
{
    (void)arg, (void)row;
    kept_count++;
}

static sem_t written;

static void on_written(void *arg, uint64_t ticket, bool kept)
{
    (void)arg, (void)ticket;
    if (kept)
        (void)sem_post(&written);
}

static struct store *open_store(const char *dir, bool with_kept)
{
    const struct store_events events = {.loaded = on_loaded, .log = on_log, .written = on_written};
    const struct imap_endpoint endpoint = {.user = "bench", .host = "localhost"};
    struct imap_error err = {0};
    struct store *store = NULL;
    if (store_open(dir, &endpoint, &events, NULL, &store, &err) != IMAP_OK ||
        !store_read(store, on_flagset, on_mailbox, with_kept ? on_kept : NULL, NULL)) {
        (void)fprintf(stderr, "storeload: %s\n", err.text);
        exit(1);
    }
    return store;
}

static struct kept_row kept_row(uint64_t n)
{
    const uint64_t hash = n * UINT64_C(0x9e3779b97f4a7c15);
    return (struct kept_row){.key = {.high = hash ^ hash >> 31, .low = n},
                             .file = (uint32_t)(n >> 16),
                             .offset = n << 14 & 0x3fffffff,
                             .size = 2000 + n * 7919 % 100000,
                             .digest = ~hash,
                             .used = 29000000 + (uint32_t)(n >> 8)};
}

/* As a mount would: some hundred at a time. */
static double write_kept(const char *dir, uint32_t bodies)
{
    struct changes changes = {0};
    struct store *store = open_store(dir, false);
    const double begun = now_s();
    store_start(store);
    for (uint32_t n = 0; n < bodies; n++) {
        const struct kept_row row = kept_row(n);
        changes_keep(&changes, &row);
        if (n % 500 == 0)
            store_post(store, &changes);
    }
    store_post(store, &changes);
    store_close(&store);
    return now_s() - begun;
}

static double write_all(const char *dir, uint32_t messages)
{
    struct changes changes = {0};
    struct stored_mailbox mailbox = {
        .id = 1, .name = "INBOX", .name_len = 5, .known = true, .uidvalidity = 1};
    struct store *store = open_store(dir, false);
    const double begun_put = now_s();
    changes_forget(&changes, 1);
    for (uint32_t i = 0; i < messages; i++) {
        const struct row row = {.uid = 3 * i + 1,
                                .flagset = 8,
                                .size = 2000 + i * 7919u % 100000,
                                .date = 1000000000 + 300 * (int64_t)i,
                                .modseq = 1 + i,
                                .zone = 60,
                                .has = ROW_ALL | ROW_MODSEQ};
        changes_put(&changes, 1, &row);
        mailbox.digest += change_digest(&row, row.flagset);
        mailbox.count++;
    }
    changes_mailbox(&changes, &mailbox);
    (void)printf("waiting to be written: %.1f bytes a message, put there in %.3f s\n",
                 (double)changes.len / messages, now_s() - begun_put);
    const double begun = now_s();
    store_post(store, &changes);
    store_start(store);
    store_close(&store);
    return now_s() - begun;
}

#define INTENTS 1000u

static double intend_each(const char *dir)
{
    struct changes changes = {0};
    struct intent intent = {
        .kind = INTENT_DELETE, .uidvalidity = 1, .from = "INBOX", .to = "Trash", .file = ""};
    struct store *store = open_store(dir, false);
    (void)sem_init(&written, 0, 0);
    store_start(store);
    const double begun = now_s();
    for (uint64_t n = 1; n <= INTENTS; n++) {
        intent.number = n;
        intent.uid = (uint32_t)n;
        changes_intend(&changes, &intent);
        store_post(store, &changes);
        store_tell_written(store, n);
        (void)sem_wait(&written);
    }
    const double seconds = now_s() - begun;
    store_close(&store);
    return seconds;
}

int main(int argc, char **argv)
{
    const uint32_t messages = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    if (argc < 2 || !messages) {
        (void)fprintf(stderr, "usage: storeload DIRECTORY [MESSAGES]\n");
        return 2;
    }
    (void)printf("written: %.2f s\n", write_all(argv[1], messages));
    const double begun = now_s();
    struct store *store = open_store(argv[1], false);
    const double opened = now_s();
    store_load(store, found.id, found.count, found.digest, NULL);
    store_start(store);
    store_settle(store);
    const double loaded = now_s();
    store_close(&store);
    malloc_trim(0);
    (void)printf("opened: %.3f s\nloaded: %.2f s\n", opened - begun, loaded - opened);
    (void)printf("in memory: %.1f bytes a message\n", (double)heap_bytes() / messages);
    const bool right = result == STORE_LOADED && columns.count == messages;
    columns_fini(&columns);
    (void)printf("bodies written: %.2f s\n", write_kept(argv[1], messages));
    const double reopened = now_s();
    store = open_store(argv[1], true);
    (void)printf("opened with bodies: %.3f s\n", now_s() - reopened);
    store_close(&store);
    (void)printf("on disk, one after the other: %.0f us each\n", intend_each(argv[1]) * 1e6 / INTENTS);
    return right && kept_count == messages ? 0 : 1;
}
