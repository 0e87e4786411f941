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

/* A literal that came straight from the line. */
struct imap_answer_body {
    struct imap_answer_body *next;
    char *data; /* with a NUL behind; NULL: refused */
    uint64_t size, have;
    size_t room;
    bool own; /* data is not in the arena */
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
    bool over;                                      /* the cap */
    struct imap_answer_body *bodies;                /* large ones, to be freed */
    struct imap_answer_body *coming, **coming_last; /* of the response that is to be added next */
    size_t coming_count, body_bytes;
    struct imap_answer_slab *slab; /* the newest */
    enum imap_status status;
    struct imap_error error;
    const struct imap_text *text;
    _Atomic(struct imap_view *) views[IMAP_VIEWS];
};

/* Gives the response, which was just parsed into the answer, the bodies that came before it. */
void imap_answer_take_bodies(struct imap_answer *answer, struct imap_response *response);
void imap_answer_forget_bodies(struct imap_answer *answer); /* those that are coming */
void imap_answer_free_bodies(struct imap_answer *answer);

/* Fills view->items or one of the others; the arena is ready. */
typedef void imap_view_make(const struct imap_answer *answer, struct imap_view *view);
const struct imap_view *imap_answer_view(const struct imap_answer *answer, enum imap_view_kind kind,
                                         imap_view_make *make);

#endif
