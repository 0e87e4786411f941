/* SPDX-License-Identifier: MIT */
/*
 * response: what a server says, typed. One struct per response, a union by its type.
 *
 * Everything pointed to is borrowed and dies when the callback that got the response returns.
 * Strings are NUL-terminated; mailbox names are the bytes as sent (`name`, to be given back to the
 * server unchanged). Lists are NULL or have the given count.
 */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include "imap/admindata.h"
#include "imap/error.h"
#include "imap/fetchdata.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum imap_response_type {
    IMAP_RESP_UNKNOWN, /* only .raw and .values tell */
    IMAP_RESP_CONTINUE,
    /* status responses: .text; tagged when .tag is not NULL */
    IMAP_RESP_OK,
    IMAP_RESP_NO,
    IMAP_RESP_BAD,
    IMAP_RESP_BYE,
    IMAP_RESP_PREAUTH,
    /* .number */
    IMAP_RESP_EXISTS,
    IMAP_RESP_RECENT,
    IMAP_RESP_EXPUNGE,
    /* the member of the union by the same name */
    IMAP_RESP_CAPABILITY, /* .caps */
    IMAP_RESP_ENABLED,    /* .caps */
    IMAP_RESP_FLAGS,      /* .flags */
    IMAP_RESP_LIST,       /* .list */
    IMAP_RESP_LSUB,       /* .list */
    IMAP_RESP_STATUS,     /* .status */
    IMAP_RESP_SEARCH,     /* .search: in the order sent */
    IMAP_RESP_SORT,       /* .search */
    IMAP_RESP_ESEARCH,    /* .esearch */
    IMAP_RESP_VANISHED,   /* .vanished */
    IMAP_RESP_FETCH,      /* .fetch */
    IMAP_RESP_NAMESPACE,  /* .ns */
    IMAP_RESP_ID,         /* .id */
    IMAP_RESP_QUOTA,      /* .quota */
    IMAP_RESP_QUOTAROOT,  /* .quotaroot */
    IMAP_RESP_THREAD,     /* .threads: the first of the roots, NULL when there is none */
    IMAP_RESP_ACL,        /* .acl */
    IMAP_RESP_LISTRIGHTS, /* .listrights */
    IMAP_RESP_MYRIGHTS,   /* .acl, of one entry without an identifier */
    IMAP_RESP_METADATA,   /* .metadata */
    IMAP_RESP_ANNOTATION  /* .metadata */
};

/* resp-text (RFC 3501 9): the optional code with its typed arguments, and the human part. */
struct imap_text {
    enum imap_code code;
    const char *code_name;          /* as sent, NULL when there is none */
    const char *code_args;          /* everything after the name, unparsed, "" when there is nothing */
    const char *text;               /* never NULL */
    uint64_t number;                /* UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ, APPENDLIMIT value; or 0 */
    uint32_t uidvalidity;           /* APPENDUID COPYUID */
    const struct imap_seqset *from; /* COPYUID source UIDs, MODIFIED set */
    const struct imap_seqset *to;   /* APPENDUID, COPYUID destination UIDs */
    const struct imap_caps *caps;   /* CAPABILITY */
    const struct imap_flags *flags; /* PERMANENTFLAGS */
};

/* mailbox-list (RFC 3501 7.2.2, RFC 5258, RFC 6154) */
#define IMAP_MBOX_NOSELECT 0x0001u
#define IMAP_MBOX_NOINFERIORS 0x0002u
#define IMAP_MBOX_MARKED 0x0004u
#define IMAP_MBOX_UNMARKED 0x0008u
#define IMAP_MBOX_NONEXISTENT 0x0010u /* implies NOSELECT, which is then set too */
#define IMAP_MBOX_HASCHILDREN 0x0020u
#define IMAP_MBOX_HASNOCHILDREN 0x0040u
#define IMAP_MBOX_SUBSCRIBED 0x0080u
#define IMAP_MBOX_REMOTE 0x0100u
struct imap_list {
    unsigned attributes;     /* IMAP_MBOX_ bits */
    const char *special_use; /* the first of \All \Archive \Drafts \Flagged \Junk \Sent \Trash
                                 * \Important, as sent, or NULL */
    char delimiter;          /* 0 for NIL: a flat name */
    const char *name;        /* wire bytes */
    size_t name_len;
    const char *old_name;              /* OLDNAME of LIST-EXTENDED (RFC 5465 5.4, RFC 9051), or NULL */
    const struct imap_value *extended; /* extended data items, name and value alternating, or NULL */
};

