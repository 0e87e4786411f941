/* SPDX-License-Identifier: MIT */
/*
 * delayproxy: stands between a client and a server and makes the line long, short-lived or silent.
 *
 *     delayproxy [--listen PORT] [--rtt MS] [--cut-after N[l]] [--stall-after N] [--only COUNT]
 *                [--counters FILE] HOST:PORT
 *
 * Prints its port on stdout and serves until SIGTERM. Each direction carries what it read after half
 * of --rtt, without limiting the bandwidth: a queue of chunks with the time each is due. What is
 * queued is bounded (then the sender is left to block, as on a real line). The round trips of opening
 * a connection are kept as well: the server sees the client 1.5 round trips after it came.
 *
 * --cut-after N closes a connection once N bytes (or with "Nl" N lines) of the server have passed;
 * --stall-after N stops passing what the server says after N bytes, and the line stays open. Both are for
 * each connection, with --only for the first COUNT connections.
 *
 * Signals: USR1 writes the counters, USR2 stalls everything or ends that, HUP cuts every connection.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX (64u << 20) /* bytes held in one direction */
#define READ_MAX (256u << 10)
#define NEVER INT64_MAX
#define NO_LIMIT UINT64_MAX

struct chunk {
    struct chunk *next;
    int64_t due; /* ns */
    size_t len;  /* 0: the end of the stream */
    unsigned char data[];
};

struct end {
    struct connection *connection;
    int fd;
    uint32_t interest; /* what epoll was told; 0 when not in it */
};

/* From `from` to `to`. */
struct flow {
    struct end *from, *to;
    struct chunk *first, **tail;
    size_t sent;   /* of the first chunk */
    size_t queued; /* bytes of memory */
    bool read_eof, blocked;
    uint64_t left;    /* bytes that may still pass before the cut or the stall */
    uint64_t lines;   /* lines that may still pass before the cut */
    uint64_t *passed; /* counter */
};

struct connection {
    struct connection *next;
    struct end client, server;
    struct flow up, down;
    int64_t connect_at; /* when to go on to the server; NEVER once done */
    bool connecting, cut, dead;
};

static struct {
    int64_t half_rtt;
    uint64_t cut_bytes, cut_lines, stall_bytes;
    uint64_t only;
    const char *counters_path;
    struct addrinfo *target;
} options = {.cut_bytes = NO_LIMIT, .cut_lines = NO_LIMIT, .stall_bytes = NO_LIMIT, .only = NO_LIMIT};

static struct {
    uint64_t accepted, open, client_bytes, server_bytes, server_lines, written;
} counters;

static struct connection *connections;
static int epoll_fd;
static bool stalled;

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "delayproxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* By rename, so that whoever waits for the file never reads half of it. */
static void write_counters(void)
{
    if (!options.counters_path)
        return;
    char temporary[4096];
    snprintf(temporary, sizeof(temporary), "%s.new", options.counters_path);
    FILE *file = fopen(temporary, "w");
    if (!file)
        die(temporary);
    fprintf(
        file, "accepted %ju\nopen %ju\nclient_bytes %ju\nserver_bytes %ju\nserver_lines %ju\nwritten %ju\n",
        (uintmax_t)counters.accepted, (uintmax_t)counters.open, (uintmax_t)counters.client_bytes,
        (uintmax_t)counters.server_bytes, (uintmax_t)counters.server_lines, (uintmax_t)++counters.written);
    if (fclose(file) || rename(temporary, options.counters_path))
        die(options.counters_path);
}

static void set_interest(struct end *end, uint32_t interest)
{
    if (end->fd < 0 || end->interest == interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = end};
    int op = !end->interest ? EPOLL_CTL_ADD : !interest ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    if (epoll_ctl(epoll_fd, op, end->fd, &event))
        die("epoll_ctl");
    end->interest = interest;
}

/* ---- flows -------------------------------------------------------------------------------------- */

static void flow_init(struct flow *flow, struct end *from, struct end *to, uint64_t *passed)
{
    *flow = (struct flow){.from = from, .to = to, .left = NO_LIMIT, .lines = NO_LIMIT};
    flow->passed = passed;
    flow->tail = &flow->first;
}

static void flow_push(struct flow *flow, const void *data, size_t len)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + len);
    if (!chunk)
        die("malloc");
    chunk->next = NULL;
    chunk->due = now_ns() + options.half_rtt;
    chunk->len = len;
    if (len)
        memcpy(chunk->data, data, len);
    *flow->tail = chunk;
    flow->tail = &chunk->next;
    flow->queued += sizeof(*chunk) + len;
}

static void flow_pop(struct flow *flow)
{
    struct chunk *chunk = flow->first;
    flow->first = chunk->next;
    if (!flow->first)
        flow->tail = &flow->first;
    flow->queued -= sizeof(*chunk) + chunk->len;
    flow->sent = 0;
    free(chunk);
}

