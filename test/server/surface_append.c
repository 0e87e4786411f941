/* SPDX-License-Identifier: MIT */
/* The surface: APPEND in all its forms. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "surface.h"

static const struct imap_section *body_of(struct surface *s, uint32_t uid)
{
    char set[16];
    snprintf(set, sizeof set, "%u", uid);
    const struct imap_answer *answer =
        DID(s, fetch, IMAP_BY_UID, set, "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", NULL);
    const struct imap_fetch *got = imap_answer_message(answer, uid);
    ck_assert_ptr_nonnull(got);
    const struct imap_section *body = imap_fetch_section(got, IMAP_SECTION_BODY, "");
    ck_assert_ptr_nonnull(body);
    ck_assert_uint_eq(body->size, got->size);
    return body;
}

static uint32_t upload(struct surface *s, const struct imap_upload *what)
{
    const struct imap_text *text = imap_answer_text(DID(s, append, s->box, what, 1));
    ck_assert_int_eq(text->code, IMAP_CODE_APPENDUID);
    ck_assert_uint_gt(text->uidvalidity, 0);
    return text->to->ranges[0].first;
}

static char *make_text(size_t size)
{
    static const char header[] = "Subject: x\r\n\r\n";
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(size, sizeof header + 2);
    memcpy(text, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < size; i++)
        text[i] = (char)('a' + i % 26);
    memcpy(text + size - 2, "\r\n", 2);
    text[size] = '\0';
    return text;
}

SURFACE_TEST(flags_and_date)
{
    static const char text[] = "Subject: x\r\n\r\nbody\r\n";
    const struct imap_date date = {.unix_seconds = 951827696, .zone_minutes = 90};
    surface_make(s);
    struct imap_upload what = {
        .flags = "\\Seen $Label", .date = &date, .data = text, .size = sizeof text - 1, .fd = -1};
    uint32_t uid = upload(s, &what);
    DID(s, noop);
    ck_assert_str_eq(body_of(s, uid)->data, text);
    const struct imap_fetch *got = imap_answer_message(s->answer, uid);
    ck_assert_int_eq(got->internaldate.unix_seconds, 951827696);
    ck_assert_uint_ne(got->flags.system & IMAP_FLAG_SEEN, 0);
    ck_assert_str_eq(got->flags.keywords[0], "$Label");

    what.flags = "(\\Flagged)";
    uid = upload(s, &what);
    DID(s, noop);
    body_of(s, uid);
    ck_assert_uint_ne(imap_answer_message(s->answer, uid)->flags.system & IMAP_FLAG_FLAGGED, 0);
    EXPECT(s, IMAP_NO, append, "no such mailbox", &what, 1);
    ck_assert_int_eq(s->error.code, IMAP_CODE_TRYCREATE);
}

/* A literal without waiting ends at 4096 bytes (LITERAL-); each side of that, and well over any buffer. */
SURFACE_TEST(sizes)
{
    static const size_t lengths[] = {18, 4095, 4096, 4097, 65536, 3000000};
    surface_make(s);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char *text = make_text(lengths[i]);
        const struct imap_upload what = {.data = text, .size = lengths[i], .fd = -1};
        uint32_t uid = upload(s, &what);
        DID(s, noop);
        const struct imap_section *body = body_of(s, uid);
        ck_assert_uint_eq(body->size, lengths[i]);
        ck_assert_mem_eq(body->data, text, lengths[i]);
        free(text);
    }
    surface_row(s, "append literal sizes");
}

SURFACE_TEST(bare_line_ends)
{
    static const char bare[] = "Subject: x\n\nfirst\rsecond\nthird\r\nfourth\n";
    static const char right[] = "Subject: x\r\n\r\nfirst\r\nsecond\r\nthird\r\nfourth\r\n";
    surface_make(s);
    const struct imap_upload what = {.data = bare, .size = sizeof bare - 1, .fd = -1};
    uint32_t uid = upload(s, &what);
    DID(s, noop);
    ck_assert_str_eq(body_of(s, uid)->data, right);
    surface_row(s, "append bare LF");

    const struct imap_upload as_is = {.data = right, .size = sizeof right - 1, .fd = -1, .as_is = true};
    uid = upload(s, &as_is);
    DID(s, noop);
    ck_assert_str_eq(body_of(s, uid)->data, right);
}

