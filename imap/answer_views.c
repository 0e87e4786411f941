/* SPDX-License-Identifier: MIT */
/* What was found, what went away, and one of many. */
#include "answer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

#define FOUND_MAX 50000000

/* ---- searches ----------------------------------------------------------------------------------- */

static bool is_found(const struct imap_response *response)
{
    return response->type == IMAP_RESP_SEARCH || response->type == IMAP_RESP_SORT ||
           response->type == IMAP_RESP_ESEARCH;
}

static uint64_t set_size(const struct imap_seqset *set)
{
    return set ? imap_seqset_size(set) : 0;
}

static uint64_t found_size(const struct imap_response *response)
{
    if (response->type != IMAP_RESP_ESEARCH)
        return response->search.count;
    return set_size(response->esearch.all) + set_size(response->esearch.partial);
}

struct numbers {
    uint32_t *at;
    size_t count;
};

static void add_set(struct numbers *numbers, const struct imap_seqset *set)
{
    for (size_t i = 0; set && i < set->count; i++) {
        uint32_t first = set->ranges[i].first, last = set->ranges[i].last;
        for (uint32_t number = first;; number++) {
            numbers->at[numbers->count++] = number;
            if (number == last)
                break;
        }
    }
}

static void take_esearch(const struct imap_esearch *esearch, struct imap_found *found,
                         struct numbers *numbers)
{
    add_set(numbers, esearch->all);
    add_set(numbers, esearch->partial);
    if (esearch->has_min) {
        found->has_min = true;
        found->min = esearch->min;
    }
    if (esearch->has_max) {
        found->has_max = true;
        found->max = esearch->max;
    }
    if (esearch->has_count) {
        found->has_total = true;
        found->total = esearch->count;
    }
    if (esearch->modseq != 0)
        found->modseq = esearch->modseq;
}

