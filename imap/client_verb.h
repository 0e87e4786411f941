/* SPDX-License-Identifier: MIT */
/*
 * client_verb: what the files that build verbs need of the client beyond imap_client_command.
 *
 * Both return as every verb does (client.h), from any thread.
 */
#ifndef IMAP_CLIENT_VERB_H
#define IMAP_CLIENT_VERB_H

#include "imap/client.h"
#include "imap/command.h"

/* Ends a verb that is not to be sent at all, with why->status (not IMAP_OK). */
enum imap_status imap_client_refuse(struct imap_client *client, struct imap_call *call,
                                    const struct imap_error *why);

/* Called on the client's thread, without locks, when the server has said OK, and before the caller hears of it:
 * may make that a failure, by returning its status with *err filled. The getters of client.h show the new
 * state. */
typedef enum imap_status imap_client_judge(struct imap_client *client, const struct imap_result *result,
                                           struct imap_error *err);
/* As imap_client_command. */
enum imap_status imap_client_command_judged(struct imap_client *client, struct imap_command **command,
                                            imap_client_judge *judge, struct imap_call *call);

#endif
