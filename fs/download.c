/* SPDX-License-Identifier: MIT */
/*
 * download: one UID FETCH of bodies, whole messages or one piece of a large one.
 *
 * Its callbacks run on a connection's thread. Bytes go into the spool without the lock; the lock is
 * taken where a literal begins and ends, and every MARK_BYTES between. What is received is attributed
 * by UID: bytes that come before their UID is told lie apart until it is.
 *
 * Invariants:
 * 1. While a download names a body (body->downloads) neither the body nor its extent goes away.
 * 2. A body is answered when the server sent any of its bytes; one that is not, in a command that ended
 *    with OK, is no longer in the mailbox.
 */
#include "body_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "../imap/mem.h"

#define MARK_BYTES (64u << 10)
#define COPY_BYTES (64u << 10)
#define MAKE_ROOM (UINT64_C(4) << 20) /* evicted at a time when the disk is full */
#define FULL_MS 5000
#define FULL_QUIET_MS 60000
#define LOG_QUIET_MS 30000 /* between two lines about what could not be read */
#define AHEAD_SLOW_MS 500
#define AHEAD_MIN (UINT64_C(512) << 10)
#define AHEAD_MAX (UINT64_C(32) << 20)

/* ---- whose bytes, and where they go ----------------------------------------------------------------- */

