/* SPDX-License-Identifier: MIT */
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

#define BLOCK 65536

/* FNV-1a, 64 bits: tells a change from none, not an attacker who is the caller himself. */
#define HASH_START 14695981039346656037u
#define HASH_PRIME 1099511628211u

static uint64_t hash(uint64_t so_far, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        so_far = (so_far ^ (unsigned char)bytes[i]) * HASH_PRIME;
    return so_far;
}

/* ---- the input ---------------------------------------------------------------------------------- */

/* The next block, or 0 at the end, or -errno. */
static ssize_t read_file(struct imap_upload_source *source)
{
    off_t left = source->end - source->at;
    size_t want = left < BLOCK ? (size_t)left : BLOCK;
    ssize_t got;

    if (want == 0)
        return 0;
    do
        got = pread(source->upload.fd, source->block, want, source->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    source->seen = hash(source->seen, source->block, (size_t)got);
    source->next = source->block;
    return got;
}

static ssize_t fill(struct imap_upload_source *source)
{
    ssize_t got;
    if (source->upload.data) {
        got = source->end - source->at < BLOCK ? source->end - source->at : BLOCK;
        source->next = (const char *)source->upload.data + source->at;
    } else {
        got = read_file(source);
    }
    if (got > 0) {
        source->at += got;
        source->stop = source->next + got;
    }
    return got;
}

static void rewind_source(struct imap_upload_source *source)
{
    source->at = source->start;
    source->next = source->stop = NULL;
    source->seen = HASH_START;
}

/* ---- counting ----------------------------------------------------------------------------------- */

static uint64_t converted_size(const char *at, const char *stop, bool *after_cr)
{
    uint64_t size = 0;
    for (; at < stop; at++) {
        bool line_end = *at == '\r' || *at == '\n';
        if (*at != '\n' || !*after_cr)
            size += line_end ? 2 : 1;
        *after_cr = *at == '\r';
    }
    return size;
}

static enum imap_status count(struct imap_upload_source *source, struct imap_error *err)
{
    bool after_cr = false;
    ssize_t got;
    rewind_source(source);
    while ((got = fill(source)) > 0) {
        size_t len = (size_t)got;
        source->has_nul = source->has_nul || memchr(source->next, '\0', len);
        source->size += source->convert ? converted_size(source->next, source->stop, &after_cr) : len;
    }
    if (got < 0)
        return imap_error_sys(err, (int)-got, "cannot read the message");
    if (source->at != source->end)
        return imap_error_set(err, IMAP_USAGE, "the message's file is shorter than said");
    source->first = source->seen;
    rewind_source(source);
    return IMAP_OK;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static enum imap_status open_file(struct imap_upload_source *source, struct imap_error *err)
{
    struct stat attr;
    int fd = source->upload.fd;
    if (fstat(fd, &attr) != 0)
        return imap_error_sys(err, errno, "cannot read the message");
    if (!S_ISREG(attr.st_mode))
        return imap_error_set(err, IMAP_USAGE, "the message's file must be a regular file");
    source->start = lseek(fd, 0, SEEK_CUR);
    if (source->start < 0)
        return imap_error_sys(err, errno, "cannot read the message");
    source->end = attr.st_size > source->start ? attr.st_size : source->start;
    if (source->upload.size > (uint64_t)(INT64_MAX - source->start))
        return imap_error_set(err, IMAP_USAGE, "the message's file is shorter than said");
    if (source->upload.size > 0)
        source->end = source->start + (off_t)source->upload.size;
    source->block = imap_xmalloc(BLOCK);
    return count(source, err);
}

static enum imap_status open_one(struct imap_upload_source *source, struct imap_error *err)
{
    const struct imap_upload *upload = &source->upload;
    unsigned given = (upload->data != NULL) + (upload->read != NULL) + (upload->fd >= 0);
    if (given != 1)
        return imap_error_set(err, IMAP_USAGE, "a message needs one of data, read and fd (else -1)");
    if (upload->size > INT64_MAX / 2)
        return imap_error_set(err, IMAP_USAGE, "a message cannot be as large as that");
    if (upload->fd >= 0)
        return open_file(source, err);
    source->end = (off_t)upload->size;
    source->size = upload->size;
    if (upload->read)
        return IMAP_OK;
    source->size = 0;
    return count(source, err);
}

enum imap_status imap_upload_open(struct imap_upload_source *source, const struct imap_upload *upload,
                                  struct imap_error *err)
{
    *source = (struct imap_upload_source){.upload = *upload, .convert = !upload->as_is};
    enum imap_status status = open_one(source, err);
    /* RFC 3502 6.3.11: an empty literal cancels */
    if (status == IMAP_OK && source->size == 0)
        return imap_error_set(err, IMAP_USAGE, "an empty message cannot be stored");
    return status;
}

void imap_upload_close(struct imap_upload_source *source)
{
    free(source->block);
    source->block = NULL;
}

/* ---- giving ------------------------------------------------------------------------------------- */

/* Input up to the next line end, or all of it where nothing is converted. */
static size_t give_run(struct imap_upload_source *source, char *out, size_t room)
{
    size_t len = (size_t)(source->stop - source->next), run = 0;
    if (len > room)
        len = room;
    if (!source->convert)
        run = len;
    while (run < len && source->next[run] != '\r' && source->next[run] != '\n')
        run++;
    memcpy(out, source->next, run);
    source->next += run;
    return run;
}

static bool starts_line_end(const struct imap_upload_source *source)
{
    return source->convert && (*source->next == '\r' || *source->next == '\n');
}

/* Gives until there is no room or no input left; the LF of a CRLF is taken also when there is no room. */
static ssize_t give(struct imap_upload_source *source, char *out, size_t size)
{
    size_t len = 0;
    for (;;) {
        if (source->owes_lf && len < size) {
            out[len++] = '\n';
            source->owes_lf = false;
        }
        if (source->next == source->stop) {
            ssize_t got = fill(source);
            if (got < 0)
                return got;
            if (got == 0)
                return (ssize_t)len;
        }
        if (source->after_cr && *source->next == '\n') {
            source->next++;
            source->after_cr = false;
            continue;
        }
        if (len == size || source->owes_lf)
            return (ssize_t)len;
        if (starts_line_end(source)) {
            source->after_cr = *source->next++ == '\r';
            source->owes_lf = true;
            out[len++] = '\r';
        } else {
            source->after_cr = false;
            len += give_run(source, out + len, size - len);
        }
    }
}

static bool is_unchanged(const struct imap_upload_source *source)
{
    return source->next == source->stop && source->at == source->end && !source->owes_lf &&
           (!source->block || source->seen == source->first);
}

ssize_t imap_upload_next(void *arg, void *buf, size_t size)
{
    struct imap_upload_source *source = arg;
    if (source->upload.read)
        return source->upload.read(source->upload.arg, buf, size);
    ssize_t got = give(source, buf, size);
    if (got < 0)
        return got;
    source->sent += (uint64_t)got;
    if (got == 0 || (source->sent >= source->size && !is_unchanged(source)))
        return -ESTALE;
    return got;
}