static void take_search(const struct imap_search *search, struct imap_found *found, struct numbers *numbers)
{
    if (search->count > 0)
        memcpy(numbers->at + numbers->count, search->numbers, search->count * sizeof *numbers->at);
    numbers->count += search->count;
    if (search->modseq != 0)
        found->modseq = search->modseq;
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void make_rising(struct numbers *numbers)
{
    size_t kept = 0, i = 1;
    while (i < numbers->count && numbers->at[i - 1] < numbers->at[i])
        i++;
    if (i >= numbers->count)
        return;
    qsort(numbers->at, numbers->count, sizeof *numbers->at, compare_numbers);
    for (i = 1; i < numbers->count; i++)
        if (numbers->at[i] != numbers->at[kept])
            numbers->at[++kept] = numbers->at[i];
    numbers->count = kept + 1;
}

/* Called when they are known to be few enough. */
static void make_found(const struct imap_answer *answer, struct imap_view *view)
{
    const struct imap_response *response = NULL;
    struct imap_found *found = &view->found;
    struct numbers numbers = {0};
    bool searched = false, sorted = false;
    uint64_t size = 0;

    while ((response = imap_answer_any(answer, response)))
        if (is_found(response))
            size += found_size(response);
    numbers.at = imap_arena_array(&view->arena, (size_t)size, sizeof *numbers.at);
    while ((response = imap_answer_any(answer, response))) {
        if (!is_found(response))
            continue;
        sorted = sorted || response->type == IMAP_RESP_SORT;
        searched = searched || response->type != IMAP_RESP_ESEARCH;
        if (response->type == IMAP_RESP_ESEARCH)
            take_esearch(&response->esearch, found, &numbers);
        else
            take_search(&response->search, found, &numbers);
    }
    if (!sorted)
        make_rising(&numbers);
    if (searched && !found->has_total) {
        found->has_total = true;
        found->total = (uint32_t)numbers.count;
    }
    found->numbers = numbers.at;
    found->count = numbers.count;
}

enum imap_status imap_answer_found(const struct imap_answer *answer, struct imap_found *found_out,
                                   struct imap_error *err)
{
    const struct imap_response *response = NULL;
    uint64_t size = 0;
    bool any = false;

    while ((response = imap_answer_any(answer, response))) {
        if (!is_found(response))
            continue;
        any = true;
        size += found_size(response);
        if (size > FOUND_MAX)
            return imap_error_set(err, IMAP_LIMIT, "the server claims to have found over %d messages",
                                  FOUND_MAX);
    }
    if (!any)
        return imap_error_set(err, IMAP_GONE, "the server told of no search");
    *found_out = imap_answer_view(answer, IMAP_VIEW_FOUND, make_found)->found;
    return IMAP_OK;
}

/* ---- what went away ----------------------------------------------------------------------------- */

static int compare_ranges(const void *left, const void *right)
{
    const struct imap_range *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

static void make_vanished(const struct imap_answer *answer, struct imap_view *view)
{
    const struct imap_response *response = NULL;
    struct imap_range *ranges;
    size_t count = 0, at = 0;

    while ((response = imap_answer_next(answer, IMAP_RESP_VANISHED, response)))
        count += response->vanished.uids->count;
    ranges = imap_arena_array(&view->arena, count, sizeof *ranges);
    while ((response = imap_answer_next(answer, IMAP_RESP_VANISHED, response))) {
        const struct imap_seqset *uids = response->vanished.uids;
        if (uids->count > 0)
            memcpy(ranges + at, uids->ranges, uids->count * sizeof *ranges);
        at += uids->count;
    }
    qsort(ranges, count, sizeof *ranges, compare_ranges); /* adding in rising order is cheap */
    for (size_t i = 0; i < count; i++)
        imap_seqset_add(&view->vanished, ranges[i].first, ranges[i].last);
}

const struct imap_seqset *imap_answer_vanished(const struct imap_answer *answer)
{
    return &imap_answer_view(answer, IMAP_VIEW_VANISHED, make_vanished)->vanished;
}

/* ---- one of many -------------------------------------------------------------------------------- */

static const char *canonical(const char *mailbox)
{
    return strcasecmp(mailbox, "INBOX") == 0 ? "INBOX" : mailbox;
}

static int compare_mailboxes(const char *a, const char *b)
{
    return strcmp(canonical(a), canonical(b));
}

struct ordered_status {
    const struct imap_mailbox_status *status;
    size_t order;
};

static int compare_statuses(const void *left, const void *right)
{
    const struct ordered_status *a = left, *b = right;
    int order = compare_mailboxes(a->status->name, b->status->name);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* One a mailbox, sorted by name: of several the last. */
static void make_statuses(const struct imap_answer *answer, struct imap_view *view)
{
    const struct imap_response *response = NULL;
    struct ordered_status *all;
    size_t count = 0, at = 0;

    while ((response = imap_answer_next(answer, IMAP_RESP_STATUS, response)))
        count++;
    all = imap_arena_array(&view->arena, count, sizeof *all);
    view->items = imap_arena_array(&view->arena, count, sizeof *view->items);
    while ((response = imap_answer_next(answer, IMAP_RESP_STATUS, response))) {
        all[at] = (struct ordered_status){&response->status, at};
        at++;
    }
    qsort(all, count, sizeof *all, compare_statuses);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || compare_mailboxes(all[i].status->name, all[i + 1].status->name) != 0)
            view->items[view->count++] = all[i].status;
}

static int compare_with_status(const void *mailbox, const void *item)
{
    const struct imap_mailbox_status *const *status = item;
    return compare_mailboxes(mailbox, (*status)->name);
}

const struct imap_mailbox_status *imap_answer_mailbox_status(const struct imap_answer *answer,
                                                             const char *mailbox)
{
    const struct imap_view *view = imap_answer_view(answer, IMAP_VIEW_STATUSES, make_statuses);
    const struct imap_mailbox_status *const *found =
        bsearch(mailbox, view->items, view->count, sizeof *view->items, compare_with_status);
    return found ? *found : NULL;
}

/* Those that only name what has changed say nothing of values. */
static bool has_values(const struct imap_response *response)
{
    const struct imap_value *second = response->values->child->next;
    bool listed = second && second->kind == IMAP_VALUE_LIST;
    if (response->type == IMAP_RESP_METADATA)
        return listed;
    return response->type == IMAP_RESP_ANNOTATION && !listed;
}

static bool is_entry(const struct imap_metadata_entry *item, const char *entry, const char *attribute)
{
    if (strcasecmp(item->entry, entry) != 0)
        return false;
    if (!attribute || !item->attribute)
        return !attribute && !item->attribute;
    return strcasecmp(item->attribute, attribute) == 0;
}

const struct imap_metadata_entry *imap_answer_metadata(const struct imap_answer *answer, const char *mailbox,
                                                       const char *entry, const char *attribute)
{
    const struct imap_metadata_entry *found = NULL;
    const struct imap_response *response = NULL;

    while ((response = imap_answer_any(answer, response))) {
        bool kept = response->type == IMAP_RESP_METADATA || response->type == IMAP_RESP_ANNOTATION;
        if (!kept || !has_values(response) || compare_mailboxes(response->metadata.name, mailbox) != 0)
            continue;
        for (const struct imap_metadata_entry *item = response->metadata.entries; item; item = item->next)
            if (is_entry(item, entry, attribute))
                found = item; /* the last counts */
    }
    return found;
}
