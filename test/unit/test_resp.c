/* SPDX-License-Identifier: MIT */
#include "resp.h"

#include "parse_help.h"

static void run_lines(const char *wire, void (*check)(const struct imap_response *, int), int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), "", count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

static void assert_set(const struct imap_seqset *set, size_t count, const struct imap_range *ranges)
{
    ck_assert_ptr_nonnull(set);
    ck_assert_uint_eq(set->count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(set->ranges[i].first, ranges[i].first);
        ck_assert_uint_eq(set->ranges[i].last, ranges[i].last);
    }
}
#define SET(set, ...)                                                                                        \
    assert_set(set, sizeof((struct imap_range[]){__VA_ARGS__}) / sizeof(struct imap_range),                  \
               (struct imap_range[]){__VA_ARGS__})

static void check_numbers(const struct imap_response *response, int index)
{
    static const struct {
        const char *name;
        enum imap_response_type type;
        uint32_t number;
    } expected[] = {{"EXISTS", IMAP_RESP_EXISTS, 172},     {"RECENT", IMAP_RESP_RECENT, 0},
                    {"EXPUNGE", IMAP_RESP_EXPUNGE, 44},    {"EXISTS", IMAP_RESP_EXISTS, 4294967295},
                    {"EXISTS", IMAP_RESP_EXISTS, 9370000}, {"EXPUNGE", IMAP_RESP_EXPUNGE, 0}};

    ck_assert_int_eq(response->type, expected[index].type);
    ck_assert_str_eq(response->name, expected[index].name);
    ck_assert_uint_eq(response->number, expected[index].number);
    ck_assert_int_eq(response->values->kind, IMAP_VALUE_LIST);
    ck_assert_ptr_null(response->values->child);
    ck_assert_ptr_null(response->tag);
}

START_TEST(numbered_responses)
{
    run_lines("* 172 EXISTS\r\n* 0 RECENT\r\n* 44 EXPUNGE\r\n*  4294967295  exists \r\n* 9.37e+06 EXISTS\r\n"
              "* 0 EXPUNGE\r\n",
              check_numbers, 6);
}
END_TEST

static void check_unknown(const struct imap_response *response, int index)
{
    static const struct {
        const char *name, *raw;
        size_t values;
        uint32_t number;
    } expected[] = {{"XGWEXTENSIONS", "* XgwExtensions (a b) c \"d\"", 3, 0},
                    {"NEWTHING", "* 5 NEWTHING (a)", 1, 5},
                    {"99999999999", "* 99999999999 EXISTS", 1, 0},
                    {"EXISTS", "* EXISTS", 0, 0},
                    {"", "* (a) b", 2, 0},
                    {"", "*", 0, 0},
                    {"", "* 42", 0, 42}};

    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert(!response->malformed);
    ck_assert_str_eq(response->name, expected[index].name);
    ck_assert_uint_eq(response->raw_len, strlen(expected[index].raw));
    ck_assert_mem_eq(response->raw, expected[index].raw, response->raw_len);
    ck_assert_uint_eq(response->number, expected[index].number);
    ck_assert_uint_eq(imap_value_count(response->values), expected[index].values);
}

START_TEST(unknown_responses_are_kept)
{
    run_lines("* XgwExtensions (a b) c \"d\"\r\n* 5 NEWTHING (a)\r\n* 99999999999 EXISTS\r\n* EXISTS\r\n"
              "* (a) b\r\n*\r\n* 42\r\n",
              check_unknown, 7);
}
END_TEST

static void check_caps(const struct imap_response *response, int index)
{
    ck_assert_int_eq(response->type, index == 1 ? IMAP_RESP_ENABLED : IMAP_RESP_CAPABILITY);
    ck_assert_int_eq(imap_caps_has(response->caps, IMAP_CAP_STARTTLS), index == 0);
    ck_assert_int_eq(imap_caps_has(response->caps, IMAP_CAP_CONDSTORE), index < 2);
    ck_assert_int_eq(imap_caps_has(response->caps, IMAP_CAP_IDLE), false);
}

