/* SPDX-License-Identifier: MIT */
/* The surface: what neither Dovecot nor Cyrus offers, against a server that is made up (surface.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakeserver.h"
#include "surface.h"

/* What the server expects next, word by word, and what it says. In `said` a "T " that begins a line becomes
 * the tag, as does T in quotes; NULL: it drops the line. */
struct exchange {
    const char *command;
    const char *said;
};

struct play {
    const char *caps;
    const struct exchange *exchanges; /* up to one without a command */
    unsigned at;
    char wrong[2048]; /* what else the client sent */
};

static void say(struct fake_client *client, const char *tag, const char *said)
{
    char text[2048];
    size_t len = 0;
    for (const char *at = said; *at && len + 32 < sizeof text; at++) {
        bool begins = (at == said || at[-1] == '\n') && strncmp(at, "T ", 2) == 0;
        bool named = at > said && strncmp(at - 1, "\"T\"", 3) == 0;
        if (begins || named)
            len += (size_t)snprintf(text + len, 16, "%s", tag);
        else if (*at == '\n')
            len += (size_t)snprintf(text + len, 3, "\r\n");
        else
            text[len++] = *at;
    }
    fake_send_bytes(client, text, len);
    fake_send(client, "\r\n");
}

static size_t add_line(struct fake_client *client, char *whole, size_t size)
{
    size_t len = strlen(whole);
    if (len + 2 >= size)
        return 0;
    whole[len++] = '|';
    whole[len] = '\0';
    return fake_line(client, whole + len, size - len) ? strlen(whole + len) + 2 : 0;
}

/* A command goes on behind a literal: all its lines are put together with "|". */
static void read_literals(struct fake_client *client, char *whole, size_t size)
{
    for (;;) {
        const char *brace = strrchr(whole, '{');
        if (!brace || whole[strlen(whole) - 1] != '}')
            return;
        if (whole[strlen(whole) - 2] != '+')
            fake_send(client, "+ go on\r\n");
        size_t wanted = strtoul(brace + 1, NULL, 10), have = 0;
        while (have < wanted) {
            size_t more = add_line(client, whole, size);
            if (more == 0)
                return;
            have += more;
        }
        if (have == wanted)
            add_line(client, whole, size);
    }
}

static bool perform(struct fake_client *client, const char *tag, const char *command, bool *stop, void *arg)
{
    struct play *play = arg;
    char whole[2048];
    const struct exchange *next = &play->exchanges[play->at];
    if (strncmp(command, "CAPABILITY", 10) == 0 || strncmp(command, "AUTHENTICATE", 12) == 0)
        return false;
    snprintf(whole, sizeof whole, "%s", command);
    read_literals(client, whole, sizeof whole);
    if (!next->command || strcmp(whole, next->command) != 0) {
        snprintf(play->wrong, sizeof play->wrong, "%s", whole);
        fprintf(stderr, "expected %s, got %s\n", next->command, whole);
        say(client, tag, "T BAD not what was expected");
        return true;
    }
    play->at++;
    if (next->said)
        say(client, tag, next->said);
    else
        *stop = true;
    return true;
}

static void serve(struct fake_client *client, void *arg)
{
    struct play *play = arg;
    struct fake_imap imap = {.caps = play->caps, .hook = perform, .arg = play};
    fake_imap_serve(client, &imap);
}

static struct fake_server *open_play(struct surface *s, struct play *play, struct imap_client_events events)
{
    struct fake_options options = {.serve = serve, .arg = play};
    struct fake_server *server = fake_start(&options);
    struct imap_client_options client = {.endpoint = {.host = "127.0.0.1",
                                                      .port = fake_port(server),
                                                      .tls = IMAP_TLS_NONE,
                                                      .cafile = "/dev/null",
                                                      .user = "user",
                                                      .password = "secret"},
                                         .events = events};
    s->client = surface_connect(&client);
    return server;
}

