/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imap/message.h"
#include "mem.h"
#include "verb_args.h"

/* "UID FETCH" or its second word */
static struct imap_command *start(enum imap_by by, const char *uid_verb)
{
    return imap_command_new(by == IMAP_BY_UID ? uid_verb : uid_verb + strlen("UID "));
}

static bool is_empty(const char *items)
{
    return items[strspn(items, " ()")] == '\0';
}

/* ---- FETCH, STORE ------------------------------------------------------------------------------- */

enum imap_status imap_client_fetch(struct imap_client *client, enum imap_by by, const char *set,
                                   const char *items, const char *modifiers, struct imap_call *call)
{
    struct imap_command *command = start(by, "UID FETCH");
    imap_arg_set(command, set);
    imap_arg_list(command, items);
    if (items && is_empty(items))
        imap_command_mark_broken(command, "nothing is asked for");
    if (modifiers)
        imap_command_list(command, modifiers);
    return imap_client_command(client, &command, call);
}

/* What may stand between the brackets: quotes may hold anything. */
static bool is_section(const char *section)
{
    bool quoted = false;
    for (; *section; section++) {
        if (*section == '"')
            quoted = !quoted;
        else if (quoted && *section == '\\' && section[1])
            section++;
        else if (!quoted && strchr("[]<>", *section))
            return false;
    }
    return !quoted;
}

enum imap_status imap_client_partial(struct imap_client *client, enum imap_by by, const char *set,
                                     const char *section, uint64_t start_at, uint64_t length,
                                     struct imap_call *call)
{
    struct imap_command *command = start(by, "UID FETCH");
    imap_arg_set(command, set);
    if (!section || !is_section(section))
        imap_command_mark_broken(command, "this is not a section");
    if (length == 0 || start_at > INT64_MAX || length > INT64_MAX)
        imap_command_mark_broken(command, "this is not a part of a section");
    size_t size = strlen(section ? section : "") + 64;
    char *item = imap_xmalloc(size);
    snprintf(item, size, "BODY.PEEK[%s]<%" PRIu64 ".%" PRIu64 ">", section ? section : "", start_at, length);
    imap_command_list(command, item);
    free(item);
    return imap_client_command(client, &command, call);
}

static bool is_how(const char *how)
{
    static const char *const names[] = {"FLAGS", "FLAGS.SILENT", "X-GM-LABELS", "X-GM-LABELS.SILENT"};
    if (*how == '+' || *how == '-')
        how++;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(how, names[i]) == 0)
            return true;
    return false;
}

enum imap_status imap_client_store(struct imap_client *client, enum imap_by by, const char *set,
                                   uint64_t unchangedsince, const char *how, const char *flags,
                                   struct imap_call *call)
{
    struct imap_command *command = start(by, "UID STORE");
    imap_arg_set(command, set);
    if (unchangedsince > INT64_MAX)
        imap_command_mark_broken(command, "this is not a mod-sequence");
    if (unchangedsince != 0) {
        imap_command_open(command);
        imap_command_raw(command, "UNCHANGEDSINCE");
        imap_command_number(command, unchangedsince);
        imap_command_close(command);
    }
    if (how && is_how(how))
        imap_command_raw(command, how);
    else
        imap_command_mark_broken(command, "this is no way to store flags");
    imap_arg_list(command, flags);
    return imap_client_command(client, &command, call);
}

/* ---- COPY, MOVE, EXPUNGE ------------------------------------------------------------------------ */

static enum imap_status transfer(struct imap_client *client, enum imap_by by, const char *uid_verb,
                                 const char *set, const char *mailbox, struct imap_call *call)
{
    struct imap_command *command = start(by, uid_verb);
    imap_arg_set(command, set);
    imap_arg_mailbox(command, mailbox);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_copy(struct imap_client *client, enum imap_by by, const char *set,
                                  const char *mailbox, struct imap_call *call)
{
    return transfer(client, by, "UID COPY", set, mailbox, call);
}

enum imap_status imap_client_move(struct imap_client *client, enum imap_by by, const char *set,
                                  const char *mailbox, struct imap_call *call)
{
    return transfer(client, by, "UID MOVE", set, mailbox, call);
}

enum imap_status imap_client_expunge(struct imap_client *client, const char *uid_set, struct imap_call *call)
{
    struct imap_command *command = start(uid_set ? IMAP_BY_UID : IMAP_BY_NUMBER, "UID EXPUNGE");
    if (uid_set)
        imap_command_set(command, uid_set);
    return imap_client_command(client, &command, call);
}

/* ---- SEARCH, SORT, THREAD ----------------------------------------------------------------------- */

static bool needs_charset(const char *criteria)
{
    for (; *criteria; criteria++)
        if ((unsigned char)*criteria >= 0x80)
            return true;
    return false;
}

static void add_criteria(struct imap_command *command, const char *criteria)
{
    if (criteria)
        imap_command_criteria(command, criteria);
    else
        imap_command_mark_broken(command, "there is nothing to search for");
}

/* Where strings are UTF-8 no charset may be told (RFC 6855 3). */
static void add_search_charset(struct imap_client *client, struct imap_command *command, const char *charset,
                               const char *criteria)
{
    bool utf8 = imap_speaks_utf8(client);
    if (!charset && criteria && needs_charset(criteria))
        charset = "UTF-8";
    if (utf8 && charset && strcasecmp(charset, "UTF-8") != 0 && strcasecmp(charset, "US-ASCII") != 0)
        imap_command_mark_broken(command, "after ENABLE UTF8=ACCEPT everything is UTF-8");
    if (utf8 || !charset)
        return;
    imap_command_raw(command, "CHARSET");
    imap_arg_astring(command, charset);
}

enum imap_status imap_client_search(struct imap_client *client, enum imap_by by, const char *returns,
                                    const char *charset, const char *criteria, struct imap_call *call)
{
    struct imap_command *command = start(by, "UID SEARCH");
    if (returns) {
        imap_command_raw(command, "RETURN");
        imap_command_list(command, returns);
    }
    add_search_charset(client, command, charset, criteria);
    add_criteria(command, criteria);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_sort(struct imap_client *client, enum imap_by by, const char *keys,
                                  const char *charset, const char *criteria, struct imap_call *call)
{
    struct imap_command *command = start(by, "UID SORT");
    imap_arg_list(command, keys);
    if (keys && is_empty(keys))
        imap_command_mark_broken(command, "there is nothing to sort by");
    imap_arg_astring(command, charset ? charset : "UTF-8");
    add_criteria(command, criteria);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_thread(struct imap_client *client, enum imap_by by, const char *algorithm,
                                    const char *charset, const char *criteria, struct imap_call *call)
{
    struct imap_command *command = start(by, "UID THREAD");
    imap_arg_word(command, algorithm);
    imap_arg_astring(command, charset ? charset : "UTF-8");
    add_criteria(command, criteria);
    return imap_client_command(client, &command, call);
}