static struct download_item *find_item(struct download *download, uint32_t uid)
{
    size_t low = 0, high = download->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (download->items[middle].body->uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < download->count && download->items[low].body->uid == uid ? &download->items[low] : NULL;
}

static bool is_body(const struct imap_section *section)
{
    return section->kind == IMAP_SECTION_BODY && section->spec[0] == '\0';
}

static bool receive(struct download *download, struct body *body, uint64_t from, uint64_t to)
{
    download->literal = (struct literal){.body = body,
                                         .extent = body->extent,
                                         .at = from,
                                         .end = to,
                                         .marked = from,
                                         .known = range_set_end(&body->present, from)};
    return from < to;
}

/* All of it will go by in its order. */
static bool receive_all(struct download *download, struct body *body)
{
    struct literal *literal = &download->literal;
    if (!receive(download, body, 0, body->size))
        return false;
    literal->digesting = download->bodies->keeps && literal->known == 0;
    if (!literal->digesting)
        return true;
    if (!download->digest)
        download->digest = digest_new();
    digest_begin(download->digest, &body->key, body->size);
    return true;
}

static bool begin_whole(struct download *download, struct body *body, uint64_t size)
{
    struct bodies *bodies = download->bodies;
    if (body_complete_locked(body) && body->size == size)
        return false;       /* sent twice */
    if (!download->whole) { /* all of it comes, unasked */
        download->from = 0;
        download->to = size;
    }
    return body_learn_size_locked(bodies, body, size) && receive_all(download, body);
}

/* The claimed size is wrong: only a literal of the whole message will tell. */
static void contradicted(struct bodies *bodies, struct body *body)
{
    body->whole_only = true;
    if (!body->size_known)
        bodies_empty_locked(bodies, body);
    if (body_waited_for_locked(body))
        fetcher_want_locked(bodies, body);
}

static void begin_probe(struct bodies *bodies, struct body *body, uint64_t size)
{
    if (body->size_known || body->whole_only)
        return;
    if (size == 1)
        (void)body_learn_size_locked(bodies, body, body->size);
    else
        contradicted(bodies, body);
}

static bool begin_piece(struct download *download, struct body *body, uint64_t size)
{
    struct bodies *bodies = download->bodies;
    uint64_t asked = download->to - download->from;
    if (body->whole_only)
        return false;
    if (size > asked && download->from == 0)
        return begin_whole(download, body, size); /* it knows no pieces */
    if (size > asked)
        size = asked;
    if (size < asked && !body->size_known)
        return body_learn_size_locked(bodies, body, size) && receive(download, body, 0, size);
    if (size < asked) {
        contradicted(bodies, body);
        return false;
    }
    if (!body_place_locked(bodies, body, body->size))
        return false;
    return receive(download, body, download->from, download->from + size);
}

/* What little room there is on a full disk is for what somebody waits for. */
static bool must_yield_locked(const struct download *download, const struct body *body)
{
    return download->ahead && download->bodies->full_until > model_now_ms() && !body_waited_for_locked(body);
}

static bool is_asked_for(const struct body *body, uint64_t from, uint64_t to)
{
    const struct download *piece = body->pieces;
    while (piece && (from < piece->from || to > piece->to))
        piece = piece->next_piece;
    return piece != NULL;
}

/* True when the bytes of the section are to be received, by take_in and finish. */
static bool begin(struct download *download, struct download_item *item, const struct imap_section *section)
{
    struct bodies *bodies = download->bodies;
    struct body *body = item->body;
    bool wanted = false;
    account_lock(bodies->account);
    body->heard++;
    if (body->fate != IMAP_OK) {
        item->answered = true;
    } else if (must_yield_locked(download, body)) {
        item->answered = true;
        body->write_errno = ENOSPC;
    } else if (!section->has_origin || (download->whole && section->origin == 0)) {
        item->answered = true;
        wanted = begin_whole(download, body, section->size);
    } else if (!download->whole && download->probe && section->origin == download->probe) {
        item->answered = true;
        begin_probe(bodies, body, section->size);
    } else if (!download->whole && section->origin == download->from) {
        item->answered = true;
        wanted = begin_piece(download, body, section->size);
    } else if (body->size_known && !body->whole_only && section->origin <= body->size &&
               section->size <= body->size - section->origin) {
        /* another download's: which of several commands an answer belongs to is a guess */
        const uint64_t end = section->origin + section->size;
        const bool unasked = !is_asked_for(body, section->origin, end);
        wanted = !(unasked && atomic_load(&body->scarce)) && receive(download, body, section->origin, end);
        download->literal.unasked = unasked;
    }
    bodies_unlock(bodies);
    return wanted;
}

static void mark(struct download *download)
{
    struct literal *literal = &download->literal;
    struct bodies *bodies = download->bodies;
    const bool keep = literal->digesting && literal->at == literal->end;
    const uint64_t digest = keep ? digest_end(download->digest) : 0;
    account_lock(bodies->account);
    literal->body->write_errno = 0;
    if (literal->body->fate == IMAP_OK) {
        body_arrived_locked(bodies, literal->body, literal->marked, literal->at, literal->scarce);
        if (keep)
            keeping_keep_locked(bodies, literal->body, digest);
        if (download->whole && literal->body->ticket.cursor && body_complete_locked(literal->body))
            pending_note_locked(bodies->account, NOTE_BODY, download->mailbox, literal->body->uid, NULL);
    } else {
        literal->extent.file = NULL;
    }
    bodies_unlock(bodies);
    literal->marked = literal->at;
}

static void log_full_locked(struct bodies *bodies)
{
    const int64_t now_ms = model_now_ms();
    if (bodies->full_until + FULL_QUIET_MS < now_ms || !bodies->full_until)
        pending_log_locked(bodies->account, LOG_WARNING,
                           "the cache directory's disk is full: what is read is held in memory");
    bodies->full_until = now_ms + FULL_MS;
}

static bool make_room(struct bodies *bodies)
{
    account_lock(bodies->account);
    bool any = bodies_evict_locked(bodies, MAKE_ROOM);
    bodies_unlock(bodies);
    return any;
}

static void cannot_write(struct download *download, int write_errno)
{
    struct bodies *bodies = download->bodies;
    download->literal.extent.file = NULL;
    account_lock(bodies->account);
    if (download->literal.body)
        download->literal.body->write_errno = write_errno;
    bodies->full_until = model_now_ms() + FULL_MS;
    bodies_unlock(bodies);
}

/* The disk is full of what is in use. Memory is for what somebody reads just now. */
static bool go_on_in_memory(struct download *download, size_t len)
{
    struct literal *literal = &download->literal;
    struct bodies *bodies = download->bodies;
    struct body *body = literal->body;
    bool room = false;
    if (!body || literal->unasked)
        return false;
    if (!literal->scarce && literal->at > literal->marked)
        mark(download);
    account_lock(bodies->account);
    if (body->fate == IMAP_OK && (body->pins || body_waited_for_locked(body)))
        room = scarce_reserve_locked(bodies, body, literal->at, literal->at + len);
    if (room) {
        log_full_locked(bodies);
        literal->extent = atomic_load(&body->scarce)->extent;
        literal->scarce = true;
        literal->digesting = false;
    }
    bodies_unlock(bodies);
    return room;
}

static int write_out(struct download *download, const char *bytes, size_t len)
{
    struct literal *literal = &download->literal;
    if (!literal->scarce) {
        int error = extent_write(&literal->extent, literal->at, bytes, len);
        if ((error == ENOSPC || error == EDQUOT) && make_room(download->bodies))
            error = extent_write(&literal->extent, literal->at, bytes, len);
        if (error != ENOSPC && error != EDQUOT)
            return error;
    }
    return go_on_in_memory(download, len) ? extent_write(&literal->extent, literal->at, bytes, len) : ENOSPC;
}

static void take_in(struct download *download, const void *data, size_t len)
{
    struct literal *literal = &download->literal;
    const char *bytes = data;
    if (!literal->extent.file)
        return;
    if (len > literal->end - literal->at)
        len = (size_t)(literal->end - literal->at);
    if (literal->at < literal->known) {
        size_t here = literal->known - literal->at < len ? (size_t)(literal->known - literal->at) : len;
        literal->at += here;
        bytes += here;
        len -= here;
    }
    int error = write_out(download, bytes, len);
    if (error) {
        cannot_write(download, error);
        return;
    }
    if (literal->digesting)
        digest_add(download->digest, bytes, len);
    literal->at += len;
    if (literal->body && literal->at - literal->marked >= MARK_BYTES && literal->at < literal->end)
        mark(download);
}

static void finish(struct download *download)
{
    struct literal *literal = &download->literal;
    if (literal->body && literal->extent.file && literal->at > literal->marked)
        mark(download);
    *literal = (struct literal){0};
}

/* ---- bytes that come before their UID ---------------------------------------------------------------- */

static bool begin_stray(struct download *download, const struct imap_section *section)
{
    struct bodies *bodies = download->bodies;
    if (download->stray_count == DOWNLOAD_STRAYS)
        return false;
    struct stray *stray = &download->strays[download->stray_count];
    *stray = (struct stray){.section = *section};
    stray->section.spec = "";
    account_lock(bodies->account);
    enum imap_status status = spool_alloc_locked(bodies->spool, section->size, &stray->extent, NULL);
    account_unlock(bodies->account);
    if (status != IMAP_OK)
        return false;
    download->stray_count++;
    download->literal = (struct literal){.extent = stray->extent, .end = section->size};
    return true;
}

static void adopt(struct download *download, struct download_item *item, const struct stray *stray)
{
    if (!begin(download, item, &stray->section))
        return;
    char *buf = imap_xmalloc(COPY_BYTES);
    ssize_t n;
    for (uint64_t at = 0; at < stray->extent.size; at += (uint64_t)n) {
        n = extent_read(&stray->extent, at, buf, COPY_BYTES);
        if (n <= 0)
            break; /* it could not be written: the body stays incomplete */
        take_in(download, buf, (size_t)n);
    }
    free(buf);
    finish(download);
}

static void drop_strays(struct download *download)
{
    struct bodies *bodies = download->bodies;
    if (download->stray_count == 0)
        return;
    account_lock(bodies->account);
    while (download->stray_count > 0)
        spool_release_locked(bodies->spool, &download->strays[--download->stray_count].extent);
    bodies_unlock(bodies);
}

/* ---- the command's callbacks -------------------------------------------------------------------------- */

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct download *download = arg;
    download->literal = (struct literal){0};
    if (!is_body(section))
        return false;
    if (!so_far->uid)
        return begin_stray(download, section);
    struct download_item *item = find_item(download, so_far->uid);
    return item && begin(download, item, section);
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    take_in(arg, data, len);
}

