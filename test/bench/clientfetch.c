/* SPDX-License-Identifier: MIT */
/*
 * clientfetch: what this library takes for a FETCH of a whole mailbox, or for many FETCHes in flight.
 *
 *     clientfetch PORT USER MAILBOX metadata|bodies answer|response|stream|each      (password in $IMAPFS_PASSWORD)
 *
 * answer: one FETCH, its answer kept and then walked. response: each response is looked at as it comes and not
 * kept. stream: bodies are handed over as they come from the line. each: a FETCH of its own for every message,
 * all of them queued at once.
 *
 * Prints seconds of wall and of processor time, messages, and a checksum over what was read of them: all clients
 * of a stream must agree on it.
 */
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "imap/auth.h"
#include "imap/client.h"
#include "imap/mailbox.h"
#include "imap/message.h"

struct tally {
    uint64_t messages, sum;
    sem_t ended;
    struct imap_error error;
};

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "clientfetch: %s\n", why);
    exit(1);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double processor(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static unsigned flags_of(const struct imap_flags *flags)
{
    return (unsigned)__builtin_popcount(flags->system) + (unsigned)flags->keyword_count;
}

static void take(struct tally *tally, const struct imap_fetch *fetch)
{
    tally->messages++;
    tally->sum += fetch->uid + fetch->size + flags_of(&fetch->flags);
    if (fetch->has & IMAP_FETCH_INTERNALDATE)
        tally->sum += (uint64_t)fetch->internaldate.unix_seconds;
    for (const struct imap_section *section = fetch->sections; section; section = section->next)
        tally->sum += section->size;
}

static void take_answer(struct tally *tally, const struct imap_answer *answer)
{
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);
    for (size_t i = 0; i < count; i++)
        take(tally, messages[i]);
}

static void on_response(void *arg, const struct imap_response *response)
{
    if (response->type == IMAP_RESP_FETCH)
        take(arg, &response->fetch);
}

static bool on_body(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    (void)arg;
    (void)so_far;
    (void)section;
    return true;
}

static void on_data(void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
}

static void on_done(void *arg, const struct imap_answer *answer)
{
    struct tally *tally = arg;
    take_answer(tally, answer);
    if (imap_answer_status(answer) != IMAP_OK)
        tally->error = *imap_answer_error(answer);
    sem_post(&tally->ended);
}

static void fetch_each(struct imap_client *client, const char *items, uint32_t count, struct tally *tally)
{
    for (uint32_t number = 1; number <= count; number++) {
        struct imap_call call = {.done = on_done, .arg = tally};
        char set[16];
        snprintf(set, sizeof(set), "%" PRIu32, number);
        imap_client_fetch(client, IMAP_BY_NUMBER, set, items, NULL, &call);
    }
    for (uint32_t number = 1; number <= count; number++)
        while (sem_wait(&tally->ended) != 0 && errno == EINTR)
            ;
}

static void fetch_all(struct imap_client *client, const char *items, const char *how, struct tally *tally)
{
    struct imap_call call = {.arg = tally};
    if (strcmp(how, "answer") != 0)
        call.response = on_response;
    if (!strcmp(how, "stream")) {
        call.body_begin = on_body;
        call.body_data = on_data;
    }
    if (imap_client_fetch(client, IMAP_BY_UID, "1:*", items, NULL, &call) != IMAP_OK)
        tally->error = call.error;
    if (call.answer && !call.response)
        take_answer(tally, call.answer);
    imap_call_fini(&call);
}

static struct imap_client *open_mailbox(char **argv, uint32_t *count_out)
{
    struct imap_client_options options = {.endpoint = {.host = "127.0.0.1",
                                                       .port = argv[1],
                                                       .tls = IMAP_TLS_NONE,
                                                       .user = argv[2],
                                                       .password = getenv("IMAPFS_PASSWORD"),
                                                       .timeout_ms = 60000},
                                          .answer_bytes = (size_t)1 << 30};
    char name[IMAP_MAILBOX_NAME_MAX];
    struct imap_client *client;
    struct imap_error err;
    struct imap_call call = {0};
    struct imap_selected selected;

    if (imap_client_connect(&options, &client, &err) != IMAP_OK)
        fail(err.text);
    if (imap_client_select(client, argv[3], IMAP_SELECT_READ_ONLY, &call) != IMAP_OK)
        fail(call.error.text);
    imap_call_fini(&call);
    if (!imap_client_selected(client, &selected, name))
        fail("nothing is selected");
    *count_out = selected.exists;
    return client;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    uint32_t count;

    if (argc != 6 || !getenv("IMAPFS_PASSWORD"))
        fail("usage: clientfetch PORT USER MAILBOX metadata|bodies answer|response|stream|each");
    sem_init(&tally.ended, 0, 0);
    struct imap_client *client = open_mailbox(argv, &count);
    bool bodies = !strcmp(argv[4], "bodies");
    const char *items = bodies ? "(UID BODY.PEEK[])" : "(UID FLAGS INTERNALDATE RFC822.SIZE)";
    double wall = now(), used = processor();
    if (!strcmp(argv[5], "each"))
        fetch_each(client, items, count, &tally);
    else
        fetch_all(client, items, argv[5], &tally);
    wall = now() - wall;
    used = processor() - used;
    if (tally.error.status != IMAP_OK)
        fail(tally.error.text);
    printf("%.6f %.6f %" PRIu64 " %" PRIu64 "\n", wall, used, tally.messages, tally.sum);
    imap_client_free(&client);
    return 0;
}
