/* SPDX-License-Identifier: MIT */
/* Two compressing transports over a line that takes and gives as much or as little as it likes. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "transport.h"
#include "unit_main.h"

struct pipe {
    unsigned char *bytes;
    size_t at, end, room;
    bool closed;
};

struct line {
    struct imap_transport base;
    struct pipe *from, *to;
    bool steady; /* takes and gives all there is */
    bool broken;
    bool *freed;
};

static unsigned long seed;

static size_t dice(size_t below)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (size_t)(seed >> 33) % below;
}

static size_t some(const struct line *line, size_t most)
{
    if (line->steady || most == 0)
        return most;
    return dice(3) == 0 ? dice(most + 1) : dice(most < 20 ? most + 1 : 20);
}

static ssize_t line_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err)
{
    struct line *line = (struct line *)transport;
    struct pipe *pipe = line->from;
    size_t have = pipe->end - pipe->at;
    size_t take = some(line, have < size ? have : size);
    if (line->broken) {
        imap_error_set(err, IMAP_AGAIN, "reset");
        return -2;
    }
    if (have == 0 && pipe->closed)
        return 0;
    if (take == 0)
        return -1;
    memcpy(buf, pipe->bytes + pipe->at, take);
    pipe->at += take;
    return (ssize_t)take;
}

static ssize_t line_write(struct imap_transport *transport, const void *data, size_t len,
                          struct imap_error *err)
{
    struct line *line = (struct line *)transport;
    struct pipe *pipe = line->to;
    size_t take = some(line, len);
    if (line->broken) {
        imap_error_set(err, IMAP_AGAIN, "reset");
        return -2;
    }
    if (take == 0)
        return -1;
    if (pipe->room - pipe->end < take) {
        pipe->room = (pipe->end + take) * 2;
        pipe->bytes = realloc(pipe->bytes, pipe->room);
        ck_assert_ptr_nonnull(pipe->bytes);
    }
    memcpy(pipe->bytes + pipe->end, data, take);
    pipe->end += take;
    return (ssize_t)take;
}

static bool line_buffered(const struct imap_transport *transport)
{
    (void)transport;
    return false;
}

static void line_close(struct imap_transport *transport)
{
    struct line *line = (struct line *)transport;
    if (line->freed)
        *line->freed = true;
    free(line);
}

static struct imap_transport *open_over(struct pipe *from, struct pipe *to, bool steady, const void *initial,
                                        size_t initial_len, struct line **line_out)
{
    static const struct imap_transport_ops ops = {
        .read = line_read, .write = line_write, .buffered = line_buffered, .close = line_close};
    struct line *line = calloc(1, sizeof *line);
    struct imap_transport *transport;
    ck_assert_ptr_nonnull(line);
    *line = (struct line){.base = {.ops = &ops, .read_fd = 7, .write_fd = 8}, .from = from, .to = to};
    line->steady = steady;
    if (line_out)
        *line_out = line;
    ck_assert_int_eq(imap_deflate_open(&line->base, initial, initial_len, &transport, NULL), IMAP_OK);
    ck_assert_int_eq(transport->read_fd, 7);
    ck_assert_int_eq(transport->write_fd, 8);
    return transport;
}

/* Text-like, so that it shrinks, with stretches of noise and of one byte. */
static void make_data(unsigned char *data, size_t len)
{
    static const char words[] = "* 1 FETCH (UID 7 FLAGS (\\Seen) RFC822.SIZE 4711)\r\n";
    for (size_t at = 0; at < len;) {
        size_t stretch = 1 + dice(3000), kind = dice(3);
        for (; stretch > 0 && at < len; stretch--, at++)
            data[at] =
                kind == 0 ? (unsigned char)dice(256) : (unsigned char)(kind == 1 ? 'a' : words[at % 50]);
    }
}

static void write_all(struct imap_transport *transport, const unsigned char *data, size_t len)
{
    struct imap_error err;
    for (size_t at = 0, idle = 0; at < len;) {
        ssize_t sent = transport->ops->write(transport, data + at, len - at, &err);
        ck_assert_int_ne(sent, -2);
        ck_assert_uint_lt(idle, 100000);
        idle = sent < 0 ? idle + 1 : 0;
        if (sent > 0)
            at += (size_t)sent;
    }
}

/* Reads exactly len bytes, by pieces of up to piece. */
static void read_all(struct imap_transport *transport, const unsigned char *expected, size_t len,
                     size_t piece)
{
    unsigned char *buf = malloc(piece);
    struct imap_error err;
    for (size_t at = 0, idle = 0; at < len;) {
        size_t size = 1 + dice(piece);
        ssize_t got = transport->ops->read(transport, buf, size, &err);
        ck_assert_int_ge(got, -1);
        ck_assert_int_ne(got, 0);
        ck_assert_uint_lt(idle, 100000);
        idle = got < 0 ? idle + 1 : 0;
        if (got < 0)
            continue;
        ck_assert_uint_le((size_t)got, size);
        ck_assert_uint_le((size_t)got, len - at);
        ck_assert_mem_eq(buf, expected + at, (size_t)got);
        at += (size_t)got;
    }
    free(buf);
}

