/* SPDX-License-Identifier: MIT */
/* statustext: the text of a snapshot. What is promised of it stands in imapfs(1), under STATUS. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "human.h"
#include "status.h"

#define SLOW_MS 2000 /* an answer that is due for longer is worth a line */

static void put_line(FILE *out, const char *key, const char *text)
{
    (void)fprintf(out, "%s: ", key);
    human_line(out, text);
    (void)fputc('\n', out);
}

static void put_text(FILE *out, const char *key, const char *text)
{
    if (text)
        put_line(out, key, text);
}

static void put_bytes(FILE *out, const char *key, uint64_t bytes)
{
    char text[HUMAN_SIZE];
    (void)fprintf(out, "%s: %" PRIu64 " bytes (%s)\n", key, bytes, human_bytes(bytes, text));
}

/* A moment of CLOCK_MONOTONIC as the time of day. */
static void put_moment(FILE *out, const char *key, const struct status *status, int64_t ms)
{
    char when[HUMAN_SIZE], ago[HUMAN_SIZE];
    const int64_t age = status->pool.now_ms - ms;
    (void)fprintf(out, "%s: %s (%s)\n", key, human_time(status->now - age / 1000, when), human_age(age, ago));
}

/* ---- whether it is well ------------------------------------------------------------------------------ */

static void put_outage(FILE *out, const struct status *status)
{
    const struct imap_pool_status *pool = &status->pool;
    char text[HUMAN_SIZE];
    if (pool->why.status != IMAP_OK)
        put_line(out, "error", pool->why.text);
    if (pool->down_ms)
        put_moment(out, "since", status, pool->down_ms);
    if (pool->count && pool->connections[0].doing == IMAP_POOL_PAUSING)
        (void)fprintf(out, "next attempt: in %s\n",
                      human_age(pool->connections[0].dial_ms - pool->now_ms + 999, text));
}

/* Logged in for longest: a lane that comes and goes is no news. */
static int64_t connected_since(const struct imap_pool_status *pool)
{
    int64_t since = 0;
    for (unsigned i = 0; i < pool->count; i++) {
        const struct imap_pool_connection *connection = &pool->connections[i];
        if (connection->doing >= IMAP_POOL_SELECTING && (!since || connection->since_ms < since))
            since = connection->since_ms;
    }
    return since;
}

static int64_t longest_due(const struct imap_pool_status *pool)
{
    int64_t longest = 0;
    for (unsigned i = 0; i < pool->count; i++) {
        const int64_t due = pool->connections[i].due_ms;
        if (due && pool->now_ms - due > longest)
            longest = pool->now_ms - due;
    }
    return longest;
}

static void put_state(FILE *out, const struct status *status)
{
    const struct imap_pool_status *pool = &status->pool;
    char text[HUMAN_SIZE];
    if (!pool->connected) {
        const bool tried = pool->why.status != IMAP_OK && !pool->reachable;
        put_line(out, "state", tried ? "unreachable" : "connecting");
        put_outage(out, status);
        return;
    }
    (void)fputs(STATUS_CONNECTED, out);
    put_moment(out, "since", status, connected_since(pool));
    if (longest_due(pool) >= SLOW_MS)
        (void)fprintf(out, "server silent: %s\n", human_age(longest_due(pool), text));
}

/* ---- what it is -------------------------------------------------------------------------------------- */

static void put_words(FILE *out, const char *key, const char *const *words)
{
    (void)fprintf(out, "%s:", key);
    if (!*words)
        (void)fputs(" none", out);
    for (; *words; words++)
        (void)fprintf(out, " %s", *words);
    (void)fputc('\n', out);
}

/* What is in use of all that a server may offer to make things fast. */
static void put_capabilities(FILE *out, const struct status *status)
{
    const struct imap_pool_connection *watcher = &status->pool.connections[0];
    const char *words[8] = {NULL};
    unsigned n = 0;
    bool compressed = false, encrypted = false;
    for (unsigned i = 0; i < status->pool.count; i++) {
        compressed |= status->pool.connections[i].compressed;
        encrypted |= status->pool.connections[i].encrypted;
    }
    if (watcher->enabled & UINT64_C(1) << IMAP_CAP_QRESYNC)
        words[n++] = "QRESYNC";
    else if (imap_caps_has(&status->caps, IMAP_CAP_CONDSTORE))
        words[n++] = "CONDSTORE";
    if (status->notify)
        words[n++] = "NOTIFY";
    if (imap_caps_has(&status->caps, IMAP_CAP_IDLE))
        words[n++] = "IDLE";
    if (imap_caps_has(&status->caps, IMAP_CAP_LIST_STATUS))
        words[n++] = "LIST-STATUS";
    if (compressed)
        words[n++] = "COMPRESS";
    if (encrypted)
        words[n++] = "encrypted";
    put_words(out, "in use", words);
}

