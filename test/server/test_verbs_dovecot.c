/* SPDX-License-Identifier: MIT */
/* The verbs with a real Dovecot, which has quotas and rights switched on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/unit_main.h"
#include "dovecot.h"
#include "imap/admin.h"
#include "imap/auth.h"
#include "imap/mailbox.h"
#include "imap/message.h"

static struct test_server server;
static struct imap_client *client;
static struct imap_call call;

/* Every test of its own user. */
static void open_for(const char *user)
{
    struct imap_error err = {0};
    const struct imap_client_options options = {.endpoint = {.host = server.host,
                                                             .port = server.tls_port,
                                                             .tls = IMAP_TLS_IMPLICIT,
                                                             .cafile = server.cafile,
                                                             .user = user,
                                                             .password = server.password,
                                                             .timeout_ms = 20000}};
    if (!server.dir[0]) {
        setenv("DOVECOT_PLUGINS", "quota acl", 1);
        ck_assert_msg(test_dovecot_start(&server), "%s", server.why);
    }
    ck_assert_msg(imap_client_connect(&options, &client, &err) == IMAP_OK, "%s", err.text);
}

static void finish(void)
{
    ck_assert_int_eq(imap_client_logout(client, &call), IMAP_OK);
    imap_call_fini(&call);
    imap_client_free(&client);
    test_server_stop(&server);
}

#define OK(verb)                                                                                             \
    do {                                                                                                     \
        enum imap_status status = verb;                                                                      \
        ck_assert_msg(status == IMAP_OK, "%s: %s", #verb, call.error.text);                                  \
    } while (0)
#define NEXT(type) imap_answer_next(call.answer, type, NULL)

static uint32_t append(const char *mailbox, const char *text)
{
    struct imap_upload upload = {.data = text, .size = strlen(text), .fd = -1};
    OK(imap_client_append(client, mailbox, &upload, 1, &call));
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_APPENDUID);
    return imap_answer_text(call.answer)->to->ranges[0].first;
}

static const char *body_of(uint32_t uid)
{
    char set[16];
    snprintf(set, sizeof set, "%u", (unsigned)uid);
    OK(imap_client_fetch(client, IMAP_BY_UID, set, "BODY.PEEK[]", NULL, &call));
    const struct imap_fetch *fetch = imap_answer_message(call.answer, uid);
    ck_assert_ptr_nonnull(fetch);
    return imap_fetch_section(fetch, IMAP_SECTION_BODY, "")->data;
}

static ssize_t tell(void *arg, void *buf, size_t size)
{
    const char **rest = arg;
    size_t len = strlen(*rest) < size ? strlen(*rest) : size;
    len = len > 7 ? 7 : len;
    memcpy(buf, *rest, len);
    *rest += len;
    return (ssize_t)len;
}

START_TEST(three_sources)
{
    static const char text[] = "Subject: one\n\nbare\rends\n",
                      sent[] = "Subject: one\r\n\r\nbare\r\nends\r\n";
    static const struct imap_date date = {.unix_seconds = 1000000000, .zone_minutes = 120};
    const char *rest = sent;
    FILE *file = tmpfile();
    open_for("uploads");
    ck_assert_int_eq(fputs(text, file) < 0 || fflush(file), 0);
    ck_assert_int_eq(lseek(fileno(file), 0, SEEK_SET), 0);
    struct imap_upload uploads[] = {
        {.data = text, .size = sizeof text - 1, .fd = -1, .flags = "\\Seen $Mine", .date = &date},
        {.fd = fileno(file)},
        {.fd = -1, .read = tell, .arg = &rest, .size = sizeof sent - 1}};
    OK(imap_client_append(client, "INBOX", uploads, 3, &call));
    const struct imap_seqset *uids = imap_answer_text(call.answer)->to;
    ck_assert_uint_eq(imap_seqset_size(uids), 3);
    uint32_t first = uids->ranges[0].first;

    OK(imap_client_select(client, "INBOX", IMAP_SELECT_MUST_WRITE, &call));
    for (uint32_t uid = first; uid < first + 3; uid++)
        ck_assert_str_eq(body_of(uid), sent);
    OK(imap_client_fetch(client, IMAP_BY_NUMBER, "1", "(FLAGS INTERNALDATE UID)", NULL, &call));
    const struct imap_fetch *fetch = imap_answer_message(call.answer, first);
    ck_assert_uint_eq(fetch->flags.system & IMAP_FLAG_SEEN, IMAP_FLAG_SEEN);
    ck_assert_str_eq(fetch->flags.keywords[0], "$Mine");
    ck_assert_int_eq(fetch->internaldate.unix_seconds, 1000000000);
    fclose(file);
    finish();
}
END_TEST

