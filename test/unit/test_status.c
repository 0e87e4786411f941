/* SPDX-License-Identifier: MIT */
/* The text of made-up snapshots, and how numbers and times are written. */
#include <string.h>
#include <syslog.h>

#include "human.h"
#include "status.h"
#include "unit_main.h"

#define NOW INT64_C(10000000) /* CLOCK_MONOTONIC, ms */
#define TODAY 1763721600      /* 2025-11-21 10:40:00 UTC */

static struct imap_pool_connection connection(enum imap_pool_doing doing)
{
    return (struct imap_pool_connection){.doing = doing,
                                         .jobs = doing == IMAP_POOL_WORKING ? 3 : 0,
                                         .received = 1536,
                                         .sent = 1023,
                                         .since_ms = NOW - 7200 * 1000,
                                         .heard_ms = NOW - 12 * 1000};
}

/* Well: two connections, two mailboxes, a warning. */
static struct status sample(void)
{
    struct status status = {
        .version = "1.2.3",
        .source = "imaps://me@host/",
        .mountpoint = "/mnt/m\ne",
        .requests = 2,
        .now = TODAY,
        .opened = {.tv_sec = TODAY - 3 * 86400},
        .poll_ms = 60000,
        .caps_known = true,
        .bodies = {.bytes = 5 * 1048576,
                   .limit = UINT64_C(1) << 30,
                   .count = 7,
                   .found = 11,
                   .ahead = 12,
                   .asked = 13,
                   .downloads = 4,
                   .expected = 99},
        .has_store = true,
        .store = {.path = "/cache/me@host_993.db", .waiting = 17},
        .listed_ms = NOW - 300 * 1000,
        .syncs = 1,
        .mailbox_total = 40,
        .mailbox_known = 2,
        .mailbox_watched = 1,
        .mailbox_count = 2,
        .mailboxes = {{.name = strdup("INBOX"),
                       .count = 123456,
                       .freshness = STATUS_CURRENT,
                       .by = STATUS_IDLE,
                       .proven_ms = NOW - 1000},
                      {.name = strdup("Archive/2024"), .freshness = STATUS_OLD}},
        .line_count = 1,
        .lines = {{.when = TODAY - 60, .priority = LOG_WARNING, .text = "it \x1b[2J broke"}},
    };
    status.pool = (struct imap_pool_status){.now_ms = NOW,
                                            .connected = true,
                                            .reachable = true,
                                            .queued = 5,
                                            .received = 123456789,
                                            .sent = 42,
                                            .count = 3,
                                            .connections = {connection(IMAP_POOL_IDLING),
                                                            connection(IMAP_POOL_WORKING),
                                                            {.doing = IMAP_POOL_CLOSED}}};
    status.pool.connections[0].enabled = UINT64_C(1) << IMAP_CAP_QRESYNC;
    status.pool.connections[0].encrypted = true;
    status.places[0] = strdup("INBOX");
    imap_caps_add(&status.caps, "IDLE", 4);
    imap_caps_add(&status.caps, "QRESYNC", 7);
    return status;
}

static char *text_of(struct status *status)
{
    size_t len = 0;
    char *text = status_text(status, &len);
    ck_assert_uint_eq(strlen(text), len);
    status_fini(status);
    return text;
}

static void holds(const char *text, const char *line)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(text, whole), "no line '%s' in\n%s", line, text);
}

static void first_line_is(const char *text, const char *line)
{
    ck_assert_msg(strncmp(text, line, strlen(line)) == 0 && text[strlen(line)] == '\n', "%s", text);
}

START_TEST(all_is_well)
{
    struct status status = sample();
    char *text = text_of(&status);
    first_line_is(text, "state: connected");
    holds(text, "since: 2025-11-21 08:40:00 (2 h)");
    holds(text, "account: imaps://me@host/");
    holds(text, "mountpoint: /mnt/m?e");
    holds(text, "mounted: 2025-11-18 10:40:00 (3 d)");
    holds(text, "version: 1.2.3");
    holds(text, "in use: QRESYNC IDLE encrypted");
    holds(text, "received: 123456789 bytes (118M)");
    holds(text, "sent: 42 bytes (42)");
    holds(text, "requests waiting: 2");
    holds(text, "commands: 5 queued, 3 in flight");
    holds(text, "downloads: 4, 99 bytes");
    holds(text, "synchronisations: 1");
    holds(text, "cache: 5242880 bytes (5.0M of 1.0G) in 7 bodies");
    holds(text, "opened: 11 in the cache, 12 fetched ahead, 13 asked for");
    holds(text, "store: /cache/me@host_993.db, 17 bytes to write");
    holds(text, "connections: 2 of 3");
    holds(text, "  0  idle           0    1.5K    1023     2 h    12 s  INBOX");
    holds(text, "  1  working        3    1.5K    1023     2 h    12 s  -");
    holds(text, "  2  closed         0       0       0       -       -  -");
    holds(text, "mailboxes: 40, 2 known, 1 watched");
    holds(text, "tree: listed, 5 min ago");
    holds(text, "poll: 60 s");
    holds(text, "   123456  current  idle        1 s  INBOX");
    holds(text, "        0  old      poll          -  Archive/2024");
    holds(text, "last warnings: 1");
    holds(text, "  2025-11-21 10:39:00 warning: it ?[2J broke");
    ck_assert_ptr_null(strstr(text, "error:"));
    ck_assert_ptr_null(strstr(text, "silent"));
    free(text);
}
END_TEST

