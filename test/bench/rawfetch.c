/* SPDX-License-Identifier: MIT */
/*
 * rawfetch: what the server and the line allow: one connection, one FETCH, the answer thrown away.
 *
 *     rawfetch HOST PORT USER MAILBOX metadata|bodies|seen        (password in $IMAPFS_PASSWORD)
 *
 * Prints the seconds from sending the FETCH to its tagged answer, and the bytes received.
 * `seen` prints instead how many messages the server holds as \Seen.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TAIL 4096 /* the last line of an answer is shorter */

struct answer {
    uint64_t bytes;
    char text[2 * TAIL + 1]; /* at least the last TAIL bytes, or all of a shorter answer */
    size_t len;
};

static int fd;
static unsigned char buffer[1 << 20];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "rawfetch: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(host, port, &hints, &list))
        fail("cannot resolve the host");
    fd = socket(list->ai_family, SOCK_STREAM, 0);
    int one = 1;
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen))
        fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    freeaddrinfo(list);
}

static void keep_tail(struct answer *answer, const unsigned char *data, size_t len)
{
    answer->bytes += len;
    if (len > TAIL) {
        data += len - TAIL;
        len = TAIL;
    }
    if (answer->len + len > sizeof(answer->text) - 1) {
        memmove(answer->text, answer->text + answer->len - TAIL, TAIL);
        answer->len = TAIL;
    }
    memcpy(answer->text + answer->len, data, len);
    answer->len += len;
    answer->text[answer->len] = 0;
}

/* Reads until the last line begins with `start`. The tags are such that no message holds them. */
static void read_until(const char *start, struct answer *answer)
{
    *answer = (struct answer){0};
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n <= 0)
            fail("the server hung up");
        keep_tail(answer, buffer, (size_t)n);
        if (answer->text[answer->len - 1] != '\n')
            continue;
        const char *line = memrchr(answer->text, '\n', answer->len - 1);
        line = line ? line + 1 : answer->text;
        if (!strncmp(line, start, strlen(start)))
            return;
    }
}

static void run(const char *command, struct answer *answer)
{
    static unsigned count;
    char tag[64], line[1024];
    snprintf(tag, sizeof(tag), "rawfetch-%d-%u ", (int)getpid(), count++);
    int len = snprintf(line, sizeof(line), "%s%s\r\n", tag, command);
    if (len >= (int)sizeof(line) || write(fd, line, (size_t)len) != len)
        fail("cannot send");
    read_until(tag, answer);
    const char *status = strstr(answer->text, tag) + strlen(tag);
    if (strncmp(status, "OK", 2) != 0)
        fail(status);
}

static void print_seen(void)
{
    struct answer answer;
    run("UID SEARCH RETURN (COUNT) SEEN", &answer);
    const char *count = strstr(answer.text, " COUNT ");
    if (!count)
        fail("no COUNT in the answer");
    printf("%d\n", atoi(count + 7));
}

int main(int argc, char **argv)
{
    const char *password = getenv("IMAPFS_PASSWORD");
    if (argc != 6 || !password)
        fail("usage: rawfetch HOST PORT USER MAILBOX metadata|bodies|seen");
    char command[1024];
    struct answer answer;
    dial(argv[1], argv[2]);
    read_until("* OK", &answer);
    snprintf(command, sizeof(command), "LOGIN \"%s\" \"%s\"", argv[3], password);
    run(command, &answer);
    snprintf(command, sizeof(command), "EXAMINE \"%s\"", argv[4]);
    run(command, &answer);
    if (!strcmp(argv[5], "seen")) {
        print_seen();
        return 0;
    }
    bool bodies = !strcmp(argv[5], "bodies");
    double start = now();
    run(bodies ? "UID FETCH 1:* BODY.PEEK[]" : "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", &answer);
    printf("%.6f %ju\n", now() - start, (uintmax_t)answer.bytes);
    return 0;
}