static void flow_fini(struct flow *flow)
{
    while (flow->first)
        flow_pop(flow);
}

/* How much of data may pass before a limit; counts it as passed. */
static size_t within_limits(struct flow *flow, const unsigned char *data, size_t len)
{
    if (len > flow->left)
        len = (size_t)flow->left;
    if (flow->passed == &counters.server_bytes) {
        const unsigned char *at = data;
        size_t rest = len;
        while (flow->lines && (at = memchr(at, '\n', rest))) {
            at++;
            rest = len - (size_t)(at - data);
            counters.server_lines++;
            if (flow->lines != NO_LIMIT && !--flow->lines)
                len = (size_t)(at - data);
        }
        if (!len)
            return 0;
    }
    if (flow->left != NO_LIMIT)
        flow->left -= len;
    *flow->passed += len;
    return len;
}

static bool limit_reached(const struct flow *flow)
{
    return !flow->left || !flow->lines;
}

/* False when the connection is broken. */
static bool flow_read(struct flow *flow)
{
    static unsigned char buffer[READ_MAX];
    while (!flow->read_eof && !limit_reached(flow) && flow->queued < QUEUE_MAX) {
        ssize_t n = read(flow->from->fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        flow->read_eof = !n;
        size_t len = n ? within_limits(flow, buffer, (size_t)n) : 0;
        if (len || !n)
            flow_push(flow, buffer, len);
        if ((size_t)n < sizeof(buffer))
            break;
    }
    return true;
}

static bool flow_write(struct flow *flow, int64_t now)
{
    flow->blocked = false;
    while (flow->first && flow->first->due <= now) {
        struct chunk *chunk = flow->first;
        if (!chunk->len) {
            shutdown(flow->to->fd, SHUT_WR);
            flow_pop(flow);
            continue;
        }
        ssize_t n = send(flow->to->fd, chunk->data + flow->sent, chunk->len - flow->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            flow->blocked = errno == EAGAIN;
            return flow->blocked;
        }
        flow->sent += (size_t)n;
        if (flow->sent == chunk->len)
            flow_pop(flow);
    }
    return true;
}

static bool flow_wants_read(const struct flow *flow)
{
    return !stalled && !flow->read_eof && !limit_reached(flow) && flow->queued < QUEUE_MAX;
}

/* ---- connections -------------------------------------------------------------------------------- */

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void connection_new(int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        die("malloc");
    no_delay(fd);
    connection->client = (struct end){.connection = connection, .fd = fd};
    connection->server = (struct end){.connection = connection, .fd = -1};
    flow_init(&connection->up, &connection->client, &connection->server, &counters.client_bytes);
    flow_init(&connection->down, &connection->server, &connection->client, &counters.server_bytes);
    if (counters.accepted++ < options.only) {
        connection->cut = options.cut_bytes != NO_LIMIT || options.cut_lines != NO_LIMIT;
        connection->down.left = connection->cut ? options.cut_bytes : options.stall_bytes;
        connection->down.lines = options.cut_lines;
    }
    connection->connect_at = now_ns() + 3 * options.half_rtt;
    connection->next = connections;
    connections = connection;
    counters.open++;
}

static void connection_reach_server(struct connection *connection)
{
    connection->connect_at = NEVER;
    if (!options.target)
        die("no server to connect to");
    int fd = socket(options.target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    connection->server.fd = fd;
    no_delay(fd);
    if (!connect(fd, options.target->ai_addr, options.target->ai_addrlen))
        return;
    connection->connecting = errno == EINPROGRESS;
    connection->dead = !connection->connecting;
}

static void connection_free(struct connection *connection)
{
    if (connection->client.fd >= 0)
        close(connection->client.fd);
    if (connection->server.fd >= 0)
        close(connection->server.fd);
    flow_fini(&connection->up);
    flow_fini(&connection->down);
    free(connection);
    counters.open--;
}

static void connection_event(struct connection *connection, struct end *end, uint32_t events)
{
    if (end == &connection->server && connection->connecting) {
        int error = 0;
        socklen_t len = sizeof(error);
        getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        connection->dead = error;
        connection->connecting = false;
        return;
    }
    struct flow *flow = end == &connection->client ? &connection->up : &connection->down;
    if (flow_wants_read(flow) && !flow_read(flow))
        connection->dead = true;
    if (events & EPOLLERR)
        connection->dead = true;
}

/* Does what is due; returns when something will be due next. */
static int64_t connection_advance(struct connection *connection, int64_t now)
{
    int64_t next = connection->connect_at;
    if (connection->connect_at <= now)
        connection_reach_server(connection);
    struct flow *flows[] = {&connection->up, &connection->down};
    bool reached = connection->server.fd >= 0 && !connection->connecting;
    for (size_t i = 0; i < 2 && !stalled && reached && !connection->dead; i++) {
        if (!flow_write(flows[i], now))
            connection->dead = true;
        if (flows[i]->first && !flows[i]->blocked && flows[i]->first->due < next)
            next = flows[i]->first->due;
    }
    bool drained = !connection->up.first && !connection->down.first;
    if (connection->up.read_eof && connection->down.read_eof && drained)
        connection->dead = true;
    if (limit_reached(&connection->down) && !connection->down.first &&
        (connection->cut || connection->up.read_eof))
        connection->dead = true;
    if (connection->dead)
        return NEVER;
    uint32_t client = flow_wants_read(&connection->up) ? EPOLLIN : 0;
    uint32_t server = flow_wants_read(&connection->down) ? EPOLLIN : 0;
    if (connection->down.blocked)
        client |= EPOLLOUT;
    if (connection->up.blocked)
        server |= EPOLLOUT;
    set_interest(&connection->client, client);
    set_interest(&connection->server, connection->connecting ? EPOLLOUT : server);
    return next;
}

static int64_t advance_all(void)
{
    int64_t now = now_ns(), next = NEVER;
    for (struct connection **link = &connections; *link;) {
        struct connection *connection = *link;
        int64_t due = connection_advance(connection, now);
        if (connection->dead) {
            *link = connection->next;
            connection_free(connection);
            continue;
        }
        if (due < next)
            next = due;
        link = &connection->next;
    }
    return next;
}

/* ---- main --------------------------------------------------------------------------------------- */

static struct addrinfo *resolve(const char *text)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(host)) {
        fprintf(stderr, "delayproxy: %s is not HOST:PORT\n", text);
        exit(2);
    }
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *result = NULL;
    int rc = getaddrinfo(host, colon + 1, &hints, &result);
    if (rc || !result) {
        fprintf(stderr, "delayproxy: %s: %s\n", text, gai_strerror(rc));
        exit(1);
    }
    return result;
}

