/* SPDX-License-Identifier: MIT */
/* sendcmd: the two commands that sending a draft takes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "../imap/upload.h"
#include "send_internal.h"

/* One command under way. */
struct sending {
    struct draft *draft;
    int fd;
    struct imap_upload_source source;
    struct imap_date date;
    bool differs, whole; /* of what is compared */
};

static void sending_free(struct sending *sending)
{
    imap_upload_close(&sending->source);
    if (sending->fd >= 0)
        close(sending->fd);
    free(sending);
}

/* ---- what the server takes -------------------------------------------------------------------------- */

/* RFC 7889; UINT64_MAX when it does not say. */
static uint64_t append_limit(const struct imap_caps *caps)
{
    const char *value = imap_caps_value(caps, "APPENDLIMIT");
    char *end = NULL;
    if (!value || *value < '0' || *value > '9')
        return UINT64_MAX;
    errno = 0;
    const unsigned long long limit = strtoull(value, &end, 10);
    return errno || (*end && *end != ' ') ? UINT64_MAX : limit;
}

uint64_t sendcmd_limit(const struct account *account)
{
    struct imap_caps caps;
    return imap_pool_caps(account->pool, &caps) ? append_limit(&caps) : UINT64_MAX;
}

static enum imap_status check(const struct account *account, const struct imap_upload_source *source,
                              struct imap_error *err)
{
    struct imap_caps caps;
    if (!imap_pool_caps(account->pool, &caps))
        imap_caps_clear(&caps);
    if (source->size > append_limit(&caps)) {
        imap_error_set(err, IMAP_LIMIT, "it has %" PRIu64 " bytes, and the server takes %" PRIu64,
                       source->size, append_limit(&caps));
        err->code = IMAP_CODE_TOOBIG;
        return IMAP_LIMIT;
    }
    if (source->has_nul && !imap_caps_has(&caps, IMAP_CAP_BINARY))
        return imap_error_sys(err, EINVAL, "it holds NUL bytes, which this server does not take");
    return IMAP_OK;
}

/* NULL with err. */
static struct sending *sending_new(const struct draft *draft, struct imap_error *err)
{
    struct sending *sending = imap_xcalloc(1, sizeof *sending);
    const struct imap_upload upload = {.fd = draftfile_open(draft->drafts, draft->number, false)};
    sending->fd = upload.fd;
    if (upload.fd < 0)
        imap_error_sys(err, errno, "its file in %s", draft->drafts->dir);
    else if (imap_upload_open(&sending->source, &upload, err) == IMAP_OK)
        return sending;
    sending_free(sending);
    return NULL;
}

uint64_t sendcmd_measure(const struct draft *draft)
{
    struct imap_error err = {0};
    struct sending *sending = sending_new(draft, &err);
    if (!sending)
        return 0;
    const uint64_t size = sending->source.size;
    sending_free(sending);
    return size;
}

/* ---- APPEND ----------------------------------------------------------------------------------------- */

static void on_append_done(void *arg, const struct imap_result *result)
{
    struct sending *sending = arg;
    struct draft *draft = sending->draft;
    struct account *account = draft->drafts->account;
    sending_free(sending);
    account_lock(account);
    append_ended_locked(draft, result);
    account_unlock(account);
}

static struct imap_command *append_of(struct sending *sending, const char *mailbox, const char *flags)
{
    static const struct imap_command_events events = {.done = on_append_done};
    char date[IMAP_DATE_TEXT_MAX], quoted[IMAP_DATE_TEXT_MAX + 2];
    struct imap_command *command = imap_command_new("APPEND");
    imap_command_mailbox(command, mailbox, strlen(mailbox));
    if (*flags)
        imap_command_list(command, flags);
    imap_date_format(&sending->date, date);
    snprintf(quoted, sizeof quoted, "\"%s\"", date);
    imap_command_raw(command, quoted);
    imap_command_source(command, sending->source.size, sending->source.has_nul, imap_upload_next,
                        &sending->source);
    imap_command_on(command, &events, sending);
    return command;
}

enum imap_status sendcmd_append(struct draft *draft, struct imap_error *err)
{
    struct account *account = draft->drafts->account;
    struct sending *sending = sending_new(draft, err);
    if (!sending)
        return err->status;
    if (check(account, &sending->source, err)) {
        sending_free(sending);
        return err->status;
    }
    account_lock(account);
    sending->draft = draft;
    draft->wire_size = sending->source.size;
    sending->date.unix_seconds = draft->mtime.tv_sec;
    struct imap_command *command = append_of(sending, draft->mailbox->wire, draft_flags_locked(draft));
    pending_submit_locked(account, NULL, 0, 0, command);
    account_unlock(account);
    return IMAP_OK;
}

/* ---- comparing -------------------------------------------------------------------------------------- */

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct sending *sending = arg;
    (void)so_far;
    sending->differs = section->kind != IMAP_SECTION_BODY || section->size != sending->source.size;
    return !sending->differs;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct sending *sending = arg;
    const char *told = data;
    char ours[4096];
    while (len && !sending->differs) {
        const ssize_t n = imap_upload_next(&sending->source, ours, len < sizeof ours ? len : sizeof ours);
        sending->differs = n <= 0 || memcmp(ours, told, (size_t)n) != 0;
        if (n > 0) {
            told += n;
            len -= (size_t)n;
        }
    }
}

static void on_body_end(void *arg)
{
    struct sending *sending = arg;
    sending->whole = !sending->differs && sending->source.sent == sending->source.size;
}

static void on_compare_done(void *arg, const struct imap_result *result)
{
    struct sending *sending = arg;
    struct draft *draft = sending->draft;
    struct account *account = draft->drafts->account;
    const bool same = sending->whole;
    sending_free(sending);
    account_lock(account);
    compare_ended_locked(draft, result, same);
    account_unlock(account);
}

enum imap_status sendcmd_compare(struct draft *draft, struct imap_error *err)
{
    static const struct imap_command_events events = {.body_begin = on_body_begin,
                                                      .body_data = on_body_data,
                                                      .body_end = on_body_end,
                                                      .done = on_compare_done};
    struct account *account = draft->drafts->account;
    struct sending *sending = sending_new(draft, err);
    if (!sending)
        return err->status;
    account_lock(account);
    sending->draft = draft;
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_number(command, draft->candidate);
    imap_command_raw(command, "(UID BODY.PEEK[])");
    imap_command_on(command, &events, sending);
    pending_submit_locked(account, draft->mailbox->wire, 0, draft->wire_size, command);
    account_unlock(account);
    return IMAP_OK;
}
