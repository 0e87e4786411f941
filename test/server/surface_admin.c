/* SPDX-License-Identifier: MIT */
/* The surface: rights, quotas, annotations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

static const char *rights_of(const struct imap_acl *acl, const char *identifier)
{
    for (const struct imap_acl_entry *entry = acl->entries; entry; entry = entry->next)
        if (entry->identifier && strcmp(entry->identifier, identifier) == 0)
            return entry->rights;
    return NULL;
}

static bool has_rights(const char *rights, const char *wanted)
{
    return rights && strspn(wanted, rights) == strlen(wanted);
}

SURFACE_TEST(acl)
{
    surface_make(s);
    DID(s, setacl, s->box, surface_server.other, "lr");
    const struct imap_response *said = surface_first(DID(s, getacl, s->box), IMAP_RESP_ACL);
    ck_assert_str_eq(said->acl.name, s->box);
    ck_assert_str_eq(rights_of(&said->acl, surface_server.other), "lr");
    DID(s, setacl, s->box, surface_server.other, "+s");
    said = surface_first(DID(s, getacl, s->box), IMAP_RESP_ACL);
    ck_assert_str_eq(rights_of(&said->acl, surface_server.other), "lrs");
    DID(s, setacl, s->box, surface_server.other, "-ls");
    said = surface_first(DID(s, getacl, s->box), IMAP_RESP_ACL);
    ck_assert_str_eq(rights_of(&said->acl, surface_server.other), "r");

    said = surface_first(DID(s, listrights, s->box, surface_server.other), IMAP_RESP_LISTRIGHTS);
    ck_assert_str_eq(said->listrights.name, s->box);
    ck_assert_str_eq(said->listrights.identifier, surface_server.other);
    size_t optional = 0;
    for (const struct imap_value *value = said->listrights.optional; value; value = value->next)
        optional++;
    ck_assert_uint_gt(optional, 8);

    said = surface_first(DID(s, myrights, s->box), IMAP_RESP_MYRIGHTS);
    ck_assert(has_rights(said->acl.entries->rights, "lrswipkxtea"));

    DID(s, deleteacl, s->box, surface_server.other);
    said = surface_first(DID(s, getacl, s->box), IMAP_RESP_ACL);
    ck_assert_ptr_null(rights_of(&said->acl, surface_server.other));
}

/* imaplib's readonly error, where it really happens: in what another has shared for reading. */
SURFACE_TEST(read_only_unasked)
{
    struct imap_selected selected;
    char name[IMAP_MAILBOX_NAME_MAX], shared[64];
    snprintf(shared, sizeof shared, "%s/%s/%s", surface_is_cyrus ? "Other Users" : "other",
             surface_server.user, s->box);
    surface_make(s);
    DID(s, setacl, s->box, surface_server.other, "lr");
    imap_client_free(&s->client);
    s->client = surface_connect_as(surface_server.other);
    EXPECT(s, IMAP_NO, select, shared, IMAP_SELECT_MUST_WRITE);
    ck_assert_int_eq(s->error.code, IMAP_CODE_READ_ONLY);
    ck_assert(imap_client_selected(s->client, &selected, name));
    ck_assert_str_eq(name, shared);
    ck_assert(selected.read_only);
    surface_row(s, "select must-write");
    DID(s, select, shared, 0);
    struct imap_upload upload = {.data = "a: b\r\n\r\n", .size = 8, .fd = -1};
    EXPECT(s, IMAP_NO, append, shared, &upload, 1);
}

