/* SPDX-License-Identifier: MIT */
#include "surface.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cyrus.h"
#include "dovecot.h"

#define DEADLINE_S 30

struct test_server surface_server;
bool surface_is_cyrus, surface_is_fake;

static const char *server_name(void)
{
    if (surface_is_fake)
        return "fakeserver";
    return surface_is_cyrus ? "Cyrus" : "Dovecot";
}

/* ---- what was exercised ------------------------------------------------------------------------------ */

static void rows_path(char *path, size_t size)
{
    mkdir(SURFACE_DIR, 0777);
    snprintf(path, size, "%s/%s.rows", SURFACE_DIR, server_name());
}

/* One write a row: tests are processes of their own. */
static void write_row(const char *row, const char *way)
{
    char path[512], text[256];
    rows_path(path, sizeof path);
    int len = snprintf(text, sizeof text, "%s\t%s\t%s\n", row, server_name(), way);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    ck_assert_msg(fd >= 0 && write(fd, text, (size_t)len) == len, "cannot write %s", path);
    close(fd);
}

void surface_row(const struct surface *s, const char *row)
{
    write_row(row, s->callback ? "callback" : "blocking");
}

void surface_direct(const char *row)
{
    write_row(row, "directly");
}

/* ---- calling ----------------------------------------------------------------------------------------- */

static void on_done(void *arg, const struct imap_answer *answer)
{
    struct surface *s = arg;
    pthread_mutex_lock(&s->lock);
    if (s->done++ == 0)
        s->kept = imap_answer_ref(answer);
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
}

/* A call has one arg for all its functions: this one's is the surface, the test's own is passed on. */
static void pass_response(void *arg, const struct imap_response *response)
{
    struct surface *s = arg;
    s->wanted.response(s->arg, response);
}

static bool pass_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct surface *s = arg;
    return s->wanted.body_begin(s->arg, so_far, section);
}

static void pass_body_data(void *arg, const void *data, size_t len)
{
    struct surface *s = arg;
    s->wanted.body_data(s->arg, data, len);
}

static void pass_body_end(void *arg)
{
    struct surface *s = arg;
    s->wanted.body_end(s->arg);
}

static void forget_call(struct surface *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned done = s->done;
    s->done = 0;
    pthread_mutex_unlock(&s->lock);
    ck_assert_msg(done <= 1, "a verb ended %u times", done);
    imap_answer_unref(&s->kept);
    imap_call_fini(&s->call);
    memset(&s->call, 0, sizeof s->call);
    s->answer = NULL;
}

struct imap_call *surface_begin(struct surface *s)
{
    forget_call(s);
    s->wanted = s->hooks;
    memset(&s->hooks, 0, sizeof s->hooks);
    s->call = (struct imap_call){.done = s->callback ? on_done : NULL,
                                 .arg = s,
                                 .timeout_ms = s->wanted.timeout_ms,
                                 .response = s->wanted.response ? pass_response : NULL,
                                 .body_begin = s->wanted.body_begin ? pass_body_begin : NULL,
                                 .body_data = s->wanted.body_data ? pass_body_data : NULL,
                                 .body_end = s->wanted.body_end ? pass_body_end : NULL};
    return &s->call;
}

static void await_done(struct surface *s, const char *row)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&s->lock);
    while (s->done == 0 && rc == 0)
        rc = pthread_cond_timedwait(&s->ended, &s->lock, &until);
    unsigned done = s->done;
    pthread_mutex_unlock(&s->lock);
    ck_assert_msg(done > 0, "%s was never called back", row);
}

const struct imap_answer *surface_done(struct surface *s, const char *file, int line, const char *row,
                                       enum imap_status expected, enum imap_status returned)
{
    if (s->callback) {
        await_done(s, row);
        s->answer = s->kept;
        s->status = imap_answer_status(s->kept);
        s->error = *imap_answer_error(s->kept);
        ck_assert_msg(returned == IMAP_OK || returned == s->status,
                      "%s:%d: %s returned %s, called back with %s", file, line, row,
                      imap_status_name(returned), imap_status_name(s->status));
    } else {
        s->answer = s->call.answer;
        s->status = returned;
        s->error = s->call.error;
        ck_assert_msg(!s->answer || imap_answer_status(s->answer) == returned,
                      "%s:%d: %s returned %s, its answer is %s", file, line, row, imap_status_name(returned),
                      imap_status_name(imap_answer_status(s->answer)));
    }
    ck_assert_msg(s->status == expected, "%s:%d: %s: %s instead of %s: %s", file, line, row,
                  imap_status_name(s->status), imap_status_name(expected), s->error.text);
    ck_assert_msg(expected != IMAP_OK || s->answer, "%s:%d: %s left no answer", file, line, row);
    if (expected == IMAP_OK)
        surface_row(s, row);
    return s->answer;
}

