/* SPDX-License-Identifier: MIT */
/* The client's coming and going, and what it tells of the connection's state. */
#include "client_impl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "mem.h"

#define ANSWER_BYTES ((size_t)256 << 20)
#define UNSOLICITED_BYTES ((size_t)1 << 20)

static const struct imap_client_timing default_timing = {
    .idle_renew = IMAP_LINE_IDLE_RENEW,
    .idle_grace = 20,
    .idle_pause = 5000,
};

/* ---- life ------------------------------------------------------------------------------------------- */

static struct imap_client *new_client(const struct imap_client_options *options)
{
    struct imap_client *client = imap_xcalloc(1, sizeof(*client));

    imap_endpoint_copy(&options->endpoint, &client->endpoint);
    client->events = options->events;
    client->limited = options->limits != NULL;
    if (options->limits)
        client->limits = *options->limits;
    client->answer_bytes = options->answer_bytes ? options->answer_bytes : ANSWER_BYTES;
    client->options = options;
    client->timing = default_timing;
    client->wake_fd = imap_net_wake_new();
    client->cancel_fd = imap_net_wake_new();
    client->soonest = IMAP_NET_FOREVER;
    client->cancelled_last = &client->cancelled;
    imap_log_init(&client->log);
    imap_backlog_init(&client->unsolicited, UNSOLICITED_BYTES, true);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
    return client;
}

static void destroy(struct imap_client *client)
{
    imap_endpoint_fini(&client->endpoint);
    imap_log_fini(&client->log);
    imap_backlog_fini(&client->unsolicited);
    close(client->wake_fd);
    close(client->cancel_fd);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client->known.name);
    free(client);
}

static enum imap_status await_attempt(struct imap_client *client, struct imap_error *err)
{
    pthread_mutex_lock(&client->lock);
    while (!client->attempt_over)
        pthread_cond_wait(&client->changed, &client->lock);
    enum imap_status status = client->attempt;
    if (status != IMAP_OK && err)
        *err = client->attempt_error;
    pthread_mutex_unlock(&client->lock);
    return status;
}

enum imap_status imap_client_connect(const struct imap_client_options *options,
                                     struct imap_client **client_out, struct imap_error *err)
{
    enum imap_status status = imap_endpoint_check(&options->endpoint, err);

    *client_out = NULL;
    if (status != IMAP_OK)
        return status;
    struct imap_client *client = new_client(options);
    int rc = imap_net_thread(&client->thread, imap_client_main, client);
    if (rc != 0) {
        destroy(client);
        return imap_error_sys(err, rc, "starting the connection's thread");
    }
    status = await_attempt(client, err);
    if (status == IMAP_OK) {
        *client_out = client;
        return IMAP_OK;
    }
    pthread_join(client->thread, NULL);
    destroy(client);
    return status;
}

void imap_client_free(struct imap_client **client_ptr)
{
    struct imap_client *client = *client_ptr;

    if (!client)
        return;
    if (imap_client_is_own_thread(client))
        abort(); /* it would wait for itself, for ever */
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    pthread_mutex_unlock(&client->lock);
    imap_net_wake(client->wake_fd);
    imap_net_wake(client->cancel_fd);
    pthread_join(client->thread, NULL);
    pthread_mutex_lock(&client->lock);
    while (client->blocked > 0)
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
    destroy(client);
    *client_ptr = NULL;
}

/* ---- what is known ---------------------------------------------------------------------------------- */