static void check_both_ways(int round)
{
    static unsigned char data[300000];
    struct pipe there = {0}, back = {0};
    seed = (unsigned long)round + 1;
    struct imap_transport *one = open_over(&back, &there, false, NULL, 0, NULL);
    struct imap_transport *other = open_over(&there, &back, false, NULL, 0, NULL);
    make_data(data, sizeof data);
    for (size_t at = 0; at < sizeof data;) {
        size_t batch = 1 + dice(round % 2 ? 100000 : 300);
        if (batch > sizeof data - at)
            batch = sizeof data - at;
        struct imap_transport *from = dice(2) ? one : other, *to = from == one ? other : one;
        write_all(from, data + at, batch);
        /* every batch arrives whole without another one behind it */
        read_all(to, data + at, batch, 1 + dice(5000));
        at += batch;
        if (round % 2 == 0 && at > 30000)
            break;
    }
    one->ops->close(one);
    other->ops->close(other);
    free(there.bytes);
    free(back.bytes);
}

START_TEST(what_goes_in_comes_out)
{
    for (int round = 0; round < 20; round++)
        check_both_ways(round);
}
END_TEST

/* One flushed batch of ours, as it is on the wire. */
static struct pipe compressed(const void *data, size_t len)
{
    struct pipe none = {.closed = true}, wire = {0};
    struct imap_transport *transport = open_over(&none, &wire, true, NULL, 0, NULL);
    write_all(transport, data, len);
    transport->ops->close(transport);
    return wire;
}