START_TEST(capabilities)
{
    run_lines(
        "* CAPABILITY IMAP4rev1 STARTTLS AUTH=GSSAPI CONDSTORE\r\n* ENABLED CONDSTORE\r\n* CAPABILITY\r\n",
        check_caps, 3);
}
END_TEST

static void check_search(const struct imap_response *response, int index)
{
    const struct imap_search *search = &response->search;

    switch (index) {
    case 0:
        ck_assert_int_eq(response->type, IMAP_RESP_SEARCH);
        ck_assert_uint_eq(search->count, 3);
        ck_assert_uint_eq(search->numbers[0], 84);
        ck_assert_uint_eq(search->numbers[1], 2);
        ck_assert_uint_eq(search->numbers[2], 882);
        ck_assert_uint_eq(search->modseq, 0);
        break;
    case 1: /* RFC 7162 3.1.5 */
        ck_assert_uint_eq(search->count, 8);
        ck_assert_uint_eq(search->numbers[7], 23);
        ck_assert_uint_eq(search->modseq, 917162500);
        break;
    case 2:
    case 3:
        ck_assert_uint_eq(search->count, 0);
        break;
    case 4:
        ck_assert_int_eq(response->type, IMAP_RESP_SORT);
        ck_assert_uint_eq(search->count, 2);
        ck_assert_uint_eq(search->numbers[0], 5);
        ck_assert_uint_eq(search->numbers[1], 3);
        break;
    case 5: /* UID 0 and a written-out million */
        ck_assert_uint_eq(search->count, 2);
        ck_assert_uint_eq(search->numbers[0], 1000000);
        ck_assert_uint_eq(search->numbers[1], 4294967295);
        break;
    default:
        ck_abort();
    }
}

START_TEST(search_results)
{
    run_lines(
        "* SEARCH 84 2 882\r\n* SEARCH 2 5 6 7 11 12 18 23 (MODSEQ 917162500)\r\n* SEARCH\r\n* SEARCH \r\n"
        "* SORT 5 3\r\n* SEARCH 0 1e+06 4294967295\r\n",
        check_search, 6);
}
END_TEST

static void check_esearch(const struct imap_response *response, int index)
{
    const struct imap_esearch *e = &response->esearch;

    ck_assert_int_eq(response->type, IMAP_RESP_ESEARCH);
    switch (index) {
    case 0: /* RFC 4731 3.1 */
        ck_assert_str_eq(e->tag, "A282");
        ck_assert(!e->uid && e->has_min && !e->has_max && e->has_count && !e->has_all && !e->has_partial);
        ck_assert_uint_eq(e->min, 2);
        ck_assert_uint_eq(e->count, 3);
        break;
    case 1:
        ck_assert_str_eq(e->tag, "A285");
        ck_assert(e->uid && !e->has_min && e->has_max && e->has_all);
        ck_assert_uint_eq(e->max, 29);
        SET(e->all, {4, 18}, {21, 21}, {29, 29});
        ck_assert_uint_eq(e->modseq, 1236252);
        break;
    case 2: /* nothing found */
        ck_assert_str_eq(e->tag, "A286");
        ck_assert(!e->has_min && !e->has_max && !e->has_count && !e->has_all);
        break;
    case 3: /* RFC 9394 */
        ck_assert(e->has_partial);
        SET(e->partial, {55, 55}, {500, 700});
        break;
    case 4:
        ck_assert(e->has_partial);
        ck_assert_ptr_null(e->partial);
        break;
    case 5: /* RFC 5267 updates are passed over */
        ck_assert_ptr_null(e->tag);
        ck_assert(e->uid && e->has_count);
        ck_assert_uint_eq(e->count, 0);
        break;
    case 6: /* RFC 7377 */
        ck_assert_str_eq(e->tag, "t1");
        SET(e->all, {4001, 4001});
        break;
    default:
        ck_abort();
    }
}

