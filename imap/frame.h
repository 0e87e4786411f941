/* SPDX-License-Identifier: MIT */
/*
 * frame: cuts the byte stream of a server into responses.
 *
 * A response is a line, or several where a line ends by announcing a literal ({n}, {n+}, ~{n}).
 * Literals are gathered into the response, but for that of a FETCH body section, about which the
 * caller is asked as soon as it is announced, whatever its size. Status responses and "+" lines hold
 * no literals: "{5}" at their end is text.
 *
 * A response that lies whole in the input is handed out in place; only what is cut is copied. Each byte
 * is looked at once, however the input is cut. Memory: the limit, whatever is announced.
 *
 *      while ((event = imap_frame_feed(f, data, len, &used)) != IMAP_FRAME_MORE) {
 *          data += used; len -= used; ...
 *      }                                   (MORE has used up everything)
 */
#ifndef IMAP_FRAME_H
#define IMAP_FRAME_H

#include <stdint.h>

#include "buf.h"

/* A response, or as much as there is of it. streamed: offsets in data, rising, right behind the line
 * ends of the announcements whose bytes are not in data. */
struct imap_bytes {
    const char *data;
    size_t len;
    const size_t *streamed;
    size_t streamed_count;
};

enum imap_frame_event {
    IMAP_FRAME_MORE,     /* all input was used; feed on */
    IMAP_FRAME_RESPONSE, /* .bytes: a response without its final line end */
    IMAP_FRAME_LITERAL,  /* .literal_size bytes follow .bytes (which ends behind the announcement's line
                          * end, and says in .streamed that they are not there). Before feeding on
                          * call one of imap_frame_stream, imap_frame_drop, imap_frame_buffer. */
    IMAP_FRAME_DATA,     /* .chunk, .chunk_len: a piece of the streamed literal, in the input */
    IMAP_FRAME_DATA_END, /* the streamed literal is complete (comes for an empty one too) */
    IMAP_FRAME_BAD,      /* the stream cannot be understood any more; nor after this */
    IMAP_FRAME_LIMIT     /* a response is larger than the limit; nothing more can be read */
};

enum imap_frame_state {
    IMAP_FRAME_IN_LINE,
    IMAP_FRAME_IN_BUFFERED,
    IMAP_FRAME_IN_STREAMED,
    IMAP_FRAME_IN_DROPPED,
    IMAP_FRAME_ASKING,
    IMAP_FRAME_ENDED,
    IMAP_FRAME_BROKEN
};

struct imap_frame {
    /* What the last event told, valid until the next call. */
    struct imap_bytes bytes;
    uint64_t literal_size;
    bool literal8;
    const char *chunk;
    size_t chunk_len;

    /* Private from here. */
    enum imap_frame_state state;
    enum imap_frame_event broken;
    size_t limit;
    uint64_t remaining;       /* of the literal being read */
    size_t asked;             /* bytes of responses shown by LITERAL events since the last RESPONSE */
    struct imap_buf partial;  /* a response that was cut */
    struct imap_buf streamed; /* of size_t */
};

/* limit: bytes of one response, buffered literals included. */
void imap_frame_init(struct imap_frame *frame, size_t limit);
void imap_frame_fini(struct imap_frame *frame);
/* Takes up to len bytes and says by *used_out how many; the rest is to be fed again. */
enum imap_frame_event imap_frame_feed(struct imap_frame *frame, const char *data, size_t len,
                                      size_t *used_out) IMAP_CHECK;

void imap_frame_stream(struct imap_frame *frame); /* the literal comes as DATA and DATA_END */
void imap_frame_drop(struct imap_frame *frame);   /* it is read and forgotten; the response goes on */
/* It is gathered into the response; false, without effect, when that would pass the limit. */
bool imap_frame_buffer(struct imap_frame *frame) IMAP_CHECK;
/* True between responses: nothing of the next one has been taken yet. */
bool imap_frame_idle(const struct imap_frame *frame);

#endif