START_TEST(the_wire_is_raw_deflate)
{
    static unsigned char data[200000], out[200001];
    seed = 42;
    make_data(data, sizeof data);
    struct pipe wire = compressed(data, sizeof data);
    z_stream stream = {
        .next_in = wire.bytes, .avail_in = (uInt)wire.end, .next_out = out, .avail_out = sizeof out};
    ck_assert_int_eq(inflateInit2(&stream, -15), Z_OK);
    ck_assert_int_eq(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    ck_assert_uint_eq(stream.total_out, sizeof data);
    ck_assert_mem_eq(out, data, sizeof data);
    ck_assert_uint_lt(wire.end, sizeof data);
    inflateEnd(&stream);
    free(wire.bytes);
}
END_TEST

START_TEST(bytes_read_before_come_first)
{
    static unsigned char data[50000];
    seed = 43;
    make_data(data, sizeof data);
    struct pipe wire = compressed(data, sizeof data), none = {0};
    for (int i = 0; i < 20; i++) {
        size_t cut = i == 0 ? wire.end : dice(wire.end);
        wire.at = cut;
        struct imap_transport *transport = open_over(&wire, &none, false, wire.bytes, cut, NULL);
        ck_assert_int_eq(transport->ops->buffered(transport), cut > 0);
        read_all(transport, data, sizeof data, 5000);
        transport->ops->close(transport);
    }
    free(wire.bytes);
}
END_TEST

/* Reads to the end: 0 or -2. */
static ssize_t drain(struct imap_transport *transport, size_t *total, struct imap_error *err)
{
    unsigned char buf[1000];
    ssize_t got;
    *total = 0;
    for (size_t turns = 0; (got = transport->ops->read(transport, buf, sizeof buf, err)) != 0 && got != -2;
         turns++) {
        ck_assert_uint_lt(turns, 1000000);
        *total += got > 0 ? (size_t)got : 0;
    }
    return got;
}

static ssize_t drain_bytes(const void *bytes, size_t len, size_t *total, struct imap_error *err)
{
    struct pipe wire = {.bytes = (void *)(uintptr_t)bytes, .end = len, .closed = true}, none = {0};
    struct imap_transport *transport = open_over(&wire, &none, true, NULL, 0, NULL);
    ssize_t result = drain(transport, total, err);
    /* and so it stays */
    ck_assert_int_eq(transport->ops->read(transport, (char[10]){0}, 10, err), result);
    transport->ops->close(transport);
    return result;
}

START_TEST(a_stream_that_breaks_off_is_an_error)
{
    unsigned char data[3000];
    struct imap_error err;
    size_t total;
    seed = 44;
    make_data(data, sizeof data);
    struct pipe wire = compressed(data, sizeof data);
    ck_assert_int_eq(drain_bytes(wire.bytes, wire.end, &total, &err), 0);
    ck_assert_uint_eq(total, sizeof data);
    ck_assert_int_eq(drain_bytes(wire.bytes, 0, &total, &err), 0);
    for (size_t cut = 1; cut < wire.end; cut++) {
        ssize_t result = drain_bytes(wire.bytes, cut, &total, &err);
        /* the empty block of the flush may be missing whole, with nothing lost */
        if (total < sizeof data)
            ck_assert_int_eq(result, -2);
        if (result == -2)
            ck_assert_int_eq(err.status, IMAP_AGAIN);
    }
    ck_assert_int_eq(drain_bytes(wire.bytes, wire.end - 1, &total, &err), -2);
    free(wire.bytes);
}
END_TEST

START_TEST(damaged_data_is_an_error)
{
    unsigned char data[3000], reserved[] = {0x07, 0, 0, 0}, length[] = {0x00, 5, 0, 5, 0, 'x'};
    struct imap_error err;
    size_t total;
    seed = 45;
    ck_assert_int_eq(drain_bytes(reserved, sizeof reserved, &total, &err), -2);
    ck_assert_int_eq(err.status, IMAP_PROTO);
    ck_assert_int_eq(drain_bytes(length, sizeof length, &total, &err), -2);
    ck_assert_int_eq(err.status, IMAP_PROTO);
    /* plain text, from a server that forgot */
    ck_assert_int_eq(drain_bytes("* OK still here\r\n", 17, &total, &err), -2);
    make_data(data, sizeof data);
    struct pipe wire = compressed(data, sizeof data);
    for (int i = 0; i < 500; i++) { /* whatever comes of it, it ends */
        size_t at = dice(wire.end);
        unsigned char was = wire.bytes[at];
        wire.bytes[at] ^= (unsigned char)(1 + dice(255));
        drain_bytes(wire.bytes, wire.end, &total, &err);
        wire.bytes[at] = was;
    }
    free(wire.bytes);
}
END_TEST

START_TEST(what_precedes_damage_is_delivered)
{
    struct imap_error err;
    size_t total;
    struct pipe wire = compressed("* OK hi\r\n", 9);
    wire.bytes = realloc(wire.bytes, wire.end + 1);
    ck_assert_ptr_nonnull(wire.bytes);
    wire.bytes[wire.end] = 0x07;
    ck_assert_int_eq(drain_bytes(wire.bytes, wire.end + 1, &total, &err), -2);
    ck_assert_int_eq(err.status, IMAP_PROTO);
    ck_assert_uint_eq(total, 9);
    free(wire.bytes);
}
END_TEST

/* 64 MiB out of 64 KiB: by pieces of what was asked for. */
START_TEST(a_bomb_goes_off_in_small_pieces)
{
    size_t size = (size_t)64 << 20, total;
    struct imap_error err;
    unsigned char *zeros = calloc(1, size);
    struct pipe wire = compressed(zeros, size);
    free(zeros);
    ck_assert_uint_lt(wire.end, size / 500);
    ck_assert_int_eq(drain_bytes(wire.bytes, wire.end, &total, &err), 0);
    ck_assert_uint_eq(total, size);
    free(wire.bytes);
}
END_TEST

START_TEST(the_end_the_server_made_is_an_end)
{
    unsigned char wire[64];
    struct imap_error err;
    size_t total;
    z_stream stream = {
        .next_in = (void *)(uintptr_t) "bye", .avail_in = 3, .next_out = wire, .avail_out = sizeof wire};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_int_eq(drain_bytes(wire, stream.total_out, &total, &err), 0);
    ck_assert_uint_eq(total, 3);
    deflateEnd(&stream);
}
END_TEST

START_TEST(errors_of_the_line_pass_through)
{
    struct pipe there = {0}, back = {0};
    struct line *line;
    struct imap_error err;
    bool freed = false;
    struct imap_transport *transport = open_over(&back, &there, true, NULL, 0, &line);
    line->freed = &freed;
    ck_assert_int_eq(transport->ops->read(transport, (char[10]){0}, 10, &err), -1);
    ck_assert(!transport->ops->buffered(transport));
    line->broken = true;
    ck_assert_int_eq(transport->ops->read(transport, (char[10]){0}, 10, &err), -2);
    ck_assert_str_eq(err.text, "reset");
    err = (struct imap_error){0};
    ck_assert_int_eq(transport->ops->write(transport, "x", 1, &err), -2);
    ck_assert_str_eq(err.text, "reset");
    transport->ops->close(transport);
    ck_assert(freed);
    free(there.bytes);
}
END_TEST

UNIT_MAIN("deflate", what_goes_in_comes_out, the_wire_is_raw_deflate, bytes_read_before_come_first,
          a_stream_that_breaks_off_is_an_error, damaged_data_is_an_error, what_precedes_damage_is_delivered,
          a_bomb_goes_off_in_small_pieces, the_end_the_server_made_is_an_end, errors_of_the_line_pass_through)
