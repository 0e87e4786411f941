/* SPDX-License-Identifier: MIT */
#include "respcode.h"

#include <string.h>
#include <strings.h>

#include "flags.h"
#include "respdata.h"

struct context {
    struct imap_lex *lex; /* at the arguments */
    struct imap_arena *arena;
    struct imap_text *text;
};

typedef void read_fn(struct context *context);

static void read_number32(struct context *context)
{
    (void)imap_value_number(imap_lex_value(context->lex), UINT32_MAX, &context->text->number);
}

static void read_number64(struct context *context)
{
    (void)imap_value_number(imap_lex_value(context->lex), INT64_MAX, &context->text->number);
}

static void read_uidvalidity(struct context *context)
{
    uint64_t number;

    if (imap_value_number(imap_lex_value(context->lex), UINT32_MAX, &number))
        context->text->uidvalidity = (uint32_t)number;
}

static void read_appenduid(struct context *context)
{
    read_uidvalidity(context);
    context->text->to = imap_respdata_seqset(imap_lex_value(context->lex), context->arena);
}

static void read_copyuid(struct context *context)
{
    read_uidvalidity(context);
    context->text->from = imap_respdata_seqset(imap_lex_value(context->lex), context->arena);
    context->text->to = imap_respdata_seqset(imap_lex_value(context->lex), context->arena);
}

static void read_modified(struct context *context)
{
    context->text->from = imap_respdata_seqset(imap_lex_value(context->lex), context->arena);
}

static void read_capability(struct context *context)
{
    struct imap_value *words = imap_lex_rest(context->lex);

    if (words)
        context->text->caps = imap_respdata_words(words->child, context->arena);
}

static void read_permanentflags(struct context *context)
{
    struct imap_flags *flags = imap_arena_zalloc(context->arena, sizeof(*flags));

    if (imap_flags_read(imap_lex_value(context->lex), context->arena, flags))
        context->text->flags = flags;
}

/* "LONGENTRIES 2199", "MAXSIZE 1024" (RFC 5464 4) */
static void read_metadata(struct context *context)
{
    imap_lex_value(context->lex);
    read_number64(context);
}

static const struct {
    enum imap_code code;
    read_fn *read;
} readers[] = {
    {IMAP_CODE_UNKNOWN, read_number64},       {IMAP_CODE_APPENDUID, read_appenduid},
    {IMAP_CODE_CAPABILITY, read_capability},  {IMAP_CODE_COPYUID, read_copyuid},
    {IMAP_CODE_HIGHESTMODSEQ, read_number64}, {IMAP_CODE_METADATA, read_metadata},
    {IMAP_CODE_MODIFIED, read_modified},      {IMAP_CODE_PERMANENTFLAGS, read_permanentflags},
    {IMAP_CODE_UIDNEXT, read_number32},       {IMAP_CODE_UIDVALIDITY, read_number32},
    {IMAP_CODE_UNSEEN, read_number32},
};

static enum imap_code find_code(const char *name)
{
    for (int code = IMAP_CODE_ALERT; code <= IMAP_CODE_USEATTR; code++)
        if (strcasecmp(name, imap_code_name((enum imap_code)code)) == 0)
            return (enum imap_code)code;
    return IMAP_CODE_UNKNOWN;
}

static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at;
}

/* The bracket that closes the one at open: keywords and strings may hold brackets too. */
static const char *find_close(const char *open, const char *end)
{
    const char *at;
    int depth = 0;

    for (at = open + 1; at < end; at++) {
        if (*at == '"' && (at[-1] == ' ' || at[-1] == '('))
            at = skip_quoted(at, end);
        else if (*at == '(')
            depth++;
        else if (*at == ')')
            depth--;
        else if (*at == ']' && depth == 0)
            return at;
        if (at >= end)
            break;
    }
    return memchr(open, ']', (size_t)(end - open));
}

static void read_code(const char *open, const char *close, unsigned depth, struct imap_arena *arena,
                      struct imap_text *out)
{
    struct imap_bytes bytes = {.data = open + 1, .len = (size_t)(close - open - 1)};
    struct imap_lex lex;
    const char *name;
    size_t len;
    struct context context = {&lex, arena, out};

    imap_lex_init(&lex, &bytes, depth, arena);
    name = imap_lex_word(&lex, &len);
    out->code_name = imap_arena_strndup(arena, name, len);
    out->code = find_code(out->code_name);
    imap_lex_skip_space(&lex);
    out->code_args = imap_arena_strndup(arena, lex.at, (size_t)(lex.end - lex.at));
    for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
        if (readers[i].code == out->code)
            readers[i].read(&context);
}

/* Human text goes to logs and terminals: no NUL to cut it short, no stray CR. */
static const char *copy_text(const char *text, size_t len, struct imap_arena *arena)
{
    char *copy = imap_arena_strndup(arena, text, len), *out = copy;

    for (size_t i = 0; i < len; i++)
        if (text[i] != '\r' && text[i] != '\0')
            *out++ = text[i];
    *out = '\0';
    return copy;
}

void imap_respcode_parse(const char *text, size_t len, unsigned depth, struct imap_arena *arena,
                         struct imap_text *text_out)
{
    const char *end = text + len, *close;

    *text_out = (struct imap_text){.code_args = ""};
    if (len > 0 && *text == '[') {
        close = find_close(text, end);
        read_code(text, close ? close : end, depth, arena, text_out);
        text = close ? close + 1 : end;
        if (text < end && *text == ' ')
            text++;
    }
    text_out->text = copy_text(text, (size_t)(end - text), arena);
}
