/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap/message.h"
#include "mem.h"
#include "upload.h"
#include "verb_args.h"

/* ---- the sources of one command ----------------------------------------------------------------- */

struct sources {
    size_t count; /* of those that are open */
    struct imap_upload_source each[];
};

static void free_sources(void *mem)
{
    struct sources *sources = mem;
    for (size_t i = 0; i < sources->count; i++)
        imap_upload_close(&sources->each[i]);
    free(sources);
}

/* "APPENDLIMIT=n"; UINT64_MAX when there is no number (RFC 7889 2: perhaps one for each mailbox). */
static uint64_t append_limit(const struct imap_caps *caps)
{
    const char *value = imap_caps_value(caps, "APPENDLIMIT");
    uint64_t limit = 0;
    if (!value || *value < '0' || *value > '9')
        return UINT64_MAX;
    for (; *value >= '0' && *value <= '9'; value++)
        if (__builtin_mul_overflow(limit, 10, &limit) ||
            __builtin_add_overflow(limit, (uint64_t)(*value - '0'), &limit))
            return UINT64_MAX;
    return limit;
}

static enum imap_status check_source(struct imap_client *client, const struct imap_upload_source *source,
                                     const struct imap_caps *caps, struct imap_error *err)
{
    /* ~{n} takes NUL: RFC 3516, RFC 6855 4, RFC 9051 6.3.12 */
    bool takes_nul = imap_caps_has(caps, IMAP_CAP_BINARY) || imap_speaks_utf8(client);
    if (source->size > append_limit(caps)) {
        imap_error_set(err, IMAP_LIMIT,
                       "a message of %" PRIu64 " bytes is over the server's limit of %" PRIu64, source->size,
                       append_limit(caps));
        err->code = IMAP_CODE_TOOBIG;
        return IMAP_LIMIT;
    }
    if (source->has_nul && !takes_nul)
        return imap_error_set(err, IMAP_USAGE,
                              "a message that holds NUL bytes needs BINARY, which the server does not offer");
    return IMAP_OK;
}

static enum imap_status open_sources(struct imap_client *client, const struct imap_upload *uploads,
                                     size_t count, struct sources **sources_out, struct imap_error *err)
{
    struct imap_caps caps;
    if (!imap_client_caps(client, &caps))
        imap_caps_clear(&caps);
    if (count == 0 || count > SIZE_MAX / 2 / sizeof(struct imap_upload_source))
        return imap_error_set(err, IMAP_USAGE, "a message is needed");
    if (count > 1 && !imap_caps_has(&caps, IMAP_CAP_MULTIAPPEND))
        return imap_error_set(err, IMAP_NO, "the server does not offer MULTIAPPEND");
    struct sources *sources = imap_xcalloc(1, sizeof *sources + count * sizeof *sources->each);
    enum imap_status status = IMAP_OK;
    while (status == IMAP_OK && sources->count < count) {
        struct imap_upload_source *source = &sources->each[sources->count];
        status = imap_upload_open(source, &uploads[sources->count], err);
        sources->count++;
        if (status == IMAP_OK)
            status = check_source(client, source, &caps, err);
    }
    if (status == IMAP_OK)
        *sources_out = sources;
    else
        free_sources(sources);
    return status;
}

/* ---- the command -------------------------------------------------------------------------------- */

static bool is_date(const struct imap_date *date)
{
    const int64_t year_0 = -62167219200, year_10000 = 253402300800;
    int64_t local = date->unix_seconds;
    if (date->zone_minutes < -1439 || date->zone_minutes > 1439 || local < year_0 || local >= year_10000)
        return false;
    local += (int64_t)date->zone_minutes * 60;
    return local >= year_0 && local < year_10000;
}

static void add_message(struct imap_command *command, struct imap_upload_source *source)
{
    const struct imap_upload *upload = &source->upload;
    if (upload->flags)
        imap_command_list(command, upload->flags);
    if (upload->date) {
        char date[IMAP_DATE_TEXT_MAX], quoted[IMAP_DATE_TEXT_MAX + 2];
        if (!is_date(upload->date))
            imap_command_mark_broken(command, "this date cannot be told");
        imap_date_format(upload->date, date);
        snprintf(quoted, sizeof quoted, "\"%s\"", date);
        imap_command_raw(command, quoted);
    }
    imap_command_message(command, source->size, source->has_nul, imap_upload_next, source);
}

static void add_messages(struct imap_command *command, struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        add_message(command, &sources->each[i]);
    imap_command_own(command, sources, free_sources);
}

enum imap_status imap_client_append(struct imap_client *client, const char *mailbox,
                                    const struct imap_upload *uploads, size_t count, struct imap_call *call)
{
    struct sources *sources;
    struct imap_error why;
    if (open_sources(client, uploads, count, &sources, &why) != IMAP_OK)
        return imap_client_refuse(client, call, &why);
    struct imap_command *command = imap_command_new("APPEND");
    imap_arg_mailbox(command, mailbox);
    add_messages(command, sources);
    return imap_client_command(client, &command, call);
}

enum imap_status imap_client_replace(struct imap_client *client, enum imap_by by, uint32_t number,
                                     const char *mailbox, const struct imap_upload *upload,
                                     struct imap_call *call)
{
    struct sources *sources;
    struct imap_error why;
    if (!imap_client_has(client, "REPLACE")) {
        imap_error_set(&why, IMAP_NO, "the server does not offer REPLACE");
        return imap_client_refuse(client, call, &why);
    }
    if (open_sources(client, upload, 1, &sources, &why) != IMAP_OK)
        return imap_client_refuse(client, call, &why);
    struct imap_command *command = imap_command_new(by == IMAP_BY_UID ? "UID REPLACE" : "REPLACE");
    if (number == 0)
        imap_command_mark_broken(command, "there is no message 0");
    imap_command_number(command, number);
    imap_arg_mailbox(command, mailbox);
    add_messages(command, sources);
    return imap_client_command(client, &command, call);
}