static void put_account(FILE *out, const struct status *status)
{
    char when[HUMAN_SIZE], ago[HUMAN_SIZE];
    put_text(out, "account", status->source);
    put_text(out, "mountpoint", status->mountpoint);
    (void)fprintf(out, "mounted: %s (%s)\n", human_time(status->opened.tv_sec, when),
                  human_age((status->now - status->opened.tv_sec) * 1000, ago));
    put_text(out, "version", status->version);
    if (status->caps_known && status->pool.connected)
        put_capabilities(out, status);
}

/* ---- what it does ------------------------------------------------------------------------------------ */

static void put_work(FILE *out, const struct status *status)
{
    const struct imap_pool_status *pool = &status->pool;
    size_t flying = 0;
    for (unsigned i = 0; i < pool->count; i++)
        flying += pool->connections[i].jobs;
    put_bytes(out, "received", pool->received);
    put_bytes(out, "sent", pool->sent);
    (void)fprintf(out, "requests waiting: %zu\n", status->requests);
    (void)fprintf(out, "commands: %zu queued, %zu in flight\n", pool->queued, flying);
    (void)fprintf(out, "downloads: %zu, %" PRIu64 " bytes\n", status->bodies.downloads,
                  status->bodies.expected);
    (void)fprintf(out, "synchronisations: %zu\n", status->syncs);
}

static void put_cache(FILE *out, const struct status *status)
{
    const struct bodies_stats *bodies = &status->bodies;
    char size[HUMAN_SIZE], limit[HUMAN_SIZE];
    (void)fprintf(out, "cache: %" PRIu64 " bytes (%s of %s) in %zu bodies\n", bodies->bytes,
                  human_bytes(bodies->bytes, size), human_bytes(bodies->limit, limit), bodies->count);
    (void)fprintf(out, "opened: %" PRIu64 " in the cache, %" PRIu64 " fetched ahead, %" PRIu64 " asked for\n",
                  bodies->found, bodies->ahead, bodies->asked);
    if (!status->has_store)
        (void)fputs("store: none, listings are not kept for the next mount\n", out);
    else if (status->store.lost)
        (void)fprintf(out, "store: lost, listings are not kept any more (%s)\n", status->store.path);
    else
        (void)fprintf(out, "store: %s, %" PRIu64 " bytes to write\n", status->store.path,
                      status->store.waiting);
}

static const char *doing(const struct imap_pool_connection *connection)
{
    static const char *const names[] = {
        [IMAP_POOL_CLOSED] = "closed",      [IMAP_POOL_PAUSING] = "pausing",
        [IMAP_POOL_DIALING] = "connecting", [IMAP_POOL_SELECTING] = "selecting",
        [IMAP_POOL_WORKING] = "working",    [IMAP_POOL_IDLING] = "idle",
        [IMAP_POOL_QUIET] = "quiet",
    };
    return names[connection->doing];
}

static const char *age_or_dash(const struct status *status, int64_t ms, char text[static HUMAN_SIZE])
{
    return ms ? human_age(status->pool.now_ms - ms, text) : "-";
}

static void put_connections(FILE *out, const struct status *status)
{
    const struct imap_pool_status *pool = &status->pool;
    unsigned open = 0;
    for (unsigned i = 0; i < pool->count; i++)
        open += pool->connections[i].doing >= IMAP_POOL_SELECTING;
    (void)fprintf(out, "\nconnections: %u of %u\n", open, pool->count);
    (void)fputs("  #  state       jobs      in     out   since   heard  mailbox\n", out);
    for (unsigned i = 0; i < pool->count; i++) {
        const struct imap_pool_connection *at = &pool->connections[i];
        char in[HUMAN_SIZE], sent[HUMAN_SIZE], since[HUMAN_SIZE], heard[HUMAN_SIZE];
        (void)fprintf(out, "%3u  %-10s %5zu %7s %7s %7s %7s  ", i, doing(at), at->jobs,
                      human_bytes(at->received, in), human_bytes(at->sent, sent),
                      age_or_dash(status, at->since_ms, since), age_or_dash(status, at->heard_ms, heard));
        human_line(out, status->places[i] ? status->places[i] : "-");
        (void)fputc('\n', out);
    }
}

/* ---- mailboxes and messages -------------------------------------------------------------------------- */

