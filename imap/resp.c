/* SPDX-License-Identifier: MIT */
#include "resp.h"

#include <string.h>
#include <strings.h>

#include "lex.h"
#include "respcode.h"
#include "respdata.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define QUOTED_MAX 60 /* bytes of a response that an error message shows */

static const struct shape {
    const char *name;
    enum imap_response_type type;
    bool numbered;           /* "* 5 NAME" */
    imap_resp_read_fn *read; /* NULL: the values tell all */
} shapes[] = {
    {"FETCH", IMAP_RESP_FETCH, true, imap_respdata_fetch},
    {"UIDFETCH", IMAP_RESP_FETCH, true, imap_respdata_fetch}, /* RFC 9586 */
    {"EXISTS", IMAP_RESP_EXISTS, true, NULL},
    {"RECENT", IMAP_RESP_RECENT, true, NULL},
    {"EXPUNGE", IMAP_RESP_EXPUNGE, true, NULL},
    {"LIST", IMAP_RESP_LIST, false, imap_respdata_list},
    {"XLIST", IMAP_RESP_LIST, false, imap_respdata_list},
    {"LSUB", IMAP_RESP_LSUB, false, imap_respdata_list},
    {"STATUS", IMAP_RESP_STATUS, false, imap_respdata_status},
    {"SEARCH", IMAP_RESP_SEARCH, false, imap_respdata_search},
    {"SORT", IMAP_RESP_SORT, false, imap_respdata_search},
    {"ESEARCH", IMAP_RESP_ESEARCH, false, imap_respdata_esearch},
    {"VANISHED", IMAP_RESP_VANISHED, false, imap_respdata_vanished},
    {"CAPABILITY", IMAP_RESP_CAPABILITY, false, imap_respdata_caps},
    {"ENABLED", IMAP_RESP_ENABLED, false, imap_respdata_caps},
    {"FLAGS", IMAP_RESP_FLAGS, false, imap_respdata_flags},
    {"NAMESPACE", IMAP_RESP_NAMESPACE, false, imap_respdata_namespace},
    {"ID", IMAP_RESP_ID, false, imap_respdata_id},
    {"QUOTA", IMAP_RESP_QUOTA, false, imap_respdata_quota},
    {"QUOTAROOT", IMAP_RESP_QUOTAROOT, false, imap_respdata_quotaroot},
    {"THREAD", IMAP_RESP_THREAD, false, imap_respdata_thread},
    {"ACL", IMAP_RESP_ACL, false, imap_respdata_acl},
    {"LISTRIGHTS", IMAP_RESP_LISTRIGHTS, false, imap_respdata_listrights},
    {"MYRIGHTS", IMAP_RESP_MYRIGHTS, false, imap_respdata_myrights},
    {"METADATA", IMAP_RESP_METADATA, false, imap_respdata_metadata},
    {"ANNOTATION", IMAP_RESP_ANNOTATION, false, imap_respdata_annotation},
};

static const struct {
    const char *name;
    enum imap_response_type type;
    bool tagged; /* may answer a command */
} statuses[] = {
    {"OK", IMAP_RESP_OK, true},
    {"NO", IMAP_RESP_NO, true},
    {"BAD", IMAP_RESP_BAD, true},
    {"BYE", IMAP_RESP_BYE, false},
    {"PREAUTH", IMAP_RESP_PREAUTH, false},
};

static bool is_word(const char *word, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static enum imap_status not_imap(const struct imap_bytes *bytes, struct imap_error *err)
{
    int len = bytes->len < QUOTED_MAX ? (int)bytes->len : QUOTED_MAX;

    return imap_error_set(err, IMAP_PROTO, "the server sent what is not IMAP: %.*s", len, bytes->data);
}

/* ---- status responses and "+" ------------------------------------------------------------------ */

static void read_text(struct imap_lex *lex, struct imap_response *response)
{
    if (lex->at < lex->end && *lex->at == ' ')
        lex->at++;
    imap_respcode_parse(lex->at, (size_t)(lex->end - lex->at), lex->depth, lex->arena, &response->text);
}

static bool read_status(struct imap_lex *lex, const char *word, size_t len, bool tagged,
                        struct imap_response *response)
{
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (!is_word(word, len, statuses[i].name) || (tagged && !statuses[i].tagged))
            continue;
        response->type = statuses[i].type;
        response->name = statuses[i].name;
        read_text(lex, response);
        return true;
    }
    return false;
}

static enum imap_status parse_continue(struct imap_lex *lex, struct imap_response *response)
{
    lex->at++;
    response->type = IMAP_RESP_CONTINUE;
    response->name = "";
    read_text(lex, response);
    return IMAP_OK;
}

static enum imap_status parse_tagged(struct imap_lex *lex, const struct imap_bytes *bytes,
                                     struct imap_response *response, struct imap_error *err)
{
    const char *tag, *word;
    size_t tag_len, word_len;

    tag = imap_lex_word(lex, &tag_len);
    word = imap_lex_word(lex, &word_len);
    if (tag_len == 0 || !read_status(lex, word, word_len, true, response))
        return not_imap(bytes, err);
    response->tag = imap_arena_strndup(lex->arena, tag, tag_len);
    return IMAP_OK;
}

