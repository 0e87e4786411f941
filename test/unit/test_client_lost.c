/* SPDX-License-Identifier: MIT */
/* The end of a client: the line lost, logged out, freed; and the steps of login, which may end it too. */
#include "client_help.h"

#include "fakecert.h"

/* ---- lost ------------------------------------------------------------------------------------------- */

#define PENDING 300

START_TEST(every_pending_verb_ends_once)
{
    struct world *world = connected();
    struct ask *create, *list, *unsent;

    CHANGE(world, world->held = "CREATE");
    create = ask(world, "CREATE", "x");
    list = ask(world, "LIST", "\"\" *");
    AWAIT(world, seen_locked(world, "CREATE") == 1);
    ask(world, "SELECT", "INBOX");
    unsent = ask(world, "CREATE", "y");
    for (int i = 0; i < PENDING; i++)
        ask(world, "NOOP", NULL);
    fake_drop_all(world->server, true);
    AWAIT(world, world->lost == 1);
    ck_assert_uint_eq(world->answered_at_loss, PENDING + 4);
    ck_assert_int_eq(world->why.status == IMAP_OK, false);
    ck_assert_str_ne(world->why.text, "");
    await_ask(create, IMAP_UNSURE);
    await_ask(list, IMAP_AGAIN);
    await_ask(unsent, IMAP_AGAIN);
    for (unsigned i = 0; i < world->asked; i++)
        ck_assert_uint_eq(world->asks[i].number, i);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_DEAD);
    world_free(world);
}
END_TEST

