/* SPDX-License-Identifier: MIT */
#include "parse_help.h"

static void run_lines(const char *wire, void (*check)(const struct imap_response *, int), int count)
{
    struct transcript t = {.check = check};

    run_transcript(&t, wire, strlen(wire), "", count);
    ck_assert_int_eq(t.status, IMAP_OK);
}

static void check_list(const struct imap_response *response, int index)
{
    static const struct {
        enum imap_response_type type;
        unsigned attributes;
        char delimiter;
        const char *name, *special_use;
    } expected[] = {
        {IMAP_RESP_LIST, IMAP_MBOX_NOSELECT, '/', "~/Mail/foo", NULL},
        {IMAP_RESP_LSUB, 0, '.', "#news.comp.mail.misc", NULL},
        {IMAP_RESP_LIST, IMAP_MBOX_NONEXISTENT | IMAP_MBOX_NOSELECT | IMAP_MBOX_HASCHILDREN, '/', "a b",
         NULL},
        {IMAP_RESP_LIST, IMAP_MBOX_HASNOCHILDREN | IMAP_MBOX_MARKED, '\0', "INBOX", NULL},
        {IMAP_RESP_LIST, IMAP_MBOX_SUBSCRIBED | IMAP_MBOX_REMOTE | IMAP_MBOX_UNMARKED | IMAP_MBOX_NOINFERIORS,
         '\\', "x\\y", NULL},
        {IMAP_RESP_LIST, IMAP_MBOX_NOSELECT, '/', "", NULL},
        {IMAP_RESP_LIST, IMAP_MBOX_HASNOCHILDREN, '/', "Entw&APw-rfe", "\\Drafts"},
        {IMAP_RESP_LIST, 0, '/', "he\"llo", NULL},
        {IMAP_RESP_LIST, 0, '/', "All", "\\All"},
        {IMAP_RESP_LIST, 0, '.', "last", NULL},
    };

    ck_assert_int_eq(response->type, expected[index].type);
    ck_assert_uint_eq(response->list.attributes, expected[index].attributes);
    ck_assert_int_eq(response->list.delimiter, expected[index].delimiter);
    ck_assert_str_eq(response->list.name, expected[index].name);
    ck_assert_uint_eq(response->list.name_len, strlen(expected[index].name));
    ck_assert_pstr_eq(response->list.special_use, expected[index].special_use);
    ck_assert_ptr_null(response->list.extended);
    ck_assert_ptr_null(response->list.old_name);
}

START_TEST(mailbox_lists)
{
    run_lines("* LIST (\\Noselect) \"/\" ~/Mail/foo\r\n* LSUB () \".\" #news.comp.mail.misc\r\n"
              "* LIST (\\NonExistent \\haschildren) \"/\" \"a b\"\r\n* LIST (\\HasNoChildren \\Marked) NIL "
              "INBOX\r\n"
              "* LIST (\\Subscribed \\Remote \\Unmarked \\Noinferiors \\Strange) \"\\\\\" \"x\\\\y\"\r\n"
              "* LIST (\\Noselect) \"/\" \"\"\r\n* LIST (\\HasNoChildren \\Drafts \\Sent) \"/\" "
              "\"Entw&APw-rfe\"\r\n"
              "* LIST () \"/\" {6}\r\nhe\"llo\r\n* XLIST (\\All) \"/\" \"All\"\r\n* LIST () . last\r\n",
              check_list, 10);
}
END_TEST

static void check_odd_names(const struct imap_response *response, int index)
{
    static const char *const expected[] = {
        "NIL",     "nil",   "My Folder",      "a]b [c",     "foo{5}",         "foo(bar)",
        "foo(bar", "foo)",  "say \"hi\" all", "Sent (old)", "2020 (12 34 5)", "trailing",
        "a\"b c",  "INBOX", "Foo %*",
    };

    ck_assert_int_eq(response->type, IMAP_RESP_LIST);
    ck_assert_str_eq(response->list.name, expected[index]);
    ck_assert_uint_eq(response->list.name_len, strlen(expected[index]));
    ck_assert_int_eq(response->list.delimiter, '/');
    ck_assert_ptr_null(response->list.extended);
}

