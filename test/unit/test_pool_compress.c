/* SPDX-License-Identifier: MIT */
/* COMPRESS=DEFLATE (RFC 4978) on a pool's connections: asked for after each login, and no failure where it is refused. */
#include <unistd.h>
#include <zlib.h>

#include "imap/poolstatus.h"
#include "pool_help.h"

#define CAPS "IMAP4rev1 SASL-IR AUTH=PLAIN COMPRESS=DEFLATE"
#define LONG_TEXT 3000

/* ---- a server that speaks compressed --------------------------------------------------------------- */

struct speaker {
    struct fake_client *client;
    struct world *world;
    z_stream in, out;
};

static bool say(struct speaker *speaker, const char *text)
{
    unsigned char packed[1024];
    speaker->out.next_in = (unsigned char *)(uintptr_t)text;
    speaker->out.avail_in = (uInt)strlen(text);
    speaker->out.next_out = packed;
    speaker->out.avail_out = sizeof packed;
    if (deflate(&speaker->out, Z_SYNC_FLUSH) != Z_OK || !speaker->out.avail_out)
        return false;
    return fake_send_bytes(speaker->client, packed, sizeof packed - speaker->out.avail_out);
}

static bool answer(struct speaker *speaker, char *line)
{
    struct world *world = speaker->world;
    char text[160], *command = strchr(line, ' ');
    if (!command)
        return false;
    *command++ = '\0';
    CHANGE(world, {
        struct log_entry *entry = &world->log[world->logged++];
        entry->connection = speaker->client->index;
        snprintf(entry->command, sizeof entry->command, "packed %.60s", command);
    });
    snprintf(text, sizeof text, "* 7 EXISTS\r\n%.40s OK done\r\n", line);
    return say(speaker, text);
}

/* Lines in, answers out; false when the line has ended or was not compressed. */
static bool converse(struct speaker *speaker)
{
    unsigned char packed[4096];
    static _Thread_local char line[2 * LONG_TEXT];
    size_t len = 0;
    for (;;) {
        const ssize_t got = read(speaker->client->fd, packed, sizeof packed);
        if (got <= 0)
            return false;
        speaker->in.next_in = packed;
        speaker->in.avail_in = (uInt)got;
        while (speaker->in.avail_in) {
            speaker->in.next_out = (unsigned char *)&line[len];
            speaker->in.avail_out = 1;
            if (len == sizeof line - 1 || inflate(&speaker->in, Z_SYNC_FLUSH) != Z_OK)
                return false;
            len += !speaker->in.avail_out;
            if (len < 2 || line[len - 1] != '\n')
                continue;
            line[len - 2] = '\0';
            len = 0;
            if (!answer(speaker, line))
                return false;
        }
    }
}

static bool compresses(struct fake_client *client, const char *tag, const char *command, bool *stop,
                       void *world)
{
    struct speaker speaker = {.client = client, .world = world};
    if (strcmp(command, "COMPRESS DEFLATE") != 0)
        return false;
    *stop = true;
    if (inflateInit2(&speaker.in, -15) != Z_OK ||
        deflateInit2(&speaker.out, 6, Z_DEFLATED, -15, 8, 0) != Z_OK)
        return true;
    if (fake_ok(client, tag, "from now on"))
        (void)converse(&speaker);
    inflateEnd(&speaker.in);
    deflateEnd(&speaker.out);
    return true;
}

static bool refuses(struct fake_client *client, const char *tag, const char *command, bool *stop, void *arg)
{
    const struct world *world = arg;
    char line[80];
    *stop = false;
    if (strcmp(command, "COMPRESS DEFLATE") != 0)
        return false;
    snprintf(line, sizeof line, "%s %s\r\n", tag,
             world->places ? "BAD what?" : "NO [COMPRESSIONACTIVE] TLS does");
    return fake_send(client, line);
}

static bool hangs_up(struct fake_client *client, const char *tag, const char *command, bool *stop,
                     void *world)
{
    (void)client;
    (void)tag;
    (void)world;
    *stop = strcmp(command, "COMPRESS DEFLATE") == 0;
    return *stop;
}

/* ---- tests -------------------------------------------------------------------------------------------- */

static struct world *new_world(bool compress, const char *caps,
                               bool (*hook)(struct fake_client *, const char *, const char *, bool *, void *))
{
    struct world *world = world_new();
    world->imap.caps = caps;
    world->hook = hook;
    world->compress = compress;
    world_pool(world, 2, 10000);
    return world;
}

static struct imap_pool_status look(struct world *world)
{
    struct imap_pool_status status;
    imap_pool_status(world->pool, &status);
    return status;
}

START_TEST(each_connection_is_compressed)
{
    static char words[LONG_TEXT + 1];
    struct world *world = new_world(true, CAPS, compresses);
    memset(words, 'x', LONG_TEXT);
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    const struct imap_pool_status before = look(world);
    ck_assert(before.connections[0].compressed);
    struct ask *ask = ask_with(world, NULL, IMAP_POOL_WATCHER, 0, "ID", words);
    await_ask(ask, IMAP_OK);
    ck_assert_uint_eq(seen(world, 0, "packed ID xxx"), 1);
    const struct imap_pool_status after = look(world);
    ck_assert_uint_gt(after.sent, before.sent);
    ck_assert_uint_lt(after.sent - before.sent, LONG_TEXT / 10); /* as on the wire */

    await_ask(ask_with(world, "INBOX", 0, 5, "CHECK", NULL), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "packed CHECK"), 1);
    world_free(world);
}
END_TEST

START_TEST(a_line_dialled_again_is_compressed)
{
    struct world *world = new_world(true, CAPS, compresses);
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    fake_drop_all(world->server, true);
    AWAIT(world, seen_locked(world, 1, "COMPRESS DEFLATE") == 1);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, 1, "packed NOOP"), 1);
    ck_assert(look(world).connections[0].compressed);
    world_free(world);
}
END_TEST

/* By NO and by BAD. */
START_TEST(a_refusal_is_no_failure)
{
    struct world *world = world_new();
    world->imap.caps = CAPS;
    world->hook = refuses;
    world->compress = true;
    world->places = _i ? 9 : 0;
    world_pool(world, 1, 10000);
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert(!look(world).connections[0].compressed);
    ck_assert_uint_eq(seen(world, -1, "COMPRESS"), 1);
    ck_assert_uint_eq(world->down, 0);
    world_free(world);
}
END_TEST

START_TEST(not_asked_for)
{
    struct world *world = new_world(_i == 0, _i == 0 ? NULL : CAPS, compresses); /* not offered; not wanted */
    world_connect(world);
    await_ask(ask_noop(world, NULL, IMAP_POOL_WATCHER, 0), IMAP_OK);
    ck_assert_uint_eq(seen(world, -1, "COMPRESS"), 0);
    ck_assert(!look(world).connections[0].compressed);
    world_free(world);
}
END_TEST

START_TEST(a_line_that_ends_is_a_failure)
{
    struct world *world = new_world(true, CAPS, hangs_up);
    struct imap_error err = {0};
    ck_assert_int_eq(imap_pool_connect(world->pool, &err), IMAP_AGAIN);
    ck_assert_str_ne(err.text, "");
    world_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_compress");
    TCase *tcase = tcase_create("pool_compress");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, each_connection_is_compressed);
    tcase_add_test(tcase, a_line_dialled_again_is_compressed);
    tcase_add_loop_test(tcase, a_refusal_is_no_failure, 0, 2);
    tcase_add_loop_test(tcase, not_asked_for, 0, 2);
    tcase_add_test(tcase, a_line_that_ends_is_a_failure);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
