/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "unit_main.h"

/* A command as text, literals as {n}bytes, secrets in <>. */
static const char *show(const struct imap_command *command)
{
    static char text[8192];
    size_t at = 0, len = 0;
    for (size_t i = 0; i < command->segment_count; i++) {
        const struct imap_segment *segment = &command->segments[i];
        int size = (int)segment->len;
        const char *bytes = command->bytes + at;
        if (segment->kind == IMAP_SEGMENT_TEXT)
            len += (size_t)snprintf(text + len, sizeof text - len, "%.*s", size, bytes);
        else if (segment->kind == IMAP_SEGMENT_SECRET)
            len += (size_t)snprintf(text + len, sizeof text - len, "<%.*s>", size, bytes);
        else if (segment->kind == IMAP_SEGMENT_LITERAL)
            len += (size_t)snprintf(text + len, sizeof text - len, "{%d}%.*s", size, size, bytes);
        else
            len += (size_t)snprintf(text + len, sizeof text - len, "<{%d}%.*s>", size, size, bytes);
        at += segment->len;
    }
    ck_assert_uint_eq(at, command->len);
    return text;
}

static const struct {
    const char *str, *form;
} strings[] = {
    {"INBOX", "INBOX"},
    {"", "\"\""},
    {"a b", "\"a b\""},
    {"NIL", "\"NIL\""},
    {"nil", "\"nil\""},
    {"NILS", "NILS"},
    {"\"", "\"\\\"\""},
    {"\\", "\"\\\\\""},
    {"a\"b\\c", "\"a\\\"b\\\\c\""},
    {"*", "\"*\""},
    {"%", "\"%\""},
    {"(", "\"(\""},
    {")", "\")\""},
    {"{5}", "\"{5}\""},
    {"[Gmail]", "\"[Gmail]\""},
    {"a\tb", "\"a\tb\""},
    {"&AOQ-", "&AOQ-"},
    {"#news.x", "#news.x"},
    {"a.b/c~d+e=f", "a.b/c~d+e=f"},
    {"caf\xc3\xa9", "{5}caf\xc3\xa9"},
    {"a\nb", "{3}a\nb"},
    {"a\rb", "{3}a\rb"},
    {"x\r\na2 LOGOUT", "{12}x\r\na2 LOGOUT"},
};

START_TEST(strings_take_their_form_from_their_content)
{
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        char expected[128];
        struct imap_command *command = imap_command_new("X");
        imap_command_astring(command, strings[i].str, strlen(strings[i].str));
        snprintf(expected, sizeof expected, "X %s", strings[i].form);
        ck_assert_str_eq(show(command), expected);
        ck_assert_ptr_null(command->broken);
        imap_command_free(&command);
        ck_assert_ptr_null(command);
    }
}
END_TEST

START_TEST(long_strings_are_literals)
{
    char str[1001];
    memset(str, 'a', sizeof str);
    for (size_t len = 1000; len <= 1001; len++) {
        struct imap_command *command = imap_command_new("X");
        imap_command_astring(command, str, len);
        ck_assert_int_eq(command->segments[command->segment_count - 1].kind,
                         len == 1000 ? IMAP_SEGMENT_TEXT : IMAP_SEGMENT_LITERAL);
        imap_command_free(&command);
    }
}
END_TEST

START_TEST(secrets_are_apart)
{
    struct imap_command *command = imap_command_new("LOGIN");
    imap_command_astring(command, "joe", 3);
    imap_command_secret(command, "pass\"word", 9);
    ck_assert_str_eq(show(command), "LOGIN joe <\"pass\\\"word\">");
    imap_command_secret(command, "p\xc3\xa4ss", 5);
    ck_assert_str_eq(show(command), "LOGIN joe <\"pass\\\"word\"> <{5}p\xc3\xa4ss>");
    imap_command_free(&command);
}
END_TEST

