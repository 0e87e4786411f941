/* SPDX-License-Identifier: MIT */
#include "imap/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Terminals and logs must not be written to by a server: no control bytes, no half UTF-8 by cutting. */
static void sanitise(char *text, size_t size)
{
    size_t len = strlen(text);

    if (len + 1 == size) {
        while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
            len--;
        if (len > 0 && (unsigned char)text[len - 1] >= 0xC0)
            len--;
        text[len] = '\0';
    }
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        /* C1 controls are 0xC2 0x80..0x9F in UTF-8 */
        bool c1 = c == 0xC2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] <= 0x9F;

        if (c < 0x20 || c == 0x7F) {
            *text = '?';
        } else if (c1) {
            text[0] = '?';
            text[1] = '?';
        }
    }
}

static void fill(struct imap_error *err, enum imap_status status, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(struct imap_error *err, enum imap_status status, const char *fmt, va_list args)
{
    char text[sizeof(err->text)]; /* the arguments may point into *err */

    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    err->status = status;
    err->sys_errno = 0;
    err->code = IMAP_CODE_NONE;
    memcpy(err->text, text, sizeof(text));
}

enum imap_status imap_error_set(struct imap_error *err, enum imap_status status, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return status;
    va_start(args, fmt);
    fill(err, status, fmt, args);
    va_end(args);
    sanitise(err->text, sizeof(err->text));
    return status;
}

enum imap_status imap_error_sys(struct imap_error *err, int sys_errno, const char *fmt, ...)
{
    va_list args;
    size_t len;
    char reason[128];

    if (!err)
        return IMAP_SYS;
    va_start(args, fmt);
    fill(err, IMAP_SYS, fmt, args);
    va_end(args);
    err->sys_errno = sys_errno;
    len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror_r(sys_errno, reason, sizeof(reason)));
    sanitise(err->text, sizeof(err->text));
    return IMAP_SYS;
}

const char *imap_status_name(enum imap_status status)
{
    static const char *const names[] = {"OK",    "NO",    "GONE",   "AGAIN", "UNSURE", "AUTH",
                                        "PROTO", "LIMIT", "CANCEL", "SYS",   "USAGE"};

    return (size_t)status < COUNT(names) ? names[status] : "?";
}

const char *imap_code_name(enum imap_code code)
{
    static const char *const names[] = {
        [IMAP_CODE_NONE] = "",
        [IMAP_CODE_UNKNOWN] = "?",
        [IMAP_CODE_ALERT] = "ALERT",
        [IMAP_CODE_ALREADYEXISTS] = "ALREADYEXISTS",
        [IMAP_CODE_APPENDUID] = "APPENDUID",
        [IMAP_CODE_AUTHENTICATIONFAILED] = "AUTHENTICATIONFAILED",
        [IMAP_CODE_AUTHORIZATIONFAILED] = "AUTHORIZATIONFAILED",
        [IMAP_CODE_BADCHARSET] = "BADCHARSET",
        [IMAP_CODE_CANNOT] = "CANNOT",
        [IMAP_CODE_CAPABILITY] = "CAPABILITY",
        [IMAP_CODE_CLIENTBUG] = "CLIENTBUG",
        [IMAP_CODE_CLOSED] = "CLOSED",
        [IMAP_CODE_CONTACTADMIN] = "CONTACTADMIN",
        [IMAP_CODE_COPYUID] = "COPYUID",
        [IMAP_CODE_CORRUPTION] = "CORRUPTION",
        [IMAP_CODE_EXPIRED] = "EXPIRED",
        [IMAP_CODE_EXPUNGEISSUED] = "EXPUNGEISSUED",
        [IMAP_CODE_HASCHILDREN] = "HASCHILDREN",
        [IMAP_CODE_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
        [IMAP_CODE_INUSE] = "INUSE",
        [IMAP_CODE_LIMIT] = "LIMIT",
        [IMAP_CODE_MAILBOXID] = "MAILBOXID",
        [IMAP_CODE_METADATA] = "METADATA",
        [IMAP_CODE_MODIFIED] = "MODIFIED",
        [IMAP_CODE_NOMODSEQ] = "NOMODSEQ",
        [IMAP_CODE_NONEXISTENT] = "NONEXISTENT",
        [IMAP_CODE_NOPERM] = "NOPERM",
        [IMAP_CODE_NOTIFICATIONOVERFLOW] = "NOTIFICATIONOVERFLOW",
        [IMAP_CODE_NOTSAVED] = "NOTSAVED",
        [IMAP_CODE_OVERQUOTA] = "OVERQUOTA",
        [IMAP_CODE_PARSE] = "PARSE",
        [IMAP_CODE_PERMANENTFLAGS] = "PERMANENTFLAGS",
        [IMAP_CODE_PRIVACYREQUIRED] = "PRIVACYREQUIRED",
        [IMAP_CODE_READ_ONLY] = "READ-ONLY",
        [IMAP_CODE_READ_WRITE] = "READ-WRITE",
        [IMAP_CODE_SERVERBUG] = "SERVERBUG",
        [IMAP_CODE_TOOBIG] = "TOOBIG",
        [IMAP_CODE_TRYCREATE] = "TRYCREATE",
        [IMAP_CODE_UIDNEXT] = "UIDNEXT",
        [IMAP_CODE_UIDNOTSTICKY] = "UIDNOTSTICKY",
        [IMAP_CODE_UIDVALIDITY] = "UIDVALIDITY",
        [IMAP_CODE_UNAVAILABLE] = "UNAVAILABLE",
        [IMAP_CODE_UNKNOWN_CTE] = "UNKNOWN-CTE",
        [IMAP_CODE_UNSEEN] = "UNSEEN",
        [IMAP_CODE_USEATTR] = "USEATTR",
    };

    return (size_t)code < COUNT(names) ? names[code] : "";
}