static void on_body_end(void *arg)
{
    finish(arg);
}

/* Sections that were no literals: a quoted string, or NIL where the server has nothing. */
static void take_buffered(struct download *download, struct download_item *item,
                          const struct imap_section *section)
{
    if (section->nil) {
        if (download->probe && section->has_origin && section->origin == download->probe)
            (void)begin(download, item, section); /* as if it were empty */
        return;
    }
    if (section->size > 0 && !section->data)
        return;
    if (begin(download, item, section)) {
        take_in(download, section->data, (size_t)section->size);
        finish(download);
    }
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct download *download = arg;
    if (response->type != IMAP_RESP_FETCH)
        return;
    struct download_item *item = response->fetch.uid ? find_item(download, response->fetch.uid) : NULL;
    for (unsigned i = 0; item && i < download->stray_count; i++)
        adopt(download, item, &download->strays[i]);
    drop_strays(download);
    for (const struct imap_section *section = response->fetch.sections; item && section;
         section = section->next)
        if (is_body(section) && !section->streamed)
            take_buffered(download, item, section);
}

/* ---- its end ------------------------------------------------------------------------------------------ */

static bool satisfied(const struct download *download, const struct body *body)
{
    if (download->whole)
        return body_complete_locked(body);
    uint64_t to = download->to < body->size ? download->to : body->size;
    return body->size_known && range_set_covers(&body->present, download->from, to);
}

