/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "imap/admin.h"
#include "verb_args.h"

/* ---- rights (RFC 4314) -------------------------------------------------------------------------- */

static enum imap_status send_strings(struct imap_client *client, const char *verb, const char *mailbox,
                                     const char *identifier, const char *rights, unsigned count,
                                     struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);
    imap_arg_mailbox(command, mailbox);
    if (count > 1)
        imap_arg_astring(command, identifier);
    if (count > 2)
        imap_arg_astring(command, rights);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_setacl(struct imap_client *client, const char *mailbox, const char *identifier,
                                    const char *rights, struct imap_call *call)
{
    return send_strings(client, "SETACL", mailbox, identifier, rights, 3, call);
}

enum imap_status imap_client_deleteacl(struct imap_client *client, const char *mailbox,
                                       const char *identifier, struct imap_call *call)
{
    return send_strings(client, "DELETEACL", mailbox, identifier, NULL, 2, call);
}

enum imap_status imap_client_getacl(struct imap_client *client, const char *mailbox, struct imap_call *call)
{
    return send_strings(client, "GETACL", mailbox, NULL, NULL, 1, call);
}

enum imap_status imap_client_listrights(struct imap_client *client, const char *mailbox,
                                        const char *identifier, struct imap_call *call)
{
    return send_strings(client, "LISTRIGHTS", mailbox, identifier, NULL, 2, call);
}

enum imap_status imap_client_myrights(struct imap_client *client, const char *mailbox, struct imap_call *call)
{
    return send_strings(client, "MYRIGHTS", mailbox, NULL, NULL, 1, call);
}

/* ---- quotas (RFC 9208) -------------------------------------------------------------------------- */

static enum imap_status send_root(struct imap_client *client, const char *verb, const char *root,
                                  struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);
    imap_arg_astring(command, root);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_getquota(struct imap_client *client, const char *root, struct imap_call *call)
{
    return send_root(client, "GETQUOTA", root, call);
}

enum imap_status imap_client_getquotaroot(struct imap_client *client, const char *mailbox,
                                          struct imap_call *call)
{
    return send_strings(client, "GETQUOTAROOT", mailbox, NULL, NULL, 1, call);
}

enum imap_status imap_client_setquota(struct imap_client *client, const char *root,
                                      const struct imap_quota_limit *limits, size_t count,
                                      struct imap_call *call)
{
    struct imap_command *command = imap_command_new("SETQUOTA");
    imap_arg_astring(command, root);
    imap_command_open(command);
    for (size_t i = 0; i < count; i++) {
        imap_arg_word(command, limits[i].resource);
        if (limits[i].limit > INT64_MAX) /* number64 (RFC 9208 7) */
            imap_command_mark_broken(command, "a limit is over 2^63-1");
        imap_command_number(command, limits[i].limit);
    }
    imap_command_close(command);
    return imap_client_command(client, &command, call);
}

/* ---- METADATA (RFC 5464) ------------------------------------------------------------------------ */

/* RFC 5464 3.2: parts behind slashes, ASCII without controls and wildcards. */
static bool is_entry(const char *entry)
{
    size_t len = strlen(entry);
    if (len < 2 || entry[0] != '/' || entry[len - 1] == '/' || strstr(entry, "//"))
        return false;
    for (; *entry; entry++)
        if (*entry < ' ' || *entry == 0x7f || *entry == '*' || *entry == '%')
            return false;
    return true;
}

static void add_entry(struct imap_command *command, const char *entry)
{
    if (entry && is_entry(entry))
        imap_command_astring(command, entry, strlen(entry));
    else
        imap_command_mark_broken(command, "this is not the name of an entry");
}

static bool is_depth(const char *depth)
{
    return strcmp(depth, "0") == 0 || strcmp(depth, "1") == 0 || strcasecmp(depth, "infinity") == 0;
}

/* Options come before the mailbox: the grammar counts, the examples are corrected by errata 2785 and 2786. */
static void add_options(struct imap_command *command, const char *depth, uint64_t maxsize)
{
    if (depth && !is_depth(depth))
        imap_command_mark_broken(command, "the depth must be 0, 1 or infinity");
    if (maxsize > UINT32_MAX)
        imap_command_mark_broken(command, "the largest size is over 2^32-1");
    if (!depth && maxsize == 0)
        return;
    imap_command_open(command);
    if (maxsize != 0) {
        imap_command_raw(command, "MAXSIZE");
        imap_command_number(command, maxsize);
    }
    if (depth) {
        imap_command_raw(command, "DEPTH");
        imap_command_raw(command, depth);
    }
    imap_command_close(command);
}

enum imap_status imap_client_getmetadata(struct imap_client *client, const char *mailbox,
                                         const char *const *entries, size_t count, const char *depth,
                                         uint64_t maxsize, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("GETMETADATA");
    add_options(command, depth, maxsize);
    imap_arg_mailbox(command, mailbox);
    if (count == 0)
        imap_command_mark_broken(command, "an entry is needed");
    imap_command_open(command);
    for (size_t i = 0; i < count; i++)
        add_entry(command, entries[i]);
    imap_command_close(command);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_setmetadata(struct imap_client *client, const char *mailbox,
                                         const struct imap_metadata_value *values, size_t count,
                                         struct imap_call *call)
{
    struct imap_command *command = imap_command_new("SETMETADATA");
    imap_arg_mailbox(command, mailbox);
    if (count == 0)
        imap_command_mark_broken(command, "an entry is needed");
    imap_command_open(command);
    for (size_t i = 0; i < count; i++) {
        add_entry(command, values[i].entry);
        if (values[i].attribute)
            imap_command_mark_broken(command, "METADATA has no attributes");
        imap_command_nstring(command, values[i].value, values[i].len);
    }
    imap_command_close(command);
    return imap_client_command(client, &command, call);
}

/* ---- ANNOTATEMORE (draft-daboo-imap-annotatemore) ------------------------------------------------ */

enum imap_status imap_client_getannotation(struct imap_client *client, const char *mailbox, const char *entry,
                                           const char *attribute, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("GETANNOTATION");
    imap_arg_mailbox(command, mailbox);
    imap_arg_string(command, entry);
    imap_arg_string(command, attribute);
    return imap_client_command(client, &command, call);
}

static void add_annotation(struct imap_command *command, const struct imap_metadata_value *value)
{
    if (!value->entry || !is_entry(value->entry))
        imap_command_mark_broken(command, "this is not the name of an entry");
    if (value->value && memchr(value->value, '\0', value->len))
        imap_command_mark_broken(command, "a NUL byte cannot be sent");
    imap_arg_string(command, value->entry);
    imap_command_open(command);
    imap_arg_string(command, value->attribute);
    imap_command_nstring(command, value->value, value->len);
    imap_command_close(command);
}

enum imap_status imap_client_setannotation(struct imap_client *client, const char *mailbox,
                                           const struct imap_metadata_value *values, size_t count,
                                           struct imap_call *call)
{
    struct imap_command *command = imap_command_new("SETANNOTATION");
    imap_arg_mailbox(command, mailbox);
    if (count == 0)
        imap_command_mark_broken(command, "an entry is needed");
    if (count > 1)
        imap_command_open(command);
    for (size_t i = 0; i < count; i++)
        add_annotation(command, &values[i]);
    if (count > 1)
        imap_command_close(command);
    return imap_client_command(client, &command, call);
}
