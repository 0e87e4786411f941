/* SPDX-License-Identifier: MIT */
/*
 * imaplib2-parallel URL: prints all messages of a mailbox, as imaplib-print does, but asks for all of them at
 * once and prints each when its answer is there: the example of imaplib2's callbacks, in C.
 *
 *     cc imaplib2-parallel.c account.c $(pkg-config --cflags --libs imap) -pthread -o imaplib2-parallel
 */
#include <errno.h>
#include <imap/auth.h>
#include <imap/client.h>
#include <imap/mailbox.h>
#include <imap/message.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>

#include "account.h"

struct job {
    sem_t ended; /* counts the answers */
    struct imap_error error;
};

static bool failed(const struct imap_error *err)
{
    fprintf(stderr, "imaplib2-parallel: %s\n", err->text);
    return false;
}

/* On the client's thread, once for each FETCH, whatever became of it. */
static void print_answer(void *arg, const struct imap_answer *answer)
{
    struct job *job = arg;
    size_t count;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);

    for (size_t i = 0; i < count; i++) {
        const struct imap_section *body = imap_fetch_section(messages[i], IMAP_SECTION_BODY, "");
        if (!body || body->nil)
            continue;
        printf("Message %" PRIu32 "\n", messages[i]->uid);
        fwrite(body->data, 1, body->size, stdout);
        putchar('\n');
    }
    if (imap_answer_status(answer) != IMAP_OK && job->error.status == IMAP_OK)
        job->error = *imap_answer_error(answer);
    sem_post(&job->ended);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0 && errno == EINTR)
        ;
}

static bool fetch_all(struct imap_client *client, const struct imap_found *found)
{
    struct job job = {.error = {.status = IMAP_OK}};

    sem_init(&job.ended, 0, 0);
    for (size_t i = 0; i < found->count; i++) {
        struct imap_call call = {.done = print_answer, .arg = &job};
        char uid[16];
        snprintf(uid, sizeof(uid), "%" PRIu32, found->numbers[i]);
        imap_client_fetch(client, IMAP_BY_UID, uid, "(BODY.PEEK[])", NULL, &call);
    }
    for (size_t i = 0; i < found->count; i++)
        wait_for(&job.ended);
    sem_destroy(&job.ended);
    return job.error.status == IMAP_OK || failed(&job.error);
}

static bool print_all(struct imap_client *client, const char *mailbox)
{
    char name[IMAP_MAILBOX_NAME_MAX];
    struct imap_call call = {0};
    struct imap_found found;
    bool good;

    if (!imap_client_name_encode(client, mailbox, name, sizeof(name))) {
        fprintf(stderr, "imaplib2-parallel: the mailbox's name is not UTF-8\n");
        return false;
    }
    if (imap_client_select(client, name, IMAP_SELECT_READ_ONLY, &call) != IMAP_OK ||
        imap_client_search(client, IMAP_BY_UID, NULL, NULL, "ALL", &call) != IMAP_OK ||
        imap_answer_found(call.answer, &found, &call.error) != IMAP_OK)
        good = failed(&call.error);
    else
        good = fetch_all(client, &found);
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
        fprintf(stderr, "usage: imaplib2-parallel imaps://user@host/mailbox\n");
        return 2;
    }
    if (!account_from_url(argv[1], &options.endpoint, &mailbox))
        return 2;
    if (imap_client_connect(&options, &client, &err) != IMAP_OK) {
        failed(&err);
        return 1;
    }
    bool good = print_all(client, mailbox);
    imap_client_logout(client, NULL);
    imap_client_free(&client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("imaplib2-parallel: stdout");
        good = false;
    }
    return good ? 0 : 1;
}
