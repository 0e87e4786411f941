/* SPDX-License-Identifier: MIT */
/*
 * fetchdata: what a server says of one message (RFC 3501 7.4.2 and the extensions named).
 *
 * As in response.h everything pointed to is borrowed, strings are NUL-terminated, and NIL is NULL.
 */
#ifndef IMAP_FETCHDATA_H
#define IMAP_FETCHDATA_H

#include "imap/types.h"
#include "imap/value.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

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

/* imaplib's ParseFlags: the flags of `FLAGS (\Seen $Junk)`, wherever that stands in a response; or of a flag
 * list alone. The keywords are put into room, of at least IMAP_FLAGS_ROOM(len) bytes. False when there are none
 * to be found, or the room is too small. */
#define IMAP_FLAGS_ROOM(len) (((len) / 2 + 2) * (sizeof(char *) + 1) + (len))
bool imap_flags_parse(const char *text, size_t len, struct imap_flags *flags_out, void *room,
                      size_t size) IMAP_CHECK;

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
#define IMAP_FETCH_EMAILID 0x0100u       /* RFC 8474 (NULL for a server's NIL); or X-GM-MSGID */
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
