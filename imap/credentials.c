/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static const char *copy_string(const char *str)
{
    return str ? imap_xstrdup(str) : NULL;
}

void imap_credentials_copy(const struct imap_credentials *credentials, struct imap_credentials *copy_out)
{
    *copy_out = *credentials;
    copy_out->user = copy_string(credentials->user);
    copy_out->authzid = copy_string(credentials->authzid);
    copy_out->password = copy_string(credentials->password);
    copy_out->mechanisms = copy_string(credentials->mechanisms);
}

void imap_credentials_fini(struct imap_credentials *copy)
{
    if (copy->password)
        explicit_bzero((void *)copy->password, strlen(copy->password));
    free((void *)copy->user);
    free((void *)copy->authzid);
    free((void *)copy->password);
    free((void *)copy->mechanisms);
    *copy = (struct imap_credentials){0};
}
