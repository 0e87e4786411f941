/* SPDX-License-Identifier: MIT */
/*
 * admin: rights (RFC 4314), quotas (RFC 9208), metadata (RFC 5464) and its elder ANNOTATEMORE.
 *
 * Names are wire names (client.h); the responses' types stand beside each verb.
 */
#ifndef IMAP_ADMIN_H
#define IMAP_ADMIN_H

#include "imap/client.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* rights: "lrs" replaces, "+w" adds, "-w" takes away. */
enum imap_status imap_client_setacl(struct imap_client *client, const char *mailbox, const char *identifier,
                                    const char *rights, struct imap_call *call);
enum imap_status imap_client_deleteacl(struct imap_client *client, const char *mailbox,
                                       const char *identifier, struct imap_call *call);
enum imap_status imap_client_getacl(struct imap_client *client, const char *mailbox,
                                    struct imap_call *call); /* ACL */
enum imap_status imap_client_listrights(struct imap_client *client, const char *mailbox,
                                        const char *identifier, struct imap_call *call); /* LISTRIGHTS */
enum imap_status imap_client_myrights(struct imap_client *client, const char *mailbox,
                                      struct imap_call *call); /* MYRIGHTS */

struct imap_quota_limit {
    const char *resource; /* "STORAGE" (units of 1024 octets), "MESSAGE" */
    uint64_t limit;
};
enum imap_status imap_client_getquota(struct imap_client *client, const char *root,
                                      struct imap_call *call); /* QUOTA */
enum imap_status imap_client_getquotaroot(struct imap_client *client, const char *mailbox,
                                          struct imap_call *call); /* QUOTAROOT, QUOTA */
enum imap_status imap_client_setquota(struct imap_client *client, const char *root,
                                      const struct imap_quota_limit *limits, size_t count,
                                      struct imap_call *call); /* QUOTA */

struct imap_metadata_value {
    const char *entry;     /* "/private/comment" */
    const char *attribute; /* ANNOTATEMORE: "value.priv"; METADATA: NULL */
    const char *value;     /* NULL: remove it */
    size_t len;
};
/* mailbox "": the server's own. depth: "0", "1", "infinity" or NULL; maxsize 0: none. METADATA. */
enum imap_status imap_client_getmetadata(struct imap_client *client, const char *mailbox,
                                         const char *const *entries, size_t count, const char *depth,
                                         uint64_t maxsize, struct imap_call *call);
enum imap_status imap_client_setmetadata(struct imap_client *client, const char *mailbox,
                                         const struct imap_metadata_value *values, size_t count,
                                         struct imap_call *call);
/* ANNOTATEMORE: entry "/comment", attribute "value.priv" or "value". ANNOTATION. */
enum imap_status imap_client_getannotation(struct imap_client *client, const char *mailbox, const char *entry,
                                           const char *attribute, struct imap_call *call);
enum imap_status imap_client_setannotation(struct imap_client *client, const char *mailbox,
                                           const struct imap_metadata_value *values, size_t count,
                                           struct imap_call *call);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
