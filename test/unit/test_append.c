/* SPDX-License-Identifier: MIT */
/* APPEND, MULTIAPPEND and REPLACE: where the bytes come from, and what becomes of their line ends. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "client_double.h"
#include "imap/message.h"
#include "unit_main.h"
#include "upload.h"

static struct imap_call call;

static int temporary(const char *text, size_t len)
{
    char path[] = "/tmp/test_append.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(pwrite(fd, text, len, 0), (ssize_t)len);
    return fd;
}

static struct imap_upload from_data(const char *text)
{
    return (struct imap_upload){.data = text, .size = strlen(text), .fd = -1};
}

static struct imap_upload from_fd(int fd)
{
    return (struct imap_upload){.fd = fd};
}

static void assert_append(struct imap_client *client, const struct imap_upload *uploads, size_t count,
                          const char *expected)
{
    enum imap_status status = imap_client_append(client, "x", uploads, count, &call);
    ck_assert_msg(status == IMAP_OK, "%s", client->error.text);
    ck_assert_str_eq(client->wire, expected);
    double_close(client);
}

static void assert_refused(struct imap_client *client, const char *mailbox, const struct imap_upload *uploads,
                           size_t count, enum imap_status status)
{
    ck_assert_int_eq(imap_client_append(client, mailbox, uploads, count, &call), status);
    ck_assert_int_eq(client->error.status, status);
    ck_assert_int_eq(client->done, 1);
    ck_assert_uint_eq(client->wire_len, 0);
    double_close(client);
}

/* ---- the form of the command --------------------------------------------------------------------- */

START_TEST(forms)
{
    static const struct imap_date date = {.unix_seconds = 2000000000, .zone_minutes = 120};
    struct imap_upload upload = from_data("Subject: x\r\n\r\nhi\r\n");

    assert_append(double_open(""), &upload, 1, "APPEND x {18}\r\nSubject: x\r\n\r\nhi\r\n\r\n");
    assert_append(double_open("LITERAL+"), &upload, 1, "APPEND x {18+}\r\nSubject: x\r\n\r\nhi\r\n\r\n");
    upload = from_data("a");
    upload.flags = "\\Seen $Junk";
    assert_append(double_open("LITERAL-"), &upload, 1, "APPEND x (\\Seen $Junk) {1+}\r\na\r\n");
    upload.flags = "(\\Draft)";
    upload.date = &date;
    assert_append(double_open(""), &upload, 1,
                  "APPEND x (\\Draft) \"18-May-2033 05:33:20 +0200\" {1}\r\na\r\n");
    upload.flags = "";
    upload.date = NULL;
    assert_append(double_open(""), &upload, 1, "APPEND x () {1}\r\na\r\n");
}
END_TEST

/* RFC 6855 4; without BINARY a literal8 always waits for its "+" (RFC 7888 6). */
START_TEST(utf8)
{
    struct imap_upload upload[2] = {from_data("a"), from_data("b")};
    upload[0].flags = "\\Seen";
    assert_append(double_utf8("ENABLE UTF8=ACCEPT LITERAL+"), upload, 1,
                  "APPEND x (\\Seen) UTF8 (~{1}\r\na)\r\n");
    assert_append(double_utf8("ENABLE UTF8=ACCEPT LITERAL+ BINARY MULTIAPPEND"), upload, 2,
                  "APPEND x (\\Seen) UTF8 (~{1+}\r\na) UTF8 (~{1+}\r\nb)\r\n");
    /* offered, but not enabled */
    assert_append(double_open("ENABLE UTF8=ACCEPT LITERAL+"), upload, 1, "APPEND x (\\Seen) {1+}\r\na\r\n");
}
END_TEST

START_TEST(several)
{
    struct imap_upload uploads[3] = {from_data("a\n"), from_fd(temporary("b", 1)), from_data("c")};
    uploads[1].flags = "\\Seen";
    assert_append(double_open("MULTIAPPEND LITERAL+"), uploads, 3,
                  "APPEND x {3+}\r\na\r\n (\\Seen) {1+}\r\nb {1+}\r\nc\r\n");
    assert_append(double_open("MULTIAPPEND"), uploads, 3,
                  "APPEND x {3}\r\na\r\n (\\Seen) {1}\r\nb {1}\r\nc\r\n");
    assert_refused(double_open("LITERAL+"), "x", uploads, 3, IMAP_NO);
    close(uploads[1].fd);
}
END_TEST