static void close_play(struct surface *s, struct play *play, struct fake_server *server)
{
    imap_client_free(&s->client);
    fake_stop(&server);
    ck_assert_msg(play->wrong[0] == '\0', "the client sent: %s", play->wrong);
    ck_assert_ptr_null(play->exchanges[play->at].command);
}

#define PLAY(s, play, capabilities, ...)                                                                     \
    static const struct exchange exchanges_[] = {__VA_ARGS__, {NULL, NULL}};                                 \
    struct play play = {.caps = "IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+ " capabilities,                       \
                        .exchanges = exchanges_};                                                            \
    struct fake_server *server = open_play(s, &play, (struct imap_client_events){0})

SURFACE_TEST(become_another)
{
    PLAY(s, play, "PROXYAUTH", {"PROXYAUTH friend", "T OK now friend"},
         {"PROXYAUTH \"old friend\"", "T NO who?"});
    DID(s, proxyauth, "friend");
    EXPECT(s, IMAP_NO, proxyauth, "old friend");
    close_play(s, &play, server);
}

SURFACE_TEST(replace_a_message)
{
    PLAY(s, play, "REPLACE UIDPLUS",
         {"SELECT INBOX", "* 2 EXISTS\n* OK [UIDVALIDITY 7] x\nT OK [READ-WRITE] done"},
         {"UID REPLACE 4 Drafts (\\Draft) \" 5-Jan-2024 10:00:00 +0100\" {11+}|a: b||x|",
          "* OK [APPENDUID 9 12] new\n* 1 EXPUNGE\nT OK replaced"},
         {"REPLACE 1 INBOX {6+}|a: b|", "T OK [APPENDUID 7 13] replaced"});
    const struct imap_date date = {.unix_seconds = 1704445200, .zone_minutes = 60};
    struct imap_upload upload = {
        .flags = "\\Draft", .date = &date, .data = "a: b\n\nx\n", .size = 8, .fd = -1};
    DID(s, select, "INBOX", 0);
    const struct imap_answer *answer = DID(s, replace, IMAP_BY_UID, 4, "Drafts", &upload);
    const struct imap_response *said = surface_first(answer, IMAP_RESP_OK);
    ck_assert_int_eq(said->text.code, IMAP_CODE_APPENDUID);
    ck_assert(imap_seqset_contains(said->text.to, 12));
    upload = (struct imap_upload){.data = "a: b\r\n", .size = 6, .fd = -1};
    answer = DID(s, replace, IMAP_BY_NUMBER, 1, "INBOX", &upload);
    ck_assert_uint_eq(imap_answer_text(answer)->uidvalidity, 7);
    close_play(s, &play, server);
}

SURFACE_TEST(utf8_accepted)
{
    char wire[64], back[64];
    PLAY(s, play, "ENABLE UTF8=ACCEPT", {"ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT\nT OK done"},
         {"SELECT \"Entwürfe\"", "* 0 EXISTS\nT OK done"},
         {"APPEND \"Entwürfe\" UTF8 (~{13}|Subject: ü|)", "T OK done"});
    ck_assert(imap_client_name_encode(s->client, "Entwürfe", wire, sizeof wire));
    ck_assert_str_eq(wire, "Entw&APw-rfe");
    const struct imap_response *said = surface_first(DID(s, enable, "UTF8=ACCEPT"), IMAP_RESP_ENABLED);
    ck_assert(imap_caps_has(said->caps, IMAP_CAP_UTF8_ACCEPT));
    ck_assert(imap_client_name_encode(s->client, "Entwürfe", wire, sizeof wire));
    ck_assert_str_eq(wire, "Entwürfe");
    ck_assert(imap_client_name_decode(s->client, wire, back, sizeof back));
    ck_assert_str_eq(back, "Entwürfe");
    DID(s, select, wire, 0);
    struct imap_upload upload = {.data = "Subject: ü\n", .size = 12, .fd = -1};
    DID(s, append, wire, &upload, 1);
    surface_row(s, "utf8_enabled");
    close_play(s, &play, server);
}

