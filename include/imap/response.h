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

#include "imap/error.h"
#include "imap/types.h"
#include "imap/value.h"

#ifdef __cplusplus
extern "C" {
#endif

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
    /* recognised, told by .values alone (the arguments after the name) */
    IMAP_RESP_THREAD,
    IMAP_RESP_ACL,
    IMAP_RESP_LISTRIGHTS,
    IMAP_RESP_MYRIGHTS,
    IMAP_RESP_METADATA,
    IMAP_RESP_ANNOTATION
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

/* System flags (RFC 3501 2.3.2) as bits; the rest by name. */
#define IMAP_FLAG_ANSWERED 0x01u
#define IMAP_FLAG_FLAGGED 0x02u
#define IMAP_FLAG_DELETED 0x04u
#define IMAP_FLAG_SEEN 0x08u
#define IMAP_FLAG_DRAFT 0x10u
#define IMAP_FLAG_RECENT 0x20u
#define IMAP_FLAG_NEW_KEYWORDS 0x40u /* \* in PERMANENTFLAGS */

struct imap_flags {
    unsigned system;             /* IMAP_FLAG_ bits */
    const char *const *keywords; /* everything else, unknown \Flags included, as sent */
    size_t keyword_count;
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

/* addresses and ENVELOPE (RFC 3501 7.4.2); NIL is NULL everywhere. A group's start has a mailbox and
 * no host; its end has neither. */
struct imap_address {
    const char *name, *route, *mailbox, *host;
    const struct imap_address *next;
};
struct imap_envelope {
    const char *date, *subject;
    const struct imap_address *from, *sender, *reply_to, *to, *cc, *bcc;
    const char *in_reply_to, *message_id;
};

/* BODY and BODYSTRUCTURE (RFC 3501 7.4.2) */
struct imap_param {
    const char *name, *value;
    const struct imap_param *next;
};
struct imap_part {
    const char *type, *subtype; /* multipart: "multipart" and its subtype */
    const struct imap_param *params;
    const char *id, *description, *encoding;
    uint64_t size;                        /* octets */
    uint64_t lines;                       /* text and message/rfc822 only */
    const struct imap_envelope *envelope; /* message/rfc822 and message/global only */
    const struct imap_part *child;        /* first part of a multipart; the body of a message/rfc822 */
    const struct imap_part *next;         /* next sibling */
    /* extension data, NULL when absent */
    const char *md5, *disposition, *location;
    const struct imap_param *disposition_params;
    const struct imap_value *language; /* nstring or list */
};

/* FETCH (RFC 3501 7.4.2 and the extensions named) */
#define IMAP_FETCH_UID 0x0001u
#define IMAP_FETCH_FLAGS 0x0002u
#define IMAP_FETCH_INTERNALDATE 0x0004u
#define IMAP_FETCH_SIZE 0x0008u
#define IMAP_FETCH_MODSEQ 0x0010u
#define IMAP_FETCH_ENVELOPE 0x0020u
#define IMAP_FETCH_BODY 0x0040u          /* .structure, without extension data */
#define IMAP_FETCH_BODYSTRUCTURE 0x0080u /* .structure */
#define IMAP_FETCH_EMAILID 0x0100u       /* RFC 8474; or X-GM-MSGID */
#define IMAP_FETCH_THREADID 0x0200u      /* RFC 8474 (NULL for NIL); or X-GM-THRID */
#define IMAP_FETCH_SAVEDATE 0x0400u      /* RFC 8514, when not NIL */
#define IMAP_FETCH_PREVIEW 0x0800u       /* RFC 8970 (NULL for NIL) */
#define IMAP_FETCH_LABELS 0x1000u        /* X-GM-LABELS */

enum imap_section_kind {
    IMAP_SECTION_BODY,       /* BODY[spec]<origin>; also RFC822, .HEADER, .TEXT under their spec */
    IMAP_SECTION_BINARY,     /* BINARY[spec]<origin> (RFC 3516) */
    IMAP_SECTION_BINARY_SIZE /* BINARY.SIZE[spec]: only .size */
};
struct imap_section {
    enum imap_section_kind kind;
    const char *spec; /* between the brackets as sent: "" whole, "HEADER", "1.2.MIME" */
    bool has_origin;
    uint64_t origin;  /* <n> */
    bool nil;         /* the server has nothing there */
    bool streamed;    /* the bytes went to the sink, .data is NULL */
    const char *data; /* otherwise */
    uint64_t size;    /* octets, announced or present */
    const struct imap_section *next;
};
struct imap_fetch {
    uint32_t seq; /* 0 for UIDFETCH (RFC 9586) */
    uint32_t uid; /* 0 when the response does not tell */
    unsigned has; /* IMAP_FETCH_ bits */
    struct imap_flags flags;
    struct imap_date internaldate, savedate;
    uint64_t size, modseq;
    const struct imap_envelope *envelope;
    const struct imap_part *structure;
    const char *emailid, *threadid, *preview;
    const struct imap_value *labels;
    const struct imap_section *sections; /* BODY[] and the like, in the order sent */
};

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

struct imap_response {
    enum imap_response_type type;
    const char *tag;                   /* NULL for untagged */
    const char *name;                  /* of the response, upper-cased: "FETCH", "XLIST"; "" for CONTINUE */
    uint32_t number;                   /* the leading number of EXISTS, FETCH ..., else 0 */
    enum imap_response_type malformed; /* what it is by its name where its arguments make no sense: type
                                        * is UNKNOWN then; else UNKNOWN, which is 0 */
    const struct imap_value *values;   /* a LIST of what follows the name; NULL for status responses */
    const char *raw;                   /* the bytes without the final CRLF; streamed literals left out */
    size_t raw_len;
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
    };
};

#ifdef __cplusplus
}
#endif
#endif