START_TEST(a_dead_client_says_so)
{
    struct world *world = connected();
    struct imap_call call = {0};
    struct imap_idle *idle;

    fake_drop_all(world->server, false);
    AWAIT(world, world->lost == 1);
    ck_assert_int_eq(do_command(world, "CREATE", "x", &call), IMAP_AGAIN);
    ck_assert_str_ne(call.error.text, "");
    ck_assert_int_eq(imap_client_logout(world->client, &call), IMAP_AGAIN);
    ck_assert_int_eq(imap_client_login(world->client, "joe", "secret", &call), IMAP_AGAIN);
    ck_assert_int_eq(imap_client_idle(world->client, 0, &call), IMAP_AGAIN);
    ck_assert_int_eq(imap_idle_begin(world->client, 0, &idle, NULL), IMAP_AGAIN);
    await_ask(ask(world, "NOOP", NULL), IMAP_AGAIN);
    ck_assert_str_eq(imap_client_welcome(world->client), "ready");
    ck_assert(imap_client_has(world->client, "IDLE")); /* what was known last */
    ck_assert_uint_eq(world->lost, 1);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

static bool say_bye(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    (void)tag, (void)arg;
    *stop = starts(command, "NOOP");
    return *stop && fake_send(peer, "* BYE [UNAVAILABLE] going down for lunch\r\n");
}

START_TEST(the_server_says_bye)
{
    struct world *world = connected();
    struct imap_call call = {0};

    set_hook(world, say_bye);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_AGAIN);
    ck_assert_msg(strstr(call.error.text, "lunch") != NULL, "%s", call.error.text);
    AWAIT(world, world->lost == 1);
    ck_assert_msg(strstr(world->why.text, "lunch") != NULL, "%s", world->why.text);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

static bool talk_nonsense(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                          void *arg)
{
    (void)tag, (void)arg;
    *stop = false;
    return starts(command, "NOOP") && fake_send(peer, "a99 OK to what nobody asked\r\n");
}

START_TEST(the_server_breaks_the_protocol)
{
    struct world *world = connected();
    struct ask *noop;

    set_hook(world, talk_nonsense);
    CHANGE(world, world->held = "NOOP");
    noop = ask(world, "NOOP", NULL);
    ask(world, "SELECT", "INBOX");
    ask(world, "NOOP", NULL);
    release(world);
    await_ask(noop, IMAP_PROTO);
    AWAIT(world, world->lost == 1);
    ck_assert_int_eq(world->why.status, IMAP_PROTO);
    ck_assert_uint_eq(world->answered_at_loss, 3);
    world_free(world);
}
END_TEST

START_TEST(the_server_falls_silent)
{
    struct world *world = world_new();

    world->options.endpoint.timeout_ms = 300;
    world_connect(world);
    CHANGE(world, world->held = "NOOP");
    ck_assert_int_eq(do_command(world, "NOOP", NULL, NULL), IMAP_AGAIN);
    AWAIT(world, world->lost == 1);
    world_free(world);
}
END_TEST

/* Verbs from within the callbacks of the loss come to the same end, after it. */
struct stubborn {
    struct world *world;
    struct imap_call call;
    unsigned tries;
    unsigned lost_at; /* tries made when `lost` came */
};

static void try_again(void *arg, const struct imap_answer *answer)
{
    struct stubborn *stubborn = arg;
    struct imap_command *command = imap_command_new("NOOP");

    ck_assert_int_ne(imap_answer_status(answer), IMAP_OK);
    if (stubborn->tries < 50)
        ck_assert_int_eq(imap_client_command(stubborn->world->client, &command, &stubborn->call), IMAP_OK);
    else
        imap_command_free(&command);
    CHANGE(stubborn->world, stubborn->tries++);
}

START_TEST(trying_again_from_callbacks)
{
    struct world *world = connected();
    struct stubborn stubborn = {.world = world, .call = {.done = try_again, .arg = &stubborn}};
    struct imap_command *command = imap_command_new("NOOP");

    CHANGE(world, world->held = "NOOP");
    ck_assert_int_eq(imap_client_command(world->client, &command, &stubborn.call), IMAP_OK);
    fake_drop_all(world->server, true);
    AWAIT(world, world->lost == 1);
    AWAIT(world, stubborn.tries == 51);
    world_free(world);
}
END_TEST

/* ---- freed ------------------------------------------------------------------------------------------ */

struct blocker {
    struct world *world;
    enum imap_status status;
};

static void *block(void *arg)
{
    struct blocker *blocker = arg;
    struct imap_call call = {0};

    blocker->status = do_command(blocker->world, "NOOP", NULL, &call);
    imap_call_fini(&call);
    return NULL;
}

START_TEST(freed_with_verbs_pending)
{
    struct world *world = connected();
    struct blocker blockers[4];
    pthread_t threads[4];
    struct stubborn stubborn = {.world = world, .call = {.done = try_again, .arg = &stubborn}};
    struct imap_command *command = imap_command_new("NOOP");
    struct ask *idle = new_ask(world);

    CHANGE(world, world->held = "NOOP");
    for (int i = 0; i < 4; i++) {
        blockers[i].world = world;
        pthread_create(&threads[i], NULL, block, &blockers[i]);
    }
    AWAIT(world, seen_locked(world, "NOOP") == 1);
    ck_assert_int_eq(imap_client_idle(world->client, 0, &idle->call), IMAP_OK);
    ask(world, "CREATE", "x");
    ask(world, "SELECT", "INBOX");
    ck_assert_int_eq(imap_client_command(world->client, &command, &stubborn.call), IMAP_OK);
    ask(world, "CREATE", "y");
    struct ask *login = new_ask(world); /* a procedure */
    ck_assert_int_eq(imap_client_compress(world->client, &login->call), IMAP_OK);
    for (;;) {
        pthread_mutex_lock(&world->client->lock);
        unsigned blocked = world->client->blocked;
        pthread_mutex_unlock(&world->client->lock);
        if (blocked == 4)
            break;
        sched_yield();
    }
    imap_client_free(&world->client);
    ck_assert_ptr_null(world->client);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(blockers[i].status, IMAP_CANCEL);
    }
    ck_assert_uint_eq(stubborn.tries, 51);
    for (unsigned i = 0; i < world->asked; i++)
        await_ask(&world->asks[i], IMAP_CANCEL);
    ck_assert_uint_eq(world->lost, 0);
    world_free(world);
}
END_TEST

START_TEST(freed_during_a_procedure)
{
    struct world *world = world_new();
    struct ask *login;

    world->options.no_login = true;
    world_connect(world);
    CHANGE(world, world->held = "AUTHENTICATE");
    login = new_ask(world);
    ck_assert_int_eq(imap_client_login_with(world->client, NULL, &login->call), IMAP_OK);
    AWAIT(world, seen_locked(world, "AUTHENTICATE") == 1);
    imap_client_free(&world->client);
    await_ask(login, IMAP_CANCEL);
    ck_assert_uint_eq(world->lost, 0);
    world_free(world);
}
END_TEST