SURFACE_TEST(uids_only)
{
    PLAY(s, play, "ENABLE UIDONLY", {"ENABLE UIDONLY", "* ENABLED UIDONLY\nT OK done"},
         {"SELECT INBOX", "* 2 EXISTS\n* OK [UIDVALIDITY 7] x\nT OK done"},
         {"UID FETCH 4:9 (FLAGS)", "* 4 UIDFETCH (FLAGS (\\Seen))\n* 9 UIDFETCH (FLAGS ())\nT OK done"});
    DID(s, enable, "UIDONLY");
    DID(s, select, "INBOX", 0);
    const struct imap_answer *answer = DID(s, fetch, IMAP_BY_UID, "4:9", "(FLAGS)", NULL);
    size_t count;
    imap_answer_messages(answer, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_ne(imap_answer_message(answer, 4)->flags.system & IMAP_FLAG_SEEN, 0);
    ck_assert_uint_eq(imap_answer_message(answer, 9)->flags.system & IMAP_FLAG_SEEN, 0);
    surface_row(s, "UIDONLY");
    close_play(s, &play, server);
}

SURFACE_TEST(search_in_pages)
{
    PLAY(s, play, "ESEARCH PARTIAL", {"SELECT INBOX", "* 900 EXISTS\nT OK done"},
         {"UID SEARCH RETURN (PARTIAL -1:-3) ALL",
          "* ESEARCH (TAG \"T\") UID PARTIAL (-1:-3 7,9:10)\nT OK done"},
         {"UID FETCH 1:* (FLAGS) (PARTIAL 1:2)",
          "* 1 FETCH (UID 3 FLAGS ())\n* 2 FETCH (UID 5 FLAGS ())\nT OK done"});
    struct imap_found found;
    struct imap_error err = {0};
    DID(s, select, "INBOX", 0);
    const struct imap_answer *answer = DID(s, search, IMAP_BY_UID, "PARTIAL -1:-3", NULL, "ALL");
    ck_assert_msg(imap_answer_found(answer, &found, &err) == IMAP_OK, "%s", err.text);
    ck_assert_uint_eq(found.count, 3);
    ck_assert_uint_eq(found.numbers[0], 7);
    ck_assert_uint_eq(found.numbers[2], 10);
    answer = DID(s, fetch, IMAP_BY_UID, "1:*", "(FLAGS)", "PARTIAL 1:2");
    ck_assert_ptr_nonnull(imap_answer_message(answer, 5));
    surface_row(s, "search PARTIAL");
    close_play(s, &play, server);
}

SURFACE_TEST(google_labels)
{
    PLAY(s, play, "X-GM-EXT-1", {"SELECT INBOX", "* 1 EXISTS\nT OK done"},
         {"UID FETCH 5 (X-GM-MSGID X-GM-THRID X-GM-LABELS)",
          "* 1 FETCH (UID 5 X-GM-MSGID 1278455344230334865 X-GM-THRID 1266894439832287888 "
          "X-GM-LABELS (\\Inbox \"Very Important\" foo))\nT OK done"},
         {"UID STORE 5 +X-GM-LABELS (bar)", "* 1 FETCH (UID 5 X-GM-LABELS (foo bar))\nT OK done"});
    DID(s, select, "INBOX", 0);
    const struct imap_answer *answer =
        DID(s, fetch, IMAP_BY_UID, "5", "(X-GM-MSGID X-GM-THRID X-GM-LABELS)", NULL);
    const struct imap_fetch *got = imap_answer_message(answer, 5);
    ck_assert_str_eq(got->emailid, "1278455344230334865");
    ck_assert_str_eq(got->threadid, "1266894439832287888");
    ck_assert_uint_eq(imap_value_count(got->labels), 3);
    ck_assert_str_eq(got->labels->child->next->str, "Very Important");
    answer = DID(s, store, IMAP_BY_UID, "5", 0, "+X-GM-LABELS", "bar");
    ck_assert_uint_eq(imap_value_count(imap_answer_message(answer, 5)->labels), 2);
    surface_row(s, "X-GM-LABELS");
    close_play(s, &play, server);
}

/* A line that drops instead of the answer is what was asked for. */
SURFACE_TEST(logout_dropped)
{
    PLAY(s, play, "", {"LOGOUT", NULL});
    DID(s, logout);
    surface_row(s, "logout, line dropped");
    close_play(s, &play, server);
}

/* ---- a line that is lost ------------------------------------------------------------------------------ */

struct lost {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    unsigned ended, lost;
    enum imap_status status[3];
};

static void on_verb(void *arg, const struct imap_answer *answer)
{
    struct lost *lost = arg;
    pthread_mutex_lock(&lost->lock);
    if (lost->ended < 3)
        lost->status[lost->ended] = imap_answer_status(answer);
    lost->ended++;
    pthread_cond_broadcast(&lost->changed);
    pthread_mutex_unlock(&lost->lock);
}

static void on_lost(void *arg, const struct imap_error *why)
{
    struct lost *lost = arg;
    pthread_mutex_lock(&lost->lock);
    lost->lost += why->status != IMAP_OK;
    pthread_cond_broadcast(&lost->changed);
    pthread_mutex_unlock(&lost->lock);
}

SURFACE_TEST(line_is_lost)
{
    static const struct exchange exchanges[] = {
        {"SELECT INBOX", "* 2 EXISTS\nT OK done"}, {"UID MOVE 2 Trash", NULL}, {NULL, NULL}};
    struct play play = {.caps = "IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+ UIDPLUS MOVE", .exchanges = exchanges};
    struct lost lost = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct fake_server *server =
        open_play(s, &play, (struct imap_client_events){.lost = on_lost, .arg = &lost});
    DID(s, select, "INBOX", 0);
    if (!s->callback) {
        EXPECT(s, IMAP_UNSURE, move, IMAP_BY_UID, "2", "Trash");
        EXPECT(s, IMAP_AGAIN, noop);
    } else {
        struct imap_call calls[3] = {{.done = on_verb, .arg = &lost},
                                     {.done = on_verb, .arg = &lost},
                                     {.done = on_verb, .arg = &lost}};
        struct timespec until;
        int rc = 0;
        ck_assert_int_eq(imap_client_move(s->client, IMAP_BY_UID, "2", "Trash", &calls[0]), IMAP_OK);
        /* these two wait for it, or fail at once where the line is gone already */
        (void)imap_client_select(s->client, "INBOX", 0, &calls[1]);
        (void)imap_client_fetch(s->client, IMAP_BY_UID, "1", "FLAGS", NULL, &calls[2]);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 30;
        pthread_mutex_lock(&lost.lock);
        while ((lost.lost == 0 || lost.ended < 3) && rc == 0)
            rc = pthread_cond_timedwait(&lost.changed, &lost.lock, &until);
        pthread_mutex_unlock(&lost.lock);
        imap_client_free(&s->client);
        ck_assert_uint_eq(lost.lost, 1);
        ck_assert_uint_eq(lost.ended, 3);
        unsigned unsure = 0, again = 0;
        for (int i = 0; i < 3; i++) {
            unsure += lost.status[i] == IMAP_UNSURE;
            again += lost.status[i] == IMAP_AGAIN;
        }
        ck_assert_uint_eq(unsure, 1);
        ck_assert_msg(again == 2, "%s %s %s", imap_status_name(lost.status[0]),
                      imap_status_name(lost.status[1]), imap_status_name(lost.status[2]));
    }
    surface_row(s, "lost line");
    close_play(s, &play, server);
}

static void fake_tests(TCase *cases)
{
    surface_add(cases, become_another);
    surface_add(cases, replace_a_message);
    surface_add(cases, utf8_accepted);
    surface_add(cases, uids_only);
    surface_add(cases, search_in_pages);
    surface_add(cases, google_labels);
    surface_add(cases, logout_dropped);
    surface_add(cases, line_is_lost);
}

int main(void)
{
    return surface_main_fake(fake_tests);
}