/* The kernel makes EIO of whatever hindered a read: only the log says what it was. */
static void log_failure(struct bodies *bodies, const struct body *body, const struct imap_error *err)
{
    int64_t now_ms = model_now_ms();
    char others[48] = "";
    if (now_ms < bodies->quiet_until) {
        bodies->unlogged++;
        return;
    }
    if (bodies->unlogged)
        snprintf(others, sizeof others, " (and %u others before)", bodies->unlogged);
    pending_log_locked(bodies->account, LOG_WARNING, "cannot read message %" PRIu32 " of %s%s: %s", body->uid,
                       mailbox_wire_name(body->mailbox), others, err->text);
    bodies->quiet_until = now_ms + LOG_QUIET_MS;
    bodies->unlogged = 0;
}

static void fail(struct download *download, struct body *body, const struct imap_error *err)
{
    body->tries = 0;
    if (body_waited_for_locked(body) && err->status != IMAP_CANCEL && err->status != IMAP_GONE)
        log_failure(download->bodies, body, err);
    body_fail_locked(download->bodies, body, err);
}

static void retry_or_fail(struct download *download, struct body *body, const struct imap_error *err)
{
    if (body_waited_for_locked(body) && ++body->tries < BODY_TRIES)
        fetcher_want_locked(download->bodies, body);
    else
        fail(download, body, err);
}

static void judge_refusal(struct download *download, struct body *body, const struct imap_error *err)
{
    bool more_to_try = download->count > 1 || (!download->whole && !body->whole_only);
    body->alone = true;
    body->whole_only |= !download->whole;
    if (more_to_try)
        retry_or_fail(download, body, err);
    else
        fail(download, body, err);
}

static void judge_incomplete(struct download *download, const struct download_item *item)
{
    struct body *body = item->body;
    struct imap_error err = {0};
    /* A server that takes several commands up at once answers them before it says OK to the first, and
     * their answers, being about the same message, are all taken for the first one's. */
    if (!item->answered && body->heard == item->heard) {
        struct message listed;
        imap_error_set(&err, IMAP_GONE, "message %" PRIu32 " is no longer in the mailbox", body->uid);
        if (body->alone || !mailbox_find_locked(body->mailbox, body->uid, &listed)) {
            fail(download, body, &err);
            return;
        }
        /* Listed all the same: the connection may be behind (or the listing is, and it stays gone). */
        imap_pool_mailbox_changed(download->bodies->pool, mailbox_wire_name(body->mailbox));
        body->alone = true;
        retry_or_fail(download, body, &err);
        return;
    }
    imap_error_set(&err, IMAP_PROTO, "the server did not send all of message %" PRIu32, body->uid);
    body->whole_only |= !download->whole;
    if (!body->whole_underway)
        retry_or_fail(download, body, &err);
}

static void judge_unwritten(struct download *download, struct body *body)
{
    struct imap_error err = {0};
    imap_error_sys(&err, body->write_errno, "cannot write to the cache directory");
    (void)bodies_evict_locked(download->bodies, MAKE_ROOM);
    body->alone = true;
    /* What is still on its way ahead holds its room until it lands, which it does; then it can be evicted. */
    if (download->bodies->ahead > (download->ahead ? download->weight : 0))
        body->tries = 0;
    retry_or_fail(download, body, &err);
}

static void judge(struct download *download, const struct download_item *item,
                  const struct imap_result *result)
{
    struct body *body = item->body;
    if (body->fate != IMAP_OK)
        return;
    if (satisfied(download, body)) {
        body->tries = 0;
        return;
    }
    fetcher_ticket_drop_locked(download->bodies, body);
    if (body->write_errno) {
        judge_unwritten(download, body);
        return;
    }
    switch (result->status) {
    case IMAP_OK:
        judge_incomplete(download, item);
        break;
    case IMAP_NO:
        judge_refusal(download, body, result->error);
        break;
    case IMAP_AGAIN:
    case IMAP_UNSURE:
    case IMAP_PROTO: /* the line is gone; a new one may do better */
        body->alone = true;
        retry_or_fail(download, body, result->error);
        break;
    default:
        fail(download, body, result->error);
    }
}