/* ---- logged out ------------------------------------------------------------------------------------- */

START_TEST(logging_out)
{
    struct world *world = connected();
    struct imap_call call = {0};
    struct ask *before = ask(world, "NOOP", NULL);

    ck_assert_int_eq(imap_client_logout(world->client, &call), IMAP_OK);
    ck_assert_str_eq(imap_answer_text(call.answer)->text, "out");
    ck_assert_uint_eq(before->done, 1);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_LOGOUT);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_AGAIN);
    ck_assert_uint_eq(world->lost, 0);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

static bool drop_at_logout(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                           void *arg)
{
    (void)peer, (void)tag, (void)arg;
    *stop = starts(command, "LOGOUT");
    return *stop;
}

static bool bye_then_drop(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                          void *arg)
{
    (void)tag, (void)arg;
    *stop = starts(command, "LOGOUT");
    return *stop && fake_send(peer, "* BYE\r\n");
}

static bool ok_and_stay(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    (void)arg;
    *stop = false;
    if (!starts(command, "LOGOUT"))
        return false;
    fake_ok(peer, tag, "but I stay");
    fake_stall(peer);
    return true;
}

START_TEST(logging_out_of_rude_servers)
{
    bool (*const hooks[])(struct fake_client *, const char *, const char *, bool *,
                          void *) = {drop_at_logout, bye_then_drop, ok_and_stay};

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        struct world *world = connected();
        struct ask *after;
        set_hook(world, hooks[i]);
        CHANGE(world, world->held = "NOOP");
        ask(world, "NOOP", NULL);
        struct ask *logout = new_ask(world);
        ck_assert_int_eq(imap_client_logout(world->client, &logout->call), IMAP_OK);
        after = ask(world, "CREATE", "x");
        release(world);
        await_ask(logout, IMAP_OK);
        await_ask(after, IMAP_AGAIN);
        await_ask(ask(world, "NOOP", NULL), IMAP_AGAIN);
        ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_LOGOUT);
        ck_assert_uint_eq(world->lost, 0);
        ck_assert_uint_eq(seen(world, "CREATE"), 0);
        world_free(world);
    }
}
END_TEST

/* ---- steps of login --------------------------------------------------------------------------------- */

START_TEST(logging_in_by_hand)
{
    struct world *world = world_new();
    struct imap_call call = {0};
    struct ask *select;

    world->options.no_login = true;
    world_connect(world);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_NOT_AUTHENTICATED);
    ck_assert_int_eq(do_command(world, "SELECT", "INBOX", &call), IMAP_USAGE);
    ck_assert_int_eq(imap_client_login(world->client, "joe", "wrong", &call), IMAP_AUTH);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_NOT_AUTHENTICATED); /* and alive */
    CHANGE(world, world->held = "NOOP");
    ask(world, "NOOP", NULL);
    struct ask *login = new_ask(world); /* waits for NOOP ... */
    ck_assert_int_eq(imap_client_login(world->client, "joe", "secret", &login->call), IMAP_OK);
    select = ask(world, "SELECT", "INBOX"); /* ... and SELECT for it */
    release(world);
    await_ask(login, IMAP_OK);
    await_ask(select, IMAP_OK);
    ck_assert_uint_lt(login->number, select->number);
    ck_assert_int_eq(imap_client_login(world->client, "joe", "secret", &call), IMAP_USAGE);
    ck_assert_int_eq(imap_client_starttls(world->client, &call), IMAP_USAGE);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_SELECTED);
    ck_assert_uint_eq(world->lost, 0);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

