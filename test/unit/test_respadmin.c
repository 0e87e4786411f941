/* SPDX-License-Identifier: MIT */
/* THREAD (RFC 5256), rights (RFC 4314), METADATA (RFC 5464) and ANNOTATION (ANNOTATEMORE). */
#include <stdio.h>

#include "parse_help.h"

static void run_lines(const char *wire, size_t len, void (*check)(const struct imap_response *, int),
                      int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, len, "", count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

#define RUN(wire, check, count) run_lines(wire, sizeof(wire) - 1, check, count)

/* ---- THREAD -------------------------------------------------------------------------------------- */

/* "3{6{4{23}44{7{96}}}}": a message and, in braces, its answers */
static void draw(const struct imap_thread *thread, char **at, const char *end)
{
    for (; thread; thread = thread->next) {
        ck_assert_int_gt(end - *at, 16);
        *at += sprintf(*at, "%u", (unsigned)thread->number);
        if (thread->child) {
            *(*at)++ = '{';
            draw(thread->child, at, end);
            *(*at)++ = '}';
        } else if (thread->next) {
            *(*at)++ = ' ';
        }
    }
    **at = '\0';
}

static void assert_threads(const struct imap_response *response, const char *expected)
{
    char text[256], *at = text;

    ck_assert_int_eq(response->type, IMAP_RESP_THREAD);
    draw(response->threads, &at, text + sizeof(text));
    ck_assert_str_eq(text, expected);
}

static void check_threads(const struct imap_response *response, int index)
{
    static const char *const expected[] = {
        "2 3{6{4{23}44{7{96}}}}", /* RFC 5256 4: 4 and 44 both answer 6 */
        "0{3 5}",
        "",
        "166 167 168 169 172 170 179 171 173 174{175 176 178 181 180}",
        "1{2}3{4}5",
        "1{0{2 3}4}",
        "4294967295 1",
    };

    assert_threads(response, expected[index]);
}

START_TEST(threads)
{
    RUN("* THREAD (2)(3 6 (4 23)(44 7 96))\r\n"
        "* THREAD ((3)(5))\r\n"
        "* THREAD\r\n"
        "* THREAD (166)(167)(168)(169)(172)(170)(179)(171)(173)(174 (175)(176)(178)(181)(180))\r\n"
        "* THREAD (1 2)(3 4) (5) \r\n"
        "* thread (1 ((2)(3))(4))\r\n"
        "* THREAD ( 4294967295 )(1)\r\n",
        check_threads, 7);
}
END_TEST

static void check_no_threads(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert_int_eq(response->malformed, IMAP_RESP_THREAD);
    ck_assert_ptr_null(response->threads);
}

START_TEST(no_threads)
{
    RUN("* THREAD 2\r\n* THREAD (2\r\n* THREAD (2))\r\n* THREAD ()\r\n* THREAD (2 ())\r\n"
        "* THREAD (0)\r\n* THREAD (4294967296)\r\n* THREAD (x)\r\n* THREAD (1 (2)(3) 4)\r\n* THREAD NIL\r\n"
        "* THREAD (1 \"2\")\r\n* THREAD (-1)\r\n",
        check_no_threads, 12);
}
END_TEST

static struct imap_response parse(const char *wire, size_t len, struct imap_arena *arena)
{
    struct imap_bytes bytes = {.data = wire, .len = len};
    struct imap_response response;

    ck_assert_int_eq(imap_resp_parse(&bytes, DEPTH, arena, &response, NULL), IMAP_OK);
    return response;
}

/* A discussion in which everybody has an answer and a rival: far deeper than lists may nest. */
START_TEST(deep_threads)
{
    const unsigned levels = 2000;
    char *wire = malloc((size_t)levels * 20 + 64), *at = wire + sprintf(wire, "* THREAD ");
    const struct imap_thread *thread;
    struct imap_response response;
    struct imap_arena arena;
    unsigned level;

    for (level = 0; level < levels; level++)
        at += sprintf(at, "(%u (7)", level * 2 + 1);
    at += sprintf(at, "(9999)");
    for (level = 0; level < levels; level++)
        at += sprintf(at, ")");
    imap_arena_init(&arena, IMAP_RESP_ARENA_CAP(LIMIT));
    response = parse(wire, (size_t)(at - wire), &arena);
    ck_assert_int_eq(response.type, IMAP_RESP_THREAD);
    thread = response.threads;
    for (level = 0; level < levels; level++) {
        ck_assert_uint_eq(thread->number, level * 2 + 1);
        ck_assert_uint_eq(thread->child->number, 7);
        thread = thread->child->next;
    }
    ck_assert_uint_eq(thread->number, 9999);
    ck_assert_ptr_null(thread->child);
    ck_assert_ptr_null(thread->next);
    imap_arena_fini(&arena);
    free(wire);
}
END_TEST

/* Neither the stack nor the time runs away: quadratic would be minutes, and the arena's cap holds. */
START_TEST(hostile_nesting)
{
    const size_t len = (size_t)16 << 20;
    static const char *const units[] = {"(", "(1 ", "(1)", "((1)", ")"};
    char *wire = malloc(len);

    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        struct imap_bytes bytes = {.data = wire, .len = len};
        struct imap_response response;
        struct imap_arena arena;
        size_t unit = strlen(units[i]);

        for (size_t at = 0; at < 9; at++)
            wire[at] = "* THREAD "[at];
        for (size_t at = 9; at < len; at += unit)
            memcpy(wire + at, units[i], unit < len - at ? unit : len - at);
        imap_arena_init(&arena, IMAP_RESP_ARENA_CAP(LIMIT));
        enum imap_status status = imap_resp_parse(&bytes, DEPTH, &arena, &response, NULL);
        ck_assert(status == IMAP_OK || status == IMAP_LIMIT);
        ck_assert_int_eq(response.type, IMAP_RESP_UNKNOWN);
        ck_assert_int_eq(response.malformed, IMAP_RESP_THREAD);
        ck_assert_uint_le(arena.total, 2 * arena.cap);
        imap_arena_fini(&arena);
    }
    free(wire);
}
END_TEST

