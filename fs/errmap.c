/* SPDX-License-Identifier: MIT */
#include "errmap.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* What the server said goes before what became of the command. */
static const struct {
    enum imap_code code;
    int error;
} by_code[] = {
    {IMAP_CODE_ALREADYEXISTS, EEXIST},
    {IMAP_CODE_AUTHENTICATIONFAILED, EACCES},
    {IMAP_CODE_AUTHORIZATIONFAILED, EACCES},
    {IMAP_CODE_CANNOT, EPERM},
    {IMAP_CODE_EXPIRED, EACCES},
    {IMAP_CODE_EXPUNGEISSUED, ENOENT},
    {IMAP_CODE_HASCHILDREN, ENOTEMPTY},
    {IMAP_CODE_INUSE, EBUSY},
    {IMAP_CODE_LIMIT, EAGAIN},
    {IMAP_CODE_MODIFIED, EAGAIN},
    {IMAP_CODE_NONEXISTENT, ENOENT},
    {IMAP_CODE_NOPERM, EACCES},
    {IMAP_CODE_OVERQUOTA, EDQUOT},
    {IMAP_CODE_PRIVACYREQUIRED, EACCES},
    {IMAP_CODE_READ_ONLY, EROFS},
    {IMAP_CODE_TOOBIG, EFBIG},
    {IMAP_CODE_TRYCREATE, ENOENT},
    {IMAP_CODE_UIDVALIDITY, ESTALE},
    {IMAP_CODE_UNAVAILABLE, EAGAIN},
};

static const struct {
    enum imap_status status;
    int error;
} by_status[] = {
    {IMAP_NO, EIO},      {IMAP_GONE, ENOENT}, {IMAP_AGAIN, EHOSTUNREACH}, {IMAP_UNSURE, EHOSTUNREACH},
    {IMAP_AUTH, EACCES}, {IMAP_PROTO, EIO},   {IMAP_LIMIT, EOVERFLOW},    {IMAP_CANCEL, EINTR},
    {IMAP_SYS, EIO},     {IMAP_USAGE, EIO},
};

/* A system error tells more than "lost" only where it is one that a reader of files can make sense of. EAGAIN: it was
 * not lost at all, but came to nothing (sync.c). */
static int by_system(const struct imap_error *err)
{
    if (err->status == IMAP_SYS)
        return err->sys_errno;
    const bool told = err->sys_errno == ETIMEDOUT || err->sys_errno == EAGAIN;
    if ((err->status == IMAP_AGAIN || err->status == IMAP_UNSURE) && told)
        return err->sys_errno;
    return 0;
}

int errmap_errno(const struct imap_error *err)
{
    if (!err || err->status == IMAP_OK)
        return 0;
    for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++) {
        if (err->code == by_code[i].code)
            return by_code[i].error;
    }
    if (by_system(err) > 0)
        return by_system(err);
    for (size_t i = 0; i < sizeof(by_status) / sizeof(by_status[0]); i++) {
        if (err->status == by_status[i].status)
            return by_status[i].error;
    }
    return EIO;
}
