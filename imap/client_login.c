/* SPDX-License-Identifier: MIT */
/* The verbs that need the line for themselves: login.h's steps, run on the client's thread. */
#include <stdlib.h>
#include <string.h>

#include "client_impl.h"
#include "credentials.h"
#include "login.h"
#include "mem.h"
#include "verbs.h"

#define AFTER_LOGIN (IMAP_IN_AUTHENTICATED | IMAP_IN_SELECTED)

struct login_arg {
    struct imap_credentials credentials; /* a copy of our own */
    char *mechanism;
    imap_auth_step *step;
    void *step_arg;
};

static void free_login(void *arg)
{
    struct login_arg *login = arg;

    imap_credentials_fini(&login->credentials);
    free(login->mechanism);
    free(login);
}

static enum imap_status call_procedure(struct imap_client *client, const char *name,
                                       imap_procedure *procedure, unsigned states, struct login_arg *arg,
                                       struct imap_call *call)
{
    struct imap_entry *entry = imap_entry_new(client, IMAP_ENTRY_PROCEDURE);

    entry->name = name;
    entry->procedure = procedure;
    entry->states = states;
    entry->arg = arg;
    entry->free_arg = arg ? free_login : NULL;
    return imap_client_call(client, entry, call);
}

/* ---- logging in ------------------------------------------------------------------------------------- */

static enum imap_status log_in_plainly(struct imap_client *client, void *arg, int64_t deadline_ms,
                                       struct imap_error *err)
{
    const struct login_arg *login = arg;
    return imap_login_plainly(&client->line, login->credentials.user, login->credentials.password,
                              deadline_ms, client->cancel_fd, err);
}

enum imap_status imap_client_login(struct imap_client *client, const char *user, const char *password,
                                   struct imap_call *call)
{
    const struct imap_credentials credentials = {.user = user, .password = password};
    struct login_arg *login = imap_xcalloc(1, sizeof(*login));

    imap_credentials_copy(&credentials, &login->credentials);
    return call_procedure(client, "LOGIN", log_in_plainly, IMAP_IN_NOT_AUTHENTICATED, login, call);
}

static enum imap_status log_in_with(struct imap_client *client, void *arg, int64_t deadline_ms,
                                    struct imap_error *err)
{
    const struct login_arg *login = arg;
    return imap_login_with(&client->line, &login->credentials, deadline_ms, client->cancel_fd, err);
}

enum imap_status imap_client_login_with(struct imap_client *client,
                                        const struct imap_credentials *credentials, struct imap_call *call)
{
    const struct imap_credentials own = {.user = client->endpoint.user,
                                         .password = client->endpoint.password};
    struct login_arg *login = imap_xcalloc(1, sizeof(*login));

    imap_credentials_copy(credentials ? credentials : &own, &login->credentials);
    return call_procedure(client, "AUTHENTICATE", log_in_with, IMAP_IN_NOT_AUTHENTICATED, login, call);
}

static enum imap_status authenticate(struct imap_client *client, void *arg, int64_t deadline_ms,
                                     struct imap_error *err)
{
    const struct login_arg *login = arg;
    return imap_login_authenticate(&client->line, login->mechanism, login->step, login->step_arg, deadline_ms,
                                   client->cancel_fd, err);
}

enum imap_status imap_client_authenticate(struct imap_client *client, const char *mechanism,
                                          imap_auth_step *step, void *step_arg, struct imap_call *call)
{
    struct login_arg *login = imap_xcalloc(1, sizeof(*login));

    login->mechanism = imap_xstrdup(mechanism);
    login->step = step;
    login->step_arg = step_arg;
    return call_procedure(client, "AUTHENTICATE", authenticate, IMAP_IN_NOT_AUTHENTICATED, login, call);
}

/* ---- the line --------------------------------------------------------------------------------------- */

static enum imap_status start_tls(struct imap_client *client, void *arg, int64_t deadline_ms,
                                  struct imap_error *err)
{
    (void)arg;
    return imap_login_starttls(&client->line, deadline_ms, client->cancel_fd, err);
}

enum imap_status imap_client_starttls(struct imap_client *client, struct imap_call *call)
{
    return call_procedure(client, "STARTTLS", start_tls, IMAP_IN_NOT_AUTHENTICATED, NULL, call);
}

static enum imap_status compress(struct imap_client *client, void *arg, int64_t deadline_ms,
                                 struct imap_error *err)
{
    (void)arg;
    return imap_login_compress(&client->line, deadline_ms, client->cancel_fd, err);
}

enum imap_status imap_client_compress(struct imap_client *client, struct imap_call *call)
{
    return call_procedure(client, "COMPRESS", compress, AFTER_LOGIN, NULL, call);
}

enum imap_status imap_client_logout(struct imap_client *client, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("LOGOUT");
    return imap_client_command(client, &command, call);
}