START_TEST(esearch_results)
{
    run_lines(
        "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3\r\n"
        "* ESEARCH (TAG \"A285\") UID MAX 29 ALL 4:18,21,29 MODSEQ 1236252\r\n* ESEARCH (TAG \"A286\")\r\n"
        "* ESEARCH (TAG A1) UID PARTIAL (-1:-100 55,500:700)\r\n* ESEARCH (TAG \"A1\") PARTIAL (1:10 NIL)\r\n"
        "* ESEARCH UID ADDTO (0 32768:32769) COUNT 0\r\n"
        "* ESEARCH (TAG \"t1\" MAILBOX \"folder1\" UIDVALIDITY 1) UID ALL 4001\r\n",
        check_esearch, 7);
}
END_TEST

static void check_vanished(const struct imap_response *response, int index)
{
    ck_assert_int_eq(response->type, IMAP_RESP_VANISHED);
    ck_assert_int_eq(response->vanished.earlier, index == 0);
    if (index == 0)
        SET(response->vanished.uids, {41, 41}, {43, 116}, {118, 118}, {120, 211}, {214, 540});
    else if (index == 1)
        SET(response->vanished.uids, {405, 405}, {407, 407}, {410, 410}, {425, 425});
    else
        SET(response->vanished.uids, {1, 4294967295});
}

START_TEST(vanished)
{
    run_lines("* VANISHED (EARLIER) 41,43:116,118,120:211,214:540\r\n* VANISHED 405,407,410,425\r\n"
              "* VANISHED 1:4294967295\r\n",
              check_vanished, 3);
}
END_TEST

static void check_id(const struct imap_response *response, int index)
{
    const struct imap_param *param = response->id.params;

    ck_assert_int_eq(response->type, IMAP_RESP_ID);
    if (index == 0) { /* RFC 2971 3.1, with a NIL */
        assert_text(param->name, "name");
        assert_text(param->value, "Cyrus");
        param = param->next;
        assert_text(param->name, "os");
        ck_assert_ptr_null(param->value);
        param = param->next;
        assert_text(param->value, "mailto:cyrus-bugs+@andrew.cmu.edu");
        ck_assert_ptr_null(param->next);
    } else {
        ck_assert_ptr_null(param);
    }
}

START_TEST(identification)
{
    run_lines("* ID (\"name\" \"Cyrus\" \"os\" NIL \"support-url\" \"mailto:cyrus-bugs+@andrew.cmu.edu\")\r\n"
              "* ID NIL\r\n* ID ()\r\n",
              check_id, 3);
}
END_TEST

static void check_quota(const struct imap_response *response, int index)
{
    const struct imap_quota_resource *resource = response->quota.resources;

    ck_assert_int_eq(response->type, IMAP_RESP_QUOTA);
    assert_text(response->quota.root, index == 0 ? "" : "user/x");
    if (index == 0) {
        ck_assert_str_eq(resource->name, "STORAGE");
        ck_assert_uint_eq(resource->usage, 10);
        ck_assert_uint_eq(resource->limit, 512);
        ck_assert_ptr_null(resource->next);
    } else if (index == 1) {
        ck_assert_str_eq(resource->name, "MESSAGE");
        ck_assert_uint_eq(resource->usage, 9370000);
        ck_assert_uint_eq(resource->limit, 9007199254740992);
        ck_assert_ptr_null(resource->next);
    } else {
        ck_assert_ptr_null(resource);
    }
}

START_TEST(quotas)
{
    run_lines(
        "* QUOTA \"\" (STORAGE 10 512)\r\n* QUOTA user/x (STORAGE 5 -1 MESSAGE 9.37e+06 9007199254740992)\r\n"
        "* QUOTA \"user/x\" ()\r\n",
        check_quota, 3);
}
END_TEST

static void check_by_values(const struct imap_response *response, int index)
{
    static const struct {
        enum imap_response_type type;
        size_t values;
    } expected[] = {{IMAP_RESP_THREAD, 4},   {IMAP_RESP_ACL, 5},      {IMAP_RESP_LISTRIGHTS, 5},
                    {IMAP_RESP_MYRIGHTS, 2}, {IMAP_RESP_METADATA, 2}, {IMAP_RESP_ANNOTATION, 3}};

    ck_assert_int_eq(response->type, expected[index].type);
    ck_assert_uint_eq(imap_value_count(response->values), expected[index].values);
}

