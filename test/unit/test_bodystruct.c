/* SPDX-License-Identifier: MIT */
#include <strings.h>

#include "parse_help.h"

static void run_lines(const char *wire, void (*check)(const struct imap_response *, int), int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), "", count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

static const struct imap_part *assert_part(const struct imap_part *part, const char *type,
                                           const char *subtype, uint64_t size, uint64_t lines)
{
    ck_assert_ptr_nonnull(part);
    assert_text(part->type, type);
    assert_text(part->subtype, subtype);
    ck_assert_uint_eq(part->size, size);
    ck_assert_uint_eq(part->lines, lines);
    return part;
}

static void assert_param(const struct imap_param *param, const char *name, const char *value)
{
    ck_assert_ptr_nonnull(param);
    assert_text(param->name, name);
    assert_text(param->value, value);
}

static void check_rfc3501(const struct imap_response *response, int index)
{
    const struct imap_part *part = response->fetch.structure;

    ck_assert_uint_eq(response->fetch.has, index == 0 ? IMAP_FETCH_BODY : IMAP_FETCH_BODYSTRUCTURE);
    if (index == 0) {
        assert_part(part, "TEXT", "PLAIN", 2279, 48);
        assert_param(part->params, "CHARSET", "US-ASCII");
        ck_assert_ptr_null(part->params->next);
        ck_assert_ptr_null(part->id);
        ck_assert_ptr_null(part->description);
        assert_text(part->encoding, "7BIT");
        ck_assert_ptr_null(part->child);
        ck_assert_ptr_null(part->next);
        return;
    }
    assert_part(part, "multipart", "MIXED", 0, 0);
    part = assert_part(part->child, "TEXT", "PLAIN", 1152, 23);
    part = assert_part(part->next, "TEXT", "PLAIN", 4554, 73);
    assert_param(part->params->next, "NAME", "cc.diff");
    assert_text(part->id, "<960723163407.20117h@cac.washington.edu>");
    assert_text(part->description, "Compiler diff");
    assert_text(part->encoding, "BASE64");
    ck_assert_ptr_null(part->next);
}

/* RFC 3501 7.4.2 */
START_TEST(the_samples_of_the_rfc)
{
    run_lines(
        "* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48))\r\n"
        "* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 23)"
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
        "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 4554 73) \"MIXED\"))\r\n",
        check_rfc3501, 2);
}
END_TEST

#define ENVELOPE(subject) "(NIL \"" subject "\" NIL NIL NIL NIL NIL NIL NIL NIL)"
#define TEXT(subtype, size, lines) "(\"TEXT\" \"" subtype "\" NIL NIL NIL \"7BIT\" " size " " lines ")"

static void check_nested(const struct imap_response *response, int index)
{
    const struct imap_part *part, *inner;

    (void)index;
    part = assert_part(response->fetch.structure, "multipart", "MIXED", 0, 0)->child;
    part = assert_part(part, "TEXT", "PLAIN", 10, 1)->next;
    part = assert_part(part, "APPLICATION", "OCTET-STREAM", 20, 0)->next;

    assert_part(part, "MESSAGE", "RFC822", 300, 30); /* 3 */
    assert_text(part->envelope->subject, "three");
    inner = assert_part(part->child, "multipart", "MIXED", 0, 0);
    ck_assert_ptr_null(inner->next);
    inner = assert_part(inner->child, "TEXT", "PLAIN", 31, 3)->next;
    ck_assert_ptr_null(assert_part(inner, "APPLICATION", "OCTET-STREAM", 32, 0)->next);

    part = part->next; /* 4 */
    ck_assert_ptr_null(assert_part(part, "multipart", "MIXED", 0, 0)->next);
    part = assert_part(part->child, "IMAGE", "GIF", 41, 0);
    assert_text(part->id, "<gif@x>");
    part = assert_part(part->next, "MESSAGE", "RFC822", 420, 42); /* 4.2 */
    ck_assert_ptr_null(part->next);
    assert_text(part->envelope->subject, "four two");
    part = assert_part(part->child, "multipart", "MIXED", 0, 0)->child;
    part = assert_part(part, "TEXT", "PLAIN", 421, 5)->next; /* 4.2.1 */
    part = assert_part(part, "multipart", "ALTERNATIVE", 0, 0)->child;
    part = assert_part(part, "TEXT", "PLAIN", 4221, 6)->next;
    ck_assert_ptr_null(assert_part(part, "TEXT", "RICHTEXT", 4222, 7)->next);
}

/* The message that RFC 3501 6.4.5 (RFC 9051 6.4.5.1) numbers the parts of. */
START_TEST(nested_parts)
{
    run_one("* 1 FETCH (BODYSTRUCTURE (" TEXT(
                "PLAIN", "10",
                "1") "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL "
                     "\"BASE64\" 20)(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 300 " ENVELOPE(
                         "three") " (" TEXT("PLAIN", "31",
                                            "3") "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BASE64\" "
                                                 "32) \"MIXED\") 30)((\"IMAGE\" \"GIF\" NIL "
                                                 "\"<gif@x>\" NIL \"BASE64\" 41)(\"MESSAGE\" \"RFC822\" NIL "
                                                 "NIL NIL \"7BIT\" 420 " ENVELOPE("four two") " (" TEXT(
                                                     "PLAIN", "421", "5") "(" TEXT("PLAIN", "4221", "6")
                                                     TEXT("RICHTEXT", "4222",
                                                          "7") " \"ALTERNATIVE\")"
                                                               " \"MIXED\") 42) \"MIXED\") \"MIXED\"))",
            check_nested);
}
END_TEST

