/* SPDX-License-Identifier: MIT */
/*
 * Messages from FETCH responses.
 *
 * What belongs to one message is told by its UID. Where a response does not tell it, another one with the same
 * sequence number may, as long as no EXPUNGE has come between them (struct imap_response, renumbered): then
 * nothing says that it is the same message, and they stay apart.
 */
#include "answer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

struct entry {
    const struct imap_fetch *fetch;
    uint32_t uid; /* 0: nobody has told */
    uint32_t seq, era;
    size_t order;
};

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_number(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare(a->era, b->era);
    if (order == 0)
        order = compare(a->seq, b->seq);
    return order ? order : compare(a->order, b->order);
}

static int by_uid(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare((uint64_t)a->uid - 1, (uint64_t)b->uid - 1); /* 0 comes last */
    if (order == 0 && a->uid == 0) {
        order = compare(a->seq, b->seq);
        if (order == 0)
            order = compare(a->era, b->era);
    }
    return order ? order : compare(a->order, b->order);
}

static void sort(struct entry *entries, size_t count, int (*by)(const void *, const void *))
{
    for (size_t i = 1; i < count; i++) {
        if (by(&entries[i - 1], &entries[i]) > 0) {
            qsort(entries, count, sizeof *entries, by);
            return;
        }
    }
}

/* entries[0..count) have one number: the UID that some of them tell is that of all, unless two tell two. */
static void share_uid(struct entry *entries, size_t count)
{
    uint32_t uid = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].uid != 0 && uid != 0 && entries[i].uid != uid)
            return;
        if (entries[i].uid != 0)
            uid = entries[i].uid;
    }
    for (size_t i = 0; i < count; i++)
        entries[i].uid = uid;
}

static void find_uids(struct entry *entries, size_t count)
{
    size_t unknown = 0;
    for (size_t i = 0; i < count; i++)
        unknown += entries[i].uid == 0;
    if (unknown == 0 || unknown == count)
        return;
    sort(entries, count, by_number);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1;
             end < count && entries[end].seq == entries[begin].seq && entries[end].era == entries[begin].era;)
            end++;
        if (entries[begin].seq != 0)
            share_uid(&entries[begin], end - begin);
    }
}

static bool same_message(const struct entry *a, const struct entry *b)
{
    if (a->uid != 0 || b->uid != 0)
        return a->uid == b->uid;
    return a->seq != 0 && a->seq == b->seq && a->era == b->era;
}

/* ---- merging ------------------------------------------------------------------------------------ */

static void take_attributes(struct imap_fetch *into, const struct imap_fetch *from)
{
    if (from->seq != 0)
        into->seq = from->seq;
    if (from->has & IMAP_FETCH_FLAGS)
        into->flags = from->flags;
    if (from->has & IMAP_FETCH_INTERNALDATE)
        into->internaldate = from->internaldate;
    if (from->has & IMAP_FETCH_SAVEDATE)
        into->savedate = from->savedate;
    if (from->has & IMAP_FETCH_SIZE)
        into->size = from->size;
    if (from->has & IMAP_FETCH_MODSEQ)
        into->modseq = from->modseq;
    if (from->has & IMAP_FETCH_ENVELOPE)
        into->envelope = from->envelope;
    if (from->has & (IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)) {
        into->structure = from->structure;
        into->has &= ~(IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE); /* one structure, of one kind */
    }
    if (from->has & IMAP_FETCH_EMAILID)
        into->emailid = from->emailid;
    if (from->has & IMAP_FETCH_THREADID)
        into->threadid = from->threadid;
    if (from->has & IMAP_FETCH_PREVIEW)
        into->preview = from->preview;
    if (from->has & IMAP_FETCH_LABELS)
        into->labels = from->labels;
    into->has |= from->has;
}

static const struct imap_fetch *merge(struct imap_arena *arena, const struct entry *entries, size_t count)
{
    struct imap_fetch *merged = imap_arena_zalloc(arena, sizeof *merged);
    const struct imap_section **tail = &merged->sections;
    for (size_t i = 0; i < count; i++) {
        take_attributes(merged, entries[i].fetch);
        for (const struct imap_section *from = entries[i].fetch->sections; from; from = from->next) {
            struct imap_section *section = imap_arena_alloc(arena, sizeof *section);
            *section = *from;
            section->next = NULL;
            *tail = section;
            tail = &section->next;
        }
    }
    merged->uid = entries[0].uid;
    return merged;
}

/* ---- the view ----------------------------------------------------------------------------------- */

static size_t count_messages(const struct imap_answer *answer)
{
    const struct imap_response *response = NULL;
    size_t count = 0;
    while ((response = imap_answer_next(answer, IMAP_RESP_FETCH, response)))
        count++;
    return count;
}

static void make_messages(const struct imap_answer *answer, struct imap_view *view)
{
    size_t count = count_messages(answer), at = 0;
    struct entry *entries = imap_xcalloc(count ? count : 1, sizeof *entries);
    const struct imap_response *response = NULL;

    while ((response = imap_answer_next(answer, IMAP_RESP_FETCH, response))) {
        const struct imap_fetch *fetch = &response->fetch;
        entries[at] = (struct entry){fetch, fetch->uid, fetch->seq, response->renumbered, at};
        at++;
    }
    find_uids(entries, count);
    sort(entries, count, by_uid);

    view->items = imap_arena_array(&view->arena, count, sizeof *view->items);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && same_message(&entries[begin], &entries[end]);)
            end++;
        bool alone = end - begin == 1;
        view->items[view->count++] =
            alone ? entries[begin].fetch : merge(&view->arena, &entries[begin], end - begin);
    }
    free(entries);
}

const struct imap_fetch *const *imap_answer_messages(const struct imap_answer *answer, size_t *count_out)
{
    const struct imap_view *view = imap_answer_view(answer, IMAP_VIEW_MESSAGES, make_messages);
    *count_out = view->count;
    return (const struct imap_fetch *const *)view->items;
}

const struct imap_fetch *imap_answer_message(const struct imap_answer *answer, uint32_t uid)
{
    size_t low = 0, high, count;
    const struct imap_fetch *const *messages = imap_answer_messages(answer, &count);
    for (high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        uint32_t here = messages[middle]->uid;
        if (here != 0 && here < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return uid != 0 && low < count && messages[low]->uid == uid ? messages[low] : NULL;
}

const struct imap_section *imap_fetch_section(const struct imap_fetch *fetch, enum imap_section_kind kind,
                                              const char *spec)
{
    const struct imap_section *found = NULL;
    for (const struct imap_section *section = fetch->sections; section; section = section->next)
        if (section->kind == kind && strcasecmp(section->spec, spec) == 0)
            found = section; /* the last counts, as of attributes */
    return found;
}
