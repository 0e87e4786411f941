/* SPDX-License-Identifier: MIT */
#include "cutproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORD "APPEND "
#define WORD_LEN (sizeof WORD - 1)
#define BLOCK 65536

static struct sockaddr_in address_of(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    return address;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* The server gets to the end of what it was sent, and nobody hears what it says to that. */
static void end_line(struct cutproxy_line *line)
{
    char rest[4096];
    close(line->client);
    shutdown(line->server, SHUT_WR);
    while (recv(line->server, rest, sizeof rest, 0) > 0)
        continue;
    close(line->server);
    line->client = line->server = -1;
}

static void take_line(struct cutproxy *proxy)
{
    const struct sockaddr_in address = address_of(proxy->server_port);
    const int client = accept(proxy->listener, NULL, NULL);
    for (size_t i = 0; client >= 0 && i < CUTPROXY_LINES; i++) {
        struct cutproxy_line *line = &proxy->lines[i];
        if (line->client >= 0)
            continue;
        const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(server, (const struct sockaddr *)&address, sizeof address) != 0) {
            close(server);
            break;
        }
        *line = (struct cutproxy_line){.client = client, .server = server};
        return;
    }
    if (client >= 0)
        close(client);
}

/* Where in data the word ends, were its beginning in what came before; 0: it does not. */
static size_t word_end(struct cutproxy_line *line, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        memmove(line->tail, line->tail + 1, WORD_LEN - 1);
        line->tail[WORD_LEN - 1] = data[i];
        if (memcmp(line->tail, WORD, WORD_LEN) == 0)
            return i + 1;
    }
    return 0;
}

/* How much of len may pass; cuts when that is not all. */
static size_t allow(struct cutproxy *proxy, size_t *passed, const size_t *limit, size_t len, bool *cut_out)
{
    *cut_out = *limit != CUTPROXY_NEVER && *passed + len >= *limit && *limit >= *passed;
    const size_t may = *cut_out ? *limit - *passed : len;
    if (*cut_out) {
        proxy->cut_up = proxy->cut_down = CUTPROXY_NEVER;
        proxy->cuts++;
    }
    *passed += may;
    return may;
}

/* What went over the line before it was armed does not count. */
static void begin_round(struct cutproxy *proxy, struct cutproxy_line *line)
{
    pthread_mutex_lock(&proxy->lock);
    if (line->round != proxy->round) {
        line->round = proxy->round;
        line->appending = false;
        line->up = line->down = 0;
    }
    pthread_mutex_unlock(&proxy->lock);
}

static bool carry_up(struct cutproxy *proxy, struct cutproxy_line *line, const char *data, size_t len)
{
    bool cut = false;
    size_t before = 0;
    begin_round(proxy, line);
    if (!line->appending) {
        const size_t end = word_end(line, data, len);
        before = end ? (end > WORD_LEN ? end - WORD_LEN : 0) : len;
        line->appending = end != 0;
    }
    if (!send_all(line->server, data, before))
        return false;
    pthread_mutex_lock(&proxy->lock);
    proxy->appends += line->appending && !line->up && len > before;
    const size_t may = line->appending ? allow(proxy, &line->up, &proxy->cut_up, len - before, &cut) : 0;
    pthread_mutex_unlock(&proxy->lock);
    return send_all(line->server, data + before, may) && !cut;
}

static bool carry_down(struct cutproxy *proxy, struct cutproxy_line *line, const char *data, size_t len)
{
    bool cut = false;
    size_t may = len;
    pthread_mutex_lock(&proxy->lock);
    if (line->appending)
        may = allow(proxy, &line->down, &proxy->cut_down, len, &cut);
    pthread_mutex_unlock(&proxy->lock);
    return send_all(line->client, data, may) && !cut;
}

static void carry(struct cutproxy *proxy, struct cutproxy_line *line, bool up)
{
    char data[BLOCK];
    const ssize_t len = recv(up ? line->client : line->server, data, sizeof data, 0);
    const bool goes_on = len > 0 && (up ? carry_up(proxy, line, data, (size_t)len)
                                        : carry_down(proxy, line, data, (size_t)len));
    if (!goes_on)
        end_line(line);
}

static void *thread_main(void *arg)
{
    struct cutproxy *proxy = arg;
    for (;;) {
        struct pollfd polled[2 + 2 * CUTPROXY_LINES] = {{.fd = proxy->listener, .events = POLLIN},
                                                        {.fd = proxy->wake[0], .events = POLLIN}};
        for (size_t i = 0; i < CUTPROXY_LINES; i++) {
            polled[2 + 2 * i] = (struct pollfd){.fd = proxy->lines[i].client, .events = POLLIN};
            polled[3 + 2 * i] = (struct pollfd){.fd = proxy->lines[i].server, .events = POLLIN};
        }
        if (poll(polled, 2 + 2 * CUTPROXY_LINES, -1) < 0)
            continue;
        if (polled[1].revents)
            return NULL;
        for (size_t i = 0; i < CUTPROXY_LINES; i++) {
            if (polled[2 + 2 * i].revents && proxy->lines[i].client >= 0)
                carry(proxy, &proxy->lines[i], true);
            if (polled[3 + 2 * i].revents && proxy->lines[i].client >= 0)
                carry(proxy, &proxy->lines[i], false);
        }
        if (polled[0].revents)
            take_line(proxy);
    }
}

bool cutproxy_start(struct cutproxy *proxy, const char *port, const char *server_port)
{
    struct sockaddr_in address = address_of(port);
    socklen_t len = sizeof address;
    const int yes = 1;
    *proxy = (struct cutproxy){.cut_up = CUTPROXY_NEVER, .cut_down = CUTPROXY_NEVER};
    snprintf(proxy->server_port, sizeof proxy->server_port, "%s", server_port);
    for (size_t i = 0; i < CUTPROXY_LINES; i++)
        proxy->lines[i].client = proxy->lines[i].server = -1;
    pthread_mutex_init(&proxy->lock, NULL);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(proxy->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(proxy->listener, CUTPROXY_LINES) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &len) != 0 || pipe(proxy->wake) != 0)
        return false;
    snprintf(proxy->port, sizeof proxy->port, "%u", ntohs(address.sin_port));
    return pthread_create(&proxy->thread, NULL, thread_main, proxy) == 0;
}

void cutproxy_stop(struct cutproxy *proxy)
{
    (void)!write(proxy->wake[1], "", 1);
    pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < CUTPROXY_LINES; i++)
        if (proxy->lines[i].client >= 0)
            end_line(&proxy->lines[i]);
    close(proxy->listener);
    close(proxy->wake[0]);
    close(proxy->wake[1]);
    pthread_mutex_destroy(&proxy->lock);
}

void cutproxy_arm(struct cutproxy *proxy, size_t up, size_t down)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->round++;
    proxy->cut_up = up;
    proxy->cut_down = down;
    pthread_mutex_unlock(&proxy->lock);
}

unsigned cutproxy_cuts(struct cutproxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    const unsigned cuts = proxy->cuts;
    pthread_mutex_unlock(&proxy->lock);
    return cuts;
}

unsigned cutproxy_appends(struct cutproxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    const unsigned appends = proxy->appends;
    pthread_mutex_unlock(&proxy->lock);
    return appends;
}