START_TEST(names_nobody_quoted)
{
    run_lines("* LIST () \"/\" NIL\r\n* LIST () \"/\" nil\r\n* LIST () \"/\" My Folder\r\n* LIST () \"/\" "
              "a]b [c\r\n"
              "* LIST () \"/\" foo{5}\r\n* LIST () \"/\" foo(bar)\r\n* LIST () \"/\" foo(bar\r\n* LIST () "
              "\"/\" foo)\r\n"
              "* LIST () \"/\" \"say \"hi\" all\"\r\n* LIST () \"/\" Sent (old)\r\n* LIST () \"/\" 2020 (12 "
              "34 5)\r\n"
              "* LIST () \"/\" trailing  \r\n* LIST () \"/\" a\"b c\r\n* LIST NIL \"/\" \"INBOX\")\r\n"
              "* LIST () \"/\" Foo %*\r\n",
              check_odd_names, 15);
}
END_TEST

static void check_extended(const struct imap_response *response, int index)
{
    const struct imap_list *list = &response->list;

    ck_assert_int_eq(response->type, IMAP_RESP_LIST);
    switch (index) {
    case 0: /* RFC 5258 5 */
        ck_assert_str_eq(list->name, "Foo");
        assert_text(list->extended->str, "CHILDINFO");
        assert_text(list->extended->next->child->str, "SUBSCRIBED");
        ck_assert_ptr_null(list->old_name);
        break;
    case 1: /* RFC 9051 6.3.9.7 */
        ck_assert_str_eq(list->name, "NewMailbox");
        assert_text(list->old_name, "OldMailbox");
        break;
    case 2:
        ck_assert_str_eq(list->name, "x");
        assert_text(list->old_name, "y z");
        assert_text(list->extended->str, "OTHER");
        break;
    default:
        ck_abort();
    }
}

START_TEST(extended_lists)
{
    run_lines("* LIST () \"/\" \"Foo\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
              "* LIST () \"/\" \"NewMailbox\" (\"OLDNAME\" (\"OldMailbox\"))\r\n"
              "* LIST () \"/\" x (OTHER 5 OLDNAME ({3}\r\ny z))\r\n",
              check_extended, 3);
}
END_TEST

static void check_malformed(const struct imap_response *response, int index)
{
    (void)index;
    ck_assert_int_eq(response->type, IMAP_RESP_UNKNOWN);
    ck_assert(response->malformed);
}

START_TEST(lists_without_sense)
{
    run_lines("* LIST\r\n* LIST () \"/\"\r\n* LIST x \"/\" INBOX\r\n* LIST () \"//\" INBOX\r\n* LIST () () "
              "INBOX\r\n"
              "* LIST () \"/\" {5}\r\na\r\nb \r\n* STATUS INBOX\r\n* STATUS (MESSAGES 1)\r\n* STATUS\r\n",
              check_malformed, 9);
}
END_TEST

START_TEST(a_name_with_nul_is_refused)
{
    static const char wire[] = "* LIST () \"/\" {3}\r\na\0b\r\n";
    struct transcript t = {.check = check_malformed};

    run_transcript(&t, wire, sizeof(wire) - 1, "", 1);
}
END_TEST

static void check_status(const struct imap_response *response, int index)
{
    const struct imap_mailbox_status *status = &response->status;

    ck_assert_int_eq(response->type, IMAP_RESP_STATUS);
    switch (index) {
    case 0: /* RFC 3501 7.2.4 */
        ck_assert_str_eq(status->name, "blurdybloop");
        ck_assert_uint_eq(status->name_len, 11);
        ck_assert_uint_eq(status->has, IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT);
        ck_assert_uint_eq(status->messages, 231);
        ck_assert_uint_eq(status->uidnext, 44292);
        break;
    case 1:
        ck_assert_str_eq(status->name, "a b");
        ck_assert_uint_eq(status->has, 0x3FFu);
        ck_assert_uint_eq(status->messages, 1);
        ck_assert_uint_eq(status->recent, 2);
        ck_assert_uint_eq(status->uidnext, 3);
        ck_assert_uint_eq(status->uidvalidity, 4294967295);
        ck_assert_uint_eq(status->unseen, 5);
        ck_assert_uint_eq(status->deleted, 6);
        ck_assert_uint_eq(status->size, 5000000000);
        ck_assert_uint_eq(status->highestmodseq, 7011231777);
        ck_assert_str_eq(status->mailboxid, "F2212ea87");
        ck_assert_uint_eq(status->appendlimit, 257890);
        break;
    case 2: /* NIL, negative, unknown, malformed and repeated items */
        ck_assert_uint_eq(status->has, IMAP_STATUS_MESSAGES | IMAP_STATUS_SIZE);
        ck_assert_uint_eq(status->messages, 8);
        ck_assert_uint_eq(status->size, 9370000);
        break;
    case 3:
        ck_assert_str_eq(status->name, "My odd] Folder (x)");
        ck_assert_uint_eq(status->messages, 7);
        break;
    case 4:
        ck_assert_str_eq(status->name, "NIL");
        ck_assert_uint_eq(status->has, 0);
        break;
    case 5:
        ck_assert_str_eq(status->name, "li\"t");
        ck_assert_uint_eq(status->uidvalidity, 0);
        ck_assert_uint_eq(status->has, IMAP_STATUS_UIDVALIDITY);
        break;
    default:
        ck_abort();
    }
}

