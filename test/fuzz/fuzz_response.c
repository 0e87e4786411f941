/* SPDX-License-Identifier: MIT */
/*
 * Feeds the framer and the parser, cut as the input's first bytes say, and visits all that they give.
 *
 * The same bytes are framed twice, whole and cut: the responses must be the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flags.h"
#include "frame.h"
#include "resp.h"

#define LIMIT 65536
#define DEPTH 16
#define CUTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint64_t hash;
    size_t responses;
};

static void mix(struct outcome *outcome, const void *data, size_t len)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < len; i++)
        outcome->hash = (outcome->hash ^ at[i]) * 1099511628211u;
}

static void mix_number(struct outcome *outcome, uint64_t number)
{
    mix(outcome, &number, sizeof(number));
}

static void mix_text(struct outcome *outcome, const char *text)
{
    if (text)
        mix(outcome, text, strlen(text) + 1);
}

static void visit_values(struct outcome *outcome, const struct imap_value *value)
{
    for (; value; value = value->next) {
        mix_number(outcome, value->kind);
        mix_number(outcome, value->size);
        if (value->str) {
            mix(outcome, value->str, value->len);
            if (value->str[value->len] != '\0')
                abort();
        }
        visit_values(outcome, value->child);
    }
}

static void visit_set(struct outcome *outcome, const struct imap_seqset *set)
{
    if (set)
        mix(outcome, set->ranges, set->count * sizeof(*set->ranges));
}

static void visit_flags(struct outcome *outcome, const struct imap_flags *flags)
{
    struct imap_buf buf;

    imap_buf_init(&buf, LIMIT);
    if (imap_flags_format(&buf, flags->system, flags->keywords, flags->keyword_count))
        mix(outcome, buf.data, buf.len);
    imap_buf_fini(&buf);
}

static void visit_text(struct outcome *outcome, const struct imap_text *text)
{
    mix_number(outcome, text->code);
    mix_number(outcome, text->number);
    mix_text(outcome, text->code_name);
    mix_text(outcome, text->code_args);
    mix_text(outcome, text->text);
    visit_set(outcome, text->from);
    visit_set(outcome, text->to);
    if (text->caps)
        mix_text(outcome, text->caps->text);
    if (text->flags)
        visit_flags(outcome, text->flags);
}

static void visit_addresses(struct outcome *outcome, const struct imap_address *address)
{
    for (; address; address = address->next) {
        mix_text(outcome, address->name);
        mix_text(outcome, address->mailbox);
        mix_text(outcome, address->host);
    }
}

static void visit_envelope(struct outcome *outcome, const struct imap_envelope *envelope)
{
    if (!envelope)
        return;
    mix_text(outcome, envelope->subject);
    mix_text(outcome, envelope->message_id);
    visit_addresses(outcome, envelope->from);
    visit_addresses(outcome, envelope->to);
    visit_addresses(outcome, envelope->bcc);
}

static void visit_params(struct outcome *outcome, const struct imap_param *param)
{
    for (; param; param = param->next) {
        mix_text(outcome, param->name);
        mix_text(outcome, param->value);
    }
}

static void visit_part(struct outcome *outcome, const struct imap_part *part)
{
    for (; part; part = part->next) {
        mix_text(outcome, part->type);
        mix_text(outcome, part->subtype);
        mix_number(outcome, part->size);
        visit_params(outcome, part->params);
        visit_params(outcome, part->disposition_params);
        visit_envelope(outcome, part->envelope);
        visit_part(outcome, part->child);
    }
}

static void visit_fetch(struct outcome *outcome, const struct imap_fetch *fetch)
{
    mix_number(outcome, fetch->seq);
    mix_number(outcome, fetch->uid);
    mix_number(outcome, fetch->has);
    mix_number(outcome, fetch->size);
    visit_flags(outcome, &fetch->flags);
    visit_envelope(outcome, fetch->envelope);
    visit_part(outcome, fetch->structure);
    for (const struct imap_section *section = fetch->sections; section; section = section->next) {
        mix_text(outcome, section->spec);
        mix_number(outcome, section->origin);
        if (section->data)
            mix(outcome, section->data, (size_t)section->size);
    }
}

static void visit_list(struct outcome *outcome, const struct imap_list *list)
{
    mix(outcome, list->name, list->name_len);
    mix_text(outcome, list->special_use);
    mix_text(outcome, list->old_name);
    visit_values(outcome, list->extended);
    if (strlen(list->name) != list->name_len)
        abort();
}

static void visit_namespaces(struct outcome *outcome, const struct imap_namespace_entry *entry)
{
    for (; entry; entry = entry->next)
        mix_text(outcome, entry->prefix);
}

/* Without recursion, as trees may be deep. */
static void visit_threads(struct outcome *outcome, const struct imap_thread *roots)
{
    size_t count = 0, room = 16;
    const struct imap_thread **todo = malloc(room * sizeof(*todo));

    if (!todo)
        abort();
    if (roots)
        todo[count++] = roots;
    while (count > 0) {
        const struct imap_thread *thread = todo[--count];

        mix_number(outcome, thread->number);
        if (count + 2 > room) {
            room *= 2;
            todo = realloc(todo, room * sizeof(*todo));
            if (!todo)
                abort();
        }
        if (thread->next)
            todo[count++] = thread->next;
        if (thread->child)
            todo[count++] = thread->child;
    }
    free(todo);
}