START_TEST(a_silent_server)
{
    struct status status = sample();
    status.pool.connections[1].due_ms = NOW - 1999;
    char *text = text_of(&status);
    ck_assert_ptr_null(strstr(text, "silent"));
    free(text);
    status = sample();
    status.pool.connections[1].due_ms = NOW - 15 * 1000;
    text = text_of(&status);
    first_line_is(text, "state: connected");
    holds(text, "server silent: 15 s");
    free(text);
}
END_TEST

START_TEST(an_outage)
{
    struct status status = sample();
    status.pool.connected = status.pool.reachable = false;
    status.pool.down_ms = NOW - 600 * 1000;
    imap_error_set(&status.pool.why, IMAP_AGAIN, "host:993 does\nnot answer");
    status.pool.connections[0] =
        (struct imap_pool_connection){.doing = IMAP_POOL_PAUSING, .dial_ms = NOW + 12 * 1000};
    status.pool.connections[1] = (struct imap_pool_connection){.doing = IMAP_POOL_CLOSED};
    char *text = text_of(&status);
    first_line_is(text, "state: unreachable");
    holds(text, "error: host:993 does?not answer");
    holds(text, "since: 2025-11-21 10:30:00 (10 min)");
    holds(text, "next attempt: in 12 s");
    holds(text, "connections: 0 of 3");
    ck_assert_ptr_null(strstr(text, "in use:"));
    free(text);
}
END_TEST

/* Not yet an outage: lost a moment ago, or never tried. */
START_TEST(connecting)
{
    struct status status = sample();
    status.pool.connected = false;
    imap_error_set(&status.pool.why, IMAP_AGAIN, "lost");
    status.pool.connections[0] = connection(IMAP_POOL_DIALING);
    char *text = text_of(&status);
    first_line_is(text, "state: connecting");
    holds(text, "error: lost");
    free(text);
    status = sample();
    status.pool.connected = status.pool.reachable = false;
    text = text_of(&status);
    first_line_is(text, "state: connecting");
    free(text);
}
END_TEST

START_TEST(stores)
{
    struct status status = sample();
    status.has_store = false;
    char *text = text_of(&status);
    holds(text, "store: none, listings are not kept for the next mount");
    free(text);
    status = sample();
    status.store.lost = true;
    text = text_of(&status);
    holds(text, "store: lost, listings are not kept any more (/cache/me@host_993.db)");
    free(text);
}
END_TEST

START_TEST(trees_and_ways)
{
    struct status status = sample();
    status.listing = true;
    status.listed_ms = 0;
    status.notify = true;
    status.pool.connections[0].enabled = 0;
    status.pool.connections[1].compressed = true;
    status.mailboxes[0].by = STATUS_NOTIFY;
    status.mailboxes[0].freshness = STATUS_SYNCING;
    status.mailboxes[1].freshness = STATUS_FRESH;
    char *text = text_of(&status);
    holds(text, "tree: being listed, never before");
    holds(text, "in use: CONDSTORE NOTIFY IDLE COMPRESS encrypted");
    holds(text, "   123456  syncing  notify      1 s  INBOX");
    holds(text, "        0  fresh    poll          -  Archive/2024");
    free(text);
    status = sample();
    imap_caps_clear(&status.caps);
    status.pool.connections[0].enabled = 0;
    status.pool.connections[0].encrypted = false;
    text = text_of(&status);
    holds(text, "in use: none");
    free(text);
}
END_TEST

/* ---- what is not on the server ------------------------------------------------------------------------ */

/* A mount that changes nothing has nothing to say of it. */
START_TEST(read_only_mounts_have_no_files)
{
    struct status status = sample();
    char *text = text_of(&status);
    ck_assert_ptr_null(strstr(text, "not on the server"));
    ck_assert_ptr_null(strstr(text, "local files"));
    ck_assert_ptr_null(strstr(text, "waiting for"));
    ck_assert_ptr_null(strstr(text, "refused"));
    free(text);
    status = sample();
    status.read_write = true;
    text = text_of(&status);
    holds(text, "files not on the server: 0, 0 bytes (0)\nlocal files: 0\n");
    free(text);
}
END_TEST

