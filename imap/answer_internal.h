/* SPDX-License-Identifier: MIT */
/*
 * answer_internal: the inside of an answer, shared by answer.c and the views.
 *
 * Views are what is put together from several responses. Each is made by the first who asks, in memory of its
 * own, and published by one atomic exchange; who loses the race throws his away. So readers need no lock.
 */
#ifndef IMAP_ANSWER_INTERNAL_H
#define IMAP_ANSWER_INTERNAL_H

#include <stdatomic.h>

#include "answer_build.h"
#include "arena.h"

struct imap_answer_node {
    struct imap_response response; /* first: imap_answer_next finds the node by it */
    struct imap_answer_node *next;
};

struct imap_view {
    struct imap_arena arena; /* of what follows */
    const void **items;      /* messages: of struct imap_fetch; statuses: of struct imap_mailbox_status */
    size_t count;
    struct imap_found found;
    struct imap_seqset vanished;
};

enum imap_view_kind {
    IMAP_VIEW_MESSAGES,
    IMAP_VIEW_FOUND,
    IMAP_VIEW_VANISHED,
    IMAP_VIEW_STATUSES,
    IMAP_VIEWS
};

struct imap_answer {
    atomic_size_t refs;
    struct imap_arena arena; /* of the responses and the text */
    struct imap_answer_node *first, **last;
    size_t count;
    size_t cap;
    bool over; /* the cap */
    enum imap_status status;
    struct imap_error error;
    const struct imap_text *text;
    _Atomic(struct imap_view *) views[IMAP_VIEWS];
};

/* Fills view->items or one of the others; the arena is ready. */
typedef void imap_view_make(const struct imap_answer *answer, struct imap_view *view);
const struct imap_view *imap_answer_view(const struct imap_answer *answer, enum imap_view_kind kind,
                                         imap_view_make *make);

#endif