/* ---- rights -------------------------------------------------------------------------------------- */

static void check_acl(const struct imap_response *response, int index)
{
    const struct imap_acl_entry *entry = response->acl.entries;

    ck_assert_int_eq(response->type, IMAP_RESP_ACL);
    switch (index) {
    case 0: /* RFC 4314 3.3 */
        ck_assert_str_eq(response->acl.name, "INBOX/Drafts");
        assert_text(entry->identifier, "Fred");
        assert_text(entry->rights, "rwipslxetad");
        assert_text(entry->next->identifier, "Chris");
        assert_text(entry->next->rights, "lrswi");
        ck_assert_ptr_null(entry->next->next);
        break;
    case 1:
        ck_assert_str_eq(response->acl.name, "a b");
        assert_text(entry->identifier, "-Fred");
        assert_text(entry->rights, "");
        assert_text(entry->next->identifier, "NIL");
        assert_text(entry->next->rights, "l");
        break;
    default:
        ck_assert_str_eq(response->acl.name, "NIL");
        ck_assert_ptr_null(entry);
    }
}

START_TEST(access_lists)
{
    RUN("* ACL INBOX/Drafts Fred rwipslxetad Chris lrswi\r\n* ACL \"a b\" {5}\r\n-Fred \"\" NIL l\r\n* ACL "
        "NIL\r\n",
        check_acl, 3);
}
END_TEST

static void check_listrights(const struct imap_response *response, int index)
{
    const struct imap_listrights *rights = &response->listrights;
    const struct imap_value *item = rights->optional;

    ck_assert_int_eq(response->type, IMAP_RESP_LISTRIGHTS);
    switch (index) {
    case 0: /* RFC 4314 3.7 */
        ck_assert_str_eq(rights->name, "~/Mail/saved");
        ck_assert_str_eq(rights->identifier, "smith");
        ck_assert_str_eq(rights->required, "la");
        assert_text(item->str, "r");
        assert_text(item->next->str, "swicdkxte");
        ck_assert_ptr_null(item->next->next);
        break;
    case 1:
        ck_assert_str_eq(rights->name, "archive/imap");
        ck_assert_str_eq(rights->identifier, "anyone");
        ck_assert_str_eq(rights->required, "");
        assert_text(item->str, "l");
        for (int i = 0; i < 11; i++)
            item = item->next;
        assert_text(item->str, "a");
        ck_assert_ptr_null(item->next);
        break;
    default:
        ck_assert_str_eq(rights->required, "lr");
        ck_assert_ptr_null(item);
    }
}

