/* SPDX-License-Identifier: MIT */
/* sendcmd: the bytes of a draft, and comparing them with a message. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "send_internal.h"

/* ---- a draft's bytes --------------------------------------------------------------------------------- */

enum imap_status sendbytes_open(struct sendbytes *bytes, const struct draft *draft, struct imap_error *err)
{
    const struct imap_upload upload = {.fd = draftfile_open(draft->drafts, draft->number, false)};
    *bytes = (struct sendbytes){.fd = upload.fd};
    if (upload.fd < 0)
        return imap_error_sys(err, errno, "its file in %s", draft->drafts->dir);
    if (imap_upload_open(&bytes->source, &upload, err))
        sendbytes_close(bytes);
    return bytes->fd < 0 ? err->status : IMAP_OK;
}

void sendbytes_close(struct sendbytes *bytes)
{
    imap_upload_close(&bytes->source);
    if (bytes->fd >= 0)
        close(bytes->fd);
    bytes->fd = -1;
}

uint64_t sendcmd_measure(const struct draft *draft)
{
    struct imap_error err = {0};
    struct sendbytes bytes;
    if (sendbytes_open(&bytes, draft, &err))
        return 0;
    sendbytes_close(&bytes);
    return bytes.source.size;
}

/* ---- comparing -------------------------------------------------------------------------------------- */

/* One FETCH under way. */
struct comparing {
    struct draft *draft;
    struct sendbytes bytes;
    bool differs, whole;
};

static bool on_body_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct comparing *comparing = arg;
    (void)so_far;
    comparing->differs = section->kind != IMAP_SECTION_BODY || section->size != comparing->bytes.source.size;
    return !comparing->differs;
}

static void on_body_data(void *arg, const void *data, size_t len)
{
    struct comparing *comparing = arg;
    const char *told = data;
    char ours[4096];
    while (len && !comparing->differs) {
        const ssize_t n =
            imap_upload_next(&comparing->bytes.source, ours, len < sizeof ours ? len : sizeof ours);
        comparing->differs = n <= 0 || memcmp(ours, told, (size_t)n) != 0;
        if (n > 0) {
            told += n;
            len -= (size_t)n;
        }
    }
}

static void on_body_end(void *arg)
{
    struct comparing *comparing = arg;
    comparing->whole = !comparing->differs && comparing->bytes.source.sent == comparing->bytes.source.size;
}

static void end(struct comparing *comparing)
{
    sendbytes_close(&comparing->bytes);
    free(comparing);
}

static void on_compare_done(void *arg, const struct imap_result *result)
{
    struct comparing *comparing = arg;
    struct draft *draft = comparing->draft;
    struct account *account = draft->drafts->account;
    const bool same = comparing->whole;
    end(comparing);
    account_lock(account);
    sender_ended_locked(draft->drafts->sender, NULL, 1);
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
    struct comparing *comparing = imap_xcalloc(1, sizeof *comparing);
    if (sendbytes_open(&comparing->bytes, draft, err)) {
        end(comparing);
        return err->status;
    }
    comparing->draft = draft;
    account_lock(account);
    sender_begun_locked(draft->drafts->sender, NULL, 1);
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_number(command, draft->candidate);
    imap_command_raw(command, "(UID BODY.PEEK[])");
    imap_command_on(command, &events, comparing);
    pending_submit_locked(account, draft->mailbox->wire, 0, draft->wire_size, command);
    account_unlock(account);
    return IMAP_OK;
}