static const struct imap_quota_resource *resource_of(const struct imap_response *said, const char *name)
{
    for (const struct imap_quota_resource *one = said->quota.resources; one; one = one->next)
        if (strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

SURFACE_TEST(quota_is_told)
{
    surface_make(s);
    const struct imap_answer *answer = DID(s, getquotaroot, s->box);
    const struct imap_response *said = surface_first(answer, IMAP_RESP_QUOTAROOT);
    ck_assert_str_eq(said->quotaroot.name, s->box);
    char root[64];
    snprintf(root, sizeof root, "%s", said->quotaroot.roots->str);
    ck_assert_str_eq(root, surface_is_cyrus ? "INBOX" : "User quota");
    ck_assert_str_eq(surface_first(answer, IMAP_RESP_QUOTA)->quota.root, root);
    if (surface_is_cyrus) { /* it lets only the administrator ask by root */
        EXPECT(s, IMAP_NO, getquota, root);
        imap_client_free(&s->client);
        s->client = surface_connect_as(surface_server.admin);
        snprintf(root, sizeof root, "user/%s", surface_server.user);
    }
    said = surface_first(DID(s, getquota, root), IMAP_RESP_QUOTA);
    ck_assert_str_eq(said->quota.root, root);
    ck_assert_ptr_nonnull(resource_of(said, "STORAGE"));
    ck_assert_uint_gt(resource_of(said, "STORAGE")->limit, 1000);
}

SURFACE_TEST(quota_is_set)
{
    const struct imap_quota_limit limits[] = {{"STORAGE", s->callback ? 600000 : 500000},
                                              {"MESSAGE", 123456}};
    if (!surface_is_cyrus) { /* Dovecot's are set outside of IMAP */
        EXPECT(s, IMAP_NO, setquota, "User quota", limits, 2);
        return;
    }
    char root[64];
    snprintf(root, sizeof root, "user/%s", surface_server.user);
    EXPECT(s, IMAP_NO, setquota, root, limits, 2); /* this is for the administrator */
    imap_client_free(&s->client);
    s->client = surface_connect_as(surface_server.admin);
    DID(s, setquota, root, limits, 2);
    const struct imap_response *said = surface_first(DID(s, getquota, root), IMAP_RESP_QUOTA);
    ck_assert_uint_eq(resource_of(said, "STORAGE")->limit, limits[0].limit);
    ck_assert_uint_eq(resource_of(said, "MESSAGE")->limit, 123456);
}

SURFACE_TEST(metadata)
{
    static const char value[] = "two\r\nlines, \"quotes\" and \xc3\xbc";
    static const char *const entries[] = {"/private/comment", "/shared/comment"};
    const struct imap_metadata_value values[] = {{"/private/comment", NULL, value, sizeof value - 1},
                                                 {"/shared/comment", NULL, "", 0}};
    surface_make(s);
    DID(s, setmetadata, s->box, values, 2);
    const struct imap_answer *answer = DID(s, getmetadata, s->box, entries, 2, NULL, 0);
    const struct imap_metadata_entry *entry = imap_answer_metadata(answer, s->box, "/private/comment", NULL);
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->value_len, sizeof value - 1);
    ck_assert_mem_eq(entry->value, value, sizeof value - 1);
    ck_assert_ptr_null(imap_answer_metadata(answer, "INBOX", "/private/comment", NULL));
    surface_first(answer, IMAP_RESP_METADATA);

    static const char *const all[] = {"/private"};
    answer = DID(s, getmetadata, s->box, all, 1, "infinity", 0);
    ck_assert_ptr_nonnull(imap_answer_metadata(answer, s->box, "/private/comment", NULL));
    answer = DID(s, getmetadata, s->box, entries, 1, "0", 10);
    entry = imap_answer_metadata(answer, s->box, "/private/comment", NULL);
    ck_assert(!entry || !entry->value); /* longer than we want it */

    const struct imap_metadata_value gone = {"/private/comment", NULL, NULL, 0};
    DID(s, setmetadata, s->box, &gone, 1);
    answer = DID(s, getmetadata, s->box, entries, 1, NULL, 0);
    entry = imap_answer_metadata(answer, s->box, "/private/comment", NULL);
    ck_assert(!entry || !entry->value);
    DID(s, getmetadata, "", entries + 1, 1, NULL, 0); /* the server's own */
}

SURFACE_TEST(annotations)
{
    const struct imap_metadata_value value = {"/comment", "value.priv", "hello \"you\"", 11};
    surface_make(s);
    if (!surface_is_cyrus) { /* Dovecot never had the draft */
        EXPECT(s, IMAP_NO, setannotation, s->box, &value, 1);
        return;
    }
    DID(s, setannotation, s->box, &value, 1);
    const struct imap_answer *answer = DID(s, getannotation, s->box, "/comment", "value.priv");
    const struct imap_metadata_entry *entry = imap_answer_metadata(answer, s->box, "/comment", "value.priv");
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->value_len, 11);
    ck_assert_str_eq(entry->value, "hello \"you\"");
    ck_assert_str_eq(entry->attribute, "value.priv");
    surface_first(answer, IMAP_RESP_ANNOTATION);
    const struct imap_metadata_value gone = {"/comment", "value.priv", NULL, 0};
    DID(s, setannotation, s->box, &gone, 1);
    answer = DID(s, getannotation, s->box, "/comment", "value.priv");
    entry = imap_answer_metadata(answer, s->box, "/comment", "value.priv");
    ck_assert(!entry || !entry->value);
}

void surface_admin(TCase *cases)
{
    surface_add(cases, acl);
    surface_add(cases, read_only_unasked);
    surface_add(cases, quota_is_told);
    surface_add(cases, quota_is_set);
    surface_add(cases, metadata);
    surface_add(cases, annotations);
}
