/* SPDX-License-Identifier: MIT */
#include "fakeplay.h"

#include <stdio.h>
#include <string.h>

static void say(struct fake_client *client, const char *tag, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n") + 1;
        if (strncmp(text, "T ", 2) == 0) {
            fake_send(client, tag);
            fake_send_bytes(client, text + 1, len - 1);
        } else {
            fake_send_bytes(client, text, len);
        }
        text += len;
    }
}

/* The next line is the awaited one; its tag, if it has one, is kept. */
static bool hear(struct fake_client *client, const char *await, char tag[64])
{
    char line[4096];

    if (!fake_line(client, line, sizeof(line)))
        return false;
    if (strncmp(await, "> ", 2) == 0)
        return strcmp(line, await + 2) == 0;
    char *space = strchr(line, ' ');
    if (!space || strcmp(space + 1, await) != 0)
        return false;
    *space = '\0';
    snprintf(tag, 64, "%.60s", line);
    return true;
}

void fake_play_serve(struct fake_client *client, void *arg)
{
    const struct fake_play *play = arg;
    char tag[64] = "";

    for (const struct fake_step *step = play->steps; step->await || step->say; step++) {
        if (step->await && !hear(client, step->await, tag))
            return;
        if (step->say && strcmp(step->say, "TLS") == 0) {
            if (!fake_start_tls(client))
                return;
        } else if (step->say) {
            say(client, tag, step->say);
        }
    }
    if (play->then)
        fake_imap_serve(client, play->then);
    else
        fake_stall(client);
}