START_TEST(possible_rights)
{
    RUN("* LISTRIGHTS ~/Mail/saved smith la r swicdkxte\r\n"
        "* LISTRIGHTS archive/imap anyone \"\" l r s w i p k x t e c a\r\n"
        "* LISTRIGHTS INBOX joe lr\r\n",
        check_listrights, 3);
}
END_TEST

static void check_myrights(const struct imap_response *response, int index)
{
    ck_assert_int_eq(response->type, IMAP_RESP_MYRIGHTS);
    ck_assert_str_eq(response->acl.name, "INBOX");
    ck_assert_ptr_null(response->acl.entries->identifier);
    assert_text(response->acl.entries->rights, index ? "" : "rwiptsldaex"); /* RFC 4314 3.8 */
    ck_assert_ptr_null(response->acl.entries->next);
}

START_TEST(my_rights)
{
    RUN("* MYRIGHTS INBOX rwiptsldaex\r\n* MYRIGHTS \"INBOX\" \"\"\r\n", check_myrights, 2);
}
END_TEST

/* ---- METADATA and ANNOTATION --------------------------------------------------------------------- */

static void check_entry(const struct imap_metadata_entry *entry, const char *name, const char *attribute,
                        const char *value, size_t len)
{
    ck_assert_ptr_nonnull(entry);
    ck_assert_str_eq(entry->entry, name);
    ck_assert_pstr_eq(entry->attribute, attribute);
    ck_assert_uint_eq(entry->value_len, len);
    if (value)
        ck_assert_mem_eq(entry->value, value, len + 1); /* and its NUL */
    else
        ck_assert_ptr_null(entry->value);
}

static void check_metadata(const struct imap_response *response, int index)
{
    const struct imap_metadata_entry *entry = response->metadata.entries;

    ck_assert_int_eq(response->type, IMAP_RESP_METADATA);
    switch (index) {
    case 0: /* RFC 5464 4.4.1 */
        ck_assert_str_eq(response->metadata.name, "INBOX");
        check_entry(entry, "/shared/comment", NULL, "Shared comment", 14);
        check_entry(entry->next, "/private/comment", NULL, "My own comment", 14);
        ck_assert_ptr_null(entry->next->next);
        break;
    case 1: /* 4.4.2 */
        ck_assert_str_eq(response->metadata.name, "");
        check_entry(entry, "/shared/comment", NULL, NULL, 0);
        ck_assert_ptr_null(entry->next);
        break;
    case 2:
        ck_assert_str_eq(response->metadata.name, "INBOX");
        check_entry(entry, "/shared/comment", NULL, NULL, 0);
        check_entry(entry->next, "/private/comment", NULL, NULL, 0);
        ck_assert_ptr_null(entry->next->next);
        break;
    case 3:
        check_entry(entry, "/private/bin", NULL, "a\0b)\r\n", 6);
        check_entry(entry->next, "/private/none", NULL, NULL, 0);
        check_entry(entry->next->next, "/private/empty", NULL, "", 0);
        ck_assert_ptr_null(entry->next->next->next);
        break;
    default:
        ck_assert_ptr_null(entry);
    }
}

START_TEST(metadata)
{
    RUN("* METADATA \"INBOX\" (/shared/comment \"Shared comment\" /private/comment \"My own comment\")\r\n"
        "* METADATA \"\" /shared/comment\r\n"
        "* METADATA \"INBOX\" /shared/comment /private/comment\r\n"
        "* METADATA INBOX (/private/bin ~{6}\r\na\0b)\r\n /private/none NIL /private/empty \"\")\r\n"
        "* METADATA INBOX ()\r\n",
        check_metadata, 5);
}
END_TEST

