/* SPDX-License-Identifier: MIT */
/*
 * message: the verbs on messages (RFC 3501 6.3.11, 6.4 and the extensions named).
 *
 * `by` says what the numbers of a set are, and of the answer. A set is text as RFC 3501 writes it ("1:*",
 * "4,7:9"), or "$" where a search was saved (RFC 5182); it is checked, and refused with IMAP_USAGE.
 * imap_seqset_text makes one of a struct imap_seqset. Servers limit the length of a command: keep sets
 * under some kilobytes (imap_seqset_format cuts them).
 */
#ifndef IMAP_MESSAGE_H
#define IMAP_MESSAGE_H

#include <sys/types.h>

#include "imap/client.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum imap_by { IMAP_BY_UID, IMAP_BY_NUMBER };

/* FETCH, UID FETCH (6.4.5): items as IMAP text, "(FLAGS BODY.PEEK[])", "ALL"; modifiers likewise without the
 * parentheses, "CHANGEDSINCE 12345 VANISHED" (RFC 7162), "PARTIAL 1:100" (RFC 9394), or NULL. FETCH (and
 * VANISHED); see imap_answer_messages. */
enum imap_status imap_client_fetch(struct imap_client *client, enum imap_by by, const char *set,
                                   const char *items, const char *modifiers, struct imap_call *call);
/* imaplib's partial: length bytes of a section from start on (0-based), by BODY.PEEK[section]<start.length>. */
enum imap_status imap_client_partial(struct imap_client *client, enum imap_by by, const char *set,
                                     const char *section, uint64_t start, uint64_t length,
                                     struct imap_call *call);

/* STORE, UID STORE (6.4.6): how is "FLAGS", "+FLAGS", "-FLAGS" or one with ".SILENT", or X-GM-LABELS;
 * flags as IMAP text, parentheses added where missing. unchangedsince 0: none (RFC 7162 3.1.3); messages
 * that were refused are in the text's MODIFIED set. FETCH. */
enum imap_status imap_client_store(struct imap_client *client, enum imap_by by, const char *set,
                                   uint64_t unchangedsince, const char *how, const char *flags,
                                   struct imap_call *call);
/* COPY (6.4.7), MOVE (RFC 6851): COPYUID in the text, of MOVE perhaps in an untagged OK. */
enum imap_status imap_client_copy(struct imap_client *client, enum imap_by by, const char *set,
                                  const char *mailbox, struct imap_call *call);
enum imap_status imap_client_move(struct imap_client *client, enum imap_by by, const char *set,
                                  const char *mailbox, struct imap_call *call);
/* EXPUNGE (6.4.3), with set NULL; UID EXPUNGE (RFC 4315) else. EXPUNGE or VANISHED. */
enum imap_status imap_client_expunge(struct imap_client *client, const char *uid_set, struct imap_call *call);

/* SEARCH (6.4.4): criteria as IMAP text, "UNSEEN SUBJECT \"hello\"": quoted strings in it are sent as the
 * server can take them, also with bytes over 127. charset NULL: none, or UTF-8 where the criteria need it.
 * returns: "MIN MAX COUNT ALL", "SAVE", "PARTIAL 1:50" (RFC 4731, 5182, 9394) or NULL for a plain SEARCH.
 * imap_answer_found. */
enum imap_status imap_client_search(struct imap_client *client, enum imap_by by, const char *returns,
                                    const char *charset, const char *criteria, struct imap_call *call);
/* SORT (RFC 5256): keys as "REVERSE DATE". charset NULL: UTF-8. imap_answer_found. */
enum imap_status imap_client_sort(struct imap_client *client, enum imap_by by, const char *keys,
                                  const char *charset, const char *criteria, struct imap_call *call);
/* THREAD (RFC 5256): algorithm "REFERENCES" or "ORDEREDSUBJECT". THREAD, whose .threads is the tree. */
enum imap_status imap_client_thread(struct imap_client *client, enum imap_by by, const char *algorithm,
                                    const char *charset, const char *criteria, struct imap_call *call);

/* ---- APPEND (6.3.11), MULTIAPPEND (RFC 3502), REPLACE (RFC 8508) ------------------------------------- */

/* One message to be uploaded. Exactly one of data, read and fd >= 0 (with the others NULL, NULL, -1) gives its
 * bytes; from fd and read they are taken while they are sent, never held as a whole. Where its size was
 * announced and the bytes then do not come, the connection is given up: nothing half is ever stored. */
struct imap_upload {
    const char *flags;            /* IMAP text, parentheses added where missing; NULL: none */
    const struct imap_date *date; /* INTERNALDATE; NULL: the server's clock */
    const void *data;             /* must stay until the verb has ended */
    int fd;                       /* from its present offset on; a regular file, must stay open likewise */
    /* size bytes in all, in order; returns bytes (> 0), 0 when it has ended early, -errno. On the client's
     * thread, where it must not block for long. */
    ssize_t (*read)(void *arg, void *buf, size_t size);
    void *arg;
    uint64_t size; /* of data, and what read will give; of fd: 0 means up to the file's end */
    bool as_is;    /* else a bare CR or LF of data or fd becomes CRLF (not of read) */
};

/* count > 1 needs MULTIAPPEND: IMAP_NO else, unsent. A file or data is read through once before the verb returns.
 * A file that has changed when it is sent is IMAP_SYS with ESTALE. NUL bytes need BINARY or UTF-8. Mailbox names, flags and bodies follow UTF8=ACCEPT once enabled (RFC 6855).
 * APPENDUID in the text; IMAP_LIMIT when a message is over the server's APPENDLIMIT (RFC 7889), unsent. */
enum imap_status imap_client_append(struct imap_client *client, const char *mailbox,
                                    const struct imap_upload *uploads, size_t count, struct imap_call *call);
/* The message goes, the new one comes, in one step (RFC 8508). IMAP_NO: not offered, unsent. */
enum imap_status imap_client_replace(struct imap_client *client, enum imap_by by, uint32_t number,
                                     const char *mailbox, const struct imap_upload *upload,
                                     struct imap_call *call);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