START_TEST(responses_told_by_their_values)
{
    run_lines("* THREAD (2)(3 6 (4 23)(44 7 96))(5) (9)\r\n* ACL INBOX Fred rwipslda Chris lrs\r\n"
              "* LISTRIGHTS ~/Mail/saved smith la r t\r\n* MYRIGHTS INBOX rwiptsldaex\r\n"
              "* METADATA \"INBOX\" (/shared/comment \"My comment\")\r\n* ANNOTATION INBOX /comment (\"v\" "
              "{2}\r\nhi)\r\n",
              check_by_values, 6);
}
END_TEST

static void check_malformed(const struct imap_response *response, int index)
{
    static const char *const names[] = {"SEARCH",    "ESEARCH", "ESEARCH", "VANISHED",
                                        "VANISHED",  "ID",      "QUOTA",   "QUOTAROOT",
                                        "NAMESPACE", "FETCH",   "FETCH",   "ESEARCH"};

    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert(response->malformed);
    ck_assert_str_eq(response->name, names[index]);
    ck_assert_ptr_nonnull(response->values);
    ck_assert_uint_gt(response->raw_len, 0);
}

START_TEST(arguments_without_sense_are_not_taken_for_none)
{
    run_lines("* SEARCH 1 2 x\r\n* ESEARCH UID ALL 1:x\r\n* ESEARCH UID ALL\r\n* VANISHED\r\n* VANISHED "
              "(EARLIER) -1\r\n"
              "* ID name\r\n* QUOTA x\r\n* QUOTAROOT\r\n* NAMESPACE NIL\r\n* 1 FETCH\r\n* 1 FETCH NIL\r\n"
              "* ESEARCH COUNT 99999999999\r\n",
              check_malformed, 12);
}
END_TEST

START_TEST(lists_too_deep_are_refused)
{
    struct transcript t = {0};
    struct imap_buf wire;

    imap_buf_init(&wire, LIMIT);
    ck_assert(imap_buf_append_str(&wire, "* XDEEP "));
    for (int i = 0; i < 65; i++)
        ck_assert(imap_buf_append_str(&wire, "("));
    ck_assert(imap_buf_append_str(&wire, "1"));
    for (int i = 0; i < 65; i++)
        ck_assert(imap_buf_append_str(&wire, ")"));
    ck_assert(imap_buf_append_str(&wire, "\r\n"));
    run_transcript(&t, wire.data, wire.len, "", 1);
    ck_assert_int_eq(t.status, IMAP_LIMIT);
    imap_buf_fini(&wire);
}
END_TEST

START_TEST(a_response_of_too_many_values_is_refused)
{
    struct imap_arena arena;
    struct imap_response response;
    struct imap_error err;
    struct imap_bytes bytes = {0};
    struct imap_buf wire;

    imap_buf_init(&wire, LIMIT);
    ck_assert(imap_buf_append_str(&wire, "* SEARCH"));
    for (int i = 0; i < 150000; i++)
        ck_assert(imap_buf_append_str(&wire, " 1"));
    bytes.data = wire.data;
    bytes.len = wire.len;
    imap_arena_init(&arena, 1000000);
    ck_assert_int_eq(imap_resp_parse(&bytes, DEPTH, &arena, &response, &err), IMAP_LIMIT);
    ck_assert_int_eq(err.status, IMAP_LIMIT);
    ck_assert_int_eq(response.type, IMAP_RESP_UNKNOWN);
    ck_assert_str_eq(response.name, "SEARCH");
    ck_assert(response.malformed);
    imap_arena_fini(&arena);
    imap_buf_fini(&wire);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {numbered_responses,
                            unknown_responses_are_kept,
                            capabilities,
                            search_results,
                            esearch_results,
                            vanished,
                            identification,
                            quotas,
                            responses_told_by_their_values,
                            arguments_without_sense_are_not_taken_for_none,
                            lists_too_deep_are_refused,
                            a_response_of_too_many_values_is_refused,
                            NULL};

    return run_tests("resp", tests);
}
