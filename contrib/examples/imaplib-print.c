/* SPDX-License-Identifier: MIT */
/*
 * imaplib-print URL: prints all messages of a mailbox; the example of Python's imaplib, in C.
 *
 *     cc imaplib-print.c account.c $(pkg-config --cflags --libs imap) -o imaplib-print
 */
#include <imap/auth.h>
#include <imap/client.h>
#include <imap/mailbox.h>
#include <imap/message.h>
#include <inttypes.h>
#include <stdio.h>

#include "account.h"

static bool failed(const struct imap_error *err)
{
    fprintf(stderr, "imaplib-print: %s\n", err->text);
    return false;
}

static void print_message(const struct imap_fetch *message)
{
    const struct imap_section *body = imap_fetch_section(message, IMAP_SECTION_BODY, "");
    if (!body || body->nil)
        return;
    printf("Message %" PRIu32 "\n", message->uid);
    fwrite(body->data, 1, body->size, stdout);
    putchar('\n');
}

/* Blocks until the server has answered; a message that went away meanwhile is not in the answer. */
static bool fetch_message(struct imap_client *client, uint32_t uid)
{
    char set[16];
    size_t count;
    struct imap_call call = {0};

    snprintf(set, sizeof(set), "%" PRIu32, uid);
    bool good = imap_client_fetch(client, IMAP_BY_UID, set, "(BODY.PEEK[])", NULL, &call) == IMAP_OK;
    if (good) {
        const struct imap_fetch *const *messages = imap_answer_messages(call.answer, &count);
        for (size_t i = 0; i < count; i++)
            print_message(messages[i]);
    } else {
        failed(&call.error);
    }
    imap_call_fini(&call);
    return good;
}

static bool print_all(struct imap_client *client)
{
    struct imap_call call = {0};
    struct imap_found found;
    bool good = true;

    if (imap_client_search(client, IMAP_BY_UID, NULL, NULL, "ALL", &call) != IMAP_OK ||
        imap_answer_found(call.answer, &found, &call.error) != IMAP_OK)
        good = failed(&call.error);
    for (size_t i = 0; good && i < found.count; i++)
        good = fetch_message(client, found.numbers[i]);
    imap_call_fini(&call); /* found lives in its answer */
    return good;
}

static bool open_mailbox(struct imap_client *client, const char *mailbox)
{
    char name[IMAP_MAILBOX_NAME_MAX];
    struct imap_call call = {0};

    if (!imap_client_name_encode(client, mailbox, name, sizeof(name))) {
        fprintf(stderr, "imaplib-print: the mailbox's name is not UTF-8\n");
        return false;
    }
    bool good = imap_client_select(client, name, IMAP_SELECT_READ_ONLY, &call) == IMAP_OK;
    if (!good)
        failed(&call.error);
    imap_call_fini(&call);
    return good;
}

int main(int argc, char **argv)
{
    struct imap_client_options options = {0};
    struct imap_client *client;
    struct imap_error err;
    const char *mailbox;

    if (argc != 2) {
        fprintf(stderr, "usage: imaplib-print imaps://user@host/mailbox\n");
        return 2;
    }
    if (!account_from_url(argv[1], &options.endpoint, &mailbox))
        return 2;
    if (imap_client_connect(&options, &client, &err) != IMAP_OK) {
        failed(&err);
        return 1;
    }
    bool good = open_mailbox(client, mailbox) && print_all(client);
    imap_client_logout(client, NULL);
    imap_client_free(&client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("imaplib-print: stdout");
        good = false;
    }
    return good ? 0 : 1;
}
