/* SPDX-License-Identifier: MIT */
/*
 * mailgen: writes made-up mail straight into Maildirs, the same bytes on every machine.
 *
 *     mailgen sample DIR             some forty very different messages, in the nested mailboxes of DIR
 *     mailgen bulk DIR COUNT SEED    COUNT messages of 7.3 KB on average into DIR, one mailbox
 *     mailgen one DIR BYTES [SEED]   one message of exactly BYTES (at least 512), delivered as new mail
 *
 * Lines end in CRLF as on the wire, so that a server's file can be compared byte for byte with what it
 * serves. The time a message was received is its file's mtime. What root writes gets the owner of the
 * directory it is written into.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct text {
    char *data;
    size_t len, capacity;
};

static uint64_t random_state;

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "mailgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* splitmix64: any seed will do, and the sequence is ours on every platform. */
static uint64_t random_next(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned random_below(unsigned limit)
{
    return (unsigned)(random_next() % limit);
}

static void add_bytes(struct text *text, const char *data, size_t len)
{
    if (text->len + len > text->capacity) {
        text->capacity = 2 * (text->len + len);
        text->data = realloc(text->data, text->capacity);
        if (!text->data)
            die("memory");
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

static void add(struct text *text, const char *string)
{
    add_bytes(text, string, strlen(string));
}

__attribute__((format(printf, 2, 3))) static void addf(struct text *text, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    add(text, line);
}

static const char *random_word(void)
{
    static const char *const words[] = {
        "the",     "of",    "and",      "meeting",  "invoice",  "to",       "in",      "harbour",   "a",
        "is",      "that",  "for",      "coffee",   "budget",   "on",       "with",    "as",        "letter",
        "it",      "at",    "tomorrow", "by",       "this",     "river",    "from",    "train",     "or",
        "lantern", "have",  "an",       "they",     "which",    "one",      "station", "you",       "were",
        "hill",    "all",   "their",    "are",      "version",  "garden",   "we",      "when",      "your",
        "can",     "said",  "there",    "use",      "report",   "each",     "window",  "quarterly", "she",
        "do",      "how",   "if",       "will",     "schedule", "up",       "other",   "about",     "out",
        "many",    "then",  "them",     "these",    "so",       "some",     "her",     "would",     "make",
        "like",    "him",   "into",     "time",     "has",      "look",     "two",     "more",      "write",
        "go",      "see",   "number",   "no",       "way",      "could",    "people",  "my",        "than",
        "first",   "water", "been",     "contract", "deadline", "proposal",
    };
    return words[random_below(sizeof words / sizeof words[0])];
}

static void add_prose(struct text *text, size_t until)
{
    size_t column = 0;
    while (text->len < until) {
        const char *word = random_word();
        if (column + strlen(word) > 72) {
            add(text, "\r\n");
            column = 0;
        }
        if (column)
            add_bytes(text, " ", 1);
        add(text, word);
        column += strlen(word) + 1;
    }
    add(text, "\r\n");
}

static void add_base64_noise(struct text *text, size_t until)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (text->len < until) {
        char line[78];
        for (int i = 0; i < 76; i++)
            line[i] = alphabet[random_below(64)];
        line[76] = '\r';
        line[77] = '\n';
        add_bytes(text, line, sizeof line);
    }
}

static void add_header(struct text *text, time_t when, const char *subject, const char *type)
{
    static const char *const people[] = {"Ada Lovelace <ada@example.org>", "Grace Hopper <grace@example.com>",
                                         "Edsger Dijkstra <ewd@example.net>",
                                         "Barbara Liskov <barbara@example.org>"};
    char date[64];
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    addf(text,
         "Return-Path: <list-bounces@example.org>\r\nReceived: from mx.example.org by "
         "mail.example.org;\r\n\t%s\r\n",
         date);
    addf(text, "From: %s\r\nTo: user@example.org\r\nSubject: %s\r\nDate: %s\r\n", people[random_below(4)],
         subject, date);
    addf(text, "Message-ID: <%016llx@example.org>\r\n", (unsigned long long)random_next());
    if (type)
        addf(text, "MIME-Version: 1.0\r\nContent-Type: %s\r\n", type);
}

/* What is written belongs to whom the place belongs to: a server must be able to use it. */
static void become_owner_of(const char *path)
{
    struct stat st;
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    while (stat(parent, &st) != 0) {
        char *slash = strrchr(parent, '/');
        if (!slash)
            snprintf(parent, sizeof parent, ".");
        else
            slash[slash == parent] = '\0';
    }
    if (geteuid() == 0 && st.st_uid != 0 && (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0))
        die("cannot become the directory's owner");
}

static void make_directory(const char *path)
{
    char part[4100];
    snprintf(part, sizeof part, "%s/", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            die(part);
        *slash = '/';
    }
}

static void make_maildir(const char *dir)
{
    static const char *const parts[] = {"cur", "new", "tmp"};
    for (size_t i = 0; i < 3; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        make_directory(path);
    }
}

/* Delivers: flags "" put it into new. Empties the text. */
static void deliver(struct text *text, const char *dir, time_t when, unsigned serial, const char *flags)
{
    char temporary[4096], path[4096], name[128];
    snprintf(name, sizeof name, "%lld.M%06uP1.mailgen,S=%zu,W=%zu", (long long)when, serial, text->len,
             text->len);
    snprintf(temporary, sizeof temporary, "%s/tmp/%s", dir, name);
    if (flags[0])
        snprintf(path, sizeof path, "%s/cur/%s:2,%s", dir, name, flags[0] == '-' ? "" : flags);
    else
        snprintf(path, sizeof path, "%s/new/%s", dir, name);
    FILE *file = fopen(temporary, "wb");
    if (!file || fwrite(text->data, 1, text->len, file) != text->len || fclose(file) != 0)
        die(temporary);
    struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    if (utimensat(AT_FDCWD, temporary, times, 0) != 0 || rename(temporary, path) != 0)
        die(path);
    text->len = 0;
}

static size_t bulk_size(void)
{
    unsigned dice = random_below(100);
    if (dice < 60)
        return 1500 + random_below(3500);
    if (dice < 90)
        return 5000 + random_below(7000);
    if (dice < 98)
        return 12000 + random_below(18000);
    return 30000 + random_below(50000);
}

static void bulk(const char *dir, unsigned count, uint64_t seed)
{
    static const char *const flags[] = {"S", "S", "RS", "-", "FS", "S"};
    struct text text = {0};
    time_t when = 946684800; /* 2000-01-01; then about two hours a message */
    random_state = seed;
    make_maildir(dir);
    for (unsigned i = 1; i <= count; i++) {
        char subject[128];
        size_t size = bulk_size();
        when += 1 + (time_t)random_below(14400);
        snprintf(subject, sizeof subject, "%s %s %s %u", random_word(), random_word(), random_word(), i);
        add_header(&text, when, subject, "text/plain; charset=us-ascii");
        add(&text, "\r\n");
        add_prose(&text, size);
        deliver(&text, dir, when, i, flags[random_below(6)]);
    }
    free(text.data);
}

static void one(const char *dir, size_t bytes, uint64_t seed)
{
    struct text text = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    random_state = seed;
    make_maildir(dir);
    add_header(&text, now.tv_sec, "one", NULL);
    add(&text, "\r\n");
    add_prose(&text, bytes);
    text.len = bytes;
    if (bytes >= 2)
        memcpy(text.data + bytes - 2, "\r\n", 2);
    deliver(&text, dir, now.tv_sec, (unsigned)(now.tv_nsec / 1000), "");
    free(text.data);
}

static void body_plain(struct text *text)
{
    add(text, "\r\n");
    add_prose(text, text->len + 300 + random_below(3000));
}

static void body_alternative(struct text *text)
{
    add(text, "\r\nThis is a message in MIME format.\r\n--=_b\r\nContent-Type: text/plain\r\n\r\n");
    add_prose(text, text->len + 400);
    add(text, "--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><h1>Hello</h1><p>\r\n");
    add_prose(text, text->len + 800);
    add(text, "</p></body></html>\r\n--=_b--\r\n");
}

static void body_attachment(struct text *text)
{
    add(text, "\r\n--=_b\r\nContent-Type: text/plain\r\n\r\nThe photograph is attached.\r\n--=_b\r\n");
    add(text, "Content-Type: image/jpeg; name*=utf-8''Caf%C3%A9.jpg\r\nContent-Transfer-Encoding: base64\r\n"
              "Content-Disposition: attachment; filename*=utf-8''Caf%C3%A9.jpg\r\n\r\n");
    add_base64_noise(text, text->len + 40000);
    add(text, "--=_b--\r\n");
}

static void body_five_megabytes(struct text *text)
{
    add(text, "\r\n--=_b\r\nContent-Type: video/mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    add_base64_noise(text, (size_t)5 << 20);
    add(text, "--=_b--\r\n");
}

static void body_forwarded(struct text *text)
{
    add(text, "\r\n--=_b\r\n\r\nSee below.\r\n--=_b\r\nContent-Type: message/rfc822\r\n\r\n");
    add_header(text, 820454400, "the one inside", "text/plain");
    body_plain(text);
    add(text, "--=_b--\r\n");
}

static void body_quoted_printable(struct text *text)
{
    add(text, "Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne Gr=C3=BC=C3=9Fe aus "
              "K=C3=B6ln!=\r\n Bis bald.\r\n");
}

static void body_utf8(struct text *text)
{
    add(text, "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln, привет, 你好, ありがとう "
              "🙂\r\n");
}

static void body_latin1(struct text *text)
{
    add(text, "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdf"
              "e aus K\xf6ln\r\n");
}

static void body_empty(struct text *text)
{
    add(text, "\r\n");
}

static void body_missing(struct text *text)
{
    (void)text; /* the header's last line is the message's last: not even the empty line */
}

static void body_long_line(struct text *text)
{
    add(text, "\r\n");
    for (int i = 0; i < 20000; i++)
        add(text, random_word());
    add(text, "\r\nThe line above has no space and no end in sight.\r\n");
}

static void body_no_final_newline(struct text *text)
{
    add(text, "\r\nThe last line of this message ends without a newline");
}

static void body_looks_like_protocol(struct text *text)
{
    add(text, "\r\nFrom the beginning:\r\n.\r\n* 1 FETCH (UID 1 BODY[] {5}\r\nhello)\r\nA001 OK done\r\n"
              "+ go ahead\r\n{10}\r\n\\\"quoted\\\" %s %n \x7f \x01\r\n\r\n\r\n");
}

static void body_lone_cr(struct text *text)
{
    add(text, "\r\nA lone \r carriage return, \r\rtwo more, and an end\r\n");
}

struct sample {
    const char *mailbox, *subject, *type, *date, *flags; /* flags "": new, "-": seen by a client, none set */
    void (*body)(struct text *text);
};

#define MIXED "multipart/mixed; boundary=\"=_b\""
#define UTF8 "text/plain; charset=utf-8"

static const struct sample samples[] = {
    {"INBOX", "Welcome", "text/plain", "2019-03-01 09:00:00", "S", body_plain},
    {"INBOX", "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", UTF8, "2019-07-14 18:22:03", "S",
     body_quoted_printable},
    {"INBOX", "Re: the harbour project", "text/plain", "2020-02-29 23:59:59", "RS", body_plain},
    {"INBOX", "Newsletter", "multipart/alternative; boundary=\"=_b\"", "2021-01-01 00:00:00", "S",
     body_alternative},
    {"INBOX", "A photograph", MIXED, "2021-08-08 08:08:08", "FS", body_attachment},
    {"INBOX",
     "Gr\xc3\xbc\xc3\x9f"
     "e, unencoded",
     UTF8, "2022-05-05 12:00:00", "S", body_utf8},
    {"INBOX", "(no body)", NULL, "2022-05-06 12:00:00", "-", body_empty},
    {"INBOX", "(not even an empty line)", NULL, "2022-05-07 12:00:00", "-", body_missing},
    {"INBOX", "One long line", NULL, "2023-10-31 01:30:00", "T", body_long_line},
    {"INBOX", "Without an end", NULL, "2023-11-11 11:11:11", "S", body_no_final_newline},
    {"INBOX", "Lunch on Thursday?", "text/plain", "2024-02-29 12:34:56", "", body_plain},
    {"INBOX", "Invoice 4711", "text/plain", "2025-01-31 16:45:00", "", body_plain},
    {"Archive", "What the archive is for", "text/plain", "2010-01-01 10:00:00", "S", body_plain},
    {"Archive/1999", "Year 2000 readiness", "text/plain", "1999-12-31 23:59:58", "S", body_plain},
    {"Archive/1999", "Happy new year", "text/plain", "2000-01-01 00:00:01", "S", body_plain},
    {"Archive/2019", "Tickets", MIXED, "2019-06-01 07:00:00", "S", body_attachment},
    {"Archive/2019", "Re: Tickets", "text/plain", "2019-06-02 07:00:00", "RS", body_plain},
    {"Archive/2019", "Fwd: Tickets", MIXED, "2019-06-03 07:00:00", "PS", body_forwarded},
    {"Archive/2022/Projects", "Kick-off", "text/plain", "2022-09-01 09:30:00", "S", body_plain},
    {"Archive/2022/Projects", "Budget", "text/plain", "2022-09-02 09:30:00", "FRS", body_plain},
    {"Archive/2022/Projects", "Final report", MIXED, "2022-12-20 17:00:00", "S", body_five_megabytes},
    {"Entw\xc3\xbcrfe/S\xc3\xbc\xc3\x9f"
     "es",
     "=?utf-8?B?UmV6ZXB0IGbDvHIgS8O8Y2hsZQ==?=", UTF8, "2024-04-01 06:00:00", "D", body_utf8},
    {"Entw\xc3\xbcrfe/S\xc3\xbc\xc3\x9f"
     "es",
     "Pl\xe4tzchen", "text/plain; charset=iso-8859-1", "2024-04-02 06:00:00", "D", body_latin1},
    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "=?utf-8?B?44GT44KT44Gr44Gh44Gv?=", UTF8, "2023-05-03 03:00:00",
     "S", body_utf8},
    {"Lists/linux-fsdevel", "[PATCH 0/3] fuse: make it faster", "text/plain", "2024-06-01 10:00:00", "S",
     body_plain},
    {"Lists/linux-fsdevel", "[PATCH 1/3] fuse: send less", "text/plain", "2024-06-01 10:00:01", "S",
     body_plain},
    {"Lists/linux-fsdevel", "[PATCH 2/3] fuse: copy less", "text/plain", "2024-06-01 10:00:02", "S",
     body_plain},
    {"Lists/linux-fsdevel", "[PATCH 3/3] fuse: wait less", "text/plain", "2024-06-01 10:00:03", "-",
     body_plain},
    {"Lists/imap", "Literals in the wild", "text/plain", "2024-07-01 10:00:00", "S",
     body_looks_like_protocol},
    {"Lists/imap", "Carriage returns", "text/plain", "2024-07-02 10:00:00", "S", body_lone_cr},
    {"Tom & Jerry", "Ampersand", "text/plain", "2018-01-01 12:00:00", "S", body_plain},
    {"it's \"quoted\", 100%, (a) [b] {c} $HOME;x", "Punctuation", "text/plain", "2018-01-02 12:00:00", "S",
     body_plain},
    {"Sent", "Re: Lunch on Thursday?", "text/plain", "2024-02-29 12:40:00", "S", body_plain},
    {"Sent", "Re: Invoice 4711", "text/plain", "2025-02-01 08:00:00", "S", body_plain},
    {"Trash", "You have won", "multipart/alternative; boundary=\"=_b\"", "2025-01-01 04:00:00", "ST",
     body_alternative},
};

static time_t parse_date(const char *date)
{
    struct tm tm = {0};
    if (!strptime(date, "%Y-%m-%d %H:%M:%S", &tm))
        die(date);
    return timegm(&tm);
}

static void sample(const char *dir)
{
    struct text text = {0};
    char path[4096];
    random_state = 1;
    for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        time_t when = parse_date(s->date);
        snprintf(path, sizeof path, "%s/%s", dir, s->mailbox);
        make_maildir(path);
        add_header(&text, when, s->subject, s->type);
        s->body(&text);
        deliver(&text, path, when, i, s->flags);
    }
    snprintf(path, sizeof path, "%s/Empty", dir);
    make_maildir(path);
    free(text.data);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[1] : "";
    umask(077);
    if (argc > 2)
        become_owner_of(argv[2]);
    if (strcmp(verb, "sample") == 0 && argc == 3) {
        sample(argv[2]);
    } else if (strcmp(verb, "bulk") == 0 && argc == 5) {
        bulk(argv[2], (unsigned)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    } else if (strcmp(verb, "one") == 0 && (argc == 4 || argc == 5)) {
        one(argv[2], strtoul(argv[3], NULL, 10), argc == 5 ? strtoull(argv[4], NULL, 10) : 1);
    } else {
        fprintf(stderr, "usage: mailgen sample DIR | bulk DIR COUNT SEED | one DIR BYTES [SEED]\n");
        return 2;
    }
    return 0;
}
