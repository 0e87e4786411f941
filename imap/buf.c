/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define ROOM_MIN 256

void imap_buf_init(struct imap_buf *buf, size_t cap)
{
    *buf = (struct imap_buf){.cap = cap < SIZE_MAX / 2 ? cap : SIZE_MAX / 2 - 1};
}

void imap_buf_fini(struct imap_buf *buf)
{
    free(buf->data);
    *buf = (struct imap_buf){.cap = buf->cap};
}

static void make_room(struct imap_buf *buf, size_t needed)
{
    size_t room = buf->room * 2;

    if (room < ROOM_MIN)
        room = ROOM_MIN;
    if (room < needed)
        room = needed;
    if (room > buf->cap)
        room = buf->cap;
    buf->data = imap_xrealloc(buf->data, room + 1);
    buf->room = room;
}

bool imap_buf_append(struct imap_buf *buf, const void *data, size_t len)
{
    if (len > buf->cap - buf->len)
        return false;
    if (!buf->data || len > buf->room - buf->len)
        make_room(buf, buf->len + len);
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return true;
}

bool imap_buf_append_str(struct imap_buf *buf, const char *str)
{
    return imap_buf_append(buf, str, strlen(str));
}

void imap_buf_clear(struct imap_buf *buf, size_t keep)
{
    if (buf->room > keep) {
        imap_buf_fini(buf);
        return;
    }
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}