const struct imap_response *surface_first(const struct imap_answer *answer, enum imap_response_type type)
{
    const struct imap_response *response = imap_answer_next(answer, type, NULL);
    ck_assert_msg(response, "no response of type %d among %zu", (int)type, imap_answer_count(answer));
    return response;
}

const char *surface_param(const struct imap_param *params, const char *name)
{
    for (; params; params = params->next)
        if (strcasecmp(params->name, name) == 0)
            return params->value;
    ck_abort_msg("nothing by the name of %s", name);
}

/* ---- connections and mailboxes ----------------------------------------------------------------------- */

struct imap_client *surface_connect(struct imap_client_options *options)
{
    struct imap_client *client = NULL;
    struct imap_error err = {0};
    struct imap_endpoint *endpoint = &options->endpoint;
    if (!endpoint->host && !endpoint->tunnel) {
        endpoint->host = surface_server.host;
        endpoint->tls = IMAP_TLS_NONE;
    }
    if (!endpoint->port)
        endpoint->port = endpoint->tls == IMAP_TLS_IMPLICIT ? surface_server.tls_port : surface_server.port;
    if (!endpoint->cafile)
        endpoint->cafile = surface_server.cafile;
    if (!endpoint->user)
        endpoint->user = surface_server.user;
    if (!endpoint->password)
        endpoint->password = surface_server.password;
    if (!endpoint->timeout_ms)
        endpoint->timeout_ms = DEADLINE_S * 1000;
    enum imap_status status = imap_client_connect(options, &client, &err);
    ck_assert_msg(status == IMAP_OK, "connect: %s: %s", imap_status_name(status), err.text);
    return client;
}

struct imap_client *surface_connect_as(const char *user)
{
    struct imap_client_options options = {.endpoint = {.user = user}};
    return surface_connect(&options);
}

void surface_make(struct surface *s)
{
    DID(s, create, s->box, NULL);
    DID(s, select, s->box, 0);
}

uint32_t surface_append(struct surface *s, const char *flags, const char *message)
{
    struct imap_upload upload = {.flags = flags, .data = message, .size = strlen(message), .fd = -1};
    const struct imap_text *text = imap_answer_text(DID(s, append, s->box, &upload, 1));
    ck_assert_int_eq(text->code, IMAP_CODE_APPENDUID);
    ck_assert_uint_eq(imap_seqset_size(text->to), 1);
    return text->to->ranges[0].first;
}

void surface_fill(struct surface *s, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        char message[128];
        snprintf(message, sizeof message, "From: a@example.org\r\nSubject: number %u\r\n\r\nbody %u\r\n", i,
                 i);
        ck_assert_uint_eq(surface_append(s, NULL, message), i);
    }
    DID(s, noop);
}

/* ---- running ----------------------------------------------------------------------------------------- */

void surface_run(surface_body *body, int way)
{
    struct surface s = {.callback = way == 1};
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.ended, NULL);
    snprintf(s.box, sizeof s.box, "box%ld", (long)getpid());
    if (!surface_is_fake)
        s.client = surface_connect_as(surface_server.user);
    body(&s);
    forget_call(&s);
    imap_client_free(&s.client);
    pthread_cond_destroy(&s.ended);
    pthread_mutex_destroy(&s.lock);
}

static int run_groups(surface_group *const *groups, size_t count)
{
    Suite *suite = suite_create(server_name());
    for (size_t i = 0; i < count; i++) {
        TCase *cases = tcase_create(server_name());
        tcase_set_timeout(cases, 100);
        groups[i](cases);
        suite_add_tcase(suite, cases);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A server that is not there is no reason to fail, except where everything has to be shown. */
static int skip(void)
{
    printf("SKIPPED: %s\n", surface_server.why);
    const char *ci = getenv("CI");
    return ci && strcmp(ci, "true") == 0 ? EXIT_FAILURE : 77;
}

static void forget_rows(void)
{
    char path[512];
    rows_path(path, sizeof path);
    unlink(path);
}

int surface_main_fake(surface_group *group)
{
    surface_is_fake = true;
    forget_rows();
    return run_groups(&group, 1);
}

int surface_main(bool cyrus, surface_group *const *groups, size_t count)
{
    int status = EXIT_FAILURE;
    setenv("TZ", "UTC0", 1);
    surface_is_cyrus = cyrus;
    forget_rows();
    if (cyrus ? test_cyrus_start(&surface_server) : test_dovecot_start_full(&surface_server))
        status = run_groups(groups, count);
    else if (surface_server.missing)
        status = skip();
    else
        printf("%s\n", surface_server.why);
    test_server_stop(&surface_server);
    return status;
}