static int listen_on(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        die("listen");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* False when it is time to end. */
static bool handle_signal(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != sizeof(info))
        return true;
    switch (info.ssi_signo) {
    case SIGUSR1:
        write_counters();
        return true;
    case SIGUSR2:
        stalled = !stalled;
        return true;
    case SIGHUP:
        for (struct connection *connection = connections; connection; connection = connection->next)
            connection->dead = true;
        return true;
    default:
        return false;
    }
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        die("signalfd");
    return fd;
}

static void serve(struct end *listener, struct end *signals)
{
    for (;;) {
        int64_t next = advance_all(), wait = next - now_ns();
        struct timespec timeout = {.tv_sec = wait > 0 ? wait / 1000000000 : 0,
                                   .tv_nsec = wait > 0 ? wait % 1000000000 : 0};
        struct epoll_event events[64];
        int n = epoll_pwait2(epoll_fd, events, 64, next == NEVER ? NULL : &timeout, NULL);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct end *end = events[i].data.ptr;
            int fd;
            if (end == signals && !handle_signal(signals->fd))
                return;
            while (end == listener &&
                   (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                connection_new(fd);
            if (end->connection)
                connection_event(end->connection, end, events[i].events);
        }
    }
}

static void parse_limit(const char *text)
{
    char *end;
    uint64_t limit = strtoull(text, &end, 10);
    if (*end == 'l')
        options.cut_lines = limit;
    else
        options.cut_bytes = limit;
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"listen", required_argument, NULL, 'l'},
                                          {"rtt", required_argument, NULL, 'r'},
                                          {"cut-after", required_argument, NULL, 'c'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"stall-after", required_argument, NULL, 's'},
                                          {"counters", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    unsigned port = 0;
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (option) {
        case 'l':
            port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.half_rtt = (int64_t)(strtod(optarg, NULL) * 500000);
            break;
        case 'c':
            parse_limit(optarg);
            break;
        case 'o':
            options.only = strtoull(optarg, NULL, 10);
            break;
        case 's':
            options.stall_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            options.counters_path = optarg;
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: delayproxy [--listen PORT] [--rtt MS] [--cut-after N[l]] [--stall-after N] "
                        "[--only COUNT] [--counters FILE] HOST:PORT\n");
        return 2;
    }
    options.target = resolve(argv[optind]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct end signals = {.fd = open_signals()}, listener = {.fd = listen_on(port)};
    set_interest(&signals, EPOLLIN);
    set_interest(&listener, EPOLLIN);
    serve(&listener, &signals);
    write_counters();
    while (connections) {
        struct connection *connection = connections;
        connections = connection->next;
        connection_free(connection);
    }
    freeaddrinfo(options.target);
    return 0;
}