START_TEST(idling_gives_way_to_procedures)
{
    struct world *world = connected();
    struct imap_call call = {0};
    struct imap_idle *idle;

    do_ok(world, "SELECT", "INBOX");
    ck_assert_int_eq(imap_idle_begin(world->client, 0, &idle, NULL), IMAP_OK);
    ck_assert_int_eq(imap_client_compress(world->client, &call), IMAP_NO); /* not offered */
    AWAIT(world, seen_locked(world, "IDLE") == 2);
    ck_assert_int_eq(imap_idle_end(&idle, NULL), IMAP_OK);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

START_TEST(a_procedure_that_takes_too_long)
{
    struct world *world = world_new();
    struct imap_call call = {.timeout_ms = 50};
    struct ask *behind;

    world->options.no_login = true;
    world_connect(world);
    CHANGE(world, world->held = "AUTHENTICATE");
    struct ask *login = new_ask(world);
    login->call.timeout_ms = 50;
    ck_assert_int_eq(imap_client_login_with(world->client, NULL, &login->call), IMAP_OK);
    behind = ask(world, "SELECT", "INBOX");
    await_ask(login, IMAP_AGAIN);
    await_ask(behind, IMAP_AGAIN);
    AWAIT(world, world->lost == 1);
    ck_assert_int_eq(do_command(world, "NOOP", NULL, &call), IMAP_AGAIN);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

START_TEST(cancelling_procedures)
{
    struct world *world = world_new();
    struct ask *waits, *running, *behind;

    world->options.no_login = true;
    world_connect(world);
    CHANGE(world, world->held = "NOOP");
    ask(world, "NOOP", NULL);
    waits = new_ask(world);
    ck_assert_int_eq(imap_client_login(world->client, "joe", "secret", &waits->call), IMAP_OK);
    ck_assert(imap_client_cancel(world->client, waits->call.id));
    await_ask(waits, IMAP_CANCEL); /* it had not begun: nothing is lost */
    CHANGE(world, world->held = "AUTHENTICATE");
    do_ok(world, "NOOP", NULL);
    ck_assert_uint_eq(world->lost, 0);
    running = new_ask(world);
    ck_assert_int_eq(imap_client_login_with(world->client, NULL, &running->call), IMAP_OK);
    behind = ask(world, "SELECT", "INBOX");
    AWAIT(world, seen_locked(world, "AUTHENTICATE") == 1);
    ck_assert(imap_client_cancel(world->client, running->call.id));
    await_ask(running, IMAP_CANCEL);
    await_ask(behind, IMAP_AGAIN);
    AWAIT(world, world->lost == 1); /* half a login cannot be taken back */
    world_free(world);
}
END_TEST

static bool step_plain(void *arg, const void *challenge, size_t len, const void **response_out,
                       size_t *len_out)
{
    unsigned *steps = arg;
    (void)challenge, (void)len;
    ++*steps;
    *response_out = "\0joe\0secret";
    *len_out = 11;
    return true;
}

START_TEST(authenticating_by_hand)
{
    struct world *world = world_new();
    struct imap_call call = {0};
    unsigned steps = 0;

    world->options.no_login = true;
    world_connect(world);
    ck_assert_int_eq(imap_client_authenticate(world->client, "PLAIN", step_plain, &steps, &call), IMAP_OK);
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(imap_client_state(world->client), IMAP_STATE_AUTHENTICATED);
    imap_call_fini(&call);
    world_free(world);
}
END_TEST

static bool cancel_and_give_up(void *arg, const void *challenge, size_t len, const void **response_out,
                               size_t *len_out)
{
    struct ask *login = arg;
    (void)challenge, (void)len, (void)response_out;
    *len_out = 0;
    ck_assert(imap_client_cancel(login->world->client, login->call.id));
    return false;
}

/* Cancelled at the very moment that it ends, with the line as it was: the next one must not feel it. */
START_TEST(cancelling_a_procedure_that_ends)
{
    struct world *world = world_new();
    struct ask *login;

    world->options.no_login = true;
    world->imap.greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n";
    world_connect(world);
    login = new_ask(world);
    ck_assert_int_eq(
        imap_client_authenticate(world->client, "PLAIN", cancel_and_give_up, login, &login->call), IMAP_OK);
    await_ask(login, IMAP_CANCEL);
    ck_assert_int_eq(imap_client_login_with(world->client, NULL, NULL), IMAP_OK);
    ck_assert_uint_eq(seen(world, "AUTHENTICATE"), 1);
    ck_assert_uint_eq(world->lost, 0);
    world_free(world);
}
END_TEST

static bool serve_starttls(struct fake_client *peer, const char *tag, const char *command, bool *stop,
                           void *arg)
{
    struct world *world = arg;
    if (!starts(command, "STARTTLS"))
        return false;
    fake_ok(peer, tag, "begin");
    *stop = !fake_start_tls(peer);
    CHANGE(world, world->imap.caps = NULL);
    return true;
}

/* The server of world_new has no certificate. */
static void serve_with(struct world *world, const struct fake_cert *cert)
{
    struct fake_options options = {.serve = world_serve, .arg = world, .cert = cert};

    fake_stop(&world->server);
    world->server = fake_start(&options);
    world->options.endpoint.port = fake_port(world->server);
}

START_TEST(starting_tls)
{
    struct world *world = world_new();
    struct fake_cert cert;
    struct imap_call call = {0};

    fake_cert_make(&cert, NULL, "127.0.0.1", -60, 3600, NULL);
    serve_with(world, &cert);
    set_hook(world, serve_starttls);
    world->options.no_login = true;
    world->options.endpoint.cafile = cert.certfile;
    world->imap.caps = "IMAP4rev1 STARTTLS AUTH=PLAIN";
    world_connect(world);
    ck_assert(!imap_client_encrypted(world->client));
    ck_assert_int_eq(imap_client_starttls(world->client, &call), IMAP_OK);
    ck_assert(imap_client_encrypted(world->client));
    ck_assert_int_eq(imap_client_starttls(world->client, &call), IMAP_USAGE);
    ck_assert_int_eq(imap_client_login_with(world->client, NULL, &call), IMAP_OK);
    ck_assert(imap_client_has(world->client, "IDLE")); /* told anew */
    ck_assert(!fake_saw_plain(world->server, "AUTHENTICATE"));
    imap_client_free(&world->client);

    world->options.endpoint.cafile = NULL; /* nobody vouches for it now */
    world->imap.caps = "IMAP4rev1 STARTTLS AUTH=PLAIN";
    world_connect(world);
    ck_assert_int_eq(imap_client_starttls(world->client, &call), IMAP_AUTH);
    AWAIT(world, world->lost == 1);
    imap_call_fini(&call);
    world_free(world);
    fake_cert_remove(&cert);
}
END_TEST

/* ---- what was said, and names ----------------------------------------------------------------------- */

struct lines {
    char text[16384];
    unsigned count;
    size_t longest;
};

static void add_line(void *arg, enum imap_trace_direction direction, const char *text)
{
    struct lines *lines = arg;
    size_t len = strlen(lines->text);

    lines->count++;
    if (strlen(text) > lines->longest)
        lines->longest = strlen(text);
    snprintf(lines->text + len, sizeof(lines->text) - len, "%c: %.200s\n",
             direction == IMAP_TRACE_CLIENT ? 'C' : 'S', text);
}

static bool send_long(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    char line[6000];
    (void)tag, (void)arg;
    *stop = false;
    if (!starts(command, "NOOP"))
        return false;
    memset(line, 'x', sizeof(line));
    return fake_send(peer, "* OK ") && fake_send_bytes(peer, line, sizeof(line)) && fake_send(peer, "\r\n") &&
           fake_ok(peer, tag, "done");
}

static void trace_line(void *arg, enum imap_trace_direction direction, const char *line, size_t len)
{
    struct lines *lines = arg;
    size_t used = strlen(lines->text);

    lines->count++;
    snprintf(lines->text + used, sizeof(lines->text) - used, "%c: %.*s\n",
             direction == IMAP_TRACE_CLIENT ? 'C' : 'S', (int)len, line);
}

START_TEST(the_trace_has_levels)
{
    for (int level = IMAP_TRACE_ALL; level <= IMAP_TRACE_COMMANDS; level++) {
        struct lines *lines = calloc(1, sizeof(*lines));
        struct imap_client_options options;
        struct imap_client *client;
        struct world *world = world_new();

        world_connect(world);
        options = world->options;
        options.no_login = true;
        options.events = (struct imap_client_events){
            .trace = trace_line, .trace_level = (enum imap_trace_level)level, .arg = lines};
        ck_assert_int_eq(imap_client_connect(&options, &client, NULL), IMAP_OK);
        ck_assert_int_eq(imap_client_capability(client, NULL), IMAP_OK);
        imap_client_free(&client);
        ck_assert_ptr_nonnull(strstr(lines->text, " CAPABILITY\n"));
        ck_assert_ptr_nonnull(strstr(lines->text, "S: a1 OK "));
        ck_assert_int_eq(strstr(lines->text, "S: * CAPABILITY ") != NULL, level == IMAP_TRACE_ALL);
        ck_assert_int_eq(strstr(lines->text, "S: * OK ready") != NULL, level == IMAP_TRACE_ALL);
        free(lines);
        world_free(world);
    }
}
END_TEST

START_TEST(the_log)
{
    struct world *world = world_new();
    struct lines *lines = calloc(1, sizeof(*lines));

    world->options.no_login = true;
    world_connect(world);
    ck_assert_int_eq(imap_client_login(world->client, "joe", "secret", NULL), IMAP_OK);
    imap_client_log(world->client, add_line, lines);
    ck_assert_ptr_eq(strstr(lines->text, "S: * OK ready\n"), lines->text);
    ck_assert_ptr_nonnull(strstr(lines->text, " LOGIN joe ***\n"));
    ck_assert_ptr_null(strstr(lines->text, "secret"));
    for (int i = 0; i < 300; i++)
        do_ok(world, "CAPABILITY", NULL);
    memset(lines, 0, sizeof(*lines));
    imap_client_log(world->client, add_line, lines);
    ck_assert_uint_eq(lines->count, 256);
    ck_assert_ptr_null(strstr(lines->text, "LOGIN"));
    set_hook(world, send_long);
    for (int i = 0; i < 40; i++)
        do_ok(world, "NOOP", NULL);
    memset(lines, 0, sizeof(*lines));
    imap_client_log(world->client, add_line, lines);
    ck_assert_uint_eq(lines->longest, IMAP_LOG_LINE_MAX);
    ck_assert_uint_lt(lines->count, 60); /* 64 KiB of them */
    ck_assert_uint_gt(lines->count, 30);
    free(lines);
    world_free(world);
}
END_TEST

static bool enable_utf8(struct fake_client *peer, const char *tag, const char *command, bool *stop, void *arg)
{
    (void)arg;
    *stop = false;
    return starts(command, "ENABLE") && fake_send(peer, "* ENABLED UTF8=ACCEPT\r\n") &&
           fake_ok(peer, tag, "enabled");
}

START_TEST(names)
{
    struct world *world = connected();
    char out[64];

    ck_assert(imap_client_name_encode(world->client, "Entw\xc3\xbcrfe & mehr", out, sizeof(out)));
    ck_assert_str_eq(out, "Entw&APw-rfe &- mehr");
    ck_assert(imap_client_name_decode(world->client, "Entw&APw-rfe", out, sizeof(out)));
    ck_assert_str_eq(out, "Entw\xc3\xbcrfe");
    ck_assert(!imap_client_name_encode(world->client, "\xff", out, sizeof(out)));
    ck_assert(!imap_client_name_decode(world->client, "&bad", out, sizeof(out)));
    set_hook(world, enable_utf8);
    do_ok(world, "ENABLE", "UTF8=ACCEPT");
    ck_assert(imap_client_name_encode(world->client, "Entw\xc3\xbcrfe & mehr", out, sizeof(out)));
    ck_assert_str_eq(out, "Entw\xc3\xbcrfe & mehr");
    ck_assert(imap_client_name_decode(world->client, "&APw-", out, sizeof(out)));
    ck_assert_str_eq(out, "&APw-");
    ck_assert(!imap_client_name_encode(world->client, "\xff", out, sizeof(out)));
    ck_assert(!imap_client_name_decode(world->client, "\xc3", out, sizeof(out)));
    ck_assert(!imap_client_name_encode(world->client, "four", out, 4));
    world_free(world);
}
END_TEST

UNIT_MAIN("client_lost", every_pending_verb_ends_once, a_dead_client_says_so, the_server_says_bye,
          the_server_breaks_the_protocol, the_server_falls_silent, trying_again_from_callbacks,
          freed_with_verbs_pending, freed_during_a_procedure, logging_out, logging_out_of_rude_servers,
          logging_in_by_hand, idling_gives_way_to_procedures, a_procedure_that_takes_too_long,
          cancelling_procedures, cancelling_a_procedure_that_ends, authenticating_by_hand, starting_tls,
          the_trace_has_levels, the_log, names)
