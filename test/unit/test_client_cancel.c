/* SPDX-License-Identifier: MIT */
/* Verbs that do not wait for their end: late ones, cancelled ones, bodies and uploads as they go. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "client_help.h"

/* ---- deadlines -------------------------------------------------------------------------------------- */

START_TEST(late_in_the_queue)
{
    struct world *world = connected();
    struct ask *select, *late, *within_procedure;

    CHANGE(world, world->held = "SELECT");
    select = ask(world, "SELECT", "INBOX");
    late = ask_within(world, 20, "CREATE", "late");
    await_ask(late, IMAP_AGAIN); /* it was never sent, though it must not be repeated blindly */
    ck_assert_int_eq(late->error.sys_errno, ETIMEDOUT);
    within_procedure = ask_within(world, 20, "NOOP", NULL);
    await_ask(within_procedure, IMAP_AGAIN);
    ck_assert_uint_eq(select->done, 0);
    release(world);
    await_ask(select, IMAP_OK);
    do_ok(world, "CAPABILITY", NULL);
    ck_assert_uint_eq(seen(world, "CREATE"), 0); /* nor is it sent now */
    ck_assert_uint_eq(seen(world, "NOOP"), 0);
    world_free(world);
}
END_TEST

START_TEST(late_when_sent)
{
    struct world *world = connected();
    struct ask *list, *create;

    CHANGE(world, world->held = "LIST");
    list = ask_within(world, 30, "LIST", "\"\" *");
    create = ask_within(world, 30, "CREATE", "x");
    await_ask(list, IMAP_AGAIN);
    await_ask(create, IMAP_UNSURE);
    ck_assert_int_eq(create->error.sys_errno, ETIMEDOUT);
    release(world); /* the answers that come now are nobody's */
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(seen(world, "CREATE"), 1);
    ck_assert_uint_eq(world->lost, 0);
    ck_assert_ptr_null(imap_client_unsolicited(world->client));
    world_free(world);
}
END_TEST

START_TEST(late_while_blocking)
{
    struct world *world = connected();
    struct imap_call call = {.timeout_ms = 30};

    CHANGE(world, world->held = "NOOP");
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_AGAIN);
    ck_assert_int_eq(call.error.sys_errno, ETIMEDOUT);
    ck_assert_int_eq(imap_answer_status(call.answer), IMAP_AGAIN);
    release(world);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_OK);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

/* ---- cancelling ------------------------------------------------------------------------------------- */

START_TEST(cancelling_what_waits)
{
    struct world *world = connected();
    struct ask *select, *waits;

    CHANGE(world, world->held = "SELECT");
    select = ask(world, "SELECT", "INBOX");
    AWAIT(world, seen_locked(world, "SELECT") == 1);
    waits = ask(world, "CREATE", "x");
    ck_assert(imap_client_cancel(world->client, waits->call.id));
    ck_assert(!imap_client_cancel(world->client, waits->call.id));
    await_ask(waits, IMAP_CANCEL);
    release(world);
    await_ask(select, IMAP_OK);
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(seen(world, "CREATE"), 0);
    ck_assert(!imap_client_cancel(world->client, select->call.id));
    ck_assert(!imap_client_cancel(world->client, 0));
    ck_assert(!imap_client_cancel(world->client, 1000000));
    world_free(world);
}
END_TEST

struct blocker {
    struct world *world;
    struct imap_call call;
    const char *verb;
    enum imap_status status;
    bool over;
};

static void *block(void *arg)
{
    struct blocker *blocker = arg;
    enum imap_status status = do_command(blocker->world, blocker->verb, NULL, &blocker->call);

    CHANGE(blocker->world, {
        blocker->status = status;
        blocker->over = true;
    });
    return NULL;
}

START_TEST(cancelling_who_blocks)
{
    struct world *world = connected();
    struct blocker sent = {.world = world, .verb = "NOOP"}, waits = {.world = world, .verb = "CHECK"};
    struct ask *select;
    pthread_t threads[2];

    CHANGE(world, world->held = "NOOP");
    pthread_create(&threads[0], NULL, block, &sent);
    AWAIT(world, seen_locked(world, "NOOP") == 1);
    select = ask(world, "SELECT", "INBOX"); /* waits for NOOP */
    pthread_create(&threads[1], NULL, block, &waits);
    while (!imap_client_cancel(world->client, select->call.id + 1)) /* until it has called */
        sched_yield();
    AWAIT(world, waits.over);
    ck_assert_int_eq(waits.status, IMAP_CANCEL);
    ck_assert_int_eq(waits.call.error.status, IMAP_CANCEL);
    ck_assert(!sent.over);
    ck_assert(imap_client_cancel(world->client, select->call.id - 1));
    AWAIT(world, sent.over);
    ck_assert_int_eq(sent.status, IMAP_CANCEL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    release(world);
    await_ask(select, IMAP_OK);
    imap_call_fini(&sent.call);
    imap_call_fini(&waits.call);
    world_free(world);
}
END_TEST

/* ---- bodies and uploads ----------------------------------------------------------------------------- */

struct stream {
    struct ask *ask;
    bool wanted, cancel;
    unsigned begun, ended;
    char data[64];
    size_t len;
};

static bool stream_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct stream *stream = arg;
    ck_assert_uint_eq(so_far->uid, 1);
    ck_assert_uint_eq(section->size, 10);
    stream->begun++;
    return stream->wanted;
}