static int make_file(const char *text, size_t len)
{
    int fd = memfd_create("upload", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "skipped", 7), 7);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
    return fd;
}

SURFACE_TEST(from_a_file)
{
    char *text = make_text(200000);
    surface_make(s);
    int fd = make_file(text, 200000);
    struct imap_upload what = {.fd = fd};
    uint32_t uid = upload(s, &what);
    DID(s, noop);
    const struct imap_section *body = body_of(s, uid);
    ck_assert_uint_eq(body->size, 200000);
    ck_assert_mem_eq(body->data, text, 200000);
    close(fd);

    /* with bare line ends: the size announced is that of what is sent */
    static const char bare[] = "Subject: x\n\none\ntwo\n";
    what.fd = make_file(bare, sizeof bare - 1);
    uid = upload(s, &what);
    close(what.fd);
    DID(s, noop);
    ck_assert_str_eq(body_of(s, uid)->data, "Subject: x\r\n\r\none\r\ntwo\r\n");
    surface_row(s, "append from fd");
    free(text);
}

struct source {
    const char *text;
    size_t at, size, ends_at;
};

static ssize_t give(void *arg, void *buf, size_t size)
{
    struct source *source = arg;
    size_t left = source->ends_at - source->at, n = left < size ? left : size;
    if (n > 777)
        n = 777;
    memcpy(buf, source->text + source->at, n);
    source->at += n;
    return (ssize_t)n;
}

SURFACE_TEST(from_a_callback)
{
    char *text = make_text(100000);
    surface_make(s);
    struct source source = {.text = text, .size = 100000, .ends_at = 100000};
    const struct imap_upload what = {.read = give, .arg = &source, .size = 100000, .fd = -1};
    uint32_t uid = upload(s, &what);
    ck_assert_uint_eq(source.at, 100000);
    DID(s, noop);
    const struct imap_section *body = body_of(s, uid);
    ck_assert_uint_eq(body->size, 100000);
    ck_assert_mem_eq(body->data, text, 100000);
    surface_row(s, "append from callback");
    free(text);
}

/* What was announced does not come: nothing half is stored. */
SURFACE_TEST(source_that_ends_early)
{
    char *text = make_text(50000);
    surface_make(s);
    struct source source = {.text = text, .size = 50000, .ends_at = 20000};
    const struct imap_upload what = {.read = give, .arg = &source, .size = 50000, .fd = -1};
    EXPECT(s, IMAP_SYS, append, s->box, &what, 1);
    imap_client_free(&s->client);
    s->client = surface_connect_as(surface_server.user);
    const struct imap_answer *answer = DID(s, status, s->box, "MESSAGES");
    ck_assert_uint_eq(imap_answer_mailbox_status(answer, s->box)->messages, 0);
    surface_row(s, "append that ends early");
    free(text);
}

SURFACE_TEST(several_at_once)
{
    char *text = make_text(5000);
    surface_make(s);
    struct source source = {.text = text, .size = 5000, .ends_at = 5000};
    int fd = make_file("a: b\n\nc\n", 8);
    const struct imap_upload what[] = {
        {.flags = "\\Seen", .data = text, .size = 5000, .fd = -1},
        {.fd = fd},
        {.read = give, .arg = &source, .size = 5000, .fd = -1, .flags = "\\Flagged"},
    };
    const struct imap_text *said = imap_answer_text(DID(s, append, s->box, what, 3));
    ck_assert_int_eq(said->code, IMAP_CODE_APPENDUID);
    ck_assert_uint_eq(imap_seqset_size(said->to), 3);
    DID(s, noop);
    ck_assert_uint_eq(body_of(s, 1)->size, 5000);
    ck_assert_str_eq(body_of(s, 2)->data, "a: b\r\n\r\nc\r\n");
    ck_assert_mem_eq(body_of(s, 3)->data, text, 5000);
    ck_assert_uint_ne(imap_answer_message(s->answer, 3)->flags.system & IMAP_FLAG_FLAGGED, 0);
    surface_row(s, "append multi");
    close(fd);
    free(text);
}

void surface_append_tests(TCase *cases)
{
    surface_add(cases, flags_and_date);
    surface_add(cases, sizes);
    surface_add(cases, bare_line_ends);
    surface_add(cases, from_a_file);
    surface_add(cases, from_a_callback);
    surface_add(cases, source_that_ends_early);
    surface_add(cases, several_at_once);
}