START_TEST(messages)
{
    struct imap_found found;
    open_for("messages");
    uint32_t a = append(
        "INBOX", "Date: Tue, 2 Jan 2024 00:00:00 +0000\nMessage-ID: <a@x>\nSubject: b\n\nh\xc3\xa9llo\n");
    uint32_t b =
        append("INBOX", "Date: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <b@x>\nReferences: <a@x>\n"
                        "Subject: Re: b\n\nworld\n");
    append("INBOX", "Date: Wed, 3 Jan 2024 00:00:00 +0000\nMessage-ID: <c@x>\nSubject: a\n\nbye\n");
    OK(imap_client_select(client, "INBOX", IMAP_SELECT_CONDSTORE, &call));
    ck_assert_uint_eq(NEXT(IMAP_RESP_EXISTS)->number, 3);

    OK(imap_client_search(client, IMAP_BY_UID, NULL, NULL, "UNSEEN BODY \"world\"", &call));
    ck_assert_int_eq(imap_answer_found(call.answer, &found, NULL), IMAP_OK);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_uint_eq(found.numbers[0], b);
    OK(imap_client_search(client, IMAP_BY_NUMBER, "MIN MAX COUNT ALL", NULL, "ALL", &call));
    ck_assert_int_eq(imap_answer_found(call.answer, &found, NULL), IMAP_OK);
    ck_assert(found.min == 1 && found.max == 3 && found.total == 3 && found.count == 3);
    OK(imap_client_search(client, IMAP_BY_UID, NULL, NULL, "BODY \"\xc3\xa9\"", &call));
    ck_assert_int_eq(imap_answer_found(call.answer, &found, NULL), IMAP_OK);
    OK(imap_client_sort(client, IMAP_BY_NUMBER, "DATE", NULL, "ALL", &call));
    ck_assert_int_eq(imap_answer_found(call.answer, &found, NULL), IMAP_OK);
    ck_assert(found.count == 3 && found.numbers[0] == 2 && found.numbers[1] == 1 && found.numbers[2] == 3);
    OK(imap_client_thread(client, IMAP_BY_UID, "REFERENCES", NULL, "ALL", &call));
    const struct imap_thread *thread = NEXT(IMAP_RESP_THREAD)->threads;
    ck_assert_uint_eq(thread->number, a);
    ck_assert_uint_eq(thread->child->number, b);
    ck_assert_ptr_nonnull(thread->next);

    OK(imap_client_partial(client, IMAP_BY_NUMBER, "2", "TEXT", 1, 3, &call));
    ck_assert_str_eq(NEXT(IMAP_RESP_FETCH)->fetch.sections->data, "orl");
    OK(imap_client_store(client, IMAP_BY_NUMBER, "1", 0, "+FLAGS", "\\Flagged $X", &call));
    ck_assert_uint_eq(NEXT(IMAP_RESP_FETCH)->fetch.flags.system & IMAP_FLAG_FLAGGED, IMAP_FLAG_FLAGGED);
    OK(imap_client_store(client, IMAP_BY_UID, "1:3", 1, "FLAGS.SILENT", "", &call));
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_MODIFIED);

    OK(imap_client_create(client, "Copies", NULL, &call));
    OK(imap_client_copy(client, IMAP_BY_NUMBER, "1:2", "Copies", &call));
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_COPYUID);
    OK(imap_client_move(client, IMAP_BY_NUMBER, "1", "Copies", &call));
    ck_assert_ptr_nonnull(NEXT(IMAP_RESP_EXPUNGE));
    OK(imap_client_store(client, IMAP_BY_NUMBER, "1:*", 0, "+FLAGS.SILENT", "(\\Deleted)", &call));
    char set[16];
    snprintf(set, sizeof set, "%u", (unsigned)b);
    OK(imap_client_expunge(client, set, &call));
    ck_assert_uint_eq(NEXT(IMAP_RESP_EXPUNGE)->number, 1);
    OK(imap_client_expunge(client, NULL, &call));
    OK(imap_client_check(client, &call));
    OK(imap_client_close(client, &call));
    OK(imap_client_status(client, "Copies", "MESSAGES UIDNEXT", &call));
    ck_assert_uint_eq(imap_answer_mailbox_status(call.answer, "Copies")->messages, 3);
    finish();
}
END_TEST