static void check_extension(const struct imap_response *response, int index)
{
    const struct imap_part *part = response->fetch.structure;

    (void)index;
    assert_part(part, "multipart", "mixed", 0, 0);
    assert_param(part->params, "boundary", "=_x");
    assert_text(part->disposition, "inline");
    ck_assert_ptr_null(part->disposition_params);
    ck_assert_int_eq(part->language->kind, IMAP_VALUE_LIST);
    ck_assert_str_eq(part->language->child->str, "en");
    ck_assert_str_eq(part->language->child->next->str, "de");
    assert_text(part->location, "http://x/");
    part = assert_part(part->child, "text", "html", 100, 4);
    assert_text(part->md5, "Q2hlY2sgSW50ZWdyaXR5IQ==");
    assert_text(part->disposition, "attachment");
    assert_param(part->disposition_params, "filename", "a \"b\".html");
    assert_param(part->disposition_params->next, "size", "100");
    ck_assert_ptr_null(part->disposition_params->next->next);
    assert_text(part->language->str, "fr");
    assert_text(part->location, "cid:1");
    part = assert_part(part->next, "message", "global", 9, 2);
    assert_text(part->envelope->subject, "inner");
    assert_part(part->child, "TEXT", "PLAIN", 1, 1);
    assert_text(part->disposition, "attachment");
    ck_assert_ptr_null(part->next);
}

START_TEST(extension_data)
{
    run_one("* 1 FETCH (BODYSTRUCTURE ((\"text\" \"html\" NIL NIL NIL \"8bit\" 100 4 "
            "\"Q2hlY2sgSW50ZWdyaXR5IQ==\" "
            "(\"attachment\" (\"filename\" \"a \\\"b\\\".html\" \"size\" \"100\")) \"fr\" \"cid:1\" "
            "\"later\" 5 (6))"
            "(\"message\" \"global\" NIL NIL NIL \"8bit\" 9 " ENVELOPE("inner") " " TEXT(
                "PLAIN", "1", "1") " 2 NIL "
                                   "(\"attachment\" NIL)) \"mixed\" (\"boundary\" \"=_x\") (\"inline\" NIL) "
                                   "(\"en\" \"de\") \"http://x/\"))",
            check_extension);
}
END_TEST

static void check_odd(const struct imap_response *response, int index)
{
    const struct imap_part *part = response->fetch.structure;

    ck_assert_uint_eq(response->fetch.uid, 5);
    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_BODYSTRUCTURE | IMAP_FETCH_UID);
    switch (index) {
    case 0: /* no envelope in a message/rfc822 */
        assert_part(part, "message", "rfc822", 50, 0);
        ck_assert_ptr_null(part->envelope);
        ck_assert_ptr_null(part->child);
        break;
    case 1: /* sizes that are none */
        assert_part(part, "text", "plain", 0, 0);
        break;
    case 2: /* a multipart without parts */
        assert_part(part, "multipart", "mixed", 0, 0);
        ck_assert_ptr_null(part->child);
        break;
    case 3: /* the disposition as a string, an odd parameter list */
        assert_text(part->disposition, "inline");
        assert_param(part->params, "a", "b");
        ck_assert_ptr_null(part->params->next);
        break;
    case 4: /* a message that is a DSN has no envelope */
        assert_part(part, "message", "delivery-status", 70, 0);
        break;
    default:
        ck_abort();
    }
}

START_TEST(structures_seen_in_the_wild)
{
    run_lines("* 1 FETCH (BODYSTRUCTURE (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 50) UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE (\"text\" \"plain\" NIL NIL NIL \"7bit\" NIL -1) UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE (NIL \"mixed\") UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE (\"image\" \"png\" (\"a\" \"b\" \"c\") NIL NIL \"base64\" 5 NIL "
              "\"inline\") UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE (\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 70) UID 5)\r\n",
              check_odd, 5);
}
END_TEST

static void check_lost(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_FETCH);
    ck_assert_uint_eq(response->fetch.has, IMAP_FETCH_UID);
    ck_assert_uint_eq(response->fetch.uid, 5);
    ck_assert_ptr_null(response->fetch.structure);
}

START_TEST(a_broken_structure_is_left_out)
{
    run_lines("* 1 FETCH (BODYSTRUCTURE NIL UID 5)\r\n* 1 FETCH (BODYSTRUCTURE () UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE (\"text\") UID 5)\r\n* 1 FETCH (BODYSTRUCTURE ((\"text\") \"mixed\") "
              "UID 5)\r\n"
              "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\")) UID 5)\r\n",
              check_lost, 5);
}
END_TEST

/* One mail can nest deeper than we follow: it costs its own structure, not the connection. */
START_TEST(a_structure_too_deep_is_left_out)
{
    struct imap_buf wire;

    imap_buf_init(&wire, LIMIT);
    ck_assert(imap_buf_append_str(&wire, "* 1 FETCH (BODYSTRUCTURE "));
    for (int i = 0; i < 100; i++)
        ck_assert(imap_buf_append_str(&wire, "("));
    ck_assert(imap_buf_append_str(&wire, TEXT("PLAIN", "1", "1")));
    for (int i = 0; i < 100; i++)
        ck_assert(imap_buf_append_str(&wire, " \"MIXED\")"));
    ck_assert(imap_buf_append_str(&wire, " UID 5)"));
    run_one(wire.data, check_lost);
    imap_buf_fini(&wire);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {the_samples_of_the_rfc,
                            nested_parts,
                            extension_data,
                            structures_seen_in_the_wild,
                            a_broken_structure_is_left_out,
                            a_structure_too_deep_is_left_out,
                            NULL};

    return run_tests("bodystruct", tests);
}