START_TEST(what_cannot_be_carried_breaks_the_command)
{
    static const char *const bad_flags[] = {"", "a b", "a\r\nb", "\\", "caf\xc3\xa9", "(", "\\See\"n"};
    struct imap_command *command = imap_command_new("X");
    imap_command_astring(command, "a\0b", 3);
    ck_assert_ptr_nonnull(command->broken);
    imap_command_free(&command);

    command = imap_command_new("X");
    imap_command_secret(command, "\0", 1);
    ck_assert_ptr_nonnull(command->broken);
    imap_command_free(&command);

    command = imap_command_new("X\r\na2 LOGOUT");
    ck_assert_ptr_nonnull(command->broken);
    imap_command_free(&command);

    command = imap_command_new("X");
    imap_command_raw(command, "FLAGS\n");
    ck_assert_ptr_nonnull(command->broken);
    imap_command_free(&command);

    struct imap_seqset none = {0};
    command = imap_command_new("UID FETCH");
    imap_command_seqset(command, &none);
    ck_assert_ptr_nonnull(command->broken);
    imap_command_free(&command);

    for (size_t i = 0; i < sizeof bad_flags / sizeof *bad_flags; i++) {
        command = imap_command_new("UID STORE");
        imap_command_flags(command, 0, &bad_flags[i], 1);
        ck_assert_msg(command->broken != NULL, "%zu", i);
        imap_command_free(&command);
    }
}
END_TEST

START_TEST(spaces_stand_where_the_grammar_wants_them)
{
    static const char *const keywords[] = {"$Forwarded", "work", "\\Custom", "a[1]"};
    struct imap_seqset set = {0};
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_seqset_add(&set, 1, 3);
    imap_seqset_add(&set, 7, IMAP_SEQSET_STAR);
    imap_command_seqset(command, &set);
    imap_command_open(command);
    imap_command_raw(command, "FLAGS");
    imap_command_raw(command, "UID");
    imap_command_close(command);
    imap_command_open(command);
    imap_command_raw(command, "CHANGEDSINCE");
    imap_command_number(command, 9223372036854775807u);
    imap_command_raw(command, ")");
    ck_assert_str_eq(show(command), "UID FETCH 1:3,7:* (FLAGS UID) (CHANGEDSINCE 9223372036854775807)");
    ck_assert(command->has_set);
    ck_assert_uint_eq(imap_seqset_size(&command->set), imap_seqset_size(&set));
    imap_command_free(&command);

    command = imap_command_new("APPEND");
    imap_command_mailbox(command, "a b", 3);
    imap_command_flags(command, IMAP_FLAG_SEEN | IMAP_FLAG_RECENT | IMAP_FLAG_DELETED, keywords, 4);
    ck_assert_str_eq(show(command), "APPEND \"a b\" (\\Deleted \\Seen $Forwarded work \\Custom a[1])");
    ck_assert_ptr_null(command->broken);
    ck_assert(!command->has_set);
    imap_command_free(&command);

    command = imap_command_new("UID STORE");
    imap_command_raw(command, "1");
    imap_command_raw(command, "FLAGS");
    imap_command_flags(command, 0, NULL, 0);
    ck_assert_str_eq(show(command), "UID STORE 1 FLAGS ()");
    imap_command_free(&command);
    imap_seqset_fini(&set);
}
END_TEST

START_TEST(long_sets_are_whole)
{
    struct imap_seqset set = {0}, again = {0};
    for (uint32_t i = 0; i < 5000; i++)
        imap_seqset_add(&set, 1000000 + 2 * i, 1000000 + 2 * i);
    struct imap_command *command = imap_command_new("UID FETCH");
    imap_command_seqset(command, &set);
    ck_assert_int_eq(imap_seqset_parse(&again, command->bytes + strlen("UID FETCH "),
                                       command->len - strlen("UID FETCH "), NULL),
                     IMAP_OK);
    ck_assert_uint_eq(again.count, set.count);
    ck_assert_mem_eq(again.ranges, set.ranges, set.count * sizeof *set.ranges);
    imap_command_free(&command);
    imap_seqset_fini(&set);
    imap_seqset_fini(&again);
}
END_TEST

static const struct {
    const char *text, *shown; /* NULL: broken */
} criteria[] = {
    {"ALL", "ALL"},
    {"  OR FROM \"Smith\" (SUBJECT \"a b\" UNSEEN)  ", "OR FROM \"Smith\" (SUBJECT \"a b\" UNSEEN)"},
    {"SUBJECT \"caf\xc3\xa9\" SEEN", "SUBJECT {5}caf\xc3\xa9 SEEN"},
    {"SUBJECT \"a\r\nb\"", "SUBJECT {4}a\r\nb"},
    {"BODY \"\\\"x\\\\\"", "BODY \"\\\"x\\\\\""},
    {"BODY \"()\" BODY \"{3}\"", "BODY \"()\" BODY \"{3}\""},
    {"HEADER X \"\"", "HEADER X \"\""},
    {"KEYWORD $Forwarded UID 1:*,7", "KEYWORD $Forwarded UID 1:*,7"},
    {"", NULL},
    {"SUBJECT caf\xc3\xa9", NULL},
    {"SEEN\r\na2 LOGOUT", NULL},
    {"SEEN\n", NULL},
    {"SEEN\t", NULL},
    {"SUBJECT \"a", NULL},
    {"SUBJECT \"a\\\"", NULL},
    {"SUBJECT {3}", NULL},
    {"(SEEN", NULL},
    {"SEEN)", NULL},
    {")SEEN(", NULL},
};

