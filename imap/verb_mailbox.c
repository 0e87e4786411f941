/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap/mailbox.h"
#include "verb_args.h"

/* ---- SELECT ------------------------------------------------------------------------------------- */

#define SELECT_FLAGS (IMAP_SELECT_READ_ONLY | IMAP_SELECT_MUST_WRITE | IMAP_SELECT_CONDSTORE)

static enum imap_status refuse_read_only(struct imap_client *client, const struct imap_result *result,
                                         struct imap_error *err)
{
    char name[IMAP_MAILBOX_NAME_MAX];
    struct imap_selected selected;
    (void)result;
    if (!imap_client_selected(client, &selected, name) || !selected.read_only)
        return IMAP_OK;
    imap_error_set(err, IMAP_NO, "SELECT: the server lets this mailbox only be read");
    err->code = IMAP_CODE_READ_ONLY;
    return IMAP_NO;
}

static struct imap_command *start_select(const char *mailbox, unsigned flags)
{
    bool read_only = flags & IMAP_SELECT_READ_ONLY;
    struct imap_command *command = imap_command_new(read_only ? "EXAMINE" : "SELECT");
    imap_arg_mailbox(command, mailbox);
    if (flags & ~SELECT_FLAGS)
        imap_command_mark_broken(command, "unknown flags");
    if (read_only && (flags & IMAP_SELECT_MUST_WRITE))
        imap_command_mark_broken(command, "read-only and to be written");
    return command;
}

static enum imap_status select_it(struct imap_client *client, struct imap_command *command, unsigned flags,
                                  struct imap_call *call)
{
    if (flags & IMAP_SELECT_MUST_WRITE)
        return imap_client_command_judged(client, &command, refuse_read_only, call);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_select(struct imap_client *client, const char *mailbox, unsigned flags,
                                    struct imap_call *call)
{
    struct imap_command *command = start_select(mailbox, flags);
    if (flags & IMAP_SELECT_CONDSTORE)
        imap_command_raw(command, "(CONDSTORE)");
    return select_it(client, command, flags, call);
}

/* RFC 7162 7, known-uids: a set without "*" (and not "$") */
static bool is_known_set(const char *known)
{
    return *known && strspn(known, "0123456789:,") == strlen(known);
}

enum imap_status imap_client_select_qresync(struct imap_client *client, const char *mailbox, unsigned flags,
                                            uint32_t uidvalidity, uint64_t modseq, const char *known,
                                            struct imap_call *call)
{
    struct imap_command *command = start_select(mailbox, flags);
    if (uidvalidity == 0 || modseq == 0 || modseq > INT64_MAX)
        imap_command_mark_broken(command, "UIDVALIDITY and mod-sequence must be known");
    if (known && !is_known_set(known))
        imap_command_mark_broken(command, "this is not a set of known UIDs");
    imap_command_open(command);
    if (flags & IMAP_SELECT_CONDSTORE)
        imap_command_raw(command, "CONDSTORE");
    imap_command_raw(command, "QRESYNC");
    imap_command_open(command);
    imap_command_number(command, uidvalidity);
    imap_command_number(command, modseq);
    if (known)
        imap_command_set(command, known);
    imap_command_close(command);
    imap_command_close(command);
    return select_it(client, command, flags, call);
}

enum imap_status imap_client_close(struct imap_client *client, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("CLOSE");
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_unselect(struct imap_client *client, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("UNSELECT");
    return imap_client_command(client, &command, call);
}

/* ---- mailboxes ---------------------------------------------------------------------------------- */

static enum imap_status send_with_mailbox(struct imap_client *client, const char *verb, const char *mailbox,
                                          struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);
    imap_arg_mailbox(command, mailbox);
    return imap_client_command(client, &command, call);
}

/* use-attr (RFC 6154 6), perhaps several: \Archive \Sent */
static bool is_special_use(const char *text)
{
    do {
        size_t len = strcspn(text, " ");
        if (*text != '\\' || !imap_is_word(text + 1, len - 1))
            return false;
        text += len;
    } while (*text++ == ' ');
    return true;
}

enum imap_status imap_client_create(struct imap_client *client, const char *mailbox, const char *special_use,
                                    struct imap_call *call)
{
    struct imap_command *command = imap_command_new("CREATE");
    imap_arg_mailbox(command, mailbox);
    if (special_use && !is_special_use(special_use))
        imap_command_mark_broken(command, "this is not a special use");
    if (special_use) {
        imap_command_open(command);
        imap_command_raw(command, "USE");
        imap_command_list(command, special_use);
        imap_command_close(command);
    }
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_delete(struct imap_client *client, const char *mailbox, struct imap_call *call)
{
    return send_with_mailbox(client, "DELETE", mailbox, call);
}

enum imap_status imap_client_rename(struct imap_client *client, const char *from, const char *to,
                                    struct imap_call *call)
{
    struct imap_command *command = imap_command_new("RENAME");
    imap_arg_mailbox(command, from);
    imap_arg_mailbox(command, to);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_subscribe(struct imap_client *client, const char *mailbox,
                                       struct imap_call *call)
{
    return send_with_mailbox(client, "SUBSCRIBE", mailbox, call);
}

enum imap_status imap_client_unsubscribe(struct imap_client *client, const char *mailbox,
                                         struct imap_call *call)
{
    return send_with_mailbox(client, "UNSUBSCRIBE", mailbox, call);
}

/* ---- LIST and STATUS ---------------------------------------------------------------------------- */

static enum imap_status send_list(struct imap_client *client, const char *verb, const char *reference,
                                  const char *pattern, struct imap_call *call)
{
    struct imap_command *command = imap_command_new(verb);
    imap_arg_mailbox(command, reference);
    imap_arg_mailbox(command, pattern);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_list(struct imap_client *client, const char *reference, const char *pattern,
                                  struct imap_call *call)
{
    return send_list(client, "LIST", reference, pattern, call);
}

enum imap_status imap_client_lsub(struct imap_client *client, const char *reference, const char *pattern,
                                  struct imap_call *call)
{
    return send_list(client, "LSUB", reference, pattern, call);
}

enum imap_status imap_client_list_extended(struct imap_client *client, const char *selection,
                                           const char *reference, const char *const *patterns, size_t count,
                                           const char *options, struct imap_call *call)
{
    struct imap_command *command = imap_command_new("LIST");
    if (selection)
        imap_command_list(command, selection);
    imap_arg_mailbox(command, reference);
    if (count == 0)
        imap_command_mark_broken(command, "a pattern is needed");
    if (count > 1)
        imap_command_open(command);
    for (size_t i = 0; i < count; i++)
        imap_arg_mailbox(command, patterns[i]);
    if (count > 1)
        imap_command_close(command);
    if (options) {
        imap_command_raw(command, "RETURN");
        imap_command_list(command, options);
    }
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_status(struct imap_client *client, const char *mailbox, const char *items,
                                    struct imap_call *call)
{
    struct imap_command *command = imap_command_new("STATUS");
    imap_arg_mailbox(command, mailbox);
    imap_arg_list(command, items);
    if (items && items[strspn(items, " ()")] == '\0')
        imap_command_mark_broken(command, "nothing is asked for");
    return imap_client_command(client, &command, call);
}
