/* SPDX-License-Identifier: MIT */
/*
 * fakeplay: a server that plays one side of a dialogue, for fakeserver.
 */
#ifndef TEST_FAKEPLAY_H
#define TEST_FAKEPLAY_H

#include "fakeserver.h"

/* What is awaited and what is said then. Awaited: the end of a client's line, behind its tag; "> " at the
 * start stands for a whole line without a tag. Said: "T" at the start of a line stands for the client's tag.
 * Another line than the awaited one ends the connection. */
struct fake_step {
    const char *await; /* NULL: nothing */
    const char *say;   /* NULL: nothing; "TLS": the handshake */
};

struct fake_play {
    const struct fake_step *steps; /* two NULLs at the end */
    const struct fake_imap *then;  /* go on as a well-behaved server; NULL: stall */
};

/* A serve function; arg is a struct fake_play. */
void fake_play_serve(struct fake_client *client, void *arg);

#endif
