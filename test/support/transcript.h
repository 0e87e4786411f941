/* SPDX-License-Identifier: MIT */
/*
 * transcript: replays a conversation with a server into a session and checks what the session makes of it.
 *
 * A line of a transcript is one of
 *   # comment
 *   S: text        the server sends text and CRLF. In a FETCH, {n} before the end of the line stands for a
 *                  literal of n bytes (its contents look like responses, to see that nobody reads them).
 *   S~ text        the same without CRLF, and with {n} as it stands
 *   C: text        the session must send this now, CRLF included, and trace it so. *** stands for a secret.
 *                  Without a command that says so, the command is made from the text.
 *   > VERB args    submits a command; see below
 *   = event        the next event of its kind is this one (a part of words is enough):
 *                      done VERB STATUS [CODE]      response VERB TYPE ...     body UID SIZE
 *                      untagged TYPE number ...     continuation VERB text     breach STATUS
 *                  Every done, body and breach must be expected; the others only where a transcript
 *                  expects one of their kind.
 *   ? what value   what the session tells now: state, mailbox, exists, uidvalidity, uidnext, modseq,
 *                  readonly, uid SEQ, caps (known, unknown), has WORD (yes, no), enabled WORD (yes, no),
 *                  pending, flight, idling, welcome
 *   ! action       quiet (nothing may be sent now), lost, idle_done, tls STATUS, continue LINE,
 *                  compress STATUS BYTES (that were behind its OK),
 *                  hold and release (the line takes no bytes), room N (it takes N, then holds), taken N (all
 *                  that was sent and not yet expected: N bytes of a literal of which a C: line shows the end),
 *                  bodies stream|refuse|buffer (of the
 *                  commands submitted from here on), limits NAME=NUMBER ...
 * A trace (imapfs -d) is a transcript as it is: of its first connection's lines, without checks.
 * Arguments of a command: @string, %mailbox, $secret, #set, &set as a user writes it, =criteria, ^SIZE a source
 * (^~SIZE literal8; ^SIZE!N fails and ^SIZE?N ends after N bytes), anything else is raw. It may be quoted.
 * Escapes: \x{0d} is a byte, \*{N}{text} is text N times.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <stddef.h>

#define TRANSCRIPT_WHOLE 0
#define TRANSCRIPT_BYTES ((size_t)-1)

/* Replays a file. What the server says in one breath is fed whole, or byte by byte, or cut once, behind
 * the byte with that number. Failures go to libcheck. Returns everything that happened, to be freed;
 * *fed_out is how many bytes the server sent. */
char *transcript_replay(const char *path, size_t cut, size_t *fed_out);

#endif