START_TEST(criteria_are_checked)
{
    for (size_t i = 0; i < sizeof criteria / sizeof *criteria; i++) {
        char expected[128];
        struct imap_command *command = imap_command_new("SEARCH");
        imap_command_criteria(command, criteria[i].text);
        ck_assert_msg(!command->broken == (criteria[i].shown != NULL), "%s", criteria[i].text);
        snprintf(expected, sizeof expected, "SEARCH %s", criteria[i].shown ? criteria[i].shown : "");
        if (criteria[i].shown)
            ck_assert_str_eq(show(command), expected);
        imap_command_free(&command);
    }
}
END_TEST

static const struct {
    const char *verb, *text, *shown;
} lists[] = {
    {"FETCH", "FLAGS UID", "(FLAGS UID)"},
    {"FETCH", " (FLAGS UID) ", "(FLAGS UID)"},
    {"FETCH", "FLAGS", "(FLAGS)"},
    {"FETCH", "(A) (B)", "((A) (B))"},
    {"FETCH", "BODY[HEADER.FIELDS (DATE \"From\")]<0.10>", "(BODY[HEADER.FIELDS (DATE \"From\")]<0.10>)"},
    {"FETCH", "fast", "fast"},
    {"UID FETCH", "ALL", "ALL"},
    {"UID STORE", "ALL", "(ALL)"},
    {"APPEND", "", "()"},
    {"APPEND", "\\Seen $x", "(\\Seen $x)"},
    {"APPEND", "(\\Seen", NULL},
    {"APPEND", "\\Seen)", NULL},
    {"APPEND", "(\")\"", NULL},
    {"APPEND", "\\Seen\r\n", NULL},
    {"APPEND", "{5}", NULL},
};

START_TEST(lists_get_their_parentheses)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char expected[128];
        struct imap_command *command = imap_command_new(lists[i].verb);
        imap_command_list(command, lists[i].text);
        ck_assert_msg(!command->broken == (lists[i].shown != NULL), "%s", lists[i].text);
        snprintf(expected, sizeof expected, "%s %s", lists[i].verb, lists[i].shown ? lists[i].shown : "");
        if (lists[i].shown)
            ck_assert_str_eq(show(command), expected);
        imap_command_free(&command);
    }
}
END_TEST

START_TEST(sets_are_checked)
{
    static const char *const good[][2] = {
        {"1", "1"}, {"5:2,9", "2:5,9"}, {"*", "*"}, {"*:7", "7:*"}, {"$", "$"}};
    static const char *const bad[] = {"", "0", "1:", "1,,2", "a", "1 2", "$,1", "1\r\n", "4294967296"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char expected[64];
        struct imap_command *command = imap_command_new("UID FETCH");
        imap_command_set(command, good[i][0]);
        snprintf(expected, sizeof expected, "UID FETCH %s", good[i][1]);
        ck_assert_str_eq(show(command), expected);
        ck_assert_ptr_null(command->broken);
        ck_assert(command->has_set == (*good[i][0] != '$'));
        imap_command_free(&command);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct imap_command *command = imap_command_new("UID FETCH");
        imap_command_set(command, bad[i]);
        ck_assert_msg(command->broken != NULL, "%s", bad[i]);
        imap_command_free(&command);
    }
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {
        "", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x93\xa7", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xe9",
                                      "\xc0\xaf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xc3(",
                                      "\xff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert(imap_utf8_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!imap_utf8_is_valid(bad[i], strlen(bad[i])), "%zu", i);
}
END_TEST

UNIT_MAIN("cmd", strings_take_their_form_from_their_content, long_strings_are_literals, secrets_are_apart,
          what_cannot_be_carried_breaks_the_command, spaces_stand_where_the_grammar_wants_them,
          long_sets_are_whole, criteria_are_checked, lists_get_their_parentheses, sets_are_checked,
          utf8_is_told_from_other_bytes)
