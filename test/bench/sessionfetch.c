/* SPDX-License-Identifier: MIT */
/*
 * sessionfetch: what the protocol machine alone (imap/session.h) takes for a FETCH of a whole mailbox, in a loop of
 * its own over a blocking socket: clientfetch without threads, deadlines, TLS and the pool's or client's queues.
 *
 *     sessionfetch PORT USER MAILBOX metadata|bodies response|answer       (password in $IMAPFS_PASSWORD)
 *
 * response: each response is looked at as it comes. answer: they are kept, as clients do, and then walked.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer_build.h"
#include "imap/session.h"

#define READ_BYTES ((size_t)128 << 10)

struct fetch {
    int fd;
    const char *password;
    struct imap_session *session;
    struct imap_answer *answer; /* NULL: not kept */
    uint64_t messages, sum;
    bool ended;
};

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "sessionfetch: %s\n", why);
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

static void take(struct fetch *fetch, const struct imap_fetch *message)
{
    fetch->messages++;
    fetch->sum += message->uid + message->size + (unsigned)__builtin_popcount(message->flags.system) +
                  message->flags.keyword_count;
    if (message->has & IMAP_FETCH_INTERNALDATE)
        fetch->sum += (uint64_t)message->internaldate.unix_seconds;
    for (const struct imap_section *section = message->sections; section; section = section->next)
        fetch->sum += section->size;
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct fetch *fetch = arg;
    if (response->type != IMAP_RESP_FETCH)
        return;
    if (!fetch->answer)
        take(fetch, &response->fetch);
    else if (imap_answer_add(fetch->answer, response) != IMAP_OK)
        fail("cannot keep the answer");
}

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    (void)so_far;
    return imap_answer_body_begin(((struct fetch *)arg)->answer, section->size);
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    imap_answer_body_data(((struct fetch *)arg)->answer, data, len);
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct fetch *fetch = arg;
    if (result->status != IMAP_OK)
        fail(result->error->text);
    if (fetch->answer)
        imap_answer_finish(fetch->answer, result);
    fetch->ended = true;
}

static void flush(struct fetch *fetch)
{
    size_t len;
    const void *data;
    while ((data = imap_session_pull(fetch->session, &len)) && len) {
        ssize_t n = write(fetch->fd, data, len);
        if (n <= 0)
            fail("the server hung up");
        imap_session_sent(fetch->session, (size_t)n);
    }
}

static void run(struct fetch *fetch, struct imap_command *command)
{
    struct imap_command_events events = {.response = on_response, .done = on_done};
    static unsigned char buffer[READ_BYTES];
    struct imap_error err;

    if (fetch->answer) {
        events.body_begin = on_body_begin;
        events.body_data = on_body_data;
    }
    imap_command_on(command, &events, fetch);
    imap_session_submit(fetch->session, command, NULL);
    fetch->ended = false;
    flush(fetch);
    while (!fetch->ended) {
        ssize_t n = read(fetch->fd, buffer, sizeof(buffer));
        if (n <= 0)
            fail("the server hung up");
        if (imap_session_feed(fetch->session, buffer, (size_t)n, &err) != IMAP_OK)
            fail(err.text);
        flush(fetch);
    }
}

static void open_mailbox(struct fetch *fetch, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const struct imap_session_events events = {0};

    fetch->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fetch->fd < 0 || connect(fetch->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("cannot connect");
    fetch->session = imap_session_new(&events, NULL, NULL);
    struct imap_command *login = imap_command_new("LOGIN");
    imap_command_astring(login, argv[2], strlen(argv[2]));
    imap_command_secret(login, fetch->password, strlen(fetch->password));
    run(fetch, login);
    struct imap_command *examine = imap_command_new("EXAMINE");
    imap_command_mailbox(examine, argv[3], strlen(argv[3]));
    run(fetch, examine);
}

static struct imap_command *fetch_command(bool bodies)
{
    struct imap_command *command = imap_command_new("UID FETCH");
    struct imap_seqset all = {0};
    imap_seqset_add(&all, 1, IMAP_SEQSET_STAR);
    imap_command_seqset(command, &all);
    imap_seqset_fini(&all);
    imap_command_raw(command, bodies ? "(UID BODY.PEEK[])" : "(UID FLAGS INTERNALDATE RFC822.SIZE)");
    return command;
}

static void take_answer(struct fetch *fetch)
{
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(fetch->answer, &count);
    for (size_t i = 0; i < count; i++)
        take(fetch, messages[i]);
    imap_answer_unref(&fetch->answer);
}

int main(int argc, char **argv)
{
    struct fetch fetch = {.password = getenv("IMAPFS_PASSWORD")};

    if (argc != 6 || !fetch.password)
        fail("usage: sessionfetch PORT USER MAILBOX metadata|bodies response|answer");
    open_mailbox(&fetch, argv);
    double wall = now(), used = processor();
    if (!strcmp(argv[5], "answer"))
        fetch.answer = imap_answer_new((size_t)1 << 30);
    run(&fetch, fetch_command(!strcmp(argv[4], "bodies")));
    if (fetch.answer)
        take_answer(&fetch);
    printf("%.6f %.6f %" PRIu64 " %" PRIu64 "\n", now() - wall, processor() - used, fetch.messages,
           fetch.sum);
    imap_session_free(&fetch.session);
    close(fetch.fd);
    return 0;
}