START_TEST(replace)
{
    struct imap_upload upload = from_data("a");
    struct imap_client *client = double_selected("REPLACE LITERAL+");
    ck_assert_int_eq(imap_client_replace(client, IMAP_BY_UID, 42, "Drafts", &upload, &call), IMAP_OK);
    ck_assert_str_eq(client->wire, "UID REPLACE 42 Drafts {1+}\r\na\r\n");
    double_answer(client, "* OK [APPENDUID 1 43] ok\r\n* 1 EXPUNGE\r\n", "a2 OK\r\n");
    upload.flags = "\\Draft";
    ck_assert_int_eq(imap_client_replace(client, IMAP_BY_NUMBER, 2, "Drafts", &upload, &call), IMAP_OK);
    ck_assert_str_eq(client->wire, "REPLACE 2 Drafts (\\Draft) {1+}\r\na\r\n");
    double_answer(client, "", "a3 OK\r\n");
    ck_assert_int_eq(imap_client_replace(client, IMAP_BY_UID, 0, "Drafts", &upload, &call), IMAP_USAGE);
    double_close(client);

    client = double_selected("");
    ck_assert_int_eq(imap_client_replace(client, IMAP_BY_UID, 42, "Drafts", &upload, &call), IMAP_NO);
    ck_assert_uint_eq(client->wire_len, 0);
    double_close(client);
}
END_TEST

static ssize_t no_read(void *arg, void *buf, size_t size)
{
    (void)arg;
    (void)buf;
    (void)size;
    return 0;
}

START_TEST(refused)
{
    static const struct imap_date late = {.unix_seconds = 253402300800}, odd = {.zone_minutes = 1440},
                                  edge = {.unix_seconds = 253402300799, .zone_minutes = 1};
    const struct imap_date *dates[] = {&late, &odd, &edge};
    int fds[2], fd = temporary("abc", 3);
    struct imap_upload upload = from_data("a");

    assert_refused(double_open(""), NULL, &upload, 1, IMAP_USAGE);
    assert_refused(double_open(""), "a\r\nb", &upload, 1, IMAP_USAGE);
    assert_refused(double_open(""), "x", &upload, 0, IMAP_USAGE);
    assert_refused(double_open("APPENDLIMIT=0"), "x", &upload, 1, IMAP_LIMIT);
    upload.flags = "a\r\nb";
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    upload.flags = "a) {5}";
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    for (size_t i = 0; i < 3; i++) {
        upload = from_data("a");
        upload.date = dates[i];
        assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    }
    upload = from_data("");
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE); /* empty */
    upload = from_data("a");
    upload.fd = fd; /* two sources */
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    upload = (struct imap_upload){.fd = -1, .size = 3}; /* none */
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    upload = (struct imap_upload){.fd = -1, .read = no_read}; /* of no size */
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    upload.size = UINT64_MAX;
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    upload = from_fd(fd);
    upload.size = 4; /* longer than the file */
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
    upload.size = 0; /* nothing left */
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    close(fd);
    ck_assert_int_eq(pipe(fds), 0);
    upload = from_fd(fds[0]);
    assert_refused(double_open(""), "x", &upload, 1, IMAP_USAGE);
    close(fds[0]);
    close(fds[1]);
    assert_refused(double_open(""), "x", &upload, 1, IMAP_SYS); /* EBADF */
}
END_TEST

START_TEST(append_limit)
{
    struct imap_upload upload = from_data("abc\n"); /* 5 octets on the wire */
    assert_append(double_open("APPENDLIMIT=5 LITERAL+"), &upload, 1, "APPEND x {5+}\r\nabc\r\n\r\n");
    assert_append(double_open("APPENDLIMIT LITERAL+"), &upload, 1, "APPEND x {5+}\r\nabc\r\n\r\n");
    assert_append(double_open("APPENDLIMIT=99999999999999999999 LITERAL+"), &upload, 1,
                  "APPEND x {5+}\r\nabc\r\n\r\n");
    assert_refused(double_open("APPENDLIMIT=4 LITERAL+"), "x", &upload, 1, IMAP_LIMIT);
}
END_TEST

START_TEST(nul)
{
    static const char expected[] = "APPEND x ~{3+}\r\na\0b\r\n";
    struct imap_upload upload = {.data = "a\0b", .size = 3, .fd = -1};
    struct imap_client *client = double_open("BINARY LITERAL+");
    ck_assert_int_eq(imap_client_append(client, "x", &upload, 1, &call), IMAP_OK);
    ck_assert_uint_eq(client->wire_len, sizeof expected - 1);
    ck_assert_mem_eq(client->wire, expected, sizeof expected);
    double_close(client);
    assert_refused(double_open("LITERAL+"), "x", &upload, 1, IMAP_USAGE);
}
END_TEST

