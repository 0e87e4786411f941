/* SPDX-License-Identifier: MIT */
#include "verb_args.h"

#include <string.h>

static bool is_missing(struct imap_command *command, const char *str)
{
    if (!str)
        imap_command_mark_broken(command, "an argument is missing");
    return !str;
}

void imap_arg_mailbox(struct imap_command *command, const char *mailbox)
{
    if (is_missing(command, mailbox))
        return;
    if (strpbrk(mailbox, "\r\n"))
        imap_command_mark_broken(command, "a mailbox name cannot hold a line end");
    imap_command_mailbox(command, mailbox, strlen(mailbox));
}

void imap_arg_astring(struct imap_command *command, const char *str)
{
    if (!is_missing(command, str))
        imap_command_astring(command, str, strlen(str));
}

bool imap_is_word(const char *word, size_t len)
{
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (word[i] <= ' ' || word[i] > '~' || strchr("(){%*\"\\[]", word[i]))
            return false;
    return true;
}

void imap_arg_word(struct imap_command *command, const char *word)
{
    if (is_missing(command, word))
        return;
    if (imap_is_word(word, strlen(word)))
        imap_command_raw(command, word);
    else
        imap_command_mark_broken(command, "this is not a word that can be sent");
}

void imap_arg_string(struct imap_command *command, const char *str)
{
    if (!is_missing(command, str))
        imap_command_nstring(command, str, strlen(str));
}

void imap_arg_set(struct imap_command *command, const char *set)
{
    if (!is_missing(command, set))
        imap_command_set(command, set);
}

void imap_arg_list(struct imap_command *command, const char *items)
{
    if (!is_missing(command, items))
        imap_command_list(command, items);
}

bool imap_speaks_utf8(struct imap_client *client)
{
    static const char text[] = "\xc3\xa9";
    char name[16];
    return imap_client_name_encode(client, text, name, sizeof name) && strcmp(name, text) == 0;
}
