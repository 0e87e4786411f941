/* SPDX-License-Identifier: MIT */
/*
 * Compression between a session and its line (COMPRESS=DEFLATE, RFC 4978): raw deflate both ways.
 *
 * Every write is one batch of commands and ends in a sync flush, so that the server can answer all of it.
 * There is no other flush, so a write is not done before the last compressed byte has left: until then it
 * says "nothing now" and is called again with the same bytes, as those of a session's output are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "mem.h"
#include "transport.h"

#define WINDOW_BITS (-15) /* 32 KiB, without zlib's header */
#define MEMORY_LEVEL 8
#define BETWEEN_BLOCKS 128 /* of data_type, see zlib.h */
#define INPUT_SIZE ((size_t)16384)
#define BATCH_MAX ((size_t)65536)

struct compressor {
    struct imap_transport base;
    struct imap_transport *lower;
    z_stream in, out;
    unsigned char *initial; /* what was read before the first byte of ours, while it is being inflated */
    bool full;              /* the last read filled its buffer: there may be more inside */
    bool amid;              /* a block is begun and not complete: a flush leaves none so */
    bool ended;             /* the server has ended its stream */
    unsigned char input[INPUT_SIZE];

    size_t accepted;        /* bytes of a write that are compressed but not reported yet */
    unsigned char *pending; /* room for a whole batch, compressed */
    size_t pending_room, pending_at, pending_end;
};

/* ---- reading ------------------------------------------------------------------------------------ */

static ssize_t fail_inflate(const struct compressor *me, struct imap_error *err)
{
    imap_error_set(err, IMAP_PROTO, "the server's compressed data is damaged: %s",
                   me->in.msg ? me->in.msg : "it cannot be read");
    return -2;
}

/* Bytes delivered; 0 when more input is needed (or the stream has ended), -2. */
static ssize_t inflate_some(struct compressor *me, void *buf, size_t size, struct imap_error *err)
{
    size_t room = size < UINT32_MAX ? size : UINT32_MAX;
    me->in.next_out = buf;
    me->in.avail_out = (uInt)room;
    uInt before = me->in.avail_in;
    int result = inflate(&me->in, Z_SYNC_FLUSH);
    size_t got = room - me->in.avail_out;
    if (me->in.avail_in < before) /* else the bit tells nothing */
        me->amid = !(me->in.data_type & BETWEEN_BLOCKS);
    me->ended = result == Z_STREAM_END;
    bool damaged = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR;
    /* what came before the damage is still good, and the next call meets it again */
    me->full = (me->in.avail_out == 0 && !me->ended) || damaged;
    if (got > 0 || !damaged)
        return (ssize_t)got;
    return fail_inflate(me, err);
}

static ssize_t read_more(struct compressor *me, struct imap_error *err)
{
    struct imap_transport *lower = me->lower;
    free(me->initial);
    me->initial = NULL;
    ssize_t got = lower->ops->read(lower, me->input, INPUT_SIZE, err);
    me->base.read_events = lower->read_events;
    if (got > 0) {
        me->in.next_in = me->input;
        me->in.avail_in = (uInt)got;
    } else if (got == 0 && me->amid) {
        imap_error_set(err, IMAP_AGAIN, "the server closed the connection amid compressed data");
        return -2;
    }
    return got;
}

static ssize_t deflate_read(struct imap_transport *transport, void *buf, size_t size, struct imap_error *err)
{
    struct compressor *me = (struct compressor *)transport;
    if (size == 0)
        return -1;
    for (;;) {
        ssize_t got = 0;
        if (me->ended)
            return 0;
        if (me->in.avail_in > 0 || me->full)
            got = inflate_some(me, buf, size, err);
        if (got != 0)
            return got;
        if (me->ended)
            return 0;
        got = read_more(me, err);
        if (got <= 0)
            return got;
    }
}

static bool deflate_buffered(const struct imap_transport *transport)
{
    const struct compressor *me = (const struct compressor *)transport;
    return me->in.avail_in > 0 || me->full || me->lower->ops->buffered(me->lower);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void compress_batch(struct compressor *me, const void *data, size_t len)
{
    me->accepted = len < BATCH_MAX ? len : BATCH_MAX;
    me->out.next_in = (void *)(uintptr_t)data;
    me->out.avail_in = (uInt)me->accepted;
    me->out.next_out = me->pending;
    me->out.avail_out = (uInt)me->pending_room;
    /* There is room for all of it, so nothing can go wrong but a bug. */
    if (deflate(&me->out, Z_SYNC_FLUSH) != Z_OK || me->out.avail_in > 0 || me->out.avail_out == 0)
        abort();
    me->pending_at = 0;
    me->pending_end = me->pending_room - me->out.avail_out;
}

static ssize_t deflate_write(struct imap_transport *transport, const void *data, size_t len,
                             struct imap_error *err)
{
    struct compressor *me = (struct compressor *)transport;
    struct imap_transport *lower = me->lower;
    if (len == 0)
        return 0;
    if (me->accepted == 0)
        compress_batch(me, data, len);
    while (me->pending_at < me->pending_end) {
        ssize_t sent =
            lower->ops->write(lower, me->pending + me->pending_at, me->pending_end - me->pending_at, err);
        me->base.write_events = lower->write_events;
        if (sent <= 0)
            return sent == 0 ? -1 : sent;
        me->pending_at += (size_t)sent;
    }
    size_t accepted = me->accepted;
    me->accepted = 0;
    return (ssize_t)accepted;
}

/* ---- opening, closing --------------------------------------------------------------------------- */

static void deflate_close(struct imap_transport *transport)
{
    struct compressor *me = (struct compressor *)transport;
    me->lower->ops->close(me->lower);
    inflateEnd(&me->in);
    deflateEnd(&me->out);
    if (me->pending)
        explicit_bzero(me->pending, me->pending_room);
    explicit_bzero(me->input, INPUT_SIZE);
    free(me->pending);
    free(me->initial);
    free(me);
}

static const struct imap_transport_ops deflate_ops = {
    .read = deflate_read,
    .write = deflate_write,
    .buffered = deflate_buffered,
    .close = deflate_close,
};

enum imap_status imap_deflate_open(struct imap_transport *lower, const void *initial, size_t initial_len,
                                   struct imap_transport **transport_out, struct imap_error *err)
{
    struct compressor *me = imap_xcalloc(1, sizeof *me);
    me->base = (struct imap_transport){.ops = &deflate_ops,
                                       .read_fd = lower->read_fd,
                                       .write_fd = lower->write_fd,
                                       .read_events = lower->read_events,
                                       .write_events = lower->write_events};
    me->lower = lower;
    *transport_out = NULL;
    if (initial_len > UINT32_MAX || inflateInit2(&me->in, WINDOW_BITS) != Z_OK ||
        deflateInit2(&me->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        deflate_close(&me->base);
        return imap_error_sys(err, ENOMEM, "cannot begin to compress");
    }
    /* and the flush, with what an earlier one may have left in the bit buffer */
    me->pending_room = deflateBound(&me->out, BATCH_MAX) + 64;
    me->pending = imap_xmalloc(me->pending_room);
    if (initial_len > 0) {
        me->initial = imap_xmalloc(initial_len);
        memcpy(me->initial, initial, initial_len);
        me->in.next_in = me->initial;
        me->in.avail_in = (uInt)initial_len;
    }
    *transport_out = &me->base;
    return IMAP_OK;
}