/* ---- line ends ----------------------------------------------------------------------------------- */

/* As imaplib's MapCRLF does it: \r\n, \r and \n each become \r\n. */
static size_t reference(const char *text, size_t len, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\r' && text[i] != '\n') {
            out[size++] = text[i];
            continue;
        }
        if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
            i++;
        memcpy(out + size, "\r\n", 2);
        size += 2;
    }
    return size;
}

static void assert_gives(struct imap_upload upload, size_t piece, const char *expected, size_t len)
{
    struct imap_upload_source source;
    char *got = malloc(len + piece);
    size_t at = 0;
    ck_assert_int_eq(imap_upload_open(&source, &upload, NULL), IMAP_OK);
    ck_assert_uint_eq(source.size, len);
    while (at < len) {
        size_t want = len - at < piece ? len - at : piece;
        ssize_t size = imap_upload_next(&source, got + at, want);
        ck_assert_int_gt(size, 0);
        ck_assert_int_le(size, (ssize_t)want);
        at += (size_t)size;
    }
    ck_assert_mem_eq(got, expected, len);
    imap_upload_close(&source);
    free(got);
}

/* Every text of up to six characters of these four, in every size of piece. */
START_TEST(line_ends)
{
    static const char letters[4] = {'\r', '\n', 'a', '\0'};
    for (unsigned len = 1; len <= 6; len++) {
        for (unsigned number = 0; number < 1u << (2 * len); number++) {
            char text[8], expected[16];
            for (unsigned i = 0; i < len; i++)
                text[i] = letters[number >> (2 * i) & 3];
            size_t size = reference(text, len, expected);
            struct imap_upload upload = {.data = text, .size = len, .fd = -1};
            for (size_t piece = 1; piece <= 4; piece++)
                assert_gives(upload, piece, expected, size);
            upload.as_is = true;
            assert_gives(upload, 3, text, len);
        }
    }
}
END_TEST

/* Line ends across the blocks in which a file is read; its offset counts and is left alone. */
START_TEST(files)
{
    const size_t len = 3 * 65536 + 17;
    char *text = malloc(len + 1), *expected = malloc(2 * len);
    for (size_t i = 0; i < len; i++)
        text[i] = "\r\nab\n\r\rc\n"[i % 9];
    memcpy(text + 65535, "\r\n", 2); /* cut by the end of the first block */
    memcpy(text + 2 * 65536 - 1, "\rx", 2);
    int fd = temporary(text, len);
    for (size_t start = 0; start < 4; start++) {
        size_t size = reference(text + start, len - start, expected);
        ck_assert_int_eq(lseek(fd, (off_t)start, SEEK_SET), (off_t)start);
        assert_gives(from_fd(fd), 65536, expected, size);
        assert_gives(from_fd(fd), 1000, expected, size);
        ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), (off_t)start);
        struct imap_upload part = {.fd = fd, .size = 5};
        assert_gives(part, 2, expected, reference(text + start, 5, expected));
        struct imap_upload as_is = {.fd = fd, .as_is = true};
        assert_gives(as_is, 4096, text + start, len - start);
    }
    close(fd);
    free(text);
    free(expected);
}
END_TEST

/* ---- what changes under way ---------------------------------------------------------------------- */

struct change {
    const char *data; /* written at .at; NULL: the file is cut there */
    size_t len;
    off_t at;
};

static ssize_t give_all(struct imap_upload_source *source, size_t piece, uint64_t *given_out)
{
    char buf[64];
    ssize_t got;
    for (*given_out = 0; *given_out < source->size; *given_out += (uint64_t)got) {
        uint64_t left = source->size - *given_out;
        got = imap_upload_next(source, buf, left < piece ? (size_t)left : piece);
        if (got < 0)
            return got;
        ck_assert_int_gt(got, 0);
    }
    return 0;
}

START_TEST(changed_files)
{
    static const struct change changes[] = {
        {"\n", 1, 0}, /* one octet more than counted */
        {"x", 1, 3},  /* one less */
        {"X", 1, 1},  /* the same size, but another message */
        {"fe", 2, 4}, /* the same octets in another order */
        {NULL, 0, 7}, /* shorter */
        {NULL, 0, 0}, {"\r", 1, 7},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        for (size_t piece = 1; piece < 12; piece += 5) {
            int fd = temporary("abc\nef\nz", 8);
            struct imap_upload upload = from_fd(fd);
            struct imap_upload_source source;
            uint64_t given;
            ck_assert_int_eq(imap_upload_open(&source, &upload, NULL), IMAP_OK);
            ck_assert_uint_eq(source.size, 10);
            if (changes[i].data)
                ck_assert_int_eq(pwrite(fd, changes[i].data, changes[i].len, changes[i].at),
                                 (ssize_t)changes[i].len);
            else
                ck_assert_int_eq(ftruncate(fd, changes[i].at), 0);
            ck_assert_int_eq(give_all(&source, piece, &given), -ESTALE);
            ck_assert_uint_lt(given, source.size);
            imap_upload_close(&source);
            close(fd);
        }
    }
}
END_TEST