static void visit_acl(struct outcome *outcome, const struct imap_acl *acl)
{
    mix_text(outcome, acl->name);
    for (const struct imap_acl_entry *entry = acl->entries; entry; entry = entry->next) {
        mix_text(outcome, entry->identifier);
        mix_text(outcome, entry->rights);
    }
}

static void visit_metadata(struct outcome *outcome, const struct imap_metadata *metadata)
{
    mix_text(outcome, metadata->name);
    for (const struct imap_metadata_entry *entry = metadata->entries; entry; entry = entry->next) {
        mix_text(outcome, entry->entry);
        mix_text(outcome, entry->attribute);
        if (entry->value)
            mix(outcome, entry->value, entry->value_len);
        if (!entry->value && entry->value_len)
            abort();
    }
}

static void visit_by_type(struct outcome *outcome, const struct imap_response *response)
{
    switch (response->type) {
    case IMAP_RESP_CONTINUE:
    case IMAP_RESP_OK:
    case IMAP_RESP_NO:
    case IMAP_RESP_BAD:
    case IMAP_RESP_BYE:
    case IMAP_RESP_PREAUTH:
        visit_text(outcome, &response->text);
        break;
    case IMAP_RESP_CAPABILITY:
    case IMAP_RESP_ENABLED:
        mix_text(outcome, response->caps->text);
        break;
    case IMAP_RESP_FLAGS:
        visit_flags(outcome, &response->flags);
        break;
    case IMAP_RESP_LIST:
    case IMAP_RESP_LSUB:
        visit_list(outcome, &response->list);
        break;
    case IMAP_RESP_STATUS:
        mix(outcome, response->status.name, response->status.name_len);
        mix_number(outcome, response->status.has);
        mix_text(outcome, response->status.mailboxid);
        break;
    case IMAP_RESP_SEARCH:
    case IMAP_RESP_SORT:
        mix(outcome, response->search.numbers, response->search.count * sizeof(*response->search.numbers));
        break;
    case IMAP_RESP_ESEARCH:
        mix_text(outcome, response->esearch.tag);
        visit_set(outcome, response->esearch.all);
        visit_set(outcome, response->esearch.partial);
        break;
    case IMAP_RESP_VANISHED:
        visit_set(outcome, response->vanished.uids);
        break;
    case IMAP_RESP_FETCH:
        visit_fetch(outcome, &response->fetch);
        break;
    case IMAP_RESP_NAMESPACE:
        visit_namespaces(outcome, response->ns.personal);
        visit_namespaces(outcome, response->ns.other);
        visit_namespaces(outcome, response->ns.shared);
        break;
    case IMAP_RESP_ID:
        visit_params(outcome, response->id.params);
        break;
    case IMAP_RESP_QUOTA:
        mix_text(outcome, response->quota.root);
        break;
    case IMAP_RESP_QUOTAROOT:
        mix_text(outcome, response->quotaroot.name);
        visit_values(outcome, response->quotaroot.roots);
        break;
    case IMAP_RESP_THREAD:
        visit_threads(outcome, response->threads);
        break;
    case IMAP_RESP_ACL:
    case IMAP_RESP_MYRIGHTS:
        visit_acl(outcome, &response->acl);
        break;
    case IMAP_RESP_LISTRIGHTS:
        mix_text(outcome, response->listrights.name);
        mix_text(outcome, response->listrights.identifier);
        mix_text(outcome, response->listrights.required);
        visit_values(outcome, response->listrights.optional);
        break;
    case IMAP_RESP_METADATA:
    case IMAP_RESP_ANNOTATION:
        visit_metadata(outcome, &response->metadata);
        break;
    default:
        break;
    }
}

