/* SPDX-License-Identifier: MIT */
#include "sendcheck.h"

#include <inttypes.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"

#define BLOCK 4096

/* What the bytes of a header amount to but for its line ends, up to the blank line (FNV-1a, 64 bits: nobody has to be
 * kept from making two that are alike). */
struct digest {
    uint64_t sum;
    bool beyond_ascii;
    bool line_begins, after_cr, over;
};

struct sendcheck {
    struct drafts *drafts; /* lives as long as the sender */
    struct mailbox *mailbox;
    char *name;
    uint32_t number, uidvalidity, uid;
    struct digest sent, kept;
    bool answered;
};

static const struct digest empty = {.sum = 14695981039346656037u, .line_begins = true};

static void add(struct digest *digest, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !digest->over; i++) {
        const bool cr = bytes[i] == '\r';
        const bool same_end = bytes[i] == '\n' && digest->after_cr;
        digest->after_cr = cr;
        if (same_end)
            continue;
        if (cr || bytes[i] == '\n') {
            digest->over = digest->line_begins;
            digest->line_begins = true;
            continue;
        }
        digest->line_begins = false;
        digest->beyond_ascii |= bytes[i] >= 0x80;
        digest->sum = (digest->sum ^ bytes[i]) * 1099511628211u;
    }
}

static void sendcheck_free(struct sendcheck *check)
{
    free(check->name);
    free(check);
}

struct sendcheck *sendcheck_new_locked(const struct draft *draft, uint32_t uidvalidity, uint32_t uid)
{
    struct sendcheck *check = imap_xcalloc(1, sizeof *check);
    check->drafts = draft->drafts;
    check->mailbox = draft->mailbox;
    check->name = imap_xstrdup(draft->name);
    check->number = draft->number;
    check->uidvalidity = uidvalidity;
    check->uid = uid;
    check->sent = check->kept = empty;
    return check;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static bool on_begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    struct sendcheck *check = arg;
    (void)so_far;
    check->kept = empty;
    return section->kind == IMAP_SECTION_BODY;
}

static void on_data(void *arg, const void *data, size_t len)
{
    struct sendcheck *check = arg;
    add(&check->kept, data, len);
}

static void on_end(void *arg)
{
    struct sendcheck *check = arg;
    check->answered = true;
}

static void on_done(void *arg, const struct imap_result *result)
{
    struct sendcheck *check = arg;
    struct account *account = check->mailbox->account;
    account_lock(account);
    if (result->status == IMAP_OK && check->answered && check->kept.sum != check->sent.sum &&
        check->mailbox->uidvalidity == check->uidvalidity)
        pending_log_locked(account, LOG_WARNING,
                           "the server has changed message %" PRIu32
                           " of mailbox %s, which was written as %s: its header is not what was sent",
                           check->uid, check->mailbox->wire, check->name);
    account_unlock(account);
    sendcheck_free(check);
}

static void ask(struct sendcheck *check)
{
    static const struct imap_command_events events = {
        .body_begin = on_begin, .body_data = on_data, .body_end = on_end, .done = on_done};
    struct account *account = check->mailbox->account;
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_number(command, check->uid);
    imap_command_raw(command, "(UID BODY.PEEK[HEADER])");
    imap_command_on(command, &events, check);
    account_lock(account);
    pending_submit_locked(account, check->mailbox->wire, 0, 1, command);
    account_unlock(account);
}

void sendcheck_run(struct sendcheck *check, bool may_ask)
{
    unsigned char block[BLOCK];
    const int fd = draftfile_open(check->drafts, check->number, false);
    ssize_t len = 0;
    while (fd >= 0 && !check->sent.over && (len = read(fd, block, sizeof block)) > 0)
        add(&check->sent, block, (size_t)len);
    if (fd >= 0)
        close(fd);
    if (may_ask && check->sent.over && check->sent.beyond_ascii)
        ask(check);
    else
        sendcheck_free(check);
}