static void check_annotation(const struct imap_response *response, int index)
{
    const struct imap_metadata_entry *entry = response->metadata.entries;

    ck_assert_int_eq(response->type, IMAP_RESP_ANNOTATION);
    switch (index) {
    case 0:
        ck_assert_str_eq(response->metadata.name, "INBOX");
        check_entry(entry, "/comment", "value.priv", "My comment", 10);
        check_entry(entry->next, "/comment", "size.priv", "10", 2);
        check_entry(entry->next->next, "/motd", "value.shared", NULL, 0);
        ck_assert_ptr_null(entry->next->next->next);
        break;
    case 1:
        ck_assert_str_eq(response->metadata.name, "");
        check_entry(entry, "/comment", NULL, NULL, 0);
        check_entry(entry->next, "/motd", NULL, NULL, 0);
        break;
    default:
        ck_abort();
    }
}

START_TEST(annotations)
{
    RUN("* ANNOTATION \"INBOX\" \"/comment\" (\"value.priv\" \"My comment\" \"size.priv\" \"10\") \"/motd\" "
        "(\"value.shared\" NIL)\r\n"
        "* ANNOTATION \"\" (\"/comment\" \"/motd\")\r\n",
        check_annotation, 2);
}
END_TEST

/* ---- what makes no sense ------------------------------------------------------------------------- */

static void check_malformed(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert_int_ne(response->malformed, IMAP_RESP_UNKNOWN);
}

START_TEST(malformed)
{
    RUN("* ACL\r\n* ACL (INBOX)\r\n* ACL INBOX Fred\r\n* ACL INBOX Fred lrs Chris\r\n* ACL INBOX (Fred "
        "lrs)\r\n"
        "* ACL {3}\r\na\nb Fred lrs\r\n* ACL {3}\r\na\0b Fred lrs\r\n* ACL INBOX Fred (lrs)\r\n",
        check_malformed, 8);
    RUN("* LISTRIGHTS\r\n* LISTRIGHTS INBOX\r\n* LISTRIGHTS INBOX smith\r\n* LISTRIGHTS INBOX (smith) la\r\n"
        "* LISTRIGHTS INBOX smith (la)\r\n* LISTRIGHTS INBOX smith la (r)\r\n"
        "* LISTRIGHTS INBOX smith la r NIL\r\n",
        check_malformed, 7);
    RUN("* MYRIGHTS\r\n* MYRIGHTS INBOX\r\n* MYRIGHTS INBOX lr s\r\n* MYRIGHTS INBOX (lr)\r\n",
        check_malformed, 4);
    RUN("* METADATA\r\n* METADATA INBOX\r\n* METADATA INBOX comment\r\n* METADATA INBOX (/a)\r\n"
        "* METADATA INBOX (/a x /b)\r\n* METADATA INBOX (/a (x))\r\n* METADATA INBOX (/a x) /b\r\n"
        "* METADATA INBOX /b (/a x)\r\n* METADATA (/a x)\r\n* METADATA INBOX (NIL x)\r\n",
        check_malformed, 10);
    RUN("* ANNOTATION\r\n* ANNOTATION INBOX\r\n* ANNOTATION INBOX /a\r\n* ANNOTATION INBOX /a x\r\n"
        "* ANNOTATION INBOX /a (value.priv)\r\n* ANNOTATION INBOX /a (value.priv x size.priv)\r\n"
        "* ANNOTATION INBOX /a (value.priv x) /b\r\n* ANNOTATION INBOX (/a) /b\r\n"
        "* ANNOTATION INBOX /a (value.priv (x))\r\n* ANNOTATION INBOX a (value.priv x)\r\n",
        check_malformed, 10);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {threads,      no_threads,      deep_threads, hostile_nesting,
                            access_lists, possible_rights, my_rights,    metadata,
                            annotations,  malformed,       NULL};

    return run_tests("respadmin", tests);
}