static bool same_name(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

static bool same_selected(const struct imap_selected *one, const struct imap_selected *other)
{
    return same_name(one->name, other->name) && one->read_only == other->read_only &&
           one->exists == other->exists && one->uidvalidity == other->uidvalidity &&
           one->uidnext == other->uidnext && one->highestmodseq == other->highestmodseq &&
           one->permanent_flags == other->permanent_flags;
}

static bool same_caps(const struct imap_caps *one, const struct imap_caps *other)
{
    return one->bits == other->bits && strcmp(one->text, other->text) == 0;
}

static void keep_selected(struct imap_known *known, const struct imap_selected *selected)
{
    char *name = NULL;

    if (selected->name)
        name = imap_xstrdup(selected->name);
    free(known->name);
    known->name = name;
    known->selected = *selected;
    known->selected.name = name;
}

void imap_client_look(struct imap_client *client)
{
    static const struct imap_selected none;
    const struct imap_session *session = client->line.session;
    const struct imap_caps *enabled = imap_session_enabled(session);
    const struct imap_selected *selected = &none;
    struct imap_known *known = &client->known;
    enum imap_state state = client->logged_out ? IMAP_STATE_LOGOUT : imap_session_state(session);
    bool utf8 = imap_caps_has(enabled, IMAP_CAP_UTF8_ACCEPT) || imap_caps_has(enabled, IMAP_CAP_IMAP4REV2);

    if (state == IMAP_STATE_SELECTED)
        selected = imap_session_selected(session);
    bool new_caps = !same_caps(&known->caps, imap_session_caps(session));
    bool new_selected = !same_selected(&known->selected, selected);

    pthread_mutex_lock(&client->lock);
    known->state = state;
    known->utf8 = utf8;
    known->encrypted = client->line.encrypted;
    known->caps_known = imap_session_caps_known(session);
    if (new_caps)
        known->caps = *imap_session_caps(session);
    if (new_selected)
        keep_selected(known, selected);
    pthread_mutex_unlock(&client->lock);
}

enum imap_state imap_client_state(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    enum imap_state state = client->known.state;
    pthread_mutex_unlock(&client->lock);
    return state;
}

bool imap_client_caps(struct imap_client *client, struct imap_caps *caps_out)
{
    pthread_mutex_lock(&client->lock);
    bool known = client->known.caps_known;
    if (known)
        *caps_out = client->known.caps;
    pthread_mutex_unlock(&client->lock);
    return known;
}

bool imap_client_has(struct imap_client *client, const char *capability)
{
    pthread_mutex_lock(&client->lock);
    bool has = client->known.caps_known && imap_caps_has_name(&client->known.caps, capability);
    pthread_mutex_unlock(&client->lock);
    return has;
}

bool imap_client_encrypted(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool encrypted = client->known.encrypted;
    pthread_mutex_unlock(&client->lock);
    return encrypted;
}

const char *imap_client_welcome(const struct imap_client *client)
{
    return client->welcome;
}

bool imap_client_selected(struct imap_client *client, struct imap_selected *selected_out,
                          char name_out[IMAP_MAILBOX_NAME_MAX])
{
    bool selected = false;

    *name_out = '\0';
    *selected_out = (struct imap_selected){0};
    pthread_mutex_lock(&client->lock);
    const struct imap_known *known = &client->known;
    if (known->name) {
        size_t len = strlen(known->name);
        if (len < IMAP_MAILBOX_NAME_MAX) /* part of a name would be another mailbox's */
            memcpy(name_out, known->name, len + 1);
        *selected_out = known->selected;
        selected_out->name = name_out;
        selected = true;
    }
    pthread_mutex_unlock(&client->lock);
    return selected;
}

/* ---- names ------------------------------------------------------------------------------------------ */

static bool speaks_utf8(struct imap_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool utf8 = client->known.utf8;
    pthread_mutex_unlock(&client->lock);
    return utf8;
}

/* As it is, if it is UTF-8. */
static bool copy_utf8(const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    size_t room = 4 * len + 3;

    if (len >= size)
        return false;
    char *scratch = imap_xmalloc(room);
    bool valid = imap_utf7_encode(name, len, scratch, room);
    free(scratch);
    if (valid)
        memcpy(out, name, len + 1);
    return valid;
}

bool imap_client_name_encode(struct imap_client *client, const char *utf8, char *wire_out, size_t size)
{
    return speaks_utf8(client) ? copy_utf8(utf8, wire_out, size)
                               : imap_utf7_encode(utf8, strlen(utf8), wire_out, size);
}

bool imap_client_name_decode(struct imap_client *client, const char *wire, char *utf8_out, size_t size)
{
    return speaks_utf8(client) ? copy_utf8(wire, utf8_out, size)
                               : imap_utf7_decode(wire, strlen(wire), utf8_out, size);
}

/* ---- what was said ---------------------------------------------------------------------------------- */

struct imap_answer *imap_client_unsolicited(struct imap_client *client)
{
    struct imap_backlog taken;
    struct imap_answer *answer = NULL;

    imap_backlog_init(&taken, UNSOLICITED_BYTES, true);
    pthread_mutex_lock(&client->lock);
    imap_backlog_move(&client->unsolicited, &taken, true);
    pthread_mutex_unlock(&client->lock);
    if (taken.first)
        answer = imap_backlog_answer(&taken);
    imap_backlog_fini(&taken);
    return answer;
}

void imap_client_log(struct imap_client *client,
                     void (*line)(void *arg, enum imap_trace_direction direction, const char *text),
                     void *arg)
{
    imap_log_each(&client->log, line, arg);
}