static void take_response(struct imap_frame *frame, struct imap_arena *arena, struct outcome *outcome)
{
    struct imap_response response;
    struct imap_error err;

    imap_arena_reset(arena);
    mix_number(outcome, imap_resp_parse(&frame->bytes, DEPTH, arena, &response, &err));
    outcome->responses++;
    mix_number(outcome, response.type);
    mix_text(outcome, response.name);
    mix_text(outcome, response.tag);
    visit_values(outcome, response.values);
    if (response.name)
        visit_by_type(outcome, &response);
}

static bool take_literal(struct imap_frame *frame, struct imap_arena *arena, struct outcome *outcome)
{
    const struct imap_section *pending;
    struct imap_response response;

    imap_arena_reset(arena);
    if (imap_resp_parse_pending(&frame->bytes, DEPTH, arena, &response, &pending, NULL) != IMAP_OK)
        return false;
    if (!pending)
        return imap_frame_buffer(frame);
    visit_fetch(outcome, &response.fetch);
    mix_text(outcome, pending->spec);
    if (frame->literal_size % 3 == 0)
        imap_frame_drop(frame);
    else
        imap_frame_stream(frame);
    return true;
}

/* False when the stream is at its end. */
static bool feed(struct imap_frame *frame, struct imap_arena *arena, const char *data, size_t len,
                 struct outcome *outcome)
{
    enum imap_frame_event event;
    size_t used;

    while ((event = imap_frame_feed(frame, data, len, &used)) != IMAP_FRAME_MORE) {
        data += used;
        len -= used;
        switch (event) {
        case IMAP_FRAME_RESPONSE:
            take_response(frame, arena, outcome);
            break;
        case IMAP_FRAME_LITERAL:
            if (!take_literal(frame, arena, outcome))
                return false;
            break;
        case IMAP_FRAME_DATA:
            mix(outcome, frame->chunk, frame->chunk_len);
            break;
        case IMAP_FRAME_DATA_END:
            break;
        default:
            return false;
        }
    }
    if (used != len)
        abort();
    return true;
}

/* Pieces are copied to memory of their own, for the sanitizer to see their ends. */
static bool feed_copy(struct imap_frame *frame, struct imap_arena *arena, const char *data, size_t len,
                      struct outcome *outcome)
{
    char *copy = malloc(len ? len : 1);
    bool more;

    if (!copy)
        abort();
    memcpy(copy, data, len);
    more = feed(frame, arena, copy, len, outcome);
    free(copy);
    return more;
}

static struct outcome run(const char *data, size_t size, const uint8_t *steps)
{
    struct outcome outcome = {.hash = 14695981039346656037u};
    struct imap_frame frame;
    struct imap_arena arena;
    size_t at = 0;

    imap_frame_init(&frame, LIMIT);
    imap_arena_init(&arena, IMAP_RESP_ARENA_CAP(LIMIT));
    for (size_t i = 0; at < size; i++) {
        size_t len = steps ? (size_t)steps[i % CUTS] + 1 : size;

        if (len > size - at)
            len = size - at;
        if (!feed_copy(&frame, &arena, data + at, len, &outcome))
            break;
        at += len;
    }
    imap_frame_fini(&frame);
    imap_arena_fini(&arena);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;
    const char *text;

    if (size < CUTS)
        return 0;
    text = (const char *)data + CUTS;
    whole = run(text, size - CUTS, NULL);
    cut = run(text, size - CUTS, data);
    if (whole.hash != cut.hash || whole.responses != cut.responses)
        abort();
    return 0;
}
