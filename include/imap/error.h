/* SPDX-License-Identifier: MIT */
/*
 * error: what became of something asked of this library.
 *
 * A status names the reaction it calls for, not the layer it came from. Functions return the
 * status and describe it in a `struct imap_error` that the caller owns; a NULL error pointer
 * means that the caller does not want the description. On IMAP_OK the error is left untouched.
 * Threads: plain values, no shared state.
 */
#ifndef IMAP_ERROR_H
#define IMAP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#if defined(__GNUC__)
#define IMAP_CHECK __attribute__((warn_unused_result))
#define IMAP_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define IMAP_CHECK
#define IMAP_PRINTF(fmt, first)
#endif

enum imap_status {
    IMAP_OK = 0,
    IMAP_NO,     /* the server refused (NO or BAD): asking the same again is pointless */
    IMAP_GONE,   /* the mailbox or message asked for is no longer there */
    IMAP_AGAIN,  /* certainly not done (line lost before it was, server overloaded, deadline): retry */
    IMAP_UNSURE, /* line lost after sending a command that must not be repeated blindly */
    IMAP_AUTH,   /* credentials refused, or the peer's identity not proven */
    IMAP_PROTO,  /* the server broke the protocol */
    IMAP_LIMIT,  /* a cap of ours was exceeded */
    IMAP_CANCEL, /* the caller cancelled it */
    IMAP_SYS,    /* the operating system failed: see sys_errno */
    IMAP_USAGE   /* the caller's arguments or the session's state do not allow it; nothing was sent */
};

/* Response codes (RFC 3501 7.1, RFC 5530, RFC 9051 7.1 and the extensions named beside them). */
enum imap_code {
    IMAP_CODE_NONE = 0,
    IMAP_CODE_UNKNOWN, /* a code was there that is not in this list: its words are in imap_text.code_args */
    IMAP_CODE_ALERT,
    IMAP_CODE_ALREADYEXISTS,
    IMAP_CODE_APPENDUID, /* RFC 4315 */
    IMAP_CODE_AUTHENTICATIONFAILED,
    IMAP_CODE_AUTHORIZATIONFAILED,
    IMAP_CODE_BADCHARSET,
    IMAP_CODE_CANNOT,
    IMAP_CODE_CAPABILITY,
    IMAP_CODE_CLIENTBUG,
    IMAP_CODE_CLOSED, /* RFC 7162 */
    IMAP_CODE_CONTACTADMIN,
    IMAP_CODE_COPYUID, /* RFC 4315 */
    IMAP_CODE_CORRUPTION,
    IMAP_CODE_EXPIRED,
    IMAP_CODE_EXPUNGEISSUED,
    IMAP_CODE_HASCHILDREN,
    IMAP_CODE_HIGHESTMODSEQ, /* RFC 7162 */
    IMAP_CODE_INUSE,
    IMAP_CODE_LIMIT,
    IMAP_CODE_MAILBOXID, /* RFC 8474 */
    IMAP_CODE_METADATA,  /* RFC 5464 */
    IMAP_CODE_MODIFIED,  /* RFC 7162 */
    IMAP_CODE_NOMODSEQ,  /* RFC 7162 */
    IMAP_CODE_NONEXISTENT,
    IMAP_CODE_NOPERM,
    IMAP_CODE_NOTIFICATIONOVERFLOW, /* RFC 5465 */
    IMAP_CODE_NOTSAVED,             /* RFC 5182 */
    IMAP_CODE_OVERQUOTA,
    IMAP_CODE_PARSE,
    IMAP_CODE_PERMANENTFLAGS,
    IMAP_CODE_PRIVACYREQUIRED,
    IMAP_CODE_READ_ONLY,
    IMAP_CODE_READ_WRITE,
    IMAP_CODE_SERVERBUG,
    IMAP_CODE_TOOBIG, /* RFC 7889 */
    IMAP_CODE_TRYCREATE,
    IMAP_CODE_UIDNEXT,
    IMAP_CODE_UIDNOTSTICKY, /* RFC 4315 */
    IMAP_CODE_UIDVALIDITY,
    IMAP_CODE_UNAVAILABLE,
    IMAP_CODE_UNKNOWN_CTE, /* RFC 3516 */
    IMAP_CODE_UNSEEN,
    IMAP_CODE_USEATTR /* RFC 6154 */
};

struct imap_error {
    enum imap_status status;
    int sys_errno;       /* 0 when no system call is to blame */
    enum imap_code code; /* by a code of the server, or its words for one; else IMAP_CODE_NONE */
    char text[240];      /* one line in English, no trailing newline; server text is sanitised */
};

/* Fills *err (which may be NULL) and returns status, so that `return imap_error_set(...)` reads well. */
enum imap_status imap_error_set(struct imap_error *err, enum imap_status status, const char *fmt, ...)
    IMAP_PRINTF(3, 4);

/* As imap_error_set with status IMAP_SYS and this errno; strerror's text is appended. */
enum imap_status imap_error_sys(struct imap_error *err, int sys_errno, const char *fmt, ...)
    IMAP_PRINTF(3, 4);

/* Static strings, never NULL: "AGAIN", "OVERQUOTA". */
const char *imap_status_name(enum imap_status status);
const char *imap_code_name(enum imap_code code);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
