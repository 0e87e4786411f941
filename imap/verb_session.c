/* SPDX-License-Identifier: MIT */
/* The verbs of auth.h that neither log in nor touch the line. */
#include <string.h>

#include "imap/auth.h"
#include "verb_args.h"

/* RFC 2971 3.3 */
#define ID_PAIRS_MAX 30
#define ID_NAME_MAX 30
#define ID_VALUE_MAX 1024

static enum imap_status send_bare(struct imap_client *client, const char *verb, struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_capability(struct imap_client *client, struct imap_call *call)
{
    return send_bare(client, "CAPABILITY", call);
}

enum imap_status imap_client_noop(struct imap_client *client, struct imap_call *call)
{
    return send_bare(client, "NOOP", call);
}

enum imap_status imap_client_check(struct imap_client *client, struct imap_call *call)
{
    return send_bare(client, "CHECK", call);
}

enum imap_status imap_client_namespace(struct imap_client *client, struct imap_call *call)
{
    return send_bare(client, "NAMESPACE", call);
}

enum imap_status imap_client_proxyauth(struct imap_client *client, const char *user, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("PROXYAUTH");
    imap_arg_astring(command, user);
    if (user && !*user)
        imap_command_mark_broken(command, "a user is needed");
    return imap_client_command(client, &command, call);
}

/* ---- ENABLE (RFC 5161) -------------------------------------------------------------------------- */

static void add_capability(struct imap_client *client, struct imap_command *command, const char *word,
                           size_t len)
{
    char name[128];
    if (len >= sizeof name || !imap_is_word(word, len)) {
        imap_command_mark_broken(command, "this is not a capability");
        return;
    }
    memcpy(name, word, len);
    name[len] = '\0';
    if (!imap_client_has(client, name))
        imap_command_mark_broken(command, "the server does not offer this");
    imap_command_raw(command, name);
}

enum imap_status imap_client_enable(struct imap_client *client, const char *capabilities,
                                    struct imap_call *call)
{
    struct imap_command *command = imap_command_new("ENABLE");
    const char *at = capabilities ? capabilities + strspn(capabilities, " ") : "";
    if (!*at)
        imap_command_mark_broken(command, "a capability is needed");
    if (!imap_client_has(client, "ENABLE"))
        imap_command_mark_broken(command, "the server does not offer ENABLE");
    while (*at) {
        size_t len = strcspn(at, " ");
        add_capability(client, command, at, len);
        at += len;
        at += strspn(at, " ");
    }
    return imap_client_command(client, &command, call);
}

/* ---- ID (RFC 2971) ------------------------------------------------------------------------------ */

static void add_id(struct imap_command *command, const char *name, const char *value)
{
    if (!name || !*name || strlen(name) > ID_NAME_MAX)
        imap_command_mark_broken(command, "a name must have 1 to 30 octets");
    if (value && strlen(value) > ID_VALUE_MAX)
        imap_command_mark_broken(command, "a value must have at most 1024 octets");
    imap_arg_string(command, name);
    imap_command_nstring(command, value, value ? strlen(value) : 0);
}

enum imap_status imap_client_id(struct imap_client *client, const char *const *params, size_t count,
                                struct imap_call *call)
{
    struct imap_command *command = imap_command_new("ID");
    if (params && (count % 2 != 0 || count / 2 > ID_PAIRS_MAX))
        imap_command_mark_broken(command, "there must be at most 30 names, each with its value");
    if (params)
        imap_command_open(command);
    else
        imap_command_raw(command, "NIL");
    for (size_t i = 0; params && i + 1 < count && i / 2 < ID_PAIRS_MAX; i += 2)
        add_id(command, params[i], params[i + 1]);
    if (params)
        imap_command_close(command);
    return imap_client_command(client, &command, call);
}
