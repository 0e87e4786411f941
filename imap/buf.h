/* SPDX-License-Identifier: MIT */
/*
 * buf: bytes that grow, up to a cap.
 *
 * An append that would pass the cap changes nothing and returns false. data is NULL until the first
 * append and NUL-terminated from then on (the NUL is not counted in len).
 */
#ifndef IMAP_BUF_H
#define IMAP_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "imap/error.h"

struct imap_buf {
    char *data;
    size_t len;
    size_t room; /* allocated, without the NUL */
    size_t cap;
};

void imap_buf_init(struct imap_buf *buf, size_t cap);
void imap_buf_fini(struct imap_buf *buf);
bool imap_buf_append(struct imap_buf *buf, const void *data, size_t len) IMAP_CHECK;
bool imap_buf_append_str(struct imap_buf *buf, const char *str) IMAP_CHECK;
/* Empties; gives the memory back when it is more than keep bytes. */
void imap_buf_clear(struct imap_buf *buf, size_t keep);

#endif