static void put_mailboxes(FILE *out, const struct status *status)
{
    static const char *const states[] = {[STATUS_SYNCING] = "syncing",
                                         [STATUS_CURRENT] = "current",
                                         [STATUS_FRESH] = "fresh",
                                         [STATUS_OLD] = "old"};
    static const char *const ways[] = {
        [STATUS_POLL] = "poll", [STATUS_IDLE] = "idle", [STATUS_NOTIFY] = "notify"};
    char age[HUMAN_SIZE];
    (void)fprintf(out, "\nmailboxes: %zu, %zu known, %zu watched\n", status->mailbox_total,
                  status->mailbox_known, status->mailbox_watched);
    (void)fprintf(out, "tree: %s", status->listing ? "being listed" : "listed");
    (void)fprintf(out, status->listed_ms ? ", %s ago\n" : ", %s\n",
                  status->listed_ms ? age_or_dash(status, status->listed_ms, age) : "never before");
    (void)fprintf(out, "poll: %u s\n", status->poll_ms / 1000);
    if (status->mailbox_count)
        (void)fputs(" messages  state    by      checked  name\n", out);
    for (size_t i = 0; i < status->mailbox_count; i++) {
        const struct status_mailbox *at = &status->mailboxes[i];
        (void)fprintf(out, "%9zu  %-7s  %-6s  %7s  ", at->count, states[at->freshness], ways[at->by],
                      age_or_dash(status, at->proven_ms, age));
        human_line(out, at->name);
        (void)fputc('\n', out);
    }
}

/* ---- what is not on the server ------------------------------------------------------------------------ */

static void put_drafts(FILE *out, const struct status *status)
{
    static const char *const states[] = {[STATUS_UNSENT] = "not sent",
                                         [STATUS_SENDING] = "sending",
                                         [STATUS_WRITING] = "writing",
                                         [STATUS_EMPTY] = "empty"};
    char size[HUMAN_SIZE], when[HUMAN_SIZE];
    if (!status->read_write)
        return;
    (void)fprintf(out, "\nfiles not on the server: %zu, %" PRIu64 " bytes (%s)", status->draft_count,
                  status->draft_bytes, human_bytes(status->draft_bytes, size));
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (status->draft_states[i])
            (void)fprintf(out, ", %zu %s", status->draft_states[i], states[i]);
    (void)fprintf(out, "\nlocal files: %zu\n", status->local_count);
    if (status->draft_shown)
        (void)fputs("   size  date                 state     name\n", out);
    for (size_t i = 0; i < status->draft_shown; i++) {
        const struct status_draft *at = &status->drafts[i];
        (void)fprintf(out, "%7s  %-19s  %-8s  ", human_bytes(at->size, size), human_time(at->date, when),
                      states[at->state]);
        human_line(out, at->path);
        (void)fputs(*at->why ? "\n         " : "", out);
        human_line(out, at->why);
        (void)fputc('\n', out);
    }
    if (status->draft_count > status->draft_shown)
        (void)fprintf(out, "         and %zu more\n", status->draft_count - status->draft_shown);
}

static void put_count(FILE *out, size_t count, const char *what, const char **separator)
{
    if (!count)
        return;
    (void)fprintf(out, "%s%zu %s", *separator, count, what);
    *separator = ", ";
}

/* Nothing while nothing waits and nothing was refused. */
static void put_waiting(FILE *out, const struct status *status)
{
    const char *separator = "\nwaiting for the server: ";
    const char *first = separator;
    char when[HUMAN_SIZE];
    put_count(out, status->waiting_deletes, "to delete", &separator);
    put_count(out, status->waiting_moves, "to move", &separator);
    put_count(out, status->waiting_copies, "to copy", &separator);
    put_count(out, status->waiting_uploads, "to upload", &separator);
    if (separator != first)
        (void)fputc('\n', out);
    if (status->refused_count)
        (void)fprintf(out, "\nlast refused: %zu\n", status->refused_count);
    for (size_t i = 0; i < status->refused_count; i++) {
        (void)fprintf(out, "  %s ", human_time(status->refused[i].when, when));
        human_line(out, status->refused[i].text);
        (void)fputc('\n', out);
    }
}

static void put_lines(FILE *out, const struct status *status)
{
    char when[HUMAN_SIZE];
    (void)fprintf(out, "\nlast warnings: %zu\n", status->line_count);
    for (size_t i = 0; i < status->line_count; i++) {
        const struct status_line *line = &status->lines[i];
        (void)fprintf(out, "  %s %s: ", human_time(line->when, when),
                      LOG_PRI(line->priority) <= LOG_ERR ? "error" : "warning");
        human_line(out, line->text);
        (void)fputc('\n', out);
    }
}

char *status_text(const struct status *status, size_t *len_out)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len_out);
    if (!out)
        abort();
    put_state(out, status);
    put_account(out, status);
    put_work(out, status);
    put_cache(out, status);
    put_waiting(out, status);
    put_drafts(out, status);
    put_connections(out, status);
    put_mailboxes(out, status);
    put_lines(out, status);
    if (fclose(out) != 0) /* out of memory */
        abort();
    return text;
}
