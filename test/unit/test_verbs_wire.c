/* SPDX-License-Identifier: MIT */
/* What each verb puts on the wire, and what it refuses. */
#include <stdio.h>

#include "client_double.h"
#include "imap/admin.h"
#include "imap/auth.h"
#include "imap/mailbox.h"
#include "imap/message.h"
#include "unit_main.h"

static struct imap_call call;

/* The verb is called with `c`, in the state that open makes, and sends exactly this (and CRLF). */
#define SENDS(open, verb, expected)                                                                          \
    do {                                                                                                     \
        struct imap_client *c = open;                                                                        \
        enum imap_status status = verb;                                                                      \
        ck_assert_msg(status == IMAP_OK, "%s: %s", #verb, c->error.text);                                    \
        ck_assert_msg(c->wire &&strcmp(c->wire, expected "\r\n") == 0, "%s sent %s", #verb,                  \
                      c->wire ? c->wire : "nothing");                                                        \
        double_close(c);                                                                                     \
    } while (0)

#define REFUSED_AS(open, verb, why)                                                                          \
    do {                                                                                                     \
        struct imap_client *c = open;                                                                        \
        int before = c->done;                                                                                \
        ck_assert_msg((verb) == (why), "%s", #verb);                                                         \
        ck_assert_int_eq(c->error.status, why);                                                              \
        ck_assert_int_eq(c->done, before + 1);                                                               \
        double_run(c);                                                                                       \
        ck_assert_msg(c->wire_len == 0, "%s sent %s", #verb, c->wire);                                       \
        double_close(c);                                                                                     \
    } while (0)

#define IN double_selected("")
#define AT(caps) double_open(caps)
#define REFUSED(verb) REFUSED_AS(IN, verb, IMAP_USAGE)

START_TEST(selecting)
{
    SENDS(AT(""), imap_client_select(c, "INBOX", 0, &call), "SELECT INBOX");
    SENDS(AT(""), imap_client_select(c, "a b", IMAP_SELECT_READ_ONLY, &call), "EXAMINE \"a b\"");
    SENDS(AT(""), imap_client_select(c, "", IMAP_SELECT_CONDSTORE, &call), "SELECT \"\" (CONDSTORE)");
    SENDS(AT(""), imap_client_select(c, "x", IMAP_SELECT_MUST_WRITE, &call), "SELECT x");
    /* RFC 7162 3.2.5 */
    SENDS(AT(""),
          imap_client_select_qresync(c, "INBOX", 0, 67890007, 20050715194045000, "41,43:211,214:541", &call),
          "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))");
    SENDS(AT(""),
          imap_client_select_qresync(c, "INBOX", IMAP_SELECT_READ_ONLY | IMAP_SELECT_CONDSTORE, 1, 2, NULL,
                                     &call),
          "EXAMINE INBOX (CONDSTORE QRESYNC (1 2))");
    SENDS(IN, imap_client_close(c, &call), "CLOSE");
    SENDS(IN, imap_client_unselect(c, &call), "UNSELECT");

    REFUSED(imap_client_select(c, NULL, 0, &call));
    REFUSED(imap_client_select(c, "a\r\nb", 0, &call));
    REFUSED(imap_client_select(c, "x", 8, &call));
    REFUSED(imap_client_select(c, "x", IMAP_SELECT_READ_ONLY | IMAP_SELECT_MUST_WRITE, &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 0, 1, NULL, &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, 0, NULL, &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, (uint64_t)INT64_MAX + 1, NULL, &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, 1, "1:*", &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, 1, "$", &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, 1, "", &call));
    REFUSED(imap_client_select_qresync(c, "x", 0, 1, 1, "1,,2", &call));
    REFUSED_AS(AT(""), imap_client_close(c, &call), IMAP_USAGE);
}
END_TEST

static void select_answered(const char *untagged, const char *tagged, enum imap_status status)
{
    struct imap_client *client = double_open("");
    ck_assert_int_eq(imap_client_select(client, "x", IMAP_SELECT_MUST_WRITE, &call), IMAP_OK);
    double_answer(client, untagged, tagged);
    ck_assert_int_eq(client->done, 1);
    ck_assert_int_eq(client->error.status, status);
    if (status == IMAP_NO)
        ck_assert_int_eq(client->error.code, IMAP_CODE_READ_ONLY);
    ck_assert_int_eq(imap_session_state(client->session), IMAP_STATE_SELECTED); /* it stays selected */
    double_close(client);
}

START_TEST(read_only_that_was_not_asked_for)
{
    select_answered("* 1 EXISTS\r\n", "a1 OK [READ-WRITE] done\r\n", IMAP_OK);
    select_answered("", "a1 OK done\r\n", IMAP_OK);
    select_answered("", "a1 OK [READ-ONLY] done\r\n", IMAP_NO);
}
END_TEST

START_TEST(mailboxes)
{
    SENDS(AT(""), imap_client_create(c, "a/b", NULL, &call), "CREATE a/b");
    SENDS(AT(""), imap_client_create(c, "Everything", "\\All", &call),
          "CREATE Everything (USE (\\All))"); /* RFC 6154 5 */
    SENDS(AT(""), imap_client_create(c, "x", "\\Archive \\Sent", &call), "CREATE x (USE (\\Archive \\Sent))");
    SENDS(AT(""), imap_client_delete(c, "50%", &call), "DELETE \"50%\"");
    SENDS(AT(""), imap_client_rename(c, "NIL", "a\"b", &call), "RENAME \"NIL\" \"a\\\"b\"");
    SENDS(AT(""), imap_client_subscribe(c, "#news", &call), "SUBSCRIBE #news");
    SENDS(AT(""), imap_client_unsubscribe(c, "Entw&APw-rfe", &call), "UNSUBSCRIBE Entw&APw-rfe");
    SENDS(AT("LITERAL+"), imap_client_delete(c, "\xc3\xa9", &call), "DELETE {2+}\r\n\xc3\xa9");
    SENDS(double_utf8("ENABLE UTF8=ACCEPT"), imap_client_delete(c, "\xc3\xa9", &call), "DELETE \"\xc3\xa9\"");

    REFUSED(imap_client_create(c, NULL, NULL, &call));
    REFUSED(imap_client_create(c, "x", "Archive", &call));
    REFUSED(imap_client_create(c, "x", "", &call));
    REFUSED(imap_client_create(c, "x", "\\", &call));
    REFUSED(imap_client_create(c, "x", "\\Sent) x (", &call));
    REFUSED(imap_client_delete(c, NULL, &call));
    REFUSED(imap_client_delete(c, "a\nb", &call));
    REFUSED(imap_client_rename(c, "x", NULL, &call));
    REFUSED(imap_client_rename(c, NULL, "x", &call));
    REFUSED(imap_client_subscribe(c, NULL, &call));
    REFUSED(imap_client_unsubscribe(c, NULL, &call));
}
END_TEST

START_TEST(listing)
{
    static const char *const patterns[] = {"INBOX", "Drafts", "Sent/%"}, *const missing[] = {"x", NULL};

    SENDS(AT(""), imap_client_list(c, "", "*", &call), "LIST \"\" \"*\"");
    SENDS(AT(""), imap_client_list(c, "~/Mail/", "%", &call), "LIST ~/Mail/ \"%\"");
    SENDS(AT(""), imap_client_lsub(c, "#news.", "comp.mail.*", &call), "LSUB #news. \"comp.mail.*\"");
    SENDS(AT(""), imap_client_list_extended(c, NULL, "", patterns, 1, NULL, &call), "LIST \"\" INBOX");
    /* RFC 5258 5 and RFC 5819 2 */
    SENDS(AT(""), imap_client_list_extended(c, NULL, "", patterns, 3, NULL, &call),
          "LIST \"\" (INBOX Drafts \"Sent/%\")");
    SENDS(AT(""),
          imap_client_list_extended(c, "SUBSCRIBED RECURSIVEMATCH", "", patterns, 1,
                                    "STATUS (MESSAGES UNSEEN) SPECIAL-USE", &call),
          "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" INBOX RETURN (STATUS (MESSAGES UNSEEN) SPECIAL-USE)");
    SENDS(AT(""), imap_client_list_extended(c, "", "", patterns, 1, "(CHILDREN)", &call),
          "LIST () \"\" INBOX RETURN (CHILDREN)");
    SENDS(AT(""), imap_client_status(c, "blurdybloop", "UIDNEXT MESSAGES", &call),
          "STATUS blurdybloop (UIDNEXT MESSAGES)");
    SENDS(AT(""), imap_client_status(c, "x", "(SIZE)", &call), "STATUS x (SIZE)");

    REFUSED(imap_client_list(c, NULL, "*", &call));
    REFUSED(imap_client_list(c, "", NULL, &call));
    REFUSED(imap_client_list(c, "", "a\r\n", &call));
    REFUSED(imap_client_lsub(c, "", NULL, &call));
    REFUSED(imap_client_list_extended(c, NULL, "", patterns, 0, NULL, &call));
    REFUSED(imap_client_list_extended(c, NULL, "", missing, 2, NULL, &call));
    REFUSED(imap_client_list_extended(c, "(", "", patterns, 1, NULL, &call));
    REFUSED(imap_client_list_extended(c, NULL, "", patterns, 1, "x\r\na9 LOGOUT", &call));
    REFUSED(imap_client_list_extended(c, NULL, "", patterns, 1, "x {5}", &call));
    REFUSED(imap_client_status(c, NULL, "SIZE", &call));
    REFUSED(imap_client_status(c, "x", NULL, &call));
    REFUSED(imap_client_status(c, "x", "", &call));
    REFUSED(imap_client_status(c, "x", "()", &call));
}
END_TEST

START_TEST(fetching)
{
    SENDS(IN, imap_client_fetch(c, IMAP_BY_UID, "1:*", "(FLAGS BODY.PEEK[])", NULL, &call),
          "UID FETCH 1:* (FLAGS BODY.PEEK[])");
    SENDS(IN, imap_client_fetch(c, IMAP_BY_NUMBER, "2:4", "ALL", NULL, &call), "FETCH 2:4 ALL");
    SENDS(IN, imap_client_fetch(c, IMAP_BY_UID, "$", "FLAGS", NULL, &call), "UID FETCH $ (FLAGS)");
    SENDS(IN, imap_client_fetch(c, IMAP_BY_NUMBER, "2", "FLAGS BODY[HEADER.FIELDS (DATE FROM)]", NULL, &call),
          "FETCH 2 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])");
    SENDS(IN, imap_client_fetch(c, IMAP_BY_UID, "300:500", "FLAGS", "CHANGEDSINCE 12345 VANISHED", &call),
          "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)");
    SENDS(IN, imap_client_partial(c, IMAP_BY_UID, "5", "TEXT", 10, 20, &call),
          "UID FETCH 5 (BODY.PEEK[TEXT]<10.20>)");
    SENDS(IN, imap_client_partial(c, IMAP_BY_NUMBER, "5", "", 0, 1, &call), "FETCH 5 (BODY.PEEK[]<0.1>)");

    REFUSED(imap_client_fetch(c, IMAP_BY_UID, NULL, "FLAGS", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "", "FLAGS", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "0", "FLAGS", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1:", "FLAGS", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1 FLAGS", "FLAGS", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1", NULL, NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1", "", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1", "FLAGS)", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1", "FLAGS\r\nx LOGOUT", NULL, &call));
    REFUSED(imap_client_fetch(c, IMAP_BY_UID, "1", "FLAGS", "X {3+}", &call));
    REFUSED(imap_client_partial(c, IMAP_BY_UID, "5", NULL, 0, 1, &call));
    REFUSED(imap_client_partial(c, IMAP_BY_UID, "5", "]", 0, 1, &call));
    REFUSED(imap_client_partial(c, IMAP_BY_UID, "5", "\"", 0, 1, &call));
    REFUSED(imap_client_partial(c, IMAP_BY_UID, "5", "TEXT", 0, 0, &call));
    REFUSED(imap_client_partial(c, IMAP_BY_UID, "5", "TEXT", UINT64_MAX, 1, &call));
    REFUSED_AS(AT(""), imap_client_fetch(c, IMAP_BY_UID, "1", "FLAGS", NULL, &call), IMAP_USAGE);
}
END_TEST

START_TEST(storing)
{
    SENDS(IN, imap_client_store(c, IMAP_BY_NUMBER, "2:4", 0, "+FLAGS", "(\\Deleted)", &call),
          "STORE 2:4 +FLAGS (\\Deleted)");
    SENDS(IN, imap_client_store(c, IMAP_BY_UID, "9", 0, "flags.silent", "\\Seen $Junk", &call),
          "UID STORE 9 flags.silent (\\Seen $Junk)");
    SENDS(IN, imap_client_store(c, IMAP_BY_UID, "9", 0, "FLAGS", "", &call), "UID STORE 9 FLAGS ()");
    SENDS(IN, imap_client_store(c, IMAP_BY_UID, "6,4,8", 12121230045, "+FLAGS.SILENT", "\\Deleted", &call),
          "UID STORE 4,6,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)");
    SENDS(IN, imap_client_store(c, IMAP_BY_UID, "1", 0, "-X-GM-LABELS", "foo \"a b\"", &call),
          "UID STORE 1 -X-GM-LABELS (foo \"a b\")");
    SENDS(IN, imap_client_copy(c, IMAP_BY_UID, "1,3", "a b", &call), "UID COPY 1,3 \"a b\"");
    SENDS(IN, imap_client_copy(c, IMAP_BY_NUMBER, "2:4", "MEETING", &call), "COPY 2:4 MEETING");
    SENDS(IN, imap_client_move(c, IMAP_BY_UID, "42:69", "foo", &call), "UID MOVE 42:69 foo");
    SENDS(IN, imap_client_move(c, IMAP_BY_NUMBER, "$", "foo", &call), "MOVE $ foo");
    SENDS(IN, imap_client_expunge(c, NULL, &call), "EXPUNGE");
    SENDS(IN, imap_client_expunge(c, "3000:3002", &call), "UID EXPUNGE 3000:3002");

    REFUSED(imap_client_store(c, IMAP_BY_UID, NULL, 0, "FLAGS", "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "x", 0, "FLAGS", "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", UINT64_MAX, "FLAGS", "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", 0, NULL, "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", 0, "*FLAGS", "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", 0, "FLAGS.LOUD", "", &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", 0, "FLAGS", NULL, &call));
    REFUSED(imap_client_store(c, IMAP_BY_UID, "1", 0, "FLAGS", "\\Seen\r\n", &call));
    REFUSED(imap_client_copy(c, IMAP_BY_UID, NULL, "x", &call));
    REFUSED(imap_client_copy(c, IMAP_BY_UID, "1", NULL, &call));
    REFUSED(imap_client_move(c, IMAP_BY_UID, "-1", "x", &call));
    REFUSED(imap_client_expunge(c, "", &call));
}
END_TEST

START_TEST(searching)
{
    SENDS(IN, imap_client_search(c, IMAP_BY_UID, NULL, NULL, "UNSEEN SUBJECT \"hello\"", &call),
          "UID SEARCH UNSEEN SUBJECT \"hello\"");
    SENDS(IN, imap_client_search(c, IMAP_BY_NUMBER, "MIN COUNT", NULL, "FLAGGED SINCE 1-Feb-1994", &call),
          "SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994");
    SENDS(IN, imap_client_search(c, IMAP_BY_UID, "", "us-ascii", "ALL", &call),
          "UID SEARCH RETURN () CHARSET us-ascii ALL");
    SENDS(double_selected("LITERAL+"),
          imap_client_search(c, IMAP_BY_UID, NULL, NULL, "TEXT \"\xc3\xa9\"", &call),
          "UID SEARCH CHARSET UTF-8 TEXT {2+}\r\n\xc3\xa9");
    SENDS(double_utf8("ENABLE UTF8=ACCEPT"),
          imap_client_search(c, IMAP_BY_UID, NULL, NULL, "TEXT \"\xc3\xa9\"", &call),
          "UID SEARCH TEXT \"\xc3\xa9\"");
    SENDS(double_utf8("ENABLE UTF8=ACCEPT"), imap_client_search(c, IMAP_BY_UID, NULL, "utf-8", "ALL", &call),
          "UID SEARCH ALL");
    SENDS(IN, imap_client_sort(c, IMAP_BY_NUMBER, "REVERSE DATE", NULL, "ALL", &call),
          "SORT (REVERSE DATE) UTF-8 ALL");
    SENDS(IN, imap_client_sort(c, IMAP_BY_UID, "(SUBJECT)", "US-ASCII", "UNSEEN", &call),
          "UID SORT (SUBJECT) US-ASCII UNSEEN");
    SENDS(IN, imap_client_thread(c, IMAP_BY_UID, "REFERENCES", NULL, "SINCE 5-MAR-2000", &call),
          "UID THREAD REFERENCES UTF-8 SINCE 5-MAR-2000");
    SENDS(IN, imap_client_thread(c, IMAP_BY_NUMBER, "ORDEREDSUBJECT", "US-ASCII", "ALL", &call),
          "THREAD ORDEREDSUBJECT US-ASCII ALL");

    REFUSED(imap_client_search(c, IMAP_BY_UID, NULL, NULL, NULL, &call));
    REFUSED(imap_client_search(c, IMAP_BY_UID, NULL, NULL, "", &call));
    REFUSED(imap_client_search(c, IMAP_BY_UID, NULL, NULL, "SUBJECT \"x", &call));
    REFUSED(imap_client_search(c, IMAP_BY_UID, NULL, NULL, "ALL\r\nx LOGOUT", &call));
    REFUSED(imap_client_search(c, IMAP_BY_UID, NULL, NULL, "SUBJECT {4}", &call));
    REFUSED(imap_client_search(c, IMAP_BY_UID, "MIN (", NULL, "ALL", &call));
    REFUSED_AS(double_utf8("ENABLE UTF8=ACCEPT"),
               imap_client_search(c, IMAP_BY_UID, NULL, "KOI8-R", "ALL", &call), IMAP_USAGE);
    REFUSED(imap_client_sort(c, IMAP_BY_UID, NULL, NULL, "ALL", &call));
    REFUSED(imap_client_sort(c, IMAP_BY_UID, "", NULL, "ALL", &call));
    REFUSED(imap_client_sort(c, IMAP_BY_UID, "DATE", NULL, NULL, &call));
    REFUSED(imap_client_thread(c, IMAP_BY_UID, NULL, NULL, "ALL", &call));
    REFUSED(imap_client_thread(c, IMAP_BY_UID, "A B", NULL, "ALL", &call));
    REFUSED(imap_client_thread(c, IMAP_BY_UID, "REFS", NULL, " ", &call));
}
END_TEST

START_TEST(rights_and_quotas)
{
    static const struct imap_quota_limit limits[] = {{"STORAGE", 512}, {"MESSAGE", 1000}},
                                         odd[] = {{"A B", 1}}, huge[] = {{"STORAGE", UINT64_MAX}};

    SENDS(AT(""), imap_client_setacl(c, "INBOX/Drafts", "John", "lrQswicda", &call),
          "SETACL INBOX/Drafts John lrQswicda");
    SENDS(AT(""), imap_client_setacl(c, "x", "-Fred Foe", "+w", &call), "SETACL x \"-Fred Foe\" +w");
    SENDS(AT(""), imap_client_setacl(c, "x", "y", "", &call), "SETACL x y \"\"");
    SENDS(AT(""), imap_client_deleteacl(c, "INBOX", "Fred", &call), "DELETEACL INBOX Fred");
    SENDS(AT(""), imap_client_getacl(c, "INBOX", &call), "GETACL INBOX");
    SENDS(AT(""), imap_client_listrights(c, "~/Mail/saved", "smith", &call), "LISTRIGHTS ~/Mail/saved smith");
    SENDS(AT(""), imap_client_myrights(c, "INBOX", &call), "MYRIGHTS INBOX");
    SENDS(AT(""), imap_client_getquota(c, "", &call), "GETQUOTA \"\"");
    SENDS(AT(""), imap_client_getquotaroot(c, "INBOX", &call), "GETQUOTAROOT INBOX");
    SENDS(AT(""), imap_client_setquota(c, "#user/alice", limits, 2, &call),
          "SETQUOTA #user/alice (STORAGE 512 MESSAGE 1000)");
    SENDS(AT(""), imap_client_setquota(c, "", NULL, 0, &call), "SETQUOTA \"\" ()");

    REFUSED(imap_client_setacl(c, NULL, "a", "b", &call));
    REFUSED(imap_client_setacl(c, "x", NULL, "b", &call));
    REFUSED(imap_client_setacl(c, "x", "a", NULL, &call));
    REFUSED(imap_client_deleteacl(c, "x", NULL, &call));
    REFUSED(imap_client_getacl(c, NULL, &call));
    REFUSED(imap_client_listrights(c, "x", NULL, &call));
    REFUSED(imap_client_myrights(c, "a\nb", &call));
    REFUSED(imap_client_getquota(c, NULL, &call));
    REFUSED(imap_client_getquotaroot(c, NULL, &call));
    REFUSED(imap_client_setquota(c, NULL, limits, 2, &call));
    REFUSED(imap_client_setquota(c, "", odd, 1, &call));
    REFUSED(imap_client_setquota(c, "", huge, 1, &call));
}
END_TEST

START_TEST(metadata)
{
    static const char *const entries[] = {"/shared/comment", "/private/comment"}, *const odd[] = {"/a//b"},
                             *const wild[] = {"/private/*"}, *const none[] = {NULL};
    static const struct imap_metadata_value values[] = {{"/private/comment", NULL, "My new comment", 14},
                                                        {"/private/gone", NULL, NULL, 0},
                                                        {"/private/atom", NULL, "x", 1},
                                                        {"/private/nul", NULL, "a\0b", 3}};
    static const struct imap_metadata_value with_attribute = {"/a", "value.priv", "x", 1},
                                            bare = {"a", NULL, "x", 1};

    SENDS(AT(""), imap_client_getmetadata(c, "", entries, 1, NULL, 0, &call),
          "GETMETADATA \"\" (/shared/comment)");
    /* RFC 5464 4.2.1 and 4.2.2, in the order of the errata */
    SENDS(AT(""), imap_client_getmetadata(c, "INBOX", entries, 2, NULL, 1024, &call),
          "GETMETADATA (MAXSIZE 1024) INBOX (/shared/comment /private/comment)");
    SENDS(AT(""), imap_client_getmetadata(c, "INBOX", entries, 1, "infinity", 9, &call),
          "GETMETADATA (MAXSIZE 9 DEPTH infinity) INBOX (/shared/comment)");
    SENDS(AT(""), imap_client_setmetadata(c, "INBOX", values, 3, &call),
          "SETMETADATA INBOX (/private/comment \"My new comment\" /private/gone NIL /private/atom \"x\")");

    struct imap_client *client = double_open("LITERAL+ BINARY");
    static const char expected[] = "SETMETADATA INBOX (/private/nul ~{3+}\r\na\0b)\r\n";
    ck_assert_int_eq(imap_client_setmetadata(client, "INBOX", values + 3, 1, &call), IMAP_OK);
    ck_assert_uint_eq(client->wire_len, sizeof expected - 1);
    ck_assert_mem_eq(client->wire, expected, sizeof expected);
    double_close(client);

    REFUSED(imap_client_getmetadata(c, NULL, entries, 1, NULL, 0, &call));
    REFUSED(imap_client_getmetadata(c, "", entries, 0, NULL, 0, &call));
    REFUSED(imap_client_getmetadata(c, "", odd, 1, NULL, 0, &call));
    REFUSED(imap_client_getmetadata(c, "", wild, 1, NULL, 0, &call));
    REFUSED(imap_client_getmetadata(c, "", none, 1, NULL, 0, &call));
    REFUSED(imap_client_getmetadata(c, "", entries, 1, "2", 0, &call));
    REFUSED(imap_client_getmetadata(c, "", entries, 1, NULL, (uint64_t)1 << 32, &call));
    REFUSED(imap_client_setmetadata(c, NULL, values, 1, &call));
    REFUSED(imap_client_setmetadata(c, "", values, 0, &call));
    REFUSED(imap_client_setmetadata(c, "", &with_attribute, 1, &call));
    REFUSED(imap_client_setmetadata(c, "", &bare, 1, &call));
}
END_TEST

START_TEST(annotations)
{
    static const struct imap_metadata_value values[] = {{"/comment", "value.priv", "My new comment", 14},
                                                        {"/motd", "value.shared", NULL, 0},
                                                        {"/motd", NULL, "x", 1},
                                                        {"/x", "value.priv", "a\0b", 3},
                                                        {"x", "value.priv", "y", 1}};

    SENDS(AT(""), imap_client_getannotation(c, "INBOX", "/comment", "value.priv", &call),
          "GETANNOTATION INBOX \"/comment\" \"value.priv\"");
    SENDS(AT(""), imap_client_getannotation(c, "", "/*", "value", &call),
          "GETANNOTATION \"\" \"/*\" \"value\"");
    SENDS(AT(""), imap_client_setannotation(c, "INBOX", values, 1, &call),
          "SETANNOTATION INBOX \"/comment\" (\"value.priv\" \"My new comment\")");
    SENDS(AT(""), imap_client_setannotation(c, "", values, 2, &call),
          "SETANNOTATION \"\" (\"/comment\" (\"value.priv\" \"My new comment\") \"/motd\" (\"value.shared\" "
          "NIL))");

    REFUSED(imap_client_getannotation(c, NULL, "/comment", "value.priv", &call));
    REFUSED(imap_client_getannotation(c, "", NULL, "value.priv", &call));
    REFUSED(imap_client_getannotation(c, "", "/comment", NULL, &call));
    REFUSED(imap_client_setannotation(c, NULL, values, 1, &call));
    REFUSED(imap_client_setannotation(c, "", values, 0, &call));
    REFUSED(imap_client_setannotation(c, "", values + 2, 1, &call));
    REFUSED(imap_client_setannotation(c, "", values + 3, 1, &call));
    REFUSED(imap_client_setannotation(c, "", values + 4, 1, &call));
}
END_TEST

START_TEST(the_session)
{
    static const char *const id[] = {"name", "sodr", "version", "19.34", "vendor", NULL};
    char name[32] = "", *value = calloc(1, 1026);
    const char *pairs[64], *const long_name[] = {name, "x"}, *const long_value[] = {"x", value},
                                  *const no_name[] = {NULL, "x"};
    memset(name, 'n', 31);
    memset(value, 'v', 1025);
    for (int i = 0; i < 64; i++)
        pairs[i] = "x";

    SENDS(AT(""), imap_client_capability(c, &call), "CAPABILITY");
    SENDS(AT(""), imap_client_noop(c, &call), "NOOP");
    SENDS(IN, imap_client_check(c, &call), "CHECK");
    SENDS(AT(""), imap_client_namespace(c, &call), "NAMESPACE");
    SENDS(AT(""), imap_client_proxyauth(c, "fred foe", &call), "PROXYAUTH \"fred foe\"");
    SENDS(AT("ENABLE QRESYNC UTF8=ONLY"), imap_client_enable(c, " qresync  UTF8=ACCEPT condstore ", &call),
          "ENABLE qresync UTF8=ACCEPT condstore");
    SENDS(AT(""), imap_client_id(c, id, 6, &call),
          "ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)"); /* RFC 2971 3.1 */
    SENDS(AT(""), imap_client_id(c, NULL, 0, &call), "ID NIL");
    SENDS(AT(""), imap_client_id(c, id, 0, &call), "ID ()");

    REFUSED_AS(AT(""), imap_client_check(c, &call), IMAP_USAGE);
    REFUSED(imap_client_proxyauth(c, NULL, &call));
    REFUSED(imap_client_proxyauth(c, "", &call));
    REFUSED_AS(AT("ENABLE"), imap_client_enable(c, "QRESYNC", &call), IMAP_USAGE);
    REFUSED_AS(AT("QRESYNC"), imap_client_enable(c, "QRESYNC", &call), IMAP_USAGE);
    REFUSED_AS(AT("ENABLE"), imap_client_enable(c, "", &call), IMAP_USAGE);
    REFUSED_AS(AT("ENABLE"), imap_client_enable(c, NULL, &call), IMAP_USAGE);
    REFUSED_AS(AT("ENABLE QRESYNC"), imap_client_enable(c, "QRESYNC\r\nx LOGOUT", &call), IMAP_USAGE);
    REFUSED_AS(double_selected("ENABLE QRESYNC"), imap_client_enable(c, "QRESYNC", &call), IMAP_USAGE);
    REFUSED(imap_client_id(c, id, 5, &call));
    REFUSED(imap_client_id(c, pairs, 62, &call));
    REFUSED(imap_client_id(c, long_name, 2, &call));
    REFUSED(imap_client_id(c, long_value, 2, &call));
    REFUSED(imap_client_id(c, no_name, 2, &call));
    free(value);
}
END_TEST

UNIT_MAIN("verbs_wire", selecting, read_only_that_was_not_asked_for, mailboxes, listing, fetching, storing,
          searching, rights_and_quotas, metadata, annotations, the_session)