static void stream_data(void *arg, const void *data, size_t len)
{
    struct stream *stream = arg;
    ck_assert_uint_le(stream->len + len, sizeof(stream->data));
    memcpy(stream->data + stream->len, data, len);
    stream->len += len;
    if (stream->cancel)
        ck_assert(imap_client_cancel(stream->ask->world->client, stream->ask->call.id));
    stream->cancel = false;
}

static void stream_end(void *arg)
{
    struct stream *stream = arg;
    stream->ended++;
}

static void stream_done(void *arg, const struct imap_answer *answer)
{
    struct stream *stream = arg;
    on_done(stream->ask, answer);
}

static bool send_body(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    (void)arg;
    *stop = false;
    if (!starts(command, "UID FETCH"))
        return false;
    fake_send(peer, "* 1 FETCH (UID 1 BODY[] {10}\r\n");
    fake_drip(peer, "0123456789");
    fake_send(peer, " FLAGS (\\Seen))\r\n");
    return fake_ok(peer, tag, "fetched");
}

static struct ask *ask_stream(struct world *world, struct stream *stream)
{
    struct imap_command *command = make("UID FETCH", "1 (BODY.PEEK[] FLAGS)");

    stream->ask = new_ask(world);
    stream->ask->call = (struct imap_call){.done = stream_done,
                                           .arg = stream,
                                           .body_begin = stream_begin,
                                           .body_data = stream_data,
                                           .body_end = stream_end};
    ck_assert_int_eq(imap_client_command(world->client, &command, &stream->ask->call), IMAP_OK);
    return stream->ask;
}

START_TEST(bodies_are_streamed)
{
    struct world *world = connected();
    struct stream stream = {.wanted = true}, unwanted = {.wanted = false};

    do_ok(world, "SELECT", "INBOX");
    set_hook(world, send_body);
    await_ask(ask_stream(world, &stream), IMAP_OK);
    ck_assert_uint_eq(stream.begun, 1);
    ck_assert_uint_eq(stream.ended, 1);
    ck_assert_uint_eq(stream.len, 10);
    ck_assert_mem_eq(stream.data, "0123456789", 10);
    ck_assert_uint_eq(stream.ask->uid, 1); /* what is around the body is in the answer */
    await_ask(ask_stream(world, &unwanted), IMAP_OK);
    ck_assert_uint_eq(unwanted.begun, 1);
    ck_assert_uint_eq(unwanted.len + unwanted.ended, 0);
    world_free(world);
}
END_TEST

START_TEST(cancelling_within_a_body)
{
    struct world *world = connected();
    struct stream stream = {.wanted = true, .cancel = true};

    do_ok(world, "SELECT", "INBOX");
    set_hook(world, send_body);
    await_ask(ask_stream(world, &stream), IMAP_CANCEL);
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(stream.ended, 0);
    ck_assert_uint_ge(stream.len, 1);
    ck_assert_uint_eq(world->lost, 0);
    world_free(world);
}
END_TEST

struct upload {
    struct ask *ask;
    unsigned calls;
    atomic_bool freed;
};

static ssize_t next_piece(void *arg, void *buf, size_t size)
{
    struct upload *upload = arg;
    size_t len = size < 100 ? size : 100;
    ck_assert(!atomic_load(&upload->freed));
    memset(buf, 'x', len);
    if (++upload->calls == 3)
        ck_assert(imap_client_cancel(upload->ask->world->client, upload->ask->call.id));
    return (ssize_t)len;
}

static void upload_done(void *arg, const struct imap_answer *answer)
{
    struct upload *upload = arg;
    atomic_store(&upload->freed, true);
    on_done(upload->ask, answer);
}

/* Takes everything, until the client has had enough. */
static bool take_literal(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                         void *arg)
{
    char bytes[65536];
    (void)tag, (void)arg;
    if (!starts(command, "APPEND"))
        return false;
    fake_send(peer, "+ go on\r\n");
    while (recv(peer->fd, bytes, sizeof(bytes), 0) > 0)
        ;
    *stop = true;
    return true;
}

/* What was announced cannot be taken back, and half a message must not be sent: the line has to go. */
START_TEST(cancelling_an_upload)
{
    struct world *world = connected();
    struct upload upload = {.ask = new_ask(world)};
    struct imap_command *command = imap_command_new("APPEND");

    set_hook(world, take_literal);
    imap_command_mailbox(command, "INBOX", 5);
    imap_command_source(command, (uint64_t)1 << 30, false, next_piece, &upload);
    upload.ask->call.done = upload_done;
    upload.ask->call.arg = &upload;
    ck_assert_int_eq(imap_client_command(world->client, &command, &upload.ask->call), IMAP_OK);
    await_ask(upload.ask, IMAP_CANCEL);
    AWAIT(world, world->lost == 1);
    ck_assert_uint_lt(upload.calls, 100000); /* of ten million */
    world_free(world);
}
END_TEST

UNIT_MAIN("client_cancel", late_in_the_queue, late_when_sent, late_while_blocking, cancelling_what_waits,
          cancelling_who_blocks, bodies_are_streamed, cancelling_within_a_body, cancelling_an_upload)