/* What is added behind what was measured is no part of the message. */
START_TEST(grown_file)
{
    int fd = temporary("abc\n", 4);
    struct imap_upload upload = from_fd(fd);
    struct imap_upload_source source;
    uint64_t given;
    ck_assert_int_eq(imap_upload_open(&source, &upload, NULL), IMAP_OK);
    ck_assert_int_eq(pwrite(fd, "more", 4, 4), 4);
    ck_assert_int_eq(give_all(&source, 64, &given), 0);
    ck_assert_uint_eq(given, 5);
    imap_upload_close(&source);
    close(fd);
}
END_TEST

/* Between counting and sending: the server never gets the last octet of a literal that is another message. */
START_TEST(a_changed_file_costs_the_connection)
{
    struct imap_client *client = double_open("LITERAL+");
    int fd = temporary("abcdef", 6);
    struct imap_upload upload = from_fd(fd);
    const char *data;
    size_t len;
    double_submit(client, "LOGOUT", ""); /* nothing is sent while it awaits its answer */
    double_forget(client);
    ck_assert_int_eq(imap_client_append(client, "x", &upload, 1, &call), IMAP_OK);
    ck_assert_uint_eq(client->wire_len, 0);
    ck_assert_int_eq(pwrite(fd, "X", 1, 5), 1);
    double_feed(client, "a1 NO stay\r\n");
    client->done = 0;
    for (int i = 0; i < 4 && (data = imap_session_pull(client->session, &len)); i++) {
        double_keep(client, data, len);
        imap_session_sent(client->session, len);
    }
    ck_assert_str_eq(client->wire, "a2 APPEND x {6+}\r\n");
    ck_assert_int_eq(client->done, 1);
    ck_assert_int_eq(client->error.status, IMAP_SYS);
    ck_assert_int_eq(client->error.sys_errno, ESTALE);
    ck_assert_ptr_nonnull(strstr(client->error.text, "has changed"));
    ck_assert_int_eq(imap_session_state(client->session), IMAP_STATE_DEAD);
    double_close(client);
    close(fd);
}
END_TEST

/* ---- a caller's own source ----------------------------------------------------------------------- */

struct story {
    const char *text;
    size_t at;
    ssize_t error; /* instead of the end */
    size_t piece;
};

static ssize_t tell(void *arg, void *buf, size_t size)
{
    struct story *story = arg;
    size_t left = strlen(story->text) - story->at;
    if (left == 0)
        return story->error;
    if (size > story->piece)
        size = story->piece;
    if (size > left)
        size = left;
    memcpy(buf, story->text + story->at, size);
    story->at += size;
    return (ssize_t)size;
}

START_TEST(own_source)
{
    struct story story = {.text = "bare\nstays", .piece = 3};
    struct imap_upload upload = {.fd = -1, .read = tell, .arg = &story, .size = 10};
    assert_append(double_open(""), &upload, 1, "APPEND x {10}\r\nbare\nstays\r\n");
}
END_TEST

static void assert_breaks(struct story story, int sys_errno)
{
    struct imap_upload upload = {.fd = -1, .read = tell, .arg = &story, .size = 10};
    struct imap_client *client = double_open("LITERAL+");
    (void)imap_client_append(client, "x", &upload, 1, &call);
    ck_assert_int_eq(client->done, 1);
    ck_assert_int_eq(client->error.status, IMAP_SYS);
    ck_assert_int_eq(client->error.sys_errno, sys_errno);
    ck_assert_int_eq(imap_session_state(client->session), IMAP_STATE_DEAD);
    double_close(client);
}

START_TEST(own_source_that_ends_early)
{
    assert_breaks((struct story){.text = "short", .piece = 9}, EIO);
    assert_breaks((struct story){.text = "short", .piece = 9, .error = -ENOLINK}, ENOLINK);
    assert_breaks((struct story){.text = "", .piece = 9, .error = -EIO}, EIO);
}
END_TEST

UNIT_MAIN("append", forms, utf8, several, replace, refused, append_limit, nul, line_ends, files,
          changed_files, grown_file, a_changed_file_costs_the_connection, own_source,
          own_source_that_ends_early)
