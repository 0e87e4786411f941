/* SPDX-License-Identifier: MIT */
/*
 * admindata: what a server says of namespaces, itself, quotas, rights and annotations.
 *
 * As in response.h everything pointed to is borrowed, strings are NUL-terminated, and mailbox names
 * are the bytes as sent.
 */
#ifndef IMAP_ADMINDATA_H
#define IMAP_ADMINDATA_H

#include "imap/value.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct imap_param;

/* NAMESPACE (RFC 2342), ID (RFC 2971) */
struct imap_namespace_entry {
    const char *prefix; /* wire bytes */
    char delimiter;     /* 0 for NIL */
    const struct imap_namespace_entry *next;
};
struct imap_namespaces {
    const struct imap_namespace_entry *personal, *other, *shared;
};

struct imap_id {
    const struct imap_param *params; /* NULL for NIL */
};

struct imap_quota_resource {
    const char *name;
    uint64_t usage, limit;
    const struct imap_quota_resource *next;
};
struct imap_quota {
    const char *root;
    const struct imap_quota_resource *resources;
};
struct imap_quotaroot {
    const char *name;               /* wire bytes of the mailbox */
    const struct imap_value *roots; /* first of a chain of astrings, or NULL */
};

/* ACL and MYRIGHTS (RFC 4314 3.6, 3.8); rights as sent, "" when there are none */
struct imap_acl_entry {
    const char *identifier; /* NULL in MYRIGHTS; "-name" takes rights away */
    const char *rights;
    const struct imap_acl_entry *next;
};
struct imap_acl {
    const char *name; /* of the mailbox */
    const struct imap_acl_entry *entries;
};
/* LISTRIGHTS (RFC 4314 3.7) */
struct imap_listrights {
    const char *name, *identifier;
    const char *required;              /* always granted */
    const struct imap_value *optional; /* first of a chain of astrings, each granted as one; or NULL */
};

/* METADATA (RFC 5464 4.4) and its elder ANNOTATION (draft-daboo-imap-annotatemore). A value may hold
 * any bytes, so value_len counts; NULL for NIL and in a METADATA that only says what has changed. */
struct imap_metadata_entry {
    const char *entry;     /* "/private/comment", "/comment" */
    const char *attribute; /* ANNOTATION: "value.priv", "size.shared"; METADATA: NULL */
    const char *value;
    size_t value_len;
    const struct imap_metadata_entry *next;
};
struct imap_metadata {
    const char *name; /* of the mailbox; "" for the server's own */
    const struct imap_metadata_entry *entries;
};

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