START_TEST(files_that_are_not_on_the_server)
{
    struct status status = sample();
    status.read_write = true;
    status.draft_count = 60;
    status.draft_bytes = 310001;
    status.local_count = 2;
    status.draft_states[STATUS_UNSENT] = 1;
    status.draft_states[STATUS_SENDING] = 57;
    status.draft_states[STATUS_WRITING] = 1;
    status.draft_states[STATUS_EMPTY] = 1;
    status.draft_shown = 4;
    status.drafts[0] = (struct status_draft){.path = strdup("Archive/a\tb.eml"),
                                             .size = 310000,
                                             .date = TODAY - 60,
                                             .state = STATUS_UNSENT,
                                             .why = "NO: Quota\x1b[2J exceeded"};
    status.drafts[1] =
        (struct status_draft){.path = strdup("x.eml"), .size = 1, .date = TODAY, .state = STATUS_SENDING};
    status.drafts[2] = (struct status_draft){.path = strdup("y.eml"), .state = STATUS_WRITING};
    status.drafts[3] = (struct status_draft){.path = strdup("z.eml"), .state = STATUS_EMPTY};
    char *text = text_of(&status);
    holds(text,
          "files not on the server: 60, 310001 bytes (303K), 1 not sent, 57 sending, 1 writing, 1 empty\n"
          "local files: 2\n"
          "   size  date                 state     name\n"
          "   303K  2025-11-21 10:39:00  not sent  Archive/a?b.eml\n"
          "         NO: Quota?[2J exceeded\n"
          "      1  2025-11-21 10:40:00  sending   x.eml\n"
          "      0  1970-01-01 00:00:00  writing   y.eml\n"
          "      0  1970-01-01 00:00:00  empty     z.eml\n"
          "         and 56 more\n");
    free(text);
}
END_TEST

START_TEST(changes_that_wait)
{
    struct status status = sample();
    status.waiting_deletes = 12;
    status.waiting_uploads = 1;
    char *text = text_of(&status);
    holds(text, "\nwaiting for the server: 12 to delete, 1 to upload\n");
    ck_assert_ptr_null(strstr(text, "refused"));
    free(text);
    status = sample();
    status.waiting_moves = 2;
    status.refused_count = 2;
    status.refused[0] =
        (struct status_line){.when = TODAY - 60, .text = "INBOX/5.eml is not deleted: it is \n read-only"};
    status.refused[1] = (struct status_line){.when = TODAY, .text = "INBOX/7.eml is not moved"};
    text = text_of(&status);
    holds(text, "\nwaiting for the server: 2 to move\n\nlast refused: 2\n"
                "  2025-11-21 10:39:00 INBOX/5.eml is not deleted: it is ? read-only\n"
                "  2025-11-21 10:40:00 INBOX/7.eml is not moved\n");
    free(text);
}
END_TEST

START_TEST(nothing_told)
{
    struct status status = {.now = TODAY, .pool = {.now_ms = NOW}};
    char *text = text_of(&status);
    first_line_is(text, "state: connecting");
    holds(text, "connections: 0 of 0");
    holds(text, "last warnings: 0");
    free(text);
}
END_TEST

/* ---- numbers ------------------------------------------------------------------------------------------ */

START_TEST(bytes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0"},
                 {1023, "1023"},
                 {1024, "1.0K"},
                 {1536, "1.5K"},
                 {102348, "99.9K"},
                 {102400, "100K"},
                 {1048575, "1.0M"},
                 {1048576, "1.0M"},
                 {UINT64_C(1023) << 20, "1023M"},
                 {UINT64_C(1) << 30, "1.0G"},
                 {UINT64_MAX, "16.0E"}};
    char text[HUMAN_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(human_bytes(cases[i].bytes, text), cases[i].text);
}
END_TEST

START_TEST(ages)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-5, "0 s"},
                 {999, "0 s"},
                 {99999, "99 s"},
                 {100000, "1 min"},
                 {5999999, "99 min"},
                 {6000000, "1 h"},
                 {INT64_C(48) * 3600000 - 1, "47 h"},
                 {INT64_C(48) * 3600000, "2 d"}};
    char text[HUMAN_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(human_age(cases[i].ms, text), cases[i].text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {all_is_well,
                                  a_silent_server,
                                  an_outage,
                                  connecting,
                                  stores,
                                  trees_and_ways,
                                  read_only_mounts_have_no_files,
                                  files_that_are_not_on_the_server,
                                  changes_that_wait,
                                  nothing_told,
                                  bytes,
                                  ages,
                                  NULL};
    setenv("TZ", "UTC0", 1);
    return unit_main("status", tests);
}
