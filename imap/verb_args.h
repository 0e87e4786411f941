/* SPDX-License-Identifier: MIT */
/*
 * verb_args: the arguments of verbs, checked. What is missing or cannot be sent breaks the command, which is
 * then refused with IMAP_USAGE and never sent. Strings may be NULL.
 */
#ifndef IMAP_VERB_ARGS_H
#define IMAP_VERB_ARGS_H

#include "client_verb.h"
#include "cmd.h"

void imap_arg_mailbox(struct imap_command *command, const char *mailbox);
void imap_arg_astring(struct imap_command *command, const char *str);
/* An atom without brackets, wildcards and the like: the name of a capability, a resource, an algorithm. */
void imap_arg_word(struct imap_command *command, const char *word);
/* Never an atom (RFC 3501 string). */
void imap_arg_string(struct imap_command *command, const char *str);
void imap_arg_set(struct imap_command *command, const char *set);
void imap_arg_list(struct imap_command *command, const char *items); /* may be "" */
bool imap_is_word(const char *word, size_t len);
/* Whether strings hold UTF-8 on this connection. */
bool imap_speaks_utf8(struct imap_client *client);

#endif