START_TEST(mailbox_status)
{
    run_lines("* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"
              "* STATUS \"a b\" (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4294967295 UNSEEN 5 DELETED 6 "
              "SIZE 5000000000 "
              "HIGHESTMODSEQ 7011231777 MAILBOXID (F2212ea87) APPENDLIMIT 257890)\r\n"
              "* STATUS x (APPENDLIMIT NIL HIGHESTMODSEQ -1 UIDNEXT abc NEW (1 2) MESSAGES 7 MESSAGES 8 SIZE "
              "9.37e+06 "
              "UIDVALIDITY)\r\n"
              "* STATUS My odd] Folder (x) (MESSAGES 7) \r\n* STATUS NIL ()\r\n"
              "* STATUS {4}\r\nli\"t (UIDVALIDITY 0)\r\n",
              check_status, 6);
}
END_TEST

static void check_namespace(const struct imap_response *response, int index)
{
    const struct imap_namespaces *ns = &response->ns;

    ck_assert_int_eq(response->type, IMAP_RESP_NAMESPACE);
    switch (index) {
    case 0: /* RFC 2342 5.1 */
        ck_assert_str_eq(ns->personal->prefix, "");
        ck_assert_int_eq(ns->personal->delimiter, '/');
        ck_assert_ptr_null(ns->personal->next);
        ck_assert_ptr_null(ns->other);
        ck_assert_ptr_null(ns->shared);
        break;
    case 1: /* RFC 2342 5.7, with an extension */
        ck_assert_str_eq(ns->personal->prefix, "");
        ck_assert_str_eq(ns->personal->next->prefix, "#mh/");
        ck_assert_ptr_null(ns->personal->next->next);
        ck_assert_str_eq(ns->other->prefix, "~");
        ck_assert_str_eq(ns->shared->prefix, "#shared.");
        ck_assert_int_eq(ns->shared->delimiter, '.');
        ck_assert_str_eq(ns->shared->next->prefix, "#news");
        ck_assert_int_eq(ns->shared->next->delimiter, '\0');
        break;
    case 2:
        ck_assert_ptr_null(ns->personal);
        ck_assert_ptr_null(ns->other);
        ck_assert_ptr_null(ns->shared);
        break;
    default:
        ck_abort();
    }
}

START_TEST(namespaces)
{
    run_lines("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"
              "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) ((\"~\" \"/\")) "
              "((\"#shared.\" \".\")(\"#news\" NIL))\r\n* NAMESPACE NIL () NIL\r\n",
              check_namespace, 3);
}
END_TEST

static void check_quotaroot(const struct imap_response *response, int index)
{
    const struct imap_quotaroot *quotaroot = &response->quotaroot;

    ck_assert_int_eq(response->type, IMAP_RESP_QUOTAROOT);
    ck_assert_str_eq(quotaroot->name, index == 0 ? "INBOX" : "comp.mail.mime");
    if (index == 0) {
        ck_assert_str_eq(quotaroot->roots->str, "");
        ck_assert_str_eq(quotaroot->roots->next->str, "b");
        ck_assert_ptr_null(quotaroot->roots->next->next);
    } else {
        ck_assert_ptr_null(quotaroot->roots);
    }
}

START_TEST(quota_roots)
{
    run_lines("* QUOTAROOT INBOX \"\" b\r\n* QUOTAROOT comp.mail.mime\r\n", check_quotaroot, 2);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {mailbox_lists,
                            names_nobody_quoted,
                            extended_lists,
                            lists_without_sense,
                            a_name_with_nul_is_refused,
                            mailbox_status,
                            namespaces,
                            quota_roots,
                            NULL};

    return run_tests("respmbox", tests);
}
