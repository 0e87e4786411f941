/* SPDX-License-Identifier: MIT */
#include "fakeserver.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct dialogue {
    struct fake_client *client;
    const struct fake_imap *imap;
    const char *tag;
    bool stop;
};

static const char *caps_of(const struct fake_imap *imap)
{
    return imap->caps ? imap->caps : "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN";
}

bool fake_ok(struct fake_client *client, const char *tag, const char *text)
{
    char line[256];
    snprintf(line, sizeof(line), "%s OK %s\r\n", tag, text);
    return fake_send(client, line);
}

static bool starts(const char *command, const char *verb)
{
    return strncasecmp(command, verb, strlen(verb)) == 0;
}

static void let_in(struct dialogue *dialogue, bool right)
{
    char line[512];

    if (right)
        snprintf(line, sizeof(line), "%s OK [CAPABILITY %s] in\r\n", dialogue->tag, caps_of(dialogue->imap));
    else
        snprintf(line, sizeof(line), "%s NO [AUTHENTICATIONFAILED] wrong password\r\n", dialogue->tag);
    fake_send(dialogue->client, line);
}

static void log_in(struct dialogue *dialogue, const char *arguments)
{
    const struct fake_imap *imap = dialogue->imap;
    char expected[128];
    char quoted[128];

    snprintf(expected, sizeof(expected), "%s %s", imap->user ? imap->user : "", imap->password);
    snprintf(quoted, sizeof(quoted), "%s \"%s\"", imap->user ? imap->user : "", imap->password);
    let_in(dialogue, !imap->password || strcmp(arguments, expected) == 0 || strcmp(arguments, quoted) == 0);
}

static bool is_right_plain(const struct fake_imap *imap, const char *base64)
{
    unsigned char decoded[256];
    char expected[256];
    size_t len = strlen(base64);

    if (!imap->password)
        return true;
    if (len == 0 || len > sizeof(decoded))
        return false;
    int got = EVP_DecodeBlock(decoded, (const unsigned char *)base64, (int)len);
    while (got > 0 && len > 0 && base64[len - 1] == '=') {
        got--;
        len--;
    }
    int want = snprintf(expected, sizeof(expected), "%c%s%c%s", 0, imap->user, 0, imap->password);
    return got == want && memcmp(decoded, expected, (size_t)want) == 0;
}

static void authenticate(struct dialogue *dialogue, const char *arguments)
{
    char line[512];

    if (starts(arguments, "PLAIN ")) {
        let_in(dialogue, is_right_plain(dialogue->imap, arguments + 6));
        return;
    }
    if (fake_send(dialogue->client, "+ \r\n") && fake_line(dialogue->client, line, sizeof(line)))
        let_in(dialogue, is_right_plain(dialogue->imap, line));
}

static void select_mailbox(struct dialogue *dialogue, bool read_only)
{
    fake_send(dialogue->client, "* FLAGS (\\Seen)\r\n* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] x\r\n"
                                "* OK [UIDNEXT 3] x\r\n");
    fake_ok(dialogue->client, dialogue->tag, read_only ? "[READ-ONLY] done" : "[READ-WRITE] done");
}

static void idle(struct dialogue *dialogue)
{
    char line[64];

    if (fake_send(dialogue->client, "+ idling\r\n") && fake_line(dialogue->client, line, sizeof(line)) &&
        strcasecmp(line, "DONE") == 0)
        fake_ok(dialogue->client, dialogue->tag, "idled");
    else
        dialogue->stop = true;
}

static void answer(struct dialogue *dialogue, const char *command)
{
    struct fake_client *client = dialogue->client;
    char line[512];

    if (starts(command, "CAPABILITY")) {
        snprintf(line, sizeof(line), "* CAPABILITY %s\r\n", caps_of(dialogue->imap));
        fake_send(client, line);
        fake_ok(client, dialogue->tag, "done");
    } else if (starts(command, "LOGIN ")) {
        log_in(dialogue, command + 6);
    } else if (starts(command, "AUTHENTICATE ")) {
        authenticate(dialogue, command + 13);
    } else if (starts(command, "EXAMINE ") || starts(command, "SELECT ")) {
        select_mailbox(dialogue, starts(command, "EXAMINE "));
    } else if (starts(command, "UID FETCH ")) {
        fake_send(client, "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n");
        if (starts(command, "UID FETCH 1:2"))
            fake_send(client, "* 2 FETCH (UID 2 FLAGS ())\r\n");
        fake_ok(client, dialogue->tag, "fetched");
    } else if (starts(command, "IDLE")) {
        idle(dialogue);
    } else if (starts(command, "LOGOUT")) {
        fake_send(client, "* BYE bye\r\n");
        fake_ok(client, dialogue->tag, "out");
        dialogue->stop = true;
    } else {
        fake_ok(client, dialogue->tag, "done");
    }
}

void fake_imap_serve(struct fake_client *client, const struct fake_imap *imap)
{
    struct dialogue dialogue = {.client = client, .imap = imap};
    char line[4096];

    if (!fake_send(client, imap->greeting ? imap->greeting : "* OK ready\r\n"))
        return;
    while (!dialogue.stop && fake_line(client, line, sizeof(line))) {
        char *space = strchr(line, ' ');
        if (!space)
            return;
        *space = '\0';
        dialogue.tag = line;
        if (!imap->hook || !imap->hook(client, line, space + 1, &dialogue.stop, imap->arg))
            answer(&dialogue, space + 1);
    }
}