/* ---- untagged data ----------------------------------------------------------------------------- */

static bool read_leading_number(const char *word, size_t len, uint32_t *number_out)
{
    char text[32];
    struct imap_value value = {.kind = IMAP_VALUE_ATOM, .str = text, .len = (uint32_t)len};
    uint64_t number;

    if (len >= sizeof(text))
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    if (!imap_value_number(&value, UINT32_MAX, &number))
        return false;
    *number_out = (uint32_t)number;
    return true;
}

static const struct shape *find_shape(const char *word, size_t len, bool numbered)
{
    for (size_t i = 0; i < COUNT(shapes); i++)
        if (shapes[i].numbered == numbered && is_word(word, len, shapes[i].name))
            return &shapes[i];
    return NULL;
}

static const char *upper(const char *word, size_t len, struct imap_arena *arena)
{
    char *copy = imap_arena_strndup(arena, word, len);

    for (char *at = copy; *at; at++)
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    return copy;
}

static enum imap_status too_much(const struct imap_lex *lex, struct imap_error *err)
{
    return imap_error_set(err, IMAP_LIMIT,
                          lex->full ? "a response holds more values than memory is granted for"
                                    : "a response nests its lists too deep");
}

/* Arguments that make no sense must not be taken for no arguments. */
static void give_up(struct imap_response *response)
{
    struct imap_response plain = {.type = IMAP_RESP_UNKNOWN,
                                  .malformed = response->type,
                                  .name = response->name,
                                  .number = response->number,
                                  .values = response->values,
                                  .raw = response->raw,
                                  .raw_len = response->raw_len,
                                  .streamed = response->streamed,
                                  .streamed_count = response->streamed_count};

    *response = plain;
}

/* In a FETCH only the attribute concerned is lost; THREAD is read from its text. */
static bool may_be_deep(enum imap_response_type type)
{
    return type == IMAP_RESP_FETCH || type == IMAP_RESP_THREAD;
}

static enum imap_status parse_data(struct imap_lex *lex, const struct shape *shape,
                                   struct imap_response *response, const struct imap_section **pending_out,
                                   struct imap_error *err)
{
    struct imap_resp_context context = {
        .arena = lex->arena, .depth = lex->depth, .lex = lex, .pending_out = pending_out};

    context.args.data = lex->at;
    context.args.len = (size_t)(lex->end - lex->at);
    response->values = imap_lex_rest(lex);
    if (lex->full || (lex->too_deep && !may_be_deep(response->type))) {
        give_up(response);
        return too_much(lex, err);
    }
    if (shape && shape->read && !shape->read(&context, response))
        give_up(response);
    return IMAP_OK;
}

static enum imap_status parse_untagged(struct imap_lex *lex, struct imap_response *response,
                                       const struct imap_section **pending_out, struct imap_error *err)
{
    const struct shape *shape;
    bool bare_code, numbered;
    const char *word;
    size_t len;

    lex->at++;
    imap_lex_skip_space(lex);
    /* A code without its OK, as Exchange sends COPYUID. */
    bare_code = lex->at < lex->end && *lex->at == '[';
    word = bare_code ? "OK" : imap_lex_word(lex, &len);
    if (bare_code)
        len = strlen(word);
    numbered = read_leading_number(word, len, &response->number);
    if (!numbered && read_status(lex, word, len, false, response))
        return IMAP_OK;
    if (numbered)
        word = imap_lex_word(lex, &len);
    shape = find_shape(word, len, numbered);
    response->type = shape ? shape->type : IMAP_RESP_UNKNOWN;
    response->name = shape ? shape->name : upper(word, len, lex->arena);
    return parse_data(lex, shape, response, pending_out, err);
}

static enum imap_status parse(const struct imap_bytes *bytes, unsigned depth, struct imap_arena *arena,
                              struct imap_response *response, const struct imap_section **pending_out,
                              struct imap_error *err)
{
    struct imap_lex lex;

    imap_lex_init(&lex, bytes, depth < IMAP_RESP_DEPTH_MAX ? depth : IMAP_RESP_DEPTH_MAX, arena);
    memset(response, 0, sizeof(*response));
    response->name = "";
    response->raw = bytes->data;
    response->raw_len = bytes->len;
    response->streamed = bytes->streamed;
    response->streamed_count = bytes->streamed_count;
    if (bytes->len == 0)
        return not_imap(bytes, err);
    switch (bytes->data[0]) {
    case '+':
        return parse_continue(&lex, response);
    case '*':
        return parse_untagged(&lex, response, pending_out, err);
    default:
        return parse_tagged(&lex, bytes, response, err);
    }
}

enum imap_status imap_resp_parse(const struct imap_bytes *bytes, unsigned depth, struct imap_arena *arena,
                                 struct imap_response *response_out, struct imap_error *err)
{
    const struct imap_section *pending = NULL;

    return parse(bytes, depth, arena, response_out, &pending, err);
}

enum imap_status imap_resp_parse_pending(const struct imap_bytes *bytes, unsigned depth,
                                         struct imap_arena *arena, struct imap_response *response_out,
                                         const struct imap_section **pending_out, struct imap_error *err)
{
    *pending_out = NULL;
    return parse(bytes, depth, arena, response_out, pending_out, err);
}
