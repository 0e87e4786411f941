/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "errmap.h"
#include "unit_main.h"

static int of(enum imap_status status, enum imap_code code, int sys_errno)
{
    struct imap_error err = {.status = status, .code = code, .sys_errno = sys_errno};

    return errmap_errno(&err);
}

START_TEST(success)
{
    ck_assert_int_eq(errmap_errno(NULL), 0);
    ck_assert_int_eq(of(IMAP_OK, IMAP_CODE_NONE, 0), 0);
}
END_TEST

START_TEST(what_the_server_said)
{
    ck_assert_int_eq(of(IMAP_GONE, IMAP_CODE_NONEXISTENT, 0), ENOENT);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_ALREADYEXISTS, 0), EEXIST);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_NOPERM, 0), EACCES);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_OVERQUOTA, 0), EDQUOT);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_TOOBIG, 0), EFBIG);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_INUSE, 0), EBUSY);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_LIMIT, 0), EAGAIN);
    ck_assert_int_eq(of(IMAP_AGAIN, IMAP_CODE_UNAVAILABLE, 0), EAGAIN);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_READ_ONLY, 0), EROFS);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_MODIFIED, 0), EAGAIN);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_CANNOT, 0), EPERM);
    ck_assert_int_eq(of(IMAP_GONE, IMAP_CODE_UIDVALIDITY, 0), ESTALE);
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_ALERT, 0), EIO); /* no code that says why */
}
END_TEST

START_TEST(what_became_of_it)
{
    ck_assert_int_eq(of(IMAP_NO, IMAP_CODE_NONE, 0), EIO);
    ck_assert_int_eq(of(IMAP_GONE, IMAP_CODE_NONE, 0), ENOENT);
    ck_assert_int_eq(of(IMAP_AGAIN, IMAP_CODE_NONE, 0), EHOSTUNREACH);
    ck_assert_int_eq(of(IMAP_AGAIN, IMAP_CODE_NONE, ETIMEDOUT), ETIMEDOUT);
    ck_assert_int_eq(of(IMAP_AGAIN, IMAP_CODE_NONE, EAGAIN), EAGAIN);
    ck_assert_int_eq(of(IMAP_UNSURE, IMAP_CODE_NONE, EAGAIN), EAGAIN);
    ck_assert_int_eq(of(IMAP_AGAIN, IMAP_CODE_NONE, ECONNRESET), EHOSTUNREACH);
    ck_assert_int_eq(of(IMAP_UNSURE, IMAP_CODE_NONE, 0), EHOSTUNREACH);
    ck_assert_int_eq(of(IMAP_AUTH, IMAP_CODE_NONE, 0), EACCES);
    ck_assert_int_eq(of(IMAP_PROTO, IMAP_CODE_NONE, 0), EIO);
    ck_assert_int_eq(of(IMAP_CANCEL, IMAP_CODE_NONE, 0), EINTR);
    ck_assert_int_eq(of(IMAP_SYS, IMAP_CODE_NONE, ENOSPC), ENOSPC);
    ck_assert_int_eq(of(IMAP_SYS, IMAP_CODE_NONE, 0), EIO);
}
END_TEST

START_TEST(never_success_for_a_failure)
{
    for (int status = IMAP_NO; status <= IMAP_USAGE + 3; status++) {
        for (int code = 0; code <= IMAP_CODE_USEATTR; code++)
            ck_assert_int_gt(of((enum imap_status)status, (enum imap_code)code, 0), 0);
    }
}
END_TEST

UNIT_MAIN("errmap", success, what_the_server_said, what_became_of_it, never_success_for_a_failure)
