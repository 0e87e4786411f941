/* SPDX-License-Identifier: MIT */
/*
 * surface: the client library against a real server, each verb blocking and with a callback.
 *
 * A surface test is written once and run four times: on Dovecot and on Cyrus, each blocking and with
 * callbacks. One server serves the whole program; each run has a connection and a mailbox of its own. What
 * was exercised is written down, row by row of surface_rows.txt, and summed up by surface_sum.sh.
 */
#ifndef TEST_SURFACE_H
#define TEST_SURFACE_H

#include <check.h>
#include <pthread.h>

#include "imap/admin.h"
#include "imap/auth.h"
#include "imap/idle.h"
#include "imap/mailbox.h"
#include "imap/message.h"
#include "testserver.h"

struct surface {
    struct imap_client *client; /* logged in as surface_server.user, nothing selected */
    bool callback;              /* how verbs are called */
    char box[32];               /* a mailbox of this run alone; made by surface_make */
    struct imap_call hooks;     /* response, body_ and timeout_ms of the next verb; their arg is arg */
    void *arg;
    enum imap_status status; /* of the last verb */
    struct imap_error error;
    const struct imap_answer *answer; /* until the next verb */

    struct imap_call call, wanted; /* the hooks are called by way of this */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned done; /* guarded by lock */
    struct imap_answer *kept;
};

extern struct test_server surface_server;
extern bool surface_is_cyrus, surface_is_fake; /* else it is Dovecot */

/* Calls a verb in the way of this run and expects a status: the answer. With IMAP_OK the row by the verb's
 * name has been exercised. */
#define EXPECT(s, expected, verb, ...)                                                                       \
    surface_done(s, __FILE__, __LINE__, #verb, expected,                                                     \
                 imap_client_##verb((s)->client, ##__VA_ARGS__, surface_begin(s)))
#define DID(s, verb, ...) EXPECT(s, IMAP_OK, verb, ##__VA_ARGS__)

struct imap_call *surface_begin(struct surface *s);
const struct imap_answer *surface_done(struct surface *s, const char *file, int line, const char *row,
                                       enum imap_status expected, enum imap_status returned);
/* The same for what is no single verb; row as in surface_rows.txt. */
void surface_row(const struct surface *s, const char *row);
/* And for what is no verb at all, so that there is but one way to call it. */
void surface_direct(const char *row);

/* The first response of a type; fails the test when there is none. */
const struct imap_response *surface_first(const struct imap_answer *answer, enum imap_response_type type);
/* The entry of that name in a chain of parameters; fails the test when there is none. */
const char *surface_param(const struct imap_param *params, const char *name);

/* Another connection, by options that the caller may have set; where endpoint.host is NULL to the server, in the
 * clear; where endpoint.user is NULL as its first user. */
struct imap_client *surface_connect(struct imap_client_options *options);
struct imap_client *surface_connect_as(const char *user);
/* Creates s->box, selects it. */
void surface_make(struct surface *s);
/* Appends a message to s->box: its UID. */
uint32_t surface_append(struct surface *s, const char *flags, const char *message);
/* So many messages "Subject: number N", from UID 1 on. */
void surface_fill(struct surface *s, unsigned count);

typedef void surface_body(struct surface *s);
void surface_run(surface_body *body, int way);

/* A test; add it by surface_add. */
#define SURFACE_TEST(name)                                                                                   \
    static void name##_body(struct surface *s);                                                              \
    START_TEST(name)                                                                                         \
    {                                                                                                        \
        surface_run(name##_body, _i);                                                                        \
    }                                                                                                        \
    END_TEST                                                                                                 \
    static void name##_body(struct surface *s)
#define surface_add(cases, test) tcase_add_loop_test(cases, test, 0, 2)

typedef void surface_group(TCase *cases);
surface_group surface_session, surface_login, surface_mailboxes, surface_messages, surface_append_tests,
    surface_search, surface_admin, surface_waiting;
/* For main: starts the server, runs the groups, ends it. 77 when it is not installed. */
int surface_main(bool cyrus, surface_group *const *groups, size_t count);
/* The same for what neither server offers: without one, each test brings its fakeserver and connects s->client. */
int surface_main_fake(surface_group *group);

#endif
