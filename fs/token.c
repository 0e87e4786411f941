/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <syslog.h>

#include "daemon.h"
#include "secret.h"

const char *token_get(void *arg, bool expired)
{
    struct token_source *source = arg;
    struct imap_error err = {0};

    if (source->token && !expired)
        return source->token;
    secret_free(&source->token);
    if (secret_from_command(source->command, "tokencmd", source->timeout_ms, &source->token, &err) != IMAP_OK)
        daemon_log(LOG_ERR, "%s", err.text);
    return source->token;
}

void token_fini(struct token_source *source)
{
    secret_free(&source->token);
}