START_TEST(mailboxes)
{
    static const char *const patterns[] = {"*"};
    open_for("mailboxes");
    OK(imap_client_create(client, "x y", NULL, &call));
    OK(imap_client_rename(client, "x y", "Sent \"mail\"", &call));
    OK(imap_client_subscribe(client, "Sent \"mail\"", &call));
    OK(imap_client_lsub(client, "", "*", &call));
    const struct imap_response *response = NEXT(IMAP_RESP_LSUB);
    ck_assert_str_eq(response->list.name, "Sent \"mail\"");
    OK(imap_client_list(client, "", "S%", &call));
    ck_assert_str_eq(NEXT(IMAP_RESP_LIST)->list.name, "Sent \"mail\"");
    OK(imap_client_list_extended(client, "SUBSCRIBED", "", patterns, 1, "STATUS (MESSAGES)", &call));
    ck_assert(NEXT(IMAP_RESP_LIST)->list.attributes & IMAP_MBOX_SUBSCRIBED);
    ck_assert_ptr_nonnull(imap_answer_mailbox_status(call.answer, "Sent \"mail\""));
    OK(imap_client_unsubscribe(client, "Sent \"mail\"", &call));
    OK(imap_client_select(client, "Sent \"mail\"", IMAP_SELECT_READ_ONLY, &call));
    ck_assert_int_eq(imap_answer_text(call.answer)->code, IMAP_CODE_READ_ONLY);
    OK(imap_client_unselect(client, &call));
    OK(imap_client_delete(client, "Sent \"mail\"", &call));
    ck_assert_int_eq(imap_client_delete(client, "Sent \"mail\"", &call), IMAP_GONE);
    finish();
}
END_TEST

START_TEST(administration)
{
    static const char *const id[] = {"name", "test", "version", NULL};
    open_for("administration");
    OK(imap_client_capability(client, &call));
    ck_assert(imap_caps_has(NEXT(IMAP_RESP_CAPABILITY)->caps, IMAP_CAP_IMAP4REV1));
    OK(imap_client_noop(client, &call));
    OK(imap_client_namespace(client, &call));
    ck_assert_ptr_nonnull(NEXT(IMAP_RESP_NAMESPACE)->ns.personal);
    OK(imap_client_id(client, id, 4, &call));
    ck_assert_ptr_nonnull(NEXT(IMAP_RESP_ID)->id.params);
    OK(imap_client_enable(client, "CONDSTORE QRESYNC", &call));
    ck_assert(imap_caps_has(NEXT(IMAP_RESP_ENABLED)->caps, IMAP_CAP_QRESYNC));
    ck_assert_int_eq(imap_client_enable(client, "NONSENSE", &call), IMAP_USAGE);

    OK(imap_client_getquotaroot(client, "INBOX", &call));
    ck_assert_str_eq(NEXT(IMAP_RESP_QUOTAROOT)->quotaroot.name, "INBOX");
    ck_assert_ptr_nonnull(NEXT(IMAP_RESP_QUOTA));
    OK(imap_client_getquota(client, NEXT(IMAP_RESP_QUOTA)->quota.root, &call));

    OK(imap_client_create(client, "Shared", NULL, &call));
    OK(imap_client_myrights(client, "Shared", &call));
    ck_assert_ptr_nonnull(strchr(NEXT(IMAP_RESP_MYRIGHTS)->acl.entries->rights, 'a'));
    OK(imap_client_setacl(client, "Shared", "joe", "lr", &call));
    OK(imap_client_setacl(client, "Shared", "joe", "+s", &call));
    OK(imap_client_getacl(client, "Shared", &call));
    const struct imap_acl_entry *entry = NEXT(IMAP_RESP_ACL)->acl.entries;
    while (entry && strcmp(entry->identifier, "joe") != 0)
        entry = entry->next;
    ck_assert_ptr_nonnull(entry);
    ck_assert_str_eq(entry->rights, "lrs");
    OK(imap_client_listrights(client, "Shared", "joe", &call));
    ck_assert_str_eq(NEXT(IMAP_RESP_LISTRIGHTS)->listrights.identifier, "joe");
    OK(imap_client_deleteacl(client, "Shared", "joe", &call));

    OK(imap_client_select_qresync(client, "INBOX", 0, 1, 1, NULL, &call));
    finish();
}
END_TEST

UNIT_MAIN("verbs_dovecot", three_sources, messages, mailboxes, administration)
