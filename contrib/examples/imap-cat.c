/* SPDX-License-Identifier: MIT */
/*
 * imap-cat URL UID: writes one message to stdout while it arrives, whatever its size, and never more of it in
 * memory than the line has just brought.
 *
 *     cc imap-cat.c account.c $(pkg-config --cflags --libs imap) -o imap-cat
 */
#include <errno.h>
#include <imap/auth.h>
#include <imap/client.h>
#include <imap/mailbox.h>
#include <imap/message.h>
#include <stdio.h>
#include <string.h>

#include "account.h"

struct copy {
    bool found;
    int write_errno; /* 0: all has been written so far */
};

/* These run on the client's thread, while main waits for the FETCH. */
static bool begin(void *arg, const struct imap_fetch *so_far, const struct imap_section *section)
{
    (void)so_far;
    (void)section;
    ((struct copy *)arg)->found = true;
    return true;
}

static void copy_out(void *arg, const void *data, size_t len)
{
    struct copy *copy = arg;
    if (!copy->write_errno && fwrite(data, 1, len, stdout) != len)
        copy->write_errno = errno;
}

/* What is too short for a server to stream it: BODY[] "text", where RFC 3501 allows a quoted string. */
static void copy_quoted(const struct imap_answer *answer, struct copy *copy)
{
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);
    const struct imap_section *body = count ? imap_fetch_section(messages[0], IMAP_SECTION_BODY, "") : NULL;

    if (!body || body->nil)
        return;
    copy->found = true;
    copy_out(copy, body->data, body->size);
}

static enum imap_status fetch(struct imap_client *client, const char *uid, struct imap_error *err)
{
    struct copy copy = {.found = false};
    struct imap_call call = {.arg = &copy, .body_begin = begin, .body_data = copy_out};

    enum imap_status status = imap_client_fetch(client, IMAP_BY_UID, uid, "(BODY.PEEK[])", NULL, &call);
    if (status == IMAP_OK && !copy.found)
        copy_quoted(call.answer, &copy);
    if (status != IMAP_OK)
        *err = call.error;
    else if (!copy.found)
        status = imap_error_set(err, IMAP_GONE, "there is no message with UID %s", uid);
    else if (copy.write_errno || fflush(stdout) != 0)
        status = imap_error_sys(err, copy.write_errno ? copy.write_errno : errno, "stdout");
    imap_call_fini(&call);
    return status;
}

static enum imap_status open_mailbox(struct imap_client *client, const char *mailbox, struct imap_error *err)
{
    char name[IMAP_MAILBOX_NAME_MAX];
    struct imap_call call = {0};

    if (!imap_client_name_encode(client, mailbox, name, sizeof(name)))
        return imap_error_set(err, IMAP_USAGE, "the mailbox's name is not UTF-8");
    enum imap_status status = imap_client_select(client, name, IMAP_SELECT_READ_ONLY, &call);
    if (status != IMAP_OK)
        *err = call.error;
    imap_call_fini(&call);
    return status;
}

static enum imap_status cat(const struct imap_client_options *options, const char *mailbox, const char *uid,
                            struct imap_error *err)
{
    struct imap_client *client;
    enum imap_status status = imap_client_connect(options, &client, err);

    if (status != IMAP_OK)
        return status;
    status = open_mailbox(client, mailbox, err);
    if (status == IMAP_OK)
        status = fetch(client, uid, err);
    imap_client_logout(client, NULL);
    imap_client_free(&client);
    return status;
}

int main(int argc, char **argv)
{
    struct imap_client_options options = {0};
    struct imap_error err;
    const char *mailbox;

    if (argc != 3 || !argv[2][0] || argv[2][strspn(argv[2], "0123456789")]) {
        fprintf(stderr, "usage: imap-cat imaps://user@host/mailbox UID\n");
        return 2;
    }
    if (!account_from_url(argv[1], &options.endpoint, &mailbox))
        return 2;
    if (cat(&options, mailbox, argv[2], &err) != IMAP_OK) {
        fprintf(stderr, "imap-cat: %s\n", err.text);
        return 1;
    }
    return 0;
}