static void land(struct download *download, struct body *body)
{
    body->downloads--;
    if (download->whole) {
        body->whole_underway = false;
        return;
    }
    struct download **link = &body->pieces;
    while (*link != download)
        link = &(*link)->next_piece;
    *link = download->next_piece;
}

/* As much is asked for ahead as arrives in AHEAD_SLOW_MS. */
static void measure(struct bodies *bodies, const struct download *download)
{
    if (!download->ahead)
        return;
    bodies->ahead -= download->weight;
    if (model_now_ms() - download->submitted_ms > AHEAD_SLOW_MS)
        bodies->ahead_max = bodies->ahead_max / 2 > AHEAD_MIN ? bodies->ahead_max / 2 : AHEAD_MIN;
    else if (bodies->ahead_max < AHEAD_MAX)
        bodies->ahead_max *= 2;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct download *download = arg;
    struct bodies *bodies = download->bodies;
    finish(download); /* a literal that the line was lost in */
    drop_strays(download);
    account_lock(bodies->account);
    for (size_t i = 0; i < download->count; i++)
        land(download, download->items[i].body);
    for (size_t i = 0; i < download->count; i++)
        judge(download, &download->items[i], result);
    for (size_t i = 0; i < download->count; i++)
        bodies_settle_locked(bodies, download->items[i].body);
    measure(bodies, download);
    bodies->stats.downloads--;
    bodies->stats.expected -= download->weight;
    if (result->status == IMAP_OK) /* else the next access goes on, so that a dead line is not run against */
        fetcher_ahead_locked(bodies);
    bodies_unlock(bodies);
    digest_free(&download->digest);
    free(download);
}

/* ---- its beginning -------------------------------------------------------------------------------------- */

struct download *download_new(struct bodies *bodies, struct mailbox *mailbox, size_t capacity)
{
    struct download *download = imap_xcalloc(1, sizeof *download + capacity * sizeof(struct download_item));
    download->bodies = bodies;
    download->mailbox = mailbox;
    return download;
}

void download_add_locked(struct download *download, struct body *body, uint64_t weight)
{
    download->items[download->count++] = (struct download_item){.body = body, .heard = body->heard};
    download->weight += weight;
    body->downloads++;
    bodies_settle_locked(download->bodies, body); /* in use: not idle */
    if (download->whole) {
        body->whole_underway = true;
        return;
    }
    download->next_piece = body->pieces;
    body->pieces = download;
}

static int by_uid(const void *a, const void *b)
{
    const struct download_item *left = a, *right = b;
    return left->body->uid < right->body->uid ? -1 : left->body->uid > right->body->uid;
}

void download_submit_locked(struct download *download, unsigned flags)
{
    static const struct imap_command_events events = {.response = on_response,
                                                      .body_begin = on_body_begin,
                                                      .body_data = on_body_data,
                                                      .body_end = on_body_end,
                                                      .done = on_done};
    struct bodies *bodies = download->bodies;
    struct imap_seqset uids = {0};
    qsort(download->items, download->count, sizeof *download->items, by_uid);
    for (size_t i = 0; i < download->count; i++)
        imap_seqset_add(&uids, download->items[i].body->uid, download->items[i].body->uid);

    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_seqset(command, &uids);
    imap_seqset_fini(&uids);
    char what[128];
    if (download->whole)
        snprintf(what, sizeof what, "(UID BODY.PEEK[])");
    else if (download->probe) /* asks for two bytes where there should be one */
        snprintf(what, sizeof what, "(UID BODY.PEEK[]<%" PRIu64 ".2> BODY.PEEK[]<%" PRIu64 ".%" PRIu64 ">)",
                 download->probe, download->from, download->to - download->from);
    else
        snprintf(what, sizeof what, "(UID BODY.PEEK[]<%" PRIu64 ".%" PRIu64 ">)", download->from,
                 download->to - download->from);
    imap_command_raw(command, what);
    imap_command_on(command, &events, download);

    download->submitted_ms = model_now_ms();
    if (download->ahead)
        bodies->ahead += download->weight;
    bodies->stats.downloads++;
    bodies->stats.expected += download->weight;
    pending_submit_locked(bodies->account, mailbox_wire_name(download->mailbox), flags, download->weight,
                          command);
}
