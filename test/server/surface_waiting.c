/* SPDX-License-Identifier: MIT */
/* The surface: being told (IDLE, NOTIFY), and many commands at once. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "surface.h"

/* ---- another session that changes the mailbox --------------------------------------------------------- */

struct meddler {
    pthread_t thread;
    const char *box;
    unsigned count;
};

static void *meddle(void *arg)
{
    struct meddler *meddler = arg;
    struct imap_client *client = surface_connect_as(surface_server.user);
    const struct imap_upload upload = {.data = "a: b\r\n\r\n", .size = 8, .fd = -1};
    const struct imap_upload several[3] = {upload, upload, upload};
    ck_assert_int_eq(imap_client_append(client, meddler->box, several, meddler->count, NULL), IMAP_OK);
    imap_client_free(&client);
    return NULL;
}

static void start_meddling(struct meddler *meddler)
{
    ck_assert_int_eq(pthread_create(&meddler->thread, NULL, meddle, meddler), 0);
}

static void end_meddling(struct meddler *meddler)
{
    pthread_join(meddler->thread, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- IDLE --------------------------------------------------------------------------------------------- */

SURFACE_TEST(idle_until_change)
{
    surface_make(s);
    struct meddler meddler = {.box = s->box, .count = 1};
    start_meddling(&meddler);
    const struct imap_answer *answer = DID(s, idle, 30000);
    ck_assert_uint_eq(surface_first(answer, IMAP_RESP_EXISTS)->number, 1);
    end_meddling(&meddler);
    DID(s, noop);
}

SURFACE_TEST(idle_until_time)
{
    surface_make(s);
    uint64_t begin = now_ms();
    const struct imap_answer *answer = DID(s, idle, 250);
    uint64_t took = now_ms() - begin;
    ck_assert_uint_ge(took, 240);
    ck_assert_uint_lt(took, 10000);
    ck_assert_uint_eq(imap_answer_count(answer), 0);
    surface_row(s, "idle until time");
}

/* Another verb ends IDLE by itself, and it goes on afterwards. */
struct idling {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    unsigned responses, exists, done, begun;
    enum imap_status status;
};

static void idling_init(struct idling *idling)
{
    memset(idling, 0, sizeof *idling);
    pthread_mutex_init(&idling->lock, NULL);
    pthread_cond_init(&idling->changed, NULL);
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct idling *idling = arg;
    pthread_mutex_lock(&idling->lock);
    idling->responses++;
    if (response->type == IMAP_RESP_EXISTS)
        idling->exists = response->number;
    pthread_cond_broadcast(&idling->changed);
    pthread_mutex_unlock(&idling->lock);
}

static void on_end(void *arg, const struct imap_answer *answer)
{
    struct idling *idling = arg;
    pthread_mutex_lock(&idling->lock);
    idling->done++;
    idling->status = imap_answer_status(answer);
    pthread_cond_broadcast(&idling->changed);
    pthread_mutex_unlock(&idling->lock);
}

#define AWAIT(idling, condition)                                                                             \
    do {                                                                                                     \
        struct timespec until_;                                                                              \
        int rc_ = 0;                                                                                         \
        clock_gettime(CLOCK_REALTIME, &until_);                                                              \
        until_.tv_sec += 30;                                                                                 \
        pthread_mutex_lock(&(idling)->lock);                                                                 \
        while (!(condition) && rc_ == 0)                                                                     \
            rc_ = pthread_cond_timedwait(&(idling)->changed, &(idling)->lock, &until_);                      \
        bool held_ = (condition);                                                                            \
        pthread_mutex_unlock(&(idling)->lock);                                                               \
        ck_assert_msg(held_, "never: %s", #condition);                                                       \
    } while (0)

static void cancel_on_exists(void *arg, const struct imap_response *response)
{
    struct surface *s = arg;
    if (response->type == IMAP_RESP_EXISTS)
        imap_client_cancel(s->client, s->call.id);
}

SURFACE_TEST(idle_until_cancelled)
{
    surface_make(s);
    struct meddler meddler = {.box = s->box, .count = 1};
    start_meddling(&meddler);
    s->arg = s;
    s->hooks = (struct imap_call){.response = cancel_on_exists};
    EXPECT(s, IMAP_CANCEL, idle, 0);
    surface_row(s, "idle with each response");
    end_meddling(&meddler);
    DID(s, noop);
}

SURFACE_TEST(idle_goes_on)
{
    if (!s->callback)
        return;
    struct idling idling;
    idling_init(&idling);
    surface_make(s);
    struct imap_call call = {.done = on_end, .response = on_response, .arg = &idling};
    ck_assert_int_eq(imap_client_idle(s->client, 0, &call), IMAP_OK);
    struct meddler meddler = {.box = s->box, .count = 1};
    start_meddling(&meddler);
    AWAIT(&idling, idling.exists == 1);
    end_meddling(&meddler);

    const struct imap_answer *answer = DID(s, fetch, IMAP_BY_UID, "1", "FLAGS", NULL);
    ck_assert_ptr_nonnull(imap_answer_message(answer, 1));
    start_meddling(&meddler);
    AWAIT(&idling, idling.exists == 2);
    end_meddling(&meddler);
    ck_assert_uint_eq(idling.done, 0);

    ck_assert(imap_client_cancel(s->client, call.id));
    AWAIT(&idling, idling.done == 1);
    ck_assert_int_eq(idling.status, IMAP_CANCEL);
    ck_assert(!imap_client_cancel(s->client, call.id));
    DID(s, noop);
    surface_row(s, "idle goes on after other verbs");
    imap_call_fini(&call);
}

/* imaplib 3.14: an iterator, and a burst. */
SURFACE_TEST(idle_iterated)
{
    struct imap_idle *idle = NULL;
    struct imap_error err = {0};
    const struct imap_response *response = NULL;
    bool seen = false;
    if (s->callback)
        return;
    surface_make(s);
    ck_assert_msg(imap_idle_begin(s->client, 30000, &idle, &err) == IMAP_OK, "%s", err.text);
    ck_assert_int_eq(imap_idle_next(idle, 50, &response, &err), IMAP_AGAIN);
    ck_assert_int_eq(err.sys_errno, ETIMEDOUT);
    struct meddler meddler = {.box = s->box, .count = 3};
    start_meddling(&meddler);
    while (!seen) {
        ck_assert_msg(imap_idle_next(idle, UINT_MAX, &response, &err) == IMAP_OK, "%s", err.text);
        ck_assert_ptr_nonnull(response);
        seen = response->type == IMAP_RESP_EXISTS && response->number == 3;
    }
    end_meddling(&meddler);
    enum imap_status status;
    while ((status = imap_idle_next(idle, 0, &response, &err)) == IMAP_OK) /* the burst */
        ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(status, IMAP_AGAIN);
    ck_assert_int_eq(imap_idle_end(&idle, &err), IMAP_OK);
    ck_assert_ptr_null(idle);
    surface_direct("idle burst");

    ck_assert_int_eq(imap_idle_begin(s->client, 200, &idle, &err), IMAP_OK);
    while ((status = imap_idle_next(idle, UINT_MAX, &response, &err)) == IMAP_OK && response)
        ;
    ck_assert_msg(status == IMAP_OK, "%s", err.text);
    ck_assert_int_eq(imap_idle_end(&idle, &err), IMAP_OK);
    DID(s, noop);
    surface_direct("idle iterated");
}

/* ---- NOTIFY ------------------------------------------------------------------------------------------- */

static void on_untagged(void *arg, const struct imap_response *response)
{
    struct idling *idling = arg;
    pthread_mutex_lock(&idling->lock);
    idling->responses += response->type == IMAP_RESP_LIST || response->type == IMAP_RESP_STATUS;
    pthread_cond_broadcast(&idling->changed);
    pthread_mutex_unlock(&idling->lock);
}

SURFACE_TEST(notify)
{
    struct idling told;
    idling_init(&told);
    struct imap_client_options options = {.events = {.untagged = on_untagged, .arg = &told}};
    imap_client_free(&s->client);
    s->client = surface_connect(&options);
    if (!imap_client_has(s->client, "NOTIFY")) {
        ck_assert(surface_is_cyrus);
        EXPECT(s, IMAP_NO, notify, false, "(personal (MailboxName))");
        return;
    }
    surface_make(s);
    DID(s, notify, false,
        "(selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge MailboxName))");
    AWAIT(&told, told.responses == 0);
    struct imap_client *other = surface_connect_as(surface_server.user);
    char name[64];
    snprintf(name, sizeof name, "%s/child", s->box);
    ck_assert_int_eq(imap_client_create(other, name, NULL, NULL), IMAP_OK);
    imap_client_free(&other);
    AWAIT(&told, told.responses > 0);
    DID(s, noop); /* what was told has been kept by then */
    struct imap_answer *unasked = imap_client_unsolicited(s->client);
    ck_assert_ptr_nonnull(unasked);
    imap_answer_unref(&unasked);
    DID(s, notify, false, NULL);
    imap_client_free(&s->client);
    s->client = surface_connect_as(surface_server.user);
}

/* ---- many at once: imaplib2 --------------------------------------------------------------------------- */

#define MANY 200u

struct many {
    struct idling all;
    unsigned wrong;    /* guarded by all.lock */
    unsigned last_uid; /* of the answers so far: they come in order */
    struct imap_call calls[MANY];
};

static void on_one(void *arg, const struct imap_answer *answer)
{
    struct many *many = arg;
    size_t count;
    char wanted[64];
    pthread_mutex_lock(&many->all.lock);
    uint32_t uid = many->last_uid % 20 + 1;
    many->last_uid++;
    const struct imap_fetch *got = imap_answer_message(answer, uid);
    imap_answer_messages(answer, &count);
    snprintf(wanted, sizeof wanted, "body %u\r\n", uid);
    const struct imap_section *text = got ? imap_fetch_section(got, IMAP_SECTION_BODY, "TEXT") : NULL;
    if (imap_answer_status(answer) != IMAP_OK || count != 1 || !text || strcmp(text->data, wanted) != 0)
        many->wrong++;
    many->all.done++;
    pthread_cond_broadcast(&many->all.changed);
    pthread_mutex_unlock(&many->all.lock);
}

SURFACE_TEST(many_at_once)
{
    if (!s->callback)
        return;
    struct many *many = calloc(1, sizeof *many);
    ck_assert_ptr_nonnull(many);
    idling_init(&many->all);
    surface_make(s);
    surface_fill(s, 20);
    for (unsigned i = 0; i < MANY; i++) {
        char set[16];
        snprintf(set, sizeof set, "%u", i % 20 + 1);
        many->calls[i] = (struct imap_call){.done = on_one, .arg = many};
        ck_assert_int_eq(
            imap_client_fetch(s->client, IMAP_BY_UID, set, "BODY.PEEK[TEXT]", NULL, &many->calls[i]),
            IMAP_OK);
    }
    AWAIT(&many->all, many->all.done == MANY);
    ck_assert_uint_eq(many->wrong, 0);
    surface_row(s, "many in flight");
    free(many);
}

/* What changes the state drains what is before and holds what is after. */
SURFACE_TEST(in_order)
{
    if (!s->callback)
        return;
    char second[64];
    struct many *many = calloc(1, sizeof *many);
    ck_assert_ptr_nonnull(many);
    idling_init(&many->all);
    snprintf(second, sizeof second, "%s/second", s->box);
    surface_make(s);
    surface_fill(s, 1);
    DID(s, create, second, NULL);
    struct imap_call fetch = {.done = on_one, .arg = many}, select = {.done = on_end, .arg = &many->all},
                     status = {.done = on_end, .arg = &many->all};
    ck_assert_int_eq(imap_client_fetch(s->client, IMAP_BY_UID, "1", "BODY.PEEK[TEXT]", NULL, &fetch),
                     IMAP_OK);
    ck_assert_int_eq(imap_client_select(s->client, second, 0, &select), IMAP_OK);
    ck_assert_int_eq(imap_client_status(s->client, s->box, "MESSAGES", &status), IMAP_OK);
    size_t count;
    imap_answer_messages(DID(s, fetch, IMAP_BY_UID, "1:*", "FLAGS", NULL), &count);
    ck_assert_uint_eq(count, 0); /* the second mailbox is empty */
    AWAIT(&many->all, many->all.done == 3);
    ck_assert_uint_eq(many->wrong, 0); /* and the first fetch was about the first */
    surface_row(s, "state changes in order");
    free(many);
}

SURFACE_TEST(cancelled_and_late)
{
    struct idling idling;
    idling_init(&idling);
    surface_make(s);
    struct imap_call call = {.done = on_end, .response = on_response, .arg = &idling, .timeout_ms = 200};
    ck_assert_int_eq(imap_client_idle(s->client, 0, &call), IMAP_OK);
    AWAIT(&idling, idling.done == 1);
    ck_assert_msg(idling.status != IMAP_OK, "an IDLE without end ended well");
    DID(s, noop);
    surface_row(s, "deadline");
    imap_call_fini(&call);

    idling.done = 0;
    call = (struct imap_call){.done = on_end, .response = on_response, .arg = &idling};
    ck_assert_int_eq(imap_client_idle(s->client, 0, &call), IMAP_OK);
    imap_client_free(&s->client); /* fails it, once */
    ck_assert_uint_eq(idling.done, 1);
    ck_assert_int_eq(idling.status, IMAP_CANCEL);
    surface_row(s, "pending verbs fail once");
    imap_call_fini(&call);
    s->client = surface_connect_as(surface_server.user);
}

void surface_waiting(TCase *cases)
{
    surface_add(cases, idle_until_change);
    surface_add(cases, idle_until_time);
    surface_add(cases, idle_until_cancelled);
    surface_add(cases, idle_goes_on);
    surface_add(cases, idle_iterated);
    surface_add(cases, notify);
    surface_add(cases, many_at_once);
    surface_add(cases, in_order);
    surface_add(cases, cancelled_and_late);
}
