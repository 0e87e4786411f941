/* SPDX-License-Identifier: MIT */
/*
 * upload: a message's bytes on their way into a literal, without ever being held as a whole.
 *
 * They are gone through twice: imap_upload_open counts what they will be once bare CR and LF are CRLF, and
 * imap_upload_next gives exactly that. A file that is not the same any more fails before its last byte is
 * given, so that no server ever has a whole literal of a message that never was.
 *
 * Threads: opened by the one, read by another. A descriptor's offset is neither used nor moved after opening.
 */
#ifndef IMAP_UPLOAD_H
#define IMAP_UPLOAD_H

#include "imap/message.h"

struct imap_upload_source {
    struct imap_upload upload;
    uint64_t size;    /* of the literal */
    bool has_nul;     /* not known of upload.read */
    bool convert;     /* bare CR and LF */
    off_t start, end; /* of the input: where it is in the file, or in data */

    off_t at;                /* of the input: read up to here */
    uint64_t sent;           /* of size */
    uint64_t seen, first;    /* what a file's bytes amount to: this time, and when they were counted */
    char *block;             /* of a file */
    const char *next, *stop; /* input that was read and not given yet */
    bool after_cr;           /* its CRLF was given: an LF that follows is part of it */
    bool owes_lf;            /* of a CRLF whose CR was given */
};

/* IMAP_USAGE, IMAP_SYS. Copies upload, not what it points to. */
enum imap_status imap_upload_open(struct imap_upload_source *source, const struct imap_upload *upload,
                                  struct imap_error *err) IMAP_CHECK;
void imap_upload_close(struct imap_upload_source *source);
/* An imap_command_source_next, arg being the source. -ESTALE: the file has changed. */
ssize_t imap_upload_next(void *arg, void *buf, size_t size);

#endif