/* STATUS (RFC 3501 7.2.4, RFC 7162, RFC 8438, RFC 8474, RFC 7889) */
#define IMAP_STATUS_MESSAGES 0x001u
#define IMAP_STATUS_RECENT 0x002u
#define IMAP_STATUS_UIDNEXT 0x004u
#define IMAP_STATUS_UIDVALIDITY 0x008u
#define IMAP_STATUS_UNSEEN 0x010u
#define IMAP_STATUS_DELETED 0x020u
#define IMAP_STATUS_SIZE 0x040u
#define IMAP_STATUS_HIGHESTMODSEQ 0x080u
#define IMAP_STATUS_MAILBOXID 0x100u
#define IMAP_STATUS_APPENDLIMIT 0x200u
struct imap_mailbox_status {
    const char *name; /* wire bytes */
    size_t name_len;
    unsigned has; /* IMAP_STATUS_ bits of what follows */
    uint32_t messages, recent, uidnext, uidvalidity, unseen, deleted;
    uint64_t size, highestmodseq, appendlimit;
    const char *mailboxid;
};

struct imap_search {
    const uint32_t *numbers;
    size_t count;
    uint64_t modseq; /* RFC 7162, 0 when absent */
};

/* THREAD (RFC 5256 4). A message that is not there but holds its children together has number 0. A tree may be
 * as deep as it has messages, so recursion over child is not the way to walk one that a server sent. */
struct imap_thread {
    uint32_t number;                        /* sequence number or UID, as asked for */
    const struct imap_thread *child, *next; /* the first answer to it; its next sibling */
};

/* ESEARCH (RFC 4731, RFC 5267, RFC 9394) */
struct imap_esearch {
    const char *tag; /* of the command answered, or NULL */
    bool uid;        /* numbers are UIDs */
    bool has_min, has_max, has_count, has_all, has_partial;
    uint32_t min, max, count;
    uint64_t modseq;
    const struct imap_seqset *all;     /* set even when empty if has_all */
    const struct imap_seqset *partial; /* NULL for NIL */
};

struct imap_vanished {
    bool earlier;
    const struct imap_seqset *uids;
};

struct imap_response {
    enum imap_response_type type;
    const char *tag;     /* NULL for untagged */
    const char *name;    /* of the response, upper-cased: "FETCH", "XLIST"; "" for CONTINUE */
    uint32_t number;     /* the leading number of EXISTS, FETCH ..., else 0 */
    uint32_t renumbered; /* how often EXPUNGE or VANISHED has changed what sequence numbers stand
                                        * for before this one; they mean the same where it is the same */
    enum imap_response_type malformed; /* what it is by its name where its arguments make no sense: type
                                        * is UNKNOWN then; else UNKNOWN, which is 0 */
    const struct imap_value *values;   /* a LIST of what follows the name; NULL for status responses */
    const char *raw;                   /* the bytes without the final CRLF; streamed literals left out */
    size_t raw_len;
    const size_t *streamed; /* where in raw, rising: right behind the line ends that announce them */
    size_t streamed_count;
    union {
        struct imap_text text; /* also CONTINUE */
        struct imap_caps *caps;
        struct imap_flags flags;
        struct imap_list list;
        struct imap_mailbox_status status;
        struct imap_search search;
        struct imap_esearch esearch;
        struct imap_vanished vanished;
        struct imap_fetch fetch;
        struct imap_namespaces ns;
        struct imap_id id;
        struct imap_quota quota;
        struct imap_quotaroot quotaroot;
        const struct imap_thread *threads;
        struct imap_acl acl;
        struct imap_listrights listrights;
        struct imap_metadata metadata;
    };
};

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
